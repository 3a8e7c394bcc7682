"""What makes a wrong number of a good recording: electrodes, test pulses, hum, block, odd protocols."""

import numpy as np
import pandas as pd
import pytest
from integrating import (
    RATE_HZ,
    Integrator,
    made,
    pulses,
    waveform,
    with_bridge,
    with_hum,
    with_spikes,
    with_transients,
)
from rigs import channel, recording

from ephysplast.analysers import _step_readings
from ephysplast.analysers._gain import gain_of, rising
from ephysplast.analysers._rheobase import step_rheobase, tally
from ephysplast.analysers.current_steps import CurrentStepConfig, join_steps, measure_current_steps
from ephysplast.analysers.excitability import measure_excitability
from ephysplast.analysers.spikes import SpikeConfig, measure_spikes
from ephysplast.errors import OK
from ephysplast.io import read
from ephysplast.statistics import Interval, difference_interval

START_S, STOP_S, DURATION_S = 0.3, 0.7, 0.8
LEVELS = np.arange(-100.0, 241.0, 20.0)
STEPS = np.array([pulses((START_S, STOP_S, level), duration_s=DURATION_S) for level in LEVELS])


@pytest.fixture(scope="module")
def volts():
    return Integrator().volts(STEPS)


def steps_of(rec, **more):
    return measure_current_steps(rec, rec.channels[0], **more)


def cell_of(rec):
    return measure_excitability(steps_of(rec))


def is_as_made(result):
    """Whether rheobase and R_in are those of the integrator: it fires from 160 pA on, and has 150 MΩ."""
    assert (result.rheobase_pa.value, result.rheobase_pa.low) == (160.0, 140.0)
    assert result.rin_mohm.value == pytest.approx(150.0, rel=0.02)
    return True


