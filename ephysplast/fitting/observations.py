"""A table of measured changes: Δt of each cell, or of each mean, and what became of the response."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import EphysplastError, near_names
from ephysplast.recording import FloatArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class Observations(Result):
    """Changes at known Δt, one per cell or per mean of several.

    Attributes
    ----------
    delta_t_ms : numpy.ndarray, shape (n,)
        t_post − t_pre.
    change : numpy.ndarray, shape (n,)
        As a fraction of the baseline: 0.5 is a growth to 150 %.
    change_error : numpy.ndarray, shape (n,)
        Standard error of the change; 0 where none is known.
    delta_t_sd_ms : numpy.ndarray, shape (n,)
        Jitter of Δt from pairing to pairing; the window is averaged over it.
    delta_t_error_ms : numpy.ndarray, shape (n,)
        Error that all pairings of the observation share; it is marginalised. 0 takes the one of the settings.
    noise_share : numpy.ndarray, shape (n,)
        Share of the scatter between cells (in variance) that the observation has: 1/n for a mean of n cells without
        a standard error, else 1.
    label, condition : tuple of str
        Of each observation; empty strings where the table has none.
    source : str
        What the table is called.
    columns : mapping of str to str
        What was read → the column it was read from.
    notes : tuple of str
        What was assumed, converted or left out, for people.
    """

    delta_t_ms: FloatArray
    change: FloatArray
    change_error: FloatArray
    delta_t_sd_ms: FloatArray
    delta_t_error_ms: FloatArray
    noise_share: FloatArray
    label: tuple[str, ...]
    condition: tuple[str, ...]
    source: str = "the table"
    columns: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.delta_t_ms)

    def conditions(self) -> tuple[str, ...]:
        """Return the conditions in the order in which they come."""
        return tuple(dict.fromkeys(self.condition))

    def of_condition(self, name: str) -> "Observations":
        """Return the observations of one condition.

        Raises
        ------
        EphysplastError
            If there is none of that name.
        """
        if name not in self.condition:
            raise EphysplastError(
                "the table has no such condition", got=f"'{name}'", remedy=near_names(name, self.conditions())
            )
        return self.subset(np.array([each == name for each in self.condition]))

    def subset(self, keep: ArrayLike) -> "Observations":
        """Return some of the observations, by a mask or by their indices."""
        rows: NDArray[np.int64] = np.arange(len(self))[np.asarray(keep)]
        return Observations(
            delta_t_ms=self.delta_t_ms[rows],
            change=self.change[rows],
            change_error=self.change_error[rows],
            delta_t_sd_ms=self.delta_t_sd_ms[rows],
            delta_t_error_ms=self.delta_t_error_ms[rows],
            noise_share=self.noise_share[rows],
            label=tuple(self.label[i] for i in rows),
            condition=tuple(self.condition[i] for i in rows),
            source=self.source,
            columns=self.columns,
            notes=self.notes,
        )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per observation."""
        import pandas as pd

        return pd.DataFrame({name: getattr(self, name) for name in ("label", "condition", *_ARRAYS)})


_ARRAYS: Final = ("delta_t_ms", "change", "change_error", "delta_t_sd_ms", "delta_t_error_ms", "noise_share")


def make_observations(
    delta_t_ms: ArrayLike,
    change: ArrayLike,
    *,
    change_error: ArrayLike = 0.0,
    delta_t_sd_ms: ArrayLike = 0.0,
    delta_t_error_ms: ArrayLike = 0.0,
    n_cells: ArrayLike = 1.0,
    label: tuple[str, ...] = (),
    condition: tuple[str, ...] = (),
    source: str = "the table",
) -> Observations:
    """Make observations from arrays.

    Parameters
    ----------
    delta_t_ms : array_like, shape (n,)
        t_post − t_pre.
    change : array_like, shape (n,)
        As a fraction of the baseline.
    change_error, delta_t_sd_ms, delta_t_error_ms, n_cells : array_like, shape (n,) or scalar
        See :class:`Observations`; `n_cells` counts for observations without an error of their own.
    label, condition : tuple of str
        One per observation, or none.
    source : str
        What to call the table.

    Returns
    -------
    Observations

    Raises
    ------
    EphysplastError
        If there is no observation, sizes differ, or a number is missing or negative where it cannot be.

    Examples
    --------
    >>> len(make_observations([-10.0, 10.0], [-0.2, 0.5]))
    2
    """
    at = np.asarray(delta_t_ms, dtype=np.float64).ravel()
    given = {
        "change": change,
        "change_error": change_error,
        "delta_t_sd_ms": delta_t_sd_ms,
        "delta_t_error_ms": delta_t_error_ms,
        "n_cells": n_cells,
    }
    if not at.size:
        raise EphysplastError("there is no observation to fit", wanted="Δt and change of each cell or mean")
    arrays = {name: _filled(value, at.size, name) for name, value in given.items()}
    _refuse_impossible({"delta_t_ms": at, **arrays})
    cells = arrays.pop("n_cells")
    share = np.where(arrays["change_error"] > 0.0, 1.0, 1.0 / cells)
    words = [each if each else ("",) * at.size for each in (label, condition)]
    if any(len(each) != at.size for each in words):
        raise EphysplastError("every observation needs its label and condition, or none has one")
    return Observations(
        delta_t_ms=at,
        change=arrays["change"],
        change_error=arrays["change_error"],
        delta_t_sd_ms=arrays["delta_t_sd_ms"],
        delta_t_error_ms=arrays["delta_t_error_ms"],
        noise_share=share,
        label=words[0],
        condition=words[1],
        source=source,
    )


def pooled(*tables: Observations) -> Observations:
    """Return several tables as one."""

    def joined(name: str) -> FloatArray:
        return np.concatenate([getattr(each, name) for each in tables])

    return Observations(
        delta_t_ms=joined("delta_t_ms"),
        change=joined("change"),
        change_error=joined("change_error"),
        delta_t_sd_ms=joined("delta_t_sd_ms"),
        delta_t_error_ms=joined("delta_t_error_ms"),
        noise_share=joined("noise_share"),
        label=tuple(each for table in tables for each in table.label),
        condition=tuple(each for table in tables for each in table.condition),
        source=" and ".join(dict.fromkeys(each.source for each in tables)),
    )


def _refuse_impossible(arrays: Mapping[str, FloatArray]) -> None:
    for name, value in arrays.items():
        if not np.isfinite(value).all():
            raise EphysplastError(f"{name} has values that are missing or infinite", remedy="leave those rows out")
    for name in ("change_error", "delta_t_sd_ms", "delta_t_error_ms"):
        if (arrays[name] < 0.0).any():
            raise EphysplastError(f"{name} cannot be negative", got=f"{arrays[name].min():g}")
    if (arrays["n_cells"] < 1.0).any():
        raise EphysplastError("a mean needs at least one cell", got=f"n = {arrays['n_cells'].min():g}")


def _filled(value: ArrayLike, n: int, name: str) -> FloatArray:
    array = np.asarray(value, dtype=np.float64)
    if array.ndim and array.size != n:
        raise EphysplastError(f"{name} has another number of rows than Δt", got=str(array.size), wanted=str(n))
    return np.broadcast_to(array.ravel() if array.ndim else array, n).copy()
