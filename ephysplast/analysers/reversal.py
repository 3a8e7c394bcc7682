"""Where a current reverses, and its conductance: E_GABA, [Cl⁻]_i, driving force."""

from dataclasses import dataclass, field, replace
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from ephysplast.analysers._iv_case import Case, with_access_error
from ephysplast.analysers._iv_correct import Points, Series, same_membrane, series_of
from ephysplast.analysers._iv_estimates import (
    chloride_estimate,
    conductance_estimate,
    driving_force,
    reversal_estimate,
    temperature_of,
)
from ephysplast.analysers._iv_fit import draw
from ephysplast.analysers._iv_words import corrections, current_at, no_slope
from ephysplast.analysers._nernst import (
    ghk_anion_mv,
    ghk_chloride_mm,
    ghk_current,
    nernst_inside_mm,
    nernst_mv,
)
from ephysplast.analysers.current_voltage import CurrentVoltage
from ephysplast.errors import LEVELS, OK, RESAMPLES, EphysplastError, check_settings
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate, Result, estimates_frame
from ephysplast.statistics import NO_INTERVAL, percentile_interval

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "CellConditions",
    "ReversalConfig",
    "ReversalResult",
    "ghk_anion_mv",
    "ghk_chloride_mm",
    "ghk_current",
    "measure_reversal",
    "nernst_inside_mm",
    "nernst_mv",
]

_WHOLE: Final = "the whole current was measured, without a control to subtract: its reversal is not that of chloride"


@dataclass(frozen=True, kw_only=True)
class CellConditions:
    """What the experimenter knows of the cell and the rig; NaN is not known.

    Attributes
    ----------
    rs_mohm : float
        Series resistance, for recordings in which it cannot be measured.
    compensation_percent : float
        How much of it the amplifier compensated (correction): 0.
    junction_potential_mv : float
        V_m = V_pipette − V_LJ; NaN when it is not known, or the command was corrected already (then give 0).
    rest_mv : float
        Resting potential, for the driving force.
    temperature_degc : float
        Of the bath.
    """

    rs_mohm: float = nan
    compensation_percent: float = 0.0
    junction_potential_mv: float = nan
    rest_mv: float = nan
    temperature_degc: float = nan

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(self, compensation_percent=(0.0, 100.0))
        if isfinite(self.rs_mohm):
            check_settings(self, rs_mohm=(0.0, inf))
        if isfinite(self.temperature_degc):
            check_settings(self, temperature_degc=(-20.0, 60.0))


