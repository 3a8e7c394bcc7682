"""The locus as a posterior: clear cases, what may not be asked, chloride, and the classical indices beside it.

Amplitudes come from the sampler in conftest (binomial sites, site by site) or from the one here; neither shares code
with the likelihood.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.classify import (
    Circumstances,
    DrivingForce,
    IndicesConfig,
    LocusConfig,
    measure_indices,
    measure_locus,
)
from ephysplast.classify._locus_words import Said, agreement
from ephysplast.classify.classical import IndicesResult
from ephysplast.errors import OK, SettingsError
from ephysplast.quantal import LocusPriors, PosteriorConfig, locus_posterior

MODULE = "ephysplast.classify.locus"
INDICES = IndicesConfig(n_boot=400)
# A third of the work; enough where the answer is far from the threshold.
FAST = LocusConfig(indices=INDICES, posterior=PosteriorConfig(n_first=200, n_rounds=6, effective=30.0))


def asked(table, seed=0, config=FAST, **how):
    return measure_locus(table, config, rng=np.random.default_rng(seed), **how)


def released(rng, n_sweeps, *, n, p, q, n_pulses=1, noise=0.5):
    """Binomial release with empty sites at the second pulse, and Gaussian quanta of CV 0.2."""
    first = rng.binomial(n, p, n_sweeps)
    counts = np.stack([first, rng.binomial(n - first, p)], axis=1)[:, :n_pulses]
    quanta = counts + 0.2 * np.sqrt(counts) * rng.standard_normal(counts.shape)
    return q * quanta + noise * rng.standard_normal(counts.shape)


@pytest.fixture(scope="module")
def made(tabulate):
    def make(seed, before, after, *, sweeps=(100, 200), noise=0.5):
        rng = np.random.default_rng([seed, 77])
        phases = [released(rng, k, noise=noise, **each) for k, each in zip(sweeps, (before, after), strict=True)]
        return tabulate(np.vstack(phases), rng.normal(0, noise, sum(sweeps)), n_baseline=sweeps[0], unit="pA")

    return make


PAIR = {"n": 12, "p": 0.5, "q": 5.0, "n_pulses": 2}
ONE = {"n": 12, "p": 0.5, "q": 5.0}


def weighed(table):
    """A table with its posterior: for what is made of one, it need not be sampled again."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(f"{MODULE}.locus_posterior", lambda *a, **k: found.append(locus_posterior(*a, **k)) or found[0])
        asked(table)
    return table, found[0]


@pytest.fixture(scope="module")
def grown(made):
    return weighed(made(7, PAIR, PAIR | {"q": 10.0}))


@pytest.fixture(scope="module")
def raised(made):
    return weighed(made(7, PAIR | {"p": 0.25}, PAIR | {"p": 0.6}))


@pytest.fixture
def of_grown(grown, monkeypatch):
    """Ask of quanta that doubled."""
    monkeypatch.setattr(f"{MODULE}.locus_posterior", lambda *a, **k: grown[1])
    return lambda **how: asked(grown[0], **how)


@pytest.fixture
def of_raised(raised, monkeypatch):
    """Ask of a release probability that rose; another table may stand in for the sweeps."""

    def known(before, after, **_):
        assert before.shape[1] == after.shape[1] >= 2
        return replace(raised[1], pulses=tuple(range(min(before.shape[1], 5))))

    monkeypatch.setattr(f"{MODULE}.locus_posterior", known)
    return lambda table=None, **how: asked(raised[0] if table is None else table, **how)


# Clear cases


