"""The command line from a folder to verdicts, and the mistakes people make on the way."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from ephysplast.cli import main
from ephysplast.study import load_manifest, study_table


def run(*arguments):
    """Give the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "ephysplast.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Give the command in this process, which need not import everything again: the same `main`, the same words."""
    for threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(threads, "1")  # main would set them, and leave them set for other tests

    def give(*arguments):
        monkeypatch.setattr(sys, "argv", ["ephysplast", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        return subprocess.CompletedProcess(sys.argv, ended.value.code or 0, said.out, said.err)

    return give


def manifest_rows(path):
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(path, rows):
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_the_sample_data_are_answered_as_they_were_made(analysed, sample_data):
    done, out = analysed
    assert done.returncode == 0, done.stderr
    truth = pd.read_csv(sample_data / "truth.csv").set_index("experiment")
    got = pd.read_csv(out / "experiments.csv").set_index("experiment")
    assert set(got.index) == set(truth.index)
    assert dict(got["sign"]) == dict(truth["sign"])
    asked = got[got["sign"].isin(["LTP", "LTD"])]
    # New or woken sites count as presynaptic; an IPSC whose E_GABA was not measured may be one of its driving force.
    right = {"pre": {"pre", "pre-or-silent"}, "post": {"post"}}
    for name, row in asked.iterrows():
        allowed = right[truth.loc[name, "locus"]] | ({"post-or-chloride"} if row["response"] == "IPSC" else set())
        assert row["locus"] in allowed | {"undetermined"}, name
        chances = row[["probability_p", "probability_n", "probability_q", "probability_pq"]]
        assert chances.sum() == pytest.approx(1.0)
    assert got.loc[~got.index.isin(asked.index), "probability_p"].isna().all()
    assert {"pre", "post", "post-or-chloride"} <= set(asked["locus"])  # the sample data show them, decided


def test_tables_and_figures_are_written_and_agree_with_the_database(analysed):
    _, out = analysed
    for table in ("experiments", "sweeps", "responses", "release", "evidence", "quality", "induction", "files"):
        frame = pd.read_csv(out / f"{table}.csv")
        assert len(frame) == len(study_table(out, table)) > 0
        assert frame.columns[0] == "experiment"
    figures = sorted(each.suffix for each in (out / "figures").iterdir())
    n_experiments = len(study_table(out, "experiments"))
    assert figures.count(".svg") == figures.count(".png") == n_experiments
    assert not [each for each in out.rglob("*") if each.suffix == ".tmp"]


def test_running_again_keeps_what_stands(analysed, sample_data, tmp_path):
    out = Path(shutil.copytree(analysed[1], tmp_path / "out"))
    before = (out / "experiments.csv").read_bytes()
    again = run("analyse", sample_data / "manifest.csv", "-o", out)
    assert again.returncode == 0
    assert "unchanged since the last run" in again.stdout
    assert "done," not in again.stdout
    assert (out / "experiments.csv").read_bytes() == before


def test_one_bad_file_does_not_stop_the_rest_and_workers_change_nothing(analysed, sample_data, tmp_path):
    _, out = analysed
    names = ["l23_l5_ltd_post", "rs_jump", "rundown", "two_pathways_no_change"]
    rows = [row for row in manifest_rows(sample_data / "manifest.csv") if row["experiment"] in names]
    copy = tmp_path / "data"
    for row in rows:
        (copy / row["file"]).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(sample_data / row["file"], copy / row["file"])
    victim = next(row for row in rows if row["experiment"] == names[1])
    (copy / victim["file"]).unlink()
    cut = next(row for row in rows if row["experiment"] == names[2])
    (copy / cut["file"]).write_bytes((copy / cut["file"]).read_bytes()[:5000])
    write_rows(copy / "manifest.csv", rows)
    done = run("analyse", copy / "manifest.csv", "-o", tmp_path / "out", "--jobs", 2, "--no-figures")
    assert done.returncode == 1, done.stderr
    got = pd.read_csv(tmp_path / "out" / "experiments.csv").set_index("experiment")
    assert list(got.loc[[names[1], names[2]], "sign"]) == ["failed", "failed"]
    assert Path(victim["file"]).name in got.loc[names[1], "status"]
    # Other workers, another order, another folder: the numbers of the others are the same to the last digit.
    first = pd.read_csv(out / "experiments.csv").set_index("experiment")
    for name in (names[0], names[3]):
        assert got.loc[name, ["sign", "change", "change_low", "locus"]].equals(
            first.loc[name, ["sign", "change", "change_low", "locus"]]
        )
    chances = ["probability_p", "probability_n", "probability_q", "probability_pq"]
    assert got.loc[names[0], chances].equals(first.loc[names[0], chances])
    assert got.loc[names[0], chances].notna().all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channel": "nowhere"}, "has no channel 'nowhere'"),
        ({"phase": "baselin"}, "is 'baselin' meant as baseline?"),
        ({"sweeps": "9000-"}, "outside the recording"),
        ({"response": "EPSP"}, "clamp"),
        ({"stimulus": "5.0"}, "5"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else None,
)
def test_mistakes_in_one_experiment_are_said_and_counted(run_here, sample_data, tmp_path, change, words):
    rows = manifest_rows(sample_data / "manifest.csv")
    name = next(row["experiment"] for row in rows if row["response"] == "EPSC")
    rows = [row | {"file": str(sample_data / row["file"])} for row in rows if row["experiment"] == name]
    every = "response" in change
    rows = [row | change if every or row["phase"] == "baseline" else row for row in rows]
    write_rows(tmp_path / "m.csv", rows)
    done = run_here("analyse", tmp_path / "m.csv", "-o", tmp_path / "out", "--no-figures")
    assert done.returncode == 1, done.stdout + done.stderr
    assert words in pd.read_csv(tmp_path / "out" / "errors.csv").loc[0, "error"]
    assert pd.read_csv(tmp_path / "out" / "errors.csv")["traceback"].isna().all()  # foreseen, so no traceback


def test_wrong_usage_is_two_and_says_what_to_do(run_here, sample_data, tmp_path):
    absent = run("analyse", tmp_path / "absent.csv", "-o", tmp_path / "out")
    assert (absent.returncode, "ephysplast init" in absent.stderr) == (2, True)
    (tmp_path / "s.toml").write_text("[respnses]\n", encoding="utf-8")
    misspelt = run_here("analyse", sample_data / "manifest.csv", "-s", tmp_path / "s.toml", "-o", tmp_path / "out")
    assert (misspelt.returncode, "did you mean 'responses'?" in misspelt.stderr) == (2, True)
    assert not (tmp_path / "out").exists()
    assert run_here("inspect", tmp_path / "absent.abf").returncode == 2
    assert run_here("nonsense").returncode == 2


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_init_drafts_a_manifest_that_can_be_read(run_here, sample_data, tmp_path, suffix):
    copy = tmp_path / "data"
    shutil.copytree(sample_data, copy, ignore=shutil.ignore_patterns("*.csv", "*.toml", "*.md"))
    (copy / "broken.abf").write_bytes(b"")
    target = copy / f"draft{suffix}"
    done = (run if suffix == ".xlsx" else run_here)("init", copy, "-o", target)
    assert done.returncode == 0, done.stderr
    assert "broken.abf" in done.stderr
    drafted = {each.name: each for each in load_manifest(target)}
    truth = {row["experiment"] for row in manifest_rows(sample_data / "manifest.csv")}
    assert len(drafted) == len(truth)
    assert run_here("init", copy, "-o", target).returncode == 2  # never overwrites unasked


def test_inspect_shows_what_a_file_holds(sample_data, tmp_path):
    file = next(iter(sorted(sample_data.rglob("*.abf"))))
    done = run("inspect", file, "-p", tmp_path / "seen.png")
    assert done.returncode == 0, done.stderr
    assert "ABF2" in done.stdout
    assert "sweeps" in done.stdout
    assert (tmp_path / "seen.png").read_bytes().startswith(b"\x89PNG")
