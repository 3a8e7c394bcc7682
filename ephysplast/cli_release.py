"""The command that asks a table of amplitudes what release is like: quanta and sites, and short-term plasticity."""

from pathlib import Path
from typing import Annotated

import typer

from ephysplast._console import FAILED, columns_given, print_ending, print_reading, print_table, watch
from ephysplast.errors import EphysplastError


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
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; 0 chooses.", min=0)] = 0,
    figures: Annotated[bool, typer.Option(help="Draw one figure per cell.")] = True,
) -> None:
    """Find quantal amplitude, sites and release probability, and short-term plasticity, of amplitudes you measured.

    With three or more release conditions (calcium, for example), or from the pulses of a train: variance–mean analysis.
    With trains of three or more pulses at known times: the Tsodyks–Markram model, what the train tells of it and what
    not; with a baseline and a post phase, what changed. Columns: sweep, condition (or phase), amplitude with pulse and
    pulse_time_s, or amplitude1, amplitude2 … with one row per sweep, and noise (the same cursor in a stretch without a
    response); where known cell, unit, exclude, time. Each train starts from rest, and what is left of the response
    before is taken off. An interrupted run goes on where it stopped when the same command is given again. Exit code
    0: all cells answered; 1: some could not be read, the others were done; 2: wrong usage, or no cell could be read.
    """
    from ephysplast.quantal.tsodyks_markram import TsodyksMarkramConfig
    from ephysplast.quantal.variance_mean import VarianceMeanConfig
    from ephysplast.study.batch import workers
    from ephysplast.study.release_answers import ReleaseConfig
    from ephysplast.study.release_batch import ReleaseWork, release_of_table
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
    unread: list[tuple[str, EphysplastError]] = []
    cells = read_release(
        table,
        columns=columns_given(columns or []),
        told=told,
        on_error=lambda name, error: unread.append((name, error)),
    )
    print_reading(cells)
    failed = [(name, str(error)) for name, error in unread]
    work = ReleaseWork(config=config, seed=seed, figures=output if figures else None)
    asked = release_of_table(cells, output, work=work, jobs=workers(jobs, len(cells)), failed=failed)
    outcomes = watch("fitting", len(cells), asked, output)
    _print_answers(output, held=f"a CV of {cv_within:g} within and {cv_between:g} between sites")
    any_failed = print_ending(outcomes, n_unread=len(failed))
    typer.echo(f"tables and figures: {output}")
    if any_failed:
        raise typer.Exit(FAILED)


def _print_answers(output: Path, *, held: str) -> None:
    from ephysplast.study.release_batch import release_answers

    rows = release_answers(output)
    print_table(("cell", "analysis", "of", "found", "in words"), rows.astype(str).to_numpy().tolist())
    if (rows["analysis"].eq("variance–mean") & rows["of"].ne("")).any():
        typer.echo(f"q and n take quanta to vary by {held}, and to be the same at all points")