@pytest.mark.parametrize(
    ("before", "after", "answers", "locus"),
    [
        ({"p": 0.25}, {"p": 0.6}, {"pre"}, "p"),
        pytest.param({"p": 0.6}, {"p": 0.25}, {"pre"}, "p", marks=pytest.mark.slow),
        ({}, {"q": 10.0}, {"post"}, "q"),
        pytest.param({"q": 10.0}, {}, {"post"}, "q", marks=pytest.mark.slow),
        ({"n": 6}, {"n": 14}, {"pre-or-silent"}, "n"),
    ],
)
def test_clear_changes_are_called_where_they_were_made(made, before, after, answers, locus):
    result = asked(made(7, PAIR | before, PAIR | after))
    assert result.status == OK
    assert result.locus in answers
    assert result.sentence.startswith(f"{result.locus}: ")
    assert max(result.probabilities, key=result.probabilities.get) == locus
    assert sum(result.probabilities.values()) == pytest.approx(1.0)
    found = next(each for each in result.release if each.locus == locus)
    for when, truth in (("before", PAIR | before), ("after", PAIR | after)):
        got = {name: getattr(found, f"{name}_{when}").value for name in "npq"}
        # The mean response is n·p·q: known to 3 % from 100 sweeps or more. Between themselves n, p and q are known to
        # about a quarter, since variability between sites does to the variance what fewer sites of higher p would do.
        assert np.prod(list(got.values())) == pytest.approx(truth["n"] * truth["p"] * truth["q"], rel=0.09)
        for name in "npq":
            assert 1 / 1.4 < got[name] / truth[name] < 1.4, (name, when)


def test_a_change_at_both_ends_is_mixed(made):
    result = asked(made(7, PAIR | {"p": 0.3}, PAIR | {"p": 0.6, "q": 11.0}))
    assert result.locus == "mixed"
    assert max(result.probabilities, key=result.probabilities.get) == "p+q"
    assert "release probability and quantal amplitude both changed" in result.sentence


def test_a_lower_threshold_calls_more_and_never_another(made):
    for seed in range(2):
        table = made(seed, ONE, ONE | {"q": 6.5}, sweeps=(40, 60))
        calls = [
            asked(table, 1, replace(FAST, posterior=replace(FAST.posterior, threshold=level))).locus
            for level in (0.55, 0.999)
        ]
        assert calls[1] in (calls[0], "undetermined")


def test_an_undetermined_answer_names_the_likeliest_and_all_probabilities(made):
    result = asked(made(0, ONE, ONE | {"q": 6.2}, sweeps=(25, 30)))
    assert (result.status, result.locus) == (OK, "undetermined")
    assert "no locus reaches probability 0.9 (the likeliest is" in result.sentence
    for name in ("p ", "n ", "q ", "p+q "):
        assert name in result.sentence


# What is weighed


def test_light_leaves_only_the_first_response(made):
    pair = made(7, PAIR | {"p": 0.25}, PAIR | {"p": 0.6})
    alone = replace(pair, amplitude=pair.amplitude[:, :1], interval_s=pair.interval_s[:1])
    light, single = asked(pair, about=Circumstances(opsin=True)), asked(alone)
    assert light.probabilities.keys() == single.probabilities.keys()
    # The same amplitudes, but other bootstrap draws before: 30 independent samples give a locus to some 18 %.
    assert light.probabilities["q"] == pytest.approx(single.probabilities["q"], abs=0.1)
    assert "responses to light, so the first of each sweep alone" in light.sentence
    # Second responses that would say the opposite change nothing.
    spoiled = pair.amplitude.copy()
    spoiled[pair.phase == "post", 1] *= 3.0
    assert asked(replace(pair, amplitude=spoiled), about=Circumstances(opsin=True)).probabilities == light.probabilities


@pytest.mark.parametrize(("more", "read"), [(3, "all"), (6, "1, 2, 3, 4, 5")])
def test_how_a_train_is_weighed_is_said(of_raised, raised, tabulate, rng, more, read):
    pair = raised[0]
    train = tabulate(np.hstack([pair.amplitude, rng.normal(10, 3, (300, more))]), pair.noise, n_baseline=100, unit="pA")
    result = of_raised(train)
    assert result.locus == "pre"
    words = f"of the {2 + more} responses of a sweep {read} were weighed, those after the second by their scatter alone"
    assert words in result.sentence


def test_a_train_without_later_responses_is_a_pair(made, rng):
    pair = made(7, PAIR | {"p": 0.25}, PAIR | {"p": 0.6})
    noise_alone = replace(pair, amplitude=np.hstack([pair.amplitude, rng.normal(0, 1, (300, 2))]))
    noise_alone = replace(noise_alone, interval_s=0.05 * np.arange(4.0))
    assert "of the 4 responses of a sweep 1, 2 were weighed" in asked(noise_alone).sentence


