"""Intrinsic plasticity: whether the cell is easier, or harder, to fire than before."""

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from ephysplast._words import number
from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.classify._intrinsic_change import PRIMARY, SUPPORTING, Change, Quantity, change_of, with_unit
from ephysplast.classify._intrinsic_quality import check_phases
from ephysplast.errors import OK, check_settings
from ephysplast.verdict import Evidence, PointsTo, QualityCheck, Sign, Verdict

_MANY: Final = 100.0
"""An experiment this many times as long is no advice."""

_FREEDOM: Final = 3.0
"""Degrees of freedom behind an interval of few sweeps: with more, the stricter level is kept with some to spare."""


@dataclass(frozen=True, kw_only=True)
class IntrinsicConfig:
    """Smallest changes of interest.

    Attributes
    ----------
    smallest_change_percent : float
        Of rheobase, f–I gain, R_in and τ, relative to before: 10. Up and down exceed it, *no change* lies within it.
    smallest_shift_mv : float
        Of threshold and rest: 2, about what a junction potential may drift. A larger shift of the rest is taken off
        the change of the rheobase before that counts.
    smallest_sag_change : float
        Of the sag ratio: 0.05.
    largest_rest_shift_mv, largest_holding_shift_pa : float
        Beyond these the two phases were not recorded alike, which is said: 5 mV and 10 pA.
    largest_rin_change_percent, largest_bridge_shift_mohm : float
        Nor beyond these: the usual 30 % of R_in (a seal or an access that has changed), and 5 MΩ of the bridge.
    largest_protocol_difference_percent : float
        Steps (or ramps) whose length (or speed) differs by more between the phases cannot be compared: 10.
    """

    smallest_change_percent: float = 10.0
    smallest_shift_mv: float = 2.0
    smallest_sag_change: float = 0.05
    largest_rest_shift_mv: float = 5.0
    largest_holding_shift_pa: float = 10.0
    largest_rin_change_percent: float = 30.0
    largest_bridge_shift_mohm: float = 5.0
    largest_protocol_difference_percent: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(self, **dict.fromkeys(self.__dataclass_fields__, (0.0, inf)))


def judge_intrinsic(
    before: ExcitabilityResult, after: ExcitabilityResult, *, config: IntrinsicConfig = IntrinsicConfig()
) -> Verdict:
    """Say whether the excitability went up or down.

    Parameters
    ----------
    before, after : ExcitabilityResult
        The same cell, with the same steps or ramps.
    config : IntrinsicConfig
        Smallest changes of interest.

    Returns
    -------
    Verdict
        *Up*: the rheobase fell, or the f–I gain rose, clearly (the interval of the difference excludes 0) and by more
        than the smallest change of interest; *down* the other way round. The two are asked together, so the first to
        answer must do so at the stricter level of Holm's procedure. *No change* only when the intervals of both lie
        within the smallest change; *inconclusive* otherwise, when the two contradict each other, and when a shift of
        the rest explains the rheobase; *refused* when the phases cannot be compared. Threshold, R_in, sag, τ and rest
        say why and decide nothing.

    Notes
    -----
    The interval of a difference follows from those of both phases (:func:`~ephysplast.statistics.difference_interval`);
    brackets (the steps below and above a rheobase) are subtracted as they are. Steps that were not repeated cannot show
    how much the current needed varies from sweep to sweep, so their brackets count as half a step wider on both sides:
    a rheobase from single steps must move by three of them, which keeps false answers below 5 % as long as it varies
    by no more than one step (SD). Gains are compared over stretches of equal length from the smallest current that
    always makes the cell fire, with and without that current, and the interval holds all of them: f–I curves bend. A
    rest that moved by ΔV explains a change of −ΔV/R_in of the rheobase; beyond `smallest_shift_mv` of it the rheobase
    must have moved, or not, without that part too. Sweeps of one phase are taken to be independent.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ephysplast.analysers.current_steps import join_steps
    >>> from ephysplast.analysers.excitability import measure_excitability
    >>> empty = measure_excitability(join_steps([]))
    >>> judge_intrinsic(empty, empty).sign
    'refused'
    >>> from ephysplast.result import Estimate
    >>> def cell(rheobase):
    ...     bracket = Estimate(value=rheobase, low=rheobase - 20, high=rheobase, is_bracket=True)
    ...     return replace(empty, status="ok", rheobase_pa=bracket, protocol="steps", step_duration_s=0.5,
    ...                    n_repeats=np.ones(8))
    >>> print(judge_intrinsic(cell(120.0), cell(60.0)).sign_sentence)
    up: rheobase 120 → 60 pA (change −60 [−100, −20] pA); f–I gain not available
    """
    quality = check_phases(before, after, config)
    changes = [change_of(each, before, after, config) for each in (*PRIMARY, *SUPPORTING)]
    primary = changes[: len(PRIMARY)]
    refusal = _refusal(before, after, primary, quality)
    refused: tuple[Sign, str] = ("refused", refusal)
    fires = (before.fires_of_itself, after.fires_of_itself)
    rest = _rest_of(before, after, config)
    sign, sentence = refused if refusal else _decide(primary, rest, fires, config, strict=_holm(before.level))
    return Verdict(
        status=refusal or OK,
        sign=sign,
        sign_sentence=sentence,
        level=before.level,
        evidence=tuple(_evidence(each, _by_bridge(each.what, before, after)) for each in changes),
        quality=quality,
        n_baseline=before.n_sweeps,
        n_post=after.n_sweeps,
    )