class TestElectrodes:
    @pytest.mark.parametrize("mohm", [-40.0, 40.0, 90.0])
    def test_a_bridge_that_is_off_moves_neither_resistance_nor_threshold(self, volts, rng, mohm):
        clean, off = cell_of(made(volts, STEPS, rng)), cell_of(made(with_bridge(volts, STEPS, mohm), STEPS, rng))
        assert is_as_made(clean)
        assert is_as_made(off)
        # The line through 1 ms of a membrane of 20 ms misses the edge by 0.1 % of R_in.
        assert off.bridge_mohm.value == pytest.approx(mohm, abs=1.0)
        assert abs(clean.bridge_mohm.value) < 1.0
        # 1 MΩ at 200 pA is 0.2 mV.
        assert off.threshold_mv.value == pytest.approx(clean.threshold_mv.value, abs=0.3)
        assert "the bridge is off" in off.rin_mohm.method
        assert "bridge" not in clean.rin_mohm.method

    def test_it_does_not_move_the_sag_either(self, rng):
        commands = np.array([pulses((0.1, 0.9, level), duration_s=1.0) for level in (-150.0, -120.0, -90.0)])
        after_s = np.clip(np.arange(commands.shape[1]) / RATE_HZ - 0.1, 0.0, None)
        wave = (1.0 - np.exp(-after_s / 0.015)) * (1.0 + 0.25 * np.exp(-after_s / 0.1))
        rows = -65.0 + 0.15 * commands * wave
        truth = 1.0 - wave[round(0.85 * RATE_HZ)] / wave.max()
        for mohm in (0.0, 50.0):
            found = cell_of(made(with_bridge(rows, commands, mohm), commands, rng)).sag_ratio
            # Peak and steady state move alike, so the ratio fell by a quarter of itself.
            assert found.value == pytest.approx(truth, abs=0.01)

    @pytest.mark.parametrize("mv", [-25.0, 25.0])
    def test_transients_at_the_edges_are_neither_spikes_nor_a_bridge(self, volts, rng, mv):
        rec = made(with_transients(volts, STEPS, mv), STEPS, rng)
        result = cell_of(rec)
        assert is_as_made(result)
        assert "transient" in result.bridge_mohm.status
        assert steps_of(rec).spikes.count[LEVELS < 150.0].tolist() == [0] * 13
        blind = CurrentStepConfig(edge_ms=0.0)
        allowed = SpikeConfig(at_once_percent=200.0)
        assert steps_of(rec, config=blind, spikes=allowed).spikes.count[LEVELS < 150.0].any()

    def test_a_spike_upon_the_jump_of_an_edge_is_found(self, rng):
        commands = np.array([pulses((0.1, 0.3, level), duration_s=0.4) for level in (0.0, 500.0)])
        rows = with_spikes(np.full(commands.shape, -65.0), [1], [0.1015])
        found = steps_of(made(with_bridge(rows, commands, 60.0), commands, rng)).spikes
        assert found.count.tolist() == [0, 1]
        # It rises steepest 0.2 ms after it begins, and starts from −65 + 30 mV.
        assert found.time_s[0] == pytest.approx(0.1017, abs=5e-5)
        assert found.threshold_mv[0] == pytest.approx(-35.0, abs=3.0)

    @pytest.mark.parametrize("rate_hz", [10e3, 20e3, 50e3])
    @pytest.mark.parametrize(("width_ms", "tail_ms"), [(0.2, 0.0), (1.0, 0.0), (0.1, 1.0), (0.1, 4.0)])
    def test_stimulus_artefacts_are_no_spikes(self, rng, rate_hz, width_ms, tail_ms):
        row = rng.normal(-65.0, 0.1, round(0.3 * rate_hz))
        first, n = round(0.1 * rate_hz), round(width_ms * 1e-3 * rate_hz)
        row[first : first + n] += 60.0
        after = np.arange(row.size - first - n) / rate_hz
        row[first + n :] += 60.0 * np.exp(-after / (tail_ms * 1e-3)) if tail_ms else 0.0
        spike = waveform(rate_hz)
        row[round(0.2 * rate_hz) :][: spike.size] += 80.0 * spike
        cell = channel([row], unit="mV", rate_hz=rate_hz)
        found = measure_spikes(recording(cell), cell)
        assert found.count.tolist() == [1]
        assert found.time_s[0] == pytest.approx(0.2002, abs=1e-4)

    @pytest.mark.parametrize("rate_hz", [10e3, 20e3, 50e3])
    def test_the_fastest_spikes_are_no_artefacts(self, rng, rate_hz):
        # 65 mV at 800 mV/ms at most, after a foot: a logistic upstroke of 20 µs; and as fast a fall as there is.
        time_ms = np.arange(round(0.2 * rate_hz)) / rate_hz * 1e3
        row = rng.normal(-50.0, 0.1, time_ms.size)
        # Each at another phase of the samples.
        at_ms = 20.0 + 17.013 * np.arange(10)
        for each in at_ms:
            after = np.clip(time_ms - each - 0.1, 0.0, None)
            row += 65.0 / (1.0 + np.exp(-np.clip((time_ms - each) / 0.02, -500.0, 500.0))) * np.exp(-after / 0.15)
        cell = channel([row], unit="mV", rate_hz=rate_hz)
        found = measure_spikes(recording(cell), cell)
        assert found.count.tolist() == [10]
        assert found.time_s == pytest.approx(at_ms * 1e-3, abs=0.6 / rate_hz)


class TestHumAndSynapses:
    def test_hum_makes_no_sag(self, volts, rng):
        steps = steps_of(made(with_hum(volts, 1.0, rng), STEPS, rng))
        found = measure_excitability(steps).sag_ratio
        # Read off the lowest point, as others do, it is 1 mV in 15.
        assert np.nanmean(steps.sag_ratio) > 0.05
        assert abs(found.value) < 0.02

    def test_synaptic_noise_makes_none(self, volts, rng):
        noise = np.stack([_slow_noise(rng, volts.shape[1]) for _ in LEVELS])
        found = cell_of(made(volts + noise, STEPS, rng)).sag_ratio
        # Five sweeps with 0.1 in each: their mean is good to 0.1 at two SE; uncorrected it is 0.13.
        assert found.low < 0.0
        assert abs(found.value) < 0.1


