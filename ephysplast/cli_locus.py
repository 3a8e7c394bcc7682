"""The command that asks a table of amplitudes where a change lies: pre or post, and how sure that is."""

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final
from zlib import crc32

import typer

from ephysplast._console import pair, print_table, printable, progress, write
from ephysplast.errors import OK, EphysplastError, SettingsError

if TYPE_CHECKING:
    import pandas as pd

    from ephysplast.study.amplitudes import AmplitudeTable
    from ephysplast.study.settings import Settings
    from ephysplast.verdict import Verdict

FAILED, INTERRUPTED = 1, 130
_FORMATS: Final = ("png", "svg", "pdf")
_NAMES: Final = 6
_S_PER_SWEEP: Final = 60.0
"""Where no time is known a sweep takes the place of a minute on the axis, which then says so."""


@dataclass(frozen=True)
class _Answers:
    """What came out of the cells, in the order of the table."""

    verdicts: "list[tuple[AmplitudeTable, Verdict]]" = field(default_factory=list)
    failed: list[tuple[str, Exception]] = field(default_factory=list)


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
        typer.Option("--quantal-size", help="Quantal amplitude before, pA or mV, from minis or minimal stimulation."),
    ] = None,
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
    unit. A drifting baseline is warned of. Exit code 0: all cells answered (to refuse one is an answer); 1: some could
    not be read, the others were done; 2: wrong usage, or no cell could be read.
    """
    from ephysplast.study.amplitudes import read_amplitudes
    from ephysplast.study.settings import Settings, load_settings

    beside = table.parent / "settings.toml"
    chosen = load_settings(settings) if settings else load_settings(beside) if beside.is_file() else Settings()
    answers = _Answers()
    cells = read_amplitudes(
        table,
        columns=_columns(columns or []),
        unit=unit,
        time_unit=time_unit,
        noise_sd=noise_sd,
        response=response,
        opsin=opsin,
        baseline=baseline,
        post=post,
        on_error=lambda name, error: answers.failed.append((name, error)),
    )
    _print_reading(cells)
    cells = tuple(_with_size(each, quantal_size) for each in cells)
    try:
        _judge(cells, answers, chosen, seed, output if figures else None, refuse_drift=refuse_drift)
    except KeyboardInterrupt:
        _report(answers, output)
        typer.echo(f"interrupted: {len(answers.verdicts)} of {len(cells)} cells were judged", err=True)
        raise typer.Exit(INTERRUPTED) from None
    _report(answers, output)
    if answers.failed:
        raise typer.Exit(FAILED)


def _with_size(cell: "AmplitudeTable", quantal_size: float | None) -> "AmplitudeTable":
    """Let a quantal size that the user knows be a prior, as loose as minis of a cell are for one of its synapses."""
    if quantal_size is None:
        return cell
    from ephysplast.quantal import MiniSizeConfig, QuantalSize

    if not quantal_size > 0.0:
        raise SettingsError("--quantal-size is impossible", got=f"{quantal_size:g}", wanted="a magnitude above 0")
    size = QuantalSize(value=quantal_size, log_sd=MiniSizeConfig().extra_log_sd, source="given by the user")
    return replace(cell, about=replace(cell.about, quantal_size=size))


def _columns(given: Sequence[str]) -> dict[str, str]:
    pairs = [pair(each, "--column") for each in given]
    twice = [role for i, (role, _) in enumerate(pairs) if role in dict(pairs[:i])]
    if twice:
        raise SettingsError(
            f"--column names '{twice[0]}' twice", remedy="give each pulse its own: amplitude1, amplitude2"
        )
    return dict(pairs)


def _print_reading(cells: "Sequence[AmplitudeTable]") -> None:
    """Say what was taken as what: once where it holds for all cells."""
    said = {
        sentence: [each.name for each in cells if sentence in each.sentences]
        for each in cells
        for sentence in each.sentences
    }
    for sentence, names in said.items():
        more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
        whose = "" if len(names) == len(cells) else f"{', '.join(names[:_NAMES])}{more}: "
        typer.echo(printable(f"{whose}{sentence}"))


def _judge(
    cells: "Sequence[AmplitudeTable]",
    answers: _Answers,
    settings: "Settings",
    seed: int | None,
    folder: Path | None,
    *,
    refuse_drift: bool,
) -> None:
    import numpy as np

    from ephysplast.study.amplitudes import judge_amplitudes

    with progress("judging", len(cells)) as advance:
        for cell in cells:
            # A cell's own draws, as in a study: results do not depend on what else is in the table.
            rng = np.random.default_rng([settings.seed if seed is None else seed, crc32(cell.name.encode())])
            try:
                verdict = judge_amplitudes(cell, rng=rng, config=settings.classify, refuse_drift=refuse_drift)
                answers.verdicts.append((cell, verdict))
                if folder is not None:
                    _draw(cell, verdict, settings, folder)
            except Exception as error:  # noqa: BLE001 - one bad cell must never stop the others; its traceback is kept
                answers.failed.append((cell.name, error))
            advance(printable(cell.name))


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
    save_figure(figure, folder / f"locus_{slug(cell.name)}", formats=_FORMATS)


def _report(answers: _Answers, output: Path) -> None:
    """Print the verdicts, and write the tables."""
    _print_verdicts(answers)
    write(
        output / "locus.csv",
        _as_csv([*(_row(*each) for each in answers.verdicts), *(_error_row(*each) for each in answers.failed)]),
    )
    release = [frame for each in answers.verdicts if len(frame := _release(*each))]
    if release:
        write(output / "release.csv", _as_csv(release))


def _print_verdicts(answers: _Answers) -> None:
    rows: list[tuple[str, ...]] = []
    for cell, verdict in answers.verdicts:
        known = verdict.change == verdict.change
        change = f"{verdict.change:.2f} [{verdict.change_low:.2f}, {verdict.change_high:.2f}]" if known else "–"
        asked = verdict.status == OK and verdict.locus != "not asked"
        why = verdict.locus_sentence if asked else verdict.sign_sentence
        rows.append((cell.name, cell.about.response, verdict.sign, change, verdict.locus, why))
    rows += [(name, "", "failed", "–", "not asked", _said(error)) for name, error in answers.failed]
    headings = ("cell", "response", "sign", "change", "locus", "why")
    print_table(headings, rows)


def _row(cell: "AmplitudeTable", verdict: "Verdict") -> "pd.DataFrame":
    frame = verdict.to_frame()
    frame.insert(0, "experiment", cell.name)
    frame.insert(1, "response", cell.about.response)
    frame.insert(2, "unit", cell.table.unit)
    frame["notes"] = "; ".join(cell.sentences)
    return frame


def _error_row(name: str, error: Exception) -> "pd.DataFrame":
    import pandas as pd

    row = {"experiment": name, "status": f"failed: {_said(error)}", "sign": "failed", "locus": "not asked"}
    if not isinstance(error, EphysplastError):
        row["traceback"] = "".join(traceback.format_exception(error))
    return pd.DataFrame([row])


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, EphysplastError) else f"unexpected {type(error).__name__}: {error}"


def _release(cell: "AmplitudeTable", verdict: "Verdict") -> "pd.DataFrame":
    from ephysplast.classify.locus import LocusResult

    frame = LocusResult(locus=verdict.locus, sentence=verdict.locus_sentence, release=verdict.release).to_frame()
    if len(frame):
        frame.insert(0, "experiment", cell.name)
        frame["unit"] = cell.table.unit
    return frame


def _as_csv(frames: "Sequence[pd.DataFrame]") -> str:
    import pandas as pd

    from ephysplast.study.run import _harmless

    harmless: Any = _harmless
    return pd.concat(frames, ignore_index=True).map(harmless).to_csv(index=False, lineterminator="\n")
