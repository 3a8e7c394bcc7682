"""Writing ABF2 (2.6) files that Clampfit's relatives, pyABF and neo can read."""

import math
import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import EphysplastError
from ephysplast.io.abf_commands import EPOCH_CODES, AbfCommand, AbfEpoch, CommandTable
from ephysplast.recording import Channel, FloatArray, IntArray, Recording

_BLOCK: Final = 512
_VERSION: Final = bytes((0, 0, 6, 2))
_CREATOR: Final = ("ephysplast", bytes((0, 0, 0, 1)))  # of the writer, not of the package: bytes outlive releases
_RANGE_V: Final = 10.0
_RESOLUTION: Final = 32768
_MOST: Final = 32767
_SILENT: Final = 1e-30  # its gain would not fit single precision
_NO_FILTER: Final = 100_000.0
_COMMENT_BYTES: Final = 56
_ENCODING: Final = "cp1252"

# Where the section map has (block, bytes per entry, number of entries) of each section.
_PROTOCOL, _ADC, _DAC, _EPOCH, _EPOCH_PER_DAC, _STRINGS, _DATA, _TAG, _SYNCH = 76, 92, 108, 124, 156, 220, 236, 252, 316
_GUID_AT: Final = 40

_VARIABLE, _GAP_FREE, _EPISODIC = 1, 3, 5


def write_abf(
    path: str | os.PathLike[str],
    recording: Recording,
    *,
    epochs: Sequence[Sequence[AbfEpoch]] = (),
    holding: Sequence[float] = (),
) -> None:
    """Write a recording as an ABF2 file of 16-bit integers.

    The same recording gives the same bytes. Each channel's gain is such that its largest value fills the range, so
    samples come back within half a step of ``max|x| / 32767``. The file appears whole or not at all.

    Parameters
    ----------
    path : path-like
        The file to write; one that exists is replaced.
    recording : Recording
        Channels, names, units, sweep starts (to 10 µs), tags (comments cut at 56 bytes), comment, protocol and date
        (without its time zone) are kept. Sweeps of unequal length make a variable-length file; one sweep without
        epochs a gap-free one.
    epochs : sequence of sequences of AbfEpoch, optional
        The epoch table of each channel's command, in the channel's ``command_unit``; their ``digital`` bits, in one
        table only, make the digital outputs. By default the table that a channel came with from another ABF file;
        commands that no epoch table describes are not kept.
    holding : sequence of float, optional
        Holding level of each channel's command, in its ``command_unit``.

    Raises
    ------
    EphysplastError
        If a sample is NaN or infinite, the sweeps of the channels disagree with the recording, or the epochs cannot
        be written.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from ephysplast.io.abf import read_abf
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> trace = ArrayTrace([[-70.0, -60.0]] * 3, rate_hz=1e4)
    >>> channel = Channel(name="Vm", unit="mV", clamp="current", trace=trace, command_unit="pA")
    >>> recording = Recording(channels=(channel,), rate_hz=1e4, sweep_start_s=np.array([0.0, 10.0, 25.0]),
    ...                       sweep_lengths=trace.lengths, source=Source(path=Path(), format="memory", reader=""))
    >>> with TemporaryDirectory() as folder:
    ...     write_abf(Path(folder) / "small.abf", recording)
    ...     read_abf(Path(folder) / "small.abf").sweep_start_s.tolist()
    [0.0, 10.0, 25.0]
    """
    tables = _tables(recording, epochs, holding)
    whole = _assemble(recording, tables)
    target = Path(path)
    partial = target.with_name(f"{target.name}.{os.getpid()}.part")
    try:
        partial.write_bytes(whole)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(eq=False)
class _Strings:
    """The strings section: each text once, known by its place counted from 1; 0 is no text."""

    texts: list[bytes] = field(default_factory=list)

    def place(self, text: str) -> int:
        """Return where the text is, adding it when it is new."""
        encoded = text.replace("\0", " ").strip().encode(_ENCODING, errors="replace")
        if not encoded:
            return 0
        if encoded not in self.texts:
            self.texts.append(encoded)
        return self.texts.index(encoded) + 1

    def section(self) -> bytes:
        """Return the section's bytes: header, then the texts, each ended by one NUL."""
        body = b"".join(each + b"\0" for each in self.texts)
        longest = max(len(each) for each in self.texts)
        return struct.pack("<4s4I24x", b"SSCH", 1, len(self.texts), longest, len(body)) + body


