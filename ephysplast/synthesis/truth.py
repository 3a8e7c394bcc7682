"""The truth of a synthetic experiment: synapse, cell, rig, and what happens when."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from ephysplast.errors import SettingsError
from ephysplast.experiment import CLAMPS_OF, ResponseKind
from ephysplast.recording import Clamp
from ephysplast.synthesis.circuit import Cell
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.release import ReleaseSites
from ephysplast.synthesis.signals import SpikeShape
from ephysplast.verdict import Locus, Sign

Changes: TypeAlias = Mapping[str, float]

_PYRAMIDAL: Final = Cell(rm_mohm=120.0, cm_pf=90.0, rest_mv=-69.0)
_BROAD_SPIKE: Final = SpikeShape()
_POTENTIAL_NOISE: Final = Noise(white=0.12, pink=0.1)
_CURRENT_NOISE: Final = Noise(white=3.0, pink=2.0, hum=0.8, drift_per_10min=3.0, wander=1.0)


@dataclass(frozen=True, kw_only=True)
class SynapseTruth:
    """One input to the recorded cell.

    Attributes
    ----------
    sites : ReleaseSites
        Release at baseline. Its `q` is the quantal amplitude as recorded: pA in voltage clamp (at the first series
        resistance of the experiment), mV in current clamp.
    reversal_mv : float
        Reversal potential; with the potential of the cell it gives the response its sign.
    rise_ms, decay_ms : float
        Time constants of the current at the synapse.
    latency_ms, jitter_ms : float
        From the peak of the presynaptic spike, or from the extracellular stimulus, to the onset: mean and SD.
    pulse_ms : tuple of float
        When the input is stimulated, from the start of the sweep.
    digital : int or None
        The digital output that triggers its stimulator; None with a presynaptic electrode, or when the file does not
        know.
    artefact : float
        Size of the stimulus artefact in the recorded channel; 0 with a presynaptic electrode.
    pathway : str
        Its name.
    role : {"test", "control"}
        Whether plasticity is induced in it.
    """

    sites: ReleaseSites
    reversal_mv: float = 0.0
    rise_ms: float = 0.4
    decay_ms: float = 5.0
    latency_ms: float = 1.0
    jitter_ms: float = 0.08
    pulse_ms: tuple[float, ...] = (30.0, 80.0)
    digital: int | None = None
    artefact: float = 0.0
    pathway: str = "test"
    role: Literal["test", "control"] = "test"


@dataclass(frozen=True, kw_only=True)
class PresynapticTruth:
    """A presynaptic cell held in current clamp, made to fire by brief pulses.

    Attributes
    ----------
    cell : Cell
        Its membrane.
    spike : SpikeShape
        Its action potential.
    pulse_pa, pulse_ms : float
        The pulses.
    latency_ms, jitter_ms : float
        From the start of a pulse to the peak of the spike: mean and SD.
    failure : float
        Probability that a pulse makes no spike.
    noise : Noise
        Of its channel, mV.
    """

    cell: Cell = _PYRAMIDAL
    spike: SpikeShape = _BROAD_SPIKE
    pulse_pa: float = 900.0
    pulse_ms: float = 2.5
    latency_ms: float = 2.0
    jitter_ms: float = 0.12
    failure: float = 0.0
    noise: Noise = _POTENTIAL_NOISE


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """What is the same in every test sweep.

    Attributes
    ----------
    rate_hz : float
        Sampling rate.
    duration_ms : float
        Length of a sweep.
    interval_s : float
        From start to start.
    test_start_ms, test_stop_ms : float
        The test pulse.
    test_level : float
        Its size: mV in voltage clamp, pA in current clamp.
    """

    rate_hz: float = 10_000.0
    duration_ms: float = 200.0
    interval_s: float = 10.0
    test_start_ms: float = 150.0
    test_stop_ms: float = 180.0
    test_level: float = -5.0

    @property
    def n_samples(self) -> int:
        """Samples in a sweep."""
        return round(self.duration_ms * 1e-3 * self.rate_hz)


@dataclass(frozen=True, kw_only=True)
class PhasePlan:
    """Test sweeps before or after the induction.

    Attributes
    ----------
    phase : str
        ``"baseline"``, ``"post"``, or another name.
    file : str
        File name without its suffix; phases that follow each other and share it are recorded into one file.
    n_sweeps : int
        How many.
    pause_s : float
        From the end of what was recorded before to the first sweep.
    changes : mapping of str to float
        What is different at the test synapse: ``{"p": 0.55}``, ``{"q": 6.0}``.
    rs_mohm : (float, float)
        Series resistance in the first and last sweep.
    rundown_percent_per_10min : float
        Linear loss of every response's amplitude, from the start of the experiment on.
    tags : tuple of (float, str)
        Comments, each with its time in s from the start of the phase; late ones fall into the pause after it.
    """

    phase: str
    file: str
    n_sweeps: int
    pause_s: float = 0.0
    changes: Changes = field(default_factory=dict)
    rs_mohm: tuple[float, float] = (12.0, 12.4)
    rundown_percent_per_10min: float = 0.0
    tags: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, kw_only=True)
class InductionPlan:
    """Pairing of pre- and postsynaptic spikes, both cells in current clamp.

    Attributes
    ----------
    file : str
        File name without its suffix.
    n_sweeps, interval_s, duration_ms, rate_hz : int, float, float, float
        The sweeps.
    n_pairings : int
        Pairings per sweep.
    frequency_hz : float
        At which they follow each other within a sweep.
    first_ms : float
        The first presynaptic pulse, or the first postsynaptic one if that comes earlier.
    delta_t_ms : float
        Intended ``t_post − t_pre``, from spike peak to spike peak.
    post : PresynapticTruth
        How the postsynaptic cell fires: its pulses, latency and jitter; its own membrane is used.
    pause_s : float
        Before it, as in :class:`PhasePlan`.
    tags : tuple of (float, str)
        As in :class:`PhasePlan`.
    """

    file: str
    n_sweeps: int = 15
    interval_s: float = 10.0
    duration_ms: float = 200.0
    rate_hz: float = 10_000.0
    n_pairings: int = 1
    frequency_hz: float = 50.0
    first_ms: float = 40.0
    delta_t_ms: float = 10.0
    post: PresynapticTruth = PresynapticTruth(jitter_ms=0.4)
    pause_s: float = 60.0
    tags: tuple[tuple[float, str], ...] = ((0.0, "induction start"),)

    phase: str = "induction"

    @property
    def n_samples(self) -> int:
        """Samples in a sweep."""
        return round(self.duration_ms * 1e-3 * self.rate_hz)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What a sound analysis must answer.

    Attributes
    ----------
    sign : str
        The sign, in the words of :class:`~ephysplast.verdict.Verdict`.
    locus : {"pre", "post", "undetermined", "not asked"}
        The locus.
    refusal : str
        A word that the reason must contain when the experiment must be refused.
    """

    sign: Sign
    locus: Locus = "not asked"
    refusal: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What every synthetic experiment states of itself.

    Attributes
    ----------
    name : str
        Of the experiment, and of its folder.
    format : {"abf", "nwb"}
        Of its files.
    response : str
        What is recorded.
    seed : int
        Of all that is drawn.
    expected : Expected
        The right answer.
    metadata : mapping of str to str
        For the manifest: animal, cell types, solutions …
    story : str
        One sentence for people.
    """

    name: str
    format: Literal["abf", "nwb"]
    response: ResponseKind
    seed: int = 1
    expected: Expected
    metadata: Mapping[str, str] = field(default_factory=dict)
    story: str = ""

    @property
    def clamp(self) -> Clamp:
        """The clamp in which the response is recorded."""
        return CLAMPS_OF[self.response][0]

    @property
    def unit(self) -> str:
        """The unit of what is recorded."""
        return "pA" if self.clamp == "voltage" else "mV"


@dataclass(frozen=True, kw_only=True)
class ExperimentPlan(Plan):
    """One experiment on a synapse, wholly known.

    Attributes
    ----------
    name, format, seed, expected, metadata, story
        As every :class:`Plan` has them.
    response : {"EPSC", "EPSP", "IPSC", "IPSP"}
        What is recorded; responses and `q` are in its unit.
    inputs : tuple of SynapseTruth
        The test input first.
    parts : tuple of PhasePlan and InductionPlan
        In order of time.
    sweep : SweepPlan
        The test sweeps.
    cell : Cell
        The postsynaptic cell.
    holding_mv : float
        In voltage clamp; in current clamp no current is injected.
    noise : Noise
        Of the postsynaptic channel in test sweeps, pA or mV.
    spontaneous_hz, spontaneous : float
        Rate and mean magnitude of spontaneous events with the shape of the test input's.
    presynaptic : PresynapticTruth or None
        The presynaptic electrode; None with extracellular stimulation.
    """

    inputs: tuple[SynapseTruth, ...]
    parts: tuple[PhasePlan | InductionPlan, ...]
    sweep: SweepPlan
    cell: Cell
    holding_mv: float = -70.0
    noise: Noise = _CURRENT_NOISE
    spontaneous_hz: float = 0.0
    spontaneous: float = 0.0
    presynaptic: PresynapticTruth | None = None

    def __post_init__(self) -> None:
        """Refuse plans that cannot be recorded."""
        if self.response not in ("EPSC", "EPSP", "IPSC", "IPSP"):
            raise SettingsError(
                "the response cannot be synthesised", got=self.response, wanted="EPSC, EPSP, IPSC, IPSP"
            )
        if not self.inputs or not any(isinstance(each, PhasePlan) for each in self.parts):
            raise SettingsError(f"experiment {self.name} has no input or no phase", wanted="at least one of each")
        if self.presynaptic and len(self.inputs) > 1:
            raise SettingsError(
                f"experiment {self.name} has several inputs and one presynaptic electrode",
                remedy="leave presynaptic out and give every input its own stimulator",
            )

    @property
    def phases(self) -> tuple[PhasePlan, ...]:
        """The test phases."""
        return tuple(each for each in self.parts if isinstance(each, PhasePlan))

    @property
    def induction(self) -> InductionPlan | None:
        """The induction, when it is recorded."""
        return next((each for each in self.parts if isinstance(each, InductionPlan)), None)

    @property
    def reference_rs_mohm(self) -> float:
        """Series resistance of the first sweep."""
        return self.phases[0].rs_mohm[0]

    def sites(self, phase: PhasePlan, *, synapse: SynapseTruth) -> ReleaseSites:
        """Return the release sites of an input in a phase: only the test input changes."""
        return synapse.sites.with_changes(**phase.changes) if synapse.role == "test" else synapse.sites

    def polarity(self, synapse: SynapseTruth, *, potential_mv: float | None = None) -> int:
        """Return +1 or −1, the sign with which a response is recorded.

        Parameters
        ----------
        synapse : SynapseTruth
            Its reversal potential is used.
        potential_mv : float, optional
            Of the cell; the holding potential, or the resting potential in current clamp, by default. An outward
            current is positive, and so is a depolarisation.
        """
        if self.clamp == "voltage":
            held = self.holding_mv if potential_mv is None else potential_mv
            return 1 if held > synapse.reversal_mv else -1
        held = self.cell.rest_mv if potential_mv is None else potential_mv
        return 1 if synapse.reversal_mv > held else -1
