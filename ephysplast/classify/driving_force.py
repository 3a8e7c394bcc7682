"""The driving force of an inhibitory response before and after, from E_GABA that was measured in the same cell."""

from math import isfinite
from typing import Final

import numpy as np

from ephysplast._words import minus
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.classify._chloride_checks import is_dialysed
from ephysplast.classify.locus import DrivingForce
from ephysplast.errors import LEVELS, OK, SettingsError
from ephysplast.statistics import percentile_interval
from ephysplast.verdict import QualityCheck

NAME: Final = "driving force"


def driving_force(
    before: ReversalResult, after: ReversalResult, *, at_mv: float | tuple[float, float], level: float = 0.95
) -> DrivingForce | str:
    """Turn two reversal potentials into the change of the driving force at the potential of a response.

    ``(V_after − E_after) / (V_before − E_before)``; its interval is that of the paired bootstrap draws of both E.

    Parameters
    ----------
    before, after : ReversalResult
        E_GABA of baseline and post.
    at_mv : float, or (float, float)
        Membrane potential at which the response was measured: V in both phases, or before and after (in current
        clamp the cell's own potential may have moved); corrected for the junction potential if E_GABA was.
    level : float
        Confidence level.

    Returns
    -------
    DrivingForce or str
        The reason instead, when a reversal is missing or without an interval, was that of the whole current, the
        potential is not known, or a driving force cannot be told from zero or changed its direction: a ratio then
        says nothing.

    Examples
    --------
    >>> from ephysplast.analysers.current_voltage import CurrentVoltage
    >>> from ephysplast.analysers.reversal import measure_reversal
    >>> volts, rng = np.repeat(np.arange(-90.0, -49.0, 10.0), 6), np.random.default_rng(2)
    >>> def phase(reversal):
    ...     current = 5.0 * (volts - reversal) + rng.normal(0.0, 3.0, 30)
    ...     return measure_reversal(CurrentVoltage(
    ...         protocol="voltage steps", response="evoked", unit="pA", sweeps=np.arange(30),
    ...         part=np.zeros(30, dtype=int), command_mv=volts, total_pa=current, response_value=current,
    ...         rs_mohm=np.zeros(30), reason=("ok",) * 30, trace=np.empty((0, 0)), trace_s=np.empty(0)), rng=rng)
    >>> found = driving_force(phase(-75.0), phase(-65.0), at_mv=-50.0)
    >>> round(found.ratio, 1), found.low < 15 / 25 < found.high
    (0.6, True)
    """
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise SettingsError("'level' is impossible", got=str(level), wanted=f"{LEVELS[0]} to {LEVELS[1]}")
    volts = at_mv if isinstance(at_mv, tuple) else (at_mv, at_mv)
    why = _missing(before, after) or ("" if all(map(isfinite, volts)) else "the potential of the response is not known")
    if why:
        return why
    n = min(before.draws_mv.size, after.draws_mv.size)
    forces = [v - each.reversal_mv.value for v, each in zip(volts, (before, after), strict=True)]
    draws = [v - each.draws_mv[:n] for v, each in zip(volts, (before, after), strict=True)]
    for name, force, drawn in zip(("before", "after"), forces, draws, strict=True):
        interval = percentile_interval(drawn, level)
        if not (force * interval.low > 0.0 and force * interval.high > 0.0):
            said = f"{force:.1f} mV [{interval.low:.1f}, {interval.high:.1f}]"
            return minus(f"the driving force {name}, {said}, cannot be told from zero")
    ratio = forces[1] / forces[0]
    if ratio <= 0.0:
        return minus(f"the driving force changed its direction, {forces[0]:.1f} → {forces[1]:.1f} mV")
    with np.errstate(divide="ignore", invalid="ignore"):  # a reversal that was drawn may be infinite
        found = percentile_interval(draws[1] / draws[0], level)
    if not (isfinite(found.low) and isfinite(found.high)):
        return "how far the driving force changed has no interval"
    return DrivingForce(
        ratio=ratio,
        # The median of the draws may lie beside the estimate, and an interval holds its own value.
        low=min(found.low, ratio),
        high=max(found.high, ratio),
        source=_source(before, after, volts),
        level=level,
    )


def check_driving_force(
    found: DrivingForce | str, *, configuration: str = "", expected_polarity: int = 0, polarity: int = 0
) -> tuple[DrivingForce | None, QualityCheck]:
    """Say whether a driving force may be taken off a response, and in which kind of recording that holds.

    Parameters
    ----------
    found : DrivingForce or str
        From :func:`driving_force`, or why there is none.
    configuration : str
        How the cell was recorded, as the experimenter wrote it; it must be the same for response and E_GABA.
    expected_polarity, polarity : int
        Direction that the driving force before gives the response, and the one it has: −1 or 1; 0 is not known.

    Returns
    -------
    known : DrivingForce or None
        None when it may not be used.
    check : QualityCheck
        *pass*; *warn* when the pipette sets the chloride, or when the driving force is known too loosely to be taken
        off; *not testable* with the reason otherwise.
    """
    if isinstance(found, DrivingForce) and expected_polarity * polarity < 0:
        ways = {-1: "negative-going", 1: "positive-going"}
        found = (
            f"{found.source} would make the response {ways[expected_polarity]}, and it is {ways[polarity]}: the "
            "potential or E_GABA is not that of this response"
        )
    if isinstance(found, str):
        sentence = f"{found}: whether E_GABA moved the response cannot be told"
        return None, QualityCheck(name=NAME, outcome="not testable", sentence=sentence)
    said = f"driving force ×{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}] ({found.source})"
    if not found.is_known:
        return found, QualityCheck(
            name=NAME, outcome="warn", sentence=f"{said}: known too loosely to be taken off the response"
        )
    if is_dialysed(configuration):
        how = configuration.strip() or "how the cell was recorded is not known"
        sentence = (
            f"{said}; {how}: the pipette sets this chloride, so its share is taken off the response and says nothing "
            "about the cell's own"
        )
        return found, QualityCheck(name=NAME, outcome="warn", sentence=sentence)
    return found, QualityCheck(name=NAME, outcome="pass", sentence=said)


def _missing(before: ReversalResult, after: ReversalResult) -> str:
    for name, each in (("before", before), ("after", after)):
        if each.reversal_mv.status != OK:
            return f"E_GABA {name} is missing: {each.reversal_mv.status}"
        if each.is_whole_current:
            return f"E_GABA {name} is not known: the whole current was measured, without a control to subtract"
        if not np.isfinite(each.draws_mv).any():
            return f"E_GABA {name} has no interval: there were too few readings"
    return ""


def _source(before: ReversalResult, after: ReversalResult, volts: tuple[float, float]) -> str:
    moved = abs(volts[1] - volts[0]) >= 0.05
    where = f"{volts[0]:.1f} → {volts[1]:.1f} mV" if moved else f"{volts[0]:.1f} mV"
    return minus(f"E_GABA {before.reversal_mv.value:.1f} → {after.reversal_mv.value:.1f} mV at {where}")
