"""An observer who knows that a change may set in gradually, but not how much of it is missing at first, nor how slowly.

The exact posterior over p, n, q and p+q on a grid, as in locus_observer.py, with the course of the onset summed over. A
change of p and q together has too many nodes for that, and is summed by importance sampling. Shares no code with the
package.
"""

from dataclasses import dataclass

import numpy as np
from locus_observer import FloatArray, Observer, Table, near
from numpy.typing import NDArray
from scipy import stats

IntArray = NDArray[np.intp]

GRID = Observer(q_step=0.04)
"""Coarser than the observer's who is told everything, for courses take their share of the time."""

STRETCHES = (0, 4, 9, 15, 23, 33, 46, 63, 86, 117, 160)
"""First sweeps of the stretches in which the course is taken as constant."""

SHARES, TIMES = (0.1, 0.3, 0.5, 0.7, 0.9), (13.5, 24.6, 44.7, 81.5, 148.0)
"""Middles of equal parts of the prior: shares uniform, time constants log-uniform from 10 to 200 sweeps."""

GRADUAL = 0.5
"""Prior probability of a gradual onset."""

_FAR = 25.0
"""Nodes this far behind the best in log likelihood are left out."""

_DRAWS, _TEMPER = 20_000, 0.7


def judge_gradual(before: FloatArray, after: FloatArray, noise: float, *, grid: Observer = GRID) -> FloatArray:
    """Probability of p, n, q, p+q where the change may set in gradually: how is summed over."""
    first, second = grid.phases(before, after, noise)
    # What is still missing at first may lie as far as the baseline's mean, and the end as far to the other side.
    start, end = near(first.values), near(second.values)
    reach = min(start[0], end[0], 2 * end[0] - start[1]), max(start[1], end[1], 2 * end[1] - start[0])
    later = grid.table(second, starts=STRETCHES, reach=reach)
    missing, weight = courses(after.size)
    known = np.moveaxis(grid.table(first)[0], 0, -1)
    top = float(later.sum(axis=0).max())
    parts = (known - known.max(), np.ascontiguousarray(np.moveaxis(later, 1, -1)), top)
    return Gradual(grid, *parts, missing, weight).judge(np.random.default_rng(0))


def courses(n_sweeps: int) -> tuple[FloatArray, FloatArray]:
    """Share of the change still missing in every stretch, (courses, stretches), and the weight of every course."""
    sweep = np.arange(n_sweeps)
    found = [np.zeros(len(STRETCHES))]
    sizes = np.diff([*STRETCHES, n_sweeps])
    for share in SHARES:
        found += [np.add.reduceat(share * np.exp(-sweep / time), STRETCHES) / sizes for time in TIMES]
    each = GRADUAL / (len(SHARES) * len(TIMES))
    return np.stack(found), np.asarray([1.0 - GRADUAL, *[each] * (len(found) - 1)])


