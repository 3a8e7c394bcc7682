"""From sampled coordinates to the release parameters of both phases under one hypothesis, and their likelihood."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.quantal._coordinates import log_standard_normal, main_names, physical, ramp
from ephysplast.quantal._density import SweepSets, sweep_densities
from ephysplast.quantal._observed import FAR_SD, LaterPulse, Observed
from ephysplast.quantal._pair_density import pair_densities
from ephysplast.quantal.priors import LocusPriors

FloatArray = NDArray[np.float64]

MAIN = main_names("pq")

_STEADY = 0.03
"""Relative change of release probability over a phase that is left out with two pulses."""

_ONSET_BLOCKS = 3
"""With two pulses release probability is taken as constant over this many stretches of the post phase."""

_STRETCHES = (5, 15, 40, 100)
"""Sweeps of the post phase between which sites that come or go gradually have one number: within a stretch it is
release probability that rises or falls."""

_NODES, _NODE_WEIGHTS = (-(3.0**0.5), 0.0, 3.0**0.5), (1 / 6, 2 / 3, 1 / 6)
"""Gauss–Hermite nodes, in standard errors, for the mean of a later pulse."""

_LATER_WEIGHT = 0.5
"""A pulse after the second counts half: the same sites, large or small, answer at all pulses of a sweep, so these are
not independent. How much less they are worth is a choice, not a measurement."""


@dataclass(frozen=True, eq=False)
class Phases:
    """Release parameters before and after, each of shape (sets, 2), and their log prior density."""

    n: FloatArray
    p: FloatArray
    q: FloatArray
    log_prior: FloatArray


def phases(
    at: FloatArray,
    names: tuple[str, ...],
    locus: str,
    priors: LocusPriors,
    log_size: tuple[float, float] | None = None,
) -> Phases:
    """Release parameters of every row; impossible ones have a log prior of minus infinity."""
    get = {name: at[:, i] for i, name in enumerate(names)}
    log_most = float(np.log(priors.max_sites + 0.5))
    sites, log_prior = _sites(get["log_sites"], log_most)
    log_q = np.clip(get["log_q"], -20, 20)
    log_p = np.clip(get["log_mean_after"], -20, 20) - np.log(sites) - log_q
    log_prior = log_prior + _release_prior(log_p, priors)
    n_before, log_p_before, log_q_before, more = _earlier(get, locus, (sites, log_p, log_q), log_most, priors)
    log_prior = log_prior + more
    if "p" in locus:
        log_prior = log_prior + _release_prior(log_p_before, priors)
    if "q" in locus:
        log_prior = (
            log_prior + log_standard_normal((log_q - log_q_before) / priors.q_change_sd) - np.log(priors.q_change_sd)
        )
    if log_size is not None:
        log_prior = log_prior + log_standard_normal((log_q_before - log_size[0]) / log_size[1]) - np.log(log_size[1])
    nuisances = [get[name] for name in names if name not in MAIN]
    log_prior = log_prior + sum(log_standard_normal(each) for each in nuisances)
    n, log_p, log_q = (
        np.stack(each, axis=1) for each in ((n_before, sites), (log_p_before, log_p), (log_q_before, log_q))
    )
    return Phases(n, np.exp(log_p), np.exp(log_q), log_prior)


def _earlier(
    get: dict[str, FloatArray],
    locus: str,
    later: tuple[FloatArray, FloatArray, FloatArray],
    log_most: float,
    priors: LocusPriors,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Return n, log p and log q before, from those after and the means; and the log prior of a change of n."""
    (sites, log_p, log_q), unlikely = later, np.zeros_like(later[1])
    before, after = np.clip(get["log_mean_before"], -20, 20), np.clip(get["log_mean_after"], -20, 20)
    if "log_q_before" in get:
        log_q_before = np.clip(get["log_q_before"], -20, 20)
        return sites, before - np.log(sites) - log_q_before, log_q_before, unlikely
    if locus == "q":
        return sites, log_p, log_q + before - after, unlikely
    log_q_before = log_q - physical({"gain": get["gain"]}, priors)["gain"] if "gain" in get else log_q
    if locus == "p":
        return sites, before - np.log(sites) - log_q_before, log_q_before, unlikely
    more = before - after + log_q - log_q_before
    n_before, inside = _sites(get["log_sites"] + more, log_most)
    change = np.where(np.isfinite(inside), _site_change(-more, log_most, priors), -np.inf)
    return n_before, log_p, log_q_before, change


def _sites(log_sites: FloatArray, log_most: float) -> tuple[FloatArray, FloatArray]:
    """Whole sites and log prior density: uniform in the logarithm from ½ to the most + ½."""
    inside = (log_sites >= np.log(0.5)) & (log_sites <= log_most)
    n = np.clip(np.rint(np.exp(np.clip(log_sites, -0.6, log_most))), 1.0, np.floor(np.exp(log_most)))
    return n, np.where(inside, -np.log(log_most - np.log(0.5)), -np.inf)


