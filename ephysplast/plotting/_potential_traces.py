"""Currents (or IPSPs) at each potential, or of each ramp, phase by phase."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import number
from ephysplast.errors import OK
from ephysplast.plotting._blocks import excuse, head, mean_of_known, scale_bars
from ephysplast.plotting.style import (
    GREY,
    INK,
    LINE_PITCH,
    SMALL_PT,
    decimate,
    mixed,
    nice_below,
    phase_colour,
    say,
    size_pt,
)
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ephysplast.analysers.current_voltage import CurrentVoltage
    from ephysplast.analysers.reversal import ReversalResult

_COLUMNS: Final = 400
_ARTEFACT_MS: Final = 1.0
_MAX_LINES: Final = 11
"""More potentials, or ramps, than this are drawn in part, evenly chosen."""
_LADDER: Final = 0.24
"""Room for the list of potentials beside the traces, as a share of their width."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Block:
    """The traces of one phase, from the most negative potential to the most positive; ramps have no potential."""

    time_ms: FloatArray
    lines: FloatArray
    potential_mv: FloatArray
    response: str

    @property
    def width_ms(self) -> float:
        return float(self.time_ms[-1] - self.time_ms[0])

    @property
    def body(self) -> NDArray[np.bool_]:
        """Samples that hold no artefact of a stimulus."""
        return np.asarray((self.response != "evoked") | (self.time_ms < 0.0) | (self.time_ms > _ARTEFACT_MS))

    def colours(self, colour: str) -> list[str]:
        if not self.potential_mv.size:
            return [mixed(colour, "#ffffff", 0.4)] * len(self.lines)
        return [mixed(colour, "#ffffff", float(share)) for share in np.linspace(0.6, 0.0, len(self.lines))]


def draw_potential_traces(axes: "Axes", reversal: "Mapping[str, ReversalResult]") -> None:
    """Draw the mean trace at each potential, or every ramp, of each phase side by side.

    Responses to a stimulus start from their own baseline, and a triangle marks the stimulus; whole currents are drawn
    as they are, with a line at zero.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; about four times as wide as high.
    reversal : mapping of str to ReversalResult
        Phase → what was measured, which holds its readings and their traces.
    """
    blocks = {name: _block(each.readings) for name, each in reversal.items()}
    drawn = [each for each in blocks.values() if each is not None]
    if not drawn:
        said = next((each.status for each in reversal.values() if each.status != OK), "there is no reading")
        say(axes, f"No traces to show: {said.rstrip('.')}.")
        return
    axes.set_axis_off()
    width = max(each.width_ms for each in drawn)
    low, high = _limits(drawn)
    axes.set_ylim(low - 0.05 * (high - low), high + 0.3 * (high - low))
    step = (1.0 + _LADDER + 0.06) * width
    whole = (len(blocks) + 0.32) * step
    for i, (name, each) in enumerate(blocks.items()):
        colour = phase_colour(name, tuple(blocks))
        if each is None:
            excuse(axes, _why(reversal[name]), middle=i * step + width / 2, width=width, whole=whole)
        else:
            _draw_block(axes, each, i * step, colour, (low, high))
            _ladder(axes, each, i * step + 1.02 * width, each.colours(colour))
            _below(axes, reversal[name].readings, i * step + width / 2)
        said = f"{name} ({_how_many(reversal[name].readings)})"
        head(axes, said, middle=i * step + width / 2, colour=colour, share=step / whole)
    axes.set_xlim(-0.02 * width, whole)
    unit = next(each.readings.unit for name, each in reversal.items() if blocks[name] is not None)
    corner = (len(blocks) * step, low + 0.15 * (high - low))
    height = nice_below(0.35 * (high - low))
    scale_bars(axes, corner, width_ms=nice_below(0.3 * width), height=height, unit=unit)


def _block(readings: "CurrentVoltage") -> _Block | None:
    """Return the traces of one phase; None when there is nothing to show."""
    rows, time_s = readings.trace, readings.trace_s
    if rows.ndim != 2 or rows.size == 0 or len(time_s) < 2:
        return None
    known = np.isfinite(rows).any(axis=1)
    if readings.protocol == "voltage ramp" or len(rows) != len(readings.command_mv):
        lines, potential = rows[known], np.empty(0)
    else:
        known &= readings.used & np.isfinite(readings.command_mv)
        lines, potential = _by_potential(rows[known], readings.command_mv[known])
    if not lines.size:
        return None
    lines = _from_baseline(lines, time_s) if readings.response == "evoked" else lines
    chosen = np.unique(np.linspace(0, len(lines) - 1, min(len(lines), _MAX_LINES)).astype(np.int64))
    potential = potential[chosen] if potential.size else potential
    return _Block(
        time_ms=np.asarray(time_s * 1e3), lines=lines[chosen], potential_mv=potential, response=readings.response
    )


