"""From the samples around a test pulse to the properties of every sweep."""

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ephysplast.analysers._pulse import Pulse, mains_weights
from ephysplast.analysers._transient import Areas, Shape, current_clamp_shape, relax, voltage_clamp_shape
from ephysplast.recording import Channel, Clamp, FloatArray, IntArray
from ephysplast.statistics import NO_INTERVAL, Interval, block_length, jackknife_interval

if TYPE_CHECKING:
    from ephysplast.analysers.passive import TestPulseConfig

_MEAN_OF = 24  # sweeps in the mean that the shape is learnt from: noise falls fivefold, and reading stays cheap
_FEWEST = 4  # sweeps from which a difference can be told from noise
_SHORTEST_BASE_S = 5e-3
_TAIL = 0.01  # of the step's response: a tail that would bias R_in by less is left alone
_SHAPE_S = 0.3  # the mean is read this far into a long step: five slow membrane time constants


class Windows(NamedTuple):
    """Windows around the pulse in samples: [start, edge) is the base, [steady, stop) the end of the step."""

    start: int
    edge: int
    steady: int
    stop: int
    rate_hz: float

    def read(self, channel: Channel, sweeps: IntArray, after: int) -> tuple[FloatArray, FloatArray]:
        """Return rows from `start` to `after` samples past the edge, and rows of the end of the step."""
        trace, rate = channel.trace, self.rate_hz
        head = trace.window(self.start / rate, (self.edge + after) / rate, sweeps)
        return head, trace.window(self.steady / rate, self.stop / rate, sweeps)


def windows_of(pulse: Pulse, rate_hz: float, config: "TestPulseConfig") -> Windows:
    base = min(round(config.baseline_ms * 1e-3 * rate_hz), pulse.edge - pulse.quiet_from)
    steady = min(round(config.steady_ms * 1e-3 * rate_hz), int(0.4 * (pulse.stop - pulse.edge)))
    # The last sample may already show the edge that ends the step.
    return Windows(pulse.edge - max(base, 1), pulse.edge, pulse.stop - 1 - max(steady, 1), pulse.stop - 1, rate_hz)


def settled(channel: Channel, sweeps: IntArray, windows: Windows) -> Windows:
    """Halve the base while its older half still differs from the newer one: the tail of a response before the pulse.

    Halves of the default base are a whole cycle of 50 Hz, so hum does not pass for a tail.
    """
    some = sweeps[_spread_out(sweeps.size)]
    if some.size < _FEWEST:
        return windows
    rate = windows.rate_hz
    base = channel.trace.window(windows.start / rate, windows.edge / rate, some)
    steady = channel.trace.window(windows.steady / rate, windows.stop / rate, some).mean()
    while base.shape[1] >= 2 * round(_SHORTEST_BASE_S * rate):
        half = base.shape[1] // 2
        older, newer = base[:, :half].mean(axis=1), base[:, half : 2 * half].mean(axis=1)
        differs = abs(np.mean(older - newer))
        error = np.std(older - newer, ddof=1) / np.sqrt(some.size)
        if not differs > max(_TAIL * abs(steady - newer.mean()), 3.0 * error):
            break
        base = base[:, half:]
    return windows._replace(start=windows.edge - base.shape[1])


