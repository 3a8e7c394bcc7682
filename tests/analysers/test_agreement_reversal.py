"""Zero currents and passive properties of real cells beside what was found with other programs (INDEX.csv)."""

import numpy as np
import pyabf
import pytest
from agreement import AgreementTable
from pyabf.tools.memtest import Memtest

from ephysplast.analysers.current_voltage import CurrentVoltageConfig, join_current_voltage, measure_current_voltage
from ephysplast.analysers.passive import measure_test_pulse
from ephysplast.analysers.reversal import CellConditions, ReversalConfig, measure_reversal
from ephysplast.errors import OK
from ephysplast.io import read

# The index gives potentials as they were commanded, so nothing is corrected here but what is said.
AS_COMMANDED = CellConditions(junction_potential_mv=0.0)


def measured(path, *, channel=0, sweeps=None, fit="auto", local_mv=15.0, **config):
    recording = read(path)
    made = measure_current_voltage(
        recording, recording.channels[channel], sweeps=sweeps, config=CurrentVoltageConfig(**config)
    )
    found = measure_reversal(
        made,
        rng=np.random.default_rng(0),
        conditions=AS_COMMANDED,
        config=ReversalConfig(fit=fit, local_mv=local_mv),
    )
    return made, found


def test_sodium_current_reverses_where_the_index_has_it(recordings):
    made, found = measured(recordings / "C_INa_IV_myokit_v2.abf", reading="peak", local_mv=7.5)
    table = AgreementTable("sodium current, peaks")
    table.add(
        recording="C_INa_IV_myokit_v2", quantity="zero of the peak current (mV)", ours=found.reversal_mv.value,
        other=47.0, program="index", tolerance=1.5,
        reason="'about': peaks are 5 mV apart, and the leak under the peak moves their zero by 1 mV",
    )  # fmt: skip
    table.add(
        recording="C_INa_IV_myokit_v2", quantity="potentials", ours=np.unique(made.command_mv).size, other=37,
        program="index", tolerance=0, reason="counted",
    )  # fmt: skip
    table.check()
    # A straight line through the whole of a voltage-gated current has no slope to speak of, and that is said.
    assert measured(recordings / "C_INa_IV_myokit_v2.abf", reading="peak", fit="line")[1].status != OK


def test_the_steady_current_of_a_real_family(recordings):
    path = recordings / "C_IV_fast_171116sh_0013.abf"
    made, found = measured(path, steady_ms=200.0, fit="local", local_mv=5.0)
    _, whole = measured(path, steady_ms=200.0)
    table = AgreementTable("steady current, 0.8 to 1 s")
    known = {-110.0: -738.5, -70.0: -128.5, -60.0: -6.0, -55.0: 43.0}
    for level, current in known.items():
        table.add(
            recording="C_IV_fast", quantity=f"I at {level:g} mV (pA)",
            ours=made.total_pa[made.command_mv == level][0], other=current, program="index (pyABF)", tolerance=0.5,
            reason="the index rounds; the last sample is left out",
        )  # fmt: skip
    table.add(
        recording="C_IV_fast", quantity="I = 0 (mV)", ours=found.reversal_mv.value, other=-59.4,
        program="index (interpolated)", tolerance=0.05, reason="the index rounds",
    )  # fmt: skip
    table.add(
        recording="C_IV_fast", quantity="I = 0 by default (mV)", ours=whole.reversal_mv.value, other=-59.4,
        program="index (interpolated)", tolerance=0.3, reason="a line through 13 levels, not between two",
    )  # fmt: skip
    table.check()
    assert found.is_whole_current
    assert "R_s not known" in found.corrections  # the command reaches the step by a ramp, so no transient tells


def test_ramps_of_a_real_cell_reverse_where_the_index_has_them(recordings):
    path = recordings / "C_ramp_DM1_0002.abf"
    table = AgreementTable("ramps, sweep by sweep")
    for sweep in range(7):
        _, found = measured(path, sweeps=[sweep])
        table.add(
            recording="C_ramp_DM1_0002", quantity=f"I = 0, sweep {sweep + 1} (mV)", ours=found.reversal_mv.value,
            other=2.4, program="index (1.9 to 2.9)", tolerance=0.6,
            reason="the index gives a range of ±0.5; a line through ±15 mV smooths 0.4 pA of noise at 0.2 nS",
        )  # fmt: skip
    made, found = measured(path)
    table.add(
        recording="C_ramp_DM1_0002", quantity="I = 0, all (mV)", ours=found.reversal_mv.value, other=2.4,
        program="index", tolerance=0.3, reason="the mean of seven sweeps that scatter by 0.3",
    )  # fmt: skip
    table.check()
    assert made.protocol == "voltage ramp"
    # What is left of the transient, the capacitance being compensated, is no series resistance.
    assert np.isnan(made.rs_mohm).all()
    assert found.reversal_mv.low > 1.5
    assert found.reversal_mv.high < 3.2


