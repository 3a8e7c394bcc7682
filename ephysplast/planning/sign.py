"""Telling a change from none: within one cell, as a recording is judged, and over the cells of a study."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite, log, nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ephysplast.classify.sign import SignConfig, judge_sign
from ephysplast.errors import LEVELS, OK, EphysplastError, check_settings
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.planning.cells import cells_for_t_test, t_test_power, wilson
from ephysplast.planning.runs import cheapest_first, sweep_grid
from ephysplast.planning.synapse import Change, Synapse, draw_cell
from ephysplast.planning.words import share_said
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_ROUGH = 0.25
"""Standard error over mean of a phase from which the variance of a log ratio is a rough guess."""


@dataclass(frozen=True, kw_only=True)
class SignPlanConfig:
    """Settings of a plan for the sign.

    Attributes
    ----------
    power : float
        Share of cells, or of studies, that shall find the change.
    level : float
        Confidence level of the intervals of what was counted.
    alpha : float
        False positives that the test over cells allows.
    between_cell_sd : float
        SD across cells of the true log ratio of post to baseline: how much cells differ in their plasticity. 0.25 is
        an SD of about 25 % of the baseline, as slices commonly show; take it from your own cells.
    max_cells : int
        The power of a study is given for 2 … so many cells.
    n_runs : int
        Simulated cells per pair of sweep numbers, with the change and as many without: 200 know a share of .8 to
        about ±.06.
    every_s : float
        Time from sweep to sweep.
    sign : SignConfig
        The judgement within a cell, with its evaluation window.
    """

    power: float = 0.8
    level: float = 0.95
    alpha: float = 0.05
    between_cell_sd: float = 0.25
    max_cells: int = 40
    n_runs: int = 200
    every_s: float = 10.0
    sign: SignConfig = field(default_factory=SignConfig)

    def __post_init__(self) -> None:
        check_settings(
            self,
            power=(0.5, 0.999),
            level=LEVELS,
            alpha=(1e-6, 0.4),
            between_cell_sd=(0.0, 10.0),
            max_cells=(2, 1000),
            n_runs=(1, 100_000),
            every_s=(0.01, 3600.0),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class SignPlan(Result):
    """How often a change is found, within a cell and by a study.

    Attributes
    ----------
    synapse : Synapse
        Before the change.
    change : Change
        Of the quantal amplitude: the CV without noise stays, which for LTP is the cautious case.
    sweeps : numpy.ndarray of int, shape (pairs, 2)
        Baseline and post sweeps.
    window_sweeps : numpy.ndarray of int, shape (pairs,)
        Post sweeps in the evaluation window: only these are judged.
    n_runs, n_found, n_false : numpy.ndarray of int, shape (pairs,)
        Simulated cells; those in which the change was called by its sign; of as many without a change those that were
        called LTP or LTD.
    effect : numpy.ndarray, shape (pairs,)
        Mean log ratio over its SD across cells (Cohen's d).
    cells : numpy.ndarray, shape (pairs,)
        Cells for the power by a two-sided one-sample t test on log ratios; NaN above 1000.
    study_power : numpy.ndarray, shape (pairs, max_cells − 1)
        Power with 2, 3 … cells.
    asked : int or None
        Row of `sweeps` that was asked for.
    complete : bool
        False when it was interrupted.
    config : SignPlanConfig
        As given.
    notes : tuple of str
        What to bear in mind.
    """

    synapse: Synapse
    change: Change
    sweeps: IntArray
    window_sweeps: IntArray
    n_runs: IntArray
    n_found: IntArray
    n_false: IntArray
    effect: FloatArray
    cells: FloatArray
    study_power: FloatArray
    asked: int | None = None
    complete: bool = True
    config: SignPlanConfig = field(default_factory=SignPlanConfig)
    notes: tuple[str, ...] = ()

    def share(self, outcome: str = "found") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the share of cells in which the change was found, or (``"false"``) seen where there is none.

        Returns
        -------
        share, low, high : numpy.ndarray, shape (pairs,)
            With Wilson intervals; NaN, 0 and 1 without runs.
        """
        if outcome not in ("found", "false"):
            raise EphysplastError("cells have no such outcome", got=outcome, wanted="found or false")
        hits = self.n_found if outcome == "found" else self.n_false
        share = np.divide(hits, self.n_runs, out=np.full(hits.shape, nan), where=self.n_runs > 0)
        return share, *wilson(hits, self.n_runs, level=self.config.level)

    @property
    def smallest(self) -> int | None:
        """Row of the fewest sweeps that find the change within a cell with the power; None when none does."""
        share = self.share()[0]
        return next((int(j) for j in cheapest_first(self.sweeps) if share[j] >= self.config.power), None)

    @property
    def chosen(self) -> int:
        """Row that the plan is about: the one asked for, the smallest that reaches the power, or the largest."""
        best = self.asked if self.asked is not None else self.smallest
        return int(cheapest_first(self.sweeps)[-1]) if best is None else best

    def minutes(self) -> FloatArray:
        """Return how long baseline and post take together, shape (pairs,)."""
        return np.asarray(self.sweeps.sum(axis=1) * self.config.every_s / 60.0)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan for people."""
        row = self.chosen
        found, false = (share_said(*(float(each[row]) for each in self.share(name))) for name in ("found", "false"))
        baseline, post = self.sweeps[row].tolist()
        said = [
            f"{baseline} baseline and {post} post sweeps ({self.minutes()[row]:.0f} min, {self.window_sweeps[row]} of"
            f" them in the evaluation window) find a change of {self.change.percent:+g} % in {found} of cells, and see"
            f" one where there is none in {false} ({int(self.n_runs[row])} simulated cells of each)".replace("-", "−")
        ]
        if self.asked is not None or self.smallest is None:
            said.append(self._fewest())
        return (*said, self._study(row), *self.notes)

    def _fewest(self) -> str:
        power = f"{100 * self.config.power:g} % of single cells"
        if self.smallest is None:
            more = ""
            if (self.window_sweeps < self.sweeps[:, 1]).any():
                more = f"; only the last {self.config.sign.window_min:g} min of post are judged, more do not help"
            return f"{power} is not reached within the grid{more}"
        baseline, post = self.sweeps[self.smallest].tolist()
        return f"The fewest of the grid that find it in {power}: {baseline} baseline and {post} post sweeps"

    def _study(self, row: int) -> str:
        test = f"a two-sided t test on the log ratios (α {self.config.alpha:g}"
        test += f", SD between cells {self.config.between_cell_sd:g})"
        if not isfinite(self.cells[row]):
            return f"Over cells no feasible number reaches {100 * self.config.power:g} % by {test}"
        cells = f"{self.cells[row]:.0f} cells"
        return f"Over cells {cells} reach {100 * self.config.power:g} % by {test}: d = {abs(self.effect[row]):.2f}"

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per pair of sweep numbers: shares with intervals, effect, cells."""
        import pandas as pd

        columns: dict[str, object] = {
            "change_percent": self.change.percent,
            "baseline_sweeps": self.sweeps[:, 0],
            "post_sweeps": self.sweeps[:, 1],
            "window_sweeps": self.window_sweeps,
            "minutes": self.minutes(),
            "n_runs": self.n_runs,
        }
        for name in ("found", "false"):
            for end, values in zip(("", "_low", "_high"), self.share(name), strict=True):
                columns[name + end] = values
        return pd.DataFrame({**columns, "effect_size": self.effect, "cells": self.cells})


def plan_sign(
    synapse: Synapse,
    percent: float,
    *,
    sweeps: Sequence[tuple[int, int]],
    rng: np.random.Generator,
    config: SignPlanConfig | None = None,
    asked: tuple[int, int] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> SignPlan:
    """Count how often a change of the response is told from none, in one cell and by a study of cells.

    Parameters
    ----------
    synapse : Synapse
        What is expected before the change; the first pulse of a sweep is judged.
    percent : float
        The change: 30 is LTP to 130 %, −30 LTD to 70 %.
    sweeps : sequence of (int, int)
        Pairs of baseline and post sweeps to try.
    rng : numpy.random.Generator
        One number is drawn from it; each simulated cell has its own chance, shared by all sweep numbers.
    config : SignPlanConfig, optional
        Power, variability between cells, effort, and the settings of the judgement.
    asked : (int, int), optional
        The pair that the plan is about; it is added to the grid.
    watch : callable, optional
        Called after each simulated cell with how many were judged and how many there will be.

    Returns
    -------
    SignPlan
        Interrupted (KeyboardInterrupt) after the first simulated cells it holds what is known so far.

    Notes
    -----
    Within a cell :func:`ephysplast.classify.judge_sign` decides, as for a recording: the interval of the last minutes
    of post over baseline must exclude 1 and the change exceed the smallest of interest, so that more post sweeps than
    the window holds do not help. Over cells: the log ratio of a cell varies by sampling with
    ``CV²_before/n_before + CV²_after/n_window``, ``CV² = {n·q²·[p(1−p)(1 + CV_II²) + p·CV_I²] + noise²}/(npq)²``, and
    truly with `between_cell_sd`; the power of the t test is that of a noncentral t distribution.

    Examples
    --------
    >>> plan = plan_sign(Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1), 40.0, sweeps=[(60, 60)],
    ...                  rng=np.random.default_rng(0), config=SignPlanConfig(n_runs=5))
    >>> plan.cells.tolist()
    [8.0]
    """
    config = config or SignPlanConfig()
    change = Change(percent=percent, locus="q")
    grid, row = sweep_grid(sweeps, asked=asked)
    counts = np.zeros((3, len(grid)), dtype=np.int64)
    complete = _judge(counts, (synapse, change), grid, config, int(rng.integers(2**63)), watch)
    in_window = max(int(config.sign.window_min * 60.0 / config.every_s + 1e-9), 1)
    window = np.minimum(grid[:, 1], in_window)
    later = replace(synapse, q=synapse.q * change.ratio)
    errors = np.stack([synapse.cv**2 / grid[:, 0], later.cv**2 / window])
    effect = log(change.ratio) / np.sqrt(np.maximum(errors.sum(axis=0) + config.between_cell_sd**2, 1e-300))
    cells = [cells_for_t_test(each, power=config.power, alpha=config.alpha) for each in effect.tolist()]
    numbers = np.arange(2, config.max_cells + 1)
    notes: tuple[str, ...] = ()
    if not complete:
        notes = (f"interrupted after {int(counts[0].max())} simulated cells: the intervals are wide",)
    if np.sqrt(errors.max()) > _ROUGH:
        notes += ("with so few sweeps the means are so uncertain that the number of cells is a rough guess",)
    return SignPlan(
        synapse=synapse,
        change=change,
        sweeps=grid,
        window_sweeps=window,
        n_runs=counts[0],
        n_found=counts[1],
        n_false=counts[2],
        effect=effect,
        cells=np.asarray([nan if each is None else float(each) for each in cells]),
        study_power=np.stack([t_test_power(each, numbers, alpha=config.alpha) for each in effect.tolist()]),
        asked=row,
        complete=complete,
        config=config,
        notes=notes,
    )


def _judge(
    counts: IntArray,
    truth: tuple[Synapse, Change],
    grid: IntArray,
    config: SignPlanConfig,
    entropy: int,
    watch: Callable[[int, int], None] | None,
) -> bool:
    """Judge every cell with all sweep numbers; count runs, found and false; say whether it was not interrupted."""
    synapse, change = truth
    most = (int(grid[:, 0].max()), int(grid[:, 1].max()))
    try:
        for run in range(config.n_runs):
            for j, (n_before, n_after) in enumerate(grid.tolist()):
                found = np.array([1, 0, 0])
                for k, given in enumerate((change, None)):
                    cell = draw_cell(synapse, given, sweeps=most, rng=np.random.default_rng([entropy, k, run]))
                    table = _table(cell[0][:n_before, 0], cell[1][:n_after, 0], config.every_s)
                    sign = judge_sign(
                        table, config.sign, rng=np.random.default_rng([entropy, k, run, n_before, n_after])
                    ).sign
                    looked_for = ("LTP", "LTD") if given is None else ("LTP" if change.percent > 0 else "LTD",)
                    found[1 + k] = sign in looked_for
                counts[:, j] += found
            if watch:
                watch(run + 1, config.n_runs)
    except KeyboardInterrupt:
        if not counts[0].any():
            raise
        return False
    return True


def _table(before: FloatArray, after: FloatArray, every_s: float) -> SweepTable:
    n = before.size + after.size
    nothing = np.full(n, nan)
    return SweepTable(
        unit="pA",  # any: the judgement is of ratios
        phase=np.repeat([BASELINE, POST], [before.size, after.size]),
        time_s=every_s * np.arange(float(n)),
        amplitude=np.concatenate([before, after])[:, None],
        noise=nothing,
        interval_s=np.zeros(1),
        rs_mohm=nothing,
        rin_mohm=nothing,
        holding=nothing,
        excluded=(OK,) * n,
        file=("simulated",) * n,
        sweep=np.arange(1, n + 1),
    )
