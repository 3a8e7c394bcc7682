"""Threshold, peak, width, slopes and after-hyperpolarisations of all spikes at once."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast._spikes import FoundSpikes
from ephysplast.recording import FloatArray, IntArray

if TYPE_CHECKING:
    from ephysplast.analysers.spikes import SpikeConfig

BLOCK_S: Final = 0.5e-3
"""Slow after-hyperpolarisations and plateaus are read off means of so much time."""

_SLOPE_HALF_S: Final = 0.05e-3
_TROUGH_HALF_S: Final = 0.05e-3  # three samples at 20 kHz: less noise in the minimum, and no trough is that sharp
BoolArray = NDArray[np.bool_]


class Rows(NamedTuple):
    """Stretches of some sweeps around the windows that are looked at.

    Attributes
    ----------
    mv : numpy.ndarray, shape (n_rows, n_samples)
        Membrane potential, NaN beyond what was read.
    begin : int
        First sample of the window.
    end : numpy.ndarray of int64, shape (n_rows,)
        The first after it.
    rate_hz : float
        Sampling rate.
    """

    mv: FloatArray
    begin: int
    end: IntArray
    rate_hz: float


class SpikeShapes(NamedTuple):
    """Features of spikes, each shape (n_spikes,); times in samples from the row's first, potentials in mV."""

    threshold: FloatArray
    threshold_mv: FloatArray
    peak: FloatArray
    peak_mv: FloatArray
    half_width: FloatArray
    rise_mv_per_ms: FloatArray
    fall_mv_per_ms: FloatArray
    fast_ahp_mv: FloatArray
    slow_ahp_mv: FloatArray


class _Around(NamedTuple):
    """One stretch around the peak of every spike; column `peak` is the highest sample."""

    mv: FloatArray
    slope: FloatArray
    peak: int
    steepest: IntArray


def spike_shapes(rows: Rows, found: FoundSpikes, config: "SpikeConfig") -> SpikeShapes:
    """Measure the shape of every spike.

    Parameters
    ----------
    rows : Rows
        Where the spikes are.
    found : FoundSpikes
        The spikes.
    config : SpikeConfig
        Definitions.

    Returns
    -------
    SpikeShapes
        NaN where one cannot be measured.
    """
    around, n_after = _gather(rows, found, config)
    wanted = _wanted_slope(around, found.row, config)
    threshold, threshold_mv = _threshold(around, wanted)
    peak, peak_mv = _summit(around)
    # From columns to samples of the row.
    origin = found.peak - around.peak
    ends = _ends(rows, found, threshold + origin)
    to_next = ends.next_spike - origin
    half_width, fallen = _half_width(around, 0.5 * (threshold_mv + peak_mv), to_next)
    rise, fall = _fastest(around, threshold, fallen)
    trough_mv = _fast_trough(around, rows, ends, origin, min(_samples(config.fast_ahp_ms, rows.rate_hz), n_after))
    return SpikeShapes(
        threshold=threshold + origin,
        threshold_mv=threshold_mv,
        peak=peak + origin,
        peak_mv=peak_mv,
        half_width=half_width,
        rise_mv_per_ms=rise,
        fall_mv_per_ms=fall,
        fast_ahp_mv=threshold_mv - trough_mv,
        slow_ahp_mv=threshold_mv - _slow_trough(rows, found, ends, config),
    )


def block_means(mv: FloatArray, n_samples: int) -> FloatArray:
    """Return the means of neighbouring blocks of samples, shape (n_rows, n_blocks); a remainder is left out."""
    n_blocks = mv.shape[1] // n_samples
    whole = mv[:, : n_blocks * n_samples].reshape(len(mv), n_blocks, n_samples)
    return np.asarray(np.einsum("rbs->rb", whole) / n_samples)


def _samples(duration_ms: float, rate_hz: float) -> int:
    return max(round(duration_ms * rate_hz / 1e3), 2)


