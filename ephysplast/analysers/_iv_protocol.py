"""What the voltage command does: which of its steps varies between sweeps, or where its ramps are."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._segments import Segment
from ephysplast.recording import FloatArray, IntArray

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltageConfig

NO_COMMAND: Final = (
    "the command potential is not known: the file holds none; give first_mv and increment_mv in the settings of the "
    "currents"
)
NO_PROTOCOL: Final = "the command is neither steps nor ramps"

_TOGETHER_S = 1e-3  # edges of one step that lie this near each other are one edge
_SHORTEST_S = 5e-3  # a flat stretch that is shorter holds no steady current

Command = tuple[Segment, ...]
"""One sweep of the command as flat stretches and ramps."""


class Steps(NamedTuple):
    """The flat stretch at which the current is read: samples, and the level in each sweep (NaN where not flat)."""

    first: int
    stop: int
    level: FloatArray


class Ramps(NamedTuple):
    """The ramps of each sweep, in order of time."""

    limbs: tuple[tuple[Segment, ...], ...]


def levels_over(commands: Sequence[Command], first: IntArray, stop: IntArray) -> tuple[FloatArray, IntArray]:
    """Return the level each sweep holds over a window of its own (NaN where it changes in it), and until when."""
    level, until = np.full(len(commands), np.nan), np.zeros(len(commands), dtype=np.int64)
    for i, command in enumerate(commands):
        for each in command:
            if each.flat and each.first <= first[i] and each.stop >= stop[i]:
                level[i], until[i] = each.begin, each.stop
    return level, until


def find_protocol(commands: Sequence[Command], rate_hz: float, config: "CurrentVoltageConfig") -> Steps | Ramps | None:
    """Choose between the step that varies and the ramps; None when there is neither a flat stretch nor a ramp."""
    if config.step_stop_ms:
        window = round(config.step_start_ms * 1e-3 * rate_hz), round(config.step_stop_ms * 1e-3 * rate_hz)
        return _steps(commands, *window, slack=0)
    ramps = _ramps(commands, rate_hz, config)
    steps = _varying(commands, rate_hz, config)
    if config.protocol != "auto":
        return steps if config.protocol == "steps" else (ramps if any(ramps.limbs) else steps)
    n_levels = 0 if steps is None else count_levels(steps.level, config.smallest_difference_mv)
    with_ramp = sum(bool(each) for each in ramps.limbs)
    if 2 * with_ramp > len(commands) and (n_levels < 3 or _alike(ramps, config)):
        return ramps
    return steps


def count_levels(levels: FloatArray, apart: float) -> int:
    """Count the potentials that differ by more than `apart` from the next lower one."""
    known = np.sort(levels[np.isfinite(levels)])
    return 0 if not known.size else 1 + int(np.count_nonzero(np.diff(known) > apart))


def group_levels(levels: FloatArray, apart: float) -> IntArray:
    """Give the potentials numbers from the lowest on; those within `apart` of the next lower one are the same."""
    group = np.full(levels.size, -1, dtype=np.int64)
    known = np.flatnonzero(np.isfinite(levels))
    order = known[np.argsort(levels[known], kind="stable")]
    if order.size:
        group[order] = np.concatenate([[0], np.cumsum(np.diff(levels[order]) > apart)])
    return group


def edge_of(commands: Sequence[Command], rate_hz: float, *, largest_mv: float) -> tuple[int, int] | None:
    """Find a sudden step whose transient may tell the series resistance; samples of its first and its end."""
    found: Counter[tuple[int, int]] = Counter()
    for command in commands:
        for before, after in pairwise(command):
            sudden = before.flat and after.flat and after.first - before.stop <= _TOGETHER_S * rate_hz
            long = before.stop - before.first >= 3e-3 * rate_hz and after.stop - after.first >= _SHORTEST_S * rate_hz
            if sudden and long and 2.0 <= abs(after.begin - before.end) <= largest_mv:
                found[after.first, after.stop] += 1
    return found.most_common(1)[0][0] if found else None


def _steps(commands: Sequence[Command], first: int, stop: int, *, slack: int) -> Steps:
    n = len(commands)
    inner = np.full(n, first + slack), np.full(n, stop - slack)
    return Steps(first, stop, levels_over(commands, *inner)[0])


def _varying(commands: Sequence[Command], rate_hz: float, config: "CurrentVoltageConfig") -> Steps | None:
    """Choose the flat stretch with the most potentials over the sweeps; of equal ones the longest."""
    shortest, slack = _SHORTEST_S * rate_hz, round(_TOGETHER_S * rate_hz)
    places = {
        (each.first, each.stop)
        for command in commands
        for each in command
        if each.flat and each.stop - each.first >= shortest
    }
    ranked = []
    for first, stop in sorted(places):
        steps = _steps(commands, first, stop, slack=slack)
        n_levels = count_levels(steps.level, config.smallest_difference_mv)
        n_known = int(np.isfinite(steps.level).sum())
        if 2 * n_known >= len(commands):
            ranked.append((n_levels, n_known, stop - first, -first, steps))
    return max(ranked)[-1] if ranked else None


def _ramps(commands: Sequence[Command], rate_hz: float, config: "CurrentVoltageConfig") -> Ramps:
    shortest = config.shortest_ramp_ms * 1e-3 * rate_hz
    return Ramps(
        tuple(
            tuple(
                each
                for each in command
                if not each.flat
                and abs(each.end - each.begin) >= config.smallest_ramp_mv
                and each.stop - each.first >= shortest
            )
            for command in commands
        )
    )


def _alike(ramps: Ramps, config: "CurrentVoltageConfig") -> bool:
    """Whether all ramps run between the same potentials; those that lead into a varying step do not."""
    ends: NDArray[np.float64] = np.array([(limbs[0].begin, limbs[0].end) for limbs in ramps.limbs if limbs])
    return bool((np.ptp(ends, axis=0) <= config.smallest_difference_mv).all())
