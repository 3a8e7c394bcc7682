"""The course of a rule's state: what decays decays, what jumps jumps, and it ends where simulate ends."""

import numpy as np
import pytest

from ephysplast.simulator import RULES, pairing, recorded, simulate, timing_window, trace_states

PAIRS = pairing(dt_ms=10.0, frequency_hz=10.0, n_pairings=4)


def at(course, name, moment_s):
    """The state at the last moment not after that one."""
    return course.states[name][np.flatnonzero(course.time_s <= moment_s + 1e-12)[-1]]


def test_a_trace_is_a_sum_of_exponentials():
    course = trace_states("vogels", PAIRS)
    for moment in (0.0, 0.05, 0.1, 0.237, 0.4):
        ago = moment - PAIRS.pre_s[PAIRS.pre_s <= moment + 1e-12]
        here = np.flatnonzero(course.time_s <= moment + 1e-12)[-1]
        late = moment - course.time_s[here]  # the state of a little earlier, decayed until now
        expected = np.exp(-1e3 * ago / 20.0).sum()
        assert course.states["x_pre"][here] * np.exp(-1e3 * late / 20.0) == pytest.approx(expected, abs=1e-9)


def test_each_spike_is_a_jump_between_two_moments_a_microsecond_apart():
    course = trace_states("triplet_visual_all_full", PAIRS)
    for moment in PAIRS.pre_s:
        here = np.flatnonzero(np.abs(course.time_s - moment) < 1e-9)[-1]
        before = np.flatnonzero(course.time_s < moment - 5e-7)[-1]
        assert course.time_s[here] - course.time_s[before] == pytest.approx(1e-6, abs=1e-9)
        # A microsecond fades a trace of 16.8 ms by 6e-5 of itself.
        assert course.states["r1"][here] - course.states["r1"][before] == pytest.approx(1.0, abs=2e-4)
    assert (np.diff(course.time_s) >= 0).all()


@pytest.mark.parametrize("rule", RULES, ids=lambda each: each.name)
def test_the_course_ends_where_the_simulation_ends(rule):
    course = trace_states(rule, PAIRS, n_moments=50, after_s=1.0, rng=np.random.default_rng(1))
    assert all(len(each) == len(course.time_s) for each in course.states.values())
    assert set(course.changed) <= set(course.states)
    assert all(np.isfinite(each).all() for each in course.states.values())
    assert len(course.to_frame()) == len(course.time_s)
    if rule.expression is None or rule.equations.is_random:
        return
    end, start = course.states["w"][-1], course.states["w"][0]
    found = simulate(rule, PAIRS)
    assert end / start - 1.0 == pytest.approx(found.strength[0], abs=1e-9)


def test_calcium_of_a_presynaptic_spike_comes_after_its_delay():
    course = trace_states("graupner_brunel_dp", recorded(pre_s=[0.0], post_s=[]), after_s=0.1)
    assert at(course, "calcium", 0.0136) == 0.0
    assert at(course, "calcium", 0.0137) == pytest.approx(1.0)


def test_a_window_is_the_simulation_of_its_pairings():
    window = timing_window("triplet_visual_all_full", dt_ms=[-10.0, 10.0], frequency_hz=[10.0, 40.0], n_pairings=60)
    assert window.changes["q"].shape == (2, 2)
    expected = simulate("triplet_visual_all_full", pairing(dt_ms=10.0, frequency_hz=40.0, n_pairings=60)).q[0]
    assert window.changes["q"][1, 1] == expected
    frame = window.to_frame()
    assert frame.loc[(frame.frequency_hz == 40.0) & (frame.dt_ms == 10.0), "q"].item() == expected


def test_the_first_row_of_a_long_protocol_is_followed_as_closely_as_the_whole():
    rows = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5, n_repeats=15)
    course = trace_states("vogels", rows, n_moments=200)
    # Five pairings last 0.21 s; the pause of 9.79 s after them is shown for as long again.
    assert course.first_row_s == pytest.approx((0.0, 0.42))
    inside = (course.time_s > 0.0) & (course.time_s < 0.42)
    assert np.diff(course.time_s[inside]).max() < 0.42 / 190
    for short in (PAIRS, recorded(pre_s=[0.0, 1.0, 2.0], post_s=[]), recorded(pre_s=[0.0], post_s=[])):
        assert trace_states("vogels", short, n_moments=10).first_row_s is None
