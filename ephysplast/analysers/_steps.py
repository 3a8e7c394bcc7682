"""Square steps in a command: where they are, and how large in each sweep."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import FloatArray, Sweeps, Trace
from ephysplast.statistics import MAD_TO_SD

SLOWEST_EDGE_S = 1e-3
"""A change that takes longer is a ramp and not the edge of a step."""

_NEAR_S = 2e-3
_RESTLESS = 0.05  # a signal that jumps in every twentieth sample is not a command made of steps


class Step(NamedTuple):
    """One step of one sweep, in samples.

    Attributes
    ----------
    first, stop : int
        First sample of the step, and the first after it.
    size : float
        Level of the step minus the level before it.
    quiet_from : int
        Since when the command had been constant before the step.
    returns : bool
        Whether the command goes back to the level before; False when the sweep ends first.
    """

    first: int
    stop: int
    size: float
    quiet_from: int
    returns: bool


def find_steps(command: FloatArray, rate_hz: float) -> list[Step]:
    """Find all steps away from where the sweep begins or ends, and back or to the end of the sweep.

    Parameters
    ----------
    command : numpy.ndarray, shape (n_samples,)
        One sweep of a command, as sent (free of noise) or as recorded.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    list of Step
        In order of time. Ramps and staircases are not steps.

    Examples
    --------
    >>> find_steps(np.repeat([-70.0, -75.0, -70.0], [100, 200, 100]), 1e4)
    [Step(first=100, stop=300, size=-5.0, quiet_from=0, returns=True)]
    """
    reach = float(np.ptp(command))
    if reach == 0.0 or not np.isfinite(reach):
        return []
    change = np.abs(np.diff(command))
    # A recorded command is noisy; 2 % of its range is far below any step that is worth measuring.
    least = max(8.0 * MAD_TO_SD * float(np.median(change)), 0.02 * reach)
    near = max(1, round(_NEAR_S * rate_hz))
    changes = np.flatnonzero(change > least) + 1
    edges = _edges(command, changes, least, rate_hz) if changes.size < max(_RESTLESS * command.size, 200) else []
    if not edges:
        return []
    end = _Edge(command.size, command.size, command.size, True)
    first, last = command[: min(near, edges[0].begins)], command[max(edges[-1].settled, command.size - near) :]
    holding = float(np.median(first)), float(np.median(last))
    steps = []
    for before, edge, after in zip([_Edge(0, 0, 0, True), *edges], edges, [*edges[1:], end], strict=False):
        held = command[max(before.settled, edge.begins - near) : edge.begins]
        inside = command[edge.settled : after.begins]
        if not (edge.sharp and after.sharp and held.size and inside.size):
            continue
        level, size = float(np.median(held)), float(np.median(inside) - np.median(held))
        returns = after is not end
        flat = abs(float(np.median(inside[:near]) - np.median(inside[-near:]))) <= least
        back = not returns or abs(float(np.median(command[after.settled : after.settled + near])) - level) <= least
        from_holding = min(abs(level - holding[0]), abs(level - holding[1]) if returns else np.inf) <= least
        if flat and back and from_holding and abs(size) > least:
            steps.append(Step(edge.half, after.half, size, before.settled, returns))
    return steps


def step_sizes(command: Trace, step: Step, sweeps: Sweeps) -> FloatArray:
    """Read the size of one step in each sweep, shape (n_sweeps,), from short stretches before and within it."""
    rate = command.rate_hz
    near = max(1, min(round(1e-3 * rate), step.first - step.quiet_from, (step.stop - step.first) // 2))
    middle = (step.first + step.stop) // 2
    before = command.window((step.first - near) / rate, step.first / rate, sweeps)
    within = command.window(middle / rate, (middle + near) / rate, sweeps)
    return np.asarray(np.median(within, axis=1) - np.median(before, axis=1), dtype=np.float64)


class _Edge(NamedTuple):
    """Where a change begins, crosses half of its height, and is over; all in samples."""

    begins: int
    half: int
    settled: int
    sharp: bool


def _edges(command: FloatArray, changes: NDArray[np.intp], least: float, rate_hz: float) -> list[_Edge]:
    """Gather neighbouring changes into edges."""
    if not changes.size:
        return []
    apart = max(1, round(0.3e-3 * rate_hz))
    edges = []
    for group in np.split(changes, np.flatnonzero(np.diff(changes) > apart) + 1):
        begins, settled = int(group[0]), int(group[-1])
        low, high = float(command[begins - 1]), float(command[settled])
        if abs(high - low) <= least:
            continue  # up and down again within a fraction of a millisecond: a trigger, not a step
        crossed = np.abs(command[begins : settled + 1] - low) >= 0.5 * abs(high - low)
        sharp = settled - begins <= SLOWEST_EDGE_S * rate_hz
        edges.append(_Edge(begins, begins + int(np.argmax(crossed)), settled, sharp))
    return edges
