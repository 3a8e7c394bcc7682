"""Plans: what is counted is what a recording would show, and what is a formula agrees with somebody else's."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ephysplast import planning
from ephysplast.classify.sign import SignConfig
from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.planning import (
    Change,
    LocusPlan,
    PlanConfig,
    SignPlanConfig,
    Synapse,
    cells_for_t_test,
    cells_to_call,
    draw_cell,
    plan_locus,
    plan_sign,
    right_calls,
    t_test_power,
    wilson,
)
from ephysplast.planning.cells import cells_together
from ephysplast.planning.runs import cheapest_first
from ephysplast.quantal import PosteriorConfig, locus_posterior

SYNAPSE = Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1)
QUICK = PosteriorConfig(n_first=300, n_round=100, n_rounds=2, effective=20.0)
"""Less effort than a real judgement: where a test is about counting."""
PRE, POST = Change(percent=40, locus="p"), Change(percent=40, locus="q")


def seeded():
    return np.random.default_rng(11)


# ---- the synapse and the change


@pytest.mark.parametrize("ratio", [0.65, 0.8, 1.0, 1.3, 2.0])
def test_the_paired_pulse_ratio_of_a_synapse_is_the_one_asked_for(ratio):
    synapse = replace(SYNAPSE, paired_pulse_ratio=ratio, noise_sd=0.0)
    first, second = synapse.sites().expected([0.0, 0.05])
    assert second / first == pytest.approx(ratio, rel=1e-9)  # both are closed forms
    before, _ = draw_cell(synapse, None, sweeps=(20_000, 10), rng=seeded())
    # Each mean is known to CV/√20,000 ≈ 0.5 %, the ratio to < 1 %; 4 of these.
    assert before[:, 1].mean() / before[:, 0].mean() == pytest.approx(ratio, rel=0.035)


def test_mean_and_cv_of_the_drawn_amplitudes_are_those_of_the_synapse():
    synapse = Synapse(n=7, p=0.3, q=2.0, noise_sd=0.8, cv_within=0.3, cv_between=0.25)
    before, after = draw_cell(synapse, Change(percent=-50, locus="p"), sweeps=(40_000, 40_000), rng=seeded())
    assert before.shape == (40_000, 1)
    # METHODS of the field: mean npq, variance n q² [p(1−p)(1+CV_II²) + p CV_I²] + noise².
    variance = 7 * 4.0 * (0.21 * (1 + 0.25**2) + 0.3 * 0.3**2) + 0.64
    assert synapse.mean == pytest.approx(4.2)
    assert synapse.cv == pytest.approx(np.sqrt(variance) / 4.2)
    # Standard errors: mean 0.3 %, variance 0.8 % (kurtosis near 3); 4 of these.
    assert before.mean() == pytest.approx(4.2, rel=0.012)
    assert before.var() == pytest.approx(variance, rel=0.035)
    assert after.mean() == pytest.approx(2.1, rel=0.02)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"percent": 160, "locus": "p"}, r"at most \+150 %"),
        ({"percent": 50, "locus": "n"}, r"\+40 % \(7 sites\), \+60 % \(8 sites\)"),
        ({"percent": -90, "locus": "n"}, r"−80 % \(1 sites\)"),
        ({"percent": 0, "locus": "q"}, "not 0"),
        ({"percent": -100, "locus": "q"}, "above −100"),
        ({"percent": 40, "locus": "pq"}, "p, n or q"),
    ],
)
def test_an_impossible_change_is_refused_with_what_would_fit(change, said):
    with pytest.raises(SettingsError, match=said):
        plan_locus(SYNAPSE, Change(**change), sweeps=[(60, 60)], rng=seeded())


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"n": 2.5}, "whole"),
        ({"p": 1.0}, "setting p"),
        ({"q": 0.0}, "q above 0"),
        ({"noise_sd": -1.0}, "noise_sd"),
        ({"cv_between": 1.2}, "cv_between"),
        ({"paired_pulse_ratio": 0.5}, "0.6 .* to 2.5"),
        ({"paired_pulse_ratio": 3.0}, "0.6 .* to 2.5"),
    ],
)
def test_an_impossible_synapse_is_refused(changed, said):
    with pytest.raises(SettingsError, match=said):
        replace(SYNAPSE, **changed)


def test_a_fitting_change_of_sites_is_made():
    assert Change(percent=40, locus="n").after(SYNAPSE).n == 7
    assert Change(percent=-60, locus="n").after(SYNAPSE).n == 2


def test_sweeps_that_no_judgement_takes_are_refused():
    for sweeps in ([(60, 5)], []):
        with pytest.raises(SettingsError):
            plan_locus(SYNAPSE, POST, sweeps=sweeps, rng=seeded())


# ---- from one cell to a study: closed forms


@given(hits=st.integers(0, 60), more=st.integers(0, 60), level=st.sampled_from([0.8, 0.95, 0.99]))
@settings(max_examples=25, deadline=None)
def test_intervals_of_shares_are_scipys(hits, more, level):
    n = hits + more
    if n == 0:
        assert [float(each) for each in wilson(0, 0, level=level)] == [0.0, 1.0]
        return
    expected = stats.binomtest(hits, n).proportion_ci(level, method="wilson")
    np.testing.assert_allclose(wilson(hits, n, level=level), expected, atol=1e-12)  # rounding


@given(share=st.floats(0.02, 1.0), at_least=st.integers(1, 8), power=st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=25, deadline=None)
def test_cells_to_call_are_the_fewest_by_the_binomial_tail(share, at_least, power):
    m = cells_to_call(share, at_least=at_least, power=power)

    def tail(cells):  # summed term by term
        return 1.0 - sum(stats.binom.pmf(k, cells, share) for k in range(at_least))

    assert tail(m) >= power - 1e-12
    assert m == at_least or tail(m - 1) < power + 1e-12


def test_no_number_of_cells_does_what_is_impossible():
    assert cells_to_call(0.0, at_least=1, power=0.8) is None
    assert cells_to_call(float("nan"), at_least=1, power=0.8) is None
    assert cells_to_call(1.0, at_least=3, power=0.8) == 3
    assert cells_for_t_test(0.0, power=0.8) is None
    assert cells_for_t_test(0.001, power=0.8) is None
    with pytest.raises(EphysplastError, match="power"):
        cells_for_t_test(0.5, power=0.01)


@pytest.mark.parametrize(("effect", "cells"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_cells_of_a_t_test_are_the_published_ones(effect, cells):
    # Two-sided one-sample t test, α .05, power .8 for Cohen's small, medium and large effect: G*Power 3.1 (Faul 2007).
    assert cells_for_t_test(effect, power=0.8) == cells
    assert cells_for_t_test(-effect, power=0.8) == cells


def test_power_of_the_t_test_is_what_simulated_studies_reach():
    rng = seeded()
    drawn = rng.normal(0.9, 1.0, size=(20_000, 10))
    found = stats.ttest_1samp(drawn, 0.0, axis=1).pvalue < 0.05
    # Standard error of a share of .7 in 20,000 is .0032; 4 of these.
    assert t_test_power(0.9, 10) == pytest.approx(found.mean(), abs=0.013)
    assert t_test_power(0.0, 10) == pytest.approx(0.05)
    assert (np.diff(t_test_power(0.4, np.arange(1, 60))) >= 0).all()


def test_right_calls_agree_with_the_judgement_itself():
    rng = seeded()
    for percent, locus in ((40, "p"), (40, "q"), (100, "n")):
        before, after = draw_cell(SYNAPSE, Change(percent=percent, locus=locus), sweeps=(60, 120), rng=rng)
        found = locus_posterior(before, after, noise_sd=0.1, rng=rng)
        meant = {"p": ("pre", "pre-or-silent"), "n": ("pre-or-silent",), "q": ("post",)}
        for truth, calls in meant.items():
            right, wrong = right_calls(found.log_evidence, locus=truth, config=PosteriorConfig())
            assert bool(right) == (found.call in calls)
            assert bool(wrong) == (found.call not in (*calls, "undetermined"))


def test_cells_together_multiply_their_bayes_factors():
    config = PosteriorConfig()
    # All cells alike: 3 to 1 for p against n, q and p+q each, flat but for the stated mass of p+q.
    cells = np.tile([np.log(3.0), 0.0, 0.0, 0.0], (5, 1))
    right, wrong = cells_together(cells, locus="q", config=config, max_cells=6, n_studies=100, rng=seeded())
    masses = np.array([config.priors.mass_p, config.priors.mass_n, config.priors.mass_q, config.priors.mass_pq])
    for k in range(1, 7):
        weight = masses * [3.0**k, 1.0, 1.0, 1.0]
        p, n = weight[:2] / weight.sum()
        assert wrong[k - 1] == float(p + n >= config.threshold)
    assert not right.any()


def test_cells_without_an_answer_add_nothing():
    cells = np.array([[5.0, 0.0, 0.0, 0.0]] * 3 + [[np.nan] * 4])
    how = {"locus": "p", "config": PosteriorConfig(), "max_cells": 8, "n_studies": 4000}
    right, wrong = cells_together(cells, **how, rng=seeded())
    # One good cell is enough, and 1 in 4 is empty: 1 − 4^−k, standard error below .007.
    np.testing.assert_allclose(right, 1.0 - 0.25 ** np.arange(1, 9), atol=0.03)
    assert not wrong.any()
    assert np.isnan(cells_together(cells[:0], **how, rng=seeded())[0]).all()


# ---- plans


@pytest.fixture(scope="module")
def small():
    """3 cells each at few and at many sweeps."""
    config = PlanConfig(n_first=3, n_runs=3, max_cells=4, locus=QUICK)
    return plan_locus(SYNAPSE, [PRE, POST], sweeps=[(20, 30), (120, 240)], rng=seeded(), config=config)


def test_a_plan_counts_every_cell_once(small):
    assert small.complete
    assert (small.n_runs == 3).all()
    three = [small.share(name)[0] for name in ("right", "wrong", "undetermined")]
    np.testing.assert_allclose(np.sum(three, axis=0), 1.0)
    for name in ("right", "wrong", "undetermined"):
        share, low, high = small.share(name)
        assert ((low <= share) & (share <= high)).all()
    with pytest.raises(EphysplastError, match="outcome"):
        small.share("called")


def test_more_sweeps_call_more(small):
    # At 30 + 60 sweeps about 1 of 4 cells of p and 1 of 20 of q are called, at 120 + 240 nearly all and every second:
    # that 6 cells do not show it happens in about 1 of 50 runs; the seed is fixed.
    assert small.n_right[:, 1].sum() > small.n_right[:, 0].sum()
    assert small.together_right[0, 1, -1] >= small.together_right[0, 1, 0]


def test_the_tables_say_what_the_plan_says(small):
    table = small.to_frame()
    assert len(table) == 4
    np.testing.assert_allclose(table["right"], small.share()[0].ravel())
    np.testing.assert_allclose(table["minutes"], [50 / 6, 360 / 6] * 2)
    cells = small.cells_frame()
    assert len(cells) == 4 * 4
    np.testing.assert_allclose(cells["right"], small.together_right.ravel())
    assert pickle.loads(pickle.dumps(small)).sentences == small.sentences  # noqa: S301


def test_the_unit_of_the_amplitudes_does_not_matter(small):
    scaled = replace(SYNAPSE, q=SYNAPSE.q * 64.0, noise_sd=SYNAPSE.noise_sd * 64.0)
    config = replace(small.config, n_first=1, n_runs=1)
    one, two = (
        plan_locus(each, [PRE, POST], sweeps=[(20, 60)], rng=seeded(), config=config) for each in (SYNAPSE, scaled)
    )
    # A power of two changes no digit of the mantissa: the plans are the same to the last one.
    assert one.to_frame().equals(two.to_frame())
    assert one.cells_frame().equals(two.cells_frame())


def test_the_same_seed_gives_the_same_plan_and_the_grid_may_be_in_any_order(small):
    turned = plan_locus(
        SYNAPSE, [PRE, POST], sweeps=[(120, 240), (20, 30), (20, 30)], rng=seeded(), config=small.config
    )
    assert turned.to_frame().equals(small.to_frame())


def test_an_interrupted_plan_holds_what_is_known():
    seen = []

    def stop(done, most):
        seen.append((done, most))
        if done == 3:
            raise KeyboardInterrupt

    config = PlanConfig(n_first=2, n_runs=2, max_cells=2, locus=QUICK)
    plan = plan_locus(SYNAPSE, [PRE, POST], sweeps=[(20, 30), (20, 40)], rng=seeded(), config=config, watch=stop)
    assert seen == [(1, 8), (2, 8), (3, 8)]
    assert not plan.complete
    assert plan.n_runs.sum() == 3
    assert plan.n_runs.max() == 1  # each point in turn
    assert any("interrupted after 3 simulated cells" in each for each in plan.sentences)
    assert len(plan.to_frame()) == 4
    share, low, high = (each[plan.n_runs == 0] for each in plan.share())
    assert np.isnan(share).all()
    assert (low == 0).all()
    assert (high == 1).all()
    assert plan.smallest is None


def test_an_interruption_before_the_first_cell_is_passed_on(monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("ephysplast.planning.runs.locus_posterior", stop)
    with pytest.raises(KeyboardInterrupt):
        plan_locus(SYNAPSE, POST, sweeps=[(20, 30)], rng=seeded())


def made_plan(right, *, n_runs=50, sweeps=((60, 60), (60, 120), (60, 240), (60, 480)), asked=None, wrong=0):
    """Build a plan from counts."""
    n_right = np.atleast_2d(right)
    together = np.repeat((n_right / n_runs)[..., None], 3, axis=2) ** (1.0 / np.arange(1, 4))
    return LocusPlan(
        synapse=SYNAPSE, changes=(PRE, POST)[: len(n_right)], sweeps=np.asarray(sweeps), n_right=n_right,
        n_runs=np.full(n_right.shape, n_runs), n_wrong=np.full(n_right.shape, wrong), asked=asked,
        together_right=together, together_wrong=0.0 * together,
    )  # fmt: skip


def test_the_smallest_sweeps_reach_the_power_for_every_change():
    assert made_plan([[10, 42, 45, 50], [5, 20, 41, 50]]).smallest == 2
    assert made_plan([[10, 42, 45, 50], [5, 20, 41, 50]]).chosen == 2
    nothing = made_plan([[10, 12, 15, 20]])
    assert nothing.smallest is None
    assert nothing.chosen == 3
    assert any("not reached within the grid" in each for each in nothing.sentences)
    asked = made_plan([[10, 42, 45, 50]], asked=3)
    assert asked.chosen == 3
    assert any("60 baseline and 120 post" in each for each in asked.sentences)


def test_of_equally_many_sweeps_the_longer_baseline_is_tried_first():
    order = cheapest_first(np.array([[30, 120], [60, 90], [20, 20]]))
    assert order.tolist() == [2, 1, 0]


def test_post_sweeps_are_read_off_between_the_points():
    plan = made_plan([[10, 20, 30, 40]])  # .2, .4, .6, .8
    assert plan.post_sweeps_for(0.5, baseline=60) == pytest.approx(120 * np.sqrt(2))  # half way in the logarithm
    assert plan.post_sweeps_for(0.2, baseline=60) == 60
    assert np.isnan(plan.post_sweeps_for(0.1, baseline=60))
    assert np.isnan(plan.post_sweeps_for(0.9, baseline=60))
    assert np.isnan(plan.post_sweeps_for(0.5, baseline=30))


def test_intervals_of_cells_together_count_cells_that_are_not_used_twice():
    plan = made_plan([[25, 25, 25, 25]])
    share, low, high = plan.together()
    expected = stats.binomtest(25, 50).proportion_ci(0.95, method="wilson")
    np.testing.assert_allclose([low[0, 0, 0], high[0, 0, 0]], expected)
    assert (np.diff(high[0, 0] - low[0, 0]) > -0.02).all()  # fewer studies, but a larger share
    assert ((low <= share) & (share <= high)).all()


def test_effort_goes_where_the_answer_is_decided(monkeypatch):
    """The judgement is replaced by one whose shares are known: 0, .85 and 1 of the cells."""
    shares = {(60, 60): 0.0, (60, 120): 0.85, (60, 240): 1.0}

    def judged(before, after, *, noise_sd, rng, config):
        right = rng.random() < shares[len(before), len(after)]
        log_evidence = np.array([10.0 * right, 0.0, 0.0, 0.0])
        return type("Found", (), {"call": "pre" if right else "undetermined", "log_evidence": log_evidence})

    monkeypatch.setattr("ephysplast.planning.runs.locus_posterior", judged)
    config = PlanConfig(n_first=10, n_runs=60, n_judged=95)
    plan = plan_locus(SYNAPSE, PRE, sweeps=list(shares), rng=seeded(), config=config)
    assert plan.n_runs.sum() == 95
    assert plan.n_runs[0, 0] <= 20
    assert plan.n_runs[0, 1] == 60
    assert plan.smallest == 1
    whole = plan_locus(SYNAPSE, PRE, sweeps=list(shares), rng=seeded(), config=replace(config, n_judged=10_000))
    assert (whole.n_runs == 60).all()


def test_what_lies_outside_the_judgements_priors_is_said():
    plan = made_plan([[1, 1, 1, 1]])
    config = replace(plan.config, n_first=1, n_runs=1)
    high = replace(SYNAPSE, p=0.7)
    found = plan_locus(high, Change(percent=40, locus="p"), sweeps=[(20, 20)], rng=seeded(), config=config)
    assert any("p after the change is 0.98" in each for each in found.notes)


# ---- the sign


def test_a_large_change_is_found_and_none_is_seldom_seen():
    config = SignPlanConfig(n_runs=40, sign=SignConfig(n_boot=500))
    plan = plan_sign(SYNAPSE, 80.0, sweeps=[(20, 20), (60, 60)], rng=seeded(), config=config)
    # CV .59: the log ratio of 60 and 60 sweeps has an SD of .11, log 1.8 is 5 of these.
    assert plan.share("found")[0][1] > 0.9
    assert plan.share("found")[0][0] <= plan.share("found")[0][1]
    # 5 % by the interval's level, and the margin of 10 % takes some away: 8 of 40 happen in 1 of 3000.
    assert plan.n_false[1] < 8
    assert len(plan.to_frame()) == 2
    assert any("+80 %" in each for each in plan.sentences)


def test_cells_of_a_study_follow_from_sampling_and_true_differences():
    synapse = Synapse(n=5, p=0.4, q=1.0, noise_sd=0.0, cv_within=0.0, cv_between=0.0)
    config = SignPlanConfig(n_runs=1, between_cell_sd=0.3)
    plan = plan_sign(synapse, 30.0, sweeps=[(60, 240)], rng=seeded(), config=config)
    assert plan.window_sweeps.tolist() == [60]  # 10 min at one sweep every 10 s
    # Without noise and quantal variability CV² = (1 − p)/(np) = .3.
    effect = np.log(1.3) / np.sqrt(0.3 / 60 + 0.3 / 60 + 0.3**2)
    assert plan.effect[0] == pytest.approx(effect)
    assert plan.cells[0] == cells_for_t_test(effect, power=0.8)
    assert plan.study_power[0, int(plan.cells[0]) - 2] >= 0.8 > plan.study_power[0, int(plan.cells[0]) - 3]
    down = plan_sign(synapse, 100.0 * (1.0 / 1.3 - 1.0), sweeps=[(60, 240)], rng=seeded(), config=config)
    assert down.cells[0] == plan.cells[0]


def test_an_interrupted_plan_for_the_sign_holds_what_is_known():
    def stop(done, most):
        if done == 3:
            raise KeyboardInterrupt

    plan = plan_sign(SYNAPSE, 30.0, sweeps=[(20, 20)], rng=seeded(), watch=stop)
    assert not plan.complete
    assert plan.n_runs.tolist() == [3]
    assert any("interrupted after 3" in each for each in plan.sentences)


def test_the_public_names_exist():
    for name in planning.__all__:
        assert hasattr(planning, name)


# ---- against an independent simulation


def drawn_plainly(rng, *, p, q, n_sweeps):
    """Draw 5 sites, Gaussian quanta; shares nothing with the package."""
    quanta = q * (1.0 + 0.2 * np.linspace(-1.41421356, 1.41421356, 5)) + 0.2 * q * rng.standard_normal((n_sweeps, 5))
    return ((rng.random((n_sweeps, 5)) < p) * quanta).sum(axis=1) + 0.1 * rng.standard_normal(n_sweeps)


@pytest.mark.slow
def test_planned_power_is_what_an_independent_simulation_reaches():
    config = PlanConfig(n_first=40, n_runs=40)
    plan = plan_locus(SYNAPSE, [PRE, POST], sweeps=[(60, 240)], rng=seeded(), config=config)
    rng, hits = np.random.default_rng(5), np.zeros(2)
    for i, (p, q) in enumerate(((0.56, 0.35), (0.4, 0.49))):
        for _ in range(40):
            before, after = drawn_plainly(rng, p=0.4, q=0.35, n_sweeps=60), drawn_plainly(rng, p=p, q=q, n_sweeps=240)
            call = locus_posterior(before, after, noise_sd=0.1, rng=rng).call
            hits[i] += call in (("pre", "pre-or-silent"), ("post",))[i]
    share = plan.share()[0][:, 0]
    # Two shares of 40 differ with a standard error of at most √(2·.25/40) = .11; 3 of these.
    np.testing.assert_allclose(share, hits / 40, atol=0.33)
    assert share.max() > 0.3
