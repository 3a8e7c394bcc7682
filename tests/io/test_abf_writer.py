"""What is written is what we, pyABF and neo read back; commands are those that pyABF draws."""

import struct
from datetime import datetime, timedelta

import numpy as np
import pyabf
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ephysplast.errors import EphysplastError
from ephysplast.io import AbfEpoch, epoch_waveform, read, write_abf
from ephysplast.io.abf_commands import EPOCH_CODES
from ephysplast.recording import Tag

RATES_HZ = (1_000.0, 10_000.0, 20_000.0, 50_000.0)
FEW = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

# Text as Western European Windows can write it, which these files hold.
texts = st.text(st.characters(codec="cp1252", exclude_categories=["C", "Z"]), min_size=1, max_size=20)


def half_step(samples: np.ndarray) -> float:
    # Half a step of 1/32767 of the largest value; the gain is kept in single precision (6e-8).
    return float(np.abs(samples).max()) / 32767.0 / 2.0 * 1.01


@st.composite
def recordings_to_write(draw, make):
    n_channels, n_sweeps = draw(st.integers(1, 3)), draw(st.integers(1, 4))
    n_samples = draw(st.integers(1, 200))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    scale = 10.0 ** draw(st.integers(-3, 5))
    units = draw(st.lists(st.sampled_from(["pA", "mV", "V", "mmHg", "°C"]), min_size=n_channels, max_size=n_channels))
    names = draw(st.lists(texts, min_size=n_channels, max_size=n_channels, unique=True))
    gaps = draw(st.lists(st.integers(1, 10**7), min_size=n_sweeps, max_size=n_sweeps))  # of 10 µs
    starts = np.concatenate([[0], np.cumsum(gaps)[:-1]]) / 1e5
    tags = draw(st.lists(st.tuples(st.integers(-1000, 10**8), texts), max_size=3))
    tagged = tuple(
        Tag(time_s=at / 1e5, comment=text, sweep=int(np.searchsorted(starts, at / 1e5, side="right")) - 1)
        for at, text in sorted(tags)
    )
    seconds = draw(st.none() | st.integers(0, 10**9))
    return make(
        *(rng.normal(size=(n_channels, n_sweeps, n_samples)) * scale),
        rate_hz=draw(st.sampled_from(RATES_HZ)),
        names=names,
        units=units,
        starts_s=starts,
        tags=tagged,
        started_at=None if seconds is None else datetime(1995, 1, 1) + timedelta(milliseconds=seconds * 1000 + 7),
        protocol=draw(st.just("") | st.just("LTP v2.1")),
        comment=draw(st.just("") | texts),
    )


@FEW
@given(data=st.data())
def test_everything_comes_back(tmp_path, make_recording, data):
    written = data.draw(recordings_to_write(make_recording))
    write_abf(tmp_path / "r.abf", written)
    back = read(tmp_path / "r.abf")
    assert back.rate_hz == pytest.approx(written.rate_hz, rel=1e-7)  # a single-precision interval
    assert back.sweep_start_s.tolist() == pytest.approx(written.sweep_start_s.tolist(), abs=1e-9)
    assert back.sweep_lengths.tolist() == written.sweep_lengths.tolist()
    assert back.started_at == written.started_at
    assert (back.protocol, back.comment) == (written.protocol, written.comment)
    assert [(tag.comment, tag.sweep) for tag in back.tags] == [(tag.comment, tag.sweep) for tag in written.tags]
    assert [tag.time_s for tag in back.tags] == pytest.approx([tag.time_s for tag in written.tags], abs=1e-9)
    for ours, theirs in zip(back.channels, written.channels, strict=True):
        assert (ours.name, ours.unit) == (theirs.name, theirs.unit)
        for sweep in range(written.n_sweeps):
            expected = theirs.trace.sweep(sweep)
            everything = np.concatenate([theirs.trace.sweep(i) for i in range(written.n_sweeps)])
            assert np.abs(ours.trace.sweep(sweep) - expected).max() <= half_step(everything)


