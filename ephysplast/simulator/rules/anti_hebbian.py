"""Anti-Hebbian rules: the mirror of the pair rule, and potentiation that depolarisation prevents."""

from typing import Final

from ephysplast.simulator.expression import POSTSYNAPTIC, PRESYNAPTIC
from ephysplast.simulator.mechanisms import Below, Level, Trace
from ephysplast.simulator.parameter import OPERATIONAL, SIGN_ONLY, amplitude, constant, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.rules.pair import ALL_TO_ALL
from ephysplast.simulator.terms import Term, TermEquations

_LAMSA: Final = "Lamsa et al. 2007, doi:10.1126/science.1137450"
_TO_FIT: Final = "starting value, to be fitted"

ANTI_HEBBIAN_RULES: Final = (
    Rule(
        name="anti_hebbian",
        family="anti-Hebbian",
        summary="depression when the presynaptic cell fires first, potentiation when it fires last",
        equations=TermEquations(
            traces=ALL_TO_ALL,
            terms=(
                Term(on="pre", sign=1, amplitude=("a_minus",), factors=(Level("o1"),)),
                Term(on="post", sign=-1, amplitude=("a_plus",), factors=(Level("r1"),)),
            ),
        ),
        parameters=(
            amplitude(
                "a_plus", 0.005, meaning="depression by a pair at Δt = +0", source=_TO_FIT, confidence=OPERATIONAL
            ),
            amplitude(
                "a_minus", 0.005, meaning="potentiation by a pair at Δt = −0", source=_TO_FIT, confidence=OPERATIONAL
            ),
            time_constant("tau_plus_ms", 20.0, meaning="window with pre first", source=_TO_FIT, confidence=OPERATIONAL),
            time_constant(
                "tau_minus_ms", 20.0, meaning="window with post first", source=_TO_FIT, confidence=OPERATIONAL
            ),
        ),
        expression=POSTSYNAPTIC,
        source="the mirror image of the pair rule",
        confidence=OPERATIONAL,
        note="weights in units of the baseline; a_plus belongs to Δt > 0, as in the pair rule; "
        "where the weight lives is an assumption",
    ),
    Rule(
        name="anti_hebbian_lamsa",
        family="anti-Hebbian",
        summary="presynaptic high-frequency firing potentiates unless the postsynaptic cell is depolarised",
        equations=TermEquations(
            traces=(Trace(name="x_pre", spike="pre", tau="tau_ms"),),
            terms=(Term(on="pre", sign=1, amplitude=("a_per_mv",), factors=(Level("x_pre"), Below("threshold_mv"))),),
        ),
        parameters=(
            amplitude(
                "a_per_mv",
                1e-5,
                unit="1/mV",
                likely=1e-3,
                meaning="change per unit of the trace and mV below the threshold",
                source=_TO_FIT,
                confidence=OPERATIONAL,
            ),
            constant(
                "threshold_mv",
                -50.0,
                unit="mV",
                bounds=(-100.0, 20.0),
                likely=(-70.0, -30.0),
                meaning="no potentiation above this potential",
                source=_TO_FIT,
                confidence=OPERATIONAL,
            ),
            time_constant("tau_ms", 20.0, meaning="presynaptic trace", source=_TO_FIT, confidence=OPERATIONAL),
        ),
        expression=PRESYNAPTIC,
        source=f"{_LAMSA} (pyramidal cell to oriens interneuron)",
        confidence=SIGN_ONLY,
        note="give the protocol the postsynaptic potential (held_at); weights in units of the baseline",
    ),
)
