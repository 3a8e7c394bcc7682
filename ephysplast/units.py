"""Units: what a file calls them, what the field calls them, and the bridge to `quantities`.

Inside the package numbers are floats in mV, pA and s. Any other quantity carries its unit as the last part of its
name (``rin_mohm``, ``rise_ms``), so the unit of a result can be read off its field.
"""

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.errors import EphysplastError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

_PREFIXES: Final = {"": 0, "k": 3, "m": -3, "u": -6, "µ": -6, "μ": -6, "n": -9, "p": -12, "f": -15}
_BASES: Final = {"V": ("mV", -3), "A": ("pA", -12)}

ELECTRODE_UNITS: "Final[Mapping[str, tuple[str, float]]]" = {
    prefix + base: (unit, 10.0 ** (exponent - reference))
    for base, (unit, reference) in _BASES.items()
    for prefix, exponent in _PREFIXES.items()
}
"""File unit → (unit used here, factor): ``"nA"`` → ``("pA", 1000.0)``."""

SUFFIXES: "Final[Mapping[str, str]]" = {
    "mv_per_ms": "mV/ms",
    "hz_per_pa": "Hz/pA",
    "pa_per_ms": "pA/ms",
    "percent_per_10min": "%/10 min",
    "percent": "%",
    "gohm": "GΩ",
    "mohm": "MΩ",
    "khz": "kHz",
    "mm": "mM",
    "hz": "Hz",
    "mv": "mV",
    "ms": "ms",
    "pa": "pA",
    "pc": "pC",
    "pf": "pF",
    "ns": "nS",
    "degc": "°C",
    "min": "min",
    "s": "s",
}
"""Last part of a field name → unit as written on an axis."""

# Unit as written here → (unit that `quantities` can parse, factor to it).
_QUANTITIES: Final = {
    "MΩ": ("Mohm", 1.0),
    "GΩ": ("Mohm", 1e3),
    "%": ("percent", 1.0),
    "°C": ("degC", 1.0),
    "%/10 min": ("percent/min", 0.1),
    "pC": ("pA*s", 1.0),
    "": ("dimensionless", 1.0),
}


def electrode_unit(unit: str) -> tuple[str, float]:
    """Say in which unit a channel is kept, and the factor that takes it there.

    Parameters
    ----------
    unit : str
        The unit as the file writes it. Voltages go to mV and currents to pA; any other unit is kept.

    Returns
    -------
    unit : str
        ``"mV"``, ``"pA"`` or the unit that was given.
    factor : float
        Multiply the file's numbers by it.

    Examples
    --------
    >>> electrode_unit("nA")
    ('pA', 1000.0)
    >>> electrode_unit("mmHg")
    ('mmHg', 1.0)
    """
    stripped = unit.strip()
    return ELECTRODE_UNITS.get(stripped, (stripped, 1.0))


def unit_of(field: str) -> str:
    """Read the unit off a field's name; empty when it carries none.

    Examples
    --------
    >>> unit_of("rin_mohm"), unit_of("latency_ms"), unit_of("amplitude")
    ('MΩ', 'ms', '')
    """
    return SUFFIXES.get(_suffix_of(field), "")


def plain_name(field: str) -> str:
    """Return a field's name without its unit.

    Examples
    --------
    >>> plain_name("rin_mohm"), plain_name("gain_hz_per_pa"), plain_name("sag_ratio")
    ('rin', 'gain', 'sag_ratio')
    """
    suffix = _suffix_of(field)
    return field.removesuffix(f"_{suffix}") if suffix else field


def _suffix_of(field: str) -> str:
    return next((suffix for suffix in SUFFIXES if field == suffix or field.endswith("_" + suffix)), "")


def strip_unit(value: Any, unit: str) -> "NDArray[np.float64]":
    """Turn a Quantity into plain floats of the wanted unit; plain numbers pass through.

    Parameters
    ----------
    value : array_like or quantities.Quantity
        Numbers, taken to be in `unit` already, or a Quantity of any unit of the same dimension.
    unit : str
        The unit wanted, as this module writes it: ``"mV"``, ``"MΩ"``.

    Returns
    -------
    numpy.ndarray of float64
        Same shape as `value`.

    Raises
    ------
    EphysplastError
        If the Quantity has another dimension.

    Examples
    --------
    >>> import quantities as pq
    >>> strip_unit(pq.Quantity([1.5, 2.0], "nA"), "pA").round(6).tolist()
    [1500.0, 2000.0]
    >>> float(strip_unit(3.0, "pA"))
    3.0
    """
    if not hasattr(value, "rescale"):
        return np.asarray(value, dtype=np.float64)
    name, factor = _QUANTITIES.get(unit, (unit, 1.0))
    try:
        return np.asarray(value.rescale(name).magnitude, dtype=np.float64) / factor
    except ValueError as error:
        raise EphysplastError(
            "the quantity has the wrong dimension",
            got=str(value.dimensionality),
            wanted=unit,
            remedy="give it in a unit that converts",
        ) from error


def to_quantity(values: "ArrayLike", unit: str) -> Any:
    """Give plain floats their unit, for code that works with `quantities`.

    Examples
    --------
    >>> to_quantity([1.0, 2.0], "MΩ")
    array([1., 2.]) * megaohm
    """
    import quantities  # not at import time: it costs 0.2 s that the command line does not need

    name, factor = _QUANTITIES.get(unit, (unit, 1.0))
    return quantities.Quantity(np.asarray(values, dtype=np.float64) * factor, name)
