"""Reading traces: closed forms, and spikes against elephant and the counts that others published."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import SettingsError
from ephysplast.signal import (
    SpikeCriteria,
    crossing,
    decay_tau_ms,
    mean_over,
    rise,
    robust_sd,
    running_mean,
    spike_times,
    spikes_in_rows,
)

RATE_HZ = 20e3
TIME_S = np.arange(-200, 1200) / RATE_HZ
QUICK = settings(max_examples=25, deadline=None)


def double_exponential(time_s, onset_s, rise_s, decay_s):
    after = np.clip(time_s - onset_s, 0.0, None)
    shape = np.exp(-after / decay_s) - np.exp(-after / rise_s)
    peak_s = np.log(decay_s / rise_s) * decay_s * rise_s / (decay_s - rise_s)
    return shape / (np.exp(-peak_s / decay_s) - np.exp(-peak_s / rise_s)), onset_s + peak_s


def action_potential(time_s, at_s, *, rest_mv=-65.0, height_mv=100.0, width_s=0.4e-3):
    """A Gaussian spike: steepest one SD before its top."""
    return rest_mv + height_mv * np.exp(-0.5 * ((time_s - at_s - width_s) / width_s) ** 2)


class TestMeans:
    def test_missing_samples_give_nan_and_no_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.isnan(mean_over(np.full((2, 3), np.nan))).all()
            assert np.isnan(robust_sd([]))

    def test_running_mean_against_convolution(self):
        trace = np.random.default_rng(3).normal(-70.0, 1.0, 500)
        expected = np.convolve(trace, np.ones(11) / 11, mode="valid")
        np.testing.assert_allclose(running_mean(trace, 11)[5:-5], expected, rtol=1e-12)

    def test_a_missing_sample_spoils_only_its_window(self):
        trace = np.arange(50.0)
        trace[20] = np.nan
        spoilt = np.flatnonzero(np.isnan(running_mean(trace, 5)))
        assert spoilt.tolist() == [18, 19, 20, 21, 22]


class TestShape:
    def test_rise_of_a_straight_ramp(self):
        ramp = np.interp(TIME_S, [0.0, 0.004, 0.010], [0.0, 10.0, 0.0])
        shape = rise(ramp, TIME_S, np.int64(np.argmax(ramp)), np.float64(10.0))
        assert float(shape.onset_s) == pytest.approx(0.0, abs=1e-9)
        assert float(shape.rise_ms) == pytest.approx(0.6 * 4.0)
        assert float(shape.half_width_ms) == pytest.approx(7.0 - 2.0, abs=1e-6)

    def test_crossings_of_many_traces_at_once_are_those_of_each(self):
        rng = np.random.default_rng(4)
        rows = np.stack([double_exponential(TIME_S, 0.002 + 0.001 * i, 0.001, 0.008)[0] for i in range(5)])
        rows += rng.normal(0.0, 0.01, rows.shape)
        peaks = rows.argmax(axis=1)
        together = crossing(rows, TIME_S, np.full(5, 0.5), peaks, before=True)
        alone = [
            float(crossing(row, TIME_S, np.float64(0.5), peak, before=True))
            for row, peak in zip(rows, peaks, strict=True)
        ]
        np.testing.assert_array_equal(together, alone)

    def test_a_level_that_is_not_crossed_is_nan(self):
        assert np.isnan(crossing(np.ones(10), np.arange(10.0), np.float64(0.5), np.int64(5), before=True))

    @QUICK
    @given(shift=st.integers(-100, 200))
    def test_onset_moves_with_the_response(self, shift):
        still, peak_s = double_exponential(TIME_S, 0.006, 0.0005, 0.006)
        moved, moved_s = double_exponential(TIME_S, 0.006 + shift / RATE_HZ, 0.0005, 0.006)
        peaks = [np.int64(round((each - TIME_S[0]) * RATE_HZ)) for each in (peak_s, moved_s)]
        onsets = [
            float(rise(trace, TIME_S, peak, np.float64(1.0)).onset_s)
            for trace, peak in zip((still, moved), peaks, strict=True)
        ]
        assert onsets[1] - onsets[0] == pytest.approx(shift / RATE_HZ, abs=1e-7)

    @pytest.mark.parametrize("tau_ms", [1.0, 5.0, 20.0])
    def test_one_exponential(self, tau_ms):
        decay = 40.0 * np.exp(-np.arange(1200) / RATE_HZ * 1e3 / tau_ms)
        # The last grid's points lie 0.1 % apart.
        assert decay_tau_ms(decay, RATE_HZ) == pytest.approx(tau_ms, rel=3e-3)

    def test_two_exponentials_give_the_weighted_time_constant(self):
        at_ms = np.arange(1600) / RATE_HZ * 1e3
        decay = 70.0 * np.exp(-at_ms / 4.0) + 30.0 * np.exp(-at_ms / 25.0)
        # (70·4 + 30·25)/100 = 10.3; grids of 0.1 % for each of the two.
        assert decay_tau_ms(decay, RATE_HZ) == pytest.approx(10.3, rel=0.01)

    def test_noise_about_one_exponential(self):
        rng = np.random.default_rng(5)
        found = [
            decay_tau_ms(np.exp(-np.arange(1000) / RATE_HZ / 0.008) + rng.normal(0.0, 0.03, 1000), RATE_HZ)
            for _ in range(40)
        ]
        # The Cramér–Rao bound is about 1.7 % per fit (σ 0.03, 1000 samples, τ 160 samples): 0.3 % for the mean of 40.
        assert np.mean(found) == pytest.approx(8.0, rel=0.02)
        assert np.std(found) < 0.6

    @pytest.mark.parametrize("decay", [np.zeros(100), np.full(100, 3.0), np.ones(4), np.full(100, np.nan)])
    def test_what_does_not_decay_has_no_time_constant(self, decay):
        assert np.isnan(decay_tau_ms(decay, RATE_HZ))


class TestSpikes:
    def test_time_of_the_steepest_rise_between_samples(self):
        time_s = np.arange(4000) / RATE_HZ
        wanted = np.array([0.02001, 0.05002, 0.08003, 0.11004, 0.15])
        trace = sum(action_potential(time_s, at, rest_mv=0.0) for at in wanted) - 65.0
        # A Gaussian of 0.4 ms SD sampled every 0.05 ms: the parabola is right to a tenth of a sample.
        np.testing.assert_allclose(spike_times(trace, RATE_HZ), wanted, atol=0.05e-3 / 10)

    @QUICK
    @given(offset=st.floats(-200.0, 200.0), shift=st.integers(0, 500))
    def test_a_dc_offset_changes_nothing_and_a_shift_only_shifts(self, offset, shift):
        time_s = np.arange(3000) / RATE_HZ
        trace = action_potential(time_s, 0.05)
        moved = action_potential(time_s, 0.05 + shift / RATE_HZ) + offset
        assert spike_times(moved, RATE_HZ) == pytest.approx(spike_times(trace, RATE_HZ) + shift / RATE_HZ, abs=1e-9)

    def test_noise_steps_and_ramps_around_zero_are_no_spikes(self):
        rng = np.random.default_rng(6)
        time_s = np.arange(20000) / RATE_HZ
        block = 3.0 * np.sin(2 * np.pi * 60.0 * time_s) + rng.normal(0.0, 1.0, len(time_s))
        step = np.where(time_s > 0.3, 10.0, -70.0)
        psp = -70.0 + 12.0 * double_exponential(time_s, 0.2, 0.001, 0.02)[0]
        for trace in (block, step, psp, np.full(20000, np.nan), np.array([])):
            assert spike_times(trace, RATE_HZ).size == 0

    def test_an_upstroke_that_pauses_is_one_spike(self):
        time_s = np.arange(2000) / RATE_HZ
        trace = action_potential(time_s, 0.05, height_mv=60.0) + action_potential(
            time_s, 0.051, rest_mv=0.0, height_mv=80.0
        )
        assert len(spike_times(trace, RATE_HZ)) == 1

    def test_a_burst_at_400_hz_is_counted(self):
        time_s = np.arange(2000) / RATE_HZ
        wanted = 0.02 + np.arange(4) * 0.0025
        heights = [80.0, 85.0, 90.0, 95.0]  # growing, so that a later top must not swallow an earlier spike
        trace = sum(
            action_potential(time_s, at, rest_mv=0.0, height_mv=height)
            for at, height in zip(wanted, heights, strict=True)
        )
        np.testing.assert_allclose(spike_times(trace - 65.0, RATE_HZ), wanted, atol=0.02e-3)

    def test_rows_are_found_as_single_sweeps_are(self):
        time_s = np.arange(2000) / RATE_HZ
        rows = np.stack([action_potential(time_s, 0.02 + 0.01 * i) for i in range(4)])
        rows[2] = -65.0
        row, at = spikes_in_rows(rows, RATE_HZ)
        assert row.tolist() == [0, 1, 3]
        np.testing.assert_allclose(at, np.concatenate([spike_times(each, RATE_HZ) for each in rows]))

    def test_elephant_finds_the_same_spikes(self):
        import neo
        import quantities as pq
        from elephant.spike_train_generation import threshold_detection

        rng = np.random.default_rng(7)
        time_s = np.arange(40000) / RATE_HZ
        wanted = np.cumsum(rng.uniform(0.02, 0.1, 25))
        trace = -65.0 + rng.normal(0.0, 0.3, len(time_s))
        trace += sum(action_potential(time_s, at, rest_mv=0.0) for at in wanted)
        ours = spike_times(trace, RATE_HZ)
        signal = neo.AnalogSignal(trace[:, None], units="mV", sampling_rate=RATE_HZ * pq.Hz)
        theirs = np.asarray(threshold_detection(signal, threshold=-20.0 * pq.mV).rescale("s").magnitude)
        assert len(ours) == len(theirs) == len(wanted)
        # 0.3 mV of noise makes slopes over 0.15 ms uncertain by 3 of 150 mV/ms, which these round spikes do not reach
        # within 0.1 ms of their steepest point: an SD of about 0.1 ms. Elephant's crossing of −20 mV is 0.1 ms off it.
        assert np.abs(ours - wanted).max() < 0.25e-3
        assert np.abs(np.median(ours - wanted)) < 0.05e-3
        assert np.abs(ours - theirs).max() < 0.4e-3

    @pytest.mark.parametrize("name", ["slope_mv_per_ms", "height_mv", "upstroke_ms", "fall_ms"])
    def test_impossible_criteria_are_refused(self, name):
        with pytest.raises(SettingsError, match=name):
            SpikeCriteria(**{name: 0.0})


class TestPublishedCounts:
    """eFEL, IPFX and elephant agree on these counts for the first step (0.147 to 0.647 s)."""

    @pytest.mark.parametrize(
        ("file", "first_s", "last_s", "counts"),
        [
            ("D_steps_171116sh_0018.abf", 0.147, 0.647, [0] * 6 + [1, 1, 3, 4, 5, 6, 6, 7, 8, 8, 9]),
            (
                "D_steps_17o05028_spontaneous.abf",
                0.147,
                0.647,
                [0, 0, 0, 0, 0, 3, 6, 7, 10, 12, 15, 17, 18, 20, 20, 21],
            ),
            # Sweep 9 begins a depolarisation block; naive crossings of 0 mV count 159 there.
            ("D_FI_abf1_190619B.abf", 0.0, 3.0, [0, 0, 0, 0, 3, 6, 8, 12]),
        ],
    )
    def test_steps(self, recordings, file, first_s, last_s, counts):
        from ephysplast.io import read

        channel = read(recordings / file).channels[0]
        found = []
        for sweep in range(len(counts)):
            at = spike_times(channel.trace.sweep(sweep), channel.trace.rate_hz)
            found.append(int(((at > first_s) & (at < last_s)).sum()))
        assert found == counts

    def test_elephant_agrees_on_the_steps(self, recordings):
        import neo
        import quantities as pq
        from elephant.spike_train_generation import threshold_detection

        from ephysplast.io import read

        channel = read(recordings / "D_steps_171116sh_0018.abf").channels[0]
        for sweep in (6, 9, 16):
            trace = channel.trace.sweep(sweep)
            signal = neo.AnalogSignal(trace[:, None], units="mV", sampling_rate=channel.trace.rate_hz * pq.Hz)
            theirs = np.asarray(threshold_detection(signal, threshold=-10.0 * pq.mV).rescale("s").magnitude)
            ours = spike_times(trace, channel.trace.rate_hz)
            assert len(ours) == len(theirs)
            # An upstroke takes about 0.5 ms from its steepest slope to −10 mV in late, slow spikes.
            assert np.abs(ours - theirs).max() < 0.6e-3
