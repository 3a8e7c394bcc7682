"""The report: one HTML page with every verdict, its evidence and its figure; no script, nothing from the network."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import ephysplast
from ephysplast.experiment import CELL_KINDS
from ephysplast.study import FIGURES, slug, study_table

if TYPE_CHECKING:
    import pandas as pd

FILE: Final = "report.html"


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
    frames = {name: study_table(out, name) for name in ("experiments", "cells", "evidence", "quality", "errors")}
    rooms = Environment(
        loader=PackageLoader("ephysplast.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = rooms.get_template("report.html.j2").render(
        version=ephysplast.__version__,
        experiments=[_section(row, frames, out) for row in _records(frames["experiments"])],
        counts=_counts(frames["experiments"]),
    )
    target = out / FILE
    temporary = target.with_name(f".{FILE}.tmp")
    temporary.write_text(page, encoding="utf-8", newline="\n")
    temporary.replace(target)
    return target


def _section(row: dict[str, Any], frames: "dict[str, pd.DataFrame]", out: Path) -> dict[str, Any]:
    name = row["experiment"]
    figure = f"{FIGURES}/{slug(name)}.svg"
    return {
        "name": name,
        "anchor": slug(name),
        "synapse": f"{row['pre_type'] or '?'} → {row['post_type'] or '?'}",
        "response": row["response"],
        "sign": row["sign"],
        "change": _interval(row.get("change"), row.get("change_low"), row.get("change_high")),
        "locus": row["locus"],
        "status": row["status"] if row["sign"] in ("refused", "failed") else "",
        "sentences": [row[each] for each in ("sign_sentence", "locus_sentence") if row.get(each)],
        "induction": _induction(row),
        "cell": _cell(frames["cells"], name),
        "question": "Evidence for what changed" if row["response"] in CELL_KINDS else "Evidence for the locus",
        "evidence": _of(frames["evidence"], name, ("index", "points_to", "sentence")),
        "quality": _of(frames["quality"], name, ("name", "outcome", "sentence")),
        "figure": figure if row["sign"] != "failed" and (out / figure).is_file() else "",
    }


def _induction(row: dict[str, Any]) -> str:
    if not row.get("induction_pairings"):
        return ""
    spread = f" ± {row['induction_delta_t_sd_ms']:.1f}" if row.get("induction_delta_t_sd_ms") is not None else ""
    return (
        f"{row['induction_pairings']:.0f} pairings delivered, Δt = t_post − t_pre = "
        f"{row['induction_delta_t_ms']:+.1f}{spread} ms (mean ± SD), {row['induction_frequency_hz']:.3g} Hz"
    )


def _cell(frame: "pd.DataFrame", experiment: str) -> list[list[str]]:
    """Return one row per quantity and phase: what was measured of the cell itself, with the reason where it was not."""
    rows = _records(frame[frame["experiment"] == experiment]) if not frame.empty else []
    return [
        [row["phase"], row["quantity"], _interval(row["value"], row["low"], row["high"], unit=row["unit"]), _how(row)]
        for row in rows
    ]


def _how(row: dict[str, Any]) -> str:
    return str(row["method"] or "") if row["status"] == "ok" else str(row["status"])


def _interval(value: float | None, low: float | None, high: float | None, *, unit: str = "") -> str:
    if value is None or ((low is None or high is None) and not unit):
        return "–"
    known = low is not None and high is not None
    digits = f"{value:.4g} [{low:.4g}, {high:.4g}]" if known and unit else f"{value:.4g}"
    return f"{digits} {unit}".strip() if unit else f"{value:.2f} [{low:.2f}, {high:.2f}]"


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
