"""Readings of current against voltage: cells whose equation is integrated, and commands as Clampex writes them."""

import pickle
from dataclasses import FrozenInstanceError, replace

import clamped_cells as cells
import numpy as np
import pytest
import rigs
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.current_voltage import (
    CurrentVoltage,
    CurrentVoltageConfig,
    join_current_voltage,
    measure_current_voltage,
)
from ephysplast.analysers.stimuli import Stimuli
from ephysplast.errors import OK, ChannelError, EphysplastError, SettingsError

QUICK = settings(max_examples=15, deadline=None, derandomize=True)
LEVELS = np.arange(-105.0, -24.0, 10.0)
QUIET = cells.Truth(noise=0.0, cv=0.0)


def evoked(truth=QUIET, levels=LEVELS, seed=0, **config):
    recording, channel, stimuli = cells.evoked_family(truth, np.random.default_rng(seed), levels)
    made = CurrentVoltageConfig(**config)
    return measure_current_voltage(recording, channel, stimuli=stimuli, config=made)


# ---- evoked responses


def test_a_response_that_reverses_is_read_with_its_sign():
    found = evoked()
    assert found.status == OK
    assert (found.protocol, found.response, found.unit) == ("voltage steps", "evoked", "pA")
    assert found.command_mv.tolist() == LEVELS.tolist()
    # Where no current flows at −72 mV the sign turns; the R_s error at −75 and −65 mV is below 0.5 mV.
    assert (np.sign(found.response_value) == np.sign(LEVELS + 72.0)).all()


def test_the_latency_is_that_of_the_largest_conductance():
    command = cells.step_command(LEVELS)
    shape = cells.ipsc_shape(command.shape[1], cells.STIMULUS_MS)
    without_access = cells.Truth(rs=1.0, noise=0.0, cv=0.0)
    found = evoked(without_access)
    # R_s·C_m is 0.04 ms here, so the current peaks with the conductance, to a sample or two.
    peak_ms = np.argmax(shape) * cells.DT - cells.STIMULUS_MS
    assert found.read_ms[0] == pytest.approx(peak_ms, abs=0.25)


def test_a_potential_near_the_reversal_is_read_without_bias(rng):
    truth = cells.Truth(reversal=-65.0, conductance=2.0, rs=1.0, noise=4.0)
    at_reversal, extremes = [], []
    for seed in range(60):
        found = evoked(truth, np.arange(-105.0, -24.0, 20.0), seed)
        own = found.command_mv == -65.0
        at_reversal.append(found.response_value[own][0])
        window = (found.cut_s > 1e-3) & (found.cut_s < 30e-3)
        extremes.append(np.abs(found.cut[own][0, window]).max())
    error = np.std(at_reversal) / np.sqrt(60)
    assert abs(np.mean(at_reversal)) < 3.0 * error + 0.1  # 0.1 pA: the test pulse's R_s error of the command
    assert np.mean(extremes) > 5.0  # the largest |x| of noise alone


def test_whole_current_is_baseline_plus_response():
    found = evoked()
    base = found.total_pa - found.response_value
    # At rest only the leak flows, through R_s: closed form.
    expected = (LEVELS + 62.0) / (1.0 / 4.0 + 0.015)
    assert base == pytest.approx(expected, abs=0.01)


def test_series_resistance_is_that_of_the_test_pulse():
    found = evoked(cells.Truth(rs=20.0, cm=60.0, noise=1.0))
    assert found.rs_source == "test pulse"
    assert found.rs_mohm == pytest.approx(20.0, rel=0.03)  # noise, and τ of 1.1 ms sampled at 10 kHz


def test_files_at_one_potential_each_are_one_family_together():
    whole = evoked()
    parts = []
    for i, level in enumerate(LEVELS):
        part = evoked(levels=[level])
        assert part.status.startswith(f"one holding potential only (−{abs(level):.0f} mV)")
        parts.append(part)
        assert part.response_value.size == 1, i
    joined = join_current_voltage(parts)
    assert joined.status == OK
    assert joined.part.tolist() == list(range(LEVELS.size))
    assert joined.read_ms == whole.read_ms
    assert joined.response_value == pytest.approx(whole.response_value, abs=1e-9)


