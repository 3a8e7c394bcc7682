"""The vectorised rules against plain loops over spikes and against pairs counted one by one."""

import numpy as np
import pytest
import twins
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.simulator import RULES, find_rule, pairing, recorded, simulate
from ephysplast.simulator._timeline import Timeline

# Two roads to the same sum of a few hundred terms around 1: they part in the last digits of 1.
CLOSE = {"rtol": 0, "atol": 1e-11}

# On a grid of 0.5 ms, so that simultaneous spikes and equal intervals occur.
SPIKES = st.lists(st.integers(0, 600), min_size=0, max_size=25, unique=True).map(
    lambda each: [t / 2 for t in sorted(each)]
)
TWO_TRAINS = given(pre=SPIKES, post=SPIKES)
FAST = settings(max_examples=25, deadline=None)


def protocol(pre, post):
    return recorded(pre_s=np.array(pre) / 1e3, post_s=np.array(post) / 1e3)


def values(rule, **scale):
    return {each.name: each.value * scale.get(each.name, 1.0) for each in find_rule(rule).parameters}


@pytest.mark.parametrize("scheme", ["all", "nearest_symmetric", "nearest_pre_centred", "nearest_reduced_symmetric"])
@TWO_TRAINS
@FAST
def test_pairing_schemes_against_pairs_counted_one_by_one(scheme, pre, post):
    v = values(f"pair_{scheme}")
    dts = twins.pairs(pre, post, scheme)
    expected = twins.hebbian(dts, v["a_plus"], v["a_minus"], v["tau_plus_ms"], v["tau_minus_ms"], True)
    found = simulate(f"pair_{scheme}", protocol(pre, post)).q[0]
    np.testing.assert_allclose(found, expected, **CLOSE)


@TWO_TRAINS
@FAST
def test_suppression_against_pairs_counted_one_by_one(pre, post):
    v = values("pair_froemke_dan", a_plus=0.1, a_minus=0.1)  # small: nothing falls to 0
    names = ("a_plus", "a_minus", "tau_plus_ms", "tau_minus_ms", "tau_pre_suppression_ms", "tau_post_suppression_ms")
    expected = twins.froemke_dan(pre, post, *(v[each] for each in names))
    np.testing.assert_allclose(simulate("pair_froemke_dan", protocol(pre, post), parameters=v).q[0], expected, **CLOSE)


@pytest.mark.parametrize("name", [each.name for each in RULES if each.family == "triplet"])
@given(pre=SPIKES, post=SPIKES, seed=st.integers(0, 1000))
@settings(max_examples=8, deadline=None)
def test_triplet_rules_against_a_loop_over_spikes(name, pre, post, seed):
    rng = np.random.default_rng(seed)
    v = {each: value * rng.uniform(0.5, 1.5, 3) for each, value in values(name).items()}
    absent = {"a2_plus": 0.0, "a3_minus": 0.0, "tau_x_ms": 1.0}  # of the minimal sets
    names = ("a2_plus", "a3_plus", "a2_minus", "a3_minus", "tau_plus_ms", "tau_minus_ms", "tau_x_ms", "tau_y_ms")
    found = simulate(name, protocol(pre, post), parameters=v).q
    for i in range(3):
        row = [v[each][i] if each in v else absent[each] for each in names]
        events = twins.merged(pre, post)
        expected = twins.triplet(events, *row, nearest="nearest" in name) if events else 0.0
        np.testing.assert_allclose(found[i], expected, **CLOSE)


@TWO_TRAINS
@FAST
def test_vogels_against_a_loop_over_spikes(pre, post):
    events = twins.merged(pre, post)
    expected = twins.vogels(events, 0.05, 8.0, 20.0) if events else 0.0
    found = simulate("vogels", protocol(pre, post), parameters={"eta": 0.05, "rho0_hz": 8.0}).g[0]
    np.testing.assert_allclose(found, expected, **CLOSE)


