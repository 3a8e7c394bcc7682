"""What a file holds, at a glance."""

from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.plotting.style import (
    BLUE,
    GREY,
    INK,
    LINE_PITCH,
    ORANGE,
    PURPLE,
    RED,
    SMALL_PT,
    TEXT_PT,
    decimate,
    place,
    plain,
    styled,
    wrap,
    write,
)
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Trace

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Samples read for one channel, and for one sweep of it: a figure needs no more, however long the file.
_CHANNEL_SAMPLES: Final = 8_000_000
_SWEEP_SAMPLES: Final = 2_000_000
# Points drawn: a file of a figure should stay small enough to be mailed.
_CHANNEL_POINTS: Final = 20_000
_FIGURE_POINTS: Final = 60_000
_MAX_TAGS: Final = 12
_MAX_LINES: Final = 30

# Inches.
_WIDTH: Final = 7.2
_LEFT: Final = 0.75
_RIGHT: Final = 0.15
_COMMAND: Final = 0.4
_STRIP: Final = 0.35


def recording_figure(recording: Recording, *, max_sweeps: int = 40) -> "Figure":
    """Draw what a recording holds: sweeps of each channel upon each other, commands, digital outputs, true times, tags.

    Only what the figure shows is read: at most `max_sweeps` sweeps, evenly chosen, and of sweeps beyond two million
    samples only a part of each stretch; the figure says so.

    Parameters
    ----------
    recording : Recording
        From :func:`ephysplast.read`.
    max_sweeps : int
        Sweeps drawn.

    Returns
    -------
    matplotlib.figure.Figure
        7.2 in wide; the more channels, the higher.
    """
    from matplotlib.figure import Figure

    chosen = _evenly(recording.n_sweeps, max_sweeps)
    height = 1.2 if len(recording.channels) <= 6 else 0.8
    head, foot = _head(recording, chosen), _tag_lines(recording)
    doubts = [_doubt(each) for each in recording.channels]
    name = _wrapped(recording.source.path.name, bold=True)
    pitch = TEXT_PT * LINE_PITCH / 72
    sizes = [
        height + (_COMMAND + 0.08 if each.command else 0.0) + 0.2 + pitch * len(doubt)
        for each, doubt in zip(recording.channels, doubts, strict=True)
    ]
    top = 0.33 + pitch * len(head) + (TEXT_PT + 3) * LINE_PITCH / 72 * len(name)
    clock = top + sum(sizes) + 0.3
    points = min(_CHANNEL_POINTS, _FIGURE_POINTS // max(len(recording.channels), 1))
    with styled():
        figure = Figure(figsize=(_WIDTH, clock + _STRIP + 0.5 + pitch * len(foot)))
        below = write(figure, name, left=0.15, top=0.1, size=TEXT_PT + 3, weight="bold")
        write(figure, head, left=0.15, top=below, color=GREY)
        every: list[Axes] = []
        for channel, doubt, size in zip(recording.channels, doubts, sizes, strict=True):
            every += _draw_channel(
                figure, recording, channel, chosen, top=top, height=height, doubt=doubt, points=points, above=every
            )
            top += size
        for axes in every[-1:]:
            axes.tick_params(axis="x", labelbottom=True)
            axes.set_xlabel("time in the sweep (s)")
        figure.align_ylabels(every)
        strip = place(figure, left=_LEFT, top=clock, width=_WIDTH - _LEFT - _RIGHT, height=_STRIP)
        _draw_clock(strip, recording, chosen)
        write(figure, foot, left=0.15, top=clock + _STRIP + 0.4, color=RED)
    return figure


def draw_channel(axes: "Axes", channel: Channel, *, sweeps: IntArray, max_points: int = _CHANNEL_POINTS) -> None:
    """Draw sweeps of a channel upon each other, the first dark, the last bright.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw.
    channel : Channel
        What to draw; in red when its unit or clamp is in doubt.
    sweeps : numpy.ndarray of int64
        Which sweeps, from 0.
    max_points : int
        Points drawn, about: long sweeps are thinned to minima and maxima.
    """
    _draw_trace(axes, channel.trace, sweeps, points=max_points)
    axes.set_ylabel(f"{plain(_short(channel.name))}\n({plain(channel.unit or 'no unit')})")
    if channel.doubt:
        axes.yaxis.label.set_color(RED)


def envelope(trace: Trace, sweep: int, *, columns: int, max_samples: int) -> tuple[FloatArray, FloatArray]:
    """Read a sweep for display: the minimum and the maximum of each of `columns` stretches.

    Parameters
    ----------
    trace : Trace
        What to read.
    sweep : int
        Which sweep, from 0.
    columns : int
        Stretches of the sweep; a short sweep is returned as it is.
    max_samples : int
        Read no more than this: of a longer sweep only the beginning of each stretch.

    Returns
    -------
    time_s, values : numpy.ndarray, shape (n_points,)
        From the start of the sweep; in the trace's unit.

    Examples
    --------
    >>> from ephysplast.recording import ArrayTrace
    >>> trace = ArrayTrace([np.array([0, 1, 5, 2, 3, -4.0])], rate_hz=1000.0)
    >>> envelope(trace, 0, columns=2, max_samples=100)[1].tolist()
    [0.0, 5.0, 3.0, -4.0]
    """
    n_samples, rate_hz = int(trace.lengths[sweep]), trace.rate_hz
    if n_samples <= max_samples:
        time_s, rows = decimate(np.arange(n_samples) / rate_hz, trace.sweep(sweep)[None, :], columns=columns)
        return time_s, rows[0]
    starts = np.linspace(0, n_samples, columns + 1).astype(np.int64)[:-1]
    taken = max(1, max_samples // columns)
    pairs = np.empty((columns, 2))
    for i, start in enumerate(starts):
        stretch = trace.window(start / rate_hz, (start + taken) / rate_hz, [sweep])[0]
        both = stretch.min(), stretch.max()
        pairs[i] = both[::-1] if stretch[0] > stretch[-1] else both
    at = starts[:, None] + np.array([0.0, n_samples / columns / 2])
    return at.reshape(-1) / rate_hz, pairs.reshape(-1)


def _evenly(n: int, most: int) -> IntArray:
    return np.unique(np.linspace(0, max(n - 1, 0), min(max(most, 1), n)).astype(np.int64))


def _wrapped(text: str, *, bold: bool = False) -> list[str]:
    size, weight = (TEXT_PT + 3, "bold") if bold else (TEXT_PT, "normal")
    return wrap(text, width_pt=(_WIDTH - 0.3) * 72, size_pt=size, weight=weight)


def _doubt(channel: Channel) -> list[str]:
    if not channel.doubt:
        return []
    said = channel.doubt if channel.name in channel.doubt else f"'{channel.name}': {channel.doubt}"
    return wrap(said, width_pt=(_WIDTH - _LEFT - _RIGHT) * 72, size_pt=TEXT_PT, weight="bold")


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"


def _head(recording: Recording, chosen: IntArray) -> list[str]:
    """Say in words what the file is, and what of it is shown."""
    source = recording.source
    began = recording.started_at.isoformat(sep=" ", timespec="seconds") if recording.started_at else "start unknown"
    size = f"{_count(recording.n_sweeps, 'sweep')}, {_count(len(recording.channels), 'channel')}"
    lines = _wrapped(
        f"{source.format}, {size}, {recording.rate_hz / 1e3:g} kHz, {began}, protocol: {recording.protocol or 'none'}"
    )
    if recording.comment.strip():
        lines += _wrapped(f"comment: {recording.comment}")
    if len(chosen) < recording.n_sweeps:
        lines += _wrapped(f"{len(chosen)} of {recording.n_sweeps} sweeps are shown, evenly chosen")
    longest = int(recording.sweep_lengths.max(initial=0))
    if longest > (most := _most_samples(len(chosen))):
        lines += _wrapped(f"the sweeps are long: {100 * most / longest:.2g} % of the samples, evenly chosen, are shown")
    for note in recording.notes:
        lines += _wrapped(note)
    return lines


def _most_samples(n_shown: int) -> int:
    return min(_SWEEP_SAMPLES, _CHANNEL_SAMPLES // max(n_shown, 1))


def _tag_lines(recording: Recording) -> list[str]:
    lines = []
    for i, tag in enumerate(recording.tags[:_MAX_TAGS], start=1):
        lines += _wrapped(f"tag {i} at {tag.time_s:.2f} s, sweep {tag.sweep + 1}: {tag.comment}")
    more = len(recording.tags) - _MAX_TAGS
    return lines + ([f"… and {more} more tags"] if more > 0 else [])


def _draw_channel(
    figure: "Figure",
    recording: Recording,
    channel: Channel,
    chosen: IntArray,
    *,
    top: float,
    height: float,
    doubt: list[str],
    points: int,
    above: "list[Axes]",
) -> "list[Axes]":
    """Draw a channel, its doubt above and its command below; return the axes made."""
    top = write(figure, doubt, left=_LEFT, top=top - 0.05, color=RED, weight="bold") + 0.05
    width = _WIDTH - _LEFT - _RIGHT
    axes = place(figure, left=_LEFT, top=top, width=width, height=height, sharex=above[0] if above else None)
    draw_channel(axes, channel, sweeps=chosen, max_points=points)
    _draw_digital(axes, recording, chosen, named=not above)
    axes.tick_params(axis="x", labelbottom=False)
    if channel.command is None:
        return [axes]
    below = place(figure, left=_LEFT, top=top + height + 0.08, width=width, height=_COMMAND, sharex=axes)
    sweeps = chosen[:1] if channel.command.same_every_sweep else chosen
    _draw_trace(below, channel.command, sweeps, points=points)
    below.set_ylabel(f"command\n({plain(channel.command_unit or '?')})", fontsize=SMALL_PT)
    below.locator_params(axis="y", nbins=3)
    below.tick_params(axis="x", labelbottom=False)
    return [axes, below]


def _draw_trace(axes: "Axes", trace: Trace, sweeps: IntArray, *, points: int) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import LineCollection

    columns = int(np.clip(points // (2 * max(len(sweeps), 1)), 100, 1000))
    lines = [
        np.column_stack(envelope(trace, int(sweep), columns=columns, max_samples=_most_samples(len(sweeps))))
        for sweep in sweeps
        if trace.lengths[sweep]
    ]
    # The brightest fifth of the map is too pale on paper.
    colours = colormaps["viridis"](np.linspace(0.0, 0.8, max(len(lines), 1)))
    axes.add_collection(LineCollection(lines, colors=colours, linewidths=0.5, alpha=0.8))
    axes.autoscale_view()
    if lines:
        axes.set_xlim(0, max(each[-1, 0] for each in lines) or 1.0)


def _draw_digital(axes: "Axes", recording: Recording, chosen: IntArray, *, named: bool) -> None:
    """Mark the onsets of the sweeps shown; the lines' names stand above the first channel."""
    colours = (RED, BLUE, ORANGE, PURPLE)
    where = axes.get_xaxis_transform()
    for i, output in enumerate(recording.digital_outputs):
        colour = colours[i % len(colours)]
        onsets = [output.onsets_s[sweep] for sweep in chosen if sweep < len(output.onsets_s)]
        at = np.unique(np.concatenate(onsets).round(6)) if onsets else np.empty(0)
        label = plain(output.name)
        axes.plot(
            at, np.full(len(at), 1.0), "v", transform=where, color=colour, markersize=3, clip_on=False, label=label
        )
        if at.size <= _MAX_LINES:
            for each in at:
                axes.axvline(each, color=colour, linewidth=0.4, alpha=0.5, zorder=0)
    if named and recording.digital_outputs:
        axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=8, borderaxespad=0.2, handletextpad=0.1)


def _draw_clock(axes: "Axes", recording: Recording, chosen: IntArray) -> None:
    """Draw when each sweep started, by the file's own clock, and where the tags are."""
    start_s = recording.sweep_start_s
    unit, scale = ("min", 60.0) if start_s.max(initial=0.0) > 180.0 else ("s", 1.0)
    axes.spines["left"].set_visible(False)
    axes.set(yticks=[], ylim=(0, 1))
    dark = "; shown sweeps are dark" if len(chosen) < recording.n_sweeps else ""
    axes.set_xlabel(f"start of each sweep ({unit}){dark}")
    stop_s = start_s + recording.sweep_lengths / recording.rate_hz
    axes.hlines(np.full(len(start_s), 0.25), start_s / scale, stop_s / scale, color=GREY, linewidth=1.5, label="lasts")
    axes.plot(start_s / scale, np.full(len(start_s), 0.25), "|", color=GREY, markersize=9, label="sweeps")
    axes.plot(start_s[chosen] / scale, np.full(len(chosen), 0.25), "|", color=INK, markersize=9, label="shown")
    for i, tag in enumerate(recording.tags[:_MAX_TAGS], start=1):
        axes.axvline(tag.time_s / scale, color=RED, linewidth=0.8)
        axes.annotate(
            str(i),
            xy=(tag.time_s / scale, 1.0),
            xycoords=axes.get_xaxis_transform(),
            xytext=(0, 1),
            textcoords="offset points",
            ha="center",
            color=RED,
            fontsize=SMALL_PT,
        )
