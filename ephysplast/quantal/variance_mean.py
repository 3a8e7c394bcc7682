"""Variance–mean analysis: quantal amplitude, sites and release probability from several release probabilities.

Also called multiple-probability fluctuation analysis: Silver 2003, doi:10.1016/j.jneumeth.2003.09.004; Clements &
Silver 2000, Trends Neurosci 23:105.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, nan
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import LEVELS, OK, RESAMPLES, SettingsError, check_settings
from ephysplast.quantal._vm_parabola import Moments, Parabola, fit_parabola
from ephysplast.quantal._vm_sweeps import Condition, bootstrapped, left_out, observed, read_noise, read_sweeps
from ephysplast.quantal._vm_words import TWO_CONDITIONS, identified, misfit, quantum_estimate, sites_estimate
from ephysplast.result import Estimate, Result
from ephysplast.statistics import Interval, bca_interval

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_WAYS: Final = ("trend", "plain", "successive")
_RESPONSE_SE: Final = 3.0
"""A response is there when its mean is this many standard errors above zero."""


@dataclass(frozen=True, kw_only=True)
class VarianceMeanConfig:
    """Settings of the variance–mean analysis.

    Attributes
    ----------
    cv_within : float
        CV_I, variability of a quantum at one site from release to release; 0.3. It cannot be found from variance and
        mean: q is divided by 1 + CV_I² + CV_II². Whole quantal CVs of central synapses are about 0.3 to 0.5, which
        0.3 within and 0.3 between make 0.42.
    cv_between : float
        CV_II, variability of the mean quantum from site to site; 0.3. Besides q it scales n by 1 + CV_II².
    variance : {"trend", "plain", "successive"}
        How variance is read: around a straight line through the sweeps of a condition (a slow drift is taken out at
        the cost of one degree of freedom), around the mean, or from differences of successive sweeps (any slow course
        is taken out, at the cost of a third of the sweeps).
    same_sweeps : bool
        True when the conditions are the pulses of one train: their sweeps are then resampled together.
    min_sweeps : int
        A condition with fewer sweeps is left out: its variance is hardly known.
    max_span : float
        n has a value only when its interval spans no more than this factor; 10. A curvature that only just shows, shows
        because chance made it large, and its n is far too small.
    level : float
        Confidence level of the intervals.
    n_boot : int
        Bootstrap samples.
    """

    cv_within: float = 0.3
    cv_between: float = 0.3
    variance: Literal["trend", "plain", "successive"] = "trend"
    same_sweeps: bool = False
    min_sweeps: int = 10
    max_span: float = 10.0
    level: float = 0.95
    n_boot: int = 1000

    def __post_init__(self) -> None:
        check_settings(
            self,
            cv_within=(0.0, 2.0),
            cv_between=(0.0, 2.0),
            min_sweeps=(4, inf),
            max_span=(1.5, inf),
            level=LEVELS,
            n_boot=RESAMPLES,
        )
        if self.variance not in _WAYS:
            raise SettingsError("variance cannot be read in this way", got=str(self.variance), wanted=", ".join(_WAYS))


@dataclass(frozen=True, eq=False, kw_only=True)
class VarianceMeanResult(Result):
    """Variance against mean, and the release it speaks of.

    Attributes
    ----------
    n_sweeps : numpy.ndarray of int, shape (n_conditions,)
        Sweeps without NaN.
    used : numpy.ndarray of bool, shape (n_conditions,)
        False for conditions with too few sweeps.
    mean, mean_se : numpy.ndarray, shape (n_conditions,)
        Mean amplitude and its standard error; NaN where not used.
    variance, variance_se : numpy.ndarray, shape (n_conditions,)
        Variance with that of the recording noise taken off (below 0 at times), and its standard error.
    q : Estimate
        Quantal amplitude, mean over sites, in the unit of the amplitudes; the intervals take both CVs as known.
    n : Estimate
        Release sites, not rounded. Without a clear curvature it has no value and `low` is a lower bound.
    p, p_low, p_high : numpy.ndarray, shape (n_conditions,)
        Release probability; NaN with `n`, and then only `p_high` holds.
    slope, bend : float
        ``variance = slope·mean − bend·mean²`` as fitted, even where the points do not follow it.
    drawn : numpy.ndarray, shape (n_boot, 2)
        Both of every bootstrap sample; no rows when nothing was fitted.
    model : {"parabola", "line", ""}
        What `slope` and `bend` are of: a line with two conditions only.
    delta_aic : float
        Akaike's criterion of the line minus that of the parabola; above 0 the parabola describes the variances better.
    statement : str
        What can be said of n and p, as a sentence.
    status : str
        ``"ok"``, or why q is NaN.
    unit : str
        Of the amplitudes, if it was given.
    """

    n_sweeps: IntArray
    used: NDArray[np.bool_]
    mean: FloatArray
    mean_se: FloatArray
    variance: FloatArray
    variance_se: FloatArray
    q: Estimate
    n: Estimate
    p: FloatArray
    p_low: FloatArray
    p_high: FloatArray
    slope: float
    bend: float
    drawn: FloatArray
    model: Literal["parabola", "line", ""]
    delta_aic: float
    statement: str
    status: str = OK
    unit: str = ""

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per condition: sweeps, mean, variance, the fitted variance, release probability."""
        import pandas as pd

        return pd.DataFrame(
            {
                "condition": np.arange(self.mean.size),
                "n_sweeps": self.n_sweeps,
                "used": self.used,
                "mean": self.mean,
                "mean_se": self.mean_se,
                "variance": self.variance,
                "variance_se": self.variance_se,
                "fitted_variance": self.curve(self.mean),
                "p": self.p,
                "p_low": self.p_low,
                "p_high": self.p_high,
            }
        )

    def curve(self, mean: ArrayLike) -> FloatArray:
        """Return the fitted variance at any means, for drawing; NaN when nothing was fitted."""
        at = np.asarray(mean, dtype=np.float64)
        return np.asarray(self.slope * at - self.bend * at**2)

    def band(self, mean: ArrayLike, *, level: float = 0.95) -> FloatArray:
        """Return between what the curves of the bootstrap samples lie at any means, pointwise percentiles.

        Returns
        -------
        numpy.ndarray, shape (2, n_means)
            Lower and upper edge; NaN when nothing was fitted.
        """
        at = np.atleast_1d(np.asarray(mean, dtype=np.float64))
        if not self.drawn.size:
            return np.full((2, at.size), nan)
        curves = self.drawn[:, :1] * at - self.drawn[:, 1:] * at**2
        return np.asarray(np.nanquantile(curves, [0.5 - level / 2, 0.5 + level / 2], axis=0))


