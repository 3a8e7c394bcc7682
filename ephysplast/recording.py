"""A recording as it came off the rig: channels over sweeps, read from the file only where it is asked."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import ChannelError, EphysplastError, WindowError, near_names
from ephysplast.units import electrode_unit

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
Sweeps: TypeAlias = Sequence[int] | NDArray[np.integer] | None
Clamp: TypeAlias = Literal["current", "voltage", "field", "unknown"]


class Trace(ABC):
    """The samples of one channel, fetched by windows.

    Concrete traces say how samples are fetched (:meth:`_fetch`); windows, alignment and checks are written once, here.

    Attributes
    ----------
    rate_hz : float
        Sampling rate.
    lengths : numpy.ndarray of int64, shape (n_sweeps,)
        Samples in each sweep; sweeps need not be equally long.
    same_every_sweep : bool
        True when all sweeps are known to hold the same samples (a command that does not change), so one is enough.
    """

    rate_hz: float
    lengths: IntArray
    same_every_sweep: bool = False

    @abstractmethod
    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        """Return float64 ``[sweep, sample]``: `n_samples` from sample ``first[i]`` of sweep ``sweeps[i]``.

        All samples asked for exist: the caller has checked.
        """

    @property
    def n_sweeps(self) -> int:
        """Number of sweeps."""
        return len(self.lengths)

    def window(self, start_s: float, stop_s: float, sweeps: Sweeps = None) -> FloatArray:
        """Fetch one stretch of time from many sweeps.

        Parameters
        ----------
        start_s, stop_s : float
            From the start of each sweep, in s; the sample at `stop_s` is not included.
        sweeps : sequence of int, optional
            Sweep indices from 0; all by default.

        Returns
        -------
        numpy.ndarray of float64, shape (n_sweeps, n_samples)
            A copy, in the channel's unit.

        Raises
        ------
        WindowError
            If the window is empty or does not lie inside every sweep asked for.

        Examples
        --------
        >>> trace = ArrayTrace(np.arange(20.0).reshape(2, 10), rate_hz=1000.0)
        >>> trace.window(0.002, 0.005).tolist()
        [[2.0, 3.0, 4.0], [12.0, 13.0, 14.0]]
        """
        chosen = self._sweeps(sweeps)
        first = round(start_s * self.rate_hz)
        n_samples = round((stop_s - start_s) * self.rate_hz)
        return self._checked(np.full(len(chosen), first, dtype=np.int64), n_samples, chosen)

    def aligned(self, at_s: FloatArray, start_s: float, stop_s: float, sweeps: Sweeps = None) -> FloatArray:
        """Fetch the same stretch around a time of its own in each sweep.

        Parameters
        ----------
        at_s : numpy.ndarray, shape (n_sweeps,)
            The time to align to in each sweep, in s from the sweep's start; NaN gives a row of NaN.
        start_s, stop_s : float
            Relative to `at_s`, in s; negative is before.
        sweeps : sequence of int, optional
            The sweep of each `at_s`; all by default.

        Returns
        -------
        numpy.ndarray of float64, shape (n_sweeps, n_samples)
            Sample 0 is the one nearest to ``at_s + start_s``.

        Raises
        ------
        WindowError
            If a window does not lie inside its sweep.

        Examples
        --------
        >>> trace = ArrayTrace(np.arange(20.0).reshape(2, 10), rate_hz=1000.0)
        >>> trace.aligned(np.array([0.004, np.nan]), -0.001, 0.002).tolist()
        [[3.0, 4.0, 5.0], [nan, nan, nan]]
        """
        chosen = self._sweeps(sweeps)
        at = np.asarray(at_s, dtype=np.float64)
        if at.shape != chosen.shape:
            raise WindowError("one time per sweep is needed", got=f"{at.shape}", wanted=f"{chosen.shape}")
        known = np.isfinite(at)
        n_samples = round((stop_s - start_s) * self.rate_hz)
        first = np.rint((at[known] + start_s) * self.rate_hz).astype(np.int64)
        rows = np.full((len(chosen), max(n_samples, 0)), np.nan)
        rows[known] = self._checked(first, n_samples, chosen[known])
        return rows

    def sweep(self, index: int) -> FloatArray:
        """Fetch one whole sweep, shape (n_samples,)."""
        chosen = self._sweeps([index])
        rows = self._fetch(np.zeros(1, dtype=np.int64), int(self.lengths[chosen[0]]), chosen)
        return rows.reshape(-1)

    def scaled(self, factor: float) -> "Trace":
        """Return the same trace with its numbers multiplied by `factor`; nothing is read."""
        return self if factor == 1.0 else ScaledTrace(self, factor)

    def _sweeps(self, sweeps: Sweeps) -> IntArray:
        if sweeps is None:
            return np.arange(self.n_sweeps, dtype=np.int64)
        chosen = np.asarray(sweeps, dtype=np.int64).reshape(-1)
        if chosen.size and (chosen.min() < 0 or chosen.max() >= self.n_sweeps):
            raise WindowError(
                "there is no such sweep",
                got=f"sweep index {chosen.min()} to {chosen.max()}",
                wanted=f"0 to {self.n_sweeps - 1}",
            )
        return chosen

    def _checked(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        if n_samples <= 0:
            raise WindowError("the window is empty", got=f"{n_samples} samples", wanted="stop after start")
        outside = (first < 0) | (first + n_samples > self.lengths[sweeps])
        if outside.any():
            i = int(np.argmax(outside))
            raise WindowError(
                f"the window does not lie inside sweep {sweeps[i] + 1}",
                got=f"{first[i] / self.rate_hz:.6g} to {(first[i] + n_samples) / self.rate_hz:.6g} s",
                wanted=f"within 0 to {self.lengths[sweeps[i]] / self.rate_hz:.6g} s",
                remedy="check the stimulus times and the window settings",
            )
        return self._fetch(first, n_samples, sweeps)


@final
class ArrayTrace(Trace):
    """Samples held in memory.

    Parameters
    ----------
    samples : array_like, shape (n_sweeps, n_samples), or sequence of 1-D arrays for sweeps of different lengths
        In the channel's unit.
    rate_hz : float
        Sampling rate.
    """

    def __init__(self, samples: NDArray[np.floating] | Sequence[NDArray[np.floating]], rate_hz: float) -> None:
        self._rows = [np.asarray(row, dtype=np.float64) for row in samples]
        self.rate_hz = float(rate_hz)
        self.lengths = np.array([len(row) for row in self._rows], dtype=np.int64)

    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        rows = [self._rows[sweep][start : start + n_samples] for sweep, start in zip(sweeps, first, strict=True)]
        return np.array(rows, dtype=np.float64).reshape(len(sweeps), n_samples)


@final
class ScaledTrace(Trace):
    """Another trace with its numbers multiplied: how a wrong unit is put right without touching the file."""

    def __init__(self, trace: Trace, factor: float) -> None:
        self._trace, self._factor = trace, float(factor)
        self.rate_hz, self.lengths, self.same_every_sweep = trace.rate_hz, trace.lengths, trace.same_every_sweep

    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        return np.multiply(self._trace._fetch(first, n_samples, sweeps), self._factor)


@dataclass(frozen=True, eq=False, kw_only=True)
class Channel:
    """One recorded signal.

    Attributes
    ----------
    name : str
        As the file has it (``"IN 0"``), made unique within the recording.
    unit : str
        ``"mV"`` or ``"pA"`` for electrodes; auxiliary channels keep theirs.
    clamp : {"current", "voltage", "field", "unknown"}
        What the amplifier holds. In voltage clamp the trace is a current.
    trace : Trace
        The samples, in `unit`.
    electrode : str
        Which electrode; two channels of one electrode (V_m and I_m) share it. Empty when unknown.
    command : Trace, optional
        What the amplifier was told to do, in `command_unit`; None when the file does not say.
    command_unit : str
        ``"mV"`` or ``"pA"``; empty when there is no command.
    doubt : str
        Why the unit or the clamp cannot be true; empty when nothing speaks against it. A doubted channel can be
        looked at and not measured, until the manifest says what it holds.
    """

    name: str
    unit: str
    clamp: Clamp
    trace: Trace
    electrode: str = ""
    command: Trace | None = None
    command_unit: str = ""
    doubt: str = ""

    def corrected(self, *, unit: str = "", clamp: Clamp | None = None, scale: float = 1.0) -> "Channel":
        """Return the channel as the experimenter says it is, free of doubt.

        Parameters
        ----------
        unit : str, optional
            The true unit of the numbers as this channel has them (``"mV"``, ``"nA"``); they are converted.
        clamp : {"current", "voltage", "field", "unknown"}, optional
            The true clamp. By default mV means current clamp and pA voltage clamp when `unit` is given.
        scale : float, optional
            Multiply the channel's numbers by this first.

        Examples
        --------
        >>> wrong = Channel(name="IN 0", unit="pA", clamp="voltage", trace=ArrayTrace([[-70.0]], 1e4), doubt="...")
        >>> right = wrong.corrected(unit="mV")
        >>> right.unit, right.clamp, right.doubt
        ('mV', 'current', '')
        """
        kept, factor = electrode_unit(unit) if unit else (self.unit, 1.0)
        guess: dict[str, Clamp] = {"mV": "current", "pA": "voltage"}
        held = clamp or (guess.get(kept, "unknown") if unit else self.clamp)
        return replace(self, unit=kept, clamp=held, trace=self.trace.scaled(scale * factor), doubt="")

    def require(self, *clamps: Clamp) -> "Channel":
        """Return the channel if it may be measured as one of `clamps`; raise if not.

        Raises
        ------
        ChannelError
            If its unit or clamp is in doubt, or the clamp is another one.
        """
        if self.doubt:
            raise ChannelError(
                f"channel '{self.name}' cannot be measured: {self.doubt}",
                remedy="say what it holds with the manifest's columns unit, clamp and scale",
            )
        if clamps and self.clamp not in clamps:
            raise ChannelError(
                f"channel '{self.name}' is of the wrong clamp",
                got=f"{self.clamp} clamp ({self.unit or 'no unit'})",
                wanted=" or ".join(f"{each} clamp" for each in clamps),
                remedy="choose another channel, or another response, in the manifest",
            )
        return self


@dataclass(frozen=True, kw_only=True)
class Tag:
    """A comment that the experimenter set while recording.

    Attributes
    ----------
    time_s : float
        From the start of the recording.
    comment : str
        As typed; escape it wherever it is shown as markup.
    sweep : int
        Index of the sweep that was running or, in a pause, of the last one that had started; −1 before the first.
    """

    time_s: float
    comment: str
    sweep: int


@dataclass(frozen=True, eq=False, kw_only=True)
class DigitalOutput:
    """When a digital line went high in each sweep.

    Attributes
    ----------
    name : str
        ``"digital 0"``.
    onsets_s : tuple of numpy.ndarray
        One array per sweep: rising edges in s from the sweep's start.
    """

    name: str
    onsets_s: tuple[FloatArray, ...]


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a recording came from.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    format : str
        ``"ABF1"``, ``"ABF2"``, ``"NWB"``, or ``"memory"``.
    reader : str
        Who read it, with version: ``"ephysplast 0.1 (header: pyabf 2.3.8)"``.
    """

    path: Path
    format: str
    reader: str

    def sha256(self) -> str:
        """Return the SHA-256 of the file's bytes as hexadecimal; read when asked, since it reads the whole file."""
        digest = sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()


