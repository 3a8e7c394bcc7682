import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.classify.classical import IndicesConfig, measure_indices
from ephysplast.classify.indices import cv_angle
from ephysplast.classify.judgement import Judgement, combine
from ephysplast.classify.resample import phase_moments, resample_phases
from ephysplast.errors import OK, SettingsError
from ephysplast.verdict import Evidence

FAST = IndicesConfig(n_boot=400)


def of(result, index):
    return next(each for each in result.evidence if each.index == index)


def asked(table, seed=0, config=FAST, **how):
    return measure_indices(table, config, rng=np.random.default_rng(seed), **how)


def judgement(index, points_to, **more):
    return Judgement(evidence=Evidence(index=index, value=1.0, low=0.9, high=1.1, points_to=points_to), **more)


# The CV plane


@pytest.mark.parametrize("p", [0.2, 0.4])
@pytest.mark.parametrize("r", [0.6, 1.5, 2.0])
def test_the_angle_of_pure_changes_is_that_of_the_binomial_model(p, r):
    release = r * (1 - p) / (1 - r * p)  # CV⁻² = n p / (1 − p)
    assert cv_angle(r, 1.0) == pytest.approx(-45.0)  # quantal size
    assert cv_angle(r, r) == pytest.approx(0.0)  # release sites
    assert 0 < cv_angle(r, release) < 45


@given(r=st.floats(0.2, 5), y=st.floats(0.05, 20))
@settings(max_examples=25, deadline=None)
def test_the_angle_is_that_of_the_formula_where_cv_moves_with_the_mean(r, y):
    if abs(r - 1) > 0.01 and (y - 1) * (r - 1) > 0:
        assert cv_angle(r, y) == pytest.approx(np.degrees(np.arctan((y - 1) / (r - 1))) - 45)


def test_moments_are_those_of_textbook_formulas(rng):
    amplitude, noise, time = rng.normal(5, 2, (40, 2)), rng.normal(0, 0.5, 40), np.sort(rng.uniform(0, 400, 40))
    amplitude[3, 1] = np.nan
    keep = np.ones((40, 2), dtype=bool)
    keep[7, 0] = False
    ones = np.ones((1, 40))
    plain = phase_moments(ones, amplitude, time=time, noise=noise, keep=keep, trend=False)
    trended = phase_moments(ones, amplitude, time=time, noise=noise, keep=keep, trend=True)
    for pulse, left_out in ((0, 7), (1, 3)):
        value, when = np.delete(amplitude[:, pulse], left_out), np.delete(time, left_out)
        residual = value - np.polyval(np.polyfit(when, value, 1), when)
        assert plain.mean[0, pulse] == pytest.approx(value.mean())
        assert plain.variance[0, pulse] == pytest.approx(value.var(ddof=1) - noise.var(ddof=1))
        assert trended.variance[0, pulse] == pytest.approx(residual @ residual / 37 - noise.var(ddof=1))


def test_weights_are_repetitions(rng):
    amplitude, noise, time = rng.normal(5, 2, (20, 1)), rng.normal(0, 0.5, 20), np.arange(20.0)
    weights = rng.integers(0, 4, (1, 20)).astype(float)
    rows = np.repeat(np.arange(20), weights[0].astype(int))
    keep = np.ones((20, 1), dtype=bool)
    got = phase_moments(weights, amplitude, time=time, noise=noise, keep=keep, trend=False)
    assert got.variance[0, 0] == pytest.approx(amplitude[rows, 0].var(ddof=1) - noise[rows].var(ddof=1))


def test_intervals_of_the_cv_ratio_cover_the_truth(synapse):
    # y = 1 for a change of quantal size; binomial n 5, p 0.5, 60 + 240 sweeps. 90 % nominal, 200 runs: SE 2 %.
    missed = np.zeros(2)
    before, after = synapse(q=0.28), synapse(q=0.40)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        phases = [each.sample(n, 1, rng) for each, n in ((before, 60), (after, 240))]
        drawn = resample_phases(phases[0][:, 0], phases[1][:, 0], 400, rng=rng)
        moments = [
            phase_moments(
                w, x, time=np.arange(len(x)) * 1.0, noise=np.zeros(len(x)), keep=np.ones_like(x, dtype=bool), trend=True
            )
            for w, x in zip((drawn.baseline, drawn.post), phases, strict=True)
        ]
        low, high = drawn.interval(np.log(moments[1].cv_inverse_square / moments[0].cv_inverse_square)[:, 0], 0.9)
        missed += [low > 0, high < 0]
    assert (missed / 200 < 0.10).all()  # nominal 0.05 on each side
    assert missed.sum() / 200 > 0.03  # and not because the intervals are endless


