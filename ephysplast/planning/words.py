"""A plan in words."""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ephysplast.planning import LocusPlan

_HALF = 0.5


def share_said(share: float, low: float, high: float) -> str:
    """Say a share with its interval.

    Examples
    --------
    >>> share_said(0.72, 0.6, 0.81)
    '72 % [60, 81]'
    """
    if not isfinite(share):
        return "an unknown share"
    return f"{100 * share:.0f} % [{100 * low:.0f}, {100 * high:.0f}]"


def sweeps_said(plan: "LocusPlan", row: int) -> str:
    """Say a pair of sweep numbers, and how long they take."""
    baseline, post = plan.sweeps[row].tolist()
    return f"{baseline} baseline and {post} post sweeps ({plan.minutes()[row]:.0f} min)"


def locus_sentences(plan: "LocusPlan") -> list[str]:
    """Say a plan: the chosen sweeps, the fewest, the cells."""
    row = plan.chosen
    right, wrong = plan.share("right"), plan.share("wrong")
    said = []
    for i, change in enumerate(plan.changes):
        rightly, wrongly = (share_said(*(float(each[i, row]) for each in three)) for three in (right, wrong))
        start = f"With {sweeps_said(plan, row)} {change.words}" if i == 0 else change.words
        said.append(
            f"{start} is called rightly in {rightly} of cells, wrongly in {wrongly},"
            f" else undetermined ({int(plan.n_runs[i, row])} simulated cells)"
        )
    return [*said, _fewest(plan), *_fewer(plan), *_cells(plan)]


def _fewest(plan: "LocusPlan") -> str:
    power = f"{100 * plan.config.power:g} %"
    every = " for every change" if len(plan.changes) > 1 else ""
    row = plan.smallest
    if row is None:
        last = plan.chosen if plan.asked is None else int(np.argmax(plan.sweeps.sum(axis=1)))
        share, low, high = (each[:, last] for each in plan.share())
        worst = int(np.argmin(np.nan_to_num(share)))
        got = share_said(float(share[worst]), float(low[worst]), float(high[worst]))
        return f"{power}{every} is not reached within the grid: the most, {sweeps_said(plan, last)}, reaches {got}"
    low_ends = plan.share()[1][:, row]
    sure = "" if (low_ends >= plan.config.power).all() else ", though its interval reaches below"
    return f"The fewest of the grid that reach {power}{every}: {sweeps_said(plan, row)}{sure}"


def _fewer(plan: "LocusPlan") -> list[str]:
    baseline, post = plan.sweeps[plan.chosen].tolist()
    half = plan.post_sweeps_for(_HALF, baseline=baseline)
    if not isfinite(half) or half > 0.9 * post:
        return []
    every = " of each" if len(plan.changes) > 1 else ""
    return [f"With {baseline} baseline sweeps about {half:.0f} post sweeps would do for {100 * _HALF:g} %{every}"]


def _cells(plan: "LocusPlan") -> list[str]:
    """Say how many cells: taken together, and called one by one."""
    share, low, high = (each[:, plan.chosen] for each in plan.together())
    wrong = plan.together("wrong")[0][:, plan.chosen]
    said = []
    for i, (change, together, called) in enumerate(
        zip(plan.changes, plan.cells_together, plan.cells_called, strict=True)
    ):
        k = together or share.shape[-1]
        got = share_said(*(float(each[i, k - 1]) for each in (share, low, high)))
        cells = "one cell alone is" if k == 1 else f"{k} cells taken together (the same locus in all) are"
        short = "" if together else ", which falls short"
        said.append(
            f"Of {change.words}: {cells} called rightly in {got}, wrongly in {100 * wrong[i, k - 1]:.0f} %{short};"
            f" {_called(plan.config.called_cells, called)}"
        )
    return said


def _called(wanted: int, cells: tuple[int | None, int | None, int | None]) -> str:
    best, least, most = cells
    noun = "cell that is" if wanted == 1 else "cells that are"
    start = f"for {wanted} {noun} called one by one"
    if best is None:
        return f"{start} no feasible number would do"
    return f"{start} record {best} [{least}, {most if most is not None else 'very many'}]"
