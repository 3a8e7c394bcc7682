"""The cell itself as people hand it in: other words, odd numbers, channels that do not fit, folders without phases."""

import csv
import math
import re
import shutil
from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd
import pytest

from ephysplast.errors import ChannelError, EphysplastError, ManifestError, SettingsError
from ephysplast.experiment import CELL_KINDS, Experiment, Pathway, Segment
from ephysplast.io import read
from ephysplast.io.abf_writer import write_abf
from ephysplast.report import write_report
from ephysplast.study import (
    Settings,
    analyse_experiment,
    load_manifest,
    load_settings,
    run_study,
    settings_from,
    to_toml,
)
from ephysplast.study.draft import cell_kind, draft_manifest
from ephysplast.study.sentences import changes_in_words, interval_in_words
from ephysplast.study.tables import in_order
from ephysplast.synthesis.cell_experiments import make_cell_experiment
from ephysplast.synthesis.cell_sample import cell_plans
from ephysplast.synthesis.cell_truth import SeriesPlan
from ephysplast.synthesis.dataset import manifest_rows, write_file
from ephysplast.verdict import Evidence, Verdict


@pytest.fixture(scope="module")
def asked(sample_data):
    return {each.name: each for each in load_manifest(sample_data / "manifest.csv") if each.response in CELL_KINDS}


def with_metadata(experiment, **cells):
    return replace(experiment, metadata={**experiment.metadata, **cells})


def one_phase(experiment, phase, **columns):
    pathway = experiment.pathways[0]
    segments = tuple(replace(each, **columns) for each in pathway.segments if each.phase == phase)
    return replace(experiment, pathways=(replace(pathway, segments=segments),))


def lonely(path, response, **columns):
    segment = Segment(path=path, phase="baseline", row=2, **columns)
    return Experiment(name="x", response=response, pathways=(Pathway(segments=(segment,)),))


def written(tmp_path, rows):
    path = tmp_path / "m.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("excitabilty", "did you mean 'excitability'"),
        ("rheobase", "did you mean 'excitability'"),
        ("f-I", "did you mean 'excitability'"),
        ("E_GABA", "did you mean 'reversal'"),
        ("I–V", "did you mean 'reversal'"),
        ("GABA reversal potential", "did you mean 'reversal'"),
        ("steps", "'excitability' (steps of current) or 'reversal' (steps of voltage)"),
        ("IPSCs", "did you mean 'IPSC'"),
        ("fEPSP slope", "did you mean 'fEPSP'"),
        ("xyz", "choose one of: EPSC"),
    ],
)
def test_the_right_word_for_a_response_is_offered(tmp_path, word, meant):
    path = written(tmp_path, [{"experiment": "c", "phase": "baseline", "file": "a.abf", "response": word}])
    with pytest.raises(ManifestError) as caught:
        load_manifest(path)
    assert f"row 2, column response: got '{word}'" in str(caught.value)
    assert meant in str(caught.value)


def test_two_responses_under_one_name_are_told_what_to_do(tmp_path):
    same = {"experiment": "c", "phase": "baseline", "file": "a.abf"}
    path = written(tmp_path, [{**same, "response": "IPSC"}, {**same, "response": "Reversal"}])
    with pytest.raises(ManifestError, match="an experiment name of its own"):
        load_manifest(path)


def test_before_and_after_are_phases(tmp_path):
    same = {"experiment": "c", "file": "a.abf", "response": "excitability"}
    path = written(tmp_path, [{**same, "phase": each} for each in ("Before", "pre", "After")])
    assert [each.phase for each in load_manifest(path)[0].pathways[0].segments] == ["baseline", "baseline", "post"]


def test_an_empty_phase_says_what_may_stand_there(tmp_path):
    path = written(tmp_path, [{"experiment": "c", "phase": "", "file": "a.abf", "response": "EPSC"}])
    with pytest.raises(ManifestError, match=r"column phase is empty \(baseline, induction, post"):
        load_manifest(path)


def test_phases_of_ones_own_are_offered_as_baseline(asked):
    whole = asked["egaba_shift"]
    pathway = whole.pathways[0]
    named = {"baseline": "control", "post": "drug"}
    segments = tuple(replace(each, phase=named[each.phase]) for each in pathway.segments)
    with pytest.raises(ManifestError, match="or call control or drug baseline if it is"):
        analyse_experiment(replace(whole, pathways=(replace(pathway, segments=segments),)))


