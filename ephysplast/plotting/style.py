"""What all figures share: colours, type, words that fit, limits that outliers cannot spoil."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FONT: Final = "DejaVu Sans"
"""It comes with matplotlib, so text is as wide on every machine as it was when it was wrapped."""
TEXT_PT: Final = 7.0
SMALL_PT: Final = 6.0
LINE_PITCH: Final = 1.35
"""Distance of two lines of text, in font sizes."""

_STYLE: Final[Mapping[str, Any]] = {
    "font.family": FONT,
    "font.size": TEXT_PT,
    "axes.titlesize": TEXT_PT,
    "axes.labelsize": TEXT_PT,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": "none",
    "axes.grid": False,
    "axes.labelpad": 2.0,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL_PT,
    "ytick.labelsize": SMALL_PT,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "legend.fontsize": SMALL_PT,
    "legend.frameon": False,
    "lines.linewidth": 1.0,
    "text.usetex": False,
    "path.simplify": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "ephysplast",
    "pdf.fonttype": 42,
}
# Okabe and Ito's palette, which people with any colour vision can tell apart.
INK: Final = "#222222"
GREY: Final = "#8c8c8c"
PALE: Final = "#d0d0d0"
BLUE: Final = "#0072b2"
ORANGE: Final = "#e69f00"
GREEN: Final = "#009e73"
RED: Final = "#d55e00"
PURPLE: Final = "#cc79a7"
SKY: Final = "#56b4e9"
_PHASES: Final[Mapping[str, str]] = {"baseline": INK, "post": BLUE}
_OTHER_PHASES: Final = (GREEN, PURPLE, ORANGE, SKY)

_ON_PIXELS: Final = 1.07
"""In a PNG letters stand on whole pixels, which makes small text up to this much wider."""
_STEPS: Final = (1.0, 2.0, 5.0)


def styled() -> "AbstractContextManager[None]":
    """Return the context in which figures are made and written: matplotlib's settings, changed inside it only."""
    from matplotlib import rc_context

    settings: Any = dict(_STYLE)
    return rc_context(settings)


def plain(text: object) -> str:
    r"""Make a text show literally: no mathematics, no line breaks, no invisible characters.

    matplotlib takes what stands between two ``$`` for a formula; names and comments come from people and may hold
    anything.

    Examples
    --------
    >>> print(plain("5 $ & <10> $"))
    5 \$ & <10> \$
    >>> plain("a\nb\0c")
    'a b c'
    """
    return _visible(str(text)).replace("$", r"\$")


def phase_colour(name: str, names: Sequence[str] = ()) -> str:
    """Return the colour of a phase; the experimenter's own phases take theirs in the order of `names`."""
    others = [each for each in names if each not in _PHASES]
    place = others.index(name) if name in others else 0
    return _PHASES.get(name) or _OTHER_PHASES[place % len(_OTHER_PHASES)]


def mixed(colour: str, other: str, share: float) -> str:
    """Mix two colours: `share` of the other one."""
    from matplotlib.colors import to_hex, to_rgb

    one, two = np.array(to_rgb(colour)), np.array(to_rgb(other))
    red, green, blue = (1 - share) * one + share * two
    return to_hex((red, green, blue))


