"""The point fit against closed forms, other programs and noiseless tables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear
from timing_tables import TRUTH, synthetic, timings

from ephysplast.errors import OK, EphysplastError
from ephysplast.fitting import FitConfig, WindowModel, find_window, make_observations, maximise, profile_interval
from ephysplast.fitting.point_fit import solve_amplitudes

GAUSSIAN = FitConfig(noise="gaussian")


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), k=st.integers(1, 3))
def test_amplitudes_are_those_of_scipys_bounded_least_squares(seed, k):
    rng = np.random.default_rng(seed)
    basis, change, weight = rng.normal(size=(4, k, 9)), rng.normal(size=9), rng.uniform(0.2, 3.0, 9)
    bounds = np.array([(0.0, 5.0), (-5.0, 0.0), (-0.1, 0.2)])[:k]
    found, cost = solve_amplitudes(basis, change, weight=weight, bounds=bounds)
    for i in range(4):
        root = np.sqrt(weight)
        theirs = lsq_linear((basis[i] * root).T, change * root, bounds=bounds.T, tol=1e-14)
        # Theirs iterates to 1e-14 of the cost, so to about 1e-7 of the amplitudes.
        np.testing.assert_allclose(found[i], theirs.x, atol=2e-6)
        assert cost[i] == pytest.approx(2 * theirs.cost, rel=1e-6)


@pytest.mark.parametrize("name", [name for name in TRUTH if name not in ("none", "square")])
def test_a_table_without_noise_gives_back_its_parameters(name, rng):
    shape, amplitudes = TRUTH[name]
    window, at = find_window(name), timings(60, rng)
    table = make_observations(at, window.change(at, shape=shape, amplitudes=amplitudes))
    found = maximise(WindowModel(window, table, config=GAUSSIAN), rng=rng)
    assert found.status == OK
    # The noise ends at its lower bound of 0.5 %, so the likelihood is flat within about a thousandth.
    np.testing.assert_allclose(found.values[:-1], [*shape, *amplitudes], rtol=5e-3, atol=2e-3)
    assert "noise" in found.at_bound


def test_the_square_window_finds_a_width_between_the_right_cells(rng):
    table = synthetic("square", noise=0.05, rng=rng)
    found = maximise(WindowModel(find_window("square"), table, config=GAUSSIAN), rng=rng)
    distance = np.sort(np.abs(table.delta_t_ms))
    inside, outside = distance[distance <= 20.0].max(), distance[distance > 20.0].min()
    assert inside <= found.values[0] < outside


def test_a_constant_has_the_mean_and_the_profile_of_a_t_test(rng):
    change = rng.normal(0.2, 0.3, 25)
    model = WindowModel(find_window("constant"), make_observations(timings(25, rng), change), config=GAUSSIAN)
    found = maximise(model, rng=rng)
    mean, sd = change.mean(), change.std()
    np.testing.assert_allclose(found.values, [mean, sd], rtol=1e-4)
    # 2 Δ ln L = n ln(1 + (b − mean)²/s²) = χ²(0.95) = 3.8415, in closed form.
    half = sd * np.sqrt(np.expm1(3.841459 / 25))
    estimate = profile_interval(model, found, name="offset")
    np.testing.assert_allclose(
        [estimate.low, estimate.value, estimate.high], [mean - half, mean, mean + half], rtol=2e-3
    )
    # For the scatter: n (ln(s²/v) − 1 + v/s² …) has its own closed form, here solved on a grid.
    grid = np.linspace(0.5 * sd, 2.0 * sd, 20_001)
    loss = 25 * (np.log(grid / sd) + 0.5 * (sd**2 / grid**2 - 1.0))
    allowed = grid[2 * loss <= 3.841459]
    noise = profile_interval(model, found, name="noise")
    np.testing.assert_allclose([noise.low, noise.high], [allowed[0], allowed[-1]], rtol=2e-3)


@pytest.mark.slow
def test_profile_intervals_hold_the_truth_as_often_as_they_say(rng):
    held = []
    for _ in range(60):
        table = synthetic("hebbian", n=60, noise=0.15, rng=rng)
        model = WindowModel(find_window("hebbian"), table, config=GAUSSIAN)
        point = maximise(model, rng=rng)
        for name, truth in (("tau_plus_ms", 17.0), ("amplitude_minus", -0.4)):
            each = profile_interval(model, point, name=name, level=0.9)
            held.append(each.low <= truth <= each.high)
    # 120 intervals at 90 %: two thirds independent, SD 3 %; the χ² approximation costs a little at n = 60.
    assert 0.8 <= np.mean(held) <= 0.98


def test_students_noise_ignores_a_wild_cell(rng):
    table = synthetic("hebbian", n=60, noise=0.1, rng=rng)
    wild = table.change.copy()
    wild[np.argmin(np.abs(table.delta_t_ms - 40.0))] = 6.0
    spoilt = make_observations(table.delta_t_ms, wild)
    window = find_window("hebbian")
    clean, gauss, student = (
        maximise(WindowModel(window, each, config=config), rng=rng).values
        for each, config in ((table, GAUSSIAN), (spoilt, GAUSSIAN), (spoilt, FitConfig()))
    )
    assert abs(student[0] - clean[0]) < 0.2 * clean[0]
    assert abs(gauss[0] - clean[0]) > abs(student[0] - clean[0])


def test_what_is_open_is_said_and_what_lies_at_a_bound_has_no_value(rng):
    at = timings(40, rng)
    window = find_window("hebbian")
    # All of it LTP: the LTD side is not needed.
    table = make_observations(at, find_window("symmetric").change(at, shape=[20.0], amplitudes=[0.6]) + 0.05)
    model = WindowModel(window, table, config=GAUSSIAN)
    found = maximise(model, rng=rng)
    assert "amplitude_minus" in found.at_bound
    bounded = profile_interval(model, found, name="amplitude_minus")
    assert np.isnan(bounded.value)
    assert "at its bound of 0 %" in bounded.status
    # Without LTD its time constant can be anything.
    assert profile_interval(model, found, name="tau_minus_ms").status.startswith("not identifiable")
    with pytest.raises(EphysplastError, match="did you mean 'tau_plus_ms'"):
        profile_interval(model, found, name="tau_plus")
