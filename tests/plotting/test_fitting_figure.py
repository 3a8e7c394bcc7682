"""The figure of a ranking: what stands in the axes is what the ranking says, and all of it can be read."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_cells import assert_readable
from matplotlib.figure import Figure

from ephysplast.fitting import FitConfig, find_window, make_observations, rank_windows
from ephysplast.plotting import draw_ranking, draw_residuals, draw_windows, save_figure, windows_figure
from ephysplast.plotting.fitting import _FARTHEST

WINDOWS = tuple(
    find_window(each) for each in ("hebbian", "anti_hebbian", "pre_first", "symmetric_offset", "delayed", "none")
)


@pytest.fixture(scope="module")
def ranking():
    rng = np.random.default_rng(9)
    at = np.concatenate([rng.uniform(-20.0, 20.0, 20), rng.uniform(-80.0, 80.0, 20)])
    change = find_window("hebbian").change(at, shape=[17.0, 34.0], amplitudes=[0.8, -0.4]) + 0.12 * rng.normal(size=40)
    table = make_observations(at, change, change_error=0.05, delta_t_sd_ms=0.5, source="slices $1 & 2.csv")
    return rank_windows(table, rng, windows=WINDOWS, config=FitConfig(n_particles=200))


def new_axes(width=4.0, height=3.0):
    return Figure(figsize=(width, height)).add_axes((0.2, 0.15, 0.75, 0.8))


def offsets(axes, label):
    found = [np.asarray(each.get_offsets()) for each in axes.collections if each.get_label() == label]
    return np.vstack(found) if found else np.empty((0, 2))


def test_observations_stand_at_their_delta_t_in_per_cent_with_bars(ranking):
    axes = new_axes()
    draw_windows(axes, ranking)
    table = ranking.observations
    expected = np.column_stack([table.delta_t_ms, 100.0 * table.change])
    np.testing.assert_allclose(offsets(axes, "observations"), expected)
    (bars,) = axes.containers
    horizontal, vertical = bars.lines[2]
    np.testing.assert_allclose([np.ptp(each[:, 0]) for each in horizontal.get_segments()], 1.0)
    np.testing.assert_allclose([np.ptp(each[:, 1]) for each in vertical.get_segments()], 10.0)
    low, high = axes.get_ylim()
    assert low < 100.0 * table.change.min()
    assert high > 100.0 * table.change.max()


def test_the_best_window_has_its_band_and_does_not_run_through_the_jump_at_zero(ranking):
    axes = new_axes()
    draw_windows(axes, ranking)
    best = ranking.best
    drawn = [line for line in axes.lines if line.get_label() in (best.window.short, "_left side")]
    first, second = drawn[:2]
    np.testing.assert_allclose(np.concatenate([first.get_xdata(), second.get_xdata()]), best.curve_delta_t_ms)
    np.testing.assert_allclose(np.concatenate([first.get_ydata(), second.get_ydata()]), 100.0 * best.curve)
    assert (np.asarray(first.get_xdata()) < 0.0).all()
    assert (np.asarray(second.get_xdata()) > 0.0).all()
    bands = [each for each in axes.collections if each.get_label() == "band"]
    heights = np.concatenate([each.get_paths()[0].vertices[:, 1] for each in bands])
    assert heights.min() == pytest.approx(100.0 * best.curve_low.min())
    assert heights.max() == pytest.approx(100.0 * best.curve_high.max())
    legend = [each.get_text() for each in axes.get_legend().get_texts()]
    assert legend[0] == best.window.short
    assert legend[-1] == "observations"
    assert not {"band", "bars"} & set(legend)


def test_residuals_stand_about_the_scatter(ranking):
    axes = new_axes()
    draw_residuals(axes, ranking.best, ranking.observations)
    np.testing.assert_allclose(offsets(axes, "residuals")[:, 1], 100.0 * ranking.best.residual)
    (noise,) = [each for each in axes.patches if each.get_label() == "noise"]
    assert noise.get_height() == pytest.approx(200.0 * ranking.best.estimates[-1].value)


def test_the_ranking_stands_in_its_order_and_far_windows_at_the_edge(ranking):
    axes = new_axes()
    draw_ranking(axes, ranking)
    names = [each.get_text().removesuffix(" *") for each in axes.get_yticklabels()]
    assert names == [each.window.short for each in ranking.fits]
    behind = ranking.to_frame()["log_evidence_behind"].to_numpy()
    near, far = behind <= _FARTHEST, behind > _FARTHEST
    assert far.any()
    np.testing.assert_allclose(offsets(axes, "evidence")[:, 0], behind[near])
    np.testing.assert_array_equal(offsets(axes, "evidence")[:, 1], np.flatnonzero(near))
    np.testing.assert_array_equal(offsets(axes, "further behind")[:, 1], np.flatnonzero(far))
    top, bottom = axes.get_ylim()[::-1]
    assert top < 0.0 < len(names) - 1 < bottom  # the best stands on top


def test_the_page_can_be_read_and_says_what_was_found(ranking):
    figure = windows_figure(ranking)
    assert_readable(figure)
    said = " ".join(each.get_text() for each in figure.texts)
    assert "slices \\$1 & 2.csv" in said
    assert "Hebbian" in said
    assert "τ₊" in said
    assert "Brackets are posterior intervals" in said


def test_many_notes_and_a_long_title_make_the_page_higher(ranking):
    notes = tuple(f"note {i}: something was assumed about the table and is said here at some length" for i in range(12))
    noted = replace(ranking, observations=replace(ranking.observations, notes=notes))
    plain, longer = windows_figure(ranking), windows_figure(noted, title="a very long title about everything " * 5)
    assert longer.get_size_inches()[1] > plain.get_size_inches()[1] + 1.0
    assert_readable(longer)


def test_windows_that_failed_have_a_name_and_no_mark():
    rng = np.random.default_rng(2)
    at = np.array([-30.0, -5.0, 2.0, 8.0, 20.0, 50.0])
    change = find_window("symmetric").change(at, shape=[20.0], amplitudes=[0.6]) + 0.05 * rng.normal(size=6)
    some = tuple(find_window(each) for each in ("hebbian", "symmetric", "none"))
    few = rank_windows(make_observations(at, change), rng, windows=some, config=FitConfig(n_particles=200))
    axes = new_axes()
    draw_ranking(axes, few)
    assert axes.get_yticklabels()[-1].get_text() == "Hebbian (failed)"
    assert 2.0 not in offsets(axes, "evidence")[:, 1]
    assert_readable(windows_figure(few))


def test_the_same_ranking_gives_the_same_bytes(ranking, tmp_path):
    written = [save_figure(windows_figure(ranking), tmp_path / name, ["svg"])[0].read_bytes() for name in "ab"]
    assert written[0] == written[1]
