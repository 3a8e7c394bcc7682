"""The experiments on cells of the sample data: excitability up and down, chloride against conductance."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from ephysplast.synthesis.cell_truth import CellPlan, SeriesPlan
from ephysplast.synthesis.inhibition import InhibitedCell
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.protocols import Protocol, RampProtocol, StepProtocol
from ephysplast.synthesis.spiking import ActionPotential, SpikingCell
from ephysplast.synthesis.truth import Expected

_SLICE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "species": "mouse",
        "region": "V1",
        "layer": "L2/3",
        "external": "ACSF, 2 mM Ca",
        "temperature_degc": "32",
        "experimenter": "synthetic",
        "slice": "1",
        "cell": "1",
    }
)
_GRAMICIDIN: Final[Mapping[str, str]] = MappingProxyType(
    {"internal": "KCl, gramicidin 50 µg/ml", "configuration": "gramicidin", "pre_type": "PV", "post_type": "PC"}
)
_CURRENT_CLAMP: Final[Mapping[str, str]] = MappingProxyType(
    {"internal": "K-gluconate", "configuration": "whole-cell", "junction_potential_mv": "15"}
)
_FAST_AND_SMALL: Final = ActionPotential(height_mv=46.0, rise_ms=0.13, fall_ms=0.24, ahp_mv=16.0, ahp_ms=6.0)
_REGULAR: Final = ActionPotential(height_mv=82.0, rise_ms=0.22, fall_ms=0.6, ahp_mv=9.0, ahp_ms=25.0)
_BETWEEN_S: Final = 900.0
"""From the last baseline sweep to the first one after the induction."""
_SEED: Final = 31
"""The seed of all these plans, chosen before anything was analysed."""


def cell_plans() -> tuple[CellPlan, ...]:
    """Return the plans of all experiments on cells in the sample data.

    Effects are large on purpose. All plans have the same seed, which was not picked by any result.

    Examples
    --------
    >>> [plan.expected.sign for plan in cell_plans()]
    ['up', 'down', 'down', 'E_GABA shift', 'both', 'conductance change', 'undetermined']
    """
    return (
        _intrinsic_up(),
        _intrinsic_down(),
        _intrinsic_down_ramp(),
        _egaba_shift(),
        _egaba_and_conductance(),
        _rs_error(),
        _whole_cell_shift(),
    )


def _series(protocol: Protocol, *, n_files: int = 1, control: Protocol | None = None) -> tuple[SeriesPlan, ...]:
    """Return the series of baseline and post: each in a file of its own, after its control if there is one."""
    parts = []
    for phase, tag in (("baseline", "baseline"), ("post", "20 min after the induction")):
        names = [phase] if n_files == 1 else [f"{phase}_{i + 1}" for i in range(n_files)]
        files = [SeriesPlan(phase=phase, file=name, protocol=protocol, pause_s=10.0) for name in names]
        if control is not None:
            files.insert(
                0, SeriesPlan(phase=phase, file=f"{phase}_control", protocol=control, gaba=False, pause_s=60.0)
            )
        pause_s = 0.0 if phase == "baseline" else _BETWEEN_S
        parts += [replace(files[0], pause_s=pause_s, tags=((0.0, tag),)), *files[1:]]
    return tuple(parts)


def _intrinsic_up() -> CellPlan:
    steps = StepProtocol(
        unit="pA",
        n_sweeps=17,
        first=-100.0,
        delta=20.0,
        start_ms=40.0,
        stop_ms=340.0,
        duration_ms=380.0,
        rate_hz=20_000.0,
        interval_s=2.0,
    )
    cell = SpikingCell(
        rin_mohm=160.0,
        tau_ms=8.0,
        rest_mv=-67.0,
        threshold_mv=-47.8,
        spread_pa=6.0,
        gain_hz_per_pa=0.5,
        adaptation=0.01,
        sag_ratio=0.05,
        sag_ms=35.0,
        spike=_FAST_AND_SMALL,
    )
    return CellPlan(
        name="intrinsic_up",
        format="abf",
        response="excitability",
        cell=cell,
        changes={"rin_mohm": 180.0, "threshold_mv": -52.96, "gain_hz_per_pa": 0.75},
        parts=_series(steps, n_files=3),
        seed=_SEED,
        expected=Expected(sign="up"),
        metadata={**_SLICE, **_CURRENT_CLAMP, "animal": "m09", "post_type": "PV", "age": "P27", "sex": "f"},
        story="Fast-spiking interneuron, current steps: the rheobase falls from 120 to 78 pA and the gain rises.",
    )


def _slow_cell() -> SpikingCell:
    return SpikingCell(
        rin_mohm=200.0,
        tau_ms=20.0,
        rest_mv=-65.0,
        threshold_mv=-45.0,
        spread_pa=5.0,
        gain_hz_per_pa=0.2,
        adaptation=0.06,
        sag_ratio=0.2,
        sag_ms=60.0,
        spike=_REGULAR,
    )


def _intrinsic_down() -> CellPlan:
    steps = StepProtocol(
        unit="pA",
        n_sweeps=18,
        first=-100.0,
        delta=20.0,
        holding=-20.0,
        start_ms=40.0,
        stop_ms=440.0,
        duration_ms=480.0,
        interval_s=3.0,
    )
    return CellPlan(
        name="intrinsic_down",
        format="nwb",
        response="excitability",
        cell=replace(_slow_cell(), threshold_mv=-47.0),
        changes={"rin_mohm": 160.0, "threshold_mv": -41.0, "gain_hz_per_pa": 0.14},
        parts=_series(steps),
        seed=_SEED,
        expected=Expected(sign="down"),
        metadata={**_SLICE, **_CURRENT_CLAMP, "animal": "m10", "post_type": "SOM", "age": "P25", "sex": "m"},
        story="Current steps from a holding current of -20 pA: the rheobase rises from 110 to 170 pA, the gain falls.",
    )


def _intrinsic_down_ramp() -> CellPlan:
    ramp = RampProtocol(
        unit="pA",
        n_sweeps=6,
        begins=0.0,
        ends=240.0,
        start_ms=60.0,
        stop_ms=860.0,
        duration_ms=960.0,
        interval_s=5.0,
    )
    return CellPlan(
        name="intrinsic_down_ramp",
        format="abf",
        response="excitability",
        cell=_slow_cell(),
        changes={"threshold_mv": -37.0},
        parts=_series(ramp),
        seed=_SEED,
        expected=Expected(sign="down"),
        metadata={**_SLICE, **_CURRENT_CLAMP, "animal": "m11", "post_type": "SOM", "age": "P26", "sex": "f"},
        story="Current ramps of 300 pA/s: the threshold rises by 8 mV, and with it the rheobase from 100 to 140 pA.",
    )


def _voltage_steps(*, n_sweeps: int = 13, delta: float = 5.0, test: bool = True) -> StepProtocol:
    return StepProtocol(
        unit="mV",
        n_sweeps=n_sweeps,
        holding=-70.0,
        first=-100.0,
        delta=delta,
        start_ms=70.0,
        stop_ms=330.0,
        duration_ms=400.0,
        trigger_ms=180.0,
        test_ms=(15.0, 40.0) if test else None,
        interval_s=8.0,
    )


def _egaba_shift() -> CellPlan:
    return CellPlan(
        name="egaba_shift",
        format="abf",
        response="reversal",
        cell=InhibitedCell(leak_ns=6.0, gaba_ns=6.0, gaba_mv=-75.0, rs_mohm=18.0),
        changes={"gaba_mv": -63.0, "rs_mohm": 19.0},
        parts=_series(_voltage_steps(), n_files=2),
        seed=_SEED,
        expected=Expected(sign="E_GABA shift"),
        metadata={**_SLICE, **_GRAMICIDIN, "animal": "m12", "age": "P29", "sex": "m"},
        story="Voltage steps with an evoked IPSC: chloride accumulates, E_GABA goes from -75 to -63 mV.",
    )


def _egaba_and_conductance() -> CellPlan:
    ramp = RampProtocol(
        unit="mV",
        n_sweeps=5,
        holding=-70.0,
        begins=-100.0,
        ends=-30.0,
        settle_ms=50.0,
        start_ms=120.0,
        stop_ms=820.0,
        duration_ms=880.0,
        test_ms=(20.0, 50.0),
        interval_s=10.0,
    )
    return CellPlan(
        name="egaba_and_conductance",
        format="abf",
        response="reversal",
        cell=InhibitedCell(leak_ns=5.0, gaba_ns=4.0, gaba_mv=-76.0, rs_mohm=15.0, variability=0.04),
        changes={"gaba_mv": -66.0, "gaba_ns": 8.0, "rs_mohm": 16.0},
        parts=_series(ramp, control=ramp),
        seed=_SEED,
        expected=Expected(sign="both"),
        metadata={**_SLICE, **_GRAMICIDIN, "animal": "m13", "age": "P24", "sex": "f"},
        story="Voltage ramps before and during a puff of GABA: E_GABA goes from -76 to -66 mV, g from 4 to 8 nS.",
    )


def _rs_error() -> CellPlan:
    return CellPlan(
        name="rs_error",
        format="abf",
        response="reversal",
        cell=InhibitedCell(
            leak_ns=10.0,
            leak_mv=-72.0,
            tonic_ns=0.5,
            gaba_ns=6.0,
            gaba_mv=-70.0,
            rs_mohm=22.0,
            noise=Noise(white=4.0, pink=3.0, hum=1.0),
        ),
        changes={"tonic_ns": 4.5, "gaba_ns": 11.0, "rs_mohm": 23.5},
        parts=_series(_voltage_steps(), n_files=2),
        seed=_SEED,
        expected=Expected(sign="conductance change"),
        metadata={**_SLICE, **_GRAMICIDIN, "animal": "m14", "age": "P23", "sex": "m"},
        story="A tonic inward current grows and drops over the series resistance: E_GABA seems to fall and does not.",
    )


def _whole_cell_shift() -> CellPlan:
    return CellPlan(
        name="whole_cell_shift",
        format="abf",
        response="reversal",
        cell=InhibitedCell(
            leak_ns=7.0, gaba_ns=7.0, gaba_mv=-68.0, rs_mohm=14.0, junction_potential_mv=15.0, cm_pf=80.0
        ),
        changes={"gaba_mv": -80.0},
        parts=_series(_voltage_steps(n_sweeps=9, delta=8.0, test=False)),
        seed=_SEED,
        expected=Expected(sign="undetermined"),
        metadata={
            **_SLICE,
            "internal": "K-gluconate, 5 mM Cl",
            "configuration": "whole-cell",
            "pre_type": "PV",
            "post_type": "PC",
            "animal": "m15",
            "age": "P28",
            "sex": "f",
        },
        story="Whole-cell: E_GABA drifts to what the pipette's chloride makes of it, which is no plasticity.",
    )