def text_width_pt(text: str, *, size_pt: float, weight: str = "normal") -> float:
    """Measure how wide a line of text is at most, in points, without drawing it."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=FONT, size=size_pt, weight=weight)
    return _ON_PIXELS * float(text_to_path.get_text_width_height_descent(text, font, ismath=False)[0])


def wrap(text: str, *, width_pt: float, size_pt: float, weight: str = "normal") -> list[str]:
    """Break a text into lines that are no wider than asked; a word that is wider by itself is broken, never cut off.

    Parameters
    ----------
    text : str
        As it is; escape the lines with :func:`plain` afterwards.
    width_pt, size_pt : float
        Width there is, and size of the type, in points.
    weight : str
        ``"normal"`` or ``"bold"``.

    Returns
    -------
    list of str
        At least one line; joined by blanks they are the text again.

    Examples
    --------
    >>> wrap("long-term potentiation", width_pt=60, size_pt=7)
    ['long-term', 'potentiation']
    """

    def width(line: str) -> float:
        return text_width_pt(line, size_pt=size_pt, weight=weight)

    lines: list[str] = []
    # No letter is drawn closer to a blank than to another one, so words can be measured one by one.
    blank, left = width(" "), 0.0
    for word in _visible(text).split():
        pieces, wide = [word], width(word)
        if wide > width_pt:
            pieces = _pieces(word, width_pt=width_pt, width=width)
            wide = width(pieces[-1])
        if len(pieces) == 1 and lines and wide + blank <= left:
            lines[-1] += f" {word}"
            left -= wide + blank
        else:
            lines += pieces
            left = width_pt - wide
    return lines or [""]


def nice_below(value: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above `value` (> 0).

    Examples
    --------
    >>> nice_below(73.0), nice_below(0.3)
    (50.0, 0.2)
    """
    power = 10.0 ** np.floor(np.log10(value))
    # A value a rounding error below a step means the step.
    return float(max(each for each in _STEPS if each * power <= value * (1 + 1e-9)) * power)


def robust_limits(values: FloatArray, *, include: Sequence[float] = (), margin: float = 0.06) -> tuple[float, float]:
    """Choose axis limits from the body of the data, so that one artefact does not flatten all the rest.

    The body is what lies within three interquartile ranges of the quartiles.

    Parameters
    ----------
    values : numpy.ndarray
        Any shape; NaN is ignored.
    include : sequence of float
        Values that must be seen whatever the data say.
    margin : float
        Room on either side, as a share of the range.

    Returns
    -------
    low, high : float
        Always finite and apart.

    Examples
    --------
    >>> robust_limits(np.array([1.0, 2.0, 3.0, 4.0, 1000.0]), margin=0.0)
    (1.0, 4.0)
    """
    finite = values[np.isfinite(values)]
    if finite.size:
        low, high = np.percentile(finite, [25, 75])
        fence = 3.0 * (high - low)
        body = finite[(finite >= low - fence) & (finite <= high + fence)]
        include = (*include, float(body.min()), float(body.max()))
    if not include:
        return 0.0, 1.0
    bottom, top = min(include), max(include)
    room = margin * (top - bottom) if top > bottom else 0.5 * abs(top) or 0.5
    return bottom - room, top + room


def decimate(time: FloatArray, rows: FloatArray, *, columns: int) -> tuple[FloatArray, FloatArray]:
    """Thin traces for display: the minimum and the maximum of each of `columns` stretches, so that no spike is lost.

    Parameters
    ----------
    time : numpy.ndarray, shape (n_samples,)
        Times of the samples.
    rows : numpy.ndarray, shape (n_rows, n_samples)
        Traces; a NaN makes its stretch NaN.
    columns : int
        How many stretches; traces of at most twice as many samples stay as they are.

    Returns
    -------
    time : numpy.ndarray, shape (n_points,)
    rows : numpy.ndarray, shape (n_rows, n_points)

    Examples
    --------
    >>> time, rows = decimate(np.arange(8.0), np.array([[0, 1, 9, 2, 4, 5, -5, 3.0]]), columns=2)
    >>> rows.tolist()
    [[0.0, 9.0, 5.0, -5.0]]
    """
    n_samples = len(time)
    if n_samples <= 2 * columns:
        return time, rows
    edges = np.linspace(0, n_samples, columns + 1).astype(np.int64)
    pairs = np.stack([f.reduceat(rows, edges[:-1], axis=1) for f in (np.minimum, np.maximum)], axis=2)
    # In a stretch that falls the maximum comes first: a step is then drawn as a step.
    falls = rows[:, edges[:-1]] > rows[:, edges[1:] - 1]
    pairs[falls] = pairs[falls][:, ::-1]
    step = n_samples / columns / 2
    at = time[np.minimum(np.rint(np.arange(2 * columns) * step).astype(np.int64), n_samples - 1)]
    return at, pairs.reshape(len(rows), 2 * columns)


