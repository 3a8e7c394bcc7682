"""Experiments on cells with known truth: from a plan to the recordings of its files."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.synthesis.cell_truth import CellPlan, SeriesPlan
from ephysplast.synthesis.files import SweepBlock, SyntheticFile, record_files
from ephysplast.synthesis.inhibition import ClampedSweeps, clamped_sweeps
from ephysplast.synthesis.spiking import FiredSweeps, SpikingCell, fired_sweeps


@dataclass(frozen=True, eq=False, kw_only=True)
class CellBlock(SweepBlock):
    """One series of steps or ramps, and what was true in each sweep.

    Attributes
    ----------
    phase, file, rate_hz, start_s, samples, commands, tags
        As every :class:`~ephysplast.synthesis.files.SweepBlock` has them.
    part : SeriesPlan
        What it is a series of.
    truth : FiredSweeps or ClampedSweeps
        All that was drawn.
    """

    part: SeriesPlan
    truth: FiredSweeps | ClampedSweeps


@dataclass(frozen=True, eq=False, kw_only=True)
class CellExperiment:
    """An experiment's plan and its files, in order of time."""

    plan: CellPlan
    files: tuple[SyntheticFile[CellBlock], ...]

    def blocks(self, phase: str) -> list[CellBlock]:
        """Return the series of a phase, in order of time."""
        return [block for file in self.files for block in file.blocks if block.phase == phase]


def make_cell_experiment(plan: CellPlan, *, started_at: datetime) -> CellExperiment:
    """Record an experiment that never took place.

    Parameters
    ----------
    plan : CellPlan
        The truth. All that is drawn follows from its `seed`.
    started_at : datetime
        When its first sweep starts.

    Returns
    -------
    CellExperiment
        One file per run of series that share a file name, each with its own start and true sweep times.
    """
    rng = np.random.Generator(np.random.PCG64(plan.seed))
    blocks: list[CellBlock] = []
    now = 0.0
    for part in plan.parts:
        now += part.pause_s
        length_s = part.protocol.interval_s * part.protocol.n_sweeps
        for place in range(part.n_series):
            start_s = now + part.protocol.interval_s * np.arange(part.protocol.n_sweeps, dtype=np.float64)
            blocks.append(_block(plan, part, start_s=start_s, tags=() if place else part.tags, rng=rng))
            now += length_s
    files = record_files(plan, blocks, started_at=started_at, protocol=lambda block: _protocol(plan, block))
    return CellExperiment(plan=plan, files=files)


def _block(
    plan: CellPlan,
    part: SeriesPlan,
    *,
    start_s: FloatArray,
    tags: tuple[tuple[float, str], ...],
    rng: np.random.Generator,
) -> CellBlock:
    cell = plan.cell_in(part.phase)
    truth: FiredSweeps | ClampedSweeps
    if isinstance(cell, SpikingCell):
        truth = fired_sweeps(cell, part.protocol, rng=rng)
        samples = truth.vm_mv
    else:
        truth = clamped_sweeps(cell, part.protocol, rng=rng, gaba=part.gaba)
        samples = truth.recorded_pa
    return CellBlock(
        phase=part.phase,
        file=part.file,
        rate_hz=part.protocol.rate_hz,
        start_s=start_s,
        samples=(samples,),
        commands=(part.protocol.command(),),
        tags=tags,
        part=part,
        truth=truth,
    )


def _protocol(plan: CellPlan, block: CellBlock) -> str:
    what = "current" if plan.clamp == "current" else "voltage"
    shape = "steps" if block.commands[0].changes else "ramp"
    return f"{what} {shape}{'' if block.part.gaba else ' control'}"
