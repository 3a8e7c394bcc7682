"""Errors, units, recordings, and the choice of sweeps."""

import pickle
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
import quantities as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.errors import ChannelError, EphysplastError, ManifestError, WindowError
from ephysplast.experiment import select_sweeps
from ephysplast.recording import ArrayTrace, Channel, Recording, Source, Tag
from ephysplast.units import electrode_unit, strip_unit, to_quantity, unit_of

HEAVY = ("pandas", "matplotlib", "neo", "elephant", "pynwb")


def recording(n_sweeps=10, tags=()):
    samples = np.arange(n_sweeps * 100.0).reshape(n_sweeps, 100)
    channel = Channel(name="IN 0", unit="pA", clamp="voltage", trace=ArrayTrace(samples, 1000.0))
    return Recording(
        channels=(channel,),
        rate_hz=1000.0,
        sweep_start_s=np.arange(n_sweeps) * 10.0,
        sweep_lengths=np.full(n_sweeps, 100),
        source=Source(path=Path("made.abf"), format="memory", reader="test"),
        started_at=datetime(2024, 5, 1, 12, 0),
        tags=tags,
    )


@pytest.mark.parametrize("command", ["import ephysplast", "import ephysplast.cli; ephysplast.cli.app(['--help'])"])
def test_importing_and_help_load_nothing_heavy(command):
    script = f"import sys\ntry:\n    {command}\nexcept SystemExit:\n    pass\n"
    script += f"print([m for m in {HEAVY} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, encoding="utf-8")
    assert out.stdout.strip().splitlines()[-1] == "[]"


def test_an_error_keeps_its_parts_across_processes():
    error = ChannelError("no channel", got="a", wanted="b", remedy="c")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes, as a worker process sends them
    assert type(again) is ChannelError
    assert str(again) == str(error) == "no channel. Got: a. Wanted: b. To do: c."


@pytest.mark.parametrize(
    ("unit", "factor"), [("V", 1e3), ("mV", 1.0), ("uV", 1e-3), ("A", 1e12), ("nA", 1e3), ("µA", 1e6)]
)
def test_electrode_units_agree_with_quantities(unit, factor):
    name, ours = electrode_unit(unit)
    theirs = float(pq.Quantity(1.0, unit.replace("µ", "u")).rescale(name))
    assert ours == pytest.approx(factor, rel=1e-12)  # powers of ten: only rounding of the last digit
    assert ours == pytest.approx(theirs, rel=1e-12)


@given(st.sampled_from(["mV", "pA", "MΩ", "ms", "s", "Hz", "pF", "GΩ", "pC", "nS", "%/10 min"]), st.floats(-1e6, 1e6))
@settings(max_examples=25, deadline=None)
def test_a_number_survives_the_way_to_quantities_and_back(unit, value):
    # Two multiplications: a few units in the last place.
    assert float(strip_unit(to_quantity(value, unit), unit)) == pytest.approx(value, rel=1e-12, abs=1e-12)


def test_a_quantity_of_another_dimension_is_refused():
    with pytest.raises(EphysplastError, match="wrong dimension"):
        strip_unit(pq.Quantity(1.0, "mV"), "pA")


def test_a_longer_suffix_wins_over_a_shorter_one():
    assert [unit_of(name) for name in ("slope_percent_per_10min", "max_slope_mv_per_ms", "time_s", "status")] == [
        "%/10 min",
        "mV/ms",
        "s",
        "",
    ]


@given(st.integers(0, 80), st.integers(1, 20), st.floats(-5, 5))
@settings(max_examples=25, deadline=None)
def test_windows_and_aligned_windows_are_slices(first, length, factor):
    samples = np.random.default_rng(1).normal(size=(4, 100))
    trace = ArrayTrace(samples, 1000.0).scaled(factor)
    expected = samples[:, first : first + length] * factor
    np.testing.assert_array_equal(trace.window(first / 1000, (first + length) / 1000), expected)
    aligned = trace.aligned(np.full(4, first / 1000), 0.0, length / 1000)
    np.testing.assert_array_equal(aligned, expected)


def test_a_window_outside_the_sweep_names_sweep_and_limits():
    trace = ArrayTrace([np.zeros(100), np.zeros(50)], 1000.0)
    with pytest.raises(WindowError, match=r"sweep 2\. Got: 0\.04 to 0\.08 s\. Wanted: within 0 to 0\.05 s"):
        trace.window(0.04, 0.08)
    with pytest.raises(WindowError, match="no such sweep"):
        trace.window(0.0, 0.01, sweeps=[2])
    with pytest.raises(WindowError, match="empty"):
        trace.window(0.02, 0.02)


def test_a_doubted_channel_is_not_measured_until_it_is_corrected():
    channel = Channel(
        name="IN 0", unit="pA", clamp="voltage", trace=ArrayTrace([[-70.0]], 1e4), doubt="it looks like V_m"
    )
    with pytest.raises(ChannelError, match="it looks like V_m"):
        channel.require("voltage")
    corrected = channel.corrected(unit="V", scale=1e-3)
    assert corrected.require("current").unit == "mV"
    assert corrected.trace.window(0.0, 1e-4)[0, 0] == pytest.approx(-70.0)


def test_an_absent_channel_names_those_there_are():
    with pytest.raises(ChannelError, match=r"no channel 'IN O'.*IN 0.*did you mean 'IN 0'"):
        recording().channel("IN O")
    assert recording().channel("1").name == "IN 0"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", range(10)),
        ("all", range(10)),
        ("1-3", [0, 1, 2]),
        ("8-", [7, 8, 9]),
        ("-2", [0, 1]),
        ("4", [3]),
        ("1-10:3", [0, 3, 6, 9]),
        ("2, 5-6; 9", [1, 4, 5, 8]),
        ("after:+drug", [4, 5, 6, 7, 8, 9]),
        ("before:+drug", [0, 1, 2, 3]),
        ("after:+drug; before:wash", [4, 5, 6]),
    ],
)
def test_sweeps_are_chosen_as_people_write_them(text, expected):
    tags = (Tag(time_s=35.0, comment="+drug X", sweep=3), Tag(time_s=65.0, comment="wash", sweep=6))
    assert list(select_sweeps(text, recording(tags=tags))) == list(expected)


@pytest.mark.parametrize("text", ["0-3", "5-11", "7-3", "x", "1..3", "after:nothing", "after:", "12", "-"])
def test_sweeps_that_cannot_be_are_refused(text):
    with pytest.raises(ManifestError):
        select_sweeps(text, recording())
