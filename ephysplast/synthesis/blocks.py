"""The sweeps of one phase, all at once: release, responses, spikes, test pulse, noise."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.synthesis.circuit import ExponentialSum, current_step, pulse_response, voltage_step
from ephysplast.synthesis.commands import Command, Step
from ephysplast.synthesis.files import SweepBlock
from ephysplast.synthesis.noise import Noise, recording_noise
from ephysplast.synthesis.release import sample_release
from ephysplast.synthesis.signals import (
    add_responses,
    double_exponential,
    fired_trace,
    postsynaptic_current,
    postsynaptic_potential,
    spontaneous_events,
    stimulus_artefact,
)
from ephysplast.synthesis.truth import ExperimentPlan, InductionPlan, PhasePlan, PresynapticTruth, SynapseTruth

_TRIGGER_MS = 0.5
"""How long a digital line is high: what stimulus isolators need."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Block(SweepBlock):
    """Test sweeps or pairings of a synapse, and the truth of each.

    Attributes
    ----------
    phase, file, rate_hz, start_s, samples, commands, tags
        As every :class:`SweepBlock` has them.
    amplitude : tuple of numpy.ndarray, shape (n_sweeps, n_pulses)
        One per input: noise-free magnitudes as recorded; NaN where the presynaptic cell did not fire.
    spike_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        Peaks of the presynaptic spikes from the start of the sweep; NaN where there is none, empty without electrode.
    delta_t_ms : numpy.ndarray, shape (n_pairings,)
        Realised ``t_post − t_pre`` of an induction; empty otherwise.
    rs_mohm : numpy.ndarray, shape (n_sweeps,)
        Series resistance.
    """

    amplitude: tuple[FloatArray, ...]
    spike_s: FloatArray
    delta_t_ms: FloatArray
    rs_mohm: FloatArray


def phase_block(
    plan: ExperimentPlan, phase: PhasePlan, *, start_s: FloatArray, drift: FloatArray, rng: np.random.Generator
) -> Block:
    """Make the test sweeps of one phase.

    Parameters
    ----------
    plan : ExperimentPlan
        The experiment.
    phase : PhasePlan
        The phase.
    start_s : numpy.ndarray, shape (n_sweeps,)
        When the sweeps start, from the start of the experiment.
    drift : numpy.ndarray, shape (n_sweeps,)
        How far the baseline of the postsynaptic channel has moved.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Block
        All that is recorded and all that is true.
    """
    sweep, n_sweeps = plan.sweep, len(start_s)
    time_s = np.arange(sweep.n_samples) / sweep.rate_hz
    rs = np.linspace(*phase.rs_mohm, n_sweeps)
    spike_s = _presynaptic_spikes(plan, n_sweeps, rng)
    left = np.maximum(1.0 - phase.rundown_percent_per_10min / 100.0 * start_s / 600.0, 0.0)
    post = _test_pulse(plan, time_s, rs) + drift[:, np.newaxis]
    amplitudes = []
    for synapse in plan.inputs:
        onset_s = _onsets(synapse, spike_s, n_sweeps, rng)
        amplitude = left[:, np.newaxis] * _release(plan, phase, synapse, onset_s, rng)
        shape = _shape(plan, synapse, rs)
        post += plan.polarity(synapse) * add_responses(time_s, onset_s=onset_s, amplitude=amplitude, shape=shape)
        post += stimulus_artefact(time_s, at_s=np.array(synapse.pulse_ms) * 1e-3, size=synapse.artefact)
        amplitudes.append(np.where(np.isfinite(onset_s), amplitude, np.nan))
    post += _spontaneous(plan, time_s, rs, rng) + _noise(plan.noise, post, sweep.rate_hz, rng)
    samples: tuple[FloatArray, ...] = (post,)
    commands: tuple[Command, ...] = (_test_command(plan),)
    if plan.presynaptic:
        pulse_ms = plan.inputs[0].pulse_ms
        samples = (post, _fired(plan.presynaptic, time_s, pulse_ms, spike_s, sweep.rate_hz, rng))
        commands = (*commands, _pulses(plan.presynaptic, pulse_ms, sweep.rate_hz))
    return Block(
        phase=phase.phase,
        file=phase.file,
        rate_hz=sweep.rate_hz,
        start_s=start_s,
        samples=samples,
        commands=commands,
        amplitude=tuple(amplitudes),
        spike_s=spike_s,
        delta_t_ms=np.array([]),
        rs_mohm=rs,
        tags=phase.tags,
    )


def _release(
    plan: ExperimentPlan, phase: PhasePlan, synapse: SynapseTruth, onset_s: FloatArray, rng: np.random.Generator
) -> FloatArray:
    return sample_release(
        plan.sites(phase, synapse=synapse),
        np.array(synapse.pulse_ms) * 1e-3,
        n_sweeps=len(onset_s),
        rng=rng,
        spiked=np.isfinite(onset_s),
    )


