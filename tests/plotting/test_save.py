"""Figures as files: whole or not at all, the same bytes each time, the words as they were written."""

import os
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from matplotlib.figure import Figure

from ephysplast.errors import SettingsError
from ephysplast.plotting import experiment_figure, save_figure


def words_of(svg) -> str:
    """The text of an SVG, as any program finds it there; a file that is no XML fails here."""
    root = ElementTree.parse(svg).getroot()  # noqa: S314 - a file of our own
    return " ".join("".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text"))


def test_names_stand_in_the_svg_as_they_were_written(make, tmp_path):
    name = "cell_07 PV->PC $1 & $2 <b>x</b> 100% \\alpha ^_^ \"quoted\" 'n' µ€"
    (svg,) = save_figure(experiment_figure(**make(title=name + "\x00\x1b").arguments), tmp_path / "a", ("svg",))
    assert name in words_of(svg)
    assert "paired-pulse ratio" in words_of(svg)


def test_two_figures_of_one_experiment_are_the_same_bytes(make, tmp_path):
    case = make()
    first = save_figure(experiment_figure(**case.arguments), tmp_path / "a")
    second = save_figure(experiment_figure(**case.arguments), tmp_path / "b")
    assert [each.name for each in first] == ["a.svg", "a.png"]
    for one, two in zip(first, second, strict=True):
        assert one.read_bytes() == two.read_bytes()
    assert b"<dc:date>" not in first[0].read_bytes()
    # A figure for a report of hundreds: 2 MB is what two phases of 20 sweeps with two pulses need at most.
    assert first[0].stat().st_size < 2e6


def test_another_process_writes_the_same_svg(tmp_path):
    code = (
        "import sys, numpy as np\n"
        "from pathlib import Path\n"
        "from ephysplast.plotting import recording_figure, save_figure\n"
        "from ephysplast.recording import *\n"
        "trace = ArrayTrace(np.random.default_rng(1).normal(size=(3, 5000)), 1e3)\n"
        "channel = Channel(name='a', unit='mV', clamp='current', trace=trace)\n"
        "source = Source(path=Path('a.abf'), format='memory', reader='')\n"
        "recording = Recording(channels=(channel,), rate_hz=1e3, sweep_start_s=np.arange(3.0),\n"
        "                      sweep_lengths=trace.lengths, source=source)\n"
        "save_figure(recording_figure(recording), sys.argv[1], ('svg',))\n"
    )
    for seed in ("1", "2"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        subprocess.run([sys.executable, "-c", code, str(tmp_path / seed)], check=True, env=environment, timeout=60)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_a_failure_leaves_the_old_file_and_nothing_half_written(tmp_path):
    figure = Figure()
    (path,) = save_figure(figure, tmp_path / "a", ("png",))
    before = path.read_bytes()

    class Failing(Figure):
        def savefig(self, target, **how):
            target.write_bytes(b"half")
            raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="full"):
        save_figure(Failing(), tmp_path / "a", ("png",))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_dots_in_a_name_stay_and_folders_are_made(tmp_path):
    paths = save_figure(Figure(), tmp_path / "new" / "cell.1.2", ("svg", "png", "pdf"))
    assert [each.name for each in paths] == ["cell.1.2.svg", "cell.1.2.png", "cell.1.2.pdf"]
    assert all(each.stat().st_size > 0 for each in paths)


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SettingsError, match="did you mean 'svg'"):
        save_figure(Figure(), tmp_path / "a", ("png", "svgz"))
    assert not list(tmp_path.iterdir())
