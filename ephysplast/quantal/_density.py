"""The fast kernel: sweep densities of many parameter sets at once, each set with its own course over the sweeps.

Amplitudes are divided by the quantal amplitude first, so components sit at whole numbers. The exponent of a component
is then a sum of products of what depends on the sweep and what depends on the component: a matrix product, and one
exponential per sweep and component.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]
SmallArray = NDArray[np.float32]

_LOG_FACTORIAL = special.gammaln(np.arange(512) + 1.0)
_CHUNK_ELEMENTS = 400_000
"""Exponents held at once (1.6 MB): they stay in the cache."""

_WIDTH_SD = 5.5
"""Released quanta further than this many binomial SDs (and 4 quanta) from the mean are left out: weight < 1e-6."""


@dataclass(frozen=True)
class SweepSets:
    """Parameter sets with a course over sweeps.

    Attributes
    ----------
    n : shape (sets,)
        Sites.
    p, q : shape (sets, sweeps)
        Course of release probability and quantal amplitude.
    within, between : shape (sets,)
        Quantal variability.
    noise : shape (sets,)
        Noise SD in quanta.
    """

    n: FloatArray
    p: FloatArray
    q: FloatArray
    within: FloatArray
    between: FloatArray
    noise: FloatArray

    def take(self, rows: NDArray[np.intp]) -> "SweepSets":
        """Return some of the sets."""
        return replace(self, **{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


def sweep_densities(values: FloatArray, sets: SweepSets) -> FloatArray:
    """Density of every sweep under every set.

    Parameters
    ----------
    values : shape (sets, sweeps)
        Amplitudes, drift already taken off for each set.
    sets : SweepSets
        The parameters.

    Returns
    -------
    shape (sets, sweeps)
        0 where all components are out of reach.
    """
    found = np.empty_like(values)
    low, width = _reach(sets.n, sets.p)
    order = np.argsort(width)
    start = 0
    while start < order.size:
        size = max(1, int(_CHUNK_ELEMENTS / values.shape[1] / width[order[min(start + 64, order.size - 1)]]))
        rows = order[start : start + min(size, 256)]
        found[rows] = _chunk(values[rows], sets.take(rows), low[rows], int(width[rows].max()))
        start += rows.size
    return found


def _reach(n: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """First number of quanta that matters, and how many of them."""
    least, most = p.min(axis=1), p.max(axis=1)
    low = np.floor(n * least - _WIDTH_SD * np.sqrt(n * least * (1 - least)) - 4.0)
    high = np.ceil(n * most + _WIDTH_SD * np.sqrt(n * most * (1 - most)) + 4.0)
    low, high = np.maximum(low, 0.0), np.minimum(high, n)
    return low, high - low + 1.0


def _chunk(values: FloatArray, sets: SweepSets, low: FloatArray, width: int) -> FloatArray:
    k = low[:, None] + np.arange(width)
    n = sets.n[:, None]
    ways, exists = _log_ways(n, k)
    by_component = np.empty((*k.shape, 5), dtype=np.float32)
    constant, linear, square = emission(n, k, sets)
    by_component[..., 0] = np.where(exists, constant + ways, -1e30)
    by_component[..., 1], by_component[..., 2], by_component[..., 3], by_component[..., 4] = linear, square, k, 1.0
    by_sweep = np.empty((values.shape[0], 5, values.shape[1]), dtype=np.float32)
    np.divide(values, sets.q, out=by_sweep[:, 1], casting="same_kind")
    by_sweep[:, 0], by_sweep[:, 2] = 1.0, by_sweep[:, 1] ** 2
    by_sweep[:, 3], by_sweep[:, 4] = _log_odds(n, sets.p)
    exponent = by_component @ by_sweep
    np.exp(exponent, out=exponent)
    every = np.ones((1, width), dtype=np.float32)
    return np.asarray((every @ exponent)[:, 0] / sets.q, dtype=np.float64)


def _log_odds(n: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log odds of release and n log(1 − p) of every sweep: computed once where p stays the same."""
    odds, none = (np.repeat(each, p.shape[1], axis=1) for each in (special.logit(p[:, :1]), n * np.log1p(-p[:, :1])))
    moves = np.flatnonzero(p[:, 0] != p[:, -1])
    odds[moves], none[moves] = special.logit(p[moves]), n[moves] * np.log1p(-p[moves])
    return odds, none


def _log_ways(n: FloatArray, k: FloatArray) -> tuple[FloatArray, NDArray[np.bool_]]:
    exists = k <= n
    left = np.where(exists, n - k, 0.0).astype(np.intp)
    return _LOG_FACTORIAL[n.astype(np.intp)] - _LOG_FACTORIAL[k.astype(np.intp)] - _LOG_FACTORIAL[left], exists


def emission(n: FloatArray, k: FloatArray, sets: SweepSets) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Log density of an amplitude x (in quanta) given k quanta, as constant + linear·x + square·x²."""
    several = np.maximum(n - 1.0, 1.0)
    within, between = (sets.within**2)[:, None], (sets.between**2)[:, None]
    variance = (sets.noise**2)[:, None] + k * within + np.maximum(k * (n - k), 0.0) / several * between
    constant = -0.5 * k**2 / variance - 0.5 * np.log(2.0 * np.pi * variance)
    return constant, k / variance, -0.5 / variance
