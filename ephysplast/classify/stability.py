"""Whether the baseline is one: its slope, and how well it is known."""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np

from ephysplast._words import number
from ephysplast.errors import LEVELS, OK, check_settings
from ephysplast.experiment import BASELINE, SweepTable
from ephysplast.result import Result
from ephysplast.statistics import slope_interval
from ephysplast.verdict import Check, QualityCheck

if TYPE_CHECKING:
    import pandas as pd

_S_PER_10_MIN = 600.0


@dataclass(frozen=True, kw_only=True)
class StabilityConfig:
    """When a baseline is stable.

    Attributes
    ----------
    slope_limit_percent_per_10min : float
        A steeper slope is drift, if its interval excludes zero. 10 % in 10 min is what the field tolerates.
    testable_percent_per_10min : float
        A baseline whose slope is known less well than this (half-width of the interval) can be called neither stable
        nor unstable. 30 % is the size of many published changes.
    level : float
        Confidence level of the slope's interval.
    refuse : bool
        Refuse an experiment with an unstable baseline; otherwise only warn.
    """

    slope_limit_percent_per_10min: float = 10.0
    testable_percent_per_10min: float = 30.0
    level: float = 0.95
    refuse: bool = True

    def __post_init__(self) -> None:
        """Refuse limits that cannot be."""
        check_settings(
            self,
            slope_limit_percent_per_10min=(0.01, inf),
            testable_percent_per_10min=(0.01, inf),
            level=LEVELS,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class StabilityResult(Result):
    """The baseline's slope and what follows from it.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is no slope.
    kind : {"stable", "unstable", "not testable"}
        The answer.
    slope_percent_per_10min, low_percent_per_10min, high_percent_per_10min : float
        Least-squares slope in percent of the baseline mean, with its interval; NaN when `status` is not ``"ok"``.
    sentence : str
        The same for people.
    """

    status: str = OK
    kind: Literal["stable", "unstable", "not testable"]
    slope_percent_per_10min: float = float("nan")
    low_percent_per_10min: float = float("nan")
    high_percent_per_10min: float = float("nan")
    sentence: str

    @property
    def check(self) -> QualityCheck:
        """The answer as one gate among the others."""
        outcomes: dict[str, Check] = {"stable": "pass", "unstable": "fail", "not testable": "not testable"}
        return QualityCheck(name="baseline", outcome=outcomes[self.kind], sentence=self.sentence)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row."""
        import pandas as pd

        names = ("status", "kind", "slope_percent_per_10min", "low_percent_per_10min", "high_percent_per_10min")
        return pd.DataFrame([{name: getattr(self, name) for name in (*names, "sentence")}])


def check_stability(table: SweepTable, config: StabilityConfig | None = None) -> StabilityResult:
    """Fit a line to the baseline's first responses.

    Parameters
    ----------
    table : SweepTable
        Its used baseline sweeps are taken.
    config : StabilityConfig, optional
        Limits.

    Returns
    -------
    StabilityResult
        *unstable* when the slope's interval excludes zero and the slope exceeds the limit; *not testable* when the
        interval is too wide; else *stable*. With fewer than 6 sweeps, or a mean that is not above zero, there is no
        slope and `status` says so.

    Examples
    --------
    >>> nothing, n = np.full(30, np.nan), 30
    >>> rundown = SweepTable(
    ...     unit="pA", phase=np.full(n, "baseline"), time_s=20.0 * np.arange(n),
    ...     amplitude=100.0 - np.arange(n)[:, None] + np.random.default_rng(0).normal(size=(n, 1)),
    ...     noise=nothing, interval_s=np.zeros(1), rs_mohm=nothing, rin_mohm=nothing, holding=nothing,
    ...     excluded=("ok",) * n, file=("a.abf",) * n, sweep=np.arange(1, n + 1))
    >>> check_stability(rundown).kind
    'unstable'
    """
    limits = config or StabilityConfig()
    here = table.of_phase(BASELINE)
    time, amplitude = table.time_s[here], table.amplitude[here, 0]
    mean = float(amplitude.mean()) if amplitude.size else float("nan")
    slope, (low, high) = slope_interval(time, amplitude, level=limits.level)
    if not (np.isfinite(slope) and np.isfinite(low) and mean > 0):
        reason = f"the slope of the baseline cannot be tested: {amplitude.size} sweeps with a mean of {number(mean)}"
        return StabilityResult(status=reason, kind="not testable", sentence=reason)
    slope, low, high = (each / mean * 100.0 * _S_PER_10_MIN for each in (slope, low, high))
    kind = _kind(slope, low, high, limits)
    return StabilityResult(
        kind=kind,
        slope_percent_per_10min=slope,
        low_percent_per_10min=low,
        high_percent_per_10min=high,
        sentence=_sentence(kind, slope, low, high, minutes=float(np.ptp(time)) / 60.0, n=time.size, limits=limits),
    )


def _kind(
    slope: float, low: float, high: float, limits: StabilityConfig
) -> Literal["stable", "unstable", "not testable"]:
    if (low > 0 or high < 0) and abs(slope) > limits.slope_limit_percent_per_10min:
        return "unstable"
    return "not testable" if (high - low) / 2.0 > limits.testable_percent_per_10min else "stable"


def _sentence(
    kind: str, slope: float, low: float, high: float, *, minutes: float, n: int, limits: StabilityConfig
) -> str:
    measured = f"slope {slope:+.1f} %/10 min [{low:.1f}, {high:.1f}] over {n} sweeps in {minutes:.3g} min"
    if kind == "unstable":
        return f"the baseline is unstable: {measured}; limit ±{limits.slope_limit_percent_per_10min:g} %/10 min"
    if kind == "stable":
        return f"the baseline is stable: {measured}"
    return (
        f"whether the baseline is stable cannot be tested: {measured}, known less well than "
        f"±{limits.testable_percent_per_10min:g} %/10 min"
    )
