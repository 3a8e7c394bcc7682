"""What speaks for and against a chloride verdict: how the cell was recorded, and what is not known of the clamp."""

import re
from math import isfinite
from typing import Final

import numpy as np

from ephysplast._words import minus
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.errors import OK
from ephysplast.verdict import QualityCheck

_LETTERS: Final = re.compile(r"[^a-z]+")
_KEEPS_CHLORIDE: Final = (
    "gramicidin", "cellattached", "noninvasive", "optical", "imaging", "onchannel", "oncell", "nmda", "clomeleon",
    "superclomeleon", "mqae",
)  # fmt: skip
_OPENS: Final = ("wholecell", "amphotericin", "nystatin", "betaescin", "escin", "outsideout", "insideout", "sharp")
_PASS_CHLORIDE: Final = ("amphotericin", "nystatin", "betaescin", "escin")
_RS_CHANGE = 0.2
_USUAL_JUNCTION_MV = 15.0


def is_dialysed(configuration: str) -> bool:
    """Whether the pipette sets the cell's chloride; so it is taken where nothing is known.

    Gramicidin lets no anion pass (Ebihara et al. 1995, J Physiol 484:77); amphotericin and nystatin do, so those
    perforated patches count as dialysed.

    Examples
    --------
    >>> [is_dialysed(each) for each in ("Gramicidin perforated", "perforated (nystatin)", "cell-attached", "")]
    [False, True, False, True]
    """
    letters = _LETTERS.sub("", configuration.lower())
    if any(word in letters for word in _OPENS):
        return True
    return not any(word in letters for word in _KEEPS_CHLORIDE)


def check_phases(
    before: ReversalResult, after: ReversalResult, configuration: str, at_mv: float
) -> tuple[QualityCheck, ...]:
    """Check the configuration, the clamp and the control; report a current that changes its direction."""
    checks = [
        _configuration(configuration),
        _series_resistance(before, after),
        _junction(before, after),
        _control(before, after),
    ]
    turns = _polarity(before, after, at_mv)
    return (*checks, turns) if turns else tuple(checks)


def _configuration(configuration: str) -> QualityCheck:
    name, letters = "configuration", _LETTERS.sub("", configuration.lower())
    how = configuration.strip()
    if not is_dialysed(configuration):
        return QualityCheck(name=name, outcome="pass", sentence=f"{how}: the cell keeps its own chloride")
    if any(word in letters for word in _PASS_CHLORIDE):
        sentence = f"{how}: these pores let chloride pass, so the pipette sets it as in a whole-cell recording"
    elif not how:
        sentence = (
            "how the cell was recorded is not known; if the pipette opened it, E_GABA is the pipette's: say "
            "gramicidin, cell-attached, … in the manifest's column configuration"
        )
    elif "perforated" in letters:
        sentence = f"{how}: only gramicidin keeps chloride in the cell; say which pore it was"
    else:
        sentence = f"{how}: the pipette dialyses the cell, so E_GABA is a statement about the pipette's chloride"
    return QualityCheck(name=name, outcome="warn", sentence=sentence)


def _series_resistance(before: ReversalResult, after: ReversalResult) -> QualityCheck:
    name = "series resistance"
    if before.readings.protocol == "current clamp":
        return QualityCheck(name=name, outcome="pass", sentence="current clamp: no command to correct")
    currents = [abs(each.reversal_current_pa) for each in (before, after) if isfinite(each.reversal_current_pa)]
    per_ten = max(currents, default=float("nan")) * 1e-2
    unknown = [n for n, each in (("before", before), ("after", after)) if not isfinite(each.rs_mohm)]
    if unknown:
        sentence = (
            f"R_s {' and '.join(unknown)} is not known, so E_GABA is not corrected for it: each 10 MΩ would move it "
            f"by {per_ten:.1f} mV"
        )
        return QualityCheck(name=name, outcome="warn", sentence=sentence)
    said = f"R_s left uncompensated {before.rs_mohm:.1f} MΩ before, {after.rs_mohm:.1f} MΩ after; potentials corrected"
    if abs(after.rs_mohm - before.rs_mohm) > _RS_CHANGE * max(before.rs_mohm, 1.0):
        worse = f"{said}; it changed by more than {100 * _RS_CHANGE:.0f} %, which filters the current differently"
        return QualityCheck(name=name, outcome="warn", sentence=worse)
    return QualityCheck(name=name, outcome="pass", sentence=said)


def _junction(before: ReversalResult, after: ReversalResult) -> QualityCheck:
    name = "junction potential"
    known = [each.junction_potential_mv for each in (before, after)]
    if not np.isfinite(known).all():
        sentence = (
            f"the junction potential is not known: E_GABA may be off by {_USUAL_JUNCTION_MV:.0f} mV (K-gluconate), "
            f"[Cl⁻]i with it; a shift between phases is not touched"
        )
        return QualityCheck(name=name, outcome="warn", sentence=sentence)
    if abs(known[0] - known[1]) > 0.1:
        sentence = minus(f"the junction potential differs between the phases: {known[0]:.1f} and {known[1]:.1f} mV")
        return QualityCheck(name=name, outcome="warn", sentence=sentence)
    return QualityCheck(name=name, outcome="pass", sentence=minus(f"junction potential {known[0]:.1f} mV taken off"))


def _control(before: ReversalResult, after: ReversalResult) -> QualityCheck:
    if before.is_whole_current or after.is_whole_current:
        sentence = (
            "the whole current was measured: give ramps or steps without the GABA response, to be subtracted, in a "
            "pathway with role control"
        )
        return QualityCheck(name="control", outcome="warn", sentence=sentence)
    evoked = before.readings.response == "evoked"
    what = "evoked responses above their baselines" if evoked else "the control was subtracted in both phases"
    return QualityCheck(name="control", outcome="pass", sentence=what)


def _polarity(before: ReversalResult, after: ReversalResult, at_mv: float) -> QualityCheck | None:
    """Say that a current which turns round is what a reversal potential means."""
    said = []
    for name, each in (("before", before), ("after", after)):
        if each.reversal_mv.status == OK and each.vm_mv.size:
            low, high, at = float(each.vm_mv.min()), float(each.vm_mv.max()), each.reversal_mv.value
            if low < at < high:
                said.append(f"{name} at {at:.1f} mV, between {low:.0f} and {high:.0f} mV")
    if not said:
        return None
    sentence = f"the response turns from inward to outward {'; '.join(said)}: that is E_GABA, and no paradox"
    if before.reversal_mv.status == after.reversal_mv.status == OK:
        drives = [at_mv - each.reversal_mv.value for each in (before, after)]
        if drives[0] * drives[1] < 0.0:
            way = "depolarising to hyperpolarising" if drives[1] > 0.0 else "hyperpolarising to depolarising"
            sentence += f"; at {at_mv:.0f} mV the response went from {way}"
    return QualityCheck(name="polarity", outcome="pass", sentence=minus(sentence))
