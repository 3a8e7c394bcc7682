"""From windows of sweeps to the features of their spikes, some sweeps at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast._spikes import FoundSpikes, find_spikes
from ephysplast.analysers._spike_features import Rows, block_means, spike_shapes
from ephysplast.analysers._spike_trains import PLATEAU_S, collapsed, held_above, onset_threshold, shortest_block
from ephysplast.errors import WindowError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps, Trace
from ephysplast.units import strip_unit

if TYPE_CHECKING:
    from ephysplast.analysers.spikes import SpikeConfig

_AT_ONCE: Final = 4_000_000  # samples held at a time: 32 MB, and as much again for their slopes


class SpikeWindows(NamedTuple):
    """Which sweeps are looked at and where; all shape (n_sweeps,), `start_s` and `stop_s` NaN where not."""

    sweeps: IntArray
    start_s: FloatArray
    stop_s: FloatArray


class Measured(NamedTuple):
    """Row of every spike, its features by the names of the result; which windows go into block, or collapse."""

    row: IntArray
    features: dict[str, FloatArray]
    blocked: NDArray[np.bool_]
    collapsed: NDArray[np.bool_]


def windows_of(
    recording: Recording,
    channel: Channel,
    sweeps: Sweeps,
    start_s: float | FloatArray | None,
    stop_s: float | FloatArray | None,
) -> SpikeWindows:
    """Give every sweep its window, and refuse those that are not there."""
    chosen = np.arange(recording.n_sweeps) if sweeps is None else np.asarray(sweeps).reshape(-1)
    chosen = chosen.astype(np.int64)
    if chosen.size and (chosen.min() < 0 or chosen.max() >= recording.n_sweeps):
        raise WindowError(
            "there is no such sweep",
            got=f"sweep index {chosen.min()} to {chosen.max()}",
            wanted=f"0 to {recording.n_sweeps - 1}",
        )
    length_s = channel.trace.lengths[chosen] / channel.trace.rate_hz
    start = _per_sweep(start_s, np.zeros(len(chosen)), "start_s")
    stop = _per_sweep(stop_s, length_s, "stop_s")
    known = np.isfinite(start) & np.isfinite(stop)
    start, stop = np.where(known, start, np.nan), np.where(known, stop, np.nan)
    sample_s = 1.0 / channel.trace.rate_hz
    wrong = known & ~((start > -0.5 * sample_s) & (stop < length_s + 0.5 * sample_s) & (stop - start > 0.5 * sample_s))
    if wrong.any():
        i = int(np.argmax(wrong))
        raise WindowError(
            f"the window does not lie inside sweep {chosen[i] + 1}",
            got=f"{start[i]:.6g} to {stop[i]:.6g} s",
            wanted=f"within 0 to {length_s[i]:.6g} s, stop after start",
            remedy="check the times of the step",
        )
    return SpikeWindows(chosen, start, stop)


def _per_sweep(value: float | FloatArray | None, default: FloatArray, name: str) -> FloatArray:
    if value is None:
        return default
    given = strip_unit(value, "s")
    if given.ndim and given.shape != default.shape:
        raise WindowError(f"{name} needs one time per sweep", got=f"{given.shape}", wanted=f"{default.shape}")
    return np.array(np.broadcast_to(given, default.shape), dtype=np.float64)


def measure_windows(trace: Trace, windows: SpikeWindows, config: "SpikeConfig", *, edge_ms: float = 0.0) -> Measured:
    """Find and measure the spikes of all windows."""
    places, plateaus = [np.empty(0, dtype=np.int64)], []
    n_edge = round(edge_ms * 1e-3 * trace.rate_hz)
    parts = [_features(_nothing(trace.rate_hz), np.zeros(0), config, 0)[1]]
    for chosen, rows, begin_s in _read(trace, windows, config):
        row, features = _features(rows, begin_s, config, n_edge)
        places.append(chosen[row])
        parts.append(features)
        plateaus.append((chosen, _plateaus(rows)))
    row = np.concatenate(places)
    features = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    n_rows = len(windows.sweeps)
    level = onset_threshold(row, features["threshold_mv"], n_rows) + config.block_above_mv
    n_means = shortest_block(row, features["peak_s"], windows.stop_s - windows.start_s, config.block_ms)
    blocked = np.zeros(n_rows, dtype=bool)
    since_s = features["peak_s"] - windows.start_s[row]
    for chosen, means in plateaus:
        mine = np.isin(row, chosen)
        fired = _fired(np.searchsorted(chosen, row[mine]), since_s[mine], means.shape)
        blocked[chosen] = held_above(means, level[chosen], fired, n_means[chosen])
    return Measured(row, features, blocked, collapsed(row, features["amplitude_mv"], n_rows, config.collapse_percent))


def _features(
    rows: Rows, begin_s: FloatArray, config: "SpikeConfig", n_edge: int
) -> tuple[IntArray, dict[str, FloatArray]]:
    """Find and measure the spikes of some rows; `begin_s` is the time of each row's first sample in its sweep."""
    begin = np.full(len(rows.end), rows.begin, dtype=np.int64)
    edges = [(at, at + n_edge) for at in (begin, rows.end)] if n_edge else []
    found = find_spikes(rows.mv, rows.rate_hz, config.criteria, blind=edges)
    inside = (found.steepest >= rows.begin) & (found.steepest < rows.end[found.row])
    found = FoundSpikes(found.row[inside], found.start[inside], found.peak[inside], found.steepest[inside])
    shapes = spike_shapes(rows, found, config)
    origin_s = begin_s[found.row]
    return found.row, {
        "time_s": origin_s + found.steepest / rows.rate_hz,
        "threshold_s": origin_s + shapes.threshold / rows.rate_hz,
        "threshold_mv": shapes.threshold_mv,
        "peak_s": origin_s + shapes.peak / rows.rate_hz,
        "peak_mv": shapes.peak_mv,
        "amplitude_mv": shapes.peak_mv - shapes.threshold_mv,
        "half_width_ms": shapes.half_width * 1e3 / rows.rate_hz,
        "rise_mv_per_ms": shapes.rise_mv_per_ms,
        "fall_mv_per_ms": shapes.fall_mv_per_ms,
        "fast_ahp_mv": shapes.fast_ahp_mv,
        "slow_ahp_mv": shapes.slow_ahp_mv,
    }


