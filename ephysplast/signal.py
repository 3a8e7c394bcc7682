"""What is read off a trace: means, crossings, rise and decay, spikes. Arrays in, arrays out.

Traces are ``[..., sample]`` on one uniform time axis ``time_s``. A trace with a NaN where it is read gives NaN, and
never a warning.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ephysplast._spikes import SpikeCriteria, spike_times, spikes_in_rows
from ephysplast.recording import FloatArray, IntArray

__all__ = [
    "Rise",
    "SpikeCriteria",
    "crossing",
    "decay_tau_ms",
    "mean_over",
    "rise",
    "robust_sd",
    "running_mean",
    "spike_times",
    "spikes_in_rows",
]

_GRID: Final = 25
_FINEST: Final = 0.02  # in log τ: the last grid's points lie 0.1 % apart
_GAUSSIAN_MAD: Final = 1.4826  # the SD of a Gaussian is so many times its median absolute deviation


def mean_over(traces: FloatArray, axis: int = 0) -> FloatArray:
    """Return the mean over sweeps, leaving out NaN; NaN where there is nothing, without a warning.

    Examples
    --------
    >>> mean_over(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    known = np.isfinite(traces)
    count = known.sum(axis=axis)
    total = np.where(known, traces, 0.0).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(np.shape(total), np.nan), where=count > 0))


