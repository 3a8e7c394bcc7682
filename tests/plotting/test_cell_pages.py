"""The pages of one cell when much is missing: nothing is drawn that says nothing, and what is known is said."""

import math
from itertools import pairwise

import numpy as np
from drawn_cells import (
    assert_readable,
    chloride_verdict,
    make_excitability,
    make_readings,
    make_reversal,
    make_steps,
    no_excitability,
    no_reversal,
    no_steps,
    not_asked,
    words,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ephysplast.plotting import draw_current_split, draw_estimates, excitability_figure, reversal_figure
from ephysplast.plotting._estimates import spoken
from ephysplast.plotting.style import styled
from ephysplast.result import Estimate
from ephysplast.verdict import Evidence, Verdict


def titles(figure):
    return [each.get_title(loc="left") for each in figure.axes if each.get_title(loc="left")]


def letters(figure):
    return [each.get_text() for each in figure.texts if each.get_text() in list("ABCDE")]


def excitability_page(results, steps, verdict):
    return excitability_figure(title="c", subtitle="", steps=steps, excitability=results, verdict=verdict)


def test_a_quantity_that_no_phase_has_gets_no_panel(rng):
    steps = {name: make_steps(rng) for name in ("baseline", "post")}
    missing = Estimate.missing("ramps show no steady deflection")
    results = {name: make_excitability(each, rin_mohm=missing) for name, each in steps.items()}
    results["post"] = make_excitability(steps["post"], rin_mohm=missing, tau_ms=missing)
    figure = excitability_page(results, steps, not_asked())
    assert not [each for each in titles(figure) if "in" in each and "MΩ" in each]
    assert [each for each in titles(figure) if each.startswith("τ")]  # one phase has it
    assert "no input resistance" in words(figure)
    assert_readable(figure)


def test_a_page_without_any_estimate_has_no_empty_panels(rng):
    why = "one holding potential only (−70 mV)"
    figure = reversal_figure(
        title="c",
        subtitle="",
        reversal={"baseline": no_reversal(why)},
        verdict=Verdict(sign="refused", status=why, sign_sentence=why),
    )
    assert not titles(figure)
    assert letters(figure) == list("ABCD")  # the verdict takes the place of the estimates
    assert why in words(figure).replace("\n", " ")
    assert "0 baseline" not in words(figure)
    assert_readable(figure)
    why = "the command has neither a current step nor a ramp"
    silent = excitability_page({"baseline": no_excitability(why)}, {"baseline": no_steps(why)}, not_asked())
    assert "No spike to show" in words(silent).replace("\n", " ")
    assert_readable(silent)


def test_a_bound_stands_where_a_value_is_missing(rng):
    above = Estimate(value=math.nan, low=100.0, high=math.inf, status="the cell did not fire", is_bracket=True)
    below = Estimate(value=math.nan, low=-math.inf, high=160.0, status="it fires at every current", is_bracket=True)
    results = {
        name: make_excitability(make_steps(rng), rheobase_pa=each) for name, each in (("a", above), ("b", below))
    }
    axes = Figure(figsize=(2, 2)).add_axes((0.2, 0.2, 0.7, 0.7))
    draw_estimates(axes, results, quantity="rheobase_pa")
    assert words(axes) == "> 100 < 160"


def test_what_is_nothing_beside_the_value_is_zero():
    assert spoken(Estimate(value=200.0, low=2.98e-05, high=200.0, is_bracket=True), "pA") == "200 pA [0, 200]"


def test_one_phase_has_no_count_of_sweeps_that_are_not_there(rng):
    steps = make_steps(rng)
    verdict = Verdict(sign="not asked", sign_sentence="one phase was recorded")
    figure = excitability_page({"wash": make_excitability(steps)}, {"wash": steps}, verdict)
    assert "0 baseline" not in words(figure)
    readings = make_readings(rng)
    reversal = reversal_figure(title="c", subtitle="", reversal={"wash": make_reversal(readings)}, verdict=verdict)
    assert "post sweeps used" not in words(reversal)


def test_an_index_is_not_named_twice_before_its_reason(rng):
    evidence = Evidence(index="f–I gain (Hz/pA)", sentence="f–I gain: not available, before: ramps have no f–I curve")
    steps = make_steps(rng)
    verdict = Verdict(sign="down", sign_sentence="down: rheobase rose", evidence=(evidence,))
    said = words(excitability_page({"baseline": make_excitability(steps)}, {"baseline": steps}, verdict))
    # Lines are broken, and each is a text of its own.
    assert "f–I gain (Hz/pA) not available: before:" in " ".join(said.split())


def test_the_names_of_the_parts_keep_apart():
    figure = Figure(figsize=(7.2, 4.0))
    canvas = FigureCanvasAgg(figure)
    with styled():
        axes = figure.add_axes((0.1, 0.2, 1.6 / 7.2, 0.6))  # as wide as the panel is on a page
        draw_current_split(axes, chloride_verdict_with_long_names())
        figure.draw(canvas.get_renderer())
        boxes = [each.get_window_extent() for each in axes.get_xticklabels() if each.get_text()]
    assert len(boxes) == 3
    gaps = [right.x0 - left.x1 for left, right in pairwise(boxes)]
    assert min(gaps) > 2.0 * figure.dpi / 72.0  # 2 points: less reads as one word


def chloride_verdict_with_long_names():
    base = chloride_verdict()
    names = ("driving-force part (pA)", "conductance part (pA)", "ΔI (pA)")
    parts = tuple(
        Evidence(index=name, value=value, low=value - 5.0, high=value + 5.0)
        for name, value in zip(names, np.array([-60.0, 11.0, -49.0]), strict=True)
    )
    return Verdict(sign=base.sign, sign_sentence=base.sign_sentence, evidence=parts)
