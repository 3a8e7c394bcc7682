"""Amplitudes under several release conditions, or of trains: a table of sweeps read for what it says of release."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, nan
from pathlib import Path
from typing import Final, TypedDict

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import listed, minus
from ephysplast.errors import OK, EphysplastError, SettingsError
from ephysplast.experiment import BASELINE, POST
from ephysplast.fitting._tables import Table, as_word, read_table
from ephysplast.recording import FloatArray
from ephysplast.study._amplitude_checks import NO_UNIT, check_signs, noise_readings
from ephysplast.study._amplitude_columns import Found, find_columns, is_extremum
from ephysplast.study._amplitude_rows import Sweeps, Told, place_sweeps, usual_phase
from ephysplast.study._release_times import SAME_TIME_S, pulse_times, sweep_interval

ALL_SWEEPS: Final = "all sweeps"
"""What the one condition of a table without conditions is called."""

_ROLES: Final[Mapping[str, str]] = {
    "condition": r"(release_)?condition|(ca|ca2|calcium)(_(mm|conc|concentration))*|solution",
    "pulse_time": r"((pulse|stimulus|stim)_(time|onset)|(time|onset)_of_pulse)(_m?s)?",
}
_INDUCTION: Final = ("induction", "pairing")
_FEW_READINGS: Final = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleaseCondition:
    """The used sweeps of one condition, in order of time.

    Attributes
    ----------
    name : str
        The table's own word for it.
    amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        Magnitudes along the direction of the cell's mean response; NaN where a pulse is missing.
    times_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        When each pulse came after the first of its sweep; NaN where that is not known.
    noise_sd : float
        Standard deviation of the noise of an amplitude; NaN where it is not known.
    n_noise : float
        Readings that it is from; infinite where it was stated.
    interval_s : float
        Usual interval between the starts of sweeps; NaN where the table does not say it.
    """

    name: str
    amplitude: FloatArray
    times_s: FloatArray
    noise_sd: float
    n_noise: float = inf
    interval_s: float = nan


@dataclass(frozen=True, eq=False, kw_only=True)
class ReleaseTable:
    """The conditions of one cell, and how the table was understood.

    Attributes
    ----------
    name : str
        Of the cell; the file's name without ending where no column tells cells apart.
    unit : str
        Of the amplitudes; ``"a.u."`` where the table does not say.
    conditions : tuple of ReleaseCondition
        In the order of the table, a baseline first.
    before, after : str
        Names of the two conditions that are to be compared; empty when there are not two.
    are_phases : bool
        The conditions are a baseline and what came after: between them q or n may have changed, not release alone.
    sentences : tuple of str
        What was taken as what.
    """

    name: str
    unit: str
    conditions: tuple[ReleaseCondition, ...]
    before: str = ""
    after: str = ""
    are_phases: bool = False
    sentences: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class ReleaseTold(Told):
    """What the caller says of a table that the table does not; empty or None where nothing is said.

    Attributes
    ----------
    unit, time_unit : str
        Of the amplitudes, and of the column of pulse times.
    baseline, post : str
        The table's own words for the two conditions to be compared.
    noise_sd : float or None
        Standard deviation of the noise of an amplitude, in the unit that the table has; wins over its columns.
    frequency_hz, interval_ms : float or None
        Of regular trains; win over a column of times. One of the two.
    """

    noise_sd: float | None = None
    frequency_hz: float | None = None
    interval_ms: float | None = None

    def __post_init__(self) -> None:
        """Refuse intervals that cannot be."""
        if self.frequency_hz is not None and self.interval_ms is not None:
            raise SettingsError("frequency and interval say the same thing twice", remedy="give one of the two")
        for name, value in (("frequency", self.frequency_hz), ("interval", self.interval_ms)):
            if value is not None and not 0.0 < value < np.inf:
                raise SettingsError(f"the {name} of the train is impossible", got=f"{value:g}", wanted="above 0")
        if self.interval_s is not None and self.interval_s < SAME_TIME_S:
            got = f"{1e3 * self.interval_s:g} ms"
            raise SettingsError("the pulses of the train are nearer than pulses can be", got=got, wanted="ms, or Hz")

    @property
    def interval_s(self) -> float | None:
        """Interval of a regular train, if one was told."""
        if self.interval_ms is not None:
            return 1e-3 * self.interval_ms
        return None if self.frequency_hz is None else 1.0 / self.frequency_hz


def read_release(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    told: ReleaseTold | None = None,
    on_error: Callable[[str, EphysplastError], None] | None = None,
) -> tuple[ReleaseTable, ...]:
    r"""Read amplitudes of several release conditions, or of trains, CSV or XLSX, of one cell or of several.

    Parameters
    ----------
    path : path-like
        One row per sweep and pulse (columns sweep, pulse, amplitude), or one row per sweep with a column per pulse
        (amplitude1, amplitude2 …); besides condition (or phase), and where known the pulses' times (pulse_time_s or
        pulse_time_ms), noise, cell, exclude, unit, time. A study's own ``sweeps.csv`` is read too; each pathway is then
        a cell of its own.
    columns : mapping of str to str, optional
        What → column, for what is not found by its name.
    told : ReleaseTold, optional
        What the table does not say.
    on_error : callable, optional
        Called with the name of a cell that cannot be read and its error, and the others are read; without it the
        first such error is raised.

    Returns
    -------
    tuple of ReleaseTable
        One per cell, in the order of the table.

    Raises
    ------
    EphysplastError
        If the file cannot be read, columns or units cannot be told, a cell of the table is no number, a response is
        there twice, pulse times do not ascend, or amplitudes are of mixed sign: it names column and row.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = [f"{ca}; {i}; -{20 * ca + i},5" for ca in (1, 2) for i in range(1, 4)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cell_7.csv"
    ...     _ = path.write_text("\n".join(["calcium (mM); sweep; amplitude (pA)", *rows]), encoding="utf-8")
    ...     (found,) = read_release(path, told=ReleaseTold(noise_sd=1.0))
    >>> found.name, found.unit, [each.name for each in found.conditions]
    ('cell_7', 'pA', ['1', '2'])
    >>> found.conditions[1].amplitude[:, 0].tolist()
    [41.5, 42.5, 43.5]
    """
    held = read_table(path)
    said = told or ReleaseTold()
    found = find_columns(held, columns or {}, also=_ROLES, phases=False)
    made: list[ReleaseTable] = []
    first: EphysplastError | None = None
    for name, rows in _cells(held, found, Path(path).stem).items():
        try:
            made.append(_one(name, rows, found, said))
        except EphysplastError as error:
            if on_error is None:
                raise
            first = first or error
            on_error(name, error)
    if first is not None and not made:
        raise first
    return tuple(made)


def _cells(held: Table, found: Found, name: str) -> dict[str, Table]:
    """Return the rows of each cell; where it has several pathways, each is one."""
    cells, pathways = (_words(held, found, role) for role in ("experiment", "pathway"))
    rows: dict[str, dict[str, list[int]]] = {}
    for i, (cell, pathway) in enumerate(zip(cells, pathways, strict=True)):
        rows.setdefault(cell or name, {}).setdefault(pathway, []).append(i)
    return {
        cell if len(parts) == 1 else f"{cell}, {pathway}": held.chosen(indices)
        for cell, parts in rows.items()
        for pathway, indices in parts.items()
    }


def _words(held: Table, found: Found, role: str) -> list[str]:
    return [as_word(cell) for cell in held.columns[found.roles[role]]] if role in found.roles else [""] * len(held.row)


def _one(name: str, rows: Table, found: Found, told: ReleaseTold) -> ReleaseTable:
    rows, words, notes = _without_induction(rows, *_conditions(rows, found, told))
    sweeps, times_s, timing = _used(rows, found, told, words)
    direction = -1.0 if float(np.nansum(sweeps.amplitude)) < 0.0 else 1.0
    amplitude = direction * sweeps.amplitude
    noise, noise_said = noise_readings(sweeps, found, told.noise_sd, lost="variance–mean is not possible")
    signs = check_signs(sweeps, amplitude, np.ones(len(amplitude), dtype=np.bool_), noise, found)
    stated = told.noise_sd is not None or "noise" not in found.roles
    conditions = tuple(
        ReleaseCondition(
            name=each,
            amplitude=amplitude[here],
            times_s=times_s[here],
            **_noise_of(noise[here], noise, stated=stated),
            interval_s=sweep_interval(sweeps, here, found),
        )
        for each in _in_order(words, told)
        if (here := _timely(sweeps, sweeps.phase == each)).size
    )
    before, after, are_phases = _compared(
        tuple(each.name for each in conditions), told, by_phase=len(set(_words(rows, found, "phase"))) > 1
    )
    unused = [each for each in rows.columns if each not in found.used]
    return ReleaseTable(
        name=name,
        unit=sweeps.unit or NO_UNIT,
        conditions=conditions,
        before=before,
        after=after,
        are_phases=are_phases,
        sentences=(
            f"read: {found.in_words}" + (f"; not used: {', '.join(unused)}" if unused else ""),
            *notes,
            *_holdings(rows, words),
            *_in_words(conditions, direction, sweeps.unit or NO_UNIT, found),
            *timing,
            *noise_said,
            *signs,
        ),
    )


def _conditions(rows: Table, found: Found, told: ReleaseTold) -> tuple[list[str], list[str]]:
    """Return the condition of each row: from the column of conditions, else of phases, else all are one."""
    known = {role: _words(rows, found, role) for role in ("condition", "phase") if role in found.roles}
    several = [role for role, words in known.items() if len({each.lower() for each in words}) > 1]
    if len(several) > 1:
        names = [found.roles[role] for role in several]
        raise EphysplastError(
            "two columns say which sweeps belong together",
            got=listed([f"'{each}'" for each in names]),
            wanted="one of them, or cells that tell the phases apart",
            remedy=f"leave one out of the table, or write its word into the name of the cell ('cell 1 {BASELINE}')",
        )
    if not known:
        return [ALL_SWEEPS] * len(rows.row), ["no column of conditions: all sweeps are taken for one condition"]
    role = (several or list(known))[0]
    spelt: dict[str, str] = {}
    words = [spelt.setdefault(word.lower(), word) for word in known[role]]
    empty = next((i for i, word in enumerate(words) if not word), None)
    if empty is not None:
        raise EphysplastError(
            f"the column '{found.roles[role]}' is empty in row {rows.row[empty]}",
            wanted="a word or number in every row",
        )
    for option, word in ((f"--{BASELINE}", told.baseline), (f"--{POST}", told.post)):
        if word and word.strip().lower() not in {each.lower() for each in words}:
            raise EphysplastError(
                f"no row of the column '{found.roles[role]}' has the word of {option}",
                got=f"'{word}'; the column has {', '.join(dict.fromkeys(words))}",
                wanted="a word of the table",
            )
    return words, []


def _without_induction(rows: Table, words: list[str], notes: list[str]) -> tuple[Table, list[str], list[str]]:
    keep = [i for i, word in enumerate(words) if word.lower() not in _INDUCTION]
    if not keep:
        raise EphysplastError("all rows are of the induction", wanted="rows of other phases or conditions")
    left = [f"left out: the induction ({len(words) - len(keep)} rows)"] if len(keep) < len(words) else []
    return rows.chosen(keep), [words[i] for i in keep], [*notes, *left]


def _used(
    rows: Table, found: Found, told: ReleaseTold, words: Sequence[str]
) -> tuple[Sweeps, FloatArray, tuple[str, ...]]:
    """Return the sweeps that are used with their pulses' times: what is said of the noise is then said of them."""
    made, place = place_sweeps(rows, found, told.unit, phases=words)
    used = np.array([each == OK for each in made.excluded]) & np.isfinite(made.amplitude).any(axis=1)
    if not used.any():
        raise EphysplastError(
            f"the column '{found.amplitudes[0]}' has no amplitude that may be used", wanted="numbers in some sweeps"
        )
    times_s, timing = pulse_times(
        rows, found, place, sweeps=made, used=used, interval_s=told.interval_s, time_unit=told.time_unit
    )
    kept = replace(
        made,
        phase=made.phase[used],
        file=tuple(made.file[i] for i in np.flatnonzero(used)),
        sweep=made.sweep[used],
        time_s=made.time_s[used],
        amplitude=made.amplitude[used],
        noise=made.noise[used],
        noise_sd=made.noise_sd[used],
        excluded=(OK,) * int(used.sum()),
    )
    return kept, times_s[used], timing


def _timely(sweeps: Sweeps, here: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the sweeps of one condition in order of their times, else of files as they come and numbers."""
    at = np.flatnonzero(here)
    if sweeps.timed:
        return at[np.argsort(sweeps.time_s[at], kind="stable")]
    files = {each: i for i, each in enumerate(dict.fromkeys(sweeps.file))}
    return at[np.lexsort((sweeps.sweep[at], np.array([files[sweeps.file[i]] for i in at])))]


class _Noise(TypedDict):
    noise_sd: float
    n_noise: float


def _noise_of(own: FloatArray, every: FloatArray, *, stated: bool) -> _Noise:
    """Return the SD of a condition's readings; of all the cell's where it has only a few."""
    readings = own if np.isfinite(own).sum() >= (2 if stated else _FEW_READINGS) else every
    readings = readings[np.isfinite(readings)]
    sd = float(readings.std(ddof=1)) if readings.size > 1 else nan
    return {"noise_sd": sd, "n_noise": inf if stated else float(readings.size)}


def _in_order(words: Sequence[str], told: ReleaseTold) -> list[str]:
    """Return the conditions as the table has them, the baseline first."""
    return sorted(dict.fromkeys(words), key=lambda word: _meant(word, told) != BASELINE)


def _meant(word: str, told: ReleaseTold) -> str:
    own = {told.baseline.strip().lower(): BASELINE, told.post.strip().lower(): POST}
    own.pop("", None)
    lowered = word.strip().lower()
    if lowered in own:
        return own[lowered]
    usual = usual_phase(word)
    return usual if usual not in own.values() else ""


def _compared(names: tuple[str, ...], told: ReleaseTold, *, by_phase: bool) -> tuple[str, str, bool]:
    """Return which two conditions are to be compared, and whether they are phases of an experiment."""
    meant = {phase: [name for name in names if _meant(name, told) == phase] for phase in (BASELINE, POST)}
    if all(len(each) == 1 for each in meant.values()):
        return meant[BASELINE][0], meant[POST][0], True
    # "post 10 min" and "post 30 min" name no phase to compare, but they are no release conditions either.
    firsts = {usual_phase(re.split(r"[^a-z]", name.lower())[0]) for name in names}
    are_phases = by_phase or firsts >= {BASELINE, POST}
    return (names[0], names[1], are_phases) if len(names) == 2 else ("", "", are_phases)


def _holdings(rows: Table, words: Sequence[str]) -> list[str]:
    """Say where conditions differ in a holding that is the same all through each of them."""
    said = []
    for name in (each for each in rows.columns if re.match(r"(v_?)?hold", each.lower())):
        held = dict.fromkeys(zip(words, (as_word(cell) for cell in rows.columns[name]), strict=True))
        if len(held) == len(set(words)) and len({value for _, value in held}) > 1:
            said.append(
                f"'{name}' differs between conditions: q follows the driving force, so neither variance–mean over "
                "conditions nor the ratio of A speaks of the synapse"
            )
    return said


def _in_words(conditions: tuple[ReleaseCondition, ...], direction: float, unit: str, found: Found) -> tuple[str, ...]:
    n_pulses = conditions[0].amplitude.shape[1]
    pulses = f" of {n_pulses} pulses" if n_pulses > 1 else ""
    counts = listed([f"{each.amplitude.shape[0]} ({each.name})" for each in conditions])
    notes = [f"sweeps{pulses}: {counts}"]
    if direction < 0.0:
        notes.append(minus(f"responses are negative: magnitudes are along that direction, in {unit}"))
    if unit == NO_UNIT:
        notes.append("the table does not say the unit of the amplitudes")
    if any(is_extremum(name) for name in found.amplitudes):
        notes.append(
            "a peak that is looked for in every sweep anew is too large by about the noise, and its variance cannot be "
            "corrected: better export the mean of a short window at one latency"
        )
    return tuple(notes)
