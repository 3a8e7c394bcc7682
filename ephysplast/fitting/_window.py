"""What a timing window and its parameters are: records that the list of windows is made of.

A window is a sum of basis functions of Δt, each times an amplitude. It is linear in the amplitudes, which are signed
changes as fractions of the baseline (+0.5 is a growth to 150 %), and not in the shape parameters. The amplitude of an
exponential is the change at Δt → 0 of its side.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import log
from typing import Final, Literal, TypeAlias

import numpy as np
from scipy.special import ndtr, ndtri

from ephysplast._words import minus
from ephysplast.recording import FloatArray

Role: TypeAlias = Literal["shape", "amplitude", "offset", "noise"]
Basis: TypeAlias = Callable[[FloatArray, FloatArray], tuple[FloatArray, ...]]
"""(Δt of shape (m,), shape parameters of shape (sets, n_shape)) → one array (sets, m) for each amplitude."""

_EDGE: Final = 1e-15
"""Standard normal quantiles are taken no closer than this to 0 and 1."""


@dataclass(frozen=True, kw_only=True)
class Prior:
    """What is believed of a parameter before the data.

    Attributes
    ----------
    kind : {"normal", "lognormal"}
        Both are cut off at the parameter's bounds: a normal about 0 with a bound at 0 is a half-normal.
    centre : float
        Mean of a normal, median of a lognormal.
    spread : float
        Standard deviation; of the natural logarithm for a lognormal.
    """

    kind: Literal["normal", "lognormal"]
    centre: float
    spread: float


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter of a window.

    Attributes
    ----------
    name : str
        With the unit as its last part; an amplitude is a fraction and carries none.
    symbol : str
        As it stands in the formula.
    unit : str
        ``"ms"`` or empty.
    role : {"shape", "amplitude", "offset", "noise"}
        All but shapes scale with the changes.
    low, high : float
        Bounds, which the fit and the posterior keep.
    prior : Prior
        Belief before the data.
    source : str
        Where bounds and prior come from.

    Examples
    --------
    >>> from ephysplast.fitting import WINDOWS
    >>> tau = WINDOWS[0].shape[0]
    >>> tau.from_standard(np.array([0.0])).round(1).tolist()
    [20.0]
    """

    name: str
    symbol: str
    unit: str
    role: Role
    low: float
    high: float
    prior: Prior
    source: str

    def from_standard(self, z: FloatArray, *, scale: float = 1.0) -> FloatArray:
        """Turn standard normal numbers into draws from the prior.

        Parameters
        ----------
        z : numpy.ndarray
            Any shape; 0 is the median.
        scale : float
            Times this for everything that is a change.

        Returns
        -------
        numpy.ndarray
            Values within the bounds, monotonic in `z`.
        """
        # Far above the median 1 - ndtr(z) has no digits left, so that side is taken from the upper tail.
        low, high = self._standard_bounds()
        upper = z > 0.0
        tail = ndtr(-np.abs(z))
        below = np.clip(ndtr(low) + tail * (ndtr(high) - ndtr(low)), _EDGE, 1.0 - _EDGE)
        above = np.clip(ndtr(-high) + tail * (ndtr(-low) - ndtr(-high)), _EDGE, 1.0 - _EDGE)
        standard = np.clip(np.where(upper, -ndtri(above), ndtri(below)), low, high)
        factor = 1.0 if self.role == "shape" else scale
        if self.prior.kind == "lognormal":
            return np.asarray(factor * self.prior.centre * np.exp(self.prior.spread * standard))
        return np.asarray(factor * (self.prior.centre + self.prior.spread * standard))

    def said(self, value: float) -> str:
        """Write a value as people read it: changes in per cent, times in ms.

        Examples
        --------
        >>> from ephysplast.fitting import NOISE
        >>> NOISE.said(0.153)
        '15.3 %'
        """
        if self.role == "shape":
            return minus(f"{value:.3g} {self.unit}".rstrip())
        return minus(f"{100 * value + 0.0:.3g} %")

    def bounds(self, scale: float = 1.0) -> tuple[float, float]:
        """Return the bounds, those of a change times `scale`."""
        factor = 1.0 if self.role == "shape" else scale
        return factor * self.low, factor * self.high

    def _standard_bounds(self) -> tuple[float, float]:
        if self.prior.kind == "normal":
            return (self.low - self.prior.centre) / self.prior.spread, (
                self.high - self.prior.centre
            ) / self.prior.spread
        low, high = (log(each / self.prior.centre) / self.prior.spread for each in (self.low, self.high))
        return low, high


@dataclass(frozen=True, kw_only=True)
class Window:
    """One timing window.

    Attributes
    ----------
    name, short, title : str
        For code, for figures, and for people.
    formula : str
        The change at Δt.
    source : str
        Where such a window was found or proposed.
    shape : tuple of Parameter
        What it is not linear in.
    amplitudes : tuple of Parameter
        What it is linear in, in the order of the basis functions.
    basis : callable
        The basis functions: Δt (m,) and shape parameters (sets, n_shape) → one array, broadcastable to (sets, m), per
        amplitude. At Δt = 0 the two sides of an asymmetric window are averaged.
    half_width_ratio : float
        Half-width at half-maximum, above the offset, over the first shape parameter; none for windows without.

    Examples
    --------
    >>> from ephysplast.fitting import find_window
    >>> hebbian = find_window("hebbian")
    >>> hebbian.change(np.array([-20.0, 20.0]), shape=[20.0, 20.0], amplitudes=[1.0, -0.5]).round(3).tolist()
    [-0.184, 0.368]
    """

    name: str
    short: str
    title: str
    formula: str
    source: str
    shape: tuple[Parameter, ...]
    amplitudes: tuple[Parameter, ...]
    basis: Basis
    half_width_ratio: float | None = None

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Shape parameters, then amplitudes."""
        return self.shape + self.amplitudes

    def change(self, delta_t_ms: FloatArray, *, shape: object, amplitudes: object) -> FloatArray:
        """Return the change at each Δt for one set of parameters, as a fraction of the baseline.

        Parameters
        ----------
        delta_t_ms : numpy.ndarray, shape (m,)
            t_post − t_pre.
        shape, amplitudes : array_like of float
            In the order of the records.

        Returns
        -------
        numpy.ndarray, shape (m,)
        """
        at = np.atleast_1d(np.asarray(delta_t_ms, dtype=np.float64))
        sets = np.concatenate([np.asarray(shape, float).ravel(), np.asarray(amplitudes, float).ravel()])[None, :]
        return np.asarray(self.changes(at, sets)[0])

    def changes(self, delta_t_ms: FloatArray, values: FloatArray) -> FloatArray:
        """Return the change at each Δt for many sets of parameters.

        Parameters
        ----------
        delta_t_ms : numpy.ndarray, shape (m,)
        values : numpy.ndarray, shape (sets, n_parameters or more)
            Shape parameters, then amplitudes; further columns are ignored.

        Returns
        -------
        numpy.ndarray, shape (sets, m)
        """
        n_shape = len(self.shape)
        total = np.zeros((len(values), len(delta_t_ms)))
        for i, each in enumerate(self.basis(delta_t_ms, values[:, :n_shape])):
            total += values[:, n_shape + i, None] * each
        return total
