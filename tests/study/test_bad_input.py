"""What clumsy people hand in: sweeps twice, phases misspelt, pathways without an answer, spreadsheets gone wrong."""

import csv
import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import Workbook

from ephysplast.errors import EphysplastError, ManifestError, SettingsError
from ephysplast.study import analyse_experiment, load_manifest, run_study, settings_from
from ephysplast.study.batch import harmless
from ephysplast.study.files import Files
from ephysplast.study.run import FIGURES


def rows_of(sample_data, name):
    with (sample_data / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == name]
    return [row | {"file": str(sample_data / row["file"])} for row in rows]


def loaded(tmp_path, rows):
    path = tmp_path / "m.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return load_manifest(path)[0]


def refusal(tmp_path, rows):
    with pytest.raises(EphysplastError) as caught:
        analyse_experiment(loaded(tmp_path, rows))
    return str(caught.value)


def changed(rows, places, **cells):
    return [row | (cells if i in places else {}) for i, row in enumerate(rows)]


def test_no_sweep_counts_twice(sample_data, tmp_path):
    few = rows_of(sample_data, "few_sweeps")
    assert "rows 2 and 4 hold the same sweeps" in refusal(tmp_path, [*few, few[0]])
    assert "sweep 31 of all.abf in baseline and in post" in refusal(tmp_path, changed(few, {0}, sweeps="1-40"))
    assert "hold the same sweeps" in refusal(tmp_path, [*few, few[0] | {"phase": "induction"}])
    copy = shutil.copy(few[0]["file"], tmp_path / "renamed.abf")
    assert "the same contents" in refusal(tmp_path, [*few, few[0] | {"file": str(copy), "sweeps": "5"}])
    around = Path(few[0]["file"]).parent / ".." / "few_sweeps" / "all.abf"
    assert "hold the same sweeps" in refusal(tmp_path, [*few, few[0] | {"file": str(around)}])


def test_pathways_that_have_no_answer_are_refused(sample_data, tmp_path):
    two = rows_of(sample_data, "two_pathways_no_change")
    assert "2 pathways with the role test" in refusal(tmp_path, changed(two, {2, 3}, role="test"))
    again = [*two, *changed(two[2:], {0, 1}, pathway="another")]
    assert "2 pathways with the role control" in refusal(tmp_path, again)
    assert "no test pathway" in refusal(tmp_path, two[2:])
    # A control of the very same stimuli makes every change 1.00.
    assert "240 stimuli in common" in refusal(tmp_path, changed(two, {2, 3}, stimulus="digital 0"))


@pytest.mark.parametrize(
    ("places", "cells", "words"),
    [
        ({0}, {"exclude": "foo"}, "row 2, column exclude"),
        ({0}, {"exclude": "60"}, "row 2, all.abf: none of the excluded sweeps is among the row's own"),
        ({1}, {"sweeps": "31-66:0"}, "row 3, all.abf: the sweeps cannot be read"),
        ({1}, {"sweeps": "31-900"}, "row 3, all.abf: the sweeps lie outside"),
        ({0}, {"sweeps": "30-Jan"}, "makes dates of them"),
        ({0}, {"sweeps": "2024-01-30"}, "makes dates of them"),
        ({0}, {"scale": "0"}, "a number other than 0"),
        ({0}, {"scale": "nan"}, "a number other than 0"),
        ({0}, {"unit": "pAmp"}, "a unit such as mV"),
        ({0}, {"recording": "2"}, "row 2: all.abf has no recording 2"),
        ({0, 1}, {"stimulus": "0.001"}, "row 2, all.abf: the stimuli leave no room"),
        ({0, 1}, {"stimulus": "0.1995"}, "row 2, all.abf: the stimuli leave no room"),
        ({0, 1}, {"channel": "IN 0", "pre_channel": "IN 0"}, "the presynaptic channel is the postsynaptic one"),
        ({1}, {"stimulus": "0.03"}, "the phases differ in their number of stimuli"),
    ],
)
def test_a_mistake_in_a_row_is_told_with_its_row(sample_data, tmp_path, places, cells, words):
    assert words in refusal(tmp_path, changed(rows_of(sample_data, "few_sweeps"), places, **cells))


