"""Pair rules: every pairing scheme, from additive to multiplicative, with and without suppression; and their mirror."""

from typing import Final, Literal

from ephysplast.simulator.expression import POSTSYNAPTIC
from ephysplast.simulator.mechanisms import Efficacy, Level, SoftBound, Trace
from ephysplast.simulator.parameter import AGREED, OPERATIONAL, SINGLE, Parameter, amplitude, constant, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations, Variable

_SONG: Final = "Song, Miller & Abbott 2000, doi:10.1038/78829"
_BI_POO: Final = "Bi & Poo 2001, doi:10.1146/annurev.neuro.24.1.139"
_MORRISON: Final = "Morrison, Diesmann & Gerstner 2008, doi:10.1007/s00422-008-0233-1"
_FROEMKE: Final = "Froemke & Dan 2002, doi:10.1038/416433a"
_GUETIG: Final = "Gütig et al. 2003, doi:10.1523/JNEUROSCI.23-09-03697.2003"
_WEIGHT_UNKNOWN: Final = "the rule knows a weight only: that it lives in q is an assumption"

_PAIRED: Final = (Level("r1"),)
_PAIRED_BACK: Final = (Level("o1"),)


def _traces(
    *,
    pre: tuple[Literal["add", "set"], Literal["keep", "clear"]],
    post: tuple[Literal["add", "set"], Literal["keep", "clear"]],
) -> tuple[Trace, ...]:
    return (
        Trace(name="r1", spike="pre", tau="tau_plus_ms", own=pre[0], other=pre[1]),
        Trace(name="o1", spike="post", tau="tau_minus_ms", own=post[0], other=post[1]),
    )


ALL_TO_ALL: Final = _traces(pre=("add", "keep"), post=("add", "keep"))
"""Every presynaptic spike pairs with every postsynaptic one."""
NEAREST_SYMMETRIC: Final = _traces(pre=("set", "keep"), post=("set", "keep"))
"""Each presynaptic spike pairs with the last postsynaptic one, each postsynaptic one with the last presynaptic one."""
NEAREST_PRE_CENTRED: Final = _traces(pre=("add", "clear"), post=("set", "keep"))
"""Each presynaptic spike pairs with the last postsynaptic one and with the next one."""
NEAREST_REDUCED: Final = _traces(pre=("set", "clear"), post=("set", "clear"))
"""As symmetric, but only between spikes that follow each other immediately."""

_HEBBIAN: Final = (
    Term(on="pre", sign=-1, amplitude=("a_minus",), factors=_PAIRED_BACK),
    Term(on="post", sign=1, amplitude=("a_plus",), factors=_PAIRED),
)
_BETWEEN_0_AND_1: Final = (Variable(name="w", start="w_start", high=1.0),)


def _amplitudes(
    plus: float, minus: float, *, source: str, confidence: str, likely: float = 0.05
) -> tuple[Parameter, ...]:
    return (
        amplitude(
            "a_plus",
            plus,
            meaning="potentiation by a pair at Δt = +0",
            source=source,
            confidence=confidence,
            likely=likely,
        ),
        amplitude(
            "a_minus",
            minus,
            meaning="depression by a pair at Δt = −0",
            source=source,
            confidence=confidence,
            likely=likely,
        ),
    )


def _windows(plus_ms: float, minus_ms: float, *, source: str, confidence: str) -> tuple[Parameter, ...]:
    return (
        time_constant(
            "tau_plus_ms", plus_ms, meaning="window of potentiation (pre first)", source=source, confidence=confidence
        ),
        time_constant(
            "tau_minus_ms", minus_ms, meaning="window of depression (post first)", source=source, confidence=confidence
        ),
    )


def _start(source: str, confidence: str) -> Parameter:
    return constant(
        "w_start",
        0.5,
        unit="",
        bounds=(0.01, 1.0),
        meaning="weight before, as a share of the largest there is",
        source=source,
        confidence=confidence,
    )


_FREE: Final = _amplitudes(0.005, 0.00525, source="starting values, to be fitted", confidence=OPERATIONAL)
_REVIEW: Final = _windows(16.8, 33.7, source=_BI_POO, confidence=AGREED)


def _scheme(name: str, traces: tuple[Trace, ...], summary: str) -> Rule:
    return Rule(
        name=f"pair_{name}",
        family="pair",
        summary=f"pair rule, {summary}",
        equations=TermEquations(traces=traces, terms=_HEBBIAN),
        parameters=(*_FREE, *_REVIEW),
        expression=POSTSYNAPTIC,
        source=_MORRISON,
        confidence=AGREED,
        note=f"weights in units of the baseline; parameters of one scheme do not hold for another; {_WEIGHT_UNKNOWN}",
    )


