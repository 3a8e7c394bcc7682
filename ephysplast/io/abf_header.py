"""What an ABF header of either version says, in one shape, and what reading both has in common."""

import re
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path, PureWindowsPath
from typing import BinaryIO, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import FileFormatError
from ephysplast.io.abf_commands import EPOCH_CODES, AbfEpoch, CommandTable, UserList

BLOCK: Final = 512
"""Sections begin at whole blocks of so many bytes."""

SYNCH: Final = np.dtype([("start", "<i4"), ("length", "<i4")])
TAG: Final = np.dtype([("time", "<i4"), ("comment", "S56"), ("type", "<i2"), ("index", "<i2")])

_ENCODING: Final = "cp1252"
_FIRST_YEAR, _LAST_YEAR = 1983, 2100
_UNBELIEVABLE_LEVEL: Final = 1e6
_KINDS: Final = {code: kind for kind, code in EPOCH_CODES.items()}
_EPOCHS_IN_LIST: Final = 10

_Varied: TypeAlias = Literal["level", "n_samples", "period_samples", "width_samples"]
_LISTED: Final[tuple[tuple[int, _Varied], ...]] = (
    (51, "width_samples"),
    (41, "period_samples"),
    (31, "n_samples"),
    (21, "level"),
)
"""From which number on a user list varies which parameter of the epochs."""

_FIRST_DIGITAL_LISTED: Final = 11

EpochColumns: TypeAlias = tuple[int, float, float, int, int, int, int, int, int]
"""Type, level, its delta, duration, its delta, period, width, digital bits, digital train bits."""


@dataclass(frozen=True, kw_only=True)
class Input:
    """One recorded channel; `gain` and `offset` turn the stored numbers into `unit`."""

    name: str
    unit: str
    gain: float
    offset: float


@dataclass(frozen=True, kw_only=True)
class Output:
    """One analogue output; `table` is None when the file does not say what it did, and `note` says why."""

    unit: str
    table: CommandTable | None
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class OutputFields:
    """What the header has of one analogue output, as it has it.

    Attributes
    ----------
    source : int
        0 for none, 1 for the epoch table, 2 for a stimulus file.
    epochs : mapping of int to EpochColumns
        By the epoch's number.
    user_list : tuple of int, str and bool, optional
        What it varies, its text, and whether it begins again.
    """

    name: str
    unit: str
    holding: float
    source: int = 0
    epochs: Mapping[int, EpochColumns] = field(default_factory=dict)
    stays: bool = False
    user_list: tuple[int, str, bool] | None = None
    stimulus_file: str = ""
    conditioning: bool = False
    alternates: Literal[0, 1] | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class AbfHeader:
    """What is needed of an ABF header.

    Times in `synch` and `tags` are in ticks of `tick_us`; lengths in `synch` are samples of all channels together.
    """

    version: Literal["ABF1", "ABF2"]
    gap_free: bool
    rate_hz: float
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    digital: CommandTable | None
    data_start: int
    dtype: "np.dtype[np.int16] | np.dtype[np.float32]"
    n_samples: int
    n_episodes: int
    episode_interval_s: float
    synch: "NDArray[np.void]"
    tags: "NDArray[np.void]"
    tick_us: float
    started_at: datetime | None
    protocol: str
    comment: str
    notes: tuple[str, ...] = ()


def truncated(path: Path, got: str) -> FileFormatError:
    """Return the error for a file that ends too early."""
    remedy = "copy the file again from where it was recorded"
    return FileFormatError(f"{path.name} is truncated", got=got, remedy=remedy)


def unpack(file: BinaryIO, at: int, layout: str) -> tuple[float, ...]:
    """Read little-endian numbers at a byte of the file; struct.error when it ends before."""
    file.seek(at)
    return struct.unpack(f"<{layout}", file.read(struct.calcsize(f"<{layout}")))


def table_at(file: BinaryIO, at: int, *, kind: np.dtype[np.void], n_entries: int) -> NDArray[np.void]:
    """Read a table of records."""
    file.seek(at)
    return np.frombuffer(file.read(kind.itemsize * n_entries), dtype=kind)


def clean(raw: bytes) -> str:
    """Return a text without what follows its end, its padding and characters that cannot be shown."""
    text = raw.split(b"\0", 1)[0].decode(_ENCODING, errors="replace")
    return "".join(each for each in text if each.isprintable()).strip()


