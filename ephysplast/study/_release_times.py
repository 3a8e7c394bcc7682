"""When the pulses of a table's trains came, and how far apart its sweeps are."""

from collections.abc import Mapping, Sequence
from math import nan
from typing import Final, NoReturn

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import EphysplastError
from ephysplast.fitting._tables import Table
from ephysplast.recording import FloatArray
from ephysplast.study._amplitude_columns import Found, time_factor
from ephysplast.study._amplitude_rows import Sweeps, numbers_in, side_by_side

SAME_TIME_S: Final = 5e-4
"""Times of pulses are told apart from this difference on; recorded triggers jitter by less."""
_APART_S: Final = 5.0
"""No train has its pulses further apart than the longest time constant that is looked for."""

BoolArray = NDArray[np.bool_]


def pulse_times(
    rows: Table,
    found: Found,
    place: Sequence[int],
    *,
    sweeps: Sweeps,
    used: BoolArray,
    interval_s: float | None,
    time_unit: str,
) -> tuple[FloatArray, tuple[str, ...]]:
    """Return when each pulse came after the first of its sweep, and how that is known.

    Pulses are numbered, so one whose row is missing before a later one was given all the same: it has the time that it
    has in sweeps which are otherwise alike. Sweeps that are not used are not looked at.

    Raises
    ------
    EphysplastError
        If the column does not say its unit, or times are missing, do not ascend or are too near.
    """
    n_sweeps, n_pulses = sweeps.amplitude.shape
    if interval_s is not None:
        regular = interval_s * np.arange(n_pulses, dtype=np.float64)
        return np.tile(regular, (n_sweeps, 1)), (f"pulses every {1e3 * interval_s:.4g} ms, as told",)
    if n_pulses == 1:
        return np.zeros((n_sweeps, 1)), ("one pulse in a sweep",)
    role = next((each for each in ("pulse_time", "interval") if each in found.roles), None)
    if role is None or "pulse" not in found.roles:
        lost = f"'{found.roles[role]}' has one time for all pulses of a row, " if role else ""
        said = f"{lost}the times of the pulses are not known: add a column pulse_time_s with a row per pulse, or give "
        return np.full((n_sweeps, n_pulses), np.nan), (f"{said}--interval-ms or --frequency-hz",)
    name = found.roles[role]
    factor = (1e-3 if name.lower().rstrip(")] ").endswith("ms") else 1.0) if role == "interval" else 0.0
    factor = factor or time_factor(name, time_unit)
    written = side_by_side(rows, found, place, numbers=factor * np.array(numbers_in(rows, name))[:, None])
    if role == "interval":
        written[:, 0] = np.where(np.isfinite(written[:, 0]), written[:, 0], 0.0)
    times_s, n_filled = _filled(written, np.isfinite(sweeps.amplitude), used)
    for k in np.flatnonzero(used).tolist():
        if wrong := _wrong(times_s[k], np.isfinite(sweeps.amplitude[k])):
            _refuse(wrong, name, times_s[k], rows.row[list(place).index(k)])
    notes = [f"the times of the pulses are from '{name}'"]
    if n_filled:
        notes.append(
            f"{n_filled} sweep{'s lack' if n_filled > 1 else ' lacks'} the row of a pulse before later ones: it is "
            "taken as given, its response as not known"
        )
    gaps = np.diff(times_s[used])
    usual = float(np.median(gaps[np.isfinite(gaps)])) if np.isfinite(gaps).any() else 1.0
    if usual < SAME_TIME_S:
        k = int(np.flatnonzero(used)[0])
        _refuse("near", name, times_s[k], rows.row[list(place).index(k)])
    if usual > _APART_S:
        notes.append(f"the pulses are {usual:.3g} s apart, which is no train: is the unit of '{name}' right?")
    return times_s - times_s[:, :1], tuple(notes)


def sweep_interval(sweeps: Sweeps, here: NDArray[np.intp], found: Found) -> float:
    """Return the usual interval between the starts of sweeps, in s; NaN where the table does not say it."""
    if not sweeps.timed or here.size < 2:
        return nan
    try:
        factor = time_factor(found.roles["time"], "")
    except EphysplastError:
        return nan
    interval = factor * float(np.nanmedian(np.diff(sweeps.time_s[here])))
    return interval if interval > 0.0 else nan


def _filled(written: FloatArray, responses: BoolArray, used: BoolArray) -> tuple[FloatArray, int]:
    """Give pulses without a row the time that they have in a sweep whose other times are the same."""
    known = np.isfinite(written)
    later = np.cumsum(known[:, ::-1], axis=1)[:, ::-1] > 0
    lacking = ~known & ~responses & later
    made, rows = written.copy(), np.flatnonzero(lacking.any(axis=1) & used)
    filled = 0
    for k in rows:
        with np.errstate(invalid="ignore"):
            same = (np.abs(written[:, known[k]] - written[k, known[k]]) <= SAME_TIME_S).all(axis=1)
        alike = np.flatnonzero(same & known[:, lacking[k]].all(axis=1))
        if alike.size:
            made[k, lacking[k]] = written[alike[0], lacking[k]]
            filled += 1
    return made, filled


def _wrong(times_s: FloatArray, responses: BoolArray) -> str:
    """Say what times of one sweep cannot be; a pulse of a train without a time used up what later ones lack."""
    known = np.isfinite(times_s)
    needed = responses if responses.sum() > 1 else np.zeros_like(known)
    needed = needed | (np.arange(known.size) < (np.flatnonzero(known)[-1] if known.any() else 0))
    if (needed & ~known).any():
        return "lost"
    return "order" if (np.diff(times_s[known]) <= 0.0).any() else ""


_WRONG: Final[Mapping[str, tuple[str, str]]] = {
    "lost": (
        "the column '{}' has no time for some of the pulses of a train",
        "fill it in, exclude the sweep, or give --interval-ms",
    ),
    "order": (
        "the times of the pulses in the column '{}' do not ascend",
        "write times counted from one moment and not from pulse to pulse, or give --interval-ms",
    ),
    "near": (
        "the times of the pulses in the column '{}' are nearer than pulses can be",
        "look at the unit of the column",
    ),
}
"""What times of pulses cannot be → how it is said, and what is to be done."""


def _refuse(wrong: str, name: str, times_s: FloatArray, row: int) -> NoReturn:
    what, remedy = _WRONG[wrong]
    raise EphysplastError(
        what.format(name),
        got=f"{', '.join(f'{1e3 * value:.4g}' for value in times_s[:8])} ms in the sweep of row {row}",
        wanted="the time of every pulse within its sweep, later for later pulses, also where the response is not known",
        remedy=remedy,
    )
