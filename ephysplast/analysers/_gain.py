"""Straight lines through what steps show: the f–I gain, the input resistance; and means over sweeps."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.analysers._rheobase import SAME_PA, distinct
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate

_NAN: Final = float("nan")
BoolArray = NDArray[np.bool_]
_FEWEST: Final = 3  # currents: two points lie on a line whatever they are
_NEARLY_AS_GOOD: Final = 6.0
_FALL: Final = 0.25


def mean_of(values: FloatArray, *, level: float, what: str, missing: str) -> Estimate:
    """Return the mean of the finite values with Student's t interval; none of a single value."""
    known = values[np.isfinite(values)]
    if not known.size:
        return Estimate.missing(missing)
    mean, half = float(known.mean()), _NAN
    if known.size > 1:
        half = _t(known.size - 1, level) * float(known.std(ddof=1)) / known.size**0.5
    said = f"mean of {known.size} {what}" if known.size > 1 else "one sweep"
    return Estimate(value=mean, low=mean - half, high=mean + half, method=said)


class Line(NamedTuple):
    """The f–I gain, and the last current of the line that it is the slope of (NaN without one)."""

    gain: Estimate
    end_pa: float


def gain_of(current_pa: FloatArray, rate_hz: FloatArray, *, step_s: float, level: float) -> Line:
    """Fit the slope of rate against current, up to where the rate saturates.

    Parameters
    ----------
    current_pa, rate_hz : numpy.ndarray, shape (n_sweeps,)
        Sweeps from the rheobase upwards, without depolarisation block.
    step_s : float
        Length of the steps: a count of spikes is no finer than one per step, which bounds the error from below.
    level : float
        Confidence level.

    Returns
    -------
    Line
        A line, or a line that ends in a plateau where the Bayesian information criterion asks for it. The interval
        holds those of the regressions of all lengths of the line whose criterion is nearly as good (less than 6 from
        the best: Kass & Raftery 1995, doi 10.1080/01621459.1995.10476572): of a curve that bends all the way the gain
        is no better known.
    """
    levels, group = distinct(current_pa)
    n = levels.size
    if n < _FEWEST:
        why = f"the f–I gain needs {_FEWEST} currents from the rheobase upwards, there {_are(n)}"
        return Line(Estimate.missing(why), _NAN)
    tried = []
    for k in range(_FEWEST, n + 1):
        on_line = group < k
        plateau = rate_hz[~on_line]
        left = float(np.sum((plateau - plateau.mean()) ** 2)) if plateau.size else 0.0
        slope, half = slope_of(current_pa[on_line], rate_hz[on_line], level=level, least_variance=_counting(step_s))
        error2 = _line(current_pa[on_line], rate_hz[on_line])[1]
        total = max(left + error2, rate_hz.size * _counting(step_s))
        criterion = rate_hz.size * np.log(total / rate_hz.size) + (2 if k == n else 4) * np.log(rate_hz.size)
        tried.append((float(criterion), -k, slope, half))
    best, minus_k, slope, _ = min(tried)
    near = [(value, half) for criterion, _, value, half in tried if criterion < best + _NEARLY_AS_GOOD]
    low, high = min(value - half for value, half in near), max(value + half for value, half in near)
    end = float(levels[-minus_k - 1])
    said = f"line through {int((group < -minus_k).sum())} sweeps, {_range_pa(float(levels[0]), end)}"
    said += "" if -minus_k == n else ", then a plateau"
    return Line(Estimate(value=slope, low=low, high=high, method=said), end)


def gain_between(
    current_pa: FloatArray, rate_hz: FloatArray, *, step_s: float, level: float, low_pa: float, high_pa: float
) -> Estimate:
    """Fit the slope of rate against current over a stretch of currents, whatever its shape."""
    here = (current_pa >= low_pa - SAME_PA) & (current_pa <= high_pa + SAME_PA)
    n = distinct(current_pa[here])[0].size
    if n < _FEWEST:
        return Estimate.missing(f"it needs {_FEWEST} currents that always make the cell fire, there {_are(n)}")
    slope, half = slope_of(current_pa[here], rate_hz[here], level=level, least_variance=_counting(step_s))
    said = f"line through {int(here.sum())} sweeps, {_range_pa(low_pa, high_pa)}"
    return Estimate(value=slope, low=slope - half, high=slope + half, method=said)


