"""The committed sample data: made again they are the same, and they hold what truth.csv says.

Files are read here with struct and h5py alone.
"""

import csv
import math
import struct
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from ephysplast.synthesis.cell_experiments import CellExperiment
from ephysplast.synthesis.dataset import (
    MANIFEST_COLUMNS,
    TRUTH_COLUMNS,
    MadeExperiment,
    sample_experiments,
    write_file,
    write_sample_data,
)
from ephysplast.synthesis.experiments import SyntheticExperiment

# One of each format of a synapse and of a cell, ramps and steps.
REPRESENTATIVES = ("few_sweeps", "rundown", "intrinsic_down", "intrinsic_down_ramp", "whole_cell_shift")
EXPERIMENTS = sample_experiments()
SYNAPSES = [each for each in EXPERIMENTS if isinstance(each, SyntheticExperiment)]
CELLS = [each for each in EXPERIMENTS if isinstance(each, CellExperiment)]
WRITTEN_BY = "general/source_script"  # names the version of the writer


@pytest.fixture(scope="module")
def made() -> dict[str, MadeExperiment]:
    return {each.plan.name: each for each in EXPERIMENTS}


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def abf_samples(path: Path) -> np.ndarray:
    """Return the samples of an ABF2 file, shape (n_channels, n_sweeps, n_samples)."""
    raw = path.read_bytes()

    def section(at: int) -> tuple[int, int, int]:
        block, entry_bytes, n_entries = struct.unpack_from("<IIq", raw, at)
        return block * 512, entry_bytes, n_entries

    assert raw[:4] == b"ABF2"
    (n_sweeps,) = struct.unpack_from("<I", raw, 12)
    protocol, _, _ = section(76)
    range_v, _, resolution = struct.unpack_from("<ffi", raw, protocol + 110)
    adc, size, n_channels = section(92)
    scale = [struct.unpack_from("<f", raw, adc + i * size + 40)[0] for i in range(n_channels)]
    data, _, n = section(236)
    counts = np.frombuffer(raw, "<i2", n, data).reshape(n_sweeps, -1, n_channels).astype(float)
    return np.moveaxis(counts, 2, 0) * (range_v / resolution / np.array(scale))[:, np.newaxis, np.newaxis]


def nwb_samples(path: Path) -> np.ndarray:
    """Return the responses of an NWB file in mV or pA, shape (n_channels, n_sweeps, n_samples)."""
    with h5py.File(path) as file:
        by_electrode: dict[str, list[np.ndarray]] = {}
        for name in sorted(file["acquisition"]):
            series = file["acquisition"][name]
            if "electrode" not in series:
                continue
            data = series["data"]
            size = {"volts": 1e3, "amperes": 1e12}[data.attrs["unit"]]
            values = (data[:] * data.attrs["conversion"] + data.attrs["offset"]) * size
            by_electrode.setdefault(series.get("electrode", getlink=True).path, []).append(values)
    return np.array([by_electrode[each] for each in sorted(by_electrode)])


def samples(path: Path) -> np.ndarray:
    return abf_samples(path) if path.suffix == ".abf" else nwb_samples(path)


def assert_same_nwb(one: Path, other: Path) -> None:
    with h5py.File(one) as a, h5py.File(other) as b:
        places: tuple[list[str], list[str]] = ([], [])
        a.visit(places[0].append)
        b.visit(places[1].append)
        assert places[0] == places[1]
        for place in places[0]:
            if not isinstance(a[place], h5py.Dataset) or place == WRITTEN_BY or a[place].dtype == h5py.ref_dtype:
                continue
            ours, theirs = a[place][()], b[place][()]
            if a[place].dtype.names:  # a table of references: their other columns
                plain = [name for name in a[place].dtype.names if a[place].dtype[name] != h5py.ref_dtype]
                ours, theirs = ours[plain].tolist(), theirs[plain].tolist()
            np.testing.assert_array_equal(ours, theirs, err_msg=place)


def compare(experiments: list[MadeExperiment], committed: Path, folder: Path) -> int:
    compared = 0
    for experiment in experiments:
        for file in experiment.files:
            new = write_file(experiment, file, folder)
            old = committed / experiment.plan.name / file.name
            if new.suffix == ".abf":
                assert new.read_bytes() == old.read_bytes(), old
            else:
                assert_same_nwb(new, old)
            compared += 1
    return compared


@pytest.mark.filterwarnings("ignore::UserWarning:pynwb")
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_an_experiment_made_again_is_the_committed_one(
    made: dict[str, MadeExperiment], sample_data: Path, tmp_path: Path, name: str
) -> None:
    assert compare([made[name]], sample_data, tmp_path) == len(made[name].files)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::UserWarning:pynwb")
def test_all_experiments_made_again_are_the_committed_ones(
    made: dict[str, MadeExperiment], sample_data: Path, tmp_path: Path
) -> None:
    assert compare(list(made.values()), sample_data, tmp_path) >= 43


