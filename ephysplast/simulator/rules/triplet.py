"""The triplet rule (Pfister & Gerstner 2006): eight published parameter sets, each a package of its own."""

from typing import Final, Literal, TypeAlias

from ephysplast.simulator.expression import POSTSYNAPTIC
from ephysplast.simulator.mechanisms import Level, Trace
from ephysplast.simulator.parameter import AGREED, Parameter, amplitude, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations

_Which: TypeAlias = Literal["all", "nearest"]
_SOURCE: Final = "Pfister & Gerstner 2006, doi:10.1523/JNEUROSCI.1425-06.2006"
_REGIONS: Final = {"visual": "visual cortex", "hippocampal": "hippocampal culture"}
_WHICH: Final = {"all": "all spikes", "nearest": "nearest spikes"}
_MEANINGS: Final = {
    "a2_plus": "potentiation by a pair",
    "a3_plus": "potentiation by post-pre-post",
    "a2_minus": "depression by a pair",
    "a3_minus": "depression by pre-post-pre",
    "tau_plus_ms": "fast presynaptic trace",
    "tau_minus_ms": "fast postsynaptic trace",
    "tau_x_ms": "slow presynaptic trace",
    "tau_y_ms": "slow postsynaptic trace",
}

_COLUMNS: Final = ("a2_plus", "a3_plus", "a2_minus", "a3_minus", "tau_x_ms", "tau_y_ms")
# Region, spikes that count, size, then the columns. What a set has not is no part of its equations.
_TABLE: Final[tuple[tuple[str, _Which, str, tuple[float | None, ...]], ...]] = (
    ("visual", "all", "full", (5e-10, 6.2e-3, 7.0e-3, 2.3e-4, 101.0, 125.0)),
    ("visual", "all", "minimal", (None, 6.5e-3, 7.1e-3, None, None, 114.0)),
    ("visual", "nearest", "full", (8.8e-11, 5.3e-2, 6.6e-3, 3.1e-3, 714.0, 40.0)),
    ("visual", "nearest", "minimal", (None, 5.0e-2, 8.0e-3, None, None, 40.0)),
    ("hippocampal", "all", "full", (6.1e-3, 6.7e-3, 1.6e-3, 1.4e-3, 946.0, 27.0)),
    ("hippocampal", "all", "minimal", (5.3e-3, 8.0e-3, 3.5e-3, None, None, 40.0)),
    ("hippocampal", "nearest", "full", (4.6e-3, 9.1e-3, 3.0e-3, 7.5e-9, 575.0, 47.0)),
    ("hippocampal", "nearest", "minimal", (4.6e-3, 9.1e-3, 3.0e-3, None, None, 48.0)),
)

_TRACES: Final = (
    Trace(name="r2", spike="pre", tau="tau_x_ms"),
    Trace(name="r1", spike="pre", tau="tau_plus_ms"),
    Trace(name="o1", spike="post", tau="tau_minus_ms"),
    Trace(name="o2", spike="post", tau="tau_y_ms"),
)
_TERMS: Final = (
    Term(on="pre", sign=-1, amplitude=("a2_minus",), factors=(Level("o1"),)),
    Term(on="pre", sign=-1, amplitude=("a3_minus",), factors=(Level("o1"), Level("r2"))),
    Term(on="post", sign=1, amplitude=("a2_plus",), factors=(Level("r1"),)),
    Term(on="post", sign=1, amplitude=("a3_plus",), factors=(Level("r1"), Level("o2"))),
)


def _parameter(name: str, value: float) -> Parameter:
    if name.endswith("_ms"):
        slow = name in ("tau_x_ms", "tau_y_ms")
        likely = (10.0, 1000.0) if slow else (2.0, 200.0)
        return time_constant(name, value, meaning=_MEANINGS[name], source=_SOURCE, confidence=AGREED, likely=likely)
    return amplitude(name, value, meaning=_MEANINGS[name], source=_SOURCE, confidence=AGREED, likely=0.2)


def _rule(region: str, which: _Which, size: str, values: tuple[float | None, ...]) -> Rule:
    held = {name: each for name, each in zip(_COLUMNS, values, strict=True) if each is not None}
    held |= {"tau_plus_ms": 16.8, "tau_minus_ms": 33.7}
    own: Literal["add", "set"] = "add" if which == "all" else "set"
    traces = tuple(
        Trace(name=each.name, spike=each.spike, tau=each.tau, own=own) for each in _TRACES if each.tau in held
    )
    terms = tuple(each for each in _TERMS if each.amplitude[0] in held)
    return Rule(
        name=f"triplet_{region}_{which}_{size}",
        family="triplet",
        summary=f"triplet rule, {_REGIONS[region]}, {_WHICH[which]}, {size} set",
        equations=TermEquations(traces=traces, terms=terms),
        parameters=tuple(_parameter(name, held[name]) for name in _MEANINGS if name in held),
        expression=POSTSYNAPTIC,
        source=_SOURCE,
        confidence=AGREED,
        note="weights in units of the baseline; the sets were fitted to 60 pairings and do not mix; "
        "the rule knows a weight only: that it lives in q is an assumption",
    )


TRIPLET_RULES: Final = tuple(_rule(region, which, size, values) for region, which, size, values in _TABLE)
