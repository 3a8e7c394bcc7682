"""Evidence by quadrature, AICc by its formula, leaving one out by doing it."""

import numpy as np
import pytest
from scipy import integrate, stats
from timing_tables import synthetic, timings

from ephysplast.errors import OK
from ephysplast.fitting import (
    FitConfig,
    WindowModel,
    aicc,
    find_window,
    leave_one_out,
    make_observations,
    sample_posterior,
)

BOTH = pytest.mark.parametrize("noise", ["gaussian", "student"])


def density(noise, residual, scale):
    return stats.norm.pdf(residual, scale=scale) if noise == "gaussian" else stats.t.pdf(residual, 4.0, scale=scale)


@BOTH
def test_the_evidence_of_no_change_is_an_integral_over_the_scatter(noise, rng):
    change = rng.normal(0.0, 0.2, 12)
    # σ is half-normal of SD 0.5 between 0.005 and 3.
    mass = 2.0 * (stats.norm.cdf(3.0 / 0.5) - stats.norm.cdf(0.005 / 0.5))

    def integrand(sigma):
        return 2.0 * stats.norm.pdf(sigma, scale=0.5) / mass * np.prod(density(noise, change, sigma))

    expected = np.log(integrate.quad(integrand, 0.005, 3.0, limit=200, points=[0.1, 0.2, 0.4])[0])
    model = WindowModel(find_window("none"), make_observations(timings(12, rng), change), config=FitConfig(noise=noise))
    found = sample_posterior(model, rng=rng)
    assert found.log_evidence == pytest.approx(expected, abs=4 * found.log_evidence_sd + 0.01)


@BOTH
def test_the_evidence_of_a_constant_is_an_integral_over_two(noise, rng):
    change = rng.normal(0.25, 0.2, 10)
    error = np.full(10, 0.05)
    offset, sigma = np.linspace(-1.0, 1.5, 801)[:, None], np.linspace(0.005, 1.5, 801)[None, :]
    scale = np.sqrt(sigma**2 + 0.05**2)
    logs = sum(np.log(density(noise, each - offset, scale)) for each in change)
    noise_mass = 2.0 * (stats.norm.cdf(6.0) - stats.norm.cdf(0.01))
    prior = stats.norm.pdf(offset, scale=0.3) * 2.0 * stats.norm.pdf(sigma, scale=0.5) / noise_mass
    inner = integrate.simpson(np.exp(logs) * prior, x=sigma[0], axis=1)
    expected = np.log(integrate.simpson(inner, x=offset[:, 0]))
    table = make_observations(timings(10, rng), change, change_error=error)
    model = WindowModel(find_window("constant"), table, config=FitConfig(noise=noise))
    found = sample_posterior(model, rng=rng)
    # The bound of the offset at ± 200 % holds all but 1e-11 of its prior.
    assert found.log_evidence == pytest.approx(expected, abs=4 * found.log_evidence_sd + 0.01)


def test_aicc_is_its_formula_and_nan_without_spare_observations():
    # statsmodels' eval_measures.aicc(-20, nobs=30, df_modelwc=5): -2(-20) + 2·5·30/(30-5-1) = 52.5
    assert aicc(-20.0, n_parameters=5, n=30) == pytest.approx(52.5)
    assert np.isnan(aicc(-20.0, n_parameters=5, n=6))


@pytest.mark.parametrize("name", ["constant", pytest.param("hebbian", marks=pytest.mark.slow)])
def test_leaving_one_out_is_what_fitting_without_it_gives(name, rng):
    table = synthetic("hebbian", n=14, rng=rng)
    config = FitConfig(n_particles=2000)
    window = find_window(name)
    model = WindowModel(window, table, config=config)
    found = leave_one_out(model, model.from_standard(sample_posterior(model, rng=rng).z), rng=rng)
    assert found.status == OK
    for i in range(len(table)):
        rest = WindowModel(window, table.subset(np.arange(len(table)) != i), config=config)
        values = rest.from_standard(sample_posterior(rest, rng=rng).z)
        expected = np.log(np.exp(model.pointwise(values)[:, i]).mean())
        # Monte Carlo error of both, larger for the observations that matter to the fit.
        assert found.log_density[i] == pytest.approx(expected, abs=0.15)
    assert found.total == pytest.approx(found.log_density.sum())


def test_an_observation_that_decides_the_fit_is_sampled_anew(rng):
    table = synthetic("none", n=20, noise=0.05, rng=rng)
    lonely = make_observations([*table.delta_t_ms, 5.0], [*table.change, 1.2])
    model = WindowModel(find_window("square"), lonely, config=FitConfig(noise="gaussian", n_particles=1000))
    found = leave_one_out(model, model.from_standard(sample_posterior(model, rng=rng).z), rng=rng)
    assert found.pareto_shape.max() > 0.7
    assert found.n_refitted >= 1 or found.status != OK
    assert np.isfinite(found.total) == (found.status == OK)


def test_a_better_window_predicts_better(rng):
    table = synthetic("hebbian", rng=rng)
    totals = {}
    for name in ("hebbian", "none"):
        model = WindowModel(find_window(name), table, config=FitConfig(n_particles=500))
        totals[name] = leave_one_out(model, model.from_standard(sample_posterior(model, rng=rng).z), rng=rng).total
    assert totals["hebbian"] > totals["none"] + 5.0