def test_rejected_sweeps_are_marked_and_move_nothing():
    recording, channel, stimuli = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    spoilt = np.vstack([channel.trace.sweep(i) for i in range(LEVELS.size)])
    spoilt[-1, 1400:1500] += 5000.0
    other = replace(channel, trace=type(channel.trace)(spoilt, cells.RATE))
    clean = measure_current_voltage(recording, channel, stimuli=stimuli)
    found = measure_current_voltage(recording.with_channel(other), other, stimuli=stimuli, exclude=[8])
    assert found.reason == (OK,) * 8 + ("rejected in the manifest",)
    assert found.read_ms == clean.read_ms
    assert found.response_value[:8] == pytest.approx(clean.response_value[:8])


def test_a_stimulus_too_soon_after_the_step_is_not_measured():
    recording, channel, _ = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    found = measure_current_voltage(recording, channel, stimuli=cells.stimuli(9, at_ms=80.0))
    assert found.status == "the command changes between baseline and response, or too shortly before"
    assert not found.used.any()


def test_a_short_step_shortens_the_search_and_not_the_family():
    recording, channel, _ = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    # The step ends 20 ms after this stimulus; there is no response to it, and that is said.
    found = measure_current_voltage(recording, channel, stimuli=cells.stimuli(9, at_ms=160.0))
    assert found.used.all()
    assert found.cut_s[-1] <= 20e-3


def test_without_a_response_there_is_none(rng):
    said = []
    for seed in range(20):
        found = evoked(cells.Truth(conductance=0.0), np.repeat(LEVELS, 2), seed)
        said.append(found.status)
    # The largest of 30 ms of noise exceeds 4 standard errors rarely.
    assert said.count("no response to the stimulus depends on the potential") >= 18


def test_a_sweep_without_a_stimulus_is_left_out():
    recording, channel, stimuli = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    at = stimuli.times_s.copy()
    at[2] = np.nan
    reason = np.where(np.isnan(at), "no stimulus", "ok")
    some = replace(stimuli, times_s=at, event_s=at, reason=reason)
    found = measure_current_voltage(recording, channel, stimuli=some)
    assert found.status == OK
    assert found.reason[2] == "no stimulus"


def test_no_stimulus_at_all_is_said():
    recording, channel, stimuli = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    none = replace(stimuli, status="no stimulus was found (nothing)")
    assert measure_current_voltage(recording, channel, stimuli=none).status == "no stimulus was found (nothing)"
    second = measure_current_voltage(recording, channel, stimuli=stimuli, config=CurrentVoltageConfig(pulse=2))
    assert second.status == "there is no stimulus number 2: the sweeps have 1"


# ---- steps without a stimulus


def family(levels, *, before=(-70.0, -80.0, -70.0), after=(-50.0,), slope=5.0, reversal=-60.0):
    """A pre-step that is always the same, the step that varies, a step after it; currents by Ohm's law."""
    pieces = [np.full((len(levels), 500), each) for each in before]
    pieces += [np.tile(np.asarray(levels)[:, None], 1000)]
    pieces += [np.full((len(levels), 1500), each) for each in after]
    command = np.hstack(pieces)
    return cells.as_recording(slope * (command - reversal), command)


def test_the_step_that_varies_is_the_one_that_is_read():
    levels = np.arange(-110.0, -49.0, 10.0)
    found = measure_current_voltage(*family(levels))
    assert found.status == OK
    assert found.response == "total"
    assert found.command_mv.tolist() == levels.tolist()
    assert found.response_value == pytest.approx(5.0 * (levels + 60.0))
    assert found.total_pa.tolist() == found.response_value.tolist()


