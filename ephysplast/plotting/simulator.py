"""Plasticity rules: the window of a rule over Δt and frequency, and its state through a protocol."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import EphysplastError, near_names
from ephysplast.plotting.style import (
    BLUE,
    FONT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PALE,
    PURPLE,
    RED,
    SKY,
    SMALL_PT,
    TEXT_PT,
    place,
    plain,
    robust_limits,
    styled,
    wrap,
    write,
)
from ephysplast.units import unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ephysplast.recording import FloatArray
    from ephysplast.simulator import StateCourse, TimingWindow

_NAMES: Final = {
    "p": "release probability p",
    "n": "release sites n",
    "q": "quantal size q",
    "g": "conductance g",
    "w": "weight w",
    "e_gaba_mv": "$E_\\mathrm{GABA}$",
    "rheobase_pa": "rheobase",
    "gain_hz_per_pa": "f–I gain",
    "threshold_mv": "spike threshold",
    "rin_mohm": "$R_\\mathrm{in}$",
}
_COLOURS: Final = (BLUE, ORANGE, GREEN, PURPLE, SKY, RED)
_MOST_LINES: Final = 6
_HALF_PERIOD_MS: Final = 500.0
"""At 1 Hz."""
_SHARES: Final = ("P(", "ρ")
"""States between 0 and 1, which have a panel of their own."""
_FLAT: Final = 1e-12
"""A change less than this is none: rounding."""
# Inches.
_WIDTH: Final = 7.2
_LEFT: Final = 0.62
_ROW: Final = 1.75
_GAP: Final = 0.55
_BETWEEN: Final = 0.55


def draw_rule_window(axes: "Axes", window: "TimingWindow", *, variable: str) -> None:
    """Draw what pairings change against Δt, one line for each frequency (six of them when there are more).

    A line ends at half the time to the next pairing: beyond it the next pairing's spikes are nearer.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    window : TimingWindow
        From :func:`ephysplast.simulator.timing_window`.
    variable : str
        Which of its changes.

    Raises
    ------
    EphysplastError
        If the window has no such change.
    """
    change = _change(window, variable)
    axes.axhline(0.0, color=PALE, linewidth=0.8, zorder=1)
    axes.axvline(0.0, color=PALE, linewidth=0.8, zorder=1)
    shown = np.unique(np.linspace(0, len(change) - 1, min(len(change), _MOST_LINES)).round().astype(int))
    for i in shown:
        frequency = float(window.frequency_hz[i])
        meant = np.abs(window.dt_ms) <= _HALF_PERIOD_MS / frequency
        label = f"{frequency:g} Hz"
        colour = _shade(1.0 if len(shown) == 1 else np.flatnonzero(shown == i)[0] / (len(shown) - 1))
        marker = "o" if min(len(window.dt_ms), 4 * meant.sum()) < 12 else None
        axes.plot(
            window.dt_ms[meant],
            change[i, meant],
            color=colour,
            linewidth=1.2,
            marker=marker,
            markersize=2.5,
            label=label,
        )
    axes.set_xlim(_ends(window.dt_ms))
    axes.set_ylim(*_limits(change))
    axes.set_xlabel("Δt = t(post) − t(pre) (ms)")
    _value_axis(axes, variable)
    above: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
    axes.legend(ncols=_MOST_LINES, handlelength=0.9, handletextpad=0.3, columnspacing=0.8, **above)


def draw_rule_window_map(axes: "Axes", window: "TimingWindow", *, variable: str) -> None:
    """Draw what pairings change over Δt and frequency: red is up, blue is down; frequencies are evenly spaced.

    Grey is a Δt of more than half the time to the next pairing, which would be a Δt of that one.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; a colour bar is put beside it.
    window : TimingWindow
        With at least two frequencies and two Δt.
    variable : str
        Which of its changes.

    Raises
    ------
    EphysplastError
        If the window has no such change.
    """
    change = _change(window, variable)
    too_far = np.abs(window.dt_ms) > _HALF_PERIOD_MS / window.frequency_hz[:, None]
    meant = np.ma.masked_array(change, mask=too_far)
    largest = max(float(np.abs(meant).max()) if meant.count() else 0.0, _FLAT)
    axes.set_facecolor(PALE)
    image = axes.pcolormesh(
        window.dt_ms,
        np.arange(len(window.frequency_hz)),
        meant,
        cmap="RdBu_r",
        vmin=-largest,
        vmax=largest,
        shading="nearest",
        rasterized=True,
    )
    axes.axvline(0.0, color=GREY, linewidth=0.6)
    step = -(-len(window.frequency_hz) // 8)
    ticks = range(0, len(window.frequency_hz), step)
    axes.set_yticks(ticks, [f"{window.frequency_hz[i]:g}" for i in ticks])
    axes.set_ylabel("pairings (Hz)")
    axes.set_xlabel("Δt (ms)")
    bar = axes.get_figure(root=True).colorbar(image, cax=axes.inset_axes((1.03, 0.0, 0.04, 1.0)))  # type: ignore[union-attr]
    bar.ax.tick_params(labelsize=SMALL_PT, width=0.4, length=2, labelfontfamily=FONT)
    _value_axis(bar.ax, variable, named=False)


def rule_window_figure(window: "TimingWindow") -> "Figure":
    """Put a rule's window on one page: for each thing it changes, lines over Δt and a map over Δt and frequency.

    Parameters
    ----------
    window : TimingWindow
        From :func:`ephysplast.simulator.timing_window`.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide; write it with :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    subtitle = f"{window.n_pairings} pairings at each Δt and frequency"
    with styled():
        figure = Figure(figsize=(_WIDTH, 0.6 + len(window.changes) * (_ROW + _GAP)))
        top = _title(figure, window.rule, subtitle) + 0.12
        with_map = len(window.frequency_hz) > 1 and len(window.dt_ms) > 1
        for variable in window.changes:
            width = 3.1 if with_map else _WIDTH - _LEFT - 0.2
            draw_rule_window(place(figure, left=_LEFT, top=top, width=width, height=_ROW), window, variable=variable)
            if with_map:
                seat = place(figure, left=_LEFT + width + 0.6, top=top, width=2.35, height=_ROW)
                draw_rule_window_map(seat, window, variable=variable)
            top += _ROW + _GAP
    return figure


