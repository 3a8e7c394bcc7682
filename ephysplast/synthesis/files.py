"""From sweeps that were made to the recordings of files: clock, channels, commands, tags, converter."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Final, Generic, TypeVar

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import ArrayTrace, Channel, FloatArray, Recording, Source, Tag
from ephysplast.synthesis.commands import Command, digital_outputs
from ephysplast.synthesis.truth import Plan

_RECORDED: Final = {"mV": "pA", "pA": "mV"}
_STEP: Final = {"mV": 1.0 / 16.0, "pA": 1.0 / 256.0}
"""Finest steps of the converter, by the unit of the command; powers of two, so that floats hold them exactly."""
_MOST: Final = 32767


@dataclass(frozen=True, eq=False, kw_only=True)
class SweepBlock:
    """Sweeps that were made together.

    Attributes
    ----------
    phase, file : str
        What they are, and the file they go to (without its suffix).
    rate_hz : float
        Sampling rate.
    start_s : numpy.ndarray, shape (n_sweeps,)
        From the start of the experiment.
    samples : tuple of numpy.ndarray, shape (n_sweeps, n_samples)
        One per channel: the postsynaptic one, then the presynaptic one if there is one.
    commands : tuple of Command
        One per channel.
    tags : tuple of (float, str)
        Time from the first sweep of the block in s, and comment.
    """

    phase: str
    file: str
    rate_hz: float
    start_s: FloatArray
    samples: tuple[FloatArray, ...]
    commands: tuple[Command, ...]
    tags: tuple[tuple[float, str], ...]


AnyBlock = TypeVar("AnyBlock", bound=SweepBlock)


@dataclass(frozen=True, eq=False, kw_only=True)
class SyntheticFile(Generic[AnyBlock]):
    """One file of an experiment, still in memory, with what really happened in it.

    Attributes
    ----------
    name : str
        File name with its suffix.
    recording : Recording
        What is to be written; its samples lie on the steps of a 16-bit converter.
    commands : tuple of Command
        One per channel.
    blocks : tuple of SweepBlock
        The phases in it, with all that was drawn.
    """

    name: str
    recording: Recording
    commands: tuple[Command, ...]
    blocks: tuple[AnyBlock, ...]

    def phases(self) -> list[tuple[str, str]]:
        """Return the phases of a file in order, each with its sweeps counted from 1; no sweeps for the only phase."""
        runs = [(phase, sum(len(each.start_s) for each in group)) for phase, group in groupby(self.blocks, _phase)]
        if len(runs) == 1:
            return [(runs[0][0], "")]
        last = np.cumsum([n_sweeps for _, n_sweeps in runs])
        return [(phase, f"{stop - n + 1}-{stop}") for (phase, n), stop in zip(runs, last, strict=True)]


def _phase(block: SweepBlock) -> str:
    return block.phase


def record_files(
    plan: Plan, blocks: Sequence[AnyBlock], *, started_at: datetime, protocol: Callable[[AnyBlock], str]
) -> tuple[SyntheticFile[AnyBlock], ...]:
    """Put blocks that follow each other and name the same file into one recording.

    Parameters
    ----------
    plan : Plan
        The experiment.
    blocks : sequence of SweepBlock
        In order of time.
    started_at : datetime
        When the experiment began.
    protocol : callable
        The name of a block's protocol.

    Returns
    -------
    tuple of SyntheticFile
        Each with its own start and true sweep times.

    Raises
    ------
    SettingsError
        If an ABF file would need a command that begins again: an epoch table cannot do so.
    """
    files = []
    for stem, group in groupby(blocks, key=lambda block: block.file):
        members = tuple(group)
        if plan.format == "abf" and len(members) > 1 and any(command.changes for command in members[0].commands):
            raise SettingsError(
                f"{stem}.abf of experiment {plan.name} would hold a series of steps several times",
                remedy="give each series a file of its own, or write NWB",
            )
        files.append(_file(plan, stem, members, started_at=started_at, protocol=protocol(members[0])))
    return tuple(files)


def _file(
    plan: Plan, stem: str, blocks: tuple[AnyBlock, ...], *, started_at: datetime, protocol: str
) -> SyntheticFile[AnyBlock]:
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
            command=command.trace(
                n_sweeps=n_sweeps, n_samples=n_samples, rate_hz=first.rate_hz, restart_after=len(first.start_s)
            ),
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
        protocol=protocol,
        comment="synthetic recording with known truth",
        tags=_tags(blocks, start_s - origin_s, origin_s),
        digital_outputs=digital_outputs(first.commands, n_sweeps=n_sweeps, rate_hz=first.rate_hz),
    )
    return SyntheticFile(name=name, recording=recording, commands=first.commands, blocks=blocks)


def _tags(blocks: Sequence[SweepBlock], sweep_start_s: FloatArray, origin_s: float) -> tuple[Tag, ...]:
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
        ± 2 nA; ``"pA"`` in current clamp, where potentials are in steps of 1/256 mV up to ± 128 mV. The range is
        doubled, and the steps with it, until the largest sample fits.
    """
    samples, step = np.concatenate(list(sweeps)), _STEP[command_unit]
    while np.abs(samples).max(initial=0.0) > _MOST * step:
        step *= 2.0
    return np.asarray(np.rint(samples / step) * step)
