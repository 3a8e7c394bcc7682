"""The command that plans an experiment: how many sweeps and cells, for the synapse that is expected."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ephysplast._console import INTERRUPTED, print_table, write
from ephysplast.errors import SettingsError

if TYPE_CHECKING:
    from ephysplast.planning import LocusPlan, PlanConfig, SignPlan

_BASELINES: Final = (30, 60, 120)
_POSTS: Final = (60, 120, 240, 480)
_AROUND: Final = (0.25, 0.5, 1.0, 2.0)
"""With both numbers given, the post sweeps beside them."""
_LEAST: Final = 10
_CHANGE: Final = 40.0
_RUNS, _RUNS_PAIRED = 60, 30
_JUDGED, _JUDGED_PAIRED = 500, 120
"""Paired pulses take four times as long to judge: both finish in about two minutes."""


def plan(
    n: Annotated[int, typer.Option("--n", help="Release sites.")],
    p: Annotated[float, typer.Option("--p", help="Release probability before the change.")],
    q: Annotated[float, typer.Option("--q", help="Quantal amplitude, in any unit.")],
    noise: Annotated[float, typer.Option("--noise", help="SD of the noise of an amplitude, in the unit of q.")],
    cv_within: Annotated[float, typer.Option("--cv-within", help="Quantal variability within a site.")] = 0.2,
    cv_between: Annotated[float, typer.Option("--cv-between", help="Quantal variability between sites.")] = 0.2,
    ppr: Annotated[float | None, typer.Option("--ppr", help="Paired-pulse ratio; without it one pulse.")] = None,
    change: Annotated[
        float | None, typer.Option("--change", help="Of the mean, in %: is it pre or post? 40 unless --ltp is asked.")
    ] = None,
    locus: Annotated[str, typer.Option("--locus", help="Where the change lives: p, q, n, or both (p and q).")] = "both",
    ltp: Annotated[
        float | None, typer.Option("--ltp", help="A change in %, negative for LTD: is it told from none?")
    ] = None,
    baseline: Annotated[int | None, typer.Option("--baseline", help="Baseline sweeps. Default: 30, 60, 120.")] = None,
    post: Annotated[int | None, typer.Option("--post", help="Post sweeps. Default: 60, 120, 240, 480.")] = None,
    power: Annotated[float, typer.Option("--power", help="Share of cells that shall be called rightly.")] = 0.8,
    cells: Annotated[int, typer.Option("--cells", help="Cells wanted that are called one by one.")] = 3,
    every_s: Annotated[float, typer.Option("--every-s", help="Time from sweep to sweep, in s.")] = 10.0,
    between_cell_sd: Annotated[
        float, typer.Option("--between-cell-sd", help="For --ltp: SD of the log change across cells.")
    ] = 0.25,
    runs: Annotated[
        int | None,
        typer.Option("--runs", help="Most simulated cells per point. Default: 60; 30 with --ppr; 200 of --ltp."),
    ] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables and figure.")] = Path(),
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same plan.")] = 0,
) -> None:
    """Say how many sweeps and cells tell pre from post, or a change from none, at the synapse that you expect.

    What is called, and how often, is counted over simulated cells. That takes about two minutes; Ctrl-C ends it with
    what is known so far. Exit code 130: interrupted.
    """
    import numpy as np

    from ephysplast.planning import Change, SignPlanConfig, Synapse, plan_locus, plan_sign

    loci = {"both": "pq", "p": "p", "n": "n", "q": "q"}.get(locus)
    if loci is None:
        raise SettingsError("--locus is not known", got=f"'{locus}'", wanted="p, q, n or both")
    synapse = Synapse(n=n, p=p, q=q, noise_sd=noise, cv_within=cv_within, cv_between=cv_between, paired_pulse_ratio=ppr)
    where: dict[str, Any] = _grid(baseline, post, paired=ppr is not None)
    rng = np.random.default_rng(seed)
    of_locus = of_sign = None
    if change is not None or ltp is None:
        percent = _CHANGE if change is None else change
        truths = [Change(percent=percent, locus=each) for each in loci]  # type: ignore[arg-type]
        config = _effort(runs, paired=ppr is not None, power=power, called_cells=cells, every_s=every_s)
        with _progress("where the change is") as watch:
            of_locus = plan_locus(synapse, truths, rng=rng, config=config, watch=watch, **where)
    if ltp is not None and (of_locus is None or of_locus.complete):
        how = SignPlanConfig(power=power, every_s=every_s, between_cell_sd=between_cell_sd)
        how = how if runs is None else replace(how, n_runs=runs)
        with _progress("whether it changed") as watch:
            of_sign = plan_sign(synapse, ltp, rng=rng, config=how, watch=watch, **where)
    _report(of_locus, of_sign, output)


def _grid(baseline: int | None, post: int | None, *, paired: bool) -> dict[str, Any]:
    """Return the pairs of sweep numbers to try, and the one asked for."""
    if baseline is not None and post is not None:
        posts = [max(round(post * each), _LEAST) for each in _AROUND]
        return {"sweeps": [(baseline, each) for each in posts], "asked": (baseline, post)}
    usual = _BASELINES[1:2] if paired else _BASELINES
    baselines = usual if baseline is None else (baseline,)
    posts = list(_POSTS if post is None else (post,))
    return {"sweeps": [(a, b) for a in baselines for b in posts], "asked": None}


def _effort(runs: int | None, *, paired: bool, **settings: Any) -> "PlanConfig":
    from ephysplast.planning import PlanConfig

    usual, judged = (_RUNS_PAIRED, _JUDGED_PAIRED) if paired else (_RUNS, _JUDGED)
    most = usual if runs is None else runs
    first = min(6 if paired else 10, most)
    return PlanConfig(n_first=first, n_runs=most, n_judged=round(judged * most / usual), **settings)


def _report(of_locus: "LocusPlan | None", of_sign: "SignPlan | None", output: Path) -> None:
    """Print the plans and write tables and figure; with exit code 130 when they were interrupted."""
    from ephysplast.plotting import save_figure
    from ephysplast.plotting.planning import plan_figure

    if of_locus is not None:
        _print_locus(of_locus)
        write(output / "plan.csv", of_locus.to_frame().to_csv(index=False, lineterminator="\n"))
        write(output / "plan_cells.csv", of_locus.cells_frame().to_csv(index=False, lineterminator="\n"))
    if of_sign is not None:
        _print_sign(of_sign)
        write(output / "plan_sign.csv", of_sign.to_frame().to_csv(index=False, lineterminator="\n"))
    for path in save_figure(plan_figure(of_locus, of_sign), output / "plan", formats=("png", "svg", "pdf")):
        typer.echo(f"written: {path}")
    if any(each is not None and not each.complete for each in (of_locus, of_sign)):
        typer.echo("interrupted: this is what was known", err=True)
        raise typer.Exit(INTERRUPTED)


def _print_locus(plan: "LocusPlan") -> None:
    headings = ["baseline", "post", "minutes"]
    for each in plan.changes:
        headings += [f"{each.locus} {each.percent:+g} %: rightly".replace("-", "−"), "wrongly", "undetermined"]
    shares = [plan.share(name) for name in ("right", "wrong", "undetermined")]
    rows = []
    for j, (baseline, post) in enumerate(plan.sweeps.tolist()):
        row = [f"{baseline}", f"{post}", f"{plan.minutes()[j]:.0f}"]
        for i in range(len(plan.changes)):
            row += [_percent(*(float(end[i, j]) for end in share)) for share in shares]
        rows.append(row)
    print_table(headings, rows)
    for sentence in plan.sentences:
        typer.echo(f"{sentence}.")


def _print_sign(plan: "SignPlan") -> None:
    rows = []
    found, false = plan.share("found"), plan.share("false")
    for j, (baseline, post) in enumerate(plan.sweeps.tolist()):
        needed = float(plan.cells[j])
        row = [f"{baseline}", f"{post}", f"{plan.window_sweeps[j]}", f"{plan.minutes()[j]:.0f}"]
        row += [_percent(*(float(end[j]) for end in share)) for share in (found, false)]
        rows.append([*row, f"{needed:.0f}" if isfinite(needed) else "–"])
    headings = ("baseline", "post", "in the window", "minutes", "change found", "found without one", "cells of a study")
    print_table(headings, rows)
    for sentence in plan.sentences:
        typer.echo(f"{sentence}.")


def _percent(share: float, low: float, high: float) -> str:
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]" if isfinite(share) else "–"


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how far a run of minutes is, and for how long it will go on."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        bar = progress.add_task(f"{what}: simulated cells, Ctrl-C to end early", total=None)
        yield lambda done, most: progress.update(bar, completed=done, total=most)
