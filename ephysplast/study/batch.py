"""A batch: many pieces of work, several at a time, each kept as it comes; one that fails stops nothing."""

import hashlib
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field, fields, is_dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeAlias, TypeVar
from zlib import crc32

import numpy as np

import ephysplast
from ephysplast._files import write_text
from ephysplast.errors import EphysplastError
from ephysplast.study.store import ERRORS, Store

if TYPE_CHECKING:
    import pandas as pd

Tables: TypeAlias = "dict[str, pd.DataFrame]"
Of = TypeVar("Of")
OfWork = TypeVar("OfWork", contravariant=True)

FIGURE_FORMATS: Final = ("png", "svg", "pdf")
"""Of the figures of a table's cells."""

_RESERVED: Final = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
_MANY: Final = 4
"""So many pieces of work are worth a worker of their own, which takes seconds to start."""


_KILLS: Final = 2
"""So often a piece of work may kill a worker that has nothing else to do."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """How one experiment, or one cell of a table, came out.

    Attributes
    ----------
    experiment : str
        Its name.
    key : str
        Hash of what its results depend on.
    tables : mapping of str to pandas.DataFrame
        Its rows for the tables of the database; empty when the results of an earlier run stand.
    failed : bool
        True when it could not be measured (a missing file, a wrong channel) or drawn; a refusal is not a failure.
    stands : bool
        True when an earlier run's results were kept, since nothing they depend on has changed.
    message : str
        The error, when it failed.
    """

    experiment: str
    key: str
    tables: Tables = field(default_factory=dict)
    failed: bool = False
    stands: bool = False
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """How the results of a batch are kept in the output folder.

    Attributes
    ----------
    database : str
        The SQLite file, which an interrupted run goes on with.
    tables : tuple of str
        What it holds; each is written as CSV too.
    arrange : callable
        Puts the columns of a table in order, whatever was finished first: its name and rows to its rows.
    errors : str
        Name of the CSV of errors, where another batch may lie in the same folder.
    """

    database: str
    tables: tuple[str, ...]
    arrange: "Callable[[str, pd.DataFrame], pd.DataFrame]"
    errors: str = ERRORS


@dataclass(frozen=True, eq=False, kw_only=True)
class Task(Generic[Of]):
    """One piece of work.

    Attributes
    ----------
    name, key : str
        Of the experiment or cell, and the hash of what its results depend on; see :func:`key_of`.
    of : object
        What is to be measured.
    figure : pathlib.Path or None
        A file that must be there for the results of an earlier run to stand.
    """

    name: str
    key: str
    of: Of
    figure: Path | None = None


class Work(Protocol[OfWork]):
    """What is done with each; it goes to the workers, and so is a dataclass of settings."""

    def measure(self, of: OfWork) -> tuple[Tables, Callable[[], None]]:
        """Return rows for the tables, and what draws the figure."""

    def lost(self, of: OfWork, message: str, trace: str = "") -> Tables:
        """Return the rows of what could not be measured, among them those of the table of errors."""


def keep_batch(
    tasks: Sequence[Task[Of]],
    work: Work[Of],
    *,
    out: Path,
    kept: Kept,
    jobs: int = 1,
    unread: Sequence[tuple[str, Tables]] = (),
) -> Iterator[Outcome]:
    """Do one piece of work after the other, or several at a time, and commit each as it comes.

    Parameters
    ----------
    tasks : sequence of Task
        Names are unique.
    work : Work
        What is done with each.
    out : pathlib.Path
        The output folder, which is there: what stands in its database need not be done again.
    kept : Kept
        How results are kept there.
    jobs : int
        Worker processes; 1 works in this process. Results do not depend on it.
    unread : sequence of (str, mapping of str to pandas.DataFrame)
        Name and rows of what could not be read, and so is no task.

    Yields
    ------
    Outcome
        One per task: those whose results stand first, then in order of completion. When the iterator is exhausted or
        closed, the tables of all that was done have been written as CSV.
    """
    with Store(out / kept.database, kept.tables) as store:
        store.arrange((*(each.name for each in tasks), *(name for name, _ in unread)))
        try:
            for name, tables in unread:
                store.put(name, "", tables, failed=True)
            yield from _run_batch(tasks, work, store, jobs)
        finally:
            _export(store, out, kept)


def _run_batch(tasks: Sequence[Task[Of]], work: Work[Of], store: Store, jobs: int) -> Iterator[Outcome]:
    todo = []
    for task in tasks:
        if store.has(task.name, task.key) and (task.figure is None or task.figure.is_file()):
            yield Outcome(experiment=task.name, key=task.key, stands=True)
        else:
            todo.append(task)
    for outcome in _outcomes(todo, work, jobs):
        store.put(outcome.experiment, outcome.key, outcome.tables, failed=outcome.failed)
        yield outcome


def run_one(task: Task[Of], work: Work[Of]) -> Outcome:
    """Measure and draw one; what goes wrong becomes its error row, and of what was measured nothing is lost."""
    found: Tables = {}
    try:
        found, draw = work.measure(task.of)
        _draw(draw)
    except EphysplastError as error:
        message, trace = str(error), ""
    except Exception as error:  # noqa: BLE001 - one bad experiment must never stop the batch; its traceback is kept
        message, trace = f"unexpected {type(error).__name__}: {error}", traceback.format_exc()
    else:
        return Outcome(experiment=task.name, key=task.key, tables=found)
    return _failed(task, work, message, trace, found)


def _failed(task: Task[Of], work: Work[Of], message: str, trace: str = "", found: "Tables | None" = None) -> Outcome:
    lost = work.lost(task.of, message, trace)
    tables = found | {ERRORS: lost[ERRORS]} if found else lost
    return Outcome(experiment=task.name, key=task.key, failed=True, message=message, tables=tables)


def _draw(draw: Callable[[], None]) -> None:
    try:
        draw()
    except OSError as error:
        raise EphysplastError(
            "the figure cannot be written",
            got=error.strerror or str(error),
            remedy="make room on the disk or close the figure where it is open, and run the same command again",
        ) from error


def workers(jobs: int, n_tasks: int) -> int:
    """Return how many worker processes to use when `jobs` of them are asked for; 0 leaves the choice to us."""
    return jobs or min(os.cpu_count() or 1, n_tasks // _MANY) or 1


def key_of(*parts: object) -> str:
    """Hash what results depend on: the program's version and everything in `parts`, arrays and dataclasses included.

    Examples
    --------
    >>> key_of(np.arange(3)) == key_of(np.arange(3)), key_of(np.arange(3)) == key_of([0, 1, 2])
    (True, False)
    """
    digest = hashlib.sha256(ephysplast.__version__.encode())
    for piece in _pieces(parts):
        # Each with its length, so that no two lists of pieces give the same bytes.
        digest.update(len(piece).to_bytes(8, "little") + piece)
    return digest.hexdigest()


def _pieces(value: object) -> Iterator[bytes]:
    if is_dataclass(value) and not isinstance(value, type):
        yield type(value).__name__.encode()
        for each in fields(value):
            yield from _pieces(getattr(value, each.name))
    elif isinstance(value, np.ndarray):
        yield f"{value.dtype.str} {value.shape}".encode()
        yield repr(value.tolist()).encode() if value.dtype.hasobject else value.tobytes()
    elif isinstance(value, Mapping):
        yield from _pieces(list(value.items()))
    elif isinstance(value, list | tuple):
        yield f"{len(value)} of".encode()
        for part in value:
            yield from _pieces(part)
    else:
        yield repr(value).encode()


def slug(name: str) -> str:
    """Turn an experiment's name into a file name that every system accepts; different names stay different.

    Examples
    --------
    >>> slug("cell_07")
    'cell_07'
    >>> slug("PV->PC 1/2").startswith("PV-_PC_1_2-")
    True
    """
    safe = re.sub(r"[^A-Za-z0-9_\-]+", "_", name)[:80]
    # Windows and macOS fold case, so two names that differ in case alone must differ elsewhere too.
    if safe == name and name == name.lower() and name not in _RESERVED:
        return safe
    return f"{safe}-{crc32(name.encode()):08x}"


def _export(store: Store, out: Path, kept: Kept) -> None:
    """Write every table as CSV, without what a spreadsheet would run as a formula; a table without rows has none."""
    for table in store.tables:
        frame, target = store.frame(table), out / f"{kept.errors if table == ERRORS else table}.csv"
        if len(frame):
            write_text(target, kept.arrange(table, frame).map(harmless).to_csv(index=False, lineterminator="\n"))
        else:
            target.unlink(missing_ok=True)


def harmless(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula; signs (+/+, -70) are left alone."""
    text = cell.lstrip() if isinstance(cell, str) else ""
    runs = text.startswith(("=", "@")) or (text.startswith(("+", "-")) and any(each in text for each in "(|!"))
    return f"'{cell}" if runs else cell


