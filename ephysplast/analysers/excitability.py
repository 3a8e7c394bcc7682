"""Intrinsic excitability of a cell: rheobase, f–I gain, threshold, input resistance, sag, time constant."""

from collections import Counter
from dataclasses import dataclass, fields, replace
from math import inf, nan
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._gain import gain_of, mean_of, resistance_of, small_steps
from ephysplast.analysers._rheobase import SAME_PA, distinct, ramp_rheobase, step_rheobase, tally
from ephysplast.analysers.current_steps import CurrentSteps
from ephysplast.errors import LEVELS, OK, check_settings
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Estimate, Result, estimates_frame

if TYPE_CHECKING:
    import pandas as pd

BoolArray = NDArray[np.bool_]
_NO_HYPERPOLARISATION = "no silent hyperpolarising step is large enough to show it"


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
    """

    level: float = 0.95
    spontaneous_percent: float = 20.0
    first_spike_sweeps: int = 3
    largest_deflection_mv: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            level=LEVELS,
            spontaneous_percent=(0.0, 100.0),
            first_spike_sweeps=(1, inf),
            largest_deflection_mv=(0.1, inf),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ExcitabilityResult(Result):
    """What a cell is like, from its steps or ramps.

    Attributes
    ----------
    status : str
        ``"ok"``, or why nothing was measured.
    rheobase_pa : Estimate
        Smallest step (above holding) that makes the cell fire: from steps bracketed by the next smaller one; with
        repeats the current of 50 % firing (probit); from ramps the current at the first spike's threshold. Without a
        value its bounds still say what is known: above the largest silent current, or below the smallest tried.
    gain_hz_per_pa : Estimate
        Slope of rate against current above the rheobase.
    threshold_mv, amplitude_mv, half_width_ms, fast_ahp_mv, slow_ahp_mv, latency_ms : Estimate
        Of the first spike at the rheobase.
    max_rate_hz : Estimate
        Highest rate before any depolarisation block.
    adaptation_index : Estimate
        Where the cell fires enough.
    rin_mohm, tau_ms, sag_ratio, rest_mv, holding_pa : Estimate
        Passive properties from the subthreshold steps.
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
    n_sweeps, n_blocked, n_spontaneous : int
        Sweeps used; those of them that went into depolarisation block; those that fired at holding.
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
    the slope of a line from the smallest current at which every sweep fires up to depolarisation block, or to where
    the rate saturates. R_in is the slope of steady deflections against current.

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
    view = _View.of(steps, used)
    passive = _passive(view, config)
    fired = _firing(view, config)
    return replace(
        _nothing("not measured"),
        status=OK,
        **fired,
        **passive,
        protocol=steps.protocol,
        step_duration_s=float(np.median(view.duration_s)),
        ramp_pa_per_s=float(np.median(view.speed)),
        level=config.level,
        n_sweeps=int(used.sum()),
        n_blocked=int(view.blocked.sum()),
        n_spontaneous=int((view.spontaneous > 0).sum()),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class _View:
    """The sweeps that are used, one entry each."""

    steps: CurrentSteps
    place: NDArray[np.intp]
    is_ramp: bool
    current: FloatArray
    count: IntArray
    rate: FloatArray
    blocked: BoolArray
    spontaneous: IntArray
    duration_s: FloatArray
    speed: FloatArray

    @classmethod
    def of(cls, steps: CurrentSteps, used: BoolArray) -> "_View":
        return cls(
            steps=steps,
            place=np.flatnonzero(used),
            is_ramp=steps.protocol == "ramp",
            current=steps.current_pa[used],
            count=steps.spikes.count[used],
            rate=steps.spikes.rate_hz[used],
            blocked=steps.spikes.blocked[used],
            spontaneous=steps.spontaneous[used],
            duration_s=(steps.stop_s - steps.start_s)[used],
            speed=steps.ramp_pa_per_s[used],
        )

    @property
    def tells(self) -> BoolArray:
        """Sweeps that say whether their current makes the cell fire: not those blocked without a spike."""
        return np.asarray((self.count > 0) | ~self.blocked)

    def first_spikes(self, name: str, sweeps: NDArray[np.intp]) -> FloatArray:
        """Return a feature of the first spike of some sweeps (indices into this view)."""
        spikes = self.steps.spikes
        first = np.searchsorted(spikes.row, self.place[sweeps])
        return np.asarray(getattr(spikes, name)[first], dtype=np.float64)


def _passive(view: _View, config: ExcitabilityConfig) -> dict[str, Any]:
    steps, place, level = view.steps, view.place, config.level
    steady, current = steps.steady_mv[place], view.current
    small = small_steps(current, steady, config.largest_deflection_mv)
    none = "ramps show no steady deflection" if view.is_ramp else _NO_HYPERPOLARISATION
    silent = none if view.is_ramp else "no silent step moves the potential: R_in needs steps below the rheobase"
    return {
        "rin_mohm": resistance_of(
            current, steady, largest_mv=config.largest_deflection_mv, level=level, missing=silent
        ),
        "tau_ms": mean_of(np.where(small, steps.tau_ms[place], nan), level=level, what="small steps", missing=none),
        "sag_ratio": mean_of(steps.sag_ratio[place], level=level, what="hyperpolarising steps", missing=none),
        "rest_mv": mean_of(
            steps.rest_mv[place], level=level, what="sweeps", missing="no stretch at holding before the steps"
        ),
        "holding_pa": mean_of(
            steps.holding_pa[place], level=level, what="sweeps", missing="the file does not say what it was held at"
        ),
    }


def _firing(view: _View, config: ExcitabilityConfig) -> dict[str, Any]:
    rheobase = _rheobase(view, config)
    answer: dict[str, Any] = {"rheobase_pa": rheobase} | _first_spike(view, config)
    answer["adaptation_index"] = mean_of(
        np.where(view.blocked, nan, view.steps.spikes.adaptation_index[view.place]),
        level=config.level,
        what="sweeps",
        missing="no sweep has spikes enough for an adaptation index",
    )
    if view.is_ramp:
        why = "ramps have no f–I curve: it needs steps"
        return answer | {"gain_hz_per_pa": Estimate.missing(why), "max_rate_hz": Estimate.missing(why)}
    levels, group = distinct(view.current)
    n = np.bincount(group).astype(np.float64)
    fired = np.bincount(group, weights=(view.count > 0).astype(float)) / n
    answer |= {
        "current_pa": levels,
        "rate_hz": np.bincount(group, weights=view.rate) / n,
        "fired": fired,
        "n_repeats": n,
    }
    blocked = np.bincount(group, weights=view.blocked.astype(float)) / n >= 0.5
    end = int(np.flatnonzero(blocked)[0]) if blocked.any() else levels.size
    usable = (group < end) & ~view.blocked
    return answer | {
        "gain_hz_per_pa": _gain(view, group, fired, usable, config),
        "max_rate_hz": _max_rate(view, group, usable, config),
    }


def _gain(view: _View, group: IntArray, fired: FloatArray, usable: BoolArray, config: ExcitabilityConfig) -> Estimate:
    if not (view.count > 0).any():
        return Estimate.missing("the cell did not fire")
    mean_rate = np.bincount(group, weights=view.rate) / np.bincount(group)
    silent = np.flatnonzero(fired[: int(np.argmax(mean_rate)) + 1] < 1.0)
    always = usable & (group > (silent.max() if silent.size else -1))
    step_s = float(np.median(view.duration_s))
    return gain_of(view.current[always], view.rate[always], step_s=step_s, level=config.level)


def _max_rate(view: _View, group: IntArray, usable: BoolArray, config: ExcitabilityConfig) -> Estimate:
    if not (view.count[usable] > 0).any():
        return Estimate.missing("the cell did not fire" if not view.count.any() else "it fires only in block")
    n = np.bincount(group, weights=usable)
    rate = np.bincount(group, weights=np.where(usable, view.rate, 0.0))
    best = int(np.argmax(np.divide(rate, n, out=np.full(n.shape, -1.0), where=n > 0)))
    here = usable & (group == best)
    what = f"sweeps at {float(view.current[here].mean()):.4g} pA"
    return mean_of(view.rate[here], level=config.level, what=what, missing="the cell did not fire")


def _rheobase(view: _View, config: ExcitabilityConfig) -> Estimate:
    why = _fires_without_current(view, config)
    if why:
        return Estimate.missing(why)
    tells = view.tells
    current, fired = view.current[tells], view.count[tells] > 0
    if not fired.any():
        return _never(view)
    if view.is_ramp:
        found = ramp_rheobase(view.steps.current_at_spike_pa[view.place], view.current, level=config.level)
        speed = f" at {_range(view.speed)} pA/s" if np.isfinite(view.speed).any() else ""
        return replace(found, method=f"{found.method}{speed}") if found.status == OK else found
    smallest = float(current[fired].min())
    if not (current[~fired] <= smallest + SAME_PA).any():
        said = f"the cell fires at every current: its rheobase is below {smallest:.4g} pA"
        return Estimate(value=nan, low=-inf, high=smallest, status=said, is_bracket=True)
    return step_rheobase(tally(current, fired), level=config.level)


def _never(view: _View) -> Estimate:
    """Say of a silent cell how much current was tried."""
    largest = float(view.current.max())
    if largest <= SAME_PA:
        return Estimate.missing("all steps are hyperpolarising or of 0 pA: the rheobase needs depolarising ones")
    kind = "ramp" if view.is_ramp else "current"
    said = f"the cell did not fire: its rheobase is above the largest {kind} tried, {largest:.4g} pA"
    return Estimate(value=nan, low=largest, high=inf, status=said, is_bracket=True)


def _fires_without_current(view: _View, config: ExcitabilityConfig) -> str:
    """Say how the cell fires of itself; empty when it does not."""
    at_rest = (view.spontaneous > 0) & np.isfinite(view.current)
    share = 100.0 * float(at_rest.mean())
    no_current = (view.current <= SAME_PA) & (not view.is_ramp)
    fires = view.count > 0
    nearest = no_current & (view.current >= view.current[no_current].max(initial=-inf) - SAME_PA)
    at_zero = bool(nearest.any()) and float(fires[nearest].mean()) >= 0.5
    if share <= config.spontaneous_percent and not at_zero:
        return ""
    where = []
    if share > config.spontaneous_percent:
        where.append(f"at holding in {int(at_rest.sum())} of {at_rest.size} sweeps")
    if at_zero:
        where.append(f"during steps of {float(view.current[nearest].mean().round(1)):g} pA")
    return f"the cell fires without current ({' and '.join(where)}): there is no rheobase"


def _first_spike(view: _View, config: ExcitabilityConfig) -> dict[str, Estimate]:
    fired = np.flatnonzero(view.count > 0)
    order = fired[np.argsort(view.current[fired], kind="stable")] if not view.is_ramp else fired
    if not view.is_ramp and order.size:
        # All sweeps of the last current that is needed: which of its repeats came first must not matter.
        last = view.current[order[min(config.first_spike_sweeps, order.size) - 1]]
        order = order[view.current[order] <= last + SAME_PA]
    names = ("threshold_mv", "amplitude_mv", "half_width_ms", "fast_ahp_mv", "slow_ahp_mv")
    silent = "the cell did not fire"
    answer = {
        name: mean_of(
            view.first_spikes(name, order),
            level=config.level,
            what="first spikes",
            missing="no first spike shows it" if order.size else silent,
        )
        for name in names
    }
    lowest = order if view.is_ramp else order[view.current[order] <= view.current[order].min(initial=inf) + SAME_PA]
    latency = view.steps.spikes.latency_ms[view.place[lowest]]
    at = "" if view.is_ramp or not lowest.size else f" at {float(view.current[lowest].mean().round(1)):g} pA"
    answer["latency_ms"] = mean_of(latency, level=config.level, what=f"first spikes{at}", missing=silent)
    return answer


def _range(values: FloatArray) -> str:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return f"{high:.4g}" if high - low <= 0.02 * abs(high) else f"{low:.4g} to {high:.4g}"


def _nothing(why: str) -> ExcitabilityResult:
    estimates: dict[str, Any] = {
        each.name: Estimate.missing(why) for each in fields(ExcitabilityResult) if each.type in (Estimate, "Estimate")
    }
    arrays: dict[str, Any] = {name: np.zeros(0) for name in ("current_pa", "rate_hz", "fired", "n_repeats")}
    return ExcitabilityResult(status=why, **estimates, **arrays)
