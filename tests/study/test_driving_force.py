"""An inhibitory response whose E_GABA was measured in the same cell: from two manifest experiments to one verdict."""

import csv
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from ephysplast.errors import ManifestError
from ephysplast.study import analyse_experiment, load_manifest, run_study, settings_from, study_table
from ephysplast.study.run import _key
from ephysplast.synthesis.cell_experiments import make_cell_experiment
from ephysplast.synthesis.cell_sample import cell_plans
from ephysplast.synthesis.dataset import manifest_rows, write_file
from ephysplast.synthesis.experiments import make_experiment
from ephysplast.synthesis.sample import sample_plans
from ephysplast.synthesis.truth import PhasePlan

START = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
FAST = settings_from(
    {
        "classify": {
            "locus": {"posterior": {"n_first": 200, "n_rounds": 6, "effective": 30.0}, "indices": {"n_boot": 400}}
        }
    }
)
# For the gate alone: the locus is not weighed, for want of sweeps.
GATE = settings_from({"classify": {"locus": {"indices": {"minimum_sweeps": 500, "n_boot": 100}}}})
# The membrane is at the command less V_LJ, 4 mV, less what the holding current, 17 mV / (140 + 11 MΩ), drops over R_s.
BEFORE_MV, AFTER_MV = -50.0 - 4.0 - 0.1125 * 11.1, -50.0 - 4.0 - 0.1122 * 11.55
RATIO = (AFTER_MV + 90.0) / (BEFORE_MV + 76.0)
CELL = {"animal": "m20", "slice": "1", "cell": "1", "configuration": "gramicidin", "junction_potential_mv": "4"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """An outward IPSC, held at −50 mV, that grows as its driving force does: E_GABA goes from −76 to −90 mV."""
    folder = tmp_path_factory.mktemp("cell")
    ipsc = next(each for each in sample_plans() if each.name == "pv_pc_iltp_post")
    baseline, _, post = ipsc.parts
    assert isinstance(baseline, PhasePlan)
    assert isinstance(post, PhasePlan)
    synapse = ipsc.inputs[0]
    quiet = replace(
        ipsc,
        name="ipsc",
        inputs=(replace(synapse, sites=replace(synapse.sites, n=40, p=0.7, q=4.0), pulse_ms=(30.0,)),),
        parts=(baseline, replace(post, changes={"q": 4.0 * RATIO}, pause_s=600.0)),
        metadata={**ipsc.metadata, **CELL},
    )
    iv = next(each for each in cell_plans() if each.name == "egaba_shift")
    # E_GABA is measured again an hour later, after the response.
    parts = tuple(replace(each, pause_s=3600.0) if each.file == "post_1" else each for each in iv.parts)
    chloride = replace(
        iv,
        name="iv",
        parts=parts,
        cell=replace(iv.cell, gaba_mv=-76.0),
        changes={"gaba_mv": -90.0},
        metadata={**iv.metadata, **CELL},
    )
    made = [
        make_experiment(quiet, started_at=START),
        make_cell_experiment(chloride, started_at=START - timedelta(minutes=10)),
    ]
    rows = []
    for experiment in made:
        for file in experiment.files:
            write_file(experiment, file, folder)
        rows += manifest_rows(experiment)
    return folder, [{"e_gaba_from": "iv" if row["experiment"] == "ipsc" else "", **row} for row in rows]


def loaded(folder, rows, name="m.csv", **columns):
    """Load the manifest with some columns of the response changed."""
    changed = [row | (columns if row["experiment"] == "ipsc" else {}) for row in rows]
    path = folder / name
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in changed for key in row)))
        writer.writeheader()
        writer.writerows(changed)
    return {each.name: each for each in load_manifest(path)}


@pytest.fixture(scope="module")
def answered(folder):
    return analyse_experiment(loaded(*folder)["ipsc"], settings=FAST)


def gate(result):
    return next(each for each in result.verdict.quality if each.name == "driving force")


def ratio_in(sentence):
    return float(re.search(r"driving force ×([\d.]+)", sentence)[1])


