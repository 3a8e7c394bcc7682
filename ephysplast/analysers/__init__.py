"""Analysers: pure functions from windows of a recording, or arrays, to a result with a status."""

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, kw_only=True)
class Analyser:
    """What the contract suite and the documentation need to know of an analyser.

    Attributes
    ----------
    name : str
        Module in this package.
    measure, result, config : str
        Names in that module: the function, its result and its configuration (empty when it has none).
    summary : str
        What it measures, for people.
    """

    name: str
    measure: str
    result: str
    config: str = ""
    summary: str

    def load(self) -> "tuple[Callable[..., Any], type, type | None]":
        """Import the module; return function, result class, and configuration class if there is one."""
        module = import_module(f"{__name__}.{self.name}")
        return (
            getattr(module, self.measure),
            getattr(module, self.result),
            getattr(module, self.config) if self.config else None,
        )


ANALYSERS: Final = (
    Analyser(
        name="stimuli",
        measure="find_stimuli",
        result="Stimuli",
        config="StimuliConfig",
        summary="stimulus times and presynaptic spikes of each sweep",
    ),
    Analyser(
        name="responses",
        measure="measure_responses",
        result="ResponseResult",
        config="ResponseConfig",
        summary="amplitude of each response by a linear operator; shape of the mean",
    ),
    Analyser(
        name="connection",
        measure="measure_connection",
        result="ConnectionResult",
        config="ConnectionConfig",
        summary="synaptic response, crosstalk, electrical coupling, or none",
    ),
    Analyser(
        name="induction",
        measure="measure_induction",
        result="InductionResult",
        config="InductionConfig",
        summary="pairings as delivered: realised Δt, frequency, bursts",
    ),
    Analyser(
        name="passive",
        measure="measure_test_pulse",
        result="TestPulseResult",
        config="TestPulseConfig",
        summary="R_s, R_in, C_m and holding from the test pulse",
    ),
    Analyser(
        name="paired_pulse",
        measure="measure_paired_pulse",
        result="PairedPulseResult",
        config="PairedPulseConfig",
        summary="paired-pulse ratio as a ratio of means, with interval",
    ),
    Analyser(
        name="variability",
        measure="measure_variability",
        result="VariabilityResult",
        config="VariabilityConfig",
        summary="CV⁻² with the noise variance subtracted, failures, outliers",
    ),
    Analyser(
        name="time_course",
        measure="time_course",
        result="TimeCourse",
        summary="minute means of the response, normalised to the baseline",
    ),
    Analyser(
        name="spikes",
        measure="measure_spikes",
        result="SpikeResult",
        config="SpikeConfig",
        summary="action potentials: threshold, amplitude, width, AHPs, latency; ISI statistics of their trains",
    ),
    Analyser(
        name="current_steps",
        measure="measure_current_steps",
        result="CurrentSteps",
        config="CurrentStepConfig",
        summary="what the cell did in each current step or ramp: spikes, deflection, sag, time constant",
    ),
    Analyser(
        name="excitability",
        measure="measure_excitability",
        result="ExcitabilityResult",
        config="ExcitabilityConfig",
        summary="rheobase, f–I gain, threshold, input resistance, sag and time constant of a cell",
    ),
    Analyser(
        name="current_voltage",
        measure="measure_current_voltage",
        result="CurrentVoltage",
        config="CurrentVoltageConfig",
        summary="currents (or IPSPs) at several potentials, from steps, ramps or held potentials",
    ),
    Analyser(
        name="reversal",
        measure="measure_reversal",
        result="ReversalResult",
        config="ReversalConfig",
        summary="reversal potential, conductance, driving force and [Cl⁻]_i, corrected for R_s and V_LJ",
    ),
)
"""Every analyser of the package; a function of your own needs no entry here."""