def test_a_phase_that_is_almost_known_is_not_left_out_in_silence(sample_data, tmp_path):
    rows = rows_of(sample_data, "few_sweeps")
    late = rows[1] | {"sweeps": "50-"}
    said = refusal(tmp_path, [*changed(rows, {1}, sweeps="31-49"), late | {"phase": "posst"}])
    assert "the phase 'posst' is too like" in said
    own = [*changed(rows, {1}, sweeps="31-49"), late | {"phase": "wash"}]
    assert set(analyse_experiment(loaded(tmp_path, own)).pathways["test"].phases) == {"baseline", "post", "wash"}


def test_files_of_different_days_are_not_of_one_cell(sample_data, tmp_path):
    mixed = [rows_of(sample_data, "few_sweeps")[0], rows_of(sample_data, "rs_jump")[1]]
    keep = {key: mixed[0][key] for key in mixed[0] if key not in ("file", "phase", "sweeps")}
    words = refusal(tmp_path, [mixed[0], mixed[1] | keep]) + refusal(
        tmp_path, [mixed[1] | keep | {"phase": "baseline"}, mixed[0] | {"phase": "post"}]
    )
    assert "not recorded in one experiment" in words  # one of the two is in the right order, and days apart


def test_clocks_with_time_zones_are_compared_as_instants(sample_data, tmp_path):
    files = Files.open(loaded(tmp_path, rows_of(sample_data, "rs_jump")))
    first, second = files.recordings
    eastern = datetime.fromisoformat("2024-05-31T14:00:00+02:00")
    files.recordings[first] = replace(files.recordings[first], started_at=datetime(2024, 5, 31, 11, tzinfo=UTC))
    files.recordings[second] = replace(files.recordings[second], started_at=eastern)
    files._set_clock()
    assert files.offsets_s == {first: 0.0, second: 3600.0}
    files.recordings[first] = replace(files.recordings[first], started_at=datetime(2024, 5, 31, 13, 30))
    files._set_clock()
    assert files.offsets_s == {first: 0.0, second: 1800.0}
    assert "time zone" in files.notes[-1]


HEADER = "experiment,phase,file,response,sweeps"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEADER}\nc,baseline,a,EPSC,1-10,12-30", "row 2 has a cell under no column's name"),
        (f"{HEADER},\nc,baseline,a,EPSC,1-10,12-30", "'12-30'"),
        (f"{HEADER}\n{'c' * 200_000},baseline,a,EPSC,", "cannot be split into cells"),
        (f"{HEADER}\0\nc,baseline,a,EPSC,", "not a text file"),
        (f"My study\n{HEADER}\nc,baseline,a,EPSC,", "'my study'"),
    ],
    ids=["comma", "hidden comma", "huge", "nul", "title"],
)
def test_tables_that_would_be_misread_are_refused(tmp_path, text, words):
    path = tmp_path / "m.csv"
    path.write_bytes(text.encode())
    with pytest.raises(ManifestError, match=words):
        load_manifest(path)


def test_spreadsheets_as_people_leave_them_are_read(tmp_path):
    path = tmp_path / "m.csv"  # which is an XLSX file by its contents
    book = Workbook()
    for line in (
        [],
        HEADER.split(","),
        [7.0, "Baseline", "a", "epsc", "1\u201330"],
        [None] * 5,
        [7, "post", "b", "EPSC"],
    ):
        book.active.append(line)
    book.save(tmp_path / "m.xlsx")
    (tmp_path / "m.xlsx").rename(path)
    (experiment,) = load_manifest(path)
    assert (experiment.name, experiment.response) == ("7", "EPSC")
    assert [(each.sweeps, each.row) for each in experiment.pathways[0].segments] == [("1-30", 3), ("", 5)]
    path.write_bytes(
        f"sep=;\r\n\r\n{HEADER}\r\nc,1;post;a;EPSC;\r\n".replace(HEADER, HEADER.replace(",", ";")).encode()
    )
    assert load_manifest(path)[0].name == "c,1"


