"""Action potentials of closed form: what is found, what is refused, and every feature."""

import pickle

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import channel, recording
from scipy.optimize import brentq

from ephysplast.analysers import _spike_measure
from ephysplast.analysers.spikes import NO_SPIKE, NO_WINDOW, SpikeConfig, measure_spikes
from ephysplast.errors import OK, ChannelError, SettingsError, WindowError

QUICK = settings(max_examples=25, deadline=None)
REST_MV = -65.0


def gaussian(time_ms, at_ms, height_mv=80.0, sd_ms=0.4):
    return height_mv * np.exp(-0.5 * ((time_ms - at_ms) / sd_ms) ** 2)


def after_potential(time_ms, at_ms, depth_mv, tau_ms):
    """An alpha function: lowest, by `depth_mv`, `tau_ms` after the peak."""
    late = np.clip(time_ms - at_ms, 0.0, None) / tau_ms
    return -depth_mv * late * np.exp(1.0 - late)


def train(at_ms, *, duration_ms=600.0, rate_hz=20e3, rest_mv=REST_MV, **shape):
    time_ms = np.arange(round(duration_ms * rate_hz / 1e3)) * 1e3 / rate_hz
    return rest_mv + sum((gaussian(time_ms, at, **shape) for at in np.atleast_1d(at_ms)), np.zeros(len(time_ms)))


def measured(rows, *, rate_hz=20e3, config=None, **windows):
    cell = channel(rows, unit="mV", rate_hz=rate_hz)
    return measure_spikes(recording(cell), cell, config=config or SpikeConfig(), **windows)


def truth(height_mv=80.0, sd_ms=0.4, slope_mv_per_ms=10.0):
    """Features of a Gaussian of this height on a flat potential."""

    def slope(before_ms):
        return height_mv * before_ms / sd_ms**2 * np.exp(-0.5 * (before_ms / sd_ms) ** 2)

    before_ms = brentq(lambda each: slope(each) - slope_mv_per_ms, sd_ms, 12.0 * sd_ms)
    threshold = gaussian(before_ms, 0.0, height_mv, sd_ms)
    middle = 0.5 * (height_mv + threshold)
    return {
        "threshold_mv": threshold,
        "threshold_before_ms": before_ms,
        "amplitude_mv": height_mv - threshold,
        "half_width_ms": 2.0 * sd_ms * np.sqrt(2.0 * np.log(height_mv / middle)),
        "slope_mv_per_ms": height_mv / sd_ms * np.exp(-0.5),
    }


