"""Reading NWB: against pynwb on real recordings, and on files put together field by field with h5py."""

import pickle
import warnings
from datetime import UTC, datetime, timedelta

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import FileFormatError
from ephysplast.experiment import select_sweeps
from ephysplast.io import read
from ephysplast.io.nwb import read_nwb, read_nwb_metadata
from ephysplast.recording import Recording, Session

TEXT = h5py.string_dtype()
REFERENCE = np.dtype([("idx_start", "<i4"), ("count", "<i4"), ("timeseries", h5py.ref_dtype)])
ICEPHYS = "general/intracellular_ephys"


# A small writer of our own: nothing of pynwb, so that odd files can be made --------------------------------------


def begin(path, version="2.5.0", **strings):
    file = h5py.File(path, "w")
    file.attrs["nwb_version"] = version
    for folder in ("acquisition", "stimulus/presentation", ICEPHYS):
        file.create_group(folder)
    defaults = {"session_description": "slice 3", "session_start_time": "2021-03-04T10:00:00+01:00"}
    for name, value in (defaults | strings).items():
        file[name] = value
    return file


def electrode(file, name):
    path = f"{ICEPHYS}/{name}"
    if path not in file:
        file.create_group(path).attrs["neurodata_type"] = "IntracellularElectrode"
    return h5py.SoftLink(f"/{path}")


def series(file, name, data, *, kind="VoltageClampSeries", on="elec0", start=0.0, rate=1e4, unit=None, **attributes):
    folder = "stimulus/presentation" if "Stimulus" in kind else "acquisition"
    group = file.create_group(f"{folder}/{name}")
    group.attrs["neurodata_type"] = kind
    data = group.create_dataset("data", data=data)
    data.attrs["conversion"] = attributes.pop("conversion", 1.0)
    if "offset" in attributes:
        data.attrs["offset"] = attributes.pop("offset")
    if unit is not None:
        data.attrs["unit"] = unit
    if start is not None:
        group["starting_time"] = start
        group["starting_time"].attrs["rate"] = rate
    if on:
        group["electrode"] = electrode(file, on)
    group.attrs.update(attributes)
    return group


def table(file, name, **columns):
    group = file.create_group(f"{ICEPHYS}/{name}")
    group.attrs["colnames"] = np.array(list(columns), dtype=TEXT)
    for column, values in columns.items():
        group[column] = values
    return group


def recordings_table(file, rows):
    """Give the first icephys table its rows: (response, first, count[, stimulus])."""
    top = table(file, "intracellular_recordings")
    cells = {"responses/response": [], "stimuli/stimulus": []}
    for response, first, count, *stimulus in rows:
        cells["responses/response"].append((first, count, response.ref))
        cells["stimuli/stimulus"].append((first, count, stimulus[0].ref) if stimulus else (-1, -1, response.ref))
    for name, values in cells.items():
        top[name] = np.array(values, dtype=REFERENCE)
    return top


def ragged(groups):
    return np.concatenate(groups), np.cumsum([len(each) for each in groups]).astype("u1")


def one_series(path, **details):
    with begin(path) as file:
        series(file, "a", details.pop("data", np.arange(100.0)), **details)
    return read_nwb(path)


# Against pynwb on real recordings --------------------------------------------------------------------------------

REAL = (
    "D_NWB_full_hierarchy_99111002.nwb",
    "G_NWB2.0b_ramp_2ch.nwb",
    "G_NWB2.2_MIES.nwb",
    "chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb",
    "patchview_190604s1c7r1_s3_8ch_ic.nwb",
)


def by_pynwb(path):
    """Return every response by electrode and start, in mV or pA, and every stimulus."""
    pynwb = pytest.importorskip("pynwb")
    found = ({}, {})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the age of the files
        with pynwb.NWBHDF5IO(str(path), "r") as io:
            file = io.read()
            for place, folder in enumerate((file.acquisition, file.stimulus)):
                for each in folder.values():
                    factor = 1e3 if each.unit.lower().startswith("v") else 1e12
                    values = np.asarray(each.data[:], dtype=np.float64) * each.conversion + each.offset
                    found[place][each.electrode.name, float(np.ravel(each.starting_time)[0])] = values * factor
            session_start = file.session_start_time
    return *found, session_start


