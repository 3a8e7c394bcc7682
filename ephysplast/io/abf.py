"""Reading ABF 1 and ABF 2 files: samples through a memory map, window by window."""

import struct
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import pyabf
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ephysplast import __version__
from ephysplast.errors import FileFormatError
from ephysplast.io.abf_commands import AbfCommand, digital_outputs
from ephysplast.io.abf_header import AbfHeader, Input, Output, clean, truncated
from ephysplast.io.abf_header_v1 import read_abf1_header
from ephysplast.io.abf_header_v2 import read_abf2_header
from ephysplast.io.plausibility import doubt_about
from ephysplast.recording import (
    Channel,
    Clamp,
    FloatArray,
    IntArray,
    Recording,
    Source,
    Tag,
    Trace,
)
from ephysplast.units import electrode_unit

_LONGEST_TICK_US: Final = 1e6
"""Clampex counts in microseconds or samples, never in more than seconds."""

_SAMPLES_TO_JUDGE: Final = 16_384
"""So many samples of the first and of the last sweep decide whether a unit can be true."""


def read_abf(path: Path) -> Recording:
    """Read an ABF file, version 1 or 2; its samples stay in the file until they are asked for.

    Parameters
    ----------
    path : pathlib.Path
        The file.

    Returns
    -------
    Recording
        Sweeps start when the file's synch array says; without one, what was assumed stands in ``notes``. Commands
        come from the epoch tables; a channel's command is that of the output of the same place.

    Raises
    ------
    FileFormatError
        If the file is truncated or its header contradicts itself.
    """
    header = _header(path)
    starts, offsets, lengths, notes = _sweeps(path, header)
    began_s = float(starts[0])
    starts = starts - began_s
    samples = _Samples(path.absolute(), header)
    channels = _channels(header, samples, offsets, lengths)
    digital = header.digital
    return Recording(
        channels=channels,
        rate_hz=header.rate_hz,
        sweep_start_s=starts,
        sweep_lengths=lengths,
        source=Source(
            path=path, format=header.version, reader=f"ephysplast {__version__} (header: pyabf {pyabf.__version__})"
        ),
        started_at=_later(header.started_at, began_s),
        protocol=header.protocol,
        comment=header.comment,
        tags=_tags(header, starts, began_s),
        digital_outputs=digital_outputs(digital, rate_hz=header.rate_hz, lengths=lengths) if digital else (),
        notes=(*header.notes, *notes, *_command_notes(header)),
    )


