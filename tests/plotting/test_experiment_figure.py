"""The whole page: it builds for every kind of experiment, and no word is clipped or lies upon another."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_text import assert_readable

from ephysplast.classify import ClassifyConfig, LocusConfig
from ephysplast.errors import OK
from ephysplast.plotting import experiment_figure
from ephysplast.quantal import PosteriorConfig
from ephysplast.verdict import QualityCheck, Verdict

REFUSAL = "the baseline is unstable: slope −34 %/10 min [−45, −22] over 60 sweeps in 9.8 min; limit ±10 %/10 min"


def ltp(make):
    return make()


def ltd_in_mv_with_one_pulse_and_no_control(make):
    return make(r=0.55, unit="mV", peak=1.2, n_pulses=1, control=False)


def refused_and_rs_not_measured(make):
    check = QualityCheck(name="baseline", outcome="fail", sentence=REFUSAL)
    verdict = Verdict(sign="refused", status=REFUSAL, sign_sentence=f"refused: {REFUSAL}", quality=(check,))
    case = make(verdict=verdict)
    return replace(case, table=replace(case.table, rs_mohm=np.full(300, np.nan)))


def nothing_measured_but_the_amplitude(make):
    case = make()
    nothing = np.full(300, np.nan)
    return replace(case, table=replace(case.table, rs_mohm=nothing, rin_mohm=nothing, holding=nothing))


def train_of_five(make):
    return make(n_pulses=5)


def sites_or_probability_with_one_pulse(make):
    case = make(n_pulses=1)
    return replace(case, verdict=replace(case.verdict, locus="pre-or-silent"))


def postsynaptic_or_driving_force(make):
    case = make(r=0.6)
    probabilities = {"p": 0.002, "n": 0.05, "q": 0.55, "p+q": 0.01, "chloride": 0.388}
    return replace(case, verdict=replace(case.verdict, locus="post-or-chloride", locus_probabilities=probabilities))


def four_phases_and_long_names(make):
    case = make(title="A long title of an experiment $x$ " * 8, subtitle="many words in a row " * 25)
    phase = case.table.phase.astype("<U40")
    phase[180:240], phase[240:] = "wash with 10 µM of a $drug", "recovery_2 <&>"
    evoked = {**case.evoked, "wash with 10 µM of a $drug": case.evoked["post"]}
    return replace(case, table=replace(case.table, phase=phase), evoked=evoked)


def inconclusive_with_much_to_say(make):
    case = make()
    sentence = "if the change is what it seems, LTP would need about 3.4 × the sweeps: 204 in baseline and 816 in all. "
    evidence = tuple(replace(each, points_to="undetermined", sentence=3 * sentence) for each in case.verdict.evidence)
    verdict = replace(
        case.verdict,
        sign="inconclusive",
        locus="undetermined",
        sign_sentence=2 * sentence,
        locus_sentence=4 * sentence,
        evidence=evidence,
        locus_probabilities={"p": 0.4, "n": 0.1, "q": 0.3, "p+q": 0.2},
        cv_plane=None,
    )
    return replace(case, verdict=verdict)


def no_response_at_all(make):
    case = make(paired_pulse={})
    evoked = {name: replace(each, traces=np.full_like(each.traces, np.nan)) for name, each in case.evoked.items()}
    verdict = Verdict(sign="refused", status="the baseline shows no synaptic response")
    table = replace(case.table, amplitude=np.full((300, 2), np.nan))
    return replace(case, evoked=evoked, verdict=verdict, table=table, control=None)


def outliers(make):
    case = make()
    amplitude, rs = case.table.amplitude.copy(), case.table.rs_mohm.copy()
    amplitude[[10, 100, 200], 0] = 4000.0, -3000.0, 9e5
    rs[[5, 150]] = 300.0, 0.0
    return replace(case, table=replace(case.table, amplitude=amplitude, rs_mohm=rs))


CASES = [
    ltp,
    ltd_in_mv_with_one_pulse_and_no_control,
    refused_and_rs_not_measured,
    nothing_measured_but_the_amplitude,
    train_of_five,
    sites_or_probability_with_one_pulse,
    postsynaptic_or_driving_force,
    four_phases_and_long_names,
    inconclusive_with_much_to_say,
    no_response_at_all,
    outliers,
]


@pytest.mark.parametrize("build", CASES, ids=lambda each: each.__name__)
def test_no_text_is_clipped_or_lies_upon_another(make, build):
    figure = experiment_figure(**build(make).arguments, config=ClassifyConfig())
    assert_readable(figure)


def test_the_posterior_stands_beside_the_plane_only_where_there_is_one(make):
    config = ClassifyConfig(locus=LocusConfig(posterior=PosteriorConfig(threshold=0.95)))
    figure = experiment_figure(**make().arguments, config=config)
    bars = next(each for each in figure.axes if each.get_xlabel() == "probability")
    line = next(each for each in bars.lines if each.get_label() == "threshold")
    assert line.get_xdata()[0] == 0.95
    assert "G" in {each.get_text() for each in figure.texts}
    without = experiment_figure(**refused_and_rs_not_measured(make).arguments)
    assert not [each for each in without.axes if each.get_xlabel() == "probability"]
    assert "G" not in {each.get_text() for each in without.texts}


def test_a_refusal_stands_under_the_title_too(make):
    figure = experiment_figure(**refused_and_rs_not_measured(make).arguments)
    said = " ".join(each.get_text() for each in figure.texts)
    assert f"Refused: {REFUSAL}" in said
    assert "Refused" not in " ".join(each.get_text() for each in experiment_figure(**make().arguments).texts)


def test_the_strips_share_the_time_axis_and_only_measured_ones_are_there(make):
    case = make()
    figure = experiment_figure(**replace(case, table=replace(case.table, rin_mohm=np.full(300, np.nan))).arguments)
    labels = [each.get_ylabel() for each in figure.axes if each.axison]
    assert sum("MΩ" in each for each in labels) == 1
    course = next(each for each in figure.axes if each.get_ylabel() == "normalised amplitude")
    shared = [each for each in figure.axes if each is not course and course.get_shared_x_axes().joined(course, each)]
    assert len(shared) == 2
    assert all(each.get_xlim() == course.get_xlim() for each in shared)


def test_without_a_baseline_to_normalise_to_the_plain_amplitude_is_drawn(make):
    case = make()
    excluded = tuple("no" if phase == "baseline" else OK for phase in case.table.phase)
    figure = experiment_figure(**replace(case, table=replace(case.table, excluded=excluded)).arguments)
    assert any(each.get_ylabel() == "amplitude (pA)" for each in figure.axes)


def test_settings_of_the_verdict_draw_its_window_and_limits(make):
    with_limits = experiment_figure(**make().arguments, config=ClassifyConfig())
    bands = [each for axes in with_limits.axes for each in axes.patches if each.get_label() == "allowed"]
    assert len(bands) == 3
    assert any(each.get_text() == "evaluated" for axes in with_limits.axes for each in axes.texts)
    refused = experiment_figure(**refused_and_rs_not_measured(make).arguments, config=ClassifyConfig())
    assert not any(each.get_text() == "evaluated" for axes in refused.axes for each in axes.texts)
    without = experiment_figure(**make().arguments)
    assert not [each for axes in without.axes for each in axes.patches if each.get_label() == "allowed"]


def test_drawing_leaves_the_data_alone(make):
    case = make()
    before = case.evoked["post"].traces.copy(), case.table.amplitude.copy()
    experiment_figure(**case.arguments)
    np.testing.assert_array_equal(case.evoked["post"].traces, before[0])
    np.testing.assert_array_equal(case.table.amplitude, before[1])
