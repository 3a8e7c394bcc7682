"""Whether the two phases of an intrinsic-plasticity experiment were recorded alike."""

from math import isfinite
from typing import TYPE_CHECKING

import numpy as np

from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.verdict import QualityCheck

if TYPE_CHECKING:
    from ephysplast.classify.intrinsic import IntrinsicConfig


def check_phases(
    before: ExcitabilityResult, after: ExcitabilityResult, config: "IntrinsicConfig"
) -> tuple[QualityCheck, ...]:
    """Check what would make two phases differ although the cell did not change."""
    return (
        _protocol(before, after, config.largest_protocol_difference_percent),
        _currents(before, after),
        _repeats(before, after),
        _shift("rest", "mV", before.rest_mv, after.rest_mv, config.largest_rest_shift_mv),
        _shift("holding", "pA", before.holding_pa, after.holding_pa, config.largest_holding_shift_pa),
        _counted("spontaneous firing", "fired at holding", before.n_spontaneous, after.n_spontaneous, before, after),
        _counted("depolarisation block", "went into block", before.n_blocked, after.n_blocked, before, after),
    )


def _protocol(before: ExcitabilityResult, after: ExcitabilityResult, most_percent: float) -> QualityCheck:
    name = "protocol"
    if OK not in (before.status, after.status) or before.status != after.status:
        return QualityCheck(name=name, outcome="not testable", sentence="one of the phases has no steps")
    if before.protocol != after.protocol:
        said = f"{before.protocol} before and {after.protocol} after cannot be compared: record the same in both phases"
        return QualityCheck(name=name, outcome="fail", sentence=said)
    for what, unit, first, second in (
        ("length", "s", before.step_duration_s, after.step_duration_s),
        ("speed", "pA/s", before.ramp_pa_per_s, after.ramp_pa_per_s),
    ):
        if abs(second - first) > most_percent / 100.0 * abs(first):
            said = (
                f"the {before.protocol} have another {what} before ({first:.3g} {unit}) than after "
                f"({second:.3g} {unit}), and rheobase and rates depend on it: record the same in both phases"
            )
            return QualityCheck(name=name, outcome="fail", sentence=said)
    return QualityCheck(name=name, outcome="pass", sentence=f"the same {before.protocol} before and after")


def _currents(before: ExcitabilityResult, after: ExcitabilityResult) -> QualityCheck:
    name, (first, second) = "currents", (before.current_pa, after.current_pa)
    if not (first.size and second.size):
        return QualityCheck(name=name, outcome="not testable", sentence="no steps to compare")
    if first.size == second.size and np.allclose(first, second, atol=0.5):
        return QualityCheck(name=name, outcome="pass", sentence=f"the same {first.size} currents before and after")
    said = f"other currents before ({_listed(first)}) than after ({_listed(second)}): their resolution differs"
    return QualityCheck(name=name, outcome="warn", sentence=said)


def _repeats(before: ExcitabilityResult, after: ExcitabilityResult) -> QualityCheck:
    name = "repeats"
    if "ramp" in (before.protocol, after.protocol):
        fewest = min(before.n_sweeps, after.n_sweeps)
        outcome, said = ("pass" if fewest >= 3 else "warn"), f"{before.n_sweeps} ramps before, {after.n_sweeps} after"
        return QualityCheck(name=name, outcome=outcome, sentence=said)  # type: ignore[arg-type]
    if not (before.n_repeats.size and after.n_repeats.size):
        return QualityCheck(name=name, outcome="not testable", sentence="no steps to count")
    each = [float(np.median(phase.n_repeats)) for phase in (before, after)]
    if min(each) >= 2:
        said = f"{each[0]:g} sweeps at each current before, {each[1]:g} after"
        return QualityCheck(name=name, outcome="pass", sentence=said)
    said = (
        "one sweep at each current: the rheobase is taken to vary from sweep to sweep by less than half a step, "
        "which only repeats could show"
    )
    return QualityCheck(name=name, outcome="warn", sentence=said)


def _shift(name: str, unit: str, before: Estimate, after: Estimate, most: float) -> QualityCheck:
    if not (isfinite(before.value) and isfinite(after.value)):
        return QualityCheck(name=name, outcome="not testable", sentence=f"{name} is not known in both phases")
    said = f"{name} {before.value:.3g} {unit} before, {after.value:.3g} {unit} after"
    if abs(after.value - before.value) <= most:
        return QualityCheck(name=name, outcome="pass", sentence=said)
    return QualityCheck(name=name, outcome="warn", sentence=f"{said}: this alone shifts the rheobase")


def _counted(
    name: str, what: str, n_before: int, n_after: int, before: ExcitabilityResult, after: ExcitabilityResult
) -> QualityCheck:
    said = f"{n_before} of {before.n_sweeps} sweeps before and {n_after} of {after.n_sweeps} after {what}"
    return QualityCheck(name=name, outcome="warn" if n_before or n_after else "pass", sentence=said)


def _listed(current_pa: np.ndarray) -> str:
    return f"{current_pa.size} from {current_pa[0]:.4g} to {current_pa[-1]:.4g} pA"