@FEW
@given(data=st.data())
def test_what_was_read_is_written_to_the_same_bytes(tmp_path, make_recording, data):
    recording = data.draw(recordings_to_write(make_recording))
    epochs = [[AbfEpoch("step", 1, -65.0, digital=2, delta_level=0.5), AbfEpoch("ramp", 2, 10.0, delta_samples=1)]]
    write_abf(tmp_path / "first.abf", recording, epochs=epochs, holding=[-70.0])
    write_abf(tmp_path / "again.abf", recording, epochs=epochs, holding=[-70.0])
    first = (tmp_path / "first.abf").read_bytes()
    assert (tmp_path / "again.abf").read_bytes() == first
    write_abf(tmp_path / "second.abf", read(tmp_path / "first.abf"))
    assert (tmp_path / "second.abf").read_bytes() == first


# --------------------------------------------------------------------------------------------- read by others


@pytest.fixture
def paired(make_recording, rng):
    """Two cells, twelve sweeps one after the other, tags in between."""
    samples = rng.normal(size=(2, 12, 2000)) * 20.0 + np.array([-250.0, -64.0])[:, None, None]
    starts = np.arange(12) * 0.1
    return make_recording(
        *samples,
        rate_hz=20_000.0,
        names=["cell 1", "cell 2"],
        units=["pA", "mV"],
        starts_s=starts,
        tags=(Tag(time_s=0.25, comment="+drug", sweep=2), Tag(time_s=1.1, comment="wash", sweep=11)),
        started_at=datetime(2024, 5, 31, 14, 3, 2, 125_000),
        protocol="pairing",
        comment="slice 2, cell 3",
    )


def test_pyabf_reads_it(tmp_path, paired):
    path = tmp_path / "paired.abf"
    write_abf(path, paired, holding=[-70.0, 25.0])
    theirs = pyabf.ABF(str(path))
    assert (theirs.adcNames, theirs.adcUnits) == (["cell 1", "cell 2"], ["pA", "mV"])
    assert theirs.dacUnits == ["mV", "pA"]
    assert list(theirs.holdingCommand) == [-70.0, 25.0]
    assert (theirs.dataRate, theirs.sweepCount, theirs.sweepPointCount) == (20_000, 12, 2000)
    assert theirs.abfDateTime == paired.started_at
    assert (theirs.protocol, theirs.abfFileComment) == ("pairing", "slice 2, cell 3")
    assert (theirs.tagTimesSec, theirs.tagComments) == ([0.25, 1.1], ["+drug", "wash"])
    assert theirs.tagSweeps == pytest.approx([2.5, 11.0])
    for i, channel in enumerate(paired.channels):
        expected = channel.trace.window(0.0, 0.1)
        # pyABF scales in single precision.
        assert np.abs(theirs.data[i].reshape(12, 2000) - expected).max() <= half_step(expected) + 1e-6 * 400


def test_neo_reads_it(tmp_path, paired, make_recording):
    from neo.io import AxonIO

    starts = np.array([0.0, 10.0, 31.5])
    samples = [channel.trace.window(0.0, 0.1, [0, 1, 2]) for channel in paired.channels]
    path = tmp_path / "paused.abf"
    write_abf(path, make_recording(*samples, rate_hz=20_000.0, units=["pA", "mV"], names=["a", "b"], starts_s=starts))
    segments = AxonIO(str(path)).read_block().segments
    assert len(segments) == 3
    for sweep, segment in enumerate(segments):
        found = {}
        for signal in segment.analogsignals:
            assert float(signal.t_start.rescale("s")) == pytest.approx(starts[sweep])
            assert float(signal.sampling_rate.rescale("Hz")) == pytest.approx(20_000.0)
            names = signal.array_annotations["channel_names"]
            for k, name in enumerate(names):
                found[str(name)] = (str(signal.units.dimensionality), np.asarray(signal.magnitude)[:, k])
        assert {name: unit for name, (unit, _) in found.items()} == {"a": "pA", "b": "mV"}
        for name, expected in zip("ab", samples, strict=True):
            # neo scales in single precision.
            assert np.abs(found[name][1] - expected[sweep]).max() <= half_step(expected) + 1e-6 * 400


