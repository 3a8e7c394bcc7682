"""The f–I gains of two phases over stretches that are alike.

An f–I curve bends, so its slope depends on the stretch that it is taken from: near the rheobase it is steep. The gain
of each phase ends where its rates seem to reach a plateau and begins where every sweep fires, and both move by chance.
Compared are therefore stretches of equal length from the smallest current that always makes the cell fire, with that
current and without it in either phase; the answer must not depend on it.
"""

from itertools import product
from math import isfinite
from typing import Final, NamedTuple

import numpy as np

from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.errors import OK
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate
from ephysplast.statistics import NO_INTERVAL, Interval, difference_interval

_SAME_PA: Final = 0.25


class Gains(NamedTuple):
    """Gains of both phases over stretches that are alike, and an interval that holds those of all choices."""

    before: Estimate
    after: Estimate
    interval: Interval


def matched_gains(before: ExcitabilityResult, after: ExcitabilityResult) -> Gains | None:
    """Return the gains to compare; None when the phases hold no curves to match (one has no gain, or no sweeps)."""
    if OK not in (before.gain_hz_per_pa.status, after.gain_hz_per_pa.status):
        return None
    if before.gain_hz_per_pa.status != OK or after.gain_hz_per_pa.status != OK:
        return None
    if not (isfinite(before.line_end_pa) and isfinite(after.line_end_pa)):
        return None
    first, second = _levels(before.line_pa), _levels(after.line_pa)
    found = []
    for i, k in product(range(2), repeat=2):
        if i < first.size and k < second.size:
            pair = _pair(before, after, float(first[i]), float(second[k]))
            found += [pair] if pair else []
    if not found:
        return Gains(Estimate.missing(_WHY), Estimate.missing(_WHY), NO_INTERVAL)
    low, high = min(each.interval.low for each in found), max(each.interval.high for each in found)
    return Gains(found[0].before, found[0].after, Interval(low, high))


_WHY: Final = "the phases have no stretch of three currents in common above the rheobase"


def _pair(before: ExcitabilityResult, after: ExcitabilityResult, first: float, second: float) -> Gains | None:
    span = min(before.line_end_pa - first, after.line_end_pa - second)
    one, other = before.gain_between(first, first + span), after.gain_between(second, second + span)
    if one.status != OK or other.status != OK:
        return None
    interval = difference_interval(one.value, Interval(one.low, one.high), other.value, Interval(other.low, other.high))
    return Gains(one, other, interval)


def _levels(current_pa: FloatArray) -> FloatArray:
    ordered = np.unique(current_pa)
    return ordered[np.concatenate([[True], np.diff(ordered) > _SAME_PA])] if ordered.size else ordered
