"""A rule: equations, the numbers that go into them, and where the weight lives."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ephysplast.errors import EphysplastError, SettingsError, near_names
from ephysplast.simulator.equations import Equations
from ephysplast.simulator.expression import VARIABLES, Expression
from ephysplast.simulator.parameter import CONFIDENCES, Parameter

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A named plasticity rule.

    Attributes
    ----------
    name : str
        As it is given to :func:`~ephysplast.simulator.simulate`.
    family : str
        Rules of one family share their equations.
    summary : str
        What it says, in a line.
    equations : Equations
        How spikes change things.
    parameters : tuple of Parameter
        Every number in the equations.
    expression : Expression or None
        Where the weight lives; None when the equations name their variables themselves.
    source : str
        Paper and DOI of the form.
    confidence : str
        How sure the form is, one of :data:`~ephysplast.simulator.parameter.CONFIDENCES`.
    note : str
        What a user must know before using it.
    """

    name: str
    family: str
    summary: str
    equations: Equations
    parameters: tuple[Parameter, ...]
    expression: Expression | None
    source: str
    confidence: str
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse a rule whose equations and parameters do not fit each other."""
        names = [each.name for each in self.parameters]
        if sorted(names) != sorted(self.equations.needs()):
            raise EphysplastError(
                f"the parameters of {self.name} are not those of its equations",
                got=", ".join(sorted(names)),
                wanted=", ".join(sorted(self.equations.needs())),
            )
        known = {each.name for each in VARIABLES} | {"w"}
        strange = set(self.equations.variables()) - known
        if strange or ("w" in self.equations.variables()) != (self.expression is not None):
            raise EphysplastError(
                f"{self.name} changes what is no expression variable, or its weight has no place",
                got=f"{', '.join(self.equations.variables())}, expression {self.expression}",
                wanted=f"{', '.join(sorted(known))}; an expression exactly when there is a w",
            )
        if self.confidence not in CONFIDENCES:
            raise EphysplastError(f"the confidence of {self.name} is not one that exists", got=self.confidence)

    def parameter(self, name: str) -> Parameter:
        """Return a parameter by its name.

        Raises
        ------
        SettingsError
            If there is none; near names are offered.
        """
        known = {each.name: each for each in self.parameters}
        if name not in known:
            raise SettingsError(f"the rule {self.name} has no parameter '{name}'", remedy=near_names(name, known))
        return known[name]

    def expressed(self, expression: Expression) -> "Rule":
        """Return the same rule with its weight elsewhere.

        Raises
        ------
        SettingsError
            If the rule names its variables itself.
        """
        if self.expression is None:
            raise SettingsError(
                f"the rule {self.name} says itself what it changes",
                got=f"expression '{expression.name}'",
                wanted=f"none: it changes {', '.join(self.equations.variables())}",
            )
        return replace(self, expression=expression)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per parameter: value, unit, bounds, prior, meaning, source, confidence."""
        import pandas as pd

        return pd.DataFrame(
            [
                {
                    "parameter": each.name,
                    "value": each.value,
                    "unit": each.unit,
                    "low": each.low,
                    "high": each.high,
                    "prior": type(each.prior).__name__,
                    "prior_low": each.prior.low,
                    "prior_high": each.prior.high,
                    "meaning": each.meaning,
                    "source": each.source,
                    "confidence": each.confidence,
                }
                for each in self.parameters
            ]
        )
