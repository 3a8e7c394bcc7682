"""One current–voltage relation with everything needed to solve it, and to solve it again with another R_s."""

from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from ephysplast.analysers._iv_correct import Points, points_of
from ephysplast.analysers._iv_fit import Fitted, fit_points
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltage
    from ephysplast.analysers.reversal import ReversalConfig

_FEWEST_FOR_BEND = 6  # potentials
_CLEAR_BEND = 4.0  # standard errors
_HARMLESS_BEND_MV = 1.0
_NUDGE = 0.05  # by this part R_s is changed to see what its error does


@dataclass(frozen=True, eq=False, kw_only=True)
class Case:
    """Readings, control and conditions of one phase.

    Attributes
    ----------
    readings, control : CurrentVoltage
        Control may be None.
    left_mohm, control_left_mohm : numpy.ndarray, shape (n_readings,)
        Series resistance that is left to be corrected.
    junction_mv : float
        NaN is not known.
    temperature_degc : float
        For the GHK curve.
    config : ReversalConfig
        What is fitted.
    """

    readings: "CurrentVoltage"
    control: "CurrentVoltage | None"
    left_mohm: FloatArray
    control_left_mohm: FloatArray
    junction_mv: float
    temperature_degc: float
    config: "ReversalConfig"

    def points(self, by: float = 1.0) -> Points | str:
        """Correct the readings, with R_s times `by`; say why when there are too few."""
        points = points_of(
            _upright(self.readings),
            None if self.control is None else _upright(self.control),
            self.left_mohm * by,
            self.control_left_mohm * by,
            junction_mv=self.junction_mv,
            config=self.config,
        )
        if np.unique(points.level).size >= 2:
            return points
        if self.control is not None:
            return "fewer than two potentials are left that the control has too"
        return "fewer than two potentials are left in the range that is fitted"

    def solve(self, by: float = 1.0) -> tuple[Points, Fitted] | str:
        """Correct and fit."""
        points = self.points(by)
        if isinstance(points, str):
            return points
        is_ramp = self.readings.protocol == "voltage ramp"
        return points, fit_points(points, is_ramp=is_ramp, temperature_degc=self.temperature_degc, config=self.config)

    def decided(self) -> "Case | str":
        """Return the case with its fit decided: a straight line or, where the currents clearly bend, a local one."""
        if self.config.fit != "auto":
            return self.narrowed()
        straight = replace(self, config=replace(self.config, fit="line"))
        solved = straight.solve()
        if isinstance(solved, str):
            return solved
        if not isfinite(bent_crossing(*solved)):
            return straight
        near = replace(self, config=replace(self.config, fit="local")).narrowed()
        return straight if isinstance(near, str) else near

    def narrowed(self) -> "Case | str":
        """Return the case with a fit that is local cut down to the potentials around the change of sign."""
        if self.config.fit != "local":
            return self
        points = self.points()
        if isinstance(points, str):
            return points
        zero = _change_of_sign(points)
        if zero is None:
            return "the current does not change its sign within the measured range"
        reach = self.config.local_mv
        low, high = max(zero - reach, self.config.fit_from_mv), min(zero + reach, self.config.fit_to_mv)
        return replace(self, config=replace(self.config, fit_from_mv=low, fit_to_mv=high))


def bent_crossing(points: Points, fitted: Fitted) -> float:
    """Return where a parabola through the readings crosses zero; NaN unless they clearly bend and it is elsewhere."""
    if not fitted.curve.is_line or np.unique(points.level).size < _FEWEST_FOR_BEND:
        return nan
    apart = points.vm_mv - points.vm_mv.mean()
    columns = np.stack([apart**2, apart, np.ones(apart.size)], axis=1)
    bent, *_ = np.linalg.lstsq(columns, points.value, rcond=None)
    left = points.value - columns @ bent
    error = np.sqrt(left @ left / (apart.size - 3) * np.linalg.inv(columns.T @ columns)[0, 0])
    roots = np.roots(bent) + points.vm_mv.mean()
    real = roots[np.isreal(roots)].real
    if not real.size or abs(bent[0]) < _CLEAR_BEND * error:
        return nan
    near = float(real[np.argmin(np.abs(real - fitted.reversal_mv))])
    return nan if abs(near - fitted.reversal_mv) < _HARMLESS_BEND_MV else near


def _change_of_sign(points: Points) -> float | None:
    """Find where the current turns from inward to outward: most readings below are inward, most above outward."""
    group = np.unique(points.command_mv, return_inverse=True)[1].reshape(-1)
    count = np.bincount(group)
    vm, value = np.bincount(group, points.vm_mv) / count, np.bincount(group, points.value) / count
    order = np.argsort(vm)
    vm, value = vm[order], value[order]
    turns = np.flatnonzero((value[:-1] < 0.0) & (value[1:] >= 0.0))
    if not turns.size:
        return None
    right = [int(np.sum(value[: at + 1] < 0.0) + np.sum(value[at + 1 :] >= 0.0)) for at in turns]
    at = int(turns[int(np.argmax(right))])
    return float(vm[at] - value[at] * (vm[at + 1] - vm[at]) / (value[at + 1] - value[at]))


def _upright(readings: "CurrentVoltage") -> "CurrentVoltage":
    """Turn IPSPs over: they fall as the potential before them rises, where currents rise."""
    if readings.protocol != "current clamp":
        return readings
    return replace(readings, response_value=-readings.response_value)


def with_access_error(
    draws: tuple[FloatArray, FloatArray],
    case: Case,
    fitted: Fitted,
    error: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Let R_s be wrong by its error in every draw: all potentials then move together."""
    nudged = case.solve(1.0 + _NUDGE)
    if not draws[0].size or error == 0.0 or isinstance(nudged, str):
        return draws
    wrong = rng.normal(0.0, error, draws[0].size) / _NUDGE
    by_mv, by_ns = nudged[1].reversal_mv - fitted.reversal_mv, nudged[1].slope - fitted.slope
    return draws[0] + wrong * (by_mv if isfinite(by_mv) else 0.0), draws[1] + wrong * by_ns
