"""Run a study: every experiment of a manifest, in parallel, resumable, with one bad file never stopping the rest."""

import hashlib
import os
import re
import signal
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.process import BaseProcess
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Final, TypeAlias
from zlib import crc32

import ephysplast
from ephysplast._files import write_text
from ephysplast.errors import EphysplastError
from ephysplast.experiment import CELL_KINDS, Experiment
from ephysplast.study.measure import analyse_experiment
from ephysplast.study.measured import ExcitabilityPhase, ExperimentResult, ReversalPhase
from ephysplast.study.settings import Settings, to_toml
from ephysplast.study.store import FILE, TABLES, Store
from ephysplast.study.tables import error_tables, in_order, tables_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FIGURES: Final = "figures"
SETTINGS_USED: Final = "settings_used.toml"
_RESERVED: Final = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}


@dataclass(frozen=True, eq=False, kw_only=True)
class Outcome:
    """How one experiment came out.

    Attributes
    ----------
    experiment : str
        Its name.
    tables : mapping of str to pandas.DataFrame
        Its rows for the study's tables; empty when the results of an earlier run stand.
    failed : bool
        True when it could not be measured (a missing file, a wrong channel); a refusal is not a failure.
    stands : bool
        True when an earlier run's results were kept, since nothing they depend on has changed.
    message : str
        The error, when it failed.
    """

    experiment: str
    key: str
    tables: "dict[str, pd.DataFrame]" = field(default_factory=dict)
    failed: bool = False
    stands: bool = False
    message: str = ""


def run_study(
    experiments: Sequence[Experiment],
    out: Path,
    *,
    settings: Settings | None = None,
    jobs: int = 1,
    figures: bool = True,
) -> Iterator[Outcome]:
    """Analyse experiments one after the other, or several at a time, and keep each as it comes.

    Parameters
    ----------
    experiments : sequence of Experiment
        Names are unique.
    out : pathlib.Path
        The output folder; made when absent. Results are committed to its database as they arrive, so an interrupted
        run goes on where it stopped when it is started again.
    settings : Settings, optional
        Defaults apply otherwise.
    jobs : int
        Worker processes; 1 works in this process. Results do not depend on it.
    figures : bool
        Draw one figure per experiment (SVG and PNG) into ``out/figures``.

    Yields
    ------
    Outcome
        One per experiment, in order of completion. When the iterator is exhausted or closed, the tables of all that
        was done have been written as CSV.
    """
    chosen = settings or Settings()
    folder = out / FIGURES if figures else None
    _make_folders(out, *([folder] if folder else []))
    write_text(out / SETTINGS_USED, to_toml(chosen))
    with Store(out / FILE) as store:
        store.arrange(tuple(each.name for each in experiments))
        todo = []
        try:
            for experiment in experiments:
                key = _key(experiment, chosen)
                if store.has(experiment.name, key) and (
                    folder is None or (folder / f"{slug(experiment.name)}.svg").is_file()
                ):
                    yield Outcome(experiment=experiment.name, key=key, stands=True)
                else:
                    todo.append((experiment, key))
            for outcome in _outcomes(todo, partial(run_one, settings=chosen, figures=folder), jobs):
                store.put(outcome.experiment, outcome.key, outcome.tables, failed=outcome.failed)
                yield outcome
        finally:
            _export(store, out)


def run_one(task: tuple[Experiment, str], *, settings: Settings, figures: Path | None) -> Outcome:
    """Analyse one experiment and draw its figure; whatever goes wrong becomes its error row."""
    experiment, key = task
    try:
        result = analyse_experiment(experiment, settings=settings)
        tables = tables_of(result)
        if figures:
            _draw(result, settings, figures)
    except EphysplastError as error:
        return Outcome(
            experiment=experiment.name,
            key=key,
            failed=True,
            message=str(error),
            tables=error_tables(experiment, str(error)),
        )
    except Exception as error:  # noqa: BLE001 - one bad experiment must never stop the batch; its traceback is kept
        message = f"unexpected {type(error).__name__}: {error}"
        tables = error_tables(experiment, message, traceback.format_exc())
        return Outcome(experiment=experiment.name, key=key, failed=True, message=message, tables=tables)
    return Outcome(experiment=experiment.name, key=key, tables=tables)


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


def _draw(result: ExperimentResult, settings: Settings, folder: Path) -> None:
    from ephysplast.plotting import save_figure  # matplotlib: only where a figure is drawn

    try:
        save_figure(_figure(result, settings), folder / slug(result.experiment.name))
    except OSError as error:
        raise EphysplastError(
            "the figure cannot be written",
            got=error.strerror or str(error),
            remedy="make room on the disk or close the figure where it is open, and run the same command again",
        ) from error