def robust_sd(values: ArrayLike) -> float:
    """Return 1.4826 × the median absolute deviation: the SD, deaf to outliers. NaN without a number.

    Examples
    --------
    >>> round(robust_sd([1.0, 2.0, 3.0, 4.0, 1000.0]), 4)
    1.4826
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size:
        return float("nan")
    return float(_GAUSSIAN_MAD * np.median(np.abs(known - np.median(known))))


def running_mean(traces: FloatArray, n_samples: int) -> FloatArray:
    """Smooth with a centred boxcar of an odd number of samples; the ends use what there is, NaN spoils its window.

    Examples
    --------
    >>> running_mean(np.array([0.0, 3.0, 0.0, 0.0]), 3).tolist()
    [1.5, 1.0, 1.0, 0.0]
    """
    half = max(int(n_samples), 1) // 2
    if half == 0:
        return np.array(traces, dtype=np.float64)
    at = np.arange(traces.shape[-1])
    first, last = np.maximum(at - half, 0), np.minimum(at + half + 1, traces.shape[-1])
    missing = np.isnan(traces)
    if missing.any():
        spoilt = _sum_between(missing.astype(np.float64), first, last) > 0
        return np.where(spoilt, np.nan, running_mean(np.where(missing, 0.0, traces), n_samples))
    # Without its first value a trace of −70 mV would lose digits in the running sum.
    offset = traces[..., :1]
    return np.asarray(_sum_between(traces - offset, first, last) / (last - first) + offset)


def _sum_between(traces: FloatArray, first: IntArray, last: IntArray) -> FloatArray:
    total = np.concatenate([np.zeros_like(traces[..., :1]), np.cumsum(traces, axis=-1)], axis=-1)
    return np.asarray(total[..., last] - total[..., first])


def crossing(traces: FloatArray, time_s: FloatArray, level: ArrayLike, peak: ArrayLike, *, before: bool) -> FloatArray:
    """Return when each trace crosses a level nearest to its peak, on one side of it, interpolated between samples.

    Parameters
    ----------
    traces : numpy.ndarray, shape (..., n_samples)
        Upward-going (multiply by the polarity first).
    time_s : numpy.ndarray, shape (n_samples,)
        Uniform.
    level, peak : numpy.ndarray, shape (...)
        The level to cross, and the index of the peak.
    before : bool
        Look backwards from the peak (rise) or forwards (decay).

    Returns
    -------
    numpy.ndarray, shape (...)
        NaN where the level is not crossed.

    Examples
    --------
    >>> trace, time_s = np.array([0.0, 0.0, 4.0, 10.0, 5.0, 0.0]), np.arange(6) / 1e3
    >>> rise = crossing(trace, time_s, 2.0, 3, before=True)
    >>> fall = crossing(trace, time_s, 2.0, 3, before=False)
    >>> round(float(rise), 6), round(float(fall), 6)
    (0.0015, 0.0046)
    """
    index = np.arange(len(time_s))
    top, wanted = np.asarray(peak)[..., None], np.asarray(level, dtype=np.float64)[..., None]
    below = (traces < wanted) & ((index < top) if before else (index > top))
    found = below.any(axis=-1, keepdims=True)
    if before:
        left = len(time_s) - 1 - np.argmax(below[..., ::-1], axis=-1)[..., None]
    else:
        left = np.argmax(below, axis=-1)[..., None] - 1
    left = np.clip(left, 0, len(time_s) - 2)
    low, high = np.take_along_axis(traces, left, axis=-1), np.take_along_axis(traces, left + 1, axis=-1)
    step = np.where(high == low, 1.0, high - low)
    at = time_s[left] + np.clip((wanted - low) / step, 0.0, 1.0) * (time_s[left + 1] - time_s[left])
    return np.asarray(np.where(found & np.isfinite(high + low), at, np.nan)[..., 0])


@dataclass(frozen=True, eq=False, kw_only=True)
class Rise:
    """The rising phase and width of some responses; NaN where the trace does not show them.

    Attributes
    ----------
    onset_s : numpy.ndarray
        Where the line through the 20 % and 80 % points meets the baseline.
    rise_ms : numpy.ndarray
        From 20 to 80 %.
    half_width_ms : numpy.ndarray
        From 50 % before the peak to 50 % after it.
    """

    onset_s: FloatArray
    rise_ms: FloatArray
    half_width_ms: FloatArray


def rise(traces: FloatArray, time_s: FloatArray, peak: ArrayLike, height: ArrayLike) -> Rise:
    """Measure onset, 20–80 % rise and half-width of upward-going responses on a baseline of zero.

    Parameters
    ----------
    traces, time_s, peak
        As in :func:`crossing`.
    height : numpy.ndarray, shape (...)
        The amplitude that counts as 100 %.

    Examples
    --------
    >>> ramp = np.concatenate([np.zeros(5), np.linspace(0.0, 1.0, 11), np.linspace(0.9, 0.0, 10)])
    >>> shape = rise(ramp, np.arange(26) / 1e3, 15, 1.0)
    >>> round(float(shape.onset_s), 6), round(float(shape.rise_ms), 6), round(float(shape.half_width_ms), 6)
    (0.005, 6.0, 10.0)
    """
    full = np.asarray(height, dtype=np.float64)
    low = crossing(traces, time_s, 0.2 * full, peak, before=True)
    high = crossing(traces, time_s, 0.8 * full, peak, before=True)
    half = crossing(traces, time_s, 0.5 * full, peak, before=True)
    fall = crossing(traces, time_s, 0.5 * full, peak, before=False)
    return Rise(onset_s=low - (high - low) / 3.0, rise_ms=(high - low) * 1e3, half_width_ms=(fall - half) * 1e3)


def decay_tau_ms(decay: FloatArray, rate_hz: float) -> float:
    """Fit one or two exponentials that end at zero, and return the amplitude-weighted time constant.

    τ = (A₁τ₁ + A₂τ₂)/(A₁ + A₂). The second exponential is kept when the Bayesian information criterion asks for it
    and both amplitudes have the sign of the response and at least 5 % of it, and neither is slower than twice the
    stretch.

    Parameters
    ----------
    decay : numpy.ndarray, shape (n_samples,)
        From near the peak on, baseline at zero.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    float
        NaN when there are fewer than 8 samples, a NaN, or nothing that decays within ten times the stretch.

    Examples
    --------
    >>> round(decay_tau_ms(5.0 * np.exp(-np.arange(400) / 10e3 / 0.008), 10e3), 3)
    8.0
    """
    if len(decay) < 8 or not np.isfinite(decay).all() or not np.any(decay):
        return float("nan")
    # Means of equal blocks decay with the same time constants.
    block = max(len(decay) // 200, 1)
    means = decay[: len(decay) // block * block].reshape(-1, block).mean(axis=1)
    at_ms = np.arange(len(means)) * block / rate_hz * 1e3
    longest = float(np.log(10.0 * at_ms[-1]))
    log_tau, weights, error = _best_two(means, at_ms, float(np.log(2.0 * at_ms[-1])))
    one_tau, one_error = _best_one(means, at_ms, longest)
    better = len(means) * np.log(max(one_error, 1e-300) / max(error, 1e-300)) > 2 * np.log(len(means))
    # The mean of a block is smaller than its first sample, the more so the faster the exponential.
    weights = weights / np.exp(-np.arange(block)[:, None] / rate_hz * 1e3 / np.exp(log_tau)).mean(axis=0)
    share = weights / weights.sum() if weights.sum() else np.zeros(2)
    if better and (share > 0.05).all():
        return float(share @ np.exp(log_tau))
    return float(np.exp(one_tau)) if one_tau < longest - 0.01 else float("nan")


def _best_one(decay: FloatArray, at_ms: FloatArray, longest: float) -> tuple[float, float]:
    """Return log τ of one exponential and its squared error: a grid, then finer grids around its best point."""
    low, high = float(np.log(0.5 * at_ms[1])), longest
    error = np.inf
    while True:
        grid = np.linspace(low, high, _GRID)
        shapes = np.exp(-at_ms / np.exp(grid)[:, None])
        errors = decay @ decay - (shapes @ decay) ** 2 / (shapes**2).sum(axis=1)
        best, error = int(np.argmin(errors)), float(errors.min())
        if high - low < _FINEST:
            return float(grid[best]), error
        low, high = _around(grid, best)


def _best_two(decay: FloatArray, at_ms: FloatArray, longest: float) -> tuple[FloatArray, FloatArray, float]:
    """Return log τ and amplitudes of two exponentials and their squared error, amplitudes solved at each grid point."""
    ends = np.array([[np.log(0.5 * at_ms[1]), longest]] * 2)
    while True:
        grids = [np.linspace(low, high, _GRID) for low, high in ends]
        first, second = (np.exp(-at_ms / np.exp(grid)[:, None]) for grid in grids)
        a, b, c = (first**2).sum(axis=1)[:, None], first @ second.T, (second**2).sum(axis=1)[None, :]
        u, v = (first @ decay)[:, None], (second @ decay)[None, :]
        # Of each pair the shorter comes first; nearly equal ones cannot be told apart.
        apart = (grids[1][None, :] - grids[0][:, None] > 0.1) & (a * c - b * b > 1e-9 * a * c)
        det = np.where(apart, a * c - b * b, 1.0)
        weights = np.stack([(c * u - b * v) / det, (a * v - b * u) / det])
        errors = np.where(apart, decay @ decay - weights[0] * u - weights[1] * v, np.inf)
        i, j = np.unravel_index(int(np.argmin(errors)), errors.shape)
        if (ends[:, 1] - ends[:, 0] < _FINEST).all() or not apart.any():
            return np.array([grids[0][i], grids[1][j]]), weights[:, i, j], float(errors[i, j])
        ends = np.stack([_around(grids[0], int(i)), _around(grids[1], int(j))])


def _around(grid: FloatArray, best: int) -> FloatArray:
    return grid[[max(best - 1, 0), min(best + 1, _GRID - 1)]]
