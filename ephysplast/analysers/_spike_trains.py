"""What is read off a whole train: rate, irregularity, adaptation, depolarisation block."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import FloatArray, IntArray

PLATEAU_S: Final = 5e-3
"""Plateaus are looked for in means of so much time, which the ringing of a depolarisation block does not move."""


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


def own_threshold(row: IntArray, threshold_mv: FloatArray, n_rows: int) -> FloatArray:
    """Return the median threshold of each row; where it has no spike that of all spikes; NaN when there is none."""
    known = np.isfinite(threshold_mv)
    row, threshold_mv = row[known], threshold_mv[known]
    if not len(row):
        return np.full(n_rows, np.nan)
    own = np.full(n_rows, np.median(threshold_mv))
    for i in np.unique(row):
        own[i] = np.median(threshold_mv[row == i])
    return own


def held_above(
    means_mv: FloatArray, level_mv: FloatArray, interrupted: NDArray[np.bool_], n_means: int
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
    n_means : int
        How long.
    """
    above = (means_mv > level_mv[:, None]) & ~interrupted
    if above.shape[1] < n_means:
        return np.zeros(len(above), dtype=bool)
    total = np.concatenate([np.zeros((len(above), 1), dtype=np.int64), np.cumsum(above, axis=1)], axis=1)
    return np.asarray((total[:, n_means:] - total[:, :-n_means] == n_means).any(axis=1))
