"""What Clampex's epoch table told the amplifier and the digital lines to do in each sweep."""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from typing import Final, Literal, TypeAlias, final

import numpy as np

from ephysplast.recording import DigitalOutput, FloatArray, IntArray, Trace

EpochKind: TypeAlias = Literal["step", "ramp", "pulse", "triangle", "cosine", "biphasic"]

EPOCH_CODES: Final[Mapping[EpochKind, int]] = {
    "step": 1,
    "ramp": 2,
    "pulse": 3,
    "triangle": 4,
    "cosine": 5,
    "biphasic": 7,
}
"""The number by which the file knows each kind of epoch."""

N_DIGITAL_LINES: Final = 16

_HELD_FRACTION: Final = 64
"""Clampex holds the first 1/64 of every sweep before the first epoch begins."""


@dataclass(frozen=True)
class AbfEpoch:
    """One column of Clampex's waveform editor.

    Attributes
    ----------
    kind : {"step", "ramp", "pulse", "triangle", "cosine", "biphasic"}
        Shape; the last four are trains.
    n_samples : int
        Duration in the first sweep, in samples of one channel.
    level : float
        Level in the first sweep, in the command's unit; a ramp ends there.
    delta_level : float
        Added with every sweep.
    delta_samples : int
        Added to the duration with every sweep.
    period_samples, width_samples : int
        Of a train.
    digital : int
        Digital lines that are high throughout the epoch, one bit each: 1 is line 0, 2 line 1, 4 line 2.
    digital_train : int
        Digital lines that are pulsed with the epoch's period and width.
    """

    kind: EpochKind
    n_samples: int
    level: float
    _: KW_ONLY
    delta_level: float = 0.0
    delta_samples: int = 0
    period_samples: int = 0
    width_samples: int = 0
    digital: int = 0
    digital_train: int = 0

    @property
    def changes(self) -> bool:
        """Whether the epoch differs between sweeps."""
        return bool(self.delta_level or self.delta_samples)

    def in_sweep(self, sweep: int) -> "AbfEpoch":
        """Return the epoch as it is in one sweep (from 0), its deltas spent."""
        if not self.changes:
            return self
        return replace(
            self,
            n_samples=max(self.n_samples + self.delta_samples * sweep, 0),
            level=self.level + self.delta_level * sweep,
            delta_level=0.0,
            delta_samples=0,
        )


@dataclass(frozen=True, kw_only=True)
class UserList:
    """Values that one parameter of one epoch takes sweep by sweep.

    Attributes
    ----------
    epoch : int
        Place in the epoch table, from 0.
    parameter : {"level", "n_samples", "period_samples", "width_samples"}
        What is varied.
    values : tuple of float
        One per sweep; when they run out, the last stays, or they begin again if `repeat`.
    repeat : bool
        Begin again.
    """

    epoch: int
    parameter: Literal["level", "n_samples", "period_samples", "width_samples"]
    values: tuple[float, ...]
    repeat: bool = False

    def applied(self, epochs: Sequence[AbfEpoch], sweep: int) -> tuple[AbfEpoch, ...]:
        """Return the epochs of one sweep with the listed value put in."""
        place = sweep % len(self.values) if self.repeat else min(sweep, len(self.values) - 1)
        value = self.values[place]
        changed: AbfEpoch = epochs[self.epoch]
        if self.parameter == "level":
            changed = replace(changed, level=value)
        elif self.parameter == "n_samples":
            changed = replace(changed, n_samples=max(int(value), 0))
        elif self.parameter == "period_samples":
            changed = replace(changed, period_samples=int(value))
        else:
            changed = replace(changed, width_samples=int(value))
        return (*epochs[: self.epoch], changed, *epochs[self.epoch + 1 :])


