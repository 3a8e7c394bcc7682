"""Run a rule through a protocol: what happens to p, n, q, g, E_GABA and the cell's own excitability."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import OK, EphysplastError, SettingsError
from ephysplast.recording import FloatArray
from ephysplast.result import Result
from ephysplast.simulator._timeline import Timeline
from ephysplast.simulator.expression import VARIABLES, Expression, find_expression
from ephysplast.simulator.parameter import Values, parameter_sets
from ephysplast.simulator.protocol import Protocol
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.rules import find_rule

if TYPE_CHECKING:
    import pandas as pd

_STRENGTH: Final = ("p", "n", "q", "g")
_NONE: Final = np.zeros(1)
_JUST_BEFORE_S: Final = 1e-6
_AFTER_ROW_S: Final = 0.1
"""Of the pause after a row of spikes: traces of some 20 ms have faded by then."""
_MUCH_LONGER: Final = 8.0


@dataclass(frozen=True, eq=False, kw_only=True)
class SimulationResult(Result):
    """What a protocol changed, for each parameter set.

    Attributes
    ----------
    status : str
        ``"ok"``.
    rule, protocol : str
        What was run; the protocol with its numbers of repetitions.
    changed : tuple of str
        Which of the variables below the rule can change; the others are 0.
    p, n, q, g : numpy.ndarray, shape (n_sets,)
        Change of release probability, number of sites, quantal size and inhibitory conductance, as a fraction: 0.4 is
        +40 %, −1 is nothing left.
    e_gaba_mv, rheobase_pa, gain_hz_per_pa, threshold_mv, rin_mohm : numpy.ndarray, shape (n_sets,)
        Shift of the reversal potential of GABA_A currents; changes of excitability.
    parameters : mapping of str to numpy.ndarray, shape (n_sets,)
        Every parameter of the rule as it was used.
    """

    status: str = OK
    rule: str
    protocol: str
    changed: tuple[str, ...]
    p: FloatArray
    n: FloatArray
    q: FloatArray
    g: FloatArray
    e_gaba_mv: FloatArray
    rheobase_pa: FloatArray
    gain_hz_per_pa: FloatArray
    threshold_mv: FloatArray
    rin_mohm: FloatArray
    parameters: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def strength(self) -> FloatArray:
        """Change of synaptic strength (p · n · q · g) as a fraction, at an unchanged driving force; shape (n_sets,)."""
        product = np.ones_like(self.p)
        for name in _STRENGTH:
            product = product * (1.0 + getattr(self, name))
        return product - 1.0

    def current_change(self, *, v_mv: float, e_gaba_mv: float) -> FloatArray:
        """Return the change of an inhibitory current, in which E_GABA and conductance both take part.

        ``(1 + strength)(V − E − ΔE)/(V − E) − 1``.

        Parameters
        ----------
        v_mv : float
            Potential at which the current is measured.
        e_gaba_mv : float
            E_GABA before the protocol.

        Returns
        -------
        numpy.ndarray, shape (n_sets,)
            As a fraction; below −1 the current has turned round.

        Raises
        ------
        EphysplastError
            At E_GABA itself, where there is no current.
        """
        force = v_mv - e_gaba_mv
        if not np.isfinite(force) or force == 0.0:
            raise EphysplastError(
                "there is no current whose change could be given",
                got=f"{v_mv:g} mV, E_GABA {e_gaba_mv:g} mV",
                wanted="a potential away from E_GABA",
            )
        return np.asarray((1.0 + self.strength) * (force - self.e_gaba_mv) / force - 1.0)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per parameter set: rule, protocol, strength, every change, then the parameters."""
        import pandas as pd

        columns: dict[str, Any] = {"rule": self.rule, "protocol": self.protocol, "status": self.status}
        columns["strength"] = self.strength
        columns |= {each.name: getattr(self, each.name) for each in VARIABLES}
        return pd.DataFrame(columns | dict(self.parameters))


