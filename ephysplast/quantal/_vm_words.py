"""What the curvature of variance against mean says of release sites, in numbers and in words."""

from math import inf, nan
from typing import Final

import numpy as np
from scipy import special

from ephysplast._words import number
from ephysplast.result import Estimate
from ephysplast.statistics import Interval

TWO_CONDITIONS: Final = (
    "two release probabilities give a line, which takes p to be low: q is then a lower bound, and n and p need a third "
    "condition"
)


_MISFIT: Final = 0.001


def misfit(chi_square: float, freedom: int) -> str:
    """Say so when the points lie farther from the parabola than chance takes them; empty otherwise."""
    if freedom < 1 or special.chdtrc(freedom, chi_square) >= _MISFIT:
        return ""
    return (
        f"the points of variance against mean do not lie on one parabola (χ² {chi_square:.0f}, {freedom} degrees of "
        "freedom): q or n is not the same in all of them (holding potential, rundown, receptors), or sites differ much "
        "in p, and neither q nor n can be told"
    )


def quantum_estimate(q: float, around: Interval, *, method: str) -> tuple[Estimate, str]:
    """Return q, and what is to be said of it where the variance is hardly more than that of the noise."""
    found = Estimate(value=q, low=max(around.low, 0.0), high=around.high, method=method)
    doubt = f"the variance is hardly more than that of the noise, so q is at most {number(found.high)}; "
    return found, "" if around.low > 0.0 else doubt


def sites_estimate(one: float, around: Interval, top: Interval, *, method: str, max_span: float) -> Estimate:
    """Turn 1/n into n; without a value when the interval of 1/n reaches 0, or spans too much."""
    low = max(1.0 / around.high, 1.0) if around.high > 0.0 else 1.0
    high = 1.0 / around.low if around.low > 0.0 else inf
    if one > 0.0 and high <= max_span * low:
        return Estimate(value=max(1.0 / one, 1.0), low=low, high=max(high, 1.0), method=method)
    said = "n is not identifiable: the points of variance against mean may as well lie on a line as on a parabola"
    if np.isfinite(high):
        said = "n is not identifiable: the curvature of variance against mean only just shows"
    said += f", so n is at least {number(low)}"
    if top.high < 1.0:
        said += f" and the highest p at most {top.high:.2f}"
    said += "; a condition with a higher release probability would tell"
    return Estimate(value=nan, low=low, high=high, status=said, method=method)


def identified(n: Estimate, top: Interval) -> str:
    """Say n and the highest p, where the points show a parabola."""
    return (
        f"variance against mean is a parabola: n {number(n.value)} ({number(n.low)} to {number(n.high)}), "
        f"highest p {top.low:.2f} to {top.high:.2f}"
    )
