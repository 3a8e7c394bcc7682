"""Sag, input resistance, time constant and rheobase beside eFEL (run here) and the index of the recordings."""

import efel
import numpy as np
import pytest
from agreement import AgreementTable
from neuron import Neuron
from rigs import channel, recording

from ephysplast.analysers.current_steps import CurrentStepConfig, measure_current_steps
from ephysplast.analysers.excitability import measure_excitability
from ephysplast.io import read

STEPS, ABF1 = "D_steps_171116sh_0018.abf", "D_FI_abf1_190619B.abf"
FEATURES = (
    "voltage_base",
    "steady_state_voltage_stimend",
    "sag_ratio1",
    "sag_ratio2",
    "ohmic_input_resistance_vb_ssse",
    "ohmic_input_resistance",
    "time_constant",
    "decay_time_constant_after_stim",
)


def by_efel(volts, rate_hz, start_s, stop_s, current_pa):
    efel.reset()
    trace = {
        "T": np.arange(volts.size) / rate_hz * 1e3,
        "V": volts,
        "stim_start": [start_s * 1e3],
        "stim_end": [stop_s * 1e3],
        "stimulus_current": [current_pa * 1e-3],
    }
    (found,) = efel.get_feature_values([trace], list(FEATURES), raise_warnings=False)
    return {name: np.nan if each is None else float(each[0]) for name, each in found.items()}


def cell(recordings, file):
    rec = read(recordings / file).recordings[0]
    return rec, rec.channels[0]


def silent(steps):
    return np.flatnonzero((steps.current_pa < 0.0) & (steps.spikes.count == 0))


@pytest.mark.parametrize("file", [STEPS, ABF1])
def test_deflection_sag_and_resistance(recordings, file):
    rec, trace = cell(recordings, file)
    table = AgreementTable(f"Hyperpolarising steps of {file} beside eFEL {efel.__version__}")
    default = measure_current_steps(rec, trace)
    start_s = float(default.start_s[0])
    # eFEL's base is the mean of the last tenth before the step, and its peak a single sample.
    as_efel = CurrentStepConfig(baseline_ms=100.0 * start_s, smooth_ms=0.0)
    alike = measure_current_steps(rec, trace, config=as_efel)
    for i in silent(default):
        current, volts = default.current_pa[i], trace.trace.sweep(int(i))
        other = by_efel(volts, rec.rate_hz, start_s, float(default.stop_s[i]), current)
        base = abs(alike.rest_mv[i] - other["voltage_base"])
        add = {"recording": f"{current:g} pA", "program": "eFEL"}
        table.add(
            quantity="rest (mV)",
            ours=alike.rest_mv[i],
            other=other["voltage_base"],
            tolerance=0.3,
            reason="median here, mean there: postsynaptic potentials move the mean",
            **add,
        )
        table.add(
            quantity="steady (mV)",
            ours=alike.rest_mv[i] + alike.steady_mv[i],
            other=other["steady_state_voltage_stimend"],
            tolerance=0.01,
            reason="last 10 % of the step in both; one sample more or less",
            **add,
        )
        table.add(
            quantity="R_in of one step (MΩ)",
            ours=1e3 * alike.steady_mv[i] / current,
            other=other["ohmic_input_resistance_vb_ssse"],
            tolerance=1e3 * (base + 0.01) / abs(current),
            reason="differs by the base alone",
            **add,
        )
        if not np.isfinite(alike.sag_ratio[i]):
            continue
        height = abs(alike.steady_mv[i])
        for name, ours in (("sag_ratio1", alike.sag_ratio[i]), ("sag_ratio2", 1.0 - alike.sag_ratio[i])):
            table.add(
                quantity=name,
                ours=ours,
                other=other[name],
                tolerance=(base + 0.02) / height,
                reason="(peak − steady)/(peak − rest), or 1 minus it; differs by the base",
                **add,
            )
        table.add(
            quantity="sag_ratio1, by default",
            ours=default.sag_ratio[i],
            other=other["sag_ratio1"],
            tolerance=0.04,
            reason="the lowest of 10⁴ single samples lies 4 SD of noise (0.3 mV) too low; a 5 ms mean does not",
            **add,
        )
    table.check()


