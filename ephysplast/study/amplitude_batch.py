"""The cells of a table of amplitudes, judged one after the other or several at a time, each kept as it comes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.classify import release_frame
from ephysplast.experiment import MiniTable
from ephysplast.study.amplitudes import AmplitudeTable, judge_amplitudes, with_quantal_size
from ephysplast.study.batch import FIGURE_FORMATS, Kept, Outcome, Tables, Task, keep_batch, key_of, make_folders, slug
from ephysplast.study.settings import Settings
from ephysplast.study.store import ERRORS, Store
from ephysplast.study.tables import VERDICT_COLUMNS, error_frame
from ephysplast.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

LOCUS: Final = "locus"
RELEASE: Final = "locus_release"
"""A study, which has a table of release and one of errors too, may lie in the same folder."""

_FIRST: Final = (
    *("experiment", "response", "unit", *VERDICT_COLUMNS),
    *(f"probability {each}" for each in ("p", "n", "q", "p+q", "chloride")),
    *("prior q", "prior q low", "prior q high"),
)
_OF_AN_INDEX: Final = (" low", " high", " points to")
"""Columns of an index after that of its value."""

_S_PER_SWEEP: Final = 60.0
"""Where no time is known a sweep takes the place of a minute on the axis, which then says so."""


@dataclass(frozen=True, kw_only=True)
class AmplitudeWork:
    """Judge and draw one cell.

    Attributes
    ----------
    settings : Settings
        Its part ``classify`` matters, and the seed: a cell's own draws do not depend on what else is in the table.
    minis : MiniTable or None
        Minis of the cell, which say how large a quantum is.
    quantal_size : float or None
        The same as a number.
    refuse_drift : bool
        Refuse a cell whose baseline drifts, instead of a warning.
    figures : pathlib.Path or None
        Folder of the figures; None where none are drawn.
    """

    settings: Settings
    minis: MiniTable | None = None
    quantal_size: float | None = None
    refuse_drift: bool = False
    figures: Path | None = None

    def measure(self, of: AmplitudeTable) -> tuple[Tables, Callable[[], None]]:
        """Return the verdict's rows, and what draws its figure."""
        rng = self.settings.rng_of(of.name)
        config = self.settings.classify
        known = with_quantal_size(of, rng=rng, minis=self.minis, number=self.quantal_size, config=config.locus.minis)
        verdict = judge_amplitudes(known, rng=rng, config=config, refuse_drift=self.refuse_drift)
        release = release_frame(verdict.release, unit=of.table.unit)
        release.insert(0, "experiment", of.name)
        return {LOCUS: _row(of, verdict), RELEASE: release}, lambda: self._draw(of, verdict)

    def lost(self, of: AmplitudeTable, message: str, trace: str = "") -> Tables:
        """Return its error row."""
        return unread(of.name, message, trace)

    def figure(self, name: str) -> Path | None:
        """Return the figure of a cell, without its ending."""
        return self.figures / f"locus_{slug(name)}" if self.figures else None

    def key(self, of: AmplitudeTable) -> str:
        """Hash what the verdict depends on."""
        said = (self.settings.classify, self.settings.seed, self.quantal_size, self.refuse_drift)
        minis = (self.minis.column, self.minis.path.read_bytes()) if self.minis else ()
        return key_of(of, *said, *minis)

    def _draw(self, cell: AmplitudeTable, verdict: Verdict) -> None:
        stem = self.figure(cell.name)
        if stem is None:
            return
        from ephysplast.plotting import locus_figure, save_figure

        shown = cell.table
        if not cell.timed:
            shown = replace(shown, time_s=_S_PER_SWEEP * np.arange(shown.time_s.size, dtype=np.float64))
        threshold = self.settings.classify.locus.posterior.threshold
        figure = locus_figure(title=cell.name, table=shown, verdict=verdict, threshold=threshold)
        if not cell.timed:
            figure.axes[0].set_xlabel("sweeps after the induction (times are not known)")
        save_figure(figure, stem, formats=FIGURE_FORMATS)


def judge_table(
    cells: Sequence[AmplitudeTable],
    out: Path,
    *,
    work: AmplitudeWork,
    jobs: int = 1,
    failed: Sequence[tuple[str, str]] = (),
) -> Iterator[Outcome]:
    """Judge every cell of a table and keep each verdict as it comes.

    Parameters
    ----------
    cells : sequence of AmplitudeTable
        From :func:`~ephysplast.study.amplitudes.read_amplitudes`.
    out : pathlib.Path
        The output folder; made when absent. An interrupted run goes on where it stopped when it is started again.
    work : AmplitudeWork
        How they are judged.
    jobs : int
        Worker processes; 1 works in this process. Results do not depend on it.
    failed : sequence of (str, str)
        Cells that could not be read and why: error rows.

    Yields
    ------
    Outcome
        One per cell. When the iterator is exhausted or closed, ``locus.csv``, ``locus_release.csv`` and, where
        something failed, ``locus_errors.csv`` have been written.
    """
    make_folders([out, *([work.figures] if work.figures else [])])
    tasks = [Task(name=each.name, key=work.key(each), of=each, figure=_drawn(work, each.name)) for each in cells]
    lost = [(name, unread(name, message)) for name, message in failed]
    yield from keep_batch(tasks, work, out=out, kept=_KEPT, jobs=jobs, unread=lost)


def locus_table(out: Path) -> "pd.DataFrame":
    """Return the verdicts in an output folder, in the order of the table."""
    with Store(out / _KEPT.database, _KEPT.tables) as store:
        return store.frame(LOCUS)


def unread(name: str, message: str, trace: str = "") -> Tables:
    """Return the rows of a cell that could not be read or judged."""
    import pandas as pd

    nothing: dict[str, object] = dict.fromkeys(VERDICT_COLUMNS, nan)
    row = nothing | {"status": f"failed: {message}", "sign": "failed", "locus": "not asked"}
    identity = {"experiment": name, "response": "", "unit": ""}
    return {LOCUS: pd.DataFrame([identity | row]), ERRORS: error_frame(name, message, trace)}


def _arranged(table: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    """Put the columns in one order, whatever was finished first: verdict, probabilities, indices, gates."""
    if table != LOCUS:
        return frame
    columns = sorted(map(str, frame.columns), key=_place)
    return frame[columns]


def _place(column: str) -> tuple[int, str, int]:
    """Say where a column belongs: the verdict, then the indices, the gates, and last the notes."""
    if column in _FIRST:
        return 0, "", _FIRST.index(column)
    if column == "notes":
        return 3, "", 0
    end = next((each for each in _OF_AN_INDEX if column.endswith(each)), "")
    rank = _OF_AN_INDEX.index(end) + 1 if end else 0
    return 2 if column.startswith("quality: ") else 1, column.removesuffix(end), rank


_KEPT: Final = Kept(
    database="locus.sqlite", tables=(LOCUS, RELEASE, ERRORS), arrange=_arranged, errors=f"{LOCUS}_{ERRORS}"
)


def _drawn(work: AmplitudeWork, name: str) -> Path | None:
    stem = work.figure(name)
    return stem.with_name(f"{stem.name}.svg") if stem else None


def _row(cell: AmplitudeTable, verdict: Verdict) -> "pd.DataFrame":
    frame = verdict.to_frame()
    frame.insert(0, "experiment", cell.name)
    frame.insert(1, "response", cell.about.response)
    frame.insert(2, "unit", cell.table.unit)
    frame["notes"] = "; ".join(cell.sentences)
    return frame
