"""Responses that are flagged and not measured: missing samples, spikes, clipping, unsettled baselines."""

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._reading import Layout, stretch
from ephysplast.errors import OK
from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import SpikeCriteria, robust_sd, spikes_in_rows

MISSING = "samples are missing"
SPIKE = "carries a spike"
AFTER_SPIKE = "follows a spike"
CLIPPED = "saturates"
UNSETTLED = "unsettled baseline"

_RUN, _LONE_RUN = 3, 5
_AFTER_SPIKE_S = 0.1  # afterpotentials of a spike are no decay of a PSP
_ENOUGH_SWEEPS = 8


def flags_of(layout: Layout, baseline: FloatArray) -> tuple["NDArray[np.object_]", FloatArray]:
    """Return the reason why each response is not measured, and when its first spike was.

    Returns
    -------
    flags : numpy.ndarray of object, shape (n_sweeps, n_pulses)
        ``"ok"`` or the reason; an event that was excluded before keeps its reason.
    spike_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        First spike after the event, in s; NaN without.
    """
    flags = layout.evoked.reason.astype(object)
    spike_s = np.full(flags.shape, np.nan)
    for pulse in range(flags.shape[1]):
        first = int((layout.baseline_stop[:, pulse] - layout.n_baseline).min(initial=layout.zero))
        last = layout.search(pulse)[1]
        rows = layout.evoked.traces[:, pulse, max(first, 0) : last]
        broken = np.asarray(np.isnan(rows).any(axis=1) | (first < 0))
        _set(flags[:, pulse], broken, MISSING)
        good = np.flatnonzero(flags[:, pulse] == OK)
        if not good.size:
            continue
        whole = rows if len(good) == len(rows) else rows[good]
        clipped = np.zeros(len(rows), dtype=bool)
        clipped[good] = is_clipped(whole, baseline[good, pulse])
        if layout.evoked.clamp == "current" and layout.evoked.unit == "mV":
            which, at = _first_spikes(whole, layout.evoked.rate_hz)
            spike_s[good[which], pulse] = at + (max(first, 0) - layout.zero) / layout.evoked.rate_hz
        _set(flags[:, pulse], np.isfinite(spike_s[:, pulse]), SPIKE)
        fired_s = (layout.evoked.event_s + spike_s)[:, :pulse]
        _set(
            flags[:, pulse], (layout.evoked.event_s[:, pulse, None] - fired_s < _AFTER_SPIKE_S).any(axis=1), AFTER_SPIKE
        )
        _set(flags[:, pulse], clipped, CLIPPED)
        _set(flags[:, pulse], _unsettled(layout, pulse, flags[:, pulse] == OK), UNSETTLED)
    return flags, spike_s


def _first_spikes(rows: FloatArray, rate_hz: float) -> tuple[IntArray, FloatArray]:
    criteria = SpikeCriteria()
    tall = np.flatnonzero(rows.max(axis=1) - rows.min(axis=1) >= criteria.height_mv)
    which, at = spikes_in_rows(rows[tall], rate_hz, criteria=criteria)
    found, place = np.unique(which, return_index=True)
    return tall[found].astype(np.int64), at[place]


def is_clipped(rows: FloatArray, baseline: FloatArray) -> NDArray[np.bool_]:
    """Tell sweeps that a converter or an amplifier cut off.

    Equal samples in a row at the extreme of all sweeps, on the far side of the baseline, that the trace enters or
    leaves by more than three of the smallest steps in the data: three samples when several sweeps stop at that very
    value, else five. The top of a response on a coarse converter is flat too, but lower in other sweeps.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n_sweeps, n_samples)
        Without NaN.
    baseline : numpy.ndarray, shape (n_sweeps,)
        Resting level of each.

    Examples
    --------
    >>> cut = [0.0, 1, 9, 20, 20, 20, 20, 7, 1]
    >>> whole = [0.0, 5, 15, 18, 18, 18, 15, 8, 1]
    >>> is_clipped(np.array([cut, cut, whole]), np.zeros(3))
    array([ True,  True, False])
    """
    top, bottom = rows.max(axis=1), rows.min(axis=1)
    extreme = np.where(top - baseline >= baseline - bottom, top, bottom)
    clipped = np.zeros(len(rows), dtype=bool)
    suspects = np.flatnonzero(((extreme == top.max()) | (extreme == bottom.min())) & (extreme != baseline))
    steps = np.abs(np.diff(rows[suspects], axis=1))
    finest = float(np.min(steps, where=steps > 0, initial=np.inf))
    for row in suspects:
        needed = _RUN if (extreme[suspects] == extreme[row]).sum() > 1 else _LONE_RUN
        edges = np.diff(np.pad((rows[row] == extreme[row]).astype(np.int8), 1))
        starts, stops = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
        around = np.pad(rows[row], 1, mode="edge")[np.stack([starts, stops + 1])]
        abrupt = np.abs(around - extreme[row]).max(axis=0) > 3.0 * finest
        clipped[row] = bool(((stops - starts >= needed) & abrupt).any())
    return clipped


def _unsettled(layout: Layout, pulse: int, usable: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell sweeps whose baseline drifts far more than those of the other sweeps: a spontaneous event, a slip."""
    found = np.zeros(len(usable), dtype=bool)
    if usable.sum() < _ENOUGH_SWEEPS or layout.n_baseline < 2:
        return found
    first = layout.baseline_stop[:, pulse] - layout.n_baseline
    rows = stretch(layout.evoked.traces[:, pulse], first, layout.n_baseline)
    half = layout.n_baseline // 2
    drift = rows[:, -half:].mean(axis=1) - rows[:, :half].mean(axis=1)
    drift = drift - np.median(drift[usable])
    start, stop = layout.search(pulse)
    response = layout.evoked.traces[usable, pulse, start:stop].mean(axis=0) - rows[usable].mean()
    limit = max(layout.config.unsettled_sd * robust_sd(drift[usable]), 0.1 * float(np.abs(response).max()))
    found[usable] = np.abs(drift[usable]) > limit
    return found


def _set(flags: "NDArray[np.object_]", where: NDArray[np.bool_], reason: str) -> None:
    flags[where & (flags == OK)] = reason
