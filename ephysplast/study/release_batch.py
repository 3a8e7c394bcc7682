"""The cells of a table of release conditions or trains, one after the other or several at a time, each kept."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

import numpy as np

from ephysplast._words import number
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.study.batch import FIGURE_FORMATS, Kept, Outcome, Tables, Task, keep_batch, key_of, make_folders, slug
from ephysplast.study.release_answers import ReleaseAnswers, ReleaseConfig, analyse_release
from ephysplast.study.release_table import ReleaseTable
from ephysplast.study.store import ERRORS, Store
from ephysplast.study.tables import error_frame

if TYPE_CHECKING:
    import pandas as pd

ANSWERS: Final = "answers"
VARIANCE_MEAN: Final = "variance_mean"
TSODYKS_MARKRAM: Final = "tsodyks_markram"


@dataclass(frozen=True, kw_only=True)
class ReleaseWork:
    """Analyse and draw one cell.

    Attributes
    ----------
    config : ReleaseConfig
        Of both analyses.
    seed : int
        A cell's own draws do not depend on what else is in the table.
    figures : pathlib.Path or None
        Folder of the figures; None where none are drawn.
    """

    config: ReleaseConfig = field(default_factory=ReleaseConfig)
    seed: int = 0
    figures: Path | None = None

    def measure(self, of: ReleaseTable) -> tuple[Tables, Callable[[], None]]:
        """Return its rows, and what draws its figure."""
        rng = np.random.default_rng([self.seed, crc32(of.name.encode())])
        found = analyse_release(of, rng=rng, config=self.config)
        tables = {
            ANSWERS: _answers(found),
            VARIANCE_MEAN: found.variance_mean_frame(),
            TSODYKS_MARKRAM: found.tsodyks_markram_frame(),
        }
        for frame in tables.values():
            frame.insert(0, "experiment", of.name)
        return tables, lambda: self._draw(of.name, found)

    def lost(self, of: ReleaseTable, message: str, trace: str = "") -> Tables:
        """Return its error row."""
        return unread(of.name, message, trace)

    def key(self, of: ReleaseTable) -> str:
        """Hash what the answers depend on; a cell of which nothing is known has no figure to look for."""
        return key_of(of, self.config, self.seed, self.figures is not None)

    def _draw(self, name: str, found: ReleaseAnswers) -> None:
        if self.figures is None or not (found.variance_mean or found.trains):
            return
        from ephysplast.plotting import save_figure
        from ephysplast.plotting.release import release_figure

        figure = release_figure(
            title=name,
            variance_mean=[(each.of, each.labels, each.result) for each in found.variance_mean],
            trains=[(each.of, each.trains, each.fit) for each in found.trains],
            comparison=found.comparison,
            compared=found.compared,
            notes=[f"{what}: {why}." for what, why in found.reasons.items()],
        )
        save_figure(figure, self.figures / f"release_{slug(name)}", formats=FIGURE_FORMATS)


def release_of_table(
    cells: Sequence[ReleaseTable],
    out: Path,
    *,
    work: ReleaseWork,
    jobs: int = 1,
    failed: Sequence[tuple[str, str]] = (),
) -> Iterator[Outcome]:
    """Ask every cell of a table, and keep what it answers as it comes.

    Parameters
    ----------
    cells : sequence of ReleaseTable
        From :func:`~ephysplast.study.release_table.read_release`.
    out : pathlib.Path
        The output folder; made when absent. An interrupted run goes on where it stopped when it is started again.
    work : ReleaseWork
        How they are analysed.
    jobs : int
        Worker processes; 1 works in this process. Results do not depend on it.
    failed : sequence of (str, str)
        Cells that could not be read and why: error rows.

    Yields
    ------
    Outcome
        One per cell. When the iterator is exhausted or closed, ``answers.csv``, ``variance_mean.csv``,
        ``tsodyks_markram.csv`` and, where something failed, ``release_errors.csv`` have been written.
    """
    make_folders([out, *([work.figures] if work.figures else [])])
    tasks = [Task(name=each.name, key=work.key(each), of=each) for each in cells]
    lost = [(name, unread(name, message)) for name, message in failed]
    yield from keep_batch(tasks, work, out=out, kept=_KEPT, jobs=jobs, unread=lost)


def release_answers(out: Path) -> "pd.DataFrame":
    """Return what was found in an output folder, in words: one row per cell and analysis, in the table's order."""
    with Store(out / _KEPT.database, _KEPT.tables) as store:
        return store.frame(ANSWERS)


def unread(name: str, message: str, trace: str = "") -> Tables:
    """Return the rows of a cell that could not be read or analysed."""
    import pandas as pd

    said = f"failed: {message}"
    row = {"experiment": name, "analysis": "failed", "of": "", "found": "–", "in_words": message}
    tables = {ANSWERS: pd.DataFrame([row]), ERRORS: error_frame(name, message, trace)}
    return tables | {
        each: pd.DataFrame([{"experiment": name, "status": said}]) for each in (VARIANCE_MEAN, TSODYKS_MARKRAM)
    }


def _arranged(table: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Put the condition first and status and statement last, whatever was finished first."""
    if table not in (VARIANCE_MEAN, TSODYKS_MARKRAM):
        return frame
    first, last = ["experiment", "of", "condition"], ["statement", "status"]
    middle = [each for each in frame.columns if each not in (*first, *last)]
    return frame[[each for each in (*first, *middle, *last) if each in frame.columns]]


_KEPT: Final = Kept(
    database="release.sqlite",
    tables=(ANSWERS, VARIANCE_MEAN, TSODYKS_MARKRAM, ERRORS),
    arrange=_arranged,
    errors=f"release_{ERRORS}",  # a study may lie in the same folder
)


def _answers(found: ReleaseAnswers) -> "pd.DataFrame":
    """Say what was found: one row per analysis."""
    import pandas as pd

    rows = []
    for each in found.variance_mean:
        q = _said("q", each.result.q, found.unit) + (" (a lower bound)" if each.result.model == "line" else "")
        n = _said("n", each.result.n)
        over = each.of if each.of == "conditions" else f"pulses of {each.of}"
        rows.append(("variance–mean", over, ", ".join(filter(None, (q, n))) or "–", each.result.statement))
    for held in found.trains:
        first = _said("first response", held.fit.first, found.unit)
        rows.append(("Tsodyks–Markram", held.of, first or "–", held.fit.statement))
    if found.comparison is not None:
        before, after = found.compared
        rows.append(("what changed", f"{after} / {before}", found.comparison.call, found.comparison.statement))
    rows += [(what, "", "–", f"not possible: {why}") for what, why in found.reasons.items()]
    return pd.DataFrame(rows, columns=["analysis", "of", "found", "in_words"])


def _said(symbol: str, held: Estimate, unit: str = "") -> str:
    if held.status != OK:
        return ""
    end = f" {unit}" if unit else ""
    value, low, high = (number(each) for each in (held.value, held.low, held.high))
    return f"{symbol} {value}{end} [{low}, {high}]"
