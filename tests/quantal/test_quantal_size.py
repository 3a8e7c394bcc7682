"""Quantal size from minis and from failures, against a sampler of single sites."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.quantal.quantal_size import (
    FailureSizeConfig,
    MiniSizeConfig,
    QuantalSize,
    quantal_size_from_failures,
    quantal_size_from_minis,
)

TRUE_Q = 12.0


def minimal_stimulation(rng, n_sweeps, n, p, *, noise=0.8, cv=0.2):
    released = rng.random((n_sweeps, n)) < p
    quanta = TRUE_Q * (1.0 + cv * rng.standard_normal((n_sweeps, n)))
    return (released * quanta).sum(axis=1) + noise * rng.standard_normal(n_sweeps)


def minis(rng, n, cv=0.5):
    shape = 1.0 / cv**2
    return rng.gamma(shape, TRUE_Q / shape, n)


def test_minis_give_their_mean_and_the_uncertainty_that_counting_cannot_remove(rng) -> None:
    events = minis(rng, 400)
    found = quantal_size_from_minis(events, unit="pA")
    assert found.value == pytest.approx(events.mean())
    assert found.log_sd == pytest.approx(np.hypot(stats.sem(events) / events.mean(), 0.35))
    assert np.log(found.high / found.value) == pytest.approx(1.959964 * found.log_sd, rel=1e-6)
    assert "400 minis" in found.source
    assert "other synapses" in found.source
    assert found.to_frame().loc[0, "unit"] == "pA"
    assert pickle.loads(pickle.dumps(found)).value == found.value  # noqa: S301 - our own bytes


def test_a_few_large_minis_move_the_mean_and_not_the_median(rng) -> None:
    events = minis(rng, 300, cv=0.3)
    stained = np.concatenate([events, np.full(10, 200.0)])
    mean, median = (
        [quantal_size_from_minis(each, config=MiniSizeConfig(statistic=how)).value for each in (events, stained)]
        for how in ("mean", "median")
    )
    assert mean[1] > 1.3 * mean[0]
    assert median[1] == pytest.approx(median[0], rel=0.05)  # 10 of 310 move the median by 1.6 % of the ranks


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("n", [40, 41])
def test_the_sampling_error_is_the_scatter_of_repeats(statistic, n, rng) -> None:
    config = MiniSizeConfig(statistic=statistic, extra_log_sd=0.0)
    found = [quantal_size_from_minis(minis(rng, n), config=config) for _ in range(400)]
    scatter = np.std([np.log(each.value) for each in found])
    # 400 repeats know an SD to 3.5 %; three of them, and the SE of a median of 40 is a few per cent too large.
    assert np.sqrt(np.mean([each.log_sd**2 for each in found])) == pytest.approx(scatter, rel=0.15)


def test_too_few_minis_are_an_answer_and_wrong_signs_an_error(rng) -> None:
    few = quantal_size_from_minis([10.0] * 5)
    assert "too few" in few.status
    assert np.isnan([few.value, few.log_sd, few.low, few.high]).all()
    alike = quantal_size_from_minis([10.0] * 50, config=MiniSizeConfig(extra_log_sd=0.0))
    assert "alike" in alike.status
    with pytest.raises(EphysplastError, match="turn the sign"):
        quantal_size_from_minis(-minis(rng, 50))
    with pytest.raises(EphysplastError, match="list"):
        quantal_size_from_minis(np.ones((5, 5)))
    with pytest.raises(SettingsError, match="summed up"):
        MiniSizeConfig(statistic="mode")  # type: ignore[arg-type]
    with pytest.raises(EphysplastError, match="exactly when"):
        QuantalSize(value=1.0, log_sd=float("nan"), source="nothing")


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (3, 0.3), (6, 0.2)])
def test_failures_of_many_sweeps_give_q_back_when_n_is_known(n, p, rng) -> None:
    sweeps = minimal_stimulation(rng, 50_000, n, p)
    config = FailureSizeConfig(n_sites=float(n), n_boot=100)
    found = quantal_size_from_failures(sweeps, noise_sd=0.8, rng=rng, config=config)
    # 50 000 sweeps know the mean and the content to 1 % each.
    assert found.value == pytest.approx(TRUE_Q, rel=0.02)
    assert found.log_sd == pytest.approx(0.1, abs=0.005)  # what is added on purpose is all that is left


def test_without_n_the_interval_holds_one_site_and_many(rng) -> None:
    for n, p in ((1, 0.5), (50, 0.02)):
        sweeps = minimal_stimulation(rng, 4_000, n, p)
        found = quantal_size_from_failures(sweeps, noise_sd=0.8, rng=rng)
        assert found.low < TRUE_Q < found.high
        assert abs(np.log(found.value / TRUE_Q)) < 2.0 * found.log_sd
        assert "one to many" in found.source
        # The closed form of both ends: failures are half (or 36 %) of the sweeps, noise takes 2.3 % of them away.
        failed = (1 - p) ** n
        width = np.log(-np.log(failed) / (1 - failed))
        assert found.log_sd == pytest.approx(np.sqrt(width**2 / 12 + 0.1**2), rel=0.1)


def test_failures_that_cannot_be_told_are_refused_with_the_reason(rng) -> None:
    buried = minimal_stimulation(rng, 300, 4, 0.3, noise=4.0, cv=0.4)
    assert "cannot be told" in quantal_size_from_failures(buried, noise_sd=4.0, rng=rng).status
    certain = minimal_stimulation(rng, 300, 10, 0.9)
    assert "0 failures" in quantal_size_from_failures(certain, noise_sd=0.8, rng=rng).status
    silent = quantal_size_from_failures(0.8 * rng.standard_normal(100), noise_sd=0.8, rng=rng)
    assert "responses" in silent.status
    sweeps = minimal_stimulation(rng, 100, 3, 0.3)
    assert "not measured" in quantal_size_from_failures(sweeps, noise_sd=0.0, rng=rng).status
    for each in (buried, sweeps):
        with pytest.raises(EphysplastError, match="noise"):
            quantal_size_from_failures(each, noise_sd=np.nan, rng=rng)
    with pytest.raises(SettingsError, match="n_sites"):
        FailureSizeConfig(n_sites=0.5)


@given(factor=st.floats(1e-3, 1e3), seed=st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_the_unit_scales_the_value_and_leaves_its_log_sd(factor, seed) -> None:
    rng = np.random.default_rng(seed)
    sweeps, events = minimal_stimulation(rng, 200, 3, 0.3), minis(rng, 60)
    config = FailureSizeConfig(n_boot=200)
    plain, scaled = (
        quantal_size_from_failures(k * sweeps, noise_sd=0.8 * k, rng=np.random.default_rng(1), config=config)
        for k in (1.0, factor)
    )
    assert scaled.value == pytest.approx(factor * plain.value, rel=1e-9)
    assert scaled.log_sd == pytest.approx(plain.log_sd, rel=1e-6)
    small, large = (quantal_size_from_minis(k * events) for k in (1.0, factor))
    assert large.value == pytest.approx(factor * small.value, rel=1e-9)
    assert large.log_sd == pytest.approx(small.log_sd, rel=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("n", "p"), [(2, 0.4), (5, 0.2)])
def test_intervals_from_failures_hold_the_truth_as_often_as_they_say(n, p) -> None:
    rng = np.random.default_rng(21)
    config = FailureSizeConfig(n_sites=float(n), n_boot=400)
    found = [
        quantal_size_from_failures(minimal_stimulation(rng, 80, n, p), noise_sd=0.8, rng=rng, config=config)
        for _ in range(500)
    ]
    held = [each for each in found if each.status == "ok"]
    assert len(held) > 400
    # 95 % asked; 500 experiments scatter by 1 % (three of them).
    assert np.mean([each.low <= TRUE_Q <= each.high for each in held]) == pytest.approx(0.95, abs=0.03)
    logs = np.log([each.value / TRUE_Q for each in held])
    assert abs(logs.mean()) < logs.std() / 4.0
