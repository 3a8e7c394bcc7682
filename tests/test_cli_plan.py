"""The command that plans an experiment, as somebody who does not program uses it."""

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ephysplast.cli_plan import plan as cli_plan
from ephysplast.errors import EphysplastError, SettingsError


def judged_by_chance(before, after, *, noise_sd, rng, config):
    """Call by chance, in no time: here only the way through is tested."""
    log_evidence = np.array([5.0, 0.0, 0.0, 0.0]) if rng.random() < 0.8 else np.zeros(4)
    call = "pre" if log_evidence.any() else "undetermined"
    return type("Found", (), {"call": call, "log_evidence": log_evidence})


def command(*words):
    app = typer.Typer()
    app.command()(cli_plan)
    usual = ("--n", "5", "--p", "0.4", "--q", "0.35", "--noise", "0.1", "--runs", "12")
    result = CliRunner().invoke(app, [*usual, *(str(each) for each in words)])
    if isinstance(result.exception, EphysplastError):
        raise result.exception
    return result


def test_the_command_prints_and_writes_the_plan(tmp_path, monkeypatch):
    monkeypatch.setattr("ephysplast.planning.runs.locus_posterior", judged_by_chance)
    words = ("--baseline", 20, "--post", 40, "--change", 40, "--ltp", 30, "-o", tmp_path / "new")
    result = command(*words)
    assert result.exit_code == 0, result.output
    assert "p +40 %: rightly" in result.output
    assert "20 baseline and 40 post sweeps" in result.output
    assert "t test on the log ratios" in result.output
    names = {"plan.csv", "plan_cells.csv", "plan_sign.csv", "plan.png", "plan.svg", "plan.pdf"}
    assert {each.name for each in (tmp_path / "new").iterdir()} == names
    table = pd.read_csv(tmp_path / "new" / "plan.csv")
    assert table["post_sweeps"].tolist() == [10, 20, 40, 80] * 2
    assert table["locus"].unique().tolist() == ["p", "q"]


def test_the_command_plans_for_what_is_asked_only(tmp_path):
    result = command("--baseline", 20, "--post", 20, "--ltp", -30, "-o", tmp_path)
    assert result.exit_code == 0, result.output
    assert "−30 %" in result.output
    assert not (tmp_path / "plan.csv").exists()
    assert (tmp_path / "plan_sign.csv").exists()


def test_the_command_interrupted_writes_what_is_known(tmp_path, monkeypatch):
    left = iter(range(5))

    def judge(*given, **how):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return judged_by_chance(*given, **how)

    monkeypatch.setattr("ephysplast.planning.runs.locus_posterior", judge)
    result = command("--ltp", 30, "--change", 40, "-o", tmp_path)
    assert result.exit_code == 130
    assert "interrupted after 5 simulated cells" in result.output
    assert pd.read_csv(tmp_path / "plan.csv")["n_runs"].sum() == 5
    assert not (tmp_path / "plan_sign.csv").exists()
    assert (tmp_path / "plan.png").stat().st_size > 0


def test_the_command_refuses_in_words(tmp_path):
    with pytest.raises(SettingsError, match="--locus"):
        command("--locus", "where", "-o", tmp_path)
    with pytest.raises(SettingsError, match="at most"):
        command("--change", 200, "-o", tmp_path)
    with pytest.raises(SettingsError, match="paired-pulse ratio"):
        command("--ppr", 0.1, "-o", tmp_path)
    assert not list(tmp_path.iterdir())