@dataclass(frozen=True, kw_only=True)
class CommandTable:
    """All that one analogue output does.

    Attributes
    ----------
    holding : float
        Level before the first epoch, and after the last.
    epochs : tuple of AbfEpoch
        In order; none when the output only holds.
    stays : bool
        The last epoch's level stays until the next sweep's first epoch, instead of returning to `holding`.
    user_list : UserList, optional
        Values that replace one parameter.
    alternates : {0, 1}, optional
        Give the epochs only in the first, third, … sweep (0) or the second, fourth, … (1), and hold in the others.
    """

    holding: float
    epochs: tuple[AbfEpoch, ...] = ()
    stays: bool = False
    user_list: UserList | None = None
    alternates: Literal[0, 1] | None = None

    @property
    def same_every_sweep(self) -> bool:
        """Whether nothing changes from sweep to sweep."""
        if self.user_list is not None or self.alternates is not None or any(each.changes for each in self.epochs):
            return False
        return not (self.stays and self.epochs and self.epochs[-1].level != self.holding)

    def scaled(self, factor: float) -> "CommandTable":
        """Return the table with its levels in another unit."""
        if factor == 1.0:
            return self
        listed = self.user_list
        if listed is not None and listed.parameter == "level":
            listed = replace(listed, values=tuple(each * factor for each in listed.values))
        epochs = tuple(
            replace(each, level=each.level * factor, delta_level=each.delta_level * factor) for each in self.epochs
        )
        return replace(self, holding=self.holding * factor, epochs=epochs, user_list=listed)

    def in_sweep(self, sweep: int) -> tuple[AbfEpoch, ...]:
        """Return the epochs as they are in one sweep (from 0); those without duration do nothing."""
        if self.alternates is not None and sweep % 2 != self.alternates:
            return ()
        epochs = tuple(each.in_sweep(sweep) for each in self.epochs)
        if self.user_list is not None:
            epochs = self.user_list.applied(epochs, sweep)
        return tuple(each for each in epochs if each.n_samples > 0)

    def waveform(self, n_samples: int, sweep: int) -> FloatArray:
        """Return the command of one sweep, shape (n_samples,)."""
        before = self.holding
        if self.stays and sweep > 0 and (previous := self.in_sweep(sweep - 1)):
            before = previous[-1].level
        row = np.full(n_samples, self.holding, dtype=np.float64)
        position = _held_samples(n_samples)
        row[:position] = before
        for epoch in self.in_sweep(sweep):
            stop = min(position + epoch.n_samples, n_samples)
            if stop > position:  # Clampex lets no epoch reach beyond the sweep, damaged headers do
                row[position:stop] = _shape(epoch, before, stop - position)
            before, position = epoch.level, position + epoch.n_samples
        if self.stays:
            row[position:] = before
        return row


def epoch_waveform(epochs: Sequence[AbfEpoch], holding: float, n_samples: int, sweep: int) -> FloatArray:
    """Return the command that an epoch table means in one sweep.

    The first 1/64 of the sweep, and what is left after the last epoch, is at `holding`, as Clampex does it.

    Parameters
    ----------
    epochs : sequence of AbfEpoch
        The table of one analogue output.
    holding : float
        Holding level, in the unit of the epochs' levels.
    n_samples : int
        Samples in the sweep; epochs that reach beyond are cut.
    sweep : int
        Which sweep, from 0.

    Returns
    -------
    numpy.ndarray of float64, shape (n_samples,)
        In the unit of the levels.

    Examples
    --------
    >>> epoch_waveform([AbfEpoch("step", 2, -80.0, delta_level=5.0)], -70.0, 128, 1)[:6].tolist()
    [-70.0, -70.0, -75.0, -75.0, -70.0, -70.0]
    """
    return CommandTable(holding=holding, epochs=tuple(epochs)).waveform(n_samples, sweep)


