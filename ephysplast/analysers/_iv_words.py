"""What is said about a reversal: corrections, doubts, reasons."""

from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from ephysplast._words import minus, number
from ephysplast.analysers._iv_case import Case, bent_crossing
from ephysplast.analysers._iv_correct import Points, Series
from ephysplast.analysers._iv_fit import Fitted
from ephysplast.statistics import Interval

if TYPE_CHECKING:
    from ephysplast.analysers.reversal import CellConditions


def no_slope(value: float, interval: Interval, case: Case) -> str:
    """Say why there is no conductance to speak of."""
    current_clamp = case.readings.protocol == "current clamp"
    numbers = f"{number(value)}{'' if current_clamp else ' nS'}"
    if isfinite(interval.low):
        numbers += f" [{number(interval.low)}, {number(interval.high)}]"
    if interval.high < 0.0:
        told = "the evoked potential rises" if current_clamp else "the current falls"
        return f"{told} with the membrane potential ({numbers}), as no conductance has it"
    return f"the slope over the membrane potential cannot be told from 0 ({numbers})"


def bend(points: Points, fitted: Fitted, case: Case) -> str:
    """Say when the currents clearly cross zero elsewhere than the straight line through them."""
    near = bent_crossing(points, fitted) if case.config.fit == "line" else nan
    if not isfinite(near):
        return ""
    return minus(f"; the currents lie on a curve that crosses zero near {near:.0f} mV: consider fit local or GHK")


def corrections(case: Case, points: Points, fitted: Fitted, series: Series, conditions: "CellConditions") -> str:
    """Say what was corrected, with the numbers, and what could not be."""
    said = []
    current_clamp = case.readings.protocol == "current clamp"
    if current_clamp:
        said.append(series.said)
    elif series.known:
        error = float(np.max(np.abs(points.total_pa * series.left_mohm[points.place]))) * 1e-3
        said.append(f"{series.said}; I·R_s up to {error:.1f} mV taken off the command")
    else:
        per_ten = abs(current_at(points, fitted.reversal_mv)) * 1e-2 if isfinite(fitted.reversal_mv) else nan
        said.append(f"R_s not known, so not corrected: each 10 MΩ would move the reversal by {per_ten:.1f} mV")
    if isfinite(conditions.junction_potential_mv):
        said.append(minus(f"junction potential {conditions.junction_potential_mv:.1f} mV taken off"))
    else:
        said.append("junction potential not known, so not corrected")
    if points.leak_factor > 1.001:
        said.append(f"conductance multiplied by up to {points.leak_factor:.2f} for the leak through R_s")
    if case.control is not None:
        said.append("control subtracted at the same membrane potential")
    if case.readings.charging:
        said.append(case.readings.charging)
    return "; ".join(said)


def current_at(points: Points, potential_mv: float) -> float:
    """Whole pipette current at a membrane potential, from a line through all readings."""
    slope, start = np.polyfit(points.vm_mv - potential_mv, points.total_pa, 1)
    return float(start) if isfinite(slope) else nan
