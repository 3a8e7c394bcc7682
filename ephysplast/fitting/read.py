"""Tables of changes as people keep them: read with what was recognised, assumed, converted and left out."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import ndtri

from ephysplast.errors import OK, EphysplastError, near_names
from ephysplast.fitting._columns import (
    ChangeUnit,
    DeltaTSign,
    Unit,
    change_unit,
    delta_t_factor,
    delta_t_sign,
    find_columns,
    plain_name,
)
from ephysplast.fitting._tables import Columns, Table, as_word, is_missing, numbers_of, read_table
from ephysplast.fitting.observations import Observations, make_observations
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_KEPT_APART: Final[Mapping[str, tuple[str, ...]]] = {
    "kinds of synapse": ("pre_type", "post_type", "synapse_pre", "synapse_post"),
    "kinds of response": ("response",),
    "pairing frequencies": ("freq_hz", "frequency_hz", "pairing_frequency_hz"),
    "conditions": ("condition",),
}
"""What should not be mixed → the columns that tell it."""
_SOME_ERROR: Final = r"(change_)?(error|err|errors|error_bars?|uncertainty|plus_minus|pm)(_(percent|fraction|ratio))?"
_LEVEL: Final = 0.95
"""Confidence level of the intervals in a table that does not state one."""


def read_observations(
    table: "str | Path | pd.DataFrame",
    *,
    columns: Mapping[str, str] | None = None,
    unit: ChangeUnit | None = None,
    delta_t_is: DeltaTSign | None = None,
    where: Mapping[str, str] | None = None,
) -> Observations:
    """Read a table of changes: a CSV or XLSX file, a data frame, or a study's own ``experiments`` table.

    Parameters
    ----------
    table : str, pathlib.Path or pandas.DataFrame
        One row per cell, or per mean with its standard error.
    columns : mapping of str to str, optional
        What → column, for what is not found by its name: ``delta_t``, ``change``, ``sem``, ``sd``, ``n_cells``,
        ``change_low``, ``change_high``, ``delta_t_sd``, ``delta_t_error``, ``label``, ``condition``, ``unit``.
    unit : {"fraction", "percent", "ratio", "percent of baseline"}, optional
        Of the changes. Without it the table must tell; a study's own changes are ratios.
    delta_t_is : {"post-pre", "pre-post"}, optional
        How the table counts Δt. Without it t_post − t_pre is assumed where no name says otherwise, and said.
    where : mapping of str to str, optional
        Column → the value that rows must have.

    Returns
    -------
    Observations
        With ``columns`` and ``notes`` that say what was read from where and what was assumed.

    Raises
    ------
    EphysplastError
        If columns or units cannot be told, units are mixed, a cell is no number, an error is negative, a row
        is there twice under one label, or nothing is left.

    Examples
    --------
    >>> import pandas as pd
    >>> found = read_observations(pd.DataFrame({"Δt (ms)": [-10, 10], "% of baseline": [80, 150]}))
    >>> found.change.tolist()
    [-0.2, 0.5]
    >>> found.notes[0]
    'the table does not say how Δt is counted: Δt = t_post − t_pre, positive when pre leads, was assumed'
    """
    held, left_out = _rows_where(read_table(table), where or {})
    roles = find_columns(held.columns, columns or {})
    known, missing = _known_rows(held, roles)
    if not known:
        raise EphysplastError(f"no row of {held.source} has both Δt and a change", got=", ".join(missing) or "no rows")
    held = held.chosen(known)
    delta_t, change = (np.array(held.numbers(roles[each])) for each in ("delta_t", "change"))
    sign, counted = delta_t_sign(roles["delta_t"], delta_t_is)
    factor, in_ms = delta_t_factor(roles["delta_t"], delta_t)
    measured = change_unit(held.columns, roles, change, unit)
    error, n_cells, error_notes = _errors(held, roles, measured)
    labels, conditions = (_words(held.columns, roles.get(each)) for each in ("label", "condition"))
    made = make_observations(
        sign * factor * delta_t,
        measured.to_fraction(change),
        change_error=error,
        delta_t_sd_ms=_times(held, roles.get("delta_t_sd"), factor=factor),
        delta_t_error_ms=_times(held, roles.get("delta_t_error"), factor=factor),
        n_cells=n_cells,
        label=labels,
        condition=conditions,
        source=held.source,
    )
    in_unit = f"changes are read as {measured.name}, {measured.how}"
    doubts = (*_thrown_together(held.columns), *_doubts(made), *_unit_doubts(measured, made.change))
    said = (counted, in_ms, in_unit, *left_out, *missing, *error_notes, *doubts)
    notes = tuple(each for each in said if each)
    return replace(made, columns=roles, notes=notes)


def _rows_where(table: Table, where: Mapping[str, str]) -> tuple[Table, tuple[str, ...]]:
    n = len(table.row)
    keep = list(range(n))
    said = " and ".join(f"{name} is {wanted}" for name, wanted in where.items())
    for name, wanted in where.items():
        if name not in table.columns:
            raise EphysplastError(f"the table has no column '{name}'", remedy=near_names(name, table.columns))
        here = [as_word(cell) for cell in table.columns[name]]
        if wanted not in here:
            raise EphysplastError(
                f"no row has '{wanted}' in the column '{name}'", remedy=near_names(wanted, sorted(set(here))[:20])
            )
        keep = [i for i in keep if here[i] == wanted]
    if n and not keep:
        raise EphysplastError(
            "no row is left", got=f"{n} rows, none of them where {said}", remedy="look at what stands in these columns"
        )
    return table.chosen(keep), (f"{len(keep)} of {n} rows, where {said}",) if where else ()


def _known_rows(table: Table, roles: Mapping[str, str]) -> tuple[list[int], tuple[str, ...]]:
    """Return the rows that can be used, and what is said of the others."""
    columns = table.columns
    both = [table.numbers(roles[each]) for each in ("delta_t", "change")]
    complete = np.isfinite(both).all(axis=0)
    notes = []
    if not complete.all():
        notes.append(f"{int((~complete).sum())} rows without Δt or change were left out")
    if plain_name(roles["delta_t"]).startswith("induction_delta_t") and "status" in columns:
        judged = np.array([str(each).strip() == OK for each in columns["status"]])
        refused = int((complete & ~judged).sum())
        if refused:
            notes.append(f"{refused} experiments that were refused or failed were left out")
        complete &= judged
    return [int(i) for i in np.flatnonzero(complete)], tuple(notes)


def _words(columns: Columns, name: str | None) -> tuple[str, ...]:
    return tuple(str(cell).strip() for cell in columns[name]) if name else ()


def _times(table: Table, name: str | None, *, factor: float) -> FloatArray | float:
    """Return errors of Δt in ms, in the unit that their name says, else in that of Δt itself."""
    if name is None:
        return 0.0
    values = np.nan_to_num(np.array(table.numbers(name)), nan=0.0)
    if (values < 0.0).any():
        raise EphysplastError(f"'{name}' cannot be negative", got=f"{values.min():g}")
    own, assumed = delta_t_factor(name, np.array([1.0]))
    return np.asarray(values * (factor if "was taken" in assumed else own))


def _errors(table: Table, roles: Mapping[str, str], unit: Unit) -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return standard errors (0 when there are none), cells per observation, and notes."""

    def column(role: str) -> FloatArray | None:
        return np.array(table.numbers(roles[role])) if role in roles else None

    n = len(table.row)
    cells, sem, sd, low, high = (column(role) for role in ("n_cells", "sem", "sd", "change_low", "change_high"))
    n_cells = np.ones(n) if cells is None else np.where(np.isfinite(cells), cells, 1.0)
    if sem is not None:
        error, how = unit.scale(sem, column=roles["sem"]), f"standard errors from '{roles['sem']}'"
    elif low is not None and high is not None:
        error = unit.scale(high - low) / (2.0 * float(ndtri(0.5 + 0.5 * _level(table.columns))))
        how = f"standard errors from the intervals '{roles['change_low']}' to '{roles['change_high']}'"
    elif sd is not None and cells is not None:
        error = unit.scale(sd, column=roles["sd"]) / np.sqrt(n_cells)
        how = f"standard errors from '{roles['sd']}' / √'{roles['n_cells']}'"
    elif sd is not None:
        return np.zeros(n), n_cells, (f"'{roles['sd']}' is not used: an SD needs the number of cells",)
    else:
        said = "no standard errors: the scatter is inferred from the changes alone"
        weighed = f"; a mean of n cells scatters 1/√n as much, n from '{roles['n_cells']}'" if cells is not None else ""
        return np.zeros(n), n_cells, (said + weighed, *_unnamed_errors(table.columns, roles))
    filled, notes = _without_gaps(error)
    return filled, n_cells, (how, *notes)


