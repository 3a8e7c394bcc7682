"""The command that asks a table of amplitudes where a change lies: what it prints, writes and refuses."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ephysplast.cli_locus import locus
from ephysplast.errors import EphysplastError
from ephysplast.study import amplitude_batch

APP = typer.Typer()
APP.command()(locus)

HOSTILE = "../[red]c\x1b[31m=1"
QUICK = """
[classify.locus.posterior]
n_first = 100
n_round = 50
n_rounds = 1
effective = 10.0
"""


def cell(seed, *, p=(0.15, 0.6), q=(10.0, 10.0), sweeps=(40, 60)):
    """Return a wide table of six sites, one pulse, in noise of 1 pA."""
    rng = np.random.default_rng(seed)
    amplitude = [each_q * rng.binomial(6, each_p, n) for each_p, each_q, n in zip(p, q, sweeps, strict=True)]
    amplitude = np.concatenate(amplitude) + rng.normal(0.0, 1.0, sum(sweeps))
    columns = {"time (min)": np.arange(sum(sweeps)) / 6.0, "phase": np.repeat(["before", "after"], sweeps)}
    return pd.DataFrame(columns | {"amplitude (pA)": -amplitude, "noise": rng.normal(0.0, 1.0, sum(sweeps))})


@pytest.fixture
def folder(tmp_path):
    """Three cells, the second of which has a word among its numbers; quick settings lie beside the table."""
    broken = cell(2).assign(cell="b").astype({"amplitude (pA)": object})
    broken.loc[5, "amplitude (pA)"] = "=cmd()"
    hostile = cell(3, sweeps=(4, 4)).assign(cell=HOSTILE)
    cells = pd.concat([cell(1).assign(cell="a"), broken, hostile])
    cells.to_csv(tmp_path / "cells.csv", index=False)
    cell(1).to_csv(tmp_path / "one.csv", index=False, sep=";", decimal=",")
    (tmp_path / "settings.toml").write_text(QUICK, encoding="utf-8")
    return tmp_path


def run(*words, code=0):
    """Return what was printed; the mistakes of a user come out as the errors that the command line writes."""
    result = CliRunner().invoke(APP, [str(each) for each in words])
    if isinstance(result.exception, EphysplastError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_a_table_of_one_cell_is_read_aloud_judged_and_written(folder):
    out = folder / "new" / "folder"
    said = run(folder / "one.csv", "-o", out, "--no-figures")
    assert "read: amplitude from 'amplitude (pA)', time from 'time (min)'" in said
    assert "'before' is taken for baseline" in said
    assert "responses are negative" in said
    assert "EPSC is taken" in said
    assert {each.name for each in out.iterdir()} == {"locus.csv", "locus.sqlite", "locus_release.csv"}
    (row,) = pd.read_csv(out / "locus.csv").to_dict("records")
    assert (row["experiment"], row["response"], row["unit"], row["sign"]) == ("one", "EPSC", "pA", "LTP")
    assert all(str(row[each]) in said for each in ("sign", "locus"))
    assert row["quality: R_s"] == "not testable"
    total = row["probability p"] + row["probability n"] + row["probability q"] + row["probability p+q"]
    assert total == pytest.approx(1.0)
    release = pd.read_csv(out / "locus_release.csv")
    assert release["locus"].tolist() == [each for each in ("p", "n", "q", "p+q") for _ in "npq"]
    assert release["quantity"].tolist() == list("npq") * 4
    assert release["probability"].sum() == pytest.approx(3.0)  # once for each of n, p and q


def test_the_seed_decides_and_not_what_else_is_in_the_table(folder):
    def probabilities(table, *words):
        run(table, "-o", folder / "out", "--no-figures", *words, code=1 if table.stem == "cells" else 0)
        rows = pd.read_csv(folder / "out" / "locus.csv").set_index("experiment")
        return rows.loc["a", [name for name in rows if name.startswith("probability")]].to_numpy(float)

    alone = folder / "alone.csv"
    cell(1).assign(cell="a").to_csv(alone, index=False)
    first = probabilities(alone)
    np.testing.assert_array_equal(probabilities(folder / "cells.csv"), first)
    assert (probabilities(alone, "--seed", "5") != first).any()


def test_one_bad_cell_is_an_error_row_and_stops_nothing(folder):
    out = folder / "out"
    said = run(folder / "cells.csv", "-o", out, "--no-figures", code=1)
    assert "\x1b" not in said
    assert "[red]c" in said
    rows = pd.read_csv(out / "locus.csv").set_index("experiment")
    assert rows["sign"].to_dict() == {"a": "LTP", HOSTILE: "refused", "b": "failed"}
    assert "'amplitude (pA)' is not a number" in rows.loc["b", "status"]
    assert "'=cmd()' in row 107" in rows.loc["b", "status"]
    assert pd.read_csv(out / "locus_errors.csv")["experiment"].tolist() == ["b"]


def test_names_are_harmless_in_tables_and_files(tmp_path):
    # Eight sweeps are refused, which is an answer and has a figure too; without times its axis says so.
    cells = [cell(1, sweeps=(4, 4)).assign(cell=name) for name in (HOSTILE, "=1+1")]
    pd.concat(cells).drop(columns="time (min)").to_csv(tmp_path / "odd.csv", index=False)
    said = run(tmp_path / "odd.csv", "-o", tmp_path / "out")
    assert "refused" in said
    assert pd.read_csv(tmp_path / "out" / "locus.csv")["experiment"].tolist() == [HOSTILE, "'=1+1"]
    assert not (tmp_path / "out" / "locus_release.csv").exists()
    figures = [each for each in (tmp_path / "out").iterdir() if each.suffix not in (".csv", ".sqlite")]
    assert sorted(each.suffix for each in figures) == [".pdf", ".pdf", ".png", ".png", ".svg", ".svg"]
    assert all(re.fullmatch(r"locus_[A-Za-z0-9_\-]+\.(png|svg|pdf)", each.name) for each in figures)
    for drawn in (each.read_text(encoding="utf-8") for each in figures if each.suffix == ".svg"):
        assert "times are not known" in drawn
        assert "(min)" not in drawn


def test_options_say_what_the_table_does_not(folder):
    odd = cell(1).rename(columns={"time (min)": "t0", "amplitude (pA)": "R1S1", "noise": "R2S1", "phase": "solution"})
    odd = odd.replace({"solution": {"before": "ACSF", "after": "5-HT"}})
    odd.to_csv(folder / "odd.csv", index=False)
    words = ["-c", "amplitude=R1S1", "-c", "time=t0", "-c", "noise=R2S1", "-c", "phase=solution", "--time-unit", "min"]
    words += ["--baseline", "acsf", "--post", "5-ht", "--unit", "nA", "--response", "IPSC", "--no-figures"]
    said = run(folder / "odd.csv", *words, "-o", folder / "out")
    assert "'5-HT' is taken for post" in said
    row = pd.read_csv(folder / "out" / "locus.csv").loc[0]
    assert (row["unit"], row["response"]) == ("pA", "IPSC")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["absent.csv"], "absent.csv cannot be opened"),
        (["one.csv", "-c", "amplitude"], "what=|name=value"),
        (["one.csv", "-c", "amplitud=noise"], "did you mean 'amplitude'"),
        (["one.csv", "-c", "noise=nois"], "did you mean 'noise'"),
        (["one.csv", "-c", "noise=noise", "-c", "noise=phase"], "names 'noise' twice"),
        (["one.csv", "--response", "EPCS"], "'EPSC'"),
        (["one.csv", "--noise-sd", "0"], "SD of the noise"),
        (["one.csv", "--baseline", "first"], "has no baseline"),
        (["one.csv", "--settings", "none.toml"], "none.toml cannot be read"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(words, said, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(EphysplastError, match=said):
        run(*words, "-o", "out")
    assert not (folder / "out").exists()


def test_what_nobody_foresaw_is_an_error_row_with_its_traceback(folder, monkeypatch):
    judge = amplitude_batch.judge_amplitudes

    def broken(made, **how):
        return 1 / 0 if made.name == "a" else judge(made, **how)

    monkeypatch.setattr(amplitude_batch, "judge_amplitudes", broken)
    run(folder / "cells.csv", "-o", folder / "out", "--no-figures", code=1)
    rows = pd.read_csv(folder / "out" / "locus.csv").set_index("experiment")
    assert rows.loc["a", "status"] == "failed: unexpected ZeroDivisionError: division by zero"
    errors = pd.read_csv(folder / "out" / "locus_errors.csv").set_index("experiment")
    assert "in broken" in errors.loc["a", "traceback"]
    assert rows.loc[HOSTILE, "sign"] == "refused"


def test_an_interrupted_run_keeps_what_was_judged_and_goes_on(tmp_path, monkeypatch):
    judge, seen = amplitude_batch.judge_amplitudes, []

    def interrupted(made, **how):
        if seen == ["a"]:
            seen.append("interrupted")
            raise KeyboardInterrupt
        seen.append(made.name)
        return judge(made, **how)

    monkeypatch.setattr(amplitude_batch, "judge_amplitudes", interrupted)
    cells = [cell(1, sweeps=(4, 4)).assign(cell=name) for name in "ab"]
    pd.concat(cells).to_csv(tmp_path / "cells.csv", index=False)
    words = (tmp_path / "cells.csv", "-o", tmp_path / "out", "--no-figures")
    run(*words, code=130)
    assert pd.read_csv(tmp_path / "out" / "locus.csv")["experiment"].tolist() == ["a"]
    assert "1 unchanged since the last run, 1 done" in run(*words)
    assert seen == ["a", "interrupted", "b"]
    assert pd.read_csv(tmp_path / "out" / "locus.csv")["experiment"].tolist() == ["a", "b"]
    # Another seed, another kind of response: nothing of before stands.
    assert "2 done" in run(*words, "--seed", "3")
    assert "2 done" in run(*words, "--seed", "3", "--response", "IPSC")


def test_a_table_that_is_open_elsewhere_costs_no_verdict(tmp_path, monkeypatch):
    cell(1, sweeps=(4, 4)).to_csv(tmp_path / "one.csv", index=False)
    words = (tmp_path / "one.csv", "-o", tmp_path / "out", "--no-figures")
    whole = Path.replace

    def locked(path, target):
        if Path(target).name == "locus.csv":
            raise PermissionError(13, "Permission denied")
        return whole(path, target)

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(EphysplastError, match=r"locus\.csv cannot be written"):
        run(*words)
    monkeypatch.setattr(Path, "replace", whole)
    assert "1 unchanged since the last run" in run(*words)
    assert len(pd.read_csv(tmp_path / "out" / "locus.csv")) == 1


def test_a_figure_that_cannot_be_written_costs_no_verdict(tmp_path, monkeypatch):
    cell(1, sweeps=(4, 4)).to_csv(tmp_path / "one.csv", index=False)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ephysplast.plotting.save_figure", full)
    assert "1 failed" in run(tmp_path / "one.csv", "-o", tmp_path / "out", code=1)
    assert pd.read_csv(tmp_path / "out" / "locus.csv").loc[0, "sign"] == "refused"
    assert "No space left" in pd.read_csv(tmp_path / "out" / "locus_errors.csv").loc[0, "error"]


@pytest.mark.slow
def test_several_workers_give_the_same_verdicts(folder):
    tables = []
    for jobs in ("1", "2"):
        run(folder / "cells.csv", "-o", folder / jobs, "--no-figures", "-j", jobs, code=1)
        tables.append(pd.read_csv(folder / jobs / "locus.csv"))
    pd.testing.assert_frame_equal(*tables)
