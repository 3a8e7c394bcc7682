"""A cell with GABA receptors behind a series resistance: what the voltage clamp records, and what is true."""

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from scipy.signal import lfilter

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.synthesis.noise import Noise, recording_noise
from ephysplast.synthesis.protocols import Protocol, StepProtocol
from ephysplast.synthesis.signals import double_exponential, stimulus_artefact

_CURRENT_NOISE: Final = Noise(white=3.0, pink=2.0, hum=0.5)
_FINER: Final = 4
"""Steps of the solution in each sample: with 25 µs its error is below 1e-4 of the response."""


@dataclass(frozen=True, kw_only=True)
class InhibitedCell:
    """A one-compartment cell in voltage clamp: leak, a tonic conductance, GABA_A receptors, capacitance, pipette.

    ``C·dV/dt = (V_cmd − V_LJ − V)/R − g_leak·(V − E_leak) − g_tonic·(V − E_tonic) − g_GABA(t)·(V − E_GABA)`` with
    ``R = R_s·(1 − compensation)``; the pipette current is the first term. So ``V = V_cmd − I·R − V_LJ``.

    Attributes
    ----------
    leak_ns, leak_mv : float
        Conductance at rest, and where it reverses.
    tonic_ns, tonic_mv : float
        A second steady conductance.
    cm_pf : float
        Capacitance.
    gaba_ns : float
        Peak conductance of the evoked response, or the steady conductance while GABA is applied.
    gaba_mv : float
        E_GABA, as the membrane feels it.
    variability : float
        SD / mean of the conductance from sweep to sweep.
    rise_ms, decay_ms : float
        Time constants of the evoked conductance.
    latency_ms, jitter_ms : float
        From the stimulus to its onset: mean and SD.
    artefact_pa : float
        Size of the stimulus artefact.
    rs_mohm, compensation_percent : float
        Series resistance, and how much of it the amplifier compensates: the rest is what the cell sees.
    junction_potential_mv : float
        V_LJ.
    lowpass_hz : float
        Corner frequency of the amplifier's filter, taken as one pole.
    noise : Noise
        Of the recorded current, pA.
    """

    leak_ns: float = 6.0
    leak_mv: float = -68.0
    tonic_ns: float = 0.0
    tonic_mv: float = 0.0
    cm_pf: float = 70.0
    gaba_ns: float = 5.0
    gaba_mv: float = -72.0
    variability: float = 0.06
    rise_ms: float = 1.0
    decay_ms: float = 20.0
    latency_ms: float = 2.5
    jitter_ms: float = 0.1
    artefact_pa: float = 80.0
    rs_mohm: float = 18.0
    compensation_percent: float = 0.0
    junction_potential_mv: float = 4.0
    lowpass_hz: float = 4000.0
    noise: Noise = _CURRENT_NOISE

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("leak_ns", "cm_pf", "rs_mohm", "lowpass_hz"):
            if not getattr(self, name) > 0.0:
                raise SettingsError(f"{name} is impossible", got=f"{getattr(self, name)}", wanted="above 0")
        if not 0.0 <= self.compensation_percent < 100.0:
            raise SettingsError("the compensation is impossible", got=f"{self.compensation_percent} %", wanted="0–99")

    @property
    def left_rs_mohm(self) -> float:
        """Series resistance that the compensation leaves."""
        return self.rs_mohm * (1.0 - self.compensation_percent / 100.0)

    @property
    def rest_mv(self) -> float:
        """Where leak and tonic conductance together reverse: the resting potential without GABA."""
        return (self.leak_ns * self.leak_mv + self.tonic_ns * self.tonic_mv) / (self.leak_ns + self.tonic_ns)

    @property
    def rin_mohm(self) -> float:
        """Resistance of the membrane without GABA, without the pipette."""
        return 1e3 / (self.leak_ns + self.tonic_ns)

    @property
    def apparent_mv(self) -> float:
        """Where the synaptic current seems to reverse, when the junction is corrected and R_s is not.

        ``E_GABA + R·I(E_GABA)``: at its reversal the synapse carries nothing, and all other current still drops over
        the series resistance.
        """
        others_pa = self.leak_ns * (self.gaba_mv - self.leak_mv) + self.tonic_ns * (self.gaba_mv - self.tonic_mv)
        return self.gaba_mv + self.left_rs_mohm * others_pa * 1e-3


@dataclass(frozen=True, eq=False, kw_only=True)
class ClampedSweeps:
    """What the amplifier recorded from a clamped cell, and what was true behind the pipette.

    Attributes
    ----------
    recorded_pa : numpy.ndarray, shape (n_sweeps, n_samples)
        Pipette current through the amplifier's filter, with artefact and noise; outward positive.
    current_pa, vm_mv, gaba_pa : numpy.ndarray, shape (n_sweeps, n_samples)
        Pipette current without filter and noise, membrane potential, and the true current through the GABA receptors.
    gaba_ns : numpy.ndarray, shape (n_sweeps,)
        Each sweep's own conductance; 0 without GABA.
    """

    recorded_pa: FloatArray
    current_pa: FloatArray
    vm_mv: FloatArray
    gaba_pa: FloatArray
    gaba_ns: FloatArray


