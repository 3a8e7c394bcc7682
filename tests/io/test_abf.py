"""The ABF reader against pyABF, against files laid out field by field, and against what is known of real ones."""

import pickle
import struct
import subprocess
import sys
from datetime import datetime

import numpy as np
import pyabf
import pytest

from ephysplast.errors import FileFormatError
from ephysplast.io import READERS, Reader, load_samples, read, write_abf
from ephysplast.io.abf_commands import AbfEpoch

ABF_FILES = (
    "A_17o05026_opto_EPSC_10s",
    "A_EJC_40sweeps",
    "A_File_axon_3_stim_Vm",
    "A_TGOT_tags_abf1",
    "A_f1_ST-EPSC_train50Hz",
    "A_tag_at_3min_memtest",
    "B_pair_VC_IV_14o16001",
    "C_INa_IV_myokit_v2",
    "C_IV_fast_171116sh_0013",
    "C_ramp_DM1_0002",
    "D_FI_abf1_190619B",
    "D_current_ramp_okUnits",
    "D_steps_171116sh_0018",
    "D_steps_17o05028_spontaneous",
    "E_memtest_171116sh_0011",
    "E_memtest_ramp_18808025",
    "F_mEJC_gapfree_90s",
    "G_16ADC_more_than_DAC",
    "G_abf1_no_header_strings",
    "G_bad_units_pA_is_mV",
    "G_invalidDate_abf1",
    "G_invalidDate_abf2",
    "G_unit_question_mark",
    "G_variable_length_sweeps",
)
TO_CANONICAL = {"nA": 1000.0}


# ------------------------------------------------------------------------------------------------ against pyABF


@pytest.mark.parametrize("name", ABF_FILES)
def test_samples_are_those_that_pyabf_reads(recordings, name):
    path = recordings / f"{name}.abf"
    ours, theirs = read(path), pyabf.ABF(str(path))
    bulk = load_samples(ours)
    for i, channel in enumerate(ours.channels):
        expected = theirs.data[i].astype(np.float64) * TO_CANONICAL.get(theirs.adcUnits[i], 1.0)
        # Single precision, which pyABF computes in, is good to 6e-8 of the value; 1e-5 of the range is asked for.
        tolerance = 1e-5 * np.abs(expected).max()
        got = np.concatenate([channel.trace.sweep(sweep) for sweep in range(ours.n_sweeps)])
        assert np.abs(got - expected[: len(got)]).max() <= tolerance
        assert len(expected) - len(got) < ours.n_sweeps
        assert np.abs(np.concatenate(bulk[i]) - got).max() <= tolerance


@pytest.mark.parametrize("name", ABF_FILES)
def test_commands_are_those_that_pyabf_draws(recordings, name):
    path = recordings / f"{name}.abf"
    ours, theirs = read(path), pyabf.ABF(str(path))
    with path.open("rb") as file:
        is_abf1 = file.read(4) == b"ABF "
    for i, channel in enumerate(ours.channels):
        if channel.command is None or len(set(ours.sweep_lengths.tolist())) > 1:
            continue
        if is_abf1:
            if i > 1:
                continue  # pyABF looks for epochs that the two last outputs of ABF1 do not have
            # pyABF takes the first epoch's level for the holding level of ABF1 files: give it the true one.
            raw = path.read_bytes()
            theirs.holdingCommand[i] = struct.unpack_from("<f", raw, 1394 + 4 * i)[0]
        for sweep in {0, 1, ours.n_sweeps - 1} & set(range(ours.n_sweeps)):
            theirs.setSweep(sweep, i)
            expected = theirs.sweepC * TO_CANONICAL.get(theirs.dacUnits[i], 1.0)
            # The same doubles computed in another order.
            assert np.allclose(channel.command.sweep(sweep), expected, rtol=0.0, atol=1e-9)


