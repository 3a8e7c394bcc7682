"""What a table of amplitudes says of the size of a quantum: a column of its own, or sweeps of minimal stimulation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from ephysplast.errors import OK, EphysplastError
from ephysplast.experiment import MINIMAL, MiniTable
from ephysplast.fitting._tables import Table, as_word
from ephysplast.quantal import MiniSizeConfig
from ephysplast.recording import FloatArray
from ephysplast.study._amplitude_checks import noise_readings
from ephysplast.study._amplitude_columns import Found, scale_of
from ephysplast.study._amplitude_rows import Sweeps, Told, place_sweeps
from ephysplast.study.quantal_size import check_size, size_from_minimal, size_from_minis, size_from_number

if TYPE_CHECKING:
    from ephysplast.study.amplitudes import AmplitudeTable

_WORDS = (MINIMAL, f"{MINIMAL} stimulation", f"{MINIMAL}stimulation", f"{MINIMAL}_stimulation")


@dataclass(frozen=True, eq=False, kw_only=True)
class MinimalSweeps:
    """Sweeps of minimal stimulation.

    Attributes
    ----------
    amplitude, noise : numpy.ndarray, shape (n_sweeps,)
        First responses along the direction of the baseline's, and readings without a response.
    """

    amplitude: FloatArray
    noise: FloatArray


def with_quantal_size(
    made: "AmplitudeTable",
    *,
    rng: np.random.Generator,
    minis: MiniTable | None = None,
    number: float | None = None,
    config: MiniSizeConfig | None = None,
) -> "AmplitudeTable":
    """Put what is known of the size of a quantum where the locus looks for it.

    Minis or a number that are given win over the table's own column, and that over sweeps of minimal stimulation.

    Parameters
    ----------
    made : AmplitudeTable
        One cell; a quantal size that it has already stays.
    rng : numpy.random.Generator
        For the bootstrap of failures; its own stream is left as it is.
    minis : MiniTable, optional
        Minis of the same cell, at the same holding potential.
    number : float, optional
        Quantal amplitude of the baseline, in the unit of the amplitudes.
    config : MiniSizeConfig, optional
        How far minis may be from the synapse in question.

    Raises
    ------
    EphysplastError
        If the table of minis cannot be read, or the size cannot be that of these responses.
    """
    if made.about.quantal_size is not None:
        return made
    unit, where = made.table.unit, f"cell {made.name}"
    if minis is not None:
        # Currents may have been exported as magnitudes; a potential that is excitatory goes up.
        polarity = 1 if made.about.response == "EPSP" else 0
        size = size_from_minis(minis, unit=unit, polarity=polarity, config=config)
    elif number is not None or isfinite(made.told_size):
        size = size_from_number(made.told_size if number is None else number, unit=unit, config=config)
    elif made.minimal is not None:
        found = size_from_minimal(made.minimal.amplitude, made.minimal.noise, unit=unit, rng=rng.spawn(1)[0])
        if found is None:
            return made
        size = found
    else:
        return made
    check_size(size, made.table, where=where)
    return replace(made, about=replace(made.about, quantal_size=size))


def without_minimal(rows: Table, found: Found, told: Told) -> tuple[Table, Table | None]:
    """Take the sweeps of minimal stimulation out of those that are judged; the user's own words for phases win."""
    own = (told.baseline.strip().lower(), told.post.strip().lower())
    words = [as_word(cell).strip().lower() for cell in rows.columns[found.roles["phase"]]]
    apart = [i for i, word in enumerate(words) if word in _WORDS and word not in own]
    if not apart:
        return rows, None
    chosen = set(apart)
    return rows.chosen([i for i in range(len(words)) if i not in chosen]), rows.chosen(apart)


def minimal_sweeps(
    rows: Table, found: Found, told: Told, *, noise_sd: float | None, judged: Sweeps, direction: float
) -> MinimalSweeps:
    """Read the sweeps of minimal stimulation as the others are read.

    Raises
    ------
    EphysplastError
        If their unit is not that of the sweeps that are judged.
    """
    made, _ = place_sweeps(rows, found, told.unit, phases=[MINIMAL] * len(rows.row))
    if made.unit != judged.unit:
        raise EphysplastError(
            f"the sweeps of the phase {MINIMAL} are in another unit",
            got=f"{made.unit or 'no unit'}, and {judged.unit or 'no unit'} in baseline and post",
            wanted="one unit in a cell",
        )
    noise, _ = noise_readings(made, found, noise_sd)
    used = np.array([each == OK for each in made.excluded]) & np.isfinite(made.amplitude[:, 0])
    return MinimalSweeps(amplitude=direction * made.amplitude[used, 0], noise=direction * noise[used])


def told_size(rows: Table, found: Found, unit: str) -> float:
    """Return the number of the column ``quantal_size``, in the unit of the amplitudes; NaN where there is none.

    Raises
    ------
    EphysplastError
        If the rows of the cell have two, or one that is no magnitude.
    """
    if "quantal_size" not in found.roles:
        return nan
    name = found.roles["quantal_size"]
    values = np.array(rows.numbers(name)) * scale_of(rows, found, unit).quantal_size
    known = np.flatnonzero(np.isfinite(values))
    if not known.size:
        return nan
    first = int(known[0])
    other = next((int(i) for i in known if not np.isclose(values[i], values[first], rtol=1e-9)), first)
    if other != first or values[first] == 0.0:
        raise EphysplastError(
            f"the column '{name}' has two sizes for one cell" if other != first else f"'{name}' is no magnitude",
            got=" and ".join(_there(rows, name, i) for i in dict.fromkeys((first, other))),
            wanted="one number above 0 in all rows of a cell, or in one of them",
        )
    return float(abs(values[first]))


def _there(rows: Table, name: str, i: int) -> str:
    cells: Sequence[object] = rows.columns[name]
    return f"'{as_word(cells[i])}' in row {rows.row[i]}"
