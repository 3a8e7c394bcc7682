"""Confidence intervals from samples, from the jackknife, and of ratios.

A percentile interval of few sweeps is too narrow; :func:`percentile_interval` and :func:`bca_interval` widen it when
they are told how many independent observations there were (Hesterberg 2015, The American Statistician 69:371).
"""

from typing import NamedTuple

import numpy as np
from scipy import special

from ephysplast.errors import EphysplastError
from ephysplast.recording import FloatArray


class Interval(NamedTuple):
    """A confidence interval; a bound may be infinite, and both are NaN when there is no interval.

    Examples
    --------
    >>> Interval(0.8, 1.3).contains(1.0)
    True
    """

    low: float
    high: float

    def contains(self, value: float) -> bool:
        """Say whether `value` lies inside; never inside an interval of NaN."""
        return bool(self.low <= value <= self.high)


NO_INTERVAL = Interval(float("nan"), float("nan"))


def percentile_interval(samples: FloatArray, level: float = 0.95, *, n: float | None = None) -> Interval:
    """Take the interval from the percentiles of bootstrap samples.

    Parameters
    ----------
    samples : numpy.ndarray, shape (n_boot,)
        The statistic in each bootstrap sample. Infinite is a value; NaN is left out.
    level : float
        Confidence level.
    n : float, optional
        Independent observations behind the statistic (sweeps / block length): the interval is widened as Student's t
        is wider than the normal. None takes the percentiles as they are.

    Returns
    -------
    Interval
        NaN when more than ``1 - level`` of the samples are NaN: the statistic then does not hold often enough.

    Examples
    --------
    >>> percentile_interval(np.arange(1001.0))
    Interval(low=25.0, high=975.0)
    """
    known = _known(samples, level)
    if known is None:
        return NO_INTERVAL
    z = _critical(level, n)
    return _quantiles(known, special.ndtr(-z), special.ndtr(z))


def bca_interval(
    samples: FloatArray, estimate: float, *, jackknife: FloatArray, level: float = 0.95, n: float | None = None
) -> Interval:
    """Take the bias-corrected and accelerated interval of bootstrap samples (Efron 1987, JASA 82:171).

    Parameters
    ----------
    samples : numpy.ndarray, shape (n_boot,)
        The statistic in each bootstrap sample. Infinite is a value; NaN is left out.
    estimate : float
        The statistic of the observations themselves.
    jackknife : numpy.ndarray
        The statistic with each block left out (:func:`jackknife_indices`); of two groups, both, one after the other.
    level : float
        Confidence level.
    n : float, optional
        As for :func:`percentile_interval`.

    Returns
    -------
    Interval
        NaN when `estimate` is not finite or more than ``1 - level`` of the samples are NaN.

    Examples
    --------
    >>> draws = np.random.default_rng(0).normal(5.0, 1.0, 4000)
    >>> low, high = bca_interval(draws, 5.0, jackknife=np.array([4.9, 5.0, 5.1]))
    >>> round(low, 1), round(high, 1)
    (3.1, 7.0)
    """
    known = _known(samples, level)
    if known is None or not np.isfinite(estimate):
        return NO_INTERVAL
    below = np.mean(known < estimate) + 0.5 * np.mean(known == estimate)
    bias = float(special.ndtri(np.clip(below, 1.0 / (known.size + 1), known.size / (known.size + 1))))
    known_jackknife = jackknife[np.isfinite(jackknife)]
    deviation = known_jackknife.mean() - known_jackknife if known_jackknife.size else np.zeros(1)
    scale = float(np.sum(deviation**2))
    acceleration = float(np.sum(deviation**3)) / (6.0 * scale**1.5) if scale > 0.0 else 0.0
    z = _critical(level, n)
    low, high = (
        float(special.ndtr(bias + (bias + edge) / max(1.0 - acceleration * (bias + edge), 1e-3))) for edge in (-z, z)
    )
    return _quantiles(known, low, high)


def jackknife_interval(estimate: float, *, jackknife: FloatArray, level: float = 0.95) -> Interval:
    """Take a symmetric interval from the statistic with each block left out; for smooth statistics of many values.

    Parameters
    ----------
    estimate : float
        The statistic of the observations themselves.
    jackknife : numpy.ndarray, shape (n_blocks,)
        The statistic with each block left out.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        ``estimate ± t · √((n−1)/n · Σ(deviation²))``; NaN with fewer than three finite values.

    Examples
    --------
    >>> values = np.array([1.0, 2.0, 3.0, 4.0])
    >>> left_out = (values.sum() - values) / 3
    >>> low, high = jackknife_interval(2.5, jackknife=left_out)
    >>> round(low, 2), round(high, 2)                                # as Student's t has it
    (0.45, 4.55)
    """
    known = jackknife[np.isfinite(jackknife)]
    if known.size < 3 or not np.isfinite(estimate):
        return NO_INTERVAL
    error = float(np.sqrt((known.size - 1.0) / known.size * np.sum((known - known.mean()) ** 2)))
    half = float(special.stdtrit(known.size - 1, 0.5 + level / 2.0)) * error
    return Interval(estimate - half, estimate + half)


