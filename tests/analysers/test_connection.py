"""Responses are found at the stated error rate, and crosstalk and coupling are not called synaptic."""

from dataclasses import replace

import numpy as np
import pytest
from rigs import RATE_HZ, channel, evoked, pink, psc, recording, spike

from ephysplast.analysers.connection import ConnectionConfig, measure_connection
from ephysplast.analysers.responses import cut_responses
from ephysplast.analysers.stimuli import find_stimuli
from ephysplast.errors import OK, SettingsError

RATE = RATE_HZ / 2
TIME_S = np.arange(-370, 500) / RATE
FEW = ConnectionConfig(n_resamples=400)
EPSP = psc(TIME_S, 2e-3, rise_s=2e-3, decay_s=20e-3)


def traces_of(rows, unit="mV", lag_s=0.0):
    return evoked(rows[:, None], TIME_S, unit=unit, rate_hz=RATE, lag_s=lag_s)


def noise(rng, n_sweeps, kind):
    white = rng.normal(size=(n_sweeps, len(TIME_S)))
    if kind == "white":
        return white
    if kind == "1/f":
        return pink(rng, n_sweeps, len(TIME_S)) + 0.3 * white
    events = np.zeros((n_sweeps, 2500))
    where = rng.random(events.shape) < 8.0 / RATE
    events[where] = rng.gamma(2.0, 2.0, where.sum())
    shape = psc(np.arange(400) / RATE, 0.0)
    minis = np.stack([np.convolve(row, shape)[1500 : 1500 + len(TIME_S)] for row in events])
    return white + minis


class TestErrorRates:
    @pytest.mark.parametrize(
        ("kind", "n_sweeps"),
        [
            ("white", 8),
            ("1/f", 8),
            ("spontaneous events", 8),
            pytest.param("white", 30, marks=pytest.mark.slow),
            pytest.param("1/f", 30, marks=pytest.mark.slow),
            ("spontaneous events", 30),
        ],
    )
    def test_noise_is_called_a_response_as_often_as_stated(self, kind, n_sweeps):
        rng = np.random.default_rng(17)
        p_values = [
            measure_connection(traces_of(noise(rng, n_sweeps, kind)), rng=rng, config=FEW).p_value for _ in range(200)
        ]
        # Binomial, 200 tries at 5 %: SD 3.1, so 3 to 19 (the bounds of a two-sided 99.9 % interval are 2 and 21).
        assert 2 <= sum(p <= 0.05 for p in p_values) <= 21

    @pytest.mark.parametrize("sign", [-1, 1])
    def test_a_true_connection_is_found(self, sign):
        rng = np.random.default_rng(18)
        found = []
        for _ in range(20):
            released = rng.binomial(5, 0.4, 40) / 5
            rows = 0.3 * noise(rng, 40, "1/f") + sign * 1.0 * released[:, None] * EPSP
            found.append(measure_connection(traces_of(rows), rng=rng, config=FEW).kind)
        # Mean 0.4 mV against a standard error of 0.05: eight of them.
        assert found.count("synaptic") >= 19

    def test_the_interval_holds_the_truth(self):
        rng = np.random.default_rng(19)
        at = int(np.argmax(EPSP))
        inside = 0
        for _ in range(60):
            rows = 0.5 * noise(rng, 40, "white") + rng.normal(2.0, 0.5, 40)[:, None] * EPSP
            found = measure_connection(traces_of(rows), rng=rng, config=FEW)
            inside += found.amplitude_low <= 2.0 * EPSP[at] <= found.amplitude_high
        # 95 % of 60 are 57; choosing the extremum of the mean and a window of 0.5 ms cost little here.
        assert inside >= 50

    def test_chance_comes_from_the_generator_only(self):
        rows = noise(np.random.default_rng(1), 20, "1/f")
        one, other = (measure_connection(traces_of(rows), rng=np.random.default_rng(5)) for _ in range(2))
        assert one.sentence == other.sentence


