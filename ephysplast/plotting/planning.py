"""A plan: how often a change is called rightly against sweeps and against cells."""

from functools import partial
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    RED,
    SMALL_PT,
    TEXT_PT,
    mixed,
    place,
    plain,
    styled,
    wrap,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.planning import LocusPlan, SignPlan
    from ephysplast.recording import FloatArray

_WIDTH: Final = 7.2
_LEFT: Final = 0.55
_WIDTH_PT: Final = (_WIDTH - 0.3) * 72
_PANEL_HEIGHT: Final = 1.65
_ROW: Final = _PANEL_HEIGHT + 0.85
_GAP: Final = 0.6
_LOCI: Final = {"p": ORANGE, "n": PURPLE, "q": GREEN}
_MARKS: Final = ("o", "s", "^", "D", "v", "P")
_DODGE: Final = 0.035
"""Points of different baselines stand this far apart, as a share of the octave."""


def plan_figure(locus: "LocusPlan | None" = None, sign: "SignPlan | None" = None, *, title: str = "") -> "Figure":
    """Draw a plan on one page, with its sentences below.

    First row: for each change, how often it is called rightly and wrongly against the post sweeps, a line for each
    number of baseline sweeps. Second row: the outcomes of one cell with the chosen sweeps, and cells taken together.
    Third row, of the sign: how often a change is found in one cell, and by a study of so many cells.

    Parameters
    ----------
    locus : LocusPlan, optional
        From :func:`ephysplast.planning.plan_locus`.
    sign : SignPlan, optional
        From :func:`ephysplast.planning.plan_sign`; one of the two is needed.
    title : str
        What stands above; the synapse when empty.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    plans = [each for each in (locus, sign) if each is not None]
    heading = wrap(title or _synapse_said(plans[0]), width_pt=_WIDTH_PT, size_pt=TEXT_PT + 2, weight="bold")
    words = [
        line
        for each in plans
        for said in each.sentences
        for line in wrap(f"{said}.", width_pt=_WIDTH_PT, size_pt=SMALL_PT)
    ]
    top = 0.5 + 0.17 * len(heading)
    rows = 2 * (locus is not None) + (sign is not None)
    with styled():
        figure = Figure(figsize=(_WIDTH, top + rows * _ROW + 0.113 * len(words) - 0.25))
        write(figure, heading, left=0.15, top=0.1, size=TEXT_PT + 2, weight="bold", color=INK)
        letters = iter("ABCDEFG")
        for panels in _rows(locus, sign):
            _draw_row(figure, panels, top=top, letters=letters)
            top += _ROW
        write(figure, words, left=0.15, top=top - 0.35, size=SMALL_PT, color=INK)
    return figure


def draw_plan_sweeps(axes: "Axes", plan: "LocusPlan", change: int, *, key: bool = True) -> None:
    """Draw how often one change is called rightly (with intervals) and wrongly, against the post sweeps.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    plan : LocusPlan
        Points without simulated cells are left out.
    change : int
        Which of its changes.
    key : bool
        Say which mark stands for which number of baseline sweeps.
    """
    truth = plan.changes[change]
    _sweep_axes(axes, plan)
    right = tuple(each[change] for each in plan.share("right"))
    wrong = plan.share("wrong")[0][change]
    _by_baseline(axes, plan, right, colour=_LOCI[truth.locus])
    order = np.argsort(plan.sweeps[:, 1], kind="stable")
    known = order[np.isfinite(wrong[order])]
    axes.plot(
        plan.sweeps[known, 1], 100.0 * wrong[known], "x", color=RED, markersize=3.0, markeredgewidth=0.8,
        clip_on=False, zorder=5, label="wrong",
    )  # fmt: skip
    if key:
        _legend(axes, title="baseline sweeps")
    axes.set(xlabel="post sweeps", ylabel="called rightly (%)")
    _headed(axes, truth.words)


def draw_plan_outcomes(axes: "Axes", plan: "LocusPlan") -> None:
    """Draw what becomes of one cell with the chosen sweeps: called rightly, undetermined, called wrongly.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; a bar for each change.
    plan : LocusPlan
        From :func:`ephysplast.planning.plan_locus`.
    """
    row = plan.chosen
    shares = {name: np.nan_to_num(plan.share(name)[0][:, row]) for name in ("right", "undetermined", "wrong")}
    at = np.arange(len(plan.changes))
    left = np.zeros(at.size)
    for name, share in shares.items():
        colours = [_LOCI[each.locus] if name == "right" else PALE if name != "wrong" else RED for each in plan.changes]
        axes.barh(at, 100.0 * share, left=100.0 * left, height=0.55, color=colours, label=name, linewidth=0)
        for i, (start, width) in enumerate(zip(left, share, strict=True)):
            if width > 0.14:
                middle = 100.0 * (start + width / 2)
                axes.text(middle, i, f"{100 * width:.0f} %", ha="center", va="center", color=INK, fontsize=SMALL_PT)
        left = left + share
    axes.set_yticks(at, [plain(each.locus) for each in plan.changes])
    axes.set(xlim=(0, 100), ylim=(at.size - 0.4, -0.6), xlabel="cells (%)")
    axes.tick_params(axis="y", length=0)
    baseline, post = plan.sweeps[row].tolist()
    _headed(axes, f"One cell, {baseline} + {post} sweeps")
    _colour_key(axes, [("called rightly", INK), ("undetermined", GREY), ("wrongly", RED)])


def draw_plan_cells(axes: "Axes", plan: "LocusPlan") -> None:
    """Draw how often cells that share a locus are called rightly when they are taken together, with intervals.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    plan : LocusPlan
        Its chosen sweeps are drawn.
    """
    share, low, high = (each[:, plan.chosen] for each in plan.together())
    cells = np.arange(1, share.shape[-1] + 1)
    _power_line(axes, plan.config.power)
    for i, change in enumerate(plan.changes):
        colour = _LOCI[change.locus]
        if np.isfinite(share[i]).all():
            axes.fill_between(cells, 100.0 * low[i], 100.0 * high[i], color=colour, alpha=0.15, linewidth=0)
        axes.plot(cells, 100.0 * share[i], "-o", color=colour, markersize=2.5, clip_on=False, label=change.locus)
    axes.set(xlim=(0.5, cells[-1] + 0.5), ylim=(0, 103), xlabel="cells taken together", ylabel="called rightly (%)")
    axes.locator_params(axis="x", integer=True)
    baseline, post = plan.sweeps[plan.chosen].tolist()
    _headed(axes, f"Cells together, {baseline} + {post} sweeps")
    _colour_key(axes, [(f"change of {each.locus}", _LOCI[each.locus]) for each in plan.changes])


def draw_sign_sweeps(axes: "Axes", plan: "SignPlan") -> None:
    """Draw how often a change is found in one cell, and seen where there is none, against the post sweeps.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    plan : SignPlan
        From :func:`ephysplast.planning.plan_sign`.
    """
    _sweep_axes(axes, plan)
    _by_baseline(axes, plan, plan.share("found"), colour=BLUE)
    false = plan.share("false")[0]
    axes.plot(
        plan.sweeps[:, 1], 100.0 * false, "x", color=RED, markersize=3.0, markeredgewidth=0.8, clip_on=False,
        zorder=5, label="without a change",
    )  # fmt: skip
    _legend(axes, title="baseline sweeps")
    axes.set(xlabel="post sweeps", ylabel="change found (%)")
    _headed(axes, f"{plan.change.percent:+g} % or none, in one cell".replace("-", "−"))


def draw_sign_cells(axes: "Axes", plan: "SignPlan") -> None:
    """Draw the power of a study to find the change, against its cells.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    plan : SignPlan
        Its chosen sweeps are drawn.
    """
    power = plan.study_power[plan.chosen]
    cells = np.arange(2, power.size + 2)
    _power_line(axes, plan.config.power)
    axes.plot(cells, 100.0 * power, color=BLUE, linewidth=1.2, label="study")
    needed = float(plan.cells[plan.chosen])
    if np.isfinite(needed) and needed <= cells[-1]:
        at = 100.0 * float(power[int(needed) - 2])
        axes.plot([needed], [at], "o", color=BLUE, markersize=4.0, label="needed", zorder=4)
        axes.annotate(
            f"{needed:.0f} cells", (needed, at), (5, -3), textcoords="offset points", va="top", fontsize=SMALL_PT
        )
    axes.set(xlim=(1, cells[-1]), ylim=(0, 103), xlabel="cells", ylabel="power of the study (%)")
    _headed(axes, f"{plan.change.percent:+g} % or none, over cells".replace("-", "−"))
    _colour_key(axes, [(f"t test, SD between cells {plan.config.between_cell_sd:g}", INK)])


def _rows(locus: "LocusPlan | None", sign: "SignPlan | None") -> list[list[tuple[Any, ...]]]:
    """Return the panels of every row: a function and what it draws."""
    rows: list[list[tuple[Any, ...]]] = []
    if locus is not None:
        # The marks mean the same in all panels of the row.
        rows.append([(partial(draw_plan_sweeps, key=i == 0), locus, i) for i in range(len(locus.changes))])
        rows.append([(draw_plan_outcomes, locus), (draw_plan_cells, locus)])
    if sign is not None:
        rows.append([(draw_sign_sweeps, sign), (draw_sign_cells, sign)])
    return rows


def _draw_row(figure: "Figure", panels: list[tuple[Any, ...]], *, top: float, letters: Any) -> None:
    width = (_WIDTH - _LEFT - 0.15 - _GAP * (max(len(panels), 2) - 1)) / max(len(panels), 2)
    for i, (draw, *arguments) in enumerate(panels):
        left = _LEFT + i * (width + _GAP)
        draw(place(figure, left=left, top=top, width=width, height=_PANEL_HEIGHT), *arguments)
        write(figure, [next(letters)], left=left - 0.43, top=top - 0.37, size=TEXT_PT + 3, weight="bold", color=INK)


def _sweep_axes(axes: "Axes", plan: "LocusPlan | SignPlan") -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    post = np.unique(plan.sweeps[:, 1])
    axes.set_xscale("log")
    axes.set(xlim=(post[0] / 1.25, post[-1] * 1.25), ylim=(0, 103))
    # Of numbers that stand close some are left out.
    far = [post[0]]
    for each in post[1:]:
        far += [each] if each / far[-1] > 1.3 else []
    axes.xaxis.set_major_locator(FixedLocator([float(each) for each in far]))
    axes.xaxis.set_major_formatter(FixedFormatter([str(each) for each in far]))
    axes.xaxis.set_minor_locator(NullLocator())
    _power_line(axes, plan.config.power)


def _power_line(axes: "Axes", power: float) -> None:
    axes.axhline(100.0 * power, color=GREY, linewidth=0.6, linestyle=(0, (4, 3)), zorder=0, label="_power")


def _by_baseline(axes: "Axes", plan: "LocusPlan | SignPlan", shares: "tuple[FloatArray, ...]", *, colour: str) -> None:
    """Draw a line with intervals for each number of baseline sweeps, the darker the more."""
    share, low, high = (100.0 * each for each in shares)
    baselines = np.unique(plan.sweeps[:, 0])
    for i, baseline in enumerate(baselines):
        rows = np.flatnonzero((plan.sweeps[:, 0] == baseline) & np.isfinite(share))
        rows = rows[np.argsort(plan.sweeps[rows, 1])]
        part = (i + 1) / baselines.size
        aside = 2.0 ** (_DODGE * 2.0 * (i - (baselines.size - 1) / 2))
        shade = mixed("#ffffff", colour, 0.35 + 0.65 * part) if part < 1 else mixed(colour, INK, 0.15)
        axes.errorbar(
            plan.sweeps[rows, 1] * aside,
            share[rows],
            yerr=np.clip(np.stack([share[rows] - low[rows], high[rows] - share[rows]]), 0.0, None),
            color=shade,
            marker=_MARKS[i % len(_MARKS)],
            markersize=3.2,
            markeredgewidth=0,
            linewidth=1.0,
            elinewidth=0.7,
            clip_on=False,
            zorder=3,
            label=str(int(baseline)),
        )


def _legend(axes: "Axes", *, title: str) -> None:
    handles, labels = axes.get_legend_handles_labels()
    marks = [each[0] if isinstance(each, tuple) else each for each in handles]
    named = [plain(each if not each.isdigit() or i else f"{title} {each}") for i, each in enumerate(_sorted(labels))]
    axes.legend(
        [marks[labels.index(each)] for each in _sorted(labels)], named, loc="lower left", bbox_to_anchor=(-0.02, 0.985),
        ncols=len(named), handlelength=1.0, handletextpad=0.3, columnspacing=0.8, borderaxespad=0.0,
    )  # fmt: skip


def _sorted(labels: list[str]) -> list[str]:
    """Numbers first, in order, then words."""
    return sorted(labels, key=lambda each: (not each.isdigit(), int(each) if each.isdigit() else 0))


def _headed(axes: "Axes", text: str) -> None:
    """Write the heading of a panel, above the line that the key takes."""
    axes.annotate(
        plain(text), (0.0, 1.0), (0, 15), xycoords="axes fraction", textcoords="offset points", ha="left", va="bottom",
        fontsize=TEXT_PT, color=INK,
    )  # fmt: skip


def _colour_key(axes: "Axes", entries: list[tuple[str, str]]) -> None:
    """Write coloured words above a panel."""
    from ephysplast.plotting.style import text_width_pt

    left = 0.0
    for text, colour in entries:
        axes.annotate(
            plain(text), (0.0, 1.0), (left, 3.5), xycoords="axes fraction", textcoords="offset points", ha="left",
            va="bottom", fontsize=SMALL_PT, color=colour,
        )  # fmt: skip
        left += text_width_pt(text, size_pt=SMALL_PT) + 8.0


def _synapse_said(plan: "LocusPlan | SignPlan") -> str:
    synapse = plan.synapse
    said = f"n {synapse.n}, p {synapse.p:g}, q {synapse.q:g}, noise SD {synapse.noise_sd:g}"
    said += f", CV within sites {synapse.cv_within:g}, between {synapse.cv_between:g}"
    return said + (f", PPR {synapse.paired_pulse_ratio:g}" if synapse.paired_pulse_ratio is not None else "")
