"""Columns of cells out of CSV, XLSX or a data frame, and numbers out of cells as people write them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ephysplast._sheets import read_sheet
from ephysplast.errors import EphysplastError, FileFormatError

if TYPE_CHECKING:
    import pandas as pd

MISSING: Final = frozenset({"", "-", "na", "n/a", "nan", "none", "null", "n.d.", "nd", "?", "<na>", "nat"})
"""What people and programs write, in lower case, where they have nothing to write."""
_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?")

Columns = Mapping[str, Sequence[Any]]
"""Column name → its cells, all of one length."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Table:
    """Rows of a table, with their numbers where they came from.

    Attributes
    ----------
    columns : mapping of str to sequence
        Name → cells.
    row : sequence of int
        Row of the spreadsheet; of a data frame the place, from 1.
    source : str
        What the table is called.
    """

    columns: Columns
    row: Sequence[int]
    source: str

    def chosen(self, indices: Sequence[int]) -> "Table":
        """Return some of the rows."""
        columns = {name: [cells[i] for i in indices] for name, cells in self.columns.items()}
        return Table(columns=columns, row=[self.row[i] for i in indices], source=self.source)

    def numbers(self, column: str) -> list[float]:
        """Return a column as numbers; a missing one is NaN."""
        return numbers_of(self.columns[column], column=column, rows=self.row)


def read_table(table: "str | Path | pd.DataFrame") -> Table:
    """Return the columns of a table.

    Raises
    ------
    FileFormatError
        If the file cannot be opened, is neither CSV nor XLSX, has no rows, or a row with more cells than names.
    """
    if not isinstance(table, (str, Path)):
        columns = {str(name): table[name].tolist() for name in table.columns}
        return Table(columns=columns, row=range(1, len(table) + 1), source="the table")
    path = Path(table)
    rows = read_sheet(path)
    if len(rows) < 2:
        raise FileFormatError(
            f"{path.name} has no rows", wanted="a row of column names and a row for each cell or mean"
        )
    names = rows[0][1]
    doubled = sorted({each for each in names if each and names.count(each) > 1})
    if doubled:
        raise FileFormatError(f"{path.name} has two columns of one name", got=", ".join(doubled))
    for number, row in rows[1:]:
        if any(row[len(names) :]):
            raise FileFormatError(
                f"{path.name}, row {number} has more cells than there are column names",
                got=", ".join(row)[:60],
                remedy="numbers with a decimal comma need semicolons or tabs between the cells",
            )
    filled = [[*row, *[""] * (len(names) - len(row))] for _, row in rows[1:]]
    columns = {name: [row[i] for row in filled] for i, name in enumerate(names) if name}
    return Table(columns=columns, row=[number for number, _ in rows[1:]], source=path.name)


def is_missing(cell: Any) -> bool:
    """Return whether nothing is written in a cell."""
    return str(cell).strip().lower() in MISSING


def as_word(cell: Any) -> str:
    """Return a cell as it reads in a spreadsheet: 40.0 is 40."""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def numbers_of(cells: Sequence[Any], *, column: str, rows: Sequence[int] = ()) -> list[float]:
    """Return the cells as numbers; a missing one is NaN.

    Decimal commas, per cent signs and typographic minus signs are understood.

    Raises
    ------
    EphysplastError
        For a cell that is no number, with its row.

    Examples
    --------
    >>> numbers_of(["1,5", "−12 %", "", 3], column="change")
    [1.5, -12.0, nan, 3.0]
    """
    places = rows or range(1, len(cells) + 1)
    return [_number(cell, row=row, column=column) for row, cell in zip(places, cells, strict=True)]


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
    if is_missing(text):
        return nan
    if text.count(",") == 1 and "." not in text:
        text = text.replace(",", ".")
    if not _NUMBER.fullmatch(text.lower()):
        raise EphysplastError(
            f"a cell of the column '{column}' is not a number",
            got=f"'{cell}' in row {row}",
            wanted="one number",
            remedy="write errors into a column of their own, and words into another",
        )
    return float(text)
