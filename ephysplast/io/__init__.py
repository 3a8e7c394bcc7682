"""Files in, recordings out.

:func:`read` decides by what the file holds, not by what it is called. A reader of one's own needs no registration:
pass ``readers=(*READERS, mine)``.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ephysplast.errors import FileFormatError
from ephysplast.recording import Recording, Session

if TYPE_CHECKING:
    from ephysplast.io.abf import load_samples
    from ephysplast.io.abf_commands import AbfEpoch, epoch_waveform
    from ephysplast.io.abf_writer import write_abf
    from ephysplast.io.neo_bridge import to_spiketrains
    from ephysplast.io.nwb_writer import write_nwb

__all__ = [
    "READERS",
    "AbfEpoch",
    "Reader",
    "epoch_waveform",
    "load_samples",
    "read",
    "to_spiketrains",
    "write_abf",
    "write_nwb",
]

_LAZY: Final = {
    "AbfEpoch": "ephysplast.io.abf_commands",
    "epoch_waveform": "ephysplast.io.abf_commands",
    "load_samples": "ephysplast.io.abf",
    "to_spiketrains": "ephysplast.io.neo_bridge",
    "write_abf": "ephysplast.io.abf_writer",
    "write_nwb": "ephysplast.io.nwb_writer",
}

_HDF5: Final = b"\x89HDF\r\n\x1a\n"
_APPLE_DOUBLE: Final = b"\x00\x05\x16\x07"
_APPLE_SINGLE: Final = b"\x00\x05\x16\x00"
_LFS: Final = b"version https://git-lfs"
_OPENING: Final = 64
"""Bytes that decide what a file is."""


def is_abf(opening: bytes) -> bool:
    """Say whether a file begins like an Axon Binary Format file, version 1 or 2."""
    return opening[:4] in (b"ABF ", b"ABF2")


def is_hdf5(opening: bytes) -> bool:
    """Say whether a file begins like an HDF5 file, which every NWB 2 file is."""
    return opening.startswith(_HDF5)


@dataclass(frozen=True)
class Reader:
    """How one kind of file is known and read.

    Attributes
    ----------
    name : str
        What the format is called.
    suffixes : tuple of str
        How such files are usually named; for looking through folders, never for deciding what a file is.
    sniff : callable
        Given the file's first 64 bytes, says whether this reader is for it.
    load : str
        ``"module:function"``, imported when the first such file is read; the function takes the path.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[bytes], bool]
    load: str

    def __call__(self, path: Path) -> Recording | Session:
        """Read the file."""
        module, _, function = self.load.partition(":")
        loaded: Recording | Session = getattr(import_module(module), function)(path)
        return loaded


READERS: Final[tuple[Reader, ...]] = (
    Reader("ABF", (".abf",), is_abf, "ephysplast.io.abf:read_abf"),
    Reader("NWB", (".nwb",), is_hdf5, "ephysplast.io.nwb:read_nwb"),
)


def read(path: str | os.PathLike[str], *, readers: tuple[Reader, ...] = READERS) -> Recording | Session:
    """Read a recording; samples stay in the file until they are asked for.

    Parameters
    ----------
    path : path-like
        An ABF (1 or 2) or NWB 2 file. Its contents decide, not its name.
    readers : tuple of Reader, optional
        Which formats are known; the first whose `sniff` agrees reads the file.

    Returns
    -------
    Recording or Session
        A Session when the file's sweeps differ in channels, rate or protocol. Both offer ``.recordings``.

    Raises
    ------
    FileFormatError
        If the file is missing, is a folder, cannot be opened, or holds nothing that can be read.

    Examples
    --------
    >>> read("no_such_file.abf")
    Traceback (most recent call last):
        ...
    ephysplast.errors.FileFormatError: there is no file no_such_file.abf. To do: check the path.
    """
    file = Path(path)
    opening = _opening(file)
    _refuse_what_is_no_recording(file, opening)
    for reader in readers:
        if reader.sniff(opening):
            return reader(file)
    raise FileFormatError(
        f"{file.name} is not a recording that can be read",
        got=f"a file that begins with {opening[:8]!r}",
        wanted=" or ".join(each.name for each in readers),
        remedy="export the recording as ABF or NWB",
    )


def _opening(file: Path) -> bytes:
    try:
        if file.is_dir():
            raise FileFormatError(
                f"{file.name} is a folder", wanted="one file", remedy="give the path of a recording in it"
            )
        if file.exists() and not file.is_file():  # a pipe would be waited for
            raise FileFormatError(f"{file.name} is no ordinary file", remedy="give the path of a recording")
        with file.open("rb") as stream:
            return stream.read(_OPENING)
    except FileNotFoundError:
        raise FileFormatError(f"there is no file {file}", remedy="check the path") from None
    except PermissionError:
        raise FileFormatError(f"{file.name} may not be opened", remedy="ask for permission to read it") from None
    except (OSError, ValueError) as error:  # a name too long, or with characters that no name can have
        got = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise FileFormatError(
            f"{file.name[:80]!r} cannot be opened", got=got, remedy="check the name of the file"
        ) from error


def _refuse_what_is_no_recording(file: Path, opening: bytes) -> None:
    if not opening:
        raise FileFormatError(
            f"{file.name} is empty", got="0 bytes", remedy="copy the file again from where it was recorded"
        )
    if opening[:4] in (_APPLE_DOUBLE, _APPLE_SINGLE):
        raise FileFormatError(
            f"{file.name} is a companion file that macOS leaves beside the true one",
            remedy=f"use {file.name.removeprefix('._')} and delete the files that begin with ._",
        )
    if opening.startswith(_LFS):
        raise FileFormatError(
            f"{file.name} is a Git LFS pointer, not the recording itself",
            remedy="fetch the contents with 'git lfs pull'",
        )


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'ephysplast.io' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
