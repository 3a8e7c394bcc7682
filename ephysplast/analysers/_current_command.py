"""What the current command does in each sweep: which of its steps, or which ramp, is the one to measure."""

from collections import Counter
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._segments import Segment, commands_of, read_command
from ephysplast.errors import OK, SettingsError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Trace

if TYPE_CHECKING:
    from ephysplast.analysers.current_steps import CurrentStepConfig

NO_COMMAND = (
    "the current command is not known: give start_ms, stop_ms, first_pa and increment_pa in the settings of the steps"
)
NO_STEP = "the command has neither a current step nor a ramp"
NOT_HERE = "this sweep has no current step where the others have it"
NO_RAMP = "this sweep has no rising ramp"
GOES_ON = "a piece of a ramp that goes on over several sweeps and reaches the first spike in another"
ENDS = "the sweep ends before the step does"

_TOGETHER_S = 1e-3
_LEAST_PA = 0.25  # less is digital noise of a recorded command; cells of 1 GΩ are stepped by 1 or 2 pA


class Family(NamedTuple):
    """The step, or ramp, of each sweep; samples from the sweep's start.

    Attributes
    ----------
    protocol : {"steps", "ramp"}
        What the command does.
    first, stop : numpy.ndarray of int64, shape (n_sweeps,)
        The step or ramp; −1 where there is none.
    begin_pa, end_pa : numpy.ndarray, shape (n_sweeps,)
        Command at its beginning and its end, absolute; the same for steps.
    holding_pa : numpy.ndarray, shape (n_sweeps,)
        Level before it, and before any pre-pulse.
    held_from, held_until : numpy.ndarray of int64, shape (n_sweeps,)
        A stretch at holding before it, the last in which the cell has recovered from any pulse; empty where there is
        none.
    free_from : numpy.ndarray of int64, shape (n_sweeps,)
        Since when the cell has recovered there; `held_until` when it never has.
    prepulse : numpy.ndarray of bool, shape (n_sweeps,)
        Whether the level just before it is not holding.
    reason : tuple of str, length n_sweeps
        ``"ok"``, or why the sweep has none.
    """

    protocol: Literal["steps", "ramp"]
    first: IntArray
    stop: IntArray
    begin_pa: FloatArray
    end_pa: FloatArray
    holding_pa: FloatArray
    held_from: IntArray
    held_until: IntArray
    free_from: IntArray
    prepulse: NDArray[np.bool_]
    reason: tuple[str, ...]

    @classmethod
    def of(
        cls, protocol: Literal["steps", "ramp"], places: "list[_Place | None]", levels: list[float], why: str
    ) -> "Family":
        """Gather the places of all sweeps; `levels` is the holding of those that have none."""
        empty = [_Place(-1, -1, level, level, level, 0, 0, 0, False) for level in levels]
        kept = [place or nothing for place, nothing in zip(places, empty, strict=True)]
        columns = list(zip(*kept, strict=True))
        first, stop, held_from, held_until, free_from = (np.array(columns[i], dtype=np.int64) for i in (0, 1, 5, 6, 7))
        begin, end, holding = (np.array(columns[i], dtype=np.float64) for i in (2, 3, 4))
        reason = tuple(why if place is None else OK for place in places)
        prepulse = np.array(columns[8], dtype=bool)
        return cls(
            protocol, first, stop, begin, end, holding, held_from, held_until, free_from, prepulse, reason
        )  # fmt: skip

    def of_sweeps(self, some: slice) -> "Family":
        """Return it of some sweeps."""
        return self._replace(**{name: getattr(self, name)[some] for name in self._fields if name != "protocol"})

    def at_rate(self, factor: float) -> "Family":
        """Return it in samples of a channel that is sampled so many times as often as its command."""
        if factor == 1.0:
            return self
        names = ("first", "stop", "held_from", "held_until", "free_from")
        scaled = {name: np.rint(getattr(self, name) * factor).astype(np.int64) for name in names}
        return self._replace(**scaled)


class _Place(NamedTuple):
    """One row of a family."""

    first: int
    stop: int
    begin: float
    end: float
    holding: float
    held_from: int
    held_until: int
    free_from: int
    prepulse: bool


