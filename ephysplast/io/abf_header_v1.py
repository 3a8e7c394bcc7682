"""Headers of ABF 1 files: fields at fixed places, most of them parsed by pyABF."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal

from pyabf.abf1.headerV1 import HeaderV1

from ephysplast.errors import FileFormatError
from ephysplast.io.abf_commands import CommandTable
from ephysplast.io.abf_header import (
    BLOCK,
    SYNCH,
    TAG,
    AbfHeader,
    Input,
    Output,
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

_LONG_SINCE: Final = 1.6
"""Headers of earlier versions are short: where later ones have epochs and telegraphs, they have samples."""

_SHORT_BYTES: Final = 2048
_LONG_BYTES: Final = 5806
_N_INPUTS: Final = 16
_N_OUTPUTS: Final = 4
_N_WITH_EPOCHS: Final = 2
_N_EPOCHS: Final = 10
_GAP_FREE: Final = 3


def read_abf1_header(file: BinaryIO, path: Path, size: int) -> AbfHeader:
    """Read the header of an ABF 1 file that is `size` bytes long."""
    is_long = size >= BLOCK and unpack(file, 4, "f")[0] >= _LONG_SINCE
    if size < (_LONG_BYTES if is_long else _SHORT_BYTES):
        raise truncated(path, f"{size} bytes, less than a header")
    _refuse_two_rates(file, path)
    _refuse_cut_tables(file, path, size)
    header: Any = HeaderV1(file)
    n_inputs, sample_us = header.nADCNumChannels, header.fADCSampleInterval
    if not 0 < n_inputs <= _N_INPUTS:
        raise ValueError(f"{n_inputs} channels")
    fields = [_output_fields(file, header, i, is_long=is_long) for i in range(_N_OUTPUTS)]
    digital: CommandTable | None = None
    digital_notes: tuple[str, ...] = ()
    active = header.nActiveDACChannel
    if is_long and header.nDigitalEnable and 0 <= active < _N_WITH_EPOCHS:
        digital, digital_notes = digital_table(fields[active], alternates=bool(unpack(file, 5918, "h")[0]))
    started_at, date_notes = start_of(header.lFileStartDate, header.lFileStartTime + header.nFileStartMillisecs / 1e3)
    return AbfHeader(
        version="ABF1",
        gap_free=header.nOperationMode == _GAP_FREE,
        rate_hz=1e6 / (sample_us * n_inputs),
        inputs=_inputs(file, header, header.nADCSamplingSeq[:n_inputs], with_telegraphs=is_long),
        outputs=tuple(_output(each, is_long=is_long) for each in fields),
        digital=digital,
        data_start=header.lDataSectionPtr * BLOCK + header.nNumPointsIgnored * (4 if header.nDataFormat else 2),
        dtype=sample_type(header.nDataFormat),
        n_samples=header.lActualAcqLength,
        n_episodes=header.lActualEpisodes,
        episode_interval_s=unpack(file, 178, "f")[0],
        synch=table_at(file, header.lSynchArrayPtr * BLOCK, kind=SYNCH, n_entries=header.lSynchArraySize),
        tags=table_at(file, header.lTagSectionPtr * BLOCK, kind=TAG, n_entries=header.lNumTagEntries),
        tick_us=header.fSynchTimeUnit or sample_us,
        started_at=started_at,
        protocol=protocol_of(_text(file, 4898, 256)) if is_long else "",
        comment=(_text(file, 5154, 128) if is_long else "") or _text(file, 310, 56),
        notes=(*date_notes, *digital_notes),
    )


def _text(file: BinaryIO, at: int, n_bytes: int) -> str:
    file.seek(at)
    return clean(file.read(n_bytes))


def _refuse_two_rates(file: BinaryIO, path: Path) -> None:
    second_us, change = (*unpack(file, 126, "f"), *unpack(file, 194, "i"))
    if second_us > 0.0 and change > 0:
        raise FileFormatError(
            f"{path.name} was sampled at two rates", wanted="one rate", remedy="resample it to one rate in Clampfit"
        )


def _refuse_cut_tables(file: BinaryIO, path: Path, size: int) -> None:
    (data_at, tags_at, n_tags), (synch_at, n_synch) = unpack(file, 40, "iii"), unpack(file, 92, "ii")
    (n_samples,), (is_float,) = unpack(file, 10, "i"), unpack(file, 100, "h")
    there = max(size - data_at * BLOCK, 0) // (4 if is_float else 2)
    if n_samples > there:
        raise truncated(path, f"{n_samples - there:.0f} of {n_samples:.0f} samples are missing")
    for what, at, n_entries, kind in (("tags", tags_at, n_tags, TAG), ("sweep times", synch_at, n_synch, SYNCH)):
        if n_entries < 0 or (n_entries and at * BLOCK + n_entries * kind.itemsize > size):
            raise truncated(path, f"the {what} lie beyond its end")


def _inputs(file: BinaryIO, header: Any, order: Sequence[int], *, with_telegraphs: bool) -> tuple[Input, ...]:
    inputs = []
    for number in order:
        if not 0 <= number < _N_INPUTS:
            raise ValueError(f"there is no input {number}")
        gain, offset = 1.0, 0.0
        if header.nDataFormat == 0:
            gain = header.fADCRange / header.lADCResolution / header.fInstrumentScaleFactor[number]
            gain /= header.fSignalGain[number] * header.fADCProgrammableGain[number]
            if with_telegraphs and header.nTelegraphEnable[number] == 1:
                gain /= header.fTelegraphAdditGain[number]
            offset = header.fInstrumentOffset[number] - header.fSignalOffset[number]
        name = _text(file, 442 + 10 * number, 10) or f"IN {number}"
        inputs.append(Input(name=name, unit=_text(file, 602 + 8 * number, 8), gain=gain, offset=offset))
    return tuple(inputs)


def _output(fields: OutputFields, *, is_long: bool) -> Output:
    if is_long:
        return output_from(fields)
    return Output(unit=fields.unit, table=None, note="files as old as this one do not say what was commanded")


def _output_fields(file: BinaryIO, header: Any, number: int, *, is_long: bool) -> OutputFields:
    # pyABF takes the first epoch's level for the holding level.
    (holding,) = unpack(file, 1394 + 4 * number, "f")
    name = _text(file, 1306 + 10 * number, 10) or f"DAC {number}"
    unit = _text(file, 1346 + 8 * number, 8)
    if not is_long or number >= _N_WITH_EPOCHS:
        return OutputFields(name=name, unit=unit, holding=holding)
    mine = slice(_N_EPOCHS * number, _N_EPOCHS * (number + 1))
    drives_lines = bool(header.nDigitalEnable) and header.nActiveDACChannel == number
    columns = zip(
        header.nEpochType[mine],
        header.fEpochInitLevel[mine],
        header.fEpochLevelInc[mine],
        header.lEpochInitDuration[mine],
        header.lEpochDurationInc[mine],
        unpack(file, 2136 + 40 * number, "10i"),
        unpack(file, 2216 + 40 * number, "10i"),
        header.nDigitalValue if drives_lines else [0] * _N_EPOCHS,
        unpack(file, 2668, "10h") if drives_lines else [0] * _N_EPOCHS,
        strict=True,
    )
    enabled, varied, repeat = (unpack(file, at + 2 * number, "h")[0] for at in (3360, 3368, 4400))
    parity: Literal[0, 1] = 0 if number == 0 else 1
    return OutputFields(
        name=name,
        unit=unit,
        holding=holding,
        source=header.nWaveformSource[number] if header.nWaveformEnable[number] else 0,
        epochs=dict(enumerate(columns)),
        stays=bool(header.nInterEpisodeLevel[number]),
        user_list=(int(varied), _text(file, 3376 + 256 * number, 256), bool(repeat)) if enabled else None,
        stimulus_file=_text(file, 2736 + 256 * number, 256),
        conditioning=bool(unpack(file, 3260 + 2 * number, "h")[0]),
        alternates=parity if unpack(file, 5876, "h")[0] else None,
    )