# Single indices


def test_noise_is_subtracted(synapse, simulated):
    # 0.2 mV of noise on quanta of 0.28 mV: without subtraction y would be 1.3, with it 1 (the mean of 40 runs, SE 4 %).
    y = [
        measure_indices(
            simulated(synapse(q=0.28), synapse(q=0.4), np.random.default_rng(seed), noise=0.2, n_baseline=240),
            IndicesConfig(n_boot=100),
            rng=np.random.default_rng(seed),
        ).cv_plane.y
        for seed in range(40)
    ]
    assert np.exp(np.mean(np.log(y))) == pytest.approx(1.0, abs=0.1)


def test_without_a_measure_of_noise_cv_is_not_available(synapse, simulated, tabulate, rng):
    table = simulated(synapse(), synapse(q=0.7), rng)
    silent = tabulate(table.amplitude, np.full(300, np.nan), n_baseline=60)
    result = asked(silent)
    assert of(result, "CV⁻²").points_to == of(result, "failures").points_to == "not available"
    assert "the noise was not measured" in of(result, "CV⁻²").sentence


def test_variance_within_the_noise_is_said(tabulate, rng):
    amplitude = np.repeat([[1.0], [1.5]], [60, 240], axis=0) + rng.normal(0, 0.1, (300, 1))
    result = (
        asked(tabulate, seed=1)
        if callable(amplitude)
        else asked(tabulate(amplitude, rng.normal(0, 0.12, 300), n_baseline=60))
    )
    assert result.locus == "undetermined"
    assert of(result, "CV⁻²").points_to == "undetermined"


def test_light_says_nothing_by_a_second_pulse(synapse, simulated, rng):
    result = asked(simulated(synapse(n=10, p=0.3), synapse(n=10, p=0.6), rng), opsin=True)
    assert of(result, "PPR").points_to == "not available"
    assert "light" in of(result, "PPR").sentence
    assert of(result, "CV⁻²").points_to == "pre"
    assert result.locus == "undetermined"  # unsilenced synapses would do the same


def test_failures_give_the_quantal_content(synapse, simulated):
    # Three sites, p 0.2 → 0.4: failures 0.512 → 0.216, −ln of them ×2.29; noise far below the quantum.
    low, high = [], []
    for seed in range(20):
        table = simulated(synapse(n=3, p=0.2), synapse(n=3, p=0.4), np.random.default_rng(seed), noise=0.01)
        each = of(asked(table, seed), "failures")
        assert each.points_to == "pre"
        low.append(each.low)
        high.append(each.high)
    covered = np.mean((np.array(low) < 2.29) & (np.array(high) > 2.29))
    assert covered > 0.7  # 90 % nominal, 20 runs


def test_failures_that_hide_in_the_noise_are_not_counted(synapse, simulated, rng):
    # Quanta of 0.28 mV in 0.1 mV of noise: larger quanta alone would make "failures" rarer.
    each = of(asked(simulated(synapse(p=0.3, q=0.28), synapse(p=0.3, q=0.5), rng)), "failures")
    assert each.points_to == "not available"
    assert "cannot be told from responses" in each.sentence


def test_ppr_is_a_ratio_of_means(synapse, simulated, rng):
    table = simulated(synapse(n=10, p=0.3), synapse(n=10, p=0.6), rng)
    post = table.phase == "post"
    post &= table.time_s >= table.time_s[60] + 300  # the first five minutes settle
    ratios = [
        table.amplitude[here, 1].mean() / table.amplitude[here, 0].mean() for here in (~(table.phase == "post"), post)
    ]
    each = of(asked(table), "PPR")
    assert each.value == pytest.approx(ratios[1] / ratios[0])
    assert f"{ratios[0]:.2f} → {ratios[1]:.2f}" in each.sentence
    assert each.points_to == "pre"


