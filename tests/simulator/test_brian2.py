"""Pair, triplet and Vogels rules against Brian2, over irregular trains with simultaneous spikes."""

import numpy as np
import pytest
from brian2_oracle import ask

from ephysplast.simulator import find_rule, recorded, simulate

RULES = {"pair": "pair_all", "triplet": "triplet_visual_all_full", "vogels": "vogels"}
N_SETS = 4


@pytest.fixture(scope="module")
def trains():
    """Half a second of both cells at about 60 Hz, on a grid of 0.1 ms; a few spikes are simultaneous."""
    rng = np.random.default_rng(8)
    pre, post = (np.sort(rng.choice(5000, 30, replace=False)) + 10 for _ in range(2))
    post = np.union1d(post, pre[::7])
    return pre / 10.0, post / 10.0


@pytest.fixture(scope="module")
def parameters():
    rng = np.random.default_rng(9)
    return {
        short: {each.name: each.value * rng.uniform(0.5, 1.5, N_SETS) for each in find_rule(name).parameters}
        for short, name in RULES.items()
    }


@pytest.fixture(scope="module")
def answer(trains, parameters):
    pre, post = trains
    rules = [
        {"rule": short, "n": N_SETS, "parameters": {name: each.tolist() for name, each in sets.items()}}
        for short, sets in parameters.items()
    ]
    weights = ask(dt_ms=0.1, pre_ms=pre.tolist(), post_ms=post.tolist(), target="numpy", rules=rules)["weights"]
    return dict(zip(parameters, weights, strict=True))


@pytest.mark.parametrize("short", RULES)
def test_weights_equal_brian2(short, trains, parameters, answer):
    pre, post = trains
    found = simulate(RULES[short], recorded(pre_s=pre / 1e3, post_s=post / 1e3), parameters=parameters[short])
    expected = np.array(answer[short]) - 1.0
    assert np.abs(expected).min() > 1e-4  # something happened
    # Both are exact between spikes, so only rounding may part them; Brian2 counts time in steps of 0.1 ms.
    np.testing.assert_allclose(found.strength, expected, rtol=0, atol=1e-9)
