"""The cell itself: from its current steps, or its currents against voltage, to estimates per phase, and the verdict."""

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace

import numpy as np

from ephysplast.analysers.current_steps import CurrentSteps, join_steps, measure_current_steps
from ephysplast.analysers.current_voltage import CurrentVoltage, join_current_voltage, measure_current_voltage
from ephysplast.analysers.excitability import measure_excitability
from ephysplast.analysers.reversal import CellConditions, measure_reversal
from ephysplast.analysers.stimuli import Stimuli, find_stimuli
from ephysplast.classify import judge_chloride, judge_intrinsic
from ephysplast.errors import OK, ManifestError
from ephysplast.experiment import BASELINE, INDUCTION, POST, Experiment, Pathway, ResponseKind, Segment, select_sweeps
from ephysplast.recording import Channel, IntArray, Recording
from ephysplast.study.channels import channel_of
from ephysplast.study.checks import check_excluded, check_order, in_row
from ephysplast.study.columns import conditions_of, configuration_of
from ephysplast.study.files import Files
from ephysplast.study.measured import CellPhase, ExcitabilityPhase, ReversalPhase
from ephysplast.study.sentences import alone_in_words
from ephysplast.study.settings import Settings
from ephysplast.verdict import Verdict

_WITHOUT = ("", "none", "no")


def measure_cell(
    experiment: Experiment, files: Files, *, settings: Settings, rng: np.random.Generator
) -> tuple[dict[str, CellPhase], Verdict]:
    """Measure the cell in every phase; return the phases, and the verdict on what changed."""
    test, control = experiment.pathway("test"), experiment.pathway("control")
    assert test is not None  # noqa: S101 - checked before; this tells the type checker
    phases = [name for name in dict.fromkeys(each.phase for each in test.segments) if name != INDUCTION]
    if not phases:
        raise ManifestError(
            f"experiment {experiment.name} has induction rows only",
            wanted="at least one row with phase baseline or post",
        )
    _check_clock(experiment, files)
    if experiment.response == "excitability" and control is not None:
        raise ManifestError(
            f"experiment {experiment.name} has a control pathway, which steps of current cannot have",
            remedy="set role to test in its rows, or give them an experiment of their own",
        )
    cell: dict[str, CellPhase] = {}
    is_firing = experiment.response == "excitability"
    conditions = CellConditions() if is_firing else conditions_of(experiment)
    configuration = "" if is_firing else configuration_of(experiment)
    for name in phases:
        if is_firing:
            cell[name] = _excitability(test, name, files, settings=settings)
        else:
            cell[name] = _reversal(test, control, name, files, conditions=conditions, settings=settings, rng=rng)
    return cell, _judged(cell, configuration, settings)


def _judged(cell: Mapping[str, CellPhase], configuration: str, settings: Settings) -> Verdict:
    before, after = cell.get(BASELINE), cell.get(POST)
    if before is None or after is None:
        only = next(iter(cell.values()))
        if only.summary.status != OK:
            return Verdict(sign="refused", status=only.summary.status, sign_sentence=only.summary.status)
        verdict = Verdict(sign="not asked", sign_sentence=alone_in_words(only))
        return verdict if before is None else replace(verdict, n_baseline=_n_sweeps(only))
    if isinstance(before, ExcitabilityPhase) and isinstance(after, ExcitabilityPhase):
        return judge_intrinsic(before.summary, after.summary, config=settings.classify.intrinsic)
    assert isinstance(before, ReversalPhase)  # noqa: S101 - all phases are alike; this tells the type checker
    assert isinstance(after, ReversalPhase)  # noqa: S101
    return judge_chloride(
        before.summary,
        after.summary,
        configuration=configuration,
        config=settings.classify.chloride,
    )


def _n_sweeps(phase: CellPhase) -> int:
    measured = phase.steps if isinstance(phase, ExcitabilityPhase) else phase.summary.readings
    return len({*zip(measured.part[measured.used].tolist(), measured.sweeps[measured.used].tolist(), strict=True)})


def _excitability(pathway: Pathway, phase: str, files: Files, *, settings: Settings) -> ExcitabilityPhase:
    parts: list[CurrentSteps] = []
    for segment in pathway.phase(phase):
        with in_row(segment):
            recording, channel, sweeps, excluded = _chosen(segment, "excitability", files)
            parts.append(
                measure_current_steps(
                    recording,
                    channel,
                    sweeps=sweeps,
                    exclude=excluded,
                    spikes=settings.spikes,
                    config=settings.current_steps,
                )
            )
    steps = join_steps(parts)
    found = measure_excitability(steps, config=settings.excitability)
    return ExcitabilityPhase(steps=steps, summary=found, files=_names(pathway, phase))