@dataclass(frozen=True, eq=False, kw_only=True)
class StateCourse(Result):
    """The state of a rule through a protocol, for one parameter set.

    Attributes
    ----------
    status : str
        ``"ok"``.
    rule, protocol : str
        What was run.
    pre_s, post_s : numpy.ndarray
        The spikes.
    time_s : numpy.ndarray, shape (n_moments,)
        Never falling; there is a moment 1 µs before each spike acts, and one just after it.
    states : mapping of str to numpy.ndarray, shape (n_moments,)
        Trace or variable → its course.
    changed : tuple of str
        Those of the states that are the rule's outcome.
    first_row_s : (float, float) or None
        The first row of spikes and a little of the pause after it, where the protocol goes on for much longer.
    """

    status: str = OK
    rule: str
    protocol: str
    pre_s: FloatArray
    post_s: FloatArray
    time_s: FloatArray
    states: Mapping[str, FloatArray]
    changed: tuple[str, ...]
    first_row_s: tuple[float, float] | None = None

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per moment."""
        import pandas as pd

        return pd.DataFrame({"time_s": self.time_s, **self.states})


def simulate(
    rule: Rule | str,
    protocol: Protocol,
    *,
    parameters: Mapping[str, Any] | None = None,
    expression: Expression | str | None = None,
    rng: np.random.Generator | None = None,
) -> SimulationResult:
    """Run a rule through an induction protocol, exactly, for one or many parameter sets at once.

    Time goes from spike to spike, and what decays in between is known in closed form: no time step. A presynaptic spike
    at the very moment of a postsynaptic one counts as the first of the two. The number of pairings is the protocol's;
    nothing is rescaled.

    Parameters
    ----------
    rule : Rule or str
        A rule, or the name of one of :data:`~ephysplast.simulator.RULES`.
    protocol : Protocol
        When the cells fired.
    parameters : mapping of str to array_like or Quantity, optional
        Parameter → one value, or one for each parameter set; the others keep the rule's values.
    expression : Expression or str, optional
        Where the weight lives, instead of where the rule has it.
    rng : numpy.random.Generator, optional
        For rules with noise.

    Returns
    -------
    SimulationResult
        Arrays of shape (n_sets,).

    Raises
    ------
    SettingsError
        For an unknown rule, parameter or expression (near names are offered), a value outside its bounds, or a rule
        with noise without `rng`.

    Examples
    --------
    >>> from ephysplast.simulator import pairing
    >>> protocol = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=60)
    >>> simulate("triplet_visual_all_full", protocol).q.round(2).tolist()
    [0.25]
    >>> simulate("triplet_visual_all_full", protocol, parameters={"a3_plus": [0.0, 0.01]}).q.round(2).tolist()
    [-0.17, 0.5]
    """
    made, values, n_sets = _prepared(rule, parameters, expression, rng)
    changes = run(made, Timeline.of(protocol), values, n_sets, rng=rng)
    shared = _expressed(made, changes)
    full: dict[str, Any] = {each.name: np.broadcast_to(shared.get(each.name, _NONE), n_sets) for each in VARIABLES}
    return SimulationResult(
        rule=made.name,
        protocol=protocol.description,
        changed=tuple(shared),
        parameters={name: np.broadcast_to(each, n_sets) for name, each in values.items()},
        **full,
    )


def trace_states(
    rule: Rule | str,
    protocol: Protocol,
    *,
    parameters: Mapping[str, float] | None = None,
    n_moments: int = 1000,
    after_s: float = 0.2,
    rng: np.random.Generator | None = None,
) -> StateCourse:
    """Follow the traces and variables of a rule through a protocol, for one parameter set.

    Parameters
    ----------
    rule : Rule or str
        As in :func:`simulate`.
    protocol : Protocol
        With at least one spike.
    parameters : mapping of str to float, optional
        One value each.
    n_moments : int
        Moments between the first spike and the end, and again in the first row of spikes where it is much shorter;
        those around each spike come on top of them.
    after_s : float
        How long after the last spike the course ends.
    rng : numpy.random.Generator, optional
        For rules with noise.

    Returns
    -------
    StateCourse

    Raises
    ------
    SettingsError
        As :func:`simulate`, for lists of parameter values, and for a protocol without spikes.

    Examples
    --------
    >>> from ephysplast.simulator import pairing
    >>> course = trace_states("vogels", pairing(dt_ms=10.0, frequency_hz=10.0, n_pairings=3))
    >>> sorted(course.states)
    ['w', 'x_post', 'x_pre']
    """
    made, values, n_sets = _prepared(rule, parameters, None, rng)
    spikes_s = np.sort(np.concatenate([protocol.pre_s, protocol.post_s]))
    if n_sets > 1 or not spikes_s.size or n_moments < 2 or after_s < 0.0:
        raise SettingsError(
            "a course of states needs one parameter set, a protocol with spikes, and a time that goes on",
            got=f"{n_sets} sets, {spikes_s.size} spikes, n_moments {n_moments}, after_s {after_s}",
        )
    acts_s = made.equations.clock_ms(made.equations.init(values, Timeline.of(protocol), rng=rng)) / 1e3
    end_s = float(acts_s[-1]) + after_s
    row = _first_row_s(float(spikes_s[0]), np.sort(acts_s), end_s)
    spans = [(float(spikes_s[0]), end_s), *([] if row is None else [row])]
    stretches = [np.linspace(start, stop, n_moments) for start, stop in spans]
    looks_s = np.concatenate([*stretches, acts_s - _JUST_BEFORE_S])
    timeline = Timeline.of(protocol, np.unique(looks_s))
    state = made.equations.init(values, timeline, rng=rng)
    clock_ms = made.equations.clock_ms(state)
    rows: list[dict[str, float]] = []
    for event in range(len(timeline.kind)):
        made.equations.step(state, event)
        rows.append({name: float(each[0]) for name, each in made.equations.watch(state, event).items()})
    return StateCourse(
        rule=made.name,
        protocol=protocol.description,
        pre_s=protocol.pre_s,
        post_s=protocol.post_s,
        time_s=clock_ms / 1e3,
        states={name: np.array([each[name] for each in rows]) for name in rows[0]},
        changed=made.equations.variables(),
        first_row_s=row,
    )


def _first_row_s(start: float, times_s: FloatArray, end_s: float) -> tuple[float, float] | None:
    """Return from the first spike to some time after the first row of them; none where that is most of it, or one."""
    pauses = np.diff(times_s)
    (breaks,) = np.nonzero(pauses > 0.5 * pauses.max(initial=0.0))
    if not breaks.size or breaks[0] == 0:
        return None
    lasts, pause = float(times_s[breaks[0]]) - start, float(pauses[breaks[0]])
    shown = lasts + min(pause, max(lasts, _AFTER_ROW_S))
    return (start, start + shown) if end_s - start > _MUCH_LONGER * shown else None


def run(
    rule: Rule, timeline: Timeline, values: Values, n_sets: int, *, rng: np.random.Generator | None
) -> dict[str, FloatArray]:
    """Return variable → change, shape (n_sets,), of parameters that were checked.

    Sets are run in groups of a size that is fast; groups share their random numbers. Rows of pairings that repeat after
    long pauses are stepped through once.
    """
    equations = rule.equations
    seed = int(rng.integers(2**63)) if equations.is_random and rng is not None else None
    n_groups = -(-n_sets // equations.most_sets)
    found: dict[str, list[FloatArray]] = {name: [] for name in equations.variables()}
    for group in np.array_split(np.arange(n_sets), n_groups):
        part = {name: each if each.size == 1 else each[group[0] : group[-1] + 1] for name, each in values.items()}
        state = equations.init(part, timeline, rng=None if seed is None else np.random.default_rng(seed))
        for first, stop, n in timeline.repeats(equations.memory_ms(part)):
            if n > 1:
                equations.begin_repeats(state)
            for event in range(first, stop):
                equations.step(state, event)
            if n > 1:
                equations.repeat(state, n - 1)
        for name, each in equations.changes(state).items():
            found[name].append(np.broadcast_to(each, len(group)))
    return {name: np.concatenate(each) for name, each in found.items()}


def _prepared(
    rule: Rule | str,
    parameters: Mapping[str, Any] | None,
    expression: Expression | str | None,
    rng: np.random.Generator | None,
) -> tuple[Rule, Values, int]:
    made = find_rule(rule) if isinstance(rule, str) else rule
    if expression is not None:
        made = made.expressed(find_expression(expression) if isinstance(expression, str) else expression)
    if made.equations.is_random and rng is None:
        raise SettingsError(
            f"the rule {made.name} has noise",
            got="no random number generator",
            remedy="pass rng=numpy.random.default_rng(seed)",
        )
    return made, *parameter_sets(made.parameters, parameters, rule=made.name)


def _expressed(rule: Rule, changes: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Replace the weight by what it lives in."""
    found: dict[str, FloatArray] = {}
    for name, change in changes.items():
        found |= rule.expression.split(change) if rule.expression and name == "w" else {name: change}
    return found
