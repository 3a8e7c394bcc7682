"""The sampler on posteriors that are known in closed form."""

import numpy as np
import pytest

from ephysplast.errors import OK
from ephysplast.fitting import temper


def gaussian(sd, centre):
    """A normalised Gaussian likelihood; with the standard normal prior everything is known."""
    centre = np.asarray(centre, float)

    def log_likelihood(z):
        return -0.5 * (((z - centre) / sd) ** 2).sum(axis=1) - len(centre) * np.log(sd * np.sqrt(2 * np.pi))

    variance = 1.0 + sd**2
    log_evidence = -0.5 * (centre**2).sum() / variance - 0.5 * len(centre) * np.log(2 * np.pi * variance)
    return log_likelihood, log_evidence


@pytest.mark.parametrize(("sd", "centre"), [(0.05, [0.3] * 6), (0.01, [1.5, -1.0]), (0.3, [3.5]), (5.0, [0.0] * 3)])
def test_evidence_mean_and_spread_of_a_gaussian(sd, centre, rng):
    log_likelihood, expected = gaussian(sd, centre)
    found = temper(log_likelihood, len(centre), rng=rng)
    assert found.status == OK
    # Four of the stated errors; those are checked against the scatter over seeds below.
    assert found.log_evidence == pytest.approx(expected, abs=4 * found.log_evidence_sd + 0.02)
    shrink = 1.0 / (1.0 + sd**2)
    posterior_sd = sd * np.sqrt(shrink)
    # 2000 draws, some of them copies: a mean within 0.15 SD and an SD within 15 %.
    np.testing.assert_allclose(found.z.mean(axis=0), shrink * np.asarray(centre), atol=0.15 * posterior_sd)
    np.testing.assert_allclose(found.z.std(axis=0), posterior_sd, rtol=0.15)


def test_two_far_peaks_are_both_found_in_their_proportions(rng):
    (left, z_left), (right, z_right) = gaussian(0.05, [-1.5, 0.0]), gaussian(0.05, [1.5, 0.5])

    def both(z):
        return np.logaddexp(np.log(0.5) + left(z), np.log(0.5) + right(z))

    found = temper(both, 2, rng=rng)
    assert found.log_evidence == pytest.approx(np.logaddexp(z_left, z_right) - np.log(2), abs=0.35)
    share = 1.0 / (1.0 + np.exp(z_right - z_left))
    # Resampling lets the shares drift; a lost peak would be 0 or 1.
    assert np.mean(found.z[:, 0] < 0.0) == pytest.approx(share, abs=0.15)


@pytest.mark.slow
def test_the_stated_error_is_the_scatter_over_seeds():
    log_likelihood, expected = gaussian(0.05, [0.3] * 6)
    runs = [temper(log_likelihood, 6, rng=np.random.default_rng(i), n_particles=1000) for i in range(30)]
    values = np.array([each.log_evidence for each in runs])
    stated = np.mean([each.log_evidence_sd for each in runs])
    # 30 runs know their SD within 13 %; the statement is an estimate too.
    assert 0.6 < stated / values.std(ddof=1) < 1.8
    assert values.mean() == pytest.approx(expected, abs=0.1)


def test_impossible_points_are_never_kept(rng):
    log_likelihood, _ = gaussian(0.2, [0.3, 0.3])

    def cut(z):
        return np.where(z[:, 0] > 0.0, log_likelihood(z), -np.inf)

    assert (temper(cut, 2, rng=rng, n_particles=500).z[:, 0] > 0.0).all()


def test_a_likelihood_of_zero_everywhere_is_a_status(rng):
    found = temper(lambda z: np.full(len(z), -np.inf), 2, rng=rng, n_particles=100)
    assert found.status != OK
    assert np.isnan(found.log_evidence)
    assert np.isnan(found.log_evidence_sd)


def test_the_same_seed_gives_the_same_answer():
    log_likelihood, _ = gaussian(0.2, [0.3, 0.3])
    first, second = (temper(log_likelihood, 2, rng=np.random.default_rng(5), n_particles=300) for _ in range(2))
    np.testing.assert_array_equal(first.z, second.z)
    assert first.log_evidence == second.log_evidence
