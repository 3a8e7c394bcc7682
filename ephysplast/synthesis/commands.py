"""What the amplifier and the digital lines are told to do in a sweep: steps on one output."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.io.abf_commands import AbfEpoch, epoch_waveform
from ephysplast.recording import ArrayTrace, DigitalOutput, FloatArray


@dataclass(frozen=True, kw_only=True)
class Step:
    """A rectangular command.

    Attributes
    ----------
    start, stop : int
        First sample, and the first one after it.
    level : float
        Absolute level during the step, in the command's unit.
    digital : int or None
        A digital line that is high meanwhile.
    """

    start: int
    stop: int
    level: float
    digital: int | None = None


@dataclass(frozen=True, kw_only=True)
class Command:
    """The same steps in every sweep of one channel.

    Attributes
    ----------
    holding : float
        Level between steps, in `unit`.
    unit : str
        ``"mV"`` or ``"pA"``.
    steps : tuple of Step
        In order of time, not overlapping.
    """

    holding: float
    unit: str
    steps: tuple[Step, ...] = ()

    def row(self, n_samples: int) -> FloatArray:
        """Return the command of a sweep, shape (n_samples,)."""
        row = np.full(n_samples, self.holding)
        for step in self.steps:
            row[step.start : step.stop] = step.level
        return row

    def trace(self, *, n_sweeps: int, n_samples: int, rate_hz: float) -> ArrayTrace:
        """Return the command of all sweeps; they share one row of memory."""
        trace = ArrayTrace([self.row(n_samples)] * n_sweeps, rate_hz)
        trace.same_every_sweep = True
        return trace

    def epochs(self, n_samples: int) -> tuple[AbfEpoch, ...]:
        """Return the steps as Clampex's epoch table, which begins after the first 1/64 of the sweep.

        Raises
        ------
        SettingsError
            If the table cannot make the same command: a step within the first 1/64, or steps that overlap.

        Examples
        --------
        >>> command = Command(holding=-70.0, unit="mV", steps=(Step(start=20, stop=30, level=-75.0),))
        >>> [(each.n_samples, each.level) for each in command.epochs(640)]
        [(10, -70.0), (10, -75.0)]
        """
        epochs: list[AbfEpoch] = []
        position = n_samples // 64
        for step in self.steps:
            if step.start > position:
                epochs.append(AbfEpoch("step", step.start - position, self.holding))
            bits = 0 if step.digital is None else 1 << step.digital
            epochs.append(AbfEpoch("step", step.stop - step.start, step.level, digital=bits))
            position = step.stop
        made = epoch_waveform(epochs, self.holding, n_samples, 0)
        if not np.array_equal(made, self.row(n_samples)):
            raise SettingsError(
                "the steps do not fit into an epoch table",
                got=", ".join(f"{each.start} to {each.stop}" for each in self.steps),
                wanted=f"in order, not overlapping, between sample {n_samples // 64} and {n_samples}",
            )
        return tuple(epochs)


def digital_outputs(commands: Sequence[Command], *, n_sweeps: int, rate_hz: float) -> tuple[DigitalOutput, ...]:
    """Say when each digital line goes high, lowest line first."""
    lines: dict[int, list[float]] = {}
    for step in (each for command in commands for each in command.steps):
        if step.digital is not None:
            lines.setdefault(step.digital, []).append(step.start / rate_hz)
    return tuple(
        DigitalOutput(name=f"digital {line}", onsets_s=(np.array(sorted(lines[line])),) * n_sweeps)
        for line in sorted(lines)
    )