@pytest.mark.parametrize("name", REAL)
def test_samples_are_those_that_pynwb_reads(recordings, name):
    responses, stimuli, session_start = by_pynwb(recordings / name)
    (recording,) = read(recordings / name).recordings
    first_s = min(start for _, start in responses)
    assert recording.started_at == session_start + timedelta(seconds=first_s)
    compared = 0
    for channel in recording.channels:
        for sweep, start in enumerate(recording.sweep_start_s):
            # The clock begins with the first sweep; starts are whole ms here.
            key = next(k for k in responses if k[0] == channel.electrode and abs(k[1] - first_s - start) < 1e-6)
            truth = responses[key]
            ours = channel.trace.sweep(sweep)
            if channel.doubt:
                # pynwb takes the unit from the type of the series, we take what the file has written.
                truth = truth * (1e12 / 1e3)
            # The same product of the same numbers, in another order: the last bits of float64.
            np.testing.assert_allclose(ours, truth, rtol=1e-12, atol=1e-12)
            compared += 1
            if channel.command is not None and key in stimuli:
                np.testing.assert_allclose(channel.command.sweep(sweep), stimuli[key], rtol=1e-12, atol=1e-12)
    assert compared == len(responses)


def test_steps_ascend_in_the_order_of_the_tables_and_not_of_the_names(recordings):
    recording = read_nwb(recordings / "D_NWB_full_hierarchy_99111002.nwb")
    commands = np.array([recording.channels[0].command.sweep(sweep) for sweep in range(16)])
    steps = commands[np.arange(16), np.abs(commands).argmax(axis=1)]
    # −2 to +1 nA by 0.2 (the file keeps them as float32 numbers of nA).
    assert steps == pytest.approx(np.arange(-2000.0, 1001.0, 200.0), abs=1e-3)
    assert recording.protocol == "Step"


def test_conditions_can_be_chosen_by_sweeps(recordings):
    recording = read_nwb(recordings / "chamberland2014_MF-CA3_1.2to2.5mMCa_5at50Hz.nwb")
    assert recording.n_sweeps == 40
    (said,) = [note for note in recording.notes if "1-20" in note]
    assert "1.2 mM; 21-40:" in said
    low, high = (select_sweeps(text, recording) for text in ("1-20", "21-40"))
    trace = recording.channels[0].trace
    magnitudes = []
    for sweeps in (low, high):
        mean = trace.window(0.0, 0.036, sweeps).mean(axis=0)
        # 2–12 ms after the first of the five stimuli, against the ms before it.
        magnitudes.append(mean[150:158].mean() - mean[180:280].min())
    # Published group means of the first response are 68 and 243 pA: this cell's must at least double.
    assert 20.0 < magnitudes[0] < 150.0
    assert magnitudes[1] > 2.0 * magnitudes[0]


def test_the_eighth_cell_shows_only_crosstalk(recordings):
    recording = read_nwb(recordings / "patchview_190604s1c7r1_s3_8ch_ic.nwb")
    assert recording.n_sweeps == 7
    assert [channel.electrode for channel in recording.channels] == [f"elec{i}" for i in range(1, 9)]
    assert all(channel.clamp == "current" and channel.command is None for channel in recording.channels)
    spikes = recording.channel("elec7").trace.window(0.0, 0.7).max(axis=1)
    assert (spikes > 0.0).all()  # the stimulated cell fires in every sweep


def test_a_potential_stored_as_amperes_is_doubted_and_can_be_put_right(recordings):
    recording = read_nwb(recordings / "G_NWB2.0b_ramp_2ch.nwb")
    right, wrong = recording.channels
    assert not right.doubt
    # The file gives the current's command to the wrong electrode; a current is not the command of a current.
    assert right.command_unit == "pA"
    assert wrong.command is None
    assert "unit=mV" in wrong.doubt
    assert "scale=1" in wrong.doubt
    mended = wrong.corrected(unit="mV", clamp="current", scale=1.0)
    assert mended.require("current").trace.window(0.0, 1e-4).tolist() == wrong.trace.window(0.0, 1e-4).tolist()


