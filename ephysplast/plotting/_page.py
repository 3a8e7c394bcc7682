"""The page of one cell: traces across it, four columns of panels under them, and the verdict beside those."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast._words import minus
from ephysplast.errors import OK
from ephysplast.plotting._estimates import draw_estimates
from ephysplast.plotting.style import GREY, INK, LINE_PITCH, RED, SMALL_PT, TEXT_PT, place, wrap, write
from ephysplast.plotting.words import draw_verdict, verdict_height_pt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.result import Result
    from ephysplast.verdict import Verdict

# Inches. The page is as wide as two columns of a journal.
_WIDTH: Final = 7.2
_LEFT: Final = 0.15
_COLUMN: Final = 1.06
_ROW: Final = 0.96
_THIRD: Final = 2.24
"""Where the third row begins: under the numbers and names of the panels above it."""
_BESIDE: Final = 0.42
"""Room for numbers and label left of a panel."""
_SMALL: Final = (0.62, 0.66)
_LARGE: Final = (1.6, 1.62)
_VERDICT_LEFT: Final = _LEFT + 4 * _COLUMN + 0.38
_VERDICT: Final = _WIDTH - _VERDICT_LEFT - 0.12
_MAX_NOTES: Final = 16
_UPPER: Final = 2
_ACROSS: Final = 4
"""Rows of small panels above D, and how many stand side by side in it."""


@dataclass(frozen=True, kw_only=True)
class CellPage:
    """A page with its title and verdict written, and places for the panels.

    Attributes
    ----------
    figure : matplotlib.figure.Figure
        The page.
    traces : matplotlib.axes.Axes
        Panel A, all across.
    grid_top : float
        Where the rows of small panels begin, in inches from the top.
    """

    figure: "Figure"
    traces: "Axes"
    grid_top: float

    def small(self, row: int, column: float) -> "Axes":
        """Add a small panel to the grid."""
        width, height = _SMALL
        left, top = _LEFT + _COLUMN * column + _BESIDE, self.grid_top + _row(row) + 0.2
        return place(self.figure, left=left, top=top, width=width, height=height)

    def large(self, column: float, *, above: float = 0.0, beside: float = _BESIDE) -> "Axes":
        """Add a panel of two rows and two columns in the first row, with room above it for other things."""
        width, height = _LARGE[0] + _BESIDE - beside, _LARGE[1] - above
        left, top = _LEFT + _COLUMN * column + beside, self.grid_top + 0.2 + above
        return place(self.figure, left=left, top=top, width=width, height=height)

    def strip(self, column: float) -> "Axes":
        """Add a strip above a large panel."""
        left, top = _LEFT + _COLUMN * column + _BESIDE, self.grid_top + 0.2
        return place(self.figure, left=left, top=top, width=_LARGE[0], height=0.3)

    def estimates(
        self, results: "Mapping[str, Result]", quantities: Sequence[str], *, row: int, column: float, n_columns: int
    ) -> None:
        """Add a small panel for each quantity; only the lowest ones name the phases."""
        for i, quantity in enumerate(quantities):
            axes = self.small(row + i // n_columns, column + i % n_columns)
            draw_estimates(axes, results, quantity=quantity)
            if i + n_columns < len(quantities):
                axes.tick_params(axis="x", labelbottom=False)


def cell_page(
    *,
    title: str,
    subtitle: str,
    verdict: "Verdict",
    notes: Iterable[str],
    n_rows: int,
    n_phases: int,
    traces_in: float = 1.9,
) -> CellPage:
    """Make the page: as high as its rows, its notes and its verdict need.

    Parameters
    ----------
    title, subtitle : str
        What stands above; any characters.
    verdict : Verdict
        Written as the last panel, and under the title when it is a refusal.
    notes : iterable of str
        Paragraphs under the panels.
    n_rows : int
        Rows of small panels; B and C take the first two, D begins with the third, if there is one.
    n_phases : int
        More than two have their names upright under the panels, which takes room.
    traces_in : float
        Height of panel A.
    """
    from matplotlib.figure import Figure

    title_lines = wrap(title, width_pt=(_WIDTH - 0.3) * 72, size_pt=TEXT_PT + 3, weight="bold")
    below = below_title(subtitle, verdict, width_pt=(_WIDTH - 0.3) * 72)
    note_lines = _note_lines(notes)
    head = 0.12 + ((TEXT_PT + 3) * len(title_lines) + TEXT_PT * len(below)) * LINE_PITCH / 72
    under = _row(n_rows) + (0.16 if n_phases < 3 else 0.38)
    grid = under + 0.04 + SMALL_PT * LINE_PITCH / 72 * len(note_lines)
    last = max(grid, verdict_height_pt(verdict, width_pt=_VERDICT * 72, locus=False) / 72 + 0.05)
    tops = np.cumsum([head + 0.12, traces_in + 0.22, last + 0.12])
    figure = Figure(figsize=(_WIDTH, float(tops[2])))
    top = write(figure, title_lines, left=_LEFT, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
    for line, colour in below:
        top = write(figure, [line], left=_LEFT, top=top, color=colour)
    traces = place(figure, left=0.3, top=tops[0], width=_WIDTH - 0.45, height=traces_in)
    seat = place(figure, left=_VERDICT_LEFT, top=tops[1] - 0.1, width=_VERDICT, height=last)
    draw_verdict(seat, verdict, locus=False)
    write(figure, note_lines, left=_LEFT, top=tops[1] + under, size=SMALL_PT, color=GREY)
    beside, third = _LEFT + 2 * _COLUMN, tops[1] + _THIRD
    corners = [(_LEFT, tops[0]), (_LEFT, tops[1]), (beside, tops[1])]
    corners += [(_LEFT, third)] if n_rows > _UPPER else []
    corners += [(_VERDICT_LEFT - 0.2, tops[1])]
    for letter, (left, at) in zip("ABCDE", corners, strict=False):
        write(figure, [letter], left=left, top=at - 0.1, size=TEXT_PT + 3, weight="bold", color=INK)
    return CellPage(figure=figure, traces=traces, grid_top=float(tops[1]))


def rows_for(n_panels: int) -> int:
    """Return how many rows of small panels a page has with so many in D."""
    return _UPPER + -(-n_panels // _ACROSS)


def _row(row: int) -> float:
    """Return where a row of small panels begins, from the top of the grid."""
    return _ROW * row if row < 2 else _THIRD + _ROW * (row - 2)


def below_title(subtitle: str, verdict: "Verdict", *, width_pt: float) -> list[tuple[str, str]]:
    """Return the lines under the title with their colours; a refusal is said here too, where nobody overlooks it."""
    paragraphs = [(subtitle, GREY)] + ([] if verdict.status == OK else [(minus(f"Refused: {verdict.status}"), RED)])
    return [
        (line, colour)
        for text, colour in paragraphs
        if text.strip()
        for line in wrap(text, width_pt=width_pt, size_pt=TEXT_PT)
    ]


def _note_lines(notes: Iterable[str]) -> list[str]:
    width_pt = (_VERDICT_LEFT - _LEFT - 0.3) * 72
    lines = [line for each in notes if each.strip() for line in wrap(each, width_pt=width_pt, size_pt=SMALL_PT)]
    return lines if len(lines) <= _MAX_NOTES else [*lines[: _MAX_NOTES - 1], "… (all of it stands in the tables)"]
