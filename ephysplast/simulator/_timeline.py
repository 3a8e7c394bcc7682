"""Both spike trains merged into one row of events, with what rules ask of it worked out once for all parameter sets."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from ephysplast.recording import FloatArray, IntArray

if TYPE_CHECKING:
    from ephysplast.simulator.protocol import Protocol

PRE: Final = 0
POST: Final = 1
LOOK: Final = 2
"""An event at which nothing happens: a moment at which the state is read."""

Whose: TypeAlias = Literal["pre", "post", "own", "other"]
"""Whose spikes: a cell's by its name, or as seen from the cell that fires at an event."""

_SAME_MS: Final = 1e-6
"""Spikes closer than a nanosecond are simultaneous: times that were computed differ in their last digits."""
_GRID_MS: Final = 8
"""Decimals of a ms within which intervals are the same."""
_LONG: Final = 138.0
MEMORY: Final = 40.0
"""Time constants after which a trace is nothing: e⁻⁴⁰ is less than the last digit of any weight."""
_TABLE: Final = 4_000_000
"""Most numbers kept in one table (32 MB)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Timeline:
    """Events in the order in which a rule sees them.

    A presynaptic spike at the very moment of a postsynaptic one comes first (Δt = +0); a look comes last.

    Attributes
    ----------
    time_ms : numpy.ndarray, shape (n_events,)
        Never falling.
    kind : numpy.ndarray of int64, shape (n_events,)
        ``PRE``, ``POST`` or ``LOOK``.
    potential_mv : numpy.ndarray, shape (n_events,)
        Of the postsynaptic cell between spikes.
    """

    time_ms: FloatArray
    kind: IntArray
    potential_mv: FloatArray
    _since: "dict[tuple[Whose, ...], Intervals]" = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, protocol: "Protocol", looks_s: FloatArray | None = None) -> "Timeline":
        """Merge the trains of a protocol, and moments to look at, if any."""
        looks = np.empty(0) if looks_s is None else looks_s
        time_s = np.concatenate([protocol.pre_s, protocol.post_s, looks])
        kind = np.repeat([PRE, POST, LOOK], [protocol.n_pre, protocol.n_post, len(looks)])
        order = np.lexsort((kind, np.round(time_s * 1e3 / _SAME_MS)))
        time_s = time_s[order]
        return cls(
            time_ms=np.maximum.accumulate(time_s * 1e3), kind=kind[order], potential_mv=protocol.potential_mv(time_s)
        )

    def last_ms(self, whose: Whose) -> FloatArray:
        """Return for each event when the cell last fired before it; −∞ where it had not.

        At a look, a spike of that very moment counts.
        """
        if whose in ("own", "other"):
            return np.where((self.kind == PRE) == (whose == "own"), self._last_pre_ms, self._last_post_ms)
        return self._last_pre_ms if whose == "pre" else self._last_post_ms

    def since(self, *whose: Whose) -> "Intervals":
        """Return for each event the times since certain spikes before it; infinite where there were none."""
        if whose not in self._since:
            columns = [self.time_ms - self.last_ms(each) for each in whose]
            self._since[whose] = Intervals.of(np.stack(columns, axis=1))
        return self._since[whose]

    @cached_property
    def nearest_other_ms(self) -> FloatArray:
        """Distance to the nearest spike of the other cell, before or after; infinite where there is none."""
        before, after = self._others()
        return np.minimum(self.time_ms - before, after - self.time_ms)

    def repeats(self, memory_ms: float) -> list[tuple[int, int, int]]:
        """Divide the events at pauses longer than that, and count equal stretches that follow each other.

        Parameters
        ----------
        memory_ms : float
            What is longer ago than this is forgotten.

        Returns
        -------
        list of (first, stop, n)
            Events ``first`` to ``stop − 1`` are followed by ``n − 1`` stretches just like them.
        """
        n_events = len(self.kind)
        (breaks,) = np.nonzero(np.diff(self.time_ms) > memory_ms)
        edges = [0, *(breaks + 1).tolist(), n_events] if n_events else [0]
        found: list[tuple[int, int, int]] = []
        last: tuple[bytes, ...] = ()
        for first, stop in itertools.pairwise(edges):
            here = slice(first, stop)
            within_ms = np.round(self.time_ms[here] - self.time_ms[first], _GRID_MS)
            shape = (self.kind[here].tobytes(), within_ms.tobytes(), self.potential_mv[here].tobytes())
            if shape == last:
                found[-1] = (*found[-1][:2], found[-1][2] + 1)
            else:
                found.append((first, stop, 1))
            last = shape
        return found

    def others_within(self, longest_ms: float) -> list[FloatArray]:
        """Return for each event the times since all spikes of the other cell not longer ago than that."""
        found = [np.empty(0)] * len(self.kind)
        for kind in (PRE, POST):
            (others,) = np.nonzero(self.kind == 1 - kind)
            times = self.time_ms[others]
            (here,) = np.nonzero(self.kind == kind)
            stop = np.searchsorted(others, here)
            start = np.searchsorted(times, self.time_ms[here] - longest_ms - _SAME_MS)
            for k, i, j in zip(here.tolist(), start.tolist(), stop.tolist(), strict=True):
                found[k] = self.time_ms[k] - times[i:j]
        return found

    @cached_property
    def _last_pre_ms(self) -> FloatArray:
        return self._last_of(PRE)

    @cached_property
    def _last_post_ms(self) -> FloatArray:
        return self._last_of(POST)

    def _last_of(self, kind: int) -> FloatArray:
        (here,) = np.nonzero(self.kind == kind)
        times = np.concatenate([[-np.inf], self.time_ms[here]])
        return times[np.searchsorted(here, np.arange(len(self.kind)))]

    def _others(self) -> tuple[FloatArray, FloatArray]:
        """Return the times of the last spike of the other cell before each event, and of its next one."""
        before, after = np.full(len(self.kind), -np.inf), np.full(len(self.kind), np.inf)
        for kind in (PRE, POST):
            here = self.kind == kind
            (others,) = np.nonzero(self.kind == 1 - kind)
            times = np.concatenate([[-np.inf], self.time_ms[others], [np.inf]])
            place = np.searchsorted(others, np.flatnonzero(here))
            before[here], after[here] = times[place], times[place + 1]
        return before, after


@dataclass(frozen=True, eq=False, kw_only=True)
class Intervals:
    """Intervals of each event, and which of them are the same.

    Attributes
    ----------
    each_ms : numpy.ndarray, shape (n_events, n_intervals)
        All of them.
    which : list of int, length n_events
        Events with the same number have the same intervals.
    first : numpy.ndarray of int64, shape (n_unique,)
        The first event of each number.
    count : numpy.ndarray of int64, shape (n_unique,)
        How many events have that number.
    """

    each_ms: FloatArray
    which: list[int]
    first: IntArray
    count: IntArray

    @classmethod
    def of(cls, each_ms: FloatArray) -> "Intervals":
        """Find those that are the same."""
        code, *others = np.round(each_ms, _GRID_MS).T
        for column in others:
            _, place = np.unique(column, return_inverse=True)
            _, so_far = np.unique(code, return_inverse=True)
            code = so_far * len(place) + place
        _, first, which, count = np.unique(code, return_index=True, return_inverse=True, return_counts=True)
        return cls(each_ms=each_ms, which=which.tolist(), first=first, count=count)


class Tabulated:
    """Something that depends on the intervals of an event, evaluated once for each set of them.

    Intervals that occur once are not tabulated, nor are those that would make the table too large.

    Parameters
    ----------
    intervals : Intervals
        What it depends on.
    function : callable
        From an event to numbers for each parameter set.
    size : int
        How many numbers that makes.
    """

    def __init__(self, intervals: Intervals, function: Callable[[int], FloatArray], *, size: int) -> None:
        often = np.argsort(-intervals.count, kind="stable")[: max(_TABLE // max(size, 1), 1)]
        self._kept = set(often[intervals.count[often] > 1].tolist())
        self._rows: dict[int, FloatArray] = {}
        self._which, self._function = intervals.which, function
        self._last: tuple[int, FloatArray] = (-1, np.empty(0))

    def at(self, event: int) -> FloatArray:
        """Return the numbers of one event."""
        which = self._which[event]
        row = self._rows.get(which)
        if row is not None:
            return row
        if self._last[0] != which:
            self._last = (which, self._function(event))
            if which in self._kept:
                self._rows[which] = self._last[1]
        return self._last[1]


def faded(interval_ms: FloatArray, rate: FloatArray) -> FloatArray:
    """Return exp(−interval · rate), and plain 0 below 1e-60.

    That is nothing beside any weight, but products of such numbers fall below what processors multiply fast.
    """
    left = interval_ms * rate
    lasting = left < _LONG
    np.minimum(left, _LONG, out=left)
    np.negative(left, out=left)
    np.exp(left, out=left)
    return np.multiply(left, lasting, out=left)