def _slow_noise(rng, n, sd=1.0, tau_s=0.01):
    """An Ornstein-Uhlenbeck process, as filtered synaptic currents are."""
    keep = np.exp(-1.0 / (tau_s * RATE_HZ))
    drive = rng.normal(0.0, sd * (1.0 - keep**2) ** 0.5, n)
    row = np.empty(n)
    held = 0.0
    for i, each in enumerate(drive):
        held = keep * held + each
        row[i] = held
    return row


class TestTestPulses:
    def pulsed(self, volts, start_s, stop_s, level=-50.0):
        """Put a test pulse ahead of every step: its command, and what it does to the membrane."""
        commands, rows = STEPS.copy(), volts.copy()
        commands[:, round(start_s * RATE_HZ) : round(stop_s * RATE_HZ)] = level
        time_s = np.arange(rows.shape[1]) / RATE_HZ
        on, off = (np.clip(time_s - at, 0.0, None) for at in (start_s, stop_s))
        charge = np.exp(-off / 0.02) * (off > 0.0) - np.exp(-on / 0.02) * (on > 0.0)
        return commands, rows + 0.15 * level * (charge + (on > 0.0) - (off > 0.0))

    def test_one_that_the_sweep_begins_with_is_not_holding(self, volts, rng):
        commands, rows = self.pulsed(volts, 0.0, 0.05)
        steps = steps_of(made(rows, commands, rng))
        assert steps.current_pa.tolist() == LEVELS.tolist()
        assert set(steps.holding_pa) == {0.0}
        assert is_as_made(measure_excitability(steps))

    @pytest.mark.parametrize("gap_s", [0.03, 0.1])
    def test_one_just_before_the_step_does_not_spoil_the_rest(self, volts, rng, gap_s):
        commands, rows = self.pulsed(volts, START_S - gap_s - 0.1, START_S - gap_s)
        result = cell_of(made(rows, commands, rng))
        # 7.5 mV decay to 1.7 within 30 ms.
        assert result.rest_mv.value == pytest.approx(-68.0, abs=0.05)
        assert is_as_made(result)

    def test_a_rebound_spike_after_it_is_not_spontaneous(self, volts, rng):
        commands, rows = self.pulsed(volts, 0.1, 0.15)
        rows = with_spikes(rows, range(len(rows)), [0.17])
        steps = steps_of(made(rows, commands, rng))
        assert not steps.spontaneous.any()
        assert is_as_made(measure_excitability(steps))

    def test_one_before_it_is(self, volts, rng):
        commands, rows = self.pulsed(volts, 0.1, 0.15)
        rows = with_spikes(rows, range(len(rows)), [0.05])
        assert steps_of(made(rows, commands, rng)).spontaneous.tolist() == [1] * len(LEVELS)

    def test_a_rebound_spike_after_the_step_is_not_in_it(self, volts, rng):
        rows = with_spikes(volts, np.flatnonzero(LEVELS < 0.0), [STOP_S + 0.005])
        steps = steps_of(made(rows, STEPS, rng))
        assert not steps.spikes.count[LEVELS < 0.0].any()
        assert is_as_made(measure_excitability(steps))


def plateau(first_mv, times_s, *, block_mv=-30.0, stop_s=STOP_S):
    """A blocked sweep: spikes whose thresholds climb on the way to a plateau."""
    time_s = np.arange(round(DURATION_S * RATE_HZ)) / RATE_HZ
    late = np.clip(time_s - START_S, 0.0, None)
    inside = (time_s >= START_S) & (time_s < stop_s)
    row = np.where(inside, block_mv + (first_mv - block_mv) * np.exp(-late / 0.02), -68.0)
    return with_spikes(row[None], [0], times_s)[0]


