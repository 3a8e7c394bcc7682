"""The figure of a plan: what stands in the axes is what was counted, and all of it can be read."""

from dataclasses import replace

import numpy as np
import pytest
from drawn_cells import assert_readable
from matplotlib.figure import Figure

from ephysplast.planning import Change, LocusPlan, PlanConfig, SignPlan, SignPlanConfig, Synapse, t_test_power
from ephysplast.plotting.planning import (
    draw_plan_cells,
    draw_plan_outcomes,
    draw_plan_sweeps,
    draw_sign_cells,
    draw_sign_sweeps,
    plan_figure,
)

SYNAPSE = Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1)
SWEEPS = np.asarray([(a, b) for a in (30, 60, 120) for b in (60, 120, 240, 480)])


@pytest.fixture
def locus():
    """A plan from counts that rise with the sweeps."""
    total = SWEEPS.sum(axis=1) / 600.0
    n_right = np.stack([np.rint(55 * total**0.5), np.rint(45 * total), np.rint(30 * total)]).astype(int)
    together = 1.0 - (1.0 - n_right[..., None] / 60.0) ** np.arange(1, 9)
    return LocusPlan(
        synapse=SYNAPSE,
        changes=tuple(Change(percent=40, locus=each) for each in "pnq"),
        sweeps=SWEEPS,
        n_runs=np.full(n_right.shape, 60),
        n_right=n_right,
        n_wrong=np.full(n_right.shape, 2),
        together_right=together,
        together_wrong=0.0 * together,
        config=PlanConfig(max_cells=8),
    )


@pytest.fixture
def sign():
    power = t_test_power(0.9, np.arange(2, 41))
    return SignPlan(
        synapse=SYNAPSE,
        change=Change(percent=-30, locus="q"),
        sweeps=SWEEPS,
        window_sweeps=np.minimum(SWEEPS[:, 1], 60),
        n_runs=np.full(len(SWEEPS), 200),
        n_found=np.rint(150 * SWEEPS[:, 0] / 120).astype(int),
        n_false=np.full(len(SWEEPS), 9),
        effect=np.full(len(SWEEPS), -0.9),
        cells=np.full(len(SWEEPS), 12.0),
        study_power=np.tile(power, (len(SWEEPS), 1)),
        config=SignPlanConfig(),
    )


def new_axes():
    return Figure(figsize=(4, 3)).add_axes((0.2, 0.15, 0.75, 0.7))


def test_every_baseline_has_a_line_with_its_intervals(locus):
    axes = new_axes()
    draw_plan_sweeps(axes, locus, 1)
    share, low, high = (100.0 * each[1] for each in locus.share())
    assert [each.get_label() for each in axes.containers] == ["30", "60", "120"]
    for baseline, bars in zip((30, 60, 120), axes.containers, strict=True):
        rows = SWEEPS[:, 0] == baseline
        line, _, (vertical,) = bars
        np.testing.assert_allclose(line.get_ydata(), share[rows])
        # Moved aside by less than a tenth, so that intervals do not lie upon each other.
        np.testing.assert_allclose(line.get_xdata(), SWEEPS[rows, 1], rtol=0.1)
        ends = np.asarray([each[:, 1] for each in vertical.get_segments()])
        np.testing.assert_allclose(ends, np.stack([low[rows], high[rows]], axis=1))
    (wrong,) = [each for each in axes.lines if each.get_label() == "wrong"]
    np.testing.assert_allclose(np.unique(wrong.get_ydata()), 100.0 * 2 / 60)
    legend = [each.get_text() for each in axes.get_legend().get_texts()]
    assert legend == ["baseline sweeps 30", "60", "120", "wrong"]


def test_points_without_runs_have_no_mark(locus):
    n_runs = locus.n_runs.copy()
    n_runs[0, ::2] = 0
    some = replace(locus, n_runs=n_runs, n_right=np.minimum(locus.n_right, n_runs), n_wrong=0 * n_runs)
    axes = new_axes()
    draw_plan_sweeps(axes, some, 0)
    assert [bars[0].get_xdata().size for bars in axes.containers] == [2, 2, 2]


def test_outcomes_of_one_cell_add_to_all(locus):
    axes = new_axes()
    draw_plan_outcomes(axes, locus)
    widths = {bars.get_label(): [each.get_width() for each in bars] for bars in axes.containers}
    row = locus.chosen
    for name in ("right", "undetermined", "wrong"):
        np.testing.assert_allclose(widths[name], 100.0 * locus.share(name)[0][:, row])
    np.testing.assert_allclose(np.sum(list(widths.values()), axis=0), 100.0)


def test_cells_together_are_drawn_with_their_intervals(locus):
    axes = new_axes()
    draw_plan_cells(axes, locus)
    lines = {each.get_label(): each.get_ydata() for each in axes.lines}
    share, low, high = (100.0 * each[:, locus.chosen] for each in locus.together())
    for i, name in enumerate("pnq"):
        np.testing.assert_allclose(lines[name], share[i])
        edge = axes.collections[i].get_paths()[0].vertices[:, 1]
        assert edge.min() == pytest.approx(low[i].min())
        assert edge.max() == pytest.approx(high[i].max())


def test_the_sign_is_drawn_against_sweeps_and_cells(sign):
    axes = new_axes()
    draw_sign_sweeps(axes, sign)
    np.testing.assert_allclose(axes.containers[2][0].get_ydata(), 100.0 * 150 / 200)
    (false,) = [each for each in axes.lines if each.get_label() == "without a change"]
    np.testing.assert_allclose(false.get_ydata(), 4.5)
    axes = new_axes()
    draw_sign_cells(axes, sign)
    lines = {each.get_label(): each for each in axes.lines}
    np.testing.assert_allclose(lines["study"].get_ydata(), 100.0 * sign.study_power[0])
    assert lines["needed"].get_xdata() == [12.0]
    assert lines["needed"].get_ydata() == [100.0 * sign.study_power[0][10]]


def test_the_page_can_be_read(locus, sign):
    arrays = ("n_runs", "n_right", "n_wrong", "together_right", "together_wrong")
    one = replace(locus, changes=locus.changes[:1], **{name: getattr(locus, name)[:1] for name in arrays})
    for some in ((None, sign), (one, None)):
        figure = plan_figure(*some)
        assert_readable(figure)
    figure = plan_figure(locus, sign, title="cells of $1 & <2> " * 12)
    assert_readable(figure)
    said = " ".join(each.get_text() for each in figure.texts)
    assert "simulated cells" in said
    assert "\\$1 & <2>" in said


def test_a_plan_that_was_stopped_at_once_can_be_drawn(locus, sign):
    few = np.zeros_like(locus.n_runs)
    few[0, 0] = 1
    nothing = np.full_like(locus.together_right, np.nan)
    stopped = replace(
        locus, n_runs=few, n_right=few, n_wrong=0 * few, together_right=nothing, together_wrong=nothing, complete=False
    )
    assert_readable(plan_figure(stopped, replace(sign, cells=np.full(len(SWEEPS), np.nan))))
