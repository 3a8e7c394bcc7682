"""The sample data as files: recordings, manifest and truth."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Final, TypeAlias

from ephysplast._files import write_text
from ephysplast.io import write_abf, write_nwb
from ephysplast.synthesis import cell_tables, synapse_tables
from ephysplast.synthesis.blocks import Block
from ephysplast.synthesis.cell_experiments import CellBlock, CellExperiment, make_cell_experiment
from ephysplast.synthesis.cell_sample import cell_plans
from ephysplast.synthesis.experiments import SyntheticExperiment, make_experiment
from ephysplast.synthesis.files import SyntheticFile
from ephysplast.synthesis.sample import sample_plans
from ephysplast.synthesis.truth import Plan

MadeExperiment: TypeAlias = SyntheticExperiment | CellExperiment
AnyFile: TypeAlias = SyntheticFile[Block] | SyntheticFile[CellBlock]

MANIFEST_COLUMNS: Final = (
    "experiment", "phase", "file", "sweeps", "response", "channel", "pre_channel", "stimulus", "pathway", "role",
    "recording", "unit", "clamp", "scale", "pre_type", "post_type", "animal", "slice", "cell", "age", "sex", "species",
    "region", "layer", "internal", "external", "temperature_degc", "junction_potential_mv", "rs_mohm",
    "compensation_percent", "rest_mv", "configuration", "drug", "experimenter", "condition", "exclude",
)  # fmt: skip
"""Columns of the manifest, one row per experiment × phase × file."""

TRUTH_COLUMNS: Final = (
    "experiment", "response", "unit", "sign", "locus", "refusal", "n_before", "n_after", "p_before", "p_after",
    "q_before", "q_after", "cv_i", "cv_ii", "change", "drawn_change", "ppr_before", "ppr_after", "drawn_ppr_before",
    "drawn_ppr_after", "failures_before", "failures_after", "rs_before_mohm", "rs_after_mohm", "rin_mohm", "cm_pf",
    "holding_mv", "reversal_mv", "latency_ms", "baseline_sweeps", "post_sweeps", "pairings", "delta_t_ms_mean",
    "delta_t_ms_sd", *cell_tables.COLUMNS, "story",
)  # fmt: skip
"""Columns of the truth table, one row per experiment."""

_FIRST_DAY: Final = datetime(2024, 3, 4, 10, 30, tzinfo=UTC)


def sample_experiments() -> tuple[MadeExperiment, ...]:
    """Make the experiments of the sample data in memory, one per day: those on synapses, then those on cells."""
    synapses, cells = sample_plans(), cell_plans()
    days = [_FIRST_DAY + timedelta(days=day) for day in range(len(synapses) + len(cells))]
    return (
        *(make_experiment(plan, started_at=day) for plan, day in zip(synapses, days, strict=False)),
        *(make_cell_experiment(plan, started_at=day) for plan, day in zip(cells, days[len(synapses) :], strict=True)),
    )


def write_sample_data(
    folder: str | os.PathLike[str], *, experiments: Sequence[MadeExperiment] | None = None
) -> tuple[Path, ...]:
    """Write recordings, ``manifest.csv`` and ``truth.csv``.

    ABF and CSV files come out with the same bytes every time, NWB files with the same data (identifiers and
    the date of writing differ).

    Parameters
    ----------
    folder : path-like
        Where to write; made when it does not exist. Files of the same names are replaced.
    experiments : sequence of SyntheticExperiment or CellExperiment, optional
        Some of :func:`sample_experiments`; all by default.

    Returns
    -------
    tuple of pathlib.Path
        The files, recordings first.
    """
    target = Path(folder)
    made = sample_experiments() if experiments is None else tuple(experiments)
    written = [write_file(experiment, file, target) for experiment in made for file in experiment.files]
    rows = [row for experiment in made for row in manifest_rows(experiment)]
    written.append(_write_csv(target / "manifest.csv", MANIFEST_COLUMNS, rows))
    truth = [truth_row(experiment) for experiment in made]
    written.append(_write_csv(target / "truth.csv", TRUTH_COLUMNS, truth))
    return tuple(written)


def write_file(experiment: MadeExperiment, file: AnyFile, folder: Path) -> Path:
    """Write one recording into the experiment's own folder below `folder`; return its path."""
    plan = experiment.plan
    path = folder / plan.name / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    if plan.format == "abf":
        n_samples = int(file.recording.sweep_lengths[0])
        write_abf(
            path,
            file.recording,
            epochs=[command.epochs(n_samples) for command in file.commands],
            holding=[command.holding for command in file.commands],
        )
    else:
        write_nwb(path, file.recording, metadata=_nwb_metadata(plan), phases=[file.blocks[0].phase])
    return path


def _nwb_metadata(plan: Plan) -> dict[str, str]:
    said = {name: value for name, value in plan.metadata.items() if name not in ("experimenter", "temperature_degc")}
    return said | {
        "temperature": f"{plan.metadata['temperature_degc']} °C",
        "experimenter": "Synthesis, Numerical",
        "institution": "none: synthetic data",
        "lab": "none: synthetic data",
        "keywords": "synthetic, synaptic plasticity, known truth",
    }


def manifest_rows(experiment: MadeExperiment) -> list[dict[str, str]]:
    """Return the manifest's rows of one experiment, one per pathway, phase and file."""
    if isinstance(experiment, CellExperiment):
        return cell_tables.manifest_rows(experiment)
    return synapse_tables.manifest_rows(experiment)


def truth_row(experiment: MadeExperiment) -> dict[str, str]:
    """Return what is true of one experiment, numbers with four digits; empty where there is nothing to say."""
    if isinstance(experiment, CellExperiment):
        row = cell_tables.truth_row(experiment)
    else:
        row = synapse_tables.truth_row(experiment)
    return {name: value if isinstance(value, str) else _four_digits(value) for name, value in row.items()}


def _four_digits(value: float) -> str:
    return "" if isnan(value) else f"{value:.4g}"


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = io.StringIO()
    writer = csv.DictWriter(table, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, table.getvalue())
    return path