class TestShape:
    @QUICK
    @given(
        phase=st.floats(0.0, 1.0),
        height_mv=st.floats(30.0, 120.0),
        sd_ms=st.floats(0.25, 0.8),
        rate_hz=st.sampled_from([20e3, 50e3, 100e3]),
    )
    def test_a_gaussian_gives_its_closed_form(self, phase, height_mv, sd_ms, rate_hz):
        at_ms = 50.0 + phase * 1e3 / rate_hz
        row = train(at_ms, duration_ms=100.0, rate_hz=rate_hz, height_mv=height_mv, sd_ms=sd_ms)
        found, wanted = measured([row], rate_hz=rate_hz), truth(height_mv, sd_ms)
        step_ms = max(1e3 / rate_hz, 0.05)
        assert found.status == OK
        # A slope over ± step is wrong by step²/6 of its own curvature: (step/σ)²/3 of it at the steepest.
        blur = (step_ms / sd_ms) ** 2
        assert found.peak_mv[0] == pytest.approx(REST_MV + height_mv, abs=0.02 * height_mv * blur + 1e-6)
        assert found.peak_s[0] * 1e3 == pytest.approx(at_ms, abs=0.05 * step_ms)
        assert found.time_s[0] * 1e3 == pytest.approx(at_ms - sd_ms, abs=0.5 * step_ms)
        # At the threshold the slope grows e-fold within σ²/before < σ/2; the potential errs by slope × step × that.
        assert found.threshold_mv[0] == pytest.approx(REST_MV + wanted["threshold_mv"], abs=10.0 * step_ms)
        before_ms = (found.peak_s[0] - found.threshold_s[0]) * 1e3
        assert before_ms == pytest.approx(wanted["threshold_before_ms"], abs=step_ms)
        assert found.amplitude_mv[0] == pytest.approx(found.peak_mv[0] - found.threshold_mv[0])
        assert found.half_width_ms[0] == pytest.approx(wanted["half_width_ms"], abs=0.15 * step_ms + 0.01 * sd_ms)
        for name in ("rise_mv_per_ms", "fall_mv_per_ms"):
            assert getattr(found, name)[0] == pytest.approx(wanted["slope_mv_per_ms"], rel=blur)

    def test_the_rate_of_sampling_hardly_matters(self):
        found = [measured([train(50.013, rate_hz=rate, sd_ms=0.5)], rate_hz=rate) for rate in (10e3, 20e3, 50e3, 100e3)]
        # 0.1 ms steps against a σ of 0.5 ms: slopes lose (0.2)²/3 = 1.3 %; interpolation leaves the rest.
        for name, spread in {
            "threshold_mv": 0.6,
            "peak_mv": 0.1,
            "half_width_ms": 0.02,
            "rise_mv_per_ms": 1.5,
            "fall_mv_per_ms": 1.5,
        }.items():
            assert np.ptp([getattr(each, name)[0] for each in found]) < spread, name

    @QUICK
    @given(offset_mv=st.floats(-150.0, 150.0), shift=st.integers(0, 2000))
    def test_an_offset_moves_potentials_and_a_shift_times_and_nothing_else(self, offset_mv, shift):
        rng = np.random.default_rng(1)
        still = train([40.0, 75.0, 90.0], duration_ms=250.0) + rng.normal(0.0, 0.1, 5000)
        moved = np.concatenate([np.full(shift, still[0]), still])[:5000] + offset_mv
        one, two = measured([still]), measured([moved])
        for name in ("threshold_mv", "peak_mv"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name) + offset_mv, atol=1e-8)
        for name in ("time_s", "threshold_s", "peak_s"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name) + shift / 20e3, atol=1e-9)
        for name in ("amplitude_mv", "half_width_ms", "rise_mv_per_ms", "fall_mv_per_ms", "fast_ahp_mv", "isi_cv"):
            np.testing.assert_allclose(getattr(two, name), getattr(one, name), atol=1e-6, err_msg=name)

    def test_threshold_settings(self):
        row = train(50.0)
        usual = measured([row]).threshold_mv[0]
        steeper = measured([row], config=SpikeConfig(threshold_mv_per_ms=20.0)).threshold_mv[0]
        fraction = measured([row], config=SpikeConfig(threshold_by="fraction", threshold_fraction=0.1)).threshold_mv[0]
        steepest = truth()["slope_mv_per_ms"]
        for got, slope in ((usual, 10.0), (steeper, 20.0), (fraction, 0.1 * steepest)):
            # Half a sample at that slope.
            wanted = REST_MV + truth(slope_mv_per_ms=slope)["threshold_mv"]
            assert got == pytest.approx(wanted, abs=0.5 * 0.05 * slope)

    def test_the_fraction_is_of_the_mean_of_the_window(self):
        row = train(50.0, height_mv=100.0) + train(150.0, height_mv=40.0) - REST_MV
        config = SpikeConfig(threshold_by="fraction", threshold_fraction=0.1)
        mean = 0.5 * (truth(100.0)["slope_mv_per_ms"] + truth(40.0)["slope_mv_per_ms"])
        wanted = [REST_MV + truth(height, slope_mv_per_ms=0.1 * mean)["threshold_mv"] for height in (100.0, 40.0)]
        np.testing.assert_allclose(measured([row], config=config).threshold_mv, wanted, atol=0.4)

    def test_a_threshold_that_is_never_reached_is_missing(self):
        found = measured([train(50.0)], config=SpikeConfig(threshold_mv_per_ms=500.0))
        assert found.count.tolist() == [1]
        for name in ("threshold_mv", "threshold_s", "amplitude_mv", "half_width_ms", "fast_ahp_mv", "slow_ahp_mv"):
            assert np.isnan(getattr(found, name)).all(), name
        assert np.isfinite(found.peak_mv).all()
        assert np.isnan(found.latency_ms).all()