@dataclass(eq=False)
class _File:
    """Sections laid one after the other from whole blocks on, and the map that says where."""

    entries: list[tuple[int, int, int, int]] = field(default_factory=list)
    blocks: list[bytes] = field(default_factory=list)
    n_blocks: int = 1

    def add(self, at: int, section: bytes | NDArray[np.int16], *, entry_bytes: int, n_entries: int) -> None:
        """Append one section and remember it in the map at byte `at` of the header."""
        if not n_entries:
            return
        raw = section if isinstance(section, bytes) else section.tobytes()
        self.entries.append((at, self.n_blocks, entry_bytes, n_entries))
        self.blocks += [raw, bytes(-len(raw) % _BLOCK)]
        self.n_blocks += math.ceil(len(raw) / _BLOCK)

    def whole(self, header: bytearray) -> bytes:
        """Return the whole file, with a GUID made from its contents."""
        for at, block, entry_bytes, n_entries in self.entries:
            struct.pack_into("<IIq", header, at, block, entry_bytes, n_entries)
        digest = sha256(header)
        for each in self.blocks:
            digest.update(each)
        header[_GUID_AT : _GUID_AT + 16] = digest.digest()[:16]
        return b"".join([bytes(header), *self.blocks])


def _assemble(recording: Recording, tables: Sequence[CommandTable]) -> bytes:
    mode = _mode(recording, tables)
    samples, scales = _quantised(recording)
    strings = _Strings()
    creator, protocol = strings.place(_CREATOR[0]), strings.place(_protocol_path(recording.protocol))
    comment = strings.place(recording.comment)
    unit_us = _synch_unit_us(recording)
    channels = recording.channels
    adc = b"".join(_adc(i, channel, scales[i], strings) for i, channel in enumerate(channels))
    dac = b"".join(_dac(i, channel, tables[i], strings) for i, channel in enumerate(channels))
    per_dac = [_epoch_per_dac(i, k, epoch) for i, table in enumerate(tables) for k, epoch in enumerate(table.epochs)]
    active = _active_table(tables)
    digital = _digital(tables, active)
    tags = b"".join(_tag(tag.time_s, tag.comment, unit_us) for tag in recording.tags)
    synch = b"" if mode == _GAP_FREE else _synch_array(recording, unit_us)

    file = _File()
    file.add(_PROTOCOL, _protocol(recording, mode, unit_us, comment, active), entry_bytes=_BLOCK, n_entries=1)
    file.add(_ADC, adc, entry_bytes=128, n_entries=len(channels))
    file.add(_DAC, dac, entry_bytes=256, n_entries=len(channels))
    file.add(_EPOCH, digital, entry_bytes=32, n_entries=len(digital) // 32)
    file.add(_EPOCH_PER_DAC, b"".join(per_dac), entry_bytes=48, n_entries=len(per_dac))
    text, text_at = strings.section(), file.n_blocks * _BLOCK
    file.add(_STRINGS, text, entry_bytes=len(text), n_entries=len(strings.texts))
    file.add(_DATA, samples, entry_bytes=2, n_entries=samples.size)
    file.add(_SYNCH, synch, entry_bytes=8, n_entries=len(synch) // 8)
    file.add(_TAG, tags, entry_bytes=64, n_entries=len(recording.tags))
    # pyABF reads as many bytes again for every text, so the file must not end before that.
    file.blocks.append(bytes(max(0, text_at + len(text) * len(strings.texts) - file.n_blocks * _BLOCK)))
    return file.whole(_header(recording, creator=creator, protocol=protocol))


def _header(recording: Recording, *, creator: int, protocol: int) -> bytearray:
    header = bytearray(_BLOCK)
    date, milliseconds = _date(recording.started_at)
    n_sweeps = recording.n_sweeps
    struct.pack_into("<4s4s5I4H", header, 0, b"ABF2", _VERSION, _BLOCK, n_sweeps, date, milliseconds, 0, 1, 0, 1, 0)
    struct.pack_into("<4sI4xII", header, 56, _CREATOR[1], creator, 0, protocol)
    return header


def _date(started_at: datetime | None) -> tuple[int, int]:
    if started_at is None:
        return 0, 0
    day = started_at.year * 10_000 + started_at.month * 100 + started_at.day
    seconds = started_at.hour * 3600 + started_at.minute * 60 + started_at.second
    return day, seconds * 1000 + started_at.microsecond // 1000


def _protocol_path(protocol: str) -> str:
    return protocol.replace("/", "_").replace("\\", "_") + ".pro" if protocol else ""


def _protocol(recording: Recording, mode: int, unit_us: float, comment: int, active: int | None) -> bytes:
    section = bytearray(_BLOCK)
    n_samples = int(recording.sweep_lengths.max()) * len(recording.channels)
    start_to_start = float(np.median(np.diff(recording.sweep_start_s))) if recording.n_sweeps > 1 else 0.0

    def put(layout: str, at: int, *values: float) -> None:
        struct.pack_into("<" + layout, section, at, *values)

    put("hf", 0, mode, 1e6 / recording.rate_hz)
    put("I", 10, 1)
    put("ff", 14, unit_us, 0.0)
    put("5i", 22, n_samples, 0, recording.n_sweeps, 1, 1)
    put("fff", 58, 1.0, start_to_start, start_to_start)
    put("iii", 86, n_samples, 1, recording.n_sweeps)
    put("ffii", 110, _RANGE_V, _RANGE_V, _RESOLUTION, _RESOLUTION)
    put("hi", 130, 1, comment)
    put("hh", 140, int(active is not None), active or 0)
    put("hh", 148, active or 0, 1)
    put("4h", 198, 16, max(len(recording.channels), 4), 16, 8)
    return bytes(section)


def _adc(number: int, channel: Channel, scale: float, strings: _Strings) -> bytes:
    entry = bytearray(128)
    struct.pack_into("<hhh3f", entry, 0, number, 0, 0, 1.0, _NO_FILTER, 0.0)
    struct.pack_into("<hhfff", entry, 24, number, number, 1.0, 1.0, 0.0)
    struct.pack_into("<6f", entry, 40, scale, 0.0, 1.0, 0.0, _NO_FILTER, 0.0)
    struct.pack_into("<f", entry, 66, _NO_FILTER)
    struct.pack_into("<hii", entry, 72, 1, strings.place(channel.name), strings.place(channel.unit))
    return bytes(entry)


def _dac(number: int, channel: Channel, table: CommandTable, strings: _Strings) -> bytes:
    entry = bytearray(256)
    unit = _command_unit(channel)
    scale = {"mV": 20.0, "pA": 400.0}.get(unit, 1.0)
    names = strings.place(f"Cmd {number}"), strings.place(unit)
    struct.pack_into("<hh5fii", entry, 0, number, 0, 0.0, scale, table.holding, 1.0, 0.0, *names)
    struct.pack_into("<hhhf", entry, 40, int(bool(table.epochs)), 1, int(table.stays), 1.0)
    return bytes(entry)


def _command_unit(channel: Channel) -> str:
    # Channels of no clamp of their own get a voltage command, as Clampex has it: then no reader takes them for cells.
    return channel.command_unit or ("pA" if channel.clamp == "current" else "mV")


def _epoch_per_dac(dac: int, number: int, epoch: AbfEpoch) -> bytes:
    code = EPOCH_CODES[epoch.kind]
    durations = epoch.n_samples, epoch.delta_samples, epoch.period_samples, epoch.width_samples
    return struct.pack("<3h2f4i18x", number, dac, code, epoch.level, epoch.delta_level, *durations)


def _digital(tables: Sequence[CommandTable], active: int | None) -> bytes:
    leading = tables[active].epochs if active is not None else ()
    entries = []
    for number in range(max(len(table.epochs) for table in tables)):
        high, train = (leading[number].digital, leading[number].digital_train) if number < len(leading) else (0, 0)
        entries.append(struct.pack("<5h22x", number, high, train, 0, 0))
    return b"".join(entries)


def _active_table(tables: Sequence[CommandTable]) -> int | None:
    using = [i for i, table in enumerate(tables) if any(each.digital or each.digital_train for each in table.epochs)]
    if len(using) > 1:
        raise EphysplastError(
            "the digital outputs follow the epochs of one command only",
            got=f"digital bits in the epochs of channels {', '.join(str(i + 1) for i in using)}",
            remedy="put them all into one of the tables",
        )
    return using[0] if using else None


def _tag(time_s: float, comment: str, unit_us: float) -> bytes:
    text = comment.encode(_ENCODING, errors="replace")[:_COMMENT_BYTES].ljust(_COMMENT_BYTES)
    return struct.pack("<i56shh", round(time_s * 1e6 / unit_us), text, 1, 0)


def _synch_array(recording: Recording, unit_us: float) -> bytes:
    ticks = np.rint(recording.sweep_start_s * 1e6 / unit_us)
    lengths = recording.sweep_lengths * len(recording.channels)
    return np.stack([ticks, lengths], axis=1).astype("<i4").tobytes()


def _synch_unit_us(recording: Recording) -> float:
    last_s = max([float(np.max(np.abs(recording.sweep_start_s))), *(abs(tag.time_s) for tag in recording.tags)])
    return next(unit for unit in (10.0, 100.0, 1e3, 1e4, 1e5) if last_s * 1e6 / unit < 2**31 - 1)


def _mode(recording: Recording, tables: Sequence[CommandTable]) -> int:
    commanded = any(table.epochs for table in tables)
    if len(set(recording.sweep_lengths.tolist())) > 1:
        if commanded:
            raise EphysplastError(
                "an ABF file of sweeps of unequal length has no epochs",
                wanted="sweeps of one length, or no epochs",
            )
        return _VARIABLE
    if recording.n_sweeps == 1 and not commanded and recording.sweep_start_s[0] == 0.0:
        return _GAP_FREE
    return _EPISODIC


def _tables(
    recording: Recording, epochs: Sequence[Sequence[AbfEpoch]], holding: Sequence[float]
) -> tuple[CommandTable, ...]:
    n_channels = len(recording.channels)
    for given, what in ((epochs, "epoch tables"), (holding, "holding levels")):
        if len(given) > n_channels:
            raise EphysplastError(f"there are more {what} than channels", got=str(len(given)), wanted=str(n_channels))
    tables = []
    for i, channel in enumerate(recording.channels):
        known = channel.command.table if isinstance(channel.command, AbfCommand) else CommandTable(holding=0.0)
        if i < len(epochs):
            known = CommandTable(holding=known.holding, epochs=tuple(epochs[i]))
        if i < len(holding):
            known = CommandTable(holding=float(holding[i]), epochs=known.epochs, stays=known.stays)
        if known.user_list is not None:
            raise EphysplastError(
                f"the command of '{channel.name}' takes its values from a list, which cannot be written",
                remedy="give epochs",
            )
        tables.append(known)
    return tuple(tables)


def _quantised(recording: Recording) -> tuple[NDArray[np.int16], list[float]]:
    lengths = recording.sweep_lengths
    if not recording.channels or not lengths.size or lengths.min() < 1:
        raise EphysplastError("there is nothing to write", wanted="at least one channel and one sample in every sweep")
    samples = np.empty((int(lengths.sum()), len(recording.channels)), dtype="<i2")
    scales = []
    for i, channel in enumerate(recording.channels):
        values = _all_samples(channel, lengths)
        largest = float(np.abs(values).max())
        # In single precision, as the file has it, so that the integers fit the gain that will be read.
        scale = float(np.float32(_RANGE_V / _RESOLUTION * _MOST / largest)) if largest > _SILENT else 1.0
        values *= _RESOLUTION * scale / _RANGE_V
        samples[:, i] = np.rint(values, out=values)
        scales.append(scale)
    return samples, scales


def _all_samples(channel: Channel, lengths: IntArray) -> FloatArray:
    if not np.array_equal(channel.trace.lengths, lengths):
        raise EphysplastError(
            f"the sweeps of channel '{channel.name}' are not those of the recording",
            got=f"{channel.trace.n_sweeps} sweeps, {int(channel.trace.lengths.sum())} samples",
            wanted=f"{len(lengths)} sweeps, {int(lengths.sum())} samples",
        )
    values = np.concatenate([channel.trace.sweep(i) for i in range(len(lengths))])
    wrong = int(np.count_nonzero(~np.isfinite(values)))
    if wrong:
        raise EphysplastError(
            f"channel '{channel.name}' cannot be written",
            got=f"{wrong} samples that are NaN or infinite",
            wanted="finite numbers",
            remedy="leave the sweeps out that hold them",
        )
    return values
