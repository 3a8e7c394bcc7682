"""What a measurement of its own says of the quantal amplitude q, as a prior for the locus of a change.

Failures of the sweeps that are to be judged are in their likelihood already: a prior from the same sweeps would count
them twice. A :class:`QuantalSize` must come from other sweeps (minimal stimulation, minis, another calcium).
"""

from dataclasses import dataclass
from math import inf, nan
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ephysplast._words import number
from ephysplast.errors import LEVELS, OK, RESAMPLES, EphysplastError, SettingsError, check_settings
from ephysplast.result import Result
from ephysplast.statistics import Interval, percentile_interval

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]

_STATISTICS: Final = ("mean", "median")
_REVERSED_SE: Final = 4.0
"""Failures alone have a mean so far below zero in one of 30,000 sets of sweeps."""


@dataclass(frozen=True, eq=False, kw_only=True)
class QuantalSize(Result):
    """A quantal amplitude and how far it may be from that of the synapse in question.

    Attributes
    ----------
    value : float
        Quantal amplitude, mean over sites, in the unit of the amplitudes; NaN when the status is not ``"ok"``.
    log_sd : float
        SD of its natural logarithm: 0.35 means a factor of 1.4 either way; NaN with the value.
    low, high : float
        95 % interval (or at the configured level).
    source : str
        Where it comes from, as a sentence.
    status : str
        ``"ok"``, or why there is no value.
    unit : str
        Of the amplitudes, if it was given.

    Examples
    --------
    >>> QuantalSize(value=12.0, log_sd=0.35, source="minis of another cell").status
    'ok'
    """

    value: float
    log_sd: float
    source: str
    low: float = nan
    high: float = nan
    status: str = OK
    unit: str = ""

    def __post_init__(self) -> None:
        held = np.isfinite(self.value) and np.isfinite(self.log_sd) and self.value > 0.0 and self.log_sd > 0.0
        if held != (self.status == OK):
            raise EphysplastError(
                "a quantal size has a value exactly when it is ok",
                got=f"{self.value} with log_sd {self.log_sd} and status '{self.status}'",
                wanted="both above 0",
            )

    def to_frame(self) -> "pd.DataFrame":
        """Return one row: value, interval, log_sd, unit, source, status."""
        import pandas as pd

        names = ("value", "low", "high", "log_sd", "unit", "source", "status")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


@dataclass(frozen=True, kw_only=True)
class MiniSizeConfig:
    """Settings of the quantal size from minis.

    Attributes
    ----------
    statistic : {"mean", "median"}
        "mean" is q of the release model; the median is not moved by a few large multivesicular events.
    extra_log_sd : float
        SD of the logarithm that is added for what counting minis cannot tell; 0.35, a factor of 1.4. Minis come from
        all synapses of the cell and not from the one in question, from other dendritic sites and so with another
        filtering, and the smallest are missed. Mean quantal amplitudes differ between the synapses of a cell by a CV
        of about 0.3 to 0.4.
    min_events : int
        Fewer minis give no quantal size.
    """

    statistic: Literal["mean", "median"] = "mean"
    extra_log_sd: float = 0.35
    min_events: int = 20

    def __post_init__(self) -> None:
        check_settings(self, extra_log_sd=(0.0, 5.0), min_events=(5, inf))
        if self.statistic not in _STATISTICS:
            raise SettingsError("minis cannot be summed up so", got=str(self.statistic), wanted="mean or median")


@dataclass(frozen=True, kw_only=True)
class FailureSizeConfig:
    """Settings of the quantal size from failures.

    Attributes
    ----------
    n_sites : float
        Release sites, if they are known; NaN (default) takes any number from one to many, and `log_sd` and the
        interval hold all of them.
    failure_sd : float
        A response below so many SD of the noise is a failure; 2. The share of failures that noise lifts above it
        (2.3 %) is allowed for.
    gap_share : float
        Largest share of the responses between 3 and 5 SD of the noise; 0.03. More, and small responses are counted as
        failures.
    min_count : int
        Fewest failures, and fewest responses; 5.
    extra_log_sd : float
        SD of the logarithm that is added because these are other sweeps than those to be judged; 0.1.
    level : float
        Confidence level of the interval.
    n_boot : int
        Bootstrap samples.
    """

    n_sites: float = nan
    failure_sd: float = 2.0
    gap_share: float = 0.03
    min_count: int = 5
    extra_log_sd: float = 0.1
    level: float = 0.95
    n_boot: int = 2000

    def __post_init__(self) -> None:
        check_settings(
            self,
            failure_sd=(0.5, 3.0),
            gap_share=(0.0, 1.0),
            min_count=(2, inf),
            extra_log_sd=(0.0, 5.0),
            level=LEVELS,
            n_boot=RESAMPLES,
        )
        if not np.isnan(self.n_sites):
            check_settings(self, n_sites=(1.0, inf))


