"""Estimates of a cell, one quantity in one small panel; and in words what could not be estimated."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast._words import number
from ephysplast.errors import OK, EphysplastError, near_names
from ephysplast.plotting.style import GREY, INK, SMALL_PT, phase_colour, plain, robust_limits, size_pt, text_width_pt
from ephysplast.result import Estimate, Result
from ephysplast.units import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMES: Final[Mapping[str, str]] = {
    "rheobase_pa": "rheobase",
    "gain_hz_per_pa": "f–I gain",
    "threshold_mv": "threshold",
    "amplitude_mv": "spike height",
    "half_width_ms": "half-width",
    "fast_ahp_mv": "fast AHP",
    "slow_ahp_mv": "slow AHP",
    "latency_ms": "latency",
    "max_rate_hz": "highest rate",
    "adaptation_index": "adaptation",
    "rin_mohm": "$R_\\mathrm{in}$",
    "tau_ms": "τ",
    "sag_ratio": "sag ratio",
    "rest_mv": "$V_\\mathrm{rest}$",
    "holding_pa": "holding",
    "reversal_mv": "$E_\\mathrm{rev}$",
    "conductance_ns": "conductance",
    "driving_force_mv": "driving force",
    "chloride_mm": "[Cl⁻]ᵢ",
}
"""Field of a result → what stands above its panel."""

_SAID: Final[Mapping[str, str]] = {
    "rin_mohm": "input resistance",
    "tau_ms": "membrane τ",
    "rest_mv": "resting potential",
    "reversal_mv": "reversal potential",
}
"""The same in sentences, where it is written differently."""

_CAPTION: Final = "Bars are intervals; a pale box is a bracket: the step without a spike, and the next one, with one."
_PHASE_PT: Final = SMALL_PT - 0.5
_REACH: Final = 8.0
"""A bound further away than this many times the spread of the values, or the shortest interval, runs out."""


def draw_estimates(axes: "Axes", results: Mapping[str, Result], *, quantity: str) -> None:
    """Draw one quantity of each phase with its interval, joined by a line.

    An interval is a bar with caps; a bracket, whose ends are hard bounds, is a pale box. A side that is open, or far
    from the values, ends in a triangle at the edge of the panel. A phase without a value has the bound that is known in
    its place, or "none".

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; a small panel.
    results : mapping of str to Result
        Phase → the result that has the field `quantity`.
    quantity : str
        Name of a field that holds an :class:`~ephysplast.result.Estimate`; its unit is read off the name.

    Raises
    ------
    EphysplastError
        If the results have no such estimate.
    """
    estimates = {name: estimate_of(each, quantity) for name, each in results.items()}
    names = tuple(estimates)
    unit = unit_of(quantity)
    title = NAMES.get(quantity, plain(quantity)) + (f" ({unit})" if unit else "")
    axes.set_title(title, loc="left", fontsize=SMALL_PT, color=INK, pad=3)
    axes.set_xlim(-0.45, max(len(names), 1) - 0.55)
    name_phases(axes, names)
    axes.set_ylim(*estimate_limits(list(estimates.values())))
    axes.locator_params(axis="y", nbins=3)
    axes.ticklabel_format(axis="y", useOffset=False)
    value = np.array([each.value for each in estimates.values()])
    if not np.isfinite(value).any():
        axes.set_yticks([])
    axes.plot(np.arange(len(value)), value, color=GREY, linewidth=0.8, zorder=2, label="_line")
    for i, (name, each) in enumerate(estimates.items()):
        if each.status == OK:
            draw_interval(axes, each, at=float(i), colour=phase_colour(name, names), label=plain(name))
        else:
            style: dict[str, Any] = {"ha": "center", "va": "center", "color": GREY, "fontsize": SMALL_PT}
            axes.text(i, 0.5, bound_words(each) or "none", transform=axes.get_xaxis_transform(), **style)


def draw_interval(
    axes: "Axes", estimate: Estimate, *, at: float, colour: str, label: str, horizontal: bool = False, size: float = 4.0
) -> None:
    """Draw a value and its interval within the limits of the axes as they stand; `at` is the other coordinate."""
    edge_low, edge_high = axes.get_xlim() if horizontal else axes.get_ylim()
    # Without an interval there is only the value; an end beyond the panel is marked at its edge.
    ends = np.clip(
        np.where(np.isnan([estimate.low, estimate.high]), estimate.value, [estimate.low, estimate.high]),
        edge_low,
        edge_high,
    )

    def line(along: Sequence[float], **how: Any) -> None:
        across = [at] * len(along)
        axes.plot(*((along, across) if horizontal else (across, along)), **how)

    if estimate.is_bracket:
        line(ends.tolist(), color=colour, linewidth=6.0, alpha=0.25, solid_capstyle="butt", zorder=3, label="bracket")
    elif ends[1] > ends[0]:
        cap = "|" if horizontal else "_"
        line(ends.tolist(), color=colour, linewidth=1.0, marker=cap, markersize=4.0, zorder=3, label="interval")
    beyond = (("<", ">") if horizontal else ("v", "^"), (edge_low, edge_high))
    for marker, edge, bound in zip(*beyond, (estimate.low, estimate.high), strict=True):
        if bound < edge_low or bound > edge_high:
            line([edge], color=colour, marker=marker, markersize=3.5, linestyle="none", clip_on=False, label="open")
    line([estimate.value], color=colour, marker="o", markersize=size, linestyle="none", zorder=4, label=label)


def estimate_of(result: Result, quantity: str) -> Estimate:
    """Return a result's estimate by its field's name."""
    held = getattr(result, quantity, None)
    if not isinstance(held, Estimate):
        known = [name for name, each in vars(result).items() if isinstance(each, Estimate)]
        raise EphysplastError(
            f"{type(result).__name__} has no estimate '{quantity}'", remedy=near_names(quantity, known)
        )
    return held


def estimate_limits(estimates: Sequence[Estimate], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """Return limits that hold every value, and those ends of intervals that are not far away."""
    values = [each.value for each in estimates if each.status == OK]
    always = [*values, *include]
    if not always:
        return 0.0, 1.0
    bounds = [bound for each in estimates for bound in (each.low, each.high) if np.isfinite(bound)]
    reaches = [abs(bound - each.value) for each in estimates for bound in (each.low, each.high) if np.isfinite(bound)]
    spread = max(max(always) - min(always), min((each for each in reaches if each > 0), default=0.0))
    inside = [each for each in bounds if min(always) - _REACH * spread <= each <= max(always) + _REACH * spread]
    return robust_limits(np.empty(0), include=[*always, *inside], margin=0.12)


def spoken(estimate: Estimate, unit: str, *, decimals: int | None = None) -> str:
    """Write an estimate in one line: the value, its unit and, if there is one, its interval.

    Examples
    --------
    >>> spoken(Estimate(value=-65.21, low=-66.0, high=-64.4), "mV", decimals=1)
    '−65.2 mV [−66.0, −64.4]'
    """
    said = f"{number(estimate.value, decimals)} {unit}"
    if np.isnan(estimate.low) and np.isnan(estimate.high):
        return said
    # What is nothing beside the value is a rounding error of the command.
    ends = [0.0 if abs(each) < 1e-6 * abs(estimate.value) else each for each in (estimate.low, estimate.high)]
    return f"{said} [{', '.join(number(each, decimals) for each in ends)}]"


def shown_quantities(results: Mapping[str, Result], quantities: Sequence[str]) -> list[str]:
    """Return the quantities of which some phase knows anything: a value, or at least a bound."""
    return [
        each
        for each in quantities
        if any(
            estimate_of(result, each).status == OK or bound_words(estimate_of(result, each))
            for result in results.values()
        )
    ]


def bound_words(estimate: Estimate) -> str:
    """Write what is known of an estimate without a value: a bound on one side; else nothing.

    Examples
    --------
    >>> bound_words(Estimate(value=float("nan"), low=100.0, high=float("inf"), status="the cell did not fire"))
    '> 100'
    """
    if estimate.status == OK or np.isfinite(estimate.low) == np.isfinite(estimate.high):
        return ""
    return f"> {number(estimate.low)}" if np.isfinite(estimate.low) else f"< {number(estimate.high)}"


def name_phases(axes: "Axes", names: Sequence[str]) -> None:
    """Write the phases under their places 0, 1, 2, … on the x axis; upright where they would touch."""
    short = [each if len(each) <= 8 else f"{each[:7]}…" for each in names]
    low, high = axes.get_xlim()
    room_pt = size_pt(axes)[0] / (high - low)
    wide = [text_width_pt(each, size_pt=_PHASE_PT) for each in short]
    touch = any((one + two) / 2 + 2.0 > room_pt for one, two in pairwise(wide))
    axes.set_xticks(range(len(names)), [plain(each) for each in short], rotation=90 if touch else 0)
    axes.tick_params(axis="x", labelsize=_PHASE_PT)


def missing_words(results: Mapping[str, Result], quantities: Sequence[str]) -> Iterator[str]:
    """Say what has no value and why, those with the same reason together; and what the bars mean.

    Parameters
    ----------
    results : mapping of str to Result
        Phase → result.
    quantities : sequence of str
        The estimates shown.

    Yields
    ------
    str
        One paragraph for each reason.
    """
    every = [estimate_of(result, each) for result in results.values() for each in quantities]
    if any(each.is_bracket for each in every):
        yield _CAPTION
    elif any(np.isfinite([each.low, each.high]).any() for each in every):
        yield "Bars are intervals."
    said: dict[str, list[str]] = {}
    for name, result in results.items():
        for what in _missing_of(result, quantities):
            said.setdefault(what, []).append(name)
    for what, names in said.items():
        yield f"{', '.join(names)}: {what}."


def _missing_of(result: Result, quantities: Sequence[str]) -> list[str]:
    """Say for each reason which quantities it took."""
    reasons: dict[str, list[str]] = {}
    for quantity in quantities:
        each = estimate_of(result, quantity)
        if each.status != OK:
            reasons.setdefault(each.status.rstrip("."), []).append(_SAID.get(quantity, NAMES.get(quantity, quantity)))
    whole = len(quantities)
    return [
        f"{'nothing was estimated' if len(lost) == whole else 'no ' + ', '.join(lost)}: {why}"
        for why, lost in reasons.items()
    ]
