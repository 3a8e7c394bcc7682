"""Reversal potentials of ions from concentrations, and back."""

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ephysplast.recording import FloatArray

GAS_J_PER_MOL_K: Final = 8.314462618
FARADAY_C_PER_MOL: Final = 96485.33212
_ZERO_DEGC_K: Final = 273.15


def thermal_mv(temperature_degc: float) -> float:
    """Return RT/F in mV: 25.7 at 25 °C.

    Examples
    --------
    >>> round(thermal_mv(25.0), 3)
    25.693
    """
    return 1e3 * GAS_J_PER_MOL_K * (temperature_degc + _ZERO_DEGC_K) / FARADAY_C_PER_MOL


def nernst_mv(inside_mm: ArrayLike, outside_mm: ArrayLike, *, temperature_degc: float, valence: int = -1) -> FloatArray:
    """Return the equilibrium potential of one ion, ``RT/zF · ln(out/in)`` (Nernst 1888).

    Parameters
    ----------
    inside_mm, outside_mm : array_like
        Concentrations in mM (strictly, activities).
    temperature_degc : float
        In °C.
    valence : int
        z; −1 for chloride.

    Returns
    -------
    numpy.ndarray
        In mV; NaN where a concentration is not positive.

    Examples
    --------
    >>> round(float(nernst_mv(10.0, 130.0, temperature_degc=37.0)), 1)
    -68.6
    """
    inside, outside = np.asarray(inside_mm, dtype=np.float64), np.asarray(outside_mm, dtype=np.float64)
    possible = (inside > 0.0) & (outside > 0.0)
    ratio = np.divide(
        outside, inside, out=np.full(np.broadcast_shapes(inside.shape, outside.shape), np.nan), where=possible
    )
    return np.asarray(thermal_mv(temperature_degc) / valence * np.log(ratio), dtype=np.float64)


def nernst_inside_mm(
    reversal_mv: ArrayLike, outside_mm: float, *, temperature_degc: float, valence: int = -1
) -> FloatArray:
    """Return the concentration inside that puts the equilibrium potential there: :func:`nernst_mv` turned round.

    Examples
    --------
    >>> round(float(nernst_inside_mm(-68.553, 130.0, temperature_degc=37.0)), 2)
    10.0
    """
    exponent = -valence * np.asarray(reversal_mv, dtype=np.float64) / thermal_mv(temperature_degc)
    return np.asarray(outside_mm * np.exp(exponent), dtype=np.float64)


def ghk_anion_mv(
    chloride_in_mm: ArrayLike,
    chloride_out_mm: float,
    *,
    bicarbonate_in_mm: float,
    bicarbonate_out_mm: float,
    permeability_ratio: float,
    temperature_degc: float,
) -> FloatArray:
    """Return the reversal potential of a pore that chloride and bicarbonate pass.

    ``E = RT/F · ln((Cl_i + r·HCO3_i)/(Cl_o + r·HCO3_o))`` with r = P_HCO3/P_Cl (Goldman 1943, doi
    10.1085/jgp.27.1.37; Bormann, Hamill & Sakmann 1987 for GABA_A receptors, doi 10.1113/jphysiol.1987.sp016493).

    Parameters
    ----------
    chloride_in_mm, chloride_out_mm, bicarbonate_in_mm, bicarbonate_out_mm : float
        Concentrations in mM.
    permeability_ratio : float
        P_HCO3/P_Cl; 0 gives Nernst's equation.
    temperature_degc : float
        In °C.

    Returns
    -------
    numpy.ndarray
        In mV.

    Examples
    --------
    >>> round(float(ghk_anion_mv(6.0, 130.0, bicarbonate_in_mm=16.0, bicarbonate_out_mm=26.0,
    ...                          permeability_ratio=0.25, temperature_degc=37.0)), 1)
    -69.9
    """
    inside = np.asarray(chloride_in_mm, dtype=np.float64) + permeability_ratio * bicarbonate_in_mm
    outside = chloride_out_mm + permeability_ratio * bicarbonate_out_mm
    return nernst_mv(inside, outside, temperature_degc=temperature_degc)


def ghk_chloride_mm(
    reversal_mv: ArrayLike,
    chloride_out_mm: float,
    *,
    bicarbonate_in_mm: float,
    bicarbonate_out_mm: float,
    permeability_ratio: float,
    temperature_degc: float,
) -> FloatArray:
    """Return [Cl⁻]_i from the reversal potential: :func:`ghk_anion_mv` turned round.

    Returns
    -------
    numpy.ndarray
        In mM; negative where the reversal lies further below than bicarbonate lets it.

    Examples
    --------
    >>> round(float(ghk_chloride_mm(-69.8565, 130.0, bicarbonate_in_mm=16.0, bicarbonate_out_mm=26.0,
    ...                             permeability_ratio=0.25, temperature_degc=37.0)), 2)
    6.0
    """
    outside = chloride_out_mm + permeability_ratio * bicarbonate_out_mm
    inside = nernst_inside_mm(reversal_mv, outside, temperature_degc=temperature_degc)
    return np.asarray(inside - permeability_ratio * bicarbonate_in_mm, dtype=np.float64)


def ghk_current(potential_mv: FloatArray, reversal_mv: float, *, temperature_degc: float) -> FloatArray:
    """Return the constant-field current of an anion, scaled to a slope of 1 pA/mV at its reversal.

    ``φ(V) ∝ V (e^{E/k} − e^{V/k}) / (1 − e^{V/k})``, k = RT/F: it rectifies outwards where more anions are outside.

    Examples
    --------
    >>> ghk_current(np.array([-90.0, -70.0, -50.0]), -70.0, temperature_degc=25.0).round(1).tolist()
    [-17.2, -0.0, 23.6]
    """
    k = thermal_mv(temperature_degc)
    volts = np.asarray(potential_mv, dtype=np.float64)
    return np.asarray(
        _per_mv(volts / k)
        * (np.exp(reversal_mv / k) - np.exp(volts / k))
        / -np.exp(reversal_mv / k)
        / _per_mv(np.array(reversal_mv / k))
        * k,
        dtype=np.float64,
    )


def _per_mv(u: FloatArray) -> FloatArray:
    """``u/(e^u − 1)``, 1 at 0."""
    small = np.abs(u) < 1e-9
    return np.where(small, 1.0 - 0.5 * u, np.divide(u, np.expm1(np.where(small, 1.0, u))))