def test_sweep_times_that_the_file_calls_placeholders_are_noted(recordings):
    for name in REAL[3:]:
        assert any("placeholders" in note for note in read_nwb(recordings / name).notes)


def test_metadata_of_a_foreign_file(recordings):
    found = read_nwb_metadata(recordings / REAL[0])
    assert found["species"] == "Rattus norvegicus"
    assert found["experimenter"] == "Alex Thomson; Audrey Mercer; Hannelore Pawelzik"
    assert "age" not in found  # "NA" is no age


# Units, conversion, time -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "kept", "factor"),
    [
        ("amperes", "pA", 1e12),
        ("A", "pA", 1e12),
        (b"Amperes", "pA", 1e12),
        (np.array(["ampere"], dtype=TEXT), "pA", 1e12),
        (np.bytes_("A"), "pA", 1e12),
        ("pA", "pA", 1.0),
        ("Volts", "mV", 1e3),
        ("mV", "mV", 1.0),
        (None, "pA", 1e12),  # as the schema has it for voltage clamp
    ],
)
def test_unit_words(tmp_path, unit, kept, factor):
    channel = one_series(tmp_path / "a.nwb", unit=unit, data=np.full(50, 2.0)).channels[0]
    assert channel.unit == kept
    assert channel.trace.sweep(0) == pytest.approx(np.full(50, 2.0 * factor))


def test_integers_are_converted_and_offset_and_never_multiplied_by_the_gain(tmp_path):
    raw = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16)
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        group = series(file, "a", raw, unit="amperes", conversion=np.array([0.5e-12]), offset=3e-12)
        group["gain"] = 20.0
    assert read_nwb(path).channels[0].trace.sweep(0) == pytest.approx(raw * 0.5 + 3.0)