class TestAfterHyperpolarisation:
    TIME_MS = np.arange(8000) / 20.0
    FINE_MS = np.arange(0.0, 100.0, 0.001)

    def cell(self, at_ms=100.0, fast_mv=12.0, slow_mv=6.0):
        def potential(time_ms):
            tails = after_potential(time_ms, at_ms, fast_mv, 2.5) + after_potential(time_ms, at_ms, slow_mv, 30.0)
            return REST_MV + gaussian(time_ms, at_ms) + tails

        return potential

    def test_depths_below_threshold(self):
        potential = self.cell()
        found = measured([potential(self.TIME_MS)])
        after = potential(100.0 + self.FINE_MS)
        # Three samples of a trough with a curvature of 12/2.5² mV/ms²: 0.002 mV; half a sample less for the threshold.
        fast, slow = after[self.FINE_MS <= 5.0].min(), after[self.FINE_MS >= 5.0].min()
        assert found.threshold_mv[0] - found.fast_ahp_mv[0] == pytest.approx(fast, abs=0.01)
        # The slow stretch begins in the fast trough's recovery, 1 mV/ms: half of 0.5 ms, and up to a whole one.
        assert found.threshold_mv[0] - found.slow_ahp_mv[0] == pytest.approx(slow, abs=0.8)
        assert found.fast_ahp_mv[0] == pytest.approx(REST_MV + truth()["threshold_mv"] - fast, abs=0.3)

    def test_a_slow_trough_of_its_own(self):
        potential = self.cell(fast_mv=0.0)
        found = measured([potential(self.TIME_MS)])
        assert found.threshold_mv[0] - found.slow_ahp_mv[0] == pytest.approx(REST_MV - 6.0, abs=0.01)

    def test_what_stays_above_the_threshold_is_negative(self):
        found = measured([self.cell(fast_mv=-15.0, slow_mv=-15.0)(self.TIME_MS)])
        assert found.fast_ahp_mv[0] < 0.0

    @pytest.mark.parametrize(
        ("stop_ms", "fast", "slow"), [(103.0, False, False), (150.0, True, False), (205.0, True, True)]
    )
    def test_the_end_of_the_window_leaves_it_unknown(self, stop_ms, fast, slow):
        found = measured([self.cell()(self.TIME_MS)], stop_s=stop_ms / 1e3)
        assert np.isfinite(found.fast_ahp_mv).tolist() == [fast]
        assert np.isfinite(found.slow_ahp_mv).tolist() == [slow]
        assert np.isfinite(found.half_width_ms).all()

    @pytest.mark.parametrize(("interval_ms", "slow"), [(12.0, False), (30.0, True)])
    def test_the_next_spike_cuts_it(self, interval_ms, slow):
        row = self.cell()(self.TIME_MS) + self.cell(at_ms=100.0 + interval_ms)(self.TIME_MS) - REST_MV
        found = measured([row])
        assert found.count.tolist() == [2]
        assert np.isfinite(found.fast_ahp_mv).all()
        assert np.isfinite(found.slow_ahp_mv).tolist() == [slow, True]

    def test_fast_troughs_of_a_burst_lie_between_its_spikes(self):
        """At 300 Hz the next spike comes before 5 ms are over: the trough before it still counts."""
        at_ms = 100.0 + np.arange(4) / 0.3
        row = sum((self.cell(at_ms=at, fast_mv=5.0, slow_mv=0.0)(self.TIME_MS) - REST_MV for at in at_ms), REST_MV)
        found = measured([row])
        assert found.count.tolist() == [4]
        assert np.isfinite(found.fast_ahp_mv).all()
        for i in range(3):
            between = row[round(at_ms[i] * 20) : round(at_ms[i + 1] * 20)].min()
            assert found.threshold_mv[i] - found.fast_ahp_mv[i] == pytest.approx(between, abs=0.3)


