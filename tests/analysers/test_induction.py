"""Pairings as delivered, on the recording's clock."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import RATE_HZ, channel, recording, spike

from ephysplast.analysers.induction import NO_POST, NO_PRE, NO_SPIKES, InductionConfig, measure_induction, pair
from ephysplast.analysers.stimuli import find_stimuli
from ephysplast.errors import OK, SettingsError

QUICK = settings(max_examples=25, deadline=None)
N_SAMPLES = 10000
TIME_S = np.arange(N_SAMPLES) / RATE_HZ


def cell(rng, spikes_s, name, rest_mv=-65.0):
    rows = rest_mv + rng.normal(0.0, 0.05, (len(spikes_s), N_SAMPLES))
    for row, times in zip(rows, spikes_s, strict=True):
        row += sum((spike(TIME_S, at) for at in times), np.zeros(N_SAMPLES))
    return channel(rows, name=name, unit="mV")


def delivered(rng, pre_s, post_s, *, starts_s=None, config=None, **more):
    pre, post = cell(rng, pre_s, "pre"), cell(rng, post_s, "post", **more)
    rig = recording(pre, post, starts_s=starts_s)
    return measure_induction(rig, pre_channel=pre, post_channel=post, config=config or InductionConfig())


class TestPairings:
    @pytest.mark.parametrize("delta_ms", [-25.0, -6.0, 5.0, 10.0, 40.0])
    def test_single_pairings(self, rng, delta_ms):
        n_sweeps = 12
        jitter_ms = rng.normal(0.0, 0.8, n_sweeps)
        pre = [[0.2]] * n_sweeps
        post = [[0.2 + (delta_ms + each) / 1e3] for each in jitter_ms]
        found = delivered(rng, pre, post, starts_s=np.arange(n_sweeps) * 5.0)
        assert found.status == OK
        assert found.n_pairings == n_sweeps
        # 0.05 mV of noise leaves each spike time uncertain by some 0.03 ms.
        np.testing.assert_allclose(found.delta_t_ms, delta_ms + jitter_ms, atol=0.15)
        assert found.delta_t_mean_ms == pytest.approx((delta_ms + jitter_ms).mean(), abs=0.05)
        assert found.delta_t_sd_ms == pytest.approx(jitter_ms.std(ddof=1), abs=0.1)
        assert found.frequency_hz == pytest.approx(0.2, rel=1e-3)

    @pytest.mark.parametrize("delta_ms", [-10.0, -5.0, 10.0, 5.0])
    def test_trains_of_pairings_at_50_hz(self, rng, delta_ms):
        """Ten ms after one presynaptic spike is ten before the next."""
        pre = 0.1 + 0.02 * np.arange(5)
        found = delivered(rng, [pre] * 6, [pre + delta_ms / 1e3] * 6, starts_s=np.arange(6) * 30.0)
        assert found.n_pairings == 30
        np.testing.assert_allclose(found.delta_t_ms, delta_ms, atol=0.15)
        assert found.frequency_hz == pytest.approx(50.0, rel=0.01)

    def test_bursts(self, rng):
        burst = np.array([0.01, 0.02, 0.03])
        found = delivered(rng, [[0.2]] * 8, [0.2 + burst] * 8)
        assert found.spikes_per_burst.tolist() == [3] * 8
        np.testing.assert_allclose(found.delta_t_ms, 10.0, atol=0.15)
        np.testing.assert_allclose(found.delta_t_all_ms.reshape(8, 3), np.tile(burst * 1e3, (8, 1)), atol=0.15)

    def test_a_burst_that_comes_first_counts_from_its_first_spike(self, rng):
        found = delivered(rng, [[0.2]] * 4, [0.2 + np.array([-0.03, -0.02, -0.01])] * 4)
        np.testing.assert_allclose(found.delta_t_ms, -30.0, atol=0.15)
        np.testing.assert_allclose(found.delta_t_nearest_ms, -10.0, atol=0.15)

    def test_the_clock_is_the_recordings(self, rng):
        starts = np.array([0.0, 7.0, 14.0, 900.0])
        found = delivered(rng, [[0.2]] * 4, [[0.21]] * 4, starts_s=starts)
        np.testing.assert_allclose(found.pairing_pre_s, starts + 0.2, atol=1e-4)
        np.testing.assert_allclose(found.pre_s, starts + 0.2, atol=1e-4)
        # The median interval is not moved by the pause.
        assert found.frequency_hz == pytest.approx(1 / 7.0, rel=1e-3)

    def test_events_without_a_postsynaptic_spike_are_counted_apart(self, rng):
        found = delivered(rng, [[0.1, 0.4]] * 5, [[0.11]] * 5)
        assert (found.n_pairings, found.n_unpaired) == (5, 5)
        assert found.sweep.tolist() == [0, 1, 2, 3, 4]
        assert found.to_frame()["sweep"].tolist() == [1, 2, 3, 4, 5]

    def test_spikes_out_of_the_window_are_no_pairing(self, rng):
        config = InductionConfig(pairing_window_ms=20.0)
        found = delivered(rng, [[0.1]] * 5, [[0.16]] * 5, config=config)
        assert found.status == NO_SPIKES
        assert np.isnan(found.delta_t_mean_ms)
        assert found.n_unpaired == 5

    def test_postsynaptic_state(self, rng):
        found = delivered(rng, [[0.1]] * 4, [[0.11]] * 4, rest_mv=-52.0)
        # Median of hundreds of samples of 0.05 mV, spikes left out.
        assert found.post_potential_mv == pytest.approx(-52.0, abs=0.05)

    def test_some_sweeps_only(self, rng):
        pre, post = cell(rng, [[0.1]] * 6, "pre"), cell(rng, [[0.11]] * 3 + [[0.13]] * 3, "post")
        found = measure_induction(recording(pre, post), pre_channel=pre, post_channel=post, sweeps=[3, 4])
        assert found.sweep.tolist() == [3, 4]
        np.testing.assert_allclose(found.delta_t_ms, 30.0, atol=0.15)

    def test_the_result_can_be_sent(self, rng):
        found = delivered(rng, [[0.1]] * 2, [[0.11]] * 2)
        sent = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(sent.delta_t_ms, found.delta_t_ms)


class TestPair:
    @QUICK
    @given(
        delta_ms=st.floats(-60.0, 60.0).filter(lambda each: abs(each) > 0.5),
        interval_s=st.floats(0.15, 10.0),
        shift_s=st.floats(0.0, 1e4),
    )
    def test_regular_pairings_come_back_wherever_they_lie(self, delta_ms, interval_s, shift_s):
        pre = shift_s + np.arange(20) * interval_s
        found = pair(pre, pre + delta_ms / 1e3, window_s=0.1, burst_gap_s=0.025)
        assert len(found.event) == 20
        np.testing.assert_allclose((found.first - pre[found.event]) * 1e3, delta_ms, atol=1e-6)

    @QUICK
    @given(st.lists(st.floats(0.0, 10.0), max_size=12), st.lists(st.floats(0.0, 10.0), max_size=12))
    def test_no_spike_is_paired_twice_and_none_lies_outside_the_window(self, pre, post):
        pre, post = np.sort(pre), np.sort(post)
        found = pair(pre, post, window_s=0.5, burst_gap_s=0.025)
        assert found.n_spikes.sum() == len(found.all_ms) <= len(post)
        assert np.unique(found.event).size == found.event.size
        assert (np.abs(found.all_ms) <= 500.0 + 1e-6).all()


class TestWhereEventsComeFrom:
    def test_stimuli_where_there_is_no_presynaptic_electrode(self, rng):
        post = cell(rng, [[0.11]] * 5, "post")
        rig = recording(post, lines=[("digital 0", [[0.1]] * 5)])
        found = measure_induction(rig)
        assert found.pre_method == "digital 0"
        np.testing.assert_allclose(found.delta_t_ms, 10.0, atol=0.15)

    def test_stimuli_that_were_given(self, rng):
        post = cell(rng, [[0.11]] * 5, "post")
        rig = recording(post)
        stimuli = find_stimuli(rig, post, stimulus="0.104", sweeps=[1, 2])
        found = measure_induction(rig, post_channel=post, stimuli=stimuli)
        assert found.sweep.tolist() == [1, 2]
        np.testing.assert_allclose(found.delta_t_ms, 6.0, atol=0.15)

    def test_high_frequency_stimulation_without_a_cell(self, rng):
        field = channel(rng.normal(0, 0.01, (3, N_SAMPLES)), name="field", unit="mV", clamp="field")
        times = [0.1 + 0.01 * np.arange(30)] * 3
        found = measure_induction(recording(field, lines=[("digital 0", times)]), post_channel=field)
        assert found.status == NO_POST
        assert len(found.pre_s) == 90
        assert found.frequency_hz == pytest.approx(100.0)
        assert np.isnan(found.post_potential_mv)

    def test_nothing_happened(self, rng):
        pre, post = cell(rng, [[]] * 3, "pre"), cell(rng, [[0.2]] * 3, "post")
        found = measure_induction(recording(pre, post), pre_channel=pre, post_channel=post)
        assert found.status == NO_PRE
        assert np.isnan(found.frequency_hz)
        assert len(found.post_s) == 3

    @pytest.mark.parametrize("wrong", [{"pairing_window_ms": 0.0}, {"burst_gap_ms": -1.0}, {"spike_height_mv": 0.0}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(SettingsError):
            InductionConfig(**wrong)
