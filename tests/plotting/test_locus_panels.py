"""The panels of the locus: what stands in them is what the verdict says."""

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ephysplast.plotting import draw_amplitudes, draw_cv_plane, draw_failures, draw_indices, draw_posterior
from ephysplast.plotting._locus_panels import LOCUS_COLOURS
from ephysplast.plotting.style import GREEN, GREY, ORANGE
from ephysplast.verdict import Evidence, Verdict


def new_axes(width=3.0, height=2.0):
    return Figure(figsize=(width, height)).add_axes((0.35, 0.2, 0.4, 0.6))


def words(axes) -> str:
    return " ".join(each.get_text().replace("\n", " ") for each in axes.texts)


def bars(axes) -> dict[str, list]:
    found: dict[str, list] = {}
    for container in axes.containers:
        found.setdefault(container.get_label(), []).extend(container.patches)
    return found


def title(axes) -> str:
    return axes.get_title(loc="left").replace("\n", " ")


# ---- posterior


@pytest.mark.parametrize(
    ("locus", "told"), [("pre", {"p"}), ("post", {"q"}), ("mixed", {"p+q"}), ("undetermined", set())]
)
def test_bars_are_the_probabilities_and_only_the_answer_has_its_full_colour(make, locus, told):
    verdict = replace(make().verdict, locus=locus)
    axes = new_axes()
    draw_posterior(axes, verdict, threshold=0.85)
    drawn = bars(axes)
    assert {name: each[0].get_width() for name, each in drawn.items()} == verdict.locus_probabilities
    full = {name for name, each in drawn.items() if to_hex(each[0].get_facecolor()) == LOCUS_COLOURS[name]}
    assert full == told
    assert next(each for each in axes.lines if each.get_label() == "threshold").get_xdata()[0] == 0.85
    assert words(axes) == "0.93 0.04 < 0.01 0.03"
    names = {"pre": "presynaptic", "post": "postsynaptic", "mixed": "pre- and postsynaptic"}
    assert title(axes) == names.get(locus, "undetermined")


@pytest.mark.parametrize(
    ("locus", "pair", "row"),
    [("pre-or-silent", ("p", "n"), "p or n"), ("post-or-chloride", ("q", "chloride"), "q or Cl⁻")],
)
def test_two_loci_that_make_the_answer_together_are_added_in_a_last_bar(make, locus, pair, row):
    chances = {"p": 0.3, "n": 0.02, "q": 0.2, "p+q": 0.02, "chloride": 0.46}
    verdict = replace(make().verdict, locus=locus, locus_probabilities=chances)
    axes = new_axes()
    draw_posterior(axes, verdict, compact=True)
    last = bars(axes)[" or ".join(pair)]
    np.testing.assert_allclose([each.get_width() for each in last], [chances[name] for name in pair])
    assert last[1].get_x() == chances[pair[0]]
    assert [each.get_text() for each in axes.get_yticklabels()] == ["p", "n", "q", "Cl⁻", "p+q", row]
    assert axes.texts[-1].get_text() == f"{chances[pair[0]] + chances[pair[1]]:.2f}"
    assert title(axes) == locus


def test_a_quantal_change_of_unknown_driving_force_has_no_second_bar(make):
    verdict = replace(make().verdict, locus="post-or-chloride")
    axes = new_axes()
    draw_posterior(axes, verdict)
    assert len(axes.get_yticklabels()) == 4
    assert to_hex(bars(axes)["q"][0].get_facecolor()) == GREEN


def test_without_probabilities_the_panel_says_why(make):
    axes = new_axes(6.0)
    draw_posterior(axes, Verdict(sign="LTP", locus="undetermined", locus_sentence="undetermined: too few sweeps"))
    assert words(axes) == "No probabilities: too few sweeps."
    axes = new_axes(6.0)
    draw_posterior(axes, Verdict(sign="LTP"), missing="Nobody asked.")
    assert words(axes) == "Nobody asked."


# ---- theory curves


@pytest.mark.parametrize(("r", "y"), [(1.5, 2.2), (0.5, 0.3), (2.0, 1.0), (0.5, 1.1)])
def test_theory_curves_take_the_place_of_the_regions_and_are_named_once_each(make, r, y):
    plane = replace(make().verdict.cv_plane, r=r, y=y)
    axes = new_axes(5.0, 5.0)
    draw_cv_plane(axes, plane)
    for name, curve in plane.theory_y.items():
        line = next(each for each in axes.lines if each.get_label() == f"theory, {name}")
        np.testing.assert_array_equal(line.get_xdata(), plane.theory_r)
        np.testing.assert_array_equal(line.get_ydata(), curve)
        assert to_hex(line.get_color()) == LOCUS_COLOURS[name]
    assert [each.get_text() for each in axes.texts] == ["p", "n", "q"]
    dashed = {each.get_label() for each in axes.lines if each.is_dashed()}
    assert dashed == {"theory, n"}
    assert not axes.patches
    # The names stand on the side of the experiment.
    assert all((each.xy[0] > 1.0) == (r > 1.0) for each in axes.texts)
    low, high = axes.get_xlim()
    assert all(low <= each.xy[0] <= high and low <= each.xy[1] <= high for each in axes.texts)


def test_curves_that_lie_upon_each_other_keep_their_names_apart(make):
    plane = make().verdict.cv_plane
    curves = dict(plane.theory_y, p=plane.theory_r * 1.01)
    axes = new_axes(5.0, 5.0)
    draw_cv_plane(axes, replace(plane, theory_y=curves))
    axes.get_figure().draw_without_rendering()
    p, n, _ = (each.get_window_extent() for each in axes.texts)
    assert not p.overlaps(n)


# ---- amplitudes