@TWO_TRAINS
@FAST
def test_costa_against_sums_over_all_spikes_before(pre, post):
    v = values("costa", eta=0.02)
    names = (
        "d_minus", "d_plus", "c_plus", "eta",
        "tau_fb_minus_ms", "tau_fb_plus_ms", "tau_ff_plus_ms", "p_start", "q_start",
    )  # fmt: skip
    expected = twins.costa(pre, post, *(v[each] for each in names))
    found = simulate("costa", protocol(pre, post), parameters=v)
    np.testing.assert_allclose([found.p[0], found.q[0]], expected, **CLOSE)


@TWO_TRAINS
@FAST
def test_woodin_against_pairs_counted_one_by_one(pre, post):
    n_coincident = sum(abs(s - t) <= 20.0 for t in pre for s in post)
    n_alone = sum(all(abs(s - t) > 20.0 for s in post) for t in pre)
    found = simulate("woodin", protocol(pre, post), parameters={"shift_mv": 0.01, "shift_max_mv": 60.0, "a_g": 0.001})
    assert found.e_gaba_mv[0] == pytest.approx(0.01 * n_coincident, abs=1e-9)
    assert found.g[0] == pytest.approx(-0.001 * n_alone, abs=1e-9)


def test_haas_pairs_each_spike_with_the_last_one_of_the_other_cell():
    pre, post = [0.0, 30.0, 33.0], [8.0, 12.0, 41.0]
    dts = twins.pairs(pre, post, "nearest_symmetric")
    shape = [np.sign(dt) * (abs(dt) / 10 * np.exp(1 - abs(dt) / 10)) ** 10 for dt in dts]
    assert simulate("haas", protocol(pre, post)).g[0] == pytest.approx(0.005 * sum(shape), abs=1e-13)


def bounded_pair(events, a_plus, a_minus, tau_plus, tau_minus, w):
    """Pair rule between 0 and 1."""
    start = w
    r1 = o1 = 0.0
    last = events[0][0]
    for t, kind in events:
        r1, o1, last = r1 * np.exp(-(t - last) / tau_plus), o1 * np.exp(-(t - last) / tau_minus), t
        if kind == 0:
            w, r1 = max(w - a_minus * o1, 0.0), r1 + 1
        else:
            w, o1 = min(w + a_plus * r1, 1.0), o1 + 1
    return w / start - 1.0


@given(pre=SPIKES, post=SPIKES, seed=st.integers(0, 1000), n=st.integers(2, 6))
@FAST
def test_stretches_that_repeat_after_long_pauses_against_a_loop_over_all_of_them(pre, post, seed, n):
    # Large amplitudes: the weight runs into both bounds, within stretches and between them.
    rng = np.random.default_rng(seed)
    sets = {"a_plus": rng.uniform(0, 0.5, 4), "a_minus": rng.uniform(0, 0.5, 4), "w_start": rng.uniform(0.05, 0.95, 4)}
    pauses = 5000.0 * np.arange(n)
    rows = [np.add.outer(pauses, np.array(each)).ravel() for each in (pre, post)]
    found = simulate("pair_song", protocol(*rows), parameters=sets).q
    events = twins.merged(*rows)
    for i in range(4):
        values_of = (sets["a_plus"][i], sets["a_minus"][i], 20.0, 20.0, sets["w_start"][i])
        expected = bounded_pair(events, *values_of) if events else 0.0
        np.testing.assert_allclose(found[i], expected, **CLOSE)


def test_stretches_are_counted_where_nothing_is_remembered():
    row = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5, n_repeats=15)
    assert Timeline.of(row).repeats(5000.0) == [(0, 10, 15)]
    assert Timeline.of(row).repeats(15_000.0) == [(0, 150, 1)]
    uneven = protocol([0.0, 5000.0, 10_000.0], [10.0, 5010.0, 10_011.0])
    assert Timeline.of(uneven).repeats(1000.0) == [(0, 2, 2), (4, 6, 1)]
    assert Timeline.of(protocol([], [])).repeats(1.0) == []