@pytest.mark.parametrize(
    ("column", "text", "words"),
    [
        ("rs_mohm", "-5", "rs_mohm cannot be"),
        ("rs_mohm", "12000000", "0 to 500 MΩ"),
        ("compensation_percent", "0.7", "write 70 for 70 %"),
        ("compensation_percent", "0,7", "write 70 for 70 %"),
        ("compensation_percent", "120", "0 to 100 %"),
        ("junction_potential_mv", "150", "−50 to 50 mV"),
        ("junction_potential_mv", "~15", "write 15"),
        ("junction_potential_mv", "15±2", "write 15"),
        ("junction_potential_mv", "inf", "is no number"),
        ("rest_mv", "68", "with its minus sign"),
        ("rest_mv", "-0.068", "−120 to −10 mV"),
        ("temperature_degc", "RT", "room temperature is about 22"),
        ("temperature_degc", "305", "0 to 50 °C"),
    ],
)
def test_a_number_that_cannot_be_is_named_with_its_column_and_rows(asked, column, text, words):
    with pytest.raises(ManifestError) as caught:
        analyse_experiment(with_metadata(asked["whole_cell_shift"], **{column: text}))
    said = str(caught.value)
    assert words in said
    assert column in said
    assert "(rows " in said
    assert "setting" not in said


@pytest.mark.parametrize("text", ["NaN", "n/a", "unknown", "?", "–", "#N/A"])
def test_words_for_not_known_are_empty_cells(asked, text):
    one = one_phase(asked["whole_cell_shift"], "baseline")
    empty = analyse_experiment(with_metadata(one, junction_potential_mv="")).cell["baseline"].summary
    found = analyse_experiment(with_metadata(one, junction_potential_mv=text)).cell["baseline"].summary
    assert math.isnan(found.junction_potential_mv)
    assert found.reversal_mv == empty.reversal_mv


@pytest.mark.parametrize(("text", "value"), [("15,5", 15.5), ("−15", -15.0), ("- 15", -15.0), ("1.55e1 mV", 15.5)])
def test_numbers_are_read_as_spreadsheets_write_them(asked, text, value):
    one = one_phase(asked["whole_cell_shift"], "baseline")
    found = analyse_experiment(with_metadata(one, junction_potential_mv=text)).cell["baseline"].summary
    assert found.junction_potential_mv == value


@pytest.mark.parametrize(
    ("text", "meant"), [("gramacidin", "gramicidin"), ("cell-atached", "cell-attached"), ("Whol cell", "whole-cell")]
)
def test_a_misspelt_configuration_is_not_taken_for_another(asked, text, meant):
    with pytest.raises(ManifestError, match=f"did you mean '{meant}'"):
        analyse_experiment(with_metadata(asked["egaba_shift"], configuration=text))


@pytest.mark.parametrize("text", ["Gramicidin-perforated", "perforated patch (gramicidin)", "GRAMICIDIN"])
def test_a_configuration_may_be_written_as_people_do(asked, text):
    assert analyse_experiment(with_metadata(asked["egaba_shift"], configuration=text)).verdict.sign == "E_GABA shift"


def test_what_excitability_does_not_need_does_not_stop_it(asked):
    odd = with_metadata(asked["intrinsic_down"], temperature_degc="RT", rs_mohm="about 12", configuration="whol cell")
    assert analyse_experiment(odd).verdict.sign == "down"


def test_a_file_of_the_other_clamp_says_what_it_could_be(asked):
    with pytest.raises(ChannelError) as caught:
        analyse_experiment(replace(asked["egaba_shift"], response="excitability"))
    for words in ("no channel for excitability", "voltage clamp", "mV (current clamp)", "reversal"):
        assert words in str(caught.value)


def test_steps_of_current_without_a_stimulus_are_no_reversal(asked):
    with pytest.raises(ManifestError, match="give the stimulus times in s, or artefact, in the column stimulus"):
        analyse_experiment(replace(asked["intrinsic_down"], response="reversal"))


def test_a_copy_of_the_command_is_not_taken_for_the_cell(recordings):
    found = analyse_experiment(lonely(recordings / "D_FI_abf1_190619B.abf", "excitability"))
    assert found.cell["baseline"].summary.rheobase_pa.value == pytest.approx(120.0, abs=0.5)  # the index's


