"""What the commands share: tables, progress and files, and what of them may reach a terminal."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import typer

from ephysplast._files import write_text
from ephysplast.errors import SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from ephysplast.study import Outcome

FAILED, USAGE, INTERRUPTED = 1, 2, 130
"""Exit codes."""
_NAMES: Final = 6


class Read(Protocol):
    """What was read of a cell."""

    @property
    def name(self) -> str:
        """Of the cell."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was taken as what."""


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
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(what, total=total)
        yield lambda name="": progress.update(bar, advance=1, description=f"{what} {name}".rstrip())


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]], *, lines: bool = False) -> None:
    """Print a table that folds where the terminal is narrow."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(show_lines=lines)
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


def watch(what: str, total: int, outcomes: "Iterable[Outcome]", output: Path) -> "list[Outcome]":
    """Show how far a batch is, and return how it came out; Ctrl-C leaves, and says what is kept."""
    done: list[Outcome] = []
    try:
        with progress(what, total) as advance:
            for outcome in outcomes:
                done.append(outcome)
                advance(printable(outcome.experiment))
    except KeyboardInterrupt:
        kept = f"{len(done)} of {total} are kept in {output}"
        typer.echo(f"interrupted: {kept}; run the same command to go on", err=True)
        raise typer.Exit(INTERRUPTED) from None
    return done


def print_verdicts(what: str, rows: "pd.DataFrame") -> None:
    """Print what changed and where: one row per experiment or cell."""
    printed = []
    for row in rows.to_dict("records"):
        ratio = row.get("change")  # absent where nothing could be measured
        known = ratio is not None and ratio == ratio
        change = f"{ratio:.2f} [{row['change_low']:.2f}, {row['change_high']:.2f}]" if known else ""
        of_cell = row.get("changes")  # NaN where no verdict was reached
        change = change or (of_cell if isinstance(of_cell, str) and of_cell else "–")
        why = row["status"] if row["sign"] in ("refused", "failed") else row["locus_sentence"] or row["sign_sentence"]
        cells = (row["experiment"], row["response"], row["sign"], change, row["locus"], why)
        printed.append([str(cell) for cell in cells])
    print_table((what, "response", "sign", "change", "locus", "why"), printed, lines=True)


def print_ending(outcomes: "Sequence[Outcome]", *, n_unread: int = 0) -> bool:
    """Count how many were done, stood from the last run, or failed; return whether any failed."""
    counts = Counter(
        "failed" if each.failed else "unchanged since the last run" if each.stands else "done" for each in outcomes
    )
    counts["failed"] += n_unread
    typer.echo(", ".join(f"{count} {word}" for word, count in counts.items() if count))
    return bool(counts["failed"])
