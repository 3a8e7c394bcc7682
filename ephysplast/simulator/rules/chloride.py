"""Coincidence moves E_GABA, presynaptic spikes alone lower the conductance (Woodin et al. 2003)."""

from typing import Final

from ephysplast.simulator.mechanisms import Alone, Coincident
from ephysplast.simulator.parameter import OPERATIONAL, SINGLE, amplitude, constant, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations, Variable

_WOODIN: Final = "Woodin, Ganguly & Poo 2003, doi:10.1016/S0896-6273(03)00507-5"
_COINCIDENT: Final = (Coincident("window_ms"),)

_RULE: Final = Rule(
    name="woodin",
    family="chloride",
    summary="coincident spikes depolarise E_GABA; presynaptic spikes without a partner lower the conductance",
    equations=TermEquations(
        terms=(
            Term(on="pre", sign=1, variable="e_gaba_mv", amplitude=("shift_mv",), factors=_COINCIDENT),
            Term(on="post", sign=1, variable="e_gaba_mv", amplitude=("shift_mv",), factors=_COINCIDENT),
            Term(on="pre", sign=-1, variable="g", amplitude=("a_g",), factors=(Alone("window_ms"),)),
        ),
        changed=(
            Variable(name="e_gaba_mv", start=0.0, low=0.0, high="shift_max_mv"),
            Variable(name="g"),
        ),
    ),
    parameters=(
        amplitude(
            "shift_mv",
            0.045,
            unit="mV",
            likely=0.2,
            meaning="depolarisation of E_GABA by a coincident pair",
            source="starting value, to be fitted",
            confidence=OPERATIONAL,
        ),
        constant(
            "shift_max_mv",
            15.0,
            unit="mV",
            bounds=(0.1, 60.0),
            likely=(2.0, 30.0),
            meaning="E_GABA moves no further",
            source="starting value, to be fitted",
            confidence=OPERATIONAL,
        ),
        amplitude(
            "a_g",
            0.139 / 150,
            likely=0.01,
            meaning="fall of conductance by a presynaptic spike alone",
            source=f"{_WOODIN}: currents fell by 13.9 % after 150 pairings beyond 20 ms, read off a figure",
            confidence=SINGLE,
        ),
        time_constant(
            "window_ms",
            20.0,
            low=1.0,
            high=200.0,
            likely=(5.0, 60.0),
            meaning="spikes closer than this coincide",
            source=_WOODIN,
            confidence=SINGLE,
        ),
    ),
    expression=None,
    source=_WOODIN,
    confidence=SINGLE,
    note="a depolarised E_GABA is no potentiation: current_change() gives what an IPSC shows at a potential",
)

CHLORIDE_RULES: Final = (_RULE,)
