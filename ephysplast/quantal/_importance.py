"""Evidence and posterior samples by adaptive importance sampling: proposals learn from all samples drawn so far.

Deterministic-mixture weights over all rounds (Cornuet et al. 2012, doi:10.1111/j.1467-9469.2011.00756.x), kernels
shrunk to the posterior mean so that they keep its covariance (West 1993).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]

_WANTED = 3.0
"""Samples per dimension that must count when kernels are placed: fewer, and the kernels collapse."""

_CENTRES = 150
_BROAD = 1.5
"""Kernels wider than best for a density estimate: a proposal must reach past the tails."""

_LEAST_LEARNING, _MOST_LEARNING = 4, 30
_ENOUGH = 1.3
"""Rounds of learning: until so many times the samples that kernels need count; before, the kernels are tempered."""

_PATIENCE, _POOR = 4, 0.03
"""After so many rounds of which no larger share counts, it is learnt once more."""


Groups: TypeAlias = Callable[[FloatArray], NDArray[np.intp]]
"""Which rows belong together: a whole number from 0 for each."""


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
    share_first: float = 0.2
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
        # Single precision is 20 times faster here, and what underflows is left to the first proposal.
        distance = np.log((np.maximum(square, df) / df).astype(np.float32))
        kernels = np.exp(np.float32(-0.5 * (df + size)) * distance, out=distance)
        with np.errstate(divide="ignore"):
            near = norm + np.log(kernels.mean(axis=1, dtype=np.float64) * (1.0 - self.share_first))
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


class Search:
    """Learn where a posterior is, then weigh fresh draws of what was learnt.

    Draws that learn are weighed against the mixture of all proposals so far. Evidence from them is biased low, for
    kernels sit on the very draws that weighed most. So what is answered comes from draws of one fixed proposal alone,
    whose mean weight is the evidence without bias. Where few of these count, all is learnt from once more, and the
    answer starts afresh.
    """

    def __init__(
        self,
        log_target: Callable[[FloatArray], FloatArray],
        first: Proposal,
        *,
        n_first: int,
        n_round: int,
        rng: np.random.Generator,
        groups: Groups | None = None,
    ) -> None:
        self._log_target, self._first, self._groups = log_target, first, groups
        self._n_round, self._n_first, self._rng = n_round, n_first, rng
        self._at = first.draw(n_first, rng)
        self._target, self._log_first = log_target(self._at), first.log_density(self._at)
        self._log_mixture = self._log_first + np.log(n_first)
        self._past: list[tuple[Kernels, int]] = []
        self._proposal: Kernels | None = None
        self._fresh: list[_Draws] = []
        for _ in range(_LEAST_LEARNING):
            self.learn()

    def learn(self) -> None:
        """Draw one round from what is known, and learn from it."""
        proposal = self._learnt()
        self._keep(proposal, [self._draw(proposal)])

    @property
    def rounds(self) -> int:
        """How often it has learnt."""
        return len(self._past)

    @property
    def settled(self) -> bool:
        """Whether enough draws count for the kernels to be placed by them as they are."""
        many = self.known.effective >= _ENOUGH * _WANTED * self._at.shape[1]
        return many or self.rounds >= _MOST_LEARNING

    @property
    def known(self) -> Sampled:
        """All draws so far, against the mixture of their proposals: what is learnt from."""
        return Sampled(points=self._at, log_weights=self._target - self._log_mixture + np.log(self._at.shape[0]))

    @property
    def found(self) -> Sampled:
        """Fresh draws of the last proposal: the answer."""
        if not self._fresh:
            return self.known
        return Sampled(
            points=np.concatenate([each.at for each in self._fresh]),
            log_weights=np.concatenate([each.target - each.log_own for each in self._fresh]),
        )

    @property
    def refined(self) -> bool:
        """Whether there are fresh draws: without them the evidence is a rough one, and intervals are not known."""
        return bool(self._fresh)

    def refine(self, effective: float, n_rounds: int) -> int:
        """Draw until `effective` samples count, at most `n_rounds` rounds; return how many it took."""
        self._proposal = self._proposal or self._learnt()
        for done in range(n_rounds):
            if self._fresh and self.found.effective >= effective:
                return done
            tired = len(self._fresh) >= _PATIENCE and n_rounds - done >= _PATIENCE
            if tired and self.found.effective < _POOR * self._n_round * len(self._fresh):
                self._keep(self._proposal, self._fresh)
                self._proposal, self._fresh = self._learnt(), []
            self._fresh.append(self._draw(self._proposal))
        return n_rounds

    def _learnt(self) -> Kernels:
        return _kernels(self._at, self.known.log_weights, self._first, self._rng, self._groups)

    def _draw(self, proposal: Kernels) -> "_Draws":
        at = proposal.draw(self._n_round, self._rng)
        log_first = self._first.log_density(at)
        return _Draws(at, self._log_target(at), log_first, proposal.log_density(at, log_first))

    def _keep(self, proposal: Kernels, batches: "list[_Draws]") -> None:
        """Put draws among what is learnt from, and their proposal into the mixture that all are weighed against."""
        new = _Draws(*(np.concatenate(each) for each in zip(*batches, strict=True)))
        log_n = float(np.log(new.at.shape[0]))
        parts = [new.log_first + np.log(self._n_first), new.log_own + log_n]
        parts += [each.log_density(new.at, new.log_first) + np.log(n) for each, n in self._past]
        known = np.logaddexp(self._log_mixture, proposal.log_density(self._at, self._log_first) + log_n)
        self._log_mixture = np.concatenate([known, special.logsumexp(np.stack(parts), axis=0)])
        self._at, self._target = np.concatenate([self._at, new.at]), np.concatenate([self._target, new.target])
        self._log_first = np.concatenate([self._log_first, new.log_first])
        self._past.append((proposal, new.at.shape[0]))


class _Draws(NamedTuple):
    """Draws of one proposal: log target, log density of the first proposal and of their own."""

    at: FloatArray
    target: FloatArray
    log_first: FloatArray
    log_own: FloatArray


def _kernels(
    at: FloatArray, log_weights: FloatArray, first: Proposal, rng: np.random.Generator, groups: Groups | None
) -> Kernels:
    size = at.shape[1]
    weights = _tempered(log_weights, wanted=_WANTED * size)
    group = groups(at) if groups else np.zeros(at.shape[0], dtype=np.intp)
    total = np.bincount(group, weights)
    total = np.where(total > 0.0, total, 1.0)
    off = at - np.stack([np.bincount(group, weights * column) / total for column in at.T], axis=1)[group]
    # A group of few draws has its mean among them, and would make its kernels too narrow.
    freedom = 1.0 - float(np.sum(weights**2 / total[group]))
    covariance = (weights[:, None] * off).T @ off / max(freedom, 0.1)
    covariance += np.diag(1e-8 + 1e-4 * np.diag(covariance))
    effective = 1.0 / np.sum(weights**2)
    width = _BROAD * (4.0 / ((size + 2.0) * effective)) ** (1.0 / (size + 4.0))
    picked = np.searchsorted(np.cumsum(weights), (np.arange(_CENTRES) + rng.random()) / _CENTRES).clip(
        0, at.shape[0] - 1
    )
    centres = at[picked] - (1.0 - np.sqrt(max(1.0 - width**2, 0.05))) * off[picked]
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