def quantal_size_from_minis(
    amplitudes: ArrayLike, *, config: MiniSizeConfig | None = None, unit: str = ""
) -> QuantalSize:
    """Take the quantal amplitude from miniature responses.

    Parameters
    ----------
    amplitudes : array_like, shape (n_events,)
        Magnitudes of single minis along the expected polarity; NaN is left out. At the holding potential of the evoked
        responses, or scaled to it.
    config : MiniSizeConfig, optional
        Mean or median, and the uncertainty that is added.
    unit : str
        Unit of the amplitudes, kept with the result.

    Returns
    -------
    QuantalSize
        ``log_sd² = (SE / value)² + extra_log_sd²``, the SE of a median after Maritz & Jarrett 1978 (J Am
        Stat Assoc 73:194). With a status other than ``"ok"``, and NaN, when there are too few.

    Raises
    ------
    EphysplastError
        If an amplitude is not above 0: a detected mini is a magnitude.

    Examples
    --------
    >>> found = quantal_size_from_minis([8.0, 12.0] * 50, unit="pA")
    >>> found.value, round(found.log_sd, 2)
    (10.0, 0.35)
    """
    config = config or MiniSizeConfig()
    seen = _known(amplitudes)
    if np.any(seen <= 0.0):
        raise EphysplastError(
            "a mini has no magnitude",
            got=f"{np.count_nonzero(seen <= 0.0)} of {seen.size} not above 0",
            wanted="magnitudes along the expected polarity",
            remedy="turn the sign of inward currents",
        )
    source = f"{config.statistic} of {seen.size} minis"
    if seen.size < config.min_events:
        return _missing(f"{seen.size} minis are too few: {config.min_events} are needed", source, unit)
    if config.statistic == "mean":
        value, se = float(seen.mean()), float(seen.std(ddof=1) / np.sqrt(seen.size))
    else:
        value, se = _median(seen)
    log_sd = float(np.hypot(se / value, config.extra_log_sd))
    if not log_sd > 0.0:
        return _missing("the minis are all alike: their uncertainty cannot be stated", source, unit)
    source += f", a factor of {np.exp(config.extra_log_sd):.2f} either way added: minis come from other synapses too"
    reach = float(np.exp(special.ndtri(0.975) * log_sd))
    return QuantalSize(value=value, log_sd=log_sd, low=value / reach, high=value * reach, source=source, unit=unit)


def quantal_size_from_failures(
    amplitudes: ArrayLike,
    *,
    noise_sd: float,
    rng: np.random.Generator,
    config: FailureSizeConfig | None = None,
    unit: str = "",
) -> QuantalSize:
    """Take the quantal amplitude from how often minimal stimulation fails.

    Parameters
    ----------
    amplitudes : array_like, shape (n_sweeps,)
        Magnitudes of every sweep, failures included; NaN is left out. Not the sweeps whose locus is asked: their
        failures are in the likelihood already.
    noise_sd : float
        SD of the noise of single amplitudes, in their unit.
    rng : numpy.random.Generator
        For the bootstrap over sweeps.
    config : FailureSizeConfig, optional
        Criteria, and the number of sites if it is known.
    unit : str
        Unit of the amplitudes, kept with the result.

    Returns
    -------
    QuantalSize
        With a status other than ``"ok"``, and NaN, when failures cannot be told from responses in the noise, either
        are too few, or responses go against the expected polarity.

    Raises
    ------
    EphysplastError
        If the noise is no number.

    Notes
    -----
    With the failure fraction f₀ = (1 − p)ⁿ the mean quantal content is m = n(1 − f₀^(1/n)), between 1 − f₀ (one site)
    and −ln f₀ (many sites, Poisson: del Castillo & Katz 1954, doi:10.1113/jphysiol.1954.sp005129), and q = mean / m.
    When n is not known the value is the geometric middle of both ends, the width between them (uniform in the
    logarithm) is part of `log_sd`, and the interval reaches from the lower limit of one to the upper limit of the
    other. Sites are taken to be equal in p; where they are not, m is larger and q smaller than found.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> sweeps = 10.0 * rng.binomial(4, 0.2, 400) + rng.normal(0, 0.5, 400)
    >>> found = quantal_size_from_failures(sweeps, noise_sd=0.5, rng=rng, config=FailureSizeConfig(n_sites=4.0))
    >>> found.low < 10.0 < found.high
    True
    """
    config = config or FailureSizeConfig()
    if not (np.isfinite(noise_sd) and noise_sd >= 0.0):
        raise EphysplastError("the noise is not known", got=str(noise_sd), wanted="a standard deviation of 0 or more")
    seen = _known(amplitudes)
    missed = seen < config.failure_sd * noise_sd
    source = f"{np.count_nonzero(missed)} failures in {seen.size} sweeps"
    if why := _refusal(seen, missed, noise_sd, config):
        return _missing(why, source, unit)
    sites = (1.0, inf) if np.isnan(config.n_sites) else (config.n_sites, config.n_sites)
    drawn = seen[rng.integers(seen.size, size=(config.n_boot, seen.size))]
    with np.errstate(divide="ignore", invalid="ignore"):
        found = [float(_size(seen[None], noise_sd, n, config)[0]) for n in sites]
        logs = [np.log(_size(drawn, noise_sd, n, config)) for n in sites]
    if not min(found) > 0.0:
        return _missing("the mean of all sweeps is not above zero: there is no response to speak of", source, unit)
    intervals = [percentile_interval(each, config.level, n=float(seen.size)) for each in logs]
    return _from_logs(np.log(found), logs, intervals, config, source, unit)