def test_channel_conversion_and_a_column_of_samples(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        group = series(file, "a", np.arange(8.0).reshape(8, 1), unit="A", conversion=1e-12)
        group["channel_conversion"] = [2.0]
    assert read_nwb(path).channels[0].trace.window(2e-4, 5e-4).tolist() == [[4.0, 6.0, 8.0]]


def test_time_stamps_are_taken_when_regular(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "a", np.arange(1000.0), start=None)["timestamps"] = 5.0 + np.arange(1000) / 20_000.0
    recording = read_nwb(path)
    assert recording.rate_hz == pytest.approx(20_000.0)
    assert recording.started_at == datetime(2021, 3, 4, 9, 0, 5, tzinfo=UTC)


def test_irregular_time_stamps_are_refused(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "a", np.arange(4.0), start=None)["timestamps"] = [0.0, 0.1, 0.2, 0.5]
    with pytest.raises(FileFormatError, match="not sampled regularly"):
        read_nwb(path)


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_window_is_a_slice_of_the_sweep(tmp_path_factory, data):
    lengths = data.draw(st.lists(st.integers(20, 60), min_size=1, max_size=4))
    chunk = data.draw(st.integers(1, 70))
    path = tmp_path_factory.mktemp("windows") / "a.nwb"
    rows = [np.arange(n, dtype=np.int16) + 100 * place for place, n in enumerate(lengths)]
    with begin(path) as file:
        for place, row in enumerate(rows):
            group = series(file, f"s{place}", row, start=float(place), unit="pA", conversion=2.0, offset=1.0)
            del group["data"]
            again = group.create_dataset("data", data=row, chunks=(min(chunk, len(row)),), compression="gzip")
            again.attrs.update({"unit": "pA", "conversion": 2.0, "offset": 1.0})
    trace = read_nwb(path).channels[0].trace
    first = data.draw(st.integers(0, 10))
    stop = data.draw(st.integers(first + 1, 20))
    expected = [row[first:stop] * 2.0 + 1.0 for row in rows]
    assert np.array_equal(trace.window(first / 1e4, stop / 1e4), expected)
    assert np.array_equal(trace.window(first / 1e4, stop / 1e4, [len(rows) - 1]), expected[-1:])


# Which series belong together ------------------------------------------------------------------------------------


def test_tables_say_which_sweeps_and_in_which_order(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        names = ("z", "m", "a")
        made = [
            [series(file, f"{n}{e}", np.full(100, i + 10.0 * e), on=f"e{e}", start=5.0 * i, unit="pA") for e in (0, 1)]
            for i, n in enumerate(names)
        ]
        recordings_table(file, [(each, 0, 100) for pair in made for each in pair])
        values, index = ragged([[0, 1], [2, 3], [4, 5]])
        table(file, "simultaneous_recordings", recordings=values, recordings_index=index)
    recording = read_nwb(path)
    assert [channel.name for channel in recording.channels] == ["e0", "e1"]
    assert recording.channels[1].trace.window(0.0, 1e-4).ravel().tolist() == [10.0, 11.0, 12.0]
    assert recording.sweep_start_s.tolist() == [0.0, 5.0, 10.0]


def test_sweeps_listed_out_of_time_are_put_in_order_and_said_so(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        made = [
            series(file, f"s{i}", np.full(10, float(at)), start=float(at), unit="pA") for i, at in enumerate((9, 3))
        ]
        recordings_table(file, [(each, 0, 10) for each in made])
        table(file, "simultaneous_recordings", recordings=[0, 1], recordings_index=np.array([1, 2], dtype="u1"))
    recording = read_nwb(path)
    assert recording.channels[0].trace.window(0.0, 1e-4).ravel().tolist() == [3.0, 9.0]
    assert recording.sweep_start_s.tolist() == [0.0, 6.0]
    assert any("another order" in note for note in recording.notes)


def test_a_long_series_is_cut_as_the_tables_say(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        whole = series(file, "whole", np.arange(1000.0), start=2.0, unit="pA")
        recordings_table(file, [(whole, 100, 50), (whole, 600, 70)])
    recording = read_nwb(path)
    assert recording.sweep_lengths.tolist() == [50, 70]
    assert recording.sweep_start_s == pytest.approx([0.0, 0.05])
    assert recording.channels[0].trace.sweep(1).tolist() == list(range(600, 670))
    assert recording.started_at == datetime(2021, 3, 4, 9, 0, 2, 10_000, tzinfo=UTC)


def test_sweep_table_of_older_files(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path, "2.2.0") as file:
        made = [
            series(file, f"s{n}_{e}", np.full(10, 10.0 * n + e), on=f"e{e}", start=0.0, unit="pA")
            for n in (0, 1, 2)
            for e in (0, 1)
        ]
        # As pynwb once wrote it: one row per sweep, its series ragged; here sweep 2 comes first in the file's table.
        rows = [made[4:], made[:2], made[2:4]]
        table(
            file,
            "sweep_table",
            series=np.array([each.ref for row in rows for each in row], dtype=h5py.ref_dtype),
            series_index=np.array([2, 4, 6], dtype="u1"),
            sweep_number=np.array([2, 0, 1], dtype="u8"),
        )
    recording = read_nwb(path)
    assert recording.channels[1].trace.window(0.0, 1e-4).ravel().tolist() == [1.0, 11.0, 21.0]
    # All series start at 0: ten samples at 10 kHz each, one after another.
    assert recording.sweep_start_s == pytest.approx([0.0, 1e-3, 2e-3])
    assert any("end to end" in note for note in recording.notes)


@pytest.mark.parametrize("as_dataset", [False, True])
def test_sweep_numbers_of_the_series(tmp_path, as_dataset):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for name, sweep in (("a", 7), ("b", 3), ("c", 5)):
            group = series(file, name, np.full(10, float(sweep)), start=0.0, unit="pA")
            if as_dataset:
                group["sweep_number"] = sweep
            else:
                group.attrs["sweep_number"] = np.uint64(sweep)
    recording = read_nwb(path)
    assert recording.channels[0].trace.window(0.0, 1e-4).ravel().tolist() == [3.0, 5.0, 7.0]


def test_without_tables_and_numbers_starting_times_tell(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep, start in ((0, 20.0), (1, 10.0), (2, 30.0)):
            for e in (0, 1):
                series(file, f"s{sweep}_{e}", np.full(10, start), on=f"e{e}", start=start, unit="pA")
    recording = read_nwb(path)
    assert len(recording.channels) == 2
    assert recording.channels[1].trace.window(0.0, 1e-4).ravel().tolist() == [10.0, 20.0, 30.0]
    assert recording.sweep_start_s.tolist() == [0.0, 10.0, 20.0]


def test_without_times_names_tell_in_their_natural_order(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep in (1, 2, 10, 11):
            series(file, f"sweep_{sweep}", np.full(10, float(sweep)), start=0.0, unit="pA")
    recording = read_nwb(path)
    assert recording.channels[0].trace.window(0.0, 1e-4).ravel().tolist() == [1.0, 2.0, 10.0, 11.0]


def test_sweeps_of_different_protocols_are_recordings_on_one_clock(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep in range(6):
            protocol = "test pulse" if sweep % 3 == 0 else "paired pulse"
            start = 100.0 + 10.0 * sweep
            series(file, f"s{sweep}", np.zeros(10), start=start, unit="pA", stimulus_description=protocol)
        notes = series(file, "notes", ["+drug"], kind="AnnotationSeries", on="", start=None)
        notes["timestamps"] = [125.0]
    session = read_nwb(path)
    assert isinstance(session, Session)
    assert [each.protocol for each in session.recordings] == ["test pulse", "paired pulse"]
    assert [each.sweep_start_s.tolist() for each in session.recordings] == [[0.0, 30.0], [10.0, 20.0, 40.0, 50.0]]
    assert {each.started_at for each in session.recordings} == {datetime(2021, 3, 4, 9, 1, 40, tzinfo=UTC)}
    assert [(each.tags[0].time_s, each.tags[0].sweep) for each in session.recordings] == [(25.0, 0), (25.0, 1)]


def test_rates_and_clamps_part_recordings_and_lengths_do_not(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "a", np.zeros(10), start=0.0, unit="pA")
        series(file, "b", np.zeros(30), start=1.0, unit="pA")
        series(file, "c", np.zeros(10), start=2.0, unit="pA", rate=2e4)
        series(file, "d", np.zeros(10), start=3.0, unit="mV", kind="CurrentClampSeries")
        series(file, "e", np.zeros(10), start=4.0, unit="V", kind="IZeroClampSeries")
    first, second, third = read_nwb(path).recordings
    assert first.sweep_lengths.tolist() == [10, 30]
    assert (second.rate_hz, second.channels[0].clamp) == (2e4, "voltage")
    assert (third.n_sweeps, third.channels[0].clamp) == (2, "current")


# Commands --------------------------------------------------------------------------------------------------------


def test_a_command_goes_with_its_electrode(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for e in (0, 1):
            series(file, f"r{e}", np.zeros(10), on=f"e{e}", unit="A", sweep_number=0)
        for e in (1, 0):
            kind = "VoltageClampStimulusSeries"
            series(file, f"q{1 - e}", np.full(10, e - 70e-3), on=f"e{e}", unit="V", kind=kind, sweep_number=0)
    recording = read_nwb(path)
    for e, channel in enumerate(recording.channels):
        assert channel.command_unit == "mV"
        assert channel.command.sweep(0) == pytest.approx(np.full(10, 1e3 * e - 70.0))


def test_an_electrode_may_be_linked_in_any_way(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        group = series(file, "r", np.zeros(10), on="e7", unit="A")
        del group["electrode"]
        group["electrode"] = file[f"{ICEPHYS}/e7"]  # a hard link
    assert read_nwb(path).channels[0].electrode == "e7"


def test_a_command_without_electrode_goes_by_its_name(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "data_00001_AD0", np.zeros(10), unit="V", kind="CurrentClampSeries")
        kind = "CurrentClampStimulusSeries"
        series(file, "data_00001_DA0", np.full(10, 5.0), on="", unit="pA", kind=kind)
    assert read_nwb(path).channels[0].command.sweep(0).tolist() == [5.0] * 10


def test_a_command_that_begins_before_its_sweep_is_aligned(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        response = series(file, "r", np.zeros(100), start=1.0, unit="pA")
        stimulus = series(file, "q", np.arange(200.0), start=0.995, unit="mV", kind="VoltageClampStimulusSeries")
        top = recordings_table(file, [(response, 0, 100)])
        del top["stimuli/stimulus"]
        top["stimuli/stimulus"] = np.array([(0, 200, stimulus.ref)], dtype=REFERENCE)
        table(file, "simultaneous_recordings", recordings=[0], recordings_index=np.array([1], dtype="u1"))
    # 5 ms at 10 kHz before the response begins.
    assert read_nwb(path).channels[0].command.window(0.0, 2e-4).tolist() == [[50.0, 51.0]]


def test_a_command_in_some_sweeps_only_is_left_out_and_said_so(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep in (0, 1):
            series(file, f"r{sweep}", np.zeros(10), start=float(sweep), unit="pA")
        series(file, "q0", np.zeros(10), start=0.0, unit="mV", kind="VoltageClampStimulusSeries")
    recording = read_nwb(path)
    assert recording.channels[0].command is None
    assert any("1 of 2 sweeps" in note for note in recording.notes)


def test_a_command_shared_by_all_sweeps_is_read_once(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep in range(3):
            series(file, f"r{sweep}", np.zeros(10), start=float(sweep), unit="pA")
            group = series(
                file, f"q{sweep}", np.arange(10.0), start=float(sweep), unit="mV", kind="VoltageClampStimulusSeries"
            )
            if sweep:
                del group["data"]
                group["data"] = h5py.SoftLink("/stimulus/presentation/q0/data")
    channel = read_nwb(path).channels[0]
    assert channel.command.same_every_sweep
    assert not channel.trace.same_every_sweep
    assert channel.command.window(1e-4, 3e-4).tolist() == [[1.0, 2.0]] * 3


def test_the_clamp_of_a_bare_patch_clamp_series_is_told_by_its_command(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "r0", np.full(10, -70e-3), kind="PatchClampSeries", on="e0", unit="V")
        series(file, "q0", np.zeros(10), kind="CurrentClampStimulusSeries", on="e0", unit="A")
        series(file, "r1", np.full(10, -70e-3), kind="PatchClampSeries", on="e1", unit="V")
    assert [channel.clamp for channel in read_nwb(path).channels] == ["current", "unknown"]


# Doubt, tags, comments -------------------------------------------------------------------------------------------


def test_millivolts_stored_as_amperes_are_doubted(tmp_path):
    channel = one_series(tmp_path / "a.nwb", unit="amperes", data=np.linspace(-70.0, 20.0, 500)).channels[0]
    assert "no cell has" in channel.doubt
    assert "-70 to 20" in channel.doubt
    scale = float(channel.doubt.rsplit("scale=", 1)[1])
    mended = channel.corrected(unit="mV", clamp="current", scale=scale)
    # The scale is written with six digits.
    assert mended.trace.sweep(0) == pytest.approx(np.linspace(-70.0, 20.0, 500), rel=1e-5)


def test_tags_from_annotations_events_and_intervals(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        for sweep in range(3):
            series(file, f"s{sweep}", np.zeros(10), start=10.0 * sweep, unit="pA")
        series(file, "a", [b"+CNQX", b"wash"], kind="AnnotationSeries", on="", start=None)["timestamps"] = [12.0, 25.0]
        file["events/marks/timestamp"] = [3.0]
        file["events/marks/annotation"] = np.array(["seal lost"], dtype=TEXT)
        file["intervals/epochs/start_time"] = [1.0, 2.0]
        file["intervals/epochs/label"] = np.array(["bath exchanged", ""], dtype=TEXT)
        file["intervals/mies/start_time"] = [4.0]
        file["intervals/mies/label"] = np.array(["Epoch=0;Type=Pulse Train"], dtype=TEXT)
        file["intervals/mies/treelevel"] = [0.0]
    tags = read_nwb(path).tags
    assert [(tag.time_s, tag.comment, tag.sweep) for tag in tags] == [
        (1.0, "bath exchanged", 0),
        (3.0, "seal lost", 0),
        (12.0, "+CNQX", 1),
        (25.0, "wash", 2),
    ]


def test_comments_of_the_file_are_kept_without_placeholders(tmp_path):
    path = tmp_path / "a.nwb"
    more = {"general/experiment_description": "PLACEHOLDER", "general/notes": "cell 2 was leaky"}
    with begin(path, **more) as file:
        series(file, "s", np.zeros(10), unit="pA")
    assert read_nwb(path).comment == "slice 3\ncell 2 was leaky"


def test_an_unreadable_date_is_no_date(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path, session_start_time="yesterday") as file:
        series(file, "s", np.zeros(10), unit="pA")
    recording = read_nwb(path)
    assert recording.started_at is None
    assert any("'yesterday'" in note for note in recording.notes)


def test_auxiliary_series_are_named_and_not_read(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "s", np.zeros(10), unit="pA")
        series(file, "bath temperature", np.zeros(10), kind="TimeSeries", on="", unit="C")
    recording = read_nwb(path)
    assert len(recording.channels) == 1
    assert any("bath temperature" in note for note in recording.notes)


# Handles and processes -------------------------------------------------------------------------------------------


def test_nothing_stays_open_and_traces_pickle_by_path(tmp_path):
    path = tmp_path / "a.nwb"
    recording = one_series(path, unit="pA")
    assert isinstance(recording, Recording)
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301 - our own bytes
    assert len(pickle.dumps(recording.channels[0].trace)) < 2000
    assert again.channels[0].trace.sweep(0).tolist() == list(range(100))
    with h5py.File(path, "r+") as file:  # HDF5 refuses this while anybody in the process reads
        file["acquisition/a/data"][0] = 42.0
    assert recording.channels[0].trace.window(0.0, 1e-4).tolist() == [[42.0]]
    path.unlink()
    with pytest.raises(FileFormatError, match="there is no file"):
        recording.channels[0].trace.sweep(0)


# What is not NWB 2 -----------------------------------------------------------------------------------------------


def test_missing_file(tmp_path):
    with pytest.raises(FileFormatError, match=r"there is no file .*cell\.nwb"):
        read_nwb(tmp_path / "cell.nwb")


def test_not_hdf5(tmp_path):
    path = tmp_path / "a.nwb"
    path.write_text("version https://example.org\n")
    with pytest.raises(FileFormatError, match="not an HDF5 file"):
        read_nwb(path)


def test_hdf5_that_is_not_nwb(tmp_path):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file["x"] = 1.0
    with pytest.raises(FileFormatError, match="HDF5, yet not NWB"):
        read_nwb(path)


@pytest.mark.parametrize("version", ["NWB-1.0.6", "1.0.5_beta"])
def test_nwb_1(tmp_path, version):
    path = tmp_path / "a.nwb"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = version
        file.create_group("acquisition/timeseries")
    with pytest.raises(FileFormatError, match="old NWB 1 format"):
        read_nwb(path)


def test_nwb_without_intracellular_series(tmp_path):
    path = tmp_path / "a.nwb"
    with begin(path) as file:
        series(file, "lfp", np.zeros((10, 4)), kind="ElectricalSeries", on="", unit="volts")
    with pytest.raises(FileFormatError, match="no intracellular recording"):
        read_nwb(path)


def test_cut_short_at_any_place(recordings, tmp_path):
    whole = (recordings / REAL[0]).read_bytes()
    path = tmp_path / "a.nwb"
    for share in (0.001, 0.1, 0.5, 0.9, 0.9999):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FileFormatError, match=r"cut short. Got: \d+ bytes. Wanted: \d+ bytes"):
            read_nwb(path)


def test_damage_is_a_sentence_and_never_a_crash(tmp_path, rng):
    path = tmp_path / "a.nwb"
    one_series(path, unit="pA")
    whole = path.read_bytes()
    failed = 0
    for start in rng.integers(96, len(whole) - 32, 60):
        path.write_bytes(whole[:start] + bytes(32) + whole[start + 32 :])
        try:
            for each in read_nwb(path).recordings:
                each.channels[0].trace.sweep(0)
        except FileFormatError:
            failed += 1
    assert failed  # else the damage reached nothing
