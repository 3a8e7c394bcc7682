"""Where the change is: the plane of mean ratio against CV⁻² ratio, and the paired-pulse ratio."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast._words import minus
from ephysplast.errors import OK
from ephysplast.plotting._locus_panels import LOCUS_COLOURS, VEIL, letters_in
from ephysplast.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SMALL_PT,
    TEXT_PT,
    label_beside,
    phase_colour,
    plain,
    robust_limits,
    say,
    size_pt,
    wrap,
)
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ephysplast.analysers.paired_pulse import PairedPulseResult
    from ephysplast.verdict import CvPlane, Verdict

_MAX_DOTS: Final = 600
_BEYOND: Final = 1e6
_BESIDE_CURVE: Final[Mapping[str, tuple[float, float]]] = {"p": (-9.0, -4.0), "n": (-2.0, -10.0), "q": (-5.0, 6.0)}
"""From the end of a theory curve to its name, in points, for growth; the other way for decline."""
_WIDEST: Final = 32.0
"""Limits of the plane never go beyond this ratio: a cloud that does says only that the CV⁻² is hardly known."""


def draw_cv_plane(axes: "Axes", plane: "CvPlane | None", *, missing: str = "No CV plane: not available.") -> None:
    """Draw the change of the mean (r) against the change of CV⁻² (y), with its bootstrap cloud, on log axes.

    A change of release probability lies beyond the diagonal (above it for growth, below it for decline), a change of
    the number of release sites on the diagonal, a change of quantal size on the line y = 1. Where the plane has theory
    curves, the pure changes of p, n and q at this synapse are drawn, each named at its end; else the regions.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; square.
    plane : CvPlane or None
        From :attr:`Verdict.cv_plane`.
    missing : str
        What to say when there is none.
    """
    if plane is None or not (np.isfinite(plane.r) and np.isfinite(plane.y) and plane.r > 0 and plane.y > 0):
        say(axes, missing)
        return
    known = np.isfinite(plane.r_boot) & np.isfinite(plane.y_boot) & (plane.r_boot > 0) & (plane.y_boot > 0)
    r_boot, y_boot = plane.r_boot[known], plane.y_boot[known]
    edge = _edge(plane, r_boot, y_boot)
    axes.set(xscale="log", yscale="log", xlim=(1 / edge, edge), ylim=(1 / edge, edge))
    axes.set_box_aspect(1)
    _ratio_ticks(axes, edge)
    if plane.theory_y and plane.theory_r.size:
        _theory(axes, plane, edge)
    else:
        _regions(axes, edge)
    step = max(1, len(r_boot) // _MAX_DOTS)
    axes.scatter(
        r_boot[::step], y_boot[::step], s=2.5, color=GREY, alpha=0.35, linewidths=0, label="bootstrap", zorder=3
    )
    axes.scatter(
        [plane.r], [plane.y], s=34, color=BLUE, edgecolors="white", linewidths=0.8, label="experiment", zorder=5
    )
    axes.set_xlabel("r = mean after / before")
    axes.set_ylabel("CV⁻² after / before")
    note = minus(f"φ = {plane.phi_deg:.0f}°") if np.isfinite(plane.phi_deg) else ""
    lost = len(known) - int(known.sum())
    note += f"; {lost} of {len(known)} resamples have no CV⁻²" if lost else ""
    lines = wrap(note, width_pt=size_pt(axes)[0], size_pt=SMALL_PT)
    axes.set_title("\n".join(lines), loc="left", fontsize=SMALL_PT, color=INK, pad=3)


def draw_paired_pulse(
    axes: "Axes", results: "Mapping[str, PairedPulseResult]", *, missing: str = "it was not measured"
) -> None:
    """Draw the paired-pulse ratio of each phase with its interval; for trains the ratio of every pulse to the first.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; higher than wide.
    results : mapping of str to PairedPulseResult
        Phase → its ratios.
    missing : str
        Why there is none, when no result says so.
    """
    known = {name: each for name, each in results.items() if np.isfinite(each.paired_pulse_ratio).any()}
    if not known:
        said = next((each.status for each in results.values() if each.status != OK), missing)
        say(axes, f"No paired-pulse ratio: {said}.")
        return
    names = tuple(known)
    train = max(len(each.paired_pulse_ratio) for each in known.values()) > 1
    axes.axhline(1.0, color=INK, linewidth=0.6, linestyle=(0, (4, 3)), zorder=1)
    axes.set_ylim(*_ratio_limits(known))
    for i, (name, each) in enumerate(known.items()):
        x = np.arange(2.0, 2.0 + len(each.paired_pulse_ratio)) + 0.12 * (i - (len(names) - 1) / 2)
        _ratio_points(axes, x if train else np.array([float(i)]), each, phase_colour(name, names), label=plain(name))
    level = f"{next(iter(known.values())).level * 100:g} % interval"
    if train:
        axes.set_xlabel("pulse")
        label_beside(axes, "response / first", level)
        axes.locator_params(axis="x", integer=True)
        tight = {"borderaxespad": 0.1, "handlelength": 1.0, "handletextpad": 0.3, "columnspacing": 0.6}
        axes.legend(loc="lower right", bbox_to_anchor=(1.05, 1.0), ncols=2, fontsize=SMALL_PT, **tight)
        return
    ratios = [float(each.paired_pulse_ratio[0]) for each in known.values()]
    axes.plot(range(len(names)), ratios, color=GREY, linewidth=0.8, zorder=2, label="_line")
    axes.set_xlim(-0.5, len(names) - 0.5)
    short = [each if len(each) <= 9 else f"{each[:8]}…" for each in names]
    axes.set_xticks(range(len(names)), [plain(each) for each in short], rotation=0 if len(names) < 3 else 30)
    label_beside(axes, "paired-pulse ratio", level)


def why_no_plane(verdict: "Verdict") -> str:
    """Say why a verdict has no CV plane."""
    if verdict.locus == "not asked":
        return "No CV plane: where a change is can be asked only when there is LTP or LTD."
    said = next((each.sentence for each in verdict.evidence if each.index.startswith("CV")), "")
    if not said and not verdict.locus_probabilities:
        said = verdict.locus_sentence.removeprefix("undetermined: ")
    return f"No CV plane: {said or 'the variance cannot be told from the noise.'}"


def _edge(plane: "CvPlane", r_boot: FloatArray, y_boot: FloatArray) -> float:
    """Choose how far from 1 the axes reach, the same either way: the diagonal then runs from corner to corner."""
    logs = np.abs(np.log(np.concatenate([r_boot, y_boot])))
    cloud = float(np.percentile(logs, 97)) if logs.size else 0.0
    point = max(abs(np.log(plane.r)), abs(np.log(plane.y)))
    return float(np.exp(1.25 * max(point, min(cloud, np.log(_WIDEST)), np.log(2.0))))


def _ratio_ticks(axes: "Axes", edge: float) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    base = next(each for each in (2, 4, 10, 100, 10000) if np.log(edge) / np.log(each) < 4 or each == 10000)
    most = int(np.log(edge) / np.log(base))
    ticks = [float(base) ** power for power in range(-most, most + 1)]
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter(FixedFormatter([f"{each:.3g}" for each in ticks]))
        axis.set_minor_locator(NullLocator())


def _theory(axes: "Axes", plane: "CvPlane", edge: float) -> None:
    """Draw the curves of pure changes; each is named at its end on the side of the experiment."""
    up = plane.r >= 1.0
    r = plane.theory_r
    axes.axhline(1.0, color=GREY, linewidth=0.5, zorder=1, label="_y = 1")
    axes.axvline(1.0, color=GREY, linewidth=0.5, zorder=1, label="r = 1")
    for name, y in plane.theory_y.items():
        colour = LOCUS_COLOURS[name]
        # Sites are dashed: without red or green, their colour is near that of quanta.
        dashes = (0, (4, 1.5)) if name == "n" else "solid"
        axes.plot(r, y, color=colour, linewidth=1.4, linestyle=dashes, zorder=2, label=f"theory, {name}")
        inside = np.flatnonzero((r > 1 / edge) & (r < edge) & (y > 1 / edge) & (y < edge) & ((r > 1.0) == up))
        if inside.size:
            end = inside[-1 if up else 0]
            _name_curve(axes, name, (float(r[end]), float(y[end])), up=up, above=plane.y < 1.0)


def _name_curve(axes: "Axes", name: str, end: tuple[float, float], *, up: bool, above: bool) -> None:
    """Write p on the far side of the diagonal, n on the near side, q beside its line: they never meet."""
    across, along = _BESIDE_CURVE[name]
    side = 1.0 if up else -1.0
    along = abs(along) * (1.0 if above else -1.0) * side if name == "q" else along
    axes.annotate(
        name,
        xy=end,
        xytext=(side * across, side * along),
        textcoords="offset points",
        ha="center",
        va="center",
        fontsize=TEXT_PT + 1,
        fontweight="bold",
        color=letters_in(LOCUS_COLOURS[name]),
        bbox=VEIL,
        zorder=4,
    )


def _regions(axes: "Axes", edge: float) -> None:
    low, high = 1 / edge, edge
    axes.fill([1, high, 1], [1, high, high], color=ORANGE, alpha=0.14, linewidth=0, zorder=0)
    axes.fill([1, low, 1], [1, low, low], color=ORANGE, alpha=0.14, linewidth=0, zorder=0)
    axes.plot([low, high], [low, high], color=INK, linewidth=0.8, linestyle=(0, (4, 2)), label="y = r", zorder=2)
    axes.plot([low, high], [1, 1], color=GREEN, linewidth=1.6, alpha=0.7, label="y = 1", zorder=2)
    axes.plot([1, 1], [low, high], color=GREY, linewidth=0.5, label="r = 1", zorder=1)
    style: dict[str, Any] = {"transform": axes.transAxes, "fontsize": SMALL_PT - 0.5, "zorder": 4, "bbox": VEIL}
    for x, y, across in ((0.52, 0.98, "left"), (0.48, 0.02, "right")):
        down = "top" if y > 0.5 else "bottom"
        axes.text(x, y, "release\nprobability (p)", ha=across, va=down, color="#8a5f00", **style)
    axes.text(0.985, 0.475, "quantal size (q)", ha="right", va="top", color="#00664b", **style)
    axes.text(0.015, 0.525, "quantal size (q)", ha="left", va="bottom", color="#00664b", **style)
    for x, y in ((0.86, 0.815), (0.14, 0.095)):
        axes.text(x, y, "sites (n)", ha="center", va="center", rotation=45, color=INK, **style)
    for x, y in ((0.86, 0.63), (0.14, 0.37)):
        axes.text(x, y, "mixed", ha="center", va="center", color=GREY, **style)


def _ratio_limits(results: "Mapping[str, PairedPulseResult]") -> tuple[float, float]:
    """Hold every ratio; an interval that is many times wider runs out of the panel."""
    ratios = np.concatenate([each.paired_pulse_ratio for each in results.values()])
    bounds = np.concatenate([np.append(each.ratio_low, each.ratio_high) for each in results.values()])
    always = [1.0, *ratios[np.isfinite(ratios)].tolist()]
    reach = 3.0 * max(max(always) - min(always), 0.5)
    near = bounds[(bounds > min(always) - reach) & (bounds < max(always) + reach)]
    return robust_limits(np.empty(0), include=[*always, *near.tolist()], margin=0.08)


def _ratio_points(axes: "Axes", x: FloatArray, result: "PairedPulseResult", colour: str, *, label: str) -> None:
    ratio = result.paired_pulse_ratio
    # A bound that is not known leaves the panel, as an infinite one does.
    low = np.where(np.isfinite(result.ratio_low), result.ratio_low, -_BEYOND)
    high = np.where(np.isfinite(result.ratio_high), result.ratio_high, _BEYOND)
    error = np.clip(np.vstack([ratio - low, high - ratio]), 0.0, None)
    axes.errorbar(
        x,
        ratio,
        yerr=error,
        color=colour,
        marker="o",
        markersize=4.0,
        linewidth=0.8,
        elinewidth=1.0,
        capsize=2.0,
        zorder=3,
        label=label,
    )