def test_wrong_units_are_told_with_what_would_be_right(recordings):
    path = recordings / "G_bad_units_pA_is_mV.abf"
    with pytest.raises(ChannelError, match=r"scale=0\.05"):
        analyse_experiment(lonely(path, "excitability"))
    # mV without the scale would be a cell at rest at -1270 mV.
    with pytest.raises(ChannelError, match=r"which no cell has.*scale=0\.05"):
        analyse_experiment(lonely(path, "excitability", unit="mV"))
    mended = analyse_experiment(lonely(path, "excitability", unit="mV", scale=0.05)).cell["baseline"].summary
    assert -75.0 < mended.rest_mv.value < -50.0


def test_a_control_of_another_cell_is_refused(asked, tmp_path, sample_data):
    whole = asked["egaba_and_conductance"]
    days_later = sample_data / "rs_error" / "baseline_1.abf"
    control = whole.pathway("control")
    first, *others = control.segments
    strange = replace(control, segments=(replace(first, path=days_later), *others))
    with pytest.raises(ManifestError, match="not recorded in one experiment"):
        analyse_experiment(replace(whole, pathways=(whole.pathway("test"), strange)))


def test_a_control_of_another_protocol_is_named_with_its_row(tmp_path):
    plans = {each.name: each for each in cell_plans()}
    ramp, steps = (plans[name].parts[-1].protocol for name in ("egaba_and_conductance", "egaba_shift"))
    parts = (
        SeriesPlan(phase="baseline", file="c", protocol=replace(steps, trigger_ms=None), gaba=False),
        SeriesPlan(phase="baseline", file="b", protocol=ramp, pause_s=20.0),
    )
    made = make_cell_experiment(
        replace(plans["egaba_and_conductance"], parts=parts), started_at=datetime(2024, 5, 1, 10)
    )
    for file in made.files:
        write_file(made, file, tmp_path)
    path = written(tmp_path, manifest_rows(made))
    with pytest.raises(EphysplastError, match=r"^row 2, c\.abf: the control has another protocol"):
        analyse_experiment(load_manifest(path)[0])


def test_one_phase_says_what_was_found(asked):
    ramp = analyse_experiment(one_phase(asked["intrinsic_down_ramp"], "baseline")).verdict
    assert "rheobase 10" in ramp.sign_sentence
    assert ramp.n_baseline == 6
    reversal = analyse_experiment(one_phase(asked["egaba_shift"], "post")).verdict
    assert "reversal −6" in reversal.sign_sentence
    assert (reversal.n_baseline, reversal.n_post) == (0, 0)


def test_changes_are_said_in_one_line(asked):
    said = changes_in_words(analyse_experiment(asked["intrinsic_down"]).verdict)
    # From 120 to 180 pA; how far the interval reaches, and by how much the gain falls, is not this test's matter.
    assert re.match(r"rheobase \+60 pA \[\+\d+, \+\d+\]; f–I gain −", said)
    shifted = changes_in_words(analyse_experiment(asked["egaba_shift"]).verdict)
    assert shifted.startswith("E_GABA +12.")
    assert "; conductance ×1.0" in shifted


def test_a_change_of_which_only_a_bound_is_known_is_said_so():
    fell = Evidence(index="rheobase (pA)", low=-math.inf, high=-20.0, points_to="up")
    unknown = Evidence(index="f–I gain (Hz/pA)")
    assert changes_in_words(Verdict(sign="up", evidence=(fell, unknown))) == "rheobase < −20 pA"
    assert changes_in_words(Verdict(sign="refused", status="no", evidence=(fell,))) == ""


@pytest.mark.parametrize(
    ("value", "low", "high", "words"),
    [
        (200.0, 2.98e-05, 200.0, "200 [0, 200]"),
        (-0.0539, -0.108, 7.5e-05, "−0.05 [−0.11, 0.00]"),
        (10.0, 9.925, 10.07, "10.00 [9.93, 10.07]"),
        (120.0, math.nan, math.nan, "120"),
        (1825.6, math.nan, math.nan, "1826"),
        (80.0, -math.inf, 80.0, "80 [−∞, 80]"),
        (110.0, 110.0, 110.0, "110 [110, 110]"),
    ],
)
def test_numbers_have_the_digits_that_their_interval_deserves(value, low, high, words):
    # 9.925 is a little more or less in binary; either neighbour is right.
    assert interval_in_words(value, low, high).replace("9.92,", "9.93,") == words


