"""Simulated cells and their judgement, spent where they decide most."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import LEVELS, SettingsError, check_settings
from ephysplast.planning.cells import wilson
from ephysplast.planning.synapse import Change, Synapse, draw_cell
from ephysplast.quantal import LOCI, PosteriorConfig, locus_posterior

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Point = tuple[int, int]

_RIGHT = {"p": ("pre", "pre-or-silent"), "n": ("pre-or-silent",), "q": ("post",)}
_FEWEST = 10
"""Sweeps per phase below which the judgement gives no locus."""


@dataclass(frozen=True, kw_only=True)
class PlanConfig:
    """Settings of a plan.

    Attributes
    ----------
    power : float
        Share of cells, or of studies, that shall be called rightly; 0.8 is the custom.
    level : float
        Confidence level of the intervals.
    n_first : int
        Simulated cells per change and pair of sweep numbers at first. 10 tell apart a point that never reaches the
        power from one that may.
    n_runs : int
        Most simulated cells of a point. 60 know a share of .8 to about ±.1.
    n_judged : int
        Most simulated cells in all, beyond the first ones: 500 take about two minutes with one pulse per sweep.
    every_s : float
        Time from sweep to sweep, for the minutes that a plan takes.
    max_cells : int
        Most cells that are taken together. The more, the fewer studies the simulated cells give, and the wider the
        interval.
    called_cells : int
        Cells wanted that are called one by one.
    n_studies : int
        Studies drawn from the simulated cells for each number of cells.
    locus : PosteriorConfig
        The judgement, as a recording would be judged.
    """

    power: float = 0.8
    level: float = 0.95
    n_first: int = 10
    n_runs: int = 60
    n_judged: int = 500
    every_s: float = 10.0
    max_cells: int = 8
    called_cells: int = 3
    n_studies: int = 2000
    locus: PosteriorConfig = field(default_factory=PosteriorConfig)

    def __post_init__(self) -> None:
        check_settings(
            self,
            power=(0.5, 0.999),
            level=LEVELS,
            n_first=(1, 10_000),
            n_runs=(1, 100_000),
            n_judged=(0, inf),
            every_s=(0.01, 3600.0),
            max_cells=(1, 100),
            called_cells=(1, 100),
            n_studies=(100, 100_000),
        )


@dataclass(eq=False)
class LocusRuns:
    """What was judged so far; the only thing here that grows."""

    synapse: Synapse
    changes: tuple[Change, ...]
    sweeps: IntArray
    config: PlanConfig
    entropy: int

    def __post_init__(self) -> None:
        self.found: list[list[list[tuple[bool, bool, FloatArray]]]] = [[[] for _ in self.sweeps] for _ in self.changes]
        """Of each change and pair: right, wrong and the evidence of each cell, appended whole or not at all."""

    @property
    def n_runs(self) -> IntArray:
        """Simulated cells, shape (changes, pairs)."""
        return np.asarray([[len(each) for each in row] for row in self.found], dtype=np.int64)

    @property
    def n_right(self) -> IntArray:
        """Cells called rightly, shape (changes, pairs)."""
        return self._count(0)

    @property
    def n_wrong(self) -> IntArray:
        """Cells called wrongly, shape (changes, pairs)."""
        return self._count(1)

    def _count(self, which: int) -> IntArray:
        return np.asarray([[sum(bool(cell[which]) for cell in each) for each in row] for row in self.found], np.int64)

    def log_evidence(self, point: Point) -> FloatArray:
        """Evidence of every cell of a point, shape (runs, 4)."""
        return np.asarray([cell[2] for cell in self.found[point[0]][point[1]]]).reshape(-1, len(LOCI))

    def judge(self, point: Point) -> None:
        """Draw one more cell, and judge as many of its sweeps as this point has."""
        i, j = point
        n_before, n_after = self.sweeps[j].tolist()
        seed = [self.entropy, i, len(self.found[i][j])]
        most = (int(self.sweeps[:, 0].max()), int(self.sweeps[:, 1].max()))
        before, after = draw_cell(self.synapse, self.changes[i], sweeps=most, rng=np.random.default_rng(seed))
        found = locus_posterior(
            before[:n_before],
            after[:n_after],
            noise_sd=self.synapse.noise_sd,
            rng=np.random.default_rng([*seed, n_before, n_after]),
            config=self.config.locus,
        )
        right = found.call in _RIGHT[self.changes[i].locus]
        self.found[i][j].append((right, not right and found.call != "undetermined", found.log_evidence))


def sweep_grid(sweeps: Sequence[tuple[int, int]], *, asked: tuple[int, int] | None) -> tuple[IntArray, int | None]:
    """Return the pairs as an array without repeats, and the row of the one asked for."""
    pairs = sorted({(int(a), int(b)) for a, b in ([*sweeps, asked] if asked else sweeps)})
    if not pairs:
        raise SettingsError("there are no sweep numbers to try", wanted="pairs of baseline and post sweeps")
    for each in pairs:
        if min(each) < _FEWEST or max(each) > 100_000:
            raise SettingsError(
                "no locus can be judged with these sweeps",
                got=f"{each[0]} baseline and {each[1]} post",
                wanted=f"at least {_FEWEST} of each",
            )
    return np.asarray(pairs, dtype=np.int64), pairs.index((int(asked[0]), int(asked[1]))) if asked else None


def cheapest_first(sweeps: IntArray) -> IntArray:
    """Order pairs by their sweeps in all; of equal ones first that with more baseline."""
    return np.lexsort((-sweeps[:, 0], sweeps.sum(axis=1)))


def judge_cells(runs: LocusRuns, *, asked: int | None, watch: Callable[[int, int], None] | None) -> bool:
    """Judge simulated cells until the answer is clear or the effort is spent; say whether it was not interrupted."""
    config, n_points = runs.config, runs.n_runs.size
    most = min(max(n_points * config.n_first, config.n_judged), n_points * config.n_runs)
    done = 0
    try:
        while done < most and (points := _wanted(runs, asked=asked)):
            room = config.n_runs - max(int(runs.n_runs[each]) for each in points)
            # In turn, so that an interruption leaves each about as many.
            for point in (points * min(config.n_first, room))[: most - done]:
                runs.judge(point)
                done += 1
                if watch:
                    watch(done, most)
    except KeyboardInterrupt:
        if not done:
            raise
        return False
    return True


def _wanted(runs: LocusRuns, *, asked: int | None) -> list[Point]:
    """Return the points that need more cells, the most pressing ones only; none when all have theirs."""
    config, n_runs = runs.config, runs.n_runs
    points = [(int(i), int(j)) for j in range(n_runs.shape[1]) for i in range(n_runs.shape[0])]
    new = [each for each in points if n_runs[each] < min(config.n_first, config.n_runs)]
    if new:
        return new
    open_ = [each for each in points if n_runs[each] < config.n_runs]
    pressing = [each for each in open_ if each[1] == asked] or _undecided(runs, n_runs)
    fewest = min((n_runs[each] for each in open_), default=0)
    return pressing or [each for each in open_ if n_runs[each] == fewest]


def _undecided(runs: LocusRuns, n_runs: IntArray) -> list[Point]:
    """Return the points to look at closer for the fewest sweeps that reach the power."""
    config = runs.config
    low, high = wilson(runs.n_right, n_runs, level=config.level)
    share = runs.n_right / n_runs
    for j in cheapest_first(runs.sweeps).tolist():
        if (high[:, j] < config.power).any():
            continue
        more = [(i, j) for i in range(len(runs.changes)) if n_runs[i, j] < config.n_runs]
        doubtful = [(i, k) for i, k in more if low[i, k] <= config.power]
        if doubtful:
            return doubtful
        if (share[:, j] >= config.power).all():
            return more  # this is the answer: its cells are counted too, so all of them are wanted
    return []
