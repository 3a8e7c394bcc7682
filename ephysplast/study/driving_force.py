"""The driving force of an inhibitory response: its potential, and E_GABA of the experiment that the manifest names."""

import re
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite, isnan
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast._words import minus
from ephysplast.analysers.responses import EvokedTraces
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.classify import Circumstances, DrivingForce, check_driving_force, driving_force
from ephysplast.errors import EphysplastError
from ephysplast.experiment import BASELINE, POST, Experiment, Segment, SweepTable, select_sweeps
from ephysplast.recording import FloatArray
from ephysplast.study.cell import measure_cell
from ephysplast.study.channels import channel_of
from ephysplast.study.checks import LONGEST_H, check_phases
from ephysplast.study.columns import conditions_of, configuration_of, held_at_of
from ephysplast.study.files import Files
from ephysplast.study.measured import ReversalPhase
from ephysplast.study.settings import Settings
from ephysplast.verdict import QualityCheck

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNKNOWN: Final = QualityCheck(
    name="driving force",
    outcome="not testable",
    sentence="E_GABA was not measured: a shift of it changes an inhibitory response without a change of conductance. "
    "Where it was, name that experiment in the manifest's column e_gaba_from",
)
_PHASES: Final = (BASELINE, POST)
_LETTERS: Final = re.compile("[^a-z]+")
_SAY_IT: Final = "give it in the manifest's column held_at_mv"
_COMMAND_S: Final = (-2e-3, -1e-3)
"""Where the command is read, from the stimulus: before any pulse that evokes the response by the same electrode."""

_SAME_MV: Final = 1.0
"""Sweeps held at potentials that differ by more have no one driving force."""

_SAME_JUNCTION_MV: Final = 0.1


@dataclass(frozen=True, kw_only=True)
class Inhibitory:
    """An inhibitory response as far as its driving force goes.

    Attributes
    ----------
    experiment : Experiment
        What was asked.
    files : Files
        Its recordings.
    evoked : mapping of str to EvokedTraces
        The test pathway's responses by phase.
    polarity : int
        Direction of the response: −1 or 1; 0 is not known.
    table : SweepTable
        The test pathway's sweeps after the gates.
    """

    experiment: Experiment
    files: Files
    evoked: Mapping[str, EvokedTraces]
    polarity: int
    table: SweepTable


def circumstances_of(asked: Inhibitory, settings: Settings) -> tuple[Circumstances, QualityCheck]:
    """Say what is known of the driving force of an inhibitory response, for its locus and as a gate.

    E_GABA is taken only from the same kind of recording of the same cell, with its baseline measured before the post
    phase of the response and its post phase after the response's baseline: chloride differs between a dialysed cell and
    one that keeps its own, and E_GABA of another time is not that of the response.

    Raises
    ------
    EphysplastError
        If the experiment that is named cannot be measured: what the experimenter can mend.
    """
    experiment, source = asked.experiment, asked.experiment.e_gaba
    if source is None:
        return Circumstances(response=experiment.response, opsin=experiment.opsin), _UNKNOWN
    with _named(source):
        check_phases(source)
        files = Files.open(source)
        cell, _ = measure_cell(source, files, settings=settings, rng=settings.rng_of(source.name))
    phases = [each.summary for each in (cell[name] for name in _PHASES) if isinstance(each, ReversalPhase)]
    found, expected = _force(asked, source, (phases[0], phases[1]))
    late = _untimely(asked.files, files)
    known, check = check_driving_force(
        late or found,
        configuration=configuration_of(source),
        expected_polarity=expected,
        polarity=asked.polarity,
    )
    why = f"the driving force is not known ({check.sentence.partition(': whether')[0]})"
    about = Circumstances(response=experiment.response, opsin=experiment.opsin, driving_force=known, unknown_force=why)
    return about, check


def _force(
    asked: Inhibitory, source: Experiment, phases: tuple[ReversalResult, ReversalResult]
) -> tuple[DrivingForce | str, int]:
    """Return the driving force, or why there is none, and the direction that it gives the response."""
    ours, theirs = (configuration_of(each).strip() for each in (asked.experiment, source))
    if _LETTERS.sub("", ours.lower()) != _LETTERS.sub("", theirs.lower()):
        got = f"this recording is '{ours or '?'}', that of {source.name} '{theirs or '?'}'"
        return f"E_GABA holds only in the same kind of recording, and {got}", 0
    junction = _junction(asked.experiment, phases)
    if isinstance(junction, str):
        return junction, 0
    held = [_held(asked, name) for name in _PHASES]
    why = next((each for each in held if isinstance(each, str)), "")
    if why:
        return why, 0
    before, after = (float(each) - junction for each in held)
    found = driving_force(*phases, at_mv=(before, after))
    if isinstance(found, str):
        return f"{found} (experiment {source.name})", 0
    outward = 1 if before > phases[0].reversal_mv.value else -1
    expected = outward if asked.experiment.response == "IPSC" else -outward
    named = f"{found.source}, experiment {source.name}"
    return DrivingForce(ratio=found.ratio, low=found.low, high=found.high, level=found.level, source=named), expected