def ratio_interval_fieller(
    numerator: FloatArray, denominator: FloatArray, *, paired: bool, level: float = 0.95
) -> Interval:
    """Put an interval around the ratio of two means (Fieller 1954, J R Stat Soc B 16:175).

    Parameters
    ----------
    numerator, denominator : numpy.ndarray, shape (n,)
        Observations; equally many when `paired`. NaN is left out (with its pair).
    paired : bool
        True when both come from the same sweeps (two pulses), False for two phases.
    level : float
        Confidence level.

    Returns
    -------
    Interval
        From −∞ to ∞ where the denominator's mean is not distinguishable from zero at `level`: any ratio is then
        possible. NaN with fewer than three observations on a side.

    Examples
    --------
    >>> first, second = np.array([9.0, 10.0, 11.0, 10.0]), np.array([5.0, 5.1, 4.9, 5.0])
    >>> low, high = ratio_interval_fieller(second, first, paired=True)
    >>> low < 0.5 < high
    True
    """
    top, bottom = np.asarray(numerator, dtype=np.float64), np.asarray(denominator, dtype=np.float64)
    if paired:
        if top.shape != bottom.shape:
            raise EphysplastError("paired observations are needed", got=f"{top.shape} and {bottom.shape}")
        both = np.isfinite(top) & np.isfinite(bottom)
        top, bottom = top[both], bottom[both]
    top, bottom = top[np.isfinite(top)], bottom[np.isfinite(bottom)]
    if min(top.size, bottom.size) < 3:
        return NO_INTERVAL
    var_top, var_bottom = top.var(ddof=1) / top.size, bottom.var(ddof=1) / bottom.size
    covariance = float(np.cov(top, bottom)[0, 1]) / top.size if paired else 0.0
    freedom = top.size - 1.0 if paired else _welch(var_top, top.size, var_bottom, bottom.size)
    t2 = float(special.stdtrit(freedom, 0.5 + level / 2.0)) ** 2
    a = bottom.mean() ** 2 - t2 * var_bottom
    b = top.mean() * bottom.mean() - t2 * covariance
    c = top.mean() ** 2 - t2 * var_top
    if a <= 0.0:
        return Interval(-np.inf, np.inf)
    root = np.sqrt(max(b * b - a * c, 0.0))
    return Interval(float((b - root) / a), float((b + root) / a))


def difference_interval(first: float, first_interval: Interval, second: float, second_interval: Interval) -> Interval:
    """Put an interval around ``second − first`` from the intervals of both (MOVER: Zou & Donner 2008).

    Parameters
    ----------
    first, second : float
        Two independent estimates.
    first_interval, second_interval : Interval
        Their intervals at one level; they need not be symmetric, and a side may be open.

    Returns
    -------
    Interval
        At the same level: the variance at each limit is recovered from the distance of that limit
        (Statistics in Medicine 27:1693, doi 10.1002/sim.3095). NaN when an interval is missing.

    Examples
    --------
    >>> difference_interval(10.0, Interval(7.0, 13.0), 20.0, Interval(16.0, 24.0))
    Interval(low=5.0, high=15.0)
    """
    difference = second - first
    low = difference - float(np.hypot(second - second_interval.low, first_interval.high - first))
    high = difference + float(np.hypot(second_interval.high - second, first - first_interval.low))
    return Interval(low, high) if np.isfinite(difference) and not np.isnan(low + high) else NO_INTERVAL


def _known(samples: FloatArray, level: float) -> FloatArray | None:
    drawn = np.asarray(samples, dtype=np.float64).reshape(-1)
    known = drawn[~np.isnan(drawn)]
    return known if known.size and known.size >= level * drawn.size else None


def _critical(level: float, n: float | None) -> float:
    if n is None:
        return float(special.ndtri(0.5 + level / 2.0))
    many = max(float(n), 3.0)
    return float(special.stdtrit(many - 1.0, 0.5 + level / 2.0) * np.sqrt(many / (many - 1.0)))


def _quantiles(known: FloatArray, low: float, high: float) -> Interval:
    # Whole samples, outwards: interpolating between a number and an infinity would give NaN.
    return Interval(float(np.quantile(known, low, method="lower")), float(np.quantile(known, high, method="higher")))


def _welch(var_a: float, n_a: int, var_b: float, n_b: int) -> float:
    total = var_a**2 / (n_a - 1) + var_b**2 / (n_b - 1)
    return (var_a + var_b) ** 2 / total if total > 0.0 else float(n_a + n_b - 2)
