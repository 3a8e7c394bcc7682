"""What was found of the cell itself, in one line: for the command line, the tables and the report."""

import math
from typing import Final

from ephysplast._words import minus
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.study.measured import CellPhase, ExcitabilityPhase
from ephysplast.verdict import Evidence, Verdict

_MOST_DECIMALS: Final = 6
_THREE_DIGITS: Final = 999.5

_ALONE: Final = {
    "rheobase_pa": ("rheobase", "pA"),
    "rin_mohm": ("R_in", "MΩ"),
    "threshold_mv": ("threshold", "mV"),
    "reversal_mv": ("reversal", "mV"),
    "conductance_ns": ("conductance", "nS"),
}
"""What is said of a phase that is compared with nothing."""

_CHANGES: Final = ("rheobase (pA)", "f–I gain (Hz/pA)", "E_GABA (mV)", "conductance (ratio)")
"""The indices of the evidence that decide, each with its unit."""


_NAMES: Final = {
    "gain": "f–I gain",
    "amplitude": "spike height",
    "half_width": "half-width",
    "fast_ahp": "fast AHP",
    "slow_ahp": "slow AHP",
    "max_rate": "highest rate",
    "adaptation_index": "adaptation index",
    "rin": "input resistance",
    "tau": "membrane τ",
    "sag_ratio": "sag ratio",
    "rest": "resting potential",
    "holding": "holding current",
    "reversal": "reversal potential",
    "driving_force": "driving force",
    "chloride": "[Cl⁻]ᵢ",
}
"""Quantities of the table ``cells`` whose names people write otherwise."""


def quantity_in_words(name: str) -> str:
    """Return the name of a quantity as people write it.

    Examples
    --------
    >>> quantity_in_words("rin"), quantity_in_words("rheobase")
    ('input resistance', 'rheobase')
    """
    return _NAMES.get(name, name)


def interval_in_words(value: float, low: float, high: float, unit: str = "", *, sign: bool = False) -> str:
    """Write a value with its interval and unit, all with the decimals that the interval's width deserves.

    Examples
    --------
    >>> interval_in_words(-49.61, -65.61, -28.95, "pA", sign=True)
    '−50 pA [−66, −29]'
    >>> interval_in_words(-66.994, -67.05, -66.94, "mV")
    '−66.99 mV [−67.05, −66.94]'
    >>> interval_in_words(0.05148, math.nan, math.nan)
    '0.0515'
    """
    width = high - low
    # Two digits of the width, so that its ends differ; without an interval three digits of the value.
    decimals = min(max(math.ceil(-math.log10(width)) + 1, 0), _MOST_DECIMALS) if 0.0 < width < math.inf else None
    said = _number(value, decimals, sign) + (f" {unit}" if unit else "")
    if not (math.isfinite(low) or math.isfinite(high)):
        return said
    return f"{said} [{', '.join(_number(each, decimals, sign) for each in (low, high))}]"


def _number(value: float, decimals: int | None, sign: bool) -> str:
    """Write a number with a true minus sign; without decimals given it has three digits, and no exponent."""
    plus = "+" if sign else ""
    if decimals is not None:
        written = f"{round(value, decimals) + 0.0:{plus}.{decimals}f}"  # no minus before a zero
    else:
        written = f"{value:{plus}.0f}" if math.isfinite(value) and abs(value) >= _THREE_DIGITS else f"{value:{plus}.3g}"
    return minus(written.replace("inf", "∞"))


def changes_in_words(verdict: Verdict) -> str:
    """Say how far the deciding quantities of the cell itself moved; empty where nothing was compared."""
    if verdict.status != OK:
        return ""
    said = (_change_in_words(each) for name in _CHANGES for each in verdict.evidence if each.index == name)
    return "; ".join(filter(None, said))


def alone_in_words(phase: CellPhase) -> str:
    """Say what one phase showed, which is compared with nothing."""
    found = []
    for field, (name, unit) in _ALONE.items():
        each = getattr(phase.summary, field, None)
        if isinstance(each, Estimate) and each.status == OK:
            found.append(f"{name} {interval_in_words(each.value, each.low, each.high, unit)}")
    first = phase.summary.rheobase_pa if isinstance(phase, ExcitabilityPhase) else phase.summary.reversal_mv
    why = "" if first.status == OK else f"; {first.status}"
    return f"one phase was recorded, so nothing is compared: {', '.join(found) or 'nothing was estimated'}{why}"


def _change_in_words(each: Evidence) -> str:
    name, _, unit = each.index.rstrip(")").partition(" (")
    if not math.isfinite(each.value):  # at least a bound may be known, where the cell fired in one phase only
        bounds = [(sign, bound) for sign, bound in ((">", each.low), ("<", each.high)) if math.isfinite(bound)]
        return f"{name} {bounds[0][0]} {_number(bounds[0][1], None, True)} {unit}" if len(bounds) == 1 else ""
    if unit == "ratio":
        return f"{name} ×{interval_in_words(each.value, each.low, each.high)}"
    return f"{name} {interval_in_words(each.value, each.low, each.high, unit, sign=True)}"
