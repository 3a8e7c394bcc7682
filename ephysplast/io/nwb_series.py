"""One series of an NWB file: what it says about itself, and its samples when they are asked for."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, Final, TypeAlias, final

import h5py
import numpy as np

from ephysplast.errors import FileFormatError
from ephysplast.recording import FloatArray, IntArray, Trace
from ephysplast.units import electrode_unit

Address: TypeAlias = tuple[int, int]
"""Where an object lies: the number that HDF5 gives its file, and its place in it."""

_DAMAGE: Final = (OSError, LookupError, RuntimeError, ValueError, TypeError)
"""What h5py raises when bytes are missing or are not what their headers promise."""

_VARIABLE_STRING: Final = h5py.string_dtype()
_VARIABLE_STRING_BYTES: Final = 16
_EIGHT_BYTES: Final = np.full(8, np.nan)
"""Room for all the numbers that eight bytes can hold."""

_LATEST_S: Final = 1e10
"""Three centuries, so that seconds since 1970 pass."""

_UNIT_OF_KIND: Final = {
    "CurrentClampSeries": "volts",
    "VoltageClampSeries": "amperes",
    "IZeroClampSeries": "volts",
    "CurrentClampStimulusSeries": "amperes",
    "VoltageClampStimulusSeries": "volts",
}
_UNIT_WORDS: Final = {"volt": "V", "millivolt": "mV", "ampere": "A", "amp": "A", "nanoampere": "nA", "picoampere": "pA"}


@dataclass(frozen=True, kw_only=True)
class Series:
    """One response or stimulus as the file describes it.

    Attributes
    ----------
    path : str
        Where it lies in the file.
    kind : str
        Its ``neurodata_type``.
    electrode : str
        Name of its electrode; empty when the file gives none.
    data : Address
        Where its samples lie; two series may share them.
    n_samples : int
        Number of samples.
    rate_hz, start_s : float
        Sampling rate, and the time of the first sample after the start of the session.
    unit : str
        ``"mV"``, ``"pA"`` or the file's own unit.
    factor, offset : float
        Samples × factor + offset is in `unit`.
    description : str
        Its ``stimulus_description``.
    """

    path: str
    kind: str
    electrode: str
    data: Address
    n_samples: int
    rate_hz: float
    start_s: float
    unit: str
    factor: float
    offset: float
    description: str

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Cut:
    """The samples of one sweep: a whole series, or the part of it that the icephys tables name."""

    series: Series
    first: int
    count: int

    @property
    def start_s(self) -> float:
        """Time of the first sample after the start of the session."""
        return self.series.start_s + self.first / self.series.rate_hz

    @property
    def duration_s(self) -> float:
        """Length in s."""
        return self.count / self.series.rate_hz


@final
class NwbTrace(Trace):
    """One channel of an NWB file, one cut of a dataset per sweep.

    The file is opened for each fetch and closed after it (0.1 ms). So a trace holds no handle: it pickles by path, and
    between fetches the file can be moved, replaced or written to, on Windows too.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    cuts : sequence of Cut
        The samples of each sweep; all at one rate.
    """

    def __init__(self, path: Path, cuts: Sequence[Cut]) -> None:
        self._path = path.resolve()
        self._datasets = tuple(
            (f"{cut.series.path}/data".encode(), cut.series.factor, cut.series.offset) for cut in cuts
        )
        self._first = np.array([cut.first for cut in cuts], dtype=np.int64)
        self.rate_hz = cuts[0].series.rate_hz
        self.lengths = np.array([cut.count for cut in cuts], dtype=np.int64)
        self.same_every_sweep = len({(cut.series.data, cut.first, cut.count) for cut in cuts}) == 1

    def _fetch(self, first: IntArray, n_samples: int, sweeps: IntArray) -> FloatArray:
        rows = np.empty((len(sweeps), n_samples))
        if not rows.size:
            return rows
        if self.same_every_sweep and len(sweeps) > 1 and (first == first[0]).all():
            rows[:] = self._fetch(first[:1], n_samples, sweeps[:1])
            return rows
        memory = h5py.h5s.create_simple((n_samples,))
        samples: Any = None
        opened = b""
        with open_hdf5(self._path) as file:
            for row, sweep, start in zip(rows, sweeps, first + self._first[sweeps], strict=True):
                name, factor, offset = self._datasets[sweep]
                if name != opened:  # else the chunk that was unpacked last may serve again
                    samples, opened = h5py.h5d.open(file.id, name), name
                    space = samples.get_space()
                beyond = (0,) * (space.get_simple_extent_ndims() - 1)  # some files keep a column, [sample, 1]
                space.select_hyperslab((int(start), *beyond), (n_samples, *(1 for _ in beyond)))
                samples.read(memory, space, row, h5py.h5t.NATIVE_DOUBLE)
                row *= factor
                if offset:
                    row += offset
        return rows


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open a file for reading and say in one sentence what is wrong with it.

    Raises
    ------
    FileFormatError
        If it does not exist, is not HDF5, is cut short, or breaks while it is read.
    """
    if not path.is_file():
        raise FileFormatError(f"there is no file '{path}'", remedy="check the name and the folder")
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        raise _complaint(path, error) from error