def test_a_formula_without_value_is_not_an_empty_cell(tmp_path):
    book = Workbook()
    for line in (HEADER.split(","), ["c", "baseline", "a", "EPSC", "=A1"]):
        book.active.append(line)
    book.save(tmp_path / "m.xlsx")
    with pytest.raises(ManifestError, match="formula without its value"):
        load_manifest(tmp_path / "m.xlsx")


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"seed": -1}, "'seed' is impossible"),
        ({"responses": {"baseline_ms": float("inf")}}, r"settings \[responses\]: 'baseline_ms' is not finite"),
        ({"responses": {"baseline_ms": -5.0}}, r"settings \[responses\]: 'baseline_ms' is impossible"),
        ({"classify": {"sign": {"level": 2.0}}}, r"settings \[classify\] \[sign\]"),
    ],
)
def test_a_setting_that_cannot_be_is_told_with_its_section(table, words):
    with pytest.raises(SettingsError, match=words):
        settings_from(table)
    assert settings_from({"responses": {"baseline_ms": "5.5"}}).responses.baseline_ms == 5.5


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+cmd|' /C calc'!A0", "'-2+cmd|' /C calc'!A0"),
        ("+/+", "+/+"),
        ("-70 mV", "-70 mV"),
        ("+APV", "+APV"),
        (-1.5, -1.5),
    ],
)
def test_spreadsheets_run_no_text_of_ours(cell, written):
    assert harmless(cell) == written


def test_an_output_that_cannot_be_written_is_one_sentence_and_loses_nothing(sample_data, tmp_path, monkeypatch):
    experiment = loaded(tmp_path, rows_of(sample_data, "few_sweeps"))
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EphysplastError, match="output folder"):
        list(run_study([experiment], tmp_path / "taken"))
    whole, out = Path.replace, tmp_path / "out"

    def locked(path, target):
        if Path(target).name == "sweeps.csv":
            raise PermissionError(errno.EACCES, "Permission denied")
        return whole(path, target)

    monkeypatch.setattr(Path, "replace", locked)
    with pytest.raises(EphysplastError, match=r"sweeps\.csv cannot be written"):
        list(run_study([experiment], out, figures=False))
    monkeypatch.setattr(Path, "replace", whole)
    assert [each.stands for each in run_study([experiment], out, figures=False)] == [True]
    assert len(pd.read_csv(out / "sweeps.csv"))
    assert not list(out.glob(".*"))


def test_a_figure_on_a_full_disk_fails_its_experiment_alone(sample_data, tmp_path, monkeypatch):
    experiments = [loaded(tmp_path, rows_of(sample_data, name)) for name in ("few_sweeps", "rs_jump")]

    def full(figure, stem):
        if "few" in str(stem):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("ephysplast.plotting.save_figure", full)
    first, second = run_study(experiments, tmp_path / "out")
    assert (first.failed, second.failed) == (True, False)
    assert first.message.startswith("the figure cannot be written. Got: No space left on device.")
    assert not list((tmp_path / "out" / FIGURES).iterdir())
    # What was measured is kept, and both are done again with the next run: the other one's figure is not there either.
    assert pd.read_csv(tmp_path / "out" / "experiments.csv")["sign"].ne("failed").all()
    assert pd.read_csv(tmp_path / "out" / "errors.csv")["experiment"].tolist() == ["few_sweeps"]
    monkeypatch.undo()
    assert [each.stands for each in run_study(experiments, tmp_path / "out")] == [False, False]
    assert not (tmp_path / "out" / "errors.csv").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL; its workers end with the console")
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_run_leaves_no_worker_and_goes_on_to_the_same_tables(sample_data, tmp_path, jobs):
    names = ("few_sweeps", "rs_jump", "rundown")
    experiments = [loaded(tmp_path, rows_of(sample_data, name)) for name in names]
    list(run_study(experiments, tmp_path / "whole", figures=False))
    manifest = tmp_path / "all.csv"
    rows = [row for name in names for row in rows_of(sample_data, name)]
    manifest.write_text(
        "\n".join([",".join(rows[0]), *(",".join(f'"{cell}"' for cell in row.values()) for row in rows)])
    )
    out = tmp_path / "killed"
    command = [sys.executable, "-m", "ephysplast.cli", "analyse", str(manifest), "-o", str(out), "--no-figures", "-j"]
    with subprocess.Popen([*command, jobs], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as run:
        while run.poll() is None and not (out / "study.sqlite-wal").exists():
            time.sleep(0.01)
        time.sleep(0.3)
        os.kill(run.pid, signal.SIGKILL)
        run.communicate(timeout=20)  # the pipe is open as long as any worker lives
    list(run_study(load_manifest(manifest), out, figures=False))
    for table in ("experiments.csv", "sweeps.csv", "quality.csv"):
        whole, again = (pd.read_csv(folder / table) for folder in (tmp_path / "whole", out))
        pd.testing.assert_frame_equal(whole, again, check_exact=True)
