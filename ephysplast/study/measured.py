"""What is known of one experiment once its files were measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ephysplast.analysers.connection import ConnectionResult
from ephysplast.analysers.current_steps import CurrentSteps
from ephysplast.analysers.excitability import ExcitabilityResult
from ephysplast.analysers.induction import InductionResult
from ephysplast.analysers.paired_pulse import PairedPulseResult
from ephysplast.analysers.responses import EvokedTraces, ResponseResult
from ephysplast.analysers.reversal import ReversalResult
from ephysplast.analysers.variability import VariabilityResult
from ephysplast.experiment import Experiment, Pathway, Segment, SweepTable
from ephysplast.recording import Recording
from ephysplast.verdict import Verdict


@dataclass(frozen=True, eq=False, kw_only=True)
class PhaseMeasurement:
    """What was measured in one phase of one pathway."""

    evoked: EvokedTraces
    responses: ResponseResult
    variability: VariabilityResult
    paired_pulse: PairedPulseResult | None


@dataclass(frozen=True, eq=False, kw_only=True)
class PathwayMeasurement:
    """One pathway: its sweeps in order of time, and its phases."""

    pathway: Pathway
    table: SweepTable
    phases: Mapping[str, PhaseMeasurement]
    connection: ConnectionResult


@dataclass(frozen=True, eq=False, kw_only=True)
class ExcitabilityPhase:
    """The firing of the cell in one phase: its steps, what they come to, and the files in the order of their parts."""

    steps: CurrentSteps
    summary: ExcitabilityResult
    files: tuple[str, ...]


@dataclass(frozen=True, eq=False, kw_only=True)
class ReversalPhase:
    """The reversal of a current in one phase (its readings are in it), and the files in the order of their parts."""

    summary: ReversalResult
    files: tuple[str, ...]


CellPhase: TypeAlias = ExcitabilityPhase | ReversalPhase


@dataclass(frozen=True, eq=False, kw_only=True)
class ExperimentResult:
    """Everything that is known of one experiment.

    Attributes
    ----------
    experiment : Experiment
        What was asked.
    pathways : mapping of str to PathwayMeasurement
        Of a synapse, by role: ``"test"`` and, when there is one, ``"control"``; empty for the cell itself.
    cell : mapping of str to CellPhase
        Of the cell itself, by phase; empty for a synapse.
    induction : tuple of InductionResult
        The pairings as delivered, one per induction file.
    verdict : Verdict
        The answer.
    files : tuple of (Segment, Recording)
        What was read.
    notes : tuple of str
        What the readers and the clock had to say.
    """

    experiment: Experiment
    pathways: Mapping[str, PathwayMeasurement] = field(default_factory=dict)
    cell: Mapping[str, CellPhase] = field(default_factory=dict)
    induction: tuple[InductionResult, ...] = ()
    verdict: Verdict
    files: tuple[tuple[Segment, Recording], ...] = ()
    notes: tuple[str, ...] = ()
