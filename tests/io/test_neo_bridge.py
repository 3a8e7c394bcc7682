"""To neo and back, and blocks as neo's own readers make them."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import ChannelError, EphysplastError
from ephysplast.io.neo_bridge import from_neo, to_neo
from ephysplast.recording import ArrayTrace, Channel, DigitalOutput, Recording, Source, Tag

neo = pytest.importorskip("neo")
pq = pytest.importorskip("quantities")

START = datetime(2024, 5, 17, 9, 30)


def recording_of(*channels, starts, **more):
    return Recording(
        channels=channels,
        rate_hz=channels[0].trace.rate_hz,
        sweep_start_s=np.asarray(starts, dtype=np.float64),
        sweep_lengths=channels[0].trace.lengths,
        source=Source(path=Path("cell.abf"), format="ABF2", reader="tests"),
        started_at=START,
        **more,
    )


@pytest.fixture(scope="module")
def full():
    rng = np.random.default_rng(11)
    lengths = (100, 100, 80)
    commands = [np.where(np.arange(n) < 30, 0.0, 50.0) for n in lengths]
    return recording_of(
        Channel(
            name="IN 0",
            unit="mV",
            clamp="current",
            trace=ArrayTrace([rng.normal(-65.0, 1.0, n) for n in lengths], 2e4),
            electrode="e1",
            command=ArrayTrace(commands, 2e4),
            command_unit="pA",
        ),
        Channel(
            name="IN 1",
            unit="pA",
            clamp="voltage",
            trace=ArrayTrace([rng.normal(-100.0, 5.0, n) for n in lengths], 2e4),
            electrode="e2",
        ),
        Channel(name="bath", unit="°C", clamp="unknown", trace=ArrayTrace([np.full(n, 32.0) for n in lengths], 2e4)),
        Channel(name="P", unit="cmH2O?", clamp="unknown", trace=ArrayTrace([np.full(n, 2.0) for n in lengths], 2e4)),
        starts=[0.0, 10.0, 400.5],
        protocol="steps",
        comment="a comment",
        tags=(Tag(time_s=-1.0, comment="seal", sweep=-1), Tag(time_s=200.25, comment="+drug", sweep=1)),
        digital_outputs=(
            DigitalOutput(name="digital 0", onsets_s=(np.array([0.001, 0.002]), np.array([]), np.array([0.0015]))),
        ),
        notes=("a note",),
    )


def test_everything_comes_back(full):
    back = from_neo(to_neo(full))
    for field in ("protocol", "comment", "tags", "started_at", "rate_hz", "notes"):
        assert getattr(back, field) == getattr(full, field), field
    assert back.source.path == full.source.path
    assert back.sweep_start_s.tolist() == full.sweep_start_s.tolist()
    assert back.sweep_lengths.tolist() == full.sweep_lengths.tolist()
    for ours, truth in zip(back.channels, full.channels, strict=True):
        for field in ("name", "unit", "clamp", "electrode", "command_unit"):
            assert getattr(ours, field) == getattr(truth, field), (truth.name, field)
        for sweep in range(3):
            assert np.array_equal(ours.trace.sweep(sweep), truth.trace.sweep(sweep))
            if truth.command is not None:
                assert np.array_equal(ours.command.sweep(sweep), truth.command.sweep(sweep))
    (line,) = back.digital_outputs
    for ours, truth in zip(line.onsets_s, full.digital_outputs[0].onsets_s, strict=True):
        assert ours == pytest.approx(truth, abs=1e-12)  # 400 s and back, in float64


def test_neo_sees_units_and_true_times(full):
    block = to_neo(full)
    assert (block.name, block.rec_datetime, len(block.segments)) == ("steps", START, 3)
    last = block.segments[2]
    signal = next(each for each in last.analogsignals if each.name == "IN 1")
    assert signal.dimensionality == pq.pA.dimensionality
    assert signal.sampling_rate == 2e4 * pq.Hz
    assert signal.t_start == 400.5 * pq.s
    assert signal.shape == (80, 1)
    command = next(each for each in last.analogsignals if each.name == "IN 0 command")
    assert float(command.rescale("nA").max()) == pytest.approx(0.05)
    temperature = next(each for each in last.analogsignals if each.name == "bath")
    assert temperature.dimensionality == pq.degC.dimensionality
    tags = next(each for each in block.segments[1].events if each.name == "tags")
    assert (tags.times.rescale("s").magnitude.tolist(), tags.labels.tolist()) == ([200.25], ["+drug"])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_recording_comes_back(data):
    lengths = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    names = data.draw(st.lists(st.text("ab 1_µ", min_size=1, max_size=4), min_size=1, max_size=3, unique=True))
    starts = np.cumsum(data.draw(st.lists(st.floats(0.01, 1e5), min_size=len(lengths), max_size=len(lengths))))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    rate_hz = data.draw(st.sampled_from([1e3, 10_000.0, 20_000.0, 50_000.0]))
    channels = [
        Channel(
            name=name,
            unit=data.draw(st.sampled_from(["mV", "pA", "V", "mmHg"])),
            clamp=data.draw(st.sampled_from(["current", "voltage", "field", "unknown"])),
            trace=ArrayTrace([rng.normal(0.0, 50.0, n) for n in lengths], rate_hz),
        )
        for name in names
    ]
    truth = recording_of(*channels, starts=starts)
    back = from_neo(to_neo(truth))
    assert back.sweep_start_s.tolist() == starts.tolist()
    assert back.rate_hz == rate_hz
    for ours, channel in zip(back.channels, channels, strict=True):
        # An auxiliary channel in V is a potential to neo, and potentials are kept in mV.
        factor = 1e3 if channel.unit == "V" else 1.0
        assert (ours.name, ours.clamp) == (channel.name, channel.clamp)
        assert ours.unit == ("mV" if channel.unit == "V" else channel.unit)
        for sweep in range(len(lengths)):
            np.testing.assert_allclose(ours.trace.sweep(sweep), channel.trace.sweep(sweep) * factor, rtol=1e-15)


# Blocks that others made -----------------------------------------------------------------------------------------


def block_of(*segments, **fields):
    block = neo.Block(**fields)
    for signals in segments:
        segment = neo.Segment()
        segment.analogsignals.extend(signals)
        block.segments.append(segment)
    return block


def signal(values, units, *, start=0.0, rate=10.0, name="Vm"):
    return neo.AnalogSignal(values, units=units, sampling_rate=rate * pq.kHz, t_start=start * pq.s, name=name)


@pytest.mark.parametrize(
    ("units", "unit", "factor"),
    [
        ("V", "mV", 1e3),
        ("uV", "mV", 1e-3),
        ("nA", "pA", 1e3),
        ("A", "pA", 1e12),
        (pq.CompoundUnit("0.5*mV"), "mV", 0.5),
        (pq.J / pq.C, "mV", 1e3),
        ("mmHg", "mmHg", 1.0),
    ],
)
def test_units(units, unit, factor):
    recording = from_neo(block_of([signal(np.array([[1.0], [3.0]]), units)]))
    channel = recording.channels[0]
    assert channel.unit == unit
    assert channel.trace.sweep(0) == pytest.approx([factor, 3.0 * factor], rel=1e-12)


def test_columns_are_channels_with_their_names():
    made = signal(np.arange(6.0).reshape(3, 2), "mV", name="all")
    made.array_annotate(channel_names=["Vm_A", "Vm_B"])
    channels = from_neo(block_of([made])).channels
    assert [(each.name, each.trace.sweep(0).tolist()) for each in channels] == [
        ("Vm_A", [0.0, 2.0, 4.0]),
        ("Vm_B", [1.0, 3.0, 5.0]),
    ]
    assert [each.name for each in from_neo(block_of([signal(np.zeros((3, 2)), "mV")])).channels] == ["Vm 1", "Vm 2"]


def test_the_clamp_is_guessed_only_where_it_can_be():
    potential, current = signal(np.full((20, 1), -70.0), "mV"), signal(np.full((20, 1), -50.0), "pA", name="Im")
    assert from_neo(block_of([potential])).channels[0].clamp == "current"
    assert from_neo(block_of([current])).channels[0].clamp == "voltage"
    assert [each.clamp for each in from_neo(block_of([potential, current])).channels] == ["unknown", "unknown"]


def test_segments_without_times_are_laid_end_to_end():
    recording = from_neo(block_of(*([signal(np.zeros((50, 1)), "mV")] for _ in range(3))))
    assert recording.sweep_start_s == pytest.approx([0.0, 0.005, 0.01])  # 50 samples at 10 kHz
    assert any("end to end" in note for note in recording.notes)


def test_events_repeated_in_every_segment_are_one_tag():
    block = block_of(*([signal(np.zeros((50, 1)), "mV", start=10.0 * i)] for i in range(3)))
    for segment in block.segments:
        segment.events.append(neo.Event(times=[12_000.0] * pq.ms, labels=["+drug"], name="Tag"))
    assert from_neo(block).tags == (Tag(time_s=12.0, comment="+drug", sweep=1),)


def test_an_impossible_range_is_doubted():
    assert "no cell has" in from_neo(block_of([signal(np.full((20, 1), -7e-8), "mV")])).channels[0].doubt


@pytest.mark.parametrize(
    ("segments", "options", "error", "sentence"),
    [
        ([], {}, EphysplastError, "no analogue signal"),
        ([[]], {}, EphysplastError, "no analogue signal"),
        ([[("Vm", "mV", 10)], [("Im", "mV", 10)]], {}, EphysplastError, "segments of cell.smr differ"),
        ([[("Vm", "mV", 10)], [("Vm", "pA", 10)]], {}, EphysplastError, "no Vm of the first segment's unit"),
        ([[("Vm", "mV", 10), ("Im", "pA", 20)]], {}, EphysplastError, "differ in sampling rate. Got: 10000 Hz, 20000"),
        ([[("Vm", "mV", 10)]], {"channels": ["Vn"]}, ChannelError, "no signal 'Vn'. Wanted: one of Vm"),
    ],
)
def test_refusals(segments, options, error, sentence):
    made = [
        [signal(np.zeros((5, 1)), unit, rate=rate, name=name, start=place) for name, unit, rate in signals]
        for place, signals in enumerate(segments)
    ]
    with pytest.raises(error, match=sentence):
        from_neo(block_of(*made, file_origin="data/cell.smr"), **options)


def test_channels_of_one_rate_can_be_chosen():
    both = [signal(np.zeros((5, 1)), "mV"), signal(np.ones((10, 1)), "pA", rate=20.0, name="Im")]
    recording = from_neo(block_of(both), channels=["Im"], source=Source(path=Path("x"), format="WinWCP", reader="neo"))
    assert [each.name for each in recording.channels] == ["Im"]
    assert recording.rate_hz == 2e4
    assert recording.source.format == "WinWCP"
    assert recording.channels[0].clamp == "voltage"
