"""What manifest and truth table say of an experiment on a cell."""

from math import nan
from typing import Final

from ephysplast.synthesis.cell_experiments import CellExperiment
from ephysplast.synthesis.cell_truth import CellPlan, SeriesPlan
from ephysplast.synthesis.inhibition import InhibitedCell
from ephysplast.synthesis.protocols import RampProtocol, StepProtocol
from ephysplast.synthesis.spiking import SpikingCell

COLUMNS: Final = (
    "rheobase_before_pa", "rheobase_after_pa", "rheobase_sd_pa", "ramp_rheobase_before_pa", "ramp_rheobase_after_pa",
    "ramp_pa_per_s", "gain_before_hz_per_pa", "gain_after_hz_per_pa", "adaptation_index", "threshold_before_mv",
    "threshold_after_mv", "amplitude_mv", "half_width_ms", "rise_mv_per_ms", "fall_mv_per_ms", "ahp_mv",
    "rin_before_mohm", "rin_after_mohm", "tau_before_ms", "tau_after_ms", "sag_ratio", "rest_mv", "holding_pa",
    "e_gaba_before_mv", "e_gaba_after_mv", "g_before_ns", "g_after_ns", "apparent_e_before_mv", "apparent_e_after_mv",
    "leak_before_ns", "leak_after_ns", "tonic_before_ns", "tonic_after_ns", "junction_potential_mv",
    "compensation_percent",
)  # fmt: skip
"""Columns of the truth table that only cells fill."""


def manifest_rows(experiment: CellExperiment) -> list[dict[str, str]]:
    """Return the manifest's rows of one experiment, one per phase and file."""
    plan = experiment.plan
    return [
        {
            "experiment": plan.name,
            "phase": phase,
            "file": f"{plan.name}/{file.name}",
            "sweeps": sweeps,
            "response": plan.response,
            "stimulus": _stimulus(file.blocks[0].part),
            "pathway": file.blocks[0].part.role,
            "role": file.blocks[0].part.role,
            **_of_the_cell(plan),
            **plan.metadata,
        }
        for file in experiment.files
        for phase, sweeps in file.phases()
    ]


def _stimulus(part: SeriesPlan) -> str:
    protocol = part.protocol
    if isinstance(protocol, StepProtocol) and protocol.trigger_ms is not None:
        return f"digital {protocol.digital}"
    return "none"


def _of_the_cell(plan: CellPlan) -> dict[str, str]:
    cell = plan.cell
    if isinstance(cell, SpikingCell):
        return {}
    said = {
        "junction_potential_mv": f"{cell.junction_potential_mv:g}",
        "compensation_percent": f"{cell.compensation_percent:g}",
        "rest_mv": f"{cell.rest_mv:.3g}",
    }
    if all(part.protocol.test_ms is None for part in plan.parts):
        said["rs_mohm"] = f"{cell.rs_mohm:g}"
    return said


def truth_row(experiment: CellExperiment) -> dict[str, str | float]:
    """Return what is true of one experiment; NaN, or no entry, where there is nothing to say."""
    plan = experiment.plan
    before, after = (plan.cell_in(part.phase) for part in (plan.parts[0], plan.parts[-1]))
    numbers: dict[str, float] = {}
    if isinstance(before, SpikingCell) and isinstance(after, SpikingCell):
        numbers = _firing(plan, before, after)
    elif isinstance(before, InhibitedCell) and isinstance(after, InhibitedCell):
        numbers = _inhibition(plan, before, after)
    counts = [sum(len(block.start_s) for block in experiment.blocks(plan.parts[i].phase)) for i in (0, -1)]
    return {
        "experiment": plan.name,
        "response": plan.response,
        "unit": plan.unit,
        "sign": plan.expected.sign,
        "locus": plan.expected.locus,
        "refusal": plan.expected.refusal,
        "baseline_sweeps": float(counts[0]),
        "post_sweeps": float(counts[1]),
        **numbers,
        "story": plan.story,
    }


def _firing(plan: CellPlan, before: SpikingCell, after: SpikingCell) -> dict[str, float]:
    protocol, spike = plan.parts[0].protocol, before.spike
    holding = protocol.holding
    slope = protocol.slope_per_s if isinstance(protocol, RampProtocol) else nan
    ramped = [cell.ramp_rheobase_pa(slope, holding) if slope == slope else nan for cell in (before, after)]
    return {
        "rheobase_before_pa": before.rheobase_pa(holding),
        "rheobase_after_pa": after.rheobase_pa(holding),
        "rheobase_sd_pa": before.spread_pa,
        "ramp_rheobase_before_pa": ramped[0],
        "ramp_rheobase_after_pa": ramped[1],
        "ramp_pa_per_s": slope,
        "gain_before_hz_per_pa": before.gain_hz_per_pa,
        "gain_after_hz_per_pa": after.gain_hz_per_pa,
        "adaptation_index": before.adaptation if isinstance(protocol, StepProtocol) else nan,
        "threshold_before_mv": before.threshold_mv,
        "threshold_after_mv": after.threshold_mv,
        "amplitude_mv": spike.height_mv,
        "half_width_ms": spike.half_width_ms,
        "rise_mv_per_ms": spike.rise_mv_per_ms,
        "fall_mv_per_ms": spike.fall_mv_per_ms,
        "ahp_mv": spike.ahp_mv,
        "rin_before_mohm": before.rin_mohm,
        "rin_after_mohm": after.rin_mohm,
        "tau_before_ms": before.tau_ms,
        "tau_after_ms": after.tau_ms,
        "sag_ratio": before.sag_ratio,
        "rest_mv": before.base_mv(holding),
        "holding_pa": holding,
    }


def _inhibition(plan: CellPlan, before: InhibitedCell, after: InhibitedCell) -> dict[str, float]:
    return {
        "rs_before_mohm": before.rs_mohm,
        "rs_after_mohm": after.rs_mohm,
        "rin_before_mohm": before.rin_mohm,
        "rin_after_mohm": after.rin_mohm,
        "cm_pf": before.cm_pf,
        "holding_mv": plan.parts[0].protocol.holding,
        "latency_ms": before.latency_ms if _stimulus(plan.parts[0]) != "none" else nan,
        "rest_mv": before.rest_mv,
        "e_gaba_before_mv": before.gaba_mv,
        "e_gaba_after_mv": after.gaba_mv,
        "g_before_ns": before.gaba_ns,
        "g_after_ns": after.gaba_ns,
        "apparent_e_before_mv": before.apparent_mv,
        "apparent_e_after_mv": after.apparent_mv,
        "leak_before_ns": before.leak_ns,
        "leak_after_ns": after.leak_ns,
        "tonic_before_ns": before.tonic_ns,
        "tonic_after_ns": after.tonic_ns,
        "junction_potential_mv": before.junction_potential_mv,
        "compensation_percent": before.compensation_percent,
    }
