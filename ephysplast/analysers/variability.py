"""How much a response varies from sweep to sweep: CV⁻² with the noise taken off, failures, outliers."""

from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from ephysplast._words import number
from ephysplast.analysers._failures import FailureFit, fit_failures
from ephysplast.errors import LEVELS, OK, RESAMPLES, EphysplastError, check_settings
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result
from ephysplast.statistics import (
    NO_INTERVAL,
    Interval,
    block_length,
    bootstrap_interval,
    cv_inverse_square,
    detrend,
    outliers,
)

if TYPE_CHECKING:
    import pandas as pd

_NAN = float("nan")
_NO_FIT = FailureFit(_NAN, NO_INTERVAL, _NAN)


@dataclass(frozen=True, kw_only=True)
class VariabilityConfig:
    """How variability is measured.

    Attributes
    ----------
    remove_trend : bool
        Take a linear trend off before the variance is computed: a slow change is not variability of release. The
        result then depends on the order of the sweeps.
    outlier_threshold : float
        How far from the median, in robust standard deviations, a sweep is reported as an outlier; 4 happens by chance
        once in 16,000 Gaussian sweeps.
    failure_threshold : float
        The classical threshold in standard deviations of the noise; 2 by custom.
    min_sweeps : int
        With fewer sweeps nothing is given: the interval of a variance of nine is wider than twofold.
    n_boot : int
        Bootstrap samples of the interval.
    level : float
        Confidence level.
    """

    remove_trend: bool = True
    outlier_threshold: float = 4.0
    failure_threshold: float = 2.0
    min_sweeps: int = 10
    n_boot: int = 2000
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            outlier_threshold=(0.1, inf),
            failure_threshold=(0.1, inf),
            level=LEVELS,
            n_boot=RESAMPLES,
            min_sweeps=(4, inf),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class VariabilityResult(Result):
    """Variability of one response in one phase.

    Attributes
    ----------
    status : str
        Stands for `cv` and `inverse_cv_squared` with their intervals: ``"ok"``, or why they are NaN.
    failure_status : str
        Stands for `failure_fraction`, its interval, `failure_fraction_threshold` and `missed_fraction`.
    n_sweeps : int
        Sweeps with an amplitude.
    mean, sd : float
        Of the amplitudes as they are, in `unit`; NaN only with too few sweeps.
    noise_sd : float
        Of the same measure without a response; NaN where fewer than three sweeps have one.
    cv, cv_low, cv_high : float
        Coefficient of variation, noise variance and trend removed, and its interval.
    inverse_cv_squared, inverse_cv_squared_low, inverse_cv_squared_high : float
        1/CV² of the same. The upper bound is infinite when the variance may be all noise.
    inverse_cv_squared_with_noise : float
        1/CV² without subtracting the noise variance (trend removed); given even when `status` is not ``"ok"``.
    inverse_cv_squared_with_trend : float
        1/CV² with the noise subtracted and the trend left in; `status` stands for it too.
    inverse_cv_squared_without_outliers : float
        1/CV² as above, leaving out the sweeps in `outlier_index`; `status` stands for it too, and it is NaN as well
        when the sweeps that are left vary no more than the noise.
    outlier_index : numpy.ndarray of int64
        Rows of the input that lie far from the median. They are reported and not left out: where most sweeps are
        failures, a response looks like an outlier.
    failure_fraction, failure_fraction_low, failure_fraction_high : float
        Fraction of sweeps without a response, from a mixture of noise and responses, and its interval.
    failure_fraction_threshold : float
        Fraction of sweeps below the classical threshold: too high by the small responses below it.
    missed_fraction : float
        Fraction of responses that lie below that threshold, by the mixture.
    level : float
        Confidence level of the intervals.
    unit : str
        Unit of `mean`, `sd` and `noise_sd`, when the caller knows it.
    """

    status: str
    failure_status: str
    n_sweeps: int
    mean: float = _NAN
    sd: float = _NAN
    noise_sd: float = _NAN
    cv: float = _NAN
    cv_low: float = _NAN
    cv_high: float = _NAN
    inverse_cv_squared: float = _NAN
    inverse_cv_squared_low: float = _NAN
    inverse_cv_squared_high: float = _NAN
    inverse_cv_squared_with_noise: float = _NAN
    inverse_cv_squared_with_trend: float = _NAN
    inverse_cv_squared_without_outliers: float = _NAN
    outlier_index: IntArray
    failure_fraction: float = _NAN
    failure_fraction_low: float = _NAN
    failure_fraction_high: float = _NAN
    failure_fraction_threshold: float = _NAN
    missed_fraction: float = _NAN
    level: float = 0.95
    unit: str = ""

    def to_frame(self) -> "pd.DataFrame":
        """Return one row; outliers as their number, and as rows counted from 1."""
        import pandas as pd

        row = {name: value for name, value in vars(self).items() if name != "outlier_index"}
        row["n_outliers"] = self.outlier_index.size
        row["outliers"] = " ".join(str(each + 1) for each in self.outlier_index)
        return pd.DataFrame([row])


