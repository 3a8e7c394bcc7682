"""The commands on rules and timing windows, as somebody who does not program uses them."""

import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ephysplast.cli_rules import fit, simulate
from ephysplast.errors import EphysplastError
from ephysplast.fitting import FitConfig, find_window

APP = typer.Typer()
APP.command()(simulate)
APP.command()(fit)


def run(*words):
    """Return what was printed; the mistakes of a user come out as the errors that the command line writes."""
    result = CliRunner().invoke(APP, [str(each) for each in words])
    if isinstance(result.exception, EphysplastError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table with two conditions, in XLSX: the drug takes LTP away."""
    rng = np.random.default_rng(3)
    folder = tmp_path_factory.mktemp("tables")
    at = rng.permutation(np.linspace(-60.0, 60.0, 60)).round(1)
    drug = np.repeat(["control", "AP5"], 30)
    change = find_window("pre_first").change(at, shape=[20.0], amplitudes=[1.0]) * (drug == "control")
    table = {"Δt (ms)": at, "% of baseline": (100 + 100 * change + 8 * rng.normal(size=60)).round(1), "drug": drug}
    pd.DataFrame(table).to_excel(folder / "cells.xlsx", index=False)
    return folder


def written(output, folder):
    names = [line.removeprefix("written: ") for line in output.splitlines() if line.startswith("written: ")]
    assert all((folder / each.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]).stat().st_size > 0 for each in names)
    return {each.rsplit("/", 1)[-1].rsplit("\\", 1)[-1] for each in names}


# ---- simulate


def test_without_a_name_all_rules_are_listed():
    said = run("simulate")
    assert "triplet_visual_all_full" in said
    assert "woodin" in said


def test_a_rule_has_its_parameters_its_note_and_its_window(tmp_path):
    said = run("simulate", "vogels", "-s", "rho0_hz=5", "-o", tmp_path / "new" / "folder")
    assert "doi:10.1126/science.1211095" in said
    assert "note: weights in units of the baseline" in said
    names = {"vogels_window.csv", "vogels_window.png", "vogels_window.svg"}
    assert written(said, tmp_path / "new" / "folder") == names
    table = pd.read_csv(tmp_path / "new" / "folder" / "vogels_window.csv")
    at_0 = table[(table.dt_ms == 0) & (table.frequency_hz == 1)]["g"].item()
    # 60 pairs of Δt 0 at 1 Hz: 60 η (1 − 2 ρ0 τ), neighbours a second away.
    assert at_0 == pytest.approx(60 * 0.005 * (1 - 2 * 5 * 0.02), abs=1e-9)


def test_a_protocol_says_what_changed_in_words_and_units(tmp_path):
    where = ["-w", "dt_ms=5", "-w", "frequency_hz=5", "-w", "n_pairings=100", "-o", tmp_path]
    said = run("simulate", "woodin", "-p", "pairing", *where)
    assert "100 pairings at 5 Hz, Δt +5 ms:" in said
    assert "+4.5 mV" in said
    assert "rheobase" not in said  # which the rule cannot change
    assert "woodin_states.png" in written(said, tmp_path)
    bursts = ["-w", "n_post=3", "-w", "dt_to_last=yes", "-w", "burst_hz=200"]
    assert "to the last spike" in run("simulate", "vogels", "-p", "pairing", *where, *bursts)


def test_the_potential_of_the_cell_can_be_given(tmp_path):
    words = ("simulate", "anti_hebbian_lamsa", "-p", "pre_alone", "-w", "frequency_hz=100", "-w", "n_spikes=100")
    assert "+0 %" in run(*words, "--held-at-mv", "-40", "-o", tmp_path)
    assert "+0 %" not in run(*words, "--held-at-mv", "-80", "-o", tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tripplet"], "did you mean one of: triplet_visual_all_full"),
        (["vogels", "-p", "pairng"], "did you mean 'pairing'"),
        (["vogels", "-p", "pairing"], "needs dt_ms, frequency_hz, n_pairings"),
        (["vogels", "-p", "pairing", "-w", "dt=10"], "has no 'dt'"),
        (["vogels", "-p", "pairing", "-w", "n_pairings=2.5"], "no whole number"),
        (["vogels", "-p", "pairing", "-w", "n_pairings=inf"], "no whole number"),
        (["vogels", "-p", "pairing", "-w", "dt_to_last=perhaps"], "neither yes nor no"),
        (["vogels", "-s", "tau_ms=-5"], "outside its bounds"),
        (["vogels", "-s", "tau=5"], "did you mean 'tau_ms'"),
        (["vogels", "-s", "tau_ms"], "name=value"),
        (["vogels", "-w", "dt_ms=10"], "--with belongs to a protocol"),
        (["vogels", "--held-at-mv", "-40"], "--held-at-mv belongs to a protocol"),
        (["woodin", "-e", "presynaptic"], "says itself what it changes"),
    ],
)
def test_mistakes_are_said_before_anything_is_printed_or_written(words, said, tmp_path):
    result = CliRunner().invoke(APP, ["simulate", *words, "-o", str(tmp_path)])
    assert isinstance(result.exception, EphysplastError)
    assert re.search(said, str(result.exception))
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


# ---- fit


def test_two_conditions_are_ranked_apart_and_compared(folder, tmp_path, monkeypatch):
    # A quarter of the particles ranks as surely here, where the evidence for the best is overwhelming.
    monkeypatch.setattr("ephysplast.fitting.FitConfig", partial(FitConfig, n_particles=500))
    said = run("fit", folder / "cells.xlsx", "--where", "drug=control", "--against", "drug=AP5", "-o", tmp_path)
    assert "30 observations: Δt from 'Δt (ms)', change from '% of baseline'" in said
    assert "note: changes are read as percent of baseline" in said
    assert "by the window that explains both best (one-sided: only when pre leads)" in said
    assert "the conditions differ" in said
    ranked = [f"cells_windows{which}.{form}" for which in ("", "_against") for form in ("csv", "toml", "png", "svg")]
    compared = [f"cells_comparison.{form}" for form in ("csv", "png", "svg")]
    assert written(said, tmp_path) == {*ranked, *compared}
    table = pd.read_csv(tmp_path / "cells_comparison.csv").set_index("parameter")
    assert pd.read_csv(tmp_path / "cells_windows.csv")["window"].iloc[0] == "pre_first"
    assert table.loc["amplitude", "first"] == pytest.approx(1.0, abs=0.25)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--against", "drug=AP5"], "--against needs the condition"),
        (["--where", "drug=APV"], "did you mean 'AP5'"),
        (["--where", "drug=AP5", "--where", "drug=control"], "names the column 'drug' twice"),
        (["--where", "drug=AP5", "--where", "Δt (ms)=-60"], "no row is left|no row has"),
        (["--unit", "percnt"], "did you mean 'percent'"),
        (["-c", "delta=x"], "did you mean 'delta_t'"),
        (["-c", "delta_t=nope"], "has no column 'nope'"),
        (["--delta-t-is", "prepost"], "did you mean 'pre-post'"),
        (["--delta-t-error-ms", "-2"], "delta_t_error_ms"),
    ],
)
def test_mistakes_about_a_table_are_said(words, said, folder, tmp_path):
    with pytest.raises(EphysplastError, match=said):
        run("fit", folder / "cells.xlsx", *words, "-o", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_table_that_says_too_little_is_refused(tmp_path):
    (tmp_path / "few.csv").write_text("dt_ms;change (%)\n-10,5;-20\n10;50\n", encoding="utf-8")
    with pytest.raises(EphysplastError, match="too few observations: 5 are needed for 3 parameters, there are 2"):
        run("fit", tmp_path / "few.csv", "-o", tmp_path)
    with pytest.raises(EphysplastError, match=r"absent.csv cannot be opened"):
        run("fit", tmp_path / "absent.csv")