def test_a_step_at_the_holding_potential_is_part_of_the_family():
    levels = np.array([-90.0, -80.0, -70.0, -60.0])
    found = measure_current_voltage(*family(levels, before=(-70.0,), after=(-70.0,)))
    assert found.command_mv.tolist() == levels.tolist()
    assert found.used.all()


def test_slow_edges_before_the_step_are_no_ramps():
    # As in a real protocol: 50 ms to get there, then flat to the end; the next sweep starts where this one ended.
    levels = np.arange(-110.0, -49.0, 5.0)
    starts = np.concatenate([[-70.0], levels[:-1]])
    command = np.array([
        np.concatenate([np.full(150, a), np.linspace(a, b, 500), np.full(3000, b)])
        for a, b in zip(starts, levels, strict=True)
    ])  # fmt: skip
    found = measure_current_voltage(*cells.as_recording(3.0 * (command + 60.0), command))
    assert found.protocol == "voltage steps"
    assert found.command_mv == pytest.approx(levels)
    assert found.response_value == pytest.approx(3.0 * (levels + 60.0))


def test_the_peak_of_a_fast_current_is_followed_through_its_reversal(rng):
    # Activation that speeds up and a reversal at +40 mV; the peak's height is known in closed form.
    levels = np.arange(-30.0, 81.0, 10.0)
    after = np.arange(400) / 20.0
    rise, fall = 0.25 + 0.6 * np.exp(-(levels + 30.0) / 40.0), 2.0
    shape = np.array([(1.0 - np.exp(-after / each)) ** 3 * np.exp(-after / fall) for each in rise])
    command = np.hstack([np.full((12, 100), -120.0), np.tile(levels[:, None], 400), np.full((12, 100), -120.0)])
    current = np.zeros(command.shape)
    current[:, 100:500] = 8.0 * (levels - 40.0)[:, None] * shape
    current += rng.normal(0.0, 3.0, current.shape)
    recording, channel = rig_at_20khz(current, command)
    found = measure_current_voltage(recording, channel, config=CurrentVoltageConfig(reading="peak"))
    expected = 8.0 * (levels - 40.0) * shape.max(axis=1)
    # Means over 5 samples round the peak off by 1 to 2 % and leave 1.3 pA of noise.
    assert found.response_value == pytest.approx(expected, rel=0.03, abs=5.0)
    steady = measure_current_voltage(recording, channel)
    assert np.abs(steady.response_value).max() < 0.2 * np.abs(expected).max()


def rig_at_20khz(current, command):
    channel = rigs.channel(current, command=command, command_unit="mV")
    return rigs.recording(channel), channel


def test_series_resistance_from_the_step_itself():
    levels = np.arange(-90.0, -51.0, 5.0)  # down and up from −70; steps up to 20 mV tell of the membrane
    command = np.hstack([np.full((8, 400), -70.0), np.tile(levels[:, None], 1500), np.full((8, 300), -70.0)])
    truth = cells.Truth(rs=18.0, cm=60.0, noise=0.0)
    recording, channel = cells.as_recording(cells.pipette_current(truth, command, np.zeros(command.shape)), command)
    found = measure_current_voltage(recording, channel)
    assert found.rs_source
    known = found.rs_mohm[np.isfinite(found.rs_mohm)]
    assert known.size >= 3
    assert known == pytest.approx(18.0, rel=0.05)


# ---- ramps


def ramps(truth=QUIET, n=3, seed=0, config=None, **command):
    recording, channel = cells.ramp_family(truth, np.random.default_rng(seed), n, **command)
    return measure_current_voltage(recording, channel, config=config or CurrentVoltageConfig())


def steady_current(truth, command):
    """Whole current without any charging, closed form."""
    total = truth.leak + truth.conductance
    drive = (truth.leak * truth.leak_reversal + truth.conductance * truth.reversal) / total
    return (command - drive) / (1.0 / total + truth.left)


