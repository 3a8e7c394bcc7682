"""What an electrode sees: synaptic responses, spikes, stimulus artefacts and spontaneous events."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.synthesis.circuit import Cell, ExponentialSum, current_step, pulse_response


def double_exponential(*, rise_ms: float, decay_ms: float) -> ExponentialSum:
    """Return a synaptic current of unit peak, ``∝ exp(−t/decay) − exp(−t/rise)``.

    Parameters
    ----------
    rise_ms, decay_ms : float
        Time constants; the peak is at ``rise·decay/(decay − rise)·ln(decay/rise)``.

    Raises
    ------
    SettingsError
        Unless 0 < rise < decay.

    Examples
    --------
    >>> shape = double_exponential(rise_ms=1.0, decay_ms=2.0)
    >>> round(float(shape(2e-3 * np.log(2.0))), 12)
    1.0
    """
    if not 0.0 < rise_ms < decay_ms:
        raise SettingsError(
            "the response's time constants are impossible",
            got=f"rise {rise_ms} ms, decay {decay_ms} ms",
            wanted="0 < rise < decay",
        )
    at_ms = rise_ms * decay_ms / (decay_ms - rise_ms) * np.log(decay_ms / rise_ms)
    peak = np.exp(-at_ms / decay_ms) - np.exp(-at_ms / rise_ms)
    return ExponentialSum(np.array([1.0, -1.0]) / peak, np.array([decay_ms, rise_ms]) * 1e-3)


def postsynaptic_current(
    conductance: ExponentialSum, cell: Cell, *, rs_mohm: ArrayLike, reference_rs_mohm: float
) -> ExponentialSum:
    """Return a synaptic current as the pipette sees it, of unit peak at the reference series resistance.

    The series resistance and the membrane capacitance filter it (:meth:`Cell.clamp_tau_s`) and take away the share
    ``R_s/(R_s+R_m)``; then comes the amplifier's filter. A pipette that clogs makes the same synapse look weaker.

    Parameters
    ----------
    conductance : ExponentialSum
        The current at the synapse.
    cell : Cell
        The cell.
    rs_mohm : float or array_like, shape (n_sweeps,)
        Series resistance.
    reference_rs_mohm : float
        Where the recorded peak is 1, so that a quantal amplitude means what is recorded there.
    """
    rs = np.asarray(rs_mohm, dtype=np.float64)
    rs = rs if rs.ndim == 0 else rs.reshape(-1, 1)
    return _through_pipette(conductance, cell, rs).scaled(
        1.0 / _through_pipette(conductance, cell, np.asarray(reference_rs_mohm)).peak()
    )


def _through_pipette(current: ExponentialSum, cell: Cell, rs: FloatArray) -> ExponentialSum:
    seen = current.filtered(cell.clamp_tau_s(rs)).scaled(cell.rm_mohm / (rs + cell.rm_mohm))
    return seen.filtered(cell.filter_tau_s)


def postsynaptic_potential(conductance: ExponentialSum, cell: Cell) -> ExponentialSum:
    """Return the potential a synaptic current makes in current clamp (membrane and amplifier filter), of unit peak."""
    seen = conductance.filtered(cell.membrane_tau_s).filtered(cell.filter_tau_s)
    return seen.scaled(1.0 / seen.peak())


def add_responses(
    time_s: FloatArray, *, onset_s: FloatArray, amplitude: FloatArray, shape: ExponentialSum
) -> FloatArray:
    """Sum the responses of every sweep.

    Parameters
    ----------
    time_s : numpy.ndarray, shape (n_samples,)
        From the start of the sweep.
    onset_s, amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        Signed amplitudes; an onset that is NaN adds nothing.
    shape : ExponentialSum
        Of unit peak.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps, n_samples)
    """
    total = np.zeros((len(onset_s), len(time_s)))
    for onset, size in zip(onset_s.T, np.where(np.isfinite(onset_s), amplitude, 0.0).T, strict=True):
        started = np.where(np.isfinite(onset), onset, np.inf)
        total += size[:, np.newaxis] * shape(time_s - started[:, np.newaxis])
    return total


@dataclass(frozen=True, kw_only=True)
class SpikeShape:
    """An action potential about its peak: a narrow rise, a wider fall, and a slow after-hyperpolarisation.

    Attributes
    ----------
    height_mv : float
        From the potential at which it starts.
    rise_ms, fall_ms : float
        SD of the two half-Gaussians; the half-width is ``1.177·(rise + fall)``.
    ahp_mv, ahp_ms : float
        Depth of the after-hyperpolarisation, and how fast it fades.
    """

    height_mv: float = 95.0
    rise_ms: float = 0.2
    fall_ms: float = 0.45
    ahp_mv: float = 6.0
    ahp_ms: float = 15.0

    def __call__(self, time_s: FloatArray) -> FloatArray:
        """Evaluate in mV at times from the peak, in s; the shape of `time_s`."""
        ms = time_s * 1e3
        width = np.where(ms < 0.0, self.rise_ms, self.fall_ms)
        since = np.maximum(ms, 0.0)
        fading = (1.0 - np.exp(-since / (2.0 * self.fall_ms))) * np.exp(-since / self.ahp_ms)
        return np.asarray(self.height_mv * np.exp(-0.5 * (ms / width) ** 2) - self.ahp_mv * fading)


def fired_trace(
    time_s: FloatArray,
    *,
    spike_s: FloatArray,
    pulse_s: ArrayLike,
    pulse_ms: float,
    pulse_pa: float,
    cell: Cell,
    spike: SpikeShape,
) -> FloatArray:
    """Return the potential of a cell that brief current pulses make fire, without noise.

    Parameters
    ----------
    time_s : numpy.ndarray, shape (n_samples,)
        From the start of the sweep.
    spike_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        Time of each spike's peak; NaN where the pulse failed to make one.
    pulse_s : array_like, shape (n_pulses,)
        When the pulses start.
    pulse_ms, pulse_pa : float
        Their length and strength.
    cell : Cell
        Its resting potential, resistance and capacitance.
    spike : SpikeShape
        Shape of the action potential.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps, n_samples)
        In mV.
    """
    total = np.full((len(spike_s), len(time_s)), cell.rest_mv)
    step = current_step(pulse_pa, cell)
    for start_s, peak in zip(np.asarray(pulse_s, dtype=np.float64), spike_s.T, strict=True):
        charging = pulse_response(step, time_s, start_s=start_s, stop_s=start_s + pulse_ms * 1e-3)
        since = time_s - np.where(np.isfinite(peak), peak, np.inf)[:, np.newaxis]
        # A spike opens conductances that discharge the membrane within its own width.
        total += charging * np.exp(-np.maximum(since, 0.0) / (spike.fall_ms * 1e-3))
        total += np.where(np.isfinite(since), spike(np.maximum(since, -1.0)), 0.0)
    return total


def stimulus_artefact(
    time_s: FloatArray, *, at_s: ArrayLike, size: float, first_ms: float = 0.08, second_ms: float = 0.25
) -> FloatArray:
    """Return the biphasic artefact of extracellular stimuli, shape (n_samples,).

    A sharp deflection of `size` at each time and an opposite, slower one: ``1.5·exp(−t/first) − 0.5·exp(−t/second)``.
    """
    shape = ExponentialSum(np.array([1.5, -0.5]) * size, np.array([first_ms, second_ms]) * 1e-3)
    times = np.asarray(at_s, dtype=np.float64).reshape(-1)
    return np.sum([shape(time_s - at) for at in times], axis=0) if times.size else np.zeros(len(time_s))


def spontaneous_events(
    time_s: FloatArray,
    *,
    n_sweeps: int,
    rate_hz: float,
    amplitude: float,
    cv: float,
    shape: ExponentialSum,
    rng: np.random.Generator,
) -> FloatArray:
    """Return spontaneous synaptic events: Poisson in time, gamma in size.

    Parameters
    ----------
    time_s : numpy.ndarray, shape (n_samples,)
        From the start of the sweep.
    n_sweeps : int
        How many sweeps.
    rate_hz : float
        Events per second.
    amplitude : float
        Their mean, signed.
    cv : float
        SD / mean of their amplitudes.
    shape : ExponentialSum
        Of unit peak.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps, n_samples)
    """
    step_s = float(time_s[1] - time_s[0])
    length_s = len(time_s) * step_s
    counts = rng.poisson(rate_hz * length_s, n_sweeps)
    onset = np.full((n_sweeps, int(counts.max(initial=0))), np.nan)
    slots = np.arange(onset.shape[1]) < counts[:, np.newaxis]
    onset[slots] = time_s[0] + length_s * rng.random(int(counts.sum()))
    size = np.zeros_like(onset)
    size[slots] = amplitude * rng.standard_gamma(1.0 / cv**2, int(counts.sum())) * cv**2
    return add_responses(time_s, onset_s=onset, amplitude=size, shape=shape)
