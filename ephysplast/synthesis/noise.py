"""What a rig adds: white and 1/f noise, mains hum, drift."""

from dataclasses import dataclass

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Recording noise of one channel, in the channel's unit.

    Attributes
    ----------
    white : float
        SD of the white part.
    pink : float
        SD of the 1/f part, all frequencies a sweep can hold but 0.
    hum : float
        Amplitude of the mains hum; its phase is free from sweep to sweep.
    hum_hz : float
        Mains frequency.
    drift_per_10min : float
        Steady drift of the baseline.
    wander : float
        SD per √min of the random walk of the baseline.
    """

    white: float = 0.0
    pink: float = 0.0
    hum: float = 0.0
    hum_hz: float = 50.0
    drift_per_10min: float = 0.0
    wander: float = 0.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("white", "pink", "hum", "wander"):
            if not getattr(self, name) >= 0.0:
                raise SettingsError(f"{name} is impossible", got=f"{getattr(self, name)}", wanted="0 or more")


def recording_noise(
    noise: Noise, *, n_sweeps: int, n_samples: int, rate_hz: float, rng: np.random.Generator
) -> FloatArray:
    """Draw the noise within sweeps.

    Parameters
    ----------
    noise : Noise
        What to draw.
    n_sweeps, n_samples : int
        Size.
    rate_hz : float
        Sampling rate.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps, n_samples)
        Its variance over many sweeps is ``white² + pink² + hum²/2``.

    Examples
    --------
    >>> quiet = recording_noise(Noise(), n_sweeps=1, n_samples=4, rate_hz=1e4, rng=np.random.default_rng(0))
    >>> quiet.tolist()
    [[0.0, 0.0, 0.0, 0.0]]
    """
    total = np.zeros((n_sweeps, n_samples))
    if noise.white:
        total += noise.white * rng.standard_normal((n_sweeps, n_samples))
    if noise.pink:
        total += noise.pink * _one_over_f(n_sweeps, n_samples, rng)
    if noise.hum:
        phase = 2.0 * np.pi * rng.random((n_sweeps, 1))
        total += noise.hum * np.sin(2.0 * np.pi * noise.hum_hz * np.arange(n_samples) / rate_hz + phase)
    return total


def _one_over_f(n_sweeps: int, n_samples: int, rng: np.random.Generator) -> FloatArray:
    """Draw noise of unit variance whose power falls as 1/f, by shaping the spectrum of white noise."""
    bins = np.arange(n_samples // 2 + 1, dtype=np.float64)
    gain = np.zeros(len(bins))
    gain[1:] = 1.0 / np.sqrt(bins[1:])
    twice = np.full(len(bins), 2.0)  # every bin but the first and, for an even length, the last has a mirror image
    twice[0] = 1.0
    if n_samples % 2 == 0:
        twice[-1] = 1.0
    gain /= np.sqrt(np.sum(twice * gain**2) / n_samples)
    spectrum = np.fft.rfft(rng.standard_normal((n_sweeps, n_samples)), axis=1)
    return np.asarray(np.fft.irfft(spectrum * gain, n_samples, axis=1))


def baseline_drift(noise: Noise, sweep_start_s: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Draw how far the baseline has moved when each sweep starts.

    Parameters
    ----------
    noise : Noise
        Its `drift_per_10min` and `wander` are used.
    sweep_start_s : numpy.ndarray, shape (n_sweeps,)
        Ascending, in s.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps,)
        0 in the first sweep.
    """
    minutes = (sweep_start_s - sweep_start_s[0]) / 60.0
    steps = np.sqrt(np.diff(minutes, prepend=minutes[0])) * rng.standard_normal(len(minutes))
    return np.asarray(noise.drift_per_10min * minutes / 10.0 + noise.wander * np.cumsum(steps))
