"""Commands on rules and timing windows: what a rule predicts, and which window a table of changes shows."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ephysplast._console import pair, print_table, progress, write
from ephysplast.errors import OK, SettingsError, near_names

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure

    from ephysplast.fitting import FitConfig, Observations, WindowFit, WindowRanking
    from ephysplast.simulator import Protocol, Rule, SimulationResult

_DELTA_T_MS: Final = tuple(range(-100, 101, 2))
_FREQUENCIES_HZ: Final = (1.0, 10.0, 20.0, 50.0)
_WITHOUT_WORDS: Final = ("recorded",)  # takes arrays, which a command line cannot give
_UNITS: Final = ("fraction", "percent", "ratio", "percent of baseline")
_YES: Final = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_READ_AS: Final = {"delta_t": "Δt", "change": "change", "sem": "standard error", "sd": "SD", "n_cells": "n"}


def simulate(
    rule: Annotated[str, typer.Argument(help="A rule's name; without it all rules are listed.")] = "",
    protocol: Annotated[
        str,
        typer.Option("--protocol", "-p", help="pairing, triplets, theta_burst, … Without it the rule's timing window."),
    ] = "",
    arguments: Annotated[
        list[str] | None, typer.Option("--with", "-w", help="Of the protocol: dt_ms=10 (give it several times).")
    ] = None,
    held_at_mv: Annotated[
        float | None, typer.Option("--held-at-mv", help="Potential of the postsynaptic cell during the protocol.")
    ] = None,
    parameters: Annotated[
        list[str] | None, typer.Option("--set", "-s", help="Of the rule: tau_plus_ms=20 (give it several times).")
    ] = None,
    expression: Annotated[
        str,
        typer.Option("--expression", "-e", help="Where the weight lives: presynaptic, postsynaptic, …"),
    ] = "",
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for table and figure.")] = Path(),
    seed: Annotated[int, typer.Option("--seed", help="Of rules and protocols with chance in them.")] = 0,
) -> None:
    """Say what a plasticity rule predicts: its timing window, or its changes through one protocol; with a figure."""
    import numpy as np

    from ephysplast.simulator import find_rule

    if not rule:
        _print_rules()
        return
    found, values = find_rule(rule), dict(pair(each, "--set") for each in parameters or [])
    how: dict[str, Any] = {"parameters": {name: _number(name, text) for name, text in values.items()}}
    how |= {"expression": expression or None, "rng": np.random.default_rng(seed)}
    if protocol:
        through = _protocol(protocol, arguments or [], how["rng"])
        _simulate_protocol(found, through if held_at_mv is None else through.held_at(held_at_mv), how, output)
        return
    for option, given in (("--with", arguments), ("--held-at-mv", held_at_mv is not None)):
        if given:
            raise SettingsError(f"{option} belongs to a protocol", remedy="name one with -p, for example -p pairing")
    _simulate_window(found, how, output)


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

    from ephysplast.fitting import FitConfig

    if not windows:
        raise SettingsError("there is nothing to fit", wanted="--windows")
    if against and not where:
        raise SettingsError("--against needs the condition that it is compared with", remedy="--where column=value")
    how: dict[str, Any] = {
        "columns": dict(pair(each, "--column") for each in columns or []) or None,
        "unit": _choice("--unit", unit, _UNITS),
        "delta_t_is": _choice("--delta-t-is", delta_t_is, ("post-pre", "pre-post")),
    }
    chosen = {name: _rows(given, name) for name, given in (("--where", where), ("--against", against))}
    rng, config = np.random.default_rng(seed), FitConfig(delta_t_error_ms=delta_t_error_ms)
    stem = output / f"{table.stem}_windows"
    first = _ranked(_read(table, chosen["--where"], how), rng, config, stem)
    if against:
        second = _ranked(_read(table, chosen["--against"], how), rng, config, stem.with_name(f"{stem.name}_against"))
        names = (" ".join(where or []), " ".join(against))
        _compare(first, second, rng, config, names=names, stem=output / f"{table.stem}_comparison")


def _print_rules() -> None:
    from ephysplast.simulator import RULES

    print_table(("rule", "what it says", "confidence"), [(r.name, r.summary, r.confidence) for r in RULES])
    typer.echo("One of them: ephysplast simulate RULE; through a protocol: -p pairing -w dt_ms=10 …")


def _simulate_protocol(rule: "Rule", protocol: "Protocol", how: Mapping[str, Any], output: Path) -> None:
    from ephysplast.plotting import rule_states_figure
    from ephysplast.simulator import simulate as run_rule
    from ephysplast.simulator import trace_states

    result = run_rule(rule, protocol, **how)
    course = trace_states(rule, protocol, parameters=how["parameters"], rng=how["rng"])
    _print_parameters(rule, how["parameters"])
    typer.echo(f"{protocol.description}:")
    print_table(("what", "change"), _changes_in_words(result))
    stem = output / f"{rule.name}_states"
    write(stem.with_suffix(".csv"), result.to_frame().to_csv(index=False, lineterminator="\n"))
    _write_figure(rule_states_figure(course), stem)


def _simulate_window(rule: "Rule", how: Mapping[str, Any], output: Path) -> None:
    from ephysplast.plotting import rule_window_figure
    from ephysplast.simulator import timing_window

    n = len(_DELTA_T_MS) * len(_FREQUENCIES_HZ)
    with progress("simulating", n) as advance:
        window = timing_window(rule, dt_ms=_DELTA_T_MS, frequency_hz=_FREQUENCIES_HZ, **how, watch=advance)
    _print_parameters(rule, how["parameters"])
    stem = output / f"{rule.name}_window"
    write(stem.with_suffix(".csv"), window.to_frame().to_csv(index=False, lineterminator="\n"))
    _write_figure(rule_window_figure(window), stem)


def _read(table: Path, rows: Mapping[str, str], how: Mapping[str, Any]) -> "Observations":
    from ephysplast.fitting import read_observations

    found = read_observations(table, where=rows or None, **how)
    read = ", ".join(f"{_READ_AS.get(role, role)} from '{name}'" for role, name in found.columns.items())
    typer.echo(f"{len(found)} observations: {read}")
    for note in found.notes:
        typer.echo(f"note: {note}")
    return found


def _ranked(
    observations: "Observations", rng: "np.random.Generator", config: "FitConfig", stem: Path
) -> "WindowRanking":
    """Rank all windows, print the answer, and write table, parameters and figure."""
    from ephysplast.fitting import WINDOWS, rank_windows
    from ephysplast.plotting import windows_figure

    with progress("fitting", len(WINDOWS)) as advance:
        ranking = rank_windows(observations, rng, config=config, watch=lambda each: advance(each.window.short))
    _print_ranking(ranking)
    write(stem.with_suffix(".csv"), ranking.to_frame().to_csv(index=False, lineterminator="\n"))
    write(stem.with_suffix(".toml"), ranking.to_toml())
    _write_figure(windows_figure(ranking), stem)
    return ranking


def _compare(
    first: "WindowRanking",
    second: "WindowRanking",
    rng: "np.random.Generator",
    config: "FitConfig",
    *,
    names: tuple[str, str],
    stem: Path,
) -> None:
    from ephysplast.fitting import compare_conditions, window_for_both
    from ephysplast.plotting import comparison_figure

    window = window_for_both(first, second)
    found = compare_conditions(first.observations, second.observations, window=window, rng=rng, config=config)
    typer.echo(f"{names[0]} against {names[1]}, by the window that explains both best ({window.title}):")
    typer.echo(found.sentence)
    write(stem.with_suffix(".csv"), found.to_frame().to_csv(index=False, lineterminator="\n"))
    _write_figure(comparison_figure(found, names=names), stem)


def _protocol(name: str, arguments: Sequence[str], rng: "np.random.Generator") -> "Protocol":
    from ephysplast.simulator import PROTOCOLS

    makers: dict[str, Callable[..., Protocol]] = {
        each.__name__: each for each in PROTOCOLS if each.__name__ not in _WITHOUT_WORDS
    }
    if name not in makers:
        raise SettingsError(f"there is no protocol '{name}'", remedy=near_names(name, makers))
    known = inspect.signature(makers[name]).parameters
    given: dict[str, Any] = {}
    for text in arguments:
        key, value = pair(text, "--with")
        if key not in known or key == "rng":
            raise SettingsError(
                f"protocol {name} has no '{key}'", remedy=near_names(key, [each for each in known if each != "rng"])
            )
        readers = {int: _whole, bool: _yes_or_no}
        given[key] = readers.get(known[key].annotation, _number)(key, value)
    missing = [key for key, each in known.items() if each.default is each.empty and key not in {*given, "rng"}]
    if missing:
        raise SettingsError(
            f"protocol {name} needs {', '.join(missing)}", remedy=" ".join(f"-w {key}=…" for key in missing)
        )
    return makers[name](**given, **({"rng": rng} if "rng" in known else {}))


def _rows(given: Sequence[str] | None, option: str) -> dict[str, str]:
    pairs = [pair(each, option) for each in given or []]
    twice = [name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i])]
    if twice:
        raise SettingsError(
            f"{option} names the column '{twice[0]}' twice", remedy="a row has one value there: fit them one by one"
        )
    return dict(pairs)


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", ".").replace("\u2212", "-"))
    except ValueError:
        raise SettingsError(f"'{name}' is no number", got=f"'{text}'", wanted=f"{name}=10") from None


def _whole(name: str, text: str) -> int:
    value = _number(name, text)
    if not isfinite(value) or value != int(value):
        raise SettingsError(f"'{name}' is no whole number", got=f"'{text}'", wanted=f"{name}=5")
    return int(value)


def _yes_or_no(name: str, text: str) -> bool:
    if text.lower() not in _YES:
        raise SettingsError(f"'{name}' is neither yes nor no", got=f"'{text}'", wanted=f"{name}=yes or {name}=no")
    return _YES[text.lower()]


def _choice(option: str, text: str, known: Sequence[str]) -> str | None:
    if text and text not in known:
        raise SettingsError(f"{option} is not known", got=f"'{text}'", remedy=near_names(text, known))
    return text or None


def _changes_in_words(result: "SimulationResult") -> list[tuple[str, str]]:
    """Say what the rule can change: fractions in per cent, the others in their unit."""
    from ephysplast.simulator import VARIABLES

    rows = []
    if set(result.changed) & {"p", "n", "q", "g"}:
        rows.append(("strength, at an unchanged driving force", f"{100 * result.strength[0]:+.3g} %"))
    for each in VARIABLES:
        if each.name in result.changed:
            value = float(getattr(result, each.name)[0])
            said = f"{value:+.3g} {each.unit}" if each.unit else f"{100 * value:+.3g} %"
            rows.append((each.meaning.split(",")[0], said))
    return rows


def _print_parameters(rule: "Rule", chosen: Mapping[str, float]) -> None:
    typer.echo(f"{rule.name}: {rule.summary} ({rule.confidence})")
    rows = [
        (each.name, f"{chosen.get(each.name, each.value):g}", each.unit, each.meaning, each.source)
        for each in rule.parameters
    ]
    print_table(("parameter", "value", "unit", "meaning", "source of the rule's own value"), rows)
    typer.echo(f"source: {rule.source}")
    if rule.note:
        typer.echo(f"note: {rule.note}")


def _print_ranking(ranking: "WindowRanking") -> None:
    rows = [
        (
            str(each["rank"]),
            each["title"],
            _figures(each["log_evidence_behind"], ".1f"),
            _figures(each["probability"], ".2f"),
            _figures(each["aicc"], ".1f"),
            _figures(each["leave_one_out"], ".1f"),
            each["convergence"],
        )
        for each in ranking.to_frame().to_dict("records")
    ]
    headings = ("rank", "window", "log evidence behind", "probability", "AICc", "leave-one-out", "fit")
    print_table(headings, rows)
    typer.echo(ranking.sentence)
    print_table(("parameter of the first", "value", "interval or reason"), _parameters_in_words(ranking.best))


def _parameters_in_words(fitted: "WindowFit") -> list[tuple[str, str, str]]:
    from ephysplast.fitting import NOISE

    rows = []
    for parameter, each in zip((*fitted.window.parameters, NOISE), fitted.estimates, strict=True):
        known = each.status == OK
        why = f"{parameter.said(each.low)} to {parameter.said(each.high)}" if known else each.status
        rows.append((f"{parameter.symbol} ({parameter.name})", parameter.said(each.value) if known else "–", why))
    return rows


def _figures(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "–"


def _write_figure(figure: "Figure", stem: Path) -> None:
    from ephysplast.plotting import save_figure

    for path in save_figure(figure, stem, formats=("png", "svg")):
        typer.echo(f"written: {path}")