@final
class _Samples:
    """The data section as ``[scan, channel]``, mapped when first used; pickled as the place where it is."""

    def __init__(self, path: Path, header: AbfHeader) -> None:
        n_channels = len(header.inputs)
        self.path = path
        self.start = header.data_start
        self.dtype = header.dtype
        self.shape = (header.n_samples // n_channels, n_channels)
        self._mapped: NDArray[Any] | None = None

    @property
    def scans(self) -> NDArray[Any]:
        """The stored numbers, shape (n_scans, n_channels)."""
        if self._mapped is None:
            self._mapped = np.asarray(np.memmap(self.path, self.dtype, mode="r", offset=self.start, shape=self.shape))
        return self._mapped

    def __getstate__(self) -> dict[str, Any]:
        """Leave the map behind."""
        return self.__dict__ | {"_mapped": None}


@final
class AbfTrace(Trace):
    """One channel of an ABF file; it pickles as where its samples are, not as the samples.

    Parameters
    ----------
    samples : _Samples
        The file's data section, shared by its channels.
    channel : int
        Place of the channel among those sampled.
    gain, offset : float
        Turn a stored number into the channel's unit.
    rate_hz : float
        Sampling rate of one channel.
    offsets, lengths : numpy.ndarray of int64, shape (n_sweeps,)
        Where each sweep begins, and how many samples it has.
    """

    def __init__(
        self,
        samples: _Samples,
        channel: int,
        *,
        gain: float,
        offset: float,
        rate_hz: float,
        offsets: IntArray,
        lengths: IntArray,
    ) -> None:
        self.samples, self.channel = samples, channel
        self.gain, self.offset = gain, offset
        self.rate_hz, self.lengths = rate_hz, lengths
        self.offsets = offsets

    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        column = self.samples.scans[:, self.channel]
        stored = sliding_window_view(column, n_samples)[self.offsets[sweeps] + first]
        rows: FloatArray = stored.astype(np.float64)
        rows *= self.gain
        if self.offset:
            rows += self.offset
        return rows


def load_samples(recording: Recording) -> tuple[list[NDArray[np.float32]], ...]:
    """Load every sample at once, in single precision: for looking at a whole file, not for measuring it.

    Parameters
    ----------
    recording : Recording
        The samples of an ABF file are read in one go; those of any other file sweep by sweep.

    Returns
    -------
    tuple of lists of numpy.ndarray of float32
        For each channel a list with one array per sweep, in the channel's unit.

    Examples
    --------
    >>> from ephysplast.recording import ArrayTrace
    >>> trace = ArrayTrace([[1.0, 2.0], [3.0, 4.0]], rate_hz=1e4)
    >>> recording = Recording(channels=(Channel(name="Vm", unit="mV", clamp="current", trace=trace),), rate_hz=1e4,
    ...                       sweep_start_s=np.array([0.0, 1.0]), sweep_lengths=trace.lengths,
    ...                       source=Source(path=Path(), format="memory", reader=""))
    >>> load_samples(recording)[0][1].tolist()
    [3.0, 4.0]
    """
    loaded = []
    for channel in recording.channels:
        trace = channel.trace
        if not isinstance(trace, AbfTrace):
            loaded.append([trace.sweep(i).astype(np.float32) for i in range(trace.n_sweeps)])
            continue
        values: NDArray[np.float32] = trace.samples.scans[:, trace.channel].astype(np.float32)
        values *= np.float32(trace.gain)
        if trace.offset:
            values += np.float32(trace.offset)
        loaded.append([values[at : at + n] for at, n in zip(trace.offsets, trace.lengths, strict=True)])
    return tuple(loaded)


def _header(path: Path) -> AbfHeader:
    size = path.stat().st_size
    wrong = ValueError, LookupError, TypeError, ArithmeticError
    broken = struct.error, OSError, MemoryError, *wrong
    try:
        with path.open("rb") as file:
            is_abf2 = file.read(4) == b"ABF2"
            header = read_abf2_header(file, path, size) if is_abf2 else read_abf1_header(file, path, size)
    except broken as error:
        raise _damaged(path, str(error) or type(error).__name__) from error
    if not header.inputs or not (np.isfinite(header.rate_hz) and header.rate_hz > 0.0):
        raise _damaged(path, f"{len(header.inputs)} channels at {header.rate_hz:g} Hz")
    if header.data_start <= 0:
        raise _damaged(path, f"samples from byte {header.data_start}")
    if not 0.0 < header.tick_us <= _LONGEST_TICK_US:
        raise _damaged(path, f"a clock that ticks every {header.tick_us:g} µs")
    for each in header.inputs:
        if not (np.isfinite(each.gain) and np.isfinite(each.offset)) or each.gain == 0.0:
            raise _damaged(path, f"a gain of {each.gain:g} for channel '{each.name}'")
    if header.n_samples < len(header.inputs):
        raise FileFormatError(
            f"{path.name} holds no samples",
            remedy="the recording stopped at once, or was never closed: open it in Clampfit and save it",
        )
    there = max(size - header.data_start, 0) // header.dtype.itemsize
    if there < header.n_samples:
        raise truncated(path, f"{header.n_samples - there} of {header.n_samples} samples are missing")
    return header


def _damaged(path: Path, got: str) -> FileFormatError:
    return FileFormatError(f"{path.name} has a damaged header", got=got, remedy="copy the file again")


def _sweeps(path: Path, header: AbfHeader) -> tuple[FloatArray, IntArray, IntArray, tuple[str, ...]]:
    """Return the sweeps' starts in s, offsets and lengths in samples of one channel, and notes."""
    n_channels = len(header.inputs)
    n_scans = header.n_samples // n_channels
    if header.gap_free:
        paused = len(header.synch) > 1
        notes = ("the gap-free recording was paused; its pauses are not shown",) if paused else ()
        return np.zeros(1), np.zeros(1, dtype=np.int64), np.array([n_scans], dtype=np.int64), notes
    lengths = header.synch["length"].astype(np.int64) // n_channels
    if not lengths.size or lengths.min() < 1 or lengths.sum() > n_scans:
        return _equal_sweeps(path, header, n_scans)
    offsets = np.concatenate([[0], np.cumsum(lengths)[:-1]]).astype(np.int64)
    starts = header.synch["start"].astype(np.float64) * header.tick_us / 1e6
    if (np.diff(starts) <= 0.0).any():
        starts, note = _assumed_starts(header, float(lengths.max()) / header.rate_hz, len(lengths))
        return starts, offsets, lengths, (note,)
    return starts, offsets, lengths, ()


def _equal_sweeps(
    path: Path, header: AbfHeader, n_scans: int
) -> tuple[FloatArray, IntArray, IntArray, tuple[str, ...]]:
    n_sweeps = max(header.n_episodes, 1)
    length = n_scans // n_sweeps
    if length < 1:
        raise _damaged(path, f"{n_sweeps} sweeps of {n_scans} samples together")
    starts, note = _assumed_starts(header, length / header.rate_hz, n_sweeps)
    offsets = np.arange(n_sweeps, dtype=np.int64) * length
    return starts, offsets, np.full(n_sweeps, length, dtype=np.int64), (note,) if n_sweeps > 1 else ()


def _assumed_starts(header: AbfHeader, duration_s: float, n_sweeps: int) -> tuple[FloatArray, str]:
    interval_s = header.episode_interval_s
    if not duration_s <= interval_s < 1e6:
        interval_s = duration_s
    note = f"the file does not say when its sweeps began; they are taken to begin every {interval_s:g} s"
    return np.arange(n_sweeps, dtype=np.float64) * float(interval_s), note


def _later(started_at: datetime | None, seconds: float) -> datetime | None:
    return None if started_at is None else started_at + timedelta(seconds=seconds)


def _tags(header: AbfHeader, starts: FloatArray, began_s: float) -> tuple[Tag, ...]:
    tags = []
    for ticks, comment in zip(header.tags["time"], header.tags["comment"], strict=True):
        time_s = float(ticks) * header.tick_us / 1e6 - began_s
        # Half a tick more, lest rounding put a tag at a sweep's start into the sweep before.
        sweep = int(np.searchsorted(starts, time_s + header.tick_us / 2e6, side="right")) - 1
        tags.append(Tag(time_s=time_s, comment=clean(comment), sweep=sweep))
    return tuple(sorted(tags, key=lambda tag: tag.time_s))


def _unit(stored: str) -> tuple[str, float]:
    # In these files plain volts are markers, triggers and other auxiliary signals, never a membrane.
    return (stored, 1.0) if stored == "V" else electrode_unit(stored)


def _clamps(units: list[str], commands: list[str]) -> list[Clamp]:
    """Tell clamps from units: the response and the command of an electrode are never both of one kind.

    A potential beside a current that is commanded by a voltage is what the voltage clamp made of the cell, or a copy
    of a command, and a current beside a potential likewise: neither is a response, so their clamp is unknown.
    """
    pairs = list(zip(units, commands, strict=True))
    voltage_clamp, current_clamp = ("pA", "mV") in pairs, ("mV", "pA") in pairs
    clamps: list[Clamp] = []
    for unit, command in pairs:
        if unit == "pA" and (command == "mV" or not current_clamp):
            clamps.append("voltage")
        elif unit == "mV" and (command == "pA" or not (current_clamp or voltage_clamp)):
            clamps.append("current")
        else:
            clamps.append("unknown")
    return clamps


def _electrodes(units: list[str], clamps: list[Clamp]) -> list[str]:
    responses = [i for i, clamp in enumerate(clamps) if clamp != "unknown"]
    names = {i: str(k + 1) for k, i in enumerate(responses)}
    only = "1" if len(responses) == 1 else ""
    return [names.get(i, only if unit in ("mV", "pA") else "") for i, unit in enumerate(units)]


def _unique(names: list[str]) -> list[str]:
    unique: list[str] = []
    for name in names:
        candidate, copies = name, 1
        while candidate in unique:
            copies += 1
            candidate = f"{name} ({copies})"
        unique.append(candidate)
    return unique


def _paired_outputs(header: AbfHeader) -> list[Output]:
    # The file does not say which output drives which electrode; by Clampex's custom they are numbered alike.
    none = Output(unit="", table=None)
    return [header.outputs[i] if i < len(header.outputs) else none for i in range(len(header.inputs))]


def _command_notes(header: AbfHeader) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.note for each in _paired_outputs(header) if each.note))


