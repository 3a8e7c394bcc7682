"""Synapses with a known change, drawn release by release, and an observer who knows everything but n, p, q and locus.

Shares no code with the package: Brock et al. 2020 (doi:10.3389/fnsyn.2020.00011) as the sampler, and the exact grid
posterior under the priors stated in LocusPriors as the observer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

CHANGES = {
    "LTP pre": ((0.40, 0.35), (0.55, 0.35)),
    "LTD pre": ((0.55, 0.35), (0.40, 0.35)),
    "LTP post": ((0.50, 0.28), (0.50, 0.40)),
    "LTD post": ((0.50, 0.40), (0.50, 0.28)),
}
NOISE_MV = (0.0, 0.0125, 0.025, 0.05, 0.1, 0.2)
OUTLIER_MV = (0.0, 0.2, 0.4, 0.8, 1.6, 3.2)
TREND_MV = (0.0, 0.0012, 0.0024, 0.0048, 0.0096, 0.0192)
ONSET = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
FAMILIES = {"noise": NOISE_MV, "outlier": OUTLIER_MV, "trend": TREND_MV, "onset": ONSET}


@dataclass(frozen=True)
class Experiment:
    before: NDArray[np.float64]
    after: NDArray[np.float64]
    noise_sd: float
    clean_before: NDArray[np.float64]


def draw(change: str, rng: np.random.Generator, *, family: str = "noise", level: float = 0.1) -> Experiment:
    (p, q), (p_after, q_after) = CHANGES[change]
    noise = level if family == "noise" else 0.1
    left = (level if family == "onset" else 0.0) * np.exp(-np.arange(240) / 100.0)
    p_course, q_course = p_after + left * (p - p_after), q_after + left * (q - q_after)
    released = (rng.random((60, 5)) < p).sum(axis=1)
    released_after = (rng.random((240, 5)) < p_course[:, None]).sum(axis=1)
    clean = released * q + noise * rng.standard_normal(60)
    after = released_after * q_course + noise * rng.standard_normal(240)
    before = clean.copy()
    if family == "outlier":
        before[10] += level
    if family == "trend":
        before += level * (np.arange(60) - 29.5)
    return Experiment(before, after, noise, clean)


def pairs(
    change: str, rng: np.random.Generator, *, noise: float, recovered: float = 0.3, facilitation: float = 0.1
) -> Experiment:
    """Two pulses: a site that released is empty unless it recovers; u₂ = p + facilitation·(1 − p)."""
    phases = []
    for (p, q), n_sweeps in zip(CHANGES[change], (60, 240), strict=True):
        first = rng.random((n_sweeps, 5)) < p
        full = ~first | (rng.random(first.shape) < recovered)
        second = full & (rng.random(first.shape) < p + facilitation * (1 - p))
        clean = np.stack([first.sum(axis=1), second.sum(axis=1)], axis=1) * q
        phases.append(clean + noise * rng.standard_normal(clean.shape))
    return Experiment(phases[0], phases[1], noise, phases[0])


class Observer:
    """The exact posterior on a grid, told the noise and that nothing else disturbs."""

    n = np.asarray([1, 2, 3, 4, 5, 6, 7, 8, 10, 13, 17, 23, 32, 45, 64, 90])
    p = np.linspace(0.005, 0.95, 60)
    cv = np.asarray([[a, b] for a in (0.03, 0.1, 0.2, 0.35, 0.5) for b in (0.03, 0.12, 0.3, 0.5)])
    cv_weight = np.asarray([a * b for a in (0.06, 0.08, 0.13, 0.15, 0.18) for b in (0.075, 0.135, 0.19, 0.20)])

    def __init__(self, *, q_change_sd: float = 0.7, mass_pq: float = 0.05, min_spread: float = 0.05) -> None:
        self.q_change_sd, self.mass_pq, self.min_spread = q_change_sd, mass_pq, min_spread
        edges = np.sqrt(self.n[:-1] * self.n[1:])
        cells = np.log(np.concatenate([[0.5], np.where(self.n[1:] < 9, self.n[1:] - 0.5, edges), [100.5]]))
        self.n_weight = np.diff(cells) / (cells[-1] - cells[0])

    def judge(self, before: NDArray[np.float64], after: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
        """Probability of p, n, q, p+q."""
        tables = [self._table(values, noise) for values in (before, after)]
        log_q = tables[0][0]
        step = log_q[1] - log_q[0]
        top = [table.max() for _, table in tables]
        first, second = (np.exp(table - most) for (_, table), most in zip(tables, top, strict=True))
        gap = log_q[:, None] - log_q[None, :]
        change = stats.norm.pdf(gap, scale=self.q_change_sd) * step
        evidence = np.zeros(4)
        mean_first, mean_second = first.mean(axis=2), second.mean(axis=2)  # over p: uniform
        for c, weight in enumerate(self.cv_weight):
            evidence[0] += weight * np.sum(self.n_weight[:, None] * mean_first[c] * mean_second[c])
            flat = np.einsum("nj,npj->pj", self.n_weight[:, None] * np.ones((1, log_q.size)), first[c])
            evidence[1] += weight * np.mean(flat * np.einsum("n,npj->pj", self.n_weight, second[c]), axis=0).sum()
            q = np.einsum("npi,ij,npj->np", first[c], change, second[c], optimize=True)
            evidence[2] += weight * np.sum(self.n_weight * q.mean(axis=1))
            both = np.einsum("ni,ij,nj->n", mean_first[c], change, mean_second[c], optimize=True)
            evidence[3] += weight * np.sum(self.n_weight * both)
        mass = np.asarray([*[(1 - self.mass_pq) / 3] * 3, self.mass_pq])
        return evidence * mass / np.sum(evidence * mass)

    def _table(self, values: NDArray[np.float64], noise: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Log likelihood on (cv, n, p, log q)."""
        log_q = np.arange(-4.6, 0.6, 0.03)
        found = np.full((len(self.cv), self.n.size, self.p.size, log_q.size), -np.inf)
        se = values.std() / np.sqrt(values.size)
        for i, n in enumerate(self.n):
            mean = n * self.p[:, None] * np.exp(log_q)
            near = np.argwhere(np.abs(mean - values.mean()) < 4.5 * se + 0.03 * mean)
            k = np.arange(n + 1)
            weight = stats.binom.pmf(k, n, self.p[:, None])
            for j in np.unique(near[:, 1]):
                rows = near[near[:, 1] == j, 0]
                q = np.exp(log_q[j])
                for c, (within, between) in enumerate(self.cv):
                    variance = noise**2 + q**2 * (
                        self.min_spread**2 + k * within**2 + k * (n - k) / max(n - 1, 1) * between**2
                    )
                    parts = np.exp(-0.5 * (values[:, None] - k * q) ** 2 / variance) / np.sqrt(2 * np.pi * variance)
                    found[c, i, rows, j] = np.log(parts @ weight[rows].T + 1e-300).sum(axis=0)
        return log_q, found


def call(probability: NDArray[np.float64], threshold: float = 0.9) -> str:
    """pre (p, n or both), post, mixed or none: as the yardstick counts."""
    p, n, q, pq = probability
    if p + n >= threshold:
        return "pre"
    if q >= threshold:
        return "post"
    return "mixed" if pq >= threshold else "none"
