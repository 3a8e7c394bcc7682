"""Chloride against conductance: what moved an inhibitory current."""

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Literal, TypeAlias

import numpy as np

from ephysplast._words import minus
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.classify._chloride_checks import check_phases, is_dialysed
from ephysplast.errors import LEVELS, OK, check_settings
from ephysplast.recording import FloatArray
from ephysplast.statistics import NO_INTERVAL, Interval, percentile_interval
from ephysplast.verdict import Evidence, PointsTo, Sign, Verdict

_USUAL_MV = -60.0

State: TypeAlias = Literal["changed", "unchanged", "open"]


@dataclass(frozen=True, kw_only=True)
class ChlorideConfig:
    """Smallest changes of interest, and where the change of the current is split.

    Attributes
    ----------
    smallest_shift_mv : float
        Smallest shift of E_GABA of interest: 2. A shift exceeds it; *no change* lies within it.
    smallest_change_percent : float
        The same for the conductance: 10.
    at_mv : float, optional
        Membrane potential at which the current is split into its parts. Not set (default) it is the resting potential,
        or −60 mV where that is not known.
    level : float
        Confidence level of the intervals that are shown, and within which *no change* must lie inside the margins.
    decision_level : float
        Level at which a change must be certain: 0.99. Two questions are asked of each pair of phases, and a wrong
        answer is worse than none.
    """

    smallest_shift_mv: float = 2.0
    smallest_change_percent: float = 10.0
    at_mv: float | None = None
    level: float = 0.95
    decision_level: float = 0.99

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            smallest_shift_mv=(0.0, inf),
            smallest_change_percent=(0.0, inf),
            level=LEVELS,
            decision_level=(self.level, LEVELS[1]),
        )
        if self.at_mv is not None:
            check_settings(self, at_mv=(-200.0, 200.0))


@dataclass(frozen=True, kw_only=True)
class _Change:
    """One quantity before and after: what it changed by, and what that says."""

    value: float
    interval: Interval
    state: State
    why: str = ""


def split_current(
    before: tuple[FloatArray, FloatArray], after: tuple[FloatArray, FloatArray], at_mv: float
) -> tuple[FloatArray, FloatArray]:
    """Split the change of a current exactly into driving force and conductance.

    ``ΔI = (V − Ē)·Δg − ḡ·ΔE``, bars the midpoints of before and after.

    Parameters
    ----------
    before, after : (reversal in mV, conductance in nS)
        Floats or arrays of one shape.
    at_mv : float
        Membrane potential V.

    Returns
    -------
    driving_pa, conductance_pa : numpy.ndarray
        ``−ḡ·ΔE`` and ``(V − Ē)·Δg``; their sum is ``g_after (V − E_after) − g_before (V − E_before)``.

    Examples
    --------
    >>> driving, conductance = split_current((-70.0, 5.0), (-60.0, 6.0), -60.0)
    >>> float(driving), float(conductance)                                   # 0 pA after, 50 pA before
    (-55.0, 5.0)
    """
    (e_before, g_before), (e_after, g_after) = before, after
    driving = -0.5 * (np.asarray(g_before) + g_after) * (np.asarray(e_after) - e_before)
    conductance = (at_mv - 0.5 * (np.asarray(e_before) + e_after)) * (np.asarray(g_after) - g_before)
    return np.asarray(driving, dtype=np.float64), np.asarray(conductance, dtype=np.float64)


