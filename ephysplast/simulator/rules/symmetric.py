"""Windows that are the same for either order of spikes: Vogels, D'amour and Froemke, LTD only."""

from typing import Final

from ephysplast.simulator.expression import CONDUCTANCE, POSTSYNAPTIC
from ephysplast.simulator.mechanisms import Level, Trace
from ephysplast.simulator.parameter import AGREED, OPERATIONAL, SIGN_ONLY, amplitude, constant, time_constant
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.terms import Term, TermEquations

_VOGELS: Final = "Vogels et al. 2011, doi:10.1126/science.1211095"
_DAMOUR: Final = "D'amour & Froemke 2015, doi:10.1016/j.neuron.2015.03.014"
_LU: Final = "Lu et al. 2007, J Neurosci 27:9711"
_TO_FIT: Final = "starting value, to be fitted"

TRACES: Final = (
    Trace(name="x_pre", spike="pre", tau="tau_ms"),
    Trace(name="x_post", spike="post", tau="tau_ms"),
)
"""The same trace on either side."""
_AFTER_POST: Final = (Level("x_post"),)
_AFTER_PRE: Final = (Level("x_pre"),)

SYMMETRIC_RULES: Final = (
    Rule(
        name="vogels",
        family="symmetric",
        summary="coincidence potentiates inhibition, presynaptic spikes alone depress it: holds a postsynaptic rate",
        equations=TermEquations(
            traces=TRACES,
            terms=(
                Term(on="pre", sign=1, amplitude=("eta",), factors=_AFTER_POST),
                # α = 2 ρ0 τ, with the rate in Hz and the time in ms.
                Term(on="pre", sign=-1, amplitude=("eta", "rho0_hz", "tau_ms"), scale=2e-3),
                Term(on="post", sign=1, amplitude=("eta",), factors=_AFTER_PRE),
            ),
        ),
        parameters=(
            amplitude(
                "eta",
                0.005,
                meaning="change by a pair at Δt = 0, before depression",
                source=_TO_FIT,
                confidence=OPERATIONAL,
            ),
            constant(
                "rho0_hz",
                3.0,
                unit="Hz",
                bounds=(0.0, 100.0),
                likely=(0.0, 20.0),
                meaning="postsynaptic rate that is held",
                source="free; of the network",
                confidence=OPERATIONAL,
            ),
            time_constant("tau_ms", 20.0, meaning="window for either order", source=_VOGELS, confidence=AGREED),
        ),
        expression=CONDUCTANCE,
        source=_VOGELS,
        confidence=AGREED,
        note="weights in units of the baseline; the sign turns where e^(−|Δt|/τ) = 2 ρ0 τ",
    ),
    Rule(
        name="damour_froemke",
        family="symmetric",
        summary="inhibition grows with coincidence of either order, in proportion to the E/I ratio before",
        equations=TermEquations(
            traces=TRACES,
            terms=(
                Term(on="pre", sign=1, amplitude=("a", "ei_ratio"), factors=_AFTER_POST),
                Term(on="post", sign=1, amplitude=("a", "ei_ratio"), factors=_AFTER_PRE),
            ),
        ),
        parameters=(
            amplitude(
                "a", 0.005, meaning="change by a pair at Δt = 0, at E/I = 1", source=_TO_FIT, confidence=OPERATIONAL
            ),
            time_constant("tau_ms", 10.0, meaning="window for either order", source=_DAMOUR, confidence=OPERATIONAL),
            constant(
                "ei_ratio",
                1.0,
                unit="",
                bounds=(0.0, 50.0),
                likely=(0.1, 5.0),
                meaning="excitation over inhibition before",
                source="measured in the cell",
                confidence=OPERATIONAL,
            ),
        ),
        expression=CONDUCTANCE,
        source=_DAMOUR,
        confidence=OPERATIONAL,
        note="weights in units of the baseline; growth for either order within some 10 ms, the dependence on E/I "
        "and the need for NMDA receptors are published; that the change is proportional to E/I is an assumption",
    ),
    Rule(
        name="ltd_only",
        family="symmetric",
        summary="depression for either order of spikes",
        equations=TermEquations(
            traces=TRACES,
            terms=(
                Term(on="pre", sign=-1, amplitude=("a",), factors=_AFTER_POST),
                Term(on="post", sign=-1, amplitude=("a",), factors=_AFTER_PRE),
            ),
        ),
        parameters=(
            amplitude("a", 0.005, meaning="depression by a pair at Δt = 0", source=_TO_FIT, confidence=OPERATIONAL),
            time_constant("tau_ms", 20.0, meaning="window for either order", source=_TO_FIT, confidence=OPERATIONAL),
        ),
        expression=POSTSYNAPTIC,
        source=f"{_LU} (pyramidal cell to fast-spiking basket cell)",
        confidence=SIGN_ONLY,
        note="weights in units of the baseline; where the weight lives is an assumption",
    ),
)