def _complaint(path: Path, error: BaseException) -> FileFormatError:
    said = " ".join(str(error).split())
    if "truncated" in said:
        there, whole = (re.search(rf"\b{word} = (\d+)", said) for word in ("eof", "stored_eof"))
        return FileFormatError(
            f"{path.name} is cut short",
            got=f"{there[1]} bytes" if there else "",
            wanted=f"{whole[1]} bytes" if whole else "",
            remedy="copy it again from where it was",
        )
    if "signature not found" in said:
        return FileFormatError(f"{path.name} is not an HDF5 file, so it is not NWB", remedy="check which file it is")
    return FileFormatError(
        f"{path.name} cannot be read", got=said or type(error).__name__, remedy="check whether it is damaged"
    )


def text(value: Any) -> str:
    """Return a string however the file keeps it: bytes, str, an array of one, or nothing.

    Examples
    --------
    >>> text(b"pA"), text(np.array(["V"], dtype=object)), text(None)
    ('pA', 'V', '')
    """
    if isinstance(value, np.ndarray):
        value = value.flat[0] if value.size else ""
    if isinstance(value, bytes):
        return value.decode("utf-8", errors="replace")
    return "" if value is None or isinstance(value, h5py.Empty) else str(value)


def number(value: Any, default: float) -> float:
    """Return a scalar however the file keeps it; `default` when there is none or it is not finite.

    Examples
    --------
    >>> number(np.array([2.5]), 0.0), number(None, 1.0), number(np.nan, 1.0)
    (2.5, 1.0, 1.0)
    """
    if value is None or isinstance(value, h5py.Empty):
        return default
    values = np.asarray(value, dtype=np.float64)
    return float(values.flat[0]) if values.size and np.isfinite(values.flat[0]) else default


def address(thing: Any) -> Address:
    """Say where an object lies, by whatever name or reference it was reached; takes h5py's low-level identifiers."""
    info = h5py.h5o.get_info(thing)
    return int(info.fileno), int(info.addr)


def text_attribute(thing: Any, name: str) -> str:
    """Return an attribute that is text; empty when there is none.

    This and the functions below take h5py's low-level identifiers, and read the common case without asking for its
    type: files hold thousands of attributes, and ``.attrs`` would take most of the time that opening a file takes.
    """
    key = name.encode()
    if not h5py.h5a.exists(thing, key):
        return ""
    found = h5py.h5a.open(thing, key)
    if found.get_storage_size() == _VARIABLE_STRING_BYTES:
        value = np.empty((), dtype=_VARIABLE_STRING)
        try:
            found.read(value)
            return text(value[()])
        except OSError:
            pass  # of fixed length, and by chance of as many bytes
    return text(_any_attribute(found))


def number_attribute(thing: Any, name: str, default: float) -> float:
    """Return an attribute that is a number; `default` when there is none or it is not finite."""
    key = name.encode()
    if not h5py.h5a.exists(thing, key):
        return default
    found = h5py.h5a.open(thing, key)
    if found.get_storage_size() > len(_EIGHT_BYTES):
        return number(_any_attribute(found), default)
    values = _EIGHT_BYTES.copy()
    found.read(values, h5py.h5t.NATIVE_DOUBLE)
    value = float(values[0])
    return value if isfinite(value) else default


def _any_attribute(found: Any) -> Any:
    if found.get_space().get_simple_extent_type() == h5py.h5s.NULL:
        return None
    value = np.empty(found.shape, dtype=found.dtype)
    found.read(value)
    return value


def kind_of(thing: Any) -> str:
    """Return the ``neurodata_type`` of a low-level identifier."""
    return text_attribute(thing, "neurodata_type")


