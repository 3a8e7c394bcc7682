"""Did the response change, and in which direction: LTP, LTD, no change, or inconclusive."""

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np

from ephysplast._words import number
from ephysplast.classify.resample import bootstrap_weights
from ephysplast.errors import LEVELS, OK, RESAMPLES, check_settings
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.recording import FloatArray
from ephysplast.result import Result
from ephysplast.statistics import Interval, block_length, percentile_interval
from ephysplast.verdict import Sign

if TYPE_CHECKING:
    import pandas as pd

_MANY = 100.0
"""An experiment this many times as long is no advice."""


@dataclass(frozen=True, kw_only=True)
class SignConfig:
    """What counts as a change.

    Attributes
    ----------
    window_min : float
        Evaluation window: the last minutes of the post phase. 10 min is the custom.
    smallest_change_percent : float
        Smallest change of interest; LTP and LTD exceed it, *no change* lies within it.
    level : float
        Confidence level.
    n_boot : int
        Bootstrap samples. 2000 put the bounds of a 95 % interval within about 2 % of their place.
    minimum_sweeps : int
        Fewer in the evaluation window give no answer.
    """

    window_min: float = 10.0
    smallest_change_percent: float = 10.0
    level: float = 0.95
    n_boot: int = 2000
    minimum_sweeps: int = 5

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            window_min=(0.1, inf),
            smallest_change_percent=(0.0, inf),
            level=LEVELS,
            n_boot=RESAMPLES,
            minimum_sweeps=(3, inf),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class SignResult(Result):
    """The sign of a change, with its numbers.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is no ratio; then `sign` is ``"refused"`` and the numbers are NaN.
    sign : {"LTP", "LTD", "no change", "inconclusive", "refused"}
        The answer.
    change, low, high : float
        Evaluation window / baseline, divided by the same of the control pathway when there is one.
    control_change : float
        Evaluation window / baseline of the control pathway; NaN without one.
    n_baseline, n_window : int
        Sweeps of the test pathway in baseline and evaluation window.
    sentence : str
        The same for people; for *inconclusive* with what it would take.
    """

    status: str = OK
    sign: Sign
    change: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    control_change: float = float("nan")
    n_baseline: int = 0
    n_window: int = 0
    sentence: str = ""

    def to_frame(self) -> "pd.DataFrame":
        """Return one row."""
        import pandas as pd

        names = ("status", "sign", "change", "low", "high", "control_change", "n_baseline", "n_window", "sentence")
        return pd.DataFrame([{name: getattr(self, name) for name in names}])


def judge_sign(
    table: SweepTable, config: SignConfig | None = None, *, rng: np.random.Generator, control: SweepTable | None = None
) -> SignResult:
    """Compare the evaluation window with the baseline.

    Parameters
    ----------
    table : SweepTable
        Test pathway.
    config : SignConfig, optional
        Window, margin, level.
    rng : numpy.random.Generator
        For the bootstrap.
    control : SweepTable, optional
        Control pathway of the same cell on the same clock. Sweeps of both pathways that lie next to each other in
        time are resampled together, so what they share cancels.

    Returns
    -------
    SignResult
        LTP or LTD when the interval excludes 1 and the change exceeds the margin; *no change* when the interval lies
        inside the margin; else *inconclusive*. Refused when the baseline cannot be told from zero.

    Examples
    --------
    >>> rng, nothing = np.random.default_rng(1), np.full(120, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.repeat(["baseline", "post"], 60), time_s=10.0 * np.arange(120),
    ...     amplitude=np.repeat([[100.0], [150.0]], 60, axis=0) + rng.normal(0, 20, (120, 1)),
    ...     noise=nothing, interval_s=np.zeros(1), rs_mohm=nothing, rin_mohm=nothing, holding=nothing,
    ...     excluded=("ok",) * 120, file=("a.abf",) * 120, sweep=np.arange(1, 121))
    >>> judge_sign(table, rng=rng).sign
    'LTP'
    """
    limits = config or SignConfig()
    start_s, window_said = _window(table, limits)
    before = _Units.gather(table, control, BASELINE, from_s=-np.inf)
    after = _Units.gather(table, control, POST, from_s=start_s)
    drawn_before, drawn_after = (each.draw(limits.n_boot, rng) for each in (before, after))
    reason = _not_comparable(before, after, drawn_before, table.unit, limits, window_said)
    if reason:
        return SignResult(
            status=reason, sign="refused", sentence=reason, n_baseline=before.n_test, n_window=after.n_test
        )
    usable = min(before.n_control, after.n_control) >= limits.minimum_sweeps
    ratios = drawn_after / drawn_before
    divided = ratios[:, 0] / ratios[:, 1] if usable else ratios[:, 0]
    n_independent = min(before.n_independent, after.n_independent)
    interval = percentile_interval(divided[1:], limits.level, n=n_independent)
    change, control_change = float(divided[0]), float(ratios[0, 1]) if usable else float("nan")
    sign = _sign(change, interval, limits.smallest_change_percent / 100.0)
    sentence = f"{sign}: change {change:.2f} [{interval.low:.2f}, {interval.high:.2f}] in {window_said}"
    if usable:
        sentence += f", control {control_change:.2f} divided out"
    elif control is not None:
        sentence += ", the control pathway has too few sweeps to be divided out"
    if sign == "inconclusive":
        sentence += f"; {_what_it_takes(change, interval, limits, n=(before.n_test, after.n_test))}"
    return SignResult(
        sign=sign,
        change=change,
        low=interval.low,
        high=interval.high,
        control_change=control_change,
        n_baseline=before.n_test,
        n_window=after.n_test,
        sentence=sentence,
    )


