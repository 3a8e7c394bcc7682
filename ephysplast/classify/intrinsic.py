"""Intrinsic plasticity: whether the cell is easier, or harder, to fire than before."""

from dataclasses import dataclass
from math import inf, isfinite, nan
from typing import Final, NamedTuple

import numpy as np
from scipy import special

from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.classify._intrinsic_quality import check_phases
from ephysplast.errors import OK, check_settings
from ephysplast.result import Estimate
from ephysplast.statistics import NO_INTERVAL, Interval, difference_interval
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
        Of threshold and rest: 2, about what a junction potential may drift.
    smallest_sag_change : float
        Of the sag ratio: 0.05.
    largest_rest_shift_mv, largest_holding_shift_pa : float
        Beyond these the two phases were not recorded alike, which is said: 5 mV and 10 pA.
    largest_protocol_difference_percent : float
        Steps (or ramps) whose length (or speed) differs by more between the phases cannot be compared: 10.
    """

    smallest_change_percent: float = 10.0
    smallest_shift_mv: float = 2.0
    smallest_sag_change: float = 0.05
    largest_rest_shift_mv: float = 5.0
    largest_holding_shift_pa: float = 10.0
    largest_protocol_difference_percent: float = 10.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(self, **dict.fromkeys(self.__dataclass_fields__, (0.0, inf)))


class _Quantity(NamedTuple):
    """One quantity of the evidence: its field, its name, and which way it moves when the cell fires more easily."""

    field: str
    name: str
    unit: str
    easier: int
    margin: str = "percent"

    @property
    def label(self) -> str:
        """Return the name with its unit."""
        return f"{self.name} ({self.unit})" if self.unit else self.name


_PRIMARY: Final = (_Quantity("rheobase_pa", "rheobase", "pA", -1), _Quantity("gain_hz_per_pa", "f–I gain", "Hz/pA", 1))
_SUPPORTING: Final = (
    _Quantity("threshold_mv", "threshold", "mV", -1, "mv"),
    _Quantity("rin_mohm", "R_in", "MΩ", 1),
    _Quantity("sag_ratio", "sag", "", 0, "sag"),
    _Quantity("tau_ms", "τ", "ms", 0),
    _Quantity("rest_mv", "rest", "mV", 1, "mv"),
)


class _Change(NamedTuple):
    """After − before of one quantity, and what counts as a change."""

    what: _Quantity
    before: Estimate
    after: Estimate
    value: float
    interval: Interval
    bracket: bool
    margin: float

    @property
    def known(self) -> bool:
        """Whether there is an interval, be it open on a side."""
        return not np.isnan(self.interval.low + self.interval.high)

    def moved(self, *, widen: float = 1.0) -> int:
        """Return 1 or −1 when it clearly rose or fell, further than the margin; else 0."""
        low, high = self.interval
        if not self.bracket:
            low, high = self.value - widen * (self.value - low), self.value + widen * (high - self.value)
        nearest = self.value if isfinite(self.value) else (low if low > 0.0 else high)
        if low > 0.0 and nearest > self.margin:
            return 1
        return -1 if high < 0.0 and nearest < -self.margin else 0

    @property
    def within(self) -> bool:
        """Whether any change lies within the margin."""
        return self.known and self.interval.low >= -self.margin and self.interval.high <= self.margin

    @property
    def numbers(self) -> str:
        """Return what moved from where to where, with the change and its interval."""
        unit = f" {self.what.unit}" if self.what.unit else ""
        if not (isfinite(self.before.value) and isfinite(self.after.value)):
            return f"{self.what.name} {_worded(self.before, unit)} before, {_worded(self.after, unit)} after"
        said = f"{self.what.name} {self.before.value:.3g} → {self.after.value:.3g}{unit}"
        if not self.known:
            return f"{said} (change {self.value:+.3g}{unit}, without an interval)"
        return f"{said} (change {self.value:+.3g} [{self.interval.low:+.3g}, {self.interval.high:+.3g}]{unit})"


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
        within the smallest change; *inconclusive* otherwise, and when the two contradict each other; *refused* when
        the phases cannot be compared. Threshold, R_in, sag, τ and rest say why and decide nothing.

    Notes
    -----
    The interval of a difference follows from those of both phases (:func:`~ephysplast.statistics.difference_interval`);
    brackets (the steps below and above a rheobase) are subtracted as they are, so a rheobase from single steps must
    move by two steps. Sweeps of one phase are taken to be independent.

    Examples
    --------
    >>> from dataclasses import replace
    >>> from ephysplast.analysers.current_steps import join_steps
    >>> from ephysplast.analysers.excitability import measure_excitability
    >>> empty = measure_excitability(join_steps([]))
    >>> judge_intrinsic(empty, empty).sign
    'refused'
    >>> def cell(rheobase):
    ...     bracket = Estimate(value=rheobase, low=rheobase - 20, high=rheobase, is_bracket=True)
    ...     return replace(empty, status="ok", rheobase_pa=bracket, protocol="steps", step_duration_s=0.5)
    >>> print(judge_intrinsic(cell(120.0), cell(60.0)).sign_sentence)
    up: rheobase 120 → 60 pA (change -60 [-80, -40] pA); f–I gain not available
    """
    quality = check_phases(before, after, config)
    changes = [_change(each, before, after, config) for each in (*_PRIMARY, *_SUPPORTING)]
    primary = changes[: len(_PRIMARY)]
    refusal = _refusal(before, after, primary, quality)
    refused: tuple[Sign, str] = ("refused", refusal)
    sign, sentence = refused if refusal else _decide(primary, config, before.level)
    return Verdict(
        status=refusal or OK,
        sign=sign,
        sign_sentence=sentence,
        level=before.level,
        evidence=tuple(_evidence(each) for each in changes),
        quality=quality,
        n_baseline=before.n_sweeps,
        n_post=after.n_sweeps,
    )


