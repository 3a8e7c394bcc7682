"""Action potentials, by their slope and height."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray, IntArray

# Slopes over three samples at 20 kHz: noise is a third of that between neighbours, and a spike is slower still.
_SLOPE_HALF_S = 0.05e-3
_FOLLOWED = 4  # times the longest upstroke
_AT_ONCE_S = 0.05e-3
_FINE_HZ = 19.9e3
_COARSEST_HZ = 9.9e3  # below, a whole upstroke fits between two samples
_COARSE_SHARE = 0.97


@dataclass(frozen=True, kw_only=True)
class SpikeCriteria:
    """What counts as an action potential.

    Attributes
    ----------
    slope_mv_per_ms : float
        The upstroke is faster than this, over three samples at 20 kHz: 10. Spikes on the verge of a depolarisation
        block rise at 10–20, half of the usual threshold criterion; postsynaptic potentials stay below 10.
    height_mv : float
        From there to the peak: 15 leaves out noise around 0 mV and the ripples of a depolarisation block, and needs
        no absolute level, which a DC offset would spoil.
    upstroke_ms : float
        Longest time from threshold to peak: 3.
    fall_ms : float
        The potential has fallen by half of the height within this time after the peak: 10. A step that stays up is
        no spike; a block has none.
    width_ms : float
        Narrowest width at half of the height: 0.15. The narrowest action potentials are 0.2 wide; a glitch of one
        sample, and noise however large, are narrower. Below 10 kHz nothing can be told apart by it.
    noise_heights : float
        The height is at least so many times the SD of the sample-to-sample noise of its row: 10.
    at_once_percent : float
        At most so much of the height is risen within 0.05 ms: 80. The fastest action potentials (800 mV/ms) rise by
        60 % of it in that time; stimulus artefacts, steps and the transients of an electrode rise at once, however
        slowly they fall. Below 20 kHz it is one sample and 97 %, for 0.1 ms may hold all of an upstroke but its foot.
    """

    slope_mv_per_ms: float = 10.0
    height_mv: float = 15.0
    upstroke_ms: float = 3.0
    fall_ms: float = 10.0
    width_ms: float = 0.15
    noise_heights: float = 10.0
    at_once_percent: float = 80.0

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not getattr(self, name) > 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="more than 0")


class FoundSpikes(NamedTuple):
    """Where action potentials are in many rows, in samples from the row's first.

    Attributes
    ----------
    row : numpy.ndarray of int64, shape (n_spikes,)
        Ascending.
    start, peak : numpy.ndarray of int64, shape (n_spikes,)
        Where the slope is first exceeded, and the highest sample.
    steepest : numpy.ndarray, shape (n_spikes,)
        Steepest rise, between samples.
    """

    row: IntArray
    start: IntArray
    peak: IntArray
    steepest: FloatArray


def spikes_in_rows(
    rows: FloatArray, rate_hz: float, *, criteria: SpikeCriteria = SpikeCriteria()
) -> tuple[IntArray, FloatArray]:
    """Find the action potentials in many stretches of membrane potential.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n_rows, n_samples)
        Membrane potential in mV; NaN is passed over.
    rate_hz : float
        Sampling rate.
    criteria : SpikeCriteria
        What counts.

    Returns
    -------
    row : numpy.ndarray of int64, shape (n_spikes,)
        In which row each spike lies, ascending.
    time_s : numpy.ndarray, shape (n_spikes,)
        Steepest rise, from the row's first sample, interpolated by a parabola through the three largest slopes.

    Examples
    --------
    >>> spike = np.concatenate([np.full(50, -65.0), [-60, -40, 0, 30, 20, -10, -40, -60], np.full(50, -66.0)])
    >>> row, time_s = spikes_in_rows(spike[None, :], 20e3)
    >>> row.tolist(), np.round(time_s * 1e3, 2).tolist()
    ([0], [2.57])
    """
    found = find_spikes(rows, rate_hz, criteria)
    return found.row, found.steepest / rate_hz


def find_spikes(
    rows: FloatArray, rate_hz: float, criteria: SpikeCriteria, *, blind: Sequence[tuple[IntArray, IntArray]] = ()
) -> FoundSpikes:
    """Find the action potentials in many rows, as :func:`spikes_in_rows` does, with where they start and peak.

    `blind` holds pairs of arrays, shape (n_rows,): no spike starts from the first to before the second sample of a
    row, and one that is under way at the end of that starts there.
    """
    none = np.array([], dtype=np.int64)
    wide = 2 * round(_SLOPE_HALF_S * rate_hz) + 1
    if rows.shape[-1] < max(8, wide + 1):
        return FoundSpikes(none, none, none, np.array([], dtype=np.float64))
    n_up = max(round(criteria.upstroke_ms * rate_hz / 1e3), 2)
    n_fall = max(round(criteria.fall_ms * rate_hz / 1e3), 2)
    row, start = _upstrokes(rows, rate_hz, (wide, n_up), criteria, blind)
    peak = _tops(rows, row, start, n_up)
    width = _half_height_width(rows, row, start, peak, n_fall)
    counts = (width >= criteria.width_ms * rate_hz / 1e3) & ~_at_once(rows, row, start, peak, rate_hz, criteria)
    row, start, peak = row[counts], start[counts], peak[counts]
    counts = rows[row, peak] - rows[row, start] >= criteria.noise_heights * _noise(rows, row)
    row, start, peak = row[counts], start[counts], peak[counts]
    kept = _apart(row, start, peak)
    row, start, peak = row[kept], start[kept], peak[kept]
    return FoundSpikes(row, start, peak, _steepest(rows, row, start, peak, rate_hz))


def spike_times(samples: FloatArray, rate_hz: float, *, criteria: SpikeCriteria = SpikeCriteria()) -> FloatArray:
    """Find the action potentials of one sweep.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n_samples,)
        Membrane potential in mV.
    rate_hz, criteria
        As in :func:`spikes_in_rows`.

    Returns
    -------
    numpy.ndarray, shape (n_spikes,)
        Steepest rise of each spike, in s from the first sample; empty when the cell did not fire.

    Examples
    --------
    >>> spike_times(np.full(1000, -70.0), 20e3)
    array([], dtype=float64)
    """
    return spikes_in_rows(np.asarray(samples, dtype=np.float64)[None, :], rate_hz, criteria=criteria)[1]


def _upstrokes(
    rows: FloatArray,
    rate_hz: float,
    samples: tuple[int, int],
    criteria: SpikeCriteria,
    blind: Sequence[tuple[IntArray, IntArray]],
) -> tuple[IntArray, IntArray]:
    """Return row and sample where the slope is first exceeded and the potential then rises high enough.

    `samples` are those that a slope is read over, and those that an upstroke may last.
    """
    wide, n_up = samples
    steep = rows[:, wide:] - rows[:, :-wide] >= criteria.slope_mv_per_ms * wide * 1e3 / rate_hz
    for begin, end in blind:
        for i in range(len(steep)):
            steep[i, max(int(begin[i]) - wide, 0) : max(int(end[i]), 0)] = False
    steep[:, 1:] &= ~steep[:, :-1].copy()
    row, start = np.nonzero(steep)
    if not row.size:
        return row.astype(np.int64), start.astype(np.int64)
    # The rolling maximum is cheap and leaves few candidates, however noisy the trace.
    highest = maximum_filter1d(np.nan_to_num(rows, nan=-np.inf), n_up + 1, axis=-1, origin=-((n_up + 1) // 2))
    tall = highest[row, start] - rows[row, start] >= criteria.height_mv
    return row[tall].astype(np.int64), start[tall].astype(np.int64)


def _tops(rows: FloatArray, row: IntArray, start: IntArray, n_up: int) -> IntArray:
    """Return the highest sample that each rise leads to."""
    peak = start.copy()
    goes_on = np.arange(len(row))
    # Noise, or the edge of a step, may have crossed the slope ahead of the upstroke: one that goes on is followed.
    for _ in range(_FOLLOWED):
        further = np.argmax(_ahead(rows, row[goes_on], peak[goes_on], n_up + 1), axis=1)
        peak[goes_on] += further
        goes_on = goes_on[further == n_up]
        if not goes_on.size:
            break
    return np.asarray(np.minimum(peak, rows.shape[1] - 1), dtype=np.int64)


def _half_height_width(rows: FloatArray, row: IntArray, start: IntArray, peak: IntArray, n_fall: int) -> FloatArray:
    """Return the width at half of the height, in samples; 0 where the potential does not fall that far in time."""
    if not row.size:
        return np.array([], dtype=np.float64)
    last = rows.shape[1] - 1
    level = 0.5 * (rows[row, start] + rows[row, peak])
    each = np.arange(len(row))
    n_rise = int((peak - start).max())
    behind = rows[row[:, None], np.maximum(peak[:, None] - np.arange(n_rise + 1), 0)] <= level[:, None]
    up = np.where(behind.any(axis=1), np.argmax(behind, axis=1), n_rise)
    after = _ahead(rows, row, peak, n_fall + 1)
    fallen = np.isfinite(after) & (after <= level[:, None])
    down = np.argmax(fallen, axis=1)
    width = _fraction(rows, row, peak - up, np.minimum(peak - up + 1, last), level)
    width += _fraction(rows, row, np.minimum(peak + down, last), np.minimum(peak + down, last) - 1, level)
    return np.asarray(np.where(fallen[each, down], up + down - width, 0.0))


def _at_once(
    rows: FloatArray, row: IntArray, start: IntArray, peak: IntArray, rate_hz: float, criteria: SpikeCriteria
) -> NDArray[np.bool_]:
    """Say which rise within a sample or so, as no membrane does."""
    if not row.size or rate_hz < _COARSEST_HZ:
        return np.zeros(row.size, dtype=bool)
    n = max(round(_AT_ONCE_S * rate_hz), 1)
    n_rise = int((peak - start).max()) + 1
    at = start[:, None] + np.arange(-n, n_rise)
    ahead = np.minimum(at + n, peak[:, None])
    risen = rows[row[:, None], ahead] - rows[row[:, None], np.clip(at, 0, ahead)]
    largest = np.where(np.isfinite(risen), risen, 0.0).max(axis=1)
    share = criteria.at_once_percent / 100.0
    if rate_hz < _FINE_HZ:
        share = max(share, _COARSE_SHARE)
    return np.asarray(largest > share * (rows[row, peak] - rows[row, start]))


def _noise(rows: FloatArray, row: IntArray) -> FloatArray:
    """Return the SD of the noise of each spike's row: how far samples lie off the line through their neighbours."""
    every = 8  # an eighth of the samples tells enough
    noise = np.zeros(len(row))
    for each in np.unique(row):
        off = rows[each, 1:-1:every] - 0.5 * (rows[each, :-2:every] + rows[each, 2::every])
        known = off[np.isfinite(off)]
        # SD of white noise × √1.5; its median absolute value is 0.6745 of the SD.
        noise[row == each] = np.median(np.abs(known)) / (0.6745 * 1.5**0.5) if known.size else 0.0
    return noise


