"""A synapse: from its files to measurements per sweep, and the verdict."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers.connection import measure_connection
from ephysplast.analysers.paired_pulse import measure_paired_pulse
from ephysplast.analysers.passive import TestPulseResult, measure_test_pulse
from ephysplast.analysers.responses import EvokedTraces, ResponseResult, cut_responses, join, measure_responses
from ephysplast.analysers.stimuli import find_stimuli
from ephysplast.analysers.variability import measure_variability
from ephysplast.classify import Circumstances, gate, judge
from ephysplast.classify.locus import INHIBITORY
from ephysplast.errors import OK, ChannelError, ManifestError, WindowError
from ephysplast.experiment import (
    BASELINE,
    INDUCTION,
    MINIMAL,
    Experiment,
    Pathway,
    ResponseKind,
    Segment,
    SweepTable,
    select_sweeps,
)
from ephysplast.recording import FloatArray, IntArray, Recording
from ephysplast.study.channels import channel_of
from ephysplast.study.checks import (
    check_excluded,
    check_order,
    check_same_pulses,
    check_stimuli_differ,
    in_row,
)
from ephysplast.study.driving_force import Inhibitory, circumstances_of
from ephysplast.study.files import Files
from ephysplast.study.measured import PathwayMeasurement, PhaseMeasurement
from ephysplast.study.quantal_size import quantal_size_of
from ephysplast.study.settings import Settings
from ephysplast.verdict import Check, QualityCheck, Verdict

POLARITY: Final[Mapping[ResponseKind, int | None]] = {"EPSC": -1, "EPSP": 1, "fEPSP": -1, "IPSC": None, "IPSP": None}
"""Expected polarity; an inhibitory response takes the sign of its baseline mean, since it follows the driving force."""


@dataclass(frozen=True, eq=False, kw_only=True)
class _Piece:
    """One segment, cut and measured as far as a segment alone allows."""

    segment: Segment
    evoked: EvokedTraces
    presynaptic: EvokedTraces | None
    test_pulse: TestPulseResult
    start_s: FloatArray


@dataclass(frozen=True, eq=False, kw_only=True)
class _Raw:
    """One pathway before the gates.

    `presynaptic` is of the baseline; `order` takes the sweeps of the phases, one after the other, to the table's.
    """

    pathway: Pathway
    evoked: Mapping[str, EvokedTraces]
    presynaptic: EvokedTraces | None
    responses: Mapping[str, ResponseResult]
    table: SweepTable
    order: NDArray[np.intp]


def measure_synapse(
    experiment: Experiment, files: Files, *, settings: Settings, rng: np.random.Generator
) -> tuple[dict[str, PathwayMeasurement], Verdict]:
    """Measure a synaptic response in every pathway and phase; return the pathways by role, and the verdict."""
    raw: dict[str, _Raw] = {
        each.role: _measure_pathway(each, experiment, files, settings) for each in experiment.pathways
    }
    control = raw.get("control")
    if control:
        check_stimuli_differ((raw["test"].pathway, raw["test"].evoked), (control.pathway, control.evoked))
    gated = gate(raw["test"].table, control=control.table if control else None, config=settings.classify)
    tables = {"test": gated.table, "control": gated.control}
    measured = {
        role: _summarise(raw[role], table, settings=settings, rng=rng)
        for role, table in tables.items()
        if table is not None
    }
    checks = tuple(check for each in measured.values() for check in _connection_checks(each))
    about = Circumstances(response=experiment.response, opsin=experiment.opsin)
    test, polarity = raw["test"], raw["test"].responses[BASELINE].polarity
    if experiment.response in INHIBITORY:
        asked = Inhibitory(experiment=experiment, files=files, evoked=test.evoked, polarity=polarity, table=gated.table)
        about, check = circumstances_of(asked, settings)
        checks += (check,)
    size = quantal_size_of(experiment, gated.table, polarity=polarity, settings=settings)
    about = replace(about, quantal_size=size)
    verdict = _refused(measured["test"]) or judge(gated, rng=rng, config=settings.classify, about=about)
    return measured, replace(verdict, quality=(*checks, *gated.checks))


def _measure_piece(segment: Segment, experiment: Experiment, files: Files, settings: Settings) -> _Piece:
    recording, offset_s = files.of(segment)
    channel = channel_of(recording, segment, experiment.response)
    pre = recording.channel(segment.pre_channel) if segment.pre_channel else None
    if pre is not None and pre.name == channel.name:
        raise ChannelError(
            "the presynaptic channel is the postsynaptic one",
            got=f"'{pre.name}' for both",
            wanted="two channels",
            remedy="correct the column pre_channel, or leave it empty when the presynaptic cell was not recorded",
        )
    sweeps = select_sweeps(segment.sweeps, recording)
    stimuli = find_stimuli(
        recording, channel, sweeps=sweeps, stimulus=segment.stimulus, pre_channel=pre, config=settings.stimuli
    )
    if stimuli.status != OK:
        raise ManifestError(
            stimuli.status,
            remedy="give the stimulus times in s in the manifest's column stimulus, for example 0.1; 0.15",
        )
    _check_room(recording, sweeps, stimuli.times_s, settings)
    evoked = cut_responses(recording, channel, stimuli, config=settings.responses)
    if segment.exclude:
        evoked = _rejected(evoked, check_excluded(select_sweeps(segment.exclude, recording), sweeps, segment.exclude))
    return _Piece(
        segment=segment,
        evoked=evoked,
        presynaptic=cut_responses(recording, pre, stimuli, config=settings.responses) if pre else None,
        test_pulse=measure_test_pulse(recording, channel, sweeps=sweeps, config=settings.test_pulse),
        start_s=offset_s + recording.sweep_start_s[sweeps],
    )


def _rejected(evoked: EvokedTraces, sweeps: IntArray) -> EvokedTraces:
    """Mark sweeps as rejected before anything is measured: they must not move the mean, its latency or the tests."""
    chosen = np.isin(evoked.sweeps, sweeps)[:, None]
    return replace(evoked, reason=np.where(chosen, "rejected in the manifest", evoked.reason))


def _check_room(recording: Recording, sweeps: IntArray, times_s: FloatArray, settings: Settings) -> None:
    """Refuse stimuli so near a sweep's start or end that no sweep has room for the baseline or the response."""
    config = settings.responses
    first_s, last_s = times_s[:, 0], np.nanmax(times_s, axis=1, initial=-np.inf)
    before_s = (config.baseline_ms + config.baseline_gap_ms) / 1e3
    after_s = (max(config.search_start_ms, config.blank_ms) + config.reading_ms) / 1e3
    duration_s = recording.sweep_lengths[sweeps] / recording.rate_hz
    stimulated = np.isfinite(first_s)
    if stimulated.any() and not ((first_s >= before_s) & (last_s + after_s <= duration_s))[stimulated].any():
        raise WindowError(
            "the stimuli leave no room in the sweeps for the baseline before them or the response after them",
            got=f"stimuli from {np.nanmin(first_s):.4g} to {np.nanmax(last_s):.4g} s",
            wanted=f"from {before_s:.4g} to {float(duration_s.max()) - after_s:.4g} s",
            remedy="check the column stimulus, and baseline_ms and search_start_ms in the settings",
        )


