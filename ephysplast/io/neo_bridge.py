"""The bridge to neo: recordings to blocks for those who work with neo and elephant, and blocks back."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, get_args

import numpy as np

from ephysplast import __version__
from ephysplast.errors import ChannelError, EphysplastError, near_names
from ephysplast.io._spiketrains import to_spiketrains as to_spiketrains
from ephysplast.io.plausibility import doubt_about
from ephysplast.recording import ArrayTrace, Channel, Clamp, DigitalOutput, FloatArray, Recording, Source, Tag, Trace
from ephysplast.units import electrode_unit, to_quantity

_COMMAND_OF: Final = "command_of"
_DIGITAL: Final = "digital_output"
_PLAIN_UNIT: Final = re.compile(r"[A-Za-zµμ°%]+[0-9]?[A-Za-z]*(/[A-Za-z]+)?")
_CLAMPS: Final[tuple[Clamp, ...]] = get_args(Clamp)


def to_neo(recording: Recording) -> Any:
    """Turn a recording into a `neo.Block`.

    Parameters
    ----------
    recording : Recording
        All its samples are read.

    Returns
    -------
    neo.Block
        One Segment per sweep. Each channel is an AnalogSignal with its unit and its true start; so is each command,
        named ``"<channel> command"``. Tags and digital outputs are Events at their true times, in the segment of the
        sweep that was running. Clamp, electrode and doubt are annotations of the signals.

    Notes
    -----
    A tag set between sweeps lies outside its segment's signals, so take times from the signals and not from
    ``segment.t_start``, which neo stretches to include events.

    Examples
    --------
    >>> channel = Channel(name="IN 0", unit="pA", clamp="voltage", trace=ArrayTrace([[1.0, 2.0], [3.0, 4.0]], 1e4))
    >>> recording = Recording(channels=(channel,), rate_hz=1e4, sweep_start_s=np.array([0.0, 10.0]),
    ...                       sweep_lengths=np.array([2, 2]), source=Source(path=Path(), format="memory", reader=""))
    >>> second = to_neo(recording).segments[1].analogsignals[0]
    >>> second.t_start, second.magnitude.ravel().tolist(), str(second.dimensionality)
    (array(10.) * s, [3.0, 4.0], 'pA')
    """
    import neo

    block = neo.Block(
        name=recording.protocol,
        description=recording.comment,
        file_origin=str(recording.source.path),
        rec_datetime=recording.started_at,
        notes=list(recording.notes),
    )
    for sweep in range(recording.n_sweeps):
        segment = neo.Segment(name=f"sweep {sweep + 1}", index=sweep)
        for channel in recording.channels:
            segment.analogsignals.extend(list(_signals(channel, sweep, float(recording.sweep_start_s[sweep]))))
        segment.events.extend(list(_events(recording, sweep)))
        block.segments.append(segment)
    return block


def from_neo(block: Any, *, channels: Sequence[str] | None = None, source: Source | None = None) -> Recording:
    """Turn a `neo.Block` into a recording.

    Parameters
    ----------
    block : neo.Block
        One sweep per Segment, with the same signals in each. Voltages go to mV, currents to pA.
    channels : sequence of str, optional
        Take only the signals of these names.
    source : Source, optional
        Where the block came from; by default its own file name.

    Returns
    -------
    Recording
        Samples are held in memory. The clamp is read from the annotations that `to_neo` writes; without them a block
        of only potentials is taken for current clamp, one of only currents for voltage clamp, and in any other the
        clamp is unknown. Sweeps that share their start are laid end to end, and the notes say so.

    Raises
    ------
    EphysplastError
        If the block holds no signal, or segments differ in signals or sampling rate.
    ChannelError
        If a channel asked for is absent.

    Examples
    --------
    >>> import neo, quantities as pq
    >>> signal = neo.AnalogSignal([[-0.065], [-0.064]], units="V", sampling_rate=10 * pq.kHz, name="Vm")
    >>> block = neo.Block()
    >>> block.segments.append(neo.Segment())
    >>> block.segments[0].analogsignals.append(signal)
    >>> channel = from_neo(block).channel("Vm")
    >>> channel.unit, channel.clamp, channel.trace.sweep(0).tolist()
    ('mV', 'current', [-65.0, -64.0])
    """
    where = source or _source(block)
    sweeps = [_columns(segment) for segment in block.segments]
    names = _common_names(sweeps, where.path.name or "the block", channels)
    kept = [[sweep[name] for sweep in sweeps] for name in names]
    rates = {each.rate_hz for column in kept for each in column}
    if len(rates) > 1:
        raise EphysplastError(
            f"the signals of {where.path.name or 'the block'} differ in sampling rate",
            got=", ".join(f"{rate:g} Hz" for rate in sorted(rates)),
            wanted="one rate",
            remedy="choose those of one rate with channels=[...]",
        )
    rate_hz = rates.pop()
    lengths = np.array([[len(each.samples) for each in column] for column in kept], dtype=np.int64).min(axis=0)
    own_start_s = np.array([each.start_s for each in kept[0]])
    start_s, notes = _starts(own_start_s, lengths / rate_hz)
    units = {column[0].unit for column in kept}
    return Recording(
        channels=tuple(_channel(column, sweeps, units) for column in kept),
        rate_hz=rate_hz,
        sweep_start_s=start_s,
        sweep_lengths=lengths,
        source=where,
        started_at=block.rec_datetime or None,
        protocol=block.name or "",
        comment=block.description or "",
        tags=_tags(block, start_s),
        digital_outputs=_digital(block, own_start_s),
        notes=(*block.annotations.get("notes", ()), *notes),
    )


# To neo --------------------------------------------------------------------------------------------------------------


def _signals(channel: Channel, sweep: int, start_s: float) -> Iterator[Any]:
    said = {"unit": channel.unit, "clamp": channel.clamp, "electrode": channel.electrode, "doubt": channel.doubt}
    yield _signal(channel.trace, sweep, start_s, name=channel.name, annotations=said)
    if channel.command is not None:
        said = {"unit": channel.command_unit, _COMMAND_OF: channel.name}
        yield _signal(channel.command, sweep, start_s, name=f"{channel.name} command", annotations=said)


def _signal(trace: Trace, sweep: int, start_s: float, *, name: str, annotations: Mapping[str, str]) -> Any:
    import neo
    import quantities as pq

    unit = annotations["unit"]
    try:
        samples = to_quantity(trace.sweep(sweep), unit if _PLAIN_UNIT.fullmatch(unit) else "")
    except LookupError:  # a unit that quantities does not know stays in the annotations
        samples = to_quantity(trace.sweep(sweep), "")
    return neo.AnalogSignal(
        samples, sampling_rate=trace.rate_hz * pq.Hz, t_start=start_s * pq.s, name=name, **annotations
    )


def _events(recording: Recording, sweep: int) -> Iterator[Any]:
    import neo
    import quantities as pq

    tags = [each for each in recording.tags if max(each.sweep, 0) == sweep]
    if tags:
        yield neo.Event(
            times=[each.time_s for each in tags] * pq.s, labels=[each.comment for each in tags], name="tags"
        )
    for output in recording.digital_outputs:
        onsets_s = output.onsets_s[sweep]
        if onsets_s.size:
            yield neo.Event(
                times=(recording.sweep_start_s[sweep] + onsets_s) * pq.s,
                labels=[output.name] * onsets_s.size,
                name=output.name,
                **{_DIGITAL: True},
            )


# From neo ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Column:
    """One channel of one segment."""

    name: str
    samples: FloatArray
    unit: str
    rate_hz: float
    start_s: float
    annotations: Mapping[str, Any]


def _source(block: Any) -> Source:
    return Source(path=Path(block.file_origin or ""), format="memory", reader=f"ephysplast {__version__} (neo)")


def _columns(segment: Any) -> dict[str, _Column]:
    columns: dict[str, _Column] = {}
    for signal in segment.analogsignals:
        loaded = signal.load() if hasattr(signal, "load") else signal  # a block may have been read lazily
        unit, factor = _unit(loaded)
        values = np.asarray(loaded.magnitude, dtype=np.float64) * factor
        known = loaded.array_annotations.get("channel_names")
        for place, samples in enumerate(values.reshape(len(values), -1).T):
            single = loaded.name or f"signal {len(columns) + 1}"
            name = single if values.shape[1:] in ((), (1,)) else f"{single} {place + 1}"
            name = str(known[place]) if known is not None and len(known) > place else name
            while name in columns:
                name += "'"
            columns[name] = _Column(
                name=name,
                samples=samples,
                unit=unit,
                rate_hz=float(loaded.sampling_rate.rescale("Hz").magnitude),
                start_s=float(loaded.t_start.rescale("s").magnitude),
                annotations=loaded.annotations,
            )
    return columns


def _unit(signal: Any) -> tuple[str, float]:
    written = signal.units.dimensionality.string
    unit, factor = electrode_unit(written)
    if unit in ("mV", "pA"):
        return unit, factor
    for target in ("mV", "pA"):
        try:
            return target, float(signal.units.rescale(target).magnitude)
        except ValueError:
            continue  # of another dimension
    return str(signal.annotations.get("unit", "" if written == "dimensionless" else written)), 1.0


def _common_names(sweeps: Sequence[Mapping[str, _Column]], where: str, chosen: Sequence[str] | None) -> list[str]:
    if not sweeps or not sweeps[0]:
        raise EphysplastError(f"{where} holds no analogue signal", wanted="a block with segments that have signals")
    there = [name for name, column in sweeps[0].items() if _COMMAND_OF not in column.annotations]
    if chosen is not None:
        missing = next((name for name in chosen if name not in there), None)
        if missing is not None:
            raise ChannelError(
                f"{where} has no signal '{missing}'",
                wanted=f"one of {', '.join(there)}",
                remedy=near_names(missing, there),
            )
        there = list(chosen)
    for place, sweep in enumerate(sweeps, start=1):
        absent = [name for name in there if name not in sweep or sweep[name].unit != sweeps[0][name].unit]
        if absent:
            raise EphysplastError(
                f"the segments of {where} differ in their signals",
                got=f"no {', '.join(absent)} of the first segment's unit in segment {place}",
                wanted="the same signals in each",
                remedy="choose those that all have with channels=[...], or convert parts of the block",
            )
    return there


def _channel(column: Sequence[_Column], sweeps: Sequence[Mapping[str, _Column]], units: set[str]) -> Channel:
    first = column[0]
    trace = ArrayTrace([each.samples for each in column], first.rate_hz)
    commands = [_command_of(first.name, sweep) for sweep in sweeps]
    known = [each for each in commands if each is not None]
    complete = len(known) == len(column)
    clamp = _clamp(first, units)
    command_unit = known[0].unit if complete else ""
    return Channel(
        name=first.name,
        unit=first.unit,
        clamp=clamp,
        trace=trace,
        electrode=str(first.annotations.get("electrode", "")),
        command=ArrayTrace([each.samples for each in known], known[0].rate_hz) if complete else None,
        command_unit=command_unit,
        doubt=doubt_about(
            name=first.name, unit=first.unit, clamp=clamp, samples=first.samples, command_unit=command_unit
        ),
    )


def _command_of(name: str, sweep: Mapping[str, _Column]) -> _Column | None:
    return next((each for each in sweep.values() if each.annotations.get(_COMMAND_OF) == name), None)


def _clamp(column: _Column, units: set[str]) -> Clamp:
    said = column.annotations.get("clamp")
    for each in _CLAMPS:
        if said == each:
            return each
    electrodes = units & {"mV", "pA"}
    if len(electrodes) > 1:  # V and I of one electrode: which of them is held, nothing says
        return "unknown"
    return "current" if column.unit == "mV" else "voltage" if column.unit == "pA" else "unknown"


def _starts(start_s: FloatArray, duration_s: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    if len(np.unique(start_s)) == len(start_s):
        return start_s, ()
    laid = start_s[0] + np.concatenate(([0.0], np.cumsum(duration_s)[:-1]))
    return laid, ("segments share their starting times: sweeps are laid end to end",)


def _tags(block: Any, start_s: FloatArray) -> tuple[Tag, ...]:
    said = {
        (float(at), str(label))  # readers repeat an event in every segment
        for segment in block.segments
        for event in segment.events
        if not event.annotations.get(_DIGITAL)
        for at, label in zip(event.times.rescale("s").magnitude, event.labels, strict=True)
    }
    return tuple(
        Tag(time_s=at, comment=comment, sweep=int(np.searchsorted(start_s, at, side="right")) - 1)
        for at, comment in sorted(said)
    )


def _digital(block: Any, start_s: FloatArray) -> tuple[DigitalOutput, ...]:
    onsets: dict[str, list[FloatArray]] = {}
    for sweep, segment in enumerate(block.segments):
        for event in segment.events:
            if event.annotations.get(_DIGITAL):
                row = onsets.setdefault(event.name, [np.empty(0) for _ in block.segments])
                row[sweep] = np.asarray(event.times.rescale("s").magnitude, dtype=np.float64) - start_s[sweep]
    return tuple(DigitalOutput(name=name, onsets_s=tuple(rows)) for name, rows in onsets.items())