@dataclass(frozen=True, eq=False)
class Gradual:
    """Log likelihood on the grid, of the baseline (n, p, log q, variability) and of every stretch after it."""

    grid: Observer
    first: Table
    later: Table
    top: float
    missing: FloatArray
    weight: FloatArray

    def judge(self, rng: np.random.Generator) -> FloatArray:
        """Probability of p, n, q, p+q."""
        by_cv = np.stack([self._release(), self._sites(), self._quanta()]) @ self.grid.cv()[1]
        return self.grid.shares(np.append(by_cv, self._both(rng)))

    @property
    def _scaled(self) -> FloatArray:
        """Likelihood of the baseline for quanta after it, which the recording may have scaled."""
        return np.einsum("npiv,ij->npjv", np.exp(self.first), self.grid.gain(), optimize=True)

    def _possible(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Nodes that the baseline allows, and that the last sweeps do, when most of the change has set in."""
        late = self.later[-2:].sum(axis=0)
        return self.first.max(axis=-1) > -_FAR, late.max(axis=-1) > late.max() - _FAR

    def _summed(self, stretches: Table, places: FloatArray) -> FloatArray:
        """Likelihood after, (pairs, variability), of courses along one axis of the grid.

        `stretches` is (stretch, node, variability); `places`, in nodes, is (pairs, courses, stretches).
        """
        places = np.clip(places, 0.0, stretches.shape[1] - 1.001)
        low = places.astype(np.intp)
        part = (places - low).astype(np.float32)[..., None]
        total = np.full((*places.shape[:2], stretches.shape[-1]), np.float32(-self.top))
        for s, table in enumerate(stretches):
            total += (1.0 - part[:, :, s]) * table[low[:, :, s]] + part[:, :, s] * table[low[:, :, s] + 1]
        return np.asarray(np.einsum("rcv,c->rv", np.exp(total), self.weight, optimize=True))

    def _release(self) -> FloatArray:
        """Evidence of a change of p, for every pair of variabilities."""
        scaled, (early, late) = self._scaled, self._possible()
        total, n_weight = np.zeros(scaled.shape[-1]), self.grid.n_weight()
        for i, j in np.argwhere((early.any(axis=1)) & (late.any(axis=1))):
            before, after = _pairs(early[i, :, j], late[i, :, j])
            places = after[:, None, None] + self.missing * (before - after)[:, None, None]
            seen = self._summed(self.later[:, i, :, j], places)
            total += n_weight[i] * (seen * scaled[i, before, j]).sum(axis=0)
        return total / self.grid.n_p**2

    def _sites(self) -> FloatArray:
        """Evidence of a change of n: sites still missing are a release probability that much lower, or higher."""
        scaled, (early, late) = self._scaled, self._possible()
        n, p = np.asarray(self.grid.sites, dtype=float), self.grid.p()
        total, joint = np.zeros(scaled.shape[-1]), self.grid.site_change(self.grid.n_weight())
        for i, j in np.argwhere(late.any(axis=1)):
            other, after = np.nonzero(early[:, :, j] & late[i, :, j])
            start = (p[after] * n[other] / n[i] - p[0]) / (p[1] - p[0])
            places = after[:, None, None] + self.missing * (start - after)[:, None, None]
            seen = self._summed(self.later[:, i, :, j], places)
            total += joint[other, i] @ (seen * scaled[other, after, j])
        return total / self.grid.n_p

    def _quanta(self) -> FloatArray:
        """Evidence of a change of q."""
        early, late = self._possible()
        log_q, n_weight = self.grid.log_q(), self.grid.n_weight()
        total = np.zeros(self.first.shape[-1])
        for i, k in np.argwhere(early.any(axis=2) & late.any(axis=2)):
            before, after = _pairs(early[i, k], late[i, k])
            q = np.exp(log_q[after])[:, None, None]
            q = q + self.missing * (np.exp(log_q[before])[:, None, None] - q)
            seen = self._summed(self.later[:, i, k], (np.log(q) - log_q[0]) / self.grid.q_step)
            total += n_weight[i] * (
                self._change(log_q[before] - log_q[after]) @ (seen * np.exp(self.first[i, k, before]))
            )
        return total / self.grid.n_p

    def _change(self, log_ratio: FloatArray) -> FloatArray:
        return np.asarray(stats.norm.pdf(log_ratio, scale=self.grid.q_change_sd) * self.grid.q_step)

    def _both(self, rng: np.random.Generator) -> float:
        """Evidence of a change of p and q together: nodes before drawn by their weight, after by the last sweeps'."""
        weighed = np.exp(self.first) * self.grid.n_weight()[:, None, None, None] * self.grid.cv()[1]
        drawn = rng.choice(weighed.size, size=_DRAWS, p=weighed.ravel() / weighed.sum())
        i, k, j, v = np.unravel_index(drawn, weighed.shape)
        late = self.later[-2:].sum(axis=0)
        found = np.zeros(_DRAWS)
        for n, kind in np.unique(np.stack([i, v], axis=1), axis=0):
            rows = np.flatnonzero((i == n) & (v == kind))
            chance = np.exp(_TEMPER * (late[n, :, :, kind] - late[n, :, :, kind].max())).ravel()
            chance /= chance.sum()
            picked = rng.choice(chance.size, size=rows.size, p=chance)
            after = np.unravel_index(picked, late.shape[1:3])
            seen = self._followed(self.later[:, n, :, :, kind], (k[rows], j[rows]), after)
            found[rows] = seen * self._change(self.grid.q_step * (j[rows] - after[1])) / chance[picked]
        return float(weighed.sum() * found.mean()) / self.grid.n_p**2

    def _followed(self, stretches: Table, before: tuple[IntArray, IntArray], after: tuple[IntArray, ...]) -> FloatArray:
        """Likelihood after, (pairs,), of courses from node to node; `stretches` is (stretch, p, log q)."""
        log_q = self.grid.log_q()
        p = after[0][:, None, None] + self.missing * (before[0] - after[0])[:, None, None]
        q = np.exp(log_q[after[1]])[:, None, None]
        q = q + self.missing * (np.exp(log_q[before[1]])[:, None, None] - q)
        p, q = np.clip(p, 0, stretches.shape[1] - 1.001), (np.log(q) - log_q[0]) / self.grid.q_step
        q = np.clip(q, 0, stretches.shape[2] - 1.001)
        row, column = p.astype(np.intp), q.astype(np.intp)
        down, right = p - row, q - column
        total = np.full(p.shape[:2], -self.top)
        for s, table in enumerate(stretches):
            for step, share in ((0, 1.0 - down[..., s]), (1, down[..., s])):
                at = row[..., s] + step
                left = (1.0 - right[..., s]) * table[at, column[..., s]]
                total += share * (left + right[..., s] * table[at, column[..., s] + 1])
        return np.asarray(np.exp(total) @ self.weight)


def _pairs(before: NDArray[np.bool_], after: NDArray[np.bool_]) -> tuple[IntArray, IntArray]:
    """Every possible node before with every possible one after."""
    found = np.meshgrid(np.flatnonzero(before), np.flatnonzero(after), indexing="ij")
    return found[0].ravel(), found[1].ravel()