def _refusal(
    before: ExcitabilityResult, after: ExcitabilityResult, primary: list[Change], quality: tuple[QualityCheck, ...]
) -> str:
    """Say why the phases cannot be compared; empty when they can."""
    for phase, each in (("before", before), ("after", after)):
        if each.status != OK:
            return f"{phase}: {each.status}"
    failed = [each.sentence for each in quality if each.outcome == "fail"]
    if failed:
        return "; ".join(failed)
    if any(each.available for each in primary):
        return ""
    return "; ".join(f"no {each.what.name}: {each.why_missing}" for each in primary)


class _Rest(NamedTuple):
    """By how much the rest moved, and how much of a change of the rheobase that explains."""

    shift_mv: float
    explained_pa: float

    @property
    def words(self) -> str:
        """Say so."""
        way = "lowers" if self.shift_mv > 0.0 else "raises"
        size = with_unit(abs(self.explained_pa), "pA")
        by = f"by about {size} (its shift over R_in)" if isfinite(self.explained_pa) else "by an unknown amount"
        return f"the rest moved by {number(self.shift_mv, 1, sign=True)} mV, which alone {way} the rheobase {by}"


def _rest_of(before: ExcitabilityResult, after: ExcitabilityResult, config: IntrinsicConfig) -> _Rest | None:
    """Return the shift of the rest between the phases where it is of interest."""
    shift = after.rest_mv.value - before.rest_mv.value
    if not abs(shift) > config.smallest_shift_mv:  # unknown is none
        return None
    known = [each.rin_mohm.value for each in (before, after) if each.rin_mohm.status == OK and each.rin_mohm.value > 0]
    return _Rest(shift, -1e3 * shift / float(np.mean(known)) if known else nan)


def _decide(
    primary: list[Change], rest: _Rest | None, fires: tuple[bool, bool], config: IntrinsicConfig, *, strict: float
) -> tuple[Sign, str]:
    numbers = "; ".join(each.numbers if each.available else f"{each.what.name} not available" for each in primary)
    if fires[0] != fires[1] and not primary[0].known:
        phase = "before" if fires[0] else "after"
        said = f"{phase}, and only then, the cell fires without current, and gains do not tell how easily it starts"
        return "inconclusive", f"inconclusive: {said}: {numbers}"
    moved = [each.what.easier * each.moved(widen=strict) for each in primary]
    if any(moved):
        moved = [each.what.easier * each.moved() for each in primary]
    if 1 in moved and -1 in moved:
        return "inconclusive", f"inconclusive: rheobase and f–I gain contradict each other: {numbers}"
    rheobase = primary[0]
    if moved[1] and rheobase.what.easier * moved[1] * rheobase.value < -rheobase.margin:
        # A shift along a curve that bends looks like a gain that went the other way.
        return "inconclusive", f"inconclusive: the rheobase seems to have moved against the f–I gain: {numbers}"
    if any(moved):
        sign: Sign = "up" if 1 in moved else "down"
        if rest and moved[0] and rheobase.without(rest.explained_pa).moved() != rheobase.moved():
            if not moved[1]:
                return "inconclusive", f"inconclusive: {rest.words}; hold the cell at one potential: {numbers}"
            numbers = f"{numbers}; {rest.words}"
        return sign, f"{sign}: {numbers}"
    if all(each.within for each in primary):
        if rest and not rheobase.without(rest.explained_pa).within:
            return "inconclusive", f"inconclusive: {rest.words}; hold the cell at one potential: {numbers}"
        return "no change", f"no change beyond {config.smallest_change_percent:g} %: {numbers}"
    return "inconclusive", f"inconclusive: {numbers}; {_what_it_takes(primary)}"


