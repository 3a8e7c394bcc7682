"""The sweeps of one phase that are used, and what their silent steps say of the membrane."""

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._gain import mean_of, resistance_of, slope_of, small_steps
from ephysplast.analysers._rheobase import distinct
from ephysplast.errors import OK
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Estimate

if TYPE_CHECKING:
    from ephysplast.analysers.current_steps import CurrentSteps
    from ephysplast.analysers.excitability import ExcitabilityConfig

BoolArray = NDArray[np.bool_]
_NO_HYPERPOLARISATION: Final = "no silent hyperpolarising step is large enough to show it"
_SMALLEST_BRIDGE_MOHM: Final = 5.0
_SAME_SHARE: Final = 0.2
_SAME_MOHM: Final = 2.0
_ONE_LENGTH: Final = 0.1  # of the median: lengths that differ by more are steps of another kind


@dataclass(frozen=True, eq=False, kw_only=True)
class View:
    """The sweeps that are used, one entry each."""

    steps: "CurrentSteps"
    place: NDArray[np.intp]
    is_ramp: bool
    current: FloatArray
    count: IntArray
    rate: FloatArray
    blocked: BoolArray
    collapsed: BoolArray
    spontaneous: IntArray
    duration_s: FloatArray
    speed: FloatArray

    @classmethod
    def of(cls, steps: "CurrentSteps", used: BoolArray) -> "View":
        spikes = steps.spikes
        return cls(
            steps=steps,
            place=np.flatnonzero(used),
            is_ramp=steps.protocol == "ramp",
            current=steps.current_pa[used],
            count=spikes.count[used],
            rate=spikes.rate_hz[used],
            # A current too small to make the cell fire does not block it.
            blocked=spikes.blocked[used] & (steps.current_pa[used] >= _smallest(steps, used)),
            collapsed=(spikes.collapsed if spikes.collapsed.size else np.zeros(used.size, dtype=bool))[used],
            spontaneous=steps.spontaneous[used],
            duration_s=(steps.stop_s - steps.start_s)[used],
            speed=steps.ramp_pa_per_s[used],
        )

    @property
    def tells(self) -> BoolArray:
        """Sweeps that say whether their current makes the cell fire: not those blocked without a spike."""
        return np.asarray((self.count > 0) | ~self.blocked)

    @property
    def doubtful(self) -> BoolArray:
        """Sweeps whose number of spikes is no rate: in depolarisation block, or on its verge."""
        return self.blocked | self.collapsed

    @property
    def mixed_lengths(self) -> str:
        """Say that steps of different length do not make one rheobase; empty when they are alike."""
        shortest, longest = float(self.duration_s.min()), float(self.duration_s.max())
        if self.is_ramp or longest - shortest <= _ONE_LENGTH * float(np.median(self.duration_s)):
            return ""
        return (
            f"the steps differ in length ({shortest:.3g} to {longest:.3g} s), and whether and how often a cell fires "
            f"depends on it: leave out those of another length"
        )

    def first_spikes(self, name: str, sweeps: NDArray[np.intp]) -> FloatArray:
        """Return a feature of the first spike of some sweeps (indices into this view)."""
        spikes = self.steps.spikes
        first = np.searchsorted(spikes.row, self.place[sweeps])
        return np.asarray(getattr(spikes, name)[first], dtype=np.float64)

    def optional(self, name: str) -> FloatArray:
        """Return a column of the steps that may be missing; NaN then."""
        column: FloatArray = getattr(self.steps, name)
        return column[self.place] if column.size else np.full(self.place.size, nan)


def _smallest(steps: "CurrentSteps", used: BoolArray) -> float:
    return float(steps.current_pa[used & (steps.spikes.count > 0)].min(initial=inf))


