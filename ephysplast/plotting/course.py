"""The time course around the induction, and the quality of the recording under it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.analysers.time_course import TimeCourse
from ephysplast.errors import OK
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.plotting.style import (
    GREEN,
    GREY,
    INK,
    LINE_PITCH,
    PALE,
    SMALL_PT,
    TEXT_PT,
    phase_colour,
    plain,
    robust_limits,
    say,
    size_pt,
    text_width_pt,
)
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

QUALITY: Final[Mapping[str, str]] = {
    "rs_mohm": "$R_\\mathrm{s}$\n(MΩ)",
    "rin_mohm": "$R_\\mathrm{in}$\n(MΩ)",
    "holding": "holding",
}
"""Measures of :func:`draw_quality`, by the sweep table's field, and what stands at the axis."""


def draw_time_course(
    axes: "Axes",
    course: TimeCourse,
    *,
    control: TimeCourse | None = None,
    evaluation_min: tuple[float, float] | None = None,
) -> None:
    """Draw the responses over time: every sweep as a dot, and mean ± SEM of each bin.

    Excluded sweeps are open dots. A sweep outside the limits of the axis, which outliers do not set, is a triangle at
    its edge. The arrow stands in the pause between baseline and post, where the induction was.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    course : TimeCourse
        The test pathway.
    control : TimeCourse, optional
        The control pathway, in grey.
    evaluation_min : (float, float), optional
        Start and stop of the window that the change is read from, in min of the axis.
    """
    if course.status != OK:
        say(axes, f"No time course: {course.status}.")
        return
    if not course.sweep_value.size:
        say(axes, "No time course: there is no sweep.")
        return
    names = tuple(dict.fromkeys(course.sweep_phase.tolist()))
    _set_limits(axes, course, control, room=0.16 if evaluation_min else 0.08)
    rows = _shade_phases(axes, course, names)
    if not course.unit:
        axes.axhline(1.0, color=INK, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1)
    if control is not None and control.status == OK:
        _draw_bins(axes, control, "", GREY, marker="s", label="control pathway")
    for name in names:
        _draw_sweeps(axes, course, name, phase_colour(name, names))
        _draw_bins(axes, course, name, phase_colour(name, names), marker="o", label=f"mean ± SEM, {name}")
    if evaluation_min is not None:
        _mark_evaluation(axes, evaluation_min)
    what = "normalised amplitude" if not course.unit else f"amplitude ({plain(course.unit)})"
    axes.set_ylabel(what)
    axes.set_xlabel("time after the induction (min)")
    _legend(axes, above_pt=rows * TEXT_PT * LINE_PITCH)


def draw_quality(
    axes: "Axes",
    table: SweepTable,
    *,
    measure: str,
    zero_s: float = 0.0,
    limits: Mapping[str, tuple[float, float]] | None = None,
) -> None:
    """Draw one measure of the recording's quality over time, with the band it had to stay in.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; shares its x axis with the time course.
    table : SweepTable
        The test pathway.
    measure : {"rs_mohm", "rin_mohm", "holding"}
        What to draw.
    zero_s : float
        The table's time that is 0 on the axis: :attr:`TimeCourse.zero_s`.
    limits : mapping of str to (float, float), optional
        Measure → lowest and highest value allowed. An edge far from the data is not within the axis.
    """
    value = np.asarray(getattr(table, measure), dtype=np.float64)
    held = {"pA": "holding\n(pA)", "mV": "$V_\\mathrm{m}$\n(mV)"}
    label = held[holding_unit(table)] if measure == "holding" else QUALITY[measure]
    axes.set_ylabel(label, fontsize=SMALL_PT)
    axes.set_xlabel("time after the induction (min)")
    axes.locator_params(axis="y", nbins=3)
    time_min = (table.time_s - zero_s) / 60.0
    if not np.isfinite(value).any():
        axes.text(0.5, 0.5, "not measured", transform=axes.transAxes, ha="center", va="center", color=GREY)
        axes.set_yticks([])
        return
    axes.set_ylim(*_quality_limits(axes, value, (limits or {}).get(measure)))
    used = table.used
    _dots(axes, time_min[used], value[used], color=INK, size=4.0, label=measure)
    _dots(axes, time_min[~used], value[~used], color=GREY, size=5.0, label=f"{measure} excluded", hollow=True)


