"""The figure of release: what stands in the axes is what was found, and all of it can be read."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_text import assert_readable
from matplotlib.figure import Figure

from ephysplast.plotting.release import draw_release_change, draw_trains, draw_variance_mean, release_figure
from ephysplast.quantal.tsodyks_markram import (
    Train,
    TsodyksMarkramConfig,
    compare_tsodyks_markram,
    fit_tsodyks_markram,
    predict_train,
)
from ephysplast.quantal.variance_mean import measure_variance_mean

TIMES = np.append(0.05 * np.arange(8), 0.95)

QUICK, BETWEEN = (TsodyksMarkramConfig(n_draws=300, n_moves=4.0, free_f=each) for each in (False, True))
"""What is drawn is compared with what was found, however roughly that was."""


def train(rng, u, times_s=TIMES, *, a=200.0):
    mean = predict_train(times_s, u=u, d_ms=500.0, f_ms=50.0, a=a)
    return Train(times_s=times_s, amplitude=mean + rng.normal(0, 1.0, mean.size), se=np.full(mean.size, 1.0))


@pytest.fixture(scope="module")
def points():
    rng = np.random.default_rng(5)
    sweeps = [10.0 * rng.binomial(8, p, 100) + rng.normal(0.0, 1.0, 100) for p in (0.1, 0.3, 0.6, 0.9)]
    return measure_variance_mean(sweeps, noise_sd=1.0, rng=rng, unit="pA")


@pytest.fixture(scope="module")
def panels():
    """Baseline and post, each with its train and fit."""
    rng = np.random.default_rng(6)
    trains = [train(rng, u) for u in (0.25, 0.5)]
    fits = [fit_tsodyks_markram([each], rng=rng, config=QUICK, unit="pA") for each in trains]
    return [(name, [held], fit) for name, held, fit in zip(("baseline", "post"), trains, fits, strict=True)]


@pytest.fixture(scope="module")
def change(panels):
    return compare_tsodyks_markram(*(held for _, held, _ in panels), rng=np.random.default_rng(7), config=BETWEEN)


@pytest.fixture(scope="module")
def several():
    """Trains of two frequencies with their fit."""
    rng = np.random.default_rng(8)
    trains = [train(rng, 0.3, at) for at in (0.05 * np.arange(8), 0.02 * np.arange(6))]
    return "control", trains, fit_tsodyks_markram(trains, rng=rng, config=QUICK)


LABELS = ("0.5 mM", "1 mM", "2 mM", "4 mM $Ca$")


def new_axes():
    return Figure(figsize=(3, 3)).add_axes((0.2, 0.15, 0.75, 0.55))


def words(axes):
    return [each.get_text() for each in axes.texts]


def test_points_stand_at_mean_and_variance_with_the_curve_and_its_band(points):
    axes = new_axes()
    draw_variance_mean(axes, points, LABELS, of="conditions")
    (bars,) = axes.containers
    line, _, (across, upright) = bars
    np.testing.assert_allclose(line.get_xydata(), np.stack([points.mean, points.variance], axis=1))
    half = 1.96 * np.stack([points.mean_se, points.variance_se])
    for drawn, axis, held in ((across, 0, points.mean), (upright, 1, points.variance)):
        ends = np.asarray([each[:, axis] for each in drawn.get_segments()])
        np.testing.assert_allclose(ends, np.stack([held - half[axis], held + half[axis]], axis=1))
    (fit,) = [each for each in axes.lines if each.get_label() == "fit"]
    at, curve = fit.get_xydata().T
    np.testing.assert_allclose(curve, points.slope * at - points.bend * at**2)
    (band,) = [each for each in axes.collections if each.get_paths() and each not in (across, upright)]
    low, high = points.band(at)
    edges = band.get_paths()[0].vertices
    assert edges[:, 1].max() == pytest.approx(high.max())
    # A percentile band of bootstrap curves holds the fit at nearly all means.
    assert np.mean((low <= curve) & (curve <= high)) > 0.95
    assert any(each.startswith(f"q {points.q.value:.3g} pA") for each in words(axes))
    assert r"4 mM \$Ca\$" in words(axes)
    assert axes.get_ylabel() == "variance (pA²)"


def test_the_band_is_the_spread_of_the_bootstrap_curves(points):
    curves = points.drawn[:, 0] * 20.0 - points.drawn[:, 1] * 400.0
    np.testing.assert_allclose(points.band(20.0)[:, 0], np.percentile(curves, [2.5, 97.5]))


def test_without_a_fit_the_points_are_still_drawn(rng):
    nothing = measure_variance_mean([rng.normal(0, 1, 50) for _ in range(3)], noise_sd=1.0, rng=rng)
    axes = new_axes()
    draw_variance_mean(axes, nothing, ["1", "2", "3"], of="post")
    assert len(axes.containers) == 1
    assert not [each for each in axes.lines if each.get_label() == "fit"]
    assert any("no fit" in each for each in words(axes))
    few = measure_variance_mean([[1.0, 2.0]], noise_sd=1.0, rng=rng)
    axes = new_axes()
    draw_variance_mean(axes, few, ["1"], of="post")
    assert any("sweeps or more" in each.replace("\n", " ") for each in words(axes))


def test_a_train_is_drawn_with_its_posterior_and_broken_at_the_pause(rng):
    held = train(rng, 0.3)
    fit = fit_tsodyks_markram([held], rng=rng, config=QUICK, unit="mV")
    axes = new_axes()
    draw_trains(axes, [held], fit, of="baseline")
    (bars,) = axes.containers
    np.testing.assert_allclose(bars[0].get_xydata(), np.stack([1e3 * TIMES, held.amplitude], axis=1))
    course, stub = (each for each in axes.lines if each.get_label() == "fit")
    np.testing.assert_allclose(course.get_ydata(), fit.predict(TIMES)[1, :8])
    np.testing.assert_allclose(stub.get_ydata(), fit.predict(TIMES)[1, 8])
    assert axes.get_ylabel() == "mean amplitude (mV)"
    assert axes.get_xlabel().endswith("(ms)")


def test_what_is_not_identifiable_is_written_above_the_train(rng):
    flat = Train(times_s=0.05 * np.arange(3), amplitude=np.full(3, 10.0), se=np.full(3, 3.0))
    fit = fit_tsodyks_markram([flat], rng=rng, config=QUICK)
    axes = new_axes()
    draw_trains(axes, [flat], fit, of="control")
    for told, symbol in zip(fit.told, "UDF", strict=True):
        if told == "not identifiable":
            assert f"{symbol} not identifiable" in words(axes)
    assert "not identifiable" in fit.told


def test_a_bound_is_the_same_above_the_train_and_in_the_sentence(rng):
    # A facilitation that is over before the next pulse can only be bounded.
    mean = predict_train(TIMES, u=0.5, d_ms=500.0, f_ms=5.0, a=200.0)
    held = Train(times_s=TIMES, amplitude=mean, se=np.full(mean.size, 3.0))
    fit = fit_tsodyks_markram([held], rng=rng, config=QUICK)
    axes = new_axes()
    draw_trains(axes, [held], fit, of="control")
    (bound,) = [each for each in words(axes) if each.startswith("F at most")]
    assert f"{bound.replace('at most', 'is at most')}, and" in fit.statement


def test_nothing_is_said_of_shades_where_there_is_no_fit(rng):
    nothing = measure_variance_mean([rng.normal(0, 1, 50) for _ in range(3)], noise_sd=1.0, rng=rng)
    figure = release_figure(title="cell", variance_mean=[("conditions", LABELS[:3], nothing)])
    drawn = " ".join(each.get_text() for each in figure.texts)
    assert "Bars: 95 %" in drawn
    assert "Shaded" not in drawn


def test_several_trains_are_drawn_pulse_by_pulse_with_their_frequencies(several):
    of, trains, fit = several
    axes = new_axes()
    draw_trains(axes, trains, fit, of=of)
    assert axes.get_xlabel() == "pulse"
    assert {"20 Hz", "50 Hz"} <= set(words(axes))
    assert len(axes.containers) == 2


def test_the_ratios_are_those_of_the_draws(change):
    found = change
    axes = new_axes()
    draw_release_change(axes, found, compared=("baseline", "post"))
    (draws,) = [each for each in axes.lines if each.get_label() == "draws"]
    np.testing.assert_allclose(draws.get_xydata(), np.exp(found.log_ratios))
    (u,) = [each for each in axes.lines if each.get_label() == "U"]
    np.testing.assert_allclose(u.get_xdata(), [found.u_ratio.low, found.u_ratio.high])
    assert axes.get_xlim()[0] < 1.0 < axes.get_xlim()[1]
    assert "U changed (release)" in words(axes)
    axes = new_axes()
    draw_release_change(axes, replace(found, status="nothing to say"), compared=("baseline", "post"))
    assert "nothing to say" in words(axes)


@pytest.mark.parametrize("which", ["one", "phases", "trains", "hostile"])
def test_a_page_can_be_read(which, points, panels, change, several):
    if which == "one":
        page = {"variance_mean": [("conditions", LABELS, points)], "notes": ["Tsodyks–Markram: one pulse in a sweep."]}
    elif which == "phases":
        over = [(name, LABELS, points) for name in ("baseline", "post")]
        page = {"variance_mean": over, "trains": panels, "comparison": change, "compared": ("baseline", "post")}
    elif which == "trains":
        page = {"trains": [several, *panels]}
    else:
        name = "a condition $with$ a name that goes on and on <b>" * 2
        page = {"variance_mean": [(name, [name] * 4, points)], "trains": [(name, *panels[0][1:])]}
    figure = release_figure(title="cell 07 PV->PC $1 & $2 <b>", **page)
    assert_readable(figure, at_least=10)
    drawn = " ".join(each.get_text() for each in figure.texts)
    for sentence in (points.statement.split(":")[0],) if "variance_mean" in page else ():
        assert sentence in drawn