def _spontaneous(plan: ExperimentPlan, time_s: FloatArray, rs: FloatArray, rng: np.random.Generator) -> FloatArray:
    if not plan.spontaneous_hz:
        return np.zeros((len(rs), len(time_s)))
    return plan.polarity(plan.inputs[0]) * spontaneous_events(
        time_s,
        n_sweeps=len(rs),
        rate_hz=plan.spontaneous_hz,
        amplitude=plan.spontaneous,
        cv=0.4,
        shape=_shape(plan, plan.inputs[0], rs),
        rng=rng,
    )


def induction_block(
    plan: ExperimentPlan, induction: InductionPlan, *, start_s: FloatArray, rng: np.random.Generator
) -> Block:
    """Make the sweeps of a pairing induction, both cells in current clamp.

    Parameters
    ----------
    plan : ExperimentPlan
        The experiment; it must have a presynaptic electrode.
    induction : InductionPlan
        The pairings.
    start_s : numpy.ndarray, shape (n_sweeps,)
        When the sweeps start, from the start of the experiment.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    Block
        With the realised Δt of every pairing.

    Raises
    ------
    SettingsError
        If the experiment has no presynaptic electrode.
    """
    pre = plan.presynaptic
    if pre is None:
        raise SettingsError(f"experiment {plan.name} has no presynaptic electrode to pair with")
    rate_hz, n_sweeps = induction.rate_hz, len(start_s)
    time_s = np.arange(induction.n_samples) / rate_hz
    pre_ms, post_ms = pairing_times(induction, pre)
    pre_s, post_s = _spikes(pre_ms, pre, n_sweeps, rng), _spikes(post_ms, induction.post, n_sweeps, rng)
    synapse = plan.inputs[0]
    drawn = sample_release(synapse.sites, np.array(pre_ms) * 1e-3, n_sweeps=n_sweeps, rng=rng)
    onset_s = _onsets(synapse, pre_s, n_sweeps, rng)
    fired = fired_trace(
        time_s,
        spike_s=post_s,
        pulse_s=np.array(post_ms) * 1e-3,
        pulse_ms=induction.post.pulse_ms,
        pulse_pa=induction.post.pulse_pa,
        cell=plan.cell,
        spike=induction.post.spike,
    )
    sign = 1 if synapse.reversal_mv > plan.cell.rest_mv else -1
    fired += sign * add_responses(time_s, onset_s=onset_s, amplitude=drawn, shape=_potential(plan, synapse))
    fired += _noise(induction.post.noise, fired, rate_hz, rng)
    return Block(
        phase=induction.phase,
        file=induction.file,
        rate_hz=rate_hz,
        start_s=start_s,
        samples=(fired, _fired(pre, time_s, pre_ms, pre_s, rate_hz, rng)),
        commands=(_pulses(induction.post, post_ms, rate_hz), _pulses(pre, pre_ms, rate_hz)),
        amplitude=(drawn,),
        spike_s=pre_s,
        delta_t_ms=((post_s - pre_s) * 1e3).reshape(-1),
        rs_mohm=np.full(n_sweeps, np.nan),
        tags=induction.tags,
    )


def pairing_times(induction: InductionPlan, pre: PresynapticTruth) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return when the pre- and the postsynaptic pulses of a sweep start, in ms, so that spike peaks are Δt apart."""
    lead_ms = induction.delta_t_ms + pre.latency_ms - induction.post.latency_ms
    first_pre_ms = induction.first_ms + max(0.0, -lead_ms)
    pre_ms = first_pre_ms + np.arange(induction.n_pairings) * 1e3 / induction.frequency_hz
    return tuple(pre_ms.tolist()), tuple((pre_ms + lead_ms).tolist())


def _presynaptic_spikes(plan: ExperimentPlan, n_sweeps: int, rng: np.random.Generator) -> FloatArray:
    if plan.presynaptic is None:
        return np.empty((n_sweeps, 0))
    spikes = _spikes(plan.inputs[0].pulse_ms, plan.presynaptic, n_sweeps, rng)
    return np.where(rng.random(spikes.shape) < plan.presynaptic.failure, np.nan, spikes)


def _spikes(pulse_ms: Sequence[float], cell: PresynapticTruth, n_sweeps: int, rng: np.random.Generator) -> FloatArray:
    latency = cell.latency_ms + cell.jitter_ms * _bounded_normal((n_sweeps, len(pulse_ms)), rng)
    return np.asarray((np.array(pulse_ms) + latency) * 1e-3)


def _onsets(synapse: SynapseTruth, spike_s: FloatArray, n_sweeps: int, rng: np.random.Generator) -> FloatArray:
    stimulus_s = spike_s if spike_s.shape[1] else np.tile(np.array(synapse.pulse_ms) * 1e-3, (n_sweeps, 1))
    latency_ms = synapse.latency_ms + synapse.jitter_ms * _bounded_normal(stimulus_s.shape, rng)
    return np.asarray(stimulus_s + latency_ms * 1e-3)


def _bounded_normal(shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Draw a normal deviate within ± 3 SD: a latency that is negative, or far out, is no latency."""
    return np.clip(rng.standard_normal(shape), -3.0, 3.0)