def test_an_outlier_that_decides_is_said(tabulate, synapse):
    # A CV⁻² that fell only because of one sweep of ten times the size.
    rng = np.random.default_rng(3)
    amplitude = np.concatenate([synapse(n=40, q=0.1).sample(60, 1, rng), synapse(n=40, q=0.16).sample(240, 1, rng)])
    amplitude[10] += 6.0
    each = of(asked(tabulate(amplitude, rng.normal(0, 0.01, 300), n_baseline=60)), "CV⁻²")
    assert each.points_to == "undetermined"


# Together


@pytest.mark.parametrize(
    ("before", "after", "locus"),
    [
        ({"n": 10, "p": 0.25}, {"n": 10, "p": 0.6}, "pre"),
        ({"n": 10, "p": 0.6}, {"n": 10, "p": 0.25}, "pre"),
        ({"n": 10, "q": 0.3}, {"n": 10, "q": 0.6}, "post"),
        ({"n": 10, "q": 0.6}, {"n": 10, "q": 0.3}, "post"),
    ],
)
def test_large_changes_are_called(synapse, simulated, before, after, locus):
    called = [
        asked(simulated(synapse(**before), synapse(**after), np.random.default_rng(seed), n_baseline=120), seed).locus
        for seed in range(15)
    ]
    assert set(called) <= {locus, "undetermined"}
    assert called.count(locus) >= 9  # at least 60 %


def test_more_sites_are_not_called_post(synapse, simulated):
    called = [asked(simulated(synapse(n=6), synapse(n=12), np.random.default_rng(seed)), seed) for seed in range(60)]
    # CV⁻² or PPR is off by chance in one of twenty, 3 of 60; more than 8 would come once in 500 such tests.
    assert sum(each.locus == "post" for each in called) <= 1
    assert sum(each.locus == "pre" for each in called) <= 8
    assert any("number of active sites" in each.sentence for each in called)


# Mossy fibre to CA3, 20 sweeps of 5 pulses at 50 Hz in 1.2 and in 2.5 mM calcium (Chamberland et al. 2014): release
# probability rises and so does the PPR, while CV⁻² of the first response hardly changes.
MEANS = np.array([[68, 79, 95, 138, 217], [243, 361, 546, 705, 786]], dtype=float)
CVS = np.array([[0.457, 0.517, 0.573, 0.628, 0.516], [0.441, 0.401, 0.313, 0.258, 0.243]])


@pytest.mark.parametrize("shared", [0.0, 0.5])
@pytest.mark.parametrize("n_pulses", [1, 3, 5])
def test_a_facilitating_synapse_of_low_release_probability_is_never_called_post(tabulate, shared, n_pulses):
    for seed in range(25):
        rng = np.random.default_rng(seed)
        spread = np.sqrt(np.log1p(CVS**2))[:, None]
        scores = np.sqrt(shared) * rng.normal(size=(2, 20, 1)) + np.sqrt(1 - shared) * rng.normal(size=(2, 20, 5))
        amplitude = (MEANS[:, None] * np.exp(spread * scores - spread**2 / 2)).reshape(40, 5)[:, :n_pulses]
        assert asked(tabulate(amplitude, rng.normal(0, 2.5, 40), n_baseline=20, unit="pA"), seed).locus != "post"


def test_a_ppr_that_changes_with_the_response_forbids_post(synapse, simulated):
    vetoed = 0
    for seed in range(10):
        rng = np.random.default_rng(seed)
        table = simulated(synapse(n=20, p=0.3, q=0.3), synapse(n=20, p=0.3, q=0.5, facilitation=0.6), rng)
        result = asked(table, seed)
        assert result.locus == "undetermined"
        vetoed += "PPR" in result.sentence
    assert vetoed >= 7


def test_combining():
    pre = [judgement("CV⁻²", "pre"), judgement("PPR", "pre")]
    post = [judgement("CV⁻²", "post"), judgement("PPR", "post")]
    up = {"direction": 1, "release_excluded": True}
    assert combine(tuple(pre), **up)[0] == "pre"
    assert combine(tuple(post), **up)[0] == "post"
    assert combine(tuple(post), direction=1, release_excluded=False)[0] == "undetermined"
    for pair in ((pre[0], post[1]), (post[0], pre[1])):
        locus, sentence = combine(pair, **up)
        assert locus == "undetermined"
        assert "to pre, but" in sentence
    for alone in (*pre, *post):
        locus, sentence = combine((alone,), **up)
        assert locus == "undetermined"
        assert alone.evidence.index in sentence
    vetoed = (*post, judgement("redistribution", "undetermined", vetoes_post=True))
    assert combine(vetoed, **up) == (
        "undetermined",
        "undetermined: CV⁻² and PPR point to post, but redistribution changed",
    )
    assert combine((judgement("PPR", "undetermined"),), **up)[1] == "undetermined: no index is clear enough"