def _site_change(log_ratio: FloatArray, log_most: float, priors: LocusPriors) -> FloatArray:
    """Log prior density of a change of the sites: Gaussian, and both numbers between ½ and the most + ½."""
    sd, length = priors.n_change_sd, log_most - np.log(0.5)
    # Of a pair (first number uniform, then the change) this share stays inside.
    lost = 2.0 * sd / (length * np.sqrt(2.0 * np.pi)) * -np.expm1(-0.5 * (length / sd) ** 2)
    share = special.erf(length / sd / np.sqrt(2.0)) - lost
    return np.asarray(log_standard_normal(log_ratio / sd) - np.log(sd) - np.log(share))


def _release_prior(log_p: FloatArray, priors: LocusPriors) -> FloatArray:
    """Log prior density of log p when p is uniform."""
    inside = (log_p >= np.log(priors.min_p)) & (log_p <= np.log(priors.max_p))
    return np.where(inside, log_p - np.log(priors.max_p - priors.min_p), -np.inf)


def log_target(at: FloatArray, names: tuple[str, ...], locus: str, seen: Observed, priors: LocusPriors) -> FloatArray:
    """Log of prior times likelihood of every row."""
    made = phases(at, names, locus, priors, seen.log_size)
    total = made.log_prior.copy()
    possible = np.flatnonzero(np.isfinite(total))
    if possible.size:
        kept = Phases(made.n[possible], made.p[possible], made.q[possible], made.log_prior[possible])
        get = physical({name: at[possible, i] for i, name in enumerate(names) if name not in MAIN}, priors)
        total[possible] += _phase(kept, get, seen, priors, 0) + _phase(kept, get, seen, priors, 1)
    return total


def _phase(made: Phases, get: dict[str, FloatArray], seen: Observed, priors: LocusPriors, which: int) -> FloatArray:
    """Log likelihood of one phase (0 before, 1 after) under every set."""
    values = (seen.before, seen.after)[which]
    slope = get["drift_before" if which == 0 else "drift_after"]
    flat = values[None] - (slope[:, None] * ramp(values.shape[0]))[:, :, None]
    p, q = _course(made, get, values.shape[0], which)
    noise = seen.noise[which] * (np.exp(get["log_noise"]) if "log_noise" in get else np.ones(slope.size))
    noise = np.hypot(noise, priors.min_noise) / made.q[:, which]
    sets = SweepSets(made.n[:, which], p, q, np.hypot(get["within"], priors.min_spread), get["between"], noise)
    density = _densities(flat, sets, made, get, which)
    total = _with_outliers(density, seen.outliers[which], priors).sum(axis=1)
    drifted = slope[:, None] * ramp(values.shape[0])
    return np.asarray(total + sum(_later(pulse, drifted, sets, priors) for pulse in seen.later[which]))


def _densities(flat: FloatArray, sets: SweepSets, made: Phases, get: dict[str, FloatArray], which: int) -> FloatArray:
    """Densities of the first responses, or of the first two, of every sweep."""
    moving = _sites_on_their_way(made, get, which)
    if not moving.any():
        return _first(flat, sets, made, get, which)
    found, n_sweeps = np.empty(flat.shape[:2]), flat.shape[1]
    still, rows = np.flatnonzero(~moving), np.flatnonzero(moving)
    found[still] = _first(flat[still], sets.take(still), *_some(made, get, still), which)
    gone = (made.n[rows, 0] - made.n[rows, 1])[:, None]
    sites = made.n[rows, 1, None] + _missing(get, rows, n_sweeps) * gone
    some, which_of = sets.take(rows), _some(made, get, rows)
    for block in np.split(np.arange(n_sweeps), [each for each in _STRETCHES if each < n_sweeps]):
        n = np.ceil(sites[:, block].max(axis=1) - 1e-9)
        p = made.p[rows, 1, None] * sites[:, block] / n[:, None]
        stretch = replace(some, n=n, p=p, q=some.q[:, block])
        found[np.ix_(rows, block)] = _first(flat[np.ix_(rows, block)], stretch, *which_of, which)
    return found


def _first(flat: FloatArray, sets: SweepSets, made: Phases, get: dict[str, FloatArray], which: int) -> FloatArray:
    return sweep_densities(flat[:, :, 0], sets) if flat.shape[2] == 1 else _pairs(flat, sets, made, get, which)


def _sites_on_their_way(made: Phases, get: dict[str, FloatArray], which: int) -> NDArray[np.bool_]:
    """Tell in which sets sites come or go gradually: another release probability of the last sites is no substitute."""
    return np.asarray((get["onset"] > 0.0) & (made.n[:, 0] != made.n[:, 1]) & (which == 1))


def _some(made: Phases, get: dict[str, FloatArray], rows: NDArray[np.intp]) -> tuple[Phases, dict[str, FloatArray]]:
    kept = Phases(made.n[rows], made.p[rows], made.q[rows], made.log_prior[rows])
    return kept, {name: each[rows] for name, each in get.items()}


