"""The likelihood against scipy's densities and quadrature, and what must not change it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from timing_tables import TRUTH, synthetic, timings

from ephysplast.errors import SettingsError
from ephysplast.fitting import (
    WINDOWS,
    FitConfig,
    WindowModel,
    find_window,
    make_observations,
    pooled,
    sample_posterior,
)

GAUSSIAN = FitConfig(noise="gaussian")
STUDENT = FitConfig()
BOTH = pytest.mark.parametrize("config", [GAUSSIAN, STUDENT], ids=["gaussian", "student"])


def some_values(name, noise=0.2):
    shape, amplitudes = TRUTH[name]
    return np.array([[*shape, *amplitudes, noise]])


def density(config, residual, scale):
    if config.noise == "gaussian":
        return stats.norm.pdf(residual, scale=scale)
    return stats.t.pdf(residual, config.degrees_of_freedom, scale=scale)


@BOTH
@pytest.mark.parametrize("window", WINDOWS, ids=lambda each: each.name)
def test_each_observation_has_the_density_of_its_residual(window, config, rng):
    at, error = timings(9, rng), rng.uniform(0.0, 0.2, 9)
    n_cells = np.array([1.0, 4.0, 9.0] * 3)
    error[:3] = 0.0
    change = rng.normal(0.0, 0.5, 9)
    model = WindowModel(window, make_observations(at, change, change_error=error, n_cells=n_cells), config=config)
    shape, amplitudes = TRUTH[window.name]
    mean = window.change(at, shape=shape, amplitudes=amplitudes)
    # A mean of n cells without a standard error of its own scatters with σ/√n.
    scale = np.sqrt(error**2 + 0.2**2 / np.where(error > 0.0, 1.0, n_cells))
    expected = np.log(density(config, change - mean, scale))
    np.testing.assert_allclose(model.pointwise(some_values(window.name))[0], expected, rtol=1e-9)


@BOTH
def test_an_error_of_delta_t_is_marginalised(config):
    window, at, change, sd = find_window("gaussian"), 12.0, 0.9, 4.0
    shape, amplitudes = TRUTH["gaussian"]

    def integrand(true):
        mean = window.change(np.array([true]), shape=shape, amplitudes=amplitudes)[0]
        return stats.norm.pdf(true, at, sd) * density(config, change - mean, 0.2)

    expected = np.log(integrate.quad(integrand, at - 10 * sd, at + 10 * sd)[0])
    by_row = make_observations([at], [change], delta_t_error_ms=[sd])
    everywhere = FitConfig(noise=config.noise, delta_t_error_ms=sd)
    for table, how in ((by_row, config), (make_observations([at], [change]), everywhere)):
        found = WindowModel(window, table, config=how).log_likelihood(some_values("gaussian"))[0]
        # Seven nodes integrate polynomials up to degree 13; here the integrand is a smooth bell.
        assert found == pytest.approx(expected, abs=2e-3)


def test_jitter_from_pairing_to_pairing_averages_the_window():
    window, at, sd = find_window("gaussian"), 25.0, 6.0
    shape, amplitudes = TRUTH["gaussian"]
    # A Gaussian averaged over a Gaussian is a wider and lower Gaussian.
    width = np.hypot(shape[0], sd)
    expected = amplitudes[0] * shape[0] / width * np.exp(-(at**2) / (2 * width**2))
    model = WindowModel(window, make_observations([at], [0.1], delta_t_sd_ms=[sd]), config=GAUSSIAN)
    assert model.mean(some_values("gaussian"))[0, 0] == pytest.approx(expected, rel=1e-6)


def test_simulated_tables_have_the_mean_and_scatter_that_the_model_claims(rng):
    table = make_observations([-20.0, 5.0, 30.0], [0.0, 0.0, 0.0], change_error=[0.0, 0.1, 0.3])
    for config, variance in ((GAUSSIAN, 1.0), (FitConfig(degrees_of_freedom=10.0), 10.0 / 8.0)):
        model = WindowModel(find_window("hebbian"), table, config=config)
        drawn = model.simulate(np.repeat(some_values("hebbian"), 20_000, axis=0), rng=rng)
        expected_sd = np.sqrt(variance * (table.change_error**2 + 0.2**2))
        # 20,000 draws know a mean within 0.7 % of the SD, and an SD within 0.5–0.8 %: four standard errors.
        np.testing.assert_allclose(drawn.mean(axis=0), model.mean(some_values("hebbian"))[0], atol=0.012)
        np.testing.assert_allclose(drawn.std(axis=0), expected_sd, rtol=0.03)


@settings(max_examples=15, deadline=None)
@given(name=st.sampled_from(sorted(TRUTH)), scale=st.sampled_from([0.01, 0.5, 100.0]), seed=st.integers(0, 99))
def test_changes_in_other_units_shift_the_evidence_by_a_constant(name, scale, seed):
    table = synthetic(name, n=20, rng=np.random.default_rng(seed))
    other = make_observations(table.delta_t_ms, scale * table.change)
    plain = WindowModel(find_window("hebbian"), table, config=FitConfig(n_particles=100))
    scaled_config = FitConfig(n_particles=100, amplitude_scale=scale)
    scaled = WindowModel(find_window("hebbian"), other, config=scaled_config)
    first, second = (sample_posterior(each, rng=np.random.default_rng(1)) for each in (plain, scaled))
    # The same random numbers give the same particles; the densities are per unit of change.
    assert second.log_evidence + 20 * np.log(scale) == pytest.approx(first.log_evidence, abs=1e-6)


@settings(max_examples=10, deadline=None)
@given(order=st.permutations(range(12)), seed=st.integers(0, 99))
def test_the_order_of_rows_does_not_matter(order, seed):
    table = synthetic("hebbian", n=12, rng=np.random.default_rng(seed))
    values = some_values("hebbian")
    first, second = (
        WindowModel(find_window("hebbian"), each, config=STUDENT).pointwise(values)[0]
        for each in (table, table.subset(order))
    )
    np.testing.assert_allclose(second, first[order], rtol=1e-12)


def test_mirrored_time_swaps_hebbian_and_anti_hebbian(rng):
    table = synthetic("hebbian", n=30, rng=rng)
    mirrored = make_observations(-table.delta_t_ms, table.change)
    first = WindowModel(find_window("hebbian"), table, config=STUDENT)
    second = WindowModel(find_window("anti_hebbian"), mirrored, config=STUDENT)
    value = np.array([[12.0, 30.0, 0.7, -0.3, 0.2]])
    assert second.log_likelihood(value[:, [1, 0, 3, 2, 4]])[0] == pytest.approx(first.log_likelihood(value)[0])


def test_blocks_do_not_change_the_sum(rng):
    model = WindowModel(find_window("hebbian"), pooled(*[synthetic("hebbian", rng=rng)] * 9), config=STUDENT)
    values = model.from_standard(rng.normal(size=(300, 5)))
    np.testing.assert_allclose(model.log_likelihood(values), model.pointwise(values).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize(
    "wrong",
    [{"noise": "cauchy"}, {"n_particles": 5}, {"level": 1.5}, {"delta_t_error_ms": -1.0}, {"degrees_of_freedom": 0.0}],
)
def test_settings_that_cannot_be_are_named(wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        FitConfig(**wrong)
