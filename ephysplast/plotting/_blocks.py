"""Traces side by side: the name above each block, the sentence in the place of one that is missing, scale bars."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ephysplast.plotting.style import GREY, INK, LINE_PITCH, SMALL_PT, TEXT_PT, plain, size_pt, wrap
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def mean_of_known(values: FloatArray, *, axis: int) -> FloatArray:
    """Average what is not NaN; NaN where nothing is left."""
    known = np.isfinite(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def head(axes: "Axes", text: str, *, middle: float, colour: str, share: float = 1.0) -> None:
    """Write the name of a block above it, cut to its share of the panel's width; `middle` is in data coordinates."""
    where = axes.get_xaxis_transform()
    lines = wrap(text, width_pt=share * size_pt(axes)[0] - TEXT_PT, size_pt=TEXT_PT)
    text = lines[0] if len(lines) == 1 else f"{lines[0]}…"
    axes.text(middle, 0.95, plain(text), transform=where, ha="center", va="bottom", color=colour, fontsize=TEXT_PT)


def excuse(axes: "Axes", sentence: str, *, middle: float, width: float, whole: float) -> None:
    """Say in the place of a block why it is not there; `width` of `whole` is its share of the panel."""
    lines = wrap(sentence, width_pt=size_pt(axes)[0] * width / whole, size_pt=SMALL_PT)
    axes.text(
        middle,
        0.5,
        "\n".join(plain(line) for line in lines),
        transform=axes.get_xaxis_transform(),
        ha="center",
        va="center",
        color=GREY,
        fontsize=SMALL_PT,
        linespacing=LINE_PITCH,
    )


def scale_bars(axes: "Axes", corner: tuple[float, float], *, width_ms: float, height: float, unit: str) -> None:
    """Draw a bar of time and one of amplitude from a corner in data coordinates, with their lengths."""
    x, y = corner
    axes.plot(
        [x, x, x + width_ms], [y + height, y, y], color=INK, linewidth=1.0, label="scale", solid_joinstyle="miter"
    )
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": SMALL_PT, "color": INK}
    axes.annotate(f"{width_ms:g} ms", xy=(x, y), xytext=(0, -2), va="top", **style)
    axes.annotate(f"{height:g} {plain(unit)}", xy=(x, y + height / 2), xytext=(3, 0), va="center", **style)
