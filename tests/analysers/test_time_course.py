"""The time course against sums done by hand, and what must not change it."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.time_course import time_course
from ephysplast.errors import OK, SettingsError
from ephysplast.experiment import SweepTable


def table(time_s, amplitude, phase, *, excluded=None) -> SweepTable:
    amplitude = np.asarray(amplitude, dtype=float)
    amplitude = amplitude[:, None] if amplitude.ndim == 1 else amplitude
    n, n_pulses = amplitude.shape
    nothing = np.full(n, np.nan)
    return SweepTable(
        unit="pA",
        phase=np.asarray(phase),
        time_s=np.asarray(time_s, dtype=float),
        amplitude=amplitude,
        noise=nothing,
        interval_s=0.05 * np.arange(n_pulses),
        rs_mohm=nothing,
        rin_mohm=nothing,
        holding=nothing,
        excluded=excluded or (OK,) * n,
        file=("a.abf",) * n,
        sweep=np.arange(1, n + 1),
    )


@pytest.fixture
def experiment(rng) -> SweepTable:
    """Ten minutes of baseline and thirty after a pause of eight, every ten seconds."""
    time_s = np.concatenate([10.0 * np.arange(60), 1080.0 + 10.0 * np.arange(180)])
    phase = ["baseline"] * 60 + ["post"] * 180
    return table(time_s, rng.normal(50.0, 5.0, (240, 2)), phase)


def test_each_bin_is_the_mean_and_sem_of_its_own_sweeps(experiment):
    course = time_course(experiment)
    first = experiment.amplitude[:, 0]
    by_minute = first.reshape(40, 6) / first[:60].mean()
    # Rounding of a sum of six numbers only.
    np.testing.assert_allclose(course.mean, by_minute.mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(course.sem, by_minute.std(axis=1, ddof=1) / np.sqrt(6), rtol=1e-10)
    assert course.n.tolist() == [6] * 40
    assert course.status == OK
    assert course.baseline_mean == pytest.approx(first[:60].mean())


def test_minutes_count_from_the_first_post_sweep(experiment):
    course = time_course(experiment)
    assert course.zero_s == 1080.0
    post = course.phase == "post"
    np.testing.assert_allclose(course.time_min[post], np.arange(30) + 0.5)
    np.testing.assert_allclose(course.time_min[~post], np.arange(10) + 0.5 - 18.0)
    assert course.sweep_time_min[60] == 0.0


def test_without_a_post_phase_zero_is_the_last_baseline_sweep():
    course = time_course(table([0, 60, 120], [1, 2, 3], ["baseline"] * 3))
    np.testing.assert_allclose(course.sweep_time_min, [-2, -1, 0])


def test_a_pause_within_a_phase_leaves_one_empty_row():
    time_s = [0, 30, 3600, 3630, 7200]
    course = time_course(table(time_s, [2, 2, 4, 6, 7], ["baseline"] * 2 + ["post"] * 3))
    assert course.n.tolist() == [2, 2, 0, 1]
    assert np.isnan(course.mean).tolist() == [False, False, True, False]
    # One sweep has no spread to tell an error from.
    assert np.isnan(course.sem).tolist() == [False, False, True, True]
    assert 0.5 < course.time_min[2] < 60.5


def test_a_bin_of_excluded_sweeps_is_a_pause_and_the_sweeps_are_still_there():
    reasons = (OK, OK, "R_s too high", OK)
    course = time_course(table([0, 60, 120, 180], [2, 2, 9, 2], ["baseline"] * 4, excluded=reasons))
    assert course.n.tolist() == [1, 1, 0, 1]
    assert course.baseline_mean == 2.0
    assert course.sweep_value.tolist() == [1.0, 1.0, 4.5, 1.0]
    assert course.sweep_used.tolist() == [True, True, False, True]


def test_edges_of_bins_survive_rounding():
    # 0.1 s steps cannot be written exactly: without care some minutes would hold 599 or 601 sweeps.
    time_s = 1e5 + np.cumsum(np.full(6000, 0.1))
    course = time_course(table(time_s, np.ones(6000), ["baseline"] * 6000))
    assert course.n.tolist() == [600] * 10


def test_the_second_pulse_and_raw_units(experiment):
    course = time_course(experiment, pulse=2, normalise=False, bin_min=5.0)
    second = experiment.amplitude[:, 1].reshape(8, 30)
    np.testing.assert_allclose(course.mean, second.mean(axis=1), rtol=1e-12)
    assert course.unit == "pA"
    assert course.quantity("mean").dimensionality.string == "pA"
    assert course.baseline_mean == pytest.approx(second[:2].mean())


@pytest.mark.parametrize(
    ("phase", "amplitude", "said"),
    [(["post"] * 3, [1, 2, 3], "no baseline sweep"), (["baseline"] * 3, [-1, -2, 1], "not above zero")],
)
def test_nothing_to_normalise_to_is_said_and_nan(phase, amplitude, said):
    course = time_course(table([0, 10, 20], amplitude, phase))
    assert said in course.status
    assert np.isnan(course.baseline_mean)
    assert np.isnan(course.sweep_value).all()
    assert course.n.tolist() == [3]
    assert np.isnan(course.mean).all()
    assert time_course(table([0, 10, 20], amplitude, phase), normalise=False).status == OK


def test_an_empty_table_gives_an_empty_course():
    course = time_course(table([], np.empty((0, 1)), np.empty(0, dtype=str)))
    assert course.mean.shape == (0,)
    assert course.to_frame().empty


@pytest.mark.parametrize("wrong", [{"bin_min": 0.0}, {"bin_min": float("nan")}, {"pulse": 0}, {"pulse": 3}])
def test_impossible_settings_are_refused(experiment, wrong):
    with pytest.raises(SettingsError):
        time_course(experiment, **wrong)


@settings(max_examples=25, deadline=None)
@given(factor=st.floats(1e-3, 1e3), shift=st.floats(-1e5, 1e5), seed=st.integers(0, 99))
def test_neither_gain_nor_the_clock_changes_the_course(factor, shift, seed):
    rng = np.random.default_rng(seed)
    time_s = np.concatenate([7.0 * np.arange(20), 500.0 + 7.0 * np.arange(30)])
    plain = table(time_s, rng.normal(10.0, 1.0, 50), ["baseline"] * 20 + ["post"] * 30)
    other = replace(plain, amplitude=plain.amplitude * factor, time_s=plain.time_s + shift)
    one, two = time_course(plain), time_course(other)
    np.testing.assert_allclose(two.mean, one.mean, rtol=1e-9)
    np.testing.assert_allclose(two.sem, one.sem, rtol=1e-7)
    # A shift of 1e5 s keeps ten digits of a time in s.
    np.testing.assert_allclose(two.time_min, one.time_min, atol=1e-8)


def test_it_survives_a_worker_process_and_leaves_its_input(experiment):
    before = experiment.amplitude.copy()
    course = pickle.loads(pickle.dumps(time_course(experiment)))  # noqa: S301 - our own bytes
    np.testing.assert_array_equal(experiment.amplitude, before)
    frame = course.to_frame()
    assert list(frame.columns) == ["phase", "time_min", "mean", "sem", "n", "unit"]
    assert len(frame) == 40