def _fraction(rows: FloatArray, row: IntArray, low: IntArray, high: IntArray, level: FloatArray) -> FloatArray:
    """Return how far from sample `low` towards sample `high` the level is reached, 0 to 1."""
    step = rows[row, high] - rows[row, low]
    gone = np.divide(level - rows[row, low], step, out=np.zeros_like(level), where=step > 0)
    return np.asarray(np.clip(np.nan_to_num(gone), 0.0, 1.0))


def _ahead(rows: FloatArray, row: NDArray[np.integer], start: NDArray[np.integer], n_samples: int) -> FloatArray:
    """Return `n_samples` from each start, the last sample repeated at the end of the row; NaN becomes −inf."""
    at = np.minimum(start[:, None] + np.arange(n_samples), rows.shape[1] - 1)
    found = rows[row[:, None], at]
    return np.asarray(np.where(np.isnan(found), -np.inf, found))


def _apart(row: NDArray[np.integer], start: NDArray[np.integer], peak: NDArray[np.integer]) -> IntArray:
    """Return which candidates are spikes of their own: an upstroke that pauses on its way is still one spike."""
    kept: list[int] = []
    for each in range(len(row)):
        if kept and row[each] == row[kept[-1]] and start[each] <= peak[kept[-1]]:
            continue
        kept.append(each)
    return np.array(kept, dtype=np.int64)


