"""Figures to files, whole or not at all, the same bytes each time."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ephysplast.errors import SettingsError, near_names
from ephysplast.plotting.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# What would make two files of one figure differ is left out.
_METADATA: Final[Mapping[str, Mapping[str, None]]] = {
    "svg": {"Date": None},
    "png": {},
    "pdf": {"CreationDate": None},
}


def save_figure(
    figure: "Figure", stem: str | Path, formats: Sequence[str] = ("svg", "png"), *, dpi: float = 150.0
) -> tuple[Path, ...]:
    """Write a figure, each file under a temporary name first, so that a half-written one is never seen.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        From :func:`~ephysplast.plotting.experiment_figure` or anywhere else.
    stem : str or pathlib.Path
        Path without the ending, which the format adds; its folder is made when absent.
    formats : sequence of {"svg", "png", "pdf"}
        An SVG keeps its text as text and is the same to the byte each time.
    dpi : float
        Resolution of a PNG.

    Returns
    -------
    tuple of pathlib.Path
        The files, in the order of `formats`.

    Raises
    ------
    SettingsError
        If a format is unknown; nothing is written then.
    """
    for each in formats:
        if each not in _METADATA:
            raise SettingsError("a figure cannot be written so", got=f"'{each}'", remedy=near_names(each, _METADATA))
    folder, name = Path(stem).parent, Path(stem).name
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for each in formats:
        path, temporary = folder / f"{name}.{each}", folder / f".{name}.{os.getpid()}.{each}.tmp"
        try:
            with styled():
                figure.savefig(temporary, format=each, dpi=dpi, metadata=dict(_METADATA[each]))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        paths.append(path)
    return tuple(paths)