def test_a_ramp_is_read_in_bins_without_its_charging_current():
    found = ramps()
    assert (found.status, found.protocol, found.response) == (OK, "voltage ramp", "total")
    assert found.command_mv.size == 3 * 40
    assert np.unique(found.sweeps).tolist() == [0, 1, 2]
    assert "charging current of" in found.charging
    # 40 pF × 0.225 mV/ms is 9 pA; C_m from the test pulse is right to 2 %. The current follows with a lag of
    # slope × R_s·C_m = 0.1 mV, that is 1 pA.
    assert found.response_value == pytest.approx(steady_current(QUIET, found.command_mv), abs=1.5)
    raw = ramps(config=CurrentVoltageConfig(remove_charging=False))
    assert np.mean(raw.response_value - found.response_value) == pytest.approx(9.0 * 0.87, rel=0.05)
    assert found.total_pa == pytest.approx(raw.total_pa)


@pytest.mark.parametrize("down_ms", [400.0, 250.0])
def test_up_and_down_limbs_free_the_current_of_charging(down_ms):
    found = ramps(down_ms=down_ms)
    assert found.charging.startswith("the charging current cancels")
    # Nothing needs to be known: what is left is the difference of the lags.
    assert found.response_value == pytest.approx(steady_current(QUIET, found.command_mv), abs=0.3)
    falling = ramps(down_ms=down_ms, config=CurrentVoltageConfig(ramp_limb="falling", remove_charging=False))
    rising = ramps(down_ms=down_ms, config=CurrentVoltageConfig(ramp_limb="rising", remove_charging=False))
    middle = [each.response_value[np.abs(each.command_mv + 65.0) < 2.0].mean() for each in (falling, rising)]
    assert middle[0] < middle[1]


def test_a_ramp_too_fast_for_the_clamp_gives_a_sentence():
    slow_cell = cells.Truth(rs=25.0, cm=80.0, noise=0.0)
    found = ramps(slow_cell, up_ms=60.0)  # 1.5 mV/ms × 25 MΩ × 80 pF = 3 mV
    assert found.status.startswith("the ramp is too fast for the clamp: the membrane lags ")
    assert found.lag_mv == pytest.approx(1.5 * 25.0 * 80.0 * 1e-3, rel=0.06)
    assert not found.used.any()
    allowed = ramps(slow_cell, up_ms=60.0, config=CurrentVoltageConfig(largest_lag_mv=4.0))
    assert allowed.status == OK


def test_the_ramps_own_onset_tells_the_lag_where_there_is_no_step():
    truth = cells.Truth(rs=20.0, cm=80.0, noise=1.0)
    rise = np.linspace(-100.0, -20.0, 800)
    command = np.tile(np.concatenate([np.full(400, -100.0), rise, np.full(200, -20.0)]), (4, 1))
    current = cells.pipette_current(truth, command, np.zeros(command.shape))
    current += np.random.default_rng(3).normal(0.0, 1.0, current.shape)
    found = measure_current_voltage(*cells.as_recording(current, command))
    assert found.status == OK
    assert "C_m from the ramp's onset" in found.charging
    assert np.isnan(found.rs_mohm).all()  # a corner tells τ, and R_s only as well as C_m and τ together
    assert found.cm_pf == pytest.approx(80.0, rel=0.15)
    # 1 mV/ms × 20 MΩ × 80 pF. The membrane charges with R_s ∥ R_leak, 7 % faster; the fit of 20 ms is good to 10 %.
    assert found.lag_mv == pytest.approx(1.6, rel=0.2)


def test_sweeps_without_the_ramp_are_marked():
    command = cells.ramp_command(4)
    command[2] = -70.0
    found = measure_current_voltage(*cells.as_recording(5.0 * (command + 60.0), command))
    assert found.status == OK
    assert set(found.sweeps[found.used].tolist()) == {0, 1, 3}
    assert [why for why in found.reason if why != OK] == ["this sweep has no such ramp"]


# ---- current clamp