def _steepest(
    rows: FloatArray,
    row: NDArray[np.integer],
    start: NDArray[np.integer],
    peak: NDArray[np.integer],
    rate_hz: float,
) -> FloatArray:
    """Return the sample (fractional) of the largest slope between start and peak."""
    wide = round(_SLOPE_HALF_S * rate_hz)
    n_ahead = int((peak - start).max(initial=1)) + 1
    at = start[:, None] + np.arange(-1, n_ahead + 1)
    last = rows.shape[1] - 1
    slope = rows[row[:, None], np.minimum(at + 1 + wide, last)] - rows[row[:, None], np.clip(at - wide, 0, last)]
    inside = (at >= start[:, None]) & (at < np.maximum(peak, start + 1)[:, None])
    best = np.argmax(np.where(inside & np.isfinite(slope), slope, -np.inf), axis=1)
    left, middle, right = (slope[np.arange(len(row)), best + step] for step in (-1, 0, 1))
    bend = left - 2.0 * middle + right
    shift = np.where(bend < 0, 0.5 * (left - right) / np.where(bend < 0, bend, 1.0), 0.0)
    # A slope lies between two samples, hence the half.
    return np.asarray(at[np.arange(len(row)), best] + np.clip(np.nan_to_num(shift), -0.5, 0.5) + 0.5)
