"""Triggers in order of trust, and the presynaptic spikes that responses are timed from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rigs import RATE_HZ, channel, psc, recording, spike

from ephysplast.analysers._triggers import command_pulses
from ephysplast.analysers.stimuli import NO_SPIKE, TWO_SPIKES, StimuliConfig, find_stimuli
from ephysplast.errors import OK, ManifestError, SettingsError, WindowError

N_SWEEPS, N_SAMPLES = 6, 6000
TIME_S = np.arange(N_SAMPLES) / RATE_HZ
SAMPLE_S = 1.0 / RATE_HZ


def noise(rng, sd=2.0, n_sweeps=N_SWEEPS):
    return rng.normal(0.0, sd, (n_sweeps, N_SAMPLES))


def pulses(at_s, width_s=1e-3, height=5.0, holding=0.0):
    row = np.full(N_SAMPLES, holding)
    for at in at_s:
        row[round(at * RATE_HZ) : round((at + width_s) * RATE_HZ)] += height
    return np.tile(row, (N_SWEEPS, 1))


def artefacts(at_s, size=300.0):
    """Up and down again within 0.4 ms, as an extracellular stimulus leaves it."""
    return sum(size * (np.exp(-0.5 * ((TIME_S - at - 2e-4) / 5e-5) ** 2)) for at in at_s)


class TestGivenTimes:
    @pytest.mark.parametrize(
        ("text", "wanted"),
        [
            ("0.1; 0.15", [0.1, 0.15]),
            ("0,1; 0,15", [0.1, 0.15]),
            ("0.1, 0.15", [0.1, 0.15]),
            ("0.1 0.15", [0.1, 0.15]),
            ("100 ms; 150ms", [0.1, 0.15]),
            ("0,1", [0.1]),
            (".1", [0.1]),
            ("0.1 s", [0.1]),
        ],
    )
    def test_as_people_write_them(self, rng, text, wanted):
        cell = channel(noise(rng))
        found = find_stimuli(recording(cell), cell, stimulus=text, sweeps=[1, 4])
        np.testing.assert_allclose(found.times_s, [wanted, wanted])
        assert found.method == "manifest"
        assert found.sweeps.tolist() == [1, 4]

    @pytest.mark.parametrize("text", ["0.1; then", "0,1,2", "0.2; 0.1", "0.1; 0.1", "1e"])
    def test_what_cannot_be_read_is_said(self, rng, text):
        cell = channel(noise(rng))
        with pytest.raises(ManifestError, match="stimulus times"):
            find_stimuli(recording(cell), cell, stimulus=text)

    def test_a_time_in_ms_without_its_unit_lies_outside_the_sweeps(self, rng):
        cell = channel(noise(rng))
        with pytest.raises(WindowError, match=r"less than 0.3 s.*write the unit"):
            find_stimuli(recording(cell), cell, stimulus="100")

    def test_a_misspelt_source_names_what_there_is(self, rng):
        cell = channel(noise(rng))
        rig = recording(cell, lines=[("digital 0", [[0.1]] * N_SWEEPS)])
        with pytest.raises(ManifestError, match="did you mean 'digital 0'"):
            find_stimuli(rig, cell, stimulus="digitl 0")


class TestTrust:
    def test_a_digital_output_counts_where_it_goes_high(self, rng):
        cell = channel(noise(rng))
        onsets = [[0.1, 0.15]] * 3 + [[0.12]] + [[]] * 2
        found = find_stimuli(recording(cell, lines=[("digital 2", onsets)]), cell)
        assert found.method == "digital 2"
        np.testing.assert_array_equal(np.isfinite(found.times_s).sum(axis=1), [2, 2, 2, 1, 0, 0])
        assert found.reason[3].tolist() == [OK, "no stimulus"]
        np.testing.assert_array_equal(found.event_s, found.times_s)

    def test_several_lines_are_mentioned(self, rng):
        cell = channel(noise(rng))
        lines = [("digital 0", [[0.1, 0.2]] * N_SWEEPS), ("digital 3", [[0.2]] * N_SWEEPS)]
        assert find_stimuli(recording(cell, lines=lines), cell).method == "digital 0 (there is also: digital 3)"
        assert find_stimuli(recording(cell, lines=lines), cell, stimulus="digital 3").times_s[0].tolist() == [0.2]

    def test_the_presynaptic_command_comes_before_a_digital_output(self, rng):
        cell = channel(noise(rng), name="post")
        pre = channel(
            noise(rng, 0.1) - 65.0, name="pre", unit="mV", command=pulses([0.1], 2e-3, 800.0), command_unit="pA"
        )
        rig = recording(cell, pre, lines=[("digital 0", [[0.05]] * N_SWEEPS)])
        assert find_stimuli(rig, cell, pre_channel=pre).method.startswith("command of pre")
        assert find_stimuli(rig, cell).times_s[0].tolist() == [0.05]

    def test_its_own_test_pulse_is_no_stimulus_however_short(self, rng):
        own = pulses([0.05], 3e-3, 5.0, holding=-70.0)
        cell = channel(noise(rng), command=own, command_unit="mV")
        assert find_stimuli(recording(cell), cell).status != OK

    def test_a_trigger_on_an_unused_output_is_one(self, rng):
        cell = channel(noise(rng), name="I", command=pulses([]), command_unit="mV", electrode="1")
        voltage = channel(
            noise(rng), name="V", unit="mV", command=pulses([0.0361], 2e-4), command_unit="V", electrode="1"
        )
        found = find_stimuli(recording(voltage, cell), cell)
        assert found.method == "command of V"
        np.testing.assert_allclose(found.times_s[0], [0.0361], atol=SAMPLE_S)

    def test_commands_that_change_from_sweep_to_sweep(self, rng):
        command = np.concatenate([pulses([0.1 + 0.01 * sweep], 2e-3)[:1] for sweep in range(N_SWEEPS)])
        cell, other = channel(noise(rng), name="a"), channel(noise(rng), name="b", command=command)
        found = find_stimuli(recording(cell, other), cell, stimulus="command")
        np.testing.assert_allclose(found.times_s[:, 0], 0.1 + 0.01 * np.arange(N_SWEEPS), atol=1e-9)

    def test_a_marker_channel(self, rng):
        marker = channel(pulses([0.1, 0.2], 5e-4) + noise(rng, 0.01), name="Stim", unit="V")
        cell = channel(noise(rng))
        found = find_stimuli(recording(marker, cell), cell)
        assert found.method == "marker Stim"
        np.testing.assert_allclose(found.times_s[0], [0.1, 0.2], atol=SAMPLE_S)

    def test_the_protocol_name_decides_nothing(self, rng):
        from dataclasses import replace

        cell = channel(noise(rng))
        rig = replace(recording(cell), protocol="stim at 100 ms paired pulse 50 Hz")
        found = find_stimuli(rig, cell)
        assert found.n_pulses == 0
        assert "no stimulus was found" in found.status

    def test_no_sweeps(self, rng):
        cell = channel(noise(rng))
        assert find_stimuli(recording(cell), cell, sweeps=[]).status != OK


class TestCommandPulses:
    @settings(max_examples=25, deadline=None)
    @given(st.lists(st.integers(50, 5000), min_size=0, max_size=6, unique=True), st.floats(-100.0, 100.0))
    def test_every_short_pulse_is_found_on_any_level(self, places, holding):
        places = sorted(places)
        wanted = [at for i, at in enumerate(places) if i == 0 or at - places[i - 1] > 40]
        command = np.full(N_SAMPLES, holding)
        for at in wanted:
            command[at : at + 20] += 50.0
        assert (command_pulses(command, RATE_HZ, 0.02) * RATE_HZ).round().astype(int).tolist() == wanted

    def test_steps_ramps_and_downward_pulses_are_passed_over(self):
        step, ramp, down = pulses([0.05], 0.1)[0], np.interp(TIME_S, [0.1, 0.11, 0.3], [0, 5, 5]), -pulses([0.1])[0]
        for command in (step, ramp, down, np.zeros(N_SAMPLES)):
            assert command_pulses(command, RATE_HZ, 0.02).size == 0


class TestArtefacts:
    def test_found_in_noise_with_responses_behind_them(self, rng):
        at = [0.1, 0.15]
        trace = noise(rng) + artefacts(at) - 400.0 * sum(psc(TIME_S, each + 2e-3) for each in at)
        cell = channel(trace)
        found = find_stimuli(recording(cell), cell)
        assert found.method == "artefacts in IN 0"
        # The Gaussian artefact leaves the noise 0.1 ms before its centre, which is 0.2 ms after the stimulus.
        np.testing.assert_allclose(found.times_s, np.tile(at, (N_SWEEPS, 1)), atol=0.2e-3)

    def test_a_sweep_without_one_keeps_its_place(self, rng):
        trace = noise(rng) + artefacts([0.1, 0.2])
        trace[2] = noise(rng)[0] + artefacts([0.2])
        cell = channel(trace)
        found = find_stimuli(recording(cell), cell, stimulus="artefact")
        assert np.isnan(found.times_s[2]).tolist() == [True, False]
        assert found.reason[2].tolist() == ["no stimulus", OK]

    def test_a_test_pulse_without_a_known_command_is_none(self, rng):
        on, off = (np.clip(TIME_S - at, 0.0, None) for at in (0.05, 0.15))
        step = np.where(on > 0, -50.0 - 500.0 * np.exp(-on / 5e-4), 0.0)
        step += np.where(off > 0, 50.0 + 500.0 * np.exp(-off / 5e-4), 0.0)
        cell = channel(noise(rng) + step)
        assert find_stimuli(recording(cell), cell).status != OK

    def test_a_steep_response_alone_is_none(self, rng):
        cell = channel(noise(rng) - 1000.0 * psc(TIME_S, 0.1, rise_s=0.2e-3))
        assert find_stimuli(recording(cell), cell).status != OK

    def test_a_line_that_starts_a_stimulator_gives_way_to_its_train(self, rng):
        cell = channel(noise(rng) + artefacts([0.1, 0.12, 0.14]))
        rig = recording(cell, lines=[("digital 0", [[0.1]] * N_SWEEPS)])
        found = find_stimuli(rig, cell)
        assert "train started by digital 0" in found.method
        np.testing.assert_allclose(found.times_s[0], [0.1, 0.12, 0.14], atol=0.2e-3)

    def test_another_pathway_is_no_train(self, rng):
        cell = channel(noise(rng) + artefacts([0.1, 0.2]))
        lines = [("digital 0", [[0.1]] * N_SWEEPS), ("digital 1", [[0.2]] * N_SWEEPS)]
        assert find_stimuli(recording(cell, lines=lines), cell).times_s[0].tolist() == [0.1]


class TestPresynapticSpikes:
    def rig(self, rng, spikes_s, **more):
        potential = noise(rng, 0.1) - 65.0
        for sweep, times in enumerate(spikes_s):
            potential[sweep] += sum((spike(TIME_S, at) for at in times), np.zeros(N_SAMPLES))
        pre = channel(potential, name="pre", unit="mV", command=pulses([0.1, 0.2], 2e-3, 800.0), command_unit="pA")
        post = channel(noise(rng), name="post", **more)
        return recording(pre, post), post, pre

    def test_none_one_and_two(self, rng):
        fired = [[0.1031, 0.2042], [0.1025], [0.102, 0.109, 0.203], [], [0.104, 0.204], [0.13, 0.2031]]
        rig, post, pre = self.rig(rng, fired)
        found = find_stimuli(rig, post, pre_channel=pre)
        expected = [[OK, OK], [OK, NO_SPIKE], [TWO_SPIKES, OK], [NO_SPIKE] * 2, [OK, OK], [NO_SPIKE, OK]]
        assert found.reason.tolist() == expected
        assert np.isnan(found.event_s).tolist() == [[each != OK for each in row] for row in expected]
        # 0.1 mV of noise on an upstroke of 150 mV/ms that is flat over 0.1 ms around its steepest point.
        assert found.event_s[0] == pytest.approx([0.1031, 0.2042], abs=0.1e-3)
        assert found.method == "command of pre, timed from the spikes of pre"

    def test_a_spike_after_the_next_stimulus_belongs_to_that(self, rng):
        rig, post, pre = self.rig(rng, [[0.1035]] * N_SWEEPS)
        found = find_stimuli(rig, post, pre_channel=pre, stimulus="0.095; 0.102")
        assert found.reason[0].tolist() == [NO_SPIKE, OK]

    def test_the_jump_across_the_pipette_is_no_spike(self, rng):
        rig, post, pre = self.rig(rng, [[]] * N_SWEEPS)
        jumping = channel(
            pre.trace.window(0.0, 0.3) + pulses([0.1, 0.2], 2e-3, 25.0),
            name="pre",
            unit="mV",
            command=pulses([0.1, 0.2], 2e-3, 800.0),
            command_unit="pA",
        )
        assert (find_stimuli(rig, post, pre_channel=jumping).reason == NO_SPIKE).all()

    def test_without_any_trigger_the_spikes_themselves_count(self, rng):
        _, post, pre = self.rig(rng, [[0.1], [0.12, 0.2], [], [0.1], [0.1], [0.1]])
        free = channel(pre.trace.window(0.0, 0.3), name="pre", unit="mV")
        found = find_stimuli(recording(free, post), post, pre_channel=free)
        assert found.method == "presynaptic spikes of pre"
        assert np.isfinite(found.event_s).sum(axis=1).tolist() == [1, 2, 0, 1, 1, 1]

    def test_in_voltage_clamp_the_stimulus_counts(self, rng):
        _, post, _ = self.rig(rng, [[]] * N_SWEEPS)
        clamped = channel(noise(rng), name="pre", unit="pA", command=pulses([0.1], 2e-3, 70.0), command_unit="mV")
        found = find_stimuli(recording(clamped, post), post, pre_channel=clamped)
        assert (found.reason == OK).all()
        assert "no spikes are seen in voltage clamp" in found.method

    @pytest.mark.parametrize("name", ["longest_pulse_ms", "spike_window_ms", "artefact_noise", "spike_height_mv"])
    def test_impossible_settings_are_refused(self, name):
        with pytest.raises(SettingsError):
            _ = StimuliConfig(**{name: -1.0}).spikes


def test_table_counts_from_one(rng):
    cell = channel(noise(rng))
    frame = find_stimuli(recording(cell), cell, stimulus="0.1; 0.2", sweeps=[3]).to_frame()
    assert frame[["sweep", "pulse", "stimulus_s"]].to_numpy().tolist() == [[4, 1, 0.1], [4, 2, 0.2]]


@pytest.fixture
def opened(recordings):
    from ephysplast.io import read

    return lambda name: read(recordings / name).recordings[0]


class TestRealRecordings:
    def test_train_artefacts(self, opened):
        rig = opened("A_f1_ST-EPSC_train50Hz.abf")
        for stimulus in ("artefact", "auto"):
            found = find_stimuli(rig, rig.channel("CH1"), stimulus=stimulus)
            # Read off the traces by eye to 0.1 ms.
            np.testing.assert_allclose(
                found.times_s, np.tile([0.1641, 0.1841, 0.2041, 0.2241, 0.2441], (10, 1)), atol=0.2e-3
            )

    def test_stimulus_trigger_of_the_neuromuscular_junction(self, opened):
        rig = opened("A_EJC_40sweeps.abf")
        found = find_stimuli(rig, rig.channel("I2"))
        assert found.method.startswith("command of Vm1")
        np.testing.assert_allclose(found.times_s, np.full((40, 1), 0.0361), atol=0.2e-3)

    def test_light(self, opened):
        rig = opened("A_17o05026_opto_EPSC_10s.abf")
        found = find_stimuli(rig, rig.channel("IN 0"))
        assert found.method.startswith("digital")
        np.testing.assert_allclose(found.times_s, np.full((8, 1), 1.156), atol=1e-3)

    def test_marker(self, opened):
        rig = opened("A_File_axon_3_stim_Vm.abf")
        found = find_stimuli(rig, rig.channel("VmRK"))
        assert found.method.startswith("marker stim")
        np.testing.assert_allclose(found.times_s[:, 0], np.full(5, 0.0175), atol=1e-3)

    def test_chamberland(self, opened):
        rig = opened("chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb")
        found = find_stimuli(rig, rig.channels[0])
        np.testing.assert_allclose(found.times_s, np.tile([0.016, 0.036, 0.056, 0.076, 0.096], (40, 1)), atol=0.5e-3)

    @pytest.mark.parametrize(
        "name",
        [
            "A_TGOT_tags_abf1.abf",
            "A_tag_at_3min_memtest.abf",
            "B_pair_VC_IV_14o16001.abf",
            "C_INa_IV_myokit_v2.abf",
            "C_ramp_DM1_0002.abf",
            "D_steps_171116sh_0018.abf",
            "D_steps_17o05028_spontaneous.abf",
            "E_memtest_171116sh_0011.abf",
            "E_memtest_ramp_18808025.abf",
        ],
    )
    def test_test_pulses_and_steps_are_no_stimuli(self, opened, name):
        rig = opened(name)
        found = find_stimuli(rig, rig.channels[0])
        assert found.n_pulses == 0
        assert found.status.startswith("no stimulus was found")
