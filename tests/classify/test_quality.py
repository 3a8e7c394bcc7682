import numpy as np
import pytest

from ephysplast.classify import QualityConfig, check_quality
from ephysplast.errors import SettingsError


def outcome(checks, name):
    return next(each for each in checks if each.name == name)


def test_a_jump_of_series_resistance_refuses_with_its_numbers(tabulate, rng):
    rs = np.repeat([12.1, 19.8], [80, 40])  # sweep 80 starts at 80 × 10 + 300 s = 18.3 min
    table = tabulate(rng.normal(100, 10, 120), np.full(120, np.nan), n_baseline=60, unit="pA", rs_mohm=rs)
    checked, checks = check_quality(table)
    check = outcome(checks, "R_s")
    assert check.outcome == "fail"
    assert check.sentence == "R_s rose from 12.1 to 19.8 MΩ (+64 %) at 18 min; limit ±20 %"
    assert checked.excluded[80] == "R_s 19.8 MΩ is +64 % from its baseline 12.1 MΩ (limit ±20 %)"
    assert checked.excluded[:80] == ("ok",) * 80


def test_a_fall_is_a_jump_too(tabulate, rng):
    rs = np.repeat([20.0, 10.0], [60, 60])
    checks = check_quality(tabulate(rng.normal(9, 1, 120), rng.normal(size=120), n_baseline=60, rs_mohm=rs))[1]
    assert outcome(checks, "R_s").sentence == "R_s fell from 20.0 to 10.0 MΩ (-50 %) at 15 min; limit ±20 %"


def test_a_few_bad_sweeps_are_excluded_and_the_rest_goes_on(tabulate, rng):
    rs, rin = np.full(120, 12.0), np.full(120, 200.0)
    rs[[5, 100]], rin[7] = [15.0, 8.0], 270.0
    before = tabulate(rng.normal(9, 1, 120), rng.normal(size=120), n_baseline=60, rs_mohm=rs, rin_mohm=rin)
    checked, checks = check_quality(before)
    assert np.flatnonzero(~checked.used).tolist() == [5, 7, 100]
    assert (
        outcome(checks, "R_s").outcome == outcome(checks, "R_in").outcome == outcome(checks, "sweeps").outcome == "warn"
    )
    assert checked.excluded[7] == "R_in 270.0 MΩ is +35 % from its baseline 200.0 MΩ (limit ±30 %)"
    assert before.used.all()  # the input stays as it was


@pytest.mark.parametrize(("rs", "outcomes"), [(14.4, "pass"), (14.41, "fail"), (9.6, "pass"), (9.59, "fail")])
def test_the_limit_itself_still_passes(tabulate, rng, rs, outcomes):
    table = tabulate(rng.normal(9, 1, 40), rng.normal(size=40), n_baseline=20, rs_mohm=np.repeat([12.0, rs], 20))
    assert outcome(check_quality(table)[1], "R_s").outcome == outcomes


def test_too_high_a_series_resistance_refuses(tabulate, rng):
    table = tabulate(rng.normal(9, 1, 40), rng.normal(size=40), n_baseline=20, rs_mohm=np.full(40, 35.0))
    checked, checks = check_quality(table)
    assert outcome(checks, "R_s").sentence == "R_s 35.0 MΩ (median of baseline) lies above 30 MΩ"
    assert outcome(checks, "R_s").outcome == "fail"
    assert set(checked.excluded) == {"R_s 35.0 MΩ lies above 30 MΩ"}


def test_what_was_not_measured_is_no_failure(tabulate, rng):
    checked, checks = check_quality(tabulate(rng.normal(9, 1, 40), rng.normal(size=40), n_baseline=20))
    assert [each.outcome for each in checks] == ["not testable"] * 4 + ["pass"]
    assert checked.used.all()


@pytest.mark.parametrize(
    ("unit", "holding", "wanted"),
    [("mV", -70.0, "pass"), ("mV", -30.0, "fail"), ("pA", -70.0, "pass"), ("pA", 2e3, "fail")],
)
def test_holding_is_a_potential_or_a_current(tabulate, rng, unit, holding, wanted):
    table = tabulate(rng.normal(9, 1, 40), rng.normal(size=40), n_baseline=20, unit=unit, holding=np.full(40, holding))
    check = outcome(check_quality(table)[1], "holding")
    assert check.outcome == wanted
    assert ("potential" in check.sentence) == (unit == "mV")


def test_an_amplitude_that_follows_series_resistance_is_warned_of(tabulate, rng):
    rs = 12 + rng.normal(0, 0.5, 120)
    amplitude = 100 - 10 * (rs - 12) + rng.normal(0, 5, 120)  # true correlation −0.71
    check = outcome(
        check_quality(tabulate(amplitude, rng.normal(size=120), n_baseline=60, rs_mohm=rs))[1], "amplitude against R_s"
    )
    assert check.outcome == "warn"
    assert "follows R_s within the phases: correlation -0." in check.sentence


def test_a_step_of_both_between_the_phases_is_no_correlation(tabulate, rng):
    rs = np.repeat([12.0, 13.0], 60) + rng.normal(0, 0.3, 120)
    amplitude = np.repeat([100.0, 200.0], 60) + rng.normal(0, 5, 120)
    check = outcome(
        check_quality(tabulate(amplitude, rng.normal(size=120), n_baseline=60, rs_mohm=rs))[1], "amplitude against R_s"
    )
    assert check.outcome == "pass"


def test_the_interval_of_the_correlation_holds_for_drifting_series(tabulate):
    # Two independent random walks with a memory of ten sweeps: a plain Fisher interval would warn in about 40 %.
    warned = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        walk = np.zeros((2, 200))
        for i in range(1, 200):
            walk[:, i] = 0.9 * walk[:, i - 1] + rng.normal(size=2)
        table = tabulate(100 + walk[0], rng.normal(size=200), n_baseline=100, rs_mohm=20 + 0.2 * walk[1])
        warned += outcome(check_quality(table)[1], "amplitude against R_s").outcome == "warn"
    assert warned <= 15  # nominal 5, estimated lag correlations make it a little more


@pytest.mark.parametrize(("n_left", "wanted"), [(9, "fail"), (14, "fail"), (15, "warn"), (30, "pass")])
def test_too_few_sweeps_refuse(tabulate, rng, n_left, wanted):
    excluded = ("ok",) * (30 + n_left) + ("a spike rides on the response",) * (30 - n_left)
    table = tabulate(rng.normal(9, 1, 60), rng.normal(size=60), n_baseline=30, excluded=excluded)
    check = outcome(check_quality(table)[1], "sweeps")
    assert check.outcome == wanted
    if wanted == "fail":
        assert check.sentence.startswith(f"too few sweeps: {n_left} of 30 post sweeps are usable")
        assert check.sentence.endswith("first reason: a spike rides on the response")


def test_reasons_that_stand_are_kept(tabulate, rng):
    rs = np.full(60, 12.0)
    rs[50] = 20.0
    excluded = tuple("saturated" if i == 50 else "ok" for i in range(60))
    table = tabulate(rng.normal(9, 1, 60), rng.normal(size=60), n_baseline=30, excluded=excluded, rs_mohm=rs)
    assert check_quality(table)[0].excluded[50] == "saturated"


@pytest.mark.parametrize(
    "wrong", [{"rs_max_mohm": 0.0}, {"minimum_share": 1.5}, {"vm_min_mv": -40.0}, {"level": 1.0}, {"minimum_sweeps": 0}]
)
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(SettingsError):
        QualityConfig(**wrong)