def sample_type(data_format: int) -> "np.dtype[np.int16] | np.dtype[np.float32]":
    """Return how samples are stored; KeyError for an unknown format."""
    kinds: dict[int, np.dtype[np.int16] | np.dtype[np.float32]] = {0: np.dtype("<i2"), 1: np.dtype("<f4")}
    return kinds[data_format]


def start_of(date: int, seconds: float) -> tuple[datetime | None, tuple[str, ...]]:
    """Return when the recording began, from the date as a number (20240531); None and a note when that cannot be."""
    if 0 < date < 1_000_000:  # years of two digits, in old files
        date += 20_000_000 if date < 800_000 else 19_000_000
    try:
        day = datetime(date // 10_000, date // 100 % 100, date % 100)
    except ValueError:
        day = None
    if day is None or not _FIRST_YEAR <= day.year <= _LAST_YEAR:
        return None, (f"the header's date ({date}) cannot be true",)
    return day + timedelta(seconds=seconds), ()


def protocol_of(path: str) -> str:
    """Return a protocol's name from the path that the header has."""
    return PureWindowsPath(path).stem if path.lower().endswith(".pro") else ""


def output_from(fields: OutputFields) -> Output:
    """Say what an analogue output did, as far as the header tells."""
    believable = np.isfinite(fields.holding) and abs(fields.holding) < _UNBELIEVABLE_LEVEL
    why = "" if believable else f"the holding level of '{fields.name}' cannot be true"
    if fields.source == 2:
        name = PureWindowsPath(fields.stimulus_file).name or "a file"
        why = f"the command '{fields.name}' came from the stimulus file {name}, which is not read"
    elif fields.source not in (0, 1):
        why = f"the command '{fields.name}' is of a kind that is not known"
    if why:
        return Output(unit=fields.unit, table=None, note=why)
    if fields.source == 0:
        return Output(unit=fields.unit, table=CommandTable(holding=fields.holding))
    try:
        table = _command_table(fields)
    except ValueError as error:
        return Output(unit=fields.unit, table=None, note=f"the command '{fields.name}' is not known: {error}")
    return Output(unit=fields.unit, table=table)


def digital_table(fields: OutputFields, *, alternates: bool) -> tuple[CommandTable | None, tuple[str, ...]]:
    """Return the epoch table that the digital outputs follow, whether or not its analogue command was enabled."""
    if not any(each[7] or each[8] for each in fields.epochs.values()):
        return None, ()
    varied = fields.user_list[0] if fields.user_list else 0
    try:
        if alternates or _FIRST_DIGITAL_LISTED <= varied < _LISTED[-1][0]:
            raise ValueError("they change from sweep to sweep by a list, or alternate")
        return _command_table(replace(fields, conditioning=False, alternates=None)), ()
    except ValueError as error:
        return None, (f"the digital outputs are not known: {error}",)


def _command_table(fields: OutputFields) -> CommandTable:
    if fields.conditioning:
        raise ValueError("a conditioning train went before every sweep")
    numbers = [number for number in sorted(fields.epochs) if fields.epochs[number][0] != 0]
    epochs = tuple(_epoch(fields.epochs[number]) for number in numbers)
    listed = None if fields.user_list is None else _user_list(*fields.user_list, numbers=numbers)
    return CommandTable(
        holding=fields.holding, epochs=epochs, stays=fields.stays, user_list=listed, alternates=fields.alternates
    )


def _epoch(columns: EpochColumns) -> AbfEpoch:
    code, level, delta_level, n_samples, delta_samples, period, width, digital, digital_train = columns
    if code not in _KINDS:
        raise ValueError(f"it has an epoch of a kind that cannot be drawn ({code})")
    return AbfEpoch(
        _KINDS[code],
        n_samples,
        level,
        delta_level=delta_level,
        delta_samples=delta_samples,
        period_samples=period,
        width_samples=width,
        digital=digital & 0xFFFF,
        digital_train=digital_train & 0xFFFF,
    )


def _user_list(varied: int, text: str, repeat: bool, *, numbers: Sequence[int]) -> UserList | None:
    first, parameter = next(((first, name) for first, name in _LISTED if varied >= first), (0, None))
    if parameter is None:
        if varied == 8:
            raise ValueError("its list varies the holding level")
        return None  # digital lines, intervals and conditioning trains leave the command as it is
    number = varied - first
    if number >= _EPOCHS_IN_LIST or number not in numbers:
        return None
    values = tuple(float(each) for each in re.split(r"[,\s]+", text.strip(" ,")) if each)
    if not values:
        raise ValueError("its list of values is empty")
    return UserList(epoch=numbers.index(number), parameter=parameter, values=values, repeat=repeat)