class TestWhatCounts:
    @pytest.mark.parametrize("rate_hz", [10e3, 20e3, 50e3])
    def test_small_fast_interneuron_spikes(self, rng, rate_hz):
        sd_ms = 0.3 / np.sqrt(8.0 * np.log(2.0))  # 25 mV high, 0.3 ms wide at half of it
        at_ms = 20.0 + np.cumsum(rng.uniform(4.0, 12.0, 60))
        row = train(at_ms, duration_ms=at_ms[-1] + 50.0, rate_hz=rate_hz, height_mv=25.0, sd_ms=sd_ms, rest_mv=-50.0)
        found = measured([row + rng.normal(0.0, 0.3, len(row))], rate_hz=rate_hz)
        assert found.count.tolist() == [60]
        np.testing.assert_allclose(found.time_s * 1e3, at_ms - sd_ms, atol=0.08)
        # At 10 kHz three samples make such a spike.
        wanted = truth(25.0, sd_ms)
        assert np.median(found.half_width_ms) == pytest.approx(
            wanted["half_width_ms"], abs=0.07 if rate_hz < 2e4 else 0.02
        )
        assert np.median(found.peak_mv) == pytest.approx(-25.0, abs=2.0 if rate_hz < 2e4 else 0.6)

    @pytest.mark.parametrize("rate_hz", [10e3, 20e3])
    @pytest.mark.parametrize("sd_mv", [0.5, 2.0, 5.0])
    def test_noise_around_zero(self, rng, rate_hz, sd_mv):
        rows = rng.normal(0.0, sd_mv, (4, 20000))
        found = measured(rows, rate_hz=rate_hz)
        assert found.status == NO_SPIKE
        assert found.count.tolist() == [0] * 4
        assert found.rate_hz.tolist() == [0.0] * 4
        assert np.isnan(found.latency_ms).all()

    @pytest.mark.parametrize("rate_hz", [10e3, 20e3])
    def test_glitches_of_one_sample(self, rate_hz):
        row = np.full(4000, -15.0)
        row[[500, 1500, 2500]] = [7.0, 53.0, 120.0]
        row[[501, 1501, 2501]] = [-14.0, -21.0, 10.0]
        assert measured([row], rate_hz=rate_hz).count.tolist() == [0]

    def test_postsynaptic_potentials_and_bridge_artefacts(self):
        time_ms = np.arange(12000) / 20.0
        row = np.full(12000, REST_MV)
        for at_ms, height_mv, tau_ms in ((50.0, 8.0, 0.4), (150.0, 12.0, 1.5), (300.0, 25.0, 10.0)):
            row -= after_potential(time_ms, at_ms, height_mv, tau_ms)
        row += np.where((time_ms > 400.0) & (time_ms < 500.0), 30.0, 0.0)  # an unbalanced bridge
        assert measured([row]).count.tolist() == [0]

    def test_spikes_on_top_of_postsynaptic_potentials(self):
        time_ms = np.arange(12000) / 20.0
        row = (
            train([105.0, 304.0])
            - after_potential(time_ms, 100.0, 12.0, 4.0)
            - after_potential(time_ms, 300.0, 12.0, 4.0)
        )
        assert measured([row]).count.tolist() == [2]

    def test_a_depolarised_cell_and_an_offset(self):
        found = measured(
            [train([100.0, 200.0], rest_mv=level, height_mv=50.0) for level in (-120.0, -44.0, -15.0, 20.0)]
        )
        assert found.count.tolist() == [2] * 4

    def test_a_spike_whose_top_was_lost_counts_and_has_no_height(self):
        row = train([100.0, 200.0, 300.0])
        row[3990:4010] = np.nan
        found = measured([row])
        assert found.count.tolist() == [3]
        for name in ("peak_mv", "amplitude_mv", "half_width_ms"):
            assert np.isfinite(getattr(found, name)).tolist() == [True, False, True], name

    def test_lost_stretches_are_passed_over(self):
        row = train([100.0, 200.0, 300.0])
        row[3900:4100] = np.nan
        assert measured([row]).count.tolist() == [2]


