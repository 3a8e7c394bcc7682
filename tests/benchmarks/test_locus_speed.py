"""The posterior of the locus against the same likelihood written with SciPy's distributions, in one run."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ephysplast.quantal import locus, locus_posterior

sys.path.insert(0, str(Path(__file__).parent))

from locus_grid import Cell, draw


def by_sweep(values, noise, n, p, q, within, between):
    """Log likelihood of one phase, sweep by sweep, as one would write it down: each has a p and q of its own."""
    k, total = np.arange(n + 1), 0.0
    for value, p_here, q_here in zip(values, p, q, strict=True):
        sd = np.sqrt(noise**2 + q_here**2 * (within**2 * k + between**2 * k * (n - k) / max(n - 1, 1)))
        total += np.log(np.sum(stats.binom.pmf(k, n, p_here) * stats.norm.pdf(value, k * q_here, sd)))
    return total


def by_phase(values, noise, n, p, q, within, between):
    """Do the same with arrays of sweeps by quanta."""
    k = np.arange(n + 1)
    sd = np.sqrt(noise**2 + q[:, None] ** 2 * (within**2 * k + between**2 * k * (n - k) / max(n - 1, 1)))
    weight = stats.binom.pmf(k, n, p[:, None])
    return np.log((weight * stats.norm.pdf(values[:, None], k * q[:, None], sd)).sum(axis=1)).sum()


def seconds_each(likelihood, phases, noise, n_sets):
    """Time of one parameter set; from 4 to 20 sites, where the posterior dwells."""
    rng = np.random.default_rng(1)
    start = time.process_time()
    for _ in range(n_sets):
        n, p, q = int(rng.integers(4, 21)), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.4)
        for values in phases:
            likelihood(values, noise, n, np.full(values.size, p), np.full(values.size, q), 0.2, 0.2)
    return (time.process_time() - start) / n_sets


@pytest.mark.benchmark
def test_the_posterior_is_many_times_faster_than_plain_scipy(monkeypatch):
    before, after, noise = draw(Cell("LTP post", "noise", 0.1), 3, n_pulses=1)
    evaluated, inner = [0], locus.log_target
    monkeypatch.setattr(locus, "log_target", lambda at, **more: evaluated.append(len(at)) or inner(at, **more))
    locus_posterior(before, after, noise_sd=noise, rng=np.random.default_rng(0))
    monkeypatch.undo()
    ours = []
    for seed in range(3):
        start = time.process_time()
        locus_posterior(before, after, noise_sd=noise, rng=np.random.default_rng(seed))
        ours.append(time.process_time() - start)
    n_sets, phases = sum(evaluated), (before[:, 0], after[:, 0])
    naive, arrays = (
        n_sets * seconds_each(each, phases, noise, count) / min(ours) for each, count in ((by_sweep, 4), (by_phase, 60))
    )
    print(f"{n_sets} parameter sets in {min(ours):.2f} s: {naive:.0f} × sweep by sweep, {arrays:.0f} × with arrays")
    assert naive > 50
    assert arrays > 8  # 15 and more on a quiet machine; half of it under load
