"""A command taken apart into flat stretches and straight ramps."""

from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np

from ephysplast.analysers._steps import SLOWEST_EDGE_S
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Trace
from ephysplast.statistics import MAD_TO_SD

_MOST: Final = 400  # corners: a command with more of them is no protocol of steps and ramps
_NOISE: Final = 6.0  # SD: white noise does not reach so far in a million samples
# Of the command's range: as sent it has corners only; written by a converter or recorded it has digital noise as well.
_TOLERANCES: Final = (1e-5, 1e-3, 5e-3, 2e-2)


class Segment(NamedTuple):
    """A stretch of a command on one straight line.

    Attributes
    ----------
    first, stop : int
        First sample, and the first after it.
    begin, end : float
        Level at its first and its last sample; the median of both halves together where it is flat.
    flat : bool
        Whether the level stays.
    """

    first: int
    stop: int
    begin: float
    end: float
    flat: bool


def commands_of(recording: Recording, channel: Channel, unit: str) -> list[Trace]:
    """List where the command may be: the channel's own first, then recorded channels of its unit that nobody clamps."""
    own = [channel.command] if channel.command is not None and channel.command_unit == unit else []
    recorded = [
        each.trace
        for each in recording.channels
        if each.name != channel.name
        and each.unit == unit
        and not each.doubt
        and (each.clamp == "unknown" or (each.electrode and each.electrode == channel.electrode))
    ]
    return own + recorded


def read_command(command: Trace, sweeps: IntArray) -> list[tuple[Segment, ...]]:
    """Take the command of each sweep apart, once where all are the same."""
    rate = command.rate_hz
    if command.same_every_sweep and sweeps.size:
        return [read_segments(command.sweep(int(sweeps[0])), rate)] * sweeps.size
    return [read_segments(command.sweep(int(sweep)), rate) for sweep in sweeps]


def read_segments(command: FloatArray, rate_hz: float) -> tuple[Segment, ...]:
    """Take one sweep of a command apart.

    Parameters
    ----------
    command : numpy.ndarray, shape (n_samples,)
        As sent, or as recorded.
    rate_hz : float
        Sampling rate.

    Returns
    -------
    tuple of Segment
        In order of time, the edges between them left out; empty when the command is neither steps nor ramps. Corners
        are where the command leaves the chord between their neighbours most (Ramer 1972; Douglas & Peucker 1973,
        doi 10.3138/FM57-6770-U75U-7727).

    Examples
    --------
    >>> command = np.concatenate([np.zeros(100), np.full(200, 50.0), np.zeros(100)])
    >>> [(each.first, each.stop, each.begin) for each in read_segments(command, 1e4)]
    [(0, 100, 0.0), (100, 300, 50.0), (300, 400, 0.0)]
    """
    row = np.asarray(command, dtype=np.float64)
    reach = float(np.ptp(row)) if row.size else 0.0
    if not np.isfinite(reach) or row.size < 2:
        return ()
    if reach == 0.0:
        return (Segment(0, row.size, float(row[0]), float(row[0]), True),)
    # Differences of differences are free of steps and of ramps: the noise of a recorded command is left.
    noise = MAD_TO_SD * float(np.median(np.abs(np.diff(row, 2)))) / 6.0**0.5 if row.size > 2 else 0.0
    for share in _TOLERANCES:
        tolerance = max(share * reach, _NOISE * noise)
        corners = _corners(row, tolerance)
        if corners is not None:
            return _merged(row, _segments(row, corners, tolerance, SLOWEST_EDGE_S * rate_hz), tolerance)
    return ()


def _corners(row: FloatArray, tolerance: float) -> list[int] | None:
    """Return the corners of the broken line within `tolerance` of the row; None when there are too many."""
    corners, waiting = {0, row.size - 1}, [(0, row.size - 1)]
    while waiting:
        a, b = waiting.pop()
        if b - a < 2:
            continue
        chord = row[a] + (row[b] - row[a]) / (b - a) * np.arange(1, b - a)
        apart = np.abs(row[a + 1 : b] - chord)
        at = int(np.argmax(apart))
        if apart[at] > tolerance:
            corners.add(a + 1 + at)
            waiting += [(a, a + 1 + at), (a + 1 + at, b)]
            if len(corners) > _MOST:
                return None
    return sorted(corners)


def _segments(row: FloatArray, corners: list[int], tolerance: float, edge: float) -> list[Segment]:
    found = []
    for a, b in pairwise(corners):
        begin, end = float(row[a]), float(row[b])
        flat = abs(end - begin) <= 2.0 * tolerance
        if not flat and b - a <= edge:
            continue
        if flat:
            begin = end = float(np.median(row[a : b + 1]))
        found.append(Segment(a, b + 1, begin, end, flat))
    return found


def _merged(row: FloatArray, segments: list[Segment], tolerance: float) -> tuple[Segment, ...]:
    """Join neighbours on one level that touch: noise has split them."""
    joined: list[Segment] = []
    for each in segments:
        last = joined[-1] if joined else None
        if last and last.flat and each.flat and each.first <= last.stop and abs(last.end - each.begin) <= tolerance:
            level = float(np.median(row[last.first : each.stop]))
            joined[-1] = Segment(last.first, each.stop, level, level, True)
        else:
            joined.append(each)
    return tuple(joined)
