"""Names of points that find room between them, axes of ratios, and courses that break where nothing was measured."""

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.plotting.style import INK, SMALL_PT, plain, size_pt, text_width_pt

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ephysplast.recording import FloatArray

_Box = tuple[float, float, float, float]
_GAP: Final = 2.5
"""A course breaks where the next pulse is this many usual intervals away."""
_STUB: Final = 0.018
"""Half the width of a single pulse's mark, as a share of the axis."""
_SIDES: Final[tuple[tuple[int, int, str, str], ...]] = (
    (5, 4, "left", "bottom"), (-5, 4, "right", "bottom"), (5, -4, "left", "top"), (-5, -4, "right", "top"),
)  # fmt: skip
"""Where the name of a point may stand: in points from it, and how it is aligned."""


def log_axis(axes: "Axes", which: str, values: "FloatArray") -> None:
    """Scale an axis of ratios so that 1 and nearly all draws are seen, with plain numbers that have room."""
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    low, high = (float(each) for each in np.quantile(values, [0.005, 0.995]))
    low, high = min(low, 0.87) / 1.1, max(high, 1.15) * 1.1
    steps = [each * ten for ten in (0.001, 0.01, 0.1, 1.0, 10.0, 100.0) for each in (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)]
    if high / low < 4.0:
        steps = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.4, 1.7, 2.0, 2.4, 3.0, 4.0]
    shown = [each for each in steps if low <= each <= high]
    while len(shown) > 5:
        kept = [each for i, each in enumerate(shown) if (i - shown.index(1.0)) % 2 == 0]
        shown = kept if 1.0 in shown else shown[::2]
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low, high)
    axis.set_major_locator(FixedLocator(shown))
    axis.set_major_formatter(FixedFormatter([f"{each:g}" for each in shown]))
    axis.set_minor_locator(NullLocator())


def name_points(axes: "Axes", x: "FloatArray", y: "FloatArray", names: Sequence[str], *, bars: "FloatArray") -> None:
    """Write the names of points beside them: clear of the bars where there is room, and left out where there is none.

    `bars` is half the length of each point's bars, along x and y, shape (2, n_points).
    """
    width_pt, height_pt = size_pt(axes)
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    scale = np.array([width_pt / (right - left), height_pt / (top - bottom)])
    at = (np.stack([x, y], axis=1) - [left, bottom]) * scale
    half = bars.T * scale
    taken = [(px - 3.0, py - 3.0, px + 3.0, py + 3.0) for px, py in at.tolist()]
    lines = [(px - w, py - 0.7, px + w, py + 0.7) for (px, py), (w, _) in zip(at.tolist(), half.tolist(), strict=True)]
    lines += [(px - 0.7, py - h, px + 0.7, py + h) for (px, py), (_, h) in zip(at.tolist(), half.tolist(), strict=True)]
    for (px, py), (_, h), text in zip(at.tolist(), half.tolist(), names, strict=True):
        size = text_width_pt(text, size_pt=SMALL_PT), SMALL_PT * 1.2
        seats = [box for box in _seats(px, py, h, size) if _inside(box, width_pt, height_pt)]
        free = [box for box in seats if not any(_overlap(box, each) for each in taken)]
        clear = [box for box in free if not any(_overlap(box, each) for each in lines)]
        if not free:
            continue
        box = (clear or free)[0]
        taken.append(box)
        axes.annotate(
            plain(text), (0.0, 0.0), box[:2], xycoords="axes fraction", textcoords="offset points", ha="left",
            va="bottom", fontsize=SMALL_PT, color=INK, zorder=5,
        )  # fmt: skip


def stretches(times_s: "FloatArray", at: "FloatArray", *, across: float) -> "list[tuple[slice, FloatArray]]":
    """Split a train where a pause breaks it; of each part the pulses, and where along `at` its course is drawn.

    A pulse alone has a short stub, so that its band can be seen; `across` is the width of the axis.
    """
    gaps = np.diff(times_s)
    breaks = np.flatnonzero(gaps > _GAP * np.median(gaps)) + 1 if gaps.size else np.array([], dtype=np.intp)
    edges = [0, *breaks.tolist(), times_s.size]
    parts = [slice(a, b) for a, b in pairwise(edges)]
    stub = _STUB * across
    return [
        (part, at[part] if part.stop - part.start > 1 else at[part.start] + np.array([-stub, stub])) for part in parts
    ]


def colour_key(axes: "Axes", entries: Sequence[tuple[str, str]]) -> None:
    """Write coloured words in a line above a panel, as far as they fit."""
    left, width_pt = -4.0, size_pt(axes)[0] + 12.0
    for text, colour in entries:
        wide = text_width_pt(text, size_pt=SMALL_PT)
        if left + wide > width_pt:
            break
        axes.annotate(
            plain(text), (0.0, 1.0), (left, 3.5), xycoords="axes fraction", textcoords="offset points", ha="left",
            va="bottom", fontsize=SMALL_PT, color=colour,
        )  # fmt: skip
        left += wide + 8.0


def _seats(px: float, py: float, h: float, size: tuple[float, float]) -> list[_Box]:
    """Return where a name may stand: at the four corners of its point, then at the ends of its upright bar."""
    wide, high = size
    corners = [
        (px + dx - (wide if ha == "right" else 0.0), py + dy - (high if va == "top" else 0.0))
        for dx, dy, ha, va in _SIDES
    ]
    corners += [(px - wide / 2, py + h + 1.5), (px - wide / 2, py - h - 1.5 - high)]
    return [(x0, y0, x0 + wide, y0 + high) for x0, y0 in corners]


def _inside(box: _Box, width_pt: float, height_pt: float) -> bool:
    return box[0] >= 1.0 and box[1] >= 1.0 and box[2] <= width_pt and box[3] <= height_pt


def _overlap(one: _Box, two: _Box) -> bool:
    return one[0] < two[2] and two[0] < one[2] and one[1] < two[3] and two[1] < one[3]