def judge_chloride(
    before: ReversalResult,
    after: ReversalResult,
    *,
    configuration: str = "",
    config: ChlorideConfig = ChlorideConfig(),
) -> Verdict:
    """Split a change of an inhibitory current into driving force and conductance, and say which it was.

    Parameters
    ----------
    before, after : ReversalResult
        Of two phases of one cell.
    configuration : str
        How the cell was recorded, as the experimenter wrote it: ``"gramicidin"``, ``"cell-attached"``,
        ``"whole-cell"``, …; empty when not known.
    config : ChlorideConfig
        Margins and levels.

    Returns
    -------
    Verdict
        Each of E_GABA and conductance is *changed* (beyond its margin, and certainly), *unchanged* (its interval lies
        inside the margin) or open. ``"E_GABA shift"``, ``"conductance change"``, ``"both"`` and ``"no change"`` need
        both answers; where one is open the sign is ``"undetermined"``, and the sentence says what is known. So it is
        where a shift was seen in a dialysed cell: the pipette makes that chloride. Refused when a phase could not be
        measured.

    Examples
    --------
    >>> from ephysplast.analysers.current_voltage import CurrentVoltage
    >>> from ephysplast.analysers.reversal import measure_reversal
    >>> volts, rng = np.repeat(np.arange(-90.0, -49.0, 10.0), 6), np.random.default_rng(2)
    >>> def phase(reversal):
    ...     current = 5.0 * (volts - reversal) + rng.normal(0.0, 3.0, 30)
    ...     return measure_reversal(CurrentVoltage(
    ...         protocol="voltage steps", response="evoked", unit="pA", sweeps=np.arange(30),
    ...         part=np.zeros(30, dtype=int), command_mv=volts, total_pa=current, response_value=current,
    ...         rs_mohm=np.zeros(30), reason=("ok",) * 30, trace=np.empty((0, 0)), trace_s=np.empty(0)), rng=rng)
    >>> judge_chloride(phase(-72.0), phase(-62.0), configuration="gramicidin").sign
    'E_GABA shift'
    """
    said = [f"{name}: {each.status}" for name, each in (("before", before), ("after", after)) if each.status != OK]
    if said:
        status = f"E_GABA cannot be compared; {'; '.join(said)}"
        return Verdict(sign="refused", status=status, sign_sentence=status, level=config.level)
    unlike = _unlike(before, after)
    if unlike:
        return Verdict(sign="refused", status=unlike, sign_sentence=unlike, level=config.level)
    at_mv, where = _potential(before, after, config)
    shift, ratio = _shift(before, after, config), _ratio(before, after, config)
    sign = _sign(shift, ratio)
    sentence = _sentence(sign, shift, ratio, config)
    sign, doubt = _doubted(sign, shift, before.is_whole_current or after.is_whole_current, configuration)
    evidence = _evidence(before, after, shift, ratio, at_mv=at_mv, where=where, sign=sign, config=config)
    return Verdict(
        sign=sign,
        sign_sentence=minus(
            f"{doubt} ({sentence.removeprefix('undetermined: ')})" if doubt else f"{sentence}; {evidence[-1].sentence}"
        ),
        level=config.level,
        evidence=evidence,
        quality=check_phases(before, after, configuration, at_mv),
        n_baseline=_n_sweeps(before),
        n_post=_n_sweeps(after),
    )


def _unlike(before: ReversalResult, after: ReversalResult) -> str:
    """Say why two phases measured different currents; empty when they measured the same."""
    kinds = [
        "the whole current" if each.is_whole_current
        else f"the {each.readings.response} {'potential' if each.unit == 'mV' else 'current'}"
        for each in (before, after)
    ]  # fmt: skip
    return "" if kinds[0] == kinds[1] else f"E_GABA cannot be compared: {kinds[0]} before, {kinds[1]} after"


def _n_sweeps(phase: ReversalResult) -> int:
    """Count the sweeps of all files that were used; a ramp is one sweep of many readings."""
    readings = phase.readings
    return len(np.unique(np.column_stack([readings.part, readings.sweeps])[readings.used], axis=0))


def _potential(before: ReversalResult, after: ReversalResult, config: ChlorideConfig) -> tuple[float, str]:
    if config.at_mv is not None:
        return config.at_mv, f"{config.at_mv:.0f} mV"
    rest = [each.rest_mv for each in (before, after) if isfinite(each.rest_mv)]
    if rest:
        mean = float(np.mean(rest))
        return mean, f"rest ({mean:.0f} mV)"
    return _USUAL_MV, f"{_USUAL_MV:.0f} mV (the resting potential is not known)"


