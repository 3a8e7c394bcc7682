"""Which column of a table of amplitudes holds what, and in which unit: by name, and refused where two may fit."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ephysplast.errors import EphysplastError, near_names
from ephysplast.experiment import CELL_KINDS, RESPONSE_KINDS, ResponseKind
from ephysplast.fitting._columns import plain_name
from ephysplast.fitting._tables import Table, as_word, is_missing
from ephysplast.recording import FloatArray
from ephysplast.units import ELECTRODE_UNITS

RESPONSES: Final[Mapping[str, ResponseKind]] = {each.lower(): each for each in RESPONSE_KINDS if each not in CELL_KINDS}
"""Response in small letters → its name."""

_UNITS: Final = {name.lower(): held for name, held in ELECTRODE_UNITS.items()} | dict.fromkeys(
    ("mv_ms", "mv_per_ms", "mv/ms"), ("mV/ms", 1.0)
)
_S_PER: Final[Mapping[str, float]] = {
    **dict.fromkeys(("ms", "msec"), 1e-3),
    **dict.fromkeys(("s", "sec", "seconds"), 1.0),
    **dict.fromkeys(("min", "minutes"), 60.0),
    **dict.fromkeys(("h", "hours"), 3600.0),
}
_UNIT: Final = r"[kmunpf]?[av]|mv_ms|mv_per_ms|percent|percent_of_baseline|a_u|au|normali[sz]ed"
_TIME: Final = "|".join(_S_PER)
_AMPLITUDE: Final = re.compile(
    r"(?:r(?P<region>\d+)s\d+_(?:peak(?:_amp(?:litude)?)?|mean)"
    r"|(?:e|i|fe)ps[cp]_?(?P<kind>\d*)(?:_(?:amplitude|amp|peak))?"
    r"|(?:amplitude|amp|peak(?:_amp(?:litude)?)?)_?(?P<pulse>\d*))"
    rf"(?:_(?P<unit>{_UNIT}))?"
)
_CELL: Final = r"experiment|cell|cell_(id|name)|neuron|recording|id|name"
_TIMES: Final = r"time|(trace|sweep)_(start|time)|start(_time)?"
ROLES: Final[Mapping[str, str]] = {
    "experiment": _CELL,
    "pathway": "pathway|input",
    "file": r"file(_?name)?",
    "sweep": r"(sweep|trace|episode)(_?(no|nr|number|index))?",
    "time": rf"({_TIMES})(_({_TIME}))?",
    "phase": "phase|epoch|period",
    "pulse": r"(pulse|stimulus|stim)(_?(no|nr|number))?",
    "noise": rf"noise(_reading)?(_({_UNIT}))?",
    "noise_sd": rf"(noise_(sd|std)|sd_noise)(_({_UNIT}))?",
    "unit": "(amplitude_)?units?",
    "response": "response(_(type|kind))?",
    "opsin": "opsin|light",
    "quantal_size": rf"quantal_(size|amplitude)(_({_UNIT}))?",
    "exclude": r"excluded?|reject(ed)?",
    "interval": r"((pulse_)?interval|isi)_m?s",
    "rs_mohm": "rs_mohm",
    "rin_mohm": "rin_mohm",
    "holding": "holding",
}
"""What a column may hold, besides amplitudes → how its name then looks, in small letters with ``_`` for the rest."""

_STUDY: Final = frozenset({"pathway", "file", "sweep", "phase", "pulse", "interval", "exclude", "rs_mohm", "holding"})
_IN_WORDS: Final = {"experiment": "cell", "noise_sd": "noise SD", "rs_mohm": "R_s", "rin_mohm": "R_in"}
_SAID: Final = {"experiment": "the cell", "time": "the time", "unit": "the unit"}


@dataclass(frozen=True, kw_only=True)
class Found:
    """Which column holds what.

    Attributes
    ----------
    roles : mapping of str to str
        Role → column, without the amplitudes.
    amplitudes : tuple of str
        One column, or one per pulse.
    is_study : bool
        The table is a study's own ``sweeps.csv``.
    """

    roles: Mapping[str, str]
    amplitudes: tuple[str, ...]
    is_study: bool

    @property
    def in_words(self) -> str:
        """What is read from where."""
        said = [("amplitude" if len(self.amplitudes) == 1 else f"pulse {i}", name) for i, name in self.numbered]
        said += [(_IN_WORDS.get(role, role.replace("_", " ")), name) for role, name in self.roles.items()]
        return ", ".join(f"{role} from '{name}'" for role, name in said)

    @property
    def numbered(self) -> tuple[tuple[int, str], ...]:
        """The columns of amplitudes with the pulses they are of, where there is more than one."""
        return tuple(enumerate(self.amplitudes, start=1))

    @property
    def used(self) -> frozenset[str]:
        """All columns that are read."""
        return frozenset((*self.amplitudes, *self.roles.values()))


def find_columns(
    table: Table, given: Mapping[str, str], *, also: Mapping[str, str] | None = None, phases: bool = True
) -> Found:
    """Return which column holds what; those given win.

    Parameters
    ----------
    table : Table
        All rows.
    given : mapping of str to str
        Role → column.
    also : mapping of str to str, optional
        More roles than :data:`ROLES`, with the pattern of their names.
    phases : bool
        Whether a column of phases is needed.

    Raises
    ------
    EphysplastError
        If a role or column does not exist, several columns may be meant, or a needed one is not found.
    """
    roles = {**ROLES, **(also or {})}
    _check_given(table, given, roles)
    found = {role: name for role, name in given.items() if role in roles}
    told = {role: name for role, name in given.items() if role not in roles}
    filled = [name for name, cells in table.columns.items() if not all(_is_empty(cell) for cell in cells)]
    for role, pattern in roles.items():
        free = [name for name in filled if name not in given.values() and re.fullmatch(pattern, _plain(name))]
        if role not in found and free:
            found[role] = _only(free, role)
    amplitudes = _told_amplitudes(told) or _amplitudes([name for name in filled if name not in found.values()], table)
    if phases and "phase" not in found:
        raise EphysplastError(
            "no column says which phase a sweep belongs to",
            got=", ".join(table.columns),
            wanted="a column phase with baseline or post in every row",
            remedy='add it, or say which column it is: --column "phase=…"',
        )
    _check_pulses(table, found, amplitudes)
    is_study = found.keys() >= _STUDY and amplitudes == ("amplitude",)
    if not is_study:
        found.pop("holding", None)  # a current or a potential: other tables do not say which
    return Found(roles=found, amplitudes=amplitudes, is_study=is_study)


def _check_pulses(table: Table, found: Mapping[str, str], amplitudes: Sequence[str]) -> None:
    if "pulse" in found and len(amplitudes) > 1:
        raise EphysplastError(
            f"'{found['pulse']}' numbers the pulses, and so do the columns of amplitudes",
            got=", ".join(amplitudes),
            wanted="one row per pulse, or one column per pulse",
        )
    if "pulse" in found and "sweep" not in found:
        raise EphysplastError(
            f"'{found['pulse']}' numbers pulses, and no column says of which sweep",
            got=", ".join(table.columns),
            wanted="a column sweep",
        )


def _check_given(table: Table, given: Mapping[str, str], roles: Mapping[str, str]) -> None:
    for role, name in given.items():
        if role not in roles and not re.fullmatch(r"amplitude\d*", role):
            known = ("amplitude", "amplitude1", "amplitude2", *roles)
            raise EphysplastError(
                "a table of amplitudes has no such column", got=f"'{role}'", remedy=near_names(role, known)
            )
        if name not in table.columns:
            raise EphysplastError(f"{table.source} has no column '{name}'", remedy=near_names(name, table.columns))


def _told_amplitudes(told: Mapping[str, str]) -> tuple[str, ...]:
    if not told:
        return ()
    numbers = {int(role.removeprefix("amplitude") or 1): name for role, name in told.items()}
    return _in_order(numbers, list(told.values()))


def _amplitudes(names: Sequence[str], table: Table) -> tuple[str, ...]:
    """Find the one column of amplitudes, or those of pulse 1, 2, … by the numbers in their names."""
    matches = {name: match for name in names if (match := _AMPLITUDE.fullmatch(_plain(name)))}
    exact = [name for name in matches if re.fullmatch(rf"amplitude(_({_UNIT}))?", _plain(name))]
    if len(exact) == 1:
        return (exact[0],)
    if not matches:
        raise EphysplastError(
            "no column holds amplitudes by its name",
            got=", ".join(table.columns),
            wanted="amplitude, or amplitude1, amplitude2 … with one row per sweep",
            remedy='say which: --column "amplitude=…"',
        )
    regions = [name for name, match in matches.items() if match["region"]]
    if len(matches) == 1:
        return (next(iter(matches)),)
    numbers = {int(match["pulse"] or match["kind"] or 0): name for name, match in matches.items()}
    if regions or 0 in numbers or len(numbers) < len(matches):
        # The second region of a statistics sheet may be the second pulse or the noise.
        raise EphysplastError(
            "several columns may hold amplitudes",
            got=", ".join(matches),
            remedy=f'say which: --column "amplitude1={next(iter(matches))}", and so on for amplitude2 and noise',
        )
    return _in_order(numbers, list(matches))


def _in_order(numbers: Mapping[int, str], names: Sequence[str]) -> tuple[str, ...]:
    if sorted(numbers) != list(range(1, len(names) + 1)):
        raise EphysplastError("the pulses are not numbered 1, 2, …", got=", ".join(names), wanted="amplitude1, …")
    return tuple(numbers[i] for i in sorted(numbers))


def _only(free: Sequence[str], role: str) -> str:
    exact = [name for name in free if _plain(name) == role]
    if len(free) == 1 or len(exact) == 1:
        return (exact or list(free))[0]
    raise EphysplastError(
        f"several columns may hold {_SAID.get(role, role)}",
        got=", ".join(free),
        remedy=f'say which: --column "{role}={free[0]}"',
    )


def _plain(name: str) -> str:
    return plain_name(re.sub("[µμ]", "u", name))


def time_factor(name: str, told: str) -> float:
    """Return the factor that takes a column of times to s.

    Raises
    ------
    EphysplastError
        If neither the name nor the caller tells the unit.
    """
    written = _plain(name).rpartition("_")[2]
    word = told or (written if written in _S_PER else "")
    if word not in _S_PER:
        raise EphysplastError(
            f"'{name}' does not say in which unit the time is" if not word else "a time cannot have this unit",
            got=f"'{word}'" if word else "",
            wanted="a column such as time_s, time (min) or time (ms)",
            remedy="rename it, or say the unit: --time-unit min",
        )
    return _S_PER[word]


def response_named(columns: Sequence[str]) -> ResponseKind | None:
    """Return the kind of response that the names of the columns of amplitudes state."""
    matches = (re.match(r"fepsp|[ei]ps[cp]", _plain(name)) for name in columns)
    kinds = {RESPONSES[match[0]] for match in matches if match}
    return kinds.pop() if len(kinds) == 1 else None


def is_extremum(name: str) -> bool:
    """Whether a column holds, by its name, the peaks that a program looked for in each sweep."""
    return "peak" in _plain(name)


@dataclass(frozen=True, eq=False, kw_only=True)
class Scale:
    """The unit of the amplitudes of one cell, and what takes them there.

    Attributes
    ----------
    unit : str
        ``"pA"``, ``"mV"``, or what the table calls it; empty when it does not say.
    factor : numpy.ndarray, shape (n_rows, n_columns)
        For each row and column of amplitudes.
    noise, quantal_size : numpy.ndarray, shape (n_rows,)
        For the noise, and for the quantal size.
    """

    unit: str
    factor: FloatArray
    noise: FloatArray
    quantal_size: FloatArray


def scale_of(rows: Table, found: Found, told: str) -> Scale:
    """Return the unit of a cell's amplitudes: told, from a column of units, or from the names of the columns.

    Raises
    ------
    EphysplastError
        If units that cannot be converted are mixed; it names the column and the row.
    """
    in_names = {name: _unit_in(name) for name in found.amplitudes}
    shape = (len(rows.row), len(found.amplitudes))
    if told:
        unit, factor = _known(told)
        _check_told(told, rows, found, in_names)
        scales = np.full(shape, factor)
    elif "unit" in found.roles:
        unit, of_rows = _written(rows, found.roles["unit"], in_names)
        scales = np.repeat(of_rows[:, None], shape[1], axis=1)
    else:
        known = [_known(each) for each in in_names.values()]
        unit = known[0][0]
        if len({each for each, _ in known}) > 1:
            raise _mixed("the columns of amplitudes have", ", ".join(in_names))
        scales = np.tile([factor for _, factor in known], (shape[0], 1))
    noise = found.roles.get("noise") or found.roles.get("noise_sd") or ""
    size = found.roles.get("quantal_size", "")
    return Scale(
        unit=unit,
        factor=scales,
        noise=_own_factor(noise, found, unit, scales[:, 0]),
        quantal_size=_own_factor(size, found, unit, scales[:, 0]),
    )


def _check_told(told: str, rows: Table, found: Found, in_names: Mapping[str, str]) -> None:
    """Refuse a unit that the table contradicts: one of the two is wrong."""
    cells = rows.columns[found.roles["unit"]] if "unit" in found.roles else ()
    words = [*in_names.values(), *(as_word(cell) for cell in cells if not _is_empty(cell))]
    other = next((word for word in words if word and _known(word) != _known(told)), "")
    if other:
        raise EphysplastError(
            "the unit that was told is not the table's", got=f"{told}, and {other} in the table", wanted="one unit"
        )


def _written(rows: Table, column: str, in_names: Mapping[str, str]) -> tuple[str, FloatArray]:
    """Read a column of units; an empty cell has the unit of the others."""
    words = [as_word(cell) for cell in rows.columns[column]]
    first = next((i for i, word in enumerate(words) if not _is_empty(word)), None)
    if first is None:
        return _known(next(iter(in_names.values())))[0], np.ones(len(words))
    unit, usual = _known(words[first])
    factors = np.full(len(words), usual)
    for i, word in enumerate(words):
        if _is_empty(word):
            continue
        here, factors[i] = _known(word)
        if here != unit:
            got = f"'{words[first]}' in row {rows.row[first]}, '{word}' in row {rows.row[i]}"
            raise _mixed(f"the column '{column}' has", got)
    for name, written in in_names.items():
        if written and any(_known(word) != _known(written) for word in words if not _is_empty(word)):
            raise _mixed(f"'{name}' and the column '{column}' have", f"{written} and {words[first]}")
    return unit, factors


def _own_factor(name: str, found: Found, unit: str, of_amplitudes: FloatArray) -> FloatArray:
    """Return what takes another column to the unit of the amplitudes: its name may have a unit of its own."""
    written = _unit_in(name)
    if not written:
        return of_amplitudes
    own, factor = _known(written)
    if own != unit:
        raise EphysplastError(
            f"the unit of '{name}' is not that of the amplitudes",
            got=f"{own}, and {unit or 'no unit'} of '{found.amplitudes[0]}'",
            wanted="both in pA or nA, or both in mV",
            remedy="write the unit into the name of both columns",
        )
    return np.full(of_amplitudes.shape, factor)


def _unit_in(name: str) -> str:
    match = re.search(rf"_({_UNIT})$", _plain(name))
    return match[1] if match else ""


def _is_empty(cell: object) -> bool:
    """Whether a cell has nothing in it; "nA" is a unit and no missing value."""
    return str(cell).strip() != "nA" and is_missing(cell)


def _known(word: str) -> tuple[str, float]:
    plain = re.sub("[µμ]", "u", word.strip())
    return _UNITS.get(plain.lower(), (plain, 1.0))


def _mixed(what: str, got: str) -> EphysplastError:
    return EphysplastError(
        f"the units of the amplitudes are mixed: {what} several",
        got=got,
        wanted="one unit in a cell; pA and nA, or mV and V, are converted",
        remedy="give voltages and currents names of their own in the column of cells",
    )
