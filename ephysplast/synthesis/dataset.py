"""The sample data as files: recordings, manifest and truth."""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast.io import write_abf, write_nwb
from ephysplast.synthesis.experiments import SyntheticExperiment, SyntheticFile, make_experiment, true_change
from ephysplast.synthesis.sample import sample_plans
from ephysplast.synthesis.truth import ExperimentPlan, SynapseTruth

MANIFEST_COLUMNS: Final = (
    "experiment", "phase", "file", "sweeps", "response", "channel", "pre_channel", "stimulus", "pathway", "role",
    "recording", "unit", "clamp", "scale", "pre_type", "post_type", "animal", "slice", "cell", "age", "sex", "species",
    "region", "layer", "internal", "external", "temperature_degc", "junction_potential_mv", "configuration", "drug",
    "experimenter", "condition", "exclude",
)  # fmt: skip
"""Columns of the manifest, one row per experiment × phase × file."""

_FIRST_DAY: Final = datetime(2024, 3, 4, 10, 30, tzinfo=UTC)
_EVALUATED_S: Final = 600.0
"""The post window whose drawn amplitudes are compared with the baseline: the last 10 min."""


def sample_experiments() -> tuple[SyntheticExperiment, ...]:
    """Make the experiments of the sample data in memory, one per day."""
    return tuple(
        make_experiment(plan, started_at=_FIRST_DAY + timedelta(days=day)) for day, plan in enumerate(sample_plans())
    )


def write_sample_data(
    folder: str | os.PathLike[str], *, experiments: Sequence[SyntheticExperiment] | None = None
) -> tuple[Path, ...]:
    """Write recordings, ``manifest.csv`` and ``truth.csv``.

    ABF and CSV files come out with the same bytes every time, NWB files with the same data (identifiers and
    the date of writing differ).

    Parameters
    ----------
    folder : path-like
        Where to write; made when it does not exist. Files of the same names are replaced.
    experiments : sequence of SyntheticExperiment, optional
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
    written.append(_write_csv(target / "truth.csv", tuple(truth[0]), truth))
    return tuple(written)


def write_file(experiment: SyntheticExperiment, file: SyntheticFile, folder: Path) -> Path:
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


def _nwb_metadata(plan: ExperimentPlan) -> dict[str, str]:
    said = {name: value for name, value in plan.metadata.items() if name not in ("experimenter", "temperature_degc")}
    return said | {
        "temperature": f"{plan.metadata['temperature_degc']} °C",
        "experimenter": "Synthesis, Numerical",
        "institution": "none: synthetic data",
        "lab": "none: synthetic data",
        "keywords": "synthetic, synaptic plasticity, known truth",
    }


def manifest_rows(experiment: SyntheticExperiment) -> list[dict[str, str]]:
    """Return the manifest's rows of one experiment, one per pathway, phase and file."""
    plan = experiment.plan
    return [
        _manifest_row(plan, synapse, file, phase=block.phase, sweeps=sweeps)
        for synapse in plan.inputs
        for file in experiment.files
        for block, sweeps in zip(file.blocks, _sweeps(file), strict=True)
    ]


def _sweeps(file: SyntheticFile) -> list[str]:
    """Return which sweeps each block of a file has, counted from 1; nothing for the only block."""
    if len(file.blocks) == 1:
        return [""]
    last = np.cumsum([len(block.start_s) for block in file.blocks])
    return [f"{stop - len(block.start_s) + 1}-{stop}" for stop, block in zip(last, file.blocks, strict=True)]


def _manifest_row(
    plan: ExperimentPlan, synapse: SynapseTruth, file: SyntheticFile, *, phase: str, sweeps: str
) -> dict[str, str]:
    paired = plan.presynaptic is not None
    return {
        "experiment": plan.name,
        "phase": phase,
        "file": f"{plan.name}/{file.name}",
        "sweeps": sweeps,
        "response": plan.response,
        "channel": file.recording.channels[0].name if paired else "",
        "pre_channel": file.recording.channels[1].name if paired else "",
        "stimulus": _stimulus(synapse, paired=paired),
        "pathway": synapse.pathway,
        "role": synapse.role,
        **plan.metadata,
    }


def _stimulus(synapse: SynapseTruth, *, paired: bool) -> str:
    if paired:
        return "auto"
    return "artefact" if synapse.digital is None else f"digital {synapse.digital}"


def truth_row(experiment: SyntheticExperiment) -> dict[str, str]:
    """Return what is true of one experiment: what was meant, and what was drawn.

    ``change`` and ``ppr_…`` follow from n, p and q. ``drawn_…`` are those of the noise-free amplitudes that were
    drawn, rundown included: the last 10 min of the last phase against the baseline. Neither knows of the series
    resistance. Empty where there is nothing to say.
    """
    plan, synapse = experiment.plan, experiment.plan.inputs[0]
    first, last = plan.phases[0], plan.phases[-1]
    before, after = plan.sites(first, synapse=synapse), plan.sites(last, synapse=synapse)
    change, ppr_before, ppr_after = true_change(plan)
    drawn_before, drawn_after = experiment.released(first.phase), experiment.released(last.phase)
    time_s = experiment.time_s(last.phase)
    evaluated = drawn_after[time_s > time_s[-1] - _EVALUATED_S]
    delta_t = experiment.delta_t_ms()
    numbers = {
        "n_before": before.n, "n_after": after.n, "p_before": before.p, "p_after": after.p,
        "q_before": before.q, "q_after": after.q, "cv_i": before.cv_i, "cv_ii": before.cv_ii,
        "change": change, "drawn_change": _mean(evaluated, 0) / _mean(drawn_before, 0),
        "ppr_before": ppr_before, "ppr_after": ppr_after,
        "drawn_ppr_before": _mean(drawn_before, 1) / _mean(drawn_before, 0),
        "drawn_ppr_after": _mean(drawn_after, 1) / _mean(drawn_after, 0),
        "failures_before": before.failure_rate(), "failures_after": after.failure_rate(),
        "rs_before_mohm": np.mean(first.rs_mohm), "rs_after_mohm": np.mean(last.rs_mohm),
        "rin_mohm": plan.cell.rm_mohm, "cm_pf": plan.cell.cm_pf,
        "holding_mv": plan.holding_mv if plan.clamp == "voltage" else plan.cell.rest_mv,
        "reversal_mv": synapse.reversal_mv, "latency_ms": synapse.latency_ms,
        "baseline_sweeps": len(drawn_before), "post_sweeps": len(drawn_after),
        "pairings": delta_t.size or np.nan,
        "delta_t_ms_mean": delta_t.mean() if delta_t.size else np.nan,
        "delta_t_ms_sd": delta_t.std(ddof=1) if delta_t.size else np.nan,
    }  # fmt: skip
    return {
        "experiment": plan.name,
        "response": plan.response,
        "unit": plan.unit,
        "sign": plan.expected.sign,
        "locus": plan.expected.locus,
        "refusal": plan.expected.refusal,
        **{name: "" if np.isnan(value) else f"{value:.4g}" for name, value in numbers.items()},
        "story": plan.story,
    }


def _mean(amplitude: np.ndarray[tuple[int, ...], np.dtype[np.float64]], pulse: int) -> float:
    return float(np.nanmean(amplitude[:, pulse])) if pulse < amplitude.shape[1] else float("nan")


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return temporary.replace(path)
