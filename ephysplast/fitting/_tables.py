"""Columns of cells out of CSV, XLSX or a data frame, and numbers out of cells as people write them."""

import csv
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zipfile import BadZipFile

from ephysplast.errors import EphysplastError, FileFormatError

if TYPE_CHECKING:
    import pandas as pd

_ZIP: Final = b"PK\x03\x04"
_BROKEN: Final = (
    *(BadZipFile, zlib.error, OSError, EOFError),
    *(SyntaxError, LookupError, ValueError, TypeError, AttributeError),
)
"""What openpyxl raises for a damaged workbook."""
_MISSING: Final = {"", "-", "na", "n/a", "nan", "none", "null", "n.d.", "nd", "?"}
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")

Columns = Mapping[str, Sequence[Any]]
"""Column name → its cells, all of one length."""


def read_columns(table: "str | Path | pd.DataFrame") -> tuple[Columns, str]:
    """Return the columns of a table and what it is called.

    Raises
    ------
    FileFormatError
        If the file cannot be opened, is neither CSV nor XLSX, or has no rows.
    """
    if not isinstance(table, (str, Path)):
        return {str(name): table[name].tolist() for name in table.columns}, "the table"
    path = Path(table)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise FileFormatError(
            f"{path.name} cannot be opened", got=error.strerror or str(error), remedy="look at its name and folder"
        ) from error
    rows = _xlsx_rows(raw, path) if raw.startswith(_ZIP) else _csv_rows(raw, path)
    rows = [row for row in rows if any(str(cell).strip() for cell in row)]
    if len(rows) < 2:
        raise FileFormatError(
            f"{path.name} has no rows", wanted="a row of column names and a row for each cell or mean"
        )
    names = [str(cell).strip() for cell in rows[0]]
    doubled = sorted({each for each in names if each and names.count(each) > 1})
    if doubled:
        raise FileFormatError(f"{path.name} has two columns of one name", got=", ".join(doubled))
    filled = [[*row, *[""] * (len(names) - len(row))] for row in rows[1:]]
    return {name: [row[i] for row in filled] for i, name in enumerate(names) if name}, path.name


def numbers_of(cells: Sequence[Any], *, column: str) -> list[float]:
    """Return the cells as numbers; a missing one is NaN.

    Decimal commas, per cent signs and typographic minus signs are understood.

    Raises
    ------
    EphysplastError
        For a cell that is no number, with its row (the first below the names is 1).

    Examples
    --------
    >>> numbers_of(["1,5", "−12 %", "", 3], column="change")
    [1.5, -12.0, nan, 3.0]
    """
    return [_number(cell, row=row, column=column) for row, cell in enumerate(cells, start=1)]


def per_cent_signs(cells: Sequence[Any]) -> int:
    """Count the cells with a per cent sign."""
    return sum(isinstance(cell, str) and cell.rstrip().endswith("%") for cell in cells)


def _number(cell: Any, *, row: int, column: str) -> float:
    if cell is None:
        return nan
    if not isinstance(cell, str):
        try:
            value = float(cell)
        except (TypeError, ValueError):
            value = nan  # what pandas writes for missing cells of some types
        return value if isfinite(value) else nan
    text = cell.strip().replace("−", "-").replace("–", "-").removesuffix("%").strip()
    if text.lower() in _MISSING:
        return nan
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text.lower()):
        raise EphysplastError(
            f"a cell of the column '{column}' is not a number", got=f"'{cell}' in row {row}", wanted="one number"
        )
    return float(text)


def _csv_rows(raw: bytes, path: Path) -> list[list[str]]:
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            break
    else:
        raise FileFormatError(
            f"{path.name} is not a table", wanted="CSV or XLSX", remedy="save it again as .csv or .xlsx"
        )
    lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
    declared = bool(lines) and lines[0].lower().startswith("sep=")  # Excel's own way of naming the delimiter
    lines = lines[declared:]
    delimiter = max(",;\t", key=lines[0].count) if lines else ","
    try:
        return list(csv.reader(io.StringIO("\n".join(lines), newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise FileFormatError(f"{path.name} cannot be split into cells", got=str(error)) from error


def _xlsx_rows(raw: bytes, path: Path) -> list[list[Any]]:
    from openpyxl import load_workbook

    try:
        book = load_workbook(io.BytesIO(raw), read_only=True, data_only=True)
        try:
            lines = book.worksheets[0].iter_rows(values_only=True)
            return [["" if cell is None else cell for cell in line] for line in lines]
        finally:
            book.close()
    except _BROKEN as error:
        raise FileFormatError(
            f"{path.name} is not a spreadsheet that can be read", remedy="save it again as .xlsx or .csv"
        ) from error
