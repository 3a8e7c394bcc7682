"""The figure of two conditions: what stands in the axes is what the comparison says, and all of it can be read."""

import numpy as np
import pytest
from drawn_cells import assert_readable
from matplotlib.figure import Figure

from ephysplast.fitting import FitConfig, compare_conditions, find_window, make_observations
from ephysplast.plotting import comparison_figure, draw_condition_difference, draw_conditions, save_figure

HEBBIAN = find_window("hebbian")


def compared(n_second):
    rng = np.random.default_rng(5)

    def table(n, amplitudes, error):
        at = np.concatenate([rng.uniform(-20.0, 20.0, n // 2), rng.uniform(-80.0, 80.0, n - n // 2)])
        change = HEBBIAN.change(at, shape=[17.0, 34.0], amplitudes=amplitudes) + 0.1 * rng.normal(size=n)
        return make_observations(at, change, change_error=error, source="slices $1 & 2.csv")

    first, second = table(30, [0.8, -0.4], 0.05), table(n_second, [0.2, -0.4], 0.0)
    return compare_conditions(first, second, window=HEBBIAN, rng=rng, config=FitConfig(n_particles=200))


@pytest.fixture(scope="module")
def comparison():
    return compared(30)


def new_axes():
    return Figure(figsize=(4.0, 3.0)).add_axes((0.2, 0.15, 0.75, 0.8))


def test_both_tables_stand_at_their_delta_t_in_per_cent_under_their_names(comparison):
    axes = new_axes()
    draw_conditions(axes, comparison, names=("control", "AP5"))
    for container, table, name in zip(
        axes.containers, (comparison.first_table, comparison.second_table), ("control", "AP5"), strict=True
    ):
        np.testing.assert_allclose(container.lines[0].get_xdata(), table.delta_t_ms)
        np.testing.assert_allclose(container.lines[0].get_ydata(), 100.0 * table.change)
        assert container.get_label() == f"{name}, n = 30"
    drawn = [line for line in axes.lines if line.get_label() == "_window"]
    curves = np.concatenate([100.0 * each.curve for each in (comparison.first, comparison.second)])
    np.testing.assert_allclose(np.concatenate([line.get_ydata() for line in drawn]), curves)


def test_the_difference_is_that_of_the_comparison_and_does_not_run_through_the_jump_at_zero(comparison):
    axes = new_axes()
    draw_condition_difference(axes, comparison)
    before, after = [line for line in axes.lines if line.get_label() == "difference"]
    assert max(before.get_xdata()) < 0.0 < min(after.get_xdata())
    drawn = np.concatenate([before.get_ydata(), after.get_ydata()])
    np.testing.assert_allclose(drawn, 100.0 * comparison.curve)
    assert drawn.min() < -30.0  # LTP is three quarters smaller in the second


def test_the_page_can_be_read_and_says_each_difference_with_its_interval(comparison):
    figure = comparison_figure(comparison, names=("control", "AP5 $50 µM"))
    assert_readable(figure)
    said = " ".join(each.get_text() for each in figure.texts)
    apart = comparison.difference[comparison.names.index("amplitude_plus")]
    assert f"difference {100 * apart.value:.3g} %".replace("-", "−") in said
    assert comparison.sentence.split(" (")[0] in said


def test_a_fit_that_failed_leaves_the_difference_empty_and_says_why(tmp_path):
    figure = comparison_figure(compared(5))
    assert_readable(figure)
    assert "too few observations: 7 are needed" in " ".join(each.get_text() for each in figure.texts)
    assert save_figure(figure, tmp_path / "page", ("svg",))[0].stat().st_size > 0
