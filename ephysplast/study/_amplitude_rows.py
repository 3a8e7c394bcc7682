"""From the rows of one cell to its sweeps: phases by their words, pulses side by side, one clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isfinite
from typing import Any, Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import OK, EphysplastError
from ephysplast.experiment import BASELINE, POST
from ephysplast.fitting._tables import Table, as_word, is_missing
from ephysplast.recording import FloatArray, IntArray
from ephysplast.study._amplitude_columns import Found, scale_of, time_factor

_WORDS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("baseline", "base", "bl", "before", "pre", "control", "ctrl", "preinduction"), BASELINE),
    **dict.fromkeys(("post", "after", "postinduction"), POST),
}
_LEFT_OUT: Final = ("induction", "pairing", "wash", "washout")
_NO: Final = ("", "ok", "no", "n", "false", "0")
_YES: Final = ("yes", "y", "true", "1", "x")
_LARGEST: Final = 1e15
_ORDER_S: Final = 1e-3
"""Sweeps without times are put so near to each other that nothing which is counted in minutes acts on them."""

StrArray = NDArray[np.str_]


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the caller says of a table that the table does not; empty where nothing is said.

    Attributes
    ----------
    unit, time_unit : str
        Of the amplitudes, and of the column of times.
    baseline, post : str
        The table's own words for the two phases.
    """

    unit: str = ""
    time_unit: str = ""
    baseline: str = ""
    post: str = ""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sweeps:
    """The sweeps of one cell in order of time, amplitudes with the signs that the table has.

    Attributes
    ----------
    unit : str
        Of the amplitudes; empty when the table does not say.
    phase, file, time_s, amplitude, noise, interval_s, rs_mohm, rin_mohm, holding, excluded, sweep
        As :class:`~ephysplast.experiment.SweepTable` has them.
    noise_sd : numpy.ndarray, shape (n_sweeps,)
        Standard deviation of the noise, where the table states it; else NaN.
    factor : float
        What took the table's numbers to `unit`; NaN where rows differ.
    timed : bool
        False when the table has no times; then `time_s` only orders.
    notes : tuple of str
        What was assumed, converted and left out.
    """

    unit: str
    phase: StrArray
    file: tuple[str, ...]
    sweep: IntArray
    time_s: FloatArray
    amplitude: FloatArray
    interval_s: FloatArray
    noise: FloatArray
    noise_sd: FloatArray
    rs_mohm: FloatArray
    rin_mohm: FloatArray
    holding: FloatArray
    excluded: tuple[str, ...]
    factor: float
    timed: bool
    notes: tuple[str, ...]


def gather_sweeps(rows: Table, found: Found, told: Told) -> Sweeps:
    """Put the rows of one cell into sweeps.

    Raises
    ------
    EphysplastError
        If a cell of the table is no number, a phase is not known or absent, a response is there twice, or the times
        contradict the phases; it names column and row.
    """
    phases, notes = _phases(rows, found, told)
    keep = [i for i, phase in enumerate(phases) if phase]
    rows, phases = rows.chosen(keep), [phases[i] for i in keep]
    made, place = place_sweeps(rows, found, told.unit, phases=phases)
    made = replace(made, notes=notes)
    firsts = [int(i) for i in np.unique(place, return_index=True)[1]]
    made = _timed(made, rows, found, told, firsts) if made.timed else _ordered(made)
    return _comparable(made)


def place_sweeps(rows: Table, found: Found, unit: str, *, phases: Sequence[str]) -> tuple[Sweeps, list[int]]:
    """Put rows into sweeps as they come, with the times as written, and say which sweep each row belongs to.

    `phases` has the word of each row: sweeps of one number under different words are different ones.
    """
    scale = scale_of(rows, found, unit)
    numbers = np.stack([numbers_in(rows, name) for name in found.amplitudes], axis=1) * scale.factor
    place, firsts = _places(rows, found, phases)
    amplitude = side_by_side(rows, found, place, numbers=numbers)
    column = _Column(rows, found, place, len(firsts))
    factors = np.unique(scale.factor)
    made = Sweeps(
        unit=scale.unit,
        phase=np.array([phases[i] for i in firsts]),
        file=tuple(as_word(rows.columns[found.roles["file"]][i]) if "file" in found.roles else "" for i in firsts),
        sweep=column.whole("sweep", firsts),
        time_s=column.first("time"),
        amplitude=amplitude,
        interval_s=_intervals(rows, found, amplitude.shape[1]),
        noise=column.first("noise", scale.noise),
        noise_sd=column.first("noise_sd", scale.noise),
        rs_mohm=column.first("rs_mohm"),
        rin_mohm=column.first("rin_mohm"),
        holding=column.first("holding"),
        excluded=column.exclusions(),
        factor=float(factors[0]) if factors.size == 1 else float("nan"),
        timed="time" in found.roles,
        notes=(),
    )
    return made, place