class _Sweep(NamedTuple):
    """The command of one sweep as flat stretches and ramps; `settle` and `baseline` in samples."""

    segments: tuple[Segment, ...]
    n_samples: int
    holding: float
    settle: int
    baseline: int

    def steps(self, shortest: float) -> list[int]:
        """Return the indices of the flat stretches away from holding that are long enough."""
        return [
            i
            for i, each in enumerate(self.segments)
            if each.flat and abs(each.begin - self.holding) > _LEAST_PA and each.stop - each.first >= shortest
        ]

    def ramp(self, shortest: float) -> int | None:
        """Return the index of the ramp that rises furthest."""
        rises = [
            (each.end - each.begin, -i)
            for i, each in enumerate(self.segments)
            if not each.flat and each.end - each.begin > _LEAST_PA and each.stop - each.first >= shortest
        ]
        return -max(rises)[1] if rises else None

    def place(self, first: int, stop: int, begin: float, end: float, holding: float) -> _Place:
        """Put a step into its surroundings: when the command was last at holding, and whether a pre-pulse precedes."""
        before = [each for each in self.segments if each.first < first]
        held = [each for each in before if each.flat and abs(each.begin - holding) <= _LEAST_PA]
        prepulse = bool(before) and abs(before[-1].end - holding) > _LEAST_PA
        return _Place(first, stop, begin, end, holding, *self._recovered(held, first), prepulse)

    def _recovered(self, held: list[Segment], first: int) -> tuple[int, int, int]:
        """Return the last stretch at holding that is long enough after a pulse, else the longest: from, until, free.

        A test pulse leaves the membrane charged, and a rebound spike is no spontaneous one.
        """
        if not held:
            return 0, 0, 0
        ends = [min(each.stop, first) for each in held]
        since = [each.first + (self.settle if each.first > 0 else 0) for each in held]
        left = [end - start for start, end in zip(since, ends, strict=True)]
        long_enough = [i for i, n in enumerate(left) if n >= self.baseline]
        i = long_enough[-1] if long_enough else left.index(max(left))
        if left[i] > 0:
            return since[i], ends[i], since[i]
        return held[-1].first, ends[-1], ends[-1]

    def level_between(self, first: int, stop: int) -> float | None:
        """Level of the flat stretch that covers a window; None when the command changes in it."""
        covering = (each for each in self.segments if each.flat and each.first <= first and each.stop >= stop)
        return next((each.begin for each in covering), None)


def find_family(recording: Recording, channel: Channel, sweeps: IntArray, config: "CurrentStepConfig") -> Family | str:
    """Find the step or ramp that is to be measured, or say why there is none."""
    if config.increment_pa or config.first_pa:
        return _as_told(channel, sweeps, config)
    answer: Family | str = NO_COMMAND
    for command in commands_of(recording, channel, "pA"):
        read, rate = _read(command, sweeps, config), command.rate_hz
        if config.start_ms and config.stop_ms:
            answer = _window(read, round(config.start_ms * 1e-3 * rate), round(config.stop_ms * 1e-3 * rate))
        else:
            answer = _choose(read, rate, config)
        if not isinstance(answer, str):
            return answer.at_rate(channel.trace.rate_hz / rate)
    return answer


def _read(command: Trace, sweeps: IntArray, config: "CurrentStepConfig") -> list[_Sweep]:
    rate, rows = command.rate_hz, read_command(command, sweeps)
    settle, baseline = (round(each * 1e-3 * rate) for each in (config.settle_ms, config.baseline_ms))
    lengths = command.lengths[sweeps].tolist()
    return [
        _Sweep(row, int(n), level, settle, baseline)
        for row, n, level in zip(rows, lengths, _holding(rows), strict=True)
    ]


def _holding(rows: list[tuple[Segment, ...]]) -> list[float]:
    """Return the level of each sweep that the others are counted from: at which it begins, or else ends."""
    begins = [row[0].begin if row and row[0].flat else np.nan for row in rows]
    ends = [row[-1].end if row and row[-1].flat else np.nan for row in rows]
    # Sweeps cut at the step's start begin with the step: holding is then what they have in common at their end.
    if len(rows) > 1 and np.ptp(ends) <= _LEAST_PA < np.ptp(begins):
        return ends
    # So is it where they begin with a test pulse: its level is not returned to, that of the end is.
    visits = [(_visits(row, first), _visits(row, last)) for row, first, last in zip(rows, begins, ends, strict=True)]
    from_end = bool(visits) and float(np.mean([last > first for first, last in visits])) > 0.5
    return [last if from_end or np.isnan(first) else first for first, last in zip(begins, ends, strict=True)]


def _visits(row: tuple[Segment, ...], level: float) -> int:
    return sum(each.flat and abs(each.begin - level) <= _LEAST_PA for each in row)


def _as_told(channel: Channel, sweeps: IntArray, config: "CurrentStepConfig") -> Family:
    """Take times and currents from the settings: the file knows neither."""
    if not config.stop_ms:
        raise SettingsError(
            "first_pa and increment_pa need the time of the step",
            wanted="start_ms and stop_ms",
            remedy="add them to the settings of the steps",
        )
    rate = channel.trace.rate_hz
    first, stop = round(config.start_ms * 1e-3 * rate), round(config.stop_ms * 1e-3 * rate)
    levels = config.first_pa + config.increment_pa * sweeps.astype(np.float64)
    places: list[_Place | None] = [
        _Place(first, stop, level, level, 0.0, 0, first, 0, False) for level in levels.tolist()
    ]
    return Family.of("steps", places, [0.0] * sweeps.size, OK)


