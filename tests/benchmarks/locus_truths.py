"""Synapses whose change is known, drawn release by release: from the stated prior, and from truths outside the model.

Shares no code with the package: the prior is written down again from what LocusPriors documents.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

LOCI = ("p", "n", "q", "pq")
MASS = (0.2375, 0.2375, 0.475, 0.05)
MISSPECIFIED = ("gamma quanta", "unequal p", "multivesicular", "extra baseline noise", "rundown 20 %")


@dataclass(frozen=True)
class Truth:
    """One synapse and what happened to it; amplitudes in units of its own quantum before."""

    locus: str
    n: tuple[int, int]
    p: tuple[float, float]
    q: tuple[float, float]
    cv_within: float
    cv_between: float
    noise: float
    sweeps: tuple[int, int]
    drift: tuple[float, float] = (0.0, 0.0)
    onset: tuple[float, float] = (0.0, 100.0)
    outlier_fraction: float = 0.0
    recovered: float = 0.3
    facilitation: float = 0.05
    gain: float = 1.0
    power: float = 0.0
    slack: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What a recording of it holds: sweeps by pulses, and the SD of the noise as it was measured."""

    before: FloatArray
    after: FloatArray
    noise_sd: float


def from_prior(rng: np.random.Generator) -> Truth:
    """Draw a synapse and its change from the prior that LocusPriors states."""
    locus = str(rng.choice(LOCI, p=MASS))

    def sites() -> int:
        return max(int(np.rint(np.exp(rng.uniform(np.log(0.5), np.log(100.5))))), 1)

    n, p = sites(), float(rng.uniform(0.005, 0.95))
    n_after = n
    while locus == "n":
        # A pair of numbers, uniform and then a Gaussian change, both inside.
        first = rng.uniform(np.log(0.5), np.log(100.5))
        second = first + rng.standard_normal()
        if np.log(0.5) < second < np.log(100.5):
            n, n_after = (max(int(np.rint(np.exp(each))), 1) for each in (first, second))
            break
    p_after = float(rng.uniform(0.005, 0.95)) if "p" in locus else p
    q_after = float(np.exp(0.7 * rng.standard_normal())) if "q" in locus else 1.0
    drifts = []
    for _ in range(2):
        z = rng.standard_normal()
        beyond = max(abs(z) - 1.28, 0.0)
        drifts.append(float(np.sign(z) * 0.5 * beyond * (1.0 + beyond**2)) * n * p)
    gradual = rng.random() < 0.5
    onset = (float(rng.random()) if gradual else 0.0, float(np.exp(rng.uniform(np.log(10.0), np.log(200.0)))))
    return Truth(
        locus=locus,
        n=(n, n_after),
        p=(p, p_after),
        q=(1.0, q_after),
        cv_within=float(rng.uniform(0.0, 0.6)),
        cv_between=float(rng.uniform(0.0, 0.6)),
        noise=float(np.exp(rng.uniform(np.log(0.05), np.log(1.5)))),
        sweeps=(int(rng.integers(30, 101)), int(rng.integers(60, 241))),
        drift=(drifts[0], drifts[1]),
        onset=onset,
        outlier_fraction=0.002,
        recovered=float(rng.random()),
        facilitation=float(np.exp(rng.uniform(np.log(0.003), np.log(0.9)))),
        gain=float(np.exp(0.03 * rng.standard_normal())) if locus in ("p", "n") else 1.0,
        power=float(rng.random()),
        slack=float(0.3 * rng.standard_normal()),
    )


def _course(truth: Truth, which: int) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    n_sweeps = truth.sweeps[which]
    n = np.full(n_sweeps, truth.n[which])
    p, q = np.full(n_sweeps, truth.p[which]), np.full(n_sweeps, truth.q[which])
    q = q * truth.gain if which == 1 else q
    if which == 1 and truth.onset[0] > 0:
        missing = truth.onset[0] * np.exp(-np.arange(n_sweeps) / truth.onset[1])
        p = p + missing * (truth.p[0] - truth.p[1])
        q = q + missing * (truth.q[0] - truth.q[1])
        n = np.rint(n + missing * (truth.n[0] - truth.n[1])).astype(np.int64)
    return n, p, q


def record(truth: Truth, rng: np.random.Generator, *, n_pulses: int = 1, odd: str = "", unit: float = 1.0) -> Seen:
    """Record both phases; `odd` names how the truth leaves the model."""
    phases = [_phase(truth, rng, which, n_pulses=n_pulses, odd=odd) for which in (0, 1)]
    everything = np.concatenate(phases)
    middle = np.median(everything, axis=0)
    spread = 3.0 * np.maximum(1.4826 * np.median(np.abs(everything - middle), axis=0), 0.05 * middle)
    for values in phases:
        strange = rng.random(values.shape[0]) < truth.outlier_fraction
        values[strange] = middle + spread * rng.standard_cauchy((int(strange.sum()), n_pulses))
    return Seen(unit * phases[0], unit * phases[1], unit * truth.noise)


