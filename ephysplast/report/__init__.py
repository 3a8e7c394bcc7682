"""The report: one HTML page with every verdict, its evidence and its figure; no script, nothing from the network."""

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ephysplast
from ephysplast._files import write_text
from ephysplast.classify import LOCI_IN_WORDS, probability_in_words
from ephysplast.experiment import CELL_KINDS
from ephysplast.study import FIGURES, slug, study_table
from ephysplast.study.sentences import interval_in_words, quantity_in_words
from ephysplast.study.tables import PROBABILITY_COLUMNS

if TYPE_CHECKING:
    import pandas as pd

FILE: Final = "report.html"

_SHOWN: Final = 0.02
"""Loci less likely than this are not worth their n, p and q, but for the likeliest."""

_SAME: Final = 1e-6


def write_report(folder: str | os.PathLike[str]) -> Path:
    """Write the report of a study that was run.

    Parameters
    ----------
    folder : path-like
        The output folder of ``ephysplast analyse``.

    Returns
    -------
    pathlib.Path
        ``folder/report.html``, written under a temporary name and renamed. It refers to the figures beside it, so the
        folder can be moved as a whole. Text from files and manifest is escaped.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    out = Path(folder)
    names = ("experiments", "cells", "release", "evidence", "quality", "errors")
    frames = {name: study_table(out, name) for name in names}
    rooms = Environment(
        loader=PackageLoader("ephysplast.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = rooms.get_template("report.html.j2").render(
        version=ephysplast.__version__,
        experiments=[_section(row, frames, out) for row in _records(frames["experiments"])],
        counts=_counts(frames["experiments"]),
    )
    target = out / FILE
    write_text(target, page)
    return target


def _section(row: dict[str, Any], frames: "dict[str, pd.DataFrame]", out: Path) -> dict[str, Any]:
    name = row["experiment"]
    figure = f"{FIGURES}/{slug(name)}.svg"
    return {
        "name": name,
        "anchor": slug(name),
        "synapse": _of_what(row),
        "response": row["response"],
        "of_cell": row["response"] in CELL_KINDS,
        "sign": row["sign"],
        "change": row.get("changes") or _interval(row.get("change"), row.get("change_low"), row.get("change_high")),
        "locus": row["locus"],
        "loci": _loci(row),
        "release": _release(frames["release"], name),
        "status": row["status"] if row["sign"] in ("refused", "failed") else "",
        "sentences": [row[each] for each in ("sign_sentence", "locus_sentence") if row.get(each)],
        "induction": _induction(row),
        "cell": _cell(frames["cells"], name),
        "corrections": _corrections(row),
        "question": "Evidence for what changed" if row["response"] in CELL_KINDS else "Evidence for the locus",
        "evidence": _of(frames["evidence"], name, ("index", "points_to", "sentence")),
        "quality": _of(frames["quality"], name, ("name", "outcome", "sentence")),
        "figure": figure if row["sign"] != "failed" and (out / figure).is_file() else "",
    }


def _loci(row: dict[str, Any]) -> list[dict[str, str]]:
    """Return each locus with its probability and how long its bar is; empty where none could be given."""
    known = {locus: row.get(column) for locus, column in PROBABILITY_COLUMNS.items()}
    return [
        {
            "name": locus,
            "words": LOCI_IN_WORDS[locus],
            "probability": probability_in_words(value),
            "percent": f"{100.0 * value:.1f}",
        }
        for locus, value in known.items()
        if value is not None
    ]


def _release(frame: "pd.DataFrame", experiment: str) -> list[list[str]]:
    """Return n, p and q before and after under the loci that are likely enough, the likeliest first."""
    rows = _records(frame[frame["experiment"] == experiment]) if not frame.empty else []
    loci: dict[str, dict[str, dict[str, Any]]] = {}
    for row in sorted(rows, key=lambda each: -each["probability"]):
        if not loci or row["locus"] in loci or row["probability"] >= _SHOWN:
            loci.setdefault(row["locus"], {})[row["quantity"]] = row
    return [
        [
            LOCI_IN_WORDS[locus],
            probability_in_words(found["n"]["probability"]),
            *(_course(found[each]) for each in "npq"),
        ]
        for locus, found in loci.items()
    ]


def _course(row: dict[str, Any]) -> str:
    """Write a quantity before and after; once where it is the same."""
    if row["before"] is None or row["after"] is None:
        return "–"
    before, after = (_median(row, when) for when in ("before", "after"))
    same = math.isclose(row["before"], row["after"], rel_tol=_SAME)
    return before if same else f"{before} → {after}"


def _median(row: dict[str, Any], when: str) -> str:
    value, low, high = row[when], _known(row[f"{when}_low"]), _known(row[f"{when}_high"])
    if row["quantity"] == "n" and math.isfinite(low) and math.isfinite(high):  # sites are whole ones
        return f"{value:.0f} [{low:.0f}, {high:.0f}]"
    return interval_in_words(value, low, high, row["unit"] or "")


def _known(value: float | None) -> float:
    return math.nan if value is None else value


def _induction(row: dict[str, Any]) -> str:
    if not row.get("induction_pairings"):
        return ""
    spread = f" ± {row['induction_delta_t_sd_ms']:.1f}" if row.get("induction_delta_t_sd_ms") is not None else ""
    return (
        f"{row['induction_pairings']:.0f} pairings delivered, Δt = t_post − t_pre = "
        f"{row['induction_delta_t_ms']:+.1f}{spread} ms (mean ± SD), {row['induction_frequency_hz']:.3g} Hz"
    )


def _of_what(row: dict[str, Any]) -> str:
    """Name the synapse, or the cell: its type."""
    if row["response"] in CELL_KINDS:
        return str(row["post_type"] or "?")
    return f"{row['pre_type'] or '?'} → {row['post_type'] or '?'}"


def _cell(frame: "pd.DataFrame", experiment: str) -> dict[str, Any]:
    """Return what was measured of the cell itself: one row per quantity, the phases side by side."""
    rows = _records(frame[frame["experiment"] == experiment]) if not frame.empty else []
    phases = list(dict.fromkeys(row["phase"] for row in rows))
    by_quantity: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_quantity.setdefault(row["quantity"], {})[row["phase"]] = row
    return {
        "phases": phases,
        "rows": [
            [quantity_in_words(quantity), [_estimate(found.get(each)) for each in phases], _how(found)]
            for quantity, found in by_quantity.items()
        ],
    }


def _estimate(row: dict[str, Any] | None) -> str:
    if row is None or row["value"] is None:
        return "–"
    low, high = (_known(row[each]) for each in ("low", "high"))
    return interval_in_words(row["value"], low, high, row["unit"])


def _how(found: dict[str, dict[str, Any]]) -> list[str]:
    """Say how each phase was measured, or why not, once where it is the same."""
    said: dict[str, list[str]] = {}
    for phase, row in found.items():
        said.setdefault(str((row["method"] if row["status"] == "ok" else row["status"]) or ""), []).append(phase)
    if len(said) == 1:
        return list(said)
    return [f"{', '.join(phases)}: {how}" for how, phases in said.items() if how]


def _corrections(row: dict[str, Any]) -> list[str]:
    said: dict[str, list[str]] = {}
    for column, text in row.items():
        if column.endswith("_corrections") and text:
            said.setdefault(text, []).append(column.removesuffix("_corrections"))
    return [f"{', '.join(phases)}: {text}" for text, phases in said.items()]


def _interval(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "–"
    return f"{value:.2f} [{low:.2f}, {high:.2f}]"


def _of(frame: "pd.DataFrame", experiment: str, columns: Sequence[str]) -> list[list[Any]]:
    if frame.empty:
        return []
    chosen = frame[frame["experiment"] == experiment]
    return [[row[column] for column in columns] for row in _records(chosen)]


def _records(frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """Return rows as dictionaries, with None for what is not known."""
    return list(frame.astype(object).where(frame.notna(), None).to_dict("records"))  # type: ignore[arg-type]


def _counts(experiments: "pd.DataFrame") -> str:
    counted = experiments["sign"].value_counts(sort=False)
    return ", ".join(f"{count} {sign}" for sign, count in counted.items())
