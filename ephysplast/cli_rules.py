"""Commands on rules and timing windows: what a rule predicts, and which window a table of changes shows."""

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ephysplast.errors import SettingsError, near_names

if TYPE_CHECKING:
    import pandas as pd

    from ephysplast.fitting import WindowRanking
    from ephysplast.simulator import Protocol, Rule

_DELTA_T_MS: Final = tuple(range(-100, 101, 2))
_FREQUENCIES_HZ: Final = (1.0, 10.0, 20.0, 50.0)
_WITHOUT_WORDS: Final = ("recorded",)  # takes arrays, which a command line cannot give


def simulate(
    rule: Annotated[str, typer.Argument(help="A rule's name; without it all rules are listed.")] = "",
    protocol: Annotated[
        str,
        typer.Option("--protocol", "-p", help="pairing, triplets, theta_burst, … Without it the rule's timing window."),
    ] = "",
    arguments: Annotated[
        list[str] | None, typer.Option("--with", "-w", help="Of the protocol: dt_ms=10 (give it several times).")
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Of the rule: tau_plus_ms=20 (give it several times).")
    ] = None,
    expression: Annotated[
        str,
        typer.Option("--expression", "-e", help="Where the weight lives: presynaptic, postsynaptic, …"),
    ] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the figure.")] = Path(),
    seed: Annotated[int, typer.Option("--seed", help="Of rules and protocols with chance in them.")] = 0,
) -> None:
    """Say what a plasticity rule predicts: its timing window, or its changes through one protocol; with a figure."""
    import numpy as np

    from ephysplast.plotting import rule_states_figure, rule_window_figure, save_figure
    from ephysplast.simulator import RULES, find_rule, timing_window, trace_states
    from ephysplast.simulator import simulate as run_rule

    if not rule:
        _print_table(("rule", "what it says", "confidence"), [(r.name, r.summary, r.confidence) for r in RULES])
        typer.echo("One of them: ephysplast simulate RULE; through a protocol: -p pairing -w dt_ms=10 …")
        return
    found, values = find_rule(rule), dict(_pair(each, "--set") for each in parameters or [])
    shared: dict[str, Any] = {"parameters": {name: _number(name, text) for name, text in values.items()}}
    rng = np.random.default_rng(seed)
    where: dict[str, Any] = {"expression": expression or None}
    output.mkdir(parents=True, exist_ok=True)
    if protocol:
        through = _protocol(protocol, arguments or [], rng)
        result = run_rule(found, through, **shared, **where, rng=rng)
        _print_frame(result.to_frame().drop(columns=["status"]).T.reset_index(), headings=("", "value"))
        figure, name = rule_states_figure(trace_states(found, through, **shared, rng=rng)), f"{found.name}_states"
    else:
        if arguments:
            raise SettingsError("--with belongs to a protocol", remedy="name one with -p, for example -p pairing")
        _print_parameters(found, shared["parameters"])
        window = timing_window(found, dt_ms=_DELTA_T_MS, frequency_hz=_FREQUENCIES_HZ, **shared, **where, rng=rng)
        figure, name = rule_window_figure(window), f"{found.name}_window"
    for path in save_figure(figure, output / name, formats=("png", "svg")):
        typer.echo(f"figure: {path}")


def fit(
    table: Annotated[
        Path, typer.Argument(help="CSV or XLSX: Δt and change, per cell or mean ± SEM; or a study's experiments.csv.")
    ],
    windows: Annotated[bool, typer.Option("--windows", help="Fit timing windows (what is fitted by default).")] = True,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for table, parameters and figure.")] = Path(),
    columns: Annotated[
        list[str] | None, typer.Option("--column", "-c", help="What=column: delta_t=timing, change=ratio, sem=error …")
    ] = None,
    unit: Annotated[
        str, typer.Option("--unit", help="Of the changes: fraction, percent, ratio, 'percent of baseline'.")
    ] = "",
    delta_t_is: Annotated[str, typer.Option("--delta-t-is", help="post-pre (as here, the default) or pre-post.")] = "",
    where: Annotated[
        list[str] | None, typer.Option("--where", help="Column=value: only these rows (give it several times).")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option("--against", help="Column=value: a second condition, compared with --where.")
    ] = None,
    delta_t_error_ms: Annotated[float, typer.Option("--delta-t-error-ms", help="SD of Δt, for every row.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same numbers.")] = 0,
) -> None:
    """Fit timing windows to a table of changes: which one, with which parameters, and how sure that is."""
    import numpy as np

    from ephysplast.fitting import FitConfig, compare_conditions, rank_windows, read_observations
    from ephysplast.plotting import save_figure, windows_figure

    if not windows:
        raise SettingsError("there is nothing to fit", wanted="--windows")
    rng, config = np.random.default_rng(seed), FitConfig(delta_t_error_ms=delta_t_error_ms)
    how: dict[str, Any] = {
        "columns": dict(_pair(each, "--column") for each in columns or []) or None,
        "unit": _choice("--unit", unit, ("fraction", "percent", "ratio", "percent of baseline")),
        "delta_t_is": _choice("--delta-t-is", delta_t_is, ("post-pre", "pre-post")),
    }
    rows = dict(_pair(each, "--where") for each in where or [])
    observations = read_observations(table, where=rows or None, **how)
    for note in observations.notes:
        typer.echo(f"note: {note}")
    ranking = rank_windows(observations, rng, config=config)
    _print_ranking(ranking)
    output.mkdir(parents=True, exist_ok=True)
    stem = output / f"{table.stem}_windows"
    _write(stem.with_suffix(".csv"), ranking.to_frame().to_csv(index=False, lineterminator="\n"))
    _write(stem.with_suffix(".toml"), ranking.to_toml())
    for path in (stem.with_suffix(".csv"), stem.with_suffix(".toml"), *save_figure(windows_figure(ranking), stem)):
        typer.echo(f"written: {path}")
    if against:
        second = read_observations(table, where=dict(_pair(each, "--against") for each in against), **how)
        compared = compare_conditions(observations, second, window=ranking.best.window, rng=rng, config=config)
        typer.echo(f"{' '.join(where or ['all rows'])} against {' '.join(against)}: {compared.sentence}")


