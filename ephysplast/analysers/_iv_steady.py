"""The current of voltage steps without a stimulus: at the end of the step, or at the peak of a fast current."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._iv_protocol import Steps, group_levels
from ephysplast.recording import FloatArray, IntArray, Trace
from ephysplast.signal import robust_sd, running_mean

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltageConfig

_CLEAR = 8.0  # SD of the noise: what is larger is a peak, and its time is known


class Settled(NamedTuple):
    """Readings of every sweep, and what to draw."""

    value: FloatArray
    rows: FloatArray
    rows_s: FloatArray
    read_s: tuple[float, float]


def read_steps(
    trace: Trace, sweeps: IntArray, steps: Steps, usable: NDArray[np.bool_], config: "CurrentVoltageConfig"
) -> Settled:
    """Read the current of each usable sweep; NaN for the others. The step is read from just before its start."""
    rate = trace.rate_hz
    before = min(round(5e-3 * rate), steps.first)
    rows = np.full((sweeps.size, steps.stop - steps.first + before), np.nan)
    if usable.any():
        rows[usable] = trace.window((steps.first - before) / rate, steps.stop / rate, sweeps[usable])
    length = steps.stop - steps.first
    n_end = max(1, min(round(config.steady_ms * 1e-3 * rate), length // 2))
    # The last sample may already show the edge that ends the step.
    end = rows[:, -1 - n_end : -1] if length > n_end + 1 else rows[:, -n_end:]
    steady = end.mean(axis=1)
    rows_s = np.arange(-before, length) / rate
    if config.reading == "steady":
        return Settled(steady, rows, rows_s, (float(rows_s[-1 - n_end]), float(rows_s[-1])))
    value, window = _peaks(rows[:, before:], steady, steps.level, rate, config)
    return Settled(value, rows, rows_s, window)


def _peaks(
    rows: FloatArray, steady: FloatArray, level: FloatArray, rate: float, config: "CurrentVoltageConfig"
) -> tuple[FloatArray, tuple[float, float]]:
    """Read the fast current at the time of its peak.

    The peak's time depends on the potential, and near the reversal there is no peak to be found: there the times at
    the neighbouring potentials are interpolated, so that a reading may come out on either side of zero.
    """
    half = round(config.reading_ms * 1e-3 * rate / 4.0)  # fast peaks are a fifth as wide as synaptic ones
    smooth = running_mean(rows, 2 * half + 1)
    first = round(config.peak_start_ms * 1e-3 * rate)
    last = max(min(round(config.peak_stop_ms * 1e-3 * rate), rows.shape[1] // 2), first + 1)
    above = smooth[:, first:last] - steady[:, None]
    noise = robust_sd(np.diff(rows[:, rows.shape[1] // 2 :], axis=1)) / np.sqrt(2.0 * (2 * half + 1))
    known = np.isfinite(above).all(axis=1) & np.isfinite(level)
    if not known.any():
        return np.full(len(rows), np.nan), (first / rate, last / rate)
    group = group_levels(np.where(known, level, np.nan), config.smallest_difference_mv)
    n_groups = int(group.max()) + 1
    means = np.array([above[group == k].mean(axis=0) for k in range(n_groups)])
    at_mv = np.array([level[group == k].mean() for k in range(n_groups)])
    height = np.abs(means).max(axis=1)
    # What is largest at either end of the search is the capacitive transient, or has no peak.
    inside = np.abs(means).argmax(axis=1)
    clear = (height > _CLEAR * noise) & (inside > 0) & (inside < means.shape[1] - 1)
    if not clear.any():
        clear[int(np.argmax(height))] = True
    time = np.interp(at_mv, at_mv[clear], inside[clear].astype(np.float64))
    at = np.zeros(len(rows), dtype=np.int64)
    at[known] = np.rint(time[group[known]]).astype(np.int64) + first
    value = np.where(known, smooth[np.arange(len(rows)), at], np.nan)
    return value, (float(at[known].min()) / rate, float(at[known].max()) / rate)
