"""Stimulus artefacts: what jumps there and back at the same time in many sweeps."""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import Channel, FloatArray, IntArray, Trace
from ephysplast.signal import robust_sd

Flags: TypeAlias = NDArray[np.bool_]

READ_AT_ONCE = 4_000_000  # samples: 32 MB
MANY_SWEEPS = 20


def artefact_times(
    channel: Channel,
    sweeps: IntArray,
    *,
    noise: float,
    start_s: float = 0.0,
    stop_s: float = np.inf,
    n_sweeps: int = MANY_SWEEPS,
) -> FloatArray:
    """Find artefacts in some sweeps, then look for each in all of them.

    Parameters
    ----------
    channel : Channel
        Where they are looked for; the edges of its own command are passed over.
    sweeps : numpy.ndarray of int64, shape (n_sweeps,)
        At least one.
    noise : float
        As in :func:`jumps`.
    start_s, stop_s : float
        Part of the sweeps that is searched.
    n_sweeps : int
        How many sweeps are read for it.

    Returns
    -------
    numpy.ndarray, shape (n_sweeps, n_artefacts)
        In s from the sweep's start, the last quiet sample; NaN where a sweep does not have one.
    """
    trace = channel.trace
    first = max(round(start_s * trace.rate_hz), 0)
    last = int(min(trace.lengths[sweeps].min(), np.ceil(min(stop_s, 1e9) * trace.rate_hz)))
    if last - first < 4:
        return np.empty((len(sweeps), 0))
    few = min(n_sweeps, max(READ_AT_ONCE // (last - first), 1), len(sweeps))
    sample = sweeps[np.unique(np.linspace(0, len(sweeps) - 1, few).astype(int))]
    rows = trace.window(first / trace.rate_hz, last / trace.rate_hz, sample)
    at = jumps(rows, trace.rate_hz, noise=noise)
    own = _edges_of(channel.command, int(sweeps[0]), last) - first
    driven = (at[:, None] >= own - 2) & (at[:, None] <= own + 3e-3 * trace.rate_hz)
    at = at[~driven.any(axis=1)]
    at = at[_is_brief(rows, at, trace.rate_hz) & _returns(rows, at, trace.rate_hz)] + first
    return np.asarray(np.where(_present(trace, at, sweeps), at / trace.rate_hz, np.nan))


def _edges_of(command: Trace | None, sweep: int, n_samples: int) -> IntArray:
    if command is None:
        return np.array([], dtype=np.int64)
    change = np.abs(np.diff(command.sweep(sweep)[:n_samples]))
    return np.flatnonzero(change > 0).astype(np.int64)


def jumps(rows: FloatArray, rate_hz: float, *, noise: float) -> IntArray:
    """Return the samples after which most sweeps jump, far more than they ever do otherwise.

    Parameters
    ----------
    rows : numpy.ndarray, shape (n_sweeps, n_samples)
        Whole sweeps.
    rate_hz : float
        Sampling rate.
    noise : float
        How many SD of the sample-to-sample change.

    Returns
    -------
    numpy.ndarray of int64
        The last quiet sample before each; what follows within 2 ms belongs to it.

    Examples
    --------
    >>> rows = np.random.default_rng(1).normal(size=(6, 2000))
    >>> rows[:, 500] += 60.0
    >>> jumps(rows, 20e3, noise=10.0).tolist()
    [499]
    """
    change = np.abs(np.diff(rows, axis=1))
    # Two quantiles that agree for Gaussian noise: the upper one keeps coarse converters and bursting cells out.
    usual = max(float(np.median(change)) / 0.6745, float(np.quantile(change, 0.9)) / 1.645)
    finest = float(np.min(change, where=change > 0, initial=np.inf))
    # The quantile finds what only a third of the sweeps has, as when two pathways take turns.
    common = np.quantile(change, 0.65, axis=0) if len(rows) > 3 else np.median(change, axis=0)
    large = np.flatnonzero(common > noise * max(usual, finest))
    large = large[large >= 0.5e-3 * rate_hz]
    if not large.size:
        return large.astype(np.int64)
    fresh = np.concatenate([[True], np.diff(large) > 2e-3 * rate_hz])
    tallest = np.maximum.reduceat(common[large], np.flatnonzero(fresh))
    # An artefact comes with others of its kind; the edges of a response are far smaller.
    return np.asarray(large[fresh][tallest > 0.1 * tallest.max()], dtype=np.int64)


def _is_brief(rows: FloatArray, at: IntArray, rate_hz: float) -> Flags:
    """Tell artefacts from what is steep in one direction only: they go there and back, at the same time everywhere.

    The onset of a response and the charging of a cell are followed by a decay that is far slower.
    """
    change, mean = np.diff(rows, axis=1), np.diff(rows.mean(axis=0))
    n_samples = max(round(1.5e-3 * rate_hz), 4)
    keep = np.zeros(len(at), dtype=bool)
    for i, start in enumerate(at):
        here = mean[start : start + n_samples]
        forth, back = max(here.max(), -here.min()), min(here.max(), -here.min())
        alone = np.quantile(np.abs(change[:, start : start + n_samples]).max(axis=1), 0.75)
        keep[i] = back > 0.2 * forth and forth > 0.3 * alone
    return keep


def _returns(rows: FloatArray, at: IntArray, rate_hz: float) -> Flags:
    """Tell stimuli from the edges of steps: after an edge the trace stays away from where it was."""
    mean = np.median(rows, axis=0)
    gap, ends = round(20e-3 * rate_hz), np.append(at, rows.shape[1])[1:]
    keep = np.ones(len(at), dtype=bool)
    for i, (start, stop) in enumerate(zip(at, ends, strict=True)):
        part = mean[start + gap : stop - 2]
        if start < 3 or len(part) < gap // 2:
            continue
        before = float(np.median(mean[max(start - gap, 0) : start]))
        third = max(len(part) // 3, 1)
        early, late = float(np.median(part[:third])) - before, float(np.median(part[-third:])) - before
        jump = np.abs(mean[start : start + gap // 10] - before).max()
        clear = max(4.0 * robust_sd(mean[max(start - gap, 0) : start]), 0.02 * jump)
        keep[i] = not (abs(early) > clear and late / early > 0.8)
    return keep


def _present(trace: Trace, at: IntArray, sweeps: IntArray) -> Flags:
    before, after = 1, max(round(1e-3 * trace.rate_hz), 3)
    shown = np.zeros((len(sweeps), len(at)), dtype=bool)
    for i, start in enumerate(at):
        first = max(int(start) - before, 0) / trace.rate_hz
        last = min(int(start) + after, int(trace.lengths[sweeps].min())) / trace.rate_hz
        size = np.abs(np.diff(trace.window(first, last, sweeps), axis=1)).max(axis=1)
        shown[:, i] = size > 0.25 * np.quantile(size, 0.75)
    return shown
