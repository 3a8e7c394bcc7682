"""How well trains tell the parameters of short-term plasticity, in numbers and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast._words import number
from ephysplast.quantal._tm_sampling import Phase
from ephysplast.result import Estimate
from ephysplast.units import unit_of

FloatArray = NDArray[np.float64]
Told: TypeAlias = Literal["identified", "loosely", "at most", "at least", "not identifiable"]

SYMBOLS = {"u": "U", "d_ms": "D", "f_ms": "F", "facilitation": "f", "a": "A"}

_EDGE = 0.05
"""A flat density has a tenth of its draws in the tenth next to the prior's edge; half of that is still at the edge."""

_TOGETHER = 0.8
_LEAST_MOVES = 2.0
_MISFIT = 0.001


@dataclass(frozen=True, eq=False)
class Words:
    """Per parameter: width against the prior, and what that says."""

    width: FloatArray
    told: tuple[Told, ...]
    correlation: FloatArray
    statement: str


def describe(
    place: FloatArray, drawn: FloatArray, names: tuple[str, ...], *, identified: float, span: float, unidentified: float
) -> Words:
    """Judge every parameter by its draws: `place` in the prior (0 to 1) and `drawn`, shape (n_draws, n_parameters)."""
    low, high = np.quantile(place, [0.025, 0.975], axis=0)
    width = (high - low) / 0.95
    narrow = np.quantile(drawn, 0.975, axis=0) <= span * np.quantile(drawn, 0.025, axis=0)
    narrow &= width <= identified
    told = tuple(_told(place[:, i], bool(narrow[i]), bool(width[i] > unidentified)) for i in range(len(names)))
    correlation = _rank_correlation(place)
    said = [_sentence(name, each, drawn[:, i]) for i, (name, each) in enumerate(zip(names, told, strict=True))]
    said += _pairs(correlation, names)
    if any(each != "identified" for each in told):
        said.append(
            "Poisson-timed or longer trains and late recovery pulses tell more than a short regular train "
            "(Costa et al. 2013)"
        )
    return Words(width, told, correlation, "; ".join(said))


def _told(place: FloatArray, narrow: bool, wide: bool) -> Told:
    low, high = np.quantile(place, [0.025, 0.975])
    at_bottom = float(np.mean(place < 0.1 * high)) > _EDGE
    at_top = float(np.mean(1.0 - place < 0.1 * (1.0 - low))) > _EDGE
    if wide or (at_bottom and at_top):
        return "not identifiable"
    if at_bottom:
        return "at most"
    if at_top:
        return "at least"
    return "identified" if narrow else "loosely"


def _sentence(name: str, told: Told, drawn: FloatArray) -> str:
    symbol, unit = SYMBOLS[name], unit_of(name)
    end = f" {unit}" if unit else ""
    low, middle, high = np.quantile(drawn, [0.025, 0.5, 0.975])
    if told == "not identifiable":
        return f"{symbol} is not identifiable: {number(low)} to {number(high)}{end} is hardly less than the prior"
    if told in ("at most", "at least"):
        bound = float(np.quantile(drawn, 0.95 if told == "at most" else 0.05))
        beyond = "less" if told == "at most" else "more"
        return f"{symbol} is {told} {number(bound)}{end}, and the trains do not say how much {beyond}"
    loosely = "" if told == "identified" else "only loosely known, "
    return f"{symbol} is {loosely}{number(middle)}{end} ({number(low)} to {number(high)})"


def _rank_correlation(place: FloatArray) -> FloatArray:
    ranks = place.argsort(axis=0).argsort(axis=0).astype(np.float64)
    return np.atleast_2d(np.corrcoef(ranks, rowvar=False))


def _pairs(correlation: FloatArray, names: tuple[str, ...]) -> list[str]:
    return [
        f"{SYMBOLS[names[i]]} and {SYMBOLS[names[j]]} are known only together (rank correlation "
        f"{correlation[i, j]:+.2f})".replace("-", "−")
        for i in range(len(names))
        for j in range(i + 1, len(names))
        if abs(correlation[i, j]) >= _TOGETHER
    ]


def estimate(drawn: FloatArray) -> Estimate:
    """Median and 95 % interval of draws."""
    low, middle, high = (float(each) for each in np.quantile(drawn, [0.025, 0.5, 0.975]))
    return Estimate(value=middle, low=low, high=high, method="posterior median, 95 % interval")


def unsettled(accepted: float) -> str:
    """Say that the draws have not moved enough to stand for the posterior; empty when they have."""
    if accepted >= _LEAST_MOVES:
        return ""
    return (
        f"the posterior could not be sampled: a draw accepted {accepted:.1f} moves; errors of the means that are very "
        "small do this, and scatter allows for more"
    )


def misfit(phases: Sequence[Phase], n_free: int) -> str:
    """Say so when no parameters describe the trains within their errors; empty otherwise."""
    total, known = sum(each.misfit for each in phases), sum(each.n_known for each in phases)
    if known <= n_free or special.chdtrc(known - n_free, total) >= _MISFIT:
        return ""
    return (
        f"the model does not describe these trains within their errors (χ² {total:.0f}, {known - n_free} degrees of "
        "freedom), so its parameters may be far off"
    )