def _measure_pathway(pathway: Pathway, experiment: Experiment, files: Files, settings: Settings) -> _Raw:
    names = [name for name in dict.fromkeys(each.phase for each in pathway.segments) if name != INDUCTION]
    names.sort(key=lambda name: name != BASELINE)  # the baseline first: later phases take its polarity and latency
    pieces: dict[str, list[_Piece]] = {}
    responses: dict[str, ResponseResult] = {}
    evoked: dict[str, EvokedTraces] = {}
    polarity, latency_s = POLARITY[experiment.response], None
    for name in names:
        pieces[name] = []
        for segment in pathway.phase(name):
            with in_row(segment):
                pieces[name].append(_measure_piece(segment, experiment, files, settings))
        evoked[name] = join([each.evoked for each in pieces[name]])
    # Of minimal stimulation the first response alone says how large a quantum is.
    pulses = evoked[BASELINE].n_pulses if BASELINE in evoked else 0
    check_same_pulses({name: each for name, each in evoked.items() if name != MINIMAL or each.n_pulses > pulses})
    for name in names:
        known = latency_s if latency_s is None else latency_s[: evoked[name].n_pulses]
        responses[name] = measure_responses(evoked[name], polarity=polarity, latency_s=known, config=settings.responses)
        polarity = responses[name].polarity
        latency_s = responses[name].latency_s if latency_s is None else latency_s
    table, order = _table(pieces, responses)
    check_order(table.phase, table.time_s, is_patch=experiment.response != "fEPSP")
    before = [each.presynaptic for each in pieces[BASELINE] if each.presynaptic is not None]
    return _Raw(
        pathway=pathway,
        evoked=evoked,
        presynaptic=join(before) if len(before) == len(pieces[BASELINE]) else None,
        responses=responses,
        table=table,
        order=order,
    )


