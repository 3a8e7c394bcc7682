"""A file at a glance: what is drawn is in the file, doubt is said, and a large file is not read whole."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import final

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from ephysplast.io import read
from ephysplast.plotting import recording_figure
from ephysplast.plotting.recording import envelope
from ephysplast.plotting.style import RED
from ephysplast.recording import ArrayTrace, Channel, DigitalOutput, Recording, Source, Tag, Trace


@final
class EndlessTrace(Trace):
    """Sweeps too long for any memory: samples are made when they are asked for, and counted."""

    def __init__(self, lengths, rate_hz=50_000.0):
        self.lengths = np.asarray(lengths, dtype=np.int64)
        self.rate_hz = rate_hz
        self.fetched = 0
        self.largest = 0

    def _fetch(self, first, n_samples, sweeps):
        self.fetched += n_samples * len(sweeps)
        self.largest = max(self.largest, n_samples * len(sweeps))
        rows = (first[:, None] + np.arange(n_samples)) / self.lengths[sweeps][:, None]
        return rows.astype(np.float64)


def make_recording(traces, *, commands=None, **others) -> Recording:
    channels = tuple(
        Channel(
            name=f"IN {i}",
            unit="pA",
            clamp="voltage",
            trace=each,
            command=commands[i] if commands else None,
            command_unit="mV" if commands else "",
        )
        for i, each in enumerate(traces)
    )
    n = traces[0].n_sweeps
    made = Recording(
        channels=channels,
        rate_hz=traces[0].rate_hz,
        sweep_start_s=10.0 * np.arange(n),
        sweep_lengths=traces[0].lengths,
        source=Source(path=Path("cell_$1_<x>&y.abf"), format="ABF2", reader="test"),
        started_at=datetime(2024, 5, 6, 7, 8, 9),
    )
    return replace(made, **others)


def words(figure) -> str:
    said = [each.get_text() for each in figure.texts]
    return " ".join(said + [each.get_text() for axes in figure.axes for each in axes.texts])


def sweeps_of(axes) -> list[np.ndarray]:
    return [
        np.asarray(path)
        for each in axes.collections
        if isinstance(each, LineCollection)
        for path in each.get_segments()
    ]


def test_short_sweeps_are_drawn_sample_for_sample(rng):
    rows = rng.normal(size=(3, 50))
    figure = recording_figure(make_recording([ArrayTrace(rows, 1000.0)]))
    drawn = sweeps_of(figure.axes[0])
    for line, row in zip(drawn, rows, strict=True):
        np.testing.assert_allclose(line, np.column_stack([np.arange(50) / 1000.0, row]))


def test_a_spike_of_one_sample_survives_thinning(rng):
    rows = rng.normal(size=(2, 100_000))
    rows[1, 54_321] = 500.0
    figure = recording_figure(make_recording([ArrayTrace(rows, 20_000.0)]))
    second = sweeps_of(figure.axes[0])[1]
    assert len(second) <= 2000
    peak = second[np.argmax(second[:, 1])]
    assert peak[1] == 500.0
    # A point stands anywhere within its stretch, 5 s / 1000 wide.
    assert peak[0] == pytest.approx(54_321 / 20_000.0, abs=0.01)


def test_an_endless_file_is_read_in_part_and_that_is_said():
    trace = EndlessTrace([400_000_000] * 100)
    figure = recording_figure(make_recording([trace]), max_sweeps=10)
    # Eight million samples for a channel, whatever the file holds: 64 MB in all, and never at once.
    assert trace.fetched <= 8_000_000
    assert trace.largest <= 2_000_000
    assert "10 of 100 sweeps are shown" in words(figure)
    assert "0.2 % of the samples" in words(figure)
    line = sweeps_of(figure.axes[0])[0]
    assert line[-1, 0] > 0.99 * 8000.0
    np.testing.assert_allclose(line[:, 1], line[:, 0] / 8000.0, atol=0.01)


def test_the_envelope_reads_no_more_than_it_may():
    trace = EndlessTrace([1_000_000])
    time_s, values = envelope(trace, 0, columns=100, max_samples=10_000)
    assert trace.fetched == 10_000
    assert len(time_s) == len(values) == 200
    assert (np.diff(time_s) > 0).all()


def test_commands_stand_under_their_channels_and_a_constant_one_is_drawn_once(rng):
    rows = rng.normal(size=(4, 30))
    constant = ArrayTrace(np.tile(np.linspace(0, 1, 30), (4, 1)), 1000.0)
    constant.same_every_sweep = True
    varying = ArrayTrace(np.arange(120.0).reshape(4, 30), 1000.0)
    figure = recording_figure(make_recording([ArrayTrace(rows, 1000.0)] * 2, commands=[constant, varying]))
    assert [len(sweeps_of(each)) for each in figure.axes[:4]] == [4, 1, 4, 4]
    heights = [each.get_position().y1 for each in figure.axes[:4]]
    assert heights == sorted(heights, reverse=True)


def test_tags_digital_onsets_and_true_times_are_marked(rng):
    rows = ArrayTrace(rng.normal(size=(5, 1000)), 1000.0)
    start = np.array([0.0, 10.0, 20.0, 620.0, 630.0])
    recording = make_recording(
        [rows],
        sweep_start_s=start,
        tags=(Tag(time_s=615.0, comment="+drug $5 & <b>\n", sweep=2),),
        digital_outputs=(DigitalOutput(name="digital 0", onsets_s=(np.array([0.1, 0.15]),) * 5),),
        notes=("the file's date cannot be true",),
    )
    figure = recording_figure(recording)
    onsets = next(each for each in figure.axes[0].lines if each.get_label() == "digital 0")
    np.testing.assert_allclose(onsets.get_xdata(), [0.1, 0.15])
    clock = figure.axes[-1]
    ticks = next(each for each in clock.lines if each.get_label() == "sweeps")
    np.testing.assert_allclose(ticks.get_xdata() * 60.0, start)
    assert any(np.allclose(each.get_xdata(), 615.0 / 60.0) for each in clock.lines)
    assert r"tag 1 at 615.00 s, sweep 3: +drug \$5 & <b>" in words(figure)
    assert "the file's date cannot be true" in words(figure)


def test_doubt_is_written_in_red(rng):
    recording = make_recording([ArrayTrace(rng.normal(size=(2, 100)), 1000.0)])
    doubted = replace(recording.channels[0], doubt="its numbers run like a membrane potential")
    figure = recording_figure(recording.with_channel(doubted))
    red = " ".join(each.get_text() for each in figure.texts if to_hex(each.get_color()) == RED)
    assert "its numbers run like a membrane potential" in red
    assert to_hex(figure.axes[0].yaxis.label.get_color()) == RED


def test_sweeps_of_different_lengths_and_nan_are_drawn():
    trace = ArrayTrace([np.zeros(10), np.full(1000, np.nan), np.ones(50)], 1000.0)
    figure = recording_figure(make_recording([trace]))
    # Of a path of NaN matplotlib shows nothing.
    assert [len(each) for each in sweeps_of(figure.axes[0])] == [10, 0, 50]
    assert figure.axes[0].get_xlim()[1] == pytest.approx(0.999)


def test_nothing_inside_is_no_failure():
    trace = ArrayTrace(np.empty((0, 0)), 1000.0)
    figure = recording_figure(make_recording([trace]))
    figure.draw_without_rendering()
    recording_figure(replace(make_recording([trace]), channels=())).draw_without_rendering()


@pytest.mark.parametrize("max_sweeps", [0, 1, 3, 1000])
def test_never_more_sweeps_than_asked_and_always_one(rng, max_sweeps):
    figure = recording_figure(make_recording([ArrayTrace(rng.normal(size=(7, 20)), 1000.0)]), max_sweeps=max_sweeps)
    assert len(sweeps_of(figure.axes[0])) == min(max(max_sweeps, 1), 7)


def test_no_word_leaves_the_figure(rng):
    rows = ArrayTrace(rng.normal(size=(3, 100)), 1000.0)
    recording = make_recording(
        [rows] * 3,
        comment="a comment of many words " * 30,
        protocol="C:\\a\\very\\long\\path\\of\\a\\protocol" * 5,
        tags=tuple(Tag(time_s=float(i), comment="what was done " * 15, sweep=0) for i in range(20)),
    )
    name = Path("a_name_$without_any_blank_" * 8 + ".abf")
    recording = replace(recording, source=replace(recording.source, path=name))
    doubted = replace(recording.channels[1], doubt="its unit cannot be true " * 15)
    figure = recording_figure(recording.with_channel(doubted))
    figure.set_dpi(150)
    figure.draw_without_rendering()
    for each in figure.texts:
        box = each.get_window_extent()
        assert box.x0 >= 0, each
        assert box.x1 <= figure.bbox.x1, each
        assert box.y0 >= 0, each
        assert box.y1 <= figure.bbox.y1, each
    assert "… and 8 more tags" in words(figure)
    assert name.name in words(figure).replace(" ", "").replace("\\$", "$")


@pytest.mark.parametrize(
    ("name", "said"),
    [("A_TGOT_tags_abf1.abf", "tag 2 at 294.86 s"), ("G_variable_length_sweeps.abf", "3 sweeps, 1 channel")],
)
def test_real_files_are_drawn(recordings, name, said):
    figure = recording_figure(read(recordings / name).recordings[0])
    figure.draw_without_rendering()
    assert said in words(figure)
