"""Equal draws from a posterior: a population goes from a first look to the posterior in small steps, and moves.

Del Moral, Doucet & Jasra 2006, doi:10.1111/j.1467-9868.2006.00553.x; moves along differences between members of the
other half of the population (ter Braak 2006, doi:10.1007/s11222-006-8769-1), which follow bent and stretched shapes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ephysplast.quantal._tm_look import Look
from ephysplast.quantal._tm_model import equal_weights

FloatArray = NDArray[np.float64]
LogDensity = Callable[[FloatArray], FloatArray]

_CROWD = 10
"""The first look is drawn from so many times as often: what lies far from its optima is met by the prior alone."""
_KEPT = 0.5
"""Each step leaves this share of the population effective."""
_BETWEEN = 2.0
"""Accepted moves per member at each step on the way."""
_MOST_SWEEPS = 60
_MOST_STEPS = 200
_JUMPS = 0.1
"""Share of moves by a whole difference, which leap from one mode to another."""
_JITTER = 1e-4


@dataclass(frozen=True, eq=False)
class Annealed:
    """Equal draws, and how many moves each has accepted at the end on average."""

    points: FloatArray
    accepted: float


def anneal(log_target: LogDensity, look: Look, *, n_draws: int, moves: float, rng: np.random.Generator) -> Annealed:
    """Draw from exp(log_target), starting from `look`; `moves` is how many each draw accepts at the end."""
    at = look.draw(_CROWD * n_draws, rng)
    start, target, share = look.log_density(at), log_target(at), 0.0
    for _ in range(_MOST_STEPS):
        step, weights = _next(target - start, share, wanted=_KEPT * n_draws)
        share = min(share + step, 1.0)
        rows = equal_weights(weights, n_draws, rng)
        at, start, target = at[rows], start[rows], target[rows]
        wanted = moves if share >= 1.0 else _BETWEEN
        at, start, target, accepted = _move(log_target, look, (at, start, target), share, wanted, rng)
        if share >= 1.0:
            return Annealed(at, accepted)
    return Annealed(at, 0.0)


def _next(gain: FloatArray, share: float, *, wanted: float) -> tuple[float, FloatArray]:
    """Largest step that keeps enough of the population effective, and the weights it gives."""

    def weigh(step: float) -> FloatArray:
        raw = np.exp(step * (gain - gain.max()))
        return np.asarray(raw / raw.sum())

    low, high = 0.0, 1.0 - share
    if 1.0 / np.sum(weigh(high) ** 2) >= wanted:
        return high, weigh(high)
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if 1.0 / np.sum(weigh(middle) ** 2) >= wanted else (low, middle)
    return low, weigh(low)


def _move(
    log_target: LogDensity,
    look: Look,
    state: tuple[FloatArray, FloatArray, FloatArray],
    share: float,
    wanted: float,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray, float]:
    """Metropolis moves of one half along differences within the other, until enough are accepted."""
    at, start, target = (each.copy() for each in state)
    n, size = at.shape
    accepted = 0.0
    for _ in range(_MOST_SWEEPS):
        halves = np.array_split(rng.permutation(n), 2)
        for here, there in (halves, halves[::-1]):
            first, second = rng.integers(there.size, size=(2, here.size))
            length = np.where(rng.random(here.size) < _JUMPS, 1.0, 2.38 / np.sqrt(2.0 * size) * rng.random(here.size))
            new = at[here] + length[:, None] * (at[there[first]] - at[there[second]])
            new += _JITTER * rng.standard_normal(new.shape)
            new_start, new_target = look.log_density(new), log_target(new)
            change = share * (new_target - target[here]) + (1.0 - share) * (new_start - start[here])
            taken = np.log(rng.random(here.size)) < change
            rows = here[taken]
            at[rows], start[rows], target[rows] = new[taken], new_start[taken], new_target[taken]
            accepted += float(taken.sum()) / n
        if accepted >= wanted:
            break
    return at, start, target, accepted
