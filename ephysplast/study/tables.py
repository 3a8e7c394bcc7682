"""The tables of a study: tidy frames from the result of one experiment."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.analysers.time_course import time_course
from ephysplast.classify import release_frame
from ephysplast.experiment import BASELINE, POST, Experiment
from ephysplast.result import Estimate
from ephysplast.study.manifest import METADATA
from ephysplast.study.measured import ExcitabilityPhase, ReversalPhase
from ephysplast.study.sentences import changes_in_words
from ephysplast.study.store import ERRORS

if TYPE_CHECKING:
    import pandas as pd

    from ephysplast.analysers.current_steps import CurrentSteps
    from ephysplast.analysers.current_voltage import CurrentVoltage
    from ephysplast.study.measured import CellPhase, ExperimentResult, PathwayMeasurement

VERDICT_COLUMNS: Final = (
    "status",
    "sign",
    "change",
    "change_low",
    "change_high",
    "level",
    "locus",
    "n_baseline",
    "n_post",
    "sign_sentence",
    "locus_sentence",
)

PROBABILITY_COLUMNS: Final[Mapping[str, str]] = {
    "p": "probability_p",
    "n": "probability_n",
    "q": "probability_q",
    "p+q": "probability_pq",
    "chloride": "probability_chloride",
}
"""Locus → its column in ``experiments``; a name without a plus sign is one in every spreadsheet and language."""

PRIOR_COLUMNS: Final = ("prior_q", "prior_q_low", "prior_q_high")
"""Quantal size from another measurement that was the prior of q, with its interval."""

SHAPE_COLUMNS: Final = (
    "onset_latency_ms",
    "jitter_ms",
    "rise_ms",
    "half_width_ms",
    "decay_tau_ms",
    "charge_pc",
    "max_slope",
)

CELL_COLUMNS: Final = (
    "rheobase_pa",
    "gain_hz_per_pa",
    "threshold_mv",
    "rin_mohm",
    "sag_ratio",
    "tau_ms",
    "rest_mv",
    "reversal_mv",
    "conductance_ns",
    "driving_force_mv",
    "chloride_mm",
)
"""Estimates of the cell itself that stand in ``experiments`` too, one column per phase."""


_OF_SYNAPSES: Final = (
    *("mean", "cv", "inverse_cv_squared", "failure_fraction", "outliers", "latency_ms", "rise_ms", "decay_tau_ms"),
    *("paired_pulse_ratio", "rs_mohm", "rin_mohm"),
)
_OF_A_PHASE: Final = (*_OF_SYNAPSES, *CELL_COLUMNS, "corrections")
_PHASES: Final = (BASELINE, POST)


def in_order(experiments: "pd.DataFrame") -> "pd.DataFrame":
    """Return the experiments with their columns in one order, whatever was finished first.

    The verdict, what was measured in each phase, the induction, and last what the manifest says.
    """
    there = [str(each) for each in experiments.columns]
    verdict = (*VERDICT_COLUMNS, *PROBABILITY_COLUMNS.values(), *PRIOR_COLUMNS, "changes", "unit", "connection")
    first = ("experiment", "response", "pre_type", "post_type", *verdict)
    last = (*(each for each in there if each.startswith("induction_")), *METADATA, "notes")
    measured = sorted((each for each in there if each not in first and each not in last), key=_place)
    return experiments[[each for each in dict.fromkeys((*first, *measured, *last)) if each in there]]


def _place(column: str) -> tuple[int, str, int]:
    """Say where a column such as ``baseline_decay_tau_ms`` belongs: by its phase, then by its quantity."""
    known = sorted((each for each in _OF_A_PHASE if column.endswith(f"_{each}")), key=len)
    quantity = known[-1] if known else ""
    phase = column.removesuffix(f"_{quantity}")
    rank = _PHASES.index(phase) if phase in _PHASES else len(_PHASES)
    return rank, phase, _OF_A_PHASE.index(quantity) if known else 0


def tables_of(result: "ExperimentResult") -> "dict[str, pd.DataFrame]":
    """Return the rows of one experiment for each table of the study, every frame with an ``experiment`` column.

    Returns
    -------
    dict of str to pandas.DataFrame
        ``experiments`` (one row), ``evidence`` (one row per index), ``quality`` (one row per gate), ``induction``
        (one row per pairing), ``files`` (one row per manifest row). Of a synapse ``time_course`` (pathway × minute),
        ``sweeps`` (pathway × sweep × pulse), ``responses`` (pathway × phase × pulse), ``release`` (locus × quantity:
        n, p and q before and after, if the change was there; empty unless the locus was asked). Of the cell itself
        ``cells`` (phase × quantity), ``steps`` (phase × sweep), ``spikes`` (phase × spike), ``readings``
        (phase × reading).
    """
    frames = {
        "experiments": _experiments(result),
        **(_of_cell(result) if result.cell else _of_synapse(result)),
        "evidence": _records(result.verdict.evidence),
        "quality": _records(result.verdict.quality),
        "induction": _induction(result),
        "files": _files(result),
    }
    for frame in frames.values():
        if len(frame.columns) and "experiment" not in frame.columns:
            frame.insert(0, "experiment", result.experiment.name)
    return frames


def error_tables(experiment: Experiment, message: str, trace: str = "") -> "dict[str, pd.DataFrame]":
    """Return the rows of an experiment that could not be measured: its error, in ``experiments`` and in ``errors``."""
    import pandas as pd

    row = {**_identity(experiment), "status": f"failed: {message}", "sign": "failed", "locus": "not asked"}
    return {
        "experiments": pd.DataFrame([row]),
        ERRORS: error_frame(experiment.name, message, trace),
    }


def error_frame(name: str, message: str, trace: str = "") -> "pd.DataFrame":
    """Return the row of the table of errors; the traceback is of what nobody foresaw."""
    import pandas as pd

    return pd.DataFrame([{"experiment": name, "error": message, "traceback": trace}])


def _identity(experiment: Experiment) -> dict[str, object]:
    return {
        "experiment": experiment.name,
        "response": experiment.response,
        "pre_type": experiment.connection.pre,
        "post_type": experiment.connection.post,
    }


def _of_synapse(result: "ExperimentResult") -> "dict[str, pd.DataFrame]":
    return {
        "time_course": _per_pathway(result, lambda each: time_course(each.table).to_frame()),
        "sweeps": _per_pathway(result, lambda each: each.table.to_frame()),
        "responses": _responses(result),
        "release": release_frame(result.verdict.release, unit=result.pathways["test"].table.unit),
    }


def _of_cell(result: "ExperimentResult") -> "dict[str, pd.DataFrame]":
    cell = result.cell
    stepped = {name: each for name, each in cell.items() if isinstance(each, ExcitabilityPhase)}
    read = {name: each for name, each in cell.items() if isinstance(each, ReversalPhase)}
    return {
        "cells": _per_phase({name: each.summary.to_frame() for name, each in cell.items()}),
        "steps": _per_phase({name: _with_files(each, each.steps) for name, each in stepped.items()}),
        "spikes": _per_phase({name: _spikes(each) for name, each in stepped.items()}),
        "readings": _per_phase({name: _with_files(each, each.summary.readings) for name, each in read.items()}),
    }


def _with_files(phase: "CellPhase", measured: "CurrentSteps | CurrentVoltage") -> "pd.DataFrame":
    frame = measured.to_frame()
    frame.insert(0, "file", [phase.files[part] for part in measured.part])
    return frame


def _spikes(phase: ExcitabilityPhase) -> "pd.DataFrame":
    spikes = phase.steps.spikes
    frame = spikes.to_frame()
    frame.insert(0, "file", [phase.files[part] for part in phase.steps.part[spikes.row]])
    frame.insert(2, "current_pa", phase.steps.current_pa[spikes.row])
    return frame


def _per_phase(frames: "Mapping[str, pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    for phase, frame in frames.items():
        frame.insert(0, "phase", phase)
    filled = [each for each in frames.values() if len(each)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()


def _experiments(result: "ExperimentResult") -> "pd.DataFrame":
    import pandas as pd

    verdict = {name: getattr(result.verdict, name) for name in VERDICT_COLUMNS}
    found = result.verdict.locus_probabilities
    row = _identity(result.experiment) | verdict
    row |= {column: found.get(locus, np.nan) for locus, column in PROBABILITY_COLUMNS.items()}
    size = result.verdict.quantal_size or Estimate.missing("none was given")
    row |= dict(zip(PRIOR_COLUMNS, (size.value, size.low, size.high), strict=True))
    row |= _cell_summary(result) if result.cell else _synapse_summary(result)
    row["changes"] = changes_in_words(result.verdict)
    row |= _induction_summary(result) | dict(result.experiment.metadata)
    row["notes"] = "; ".join(result.notes)
    return pd.DataFrame([row])


def _cell_summary(result: "ExperimentResult") -> dict[str, object]:
    found = (
        (phase, name, getattr(each.summary, name, None)) for phase, each in result.cell.items() for name in CELL_COLUMNS
    )
    row: dict[str, object] = {
        f"{phase}_{name}": each.value for phase, name, each in found if isinstance(each, Estimate)
    }
    read = {phase: each.summary for phase, each in result.cell.items() if isinstance(each, ReversalPhase)}
    return row | {f"{phase}_corrections": each.corrections for phase, each in read.items()}


def _synapse_summary(result: "ExperimentResult") -> dict[str, object]:
    test = result.pathways["test"]
    row: dict[str, object] = {"unit": test.table.unit, "connection": test.connection.kind}
    for phase in ("baseline", "post"):
        measured = test.phases[phase]
        row |= {
            f"{phase}_mean": measured.variability.mean,
            f"{phase}_cv": measured.variability.cv,
            f"{phase}_inverse_cv_squared": measured.variability.inverse_cv_squared,
            f"{phase}_failure_fraction": measured.variability.failure_fraction,
            f"{phase}_outliers": len(measured.variability.outlier_index),
            f"{phase}_latency_ms": measured.responses.onset_latency_ms[0],
            f"{phase}_rise_ms": measured.responses.rise_ms[0],
            f"{phase}_decay_tau_ms": measured.responses.decay_tau_ms[0],
            f"{phase}_paired_pulse_ratio": measured.paired_pulse.paired_pulse_ratio[0]
            if measured.paired_pulse
            else np.nan,
            f"{phase}_rs_mohm": _median(test.table.rs_mohm[test.table.phase == phase]),
            f"{phase}_rin_mohm": _median(test.table.rin_mohm[test.table.phase == phase]),
        }
    return row


def _induction_summary(result: "ExperimentResult") -> dict[str, object]:
    pairings = [each for each in result.induction if each.n_pairings]
    delta = np.concatenate([each.delta_t_ms for each in pairings]) if pairings else np.array([])
    return {
        "induction_pairings": len(delta),
        "induction_delta_t_ms": float(delta.mean()) if len(delta) else np.nan,
        "induction_delta_t_sd_ms": float(delta.std(ddof=1)) if len(delta) > 1 else np.nan,
        "induction_frequency_hz": float(np.mean([each.frequency_hz for each in pairings])) if pairings else np.nan,
    }


def _per_pathway(result: "ExperimentResult", make: "Callable[[PathwayMeasurement], pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    frames = []
    for measured in result.pathways.values():
        frame = make(measured)
        frame.insert(0, "pathway", measured.pathway.name)
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _responses(result: "ExperimentResult") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat([_pathway_responses(each) for each in result.pathways.values()], ignore_index=True)


def _pathway_responses(measured: "PathwayMeasurement") -> "pd.DataFrame":
    import pandas as pd

    frames = []
    for phase, each in measured.phases.items():
        used = measured.table.of_phase(phase)
        amplitude = measured.table.amplitude[used][:, : each.responses.amplitude.shape[1]]
        counts = np.isfinite(amplitude).sum(axis=0)
        shape = {name: getattr(each.responses, name) for name in SHAPE_COLUMNS}
        frame = pd.DataFrame({"pulse": np.arange(1, each.responses.amplitude.shape[1] + 1), **shape})
        ratio = each.paired_pulse.paired_pulse_ratio if each.paired_pulse else np.array([])
        frame.insert(0, "pathway", measured.pathway.name)
        frame.insert(1, "phase", phase)
        frame["n_sweeps"] = counts
        frame["mean_amplitude"] = [_mean(column) for column in amplitude.T]
        frame["sd_amplitude"] = [_sd(column) for column in amplitude.T]
        frame["unit"] = measured.table.unit
        frame["ratio_to_first"] = np.concatenate([[np.nan], ratio])
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _records(items: tuple[object, ...]) -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame([vars(each) for each in items])


def _induction(result: "ExperimentResult") -> "pd.DataFrame":
    import pandas as pd

    frames = [each.to_frame() for each in result.induction if each.n_pairings]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def _files(result: "ExperimentResult") -> "pd.DataFrame":
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "file": segment.path.name,
                "phase": segment.phase,
                "sweeps": segment.sweeps or "all",
                "format": recording.source.format,
                "reader": recording.source.reader,
                "sha256": recording.source.sha256(),
                "started_at": recording.started_at.isoformat() if recording.started_at else "",
                "protocol": recording.protocol,
                "n_sweeps": recording.n_sweeps,
                "rate_hz": recording.rate_hz,
                "channels": "; ".join(f"{each.name} [{each.unit}]" for each in recording.channels),
                "notes": "; ".join(recording.notes),
            }
            for segment, recording in result.files
        ]
    )


def _median(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if known.size else float("nan")


def _mean(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _sd(values: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> float:
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if known.size > 1 else float("nan")
