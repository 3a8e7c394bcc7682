"""A window that is empty at Δt = 0 and largest some ms away from it (Haas et al. 2006)."""

from typing import Final

from ephysplast.simulator.expression import CONDUCTANCE
from ephysplast.simulator.mechanisms import Delayed
from ephysplast.simulator.parameter import AGREED, OPERATIONAL, SINGLE, constant, time_constant
from ephysplast.simulator.parameter import amplitude as amplitude_of
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations

_HAAS: Final = "Haas, Nowotny & Abarbanel 2006, doi:10.1152/jn.00551.2006"
_TALATHI: Final = "Talathi, Hwang & Ditto 2008, doi:10.1007/s10827-008-0077-7"
_PEAK_ONLY: Final = (Delayed(exponent="beta", peak="peak_ms"),)
EQUATIONS: Final = TermEquations(
    terms=(
        Term(on="pre", sign=-1, amplitude=("a",), factors=_PEAK_ONLY),
        Term(on="post", sign=1, amplitude=("a",), factors=_PEAK_ONLY),
    )
)
"""Potentiation when the presynaptic cell fires first, depression when it fires last; nearest spikes."""


def _rule(
    name: str, summary: str, beta: float, peak_ms: float, *, source: str, exponents: str, confidence: str
) -> Rule:
    return Rule(
        name=name,
        family="delayed",
        summary=summary,
        equations=EQUATIONS,
        parameters=(
            amplitude_of(
                "a",
                0.005,
                meaning="largest change by a pair",
                source="starting value, to be fitted",
                confidence=OPERATIONAL,
            ),
            constant(
                "beta",
                beta,
                unit="",
                bounds=(0.1, 100.0),
                likely=(1.0, 20.0),
                meaning="exponent: the larger, the narrower",
                source=exponents,
                confidence=confidence,
            ),
            time_constant(
                "peak_ms", peak_ms, meaning="|Δt| of the largest change", source=exponents, confidence=confidence
            ),
        ),
        expression=CONDUCTANCE,
        source=source,
        confidence=AGREED,
        note="weights in units of the baseline; the same as |Δt|^β e^(−α|Δt|), with peak = β/α, divided by its peak",
    )


DELAYED_RULES: Final = (
    _rule(
        "haas",
        "inhibition: nothing at Δt = 0, largest near ±10 ms, up for pre first",
        10.0,
        10.0,
        source=_HAAS,
        exponents=f"{_HAAS}: β 10, α 1/ms for both signs",
        confidence=AGREED,
    ),
    _rule(
        "haas_talathi",
        "as haas, broader and later, as used in a network",
        5.0,
        20.0,
        source=_TALATHI,
        exponents=f"{_TALATHI}: β 5, α 0.25/ms",
        confidence=SINGLE,
    ),
)
