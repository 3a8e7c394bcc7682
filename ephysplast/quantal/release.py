"""Likelihood of single responses, paired pulses and trains under binomial release.

Convention (Tsodyks–Markram, values before the jump): every site is full before the first pulse and releases with
probability u₁ = p; a site that released is empty and is full again at the next pulse with probability
``recovered = 1 − exp(−Δ/D)``; ``u′ = p + [u + f(1 − u) − p]·exp(−Δ/F)``, classic f = p. Depletion is by site, so
what the first pulse of a sweep released, the second one lacks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ephysplast.errors import EphysplastError
from ephysplast.quantal.moments import FloatArray, ReleaseSets

_GAMMA_NODES = 64
"""Quantile nodes of a gamma component: finer than the noise as long as the noise SD is above 2 % of its spread."""


@dataclass(frozen=True, kw_only=True)
class ShortTerm:
    """What one interval does to release; the same for all parameter sets of a call.

    Attributes
    ----------
    recovered : tuple of float
        For each interval, the share of empty sites that are full again: 1 − exp(−Δ/D).
    facilitation_left : tuple of float
        For each interval, the share of the rise of u that is left: exp(−Δ/F).
    facilitation : float or None
        f, the share of 1 − u that a pulse adds to u; None is the classic f = p.

    Examples
    --------
    >>> ShortTerm(recovered=(0.1,), facilitation_left=(0.0,)).release_probabilities(0.5).tolist()
    [0.5, 0.5]
    """

    recovered: tuple[float, ...] = ()
    facilitation_left: tuple[float, ...] = ()
    facilitation: float | None = None

    def __post_init__(self) -> None:
        shares = (*self.recovered, *self.facilitation_left)
        if len(self.recovered) != len(self.facilitation_left) or not all(0.0 <= each <= 1.0 for each in shares):
            raise EphysplastError(
                "the short-term plasticity does not describe the intervals",
                got=f"recovered {self.recovered}, facilitation_left {self.facilitation_left}",
                wanted="as many of both, each a share from 0 to 1",
            )

    def release_probabilities(self, p: float) -> FloatArray:
        """Return u of a full site at every pulse, for a synapse with resting probability `p`."""
        added = p if self.facilitation is None else self.facilitation
        u = [p]
        for left in self.facilitation_left:
            u.append(p + (u[-1] + added * (1.0 - u[-1]) - p) * left)
        return np.asarray(u)


def release_log_density(amplitudes: ArrayLike, sets: ReleaseSets, *, quanta: str = "gaussian") -> FloatArray:
    """Log density of single responses for every parameter set.

    Given k released quanta the response has mean k·q and variance
    ``noise² + k·q²·CV_I² + k(n−k)/(n−1)·q²·CV_II²``; k is binomial. Its mean and variance are those of
    :class:`ReleaseSets` exactly.

    Parameters
    ----------
    amplitudes : array_like, shape (n_responses,)
        Magnitudes along the expected polarity, mV or pA; noise may make them negative.
    sets : ReleaseSets
        Parameters in the same unit.
    quanta : {"gaussian", "gamma"}
        Shape of the summed quanta: Gaussian, or a gamma distribution of the same mean and variance, in Gaussian noise.

    Returns
    -------
    numpy.ndarray, shape (n_sets, n_responses)
        NaN amplitudes give NaN.

    Examples
    --------
    >>> one = ReleaseSets.of(n=1, p=0.5, q=1.0, noise_sd=0.1)
    >>> release_log_density([0.0, 1.0], one).round(3).tolist()
    [[0.69, 0.69]]
    """
    values = np.atleast_1d(np.asarray(amplitudes, dtype=np.float64))
    rows = []
    for n, p, *shape in _each(sets):
        with np.errstate(divide="ignore"):
            rows.append(special.logsumexp(_log_components(values, n, *shape, quanta=quanta), axis=1, b=_binomial(n, p)))
    return np.asarray(rows)


def train_log_likelihood(
    amplitudes: ArrayLike, sets: ReleaseSets, *, short_term: ShortTerm, quanta: str = "gaussian"
) -> FloatArray:
    """Log likelihood of sweeps with several pulses, the pulses of a sweep tied by depletion and facilitation.

    Parameters
    ----------
    amplitudes : array_like, shape (n_sweeps, n_pulses)
        Magnitudes; a NaN is a response not known, and is summed out.
    sets : ReleaseSets
        Parameters in the same unit.
    short_term : ShortTerm
        One entry per interval between pulses.
    quanta : {"gaussian", "gamma"}
        As in :func:`release_log_density`.

    Returns
    -------
    numpy.ndarray, shape (n_sets, n_sweeps)
        Log density of each sweep.

    Notes
    -----
    Sums over every history of full and empty sites by a forward recursion. Site-to-site variability enters each pulse
    through its variance; that the same large sites answer both pulses is left out.

    Examples
    --------
    >>> one = ReleaseSets.of(n=1, p=0.5, q=1.0, noise_sd=0.1)
    >>> empty = ShortTerm(recovered=(0.0,), facilitation_left=(0.0,))
    >>> train_log_likelihood([[1.0, 1.0]], one, short_term=empty) < -40
    array([[ True]])
    """
    values = np.atleast_2d(np.asarray(amplitudes, dtype=np.float64))
    if values.shape[1] != len(short_term.recovered) + 1:
        raise EphysplastError(
            "the short-term plasticity does not fit the pulses",
            got=f"{values.shape[1]} pulses, {len(short_term.recovered)} intervals",
            wanted="one interval fewer than pulses",
        )
    rows = [_train(values, n, p, shape, short_term, quanta) for n, p, *shape in _each(sets)]
    return np.asarray(rows)


def _train(values: FloatArray, n: int, p: float, shape: list[float], short_term: ShortTerm, quanta: str) -> FloatArray:
    """Forward recursion over how many sites are full before each pulse."""
    full = np.zeros((values.shape[0], n + 1))
    full[:, n] = 1.0
    total = np.zeros(values.shape[0])
    for pulse, u in enumerate(short_term.release_probabilities(p)):
        seen = np.where(
            np.isnan(values[:, pulse, None]), 0.0, _log_components(values[:, pulse], n, *shape, quanta=quanta)
        )
        peak = seen.max(axis=1)
        left = _release(full, np.exp(seen - peak[:, None]), u)
        scale = left.sum(axis=1)
        with np.errstate(divide="ignore"):
            total += peak + np.log(scale)
        if pulse < len(short_term.recovered):
            share = left / np.where(scale > 0, scale, 1.0)[:, None]
            full = share @ _refill(n, short_term.recovered[pulse])
    return total


def _release(full: FloatArray, seen: FloatArray, u: float) -> FloatArray:
    """Weight of each number of sites still full after the pulse, given what was seen."""
    n = full.shape[1] - 1
    left = np.zeros_like(full)
    for available in range(n + 1):
        chance = _binomial(available, u)
        left[:, available::-1][:, : available + 1] += full[:, [available]] * chance * seen[:, : available + 1]
    return left


def _refill(n: int, recovered: float) -> FloatArray:
    """Chance to go from c full sites to a full sites over an interval, shape (c, a)."""
    chance = np.zeros((n + 1, n + 1))
    for kept in range(n + 1):
        chance[kept, kept:] = _binomial(n - kept, recovered)
    return chance


def _binomial(n: int, p: float) -> FloatArray:
    k = np.arange(n + 1)
    log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
    return np.asarray(np.exp(log_ways + special.xlogy(k, p) + special.xlog1py(n - k, -p)))


def _log_components(
    values: FloatArray, n: int, q: float, within: float, between: float, noise: float, *, quanta: str
) -> FloatArray:
    """Log density of each response given k = 0 … n quanta, shape (n_responses, n + 1)."""
    k = np.arange(n + 1.0)
    spread = (q * within) ** 2 * k + (q * between) ** 2 * k * (n - k) / max(n - 1, 1)
    if quanta == "gaussian":
        return _log_normal(values[:, None], k * q, np.asarray(np.sqrt(noise**2 + spread), dtype=np.float64))
    if quanta != "gamma":
        raise EphysplastError("this shape of quanta does not exist", got=quanta, wanted="gaussian or gamma")
    at = (np.arange(_GAMMA_NODES) + 0.5) / _GAMMA_NODES
    shape = (k * q) ** 2 / np.where(spread > 0, spread, 1.0)
    drawn = np.where(spread > 0, special.gammaincinv(np.maximum(shape, 1e-9), at[:, None]) / np.maximum(shape, 1e-9), 1)
    nodes = np.asarray(drawn * k * q, dtype=np.float64)
    each = _log_normal(values[:, None, None], nodes, np.asarray(noise))
    return np.asarray(special.logsumexp(each, axis=1) - np.log(_GAMMA_NODES))


def _log_normal(values: FloatArray, mean: FloatArray, sd: FloatArray) -> FloatArray:
    return np.asarray(-0.5 * ((values - mean) / sd) ** 2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi))


def _each(sets: ReleaseSets) -> list[tuple[int, float, float, float, float, float]]:
    columns: NDArray[np.float64] = np.stack(
        [sets.n, sets.p, sets.q, sets.cv_within, sets.cv_between, sets.noise_sd], axis=1
    )
    return [(int(row[0]), *(float(each) for each in row[1:])) for row in columns]  # type: ignore[misc]