def _unnamed_errors(columns: Columns, roles: Mapping[str, str]) -> tuple[str, ...]:
    """Say which column may hold errors of a kind that its name does not tell."""
    return tuple(
        f"'{name}' is not used: say whether it is a standard error (sem) or an SD (sd)"
        for name in columns
        if name not in roles.values() and re.fullmatch(_SOME_ERROR, plain_name(name))
    )


def _level(columns: Columns) -> float:
    levels = {each for each in numbers_of(columns.get("level", ()), column="level") if 0.0 < each < 1.0}
    return levels.pop() if len(levels) == 1 else _LEVEL


def _without_gaps(error: FloatArray) -> tuple[FloatArray, tuple[str, ...]]:
    if (error < 0.0).any():
        raise EphysplastError("a standard error cannot be negative", got=f"{error[error < 0.0][0]:g} of the baseline")
    gaps = ~(error > 0.0)
    if not gaps.any():
        return error, ()
    words = f"{int(gaps.sum())} of {len(error)} rows have a standard error that is zero or missing"
    if gaps.all():
        return np.zeros(len(error)), (f"{words}: the scatter is inferred from the changes alone",)
    # A mean that claims no error must not outweigh all others.
    largest = float(error[~gaps].max())
    return np.where(gaps, largest, error), (
        f"{words}: they are given the largest of the others, {100 * largest:.3g} %",
    )


