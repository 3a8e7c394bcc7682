"""What the cell did in its steps or ramps: potentials above, the current under them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast._words import minus, number
from ephysplast.errors import OK
from ephysplast.plotting._blocks import excuse, head, scale_bars
from ephysplast.plotting.style import (
    GREY,
    INK,
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

    from ephysplast.analysers.current_steps import CurrentSteps
    from ephysplast.analysers.excitability import ExcitabilityResult

_COLUMNS: Final = 500
_PITCH: Final = 1.05
"""From block to block of a phase, in widths of a block."""
_REST_PT: Final = 33.0
_SCALE_PT: Final = 48.0
"""Room for the resting potential before the first block of a phase, and for the scale bars after the last."""
_MAX_RAMPS: Final = 6
_VOLTS: Final = (0.34, 0.88)
_AMPS: Final = (0.09, 0.23)
"""Shares of the panel's height for the potentials and for the current."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Block:
    """Sweeps drawn upon each other: rows of the steps, each with its colour, the most important last."""

    name: str
    steps: "CurrentSteps"
    rows: tuple[int, ...]
    colours: tuple[str, ...]

    @property
    def time_ms(self) -> FloatArray:
        return np.asarray(self.steps.trace_s * 1e3)

    @property
    def width_ms(self) -> float:
        return float(self.time_ms[-1] - self.time_ms[0])

    def current(self, row: int) -> tuple[FloatArray, FloatArray]:
        """Return the corners of the command of one sweep: time in ms from the step's start, current above holding."""
        duration_s = float(self.steps.stop_s[row] - self.steps.start_s[row])
        end = float(self.steps.current_pa[row])
        slope = float(self.steps.ramp_pa_per_s[row])
        # A ramp need not begin at the holding current.
        begin = end - slope * duration_s if self.steps.protocol == "ramp" and np.isfinite(slope) else end
        known = self.time_ms[np.isfinite(self.steps.trace_mv[row])]
        first, last = min(float(known[0]), 0.0), max(float(known[-1]), duration_s * 1e3)
        at = np.array([first, 0.0, 0.0, duration_s * 1e3, duration_s * 1e3, last])
        return at, np.array([0.0, 0.0, begin, end, 0.0, 0.0])


def draw_step_traces(
    axes: "Axes",
    steps: "Mapping[str, CurrentSteps]",
    excitability: "Mapping[str, ExcitabilityResult] | None" = None,
) -> None:
    """Draw a few telling sweeps of each phase, with the current that was injected.

    Of steps: the most hyperpolarising one and the one at the rheobase upon each other; beside them the one in which
    the first phase fired most, and the same current in the others. Of ramps: some sweeps, and the current at the
    first spike of the first one that fires. The current is drawn from the levels that were measured from the command,
    holding taken off.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        Where to draw; about four times as wide as high.
    steps : mapping of str to CurrentSteps
        Phase → its sweeps.
    excitability : mapping of str to ExcitabilityResult, optional
        Phase → what was made of them: says which step is the rheobase.
    """
    groups = {name: _blocks(name, steps, (excitability or {}).get(name)) for name in steps}
    blocks = [block for each in groups.values() for block in each]
    if not blocks:
        said = next((_why(each) for each in steps.values()), "there is none")
        say(axes, f"No steps to show: {said.rstrip('.')}.")
        return
    axes.set_axis_off()
    scale = _Scale(blocks)
    axes.set_ylim(*scale.limits)
    layout = _Layout(groups, room_pt=size_pt(axes)[0])
    axes.set_xlim(0.0, layout.whole)
    for (name, each), (left, right) in zip(groups.items(), layout.spans, strict=True):
        for i, block in enumerate(each):
            _draw_block(axes, block, left + i * _PITCH * layout.widths[name], scale)
        if each:
            _mark_rest(axes, each[0], left)
        else:
            excuse(axes, _why(steps[name]), middle=(left + right) / 2, width=right - left, whole=layout.whole)
        n_used = int(steps[name].used.sum())
        said = f"{name} ({n_used} sweep{'s' * (n_used != 1)})"
        share = (right - left) / layout.whole + _REST_PT / size_pt(axes)[0]
        head(axes, said, middle=(left + right) / 2, colour=phase_colour(name, tuple(groups)), share=share)
    corner = (layout.whole - 0.85 * _SCALE_PT * layout.per_pt, scale.low_mv + 0.1 * scale.span_mv)
    bar_ms = nice_below(min(0.28 * max(layout.widths.values()), 30.0 * layout.per_pt))
    scale_bars(axes, corner, width_ms=bar_ms, height=nice_below(0.4 * scale.span_mv), unit="mV")


