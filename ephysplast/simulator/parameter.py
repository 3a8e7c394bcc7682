"""A rule's parameters: what each means, its unit and bounds, what is thought of it beforehand, and who published it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TYPE_CHECKING, Any, Final, TypeAlias, final

import numpy as np

from ephysplast.errors import EphysplastError, SettingsError, near_names
from ephysplast.recording import FloatArray
from ephysplast.units import strip_unit

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

AGREED: Final = "two independent public sources agree"
SINGLE: Final = "one source, or read off a figure"
UNCHECKED: Final = "general knowledge, not checked"
OPERATIONAL: Final = "operational form, not published"
SIGN_ONLY: Final = "the sign is published; operational form, not published"
CONFIDENCES: Final = (AGREED, SINGLE, UNCHECKED, OPERATIONAL, SIGN_ONLY)
"""How sure a form or a value is, for people."""

Values: TypeAlias = dict[str, FloatArray]
"""Parameter → its values, shape (1,) or (n_sets,)."""


@final
@dataclass(frozen=True, kw_only=True)
class Uniform:
    """Every value between two ends is as likely."""

    low: float
    high: float

    def quantile(self, share: "ArrayLike") -> FloatArray:
        """Return the value below which that share of the prior lies.

        Examples
        --------
        >>> float(Uniform(low=2.0, high=4.0).quantile(0.25))
        2.5
        """
        return self.low + np.asarray(share, dtype=np.float64) * (self.high - self.low)


@final
@dataclass(frozen=True, kw_only=True)
class LogUniform:
    """Every order of magnitude between two ends is as likely."""

    low: float
    high: float

    def quantile(self, share: "ArrayLike") -> FloatArray:
        """Return the value below which that share of the prior lies.

        Examples
        --------
        >>> round(float(LogUniform(low=1.0, high=100.0).quantile(0.5)), 6)
        10.0
        """
        return np.exp(log(self.low) + np.asarray(share, dtype=np.float64) * (log(self.high) - log(self.low)))


Prior: TypeAlias = Uniform | LogUniform


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One number of a rule.

    Attributes
    ----------
    name : str
        As it is given to :func:`~ephysplast.simulator.simulate`; times, rates and potentials end in their unit.
    value : float
        The published value, or a starting value where there is none; `confidence` says which.
    unit : str
        As on an axis; empty for a pure number.
    low, high : float
        Values outside are refused.
    prior : Uniform or LogUniform
        What is thought of it before any data.
    meaning : str
        What it is, in a line.
    source : str
        The paper the value is from.
    confidence : str
        One of :data:`CONFIDENCES`.
    """

    name: str
    value: float
    unit: str
    low: float
    high: float
    prior: Prior
    meaning: str
    source: str
    confidence: str

    def __post_init__(self) -> None:
        """Refuse a value outside its own prior or bounds."""
        ends = (self.low, self.prior.low, self.value, self.prior.high, self.high)
        if list(ends) != sorted(ends) or not self.prior.low < self.prior.high:
            raise EphysplastError(f"the parameter {self.name} contradicts its own bounds", got=str(self))
        if self.confidence not in CONFIDENCES:
            raise EphysplastError(
                f"the confidence of {self.name} is not one that exists",
                got=self.confidence,
                wanted="; ".join(CONFIDENCES),
            )


def amplitude(
    name: str,
    value: float,
    *,
    meaning: str,
    source: str,
    confidence: str,
    high: float = 1.0,
    likely: float = 0.05,
    unit: str = "",
) -> Parameter:
    """Make the parameter of a change per spike or pair: never negative, the sign is the rule's."""
    prior = Uniform(low=0.0, high=likely)
    return Parameter(
        name=name,
        value=value,
        unit=unit,
        low=0.0,
        high=high,
        prior=prior,
        meaning=meaning,
        source=source,
        confidence=confidence,
    )


