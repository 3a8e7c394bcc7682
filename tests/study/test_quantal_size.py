"""The quantal size that a user gives: minis, a number, or minimal stimulation, by manifest and by table of amplitudes.

Minis and amplitudes are drawn here with numpy, so that their truth is known.
"""

import csv
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from typer.testing import CliRunner

from ephysplast.classify import ClassifyConfig, LocusConfig
from ephysplast.classify._release import size_estimate, size_in_words
from ephysplast.cli_locus import locus
from ephysplast.errors import OK, EphysplastError, ManifestError, SettingsError
from ephysplast.experiment import MiniTable
from ephysplast.quantal import MiniSizeConfig, QuantalSize
from ephysplast.result import Estimate
from ephysplast.study import analyse_experiment, load_manifest, run_study, settings_from, study_table
from ephysplast.study.amplitudes import judge_amplitudes, read_amplitudes, with_quantal_size
from ephysplast.study.quantal_size import (
    quantal_size_of,
    read_minis,
    size_from_minimal,
    size_from_minis,
    size_from_number,
)
from ephysplast.study.run import _key
from ephysplast.verdict import ReleaseEstimate

APP = typer.Typer()
APP.command()(locus)
LEAST = {"n_first": 100, "n_round": 50, "n_rounds": 1, "effective": 10.0}
FAST = settings_from({"classify": {"locus": {"posterior": LEAST, "indices": {"n_boot": 200}}}})
QUICK_TOML = "[classify.locus.posterior]\n" + "\n".join(f"{name} = {value}" for name, value in LEAST.items())
# What a detector found: 300 minis, mean 12 pA and CV .5.
FOUND = np.random.default_rng(7).gamma(4.0, 3.0, 300)


