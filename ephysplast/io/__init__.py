"""Files in, recordings out."""

from pathlib import Path

from ephysplast.recording import Recording, Session


def read(path: str | Path) -> Recording | Session:
    """Read a file."""
    raise NotImplementedError(path)