def _thrown_together(columns: Columns) -> tuple[str, ...]:
    """Say when rows of different synapses, responses or frequencies are about to be fitted as one table."""
    by_name = {plain_name(name): cells for name, cells in columns.items()}
    notes = []
    for what, names in _KEPT_APART.items():
        known = [by_name[name] for name in names if name in by_name]
        kinds = {tuple(as_word(cell) for cell in row) for row in zip(*known, strict=True)}
        kinds -= {row for row in kinds if all(is_missing(each) for each in row)}
        if len(kinds) > 1:
            some = ", ".join(sorted(" → ".join(row) for row in kinds)[:4])
            more = " …" if len(kinds) > 4 else ""
            notes.append(f"{len(kinds)} {what} are taken together ({some}{more}): a window holds for one")
    return tuple(notes)


def _doubts(made: Observations) -> tuple[str, ...]:
    """Return what is odd about the observations, and refuse copies of one row under one label."""
    notes = []
    rows = list(zip(made.label, made.condition, made.delta_t_ms.tolist(), made.change.tolist(), strict=True))
    copies = [row for row, n in Counter(rows).items() if n > 1]
    labelled = [row for row in copies if row[0]]
    if labelled:
        raise EphysplastError(
            "a row is there more than once",
            got=f"'{labelled[0][0]}' at Δt {labelled[0][2]:g} ms",
            remedy="keep one, or give the cells their own names",
        )
    if copies:
        at = ", ".join(f"{row[2]:g}" for row in copies[:4])
        notes.append(
            f"{len(copies)} pairs of Δt and change stand in the table more than once (Δt {at} ms): each counts"
        )
    named = [each for each in made.label if each]
    repeated = len(named) - len(set(named))
    if repeated:
        notes.append(
            f"{repeated} rows repeat a label: they are counted as independent, which one cell measured twice is not"
        )
    reach = float(np.abs(made.delta_t_ms).max())
    if reach < 1.0 or reach > 10_000.0:
        notes.append(f"the largest Δt is {reach:.3g} ms: is the unit right?")
    huge = int((made.change > 10.0).sum())
    if huge:
        notes.append(f"{huge} changes are above 1000 %: is the unit right?")
    below = int((made.change < -1.0).sum())
    if below:
        notes.append(f"{below} changes are below −100 %: responses that reversed")
    return tuple(notes)


def _unit_doubts(unit: Unit, change: FloatArray) -> tuple[str, ...]:
    """Say when "change" in per cent may be meant as per cent of the baseline: nothing falls, and all lie about 100."""
    about_100 = unit.name == "percent" and unit.how != "as told" and 0.6 < float(np.median(change)) < 1.7
    if about_100 and change.min() > 0.2 and len(change) > 1:
        return ("no change is a fall and all lie about 100 %: if 100 means unchanged the unit is percent of baseline",)
    return ()