class _Layout:
    """Where the blocks of each phase lie on the time axis, so that words of fixed size have their room between them.

    Attributes
    ----------
    widths : dict of str to float
        Phase → width of each of its blocks, in ms; a phase without any has that of the widest.
    per_pt : float
        Milliseconds in a point.
    spans : list of (float, float)
        Where the first block of each phase begins, and where its last ends.
    whole : float
        Where the axis ends.
    """

    def __init__(self, groups: "Mapping[str, tuple[_Block, ...]]", *, room_pt: float) -> None:
        widest = max(block.width_ms for each in groups.values() for block in each)
        self.widths = {name: each[0].width_ms if each else widest for name, each in groups.items()}
        pitches = np.array([1.0 + _PITCH * (max(len(each), 1) - 1) for each in groups.values()])
        spans = pitches * np.array(list(self.widths.values()))
        free_pt = max(room_pt - _REST_PT * len(spans) - _SCALE_PT, 10.0)
        self.per_pt = float(spans.sum()) / free_pt
        ends = np.cumsum(_REST_PT * self.per_pt + spans)
        self.spans = list(zip((ends - spans).tolist(), ends.tolist(), strict=True))
        self.whole = float(ends[-1]) + _SCALE_PT * self.per_pt


def _why(steps: "CurrentSteps") -> str:
    """Say why a phase has no traces."""
    return steps.status if steps.status != OK else "no sweep is used"


class _Scale:
    """Where potentials and currents lie in the panel: both share its time axis."""

    def __init__(self, blocks: list[_Block]) -> None:
        volts = np.concatenate([each.steps.trace_mv[list(each.rows)].reshape(-1) for each in blocks])
        low, high = float(np.nanmin(volts)), float(np.nanmax(volts))
        self.span_mv = max(high - low, 1.0)
        per_share = self.span_mv / (_VOLTS[1] - _VOLTS[0])
        self.limits = (low - _VOLTS[0] * per_share, low + (1.0 - _VOLTS[0]) * per_share)
        self.low_mv = low
        level = np.concatenate([each.current(row)[1] for each in blocks for row in each.rows])
        known = level[np.isfinite(level)]
        self.low_pa, self.high_pa = float(min(known.min(initial=0.0), 0.0)), float(max(known.max(initial=0.0), 0.0))

    def share(self, current_pa: FloatArray | float) -> Any:
        """Return where a current lies, as a share of the panel's height."""
        span = (self.high_pa - self.low_pa) or 1.0
        return _AMPS[0] + (current_pa - self.low_pa) / span * (_AMPS[1] - _AMPS[0])


def _blocks(
    name: str, steps: "Mapping[str, CurrentSteps]", excitability: "ExcitabilityResult | None"
) -> tuple[_Block, ...]:
    """Choose the sweeps of one phase; none when there is nothing to show."""
    own, colour = steps[name], phase_colour(name, tuple(steps))
    rows = _shown(own)
    if own.status != OK or not rows.size or len(own.trace_s) < 2:
        return ()
    pale = mixed(colour, "#ffffff", 0.5)
    if own.protocol == "ramp":
        chosen = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _MAX_RAMPS)).astype(np.int64))][::-1]
        # The first that fires lies upon the others.
        chosen = chosen[np.argsort(np.isfinite(own.current_at_spike_pa[chosen]), kind="stable")]
        colours = (mixed(colour, "#ffffff", 0.7),) * (len(chosen) - 1) + (colour,)
        return (_Block(name=name, steps=own, rows=tuple(chosen.tolist()), colours=colours),)
    at_rheobase = _at_rheobase(own, rows, excitability)
    lowest = int(rows[np.argmin(own.current_pa[rows])])
    pair = (lowest, at_rheobase) if lowest != at_rheobase else (at_rheobase,)
    first = _Block(name=name, steps=own, rows=pair, colours=(pale, colour)[-len(pair) :])
    wanted = _strongest(steps)
    highest = int(rows[np.argmin(np.abs(own.current_pa[rows] - wanted))]) if np.isfinite(wanted) else at_rheobase
    if highest in pair:
        return (first,)
    return (first, _Block(name=name, steps=own, rows=(highest,), colours=(colour,)))


def _shown(steps: "CurrentSteps") -> Any:
    """Return the rows that are used and hold a trace."""
    known = np.isfinite(steps.trace_mv).any(axis=1) if steps.trace_mv.size else np.zeros(len(steps.sweeps), dtype=bool)
    return np.flatnonzero(steps.used & known & np.isfinite(steps.current_pa))


