"""The experiments of the sample data: one of each answer a plasticity experiment can give."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ephysplast.synthesis.circuit import Cell
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.release import ReleaseSites
from ephysplast.synthesis.signals import SpikeShape
from ephysplast.synthesis.truth import (
    Expected,
    ExperimentPlan,
    InductionPlan,
    PhasePlan,
    PresynapticTruth,
    SweepPlan,
    SynapseTruth,
)

_SLICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "species": "mouse",
        "region": "V1",
        "layer": "L5",
        "internal": "K-gluconate",
        "external": "ACSF, 2 mM Ca",
        "temperature_degc": "32",
        "junction_potential_mv": "15",
        "configuration": "whole-cell",
        "experimenter": "synthetic",
    }
)
_FAST_SPIKING: Final = PresynapticTruth(
    cell=Cell(rm_mohm=90.0, cm_pf=50.0, rest_mv=-71.0),
    spike=SpikeShape(height_mv=80.0, rise_ms=0.15, fall_ms=0.25, ahp_mv=14.0, ahp_ms=8.0),
    pulse_pa=600.0,
    pulse_ms=2.0,
    latency_ms=1.5,
    jitter_ms=0.08,
)
_PYRAMIDAL: Final = PresynapticTruth(failure=0.015)


def sample_plans() -> tuple[ExperimentPlan, ...]:
    """Return the plans of all experiments of the sample data.

    Effects are large and sweeps many enough for a sound analysis to find the expected answer. The seeds are picked: of
    20 for each plan the one whose noise-free amplitudes lie nearest to the plan's expectation (change, CV⁻² ratio,
    paired-pulse ratios, baseline slope, control). No rate of right answers can be read from these experiments.

    Examples
    --------
    >>> [plan.expected.sign for plan in sample_plans()]
    ['LTP', 'LTD', 'LTP', 'no change', 'refused', 'refused', 'LTP', 'inconclusive']
    """
    return (
        _pc_pc_ltp_pre(),
        _l23_l5_ltd_post(),
        _pv_pc_iltp_post(),
        _two_pathways_no_change(),
        _rundown(),
        _rs_jump(),
        _pc_bc_ltp_epsp(),
        _few_sweeps(),
    )


def _pc_pc_ltp_pre() -> ExperimentPlan:
    induction = InductionPlan(
        file="pairing", n_sweeps=15, n_pairings=5, frequency_hz=50.0, delta_t_ms=10.0, pause_s=45.0
    )
    return ExperimentPlan(
        name="pc_pc_ltp_pre",
        format="abf",
        response="EPSC",
        inputs=(
            SynapseTruth(
                sites=ReleaseSites(n=14, p=0.25, q=9.0, recovery_ms=500.0, facilitation=None, facilitation_ms=100.0),
                latency_ms=0.9,
            ),
        ),
        parts=(
            PhasePlan(phase="baseline", file="baseline", n_sweeps=60, tags=((0.0, "baseline"),)),
            induction,
            PhasePlan(
                phase="post", file="post_1", n_sweeps=60, pause_s=30.0, changes={"p": 0.55}, rs_mohm=(12.6, 12.9)
            ),
            PhasePlan(
                phase="post", file="post_2", n_sweeps=60, pause_s=20.0, changes={"p": 0.55}, rs_mohm=(12.9, 13.1)
            ),
        ),
        sweep=SweepPlan(),
        cell=Cell(rm_mohm=150.0, cm_pf=80.0, rest_mv=-67.0),
        presynaptic=_PYRAMIDAL,
        seed=701,
        expected=Expected(sign="LTP", locus="pre"),
        metadata=_about("m01", pre="PC", post="PC", age="P24", sex="f"),
        story="Paired recording: 50 Hz pairing at +10 ms more than doubles the release probability.",
    )


def _l23_l5_ltd_post() -> ExperimentPlan:
    return ExperimentPlan(
        name="l23_l5_ltd_post",
        format="abf",
        response="EPSC",
        inputs=(
            SynapseTruth(
                sites=ReleaseSites(n=24, p=0.5, q=8.0, recovery_ms=400.0),
                latency_ms=2.6,
                jitter_ms=0.1,
                artefact=400.0,
            ),
        ),
        parts=(
            PhasePlan(
                phase="baseline",
                file="baseline",
                n_sweeps=90,
                rs_mohm=(14.0, 14.2),
                tags=((920.0, "induction start: 900 at 1 Hz"),),
            ),
            PhasePlan(
                phase="post",
                file="post",
                n_sweeps=140,
                pause_s=960.0,
                changes={"q": 3.2},
                rs_mohm=(14.5, 14.9),
                tags=((0.0, "30 s after induction"),),
            ),
        ),
        sweep=SweepPlan(),
        cell=Cell(rm_mohm=180.0, cm_pf=70.0, rest_mv=-66.0),
        seed=602,
        expected=Expected(sign="LTD", locus="post"),
        metadata=_about("m02", pre="L2/3", post="PC", age="P21", sex="m"),
        story="Extracellular stimulation: low-frequency stimulation takes the quantal amplitude to 40 %.",
    )


def _pv_pc_iltp_post() -> ExperimentPlan:
    return ExperimentPlan(
        name="pv_pc_iltp_post",
        format="abf",
        response="IPSC",
        inputs=(
            SynapseTruth(
                sites=ReleaseSites(n=24, p=0.5, q=5.0, recovery_ms=450.0),
                reversal_mv=-75.0,
                rise_ms=0.35,
                decay_ms=7.0,
                latency_ms=0.7,
            ),
        ),
        parts=(
            PhasePlan(phase="baseline", file="baseline", n_sweeps=90, rs_mohm=(11.0, 11.2)),
            InductionPlan(
                file="pairing", n_sweeps=30, interval_s=5.0, duration_ms=120.0, delta_t_ms=-6.0, pause_s=40.0
            ),
            PhasePlan(phase="post", file="post", n_sweeps=120, pause_s=40.0, changes={"q": 11.0}, rs_mohm=(11.3, 11.8)),
        ),
        sweep=SweepPlan(),
        cell=Cell(rm_mohm=140.0, cm_pf=75.0, rest_mv=-67.0),
        holding_mv=-50.0,
        presynaptic=_FAST_SPIKING,
        seed=903,
        expected=Expected(sign="LTP", locus="post"),
        metadata=_about("m03", pre="PV", post="PC", age="P28", sex="m"),
        story="Paired recording of an outward IPSC: pairing at -6 ms more than doubles the quantal amplitude.",
    )


def _two_pathways_no_change() -> ExperimentPlan:
    def pathway(name: str, at_ms: float, line: int) -> SynapseTruth:
        return SynapseTruth(
            sites=ReleaseSites(n=150, p=0.5, q=2.4),
            latency_ms=2.4,
            jitter_ms=0.05,
            pulse_ms=(at_ms,),
            digital=line,
            artefact=300.0,
            pathway=name,
            role="test" if name == "test" else "control",
        )

    return ExperimentPlan(
        name="two_pathways_no_change",
        format="abf",
        response="EPSC",
        inputs=(pathway("test", 30.0, 0), pathway("control", 90.0, 1)),
        parts=(
            PhasePlan(
                phase="baseline",
                file="baseline",
                n_sweeps=60,
                tags=((0.0, "APV in the bath"), (615.0, "induction start: TBS")),
            ),
            PhasePlan(phase="post", file="post", n_sweeps=180, pause_s=300.0, rs_mohm=(12.4, 13.0)),
        ),
        sweep=SweepPlan(),
        cell=Cell(rm_mohm=160.0, cm_pf=80.0, rest_mv=-67.0),
        seed=104,
        expected=Expected(sign="no change"),
        metadata=_about("m04", pre="SC", post="PC", age="P30", sex="f", region="CA1", layer="SP", drug="APV"),
        story="Two pathways on digital outputs 0 (test) and 1 (control): nothing changes, and this can be said.",
    )


def _rundown() -> ExperimentPlan:
    return ExperimentPlan(
        name="rundown",
        format="nwb",
        response="EPSC",
        inputs=(_stimulated(n=60, q=3.5),),
        parts=(
            PhasePlan(
                phase="baseline",
                file="baseline",
                n_sweeps=44,
                rundown_percent_per_10min=35.0,
                tags=((680.0, "induction start"),),
            ),
            PhasePlan(phase="post", file="post", n_sweeps=24, pause_s=120.0, rundown_percent_per_10min=35.0),
        ),
        sweep=SweepPlan(interval_s=15.0),
        cell=Cell(rm_mohm=150.0, cm_pf=80.0, rest_mv=-66.0),
        seed=1905,
        expected=Expected(sign="refused", refusal="unstable"),
        metadata=_about("m05", pre="L2/3", post="PC", age="P22", sex="m"),
        story="The response runs down from the first sweep on: no baseline to compare with.",
    )


def _rs_jump() -> ExperimentPlan:
    return ExperimentPlan(
        name="rs_jump",
        format="abf",
        response="EPSC",
        inputs=(_stimulated(n=60, q=3.5),),
        parts=(
            PhasePlan(phase="baseline", file="baseline", n_sweeps=60, tags=((620.0, "induction start"),)),
            PhasePlan(phase="post", file="post", n_sweeps=48, pause_s=120.0, rs_mohm=(21.0, 22.0)),
        ),
        sweep=SweepPlan(),
        cell=Cell(rm_mohm=150.0, cm_pf=80.0, rest_mv=-66.0),
        seed=106,
        expected=Expected(sign="refused", refusal="R_s"),
        metadata=_about("m06", pre="L2/3", post="PC", age="P22", sex="f"),
        story="The pipette clogs during the induction: the smaller EPSC is the series resistance, not the synapse.",
    )


def _pc_bc_ltp_epsp() -> ExperimentPlan:
    return ExperimentPlan(
        name="pc_bc_ltp_epsp",
        format="nwb",
        response="EPSP",
        inputs=(
            SynapseTruth(
                sites=ReleaseSites(n=16, p=0.3, q=0.2, recovery_ms=500.0, facilitation=None, facilitation_ms=100.0),
                decay_ms=3.0,
                latency_ms=0.9,
                pulse_ms=(170.0, 220.0),
            ),
        ),
        parts=(
            PhasePlan(phase="baseline", file="baseline", n_sweeps=48, tags=((0.0, "baseline"),)),
            InductionPlan(
                file="pairing",
                n_sweeps=12,
                rate_hz=5_000.0,
                n_pairings=5,
                frequency_hz=20.0,
                duration_ms=300.0,
                delta_t_ms=8.0,
                pause_s=30.0,
            ),
            PhasePlan(phase="post", file="post", n_sweeps=72, pause_s=30.0, changes={"p": 0.75}),
        ),
        sweep=SweepPlan(rate_hz=5_000.0, duration_ms=290.0, test_start_ms=20.0, test_stop_ms=90.0, test_level=-30.0),
        cell=Cell(rm_mohm=130.0, cm_pf=85.0, rest_mv=-69.0),
        noise=Noise(white=0.05, pink=0.06, hum=0.02, drift_per_10min=0.3, wander=0.1),
        presynaptic=_PYRAMIDAL,
        seed=1707,
        expected=Expected(sign="LTP", locus="pre"),
        metadata=_about("m07", pre="PC", post="BC", age="P26", sex="f", layer="L2/3"),
        story="Paired recording in current clamp: pairing at +8 ms more than doubles the release probability.",
    )


def _few_sweeps() -> ExperimentPlan:
    return ExperimentPlan(
        name="few_sweeps",
        format="abf",
        response="EPSC",
        inputs=(_stimulated(n=3, q=20.0, p=0.4),),
        parts=(
            PhasePlan(
                phase="baseline",
                file="all",
                n_sweeps=30,
                tags=((470.0, "induction start"), (670.0, "induction end")),
            ),
            PhasePlan(phase="post", file="all", n_sweeps=36, pause_s=240.0),
        ),
        sweep=SweepPlan(interval_s=15.0),
        cell=Cell(rm_mohm=170.0, cm_pf=70.0, rest_mv=-66.0),
        seed=508,
        expected=Expected(sign="inconclusive"),
        metadata=_about("m08", pre="L2/3", post="PC", age="P23", sex="m"),
        story="One file with the induction in a pause: nothing changes, but three sites and few sweeps cannot show it.",
    )


def _stimulated(*, n: int, q: float, p: float = 0.5) -> SynapseTruth:
    """Return fibres stimulated through digital output 0."""
    sites = ReleaseSites(n=n, p=p, q=q, recovery_ms=400.0)
    return SynapseTruth(sites=sites, latency_ms=2.5, jitter_ms=0.06, digital=0, artefact=300.0)


def _about(animal: str, *, pre: str, post: str, **more: str) -> dict[str, str]:
    return {**_SLICE, "animal": animal, "slice": "1", "cell": "1", "pre_type": pre, "post_type": post, **more}