def _window(read: list[_Sweep], first: int, stop: int) -> Family | str:
    """Take the step where the settings have it."""
    places: list[_Place | None] = []
    for each in read:
        level = each.level_between(first, stop)
        places.append(None if level is None else each.place(first, stop, level, level, each.holding))
    if not any(places):
        return "the command changes between start_ms and stop_ms of the settings: give the time of one step"
    return Family.of("steps", places, [each.holding for each in read], NOT_HERE)


def _choose(read: list[_Sweep], rate_hz: float, config: "CurrentStepConfig") -> Family | str:
    """Choose the step whose size varies between sweeps; else a ramp; else a step that is always the same."""
    shortest = config.shortest_ms * 1e-3 * rate_hz
    steps = [_family(read, each) for each in _epochs(read, shortest, rate_hz)]
    if config.start_ms:
        return _nearest(steps, config.start_ms * 1e-3, rate_hz)
    ramps = _ramps(read, shortest)
    varying = [each for each in steps if float(np.ptp(_sizes(each))) > _LEAST_PA]
    if config.protocol == "ramp" or (config.protocol == "auto" and ramps is not None and not varying):
        return ramps or "the command has no rising ramp"
    if varying:
        return min(varying, key=lambda each: (_mostly(each.prepulse), _start(each)))
    if steps:
        return max(steps, key=lambda each: (float(_sizes(each).max()), float(np.abs(_sizes(each)).max())))
    return NO_STEP if config.protocol == "auto" else "the command has no current step"


def _nearest(steps: list[Family], start_s: float, rate_hz: float) -> Family | str:
    near = [each for each in steps if abs(_start(each) / rate_hz - start_s) <= 2.0 * _TOGETHER_S]
    if near:
        return near[0]
    there = ", ".join(f"{_start(each) / rate_hz * 1e3:.4g}" for each in steps) or "none"
    return f"no current step starts at {start_s * 1e3:g} ms, as start_ms has it; steps start at (ms): {there}"


def _epochs(read: list[_Sweep], shortest: float, rate_hz: float) -> list[dict[int, int]]:
    """Gather the steps of all sweeps into epochs (sweep → its segment): by their start, or by their order.

    A start that moves from sweep to sweep leaves no start that most sweeps share.
    """
    found = {i: indices for i, each in enumerate(read) if (indices := each.steps(shortest))}
    if not found:
        return []
    starts = sorted((read[i].segments[k].first, i, k) for i, indices in found.items() for k in indices)
    groups: list[dict[int, int]] = []
    last = -np.inf
    for start, i, k in starts:
        if start - last > _TOGETHER_S * rate_hz:
            groups.append({})
        groups[-1].setdefault(i, k)
        last = start
    if max(len(group) for group in groups) >= 0.5 * len(found):
        return groups
    most = max(len(indices) for indices in found.values())
    return [{i: indices[n] for i, indices in found.items() if len(indices) > n} for n in range(most)]


def _family(read: list[_Sweep], epoch: dict[int, int]) -> Family:
    """Read one epoch in every sweep; a sweep that stays where it is throughout has a step too, be it of 0 pA."""
    members = {i: read[i].segments[k] for i, k in epoch.items()}
    # Where a sweep has no edge, the window that most others have stands for it.
    first, stop = Counter((each.first, each.stop) for each in members.values()).most_common(1)[0][0]
    places: list[_Place | None] = []
    for i, each in enumerate(read):
        segment = members.get(i)
        level = segment.begin if segment else each.level_between(first, min(stop, each.n_samples))
        start, end = (segment.first, segment.stop) if segment else (first, stop)
        places.append(None if level is None else each.place(start, end, level, level, each.holding))
    return Family.of("steps", places, [each.holding for each in read], NOT_HERE)


def _ramps(read: list[_Sweep], shortest: float) -> Family | None:
    places: list[_Place | None] = []
    carried, last_end = float("nan"), float("nan")
    for each in read:
        index = each.ramp(shortest)
        if index is None:
            places.append(None)
            carried, last_end = float("nan"), each.segments[-1].end if each.segments else float("nan")
            continue
        ramp = each.segments[index]
        before = each.segments[index - 1].end if index else ramp.begin
        near = 0.02 * (ramp.end - ramp.begin) + _LEAST_PA
        # A ramp that takes up where the last sweep's ended is one long ramp, held at what preceded its first piece.
        goes_on = np.isfinite(carried) and abs(ramp.begin - last_end) <= near and abs(before - ramp.begin) <= near
        holding = carried if goes_on else (each.holding if np.isfinite(each.holding) else ramp.begin)
        places.append(each.place(ramp.first, ramp.stop, ramp.begin, ramp.end, holding))
        carried, last_end = holding, ramp.end
    if not any(places):
        return None
    return Family.of("ramp", places, [each.holding for each in read], NO_RAMP)


def _sizes(family: Family) -> FloatArray:
    sizes = family.end_pa - family.holding_pa
    return sizes[family.first >= 0]


def _start(family: Family) -> float:
    return float(np.median(family.first[family.first >= 0]))


def _mostly(values: NDArray[np.bool_]) -> bool:
    return bool(np.mean(values) > 0.5)
