"""Damaged files: whatever bytes are missing or wrong, a clear error or a recording that can be looked through."""

import shutil
import sys
import tracemalloc
from multiprocessing import get_context
from pathlib import Path

import h5py
import numpy as np
import pytest

from ephysplast.errors import EphysplastError
from ephysplast.io import read

_LARGEST_BYTES = 200_000_000  # 300 times the largest of the files: nothing may be allocated on a header's word alone
_WORDS = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", bytes(4), b"\0\0\x80\x7f", b"\0\0\xc0\x7f", b"\0\0\0\x80")
"""−1, the largest integer, zero, infinity, not a number, the smallest integer."""


def damaged(whole, rng, header_bytes):
    """Cut a file anywhere, mostly early, or change a few bytes of its header."""
    if rng.random() < 0.25:
        return whole[: int(len(whole) * rng.random() ** 3)]
    raw = bytearray(whole)
    for _ in range(int(rng.choice([1, 1, 2, 4, 8]))):
        at = int(rng.integers(min(header_bytes, len(raw) - 4)))
        if rng.random() < 0.6:
            raw[at] = rng.integers(256)
        else:
            raw[at & ~1 : (at & ~1) + 4] = _WORDS[rng.integers(len(_WORDS))]
    return bytes(raw)


def look_through(recording):
    assert recording.rate_hz > 0.0
    assert np.isfinite(recording.sweep_start_s).all()
    assert len(recording.sweep_lengths) == recording.n_sweeps >= 1
    for channel in recording.channels:
        for trace in filter(None, (channel.trace, channel.command)):
            for sweep in {0, recording.n_sweeps - 1}:
                stop_s = min(int(trace.lengths[sweep]), 2000) / trace.rate_hz
                assert trace.window(0.0, stop_s, [sweep]).size
    assert all(np.isfinite(tag.time_s) for tag in recording.tags)


def read_damaged(whole, path, seeds, header_bytes):
    refusals = []
    for seed in seeds:
        path.write_bytes(damaged(whole, np.random.default_rng(seed), header_bytes))
        tracemalloc.start()
        try:
            for recording in read(path).recordings:
                look_through(recording)
        except EphysplastError as error:
            refusals.append(str(error))
        finally:
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        assert peak < _LARGEST_BYTES, seed
    assert not [each for each in refusals if "\n" in each]
    assert 0 < len(refusals) < len(seeds)  # else the damage is too great or too small to test anything


@pytest.fixture
def abf1(make_abf1, tmp_path):
    samples = np.arange(8000, dtype=np.int16)
    entries = [(i * 9000, 2000) for i in range(4)]
    return make_abf1(tmp_path / "whole.abf", samples, synch=entries, tags=[(100, b"+drug")]).read_bytes()


@pytest.mark.parametrize("n", [80, pytest.param(3000, marks=pytest.mark.slow)])
def test_damaged_abf1(abf1, tmp_path, n):
    read_damaged(abf1, tmp_path / "damaged.abf", range(n), 6144)


@pytest.mark.parametrize("n", [80, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["few_sweeps/all.abf", "two_pathways_no_change/baseline.abf"])
def test_damaged_abf2(sample_data, tmp_path, name, n):
    read_damaged((sample_data / name).read_bytes(), tmp_path / "damaged.abf", range(n), 8192)


@pytest.mark.skipif(sys.platform == "win32", reason="processes are forked, which Windows cannot")
# A few of ten thousand damaged files send the HDF5 library itself into a loop: these seeds are known not to.
@pytest.mark.parametrize("n", [30, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_nwb(sample_data, tmp_path, n):
    whole = (sample_data / "rundown" / "post.nwb").read_bytes()
    reader = get_context("fork").Process(target=read_damaged, args=(whole, tmp_path / "damaged.nwb", range(n), 60_000))
    reader.start()
    reader.join(240)  # a loop inside the library can only be ended from outside
    looped = reader.is_alive()
    reader.kill()
    assert not looped, "the HDF5 library loops on a damaged file"
    assert reader.exitcode == 0


def test_a_tag_section_before_the_file_is_damage(make_abf1, tmp_path):
    path = make_abf1(tmp_path / "a.abf", np.zeros(100, dtype=np.int16), tag_block=-5)
    raw = bytearray(path.read_bytes())
    raw[44:48] = (-5).to_bytes(4, "little", signed=True)
    path.write_bytes(raw)
    with pytest.raises(EphysplastError, match="damaged header"):
        read(path)


@pytest.mark.parametrize("name", ["x" * 300 + ".abf", "nul\0.abf"])
def test_names_that_no_file_can_have(tmp_path, name):
    with pytest.raises(EphysplastError, match="cannot be opened"):
        read(tmp_path / name)


@pytest.mark.parametrize(("damage", "words"), [("group", "has no samples"), ("time", "impossible time")])
def test_nwb_series_that_are_none(sample_data, tmp_path, damage, words):
    path = Path(shutil.copy(sample_data / "rundown" / "post.nwb", tmp_path / "a.nwb"))
    with h5py.File(path, "r+") as file:
        series = next(each for each in file["acquisition"].values() if "data" in each)
        if damage == "group":
            del series["data"]
            series.create_group("data")
        else:
            series["starting_time"][()] = 1e300
    with pytest.raises(EphysplastError, match=words):
        read(path)