def rising(level_hz: FloatArray, *, step_s: float) -> int:
    """Return how many levels of an f–I curve there are before its rates fall for good.

    They fall when one after the highest is lower by a quarter and by two spikes or more: the cell is on its way into
    depolarisation block.
    """
    top = int(np.argmax(level_hz)) if level_hz.size else 0
    drop = level_hz[top] - level_hz[top:] if level_hz.size else np.zeros(0)
    falls = (drop >= _FALL * level_hz[top]) & (drop * step_s > 1.5) if level_hz.size else np.zeros(0, dtype=bool)
    return top + int(np.argmax(falls)) if falls.any() else level_hz.size


def _are(n: int) -> str:
    return "is 1" if n == 1 else f"are {n}"


def _range_pa(low: float, high: float) -> str:
    return f"{round(low, 1):g} to {round(high, 1):g} pA"


def resistance_of(
    current_pa: FloatArray, deflection_mv: FloatArray, *, largest_mv: float, level: float, missing: str
) -> Estimate:
    """Return R_in in MΩ: the slope of steady deflections against current, of the small ones.

    Parameters
    ----------
    current_pa, deflection_mv : numpy.ndarray, shape (n_sweeps,)
        Silent sweeps; NaN is left out.
    largest_mv : float
        Currents count up to where a deflection exceeds this, or the three smallest.
    level : float
        Confidence level.
    missing : str
        What to say when there is nothing to fit.
    """
    known = np.isfinite(deflection_mv) & np.isfinite(current_pa)
    current, deflection = current_pa[known], deflection_mv[known]
    near = _small(current, deflection, largest_mv)
    x, y = current[near], deflection[near]
    levels, _ = distinct(x)
    away = levels[np.abs(levels) > SAME_PA]
    if not away.size:
        return Estimate.missing(missing)
    if levels.size == 1:
        each = mean_of(y / x, level=level, what=f"steps of {levels[0]:.4g} pA", missing=missing)
        return Estimate(value=1e3 * each.value, low=1e3 * each.low, high=1e3 * each.high, method=each.method)
    slope, half = slope_of(x, y, level=level)
    said = f"slope over {x.size} steps, {_range_pa(float(levels[0]), float(levels[-1]))}"
    return Estimate(value=1e3 * slope, low=1e3 * (slope - half), high=1e3 * (slope + half), method=said)


def small_steps(current_pa: FloatArray, deflection_mv: FloatArray, largest_mv: float) -> BoolArray:
    """Say which sweeps count as small hyperpolarisations; the three smallest do in any case."""
    known = np.isfinite(deflection_mv) & (current_pa < 0.0)
    small = np.zeros(current_pa.size, dtype=bool)
    small[known] = _small(current_pa[known], deflection_mv[known], largest_mv)
    return small


def _small(current: FloatArray, deflection: FloatArray, largest_mv: float) -> BoolArray:
    """Select currents outwards from zero up to the first with a large deflection, and three of them at least.

    A cell that no longer follows large currents shows small deflections again: size alone would take them in.
    """
    size = np.abs(current)
    large = np.abs(deflection) > largest_mv
    bound = float(size[large].min()) if large.any() else np.inf
    levels, _ = distinct(current)
    nearest = np.sort(np.abs(levels))
    third = float(nearest[min(_FEWEST, nearest.size) - 1]) if nearest.size else 0.0
    return np.asarray((size < bound - SAME_PA) | (size <= third + SAME_PA))


def slope_of(x: FloatArray, y: FloatArray, *, level: float, least_variance: float = 0.0) -> tuple[float, float]:
    """Return the least-squares slope and half of its interval; NaN for that when there are two points."""
    slope, error2 = _line(x, y)
    freedom = x.size - 2
    if freedom < 1:
        return slope, _NAN
    variance = max(error2 / freedom, least_variance)
    return slope, _t(freedom, level) * (variance / float(np.sum((x - x.mean()) ** 2))) ** 0.5


def _line(x: FloatArray, y: FloatArray) -> tuple[float, float]:
    """Return the least-squares slope, and the squared error left."""
    centred = x - x.mean()
    slope = float(centred @ y) / float(centred @ centred)
    return slope, float(np.sum((y - y.mean() - slope * centred) ** 2))


def _counting(step_s: float) -> float:
    """Variance of a rate that is a whole number of spikes in a step."""
    return 1.0 / (12.0 * step_s**2)


def _t(freedom: float, level: float) -> float:
    return float(special.stdtrit(freedom, 0.5 + level / 2.0))