def test_a_shift_of_e_gaba_that_explains_the_change_is_no_change_of_receptors(answered):
    result, check = answered, gate(answered)
    assert check.outcome == "pass"
    assert "experiment iv" in check.sentence
    # E_GABA is known to about 0.2 mV in each phase, 1.2 % of 20.8 and 34.7 mV together; three times that.
    assert ratio_in(check.sentence) == pytest.approx(RATIO, rel=0.036)
    low, high = map(float, re.search(r"\[([\d.]+), ([\d.]+)\]", check.sentence).groups())
    assert low - 0.01 <= RATIO <= high + 0.01  # as it was rounded
    assert result.verdict.sign == "LTP"
    chances = result.verdict.locus_probabilities
    # 90 + 120 sweeps leave the mean to 3 %: the driving force alone is the likeliest by far, though not always to 0.9.
    assert max(chances, key=chances.get) == "chloride"
    assert chances["q"] < 0.15
    assert result.verdict.locus in ("chloride", "post-or-chloride", "undetermined")
    assert "E_GABA −" in result.verdict.locus_sentence
    assert "experiment iv" in result.verdict.locus_sentence


def test_e_gaba_is_the_one_that_its_own_experiment_reports(folder):
    experiments = loaded(*folder)
    cell = analyse_experiment(experiments["iv"]).cell
    before, after = (cell[phase].summary.reversal_mv.value for phase in ("baseline", "post"))
    said = f"E_GABA {before:.1f} → {after:.1f} mV".replace("-", "−")
    assert said in gate(analyse_experiment(experiments["ipsc"], settings=GATE)).sentence


@pytest.mark.parametrize(
    ("columns", "outcome", "words"),
    [
        ({"e_gaba_from": ""}, "not testable", "name that experiment in the manifest's column e_gaba_from"),
        ({"held_at_mv": "-40"}, "pass", "at −4"),
        ({"held_at_mv": "-70,8 mV"}, "not testable", "cannot be told from zero"),
        ({"held_at_mv": "-110"}, "not testable", "negative-going"),
        ({"junction_potential_mv": ""}, "not testable", "the junction potential is not known for the response"),
        ({"junction_potential_mv": "15"}, "not testable", "15.0 mV for the response and 4.0 mV"),
        ({"configuration": "whole-cell"}, "not testable", "only in the same kind of recording"),
    ],
)
def test_what_stands_in_the_way_is_said_and_nothing_is_taken_off(folder, columns, outcome, words):
    check = gate(analyse_experiment(loaded(*folder, **columns)["ipsc"], settings=GATE))
    assert check.outcome == outcome
    assert words in check.sentence


def test_what_is_not_testable_is_not_taken_off_and_the_locus_says_why(folder):
    result = analyse_experiment(loaded(*folder, junction_potential_mv="15")["ipsc"], settings=FAST)
    assert "chloride" not in result.verdict.locus_probabilities
    assert result.verdict.locus in ("post-or-chloride", "undetermined")
    assert "the driving force is not known (the junction potential is 15.0 mV" in result.verdict.locus_sentence


def test_in_a_dialysed_cell_it_is_taken_off_with_a_warning(folder):
    place, rows = folder
    dialysed = [row | {"configuration": "whole-cell"} for row in rows]
    check = gate(analyse_experiment(loaded(place, dialysed)["ipsc"], settings=GATE))
    assert check.outcome == "warn"
    assert "driving force ×1." in check.sentence
    assert "the pipette sets this chloride" in check.sentence


