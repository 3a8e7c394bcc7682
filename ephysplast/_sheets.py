"""Rows of cells out of CSV and XLSX, as the spreadsheets of any country write them."""

import csv
import io
import zlib
from datetime import datetime, time
from pathlib import Path
from typing import Final
from zipfile import BadZipFile

from ephysplast.errors import EphysplastError, FileFormatError

_ZIP: Final = b"PK\x03\x04"
_BROKEN: Final = (
    *(BadZipFile, zlib.error, OSError, EOFError),
    *(SyntaxError, LookupError, ValueError, TypeError, AttributeError),
)
"""What openpyxl raises for a damaged workbook; a syntax error is how the XML parser says that a part is broken."""


def read_sheet(
    path: Path, *, error: type[EphysplastError] = FileFormatError, delimiter: str = ""
) -> list[tuple[int, list[str]]]:
    r"""Return the rows of a CSV, or of an XLSX file's first sheet, that hold anything; the contents decide which it is.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    error : type of EphysplastError
        What is raised: whose fault a broken sheet is depends on what it was meant to be.
    delimiter : str
        Between the cells of a CSV; by default the one of ``,``, ``;`` and tab that its first row has most of.

    Returns
    -------
    list of (int, list of str)
        The row's number in the spreadsheet, from 1, and its cells without space around them.

    Raises
    ------
    EphysplastError
        Of the type asked for, if it cannot be opened, is neither, or holds a formula without its value.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "table.csv"
    ...     _ = path.write_text("dt_ms; change\n\n10,5; 1,2\n", encoding="utf-8")
    ...     read_sheet(path)
    [(1, ['dt_ms', 'change']), (3, ['10,5', '1,2'])]
    """
    try:
        raw = path.read_bytes()
    except OSError as trouble:
        remedy = (
            "look at its name and folder" if isinstance(trouble, FileNotFoundError) else "close it in other programs"
        )
        raise error(f"{path.name} cannot be opened", got=trouble.strerror or str(trouble), remedy=remedy) from trouble
    table = _xlsx(raw, path, error) if raw.startswith(_ZIP) else _csv(raw, path, error, delimiter)
    stripped = ((number, [cell.strip() for cell in cells]) for number, cells in enumerate(table, start=1))
    return [(number, cells) for number, cells in stripped if any(cells)]


def _csv(raw: bytes, path: Path, error: type[EphysplastError], delimiter: str) -> list[list[str]]:
    unlike = error(
        f"{path.name} is not a text file",
        wanted="CSV in UTF-8, UTF-16 or Windows-1252, or XLSX",
        remedy="save it again as .xlsx or as .csv",
    )
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise unlike
    if "\0" in text:
        raise unlike
    lines = [line for line in text.splitlines() if line.strip(" ,;\t")]
    declared = lines[0].lower().startswith("sep=") if lines else False
    header = lines[declared] if len(lines) > declared else ""
    delimiter = delimiter or max(",;\t", key=header.count)
    try:
        table = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as trouble:
        raise error(
            f"{path.name} cannot be split into cells",
            got=str(trouble),
            remedy="look for a quotation mark without its twin",
        ) from trouble
    if declared:  # Excel's own way of naming the delimiter
        table[next(i for i, row in enumerate(table) if any(row))] = []
    return table


def _xlsx(raw: bytes, path: Path, error: type[EphysplastError]) -> list[list[str]]:
    from openpyxl import load_workbook

    try:
        sheets = []
        for wants_values in (True, False):
            book = load_workbook(io.BytesIO(raw), read_only=True, data_only=wants_values)
            try:
                sheets.append([list(line) for line in book.worksheets[0].iter_rows(values_only=True)])
            finally:
                book.close()
    except _BROKEN as trouble:
        raise error(
            f"{path.name} is not a spreadsheet that can be read", remedy="save it again as .xlsx or .csv"
        ) from trouble
    values, formulas = sheets
    for number, (line, written) in enumerate(zip(values, formulas, strict=True), start=1):
        for value, formula in zip(line, written, strict=True):
            if value is None and formula is not None:
                raise error(
                    f"{path.name}, row {number} has a formula without its value",
                    got=f"'{formula}'",
                    remedy="open and save it in a spreadsheet program, or write the value itself",
                )
    return [[_cell(value) for value in line] for line in values]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # spreadsheets keep 3 as 3.0
    if isinstance(value, datetime) and value.time() == time():
        return value.date().isoformat()
    return str(value)
