"""The command that asks a table of amplitudes where a change lies: pre or post, and how sure that is."""

from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephysplast._console import (
    FAILED,
    columns_given,
    print_ending,
    print_reading,
    print_verdicts,
    printable,
    watch,
)
from ephysplast.errors import EphysplastError, SettingsError

if TYPE_CHECKING:
    from ephysplast.experiment import MiniTable


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
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; 0 chooses.", min=0)] = 0,
    figures: Annotated[bool, typer.Option(help="Draw one figure per cell.")] = True,
) -> None:
    """Say of amplitudes that you measured elsewhere whether a change is pre- or postsynaptic, and how sure that is.

    Columns: sweep, phase (baseline, post), amplitude with pulse, or amplitude1, amplitude2 … with one row per sweep,
    and noise (the same cursor in a stretch without a response); where known time_s, cell, response, opsin, exclude,
    unit, quantal_size; sweeps of the phase minimal (minimal stimulation) say how large a quantum is. A drifting
    baseline is warned of. An interrupted run goes on where it stopped when the same command is given again. Exit code
    0: all cells answered (to refuse one is an answer); 1: some could not be read, the others were done; 2: wrong
    usage, or no cell could be read.
    """
    from dataclasses import replace

    from ephysplast.study.amplitude_batch import AmplitudeWork, judge_table, locus_table
    from ephysplast.study.amplitudes import read_amplitudes
    from ephysplast.study.batch import workers
    from ephysplast.study.settings import Settings, load_settings

    beside = table.parent / "settings.toml"
    chosen = load_settings(settings) if settings else load_settings(beside) if beside.is_file() else Settings()
    known_minis = _read_minis(quantal_size, minis)
    unread: list[tuple[str, EphysplastError]] = []
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
        on_error=lambda name, error: unread.append((name, error)),
    )
    print_reading(cells)
    if len(cells) > 1 and (minis or quantal_size is not None):
        typer.echo(f"one quantal size is taken for all {len(cells)} cells of the table")
    work = AmplitudeWork(
        settings=chosen if seed is None else replace(chosen, seed=seed),
        minis=known_minis,
        quantal_size=quantal_size,
        refuse_drift=refuse_drift,
        figures=output if figures else None,
    )
    failed = [(name, str(error)) for name, error in unread]
    judged = judge_table(cells, output, work=work, jobs=workers(jobs, len(cells)), failed=failed)
    outcomes = watch("judging", len(cells), judged, output)
    print_verdicts("cell", locus_table(output))
    any_failed = print_ending(outcomes, n_unread=len(failed))
    typer.echo(f"tables and figures: {output}")
    if any_failed:
        raise typer.Exit(FAILED)


def _read_minis(number: float | None, minis: str) -> "MiniTable | None":
    """Take the quantal size that the user knows; a table of minis that cannot be read is said before all else."""
    if number is not None and minis:
        raise SettingsError("--quantal-size and --minis both say how large a quantum is", wanted="one of them")
    if number is not None and not 0.0 < number < inf:
        raise SettingsError("--quantal-size is impossible", got=f"{number:g}", wanted="a magnitude above 0")
    if not minis:
        return None
    from ephysplast.experiment import MiniTable
    from ephysplast.study.quantal_size import read_minis

    table = MiniTable.named(minis)
    found = read_minis(table.path, column=table.column)
    said = f"minis: {found.amplitude.size} amplitudes from '{found.column}' of {table.path.name}"
    typer.echo(printable(said if found.unit else f"{said}, which does not say their unit"))
    return table