def _refusal(
    before: ExcitabilityResult, after: ExcitabilityResult, primary: list[_Change], quality: tuple[QualityCheck, ...]
) -> str:
    """Say why the phases cannot be compared; empty when they can."""
    for phase, each in (("before", before), ("after", after)):
        if each.status != OK:
            return f"{phase}: {each.status}"
    failed = [each.sentence for each in quality if each.outcome == "fail"]
    if failed:
        return "; ".join(failed)
    if any(each.known or isfinite(each.value) for each in primary):
        return ""
    return "; ".join(f"no {each.what.name}: {_why_missing(each)}" for each in primary)


def _change(what: _Quantity, before: ExcitabilityResult, after: ExcitabilityResult, config: IntrinsicConfig) -> _Change:
    first: Estimate = getattr(before, what.field)
    second: Estimate = getattr(after, what.field)
    of_before, of_after = _centre(first), _centre(second)
    bracket = first.is_bracket and second.is_bracket
    if bracket or not (isfinite(of_before) and isfinite(of_after)):
        # One of them is only known to lie beyond a current: bounds subtract as bounds.
        interval = Interval(second.low - first.high, second.high - first.low)
        bracket = True
    else:
        interval = difference_interval(
            of_before, Interval(first.low, first.high), of_after, Interval(second.low, second.high)
        )
    known = not np.isnan(interval.low + interval.high)
    margins = {"mv": config.smallest_shift_mv, "sag": config.smallest_sag_change}
    size = abs(of_before) if isfinite(of_before) else _bound(first)
    margin = margins.get(what.margin, size * config.smallest_change_percent / 100.0)
    return _Change(what, first, second, of_after - of_before, interval if known else NO_INTERVAL, bracket, margin)


def _centre(estimate: Estimate) -> float:
    """Return the value, of a bracket its middle: a smallest step with a spike is the upper end of what it may be."""
    if estimate.status != OK:
        return nan
    middle = 0.5 * (estimate.low + estimate.high)
    return middle if estimate.is_bracket and isfinite(middle) else estimate.value


def _bound(estimate: Estimate) -> float:
    return next((abs(each) for each in (estimate.low, estimate.high) if isfinite(each)), 0.0)


def _decide(primary: list[_Change], config: IntrinsicConfig, level: float) -> tuple[Sign, str]:
    strict = _holm(level)
    moved = [each.what.easier * each.moved(widen=strict) if each.known else 0 for each in primary]
    if any(moved):
        moved = [each.what.easier * each.moved() if each.known else 0 for each in primary]
    numbers = "; ".join(each.numbers if _available(each) else f"{each.what.name} not available" for each in primary)
    if 1 in moved and -1 in moved:
        return "inconclusive", f"inconclusive: rheobase and f–I gain contradict each other: {numbers}"
    if any(moved):
        sign: Sign = "up" if 1 in moved else "down"
        return sign, f"{sign}: {numbers}"
    if all(each.within for each in primary):
        return "no change", f"no change beyond {config.smallest_change_percent:g} %: {numbers}"
    return "inconclusive", f"inconclusive: {numbers}; {_what_it_takes(primary)}"


def _holm(level: float) -> float:
    """Return how much wider an interval must be for the first of two answers, which Holm asks at half of the error."""
    return float(special.stdtrit(_FREEDOM, 0.75 + level / 4.0) / special.stdtrit(_FREEDOM, 0.5 + level / 2.0))


def _what_it_takes(primary: list[_Change]) -> str:
    """Say what would decide each primary that did not."""
    said = []
    for each in primary:
        if not each.known:
            said.append(f"{each.what.name} needs {'repeats' if _available(each) else 'a protocol that shows it'}")
        elif not each.within:
            said.append(_more(each))
    return "; ".join(said)


def _more(change: _Change) -> str:
    name, half = change.what.name, 0.5 * (change.interval.high - change.interval.low)
    if change.bracket:
        finest = change.margin / 2.0
        return f"the {name} would need steps of {finest:.2g} pA around it, or repeats of each step" if finest else ""
    effect = abs(change.value)
    distance = effect if effect > change.margin else change.margin - effect
    factor = (half / distance) ** 2 if distance > 0.0 else inf
    if not factor < _MANY:
        return f"no feasible number of sweeps would decide about the {name}: it lies at the margin"
    return f"if its change is what it seems, the {name} would need about {max(factor, 1.1):.1f} × the sweeps"


def _evidence(change: _Change) -> Evidence:
    points_to, words = _reading(change)
    return Evidence(
        index=change.what.label,
        value=change.value,
        low=change.interval.low,
        high=change.interval.high,
        points_to=points_to,
        sentence=f"{change.numbers if _available(change) else change.what.name}: {words}",
    )


def _reading(change: _Change) -> tuple[PointsTo, str]:
    """Return what one quantity says alone, and the words."""
    if not _available(change):
        return "not available", f"not available, {_why_missing(change)}"
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


def _available(change: _Change) -> bool:
    return change.known or isfinite(change.value)


def _why_missing(change: _Change) -> str:
    missing = [
        f"{phase} {each.status}" for phase, each in (("before:", change.before), ("after:", change.after))
        if each.status != OK
    ]  # fmt: skip
    return ", ".join(missing)


def _worded(estimate: Estimate, unit: str) -> str:
    """Put a bound into words where there is no value."""
    if estimate.status == OK:
        return f"{estimate.value:.3g}{unit}"
    if isfinite(estimate.low):
        return f"above {estimate.low:.3g}{unit}"
    return f"below {estimate.high:.3g}{unit}" if isfinite(estimate.high) else "unknown"
