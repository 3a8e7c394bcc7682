"""One rule for both sides of the synapse (Costa et al. 2015): release probability and quantal size change apart."""

from typing import Final

from ephysplast.simulator.mechanisms import Level, Trace
from ephysplast.simulator.parameter import OPERATIONAL, SINGLE, amplitude, constant, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations, Variable

_SOURCE: Final = "Costa, Froemke, Sjöström & van Rossum 2015, doi:10.7554/eLife.09457"
_TO_FIT: Final = "to be fitted: with 1 the set does not reproduce the data"

_COSTA: Final = Rule(
    name="costa",
    family="pre and post",
    summary="release probability and quantal size change by rules of their own",
    equations=TermEquations(
        traces=(
            Trace(name="ff_plus", spike="pre", tau="tau_ff_plus_ms"),
            Trace(name="fb_minus", spike="post", tau="tau_fb_minus_ms"),
            Trace(name="fb_plus", spike="post", tau="tau_fb_plus_ms"),
        ),
        terms=(
            Term(
                on="pre",
                sign=-1,
                variable="p",
                amplitude=("eta", "d_minus"),
                factors=(Level("fb_plus"), Level("fb_minus")),
            ),
            Term(
                on="pre",
                sign=1,
                variable="p",
                amplitude=("eta", "d_plus"),
                factors=(Level("fb_plus"), Level("ff_plus")),
            ),
            Term(
                on="post",
                sign=1,
                variable="q",
                amplitude=("eta", "c_plus"),
                factors=(Level("ff_plus"), Level("fb_minus")),
            ),
        ),
        changed=(
            Variable(name="p", start="p_start", low=0.01, high=1.0),
            Variable(name="q", start="q_start"),
        ),
    ),
    parameters=(
        amplitude(
            "d_minus",
            0.1771,
            likely=0.5,
            meaning="depression of p; endocannabinoids (gone when CB1 is blocked)",
            source=_SOURCE,
            confidence=SINGLE,
        ),
        amplitude(
            "d_plus",
            0.1548,
            likely=0.5,
            meaning="potentiation of p; NO (gone when NO synthase is blocked)",
            source=_SOURCE,
            confidence=SINGLE,
        ),
        amplitude(
            "c_plus",
            0.0618,
            likely=0.5,
            meaning="potentiation of q",
            source=_SOURCE,
            confidence=SINGLE,
        ),
        amplitude(
            "eta", 1.0, high=10.0, likely=2.0, meaning="speed of all changes", source=_TO_FIT, confidence=OPERATIONAL
        ),
        time_constant("tau_fb_minus_ms", 32.7, meaning="fast postsynaptic trace", source=_SOURCE, confidence=SINGLE),
        time_constant(
            "tau_fb_plus_ms",
            230.2,
            meaning="slow postsynaptic trace",
            source=_SOURCE,
            confidence=SINGLE,
            likely=(20.0, 1000.0),
        ),
        time_constant("tau_ff_plus_ms", 66.6, meaning="presynaptic trace", source=_SOURCE, confidence=SINGLE),
        constant(
            "p_start",
            0.5,
            unit="",
            bounds=(0.01, 1.0),
            likely=(0.05, 0.95),
            meaning="release probability before",
            source=_TO_FIT,
            confidence=OPERATIONAL,
        ),
        constant(
            "q_start",
            1.0,
            unit="",
            bounds=(0.01, 10.0),
            likely=(0.1, 3.0),
            meaning="quantal size before, in units of the rule",
            source=_TO_FIT,
            confidence=OPERATIONAL,
        ),
    ),
    expression=None,
    source=_SOURCE,
    confidence=SINGLE,
    note="only the time constants carry over to other data: eta, p_start and q_start must be fitted; "
    "the short-term plasticity of the paper is left out",
)

PRE_POST_RULES: Final = (_COSTA,)