def measure_variance_mean(
    conditions: Sequence[ArrayLike],
    *,
    noise_sd: ArrayLike,
    rng: np.random.Generator,
    noise_readings: ArrayLike = inf,
    config: VarianceMeanConfig | None = None,
    unit: str = "",
) -> VarianceMeanResult:
    """Find q, n and p from the variance and mean of amplitudes at several release probabilities.

    Parameters
    ----------
    conditions : sequence of array_like, each of shape (n_sweeps,)
        Magnitudes along the expected polarity, in order of time; one entry per release probability (calcium
        concentrations, or the pulses of a train). Read by a linear operator, or the noise cannot be taken off. NaN is
        left out; with ``same_sweeps`` it takes the sweep with it.
    noise_sd : float or array_like, shape (n_conditions,)
        SD of the same operator in a stretch without a response.
    rng : numpy.random.Generator
        For the bootstrap over sweeps.
    noise_readings : float or array_like, shape (n_conditions,)
        How many readings each of `noise_sd` is from; its error is then part of the intervals, and is shared by all
        conditions where `noise_sd` is a single number. Infinite, the default, takes the noise as known.
    config : VarianceMeanConfig, optional
        Quantal variability and how variance is read.
    unit : str
        Unit of the amplitudes, kept with the result.

    Returns
    -------
    VarianceMeanResult
        With a status other than ``"ok"``, and NaN, when fewer than two conditions have enough sweeps, there is no
        response or no variance beyond the noise, or the points do not lie on one parabola.

    Raises
    ------
    EphysplastError
        If a condition is not one-dimensional, pulses of the same sweeps are not equally many, or the noise is none.

    Notes
    -----
    ``σ² = (Q·I − I²/N)(1 + CV_II²) + Q·I·CV_I²`` is linear in Q and 1/N: a weighted straight fit, weights by the
    sampling error that the fitted release gives a variance at its mean. Standard errors of the variances are from
    k-statistics, intervals are BCa over sweeps. n is said to be not identifiable when the interval of 1/N reaches 0,
    for the points then lie on a line as well as on a parabola, or spans more than a factor ``max_span``.
    The sites are taken to be equal in p, and q and n to be the same in all conditions: misfit of the parabola beyond
    chance (χ², P < 0.001) says that this does not hold.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> sweeps = [10.0 * rng.binomial(8, p, 300) + rng.normal(0, 1.0, 300) for p in (0.1, 0.3, 0.6, 0.9)]
    >>> config = VarianceMeanConfig(cv_within=0.0, cv_between=0.0)
    >>> found = measure_variance_mean(sweeps, noise_sd=1.0, rng=rng, config=config)
    >>> round(found.q.value), round(found.n.value), found.p.round(1).tolist()
    (10, 8, [0.1, 0.3, 0.6, 0.9])
    """
    config = config or VarianceMeanConfig()
    sweeps = read_sweeps(conditions, config.same_sweeps)
    noise = read_noise(noise_sd, len(sweeps))
    used = np.asarray([each.size >= config.min_sweeps for each in sweeps], dtype=np.bool_)
    known = [
        Condition(each, float(sd), config.variance) for each, sd, ok in zip(sweeps, noise, used, strict=True) if ok
    ]
    counts = np.asarray([each.size for each in sweeps], dtype=np.int64)
    why = _refusal(known, config)
    error = np.broadcast_to(noise**2 * np.sqrt(2.0 / (np.asarray(noise_readings, dtype=np.float64) - 1.0)), noise.shape)
    seen = _Seen(counts, used, known, unit, error[used], shared=np.ndim(noise_sd) == 0)
    return _missing(seen, why) if why else _fit(seen, rng, config)