def _figure(result: ExperimentResult, settings: Settings) -> "Figure":
    from ephysplast.plotting import excitability_figure, experiment_figure, reversal_figure

    experiment, verdict = result.experiment, result.verdict
    of = experiment.connection.post if experiment.response in CELL_KINDS else str(experiment.connection)
    title, subtitle = experiment.name, ", ".join(filter(None, (experiment.response, of)))
    stepped = {name: each for name, each in result.cell.items() if isinstance(each, ExcitabilityPhase)}
    if stepped:
        return excitability_figure(
            title=title,
            subtitle=subtitle,
            steps={name: each.steps for name, each in stepped.items()},
            excitability={name: each.summary for name, each in stepped.items()},
            verdict=verdict,
        )
    read = {name: each.summary for name, each in result.cell.items() if isinstance(each, ReversalPhase)}
    if read:
        return reversal_figure(title=title, subtitle=subtitle, reversal=read, verdict=verdict)
    test, control = result.pathways["test"], result.pathways.get("control")
    return experiment_figure(
        title=title,
        subtitle=subtitle,
        table=test.table,
        control=control.table if control else None,
        evoked={name: each.evoked for name, each in test.phases.items()},
        paired_pulse={name: each.paired_pulse for name, each in test.phases.items() if each.paired_pulse is not None},
        verdict=verdict,
        config=settings.classify,
    )


_Task: TypeAlias = tuple[Experiment, str]


def _outcomes(todo: Sequence[_Task], work: Callable[[_Task], Outcome], jobs: int) -> Iterator[Outcome]:
    if jobs <= 1 or len(todo) <= 1:
        yield from map(work, todo)
        return
    left = list(todo)
    try:
        for task, outcome in _pooled(todo, work, jobs):
            left.remove(task)
            yield outcome
    except BrokenProcessPool:
        yield from _one_by_one(left, work)


def _pooled(todo: Sequence[_Task], work: Callable[[_Task], Outcome], jobs: int) -> Iterator[tuple[_Task, Outcome]]:
    pool = _pool(min(jobs, len(todo)))
    try:
        waiting: dict[Future[Outcome], _Task] = {pool.submit(work, task): task for task in todo}
        while waiting:
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                task = waiting.pop(future)
                yield task, future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _one_by_one(todo: Sequence[_Task], work: Callable[[_Task], Outcome]) -> Iterator[Outcome]:
    """Work on what a killed worker lost, one at a time in a worker: what kills it is known then, and stops nothing."""
    left = list(todo)
    while left:
        pool = _pool(1)
        try:
            while left:
                task = left.pop(0)
                yield pool.submit(work, task).result()
        except BrokenProcessPool:
            message = (
                "the process that measured it was killed twice. To do: check its files with ephysplast inspect, "
                "and whether memory is short"
            )
            tables = error_tables(task[0], message)
            yield Outcome(experiment=task[0].name, key=task[1], failed=True, message=message, tables=tables)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _pool(workers: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_leave_with_the_batch)


def _key(experiment: Experiment, settings: Settings) -> str:
    """Hash what the results depend on: program, settings, manifest rows, and the files' sizes and times.

    Rows and files of the experiment from which an inhibitory response takes its E_GABA count too, and minis.
    """
    digest = hashlib.sha256(f"{ephysplast.__version__}\n{to_toml(settings)}\n{experiment!r}".encode())
    both = (experiment, experiment.e_gaba) if experiment.e_gaba else (experiment,)
    pathways = [pathway for each in both for pathway in each.pathways]
    paths = {each.path for pathway in pathways for each in pathway.segments}
    for path in sorted(paths | {each.minis.path for each in both if each.minis}):
        with suppress(OSError, ValueError):
            stat = path.stat()
            digest.update(f"\n{path.name} {stat.st_size} {stat.st_mtime_ns}".encode())
    return digest.hexdigest()


def _export(store: Store, out: Path) -> None:
    for table in TABLES:
        frame = in_order(store.frame(table)) if table == "experiments" else store.frame(table)
        target = out / f"{table}.csv"
        if len(frame):
            write_text(target, frame.map(_harmless).to_csv(index=False, lineterminator="\n"))
        else:
            target.unlink(missing_ok=True)


def _harmless(cell: object) -> object:
    """Put an apostrophe before text that a spreadsheet would run as a formula; signs (+/+, -70) are left alone."""
    text = cell.lstrip() if isinstance(cell, str) else ""
    runs = text.startswith(("=", "@")) or (text.startswith(("+", "-")) and any(each in text for each in "(|!"))
    return f"'{cell}" if runs else cell


def _make_folders(*folders: Path) -> None:
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


def _leave_with_the_batch() -> None:
    """Let a worker ignore Ctrl-C, which is the batch's to answer, and end when the batch was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batch = parent_process()
    if batch is not None:
        Thread(target=_end_after, args=(batch,), daemon=True).start()


def _end_after(batch: BaseProcess) -> None:
    batch.join()
    os._exit(1)