def clamped_sweeps(
    cell: InhibitedCell, protocol: Protocol, *, rng: np.random.Generator, gaba: bool = True
) -> ClampedSweeps:
    """Record one series of a protocol from a clamped cell.

    Parameters
    ----------
    cell : InhibitedCell
        The truth.
    protocol : StepProtocol or RampProtocol
        In mV. With a trigger in it the GABA response is evoked; without one GABA is there throughout.
    rng : numpy.random.Generator
        Source of chance.
    gaba : bool
        False for the control, in which the receptors are silent.

    Returns
    -------
    ClampedSweeps
        Sweeps in the order of the series.
    """
    n_sweeps, n_samples = protocol.n_sweeps, protocol.n_samples
    command = protocol.command()
    command_mv = np.array([command.row(n_samples, sweep) for sweep in range(n_sweeps)])
    peak_ns = cell.gaba_ns * (1.0 + cell.variability * np.clip(rng.standard_normal(n_sweeps), -3.0, 3.0))
    onset_ms = cell.latency_ms + cell.jitter_ms * np.clip(rng.standard_normal(n_sweeps), -3.0, 3.0)
    peak_ns *= float(gaba)
    trigger_ms = protocol.trigger_ms if isinstance(protocol, StepProtocol) else None
    fine_s = np.arange(n_samples * _FINER) / (protocol.rate_hz * _FINER)
    if trigger_ms is None:
        shape = np.ones((n_sweeps, len(fine_s)))
    else:
        middle_s = fine_s + 0.5 / (protocol.rate_hz * _FINER)
        time_course = double_exponential(rise_ms=cell.rise_ms, decay_ms=cell.decay_ms)
        shape = time_course(middle_s - (trigger_ms + onset_ms[:, np.newaxis]) * 1e-3)
    gaba_ns = peak_ns[:, np.newaxis] * shape
    vm, current, filtered = _solved(cell, np.repeat(command_mv, _FINER, axis=1), gaba_ns, protocol.rate_hz * _FINER)
    recorded = filtered + recording_noise(
        cell.noise, n_sweeps=n_sweeps, n_samples=n_samples, rate_hz=protocol.rate_hz, rng=rng
    )
    if trigger_ms is not None:
        recorded += stimulus_artefact(protocol.time_s, at_s=trigger_ms * 1e-3, size=cell.artefact_pa)
    here_ns = gaba_ns[:, ::_FINER]
    return ClampedSweeps(
        recorded_pa=recorded,
        current_pa=current,
        vm_mv=vm,
        gaba_pa=here_ns * (vm - cell.gaba_mv),
        gaba_ns=peak_ns,
    )


def _solved(
    cell: InhibitedCell, command_mv: FloatArray, gaba_ns: FloatArray, rate_hz: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Solve the membrane equation in fine steps, exactly for a conductance that is constant within each.

    Returns membrane potential, pipette current and filtered pipette current at the samples, each [sweep, sample].
    """
    rs_gohm = cell.left_rs_mohm * 1e-3
    pipette_mv = command_mv - cell.junction_potential_mv
    total_ns = 1.0 / rs_gohm + cell.leak_ns + cell.tonic_ns + gaba_ns
    pulled_pa = cell.leak_ns * cell.leak_mv + cell.tonic_ns * cell.tonic_mv + gaba_ns * cell.gaba_mv
    target_mv = (pipette_mv / rs_gohm + pulled_pa) / total_ns
    kept = np.exp(-total_ns / cell.cm_pf * 1e3 / rate_hz)
    added = (1.0 - kept) * target_mv
    vm = np.empty((len(command_mv), command_mv.shape[1] + 1))
    vm[:, 0] = target_mv[:, 0]  # settled at holding before the sweep begins
    state = vm[:, 0].copy()
    for i, (keep, add) in enumerate(zip(kept.T, added.T, strict=True), start=1):
        state = keep * state + add
        vm[:, i] = state
    current = (pipette_mv - vm[:, :-1]) / rs_gohm
    mean = (pipette_mv - 0.5 * (vm[:, :-1] + vm[:, 1:])) / rs_gohm
    share = -np.expm1(-2.0 * pi * cell.lowpass_hz / rate_hz)
    # The filter's output at the start of a step has seen the steps before it only.
    seen = lfilter([0.0, share], [1.0, share - 1.0], mean, axis=1, zi=mean[:, :1])[0]
    return vm[:, :-1:_FINER], current[:, ::_FINER], np.asarray(seen[:, ::_FINER])
