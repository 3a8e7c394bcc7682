"""Sample statistics and the intervals around them: arrays in, intervals out.

Sweeps that follow each other are alike, so intervals here resample blocks of sweeps and not single ones.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast._intervals import (
    NO_INTERVAL,
    Interval,
    bca_interval,
    difference_interval,
    jackknife_interval,
    percentile_interval,
    ratio_interval_fieller,
)
from ephysplast.errors import EphysplastError
from ephysplast.recording import FloatArray, IntArray

__all__ = [
    "MAD_TO_SD",
    "NO_INTERVAL",
    "Interval",
    "bca_interval",
    "block_length",
    "block_resample",
    "bootstrap_interval",
    "cv_inverse_square",
    "detrend",
    "difference_interval",
    "jackknife_indices",
    "jackknife_interval",
    "outliers",
    "percentile_interval",
    "ratio_interval_fieller",
    "slope_interval",
]

MAD_TO_SD = 1.4826
"""The median absolute deviation of a Gaussian, times this, is its standard deviation."""


def block_length(values: FloatArray) -> int:
    """Choose how many neighbouring observations to resample together, from their autocorrelation.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        Observations in order of time; NaN is left out.

    Returns
    -------
    int
        The length that is best for a mean when each observation depends on the one before it with correlation ρ
        (Politis & White 2004, Econometric Reviews 23:53, for the circular bootstrap):
        ``(1.5 n)^(1/3) · (2ρ/(1−ρ²))^(2/3)``, at least 1 and at most a quarter of the observations.

    Examples
    --------
    >>> block_length(np.random.default_rng(1).normal(size=200))
    1
    >>> block_length(np.cumsum(np.random.default_rng(1).normal(size=200)))
    50
    """
    known = np.asarray(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    n = known.size
    if n < 8 or np.ptp(known) == 0.0:
        return 1
    rho = min(_correlation(known - known.mean(), n_fitted=1), 0.97)
    best = (1.5 * n) ** (1.0 / 3.0) * (2.0 * rho / (1.0 - rho**2)) ** (2.0 / 3.0)
    return int(np.clip(np.rint(best), 1, n // 4))


def block_resample(n: int, n_boot: int, *, block: int, rng: np.random.Generator) -> IntArray:
    """Draw the observations of every bootstrap sample: circular blocks of neighbours.

    Parameters
    ----------
    n, n_boot : int
        Observations, and bootstrap samples.
    block : int
        Observations per block; 1 is the ordinary bootstrap.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    numpy.ndarray of int64, shape (n_boot, n)
        Indices of observations; the last is followed by the first.

    Examples
    --------
    >>> block_resample(6, 1, block=3, rng=np.random.default_rng(3)).shape
    (1, 6)
    """
    if n < 1 or n_boot < 1 or block < 1:
        raise EphysplastError("nothing can be resampled", got=f"n {n}, n_boot {n_boot}, block {block}", wanted="≥ 1")
    n_blocks = -(-n // block)
    starts = rng.integers(0, n, size=(n_boot, n_blocks, 1))
    rows = (starts + np.arange(block)) % n
    return rows.reshape(n_boot, n_blocks * block)[:, :n].astype(np.int64, copy=False)


def jackknife_indices(n: int, *, block: int = 1) -> IntArray:
    """Return the observations that stay when each block in turn is left out.

    Returns
    -------
    numpy.ndarray of int64, shape (n // block, n - block)
        Blocks do not overlap; observations past the last whole block always stay.

    Examples
    --------
    >>> jackknife_indices(3).tolist()
    [[1, 2], [0, 2], [0, 1]]
    """
    left_out = np.arange(n // block)[:, None] * block
    stay = np.arange(n - block)
    return np.where(stay < left_out, stay, stay + block).astype(np.int64)


def bootstrap_interval(
    statistic: Callable[[IntArray], FloatArray],
    n: int,
    *,
    rng: np.random.Generator,
    block: int = 1,
    n_boot: int = 2000,
    level: float = 0.95,
) -> tuple[float, Interval]:
    """Put a BCa interval around any statistic of observations in order of time.

    Parameters
    ----------
    statistic : callable
        Takes indices of observations, shape (n_samples, n), and returns the statistic of each row.
    n : int
        Number of observations.
    rng : numpy.random.Generator
        Where the randomness comes from.
    block, n_boot, level
        As for :func:`block_resample` and :func:`percentile_interval`.

    Returns
    -------
    estimate : float
        The statistic of the observations as they are.
    interval : Interval
        As :func:`bca_interval` gives it, widened for n / block independent observations.

    Examples
    --------
    >>> values = np.array([4.0, 5.0, 6.0, 5.0, 4.5, 5.5])
    >>> estimate, interval = bootstrap_interval(lambda i: values[i].mean(axis=-1), 6, rng=np.random.default_rng(0))
    >>> estimate, interval.contains(5.0)
    (5.0, True)
    """
    estimate = float(statistic(np.arange(n, dtype=np.int64)[None])[0])
    samples = statistic(block_resample(n, n_boot, block=block, rng=rng))
    # The jackknife only says how skewed the statistic is: 200 groups say it as well as n, which need n² numbers.
    jackknife = statistic(jackknife_indices(n, block=max(block, -(-n // 200))))
    return estimate, bca_interval(samples, estimate, jackknife=jackknife, level=level, n=n / block)


def slope_interval(time: FloatArray, values: FloatArray, *, level: float = 0.95) -> tuple[float, Interval]:
    """Fit a straight line, with an interval of its slope that allows for autocorrelation.

    Parameters
    ----------
    time : numpy.ndarray, shape (n,)
        When each was observed, ascending; need not be evenly spaced.
    values : numpy.ndarray, shape (n,)
        Observations; NaN is left out.
    level : float
        Confidence level.

    Returns
    -------
    slope : float
        Least-squares slope, in units of `values` per unit of `time`; NaN with fewer than 6 observations.
    interval : Interval
        The residuals are taken to forget each other exponentially in time; their correlation is estimated from
        themselves, corrected for the bias of a short series, and the slope's variance and degrees of freedom follow
        (Satterthwaite). NaN with fewer than 6 observations.

    Examples
    --------
    >>> time = np.arange(30.0)
    >>> slope, interval = slope_interval(time, 2.0 * time + np.random.default_rng(0).normal(size=30))
    >>> interval.contains(2.0)
    True
    """
    when, observed = np.asarray(time, dtype=np.float64), np.asarray(values, dtype=np.float64)
    known = np.isfinite(observed) & np.isfinite(when)
    when, observed = when[known], observed[known]
    n = when.size
    if n < 6 or np.ptp(when) == 0.0:
        return float("nan"), NO_INTERVAL
    centred = when - when.mean()
    power = float(centred @ centred)
    slope = float(centred @ observed) / power
    residual = observed - observed.mean() - slope * centred
    rho = min(_correlation(residual, n_fitted=2), 0.95)
    steps = np.diff(when)
    lag = np.abs(np.subtract.outer(when, when)) / np.median(steps[steps > 0.0])
    correlation = np.asarray(rho**lag, dtype=np.float64)
    fitted = np.stack([np.full(n, n**-0.5), centred / np.sqrt(power)])
    left = correlation - fitted.T @ (fitted @ correlation)
    trace = float(np.trace(left))
    freedom = trace**2 / float(np.sum(left * left.T))
    variance = float(residual @ residual) / trace * float(centred @ correlation @ centred) / power**2
    half = float(special.stdtrit(freedom, 0.5 + level / 2.0)) * float(np.sqrt(variance))
    return slope, Interval(slope - half, slope + half)


def cv_inverse_square(
    values: FloatArray, noise_variance: "FloatArray | float" = 0.0, *, ddof: int = 1
) -> NDArray[np.float64]:
    """Compute 1/CV² = mean² / (variance − noise variance) along the last axis.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., n)
        Amplitudes; rows may be bootstrap samples. A NaN makes its row NaN.
    noise_variance : float or numpy.ndarray, shape (...)
        What the recording noise adds to the variance.
    ddof : int
        Parameters estimated from the same values: 1 (the mean), 2 when a linear trend was removed too.

    Returns
    -------
    numpy.ndarray, shape (...)
        NaN where the corrected variance is not above zero: what is left is no more variable than the noise.

    Examples
    --------
    >>> round(float(cv_inverse_square(np.array([1.0, 2.0, 3.0]), 0.5)), 6)
    8.0
    """
    rows = np.asarray(values, dtype=np.float64)
    variance = rows.var(axis=-1, ddof=ddof) - noise_variance
    answer: FloatArray = np.full(variance.shape, np.nan)
    np.divide(rows.mean(axis=-1) ** 2, variance, out=answer, where=variance > 0.0)
    return answer


def detrend(values: FloatArray, *, time: FloatArray | None = None) -> FloatArray:
    """Remove a slow linear trend along the last axis and keep the mean.

    Parameters
    ----------
    values : numpy.ndarray, shape (..., n)
        Without NaN.
    time : numpy.ndarray, shape (n,), optional
        When each was observed; evenly spaced by default.

    Returns
    -------
    numpy.ndarray, shape (..., n)
        Values minus the fitted slope; a least-squares line, so one more degree of freedom is used up.

    Examples
    --------
    >>> detrend(np.array([1.0, 2.0, 3.0])).tolist()
    [2.0, 2.0, 2.0]
    """
    rows = np.asarray(values, dtype=np.float64)
    when = np.arange(rows.shape[-1], dtype=np.float64) if time is None else np.asarray(time, dtype=np.float64)
    centred = when - when.mean()
    power = float(centred @ centred)
    if power == 0.0:
        return rows.copy()
    slope = rows @ centred / power
    return np.asarray(rows - slope[..., None] * centred, dtype=np.float64)


def outliers(values: FloatArray, threshold: float = 4.0) -> NDArray[np.bool_]:
    """Mark values far from the median.

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        Observations.
    threshold : float
        How far, in robust standard deviations (1.4826 × median absolute deviation).

    Returns
    -------
    numpy.ndarray of bool, shape (n,)
        NaN is never an outlier, and nothing is when more than half of the values are equal.

    Examples
    --------
    >>> outliers(np.array([1.0, 1.1, 0.9, 1.05, 9.0])).tolist()
    [False, False, False, False, True]
    """
    observed = np.asarray(values, dtype=np.float64)
    known = observed[np.isfinite(observed)]
    if known.size == 0:
        return np.zeros(observed.shape, dtype=np.bool_)
    centre = np.median(known)
    scale = MAD_TO_SD * np.median(np.abs(known - centre))
    if scale == 0.0:
        return np.zeros(observed.shape, dtype=np.bool_)
    return np.asarray(np.abs(observed - centre) > threshold * scale, dtype=np.bool_)


def _correlation(residual: FloatArray, *, n_fitted: int) -> float:
    """Correlation of neighbours, at least 0; a fit pulls it down by about (n_fitted + (2 + n_fitted) ρ)/n."""
    n, power = residual.size, float(residual @ residual)
    raw = float(residual[1:] @ residual[:-1]) / power if power > 0.0 else 0.0
    return max((raw + n_fitted / n) / (1.0 - (2.0 + n_fitted) / n), 0.0)