def time_constant(
    name: str,
    value: float,
    *,
    meaning: str,
    source: str,
    confidence: str,
    low: float = 0.1,
    high: float = 10_000.0,
    likely: tuple[float, float] = (2.0, 200.0),
) -> Parameter:
    """Make the parameter of a time in ms, likely over orders of magnitude."""
    prior = LogUniform(low=likely[0], high=likely[1])
    return Parameter(
        name=name,
        value=value,
        unit="ms",
        low=low,
        high=high,
        prior=prior,
        meaning=meaning,
        source=source,
        confidence=confidence,
    )


def constant(
    name: str,
    value: float,
    *,
    unit: str,
    bounds: tuple[float, float],
    meaning: str,
    source: str,
    confidence: str,
    likely: tuple[float, float] | None = None,
) -> Parameter:
    """Make any other parameter; `likely` is the range of its prior, else the bounds."""
    low, high = likely or bounds
    return Parameter(
        name=name,
        value=value,
        unit=unit,
        low=bounds[0],
        high=bounds[1],
        prior=Uniform(low=low, high=high),
        meaning=meaning,
        source=source,
        confidence=confidence,
    )


def parameter_sets(
    parameters: Sequence[Parameter], given: Mapping[str, Any] | None, *, rule: str
) -> tuple[Values, int]:
    """Put what the user gave in the place of the rule's own values, and check it.

    Parameters
    ----------
    parameters : sequence of Parameter
        Of the rule.
    given : mapping of str to array_like or Quantity, or None
        Name → one value, or one value for each parameter set.
    rule : str
        Its name, for the words.

    Returns
    -------
    values : dict of str to numpy.ndarray, shape (1,) or (n_sets,)
        Every parameter of the rule.
    n_sets : int
        How many parameter sets there are.

    Raises
    ------
    SettingsError
        For an unknown name, a value outside its bounds, NaN, or lists of different lengths.

    Examples
    --------
    >>> tau = time_constant("tau_ms", 20.0, meaning="window", source="", confidence=AGREED)
    >>> parameter_sets([tau], {"tau_ms": [10.0, 20.0]}, rule="mine")
    ({'tau_ms': array([10., 20.])}, 2)
    """
    known = {each.name: each for each in parameters}
    values = {name: np.array([each.value]) for name, each in known.items()}
    for name, value in (given or {}).items():
        if name not in known:
            raise SettingsError(f"the rule {rule} has no parameter '{name}'", remedy=near_names(name, known))
        values[name] = _checked(known[name], value, rule=rule)
    sizes = {name: values[name].size for name in (given or {})}
    n_sets = next((each for each in sizes.values() if each != 1), 1)
    for name, size in sizes.items():
        if size not in (1, n_sets):
            raise SettingsError(
                f"the parameters of {rule} are lists of different lengths",
                got=", ".join(f"{each} × {name}" for name, each in sizes.items()),
                wanted="one value, or one for each parameter set",
            )
    return values, n_sets


def _checked(parameter: Parameter, value: Any, *, rule: str) -> FloatArray:
    try:
        found = np.atleast_1d(strip_unit(value, parameter.unit))
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"the parameter {parameter.name} of {rule} is not a number", got=repr(value)[:60]
        ) from error
    if found.ndim != 1 or not found.size:
        raise SettingsError(
            f"the parameter {parameter.name} of {rule} has the wrong shape",
            got=str(found.shape),
            wanted="one number, or a list with one for each parameter set",
        )
    bad = np.flatnonzero(~((found >= parameter.low) & (found <= parameter.high)))  # NaN is bad too
    if bad.size:
        where = f" (parameter set {bad[0] + 1} of {found.size})" if found.size > 1 else ""
        raise SettingsError(
            f"the parameter {parameter.name} of {rule} is outside its bounds",
            got=f"{found[bad[0]]:g}{where}",
            wanted=f"{parameter.low:g} to {parameter.high:g} {parameter.unit}".rstrip(),
        )
    return found