_SONG_RULE: Final = Rule(
    name="pair_song",
    family="pair",
    summary="pair rule, all spikes, additive, between 0 and a largest weight",
    equations=TermEquations(traces=ALL_TO_ALL, terms=_HEBBIAN, changed=_BETWEEN_0_AND_1),
    parameters=(
        *_amplitudes(0.005, 0.00525, source=_SONG, confidence=AGREED),
        *_windows(20.0, 20.0, source=_SONG, confidence=AGREED),
        _start("free; the paper's network sets it", OPERATIONAL),
    ),
    expression=POSTSYNAPTIC,
    source=_SONG,
    confidence=AGREED,
    note=f"amplitudes are shares of the largest weight; near it potentiation is cut off; {_WEIGHT_UNKNOWN}",
)

_SOFT_RULE: Final = Rule(
    name="pair_soft_bounds",
    family="pair",
    summary="pair rule, all spikes, from additive (μ = 0) to multiplicative (μ = 1)",
    equations=TermEquations(
        traces=ALL_TO_ALL,
        terms=(
            Term(
                on="pre",
                sign=-1,
                amplitude=("a_minus",),
                factors=(*_PAIRED_BACK, SoftBound(variable="w", exponent="mu", towards="floor")),
            ),
            Term(
                on="post",
                sign=1,
                amplitude=("a_plus",),
                factors=(*_PAIRED, SoftBound(variable="w", exponent="mu", towards="ceiling")),
            ),
        ),
        changed=_BETWEEN_0_AND_1,
    ),
    parameters=(
        *_FREE,
        *_windows(20.0, 20.0, source=_SONG, confidence=AGREED),
        constant(
            "mu",
            0.5,
            unit="",
            bounds=(0.0, 1.0),
            meaning="0 additive, 1 multiplicative",
            source="free between the two",
            confidence=OPERATIONAL,
        ),
        _start("free", OPERATIONAL),
    ),
    expression=POSTSYNAPTIC,
    source=_GUETIG,
    confidence=AGREED,
    note=f"amplitudes are shares of the largest weight; {_WEIGHT_UNKNOWN}",
)

_PER_PAIR: Final = f"{_FROEMKE}: 101 % and 52 % by a whole protocol; that a pair makes a 70th of it is an assumption"
_FROEMKE_RULE: Final = Rule(
    name="pair_froemke_dan",
    family="pair",
    summary="pair rule, all spikes; a spike counts less shortly after another of the same cell",
    equations=TermEquations(
        traces=(
            Trace(name="r1", spike="pre", tau="tau_plus_ms", weight=Efficacy("tau_pre_suppression_ms")),
            Trace(name="o1", spike="post", tau="tau_minus_ms", weight=Efficacy("tau_post_suppression_ms")),
        ),
        terms=(
            Term(
                on="pre", sign=-1, amplitude=("a_minus",), factors=(*_PAIRED_BACK, Efficacy("tau_pre_suppression_ms"))
            ),
            Term(on="post", sign=1, amplitude=("a_plus",), factors=(*_PAIRED, Efficacy("tau_post_suppression_ms"))),
        ),
    ),
    parameters=(
        *_amplitudes(1.01 / 70, 0.52 / 70, source=_PER_PAIR, confidence=SINGLE),
        *_windows(14.8, 33.8, source=_FROEMKE, confidence=SINGLE),
        time_constant(
            "tau_pre_suppression_ms", 34.0, meaning="recovery of presynaptic spikes", source=_FROEMKE, confidence=SINGLE
        ),
        time_constant(
            "tau_post_suppression_ms",
            75.0,
            meaning="recovery of postsynaptic spikes",
            source=_FROEMKE,
            confidence=SINGLE,
        ),
    ),
    expression=POSTSYNAPTIC,
    source=_FROEMKE,
    confidence=SINGLE,
    note=f"weights in units of the baseline; {_WEIGHT_UNKNOWN}",
)

PAIR_RULES: Final = (
    _scheme("all", ALL_TO_ALL, "all spikes, additive"),
    _scheme("nearest_symmetric", NEAREST_SYMMETRIC, "nearest spikes (symmetric), additive"),
    _scheme("nearest_pre_centred", NEAREST_PRE_CENTRED, "nearest spikes around each presynaptic one, additive"),
    _scheme("nearest_reduced_symmetric", NEAREST_REDUCED, "immediate neighbours only, additive"),
    _SONG_RULE,
    _SOFT_RULE,
    _FROEMKE_RULE,
)