def _protocol(name: str, arguments: Sequence[str], rng: Any) -> "Protocol":
    from ephysplast.simulator import PROTOCOLS

    makers: dict[str, Callable[..., Protocol]] = {
        each.__name__: each for each in PROTOCOLS if each.__name__ not in _WITHOUT_WORDS
    }
    if name not in makers:
        raise SettingsError(f"there is no protocol '{name}'", remedy=near_names(name, makers))
    known = inspect.signature(makers[name]).parameters
    given: dict[str, Any] = {}
    for text in arguments:
        key, value = _pair(text, "--with")
        if key not in known or key == "rng":
            raise SettingsError(
                f"protocol {name} has no '{key}'", remedy=near_names(key, [each for each in known if each != "rng"])
            )
        whole = known[key].annotation is int
        given[key] = _whole(key, value) if whole else _number(key, value)
    missing = [key for key, each in known.items() if each.default is each.empty and key not in {*given, "rng"}]
    if missing:
        raise SettingsError(
            f"protocol {name} needs {', '.join(missing)}", remedy=" ".join(f"-w {key}=…" for key in missing)
        )
    return makers[name](**given, **({"rng": rng} if "rng" in known else {}))


def _pair(text: str, option: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not (name.strip() and sign and value.strip()):
        raise SettingsError(f"{option} cannot be read", got=f"'{text}'", wanted="name=value, without spaces")
    return name.strip(), value.strip()


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", ".").replace("\u2212", "-"))
    except ValueError:
        raise SettingsError(f"'{name}' is no number", got=f"'{text}'", wanted=f"{name}=10") from None


def _whole(name: str, text: str) -> int:
    value = _number(name, text)
    if value != int(value):
        raise SettingsError(f"'{name}' is no whole number", got=f"'{text}'", wanted=f"{name}=5")
    return int(value)


def _choice(option: str, text: str, known: Sequence[str]) -> str | None:
    if text and text not in known:
        raise SettingsError(f"{option} is not known", got=f"'{text}'", remedy=near_names(text, known))
    return text or None


def _print_parameters(rule: "Rule", chosen: dict[str, float]) -> None:
    typer.echo(f"{rule.name}: {rule.summary} ({rule.confidence})")
    table = rule.to_frame().to_dict("records")
    values = [f"{chosen.get(each['parameter'], each['value']):g}" for each in table]
    rows = [
        (each["parameter"], value, each["unit"], each["meaning"], each["source"])
        for each, value in zip(table, values, strict=True)
    ]
    _print_table(("parameter", "value", "unit", "meaning", "source"), rows)


def _print_ranking(ranking: "WindowRanking") -> None:
    rows = [
        (
            str(each["rank"]),
            each["title"],
            f"{each['log_evidence_behind']:.1f}",
            f"{each['probability']:.2f}",
            f"{each['aicc']:.1f}",
            f"{each['leave_one_out']:.1f}",
            each["convergence"],
        )
        for each in ranking.to_frame().to_dict("records")
    ]
    headings = ("rank", "window", "log evidence behind", "probability", "AICc", "leave-one-out", "fit")
    _print_table(headings, rows)
    typer.echo(ranking.sentence)


def _print_frame(frame: "pd.DataFrame", *, headings: Sequence[str]) -> None:
    rows = [[f"{cell:.4g}" if isinstance(cell, float) else str(cell) for cell in row] for row in frame.to_numpy()]
    _print_table(headings, rows)


def _print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    import sys

    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table()
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="\n")
    temporary.replace(path)
