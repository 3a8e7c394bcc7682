"""The study's own database: one SQLite file, one transaction per experiment, so a killed run loses nothing."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from ephysplast.errors import EphysplastError

if TYPE_CHECKING:
    import pandas as pd

FILE: Final = "study.sqlite"
ERRORS: Final = "errors"
TABLES: Final = (
    "experiments",
    "time_course",
    "sweeps",
    "responses",
    "cells",
    "steps",
    "spikes",
    "readings",
    "release",
    "evidence",
    "quality",
    "induction",
    "files",
    ERRORS,
)
"""The tables of a study; each is written as CSV too."""

_TRUTH: Final = "BOOLEAN"


class Store:
    """Results of the experiments of one study, or of the cells of one table.

    Parameters
    ----------
    path : pathlib.Path
        The SQLite file; made when absent. It is in WAL mode, which wants a local disk.
    tables : tuple of str
        What it holds; :data:`TABLES`, those of a study, by default.

    Notes
    -----
    Everything of one experiment is written in one transaction with its key, a hash of what the results depend on.
    An experiment whose key stands already need not be run again.
    """

    def __init__(self, path: Path, tables: tuple[str, ...] = TABLES) -> None:
        self.tables = tables
        try:
            self._connection = sqlite3.connect(path, timeout=30.0, isolation_level=None)
        except sqlite3.Error as error:
            raise _unfit(path, error) from error
        try:
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            for columns in (
                "manifest (experiment TEXT PRIMARY KEY, position INTEGER)",
                "done (experiment TEXT PRIMARY KEY, key TEXT NOT NULL, failed INTEGER)",
            ):
                self._connection.execute(f"CREATE TABLE IF NOT EXISTS {columns}")
            self._connection.execute("SELECT experiment, key, failed FROM done LIMIT 1")
        except sqlite3.DatabaseError as error:
            self._connection.close()
            raise _unfit(path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the database; what was committed stays."""
        self._connection.close()

    def has(self, experiment: str, key: str) -> bool:
        """Whether the experiment's results stand, made from the same files, rows and settings, without failure."""
        query = "SELECT 1 FROM done WHERE experiment = ? AND key = ? AND NOT failed"
        return self._connection.execute(query, (experiment, key)).fetchone() is not None

    def put(self, experiment: str, key: str, tables: "Mapping[str, pd.DataFrame]", *, failed: bool) -> None:
        """Replace all that is known of an experiment, in one transaction.

        Parameters
        ----------
        experiment, key : str
            Its name, and the hash of what the results depend on.
        tables : mapping of str to pandas.DataFrame
            Rows for some of its tables; each frame has an ``experiment`` column.
        failed : bool
            True for an error row: it will be tried again next time.
        """
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            try:
                self._forget(cursor, experiment)
                for name, frame in tables.items():
                    if len(frame.columns):
                        _insert(cursor, name, frame)
                cursor.execute("INSERT INTO done VALUES (?, ?, ?)", (experiment, key, int(failed)))
                cursor.execute("COMMIT")
            except BaseException as error:
                if self._connection.in_transaction:  # a full disk may have ended it already
                    cursor.execute("ROLLBACK")
                if isinstance(error, sqlite3.OperationalError):
                    raise _unfit(Path(FILE), error) from error
                raise

    def arrange(self, experiments: tuple[str, ...]) -> None:
        """Keep the experiments of the manifest, in its order, and forget those that it no longer has."""
        known = [row[0] for row in self._connection.execute("SELECT experiment FROM done")]
        with closing(self._connection.cursor()) as cursor:
            cursor.execute("BEGIN IMMEDIATE")
            for name in set(known) - set(experiments):
                self._forget(cursor, name)
            cursor.execute("DELETE FROM manifest")
            cursor.executemany(
                "INSERT INTO manifest VALUES (?, ?)", list(zip(experiments, range(len(experiments)), strict=True))
            )
            cursor.execute("COMMIT")

    def frame(self, table: str) -> "pd.DataFrame":
        """Return one of its tables, experiments in the manifest's order; empty when nothing was written to it."""
        import pandas as pd

        if table not in self.tables:
            raise EphysplastError(f"a study has no table '{table}'", wanted=", ".join(self.tables))
        if not _columns(self._connection, table):
            return pd.DataFrame()
        query = (
            f'SELECT t.* FROM "{table}" t LEFT JOIN manifest USING (experiment) '  # noqa: S608 - a fixed name
            "ORDER BY manifest.position, t.rowid"
        )
        frame = pd.read_sql_query(query, self._connection)
        for name in _yes_or_no(self._connection, table):
            frame[name] = frame[name].map({0: False, 1: True}).astype(object)
        return frame

    def _forget(self, cursor: sqlite3.Cursor, experiment: str) -> None:
        for name in self.tables:
            if _columns(self._connection, name):
                cursor.execute(f'DELETE FROM "{name}" WHERE experiment = ?', (experiment,))  # noqa: S608 - a fixed name
        cursor.execute("DELETE FROM done WHERE experiment = ?", (experiment,))


def _unfit(path: Path, error: sqlite3.Error) -> EphysplastError:
    return EphysplastError(
        f"{path} is not a study database, or another program holds it, or it may not be written",
        got=str(error),
        remedy="make room on the disk, choose another output folder, or move the file away",
    )


def _columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]


def _yes_or_no(connection: sqlite3.Connection, table: str) -> list[str]:
    """Name the columns of truth values, which SQLite keeps as 0 and 1."""
    return [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")') if row[2] == _TRUTH]


def _insert(cursor: sqlite3.Cursor, table: str, frame: "pd.DataFrame") -> None:
    columns = [str(each) for each in frame.columns]
    quoted = [_quoted(each) for each in columns]
    declared = [
        f"{name} {_TRUTH}" if kind.kind == "b" else name for name, kind in zip(quoted, frame.dtypes, strict=True)
    ]
    there = _columns(cursor.connection, table)
    if not there:
        cursor.execute(f'CREATE TABLE "{table}" ({", ".join(declared)})')
    for name, column in zip(columns, declared, strict=True):
        if there and name not in there:
            cursor.execute(f'ALTER TABLE "{table}" ADD COLUMN {column}')
    marks = ", ".join("?" * len(columns))
    values = frame.astype(object).where(frame.notna(), None)
    cursor.executemany(
        f'INSERT INTO "{table}" ({", ".join(quoted)}) VALUES ({marks})',  # noqa: S608 - names are quoted
        (tuple(_plain(each) for each in row) for row in values.itertuples(index=False, name=None)),
    )


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def _plain(value: object) -> object:
    """Turn a NumPy scalar into the Python number that SQLite can keep."""
    return value.item() if hasattr(value, "item") else value