def two_axes():
    figure = Figure(figsize=(3.0, 3.5))
    return figure.add_axes((0.2, 0.55, 0.7, 0.3)), figure.add_axes((0.2, 0.15, 0.7, 0.3))


def area(axes, name) -> float:
    """Of a histogram: the polygon around it."""
    patch = next(each for each in axes.patches if each.get_label() == name)
    x, y = patch.get_xy().T
    return float(abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2)


def test_histograms_are_densities_with_the_mixture_upon_them(make):
    fit = make().verdict.amplitude_fit
    before, after = two_axes()
    draw_amplitudes(before, after, fit)
    for axes, name, density, sd in (
        (before, "baseline", fit.density_before, 3.0),
        (after, "post", fit.density_after, 3.3),
    ):
        # All responses lie within the axis, so the histogram holds all of the probability.
        assert area(axes, name) == pytest.approx(1.0, abs=1e-9)
        line = next(each for each in axes.lines if each.get_label() == f"mixture, {name}")
        np.testing.assert_array_equal(line.get_xdata(), fit.at)
        np.testing.assert_array_equal(line.get_ydata(), density)
        bell = next(each for each in axes.collections if each.get_label() == "noise").get_paths()[0].vertices
        half = bell[bell[:, 1] > 0.5 * bell[:, 1].max()]
        # Full width at half height is 2.355 SD; the bell has a point every 0.1 SD.
        assert np.ptp(half[:, 0]) == pytest.approx(2.355 * sd, abs=0.21 * sd)
        assert f"noise SD {sd:.2g} pA" in words(axes)
    assert before.get_xlim() == after.get_xlim()
    assert after.get_xlabel() == "first response (pA)"
    assert "(n = 60)" in words(before)
    assert "(n = 240)" in words(after)
    assert before.get_title(loc="right") == "lines: expected if p changed"


def test_responses_beyond_the_axis_are_counted_and_stay_in_the_density(make):
    fit = make().verdict.amplitude_fit
    far = fit.before.copy()
    far[:3], far[3] = 1e4, -1e4
    before, after = two_axes()
    draw_amplitudes(before, after, replace(fit, before=far))
    assert before.get_xlim()[1] < 200.0
    assert {"3 ▸", "◂ 1"} <= {each.get_text() for each in before.texts}
    assert area(before, "baseline") == pytest.approx(56 / 60, abs=1e-9)


def test_zero_is_within_the_axis_even_when_no_response_is_near_it(make):
    fit = make().verdict.amplitude_fit
    at = np.linspace(200.0, 400.0, 50)
    high = replace(fit, before=np.linspace(210, 300, 60), after=np.linspace(250, 390, 60), at=at,
                   density_before=np.full(50, 0.005), density_after=np.full(50, 0.005))  # fmt: skip
    before, after = two_axes()
    draw_amplitudes(before, after, high)
    assert before.get_xlim()[0] < 0.0


def test_without_a_fit_one_panel_says_so_and_the_other_is_empty():
    before, after = two_axes()
    draw_amplitudes(before, after, None, missing="No distribution: too noisy.")
    assert words(before) == "No distribution: too noisy."
    assert not after.axison
    assert not after.texts


# ---- failures and indices


def test_failures_are_drawn_in_percent_with_their_intervals(variability):
    axes = new_axes()
    draw_failures(axes, variability)
    for i, (name, each) in enumerate(variability.items()):
        point = next(line for line in axes.lines if line.get_label() == name)
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (i, 100 * each.failure_fraction)
        bar = [line for line in axes.lines if line.get_label() == "interval"][i].get_ydata()
        np.testing.assert_allclose(bar, [100 * each.failure_fraction_low, 100 * each.failure_fraction_high])
    low, high = axes.get_ylim()
    assert low >= -2.0
    assert high > 56.0
    assert "%" in axes.get_ylabel()


def test_failures_that_cannot_be_told_are_said_with_their_reason(variability):
    unknown = replace(variability["post"], failure_status="no noise was measured", failure_fraction=np.nan)
    axes = new_axes(6.0)
    draw_failures(axes, {"post": unknown})
    assert words(axes) == "No failures: no noise was measured."


INDICES = (
    Evidence(index="CV⁻²", value=2.2, low=1.4, high=np.inf, points_to="pre", sentence="x"),
    Evidence(index="PPR", value=1.02, low=0.95, high=1.1, points_to="post", sentence="x"),
    Evidence(index="redistribution", value=0.8, low=0.6, high=1.3, points_to="undetermined", sentence="x"),
    Evidence(index="failures", sentence="failures not available: too few"),
)


def test_indices_stand_at_their_values_in_the_colour_of_what_they_point_to():
    axes = new_axes()
    draw_indices(axes, INDICES, change=1.5)
    for y, (each, colour) in enumerate(zip(INDICES[:3], (ORANGE, GREEN, GREY), strict=True)):
        point = next(line for line in axes.lines if line.get_label() == each.index)
        assert (point.get_xdata()[0], point.get_ydata()[0]) == (each.value, y)
        assert to_hex(point.get_color()) == colour
    assert axes.get_xscale() == "log"
    low, high = axes.get_xlim()
    assert low * high == pytest.approx(1.0)
    assert [each.get_text() for each in axes.get_yticklabels()] == [each.index for each in INDICES]
    assert sorted(each.get_text() for each in axes.texts) == ["mean", "not available", "post", "pre"]
    change = next(each for each in axes.lines if each.get_label() == "change of the mean")
    assert change.get_xdata()[0] == 1.5
    assert any(line.get_label() == "open" for line in axes.lines)


def test_no_index_is_said():
    axes = new_axes(6.0)
    draw_indices(axes, (), missing="the experiment was refused")
    assert words(axes) == "No classical index: the experiment was refused."