def bridge_of(view: View, *, level: float) -> Estimate:
    """Return the resistance of the jump at the steps' edges, in MΩ: what the bridge leaves, or takes too much."""
    if view.is_ramp:
        return Estimate.missing("ramps have no edge that would show the balance of the bridge")
    jump, late = view.optional("jump_mv"), view.optional("late_jump_mv")
    known = np.isfinite(jump) & np.isfinite(late) & (view.spontaneous == 0)
    if distinct(view.current[known])[0].size < 3:
        return Estimate.missing("the jump at the steps' edges needs steps of three currents in a silent cell")
    current = view.current[known]
    slope, half = slope_of(current, jump[known], level=level)
    again, _ = slope_of(current, late[known], level=level)
    if abs(again - slope) > max(_SAME_SHARE * abs(slope), 1e-3 * _SAME_MOHM):
        return Estimate.missing("what follows the steps' edges is a transient and not a jump: the bridge is not known")
    said = f"jump at the edge of {int(known.sum())} steps"
    return Estimate(value=1e3 * slope, low=1e3 * (slope - half), high=1e3 * (slope + half), method=said)


def taken_off(bridge: Estimate, rin: Estimate, *, percent: float) -> float:
    """Return how much of the bridge's error, in MΩ, is to be taken off the readings: all of it when it is clear."""
    if bridge.status != OK or rin.status != OK or not isfinite(bridge.low):
        return 0.0
    clear = bridge.low > 0.0 or bridge.high < 0.0
    smallest = max(_SMALLEST_BRIDGE_MOHM, percent / 100.0 * abs(rin.value - bridge.value))
    return bridge.value if clear and abs(bridge.value) > smallest else 0.0


def passive_of(view: View, config: "ExcitabilityConfig") -> tuple[dict[str, Any], float]:
    """Return the passive properties by the names of the result, and the bridge's error in MΩ that was taken off."""
    steps, place, level = view.steps, view.place, config.level
    steady, current = steps.steady_mv[place], view.current
    none = "ramps show no steady deflection" if view.is_ramp else _NO_HYPERPOLARISATION
    silent = none if view.is_ramp else "no silent step moves the potential: R_in needs steps below the rheobase"
    bridge = bridge_of(view, level=level)
    largest = config.largest_deflection_mv
    raw = resistance_of(current, steady, largest_mv=largest, level=level, missing=silent)
    error = taken_off(bridge, raw, percent=config.bridge_percent)
    true = steady - 1e-3 * error * current
    rin = resistance_of(current, true, largest_mv=largest, level=level, missing=silent) if error else raw
    return {
        "bridge_mohm": bridge,
        "rin_mohm": without_bridge(rin, error),
        "tau_ms": mean_of(
            np.where(small_steps(current, true, largest), steps.tau_ms[place], nan),
            level=level,
            what="small steps",
            missing=none,
        ),
        "sag_ratio": mean_of(_sag(view, true), level=level, what="hyperpolarising steps", missing=none),
        "rest_mv": mean_of(
            steps.rest_mv[place], level=level, what="sweeps", missing="no stretch at holding before the steps"
        ),
        "holding_pa": mean_of(
            steps.holding_pa[place], level=level, what="sweeps", missing="the file does not say what it was held at"
        ),
    }, error


def without_bridge(estimate: Estimate, error_mohm: float) -> Estimate:
    """Say in the method of an estimate that the bridge's error was taken off."""
    if not error_mohm or estimate.status != OK:
        return estimate
    said = f"{estimate.method}, without the {error_mohm:.0f} MΩ by which the bridge is off"
    return Estimate(value=estimate.value, low=estimate.low, high=estimate.high, method=said)


def _sag(view: View, true_steady: FloatArray) -> FloatArray:
    """Return the sag ratios without what noise, and a bridge that is off, add to them."""
    sag, steady = view.steps.sag_ratio[view.place], view.steps.steady_mv[view.place]
    share = sag - np.nan_to_num(view.optional("sag_noise"))
    peak = np.divide(steady, 1.0 - sag, out=np.full(sag.size, nan), where=sag < 1.0)
    true_peak = peak - (steady - true_steady)
    return np.asarray(np.divide(share * peak, true_peak, out=np.full(sag.size, nan), where=true_peak < 0.0))