def _from_logs(
    found: FloatArray,
    logs: list[FloatArray],
    intervals: list[Interval],
    config: FailureSizeConfig,
    source: str,
    unit: str,
) -> QuantalSize:
    """Put both ends, one site and many, together; they are the same when n is known."""
    sampling = max(float(np.nanstd(each)) for each in logs)
    log_sd = float(np.sqrt(sampling**2 + (found[0] - found[1]) ** 2 / 12.0 + config.extra_log_sd**2))
    how = "one to many sites" if np.isnan(config.n_sites) else f"{config.n_sites:g} sites"
    return QuantalSize(
        value=float(np.exp(found.mean())),
        log_sd=log_sd,
        low=float(np.exp(min(each.low for each in intervals))),
        high=float(np.exp(max(each.high for each in intervals))),
        source=f"{source} of minimal stimulation, {how}",
        unit=unit,
    )


def _size(rows: FloatArray, noise_sd: float, n_sites: float, config: FailureSizeConfig) -> FloatArray:
    """Mean over mean quantal content of every row; NaN where the mean is not above 0."""
    limit = config.failure_sd * noise_sd
    # Half a failure and half a response more keep the content finite in samples that drew none.
    fraction = ((rows < limit).sum(axis=1) + 0.5) / (rows.shape[1] + 1.0)
    fraction = np.minimum(fraction / special.ndtr(config.failure_sd), rows.shape[1] / (rows.shape[1] + 0.5))
    log_failed = np.log(fraction)
    content = -log_failed if np.isinf(n_sites) else -n_sites * np.expm1(log_failed / n_sites)
    mean = rows.mean(axis=1)
    return np.asarray(np.where(mean > 0.0, mean, nan) / content)


def _refusal(seen: FloatArray, missed: NDArray[np.bool_], noise_sd: float, config: FailureSizeConfig) -> str:
    if noise_sd == 0.0:
        return "the noise was not measured, so failures cannot be told from responses"
    if seen.size and seen.mean() < -_REVERSED_SE * noise_sd / np.sqrt(seen.size):
        return f"the responses go the other way: a mean of {number(seen.mean())}"
    failed, responses = int(missed.sum()), int(seen.size - missed.sum())
    near = int(np.count_nonzero((seen >= 3.0 * noise_sd) & (seen < 5.0 * noise_sd)))
    if near > max(1.0, config.gap_share * responses):
        return f"failures cannot be told from responses: {near} of {responses} lie within 3–5 SD of the noise"
    if min(failed, responses) < config.min_count:
        return (
            f"{failed} failures and {responses} responses: at least {config.min_count} of each are needed to count by"
        )
    return ""


def _median(seen: FloatArray) -> tuple[float, float]:
    """Median and its standard error, from the chance of each ordered value to be the median of a sample."""
    ordered, n = np.sort(seen), seen.size
    half = (n + 1) / 2.0
    weight = np.diff(special.betainc(half, half, np.arange(n + 1) / n))
    first, second = float(weight @ ordered), float(weight @ ordered**2)
    return float(np.median(seen)), float(np.sqrt(max(second - first**2, 0.0)))


def _known(amplitudes: ArrayLike) -> FloatArray:
    seen = np.asarray(amplitudes, dtype=np.float64)
    if seen.ndim != 1:
        raise EphysplastError(
            "the amplitudes are not a list", got=f"{seen.ndim} dimensions", wanted="one amplitude per event or sweep"
        )
    return seen[np.isfinite(seen)]


def _missing(why: str, source: str, unit: str) -> QuantalSize:
    return QuantalSize(value=nan, log_sd=nan, source=source, status=why, unit=unit)