@dataclass(frozen=True, eq=False)
class _Seen:
    counts: IntArray
    used: NDArray[np.bool_]
    known: list[Condition]
    unit: str
    noise_error: FloatArray
    """Standard error of the noise variance of each used condition."""
    shared: bool

    def spread(self, values: FloatArray) -> FloatArray:
        """Place values of the used conditions among all; NaN elsewhere."""
        everywhere = np.full(self.used.size, nan)
        everywhere[self.used] = values
        return everywhere


def _refusal(known: list[Condition], config: VarianceMeanConfig) -> str:
    if len(known) < 2:
        return (
            f"{len(known)} of the conditions have {config.min_sweeps} sweeps or more: "
            "a line needs two release probabilities, a parabola three"
        )
    if not any(each.mean > _RESPONSE_SE * np.sqrt(each.total / each.n_sweeps) for each in known):
        return "there is no response to speak of in any condition: every mean is within its error of zero"
    return ""


def _missing(seen: _Seen, why: str) -> VarianceMeanResult:
    """Return the points alone."""
    none = np.full(seen.used.size, nan)

    def each(value: Callable[[Condition], float]) -> FloatArray:
        return seen.spread(np.asarray([value(condition) for condition in seen.known]))

    return VarianceMeanResult(
        n_sweeps=seen.counts,
        used=seen.used,
        mean=each(lambda c: c.mean),
        mean_se=each(lambda c: float(np.sqrt(c.total / c.n_sweeps))),
        variance=each(lambda c: c.total - c.noise_sd**2),
        variance_se=np.hypot(each(lambda c: c.total_se), seen.spread(seen.noise_error)),
        q=Estimate.missing(why),
        n=Estimate.missing(why),
        p=none,
        p_low=none,
        p_high=none,
        slope=nan,
        bend=nan,
        drawn=np.empty((0, 2)),
        model="",
        delta_aic=nan,
        statement=why,
        status=why,
        unit=seen.unit,
    )