def _phases(rows: Table, found: Found, told: Told) -> tuple[list[str], tuple[str, ...]]:
    """Return the phase of each row, empty where the row is left out, and what is said of it."""
    name = found.roles["phase"]
    words = [as_word(cell) for cell in rows.columns[name]]
    own = {told.baseline.strip().lower(): BASELINE, told.post.strip().lower(): POST}
    own.pop("", None)
    meant: dict[str, str] = {}
    for word, row in zip(words, rows.row, strict=True):
        meant[word] = meant[word] if word in meant else _phase(word, own, found, row)
    notes = []
    for phase in (BASELINE, POST):
        same = [word for word, each in meant.items() if each == phase]
        if len({word.lower() for word in same}) != 1:
            raise EphysplastError(
                f"several words in the column '{name}' mean {phase}" if same else f"'{name}' has no {phase} sweeps",
                got=", ".join(f"'{word}' ({words.count(word)} rows)" for word in same or meant),
                wanted=f"{BASELINE} and {POST}",
                remedy=f"say the table's own word: --{phase} WORD",
            )
        if same[0].lower() != phase:
            notes.append(f"'{same[0]}' is taken for {phase}")
    left = [f"'{word}' ({words.count(word)} rows)" for word, each in meant.items() if not each]
    return [meant[word] for word in words], (*notes, *([f"left out: {', '.join(left)}"] if left else []))


def usual_phase(word: str) -> str:
    """Return the phase that a word usually means, baseline or post; empty for other words."""
    return _WORDS.get("".join(letter for letter in word.lower() if letter.isalnum()), "")


def _phase(word: str, own: Mapping[str, str], found: Found, row: int) -> str:
    """Return what a word means: baseline, post, or nothing where its rows are known not to matter."""
    lowered = word.strip().lower()
    plain = "".join(letter for letter in lowered if letter.isalnum())
    usual = usual_phase(word)
    if lowered in own:
        return own[lowered]
    if usual and usual not in own.values():
        return usual
    if usual or plain in _LEFT_OUT or found.is_study or len(own) == 2:
        return ""
    raise EphysplastError(
        f"a word in the column '{found.roles['phase']}' names no phase that is known",
        got=f"'{word}' in row {row}",
        wanted="baseline (or before, control) and post (or after)",
        remedy="rename it, or say the table's own words: --baseline WORD --post WORD",
    )


def _places(rows: Table, found: Found, phases: Sequence[str]) -> tuple[list[int], list[int]]:
    """Return which sweep each row belongs to, and the first row of each sweep."""
    if "sweep" not in found.roles:
        return list(range(len(phases))), list(range(len(phases)))
    numbers = numbers_in(rows, found.roles["sweep"])
    files = rows.columns[found.roles["file"]] if "file" in found.roles else [""] * len(numbers)
    place: list[int] = []
    firsts: dict[tuple[str, str, float], int] = {}
    sweeps: dict[tuple[str, str, float], int] = {}
    for i, (number, file, phase) in enumerate(zip(numbers, files, phases, strict=True)):
        if not (isfinite(number) and number == int(number)):
            _wrong(rows, found.roles["sweep"], i, "is no number of a sweep", "a whole number")
        key = (phase, str(file), number)
        firsts.setdefault(key, i)
        place.append(sweeps.setdefault(key, len(sweeps)))
    return place, list(firsts.values())


def side_by_side(rows: Table, found: Found, place: Sequence[int], *, numbers: FloatArray) -> FloatArray:
    """Put the numbers of a sweep's pulses side by side; a response that is there twice is refused."""
    n_sweeps = max(place) + 1
    pulse = _pulses(rows, found) if "pulse" in found.roles else np.zeros(len(place), dtype=np.int64)
    n_pulses = numbers.shape[1] if numbers.shape[1] > 1 else int(pulse.max()) + 1
    amplitude = np.full((n_sweeps, n_pulses), np.nan)
    seen: dict[tuple[int, int], int] = {}
    for i, where in enumerate(zip(place, pulse.tolist(), strict=True)):
        if where in seen:
            sweep = as_word(rows.columns[found.roles["sweep"]][i])
            raise EphysplastError(
                f"pulse {where[1] + 1} of sweep {sweep} is there twice",
                got=f"'{found.roles['sweep']}' {sweep} in rows {rows.row[seen[where]]} and {rows.row[i]}",
                wanted="every sweep and pulse once in a phase",
                remedy="number the sweeps through, or add a column file or cell that tells them apart",
            )
        seen[where] = i
        columns = slice(where[1], where[1] + 1) if numbers.shape[1] == 1 else slice(None)
        amplitude[where[0], columns] = numbers[i]
    return amplitude


