"""Which column of a table holds what, and in which unit: guessed, said, and refused where a guess could be wrong."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np

from ephysplast.errors import EphysplastError, near_names
from ephysplast.fitting._tables import Columns, is_missing, per_cent_signs
from ephysplast.recording import FloatArray

ChangeUnit: TypeAlias = Literal["fraction", "percent", "ratio", "percent of baseline"]
DeltaTSign: TypeAlias = Literal["post-pre", "pre-post"]

_ORDER: Final = "t_?post_t_?pre|t_?pre_t_?post|post_pre|pre_post"
_DELTA_T: Final = rf"(induction_)?(delta_?t|dt|delta_time|({_ORDER})(_interval)?|(spike_)?timing|interval|lag)"
_MS: Final = "ms|msec|milliseconds?"
_S: Final = "s|sec|seconds?"
_RELATIVE: Final = r"normali[sz]ed\w*|percent_of_(baseline|control)|percent_(baseline|control)"
_CHANGED: Final = rf"(change|ratio|potentiation|plasticity|delta_w|dw|{_RELATIVE})"
_IN: Final = "percent|pct|fraction|ratio|of_baseline|of_control|of_baseline_percent"
ROLES: Final[Mapping[str, str]] = {
    "delta_t": rf"{_DELTA_T}(_({_MS}|{_S}))?",
    "change": rf"(\w+_)?{_CHANGED}(_({_IN}))?|percent_change",
    "sem": r"(\w+_)?(sem|se|s_e_m|standard_error|std_err|stderr)(_(percent|change|fraction|ratio))?",
    "sd": r"(change_)?(sd|std|s_d|standard_deviation)(_(percent|change|fraction|ratio))?",
    "change_low": r"change_(low|lower|ci_low)(_percent)?",
    "change_high": r"change_(high|upper|ci_high)(_percent)?",
    "n_cells": r"n|n_cells?|cells|number_of_cells|n_experiments",
    "delta_t_sd": rf"{_DELTA_T}_(sd|std|jitter)(_m?s)?|jitter(_m?s)?",
    "delta_t_error": rf"{_DELTA_T}_(error|err|uncertainty)(_m?s)?",
    "label": r"experiment|cell|cell_id|id|recording|name|label",
    "condition": r"condition|group|treatment|drug|genotype",
    "unit": r"unit|change_unit",
}
"""What a column may hold → how its name then looks, in lower case with ``_`` for everything else."""

_UNIT_WORDS: Final[Mapping[str, ChangeUnit]] = {
    "fraction": "fraction",
    "fractional change": "fraction",
    "percent": "percent",
    "%": "percent",
    "% change": "percent",
    "percent change": "percent",
    "ratio": "ratio",
    "fold": "ratio",
    "percent of baseline": "percent of baseline",
    "% of baseline": "percent of baseline",
    "% baseline": "percent of baseline",
}
_NO_CHANGE: Final[Mapping[ChangeUnit, float]] = {
    "fraction": 0.0,
    "percent": 0.0,
    "ratio": 1.0,
    "percent of baseline": 100.0,
}
_ONE: Final[Mapping[ChangeUnit, float]] = {
    "fraction": 1.0,
    "percent": 100.0,
    "ratio": 1.0,
    "percent of baseline": 100.0,
}
"""Unit → the number that is a change of the whole baseline."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The unit of the changes, and how it was found."""

    name: ChangeUnit
    how: str

    def to_fraction(self, values: FloatArray) -> FloatArray:
        """Turn changes into fractions of the baseline: −0.2 is a fall by 20 %."""
        return (values - _NO_CHANGE[self.name]) / _ONE[self.name]

    def scale(self, values: FloatArray, *, column: str = "") -> FloatArray:
        """Turn errors of changes into fractions of the baseline; their own column may name another unit."""
        plain = plain_name(column)
        if re.search("percent|pct", plain):
            return values / 100.0
        return values / (1.0 if re.search("fraction|ratio", plain) else _ONE[self.name])