def _phase(truth: Truth, rng: np.random.Generator, which: int, *, n_pulses: int, odd: str) -> FloatArray:
    n, p, q = _course(truth, which)
    most = int(n.max())
    size, leaning = np.ones((n.size, most)), np.ones(most)
    for sites in np.unique(n):
        size[n == sites, :sites] = _site_sizes(truth.cv_between, int(sites))
    if odd == "unequal p":
        # Sites differ in release probability by a CV of about a half, as at many central synapses.
        leaning = np.exp(0.5 * np.random.default_rng(max(truth.n)).standard_normal(max(truth.n)))[:most]
        leaning = leaning / leaning.mean()
    full = np.arange(most)[None, :] < n[:, None]
    there, share = full.copy(), truth.facilitation
    side = (0.5 if which else -0.5) if truth.p[0] != truth.p[1] else 0.0
    ratio = truth.p[1] / truth.p[0]
    share = min(share * float(np.exp(side * (truth.power * np.log(ratio) + truth.slack))), 0.98)
    seen = np.empty((n.size, n_pulses))
    for pulse in range(n_pulses):
        u = p if pulse == 0 else np.minimum(p + share * (1.0 - p), 0.999)
        out = full & (rng.random(full.shape) < np.minimum(u[:, None] * leaning, 0.999))
        quanta = _quanta(out, rng, size, truth, odd)
        seen[:, pulse] = quanta.sum(axis=1) * q
        full = there & (~out | (rng.random(full.shape) < truth.recovered))
        full &= there
    noise = truth.noise * (1.5 if odd == "extra baseline noise" and which == 0 else 1.0)
    seen += noise * rng.standard_normal(seen.shape)
    seen += truth.drift[which] * np.linspace(-0.5, 0.5, n.size)[:, None]
    if odd == "rundown 20 %":
        total = sum(truth.sweeps)
        start = 0 if which == 0 else truth.sweeps[0]
        # Whatever runs down (washout, the seal) takes a fifth of every response by the end.
        seen *= (1.0 - 0.2 * (start + np.arange(n.size)) / total)[:, None]
    return seen


def _site_sizes(cv_between: float, n: int) -> FloatArray:
    """Mean quantum of every site: mean exactly 1 and the stated variability, always the same ones for as many sites."""
    drawn = np.random.default_rng(n + 1000).standard_normal(n)
    if n < 2:
        return np.ones(n)
    return np.asarray(np.maximum(1.0 + cv_between * (drawn - drawn.mean()) / drawn.std(), 0.05))


def _quanta(out: NDArray[np.bool_], rng: np.random.Generator, size: FloatArray, truth: Truth, odd: str) -> FloatArray:
    vesicles = out.astype(np.float64)
    if odd == "multivesicular":
        vesicles = vesicles + (out & (rng.random(out.shape) < 0.3))
    cv = max(truth.cv_within, 0.05 if odd != "gamma quanta" else 0.3)
    if odd == "gamma quanta":
        each = rng.gamma(1.0 / cv**2, cv**2, size=out.shape)
    else:
        each = 1.0 + cv * rng.standard_normal(out.shape)
    return np.asarray(vesicles * each * size)


def usual(rng: np.random.Generator, *, sweeps: tuple[int, int] = (60, 240)) -> Truth:
    """Draw an ordinary central synapse with an ordinary change of one locus, for truths outside the model."""
    locus = str(rng.choice(("p", "n", "q")))
    n, p = int(rng.integers(3, 21)), float(rng.uniform(0.2, 0.7))
    up = rng.random() < 0.5
    factor = float(rng.uniform(1.3, 2.0))
    factor = factor if up else 1.0 / factor
    truth = Truth(
        locus=locus,
        n=(n, n),
        p=(p, p),
        q=(1.0, 1.0),
        cv_within=float(rng.uniform(0.1, 0.4)),
        cv_between=float(rng.uniform(0.1, 0.4)),
        noise=float(rng.uniform(0.1, 0.5)),
        sweeps=sweeps,
        recovered=float(rng.uniform(0.1, 0.6)),
        facilitation=float(rng.uniform(0.02, 0.2)),
        power=0.5,
    )
    if locus == "p":
        return replace(truth, p=(p, min(p * factor, 0.92)))
    if locus == "n":
        after = max(int(np.rint(n * factor)), 1)
        return replace(truth, n=(n, after if after != n else n + (1 if up else -1)))
    return replace(truth, q=(1.0, factor))
