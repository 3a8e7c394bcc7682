"""Protocols: the spikes are where the words say; what is no spike train is refused in words."""

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.simulator import (
    PROTOCOLS,
    Depolarisation,
    Protocol,
    pairing,
    poisson,
    post_alone,
    pre_alone,
    quadruplets,
    recorded,
    steady_depolarisation,
    theta_burst,
    trains,
    triplets,
)

CLOSE = {"rtol": 0, "atol": 1e-12}  # sums of a few numbers of the order of a second


def test_pairings_lie_where_the_words_say():
    made = pairing(dt_ms=-10.0, frequency_hz=20.0, n_pairings=5, n_repeats=15, repeat_interval_s=10.0)
    pre = np.concatenate([10.0 * row + np.arange(5) / 20 for row in range(15)])
    np.testing.assert_allclose(made.pre_s, pre, **CLOSE)
    np.testing.assert_allclose(made.post_s, pre - 0.01, **CLOSE)
    assert made.description == "15 × 5 pairings at 20 Hz, Δt -10 ms"


def test_bursts_on_either_side_and_delta_t_to_first_or_last_spike():
    burst = {"frequency_hz": 5.0, "n_pairings": 2, "n_post": 3, "burst_hz": 50.0}
    first = pairing(dt_ms=10.0, **burst)
    np.testing.assert_allclose(first.post_s, [0.01, 0.03, 0.05, 0.21, 0.23, 0.25], **CLOSE)
    last = pairing(dt_ms=10.0, dt_to_last=True, **burst)
    np.testing.assert_allclose(last.post_s, first.post_s - 0.04, **CLOSE)
    both = pairing(dt_ms=5.0, frequency_hz=1.0, n_pairings=1, n_pre=2, n_post=2, burst_hz=100.0)
    np.testing.assert_allclose(both.pre_s, [0.0, 0.01], **CLOSE)


def test_jitter_scatters_delta_t_by_its_sd(rng):
    made = pairing(dt_ms=10.0, frequency_hz=1.0, n_pairings=4000, jitter_ms=2.0, rng=rng)
    dt = 1e3 * (made.post_s - made.pre_s)
    # Standard error of the mean 2/√4000 = 0.03 ms, of the SD 0.022 ms: four of each.
    assert abs(dt.mean() - 10.0) < 0.13
    assert abs(dt.std() - 2.0) < 0.09


@pytest.mark.parametrize(
    ("dt1", "dt2", "pre", "post"),
    [(5, -15, [0, 20], [5]), (15, -5, [0, 20], [15]), (-5, 15, [0], [-5, 15]), (-10, 10, [0], [-10, 10])],
)
def test_triplets_by_the_signs_of_their_intervals(dt1, dt2, pre, post):
    made = triplets(dt1_ms=dt1, dt2_ms=dt2, frequency_hz=1.0, n_triplets=2)
    np.testing.assert_allclose(1e3 * made.pre_s, [*pre, *(1000.0 + np.array(pre))], rtol=0, atol=1e-9)
    np.testing.assert_allclose(1e3 * made.post_s, [*post, *(1000.0 + np.array(post))], rtol=0, atol=1e-9)


def test_quadruplets_are_two_pairs_so_far_apart():
    made = quadruplets(dt1_ms=-5.0, dt2_ms=5.0, interval_ms=30.0, n_quadruplets=1)
    assert np.allclose(1e3 * (made.post_s - made.pre_s), [-5.0, 5.0])
    middles = (made.pre_s + made.post_s) / 2
    np.testing.assert_allclose(1e3 * np.diff(middles), 30.0, rtol=0, atol=1e-9)


def test_theta_bursts_and_trains():
    tbs = theta_burst(n_bursts=10, n_spikes=4, burst_hz=100.0, theta_hz=5.0, n_trains=2, dt_ms=5.0)
    assert (tbs.n_pre, tbs.n_post) == (80, 80)
    np.testing.assert_allclose(tbs.pre_s[:5], [0.0, 0.01, 0.02, 0.03, 0.2], **CLOSE)
    np.testing.assert_allclose(tbs.post_s, tbs.pre_s + 0.005, **CLOSE)
    assert theta_burst().n_post == 0
    assert pre_alone(frequency_hz=100.0, n_spikes=100, n_trains=4).n_post == 0
    assert post_alone(frequency_hz=50.0, n_spikes=5).n_pre == 0
    both = trains(pre_hz=10.0, post_hz=0.0, duration_s=2.0)
    np.testing.assert_allclose(both.pre_s, np.arange(20) / 10, **CLOSE)
    assert both.n_post == 0


def test_potential_is_that_of_the_stretch_and_rest_elsewhere():
    made = steady_depolarisation(v_mv=-40.0, duration_s=10.0, frequency_hz=1.0)
    np.testing.assert_array_equal(made.potential_mv(np.array([-1.0, 0.0, 9.9, 10.0])), [-70.0, -40.0, -40.0, -70.0])
    both = Protocol(
        depolarisations=(
            Depolarisation(start_s=0.0, stop_s=5.0, v_mv=-50.0),
            Depolarisation(start_s=4.0, stop_s=6.0, v_mv=-30.0),
        )
    )
    np.testing.assert_array_equal(both.potential_mv(np.array([3.0, 4.5, 5.5, 7.0])), [-50.0, -30.0, -30.0, -70.0])
    np.testing.assert_array_equal(both.held_at(-20.0).potential_mv(np.array([4.5, 9.0])), [-20.0, -20.0])


