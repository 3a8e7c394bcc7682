"""What manifest and truth table say of an experiment on a synapse."""

from typing import Final

import numpy as np

from ephysplast.synthesis.blocks import Block
from ephysplast.synthesis.experiments import SyntheticExperiment, true_change
from ephysplast.synthesis.files import SyntheticFile
from ephysplast.synthesis.truth import ExperimentPlan, SynapseTruth

_EVALUATED_S: Final = 600.0
"""The post window whose drawn amplitudes are compared with the baseline: the last 10 min."""


def manifest_rows(experiment: SyntheticExperiment) -> list[dict[str, str]]:
    """Return the manifest's rows of one experiment, one per pathway, phase and file."""
    plan = experiment.plan
    return [
        _manifest_row(plan, synapse, file, phase=phase, sweeps=sweeps)
        for synapse in plan.inputs
        for file in experiment.files
        for phase, sweeps in file.phases()
    ]


def _manifest_row(
    plan: ExperimentPlan, synapse: SynapseTruth, file: SyntheticFile[Block], *, phase: str, sweeps: str
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


def truth_row(experiment: SyntheticExperiment) -> dict[str, str | float]:
    """Return what is true of one experiment: what was meant, and what was drawn.

    ``change`` and ``ppr_…`` follow from n, p and q. ``drawn_…`` are those of the noise-free amplitudes that were
    drawn, rundown included: the last 10 min of the last phase against the baseline. Neither knows of the series
    resistance. NaN where there is nothing to say.
    """
    plan, synapse = experiment.plan, experiment.plan.inputs[0]
    first, last = plan.phases[0], plan.phases[-1]
    before, after = plan.sites(first, synapse=synapse), plan.sites(last, synapse=synapse)
    change, ppr_before, ppr_after = true_change(plan)
    drawn_before, drawn_after = experiment.released(first.phase), experiment.released(last.phase)
    time_s = experiment.time_s(last.phase)
    evaluated = drawn_after[time_s > time_s[-1] - _EVALUATED_S]
    delta_t = experiment.delta_t_ms()
    numbers: dict[str, float] = {
        "n_before": before.n, "n_after": after.n, "p_before": before.p, "p_after": after.p,
        "q_before": before.q, "q_after": after.q, "cv_i": before.cv_i, "cv_ii": before.cv_ii,
        "change": change, "drawn_change": _mean(evaluated, 0) / _mean(drawn_before, 0),
        "ppr_before": ppr_before, "ppr_after": ppr_after,
        "drawn_ppr_before": _mean(drawn_before, 1) / _mean(drawn_before, 0),
        "drawn_ppr_after": _mean(drawn_after, 1) / _mean(drawn_after, 0),
        "failures_before": before.failure_rate(), "failures_after": after.failure_rate(),
        "rs_before_mohm": float(np.mean(first.rs_mohm)), "rs_after_mohm": float(np.mean(last.rs_mohm)),
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
        **numbers,
        "story": plan.story,
    }


def _mean(amplitude: np.ndarray[tuple[int, ...], np.dtype[np.float64]], pulse: int) -> float:
    return float(np.nanmean(amplitude[:, pulse])) if pulse < amplitude.shape[1] else float("nan")
