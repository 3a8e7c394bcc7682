import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ephysplast.classify import SignConfig, judge_sign
from ephysplast.errors import OK, SettingsError


def noisy(mean_before, mean_after, sd, n=60, seed=0):
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.normal(mean_before, sd, n), rng.normal(mean_after, sd, n)])


def judged(tabulate, amplitude, n_baseline=60, control=None, **config):
    nothing = np.full(len(amplitude), np.nan)
    table = tabulate(amplitude, nothing, n_baseline=n_baseline)
    other = None if control is None else tabulate(control, nothing, n_baseline=n_baseline)
    return judge_sign(table, SignConfig(**config), rng=np.random.default_rng(5), control=other)


@pytest.mark.parametrize(
    ("after", "sd", "sign"),
    [(150, 30, "LTP"), (60, 30, "LTD"), (100, 10, "no change"), (105, 60, "inconclusive"), (108, 2, "no change")],
)
def test_the_four_answers(tabulate, after, sd, sign):
    result = judged(tabulate, noisy(100, after, sd))
    assert result.sign == sign
    assert result.sentence.startswith(f"{sign}: change ")
    assert result.status == OK


def test_a_sure_but_small_change_is_neither(tabulate):
    result = judged(tabulate, noisy(100, 109, 5))  # the interval excludes 1 and reaches beyond 1.10
    assert 1 < result.low < 1.1 < result.high
    assert result.sign == "inconclusive"


def fieller(before, after):
    b, a = before.mean(), after.mean()
    vb, va, t = before.var(ddof=1) / before.size, after.var(ddof=1) / after.size, stats.t.ppf(0.975, 100)
    root = t * np.sqrt(va * b**2 + vb * a**2 - t**2 * va * vb)
    return (a * b - root) / (b**2 - t**2 * vb), (a * b + root) / (b**2 - t**2 * vb)


def test_the_interval_is_that_of_fieller_for_independent_sweeps(tabulate):
    bounds, wanted = [], []
    for seed in range(30):
        amplitude = noisy(100, 140, 40, seed=seed)
        result = judged(tabulate, amplitude)
        bounds.append((result.low, result.high))
        wanted.append(fieller(amplitude[:60], amplitude[60:]))
    (low, high), (low_wanted, high_wanted) = np.mean(bounds, axis=0), np.mean(wanted, axis=0)
    # Chance autocorrelation of some series makes their blocks longer than 1, and the mean interval wider by up to 15 %.
    assert 0.97 < (high - low) / (high_wanted - low_wanted) < 1.15
    assert low + high == pytest.approx(low_wanted + high_wanted, rel=0.01)


def test_autocorrelated_sweeps_widen_the_interval(tabulate):
    rng = np.random.default_rng(1)
    drift = np.zeros(240)
    for i in range(1, 240):
        drift[i] = 0.8 * drift[i - 1] + rng.normal(0, 6)
    wide = judged(tabulate, 100 + drift, n_baseline=120, window_min=20)
    narrow = judged(tabulate, 100 + rng.permutation(drift), n_baseline=120, window_min=20)
    # A mean of an AR(1) series with ρ = 0.8 has 3 × the standard error of an independent one.
    assert wide.high - wide.low > 1.7 * (narrow.high - narrow.low)


def test_only_the_evaluation_window_counts(tabulate):
    amplitude = np.concatenate([np.full(60, 100.0), np.full(180, 300.0), np.full(60, 150.0)])
    amplitude += np.random.default_rng(0).normal(0, 1, 300)
    result = judged(tabulate, amplitude)
    assert result.n_window == 60
    assert result.change == pytest.approx(1.5, abs=0.01)
    assert "in the last 10 min" in result.sentence


def test_a_short_post_phase_is_taken_whole_and_said(tabulate):
    result = judged(tabulate, noisy(100, 150, 10, n=30), n_baseline=30)
    assert result.n_window == 30
    assert "all 5 min of post (shorter than the window of 10 min)" in result.sentence


def test_what_it_would_take_is_about_right(tabulate):
    first = judged(tabulate, noisy(100, 112, 50, seed=3))
    assert first.sign == "inconclusive"
    needed = int(first.sentence.split(": ")[-1].split(" in baseline")[0])
    half, effect = (first.high - first.low) / 2, abs(first.change - 1)
    distance = effect if effect > 0.1 else 0.1 - effect
    assert needed == pytest.approx(60 * (half / distance) ** 2, rel=0.02)  # rounding up to whole sweeps


def test_so_near_the_margin_no_advice_is_given(tabulate):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=60)
    scores -= scores.mean()
    amplitude = np.concatenate([100 + 50 * scores, 109.999 + 50 * scores])
    assert "no feasible number of sweeps" in judged(tabulate, amplitude).sentence


def test_a_drift_shared_with_the_control_is_divided_out(tabulate):
    rng = np.random.default_rng(2)
    shared = np.linspace(1.2, 0.7, 120)
    test, control = (100 * shared + rng.normal(0, 5, 120) for _ in range(2))
    alone, both = judged(tabulate, test), judged(tabulate, test, control=control)
    assert alone.sign == "LTD"
    assert both.sign == "no change"
    assert both.control_change == pytest.approx(control[60:].mean() / control[:60].mean())
    assert "divided out" in both.sentence