def _held_samples(n_samples: int) -> int:
    return max(n_samples // _HELD_FRACTION, 1)


def _shape(epoch: AbfEpoch, before: float, n_wanted: int) -> FloatArray:
    """Return the first `n_wanted` samples of an epoch that begins from the level `before`."""
    n, level, at = epoch.n_samples, epoch.level, np.arange(n_wanted)
    if epoch.kind == "step":
        return np.full(n_wanted, level, dtype=np.float64)
    if epoch.kind == "ramp":
        return _line(before, level, at, n)
    period = epoch.period_samples
    n_pulses = n // period if period > 0 else 0
    if not n_pulses:
        return np.full(n_wanted, before, dtype=np.float64)
    if epoch.kind == "cosine":
        return before + (level - before) * (1.0 - np.cos(_line(0.0, 2.0 * np.pi * n_pulses, at, n))) / 2.0
    shape = _pulse(
        epoch.kind, before, level, at % period, period=period, width=min(max(epoch.width_samples, 0), period)
    )
    return np.where(at < n_pulses * period, shape, before)


def _line(start: float, stop: float, at: IntArray, n: int) -> FloatArray:
    return start + (stop - start) * at / max(n - 1, 1)


def _pulse(kind: EpochKind, before: float, level: float, phase: IntArray, *, period: int, width: int) -> FloatArray:
    if kind == "triangle":
        falling = _line(level, before, phase - width, period - width)
        return np.where(phase < width, _line(before, level, phase, width), falling)
    if kind == "pulse":
        return np.where(phase < width, level, before)
    return np.where(phase < width // 2, level, np.where(phase < width, 2.0 * before - level, before))


@final
class AbfCommand(Trace):
    """The command of one channel, computed from the epoch table when it is asked for.

    Parameters
    ----------
    table : CommandTable
        In the unit of the command.
    rate_hz : float
        Sampling rate.
    lengths : numpy.ndarray of int64, shape (n_sweeps,)
        Samples in each sweep.
    """

    def __init__(self, table: CommandTable, *, rate_hz: float, lengths: IntArray) -> None:
        self.table = table
        self.rate_hz = rate_hz
        self.lengths = lengths
        self.same_every_sweep = table.same_every_sweep and bool((lengths == lengths[0]).all())

    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        if not self.table.epochs:
            return np.full((len(sweeps), n_samples), self.table.holding, dtype=np.float64)
        rows = np.empty((len(sweeps), n_samples))
        known: tuple[int, FloatArray] | None = None
        for row, start, sweep in zip(rows, first, sweeps, strict=True):
            meant = 0 if self.same_every_sweep else int(sweep)
            if known is None or known[0] != meant:
                known = meant, self.table.waveform(int(self.lengths[sweep]), meant)
            row[:] = known[1][start : start + n_samples]
        return rows


def digital_outputs(table: CommandTable, *, rate_hz: float, lengths: IntArray) -> tuple[DigitalOutput, ...]:
    """Say when each digital line goes high.

    Parameters
    ----------
    table : CommandTable
        The epoch table that the digital lines follow.
    rate_hz : float
        Sampling rate of the channels.
    lengths : numpy.ndarray of int64, shape (n_sweeps,)
        Samples in each sweep.

    Returns
    -------
    tuple of DigitalOutput
        The lines that go high at least once, lowest first.

    Examples
    --------
    >>> table = CommandTable(holding=0.0, epochs=(AbfEpoch("step", 100, 0.0), AbfEpoch("step", 20, 0.0, digital=4)))
    >>> line = digital_outputs(table, rate_hz=1e4, lengths=np.array([6400]))[0]
    >>> line.name, line.onsets_s[0].tolist()
    ('digital 2', [0.02])
    """
    used = 0
    for epoch in table.epochs:
        used |= epoch.digital | epoch.digital_train
    same = table.same_every_sweep and bool((lengths == lengths[0]).all())
    outputs = []
    for line in (each for each in range(N_DIGITAL_LINES) if used >> each & 1):
        sweeps = range(1) if same else range(len(lengths))
        onsets = [_onsets(table, line, int(lengths[sweep]), sweep) / rate_hz for sweep in sweeps]
        if any(each.size for each in onsets):
            every = tuple(onsets * len(lengths) if same else onsets)
            outputs.append(DigitalOutput(name=f"digital {line}", onsets_s=every))
    return tuple(outputs)


def _onsets(table: CommandTable, line: int, n_samples: int, sweep: int) -> FloatArray:
    position, was_high = _held_samples(n_samples), False
    onsets: list[float] = []
    for epoch in table.in_sweep(sweep):
        high = bool(epoch.digital >> line & 1)
        if epoch.digital_train >> line & 1 and epoch.period_samples > 0:
            whole = position + epoch.n_samples // epoch.period_samples * epoch.period_samples
            onsets += range(position, min(whole, n_samples), epoch.period_samples)
        elif high and not was_high:
            onsets.append(position)
        was_high = high
        position += epoch.n_samples
    return np.array([each for each in onsets if each < n_samples], dtype=np.float64)
