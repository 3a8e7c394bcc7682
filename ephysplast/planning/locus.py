"""How many sweeps, and how many cells, tell where a change lies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import EphysplastError
from ephysplast.planning.cells import (
    cells_to_call,
    cells_together,
    wilson,
)
from ephysplast.planning.runs import LocusRuns, PlanConfig, cheapest_first, judge_cells, sweep_grid
from ephysplast.planning.synapse import Change, Synapse
from ephysplast.planning.words import locus_sentences
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Sweeps: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True, eq=False, kw_only=True)
class LocusPlan(Result):
    """How often the locus of a change is called, for every number of sweeps and of cells.

    Attributes
    ----------
    synapse : Synapse
        Before the change.
    changes : tuple of Change
        The truths that were simulated.
    sweeps : numpy.ndarray of int, shape (pairs, 2)
        Baseline and post sweeps.
    n_runs, n_right, n_wrong : numpy.ndarray of int, shape (changes, pairs)
        Simulated cells, those called rightly and wrongly; the others are undetermined.
    together_right, together_wrong : numpy.ndarray, shape (changes, pairs, max_cells)
        Share of studies of 1 … `max_cells` cells that call rightly or wrongly when all cells share the locus and are
        taken together; NaN without runs.
    asked : int or None
        Row of `sweeps` that was asked for.
    complete : bool
        False when it was interrupted.
    config : PlanConfig
        Power, effort, judgement.
    notes : tuple of str
        What to bear in mind.
    """

    synapse: Synapse
    changes: tuple[Change, ...]
    sweeps: IntArray
    n_runs: IntArray
    n_right: IntArray
    n_wrong: IntArray
    together_right: FloatArray
    together_wrong: FloatArray
    asked: int | None = None
    complete: bool = True
    config: PlanConfig = field(default_factory=PlanConfig)
    notes: tuple[str, ...] = ()

    def share(self, outcome: str = "right") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return a share of the cells with its Wilson interval.

        Parameters
        ----------
        outcome : {"right", "wrong", "undetermined"}
            Which.

        Returns
        -------
        share, low, high : numpy.ndarray, shape (changes, pairs)
            NaN, 0 and 1 without runs.
        """
        counts = {"right": self.n_right, "wrong": self.n_wrong}
        counts["undetermined"] = self.n_runs - self.n_right - self.n_wrong
        if outcome not in counts:
            raise EphysplastError("cells have no such outcome", got=outcome, wanted=", ".join(counts))
        hits = counts[outcome]
        share = np.divide(hits, self.n_runs, out=np.full(hits.shape, nan), where=self.n_runs > 0)
        return share, *wilson(hits, self.n_runs, level=self.config.level)

    def together(self, outcome: str = "right") -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return a share of the studies of 1 … `max_cells` cells taken together, with its interval.

        Returns
        -------
        share, low, high : numpy.ndarray, shape (changes, pairs, max_cells)
            Wilson intervals of as many studies as the runs give without using a cell twice: the variance of a mean
            over all studies of k cells is at most that of runs / k of them (Hoeffding 1948,
            doi:10.1214/aoms/1177730196).
        """
        share = self.together_right if outcome == "right" else self.together_wrong
        studies = self.n_runs[..., None] / np.arange(1, share.shape[-1] + 1)
        low, high = wilson(np.nan_to_num(share) * studies, studies, level=self.config.level)
        return share, low, high

    @property
    def smallest(self) -> int | None:
        """Row of the fewest sweeps in all that reach the power for every change; None when none does."""
        worst = self.share()[0].min(axis=0)
        return next((int(j) for j in cheapest_first(self.sweeps) if worst[j] >= self.config.power), None)

    @property
    def chosen(self) -> int:
        """Row that the plan is about: the one asked for, the smallest that reaches the power, or the largest."""
        best = self.asked if self.asked is not None else self.smallest
        return int(cheapest_first(self.sweeps)[-1]) if best is None else best

    @property
    def cells_together(self) -> tuple[int | None, ...]:
        """For each change, the fewest cells that reach the power together with the chosen sweeps."""
        reached = self.together_right[:, self.chosen] >= self.config.power
        return tuple(int(np.argmax(row)) + 1 if row.any() else None for row in reached)

    @property
    def cells_called(self) -> tuple[tuple[int | None, int | None, int | None], ...]:
        """For each change, the cells to record for `called_cells` right calls, at best guess, at best and at worst."""
        best, low, high = (each[:, self.chosen] for each in self.share())
        called = [[self._to_call(each) for each in row] for row in zip(best, high, low, strict=True)]
        return tuple((a, b, c) for a, b, c in called)

    def _to_call(self, share: float) -> int | None:
        return cells_to_call(share, at_least=self.config.called_cells, power=self.config.power)

    def post_sweeps_for(self, share: float, *, baseline: int) -> float:
        """Read off how many post sweeps give a share of right calls in every change, at a number of baseline sweeps.

        Returns
        -------
        float
            Interpolated over the logarithm of the sweeps, the shares first made to rise with them; NaN when the share
            is not crossed within the grid.
        """
        rows = np.flatnonzero(self.sweeps[:, 0] == baseline)
        rows = rows[np.argsort(self.sweeps[rows, 1])]
        worst = np.maximum.accumulate(self.share()[0].min(axis=0)[rows])
        if not rows.size or not worst[0] <= share <= worst[-1]:
            return nan
        above = int(np.argmax(worst >= share))
        if above == 0:
            return float(self.sweeps[rows[0], 1])
        logs = np.log(self.sweeps[rows[above - 1 : above + 1], 1])
        return float(np.exp(np.interp(share, worst[above - 1 : above + 1], logs)))

    def minutes(self) -> FloatArray:
        """Return how long baseline and post take together, shape (pairs,)."""
        return np.asarray(self.sweeps.sum(axis=1) * self.config.every_s / 60.0)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The plan for people."""
        return (*locus_sentences(self), *self.notes)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per change and pair of sweep numbers: shares with intervals, minutes, cells needed."""
        import pandas as pd

        rows = []
        shares = {name: self.share(name) for name in ("right", "wrong", "undetermined")}
        for i, change in enumerate(self.changes):
            for j, (baseline, post) in enumerate(self.sweeps.tolist()):
                row = {"locus": change.locus, "change_percent": change.percent, "baseline_sweeps": baseline}
                row |= {"post_sweeps": post, "minutes": self.minutes()[j], "n_runs": int(self.n_runs[i, j])}
                for name, (share, low, high) in shares.items():
                    row |= {name: share[i, j], f"{name}_low": low[i, j], f"{name}_high": high[i, j]}
                reached = self.together_right[i, j] >= self.config.power
                row["cells_together"] = float(np.argmax(reached)) + 1.0 if reached.any() else nan
                called = self._to_call(shares["right"][0][i, j])
                row[f"cells_for_{self.config.called_cells}_called"] = nan if called is None else float(called)
                rows.append(row)
        return pd.DataFrame(rows)

    def cells_frame(self) -> "pd.DataFrame":
        """Return one row per change, pair of sweep numbers and number of cells taken together."""
        import pandas as pd

        tables = []
        right, wrong = self.together("right"), self.together("wrong")
        for i, change in enumerate(self.changes):
            for j, (baseline, post) in enumerate(self.sweeps.tolist()):
                columns: dict[str, object] = {"locus": change.locus, "change_percent": change.percent}
                columns |= {"baseline_sweeps": baseline, "post_sweeps": post}
                columns["cells"] = np.arange(1, right[0].shape[-1] + 1)
                for name, three in (("right", right), ("wrong", wrong)):
                    for end, values in zip(("", "_low", "_high"), three, strict=True):
                        columns[name + end] = values[i, j]
                tables.append(pd.DataFrame(columns))
        return pd.concat(tables, ignore_index=True)


def plan_locus(
    synapse: Synapse,
    change: Change | Sequence[Change],
    *,
    sweeps: Sweeps,
    rng: np.random.Generator,
    config: PlanConfig | None = None,
    asked: tuple[int, int] | None = None,
    watch: Callable[[int, int], None] | None = None,
) -> LocusPlan:
    """Count how often the locus of a change would be called, with so many sweeps and so many cells.

    Parameters
    ----------
    synapse : Synapse
        What is expected before the change.
    change : Change or sequence of Change
        The truths; to tell pre from post, the same change of p and of q.
    sweeps : sequence of (int, int)
        Pairs of baseline and post sweeps to try.
    rng : numpy.random.Generator
        One number is drawn from it; each simulated cell has its own chance, shared by all sweep numbers, so that more
        sweeps are the same cell recorded for longer.
    config : PlanConfig, optional
        Power, effort and the settings of the judgement.
    asked : (int, int), optional
        The pair that the plan is about; it is added to the grid and gets all its runs.
    watch : callable, optional
        Called after each simulated cell with how many were judged and how many there will be at most.

    Returns
    -------
    LocusPlan
        Interrupted (KeyboardInterrupt) after the first simulated cell it holds what is known so far, `complete` False.

    Raises
    ------
    SettingsError
        If the change is impossible at this synapse, or the grid is.

    Notes
    -----
    Cells are drawn release by release with gamma-distributed quanta, and judged by
    :func:`ephysplast.quantal.locus_posterior` as a recording would be. Every point gets a few runs; then the pairs
    that may be the smallest to reach the power get more, cheapest first, until the answer is clear or the effort is
    spent. No drift, outliers or failing cells are simulated: real cells need rather more.

    Examples
    --------
    >>> quick = PlanConfig(n_first=2, n_runs=2)
    >>> plan = plan_locus(Synapse(n=5, p=0.4, q=0.35, noise_sd=0.1), Change(percent=40, locus="q"),
    ...                   sweeps=[(60, 120)], rng=np.random.default_rng(0), config=quick)
    >>> plan.n_runs.tolist(), plan.complete
    ([[2]], True)
    """
    config = config or PlanConfig()
    changes = (change,) if isinstance(change, Change) else tuple(change)
    if not changes:
        raise EphysplastError("there is no change to plan for", wanted="at least one Change")
    grid, row = sweep_grid(sweeps, asked=asked)
    beyond = [synapse.beyond(config.locus.priors)]
    beyond += [each.beyond(synapse, config.locus.priors) for each in changes]
    runs = LocusRuns(synapse, changes, grid, config, entropy=int(rng.integers(2**63)))
    complete = judge_cells(runs, asked=row, watch=watch)
    return _planned(runs, asked=row, complete=complete, notes=[said for each in beyond for said in each])


def _planned(runs: LocusRuns, *, asked: int | None, complete: bool, notes: list[str]) -> LocusPlan:
    shape = (len(runs.changes), len(runs.sweeps))
    config = runs.config
    together = np.full((2, *shape, config.max_cells), nan)
    for i, change in enumerate(runs.changes):
        for j in range(shape[1]):
            together[:, i, j] = cells_together(
                runs.log_evidence((i, j)),
                locus=change.locus,
                config=config.locus,
                max_cells=config.max_cells,
                n_studies=config.n_studies,
                rng=np.random.default_rng([runs.entropy, i, j]),
            )
    if not complete:
        notes = [f"interrupted after {int(runs.n_runs.sum())} simulated cells: the intervals are wide", *notes]
    return LocusPlan(
        synapse=runs.synapse,
        changes=runs.changes,
        sweeps=runs.sweeps,
        n_runs=runs.n_runs,
        n_right=runs.n_right,
        n_wrong=runs.n_wrong,
        together_right=together[0],
        together_wrong=together[1],
        asked=asked,
        complete=complete,
        config=config,
        notes=tuple(notes),
    )