def _pairs(before: FloatArray, after: FloatArray) -> tuple[FloatArray, FloatArray]:
    n = min(before.size, after.size)
    return before[:n], after[:n]


def _change(
    value: float, draws: FloatArray, *, null: float, margins: tuple[float, float], config: ChlorideConfig
) -> _Change:
    """Decide whether one quantity changed; `draws` are of the change."""
    if not draws.size or np.isnan(draws).all():
        return _Change(value=value, interval=NO_INTERVAL, state="open", why="there are too few readings to be sure")
    interval = percentile_interval(draws, config.level)
    strict = percentile_interval(draws, config.decision_level)
    beyond = not margins[0] <= value <= margins[1]
    if beyond and not strict.contains(null):
        return _Change(value=value, interval=interval, state="changed")
    if margins[0] < interval.low and interval.high < margins[1]:
        return _Change(value=value, interval=interval, state="unchanged")
    return _Change(value=value, interval=interval, state="open", why="its interval reaches beyond what is no change")


def _shift(before: ReversalResult, after: ReversalResult, config: ChlorideConfig) -> _Change:
    for name, each in (("before", before), ("after", after)):
        if each.reversal_mv.status != OK:
            return _Change(value=nan, interval=NO_INTERVAL, state="open", why=f"{name}: {each.reversal_mv.status}")
    earlier, later = _pairs(before.draws_mv, after.draws_mv)
    margin = config.smallest_shift_mv
    change = after.reversal_mv.value - before.reversal_mv.value
    with np.errstate(invalid="ignore"):  # both may be infinite
        return _change(change, later - earlier, null=0.0, margins=(-margin, margin), config=config)


def _ratio(before: ReversalResult, after: ReversalResult, config: ChlorideConfig) -> _Change:
    for name, each in (("before", before), ("after", after)):
        if each.conductance_ns.status != OK:
            return _Change(value=nan, interval=NO_INTERVAL, state="open", why=f"{name}: {each.conductance_ns.status}")
    earlier, later = _pairs(before.draws_ns, after.draws_ns)
    margin = 1.0 + config.smallest_change_percent / 100.0
    ratio = after.conductance_ns.value / before.conductance_ns.value
    # A conductance is not below zero; draws that are mean that it may be as small as one likes.
    draws = np.divide(later, earlier, out=np.full(later.size, np.inf), where=earlier > 0.0)
    return _change(ratio, draws, null=1.0, margins=(1.0 / margin, margin), config=config)


def _sign(shift: _Change, ratio: _Change) -> Sign:
    answers: dict[tuple[State, State], Sign] = {
        ("changed", "unchanged"): "E_GABA shift",
        ("unchanged", "changed"): "conductance change",
        ("changed", "changed"): "both",
        ("unchanged", "unchanged"): "no change",
    }
    return answers.get((shift.state, ratio.state), "undetermined")


def _sentence(sign: Sign, shift: _Change, ratio: _Change, config: ChlorideConfig) -> str:
    moved = f"E_GABA moved by {shift.value:+.1f} mV{_bracket(shift.interval, 1)}"
    scaled = f"the conductance by a factor of {ratio.value:.2f}{_bracket(ratio.interval, 2)}"
    if not isfinite(shift.value):
        moved = "how far E_GABA moved is not known"
    if not isfinite(ratio.value):
        scaled = "how far the conductance changed is not known"
    answer = f"{sign}: {moved}, {scaled}"
    if sign != "undetermined":
        return answer
    open_ = [
        f"{name} is open ({each.why})"
        for name, each in (
            (f"whether E_GABA shifted by {config.smallest_shift_mv:g} mV or more", shift),
            (f"whether the conductance changed by {config.smallest_change_percent:g} % or more", ratio),
        )
        if each.state == "open"
    ]
    return f"{answer}; {' and '.join(open_)}"


def _bracket(interval: Interval, digits: int) -> str:
    if not (isfinite(interval.low) or isfinite(interval.high)):
        return ""
    return f" [{interval.low:.{digits}f}, {interval.high:.{digits}f}]"