def holding_unit(table: SweepTable) -> str:
    """Return the unit of a table's ``holding``: a current in voltage clamp, a potential in current clamp."""
    return "pA" if table.unit.startswith("pA") else "mV"


def _set_limits(axes: "Axes", course: TimeCourse, control: TimeCourse | None, *, room: float) -> None:
    values = [course.sweep_value, course.mean] + ([control.mean] if control is not None else [])
    always = (0.0,) if course.unit else (0.0, 1.2)
    low, high = robust_limits(np.concatenate(values), include=always, margin=0.03)
    # Above the data the arrow and the evaluation window have their own room.
    axes.set_ylim(low, high + room * (high - low))
    time = course.sweep_time_min
    beside = 0.02 * (time.max() - time.min()) or 0.5
    axes.set_xlim(time.min() - beside, max(time.max(), course.time_min.max(initial=time.max())) + beside)


def _shade_phases(axes: "Axes", course: TimeCourse, names: tuple[str, ...]) -> int:
    """Shade and name the phases and the induction; return how many rows the names take."""
    labels = []
    for name in names:
        time = course.sweep_time_min[course.sweep_phase == name]
        axes.axvspan(time.min(), time.max(), color=phase_colour(name, names), alpha=0.06, linewidth=0, zorder=0)
        labels.append(((time.min() + time.max()) / 2, name, phase_colour(name, names)))
    before = course.sweep_time_min[course.sweep_phase == BASELINE]
    after = course.sweep_time_min[course.sweep_phase == POST]
    if before.size and after.size:
        labels.append(((before.max() + after.min()) / 2, "induction", INK))
        _arrow(axes, labels[-1][0])
    return _label_above(axes, sorted(labels))


def _arrow(axes: "Axes", time_min: float) -> None:
    axes.annotate(
        "",
        xy=(time_min, 0.88),
        xytext=(time_min, 1.01),
        xycoords=axes.get_xaxis_transform(),
        arrowprops={"arrowstyle": "-|>", "color": INK, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0},
    )


def _label_above(axes: "Axes", labels: list[tuple[float, str, str]]) -> int:
    """Write names above the axes at their times, each in the lowest row where it touches no other; return the rows."""
    width_pt, _ = size_pt(axes)
    left, right = axes.get_xlim()
    ends: list[float] = []
    for time_min, name, colour in labels:
        half = text_width_pt(name, size_pt=TEXT_PT) / 2
        at = (time_min - left) / (right - left) * width_pt
        at = min(max(at, half), max(width_pt - half, half))
        row = next((i for i, end in enumerate(ends) if at - half > end + 3), len(ends))
        ends[row:] = [at + half, *ends[row + 1 :]]
        axes.annotate(
            plain(name),
            xy=(at / width_pt, 1.0),
            xycoords="axes fraction",
            xytext=(0, 2 + row * TEXT_PT * LINE_PITCH),
            textcoords="offset points",
            ha="center",
            va="bottom",
            color=colour,
            fontsize=TEXT_PT,
        )
    return len(ends)


def _draw_sweeps(axes: "Axes", course: TimeCourse, name: str, colour: str) -> None:
    here = course.sweep_phase == name
    used, rejected = here & course.sweep_used, here & ~course.sweep_used
    _dots(axes, course.sweep_time_min[used], course.sweep_value[used], color=colour, size=3.0, label=f"sweeps, {name}")
    _dots(
        axes,
        course.sweep_time_min[rejected],
        course.sweep_value[rejected],
        color=GREY,
        size=6.0,
        label="excluded sweep",
        hollow=True,
    )