def test_digital_output_starts_where_pyabf_has_it(recordings):
    path = recordings / "A_17o05026_opto_EPSC_10s.abf"
    ours, theirs = read(path), pyabf.ABF(str(path))
    (line,) = ours.digital_outputs
    high = np.flatnonzero(theirs.sweepD(4))
    assert line.name == "digital 4"
    assert [each.tolist() for each in line.onsets_s] == [[high[0] / 20_000.0]] * 8


# ------------------------------------------------------------------------------------------------ real recordings


def test_sweeps_of_unequal_length(recordings):
    recording = read(recordings / "G_variable_length_sweeps.abf")
    assert recording.sweep_lengths.tolist() == [3540, 70040, 16040]
    # Ticks 14479, 44979 and 147479 of 100 µs in its synch array.
    assert recording.sweep_start_s == pytest.approx([0.0, 3.05, 13.3])
    assert recording.channels[0].trace.window(0.1, 0.2, [2]).shape == (1, 1000)
    assert not recording.channels[0].command.same_every_sweep


def test_tags_are_where_the_experimenter_set_them(recordings):
    (tag,) = read(recordings / "A_tag_at_3min_memtest.abf").tags
    assert (tag.comment, tag.sweep) == ("+drug at 3min", 36)
    assert tag.time_s == pytest.approx(180.38, abs=0.005)
    recording = read(recordings / "A_TGOT_tags_abf1.abf")
    assert [(tag.comment, tag.sweep) for tag in recording.tags] == [("+TGOT", 86), ("-TGOT", 147)]
    assert [tag.time_s for tag in recording.tags] == pytest.approx([173.98, 294.86], abs=0.005)
    # Known place on the axis of sweeps, 2 s apart.
    assert [tag.time_s / 2.0 for tag in recording.tags] == pytest.approx([86.99, 147.43], abs=0.005)


@pytest.mark.parametrize(
    ("name", "interval_s", "last_s"),
    [
        ("A_TGOT_tags_abf1", 2.0, 372.0),
        ("A_tag_at_3min_memtest", 5.0, 295.0),
        ("A_f1_ST-EPSC_train50Hz", 3.0, 27.0),
        ("A_File_axon_3_stim_Vm", 90.0, 360.0),
    ],
)
def test_sweeps_start_by_the_files_own_clock(recordings, name, interval_s, last_s):
    starts = read(recordings / f"{name}.abf").sweep_start_s
    # Clampex's clock ticks every 12.5 µs, and triggers jitter by some ticks.
    assert np.diff(starts) == pytest.approx(interval_s, abs=0.01)
    assert starts[-1] == pytest.approx(last_s, abs=0.1)


def test_nanoamperes_become_picoamperes(recordings):
    recording = read(recordings / "A_EJC_40sweeps.abf")
    channel = recording.channel("I2")
    assert (channel.unit, channel.clamp) == ("pA", "voltage")
    stimulus_s = 0.0361
    baseline = channel.trace.window(0.03, 0.035).mean(axis=1)
    peak = channel.trace.window(stimulus_s + 0.003, stimulus_s + 0.04).min(axis=1) - baseline
    assert peak.mean() == pytest.approx(-17_900.0, rel=0.02)  # known to three digits from another program
    assert recording.channel("Vm1").clamp == "unknown"  # the potential of the clamped cell is not a response
    assert recording.channel("Vm1").electrode == channel.electrode != ""


def test_stimulus_onset_in_an_epoch(recordings):
    recording = read(recordings / "A_EJC_40sweeps.abf")
    trigger = recording.channel("Vm1")
    assert trigger.command_unit == "V"
    onset = np.flatnonzero(np.diff(trigger.command.sweep(0)) > 0)[0] + 1
    assert onset / recording.rate_hz == pytest.approx(0.0361, abs=0.00015)  # known to 0.1 ms


# ------------------------------------------------------------------------------------------------ files made here


