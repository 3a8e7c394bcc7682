"""Headers of ABF 2 files: a map of sections; pyABF parses those of numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from pyabf.abf2.adcSection import ADCSection
from pyabf.abf2.dacSection import DACSection
from pyabf.abf2.epochPerDacSection import EpochPerDACSection
from pyabf.abf2.headerV2 import HeaderV2
from pyabf.abf2.protocolSection import ProtocolSection

from ephysplast.io.abf_commands import CommandTable
from ephysplast.io.abf_header import (
    BLOCK,
    SYNCH,
    TAG,
    AbfHeader,
    EpochColumns,
    Input,
    OutputFields,
    clean,
    digital_table,
    output_from,
    protocol_of,
    sample_type,
    start_of,
    table_at,
    truncated,
    unpack,
)

_GAP_FREE: Final = 3
_TEXTS_BEGIN: Final = 44

# Where the header says where each section is, and the bytes that one entry must have at least.
_MAP: Final[Mapping[str, tuple[int, int]]] = {
    "protocol": (76, 208),
    "channels": (92, 82),
    "outputs": (108, 132),
    "digital outputs": (124, 6),
    "epochs": (156, 30),
    "user lists": (172, 12),
    "texts": (220, _TEXTS_BEGIN),
    "samples": (236, 2),
    "tags": (252, TAG.itemsize),
    "sweep times": (316, SYNCH.itemsize),
}


@dataclass(frozen=True, kw_only=True)
class _Section:
    """Where a section begins, the bytes of one entry, and how many there are."""

    start: int
    entry_bytes: int
    n_entries: int


def read_abf2_header(file: BinaryIO, path: Path, size: int) -> AbfHeader:
    """Read the header of an ABF 2 file that is `size` bytes long."""
    sections = _sections(file, path, size)
    texts = _texts(file, sections["texts"])
    header: Any = HeaderV2(file)
    protocol: Any = ProtocolSection(file)
    sample_us = protocol.fADCSequenceInterval
    inputs = _inputs(file, protocol, texts, is_integer=header.nDataFormat == 0)
    fields = _output_fields(file, sections, protocol, texts)
    digital: CommandTable | None = None
    digital_notes: tuple[str, ...] = ()
    if protocol.nDigitalEnable and protocol.nActiveDACChannel in fields:
        alternates = bool(protocol.nAlternateDigitalOutputState)
        digital, digital_notes = digital_table(fields[protocol.nActiveDACChannel], alternates=alternates)
    started_at, date_notes = start_of(header.uFileStartDate, header.uFileStartTimeMS / 1e3)
    tags, synch = sections["tags"], sections["sweep times"]
    return AbfHeader(
        version="ABF2",
        gap_free=protocol.nOperationMode == _GAP_FREE,
        rate_hz=1e6 / sample_us,
        inputs=inputs,
        outputs=tuple(output_from(each) for each in fields.values()),
        digital=digital,
        data_start=sections["samples"].start,
        dtype=sample_type(header.nDataFormat),
        n_samples=sections["samples"].n_entries,
        n_episodes=header.lActualEpisodes,
        episode_interval_s=protocol.fEpisodeStartToStart,
        synch=table_at(file, synch.start, kind=SYNCH, n_entries=synch.n_entries),
        tags=table_at(file, tags.start, kind=TAG, n_entries=tags.n_entries),
        tick_us=protocol.fSynchTimeUnit or sample_us / max(len(inputs), 1),
        started_at=started_at,
        protocol=protocol_of(_text(texts, header.uProtocolPathIndex)),
        comment=_text(texts, protocol.lFileCommentIndex),
        notes=(*date_notes, *digital_notes),
    )


def _sections(file: BinaryIO, path: Path, size: int) -> dict[str, _Section]:
    if size < BLOCK:
        raise truncated(path, f"{size} bytes, less than a header")
    sections = {}
    for what, (at, _) in _MAP.items():
        block, entry_bytes, n_entries = (int(each) for each in unpack(file, at, "IIq"))
        sections[what] = _Section(start=block * BLOCK, entry_bytes=entry_bytes, n_entries=n_entries)
    samples = sections["samples"]
    there = max(size - samples.start, 0) // max(samples.entry_bytes, 1)
    if there < samples.n_entries:
        raise truncated(path, f"{samples.n_entries - there} of {samples.n_entries} samples are missing")
    for what, section in sections.items():
        # Of the texts, the entries are texts and lie all within the bytes of one entry.
        n_bytes = section.entry_bytes * (1 if what == "texts" else section.n_entries)
        if section.n_entries and section.entry_bytes < _MAP[what][1]:
            raise ValueError(f"{what} of {section.entry_bytes} bytes")
        if section.n_entries < 0 or (section.n_entries and section.start + n_bytes > size):
            raise truncated(path, f"the {what} lie beyond its end")
    return sections


def _texts(file: BinaryIO, section: _Section) -> list[str]:
    if not section.n_entries:
        return []
    file.seek(section.start + _TEXTS_BEGIN)
    return [clean(each) for each in file.read(section.entry_bytes - _TEXTS_BEGIN).split(b"\0")]


def _text(texts: list[str], place: int) -> str:
    return texts[place - 1] if 0 < place <= len(texts) else ""


def _inputs(file: BinaryIO, protocol: Any, texts: list[str], *, is_integer: bool) -> tuple[Input, ...]:
    adc: Any = ADCSection(file)
    inputs = []
    for i, number in enumerate(adc.nADCNum):
        gain, offset = 1.0, 0.0
        if is_integer:
            gain = protocol.fADCRange / protocol.lADCResolution / adc.fInstrumentScaleFactor[i]
            gain /= adc.fSignalGain[i] * adc.fADCProgrammableGain[i]
            if adc.nTelegraphEnable[i] == 1:
                gain /= adc.fTelegraphAdditGain[i]
            offset = adc.fInstrumentOffset[i] - adc.fSignalOffset[i]
        name = _text(texts, adc.lADCChannelNameIndex[i]) or f"IN {number}"
        inputs.append(Input(name=name, unit=_text(texts, adc.lADCUnitsIndex[i]), gain=gain, offset=offset))
    return tuple(inputs)


def _output_fields(
    file: BinaryIO, sections: Mapping[str, _Section], protocol: Any, texts: list[str]
) -> dict[int, OutputFields]:
    dac: Any = DACSection(file)
    lines = _lines(file, sections["digital outputs"]) if protocol.nDigitalEnable else {}
    epochs = _epochs(file, lines, active=protocol.nActiveDACChannel)
    lists = _user_lists(file, sections["user lists"], texts)
    parities: Mapping[int, Literal[0, 1]] = {0: 0, 1: 1} if protocol.nAlternateDACOutputState else {}
    return {
        number: OutputFields(
            name=_text(texts, dac.lDACChannelNameIndex[i]) or f"DAC {number}",
            unit=_text(texts, dac.lDACChannelUnitsIndex[i]),
            holding=dac.fDACHoldingLevel[i],
            source=dac.nWaveformSource[i] if dac.nWaveformEnable[i] else 0,
            epochs=epochs.get(number, {}),
            stays=bool(dac.nInterEpisodeLevel[i]),
            user_list=lists.get(number),
            stimulus_file=_text(texts, dac.lDACFilePathIndex[i]),
            conditioning=bool(dac.nConditEnable[i]),
            alternates=parities.get(number),
        )
        for i, number in enumerate(dac.nDACNum)
    }


def _lines(file: BinaryIO, section: _Section) -> dict[int, tuple[int, int]]:
    lines = {}
    for i in range(section.n_entries):
        number, high, train = (int(each) for each in unpack(file, section.start + i * section.entry_bytes, "hhh"))
        lines[number] = high, train
    return lines


def _epochs(file: BinaryIO, lines: Mapping[int, tuple[int, int]], *, active: int) -> dict[int, dict[int, EpochColumns]]:
    table: Any = EpochPerDACSection(file)
    epochs: dict[int, dict[int, EpochColumns]] = {}
    for i, (output, number) in enumerate(zip(table.nDACNum, table.nEpochNum, strict=True)):
        epochs.setdefault(output, {})[number] = (
            table.nEpochType[i],
            table.fEpochInitLevel[i],
            table.fEpochLevelInc[i],
            table.lEpochInitDuration[i],
            table.lEpochDurationInc[i],
            table.lEpochPulsePeriod[i],
            table.lEpochPulseWidth[i],
            *(lines.get(number, (0, 0)) if output == active else (0, 0)),
        )
    return epochs


def _user_lists(file: BinaryIO, section: _Section, texts: list[str]) -> dict[int, tuple[int, str, bool]]:
    lists = {}
    for i in range(section.n_entries):
        start = section.start + i * section.entry_bytes
        number, _, varied, repeat, place = (int(each) for each in unpack(file, start, "4hi"))
        lists[number] = varied, _text(texts, place), bool(repeat)
    return lists