def test_e_gaba_of_another_time_is_not_that_of_the_response(folder):
    place, rows = folder
    iv = loaded(place, rows)["iv"]
    late = replace(
        iv,
        pathways=tuple(
            replace(
                pathway,
                segments=tuple(
                    replace(each, phase={"baseline": "post", "post": "baseline"}[each.phase])
                    for each in pathway.segments
                ),
            )
            for pathway in iv.pathways
        ),
    )
    # The phases the wrong way round: by its own clocks that experiment makes no sense, and the error says which one.
    with pytest.raises(ManifestError, match="E_GABA from experiment iv"):
        analyse_experiment(replace(loaded(place, rows)["ipsc"], e_gaba=late), settings=GATE)
    early = make_cell_experiment(
        replace(next(each for each in cell_plans() if each.name == "egaba_shift"), name="early", metadata=iv.metadata),
        started_at=START - timedelta(hours=3),
    )
    for file in early.files:
        write_file(early, file, place)
    both = [*rows, *({"e_gaba_from": "", **row} for row in manifest_rows(early))]
    result = analyse_experiment(loaded(place, both, e_gaba_from="early")["ipsc"], settings=GATE)
    assert gate(result).outcome == "not testable"
    assert "before the response's baseline had ended" in gate(result).sentence


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"e_gaba_from": "ivv"}, ["not in the manifest", "'ivv'", "did you mean 'iv'"]),
        ({"e_gaba_from": "ipsc"}, ["in which E_GABA was not measured", "response IPSC", "response reversal"]),
        ({"response": "EPSC"}, ["is for inhibitory responses", "IPSC or IPSP"]),
        ({"cell": "2"}, ["an experiment on another cell", "cell '2' here and '1' in 'iv'"]),
        ({"animal": "m99"}, ["an experiment on another cell"]),
    ],
)
def test_a_wrong_link_is_named(folder, columns, words):
    with pytest.raises(ManifestError) as caught:
        loaded(*folder, **columns)
    for word in ["experiment ipsc: e_gaba_from", *words]:
        assert word in str(caught.value)


def test_e_gaba_of_one_phase_is_not_enough(folder):
    place, rows = folder
    alone = [row for row in rows if row["experiment"] == "ipsc" or row["phase"] == "baseline"]
    with pytest.raises(ManifestError, match="without E_GABA of both phases") as caught:
        loaded(place, alone)
    assert "'iv' with baseline" in str(caught.value)


def test_a_potential_that_is_none_is_named(folder):
    asked = loaded(*folder, held_at_mv="about -50")["ipsc"]
    with pytest.raises(ManifestError, match="held_at_mv is no number"):
        analyse_experiment(asked, settings=GATE)


def test_what_e_gaba_depends_on_makes_it_run_again(folder):
    place, rows = folder
    asked = loaded(place, rows)["ipsc"]
    first = _key(asked, FAST)
    assert _key(loaded(place, rows)["ipsc"], FAST) == first
    other = [row | ({"temperature_degc": "25"} if row["experiment"] == "iv" else {}) for row in rows]
    assert _key(loaded(place, other)["ipsc"], FAST) != first
    file = asked.e_gaba.pathways[0].segments[0].path
    content = file.read_bytes()
    file.write_bytes(content)  # the same bytes, written later
    assert _key(loaded(place, rows)["ipsc"], FAST) != first


def test_probabilities_and_release_survive_the_database(folder, answered, tmp_path):
    experiments, result = loaded(*folder), answered
    outcomes = list(run_study(list(experiments.values()), tmp_path, settings=FAST, figures=False))
    assert not any(each.failed for each in outcomes), [each.message for each in outcomes]
    row = study_table(tmp_path, "experiments").set_index("experiment").loc["ipsc"]
    columns = {"p": "probability_p", "n": "probability_n", "q": "probability_q", "p+q": "probability_pq"}
    columns["chloride"] = "probability_chloride"
    for locus, column in columns.items():
        assert row[column] == pytest.approx(result.verdict.locus_probabilities[locus], rel=1e-12)
    assert row["e_gaba_from"] == "iv"
    release = study_table(tmp_path, "release")
    assert list(release.columns[:4]) == ["experiment", "locus", "probability", "quantity"]
    assert len(release) == 4 * 3
    assert set(release["experiment"]) == {"ipsc"}
    assert set(release.loc[release["quantity"] == "q", "unit"]) == {"pA"}
    for each in result.verdict.release:
        of_p = release[(release["locus"] == each.locus) & (release["quantity"] == "p")].iloc[0]
        for name, estimate in (("before", each.p_before), ("after", each.p_after)):
            got = of_p[[name, f"{name}_low", f"{name}_high"]].to_numpy(dtype=float)
            np.testing.assert_allclose(got, [estimate.value, estimate.low, estimate.high], rtol=1e-12)
        assert (of_p["status"] == "ok") == np.isfinite(each.p_before.value)
