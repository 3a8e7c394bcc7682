"""NWB 2 in, through h5py alone: sweeps by the icephys tables, samples only when asked for."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import h5py
import numpy as np

from ephysplast import __version__
from ephysplast.errors import FileFormatError
from ephysplast.io.nwb_header import (
    comment_of,
    digital_of,
    doubts_of_times,
    metadata_of,
    session_start,
    string,
    tags_of,
)
from ephysplast.io.nwb_series import (
    Address,
    NwbTrace,
    Series,
    address,
    kind_of,
    open_hdf5,
    read_series,
    text_attribute,
)
from ephysplast.io.nwb_tables import TABLES, Row, Sweep, clamp_of, sweeps_of
from ephysplast.io.plausibility import doubt_about
from ephysplast.recording import Channel, DigitalOutput, FloatArray, Recording, Session, Source, Tag

_MOST_RUNS: Final = 12
"""More runs of conditions than these are an alternation, which no note can list."""


def read_nwb(path: str | Path) -> Recording | Session:
    """Read the intracellular recordings of an NWB 2 file.

    Sweeps and their order come from the icephys tables, else from sweep numbers (the older SweepTable, or an attribute
    of the series), else from starting times. Sweeps that share electrodes, clamp, sampling rate and protocol (the
    tables' stimulus type, else the stimulus description) form one recording. Data × conversion + offset goes to mV or
    pA; the amplifier's gain is already in the conversion and is not applied again.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    Recording or Session
        A Session when sweeps differ in electrodes, clamp, rate or protocol. Its recordings share one clock, which
        starts with the file's first sweep. Samples stay in the file until windows of them are asked for.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged, NWB 1, not NWB, or holds no intracellular series.

    Notes
    -----
    Where sweeps share their starting time, the times are placeholders: sweeps are then laid end to end, and the
    recording's `notes` say so. They also say which sweeps belong to which condition.

    Examples
    --------
    >>> from tempfile import NamedTemporaryFile
    >>> with NamedTemporaryFile(suffix=".nwb") as empty:
    ...     read_nwb(empty.name)
    Traceback (most recent call last):
        ...
    ephysplast.errors.FileFormatError: ... is not an HDF5 file, so it is not NWB. To do: check which file it is.
    """
    where = Path(path)
    with open_hdf5(where) as file:
        _require_nwb2(file, where)
        content = _Content.of(file, where)
    found = content.recordings()
    return found[0] if len(found) == 1 else Session(recordings=found, source=content.source)


def read_nwb_metadata(path: str | Path) -> dict[str, str]:
    """Read what an NWB file says about animal, cell and experimenter.

    Parameters
    ----------
    path : str or pathlib.Path
        The file.

    Returns
    -------
    dict of str to str
        Under the names that `write_nwb` takes (``"animal"``, ``"species"``, ``"region"``, …); what the file does not
        say is absent. A file of `write_nwb` gives back what was written, word for word.

    Raises
    ------
    FileFormatError
        If the file is missing, damaged or not NWB 2.
    """
    where = Path(path)
    with open_hdf5(where) as file:
        _require_nwb2(file, where)
        return metadata_of(file)


def _require_nwb2(file: h5py.File, path: Path) -> None:
    version = text_attribute(file.id, "nwb_version") or string(file, "nwb_version")
    if not version:
        raise FileFormatError(f"{path.name} is HDF5, yet not NWB", remedy="export it from its program as NWB 2 or ABF")
    number_part = re.sub(r"^\D*", "", version)
    if number_part.startswith(("0.", "1.")):
        raise FileFormatError(
            f"{path.name} is of the old NWB 1 format", got=version, wanted="NWB 2", remedy="convert it to NWB 2"
        )


@dataclass(frozen=True, kw_only=True)
class _Content:
    """All that is taken from the open file; recordings are made of it when it is closed."""

    path: Path
    sweeps: Sequence[Sweep]
    start_s: FloatArray
    session_start: datetime | None
    comment: str
    tags: Sequence[tuple[float, str]]
    digital: Mapping[str, FloatArray]
    notes: tuple[str, ...]

    @classmethod
    def of(cls, file: h5py.File, path: Path) -> "_Content":
        electrodes: dict[Address | bytes, str] = {}
        for name, group in file.get(TABLES, {}).items():
            electrodes |= {address(group.id): name, group.name.encode(): name}
        recorded = _Folder.of(file, "acquisition", electrodes)
        sweeps = sweeps_of(file, recorded.signals, _Folder.of(file, "stimulus/presentation", electrodes).signals)
        if not sweeps:
            raise FileFormatError(
                f"{path.name} holds no intracellular recording", wanted="current- or voltage-clamp series in NWB 2"
            )
        sweeps, start_s, notes = _in_time(sweeps)
        comment = comment_of(file)
        notes += tuple(f"the file says of its times: '{each}'" for each in doubts_of_times(comment))
        used = {row.response.series.path for sweep in sweeps for row in sweep.rows}
        unused = [each.name for each in recorded.signals.values() if each.path not in used]
        if unused:
            shown = ", ".join(unused[:3]) + (", …" if len(unused) > 3 else "")
            notes += (f"{len(unused)} auxiliary series belong to no sweep and are not read: {shown}",)
        began, date_notes = session_start(file)
        return cls(
            path=path,
            sweeps=sweeps,
            start_s=start_s,
            session_start=began,
            comment=comment,
            tags=sorted(tags_of(file, recorded.annotations)),
            digital=digital_of(file),
            notes=notes + date_notes,
        )

    @property
    def source(self) -> Source:
        return Source(path=self.path, format="NWB", reader=f"ephysplast {__version__} (h5py {h5py.__version__})")

    def recordings(self) -> tuple[Recording, ...]:
        groups: dict[object, list[int]] = {}
        named = [_named(sweep) for sweep in self.sweeps]
        for place, rows in enumerate(named):
            layout = frozenset((name, clamp_of(row), row.response.series.unit) for name, row in rows.items())
            rates = frozenset(row.response.series.rate_hz for row in rows.values())
            groups.setdefault((layout, rates, self.sweeps[place].protocol), []).append(place)
        return tuple(self._recording(places, [named[place] for place in places]) for places in groups.values())

    def _recording(self, places: Sequence[int], named: Sequence[Mapping[str, Row]]) -> Recording:
        zero_s = float(self.start_s.min())
        start_s = self.start_s[list(places)] - zero_s
        notes = list(self.notes)
        channels = tuple(self._channel(name, [rows[name] for rows in named], notes) for name in named[0])
        notes += _labels([self.sweeps[place].label for place in places])
        lengths = np.array([channel.trace.lengths for channel in channels]).min(axis=0)
        return Recording(
            channels=channels,
            rate_hz=channels[0].trace.rate_hz,
            sweep_start_s=start_s,
            sweep_lengths=lengths,
            source=self.source,
            started_at=None if self.session_start is None else self.session_start + timedelta(seconds=zero_s),
            protocol=self.sweeps[places[0]].protocol,
            comment=self.comment,
            tags=tuple(
                Tag(time_s=at - zero_s, comment=said, sweep=int(np.searchsorted(start_s, at - zero_s, "right")) - 1)
                for at, said in self.tags
            ),
            digital_outputs=_by_sweep(self.digital, start_s + zero_s, lengths / channels[0].trace.rate_hz),
            notes=tuple(notes),
        )

    def _channel(self, name: str, rows: Sequence[Row], notes: list[str]) -> Channel:
        series = rows[0].response.series
        trace = NwbTrace(self.path, [row.response for row in rows])
        stimuli = [row.stimulus for row in rows if row.stimulus is not None]
        complete = len(stimuli) == len(rows) and len({each.series.unit for each in stimuli}) == 1
        if stimuli and not complete:
            notes.append(f"'{name}' has a command in {len(stimuli)} of {len(rows)} sweeps only: it is not read")
        command_unit = stimuli[0].series.unit if complete else ""
        doubt = doubt_about(
            name=name,
            unit=series.unit,
            clamp=clamp_of(rows[0]),
            samples=_glimpse(trace),
            command_unit=command_unit,
        )
        return Channel(
            name=name,
            unit=series.unit,
            clamp=clamp_of(rows[0]),
            trace=trace,
            electrode=series.electrode,
            command=NwbTrace(self.path, stimuli) if complete else None,
            command_unit=command_unit,
            doubt=doubt and doubt + _as_stored(series, trace),
        )


@dataclass(frozen=True)
class _Folder:
    """The series of ``/acquisition`` or ``/stimulus/presentation``: signals by where they lie, and annotations."""

    signals: dict[Address, Series]
    annotations: tuple[str, ...]

    @classmethod
    def of(cls, file: h5py.File, folder: str, electrodes: Mapping[Address | bytes, str]) -> "_Folder":
        signals, annotations = {}, []
        within = file.get(folder)
        for name in () if within is None else within.id:
            group = h5py.h5o.open(within.id, name)
            kind, path = kind_of(group), f"/{folder}/{name.decode()}"
            if "Clamp" in kind or (kind == "TimeSeries" and _is_plain_signal(group)):
                series = read_series(group, path=path, kind=kind, electrodes=electrodes)
                if series is not None:
                    signals[address(group)] = series
            elif kind == "AnnotationSeries":
                annotations.append(path)
        return cls(signals, tuple(annotations))


def _is_plain_signal(group: Any) -> bool:
    # Of series that are not of a patch clamp only these can be a channel, if the tables say so.
    if not (group.links.exists(b"starting_time") and group.links.exists(b"data")):
        return False
    data = h5py.Dataset(h5py.h5d.open(group, b"data"))
    return data.ndim == 1 and data.dtype.kind in "iuf"


def _in_time(sweeps: list[Sweep]) -> tuple[list[Sweep], FloatArray, tuple[str, ...]]:
    start_s = np.array([sweep.start_s for sweep in sweeps])
    keys = [
        (sweep.start_s, sweep.protocol, tuple(row.response.series.electrode for row in sweep.rows)) for sweep in sweeps
    ]
    if len(set(keys)) < len(keys):
        lengths = np.array([sweep.duration_s for sweep in sweeps])
        laid = start_s.min() + np.concatenate(([0.0], np.cumsum(lengths)[:-1]))
        return sweeps, laid, ("sweeps share their starting times in the file: they are laid end to end",)
    order = np.argsort(start_s, kind="stable")
    if np.array_equal(order, np.arange(len(sweeps))):
        return sweeps, start_s, ()
    moved = [sweeps[place] for place in order]
    return moved, start_s[order], ("the file lists its sweeps in another order than that of their starting times",)


def _named(sweep: Sweep) -> dict[str, Row]:
    """Return the rows of a sweep by channel name: the file's own, else the electrode's, made unique."""
    rows: dict[str, Row] = {}
    for place, row in enumerate(sweep.rows, start=1):
        series = row.response.series
        name = row.channel or series.electrode or f"channel {place}"
        if name in rows:
            name = f"{name} {series.unit}"
        while name in rows:
            name = f"{name}'"
        rows[name] = row
    return rows


def _glimpse(trace: NwbTrace) -> FloatArray:
    """Fetch a few short windows of three sweeps: enough to judge a range, cheap to read."""
    chosen = sorted({0, trace.n_sweeps // 2, trace.n_sweeps - 1})
    shortest = int(trace.lengths[chosen].min())
    n_samples = min(shortest, max(1, round(0.05 * trace.rate_hz)))
    starts = np.linspace(0, shortest - n_samples, 3) / trace.rate_hz
    return trace.aligned(np.tile(starts, len(chosen)), 0.0, n_samples / trace.rate_hz, np.repeat(chosen, len(starts)))


def _as_stored(series: Series, trace: NwbTrace) -> str:
    stored = _glimpse(trace) / series.factor if series.factor else np.empty(0)
    if not stored.size or series.unit not in ("mV", "pA"):
        return ""
    other = "mV and clamp=current" if series.unit == "pA" else "pA and clamp=voltage"
    return (
        f"; the numbers as stored run from {np.nanmin(stored):.4g} to {np.nanmax(stored):.4g}, so if they are "
        f"in {other[:2]} set unit={other} and scale={1.0 / series.factor:.6g}"
    )


def _labels(labels: Sequence[str]) -> list[str]:
    """Say which sweeps belong to which condition, when there are several."""
    runs = [(label, list(places)) for label, places in groupby(range(len(labels)), key=labels.__getitem__)]
    if not 1 < len(runs) <= _MOST_RUNS:
        return []
    said = (f"{places[0] + 1}-{places[-1] + 1}: {label or 'not said'}" for label, places in runs)
    return [f"conditions by sweeps: {'; '.join(said)}"]


def _by_sweep(
    digital: Mapping[str, FloatArray], start_s: FloatArray, duration_s: FloatArray
) -> tuple[DigitalOutput, ...]:
    outputs = []
    for name, onsets in digital.items():
        inside = tuple(
            onsets[(onsets >= start - 1e-9) & (onsets < start + lasts)] - start
            for start, lasts in zip(start_s, duration_s, strict=True)
        )
        if any(each.size for each in inside):
            outputs.append(DigitalOutput(name=name, onsets_s=inside))
    return tuple(outputs)