def test_sweeps_of_unequal_length_and_gap_free(tmp_path, make_recording, rng):
    unequal = [rng.normal(size=n) for n in (300, 50, 1200)]
    write_abf(tmp_path / "v.abf", make_recording(unequal, starts_s=[0.0, 3.05, 13.3]))
    ours, theirs = read(tmp_path / "v.abf"), pyabf.ABF(str(tmp_path / "v.abf"))
    assert theirs.nOperationMode == 1
    assert ours.sweep_lengths.tolist() == [300, 50, 1200]
    assert ours.sweep_start_s.tolist() == [0.0, 3.05, 13.3]
    for sweep, expected in enumerate(unequal):
        theirs.setSweep(sweep)
        assert len(theirs.sweepY) == len(expected)
        assert np.abs(ours.channels[0].trace.sweep(sweep) - expected).max() <= half_step(np.concatenate(unequal))
    write_abf(tmp_path / "g.abf", make_recording([unequal[2]]))
    assert pyabf.ABF(str(tmp_path / "g.abf")).nOperationMode == 3
    assert read(tmp_path / "g.abf").n_sweeps == 1


# --------------------------------------------------------------------------------------------- commands


@st.composite
def epoch_tables(draw):
    epochs = []
    for _ in range(draw(st.integers(1, 5))):
        period = draw(st.integers(2, 60))
        epochs.append(
            AbfEpoch(
                draw(st.sampled_from(sorted(EPOCH_CODES))),
                draw(st.integers(1, 2)) * draw(st.just(period) | st.integers(1, 150)),
                draw(st.integers(-120, 60)),
                delta_level=draw(st.sampled_from([0.0, 5.0, -2.5])),
                delta_samples=draw(st.sampled_from([0, 3])),
                period_samples=period,
                width_samples=draw(st.integers(1, period - 1)),
                digital=draw(st.integers(0, 255)),
            )
        )
    return epochs


@FEW
@given(first=epoch_tables(), second=epoch_tables(), holding=st.integers(-90, 20))
def test_commands_and_digital_outputs_are_those_of_pyabf(tmp_path, make_recording, first, second, holding):
    from dataclasses import replace

    second = [replace(each, digital=0) for each in second]
    n_samples = 2560  # longer than any five epochs
    path = tmp_path / "e.abf"
    write_abf(
        path,
        make_recording(np.ones((3, n_samples)), np.ones((3, n_samples))),
        epochs=[first, second],
        holding=[holding, 0.0],
    )
    ours, theirs = read(path), pyabf.ABF(str(path))
    lines = {line.name: line.onsets_s for line in ours.digital_outputs}
    for sweep in range(3):
        for i, (epochs, held) in enumerate(((first, holding), (second, 0.0))):
            theirs.setSweep(sweep, i)
            expected = theirs.sweepC
            # pyABF leaves the part of a triangle train that makes no whole period undefined.
            known = np.isfinite(expected)
            # All levels are exact in single precision; doubles in another order of computing.
            for drawn in (epoch_waveform(epochs, held, n_samples, sweep), ours.channels[i].command.sweep(sweep)):
                assert np.abs(drawn - expected)[known].max() <= 1e-9
        theirs.setSweep(sweep, 0)
        for line in range(8):
            rising = np.flatnonzero(np.diff(theirs.sweepD(line)) > 0) + 1
            onsets = lines[f"digital {line}"][sweep] if f"digital {line}" in lines else np.array([])
            assert (onsets * 10_000.0).round().tolist() == rising.tolist()


def test_clampex_holds_the_first_64th():
    # Closed form: 640 samples are held for 10, then the step of 100 begins.
    row = epoch_waveform([AbfEpoch("step", 100, -80.0, delta_level=10.0, delta_samples=5)], -70.0, 640, 2)
    assert np.flatnonzero(row == -60.0).tolist() == list(range(10, 120))
    assert (np.delete(row, range(10, 120)) == -70.0).all()


