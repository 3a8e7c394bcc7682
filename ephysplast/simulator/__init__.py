"""Plasticity rules run through induction protocols: rule × protocol → change of p, n, q, g, E_GABA, excitability.

>>> from ephysplast.simulator import pairing, simulate
>>> result = simulate("vogels", pairing(dt_ms=5.0, frequency_hz=5.0, n_pairings=60), expression="conductance")
>>> result.g.round(2).tolist()
[0.2]
"""

from typing import Final

from ephysplast.simulator.expression import EXPRESSIONS, VARIABLES, Expression, find_expression
from ephysplast.simulator.pairings import pairing, quadruplets, triplets
from ephysplast.simulator.parameter import LogUniform, Parameter, Uniform
from ephysplast.simulator.protocol import Depolarisation, Protocol
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.rules import RULES, find_rule
from ephysplast.simulator.simulate import SimulationResult, StateCourse, simulate, trace_states
from ephysplast.simulator.trains import (
    poisson,
    post_alone,
    pre_alone,
    recorded,
    steady_depolarisation,
    theta_burst,
    trains,
)
from ephysplast.simulator.window import TimingWindow, timing_window

PROTOCOLS: Final = (
    pairing,
    triplets,
    quadruplets,
    theta_burst,
    trains,
    pre_alone,
    post_alone,
    steady_depolarisation,
    poisson,
    recorded,
)
"""Every function that makes a protocol."""

__all__ = [
    "EXPRESSIONS",
    "PROTOCOLS",
    "RULES",
    "VARIABLES",
    "Depolarisation",
    "Expression",
    "LogUniform",
    "Parameter",
    "Protocol",
    "Rule",
    "SimulationResult",
    "StateCourse",
    "TimingWindow",
    "Uniform",
    "find_expression",
    "find_rule",
    "pairing",
    "poisson",
    "post_alone",
    "pre_alone",
    "quadruplets",
    "recorded",
    "simulate",
    "steady_depolarisation",
    "theta_burst",
    "timing_window",
    "trace_states",
    "trains",
    "triplets",
]