def _pulses(rows: Table, found: Found) -> IntArray:
    """Return the pulse of each row, from 0."""
    name = found.roles["pulse"]
    values = numbers_in(rows, name)
    for i, value in enumerate(values):
        if not (isfinite(value) and value == int(value) and value >= 1):
            _wrong(rows, name, i, "is no number of a pulse", "1, 2, …")
    there = sorted({int(each) for each in values})
    if there != list(range(1, len(there) + 1)):
        raise EphysplastError(
            f"the pulses in the column '{name}' are not numbered 1, 2, …", got=", ".join(map(str, there))
        )
    return np.array(values, dtype=np.int64) - 1


@dataclass(frozen=True, eq=False)
class _Column:
    """Columns that have one value for a sweep, written in the row of its first pulse or in all."""

    rows: Table
    found: Found
    place: Sequence[int]
    n_sweeps: int

    def first(self, role: str, factor: FloatArray | None = None) -> FloatArray:
        """Return the first number of each sweep; NaN where there is none, or no such column."""
        made = np.full(self.n_sweeps, np.nan)
        if role not in self.found.roles:
            return made
        values = np.array(numbers_in(self.rows, self.found.roles[role])) * (1.0 if factor is None else factor)
        for k, value in zip(reversed(self.place), values[::-1].tolist(), strict=True):
            made[k] = value if isfinite(value) else made[k]
        return made

    def whole(self, role: str, firsts: Sequence[int]) -> IntArray:
        """Return the numbers of the sweeps, or the places of their rows without a column of numbers."""
        if role not in self.found.roles:
            return np.arange(1, len(firsts) + 1, dtype=np.int64)
        return np.array(numbers_in(self.rows, self.found.roles[role]))[list(firsts)].astype(np.int64)

    def exclusions(self) -> tuple[str, ...]:
        """Return ``"ok"``, or why a sweep is not used: any of its rows says so."""
        why = [OK] * self.n_sweeps
        cells = self.rows.columns[self.found.roles["exclude"]] if "exclude" in self.found.roles else ()
        for k, cell in zip(self.place, cells, strict=False):
            word = as_word(cell)
            if word.lower() not in _NO and not is_missing(word) and why[k] == OK:
                why[k] = "rejected in the table" if word.lower() in _YES else word
        return tuple(why)


def _intervals(rows: Table, found: Found, n_pulses: int) -> FloatArray:
    """Return when each pulse comes after the first, in s; NaN where the table does not say."""
    made = np.full(n_pulses, np.nan)
    made[0] = 0.0
    if "interval" in found.roles and "pulse" in found.roles:
        name = found.roles["interval"]
        factor = 1e-3 if name.lower().rstrip(")] ").endswith("ms") else 1.0
        for k, value in zip(_pulses(rows, found).tolist(), numbers_in(rows, name), strict=True):
            made[k] = factor * value if k and isfinite(value) else made[k]
    return made


def _timed(made: Sweeps, rows: Table, found: Found, told: Told, firsts: Sequence[int]) -> Sweeps:
    """Put the sweeps in order of their times, in s from the first of the baseline."""
    name = found.roles["time"]
    factor = time_factor(name, told.time_unit)
    missing = np.flatnonzero(~np.isfinite(made.time_s))
    if missing.size:
        _wrong(rows, name, firsts[int(missing[0])], "is no time", "a number in every row, or no column of times at all")
    time_s, notes = _one_clock(factor * made.time_s, made, name, [rows.row[i] for i in firsts])
    order = np.argsort(time_s, kind="stable")
    time_s = time_s - time_s[made.phase == BASELINE].min()
    return replace(_taken(replace(made, time_s=time_s), order), notes=(*made.notes, *notes))


