"""Tables of minis as event detectors export them: which column holds amplitudes, and in which unit."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast._sheets import read_sheet
from ephysplast._words import minus
from ephysplast.errors import EphysplastError, FileFormatError, near_names
from ephysplast.fitting._columns import plain_name
from ephysplast.fitting._tables import is_missing, numbers_of, per_cent_signs
from ephysplast.recording import FloatArray
from ephysplast.units import ELECTRODE_UNITS

_UNITS: Final = {name.lower(): held for name, held in ELECTRODE_UNITS.items()}
_UNIT: Final = r"[kmunpf]?[av]"
_AMPLITUDE: Final = re.compile(
    r"(?:(?:event|mini|peak|corrected|[ms]?[ei]ps[cp]s?)_)*(?:amplitudes?|ampl?s?)" rf"(?:_{_UNIT})?"
)
_IN_NAME: Final = re.compile(
    r"(?:[\s_/,;:.|-]\s*([kmunpfµμ][AV])|[(\[/_.]\s*([kmunpfµμ]?[AV]))\s*[)\].]*\s*$", re.IGNORECASE
)
_OTHER_UNIT: Final = re.compile(
    r"[(\[/]\s*(%|[munpfµμ]?[SC]|m?sec|min|[kM]?Hz|[munpfµμ]?[AV]\s*[*·⋅×./ ]?\s*[munpfµμ]?s)\s*[)\]]?\s*$",
    re.IGNORECASE,
)
_IN_ROW: Final = re.compile(r"[(\[]?\s*([kmunpfµμ]?[AV])\s*[)\]]?", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d*")
_STATISTICS: Final = re.compile(
    r"(?:mean|average|median|total|sum|variance|standard (?:deviation|error)|std\.? ?(?:dev|err)\w*)\b.*"
    r"|avg\.?|s\.?d\.?|std|s\.?e\.?m\.?|min(?:imum)?|max(?:imum)?|count|cv",
    re.IGNORECASE,
)
_DELIMITERS: Final = ("\t", ";", ",")
_WORKBOOK: Final = b"PK"


@dataclass(frozen=True, eq=False, kw_only=True)
class Minis:
    """Amplitudes of minis as a table has them.

    Attributes
    ----------
    amplitude : numpy.ndarray, shape (n_events,)
        With their sign, in `unit`.
    unit : str
        ``"pA"`` or ``"mV"``; empty where the table does not say.
    column : str
        Where they stood.
    """

    amplitude: FloatArray
    unit: str
    column: str


@dataclass(frozen=True)
class _Column:
    """A column as it stands below its name; `head` is the row of names, or the first where there are none."""

    name: str
    place: int
    head: tuple[int, list[str]]
    rows: Sequence[tuple[int, list[str]]]

    @property
    def cells(self) -> list[str]:
        return [_at(cells, self.place) for _, cells in self.rows]


def unit_meant(word: str) -> tuple[str, float] | None:
    """Return the unit in which a written one is kept, and the factor that takes it there; None for no such unit.

    Examples
    --------
    >>> unit_meant("nA"), unit_meant("bar")
    (('pA', 1000.0), None)
    """
    return _UNITS.get(re.sub("[µμ]", "u", word).lower())


def read_minis(path: str | Path, *, column: str = "") -> Minis:
    r"""Read the amplitudes of minis from a table as MiniAnalysis, Clampfit or Easy Electrophysiology export it.

    Parameters
    ----------
    path : path-like
        CSV (commas, semicolons or tabs; decimal points or commas) or XLSX, one row per mini. Lines above the names of
        the columns, and a row of units below them, are understood; a lone column of numbers needs no name.
    column : str
        The column of amplitudes, by its name or its place from 1, where there is none or more than one by its name.

    Returns
    -------
    Minis
        All of one sign; rows without an amplitude are left out. nA and V are converted.

    Raises
    ------
    EphysplastError
        If the file cannot be read, no column or several may hold amplitudes, the column is of another quantity, a
        cell is no number, a row holds statistics or more cells than there are names, decimal points and commas are
        mixed, or amplitudes are of both signs or 0; it names file, column and row.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "minis.csv"
    ...     _ = path.write_text("Cell 7\n\nTime (ms);Amplitude (nA)\n10,5;-0,012\n20;-0,01\n", encoding="utf-8")
    ...     found = read_minis(path)
    >>> found.amplitude.tolist(), found.unit
    ([-12.0, -10.0], 'pA')
    """
    file = Path(path)
    held = _find(file, column.strip())
    if other := _OTHER_UNIT.search(held.name):
        raise _trouble(file, f"the column '{held.name}' holds no amplitudes", got=other[1], wanted="pA, nA, mV …")
    word, first = _written_unit(held.name), _IN_ROW.fullmatch(_at(held.rows[0][1], held.place)) if held.rows else None
    if first:  # a row of units below the names
        word, held = first[1], replace(held, rows=held.rows[1:])
    unit, factor = unit_meant(word) or ("", 1.0)
    _check_rows(held, file)
    cells, rows = held.cells, [row for row, _ in held.rows]
    plain = [cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell for cell in cells]
    values = factor * np.array(numbers_of(plain, column=f"{held.name} of {file.name}", rows=rows), dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        raise _trouble(file, f"the column '{held.name}' holds no amplitudes", wanted="one row per mini")
    _check_writing([cell for cell, here in zip(plain, known, strict=True) if here], held.name, file)
    _check_signs(values[known], [row for row, here in zip(rows, known, strict=True) if here], held.name, file)
    return Minis(amplitude=values[known], unit=unit, column=held.name)


def _sheets(file: Path) -> list[list[tuple[int, list[str]]]]:
    """Return the rows of the file, split in every way in which a text may be."""
    with suppress(OSError):  # of a name that cannot be, which the reading says
        if file.is_dir():
            raise _trouble(file, "is a folder", wanted="a table of minis")
    first = read_sheet(file, delimiter=_DELIMITERS[0])
    if not first:
        raise _trouble(file, "holds nothing", wanted="one row per mini")
    with file.open("rb") as opened:
        if opened.read(len(_WORKBOOK)) == _WORKBOOK:
            return [first]
    return [first, *(read_sheet(file, delimiter=each) for each in _DELIMITERS[1:])]


def _find(file: Path, wanted: str) -> _Column:
    """Find the column of amplitudes; of the ways to split the lines that which makes most cells of its header."""
    tried: list[tuple[_Column, list[str]]] = []
    sheets = _sheets(file)
    for rows in sheets:
        tried += _candidates(rows, wanted)
    if tried:
        best, others = max(tried, key=lambda each: _likeliness(each[0]))
        if others:
            told = f"{best.place + 1}" if best.name in others else best.name
            raise _trouble(
                file,
                "has several columns that may hold the amplitudes of minis",
                got=", ".join((best.name, *others)),
                remedy=f"say which: {file.name}::{told}" + (", by its place" if best.name in others else ""),
            )
        return best
    names = max((cells for rows in sheets for _, cells in rows[:1]), key=len)
    near = near_names(wanted, [each for each in names if each]) if wanted else ""
    raise _trouble(
        file,
        f"has no column '{wanted}'" if wanted else "has no column that holds amplitudes by its name",
        got=", ".join(filter(None, names))[:120],
        wanted="" if wanted else "a column such as Amplitude (pA)",
        remedy=near
        or f"say which: {file.name}::NAME, or {file.name}::3 for the third, which a list of MiniAnalysis without names "
        "has them in",
    )


def _candidates(rows: Sequence[tuple[int, list[str]]], wanted: str) -> list[tuple[_Column, list[str]]]:
    """Return the column, if it is found when the lines are split so, and the names of others that fit as well."""
    if wanted.isdecimal():
        return [(each, []) for each in _by_place(rows, int(wanted) - 1)]
    start = -1
    for i, (_, cells) in enumerate(rows):
        places = [k for k, cell in enumerate(cells) if _fits(cell, wanted)]
        start = i if places and start < 0 else start
        # A line of settings above the names may have the same word, with another word below it.
        if places and i + 1 < len(rows) and _may_be_first(_at(rows[i + 1][1], places[0])):
            start = i
            break
    if start >= 0:
        cells = rows[start][1]
        places = [k for k, cell in enumerate(cells) if _fits(cell, wanted)]
        exact = [k for k in places if cells[k].lower() == wanted.lower()]
        places = exact if len(exact) == 1 else places
        found = _Column(name=cells[places[0]], place=places[0], head=rows[start], rows=rows[start + 1 :])
        return [(found, [cells[k] for k in places[1:]])]
    if not wanted and rows and _is_lone(rows):
        return [(_Column(name="the only one", place=0, head=rows[0], rows=rows), [])]
    return []


def _likeliness(held: _Column) -> tuple[bool, int]:
    """Rank a way to split the lines: without names, numbers that stand alone may have decimal commas."""
    nameless = bool(held.rows) and held.rows[0] is held.head
    return nameless and _is_lone(held.rows), sum(map(bool, held.head[1]))


def _is_lone(rows: Sequence[tuple[int, list[str]]]) -> bool:
    return all(sum(map(bool, cells)) == 1 and _is_number(cells[0]) for _, cells in rows)


def _by_place(rows: Sequence[tuple[int, list[str]]], place: int) -> list[_Column]:
    """Return the column at a place, with the name and the unit that stand above its first number."""
    start = next((i for i, (_, cells) in enumerate(rows) if _is_number(_at(cells, place))), None)
    if start is None or place < 0:
        return []
    above = [i for i in range(start) if _at(rows[i][1], place)]
    if len(above) > 1 and _IN_ROW.fullmatch(rows[above[-1]][1][place]):
        above.pop()
    if not above:
        return [_Column(name=f"column {place + 1}", place=place, head=rows[start], rows=rows[start:])]
    head = above[-1]
    return [_Column(name=rows[head][1][place], place=place, head=rows[head], rows=rows[head + 1 :])]


def _may_be_first(cell: str) -> bool:
    return is_missing(cell) or _IN_ROW.fullmatch(cell) is not None or _is_number(cell)


def _check_rows(held: _Column, file: Path) -> None:
    """Refuse rows that are split wrongly, and such as sum up others."""
    names = max((k for k, cell in enumerate(held.head[1]) if cell), default=0) + 1
    alone = sum(sum(map(bool, cells)) == 1 for _, cells in held.rows) > len(held.rows) / 2
    for row, cells in held.rows:
        if any(cells[names:]):
            raise _trouble(
                file,
                f"row {row} has more cells than row {held.head[0]}",
                got=", ".join(cells)[:60],
                remedy="numbers with commas in them need semicolons or tabs between the cells; name every column",
            )
        if any("\n" in cell for cell in cells):
            raise _trouble(
                file, f"row {row} has a cell of several lines", remedy="look for a quotation mark without its twin"
            )
        said = next((cell for cell in cells if cell[:1].isalpha() and _STATISTICS.fullmatch(cell.rstrip(": "))), "")
        if said or ((_is_label(cells, held) or _is_alone(cells, alone)) and _is_number(_at(cells, held.place))):
            raise _trouble(
                file,
                f"row {row} holds statistics and no mini",
                got=f"'{said or next(filter(None, cells))}'",
                remedy="take such rows out",
            )


def _is_label(cells: Sequence[str], held: _Column) -> bool:
    """Return whether a row begins with a word where the others have numbers."""
    first = next(k for k, cell in enumerate(cells) if cell)
    if not cells[first][0].isalpha() or is_missing(cells[first]) or first == held.place:
        return False
    others = [_at(each, first) for _, each in held.rows]
    return sum(each[:1].isdigit() for each in others) > len(others) / 2


def _is_alone(cells: Sequence[str], others: bool) -> bool:
    """Return whether a row has an amplitude and nothing else, and the others have more."""
    return not others and sum(map(bool, cells)) == 1


def _check_writing(cells: Sequence[str], name: str, file: Path) -> None:
    """Refuse a column in which a comma cannot be told from a point, and per cents."""
    points, commas = (next((cell for cell in cells if each in cell), "") for each in ".,")
    if points and commas:
        raise _trouble(
            file,
            f"the column '{name}' has decimal points and commas",
            got=f"'{points}' and '{commas}'",
            wanted="one of them, and no commas between thousands",
        )
    if per_cent_signs(cells):
        raise _trouble(file, f"the column '{name}' is in per cent", wanted="pA, nA, mV …")


def _fits(cell: str, wanted: str) -> bool:
    if not wanted and "am" not in cell.lower():
        return False  # most cells of a long table
    plain = plain_name(re.sub("[µμ]", "u", cell))
    if wanted:
        return bool(cell) and (cell.lower() == wanted.lower() or plain == plain_name(wanted))
    return bool(_AMPLITUDE.fullmatch(plain))


def _written_unit(name: str) -> str:
    match = _IN_NAME.search(name)
    return (match[1] or match[2]) if match else ""


def _is_number(cell: str) -> bool:
    if is_missing(cell):
        return False
    try:
        return isfinite(numbers_of([cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell], column="")[0])
    except EphysplastError:
        return False


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if 0 <= place < len(cells) else ""


def _check_signs(values: FloatArray, rows: Sequence[int], name: str, file: Path) -> None:
    """Refuse minis of both signs, and of none."""
    up, down = int((values > 0.0).sum()), int((values < 0.0).sum())
    fewer = values <= 0.0 if up >= down else values >= 0.0
    if fewer.any():
        at = int(np.flatnonzero(fewer)[0])
        raise _trouble(
            file,
            f"the column '{name}' has minis of both signs, or of none",
            got=minus(
                f"{int(fewer.sum())} of {values.size} unlike the others, the first {values[at]:g} in row {rows[at]}"
            ),
            wanted="all inward or all outward, without 0",
            remedy="take artefacts and events of the other direction out",
        )


def _trouble(file: Path, what: str, *, got: str = "", wanted: str = "", remedy: str = "") -> FileFormatError:
    return FileFormatError(f"{file.name or file}: {what}", got=got, wanted=wanted, remedy=remedy)