def test_an_epoch_that_reaches_beyond_the_sweep_is_cut():
    row = epoch_waveform([AbfEpoch("ramp", 10**9, 10.0)], 0.0, 128, 0)
    assert len(row) == 128
    assert row[-1] == pytest.approx(10.0 * 125 / 1e9)


def test_a_command_that_does_not_change_says_so(tmp_path, make_recording):
    path = tmp_path / "c.abf"
    for epoch, same in (
        (AbfEpoch("step", 9, 1.0), True),
        (AbfEpoch("step", 9, 1.0, delta_level=1.0), False),
        (AbfEpoch("step", 9, 1.0, delta_samples=1), False),
    ):
        write_abf(path, make_recording(np.ones((2, 640))), epochs=[[epoch]])
        assert read(path).channels[0].command.same_every_sweep is same


# --------------------------------------------------------------------------------------------- numbers and refusals


def test_the_largest_value_fills_the_range_and_rounding_has_no_bias(tmp_path, make_recording, rng):
    samples = rng.uniform(-80.0, -40.0, size=(1, 40_000))
    write_abf(tmp_path / "b.abf", make_recording(samples))
    raw = (tmp_path / "b.abf").read_bytes()
    block, _, n_samples = struct.unpack_from("<IIq", raw, 236)
    stored = np.frombuffer(raw, "<i2", n_samples, block * 512)
    assert stored.min() == -32767
    error = (read(tmp_path / "b.abf").channels[0].trace.sweep(0) - samples[0]) / (80.0 / 32767)
    # Rounding errors are uniform: their mean has a standard error of 1/√12/√40000 = 0.0014 steps; truncation gives 0.5.
    assert abs(error.mean()) < 0.007


def test_a_silent_channel(tmp_path, make_recording):
    write_abf(tmp_path / "z.abf", make_recording(np.zeros((2, 70))))
    assert not read(tmp_path / "z.abf").channels[0].trace.window(0.0, 0.007).any()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_sample_that_is_no_number_is_refused_and_the_old_file_stays(tmp_path, make_recording, value):
    path = tmp_path / "n.abf"
    path.write_bytes(b"what was there")
    samples = np.ones((2, 70))
    samples[1, 3] = value
    with pytest.raises(EphysplastError, match=r"'IN 0'.*1 samples that are NaN or infinite"):
        write_abf(path, make_recording(samples))
    assert path.read_bytes() == b"what was there"
    assert [each.name for each in tmp_path.iterdir()] == ["n.abf"]


def test_what_cannot_be_written_is_refused(tmp_path, make_recording):
    path = tmp_path / "x.abf"
    one = [AbfEpoch("step", 9, 1.0, digital=1)]
    both = make_recording(np.ones((2, 70)), np.ones((2, 70)))
    with pytest.raises(EphysplastError, match="one command only"):
        write_abf(path, both, epochs=[one, one])
    with pytest.raises(EphysplastError, match="more epoch tables than channels"):
        write_abf(path, make_recording(np.ones((2, 70))), epochs=[one, one])
    with pytest.raises(EphysplastError, match="unequal length"):
        write_abf(path, make_recording([np.ones(70), np.ones(80)]), epochs=[one])
    with pytest.raises(EphysplastError, match="not those of the recording"):
        write_abf(path, make_recording(np.ones((2, 70)), np.ones((2, 71))))
    with pytest.raises(EphysplastError, match="nothing to write"):
        write_abf(path, make_recording(np.ones((2, 0))))
    assert not list(tmp_path.iterdir())


def test_a_recording_of_days_keeps_its_starts(tmp_path, make_recording):
    # 30 h do not fit 2³¹ ticks of 10 µs: the clock becomes coarser, by a factor of 10.
    write_abf(tmp_path / "d.abf", make_recording(np.ones((2, 70)), starts_s=[0.0, 108_000.1234]))
    assert read(tmp_path / "d.abf").sweep_start_s.tolist() == pytest.approx([0.0, 108_000.1234], abs=5e-5)
