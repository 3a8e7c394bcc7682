"""What is read off a whole train: rate, irregularity, adaptation, depolarisation block."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import FloatArray, IntArray

PLATEAU_S: Final = 5e-3
"""Plateaus are looked for in means of so much time, which the ringing of a depolarisation block does not move."""

_PAUSE: Final = 3.0  # median intervals: adaptation and chance make pauses of two
_FEWEST: Final = 6  # spikes: bursts of up to five shrink in healthy cells


class TrainStatistics(NamedTuple):
    """One number per train."""

    rate_hz: FloatArray
    isi_cv: FloatArray
    cv2: FloatArray
    lv: FloatArray
    adaptation_index: FloatArray


def train_statistics(row: IntArray, time_s: FloatArray, *, start_s: FloatArray, stop_s: FloatArray) -> TrainStatistics:
    """Sum up the spike train of each window with `elephant.statistics`.

    Parameters
    ----------
    row : numpy.ndarray of int64, shape (n_spikes,)
        In which window each spike lies, ascending.
    time_s : numpy.ndarray, shape (n_spikes,)
        Ascending within a window.
    start_s, stop_s : numpy.ndarray, shape (n_windows,)
        NaN where nothing was looked at.

    Returns
    -------
    TrainStatistics
        Each shape (n_windows,). The rate is 0 without a spike and NaN without a window; the others need two
        interspike intervals.
    """
    count = np.bincount(row, minlength=len(start_s))
    rate = np.where(np.isfinite(stop_s - start_s), 0.0, np.nan)
    numbers = np.full((4, len(start_s)), np.nan)
    if not len(row):
        return TrainStatistics(rate, *numbers)
    from elephant import statistics

    trains = np.split(time_s, np.cumsum(count)[:-1])
    # Plain arrays: for Quantities elephant copies in a way that quantities warns of.
    for i in np.flatnonzero(count):
        rate[i] = statistics.mean_firing_rate(trains[i], t_start=start_s[i], t_stop=stop_s[i])
        if count[i] >= 3:
            isi = statistics.isi(trains[i])
            change = np.diff(isi) / (isi[1:] + isi[:-1])
            numbers[:, i] = statistics.cv(isi), statistics.cv2(isi), statistics.lv(isi), change.mean()
    return TrainStatistics(rate, *numbers)


def onset_threshold(row: IntArray, threshold_mv: FloatArray, n_rows: int) -> FloatArray:
    """Return the first threshold of each row; where it has no spike the median of all; NaN when there is none."""
    known = np.isfinite(threshold_mv)
    row, threshold_mv = row[known], threshold_mv[known]
    if not len(row):
        return np.full(n_rows, np.nan)
    own = np.full(n_rows, np.median(threshold_mv))
    fired, first = np.unique(row, return_index=True)
    own[fired] = threshold_mv[first]
    return own


def shortest_block(row: IntArray, peak_s: FloatArray, length_s: FloatArray, block_ms: float) -> IntArray:
    """Return how many means of `PLATEAU_S` a silence of each row must last to be a block."""
    need_s = np.minimum(block_ms * 1e-3, 0.5 * np.nan_to_num(length_s))
    for i in np.unique(row):
        interval = np.diff(peak_s[row == i])
        if interval.size >= 2:  # one alone may be the block
            need_s[i] = max(need_s[i], _PAUSE * float(np.median(interval)))
    return np.asarray(np.maximum(np.rint(need_s / PLATEAU_S), 1), dtype=np.int64)


def collapsed(row: IntArray, amplitude_mv: FloatArray, n_rows: int, percent: float) -> NDArray[np.bool_]:
    """Say in which rows the spikes shrink to less than `percent` of the first and stay so."""
    answer = np.zeros(n_rows, dtype=bool)
    fired, first = np.unique(row, return_index=True)
    usual = amplitude_mv[first][np.isfinite(amplitude_mv[first])]
    for i in fired:
        own = amplitude_mv[row == i]
        late = own[own.size // 2 :]
        late = late[np.isfinite(late)]
        if own.size < _FEWEST or not late.size or not usual.size:
            continue
        largest = np.nanmax([own[0], np.median(usual)])
        answer[i] = np.median(late) < percent / 100.0 * largest
    return answer


def held_above(
    means_mv: FloatArray, level_mv: FloatArray, interrupted: NDArray[np.bool_], n_means: IntArray
) -> NDArray[np.bool_]:
    """Say in which rows the potential stays above a level, uninterrupted, for `n_means` means or longer.

    Parameters
    ----------
    means_mv : numpy.ndarray, shape (n_rows, n_means)
        NaN outside of the window.
    level_mv : numpy.ndarray, shape (n_rows,)
        NaN is never exceeded.
    interrupted : numpy.ndarray of bool, shape (n_rows, n_means)
        Where a spike is.
    n_means : numpy.ndarray of int64, shape (n_rows,)
        How long.
    """
    above = (means_mv > level_mv[:, None]) & ~interrupted
    # Means since the potential last was below, or a spike came: the index minus that of the last which was not above.
    index = np.arange(1, above.shape[1] + 1)
    run = index - np.maximum.accumulate(np.where(above, 0, index), axis=1)
    return np.asarray(run.max(axis=1, initial=0) >= n_means)