def _channels(header: AbfHeader, samples: _Samples, offsets: IntArray, lengths: IntArray) -> tuple[Channel, ...]:
    outputs = _paired_outputs(header)
    units = [_unit(each.unit)[0] for each in header.inputs]
    clamps = _clamps(units, [_unit(each.unit)[0] for each in outputs])
    electrodes = _electrodes(units, clamps)
    names = _unique([each.name for each in header.inputs])
    channels = []
    for i, (stored, output) in enumerate(zip(header.inputs, outputs, strict=True)):
        factor = _unit(stored.unit)[1]
        trace = AbfTrace(
            samples,
            i,
            gain=stored.gain * factor,
            offset=stored.offset * factor,
            rate_hz=header.rate_hz,
            offsets=offsets,
            lengths=lengths,
        )
        command = _command(output, header.rate_hz, lengths)
        channel = Channel(
            name=names[i],
            unit=units[i],
            clamp=clamps[i],
            trace=trace,
            electrode=electrodes[i],
            command=command,
            command_unit=_unit(output.unit)[0] if command else "",
        )
        channels.append(replace(channel, doubt=_doubt(channel, stored, output)))
    return tuple(channels)


def _command(output: Output, rate_hz: float, lengths: IntArray) -> AbfCommand | None:
    if output.table is None:
        return None
    return AbfCommand(output.table.scaled(_unit(output.unit)[1]), rate_hz=rate_hz, lengths=lengths)


def _doubt(channel: Channel, stored: Input, output: Output) -> str:
    trace = channel.trace
    few = [
        trace.window(0.0, min(int(trace.lengths[i]), _SAMPLES_TO_JUDGE) / trace.rate_hz, [i])
        for i in sorted({0, trace.n_sweeps - 1})
    ]
    return doubt_about(
        name=channel.name,
        unit=channel.unit,
        clamp=channel.clamp,
        samples=np.concatenate(few, axis=1),
        command_unit=_unit(output.unit)[0],
        stored_unit=stored.unit,
    )
