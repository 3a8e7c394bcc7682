"""Writing NWB: read back by us, by pynwb, and judged by the validator and the inspector."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ephysplast.errors import EphysplastError
from ephysplast.io import read, write_nwb
from ephysplast.io.nwb import read_nwb, read_nwb_metadata
from ephysplast.io.nwb_subject import iso_age, latin_species
from ephysplast.recording import ArrayTrace, Channel, DigitalOutput, Recording, Session, Source, Tag

pynwb = pytest.importorskip("pynwb")

START = datetime(2024, 5, 17, 9, 30, 12, 345_000, tzinfo=timezone(timedelta(hours=2)))
ADC_STEP_PA = 0.30517578125
METADATA = {
    "animal": "M12",
    "slice": "3",
    "cell": "2",
    "age": "P21",
    "sex": "female",
    "species": "mouse",
    "region": "CA1",
    "layer": "stratum pyramidale",
    "pre_type": "CA3 pyramidal cell",
    "post_type": "CA1 pyramidal cell",
    "internal": "K-gluconate",
    "external": "ACSF, 2.5 mM Ca²⁺",
    "temperature": "32 °C",
    "experimenter": "Ada B. Lovelace; Curie, Marie",
    "institution": "An Institute",
    "lab": "A Lab",
    "keywords": "LTP, paired recording",
    "condition": "control",
    "drug": "50 µM D-AP5",
    "rig": "left",
}


def channel_of(samples, *, name="IN 0", unit="pA", clamp="voltage", rate=1e4, command=None, command_unit="", **more):
    trace = ArrayTrace(samples, rate)
    command = None if command is None else ArrayTrace(command, rate)
    return Channel(name=name, unit=unit, clamp=clamp, trace=trace, command=command, command_unit=command_unit, **more)


def recording_of(*channels, starts=None, **more):
    lengths = np.array([channel.trace.lengths for channel in channels]).min(axis=0)
    starts = np.arange(len(lengths)) * 10.0 if starts is None else np.asarray(starts, dtype=np.float64)
    source = Source(path=Path("memory"), format="memory", reader="tests")
    more = {"started_at": START} | more
    return Recording(
        channels=channels,
        rate_hz=channels[0].trace.rate_hz,
        sweep_start_s=starts,
        sweep_lengths=lengths,
        source=source,
        **more,
    )


@pytest.fixture(scope="module")
def full():
    """Return a recording that uses every field: two electrodes, monitor, temperature, tags, digital output."""
    rng = np.random.default_rng(7)
    lengths = [400, 400, 300, 500]
    current = [np.rint(rng.normal(-100.0, 8.0, n) / ADC_STEP_PA) * ADC_STEP_PA for n in lengths]
    potential = [rng.normal(-65.0, 0.4, n) for n in lengths]
    steps = [np.where(np.arange(n) < 100, -70.0, -75.0) for n in lengths]
    pulses = [np.where(np.arange(n) < 50, 0.0, 25.0 * i) for i, n in enumerate(lengths)]
    return recording_of(
        channel_of(current, name="post/I:1", electrode="post", command=steps, command_unit="mV"),
        channel_of([row + 3.0 for row in steps], name="post V", unit="mV", clamp="unknown", electrode="post"),
        channel_of(
            potential, name="pre", unit="mV", clamp="current", electrode="pre", command=pulses, command_unit="pA"
        ),
        channel_of([row * 0.1 for row in potential], name="fEPSP", unit="mV", clamp="field", electrode="pipette 3"),
        channel_of([np.full(n, 32.5) for n in lengths], name="bath", unit="°C", clamp="unknown", electrode="bath"),
        starts=[0.0, 10.003, 25.5, 900.25],  # a pause, and no regularity
        protocol="paired pulse 20 Hz",
        comment="leaky at the end\nAt V_hold −70 mV",
        tags=(
            Tag(time_s=30.125, comment="+D-AP5 (50 µM) <b>", sweep=2),
            Tag(time_s=901.0, comment="wash", sweep=3),
        ),
        digital_outputs=(
            DigitalOutput(
                name="digital 0",
                onsets_s=(np.array([0.01, 0.02]), np.array([0.01]), np.array([]), np.array([0.0301])),
            ),
        ),
    )


@pytest.fixture(scope="module")
def written(full, tmp_path_factory):
    return write_nwb(tmp_path_factory.mktemp("nwb") / "cell.nwb", full, metadata=METADATA)


def assert_same_samples(ours, truth):
    assert ours.lengths.tolist() == truth.lengths.tolist()
    for sweep in range(truth.n_sweeps):
        # float32 holds 24 bits, so a relative error of at most 2⁻²⁴ ≈ 6e-8; steps of a converter come back to the
        # rounding of float64.
        np.testing.assert_allclose(ours.sweep(sweep), truth.sweep(sweep), rtol=6.1e-8, atol=1e-12)


# Back by us ------------------------------------------------------------------------------------------------------


def test_everything_comes_back(written, full):
    back = read(written)
    assert back.started_at == START
    assert back.sweep_start_s == pytest.approx(full.sweep_start_s, abs=1e-12)
    assert back.sweep_lengths.tolist() == full.sweep_lengths.tolist()
    assert back.rate_hz == full.rate_hz
    assert (back.protocol, back.comment, back.notes) == (full.protocol, full.comment, ())
    assert [(tag.comment, tag.sweep) for tag in back.tags] == [(tag.comment, tag.sweep) for tag in full.tags]
    # Times of tags are kept to the nanosecond.
    assert [tag.time_s for tag in back.tags] == pytest.approx([tag.time_s for tag in full.tags], abs=1e-9)
    for ours, truth in zip(back.channels, full.channels, strict=True):
        assert (ours.name, ours.unit, ours.clamp) == (truth.name, truth.unit, truth.clamp)
        assert (ours.electrode, ours.command_unit, ours.doubt) == (truth.electrode, truth.command_unit, "")
        assert_same_samples(ours.trace, truth.trace)
        assert (ours.command is None) == (truth.command is None)
        if truth.command is not None:
            assert_same_samples(ours.command, truth.command)
    (line,), (truth,) = back.digital_outputs, full.digital_outputs
    assert line.name == truth.name
    for ours, onsets in zip(line.onsets_s, truth.onsets_s, strict=True):
        assert ours == pytest.approx(onsets, abs=1e-9)


def test_metadata_come_back_word_for_word(written):
    assert read_nwb_metadata(written) == METADATA


def test_steps_of_a_converter_are_kept_as_integers(tmp_path):
    codes = np.random.default_rng(3).integers(-32767, 32767, (3, 5000))
    for kind, tolerance in (
        (np.float64, 1e-8),  # of a step: rounding of float64 over 65535 of them
        (np.float32, 5e-3),  # of a step: rounding of float32, which the true step does not have
    ):
        path = write_nwb(tmp_path / "a.nwb", recording_of(channel_of((codes * ADC_STEP_PA + 1.7).astype(kind))))
        with h5py.File(path) as file:
            assert {group["data"].dtype for group in file["acquisition"].values()} == {np.dtype("i2")}
        trace = read_nwb(path).channels[0].trace
        for sweep in range(3):
            assert trace.sweep(sweep) == pytest.approx(codes[sweep] * ADC_STEP_PA + 1.7, abs=tolerance * ADC_STEP_PA)


def test_a_wide_or_unsteady_range_is_not_rounded(tmp_path):
    wide = np.array([[0.0, 1.0, 70_000.0, 3.5]])
    broken = np.array([[-70.0, np.nan, np.inf, -69.0]])
    constant = np.full((1, 4), -70.0123456789)
    for samples in (wide, broken):
        path = write_nwb(tmp_path / "a.nwb", recording_of(channel_of(samples, unit="mV", clamp="current")))
        np.testing.assert_allclose(read_nwb(path).channels[0].trace.sweep(0), samples[0], rtol=6.1e-8)
    path = write_nwb(tmp_path / "a.nwb", recording_of(channel_of(constant, unit="mV", clamp="current")))
    assert read_nwb(path).channels[0].trace.sweep(0) == pytest.approx(constant[0], rel=1e-14)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)


@settings(max_examples=15, deadline=None, phases=(Phase.explicit, Phase.generate))  # shrinking would write for minutes
@given(data=st.data())
def test_whatever_is_written_is_read(tmp_path_factory, data):
    n_sweeps = data.draw(st.integers(1, 4))
    lengths = data.draw(st.lists(st.integers(1, 40), min_size=n_sweeps, max_size=n_sweeps))
    names = data.draw(st.lists(text, min_size=1, max_size=3, unique=True))
    scale = 10.0 ** data.draw(st.integers(-3, 4))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    gaps = np.array(data.draw(st.lists(st.floats(0.01, 1e4), min_size=n_sweeps, max_size=n_sweeps)))
    starts = np.concatenate(([0.0], np.cumsum(gaps[:-1])))
    comments = data.draw(st.lists(text, max_size=3, unique=True))
    recording = recording_of(
        *(channel_of([rng.normal(0.0, scale, n) for n in lengths], name=name, electrode=name) for name in names),
        starts=starts,
        started_at=data.draw(st.none() | st.just(START)),
        tags=tuple(Tag(time_s=float(place), comment=said, sweep=0) for place, said in enumerate(comments)),
    )
    back = read_nwb(write_nwb(tmp_path_factory.mktemp("any") / "cell.nwb", recording))
    assert [channel.name for channel in back.channels] == names
    assert back.started_at == recording.started_at
    assert back.sweep_start_s == pytest.approx(starts, abs=1e-9)
    assert [tag.comment for tag in back.tags] == comments
    for ours, truth in zip(back.channels, recording.channels, strict=True):
        assert_same_samples(ours.trace, truth.trace)


def test_a_real_abf_recording_survives(recordings, tmp_path):
    truth = read(recordings / "A_tag_at_3min_memtest.abf")
    back = read(write_nwb(tmp_path / "a.nwb", truth))
    assert back.sweep_start_s == pytest.approx(truth.sweep_start_s, abs=1e-6)
    assert [(tag.comment, tag.sweep) for tag in back.tags] == [("+drug at 3min", 36)]
    (ours,), (channel,) = back.channels, truth.channels
    assert (ours.name, ours.unit, ours.clamp, ours.doubt) == (channel.name, channel.unit, channel.clamp, "")
    whole = channel.trace.window(0.0, 0.1)
    # The converter's steps come back, but for the rounding of the float32 in which ABF keeps its gains.
    step = np.diff(np.unique(whole)).min()
    np.testing.assert_allclose(ours.trace.window(0.0, 0.1), whole, atol=0.01 * step)
    np.testing.assert_allclose(ours.command.window(0.0, 0.1), channel.command.window(0.0, 0.1), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:AnnotationSeries is deprecated")
def test_tags_where_pynwb_knows_no_tables_of_events(full, tmp_path, monkeypatch):
    monkeypatch.delattr(pynwb.NWBFile, "create_events_table", raising=False)
    back = read_nwb(write_nwb(tmp_path / "a.nwb", full))
    assert [tag.comment for tag in back.tags] == [tag.comment for tag in full.tags]
    assert [tag.time_s for tag in back.tags] == pytest.approx([tag.time_s for tag in full.tags], abs=1e-9)


def test_a_file_can_be_read_and_written_in_place(tmp_path):
    path = write_nwb(tmp_path / "a.nwb", recording_of(channel_of(np.arange(20.0).reshape(2, 10))))
    assert write_nwb(path, read_nwb(path), metadata={"cell": "5"}) == path
    assert read_nwb(path).channels[0].trace.window(0.0, 1e-3).tolist() == np.arange(20.0).reshape(2, 10).tolist()
    assert read_nwb_metadata(path) == {"cell": "5"}


# Several recordings ----------------------------------------------------------------------------------------------


def test_phases_with_a_pause_between_files(tmp_path):
    before = recording_of(channel_of(np.zeros((3, 50))), protocol="EPSC")
    after = replace(before, started_at=START + timedelta(minutes=12))
    back = read_nwb(write_nwb(tmp_path / "a.nwb", [before, after], phases=["baseline", "post"]))
    assert back.sweep_start_s == pytest.approx([0, 10, 20, 720, 730, 740])
    assert back.notes == ("conditions by sweeps: 1-3: baseline; 4-6: post",)
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "r") as io:
        conditions = io.read().icephys_experimental_conditions
        assert list(conditions["phase"][:]) == ["baseline", "post"]


def test_a_session_comes_back_as_one(tmp_path):
    potentials = channel_of(np.full((2, 60), -65.0), unit="mV", clamp="current")
    first = recording_of(channel_of(np.zeros((3, 50))), protocol="EPSC", starts=[0.0, 20.0, 40.0], started_at=None)
    second = recording_of(potentials, protocol="steps", starts=[10.0, 30.0], started_at=None)
    session = Session(recordings=(first, second), source=first.source)
    back = read_nwb(write_nwb(tmp_path / "a.nwb", session))
    for ours, truth in zip(back.recordings, session.recordings, strict=True):
        assert (ours.protocol, ours.started_at) == (truth.protocol, None)
        assert ours.sweep_start_s.tolist() == truth.sweep_start_s.tolist()
        assert ours.channels[0].unit == truth.channels[0].unit


def test_a_clock_that_does_not_begin_at_zero_keeps_its_true_times(tmp_path):
    recording = recording_of(
        channel_of(np.zeros((2, 50))), starts=[3.25, 9.5], tags=(Tag(time_s=5.0, comment="x", sweep=0),)
    )
    back = read_nwb(write_nwb(tmp_path / "a.nwb", recording))
    assert back.started_at == START + timedelta(seconds=3.25)
    assert back.sweep_start_s == pytest.approx([0.0, 6.25])
    assert back.tags[0].time_s == pytest.approx(1.75)


def test_a_date_without_time_zone_is_taken_as_utc(tmp_path):
    naive = datetime(2024, 1, 2, 3, 4, 5)
    path = write_nwb(tmp_path / "a.nwb", recording_of(channel_of(np.zeros((1, 50))), started_at=naive))
    assert read_nwb(path).started_at == naive.replace(tzinfo=UTC)


# What cannot be written ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recordings", "options", "sentence"),
    [
        ((), {}, "nothing to write"),
        ((1,), {"phases": ["a", "b"]}, "2 phases. Wanted: 1"),
        ((1, None), {}, "1 of 2 without a date"),
        ((None, None), {}, "sweeps overlap"),
    ],
)
def test_refusals(tmp_path, recordings, options, sentence):
    made = [
        recording_of(channel_of(np.zeros((2, 50))), started_at=None if each is None else START) for each in recordings
    ]
    with pytest.raises(EphysplastError, match=sentence):
        write_nwb(tmp_path / "a.nwb", made, **options)
    assert not list(tmp_path.iterdir())


def test_no_folder(tmp_path):
    with pytest.raises(EphysplastError, match="no folder"):
        write_nwb(tmp_path / "x" / "a.nwb", recording_of(channel_of(np.zeros((1, 50)))))


def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.nwb"
    path.write_bytes(b"older")
    monkeypatch.setattr(pynwb.NWBHDF5IO, "write", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_nwb(path, recording_of(channel_of(np.zeros((1, 50)))))
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


# By others -------------------------------------------------------------------------------------------------------


def test_pynwb_reads_the_same(written, full):
    with pynwb.NWBHDF5IO(str(written), "r") as io:
        file = io.read()
        assert file.session_start_time == START
        assert (file.subject.subject_id, file.subject.age, file.subject.sex) == ("M12", "P21D", "F")
        assert file.subject.species == "Mus musculus"
        assert tuple(file.experimenter) == ("Lovelace, Ada B.", "Curie, Marie")
        assert (file.institution, file.lab, file.pharmacology) == ("An Institute", "A Lab", "50 µM D-AP5")
        assert list(file.keywords[:]) == ["LTP", "paired recording"]
        post = file.icephys_electrodes["post"]
        assert (post.location, post.slice, post.cell_id) == ("CA1", "3", "2 post")
        sequence = file.icephys_sequential_recordings
        assert list(sequence["stimulus_type"][:]) == ["paired pulse 20 Hz"]
        assert len(file.icephys_simultaneous_recordings) == full.n_sweeps
        assert len(file.icephys_repetitions) == len(file.icephys_experimental_conditions) == 1
        table = file.intracellular_recordings
        assert list(table["channel"][:]) == [channel.name for channel in full.channels] * full.n_sweeps
        kinds = ["VoltageClampSeries", "PatchClampSeries", "CurrentClampSeries", "PatchClampSeries", "TimeSeries"]
        for row in range(len(table)):
            sweep, place = divmod(row, len(full.channels))
            channel = full.channels[place]
            response = table["responses"]["response"][row].timeseries
            stimulus = table["stimuli"]["stimulus"][row]
            assert response.neurodata_type == kinds[place]
            assert response.starting_time == pytest.approx(full.sweep_start_s[sweep], abs=1e-12)
            assert response.rate == 1e4
            assert_pynwb_series(response, channel.trace.sweep(sweep))
            if channel.command is None:
                assert stimulus.timeseries is None
            else:
                assert stimulus.timeseries.neurodata_type == kinds[place].replace("Series", "StimulusSeries")
                assert_pynwb_series(stimulus.timeseries, channel.command.sweep(sweep))


def assert_pynwb_series(series, truth):
    factor = {"volts": 1e3, "amperes": 1e12, "°C": 1.0}[series.unit]
    values = (np.asarray(series.data[:], dtype=np.float64) * series.conversion + series.offset) * factor
    np.testing.assert_allclose(values, truth, rtol=1e-7)  # float32 and one more product


@pytest.mark.parametrize("metadata", [METADATA, {}], ids=["all metadata", "no metadata"])
def test_validator_and_inspector_have_nothing_to_say(full, tmp_path, metadata):
    nwbinspector = pytest.importorskip("nwbinspector")
    path = write_nwb(
        tmp_path / "cell.nwb",
        [full, replace(full, protocol="", started_at=START + timedelta(hours=1))],
        metadata=metadata,
        phases=["baseline", "post"],
    )
    assert not pynwb.validate(path=str(path))
    grave = (nwbinspector.Importance.BEST_PRACTICE_SUGGESTION, nwbinspector.Importance.BEST_PRACTICE_VIOLATION)
    said = [
        each
        for each in nwbinspector.inspect_nwbfile(nwbfile_path=str(path))
        if each.importance.value > grave[0].value or metadata  # with all metadata not even a suggestion
    ]
    assert not said


def every_dataset(path):
    """Return all datasets and attributes, without the ids that pynwb draws at random."""
    found = {}

    def look(name, thing):
        found[name] = {
            key: value.tolist() if isinstance(value, np.ndarray) else value
            for key, value in thing.attrs.items()
            if key != "object_id" and not isinstance(value, h5py.Reference)
        }
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind != "O":
            found[name]["samples"] = np.array(thing.id.get_storage_size()), thing[()].tobytes()
        elif isinstance(thing, h5py.Dataset):
            values = np.ravel(thing[()])
            found[name]["values"] = [str(each) for each in values if not isinstance(each, h5py.Reference)]

    with h5py.File(path) as file:
        file.visititems(look)
    return found


def test_two_writes_are_equal(full, tmp_path):
    first, second = (every_dataset(write_nwb(tmp_path / f"{n}.nwb", full, metadata=METADATA)) for n in "ab")
    assert first.keys() == second.keys()
    for name in first:
        if "responses/response" not in name and "stimuli/stimulus" not in name:  # whose bytes are references
            assert first[name] == second[name], name
    assert "identifier" in first
    other = every_dataset(write_nwb(tmp_path / "c.nwb", full))
    assert other["identifier"] != first["identifier"]


# Words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("age", "iso"),
    [
        ("P21", "P21D"),
        ("p14-p21", "P14D/P21D"),
        ("P14-21", "P14D/P21D"),
        ("21 d", "P21D"),
        ("3 weeks", "P3W"),
        ("5–7 weeks", "P5W/P7W"),
        ("2 months", "P2M"),
        ("61 years", "P61Y"),
        ("P90Y/", "P90Y/"),
        ("P1Y2M", "P1Y2M"),
        ("21", "P0D/"),  # of what, is not said
        ("adult", "P0D/"),
        ("", "P0D/"),
    ],
)
def test_ages(age, iso):
    assert iso_age(age) == iso


def test_species_that_are_not_known_are_not_guessed():
    assert latin_species("Rat") == "Rattus norvegicus"
    assert latin_species("axolotl").endswith("NCBITaxon_131567")