def test_abf1_gain_offset_names_and_interleaving(tmp_path, make_abf1):
    stored = np.arange(40, dtype="<i2").reshape(20, 2)
    path = make_abf1(
        tmp_path / "two.abf",
        stored,
        names=["Im", "Im"],
        units=["nA", "µV"],
        scale=[0.5, 2.0] + [1.0] * 14,
        offset=[0.25, -1.0] + [0.0] * 14,
        telegraph=[1, 0],
        telegraph_gain=[20.0] * 16,
        synch=[(0, 20), (40_000, 20)],
        synch_us=25.0,
        sample_us=50.0,
    )
    recording = read(path)
    assert [each.name for each in recording.channels] == ["Im", "Im (2)"]
    assert [each.unit for each in recording.channels] == ["pA", "mV"]
    assert recording.rate_hz == pytest.approx(10_000.0)
    assert recording.sweep_start_s.tolist() == [0.0, 1.0]
    step = 10.0 / 32768
    first = (stored[10:, 0] * step / 0.5 / 20.0 + 0.25) * 1000.0
    second = (stored[10:, 1] * step / 2.0 - 1.0) * 0.001
    # float32 fields that are exact in binary: only the last double digit may differ.
    assert recording.channels[0].trace.sweep(1) == pytest.approx(first, rel=1e-12)
    assert recording.channels[1].trace.sweep(1) == pytest.approx(second, rel=1e-12)
    assert recording.started_at == datetime(2024, 5, 31)


def test_abf1_of_single_precision_is_not_scaled(tmp_path, make_abf1):
    samples = np.linspace(-70.0, 30.0, 30, dtype="<f4")
    recording = read(make_abf1(tmp_path / "f.abf", samples, units=["mV"], mode=3, scale=[0.0] * 16))
    assert recording.channels[0].trace.sweep(0).tolist() == samples.astype(float).tolist()


def test_a_short_header_takes_no_telegraph_out_of_the_samples(tmp_path, make_abf1):
    # The header ends after 4 blocks; what lies where telegraphs would be are samples (as in neo's issue 544).
    samples = np.ones(4000, dtype="<i2")
    recording = read(make_abf1(tmp_path / "old.abf", samples, version=1.3, header_blocks=4, mode=3))
    assert recording.channels[0].trace.sweep(0) == pytest.approx(np.full(4000, 10.0 / 32768))
    assert recording.channels[0].command is None
    assert any("commanded" in note for note in recording.notes)


def test_synch_array_of_abf1_without_a_unit_counts_samples(tmp_path, make_abf1):
    samples = np.zeros(40, dtype="<i2")
    path = make_abf1(
        tmp_path / "s.abf",
        samples,
        names=["a", "b"],
        units=["pA", "pA"],
        synch=[(100, 10), (300, 30)],
        tags=[(300, b"wash"), (90, "10 µM drug".encode("cp1252"))],
        synch_us=0.0,
        mode=1,
    )
    recording = read(path)
    assert recording.sweep_lengths.tolist() == [5, 15]
    assert recording.sweep_start_s == pytest.approx([0.0, 200 * 50e-6])
    assert [(tag.comment, tag.sweep) for tag in recording.tags] == [("10 µM drug", -1), ("wash", 1)]
    assert recording.tags[1].time_s == pytest.approx(200 * 50e-6)
    assert (recording.started_at - datetime(2024, 5, 31)).total_seconds() == pytest.approx(100 * 50e-6, abs=1e-6)


def test_sweeps_without_a_synch_array_are_assumed_and_said_so(tmp_path, make_abf1):
    recording = read(make_abf1(tmp_path / "e.abf", np.zeros(100, "<i2"), n_episodes=4, interval_s=7.5))
    assert recording.sweep_start_s.tolist() == [0.0, 7.5, 15.0, 22.5]
    assert recording.sweep_lengths.tolist() == [25] * 4
    assert any("7.5 s" in note for note in recording.notes)


