"""The shape of a response to a current step: rest, steady deflection, sag, time constant; and its drawing."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import FloatArray, IntArray, Trace
from ephysplast.signal import running_mean

_NAN: Final = float("nan")
_POINTS: Final = 120  # block means that one time constant is fitted to
_GRID: Final = 25
_FINEST: Final = 0.004  # in log τ: the last grid's points lie 0.02 % apart
_REACHED: Final = 0.95  # of the peak: the membrane charges until there, and sag shows later

# Filters and electrode capacitance have settled; a transient, or dendrites that charge fast, tell the two apart.
JUMP_S: Final = (0.5e-3, 1.5e-3)
LATE_JUMP_S: Final = (1e-3, 2e-3)
_MEDIANS: Final = 10
_BEFORE_S: Final = (-2.2e-3, -0.2e-3)

BoolArray = NDArray[np.bool_]


class Rows(NamedTuple):
    """Membrane potential around the step of each sweep, NaN outside the sweep.

    Attributes
    ----------
    mv : numpy.ndarray, shape (n_sweeps, n_samples)
        Potential.
    zero : int
        The sample at which the step starts.
    length : numpy.ndarray of int64, shape (n_sweeps,)
        Samples of the step.
    rate_hz : float
        Sampling rate.
    """

    mv: FloatArray
    zero: int
    length: IntArray
    rate_hz: float

    @property
    def after(self) -> IntArray:
        """Samples from the step's start, shape (n_samples,)."""
        return np.arange(self.mv.shape[1], dtype=np.int64) - self.zero


def read_rows(trace: Trace, sweeps: IntArray, first: IntArray, n_samples: int) -> FloatArray:
    """Read `n_samples` from sample ``first[i]`` of each sweep; NaN where the sweep does not reach, or first is < 0."""
    rows = np.full((sweeps.size, max(n_samples, 0)), _NAN)
    rate, lengths = trace.rate_hz, trace.lengths[sweeps]
    inside = (first >= 0) & (first + n_samples <= lengths)
    if inside.any() and n_samples > 0:
        rows[inside] = trace.aligned(first[inside] / rate, 0.0, n_samples / rate, sweeps[inside])
    for i in np.flatnonzero(~inside):
        start, stop = max(int(first[i]), 0), min(int(first[i]) + n_samples, int(lengths[i]))
        if stop > start:
            at = start - int(first[i])
            rows[i, at : at + stop - start] = trace.window(start / rate, stop / rate, sweeps[i : i + 1])[0]
    return rows


def mean_between(rows: FloatArray, index: IntArray, first: FloatArray, stop: FloatArray) -> FloatArray:
    """Mean of each row over the samples from its `first` to before its `stop`; NaN where there is none."""
    inside = (index >= first[:, None]) & (index < stop[:, None]) & np.isfinite(rows)
    count = inside.sum(axis=1)
    total = np.where(inside, rows, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(count.shape, _NAN), where=count > 0))


def median_of(rows: FloatArray) -> FloatArray:
    """Median of each row without its NaN; NaN where there is nothing."""
    answer = np.full(len(rows), _NAN)
    for i, row in enumerate(rows):
        known = row[np.isfinite(row)]
        if known.size:
            answer[i] = np.median(known)
    return answer


def peak_deflection(rows: Rows, rest: FloatArray, smooth_ms: float) -> tuple[FloatArray, FloatArray]:
    """Return the smoothed rows minus rest, and each row's most negative value within the step."""
    smooth = running_mean(rows.mv, round(smooth_ms * 1e-3 * rows.rate_hz)) - rest[:, None]
    half = round(0.5 * smooth_ms * 1e-3 * rows.rate_hz)
    # The boxcar must not reach beyond the step's ends.
    inside = (rows.after >= half) & (rows.after < (rows.length - half)[:, None])
    lowest = np.where(inside & np.isfinite(smooth), smooth, np.inf).min(axis=1, initial=np.inf)
    return smooth, np.where(np.isfinite(lowest), lowest, _NAN)