def test_ipsps_are_read_against_the_potential_before_them():
    before = np.array([-90.0, -80.0, -70.0, -60.0, -50.0])
    shape = cells.ipsc_shape(2000, 100.0, rise_ms=3.0, decay_ms=25.0)
    volts = before[:, None] + 0.2 * (-72.0 - before)[:, None] * shape
    channel = rigs.channel(volts, unit="mV", rate_hz=cells.RATE)
    found = measure_current_voltage(rigs.recording(channel), channel, stimuli=cells.stimuli(5, at_ms=100.0))
    assert (found.status, found.protocol, found.unit) == (OK, "current clamp", "mV")
    assert found.command_mv == pytest.approx(before)
    # The mean over ±0.5 ms at the broad peak loses less than 1 %.
    assert found.response_value == pytest.approx(0.2 * (-72.0 - before), rel=0.01)
    assert np.isnan(found.total_pa).all()


def test_an_ipsp_with_a_spike_is_left_out():
    before = np.array([-90.0, -80.0, -70.0, -60.0, -50.0])
    time_s = np.arange(4000) / rigs.RATE_HZ
    volts = before[:, None] + 0.2 * (-72.0 - before)[:, None] * rigs.psc(time_s, 0.101, rise_s=3e-3, decay_s=25e-3)
    volts[4] += rigs.spike(time_s, 0.112)
    channel = rigs.channel(volts, unit="mV")
    found = measure_current_voltage(rigs.recording(channel), channel, stimuli=cells.stimuli(5, at_ms=100.0))
    assert found.reason[4] == "a spike in the response"
    assert found.used.sum() == 4


# ---- bad input: a sentence, never a number


def test_wrong_clamps_and_units_raise():
    recording, channel, stimuli = cells.evoked_family(QUIET, np.random.default_rng(0), LEVELS)
    with pytest.raises(ChannelError, match="wrong clamp"):
        measure_current_voltage(recording, replace(channel, clamp="field"), stimuli=stimuli)
    with pytest.raises(ChannelError, match="Got: mV"):
        measure_current_voltage(recording, replace(channel, unit="mV"), stimuli=stimuli)
    with pytest.raises(ChannelError, match="cannot be true"):
        measure_current_voltage(recording, replace(channel, doubt="this cannot be true"), stimuli=stimuli)


def test_current_clamp_without_a_stimulus_is_a_sentence():
    channel = rigs.channel(np.full((3, 2000), -70.0), unit="mV")
    found = measure_current_voltage(rigs.recording(channel), channel)
    assert found.status.startswith("in current clamp a reversal needs a stimulus")
    assert found.response_value.size == 0


def test_no_command_is_a_sentence_and_can_be_told():
    levels = np.array([-90.0, -70.0, -50.0])
    command = np.hstack([np.full((3, 500), -70.0), np.tile(levels[:, None], 2000), np.full((3, 500), -70.0)])
    recording, channel = cells.as_recording(4.0 * (command + 60.0), command, with_command=False)
    found = measure_current_voltage(recording, channel)
    assert found.status.startswith("the command potential is not known")
    half = measure_current_voltage(recording, channel, config=CurrentVoltageConfig(first_mv=-90.0, increment_mv=20.0))
    assert "step_start_ms and step_stop_ms" in half.status
    told = CurrentVoltageConfig(first_mv=-90.0, increment_mv=20.0, step_start_ms=50.0, step_stop_ms=250.0)
    found = measure_current_voltage(recording, channel, config=told)
    assert found.status == OK
    assert found.command_mv.tolist() == levels.tolist()
    assert found.response_value == pytest.approx(4.0 * (levels + 60.0))
    stimuli = cells.stimuli(3, at_ms=150.0)
    assert measure_current_voltage(recording, channel, stimuli=stimuli).status.startswith("the command potential")


def test_one_holding_potential_is_a_sentence():
    found = measure_current_voltage(*family(np.full(5, -80.0)))
    assert found.status == "one holding potential only (−50 mV): where a current reverses takes at least two"
    constant = np.full((3, 3000), -70.0)
    found = measure_current_voltage(*cells.as_recording(constant, constant))
    assert found.status.startswith("one holding potential only (−70 mV)")


