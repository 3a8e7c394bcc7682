"""The command line: thin, and quick to start because each command imports what it needs."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ephysplast import cli_locus, cli_plan, cli_release, cli_rules
from ephysplast._console import FAILED, INTERRUPTED, USAGE, print_ending, print_verdicts, printable, watch
from ephysplast.errors import EphysplastError

if TYPE_CHECKING:
    from ephysplast.recording import FloatArray, Recording

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="From recordings of plasticity to a verdict: what changed, where, and how sure we are.",
)


def main() -> None:
    """Run the command line; a mistake of the user's is one clear message and exit code 2."""
    # Matrices are small here, and threads that wait for each other cost more than they give; set before numpy loads.
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(threads, "1")
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # an old Windows console lacks the letters, and must not fail for it
    try:
        app()
    except EphysplastError as error:
        typer.echo(f"ephysplast: {printable(str(error))}", err=True)
        sys.exit(USAGE)
    except OSError as error:
        place = error.filename2 or error.filename
        where = f"{place}: " if place else ""
        typer.echo(f"ephysplast: {where}{error.strerror or error}. To do: check the place and the disk.", err=True)
        sys.exit(USAGE)
    except KeyboardInterrupt:
        typer.echo("ephysplast: interrupted", err=True)
        sys.exit(INTERRUPTED)


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False) -> None:
    if version:
        from ephysplast import __version__

        typer.echo(f"ephysplast {__version__}")
        raise typer.Exit


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="Folder with ABF or NWB files; subfolders are searched too.")],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="The manifest to write, .csv or .xlsx. Default: FOLDER/manifest.csv"),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a manifest that exists.")] = False,
) -> None:
    """Draft a manifest: one row per experiment, phase and file, for you to check and complete."""
    from ephysplast.errors import ManifestError
    from ephysplast.study.draft import draft_manifest
    from ephysplast.study.manifest import write_manifest

    target = output or folder / "manifest.csv"
    if target.suffix.lower() not in (".csv", ".xlsx"):
        raise ManifestError(
            "the manifest's format is not known", got=target.name, wanted="a name that ends in .csv or .xlsx"
        )
    if target.exists() and not force:
        raise ManifestError(f"{target} exists already", remedy="give another name with -o, or replace it with --force")
    draft = draft_manifest(folder, relative_to=target.resolve().parent)
    write_manifest(draft.rows, target)
    for problem in draft.unreadable:
        typer.echo(f"not read: {printable(problem)}", err=True)
    empty = sum(1 for row in draft.rows if not row["phase"])
    experiments = len({row["experiment"] for row in draft.rows})
    typer.echo(f"{target}: {len(draft.rows)} rows, {experiments} experiments, {len(draft.unreadable)} files not read")
    if empty:
        rows = "1 row needs" if empty == 1 else f"{empty} rows need"
        typer.echo(f"{rows} a phase (baseline, induction, post): it could not be told from names or clocks")
    typer.echo(
        "Check phase, response (EPSC, EPSP, IPSC, IPSP, fEPSP, excitability, reversal) and channels; then: "
        f"ephysplast analyse {target}"
    )


