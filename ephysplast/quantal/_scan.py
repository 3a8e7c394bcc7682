"""Where to look first: a coarse scan of both phases over sites, release probability and quantal variability.

The scan only proposes; it blurs the quantal peaks so that none falls between its nodes, and uses 48 quantiles of each
phase in place of its sweeps.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.quantal._coordinates import (
    Normal,
    PhaseSummary,
    log_standard_normal,
    main_names,
    nuisance_names,
    ramp,
    robust_slope,
)
from ephysplast.quantal._density import SweepSets, sweep_densities
from ephysplast.quantal.priors import LocusPriors

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_QUANTILES = 48
_BLUR = 0.1
"""Smallest variability of quanta in the scan."""

_BLUR_FAILURES = 0.03
"""Smallest SD of failures in the scan, in baseline means: a drift that is not taken off smears them."""

_SITE_EDGES = np.asarray([0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 8.5, 11.5, 15.5, 21.5, 30.5, 45.5, 68.5, 100.5])
_SPREAD_EDGES = np.asarray([0.0, 0.2, 0.5, 1.0])
"""Cells of quantal variability, as a share of the largest."""

_N_P = 64
_PLAIN = 2.0
"""Standard errors from which a drift or a graded onset is taken for real; the scan only proposes."""

_NEAR_RATIO = 0.3
"""How far, in logarithm, the ratio of sites may be from that of the means for the scan to propose it."""

_TEMPER = 0.9
_SHARE_FLAT = 0.05


@dataclass(frozen=True, eq=False)
class Scan:
    """Log likelihood of both phases at the nodes, shape (variability, sites, p) each."""

    before: FloatArray
    after: FloatArray
    site_edges: FloatArray
    p_edges: FloatArray
    log_ratio: float


def scan(phases: tuple[FloatArray, FloatArray], *, noise: tuple[float, float], priors: LocusPriors) -> Scan:
    """Evaluate the grid for the first responses before and after, in units of the baseline mean."""
    last = priors.max_sites + 0.5
    edges = np.append(_SITE_EDGES[last > _SITE_EDGES], last)
    sites = np.maximum(np.rint(np.sqrt(edges[:-1] * edges[1:])), 1.0)
    limits = special.logit([priors.min_p, priors.max_p])
    p_edges = special.expit(np.linspace(limits[0], limits[1], _N_P + 1))
    p = special.expit(0.5 * (special.logit(p_edges[:-1]) + special.logit(p_edges[1:])))
    spread = np.asarray(list(product(0.5 * (_SPREAD_EDGES[:-1] + _SPREAD_EDGES[1:]), repeat=2)))
    grid = [each.ravel() for each in np.meshgrid(np.arange(len(spread)), sites, p, indexing="ij")]
    shape = (len(spread), sites.size, p.size)
    within, between = (spread * [priors.max_cv_within, priors.max_cv_between]).T
    kind = grid[0].astype(np.intp)
    places = grid[1], grid[2], (np.hypot(within, _BLUR)[kind], between[kind])
    towards = float(np.median(phases[0]))
    found, means = [], []
    for which, (values, sd) in enumerate(zip(phases, noise, strict=True)):
        # As recorded, and without a drift that is plain to see: a real one smears the quantal peaks, and taking off one
        # that is none smears the failures. Either way the scan would propose other numbers of sites.
        ways = [values, straightened(values)] if straightened(values) is not values else [values]
        ways = [without_onset(each, towards=towards) for each in ways] if which == 1 else ways
        seen = [_fitted(each, sd, places) for each in ways]
        means.append(max(float(ways[-1].mean()), 0.05))
        found.append(special.logsumexp(seen, axis=0).reshape(shape))
    return Scan(found[0], found[1], edges, p_edges, float(np.log(means[1] / means[0])))


def _fitted(
    values: FloatArray, noise: float, places: tuple[FloatArray, FloatArray, tuple[FloatArray, FloatArray]]
) -> FloatArray:
    """Log likelihood of a phase at places (sites, release probabilities, variability), quanta as its mean asks."""
    sites, p, spread = places
    some = np.quantile(values, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)
    q = max(float(some.mean()), 0.05) / (sites * p)
    rows = [np.repeat(each[:, None], some.size, axis=1) for each in (p, q)]
    sets = SweepSets(sites, rows[0], rows[1], *spread, np.hypot(noise, _BLUR_FAILURES) / q)
    density = sweep_densities(np.repeat(some[None], q.size, axis=0), sets)
    return np.asarray(np.log(density + 1e-3).sum(axis=1) * (values.size / some.size))


def straightened(values: FloatArray) -> FloatArray:
    """Take off a drift that is plain to see."""
    slope, se = robust_slope(values)
    return values - slope * ramp(values.size) if abs(slope) > _PLAIN * se else values


def without_onset(values: FloatArray, *, towards: float) -> FloatArray:
    """Leave out the first third where it plainly lies nearer to the baseline than the last: a change on its way."""
    third = values.size // 3
    early, late = values[:third], values[-third:]
    gap, se = late.mean() - early.mean(), np.sqrt((early.var() + late.var()) / max(third, 1))
    return values[third:] if gap * np.sign(late.mean() - towards) > _PLAIN * se else values


@dataclass(frozen=True, eq=False)
class FirstLook:
    """The first proposal of one hypothesis: cells of the scan, and the prior for what it does not know."""

    names: tuple[str, ...]
    cells: FloatArray
    cells_before: FloatArray | None
    grid: Scan
    means: tuple[PhaseSummary, PhaseSummary]
    log_evidence: float

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, coordinates)."""
        picked = rng.choice(self.cells.size, size=n, p=self.cells.ravel())
        spread, sites, p = np.unravel_index(picked, self.cells.shape)
        found = {"log_mean_before": self.means[0].log_mean.draw(n, rng)}
        found["log_mean_after"] = self.means[1].log_mean.draw(n, rng)
        log_edges = np.log(self.grid.site_edges)
        found["log_sites"] = _within(log_edges, sites, rng)
        level = np.log(np.rint(np.exp(found["log_sites"])).clip(1.0))
        found["log_q"] = found["log_mean_after"] - level - _within(np.log(self.grid.p_edges), p, rng)
        if self.cells_before is not None:
            chance = np.cumsum(self.cells_before[spread, sites], axis=1)
            p_before = (rng.random(n)[:, None] > chance).sum(axis=1).clip(0, chance.shape[1] - 1)
            found["log_q_before"] = found["log_mean_before"] - level - _within(np.log(self.grid.p_edges), p_before, rng)
        kinds = _SPREAD_EDGES.size - 1
        for name, cell in (("within", spread // kinds), ("between", spread % kinds)):
            found[name] = special.ndtri(np.clip(_within(_SPREAD_EDGES, cell, rng), 1e-12, 1.0 - 1e-12))
        for name in self.names:
            if name not in found:
                found[name] = self._marginal(name).draw(n, rng)
        return np.stack([found[name] for name in self.names], axis=1)

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density of each row."""
        get = {name: at[:, i] for i, name in enumerate(self.names)}
        total = self.means[0].log_mean.log_density(get["log_mean_before"])
        total = total + self.means[1].log_mean.log_density(get["log_mean_after"])
        sites, density = _cell(np.log(self.grid.site_edges), get["log_sites"])
        total = total + density
        level = np.log(np.rint(np.exp(np.clip(get["log_sites"], -1.0, 7.0))).clip(1.0))
        p, density = _cell(np.log(self.grid.p_edges), get["log_mean_after"] - level - get["log_q"])
        total = total + density
        kinds = [_cell(_SPREAD_EDGES, special.ndtr(get[name])) for name in ("within", "between")]
        spread = kinds[0][0] * (_SPREAD_EDGES.size - 1) + kinds[1][0]
        total = (
            total + kinds[0][1] + kinds[1][1] + log_standard_normal(get["within"]) + log_standard_normal(get["between"])
        )
        with np.errstate(divide="ignore"):
            total = total + np.log(self.cells[spread, sites, p])
            if self.cells_before is not None:
                at_before = get["log_mean_before"] - level - get["log_q_before"]
                p, density = _cell(np.log(self.grid.p_edges), at_before)
                total = total + density + np.log(self.cells_before[spread, sites, p])
        known = {"log_mean_before", "log_mean_after", "log_sites", "log_q", "log_q_before", "within", "between"}
        for name in self.names:
            if name not in known:
                total = total + self._marginal(name).log_density(get[name])
        return np.asarray(total)

    def sites_of(self, at: FloatArray) -> IntArray:
        """Cell of the number of sites of each row: few sites have ridges of their own."""
        return _cell(np.log(self.grid.site_edges), at[:, self.names.index("log_sites")])[0]

    def _marginal(self, name: str) -> Normal:
        looks = {"drift_before": self.means[0].drift, "drift_after": self.means[1].drift}
        return looks.get(name, Normal())


def first_look(
    locus: str, grid: Scan, means: tuple[PhaseSummary, PhaseSummary], *, priors: LocusPriors, pairs: bool
) -> FirstLook:
    """Combine the two scans as the hypothesis asks: what is shared must fit both phases."""
    names = main_names(locus) + nuisance_names(locus, priors=priors, pairs=pairs)
    area = (np.diff(grid.p_edges)[None, None, :], np.diff(np.log(grid.site_edges))[None, :, None])
    area_spread = np.asarray([a * b for a, b in product(np.diff(_SPREAD_EDGES), repeat=2)])[:, None, None]
    prior = np.broadcast_to(area[0] * area[1] * area_spread, grid.after.shape)
    before = grid.before
    if locus == "p":
        before = _shifted(before, np.log(_middles(grid.p_edges)), -grid.log_ratio)
    elif locus == "n":
        log_sites = 0.5 * (np.log(grid.site_edges[:-1]) + np.log(grid.site_edges[1:]))
        # Means are known to a share, and few sites come in steps: every pair that is near the ratio of means is tried.
        gap = (log_sites[:, None] - log_sites[None, :] - grid.log_ratio) / _NEAR_RATIO
        before = special.logsumexp(before[:, None] - 0.5 * gap[None, :, :, None] ** 2, axis=2)
    if locus != "pq":
        both = before + grid.after
        return FirstLook(names, _flattened(both, prior), None, grid, means, _coarse_evidence(both, prior))
    inner = _tempered_weights(before, np.broadcast_to(area[0], before.shape), axis=2)
    marginal = special.logsumexp(before + np.log(area[0]), axis=2, keepdims=True)
    both = marginal + grid.after
    return FirstLook(names, _flattened(both, prior), inner, grid, means, _coarse_evidence(both, prior))


def _coarse_evidence(log_likelihood: FloatArray, prior: FloatArray) -> float:
    return float(special.logsumexp(log_likelihood + np.log(prior)))


def _middles(edges: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(edges[:-1] * edges[1:]))


def _shifted(table: FloatArray, axis: FloatArray, by: float) -> FloatArray:
    """Read the last axis `by` further on; nothing lies outside."""
    at = axis + by
    right = np.clip(np.searchsorted(axis, at), 1, axis.size - 1)
    share = np.clip((at - axis[right - 1]) / (axis[right] - axis[right - 1]), 0.0, 1.0)
    # Half a cell outside still counts: means are known to that only.
    inside = (at > 1.5 * axis[0] - 0.5 * axis[1]) & (at < 1.5 * axis[-1] - 0.5 * axis[-2])
    read = table[..., right - 1] * (1.0 - share) + table[..., right] * share
    return np.where(inside, read, table.min() - 50.0)


def _flattened(log_likelihood: FloatArray, prior: FloatArray) -> FloatArray:
    return _tempered_weights(log_likelihood, prior, axis=(0, 1, 2))


def _tempered_weights(log_likelihood: FloatArray, prior: FloatArray, *, axis: int | tuple[int, ...]) -> FloatArray:
    top = log_likelihood.max(axis=axis, keepdims=True)
    weight = prior * np.exp(_TEMPER * (log_likelihood - top))
    weight /= weight.sum(axis=axis, keepdims=True)
    flat = prior / prior.sum(axis=axis, keepdims=True)
    return np.asarray((1.0 - _SHARE_FLAT) * weight + _SHARE_FLAT * flat)


def _within(edges: FloatArray, cell: IntArray, rng: np.random.Generator) -> FloatArray:
    return np.asarray(edges[cell] + rng.random(cell.size) * (edges[cell + 1] - edges[cell]))


def _cell(edges: FloatArray, at: FloatArray) -> tuple[IntArray, FloatArray]:
    """Cell of each value, and its log density inside that cell (minus infinity outside all)."""
    cell = np.searchsorted(edges, at) - 1
    outside = (cell < 0) | (cell >= edges.size - 1)
    cell = np.clip(cell, 0, edges.size - 2)
    return cell, np.where(outside, -np.inf, -np.log(edges[cell + 1] - edges[cell]))