def find_columns(columns: Columns, given: Mapping[str, str]) -> dict[str, str]:
    """Return which column plays which role; those given win, and the two that every fit needs must be there.

    Raises
    ------
    EphysplastError
        If a role or column does not exist, several columns may be meant, or Δt or the change is not found.
    """
    for role, name in given.items():
        if role not in ROLES:
            raise EphysplastError(
                "a table of changes has no such column", got=f"'{role}'", remedy=near_names(role, ROLES)
            )
        if name not in columns:
            raise EphysplastError(f"the table has no column '{name}'", remedy=near_names(name, columns))
    found = dict(given)
    for role, pattern in ROLES.items():
        free = [name for name in columns if name not in found.values() and re.fullmatch(pattern, plain_name(name))]
        filled = [name for name in free if not all(is_missing(cell) for cell in columns[name])]
        if role in found or not filled:
            continue
        exact = [name for name in filled if plain_name(name) == role]
        filled = exact if len(exact) == 1 else filled
        if len(filled) > 1 and role in ("delta_t", "change", "sem"):
            raise EphysplastError(
                f"several columns may hold {_SAID[role]}",
                got=", ".join(filled),
                remedy=f'say which: columns={{"{role}": "{filled[0]}"}}, or --column "{role}={filled[0]}"',
            )
        found[role] = filled[0]
    for role in ("delta_t", "change"):
        if role not in found:
            raise EphysplastError(
                f"no column holds {_SAID[role]} by its name",
                got=", ".join(columns),
                remedy=f'say which: columns={{"{role}": "…"}}, or --column "{role}=…"',
            )
    return found


_SAID: Final = {"delta_t": "Δt", "change": "the change", "sem": "its standard error"}


def plain_name(name: str) -> str:
    """Write a column's name in lower case with single underscores.

    Examples
    --------
    >>> plain_name("Δt (ms)"), plain_name("% of baseline")
    ('delta_t_ms', 'percent_of_baseline')
    """
    text = re.sub("[ΔδΔ∆]", " delta ", name).replace("%", " percent ").lower()
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")


def delta_t_sign(name: str, given: "DeltaTSign | None") -> tuple[int, str]:
    """Return +1 when the column counts Δt as t_post − t_pre, −1 when the other way round, and how that is known."""
    ours = "Δt = t_post − t_pre, positive when pre leads"
    if given is not None:
        if given not in ("post-pre", "pre-post"):
            raise EphysplastError("Δt cannot be counted so", got=f"'{given}'", wanted="post-pre or pre-post")
        return (
            (1, f"{ours}, as told") if given == "post-pre" else (-1, f"told to be t_pre − t_post: turned into {ours}")
        )
    plain = plain_name(name)
    if re.search(r"t_?pre_t_?post|pre_minus_post", plain):
        return -1, f"'{name}' counts t_pre − t_post: turned into {ours}"
    if "pre_post" in plain:
        raise EphysplastError(
            f"'{name}' does not say which order is positive",
            got="a difference pre − post, or the interval from pre to post",
            remedy="--delta-t-is post-pre (delta_t_is) when positive means that pre leads, else pre-post",
        )
    if plain.startswith("induction_delta_t") or re.search(r"post_t?_?pre", plain):
        return 1, f"{ours}, as '{name}' says"
    return 1, f"the table does not say how Δt is counted: {ours}, was assumed"


def delta_t_factor(name: str, values: FloatArray) -> tuple[float, str]:
    """Return the factor that turns a column of times into ms, and a note where it had to be assumed."""
    plain = plain_name(name)
    if re.search(f"_({_MS})$", plain):
        return 1.0, ""
    if re.search(f"_({_S})$", plain):
        return 1000.0, f"'{name}' is in s"
    if values.size and np.abs(values).max() < 1.0:
        raise EphysplastError(
            f"'{name}' does not say whether it is in s or ms",
            got=f"no value above {np.abs(values).max():g}",
            remedy="name the column so that it ends in _ms or _s",
        )
    return 1.0, f"'{name}' was taken to be in ms"


def change_unit(columns: Columns, roles: Mapping[str, str], values: FloatArray, given: "ChangeUnit | None") -> Unit:
    """Return the unit of the changes: told, written in the table, in the column's name, or plain from the values.

    Raises
    ------
    EphysplastError
        If units are mixed, or the unit cannot be told.
    """
    name = roles["change"]
    if given is not None:
        if given not in _ONE:
            raise EphysplastError("a change cannot have this unit", got=f"'{given}'", remedy=near_names(given, _ONE))
        return Unit(name=given, how="as told")
    unit = (
        _written(columns, roles) or _signed(columns[name], name) or _named(name, values, roles) or _from_values(values)
    )
    if unit is None:
        raise EphysplastError(
            f"the unit of '{name}' cannot be told",
            got=f"values from {values.min():g} to {values.max():g}",
            wanted=", ".join(_ONE),
            remedy='say which: unit="percent", or --unit percent',
        )
    _refuse_mixture(unit, values, name)
    return unit


