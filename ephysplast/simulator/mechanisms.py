"""The pieces that rules are made of: traces that spikes leave, and factors that a change is multiplied by.

A trace decays and is moved by spikes. A factor is never negative: it is the level of a trace, a gate, a window. Signs
stand in the terms (:mod:`ephysplast.simulator.terms`) that put the pieces together.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, final

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.simulator._timeline import Tabulated, Timeline
from ephysplast.simulator.parameter import Values

Side: TypeAlias = Literal["pre", "post"]
At: TypeAlias = Callable[[int], FloatArray]
"""Event → the factor, shape (n_sets,) or (1,)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Context:
    """What a factor may look at.

    Attributes
    ----------
    values : dict of str to numpy.ndarray
        Parameters.
    timeline : Timeline
        Events.
    fades : mapping of str to callable
        Trace → event → what is left of its level, shape (n_sets,) or (1,).
    levels : mapping of str to numpy.ndarray, shape (n_sets,) or (1,)
        Trace → its level just after its last own spike; the same arrays throughout, changed in place.
    variables : mapping of str to numpy.ndarray, shape (n_sets,)
        What is being changed; the same arrays throughout.
    """

    values: Values
    timeline: Timeline
    fades: Mapping[str, At]
    levels: Mapping[str, FloatArray]
    variables: Mapping[str, FloatArray]


class Factor(ABC):
    """Something a change is multiplied by; never negative."""

    @abstractmethod
    def needs(self) -> frozenset[str]:
        """Return the names of its parameters."""

    @abstractmethod
    def bind(self, context: Context) -> At:
        """Return the factor as a function of the event."""


@final
@dataclass(frozen=True, kw_only=True)
class Trace:
    """What a spike leaves behind, decaying with a time constant.

    Attributes
    ----------
    name : str
        ``"r1"``, …
    spike : {"pre", "post"}
        Whose spikes leave it.
    tau : str
        Parameter with the time constant, in ms.
    own : {"add", "set"}
        A spike adds 1 (all spikes count) or sets it to 1 (only the last one does).
    other : {"keep", "clear"}
        What a spike of the other cell does to it after reading it: "clear" lets only the first such spike count.
    weight : Factor or None
        What a spike adds instead of 1; anything but a level.
    """

    name: str
    spike: Side
    tau: str
    own: Literal["add", "set"] = "add"
    other: Literal["keep", "clear"] = "keep"
    weight: Factor | None = None


@final
@dataclass(frozen=True)
class Level(Factor):
    """The level of a trace just before the spike that reads it adds to it."""

    trace: str

    def needs(self) -> frozenset[str]:
        """Need nothing: the trace has its own parameter."""
        return frozenset()

    def bind(self, context: Context) -> At:
        """Return the trace as it was after its last own spike: how it has faded since is in the term's coefficient."""
        level = context.levels[self.trace]
        return lambda _: level


@final
@dataclass(frozen=True, kw_only=True)
class SoftBound(Factor):
    """Room left: (1 − w)^μ towards a ceiling of 1, w^μ towards a floor of 0 (Gütig et al. 2003).

    μ = 0 is additive, μ = 1 multiplicative.
    """

    variable: str
    exponent: str
    towards: Literal["ceiling", "floor"]

    def needs(self) -> frozenset[str]:
        """Need μ."""
        return frozenset({self.exponent})

    def bind(self, context: Context) -> At:
        """Return the room left as the variable now stands."""
        weight, exponent = context.variables[self.variable], context.values[self.exponent]
        if self.towards == "ceiling":
            return lambda _: (1.0 - weight) ** exponent
        return lambda _: weight**exponent


@final
@dataclass(frozen=True)
class Efficacy(Factor):
    """A spike counts less shortly after another of the same cell: 1 − exp(−ISI/τ) (Froemke & Dan 2002)."""

    tau: str

    def needs(self) -> frozenset[str]:
        """Need τ."""
        return frozenset({self.tau})

    def bind(self, context: Context) -> At:
        """Tabulate per unique interspike interval; the first spike counts fully."""
        tau, since = context.values[self.tau], context.timeline.since("own")
        return Tabulated(since, lambda event: -np.expm1(-since.each_ms[event] / tau), size=tau.size).at


@final
@dataclass(frozen=True)
class Below(Factor):
    """How far the postsynaptic potential lies below a threshold, in mV; 0 above it."""

    threshold: str

    def needs(self) -> frozenset[str]:
        """Need the threshold."""
        return frozenset({self.threshold})

    def bind(self, context: Context) -> At:
        """Read the potential at the spike."""
        threshold, potential = context.values[self.threshold], context.timeline.potential_mv.tolist()
        return lambda event: np.maximum(threshold - potential[event], 0.0)


@final
@dataclass(frozen=True, kw_only=True)
class Delayed(Factor):
    """A window that is 0 at Δt = 0 and 1 at its peak: (x e^(1−x))^β, with x = t/peak (Haas et al. 2006).

    t is the time since the last spike of the other cell. The same as t^β e^(−αt) with peak = β/α, divided by its value
    there.
    """

    exponent: str
    peak: str

    def needs(self) -> frozenset[str]:
        """Need β and the peak."""
        return frozenset({self.exponent, self.peak})

    def bind(self, context: Context) -> At:
        """Tabulate per unique interval."""
        exponent, peak = context.values[self.exponent], context.values[self.peak]
        since = context.timeline.since("other")

        def window(event: int) -> FloatArray:
            ago = since.each_ms[event]
            x = ago / peak if np.isfinite(ago[0]) else np.zeros(1)
            return np.asarray((x * np.exp(1.0 - x)) ** exponent)

        return Tabulated(since, window, size=max(exponent.size, peak.size)).at


@final
@dataclass(frozen=True)
class Coincident(Factor):
    """How many spikes of the other cell came within a window before this one (every pair counts once)."""

    window: str

    def needs(self) -> frozenset[str]:
        """Need the window."""
        return frozenset({self.window})

    def bind(self, context: Context) -> At:
        """Count per event."""
        window = context.values[self.window]
        pairs = context.timeline.others_within(float(window.max()))
        # A Δt of exactly the window's width is inside, whatever its last digit.
        reach = window + 1e-6
        return lambda event: (pairs[event][:, None] <= reach).sum(axis=0, dtype=np.float64)


@final
@dataclass(frozen=True)
class Alone(Factor):
    """1 for a spike without a spike of the other cell within a window on either side, else 0. Looks ahead."""

    window: str

    def needs(self) -> frozenset[str]:
        """Need the window."""
        return frozenset({self.window})

    def bind(self, context: Context) -> At:
        """Compare the distance to the nearest spike."""
        nearest = context.timeline.nearest_other_ms.tolist()
        reach = context.values[self.window] + 1e-6
        return lambda event: (nearest[event] > reach).astype(np.float64)
