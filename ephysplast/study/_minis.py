"""Tables of minis as event detectors export them: which column holds amplitudes, and in which unit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast._sheets import read_sheet
from ephysplast._words import minus
from ephysplast.errors import EphysplastError, FileFormatError, near_names
from ephysplast.fitting._columns import plain_name
from ephysplast.fitting._tables import is_missing, numbers_of
from ephysplast.recording import FloatArray
from ephysplast.units import ELECTRODE_UNITS

_UNITS: Final = {name.lower(): held for name, held in ELECTRODE_UNITS.items()}
_UNIT: Final = r"[kmunpf]?[av]"
_AMPLITUDE: Final = re.compile(
    r"(?:(?:event|mini|peak|mean|corrected|[ms]?[ei]ps[cp]s?)_)*(?:amplitudes?|ampl?s?)" rf"(?:_{_UNIT})?"
)
_IN_NAME: Final = re.compile(r"(?:[\s_]([kmunpfµμ][AV])|[(\[]\s*([kmunpfµμ]?[AV])\s*[)\]])\s*$", re.IGNORECASE)
_IN_ROW: Final = re.compile(r"[(\[]?\s*([kmunpfµμ]?[AV])\s*[)\]]?", re.IGNORECASE)
_THOUSANDS: Final = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+\.\d*")
_STATISTICS: Final = ("mean", "average", "avg", "median", "sd", "std", "s.d.", "sem", "s.e.m.", "stdev", "std dev")
_DELIMITERS: Final = ("\t", ";", ",")


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
    name: str
    cells: Sequence[str]
    rows: Sequence[int]
    width: int


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
        If the file cannot be read, no column or several may hold amplitudes, a cell is no number, a row holds
        statistics, or amplitudes are of both signs or 0; it names file, column and row.

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
    cells, rows = list(held.cells), list(held.rows)
    word = _written_unit(held.name)
    first = _IN_ROW.fullmatch(cells[0].strip()) if cells else None
    if first:  # a row of units below the names
        word, cells, rows = first[1], cells[1:], rows[1:]
    unit, factor = unit_meant(word) or ("", 1.0)
    plain = [cell.replace(",", "") if _THOUSANDS.fullmatch(cell) else cell for cell in cells]
    values = factor * np.array(numbers_of(plain, column=f"{held.name} of {file.name}", rows=rows), dtype=np.float64)
    known = np.isfinite(values)
    if not known.any():
        raise _trouble(file, f"the column '{held.name}' holds no amplitudes", wanted="one row per mini")
    _check_signs(values[known], [row for row, here in zip(rows, known, strict=True) if here], held.name, file)
    return Minis(amplitude=values[known], unit=unit, column=held.name)


def _find(file: Path, wanted: str) -> _Column:
    """Find the column of amplitudes; of the ways to split the lines that which makes most cells of its header."""
    tried: list[tuple[_Column, list[str]]] = []
    sheets = [read_sheet(file, delimiter=each) for each in _DELIMITERS]
    if not sheets[0]:
        raise _trouble(file, "holds nothing", wanted="one row per mini")
    for rows in sheets:
        tried += _candidates(rows, wanted, file)
    if tried:
        best, others = max(tried, key=lambda each: each[0].width)
        if others:
            raise _trouble(
                file,
                "has several columns that may hold the amplitudes of minis",
                got=", ".join((best.name, *others)),
                remedy=f"say which: {file.name}::{best.name}",
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


def _candidates(rows: Sequence[tuple[int, list[str]]], wanted: str, file: Path) -> list[tuple[_Column, list[str]]]:
    """Return the column, if it is found when the lines are split so, and the names of others that fit as well."""
    if wanted.isdecimal():
        place = int(wanted) - 1
        start = next((i for i, (_, cells) in enumerate(rows) if _is_number(_at(cells, place))), None)
        return [] if start is None or place < 0 else [(_column(rows, start, place, f"column {wanted}", file), [])]
    for i, (_, cells) in enumerate(rows):
        places = [k for k, cell in enumerate(cells) if _fits(cell, wanted)]
        if places:
            exact = [k for k in places if cells[k].lower() == wanted.lower()]
            places = exact if len(exact) == 1 else places
            others = [cells[k] for k in places[1:]]
            return [(_column(rows, i + 1, places[0], cells[places[0]], file), others)]
    if not wanted and rows and all(sum(map(bool, cells)) == 1 and _is_number(cells[0]) for _, cells in rows):
        return [(_column(rows, 0, 0, "the only one", file), [])]
    return []


def _column(rows: Sequence[tuple[int, list[str]]], start: int, place: int, name: str, file: Path) -> _Column:
    below = rows[start:]
    for row, cells in below:
        said = next((cell for cell in cells if cell.lower().rstrip(":") in _STATISTICS), "")
        if said:
            raise _trouble(
                file, f"row {row} holds statistics and no mini", got=f"'{said}'", remedy="take such rows out"
            )
    width = sum(map(bool, rows[max(start - 1, 0)][1]))
    held = [_at(cells, place) for _, cells in below]
    return _Column(name=name, cells=held, rows=[row for row, _ in below], width=width)


def _fits(cell: str, wanted: str) -> bool:
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
    return FileFormatError(f"{file.name}: {what}", got=got, wanted=wanted, remedy=remedy)
