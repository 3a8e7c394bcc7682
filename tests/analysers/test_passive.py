"""Test pulses of circuits whose current is known in closed form, and of real cells that others have measured."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from ephysplast.analysers import passive
from ephysplast.analysers._steps import find_steps
from ephysplast.analysers.passive import measure_test_pulse
from ephysplast.errors import OK, ChannelError, SettingsError
from ephysplast.io import read
from ephysplast.recording import ArrayTrace, Channel, Recording, Source, Trace

Config = passive.TestPulseConfig
RATE = 20_000.0
EDGE, STOP, N = 2000, 6000, 8000  # a pulse of 200 ms after 100 ms
QUICK = settings(max_examples=15, deadline=None, derandomize=True)


# ---- the truth: a pipette R_s in series with a membrane R_m ∥ C_m, held at the command potential


def circuit_current(
    rs: float, rm: float, cm: float, step: float = -5.0, *, n: int = N, rate: float = RATE
) -> np.ndarray:
    """Mean current (pA) in each sampling bin: ΔV/(R_s+R_m), and ΔV/R_s at the edge, between them exponential."""
    tau = rs * rm / (rs + rm) * cm * 1e-6  # MΩ · pF = µs

    def charge(until: np.ndarray) -> np.ndarray:
        since = np.clip(until, 0.0, None)
        return end * since + (start - end) * tau * -np.expm1(-since / tau)

    start, end = 1e3 * step / rs, 1e3 * step / (rs + rm)
    bins = (np.arange(n + 1) - EDGE * n / N) / rate
    length = (STOP - EDGE) / RATE
    return np.diff(charge(bins) - charge(bins - length)) * rate


def filtered(rs: float, rm: float, cm: float, corner_hz: float) -> np.ndarray:
    """The same through a four-pole Bessel filter, sampled afterwards."""
    fine = 20
    rows = circuit_current(rs, rm, cm, n=N * fine, rate=RATE * fine)
    poles = signal.bessel(4, corner_hz, fs=RATE * fine, output="sos", norm="mag")
    return signal.sosfilt(poles, rows)[fine - 1 :: fine]


def command(levels: Sequence[float] = (-70.0, -75.0, -70.0)) -> np.ndarray:
    return np.repeat(np.array(levels), [EDGE, STOP - EDGE, N - STOP])


def recording_of(*channels: Channel) -> Recording:
    lengths = channels[0].trace.lengths
    return Recording(
        channels=channels,
        rate_hz=RATE,
        sweep_start_s=np.arange(len(lengths)) * 10.0,
        sweep_lengths=lengths,
        source=Source(path=Path("cell.abf"), format="memory", reader=""),
    )


def clamped(currents: np.ndarray, volts: np.ndarray | None = None, **fields: object) -> Channel:
    volts = np.broadcast_to(command() if volts is None else volts, np.shape(currents))
    given = {"name": "I", "unit": "pA", "clamp": "voltage", "trace": ArrayTrace(currents, RATE)}
    return Channel(**given | {"command": ArrayTrace(volts, RATE), "command_unit": "mV"} | fields)


def measure(channel: Channel, **config: float) -> passive.TestPulseResult:
    return measure_test_pulse(recording_of(channel), channel, config=Config(**config))


CELLS = [(10.0, 500.0, 33.0), (20.0, 200.0, 100.0), (8.0, 100.0, 250.0), (25.0, 1000.0, 20.0)]


# ---- voltage clamp


@QUICK
@given(st.floats(5, 40), st.floats(60, 2000), st.floats(15, 200), st.sampled_from([-20.0, -5.0, 5.0]))
def test_a_circuit_is_found_back(rs, rm, cm, step):
    # From 3 samples per time constant on; below that no program can extrapolate.
    tau_ms = rs * rm / (rs + rm) * cm * 1e-3
    if tau_ms < 0.15 or tau_ms > 7.0:
        return
    found = measure(clamped(circuit_current(rs, rm, cm, step)[None], command((-70.0, -70.0 + step, -70.0))))
    assert found.status == found.transient_status == OK
    assert found.rin_mohm[0] == pytest.approx(rs + rm, rel=1e-3)  # e^{-160/7} is left of the transient
    # A bin is longer than a point: extrapolation is off by (bin/τ)²/24, and the onset by a part of a bin.
    assert found.rs_mohm[0] == pytest.approx(rs, rel=0.02)
    assert found.cm_pf[0] == pytest.approx(cm, rel=0.02)
    assert found.tau_ms[0] == pytest.approx(tau_ms, rel=0.01)
    assert found.rm_mohm[0] == pytest.approx(found.rin_mohm[0] - found.rs_mohm[0])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("corner_hz", [2000.0, 5000.0, 10_000.0])
def test_an_amplifiers_filter_hides_the_peak_and_not_the_answer(cell, corner_hz):
    rs, rm, cm = cell
    current = filtered(*cell, corner_hz)
    found = measure(clamped(current[None]))
    assert found.rs_mohm[0] == pytest.approx(rs, rel=0.02)  # what is left of the second moment of the filter
    assert found.cm_pf[0] == pytest.approx(cm, rel=0.02)
    assert found.rin_mohm[0] == pytest.approx(rs + rm, rel=1e-3)
    raw_peak = -5e3 / current.min()
    assert found.rs_mohm[0] < raw_peak  # the sampled peak overestimates R_s, at 2 kHz by 5 to 60 %


def test_a_dendrite_does_not_pass_for_series_resistance():
    # Soma and dendrite, 100 and 200 pF joined by 20 MΩ: two exponentials. Solved as a linear system, without noise.
    rs, soma, joint, dendrite, leak = 10.0, 0.1, 20.0, 0.2, 1 / 200  # MΩ, nF, MΩ, nF, µS
    system = np.array([
        [-(1 / rs + leak + 1 / joint) / soma, 1 / joint / soma],
        [1 / joint / dendrite, -(leak + 1 / joint) / dendrite],
    ])  # fmt: skip
    rates, modes = np.linalg.eig(system)
    end = -np.linalg.solve(system, np.array([1 / rs / soma, 0.0]))
    fine = np.clip((np.arange(20 * N) - 20 * EDGE) / (20 * RATE) * 1e3, 0.0, None)
    volts = end[:, None] - (modes * np.linalg.solve(modes, end)) @ np.exp(np.outer(rates, fine))
    current = np.where(np.arange(20 * N) >= 20 * EDGE, -5e3 * (1.0 - volts[0]) / rs, 0.0)
    poles = signal.bessel(4, 5000.0, fs=20 * RATE, output="sos", norm="mag")
    found = measure(clamped(signal.sosfilt(poles, current)[None, 19::20]))
    assert found.rs_mohm[0] == pytest.approx(rs, rel=0.03)  # one exponential would say 12 to 13
    assert found.rin_mohm[0] == pytest.approx(rs / (1.0 - end[0]), rel=1e-3)


@pytest.mark.parametrize("mains_hz", [50.0, 60.0])
def test_hum_and_noise_do_not_bias(mains_hz, rng):
    rs, rm, cm = 15.0, 300.0, 80.0
    phase = rng.uniform(0, 2 * np.pi, (40, 1))
    hum = 10.0 * np.sin(2 * np.pi * mains_hz * np.arange(N) / RATE + phase)
    rows = circuit_current(rs, rm, cm) - 30.0 + hum + rng.normal(0, 4.0, (40, N))
    found = measure(clamped(rows))
    # 4 pA of noise on a transient of 330 pA: ±1.5 % in a sweep, ±0.25 % in the mean of 40; bias below 1 %.
    assert found.mean_rs_mohm == pytest.approx(rs, rel=0.015)
    assert found.mean_rin_mohm == pytest.approx(rs + rm, rel=0.015)  # 16 pA ± 0.03
    assert found.mean_cm_pf == pytest.approx(cm, rel=0.015)
    assert np.std(found.rs_mohm) / rs < 0.03
    assert np.std(found.rin_mohm) / (rs + rm) < 0.03
    # Through 40 ms the hum's mean vanishes or nearly so; the noise's is 4/√800 = 0.14 pA.
    assert found.holding == pytest.approx(-30.0, abs=1.0)


def test_hum_is_taken_off_where_windows_hold_no_whole_cycle(rng):
    phase = rng.uniform(0, 2 * np.pi, (60, 1))
    rows = circuit_current(15.0, 300.0, 80.0) + 15.0 * np.sin(2 * np.pi * 50.0 * np.arange(N) / RATE + phase)
    rows += rng.normal(0, 1.0, rows.shape)
    settings = {"baseline_ms": 14.0, "steady_ms": 27.0}
    kept, removed = (measure(clamped(rows), remove_mains=each, **settings) for each in (False, True))
    assert np.std(1 / removed.rin_mohm) < 0.1 * np.std(1 / kept.rin_mohm)
    assert np.std(removed.rs_mohm) < 0.3 * np.std(kept.rs_mohm)
    assert removed.mean_rin_mohm == pytest.approx(315.0, rel=0.01)


def test_a_jump_of_series_resistance_is_followed_sweep_by_sweep(rng):
    rs = np.repeat([10.0, 16.0], 30)
    rows = np.array([circuit_current(each, 200.0, 100.0) for each in rs]) + rng.normal(0, 3.0, (60, N))
    found = measure(clamped(rows))
    # The shape is learnt from the mean of both; a gate of 20 % needs the jump to about 5 %.
    assert found.rs_mohm == pytest.approx(rs, rel=0.06)
    assert np.mean(found.rs_mohm[30:]) / np.mean(found.rs_mohm[:30]) == pytest.approx(1.6, rel=0.03)
    assert found.rin_mohm == pytest.approx(rs + 200.0, rel=0.03)


def test_each_sweep_is_measured_with_its_own_step():
    steps = np.array([-5.0, -10.0, -15.0, -20.0])
    rows = np.array([circuit_current(12.0, 150.0, 120.0, step) for step in steps])
    volts = np.array([command((-70.0, -70.0 + step, -70.0)) for step in steps])
    found = measure(clamped(rows, volts))
    assert found.step == pytest.approx(steps)
    assert found.rin_mohm == pytest.approx(162.0, rel=1e-3)
    assert found.rs_mohm == pytest.approx(12.0, rel=0.02)


def test_intervals_of_the_mean_cover(rng):
    # 200 experiments: nominal 95 %, standard error 1.5 %; the jackknife of 20 sweeps is a little narrow.
    truth, current = {"rs": 15.0, "rin": 315.0}, circuit_current(15.0, 300.0, 80.0)[EDGE - 300 : STOP + 10]
    volts = command()[EDGE - 300 : STOP + 10]
    hits = {"rs": 0, "rin": 0}
    for _ in range(200):
        rows = current + rng.normal(0, 4.0, (20, current.size)) + rng.normal(0, 2.0, (20, 1)) * (volts < -70)
        found = measure(clamped(rows, volts), baseline_ms=10.0, steady_ms=20.0)
        hits["rs"] += found.rs_interval_mohm.contains(truth["rs"])
        hits["rin"] += found.rin_interval_mohm.contains(truth["rin"])
    assert 0.89 <= hits["rs"] / 200 <= 0.99
    assert 0.89 <= hits["rin"] / 200 <= 0.99


@QUICK
@given(st.floats(0.2, 5.0), st.floats(-200, 200))
def test_resistance_scales_with_current_and_ignores_holding(factor, holding):
    current = circuit_current(15.0, 300.0, 80.0)[None]
    one, other = measure(clamped(current)), measure(clamped(current * factor + holding))
    assert other.rs_mohm == pytest.approx(one.rs_mohm / factor, rel=1e-9)
    assert other.rin_mohm == pytest.approx(one.rin_mohm / factor, rel=1e-9)
    assert other.cm_pf == pytest.approx(one.cm_pf * factor, rel=1e-9)
    assert other.holding == pytest.approx(one.holding + holding, abs=1e-9 * (1 + abs(holding)))


def test_a_steady_current_lost_in_noise_gives_no_r_in_of_single_sweeps(rng):
    # 2 GΩ and −5 mV: 2.5 pA, and a holding current that wanders by 3 pA from window to window.
    rows = circuit_current(15.0, 2000.0, 40.0) + rng.normal(0, 1.0, (200, N))
    rows += np.where(np.arange(N) < EDGE, rng.normal(0, 3.0, (200, 1)), 0.0)
    found = measure(clamped(rows))
    assert np.isnan(found.rin_mohm).all()
    assert "too noisy for R_in" in found.sweep_status[0]
    assert np.isfinite(found.rs_mohm).all()
    assert found.rs_mohm == pytest.approx(15.0, rel=0.15)
    assert found.rin_interval_mohm.contains(2015.0)
    assert found.status == OK


def test_an_over_compensated_transient_is_refused(rng):
    # The amplifier takes off more than the pipette's capacitance: the current first goes the wrong way.
    rows = filtered(20.0, 300.0, 60.0, 2000.0) + rng.normal(0, 1.0, (10, N))
    rows[:, EDGE : EDGE + 14] += 260.0
    found = measure(clamped(rows))
    assert np.isnan(found.rs_mohm).all()
    assert np.isnan(found.mean_rs_mohm)
    assert "over-compensated" in found.transient_status
    assert found.rin_mohm == pytest.approx(320.0, rel=0.05)


def test_a_pipettes_charge_does_not_pass_for_a_cells(rng):
    rows = circuit_current(20.0, 300.0, 60.0) + rng.normal(0, 1.0, (10, N))
    rows[:, EDGE] -= 3000.0  # 30 pF of pipette, charged within one sample
    found = measure(clamped(rows))
    assert np.isnan(found.mean_rs_mohm)
    assert found.transient_status != OK


def test_a_cell_without_transient_has_only_r_in(rng):
    rows = np.where((command() < -70.0), -25.0, 0.0) + rng.normal(0, 1.0, (10, N))
    found = measure(clamped(rows))
    assert found.mean_rin_mohm == pytest.approx(200.0, rel=0.01)
    assert np.isnan(found.rs_mohm).all()
    assert found.transient_status != OK


def test_current_that_goes_against_the_step_is_no_resistance():
    found = measure(clamped(-circuit_current(15.0, 300.0, 80.0)[None]))
    assert found.status == "the current does not follow the voltage step"
    assert np.isnan([found.rin_mohm[0], found.mean_rin_mohm, found.rs_mohm[0], found.cm_pf[0]]).all()


def test_a_sweep_of_nan_does_not_harm_the_others():
    rows = np.repeat(circuit_current(15.0, 300.0, 80.0)[None], 6, axis=0)
    rows[2] = np.nan
    found = measure(clamped(rows))
    assert np.isnan(found.rin_mohm[2])
    assert np.isnan(found.rs_mohm[2])
    assert found.sweep_status[2] != OK
    assert np.delete(found.rs_mohm, 2) == pytest.approx(15.0, rel=0.02)
    assert found.mean_rin_mohm == pytest.approx(315.0, rel=1e-3)


def test_a_recording_of_nan_is_no_crash():
    found = measure(clamped(np.full((3, N), np.nan)))
    assert found.status != OK
    assert found.transient_status == "the samples are not numbers"
    assert np.isnan(found.rin_mohm).all()


def test_a_flat_recording_has_no_resistance():
    found = measure(clamped(np.zeros((10, N))))
    assert found.status == "the current does not follow the voltage step"
    assert np.isnan([*found.rin_mohm, *found.rs_mohm, found.mean_rs_mohm]).all()


# ---- current clamp


def charging(rin: float, tau_ms: float, step: float = -50.0, sag: float = 0.0) -> np.ndarray:
    """V (mV): −65 + ΔI·R_in·(1 − e^{−t/τ}), and from 40 ms on a sag that takes back a share of it with 20 ms."""
    since = np.clip((np.arange(N) - EDGE) / RATE * 1e3, 0.0, None)
    peak = step * rin * 1e-3
    volts = peak * (1 - np.exp(-since / tau_ms)) - sag * peak * (1 - np.exp(-np.clip(since - 40, 0, None) / 20))
    return -65.0 + np.where(np.arange(N) >= STOP, 0.0, volts)


def in_current_clamp(volts: np.ndarray, steps: Sequence[float] = (-50.0,)) -> Channel:
    amps = np.array([command((20.0, 20.0 + step, 20.0)) for step in steps])
    return Channel(
        name="V",
        unit="mV",
        clamp="current",
        trace=ArrayTrace(np.atleast_2d(volts), RATE),
        command=ArrayTrace(amps, RATE),
        command_unit="pA",
    )


@QUICK
@given(st.floats(50, 600), st.floats(6, 25))
def test_a_membrane_is_found_back(rin, tau_ms):
    found = measure(in_current_clamp(charging(rin, tau_ms)))
    assert found.status == found.transient_status == OK
    assert found.unit == "mV"
    left = np.exp(-160 / tau_ms)  # the window for the steady state begins 160 ms after the edge
    assert found.rin_mohm[0] == pytest.approx(rin, rel=1e-3 + left)
    assert found.tau_ms[0] == pytest.approx(tau_ms, rel=0.02)  # the grid of time constants is refined to 1 %
    assert found.cm_pf[0] == pytest.approx(1e3 * tau_ms / rin, rel=0.02 + left)
    assert np.isnan(found.rs_mohm[0])
    assert found.holding[0] == pytest.approx(-65.0)


def test_sag_does_not_shorten_the_time_constant(rng):
    rows = charging(200.0, 12.0, sag=0.25) + rng.normal(0, 0.1, (20, N))
    found = measure(in_current_clamp(rows, [-50.0] * 20))
    assert found.mean_tau_ms == pytest.approx(12.0, rel=0.1)  # the sag begins before the charging is over
    assert found.mean_rin_mohm == pytest.approx(150.0, rel=0.02)  # the steady state, by definition
    assert np.nanmedian(found.tau_ms) == pytest.approx(12.0, rel=0.1)


def test_a_bridge_out_of_balance_does_not_change_the_time_constant():
    volts = charging(200.0, 12.0) + np.where(command((0, 1, 0)) > 0, -50.0 * 20.0 * 1e-3, 0.0)  # 20 MΩ too little
    found = measure(in_current_clamp(volts))
    assert found.tau_ms[0] == pytest.approx(12.0, rel=0.02)
    assert found.rin_mohm[0] == pytest.approx(220.0, rel=0.002)


def test_depolarising_sweeps_are_not_measured_in_current_clamp():
    steps = [-60.0, -30.0, 0.0, 30.0]
    found = measure(in_current_clamp(np.array([charging(150.0, 15.0, step) for step in steps]), steps))
    assert found.rin_mohm[:2] == pytest.approx(150.0, rel=1e-3)
    assert np.isnan(found.rin_mohm[2:]).all()
    assert found.sweep_status[:2] == (OK, OK)
    assert OK not in found.sweep_status[2:]
    assert found.step == pytest.approx(steps)


# ---- finding the pulse


def test_steps_are_told_from_ramps_triggers_and_staircases():
    ramp = np.linspace(-70, -60, 400)
    row = np.r_[np.full(500, -70.0), ramp, np.full(300, -70.0)]
    row[100:104] = -20.0  # a trigger of 0.4 ms
    assert [each for each in find_steps(row, 1e4) if each.stop - each.first > 20] == []
    assert find_steps(np.repeat([-70.0, -80.0, -90.0, -70.0], 200), 1e4) == []
    assert find_steps(np.full(100, -70.0), 1e4) == []
    two = find_steps(np.repeat([-70.0, -65.0, -70.0, -65.0, -70.0], 200), 1e4)
    assert [(each.first, each.size) for each in two] == [(200, 5.0), (600, 5.0)]


def test_the_smallest_hyperpolarising_step_is_the_test_pulse_and_start_ms_chooses_another():
    volts = np.full(N, -70.0)
    volts[400:1400], volts[EDGE:STOP], volts[6500:7500] = -60.0, -75.0, -90.0
    current = circuit_current(15.0, 300.0, 80.0)[None]
    found = measure(clamped(current, volts))
    assert (found.start_s, found.stop_s) == (0.1, 0.3)
    assert measure(clamped(current, volts), start_ms=325.0).start_s == 0.325
    assert measure(clamped(current, volts), start_ms=200.0).status == "there is no test pulse in the command"
    assert measure(clamped(current, volts), largest_step_mv=4.0).status == "there is no test pulse in the command"


def test_a_family_of_depolarising_steps_is_not_a_test_pulse():
    steps = np.array([10.0, 20.0, 30.0])
    rows = np.array([circuit_current(15.0, 300.0, 80.0, step) for step in steps])
    found = measure(clamped(rows, np.array([command((-70.0, -70.0 + each, -70.0)) for each in steps])))
    assert found.status == "there is no test pulse in the command"
    assert found.holding == pytest.approx(0.0, abs=1e-9)  # still read, from the sweep's start


def test_a_recorded_command_serves_even_noisy_and_without_return(rng):
    rows = np.repeat(circuit_current(15.0, 300.0, 80.0)[None, : STOP - 10], 5, axis=0)
    smooth = signal.sosfilt(signal.bessel(2, 5000.0, fs=RATE, output="sos"), command()[: STOP - 10] + 70.0) - 70.0
    recorded = np.round((smooth + rng.normal(0, 0.02, rows.shape)) / 0.01) * 0.01
    current = clamped(rows, recorded, command=None, command_unit="")
    monitor = Channel(name="AO", unit="mV", clamp="unknown", trace=ArrayTrace(recorded, RATE))
    other_cell = Channel(name="V2", unit="mV", clamp="current", trace=ArrayTrace(recorded, RATE))
    found = measure_test_pulse(recording_of(current, monitor), current)
    assert found.start_s == pytest.approx(0.1, abs=0.0002)
    assert found.step == pytest.approx(-5.0, rel=0.02)
    assert found.rin_mohm == pytest.approx(315.0, rel=0.02)
    alone = measure_test_pulse(recording_of(current, other_cell), current)
    assert alone.status.startswith("the command is not known")


def test_the_settings_place_a_pulse_that_the_file_does_not_know():
    current = clamped(circuit_current(15.0, 300.0, 80.0)[None], command=None, command_unit="")
    found = measure(current, start_ms=100.0, stop_ms=300.0, step=-5.0)
    assert found.rin_mohm[0] == pytest.approx(315.0, rel=1e-3)
    assert found.rs_mohm[0] == pytest.approx(15.0, rel=0.02)
    with pytest.raises(SettingsError, match="step, in mV in voltage clamp"):
        measure(current, start_ms=100.0, stop_ms=300.0)
    assert "end before the test pulse" in measure(current, start_ms=100.0, stop_ms=500.0, step=-5.0).status
    with_command = clamped(circuit_current(15.0, 300.0, 80.0)[None])
    assert measure(with_command, start_ms=100.0, stop_ms=300.0).rin_mohm[0] == pytest.approx(315.0, rel=1e-3)


def test_shorter_sweeps_lack_the_pulse_and_say_so():
    current = circuit_current(15.0, 300.0, 80.0)
    rows = [current, current[: EDGE + 100], current]
    channel = Channel(
        name="I",
        unit="pA",
        clamp="voltage",
        trace=ArrayTrace(rows, RATE),
        command=ArrayTrace([command()[: len(row)] for row in rows], RATE),
        command_unit="mV",
    )
    found = measure(channel)
    assert np.isfinite(found.rin_mohm).tolist() == [True, False, True]
    assert found.sweep_status[1] == "this sweep has no test pulse that could be used"


def test_channels_that_cannot_be_measured():
    rows = np.zeros((3, N))
    field = Channel(name="f", unit="mV", clamp="field", trace=ArrayTrace(rows, RATE))
    found = measure(field)
    assert found.status == "a field channel has no test pulse"
    assert np.isnan(found.rin_mohm).all()
    assert len(found.rin_mohm) == 3
    with pytest.raises(ChannelError, match="cannot be measured"):
        measure(clamped(rows, doubt="the numbers look like mV"))
    with pytest.raises(ChannelError, match="Wanted: pA"):
        measure(clamped(rows, unit="V"))
    silent = measure(clamped(rows, np.full(N, -70.0)))
    assert silent.status == "there is no test pulse in the command"
    nothing = measure_test_pulse(recording_of(clamped(rows)), clamped(rows), sweeps=[])
    assert nothing.status == "no sweep was chosen"


@pytest.mark.parametrize(
    "wrong",
    [
        {"start_ms": -1.0},
        {"start_ms": 10.0, "stop_ms": 5.0},
        {"stop_ms": 5.0},
        {"baseline_ms": 0.0},
        {"level": 1.0},
        {"largest_step_mv": -3.0},
    ],
)
def test_impossible_settings(wrong):
    with pytest.raises(SettingsError):
        Config(**wrong)


# ---- manners


class _Counting(Trace):
    """A trace that notes how much was read."""

    def __init__(self, rows: np.ndarray) -> None:
        self._inner = ArrayTrace(rows, RATE)
        self.rate_hz, self.lengths, self.read = RATE, self._inner.lengths, 0

    def _fetch(self, first, n_samples, sweeps):
        self.read += n_samples * len(sweeps)
        return self._inner._fetch(first, n_samples, sweeps)


@pytest.mark.parametrize("began_before_ms", [45.0, 40.0, 35.0])
def test_the_tail_of_a_response_before_the_pulse_does_not_pass_for_the_base(rng, began_before_ms):
    since = np.arange(N) / RATE * 1e3 - (100.0 - began_before_ms)  # ms after an EPSC of 200 pA, decaying with 5 ms
    tail = np.where(since > 0.0, -200.0 * np.exp(-np.clip(since, 0.0, None) / 5.0), 0.0)
    rows = circuit_current(12.0, 160.0, 80.0) + tail + rng.normal(0, 2.0, (60, N))
    found = measure(clamped(rows))
    # The last 5 ms before the pulse still hold 200 pA · e⁻⁶ or less, 0.5 pA of 29; the rest is noise.
    assert np.median(found.rin_mohm) == pytest.approx(172.0, rel=0.03)


def test_only_windows_are_read(rng):
    rows = circuit_current(15.0, 300.0, 80.0) + rng.normal(0, 1.0, (120, N))
    current, volts = _Counting(rows), _Counting(np.repeat(command()[None], 120, axis=0))
    channel = clamped(rows, trace=current, command=volts)
    measure(channel)
    assert current.read < 0.4 * rows.size  # 40 + 40 ms + a few of 400 ms, and of 24 sweeps once more
    assert volts.read < 0.05 * rows.size  # three whole sweeps, and a millisecond of the others
    volts.read, volts.same_every_sweep = 0, True
    measure(channel)
    assert volts.read == N


def test_sweeps_can_be_chosen_and_nothing_is_written():
    rows = np.array([circuit_current(each, 300.0, 80.0) for each in (10.0, 15.0, 20.0)])
    kept = rows.copy()
    channel = clamped(rows)
    found = measure_test_pulse(recording_of(channel), channel, sweeps=[2, 0])
    assert found.sweep.tolist() == [2, 0]
    assert found.rs_mohm == pytest.approx([20.0, 10.0], rel=0.05)  # the shape is that of their mean
    assert (rows == kept).all()


def test_the_result_is_a_table_with_units_and_travels():
    found = measure(clamped(circuit_current(15.0, 300.0, 80.0)[None]))
    frame = found.to_frame()
    assert list(frame.columns[:4]) == ["sweep", "step", "holding", "rs_mohm"]
    assert frame["sweep"].tolist() == [1]
    again = pickle.loads(pickle.dumps(found))  # noqa: S301
    assert again.rs_mohm == pytest.approx(found.rs_mohm)
    assert found.quantity("cm_pf").units.dimensionality.string == "pF"
    assert found.quantity("holding").units.dimensionality.string == "pA"
    assert str(found.quantity("mean_rin_mohm").rescale("ohm").magnitude)[:3] == "315"


# ---- real cells


def test_input_resistance_of_a_whole_cell_recording(recordings):
    recording = read(recordings / "A_f1_ST-EPSC_train50Hz.abf")
    found = measure_test_pulse(recording, recording.channel("CH1"))
    assert (found.start_s, found.stop_s) == (pytest.approx(1.664, abs=1e-3), pytest.approx(2.064, abs=1e-3))
    assert found.step == pytest.approx(-5.0)
    assert 640 <= found.mean_rin_mohm <= 840  # spontaneous EPSCs: other windows give 700 to 800
    # Its capacitance was over-compensated, so that nobody can know its R_s.
    assert "over-compensated" in found.transient_status


def test_a_model_cell_of_known_parts(recordings):
    recording = read(recordings / "A_tag_at_3min_memtest.abf")
    found = measure_test_pulse(recording, recording.channels[0])
    # 500 MΩ ∥ 33 pF behind 10 MΩ, parts of 2 to 10 % tolerance; pyABF's step method has C_m a third too low.
    assert found.mean_rm_mohm == pytest.approx(500.0, rel=0.02)
    assert found.mean_cm_pf == pytest.approx(33.0, rel=0.05)
    assert found.mean_rs_mohm == pytest.approx(10.0, rel=0.15)
    assert np.std(found.rs_mohm) / np.mean(found.rs_mohm) < 0.03


def test_a_neuron_that_two_other_programs_have_measured(recordings):
    recording = read(recordings / "E_memtest_171116sh_0011.abf")
    found = measure_test_pulse(recording, recording.channels[0])
    # pyABF: R_s 16.9, R_m 97.2, holding −130.1 pA, C_m 149.9; neuroanalysis: 13.3, R_in 88.2, C_m 264.7 (they differ
    # by 1.8). The decay has two components (dendrites): one exponential makes R_s too large, two give 12.4.
    assert 11.0 <= found.mean_rs_mohm <= 14.0
    assert 88.0 <= found.mean_rin_mohm <= 100.0
    assert 200.0 <= found.mean_cm_pf <= 265.0
    assert np.mean(found.holding) == pytest.approx(-130.1, abs=0.5)


def test_capacitance_agrees_with_the_ramp_of_the_same_cell(recordings):
    recording = read(recordings / "E_memtest_ramp_18808025.abf")
    found = measure_test_pulse(recording, recording.channels[0])
    # pyABF: 19.1 pF from the step and 23.9 from the ramp, which waits longer for the dendrites.
    assert 19.1 <= found.mean_cm_pf <= 23.9
    assert found.mean_rin_mohm == pytest.approx(3259, rel=0.5)  # 5 pA in noise
    assert found.rin_interval_mohm.contains(found.mean_rin_mohm)


def test_a_command_on_a_recorded_channel(recordings):
    recording = read(recordings / "A_TGOT_tags_abf1.abf")
    found = measure_test_pulse(recording, recording.channel("IN 0"))
    assert found.step == pytest.approx(-10.0, abs=0.05)
    assert found.start_s == pytest.approx(0.03125, abs=1e-4)
    assert found.status == found.transient_status == OK
    assert np.isfinite(found.rs_mohm).all()
