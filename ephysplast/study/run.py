"""Run a study: every experiment of a manifest, in parallel, resumable, with one bad file never stopping the rest."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import ephysplast
from ephysplast._files import write_text
from ephysplast.experiment import CELL_KINDS, Experiment
from ephysplast.study.batch import Kept, Outcome, Tables, Task, keep_batch, make_folders, slug
from ephysplast.study.measure import analyse_experiment
from ephysplast.study.measured import ExcitabilityPhase, ExperimentResult, ReversalPhase
from ephysplast.study.settings import Settings, to_toml
from ephysplast.study.store import FILE, TABLES
from ephysplast.study.tables import error_tables, in_order, tables_of

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

FIGURES: Final = "figures"
SETTINGS_USED: Final = "settings_used.toml"


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
    make_folders([out, *([folder] if folder else [])])
    write_text(out / SETTINGS_USED, to_toml(chosen))
    tasks = [
        Task(
            name=each.name,
            key=_key(each, chosen),
            of=each,
            figure=folder / f"{slug(each.name)}.svg" if folder else None,
        )
        for each in experiments
    ]
    yield from keep_batch(tasks, ExperimentWork(settings=chosen, figures=folder), out=out, kept=_KEPT, jobs=jobs)


@dataclass(frozen=True, kw_only=True)
class ExperimentWork:
    """Measure, classify and draw one experiment.

    Attributes
    ----------
    settings : Settings
        Of the study.
    figures : pathlib.Path or None
        Folder of the figures; None where none are drawn.
    """

    settings: Settings
    figures: Path | None = None

    def measure(self, of: Experiment) -> tuple[Tables, Callable[[], None]]:
        """Return its rows for the tables of the study, and what draws its figure."""
        result = analyse_experiment(of, settings=self.settings)
        return tables_of(result), lambda: self._draw(result)

    def lost(self, of: Experiment, message: str, trace: str = "") -> Tables:
        """Return its error row."""
        return error_tables(of, message, trace)

    def _draw(self, result: ExperimentResult) -> None:
        if self.figures is None:
            return
        from ephysplast.plotting import save_figure  # matplotlib: only where a figure is drawn

        save_figure(_figure(result, self.settings), self.figures / slug(result.experiment.name))


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


def _arranged(table: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    return in_order(frame) if table == "experiments" else frame


_KEPT: Final = Kept(database=FILE, tables=TABLES, arrange=_arranged)