def test_a_sine_is_neither_steps_nor_ramps():
    command = np.tile(-70.0 + 10.0 * np.sin(np.arange(20_000) / 15.0), (3, 1))
    found = measure_current_voltage(*cells.as_recording(command, command))
    assert found.status == "the command is neither steps nor ramps"


def test_sweeps_that_end_early_are_marked():
    levels = np.arange(-110.0, -49.0, 10.0)
    recording, channel = family(levels)
    rows = [channel.trace.sweep(i) for i in range(levels.size)]
    rows[3] = rows[3][:2000]
    short = replace(channel, trace=type(channel.trace)(rows, cells.RATE))
    found = measure_current_voltage(recording.with_channel(short), short)
    assert found.reason[3] == "the sweep ends before the step does"
    assert np.isnan(found.response_value[3])
    assert found.used.sum() == 6


def test_files_of_different_kinds_cannot_be_joined():
    with pytest.raises(EphysplastError, match="differ in protocol"):
        join_current_voltage([evoked(), ramps()])
    with pytest.raises(EphysplastError, match="nothing to join"):
        join_current_voltage([])


@pytest.mark.parametrize(
    "wrong",
    [
        {"reading_ms": -1.0}, {"search_start_ms": 30.0}, {"step_start_ms": 20.0}, {"readings_per_ramp": 1},
        {"peak_stop_ms": 0.2}, {"largest_lag_mv": 0.0}, {"pulse": 0},
    ],
)  # fmt: skip
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        CurrentVoltageConfig(**wrong)


# ---- invariants


@QUICK
@given(st.floats(0.3, 20.0), st.integers(0, 1000))  # R_s stays below 100 MΩ, beyond which it is none
def test_scaling_the_current_scales_the_readings(factor, seed):
    recording, channel, stimuli = cells.evoked_family(cells.Truth(), np.random.default_rng(seed), LEVELS)
    other = replace(channel, trace=channel.trace.scaled(factor))
    one = measure_current_voltage(recording, channel, stimuli=stimuli)
    two = measure_current_voltage(recording.with_channel(other), other, stimuli=stimuli)
    assert two.read_ms == one.read_ms
    assert two.response_value == pytest.approx(factor * one.response_value, rel=1e-9, abs=1e-9)
    assert two.rs_mohm == pytest.approx(one.rs_mohm / factor, rel=1e-6, nan_ok=True)


@QUICK
@given(st.permutations(range(9)))
def test_the_order_of_sweeps_does_not_matter(order):
    recording, channel, stimuli = cells.evoked_family(cells.Truth(), np.random.default_rng(1), LEVELS)
    one = measure_current_voltage(recording, channel, stimuli=stimuli)
    two = measure_current_voltage(recording, channel, stimuli=stimuli, sweeps=order)
    assert two.sweeps.tolist() == order
    assert two.response_value == pytest.approx(one.response_value[order], rel=1e-9)


def test_nothing_is_written_to_and_everything_travels():
    recording, channel, stimuli = cells.evoked_family(cells.Truth(), np.random.default_rng(1), LEVELS)
    kept = np.vstack([channel.trace.sweep(i) for i in range(9)]).copy()
    found = measure_current_voltage(recording, channel, stimuli=stimuli)
    assert np.array_equal(kept, np.vstack([channel.trace.sweep(i) for i in range(9)]))
    again = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
    assert isinstance(again, CurrentVoltage)
    assert isinstance(stimuli, Stimuli)
    frame = found.to_frame()
    assert list(frame.columns) == [
        "part", "sweep", "command_mv", "total_pa", "response", "unit", "rs_mohm", "reason",
    ]  # fmt: skip
    assert frame["sweep"].tolist() == list(range(1, 10))
    assert found.trace.shape == (9, found.trace_s.size)
    assert found.trace_s.size <= 800
    with pytest.raises(FrozenInstanceError):
        found.unit = "nA"