def test_a_slowly_fluctuating_control_widens_the_interval(tabulate):
    inside = 0
    for seed in range(120):
        rng = np.random.default_rng(seed)
        slow = rng.normal(0, 0.2, 120)
        for i in range(1, 120):
            slow[i] = 0.7 * slow[i - 1] + np.sqrt(1 - 0.7**2) * slow[i]
        test = 100 * (1 + 0.2 * rng.normal(size=120))
        result = judged(tabulate, test, control=100 * (1 + slow), n_boot=300)
        inside += result.low <= 1 <= result.high
    # 95 % of 120 are 114, SD 2.4; blocks as short as the test pathway's alone reach 78 %, 94.
    assert inside >= 106


def test_sharing_fluctuations_with_the_control_narrows_the_interval(tabulate):
    rng = np.random.default_rng(4)
    shared = rng.normal(1, 0.3, 120)
    test, control = (100 * shared + rng.normal(0, 2, 120) for _ in range(2))
    together = judged(tabulate, test, control=control)
    apart = judged(tabulate, test, control=100 * rng.normal(1, 0.3, 120))
    assert together.high - together.low < 0.3 * (apart.high - apart.low)


def test_a_control_with_fewer_sweeps_still_serves(tabulate):
    rng = np.random.default_rng(6)
    table = tabulate(rng.normal(100, 5, 120), np.full(120, np.nan), n_baseline=60)
    keep = tuple("ok" if i % 3 == 0 else "a spike" for i in range(120))
    other = tabulate(
        np.repeat([100.0, 50.0], 60) + rng.normal(0, 5, 120), np.full(120, np.nan), n_baseline=60, excluded=keep
    )
    result = judge_sign(table, rng=rng, control=other)
    assert result.change == pytest.approx(2.0, rel=0.05)
    gone = tabulate(np.ones(120), np.full(120, np.nan), n_baseline=60, excluded=("a spike",) * 120)
    without = judge_sign(table, rng=rng, control=gone)
    assert without.change == pytest.approx(1.0, rel=0.05)
    assert "too few sweeps to be divided out" in without.sentence


@pytest.mark.parametrize(("mean", "words"), [(0.0, "cannot be told from zero"), (-5.0, "wrong polarity")])
def test_no_ratio_to_a_baseline_without_response(tabulate, mean, words):
    result = judged(tabulate, np.concatenate([np.random.default_rng(0).normal(mean, 1, 60), np.full(60, 5.0)]))
    assert result.sign == "refused"
    assert words in result.status
    assert np.isnan([result.change, result.low, result.high]).all()


def test_a_window_without_sweeps_is_refused(tabulate):
    excluded = ("ok",) * 90 + ("a spike",) * 60
    table = tabulate(
        np.ones(150) + np.random.default_rng(0).normal(0, 0.1, 150), np.ones(150), n_baseline=60, excluded=excluded
    )
    result = judge_sign(table, rng=np.random.default_rng(0))
    assert result.status == "only 60 baseline sweeps and 0 sweeps in the last 10 min are usable"


@settings(max_examples=15, deadline=None)
@given(power=st.integers(-12, 12), after=st.floats(50, 200), seed=st.integers(0, 1000))
def test_units_do_not_matter(tabulate, power, after, seed):
    amplitude = noisy(100, after, 30, seed=seed)
    one, two = judged(tabulate, amplitude, n_boot=200), judged(tabulate, amplitude * 2.0**power, n_boot=200)
    assert (one.sign, one.change, one.low, one.high) == (
        two.sign,
        two.change,
        two.low,
        two.high,
    )  # powers of 2 are exact


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000))
def test_the_order_of_sweeps_within_a_phase_does_not_change_the_change(tabulate, seed):
    amplitude, rng = noisy(100, 140, 30), np.random.default_rng(seed)
    mixed = np.concatenate([rng.permutation(amplitude[:60]), rng.permutation(amplitude[60:])])
    assert judged(tabulate, mixed, n_boot=200).change == pytest.approx(judged(tabulate, amplitude, n_boot=200).change)


@settings(max_examples=15, deadline=None)
@given(after=st.floats(130, 250))
def test_growth_and_decline_are_mirror_images(tabulate, after):
    amplitude = noisy(100, after, 20)
    up, down = judged(tabulate, amplitude), judged(tabulate, np.concatenate([amplitude[60:], amplitude[:60]]))
    assert (up.sign, down.sign) == ("LTP", "LTD")
    assert down.change == pytest.approx(1 / up.change)
    # the same sweeps, other draws: bounds agree within a tenth of the interval
    assert 1 / down.high == pytest.approx(up.low, abs=0.1 * (up.high - up.low))


@pytest.mark.parametrize("wrong", [{"window_min": 0.0}, {"level": 1.0}, {"n_boot": 10}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        SignConfig(**wrong)
