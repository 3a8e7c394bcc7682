"""What the whole way finds in the sample data, against what was put into them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from ephysplast.experiment import CELL_KINDS
from ephysplast.study import analyse_experiment, load_manifest


@pytest.fixture(scope="module")
def found(analysed):
    table = pd.read_csv(analysed[1] / "experiments.csv").set_index("experiment")
    return table[~table["response"].isin(CELL_KINDS)]


@pytest.fixture(scope="module")
def truth(sample_data):
    table = pd.read_csv(sample_data / "truth.csv").set_index("experiment")
    return table[~table["response"].isin(CELL_KINDS)]


def test_the_change_that_was_drawn_lies_in_the_interval(found, truth):
    answered = found[found["change"].notna()]
    drawn = truth.loc[answered.index, "drawn_change"]
    # 95 % intervals of six experiments: the drawn change (of the very sweeps) may miss by noise in one.
    inside = (answered["change_low"] <= drawn) & (drawn <= answered["change_high"])
    assert inside.sum() >= len(answered) - 1


def test_paired_pulse_ratios_are_those_that_were_drawn(found, truth):
    for phase, column in (("baseline", "before"), ("post", "after")):
        got = found[f"{phase}_paired_pulse_ratio"]
        drawn = truth[f"drawn_ppr_{column}"][got.notna()].dropna()
        # Recording noise over 30 or more sweeps leaves a few per cent; excluded sweeps differ from those drawn.
        np.testing.assert_allclose(got[drawn.index], drawn, rtol=0.06)


def test_resistances_are_those_of_the_cell(found, truth):
    voltage_clamp = found[found["baseline_rs_mohm"].notna()]
    expected = truth.loc[voltage_clamp.index]
    # The amplifier's low-pass filter rounds the peak of the transient: within 5 %.
    np.testing.assert_allclose(voltage_clamp["baseline_rs_mohm"], expected["rs_before_mohm"], rtol=0.05)
    # R_in of a step is R_s + R_m, from 30 ms in each of 30 or more sweeps with synaptic noise and hum: within 5 %.
    np.testing.assert_allclose(
        voltage_clamp["baseline_rin_mohm"], expected["rin_mohm"] + expected["rs_before_mohm"], rtol=0.05
    )


def test_the_pairings_are_those_that_were_delivered(found, truth):
    paired = truth[truth["pairings"].notna()].index
    assert (found.loc[paired, "induction_pairings"] == truth.loc[paired, "pairings"]).all()
    # Spike times are read between samples of 0.1 ms.
    np.testing.assert_allclose(
        found.loc[paired, "induction_delta_t_ms"], truth.loc[paired, "delta_t_ms_mean"], atol=0.1
    )
    np.testing.assert_allclose(
        found.loc[paired, "induction_delta_t_sd_ms"], truth.loc[paired, "delta_t_ms_sd"], atol=0.05
    )


def test_refusals_give_the_reason_that_was_made(found, truth):
    refused = truth[truth["refusal"].notna()]
    assert len(refused) >= 2
    for name, row in refused.iterrows():
        assert row["refusal"] in found.loc[name, "status"]


def test_a_rejected_sweep_counts_as_little_as_one_left_out(sample_data):
    asked = next(each for each in load_manifest(sample_data / "manifest.csv") if each.name == "few_sweeps")
    rejected, left_out = (
        replace(
            asked,
            pathways=tuple(
                replace(pathway, segments=tuple(change(each) for each in pathway.segments))
                for pathway in asked.pathways
            ),
        )
        for change in (
            lambda each: replace(each, exclude="3, 7-12") if each.phase == "baseline" else each,
            lambda each: replace(each, sweeps="1-2, 4-6, 13-30") if each.phase == "baseline" else each,
        )
    )
    one, other = (analyse_experiment(each).pathways["test"] for each in (rejected, left_out))
    reasons = [reason for reason in one.table.excluded if reason != "ok"]
    assert reasons == ["rejected in the manifest"] * 7
    for measured, expected in (
        (one.phases["baseline"].responses.latency_s, other.phases["baseline"].responses.latency_s),
        (one.phases["baseline"].responses.rise_ms, other.phases["baseline"].responses.rise_ms),
        (one.table.amplitude[one.table.used], other.table.amplitude[other.table.used]),
        (one.connection.amplitude, other.connection.amplitude),
        (one.connection.n_sweeps, other.connection.n_sweeps),
    ):
        np.testing.assert_allclose(measured, expected, rtol=1e-9)  # the same sweeps, so the same sums


def test_an_inhibitory_response_is_not_called_post_without_a_word_on_chloride(found, sample_data):
    for each in load_manifest(sample_data / "manifest.csv"):
        if each.name not in ("pv_pc_iltp_post", "l23_l5_ltd_post"):
            continue
        inhibitory = each.response == "IPSC"
        row = found.loc[each.name]
        # Whether receptors or the driving force grew, amplitudes at one potential do not tell.
        assert row["locus"] == ("post-or-chloride" if inhibitory else "post")
        assert ("E_GABA" in row["locus_sentence"]) == inhibitory
        assert row["probability_q"] >= 0.9
        assert np.isnan(row["probability_chloride"])


def test_the_driving_force_is_a_gate_of_inhibitory_responses_alone(analysed, found):
    quality = pd.read_csv(analysed[1] / "quality.csv")
    for name in found.index:
        checks = quality[quality["experiment"] == name].set_index("name")["outcome"]
        assert ("driving force" in checks) == (name == "pv_pc_iltp_post")
        if "driving force" in checks:
            assert checks["driving force"] == "not testable"


def test_release_is_found_as_it_was_drawn(analysed, truth):
    releases = pd.read_csv(analysed[1] / "release.csv").fillna({"unit": ""})
    for name, likeliest in (("pc_pc_ltp_pre", "p"), ("l23_l5_ltd_post", "q"), ("pv_pc_iltp_post", "q")):
        release = releases[releases["experiment"] == name].reset_index(drop=True)
        assert len(release) == 4 * 3
        assert release.loc[release["probability"].idxmax(), "locus"] == likeliest
        rows = release[release["locus"] == likeliest].set_index("quantity")
        for quantity in "npq":
            for when in ("before", "after"):
                made = truth.loc[name, f"{quantity}_{when}"]
                # n, p and q trade against each other; from some hundred pairs each is known to about a third.
                assert 0.6 < rows.loc[quantity, when] / made < 1.6, (name, quantity, when)
        assert rows["unit"].to_dict() == {"n": "", "p": "", "q": "pA"}
