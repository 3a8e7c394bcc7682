"""Whether the two phases of an intrinsic-plasticity experiment were recorded alike."""

from math import isfinite
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast._words import number
from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.classify._intrinsic_change import with_unit
from ephysplast.errors import OK
from ephysplast.result import Estimate
from ephysplast.verdict import Check, QualityCheck

if TYPE_CHECKING:
    from ephysplast.classify.intrinsic import IntrinsicConfig

_RHEOBASE: Final = "this alone shifts the rheobase"
_LEVEL: Final = "currents count from another level, and at another rest that alone shifts the rheobase"


def check_phases(
    before: ExcitabilityResult, after: ExcitabilityResult, config: "IntrinsicConfig"
) -> tuple[QualityCheck, ...]:
    """Check what would make two phases differ although the cell did not change."""
    return (
        _protocol(before, after, config.largest_protocol_difference_percent),
        _currents(before, after),
        _repeats(before, after),
        _shift("rest", "mV", before.rest_mv, after.rest_mv, config.largest_rest_shift_mv, _RHEOBASE),
        _shift("holding", "pA", before.holding_pa, after.holding_pa, config.largest_holding_shift_pa, _LEVEL),
        _resistance(before.rin_mohm, after.rin_mohm, config.largest_rin_change_percent),
        _bridge(before, after, config.largest_bridge_shift_mohm),
        _counted("spontaneous firing", "fired at holding", before.n_spontaneous, after.n_spontaneous, before, after),
        _block(before, after),
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
                f"the {before.protocol} have another {what} before ({number(first)} {unit}) than after "
                f"({number(second)} {unit}), and rheobase and rates depend on it: record the same in both phases"
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
        outcome: Check = "pass" if fewest >= 3 else "warn"
        said = f"{before.n_sweeps} ramps before, {after.n_sweeps} after"
        return QualityCheck(name=name, outcome=outcome, sentence=said)
    if not (before.n_repeats.size and after.n_repeats.size):
        return QualityCheck(name=name, outcome="not testable", sentence="no steps to count")
    each = [float(np.median(phase.n_repeats)) for phase in (before, after)]
    if min(each) >= 2:
        said = f"{each[0]:g} sweeps at each current before, {each[1]:g} after"
        return QualityCheck(name=name, outcome="pass", sentence=said)
    said = (
        "one sweep at each current: how much the rheobase varies from sweep to sweep only repeats could show, so it "
        "must move by three steps to count"
    )
    return QualityCheck(name=name, outcome="warn", sentence=said)


def _shift(name: str, unit: str, before: Estimate, after: Estimate, most: float, why: str) -> QualityCheck:
    if not (isfinite(before.value) and isfinite(after.value)):
        return QualityCheck(name=name, outcome="not testable", sentence=f"{name} is not known in both phases")
    said = f"{name} {with_unit(before.value, unit)} before, {with_unit(after.value, unit)} after"
    if abs(after.value - before.value) <= most:
        return QualityCheck(name=name, outcome="pass", sentence=said)
    return QualityCheck(name=name, outcome="warn", sentence=f"{said}: {why}")


def _resistance(before: Estimate, after: Estimate, most_percent: float) -> QualityCheck:
    name = "R_in"
    if not (isfinite(before.value) and isfinite(after.value) and before.value > 0.0):
        return QualityCheck(name=name, outcome="not testable", sentence="R_in is not known in both phases")
    percent = 100.0 * (after.value / before.value - 1.0)
    said = f"R_in {with_unit(before.value, 'MΩ')} before, {with_unit(after.value, 'MΩ')} after"
    if abs(percent) <= most_percent:
        return QualityCheck(name=name, outcome="pass", sentence=said)
    said += f" ({number(percent, 0, sign=True)} %): a seal or an access that has changed would move the rheobase too"
    return QualityCheck(name=name, outcome="warn", sentence=said)


def _bridge(before: ExcitabilityResult, after: ExcitabilityResult, most_mohm: float) -> QualityCheck:
    name, (first, second) = "bridge", (before.bridge_mohm, after.bridge_mohm)
    if not (isfinite(first.value) and isfinite(second.value)):
        said = "whether the bridge was balanced does not show in both phases"
        return QualityCheck(name=name, outcome="not testable", sentence=said)
    said = (
        f"the jump of the potential at the steps' edges is that of {with_unit(first.value, 'MΩ')} before and "
        f"{with_unit(second.value, 'MΩ')} after"
    )
    if abs(second.value - first.value) <= most_mohm:
        return QualityCheck(name=name, outcome="pass", sentence=said)
    said += ": the balance of the bridge has changed, which shows in R_in, sag and threshold where it is not taken off"
    return QualityCheck(name=name, outcome="warn", sentence=said)


def _block(before: ExcitabilityResult, after: ExcitabilityResult) -> QualityCheck:
    made = _counted("depolarisation block", "went into block", before.n_blocked, after.n_blocked, before, after)
    if not (before.n_collapsed or after.n_collapsed):
        return made
    said = (
        f"{made.sentence}; in {before.n_collapsed} before and {after.n_collapsed} after the spikes collapsed on the "
        f"way there. The f–I gain leaves them out"
    )
    return QualityCheck(name=made.name, outcome="warn", sentence=said)


def _counted(
    name: str, what: str, n_before: int, n_after: int, before: ExcitabilityResult, after: ExcitabilityResult
) -> QualityCheck:
    said = f"{n_before} of {before.n_sweeps} sweeps before and {n_after} of {after.n_sweeps} after {what}"
    return QualityCheck(name=name, outcome="warn" if n_before or n_after else "pass", sentence=said)


def _listed(current_pa: np.ndarray) -> str:
    return f"{current_pa.size} from {with_unit(current_pa[0], 'pA')} to {with_unit(current_pa[-1], 'pA')}"