def _at_rheobase(steps: "CurrentSteps", rows: Any, excitability: "ExcitabilityResult | None") -> int:
    """Return the row with a spike that is nearest to the rheobase; without any, the strongest current."""
    fired = rows[steps.spikes.count[rows] > 0]
    if not fired.size:
        return int(rows[np.argmax(steps.current_pa[rows])])
    current = steps.current_pa[fired]
    known = excitability is not None and excitability.rheobase_pa.status == OK
    rheobase = excitability.rheobase_pa.value if excitability is not None and known else float(current.min())
    return int(fired[np.argmin(np.abs(current - rheobase))])


def _strongest(steps: "Mapping[str, CurrentSteps]") -> float:
    """Return the current at which the first phase that fires fires most; NaN when none does."""
    for each in steps.values():
        rows = _shown(each)
        rows = rows[each.spikes.count[rows] > 0] if each.protocol == "steps" else rows[:0]
        if rows.size:
            # A sweep in depolarisation block shows no rate.
            free = rows[~each.spikes.blocked[rows]]
            rows = free if free.size else rows
            return float(each.current_pa[rows[np.argmax(each.spikes.count[rows])]])
    return float("nan")


def _draw_block(axes: "Axes", block: _Block, left: float, scale: _Scale) -> None:
    shift = left - float(block.time_ms[0])
    where = axes.get_xaxis_transform()
    for row, colour in zip(block.rows, block.colours, strict=True):
        time_ms, lines = decimate(block.time_ms, block.steps.trace_mv[[row]], columns=_COLUMNS)
        axes.plot(time_ms + shift, lines[0], color=colour, linewidth=0.6, label=f"{block.name}, sweep {row + 1}")
        at, level = block.current(row)
        axes.plot(at + shift, scale.share(level), transform=where, color=colour, linewidth=0.8, label="current")
    if block.steps.protocol == "ramp":
        _mark_first_spike(axes, block, shift, scale)
        return
    for row, colour in zip(block.rows, block.colours, strict=True):
        at, level = block.current(row)
        middle = (float(at[2] + at[3]) / 2 + shift, float(scale.share(level[3])))
        _name_level(axes, float(level[3]), middle, colour, above=row == block.rows[-1])


def _name_level(axes: "Axes", current_pa: float, at: tuple[float, float], colour: str, *, above: bool) -> None:
    sign = "+" if current_pa > 0 else ""
    axes.annotate(
        f"{sign}{number(current_pa)} pA",
        xy=at,
        xycoords=axes.get_xaxis_transform(),
        xytext=(0, 1.5 if above else -1.5),
        textcoords="offset points",
        ha="center",
        va="bottom" if above else "top",
        fontsize=SMALL_PT,
        color=mixed(colour, INK, 0.3),
    )


def _mark_first_spike(axes: "Axes", block: _Block, shift: float, scale: _Scale) -> None:
    """Point from the first spike of the foremost ramp to the current there."""
    row, steps = block.rows[-1], block.steps
    own = np.flatnonzero(steps.spikes.row == row)
    current = float(steps.current_at_spike_pa[row])
    _name_level(axes, float(steps.current_pa[row]), _end_of_ramp(block, row, shift, scale), GREY, above=True)
    if not own.size or not np.isfinite(current):
        return
    from_start = float(steps.spikes.threshold_s[own[0]] - steps.start_s[row])
    at = (from_start if np.isfinite(from_start) else float(steps.spikes.time_s[own[0]] - steps.start_s[row])) * 1e3
    where = axes.get_xaxis_transform()
    share = scale.share(current)
    axes.plot([at + shift] * 2, [share, 0.88], transform=where, color=GREY, linewidth=0.5, linestyle=(0, (2, 2)))
    axes.plot([at + shift], [share], transform=where, color=INK, marker="o", markersize=3.0, label="first spike")
    # Left of the dot and above the ramp there is room, unless the spike comes early.
    early = at < 0.35 * (block.time_ms[-1] - block.time_ms[0])
    axes.annotate(
        f"first spike at {number(current)} pA",
        xy=(at + shift, share),
        xycoords=where,
        xytext=(4, -2) if early else (-4, 2),
        textcoords="offset points",
        ha="left" if early else "right",
        va="top" if early else "bottom",
        fontsize=SMALL_PT,
        color=INK,
    )


def _end_of_ramp(block: _Block, row: int, shift: float, scale: _Scale) -> tuple[float, float]:
    at, level = block.current(row)
    return float(at[3] + shift), float(scale.share(level[3]))


def _mark_rest(axes: "Axes", block: _Block, left: float) -> None:
    """Write the potential before the step left of the foremost sweep."""
    rest_mv = float(block.steps.rest_mv[block.rows[-1]])
    if not np.isfinite(rest_mv):
        return
    axes.annotate(
        minus(f"{rest_mv:.0f} mV"),
        xy=(left, rest_mv),
        xytext=(-2, 0),
        textcoords="offset points",
        ha="right",
        va="center",
        fontsize=SMALL_PT,
        color=INK,
    )