def _dots(
    axes: "Axes", x: FloatArray, y: FloatArray, *, color: str, size: float, label: str, hollow: bool = False
) -> None:
    """Draw dots; those outside the y limits as triangles at the edge, so that none goes unseen."""
    low, high = axes.get_ylim()
    inside = (y >= low) & (y <= high)
    style: dict[str, Any] = {"linewidths": 0.5, "facecolors": "none", "edgecolors": color}
    style = style if hollow else {"linewidths": 0.0, "facecolors": color, "alpha": 0.35}
    if inside.any():
        axes.scatter(x[inside], y[inside], s=size, label=label, zorder=2, **style)
    for outside, edge, marker in ((y > high, 0.985, "^"), (y < low, 0.015, "v")):
        if outside.any():
            _at_edge(axes, x[outside], edge, marker, style | {"alpha": 1.0})


def _at_edge(axes: "Axes", x: FloatArray, edge: float, marker: str, style: Mapping[str, Any]) -> None:
    axes.scatter(
        x,
        np.full(len(x), edge),
        s=14,
        marker=marker,
        transform=axes.get_xaxis_transform(),
        label="_outside the axis",
        clip_on=False,
        zorder=5,
        **style,
    )


def _draw_bins(axes: "Axes", course: TimeCourse, name: str, colour: str, *, marker: str, label: str) -> None:
    for each in [name] if name else dict.fromkeys(course.phase.tolist()):
        here = course.phase == each
        axes.errorbar(
            course.time_min[here],
            course.mean[here],
            yerr=_drawable(course.sem[here]),
            color=colour,
            marker=marker,
            markersize=3.2 if name else 2.4,
            linewidth=0.7,
            elinewidth=0.7,
            markerfacecolor=colour if name else "white",
            markeredgewidth=0.7,
            zorder=4 if name else 3,
            label=label,
        )


def _drawable(sem: FloatArray) -> FloatArray:
    """Replace what is no SEM, that of a bin of one sweep, by none: it is drawn without a bar."""
    return np.where(np.isfinite(sem), sem, 0.0)


def _mark_evaluation(axes: "Axes", evaluation_min: tuple[float, float]) -> None:
    start, stop = evaluation_min
    where = axes.get_xaxis_transform()
    axes.plot(
        [start, stop],
        [0.985, 0.985],
        transform=where,
        color=GREEN,
        linewidth=2.0,
        solid_capstyle="butt",
        label="_evaluated",
    )
    axes.text(
        (start + stop) / 2,
        0.97,
        "evaluated",
        transform=where,
        ha="center",
        va="top",
        fontsize=SMALL_PT,
        color=GREEN,
    )


def _legend(axes: "Axes", *, above_pt: float) -> None:
    handles, labels = axes.get_legend_handles_labels()
    once: dict[str, Any] = dict(zip(labels, handles, strict=True))
    wanted = {label: each for label, each in once.items() if label in ("control pathway", "excluded sweep")}
    if wanted:
        axes.legend(
            wanted.values(),
            wanted.keys(),
            loc="lower right",
            bbox_to_anchor=(1.0, 1.0 + (4.0 + above_pt) / size_pt(axes)[1]),
            ncols=2,
            borderaxespad=0.1,
            fontsize=SMALL_PT,
            frameon=False,
            handletextpad=0.3,
        )


def _quality_limits(axes: "Axes", value: FloatArray, band: tuple[float, float] | None) -> tuple[float, float]:
    """Draw the band and choose limits that hold the data, and those edges of the band that are near them."""
    low, high = robust_limits(value, margin=0.1)
    if band is None:
        return low, high
    axes.axhspan(*band, color=PALE, alpha=0.45, linewidth=0, zorder=0, label="allowed")
    for each in band:
        axes.axhline(each, color=GREY, linewidth=0.5, zorder=1)
    reach = 4.0 * (high - low)
    near = [each for each in band if low - reach < each < high + reach]
    return robust_limits(value, include=near, margin=0.1)
