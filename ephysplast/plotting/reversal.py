"""Where an inhibitory current reverses: its I–V, what moved it, and the whole on one page."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.plotting._estimates import draw_interval, missing_words, shown_quantities, spoken
from ephysplast.plotting._page import cell_page, rows_for
from ephysplast.plotting._potential_traces import draw_potential_traces
from ephysplast.plotting.style import (
    GREEN,
    GREY,
    INK,
    ORANGE,
    SMALL_PT,
    label_inside,
    lines_share,
    phase_colour,
    plain,
    robust_limits,
    say,
    size_pt,
    styled,
    text_width_pt,
    wrap,
)
from ephysplast.result import Estimate

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.analysers.reversal import ReversalResult
    from ephysplast.verdict import Evidence, Verdict

_CELL: Final = ("reversal_mv", "conductance_ns", "driving_force_mv", "chloride_mm")
_MAX_DOTS: Final = 800
_LABEL_PT: Final = SMALL_PT - 0.5
_GAP_PT: Final = 5.0
"""Between two names of parts."""
_SPLIT: Final = "(pA)"
"""An index of the evidence that ends so is a part of the change of the current, or all of it."""


def reversal_figure(
    *, title: str, subtitle: str, reversal: "Mapping[str, ReversalResult]", verdict: "Verdict"
) -> "Figure":
    """Put the reversal of a current on one page: traces, I–V, the split of the change, estimates, and the verdict.

    Parameters
    ----------
    title, subtitle : str
        What stands above; any characters.
    reversal : mapping of str to ReversalResult
        Phase → what was measured, in the order to be drawn in; one phase will do.
    verdict : Verdict
        What it comes to.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide and as high as its text needs; write it with :func:`save_figure`.
    """
    cell = shown_quantities(reversal, _CELL)
    with styled():
        page = cell_page(
            title=title,
            subtitle=subtitle,
            verdict=verdict,
            notes=_notes(reversal),
            n_rows=rows_for(len(cell)),
            n_phases=len(reversal),
        )
        draw_potential_traces(page.traces, reversal)
        draw_current_voltage(page.large(0), reversal)
        draw_current_split(page.large(2), verdict)
        page.estimates(reversal, cell, row=2, column=0, n_columns=4)
    return page.figure


def draw_current_voltage(axes: "Axes", results: "Mapping[str, ReversalResult]") -> None:
    """Draw the response against the membrane potential of each phase, with its fit and where it reverses.

    The reversal lies on the line at zero, with its interval; a dotted line leads to one that lies outside what was
    measured.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    results : mapping of str to ReversalResult
        Phase → its corrected I–V.
    """
    shown = {name: each for name, each in results.items() if np.isfinite(each.vm_mv).any()}
    if not shown:
        said = next((each.status for each in results.values() if each.status != OK), "there is no reading")
        say(axes, f"No I–V: {said.rstrip('.')}.")
        return
    names = tuple(results)
    axes.set_xlim(*_potential_limits(list(shown.values())))
    response = np.concatenate([np.append(each.response, each.fitted) for each in shown.values()])
    low, high = robust_limits(response, include=(0.0,), margin=0.08)
    rows = sum(each.reversal_mv.status == OK for each in results.values())
    axes.set_ylim(low, high + lines_share(axes, rows) * (high - low))
    axes.axhline(0.0, color=INK, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1, label="zero")
    for name, each in shown.items():
        _draw_readings(axes, each, phase_colour(name, names), name)
    for name, each in shown.items():
        if each.reversal_mv.status == OK:
            _draw_reversal(axes, each, phase_colour(name, names), name)
    axes.set_xlabel("$V_\\mathrm{m}$ (mV)")
    axes.set_ylabel(_what(next(iter(shown.values()))))
    lines = [
        (f"zero at {spoken(each.reversal_mv, 'mV', decimals=1)}", phase_colour(name, names))
        for name, each in results.items()
        if each.reversal_mv.status == OK
    ]
    label_inside(axes, lines)


def draw_current_split(axes: "Axes", verdict: "Verdict") -> None:
    """Draw the change of the current and the parts it is made of: driving force and conductance, with intervals.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    verdict : Verdict
        Its evidence holds the parts: every index that ends in ``(pA)``.
    """
    parts = [each for each in verdict.evidence if each.index.rstrip().endswith(_SPLIT)]
    known = [each for each in parts if np.isfinite(each.value)]
    if not known:
        said = next((each.sentence for each in parts if each.sentence), "") or _why_no_split(verdict)
        say(axes, f"No split of the change: {said.rstrip('.')}.")
        return
    low, high = _split_limits(known)
    axes.set_ylim(low, high)
    axes.set_xlim(-0.6, len(known) - 0.4)
    axes.axhline(0.0, color=INK, linewidth=0.6, zorder=1)
    for i, each in enumerate(known):
        axes.bar([i], [each.value], width=0.62, color=_part_colour(each.index), alpha=0.45, label=plain(each.index))
        draw_interval(
            axes, _as_estimate(each), at=float(i), colour=INK, label=f"{plain(each.index)} interval", size=0.0
        )
    labels = [_part_label(each.index, room_pt=size_pt(axes)[0] / (len(known) + 0.2) - _GAP_PT) for each in known]
    axes.set_xticks(range(len(known)), labels)
    axes.tick_params(axis="x", length=0, labelsize=_LABEL_PT)
    axes.set_ylabel("change of the current (pA)")


def _notes(reversal: "Mapping[str, ReversalResult]") -> Iterator[str]:
    yield from missing_words(reversal, _CELL)
    said: dict[str, list[str]] = {}
    for name, each in reversal.items():
        if each.corrections:
            said.setdefault(each.corrections, []).append(name)
    for corrections, names in said.items():
        yield f"{', '.join(names)}: {corrections}"


def _what(result: "ReversalResult") -> str:
    unit = plain(result.unit)
    if result.readings.protocol == "current clamp":
        return f"IPSP ({unit})"
    return f"{'evoked current' if result.readings.response == 'evoked' else 'current'} ({unit})"


def _potential_limits(results: "list[ReversalResult]") -> tuple[float, float]:
    """Hold the readings and the reversals; one far outside the readings leaves the panel."""
    low, high = robust_limits(np.concatenate([each.vm_mv for each in results]), margin=0.0)
    near = [
        bound
        for each in results
        for bound in (each.reversal_mv.value, each.reversal_mv.low, each.reversal_mv.high)
        if low - 1.5 * (high - low) <= bound <= high + 1.5 * (high - low)
    ]
    return robust_limits(np.empty(0), include=[low, high, *near], margin=0.06)


def _draw_readings(axes: "Axes", result: "ReversalResult", colour: str, name: str) -> None:
    keep = np.flatnonzero(np.isfinite(result.vm_mv) & np.isfinite(result.response))
    keep = keep[:: max(1, len(keep) // _MAX_DOTS)]
    many = len(keep) > 60
    axes.scatter(
        result.vm_mv[keep],
        result.response[keep],
        s=2.0 if many else 9.0,
        color=colour,
        alpha=0.25 if many else 0.6,
        linewidths=0.0,
        zorder=2,
        label=f"readings, {plain(name)}",
    )
    order = np.argsort(result.vm_mv, kind="stable")
    order = order[np.isfinite(result.fitted[order]) & np.isfinite(result.vm_mv[order])]
    x, y = result.vm_mv[order], result.fitted[order]
    axes.plot(x, y, color=colour, linewidth=1.1, zorder=3, label=f"fit, {plain(name)}")
    reversal = result.reversal_mv.value
    if x.size and np.isfinite(reversal) and not x[0] <= reversal <= x[-1]:
        end = 0 if reversal < x[0] else -1
        dotted: dict[str, Any] = {"color": colour, "linewidth": 0.9, "linestyle": (0, (1, 1.5))}
        axes.plot([x[end], reversal], [y[end], 0.0], label="extrapolated", **dotted)


def _draw_reversal(axes: "Axes", result: "ReversalResult", colour: str, name: str) -> None:
    draw_interval(
        axes, result.reversal_mv, at=0.0, colour=colour, label=f"reversal, {plain(name)}", horizontal=True, size=3.0
    )


def _split_limits(parts: "list[Evidence]") -> tuple[float, float]:
    values = [each.value for each in parts]
    reach = 3.0 * max(abs(each) for each in [*values, 1e-9])
    bounds = [bound for each in parts for bound in (each.low, each.high) if abs(bound) <= reach]
    return robust_limits(np.empty(0), include=[0.0, *values, *bounds], margin=0.1)


def _as_estimate(part: "Evidence") -> Estimate:
    return Estimate(value=part.value, low=part.low, high=part.high)


def _part_label(index: str, *, room_pt: float) -> str:
    """Write the name of a part in lines as wide as its bar has room, or as its longest word."""
    # A compound word may go over two lines where a line as wide as it would touch the next label.
    name = index.rstrip().removesuffix(_SPLIT).removeprefix("ΔI by ").rstrip(" ,:").replace("-", "-\u200b")
    pieces = [piece for word in name.split() for piece in word.split("\u200b")]
    widest = max((text_width_pt(each, size_pt=_LABEL_PT) for each in pieces), default=0.0)
    room_pt = max(room_pt, widest)
    fits = all(text_width_pt(each.replace("\u200b", ""), size_pt=_LABEL_PT) <= room_pt for each in name.split())
    spaced = name.replace("\u200b", "" if fits else " ")
    return "\n".join(plain(line) for line in wrap(spaced, width_pt=room_pt, size_pt=_LABEL_PT))


def _part_colour(index: str) -> str:
    if "conductance" in index:
        return GREEN
    return ORANGE if "driving" in index or "E_GABA" in index else GREY


def _why_no_split(verdict: "Verdict") -> str:
    if verdict.status != OK:
        return verdict.status
    return "there is one phase only" if verdict.sign == "not asked" else "the verdict gives none in pA"