def _gather(rows: Rows, found: FoundSpikes, config: "SpikeConfig") -> tuple[_Around, int]:
    """Cut one stretch per spike, from well before the upstroke to the end of the fast after-hyperpolarisation."""
    half = max(round(_SLOPE_HALF_S * rows.rate_hz), 1)
    # An upstroke may be followed for twice its longest time, and the threshold lies before the slope is exceeded.
    before = 3 * _samples(config.upstroke_ms, rows.rate_hz) + half
    n_after = max(_samples(config.fall_ms, rows.rate_hz), _samples(config.fast_ahp_ms, rows.rate_hz))
    at = found.peak[:, None] + np.arange(-before, n_after + half + 1)
    there = (at >= 0) & (at < rows.mv.shape[1])
    mv = np.where(there, rows.mv[found.row[:, None], np.clip(at, 0, rows.mv.shape[1] - 1)], np.nan)
    slope = np.full_like(mv, np.nan)
    slope[:, half:-half] = (mv[:, 2 * half :] - mv[:, : -2 * half]) * (rows.rate_hz / 1e3 / (2 * half))
    column = np.arange(mv.shape[1])
    rising = (column >= (found.start - found.peak)[:, None] + before) & (column <= before) & np.isfinite(slope)
    steepest = np.argmax(np.where(rising, slope, -np.inf), axis=1)
    return _Around(mv, slope, before, steepest), n_after


def _wanted_slope(around: _Around, row: IntArray, config: "SpikeConfig") -> FloatArray:
    """Return the slope that defines the threshold of each spike."""
    if config.threshold_by == "slope":
        return np.full(len(row), config.threshold_mv_per_ms)
    largest = around.slope[np.arange(len(row)), around.steepest]
    _, which, count = np.unique(row, return_inverse=True, return_counts=True)
    return np.asarray(config.threshold_fraction * (np.bincount(which, largest) / count)[which])