def test_poisson_trains_have_the_rate_and_the_spread_of_poisson():
    made = poisson(pre_hz=20.0, post_hz=10.0, duration_s=500.0, rng=np.random.default_rng(3))
    # Counts of 10000 and 5000 have SDs of 100 and 71: four of each.
    assert abs(made.n_pre - 10_000) < 400
    assert abs(made.n_post - 5_000) < 290
    intervals = np.diff(made.pre_s)
    assert abs(intervals.std() / intervals.mean() - 1.0) < 0.05  # CV of 1, SD of its estimate 0.01
    assert made.pre_s[0] >= 0.0
    assert made.pre_s[-1] < 500.0


def test_poisson_draws_from_the_generator_it_is_given_and_from_no_other():
    arguments = {"pre_hz": 20.0, "post_hz": 10.0, "duration_s": 5.0, "refractory_ms": 3.0}
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - NumPy's global generator must stay untouched
    one, two, other = (poisson(**arguments, rng=np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.pre_s, two.pre_s)
    assert one.n_pre != other.n_pre or not np.array_equal(one.pre_s, other.pre_s)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert np.diff(one.pre_s).min() >= 0.003


def test_recorded_times_may_carry_units_and_are_kept():
    made = recorded(pre_s=pq.Quantity([100.0, 200.0], "ms"), post_s=[0.11])
    np.testing.assert_allclose(made.pre_s, [0.1, 0.2], **CLOSE)
    given = np.array([0.1, 0.2])
    kept = recorded(pre_s=given, post_s=[])
    given[0] = 5.0
    assert kept.pre_s[0] == 0.1
    with pytest.raises(ValueError, match="read-only"):
        kept.pre_s[0] = 1.0


@settings(max_examples=25, deadline=None)
@given(
    dt=st.floats(-40.0, 40.0),
    hz=st.floats(0.1, 100.0),
    n=st.integers(1, 20),
    repeats=st.integers(1, 4),
)
def test_every_pairing_is_sorted_and_counted(dt, hz, n, repeats):
    made = pairing(dt_ms=dt, frequency_hz=hz, n_pairings=n, n_repeats=repeats, repeat_interval_s=n / hz + 1.0)
    assert made.n_pre == made.n_post == n * repeats
    assert (np.diff(made.pre_s) > 0).all()
    np.testing.assert_allclose(1e3 * (made.post_s - made.pre_s), dt, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([0.2, 0.1], "not sorted"),
        ([0.1, 0.1], "occurs twice"),
        ([0.1, np.nan], "not a finite number"),
        ([np.inf], "not a finite number"),
        ([[0.1], [0.2]], "not one list"),
        (["a"], "not numbers"),
        (pq.Quantity([1.0], "mV"), "wrong dimension"),
    ],
)
@pytest.mark.parametrize("side", ["pre_s", "post_s"])
def test_what_is_no_spike_train_is_refused_in_words(times, words, side):
    spikes = {"pre_s": [], "post_s": []} | {side: times}
    with pytest.raises(EphysplastError, match=words):
        recorded(**spikes)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: pairing(dt_ms=10.0, frequency_hz=0.0, n_pairings=5), "frequency_hz is not possible"),
        (lambda: pairing(dt_ms=10.0, frequency_hz=1.0, n_pairings=0), "whole number"),
        (lambda: pairing(dt_ms=float("nan"), frequency_hz=1.0, n_pairings=5), "dt_ms"),
        (lambda: pairing(dt_ms=1.0, frequency_hz=50.0, n_pairings=5, n_post=5, burst_hz=100.0), "burst lasts longer"),
        (lambda: pairing(dt_ms=1.0, frequency_hz=1.0, n_pairings=60, n_repeats=2), "run into each other"),
        (lambda: pairing(dt_ms=1.0, frequency_hz=1.0, n_pairings=6, jitter_ms=1.0), "random number generator"),
        (lambda: triplets(dt1_ms=5.0, dt2_ms=5.0), "no triplet"),
        (lambda: quadruplets(dt1_ms=5.0, dt2_ms=5.0, interval_ms=-1.0), "interval_ms"),
        (lambda: theta_burst(theta_hz=50.0), "burst lasts longer"),
        (lambda: poisson(pre_hz=-1.0, post_hz=1.0, duration_s=1.0, rng=np.random.default_rng(0)), "pre_hz"),
        (lambda: steady_depolarisation(v_mv=float("nan"), duration_s=1.0, frequency_hz=1.0), "depolarisation"),
        (lambda: trains(pre_hz=1.0, post_hz=1.0, duration_s=-1.0), "duration_s"),
    ],
)
def test_impossible_protocols_are_refused_in_words(make, words):
    with pytest.raises(SettingsError, match=words):
        make()


def test_every_protocol_is_documented():
    for make in PROTOCOLS:
        for heading in ("Parameters", "Returns", "Examples"):
            assert heading in make.__doc__ or (make is post_alone and heading == "Parameters")
