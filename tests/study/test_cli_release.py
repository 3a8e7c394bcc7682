"""The command for release conditions and trains: what it prints, writes and refuses."""

import re

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from ephysplast.cli_release import release
from ephysplast.errors import EphysplastError
from ephysplast.study import release_batch

APP = typer.Typer()
APP.command()(release)

HOSTILE = "../[red]c\x1b[31m=1"


def cell(seed, *, conditions=(("1 mM", 0.1), ("2 mM", 0.5), ("4 mM", 0.9)), pulses=1, sweeps=60):
    """Return a table of six sites of 10 pA in noise of 1 pA; each pulse finds half of the sites of the one before."""
    rng = np.random.default_rng(seed)
    frames = []
    for word, p in conditions:
        share = p * 0.5 ** np.arange(pulses)
        amplitude = 10.0 * rng.binomial(6, share, (sweeps, pulses)) + rng.normal(0.0, 1.0, (sweeps, pulses))
        frames.append(
            pd.DataFrame(
                {
                    "condition": word,
                    "sweep": np.repeat(np.arange(1, sweeps + 1), pulses),
                    "pulse": np.tile(np.arange(1, pulses + 1), sweeps),
                    "amplitude (pA)": -amplitude.reshape(-1),
                    "noise": np.repeat(rng.normal(0.0, 1.0, sweeps), pulses),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def phases(seed):
    return cell(seed, conditions=(("baseline", 0.3), ("post", 0.7)), pulses=4)


@pytest.fixture
def folder(tmp_path):
    """Three cells, the second of which has a word among its numbers; and one with trains, as German Excel writes it."""
    broken = cell(2).assign(cell="b").astype({"amplitude (pA)": object})
    broken.loc[5, "amplitude (pA)"] = "=cmd()"
    cells = pd.concat([cell(1).assign(cell="a"), broken, cell(3, sweeps=4).assign(cell=HOSTILE)])
    cells.to_csv(tmp_path / "cells.csv", index=False)
    phases(1).to_csv(tmp_path / "one.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    return tmp_path


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    """A run with figures: trains of a cell with a hostile name, and a cell of which nothing can be said."""
    folder = tmp_path_factory.mktemp("odd")
    single = cell(2, conditions=(("all", 0.5),)).assign(cell="=1+1")
    cells = pd.concat([phases(1).assign(cell=HOSTILE), single])
    cells.to_csv(folder / "odd.csv", index=False, sep=";", decimal=",", encoding="cp1252")
    said = run(folder / "odd.csv", "-o", folder / "new" / "folder", "--frequency-hz", "20")
    return said, folder / "new" / "folder"


def run(*words, code=0):
    """Return what was printed; the mistakes of a user come out as the errors that the command line writes."""
    result = CliRunner().invoke(APP, [str(each) for each in words])
    if isinstance(result.exception, EphysplastError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def of_trains(path):
    """Return the rows of the cell that has trains."""
    rows = pd.read_csv(path)
    return rows[rows["experiment"] == HOSTILE]


def test_trains_are_read_aloud_fitted_compared_and_written(odd):
    said, out = odd
    assert "sweeps of 4 pulses: 60 (baseline) and 60 (post)" in said
    assert "pulses every 50 ms, as told" in said
    assert "responses are negative" in said
    assert "CV of 0.3 within and 0.3 between sites" in said
    assert {each.name for each in out.glob("*.csv")} == {"answers.csv", "tsodyks_markram.csv", "variance_mean.csv"}
    words = of_trains(out / "answers.csv").set_index(["analysis", "of"])["in_words"]
    whose = ["pulses of baseline", "pulses of post", "baseline", "post", "post / baseline"]
    assert words.index.get_level_values("of").tolist() == whose
    points = of_trains(out / "variance_mean.csv")
    assert points["condition"].tolist() == 2 * [f"pulse {k}" for k in (1, 2, 3, 4)]
    assert points["of"].tolist() == 4 * ["baseline"] + 4 * ["post"]
    assert set(points["unit"]) == {"pA"}
    rows = of_trains(out / "tsodyks_markram.csv")
    assert rows["condition"].unique().tolist() == ["baseline", "post", "post / baseline"]
    fit = rows[rows["condition"] == "post"].set_index("quantity")
    assert fit.loc["d", "unit"] == "ms"
    assert fit.loc["first", "unit"] == "pA"
    # Mean of the first pulse: 6 sites of 10 pA at 0.7, SE 11 pA / √60; four of them.
    assert fit.loc["first", "value"] == pytest.approx(42.0, abs=4 * 11 / np.sqrt(60))


def test_conditions_give_quanta_and_sites(folder):
    said = run(
        folder / "cells.csv", "-o", folder / "out", "--no-figures", "--cv-within", "0", "--cv-between", "0", code=1
    )
    rows = pd.read_csv(folder / "out" / "variance_mean.csv")
    a = rows[rows["experiment"] == "a"]
    assert a["condition"].tolist() == ["1 mM", "2 mM", "4 mM"]
    assert (a["q_low"] < 10.0).all()
    assert (a["q_high"] > 10.0).all()
    assert (a["n_low"] < 6.0).all()
    assert (a["n_high"] > 6.0).all()
    assert "not possible: one pulse in a sweep" in re.sub(r"[\s│]+", " ", said)


def test_one_bad_cell_is_an_error_row_and_stops_nothing(folder):
    said = run(folder / "cells.csv", "-o", folder / "out", "--no-figures", code=1)
    assert "\x1b" not in said
    assert "[red]c" in said
    for name in ("variance_mean.csv", "tsodyks_markram.csv"):
        rows = pd.read_csv(folder / "out" / name).set_index("experiment")
        assert set(rows.index) == {"a", "b", HOSTILE}
        assert "'=cmd()' in row 187" in rows.loc["b", "status"]
    few = pd.read_csv(folder / "out" / "variance_mean.csv").set_index("experiment").loc[HOSTILE]
    assert few["status"].str.contains("sweeps or more").all()


def test_the_seed_decides_and_not_what_else_is_in_the_table(folder):
    def numbers(table, *words):
        run(table, "-o", folder / "out", "--no-figures", *words, code=1 if table.stem == "cells" else 0)
        rows = pd.read_csv(folder / "out" / "variance_mean.csv").set_index("experiment")
        return rows.loc["a", ["q_low", "q_high", "n_low"]].to_numpy(float)

    cell(1).assign(cell="a").to_csv(folder / "alone.csv", index=False)
    first = numbers(folder / "alone.csv")
    np.testing.assert_array_equal(numbers(folder / "cells.csv"), first)
    assert (numbers(folder / "alone.csv", "--seed", "5") != first).any()


def test_figures_have_harmless_names_in_three_formats(odd):
    _, out = odd
    assert set(pd.read_csv(out / "variance_mean.csv")["experiment"]) == {HOSTILE, "'=1+1"}
    figures = [each for each in out.iterdir() if each.suffix not in (".csv", ".sqlite")]
    # The second cell has neither conditions nor trains: there is nothing to draw, and the tables say why.
    assert sorted(each.suffix for each in figures) == [".pdf", ".png", ".svg"]
    assert all(re.fullmatch(r"release_[A-Za-z0-9_\-]+\.(png|svg|pdf)", each.name) for each in figures)
    (drawn,) = (each.read_text(encoding="utf-8") for each in figures if each.suffix == ".svg")
    for words in ("Pulses of baseline", "Train, post", "What changed, post / baseline", "mean amplitude (pA)"):
        assert words in drawn


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["absent.csv"], "absent.csv cannot be opened"),
        (["one.csv", "-c", "conditon=noise"], "did you mean 'condition'"),
        (["one.csv", "-c", "pulse_time=noise", "--time-unit", "ms"], "'noise' do not ascend"),
        (["one.csv", "--frequency-hz", "20", "--interval-ms", "50"], "twice"),
        (["one.csv", "--frequency-hz", "0"], "frequency"),
        (["one.csv", "--noise-sd", "-1"], "SD of the noise"),
        (["one.csv", "--baseline", "first"], "--baseline"),
        (["one.csv", "--unit", "mV"], "the unit that was told"),
    ],
)
def test_mistakes_are_said_before_anything_is_written(words, said, folder, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(EphysplastError, match=said):
        run(*words, "-o", "out")
    assert not (folder / "out").exists()


def test_an_interval_is_a_frequency(folder):
    tables = []
    for how in (("--interval-ms", "50"), ("--frequency-hz", "20")):
        run(folder / "one.csv", *how, "-o", folder / "out", "--no-figures")
        tables.append(pd.read_csv(folder / "out" / "tsodyks_markram.csv"))
    assert tables[0]["value"].notna().any()
    pd.testing.assert_frame_equal(*tables)


def test_what_nobody_foresaw_is_an_error_row_with_its_traceback(folder, monkeypatch):
    analyse = release_batch.analyse_release

    def broken(made, **how):
        return 1 / 0 if made.name == "a" else analyse(made, **how)

    monkeypatch.setattr(release_batch, "analyse_release", broken)
    run(folder / "cells.csv", "-o", folder / "out", "--no-figures", code=1)
    row = pd.read_csv(folder / "out" / "variance_mean.csv").set_index("experiment").loc["a"]
    assert row["status"] == "failed: unexpected ZeroDivisionError: division by zero"
    errors = pd.read_csv(folder / "out" / "release_errors.csv").set_index("experiment")
    assert "in broken" in errors.loc["a", "traceback"]


def test_answers_are_kept_when_their_figure_fails(folder, monkeypatch):
    def broken(*_, **__):
        raise OSError(28, "no room on the disk")

    monkeypatch.setattr("ephysplast.plotting.save_figure", broken)
    cell(1).assign(cell="a").to_csv(folder / "alone.csv", index=False)
    run(folder / "alone.csv", "-o", folder / "out", code=1)
    rows = pd.read_csv(folder / "out" / "variance_mean.csv")
    assert rows["q"].notna().sum() == 3
    assert "no room on the disk" in pd.read_csv(folder / "out" / "release_errors.csv").loc[0, "error"]


def test_an_interrupted_run_keeps_what_was_done_and_goes_on(folder, monkeypatch):
    analyse, seen = release_batch.analyse_release, []

    def interrupted(made, **how):
        if seen == ["a"]:
            seen.append("interrupted")
            raise KeyboardInterrupt
        seen.append(made.name)
        return analyse(made, **how)

    monkeypatch.setattr(release_batch, "analyse_release", interrupted)
    pd.concat([cell(1).assign(cell=each) for each in "ab"]).to_csv(folder / "two.csv", index=False)
    words = (folder / "two.csv", "-o", folder / "out", "--no-figures")
    run(*words, code=130)
    assert set(pd.read_csv(folder / "out" / "variance_mean.csv")["experiment"]) == {"a"}
    assert "1 unchanged since the last run, 1 done" in run(*words)
    assert set(pd.read_csv(folder / "out" / "variance_mean.csv")["experiment"]) == {"a", "b"}
    assert "2 done" in run(*words, "--cv-within", "0.2")


def test_the_program_has_the_command():
    from ephysplast.cli import app

    assert "pulse_time_s" in CliRunner().invoke(app, ["release", "--help"]).output