def test_input_resistance_of_the_cell(recordings):
    table = AgreementTable("R_in over steps beside the line through eFEL's deflections, and beside its single steps")
    for file, low, high in ((STEPS, -75.0, 25.0), (ABF1, -60.0, 60.0)):
        rec, trace = cell(recordings, file)
        steps = measure_current_steps(rec, trace)
        found = measure_excitability(steps).rin_mohm
        assert f"{low:g} to {high:g} pA".replace("-", "−") in found.method
        chosen = np.flatnonzero((steps.current_pa >= low) & (steps.current_pa <= high))
        current = steps.current_pa[chosen]
        each = [
            by_efel(trace.trace.sweep(int(i)), rec.rate_hz, steps.start_s[i], steps.stop_s[i], steps.current_pa[i])
            for i in chosen
        ]
        deflection = [one["steady_state_voltage_stimend"] - one["voltage_base"] for one in each]
        table.add(
            recording=file,
            quantity="R_in (MΩ)",
            ours=found.value,
            other=1e3 * np.polyfit(current, deflection, 1)[0],
            program="eFEL, line",
            tolerance=5.0,
            reason="rest is the median of 50 ms here, the mean of a tenth of the time before the step there",
        )
        single = [one["ohmic_input_resistance"] for one, level in zip(each, current, strict=True) if level < 0.0]
        table.add(
            recording=file,
            quantity="R_in (MΩ)",
            ours=found.value,
            other=np.mean(single),
            program="eFEL, hyperpolarising steps",
            tolerance=0.12 * found.value,
            reason="each step over its current there; the line holds depolarising steps too, whose slope is steeper",
        )
    table.check()


def test_time_constant_of_a_clean_membrane():
    """Both against the truth: one exponential, no sag, noise of 0.05 mV."""
    table = AgreementTable(f"τ of synthetic membranes: ours, eFEL {efel.__version__}, truth")
    rng, rate_hz = np.random.default_rng(0), 10e3
    for tau_ms in (10.0, 20.0, 40.0):
        neuron = Neuron(rheobase=1e6, noise=0.05, rin_mohm=200.0, tau_s=tau_ms * 1e-3)
        volts = neuron.step(rng, -50.0, start_s=0.2, stop_s=0.7, duration_s=1.2, rate_hz=rate_hz)
        command = np.where((np.arange(volts.size) >= 2000) & (np.arange(volts.size) < 7000), -50.0, 0.0)
        made = channel([volts], unit="mV", rate_hz=rate_hz, command=[command], command_unit="pA")
        ours = measure_current_steps(recording(made), made).tau_ms[0]
        other = by_efel(volts, rate_hz, 0.2, 0.7, -50.0)
        for name, value, program in (
            ("τ", tau_ms, "truth"),
            ("time_constant", other["time_constant"], "eFEL"),
            ("decay_time_constant_after_stim", other["decay_time_constant_after_stim"], "eFEL"),
        ):
            table.add(
                recording=f"{tau_ms:g} ms",
                quantity=name,
                ours=ours,
                other=value,
                program=program,
                tolerance=0.03 * tau_ms,
                reason="noise of 0.05 mV on 10 mV: each fit is good to 1–2 %",
            )
    table.check()


def test_time_constant_of_real_cells(recordings):
    table = AgreementTable(f"τ of hyperpolarising steps beside eFEL {efel.__version__}")
    usual = 0.15, "free end of the fit here; there the end is read off the trace, where I_h has begun"
    special = {
        (STEPS, -75.0): (0.40, "postsynaptic potentials lie within the fit, from 45 ms on: it ends too early"),
        (STEPS, -25.0): (0.25, "4 mV: the steps of −50 and −100 pA give 41–42 ms here, 40 ms there"),
    }
    for file in (STEPS, ABF1):
        rec, trace = cell(recordings, file)
        steps = measure_current_steps(rec, trace)
        for i in silent(steps):
            current = float(steps.current_pa[i])
            other = by_efel(trace.trace.sweep(int(i)), rec.rate_hz, steps.start_s[i], steps.stop_s[i], current)
            share, reason = special.get((file, current), usual)
            table.add(
                recording=f"{file[:12]} {current:g} pA",
                quantity="time_constant (ms)",
                ours=steps.tau_ms[i],
                other=other["time_constant"],
                program="eFEL",
                tolerance=share * other["time_constant"],
                reason=reason,
            )
            # eFEL's decay_time_constant_after_stim is another quantity in a cell with sag: I_h, still open, adds a
            # conductance and shortens it.
            assert other["decay_time_constant_after_stim"] < steps.tau_ms[i]
    table.check()


def test_rheobase_and_first_spike_beside_the_index(recordings):
    table = AgreementTable("Rheobase and first threshold beside the index of the recordings")
    for file, rheobase, thresholds in (
        (STEPS, 50.0, (("IPFX", -39.3, "steepest sample before 5 % of the upstroke"), ("eFEL", -38.7, "AP_begin"))),
        (ABF1, 120.0, ()),
    ):
        rec, trace = cell(recordings, file)
        found = measure_excitability(measure_current_steps(rec, trace))
        table.add(
            recording=file,
            quantity="rheobase (pA)",
            ours=found.rheobase_pa.value,
            other=rheobase,
            program="index",
            tolerance=1e-6,
            reason="the smallest step with a spike is a matter of counting",
        )
        for program, value, what in thresholds:
            table.add(
                recording=file,
                quantity="threshold (mV)",
                ours=found.threshold_mv.value,
                other=value,
                program=program,
                tolerance=1.5,
                reason=f"a mean of three first spikes here, one spike and {what} there",
            )
    table.check()