class TestWhatIsNotSynaptic:
    def pre_and_post(self, rng, post_of, n_sweeps=20):
        """A presynaptic spike with its steepest rise at 0, and what the other electrode makes of it."""
        potential = spike(TIME_S, 0.0)
        rows = post_of(potential) + rng.normal(0.0, 0.1, (n_sweeps, len(TIME_S)))
        pre = np.tile(-65.0 + potential, (n_sweeps, 1))
        return traces_of(rows, lag_s=1.5e-3), traces_of(pre, lag_s=1.5e-3)

    def low_passed(self, trace, tau_s):
        kernel = np.exp(-np.arange(400) / RATE / tau_s)
        return np.convolve(trace, kernel / kernel.sum())[: len(trace)]

    @pytest.mark.parametrize("with_pre", [True, False])
    def test_capacitive_crosstalk(self, rng, with_pre):
        post, pre = self.pre_and_post(rng, lambda v: 0.3 * self.low_passed(np.gradient(v), 0.5e-3))
        found = measure_connection(post, rng=rng, pre=pre if with_pre else None, config=FEW)
        assert found.kind == "crosstalk"

    def test_electrical_coupling_needs_the_presynaptic_trace(self, rng):
        post, pre = self.pre_and_post(rng, lambda v: 0.05 * self.low_passed(v, 5e-3) * 10)
        assert measure_connection(post, rng=rng, pre=pre, config=FEW).kind == "electrical"
        assert measure_connection(post, rng=rng, config=FEW).kind in ("undetermined", "crosstalk")

    def test_a_synapse_with_an_artefact_in_front_stays_one(self, rng):
        def post_of(potential):
            return 0.2 * self.low_passed(np.gradient(potential), 0.1e-3) + 1.0 * EPSP

        post, pre = self.pre_and_post(rng, post_of)
        for given in (None, pre):
            found = measure_connection(post, rng=rng, pre=given, config=FEW)
            assert found.kind == "synaptic"
            # Extremum of the mean at the top of a flat EPSP, within noise of 0.1/√20.
            assert found.amplitude == pytest.approx(1.0, abs=0.1)

    @pytest.mark.parametrize("latency_s", [1.5e-3, 3e-3])
    @pytest.mark.parametrize("tail", [200.0, -200.0])
    def test_an_epsc_behind_the_tail_of_a_stimulus_artefact(self, rng, tail, latency_s):
        after = np.clip(TIME_S, 0.0, None)
        artefact = np.where(TIME_S >= 0, tail * np.exp(-after / 0.7e-3), 0.0)
        size = 100.0 * rng.gamma(9.0, 1 / 9, 30)[:, None]
        rows = artefact - size * psc(TIME_S, latency_s) + 5.0 * noise(rng, 30, "1/f")
        found = measure_connection(traces_of(rows, "pA"), rng=rng, config=FEW)
        assert found.kind == "synaptic"
        assert found.amplitude < 0

    def test_an_artefact_that_varies_is_still_one(self, rng):
        after = np.clip(TIME_S, 0.0, None)
        kinds = set()
        for tail_s in (0.7e-3, 3e-3):
            artefact = np.where(TIME_S >= 0, 200.0 * np.exp(-after / tail_s), 0.0)
            size = np.linspace(0.8, 1.2, 30) + 0.1 * rng.normal(size=30)
            rows = size[:, None] * artefact + 5.0 * noise(rng, 30, "1/f")
            shifted = np.stack([np.roll(artefact, rng.integers(-4, 5)) for _ in range(30)]) + 5.0 * noise(
                rng, 30, "1/f"
            )
            kinds |= {measure_connection(traces_of(each, "pA"), rng=rng, config=FEW).kind for each in (rows, shifted)}
        assert kinds == {"crosstalk"}

    def test_the_eight_channel_set_is_unconnected(self, recordings):
        from ephysplast.io import read

        rig = read(recordings / "patchview_190604s1c7r1_s3_8ch_ic.nwb").recordings[0]
        pre = rig.channels[6]
        kinds = {}
        for i, post in enumerate(rig.channels):
            if i == 6:
                continue
            # Timed from the jump across the pipette, or from the spike 1 ms later.
            for stimulus in ("auto", "0.2; 0.302"):
                stimuli = find_stimuli(rig, post, pre_channel=pre, stimulus=stimulus)
                made = cut_responses(rig, post, stimuli)
                for given in (None, cut_responses(rig, pre, stimuli)):
                    found = measure_connection(made, rng=np.random.default_rng(1), pre=given)
                    kinds.setdefault(i + 1, set()).add(found.kind)
        assert not any("synaptic" in each for each in kinds.values())
        # Channel 8 is the one with the tail of −0.5 mV, channel 6 shows the same more weakly.
        assert kinds[8] == {"crosstalk"}

    def test_real_synapses(self, recordings):
        from ephysplast.io import read

        for name, cell in [("A_f1_ST-EPSC_train50Hz.abf", "CH1"), ("A_EJC_40sweeps.abf", "I2")]:
            rig = read(recordings / name).recordings[0]
            post = rig.channel(cell)
            evoked_traces = cut_responses(rig, post, find_stimuli(rig, post))
            assert measure_connection(evoked_traces, rng=np.random.default_rng(1)).kind == "synaptic"


class TestLimits:
    def test_too_few_sweeps_are_no_answer(self, rng):
        found = measure_connection(traces_of(0.1 * noise(rng, 5, "white") + EPSP), rng=rng)
        assert found.kind == "undetermined"
        assert found.status == "5 sweeps are too few to test; 6 are needed"
        assert np.isnan([found.p_value, found.amplitude, found.latency_ms]).all()

    def test_excluded_sweeps_do_not_count(self, rng):
        made = traces_of(0.1 * noise(rng, 12, "white") + EPSP)
        reason = made.reason.copy().astype("U30")
        reason[:4] = "no presynaptic spike"
        traces = made.traces.copy()
        traces[:4] = np.nan
        found = measure_connection(replace(made, reason=reason, traces=traces), rng=rng)
        assert found.n_sweeps == 8
        assert found.kind == "synaptic"

    def test_all_pulses_together_find_what_the_first_alone_does_not(self):
        rng = np.random.default_rng(3)
        first, late = 0.5 * noise(rng, 30, "white"), 0.5 * noise(rng, 30, "white") + EPSP
        train = evoked(
            np.stack([first, late, late], axis=1), TIME_S, unit="mV", interval_s=(0.0, 0.1, 0.2), rate_hz=RATE
        )
        assert measure_connection(train, rng=rng, config=FEW).kind == "synaptic"

    def test_nothing_to_test(self, rng):
        cell = channel(rng.normal(size=(8, 4000)))
        rig = recording(cell)
        found = measure_connection(cut_responses(rig, cell, find_stimuli(rig, cell)), rng=rng)
        assert found.kind == "undetermined"
        assert found.status != OK
        assert len(found.to_frame()) == 1

    @pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"alpha": 1.0}, {"n_resamples": 3}, {"search_stop_ms": 0.1}])
    def test_impossible_settings_are_refused(self, wrong):
        with pytest.raises(SettingsError):
            ConnectionConfig(**wrong)