def _reversal(
    test: Pathway,
    control: Pathway | None,
    phase: str,
    files: Files,
    *,
    conditions: CellConditions,
    settings: Settings,
    rng: np.random.Generator,
) -> ReversalPhase:
    readings = _readings(test, phase, files, settings)
    subtracted = None
    if control is not None:
        if not control.phase(phase):
            raise ManifestError(
                f"the control of phase {phase} is missing: steps or ramps without the response, to be subtracted",
                got=f"control rows for {', '.join(dict.fromkeys(each.phase for each in control.segments))}",
                wanted=f"a row with role control and phase {phase}",
            )
        subtracted = _readings(control, phase, files, settings)
    # What measuring both together can find fault with is the control.
    with in_row(control.phase(phase)[0]) if control is not None else nullcontext():
        result = measure_reversal(
            readings, control=subtracted, rng=rng, conditions=conditions, config=settings.reversal
        )
    return ReversalPhase(summary=result, files=_names(test, phase))


def _readings(pathway: Pathway, phase: str, files: Files, settings: Settings) -> CurrentVoltage:
    parts = []
    for segment in pathway.phase(phase):
        with in_row(segment):
            recording, channel, sweeps, excluded = _chosen(segment, "reversal", files)
            stimuli = _stimuli(recording, channel, sweeps, segment, settings)
            parts.append(
                measure_current_voltage(
                    recording,
                    channel,
                    sweeps=sweeps,
                    exclude=excluded,
                    stimuli=stimuli,
                    config=settings.current_voltage,
                )
            )
    return join_current_voltage(parts)


def _chosen(
    segment: Segment, response: ResponseKind, files: Files
) -> tuple[Recording, Channel, IntArray, IntArray | None]:
    """Return what a row of the manifest chooses: recording, channel, sweeps, and which of them are rejected."""
    recording, _ = files.of(segment)
    channel = channel_of(recording, segment, response)
    sweeps = select_sweeps(segment.sweeps, recording)
    if not segment.exclude:
        return recording, channel, sweeps, None
    return (
        recording,
        channel,
        sweeps,
        check_excluded(select_sweeps(segment.exclude, recording), sweeps, segment.exclude),
    )


def _stimuli(
    recording: Recording, channel: Channel, sweeps: IntArray, segment: Segment, settings: Settings
) -> Stimuli | None:
    """Find the stimuli of evoked currents; None where the whole current is meant.

    What looks like an artefact may be the transient of a step, so artefacts count only when the manifest says so.
    """
    stimuli = (
        None if segment.stimulus.strip().lower() in _WITHOUT else _found(recording, channel, sweeps, segment, settings)
    )
    if stimuli is None and channel.clamp == "current":
        raise ManifestError(
            "in current clamp a reversal needs a stimulus, and none is known: the potential alone does not tell what "
            "flows",
            got=f"stimulus '{segment.stimulus}'",
            remedy="give the stimulus times in s, or artefact, in the column stimulus; for steps of current without "
            "a stimulus the response is excitability",
        )
    return stimuli


def _found(
    recording: Recording, channel: Channel, sweeps: IntArray, segment: Segment, settings: Settings
) -> Stimuli | None:
    pre = recording.channel(segment.pre_channel) if segment.pre_channel else None
    found = find_stimuli(
        recording, channel, sweeps=sweeps, stimulus=segment.stimulus, pre_channel=pre, config=settings.stimuli
    )
    if segment.stimulus != "auto":
        if found.status != OK:
            raise ManifestError(
                found.status,
                remedy="give the stimulus times in s in the column stimulus, or none where the whole current is meant",
            )
        return found
    return None if found.status != OK or found.method.startswith("artefacts") else found


def _names(pathway: Pathway, phase: str) -> tuple[str, ...]:
    return tuple(each.path.name for each in pathway.phase(phase))


def _check_clock(experiment: Experiment, files: Files) -> None:
    """Check the test's order; a control may be recorded at any time, but in the same cell."""
    phase: list[str] = []
    time_s = []
    for pathway in experiment.pathways:
        for segment in pathway.segments:
            if segment.phase != INDUCTION:
                recording, offset_s = files.of(segment)
                with in_row(segment):
                    sweeps = select_sweeps(segment.sweeps, recording)
                phase += [segment.phase if pathway.role == "test" else "control"] * len(sweeps)
                time_s.append(offset_s + recording.sweep_start_s[sweeps])
    check_order(np.array(phase), np.concatenate(time_s), is_patch=True)
