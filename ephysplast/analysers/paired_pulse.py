"""Paired-pulse ratio, and the ratios of a train: how the later responses compare with the first."""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from ephysplast.errors import LEVELS, OK, RESAMPLES, EphysplastError, SettingsError, check_settings
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result
from ephysplast.statistics import NO_INTERVAL, Interval, block_length, bootstrap_interval, ratio_interval_fieller

if TYPE_CHECKING:
    import pandas as pd

ONE_PULSE = "there is only one pulse in a sweep"


@dataclass(frozen=True, kw_only=True)
class PairedPulseConfig:
    """How the ratios and their intervals are computed.

    Attributes
    ----------
    method : {"bootstrap", "fieller"}
        ``"bootstrap"`` (default) resamples neighbouring sweeps together and so allows for slow fluctuations;
        ``"fieller"`` is exact for independent Gaussian amplitudes and needs no random numbers.
    n_boot : int
        Bootstrap samples; 2000 hold the bounds of a 95 % interval steady to about 3 % of its width.
    level : float
        Confidence level.
    min_sweeps : int
        With fewer sweeps no ratio is given: an interval from four sweeps or fewer says nothing.
    """

    method: Literal["bootstrap", "fieller"] = "bootstrap"
    n_boot: int = 2000
    level: float = 0.95
    min_sweeps: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.method not in ("bootstrap", "fieller"):
            raise SettingsError("there is no such method", got=repr(self.method), wanted="'bootstrap' or 'fieller'")
        check_settings(self, level=LEVELS, n_boot=RESAMPLES, min_sweeps=(3, inf))


