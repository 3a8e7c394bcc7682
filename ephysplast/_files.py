"""Text to files, whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path

from ephysplast.errors import EphysplastError


def write_text(path: Path, text: str) -> None:
    r"""Write UTF-8 text with ``\n`` at the ends of lines, under a temporary name that is renamed when complete.

    Parameters
    ----------
    path : pathlib.Path
        The file, in a folder that exists; one of that name is replaced.
    text : str
        What UTF-8 cannot hold becomes ``?``.

    Raises
    ------
    EphysplastError
        If it cannot be written: an earlier file of that name stands as it was, and nothing is left behind.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_text(Path(folder) / "words.txt", "Δt = 10 ms\n")
    ...     [each.read_bytes().decode() for each in Path(folder).iterdir()]
    ['Δt = 10 ms\n']
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", errors="replace", newline="\n")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise EphysplastError(
            f"{path} cannot be written",
            got=error.strerror or str(error),
            remedy="close it in the program that has it open (Excel locks what it shows), make room on the disk, "
            "and run the same command again: no measurement is lost",
        ) from error
