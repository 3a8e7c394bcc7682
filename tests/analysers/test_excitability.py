"""Rheobase, f–I gain and what goes with them, on cells whose truth is known."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from neuron import Neuron, family, ramps, spike
from rigs import channel, recording

from ephysplast.analysers._rheobase import Tally, normal_threshold, step_rheobase, tally
from ephysplast.analysers.current_steps import join_steps, measure_current_steps
from ephysplast.analysers.excitability import ExcitabilityConfig, ExcitabilityResult, measure_excitability
from ephysplast.errors import OK, SettingsError
from ephysplast.io import read
from ephysplast.result import Estimate
from ephysplast.units import plain_name

QUICK = settings(max_examples=25, deadline=None)
LEVELS = np.arange(-60.0, 221.0, 20.0)


def steps_of(rec, **more):
    return measure_current_steps(rec, rec.channels[0], **more)


def cell_of(rec, **config):
    return measure_excitability(steps_of(rec), config=ExcitabilityConfig(**config))


def estimates(result):
    return {name: value for name, value in vars(result).items() if isinstance(value, Estimate)}


class TestRheobaseFromSteps:
    def test_single_steps_bracket_it(self, rng):
        found = cell_of(family(Neuron(rheobase=95.0, sd=0.0), rng, LEVELS)).rheobase_pa
        assert (found.value, found.low, found.high, found.is_bracket) == (100.0, 80.0, 100.0, True)
        assert "20 pA above the next smaller" in found.method

    def test_clearly_separated_repeats_give_the_middle(self, rng):
        found = cell_of(family(Neuron(rheobase=90.0, sd=0.5), rng, np.repeat(LEVELS, 5))).rheobase_pa
        assert found.value == 90.0
        assert found.low <= 80.0
        assert found.high >= 100.0

    def test_probit_agrees_with_a_textbook_maximum_likelihood(self):
        from scipy.optimize import minimize
        from scipy.stats import norm

        current, n = np.arange(40.0, 161.0, 20.0), np.full(7, 12.0)
        fired = np.array([0.0, 1.0, 3.0, 7.0, 9.0, 12.0, 12.0])

        def cost(at):
            p = norm.cdf((current - at[0]) / np.exp(at[1]))
            return -np.sum(fired * np.log(p + 1e-300) + (n - fired) * np.log(1.0 - p + 1e-300))

        best = minimize(cost, [100.0, 3.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9})
        value, interval = normal_threshold(Tally(current, n, fired))
        # The grid of widths is spaced by 14 %, which moves the mean by less than a tenth of an SE of 4 pA.
        assert value == pytest.approx(best.x[0], abs=0.4)
        assert interval.low < value - 4.0
        assert interval.high > value + 4.0

    @QUICK
    @given(scale=st.floats(0.05, 20.0), seed=st.integers(0, 1000))
    def test_it_scales_with_the_current(self, scale, seed):
        current = np.repeat(np.arange(20.0, 181.0, 20.0), 4)
        fired = current > np.random.default_rng(seed).normal(100.0, 25.0, current.size)
        one = step_rheobase(tally(current, fired), level=0.95)
        other = step_rheobase(tally(scale * current, fired), level=0.95)
        assert one.status == other.status
        if one.status == OK:
            for name in ("value", "low", "high"):
                assert getattr(other, name) == pytest.approx(scale * getattr(one, name), rel=1e-6)

    def test_a_silent_step_above_a_firing_one_is_variability(self):
        current = np.arange(0.0, 201.0, 20.0)
        found = step_rheobase(tally(current, (current >= 120.0) | (current == 80.0)), level=0.95)
        assert "probit" in found.method
        assert not found.is_bracket
        assert 80.0 <= found.value <= 120.0
        assert found.low < 80.0
        assert found.high > 120.0

    def test_a_cell_that_never_fires(self, rng):
        result = cell_of(family(Neuron(rheobase=1e4, sd=0.0), rng, LEVELS))
        found = result.rheobase_pa
        assert found.status == "the cell did not fire: its rheobase is above the largest current tried, 220 pA"
        assert np.isnan(found.value)
        assert (found.low, found.high) == (220.0, np.inf)
        assert result.gain_hz_per_pa.status == result.threshold_mv.status == "the cell did not fire"
        assert result.rin_mohm.status == OK

    def test_hyperpolarising_steps_only(self, rng):
        found = cell_of(family(Neuron(), rng, [-60.0, -40.0, -20.0])).rheobase_pa
        assert found.status.startswith("all steps are hyperpolarising")

    def test_a_cell_that_always_fires(self, rng):
        found = cell_of(family(Neuron(rheobase=10.0, sd=0.0), rng, [60.0, 80.0, 100.0])).rheobase_pa
        assert found.status == "the cell fires at every current: its rheobase is below 60 pA"
        assert (found.low, found.high) == (-np.inf, 60.0)

    def test_a_cell_that_fires_of_itself(self):
        time_s = np.arange(6000) / 1e4
        levels = np.arange(-40.0, 61.0, 20.0)
        rows = [-50.0 + sum(spike(time_s, at) for at in np.arange(0.05, 0.6, 0.1)) for _ in levels]
        commands = [np.where((time_s >= 0.2) & (time_s < 0.5), level, 0.0) for level in levels]
        rec = recording(channel(rows, unit="mV", rate_hz=1e4, command=commands, command_unit="pA"))
        result = cell_of(rec)
        assert result.rheobase_pa.status == (
            "the cell fires without current (at holding in 6 of 6 sweeps and during steps of 0 pA): "
            "there is no rheobase"
        )
        # It needs no current, which is a bound.
        assert np.isnan(result.rheobase_pa.value)
        assert (result.rheobase_pa.low, result.rheobase_pa.high) == (-np.inf, 0.0)
        assert "does not wait for the step" in result.latency_ms.status
        assert result.n_spontaneous == 6

    def test_one_stray_spike_in_many_sweeps_is_no_spontaneous_firing(self, rng):
        rec = family(Neuron(rheobase=90.0, sd=0.0), rng, LEVELS)
        rows = [rec.channels[0].trace.sweep(i) for i in range(len(LEVELS))]
        rows[3] = rows[3] + spike(np.arange(5000) / 1e4, 0.05)
        commands = [rec.channels[0].command.sweep(i) for i in range(len(LEVELS))]
        stray = recording(channel(rows, unit="mV", rate_hz=1e4, command=commands, command_unit="pA"))
        assert cell_of(stray).rheobase_pa.value == 100.0

    def test_a_rejected_or_missing_family_has_no_number(self, rng):
        rec = family(Neuron(), rng, LEVELS)
        every = measure_current_steps(rec, rec.channels[0], exclude=range(len(LEVELS)))
        result = measure_excitability(every)
        assert result.status == "rejected in the manifest"
        for each in estimates(result).values():
            assert each.status == result.status
            assert np.isnan(each.value)
        assert measure_excitability(join_steps([])).status == "there is no recording of current steps"

    @pytest.mark.slow
    @pytest.mark.parametrize(("sd", "n_repeats"), [(10.0, 3), (10.0, 6), (20.0, 4)])
    def test_interval_coverage(self, sd, n_repeats):
        """90–98 % of the intervals hold the mean threshold."""
        rng = np.random.default_rng(7)
        held = []
        for _ in range(250):
            neuron = Neuron(rheobase=rng.uniform(70.0, 110.0), sd=sd)
            levels = np.repeat(np.arange(20.0, 181.0, 20.0), n_repeats)
            rec = family(neuron, rng, levels, start_s=0.06, stop_s=0.14, duration_s=0.16)
            found = cell_of(rec).rheobase_pa
            held.append(found.low <= neuron.rheobase <= found.high)
        assert 0.90 <= np.mean(held) <= 0.98

    @pytest.mark.slow
    def test_bias(self):
        rng = np.random.default_rng(8)
        current = np.repeat(np.arange(0.0, 201.0, 20.0), 5)
        errors = []
        for _ in range(200):
            truth = rng.uniform(70.0, 130.0)
            fired = current > rng.normal(truth, 15.0, current.size)
            errors.append(step_rheobase(tally(current, fired), level=0.95).value - truth)
        # Single errors have an SD of about 5 pA, their mean one of 0.4.
        assert abs(np.mean(errors)) < 1.2


class TestRheobaseFromRamps:
    def test_the_mean_of_ramps(self, rng):
        result = cell_of(ramps(Neuron(rheobase=120.0, sd=3.0), rng, 8))
        found = result.rheobase_pa
        # Eight ramps with an SD of 3 pA: four SE.
        assert found.value == pytest.approx(120.0, abs=4.5)
        assert found.low < found.value < found.high
        assert found.method == "mean of 8 ramps at 400 pA/s"
        assert result.gain_hz_per_pa.status == "ramps have no f–I curve: it needs steps"
        assert result.protocol == "ramp"

    def test_one_ramp_has_no_interval(self, rng):
        found = cell_of(ramps(Neuron(rheobase=120.0, sd=3.0), rng, 1)).rheobase_pa
        assert found.status == OK
        assert np.isnan([found.low, found.high]).all()

    def test_ramps_without_a_spike_needed_more(self, rng):
        neuron = Neuron(rheobase=110.0, sd=15.0)
        short = cell_of(ramps(neuron, rng, 40, end=120.0)).rheobase_pa
        assert "without a spike" in short.method
        # 40 ramps with an SD of 15, a quarter of them cut off: an SE of about 3 pA. Only those that fired have a mean
        # about 6 pA too small.
        assert short.value == pytest.approx(110.0, abs=8.0)
        assert short.low < 110.0 < short.high

    def test_mostly_silent_ramps_and_silent_ones(self, rng):
        silent = cell_of(ramps(Neuron(rheobase=300.0, sd=0.0), rng, 3, end=200.0)).rheobase_pa
        assert silent.status == "the cell did not fire: its rheobase is above the largest ramp tried, 200 pA"
        mixed = join_steps(
            [steps_of(ramps(Neuron(rheobase=level, sd=0.0), rng, n)) for level, n in ((100.0, 1), (300.0, 3))]
        )
        found = measure_excitability(mixed).rheobase_pa
        assert found.status == "only 1 of 4 ramps made the cell fire"

    @pytest.mark.slow
    def test_interval_coverage(self):
        rng = np.random.default_rng(9)
        held = []
        for _ in range(200):
            neuron = Neuron(rheobase=rng.uniform(80.0, 140.0), sd=rng.uniform(2.0, 15.0))
            found = cell_of(ramps(neuron, rng, 6, end=240.0, stop_s=0.4, duration_s=0.45)).rheobase_pa
            held.append(found.low <= neuron.rheobase <= found.high)
        # Student's t of normal thresholds is exact: 95 % ± 3 % at two SE.
        assert 0.90 <= np.mean(held) <= 0.98


class TestGain:
    def test_a_line(self, rng):
        neuron = Neuron(rheobase=50.0, sd=0.0, gain=0.4, onset_hz=10.0)
        found = cell_of(family(neuron, rng, np.arange(0.0, 301.0, 20.0), stop_s=1.1, duration_s=1.2)).gain_hz_per_pa
        # Whole spikes in 1 s scatter by up to 0.5 Hz; 13 currents over 240 pA give an SE of about 0.002.
        assert found.value == pytest.approx(0.4, abs=0.01)
        assert found.low < 0.4 < found.high

    def test_a_plateau_is_left_out(self, rng):
        neuron = Neuron(rheobase=50.0, sd=0.0, gain=0.4, onset_hz=10.0, saturates_hz=60.0)
        found = cell_of(family(neuron, rng, np.arange(0.0, 401.0, 20.0), stop_s=1.1, duration_s=1.2)).gain_hz_per_pa
        assert "plateau" in found.method
        # The last current of the line may belong to the plateau, which costs the slope up to 5 %.
        assert found.value == pytest.approx(0.4, rel=0.08)

    def test_unbiased_over_cells_with_a_noisy_threshold(self, rng):
        errors, held = [], []
        for _ in range(25):
            neuron = Neuron(rheobase=60.0, sd=8.0, gain=rng.uniform(0.2, 0.6), onset_hz=15.0)
            levels = np.repeat(np.arange(0.0, 241.0, 20.0), 2)
            found = cell_of(family(neuron, rng, levels)).gain_hz_per_pa
            errors.append(found.value / neuron.gain - 1.0)
            held.append(found.low <= neuron.gain <= found.high)
        # Single errors of about 4 %: their mean is good to 1 %.
        assert abs(np.mean(errors)) < 0.03
        assert np.mean(held) >= 0.8

    def test_too_few_currents(self, rng):
        found = cell_of(family(Neuron(rheobase=90.0, sd=0.0), rng, [0.0, 40.0, 80.0, 120.0, 160.0])).gain_hz_per_pa
        assert found.status == "the f–I gain needs 3 currents from the rheobase upwards, there are 2"

    def test_depolarisation_block_ends_the_line(self, rng):
        neuron = Neuron(rheobase=50.0, sd=0.0, gain=0.4, onset_hz=10.0)
        levels = np.arange(0.0, 261.0, 20.0)
        rec = family(neuron, rng, levels, stop_s=1.1, duration_s=1.2)
        rows = [rec.channels[0].trace.sweep(i) for i in range(levels.size)]
        time_s = np.arange(12000) / 1e4
        for i in (-2, -1):  # three spikes, then a plateau at −25 mV
            held = (time_s > 0.2) & (time_s < 1.1)
            rows[i] = np.where(held, -25.0, -65.0) + sum(spike(time_s, at) for at in (0.12, 0.15, 0.18))
        commands = [rec.channels[0].command.sweep(i) for i in range(levels.size)]
        result = cell_of(recording(channel(rows, unit="mV", rate_hz=1e4, command=commands, command_unit="pA")))
        assert result.n_blocked == 2
        assert result.gain_hz_per_pa.value == pytest.approx(0.4, abs=0.015)
        assert "to 220 pA" in result.gain_hz_per_pa.method
        assert result.max_rate_hz.value > 60.0

    def test_the_curve(self, rng):
        result = cell_of(family(Neuron(rheobase=90.0, sd=0.0), rng, np.repeat(LEVELS, 3)))
        assert result.current_pa.tolist() == LEVELS.tolist()
        assert result.n_repeats.tolist() == [3.0] * LEVELS.size
        assert result.fired.tolist() == (LEVELS > 90.0).astype(float).tolist()
        assert (np.diff(result.rate_hz) >= 0.0).all()


class TestPassive:
    @pytest.mark.parametrize(("rin_mohm", "tau_s"), [(100.0, 0.01), (300.0, 0.03)])
    def test_resistance_time_constant_rest_and_holding(self, rng, rin_mohm, tau_s):
        levels = np.repeat([-30.0, -20.0, -10.0, 0.0, 10.0], 6)
        neuron = Neuron(rheobase=1e4, sd=0.0, rin_mohm=rin_mohm, tau_s=tau_s)
        result = cell_of(family(neuron, rng, levels, stop_s=0.6, duration_s=0.7, holding=-25.0))
        # Steady means are good to 0.01 mV, and 30 of them over 40 pA to 0.15 MΩ.
        assert result.rin_mohm.value == pytest.approx(rin_mohm, abs=1.0)
        assert result.rin_mohm.high - result.rin_mohm.low < 3.0
        # Steps of 2–9 mV with 0.1 mV of noise: single fits scatter by 2–8 %, a dozen of them to 3 %.
        assert result.tau_ms.value == pytest.approx(1e3 * tau_s, rel=0.06)
        assert result.rest_mv.value == pytest.approx(-65.0, abs=0.02)
        assert result.holding_pa.value == -25.0

    def test_large_deflections_do_not_enter_the_resistance(self, rng):
        rec = family(Neuron(rheobase=1e4, sd=0.0, rin_mohm=200.0), rng, np.arange(-200.0, 41.0, 20.0))
        rows = [rec.channels[0].trace.sweep(i) for i in range(13)]
        # Inward rectification: a deflection of more than 15 mV is cut there.
        rows = [np.maximum(row, -80.0) for row in rows]
        rows[0] = np.full(5000, -65.0)  # and the largest step no longer does anything
        commands = [rec.channels[0].command.sweep(i) for i in range(13)]
        result = cell_of(recording(channel(rows, unit="mV", rate_hz=1e4, command=commands, command_unit="pA")))
        assert result.rin_mohm.value == pytest.approx(200.0, abs=2.0)

    def test_repeats_of_one_hyperpolarisation(self, rng):
        found = cell_of(family(Neuron(rin_mohm=200.0), rng, [-30.0] * 6)).rin_mohm
        assert found.value == pytest.approx(200.0, abs=2.0)
        assert found.low < found.value < found.high

    def test_without_a_silent_step_there_is_none(self, rng):
        result = cell_of(family(Neuron(rheobase=10.0, sd=0.0), rng, [60.0, 80.0, 100.0]))
        for name in ("rin_mohm", "tau_ms", "sag_ratio"):
            assert getattr(result, name).status != OK


class TestFirstSpike:
    def test_threshold_is_the_mean_at_the_smallest_currents(self, rng):
        # Without resistance every spike starts from rest; at 10 mV/ms it has risen by 80·exp(−3.1626²/2) = 0.54 mV,
        # and within a sample of 0.1 ms by 1 mV.
        result = cell_of(family(Neuron(rheobase=95.0, sd=0.0, noise=0.02, rin_mohm=0.0), rng, LEVELS))
        assert result.threshold_mv.value == pytest.approx(-65.0 + 0.54, abs=1.0)
        assert "3 first spikes" in result.threshold_mv.method
        assert result.latency_ms.method == "one sweep"

    @QUICK
    @given(offset=st.floats(-25.0, 25.0), seed=st.integers(0, 5))
    def test_an_offset_shifts_potentials_only(self, offset, seed):
        rec = family(Neuron(), np.random.default_rng(seed), LEVELS, start_s=0.06, stop_s=0.2, duration_s=0.25)
        cell = rec.channels[0]
        rows, commands = (
            [trace.sweep(i) + shift for i in range(LEVELS.size)]
            for trace, shift in ((cell.trace, offset), (cell.command, 0.0))
        )
        moved = recording(channel(rows, unit="mV", rate_hz=1e4, command=commands, command_unit="pA"))
        one, other = estimates(cell_of(rec)), estimates(cell_of(moved))
        for name, each in one.items():
            shift = offset if name in ("threshold_mv", "rest_mv") else 0.0
            assert other[name].value == pytest.approx(each.value + shift, abs=1e-6, nan_ok=True), name


class TestResult:
    def test_its_table_and_its_pickle(self, rng):
        result = cell_of(family(Neuron(), rng, np.repeat(LEVELS, 2)))
        table = result.to_frame().set_index("quantity")
        assert set(table.index) == {plain_name(each) for each in estimates(result)}
        assert table.loc["rheobase", "value"] == result.rheobase_pa.value
        assert table.loc["gain", "unit"] == "Hz/pA"
        again = pickle.loads(pickle.dumps(result))  # noqa: S301 - our own bytes
        assert isinstance(again, ExcitabilityResult)
        assert again.rheobase_pa == result.rheobase_pa

    def test_the_order_of_sweeps_changes_nothing(self, rng):
        neuron, levels = Neuron(), np.repeat(LEVELS, 3)
        rec = family(neuron, rng, levels)
        order = rng.permutation(levels.size)
        one = measure_excitability(steps_of(rec))
        other = measure_excitability(steps_of(rec, sweeps=order))
        for name, each in estimates(one).items():
            assert getattr(other, name).value == pytest.approx(each.value, nan_ok=True, abs=1e-9)
            assert getattr(other, name).low == pytest.approx(each.low, nan_ok=True, abs=1e-9)

    @pytest.mark.parametrize("wrong", [{"level": 1.0}, {"first_spike_sweeps": 0}, {"spontaneous_percent": -1.0}])
    def test_impossible_settings_raise(self, wrong):
        with pytest.raises(SettingsError):
            ExcitabilityConfig(**wrong)


class TestRealRecordings:
    @pytest.mark.parametrize(
        ("file", "value", "low"),
        [
            ("D_steps_171116sh_0018.abf", 50.0, 25.0),
            ("D_FI_abf1_190619B.abf", 120.0, 60.0),
            ("D_NWB_full_hierarchy_99111002.nwb", 200.0, 0.0),
        ],
    )
    def test_rheobase_of_the_index(self, recordings, file, value, low):
        found = cell_of(read(recordings / file).recordings[0]).rheobase_pa
        assert found.value == pytest.approx(value, abs=0.01)
        assert found.low == pytest.approx(low, abs=0.01)
        assert found.is_bracket

    def test_a_spontaneously_firing_cell_has_none(self, recordings):
        result = cell_of(read(recordings / "D_steps_17o05028_spontaneous.abf").recordings[0])
        assert "there is no rheobase" in result.rheobase_pa.status
        assert np.isnan(result.rheobase_pa.value)
        # Its f–I curve is still one: 6 Hz at 0 pA to 36 Hz at 70 pA (index), 0.43 Hz/pA.
        assert result.gain_hz_per_pa.value == pytest.approx(30.0 / 70.0, rel=0.1)

    def test_a_ramp(self, recordings):
        result = cell_of(read(recordings / "D_current_ramp_okUnits.abf").recordings[0])
        assert result.protocol == "ramp"
        assert 20.0 < result.rheobase_pa.value < 30.0
        assert "one ramp" in result.rheobase_pa.method
        assert result.rest_mv.value == pytest.approx(-61.0, abs=1.0)