def make_folders(folders: Iterable[Path]) -> None:
    """Make the folders of the output, or say which cannot be made."""
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EphysplastError(
                f"the output folder {folder} cannot be made",
                got=error.strerror or str(error),
                wanted="a folder that may be written to",
                remedy="choose another with -o",
            ) from error


def _outcomes(todo: Sequence[Task[Of]], work: Work[Of], jobs: int) -> Iterator[Outcome]:
    if jobs <= 1 or len(todo) <= 1:
        yield from map(partial(run_one, work=work), todo)
        return
    left = list(todo)
    try:
        for task, outcome in _pooled(todo, work, jobs):
            left.remove(task)
            yield outcome
    except BrokenProcessPool:
        yield from _one_by_one(left, work)


def _pooled(todo: Sequence[Task[Of]], work: Work[Of], jobs: int) -> Iterator[tuple[Task[Of], Outcome]]:
    pool = _pool(min(jobs, len(todo)))
    try:
        waiting: dict[Future[Outcome], Task[Of]] = {pool.submit(run_one, task, work): task for task in todo}
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                task = waiting.pop(future)
                yield task, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(todo: Sequence[Task[Of]], work: Work[Of]) -> Iterator[Outcome]:
    """Work on what a killed worker lost, one at a time in a worker: what kills it is known then, and stops nothing."""
    left, killed = list(todo), 0
    while left:
        pool = _pool(1)
        try:
            while left:
                outcome = pool.submit(run_one, left[0], work).result()
                left.pop(0)
                killed = 0
                yield outcome
        except BrokenProcessPool:
            killed += 1
            if killed == _KILLS:
                killed = 0
                yield _failed(
                    left.pop(0),
                    work,
                    "the process that measured it was killed twice. To do: check its files with ephysplast inspect, "
                    "and whether memory is short",
                )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(n_workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(n_workers, mp_context=get_context("spawn"), initializer=_leave_with_the_batch)


def _leave_with_the_batch() -> None:
    """Let a worker ignore Ctrl-C, which is the batch's to answer, and end when the batch was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batch = parent_process()
    if batch is not None:
        Thread(target=_end_after, args=(batch,), daemon=True).start()


def _end_after(batch: BaseProcess) -> None:
    batch.join()
    os._exit(1)