def draw_rule_states(
    axes: "Axes", course: "StateCourse", *, names: Sequence[str], span_s: tuple[float, float] | None = None
) -> None:
    """Draw the course of traces or variables through a protocol.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    course : StateCourse
        From :func:`ephysplast.simulator.trace_states`.
    names : sequence of str
        Which of its states.
    span_s : (float, float), optional
        The stretch of time that will be shown: its values set the limits.

    Raises
    ------
    EphysplastError
        If the course has no such state.
    """
    for i, name in enumerate(names):
        if name not in course.states:
            raise EphysplastError(f"the course has no state '{name}'", remedy=near_names(name, course.states))
        colour = INK if len(names) == 1 else _COLOURS[i % len(_COLOURS)]
        axes.plot(course.time_s, course.states[name], color=colour, linewidth=1.0, label=plain(name))
    shown = np.ones(len(course.time_s), bool)
    if span_s is not None:
        shown = (course.time_s >= span_s[0]) & (course.time_s <= span_s[1])
    axes.set_ylim(*_limits(np.array([course.states[name][shown] for name in names])))
    axes.ticklabel_format(axis="y", useOffset=False)
    axes.locator_params(axis="y", nbins=4)
    if len(names) > 1:
        beside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.2}
        axes.legend(fontsize=SMALL_PT, handlelength=1.0, labelspacing=0.3, **beside)