def test_second_responses_that_are_missing_are_left_out_with_a_word(made):
    pair = made(7, PAIR, PAIR | {"q": 10.0})
    lost = pair.amplitude.copy()
    lost[105:, 1] = np.nan
    result = asked(replace(pair, amplitude=lost))
    assert result.status == OK
    assert "the second was measured in too few sweeps" in result.sentence


# What may not be asked


def blank(table, phase):
    return replace(table, noise=np.where(table.phase == phase, np.nan, table.noise))


@pytest.mark.parametrize("phase", ["baseline", "post"])
def test_without_the_noise_of_a_phase_there_is_no_answer(made, phase):
    result = asked(blank(made(1, ONE, ONE | {"q": 10.0}), phase))
    assert result.locus == "undetermined"
    assert result.probabilities == {}
    assert result.release == ()
    assert f"the noise of the {phase} sweeps was not measured" in result.status
    assert result.sentence == f"undetermined: {result.status}"


def test_a_field_potential_has_no_quanta(made):
    result = asked(made(1, ONE, ONE | {"q": 10.0}), about=Circumstances(response="fEPSP"))
    assert result.locus == "undetermined"
    assert "sums over many synapses" in result.status


@pytest.mark.parametrize(
    ("before", "after", "sweeps", "words"),
    [
        # The first 5 of the 17 min after the induction settle.
        (ONE, ONE | {"q": 10.0}, (15, 100), "15 baseline and 70 post sweeps are too few"),
        (ONE | {"n": 200, "q": 0.5}, ONE | {"n": 200, "q": 0.52}, (100, 200), "so small a change has no locus"),
    ],
)
def test_what_cannot_be_asked_says_why(made, before, after, sweeps, words):
    result = asked(made(2, before, after, sweeps=sweeps))
    assert (result.locus, result.probabilities) == ("undetermined", {})
    assert words in result.status


def test_all_failures_are_no_response(tabulate):
    rng = np.random.default_rng(4)
    amplitude = np.concatenate([rng.normal(0, 1, 100) + 0.05, rng.normal(0, 1, 200) + 0.02])
    result = asked(tabulate(amplitude, rng.normal(0, 1, 300), n_baseline=100))
    assert result.locus == "undetermined"
    assert result.probabilities == {}
    assert result.status != OK


def test_a_response_within_the_noise_of_one_phase_is_said(tabulate):
    rng = np.random.default_rng(5)
    amplitude = np.concatenate([rng.normal(10, 2, 60), rng.normal(0.05, 2, 100)])
    result = asked(tabulate(amplitude, rng.normal(0, 2, 160), n_baseline=60))
    assert result.locus == "undetermined"
    assert "there is no response in the post sweeps to speak of" in result.status or "not above zero" in result.status


def test_a_change_against_the_sign_has_no_locus(made):
    result = asked(made(1, ONE, ONE | {"q": 10.0}), sign="LTD")
    assert "against the LTD of its end" in result.status


# Inhibition


IPSC = Circumstances(response="IPSC")


def force(ratio, spread=0.02, **more):
    return Circumstances(
        response="IPSC",
        driving_force=DrivingForce(ratio=ratio, low=ratio / (1 + spread), high=ratio * (1 + spread)),
        **more,
    )


def test_without_e_gaba_a_change_of_quanta_may_be_one_of_the_driving_force(of_grown):
    result = of_grown(about=IPSC)
    assert result.locus == "post-or-chloride"
    assert "E_GABA was not measured" in result.sentence
    assert "chloride" not in result.probabilities
    told = of_grown(about=replace(IPSC, unknown_force="the clamp was lost"))
    assert "the clamp was lost, so a change of quantal amplitude may be" in told.sentence


def test_presynaptic_changes_stay_so_at_inhibitory_synapses(of_raised):
    assert of_raised(about=IPSC).locus == "pre"


