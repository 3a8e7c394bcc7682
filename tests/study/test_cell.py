"""The cell itself through the whole study: from manifest rows to verdict, tables, figures and report."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ephysplast.errors import ChannelError, ManifestError
from ephysplast.experiment import CELL_KINDS, Experiment, Pathway, Segment
from ephysplast.io import read
from ephysplast.report import write_report
from ephysplast.study import analyse_experiment, load_manifest, run_study, study_table, tables_of
from ephysplast.study.draft import cell_kind, draft_manifest


@pytest.fixture(scope="module")
def asked(sample_data):
    return {each.name: each for each in load_manifest(sample_data / "manifest.csv") if each.response in CELL_KINDS}


@pytest.fixture(scope="module")
def results(asked):
    return {name: analyse_experiment(each) for name, each in asked.items()}


@pytest.fixture(scope="module")
def truth(sample_data):
    table = pd.read_csv(sample_data / "truth.csv").set_index("experiment")
    return table[table["response"].isin(CELL_KINDS)]


def changed(experiment, **columns):
    """Return the experiment with every segment of it changed."""
    return replace(
        experiment,
        pathways=tuple(
            replace(pathway, segments=tuple(replace(each, **columns) for each in pathway.segments))
            for pathway in experiment.pathways
        ),
    )


def test_every_cell_of_the_sample_data_is_answered_as_it_was_made(results, truth):
    assert len(truth) >= 6
    assert {name: result.verdict.sign for name, result in results.items()} == truth["sign"].to_dict()


@pytest.mark.parametrize(("phase", "column"), [("baseline", "before"), ("post", "after")])
def test_intervals_hold_the_truth_of_each_cell(results, truth, phase, column):
    names = {"rheobase_pa": f"rheobase_{column}_pa", "reversal_mv": f"e_gaba_{column}_mv"}
    checked = 0
    for name, result in results.items():
        for quantity, true in names.items():
            expected = truth.loc[name].get(true, math.nan)
            found = getattr(result.cell[phase].summary, quantity, None)
            if found is None or math.isnan(expected) or name == "intrinsic_down_ramp":
                continue
            # Of some ten 95 % intervals one may miss; half an interval's width more makes that rare.
            slack = 0.5 * (found.high - found.low)
            assert found.low - slack <= expected <= found.high + slack, f"{name}: {quantity}"
            checked += 1
    assert checked >= 5


def test_the_tables_have_every_estimate_every_step_and_every_spike(results):
    tables = tables_of(results["intrinsic_up"])
    cells = tables["cells"]
    assert set(cells["phase"]) == {"baseline", "post"}
    rheobase = cells[cells["quantity"] == "rheobase"].set_index("phase")["value"]
    assert rheobase["post"] < rheobase["baseline"]
    row = tables["experiments"].iloc[0]
    assert row["baseline_rheobase_pa"] == rheobase["baseline"]
    steps, spikes = tables["steps"], tables["spikes"]
    assert steps["n_spikes"].sum() == len(spikes)
    assert set(spikes["file"]) <= set(steps["file"])
    # A spike's current is that of the sweep it lies in.
    both = spikes.merge(steps, on=["phase", "file", "sweep"], suffixes=("", "_of_step"))
    assert len(both) == len(spikes)
    np.testing.assert_array_equal(both["current_pa"], both["current_pa_of_step"])


def test_one_phase_is_measured_and_compared_with_nothing(asked):
    whole = asked["egaba_shift"]
    segments = tuple(each for each in whole.pathways[0].segments if each.phase == "baseline")
    alone = analyse_experiment(replace(whole, pathways=(replace(whole.pathways[0], segments=segments),)))
    assert alone.verdict.sign == "not asked"
    assert "one phase" in alone.verdict.sign_sentence
    assert math.isfinite(alone.cell["baseline"].summary.reversal_mv.value)


def test_a_misspelt_phase_is_still_found(asked):
    whole = asked["egaba_shift"]
    with pytest.raises(ManifestError, match="baseline"):
        analyse_experiment(changed(whole, phase="basline"))


def test_a_control_without_the_phase_is_asked_for(asked):
    whole = asked["egaba_and_conductance"]
    pathways = tuple(
        replace(each, segments=tuple(s for s in each.segments if s.phase == "baseline"))
        if each.role == "control"
        else each
        for each in whole.pathways
    )
    # The control pathway alone has one phase; what it lacks is said by phase.
    with pytest.raises(ManifestError, match="control of phase post is missing"):
        analyse_experiment(replace(whole, pathways=pathways))


def test_sweeps_of_every_file_are_counted(results, truth):
    for name, result in results.items():
        made = truth.loc[name, ["baseline_sweeps", "post_sweeps"]]
        # Half of the ramps are the controls that were subtracted.
        expected = made // 2 if name == "egaba_and_conductance" else made
        assert (result.verdict.n_baseline, result.verdict.n_post) == tuple(expected), name


def test_a_number_that_is_none_is_named(asked):
    whole = asked["egaba_shift"]
    with pytest.raises(ManifestError, match="rs_mohm is no number") as caught:
        analyse_experiment(replace(whole, metadata={**whole.metadata, "rs_mohm": "about 12"}))
    assert "'about 12'" in str(caught.value)


@pytest.mark.parametrize("text", ["4", "4,0", "4 mV", "4.0mV"])
def test_a_number_may_be_written_as_people_do(asked, results, text):
    whole = asked["egaba_shift"]
    again = analyse_experiment(replace(whole, metadata={**whole.metadata, "junction_potential_mv": text}))
    there = results["egaba_shift"].cell["baseline"].summary.reversal_mv
    assert again.cell["baseline"].summary.reversal_mv == there


def test_the_wrong_clamp_is_refused_in_words(asked):
    with pytest.raises(ChannelError, match="excitability"):
        analyse_experiment(replace(asked["egaba_shift"], response="excitability"))
    synapse = replace(asked["intrinsic_up"], response="EPSC")
    with pytest.raises(ChannelError, match="EPSC"):
        analyse_experiment(synapse)


def test_a_recording_without_steps_is_refused_and_not_measured(sample_data):
    segments = tuple(
        Segment(path=sample_data / "pc_bc_ltp_epsp" / f"{phase}.nwb", phase=phase, channel="IN 0")
        for phase in ("baseline", "post")
    )
    experiment = Experiment(name="no steps", response="excitability", pathways=(Pathway(segments=segments),))
    result = analyse_experiment(experiment)
    assert result.verdict.sign == "refused"
    assert math.isnan(result.cell["baseline"].summary.rheobase_pa.value)
    assert result.cell["baseline"].summary.rheobase_pa.status != "ok"


def test_a_rejected_sweep_is_kept_out(asked):
    whole = asked["egaba_shift"]
    result = analyse_experiment(changed(whole, exclude="1-2"))
    reasons = [each for each in result.cell["baseline"].summary.readings.reason if "manifest" in each]
    assert len(reasons) == 4  # two sweeps of each of two files


def test_the_study_keeps_draws_and_reports_the_cell(asked, tmp_path):
    chosen = [asked["intrinsic_down_ramp"], asked["rs_error"]]
    outcomes = list(run_study(chosen, tmp_path))
    assert not any(each.failed for each in outcomes), [each.message for each in outcomes]
    for table in ("cells", "steps", "spikes", "readings"):
        assert len(study_table(tmp_path, table)), table
        assert (tmp_path / f"{table}.csv").is_file()
    page = write_report(tmp_path).read_text(encoding="utf-8")
    assert "The cell" in page
    assert "rheobase" in page
    assert "MΩ" in page
    for name in ("intrinsic_down_ramp", "rs_error"):
        assert (tmp_path / "figures" / f"{name}.svg").stat().st_size > 10_000


def test_the_draft_tells_cells_from_synapses(sample_data):
    drafted = draft_manifest(sample_data, relative_to=sample_data)
    manifest = pd.read_csv(sample_data / "manifest.csv")
    expected = {row.file: row.response for row in manifest.itertuples() if row.response in CELL_KINDS}
    got = {row["file"]: row["response"] for row in drafted.rows if row["response"] in CELL_KINDS}
    assert got == expected


def test_steps_of_real_recordings_are_drafted_by_their_clamp(recordings):
    for name, kind in (
        ("D_steps_171116sh_0018.abf", "excitability"),
        ("D_current_ramp_okUnits.abf", "excitability"),
        ("C_IV_fast_171116sh_0013.abf", "reversal"),
        ("C_ramp_DM1_0002.abf", "reversal"),
        ("A_17o05026_opto_EPSC_10s.abf", ""),
    ):
        channel = read(Path(recordings) / name).recordings[0].channels[0]
        assert cell_kind(channel) == kind, name