def test_the_columns_of_the_experiments_do_not_depend_on_who_was_first():
    columns = ["notes", "post_tau_ms", "wash_rheobase_pa", "sign", "baseline_decay_tau_ms", "baseline_tau_ms"]
    columns += ["baseline_corrections", "animal", "experiment", "induction_pairings", "post_rheobase_pa", "changes"]
    first = in_order(pd.DataFrame([dict.fromkeys(columns, 1)])).columns.tolist()
    assert in_order(pd.DataFrame([dict.fromkeys(reversed(columns), 1)])).columns.tolist() == first
    assert sorted(first) == sorted(columns)
    assert first[:3] == ["experiment", "sign", "changes"]
    assert first[-3:] == ["induction_pairings", "animal", "notes"]
    middle = first[3:-3]
    assert middle.index("baseline_decay_tau_ms") < middle.index("baseline_tau_ms") < middle.index("post_tau_ms")
    assert middle[-1] == "wash_rheobase_pa"


def test_the_report_sets_the_phases_side_by_side_in_words(asked, tmp_path):
    list(run_study([asked["egaba_shift"], asked["intrinsic_down"]], tmp_path, figures=False))
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "<th>baseline</th><th>post</th>" in page
    for words in ("reversal potential", "membrane τ", "f–I gain", "junction potential 4.0 mV taken off", "E_GABA +12."):
        assert words in page
    for machine in ("half_width", "max_rate", "? →"):
        assert machine not in page
    experiments = pd.read_csv(tmp_path / "experiments.csv")
    assert experiments["changes"].str.len().min() > 0
    assert "junction potential" in experiments["baseline_corrections"][0]


def test_settings_say_words_as_they_must_be_written():
    with pytest.raises(SettingsError, match="'line', 'GHK' or 'local'"):
        settings_from({"reversal": {"fit": "ghk"}})


@pytest.mark.parametrize(
    ("table", "place"),
    [
        ({"chloride": {}}, "[classify.chloride]"),
        ({"intrinsic": {}}, "[classify.intrinsic]"),
        ({"at_mv": -65.0}, "[classify.chloride]"),
        ({"reversal": {"spontaneous_percent": 5.0}}, "[excitability]"),
    ],
)
def test_a_setting_in_the_wrong_section_is_told_where_it_belongs(table, place):
    with pytest.raises(SettingsError) as caught:
        settings_from(table)
    assert place in str(caught.value)


def test_a_setting_that_is_not_set_is_written_down_too(tmp_path):
    text = to_toml(Settings())
    assert "# at_mv is not set" in text
    path = tmp_path / "s.toml"
    path.write_text(text.replace("# at_mv is not set", "at_mv = -65.0"), encoding="utf-8")
    assert load_settings(path).classify.chloride.at_mv == -65.0


def copied(sample_data, folder, names):
    folder.mkdir()
    for source, name in names.items():
        shutil.copy(sample_data / source, folder / name)
    return draft_manifest(folder, relative_to=folder)


def test_a_draft_tells_steps_by_what_was_commanded_not_by_a_wrong_unit(recordings):
    channel = read(recordings / "G_bad_units_pA_is_mV.abf").recordings[0].channels[0]
    assert cell_kind(channel) == "excitability"


def test_a_draft_asks_no_stimulus_of_steps_of_current(sample_data, tmp_path):
    names = {"intrinsic_up/baseline_1.abf": "c_baseline.abf", "intrinsic_up/post_1.abf": "c_post.abf"}
    draft = copied(sample_data, tmp_path / "f", names)
    assert {row["stimulus"] for row in draft.rows} == {"none"}
    assert [row["phase"] for row in draft.rows] == ["baseline", "post"]


@pytest.mark.parametrize(("hours", "phases"), [(1.0, ["baseline", "post"]), (48.0, ["", ""])])
def test_a_draft_places_steps_around_the_induction_of_the_same_day(sample_data, tmp_path, hours, phases):
    names = {
        "pc_pc_ltp_pre/baseline.abf": "a1.abf",
        "pc_pc_ltp_pre/pairing.abf": "a2.abf",
        "pc_pc_ltp_pre/post_1.abf": "a3.abf",
    }
    copied(sample_data, tmp_path / "cell", names)
    induced = read(tmp_path / "cell" / "a2.abf").recordings[0].started_at
    steps = read(sample_data / "intrinsic_up" / "baseline_1.abf").recordings[0]
    for name, after_h in (("a4", -hours), ("a5", hours)):
        write_abf(tmp_path / "cell" / f"{name}.abf", replace(steps, started_at=induced + timedelta(hours=after_h)))
    draft = draft_manifest(tmp_path, relative_to=tmp_path)
    cells = {row["file"]: row["phase"] for row in draft.rows if row["response"] == "excitability"}
    assert [cells[f"cell/{name}.abf"] for name in ("a4", "a5")] == phases
