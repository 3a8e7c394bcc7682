"""Evidence against nested sampling in the same run, and a whole ranking."""

import sys
import time
from math import lgamma

import numpy as np
import pytest
from scipy.special import ndtri

from ephysplast.fitting import FitConfig, WindowModel, find_window, make_observations, rank_windows, sample_posterior

pytestmark = pytest.mark.benchmark


@pytest.fixture
def table(rng):
    at = np.concatenate([rng.uniform(-20.0, 20.0, 30), rng.uniform(-80.0, 80.0, 30)])
    change = find_window("hebbian").change(at, shape=[17.0, 34.0], amplitudes=[0.8, -0.4])
    return make_observations(at, change + 0.15 * rng.normal(size=60))


def test_evidence_is_fifteen_times_faster_than_nested_sampling(table, rng):
    dynesty = pytest.importorskip("dynesty")
    # Half of the usual particles, which still know the evidence better than 500 live points do.
    model = WindowModel(find_window("asymmetric_free"), table, config=FitConfig(n_particles=1000))
    sample_posterior(model, rng=rng)
    started = time.process_time()
    for _ in range(3):
        ours = sample_posterior(model, rng=rng)
    ours_s = (time.process_time() - started) / 3
    # One set at a time, as nested sampling asks, written out for this window and nothing else.
    at, change, log, exp = table.delta_t_ms, table.change, np.log, np.exp
    after, distance, constant = at > 0.0, np.abs(at), lgamma(2.5) - lgamma(2.0) - 0.5 * log(4.0 * np.pi)

    def log_likelihood(v):
        mean = np.where(after, v[2] * exp(-distance / v[0]), v[3] * exp(-distance / v[1])) + v[4]
        return len(at) * (constant - log(v[5])) - 2.5 * np.log1p(((change - mean) / v[5]) ** 2 / 4.0).sum()

    def prior_transform(u):
        z = ndtri(u)
        return np.array(
            [20.0 * exp(0.7 * z[0]), 20.0 * exp(0.7 * z[1]), z[2], z[3], 0.3 * z[4], 0.5 * ndtri(0.5 + 0.5 * u[5])]
        )

    sampler = dynesty.NestedSampler(
        log_likelihood,
        prior_transform,
        model.n_parameters,
        nlive=500,
        sample="rwalk",
        rstate=np.random.default_rng(5),
    )
    started = time.process_time()
    sampler.run_nested(print_progress=False)
    theirs_s = time.process_time() - started
    error = float(sampler.results.logzerr[-1])
    print(
        f"\nours {ours_s:.2f} s ± {ours.log_evidence_sd:.2f}, dynesty {theirs_s:.1f} s ± {error:.2f}", file=sys.stderr
    )
    print(f"{theirs_s / ours_s:.0f} × faster", file=sys.stderr)
    started = time.process_time()
    ranking = rank_windows(table, rng)
    all_s = time.process_time() - started
    print(f"all {len(ranking.fits)} windows with everything about them: {all_s:.1f} s", file=sys.stderr)
    assert theirs_s > 15 * ours_s
    # Every window, with fits, intervals and leave-one-out, in what nested sampling needs for the evidence of three.
    assert all_s < 3 * theirs_s
    assert ours.log_evidence_sd < error
    # The same posterior but for the bounds, which cut off a thousandth of the priors.
    assert abs(float(sampler.results.logz[-1]) - ours.log_evidence) < 3 * np.hypot(error, ours.log_evidence_sd) + 0.1