def _fit(seen: _Seen, rng: np.random.Generator, config: VarianceMeanConfig) -> VarianceMeanResult:
    straight = len(seen.known) < 3
    moments = observed(seen.known)
    found = _curve(moments, config, straight=straight)
    if np.isnan(found.slope[0]):
        return _missing(seen, "all conditions have the same mean: variance against mean has no course to follow")
    if not found.slope[0] > 0.0:
        return _missing(seen, "the amplitudes are no more variable than the recording noise: quanta cannot be told")
    scatter = found.scatter + seen.noise_error**2
    distance = _chi_square(moments, found, scatter)
    if why := misfit(distance, len(seen.known) - 2):
        return replace(_missing(seen, why), slope=float(found.slope[0]), bend=float(found.bend[0]))
    drawn = bootstrapped(seen.known, config.n_boot, together=config.same_sweeps, rng=rng)
    if seen.noise_error.any():
        chance = rng.normal(size=(config.n_boot, 1 if seen.shared else len(seen.known)))
        drawn = replace(drawn, variance=drawn.variance + chance * seen.noise_error)
    curves = _curve(drawn, config, straight=straight)
    without = left_out(seen.known, together=config.same_sweeps)
    rows, jackknife = (_columns(each, _curve(each, config, straight=straight), config) for each in (moments, without))
    samples = _columns(drawn, curves, config)
    fewest = min(each.n_sweeps / each.block for each in seen.known)
    intervals = [
        bca_interval(samples[:, i], float(rows[0, i]), jackknife=jackknife[:, i], level=config.level, n=fewest)
        for i in range(rows.shape[1])
    ]
    # How much worse a line is, with the weights of the parabola; sampling errors are known, so this is of χ².
    line = found if straight else _curve(moments, config, straight=True)
    delta_aic = nan if straight else _chi_square(moments, line, scatter) - distance - 2.0
    around = np.stack([curves.slope, curves.bend], axis=1)
    return _result(seen, moments, found, rows[0], intervals, delta_aic, drawn=around, config=config)


def _curve(moments: Moments, config: VarianceMeanConfig, *, straight: bool) -> Parabola:
    return fit_parabola(moments, within=config.cv_within, between=config.cv_between, straight=straight)


def _columns(moments: Moments, found: Parabola, config: VarianceMeanConfig) -> FloatArray:
    """Of every resample q, 1/n and p per condition."""
    q = found.slope / (1.0 + config.cv_within**2 + config.cv_between**2)
    one = found.bend / (1.0 + config.cv_between**2)
    p = moments.mean * (one / np.where(q > 0.0, q, nan))[:, None]
    return np.concatenate([q[:, None], one[:, None], np.clip(p, 0.0, 1.0)], axis=1)


def _chi_square(moments: Moments, curve: Parabola, scatter: FloatArray) -> float:
    """Squared distances of the points from a curve, in units of their sampling variances."""
    fitted = curve.slope[:, None] * moments.mean - curve.bend[:, None] * moments.square
    return float(np.sum((moments.variance - fitted) ** 2 / scatter))


def _result(
    seen: _Seen,
    moments: Moments,
    found: Parabola,
    rows: FloatArray,
    intervals: list[Interval],
    delta_aic: float,
    *,
    drawn: FloatArray,
    config: VarianceMeanConfig,
) -> VarianceMeanResult:
    straight = bool(np.isnan(delta_aic))
    method = f"{'line' if straight else 'parabola'} through {moments.mean.shape[1]} conditions"
    top = intervals[2 + int(np.argmax(moments.mean[0]))]
    n = (
        sites_estimate(float(rows[1]), intervals[1], top, method=method, max_span=config.max_span)
        if not straight
        else Estimate.missing(TWO_CONDITIONS)
    )
    q, doubt = quantum_estimate(float(rows[0]), intervals[0], method=method)
    clear = n.status == OK
    blank = np.full(len(intervals) - 2, nan)
    low, high = (np.asarray([each[k] for each in intervals[2:]]) for k in (0, 1))
    return replace(
        _missing(seen, method),
        status=OK,
        q=q,
        n=n,
        p=seen.spread(rows[2:] if clear else blank),
        p_low=seen.spread(low if clear else blank),
        p_high=seen.spread(blank if straight else high),
        slope=float(found.slope[0]),
        bend=float(found.bend[0]),
        drawn=drawn,
        model="line" if straight else "parabola",
        delta_aic=delta_aic,
        statement=doubt + (identified(n, top) if clear else n.status),
    )