def measure_variability(
    amplitude: FloatArray,
    noise: FloatArray,
    *,
    config: VariabilityConfig = VariabilityConfig(),
    rng: np.random.Generator,
    unit: str = "",
) -> VariabilityResult:
    """Measure the variability of one response over the sweeps of a phase.

    Parameters
    ----------
    amplitude : numpy.ndarray, shape (n_sweeps,)
        Magnitudes along the expected polarity, in order of time, by a linear measure (a mean in a fixed window); NaN
        where not measured.
    noise : numpy.ndarray, shape (n_sweeps,)
        The same measure in a stretch without response. Only its variance is used.
    config : VariabilityConfig
        Trend, thresholds, level.
    rng : numpy.random.Generator
        Where the randomness comes from.
    unit : str, optional
        Unit of the amplitudes.

    Returns
    -------
    VariabilityResult
        1/CV² = mean² / (variance − noise variance); for binomial release it is n p/(1 − p), whatever the quantal
        size. NaN, with the reason, for too few sweeps, no noise measured, a mean that is not above zero, or a variance
        that does not exceed the noise's.

    Raises
    ------
    EphysplastError
        If the two are not one value per sweep each.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> released = rng.binomial(5, 0.4, 200)
    >>> result = measure_variability(0.35 * released + rng.normal(0, 0.1, 200), rng.normal(0, 0.1, 200), rng=rng)
    >>> result.inverse_cv_squared_low < 5 * 0.4 / 0.6 < result.inverse_cv_squared_high
    True
    >>> result.failure_fraction_low < 0.6**5 < result.failure_fraction_high
    True
    """
    size, silence = np.asarray(amplitude, dtype=np.float64), np.asarray(noise, dtype=np.float64)
    if size.ndim != 1 or size.shape != silence.shape:
        raise EphysplastError(
            "amplitude and noise must be one value per sweep each", got=f"{size.shape} and {silence.shape}"
        )
    far = np.flatnonzero(outliers(size, config.outlier_threshold)).astype(np.int64)
    known = np.isfinite(size)
    values, quiet = size[known], silence[known & np.isfinite(silence)]
    n = int(values.size)
    if n < config.min_sweeps:
        few = f"only {n} sweeps, fewer than {config.min_sweeps}"
        return VariabilityResult(
            status=few, failure_status=few, n_sweeps=n, outlier_index=far, level=config.level, unit=unit
        )
    noise_sd = float(quiet.std(ddof=1)) if quiet.size >= 3 else _NAN
    failure_status, failures, below = _failures(values, noise_sd, config)
    result = VariabilityResult(
        status=_why_no_cv(values, noise_sd, config),
        failure_status=failure_status,
        n_sweeps=n,
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)),
        noise_sd=noise_sd,
        inverse_cv_squared_with_noise=_inverse(values, 0.0, config),
        outlier_index=far,
        failure_fraction=failures.fraction,
        failure_fraction_low=failures.interval.low,
        failure_fraction_high=failures.interval.high,
        failure_fraction_threshold=below,
        missed_fraction=failures.missed,
        level=config.level,
        unit=unit,
    )
    kept = np.delete(size, far)
    return _with_cv(result, values, kept[np.isfinite(kept)], quiet, config, rng)