def test_memtests_beside_two_programs(recordings):
    table = AgreementTable("test pulses")

    def add(recording, quantity, ours, other, program, tolerance, reason):
        table.add(
            recording=recording, quantity=quantity, ours=ours, other=other, program=program, tolerance=tolerance,
            reason=reason,
        )  # fmt: skip

    name = "E_memtest_171116sh_0011"
    recording = read(recordings / f"{name}.abf")
    found = measure_test_pulse(recording, recording.channels[0])
    holding = float(np.mean(found.holding))
    add(name, "holding (pA)", holding, -130.1, "pyABF", 0.5, "other stretches of the baseline, sEPSCs on it")
    add(name, "R_in (MΩ)", found.mean_rin_mohm, 97.2, "pyABF ('Rm')", 1.0, "pyABF calls ΔV/ΔI the membrane's")
    add(
        name, "R_s (MΩ)", found.mean_rs_mohm, 16.9, "pyABF ('Ra')", 5.0,
        "one exponential, not extrapolated to the edge, of a decay that has two: too large",
    )  # fmt: skip
    add(name, "R_s (MΩ)", found.mean_rs_mohm, 13.3, "neuroanalysis", 1.3, "one exponential through both components")
    add(
        name,
        "R_m (MΩ)",
        found.mean_rm_mohm,
        88.2,
        "neuroanalysis",
        4.5,
        "5 %: its steady state is a fitted one (R_in 101.6)",
    )
    add(name, "R_in (MΩ)", found.mean_rin_mohm, 101.6, "neuroanalysis", 5.0, "5 %: its steady state is a fitted one")
    add(
        name, "C_m (pF)", found.mean_cm_pf, 149.9, "pyABF (step)", 100.0,
        "pyABF's step method is a third too low on a model cell, more where the decay is slow",
    )  # fmt: skip
    add(name, "C_m (pF)", found.mean_cm_pf, 264.7, "neuroanalysis", 27.0, "10 %: another end of the transient")

    name = "E_memtest_ramp_18808025"
    recording = read(recordings / f"{name}.abf")
    found = measure_test_pulse(recording, recording.channels[0])
    holding = float(np.mean(found.holding))
    add(name, "holding (pA)", holding, -18.5, "pyABF", 0.2, "other stretches of the baseline")
    add(
        name, "R_in (MΩ)", found.mean_rin_mohm, 3259.0, "pyABF", 1300.0,
        "10 mV draw 5 pA: pyABF takes the mean of ratios, which noise makes large; ours is the ratio of means",
    )  # fmt: skip
    ratios = Memtest(pyabf.ABF(recordings / f"{name}.abf")).Rm.values
    add(
        name, "R_in (MΩ)", found.mean_rin_mohm, 1.0 / np.mean(1.0 / ratios), "pyABF, mean conductance", 60.0,
        "3 %: other stretches of the step",
    )  # fmt: skip
    add(
        name, "R_s (MΩ)", found.mean_rs_mohm, 26.6, "pyABF", 14.0,
        "the peak is sampled through the amplifier's filter, and not extrapolated",
    )  # fmt: skip
    add(name, "C_m (pF)", found.mean_cm_pf, 19.1, "pyABF (step)", 3.0, "its step method is low")
    add(name, "C_m (pF)", found.mean_cm_pf, 23.9, "pyABF (ramp)", 3.0, "the ramp waits longer for the dendrites")
    table.check()


@pytest.mark.parametrize("name", ["E_memtest_171116sh_0011.abf", "E_memtest_ramp_18808025.abf"])
def test_a_test_pulse_is_no_family(recordings, name):
    made, found = measured(recordings / name)
    assert made.status.startswith("one holding potential only (−70 mV)")
    assert found.status == made.status
    assert np.isnan(found.reversal_mv.value)


def test_two_electrodes_with_test_pulse_family_and_conditioning_steps(recordings):
    # A −10 mV test pulse, the family, and two steps that are always the same: the family is the one that is read.
    for channel, rs in ((0, 20.9), (1, 22.9)):
        made, found = measured(recordings / "B_pair_VC_IV_14o16001.abf", channel=channel)
        assert made.command_mv == pytest.approx(np.arange(-110.0, -49.0, 5.0))
        assert made.rs_source == "test pulse"
        assert np.nanmedian(made.rs_mohm) == pytest.approx(rs, rel=0.02)
        # pyABF's raw currents at the end of the step cross zero between −65 and −60 mV.
        assert -67.0 < found.reversal_mv.value < -60.0


def test_files_of_a_phase_join(recordings):
    path = recordings / "C_ramp_DM1_0002.abf"
    parts = [measured(path, sweeps=each)[0] for each in ([0, 1, 2], [3, 4, 5, 6])]
    joined = join_current_voltage(parts)
    whole = measured(path)[0]
    assert joined.command_mv == pytest.approx(whole.command_mv)
    assert np.unique(joined.part).tolist() == [0, 1]
    assert joined.trace.shape == whole.trace.shape
