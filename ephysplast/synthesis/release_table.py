"""A table of amplitudes at several release probabilities and of trains: three cells with known truth."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast._files import write_text
from ephysplast.synthesis.release import ReleaseSites, sample_release

COLUMNS: Final = ("cell", "condition", "sweep", "pulse", "pulse time (ms)", "amplitude (pA)", "noise (pA)")
"""Columns of the table, one row per cell, sweep and pulse."""

_ONE_PULSE_S: Final = (0.0,)
_TRAIN_S: Final = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.95)
_NOISE_PA: Final = 3.0


@dataclass(frozen=True, kw_only=True)
class ReleaseCell:
    """One cell of the table.

    Attributes
    ----------
    name : str
        Of the cell.
    conditions : tuple of (str, ReleaseSites)
        Word of the table and the synapse under it; q in pA, a magnitude.
    pulse_s : tuple of float
        When the pulses of a sweep come.
    n_sweeps : int
        Of each condition.
    seed : int
        Of all that is drawn.
    """

    name: str
    conditions: tuple[tuple[str, ReleaseSites], ...]
    pulse_s: tuple[float, ...]
    n_sweeps: int
    seed: int


_QUANTA: Final = ReleaseSites(n=10, p=0.1, q=12.0, cv_i=0.3, cv_ii=0.3)
_TRAINS: Final = ReleaseSites(
    n=16, p=0.2, q=10.0, cv_i=0.3, cv_ii=0.3, recovery_ms=600.0, facilitation=None, facilitation_ms=60.0
)

CELLS: Final = (
    ReleaseCell(
        name="calcium",
        conditions=tuple(
            (f"{calcium} mM", _QUANTA.with_changes(p=p))
            for calcium, p in (("0.8", 0.1), ("1.5", 0.35), ("2.5", 0.65), ("4.0", 0.9))
        ),
        pulse_s=_ONE_PULSE_S,
        n_sweeps=80,
        seed=21,
    ),
    ReleaseCell(
        name="more_release",
        conditions=(("baseline", _TRAINS), ("post", _TRAINS.with_changes(p=0.45))),
        pulse_s=_TRAIN_S,
        n_sweeps=50,
        seed=24,
    ),
    ReleaseCell(
        name="larger_quanta",
        conditions=(("baseline", _TRAINS.with_changes(p=0.4)), ("post", _TRAINS.with_changes(p=0.4, q=16.0))),
        pulse_s=_TRAIN_S,
        n_sweeps=50,
        seed=23,
    ),
)
"""Four calcium concentrations; trains with U .2 → .45; trains with q 10 → 16 pA. Inward currents."""


def write_release_table(path: Path, *, cells: tuple[ReleaseCell, ...] = CELLS) -> Path:
    """Write the table as CSV, the same bytes each time.

    Parameters
    ----------
    path : pathlib.Path
        The file; its folder is made when absent.
    cells : tuple of ReleaseCell
        What to draw. The noise of 3 pA (SD) is also read once per sweep in a stretch without a response.

    Returns
    -------
    pathlib.Path
        The file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write_release_table(Path(folder) / "release.csv").read_text(encoding="utf-8").splitlines()[0]
    'cell,condition,sweep,pulse,pulse time (ms),amplitude (pA),noise (pA)'
    """
    import pandas as pd

    path.parent.mkdir(parents=True, exist_ok=True)
    table = pd.DataFrame([row for cell in cells for row in _rows(cell)], columns=list(COLUMNS))
    write_text(path, table.to_csv(index=False, lineterminator="\n"))
    return path


def _rows(cell: ReleaseCell) -> list[tuple[str, ...]]:
    rng = np.random.Generator(np.random.PCG64(cell.seed))
    rows: list[tuple[str, ...]] = []
    times = [f"{1e3 * each:.0f}" for each in cell.pulse_s]
    sweep = 0
    for word, sites in cell.conditions:
        released = sample_release(sites, cell.pulse_s, n_sweeps=cell.n_sweeps, rng=rng)
        amplitude = -released + _NOISE_PA * rng.normal(size=released.shape)
        noise = _NOISE_PA * rng.normal(size=cell.n_sweeps)
        for i in range(cell.n_sweeps):
            sweep += 1
            rows += [
                (cell.name, word, f"{sweep}", f"{k}", at, f"{value:.2f}", f"{noise[i]:.2f}")
                for k, (at, value) in enumerate(zip(times, amplitude[i].tolist(), strict=True), start=1)
            ]
    return rows