def _nothing(rate_hz: float) -> Rows:
    return Rows(np.empty((0, 0)), 0, np.empty(0, dtype=np.int64), rate_hz)


def _read(trace: Trace, windows: SpikeWindows, config: "SpikeConfig") -> Iterator[tuple[IntArray, Rows, FloatArray]]:
    """Read the windows with what lies around them, some sweeps at a time: places, rows, time of the first sample."""
    rate = trace.rate_hz
    lead = round(4 * config.upstroke_ms * rate / 1e3)
    tail = round((config.fall_ms + config.upstroke_ms) * rate / 1e3)
    known = np.flatnonzero(np.isfinite(windows.start_s))
    first = np.rint(windows.start_s[known] * rate).astype(np.int64)
    length = np.rint((windows.stop_s - windows.start_s)[known] * rate).astype(np.int64)
    step = max(_AT_ONCE // int(length.max(initial=0) + lead + tail), 1)
    for at in range(0, len(known), step):
        some = slice(at, at + step)
        mv = _rows(trace, windows.sweeps[known[some]], first[some], length[some], (lead, tail))
        yield known[some], Rows(mv, lead, lead + length[some], rate), (first[some] - lead) / rate


def _rows(trace: Trace, sweeps: IntArray, first: IntArray, length: IntArray, around: tuple[int, int]) -> FloatArray:
    """Read one row per sweep, the window at the same column in each; NaN where the sweep has no sample."""
    lead, tail = around
    before = np.minimum(lead, first)
    n_read = before + np.minimum(length + tail, trace.lengths[sweeps] - first)
    mv = np.full((len(sweeps), lead + int(length.max(initial=0)) + tail), np.nan)
    for kind in np.unique(np.stack([before, n_read], axis=1), axis=0):
        same = np.flatnonzero((before == kind[0]) & (n_read == kind[1]))
        begin_s = (first[same] - kind[0]) / trace.rate_hz
        column = lead - kind[0]
        mv[same, column : column + kind[1]] = trace.aligned(begin_s, 0.0, kind[1] / trace.rate_hz, sweeps[same])
    return mv


def _plateaus(rows: Rows) -> FloatArray:
    """Return 5 ms means of each window, NaN beyond its end."""
    n_samples = max(round(PLATEAU_S * rows.rate_hz), 1)
    means = block_means(rows.mv[:, rows.begin :], n_samples)
    beyond = (np.arange(means.shape[1]) + 1) * n_samples > (rows.end - rows.begin)[:, None]
    return np.where(beyond, np.nan, means)


def _fired(row: NDArray[np.integer], since_s: FloatArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Say which means hold a spike, or are neighbours of one that does."""
    fired = np.zeros(shape, dtype=bool)
    at = np.floor(since_s / PLATEAU_S).astype(np.int64)
    for shift in (-1, 0, 1):
        inside = (at + shift >= 0) & (at + shift < shape[1])
        fired[row[inside], at[inside] + shift] = True
    return fired
