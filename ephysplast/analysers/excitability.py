"""Intrinsic excitability of a cell: rheobase, f–I gain, threshold, input resistance, sag, time constant."""

from collections import Counter
from dataclasses import dataclass, field, fields, replace
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import minus
from ephysplast.analysers._cell_view import View, passive_of, without_bridge
from ephysplast.analysers._gain import gain_between, gain_of, mean_of, rising
from ephysplast.analysers._rheobase import SAME_PA, distinct, ramp_rheobase, step_rheobase, tally
from ephysplast.analysers.current_steps import CurrentSteps
from ephysplast.errors import LEVELS, OK, check_settings
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Estimate, Result, estimates_frame

if TYPE_CHECKING:
    import pandas as pd

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class ExcitabilityConfig:
    """How steps are summed up.

    Attributes
    ----------
    level : float
        Confidence level of the intervals.
    spontaneous_percent : float
        A cell that fires at holding in more than this share of the sweeps has no rheobase: 20. A single spike in one
        of many sweeps is no reason.
    first_spike_sweeps : int
        Threshold, amplitude, half-width and after-hyperpolarisations are means of the first spikes of so many sweeps,
        those with the smallest currents that made the cell fire: 3, so that they have an interval.
    largest_deflection_mv : float
        R_in and τ come from steps that moved the potential by no more: 10 mV keeps most voltage-gated channels shut.
        The smallest steps count where none is that small.
    bridge_percent : float
        A bridge that is off by more than this share of R_in, and by 5 MΩ, is taken off R_in, sag and threshold: 15.
        Smaller jumps at the steps' edges cannot be told from dendrites that charge fast.
    """

    level: float = 0.95
    spontaneous_percent: float = 20.0
    first_spike_sweeps: int = 3
    largest_deflection_mv: float = 10.0
    bridge_percent: float = 15.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            level=LEVELS,
            spontaneous_percent=(0.0, 100.0),
            first_spike_sweeps=(1, inf),
            largest_deflection_mv=(0.1, inf),
            bridge_percent=(0.0, inf),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ExcitabilityResult(Result):
    """What a cell is like, from its steps or ramps.

    Attributes
    ----------
    status : str
        ``"ok"``, or why nothing was measured.
    rheobase_pa : Estimate
        Smallest current above holding that makes the cell fire: of single steps the smallest with a spike, bracketed by
        the next smaller one; with repeats the current of 50 % firing (probit); from ramps the mean current at the first
        spike's threshold. Without a value its bounds still say what is known: above the largest silent current, below
        the smallest tried, or below 0 pA in a cell that fires at holding and at 0 pA.
    gain_hz_per_pa : Estimate
        Slope of rate (spikes in the step / its length) against current, above the rheobase.
    threshold_mv, amplitude_mv, half_width_ms, fast_ahp_mv, slow_ahp_mv : Estimate
        Means over the first spikes of the sweeps with the smallest currents that made the cell fire (three, and all
        that share the current of the third).
    latency_ms : Estimate
        From the step's start to the first spike's threshold, at the smallest current that made the cell fire.
    max_rate_hz : Estimate
        Highest rate before any depolarisation block.
    adaptation_index : Estimate
        Mean over all sweeps with three spikes or more and without block, whatever their current.
    rin_mohm : Estimate
        Slope of the steady deflections of silent steps of either sign against current, of the small ones.
    tau_ms : Estimate
        Mean over the small hyperpolarising steps.
    sag_ratio : Estimate
        Mean over hyperpolarising steps of (peak − steady)/(peak − rest), without what noise adds to the peak.
    rest_mv, holding_pa : Estimate
        Potential and current at holding, before the steps; means over all sweeps.
    current_pa, rate_hz, fired : numpy.ndarray, shape (n_currents,)
        The f–I curve: each distinct current, the mean rate, and the fraction of its sweeps with a spike.
    n_repeats : numpy.ndarray, shape (n_currents,)
        Sweeps at each.
    protocol : {"steps", "ramp", ""}
        What the rheobase comes from.
    step_duration_s : float
        Median length of the steps or ramps; NaN without any.
    ramp_pa_per_s : float
        Median speed of the ramps; NaN for steps.
    level : float
        Confidence level of the intervals.
    n_sweeps, n_blocked, n_spontaneous, n_collapsed : int
        Sweeps used; those of them that went into depolarisation block; that fired at holding; whose spikes collapsed.
    bridge_mohm : Estimate
        Electrode resistance that the bridge left (or, below zero, took too much), from the jump at the steps' edges.
        Where it is clear (beyond 5 MΩ and `bridge_percent` of R_in) R_in, sag and threshold are given without it.
    without_mohm : float
        What was taken off for that reason; 0 when nothing was.
    line_pa, line_hz : numpy.ndarray, shape (n_line,)
        Current and rate of each sweep that the gain may come from: from the smallest current at which every sweep
        fires up to block, or to where the rates fall for good.
    line_end_pa : float
        Last current of the line whose slope the gain is; what follows is a plateau. NaN without a gain.
    fires_of_itself : bool
        Whether the cell fires without current, at holding or at 0 pA: then there is no rheobase.
    """

    status: str = OK
    rheobase_pa: Estimate
    gain_hz_per_pa: Estimate
    threshold_mv: Estimate
    amplitude_mv: Estimate
    half_width_ms: Estimate
    fast_ahp_mv: Estimate
    slow_ahp_mv: Estimate
    latency_ms: Estimate
    max_rate_hz: Estimate
    adaptation_index: Estimate
    rin_mohm: Estimate
    tau_ms: Estimate
    sag_ratio: Estimate
    rest_mv: Estimate
    holding_pa: Estimate
    current_pa: FloatArray
    rate_hz: FloatArray
    fired: FloatArray
    n_repeats: FloatArray
    protocol: str = ""
    step_duration_s: float = nan
    ramp_pa_per_s: float = nan
    level: float = 0.95
    n_sweeps: int = 0
    n_blocked: int = 0
    n_spontaneous: int = 0
    n_collapsed: int = 0
    without_mohm: float = 0.0
    bridge_mohm: Estimate = field(default_factory=lambda: Estimate.missing("not measured"))
    line_pa: FloatArray = field(default_factory=lambda: np.zeros(0))
    line_hz: FloatArray = field(default_factory=lambda: np.zeros(0))
    line_end_pa: float = nan
    fires_of_itself: bool = False

    def gain_between(self, low_pa: float, high_pa: float) -> Estimate:
        """Return the f–I gain over a stretch of currents, so that two phases can be compared over stretches alike."""
        return gain_between(
            self.line_pa, self.line_hz, step_s=self.step_duration_s, level=self.level, low_pa=low_pa, high_pa=high_pa
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per quantity: quantity, value, low, high, unit, method, status."""
        return estimates_frame(self)


def measure_excitability(
    steps: CurrentSteps, *, config: ExcitabilityConfig = ExcitabilityConfig()
) -> ExcitabilityResult:
    """Sum up the steps of one phase.

    Parameters
    ----------
    steps : CurrentSteps
        Of one file, or joined over the files of a phase.
    config : ExcitabilityConfig
        Level, and what counts as small or spontaneous.

    Returns
    -------
    ExcitabilityResult
        Each quantity NaN with its reason where the sweeps do not show it. A cell that fires without current has no
        rheobase; one that fires at every current, or at none, has only a bound of it.

    Notes
    -----
    Rheobase from repeated steps: the current needed varies from sweep to sweep as a normal distribution, whose mean is
    found by maximum likelihood with a profile-likelihood interval (Venzon & Moolgavkar 1988, doi 10.2307/2347496). A
    ramp's rheobase is larger than a step's, the more so the faster it is, and the two are never mixed. The f–I gain is
    the slope of a line from the smallest current at which every sweep fires up to depolarisation block (or collapsing
    spikes, or falling rates), or to where the rate saturates. R_in is the slope of steady deflections against current.

    Examples
    --------
    >>> from ephysplast.analysers.current_steps import join_steps
    >>> measure_excitability(join_steps([])).rheobase_pa.status
    'there is no recording of current steps'
    """
    used = steps.used
    if steps.status != OK or not used.any():
        why = steps.status if steps.status != OK else Counter(steps.reason).most_common(1)[0][0]
        return _nothing(why)
    view = View.of(steps, used)
    passive, error_mohm = passive_of(view, config)
    found = passive | _firing(view, config, error_mohm)
    worded: dict[str, Any] = {
        name: _for_people(each) if isinstance(each, Estimate) else each for name, each in found.items()
    }
    return replace(
        _nothing("not measured"),
        status=OK,
        **worded,
        without_mohm=error_mohm,
        protocol=steps.protocol,
        step_duration_s=float(np.median(view.duration_s)),
        ramp_pa_per_s=float(np.median(view.speed)),
        level=config.level,
        n_sweeps=int(used.sum()),
        n_blocked=int(view.blocked.sum()),
        n_collapsed=int(view.collapsed.sum()),
        n_spontaneous=int((view.spontaneous > 0).sum()),
    )


def _firing(view: View, config: ExcitabilityConfig, error_mohm: float) -> dict[str, Any]:
    of_itself = _fires_without_current(view, config)
    rheobase = of_itself or _rheobase(view, config)
    answer: dict[str, Any] = {"rheobase_pa": rheobase} | _first_spike(view, config, error_mohm)
    answer["fires_of_itself"] = of_itself is not None
    if of_itself:
        answer["latency_ms"] = Estimate.missing("the cell fires without current: it does not wait for the step")
    answer["adaptation_index"] = mean_of(
        np.where(view.doubtful, nan, view.steps.spikes.adaptation_index[view.place]),
        level=config.level,
        what="sweeps",
        missing="no sweep without depolarisation block has three spikes, which an adaptation index needs",
    )
    if view.is_ramp:
        why = Estimate.missing("ramps have no f–I curve: it needs steps")
        adapts = Estimate.missing("the current of a ramp changes: adaptation shows in steps")
        return answer | {"gain_hz_per_pa": why, "max_rate_hz": why, "adaptation_index": adapts}
    return answer | _curve(view, config)


def _curve(view: View, config: ExcitabilityConfig) -> dict[str, Any]:
    """Return the f–I curve, its gain, and its highest rate."""
    levels, group = distinct(view.current)
    n = np.bincount(group).astype(np.float64)
    curve: dict[str, Any] = {
        "current_pa": levels,
        "rate_hz": np.bincount(group, weights=view.rate) / n,
        "fired": np.bincount(group, weights=(view.count > 0).astype(float)) / n,
        "n_repeats": n,
    }
    if view.mixed_lengths:
        why = Estimate.missing(view.mixed_lengths)
        return curve | {"gain_hz_per_pa": why, "max_rate_hz": why}
    doubtful = np.bincount(group, weights=view.doubtful.astype(float)) / n >= 0.5
    end = int(np.flatnonzero(doubtful)[0]) if doubtful.any() else levels.size
    end = rising(curve["rate_hz"][:end], step_s=float(np.median(view.duration_s)))
    usable = (group < end) & ~view.doubtful
    return curve | _gain(view, group, curve, usable, config) | {"max_rate_hz": _max_rate(view, group, usable, config)}


def _gain(
    view: View, group: IntArray, curve: dict[str, Any], usable: BoolArray, config: ExcitabilityConfig
) -> dict[str, Any]:
    if not (view.count > 0).any():
        return {"gain_hz_per_pa": Estimate.missing("the cell did not fire")}
    silent = np.flatnonzero(curve["fired"][: int(np.argmax(curve["rate_hz"])) + 1] < 1.0)
    always = usable & (group > (silent.max() if silent.size else -1))
    current, rate = view.current[always], view.rate[always]
    gain, end_pa = gain_of(current, rate, step_s=float(np.median(view.duration_s)), level=config.level)
    return {"gain_hz_per_pa": gain, "line_pa": current, "line_hz": rate, "line_end_pa": end_pa}


def _max_rate(view: View, group: IntArray, usable: BoolArray, config: ExcitabilityConfig) -> Estimate:
    if not (view.count[usable] > 0).any():
        return Estimate.missing("the cell did not fire" if not view.count.any() else "it fires only in block")
    n = np.bincount(group, weights=usable)
    rate = np.bincount(group, weights=np.where(usable, view.rate, 0.0))
    best = int(np.argmax(np.divide(rate, n, out=np.full(n.shape, -1.0), where=n > 0)))
    here = usable & (group == best)
    what = f"sweeps at {float(view.current[here].mean()):.4g} pA"
    return mean_of(view.rate[here], level=config.level, what=what, missing="the cell did not fire")


def _rheobase(view: View, config: ExcitabilityConfig) -> Estimate:
    if view.mixed_lengths:
        return Estimate.missing(view.mixed_lengths)
    tells = view.tells
    current, fired = view.current[tells], view.count[tells] > 0
    if not fired.any():
        return _never(view)
    if view.is_ramp:
        return _of_ramps(view, config)
    smallest = float(current[fired].min())
    if not (current[~fired] <= smallest + SAME_PA).any():
        said = f"the cell fires at every current: its rheobase is below {smallest:.4g} pA"
        return Estimate(value=nan, low=-inf, high=smallest, status=said, is_bracket=True)
    return step_rheobase(tally(current, fired), level=config.level)


def _of_ramps(view: View, config: ExcitabilityConfig) -> Estimate:
    at_spike = view.steps.current_at_spike_pa[view.place]
    known = at_spike[np.isfinite(at_spike)]
    if known.size and float(np.median(known)) <= SAME_PA:
        said = f"the ramps' first spikes come at or below holding ({float(np.median(known)):.0f} pA): no rheobase"
        return Estimate.missing(said)
    found = ramp_rheobase(at_spike, view.current, level=config.level)
    speed = f" at {_range(view.speed)} pA/s" if np.isfinite(view.speed).any() else ""
    return replace(found, method=f"{found.method}{speed}") if found.status == OK else found


def _never(view: View) -> Estimate:
    """Say of a silent cell how much current was tried."""
    largest = float(view.current.max())
    if largest <= SAME_PA:
        return Estimate.missing("all steps are hyperpolarising or of 0 pA: the rheobase needs depolarising ones")
    kind = "ramp" if view.is_ramp else "current"
    said = f"the cell did not fire: its rheobase is above the largest {kind} tried, {largest:.4g} pA"
    return Estimate(value=nan, low=largest, high=inf, status=said, is_bracket=True)


def _fires_without_current(view: View, config: ExcitabilityConfig) -> Estimate | None:
    """Say how the cell fires of itself; None when it does not."""
    at_rest = (view.spontaneous > 0) & np.isfinite(view.current)
    often = 100.0 * float(at_rest.mean()) > config.spontaneous_percent
    no_current = (view.current <= SAME_PA) & (not view.is_ramp)
    nearest = no_current & (view.current >= view.current[no_current].max(initial=-inf) - SAME_PA)
    at_zero = bool(nearest.any()) and float((view.count > 0)[nearest].mean()) >= 0.5
    if not (often or at_zero):
        return None
    where = [f"at holding in {int(at_rest.sum())} of {at_rest.size} sweeps"] if often else []
    if not at_zero:
        return Estimate.missing(f"the cell fires without current ({where[0]}): there is no rheobase")
    enough = float(view.current[nearest].mean().round(1))
    where.append(f"during steps of {enough:g} pA")
    said = f"the cell fires without current ({' and '.join(where)}): there is no rheobase"
    # One spike at 0 pA may be chance; together with spikes at holding it says that no current is needed.
    return Estimate(value=nan, low=-inf, high=enough, status=said, is_bracket=True) if often else Estimate.missing(said)


def _first_spike(view: View, config: ExcitabilityConfig, error_mohm: float) -> dict[str, Estimate]:
    fired = np.flatnonzero(view.count > 0)
    order = fired[np.argsort(view.current[fired], kind="stable")] if not view.is_ramp else fired
    if not view.is_ramp and order.size:
        # All sweeps of the last current that is needed: which of its repeats came first must not matter.
        last = view.current[order[min(config.first_spike_sweeps, order.size) - 1]]
        order = order[view.current[order] <= last + SAME_PA]
    names = ("threshold_mv", "amplitude_mv", "half_width_ms", "fast_ahp_mv", "slow_ahp_mv")
    silent = "the cell did not fire"
    answer = {}
    for name in names:
        error_mv = 1e-3 * error_mohm * view.current[order] if name == "threshold_mv" else 0.0
        answer[name] = mean_of(
            view.first_spikes(name, order) - error_mv,
            level=config.level,
            what="first spikes",
            missing="no first spike shows it" if order.size else silent,
        )
    answer["threshold_mv"] = without_bridge(answer["threshold_mv"], error_mohm)
    lowest = order if view.is_ramp else order[view.current[order] <= view.current[order].min(initial=inf) + SAME_PA]
    latency = view.steps.spikes.latency_ms[view.place[lowest]]
    at = "" if view.is_ramp or not lowest.size else f" at {float(view.current[lowest].mean().round(1)):g} pA"
    answer["latency_ms"] = mean_of(latency, level=config.level, what=f"first spikes{at}", missing=silent)
    return answer


def _for_people(estimate: Estimate) -> Estimate:
    """Write negative numbers in words with a true minus sign."""
    return replace(estimate, status=minus(estimate.status), method=minus(estimate.method))


def _range(values: FloatArray) -> str:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return f"{high:.4g}" if high - low <= 0.02 * abs(high) else f"{low:.4g} to {high:.4g}"


def _nothing(why: str) -> ExcitabilityResult:
    estimates: dict[str, Any] = {
        each.name: Estimate.missing(why) for each in fields(ExcitabilityResult) if each.type in (Estimate, "Estimate")
    }
    names = ("current_pa", "rate_hz", "fired", "n_repeats", "line_pa", "line_hz")
    arrays: dict[str, Any] = {name: np.zeros(0) for name in names}
    return ExcitabilityResult(status=why, **estimates, **arrays)