def _holm(level: float) -> float:
    """Return how much wider an interval must be for the first of two answers, which Holm asks at half of the error."""
    return float(special.stdtrit(_FREEDOM, 0.75 + level / 4.0) / special.stdtrit(_FREEDOM, 0.5 + level / 2.0))


def _what_it_takes(primary: list[Change]) -> str:
    """Say what would decide each primary that did not."""
    said = []
    for each in primary:
        if not each.available:
            said.append(f"no {each.what.name}: {each.why_missing}")
        elif not each.known:
            said.append(f"the {each.what.name} needs repeats")
        elif not each.within:
            said.append(_more(each))
    return "; ".join(said)


def _more(change: Change) -> str:
    name, half = change.what.name, 0.5 * (change.interval.high - change.interval.low)
    if not isfinite(change.value):
        return f"of the {name} only a bound is known"
    if change.bracket:
        width = sum(0.5 * (each.high - each.low) for each in (change.before, change.after))
        # A change of one step shows as one bracket beside the other, and must still lie within the margin.
        finest = change.margin / (half / width + 1.0) if isfinite(half) and width > 0.0 else 0.0
        steps = f"steps of {with_unit(finest, 'pA')} around it, or " if finest else ""
        return f"the {name} would need {steps}repeats of each step"
    effect = abs(change.value)
    distance = effect if effect > change.margin else change.margin - effect
    factor = (half / distance) ** 2 if distance > 0.0 else inf
    if not factor < _MANY:
        return f"no feasible number of sweeps would decide about the {name}: it lies at the margin"
    return f"if its change is what it seems, the {name} would need about {max(factor, 1.1):.1f} × the sweeps"


def _by_bridge(what: Quantity, before: ExcitabilityResult, after: ExcitabilityResult) -> float:
    """Return how much a bridge whose balance changed explains of a change of R_in or threshold; 0 of others."""
    left = [each.bridge_mohm.value - each.without_mohm for each in (before, after)]
    if what.field not in ("rin_mohm", "threshold_mv") or not all(isfinite(each) for each in left):
        return 0.0
    shift = left[1] - left[0]
    if what.field == "rin_mohm":
        return shift
    used = [each.rheobase_pa.value for each in (before, after) if each.rheobase_pa.status == OK]
    return 1e-3 * shift * float(np.mean(used)) if used else 0.0


def _evidence(change: Change, by_bridge: float) -> Evidence:
    points_to, words = _reading(change)
    if points_to in ("up", "down") and change.without(by_bridge).moved() != change.moved():
        points_to, words = "undetermined", "it may be the bridge, whose balance changed"
    return Evidence(
        index=change.what.label,
        value=change.value,
        low=change.interval.low,
        high=change.interval.high,
        points_to=points_to,
        sentence=f"{change.numbers}: {words}" if change.available else f"{change.what.name} {words}",
    )


def _reading(change: Change) -> tuple[PointsTo, str]:
    """Return what one quantity says alone, and the words."""
    if not change.available:
        return "not available", f"not available: {change.why_missing}"
    if not change.known:
        return "undetermined", "no interval, it takes repeats"
    moved = change.moved()
    if not moved:
        small = "no change beyond the smallest of interest"
        return ("neither", small) if change.within else ("undetermined", "cannot be told from no change")
    way = "rose" if moved > 0 else "fell"
    if not change.what.easier:
        return "neither", f"{way}, which by itself makes firing neither easier nor harder"
    easier = moved * change.what.easier > 0
    return ("up" if easier else "down"), f"{way}: the cell is {'easier' if easier else 'harder'} to fire"
