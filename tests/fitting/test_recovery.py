"""Calibration: windows found back, posterior ranks uniform, evidence as nested sampling gives it."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri
from timing_tables import synthetic

from ephysplast.fitting import (
    WINDOWS,
    FitConfig,
    WindowModel,
    find_window,
    make_observations,
    maximise,
    sample_posterior,
)

pytestmark = pytest.mark.slow

NAMES = [each.name for each in WINDOWS]


def test_each_windows_own_tables_rank_it_first(capsys):
    """60 cells, 15 % scatter with heavy tails; three tables of each window, all windows fitted to each."""
    rng = np.random.default_rng(7)
    n_tables, config = 3, FitConfig(n_particles=250)
    evidence = np.empty((len(WINDOWS), n_tables, len(WINDOWS)))
    for i, truth in enumerate(NAMES):
        for j in range(n_tables):
            table = synthetic(truth, rng=rng, student=True)
            for k, window in enumerate(WINDOWS):
                evidence[i, j, k] = sample_posterior(WindowModel(window, table, config=config), rng=rng).log_evidence
    first = evidence.argmax(axis=2)
    with capsys.disabled():
        print("\nwhich window ranked first, of", n_tables, "tables of each")
        for i, name in enumerate(NAMES):
            print(f"{name:>24}", np.bincount(first[i], minlength=len(NAMES)))
    own = np.arange(len(NAMES))
    # Tables of one window are independent, so their log evidences add.
    np.testing.assert_array_equal(evidence.sum(axis=1).argmax(axis=1), own)
    # Single tables: an exponential and a Gaussian of the same width differ little at this scatter. 128 of 150 were
    # right in a longer run, so 45 have an SD of 2.4 about 38.4: three of those below it.
    assert (first == own[:, None]).sum() >= 31
    # The truth is hardly ever left behind by more than what counts as telling apart.
    behind = evidence.max(axis=2) - np.take_along_axis(evidence, own[:, None, None], axis=2)[:, :, 0]
    assert (behind > 3.0).sum() <= 2


@pytest.mark.parametrize(
    ("name", "noise"),
    [
        ("hebbian", "student"),
        ("symmetric_offset", "gaussian"),
        ("delayed", "gaussian"),
        ("difference_of_gaussians", "student"),
    ],
)
def test_posterior_ranks_are_uniform(name, noise):
    """Simulation-based calibration: tables from the prior, ranks of the true values among the draws."""
    rng = np.random.default_rng(11)
    window, config = find_window(name), FitConfig(noise=noise, n_particles=500)
    at = np.tile([-60.0, -25.0, -10.0, -4.0, 4.0, 10.0, 25.0, 60.0], 3)
    ranks = []
    for _ in range(100):
        model = WindowModel(window, make_observations(at, np.zeros(at.size)), config=config)
        z = rng.normal(size=(1, model.n_parameters))
        change = model.simulate(model.from_standard(z), rng=rng)[0]
        fitted = WindowModel(window, make_observations(at, change), config=config)
        draws = sample_posterior(fitted, rng=rng).z
        ranks.append((draws < z).mean(axis=0))
    for parameter, shares in zip(model.parameters, np.transpose(ranks), strict=True):
        # Up to six parameters in four windows: 0.1 % each leaves 2 % for a false alarm in all; the seed is fixed.
        assert stats.kstest(shares, "uniform").pvalue > 1e-3, parameter.name
        # Ranks bunched in the middle or at the ends would show in their spread: SD 0.289 ± 0.013 for 100.
        assert 0.25 < shares.std() < 0.33, parameter.name


CASES = [
    ("hebbian", "hebbian", "student"),
    ("asymmetric_free", "hebbian", "gaussian"),
    ("symmetric_offset", "gaussian_offset", "student"),
    ("delayed", "delayed", "student"),
    ("difference_of_gaussians", "difference_of_gaussians", "gaussian"),
]


@pytest.mark.parametrize(("fitted", "truth", "noise"), CASES)
def test_evidence_is_that_of_nested_sampling(fitted, truth, noise):
    dynesty = pytest.importorskip("dynesty")
    rng = np.random.default_rng(3)
    table = synthetic(truth, n=60, rng=rng)
    model = WindowModel(find_window(fitted), table, config=FitConfig(noise=noise))
    ours = sample_posterior(model, rng=rng)
    sampler = dynesty.NestedSampler(
        lambda z: float(model.log_likelihood(model.from_standard(z[None, :]))[0]),
        ndtri,
        model.n_parameters,
        nlive=100,
        sample="rwalk",
        rstate=np.random.default_rng(5),
    )
    sampler.run_nested(dlogz=0.1, print_progress=False)
    theirs, error = float(sampler.results.logz[-1]), float(sampler.results.logzerr[-1])
    # Three standard errors of both together, and 0.1 for what nested sampling leaves undone (dlogz).
    assert abs(ours.log_evidence - theirs) < 3.0 * np.hypot(error, ours.log_evidence_sd) + 0.1


def test_the_best_draw_and_the_point_fit_agree():
    rng = np.random.default_rng(5)
    for name in NAMES:
        table = synthetic(name, rng=rng, student=True)
        model = WindowModel(find_window(name), table, config=FitConfig())
        sampled = sample_posterior(model, rng=rng)
        point = maximise(model, rng=rng)
        # No draw may be more likely than the most likely parameters, which several starts must find alone.
        assert sampled.log_likelihood.max() <= point.log_likelihood + 1e-3, name
        assert sampled.log_likelihood.max() > point.log_likelihood - 3.0, name