def draw_rule_spikes(axes: "Axes", course: "StateCourse") -> None:
    """Draw the spikes of both cells as two rows of ticks.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; low.
    course : StateCourse
        From :func:`ephysplast.simulator.trace_states`.
    """
    for at, times, colour, label in ((1.0, course.pre_s, INK, "pre"), (0.0, course.post_s, BLUE, "post")):
        axes.vlines(times, at - 0.38, at + 0.38, color=colour, linewidth=0.8, label=label)
    axes.set_ylim(-0.6, 1.6)
    axes.set_yticks([1.0, 0.0], ["pre", "post"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def rule_states_figure(course: "StateCourse", *, span_s: tuple[float, float] | None = None) -> "Figure":
    """Put a rule's way through a protocol on one page: spikes, traces, and what changes.

    Where the protocol is much longer than its first row of spikes, that row is shown beside it at its own scale.

    Parameters
    ----------
    course : StateCourse
        From :func:`ephysplast.simulator.trace_states`.
    span_s : (float, float), optional
        Show this stretch of time only.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide; write it with :func:`save_figure`.
    """
    from matplotlib.figure import Figure

    inner = [each for each in course.states if each not in course.changed]
    shares = [each for each in inner if each.startswith(_SHARES)]
    traces = [each for each in inner if each not in shares]
    panels = [each for each in (traces, shares, *([each] for each in course.changed)) if each]
    heights = [0.45] + [1.25 if len(each) > 1 else 0.95 for each in panels]
    whole = (float(course.time_s[0]), float(course.time_s[-1]))
    columns = [span_s or whole] if span_s or course.first_row_s is None else [whole, course.first_row_s]
    titled = 0.15 * (len(columns) - 1)
    with styled():
        figure = Figure(figsize=(_WIDTH, 0.75 + titled + sum(heights) + 0.22 * len(heights)))
        top = _title(figure, course.rule, course.protocol) + titled
        width = (_WIDTH - _LEFT - 1.15 - _BETWEEN * (len(columns) - 1)) / len(columns)
        for i, span in enumerate(columns):
            left = _LEFT + i * (width + _BETWEEN)
            spikes = _draw_column(
                figure, course, panels, heights, left=left, top=top, width=width, span=span, i=i, n=len(columns)
            )
            if titled:
                name = "the whole protocol" if i == 0 else f"its first {_duration(span[1] - span[0])}"
                spikes.set_title(name, fontsize=SMALL_PT, color=GREY, loc="left", pad=3)
    return figure


def _draw_column(
    figure: "Figure",
    course: "StateCourse",
    panels: Sequence[Sequence[str]],
    heights: Sequence[float],
    *,
    left: float,
    top: float,
    width: float,
    span: tuple[float, float],
    i: int,
    n: int,
) -> "Axes":
    """Draw one stretch of time: spikes, and a panel for each group of states. Return the axes of the spikes."""
    spikes = place(figure, left=left, top=top, width=width, height=heights[0])
    draw_rule_spikes(spikes, course)
    spikes.set_xlim(span[0] - 0.01 * (span[1] - span[0]), span[1])
    spikes.tick_params(axis="x", labelbottom=False)
    if i:
        spikes.tick_params(axis="y", labelleft=False)
    for names, height, above in zip(panels, heights[1:], heights, strict=False):
        top += above + 0.22
        axes = place(figure, left=left, top=top, width=width, height=height, sharex=spikes)
        draw_rule_states(axes, course, names=names, span_s=span)
        legend = axes.get_legend()
        if legend and i < n - 1:
            legend.remove()
        axes.set_ylabel("" if i else _state_label(names))
        axes.tick_params(axis="x", labelbottom=names is panels[-1])
        axes.locator_params(axis="x", nbins=8 if n == 1 else 5)
        if names is panels[-1]:
            axes.set_xlabel("time (s)")
    return spikes


def _duration(seconds: float) -> str:
    return f"{1e3 * seconds:.3g} ms" if seconds < 1.0 else f"{seconds:.3g} s"


def _state_label(names: Sequence[str]) -> str:
    if len(names) > 1:
        return "share" if names[0].startswith(_SHARES) else "traces"
    unit = unit_of(names[0])
    label = _NAMES.get(names[0], plain(names[0]))
    if names[0] == "e_gaba_mv":
        label += " shift"
    return f"{label} ({unit})" if unit else label


def _title(figure: "Figure", rule: str, subtitle: str) -> float:
    """Write the head of a page; return where it ends."""
    top = write(figure, [rule.replace("_", " ")], left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold", color=INK)
    lines = wrap(subtitle, width_pt=(_WIDTH - 0.3) * 72, size_pt=TEXT_PT)
    return write(figure, lines, left=0.15, top=top, color=GREY) + 0.12


def _change(window: "TimingWindow", variable: str) -> "FloatArray":
    if variable not in window.changes:
        raise EphysplastError(f"the window has no change of '{variable}'", remedy=near_names(variable, window.changes))
    return window.changes[variable]


def _value_axis(axes: "Axes", variable: str, *, named: bool = True) -> None:
    """Label the axis: a fraction is shown in percent."""
    from matplotlib.ticker import PercentFormatter

    unit = unit_of(variable)
    if not unit:
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1.0, symbol=""))
    name = _NAMES.get(variable, plain(variable))
    if named:
        axes.set_ylabel(f"change of {name} ({unit or '%'})")
    else:
        axes.set_title(unit or "%", fontsize=SMALL_PT, pad=3)


def _limits(values: "FloatArray") -> tuple[float, float]:
    """Hold all values; what is flat but for rounding is drawn flat."""
    low, high = float(values.min()), float(values.max())
    if high - low < _FLAT:
        return robust_limits(np.empty(0), include=[low])
    return robust_limits(np.empty(0), include=[low, high])


def _ends(values: "FloatArray") -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 1.0, high + 1.0)


def _shade(share: float) -> tuple[float, float, float]:
    """Return a colour from pale to dark blue."""
    pale, dark = np.array([0.62, 0.79, 0.88]), np.array([0.03, 0.19, 0.42])
    red, green, blue = (pale + share * (dark - pale)).tolist()
    return red, green, blue
