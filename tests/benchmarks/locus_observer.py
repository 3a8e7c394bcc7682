"""The ideal observer: the exact posterior on a grid, told the noise, and shown the synapse without the confound.

Shares no code with the package. It bounds from above what anybody could call under the same priors: an observer who is
told the confound can do no better than one who never had it. Others are told its form alone: that the baseline may
drift along a straight line, that some sweep may be an outlier, and (locus_gradual.py) that the change may set in
gradually. How steeply, which sweep and how slowly no program can know, so these bound what a program can call.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

FloatArray = NDArray[np.float64]
Table = NDArray[np.float32]

_TOP = 1e-30
NEVER = -1e4
"""Log likelihood where the mean alone rules a node out: low, but two of them can be interpolated."""


@dataclass(frozen=True)
class Sweeps:
    """Amplitudes of one phase in baseline medians, the noise SD, and the density of each if it may be anything."""

    values: FloatArray
    noise: float
    strange: FloatArray


def near(values: FloatArray) -> tuple[float, float]:
    """Between which bounds the true mean must lie: 4.5 standard errors to either side."""
    far = 4.5 * float(values.std()) / np.sqrt(values.size)
    return float(values.mean()) - far, float(values.mean()) + far


@dataclass(frozen=True)
class Observer:
    """Nodes and weights of the grid; the defaults are as fine as the answer needs (see the test)."""

    sites: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 23, 32, 45, 64, 90)
    n_p: int = 60
    q_step: float = 0.03
    cv_within: tuple[float, ...] = (0.04, 0.13, 0.27, 0.45)
    cv_between: tuple[float, ...] = (0.05, 0.2, 0.45)
    q_change_sd: float = 0.7
    n_change_sd: float = 1.0
    masses: tuple[float, ...] = (0.2375, 0.2375, 0.475, 0.05)
    min_spread: float = 0.05
    min_noise: float = 0.01
    gain_sd: float = 0.03
    no_drift: float = 0.8
    drift_scale: float = 0.5
    drift_step_se: float = 0.3
    outlier_fraction: float = 0.0
    outlier_width: float = 3.0

    def judge(self, before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
        """Probability of p, n, q, p+q."""
        return self._weigh(*(self.table(each)[0] for each in self.phases(before, after, noise)))

    def judge_outlying(self, before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
        """Probability of p, n, q, p+q where any sweep may be an outlier: which ones is summed over."""
        return replace(self, outlier_fraction=0.002).judge(before, after, noise)

    def judge_drifting(self, before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
        """Probability of p, n, q, p+q where the baseline may have drifted: its slope is summed over."""
        first, second = self.phases(before, after, noise)
        course = np.linspace(-0.5, 0.5, before.size)
        slope = float(course @ first.values / (course @ course))
        se = float(np.std(first.values - slope * course) / np.sqrt(course @ course))
        drifts, weights = np.transpose(self._drifts(slope, se, float(first.values.mean())))
        every = (first.values - drifts[:, None] * course).ravel()
        tables = self.table(
            Sweeps(every, first.noise, np.tile(first.strange, drifts.size)),
            starts=tuple(range(0, every.size, before.size)),
            reach=near(first.values),
        )
        tables += np.log(weights).astype(np.float32)[:, None, None, None, None]
        top = tables.max(axis=0)
        tables -= top
        np.exp(tables, out=tables)
        return self._weigh(np.log(tables.sum(axis=0)) + top, self.table(second)[0])

    def phases(self, before: FloatArray, after: FloatArray, noise: float) -> tuple[Sweeps, Sweeps]:
        """Both phases in medians of the baseline; an outlier is Cauchy around the median of all sweeps."""
        scale, both = float(np.median(before)), np.concatenate([before, after])
        spread = self.outlier_width * max(1.4826 * np.median(np.abs(both - np.median(both))), 0.05 * scale)
        density = [stats.cauchy.pdf(each, np.median(both), spread) * scale for each in (before, after)]
        first, second = (
            Sweeps(each / scale, noise / scale, strange) for each, strange in zip((before, after), density, strict=True)
        )
        return first, second

    def _drifts(self, slope: float, se: float, mean: float) -> list[tuple[float, float]]:
        """Drifts end to end that the sweeps allow, with their prior weights; none at all is one of them."""
        step = self.drift_step_se * se
        nodes = slope + step * np.arange(-round(3.3 / self.drift_step_se), round(3.3 / self.drift_step_se) + 1)
        # A drift of e(1 + e²), e what a standard normal number has beyond the central share that means none.
        edge, beyond = float(stats.norm.ppf(0.5 + 0.5 * self.no_drift)), np.linspace(0.0, 6.0, 6001)
        size = self.drift_scale * mean * beyond * (1.0 + beyond**2)
        share = stats.norm.cdf(edge + beyond) - stats.norm.cdf(edge)
        ends = np.stack([nodes - 0.5 * step, nodes + 0.5 * step])
        weights = np.diff(np.sign(ends) * np.interp(np.abs(ends), size, share), axis=0)[0]
        return [(0.0, self.no_drift), *zip(nodes.tolist(), weights.tolist(), strict=True)]

    def _weigh(self, before: NDArray[np.float32], after: NDArray[np.float32]) -> FloatArray:
        log_q = self.log_q()
        first, second = (np.exp(each - each.max()) for each in (before, after))
        apart = log_q[:, None] - log_q[None, :]
        change = stats.norm.pdf(apart, scale=self.q_change_sd) * self.q_step
        n_weight = self.n_weight()
        between_sites = self.site_change(n_weight).astype(np.float32)
        same_quanta = second @ self.gain().T
        shifted_n = np.einsum("nm,cmpj->cnpj", between_sites, same_quanta)
        over_p = [each.mean(axis=2) for each in (first, second, same_quanta)]
        shifted = second @ change.T.astype(np.float32)
        by_cv = np.stack(
            [
                np.einsum("n,cnj,cnj->c", n_weight, over_p[0], over_p[2]),
                (first * shifted_n).sum(axis=(1, 3)).mean(axis=1),
                np.einsum("n,cn->c", n_weight, (first * shifted).sum(axis=3).mean(axis=2)),
                np.einsum("n,cni,ij,cnj->c", n_weight, over_p[0], change, over_p[1], optimize=True),
            ]
        )
        return self.shares(by_cv @ self.cv()[1])

    def shares(self, evidence: FloatArray) -> FloatArray:
        """Probability of p, n, q, p+q from their evidence."""
        weighed = evidence * np.asarray(self.masses)
        return np.asarray(weighed / weighed.sum())

    def gain(self) -> Table:
        """Weight of log q after for each before: what is held to stay the same the recording may still have scaled."""
        if self.gain_sd == 0.0:
            return np.eye(self.log_q().size, dtype=np.float32)
        apart = self.log_q()[:, None] - self.log_q()
        return (stats.norm.pdf(apart, scale=self.gain_sd) * self.q_step).astype(np.float32)

    def log_q(self) -> FloatArray:
        return np.arange(-4.7, 3.0, self.q_step)

    def p(self) -> FloatArray:
        return 0.005 + 0.945 * (np.arange(self.n_p) + 0.5) / self.n_p

    def n_weight(self) -> FloatArray:
        """Weights under a continuous number that is log-uniform from ½ to 100½ and rounded to a whole one."""
        n = np.asarray(self.sites, dtype=float)
        between = np.where(np.diff(n) > 1, np.sqrt(n[:-1] * n[1:]), n[:-1] + 0.5)
        edges = np.log(np.concatenate([[0.5], between, [100.5]]))
        return np.asarray(np.diff(edges) / (edges[-1] - edges[0]))

    def site_change(self, n_weight: FloatArray) -> FloatArray:
        """Joint weight of sites before and after: uniform in log n, then a Gaussian change, both inside."""
        log_n = np.log(np.asarray(self.sites, dtype=float))
        joint = n_weight[:, None] * n_weight[None, :] * stats.norm.pdf(log_n[:, None] - log_n, scale=self.n_change_sd)
        return np.asarray(joint / joint.sum())

    def cv(self) -> tuple[FloatArray, FloatArray]:
        """Pairs of variabilities within and between sites, and the weight of each: uniform from 0 to 0.6."""

        def weights(nodes: tuple[float, ...]) -> FloatArray:
            edges = np.concatenate([[0.0], 0.5 * (np.asarray(nodes[:-1]) + np.asarray(nodes[1:])), [0.6]])
            return np.asarray(np.diff(edges) / 0.6)

        pairs = [(a, b) for a in self.cv_within for b in self.cv_between]
        weight = np.outer(weights(self.cv_within), weights(self.cv_between)).ravel()
        return np.asarray(pairs), weight

    def table(
        self, sweeps: Sweeps, *, starts: tuple[int, ...] = (0,), reach: tuple[float, float] | None = None
    ) -> Table:
        """Log likelihood of every stretch of sweeps on (stretch, variability, n, p, log q).

        Nodes whose mean response lies outside `reach`, by default 4.5 standard errors around the mean, are ruled out.
        """
        log_q, p, (cv, _) = self.log_q(), self.p(), self.cv()
        found = np.full((len(starts), len(cv), len(self.sites), p.size, log_q.size), NEVER, dtype=np.float32)
        low, high = reach or near(sweeps.values)
        # Half a cell of the grid more, so that coarse cells keep what belongs to them.
        slack = 0.5 * self.q_step * float(sweeps.values.mean())
        for i, n in enumerate(self.sites):
            for j, q in enumerate(np.exp(log_q)):
                off = np.maximum(low - n * p * q, n * p * q - high)
                rows = np.flatnonzero(off < slack + 0.5 * n * q * (p[1] - p[0]))
                if rows.size:
                    each = self._likelihood(sweeps, n, p[rows], q, cv)
                    found[:, :, i, rows, j] = np.moveaxis(np.add.reduceat(each, starts, axis=1), 1, 0)
        return found

    def _likelihood(self, sweeps: Sweeps, n: int, p: FloatArray, q: float, cv: FloatArray) -> FloatArray:
        """Log likelihood of every sweep, shape (variability, sweeps, p)."""
        margin = 5.5 * np.sqrt(n * np.max(p * (1 - p))) + 2
        k = np.arange(max(0, np.floor(n * p.min() - margin)), min(n, np.ceil(n * p.max() + margin)) + 1)
        log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        weight = np.exp(log_ways[:, None] + k[:, None] * np.log(p) + (n - k[:, None]) * np.log1p(-p))
        within, between = cv[:, :1] ** 2, cv[:, 1:] ** 2
        noise = sweeps.noise**2 + self.min_noise**2
        variance = noise + q**2 * (k * (self.min_spread**2 + within) + k * (n - k) / max(n - 1, 1) * between)
        square = ((sweeps.values[:, None] - k * q) ** 2).astype(np.float32)
        part = square[None] * (-0.5 / variance).astype(np.float32)[:, None, :]
        np.exp(part, out=part)
        part *= ((1.0 - self.outlier_fraction) / np.sqrt(2 * np.pi * variance)).astype(np.float32)[:, None, :]
        floor = (self.outlier_fraction * sweeps.strange + _TOP).astype(np.float32)
        return np.asarray(np.log(part @ weight.astype(np.float32) + floor[None, :, None]))
