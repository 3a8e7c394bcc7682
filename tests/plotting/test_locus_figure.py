"""The page of the locus: it builds from a table and a verdict alone, and every word of it can be read."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import make_paired_pulse
from drawn_text import assert_readable

from ephysplast.classify import classify
from ephysplast.errors import OK
from ephysplast.experiment import SweepTable
from ephysplast.plotting import locus_figure
from ephysplast.verdict import Evidence, Verdict

REFUSAL = "the baseline is unstable: slope -34.0 %/10 min [-45.0, -22.0] over 60 sweeps in 9.8 min; limit ±10 %/10 min"
NOT_ASKED = "the locus is asked only for LTP and LTD, not for no change"


def letters(figure) -> str:
    return "".join(sorted(each.get_text() for each in figure.texts if len(each.get_text()) == 1))


def panel(figure, label):
    return next(each for each in figure.axes if label in (each.get_xlabel(), each.get_ylabel()))


def pre(make):
    return make().verdict


def ltd_after_many_words(make):
    words = "many words about what else would look the same at this synapse; " * 8
    evidence = tuple(replace(each, sentence=3 * words) for each in make().verdict.evidence)
    return replace(make(r=0.5).verdict, locus="post", locus_sentence=f"post: {words}", evidence=evidence)


def sites_or_probability(make):
    chances = {"p": 0.48, "n": 0.49, "q": 0.01, "p+q": 0.02}
    return replace(make().verdict, locus="pre-or-silent", locus_probabilities=chances)


def undetermined(make):
    chances = {"p": 0.25, "n": 0.25, "q": 0.25, "p+q": 0.25}
    return replace(make().verdict, locus="undetermined", locus_probabilities=chances)


def chloride_or_quantal(make):
    chances = {"p": 0.001, "n": 0.004, "q": 0.5, "p+q": 0.005, "chloride": 0.49}
    return replace(make().verdict, locus="post-or-chloride", locus_probabilities=chances)


def five_indices_none_available(make):
    names = ("CV⁻²", "CV⁻² of later pulses", "PPR", "redistribution", "failures")
    return replace(make().verdict, evidence=tuple(Evidence(index=each, sentence="no") for each in names))


def undetermined_for_want_of_noise(make):
    why = "undetermined: the noise of the baseline sweeps was not measured, and without it quanta cannot be told"
    return replace(make().verdict, locus="undetermined", locus_sentence=why, locus_probabilities={},
                   amplitude_fit=None, cv_plane=None)  # fmt: skip


def refused(make):
    return Verdict(sign="refused", status=REFUSAL, sign_sentence=f"refused: {REFUSAL}", locus_sentence=NOT_ASKED)


def no_change(make):
    return Verdict(sign="no change", change=1.01, change_low=0.95, change_high=1.07, locus_sentence=NOT_ASKED)


VERDICTS = [
    pre,
    ltd_after_many_words,
    sites_or_probability,
    undetermined,
    chloride_or_quantal,
    five_indices_none_available,
    undetermined_for_want_of_noise,
    refused,
    no_change,
]


@pytest.mark.parametrize(
    ("build", "measured"),
    [*((each, False) for each in VERDICTS), *((each, True) for each in (pre, undetermined, refused))],
)
def test_no_text_is_clipped_or_lies_upon_another(make, variability, build, measured):
    case = make(n_pulses=5 if build is undetermined else 2)
    more = {"variability": variability, "paired_pulse": case.paired_pulse} if measured else {}
    figure = locus_figure(title="cell $1 & <2>", table=case.table, verdict=build(make), **more)
    assert figure.get_size_inches()[0] == pytest.approx(7.2)
    assert_readable(figure, at_least=10)


def test_the_page_holds_the_parts_of_the_verdict(make):
    case = make()
    figure = locus_figure(title="cell", table=case.table, verdict=case.verdict, threshold=0.8)
    assert letters(figure) == "ABCDEF"
    drawn = panel(figure, "probability").containers
    assert {each.get_label(): each.patches[0].get_width() for each in drawn} == case.verdict.locus_probabilities
    threshold = next(each for each in panel(figure, "probability").lines if each.get_label() == "threshold")
    assert threshold.get_xdata()[0] == 0.8
    course = panel(figure, "amplitude (pA)")
    shown = [each.get_offsets() for each in course.collections if str(each.get_label()).startswith("sweeps")]
    assert sum(len(each) for each in shown) <= case.table.used.sum()
    indices = panel(figure, "after / before")
    assert {"CV⁻²", "PPR", "failures"} == {each.get_text() for each in indices.get_yticklabels()}
    said = " ".join(each.get_text() for axes in figure.axes for each in axes.texts)
    assert "Locus: presynaptic" in said
    assert "Evidence" in said


def test_with_measured_phases_ratio_and_failures_take_the_place_of_the_indices(make, variability):
    case = make()
    ratios = {"baseline": make_paired_pulse(1.4), "post": make_paired_pulse(1.1)}
    figure = locus_figure(
        title="cell", table=case.table, verdict=case.verdict, variability=variability, paired_pulse=ratios
    )
    labels = {each.get_ylabel().partition("\n")[0] for each in figure.axes}
    assert {"paired-pulse ratio", "failures (%)"} <= labels
    assert not [each for each in figure.axes if each.get_xlabel() == "after / before"]


@pytest.mark.parametrize("build", [refused, no_change])
def test_without_a_question_only_course_reason_and_text_are_left(make, build):
    figure = locus_figure(title="cell", table=make().table, verdict=build(make))
    assert letters(figure) == "ABC"
    said = " ".join(each.get_text().replace("\n", " ") for axes in figure.axes for each in axes.texts)
    assert f"No probabilities: {NOT_ASKED}." in said
    assert ("Refused:" in " ".join(each.get_text() for each in figure.texts)) == (build is refused)


def test_a_plain_table_goes_all_the_way(rng):
    # Binomial release of 10 sites at .3, then .6, quanta of 1 mV in noise of 0.1 mV, written out here.
    amplitude = np.concatenate([rng.binomial(10, 0.3, 60), rng.binomial(10, 0.6, 120)]) + rng.normal(0, 0.1, 180)
    nothing = np.full(180, np.nan)
    table = SweepTable(
        unit="mV", phase=np.repeat(["baseline", "post"], [60, 120]), time_s=10.0 * np.arange(180),
        amplitude=amplitude[:, None], noise=rng.normal(0, 0.1, 180), interval_s=np.zeros(1), rs_mohm=nothing,
        rin_mohm=nothing, holding=nothing, excluded=(OK,) * 180, file=("t.csv",) * 180, sweep=np.arange(1, 181),
    )  # fmt: skip
    verdict = classify(table, rng=rng)
    figure = locus_figure(title="plain", table=table, verdict=verdict)
    assert_readable(figure)
    drawn = panel(figure, "probability").containers
    assert sum(each.patches[0].get_width() for each in drawn if " or " not in each.get_label()) == pytest.approx(1.0)
    curves = {each.get_label() for each in panel(figure, "r = mean after / before").lines}
    assert {"theory, p", "theory, n", "theory, q"} <= curves
