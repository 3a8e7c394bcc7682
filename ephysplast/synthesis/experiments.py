"""Experiments with known truth: from a plan to the recordings of its files."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast.recording import ArrayTrace, Channel, FloatArray, Recording, Source, Tag
from ephysplast.synthesis.blocks import Block, induction_block, phase_block
from ephysplast.synthesis.commands import Command, digital_outputs
from ephysplast.synthesis.noise import baseline_drift
from ephysplast.synthesis.truth import ExperimentPlan, PhasePlan, SynapseTruth

_RECORDED: Final = {"mV": "pA", "pA": "mV"}
_STEP: Final = {"mV": 1.0 / 16.0, "pA": 1.0 / 256.0}
"""Steps of the converter, by the unit of the command; powers of two, so that floats hold them exactly."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticFile:
    """One file of an experiment, still in memory, with what really happened in it.

    Attributes
    ----------
    name : str
        File name with its suffix.
    recording : Recording
        What is to be written; its samples lie on the steps of a 16-bit converter.
    commands : tuple of Command
        One per channel.
    blocks : tuple of Block
        The phases in it, with all that was drawn.
    """

    name: str
    recording: Recording
    commands: tuple[Command, ...]
    blocks: tuple[Block, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticExperiment:
    """An experiment's plan and its files, in order of time."""

    plan: ExperimentPlan
    files: tuple[SyntheticFile, ...]

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
    files = [
        _file(plan, name, tuple(group), started_at=started_at) for name, group in groupby(blocks, key=lambda b: b.file)
    ]
    return SyntheticExperiment(plan=plan, files=tuple(files))


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


def _file(plan: ExperimentPlan, stem: str, blocks: tuple[Block, ...], *, started_at: datetime) -> SyntheticFile:
    name = f"{stem}.{plan.format}"
    first = blocks[0]
    start_s = np.concatenate([block.start_s for block in blocks])
    origin_s = float(start_s[0])
    n_sweeps, n_samples = len(start_s), first.samples[0].shape[1]
    channels = tuple(
        Channel(
            name=f"IN {i}",
            unit=_RECORDED[command.unit],
            clamp="current" if command.unit == "pA" else "voltage",
            trace=ArrayTrace(digitised([block.samples[i] for block in blocks], command.unit), first.rate_hz),
            electrode=electrode,
            command=command.trace(n_sweeps=n_sweeps, n_samples=n_samples, rate_hz=first.rate_hz),
            command_unit=command.unit,
        )
        for i, (command, electrode) in enumerate(zip(first.commands, ("post", "pre"), strict=False))
    )
    recording = Recording(
        channels=channels,
        rate_hz=first.rate_hz,
        sweep_start_s=start_s - origin_s,
        sweep_lengths=np.full(n_sweeps, n_samples, dtype=np.int64),
        source=Source(path=Path(name), format="memory", reader="ephysplast.synthesis"),
        started_at=started_at + timedelta(seconds=origin_s),
        protocol=f"{plan.response} {'pairing' if first.phase == 'induction' else 'test'}",
        comment="synthetic recording with known truth",
        tags=_tags(blocks, start_s - origin_s, origin_s),
        digital_outputs=digital_outputs(first.commands, n_sweeps=n_sweeps, rate_hz=first.rate_hz),
    )
    return SyntheticFile(name=name, recording=recording, commands=first.commands, blocks=blocks)


def _tags(blocks: tuple[Block, ...], sweep_start_s: FloatArray, origin_s: float) -> tuple[Tag, ...]:
    timed = sorted((block.start_s[0] - origin_s + at_s, text) for block in blocks for at_s, text in block.tags)
    return tuple(
        Tag(time_s=float(at), comment=text, sweep=int(np.searchsorted(sweep_start_s, at, side="right")) - 1)
        for at, text in timed
    )


def digitised(sweeps: Sequence[FloatArray], command_unit: str) -> FloatArray:
    """Return samples as a 16-bit converter gives them, shape (n_sweeps, n_samples).

    Parameters
    ----------
    sweeps : sequence of numpy.ndarray, shape (n_sweeps, n_samples)
        In pA, or mV.
    command_unit : {"mV", "pA"}
        What the amplifier commands: ``"mV"`` in voltage clamp, where currents are converted in steps of 1/16 pA up to
        ± 2 nA; ``"pA"`` in current clamp, where potentials are in steps of 1/256 mV up to ± 128 mV.
    """
    step = _STEP[command_unit]
    steps = np.rint(np.concatenate(list(sweeps)) / step)
    return np.asarray(np.clip(steps, -32768, 32767) * step)


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