def noise_of(rows: Rows, smooth: FloatArray, usable: BoolArray, smooth_ms: float) -> FloatArray:
    """Return how far the smoothed potential dips below its own course in the second half of usable steps.

    The course is a parabola through ten medians, which neither a synaptic potential nor an artefact bends.
    """
    answer = np.full(usable.size, _NAN)
    half = round(0.5 * smooth_ms * 1e-3 * rows.rate_hz)
    for i in np.flatnonzero(usable):
        n = int(rows.length[i])
        late = smooth[i, rows.zero + n // 2 : rows.zero + n - half]
        if late.size >= 2 * _MEDIANS and np.isfinite(late).all():
            width = late.size // _MEDIANS
            medians = np.median(late[: width * _MEDIANS].reshape(_MEDIANS, width), axis=1)
            x = (np.arange(_MEDIANS) + 0.5) * width
            course = np.polyval(np.polyfit(x / late.size, medians, 2), np.arange(late.size) / late.size)
            answer[i] = max(-float((late - course).min()), 0.0)
    return answer


def jump_of(rows: Rows, window_s: tuple[float, float]) -> FloatArray:
    """Return the jump at sample zero of each row: the line through what follows, at zero, minus what was before."""
    rate = rows.rate_hz
    before = mean_between(rows.mv, rows.after, *(np.full(len(rows.mv), at * rate) for at in _BEFORE_S))
    at = np.arange(round(window_s[0] * rate), round(window_s[1] * rate) + 1)
    if at.size < 3 or rows.zero + int(at[-1]) >= rows.mv.shape[1]:
        return np.full(len(rows.mv), _NAN)
    after, x = rows.mv[:, rows.zero + at], at - at.mean()
    return np.asarray(after.mean(axis=1) - after @ x / float(x @ x) * at.mean() - before)


def sag_of(peak: FloatArray, steady: FloatArray, usable: BoolArray) -> FloatArray:
    """(peak − steady)/(peak − rest) of usable rows, both relative to rest."""
    answer = np.full(peak.size, _NAN)
    np.divide(peak - steady, peak, out=answer, where=usable)
    return answer


def tau_of(rows: Rows, smooth: FloatArray, peak: FloatArray, usable: BoolArray, bridge_ms: float) -> FloatArray:
    """Fit one exponential with a free end to the charging of each usable row, in ms; NaN where there is none."""
    answer = np.full(peak.size, _NAN)
    skip = rows.zero + round(bridge_ms * 1e-3 * rows.rate_hz)
    for i in np.flatnonzero(usable):
        charged = np.flatnonzero(smooth[i, skip : rows.zero + int(rows.length[i])] <= _REACHED * peak[i])
        n = int(charged[0]) if charged.size else 0
        if n >= 10:
            answer[i] = _exponential(rows.mv[i, skip : skip + n], rows.rate_hz)
    return answer


def _exponential(row: FloatArray, rate_hz: float) -> float:
    """τ of ``a + b exp(−t/τ)``: a and b in closed form at each τ of a grid, then of finer grids around the best."""
    if not np.isfinite(row).all():
        return _NAN
    block = max(row.size // _POINTS, 1)
    means = row[: row.size // block * block].reshape(-1, block).mean(axis=1)
    at_ms = np.arange(means.size) * block / rate_hz * 1e3
    centred = means - means.mean()
    low, high = float(np.log(2.0 * at_ms[1])), float(np.log(3.0 * at_ms[-1]))
    if high <= low:
        return _NAN
    bounds = low, high
    while True:
        grid = np.linspace(low, high, _GRID)
        shapes = np.exp(-at_ms / np.exp(grid)[:, None])
        shapes -= shapes.mean(axis=1, keepdims=True)
        gained = (shapes @ centred) ** 2 / (shapes**2).sum(axis=1)
        best = int(np.argmax(gained))
        if high - low < _FINEST:
            break
        low, high = grid[max(best - 1, 0)], grid[min(best + 1, _GRID - 1)]
    at_edge = grid[best] - bounds[0] < 0.01 or bounds[1] - grid[best] < 0.01
    return _NAN if at_edge else float(np.exp(grid[best]))


def thinned(rows: Rows, n_drawn: int) -> tuple[FloatArray, FloatArray]:
    """Thin rows to about `n_drawn` samples: minimum and maximum of each bin, in turn; times from the step's start."""
    n = rows.mv.shape[1]
    if n <= n_drawn:
        return rows.mv.copy(), rows.after / rows.rate_hz
    width = -(-n // max(n_drawn // 2, 1))
    n_bins = n // width
    bins = rows.mv[:, : n_bins * width].reshape(len(rows.mv), n_bins, width)
    drawn = np.stack([bins.min(axis=2), bins.max(axis=2)], axis=2).reshape(len(rows.mv), 2 * n_bins)
    starts = (np.arange(n_bins) * width - rows.zero) / rows.rate_hz
    time_s = np.stack([starts, starts + 0.5 * width / rows.rate_hz], axis=1).reshape(-1)
    return np.asarray(drawn), time_s