def learn(
    channel: Channel, sweeps: IntArray, step: FloatArray, windows: Windows, config: "TestPulseConfig"
) -> Shape | str:
    """Learn the transient's shape from the mean of some sweeps, spread over all."""
    some = _spread_out(sweeps.size)
    after = min(windows.steady - windows.edge, round(_SHAPE_S * windows.rate_hz))
    rows = np.hstack(windows.read(channel, sweeps[some], after)) / step[some, None]
    rows = rows[np.isfinite(rows).all(axis=1)]
    if not len(rows):
        return "the samples are not numbers"
    mean, n_base = rows.mean(axis=0), windows.edge - windows.start
    base = float(mean[: max(n_base - 1, 1)].mean())
    steady = float(mean[n_base + after :].mean()) - base
    relaxing = mean[n_base : n_base + after] - base
    if channel.clamp == "voltage":
        return voltage_clamp_shape(relaxing, steady=steady, search=min(round(3e-3 * windows.rate_hz), after // 3))
    return current_clamp_shape(relaxing, begin=round(config.bridge_ms * 1e-3 * windows.rate_hz))


def _spread_out(n_sweeps: int) -> IntArray:
    """Choose some of the sweeps, spread over all."""
    return np.unique(np.linspace(0, n_sweeps - 1, min(_MEAN_OF, n_sweeps)).round().astype(np.int64))


def areas_of(
    channel: Channel, sweeps: IntArray, windows: Windows, shape: Shape | None, config: "TestPulseConfig"
) -> Areas:
    """Read all sweeps and sum them up: one product with a matrix of weights, which takes the hum off too."""
    n_stretches = 2 if channel.clamp == "voltage" else 3
    after = shape.begin + n_stretches * shape.width if shape else 0
    n_base, n_steady = windows.edge - windows.start, windows.stop - windows.steady
    weights = np.zeros((5, n_base + after + n_steady))
    weights[0, : max(n_base - 1, 1)] = 1.0 / max(n_base - 1, 1)
    weights[1, n_base + after :] = 1.0 / n_steady
    if shape:
        weights[2, n_base : n_base + shape.begin] = 1.0
        weights[2, n_base + shape.begin] = 0.5
        places = n_base + shape.begin + shape.width * np.arange(n_stretches)
        _stretches(weights[3:], places, shape.width)
    head, tail = windows.read(channel, sweeps, after)
    if config.remove_mains:
        time = np.concatenate([np.arange(windows.start, windows.edge + after), np.arange(windows.steady, windows.stop)])
        some = np.hstack([head[:_MEAN_OF], tail[:_MEAN_OF]])
        weights = mains_weights(weights, some, time / windows.rate_hz)
    weights[1:] -= weights[1:].sum(axis=1, keepdims=True) * weights[0]  # above the base
    n_head = head.shape[1]
    base, steady, *sums = weights[:, :n_head] @ head.T + weights[:, n_head:] @ tail.T
    return Areas(base, steady, *(sums if shape else np.full((3, sweeps.size), np.nan)))


def _stretches(weights: FloatArray, places: IntArray, width: int) -> None:
    """Fill in the weights of two sums or, from three stretches, of two differences of sums."""
    if len(places) == 2:
        for row, place in zip(weights, places, strict=True):
            row[place : place + width] = 1.0
    else:
        for row, (place, following) in zip(weights, pairwise(places), strict=True):
            row[place : place + width] = -1.0
            row[following : following + width] = 1.0


class Cell(NamedTuple):
    """What turns areas into properties; without a shape only R_in."""

    clamp: Clamp
    rate_hz: float
    shape: Shape | None

    def properties(self, areas: Areas) -> FloatArray:
        """Return R_s, R_m, R_in (MΩ), C_m (pF) and τ (ms), shape (5, n)."""
        follows = np.where(areas.steady > 0.0, areas.steady, np.nan)
        nothing = np.full(follows.shape, np.nan)
        voltage = self.clamp == "voltage"
        rin = 1e3 / follows if voltage else 1e3 * follows
        if self.shape is None:
            return np.stack([nothing, nothing, rin, nothing, nothing])
        if not voltage:
            tau = 1e3 * relax(areas, self.shape).tau / self.rate_hz
            return np.stack([nothing, nothing, rin, 1e3 * tau / rin, tau])
        end = areas.steady + self.shape.offset
        first, second = (each - self.shape.width * end for each in (areas.first, areas.second))
        relaxed = relax(areas._replace(first=first, second=second), self.shape)
        tau = 1e3 * relaxed.tau / self.rate_hz
        edge = relaxed.peak + end
        rs = 1e3 / np.where((edge > areas.steady) & (relaxed.charge > 0.0), edge, np.nan)
        cm = 1e3 * relaxed.charge / self.rate_hz / (1.0 - 1e-3 * rs * areas.steady) ** 2  # R_m/(R_s+R_m), from ΔI
        return np.stack([rs, rin - rs, rin, cm, np.where(np.isfinite(cm), tau, np.nan)])

    def mean(self, areas: Areas, level: float) -> tuple[FloatArray, list[Interval]]:
        """Return the properties of the mean sweep, and their intervals from leaving out blocks of sweeps."""
        rows = np.stack(areas)
        n = rows.shape[1]
        whole = self.properties(Areas(*rows.mean(axis=1, keepdims=True)))[:, 0]
        block = block_length(areas.steady)
        blocks = rows[:, : n // block * block].reshape(5, -1, block).sum(axis=2)
        left = Areas(*((rows.sum(axis=1, keepdims=True) - blocks) / max(n - block, 1)))
        intervals = [
            jackknife_interval(float(value), jackknife=each, level=level)
            for value, each in zip(whole, self.properties(left), strict=True)
        ]
        if self.clamp == "voltage":
            # A conductance near zero has a resistance near infinity, which no symmetric interval can hold.
            low, high = jackknife_interval(float(rows[1].mean()), jackknife=left.steady, level=level)
            intervals[2] = Interval(1e3 / high if high > 0.0 else np.nan, 1e3 / low if low > 0.0 else np.inf)
            intervals[1] = Interval(intervals[2].low - whole[0], intervals[2].high - whole[0])
        return whole, [
            each if np.isfinite(value) else NO_INTERVAL for value, each in zip(whole, intervals, strict=True)
        ]