def test_abf1_pulse_trains_and_digital_trains(tmp_path, make_abf1):
    path = make_abf1(
        tmp_path / "t.abf",
        np.zeros(2 * 640, "<i2"),
        synch=[(0, 640), (100, 640)],
        enable=[1],
        source=[1],
        holding=[-70.0],
        kind=[3, 0, 1],
        level=[-60.0, 0.0, -75.0],
        duration=[250, 99, 100],
        period=[100],
        width=[20],
        digital_enable=1,
        digital=[0, 0, 5],
        digital_train=[2],
    )
    recording = read(path)
    command = recording.channels[0].command.sweep(1)
    expected = np.full(640, -70.0)
    for start in (10, 110):  # ten samples are the first 1/64; a third pulse does not fit
        expected[start : start + 20] = -60.0
    expected[260:360] = -75.0
    assert command.tolist() == expected.tolist()
    lines = {line.name: (line.onsets_s[1] * 20_000.0).tolist() for line in recording.digital_outputs}
    assert lines == {"digital 0": [260.0], "digital 1": [10.0, 110.0], "digital 2": [260.0]}


def test_a_user_list_sets_the_level_of_its_epoch(tmp_path, make_abf1):
    path = make_abf1(
        tmp_path / "u.abf",
        np.zeros(4 * 128, "<i2"),
        synch=[(i * 1000, 128) for i in range(4)],
        enable=[1],
        source=[1],
        kind=[1, 1],
        level=[-5.0, 0.0],
        delta_level=[1.0],
        duration=[10, 20],
        listed=[1],
        listed_parameter=[22],  # 21 is the level of the first epoch
        user_list=b"10, -20,30",
    )
    command = read(path).channels[0].command
    assert not command.same_every_sweep
    rows = command.window(0.0, 40 / 20_000.0)
    # When the list has run out, its last value stays.
    assert rows[:, 15].tolist() == [10.0, -20.0, 30.0, 30.0]
    assert rows[:, 5].tolist() == [-5.0, -4.0, -3.0, -2.0]


def test_digital_lines_that_change_by_a_list_are_not_guessed(tmp_path, make_abf1):
    path = make_abf1(
        tmp_path / "l.abf",
        np.zeros(2 * 128, "<i2"),
        synch=[(0, 128), (1000, 128)],
        enable=[1],
        source=[1],
        kind=[1],
        level=[5.0],
        duration=[20],
        digital_enable=1,
        digital=[1],
        listed=[1],
        listed_parameter=[11],  # the digital pattern of the first epoch
        user_list=b"0001, 0010",
    )
    recording = read(path)
    assert recording.digital_outputs == ()
    assert any("digital outputs are not known" in note for note in recording.notes)
    assert recording.channels[0].command.same_every_sweep  # the analogue command does not follow that list


def test_outputs_may_alternate(tmp_path, make_abf1):
    path = make_abf1(
        tmp_path / "a.abf",
        np.zeros(4 * 256, "<i2"),
        names=["a", "b"],
        units=["pA", "pA"],
        synch=[(i * 1000, 256) for i in range(4)],
        enable=[1, 1],
        source=[1, 1],
        kind=[1] + [0] * 9 + [1],
        level=[-5.0] + [0.0] * 9 + [8.0],
        duration=[20] + [0] * 9 + [20],
        alternate=1,
    )
    first, second = (channel.command.window(0.0005, 0.001)[:, 0].tolist() for channel in read(path).channels)
    assert first == [-5.0, 0.0, -5.0, 0.0]
    assert second == [0.0, 8.0, 0.0, 8.0]


