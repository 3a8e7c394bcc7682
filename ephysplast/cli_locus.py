"""The command that asks a table of amplitudes where a change lies: pre or post, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from ephysplast._console import (
    FAILED,
    FIGURE_FORMATS,
    INTERRUPTED,
    as_csv,
    columns_given,
    each_cell,
    error_in_words,
    error_row,
    print_reading,
    print_table,
    printable,
    write,
)
from ephysplast.errors import OK, SettingsError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ephysplast.experiment import MiniTable
    from ephysplast.study.amplitudes import AmplitudeTable
    from ephysplast.study.settings import Settings
    from ephysplast.verdict import Verdict

_S_PER_SWEEP: Final = 60.0
"""Where no time is known a sweep takes the place of a minute on the axis, which then says so."""


@dataclass(frozen=True)
class _Answers:
    """What came out of the cells, in the order of the table."""

    verdicts: "list[tuple[AmplitudeTable, Verdict]]" = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)


@dataclass(frozen=True)
class _Size:
    """How large a quantum is, as the user says it."""

    minis: "MiniTable | None" = None
    number: float | None = None


@dataclass(frozen=True)
class _Work:
    """How every cell is judged."""

    settings: "Settings"
    seed: int | None
    size: _Size
    refuse_drift: bool


def locus(
    table: Annotated[
        Path, typer.Argument(help="CSV or XLSX: sweep, phase, amplitude and noise, or a study's sweeps.csv.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and figures.")] = Path("locus"),
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="What=column: amplitude1=R1S1 Mean (pA), noise=… (give it several times)."),
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Of the amplitudes, where the table does not say: pA.")] = "",
    time_unit: Annotated[str, typer.Option("--time-unit", help="Of the times: ms, s, min or h.")] = "",
    noise_sd: Annotated[
        float | None, typer.Option("--noise-sd", help="SD of the noise of an amplitude, in the table's unit.")
    ] = None,
    response: Annotated[str, typer.Option("--response", help="EPSC, IPSC, EPSP, IPSP; default EPSC.")] = "",
    quantal_size: Annotated[
        float | None,
        typer.Option("--quantal-size", help="Quantal amplitude before, pA or mV, from another measurement."),
    ] = None,
    minis: Annotated[
        str,
        typer.Option("--minis", help="Table of the cell's minis, FILE or FILE::COLUMN: how large a quantum is."),
    ] = "",
    opsin: Annotated[bool, typer.Option("--opsin", help="Light evoked the responses: PPR is not used.")] = False,
    baseline: Annotated[str, typer.Option("--baseline", help="The table's own word for the baseline.")] = "",
    post: Annotated[str, typer.Option("--post", help="The table's own word for the post phase.")] = "",
    refuse_drift: Annotated[
        bool, typer.Option("--refuse-drift", help="Refuse a cell whose baseline drifts, instead of a warning.")
    ] = False,
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings",
            "-s",
            help="Settings, TOML (its part classify matters). Default: settings.toml beside the table.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="The same seed gives the same numbers.", min=0)] = None,
    figures: Annotated[bool, typer.Option(help="Draw one figure per cell.")] = True,
) -> None:
    """Say of amplitudes that you measured elsewhere whether a change is pre- or postsynaptic, and how sure that is.

    Columns: sweep, phase (baseline, post), amplitude with pulse, or amplitude1, amplitude2 … with one row per sweep,
    and noise (the same cursor in a stretch without a response); where known time_s, cell, response, opsin, exclude,
    unit, quantal_size; sweeps of the phase minimal (minimal stimulation) say how large a quantum is. A drifting
    baseline is warned of. Exit code 0: all cells answered (to refuse one is an answer); 1: some could not be read, the
    others were done; 2: wrong usage, or no cell could be read.
    """
    from ephysplast.study.amplitudes import read_amplitudes
    from ephysplast.study.settings import Settings, load_settings

    beside = table.parent / "settings.toml"
    chosen = load_settings(settings) if settings else load_settings(beside) if beside.is_file() else Settings()
    answers = _Answers()
    size = _read_size(quantal_size, minis)
    cells = read_amplitudes(
        table,
        columns=columns_given(columns or []),
        unit=unit,
        time_unit=time_unit,
        noise_sd=noise_sd,
        response=response,
        opsin=opsin,
        baseline=baseline,
        post=post,
        on_error=lambda name, error: answers.failed.append((name, error)),
    )
    print_reading(cells)
    if len(cells) > 1 and (minis or quantal_size is not None):
        typer.echo(f"one quantal size is taken for all {len(cells)} cells of the table")
    work = _Work(settings=chosen, seed=seed, size=size, refuse_drift=refuse_drift)
    try:
        _judge(cells, answers, work, output if figures else None)
    except KeyboardInterrupt:
        _report(answers, output)
        typer.echo(f"interrupted: {len(answers.verdicts)} of {len(cells)} cells were judged", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _report(answers, output)
    if answers.failed:
        raise typer.Exit(FAILED)


def _read_size(number: float | None, minis: str) -> _Size:
    """Take the quantal size that the user knows; a table of minis that cannot be read is said before all else."""
    if number is not None and minis:
        raise SettingsError("--quantal-size and --minis both say how large a quantum is", wanted="one of them")
    if number is not None and not 0.0 < number < inf:
        raise SettingsError("--quantal-size is impossible", got=f"{number:g}", wanted="a magnitude above 0")
    if not minis:
        return _Size(number=number)
    from ephysplast.experiment import MiniTable
    from ephysplast.study.quantal_size import read_minis

    table = MiniTable.named(minis)
    found = read_minis(table.path, column=table.column)
    said = f"minis: {found.amplitude.size} amplitudes from '{found.column}' of {table.path.name}"
    typer.echo(printable(said if found.unit else f"{said}, which does not say their unit"))
    return _Size(minis=table)


def _judge(cells: "Sequence[AmplitudeTable]", answers: _Answers, work: _Work, folder: Path | None) -> None:
    from ephysplast.study.amplitudes import judge_amplitudes, with_quantal_size

    settings, size = work.settings, work.size
    config = settings.classify

    def judge(cell: "AmplitudeTable", rng: "np.random.Generator") -> None:
        known = with_quantal_size(cell, rng=rng, minis=size.minis, number=size.number, config=config.locus.minis)
        verdict = judge_amplitudes(known, rng=rng, config=config, refuse_drift=work.refuse_drift)
        answers.verdicts.append((cell, verdict))
        if folder is not None:
            _draw(cell, verdict, settings, folder)

    seed = settings.seed if work.seed is None else work.seed
    each_cell(cells, "judging", judge, seed=seed, failed=answers.failed)


def _draw(cell: "AmplitudeTable", verdict: "Verdict", settings: "Settings", folder: Path) -> None:
    from dataclasses import replace

    import numpy as np

    from ephysplast.plotting import locus_figure, save_figure
    from ephysplast.study.run import slug

    shown = cell.table
    if not cell.timed:
        shown = replace(shown, time_s=_S_PER_SWEEP * np.arange(shown.time_s.size, dtype=np.float64))
    threshold = settings.classify.locus.posterior.threshold
    figure = locus_figure(title=cell.name, table=shown, verdict=verdict, threshold=threshold)
    if not cell.timed:
        figure.axes[0].set_xlabel("sweeps after the induction (times are not known)")
    save_figure(figure, folder / f"locus_{slug(cell.name)}", formats=FIGURE_FORMATS)


def _report(answers: _Answers, output: Path) -> None:
    """Print the verdicts, and write the tables."""
    _print_verdicts(answers)
    write(
        output / "locus.csv",
        as_csv(
            [
                *(_row(*each) for each in answers.verdicts),
                *(error_row(*each, sign="failed", locus="not asked") for each in answers.failed),
            ]
        ),
    )
    release = [frame for each in answers.verdicts if len(frame := _release(*each))]
    if release:
        write(output / "release.csv", as_csv(release))


def _print_verdicts(answers: _Answers) -> None:
    rows: list[tuple[str, ...]] = []
    for cell, verdict in answers.verdicts:
        known = verdict.change == verdict.change
        change = f"{verdict.change:.2f} [{verdict.change_low:.2f}, {verdict.change_high:.2f}]" if known else "–"
        asked = verdict.status == OK and verdict.locus != "not asked"
        why = verdict.locus_sentence if asked else verdict.sign_sentence
        rows.append((cell.name, cell.about.response, verdict.sign, change, verdict.locus, why))
    rows += [(name, "", "failed", "–", "not asked", error_in_words(error)) for name, error in answers.failed]
    headings = ("cell", "response", "sign", "change", "locus", "why")
    print_table(headings, rows)


def _row(cell: "AmplitudeTable", verdict: "Verdict") -> "pd.DataFrame":
    frame = verdict.to_frame()
    frame.insert(0, "experiment", cell.name)
    frame.insert(1, "response", cell.about.response)
    frame.insert(2, "unit", cell.table.unit)
    frame["notes"] = "; ".join(cell.sentences)
    return frame


def _release(cell: "AmplitudeTable", verdict: "Verdict") -> "pd.DataFrame":
    from ephysplast.classify import release_frame

    frame = release_frame(verdict.release, unit=cell.table.unit)
    frame.insert(0, "experiment", cell.name)
    return frame