class TestBlock:
    def test_thresholds_that_climb_do_not_hide_it(self, volts, rng):
        rows = volts.copy()
        for i in (-3, -2, -1):
            rows[i] = plateau(-45.0, (0.301, 0.315, 0.33))
        result = cell_of(made(rows, STEPS, rng))
        assert result.n_blocked == 3
        assert result.rheobase_pa.value == 160.0
        assert "there are 2" in result.gain_hz_per_pa.status

    def test_spikes_that_collapse_are_counted_but_give_no_rate(self, volts, rng):
        rows = volts.copy()
        times_s = START_S + 0.01 + 0.013 * np.arange(28)
        shrinking = 90.0 * 0.93 ** np.arange(28)
        rows[-1] = np.where(STEPS[-1] > 0.0, -40.0, -68.0)
        for at_s, height_mv in zip(times_s, shrinking, strict=True):
            rows[-1] = with_spikes(rows[-1:], [0], [at_s], height_mv=height_mv)[0]
        steps = steps_of(made(rows, STEPS, rng))
        assert steps.spikes.collapsed.tolist() == [False] * (len(LEVELS) - 1) + [True]
        # Down to 15 mV: 90 × 0.93^24.7.
        assert 23 <= steps.spikes.count[-1] <= 26
        result = measure_excitability(steps)
        assert result.n_collapsed == 1
        # 60 Hz would be the largest rate.
        assert result.max_rate_hz.value < 45.0
        assert "to 220 pA" in result.gain_hz_per_pa.method

    def test_rates_that_fall_for_good_end_the_line(self):
        hz = np.array([4.0, 12.0, 20.0, 28.0, 30.0, 20.0, 6.0])
        assert rising(hz, step_s=0.5) == 5
        assert rising(hz[:5], step_s=0.5) == 5
        assert rising(np.array([4.0, 12.0, 10.0, 14.0, 12.0]), step_s=0.5) == 5  # one spike more or less
        assert rising(np.zeros(0), step_s=0.5) == 0

    def test_a_silent_step_below_the_rheobase_is_not_blocked(self, volts, rng):
        # A bridge that takes 200 MΩ too much turns the deflections over.
        result = cell_of(made(with_bridge(volts, STEPS, -200.0), STEPS, rng))
        assert result.n_blocked == 0
        assert (result.rheobase_pa.value, result.rheobase_pa.low) == (160.0, 140.0)

    def test_regular_small_spikes_on_a_high_plateau_are_spikes(self, recordings):
        # The index calls sweeps 9 and 10 blocked; they hold 13 and 16 regular spikes of 28–30 mV, as high and as wide
        # as those of the sweeps before, on a plateau that rises by 6 mV with each step.
        steps = steps_of(read(recordings / "D_FI_abf1_190619B.abf").recordings[0])
        spikes = steps.spikes
        assert spikes.count[8:].tolist() == [13, 16]
        assert not spikes.blocked.any()
        assert not spikes.collapsed.any()
        medians = [np.median(spikes.amplitude_mv[spikes.row == i]) for i in range(4, 10)]
        assert np.ptp(medians) < 3.0

    def test_the_verge_of_block_in_a_real_cell(self, recordings):
        # At 90 and 100 pA the spikes shrink from 64 mV to 28 and 17 within the step.
        steps = steps_of(read(recordings / "D_steps_17o05028_spontaneous.abf").recordings[0])
        assert np.flatnonzero(steps.spikes.collapsed).tolist() == [14, 15]
        assert steps.spikes.count[14:].tolist() == [20, 21]


