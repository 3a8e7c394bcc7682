"""A table of amplitudes as a measuring program exports it: two cells with known truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast._files import write_text
from ephysplast.synthesis.release import ReleaseSites, sample_release

COLUMNS: Final = ("cell", "sweep", "time (min)", "phase", "pulse", "amplitude (pA)", "noise (pA)")
"""Columns of the table, one row per cell, sweep and pulse."""

_PULSE_S: Final = (0.0, 0.05)
_INTERVAL_MIN: Final = 1.0 / 6.0
_PAUSE_MIN: Final = 4.0
_SWEEPS: Final = (60, 180)
_NOISE_PA: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class ExportedCell:
    """One cell of the table: its synapse, and what the induction changes of it.

    Attributes
    ----------
    name : str
        Of the cell.
    sites : ReleaseSites
        Before the induction; q in pA, a magnitude.
    changes : mapping of str to float
        n, p or q after it.
    seed : int
        Of all that is drawn.
    """

    name: str
    sites: ReleaseSites
    changes: Mapping[str, float]
    seed: int


CELLS: Final = (
    ExportedCell(
        name="more_release",
        sites=ReleaseSites(n=12, p=0.25, q=10.0, facilitation=None),
        changes={"p": 0.55},
        seed=11,
    ),
    ExportedCell(
        name="larger_quanta",
        sites=ReleaseSites(n=8, p=0.5, q=8.0),
        changes={"q": 14.0},
        seed=12,
    ),
)
"""Release probability .25 → .55, and quantal amplitude 8 → 14 pA; inward currents, two pulses 50 ms apart."""


def write_amplitude_table(path: Path, *, cells: tuple[ExportedCell, ...] = CELLS) -> Path:
    """Write the table as CSV, the same bytes each time.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder is made when absent.
    cells : tuple of ExportedCell
        What to draw. Sweeps are 10 s apart, 60 before and 180 after a pause of 4 min; the noise of 3 pA (SD) is also
        read once per sweep in a stretch without a response.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_amplitude_table(Path(folder) / "amplitudes.csv").read_text(encoding="utf-8").splitlines()[0]
    'cell,sweep,time (min),phase,pulse,amplitude (pA),noise (pA)'
    """
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame([row for cell in cells for row in _rows(cell)], columns=list(COLUMNS))
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def _rows(cell: ExportedCell) -> list[tuple[str, ...]]:
    rng = np.random.Generator(np.random.PCG64(cell.seed))
    rows: list[tuple[str, ...]] = []
    sweep, start_min = 0, 0.0
    phases = zip(("baseline", "post"), (cell.sites, cell.sites.with_changes(**cell.changes)), _SWEEPS, strict=True)
    for phase, sites, n_sweeps in phases:
        released = sample_release(sites, _PULSE_S, n_sweeps=n_sweeps, rng=rng)
        amplitude = -released + _NOISE_PA * rng.normal(size=released.shape)
        noise = _NOISE_PA * rng.normal(size=n_sweeps)
        for i in range(n_sweeps):
            sweep += 1
            at = f"{start_min + _INTERVAL_MIN * i:.3f}"
            rows += [
                (cell.name, f"{sweep}", at, phase, f"{k}", f"{value:.2f}", f"{noise[i]:.2f}")
                for k, value in enumerate(amplitude[i].tolist(), start=1)
            ]
        start_min += _INTERVAL_MIN * n_sweeps + _PAUSE_MIN
    return rows
