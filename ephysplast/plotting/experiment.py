"""One experiment on one page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.analysers.time_course import TimeCourse, time_course
from ephysplast.errors import OK
from ephysplast.plotting._locus_panels import draw_posterior
from ephysplast.plotting._page import below_title
from ephysplast.plotting.course import QUALITY, draw_quality, draw_time_course
from ephysplast.plotting.gates import evaluation_window_min, quality_limits
from ephysplast.plotting.locus import draw_cv_plane, draw_paired_pulse, why_no_plane
from ephysplast.plotting.style import INK, LINE_PITCH, TEXT_PT, place, styled, wrap, write
from ephysplast.plotting.traces import draw_traces
from ephysplast.plotting.words import draw_verdict, verdict_height_pt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.analysers.evoked import EvokedTraces
    from ephysplast.analysers.paired_pulse import PairedPulseResult
    from ephysplast.classify import ClassifyConfig
    from ephysplast.experiment import SweepTable
    from ephysplast.verdict import Verdict

# Inches. The page is as wide as two columns of a journal; heights follow from what there is to show.
_WIDTH: Final = 7.2
_LEFT: Final = 0.66
_RIGHT: Final = 0.12
_TRACES: Final = 1.55
_COURSE: Final = 1.75
_STRIP: Final = 0.42
_SQUARE: Final = 2.05
_RATIO: Final = 0.95
_BARS: Final = (0.68, 0.78)
_UNDER_BARS: Final = (1.32, 1.05)
"""Where the paired-pulse ratio begins under the posterior, and how high it is then."""
_VERDICT_LEFT: Final = _LEFT + _SQUARE + 0.62 + _RATIO + 0.3
_VERDICT: Final = _WIDTH - _VERDICT_LEFT - _RIGHT


def experiment_figure(
    *,
    title: str,
    subtitle: str,
    table: "SweepTable",
    control: "SweepTable | None",
    evoked: "Mapping[str, EvokedTraces]",
    paired_pulse: "Mapping[str, PairedPulseResult]",
    verdict: "Verdict",
    config: "ClassifyConfig | None" = None,
) -> "Figure":
    """Put an experiment on one page: traces, time course, quality, CV plane, probabilities, ratio, and the verdict.

    Parameters
    ----------
    title, subtitle : str
        What stands above; any characters.
    table, control : SweepTable
        The test pathway, and the control pathway or None.
    evoked : mapping of str to EvokedTraces
        Phase → the windows around its stimuli.
    paired_pulse : mapping of str to PairedPulseResult
        Phase → its ratio; empty when there was one pulse.
    verdict : Verdict
        What the experiment says.
    config : ClassifyConfig, optional
        The settings of the verdict: with them the evaluation window and the limits of the gates are drawn.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide and as high as its text needs; write it with :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    title_lines = wrap(title, width_pt=(_WIDTH - 0.3) * 72, size_pt=TEXT_PT + 3, weight="bold")
    below = below_title(subtitle, verdict, width_pt=(_WIDTH - 0.3) * 72)
    head = 0.12 + ((TEXT_PT + 3) * len(title_lines) + TEXT_PT * len(below)) * LINE_PITCH / 72
    strips = _measured(table)
    panels = sum(_UNDER_BARS) if verdict.locus_probabilities else _SQUARE
    last = max(panels + 0.45, verdict_height_pt(verdict, width_pt=_VERDICT * 72) / 72 + 0.05)
    # Names of many phases may not stand beside each other.
    names = 0.42 + 0.14 * max(0, len(set(table.phase.tolist())) - 2)
    tops = np.cumsum([head + 0.12, _TRACES + names, _COURSE + 0.1, _STRIP * 1.2 * len(strips) + 0.55, last])
    with styled():
        figure = Figure(figsize=(_WIDTH, float(tops[-1])))
        top = write(figure, title_lines, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
        for line, colour in below:
            top = write(figure, [line], left=0.15, top=top, color=colour)
        draw_traces(place(figure, left=0.3, top=tops[0], width=_WIDTH - 0.45, height=_TRACES), evoked)
        course = _drawable_course(table)
        axes = place(figure, left=_LEFT, top=tops[1], width=_WIDTH - _LEFT - _RIGHT, height=_COURSE)
        judged = verdict.status == OK
        window = evaluation_window_min(table, config.sign, zero_s=course.zero_s) if config and judged else None
        draw_time_course(axes, course, control=_control(control, course), evaluation_min=window)
        limits = quality_limits(table, config.quality) if config else {}
        _draw_strips(figure, axes, table, course, strips=strips, top=float(tops[2]), limits=limits)
        top = float(tops[3])
        _draw_locus(
            figure, top=top, table=table, paired_pulse=paired_pulse, verdict=verdict, threshold=_threshold(config)
        )
        text = place(figure, left=_VERDICT_LEFT, top=top - 0.22, width=_VERDICT, height=last + 0.12)
        draw_verdict(text, verdict)
        for letter, at in zip("ABCDEFG", _corners(tops, bars=bool(verdict.locus_probabilities)), strict=False):
            write(figure, [letter], left=at[0], top=at[1], size=TEXT_PT + 3, weight="bold", color=INK)
    return figure


def _measured(table: "SweepTable") -> list[str]:
    """Return the measures of quality that there are; the series resistance when there is none, to say so."""
    there = [name for name in QUALITY if np.isfinite(getattr(table, name)).any()]
    return there or ["rs_mohm"]


def _drawable_course(table: "SweepTable") -> TimeCourse:
    """Return the normalised time course or, when there is no baseline to normalise to, the plain one."""
    course = time_course(table)
    return course if course.status == OK else time_course(table, normalise=False)


def _control(control: "SweepTable | None", course: TimeCourse) -> TimeCourse | None:
    if control is None:
        return None
    # Each pathway counts from its own first post sweep: they are stimulated in turn, seconds apart.
    other = time_course(control, normalise=not course.unit)
    return other if other.status == OK else None


def _draw_strips(
    figure: "Figure",
    above: "Axes",
    table: "SweepTable",
    course: TimeCourse,
    *,
    strips: list[str],
    top: float,
    limits: Mapping[str, tuple[float, float]],
) -> None:
    """Draw the measures of quality under the time course, on its x axis; only the lowest has numbers there."""
    every = [above]
    for i, measure in enumerate(strips):
        top_i = top + 1.2 * _STRIP * i
        axes = place(figure, left=_LEFT, top=top_i, width=_WIDTH - _LEFT - _RIGHT, height=_STRIP, sharex=above)
        draw_quality(axes, table, measure=measure, zero_s=course.zero_s, limits=limits)
        every.append(axes)
    for axes in every[:-1]:
        axes.set_xlabel("")
        axes.tick_params(axis="x", labelbottom=False)
    figure.align_ylabels(every)


def _draw_locus(
    figure: "Figure",
    *,
    top: float,
    table: "SweepTable",
    paired_pulse: "Mapping[str, PairedPulseResult]",
    verdict: "Verdict",
    threshold: float,
) -> None:
    """Draw the CV plane, and beside it the posterior, where there is one, above the paired-pulse ratio."""
    plane = place(figure, left=_LEFT, top=top, width=_SQUARE, height=_SQUARE)
    draw_cv_plane(plane, verdict.cv_plane, missing=why_no_plane(verdict))
    left, height = _LEFT + _SQUARE + 0.62, _SQUARE
    if verdict.locus_probabilities:
        bars = place(figure, left=left, top=top, width=_BARS[0], height=_BARS[1])
        draw_posterior(bars, verdict, threshold=threshold, compact=True)
        top, height = top + _UNDER_BARS[0], _UNDER_BARS[1]
    one = "there was one pulse in a sweep" if table.n_pulses == 1 else "it was not measured"
    ratio = place(figure, left=left, top=top, width=_RATIO, height=height)
    draw_paired_pulse(ratio, paired_pulse, missing=one)


def _threshold(config: "ClassifyConfig | None") -> float:
    return config.locus.posterior.threshold if config else 0.9


def _corners(tops: "np.ndarray[tuple[int], np.dtype[np.float64]]", *, bars: bool) -> list[tuple[float, float]]:
    """Return where the panels' letters stand."""
    last, column = tops[3] - 0.22, _LEFT + _SQUARE + 0.2
    below = [(column, tops[3] + _UNDER_BARS[0] - 0.22)] if bars else []
    return [
        (0.15, tops[0] - 0.1),
        (0.15, tops[1] - 0.25),
        (0.15, tops[2] - 0.1),
        (0.15, last),
        (column, last),
        *below,
        (_VERDICT_LEFT - 0.2, last),
    ]