def test_combining_without_a_second_pulse():
    none = judgement("PPR", "not available")
    both = (judgement("CV⁻²", "pre", beyond_sites=True), judgement("failures", "pre"), none)
    up = {"direction": 1, "release_excluded": True}
    assert combine(both, **up)[0] == "pre"
    assert combine((judgement("CV⁻²", "pre"), judgement("failures", "pre"), none), **up)[0] == "undetermined"
    assert combine((judgement("CV⁻²", "post"), judgement("failures", "post"), none), **up)[0] == "post"


def test_cv_indices_agree_on_post_only_when_the_ppr_can_hardly_have_changed():
    indices = (judgement("CV⁻²", "post"), judgement("CV⁻² of later pulses", "post"), judgement("PPR", "undetermined"))
    up = {"direction": 1, "release_excluded": True}
    assert combine(indices, **up, pattern_factor=1.5)[0] == "post"
    assert combine(indices, **up, pattern_factor=1.05)[0] == "undetermined"
    assert combine(indices, **up)[0] == "undetermined"


# When there is nothing to ask


def test_a_small_change_has_no_locus(synapse, simulated, rng):
    result = asked(simulated(synapse(n=200, q=0.30), synapse(n=200, q=0.32), rng))
    assert result.locus == "undetermined"
    assert "so small a change has no locus" in result.status


def test_too_few_sweeps_have_no_locus(synapse, simulated, rng):
    result = asked(simulated(synapse(), synapse(q=0.7), rng, n_baseline=15, n_post=15))
    assert result.status == "15 baseline and 15 post sweeps are too few to ask where the change lies (20 needed)"


def test_a_change_that_the_whole_post_phase_does_not_show_has_no_locus(synapse, simulated, rng):
    result = asked(simulated(synapse(), synapse(q=0.7), rng), sign="LTD")
    assert "against the LTD of its end" in result.status


def test_responses_that_stop_are_no_accident(tabulate, rng):
    amplitude = rng.normal(5, 1, (300, 2))
    amplitude[60:, 0] *= 2
    amplitude[60:, 1] = np.nan
    result = asked(tabulate(amplitude, rng.normal(0, 0.1, 300), n_baseline=60))
    assert result.locus == "undetermined"
    assert of(result, "PPR").points_to == "undetermined"


# Invariance


@settings(max_examples=10, deadline=None)
@given(power=st.integers(-12, 12), seed=st.integers(0, 1000))
def test_units_do_not_matter(synapse, simulated, tabulate, power, seed):
    table = simulated(synapse(p=0.3), synapse(p=0.5), np.random.default_rng(seed), noise=0.02)
    scaled = tabulate(table.amplitude * 2.0**power, table.noise * 2.0**power, n_baseline=60)
    one, two = asked(table, seed, IndicesConfig(n_boot=100)), asked(scaled, seed, IndicesConfig(n_boot=100))
    assert one.locus == two.locus
    for a, b in zip(one.evidence, two.evidence, strict=True):
        assert a.points_to == b.points_to
        assert (a.value, a.low, a.high) == pytest.approx((b.value, b.low, b.high), rel=1e-9, nan_ok=True)


def test_the_same_seed_gives_the_same_answer(synapse, simulated, rng):
    table = simulated(synapse(p=0.3), synapse(p=0.5), rng)
    one, two = asked(table, 4), asked(table, 4)
    assert one.evidence == two.evidence or one.to_frame().equals(two.to_frame())
    assert np.array_equal(one.cv_plane.y_boot, two.cv_plane.y_boot, equal_nan=True)


def test_its_table_has_a_row_per_index(synapse, simulated, rng):
    result = asked(simulated(synapse(p=0.3), synapse(p=0.5), rng, n_pulses=5))
    assert result.status == OK
    wanted = ["CV⁻²", "CV⁻² of later pulses", "PPR", "redistribution", "failures"]
    assert result.to_frame()["index"].tolist() == wanted


@pytest.mark.parametrize("wrong", [{"level": 0.1}, {"ppr_margin_percent": 2.0}, {"settle_min": -1.0}, {"n_boot": 3}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        IndicesConfig(**wrong)
