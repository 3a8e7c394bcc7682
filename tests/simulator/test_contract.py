"""What every rule keeps to: vectorised as one by one, nothing from nothing, the clock's zero does not matter, words."""

import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

from ephysplast.simulator import RULES, VARIABLES, Protocol, find_rule, pairing, recorded, simulate, theta_burst
from ephysplast.simulator.parameter import CONFIDENCES

EACH = pytest.mark.parametrize("rule", RULES, ids=lambda each: each.name)
NAMES = [each.name for each in VARIABLES]

PROTOCOLS = (
    pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=8),
    pairing(dt_ms=0.0, frequency_hz=40.0, n_pairings=5, n_post=2, burst_hz=200.0),
    theta_burst(n_bursts=3, dt_ms=-7.0).held_at(-60.0),
)


def run(rule, protocol, **arguments):
    return simulate(rule, protocol, rng=np.random.default_rng(5), **arguments)


def changes(result):
    return np.array([getattr(result, name) for name in NAMES])


def sets_of(rule, n):
    """Draw parameter sets from the priors."""
    rng = np.random.default_rng(17)
    return {each.name: each.prior.quantile(rng.uniform(size=n)) for each in rule.parameters}


@EACH
def test_many_parameter_sets_at_once_are_the_same_as_one_by_one(rule):
    sets = sets_of(rule, 5)
    for protocol in PROTOCOLS:
        together = changes(run(rule, protocol, parameters=sets))
        apart = [
            changes(run(rule, protocol, parameters={name: each[i] for name, each in sets.items()})) for i in range(5)
        ]
        # The same operations in the same order, but for vector instructions that round the last digit differently.
        np.testing.assert_allclose(together, np.concatenate(apart, axis=1), rtol=0, atol=1e-12)
        assert np.isfinite(together).all()


@EACH
def test_sets_that_share_some_values_are_the_same_as_sets_that_repeat_them(rule):
    sets = sets_of(rule, 3)
    first = rule.parameters[0].name
    shared = {name: each if name == first else each[0] for name, each in sets.items()}
    repeated = {name: np.broadcast_to(each, 3) for name, each in shared.items()}
    np.testing.assert_allclose(
        changes(run(rule, PROTOCOLS[0], parameters=shared)),
        changes(run(rule, PROTOCOLS[0], parameters=repeated)),
        rtol=0,
        atol=1e-12,
    )


@EACH
def test_no_spikes_no_change(rule):
    result = run(rule, Protocol(), parameters=sets_of(rule, 3))
    np.testing.assert_array_equal(changes(result), 0.0)
    assert (result.strength == 0.0).all()


@EACH
def test_a_shift_of_time_changes_nothing(rule):
    original = PROTOCOLS[0]
    moved = recorded(pre_s=original.pre_s + 1234.5, post_s=original.post_s + 1234.5)
    # At 1234.5 s a float holds 2e-13 s, 1e-9 or so of any interval.
    np.testing.assert_allclose(changes(run(rule, moved)), changes(run(rule, original)), rtol=0, atol=1e-8)


@EACH
def test_the_protocol_and_the_parameters_are_not_written_to(rule):
    sets = sets_of(rule, 3)
    kept = {name: each.copy() for name, each in sets.items()}
    protocol = PROTOCOLS[0]
    pre = protocol.pre_s.copy()
    one, two = run(rule, protocol, parameters=sets), run(rule, protocol, parameters=sets)
    for name, each in sets.items():
        np.testing.assert_array_equal(each, kept[name])
    np.testing.assert_array_equal(protocol.pre_s, pre)
    np.testing.assert_array_equal(changes(one), changes(two))


@EACH
def test_a_rule_is_frozen_and_can_be_sent_to_another_process(rule):
    back = pickle.loads(pickle.dumps(rule))  # noqa: S301 - our own bytes
    assert back == rule
    np.testing.assert_array_equal(changes(run(back, PROTOCOLS[0])), changes(run(rule, PROTOCOLS[0])))
    with pytest.raises(FrozenInstanceError):
        rule.name = "other"


@EACH
def test_the_rule_and_every_parameter_are_documented(rule):
    assert rule.summary
    assert rule.source
    assert rule.family
    assert rule.confidence in CONFIDENCES
    for each in rule.parameters:
        assert each.meaning
        assert each.source
        assert each.confidence in CONFIDENCES
        assert each.low <= each.prior.low <= each.value <= each.prior.high <= each.high
        for ending, unit in (("_ms", "ms"), ("_mv", "mV"), ("_hz", "Hz"), ("_pa", "pA"), ("tau_s", "s")):
            if each.name.endswith(ending) and not each.name.endswith("per_mv"):
                assert each.unit == unit
    frame = rule.to_frame()
    assert list(frame["parameter"]) == [each.name for each in rule.parameters]
    assert not frame["source"].eq("").any()


@EACH
def test_what_is_not_published_is_said_to_be_operational(rule):
    for each in rule.parameters:
        if "to be fitted" in each.source and "read off" not in each.source:
            assert each.confidence.startswith("operational")


@EACH
def test_the_result_is_tidy(rule):
    result = run(rule, PROTOCOLS[0], parameters=sets_of(rule, 4))
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame) == 4
    assert frame.columns.is_unique
    assert {"rule", "protocol", "status", "strength", *NAMES} <= set(frame.columns)
    assert result.quantity("e_gaba_mv").dimensionality.string == "mV"
    assert set(result.changed) <= set(NAMES)
    untouched = [name for name in NAMES if name not in result.changed]
    assert all((getattr(result, name) == 0.0).all() for name in untouched)


def test_names_are_unique_and_found():
    names = [each.name for each in RULES]
    assert len(set(names)) == len(names)
    assert all(find_rule(name).name == name for name in names)
