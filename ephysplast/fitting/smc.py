"""Posterior and evidence by tempering: particles go from the prior to the posterior in small steps of temperature.

Del Moral, Doucet & Jasra 2006, J R Statist Soc B 68:411. All particles move at once, so the likelihood is asked for
thousands of sets of parameters at a time.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import nan
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ephysplast.errors import OK
from ephysplast.recording import FloatArray
from ephysplast.result import Result

_KEPT: Final = 0.5
"""Each step of temperature leaves this share of the particles effective."""
_MOVES: Final = 4.0
"""Proposals are repeated until an average particle has accepted this many."""
_MOST_SWEEPS: Final = 40
_MOST_TEMPERATURES: Final = 200
_ACCEPTED: Final = 0.3
"""Acceptance that the size of proposals is tuned to."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tempered(Result):
    """Draws from a posterior, and its evidence.

    Attributes
    ----------
    status : str
        ``"ok"``, or why the evidence is NaN.
    z : numpy.ndarray, shape (n_particles, n_dimensions)
        Draws of equal weight, in coordinates in which the prior is standard normal.
    log_likelihood : numpy.ndarray, shape (n_particles,)
    log_evidence : float
        ln ∫ likelihood × prior.
    log_evidence_sd : float
        Its Monte Carlo error: that of the weights at each temperature, and that which shows in how few of the first
        particles have descendants (Lee & Whiteley 2018, doi:10.1093/biomet/asy028).
    n_temperatures : int
    n_evaluations : int
        How many sets of parameters the likelihood was asked for.
    """

    status: str
    z: FloatArray
    log_likelihood: FloatArray
    log_evidence: float
    log_evidence_sd: float
    n_temperatures: int
    n_evaluations: int


def temper(
    log_likelihood: Callable[[FloatArray], FloatArray],
    n_dimensions: int,
    *,
    rng: np.random.Generator,
    n_particles: int = 2000,
) -> Tempered:
    """Sample a posterior whose prior is standard normal in every coordinate, and integrate it.

    Parameters
    ----------
    log_likelihood : callable
        Takes points, shape (n, n_dimensions), and returns the logarithm of the likelihood of each.
    n_dimensions : int
        At least 1.
    rng : numpy.random.Generator
        Where the randomness comes from.
    n_particles : int
        The error of the log evidence falls with their square root.

    Returns
    -------
    Tempered
        Its status says so when the likelihood is nowhere finite.

    Examples
    --------
    The evidence of a normal likelihood of SD 0.1 about 0 under a standard normal prior is known:

    >>> found = temper(lambda z: -50.0 * (z**2).sum(axis=1), 1, rng=np.random.default_rng(2))
    >>> bool(abs(found.log_evidence - np.log(0.1 / np.sqrt(1.01))) < 0.15)
    True
    """
    z = rng.normal(size=(n_particles, n_dimensions))
    like = _finite(log_likelihood(z))
    if not np.isfinite(like).any():
        return _failed("the likelihood is zero for all that the prior allows", z, like)
    ancestor = np.arange(n_particles, dtype=np.int64)
    beta, log_evidence, weight_variance, n_steps, n_asked = 0.0, 0.0, 0.0, 0, n_particles
    size = 2.38 / np.sqrt(n_dimensions)
    while beta < 1.0:
        if n_steps == _MOST_TEMPERATURES:
            return _failed(f"the posterior was not reached in {_MOST_TEMPERATURES} temperatures", z, like)
        step = _next_step(like, 1.0 - beta)
        log_weight = step * like
        log_evidence += float(logsumexp(log_weight)) - np.log(n_particles)
        weight = np.exp(log_weight - log_weight.max())
        weight /= weight.sum()
        weight_variance += float((weight**2).sum()) - 1.0 / n_particles
        factor = _factor(z, weight)
        chosen = _systematic(weight, rng)
        z, like, ancestor = z[chosen], like[chosen], ancestor[chosen]
        beta = 1.0 if step >= 1.0 - beta else beta + step
        z, like, size, asked = _move(log_likelihood, z, like, beta=beta, factor=factor, size=size, rng=rng)
        n_asked += asked
        n_steps += 1
    return Tempered(
        status=OK,
        z=z,
        log_likelihood=like,
        log_evidence=log_evidence,
        log_evidence_sd=float(np.sqrt(weight_variance + _genealogical_variance(ancestor, n_steps))),
        n_temperatures=n_steps,
        n_evaluations=n_asked,
    )


def _failed(why: str, z: FloatArray, like: FloatArray) -> Tempered:
    return Tempered(
        status=why,
        z=z,
        log_likelihood=like,
        log_evidence=nan,
        log_evidence_sd=nan,
        n_temperatures=0,
        n_evaluations=len(z),
    )


def _finite(like: FloatArray) -> FloatArray:
    return np.where(np.isnan(like), -np.inf, like)


def _next_step(like: FloatArray, rest: float) -> float:
    """Return the largest step of temperature that keeps enough particles effective."""
    shifted = like - like.max()

    def effective(step: float) -> float:
        weight = np.exp(step * shifted)
        return float(weight.sum() ** 2 / (weight**2).sum() / len(like))

    if effective(rest) >= _KEPT:
        return rest
    low, high = 0.0, rest
    for _ in range(50):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= _KEPT else (low, middle)
    # Where the prior hardly overlaps the data no step keeps that many, and the search must still move on.
    return high


def _factor(z: FloatArray, weight: FloatArray) -> FloatArray:
    centred = z - weight @ z
    covariance = (centred * weight[:, None]).T @ centred
    ridge = 1e-9 + 1e-6 * np.trace(covariance) / len(covariance)
    return np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))


def _systematic(weight: FloatArray, rng: np.random.Generator) -> NDArray[np.int64]:
    n = len(weight)
    points = (rng.random() + np.arange(n)) / n
    return np.minimum(np.searchsorted(np.cumsum(weight), points), n - 1)


def _move(
    log_likelihood: Callable[[FloatArray], FloatArray],
    z: FloatArray,
    like: FloatArray,
    *,
    beta: float,
    factor: FloatArray,
    size: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, float, int]:
    """Move every particle by random walks that leave the tempered posterior as it is."""
    n, accepted, asked = len(z), 0.0, 0
    target = beta * like - 0.5 * (z**2).sum(axis=1)
    for _ in range(_MOST_SWEEPS):
        proposal = z + size * rng.normal(size=z.shape) @ factor.T
        proposed_like = _finite(log_likelihood(proposal))
        proposed = beta * proposed_like - 0.5 * (proposal**2).sum(axis=1)
        taken = np.log(rng.random(n)) < proposed - target
        z = np.where(taken[:, None], proposal, z)
        like, target = np.where(taken, proposed_like, like), np.where(taken, proposed, target)
        share = float(taken.mean())
        size = float(np.clip(size * np.exp(share - _ACCEPTED), 0.02, 4.0))
        accepted += share
        asked += n
        if accepted >= _MOVES:
            break
    return z, like, size, asked


def _genealogical_variance(ancestor: NDArray[np.int64], n_steps: int) -> float:
    n = len(ancestor)
    family = np.bincount(ancestor, minlength=n) / n
    return max(1.0 - (n / (n - 1.0)) ** (n_steps + 1) * (1.0 - float((family**2).sum())), 0.0)