class TestBlock:
    TIME_MS = np.arange(12000) / 20.0

    def step(self, plateau_mv, spikes_ms=(), height_mv=70.0, ringing_mv=0.0):
        late = np.clip(self.TIME_MS - 50.0, 0.0, None)
        on = (self.TIME_MS >= 50.0) & (self.TIME_MS < 550.0)
        row = REST_MV + (plateau_mv - REST_MV) * np.where(on, 1.0 - np.exp(-late / 10.0), 0.0)
        for i, at in enumerate(spikes_ms):
            row += gaussian(self.TIME_MS, at, height_mv * 0.8**i)
        return row + ringing_mv * np.exp(-late / 200.0) * np.sin(2 * np.pi * 0.1 * late) * on

    def test_a_few_spikes_then_a_plateau_with_ringing(self, rng):
        rows = [
            self.step(-45.0),
            self.step(-15.0, (55.0, 59.0, 63.0), ringing_mv=5.0),
            self.step(-10.0, (), ringing_mv=6.0),
            self.step(-60.0),
        ]
        for at in np.arange(80.0, 540.0, 30.0):
            rows[0] += gaussian(self.TIME_MS, at)
        found = measured(rows + rng.normal(0.0, 0.3, (4, 12000)), start_s=0.05, stop_s=0.55)
        assert found.count.tolist() == [16, 3, 0, 0]
        # The third sweep has no spike of its own: the others' thresholds say where the cell should have fired.
        assert found.blocked.tolist() == [False, True, True, False]

    def test_pauses_below_threshold_and_short_plateaus_are_no_block(self):
        adapting = self.step(-44.0, (90.0, 110.0), height_mv=80.0)
        brief = self.step(-15.0, (55.0,))
        brief[2400:] = REST_MV + (brief[2400:] - REST_MV) * np.exp(-(self.TIME_MS[2400:] - 120.0) / 5.0)  # 65 ms of it
        found = measured([adapting, brief], start_s=0.05, stop_s=0.55)
        assert found.blocked.tolist() == [False, False]

    def test_of_a_step_too_short_for_it_half_must_be_silent(self):
        brief = self.step(-15.0, (55.0,))
        assert measured([brief], start_s=0.05, stop_s=0.15).blocked.tolist() == [True]

    def test_a_recovery_in_the_same_window_does_not_hide_it(self):
        row = self.step(-10.0, (53.0,))
        row += gaussian(self.TIME_MS, 580.0)
        assert measured([row]).blocked.tolist() == [True]


