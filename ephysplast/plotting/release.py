"""Release of one cell: variance against mean, trains with their fit, and what changed between two conditions."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast._words import listed, minus, number
from ephysplast.errors import OK
from ephysplast.plotting._release_marks import colour_key, log_axis, name_points, stretches
from ephysplast.plotting.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    LINE_PITCH,
    ORANGE,
    PALE,
    PURPLE,
    SKY,
    SMALL_PT,
    TEXT_PT,
    mixed,
    place,
    plain,
    say,
    size_pt,
    styled,
    wrap,
    write,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.quantal.tsodyks_markram import Train, TsodyksMarkramComparison, TsodyksMarkramFit
    from ephysplast.quantal.variance_mean import VarianceMeanResult
    from ephysplast.recording import FloatArray
    from ephysplast.result import Estimate

# Inches. The page is as wide as two columns of a journal.
_WIDTH: Final = 7.2
_LEFT: Final = 0.62
_RIGHT: Final = 0.14
_GAP: Final = 0.62
_ACROSS: Final = 3
_PANEL: Final = ((_WIDTH - _LEFT - _RIGHT - (_ACROSS - 1) * _GAP) / _ACROSS, 1.6)
_HEAD: Final = 0.66
"""Room above a panel for its heading and what was found."""
_KEY: Final = 0.12
"""More of it where a panel has several trains, whose colours are named."""
_FOOT: Final = 0.42
_WIDTH_PT: Final = (_WIDTH - 0.3) * 72
_95: Final = 1.96
_LINES: Final = 3
"""Lines below the heading of a panel: what was found of U, D and F."""
_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, INK)
_SYMBOLS: Final = {"u": "U", "d_ms": "D", "f_ms": "F", "facilitation": "f"}
_COLUMNS: Final = tuple(_SYMBOLS)
"""Of the draws of a fit."""
_UNITS: Final = {"d_ms": " ms", "f_ms": " ms"}
VarianceMeanPanel = tuple[str, Sequence[str], "VarianceMeanResult"]
TrainPanel = tuple[str, Sequence["Train"], "TsodyksMarkramFit"]


def release_figure(
    *,
    title: str,
    variance_mean: Sequence[VarianceMeanPanel] = (),
    trains: Sequence[TrainPanel] = (),
    comparison: "TsodyksMarkramComparison | None" = None,
    compared: tuple[str, str] = ("before", "after"),
    notes: Sequence[str] = (),
) -> "Figure":
    """Put all that one cell says of release on one page, with the sentences below.

    Parameters
    ----------
    title : str
        What stands above; any characters.
    variance_mean : sequence of (str, sequence of str, VarianceMeanResult)
        What the points are of (``"conditions"``, or the condition whose pulses they are), their names, the result.
    trains : sequence of (str, sequence of Train, TsodyksMarkramFit)
        Condition, its mean trains, their fit.
    comparison : TsodyksMarkramComparison, optional
        What changed between two conditions,
    compared : tuple of (str, str)
        and which.
    notes : sequence of str
        What was not possible.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide and as high as its panels and words need; write it with :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    heading = wrap(title, width_pt=_WIDTH_PT, size_pt=TEXT_PT + 3, weight="bold")
    panels, words = _panels(variance_mean, trains, comparison, compared)
    seats = _seats(len(variance_mean), len(panels))
    top = 0.16 + (TEXT_PT + 3) * LINE_PITCH / 72 * len(heading)
    head = _HEAD + (_KEY if any(len(held) > 1 for _, held, _ in trains) else 0.0)
    pitch = head + _PANEL[1] + _FOOT
    below = top + pitch * (1 + max(row for row, _ in seats)) if seats else top + 0.1
    # The words of a single panel stand beside it.
    beside = len(panels) == 1
    text_left, text_top = (_LEFT + _PANEL[0] + 0.35, top + head) if beside else (0.15, below)
    width_pt = 72 * (_WIDTH - text_left - 0.15)
    lines = [line for each in (*words, *notes) for line in wrap(each, width_pt=width_pt, size_pt=SMALL_PT)]
    height = max(below, text_top + SMALL_PT * LINE_PITCH / 72 * len(lines) + 0.12)
    with styled():
        figure = Figure(figsize=(_WIDTH, height))
        write(figure, heading, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
        for i, ((draw, *arguments), (row, column)) in enumerate(zip(panels, seats, strict=True)):
            left, upper = _LEFT + column * (_PANEL[0] + _GAP), top + row * pitch + head
            draw(place(figure, left=left, top=upper, width=_PANEL[0], height=_PANEL[1]), *arguments)
            letter = _letter(i)
            write(figure, [letter], left=left - 0.45, top=upper - 0.54, size=TEXT_PT + 3, weight="bold", color=INK)
        write(figure, lines, left=text_left, top=text_top, size=SMALL_PT, color=INK)
    return figure


def draw_variance_mean(axes: "Axes", result: "VarianceMeanResult", labels: Sequence[str], *, of: str) -> None:
    """Draw variance against mean with 95 % intervals, and the fitted parabola or line with its band.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; heading and estimates stand above it.
    result : VarianceMeanResult
        From :func:`ephysplast.quantal.measure_variance_mean`.
    labels : sequence of str
        Names of the points.
    of : str
        What they are of, for the heading.
    """
    said = [("no fit: see below", GREY)]
    if result.status == OK:
        bound = ", a lower bound" if result.model == "line" else ""
        said = [
            (_said("q", result.q, result.unit) + bound, BLUE),
            (_sites(result.n), BLUE if result.n.status == OK else GREY),
        ]
    _headed(axes, "Release conditions" if of == "conditions" else f"Pulses of {of}", said)
    known = np.flatnonzero(result.used & np.isfinite(result.mean))
    if not known.size:
        say(axes, result.status)
        return
    mean, variance = result.mean[known], result.variance[known]
    bars = _95 * result.variance_se[known]
    right = 1.12 * float(max(np.max(mean + _95 * result.mean_se[known]), 0.0)) or 1.0
    at = np.linspace(0.0, right, 121)
    if result.drawn.size:
        low, high = result.band(at)
        axes.fill_between(at, low, high, color=BLUE, alpha=0.15, linewidth=0)
        axes.plot(at, result.curve(at), color=BLUE, label="fit")
    axes.errorbar(
        mean, variance, xerr=_95 * result.mean_se[known], yerr=bars, fmt="o", color=INK, markersize=3.0,
        markeredgewidth=0, elinewidth=0.7, zorder=3, label="points",
    )  # fmt: skip
    top, bottom = float(np.max(variance + bars)), float(np.min(variance - bars))
    left = min(0.0, 1.05 * float(np.min(mean - _95 * result.mean_se[known])))
    axes.set(xlim=(left, right), ylim=(min(0.0, 1.1 * bottom), 1.1 * top or 1.0))
    axes.axhline(0.0, color=GREY, linewidth=0.6, zorder=0)
    names = [labels[int(i)].removeprefix("pulse ") for i in known]
    name_points(axes, mean, variance, names, bars=np.stack([_95 * result.mean_se[known], bars]))
    unit = result.unit or "a.u."
    axes.set_xlabel(plain(f"mean amplitude ({unit})"))
    axes.set_ylabel(plain(f"variance ({unit}²)"))


def draw_trains(axes: "Axes", trains: Sequence["Train"], fit: "TsodyksMarkramFit", *, of: str) -> None:
    """Draw the mean amplitudes of trains with 95 % intervals, and the fit's posterior at their pulses.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; above it stands what the trains tell of each parameter, and what not.
    trains : sequence of Train
        As they were fitted; each has its colour.
    fit : TsodyksMarkramFit
        From :func:`ephysplast.quantal.fit_tsodyks_markram`.
    of : str
        The condition, for the heading.
    """
    several = len(trains) > 1
    _headed(axes, f"{len(trains)} trains, {of}" if several else f"Train, {of}", _told(fit), room=several)
    last = max(float(each.times_s[-1]) for each in trains)
    factor, label = (1.0, "time after the first pulse (s)") if last > 2.0 else (1e3, "time after the first pulse (ms)")
    most = max(each.times_s.size for each in trains)
    end = float(most - 1) if several else factor * last
    for i, (each, colour) in enumerate(zip(trains, _cycle(), strict=False)):
        # Trains of several frequencies lie upon each other in time, so they are drawn pulse by pulse.
        at = np.arange(1.0, each.times_s.size + 1.0) + 0.12 * i if several else factor * each.times_s
        _draw_train(axes, each, fit, at=at, colour=colour, across=1.1 * end)
    highest = max(float(np.nanmax(each.amplitude + _95 * each.se)) for each in trains)
    lowest = min(float(np.nanmin(each.amplitude - _95 * each.se)) for each in trains)
    first = 1.0 if several else 0.0
    axes.set(ylim=(min(0.0, 1.1 * lowest), 1.08 * highest), xlim=(first - 0.05 * end, first + 1.05 * end))
    if several:
        axes.locator_params(axis="x", integer=True)
        colour_key(axes, [(_named(each), colour) for each, colour in zip(trains, _cycle(), strict=False)])
    axes.set_xlabel("pulse" if several else label)
    axes.set_ylabel(plain(f"mean amplitude ({fit.unit or 'a.u.'})"))


def draw_release_change(axes: "Axes", found: "TsodyksMarkramComparison", *, compared: tuple[str, str]) -> None:
    """Draw the posterior of the ratios of U and A, after over before, on logarithmic axes.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; no change is where the lines cross.
    found : TsodyksMarkramComparison
        From :func:`ephysplast.quantal.compare_tsodyks_markram`.
    compared : tuple of (str, str)
        Names of before and after.
    """
    before, after = compared
    call = {"U": "U changed (release)", "A": "A changed (q or n)", "both": "both changed"}.get(
        found.call, "undetermined"
    )
    _headed(axes, f"What changed, {after} / {before}", [(call, GREY if found.call == "undetermined" else INK)])
    if found.status != OK:
        say(axes, found.status)
        return
    ratios = np.exp(found.log_ratios)
    axes.plot(ratios[:, 0], ratios[:, 1], ".", color=GREY, markersize=1.2, markeredgewidth=0, alpha=0.5, label="draws")
    u, a = found.u_ratio, found.a_ratio
    axes.plot([u.low, u.high], [a.value, a.value], color=INK, linewidth=0.9, label="U")
    axes.plot([u.value, u.value], [a.low, a.high], color=INK, linewidth=0.9, label="A")
    for line in (axes.axhline, axes.axvline):
        line(1.0, color=PALE, linewidth=0.7, linestyle=(0, (4, 3)), zorder=0)
    log_axis(axes, "x", ratios[:, 0])
    log_axis(axes, "y", ratios[:, 1])
    axes.set_xlabel("U, ratio")
    axes.set_ylabel("A, ratio")


def _panels(
    variance_mean: Sequence[VarianceMeanPanel],
    trains: Sequence[TrainPanel],
    comparison: "TsodyksMarkramComparison | None",
    compared: tuple[str, str],
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Return what draws each panel, and its sentence."""
    panels: list[tuple[Any, ...]] = []
    words: list[str] = []

    def add(draw: Any, sentence: str, *arguments: Any) -> None:
        words.append(minus(f"{_letter(len(panels))}: {sentence}."))
        panels.append((draw, *arguments))

    shaded = ["of the bootstrap's curves"] if any(each.drawn.size for _, _, each in variance_mean) else []
    shaded += ["of the posterior"] if any(each.draws.size for _, _, each in trains) else []
    for of, labels, result in variance_mean:
        add(_variance_mean, result.statement, result, labels, of)
    for of, held, fit in trains:
        add(_trains, fit.statement, held, fit, of)
    if comparison is not None:
        add(_change, comparison.statement, comparison, compared)
    if panels:
        words.append("Bars: 95 % of a mean or variance." + (f" Shaded: 95 % {listed(shaded)}." if shaded else ""))
    return panels, words


def _variance_mean(axes: "Axes", result: "VarianceMeanResult", labels: Sequence[str], of: str) -> None:
    draw_variance_mean(axes, result, labels, of=of)


def _trains(axes: "Axes", trains: Sequence["Train"], fit: "TsodyksMarkramFit", of: str) -> None:
    draw_trains(axes, trains, fit, of=of)


def _change(axes: "Axes", found: "TsodyksMarkramComparison", compared: tuple[str, str]) -> None:
    draw_release_change(axes, found, compared=compared)


def _seats(n_first: int, n_all: int) -> list[tuple[int, int]]:
    """Return row and column of each panel; trains begin a row of their own where all do not fit into one."""
    if n_all <= _ACROSS or n_first == 0:
        return [divmod(i, _ACROSS) for i in range(n_all)]
    rows = -(-n_first // _ACROSS)
    later = [(rows + row, column) for row, column in _seats(0, n_all - n_first)]
    return [divmod(i, _ACROSS) for i in range(n_first)] + later


def _draw_train(
    axes: "Axes", train: "Train", fit: "TsodyksMarkramFit", *, at: "FloatArray", colour: str, across: float
) -> None:
    low, middle, high = fit.predict(train.times_s)
    for part, x in stretches(train.times_s, at, across=across) if np.isfinite(middle).all() else ():
        axes.fill_between(x, low[part], high[part], color=colour, alpha=0.2, linewidth=0)
        axes.plot(x, np.broadcast_to(middle[part], x.shape), color=colour, label="fit")
    axes.errorbar(
        at, train.amplitude, yerr=_95 * train.se, fmt="o", color=mixed(colour, INK, 0.5), markersize=2.6,
        markeredgewidth=0, elinewidth=0.7, zorder=3, label="means",
    )  # fmt: skip


def _named(train: "Train") -> str:
    """Name a train by what most of its pulses have: their frequency."""
    gaps = np.diff(train.times_s)
    return f"{1.0 / float(np.median(gaps)):.3g} Hz" if gaps.size else "one pulse"


def _letter(i: int) -> str:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[i] if i < 26 else str(i + 1)


def _cycle() -> Iterator[str]:
    while True:
        yield from _COLOURS


def _headed(axes: "Axes", text: str, said: Sequence[tuple[str, str]], *, room: bool = False) -> None:
    """Write the heading of a panel and below it, in smaller type, what was found; `room` leaves a line under it."""
    lines = [each for each in said if each[0]]
    width = size_pt(axes)[0] + 12.0
    (first, *rest) = wrap(text, width_pt=width, size_pt=TEXT_PT)
    pitch = SMALL_PT * LINE_PITCH
    most = max(len(lines), _LINES)
    foot = 4.0 + pitch * room
    written = [(first + ("…" if rest else ""), INK, TEXT_PT, foot + pitch * most)]
    written += [(line, colour, SMALL_PT, foot + pitch * (most - 1 - i)) for i, (line, colour) in enumerate(lines)]
    for line, colour, size, above in written:
        axes.annotate(
            plain(minus(line)), (0.0, 1.0), (-4.0, above), xycoords="axes fraction", textcoords="offset points",
            ha="left", va="bottom", fontsize=size, color=colour,
        )  # fmt: skip


def _said(symbol: str, held: "Estimate", unit: str) -> str:
    return f"{symbol} {number(held.value)} {unit} [{number(held.low)}, {number(held.high)}]"


def _sites(n: "Estimate") -> str:
    if n.status == OK:
        return f"n {number(n.value)} [{number(n.low)}, {number(n.high)}]"
    return f"n not identifiable, at least {number(n.low)}" if n.low > 1.0 else "n not identifiable"


def _told(fit: "TsodyksMarkramFit") -> list[tuple[str, str]]:
    """Say of each parameter what the trains tell: its value, a bound, or that it is not identifiable."""
    if fit.status != OK:
        return [("no fit: see below", GREY)]
    lines = []
    for name, told in zip(fit.names, fit.told, strict=True):
        held, symbol, unit = getattr(fit, name), _SYMBOLS[name], _UNITS.get(name, "")
        between = f"[{number(held.low)}, {number(held.high)}]"
        if told == "not identifiable":
            lines.append((f"{symbol} not identifiable", GREY))
        elif told in ("at most", "at least"):
            # One-sided, as the sentence has it.
            edge = float(np.quantile(fit.draws[:, _COLUMNS.index(name)], 0.95 if told == "at most" else 0.05))
            lines.append((f"{symbol} {told} {number(edge)}{unit}", GREY))
        else:
            loosely = " loosely" if told == "loosely" else ""
            lines.append((f"{symbol} {number(held.value)}{unit} {between}{loosely}", BLUE if not loosely else INK))
    return lines
