"""Amplitudes by a linear operator, their noise, and the shape of the mean, on responses made by hand."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import RATE_HZ, channel, evoked, peak_after_s, pink, psc, recording, spike

from ephysplast.analysers.responses import NO_RESPONSE, ResponseConfig, cut_responses, join, measure_responses
from ephysplast.analysers.stimuli import find_stimuli
from ephysplast.errors import OK, ChannelError, EphysplastError, SettingsError, WindowError

TIME_S = np.arange(-640, 1001) / RATE_HZ
ONSET_S = 2e-3
QUICK = settings(max_examples=20, deadline=None)


def sweeps_of(amplitudes, *, noise=0.0, rng=None, unit="pA", level=-50.0, sign=-1, **shape):
    amplitudes = np.asarray(amplitudes, dtype=float)
    traces = level + sign * amplitudes[:, None] * psc(TIME_S, ONSET_S, **shape)
    if noise:
        traces = traces + rng.normal(0.0, noise, traces.shape)
    return evoked(traces[:, None], TIME_S, unit=unit)


def train(amplitudes, interval_s, *, decay_s=6e-3, noise=0.0, rng=None, level=-70.0, sign=1, unit="mV"):
    """Whole sweeps of responses that add linearly, cut around each stimulus."""
    amplitudes = np.asarray(amplitudes, dtype=float)
    n_sweeps, n_pulses = amplitudes.shape
    time_s = np.arange(12000) / RATE_HZ
    at = 0.1 + interval_s * np.arange(n_pulses)
    rows = np.full((n_sweeps, len(time_s)), level)
    for pulse in range(n_pulses):
        rows += sign * amplitudes[:, pulse, None] * psc(time_s, at[pulse] + ONSET_S, decay_s=decay_s)
    if noise:
        rows += rng.normal(0.0, noise, rows.shape)
    cell = channel(rows, unit=unit)
    rig = recording(cell)
    stimuli = find_stimuli(rig, cell, stimulus="; ".join(f"{each:.6f}" for each in at))
    return cut_responses(rig, cell, stimuli)


class TestAmplitude:
    @pytest.mark.parametrize(("unit", "sign"), [("pA", -1), ("pA", 1), ("mV", 1), ("mV", -1)])
    def test_magnitudes_along_the_response_whatever_its_sign(self, unit, sign):
        wanted = np.array([5.0, 10.0, 2.0, 8.0])
        found = measure_responses(sweeps_of(wanted, unit=unit, sign=sign))
        assert found.polarity == sign
        assert found.unit == unit
        # The reading is the mean over ±0.25 ms about the peak of a response of 6 ms: less than 1 % below it.
        np.testing.assert_allclose(found.amplitude[:, 0], wanted, rtol=0.01)
        np.testing.assert_allclose(found.amplitude[:, 0] / found.amplitude[0, 0], wanted / wanted[0], rtol=1e-9)
        # Looked for in means over 1.2 ms, which the slower decay draws 0.2 ms to its side.
        assert found.latency_s[0] == pytest.approx(ONSET_S + peak_after_s(), abs=0.25e-3)
        np.testing.assert_allclose(found.baseline, -50.0)

    def test_failures_scatter_around_zero(self, rng):
        """An extremum cannot do this: it is never negative."""
        wanted = np.where(np.arange(400) % 2, 20.0, 0.0)
        made = sweeps_of(wanted, noise=6.0, rng=rng)
        failures = measure_responses(made).amplitude[::2, 0]
        # SE of the mean of 200 readings of 11 samples: 6·√(1/11 + 1/100)/√200 = 0.13.
        assert failures.mean() == pytest.approx(0.0, abs=0.6)
        assert 0.3 < (failures < 0).mean() < 0.7
        biased = measure_responses(made, config=ResponseConfig(operator="extremum")).amplitude[::2, 0]
        assert (biased > 0).all()

    def test_a_short_phase_is_not_read_higher_than_a_long_one(self):
        """The highest sample of a flat and noisy mean is too high: by two standard errors, so by more of few sweeps."""
        rng = np.random.default_rng(11)
        slow = {"rise_s": 3e-3, "decay_s": 40e-3}
        whole = measure_responses(sweeps_of(np.ones(2), **slow)).amplitude.mean()
        means = {
            n_sweeps: np.mean(
                [
                    measure_responses(sweeps_of(np.ones(n_sweeps), noise=1.0, rng=rng, **slow)).amplitude.mean()
                    for _ in range(40)
                ]
            )
            for n_sweeps in (15, 60)
        }
        # A reading's SE is √(1/11 + 1/100)/√15 = 0.08; of the mean of 40, 0.013. By the highest sample 1.17 and 1.09.
        assert means[15] == pytest.approx(whole, abs=0.05)
        assert means[60] == pytest.approx(whole, abs=0.03)

    def test_an_expected_polarity_is_kept_when_the_mean_turns_round(self, rng):
        made = sweeps_of(np.full(20, 30.0), noise=2.0, rng=rng, sign=1)
        found = measure_responses(made, polarity=-1, latency_s=[ONSET_S + peak_after_s()])
        assert found.polarity == -1
        assert found.amplitude.mean() == pytest.approx(-30.0, rel=0.05)

    @QUICK
    @given(scale=st.floats(0.01, 100.0), offset=st.floats(-100.0, 100.0))
    def test_scale_and_offset(self, scale, offset):
        made = sweeps_of([10.0, 20.0, 15.0], noise=0.5, rng=np.random.default_rng(1))
        moved = evoked(made.traces * scale + offset, TIME_S)
        one, other = measure_responses(made), measure_responses(moved)
        np.testing.assert_allclose(other.amplitude, one.amplitude * scale, rtol=1e-6)
        np.testing.assert_allclose(other.noise, one.noise * scale, rtol=1e-5, atol=1e-9 * scale)
        np.testing.assert_allclose(other.baseline, one.baseline * scale + offset, rtol=1e-9)
        np.testing.assert_array_equal(other.latency_s, one.latency_s)
        np.testing.assert_allclose(other.rise_ms, one.rise_ms, rtol=1e-6)

    @QUICK
    @given(seed=st.integers(0, 1000))
    def test_the_order_of_sweeps_does_not_matter(self, seed):
        rng = np.random.default_rng(seed)
        made = sweeps_of(rng.uniform(5.0, 20.0, 12), noise=1.0, rng=rng)
        order = rng.permutation(12)
        one, other = measure_responses(made), measure_responses(evoked(made.traces[order], TIME_S))
        np.testing.assert_allclose(other.amplitude, one.amplitude[order], rtol=1e-9)
        np.testing.assert_allclose(other.mean, one.mean, rtol=1e-9, atol=1e-9)

    def test_a_shift_in_time_shifts_the_latency_only(self):
        at = {}
        for shift in (0, 30):
            traces = -10.0 * psc(TIME_S, ONSET_S + shift / RATE_HZ)[None, None] * np.ones((3, 1, 1))
            at[shift] = measure_responses(evoked(traces, TIME_S))
        np.testing.assert_allclose(at[30].amplitude, at[0].amplitude, rtol=1e-9)
        assert at[30].latency_s - at[0].latency_s == pytest.approx(30 / RATE_HZ)
        assert at[30].onset_latency_ms - at[0].onset_latency_ms == pytest.approx(1.5, abs=1e-6)

    def test_the_input_is_left_alone_and_the_result_can_be_sent(self, rng):
        made = sweeps_of([10.0] * 4, noise=1.0, rng=rng)
        before = made.traces.copy()
        found = pickle.loads(pickle.dumps(measure_responses(made)))  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(made.traces, before)
        assert found.status == OK


class TestNoise:
    @pytest.mark.parametrize("kind", ["white", "1/f"])
    def test_noise_has_the_variance_that_amplitudes_have_without_a_response(self, kind):
        rng = np.random.default_rng(11)
        n_sweeps = 1500
        rows = rng.normal(size=(n_sweeps, len(TIME_S))) if kind == "white" else pink(rng, n_sweeps, len(TIME_S))
        # One sweep in the middle of the noise says where to look; it is left out of the variances.
        found = measure_responses(evoked(rows[:, None], TIME_S), polarity=-1, latency_s=[6e-3])
        ratio = found.amplitude[:, 0].var() / found.noise.var()
        # SE of a ratio of two variances of 1500 sweeps: √(4/1500) = 5 %; three of them.
        assert ratio == pytest.approx(1.0, abs=0.16)
        assert abs(found.noise.mean()) < 4 * found.noise.std() / np.sqrt(n_sweeps)

    def test_white_noise_in_closed_form(self, rng):
        found = measure_responses(sweeps_of(np.full(2000, 100.0), noise=3.0, rng=rng))
        # 11 samples of reading and 100 of baseline; 2000 sweeps know a variance to 3 % (SE), so 10 %.
        assert found.noise.var() == pytest.approx(9.0 * (1 / 11 + 1 / 100), rel=0.1)
        assert found.amplitude[:, 0].var() == pytest.approx(9.0 * (1 / 11 + 1 / 100), rel=0.1)

    def test_no_room_before_the_stimulus(self):
        time_s = np.arange(-130, 1001) / RATE_HZ
        traces = np.repeat(-10.0 * psc(time_s, ONSET_S)[None, None], 5, axis=0)
        found = measure_responses(evoked(traces, time_s))
        assert np.isnan(found.noise).all()
        assert np.isfinite(found.amplitude).all()


class TestNoResponse:
    def test_says_so_and_gives_no_number(self, rng):
        found = measure_responses(sweeps_of(np.zeros(40), noise=2.0, rng=rng))
        assert found.status == NO_RESPONSE
        assert np.isnan(found.amplitude).all()
        assert np.isnan(found.latency_s).all()

    def test_is_read_at_the_latency_of_another_phase(self, rng):
        found = measure_responses(sweeps_of(np.zeros(40), noise=2.0, rng=rng), polarity=-1, latency_s=[6e-3])
        assert found.status == OK
        assert not found.above_noise[0]
        assert found.latency_s[0] == pytest.approx(6e-3)
        # SE of the mean of 40 readings: 2·√(1/11 + 1/100)/√40 = 0.1.
        assert found.amplitude.mean() == pytest.approx(0.0, abs=0.5)
        assert np.isnan(found.rise_ms).all()

    def test_a_clear_mean_keeps_its_own_latency(self, rng):
        found = measure_responses(sweeps_of(np.full(20, 40.0), noise=1.0, rng=rng), latency_s=[12e-3])
        assert found.latency_s[0] == pytest.approx(ONSET_S + peak_after_s(), abs=0.3e-3)

    def test_noise_alone_is_rarely_called_a_response(self):
        rng = np.random.default_rng(5)
        called = [
            measure_responses(sweeps_of(np.zeros(20), noise=1.0, rng=rng)).status != NO_RESPONSE for _ in range(100)
        ]
        # Forty independent readings beyond 4 SE of a t distribution with 19 degrees of freedom: 3 %; at most 9 of 100.
        assert sum(called) <= 9


class TestTrains:
    AMPLITUDES = np.array([[10.0, 7.0, 5.0]]) * np.linspace(0.8, 1.2, 9)[:, None]

    @pytest.mark.parametrize(("interval_s", "decay_s"), [(0.05, 20e-3), (0.02, 6e-3), (0.05, 6e-3), (0.2, 20e-3)])
    def test_the_decay_of_the_previous_response_is_taken_away(self, interval_s, decay_s):
        found = measure_responses(train(self.AMPLITUDES, interval_s, decay_s=decay_s))
        alone = measure_responses(train(self.AMPLITUDES[:, :1], 1.0, decay_s=decay_s)).amplitude.mean()
        ratio = found.amplitude.mean(axis=0) / alone
        # Pure exponentials add up exactly; the time constant comes from the tail, where the rise is still 1 %.
        np.testing.assert_allclose(ratio, [1.0, 0.7, 0.5], rtol=0.02)

    def test_raw_amplitudes_start_from_the_decaying_baseline(self):
        found = measure_responses(train(self.AMPLITUDES, 0.05, decay_s=20e-3))
        raw, corrected = found.amplitude_raw.mean(axis=0), found.amplitude.mean(axis=0)
        np.testing.assert_allclose(raw[0], corrected[0])
        assert raw[1] < 0.97 * corrected[1]
        # exp(−45/20) of the first response is left when the second begins, and fades by a fifth until its peak.
        assert corrected[1] - raw[1] == pytest.approx(0.3, abs=0.25)

    def test_it_is_linear_in_each_sweep(self, rng):
        """Failures of the first response must not bend the second."""
        amplitudes = np.stack([np.where(np.arange(60) % 3 == 0, 0.0, 15.0), np.full(60, 10.0)], axis=1)
        found = measure_responses(train(amplitudes, 0.03, decay_s=15e-3, noise=0.1, rng=rng, unit="pA"))
        second = found.amplitude[:, 1]
        # The correction is right for every sweep, with or without a first response; SE of 20 readings is 0.01.
        assert second[::3].mean() == pytest.approx(np.delete(second, np.s_[::3]).mean(), rel=0.02)

    def test_without_a_residue_nothing_is_extrapolated(self, rng):
        found = measure_responses(train(self.AMPLITUDES, 0.2, noise=0.05, rng=rng))
        np.testing.assert_array_equal(found.amplitude, found.amplitude_raw)

    def test_a_weak_later_pulse_is_read_near_the_first_ones_latency(self, rng):
        amplitudes = np.stack([np.full(30, 10.0), np.zeros(30)], axis=1)
        found = measure_responses(train(amplitudes, 0.1, noise=0.5, rng=rng))
        assert found.latency_s[1] == pytest.approx(found.latency_s[0], abs=1.5e-3)
        assert found.amplitude[:, 1].mean() == pytest.approx(0.0, abs=0.15)


class TestShape:
    def test_closed_form_of_a_double_exponential(self):
        rise_s, decay_s = 0.5e-3, 6e-3
        made = sweeps_of(np.full(3, 100.0), rise_s=rise_s, decay_s=decay_s)
        found = measure_responses(made)
        fine_s = np.linspace(0.0, 0.08, 800001)
        shape = psc(fine_s, 0.0, rise_s=rise_s, decay_s=decay_s)
        top = int(shape.argmax())
        at = {part: np.interp(part, shape[: top + 1], fine_s[: top + 1]) for part in (0.1, 0.2, 0.5, 0.6, 0.8)}
        fall = fine_s[top:][np.flatnonzero(shape[top:] < 0.5)[0]]
        # Against the exact curve; the tolerance is the sampling of 0.05 ms, and 1 % of height in the 80 % level.
        assert found.rise_ms[0] == pytest.approx((at[0.8] - at[0.2]) * 1e3, abs=0.05)
        assert found.half_width_ms[0] == pytest.approx((fall - at[0.5]) * 1e3, abs=0.1)
        onset = at[0.2] - (at[0.8] - at[0.2]) / 3
        assert found.onset_latency_ms[0] == pytest.approx((ONSET_S + onset) * 1e3, abs=0.05)
        assert found.max_slope[0] == pytest.approx(50.0 / ((at[0.6] - at[0.1]) * 1e3), rel=0.05)
        # After 90 % of the peak a twentieth of the fast exponential is left.
        assert found.decay_tau_ms[0] == pytest.approx(6.0, rel=0.03)
        # ∫ of the normalised shape until the window ends at 50 ms; pA·s is pC.
        area = shape[fine_s <= 0.048].sum() * (fine_s[1] - fine_s[0])
        assert found.charge_pc[0] == pytest.approx(100.0 * area, rel=0.01)

    def test_a_potential_has_no_charge(self):
        assert np.isnan(measure_responses(sweeps_of([5.0] * 3, unit="mV", sign=1)).charge_pc).all()

    def test_jitter_and_single_latencies(self, rng):
        shifts = rng.normal(0.0, 0.4e-3, 60)
        traces = np.stack([-60.0 * psc(TIME_S, ONSET_S + each) for each in shifts])[:, None]
        found = measure_responses(evoked(traces + rng.normal(0.0, 1.0, traces.shape), TIME_S))
        np.testing.assert_allclose(found.sweep_latency_ms[:, 0], (ONSET_S + shifts) * 1e3, atol=0.25)
        # A robust SD of 60 values has an SE of about 15 %.
        assert found.jitter_ms[0] == pytest.approx(shifts.std() * 1e3, rel=0.4)

    @pytest.mark.parametrize(
        ("onset_s", "jitter_s", "second", "begins"),
        [
            (1.8e-3, 0.1e-3, 0.0, "yes"),
            (6e-3, 0.1e-3, 0.0, "doubtful: its latency"),
            (2.5e-3, 2e-3, 0.0, "doubtful: its jitter"),
            (1.8e-3, 0.1e-3, 0.8, "doubtful: it has a second component"),
        ],
    )
    def test_monosynaptic(self, rng, onset_s, jitter_s, second, begins):
        shifts = np.clip(rng.normal(0.0, jitter_s, 40), -onset_s + 1.2e-3, None)
        traces = np.stack([-60.0 * psc(TIME_S, onset_s + each, decay_s=3e-3) for each in shifts])
        traces -= 60.0 * second * psc(TIME_S, onset_s + 9e-3, decay_s=3e-3)
        traces += rng.normal(0.0, 1.0, traces.shape)
        assert measure_responses(evoked(traces[:, None], TIME_S)).monosynaptic.startswith(begins)

    def test_without_single_latencies_it_cannot_be_told(self, rng):
        made = sweeps_of(np.full(300, 4.0), noise=4.0, rng=rng)
        assert measure_responses(made).monosynaptic.startswith("not testable")


class TestSlope:
    CONFIG = ResponseConfig(measure="slope")

    def test_field_potential(self):
        wanted = np.array([0.5, 1.0, 1.5, 2.0])
        made = sweeps_of(wanted, unit="mV", level=0.0)
        found = measure_responses(made, polarity=-1, config=self.CONFIG)
        assert found.unit == "mV/ms"
        np.testing.assert_allclose(found.amplitude[:, 0] / wanted, found.amplitude[0, 0] / wanted[0], rtol=1e-6)
        # Regression and two-point slope between 10 and 60 % of a smooth rise of nine samples.
        assert found.amplitude.mean() == pytest.approx(found.max_slope[0], rel=0.1)

    def test_noise_of_a_slope(self, rng):
        found = measure_responses(
            sweeps_of(np.full(1000, 50.0), noise=1.0, rng=rng, rise_s=2e-3, decay_s=15e-3), config=self.CONFIG
        )
        # Both are the same sum of white noise: SE of the ratio √(4/1000) = 6 %.
        assert found.amplitude[:, 0].var() / found.noise.var() == pytest.approx(1.0, abs=0.2)

    def test_a_spike_after_the_slope_does_no_harm(self, rng):
        rows = sweeps_of(np.full(12, 12.0), unit="mV", sign=1, level=-65.0, noise=0.05, rng=rng, rise_s=1.5e-3).traces
        clean = measure_responses(evoked(rows, TIME_S, unit="mV"), config=self.CONFIG).amplitude
        rows = rows.copy()
        rows[3, 0] += spike(TIME_S, 7e-3, height_mv=80.0)
        with_spike = evoked(rows, TIME_S, unit="mV")
        assert measure_responses(with_spike).flags[3, 0] == "carries a spike"
        kept = measure_responses(with_spike, config=self.CONFIG)
        assert kept.flags[3, 0] == OK
        assert kept.amplitude[3, 0] == pytest.approx(clean[3, 0], rel=0.05)


class TestFlags:
    def made(self, rng, n_sweeps=16, unit="pA"):
        sign = -1 if unit == "pA" else 1
        return sweeps_of(np.full(n_sweeps, 12.0), noise=0.3, rng=rng, unit=unit, sign=sign, level=-65.0).traces

    def test_clean_responses_are_ok(self, rng):
        assert (measure_responses(evoked(self.made(rng), TIME_S)).flags == OK).all()

    def test_missing_samples(self, rng):
        traces = self.made(rng)
        traces[4, 0, 700] = np.nan
        found = measure_responses(evoked(traces, TIME_S))
        assert found.flags[4, 0] == "samples are missing"
        assert np.isnan(found.amplitude[4, 0])
        assert np.isfinite(np.delete(found.amplitude[:, 0], 4)).all()

    @pytest.mark.parametrize("clipped", [[3], [3, 7, 9]])
    def test_saturation(self, rng, clipped):
        traces = np.round(self.made(rng) * 20) / 20
        large = np.round((-65.0 - 60.0 * psc(TIME_S, ONSET_S)) * 20) / 20
        traces[clipped, 0] = np.maximum(large, -90.0)
        flags = measure_responses(evoked(traces, TIME_S)).flags[:, 0]
        assert np.flatnonzero(flags == "saturates").tolist() == clipped

    def test_a_coarse_converter_is_no_saturation(self):
        steps = np.round((-65.0 + np.linspace(0.8, 1.2, 16)[:, None] * 12.0 * psc(TIME_S, ONSET_S)) / 0.3) * 0.3
        flags = measure_responses(evoked(steps[:, None], TIME_S, unit="mV")).flags
        assert (flags == OK).all()

    def test_spikes_and_what_follows_them(self, rng):
        rows = np.repeat(self.made(rng, unit="mV"), 2, axis=1)
        rows[5, 0] += spike(TIME_S, 8e-3)
        rows[6, 1] += spike(TIME_S, 8e-3)
        flags = measure_responses(evoked(rows, TIME_S, unit="mV", interval_s=(0.0, 0.06))).flags
        assert flags[5].tolist() == ["carries a spike", "follows a spike"]
        assert flags[6].tolist() == [OK, "carries a spike"]
        assert (np.delete(flags, [5, 6], axis=0) == OK).all()

    def test_an_unsettled_baseline(self, rng):
        traces = self.made(rng)
        traces[2, 0] -= 40.0 * psc(TIME_S, -3e-3)
        flags = measure_responses(evoked(traces, TIME_S)).flags[:, 0]
        assert np.flatnonzero(flags == "unsettled baseline").tolist() == [2]

    def test_events_that_were_excluded_keep_their_reason(self, rng):
        time_s = np.arange(6000) / RATE_HZ
        potential = rng.normal(-65.0, 0.05, (8, 6000))
        potential[np.arange(8) != 3] += spike(time_s, 0.1031)
        pre = channel(potential, name="pre", unit="mV")
        post = channel(-20.0 * psc(time_s, 0.105)[None] + rng.normal(0, 0.5, (8, 6000)), name="post")
        rig = recording(pre, post)
        stimuli = find_stimuli(rig, post, pre_channel=pre, stimulus="0.1")
        found = measure_responses(cut_responses(rig, post, stimuli))
        assert found.flags[3, 0] == "no presynaptic spike"
        assert np.isnan(found.amplitude[3, 0])
        # From the spike's steepest rise to the peak of the response; 0.05 mV of noise shifts a spike by 0.05 ms.
        assert found.latency_s[0] == pytest.approx(0.105 - 0.1031 + peak_after_s(), abs=0.3e-3)

    def test_when_nothing_can_be_measured(self, rng):
        traces = self.made(rng)
        traces[:, 0, 700] = np.nan
        found = measure_responses(evoked(traces, TIME_S))
        assert found.status == "no response can be measured: samples are missing"


class TestPresynapticSpikes:
    def test_the_baseline_lies_before_the_stimulus_not_before_the_spike(self, rng):
        """The presynaptic step couples into the postsynaptic trace between stimulus and spike."""
        lag_s = 4e-3
        traces = -20.0 * psc(TIME_S, ONSET_S) * np.ones((10, 1)) + rng.normal(0, 0.2, (10, len(TIME_S)))
        traces += np.where((-lag_s < TIME_S) & (TIME_S < -0.5e-3), 30.0, 0.0)
        found = measure_responses(evoked(traces[:, None], TIME_S, lag_s=lag_s))
        # The reading averages ±0.25 ms around the peak (1 %), its noise is 0.02.
        assert found.amplitude.mean() == pytest.approx(20.0, rel=0.02)

    def test_spikes_that_jitter(self, rng):
        time_s = np.arange(6000) / RATE_HZ
        spikes_s = 0.1 + rng.uniform(2e-3, 6e-3, 20)
        potential = rng.normal(-65.0, 0.02, (20, 6000)) + np.stack([spike(time_s, at) for at in spikes_s])
        rows = np.stack([-20.0 * psc(time_s, at + ONSET_S) for at in spikes_s]) + rng.normal(0, 0.2, (20, 6000))
        pre, post = channel(potential, name="pre", unit="mV"), channel(rows, name="post")
        rig = recording(pre, post)
        found = measure_responses(cut_responses(rig, post, find_stimuli(rig, post, pre_channel=pre, stimulus="0.1")))
        assert found.amplitude.mean() == pytest.approx(20.0, rel=0.03)
        assert found.jitter_ms[0] < 0.1


class TestCutAndJoin:
    def parts(self, rng, **more):
        return [sweeps_of([10.0 + i] * 5, noise=0.1, rng=rng, **more) for i in range(3)]

    def test_sweeps_keep_their_file(self, rng):
        joined = join(self.parts(rng))
        assert joined.part.tolist() == [0] * 5 + [1] * 5 + [2] * 5
        assert joined.sweeps.tolist() == list(range(5)) * 3
        assert measure_responses(joined).amplitude[::5, 0] == pytest.approx([10.0, 11.0, 12.0], abs=0.3)

    def test_one_part_is_itself(self, rng):
        part = self.parts(rng)[0]
        np.testing.assert_array_equal(join([part]).traces, part.traces)

    def test_windows_of_different_lengths_are_cut_to_the_common_one(self, rng):
        one, other = self.parts(rng)[:2]
        shorter = evoked(other.traces[:, :, 50:-20], TIME_S[50:-20])
        joined = join([one, shorter])
        np.testing.assert_allclose(joined.time_s, shorter.time_s)
        assert measure_responses(joined).amplitude[:5, 0] == pytest.approx(
            measure_responses(one).amplitude[:, 0], rel=1e-6
        )

    def test_what_differs_is_named(self, rng):
        one = self.parts(rng)[0]
        with pytest.raises(EphysplastError, match="differ in unit"):
            join([one, sweeps_of([1.0], unit="mV", sign=1)])
        slower = evoked(one.traces[:, :, ::2], TIME_S[::2], rate_hz=RATE_HZ / 2)
        with pytest.raises(EphysplastError, match="differ in sampling rate"):
            join([one, slower])
        pairs = evoked(np.repeat(one.traces, 2, axis=1), TIME_S, interval_s=(0.0, 0.05))
        with pytest.raises(EphysplastError, match="number of stimuli"):
            join([one, pairs])
        with pytest.raises(EphysplastError, match="intervals between stimuli"):
            join([pairs, evoked(pairs.traces, TIME_S, interval_s=(0.0, 0.1))])
        with pytest.raises(EphysplastError, match="nothing to join"):
            join([])

    def test_the_end_of_the_sweep_is_missing_not_an_error(self, rng):
        rows = rng.normal(0.0, 0.5, (6, 2600)) - 20.0 * psc(np.arange(2600) / RATE_HZ, 0.102)
        cell = channel(rows)
        rig = recording(cell)
        found = cut_responses(rig, cell, find_stimuli(rig, cell, stimulus="0.1"))
        assert np.isnan(found.traces[:, 0, found.time_s > 0.0305]).all()
        assert np.isfinite(found.traces[:, 0, found.time_s < 0.0295]).all()
        measured = measure_responses(found)
        # The peak lies within the sweep, so the amplitude does not suffer; ±0.25 ms of reading cost 1 %.
        assert measured.amplitude.mean() == pytest.approx(20.0, rel=0.03)

    def test_a_doubted_channel_is_not_measured(self, rng):
        cell = channel(rng.normal(size=(3, 4000)), doubt="its pA look like mV")
        rig = recording(cell)
        with pytest.raises(ChannelError, match="look like mV"):
            cut_responses(rig, cell, find_stimuli(rig, cell, stimulus="0.1"))

    def test_no_stimulus_stays_a_status(self, rng):
        cell = channel(rng.normal(size=(3, 4000)))
        rig = recording(cell)
        found = measure_responses(cut_responses(rig, cell, find_stimuli(rig, cell)))
        assert found.status.startswith("no stimulus was found")
        assert found.amplitude.shape == (3, 0)

    def test_settings_longer_than_the_traces_are_refused(self, rng):
        with pytest.raises(WindowError, match="cut shorter"):
            measure_responses(self.parts(rng)[0], config=ResponseConfig(search_stop_ms=200.0))

    @pytest.mark.parametrize(
        "wrong",
        [
            {"baseline_ms": 0.0},
            {"search_stop_ms": 0.5},
            {"baseline_gap_ms": -1.0},
            {"measure": "slope", "operator": "extremum"},
        ],
    )
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(SettingsError):
            ResponseConfig(**wrong)

    def test_impossible_arguments_are_refused(self, rng):
        part = self.parts(rng)[0]
        with pytest.raises(EphysplastError, match="polarity"):
            measure_responses(part, polarity=2)
        with pytest.raises(EphysplastError, match="latency"):
            measure_responses(part, latency_s=[0.005, 0.005])

    def test_tables(self, rng):
        part = self.parts(rng)[0]
        frame = measure_responses(part).to_frame()
        assert len(frame) == 5
        assert frame["sweep"].tolist() == [1, 2, 3, 4, 5]
        assert len(part.to_frame()) == part.traces.size


@pytest.fixture
def opened(recordings):
    from ephysplast.io import read

    return lambda name: read(recordings / name).recordings[0]


def measured(rig, name, config, sweeps=None, stimulus="auto"):
    cell = rig.channel(name)
    stimuli = find_stimuli(rig, cell, stimulus=stimulus, sweeps=sweeps)
    return measure_responses(cut_responses(rig, cell, stimuli, config=config), config=config)


class TestRealRecordings:
    def test_train_at_50_hz(self, opened):
        """Measured independently: baseline 1 ms before each artefact, extremum 4.5 to 14.5 ms after it."""
        config = ResponseConfig(
            operator="extremum", baseline_ms=1.0, baseline_gap_ms=0.0, search_start_ms=4.5, search_stop_ms=14.5
        )
        found = measured(opened("A_f1_ST-EPSC_train50Hz.abf"), "CH1", config)
        assert found.polarity == -1
        # 5 % as the comparison was made: artefact times of 0.1 ms decide which millisecond is the baseline.
        np.testing.assert_allclose(found.amplitude_raw.mean(axis=0), [231.0, 138.0, 82.0, 49.0, 70.0], rtol=0.05)
        # Another program (neuroanalysis, a fit of the PSC) has −225 pA, latency 6.63 ms, decay 2.5 ms.
        linear = measured(opened("A_f1_ST-EPSC_train50Hz.abf"), "CH1", ResponseConfig())
        assert np.nanmean(linear.amplitude[:, 0]) == pytest.approx(225.0, rel=0.05)
        assert linear.onset_latency_ms[0] == pytest.approx(6.63, abs=0.4)
        assert linear.decay_tau_ms[0] == pytest.approx(2.5, rel=0.3)
        assert linear.monosynaptic.startswith("doubtful: its latency")

    def test_neuromuscular_junction_in_na(self, opened):
        config = ResponseConfig(operator="extremum", search_start_ms=3.0, search_stop_ms=40.0)
        found = measured(opened("A_EJC_40sweeps.abf"), "I2", config)
        peaks = found.amplitude[:, 0]
        assert found.unit == "pA"
        # The reference numbers have three digits, from another baseline of the same sweeps.
        assert peaks.mean() == pytest.approx(17_900.0, rel=0.02)
        assert peaks[:10].mean() == pytest.approx(20_400.0, rel=0.02)
        assert peaks[-10:].mean() == pytest.approx(16_300.0, rel=0.02)
        assert peaks.std(ddof=1) / peaks.mean() == pytest.approx(0.154, abs=0.01)
        linear = measured(opened("A_EJC_40sweeps.abf"), "I2", ResponseConfig())
        assert linear.amplitude.mean() == pytest.approx(17_900.0, rel=0.03)

    def test_light_evoked_currents(self, opened):
        rig = opened("A_17o05026_opto_EPSC_10s.abf")
        found = measured(rig, "IN 0", ResponseConfig())
        assert found.polarity == -1
        rows = rig.channel("IN 0").trace.window(1.150, 1.200)
        by_hand = rows[:, :120].mean(axis=1) - rows[:, 440:560].min(axis=1)
        # By hand the extremum, hence larger than the mean at a fixed latency, in every sweep.
        known = np.isfinite(found.amplitude[:, 0])
        assert known.sum() >= 6
        assert (found.amplitude[known, 0] < by_hand[known]).all()
        assert found.amplitude[known, 0].mean() > 0.5 * by_hand[known].mean()
        assert 10.0 < found.onset_latency_ms[0] < 16.0

    def test_more_calcium_releases_more(self, opened):
        rig = opened("chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb")
        low, high = (
            measured(rig, rig.channels[0].name, ResponseConfig(), sweeps=each)
            for each in (np.arange(20), np.arange(20, 40))
        )
        for found in (low, high):
            means = found.amplitude.mean(axis=0)
            assert found.polarity == -1
            assert means[4] > 2.0 * means[0]  # mossy fibres facilitate
            assert (np.diff(means) > 0).all()
        assert (high.amplitude.mean(axis=0) > 3.0 * low.amplitude.mean(axis=0)).all()
        # Failures: some readings of the first response lie below zero, none does by more than noise would.
        assert (low.amplitude[:, 0] < 0).any()
        assert low.amplitude[:, 0].min() > -5 * np.nanstd(low.noise)

    def test_spiking_responses_are_not_measured(self, opened):
        rig = opened("A_File_axon_3_stim_Vm.abf")
        found = measured(rig, "VmRK", ResponseConfig(), stimulus="0.0175")
        assert (found.flags == "carries a spike").all()
        assert found.status.startswith("no response can be measured")
