"""What the commands share: tables, progress and files, and what of them may reach a terminal."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar
from zlib import crc32

import typer

from ephysplast._files import write_text
from ephysplast.errors import EphysplastError, SettingsError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes."""
FIGURE_FORMATS: Final = ("png", "svg", "pdf")
_NAMES: Final = 6


class Read(Protocol):
    """What was read of a cell."""

    @property
    def name(self) -> str:
        """Of the cell."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was taken as what."""


Cell = TypeVar("Cell", bound=Read)


def printable(text: str) -> str:
    """Take out control characters, so that text from a file cannot steer the terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def pair(text: str, option: str) -> tuple[str, str]:
    """Read ``name=value`` as an option gives it."""
    name, sign, value = text.partition("=")
    if not (name.strip() and sign and value.strip()):
        raise SettingsError(f"{option} cannot be read", got=f"'{text}'", wanted="name=value, without spaces")
    return name.strip(), value.strip()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[..., None]]:
    """Show how far a run of several seconds is; what it yields is called after each part, with its name or nothing."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda name="": progress.update(bar, advance=1, description=f"{what} {name}".rstrip())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table that folds where the terminal is narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def write(path: Path, text: str) -> None:
    """Write a text file, with its folder, and say so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, text)
    typer.echo(f"written: {path}")


def columns_given(given: Sequence[str]) -> dict[str, str]:
    """Read what columns hold, as ``--column`` says it."""
    pairs = [pair(each, "--column") for each in given]
    twice = [role for i, (role, _) in enumerate(pairs) if role in dict(pairs[:i])]
    if twice:
        raise SettingsError(
            f"--column names '{twice[0]}' twice", remedy="give each pulse its own: amplitude1, amplitude2"
        )
    return dict(pairs)


def print_reading(cells: "Sequence[Read]") -> None:
    """Say what was taken as what: once where it holds for all cells."""
    said = {
        sentence: [each.name for each in cells if sentence in each.sentences]
        for each in cells
        for sentence in each.sentences
    }
    for sentence, names in said.items():
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        whose = "" if len(names) == len(cells) else f"{', '.join(names[:_NAMES])}{more}: "
        typer.echo(printable(f"{whose}{sentence}"))


def each_cell(
    cells: "Sequence[Cell]",
    what: str,
    do: "Callable[[Cell, np.random.Generator], None]",
    *,
    seed: int,
    failed: list[tuple[str, Exception]],
) -> None:
    """Do one thing with every cell, and show how far it is; what goes wrong with one is kept, and the others go on."""
    import numpy as np

    with progress(what, len(cells)) as advance:
        for cell in cells:
            # A cell's own draws, as in a study: results do not depend on what else is in the table.
            rng = np.random.default_rng([seed, crc32(cell.name.encode())])
            try:
                do(cell, rng)
            except Exception as error:  # noqa: BLE001 - one bad cell must never stop the others; its traceback is kept
                failed.append((cell.name, error))
            advance(printable(cell.name))


def error_in_words(error: Exception) -> str:
    """Say what went wrong with one cell."""
    return str(error) if isinstance(error, EphysplastError) else f"unexpected {type(error).__name__}: {error}"


def error_row(name: str, error: Exception, **answers: str) -> "pd.DataFrame":
    """Return the row of a cell that failed, with the traceback of what nobody foresaw, and the answers it then has."""
    import pandas as pd

    row = {"experiment": name, "status": f"failed: {error_in_words(error)}", **answers}
    if not isinstance(error, EphysplastError):
        row["traceback"] = "".join(traceback.format_exception(error))
    return pd.DataFrame([row])


def as_csv(frames: "Sequence[pd.DataFrame]") -> str:
    """Put tables below each other as CSV, without what a spreadsheet would run as a formula."""
    import pandas as pd

    from ephysplast.study.run import _harmless

    harmless: Any = _harmless
    return pd.concat(frames, ignore_index=True).map(harmless).to_csv(index=False, lineterminator="\n")
