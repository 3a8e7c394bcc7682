import numpy as np
import pytest
from scipy import stats

from ephysplast.classify import StabilityConfig, check_stability
from ephysplast.errors import OK, SettingsError


def series(time, mean, noise_cv, seed):
    """Noise of an exact coefficient of variation that has no slope of its own."""
    rng = np.random.default_rng(seed)
    scores = rng.permutation(stats.norm.ppf((np.arange(time.size) + 0.5) / time.size))
    scores -= np.polyval(np.polyfit(time, scores, 1), time)
    return mean + noise_cv * mean.mean() * scores / scores.std(ddof=1)


def with_baseline(tabulate, amplitude, step_s):
    both = np.concatenate([amplitude, np.full(10, amplitude.mean())])
    return tabulate(both, np.full(both.size, np.nan), n_baseline=amplitude.size, step_s=step_s)


@pytest.mark.parametrize("seed", range(5))
def test_the_rundown_of_a_neuromuscular_junction_is_unstable(tabulate, seed):
    # Mean of the first ten of 40 sweeps 20,400 pA, of the last ten 16,300 pA, 2 s apart; CV 0.154 over all.
    time = 2.0 * np.arange(40)
    rate = np.log(20.4 / 16.3) / 60.0  # the two tens lie 60 s apart
    mean = np.exp(-rate * time)
    mean *= 20400.0 / mean[:10].mean()
    noise_cv = np.sqrt(0.154**2 - (mean.std(ddof=1) / mean.mean()) ** 2)
    result = check_stability(with_baseline(tabulate, series(time, mean, noise_cv, seed), 2.0))
    assert result.kind == "unstable"
    # −0.22 of the mean in 60 s are −224 %/10 min; the noise has no slope, the line is 1 % flatter
    assert result.slope_percent_per_10min == pytest.approx(-224, rel=0.03)
    assert result.high_percent_per_10min < 0
    assert "the baseline is unstable: slope -2" in result.sentence


@pytest.mark.parametrize(
    ("drift", "cv", "kind"),
    [
        (0.0, 0.1, "stable"),
        (-0.05, 0.05, "stable"),
        (-0.2, 0.1, "unstable"),
        (0.2, 0.1, "unstable"),
        (0.0, 0.8, "not testable"),
    ],
)
def test_the_three_answers(tabulate, drift, cv, kind):
    time = 10.0 * np.arange(60)
    amplitude = series(time, 1.0 + drift * (time - time.mean()) / 600.0, cv, 3)
    result = check_stability(with_baseline(tabulate, amplitude, 10.0))
    assert result.kind == kind
    assert result.slope_percent_per_10min == pytest.approx(100 * drift, abs=1e-6)  # exact by construction


def test_the_interval_is_that_of_ordinary_regression_when_sweeps_are_independent(tabulate, rng):
    time = 10.0 * np.arange(60)
    amplitude = 10 + rng.normal(size=60)
    result = check_stability(with_baseline(tabulate, amplitude, 10.0))
    line = stats.linregress(time, amplitude)
    half = stats.t.ppf(0.975, 58) * line.stderr / amplitude.mean() * 6e4
    got = (result.high_percent_per_10min - result.low_percent_per_10min) / 2
    assert got == pytest.approx(half, rel=0.3)  # the autocorrelation is estimated, so the two differ a little
    assert result.slope_percent_per_10min == pytest.approx(line.slope / amplitude.mean() * 6e4)


def test_too_few_sweeps_have_no_slope(tabulate):
    result = check_stability(with_baseline(tabulate, np.array([1.0, 1.1, 0.9]), 10.0))
    assert result.kind == "not testable"
    assert result.status != OK
    assert np.isnan(result.slope_percent_per_10min)


def test_its_table_and_its_gate(tabulate):
    result = check_stability(with_baseline(tabulate, np.linspace(2, 1, 40), 10.0))
    assert result.to_frame().loc[0, "kind"] == "unstable"
    assert (result.check.name, result.check.outcome) == ("baseline", "fail")


@pytest.mark.parametrize("wrong", [{"level": 0.2}, {"slope_limit_percent_per_10min": 0.0}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(SettingsError):
        StabilityConfig(**wrong)
