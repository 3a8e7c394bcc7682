"""The excitability of a cell: what stands in each panel is what the results say, and the page can be read."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_cells import (
    CURRENTS_PA,
    STEP_S,
    about,
    assert_readable,
    intrinsic_verdict,
    make_excitability,
    make_steps,
    no_excitability,
    no_steps,
    not_asked,
    words,
)
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from ephysplast.errors import EphysplastError
from ephysplast.plotting import (
    draw_estimates,
    draw_fi_curve,
    draw_firing_probability,
    draw_ramp_currents,
    draw_step_traces,
    excitability_figure,
)
from ephysplast.plotting._estimates import missing_words
from ephysplast.plotting.style import BLUE, INK
from ephysplast.result import Estimate
from ephysplast.verdict import Verdict

BEFORE = {"rheobase": 60.0, "gain": 0.12}
AFTER = {"rheobase": 20.0, "gain": 0.15, "rin": 181.0, "rest": -64.6}
SILENT = "the cell did not fire up to 300 pA"


def new_axes(width=4.0, height=2.0):
    return Figure(figsize=(width, height)).add_axes((0.15, 0.15, 0.8, 0.8))


def make_page(rng, phases=None, *, verdict=None, **how):
    phases = phases or {"baseline": BEFORE, "post": AFTER}
    steps = {name: make_steps(rng, **each, **how) for name, each in phases.items()}
    return {
        "title": "cell 07 PV $1 & $2 <b> 100% _x_",
        "subtitle": "excitability, CA1 basket cell",
        "steps": steps,
        "excitability": {name: make_excitability(each, **phases[name]) for name, each in steps.items()},
        "verdict": verdict or intrinsic_verdict(),
    }


# ---- the page


def steps_before_and_after(rng):
    return make_page(rng)


def repeated_steps(rng):
    return make_page(rng, repeats=4, currents=np.arange(0.0, 201.0, 20.0))


def one_phase(rng):
    return make_page(rng, {"baseline": BEFORE}, verdict=not_asked())


def ramps(rng):
    return make_page(rng, ramp=True, currents=np.full(8, 200.0))


def steps_then_a_ramp(rng):
    page, other = make_page(rng), ramps(rng)
    return page | {name: {**page[name], "post": other[name]["post"]} for name in ("steps", "excitability")}


def a_cell_that_never_fires(rng):
    page = make_page(rng, {"baseline": {"rheobase": 1e4}}, verdict=not_asked())
    missing = dict.fromkeys(("rheobase_pa", "gain_hz_per_pa", "threshold_mv"), Estimate.missing(SILENT))
    missing |= dict.fromkeys(("amplitude_mv", "half_width_ms", "latency_ms"), Estimate.missing(SILENT))
    return page | {"excitability": {"baseline": replace(page["excitability"]["baseline"], **missing)}}


def nothing_in_the_second_phase(rng):
    why = "the command of cell_$7$_post.abf holds no step that differs between sweeps"
    page = make_page(rng)
    verdict = Verdict(sign="refused", status=why)
    return page | {
        "steps": {**page["steps"], "post": no_steps(why)},
        "excitability": {**page["excitability"], "post": no_excitability(why)},
        "verdict": verdict,
    }


def nothing_at_all(rng):
    why = "the file does not say what current was injected"
    empty = {"steps": {"baseline": no_steps(why)}, "excitability": {"baseline": no_excitability(why)}}
    return make_page(rng) | empty | {"verdict": Verdict(sign="refused", status=why)}


def four_phases_with_long_names(rng):
    names = ("baseline", "post", "wash with 10 µM of a $drug", "recovery_2 <&>")
    return make_page(rng, dict(zip(names, [BEFORE, AFTER, BEFORE, AFTER], strict=True)))


def a_wide_open_interval(rng):
    page = make_page(rng)
    wide = Estimate(value=60.0, low=-np.inf, high=4000.0)
    before = replace(page["excitability"]["baseline"], rheobase_pa=wide, gain_hz_per_pa=Estimate(value=0.12))
    return page | {"excitability": {**page["excitability"], "baseline": before}}


def much_to_say(rng):
    verdict = intrinsic_verdict("inconclusive")
    sentence = "if the change is what it seems it would need about 3.4 × the sweeps: 204 in baseline and 816 in all. "
    evidence = tuple(replace(each, sentence=3 * sentence) for each in verdict.evidence)
    page = make_page(rng, verdict=replace(verdict, evidence=evidence, sign_sentence=2 * sentence))
    return page | {"title": "A long title of a cell $x$ " * 8, "subtitle": "many words in a row " * 25}


PAGES = [
    steps_before_and_after,
    repeated_steps,
    one_phase,
    ramps,
    steps_then_a_ramp,
    a_cell_that_never_fires,
    nothing_in_the_second_phase,
    nothing_at_all,
    four_phases_with_long_names,
    a_wide_open_interval,
    much_to_say,
]


@pytest.mark.parametrize("build", PAGES, ids=lambda each: each.__name__)
def test_no_text_is_clipped_or_lies_upon_another(rng, build):
    assert_readable(excitability_figure(**build(rng)))


def test_all_that_is_missing_is_said_with_its_reason(rng):
    said = words(excitability_figure(**a_cell_that_never_fires(rng)))
    assert f"baseline: no rheobase, f–I gain, threshold, spike height, half-width, latency: {SILENT}." in said
    page = nothing_in_the_second_phase(rng)
    said = words(excitability_figure(**page))
    why = page["verdict"].status.replace("$", r"\$")
    assert f"post: nothing was estimated: {why}." in said
    assert f"Refused: {why}" in said


def test_the_page_speaks_of_the_cell_and_not_of_a_locus(rng):
    said = words(excitability_figure(**steps_before_and_after(rng)))
    assert "Excitability up" in said
    assert "Locus" not in said
    assert "One phase: no comparison" in words(excitability_figure(**one_phase(rng)))


def test_drawing_leaves_the_data_alone(rng):
    page = steps_before_and_after(rng)
    before = {name: (each.trace_mv.copy(), each.current_pa.copy()) for name, each in page["steps"].items()}
    excitability_figure(**page)
    for name, (trace_mv, current_pa) in before.items():
        np.testing.assert_array_equal(page["steps"][name].trace_mv, trace_mv)
        np.testing.assert_array_equal(page["steps"][name].current_pa, current_pa)


# ---- traces


def drawn(axes):
    """Label → the lines of that label."""
    lines = {}
    for each in axes.lines:
        lines.setdefault(each.get_label(), []).append(each)
    return lines


def test_the_lowest_the_rheobase_and_the_fastest_sweep_are_shown(rng):
    page = make_page(rng)
    axes = new_axes(6.0)
    draw_step_traces(axes, page["steps"], page["excitability"])
    # Before, 75 pA is the first step above 60 pA; after, 25 pA above 20 pA. 300 pA is the strongest.
    for name, rheobase in (("baseline", 75.0), ("post", 25.0)):
        rows = [int(np.flatnonzero(current == CURRENTS_PA)[0]) for current in (-100.0, rheobase, 300.0)]
        shown = [label for label in drawn(axes) if label.startswith(f"{name}, sweep")]
        assert shown == [f"{name}, sweep {row + 1}" for row in rows]
    said = words(axes)
    assert all(each in said for each in ("−100 pA", "+75 pA", "+25 pA", "+300 pA", "−65 mV", "50 mV", "100 ms"))


def test_a_sweep_in_depolarisation_block_is_not_the_fastest(rng):
    steps = make_steps(rng, **BEFORE)
    blocked = steps.spikes.blocked.copy()
    blocked[-3:] = True
    steps = replace(steps, spikes=replace(steps.spikes, blocked=blocked))
    axes = new_axes()
    draw_step_traces(axes, {"baseline": steps})
    assert f"+{CURRENTS_PA[-4]:g} pA" in words(axes)
    assert "+300 pA" not in words(axes)


def test_a_rejected_sweep_is_not_shown(rng):
    steps = make_steps(rng, **BEFORE)
    reason = ("rejected in the manifest", *steps.reason[1:-1], "rejected in the manifest")
    axes = new_axes()
    draw_step_traces(axes, {"baseline": replace(steps, reason=reason)})
    assert "−75 pA" in words(axes)
    assert "+275 pA" in words(axes)
    assert f"baseline ({len(CURRENTS_PA) - 2} sweeps)" in words(axes)


def test_the_current_is_drawn_during_the_step(rng):
    steps = make_steps(rng, **BEFORE)
    axes = new_axes()
    draw_step_traces(axes, {"baseline": steps})
    trace = drawn(axes)["baseline, sweep 1"][0].get_xdata()
    command = drawn(axes)["current"][0]
    x, y = command.get_xdata(), command.get_ydata()
    assert x[2] - trace[0] == pytest.approx(-1e3 * steps.trace_s[0])
    assert x[3] - x[2] == pytest.approx(1e3 * STEP_S)
    assert y[2] == y[3] < y[0] == y[-1]


def test_a_ramp_shows_the_current_at_its_first_spike(rng):
    steps = make_steps(rng, **BEFORE, ramp=True, currents=np.full(3, 200.0))
    axes = new_axes()
    draw_step_traces(axes, {"baseline": steps})
    assert f"first spike at {steps.current_at_spike_pa[0]:.3g} pA" in words(axes)
    (dot,) = drawn(axes)["first spike"]
    command = drawn(axes)["current"][-1]
    x, y = command.get_xdata(), command.get_ydata()
    # On the ramp, where the spike was: 0.3 ms are between its threshold and its steepest rise.
    at = np.interp(dot.get_xdata()[0], x[2:4], y[2:4])
    assert dot.get_ydata()[0] == pytest.approx(at, abs=0.3 / 500 * np.ptp(y[2:4]) + 1e-9)


def test_the_first_ramp_that_fires_lies_upon_the_others(rng):
    steps = make_steps(rng, **BEFORE, ramp=True, currents=np.full(4, 200.0))
    silent = np.where(np.arange(4) < 2, np.nan, steps.current_at_spike_pa)
    axes = new_axes()
    draw_step_traces(axes, {"baseline": replace(steps, current_at_spike_pa=silent)})
    shown = [each.get_label() for each in axes.lines if "sweep" in each.get_label()]
    assert shown[-1] == "baseline, sweep 3"
    assert f"first spike at {steps.current_at_spike_pa[2]:.3g} pA" in words(axes)


# ---- f–I curve


def test_the_curve_the_gain_and_the_rheobase_stand_where_the_result_has_them(rng):
    page = make_page(rng)
    axes = new_axes()
    draw_fi_curve(axes, page["excitability"])
    lines = drawn(axes)
    for name, gain in (("baseline", lines["gain"][0]), ("post", lines["gain"][1])):
        result = page["excitability"][name]
        np.testing.assert_array_equal(lines[name][0].get_xdata(), result.current_pa)
        np.testing.assert_array_equal(lines[name][0].get_ydata(), result.rate_hz)
        slope = np.diff(gain.get_ydata()) / np.diff(gain.get_xdata())
        assert slope[0] == pytest.approx(result.gain_hz_per_pa.value)
        (mark,) = lines[f"rheobase, {name}"]
        assert mark.get_xdata()[0] == result.rheobase_pa.value
        assert mark.get_ydata()[0] < 0
    box = lines["bracket"][0].get_xdata()
    assert list(box) == [50.0, 75.0]
    assert axes.get_xlabel() == "current above holding (pA)"
    assert axes.get_ylabel() == "rate (Hz)"


def test_silence_far_below_the_rheobase_is_outside(rng):
    page = make_page(rng, {"baseline": BEFORE})
    axes = new_axes()
    draw_fi_curve(axes, page["excitability"])
    low, high = axes.get_xlim()
    assert -50.0 < low < 0.0
    assert 300.0 < high < 350.0


def test_firing_probability_is_drawn_where_steps_were_repeated_only(rng):
    page = repeated_steps(rng)
    axes = new_axes()
    draw_firing_probability(axes, page["excitability"])
    result = page["excitability"]["baseline"]
    np.testing.assert_array_equal(drawn(axes)["baseline"][0].get_ydata(), result.fired)
    labels = [[each.get_ylabel() for each in excitability_figure(**p).axes] for p in (page, make_page(rng))]
    assert ["P(spike)" in each for each in labels] == [True, False]


def test_every_ramp_is_a_dot(rng):
    page = ramps(rng)
    axes = new_axes()
    draw_ramp_currents(axes, page["steps"], page["excitability"])
    for name, steps in page["steps"].items():
        dots = next(each for each in axes.collections if each.get_label() == f"ramps, {name}")
        np.testing.assert_allclose(dots.get_offsets()[:, 1], steps.current_at_spike_pa)
    assert axes.get_ylabel() == "current at first spike (pA)"


def test_without_spikes_or_steps_the_panels_say_so():
    axes = new_axes()
    draw_fi_curve(axes, {"baseline": no_excitability("no step was found")})
    assert words(axes) == "No f–I curve: no step was found."
    axes = new_axes()
    draw_ramp_currents(axes, {"baseline": no_steps("no $ramp$")}, {"baseline": no_excitability("x")})
    assert words(axes) == r"No current at the first spike: no \$ramp\$."


# ---- estimates


def result_with(rng, **estimates):
    return replace(make_excitability(make_steps(rng)), **estimates)


def test_values_and_intervals_stand_where_the_estimates_have_them(rng):
    axes = new_axes(0.8, 0.8)
    both = {"baseline": result_with(rng, rin_mohm=about(150.0, 6.0)), "post": result_with(rng, rin_mohm=about(181, 5))}
    draw_estimates(axes, both, quantity="rin_mohm")
    lines = drawn(axes)
    assert [lines[name][0].get_ydata()[0] for name in both] == [150.0, 181.0]
    assert [list(each.get_ydata()) for each in lines["interval"]] == [[144.0, 156.0], [176.0, 186.0]]
    assert [to_hex(lines[name][0].get_color()) for name in both] == [INK, BLUE]
    assert axes.get_title(loc="left").endswith("(MΩ)")


def test_a_missing_value_is_called_none_and_the_other_is_drawn(rng):
    axes = new_axes(0.8, 0.8)
    both = {"baseline": result_with(rng), "post": result_with(rng, threshold_mv=Estimate.missing(SILENT))}
    draw_estimates(axes, both, quantity="threshold_mv")
    assert words(axes) == "none"
    assert drawn(axes)["baseline"][0].get_ydata()[0] == both["baseline"].threshold_mv.value
    assert "post" not in drawn(axes)


@pytest.mark.parametrize(("low", "high"), [(-np.inf, np.inf), (-1e9, 1e9), (np.nan, np.nan), (50.0, np.inf)])
def test_limits_stay_finite_and_hold_the_values(rng, low, high):
    axes = new_axes(0.8, 0.8)
    odd = result_with(rng, rheobase_pa=Estimate(value=60.0, low=low, high=high))
    draw_estimates(axes, {"baseline": odd, "post": result_with(rng)}, quantity="rheobase_pa")
    bottom, top = axes.get_ylim()
    assert bottom < 60.0 < top
    # The other value is 75 pA: an interval of a thousand millions does not make the axis.
    assert top - bottom < 500.0
    assert len(drawn(axes).get("open", [])) == sum(abs(each) > 1e3 for each in (low, high))


def test_a_quantity_that_does_not_exist_is_refused(rng):
    with pytest.raises(EphysplastError, match="did you mean 'rheobase_pa'"):
        draw_estimates(new_axes(), {"baseline": result_with(rng)}, quantity="reobase_pa")


def test_phases_with_the_same_reason_are_named_together(rng):
    silent = result_with(rng, gain_hz_per_pa=Estimate.missing("too few steps"))
    said = list(missing_words({"baseline": silent, "post": silent}, ("gain_hz_per_pa", "tau_ms")))
    assert said == ["Bars are intervals.", "baseline, post: no f–I gain: too few steps."]