def _shape(plan: ExperimentPlan, synapse: SynapseTruth, rs_mohm: FloatArray) -> ExponentialSum:
    current = double_exponential(rise_ms=synapse.rise_ms, decay_ms=synapse.decay_ms)
    if plan.clamp == "current":
        return postsynaptic_potential(current, plan.cell)
    return postsynaptic_current(current, plan.cell, rs_mohm=rs_mohm, reference_rs_mohm=plan.reference_rs_mohm)


def _potential(plan: ExperimentPlan, synapse: SynapseTruth) -> ExponentialSum:
    """Return the potential that one unit of the test response stands for when the cell is not clamped."""
    current = double_exponential(rise_ms=synapse.rise_ms, decay_ms=synapse.decay_ms)
    if plan.clamp == "current":
        return postsynaptic_potential(current, plan.cell)
    return current.filtered(plan.cell.membrane_tau_s).scaled(plan.cell.rm_mohm * 1e-3)


def _test_pulse(plan: ExperimentPlan, time_s: FloatArray, rs_mohm: FloatArray) -> FloatArray:
    """Return holding current and its answer to the test pulse, or resting potential and its answer; [sweep, sample]."""
    sweep, cell = plan.sweep, plan.cell
    if plan.clamp == "voltage":
        step = voltage_step(sweep.test_level, cell, rs_mohm=rs_mohm).filtered(cell.filter_tau_s)
        held = ((plan.holding_mv - cell.rest_mv) * 1e3 / (rs_mohm + cell.rm_mohm))[:, np.newaxis]
    else:
        step = current_step(sweep.test_level, cell).filtered(cell.filter_tau_s)
        held = np.full((len(rs_mohm), 1), cell.rest_mv)
    return held + pulse_response(step, time_s, start_s=sweep.test_start_ms * 1e-3, stop_s=sweep.test_stop_ms * 1e-3)


def _test_command(plan: ExperimentPlan) -> Command:
    sweep = plan.sweep
    holding, unit = (plan.holding_mv, "mV") if plan.clamp == "voltage" else (0.0, "pA")
    steps = [_step(sweep.test_start_ms, sweep.test_stop_ms, holding + sweep.test_level, sweep.rate_hz)]
    steps += [
        _step(at_ms, at_ms + _TRIGGER_MS, holding, sweep.rate_hz, digital=synapse.digital)
        for synapse in plan.inputs
        if synapse.digital is not None
        for at_ms in synapse.pulse_ms
    ]
    return Command(holding=holding, unit=unit, steps=tuple(sorted(steps, key=lambda step: step.start)))


def _pulses(cell: PresynapticTruth, pulse_ms: Sequence[float], rate_hz: float) -> Command:
    steps = tuple(_step(at_ms, at_ms + cell.pulse_ms, cell.pulse_pa, rate_hz) for at_ms in pulse_ms)
    return Command(holding=0.0, unit="pA", steps=steps)


def _step(start_ms: float, stop_ms: float, level: float, rate_hz: float, *, digital: int | None = None) -> Step:
    return Step(
        start=round(start_ms * 1e-3 * rate_hz), stop=round(stop_ms * 1e-3 * rate_hz), level=level, digital=digital
    )


def _fired(
    cell: PresynapticTruth,
    time_s: FloatArray,
    pulse_ms: Sequence[float],
    spike_s: FloatArray,
    rate_hz: float,
    rng: np.random.Generator,
) -> FloatArray:
    trace = fired_trace(
        time_s,
        spike_s=spike_s,
        pulse_s=np.array(pulse_ms) * 1e-3,
        pulse_ms=cell.pulse_ms,
        pulse_pa=cell.pulse_pa,
        cell=cell.cell,
        spike=cell.spike,
    )
    return trace + _noise(cell.noise, trace, rate_hz, rng)


def _noise(noise: Noise, like: FloatArray, rate_hz: float, rng: np.random.Generator) -> FloatArray:
    n_sweeps, n_samples = like.shape
    return recording_noise(noise, n_sweeps=n_sweeps, n_samples=n_samples, rate_hz=rate_hz, rng=rng)
