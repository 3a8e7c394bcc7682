"""What the commands share: tables, progress and files, and what of them may reach a terminal."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import typer

from ephysplast._files import write_text
from ephysplast.errors import SettingsError


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
