"""What every measured result offers: a tidy table, and its numbers as Quantities."""

from dataclasses import dataclass, fields
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

from ephysplast.errors import OK, EphysplastError, near_names
from ephysplast.units import plain_name, to_quantity, unit_of

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """One quantity of a cell, with its interval; the field that holds it carries the unit in its name.

    Attributes
    ----------
    value : float
        NaN exactly when the status is not ``"ok"``.
    low, high : float
        Interval at the analyser's confidence level; NaN when there is none (one observation), infinite where that
        side is open.
    status : str
        ``"ok"``, or why there is no value.
    method : str
        How it was found, for people: ``"probit over 60 steps"``.
    is_bracket : bool
        True when `low` and `high` are hard bounds (the step below, and the step above, the rheobase) and no
        confidence interval.

    Examples
    --------
    >>> Estimate(value=120.0, low=100.0, high=120.0, method="steps of 20 pA", is_bracket=True).status
    'ok'
    >>> Estimate.missing("the cell did not fire").value
    nan
    """

    value: float
    low: float = nan
    high: float = nan
    status: str = OK
    method: str = ""
    is_bracket: bool = False

    def __post_init__(self) -> None:
        if (self.status == OK) != isfinite(self.value):
            raise EphysplastError(
                "an estimate has a value exactly when it is ok", got=f"{self.value} with status '{self.status}'"
            )

    @classmethod
    def missing(cls, why: str) -> "Estimate":
        """Return an estimate without a value, and the reason."""
        return cls(value=nan, status=why)


class Result:
    """Base of all results: frozen dataclasses (``eq=False``) of arrays and scalars with a status.

    A scalar is NaN exactly when the status that stands for it is not ``"ok"``.
    """

    __slots__ = ()

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table: one row per observation, units in the column names."""
        raise NotImplementedError(f"{type(self).__name__} has no table of its own")

    def quantity(self, name: str) -> Any:
        """Return the field `name` as a `quantities.Quantity`.

        The unit is read off the field's name; for a field that carries none (an amplitude is in mV or pA) it is the
        result's own ``unit``.

        Raises
        ------
        EphysplastError
            If there is no such field, or it is not a number.
        """
        numeric = [each.name for each in fields(self)]  # type: ignore[arg-type]
        if name not in numeric:
            raise EphysplastError(f"{type(self).__name__} has no field '{name}'", remedy=near_names(name, numeric))
        unit = unit_of(name) or str(getattr(self, "unit", ""))
        held = getattr(self, name)
        try:
            return to_quantity(held.value if isinstance(held, Estimate) else held, unit)
        except (TypeError, ValueError) as error:
            raise EphysplastError(f"'{name}' is not a number", got=repr(getattr(self, name))[:60]) from error


def estimates_frame(result: Result) -> "pd.DataFrame":
    """Return one row per estimate of a result: quantity, value, low, high, unit, method, status.

    Examples
    --------
    >>> @dataclass(frozen=True, eq=False)
    ... class Found(Result):
    ...     rheobase_pa: Estimate
    >>> estimates_frame(Found(Estimate(value=120.0)))[["quantity", "value", "unit"]].values.tolist()
    [['rheobase', 120.0, 'pA']]
    """
    import pandas as pd

    held = {each.name: getattr(result, each.name) for each in fields(result)}  # type: ignore[arg-type]
    return pd.DataFrame(
        [
            {
                "quantity": plain_name(name),
                "value": each.value,
                "low": each.low,
                "high": each.high,
                "unit": unit_of(name),
                "method": each.method,
                "status": each.status,
            }
            for name, each in held.items()
            if isinstance(each, Estimate)
        ]
    )
