"""The ideal observer: the exact posterior on a grid, told the noise, and shown the synapse without the confound.

Shares no code with the package. It bounds from above what anybody could call under the same priors: an observer who is
told the confound can do no better than one who never had it. A second one is told that the baseline drifts along a
straight line, but not how steeply: no program can know that, so this one bounds what a program can call.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

FloatArray = NDArray[np.float64]

_TOP = 1e-30


@dataclass(frozen=True)
class Observer:
    """Nodes and weights of the grid; the defaults are as fine as the answer needs (see the test)."""

    n: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 23, 32, 45, 64, 90)
    n_p: int = 60
    q_step: float = 0.03
    cv_within: tuple[float, ...] = (0.05, 0.17, 0.33, 0.5)
    cv_between: tuple[float, ...] = (0.08, 0.3, 0.5)
    q_change_sd: float = 0.7
    n_change_sd: float = 1.0
    mass_pq: float = 0.05
    min_spread: float = 0.05
    gain_sd: float = 0.03
    no_drift: float = 0.8
    drift_scale: float = 0.5
    drift_step_se: float = 0.3

    def judge(self, before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
        """Probability of p, n, q, p+q."""
        scale = float(np.median(before))
        return self._weigh(self._table(before / scale, noise / scale), self._table(after / scale, noise / scale))

    def judge_drifting(self, before: FloatArray, after: FloatArray, noise: float) -> FloatArray:
        """Probability of p, n, q, p+q where the baseline may have drifted: its slope is summed over."""
        scale = float(np.median(before))
        values, course = before / scale, np.linspace(-0.5, 0.5, before.size)
        slope = float(course @ values / (course @ course))
        se = float(np.std(values - slope * course) / np.sqrt(course @ course))
        tables = [
            np.log(weight) + self._table(values - drift * course, noise / scale)
            for drift, weight in self._drifts(slope, se, float(values.mean()))
        ]
        return self._weigh(np.logaddexp.reduce(tables), self._table(after / scale, noise / scale))

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
        log_q = self._log_q()
        first, second = (np.exp(each - each.max()) for each in (before, after))
        apart = log_q[:, None] - log_q[None, :]
        change = stats.norm.pdf(apart, scale=self.q_change_sd) * self.q_step
        n_weight = self._n_weight()
        between_sites = self._site_change(n_weight).astype(np.float32)
        if self.gain_sd > 0.0:
            # Where quanta are held to stay as they were the recording may still have scaled them.
            gain = (stats.norm.pdf(apart, scale=self.gain_sd) * self.q_step).astype(np.float32)
            same_quanta = second @ gain.T
        else:
            same_quanta = second
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
        mass = np.asarray([*[(1 - self.mass_pq) / 3] * 3, self.mass_pq])
        evidence = mass * (by_cv @ self._cv()[1])
        return np.asarray(evidence / evidence.sum())

    def _log_q(self) -> FloatArray:
        return np.arange(-4.7, 3.0, self.q_step)

    def _p(self) -> FloatArray:
        return 0.005 + 0.945 * (np.arange(self.n_p) + 0.5) / self.n_p

    def _n_weight(self) -> FloatArray:
        """Weights under a continuous number that is log-uniform from ½ to 100½ and rounded to a whole one."""
        n = np.asarray(self.n, dtype=float)
        between = np.where(np.diff(n) > 1, np.sqrt(n[:-1] * n[1:]), n[:-1] + 0.5)
        edges = np.log(np.concatenate([[0.5], between, [100.5]]))
        return np.asarray(np.diff(edges) / (edges[-1] - edges[0]))

    def _site_change(self, n_weight: FloatArray) -> FloatArray:
        """Joint weight of sites before and after: uniform in log n, then a Gaussian change, both inside."""
        log_n = np.log(np.asarray(self.n, dtype=float))
        joint = n_weight[:, None] * n_weight[None, :] * stats.norm.pdf(log_n[:, None] - log_n, scale=self.n_change_sd)
        return np.asarray(joint / joint.sum())

    def _cv(self) -> tuple[FloatArray, FloatArray]:
        """Pairs of variabilities within and between sites, and the weight of each: uniform from 0 to 0.6."""

        def weights(nodes: tuple[float, ...]) -> FloatArray:
            edges = np.concatenate([[0.0], 0.5 * (np.asarray(nodes[:-1]) + np.asarray(nodes[1:])), [0.6]])
            return np.asarray(np.diff(edges) / 0.6)

        pairs = [(a, b) for a in self.cv_within for b in self.cv_between]
        weight = np.outer(weights(self.cv_within), weights(self.cv_between)).ravel()
        return np.asarray(pairs), weight

    def _table(self, values: FloatArray, noise: float) -> NDArray[np.float32]:
        """Log likelihood on (variability, n, p, log q); minus infinity where the mean alone rules it out."""
        log_q, p, (cv, _) = self._log_q(), self._p(), self._cv()
        found = np.full((len(cv), len(self.n), p.size, log_q.size), -np.inf, dtype=np.float32)
        mean, se = values.mean(), values.std() / np.sqrt(values.size)
        # Half a cell of the grid beside 4.5 standard errors, so that coarse cells keep what belongs to them.
        slack = 4.5 * se + 0.5 * self.q_step * mean
        for i, n in enumerate(self.n):
            for j, q in enumerate(np.exp(log_q)):
                rows = np.flatnonzero(np.abs(n * p * q - mean) < slack + 0.5 * n * q * (p[1] - p[0]))
                if rows.size:
                    found[:, i, rows, j] = self._likelihood(values, n, p[rows], q, cv, noise)
        return found

    def _likelihood(
        self, values: FloatArray, n: int, p: FloatArray, q: float, cv: FloatArray, noise: float
    ) -> FloatArray:
        margin = 5.5 * np.sqrt(n * np.max(p * (1 - p))) + 2
        k = np.arange(max(0, np.floor(n * p.min() - margin)), min(n, np.ceil(n * p.max() + margin)) + 1)
        log_ways = special.gammaln(n + 1) - special.gammaln(k + 1) - special.gammaln(n - k + 1)
        weight = np.exp(log_ways[:, None] + k[:, None] * np.log(p) + (n - k[:, None]) * np.log1p(-p))
        within, between = cv[:, :1] ** 2, cv[:, 1:] ** 2
        variance = noise**2 + q**2 * (self.min_spread**2 + k * within + k * (n - k) / max(n - 1, 1) * between)
        square = ((values[:, None] - k * q) ** 2).astype(np.float32)
        part = square[None] * (-0.5 / variance).astype(np.float32)[:, None, :]
        np.exp(part, out=part)
        part *= (1.0 / np.sqrt(2 * np.pi * variance)).astype(np.float32)[:, None, :]
        return np.asarray(np.log(part @ weight.astype(np.float32) + np.float32(_TOP)).sum(axis=1))