@dataclass(frozen=True, eq=False, kw_only=True)
class PairedPulseResult(Result):
    """Ratios of every later response to the first.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is no ratio at all.
    ratio_status : tuple of str, length n_pulses - 1
        ``"ok"``, or why this ratio is NaN.
    paired_pulse_ratio : numpy.ndarray, shape (n_pulses - 1,)
        Mean of the second, third, … response / mean of the first, in the sweeps that have both.
    ratio_low, ratio_high : numpy.ndarray, shape (n_pulses - 1,)
        Its interval.
    mean_of_ratios : numpy.ndarray, shape (n_pulses - 1,)
        Mean of the ratios of single sweeps. It is biased upwards wherever the first response is small in some sweeps,
        and is given for comparison with older work only.
    n_sweeps : numpy.ndarray of int64, shape (n_pulses - 1,)
        Sweeps used for each ratio.
    mean_amplitude : numpy.ndarray, shape (n_pulses,)
        Mean of each response over all sweeps in which it was measured.
    method : str
        How the interval was computed.
    level : float
        Confidence level.
    """

    status: str
    ratio_status: tuple[str, ...]
    paired_pulse_ratio: FloatArray
    ratio_low: FloatArray
    ratio_high: FloatArray
    mean_of_ratios: FloatArray
    n_sweeps: IntArray
    mean_amplitude: FloatArray
    method: str
    level: float

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per later pulse."""
        import pandas as pd

        return pd.DataFrame(
            {
                "pulse": np.arange(2, self.mean_amplitude.size + 1),
                "paired_pulse_ratio": self.paired_pulse_ratio,
                "ratio_low": self.ratio_low,
                "ratio_high": self.ratio_high,
                "mean_of_ratios": self.mean_of_ratios,
                "n_sweeps": self.n_sweeps,
                "status": list(self.ratio_status),
            }
        )


def measure_paired_pulse(
    amplitude: FloatArray,
    *,
    noise: FloatArray | None = None,
    config: PairedPulseConfig = PairedPulseConfig(),
    rng: np.random.Generator,
) -> PairedPulseResult:
    """Compare every later response with the first.

    Parameters
    ----------
    amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        Magnitudes along the expected polarity, in order of time; NaN where not measured.
    noise : numpy.ndarray, shape (n_sweeps,), optional
        The same measure in a stretch without response. When given, the first response must exceed it, and not only
        zero: a drifting baseline then passes for no response.
    config : PairedPulseConfig
        Method, level and limits.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    PairedPulseResult
        NaN, with the reason, when the mean of the first response is not distinguishable from zero: the ratio could
        then be anything. The ratio of means is consistent; the mean of ratios is not (its bias grows with the CV of
        the first response).

    Raises
    ------
    EphysplastError
        If `amplitude` is not [sweep, pulse], or `noise` has another number of sweeps.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> amplitude = np.column_stack([rng.normal(100.0, 10.0, 30), rng.normal(60.0, 10.0, 30)])
    >>> result = measure_paired_pulse(amplitude, rng=rng)
    >>> result.status, round(float(result.paired_pulse_ratio[0]), 1)
    ('ok', 0.6)
    """
    rows = np.asarray(amplitude, dtype=np.float64)
    if rows.ndim != 2 or (noise is not None and np.shape(noise) != rows.shape[:1]):
        raise EphysplastError(
            "the amplitudes must be one row per sweep and one column per pulse, and the noise one value per sweep",
            got=f"{rows.shape} and {'none' if noise is None else np.shape(noise)}",
        )
    first = rows[:, 0] if noise is None else rows[:, 0] - np.asarray(noise, dtype=np.float64)
    status = ONE_PULSE if rows.shape[1] < 2 else _first_response(first, config)
    later = [_ratio(rows[:, 0], rows[:, pulse], status, config, rng) for pulse in range(1, rows.shape[1])]
    return PairedPulseResult(
        status=status,
        ratio_status=tuple(each.status for each in later),
        paired_pulse_ratio=np.array([each.ratio for each in later], dtype=np.float64),
        ratio_low=np.array([each.interval.low for each in later], dtype=np.float64),
        ratio_high=np.array([each.interval.high for each in later], dtype=np.float64),
        mean_of_ratios=np.array([each.mean_of_ratios for each in later], dtype=np.float64),
        n_sweeps=np.array([each.n_sweeps for each in later], dtype=np.int64),
        mean_amplitude=np.array([_mean(column) for column in rows.T], dtype=np.float64),
        method=config.method,
        level=config.level,
    )


@dataclass(frozen=True, kw_only=True)
class _Ratio:
    status: str
    n_sweeps: int
    ratio: float = float("nan")
    interval: Interval = NO_INTERVAL
    mean_of_ratios: float = float("nan")


def _first_response(first: FloatArray, config: PairedPulseConfig) -> str:
    """Say whether the mean of the first response is above zero, allowing for sweeps that resemble their neighbours."""
    known = first[np.isfinite(first)]
    if known.size < config.min_sweeps:
        return f"only {known.size} sweeps with a first response, fewer than {config.min_sweeps}"
    block = block_length(known)
    n_independent = known.size / block
    error = float(known.std(ddof=1)) * np.sqrt(block / known.size)
    half = float(special.stdtrit(max(n_independent - 1.0, 2.0), 0.5 + config.level / 2.0)) * error
    if known.mean() - half > 0.0:
        return OK
    if known.mean() + half < 0.0:
        return "the first response goes against the expected polarity"
    return "the mean of the first response cannot be told from zero, so a ratio to it could be anything"


def _ratio(
    first: FloatArray, later: FloatArray, status: str, config: PairedPulseConfig, rng: np.random.Generator
) -> _Ratio:
    both = np.isfinite(first) & np.isfinite(later)
    n = int(both.sum())
    if status != OK:
        return _Ratio(status=status, n_sweeps=n)
    if n < config.min_sweeps:
        return _Ratio(status=f"only {n} sweeps have both responses, fewer than {config.min_sweeps}", n_sweeps=n)
    bottom, top = first[both], later[both]
    if bottom.mean() <= 0.0:
        return _Ratio(status="the first response vanishes in the sweeps that have both", n_sweeps=n)
    ratio = float(top.mean() / bottom.mean())
    usable = bottom != 0.0
    return _Ratio(
        status=OK,
        n_sweeps=n,
        ratio=ratio,
        interval=_interval(top, bottom, ratio, config, rng),
        mean_of_ratios=_mean(top[usable] / bottom[usable]),
    )


def _interval(
    top: FloatArray, bottom: FloatArray, ratio: float, config: PairedPulseConfig, rng: np.random.Generator
) -> Interval:
    if config.method == "fieller":
        return ratio_interval_fieller(top, bottom, paired=True, level=config.level)

    def ratio_of_means(rows: IntArray) -> FloatArray:
        below = bottom[rows].mean(axis=-1)
        answer = np.full(below.shape, np.inf)
        np.divide(top[rows].mean(axis=-1), below, out=answer, where=below > 0.0)
        return answer

    # What a ratio of means inherits of the sweeps' likeness is that of top − ratio × bottom.
    block = block_length(top - ratio * bottom)
    _, interval = bootstrap_interval(
        ratio_of_means, top.size, rng=rng, block=block, n_boot=config.n_boot, level=config.level
    )
    return interval


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
