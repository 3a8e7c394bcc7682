"""What every measured result offers: a tidy table, and its numbers as Quantities."""

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from ephysplast.errors import EphysplastError, near_names
from ephysplast.units import to_quantity, unit_of

if TYPE_CHECKING:
    import pandas as pd


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
        try:
            return to_quantity(getattr(self, name), unit)
        except (TypeError, ValueError) as error:
            raise EphysplastError(f"'{name}' is not a number", got=repr(getattr(self, name))[:60]) from error
