"""Rules as sums of terms: at a spike, a variable changes by an amplitude times factors. Most rules are that.

Factors are read before the spike moves any trace, and all changes of a spike are made together. Bounds hold after every
spike.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import inf
from typing import Final, Literal, final

import numpy as np

from ephysplast.errors import EphysplastError, near_names
from ephysplast.recording import FloatArray
from ephysplast.simulator._timeline import MEMORY, POST, PRE, Tabulated, Timeline
from ephysplast.simulator._traces import SideTraces
from ephysplast.simulator.equations import Equations, n_sets_of
from ephysplast.simulator.mechanisms import At, Below, Context, Efficacy, Factor, Level, Side, Trace
from ephysplast.simulator.parameter import Values
from ephysplast.units import unit_of

_KINDS: Final[Mapping[Side, int]] = {"pre": PRE, "post": POST}
_OTHER: Final[Mapping[Side, Side]] = {"pre": "post", "post": "pre"}


@final
@dataclass(frozen=True, kw_only=True)
class Variable:
    """Something that changes.

    Attributes
    ----------
    name : str
        ``"w"``, or an expression variable.
    start, low, high : str or float
        Where it starts and its bounds: numbers, or names of parameters.
    """

    name: str
    start: str | float = 1.0
    low: str | float = 0.0
    high: str | float = inf


@final
@dataclass(frozen=True, kw_only=True)
class Term:
    """One change at one kind of spike: sign × scale × amplitudes × factors.

    Attributes
    ----------
    on : {"pre", "post"}
        At whose spikes.
    sign : {1, -1}
        Up or down.
    amplitude : tuple of str
        Parameters that are multiplied.
    factors : tuple of Factor
        What else it is multiplied by.
    variable : str
        What changes.
    scale : float
        A fixed number, such as a unit's.
    """

    on: Side
    sign: Literal[1, -1]
    amplitude: tuple[str, ...]
    factors: tuple[Factor, ...] = ()
    variable: str = "w"
    scale: float = 1.0


@final
@dataclass(frozen=True, kw_only=True)
class TermEquations(Equations):
    """Traces, and terms that read them.

    Attributes
    ----------
    traces : tuple of Trace
        What spikes leave behind.
    terms : tuple of Term
        What they change.
    changed : tuple of Variable
        What is changed.
    """

    traces: tuple[Trace, ...] = ()
    terms: tuple[Term, ...] = ()
    changed: tuple[Variable, ...] = (Variable(name="w"),)

    def __post_init__(self) -> None:
        """Refuse a term that reads a trace, or changes a variable, that is not there."""
        traces, changed = {each.name for each in self.traces}, set(self.variables())
        for term in self.terms:
            unknown = {each.trace for each in term.factors if isinstance(each, Level)} - traces
            if unknown:
                raise EphysplastError(
                    f"a term reads the trace '{unknown.pop()}'", wanted=f"one of: {', '.join(sorted(traces))}"
                )
            if term.variable not in changed:
                raise EphysplastError(f"a term changes '{term.variable}'", remedy=near_names(term.variable, changed))

    def needs(self) -> frozenset[str]:
        """Return the names of all parameters."""
        named = {each for variable in self.changed for each in (variable.start, variable.low, variable.high)}
        named |= {each for term in self.terms for each in term.amplitude} | {each.tau for each in self.traces}
        factors = [each for term in self.terms for each in term.factors]
        factors += [each.weight for each in self.traces if each.weight is not None]
        used = (each.needs() for each in factors)
        return frozenset(each for each in named if isinstance(each, str)).union(*used)

    def variables(self) -> tuple[str, ...]:
        """Return the names of what is changed."""
        return tuple(each.name for each in self.changed)

    def init(self, values: Values, timeline: Timeline, *, rng: np.random.Generator | None = None) -> "TermState":
        """Lay out traces and variables, and bind every term to them."""
        return _state(self, values, timeline)

    def step(self, state: "TermState", event: int) -> None:
        """Change the variables, then let the spike move the traces."""
        kind = state.kinds[event]
        for plan in state.plans.get(kind, ()):
            plan.apply(event)
        for move in state.moves.get(kind, ()):
            move(event)

    def memory_ms(self, values: Values) -> float:
        """Return 40 of the longest time constant, unless a factor depends on the weight or has its own idea of time."""
        factors = [each for term in self.terms for each in term.factors]
        factors += [each.weight for each in self.traces if each.weight is not None]
        if not all(isinstance(each, Level | Efficacy | Below) for each in factors):
            return inf
        taus = [each.tau for each in (*self.traces, *factors) if isinstance(each, Trace | Efficacy)]
        return MEMORY * max((float(values[each].max()) for each in taus), default=0.0)

    def begin_repeats(self, state: "TermState") -> None:
        """Follow, beside the variables, their unbounded sum and what becomes of −∞ and of ∞."""
        for name, value in state.context.variables.items():
            state.followed[name][:] = [np.full_like(value, start) for start in (0.0, -inf, inf)]

    def repeat(self, state: "TermState", n: int) -> None:
        """Apply ``clip(w + sum, low, high)``: whatever bounds did within the stretch, it did no more than that."""
        for name, value in state.context.variables.items():
            total, low, high = state.followed[name]
            for _ in range(n):
                np.add(value, total, out=value)
                np.clip(value, low, high, out=value)
            state.followed[name].clear()

    def changes(self, state: "TermState") -> dict[str, FloatArray]:
        """Return fractions of the start, or differences for what has a unit."""
        found = {}
        for name, value in state.context.variables.items():
            start = state.starts[name]
            found[name] = value - start if unit_of(name) else value / start - 1.0
        return found

    def clock_ms(self, state: "TermState") -> FloatArray:
        """Return the times of the events: nothing is delayed."""
        return state.context.timeline.time_ms

    def watch(self, state: "TermState", event: int) -> Mapping[str, FloatArray]:
        """Return the levels of all traces, and all variables."""
        context, kind = state.context, state.kinds[event]
        # A trace whose spike this was has not faded yet.
        levels = {
            each.name: context.levels[each.name]
            * (1.0 if _KINDS[each.spike] == kind else context.fades[each.name](event))
            for each in self.traces
        }
        return {**levels, **context.variables}


@dataclass(eq=False, kw_only=True)
class TermState:
    """The state of one run; arrays are changed in place."""

    context: Context
    kinds: list[int]
    starts: Mapping[str, FloatArray]
    followed: dict[str, list[FloatArray]]
    plans: "dict[int, list[_Plan]]" = field(default_factory=dict)
    moves: dict[int, list[Callable[[int], None]]] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class _Group:
    """Terms that share their first factor: ``lead · (c₁·f₁ + c₂·f₂ + …)`` takes fewest passes over the sets."""

    lead: At | None
    members: list[tuple[At, tuple[At, ...]]]
    total: FloatArray
    spare: FloatArray

    def evaluate(self, event: int) -> FloatArray:
        filled = False
        for coefficient, factors in self.members:
            if not factors and filled:
                np.add(self.total, coefficient(event), out=self.total)
            elif not factors:
                self.total[:] = coefficient(event)
            else:
                out = self.spare if filled else self.total
                np.multiply(coefficient(event), factors[0](event), out=out)
                for factor in factors[1:]:
                    np.multiply(out, factor(event), out=out)
                if filled:
                    np.add(self.total, self.spare, out=self.total)
            filled = True
        if self.lead is not None:
            np.multiply(self.total, self.lead(event), out=self.total)
        return self.total


@dataclass(eq=False, kw_only=True)
class _Plan:
    """All that one kind of spike does to one variable, and to what follows it: its sum, and two that are bounded."""

    variable: FloatArray
    followed: list[FloatArray]
    groups: list[_Group]
    low: FloatArray | None
    high: FloatArray | None

    def apply(self, event: int) -> None:
        # All are read before any is made: a soft bound depends on the variable itself.
        for each in [group.evaluate(event) for group in self.groups]:
            for held in (self.variable, *self.followed):
                np.add(held, each, out=held)
        for held in (self.variable, *self.followed[1:]):
            if self.low is not None:
                np.maximum(held, self.low, out=held)
            if self.high is not None:
                np.minimum(held, self.high, out=held)


def _state(equations: TermEquations, values: Values, timeline: Timeline) -> TermState:
    n_sets = n_sets_of(values)
    sides = {side: SideTraces.of(equations.traces, side, values, timeline) for side in _KINDS}
    fades = {name: each for side in sides.values() for name, each in side.fades().items()}
    levels = {name: each for side in sides.values() for name, each in side.levels().items()}
    starts = {each.name: np.broadcast_to(_value(each.start, values), n_sets) for each in equations.changed}
    variables = {name: each.astype(np.float64).copy() for name, each in starts.items()}
    context = Context(values=values, timeline=timeline, fades=fades, levels=levels, variables=variables)
    followed: dict[str, list[FloatArray]] = {name: [] for name in variables}
    state = TermState(context=context, kinds=timeline.kind.tolist(), starts=starts, followed=followed)
    for side, kind in _KINDS.items():
        plans = [_plan(equations, each, side, state) for each in equations.changed]
        state.plans[kind] = [each for each in plans if each is not None]
        state.moves[kind] = [*sides[side].own_moves(context), *sides[_OTHER[side]].other_moves()]
    return state


def _plan(equations: TermEquations, variable: Variable, side: Side, state: TermState) -> _Plan | None:
    terms = [each for each in equations.terms if each.on == side and each.variable == variable.name]
    if not terms:
        return None
    context = state.context
    value = context.variables[variable.name]
    leads = list(dict.fromkeys(each.factors[0] if each.factors else None for each in terms))
    groups = []
    for lead in leads:
        alike = [each for each in terms if (each.factors[0] if each.factors else None) == lead]
        members = [_member(each, equations.traces, context) for each in alike]
        members.sort(key=lambda each: not each[1])  # products first: a plain number is then added in one pass
        groups.append(
            _Group(
                lead=None if lead is None else lead.bind(context),
                members=members,
                total=np.empty_like(value),
                spare=np.empty_like(value),
            )
        )
    signs = {each.sign for each in terms}
    low, high = _value(variable.low, context.values), _value(variable.high, context.values)
    return _Plan(
        variable=value,
        followed=state.followed[variable.name],
        groups=groups,
        low=low if -1 in signs and np.isfinite(low).any() else None,
        high=high if 1 in signs and np.isfinite(high).any() else None,
    )


def _member(term: Term, traces: tuple[Trace, ...], context: Context) -> tuple[At, tuple[At, ...]]:
    """Return the coefficient, with what all traces of the term have faded since their spikes, and further factors."""
    amplitude = np.array([float(term.sign * term.scale)])
    for name in term.amplitude:
        amplitude = amplitude * context.values[name]
    rest = tuple(each.bind(context) for each in term.factors[1:])
    read = {each.trace for each in term.factors if isinstance(each, Level)}
    levels = [each for each in traces if each.name in read]
    if not levels:
        return lambda _: amplitude, rest

    def coefficient(event: int) -> FloatArray:
        value = amplitude
        for each in levels:
            value = value * context.fades[each.name](event)
        return value

    size = max(amplitude.size, *(context.values[each.tau].size for each in levels))
    return Tabulated(context.timeline.since(*(each.spike for each in levels)), coefficient, size=size).at, rest


def _value(named: str | float, values: Values) -> FloatArray:
    return values[named] if isinstance(named, str) else np.array([named])