@dataclass(frozen=True, eq=False, kw_only=True)
class Recording:
    """Sweeps that share channels, sampling rate and protocol.

    Attributes
    ----------
    channels : tuple of Channel
        As the file orders them.
    rate_hz : float
        Sampling rate of the channels.
    sweep_start_s : numpy.ndarray, shape (n_sweeps,)
        True start of each sweep, from the file's own clock, in s after `started_at`.
    sweep_lengths : numpy.ndarray of int64, shape (n_sweeps,)
        Samples per sweep.
    source : Source
        The file.
    started_at : datetime, optional
        When the recording began; None when the file does not know or its date cannot be true.
    protocol : str
        The protocol's name; for people, never for decisions.
    comment : str
        The file's comment.
    tags : tuple of Tag
        In order of time.
    digital_outputs : tuple of DigitalOutput
        Lines that went high at least once.
    notes : tuple of str
        What the reader noticed and people should know (an impossible date, placeholder sweep times).
    """

    channels: tuple[Channel, ...]
    rate_hz: float
    sweep_start_s: FloatArray
    sweep_lengths: IntArray
    source: Source
    started_at: datetime | None = None
    protocol: str = ""
    comment: str = ""
    tags: tuple[Tag, ...] = ()
    digital_outputs: tuple[DigitalOutput, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def n_sweeps(self) -> int:
        """Number of sweeps."""
        return len(self.sweep_start_s)

    @property
    def recordings(self) -> tuple["Recording", ...]:
        """Only this recording: what :attr:`Session.recordings` is for a file that holds several."""
        return (self,)

    def channel(self, name: str) -> Channel:
        """Find a channel by name, or by its place counted from 1 when no name matches.

        Raises
        ------
        ChannelError
            If there is none; the message lists what there is.
        """
        wanted = str(name).strip()
        for each in self.channels:
            if each.name == wanted:
                return each
        if wanted.isdigit() and 1 <= int(wanted) <= len(self.channels):
            return self.channels[int(wanted) - 1]
        names = [each.name for each in self.channels]
        raise ChannelError(
            f"{self.source.path.name} has no channel '{wanted}'",
            wanted=f"one of {', '.join(names)}",
            remedy=near_names(wanted, names),
        )

    def with_channel(self, channel: Channel) -> "Recording":
        """Return the recording with the channel of the same name replaced."""
        self.channel(channel.name)
        return replace(self, channels=tuple(channel if each.name == channel.name else each for each in self.channels))


@dataclass(frozen=True, eq=False, kw_only=True)
class Session:
    """A file whose sweeps differ in channels, rate or protocol: several recordings on one clock."""

    recordings: tuple[Recording, ...] = field(default=())
    source: Source

    @property
    def only(self) -> Recording:
        """The recording, when there is just one.

        Raises
        ------
        EphysplastError
            If there are several.
        """
        if len(self.recordings) != 1:
            raise EphysplastError(
                f"{self.source.path.name} holds {len(self.recordings)} recordings",
                wanted="one",
                remedy="choose one from .recordings",
            )
        return self.recordings[0]
