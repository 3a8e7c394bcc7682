"""Times of regular spikes, and the checks that all protocols share."""

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray


def starts_of(n: int, frequency_hz: float, n_repeats: int, repeat_interval_s: float) -> FloatArray:
    """Return when each of `n_repeats` rows of `n` events at a frequency happens."""
    check_counts(n=n, n_repeats=n_repeats)
    check_positive(frequency_hz=frequency_hz)
    if n_repeats > 1 and not (n - 1) / frequency_hz < repeat_interval_s < np.inf:
        raise SettingsError(
            "the repetitions run into each other",
            got=f"{n} at {frequency_hz:g} Hz every {repeat_interval_s:g} s",
            remedy="make the interval longer",
        )
    return joined(np.add.outer(np.arange(n_repeats) * repeat_interval_s, np.arange(n) / frequency_hz))


def bursts_at(starts: FloatArray, n_spikes: int, burst_hz: float) -> FloatArray:
    return joined(np.add.outer(starts, np.arange(n_spikes) / burst_hz))


def joined(times: FloatArray) -> FloatArray:
    return np.sort(times, axis=None)


def jitter_s(n: int, jitter_ms: float, rng: np.random.Generator | None) -> FloatArray:
    if jitter_ms == 0.0:
        return np.zeros(n)
    if not 0.0 < jitter_ms < np.inf or rng is None:
        raise SettingsError(
            "jitter needs an SD above 0 and a random number generator", got=f"jitter_ms {jitter_ms}, rng {rng}"
        )
    return rng.normal(0.0, jitter_ms, n)


def rows(n: int | str, n_repeats: int) -> str:
    return f"{n_repeats} × {n}" if n_repeats > 1 else f"{n}"


def check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0.0 < value < np.inf:
            raise SettingsError(f"{name} is not possible", got=str(value), wanted="a number above 0")


def check_finite(**values: float) -> None:
    for name, value in values.items():
        if not np.isfinite(value):
            raise SettingsError(f"{name} is not possible", got=str(value), wanted="a number of ms")


def check_counts(**values: int) -> None:
    for name, value in values.items():
        if value < 1 or value != int(value):
            raise SettingsError(f"{name} is not possible", got=str(value), wanted="a whole number from 1 on")