@app.command()
def analyse(
    manifest: Annotated[Path, typer.Argument(help="The manifest, CSV or XLSX.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and figures.")] = Path("results"),
    settings: Annotated[
        Path | None,
        typer.Option(
            "--settings", "-s", help="Settings, TOML. Default: settings.toml beside the manifest, if there is one."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", "-j", help="Worker processes; 0 chooses.", min=0)] = 0,
    figures: Annotated[bool, typer.Option(help="Draw one figure per experiment.")] = True,
) -> None:
    """Measure and classify every experiment: tables, figures, and a verdict for each.

    An interrupted run goes on where it stopped when the same command is given again. Exit code 0: all answered
    (refusing an experiment is an answer); 1: some experiments failed, the others were done; 2: wrong usage.
    """
    from ephysplast.report import write_report
    from ephysplast.study import Settings, load_manifest, load_settings, run_study, study_table
    from ephysplast.study.batch import workers

    experiments = load_manifest(manifest)
    beside = manifest.parent / "settings.toml"
    chosen = load_settings(settings) if settings else load_settings(beside) if beside.is_file() else Settings()
    analysed = run_study(experiments, output, settings=chosen, jobs=workers(jobs, len(experiments)), figures=figures)
    outcomes = watch("analysing", len(experiments), analysed, output)
    print_verdicts("experiment", study_table(output, "experiments"))
    any_failed = print_ending(outcomes)
    typer.echo(f"report: {write_report(output)}")
    typer.echo(f"tables and figures: {output}")
    if any_failed:
        raise typer.Exit(FAILED)


@app.command()
def inspect(
    file: Annotated[Path, typer.Argument(help="An ABF or NWB file.")],
    plot: Annotated[
        Path | None,
        typer.Option("--plot", "-p", help="The picture to write, .png or .svg. Default: NAME_inspect.png here."),
    ] = None,
    no_plot: Annotated[bool, typer.Option("--no-plot", help="Print only.")] = False,
) -> None:
    """Show what a file holds: channels, clamp, sweeps and their true times, tags, outputs; with a plot."""
    from ephysplast.io import read

    recordings = read(file).recordings
    for number, recording in enumerate(recordings, start=1):
        _print_recording(recording, number if len(recordings) > 1 else 0)
    if no_plot:
        return
    from ephysplast.plotting import recording_figure, save_figure

    target = plot or Path(f"{file.stem}_inspect.png")
    suffix = target.suffix.lower().lstrip(".")
    if suffix not in ("png", "svg", "pdf"):
        raise EphysplastError(
            "the picture's format is not known", got=target.name, wanted="a name that ends in .png, .svg or .pdf"
        )
    for number, recording in enumerate(recordings, start=1):
        stem = target.with_suffix("") if number == 1 else target.with_name(f"{target.stem}_{number}")
        for path in save_figure(recording_figure(recording), stem, formats=(suffix,)):
            typer.echo(f"plot: {path}")


app.command()(cli_locus.locus)
app.command()(cli_plan.plan)
app.command()(cli_release.release)
app.command()(cli_rules.simulate)
app.command()(cli_rules.fit)


def _print_recording(recording: "Recording", number: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = [
        f"{recording.source.path.name}" + (f", recording {number}" if number else ""),
        f"  format      {recording.source.format}, read by {recording.source.reader}",
        f"  started     {recording.started_at or 'unknown'}",
        f"  protocol    {recording.protocol or '–'}",
        f"  sweeps      {_sweeps_in_words(recording)}",
    ]
    lines += [f"  comment     {recording.comment}"] if recording.comment else []
    lines += [f"  tag         {tag.time_s:.2f} s, sweep {tag.sweep + 1}: {tag.comment}" for tag in recording.tags]
    lines += [f"  output      {each.name}: {_onsets_in_words(each.onsets_s)}" for each in recording.digital_outputs]
    lines += [f"  note        {note}" for note in recording.notes]
    for line in lines:
        typer.echo(printable(line))
    table = Table()
    for heading in ("channel", "unit", "clamp", "electrode", "command", "doubt"):
        table.add_column(heading, overflow="fold")
    for each in recording.channels:
        command = each.command_unit or ("yes" if each.command is not None else "–")
        cells = (each.name, each.unit or "?", each.clamp, each.electrode or "–", command, each.doubt or "–")
        table.add_row(*(Text(printable(cell)) for cell in cells))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _sweeps_in_words(recording: "Recording") -> str:
    rate, lengths, starts = recording.rate_hz, recording.sweep_lengths, recording.sweep_start_s
    shortest, longest = lengths.min() / rate, lengths.max() / rate
    duration = f"{longest:.4g} s" if shortest == longest else f"{shortest:.4g} to {longest:.4g} s"
    words = f"{recording.n_sweeps} of {duration} at {rate:.6g} Hz"
    if recording.n_sweeps > 1:
        gaps = starts[1:] - starts[:-1]
        every = f"{gaps.min():.4g} s" if gaps.max() - gaps.min() < 1e-3 else f"{gaps.min():.4g} to {gaps.max():.4g} s"
        words += f", starting every {every}, the last at {starts[-1]:.2f} s"
    return words


def _onsets_in_words(onsets_s: "tuple[FloatArray, ...]") -> str:
    high = [each for each in onsets_s if len(each)]
    return f"high in {len(high)} sweeps, first at " + ", ".join(f"{onset:.4f}" for onset in high[0][:6]) + " s"


if __name__ == "__main__":
    main()
