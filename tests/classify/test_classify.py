import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.classify import ClassifyConfig, IndicesConfig, LocusConfig, SignConfig, StabilityConfig, classify
from ephysplast.errors import OK, ManifestError
from ephysplast.quantal import PosteriorConfig

FAST = ClassifyConfig(
    sign=SignConfig(n_boot=400),
    locus=LocusConfig(
        # A few samples are enough here: what the posterior says is tested in test_locus.
        posterior=PosteriorConfig(n_first=200, n_rounds=6, effective=30.0),
        indices=IndicesConfig(n_boot=400),
    ),
)


def good(tabulate, before=100.0, after=170.0, seed=0, **more):
    rng = np.random.default_rng(seed)
    amplitude = np.repeat([before, after], [60, 120]) + rng.normal(0, 15, 180)
    return tabulate(amplitude, rng.normal(0, 3, 180), n_baseline=60, unit="pA", **more)


def test_a_change_with_everything_in_order(tabulate, rng):
    table = good(
        tabulate, rs_mohm=rng.normal(12, 0.3, 180), rin_mohm=rng.normal(200, 5, 180), holding=np.full(180, -50.0)
    )
    verdict = classify(table, rng=rng, config=FAST)
    assert (verdict.status, verdict.sign, verdict.n_baseline, verdict.n_post) == (OK, "LTP", 60, 120)
    assert [each.outcome for each in verdict.quality] == ["pass"] * 6
    assert verdict.change_low < 1.7 < verdict.change_high
    # ×1.7 with the same SD of 15 is no change of q, which would take the SD along; one pulse leaves p and n.
    assert verdict.locus not in ("post", "mixed")
    assert set(verdict.locus_probabilities) == {"p", "n", "q", "p+q"}
    assert verdict.locus_probabilities["q"] < 0.05 < 0.8 < sum(map(verdict.locus_probabilities.get, "pn"))
    assert sum(verdict.locus_probabilities.values()) == pytest.approx(1.0)
    assert [each.locus for each in verdict.release] == ["p", "n", "q", "p+q"]
    assert verdict.cv_plane.r == pytest.approx(1.7, rel=0.05)
    assert len(verdict.cv_plane.r_boot) == len(verdict.cv_plane.y_boot) == 400


def test_a_jump_of_series_resistance_is_an_answer(tabulate, rng):
    verdict = classify(good(tabulate, rs_mohm=np.repeat([12.1, 19.8], [80, 100])), rng=rng, config=FAST)
    assert verdict.sign == "refused"
    assert verdict.status.startswith("R_s rose from 12.1 to 19.8 MΩ (+64 %) at 18 min; limit ±20 %")
    assert np.isnan([verdict.change, verdict.change_low, verdict.change_high]).all()
    assert verdict.locus == "not asked"
    assert verdict.evidence == verdict.release == ()
    assert verdict.locus_probabilities == {}


def test_rundown_is_an_answer_unless_the_experimenter_insists(tabulate, rng):
    table = good(tabulate)
    run_down = replace(table, amplitude=table.amplitude * np.linspace(1.6, 0.4, 180)[:, None])
    verdict = classify(run_down, rng=rng, config=FAST)
    assert verdict.sign == "refused"
    assert verdict.status.startswith("the baseline is unstable: slope -")
    insisted = classify(run_down, rng=rng, config=replace(FAST, stability=StabilityConfig(refuse=False)))
    assert insisted.sign != "refused"
    assert "the baseline is unstable" in insisted.sign_sentence
    assert next(each for each in insisted.quality if each.name == "baseline").outcome == "warn"


def test_an_untestable_baseline_is_warned_of(tabulate, rng):
    amplitude = np.repeat([100.0, 300.0], 60) + rng.normal(0, 70, 120)
    verdict = classify(tabulate(amplitude, rng.normal(0, 3, 120), n_baseline=60), rng=rng, config=FAST)
    assert verdict.sign == "LTP"
    assert "whether the baseline is stable cannot be tested" in verdict.sign_sentence


def test_no_response_is_refused(tabulate, rng):
    amplitude = rng.normal(0, 1, 120)
    amplitude -= amplitude[:60].mean()
    verdict = classify(tabulate(amplitude, rng.normal(0, 1, 120), n_baseline=60), rng=rng, config=FAST)
    assert verdict.sign == "refused"
    assert "cannot be told from zero" in verdict.status


@pytest.mark.parametrize(("after", "sign"), [(100.0, "no change"), (105.0, "inconclusive")])
def test_the_locus_is_asked_only_of_a_change(tabulate, rng, after, sign):
    table = good(tabulate, after=after)
    if sign == "inconclusive":
        table = replace(table, amplitude=table.amplitude + np.random.default_rng(1).normal(0, 40, (180, 1)))
    verdict = classify(table, rng=rng, config=replace(FAST, stability=StabilityConfig(refuse=False)))
    assert (verdict.sign, verdict.locus, verdict.evidence) == (sign, "not asked", ())


def test_the_control_pathway_is_gated_and_divided_out(tabulate, rng):
    control = good(tabulate, after=100.0, seed=9, rs_mohm=np.repeat([12.0, 35.0], [170, 10]))
    verdict = classify(good(tabulate), control=control, rng=rng, config=FAST)
    assert "control" in verdict.sign_sentence
    said = {each.name: each for each in verdict.quality}
    assert said["R_s (control)"].outcome == "warn"
    assert said["R_s (control)"].sentence.startswith("control: R_s 12.0 MΩ in baseline")


def test_the_input_is_not_written_to(tabulate, rng):
    table = good(tabulate, rs_mohm=np.repeat([12.1, 19.8], [170, 10]))
    before = pickle.dumps(table)
    classify(table, rng=rng, config=FAST)
    assert pickle.dumps(table) == before


def test_a_verdict_crosses_to_another_process(tabulate, rng):
    verdict = classify(good(tabulate), rng=rng, config=FAST)
    again = pickle.loads(pickle.dumps(verdict))  # noqa: S301
    assert again.to_frame().equals(verdict.to_frame())
    assert pickle.loads(pickle.dumps(FAST)) == FAST  # noqa: S301


@pytest.mark.parametrize("missing", ["baseline", "post"])
def test_a_missing_phase_is_the_callers_mistake(tabulate, rng, missing):
    table = good(tabulate)
    with pytest.raises(ManifestError, match=f"no {missing} sweeps"):
        classify(replace(table, phase=np.where(table.phase == missing, "wash", table.phase)), rng=rng)


@settings(max_examples=5, deadline=None)
@given(power=st.integers(-12, 12), after=st.floats(40, 250), seed=st.integers(0, 1000))
def test_units_do_not_matter(tabulate, power, after, seed):
    table = good(tabulate, after=after, seed=seed)
    scaled = replace(table, amplitude=table.amplitude * 2.0**power, noise=table.noise * 2.0**power)
    one, two = (classify(each, rng=np.random.default_rng(seed), config=FAST) for each in (table, scaled))
    assert (one.sign, one.change, one.locus) == (two.sign, two.change, two.locus)
    assert one.locus_probabilities == pytest.approx(two.locus_probabilities, rel=1e-6)  # the same draws, scaled
    assert [each.points_to for each in one.evidence] == [each.points_to for each in two.evidence]
