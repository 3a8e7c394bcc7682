"""Recordings out as NWB 2 with the icephys tables."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast import __version__
from ephysplast.errors import EphysplastError
from ephysplast.io.nwb_content import SI, Content, Stored, clean, content_of
from ephysplast.io.nwb_header import GENERIC_DESCRIPTION, METADATA_NOTE
from ephysplast.io.nwb_subject import UNKNOWN_ANIMAL, family_name_first, iso_age, latin_species, sex_letter
from ephysplast.recording import Channel, Recording, Session

_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
_RESPONSE_KIND: Final[Mapping[tuple[str, str], str]] = {
    ("current", "mV"): "CurrentClampSeries",
    ("voltage", "pA"): "VoltageClampSeries",
}
_STIMULUS_KIND: Final[Mapping[tuple[str, str], str]] = {
    ("CurrentClampSeries", "pA"): "CurrentClampStimulusSeries",
    ("VoltageClampSeries", "mV"): "VoltageClampStimulusSeries",
}
_CHUNK: Final = 32768
"""Samples per chunk: a sweep of common length is one, and a window of a long sweep costs little."""

_DESCRIBED_BY: Final = ("pre_type", "post_type", "condition", "layer", "internal", "external", "temperature", "drug")


def write_nwb(
    path: str | Path,
    recordings: Recording | Session | Sequence[Recording],
    *,
    metadata: Mapping[str, str] = _NOTHING,
    phases: Sequence[str] | None = None,
) -> Path:
    """Write recordings as one NWB 2 file with all five icephys tables.

    Each channel of each sweep becomes a response series in SI units, paired with its command where there is one. Sweeps
    are simultaneous recordings; each recording is a sequential recording (its stimulus type is the protocol) and a
    repetition; phases are experimental conditions. Tags become annotations, digital outputs a table of rising edges.

    Parameters
    ----------
    path : str or pathlib.Path
        The file to write; it appears only when it is complete, and replaces one of that name.
    recordings : Recording, Session or sequence of Recording
        What to write. Recordings are placed by their `started_at`, which is taken as UTC when it has no time zone.
    metadata : mapping of str to str, optional
        ``animal``, ``slice``, ``cell``, ``age``, ``sex``, ``species``, ``region``, ``layer``, ``pre_type``,
        ``post_type``, ``internal``, ``external``, ``temperature``, ``experimenter`` (several by semicolons),
        ``institution``, ``lab``, ``keywords`` (by commas), ``condition``, ``drug``. They go where NWB has a place for
        them, in the form it asks for, and word for word into the notes, with any other key.
    phases : sequence of str, optional
        The phase of each recording: ``"baseline"``, ``"post"``.

    Returns
    -------
    pathlib.Path
        The file.

    Raises
    ------
    EphysplastError
        If there is nothing to write, phases do not match recordings, or recordings cannot be placed on one clock.

    Notes
    -----
    Samples that lie on the steps of a 16-bit converter (as from ABF) are stored as those integers and read back to
    better than 1 % of a step (10⁻⁹ of one when they were float64). All others are stored as 32-bit floats: relative
    error below 6 × 10⁻⁸. Two writes of the same input give equal datasets; only the random object ids differ.

    Read back, recordings of equal channels, rate and protocol are one; its notes say which sweeps were which phase.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from ephysplast.io.nwb import read_nwb
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> channel = Channel(name="IN 0", unit="mV", clamp="current", trace=ArrayTrace([[-70.0, -69.5]], 1e4))
    >>> recording = Recording(channels=(channel,), rate_hz=1e4, sweep_start_s=np.zeros(1),
    ...                       sweep_lengths=np.array([2]), source=Source(path=Path(), format="memory", reader=""))
    >>> with TemporaryDirectory() as folder:
    ...     written = write_nwb(f"{folder}/cell.nwb", recording, metadata={"species": "mouse", "age": "P21"})
    ...     read_nwb(written).channel("IN 0").trace.sweep(0).tolist()
    [-70.0, -69.5]
    """
    from pynwb import NWBHDF5IO

    target = Path(path)
    content = content_of(recordings, metadata=metadata, phases=phases)
    if not target.absolute().parent.is_dir():
        raise EphysplastError(f"there is no folder '{target.absolute().parent}'", remedy="make it first")
    partial = target.with_name(f".{target.stem}.{os.getpid()}.nwb")
    try:
        with NWBHDF5IO(str(partial), mode="w") as file:
            file.write(_nwbfile(content))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target


def _nwbfile(content: Content) -> Any:
    from pynwb import NWBFile

    said = content.metadata
    comments = "\n".join(dict.fromkeys(filter(None, (clean(each.comment.strip()) for each in content.recordings))))
    described = [f"{key}: {said[key]}" for key in _DESCRIBED_BY if key in said]
    around = [f"{key}: {said[key]}" for key in ("slice", "external", "temperature") if key in said]
    file = NWBFile(
        session_description=comments or GENERIC_DESCRIPTION,
        identifier=content.identifier(),
        session_start_time=content.session_start,
        file_create_date=content.session_start,  # not today: two writes of one input are to be equal
        experimenter=_several(said.get("experimenter", ""), ";", family_name_first),
        keywords=_several(said.get("keywords", "").replace(";", ","), ",", str.strip),
        institution=said.get("institution"),
        lab=said.get("lab"),
        pharmacology=said.get("drug"),
        experiment_description="; ".join(described) or None,
        slices="; ".join(around) or None,
        notes=METADATA_NOTE + json.dumps(said, ensure_ascii=False, sort_keys=True) if said else None,
        source_script=f"ephysplast {__version__}",
        source_script_file_name="ephysplast",
        subject=_subject(said),
    )
    _add_sweeps(file, content)
    _add_events(file, content)
    return file


def _several(words: str, separator: str, form: Any) -> tuple[str, ...] | None:
    return tuple(form(each) for each in words.split(separator) if each.strip()) or None


def _subject(said: Mapping[str, str]) -> Any:
    from pynwb.file import Subject

    as_given = [f"{key}: {said[key]}" for key in ("animal", "age", "sex", "species") if key in said]
    return Subject(
        subject_id=said.get("animal", UNKNOWN_ANIMAL).replace("/", "-"),
        age=iso_age(said.get("age", "")),
        sex=sex_letter(said.get("sex", "")),
        species=latin_species(said.get("species", "")),
        description="; ".join(as_given) or "nothing is known of the animal",
    )


def _add_sweeps(file: Any, content: Content) -> None:
    table = file.get_intracellular_recordings()
    table.add_column(name="channel", description="Name of the channel")
    table.add_column(name="clamp", description="What the amplifier held: current, voltage, field or unknown")
    adder = _SeriesAdder(file, content)
    repetitions = []
    for place, recording in enumerate(content.recordings):
        together = [
            file.add_icephys_simultaneous_recording(recordings=rows) for rows in adder.rows_of_sweeps(place, recording)
        ]
        protocol = clean(recording.protocol).strip() or "N/A"
        sequence = file.add_icephys_sequential_recording(simultaneous_recordings=together, stimulus_type=protocol)
        repetitions.append(file.add_icephys_repetition(sequential_recordings=[sequence]))
    if not content.phases:
        file.add_icephys_experimental_condition(repetitions=repetitions)
        return
    conditions = file.get_icephys_experimental_conditions()
    conditions.add_column(name="phase", description="Phase of the experiment")
    for phase in dict.fromkeys(content.phases):
        members = [each for each, named in zip(repetitions, content.phases, strict=True) if named == phase]
        file.add_icephys_experimental_condition(repetitions=members, phase=phase)


class _SeriesAdder:
    """Adds series and their electrodes to the file."""

    def __init__(self, file: Any, content: Content) -> None:
        self._file, self._content = file, content
        self._electrodes: dict[str, Any] = {}
        self._n_sweeps = 0
        n_electrodes = {each.electrode or each.name for recording in content.recordings for each in recording.channels}
        self._alone = len(n_electrodes) == 1

    def rows_of_sweeps(self, place: int, recording: Recording) -> Iterator[list[int]]:
        """Add a recording, one sweep at a time, and yield the rows of each."""
        for sweep, begin_s in enumerate(self._content.begins_s[place].tolist()):
            yield [
                self._row(channel, pair, sweep, begin_s, clean(recording.protocol).strip())
                for channel, pair in zip(recording.channels, self._content.signals[place], strict=True)
            ]
            self._n_sweeps += 1

    def _row(
        self, channel: Channel, pair: tuple[Stored, Stored | None], sweep: int, begin_s: float, protocol: str
    ) -> int:
        name = f"sweep_{self._n_sweeps:05d}_{_safe(channel.name)}"
        while name in self._file.acquisition:
            name += "_"
        kind = _RESPONSE_KIND.get(
            (channel.clamp, channel.unit), "PatchClampSeries" if channel.unit in SI else "TimeSeries"
        )
        about = f"of channel '{clean(channel.name)}' in sweep {sweep + 1}" + (f" of {protocol}" if protocol else "")
        common = {
            "electrode": self._electrode(channel),
            "starting_time": begin_s,
            "stimulus_description": protocol or "N/A",
            "sweep_number": np.uint64(self._n_sweeps),
        }
        stored, commanded = pair
        response = _series(
            kind,
            stored,
            {"name": name, "data": _compressed(stored.sweeps[sweep]), "description": f"Response {about}"}
            | {"rate": channel.trace.rate_hz}
            | common,
        )
        stimulus = None
        if commanded is not None and channel.command is not None:
            stimulus = _series(
                _STIMULUS_KIND.get((kind, channel.command_unit), "PatchClampSeries"),
                commanded,
                {"name": f"{name}_command", "description": f"Command {about}", "rate": channel.command.rate_hz}
                | {"data": _compressed(commanded.sweeps[sweep])}
                | common,
            )
        names = {"channel": clean(channel.name), "clamp": channel.clamp}
        return int(
            self._file.add_intracellular_recording(
                electrode=common["electrode"], response=response, stimulus=stimulus, **names
            )
        )

    def _electrode(self, channel: Channel) -> Any:
        exact = channel.electrode or channel.name
        if exact not in self._electrodes:
            said = self._content.metadata
            name = _safe(exact)
            while name in self._file.icephys_electrodes:
                name += "_"
            if "amplifier" not in self._file.devices:
                self._file.create_device(name="amplifier", description="The amplifier; its type is not known")
            inside = f"; internal solution: {said['internal']}" if "internal" in said else ""
            cell = said.get("cell", "")
            self._electrodes[exact] = self._file.create_icephys_electrode(
                name=name,
                description=f"Electrode of channel '{clean(channel.name)}'{inside}",
                device=self._file.devices["amplifier"],
                cell_id=(cell if self._alone else f"{cell} {name}".strip()) or name,
                slice=said.get("slice"),
                location=said.get("region"),
            )
        return self._electrodes[exact]


def _series(kind: str, stored: Stored, arguments: dict[str, Any]) -> Any:
    import pynwb

    given = arguments | {"conversion": stored.conversion, "offset": stored.offset}
    if kind == "TimeSeries":
        for name in ("electrode", "sweep_number", "stimulus_description"):
            del given[name]
        return pynwb.TimeSeries(unit=stored.unit, **given)
    if kind == "PatchClampSeries":
        given["unit"] = stored.unit
    return getattr(pynwb.icephys, kind)(**given)


def _compressed(values: NDArray[Any]) -> Any:
    from hdmf.backends.hdf5 import H5DataIO

    chunks = (min(len(values), _CHUNK),)
    return H5DataIO(values, compression="gzip", compression_opts=1, shuffle=True, chunks=chunks)


def _safe(name: str) -> str:
    return clean(name).replace("/", "_").replace(":", "_").strip(" .") or "channel"


def _add_events(file: Any, content: Content) -> None:
    from hdmf.common import DynamicTable

    tags = content.tags()
    if tags:
        _add_tags(file, [at for at, _ in tags], [said for _, said in tags])
    edges = content.edges()
    if edges:
        table = DynamicTable(name="digital_outputs", description="When digital outputs went high")
        table.add_column(name="onset_time", description="Rising edge in s after the start of the session")
        table.add_column(name="line", description="Name of the digital output")
        for at, line in edges:
            table.add_row(onset_time=at, line=line)
        file.add_stimulus(table)


def _add_tags(file: Any, times: list[float], comments: list[str]) -> None:
    about = "Comments that the experimenter set while recording"
    if hasattr(file, "create_events_table"):
        table = file.create_events_table(name="tags", description=about)
        for at, comment in zip(times, comments, strict=True):
            table.add_event(timestamp=at, annotation=comment)
        return
    from pynwb.misc import AnnotationSeries  # where the installed pynwb is older than tables of events

    file.add_acquisition(AnnotationSeries(name="tags", data=comments, timestamps=times, description=about))