class TestWindows:
    def rows(self):
        return [train([100.0, 200.0, 300.0]), train([150.0, 250.0]), train([])]

    def test_one_window_for_all_and_one_for_each(self):
        rows = self.rows()
        assert measured(rows).count.tolist() == [3, 2, 0]
        assert measured(rows, start_s=0.12, stop_s=0.22).count.tolist() == [1, 1, 0]
        found = measured(rows, start_s=np.array([0.15, 0.0, 0.0]), stop_s=np.array([0.35, 0.2, 0.6]))
        assert found.count.tolist() == [2, 1, 0]
        assert found.row.tolist() == [0, 0, 1]
        np.testing.assert_allclose(found.rate_hz, [10.0, 5.0, 0.0])
        first_ms = np.array([200.0, 150.0]) - truth()["threshold_before_ms"]
        np.testing.assert_allclose(found.latency_ms[:2], first_ms - [150.0, 0.0], atol=0.05)
        assert np.isnan(found.latency_ms[2])

    def test_a_window_of_nan_is_not_looked_at(self):
        found = measured(self.rows(), start_s=np.array([np.nan, 0.0, 0.0]), stop_s=np.array([0.6, 0.6, np.nan]))
        assert found.count.tolist() == [0, 2, 0]
        assert np.isnan(found.rate_hz).tolist() == [True, False, True]
        assert np.isnan(found.start_s).tolist() == np.isnan(found.stop_s).tolist() == [True, False, True]
        nothing = measured(self.rows(), start_s=np.nan)
        assert nothing.status == NO_WINDOW
        assert nothing.to_frame().empty

    def test_sweeps_may_be_chosen_in_any_order(self):
        found = measured(self.rows(), sweeps=[1, 0])
        assert found.sweeps.tolist() == [1, 0]
        assert found.count.tolist() == [2, 3]
        np.testing.assert_allclose(found.trains()[1], measured(self.rows()).trains()[0])

    def test_no_sweep_at_all(self):
        found = measured(self.rows(), sweeps=[])
        assert found.status == NO_WINDOW
        assert found.trains() == ()

    @pytest.mark.parametrize(("start_ms", "stop_ms"), [(99.55, 300.0), (50.0, 99.65), (99.55, 99.65)])
    def test_flanks_may_lie_outside_of_the_window(self, start_ms, stop_ms):
        """The steepest rise, 0.4 ms before the peak at 100 ms, decides; threshold and fall are read beyond."""
        row = train(100.0)
        whole, cut = measured([row]), measured([row], start_s=start_ms / 1e3, stop_s=stop_ms / 1e3)
        assert cut.count.tolist() == [1]
        for name in ("threshold_mv", "threshold_s", "peak_mv", "half_width_ms", "rise_mv_per_ms", "fall_mv_per_ms"):
            np.testing.assert_allclose(getattr(cut, name), getattr(whole, name), err_msg=name)

    @pytest.mark.parametrize(("start_ms", "stop_ms"), [(99.65, 300.0), (50.0, 99.55)])
    def test_a_spike_counts_in_one_window_only(self, start_ms, stop_ms):
        assert measured([train(100.0)], start_s=start_ms / 1e3, stop_s=stop_ms / 1e3).count.tolist() == [0]

    @pytest.mark.parametrize("at_ms", [0.2, 599.5])
    def test_spikes_that_the_sweep_cuts(self, at_ms):
        found = measured([train([at_ms, 300.0])])
        assert found.count[0] in (1, 2)
        assert np.isfinite(found.threshold_mv[np.argmin(np.abs(found.peak_s - 0.3))])

    def test_many_sweeps_are_measured_some_at_a_time(self, rng, monkeypatch):
        rows = [train(np.sort(rng.uniform(20.0, 580.0, n)) // 8 * 8) for n in range(1, 9)]
        start, stop = rng.uniform(0.0, 0.1, 8), rng.uniform(0.4, 0.6, 8)
        whole = measured(rows, start_s=start, stop_s=stop)
        monkeypatch.setattr(_spike_measure, "_AT_ONCE", 15000)
        parts = measured(rows, start_s=start, stop_s=stop)
        alone = [measured(rows, sweeps=[i], start_s=start[i], stop_s=stop[i]) for i in range(8)]
        for name in ("row", "time_s", "threshold_mv", "half_width_ms", "fast_ahp_mv", "slow_ahp_mv"):
            np.testing.assert_array_equal(getattr(parts, name), getattr(whole, name), err_msg=name)
            if name not in ("row", "slow_ahp_mv"):
                joined = np.concatenate([getattr(each, name) for each in alone])
                np.testing.assert_allclose(joined, getattr(whole, name), err_msg=name)

    def test_sweeps_of_different_lengths(self):
        found = measured([train(100.0, duration_ms=150.0), train([100.0, 300.0])])
        assert found.count.tolist() == [1, 2]
        np.testing.assert_allclose(found.stop_s, [0.15, 0.6])

    def test_quantities(self):
        found = measured(self.rows(), start_s=120 * pq.ms, stop_s=0.22 * pq.s)
        assert found.count.tolist() == [1, 1, 0]

    @pytest.mark.parametrize(
        "wrong",
        [
            {"start_s": -0.1},
            {"stop_s": 0.7},
            {"start_s": 0.3, "stop_s": 0.3},
            {"start_s": np.array([0.0, 0.1])},
            {"sweeps": [3]},
            {"sweeps": [-1]},
        ],
    )
    def test_windows_that_are_not_there(self, wrong):
        with pytest.raises(WindowError):
            measured(self.rows(), **wrong)

    def test_the_wrong_clamp(self):
        current = channel([train(100.0)], unit="pA")
        with pytest.raises(ChannelError, match="clamp"):
            measure_spikes(recording(current), current)
        doubted = channel([train(100.0)], unit="mV", doubt="the unit cannot be true")
        with pytest.raises(ChannelError, match="cannot be true"):
            measure_spikes(recording(doubted), doubted)


@pytest.mark.filterwarnings("error")
class TestTrains:
    def test_a_regular_train(self):
        found = measured([train(np.arange(50.0, 550.0, 50.0))])
        assert found.count.tolist() == [10]
        assert found.rate_hz[0] == pytest.approx(10 / 0.6)
        # Times are found to better than a thousandth of a sample, the same one in every spike.
        for name in ("isi_cv", "cv2", "lv", "adaptation_index"):
            assert getattr(found, name)[0] == pytest.approx(0.0, abs=1e-6), name

    @QUICK
    @given(short=st.integers(10, 40), long=st.integers(41, 90))
    def test_two_alternating_intervals(self, short, long):
        at_ms = 20.0 + np.concatenate([[0.0], np.cumsum([short, long] * 4)])
        found = measured([train(at_ms)])
        apart = (long - short) / (long + short)
        # Whole ms are whole samples, so times are exact but for rounding.
        assert found.isi_cv[0] == pytest.approx(apart, abs=1e-6)  # SD over mean of two values that are equally frequent
        assert found.cv2[0] == pytest.approx(2.0 * apart, abs=1e-6)
        assert found.lv[0] == pytest.approx(3.0 * apart**2, abs=1e-6)
        assert found.adaptation_index[0] == pytest.approx(apart / 7.0, abs=1e-6)  # four up and three down

    def test_intervals_that_grow(self):
        at_ms = 20.0 + np.concatenate([[0.0], np.cumsum(20.0 * 1.5 ** np.arange(6))])
        found = measured([train(at_ms)])
        assert found.adaptation_index[0] == pytest.approx(0.2, abs=1e-3)  # (1.5 − 1)/(1.5 + 1)

    @pytest.mark.parametrize(("n", "known"), [(0, False), (1, False), (2, False), (3, True)])
    def test_too_few_spikes(self, n, known):
        found = measured([train(100.0 * (1 + np.arange(n)))])
        assert found.count.tolist() == [n]
        for name in ("isi_cv", "cv2", "lv", "adaptation_index"):
            assert np.isfinite(getattr(found, name)).tolist() == [known], name
        assert np.isfinite(found.rate_hz).all()


class TestResult:
    def test_tables(self):
        found = measured([train([100.0, 200.0]), train([]), train(300.0)], sweeps=[0, 1, 2])
        frame, sweeps = found.to_frame(), found.sweep_frame()
        assert frame["sweep"].tolist() == [1, 1, 3]
        assert frame["spike"].tolist() == [1, 2, 1]
        assert {"threshold_mv", "half_width_ms", "slow_ahp_mv"} <= set(frame)
        assert sweeps["count"].tolist() == [2, 0, 1]
        assert [len(each) for each in found.trains()] == [2, 0, 1]
        np.testing.assert_array_equal(np.concatenate(found.trains()), found.time_s)
        assert str(found.quantity("rise_mv_per_ms").dimensionality) == "mV/ms"

    def test_it_can_be_sent(self):
        found = measured([train([100.0, 200.0])])
        sent = pickle.loads(pickle.dumps(found))  # noqa: S301 - our own bytes
        np.testing.assert_array_equal(sent.threshold_mv, found.threshold_mv)

    def test_the_samples_are_not_written_to(self):
        row = train([100.0, 200.0])
        kept = row.copy()
        measured([row])
        np.testing.assert_array_equal(row, kept)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"slope_mv_per_ms": 0.0},
            {"height_mv": -1.0},
            {"width_ms": 0.0},
            {"noise_heights": 0.0},
            {"threshold_by": "curvature"},
            {"threshold_mv_per_ms": float("nan")},
            {"threshold_fraction": 1.0},
            {"fast_ahp_ms": 0.0},
            {"slow_ahp_stop_ms": 4.0},
            {"slow_ahp_shortest_ms": 200.0},
            {"block_ms": 0.0},
            {"block_above_mv": -1.0},
        ],
    )
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            SpikeConfig(**wrong)