def read_series(group: Any, *, path: str, kind: str, electrodes: Mapping[Address | bytes, str]) -> Series | None:
    """Describe one series; None when it holds no samples.

    Parameters
    ----------
    group : h5py.h5g.GroupID
        The series.
    path, kind : str
        Where it lies, and its ``neurodata_type``.
    electrodes : mapping
        Where each electrode lies, and its path → its name.

    Raises
    ------
    FileFormatError
        If its samples are not one sequence, or not regular in time.
    """
    data = h5py.h5o.open(group, b"data")
    if not isinstance(data, h5py.h5d.DatasetID):
        raise FileFormatError(f"{path} has no samples", got="a group where its data should be", wanted="1-D data")
    shape = data.shape
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] > 1):
        raise FileFormatError(f"{path} is not one channel", got=f"data of shape {shape}", wanted="1-D data")
    if not shape[0]:
        return None
    unit, factor = electrode_unit(_unit_word(text_attribute(data, "unit") or _UNIT_OF_KIND.get(kind, "")))
    rate_hz, start_s = _clock(group, path=path, n_samples=shape[0])
    if abs(start_s) > _LATEST_S:
        raise FileFormatError(f"{path} begins at an impossible time", got=f"{start_s:g} s after the session's start")
    return Series(
        path=path,
        kind=kind,
        electrode=_electrode(group, electrodes),
        data=address(data),
        n_samples=shape[0],
        rate_hz=rate_hz,
        start_s=start_s,
        unit=unit,
        factor=number_attribute(data, "conversion", 1.0) * number(dataset(group, "channel_conversion"), 1.0) * factor,
        offset=number_attribute(data, "offset", 0.0) * factor,
        description=text_attribute(group, "stimulus_description"),
    )


def dataset(group: Any, name: str) -> Any:
    """Return the whole of a dataset, or None when there is none."""
    key = name.encode()
    return h5py.Dataset(h5py.h5d.open(group, key))[()] if group.links.exists(key) else None


def sweep_number(group: Any) -> int:
    """Return the sweep number that a series carries, as attribute or dataset; −1 without one."""
    return int(number_attribute(group, "sweep_number", number(dataset(group, "sweep_number"), -1.0)))


def _electrode(group: Any, electrodes: Mapping[Address | bytes, str]) -> str:
    links = group.links
    if not links.exists(b"electrode"):
        return ""
    if links.get_info(b"electrode").type == h5py.h5l.TYPE_SOFT:
        name = electrodes.get(links.get_val(b"electrode"))
        if name is not None:
            return name
    return electrodes.get(address(h5py.h5o.open(group, b"electrode")), "")


def _unit_word(unit: str) -> str:
    word = unit.strip()
    return _UNIT_WORDS.get(word.lower().removesuffix("s"), word)


def _scalar(thing: Any) -> float:
    value = np.zeros(() if thing.get_storage_size() == 8 else thing.shape)
    thing.read(h5py.h5s.ALL, h5py.h5s.ALL, value, h5py.h5t.NATIVE_DOUBLE)
    return float(value.flat[0]) if value.size and isfinite(value.flat[0]) else 0.0


def _clock(group: Any, *, path: str, n_samples: int) -> tuple[float, float]:
    if group.links.exists(b"starting_time"):
        start = h5py.h5d.open(group, b"starting_time")
        rate_hz = number_attribute(start, "rate", 0.0)
        if rate_hz > 0.0:
            return float(f"{rate_hz:.9g}"), _scalar(start)  # 24999.999999999996 is 25 kHz
    stamps = dataset(group, "timestamps")
    if stamps is None:
        raise FileFormatError(f"{path} has neither a sampling rate nor time stamps")
    times = np.asarray(stamps, dtype=np.float64).reshape(-1)
    if len(times) != n_samples or n_samples < 2 or not np.isfinite(times).all():
        raise FileFormatError(f"{path} has no usable time stamps", got=f"{len(times)} for {n_samples} samples")
    interval = (times[-1] - times[0]) / (n_samples - 1)
    off = np.abs(times - times[0] - interval * np.arange(n_samples)).max() if interval > 0.0 else np.inf
    if not off < 0.5 * interval:
        raise FileFormatError(
            f"{path} is not sampled regularly",
            got=f"time stamps up to {off:.3g} s off a regular grid of {interval:.3g} s",
            wanted="a constant sampling rate",
            remedy="resample it before reading",
        )
    return float(f"{1.0 / interval:.9g}"), float(times[0])
