"""The command that asks a table of amplitudes what release is like: quanta and sites, and short-term plasticity."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    write,
)
from ephysplast._words import minus
from ephysplast.errors import OK

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from ephysplast.result import Estimate
    from ephysplast.study.release_answers import ReleaseAnswers, ReleaseConfig
    from ephysplast.study.release_table import ReleaseTable


@dataclass(frozen=True)
class _Done:
    """What came out of the cells, in the order of the table."""

    answers: "list[tuple[str, ReleaseAnswers]]" = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)


def release(
    table: Annotated[
        Path, typer.Argument(help="CSV or XLSX: sweep, condition, pulse, amplitude, noise, or a study's sweeps.csv.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and figures.")] = Path("release"),
    columns: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", help="What=column: condition=[Ca], pulse_time=… (give it several times)."),
    ] = None,
    unit: Annotated[str, typer.Option("--unit", help="Of the amplitudes, where the table does not say: pA.")] = "",
    time_unit: Annotated[str, typer.Option("--time-unit", help="Of the pulses' times: ms or s.")] = "",
    noise_sd: Annotated[
        float | None, typer.Option("--noise-sd", help="SD of the noise of an amplitude, in the table's unit.")
    ] = None,
    frequency_hz: Annotated[float | None, typer.Option("--frequency-hz", help="Of a regular train.")] = None,
    interval_ms: Annotated[
        float | None, typer.Option("--interval-ms", help="Between the pulses of a regular train.")
    ] = None,
    baseline: Annotated[str, typer.Option("--baseline", help="The table's own word for the condition before.")] = "",
    post: Annotated[str, typer.Option("--post", help="The table's own word for the condition after.")] = "",
    cv_within: Annotated[
        float, typer.Option("--cv-within", help="CV of a quantum at one site; it scales q.", min=0.0, max=2.0)
    ] = 0.3,
    cv_between: Annotated[
        float, typer.Option("--cv-between", help="CV of quanta from site to site; it scales q and n.", min=0.0, max=2.0)
    ] = 0.3,
    free_f: Annotated[bool, typer.Option("--free-f", help="Let facilitation f differ from U in the trains.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same numbers.", min=0)] = 0,
    figures: Annotated[bool, typer.Option(help="Draw one figure per cell.")] = True,
) -> None:
    """Find quantal amplitude, sites and release probability, and short-term plasticity, of amplitudes you measured.

    With three or more release conditions (calcium, for example), or from the pulses of a train: variance–mean analysis.
    With trains of three or more pulses at known times: the Tsodyks–Markram model, what the train tells of it and what
    not; with a baseline and a post phase, what changed. Columns: sweep, condition (or phase), amplitude with pulse and
    pulse_time_s, or amplitude1, amplitude2 … with one row per sweep, and noise (the same cursor in a stretch without a
    response); where known cell, unit, exclude, time. Each train starts from rest, and what is left of the response
    before is taken off. Exit code 0: all cells answered; 1: some could not be read, the others were done; 2: wrong
    usage, or no cell could be read.
    """
    from ephysplast.quantal.tsodyks_markram import TsodyksMarkramConfig
    from ephysplast.quantal.variance_mean import VarianceMeanConfig
    from ephysplast.study.release_answers import ReleaseConfig
    from ephysplast.study.release_table import ReleaseTold, read_release

    told = ReleaseTold(
        unit=unit,
        time_unit=time_unit,
        noise_sd=noise_sd,
        frequency_hz=frequency_hz,
        interval_ms=interval_ms,
        baseline=baseline,
        post=post,
    )
    config = ReleaseConfig(
        variance_mean=VarianceMeanConfig(cv_within=cv_within, cv_between=cv_between),
        tsodyks_markram=TsodyksMarkramConfig(free_f=free_f),
    )
    done = _Done()
    cells = read_release(
        table,
        columns=columns_given(columns or []),
        told=told,
        on_error=lambda name, error: done.failed.append((name, error)),
    )
    print_reading(cells)
    try:
        _answer(cells, done, config, seed, output if figures else None)
    except KeyboardInterrupt:
        _report(done, output, config)
        typer.echo(f"interrupted: {len(done.answers)} of {len(cells)} cells were done", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _report(done, output, config)
    if done.failed:
        raise typer.Exit(FAILED)


def _answer(
    cells: "Sequence[ReleaseTable]", done: _Done, config: "ReleaseConfig", seed: int, folder: Path | None
) -> None:
    from ephysplast.study.release_answers import analyse_release

    def answer(cell: "ReleaseTable", rng: "np.random.Generator") -> None:
        answers = analyse_release(cell, rng=rng, config=config)
        done.answers.append((cell.name, answers))
        if folder is not None:
            _draw(cell.name, answers, folder)

    each_cell(cells, "fitting", answer, seed=seed, failed=done.failed)


def _draw(name: str, answers: "ReleaseAnswers", folder: Path) -> None:
    if not (answers.variance_mean or answers.trains):
        return

    from ephysplast.plotting import save_figure
    from ephysplast.plotting.release import release_figure
    from ephysplast.study.run import slug

    figure = release_figure(
        title=name,
        variance_mean=[(each.of, each.labels, each.result) for each in answers.variance_mean],
        trains=[(each.of, each.trains, each.fit) for each in answers.trains],
        comparison=answers.comparison,
        compared=answers.compared,
        notes=[f"{what}: {why}." for what, why in answers.reasons.items()],
    )
    save_figure(figure, folder / f"release_{slug(name)}", formats=FIGURE_FORMATS)


def _report(done: _Done, output: Path, config: "ReleaseConfig") -> None:
    """Print what was found, and write the tables."""
    rows = [row for name, answers in done.answers for row in _rows(name, answers)]
    rows += [(name, "failed", "", "–", error_in_words(error)) for name, error in done.failed]
    print_table(("cell", "analysis", "of", "found", "in words"), rows)
    if any(each.variance_mean for _, each in done.answers):
        held = config.variance_mean
        typer.echo(
            f"q and n take quanta to vary by a CV of {held.cv_within:g} within and {held.cv_between:g} between sites, "
            "and to be the same at all points"
        )
    failed = [error_row(*each) for each in done.failed]
    for target, frames in (
        ("variance_mean.csv", [_named(name, each.variance_mean_frame()) for name, each in done.answers]),
        ("tsodyks_markram.csv", [_named(name, each.tsodyks_markram_frame()) for name, each in done.answers]),
    ):
        if frames or failed:
            write(output / target, as_csv([*frames, *failed]))


def _rows(name: str, answers: "ReleaseAnswers") -> list[tuple[str, ...]]:
    """Return what is printed of one cell."""
    rows: list[tuple[str, ...]] = []
    for each in answers.variance_mean:
        q = _said("q", each.result.q, answers.unit) + (" (a lower bound)" if each.result.model == "line" else "")
        n = _said("n", each.result.n)
        over = each.of if each.of == "conditions" else f"pulses of {each.of}"
        rows.append((name, "variance–mean", over, ", ".join(filter(None, (q, n))) or "–", each.result.statement))
    for held in answers.trains:
        first = _said("first response", held.fit.first, answers.unit)
        rows.append((name, "Tsodyks–Markram", held.of, first or "–", held.fit.statement))
    if answers.comparison is not None:
        before, after = answers.compared
        rows.append(
            (name, "what changed", f"{after} / {before}", answers.comparison.call, answers.comparison.statement)
        )
    return rows + [(name, what, "", "–", f"not possible: {why}") for what, why in answers.reasons.items()]


def _said(symbol: str, held: "Estimate", unit: str = "") -> str:
    if held.status != OK:
        return ""
    end = f" {unit}" if unit else ""
    value, low, high = (
        f"{each:.0f}" if abs(each) >= 100.0 else f"{each:.3g}" for each in (held.value, held.low, held.high)
    )
    return minus(f"{symbol} {value}{end} [{low}, {high}]")


def _named(name: str, frame: "pd.DataFrame") -> "pd.DataFrame":
    frame.insert(0, "experiment", name)
    return frame