@dataclass(frozen=True, kw_only=True)
class ReversalConfig:
    """How the reversal is found and what it is turned into.

    Attributes
    ----------
    fit : {"auto", "line", "GHK", "local"}
        A robust straight line through all readings; the constant-field curve of an anion, which rectifies; or a line
        through the readings around the change of sign, for currents of which only that part is straight. ``"auto"``
        takes the straight line unless the currents clearly bend (a parabola's curvature beyond four standard errors
        that crosses zero 1 mV or more away), and then the local one.
    local_mv : float
        How far ``"local"`` reaches to either side: 15.
    fit_from_mv, fit_to_mv : float
        Readings outside are not fitted; all are by default.
    huber_sd : float
        Residuals beyond so many robust SD count as if they were as large as that: 2. A spontaneous event on a
        response then moves the line little.
    extrapolate : bool
        Give a reversal beyond the measured range: False.
    match_mv : float
        Steps of control and test are the same potential when they differ by no more: 1.
    ions : {"chloride and bicarbonate", "chloride"}
        What passes the channel: GHK for both, or Nernst for chloride alone.
    chloride_out_mm : float
        [Cl⁻] of the bath: 130, usual for ACSF.
    bicarbonate_in_mm, bicarbonate_out_mm, permeability_ratio : float
        16 mM, 26 mM and P_HCO3/P_Cl 0.25.
    assumed_temperature_degc : float
        Where the conditions give none: 32, usual for slices.
    rs_error_percent : float
        Systematic error of R_s, which goes into the intervals: 2, what filters leave of the truth of a test pulse.
    compensated_rs : {"auto", "remaining", "whole"}
        Of an R_s that was measured in the recording while the amplifier compensated: is it what the compensation
        leaves, or the whole? ``"auto"`` takes what the transient of a test pulse shows for the rest, unless the
        conditions give an R_s to which it is nearer; readings made elsewhere hold the whole.
    level : float
        Confidence level.
    n_boot : int
        Bootstrap draws. 2000 put the bounds of a 95 % interval within about 2 % of their place.
    """

    fit: Literal["auto", "line", "GHK", "local"] = "auto"
    local_mv: float = 15.0
    fit_from_mv: float = -250.0
    fit_to_mv: float = 250.0
    huber_sd: float = 2.0
    extrapolate: bool = False
    match_mv: float = 1.0
    ions: Literal["chloride and bicarbonate", "chloride"] = "chloride and bicarbonate"
    chloride_out_mm: float = 130.0
    bicarbonate_in_mm: float = 16.0
    bicarbonate_out_mm: float = 26.0
    permeability_ratio: float = 0.25
    assumed_temperature_degc: float = 32.0
    rs_error_percent: float = 2.0
    compensated_rs: Literal["auto", "remaining", "whole"] = "auto"
    level: float = 0.95
    n_boot: int = 2000

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            local_mv=(1.0, inf),
            fit_from_mv=(-inf, self.fit_to_mv),
            huber_sd=(1.0, inf),
            match_mv=(0.01, inf),
            chloride_out_mm=(0.1, inf),
            bicarbonate_in_mm=(0.0, inf),
            bicarbonate_out_mm=(0.0, inf),
            permeability_ratio=(0.0, 1.0),
            assumed_temperature_degc=(-20.0, 60.0),
            rs_error_percent=(0.0, 100.0),
            level=LEVELS,
            n_boot=RESAMPLES,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ReversalResult(Result):
    """Reversal potential and conductance.

    Attributes
    ----------
    status : str
        ``"ok"``, or why nothing was measured.
    reversal_mv : Estimate
        Corrected for series resistance and junction potential as `corrections` says.
    conductance_ns : Estimate
        Slope at the reversal, of the current as it was read: R_s·C_m blunts the peak of a fast response by a few
        per cent. Missing in current clamp.
    driving_force_mv : Estimate
        Rest minus reversal.
    chloride_mm : Estimate
        [Cl⁻]_i by Nernst, or by GHK with bicarbonate.
    corrections : str
        What was corrected, with the numbers, and what could not be.
    vm_mv, response, fitted : numpy.ndarray, shape (n_readings,)
        The corrected I–V (only readings that count), and the fit at each.
    unit : str
        Of `response`.
    readings : CurrentVoltage
        What it was measured from (control subtracted).
    draws_mv, draws_ns : numpy.ndarray, shape (n_draws,)
        Bootstrap draws of reversal and conductance, in pairs: the chloride verdict needs both together. Empty where
        too few readings tell how sure they are; NaN where the quantity itself is missing.
    rest_mv : float
        Resting potential as given; NaN when not known.
    rs_mohm : float
        Series resistance that was corrected for (what compensation leaves), the median over readings; NaN unknown.
    junction_potential_mv : float
        As given; NaN when not known.
    reversal_current_pa : float
        Whole pipette current at the reversal: what an unknown R_s would have to be multiplied by.
    is_whole_current : bool
        Whether the whole current was measured without a control: its reversal is the cell's, not one current's.
    """

    status: str = OK
    reversal_mv: Estimate
    conductance_ns: Estimate
    driving_force_mv: Estimate
    chloride_mm: Estimate
    corrections: str
    vm_mv: FloatArray
    response: FloatArray
    fitted: FloatArray
    unit: str
    readings: CurrentVoltage
    draws_mv: FloatArray = field(repr=False)
    draws_ns: FloatArray = field(repr=False)
    rest_mv: float = nan
    rs_mohm: float = nan
    junction_potential_mv: float = nan
    reversal_current_pa: float = nan
    is_whole_current: bool = False

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per quantity: quantity, value, low, high, unit, method, status."""
        return estimates_frame(self)


def measure_reversal(
    readings: CurrentVoltage,
    *,
    rng: np.random.Generator,
    control: CurrentVoltage | None = None,
    conditions: CellConditions = CellConditions(),
    config: ReversalConfig = ReversalConfig(),
) -> ReversalResult:
    """Find where the current reverses, and its conductance.

    The membrane is at ``V_m = V_command − I·R_s·(1 − compensation) − V_LJ``, with I the whole pipette current. The
    fit crosses zero at the reversal potential; its slope is the conductance. An evoked current is multiplied by
    ``1 + g_leak·R_s`` for what the leak takes back while it flows, g_leak being the slope of the baseline current.

    Parameters
    ----------
    readings : CurrentVoltage
        Of one phase.
    rng : numpy.random.Generator
        For the bootstrap.
    control : CurrentVoltage, optional
        The same steps or ramps without the response: subtracted at the same membrane potential.
    conditions : CellConditions
        Series resistance, compensation, junction potential, rest, temperature.
    config : ReversalConfig
        Fit, ions, intervals.

    Returns
    -------
    ReversalResult
        Its status says so when the readings do not hold, or their slope cannot be told from 0. The reversal alone is
        missing when it lies beyond the measured potentials.

    Raises
    ------
    EphysplastError
        If the control is of another protocol, response or unit.

    Examples
    --------
    >>> volts = np.repeat([-90.0, -80.0, -70.0, -60.0, -50.0], 4)
    >>> rng = np.random.default_rng(0)
    >>> current = 5.0 * (volts + 72.0) + rng.normal(0.0, 4.0, 20)
    >>> readings = CurrentVoltage(protocol="voltage steps", response="evoked", unit="pA", sweeps=np.arange(20),
    ...     part=np.zeros(20, dtype=int), command_mv=volts, total_pa=current, response_value=current,
    ...     rs_mohm=np.zeros(20), reason=("ok",) * 20, trace=np.empty((0, 0)), trace_s=np.empty(0))
    >>> found = measure_reversal(readings, rng=rng)
    >>> abs(found.reversal_mv.value + 72.0) < 1.0, found.reversal_mv.low < -72.0 < found.reversal_mv.high
    (True, True)
    """
    if control is not None:
        _check_control(readings, control)
        readings, control = same_membrane(readings, control)
    why = _unusable(readings, control)
    series = series_of(readings, conditions, config)
    case = Case(
        readings=readings,
        control=control,
        left_mohm=series.left_mohm,
        control_left_mohm=np.empty(0) if control is None else series_of(control, conditions, config).left_mohm,
        junction_mv=conditions.junction_potential_mv,
        temperature_degc=temperature_of(conditions, config),
        config=config,
    )
    solved = why or case.decided()
    if isinstance(solved, str):
        return _nothing(readings, solved, conditions)
    return _reported(solved, series, conditions, rng)


def _reported(case: Case, series: Series, conditions: CellConditions, rng: np.random.Generator) -> ReversalResult:
    """Fit, draw, and put the numbers into words."""
    config, readings = case.config, case.readings
    solved = case.solve()
    if isinstance(solved, str):
        return _nothing(readings, solved, conditions)
    points, fitted = solved
    draws_mv, draws_ns = with_access_error(draw(fitted, config.n_boot, rng), case, fitted, series.error, rng)
    slope = percentile_interval(draws_ns, config.level) if draws_ns.size else NO_INTERVAL
    if slope.contains(0.0) or not fitted.slope > 0.0:
        return _nothing(readings, no_slope(fitted.slope, slope, case), conditions)
    current_clamp = readings.protocol == "current clamp"
    upright = -1.0 if current_clamp else 1.0
    reversal = reversal_estimate(points, fitted, draws_mv, case)
    value = readings.response_value.copy()
    value[points.place] = upright * points.value
    known = series.known and not current_clamp
    is_whole = readings.response == "total" and case.control is None
    return ReversalResult(
        reversal_mv=reversal,
        conductance_ns=conductance_estimate(fitted, slope, case),
        driving_force_mv=driving_force(reversal, conditions.rest_mv),
        chloride_mm=Estimate.missing(_WHOLE) if is_whole else chloride_estimate(reversal, conditions, config),
        corrections=corrections(case, points, fitted, series, conditions),
        vm_mv=points.vm_mv,
        response=upright * points.value,
        fitted=upright * fitted.curve.at(points.vm_mv),
        unit=readings.unit,
        readings=replace(readings, response_value=value, reason=_without_control(readings, points)),
        draws_mv=draws_mv if reversal.status == OK else np.full(draws_mv.size, nan),
        draws_ns=draws_ns if fitted.slope_varies and not current_clamp else np.full(draws_ns.size, nan),
        rest_mv=conditions.rest_mv,
        rs_mohm=float(np.median(series.left_mohm)) if known else nan,
        junction_potential_mv=conditions.junction_potential_mv,
        reversal_current_pa=nan if current_clamp else current_at(points, fitted.reversal_mv),
        is_whole_current=is_whole,
    )


def _check_control(readings: CurrentVoltage, control: CurrentVoltage) -> None:
    for name in ("protocol", "response", "unit"):
        ours, theirs = getattr(readings, name), getattr(control, name)
        if ours != theirs and theirs and control.command_mv.size:
            raise EphysplastError(
                f"the control has another {name} than what it is subtracted from",
                got=f"{theirs} and {ours}",
                wanted="the same protocol without the response",
                remedy="correct the rows of the manifest whose role is control",
            )


def _unusable(readings: CurrentVoltage, control: CurrentVoltage | None) -> str:
    if readings.status != OK:
        return readings.status
    # A control needs no response, and one potential of it is better than none.
    if control is not None and not control.used.any():
        return f"the control cannot be used: {control.status}"
    return ""


def _without_control(readings: CurrentVoltage, points: Points) -> tuple[str, ...]:
    kept = set(points.place.tolist())
    return tuple(
        why if why != OK or i in kept else "no control at this potential, or outside the fitted range"
        for i, why in enumerate(readings.reason)
    )


def _nothing(readings: CurrentVoltage, why: str, conditions: CellConditions) -> ReversalResult:
    missing = Estimate.missing(why)
    empty = np.empty(0)
    return ReversalResult(
        status=why,
        reversal_mv=missing,
        conductance_ns=missing,
        driving_force_mv=missing,
        chloride_mm=missing,
        corrections="",
        vm_mv=empty,
        response=empty,
        fitted=empty,
        unit=readings.unit,
        readings=readings,
        draws_mv=empty,
        draws_ns=empty,
        rest_mv=conditions.rest_mv,
        junction_potential_mv=conditions.junction_potential_mv,
    )
