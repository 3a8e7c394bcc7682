"""Two conditions: a difference that is there is found, one that is not is not."""

import numpy as np
import pytest
from timing_tables import timings

from ephysplast.errors import OK, EphysplastError
from ephysplast.fitting import (
    FitConfig,
    compare_conditions,
    find_window,
    make_observations,
    predictive_check,
    rank_windows,
    window_for_both,
)
from ephysplast.fitting.evidence import sample_posterior
from ephysplast.fitting.likelihood import WindowModel

QUICK = FitConfig(n_particles=400)
HEBBIAN = find_window("hebbian")


def table(shape, amplitudes, *, rng, n=60, noise=0.1):
    at = timings(n, rng)
    return make_observations(at, HEBBIAN.change(at, shape=shape, amplitudes=amplitudes) + noise * rng.normal(size=n))


def test_a_difference_in_one_parameter_is_found_there(rng):
    first = table([17.0, 30.0], [0.8, -0.4], rng=rng)
    second = table([17.0, 30.0], [0.2, -0.4], rng=rng)
    found = compare_conditions(first, second, window=HEBBIAN, rng=rng, config=QUICK)
    amplitude = found.difference[found.names.index("amplitude_plus")]
    assert amplitude.low < -0.6 < amplitude.high
    assert amplitude.high < 0.0
    unchanged = found.difference[found.names.index("amplitude_minus")]
    assert unchanged.low < 0.0 < unchanged.high
    assert found.log_evidence_different > 3.0
    assert found.sentence.startswith("the conditions differ")
    after = found.curve_high[(found.delta_t_ms > 2.0) & (found.delta_t_ms < 15.0)]
    assert (after < 0.0).all()
    assert list(found.to_frame()["parameter"]) == list(found.names)


def test_conditions_alike_share_a_window(rng):
    first, second = (table([17.0, 30.0], [0.8, -0.4], rng=rng) for _ in range(2))
    found = compare_conditions(first, second, window=HEBBIAN, rng=rng, config=QUICK)
    assert found.log_evidence_different < 0.0
    assert not found.sentence.startswith("the conditions differ")
    for each in found.difference:
        if each.status == OK:
            # Five parameters: each at 95 %, some room for chance.
            assert each.low - 0.5 * (each.high - each.low) < 0.0 < each.high + 0.5 * (each.high - each.low)


def test_swapping_the_conditions_turns_the_difference(rng):
    first = table([17.0, 30.0], [0.8, -0.4], rng=rng)
    second = table([17.0, 30.0], [0.3, -0.2], rng=rng)
    forth, back = (
        compare_conditions(*each, window=HEBBIAN, rng=np.random.default_rng(3), config=FitConfig(n_particles=1000))
        for each in ((first, second), (second, first))
    )
    i = forth.names.index("amplitude_plus")
    # Monte Carlo error of a median of 1000 draws.
    assert forth.difference[i].value == pytest.approx(-back.difference[i].value, abs=0.03)
    assert forth.log_evidence_different == pytest.approx(back.log_evidence_different, abs=0.6)


def test_what_is_not_known_in_one_condition_has_no_difference(rng):
    first = table([17.0, 30.0], [0.8, -0.4], rng=rng)
    second = table([17.0, 30.0], [0.8, 0.0], rng=rng)
    found = compare_conditions(first, second, window=HEBBIAN, rng=rng, config=QUICK)
    tau = found.difference[found.names.index("tau_minus_ms")]
    assert np.isnan(tau.value)
    assert tau.status.startswith("in the second condition not identifiable")


def test_too_few_cells_in_one_condition_are_a_status(rng):
    first = table([17.0, 30.0], [0.8, -0.4], rng=rng)
    found = compare_conditions(first, first.subset([0, 1, 2]), window=HEBBIAN, rng=rng, config=QUICK)
    assert found.status.startswith("too few observations: 7 are needed")
    assert np.isnan(found.log_evidence_different)
    assert np.isnan(found.curve).all()
    assert all(np.isnan(each.value) for each in found.difference)


def check(observations, name, rng, config=QUICK):
    model = WindowModel(find_window(name), observations, config=config)
    return predictive_check(model, model.from_standard(sample_posterior(model, rng=rng).z), rng=rng)


def test_the_wrong_shape_and_an_outlier_are_told_apart(rng):
    good = table([17.0, 30.0], [0.8, -0.4], rng=rng)
    assert check(good, "hebbian", rng).sentence == "the window could have produced this table"
    wrong = check(good, "constant", rng)
    assert wrong.shape_p < 0.025
    assert "the shape is wrong" in wrong.sentence
    wild = good.change.copy()
    wild[7] += 3.0
    spoilt = check(
        make_observations(good.delta_t_ms, wild), "hebbian", rng, FitConfig(noise="gaussian", n_particles=400)
    )
    assert spoilt.outlier_p < 0.025
    assert "heavier tails" in spoilt.sentence


def test_the_order_of_cells_at_one_timing_does_not_matter(rng):
    at = np.repeat([-30.0, -10.0, 10.0, 30.0], 10)
    change = np.sort(
        HEBBIAN.change(at, shape=[17.0, 30.0], amplitudes=[0.8, -0.4]).reshape(4, 10) + 0.1 * rng.normal(size=(4, 10))
    )
    shuffled = rng.permuted(change, axis=1)
    first, second = (
        check(make_observations(at, each.ravel()), "hebbian", np.random.default_rng(2)) for each in (change, shuffled)
    )
    # Sorted cells at one timing, as they come from a digitised figure, are no sign of a wrong shape.
    assert first.shape_p == pytest.approx(second.shape_p, abs=0.08)


def test_the_window_for_both_sees_what_only_one_condition_has(rng):
    some = tuple(find_window(each) for each in ("none", "hebbian", "symmetric"))
    with_it, without = table([17.0, 30.0], [0.8, -0.4], rng=rng), table([17.0, 30.0], [0.0, 0.0], rng=rng)
    first, second = (rank_windows(each, rng, windows=some, config=QUICK) for each in (without, with_it))
    assert first.best.window.name == "none"  # in which no difference could ever be seen
    assert window_for_both(first, second) == window_for_both(second, first) == HEBBIAN
    few = rank_windows(with_it.subset(np.arange(6)), rng, windows=(HEBBIAN, find_window("symmetric")), config=QUICK)
    with pytest.raises(EphysplastError, match="no window could be fitted to both"):
        window_for_both(rank_windows(with_it, rng, windows=(HEBBIAN,), config=QUICK), few)