def _junction(experiment: Experiment, phases: tuple[ReversalResult, ReversalResult]) -> float | str:
    """Return what is taken off the potential; of one pipette it cancels where it was taken off neither."""
    ours, theirs = conditions_of(experiment).junction_potential_mv, phases[0].junction_potential_mv
    if isnan(ours) and isnan(theirs):
        return 0.0
    if isnan(ours) or isnan(theirs) or abs(ours - theirs) > _SAME_JUNCTION_MV:
        said = ["not known" if isnan(each) else f"{each:.1f} mV" for each in (ours, theirs)]
        return minus(f"the junction potential is {said[0]} for the response and {said[1]} for E_GABA of the same cell")
    return ours


def _held(asked: Inhibitory, phase: str) -> float | str:
    """Return the potential at which a phase was held, the junction potential not yet taken off, or why not."""
    here = asked.table.of_phase(phase)
    if not here.any():
        return f"no sweep of the {phase} counts"
    told = held_at_of(asked.experiment)
    holding = float(np.nanmedian(asked.table.holding[here])) if np.isfinite(asked.table.holding[here]).any() else np.nan
    if asked.evoked[phase].clamp == "current":
        potential = told if isfinite(told) else holding
        return potential if isfinite(potential) else f"the membrane potential of the {phase} is not known; {_SAY_IT}"
    command = np.array([told]) if isfinite(told) else _commanded(asked, phase)
    if not np.isfinite(command).any():
        return f"the file does not say at which potential the {phase} was held; {_SAY_IT}"
    if np.nanmax(command) - np.nanmin(command) > _SAME_MV:
        said = f"{np.nanmin(command):.0f} to {np.nanmax(command):.0f} mV"
        return minus(f"the {phase} was held at several potentials, {said}; {_SAY_IT}")
    return float(np.nanmedian(command)) - _access_drop(asked, phase, holding)


def _access_drop(asked: Inhibitory, phase: str, holding_pa: float) -> float:
    """Return what the holding current drops over the series resistance, in mV; 0 where that is not known."""
    measured = asked.table.rs_mohm[asked.table.of_phase(phase)]
    conditions = conditions_of(asked.experiment)
    left = conditions.rs_mohm * (1.0 - conditions.compensation_percent / 100.0)
    if np.isfinite(measured).any():  # what a test pulse shows is what the compensation leaves
        left = float(np.nanmedian(measured))
    drop = holding_pa * left * 1e-3
    return drop if isfinite(drop) else 0.0


def _commanded(asked: Inhibitory, phase: str) -> FloatArray:
    """Read the command just before the first stimulus of every sweep; NaN where the file has none."""
    test = asked.experiment.pathway("test")
    assert test is not None  # noqa: S101 - checked before; this tells the type checker
    evoked = asked.evoked[phase]
    command = np.full(len(evoked.sweeps), np.nan)
    for part, segment in enumerate(test.phase(phase)):
        here = evoked.part == part
        channel = channel_of(asked.files.of(segment)[0], segment, asked.experiment.response)
        at_s = evoked.stimulus_s[here, 0]
        at_s = np.where(at_s + _COMMAND_S[0] >= 0.0, at_s, np.nan)
        if channel.command is not None and channel.command_unit == "mV":
            command[here] = channel.command.aligned(at_s, *_COMMAND_S, evoked.sweeps[here]).mean(axis=1)
    return command


def _untimely(response: Files, reversal: Files) -> str:
    """Say why E_GABA is not of the time of the response, by the clocks of the files; empty when nothing speaks so."""
    ours, theirs = ({name: _span(each, name) for name in _PHASES} for each in (response, reversal))
    (base, post), (e_base, e_post) = ((each[BASELINE], each[POST]) for each in (ours, theirs))
    if base is None or post is None or e_base is None or e_post is None:
        return ""
    moments = [moment for each in (base, post, e_base, e_post) for moment in each]
    apart = max(moments) - min(moments)
    name = reversal.experiment.name
    if apart > timedelta(hours=LONGEST_H):
        hours = apart.total_seconds() / 3600.0
        return (
            f"experiment {name} lies {hours:.0f} h apart from this one by the files' clocks, so it is of another cell"
        )
    if e_base[0] > post[0]:
        return f"E_GABA of the baseline (experiment {name}) was measured after the post phase of the response had begun"
    if e_post[1] < base[1]:
        return f"E_GABA of the post phase (experiment {name}) was measured before the response's baseline had ended"
    return ""


def _span(files: Files, phase: str) -> tuple[datetime, datetime] | None:
    """Return when the first and the last sweep of a phase began; None where a file has no clock."""
    moments = []
    for segment in _segments(files.experiment, phase):
        recording, _ = files.of(segment)
        if recording.started_at is None:
            return None
        began = recording.started_at.replace(tzinfo=None)
        start_s = recording.sweep_start_s[select_sweeps(segment.sweeps, recording)]
        moments += [began + timedelta(seconds=float(each)) for each in (start_s.min(), start_s.max())]
    return (min(moments), max(moments)) if moments else None


def _segments(experiment: Experiment, phase: str) -> tuple[Segment, ...]:
    test = experiment.pathway("test")
    return test.phase(phase) if test else ()


@contextmanager
def _named(source: Experiment) -> "Iterator[None]":
    """Let an error that is raised inside say that it concerns the experiment from which E_GABA is taken."""
    try:
        yield
    except EphysplastError as error:
        what = f"E_GABA from experiment {source.name}: {error.what}"
        raise type(error)(what, got=error.got, wanted=error.wanted, remedy=error.remedy) from error
