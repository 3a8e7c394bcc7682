"""What every reader keeps to, on the sample data: one clock, unique names, windows that are slices, travel by path."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from ephysplast.io import READERS, read

SAMPLES = Path(__file__).resolve().parents[2] / "sample_data"
FILES = sorted(path for path in SAMPLES.rglob("*") if path.suffix in (".abf", ".nwb"))
EACH = pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")


def test_every_reader_has_a_sample_and_is_chosen_by_content(tmp_path):
    for reader in READERS:
        assert any(path.suffix in reader.suffixes for path in FILES), f"no sample for {reader.name}"
    for path in (FILES[0], next(each for each in FILES if each.suffix == ".nwb")):
        disguised = tmp_path / f"{path.stem}.txt"
        disguised.write_bytes(path.read_bytes())
        assert read(disguised).recordings[0].n_sweeps == read(path).recordings[0].n_sweeps


@EACH
def test_times_and_names_are_sound(path):
    for recording in read(path).recordings:
        assert recording.sweep_start_s[0] == 0.0
        assert (np.diff(recording.sweep_start_s) > 0.0).all()
        assert (recording.sweep_lengths > 0).all()
        assert recording.started_at is not None
        names = [each.name for each in recording.channels]
        assert len(set(names)) == len(names)
        for channel in recording.channels:
            assert channel.trace.rate_hz == recording.rate_hz
            np.testing.assert_array_equal(channel.trace.lengths, recording.sweep_lengths)
            assert channel.unit in ("mV", "pA")
            assert not channel.doubt


@EACH
def test_windows_are_slices_of_sweeps_and_survive_a_process(path):
    recording = read(path).recordings[-1]
    again = pickle.loads(pickle.dumps(recording))  # noqa: S301 - our own bytes, as a worker process sends them
    sweep = recording.n_sweeps // 2
    for mine, theirs in zip(recording.channels, again.channels, strict=True):
        for trace, copy in ((mine.trace, theirs.trace), (mine.command, theirs.command)):
            if trace is None:
                continue
            whole = trace.sweep(sweep)
            assert np.isfinite(whole).all()
            first, last = len(whole) // 4, len(whole) // 2
            window = trace.window(first / trace.rate_hz, last / trace.rate_hz, [sweep])[0]
            np.testing.assert_array_equal(window, whole[first:last])
            np.testing.assert_array_equal(copy.sweep(sweep), whole)
            window[:] = 0.0  # a window is a copy: writing to it changes nothing
            np.testing.assert_array_equal(trace.sweep(sweep), whole)
    assert len(pickle.dumps(recording)) < 200_000  # by path, not by samples