def _not_comparable(
    before: "_Units", after: "_Units", drawn: FloatArray, unit: str, limits: SignConfig, window_said: str
) -> str:
    """Say why there is no ratio; empty when there is one."""
    if min(before.n_test, after.n_test) < limits.minimum_sweeps:
        return f"only {before.n_test} baseline sweeps and {after.n_test} sweeps in {window_said} are usable"
    return _no_response(drawn, before, unit, limits) or _no_response(drawn, before, unit, limits, column=1)


def _sign(change: float, interval: Interval, margin: float) -> Sign:
    low, high = interval
    if low > 1.0 and change > 1.0 + margin:
        return "LTP"
    if high < 1.0 and change < 1.0 - margin:
        return "LTD"
    return "no change" if low >= 1.0 - margin and high <= 1.0 + margin else "inconclusive"


def _window(table: SweepTable, limits: SignConfig) -> tuple[float, str]:
    """Return when the evaluation window begins, and its name."""
    time = np.sort(table.time_s[table.phase == POST])
    step = float(np.median(np.diff(time))) if time.size > 1 else 0.0
    length = limits.window_min * 60.0
    if time[-1] - time[0] + step < length * (1.0 - 1e-9):
        minutes = (time[-1] - time[0] + step) / 60.0
        return float(time[0]), f"all {minutes:.3g} min of post (shorter than the window of {limits.window_min:g} min)"
    return float(time[-1] + 0.5 * step - length), f"the last {limits.window_min:g} min"


@dataclass(frozen=True, eq=False, kw_only=True)
class _Units:
    """Sums and counts (test, control) of what is resampled together: one test sweep and the controls up to the next."""

    sums: FloatArray
    counts: FloatArray
    block: int

    @classmethod
    def gather(cls, test: SweepTable, control: SweepTable | None, phase: str, *, from_s: float) -> "_Units":
        here = test.of_phase(phase) & (test.time_s >= from_s)
        value, time = test.amplitude[here, 0], test.time_s[here]
        sums, counts = np.zeros((value.size, 2)), np.zeros((value.size, 2))
        sums[:, 0], counts[:, 0] = value, 1.0
        block = block_length(value)
        if control is not None and value.size:
            there = control.of_phase(phase) & (control.time_s >= from_s)
            beside = control.amplitude[there, 0]
            unit = np.clip(np.searchsorted(time, control.time_s[there], side="right") - 1, 0, value.size - 1)
            np.add.at(sums[:, 1], unit, beside)
            np.add.at(counts[:, 1], unit, 1.0)
            # The control's fluctuations enter the ratio as well, and may be the slower ones.
            units_per_control = value.size / max(beside.size, 1)
            block = max(block, round(block_length(beside) * units_per_control))
        return cls(sums=sums, counts=counts, block=min(block, max(value.size // 4, 1)))

    @property
    def n_test(self) -> int:
        return len(self.sums)

    @property
    def n_control(self) -> int:
        return int(self.counts[:, 1].sum())

    @property
    def n_independent(self) -> float:
        return self.n_test / self.block

    def draw(self, n_boot: int, rng: np.random.Generator) -> FloatArray:
        """Means of test and control, shape (1 + n_boot, 2): of all units first; NaN without control."""
        if not self.n_test:
            return np.full((1 + n_boot, 2), np.nan)
        weights = bootstrap_weights(self.n_test, n_boot, block=self.block, rng=rng)
        weights = np.vstack([np.ones((1, self.n_test)), weights])
        n = weights @ self.counts
        return np.divide(weights @ self.sums, n, out=np.full_like(n, np.nan), where=n > 0.0)


def _no_response(drawn: FloatArray, units: _Units, unit: str, limits: SignConfig, *, column: int = 0) -> str:
    """Say why nothing can be divided by the baseline mean; empty when it can."""
    mean = float(drawn[0, column])
    if not np.isfinite(mean):
        return ""
    low, high = percentile_interval(drawn[1:, column], limits.level, n=units.n_independent)
    if low > 0.0:
        return ""
    whose = "control baseline" if column else "baseline"
    numbers = f"{number(mean)} {unit} [{number(low)}, {number(high)}]"
    if high < 0.0:
        return f"the mean response of the {whose} has the wrong polarity: {numbers} along the expected one"
    return (
        f"the mean response of the {whose} cannot be told from zero: {numbers}; a change relative to it means nothing"
    )


def _what_it_takes(change: float, interval: Interval, limits: SignConfig, *, n: tuple[int, int]) -> str:
    """Say how many sweeps would decide: an interval shrinks with their square root, at this CV and autocorrelation."""
    margin = limits.smallest_change_percent / 100.0
    half = (interval.high - interval.low) / 2.0
    effect = abs(change - 1.0)
    distance = effect if effect > margin else margin - effect
    answer = ("LTP" if change > 1.0 else "LTD") if effect > margin else "no change"
    factor = (half / distance) ** 2 if distance > 0.0 else np.inf
    if not factor < _MANY:
        return f"so near the margin of ±{limits.smallest_change_percent:g} % no feasible number of sweeps would decide"
    factor = max(factor, 1.1)
    needed = [int(np.ceil(each * factor)) for each in n]
    return (
        f"if the change is what it seems, {answer} would need about {factor:.1f} × the sweeps: "
        f"{needed[0]} in baseline and {needed[1]} in the window"
    )