def test_a_level_may_stay_until_the_next_sweep(tmp_path, make_recording, patch_abf2):
    recording = make_recording(np.ones((3, 640)))
    write_abf(tmp_path / "s.abf", recording, epochs=[[AbfEpoch("step", 100, -50.0, delta_level=5.0)]], holding=[-70.0])
    patch_abf2(tmp_path / "s.abf", 108, at=44, layout="h", values=[1])
    command = read(tmp_path / "s.abf").channels[0].command
    assert command.window(0.0, 0.0001)[:, 0].tolist() == [-70.0, -50.0, -45.0]
    assert [command.sweep(i)[-1] for i in range(3)] == [-50.0, -45.0, -40.0]
    theirs = pyabf.ABF(str(tmp_path / "s.abf"))
    for sweep in range(3):
        theirs.setSweep(sweep)
        assert command.sweep(sweep).tolist() == theirs.sweepC.tolist()


@pytest.mark.parametrize(
    ("section", "at", "value", "word"),
    [(108, 42, 2, "stimulus file"), (108, 60, 1, "conditioning"), (156, 4, 6, "kind"), (108, 42, 9, "kind")],
)
def test_a_command_that_is_not_known_is_none_with_a_note(
    tmp_path, make_recording, patch_abf2, section, at, value, word
):
    path = tmp_path / "x.abf"
    write_abf(path, make_recording(np.ones((2, 640))), epochs=[[AbfEpoch("step", 100, -50.0)]])
    recording = read(patch_abf2(path, section, at=at, layout="h", values=[value]))
    assert recording.channels[0].command is None
    assert recording.channels[0].command_unit == ""
    assert any(word in note for note in recording.notes)


# ------------------------------------------------------------------------------------------------ windows


@pytest.fixture(scope="module")
def regular(tmp_path_factory, make_recording):
    samples = np.random.default_rng(8).normal(-50.0, 10.0, size=(2, 7, 300))
    path = tmp_path_factory.mktemp("abf") / "regular.abf"
    write_abf(path, make_recording(*samples))
    return read(path), samples


def test_windows_are_the_samples_of_their_time(regular):
    recording, samples = regular
    for channel, expected in zip(recording.channels, samples, strict=True):
        # Half a step of the 16-bit range that the largest value fills.
        half_step = np.abs(expected).max() / 32767 / 2 * 1.001
        assert np.abs(channel.trace.window(0.0, 0.03) - expected).max() <= half_step
        some = channel.trace.window(0.011, 0.019, [4, 0, 4])
        assert np.abs(some - expected[[4, 0, 4], 110:190]).max() <= half_step
        at = np.array([0.01, np.nan, 0.0123])
        rows = channel.trace.aligned(at, -0.002, 0.001, [1, 2, 3])
        assert np.abs(rows[2] - expected[3, 103:133]).max() <= half_step
        assert np.isnan(rows[1]).all()


def test_a_window_is_a_copy(regular):
    trace = regular[0].channels[0].trace
    before = trace.window(0.0, 0.01)
    before[:] = 0.0
    assert (trace.window(0.0, 0.01) != 0.0).any()


def test_a_recording_pickles_as_where_its_samples_are(regular):
    recording, _ = regular
    recording.channels[0].trace.window(0.0, 0.001)
    pickled = pickle.dumps(recording)
    assert len(pickled) < 20_000  # the samples alone are 8,400 bytes; a float64 copy of them would be 33,600
    back = pickle.loads(pickled)  # noqa: S301
    assert np.array_equal(back.channels[1].trace.sweep(3), recording.channels[1].trace.sweep(3))


def test_bulk_loading_gives_the_same_samples(regular, make_recording):
    recording, samples = regular
    for channel, sweeps in zip(recording.channels, load_samples(recording), strict=True):
        for i, values in enumerate(sweeps):
            assert values == pytest.approx(channel.trace.sweep(i), rel=1e-6)  # single precision
    assert load_samples(make_recording(samples[0]))[0][2] == pytest.approx(samples[0, 2], rel=1e-6)


# ------------------------------------------------------------------------------------------------ bad input


@pytest.fixture
def whole(tmp_path, make_recording):
    path = tmp_path / "whole.abf"
    write_abf(path, make_recording(np.random.default_rng(2).normal(size=(4, 5000))))
    return path


