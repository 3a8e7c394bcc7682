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

_SETS = 60


def naive(values, noise, n, p, q, within, between):
    """Log likelihood of one phase with a course of p and q over its sweeps, as one would write it down."""
    k = np.arange(n + 1)
    sd = np.sqrt(noise**2 + q[:, None] ** 2 * (within**2 * k + between**2 * k * (n - k) / max(n - 1, 1)))
    weight = stats.binom.pmf(k, n, p[:, None])
    return np.log((weight * stats.norm.pdf(values[:, None], k * q[:, None], sd)).sum(axis=1)).sum()


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
    rng = np.random.default_rng(1)
    start = time.process_time()
    for _ in range(_SETS):
        # The same number of sites as the posterior dwells on: 4 to 20.
        n, p, q = int(rng.integers(4, 21)), rng.uniform(0.1, 0.6), rng.uniform(0.1, 0.4)
        for values in (before[:, 0], after[:, 0]):
            naive(values, noise, n, np.full(values.size, p), np.full(values.size, q), 0.2, 0.2)
    theirs = (time.process_time() - start) / _SETS * sum(evaluated)
    print(f"{sum(evaluated)} parameter sets: {min(ours):.2f} s against {theirs:.1f} s, {theirs / min(ours):.0f} ×")
    assert theirs > 25 * min(ours)  # 50 and more on a quiet machine; half of it under load
