"""Experiments with known truth: from a plan to the recordings of its files."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.synthesis.blocks import Block, induction_block, phase_block
from ephysplast.synthesis.files import SyntheticFile, record_files
from ephysplast.synthesis.noise import baseline_drift
from ephysplast.synthesis.truth import ExperimentPlan, PhasePlan, SynapseTruth


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticExperiment:
    """An experiment's plan and its files, in order of time."""

    plan: ExperimentPlan
    files: tuple[SyntheticFile[Block], ...]

    def released(self, phase: str, *, synapse: int = 0) -> FloatArray:
        """Return the noise-free magnitudes that were drawn, as recorded.

        Parameters
        ----------
        phase : str
            ``"baseline"``, ``"post"``, …
        synapse : int
            Which input.

        Returns
        -------
        numpy.ndarray, shape (n_sweeps, n_pulses)
            All sweeps of the phase; NaN where the presynaptic cell did not fire.
        """
        blocks = [block for file in self.files for block in file.blocks if block.phase == phase]
        return np.concatenate([block.amplitude[synapse] for block in blocks])

    def time_s(self, phase: str) -> FloatArray:
        """Return when the sweeps of a phase start, from the start of the experiment."""
        blocks = [block for file in self.files for block in file.blocks if block.phase == phase]
        return np.concatenate([block.start_s for block in blocks])

    def delta_t_ms(self) -> FloatArray:
        """Return the realised ``t_post − t_pre`` of every pairing, shape (n_pairings,); empty without an induction."""
        blocks = [block for file in self.files for block in file.blocks if block.phase == "induction"]
        return np.concatenate([block.delta_t_ms for block in blocks]) if blocks else np.array([])


def make_experiment(plan: ExperimentPlan, *, started_at: datetime) -> SyntheticExperiment:
    """Record an experiment that never took place.

    Parameters
    ----------
    plan : ExperimentPlan
        The truth. All that is drawn follows from its `seed`.
    started_at : datetime
        When its first sweep starts.

    Returns
    -------
    SyntheticExperiment
        One file per run of parts that share a file name, each with its own start and true sweep times.
    """
    rng = np.random.Generator(np.random.PCG64(plan.seed))
    starts = _clock(plan)
    drift = np.split(
        baseline_drift(plan.noise, np.concatenate(starts), rng=rng), np.cumsum([len(s) for s in starts])[:-1]
    )
    blocks = [
        phase_block(plan, part, start_s=start, drift=moved, rng=rng)
        if isinstance(part, PhasePlan)
        else induction_block(plan, part, start_s=start, rng=rng)
        for part, start, moved in zip(plan.parts, starts, drift, strict=True)
    ]
    files = record_files(plan, blocks, started_at=started_at, protocol=lambda block: _protocol(plan, block))
    return SyntheticExperiment(plan=plan, files=files)


def _protocol(plan: ExperimentPlan, block: Block) -> str:
    return f"{plan.response} {'pairing' if block.phase == 'induction' else 'test'}"


def _clock(plan: ExperimentPlan) -> list[FloatArray]:
    """Return when the sweeps of each part start, in s from the start of the experiment."""
    now = 0.0
    starts: list[FloatArray] = []
    for part in plan.parts:
        interval_s = plan.sweep.interval_s if isinstance(part, PhasePlan) else part.interval_s
        now += part.pause_s
        starts.append(now + interval_s * np.arange(part.n_sweeps, dtype=np.float64))
        now += interval_s * part.n_sweeps
    return starts


def true_change(plan: ExperimentPlan) -> tuple[float, float, float]:
    """Return what n, p and q say of the test input's first pulse: change, and the paired-pulse ratio before and after.

    Returns
    -------
    change : float
        Last phase / first phase; no rundown and no change of series resistance in it.
    ppr_before, ppr_after : float
        Second pulse / first pulse; NaN with a single pulse.
    """
    synapse = plan.inputs[0]
    before, after = (_expected(plan, phase, synapse) for phase in (plan.phases[0], plan.phases[-1]))
    ratios = [float(each[1] / each[0]) if len(each) > 1 else float("nan") for each in (before, after)]
    return float(after[0] / before[0]), ratios[0], ratios[1]


def _expected(plan: ExperimentPlan, phase: PhasePlan, synapse: SynapseTruth) -> FloatArray:
    return plan.sites(phase, synapse=synapse).expected(np.array(synapse.pulse_ms) * 1e-3)
