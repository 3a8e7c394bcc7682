"""Gates before any conclusion: a failing sweep is excluded with its reason, a failing experiment is refused."""

from dataclasses import dataclass
from math import inf

import numpy as np
from scipy import stats

from ephysplast.classify.resample import BoolArray
from ephysplast.errors import LEVELS, OK, check_settings
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.recording import FloatArray
from ephysplast.verdict import Check, QualityCheck

_PHASES = (BASELINE, POST)
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class QualityConfig:
    """Limits of the gates.

    Attributes
    ----------
    rs_max_mohm : float
        Series resistance above which voltage clamp of a synaptic current is not believed.
    rs_change_percent, rin_change_percent : float
        How far R_s and R_in of a sweep may lie from their baseline median: the field's 20 and 30 %.
    vm_min_mv, vm_max_mv : float
        Membrane potential before the stimulus, in current clamp. −90 to −45 mV covers healthy neurons at rest.
    holding_max_pa : float
        Largest holding current, of either sign, in voltage clamp. 1000 pA is generous: large and caesium-filled cells
        need hundreds.
    rs_correlation : float
        A correlation of amplitude with R_s is warned of when its interval excludes zero and it is at least this: 0.2
        explains 4 % of the variance.
    minimum_sweeps : int
        Fewer in baseline or post refuse the experiment.
    minimum_share : float
        Share of a phase that must remain.
    level : float
        Confidence level of the correlation's interval.
    """

    rs_max_mohm: float = 30.0
    rs_change_percent: float = 20.0
    rin_change_percent: float = 30.0
    vm_min_mv: float = -90.0
    vm_max_mv: float = -45.0
    holding_max_pa: float = 1000.0
    rs_correlation: float = 0.2
    minimum_sweeps: int = 10
    minimum_share: float = 0.5
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse limits that cannot be."""
        above_zero = ("rs_max_mohm", "rs_change_percent", "rin_change_percent", "holding_max_pa")
        check_settings(self, **dict.fromkeys(above_zero, (1e-6, inf)))
        check_settings(self, minimum_sweeps=(1, inf), minimum_share=(0.0, 1.0), rs_correlation=(0.0, 1.0), level=LEVELS)
        check_settings(self, vm_min_mv=(-inf, self.vm_max_mv))


def check_quality(
    table: SweepTable, config: QualityConfig | None = None
) -> tuple[SweepTable, tuple[QualityCheck, ...]]:
    """Pass every sweep and the whole experiment through the gates.

    Parameters
    ----------
    table : SweepTable
        R_s, R_in or holding that were not measured (NaN) make their gate *not testable*; they are no failure.
    config : QualityConfig, optional
        Limits.

    Returns
    -------
    table : SweepTable
        With more sweeps excluded, each with its reason.
    checks : tuple of QualityCheck
        ``"fail"`` refuses the experiment, and its sentence is the reason; ``"warn"`` goes on.

    Examples
    --------
    >>> n, nothing = 24, np.full(24, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.repeat(["baseline", "post"], 12), time_s=60.0 * np.arange(n),
    ...     amplitude=np.ones((n, 1)), noise=nothing, interval_s=np.zeros(1),
    ...     rs_mohm=np.repeat([12.0, 18.0], [14, 10]), rin_mohm=nothing, holding=nothing,
    ...     excluded=("ok",) * n, file=("a.abf",) * n, sweep=np.arange(1, n + 1))
    >>> checked, checks = check_quality(table)
    >>> checks[0].sentence
    'R_s rose from 12.0 to 18.0 MΩ (+50 %) at 14 min; limit ±20 %'
    >>> checked.excluded[-1]
    'R_s 18.0 MΩ is +50 % from its baseline 12.0 MΩ (limit ±20 %)'
    """
    limits = config or QualityConfig()
    gates = (
        _resistance(table, table.rs_mohm, "R_s", limits.rs_change_percent, limits, top=limits.rs_max_mohm),
        _resistance(table, table.rin_mohm, "R_in", limits.rin_change_percent, limits),
        _holding(table, limits),
    )
    reasons: dict[int, str] = {}
    for found, _ in gates:
        reasons = found | reasons  # the first gate that fails a sweep gives the reason
    checked = table.with_exclusions(reasons)
    checks = (*(check for _, check in gates), _amplitude_and_rs(checked, limits), _enough(checked, limits))
    return checked, checks


_Gate = tuple[dict[int, str], QualityCheck]


def _resistance(
    table: SweepTable,
    value: FloatArray,
    name: str,
    change_percent: float,
    limits: QualityConfig,
    *,
    top: float = float("inf"),
) -> _Gate:
    known = table.used & np.isfinite(value)
    if not known.any():
        return {}, QualityCheck(name=name, outcome="not testable", sentence=f"{name} was not measured")
    before = known & (table.phase == BASELINE)
    reference = float(np.median(value[before])) if before.any() else float("nan")
    high = known & (value > top)
    off = known & (np.abs(value / reference - 1.0) > change_percent / 100.0 + _ROUNDING)
    reasons = {
        int(i): f"{name} {value[i]:.1f} MΩ is {_percent(value[i] / reference)} from its baseline {reference:.1f} MΩ "
        f"(limit ±{change_percent:g} %)"
        for i in np.flatnonzero(off & ~high)
    }
    reasons |= {int(i): f"{name} {value[i]:.1f} MΩ lies above {top:g} MΩ" for i in np.flatnonzero(high)}
    after = known & (table.phase == POST)
    if not (before.any() and after.any()):
        sentence = f"{name} was not measured in both phases"
        return reasons, QualityCheck(name=name, outcome="not testable", sentence=sentence)
    lost = _lost_phase(table, known, high, limits)
    if lost:
        median = float(np.median(value[known & (table.phase == lost)]))
        sentence = f"{name} {median:.1f} MΩ (median of {lost}) lies above {top:g} MΩ"
        return reasons, QualityCheck(name=name, outcome="fail", sentence=sentence)
    return reasons, _change_check(table, value, known, off, name=name, reference=reference, limit=change_percent)


def _change_check(
    table: SweepTable,
    value: FloatArray,
    known: BoolArray,
    off: BoolArray,
    *,
    name: str,
    reference: float,
    limit: float,
) -> QualityCheck:
    after = known & (table.phase == POST)
    before = known & (table.phase == BASELINE)
    median = float(np.median(value[after]))
    if off[after].mean() > 0.5 or abs(median / reference - 1.0) > limit / 100.0 + _ROUNDING:
        shown = float(np.median(value[after & off]))
        verb = "rose" if shown > reference else "fell"
        at = table.time_s[_onset(off, after)] / 60.0
        sentence = (
            f"{name} {verb} from {reference:.1f} to {shown:.1f} MΩ ({_percent(shown / reference)}) "
            f"at {at:.0f} min; limit ±{limit:g} %"
        )
        return QualityCheck(name=name, outcome="fail", sentence=sentence)
    if off[before].mean() > 0.5:
        sentence = (
            f"{name} wanders: {off[before].sum()} of {before.sum()} baseline sweeps are further than {limit:g} % from "
            f"their median {reference:.1f} MΩ"
        )
        return QualityCheck(name=name, outcome="fail", sentence=sentence)
    n_off = int(off.sum())
    excluded = f"; {n_off} of {int(known.sum())} sweeps excluded (limit ±{limit:g} %)" if n_off else ""
    sentence = f"{name} {reference:.1f} MΩ in baseline, {median:.1f} MΩ after ({_percent(median / reference)})"
    return QualityCheck(name=name, outcome="warn" if n_off else "pass", sentence=sentence + excluded)


def _percent(ratio: float) -> str:
    return f"{100 * (ratio - 1):+.0f} %"


def _onset(off: BoolArray, after: BoolArray) -> int:
    """Find the first failing sweep from which on most fail: a single bad sweep earlier is not the jump."""
    rows = np.flatnonzero(after)
    failing = off[rows]
    share = np.cumsum(failing[::-1])[::-1] / np.arange(len(rows), 0, -1)
    lasting = np.flatnonzero(failing & (share > 0.5))
    return int(rows[lasting[0]]) if lasting.size else int(rows[np.argmax(failing)])


def _lost_phase(table: SweepTable, known: BoolArray, bad: BoolArray, limits: QualityConfig) -> str:
    for phase in _PHASES:
        here = known & (table.phase == phase)
        if here.any() and bad[here].mean() > 1.0 - limits.minimum_share:
            return phase
    return ""


def _holding(table: SweepTable, limits: QualityConfig) -> _Gate:
    known = table.used & np.isfinite(table.holding)
    current = table.unit.startswith("pA")
    name, unit = ("holding current", "pA") if current else ("membrane potential", "mV")
    if not known.any():
        sentence = f"the {name} was not measured"
        return {}, QualityCheck(name="holding", outcome="not testable", sentence=sentence)
    low, high = (-limits.holding_max_pa, limits.holding_max_pa) if current else (limits.vm_min_mv, limits.vm_max_mv)
    bad = known & ((table.holding < low) | (table.holding > high))
    said = f"{low:g} to {high:g} {unit}"
    reasons = {int(i): f"{name} {table.holding[i]:.0f} {unit} lies outside {said}" for i in np.flatnonzero(bad)}
    lost = _lost_phase(table, known, bad, limits)
    medians = [
        float(np.median(table.holding[known & (table.phase == each)]))
        for each in _PHASES
        if (known & (table.phase == each)).any()
    ]
    summary = f"{name} " + " → ".join(f"{each:.0f}" for each in medians) + f" {unit}"
    if lost:
        sentence = f"{summary}: most sweeps of {lost} lie outside {said}"
        return reasons, QualityCheck(name="holding", outcome="fail", sentence=sentence)
    if bad.any():
        sentence = f"{summary}; {int(bad.sum())} of {int(known.sum())} sweeps excluded (outside {said})"
        return reasons, QualityCheck(name="holding", outcome="warn", sentence=sentence)
    return reasons, QualityCheck(name="holding", outcome="pass", sentence=summary)


def _amplitude_and_rs(table: SweepTable, limits: QualityConfig) -> QualityCheck:
    """Correlate what is left of both beyond their phase means: an access that drifts takes the amplitude with it."""
    name = "amplitude against R_s"
    amplitude, resistance = [], []
    for phase in _PHASES:
        here = table.of_phase(phase) & np.isfinite(table.rs_mohm)
        if here.sum() >= 3:
            amplitude.append(table.amplitude[here, 0] - table.amplitude[here, 0].mean())
            resistance.append(table.rs_mohm[here] - table.rs_mohm[here].mean())
    x = np.concatenate(amplitude) if amplitude else np.empty(0)
    y = np.concatenate(resistance) if resistance else np.empty(0)
    if x.size < limits.minimum_sweeps or np.ptp(x) == 0 or np.ptp(y) == 0:
        return QualityCheck(name=name, outcome="not testable", sentence="R_s does not vary, or was not measured")
    r = float(np.corrcoef(x, y)[0, 1])
    low, high = _correlation_interval(r, x, y, n_means=len(amplitude), level=limits.level)
    warned = (low > 0 or high < 0) and abs(r) >= limits.rs_correlation
    how = "follows" if warned else "does not follow"
    sentence = f"amplitude {how} R_s within the phases: correlation {r:+.2f} [{low:.2f}, {high:.2f}]"
    outcome: Check = "warn" if warned else "pass"
    return QualityCheck(name=name, outcome=outcome, sentence=sentence)


def _correlation_interval(r: float, x: FloatArray, y: FloatArray, *, n_means: int, level: float) -> tuple[float, float]:
    """Fisher's interval, with as many observations as two autocorrelated series are worth (Quenouille 1947)."""
    lag_x, lag_y = (max(float(each[1:] @ each[:-1]) / float(each @ each), 0.0) for each in (x, y))
    n = x.size * (1.0 - lag_x * lag_y) / (1.0 + lag_x * lag_y)
    half = float(stats.norm.ppf(0.5 + level / 2.0)) / np.sqrt(max(n - n_means - 2.0, 1.0))
    centre = np.arctanh(np.clip(r, -1.0 + 1e-12, 1.0 - 1e-12))
    return float(np.tanh(centre - half)), float(np.tanh(centre + half))


def _enough(table: SweepTable, limits: QualityConfig) -> QualityCheck:
    counts = {phase: (int(table.of_phase(phase).sum()), int((table.phase == phase).sum())) for phase in _PHASES}
    summary = ", ".join(f"{used} of {total} {phase}" for phase, (used, total) in counts.items()) + " sweeps used"
    for phase, (used, total) in counts.items():
        if used < limits.minimum_sweeps or used < limits.minimum_share * total:
            wanted = f"at least {limits.minimum_sweeps} and {100 * limits.minimum_share:.0f} % are needed"
            why = _commonest(table, phase)
            sentence = f"too few sweeps: {used} of {total} {phase} sweeps are usable, {wanted}{why}"
            return QualityCheck(name="sweeps", outcome="fail", sentence=sentence)
    outcome: Check = "pass" if all(used == total for used, total in counts.values()) else "warn"
    return QualityCheck(name="sweeps", outcome=outcome, sentence=summary)


def _commonest(table: SweepTable, phase: str) -> str:
    reasons = [why for why, here in zip(table.excluded, table.phase == phase, strict=True) if here and why != OK]
    return f"; first reason: {reasons[0]}" if reasons else ""