def _by_potential(rows: FloatArray, command_mv: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Average the traces at each potential, told apart by half a millivolt."""
    levels, which = np.unique(np.round(command_mv * 2.0) / 2.0, return_inverse=True)
    means = [mean_of_known(rows[which == i], axis=0) for i in range(len(levels))]
    return np.array(means).reshape(len(levels), rows.shape[1]), levels


def _from_baseline(lines: FloatArray, time_s: FloatArray) -> FloatArray:
    before = time_s < 0.0
    return lines - mean_of_known(lines[:, before], axis=1)[:, np.newaxis] if before.any() else lines


def _limits(blocks: list[_Block]) -> tuple[float, float]:
    """Hold the traces but their artefacts: a stimulus's, and the transient of a step, one sample in a hundred."""
    ends = []
    for each in blocks:
        outer = [0.0, 100.0] if each.response == "evoked" else [0.5, 99.5]
        ends += [np.nanpercentile(line, outer) for line in each.lines[:, each.body] if np.isfinite(line).any()]
    least, most = np.array(ends).reshape(-1, 2).T
    low, high = min(float(least.min()), 0.0), max(float(most.max()), 0.0)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _draw_block(axes: "Axes", block: _Block, left: float, colour: str, limits: tuple[float, float]) -> None:
    from matplotlib.patches import Rectangle

    low, high = limits
    at = block.time_ms - block.time_ms[0] + left
    axes.plot([at[0], at[-1]], [0.0, 0.0], color=GREY, linewidth=0.5, linestyle=(0, (4, 3)), label="zero")
    colours = block.colours(colour)
    outside = (block.lines < low) | (block.lines > high)
    time, lines = decimate(at, np.where(outside & ~block.body, np.nan, block.lines), columns=_COLUMNS)
    # What goes further leaves a window: flat tops would look like a saturated amplifier.
    window = Rectangle((at[0], low), at[-1] - at[0], high - low, transform=axes.transData)
    for i, line in enumerate(lines):
        named = f"{block.potential_mv[i]:g} mV" if block.potential_mv.size else f"ramp {i + 1}"
        axes.plot(time, line, color=colours[i], linewidth=0.5, label=named)[0].set_clip_path(window)
    if block.response == "evoked" and block.potential_mv.size:
        where = axes.get_xaxis_transform()
        stimulus = left - float(block.time_ms[0])
        axes.plot([stimulus], [0.86], transform=where, marker="v", markersize=2.5, color=INK, label="stimulus")


def _below(axes: "Axes", readings: "CurrentVoltage", middle: float) -> None:
    """Say which potentials a ramp went through."""
    command = readings.command_mv[np.isfinite(readings.command_mv)]
    if readings.protocol != "voltage ramp" or not command.size:
        return
    said = f"read from {number(float(command.min()))} to {number(float(command.max()))} mV"
    where = axes.get_xaxis_transform()
    axes.text(middle, 0.0, said, transform=where, ha="center", va="bottom", fontsize=SMALL_PT, color=INK)


def _ladder(axes: "Axes", block: _Block, left: float, colours: list[str]) -> None:
    """List the potentials beside the traces, each in its colour, the most positive on top."""
    pitch = SMALL_PT * LINE_PITCH / size_pt(axes)[1]
    middle = 0.45 + pitch * (len(block.potential_mv) - 1) / 2
    for i, potential in enumerate(block.potential_mv[::-1]):
        axes.text(
            left,
            middle - i * pitch,
            f"{number(float(potential))} mV",
            transform=axes.get_xaxis_transform(),
            ha="left",
            va="center",
            fontsize=SMALL_PT,
            color=colours[::-1][i],
        )


def _why(result: "ReversalResult") -> str:
    """Say why a phase has no traces."""
    return next((each.status for each in (result.readings, result) if each.status != OK), "there is no reading")


def _how_many(readings: "CurrentVoltage") -> str:
    n_used = int(readings.used.sum())
    if readings.protocol != "voltage ramp":
        return f"{n_used} reading{'s' * (n_used != 1)}"
    which = np.column_stack([readings.part, readings.sweeps])[readings.used]
    n_ramps = len(np.unique(which, axis=0)) if which.size else 0
    return f"{n_ramps} ramp{'s' * (n_ramps != 1)}"
