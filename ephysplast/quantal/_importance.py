"""Evidence and posterior samples by adaptive importance sampling: proposals learn from all samples drawn so far.

Deterministic-mixture weights over all rounds (Cornuet et al. 2012, doi:10.1111/j.1467-9469.2011.00756.x), kernels
shrunk to the posterior mean so that they keep its covariance (West 1993).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]

_WANTED = 3.0
"""Samples per dimension that must count when kernels are placed: fewer, and the kernels collapse."""

_CENTRES = 60
_BROAD = 1.5
"""Kernels wider than best for a density estimate: a proposal must reach past the tails."""

_LEAST_ROUNDS = 6


class Proposal(Protocol):
    """Something to draw parameter vectors from, with a known density."""

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, dimensions)."""

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density of each row."""


@dataclass(frozen=True, eq=False)
class Kernels:
    """Equal multivariate Student t kernels with one covariance, beside the first proposal."""

    centres: FloatArray
    root: FloatArray
    first: Proposal
    share_first: float = 0.1
    freedom: float = 6.0

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, dimensions): a share from the first proposal, so that no mode is lost for good."""
        wide = round(self.share_first * n)
        at = self.centres[rng.integers(self.centres.shape[0], size=n - wide)]
        heavy = np.sqrt(self.freedom / rng.chisquare(self.freedom, size=n - wide))
        near = at + (rng.standard_normal(at.shape) * heavy[:, None]) @ self.root.T
        return np.concatenate([near, self.first.draw(wide, rng)])

    def log_density(self, at: FloatArray, log_first: FloatArray) -> FloatArray:
        """Log density of each row, given that of the first proposal."""
        inverse = np.linalg.inv(self.root).T
        white, heart = at @ inverse, self.centres @ inverse
        square = (white**2).sum(1)[:, None] + ((heart**2).sum(1) + self.freedom)[None, :] - 2.0 * (white @ heart.T)
        size, df = self.centres.shape[1], self.freedom
        norm = special.gammaln((df + size) / 2) - special.gammaln(df / 2) - 0.5 * size * np.log(df * np.pi)
        norm -= np.log(np.diag(self.root)).sum()
        kernels = (np.maximum(square, df) / df) ** (-0.5 * (df + size))
        with np.errstate(divide="ignore"):
            near = norm + np.log(kernels.mean(axis=1) * (1.0 - self.share_first))
        return np.asarray(np.logaddexp(near, log_first + np.log(self.share_first)))


@dataclass(frozen=True, eq=False)
class Sampled:
    """Weighted posterior samples and the evidence."""

    points: FloatArray
    log_weights: FloatArray

    @property
    def log_evidence(self) -> float:
        """Log of the mean weight."""
        return float(special.logsumexp(self.log_weights) - np.log(self.log_weights.size))

    @property
    def weights(self) -> FloatArray:
        """Weights that add to 1 (all equal where nothing is possible)."""
        top = self.log_weights.max()
        if not np.isfinite(top):
            return np.full(self.log_weights.size, 1.0 / self.log_weights.size)
        raw = np.exp(self.log_weights - top)
        return np.asarray(raw / raw.sum())

    @property
    def effective(self) -> float:
        """Effective number of samples."""
        return float(1.0 / np.sum(self.weights**2))

    def evenly(self, n: int) -> NDArray[np.intp]:
        """Rows of n draws, evenly spaced through the cumulated weights."""
        reached = np.cumsum(self.weights)
        return np.asarray(np.searchsorted(reached, (np.arange(n) + 0.5) / n).clip(0, reached.size - 1))

    def moments(self, values: FloatArray) -> tuple[float, float]:
        """Mean and standard deviation of something computed for each row."""
        mean = float(self.weights @ values)
        return mean, float(np.sqrt(self.weights @ (values - mean) ** 2))


def sample(
    log_target: Callable[[FloatArray], FloatArray],
    first: Proposal,
    *,
    n_first: int,
    n_round: int,
    n_rounds: int,
    effective: float,
    hopeless: float,
    rng: np.random.Generator,
) -> Sampled:
    """Draw from `first`, then in rounds from kernels around the weighted samples.

    Ends early once `effective` samples count, or when the log evidence stays below `hopeless`.
    """
    at = first.draw(n_first, rng)
    target, log_first = log_target(at), first.log_density(at)
    mixture, seen = log_first + np.log(n_first), n_first
    learnt: list[Kernels] = []
    for done in range(n_rounds):
        so_far = Sampled(points=at, log_weights=target - mixture + np.log(seen))
        if done >= _LEAST_ROUNDS and (so_far.effective >= effective or so_far.log_evidence < hopeless):
            break
        proposal = _kernels(at, so_far.log_weights, first, rng)
        new = proposal.draw(n_round, rng)
        new_first = first.log_density(new)
        old = [each.log_density(new, new_first) for each in learnt]
        parts = [new_first + np.log(n_first), *(each + np.log(n_round) for each in old)]
        new_mixture = special.logsumexp(np.stack(parts), axis=0)
        at, target = np.concatenate([at, new]), np.concatenate([target, log_target(new)])
        log_first, mixture = np.concatenate([log_first, new_first]), np.concatenate([mixture, new_mixture])
        mixture = np.logaddexp(mixture, proposal.log_density(at, log_first) + np.log(n_round))
        learnt.append(proposal)
        seen += n_round
    return Sampled(points=at, log_weights=target - mixture + np.log(seen))


def _kernels(at: FloatArray, log_weights: FloatArray, first: Proposal, rng: np.random.Generator) -> Kernels:
    size = at.shape[1]
    weights = _tempered(log_weights, wanted=_WANTED * size)
    mean = weights @ at
    off = at - mean
    covariance = (weights[:, None] * off).T @ off
    covariance += np.diag(1e-8 + 1e-4 * np.diag(covariance))
    effective = 1.0 / np.sum(weights**2)
    width = _BROAD * (4.0 / ((size + 2.0) * effective)) ** (1.0 / (size + 4.0))
    picked = np.searchsorted(np.cumsum(weights), (np.arange(_CENTRES) + rng.random()) / _CENTRES).clip(
        0, at.shape[0] - 1
    )
    centres = mean + np.sqrt(max(1.0 - width**2, 0.05)) * (at[picked] - mean)
    return Kernels(centres=centres, root=width * np.linalg.cholesky(covariance), first=first)


def _tempered(log_weights: FloatArray, *, wanted: float) -> FloatArray:
    """Flatten the weights just so far that `wanted` samples still count."""
    shifted = log_weights - log_weights.max() if np.isfinite(log_weights.max()) else np.zeros_like(log_weights)
    shifted = np.maximum(shifted, -1e8)

    def weigh(power: float) -> FloatArray:
        raw = np.exp(np.where(shifted > -1e8, power * shifted, -np.inf)) if np.any(shifted > -1e8) else np.ones(1)
        return np.asarray(raw / raw.sum())

    low, high = 0.0, 1.0
    if 1.0 / np.sum(weigh(1.0) ** 2) >= wanted:
        return weigh(1.0)
    for _ in range(30):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 1.0 / np.sum(weigh(middle) ** 2) >= wanted else (low, middle)
    return weigh(low)
