"""What the amplifier and the digital lines are told to do in a sweep: steps and ramps on one output."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.io.abf_commands import AbfEpoch, EpochKind, epoch_waveform
from ephysplast.recording import ArrayTrace, DigitalOutput, FloatArray


@dataclass(frozen=True, kw_only=True)
class Step:
    """A rectangular command, or a ramp.

    Attributes
    ----------
    start, stop : int
        First sample, and the first one after it.
    level : float
        Absolute level during the step, in the command's unit; a ramp goes there from the level before it.
    digital : int or None
        A digital line that is high meanwhile.
    delta : float
        Added to the level with every sweep.
    ramp : bool
        Whether the command goes to the level in a straight line, which it reaches with the last sample.
    """

    start: int
    stop: int
    level: float
    digital: int | None = None
    delta: float = 0.0
    ramp: bool = False

    def level_in(self, sweep: int) -> float:
        """Return the level in one sweep, from 0."""
        return self.level + self.delta * sweep


@dataclass(frozen=True, kw_only=True)
class Command:
    """The steps of one channel, the same in every sweep but for their deltas.

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

    @property
    def changes(self) -> bool:
        """Whether sweeps differ."""
        return any(step.delta for step in self.steps)

    def row(self, n_samples: int, sweep: int = 0) -> FloatArray:
        """Return the command of a sweep (from 0), shape (n_samples,)."""
        row = np.full(n_samples, self.holding)
        before, position = self.holding, 0
        for step in self.steps:
            level, n = step.level_in(sweep), step.stop - step.start
            if step.ramp:
                origin = before if step.start == position else self.holding
                row[step.start : step.stop] = origin + (level - origin) * np.arange(n) / max(n - 1, 1)
            else:
                row[step.start : step.stop] = level
            before, position = level, step.stop
        return row

    def trace(self, *, n_sweeps: int, n_samples: int, rate_hz: float, restart_after: int = 0) -> ArrayTrace:
        """Return the command of all sweeps; where they are the same they share one row of memory.

        Parameters
        ----------
        n_sweeps, n_samples : int
            Size.
        rate_hz : float
            Sampling rate.
        restart_after : int
            After how many sweeps the deltas begin again; never by default.
        """
        if not self.changes:
            trace = ArrayTrace([self.row(n_samples)] * n_sweeps, rate_hz)
            trace.same_every_sweep = True
            return trace
        series = [self.row(n_samples, sweep) for sweep in range(restart_after or n_sweeps)]
        return ArrayTrace([series[sweep % len(series)] for sweep in range(n_sweeps)], rate_hz)

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
            kind: EpochKind = "ramp" if step.ramp else "step"
            epochs.append(AbfEpoch(kind, step.stop - step.start, step.level, delta_level=step.delta, digital=bits))
            position = step.stop
        if not all(
            np.array_equal(epoch_waveform(epochs, self.holding, n_samples, sweep), self.row(n_samples, sweep))
            for sweep in range(2)
        ):
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