@pytest.mark.slow
def test_one_command_makes_them_all(sample_data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "ephysplast.synthesis", str(tmp_path / "out")]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert "files" in done.stdout
    for name in ("manifest.csv", "truth.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (sample_data / name).read_bytes()
    recordings = {each.relative_to(tmp_path / "out") for each in (tmp_path / "out").rglob("*.[an][bw][fb]")}
    assert recordings == {each.relative_to(sample_data) for each in sample_data.rglob("*.[an][bw][fb]")}


def test_tables_made_again_are_the_committed_ones(
    made: dict[str, MadeExperiment], sample_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ephysplast.synthesis.dataset.write_file", lambda experiment, file, folder: folder / file.name)
    write_sample_data(tmp_path, experiments=tuple(made.values()))
    for name in ("manifest.csv", "truth.csv"):
        assert (tmp_path / name).read_bytes() == (sample_data / name).read_bytes()


def test_the_folder_stays_small(sample_data: Path) -> None:
    assert sum(path.stat().st_size for path in sample_data.rglob("*") if path.is_file()) <= 16e6


def test_the_manifest_names_every_recording_and_knows_its_columns(sample_data: Path) -> None:
    rows = table(sample_data / "manifest.csv")
    assert tuple(rows[0]) == MANIFEST_COLUMNS
    named = {row["file"] for row in rows}
    assert named == {each.relative_to(sample_data).as_posix() for each in sample_data.rglob("*.[an][bw][fb]")}
    for name in {row["experiment"] for row in rows}:
        phases = {row["phase"] for row in rows if row["experiment"] == name}
        assert phases >= {"baseline", "post"}


def test_the_manifest_is_one_that_the_package_loads(sample_data: Path) -> None:
    from ephysplast.study.manifest import load_manifest

    experiments = load_manifest(sample_data / "manifest.csv")
    assert len(experiments) == len(table(sample_data / "truth.csv"))
    assert all(segment.path.is_file() for each in experiments for path in each.pathways for segment in path.segments)


@pytest.mark.parametrize("row", SYNAPSES, ids=lambda each: each.plan.name)
def test_truth_is_consistent_with_itself(sample_data: Path, row: SyntheticExperiment) -> None:
    truth = next(each for each in table(sample_data / "truth.csv") if each["experiment"] == row.plan.name)
    n, p, q = ([float(truth[f"{name}_{when}"]) for when in ("before", "after")] for name in "npq")
    # Numbers in the table have four digits.
    assert float(truth["change"]) == pytest.approx(n[1] * p[1] * q[1] / (n[0] * p[0] * q[0]), rel=2e-3)
    assert float(truth["failures_before"]) == pytest.approx((1 - p[0]) ** n[0], rel=2e-3, abs=1e-12)
    sites = row.plan.inputs[0].sites
    if truth["ppr_before"]:
        for when, probability in zip(("before", "after"), p, strict=True):
            step = probability if sites.facilitation is None else sites.facilitation
            u2 = probability + step * (1 - probability) * math.exp(-50.0 / sites.facilitation_ms)
            ppr = u2 / probability * (1 - probability * math.exp(-50.0 / sites.recovery_ms))
            assert float(truth[f"ppr_{when}"]) == pytest.approx(ppr, rel=2e-3)
    if truth["locus"] == "pre":
        assert (n[0], q[0]) == (n[1], q[1])
        assert p[0] != p[1]
    if truth["locus"] == "post":
        assert (n[0], p[0]) == (n[1], p[1])
        assert q[0] != q[1]


@pytest.mark.parametrize("name", [each.plan.name for each in SYNAPSES])
def test_the_files_hold_the_change_that_truth_states(sample_data: Path, name: str) -> None:
    truth = next(each for each in table(sample_data / "truth.csv") if each["experiment"] == name)
    rows = [row for row in table(sample_data / "manifest.csv") if row["experiment"] == name and row["role"] == "test"]
    rate_khz, start_ms, peak_ms = (5, 171.0, 180.0) if truth["unit"] == "mV" else (10, 31.0, 36.0)
    means = {}
    for phase in ("baseline", "post"):
        traces = np.concatenate(
            [
                channel[_chosen(row["sweeps"], len(channel))]
                for row in rows
                if row["phase"] == phase
                for channel in [samples(sample_data / row["file"])[0]]
            ]
        )
        interval_s = 15 if name in ("few_sweeps", "rundown") else 10
        mean = traces[-600 // interval_s :].mean(axis=0)
        base = mean[int((start_ms - 6) * rate_khz) : int((start_ms - 1.5) * rate_khz)].mean()
        means[phase] = mean[int((peak_ms - 0.6) * rate_khz) : int((peak_ms + 0.6) * rate_khz)].mean() - base
    sign = {"EPSC": -1, "IPSC": 1, "EPSP": 1}[truth["response"]]
    assert sign * means["baseline"] > 0.0
    measured, drawn = means["post"] / means["baseline"], float(truth["drawn_change"])
    if name == "rs_jump":
        assert measured < 0.95 * drawn  # the series resistance takes its share
    else:
        # Noise of the means: 1–2 pA / √60 of 30 pA and more, 0.1 mV / √40 of 1 mV.
        assert measured == pytest.approx(drawn, rel=0.04)


def _chosen(sweeps: str, n_sweeps: int) -> slice:
    if not sweeps:
        return slice(0, n_sweeps)
    first, last = sweeps.split("-")
    return slice(int(first) - 1, int(last))


@pytest.mark.parametrize("row", CELLS, ids=lambda each: each.plan.name)
def test_the_truth_of_cells_is_consistent_with_itself(sample_data: Path, row: CellExperiment) -> None:
    rows = table(sample_data / "truth.csv")
    assert tuple(rows[0]) == TRUTH_COLUMNS
    truth = next(each for each in rows if each["experiment"] == row.plan.name)
    known = {name: float(value) for name, value in truth.items() if _is_number(value)}
    for when in ("before", "after"):
        if truth["response"] == "excitability":
            # Ohm's law from holding to threshold; numbers in the table have four digits.
            base = -65.0 + known["rin_" + when + "_mohm"] * known["holding_pa"] * 1e-3
            base = -67.0 if row.plan.name == "intrinsic_up" else base
            rheobase = (known["threshold_" + when + "_mv"] - base) / known["rin_" + when + "_mohm"] * 1e3
            assert known["rheobase_" + when + "_pa"] == pytest.approx(rheobase, rel=2e-3)
        else:
            others = known["leak_" + when + "_ns"] + known["tonic_" + when + "_ns"]
            assert known["rin_" + when + "_mohm"] == pytest.approx(1e3 / others, rel=1e-3)
    if truth["sign"] in ("up", "down"):
        falls = known["rheobase_after_pa"] < 0.75 * known["rheobase_before_pa"]
        assert falls == (truth["sign"] == "up")
    if truth["sign"] in ("E_GABA shift", "conductance change", "both"):
        assert (known["e_gaba_before_mv"] != known["e_gaba_after_mv"]) == (truth["sign"] != "conductance change")
        assert (known["g_before_ns"] != known["g_after_ns"]) == (truth["sign"] != "E_GABA shift")


def test_an_uncorrected_series_resistance_would_fake_a_shift(sample_data: Path) -> None:
    truth = next(each for each in table(sample_data / "truth.csv") if each["experiment"] == "rs_error")
    assert truth["e_gaba_before_mv"] == truth["e_gaba_after_mv"]
    assert float(truth["apparent_e_after_mv"]) - float(truth["apparent_e_before_mv"]) < -5.0


@pytest.mark.parametrize("name", ["intrinsic_up", "intrinsic_down"])
def test_cells_in_the_files_fire_about_the_true_rheobase(sample_data: Path, name: str) -> None:
    truth = next(each for each in table(sample_data / "truth.csv") if each["experiment"] == name)
    current = {"intrinsic_up": -100.0 + 20.0 * np.arange(17), "intrinsic_down": -80.0 + 20.0 * np.arange(18)}[name]
    for phase, when in (("baseline", "before"), ("post", "after")):
        rows = [
            row for row in table(sample_data / "manifest.csv") if (row["experiment"], row["phase"]) == (name, phase)
        ]
        traces = np.concatenate([samples(sample_data / row["file"])[0] for row in rows])
        # Half-way up the action potential is far above any potential that a step alone could make.
        threshold = float(truth[f"threshold_{when}_mv"]) + float(truth["amplitude_mv"]) / 2
        fired = (traces.max(axis=1) > threshold).reshape(len(rows), -1)
        distance = (np.tile(current, (len(rows), 1)) - float(truth[f"rheobase_{when}_pa"])) / float(
            truth["rheobase_sd_pa"]
        )
        assert fired[distance > 4.0].all()  # the normal distribution leaves 3e-5 beyond
        assert not fired[distance < -4.0].any()


def test_currents_in_the_files_obey_the_circuit(sample_data: Path) -> None:
    truth = next(each for each in table(sample_data / "truth.csv") if each["experiment"] == "rs_error")
    for phase, when in (("baseline_1", "before"), ("post_1", "after")):
        traces = samples(sample_data / f"rs_error/{phase}.abf")[0]
        steady = traces[:, 1400:1780].mean(axis=1)  # from 70 ms after the step until the stimulus
        rs, tonic = float(truth[f"rs_{when}_mohm"]) * 1e-3, float(truth[f"tonic_{when}_ns"])
        command = -100.0 + 5.0 * np.arange(13)
        total = 10.0 + tonic
        expected = (command - 4.0 - 10.0 * -72.0 / total) / (rs + 1.0 / total)
        # 38 ms of noise of 3 pA (1/f) and 1 pA of hum over two cycles less 2 ms: 3 pA, twice that is allowed.
        np.testing.assert_allclose(steady, expected, atol=6.0)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