def _with_cv(
    result: VariabilityResult,
    values: FloatArray,
    kept: FloatArray,
    quiet: FloatArray,
    config: VariabilityConfig,
    rng: np.random.Generator,
) -> VariabilityResult:
    if result.status != OK:
        return result
    inverse = _inverse(values, result.noise_sd, config)
    interval = _interval(_trendless(values, config), quiet, config, rng)
    return replace(
        result,
        cv=_root(inverse),
        cv_low=_root(interval.high),
        cv_high=_root(interval.low),
        inverse_cv_squared=inverse,
        inverse_cv_squared_low=interval.low,
        inverse_cv_squared_high=interval.high,
        inverse_cv_squared_with_trend=float(cv_inverse_square(values, result.noise_sd**2)),
        inverse_cv_squared_without_outliers=_inverse(kept, result.noise_sd, config),
    )


def _trendless(values: FloatArray, config: VariabilityConfig) -> FloatArray:
    return detrend(values) if config.remove_trend else values


def _ddof(config: VariabilityConfig) -> int:
    return 2 if config.remove_trend else 1


def _inverse(values: FloatArray, noise_sd: float, config: VariabilityConfig) -> float:
    return float(cv_inverse_square(_trendless(values, config), noise_sd**2, ddof=_ddof(config)))


def _root(inverse: float) -> float:
    """CV of a 1/CV²; a 1/CV² of zero is an infinite CV."""
    return float(inverse**-0.5) if inverse > 0.0 else (float("inf") if inverse == 0.0 else _NAN)


def _why_no_cv(values: FloatArray, noise_sd: float, config: VariabilityConfig) -> str:
    if not np.isfinite(noise_sd):
        return "no noise was measured, so its variance cannot be taken off"
    error = float(values.std(ddof=1)) / np.sqrt(values.size)
    if values.mean() <= float(special.stdtrit(values.size - 1, 0.5 + config.level / 2.0)) * error:
        return "the mean response is not above zero, so its CV is not defined"
    variance = float(_trendless(values, config).var(ddof=_ddof(config)))
    if variance <= noise_sd**2:
        return f"the response varies no more than the noise (SD {number(variance**0.5)} against {number(noise_sd)})"
    return OK


def _interval(values: FloatArray, quiet: FloatArray, config: VariabilityConfig, rng: np.random.Generator) -> Interval:
    """BCa interval; the noise is drawn anew with the responses, since its variance is an estimate too."""
    ddof, n_quiet = _ddof(config), quiet.size

    def inverse(rows: IntArray) -> FloatArray:
        # The k-th response drawn takes the noise of its own sweep with it (of another where that one has none).
        answer = cv_inverse_square(values[rows], quiet[rows % n_quiet].var(axis=-1, ddof=1), ddof=ddof)
        return np.where(np.isnan(answer), np.inf, answer)

    block = block_length(values)
    _, interval = bootstrap_interval(
        inverse, values.size, rng=rng, block=block, n_boot=config.n_boot, level=config.level
    )
    return interval


def _failures(values: FloatArray, noise_sd: float, config: VariabilityConfig) -> tuple[str, FailureFit, float]:
    if not np.isfinite(noise_sd):
        return "no noise was measured, so failures cannot be told from responses", _NO_FIT, _NAN
    threshold = config.failure_threshold * noise_sd
    below = float(np.mean(values <= threshold))
    # Synthetic data may be free of noise; the mixture then needs some width, far below any response.
    width = max(noise_sd, 5e-3 * float(np.abs(values).max()))
    if width == 0.0:
        return "all amplitudes are zero", _NO_FIT, _NAN
    fit = fit_failures(values, width, threshold=threshold, level=config.level)
    if fit.interval.high - fit.interval.low > 0.9:
        return "responses are too small, or sweeps too few, to tell failures from responses", _NO_FIT, _NAN
    missed = fit.missed if np.isfinite(fit.missed) else 0.0
    return OK, fit._replace(missed=missed), below