def test_a_driving_force_that_explains_everything_is_chloride(made):
    # Many sites of high p, so that the means are known to 1 %: that q changed by just as much is then far less likely.
    many = {"n": 40, "p": 0.7, "q": 2.0}
    result = asked(made(7, many, many | {"q": 4.0}, sweeps=(300, 300)), about=force(2.0, 0.005))
    assert result.locus == "chloride"
    assert result.probabilities["chloride"] >= 0.9
    assert sum(result.probabilities.values()) == pytest.approx(1.0)
    assert "driving force ×2.00" in result.sentence
    assert "taken off the amplitudes" in result.sentence
    # What is said of release adds up with the probabilities, and q has the driving force in it.
    found = {each.locus: each for each in result.release}
    assert found["q"].probability == result.probabilities["q"]
    assert found["q"].q_after.value / found["q"].q_before.value == pytest.approx(2.0, rel=0.1)


def test_a_driving_force_that_stayed_leaves_the_receptors(of_grown):
    result = of_grown(about=force(1.0))
    assert result.locus == "post"
    assert result.probabilities["chloride"] < 0.01
    assert "driving force ×1.00" in result.sentence


def test_a_change_of_quanta_beside_the_driving_force_is_found(made):
    assert asked(made(7, PAIR, PAIR | {"q": 12.0}), about=force(1.2)).locus == "post"


@pytest.mark.parametrize(
    "loose", [DrivingForce(ratio=1.4, low=0.9, high=2.2), DrivingForce(ratio=-1.0, low=-2, high=3)]
)
def test_a_driving_force_known_too_loosely_separates_nothing(of_grown, loose):
    result = of_grown(about=Circumstances(response="IPSC", driving_force=loose))
    assert result.locus == "post-or-chloride"
    assert "known too loosely" in result.sentence


def test_a_driving_force_says_nothing_of_an_epsc(of_grown):
    assert of_grown(about=replace(force(2.0), response="EPSC")).locus == "post"


def test_the_standard_error_is_that_of_the_interval():
    # Log-normal of SD 0.05: its 95 and 90 % intervals are exp(±1.96 · 0.05) and exp(±1.645 · 0.05).
    for level, z in ((0.95, 1.959964), (0.9, 1.644854)):
        found = DrivingForce(ratio=1.0, low=np.exp(-0.05 * z), high=np.exp(0.05 * z), level=level)
        assert found.log_se == pytest.approx(0.05, rel=1e-5)
        assert found.is_known


# The classical indices beside it


def test_indices_that_agree_are_named(of_raised):
    result = of_raised()
    assert result.locus == "pre"
    agreeing = [each.index for each in result.evidence if each.points_to == "pre"]
    assert len(agreeing) >= 2
    assert f"{' and '.join([', '.join(agreeing[:-1]), agreeing[-1]])} agree" in result.sentence
    assert {each.index for each in result.evidence} >= {"CV⁻²", "PPR", "failures"}


def opposed(locus, sentence):
    def indices(table, config=None, **how):
        true = measure_indices(table, config, **how)
        return IndicesResult(locus=locus, sentence=sentence, evidence=true.evidence, cv_plane=true.cv_plane)

    return indices


def test_indices_that_agree_on_the_opposite_withdraw_the_answer(of_grown, monkeypatch):
    assert of_grown().locus == "post"
    monkeypatch.setattr(f"{MODULE}.measure_indices", opposed("pre", "pre: CV⁻² and PPR agree"))
    result = of_grown()
    assert result.locus == "undetermined"
    assert "undetermined: the posterior says post (" in result.sentence
    assert "but the classical indices say pre: CV⁻² and PPR agree" in result.sentence
    assert result.probabilities["q"] >= 0.9  # the posterior is shown as it is


@pytest.mark.parametrize("locus", ["pre", "pre-or-silent", "post", "chloride", "post-or-chloride"])
@pytest.mark.parametrize("theirs", ["pre", "post", "undetermined"])
def test_which_answers_the_indices_oppose(locus, theirs):
    said = Said(
        locus=locus,
        probabilities={"p": 0.02, "n": 0.02, "q": 0.92, "p+q": 0.04},
        threshold=0.9,
        release=(),
        classical=IndicesResult(locus=theirs, sentence=theirs),
        pulses="",
        chloride="",
    )
    side = "pre" if locus.startswith("pre") else "post"
    expected = "silent" if theirs == "undetermined" else "agree" if theirs == side else "opposed"
    assert agreement(said) == expected


