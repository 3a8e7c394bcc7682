"""From a fit to what is told of a cell: reversal, driving force, [Cl⁻]_i."""

from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast._words import minus
from ephysplast.analysers._iv_case import Case
from ephysplast.analysers._iv_correct import Points
from ephysplast.analysers._iv_fit import Fitted
from ephysplast.analysers._iv_words import bend
from ephysplast.analysers._nernst import ghk_chloride_mm
from ephysplast.errors import OK
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate
from ephysplast.statistics import NO_INTERVAL, Interval, percentile_interval

if TYPE_CHECKING:
    from ephysplast.analysers.reversal import CellConditions, ReversalConfig

CURVES: Final = {"line": "robust line", "GHK": "GHK curve", "local": "robust line near the reversal"}


def temperature_of(conditions: "CellConditions", config: "ReversalConfig") -> float:
    """Take the bath's temperature as given, else as assumed."""
    return conditions.temperature_degc if isfinite(conditions.temperature_degc) else config.assumed_temperature_degc


def reversal_estimate(points: Points, fitted: Fitted, draws: FloatArray, case: Case) -> Estimate:
    """Put the reversal into an estimate; missing beyond the measured range."""
    low, high, at = float(points.vm_mv.min()), float(points.vm_mv.max()), fitted.reversal_mv
    said = minus(f"beyond the measured range {low:.0f} to {high:.0f} mV")
    if not low <= at <= high and not case.config.extrapolate:
        return Estimate.missing(f"{said}; not extrapolated")
    interval = percentile_interval(draws, case.config.level) if draws.size else NO_INTERVAL
    method = f"{CURVES[case.config.fit]} through {fitted.said}{bend(points, fitted, case)}"
    method += "" if low <= at <= high else f"; extrapolated {said}"
    method += "" if draws.size else "; too few for an interval"
    return Estimate(value=at, low=interval.low, high=interval.high, method=method)


def conductance_estimate(fitted: Fitted, interval: Interval, case: Case) -> Estimate:
    """Put the slope into an estimate; missing in current clamp."""
    if case.readings.protocol == "current clamp":
        return Estimate.missing("a conductance cannot be measured in current clamp")
    method = f"{CURVES[case.config.fit]} through {fitted.said}"
    if not fitted.slope_varies:
        method += "; no interval: fewer than three ramps do not tell how much it varies"
        interval = NO_INTERVAL
    return Estimate(value=fitted.slope, low=interval.low, high=interval.high, method=method)


def driving_force(reversal: Estimate, rest_mv: float) -> Estimate:
    """Return rest minus reversal."""
    if reversal.status != OK:
        return Estimate.missing(f"the reversal is missing: {reversal.status}")
    if not isfinite(rest_mv):
        return Estimate.missing("the resting potential is not known")
    low, high = rest_mv - reversal.high, rest_mv - reversal.low
    return Estimate(value=rest_mv - reversal.value, low=low, high=high, method=minus(f"rest {rest_mv:.1f} mV − E"))


def chloride_estimate(reversal: Estimate, conditions: "CellConditions", config: "ReversalConfig") -> Estimate:
    """Turn the reversal into [Cl⁻]_i."""
    if reversal.status != OK:
        return Estimate.missing(f"the reversal is missing: {reversal.status}")
    degc, share = temperature_of(conditions, config), config.permeability_ratio
    known = "" if isfinite(conditions.temperature_degc) else " (assumed)"
    if config.ions == "chloride":
        share, method = 0.0, f"Nernst at {degc:.1f} °C{known}, [Cl⁻]o {config.chloride_out_mm:g} mM"
    else:
        method = f"GHK with HCO₃⁻ (P ratio {share:g}) at {degc:.1f} °C{known}, [Cl⁻]o {config.chloride_out_mm:g} mM"
    value, low, high = (
        float(each)
        for each in ghk_chloride_mm(
            np.array([reversal.value, reversal.low, reversal.high]),
            config.chloride_out_mm,
            bicarbonate_in_mm=config.bicarbonate_in_mm,
            bicarbonate_out_mm=config.bicarbonate_out_mm,
            permeability_ratio=share,
            temperature_degc=degc,
        )
    )
    if not value > 0.0:
        return Estimate.missing(
            f"the reversal lies below what [HCO₃⁻]i {config.bicarbonate_in_mm:g} mM alone would make it ({method})"
        )
    return Estimate(value=value, low=max(low, 0.0) if isfinite(low) else low, high=high, method=method)