def _written(columns: Columns, roles: Mapping[str, str]) -> Unit | None:
    if "unit" not in roles:
        return None
    words = sorted({str(cell).strip() for cell in columns[roles["unit"]] if not is_missing(cell)})
    units = [_UNIT_WORDS.get(word.lower()) for word in words]
    if not units:
        return None
    if len(set(units)) > 1:
        raise _mixed(f"the column '{roles['unit']}' has several", ", ".join(words))
    return Unit(name=units[0], how=f"as '{roles['unit']}' says") if units[0] else None


def _signed(cells: Sequence[Any], name: str) -> Unit | None:
    n = per_cent_signs(cells)
    known = sum(not is_missing(cell) for cell in cells)
    if n == 0:
        return None
    if n < known:
        raise _mixed(f"{n} of {known} cells of '{name}' have a per cent sign", "")
    if "baseline" in plain_name(name) or "control" in plain_name(name):
        return Unit(name="percent of baseline", how=f"as '{name}' says")
    if any(str(cell).strip().startswith(("-", "−", "–")) for cell in cells if not is_missing(cell)):
        return Unit(name="percent", how="as the per cent signs say")
    return None


def _named(name: str, values: FloatArray, roles: Mapping[str, str]) -> Unit | None:
    plain, how = plain_name(name), f"as '{name}' says"
    if plain == "change" and plain_name(roles["delta_t"]).startswith("induction_delta_t"):
        return Unit(name="ratio", how="a study's own table")
    if re.search("percent|pct", plain):
        relative = "baseline" in plain or "control" in plain or "normali" in plain
        return Unit(name="percent of baseline" if relative else "percent", how=how)
    plainly: tuple[ChangeUnit, ...] = ("fraction", "ratio")
    for unit in plainly:
        if unit in plain:
            return Unit(name=unit, how=how)
    return None


def _from_values(values: FloatArray) -> Unit | None:
    """Judge by the values; without a fall among them growths and ratios look alike."""
    largest, lowest = float(np.abs(values).max()), float(values.min())
    if lowest >= 0.0:
        return None
    if largest > 5.0:
        # A response that is six times as large is hardly seen.
        return Unit(name="percent", how="judged from the values")
    # A fall by more than the whole is impossible, so that −3 of these would have to be per cent.
    return Unit(name="fraction", how="judged from the values") if lowest >= -1.0 else None


def _refuse_mixture(unit: Unit, values: FloatArray, name: str) -> None:
    size = np.abs(values[values != 0.0])
    if not size.size:
        return
    if unit.name in ("fraction", "ratio"):
        strange = size > 10.0
    elif unit.name == "percent of baseline":
        strange = size < 5.0
    else:
        ordered = np.sort(size)
        gap = np.argmax(ordered[1:] / ordered[:-1]) if len(ordered) > 1 else 0
        apart = len(ordered) > 1 and ordered[gap] <= 2.0 and ordered[gap + 1] >= 8.0 and gap + 1 >= 3
        strange = size <= ordered[gap] if apart else np.zeros(len(size), bool)
        if ordered[-1] < 3.0:
            strange = np.ones(len(size), bool)
    if strange.any():
        some = ", ".join(f"{each:g}" for each in size[strange][:4])
        raise _mixed(
            f"'{name}' is {_THE[unit.name]} ({unit.how}), and {int(strange.sum())} of its values do not look so", some
        )


_THE: Final[Mapping[str, str]] = {
    "fraction": "a fraction",
    "percent": "a change in per cent",
    "ratio": "a ratio",
    "percent of baseline": "in per cent of the baseline",
}


def _mixed(what: str, got: str) -> EphysplastError:
    return EphysplastError(
        f"the units of the changes are mixed: {what}",
        got=got,
        remedy='bring all rows to one unit, or say that they are: unit="percent", or --unit percent',
    )