def refusal(path):
    with pytest.raises(FileFormatError) as caught:
        read(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_no_file_and_no_recording(tmp_path):
    assert refusal(tmp_path / "none.abf").startswith("there is no file")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "empty.abf").touch()
    assert "is empty" in refusal(tmp_path / "empty.abf")
    (tmp_path / "._cell.abf").write_bytes(b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X")
    assert "use cell.abf" in refusal(tmp_path / "._cell.abf")
    (tmp_path / "pointer.abf").write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n")
    assert "git lfs pull" in refusal(tmp_path / "pointer.abf")
    (tmp_path / "text.abf").write_bytes(b"time,current\n0,1\n")
    assert "ABF or NWB" in refusal(tmp_path / "text.abf")


def test_permission_denied(whole, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.open", refuse)
    assert "may not be opened" in refusal(whole)


def test_a_truncated_file_says_how_many_samples_are_missing(whole):
    raw = whole.read_bytes()
    block, _, n_samples = struct.unpack_from("<IIq", raw, 236)
    assert n_samples == 20_000
    whole.write_bytes(raw[: block * 512 + 2 * 19_000])
    assert "1000 of 20000 samples are missing" in refusal(whole)
    whole.write_bytes(raw[: block * 512 + 2 * 20_000])
    assert "sweep times lie beyond its end" in refusal(whole)
    whole.write_bytes(raw[:300])
    assert "truncated" in refusal(whole)


def test_a_truncated_abf1_file(tmp_path, make_abf1):
    path = make_abf1(tmp_path / "one.abf", np.zeros(1000, "<i2"), synch=[(0, 500), (900, 500)])
    raw = path.read_bytes()
    path.write_bytes(raw[: 12 * 512 + 1500])
    assert "250 of 1000 samples are missing" in refusal(path)
    path.write_bytes(raw[:3000])
    assert "truncated" in refusal(path)
    path.write_bytes(raw[: 12 * 512 + 2000])
    assert "sweep times lie beyond its end" in refusal(path)


def test_two_sampling_rates_are_refused(tmp_path, make_abf1):
    path = make_abf1(tmp_path / "c.abf", np.zeros(100, "<i2"), second_sample_us=100.0, clock_change=50)
    assert "two rates" in refusal(path)


@pytest.mark.parametrize("fill", [0x00, 0xFF, 0x7F])
@pytest.mark.parametrize("what", ["abf1", "abf2"])
def test_a_damaged_header_is_an_error_or_a_recording(tmp_path, whole, make_abf1, what, fill, rng):
    path = whole if what == "abf2" else make_abf1(tmp_path / "one.abf", np.zeros(1000, "<i2"), synch=[(0, 1000)])
    raw = path.read_bytes()
    n_read = 0
    for _ in range(60):
        broken = bytearray(raw)
        at = int(rng.integers(4, 1024 if what == "abf2" else 2600))
        broken[at : at + 4] = bytes([fill]) * 4
        path.write_bytes(broken)
        try:
            recording = read(path)
        except FileFormatError:
            continue
        n_read += 1
        assert recording.channels[0].trace.sweep(0).size
    assert n_read  # much of a header is not needed


def test_a_reader_of_ones_own(tmp_path, make_recording):
    path = tmp_path / "mine.dat"
    path.write_bytes(b"MINE and mine alone")
    mine = Reader("mine", (".dat",), lambda opening: opening.startswith(b"MINE"), "json:dumps")
    with pytest.raises(TypeError, match="not JSON serializable"):  # the function named is called with the path
        read(path, readers=(*READERS, mine))


def test_contents_decide_and_not_the_name(whole):
    renamed = whole.rename(whole.with_suffix(".nwb"))
    assert read(renamed).source.format == "ABF2"


def test_importing_io_loads_no_reader():
    code = "import sys, ephysplast.io; print(sorted({'pyabf', 'h5py', 'pynwb', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