def _summarise(raw: _Raw, table: SweepTable, *, settings: Settings, rng: np.random.Generator) -> PathwayMeasurement:
    """Summarise each phase over the sweeps that count, now that the gates have spoken."""
    back = np.argsort(raw.order)
    used = np.split(table.used[back], np.cumsum([len(each.sweeps) for each in raw.responses.values()])[:-1])
    phases = {
        name: _summarise_phase(raw.evoked[name], raw.responses[name], keep, settings=settings, rng=rng)
        for name, keep in zip(raw.responses, used, strict=True)
    }
    connection = measure_connection(raw.evoked[BASELINE], pre=raw.presynaptic, config=settings.connection, rng=rng)
    return PathwayMeasurement(pathway=raw.pathway, table=table, phases=phases, connection=connection)


def _summarise_phase(
    evoked: EvokedTraces,
    responses: ResponseResult,
    keep: NDArray[np.bool_],
    *,
    settings: Settings,
    rng: np.random.Generator,
) -> PhaseMeasurement:
    amplitude = responses.amplitude[keep]
    train = amplitude.shape[1] > 1
    return PhaseMeasurement(
        evoked=replace(evoked, traces=np.where(keep[:, None, None], evoked.traces, np.nan)),
        responses=responses,
        variability=measure_variability(amplitude[:, 0], responses.noise[keep], config=settings.variability, rng=rng),
        paired_pulse=measure_paired_pulse(amplitude, config=settings.paired_pulse, rng=rng) if train else None,
    )


def _table(
    pieces: Mapping[str, Sequence[_Piece]], responses: Mapping[str, ResponseResult]
) -> tuple[SweepTable, NDArray[np.intp]]:
    """Put the sweeps of all phases into one table; return it, and the order that put them in order of time."""
    every = [piece for group in pieces.values() for piece in group]
    results = list(responses.values())
    start_s = np.concatenate([each.start_s for each in every])
    origin_s = min(each.start_s.min() for each in pieces[BASELINE])
    order = np.argsort(start_s, kind="stable")
    excluded = [str(flag) for each in results for flag in each.flags[:, 0]]
    files = [piece.segment.path.name for piece in every for _ in piece.evoked.sweeps]
    n_pulses = responses[BASELINE].amplitude.shape[1]
    table = SweepTable(
        unit=results[0].unit,
        phase=np.array([name for name, group in pieces.items() for piece in group for _ in piece.evoked.sweeps])[order],
        time_s=start_s[order] - origin_s,
        amplitude=np.concatenate([_widened(each.amplitude, n_pulses) for each in results])[order],
        noise=np.concatenate([each.noise for each in results])[order],
        interval_s=responses[BASELINE].interval_s,
        rs_mohm=np.concatenate([each.test_pulse.rs_mohm for each in every])[order],
        rin_mohm=np.concatenate([each.test_pulse.rin_mohm for each in every])[order],
        holding=np.concatenate([each.baseline for each in results])[order],
        excluded=tuple(excluded[i] for i in order),
        file=tuple(files[i] for i in order),
        sweep=np.concatenate([piece.evoked.sweeps for piece in every])[order] + 1,
    )
    return table, order


def _widened(amplitude: FloatArray, n_pulses: int) -> FloatArray:
    """Add pulses that were not given, as NaN."""
    return np.pad(amplitude, ((0, 0), (0, n_pulses - amplitude.shape[1])), constant_values=np.nan)


def _refused(measured: PathwayMeasurement) -> Verdict | None:
    """Refuse an experiment whose baseline shows no synaptic response; None when it does."""
    if measured.connection.kind in ("synaptic", "undetermined"):
        return None
    reason = f"the baseline shows no synaptic response: {measured.connection.sentence}"
    return Verdict(sign="refused", status=reason, sign_sentence=reason)


def _connection_checks(measured: PathwayMeasurement) -> tuple[QualityCheck, ...]:
    """Say whether there is a synaptic response, and whether it looks monosynaptic; the latter only warns."""
    about = "" if measured.pathway.role == "test" else " (control)"
    outcomes: dict[str, Check] = {"synaptic": "pass", "undetermined": "warn"}
    connected = measured.connection
    said = measured.phases[BASELINE].responses.monosynaptic
    outcome: Check = "pass" if said.startswith("yes") else "warn" if said.startswith("doubtful") else "not testable"
    return (
        QualityCheck(
            name=f"connection{about}", outcome=outcomes.get(connected.kind, "fail"), sentence=connected.sentence
        ),
        QualityCheck(name=f"monosynaptic{about}", outcome=outcome, sentence=f"monosynaptic: {said}"),
    )
