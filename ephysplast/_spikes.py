"""Action potentials, by their slope and height."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray, IntArray

# Slopes over three samples at 20 kHz: noise is a third of that between neighbours, and a spike is slower still.
_SLOPE_HALF_S = 0.05e-3


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
    """

    slope_mv_per_ms: float = 10.0
    height_mv: float = 15.0
    upstroke_ms: float = 3.0
    fall_ms: float = 10.0

    def __post_init__(self) -> None:
        for name in ("slope_mv_per_ms", "height_mv", "upstroke_ms", "fall_ms"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="more than 0")


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
    nothing = np.array([], dtype=np.int64), np.array([], dtype=np.float64)
    if rows.shape[-1] < 8:
        return nothing
    wide = 2 * round(_SLOPE_HALF_S * rate_hz) + 1
    slope = (rows[:, wide:] - rows[:, :-wide]) * (rate_hz / 1e3 / wide)
    steep = slope >= criteria.slope_mv_per_ms
    steep[:, 1:] &= ~steep[:, :-1].copy()
    row, start = np.nonzero(steep)
    if not row.size:
        return nothing
    n_up = max(round(criteria.upstroke_ms * rate_hz / 1e3), 2)
    n_fall = max(round(criteria.fall_ms * rate_hz / 1e3), 2)
    # The rolling maximum is cheap and leaves few candidates, however noisy the trace.
    highest = maximum_filter1d(np.nan_to_num(rows, nan=-np.inf), n_up + 1, axis=-1, origin=-((n_up + 1) // 2))
    tall = highest[row, start] - rows[row, start] >= criteria.height_mv
    row, start = row[tall], start[tall]
    peak = start + np.argmax(_ahead(rows, row, start, n_up + 1), axis=1)
    # Noise may have crossed the slope ahead of the upstroke: one that goes on is followed for as long again.
    goes_on = peak - start == n_up
    peak[goes_on] += np.argmax(_ahead(rows, row[goes_on], peak[goes_on], n_up + 1), axis=1)
    peak = np.minimum(peak, rows.shape[1] - 1)
    top = rows[row, peak]
    height = top - rows[row, start]
    after = _ahead(rows, row, peak, n_fall + 1)
    falls = np.where(np.isinf(after), np.inf, after).min(axis=1) <= top - 0.5 * height
    row, start, peak = row[falls], start[falls], peak[falls]
    kept = _apart(row, start, peak)
    return row[kept].astype(np.int64), _steepest(rows, row[kept], start[kept], peak[kept], rate_hz) / rate_hz


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