class TestProtocols:
    def test_steps_of_several_lengths_have_no_rheobase(self, rng):
        commands = [pulses((0.1, 0.2 + 0.05 * i, 30.0 * i), duration_s=0.8) for i in range(10)]
        rows = Integrator().volts(commands)
        result = cell_of(made(rows, commands, rng))
        for each in (result.rheobase_pa, result.gain_hz_per_pa, result.max_rate_hz):
            assert each.status.startswith("the steps differ in length (0.15 to 0.55 s)")
        assert result.rin_mohm.status == OK

    def test_nor_have_joined_files_of_two_lengths(self, volts, rng):
        long = [pulses((0.1, 0.7, level), duration_s=DURATION_S) for level in LEVELS[::4]]
        both = join_steps([steps_of(made(volts, STEPS, rng)), steps_of(made(Integrator().volts(long), long, rng))])
        assert "differ in length" in measure_excitability(both).rheobase_pa.status

    def test_one_current_that_fires_at_times_is_no_rheobase(self):
        found = step_rheobase(tally(np.full(10, 137.0), np.arange(10) < 4), level=0.95)
        assert found.status.startswith("4 of 10 steps of 137 pA, the only current, made the cell fire")

    def test_a_rheobase_outside_of_what_was_tried_is_none(self):
        current = np.arange(-40.0, 61.0, 20.0)
        found = step_rheobase(tally(current, current == 40.0), level=0.95)
        assert found.status.startswith("the rheobase lies outside the currents that were tried")
        assert np.isnan(found.value)
        assert found.high == np.inf

    def test_a_ramp_that_fires_below_holding_has_none(self, rng):
        n = round(1.0 * RATE_HZ)
        row = np.zeros(n)
        row[4000:18000] = np.linspace(-100.0, 250.0, 14000)
        rows = with_spikes(np.full((3, n), -65.0), range(3), [0.3, 0.5, 0.7])  # 0.1 s of 0.7: at −50 pA
        found = cell_of(made(rows, [row] * 3, rng)).rheobase_pa
        assert found.status == "the ramps' first spikes come at or below holding (−50 pA): no rheobase"

    @pytest.mark.parametrize("order", ["falling", "mixed"])
    def test_the_order_and_the_holding_do_not_matter(self, volts, rng, order):
        which = {"falling": np.arange(len(LEVELS))[::-1], "mixed": rng.permutation(len(LEVELS))}[order]
        assert is_as_made(cell_of(made(volts[which] - 7.5, STEPS[which] - 50.0, rng)))

    def test_a_late_spike_and_a_doublet_are_counted(self, rng):
        commands = STEPS[4:8]
        rows = with_spikes(np.full(commands.shape, -65.0), [2], [STOP_S - 0.003])
        rows = with_spikes(rows, [3], [START_S + 0.005, START_S + 0.0085])
        steps = steps_of(made(rows, commands, rng))
        assert steps.spikes.count.tolist() == [0, 0, 1, 2]
        # Threshold within the first 0.1 ms of the waveform.
        assert steps.spikes.latency_ms[2:] == pytest.approx([397.0, 5.0], abs=0.15)

    def test_it_is_the_same_however_many_sweeps_are_read_at_once(self, volts, rng, monkeypatch):
        rec = made(volts, STEPS, rng)
        whole = steps_of(rec).to_frame()
        monkeypatch.setattr(_step_readings, "_AT_ONCE", 1)
        pd.testing.assert_frame_equal(steps_of(rec).to_frame(), whole, rtol=1e-9)


class TestGainOfABentCurve:
    """The gain of a curve that bends depends on the stretch of it: the interval must not hide that."""

    def gain(self, rng):
        current = np.repeat(np.arange(20.0, 301.0, 20.0), 3)
        above = current - rng.normal(100.0, 10.0, current.size)
        hz = np.where(above > 0.0, 80.0 * above / (np.maximum(above, 0.0) + 80.0), 0.0)
        count = np.maximum(np.floor(hz * 0.5 + rng.uniform(size=current.size)), above > 0.0)
        always = current > current[above <= 0.0].max()
        return gain_of(current[always], count[always] / 0.5, step_s=0.5, level=0.95).gain

    def test_two_recordings_of_one_cell_agree(self):
        rng = np.random.default_rng(4)
        apart = []
        for _ in range(150):
            one, other = self.gain(rng), self.gain(rng)
            low, high = difference_interval(
                one.value, Interval(one.low, one.high), other.value, Interval(other.low, other.high)
            )
            apart.append(low > 0.0 or high < 0.0)
        # 5 %, and three SE of 150 pairs. At the best length of the line alone it is 21 %: the length is uncertain too.
        assert np.mean(apart) < 0.05 + 0.055