def say(axes: "Axes", sentence: str) -> None:
    """Turn a panel that has nothing to show into one that says why, in as many words as it holds."""
    axes.set_axis_off()
    width_pt, height_pt = size_pt(axes)
    lines = wrap(sentence, width_pt=0.9 * width_pt, size_pt=TEXT_PT)
    most = max(int(height_pt / (TEXT_PT * LINE_PITCH)), 1)
    lines = lines if len(lines) <= most else [*lines[: most - 1], "…"]
    axes.text(
        0.5,
        0.5,
        "\n".join(plain(line) for line in lines),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color=GREY,
        fontsize=TEXT_PT,
        fontfamily=FONT,
        linespacing=LINE_PITCH,
    )


def label_inside(axes: "Axes", lines: list[tuple[str, str]]) -> None:
    """Write lines of text, each in its colour, in the upper left corner of a panel."""
    for i, (text, colour) in enumerate(lines):
        axes.annotate(
            plain(text),
            xy=(0.0, 1.0),
            xycoords="axes fraction",
            xytext=(3, -i * SMALL_PT * LINE_PITCH),
            textcoords="offset points",
            ha="left",
            va="top",
            fontsize=SMALL_PT,
            color=colour,
            zorder=6,
        )


def label_beside(axes: "Axes", text: str, note: str) -> None:
    """Name the y axis in one line or, where the axes is too low for it, in two smaller ones."""
    one = f"{text} ({note})"
    fits = text_width_pt(one, size_pt=TEXT_PT) <= size_pt(axes)[1]
    axes.set_ylabel(plain(one) if fits else f"{plain(text)}\n({plain(note)})", fontsize=TEXT_PT if fits else SMALL_PT)


def lines_share(axes: "Axes", n_lines: int) -> float:
    """Return by what share the data of a panel must be lower for so many lines of :func:`label_inside` above them."""
    share = (n_lines + 0.5) * SMALL_PT * LINE_PITCH / size_pt(axes)[1] if n_lines else 0.0
    return share / max(1.0 - share, 0.2)


def size_pt(axes: "Axes") -> tuple[float, float]:
    """Return width and height of an axes as it stands now, in points."""
    box = axes.get_position()
    width_in, height_in = axes.get_figure(root=True).get_size_inches()  # type: ignore[union-attr]
    return float(box.width * width_in * 72), float(box.height * height_in * 72)


def place(
    figure: "Figure", *, left: float, top: float, width: float, height: float, sharex: "Axes | None" = None
) -> "Axes":
    """Add an axes to a figure, measured in inches from the figure's top left corner."""
    total_width, total_height = figure.get_size_inches()
    box = (left / total_width, 1 - (top + height) / total_height, width / total_width, height / total_height)
    axes = figure.add_axes(box, sharex=sharex)
    # Ticks are made when the figure is drawn, perhaps under other settings: they are told now.
    axes.tick_params(which="both", labelsize=SMALL_PT, labelfontfamily=FONT, width=0.6, length=2.5, pad=1.5)
    return axes


def write(
    figure: "Figure", lines: Sequence[str], *, left: float, top: float, size: float = TEXT_PT, **how: Any
) -> float:
    """Write lines below each other, measured in inches from the figure's top left corner; return where they end."""
    total_width, total_height = figure.get_size_inches()
    pitch = size * LINE_PITCH / 72
    for i, line in enumerate(lines):
        y = 1 - (top + i * pitch) / total_height
        figure.text(left / total_width, y, plain(line), va="top", fontsize=size, fontfamily=FONT, **how)
    return top + pitch * len(lines)


def _visible(text: str) -> str:
    return "".join(each if each.isprintable() else " " for each in text)


def _pieces(word: str, *, width_pt: float, width: Callable[[str], float]) -> list[str]:
    pieces = [""]
    for letter in word:
        if pieces[-1] and width(pieces[-1] + letter) > width_pt:
            pieces.append("")
        pieces[-1] += letter
    return pieces
