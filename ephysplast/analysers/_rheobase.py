"""The current that just makes a cell fire: from steps, from repeated steps, from ramps.

Where sweeps were repeated, the current needed is taken to vary from sweep to sweep as a normal distribution does. A
step with a spike says that less was needed, a silent one that more was, and a ramp shows the current itself. The mean
of that distribution is the rheobase; its interval is a profile-likelihood interval (Venzon & Moolgavkar 1988,
doi 10.2307/2347496), the standard deviation being whatever suits each mean best.
"""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Estimate
from ephysplast.statistics import Interval

_GRID: Final = 121
_WIDTHS: Final = 41
_ROUNDS: Final = 3
SAME_PA: Final = 0.25  # pA: steps that differ by less are one current
_FEW: Final = 1.0
_NAN: Final = float("nan")


class Tally(NamedTuple):
    """Steps by their current.

    Attributes
    ----------
    current_pa : numpy.ndarray, shape (n_currents,)
        Distinct currents, ascending.
    n, fired : numpy.ndarray, shape (n_currents,)
        Sweeps at each, and those with a spike.
    """

    current_pa: FloatArray
    n: FloatArray
    fired: FloatArray


def distinct(current_pa: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the distinct currents, ascending, and which of them each sweep had."""
    order = np.argsort(current_pa, kind="stable")
    new = np.concatenate([[False], np.diff(current_pa[order]) > SAME_PA])
    group = np.empty(current_pa.size, dtype=np.int64)
    group[order] = np.cumsum(new)
    n = np.bincount(group) if group.size else np.zeros(0)
    level = np.bincount(group, weights=current_pa) / n if group.size else np.zeros(0)
    return np.asarray(level, dtype=np.float64), group


def tally(current_pa: FloatArray, fired: NDArray[np.bool_]) -> Tally:
    """Count sweeps, and those with a spike, at each current."""
    level, group = distinct(current_pa)
    n = np.bincount(group).astype(np.float64)
    return Tally(level, n, np.bincount(group, weights=fired).astype(np.float64))


def step_rheobase(counts: Tally, *, level: float) -> Estimate:
    """Find the rheobase from steps.

    Parameters
    ----------
    counts : Tally
        At least one sweep fired and one of a smaller current did not: the caller has checked.
    level : float
        Confidence level of the interval where steps were repeated.

    Returns
    -------
    Estimate
        Without repeats the smallest step with a spike, bracketed by the next smaller step. With repeats, or when a step
        was silent although a smaller one fired, the current of 50 % firing. Where firing and silent currents do not
        overlap, that is the middle between them, with an interval that holds the bracket at least.
    """
    current, n, fired = counts
    silent, firing = current[fired < n], current[fired > 0]
    below, smallest = float(silent[silent < firing.min()].max(initial=-np.inf)), float(firing.min())
    overlap = float(silent.max()) >= smallest
    if not overlap and not repeated(counts):
        said = f"smallest of {current.size} steps with a spike, {smallest - below:.4g} pA above the next smaller"
        return Estimate(value=smallest, low=below, high=smallest, method=said, is_bracket=True)
    if current.size == 1:
        said = f"{int(fired[0])} of {int(n[0])} steps of {current[0]:.4g} pA, the only current, made the cell fire: "
        return Estimate.missing(f"{said}the rheobase needs smaller and larger ones")
    value, interval = normal_threshold(counts, level=level)
    total = f"{int(n.sum())} steps at {current.size} currents"
    if not np.isfinite(value):
        return Estimate.missing(f"whether the cell fires does not depend on the current ({total})")
    if not current[0] <= value <= current[-1]:
        said = f"the rheobase lies outside the currents that were tried ({total})"
        return Estimate(value=_NAN, low=interval.low, high=interval.high, status=said)
    if overlap:
        return Estimate(value=value, low=interval.low, high=interval.high, method=f"probit, {total}")
    middle = "middle between the largest current without spikes and the smallest with"
    low, high = min(interval.low, below), max(interval.high, smallest)
    is_bracket = high - low <= 1.02 * (smallest - below)
    return Estimate(
        value=0.5 * (below + smallest), low=low, high=high, method=f"{middle}, {total}", is_bracket=is_bracket
    )


def repeated(counts: Tally) -> bool:
    """Whether currents were repeated often enough to speak of a probability of firing."""
    return bool(np.median(counts.n) >= 2)


def ramp_rheobase(at_spike_pa: FloatArray, end_pa: FloatArray, *, level: float) -> Estimate:
    """Find the rheobase from ramps: the mean current at the first spike.

    Parameters
    ----------
    at_spike_pa : numpy.ndarray, shape (n_ramps,)
        Current above holding at the first spike's threshold; NaN without one. At least one is known.
    end_pa : numpy.ndarray, shape (n_ramps,)
        Where each ramp ended: one without a spike needed more.
    level : float
        Confidence level.
    """
    known = at_spike_pa[np.isfinite(at_spike_pa)]
    silent = end_pa[~np.isfinite(at_spike_pa)]
    if silent.size >= known.size:
        return Estimate.missing(f"only {known.size} of {known.size + silent.size} ramps made the cell fire")
    if not silent.size:
        mean, half, said = float(known.mean()), _NAN, "one ramp" if known.size == 1 else f"mean of {known.size} ramps"
        if known.size > 1:
            error = float(known.std(ddof=1)) / known.size**0.5
            half = float(special.stdtrit(known.size - 1, 0.5 + level / 2.0)) * error
        return Estimate(value=mean, low=mean - half, high=mean + half, method=said)
    ends, group = distinct(silent)
    counts = Tally(ends, np.bincount(group).astype(np.float64), np.zeros(ends.size))
    value, interval = normal_threshold(counts, seen=known, level=level)
    said = f"{known.size} ramps, and {silent.size} without a spike that needed more than their end"
    return Estimate(value=value, low=interval.low, high=interval.high, method=said)


def normal_threshold(counts: Tally, *, seen: FloatArray | None = None, level: float = 0.95) -> tuple[float, Interval]:
    """Return the mean of a normally distributed threshold by maximum likelihood, with its profile interval.

    Parameters
    ----------
    counts : Tally
        Steps, with and without a spike.
    seen : numpy.ndarray, optional
        Thresholds that were seen themselves (ramps).
    level : float
        Confidence level.

    Returns
    -------
    mean : float
        NaN when the likelihood is largest at the edge: firing does not rise with the current.
    interval : Interval
        Open on a side that the data do not bound.

    Examples
    --------
    >>> counts = Tally(np.array([40.0, 60.0, 80.0]), np.full(3, 10.0), np.array([0.0, 5.0, 10.0]))
    >>> mean, interval = normal_threshold(counts)
    >>> round(mean, 2), interval.contains(62.0)
    (60.0, True)
    """
    shown = np.zeros(0) if seen is None else seen
    everything = np.concatenate([counts.current_pa, shown])
    reach = max(float(np.ptp(everything)), 1.0)
    gaps = np.diff(np.unique(everything))
    finest = float(gaps.min()) if gaps.size else reach
    widths = np.geomspace(max(0.02 * finest, 1e-4 * reach), 3.0 * reach, _WIDTHS)
    low, high = float(everything.min()) - 2.0 * reach, float(everything.max()) + 2.0 * reach
    cut = 0.5 * _critical(level, counts, shown)
    for _ in range(_ROUNDS):
        means = np.linspace(low, high, _GRID)
        profile = _profile(means, widths, counts, shown)
        best = int(np.argmax(profile))
        inside = np.flatnonzero(profile >= profile[best] - cut)
        first, last = int(inside[0]), int(inside[-1])
        if first == 0 and last == _GRID - 1:
            return _NAN, Interval(-np.inf, np.inf)
        low, high = means[max(first - 1, 0)], means[min(last + 1, _GRID - 1)]
    if best in (0, _GRID - 1):
        return _NAN, Interval(-np.inf, np.inf)
    flat = np.flatnonzero(profile >= profile[best] - 1e-9)
    return float(means[flat].mean()), Interval(
        _edge(means, profile, first, -1, cut), _edge(means, profile, last, 1, cut)
    )


def _critical(level: float, counts: Tally, seen: FloatArray) -> float:
    """Return by how much twice the log-likelihood may fall.

    Somewhat more than χ² allows: only the sweeps where firing and silence meet tell of the variability.
    """
    silent, firing = counts.current_pa[counts.fired < counts.n], counts.current_pa[counts.fired > 0]
    n = float(seen.size)
    if silent.size and firing.size:
        ends = sorted((float(silent.max()), float(firing.min())))
        n += float(counts.n[(counts.current_pa >= ends[0]) & (counts.current_pa <= ends[1])].sum())
    return float(special.ndtri(0.5 + level / 2.0)) ** 2 * (1.0 + _FEW / max(n, 1.0))


def _profile(means: FloatArray, widths: FloatArray, counts: Tally, seen: FloatArray) -> FloatArray:
    """Log-likelihood of each mean at the standard deviation that suits it best."""
    z = (counts.current_pa - means[:, None, None]) / widths[:, None]
    total = special.log_ndtr(z) @ counts.fired + special.log_ndtr(-z) @ (counts.n - counts.fired)
    if seen.size:
        spread = (seen - means[:, None, None]) / widths[:, None]
        total = total - 0.5 * (spread**2).sum(axis=2) - seen.size * np.log(widths)
    return np.asarray(total.max(axis=1))


def _edge(means: FloatArray, profile: FloatArray, at: int, way: int, cut: float) -> float:
    """Where the profile falls through the cut, between two points of the grid; infinite where it never does."""
    beyond = at + way
    if not 0 <= beyond < means.size:
        return float(way * np.inf)
    level = float(profile.max()) - cut
    share = (profile[at] - level) / (profile[at] - profile[beyond])
    return float(means[at] + share * (means[beyond] - means[at]))
