"""Paired-pulse ratios of simulated synapses whose release probability is known."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.paired_pulse import PairedPulseConfig, measure_paired_pulse
from ephysplast.errors import OK, EphysplastError, SettingsError

QUICK = settings(max_examples=20, deadline=None, derandomize=True)


def depressing(n_sweeps: int, rng: np.random.Generator, *, n: int = 5, p: float = 0.5, q: float = 20.0) -> np.ndarray:
    """Two pulses of a synapse that has not recovered: each site that released is empty at the second."""
    first = rng.binomial(n, p, n_sweeps)
    second = rng.binomial(n - first, p)
    return q * np.column_stack([first, second]) + rng.normal(0, 2.0, (n_sweeps, 2))


def test_the_ratio_of_means_is_one_minus_p(rng):
    found = measure_paired_pulse(depressing(8_000, rng), config=PairedPulseConfig(n_boot=200), rng=rng)
    assert found.status == OK
    # Means of 8,000 sweeps: ±0.5 % and ±1 %, negatively correlated.
    assert found.paired_pulse_ratio[0] == pytest.approx(0.5, abs=0.02)
    assert found.n_sweeps.tolist() == [8_000]


def test_the_mean_of_ratios_is_biased_and_the_ratio_of_means_is_not(rng):
    # Gaussian amplitudes, CV 0.3: E[1/x] exceeds 1/E[x] by about CV² + 3 CV⁴ = 11 %.
    amplitude = np.column_stack([rng.normal(100, 30, 4000).clip(10), rng.normal(60, 5, 4000)])
    found = measure_paired_pulse(amplitude, config=PairedPulseConfig(n_boot=200), rng=rng)
    assert found.paired_pulse_ratio[0] == pytest.approx(0.6, rel=0.02)
    assert found.mean_of_ratios[0] > 1.08 * 0.6


@pytest.mark.parametrize("method", ["bootstrap", "fieller"])
@pytest.mark.parametrize("n_sweeps", [20, 60])
def test_the_interval_covers(method, n_sweeps, rng):
    config = PairedPulseConfig(method=method, n_boot=300)
    results = [measure_paired_pulse(depressing(n_sweeps, rng), config=config, rng=rng) for _ in range(250)]
    covered = np.mean([each.ratio_low[0] <= 0.5 <= each.ratio_high[0] for each in results if each.status == OK])
    assert 0.90 <= covered <= 0.985  # nominal 0.95, standard error 0.014; measured 0.93 to 0.96


def test_the_interval_allows_for_slow_fluctuations(rng):
    hits = []
    for _ in range(200):
        slow = rng.normal(size=60)
        for i in range(1, 60):
            slow[i] = 0.6 * slow[i - 1] + 0.8 * slow[i]
        amplitude = np.column_stack([100 + 30 * slow, 60 + rng.normal(0, 6, 60)])
        found = measure_paired_pulse(amplitude, config=PairedPulseConfig(n_boot=300), rng=rng)
        hits.append(found.ratio_low[0] <= 0.6 <= found.ratio_high[0])
    assert np.mean(hits) >= 0.87  # measured 0.91; resampling single sweeps gives 0.70


def test_every_pulse_of_a_train_has_its_ratio(rng):
    means = np.array([100.0, 80.0, 60.0, 50.0])
    found = measure_paired_pulse(means + rng.normal(0, 5, (50, 4)), rng=rng)
    assert found.paired_pulse_ratio == pytest.approx(means[1:] / 100, rel=0.05)  # 5 % / √50, three times over
    assert (found.ratio_low < means[1:] / 100).all()
    assert found.mean_amplitude == pytest.approx(means, rel=0.03)
    assert found.to_frame()["pulse"].tolist() == [2, 3, 4]


def test_a_first_response_that_may_be_zero_gives_no_ratio(rng):
    amplitude = np.column_stack([rng.normal(0, 10, 40), rng.normal(50, 10, 40)])
    amplitude[:, 0] -= amplitude[:, 0].mean()
    found = measure_paired_pulse(amplitude, rng=rng)
    assert "cannot be told from zero" in found.status
    assert np.isnan([found.paired_pulse_ratio, found.ratio_low, found.ratio_high, found.mean_of_ratios]).all()
    upside_down = measure_paired_pulse(amplitude - 100.0, rng=rng)
    assert upside_down.status == "the first response goes against the expected polarity"


def test_noise_that_is_as_large_as_the_response_is_no_response(rng):
    drift = rng.normal(20, 2, 40)  # a sloping baseline: the same measure finds as much where nothing was stimulated
    amplitude = np.column_stack([drift, drift]) + rng.normal(0, 2, (40, 2))
    assert measure_paired_pulse(amplitude, rng=rng).status == OK
    noise = drift + rng.normal(0, 2, 40)
    noise += amplitude[:, 0].mean() - noise.mean()
    assert "cannot be told from zero" in measure_paired_pulse(amplitude, noise=noise, rng=rng).status


def test_sweeps_without_a_response_are_left_out(rng):
    amplitude = depressing(40, rng)
    gaps = amplitude.copy()
    gaps[[3, 9], 0] = np.nan
    gaps[[5, 9], 1] = np.nan
    found = measure_paired_pulse(gaps, rng=rng)
    kept = np.delete(amplitude, [3, 5, 9], axis=0)
    assert found.n_sweeps.tolist() == [37]
    assert found.paired_pulse_ratio[0] == pytest.approx(kept[:, 1].mean() / kept[:, 0].mean())


def test_too_few_sweeps_or_pulses_say_so(rng):
    few = measure_paired_pulse(depressing(4, rng, p=0.9), rng=rng)
    assert few.status == "only 4 sweeps with a first response, fewer than 5"
    single = measure_paired_pulse(np.full((20, 1), 5.0), rng=rng)
    assert single.status == "there is only one pulse in a sweep"
    assert single.paired_pulse_ratio.size == 0
    assert single.to_frame().empty
    gone = depressing(30, rng)
    gone[2:, 1] = np.nan
    found = measure_paired_pulse(gone, rng=rng)
    assert found.status == OK
    assert found.ratio_status == ("only 2 sweeps have both responses, fewer than 5",)
    assert np.isnan(found.paired_pulse_ratio[0])


@QUICK
@given(st.floats(0.01, 1000), st.integers(0, 100))
def test_a_ratio_knows_no_unit(factor, seed):
    amplitude = depressing(30, np.random.default_rng(seed), p=0.7)
    config = PairedPulseConfig(n_boot=200)
    one = measure_paired_pulse(amplitude, config=config, rng=np.random.default_rng(1))
    other = measure_paired_pulse(factor * amplitude, config=config, rng=np.random.default_rng(1))
    assert other.paired_pulse_ratio == pytest.approx(one.paired_pulse_ratio, rel=1e-9)
    # Rounding may reorder two equal samples: then a bound moves to the next one.
    assert other.ratio_low == pytest.approx(one.ratio_low, rel=0.03)
    assert other.ratio_high == pytest.approx(one.ratio_high, rel=0.03)


@QUICK
@given(st.randoms(use_true_random=False))
def test_the_order_of_sweeps_does_not_matter_to_the_ratio(random):
    amplitude = depressing(30, np.random.default_rng(4), p=0.7)
    order = list(range(30))
    random.shuffle(order)
    one, other = (
        measure_paired_pulse(rows, config=PairedPulseConfig(method="fieller"), rng=np.random.default_rng(1))
        for rows in (amplitude, amplitude[order])
    )
    assert other.paired_pulse_ratio == pytest.approx(one.paired_pulse_ratio, rel=1e-12)
    assert other.ratio_high == pytest.approx(one.ratio_high, rel=1e-9)


def test_a_callers_mistakes(rng):
    with pytest.raises(EphysplastError, match="one row per sweep"):
        measure_paired_pulse(np.ones(5), rng=rng)
    with pytest.raises(EphysplastError, match="one value per sweep"):
        measure_paired_pulse(np.ones((5, 2)), noise=np.ones(4), rng=rng)
    for wrong in ({"method": "delta"}, {"level": 0.0}, {"n_boot": 5}, {"min_sweeps": 1}):
        with pytest.raises(SettingsError):
            PairedPulseConfig(**wrong)


def test_the_result_travels_and_the_input_is_untouched(rng):
    amplitude = depressing(30, rng)
    kept = amplitude.copy()
    found = measure_paired_pulse(amplitude, rng=rng)
    assert (amplitude == kept).all()
    again = pickle.loads(pickle.dumps(found))  # noqa: S301
    assert again.paired_pulse_ratio == found.paired_pulse_ratio
