"""Where a current reverses: what stands in each panel is what the results say, and the page can be read."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_cells import (
    assert_readable,
    chloride_verdict,
    make_readings,
    make_reversal,
    no_reversal,
    not_asked,
    words,
)
from matplotlib.figure import Figure

from ephysplast.plotting import draw_current_split, draw_current_voltage, draw_potential_traces, reversal_figure
from ephysplast.result import Estimate
from ephysplast.verdict import Evidence, Verdict

BEFORE = {"reversal": -68.0, "conductance": 4.0}
AFTER = {"reversal": -59.8, "conductance": 3.9}
FAR = "the current does not reverse within −50 to −30 mV; no extrapolation was asked for"


def new_axes(width=4.0, height=2.0):
    return Figure(figsize=(width, height)).add_axes((0.15, 0.15, 0.8, 0.8))


def make_page(rng, phases=None, *, verdict=None, **how):
    phases = phases or {"baseline": BEFORE, "post": AFTER}
    return {
        "title": "cell 07 $1 & $2 <b> 100% _x_",
        "subtitle": "GABA puff, gramicidin",
        "reversal": {name: make_reversal(make_readings(rng, **each, **how), **each) for name, each in phases.items()},
        "verdict": verdict or chloride_verdict(),
    }


def lines_of(axes, label):
    return [each for each in axes.lines if each.get_label() == label]


# ---- the page


def steps_before_and_after(rng):
    return make_page(rng)


def ramps(rng):
    return make_page(rng, protocol="voltage ramp", repeats=7)


def current_clamp(rng):
    return make_page(rng, protocol="current clamp")


def one_phase(rng):
    return make_page(rng, {"baseline": BEFORE}, verdict=not_asked())


def no_reversal_in_the_range(rng):
    page = make_page(rng, levels=np.array([-50.0, -40.0, -30.0]))
    lost = {"reversal_mv": Estimate.missing(FAR), "driving_force_mv": Estimate.missing(FAR)}
    lost["chloride_mm"] = Estimate.missing(FAR)
    return page | {
        "reversal": {name: replace(each, **lost) for name, each in page["reversal"].items()},
        "verdict": Verdict(sign="undetermined", sign_sentence=f"undetermined: {FAR}"),
    }


def nothing_in_the_second_phase(rng):
    why = "one holding potential only: a reversal needs two at least ($5 $)"
    page = make_page(rng)
    page["reversal"]["post"] = no_reversal(why)
    return page | {"verdict": Verdict(sign="refused", status=why)}


def nothing_at_all(rng):
    why = "the ramp of 4 mV/ms is too fast for the clamp"
    return make_page(rng) | {"reversal": {"a": no_reversal(why)}, "verdict": Verdict(sign="refused", status=why)}


def many_potentials_and_phases(rng):
    names = ("baseline", "post", "wash with 10 µM of a $drug")
    phases = dict(zip(names, [BEFORE, AFTER, BEFORE], strict=True))
    return make_page(rng, phases, levels=np.arange(-120.0, 61.0, 5.0))


def whole_current(rng):
    page = make_page(rng)
    for name, each in page["reversal"].items():
        page["reversal"][name] = replace(each, readings=replace(each.readings, response="total"))
    return page


PAGES = [
    steps_before_and_after,
    ramps,
    current_clamp,
    one_phase,
    no_reversal_in_the_range,
    nothing_in_the_second_phase,
    nothing_at_all,
    many_potentials_and_phases,
    whole_current,
]


@pytest.mark.parametrize("build", PAGES, ids=lambda each: each.__name__)
def test_no_text_is_clipped_or_lies_upon_another(rng, build):
    assert_readable(reversal_figure(**build(rng)))


def test_what_is_missing_and_what_was_corrected_is_said(rng):
    said = words(reversal_figure(**no_reversal_in_the_range(rng)))
    assert "baseline, post: no reversal potential, driving force, [Cl⁻]ᵢ: the current does not reverse within" in said
    assert "baseline, post: series resistance 12 MΩ, not compensated" in said
    page = nothing_in_the_second_phase(rng)
    assert r"post: nothing was estimated: one holding potential only" in words(reversal_figure(**page))


def test_the_page_speaks_of_chloride_and_not_of_a_locus(rng):
    said = words(reversal_figure(**steps_before_and_after(rng)))
    assert "E_GABA shift" in said
    assert "Locus" not in said


def test_drawing_leaves_the_data_alone(rng):
    page = steps_before_and_after(rng)
    before = {name: each.readings.trace.copy() for name, each in page["reversal"].items()}
    reversal_figure(**page)
    for name, trace in before.items():
        np.testing.assert_array_equal(page["reversal"][name].readings.trace, trace)


# ---- traces


def test_one_mean_trace_stands_for_each_potential(rng):
    page = make_page(rng, {"baseline": BEFORE}, repeats=4)
    axes = new_axes(6.0)
    draw_potential_traces(axes, page["reversal"])
    readings = page["reversal"]["baseline"].readings
    levels = np.unique(readings.command_mv)
    for level in levels:
        (line,) = lines_of(axes, f"{level:g} mV")
        peak = line.get_ydata()[np.nanargmax(np.abs(line.get_ydata()))]
        expected = readings.response_value[readings.command_mv == level].mean()
        # Noise of 4.8 pA has its extremes at 3 to 4 SD; four sweeps halve what is not common to the thinned stretches.
        assert peak == pytest.approx(expected, abs=20.0)
    assert f"baseline ({4 * len(levels)} readings)" in words(axes)
    assert words(axes).count(" mV") == len(levels)
    assert "pA" in words(axes)


def test_an_artefact_leaves_the_axis_to_the_response(rng):
    page = make_page(rng, {"baseline": BEFORE})
    axes = new_axes(6.0)
    draw_potential_traces(axes, page["reversal"])
    # Responses reach 4 nS × 38 mV = 152 pA, the artefact 4000 pA.
    assert axes.get_ylim()[1] < 400.0


def test_more_potentials_than_can_be_told_apart_are_thinned(rng):
    page = make_page(rng, {"baseline": BEFORE}, levels=np.arange(-120.0, 61.0, 5.0))
    axes = new_axes(6.0)
    draw_potential_traces(axes, page["reversal"])
    shown = [each.get_label() for each in axes.lines if each.get_label().endswith(" mV")]
    assert len(shown) == 11
    assert shown[0] == "-120 mV"
    assert shown[-1] == "60 mV"


def test_ramps_are_counted_and_their_range_is_said(rng):
    axes = new_axes(6.0)
    draw_potential_traces(axes, ramps(rng)["reversal"])
    assert "baseline (7 ramps)" in words(axes)
    assert "read from −100 to " in words(axes)
    assert len(lines_of(axes, "ramp 7")) == 2


# ---- I–V


@pytest.mark.parametrize("protocol", ["voltage steps", "voltage ramp", "current clamp"])
def test_readings_fit_and_reversal_stand_where_the_result_has_them(rng, protocol):
    page = make_page(rng, protocol=protocol)
    axes = new_axes()
    draw_current_voltage(axes, page["reversal"])
    for name, each in page["reversal"].items():
        dots = next(c for c in axes.collections if c.get_label() == f"readings, {name}").get_offsets()
        np.testing.assert_allclose(dots, np.column_stack([each.vm_mv, each.response]))
        (fit,) = lines_of(axes, f"fit, {name}")
        np.testing.assert_allclose(np.interp(fit.get_xdata()[0], fit.get_xdata(), fit.get_ydata()), each.fitted.min())
        (mark,) = lines_of(axes, f"reversal, {name}")
        assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (each.reversal_mv.value, 0.0)
    intervals = [list(each.get_xdata()) for each in lines_of(axes, "interval")]
    assert intervals == [[-68.0 - 1.3, -68.0 + 1.3], [-59.8 - 1.3, -59.8 + 1.3]]
    wanted = {"voltage steps": "evoked current (pA)", "voltage ramp": "current (pA)", "current clamp": "IPSP (mV)"}
    assert axes.get_ylabel() == wanted[protocol]
    assert "zero at −68.0 mV [−69.3, −66.7]" in words(axes)


def test_a_dotted_line_leads_to_a_reversal_outside_the_readings(rng):
    inside = make_page(rng, {"baseline": BEFORE})["reversal"]
    outside = make_page(rng, {"baseline": BEFORE}, levels=np.array([-55.0, -45.0, -35.0]))["reversal"]
    for results, n in ((inside, 0), (outside, 1)):
        axes = new_axes()
        draw_current_voltage(axes, results)
        assert len(lines_of(axes, "extrapolated")) == n
        assert axes.get_xlim()[0] < -68.0


def test_one_wild_reading_does_not_flatten_the_others(rng):
    readings = make_readings(rng)
    response = readings.response_value.copy()
    response[3] = 1e5
    axes = new_axes()
    draw_current_voltage(axes, {"baseline": make_reversal(readings, response=response)})
    assert axes.get_ylim()[1] < 1e3


# ---- the split of the change


def test_the_bars_are_the_parts_of_the_evidence(rng):
    axes = new_axes()
    verdict = chloride_verdict()
    draw_current_split(axes, verdict)
    parts = [each for each in verdict.evidence if each.index.endswith("(pA)")]
    heights = [each.get_height() for each in axes.patches]
    assert heights == [each.value for each in parts]
    intervals = [tuple(each.get_ydata()) for each in lines_of(axes, "interval")]
    assert intervals == [(each.low, each.high) for each in parts]
    labels = [each.get_text().replace("\n", " ") for each in axes.get_xticklabels()]
    assert labels == ["ΔI", "driving force", "conductance"]
    assert axes.get_ylabel() == "change of the current (pA)"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (not_asked(), "there is one phase only"),
        (Verdict(sign="refused", status="whole-cell $x$"), r"whole-cell \$x\$"),
        (Verdict(sign="no change"), "the verdict gives none in pA"),
        (
            Verdict(sign="undetermined", evidence=(Evidence(index="ΔI (pA)", sentence="no conductance"),)),
            "no conductance",
        ),
    ],
)
def test_without_parts_the_panel_says_why(verdict, said):
    axes = new_axes()
    draw_current_split(axes, verdict)
    assert words(axes).replace("\n", " ") == f"No split of the change: {said}."


def test_an_open_interval_runs_out_of_the_panel():
    evidence = (Evidence(index="ΔI (pA)", value=-34.0, low=-np.inf, high=1e7, points_to="undetermined"),)
    axes = new_axes()
    draw_current_split(axes, Verdict(sign="undetermined", evidence=evidence))
    low, high = axes.get_ylim()
    assert -200.0 < low < -34.0
    assert 0.0 < high < 200.0
    assert len(lines_of(axes, "open")) == 2


def test_an_estimate_without_interval_is_a_dot_only(rng):
    axes = new_axes()
    result = make_reversal(make_readings(rng), reversal_mv=Estimate(value=-68.0))
    draw_current_voltage(axes, {"baseline": result})
    assert not lines_of(axes, "interval")
    assert "zero at −68.0 mV" in words(axes)
