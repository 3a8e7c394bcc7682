"""Where the change lies, on one page."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.analysers.time_course import time_course
from ephysplast.plotting._locus_panels import draw_amplitudes, draw_failures, draw_indices, draw_posterior
from ephysplast.plotting._page import below_title
from ephysplast.plotting.course import draw_time_course
from ephysplast.plotting.locus import draw_cv_plane, draw_paired_pulse, why_no_plane
from ephysplast.plotting.style import INK, LINE_PITCH, TEXT_PT, place, styled, wrap, write
from ephysplast.plotting.words import draw_verdict, verdict_height_pt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.analysers.paired_pulse import PairedPulseResult
    from ephysplast.analysers.variability import VariabilityResult
    from ephysplast.experiment import SweepTable
    from ephysplast.verdict import Verdict

# Inches. The page is as wide as two columns of a journal; heights follow from what there is to show.
_WIDTH: Final = 7.2
_LEFT: Final = 0.66
_RIGHT: Final = 0.12
_COURSE: Final = (3.55, 1.5)
_BARS: Final = (1.2, 1.3)
_SQUARE: Final = 1.95
_HISTOGRAM: Final = 1.5
_HALF: Final = 0.88
_HISTOGRAM_LEFT: Final = _LEFT + _SQUARE + 0.5
_INDICES: Final = 1.0
_ROW: Final = 2.45
"""Room of the middle row, with the numbers and names under its panels."""
_TEXT_LEFT: Final = 0.33
_TEXT: Final = (_WIDTH - _TEXT_LEFT - _RIGHT - 0.25) / 2


def locus_figure(
    *,
    title: str,
    table: "SweepTable",
    verdict: "Verdict",
    variability: "Mapping[str, VariabilityResult] | None" = None,
    paired_pulse: "Mapping[str, PairedPulseResult] | None" = None,
    threshold: float = 0.9,
) -> "Figure":
    """Put the question of the locus on one page: probabilities, CV plane, amplitudes, indices, and the answer.

    Parameters
    ----------
    title : str
        What stands above; any characters.
    table : SweepTable
        The sweeps that were judged; a plain table will do.
    verdict : Verdict
        The answer.
    variability : mapping of str to VariabilityResult, optional
        Phase → its failures.
    paired_pulse : mapping of str to PairedPulseResult, optional
        Phase → its ratio. Without this and `variability` the classical indices of the verdict are drawn instead, after
        over before.
    threshold : float
        Probability from which a locus is called.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide and as high as its text needs; write it with :func:`save_figure`. Without anything to show of the
        locus (a refused experiment, no change) its panels are left out, and the text says why.
    """
    from matplotlib.figure import Figure

    title_lines = wrap(title, width_pt=(_WIDTH - 0.3) * 72, size_pt=TEXT_PT + 3, weight="bold")
    below = below_title("", verdict, width_pt=(_WIDTH - 0.3) * 72)
    head = 0.12 + ((TEXT_PT + 3) * len(title_lines) + TEXT_PT * len(below)) * LINE_PITCH / 72
    asked = bool(verdict.evidence or verdict.locus_probabilities or variability or paired_pulse)
    text = max(
        verdict_height_pt(verdict, width_pt=_TEXT * 72, part="answer"),
        verdict_height_pt(verdict, width_pt=_TEXT * 72, part="reasons"),
    )
    tops = np.cumsum([head + 0.3, _COURSE[1] + 0.65, _ROW if asked else 0.0, text / 72 + 0.05])
    with styled():
        figure = Figure(figsize=(_WIDTH, float(tops[-1])))
        top = write(figure, title_lines, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
        for line, colour in below:
            top = write(figure, [line], left=0.15, top=top, color=colour)
        _draw_first_row(figure, table, verdict, top=float(tops[0]), threshold=threshold)
        corners = [(0.15, tops[0] - 0.25), (_LEFT + _COURSE[0] + 0.2, tops[0] - 0.25)]
        if asked:
            corners += _draw_second_row(
                figure, table, verdict, variability or {}, paired_pulse or {}, top=float(tops[1])
            )
        _draw_text(figure, verdict, top=float(tops[2]) - 0.12, height=text / 72 + 0.02)
        corners.append((0.15, tops[2] - 0.12))
        for letter, (left, at) in zip("ABCDEF", corners, strict=False):
            write(figure, [letter], left=left, top=at, size=TEXT_PT + 3, weight="bold", color=INK)
    return figure


def _draw_first_row(figure: "Figure", table: "SweepTable", verdict: "Verdict", *, top: float, threshold: float) -> None:
    course = time_course(table, normalise=False)
    draw_time_course(place(figure, left=_LEFT, top=top, width=_COURSE[0], height=_COURSE[1]), course)
    left = _WIDTH - _RIGHT - 0.35 - _BARS[0]
    if not verdict.locus_probabilities:
        left, width = _LEFT + _COURSE[0] + 0.45, _WIDTH - _RIGHT - _LEFT - _COURSE[0] - 0.45
        draw_posterior(place(figure, left=left, top=top, width=width, height=_COURSE[1]), verdict)
        return
    draw_posterior(place(figure, left=left, top=top, width=_BARS[0], height=_BARS[1]), verdict, threshold=threshold)


def _draw_second_row(
    figure: "Figure",
    table: "SweepTable",
    verdict: "Verdict",
    variability: "Mapping[str, VariabilityResult]",
    paired_pulse: "Mapping[str, PairedPulseResult]",
    *,
    top: float,
) -> list[tuple[float, float]]:
    """Draw the CV plane, the amplitudes and the indices; return where their letters stand."""
    plane = place(figure, left=_LEFT, top=top, width=_SQUARE, height=_SQUARE)
    draw_cv_plane(plane, verdict.cv_plane, missing=why_no_plane(verdict))
    before, after = _halves(figure, left=_HISTOGRAM_LEFT, top=top, width=_HISTOGRAM)
    draw_amplitudes(before, after, verdict.amplitude_fit)
    third = _HISTOGRAM_LEFT + _HISTOGRAM + 0.2
    if variability or paired_pulse:
        left = _WIDTH - _RIGHT - _INDICES
        ratio, failures = _halves(figure, left=left, top=top, width=_INDICES)
        one = "there was one pulse in a sweep" if table.n_pulses == 1 else "it was not measured"
        draw_paired_pulse(ratio, paired_pulse, missing=one)
        draw_failures(failures, variability)
    else:
        left = _WIDTH - _RIGHT - 0.25 - _INDICES
        change = verdict.cv_plane.r if verdict.cv_plane else float("nan")
        draw_indices(place(figure, left=left, top=top, width=_INDICES, height=_SQUARE), verdict.evidence, change=change)
    return [(0.15, top - 0.22), (_HISTOGRAM_LEFT - 0.25, top - 0.22), (third, top - 0.22)]


def _halves(figure: "Figure", *, left: float, top: float, width: float) -> tuple["Axes", "Axes"]:
    """Add two panels, one below the other, together as high as the CV plane."""
    lower = top + _SQUARE - _HALF
    first, second = (place(figure, left=left, top=at, width=width, height=_HALF) for at in (top, lower))
    return first, second


def _draw_text(figure: "Figure", verdict: "Verdict", *, top: float, height: float) -> None:
    left = _TEXT_LEFT
    draw_verdict(place(figure, left=left, top=top, width=_TEXT, height=height), verdict, part="answer")
    left += _TEXT + 0.25
    draw_verdict(place(figure, left=left, top=top, width=_TEXT, height=height), verdict, part="reasons")