def _threshold(around: _Around, wanted: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return column and potential where the slope passes `wanted` for the last time before the steepest rise."""
    column = np.arange(around.mv.shape[1])
    each = np.arange(len(wanted))
    below = (around.slope < wanted[:, None]) & (column < around.steepest[:, None])
    last = np.minimum(_last(below), around.mv.shape[1] - 2)
    low, high = around.slope[each, last], around.slope[each, last + 1]
    known = below.any(axis=1) & (high >= wanted)
    gone = np.divide(wanted - low, high - low, out=np.full(len(wanted), np.nan), where=known)
    start, stop = around.mv[each, last], around.mv[each, last + 1]
    return last + gone, start + gone * (stop - start)


def _summit(around: _Around) -> tuple[FloatArray, FloatArray]:
    """Return the top of a parabola through the highest sample and its neighbours."""
    left, top, right = (around.mv[:, around.peak + step] for step in (-1, 0, 1))
    bend = left - 2.0 * top + right
    shift = np.divide(0.5 * (left - right), bend, out=np.zeros(len(top)), where=bend < 0.0)
    shift = np.clip(shift, -0.5, 0.5)
    return around.peak + shift, top - 0.25 * (left - right) * shift


def _half_width(around: _Around, level: FloatArray, to_next: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the width at `level` in samples, and the column where the spike has fallen to it."""
    column = np.arange(around.mv.shape[1])
    each = np.arange(len(level))
    under = around.mv <= level[:, None]
    rising, falling = under & (column < around.peak), under & (column > around.peak)
    before, after = _last(rising), np.argmax(falling, axis=1)
    up = before + _gone(around.mv[each, before], around.mv[each, before + 1], level)
    down = after - _gone(around.mv[each, after], around.mv[each, np.maximum(after - 1, 0)], level)
    known = rising.any(axis=1) & falling.any(axis=1) & ~(down > to_next)
    return np.where(known, down - up, np.nan), np.where(known, down, np.nan)


def _gone(low: FloatArray, high: FloatArray, level: FloatArray) -> FloatArray:
    return np.asarray(np.divide(level - low, high - low, out=np.full(len(level), np.nan), where=high > low))


def _fastest(around: _Around, threshold: FloatArray, fallen: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the largest slope up to the peak, and the fastest fall until as long again after half of it is done."""
    column = np.arange(around.mv.shape[1])
    rise = around.slope[np.arange(len(threshold)), around.steepest]
    until = around.peak + 2.0 * (fallen - around.peak)
    falling = (column >= around.peak) & (column <= until[:, None]) & np.isfinite(around.slope)
    fall = -np.where(falling, around.slope, np.inf).min(axis=1)
    return np.where(np.isfinite(threshold), rise, np.nan), np.where(np.isfinite(fall), fall, np.nan)


class _Ends(NamedTuple):
    """Where the stretch after a spike ends, in samples of its row."""

    next_spike: FloatArray
    window: FloatArray


def _ends(rows: Rows, found: FoundSpikes, threshold: FloatArray) -> _Ends:
    """Return where the next spike of the row begins (infinite after the last), and where the window ends."""
    begins = np.where(np.isfinite(threshold), threshold, found.start)
    next_spike = np.full(len(begins), np.inf)
    same = found.row[1:] == found.row[:-1]
    next_spike[:-1][same] = begins[1:][same]
    return _Ends(next_spike, rows.end[found.row].astype(np.float64))


def _fast_trough(around: _Around, rows: Rows, ends: _Ends, origin: IntArray, n_fast: int) -> FloatArray:
    """Return the lowest potential shortly after the peak; NaN when the window ends before that time is over."""
    half = round(_TROUGH_HALF_S * rows.rate_hz)
    after = around.mv[:, around.peak : around.peak + n_fast + 1]
    width = 2 * half + 1
    n_means = after.shape[1] - 2 * half
    means = sum((after[:, i : i + n_means] for i in range(width)), np.zeros((len(after), n_means))) / width
    # A mean counts when all of it lies before the next spike.
    last = around.peak + np.arange(n_means) + 2 * half + origin[:, None]
    inside = (last < ends.next_spike[:, None]) & (last < ends.window[:, None])
    until = np.minimum(ends.next_spike, around.peak + n_fast + origin)
    known = inside.any(axis=1) & (until <= ends.window)
    return np.where(known, np.where(inside, means, np.inf).min(axis=1), np.nan)


def _slow_trough(rows: Rows, found: FoundSpikes, ends: _Ends, config: "SpikeConfig") -> FloatArray:
    """Return the lowest mean over 0.5 ms from some time after the peak to the next spike, or for so long."""
    n_block = max(round(BLOCK_S * rows.rate_hz), 1)
    means = block_means(rows.mv, n_block)
    start = found.peak + config.slow_ahp_start_ms * rows.rate_hz / 1e3
    full = found.peak + config.slow_ahp_stop_ms * rows.rate_hz / 1e3
    until = np.minimum(ends.next_spike, full)
    known = (until <= ends.window) & (until - start >= config.slow_ahp_shortest_ms * rows.rate_hz / 1e3)
    first = np.ceil(start / n_block).astype(np.int64)
    at = first[:, None] + np.arange(int(np.ceil((full - start).max(initial=1.0) / n_block)))
    inside = (at + 1) * n_block <= until[:, None]
    held = (
        means[found.row[:, None], np.minimum(at, means.shape[1] - 1)] if means.shape[1] else np.full(at.shape, np.nan)
    )
    lowest = np.where(inside & known[:, None], held, np.inf).min(axis=1)
    return np.where(np.isfinite(lowest), lowest, np.nan)


def _last(found: BoolArray) -> IntArray:
    """Return the last column that is true; 0 where none is."""
    last = found.shape[1] - 1 - np.argmax(found[:, ::-1], axis=1)
    return np.asarray(np.where(found.any(axis=1), last, 0), dtype=np.int64)
