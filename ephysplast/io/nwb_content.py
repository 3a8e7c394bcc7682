"""What goes into an NWB file, checked and counted on one clock before the file is begun."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import pairwise
from math import floor
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import EphysplastError
from ephysplast.io.nwb_header import UNKNOWN_START
from ephysplast.recording import Channel, FloatArray, Recording, Session, Trace

SI: Final[Mapping[str, tuple[str, float]]] = {"mV": ("volts", 1e-3), "pA": ("amperes", 1e-12)}
"""Unit here → (unit of NWB, factor to it)."""

_STEPS_16_BIT: Final = 65534
_ENOUGH_VALUES: Final = 100


@dataclass(frozen=True, eq=False)
class Stored:
    """The sweeps of one signal as the file keeps them: values × conversion + offset is in `unit`."""

    sweeps: list[NDArray[Any]]
    unit: str
    conversion: float
    offset: float


@dataclass(frozen=True, kw_only=True)
class Content:
    """Everything that goes into the file, checked, before the file is begun."""

    recordings: tuple[Recording, ...]
    begins_s: tuple[FloatArray, ...]
    zeros_s: tuple[float, ...]
    session_start: datetime
    phases: tuple[str, ...]
    metadata: dict[str, str]
    signals: list[list[tuple[Stored, Stored | None]]] = field(default_factory=list)

    def tags(self) -> list[tuple[float, str]]:
        """Return time after the start of the session and comment of each tag."""
        pairs = zip(self.recordings, self.zeros_s, strict=True)
        found = {(round(zero + tag.time_s, 9), clean(tag.comment)) for each, zero in pairs for tag in each.tags}
        return sorted(found)  # the recordings of a session repeat its tags

    def edges(self) -> list[tuple[float, str]]:
        """Return time after the start of the session and line of each rising edge of a digital output."""
        return sorted(
            {
                (round(float(begin + onset), 9), clean(output.name))
                for recording, begins in zip(self.recordings, self.begins_s, strict=True)
                for output in recording.digital_outputs
                for begin, onsets in zip(begins, output.onsets_s, strict=True)
                for onset in onsets
            }
        )

    def identifier(self) -> str:
        """Return a name that the same content always gets, and other content does not."""
        digest = sha256(json.dumps([self.metadata, self.phases, self.tags(), self.edges()], sort_keys=True).encode())
        digest.update(self.session_start.isoformat().encode())
        for recording, begins, signals in zip(self.recordings, self.begins_s, self.signals, strict=True):
            digest.update(begins.tobytes())
            for channel, pair in zip(recording.channels, signals, strict=True):
                digest.update(repr((channel.name, channel.clamp, channel.electrode, recording.protocol)).encode())
                for stored in filter(None, pair):
                    digest.update(repr((stored.unit, stored.conversion, stored.offset)).encode())
                    for sweep in stored.sweeps:
                        digest.update(sweep.tobytes())
        return digest.hexdigest()[:32]


def content_of(
    given: Recording | Session | Sequence[Recording], *, metadata: Mapping[str, str], phases: Sequence[str] | None
) -> Content:
    """Check what is given and bring it onto one clock; raise EphysplastError when that cannot be done."""
    recordings = given.recordings if isinstance(given, (Recording, Session)) else tuple(given)
    if not recordings or any(not each.channels or not each.n_sweeps for each in recordings):
        raise EphysplastError("there is nothing to write", got="no recording, or one without sweeps or channels")
    if phases is not None and len(phases) != len(recordings):
        raise EphysplastError(
            "each recording needs its phase", got=f"{len(phases)} phases", wanted=f"{len(recordings)}, one each"
        )
    session_start, zeros_s = _clock(recordings, together=isinstance(given, Session))
    content = Content(
        recordings=recordings,
        begins_s=tuple(zero + each.sweep_start_s for zero, each in zip(zeros_s, recordings, strict=True)),
        zeros_s=zeros_s,
        session_start=session_start,
        phases=tuple(map(clean, phases or ())),
        metadata={str(key): clean(str(value)) for key, value in metadata.items() if str(value).strip()},
    )
    for each in recordings:
        content.signals.append([_signals(channel, each.n_sweeps) for channel in each.channels])
    return content


def _clock(recordings: Sequence[Recording], *, together: bool) -> tuple[datetime, tuple[float, ...]]:
    """Return the start of the session, and how long after it the clock of each recording is zero."""
    first_s = [float(each.sweep_start_s.min()) for each in recordings]
    dates = [each.started_at for each in recordings if each.started_at is not None]
    if not dates:
        if not together:
            _require_apart(recordings)
        return UNKNOWN_START, tuple(-min(first_s) for _ in recordings)
    if len(dates) < len(recordings):
        raise EphysplastError(
            "the recordings cannot be placed on one clock",
            got=f"{len(recordings) - len(dates)} of {len(recordings)} without a date",
            remedy="give them one with dataclasses.replace(recording, started_at=...)",
        )
    zeros = [each if each.tzinfo else each.replace(tzinfo=UTC) for each in dates]
    begun = [zero + timedelta(microseconds=floor(first * 1e6)) for zero, first in zip(zeros, first_s, strict=True)]
    return min(begun), tuple((zero - min(begun)).total_seconds() for zero in zeros)


def _require_apart(recordings: Sequence[Recording]) -> None:
    spans = sorted(
        (float(start), float(start) + int(length) / each.rate_hz)
        for each in recordings
        for start, length in zip(each.sweep_start_s, each.sweep_lengths, strict=True)
    )
    if len(recordings) > 1 and any(later[0] < earlier[1] - 1e-6 for earlier, later in pairwise(spans)):
        raise EphysplastError(
            "the recordings cannot be placed on one clock",
            got="recordings without a date whose sweeps overlap",
            remedy="give each its date with dataclasses.replace(recording, started_at=...), or write one file each",
        )


def _signals(channel: Channel, n_sweeps: int) -> tuple[Stored, Stored | None]:
    command = channel.command
    return (
        _stored(channel.trace, channel.unit, n_sweeps),
        None if command is None else _stored(command, channel.command_unit, n_sweeps),
    )


def _stored(trace: Trace, unit: str, n_sweeps: int) -> Stored:
    if trace.n_sweeps < n_sweeps or not trace.lengths[:n_sweeps].all():
        raise EphysplastError("a channel has sweeps without samples", remedy="leave those sweeps out")
    same = trace.same_every_sweep and len(set(trace.lengths.tolist())) == 1
    rows = [trace.sweep(0)] * n_sweeps if same else [trace.sweep(each) for each in range(n_sweeps)]
    si_unit, factor = SI.get(unit, (clean(unit) or "?", 1.0))
    lattice = _lattice(rows[:1] if same else rows)
    if lattice is None:
        return Stored([row.astype(np.float32) for row in rows], si_unit, factor, 0.0)
    step, middle = lattice
    whole = [np.rint((row - middle) / step).astype(np.int16) for row in rows]
    return Stored(whole, si_unit, step * factor, middle * factor)


def _lattice(rows: Sequence[FloatArray]) -> tuple[float, float] | None:
    """Find step and middle of the 16-bit converter that the samples came through; None when they came through none."""
    known = np.empty(0)
    for begin in range(0, len(rows), 16):  # sorting sixteen sweeps at a time is three times as fast as one by one
        known = np.unique(np.concatenate([known, *rows[begin : begin + 16]]))
        if not np.isfinite(known[[0, -1]]).all() or len(known) > _STEPS_16_BIT:
            return None
        if len(known) > 1 and known[-1] - known[0] > _STEPS_16_BIT * 1.05 * np.diff(known).min():
            return None
    low, span = float(known[0]), float(known[-1] - known[0])
    if span == 0.0:
        return 1.0, low
    apart: FloatArray = np.diff(known)
    single = float(np.median(apart[apart < 1.5 * apart.min()]))
    n_steps = int(np.rint(apart / single).sum())
    step = span / n_steps  # over the whole span, so that rounding of single differences does not add up
    place = (known - low) / step
    # float32 samples of a 16-bit converter lie within 0.4 % of its steps. A few numbers from anywhere may do so too.
    tolerance = 1e-8 if len(known) < _ENOUGH_VALUES else 0.01
    if n_steps > _STEPS_16_BIT or np.abs(place - np.rint(place)).max() > tolerance:
        return None
    first = round(low / step)
    if abs(low / step - first) <= tolerance and first >= -_STEPS_16_BIT // 2 and first + n_steps <= _STEPS_16_BIT // 2:
        return step, 0.0  # the usual converter, for which zero is zero
    return step, low + step * (n_steps // 2)


def clean(words: str) -> str:
    """Drop what HDF5 cannot keep in a string: NUL and halves of characters."""
    return words.replace("\0", "").encode("utf-8", "replace").decode()