def written(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


def table(folder, name="minis.csv", amplitude=-FOUND, head="Time (ms)\tAmplitude (pA)\tRise (ms)", form="{:.4f}"):
    """Write minis between a time and a rise time, tab-separated."""
    lines = [f"{10.5 * i:.2f}\t{form.format(each)}\t1.2" for i, each in enumerate(amplitude)]
    return written(folder / name, "\n".join([*head.splitlines(), *lines]))


# ---- exports of several programs


CLAMPFIT = (
    'ATF\t1.0\n0\t5\n"Trace"\t"Search"\t"Event Start Time (ms)"\t"Peak Amp (pA)"\t"Antipeak Amp (pA)"\n'
    "1\t1\t10.0\t-12.5\t0.4\n1\t1\t20.0\t-10.0\t0.2\n"
)
EXPORTS = {
    "Clampfit": (CLAMPFIT, [-12.5, -10.0], "pA"),
    "Easy Electrophysiology": (
        "Event Num.,Time (ms),Baseline (pA),Peak (pA),Amplitude (pA)\n1,10,-3,-15.5,-12.5\n2,20,-2,-12,-10\n",
        [-12.5, -10.0],
        "pA",
    ),
    "decimal commas": ("Zeit (ms);Amplitude (nA)\n10,5;-0,0125\n20;-0,01\n", [-12.5, -10.0], "pA"),
    "one column with decimal commas": ("Amplitude (pA)\n12,5\n10,0\n", [12.5, 10.0], "pA"),
    "a row of units": ("Time\tAmplitude\nms\tpA\n1\t12.5\n2\t10\n", [12.5, 10.0], "pA"),
    "lines above": ("Cell 7, P21\nexported by hand\n\nmini;amp_pA\n1;12.5\n2;10\n", [12.5, 10.0], "pA"),
    "no name, one column": ("12.5\n10\n", [12.5, 10.0], ""),
    "potentials": ("mEPSP amplitude (uV)\n500\n250\n", [0.5, 0.25], "mV"),
    "gaps": ("Time (ms),Amplitude (pA)\n1,12.5\n2,\n3,10\n4,nan\n", [12.5, 10.0], "pA"),
    "unit behind a slash": ("Zeit/ms;Amplitude/nA\n10,5;-0,0125\n20;-0,01\n", [-12.5, -10.0], "pA"),
    "names of R": ("Time..ms.,Amplitude..mV.\n1,0.5\n2,0.25\n", [0.5, 0.25], "mV"),
    "volts": ("Time_s,Amplitude_V\n1,0.0005\n2,0.00025\n", [0.5, 0.25], "mV"),
    "settings above": ("Amplitude\t5\nArea\t3\n\nEvent\tAmplitude (pA)\n1\t12.5\n2\t10\n", [12.5, 10.0], "pA"),
    "another amplitude": ("Rise amplitude (%),Amplitude,\n%,pA,\n90,12.5,\n\n85,10,\n", [12.5, 10.0], "pA"),
    "quoted, µ": ('"Event";"Amplitude (µV)"\n"1";"500"\n"2";"250"\n', [0.5, 0.25], "mV"),
    "a time that was not found": ("Amplitude (pA),Decay (ms)\n12.5,3\n10,Not found\n", [12.5, 10.0], "pA"),
    "typographic minus": ("Amplitude (pA)\n\u221212.5\n\u221210\n", [-12.5, -10.0], "pA"),
}


@pytest.mark.parametrize("case", EXPORTS)
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp1252"])
def test_exports_are_read(case, encoding, tmp_path):
    text, amplitudes, unit = EXPORTS[case]
    text = text if encoding != "cp1252" else text.replace("\u2212", "\u2013")  # the dash that Windows has
    found = read_minis(written(tmp_path / "minis.txt", text, encoding))
    np.testing.assert_allclose(found.amplitude, amplitudes, rtol=1e-12)  # nA → pA rounds the last digit
    assert found.unit == unit


def test_a_list_without_names_is_read_by_place(tmp_path):
    # MiniAnalysis: row, time, amplitude, … with commas between the thousands of the times, and now and then amplitudes.
    text = "".join(f"{i}\t1,{i}00.25\t{amplitude}\t1.1\n" for i, amplitude in enumerate(("12.5", "1,010.5", "10")))
    path = written(tmp_path / "minis.asc", text)
    with pytest.raises(EphysplastError, match=r"minis.asc::3 for the third.*MiniAnalysis"):
        read_minis(path)
    assert read_minis(path, column="3").amplitude.tolist() == [12.5, 1010.5, 10.0]


PLACES = {
    "unit in the name": ("Time (ms),x,Amplitude (nA)\n1,2,0.0125\n2,2,0.01\n", [12.5, 10.0], "pA"),
    "a row of units": ("Time,x,Amplitude\nms,,uV\n1,2,500\n2,2,250\n", [0.5, 0.25], "mV"),
    "Clampfit": ('ATF\t1.0\n0\t3\n"Trace"\t"Time"\t"Peak Amp (nA)"\n1\t1\t0.0125\n1\t2\t0.01\n', [12.5, 10.0], "pA"),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_place_does_not_hide_the_unit(case, tmp_path):
    text, amplitudes, unit = PLACES[case]
    found = read_minis(written(tmp_path / "m.csv", text), column="3")
    np.testing.assert_allclose(found.amplitude, amplitudes, rtol=1e-12)  # nA → pA rounds the last digit
    assert found.unit == unit


def test_the_place_of_a_lone_column_does_not_cut_decimal_commas(tmp_path):
    assert read_minis(written(tmp_path / "m.csv", "12,5\n10,5\n"), column="1").amplitude.tolist() == [12.5, 10.5]


def test_xlsx_is_read(tmp_path):
    pd.DataFrame({"Time (ms)": [1, 2], "Amplitude (pA)": [-12.5, -10.0]}).to_excel(tmp_path / "m.xlsx", index=False)
    assert read_minis(tmp_path / "m.xlsx").amplitude.tolist() == [-12.5, -10.0]


def test_the_column_may_be_told(tmp_path):
    text = "Time (ms),Amplitude (pA),Peak Amp (pA),Area\n1,12.5,15,3\n2,10,12,2\n"
    path = written(tmp_path / "m.csv", text)
    with pytest.raises(EphysplastError, match=r"several columns.*Amplitude \(pA\), Peak Amp \(pA\).*m.csv::Amplitude"):
        read_minis(path)
    for column in ("Peak Amp (pA)", "peak amp (pa)", "3"):
        found = read_minis(path, column=column)
        assert found.amplitude.tolist() == [15.0, 12.0]
    assert read_minis(path, column="Area").unit == ""
    assert MiniTable.named("sub\\m.csv::Peak Amp (pA)", tmp_path) == MiniTable(
        path=tmp_path / "sub" / "m.csv", column="Peak Amp (pA)"
    )


BAD = {
    "empty": ("", "holds nothing"),
    "no amplitudes": ("Time (ms),Area\n1,2\n", r"no column that holds amplitudes.*Time \(ms\), Area.*minis.txt::NAME"),
    "no rows": ("Time (ms),Amplitude (pA)\n", "holds no amplitudes"),
    "text": ("Amplitude (pA)\n12\nn.s.\n", "'Amplitude .pA. of minis.txt' is not a number.*'n.s.' in row 3"),
    "both signs": ("Amplitude (pA)\n12\n10\n-9\n11\n", "minis of both signs.*1 of 4 unlike.*−9 in row 4"),
    "zero": ("Amplitude (pA)\n-12\n0\n-10\n", "both signs, or of none.*0 in row 3"),
    "decimal commas between commas": ("Time (ms),Amplitude (pA)\n10,5,12,5\n", "row 2 has more cells than row 1"),
    "thousands between commas": ("Time,Amplitude\n900.5,12\n1,100.25,12\n", "row 3 has more cells than row 1"),
    "rows that R named": ("Amplitude\tTime\n1\t12.5\t10\n2\t10\t20\n", "row 2 has more cells than row 1"),
    "points and commas": ("Event\tAmplitude (pA)\n1\t12.5\n2\t1,012\n", "points and commas.*'12.5' and '1,012'"),
    "per cent": ("Event,Amplitude\n1,12%\n2,100%\n", "is in per cent"),
    "a sum": ("Event,Amplitude (pA)\n1,12\n2,10\nSum,22\n", "row 4 holds statistics.*'Sum'"),
    "a count": ("Event;Time;Amplitude\n1;1,5;12\n2;2,5;10\n;N;2\n", "row 4 holds statistics.*'N'"),
    "mean and SD": ("Trace,Amplitude\na,12\nb,10\nMean \u00b1 SD,11\n", "row 4 holds statistics.*'Mean"),
    "without a word": ("Event,Amplitude (pA)\n1,12\n2,10\n,22\n", "row 4 holds statistics.*'22'"),
    "means of cells": ("Cell,Mean amplitude (pA)\na,12\nb,11\n", "no column that holds amplitudes by its name"),
    "one name twice": ("Amplitude,t,Amplitude\n1,2,3\n4,5,6\n", "several columns.*minis.txt::1, by its place"),
    "half a quotation": ('Amplitude (pA),Note\n12,ok\n11,"big\n10,ok\n', "row 3 has a cell of several lines"),
    "statistics": ("Event,Amplitude (pA)\n1,12\n2,10\nMean,11\n", "row 4 holds statistics.*'Mean'"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_table_is_named(case, tmp_path):
    text, said = BAD[case]
    with pytest.raises(EphysplastError, match=said):
        read_minis(written(tmp_path / "minis.txt", text))


def test_a_column_that_is_not_there_and_a_file_that_is_not_there(tmp_path):
    path = table(tmp_path)
    with pytest.raises(EphysplastError, match=r"has no column 'Amplitud'.*did you mean 'Amplitude"):
        read_minis(path, column="Amplitud")
    for column in ("0", "9"):
        with pytest.raises(EphysplastError, match=rf"has no column '{column}'"):
            read_minis(path, column=column)
    with pytest.raises(EphysplastError, match=r"absent\.csv cannot be opened"):
        read_minis(tmp_path / "absent.csv")
    with pytest.raises(EphysplastError, match=f"{tmp_path.name}: is a folder"):
        read_minis(tmp_path)
    with pytest.raises(EphysplastError, match=r"column 'Charge .pC.' holds no amplitudes.*Got: pC"):
        read_minis(written(tmp_path / "c.csv", "Amplitude (pA),Charge (pC)\n1,2\n3,4\n"), column="Charge (pC)")
    with pytest.raises(EphysplastError, match="not a text file"):
        read_minis(written(tmp_path / "b.csv", "a\0b"))


# ---- from amplitudes to a size


def test_minis_give_their_mean_with_a_factor_of_two_either_way(tmp_path):
    size = size_from_minis(MiniTable(path=table(tmp_path)), unit="pA", polarity=-1)
    assert size.value == pytest.approx(FOUND.mean(), abs=1e-4)  # written with four decimals
    # exp(1.96 · .35) is 1.99; the SE of 300 minis, 3 %, adds next to nothing.
    assert size.value / size.low == pytest.approx(size.high / size.value) == pytest.approx(1.99, abs=0.01)
    assert "minis.csv: mean of 300 minis" in size.source
    middle = size_from_minis(
        MiniTable(path=tmp_path / "minis.csv"), unit="pA", config=MiniSizeConfig(statistic="median")
    )
    assert middle.value == pytest.approx(np.median(FOUND), abs=1e-4)


def test_too_few_minis_are_no_size_and_say_so(tmp_path):
    size = size_from_minis(MiniTable(path=table(tmp_path, amplitude=-FOUND[:12])), unit="pA")
    assert size.status == "12 minis are too few: 20 are needed"


def test_another_unit_or_direction_is_refused(tmp_path):
    minis = MiniTable(path=table(tmp_path))
    with pytest.raises(EphysplastError, match=r"minis.csv, column 'Amplitude .pA.'.*another unit.*responses in mV"):
        size_from_minis(minis, unit="mV")
    with pytest.raises(EphysplastError, match=r"the minis go down, and the response goes up.*mean of −1"):
        size_from_minis(minis, unit="pA", polarity=1)
    # Magnitudes say nothing of the direction.
    assert size_from_minis(MiniTable(path=table(tmp_path, amplitude=FOUND)), unit="pA", polarity=-1).status == OK


@given(
    factor=st.sampled_from([("pA", 1.0), ("nA", 1e-3), ("µA", 1e-6), ("fA", 1e3)]),
    sign=st.sampled_from([-1.0, 1.0]),
    seed=st.integers(0, 1000),
)
@settings(max_examples=20, deadline=None)
def test_neither_unit_nor_sign_changes_a_size(factor, sign, seed, tmp_path_factory):
    unit, scale = factor
    drawn = np.random.default_rng(seed).gamma(3.0, 5.0, 60) + 0.1
    folder = tmp_path_factory.mktemp("minis")
    path = table(folder, amplitude=sign * scale * drawn, head=f"t\tAmplitude ({unit})\trise", form="{:.12g}")
    found = size_from_minis(MiniTable(path=path), unit="pA")
    plain = size_from_minis(MiniTable(path=table(folder, "p.csv", drawn, form="{:.12g}")), unit="pA")
    # Twelve digits are written.
    np.testing.assert_allclose([found.value, found.low, found.high], [plain.value, plain.low, plain.high], rtol=1e-10)


def test_a_number_is_as_loose_as_minis_and_its_sign_is_dropped():
    size = size_from_number(-12.0, unit="pA")
    assert (size.value, size.log_sd) == (12.0, 0.35)
    assert size_from_number(12.0, unit="pA", config=MiniSizeConfig(extra_log_sd=0.1)).log_sd == pytest.approx(0.1)
    with pytest.raises(EphysplastError, match="impossible"):
        size_from_number(0.0, unit="pA")


def test_minimal_stimulation_holds_the_quantal_size_for_any_number_of_sites():
    rng = np.random.default_rng(3)
    for n, p in ((1, 0.4), (3, 0.15)):
        amplitude = 12.0 * rng.binomial(n, p, 400) + rng.normal(0.0, 1.0, 400)
        size = size_from_minimal(amplitude, rng.normal(0.0, 1.0, 400), unit="pA", rng=rng)
        assert size.low < 12.0 < size.high  # 400 sweeps, and the interval holds one site as well as many
    assert size_from_minimal(np.full(5, np.nan), np.zeros(5), unit="pA", rng=rng) is None
    unmeasured = size_from_minimal(amplitude, np.full(400, np.nan), unit="pA", rng=rng)
    assert "noise of the sweeps of the phase minimal was not measured" in unmeasured.status
    reversed_ = size_from_minimal(-amplitude, rng.normal(0.0, 1.0, 400), unit="pA", rng=rng)
    assert "the responses go the other way: a mean of \u2212" in reversed_.status


def test_a_size_is_said_with_its_interval_and_against_what_was_found():
    size = QuantalSize(value=12.4, log_sd=0.35, low=6.2, high=24.7, source="mean of 312 minis", unit="pA")
    assert size_in_words(None, (), unit="pA") == ""
    with pytest.raises(EphysplastError, match="unit of the quantal size"):
        size_estimate(size, unit="mV")
    for q, leads_away in ((12.0, False), (40.0, True), (3.0, True)):
        found = Estimate(value=q)
        release = ReleaseEstimate(
            locus="q", probability=0.9, n_before=found, n_after=found, p_before=found, p_after=found,
            q_before=found, q_after=found,
        )  # fmt: skip
        said = size_in_words(size_estimate(size, unit="pA"), [release], unit="pA")
        assert said.startswith("quantal size beforehand 12.4 pA [6.2, 24.7] (mean of 312 minis)")
        assert (f"lead away, to {q:g} pA" in said) == leads_away
    missing = QuantalSize(value=np.nan, log_sd=np.nan, source="minis", status="3 minis are too few", unit="pA")
    assert size_in_words(size_estimate(missing, unit="pA"), (), unit="pA").endswith("used: 3 minis are too few")


# ---- `ephysplast locus`


def quanta(rng, n, p, q, sweeps):
    released = rng.binomial(n, p, sweeps)
    return q * released + 0.3 * q * np.sqrt(released) * rng.normal(size=sweeps)


def cell(seed, before=(8, 0.3, 10.0), after=(8, 0.6, 10.0), *, sweeps=(60, 120), noise=4.0):
    """Inward currents in pA, one pulse, 10 s apart."""
    rng = np.random.default_rng(seed)
    amplitude = np.concatenate([quanta(rng, *each, n) for each, n in zip((before, after), sweeps, strict=True)])
    n = sum(sweeps)
    return pd.DataFrame(
        {
            "time_s": 10.0 * np.arange(n),
            "phase": np.repeat(["baseline", "post"], sweeps),
            "amplitude_pA": -(amplitude + rng.normal(0.0, noise, n)),
            "noise_pA": rng.normal(0.0, noise, n),
        }
    )


def run(*words, code=0):
    result = CliRunner().invoke(APP, [str(each) for each in words])
    if isinstance(result.exception, EphysplastError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def folder(tmp_path, monkeypatch):
    # The settings of the file, read once.
    monkeypatch.setattr("ephysplast.study.settings.load_settings", lambda _: FAST)
    cell(1).to_csv(tmp_path / "cells.csv", index=False)
    written(tmp_path / "settings.toml", QUICK_TOML)
    table(tmp_path)
    return tmp_path


def test_one_size_for_several_cells_is_said(folder, monkeypatch):
    monkeypatch.setattr("ephysplast.study.amplitude_batch.judge_table", lambda *_, **__: ())
    monkeypatch.setattr("ephysplast.study.amplitude_batch.locus_table", lambda _: pd.DataFrame())
    pd.concat([cell(seed).assign(cell=str(seed)) for seed in (1, 2)]).to_csv(folder / "cells.csv", index=False)
    for words in (["--minis", folder / "minis.csv"], ["--quantal-size", 12]):
        assert "one quantal size is taken for all 2 cells" in run(folder / "cells.csv", *words, "-o", folder / "out")
    assert "one quantal size" not in run(folder / "cells.csv", "-o", folder / "out")


def row_of(folder):
    (row,) = pd.read_csv(folder / "out" / "locus.csv").to_dict("records")
    return row


def test_minis_are_named_read_aloud_and_written(folder):
    read = run(folder / "cells.csv", "--minis", folder / "minis.csv", "-o", folder / "out", "--no-figures")
    assert "minis: 300 amplitudes from 'Amplitude (pA)' of minis.csv" in read
    row = row_of(folder)
    assert row["prior q"] == pytest.approx(FOUND.mean(), abs=1e-4)
    assert row["prior q low"] < row["prior q"] < row["prior q high"]
    said = re.search(r"quantal size beforehand ([\d.]+) pA \[([\d.]+), ([\d.]+)\] \((.*?),", row["locus_sentence"])
    numbers = [float(each) for each in said.groups()[:3]]
    assert numbers == pytest.approx([row["prior q"], row["prior q low"], row["prior q high"]], rel=5e-3)  # three digits
    assert said[4] == "minis.csv: mean of 300 minis"


def test_the_three_ways_to_say_a_size_are_one(folder):
    """A column, an option and minis of one value for all, each with the same prior, give the same probabilities."""
    out = folder / "out"
    run(folder / "cells.csv", "--quantal-size", "12.5", "-o", out, "--no-figures")
    told = row_of(folder)
    for name, values in {"quantal_size": 12.5, "Quantal size (nA)": 0.0125, "quantal_size_pA": -12.5}.items():
        cell(1).assign(**{name: values, "cell": "cells"}).to_csv(folder / "cells.csv", index=False)
        run(folder / "cells.csv", "-o", out, "--no-figures")
        again = row_of(folder)
        for each in ("prior q", "probability p", "probability n", "probability q", "probability p+q"):
            assert again[each] == pytest.approx(told[each], rel=1e-6)
    run(folder / "cells.csv", "--quantal-size", "6", "-o", out, "--no-figures")
    assert row_of(folder)["prior q"] == 6.0  # what is told wins over the column


def test_sweeps_of_minimal_stimulation_are_not_judged_and_say_how_large_a_quantum_is(folder):
    rng = np.random.default_rng(5)
    amplitude = 12.0 * rng.binomial(1, 0.4, 200) + rng.normal(0.0, 1.0, 200)
    minimal = pd.DataFrame({"time_s": 1e4 + np.arange(200.0), "phase": "Minimal", "amplitude_pA": -amplitude})
    minimal["noise_pA"] = rng.normal(0.0, 1.0, 200)
    both = pd.concat([cell(1), minimal])
    both.to_csv(folder / "cells.csv", index=False)
    said = run(folder / "cells.csv", "-o", folder / "out", "--no-figures")
    assert "200 sweeps of minimal stimulation say how large a quantum is" in said
    row = row_of(folder)
    assert (row["n_baseline"], row["n_post"]) == (60, 120)
    assert row["prior q low"] < 12.0 < row["prior q high"]
    assert "of minimal stimulation, one to many sites" in row["locus_sentence"]
    # In noise as large as the responses failures cannot be told: the size is not used, and that is said.
    noisy = both.assign(noise_pA=both["noise_pA"] * np.where(both["phase"] == "Minimal", 8.0, 1.0))
    noisy.to_csv(folder / "cells.csv", index=False)
    run(folder / "cells.csv", "-o", folder / "out", "--no-figures")
    unused = row_of(folder)
    assert np.isnan(unused["prior q"])
    assert "no quantal size was used: " in unused["locus_sentence"]


def test_minimal_stimulation_in_another_unit_is_refused_and_that_of_the_control_pathway_is_not_judged(folder):
    rng = np.random.default_rng(5)
    amplitude, noise = 12.0 * rng.binomial(1, 0.4, 100) + rng.normal(0.0, 1.0, 100), rng.normal(0.0, 1.0, 100)
    minimal = pd.DataFrame({"time_s": 1e4 + np.arange(100.0), "phase": "minimal", "noise_pA": noise})
    minimal["amplitude_pA"] = -amplitude
    small = minimal.assign(amplitude_pA=-1e-3 * amplitude, noise_pA=1e-3 * noise)  # nA under a name that says pA
    pd.concat([cell(1), small]).to_csv(folder / "cells.csv", index=False)
    run(folder / "cells.csv", "-o", folder / "out", "--no-figures", code=1)
    assert "out of all measure" in row_of(folder)["status"]
    test, control = (pd.concat([cell(seed), minimal]) for seed in (1, 2))
    pathways = pd.concat([test.assign(pathway="test"), control.assign(pathway="control")])
    pathways.to_csv(folder / "cells.csv", index=False)
    run(folder / "cells.csv", "-o", folder / "out", "--no-figures")
    row = row_of(folder)
    assert (row["n_baseline"], row["n_post"]) == (60, 120)
    assert "100 sweeps of minimal stimulation" in row["notes"]


def test_the_users_own_word_for_a_phase_may_be_minimal(folder):
    cell(1).replace({"phase": {"baseline": "minimal"}}).to_csv(folder / "cells.csv", index=False)
    run(folder / "cells.csv", "--baseline", "minimal", "-o", folder / "out", "--no-figures")
    assert row_of(folder)["n_baseline"] == 60


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (["--minis", "minis.csv", "--quantal-size", "12"], SettingsError, "both say how large"),
        (["--quantal-size", "-3"], SettingsError, "--quantal-size is impossible"),
        (["--quantal-size", "inf"], SettingsError, "--quantal-size is impossible"),
        (["--quantal-size", "nan"], SettingsError, "--quantal-size is impossible"),
        (["--minis", "none.csv"], EphysplastError, "none.csv cannot be opened"),
        (["--minis", "minis.csv::Ampl"], EphysplastError, "has no column .Ampl."),
        (["-c", "quantal_size=noise_mV"], EphysplastError, "unit of 'noise_mV' is not that of the amplitudes"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(words, kind, said, folder, monkeypatch):
    monkeypatch.chdir(folder)
    cell(1).assign(noise_mV=1.0).to_csv(folder / "cells.csv", index=False)
    with pytest.raises(kind, match=said):
        run("cells.csv", *words, "-o", "out")
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("columns", "words", "said"),
    [
        ({"quantal_size": [12.5] * 179 + [13.0]}, [], "two sizes for one cell.*'12.5' in row 2 and '13.0' in row 181"),
        ({"quantal_size": 0}, [], "no magnitude.*'0.0' in row 2"),
        ({"quantal_size": "big"}, [], "'quantal_size' is not a number.*'big' in row 2"),
        ({}, ["--quantal-size", "0.012"], "out of all measure.*0.012 pA and a mean response of 2"),
        ({}, ["--quantal-size", "12000"], "out of all measure"),
        ({}, ["--minis", "potentials.csv"], "another unit"),
    ],
)
def test_a_size_that_cannot_be_is_an_error_of_its_cell(columns, words, said, folder, monkeypatch):
    monkeypatch.chdir(folder)
    written(folder / "potentials.csv", "Amplitude (mV)\n" + "0.5\n" * 30)
    # The other cell has nothing wrong but the option, which holds for all.
    good, bad = cell(2).assign(cell="good"), cell(1).assign(cell="bad", **columns)
    pd.concat([good, bad] if columns else [bad]).to_csv(folder / "cells.csv", index=False)
    run("cells.csv", *words, "-o", "out", "--no-figures", code=1)
    rows = pd.read_csv(folder / "out" / "locus.csv").set_index("experiment")
    status = rows.loc["bad", "status"].replace("row 182", "row 2").replace("row 361", "row 181")
    assert re.search(said, status), status
    assert not columns or rows.loc["good", "sign"] == "LTP"


# 20 sites of p .05 whose quanta grow from 10 to 16 pA, 60 and 120 sweeps: about half are undetermined.
GROWN = {"before": (20, 0.05, 10.0), "after": (20, 0.05, 16.0)}


@pytest.mark.slow
def test_a_known_quantal_size_speaks_for_the_truth(tmp_path):
    # Asynchronous quanta of the same synapse (in strontium): nothing but sampling and filtering lies between.
    config = ClassifyConfig(locus=LocusConfig(minis=MiniSizeConfig(extra_log_sd=0.15)))
    without, with_size = [], []
    for seed in range(300, 336):
        cell(seed, **GROWN).to_csv(tmp_path / "cell.csv", index=False)
        minis = table(tmp_path, amplitude=-np.random.default_rng(seed + 1000).gamma(11.0, 10.0 / 11.0, 300))
        (made,) = read_amplitudes(tmp_path / "cell.csv")
        for known, verdicts in ((None, without), (MiniTable(path=minis), with_size)):
            rng = np.random.default_rng(seed)
            sized = with_quantal_size(made, rng=rng, minis=known, config=config.locus.minis)
            verdicts.append(judge_amplitudes(sized, rng=rng, config=config))
    asked = [pair for pair in zip(without, with_size, strict=True) if all(each.locus_probabilities for each in pair)]
    assert len(asked) >= 18
    assert {each.locus for pair in asked for each in pair} == {"post", "undetermined"}
    odds = np.array([[special.logit(each.locus_probabilities["q"]) for each in pair] for pair in asked])
    gain = odds[:, 1] - odds[:, 0]
    # In one cell or another it may speak against the truth, but not on average: two standard errors.
    assert gain.mean() > 2.0 * gain.std(ddof=1) / np.sqrt(gain.size)
    # And some that were open are answered.
    assert sum(before.locus == "undetermined" and after.locus == "post" for before, after in asked) >= 1


# ---- the manifest


NAME = "pc_pc_ltp_pre"


def manifest(sample_data, folder, name="m.csv", **columns):
    """Write the rows of one sample experiment, with columns changed or added; a function is given each row."""
    with (sample_data / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == NAME]
    for row in rows:
        row["file"] = str((sample_data / row["file"]).resolve())
        row["opsin"] = "yes"  # one pulse is weighed, which takes a third of the time and concerns no size
        row |= {key: value(row) if callable(value) else value for key, value in columns.items()}
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder / name


def loaded(*where, **columns):
    (experiment,) = load_manifest(manifest(*where, **columns))
    return experiment


def test_minis_of_a_manifest_are_the_prior_and_the_tables_say_so(sample_data, tmp_path):
    (tmp_path / "sub").mkdir()
    table(tmp_path / "sub")
    experiment = loaded(sample_data, tmp_path, minis="sub\\minis.csv::Amplitude (pA)")
    (outcome,) = run_study([experiment], tmp_path / "out", settings=FAST, figures=False)
    assert not outcome.failed, outcome.message
    (row,) = study_table(tmp_path / "out", "experiments").to_dict("records")
    assert row["prior_q"] == pytest.approx(FOUND.mean(), abs=1e-4)
    assert row["minis"] == "sub\\minis.csv::Amplitude (pA)"
    assert "quantal size beforehand" in row["locus_sentence"]
    # The same minis beside the study's own sweeps: the same prior, and the same question.
    written(tmp_path / "s.toml", QUICK_TOML)
    words = ["--minis", tmp_path / "sub" / "minis.csv", "-s", tmp_path / "s.toml", "--no-figures", "--opsin"]
    tables = {each: each.read_bytes() for each in (tmp_path / "out").glob("*.csv")}
    run(tmp_path / "out" / "sweeps.csv", *words, "-o", tmp_path / "out")
    assert all(path.read_bytes() == kept for path, kept in tables.items())  # the study's own are left alone
    (again,) = pd.read_csv(tmp_path / "out" / "locus.csv").to_dict("records")
    for ours, theirs in (("prior q", "prior_q"), ("prior q low", "prior_q_low"), ("prior q high", "prior_q_high")):
        assert again[ours] == pytest.approx(row[theirs], rel=1e-12)
    size = re.compile(r"quantal size beforehand [^;]*")
    assert size.search(again["locus_sentence"])[0] == size.search(row["locus_sentence"])[0]
    # Estimates of release have one shape, whichever command wrote them.
    first = pd.read_csv(tmp_path / "out" / "release.csv")
    second = pd.read_csv(tmp_path / "out" / "locus_release.csv")
    assert list(first.columns) == list(second.columns)
    assert list(first.columns[:5]) == ["experiment", "locus", "probability", "quantity", "unit"]
    keys = ["experiment", "locus", "quantity", "unit"]
    pd.testing.assert_frame_equal(first[keys], second[keys])


def test_a_number_in_the_manifest_may_have_its_unit_and_a_comma(sample_data, tmp_path):
    result = analyse_experiment(loaded(sample_data, tmp_path, quantal_size="9.5"), settings=FAST)
    assert result.verdict.quantal_size.value == 9.5
    held = {"table": result.pathways["test"].table, "polarity": -1, "settings": FAST}
    for text in ("9,5 pA", "0.0095 nA", "\u22129.5"):
        size = quantal_size_of(loaded(sample_data, tmp_path, quantal_size=text), **held)
        assert (size.value, size.low) == pytest.approx((9.5, result.verdict.quantal_size.low))
    for text in ("?", "", "n/a"):
        assert quantal_size_of(loaded(sample_data, tmp_path, quantal_size=text), **held) is None


def test_a_phase_of_minimal_stimulation_never_enters_baseline_or_post(sample_data, tmp_path):
    """The first third of the baseline, where three in ten sweeps fail, is called minimal."""
    with (sample_data / "manifest.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["experiment"] == NAME]
    n = int(pd.read_csv(sample_data / "truth.csv").set_index("experiment").loc[NAME, "baseline_sweeps"])
    rows = [{**row, "file": str((sample_data / row["file"]).resolve()), "opsin": "yes"} for row in rows]
    baseline = next(row for row in rows if row["phase"] == "baseline")
    split = [{**baseline, "phase": "Minimal stimulation", "sweeps": "1-40"}, {**baseline, "sweeps": f"41-{n}"}]
    path = tmp_path / "m.csv"
    pd.DataFrame([*split, *(row for row in rows if row is not baseline)]).to_csv(path, index=False)
    (experiment,) = load_manifest(path)
    result = analyse_experiment(experiment, settings=FAST)
    assert result.verdict.n_baseline <= n - 40
    assert {"minimal", "baseline", "post"} <= set(result.pathways["test"].table.phase.tolist())
    assert (
        "of minimal stimulation" in result.verdict.locus_sentence or "no quantal size" in result.verdict.locus_sentence
    )


def test_minimal_stimulation_may_have_one_pulse(sample_data, tmp_path):
    path = manifest(sample_data, tmp_path)
    rows = pd.read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    baseline = next(row for row in rows if row["phase"] == "baseline")
    # The truth of the sample: pulses at 30 and 80 ms; the same sweeps, read at one.
    minimal = {**baseline, "phase": "minimal_stimulation", "sweeps": "1-40", "stimulus": "0.03"}
    split = [minimal, {**baseline, "sweeps": "41-60"}, *(row for row in rows if row is not baseline)]
    both = {}
    for name, first in (("one", minimal), ("two", {**minimal, "stimulus": "auto"})):
        pd.DataFrame([first, *split[1:]]).to_csv(path, index=False)
        (outcome,) = run_study(load_manifest(path), tmp_path / name, settings=FAST, figures=False)
        assert not outcome.failed, outcome.message
        responses = study_table(tmp_path / name, "responses").set_index(["phase", "pulse"])
        both[name] = responses["mean_amplitude"]
    assert both["one"].loc["minimal"].index.tolist() == [1]
    assert both["one"].loc["baseline"].index.tolist() == [1, 2]
    # The stimulus is found to 1 ms, and the reading is taken at the latency of the mean response.
    assert both["one"]["minimal", 1] == pytest.approx(both["two"]["minimal", 1], rel=0.05)
    assert both["one"]["baseline", 2] == pytest.approx(both["two"]["baseline", 2], rel=1e-12)


@pytest.mark.parametrize("word", ["n/a", "?", "\u2013", "unknown"])
def test_a_column_that_says_nothing_is_no_second_size(word, sample_data, tmp_path):
    assert loaded(sample_data, tmp_path, minis=word, quantal_size="12").minis is None
    assert loaded(sample_data, tmp_path, minis="minis.csv", quantal_size=word).minis.path.name == "minis.csv"
    assert loaded(sample_data, tmp_path, quantal_size=word, response="fEPSP").response == "fEPSP"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"minis": "m.csv", "quantal_size": "12"}, [NAME, "minis and quantal_size both say"]),
        ({"quantal_size": "12", "response": "fEPSP"}, ["quantal_size is for responses of one cell", "response fEPSP"]),
        ({"minis": lambda row: row["phase"] + ".csv"}, ["minis differs between its rows", "baseline.csv"]),
        ({"quantal_sise": "12"}, ["did you mean 'quantal_size'"]),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(columns, words, sample_data, tmp_path):
    with pytest.raises(ManifestError) as caught:
        loaded(sample_data, tmp_path, **columns)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"quantal_size": "about 12"}, "quantal_size is no magnitude.*'about 12'"),
        ({"quantal_size": "minis.csv"}, "belongs into the column minis"),
        ({"quantal_size": "0.4 mV"}, "another unit than the responses.*'0.4 mV'"),
        ({"quantal_size": "0.012"}, f"experiment {NAME}: the quantal size is out of all measure"),
        ({"minis": "absent.csv"}, "absent.csv cannot be opened"),
    ],
)
def test_a_size_that_cannot_be_fails_its_experiment(columns, said, sample_data, tmp_path):
    experiment = loaded(sample_data, tmp_path, **columns)
    with pytest.raises(EphysplastError, match=said):
        analyse_experiment(experiment, settings=FAST)


def test_minis_that_changed_make_it_run_again(sample_data, tmp_path):
    path = table(tmp_path)
    experiment = loaded(sample_data, tmp_path, minis="minis.csv")
    first = _key(experiment, FAST)
    assert _key(replace(experiment), FAST) == first
    written(path, path.read_text() + "9999\t-12.0\t1\n")
    assert _key(experiment, FAST) != first
