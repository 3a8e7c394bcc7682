"""How many sweeps, and how many cells: the judgement of a recording run forward on synapses drawn release by release.

A plan never promises: what it says was counted over simulated cells, and carries the interval of that count.
"""

from ephysplast.planning.cells import cells_for_t_test, cells_to_call, right_calls, t_test_power, wilson
from ephysplast.planning.locus import LocusPlan, plan_locus
from ephysplast.planning.runs import PlanConfig
from ephysplast.planning.sign import SignPlan, SignPlanConfig, plan_sign
from ephysplast.planning.synapse import Change, Locus, Synapse, draw_cell

__all__ = [
    "Change",
    "Locus",
    "LocusPlan",
    "PlanConfig",
    "SignPlan",
    "SignPlanConfig",
    "Synapse",
    "cells_for_t_test",
    "cells_to_call",
    "draw_cell",
    "plan_locus",
    "plan_sign",
    "right_calls",
    "t_test_power",
    "wilson",
]
