"""A mistake of the caller is said in words that name what would have worked."""

import numpy as np
import pytest
import quantities as pq

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.simulator import (
    Expression,
    Protocol,
    Rule,
    find_expression,
    find_rule,
    pairing,
    recorded,
    simulate,
    timing_window,
    trace_states,
)
from ephysplast.simulator.expression import POSTSYNAPTIC
from ephysplast.simulator.mechanisms import Level
from ephysplast.simulator.parameter import AGREED, amplitude
from ephysplast.simulator.terms import Term, TermEquations, Variable

PAIR = pairing(dt_ms=10.0, frequency_hz=1.0, n_pairings=5)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"rule": "triplett_visual_all_full"}, "did you mean 'triplet_visual_all_full'"),
        ({"rule": "tripplet"}, "did you mean one of: triplet_visual_all_full, .*triplet_hippocampal_nearest_minimal"),
        ({"rule": "graupner"}, "did you mean one of: graupner_brunel_dp, "),
        ({"rule": "xyz"}, "choose a name that begins with: .*vogels"),
        ({"rule": "vogels", "parameters": {"tau": 20.0}}, "did you mean 'tau_ms'"),
        ({"rule": "vogels", "parameters": {"tau_ms": 0.0}}, r"outside its bounds. Got: 0. Wanted: 0.1 to 10000 ms"),
        ({"rule": "vogels", "parameters": {"tau_ms": [20.0, -1.0]}}, r"parameter set 2 of 2"),
        ({"rule": "vogels", "parameters": {"tau_ms": np.nan}}, "outside its bounds"),
        ({"rule": "vogels", "parameters": {"tau_ms": "fast"}}, "not a number"),
        ({"rule": "vogels", "parameters": {"tau_ms": [[20.0]]}}, "wrong shape"),
        ({"rule": "vogels", "parameters": {"tau_ms": []}}, "wrong shape"),
        ({"rule": "vogels", "parameters": {"tau_ms": [20.0, 30.0], "eta": [0.1, 0.1, 0.1]}}, "2 × tau_ms, 3 × eta"),
        ({"rule": "vogels", "parameters": {"tau_ms": pq.Quantity(20.0, "mV")}}, "wrong dimension"),
        ({"rule": "vogels", "expression": "postsynaptc"}, "did you mean 'postsynaptic'"),
        ({"rule": "woodin", "expression": "postsynaptic"}, "says itself what it changes"),
        ({"rule": "graupner_brunel_dp_stochastic"}, "pass rng="),
    ],
)
def test_mistakes_are_said_in_words(arguments, words):
    with pytest.raises(EphysplastError, match=words):
        simulate(arguments.pop("rule"), PAIR, **arguments)


def test_parameters_may_carry_units():
    plain = simulate("vogels", PAIR, parameters={"tau_ms": 30.0, "rho0_hz": 5.0})
    quantity = simulate("vogels", PAIR, parameters={"tau_ms": 0.03 * pq.s, "rho0_hz": 5.0 / pq.s})
    assert quantity.g[0] == pytest.approx(plain.g[0], abs=1e-14)


def test_a_course_and_a_window_are_of_one_parameter_set():
    with pytest.raises(SettingsError, match="one parameter set"):
        trace_states("vogels", PAIR, parameters={"tau_ms": [10.0, 20.0]})
    with pytest.raises(SettingsError, match="with spikes"):
        trace_states("vogels", Protocol())
    with pytest.raises(SettingsError, match="one parameter set"):
        timing_window("vogels", dt_ms=[10.0], parameters={"tau_ms": [10.0, 20.0]})
    with pytest.raises(SettingsError, match="lists of Δt"):
        timing_window("vogels", dt_ms=[])


def test_there_is_no_current_at_e_gaba():
    with pytest.raises(EphysplastError, match="no current"):
        simulate("woodin", PAIR).current_change(v_mv=-70.0, e_gaba_mv=-70.0)


def test_an_expression_has_shares_that_add_up():
    with pytest.raises(SettingsError, match="do not add up"):
        Expression(name="half", p=0.5)
    with pytest.raises(SettingsError, match="do not add up"):
        Expression(name="odd", p=1.5, q=-0.5)
    with pytest.raises(SettingsError, match="no parameter 'tau'"):
        find_rule("vogels").parameter("tau")


def test_a_rule_of_ones_own_is_checked_when_it_is_made_and_needs_no_registration():
    number = amplitude("a", 0.1, meaning="a step", source="me", confidence=AGREED, likely=0.5)
    said = {"name": "mine", "family": "own", "summary": "steps", "source": "me", "confidence": AGREED}
    steps = TermEquations(terms=(Term(on="post", sign=1, amplitude=("a",)),))
    mine = Rule(**said, equations=steps, parameters=(number,), expression=POSTSYNAPTIC)
    assert simulate(mine, PAIR).q[0] == pytest.approx(0.5)
    with pytest.raises(EphysplastError, match="not those of its equations"):
        Rule(**said, equations=steps, parameters=(), expression=POSTSYNAPTIC)
    with pytest.raises(EphysplastError, match="no place"):
        Rule(**said, equations=steps, parameters=(number,), expression=None)
    strange = TermEquations(
        terms=(Term(on="post", sign=1, amplitude=("a",), variable="mood"),), changed=(Variable(name="mood"),)
    )
    with pytest.raises(EphysplastError, match="no expression variable"):
        Rule(**said, equations=strange, parameters=(number,), expression=None)
    with pytest.raises(EphysplastError, match="trace 'r9'"):
        TermEquations(terms=(Term(on="post", sign=1, amplitude=("a",), factors=(Level("r9"),)),))
    with pytest.raises(EphysplastError, match="'w2'"):
        TermEquations(terms=(Term(on="post", sign=1, amplitude=("a",), variable="w2"),))


def test_expressions_share_a_weight_out_so_that_the_product_is_the_weight():
    up = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=60)
    for name in ("presynaptic", "sites", "postsynaptic", "pre and post", "conductance"):
        found = simulate("triplet_visual_all_full", up, expression=name)
        assert found.strength[0] == pytest.approx(simulate("triplet_visual_all_full", up).q[0])
        assert set(found.changed) == {each for each in "pnqg" if getattr(find_expression(name), each) > 0}
    nothing_left = simulate("ltd_only", up, parameters={"a": 1.0}, expression="pre and post")
    assert nothing_left.p[0] == nothing_left.q[0] == -1.0


def test_intervals_that_differ_in_their_last_digits_are_the_same_interval():
    # 0.1 + 0.2 is not 0.3: both spikes of a "simultaneous" pair count as Δt = +0.
    twice = recorded(pre_s=[0.1 + 0.2], post_s=[0.3])
    exact = recorded(pre_s=[0.3], post_s=[0.3])
    assert simulate("pair_all", twice).q[0] == pytest.approx(simulate("pair_all", exact).q[0], abs=1e-12)
