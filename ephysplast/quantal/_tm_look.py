"""A first look at a posterior with several narrow modes: least squares from many starts, a kernel at each optimum."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.quantal._tm_model import Prior, equal_weights

FloatArray = NDArray[np.float64]

_SEARCHED = 3000
_STARTS = 40
_STEPS = 40
_NEAR = 20.0
"""Optima that are so many natural logarithms worse than the best are no modes of the posterior."""
_SHARE_PRIOR = 0.3
_WIDER = (1.2, 3.0)
"""Valleys are bent and longer than their curvature says."""
_FREEDOM = 4.0
_SMALL = 1e-5


@dataclass(frozen=True, eq=False)
class Look:
    """Student t kernels at the optima, each with its own covariance, beside the prior."""

    centres: FloatArray
    roots: FloatArray
    prior: Prior

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, dimensions)."""
        wide = round(_SHARE_PRIOR * n)
        which = rng.integers(self.centres.shape[0], size=n - wide)
        heavy = np.sqrt(_FREEDOM / rng.chisquare(_FREEDOM, size=n - wide))
        z = rng.standard_normal((n - wide, self.prior.size)) * heavy[:, None]
        near = self.centres[which] + np.einsum("nij,nj->ni", self.roots[which], z)
        return np.concatenate([near, self.prior.draw(wide, rng)])

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density of each row."""
        size, df = self.prior.size, _FREEDOM
        norm = special.gammaln((df + size) / 2) - special.gammaln(df / 2) - 0.5 * size * np.log(df * np.pi)
        each = np.empty((self.centres.shape[0], at.shape[0]))
        for i, (centre, root) in enumerate(zip(self.centres, self.roots, strict=True)):
            white = (at - centre) @ np.linalg.inv(root).T
            scale = norm - np.log(np.abs(np.diag(root))).sum()
            each[i] = scale - 0.5 * (df + size) * np.log1p((white**2).sum(axis=1) / df)
        near = special.logsumexp(each, axis=0) - np.log(self.centres.shape[0]) + np.log(1.0 - _SHARE_PRIOR)
        return np.asarray(np.logaddexp(near, self.prior.log_density(at) + np.log(_SHARE_PRIOR)))


def first_look(residuals: Callable[[FloatArray], FloatArray], prior: Prior, rng: np.random.Generator) -> Look:
    """Find the optima of ½|residuals|² + ½|z|²; `residuals` takes (n, dimensions) and returns (n, n_residuals)."""
    tried = prior.draw(_SEARCHED, rng)
    cost = 0.5 * (residuals(tried) ** 2).sum(axis=1)
    best = np.argsort(cost)[: _STARTS // 2]
    # The rest from flattened weights: the best few may all lie in one valley, and that the wrong one.
    flat = np.exp(-(cost - cost.min()) / max(float(np.quantile(cost, 0.05) - cost.min()), 1e-12))
    at = tried[np.concatenate([best, equal_weights(flat / flat.sum(), _STARTS - best.size, rng)])]
    at, curvature, cost = _descend(residuals, at)
    kept = _distinct(at, curvature, cost)
    roots = np.linalg.cholesky(np.linalg.inv(curvature[kept]))
    return Look(np.concatenate([at[kept]] * len(_WIDER)), np.concatenate([each * roots for each in _WIDER]), prior)


def _descend(
    residuals: Callable[[FloatArray], FloatArray], at: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Levenberg–Marquardt of all starts at once."""
    damping = np.full(at.shape[0], 1.0)
    identity = np.eye(at.shape[1])
    here, slope = _linearise(residuals, at)
    cost = 0.5 * (here**2).sum(axis=1) + 0.5 * (at**2).sum(axis=1)
    for _ in range(_STEPS):
        curvature = np.einsum("nki,nkj->nij", slope, slope) + identity
        downhill = np.einsum("nki,nk->ni", slope, here) + at
        diagonal = np.einsum("nii->ni", curvature)[:, :, None] * identity
        step = -np.linalg.solve(curvature + damping[:, None, None] * diagonal, downhill[:, :, None])[:, :, 0]
        new = at + np.clip(step, -1.0, 1.0)
        new_here, new_slope = _linearise(residuals, new)
        new_cost = 0.5 * (new_here**2).sum(axis=1) + 0.5 * (new**2).sum(axis=1)
        better = new_cost < cost
        at, here = np.where(better[:, None], new, at), np.where(better[:, None], new_here, here)
        slope, cost = np.where(better[:, None, None], new_slope, slope), np.where(better, new_cost, cost)
        damping = np.clip(np.where(better, damping / 3.0, damping * 4.0), 1e-8, 1e8)
    return at, np.einsum("nki,nkj->nij", slope, slope) + identity, cost


def _linearise(residuals: Callable[[FloatArray], FloatArray], at: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Residuals, shape (n, k), and their slopes, shape (n, k, dimensions)."""
    n, size = at.shape
    moved = at[None] + np.concatenate([np.zeros((1, size)), _SMALL * np.eye(size)])[:, None]
    found = residuals(moved.reshape(-1, size)).reshape(size + 1, n, -1)
    return found[0], np.moveaxis((found[1:] - found[0]) / _SMALL, 0, -1)


def _distinct(at: FloatArray, curvature: FloatArray, cost: FloatArray) -> list[int]:
    """Best of each valley, as far as it is within reach of the best of all."""
    kept: list[int] = []
    for i in np.argsort(cost):
        if cost[i] > cost.min() + _NEAR:
            break
        apart = [float((at[i] - at[j]) @ curvature[j] @ (at[i] - at[j])) for j in kept]
        if all(each > 1.0 for each in apart):
            kept.append(int(i))
    return kept
