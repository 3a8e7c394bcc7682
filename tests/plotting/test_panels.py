"""Each panel: what stands in the axes is what the result says."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ephysplast.analysers.time_course import time_course
from ephysplast.classify import QualityConfig, SignConfig, check_quality, judge_sign
from ephysplast.errors import OK
from ephysplast.plotting import (
    draw_cv_plane,
    draw_paired_pulse,
    draw_quality,
    draw_time_course,
    draw_traces,
    draw_verdict,
)
from ephysplast.plotting.gates import evaluation_window_min, quality_limits
from ephysplast.plotting.style import BLUE, GREY


def new_axes(width=6.0, height=2.0):
    return Figure(figsize=(width, height)).add_axes((0.1, 0.1, 0.8, 0.75))


def offsets(axes, label) -> np.ndarray:
    """The x and y of all dots of that label."""
    found = [each.get_offsets() for each in axes.collections if each.get_label() == label]
    return np.vstack([np.asarray(each) for each in found]) if found else np.empty((0, 2))


def words(axes) -> str:
    return " ".join(each.get_text() for each in axes.texts)


# ---- time course


def test_bins_and_sweeps_are_drawn_where_the_course_has_them(make):
    course = time_course(make().table)
    axes = new_axes()
    draw_time_course(axes, course)
    for name in ("baseline", "post"):
        container = next(each for each in axes.containers if each.get_label() == f"mean ± SEM, {name}")
        line, _, (bars,) = container.lines
        here = course.phase == name
        np.testing.assert_array_equal(line.get_xdata(), course.time_min[here])
        np.testing.assert_array_equal(line.get_ydata(), course.mean[here])
        heights = [np.ptp(segment[:, 1]) / 2 for segment in bars.get_segments()]
        np.testing.assert_allclose(heights, course.sem[here])
        used = (course.sweep_phase == name) & course.sweep_used
        np.testing.assert_allclose(
            offsets(axes, f"sweeps, {name}"), np.column_stack([course.sweep_time_min, course.sweep_value])[used]
        )


def test_excluded_sweeps_are_open_and_grey(make):
    course = time_course(make().table)
    axes = new_axes()
    draw_time_course(axes, course)
    open_dots = [each for each in axes.collections if each.get_label() == "excluded sweep"]
    assert sum(len(each.get_offsets()) for each in open_dots) == (~course.sweep_used).sum()
    assert all(len(each.get_facecolors()) == 0 for each in open_dots)
    assert {to_hex(each.get_edgecolors()[0]) for each in open_dots} == {GREY}


def test_an_outlier_is_a_triangle_at_the_edge_and_leaves_the_axis_to_the_others(make):
    case = make()
    amplitude = case.table.amplitude.copy()
    amplitude[100, 0], amplitude[120, 0] = 5000.0, -5000.0
    course = time_course(replace(case.table, amplitude=amplitude))
    axes = new_axes()
    draw_time_course(axes, course)
    low, high = axes.get_ylim()
    # Sweeps scatter by 25 % of the mean around 1.5: 4 holds them all, and the outlier lies at 80.
    assert high < 4.0
    assert low > -2.0
    at_edge = offsets(axes, "_outside the axis")
    np.testing.assert_allclose(sorted(at_edge[:, 0]), course.sweep_time_min[[100, 120]])
    assert (at_edge[:, 1] > 0.0).all()
    assert (at_edge[:, 1] < 1.0).all()


def test_the_arrow_stands_in_the_pause_and_the_window_is_marked(make):
    case = make()
    course = time_course(case.table)
    axes = new_axes()
    draw_time_course(axes, course, evaluation_min=(30.0, 40.0))
    arrow = next(each for each in axes.texts if each.get_text() == "" and each.arrow_patch is not None)
    assert course.sweep_time_min[59] < arrow.xy[0] < course.sweep_time_min[60]
    marked = next(each for each in axes.lines if each.get_label() == "_evaluated")
    assert list(marked.get_xdata()) == [30.0, 40.0]
    assert {"baseline", "induction", "post", "evaluated"} <= {each.get_text() for each in axes.texts}


def test_the_control_pathway_is_grey(make):
    case = make()
    control = time_course(case.control)
    axes = new_axes()
    draw_time_course(axes, time_course(case.table), control=control)
    containers = [each for each in axes.containers if each.get_label() == "control pathway"]
    drawn = np.concatenate([each.lines[0].get_ydata() for each in containers])
    np.testing.assert_array_equal(drawn, control.mean)
    assert {to_hex(each.lines[0].get_color()) for each in containers} == {GREY}


def test_a_pause_breaks_the_line(make):
    table = make().table
    later = replace(table, time_s=np.where(np.arange(300) >= 200, table.time_s + 3000.0, table.time_s))
    course = time_course(later)
    axes = new_axes()
    draw_time_course(axes, course)
    container = next(each for each in axes.containers if each.get_label() == "mean ± SEM, post")
    assert np.isnan(container.lines[0].get_ydata()).sum() == 1


def test_without_a_baseline_the_panel_says_so(make):
    table = make().table
    axes = new_axes()
    draw_time_course(axes, time_course(replace(table, phase=np.full(300, "post"))))
    assert "no baseline sweep" in words(axes).replace("\n", " ")
    assert not axes.lines


# ---- quality


@pytest.mark.parametrize("measure", ["rs_mohm", "rin_mohm", "holding"])
def test_quality_is_drawn_as_measured(make, measure):
    table = make().table
    axes = new_axes()
    draw_quality(axes, table, measure=measure, zero_s=600.0, limits={measure: (-1e9, 1e9)})
    drawn = np.vstack([offsets(axes, measure), offsets(axes, f"{measure} excluded")])
    wanted = np.column_stack([(table.time_s - 600.0) / 60.0, getattr(table, measure)])
    np.testing.assert_allclose(drawn[np.argsort(drawn[:, 0])], wanted)


def test_what_was_not_measured_is_said(make):
    axes = new_axes()
    draw_quality(axes, replace(make().table, rs_mohm=np.full(300, np.nan)), measure="rs_mohm")
    assert words(axes) == "not measured"


def test_a_limit_far_away_does_not_flatten_the_data(make):
    table = make().table
    axes = new_axes()
    draw_quality(axes, table, measure="holding", limits={"holding": (-1000.0, 1000.0)})
    low, high = axes.get_ylim()
    # Three times the data's own range is ample; the band is 50 times wider.
    assert high - low < 3.0 * np.ptp(table.holding)


def test_the_bands_are_those_of_the_gates(make, rng):
    table = make().table
    wild = replace(
        table,
        rs_mohm=12.0 * np.exp(rng.normal(0, 0.15, 300)),
        rin_mohm=180.0 * np.exp(rng.normal(0, 0.25, 300)),
        holding=rng.normal(0, 600.0, 300),
    )
    config = QualityConfig(rs_max_mohm=13.5)
    bands = quality_limits(wild, config)
    inside = np.all([(low <= (x := getattr(wild, name))) & (x <= high) for name, (low, high) in bands.items()], axis=0)
    checked, _ = check_quality(wild, config)
    np.testing.assert_array_equal(np.array([each == OK for each in checked.excluded]), inside & wild.used)
    assert set(bands) == {"rs_mohm", "rin_mohm", "holding"}


@pytest.mark.parametrize("window_min", [5.0, 10.0, 500.0])
def test_the_evaluation_window_holds_the_sweeps_that_the_sign_used(make, rng, window_min):
    table = make().table
    config = SignConfig(window_min=window_min)
    start, stop = evaluation_window_min(table, config, zero_s=0.0)
    time_min = table.time_s / 60.0
    inside = table.of_phase("post") & (time_min >= start - 1e-9) & (time_min <= stop + 1e-9)
    assert inside.sum() == judge_sign(table, config, rng=rng).n_window


# ---- traces


def test_the_means_are_the_means_and_the_artefact_is_cut_out(make):
    case = make()
    axes = new_axes()
    draw_traces(axes, case.evoked)
    baseline = case.evoked["baseline"]
    traces, time_ms = baseline.traces, baseline.time_s * 1e3
    own = traces - traces[:, :1, time_ms < -0.2].mean(axis=2, keepdims=True)
    first = next(each for each in axes.lines if each.get_label() == "mean 1")
    drawn, wanted = first.get_ydata(), own[:, 0].mean(axis=0)[: len(first.get_ydata())]
    kept = np.isfinite(drawn)
    np.testing.assert_allclose(drawn[kept], wanted[kept], rtol=1e-9, atol=1e-9)
    # The artefact, 20 times the response, lasts 0.4 ms.
    assert ((time_ms[: len(drawn)][~kept] >= 0) & (time_ms[: len(drawn)][~kept] < 0.4)).all()
    assert (~kept).any()
    low, high = axes.get_ylim()
    # Responses of 60 to 90 pA with a CV of 0.3: none of 300 reaches 90 × (1 + 5 × 0.3).
    assert -300.0 < low < -90.0
    assert high < 100.0


def test_pulses_lie_at_their_intervals(make):
    axes = new_axes()
    draw_traces(axes, make(n_pulses=3).evoked)
    stimuli = [each.get_xdata()[0] for each in axes.lines if each.get_label() == "stimulus"][:3]
    np.testing.assert_allclose(np.diff(stimuli), [50.0, 50.0])
    means = {each.get_label(): each.get_xdata() for each in reversed(axes.lines)}
    assert means["mean 1"][-1] <= means["mean 2"][0]


def test_a_long_interval_breaks_the_axis_and_says_how_long_it_is(make):
    case = make()
    far = {name: replace(each, interval_s=np.array([0.0, 0.5])) for name, each in case.evoked.items()}
    axes = new_axes()
    draw_traces(axes, far)
    assert words(axes).count("500 ms") == 3
    stimuli = [each.get_xdata()[0] for each in axes.lines if each.get_label() == "stimulus"][:2]
    assert np.diff(stimuli)[0] < 100.0


def test_scale_bars_have_units_and_true_length(make):
    axes = new_axes()
    draw_traces(axes, make(unit="mV", peak=1.2).evoked)
    bar = next(each for each in axes.lines if each.get_label() == "scale")
    assert f"{np.ptp(bar.get_xdata()):g} ms" in words(axes)
    assert f"{np.ptp(bar.get_ydata()):g} mV" in words(axes)


def test_sweeps_that_are_nan_are_not_drawn_and_none_at_all_is_said(make):
    case = make()
    traces = case.evoked["baseline"].traces.copy()
    traces[:50] = np.nan
    axes = new_axes()
    draw_traces(axes, {"baseline": replace(case.evoked["baseline"], traces=traces)})
    assert "baseline (n = 10)" in words(axes)
    axes = new_axes()
    draw_traces(axes, {"baseline": replace(case.evoked["baseline"], traces=np.full_like(traces, np.nan))})
    assert words(axes) == "No response to show."


# ---- locus


@pytest.mark.parametrize(("r", "y"), [(1.5, 2.2), (0.6, 0.4), (1.3, 1.0), (3.0, 40.0)])
def test_the_point_stands_at_the_ratios_within_log_axes(make, r, y):
    plane = replace(make().verdict.cv_plane, r=r, y=y, theory_r=np.empty(0), theory_y={})
    axes = new_axes(3.0, 3.0)
    draw_cv_plane(axes, plane)
    np.testing.assert_allclose(offsets(axes, "experiment"), [[r, y]])
    assert axes.get_xscale() == axes.get_yscale() == "log"
    assert axes.get_xlim() == axes.get_ylim()
    assert axes.get_xlim()[0] < min(r, y, 1.0)
    assert axes.get_xlim()[1] > max(r, y, 1.0)
    diagonal = next(each for each in axes.lines if each.get_label() == "y = r")
    np.testing.assert_array_equal(diagonal.get_xdata(), diagonal.get_ydata())
    assert {"mixed", "sites (n)", "quantal size (q)"} <= {each.get_text() for each in axes.texts}


def test_resamples_without_cv_are_counted_aloud(make):
    plane = make().verdict.cv_plane
    y_boot = plane.y_boot.copy()
    y_boot[:150], y_boot[150:200] = np.inf, np.nan
    axes = new_axes(3.0, 3.0)
    draw_cv_plane(axes, replace(plane, y_boot=y_boot))
    assert "200 of 2000 resamples have no CV⁻²" in axes.get_title(loc="left").replace("\n", " ")
    drawn = offsets(axes, "bootstrap")
    assert np.isin(drawn[:, 0], plane.r_boot[200:]).all()


@pytest.mark.parametrize("y", [np.nan, np.inf, 0.0])
def test_without_a_plane_the_panel_says_why(make, y):
    for plane in (None, replace(make().verdict.cv_plane, y=y)):
        axes = new_axes(3.0, 3.0)
        draw_cv_plane(axes, plane, missing="No CV plane: too noisy.")
        assert words(axes).replace("\n", " ") == "No CV plane: too noisy."


def test_ratios_are_drawn_with_their_intervals(make):
    results = make().paired_pulse
    axes = new_axes(2.0, 3.0)
    draw_paired_pulse(axes, results)
    for i, (name, each) in enumerate(results.items()):
        container = next(one for one in axes.containers if one.get_label() == name)
        line, _, (bars,) = container.lines
        assert (line.get_xdata()[0], line.get_ydata()[0]) == (i, each.paired_pulse_ratio[0])
        np.testing.assert_allclose(bars.get_segments()[0][:, 1], [each.ratio_low[0], each.ratio_high[0]])
        low, high = axes.get_ylim()
        assert low < each.ratio_low[0]
        assert high > each.ratio_high[0]
    assert [each.get_text() for each in axes.get_xticklabels()] == ["baseline", "post"]


def test_a_train_shows_every_ratio(make):
    results = make(n_pulses=5).paired_pulse
    axes = new_axes(2.0, 3.0)
    draw_paired_pulse(axes, results)
    container = next(each for each in axes.containers if each.get_label() == "post")
    np.testing.assert_array_equal(container.lines[0].get_ydata(), results["post"].paired_pulse_ratio)
    assert to_hex(container.lines[0].get_color()) == BLUE


def test_a_bound_without_end_leaves_the_panel_and_not_the_ratio(make):
    results = make().paired_pulse
    endless = {"baseline": replace(results["baseline"], ratio_high=np.array([np.inf]))}
    axes = new_axes(2.0, 3.0)
    draw_paired_pulse(axes, endless)
    assert axes.get_ylim()[1] < 3.0
    segment = axes.containers[0].lines[2][0].get_segments()[0]
    assert segment[1, 1] > axes.get_ylim()[1]


def test_no_ratio_is_said_with_its_reason(make):
    unknown = replace(
        make().paired_pulse["post"], status="too few sweeps", paired_pulse_ratio=np.array([np.nan]), ratio_status=("x",)
    )
    axes = new_axes(2.0, 3.0)
    draw_paired_pulse(axes, {"post": unknown})
    assert words(axes).replace("\n", " ") == "No paired-pulse ratio: too few sweeps."
    axes = new_axes(2.0, 3.0)
    draw_paired_pulse(axes, {}, missing="there was one pulse in a sweep")
    assert "one pulse" in words(axes).replace("\n", " ")


# ---- verdict


def test_the_verdict_says_sign_change_locus_evidence_and_what_did_not_pass(make):
    verdict = make().verdict
    axes = new_axes(4.0, 5.0)
    draw_verdict(axes, verdict)
    said = words(axes)
    assert said.startswith("LTP change × 1.50 [1.40, 1.60] (95 % interval)")
    for sentence in (
        verdict.sign_sentence,
        "Locus: presynaptic",
        verdict.locus_sentence,
        "CV⁻² → pre: changed to 2.16 [1.08, 4.32] times the baseline",
        f"PPR → pre: {verdict.evidence[1].sentence}",
        "failures not available: no failures in either phase",
        verdict.quality[1].sentence,
        "2 of 3 quality checks passed",
    ):
        assert sentence in said


def test_text_that_cannot_fit_says_that_there_is_more(make):
    verdict = replace(make().verdict, locus_sentence="many words that go on " * 200)
    axes = new_axes(3.0, 1.5)
    draw_verdict(axes, verdict)
    assert axes.texts[-1].get_text().startswith("… (all of it")
    figure = axes.get_figure()
    figure.draw_without_rendering()
    box = axes.get_window_extent()
    # Descenders of the last line may reach a point below the axes.
    assert min(each.get_window_extent().y0 for each in axes.texts) > box.y0 - 2.0
