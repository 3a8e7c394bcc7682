"""Calcium thresholds: time above them, closed form against noise, and noise against a plain time-stepped twin."""

from dataclasses import replace

import numpy as np
import pytest
import twins

from ephysplast.simulator import RULES, find_rule, pairing, pre_alone, recorded, simulate
from ephysplast.simulator._timeline import Timeline

NAMES = [each.name for each in RULES if each.family == "calcium thresholds" and not each.name.endswith("stochastic")]


def values(rule):
    return {each.name: each.value for each in find_rule(rule).parameters}


def noisy(name, n_synapses):
    rule = find_rule(f"{name}_stochastic")
    return replace(rule, equations=replace(rule.equations, n_synapses=n_synapses))


def test_all_nine_sets_are_there_twice():
    assert len(NAMES) == 9
    assert {f"{each}_stochastic" for each in NAMES} <= {each.name for each in RULES}


@pytest.mark.parametrize("name", NAMES)
def test_time_above_the_thresholds_against_a_fine_grid(name, rng):
    v = values(name)
    pre, post = np.sort(rng.uniform(0, 0.4, 12)), np.sort(rng.uniform(0, 0.4, 9))
    protocol = recorded(pre_s=pre, post_s=post)
    equations = find_rule(name).equations
    state = equations.init({each: np.array([value]) for each, value in v.items()}, Timeline.of(protocol))
    for event in range(21):
        equations.step(state, event)
    last = state.calcium.above(np.inf)
    step = 1e-5
    at = np.arange(-0.01, 1.2, step)
    calcium = np.zeros_like(at)
    for times, jump, delay in ((pre, v["c_pre"], v["delay_ms"] / 1e3), (post, v["c_post"], 0.0)):
        for t in times + delay:
            calcium += np.where(at >= t, jump * np.exp(-np.clip(at - t, 0, None) / (v["tau_ca_ms"] / 1e3)), 0.0)
    for above, tail, theta in ((state.above_p_ms, last[0], v["theta_p"]), (state.above_d_ms, last[1], v["theta_d"])):
        # Two crossings for each of 21 spikes at most, each off by half a step on average and one step at most.
        assert (above + tail)[0] == pytest.approx(1e3 * step * (calcium > theta).sum(), abs=42 * 1e3 * step)


@pytest.mark.parametrize("dt", [10.0, pytest.param(-10.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", NAMES)
def test_closed_form_within_002_of_its_stochastic_simulation(name, dt):
    # 20000 synapses from either state: the simulated change has a standard error of at most 0.004.
    protocol = pairing(dt_ms=dt, frequency_hz=1.0, n_pairings=60)
    simulated = simulate(noisy(name, 20_000), protocol, rng=np.random.default_rng(1)).q[0]
    assert simulate(name, protocol).q[0] == pytest.approx(simulated, abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("n", "hz"), [(75, 20.0), (100, 5.0)])
def test_closed_form_within_002_over_the_whole_window(name, n, hz):
    rule = noisy(name, 20_000)
    for dt in (-20.0, -5.0, 0.0, 20.0):
        protocol = pairing(dt_ms=dt, frequency_hz=hz, n_pairings=n)
        simulated = simulate(rule, protocol, rng=np.random.default_rng(1)).q[0]
        assert simulate(name, protocol).q[0] == pytest.approx(simulated, abs=0.02)


def test_the_stochastic_rule_against_a_time_stepped_twin():
    name, n = "graupner_brunel_dp", 8000
    protocol = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=20)
    events = twins.merged(1e3 * protocol.pre_s, 1e3 * protocol.post_s)
    v = values(name)
    up, down = twins.graupner_brunel(events, v, n=n, dt_s=2e-4, rng=np.random.default_rng(2))
    beta, b = v["beta"], v["b"]
    expected = ((1 - up) * beta + down * (1 - beta) + b * (up * beta + (1 - down) * (1 - beta))) / (
        beta + (1 - beta) * b
    ) - 1
    found = simulate(noisy(name, n), protocol, rng=np.random.default_rng(3)).q[0]
    assert abs(expected) > 0.1  # there is something to compare
    # Each has a standard error of at most 4/6 · √(2 · 0.25/8000) = 0.005; four of their difference is 0.03.
    assert found == pytest.approx(expected, abs=0.03)


def test_without_calcium_above_a_threshold_nothing_moves():
    protocol = pre_alone(frequency_hz=1.0, n_spikes=60)  # one unit of calcium, threshold at one
    quiet = {"c_pre": 0.5}
    assert simulate("graupner_brunel_dp", protocol, parameters=quiet).q[0] == 0.0
    assert (
        simulate("graupner_brunel_dp_stochastic", protocol, parameters=quiet, rng=np.random.default_rng(1)).q[0] == 0.0
    )


def test_the_cultures_set_has_no_depression_at_minus_8_ms():
    protocol = [pairing(dt_ms=dt, frequency_hz=1.0, n_pairings=60) for dt in (-20.0, -8.0)]
    assert all(simulate("graupner_brunel_hippocampal_cultures", each).q[0] > -1e-3 for each in protocol)
    assert "no LTD" in find_rule("graupner_brunel_hippocampal_cultures").note


def test_delays_that_differ_between_parameter_sets_change_the_order_of_spikes_in_each():
    protocol = recorded(pre_s=[0.0, 0.03], post_s=[0.01, 0.035])
    delays = [0.0, 5.0, 12.0, 40.0]
    together = simulate("graupner_brunel_dp", protocol, parameters={"delay_ms": delays}).q
    apart = [simulate("graupner_brunel_dp", protocol, parameters={"delay_ms": each}).q[0] for each in delays]
    np.testing.assert_allclose(together, apart, rtol=0, atol=1e-14)