def _doubted(sign: Sign, shift: _Change, is_whole_current: bool, configuration: str) -> tuple[Sign, str]:
    """Withdraw what the recording cannot say, with the reason."""
    if is_whole_current:
        why = "the whole current was measured, without a control to subtract: its reversal is not that of GABA"
        return "undetermined", f"undetermined: {why}"
    if shift.state == "changed" and is_dialysed(configuration):
        how = configuration.strip() or "configuration not known"
        return "undetermined", (
            f"undetermined: in a recording of this kind ({how}) the pipette sets the chloride of the cell, so a shift "
            f"of E_GABA says nothing about the cell's own; it takes gramicidin, or one that does not open the cell"
        )
    return sign, ""


def _points(change: _Change, toward: PointsTo) -> PointsTo:
    if not isfinite(change.value):
        return "not available"
    answers: dict[State, PointsTo] = {"changed": toward, "unchanged": "neither", "open": "undetermined"}
    return answers[change.state]


def _evidence(
    before: ReversalResult,
    after: ReversalResult,
    shift: _Change,
    ratio: _Change,
    *,
    at_mv: float,
    where: str,
    sign: Sign,
    config: ChlorideConfig,
) -> tuple[Evidence, ...]:
    e_gaba, conductance = _points(shift, "E_GABA"), _points(ratio, "conductance")
    rows = (
        _row("E_GABA (mV)", shift.value, shift.interval, e_gaba, "shift of E_GABA", "mV"),
        _row("conductance (ratio)", ratio.value, ratio.interval, conductance, "conductance after/before", ""),
    )
    if not (isfinite(shift.value) and isfinite(ratio.value)):
        why = shift.why if not isfinite(shift.value) else ratio.why
        return (*rows, Evidence(index="ΔI (pA)", sentence=f"ΔI cannot be split: {why}"))
    phases = before, after
    estimates = [(np.array(each.reversal_mv.value), np.array(each.conductance_ns.value)) for each in phases]
    n = min(each.draws_mv.size for each in phases)
    draws = [(each.draws_mv[:n], each.draws_ns[:n]) for each in phases]
    values = split_current(estimates[0], estimates[1], at_mv)
    with np.errstate(invalid="ignore", over="ignore"):  # a reversal that was drawn may be infinite
        drawn = split_current(draws[0], draws[1], at_mv)
        total = drawn[0] + drawn[1]
    answers: dict[str, PointsTo] = {
        "E_GABA shift": "E_GABA", "conductance change": "conductance", "no change": "neither",
    }  # fmt: skip
    quantities: tuple[tuple[str, float, FloatArray, PointsTo, str, str], ...] = (
        ("conductance (nS)", float(estimates[1][1] - estimates[0][1]), draws[1][1] - draws[0][1], conductance,
         "change of the conductance", "nS"),
        ("driving-force part (pA)", float(values[0]), drawn[0], e_gaba, f"through the driving force, at {where}", "pA"),
        ("conductance part (pA)", float(values[1]), drawn[1], conductance,
         f"through the conductance, at {where}", "pA"),
        ("ΔI (pA)", float(values[0] + values[1]), total, answers.get(sign, "undetermined"),
         f"change of the current at {where}", "pA"),
    )  # fmt: skip
    return rows + tuple(
        _row(index, value, _interval(each, config), toward, name, unit)
        for index, value, each, toward, name, unit in quantities
    )


def _interval(draws: FloatArray, config: ChlorideConfig) -> Interval:
    return percentile_interval(draws, config.level) if draws.size else NO_INTERVAL


def _row(index: str, value: float, interval: Interval, points_to: PointsTo, name: str, unit: str) -> Evidence:
    numbers = f"{value:+.2f}" if unit else f"{value:.2f}"
    sentence = minus(f"{name}: {numbers}{' ' + unit if unit else ''}{_bracket(interval, 2)}")
    if not isfinite(value):
        return Evidence(index=index, sentence=f"{name} is not available")
    return Evidence(
        index=index, value=value, low=interval.low, high=interval.high, points_to=points_to, sentence=sentence
    )
