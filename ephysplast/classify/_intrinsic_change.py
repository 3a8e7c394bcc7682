"""What one quantity of a cell did between two phases, and the numbers of it in words."""

from math import isfinite, nan
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ephysplast._words import number
from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.classify._intrinsic_gain import matched_gains
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.statistics import NO_INTERVAL, Interval, difference_interval

if TYPE_CHECKING:
    from ephysplast.classify.intrinsic import IntrinsicConfig

# Digits after the point, of numbers below and above ten.
_DECIMALS: Final = {"pA": (1, 0), "mV": (1, 1), "MΩ": (1, 0), "ms": (1, 1), "Hz/pA": (3, 1), "": (2, 2)}


class Quantity(NamedTuple):
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


PRIMARY: Final = (Quantity("rheobase_pa", "rheobase", "pA", -1), Quantity("gain_hz_per_pa", "f–I gain", "Hz/pA", 1))
SUPPORTING: Final = (
    Quantity("threshold_mv", "threshold", "mV", -1, "mv"),
    Quantity("rin_mohm", "R_in", "MΩ", 1),
    Quantity("sag_ratio", "sag", "", 0, "sag"),
    Quantity("tau_ms", "τ", "ms", 0),
    Quantity("rest_mv", "rest", "mV", 1, "mv"),
)


class Change(NamedTuple):
    """After − before of one quantity, and what counts as a change."""

    what: Quantity
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

    @property
    def available(self) -> bool:
        """Whether there is anything to say."""
        return self.known or isfinite(self.value)

    def moved(self, *, widen: float = 1.0) -> int:
        """Return 1 or −1 when it clearly rose or fell, further than the margin; else 0."""
        low, high = self.interval
        if not self.known:
            return 0
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

    def without(self, explained: float) -> "Change":
        """Return what is left of it when something else explains a part."""
        interval = Interval(self.interval.low - explained, self.interval.high - explained)
        return self._replace(value=self.value - explained, interval=interval)

    @property
    def numbers(self) -> str:
        """Return what moved from where to where, with the change and its interval."""
        if not (isfinite(self.before.value) and isfinite(self.after.value)):
            before, after = (self._worded(each) for each in (self.before, self.after))
            return f"{self.what.name} {before} before, {after} after"
        low, high = self.interval if self.known else (nan, nan)
        decimals = _decimals(self.what.unit, self.before.value, self.after.value)
        first, second = (number(each, decimals) for each in (self.before.value, self.after.value))
        unit = f" {self.what.unit}" if self.what.unit else ""
        said = f"{self.what.name} {first} → {second}{unit}"
        # The middles of brackets lie half a step off what is shown of each.
        change = number(self.value, decimals, sign=True)
        if not self.known:
            return f"{said} (change {change}{unit}, without an interval)"
        ends = ", ".join(number(each, decimals, sign=True) for each in (low, high))
        return f"{said} (change {change} [{ends}]{unit})"

    @property
    def why_missing(self) -> str:
        """Say of which phase it is missing, and why."""
        missing = [(phase, each.status) for phase, each in self._phases if each.status != OK]
        reasons = {status for _, status in missing}
        if len(missing) == len(self._phases) and len(reasons) == 1:
            return missing[0][1]
        return "; ".join(f"{phase}, {status}" for phase, status in missing)

    @property
    def _phases(self) -> tuple[tuple[str, Estimate], ...]:
        return (("before", self.before), ("after", self.after))

    def _worded(self, estimate: Estimate) -> str:
        """Put a bound into words where there is no value."""
        unit = self.what.unit
        if estimate.status == OK:
            return with_unit(estimate.value, unit)
        if isfinite(estimate.low) and not isfinite(estimate.high):
            return f"above {with_unit(estimate.low, unit)}"
        if isfinite(estimate.high) and not isfinite(estimate.low):
            return (
                f"below {with_unit(estimate.high, unit)}" if estimate.high > 0.0 else "none (it fires without current)"
            )
        return "unknown"


def change_of(
    what: Quantity, before: ExcitabilityResult, after: ExcitabilityResult, config: "IntrinsicConfig"
) -> Change:
    """Subtract before from after."""
    first: Estimate = getattr(before, what.field)
    second: Estimate = getattr(after, what.field)
    matched = matched_gains(before, after) if what.field == "gain_hz_per_pa" else None
    if matched:
        first, second = matched.before, matched.after
    of_before, of_after = centre_of(first), centre_of(second)
    one, other = _bounds(first, before), _bounds(second, after)
    bracket = first.is_bracket and second.is_bracket
    if bracket or not (isfinite(of_before) and isfinite(of_after)):
        # One of them is only known to lie beyond a current: bounds subtract as bounds.
        interval = Interval(other.low - one.high, other.high - one.low)
        bracket = True
    else:
        interval = difference_interval(of_before, one, of_after, other)
    if matched:
        interval = matched.interval
    known = not np.isnan(interval.low + interval.high)
    margins = {"mv": config.smallest_shift_mv, "sag": config.smallest_sag_change}
    size = abs(of_before) if isfinite(of_before) else _bound(first)
    margin = margins.get(what.margin, size * config.smallest_change_percent / 100.0)
    return Change(what, first, second, of_after - of_before, interval if known else NO_INTERVAL, bracket, margin)


def centre_of(estimate: Estimate) -> float:
    """Return the value, of a bracket its middle: a smallest step with a spike is the upper end of what it may be."""
    if estimate.status != OK:
        return nan
    middle = 0.5 * (estimate.low + estimate.high)
    return middle if estimate.is_bracket and isfinite(middle) else estimate.value


def is_single(result: ExcitabilityResult) -> bool:
    """Whether the steps of a phase were not repeated, so that they cannot show how much the rheobase varies."""
    return bool(result.n_repeats.size) and float(np.median(result.n_repeats)) < 2.0


def _bounds(estimate: Estimate, result: ExcitabilityResult) -> Interval:
    """Return the interval; of a bracket from single steps half a step wider on both sides.

    The current needed varies from sweep to sweep. Families of single steps whose brackets differ by two steps come
    from one rheobase in 9 % of pairs when it varies by one step (SD); by three steps, in 1 %.
    """
    low, high = estimate.low, estimate.high
    if not (estimate.is_bracket and is_single(result)):
        return Interval(low, high)
    step = high - low
    if not isfinite(step):
        step = float(np.median(np.diff(result.current_pa))) if result.current_pa.size > 1 else 0.0
    return Interval(low - 0.5 * step, high + 0.5 * step)


def _bound(estimate: Estimate) -> float:
    return next((abs(each) for each in (estimate.low, estimate.high) if isfinite(each)), 0.0)


def with_unit(value: float, unit: str) -> str:
    """Write a value with as many digits as its unit deserves, and the unit."""
    return f"{number(value, _decimals(unit, value))} {unit}".rstrip()


def _decimals(unit: str, *values: float) -> int:
    small, large = _DECIMALS[unit]
    return small if max(abs(each) for each in values) < 10.0 else large