def _missing(get: dict[str, FloatArray], rows: NDArray[np.intp], n_sweeps: int) -> FloatArray:
    """Share of the change still missing in every sweep of the post phase."""
    return np.asarray(get["onset"][rows, None] * np.exp(-np.arange(n_sweeps) / np.exp(get["log_onset"][rows, None])))


def _with_outliers(density: FloatArray, outliers: FloatArray, priors: LocusPriors) -> FloatArray:
    share = priors.outlier_fraction
    return np.asarray(np.log((1.0 - share) * density + share * outliers))


def _later(pulse: LaterPulse, drifted: FloatArray, sets: SweepSets, priors: LocusPriors) -> FloatArray:
    """Log likelihood of a pulse after the second, given its mean, up to a constant of the data.

    Sites release at any pulse of a train independently of each other, so quanta are binomial whatever depletion and
    facilitation did to their probability: that is free in every phase, but for the quanta that the mean needs.
    """
    known = np.isfinite(pulse.values)
    flat = np.where(known, pulse.values, 0.0)[None] - drifted + drifted[:, known].mean(axis=1, keepdims=True)
    per_quantum = _followed(pulse, flat, sets) / (sets.n[:, None] * sets.q)
    summed = []
    for off, weight in zip(_NODES, _NODE_WEIGHTS, strict=True):
        p = np.clip((pulse.mean + off * pulse.se) * per_quantum, 1e-4, 0.999)
        density = sweep_densities(flat, replace(sets, p=p))
        each = np.where(known, _with_outliers(density, pulse.outliers, priors), 0.0)
        summed.append(each.sum(axis=1) + 0.5 * off**2 + np.log(weight))
    return np.asarray(_LATER_WEIGHT * special.logsumexp(summed, axis=0))


def _followed(pulse: LaterPulse, flat: FloatArray, sets: SweepSets) -> FloatArray:
    """Course of the expected response around 1: how far it follows the first pulse's, depletion decides anew."""
    known = np.isfinite(pulse.values)
    course = sets.p * sets.q
    course = course / course[:, known].mean(axis=1, keepdims=True) - 1.0
    tame = np.clip(flat, pulse.mean - FAR_SD * pulse.sd, pulse.mean + FAR_SD * pulse.sd) / pulse.mean - 1.0
    weight = (course[:, known] ** 2).sum(axis=1)
    slope = (course * tame)[:, known].sum(axis=1) / np.where(weight > 0.0, weight, 1.0)
    return np.asarray(1.0 + np.clip(slope, -1.0, 1.5)[:, None] * course)


def _course(made: Phases, get: dict[str, FloatArray], n_sweeps: int, which: int) -> tuple[FloatArray, FloatArray]:
    """Give p and q of every sweep: constant before; after, a share of the change may still be missing at first."""
    p, q = (np.repeat(each[:, which, None], n_sweeps, axis=1) for each in (made.p, made.q))
    late = np.flatnonzero(get["onset"] > 0.0)
    if which == 0 or late.size == 0:
        return p, q
    missing = _missing(get, late, n_sweeps)
    # Sites still missing are a release probability that much lower (or higher): close enough for later pulses.
    sites = (made.n[late, 0] / made.n[late, 1])[:, None]
    p[late] += missing * (made.p[late, 0] * sites[:, 0] - made.p[late, 1])[:, None]
    q[late] += missing * (made.q[late, 0] - made.q[late, 1])[:, None]
    return np.clip(p, 1e-4, 0.999), q


def _pairs(flat: FloatArray, sets: SweepSets, made: Phases, get: dict[str, FloatArray], which: int) -> FloatArray:
    """Densities of paired responses, p held constant over stretches of sweeps."""
    whole = np.arange(flat.shape[1])
    blocks = np.array_split(whole, _ONSET_BLOCKS)
    share = np.exp(get["log_facilitation"])
    if "power" in get:
        # Half way between the phases is the reference, so that before and after are treated alike.
        side = 0.5 if which == 1 else -0.5
        share = share * np.exp(side * (get["power"] * np.log(made.p[:, 1] / made.p[:, 0]) + get["slack"]))
    share = np.minimum(share, 0.98)
    found = np.empty(flat.shape[:2])
    # Where release probability hardly moves (q changes, or soon after) one table serves all sweeps.
    gradual = np.ptp(sets.p, axis=1) > _STEADY * sets.p[:, -1]
    for rows, parts in ((np.flatnonzero(~gradual), [whole]), (np.flatnonzero(gradual), blocks)):
        for block in parts if rows.size else []:
            p = sets.p[np.ix_(rows, block)].mean(axis=1)
            kept = sets.take(rows)
            some = replace(kept, p=p[:, None], q=kept.q[:, block])
            later = np.minimum(p + share[rows] * (1.0 - p), 0.999)
            seen = flat[np.ix_(rows, block)]
            found[np.ix_(rows, block)] = pair_densities(seen, some, later_p=later, recovered=get["recovered"][rows])
    return found
