"""Timing windows: the table of changes with the best windows, what they leave over, and how the windows rank."""

from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    SMALL_PT,
    TEXT_PT,
    place,
    plain,
    robust_limits,
    styled,
    wrap,
    write,
)
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.fitting import Observations, WindowFit, WindowRanking

_WIDTH: Final = 7.2
_LEFT: Final = 0.55
_DATA: Final = (3.55, 2.3)
_RESIDUALS: Final = 0.85
_RANKING_LEFT: Final = 5.6
_ROW: Final = 0.172
_TWO_COLUMNS_PT: Final = (_WIDTH - 0.3) * 72
_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE)
_FARTHEST: Final = 12.0
"""Windows further behind than this stand at the edge of the ranking."""
_TOLD_APART: Final = 3.0


def windows_figure(ranking: "WindowRanking", *, title: str = "") -> "Figure":
    """Draw a ranking of timing windows on one page.

    A: the changes with the best window, its band, and those that are not told apart from it. B: what the best window
    leaves over. C: how far each window is behind the best one. Below: the parameters of the best one in words.

    Parameters
    ----------
    ranking : WindowRanking
        From :func:`ephysplast.fitting.rank_windows`.
    title : str
        What stands above; the name of the table when empty.

    Returns
    -------
    matplotlib.figure.Figure
        For :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    heading = wrap(title or ranking.observations.source, width_pt=_TWO_COLUMNS_PT, size_pt=TEXT_PT + 3, weight="bold")
    answer = wrap(ranking.sentence, width_pt=_TWO_COLUMNS_PT, size_pt=TEXT_PT)
    words = [line for each in _parameter_words(ranking.best) for line in _small(each)]
    notes = [line for each in ranking.observations.notes for line in _small(f"{each}.")]
    top = 0.3 + 0.19 * len(heading) + 0.131 * len(answer)
    panels = max(_DATA[1] + 0.2 + _RESIDUALS, _ROW * len(ranking.fits) + 0.35)
    height = top + panels + 0.62 + 0.113 * (len(words) + len(notes))
    with styled():
        figure = Figure(figsize=(_WIDTH, height))
        below = write(figure, heading, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
        write(figure, answer, left=0.15, top=below + 0.03, color=INK)
        _draw_panels(figure, ranking, top=top)
        below = write(figure, words, left=0.15, top=top + panels + 0.45, size=SMALL_PT, color=INK)
        write(figure, notes, left=0.15, top=below + 0.03, size=SMALL_PT, color=GREY)
    return figure


def _draw_panels(figure: "Figure", ranking: "WindowRanking", *, top: float) -> None:
    second = top + _DATA[1] + 0.2
    data = place(figure, left=_LEFT, top=top, width=_DATA[0], height=_DATA[1])
    draw_windows(data, ranking)
    data.tick_params(labelbottom=False)
    left_over = place(figure, left=_LEFT, top=second, width=_DATA[0], height=_RESIDUALS, sharex=data)
    draw_residuals(left_over, ranking.best, ranking.observations)
    width, height = _WIDTH - _RANKING_LEFT - 0.15, _ROW * len(ranking.fits)
    draw_ranking(place(figure, left=_RANKING_LEFT, top=top + 0.25, width=width, height=height), ranking)
    for letter, left, at in (("A", 0.1, top), ("B", 0.1, second - 0.02), ("C", 4.25, top)):
        write(figure, [letter], left=left, top=at - 0.1, size=TEXT_PT + 3, weight="bold", color=INK)


def draw_windows(axes: "Axes", ranking: "WindowRanking") -> None:
    """Draw the changes in per cent against Δt, the best window with its band, and its rivals.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    ranking : WindowRanking
        Standard errors are bars; a jitter or error of Δt is a horizontal bar.
    """
    observations = ranking.observations
    for zero in (axes.axhline, axes.axvline):
        zero(0.0, color=PALE, linewidth=0.6, zorder=0)
    rivals = [each for each in ranking.rivals() if each is not ranking.best][: len(_COLOURS) - 1]
    for each, colour in zip((ranking.best, *rivals), _COLOURS, strict=False):
        is_best = each is ranking.best
        for side in (each.curve_delta_t_ms < 0.0, each.curve_delta_t_ms > 0.0):
            at = each.curve_delta_t_ms[side]
            if is_best:
                band = 100.0 * each.curve_low[side], 100.0 * each.curve_high[side]
                axes.fill_between(at, *band, color=colour, alpha=0.18, linewidth=0, zorder=1, label="band")
            style = {"linewidth": 1.4} if is_best else {"linewidth": 0.9, "linestyle": (0, (4, 2))}
            label = each.window.short if side[-1] else "_left side"
            axes.plot(at, 100.0 * each.curve[side], color=colour, zorder=3 if is_best else 2, label=label, **style)
    _bars(axes, observations)
    axes.scatter(
        observations.delta_t_ms, 100.0 * observations.change, s=9, color=INK, alpha=0.75, linewidths=0, zorder=4,
        label="observations",
    )  # fmt: skip
    best = ranking.best
    ends = [observations.change - observations.change_error, observations.change + observations.change_error]
    # A band may be very wide near 0: it need not be seen whole, the window and the cells must.
    seen = 100.0 * np.concatenate([*ends, best.curve])
    axes.set_ylim(*robust_limits(100.0 * np.concatenate([best.curve_low, best.curve_high]), include=[0.0, *seen]))
    axes.set_xlim(*_x_limits(ranking.best.curve_delta_t_ms))
    axes.set_ylabel("change (%)")
    handles, labels = axes.get_legend_handles_labels()
    named = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label not in ("band", "bars")]
    axes.legend(*zip(*named, strict=True), loc="best", handlelength=1.6, borderaxespad=0.2, labelspacing=0.25)


def draw_residuals(axes: "Axes", fitted: "WindowFit", observations: "Observations") -> None:
    """Draw what a window leaves over, with its scatter as a grey band of ± 1 σ.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    fitted : WindowFit
        From a ranking.
    observations : Observations
        The table that it was fitted to.
    """
    noise = fitted.estimates[-1]
    if noise.status == OK:
        axes.axhspan(-100.0 * noise.value, 100.0 * noise.value, color=PALE, alpha=0.5, linewidth=0, label="noise")
    axes.axhline(0.0, color=BLUE, linewidth=0.8, zorder=1)
    axes.scatter(
        observations.delta_t_ms, 100.0 * fitted.residual, s=7, color=INK, alpha=0.75, linewidths=0, label="residuals"
    )
    axes.set_xlim(*_x_limits(fitted.curve_delta_t_ms))
    axes.set(xlabel="Δt = t(post) − t(pre) (ms)", ylabel="residual (%)")
    axes.locator_params(axis="y", nbins=4)


def draw_ranking(axes: "Axes", ranking: "WindowRanking") -> None:
    """Draw how far each window is behind the best one, by its evidence, by leave-one-out and by AICc.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; a row for each window. Those that are far behind stand at the edge, those that could not be
        fitted have no mark.
    ranking : WindowRanking
        The best stands on top.
    """
    best, fits = ranking.best, ranking.fits
    rows = np.arange(len(fits), dtype=np.float64)
    behind = {
        "evidence": np.array([best.log_evidence - each.log_evidence for each in fits]),
        "leave-one-out": np.array([best.leave_one_out - each.leave_one_out for each in fits]),
        "AICc / 2": np.array([each.aicc - best.aicc for each in fits]) / 2.0,
    }
    axes.axvline(0.0, color=PALE, linewidth=0.6, zorder=0)
    axes.axvspan(-_FARTHEST, _TOLD_APART, color=PALE, alpha=0.35, linewidth=0, zorder=0, label="not told apart")
    known = np.concatenate(list(behind.values()))
    known = known[np.isfinite(known)]
    right = float(np.clip(known.max(initial=0.0), 1.5 * _TOLD_APART, _FARTHEST))
    left = float(np.clip(known.min(initial=0.0), -_TOLD_APART, 0.0)) - 0.06 * right
    marks = {"evidence": ("o", 14.0, BLUE), "leave-one-out": ("|", 26.0, INK), "AICc / 2": ("x", 9.0, GREY)}
    for name, (marker, size, colour) in marks.items():
        near = behind[name] <= right
        at = np.maximum(behind[name][near], left)
        axes.scatter(at, rows[near], s=size, marker=marker, color=colour, linewidths=0.9, zorder=3, label=name)
    far = behind["evidence"] > right
    axes.scatter(
        np.full(int(far.sum()), right), rows[far], s=16, marker=">", color=BLUE, linewidths=0, clip_on=False,
        label="further behind",
    )  # fmt: skip
    axes.set_xlim(left, right)
    axes.set_ylim(len(fits) - 0.4, -0.6)
    axes.set_yticks(rows, [plain(f"{each.window.short}{_mark(each)}") for each in fits])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("log units behind the best")
    handles, labels = axes.get_legend_handles_labels()
    named = [(handle, label) for handle, label in zip(handles, labels, strict=True) if label in marks]
    tight = {"handletextpad": 0.1, "columnspacing": 0.5, "borderaxespad": 0.1}
    axes.legend(*zip(*named, strict=True), loc="lower right", bbox_to_anchor=(1.03, 1.0), ncols=3, **tight)


def _bars(axes: "Axes", observations: "Observations") -> None:
    has_error = bool((observations.change_error > 0.0).any())
    spread_ms = np.hypot(observations.delta_t_sd_ms, observations.delta_t_error_ms)
    if has_error or (spread_ms > 0.0).any():
        axes.errorbar(
            observations.delta_t_ms,
            100.0 * observations.change,
            yerr=100.0 * observations.change_error if has_error else None,
            xerr=spread_ms if (spread_ms > 0.0).any() else None,
            fmt="none",
            ecolor=GREY,
            elinewidth=0.6,
            zorder=2,
            label="bars",
        )


def _x_limits(at: FloatArray) -> tuple[float, float]:
    return float(at[0]), float(at[-1])


def _mark(fitted: "WindowFit") -> str:
    return {"converged": "", "at a bound": " *", "not identifiable": " *", "failed": " (failed)"}[fitted.convergence]


def _small(text: str) -> list[str]:
    return wrap(text, width_pt=_TWO_COLUMNS_PT, size_pt=SMALL_PT)


def _parameter_words(fitted: "WindowFit") -> list[str]:
    """Say the parameters of a window with their intervals, and below them why some have none."""
    from ephysplast.fitting import NOISE

    known, missing = [], []
    for parameter, each in zip((*fitted.window.parameters, NOISE), fitted.estimates, strict=True):
        symbol, said = parameter.symbol, parameter.said
        if each.status == OK:
            known.append(f"{symbol} {said(each.value)} [{said(each.low)}, {said(each.high)}]")
        else:
            missing.append(f"{symbol} is {each.status}.")
    half_width = fitted.half_width_ms
    if half_width.status == OK:
        known.append(f"half-width {half_width.value:.3g} ms [{half_width.low:.3g}, {half_width.high:.3g}]")
    head = f"{fitted.window.title}: {fitted.window.formula}. {'; '.join(known)}."
    tail = "Brackets are posterior intervals. * a parameter is at a bound or not identifiable."
    return [head, *missing, tail]