def _one_clock(time_s: FloatArray, made: Sweeps, name: str, rows: Sequence[int]) -> tuple[FloatArray, tuple[str, ...]]:
    """Lay files end to end whose clocks all start anew; times that contradict the phases are refused."""
    keys = list(zip(made.phase.tolist(), made.file, strict=True))
    groups = sorted(dict.fromkeys(keys), key=lambda key: (key[0] != BASELINE, keys.index(key)))
    parts = [np.array([key == group for key in keys]) for group in groups]
    before, after = made.phase == BASELINE, made.phase == POST
    spans = sorted((float(time_s[part].min()), float(time_s[part].max())) for part in parts)
    apart = all(earlier[1] < later[0] for earlier, later in pairwise(spans))
    if apart and time_s[before].max() < time_s[after].min():
        return time_s, ()
    steps = np.concatenate([np.diff(np.sort(time_s[part])) for part in parts])
    step = float(np.median(steps[steps > 0.0])) if (steps > 0.0).any() else 0.0
    if spans[-1][0] - spans[0][0] > step:
        late, early = int(np.argmax(np.where(before, time_s, -np.inf))), int(np.argmin(np.where(after, time_s, np.inf)))
        raise EphysplastError(
            f"the times in '{name}' contradict the phases",
            got=f"a baseline sweep at {time_s[late]:g} s (row {rows[late]}), "
            f"a post sweep at {time_s[early]:g} s (row {rows[early]})",
            wanted="the baseline before the post phase, or times that start anew in each phase or file",
            remedy="look at the columns of times and phases",
        )
    laid, now = time_s.copy(), 0.0
    for part in parts:
        laid[part] += now - time_s[part].min()
        now = float(laid[part].max()) + step
    return laid, (f"'{name}' starts anew in each part: they are laid end to end, pauses are not known",)


def _ordered(made: Sweeps) -> Sweeps:
    """Keep the order of the sweeps' numbers, baseline before post, files as they come."""
    files = list(dict.fromkeys(made.file))
    keys = [
        (phase != BASELINE, files.index(file), sweep)
        for phase, file, sweep in zip(made.phase.tolist(), made.file, made.sweep.tolist(), strict=True)
    ]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.intp)
    note = "no column of times: the order of the sweeps is all that is known, and nothing is said per minute"
    time_s = _ORDER_S * np.arange(len(keys), dtype=np.float64)
    return replace(_taken(made, order), time_s=time_s, notes=(*made.notes, note))


def _taken(made: Sweeps, order: NDArray[np.intp]) -> Sweeps:
    arrays = ("phase", "sweep", "time_s", "amplitude", "noise", "noise_sd", "rs_mohm", "rin_mohm", "holding")
    taken: dict[str, Any] = {name: getattr(made, name)[order] for name in arrays}
    taken |= {name: tuple(getattr(made, name)[i] for i in order) for name in ("file", "excluded")}
    return replace(made, **taken)


def _comparable(made: Sweeps) -> Sweeps:
    """Keep the pulses that both phases have, and say where single responses are missing."""
    known = np.isfinite(made.amplitude)
    both = [all(known[made.phase == phase, k].any() for phase in (BASELINE, POST)) for k in range(known.shape[1])]
    n = (*both, False).index(False)
    if n == 0:
        raise EphysplastError("a phase has no amplitude of the first pulse", wanted="numbers in both phases")
    notes = [] if n == len(both) else [f"from pulse {n + 1} on a phase has no amplitudes: those pulses are left out"]
    known = known[:, :n]
    first, second = int((~known[:, 0]).sum()), int((known[:, 0] & ~known[:, :2].all(axis=1)).sum())
    if first:
        notes.append(f"not used: {_sweeps(first)} without an amplitude of the first pulse")
    if second:
        notes.append(f"{_sweeps(second)} without the second pulse: of use for the sign, and not for the posterior")
    cut = replace(made, amplitude=made.amplitude[:, :n], interval_s=made.interval_s[:n])
    return replace(cut, notes=(*made.notes, *notes))


def numbers_in(rows: Table, column: str) -> list[float]:
    """Return a column as numbers, NaN where there is none; what no rig measures is a slip of the pen."""
    values = rows.numbers(column)
    for i, value in enumerate(values):
        if abs(value) > _LARGEST:
            _wrong(rows, column, i, "is out of all measure", "a number that was measured")
    return values


def _sweeps(n: int) -> str:
    return f"{n} sweep" + "s" * (n != 1)


def _wrong(rows: Table, column: str, i: int, what: str, wanted: str) -> NoReturn:
    cell = as_word(rows.columns[column][i])
    raise EphysplastError(
        f"a cell of the column '{column}' {what}", got=f"'{cell}' in row {rows.row[i]}", wanted=wanted
    )