def test_an_index_that_alone_contradicts_is_named(made):
    for seed in range(40):  # by chance CV⁻² stays while p rises
        table = made(seed, PAIR | {"p": 0.3}, PAIR | {"p": 0.42}, sweeps=(30, 40))
        evidence = measure_indices(table, INDICES, rng=np.random.default_rng(0)).evidence
        pointing = {each.points_to for each in evidence} & {"pre", "post"}
        if pointing == {"pre", "post"}:
            break
    result = asked(table)
    assert ("contradict" in result.sentence) or ("points to" in result.sentence)


# Invariance


@settings(max_examples=3, deadline=None)
@given(power=st.integers(-12, 12), seed=st.integers(0, 50))
def test_units_do_not_matter(made, power, seed):
    table = made(seed, ONE, ONE | {"q": 8.0}, sweeps=(30, 40))
    scaled = replace(table, amplitude=table.amplitude * 2.0**power, noise=table.noise * 2.0**power)
    one, two = asked(table, seed), asked(scaled, seed)
    assert one.locus == two.locus
    assert one.probabilities == pytest.approx(two.probabilities, rel=1e-9, abs=1e-300)
    for a, b in zip(one.release, two.release, strict=True):
        assert b.q_after.value == pytest.approx(a.q_after.value * 2.0**power, rel=1e-9, nan_ok=True)
        assert b.p_after.value == pytest.approx(a.p_after.value, rel=1e-9, nan_ok=True)


def test_with_the_driving_force_known_pre_and_post_are_still_equally_likely(raised, monkeypatch):
    # Nothing learnt: the posterior is the prior, and log q after / before is as uncertain as before.
    prior = np.array([0.2375, 0.2375, 0.475, 0.05])
    force = DrivingForce(ratio=1.0, low=0.9, high=1.0 / 0.9)
    draws = {name: getattr(raised[1], name)[[0] * 4] for name in ("draws_n", "draws_p", "draws_q", "draws_cv")}
    unmoved = (0.0, float(np.sqrt(0.7**2 - force.log_se**2)))
    nothing = replace(raised[1], probability=prior, log_q_change=unmoved, **draws)
    monkeypatch.setattr(f"{MODULE}.locus_posterior", lambda *a, **k: nothing)
    found = asked(raised[0], about=Circumstances(response="IPSC", driving_force=force)).probabilities
    assert found["q"] + found["chloride"] == pytest.approx(found["p"] + found["n"])
    assert found["q"] == pytest.approx(found["chloride"])


def test_the_same_seed_gives_the_same_answer(made):
    table = made(1, ONE, ONE | {"q": 8.0}, sweeps=(30, 40))
    assert asked(table, 4).to_frame().equals(asked(table, 4).to_frame())


def test_a_locus_without_prior_mass_has_no_probability(made):
    table = made(8, ONE, ONE | {"q": 7.0}, sweeps=(40, 60))
    priors = LocusPriors(mass_p=0.0, mass_n=0.25, mass_q=0.75, mass_pq=0.0)
    found = asked(table, config=replace(FAST, posterior=replace(FAST.posterior, priors=priors)))
    assert found.probabilities["p"] == found.probabilities["p+q"] == 0.0
    assert found.probabilities["n"] + found.probabilities["q"] == pytest.approx(1.0)
    assert np.isnan(found.release[0].p_before.value)
    assert found.release[0].p_before.status != OK


def test_its_table_has_a_row_per_locus_and_quantity(made):
    frame = asked(made(1, ONE, ONE | {"q": 10.0}, sweeps=(30, 40))).to_frame()
    assert frame["locus"].tolist() == [each for each in ("p", "n", "q", "p+q") for _ in "npq"]
    assert frame["quantity"].tolist() == list("npq") * 4
    assert {"before", "before_low", "after_high", "status"} <= set(frame.columns)


@pytest.mark.parametrize("wrong", [{"chloride_share": -0.1}, {"chloride_share": 1.5}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        LocusConfig(**wrong)
