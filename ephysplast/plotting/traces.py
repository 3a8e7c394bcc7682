"""Responses before and after: single sweeps, their means, and scale bars."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.plotting._blocks import head, mean_of_known, scale_bars
from ephysplast.plotting.style import (
    INK,
    SMALL_PT,
    TEXT_PT,
    decimate,
    mixed,
    nice_below,
    phase_colour,
    robust_limits,
    say,
)
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ephysplast.analysers.evoked import EvokedTraces

_COLUMNS: Final = 360
"""Stretches the single sweeps of a phase are thinned to: as many as the printed panel has dots."""
_BEFORE_EVENT_S: Final = -0.0002
"""The baseline ends here: a stimulus artefact may begin a sample early."""


def draw_traces(
    axes: "Axes", evoked: "Mapping[str, EvokedTraces]", *, max_sweeps: int = 20, artefact_ms: float = 1.0
) -> None:
    """Draw single sweeps and means of each phase side by side, and the means upon each other.

    Every sweep starts from its own baseline before the first pulse. Pulses lie on one axis of time at their true
    intervals; where the stretch between two windows is longer than a window, the axis is broken there. A stimulus
    artefact that leaves the range of the responses is cut out; the triangle marks its place.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; about four times as wide as high.
    evoked : mapping of str to EvokedTraces
        Phase → windows around its stimuli; sweeps that are NaN are not drawn.
    max_sweeps : int
        Single sweeps drawn in each phase, evenly chosen. The mean is that of all.
    artefact_ms : float
        How long after a stimulus its artefact lasts.
    """
    shown = {name: rows for name, each in evoked.items() if (rows := _from_baseline(each)).size}
    if not shown:
        say(axes, "No response to show.")
        return
    axes.set_axis_off()
    names = tuple(shown)
    groups = [
        _Group(evoked=evoked[name], rows=shown[name], colour=phase_colour(name, names), artefact_ms=artefact_ms)
        for name in names
    ]
    low, high = _limits(groups)
    axes.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    width = max(each.end_ms - each.start_ms for each in groups)
    step = 1.08 * width
    for i, each in enumerate(groups):
        _draw_sweeps(axes, each, i * step, (low, high), max_sweeps)
        _draw_mean(axes, each, i * step, (low, high), each.ink)
        _mark_pulses(axes, each, i * step)
        head(axes, f"{names[i]} (n = {len(each.rows)})", middle=i * step + width / 2, colour=each.colour)
    if len(groups) > 1:
        for each in groups:
            _draw_mean(axes, each, len(groups) * step, (low, high), each.colour)
        _mark_pulses(axes, groups[0], len(groups) * step)
        head(axes, "means", middle=len(groups) * step + width / 2, colour=INK)
    right = (len(groups) + (len(groups) > 1)) * step
    bar_ms = nice_below(0.3 * width)
    axes.set_xlim(-0.02 * width, right + max(bar_ms, 0.35 * width))
    corner = (right, low + 0.12 * (high - low))
    height = nice_below(0.35 * (high - low))
    scale_bars(axes, corner, width_ms=bar_ms, height=height, unit=groups[0].evoked.unit)


@dataclass(frozen=True, kw_only=True)
class _Window:
    """Where one pulse is drawn: samples `keep`, shifted by `shift_ms`."""

    keep: slice
    shift_ms: float
    broken: bool


@dataclass(frozen=True, eq=False, kw_only=True)
class _Group:
    """The sweeps of one phase."""

    evoked: "EvokedTraces"
    rows: FloatArray
    colour: str
    artefact_ms: float

    @property
    def time_ms(self) -> FloatArray:
        return np.asarray(self.evoked.time_s * 1e3)

    @property
    def body(self) -> NDArray[np.bool_]:
        """Samples that hold no artefact."""
        return (self.time_ms < _BEFORE_EVENT_S * 1e3) | (self.time_ms > self.artefact_ms)

    @property
    def mean(self) -> FloatArray:
        """Average over the sweeps that hold the sample, shape (n_pulses, n_samples); NaN where none does."""
        return mean_of_known(self.rows, axis=0)

    @property
    def start_ms(self) -> float:
        return float(self.time_ms[0])

    @property
    def end_ms(self) -> float:
        return self.windows[-1].shift_ms + float(self.time_ms[-1])

    @property
    def ink(self) -> str:
        """The colour of the mean upon its own sweeps: darker than they are together."""
        return mixed(self.colour, "#000000", 0.35)

    @property
    def windows(self) -> list[_Window]:
        """Pulses on one axis: a window ends where the next begins, and long empty stretches are cut out."""
        start, stop = self.evoked.time_s[0], self.evoked.time_s[-1]
        length = stop - start
        gaps = np.diff(self.evoked.interval_s) - length
        broken = np.insert(gaps > length, 0, False)
        shifts = np.cumsum(np.insert(np.where(gaps > length, 1.12 * length, gaps + length), 0, 0.0))
        ends = np.append(np.where(gaps < 0, stop + gaps, np.inf), np.inf)
        return [
            _Window(
                keep=slice(0, int(np.searchsorted(self.evoked.time_s, end))),
                shift_ms=float(shift * 1e3),
                broken=bool(cut),
            )
            for end, shift, cut in zip(ends, shifts, broken, strict=True)
        ]

    def without_artefact(self, rows: FloatArray, limits: tuple[float, float]) -> FloatArray:
        """Return rows ``[…, sample]`` with NaN where the artefact leaves the limits."""
        outside = (rows < limits[0]) | (rows > limits[1])
        return np.where(outside & ~self.body, np.nan, rows)


def _from_baseline(evoked: "EvokedTraces") -> FloatArray:
    """Return the sweeps that hold samples, each from its own baseline before the first pulse."""
    traces = evoked.traces
    if not traces.size:
        return traces
    before = evoked.time_s < _BEFORE_EVENT_S
    held = mean_of_known(traces[:, :1, before], axis=2)[:, :, np.newaxis] if before.any() else 0.0
    zeroed = traces - held
    return np.asarray(zeroed[np.isfinite(zeroed).any(axis=(1, 2))])


def _limits(groups: list[_Group]) -> tuple[float, float]:
    """Choose y limits that hold the means and the single sweeps but those far outside the others."""
    least, most, always = [], [], [0.0]
    for each in groups:
        body, mean = each.rows[:, :, each.body], each.mean[:, each.body]
        known = np.isfinite(body)
        least.append(np.where(known, body, np.inf).min(axis=2).reshape(-1))
        most.append(np.where(known, body, -np.inf).max(axis=2).reshape(-1))
        always += mean[np.isfinite(mean)].tolist()
    low, _ = robust_limits(np.concatenate(least), include=always, margin=0.0)
    _, high = robust_limits(np.concatenate(most), include=always, margin=0.0)
    return low, high if high > low else low + 1.0


def _draw_sweeps(axes: "Axes", group: _Group, left_ms: float, limits: tuple[float, float], max_sweeps: int) -> None:
    from matplotlib.collections import LineCollection

    chosen = np.unique(np.linspace(0, len(group.rows) - 1, min(max_sweeps, len(group.rows))).astype(np.int64))
    rows = group.without_artefact(group.rows[chosen], limits)
    columns = max(_COLUMNS // len(group.windows), 60)
    for pulse, window in enumerate(group.windows):
        time_ms, lines = decimate(group.time_ms[window.keep], rows[:, pulse, window.keep], columns=columns)
        at = time_ms - group.start_ms + window.shift_ms + left_ms
        segments = [np.column_stack([at, line]) for line in lines if np.isfinite(line).any()]
        colour = mixed(group.colour, "#ffffff", 0.62)
        axes.add_collection(LineCollection(segments, colors=colour, linewidths=0.3, alpha=0.7), autolim=False)


def _draw_mean(axes: "Axes", group: _Group, left_ms: float, limits: tuple[float, float], colour: str) -> None:
    mean = group.without_artefact(group.mean, limits)
    for pulse, window in enumerate(group.windows):
        at = group.time_ms[window.keep] - group.start_ms + window.shift_ms + left_ms
        axes.plot(at, mean[pulse, window.keep], color=colour, linewidth=1.1, label=f"mean {pulse + 1}")


def _mark_pulses(axes: "Axes", group: _Group, left_ms: float) -> None:
    """Mark the stimuli and, where the axis is broken, how long it goes on unseen."""
    where = axes.get_xaxis_transform()
    length_ms = group.time_ms[-1] - group.start_ms
    for pulse, window in enumerate(group.windows):
        at = window.shift_ms + left_ms - group.start_ms
        axes.plot([at], [0.86], transform=where, marker="v", markersize=2.5, color=INK, clip_on=False, label="stimulus")
        if not window.broken:
            continue
        gap_ms = (group.evoked.interval_s[pulse] - group.evoked.interval_s[pulse - 1]) * 1e3
        cut = left_ms + window.shift_ms - 0.06 * length_ms
        axes.text(cut, 0.0, "//", ha="center", va="center", fontsize=TEXT_PT, color=INK)
        said = f"{gap_ms:.4g} ms"
        axes.text(cut, 0.78, said, transform=where, ha="center", va="center", fontsize=SMALL_PT - 1, color=INK)
