"""A rule's window and its state: what stands in the figures is what the results say, and no word lies on another."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ephysplast.errors import EphysplastError
from ephysplast.plotting import (
    draw_rule_spikes,
    draw_rule_states,
    draw_rule_window,
    draw_rule_window_map,
    rule_states_figure,
    rule_window_figure,
    save_figure,
)
from ephysplast.simulator import pairing, pre_alone, timing_window, trace_states

DT = np.arange(-60.0, 61.0, 5.0)
HZ = np.array([0.1, 1.0, 5.0, 10.0, 20.0, 30.0, 40.0, 50.0])


@pytest.fixture(scope="module")
def window():
    return timing_window("triplet_visual_all_full", dt_ms=DT, frequency_hz=HZ, n_pairings=20)


@pytest.fixture(scope="module")
def course():
    return trace_states("triplet_visual_all_full", pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5))


def new_axes():
    return Figure(figsize=(6.0, 3.0)).add_axes((0.1, 0.1, 0.6, 0.7))


def test_lines_are_the_changes_and_end_at_half_the_time_to_the_next_pairing(window):
    axes = new_axes()
    draw_rule_window(axes, window, variable="q")
    lines = {each.get_label(): each for each in axes.lines if not each.get_label().startswith("_")}
    assert len(lines) == 6
    assert {"0.1 Hz", "50 Hz"} <= set(lines)
    for label, line in lines.items():
        hz = float(label.split()[0])
        near = np.abs(DT) <= 500.0 / hz
        np.testing.assert_array_equal(line.get_xdata(), DT[near])
        np.testing.assert_array_equal(line.get_ydata(), window.changes["q"][hz == HZ][0][near])
    assert axes.get_xlim() == (-60.0, 60.0)


def test_the_map_holds_every_change_within_half_a_period_and_white_is_none(window):
    axes = new_axes()
    draw_rule_window_map(axes, window, variable="q")
    (mesh,) = axes.collections
    drawn = np.ma.masked_array(mesh.get_array()).reshape(len(HZ), len(DT))
    meant = np.abs(DT) <= 500.0 / HZ[:, None]
    assert not meant.all()
    np.testing.assert_array_equal(~np.ma.getmaskarray(drawn), meant)
    np.testing.assert_array_equal(drawn.data[meant], window.changes["q"][meant])
    low, high = mesh.get_clim()
    assert low == -high
    assert high == np.abs(window.changes["q"][meant]).max()


def test_states_and_spikes_are_those_of_the_course(course):
    axes = new_axes()
    draw_rule_states(axes, course, names=["r1", "o1"])
    for line, name in zip(axes.lines, ["r1", "o1"], strict=True):
        np.testing.assert_array_equal(line.get_xdata(), course.time_s)
        np.testing.assert_array_equal(line.get_ydata(), course.states[name])
    raster = new_axes()
    draw_rule_spikes(raster, course)
    for ticks, times in zip(raster.collections, (course.pre_s, course.post_s), strict=True):
        np.testing.assert_array_equal([each[0, 0] for each in ticks.get_segments()], times)


def test_the_first_row_of_a_long_protocol_is_shown_at_its_own_scale():
    rows = pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5, n_repeats=15)
    figure = rule_states_figure(trace_states("triplet_visual_all_full", rows))
    left, right = [each for each in figure.axes if each.get_title(loc="left")]
    assert left.get_xlim()[1] > 140.0
    # Five pairings at 20 Hz with Δt of 10 ms last 0.21 s.
    low, high = right.get_xlim()
    assert low <= 0.0
    assert 0.21 < high < 1.0
    weight = figure.axes[-1]
    assert np.ptp(weight.get_ylim()) < 0.2 * np.ptp(figure.axes[len(figure.axes) // 2 - 1].get_ylim())
    short = rule_states_figure(trace_states("vogels", pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=2)))
    assert not [each for each in short.axes if each.get_title(loc="left")]


def test_a_name_that_is_not_there_is_said(window, course):
    with pytest.raises(EphysplastError, match="no change of 'p'"):
        draw_rule_window(new_axes(), window, variable="p")
    with pytest.raises(EphysplastError, match="no state 'r3'"):
        draw_rule_states(new_axes(), course, names=["r3"])


def figures():
    yield "one frequency", lambda: rule_window_figure(timing_window("haas", dt_ms=DT))
    yield "one point", lambda: rule_window_figure(timing_window("haas", dt_ms=[10.0]))
    yield "nothing changes", lambda: rule_window_figure(timing_window("vogels", dt_ms=DT, parameters={"eta": 0.0}))
    for rule in ("woodin", "costa", "graupner_brunel_dp", "triplet_visual_all_full"):
        yield (
            f"window of {rule}",
            lambda rule=rule: rule_window_figure(timing_window(rule, dt_ms=DT[::4], frequency_hz=HZ, n_pairings=3)),
        )
        yield (
            f"states of {rule}",
            lambda rule=rule: rule_states_figure(
                trace_states(rule, pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5))
            ),
        )
    for rule in ("triplet_visual_all_full", "graupner_brunel_dp"):
        yield (
            f"states of {rule}, rows with pauses",
            lambda rule=rule: rule_states_figure(
                trace_states(rule, pairing(dt_ms=-10.0, frequency_hz=20.0, n_pairings=5, n_repeats=6))
            ),
        )
    yield (
        "states with noise",
        lambda: rule_states_figure(
            trace_states(
                "graupner_brunel_dp_stochastic",
                pairing(dt_ms=10.0, frequency_hz=20.0, n_pairings=5),
                rng=np.random.default_rng(1),
            )
        ),
    )
    yield (
        "nothing but presynaptic spikes, a stretch of it",
        lambda: rule_states_figure(
            trace_states("activity_rheobase", pre_alone(frequency_hz=10.0, n_spikes=20)), span_s=(0.5, 1.0)
        ),
    )


@pytest.mark.parametrize("make", [pytest.param(make, id=name) for name, make in figures()])
def test_every_page_builds_and_no_word_leaves_it_or_lies_upon_another(make, tmp_path):
    figure = make()
    save_figure(figure, tmp_path / "page", ("svg", "png"))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = []
    for axes in [*figure.axes, *(child for each in figure.axes for child in each.child_axes)]:
        labels = [axes.xaxis.label, axes.yaxis.label, axes.title]
        legend = axes.get_legend()
        labels += legend.get_texts() if legend else []
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            # Ticks beyond the limits are made but not drawn.
            for tick in axis.get_major_ticks():
                labels += [tick.label1] if low <= tick.get_loc() <= high and tick.label1.get_visible() else []
        boxes += [(each.get_text(), each.get_window_extent(renderer)) for each in labels if each.get_text()]
    boxes += [(each.get_text(), each.get_window_extent(renderer)) for each in figure.texts]
    page = figure.bbox
    for text, box in boxes:
        assert box.x0 >= page.x0, text
        assert box.x1 <= page.x1, text
        assert box.y0 >= page.y0, text
        assert box.y1 <= page.y1, text
    for (one, a), (other, b) in combinations(boxes, 2):
        over = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(over) <= 1.0, f"'{one}' lies upon '{other}'"  # a pixel of rounding
