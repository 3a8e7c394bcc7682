"""Calcium thresholds (Graupner & Brunel 2012): nine published parameter sets, in closed form and with noise."""

from collections.abc import Mapping
from typing import Final

from ephysplast.simulator.calcium import CalciumClosedForm, CalciumStochastic
from ephysplast.simulator.equations import Equations
from ephysplast.simulator.expression import POSTSYNAPTIC
from ephysplast.simulator.parameter import AGREED, Parameter, constant, time_constant
from ephysplast.simulator.rule import Rule

_SOURCE: Final = "Graupner & Brunel 2012, doi:10.1073/pnas.1109359109"

_WHAT: Final = {
    "dp": "example with LTD then LTP",
    "dpd": "example with LTD on both sides of LTP",
    "dpd_prime": "example with LTD on both sides of LTP, high threshold",
    "p": "example with LTP only",
    "d": "example with LTD only",
    "d_prime": "example with LTD only, high threshold",
    "hippocampal_slices": "fitted to hippocampal slices",
    "hippocampal_cultures": "fitted to triplets in hippocampal cultures",
    "cortical_slices": "fitted to cortical slices",
}
# τCa (s), Cpre, Cpost, θd, θp, γd, γp, σ, τ (s), ρ*, D (s), β, b, as published.
_TABLE: Final[Mapping[str, tuple[float, ...]]] = {
    "dp": (0.02, 1, 2, 1, 1.3, 200, 321.808, 2.8284, 150, 0.5, 0.0137, 0.5, 5),
    "dpd": (0.02, 0.9, 0.9, 1, 1.3, 250, 550, 2.8284, 150, 0.5, 0.0046, 0.5, 5),
    "dpd_prime": (0.02, 1, 2, 1, 2.5, 50, 600, 2.8284, 150, 0.5, 0.0022, 0.5, 5),
    "p": (0.02, 2, 2, 1, 1.3, 160, 257.447, 2.8284, 150, 0.5, 0, 0.5, 5),
    "d": (0.02, 0.6, 0.6, 1, 1.3, 500, 550, 5.6568, 150, 0.5, 0, 0.5, 5),
    "d_prime": (0.02, 1, 2, 1, 3.5, 60, 600, 2.8284, 150, 0.5, 0, 0.5, 5),
    "hippocampal_slices": (
        0.0488373, 1, 0.275865, 1, 1.3, 313.0965, 1645.59, 9.1844, 688.355, 0.5, 0.0188008, 0.7, 5.28145,
    ),
    "hippocampal_cultures": (
        0.0119536, 0.58156, 1.76444, 1, 1.3, 61.141, 113.6545, 2.5654, 33.7596, 0.5, 0.01, 0.5, 36.0263,
    ),
    "cortical_slices": (
        0.0226936, 0.5617539, 1.23964, 1, 1.3, 331.909, 725.085, 3.3501, 346.3615, 0.5, 0.0046098, 0.5, 5.40988,
    ),
}  # fmt: skip
_NOTES: Final = {"hippocampal_cultures": "; this set has no LTD at Δt of −8 ms and below"}

# name, unit, bounds, prior, meaning; in the order of the table.
_MEANINGS: Final = (
    ("tau_ca_ms", "ms", (1.0, 500.0), (5.0, 100.0), "decay of calcium"),
    ("c_pre", "", (0.0, 20.0), (0.1, 5.0), "calcium by a presynaptic spike"),
    ("c_post", "", (0.0, 20.0), (0.1, 5.0), "calcium by a postsynaptic spike"),
    ("theta_d", "", (0.01, 20.0), (0.5, 2.0), "calcium threshold of depression"),
    ("theta_p", "", (0.01, 20.0), (1.0, 4.0), "calcium threshold of potentiation"),
    ("gamma_d", "", (0.0, 20_000.0), (10.0, 1000.0), "rate of depression"),
    ("gamma_p", "", (0.0, 20_000.0), (10.0, 3000.0), "rate of potentiation"),
    ("sigma", "", (0.01, 100.0), (0.5, 20.0), "noise"),
    ("tau_s", "s", (0.1, 10_000.0), (10.0, 2000.0), "time constant of the efficacy"),
    ("rho_star", "", (0.01, 0.99), (0.3, 0.7), "boundary between the two states"),
    ("delay_ms", "ms", (0.0, 100.0), (0.0, 30.0), "delay of presynaptic calcium"),
    ("beta", "", (0.0, 1.0), (0.2, 0.8), "share of synapses that begin low"),
    ("b", "", (1.0, 100.0), (1.5, 50.0), "strength of a high synapse over that of a low one"),
)


def _parameters(values: tuple[float, ...]) -> tuple[Parameter, ...]:
    found = []
    for (name, unit, bounds, likely, meaning), value in zip(_MEANINGS, values, strict=True):
        # Published in s; only the efficacy's own time constant stays so.
        number = float(value) * (1e3 if unit == "ms" else 1.0)
        if name == "tau_ca_ms":
            made = time_constant(
                name, number, meaning=meaning, source=_SOURCE, confidence=AGREED, low=1.0, high=500.0, likely=likely
            )
        else:
            made = constant(
                name,
                number,
                unit=unit,
                bounds=bounds,
                likely=likely,
                meaning=meaning,
                source=_SOURCE,
                confidence=AGREED,
            )
        found.append(made)
    return tuple(found)


def _rule(name: str, equations: Equations, *, way: str, ending: str, note: str) -> Rule:
    return Rule(
        name=f"graupner_brunel_{name}{ending}",
        family="calcium thresholds",
        summary=f"calcium thresholds, {_WHAT[name]}, {way}",
        equations=equations,
        parameters=_parameters(_TABLE[name]),
        expression=POSTSYNAPTIC,
        source=_SOURCE,
        confidence=AGREED,
        note=f"the rule knows a strength only: that it lives in q is an assumption{note}{_NOTES.get(name, '')}",
    )


_REPEATS: Final = "; the closed form is meant for protocols that repeat themselves"
_WAYS: Final[tuple[tuple[Equations, str, str, str], ...]] = (
    (CalciumClosedForm(), "in closed form", "", _REPEATS),
    (CalciumStochastic(), "single synapses with noise", "_stochastic", ""),
)

GRAUPNER_BRUNEL_RULES: Final = tuple(
    _rule(name, equations, way=way, ending=ending, note=note)
    for equations, way, ending, note in _WAYS
    for name in _TABLE
)
