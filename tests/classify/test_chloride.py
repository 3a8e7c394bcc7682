"""Chloride against conductance: pairs of phases whose truth is known, simulated apart from the package."""

import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.current_voltage import CurrentVoltage, measure_current_voltage
from ephysplast.analysers.reversal import CellConditions, ReversalConfig, measure_reversal
from ephysplast.classify.chloride import ChlorideConfig, judge_chloride, split_current
from ephysplast.errors import OK, SettingsError

sys.path.insert(0, str(Path(__file__).parents[1] / "analysers"))
import clamped_cells as cells

QUICK = settings(max_examples=25, deadline=None, derandomize=True)
LEVELS = np.arange(-95.0, -44.0, 10.0)
TRUTHS = ("E_GABA shift", "conductance change", "both", "no change")
KNOWN = CellConditions(rs_mohm=10.0, junction_potential_mv=10.0, rest_mv=-60.0, temperature_degc=32.0)


def phase(reversal=-72.0, conductance=5.0, *, noise=3.0, seed=0, repeats=6, conditions=KNOWN, holding_pa=0.0, **fields):
    """One phase from readings made by hand; commands include the junction potential and the R_s error."""
    rng = np.random.default_rng(seed)
    vm = np.repeat(LEVELS, repeats)
    current = conductance * (vm - reversal) + rng.normal(0.0, noise, vm.size)
    n, total = vm.size, current + holding_pa
    rs = conditions.rs_mohm * (1.0 - conditions.compensation_percent / 100.0)
    junction = conditions.junction_potential_mv
    given = {
        "protocol": "voltage steps", "response": "evoked", "unit": "pA", "sweeps": np.arange(n),
        "part": np.zeros(n, dtype=np.int64), "total_pa": total, "response_value": current,
        "command_mv": vm + np.nan_to_num(total * rs * 1e-3) + np.nan_to_num(junction),
        "rs_mohm": np.full(n, np.nan), "reason": (OK,) * n, "trace": np.empty((0, 0)), "trace_s": np.empty(0),
    }  # fmt: skip
    return measure_reversal(CurrentVoltage(**given | fields), rng=rng, conditions=conditions)


def judge(before, after, configuration="gramicidin", **config):
    return judge_chloride(before, after, configuration=configuration, config=ChlorideConfig(**config))


def evidence(verdict):
    return {each.index: each for each in verdict.evidence}


def check(verdict, name):
    return next(each for each in verdict.quality if each.name == name)


# ---- the split


@QUICK
@given(*[st.floats(-120.0, 0.0)] * 3, *[st.floats(0.1, 50.0)] * 2)
def test_the_split_is_exact(e_before, e_after, at, g_before, g_after):
    driving, conductance = split_current((e_before, g_before), (e_after, g_after), at)
    change = g_after * (at - e_after) - g_before * (at - e_before)
    assert float(driving + conductance) == pytest.approx(change, abs=1e-9)


def test_the_parts_of_a_verdict_sum_to_the_change():
    before, after = phase(), phase(-64.0, 7.0, seed=1)
    found = evidence(judge(before, after, at_mv=-55.0))
    total = found["driving-force part (pA)"].value + found["conductance part (pA)"].value
    currents = [each.conductance_ns.value * (-55.0 - each.reversal_mv.value) for each in (before, after)]
    assert found["ΔI (pA)"].value == pytest.approx(total, abs=1e-9)
    assert total == pytest.approx(currents[1] - currents[0], abs=1e-9)
    # The truth: −ḡ ΔE = −6 · 8 and (V − Ē) Δg = 13 · 2.
    assert found["driving-force part (pA)"].low < -48.0 < found["driving-force part (pA)"].high
    assert found["conductance part (pA)"].low < 26.0 < found["conductance part (pA)"].high
    assert found["E_GABA (mV)"].low < 8.0 < found["E_GABA (mV)"].high
    assert found["conductance (nS)"].low < 2.0 < found["conductance (nS)"].high
    assert found["ΔI (pA)"].low < -22.0 < found["ΔI (pA)"].high


def test_where_it_is_split_is_said():
    before, after = phase(), phase(-64.0, seed=1)
    assert "change of the current at rest (−60 mV): −" in judge(before, after).sign_sentence
    assert "change of the current at −50 mV: −" in judge(before, after, at_mv=-50.0).sign_sentence
    nowhere = replace(KNOWN, rest_mv=float("nan"))
    unknown = judge(phase(conditions=nowhere), phase(-64.0, seed=1, conditions=nowhere))
    assert "at −60 mV (the resting potential is not known): −" in unknown.sign_sentence


# ---- the four answers, and none


@pytest.mark.parametrize(
    ("after", "sign", "points"),
    [
        ((-64.0, 5.0), "E_GABA shift", ("E_GABA", "neither", "E_GABA")),
        ((-72.0, 8.0), "conductance change", ("neither", "conductance", "conductance")),
        ((-64.0, 8.0), "both", ("E_GABA", "conductance", "undetermined")),
        ((-72.0, 5.0), "no change", ("neither", "neither", "neither")),
    ],
)
def test_clear_changes_are_named(after, sign, points):
    verdict = judge(phase(noise=1.5), phase(*after, seed=1, noise=1.5))
    assert verdict.sign == sign
    assert verdict.status == OK
    assert verdict.sign_sentence.startswith(f"{sign}: E_GABA moved by ")
    found = evidence(verdict)
    for rows, toward in (
        (("E_GABA (mV)", "driving-force part (pA)"), points[0]),
        (("conductance (nS)", "conductance part (pA)", "conductance (ratio)"), points[1]),
        (("ΔI (pA)",), points[2]),
    ):
        assert {found[row].points_to for row in rows} == {toward}
    assert verdict.locus == "not asked"
    assert np.isnan(verdict.change)
    assert (verdict.n_baseline, verdict.n_post) == (36, 36)


def test_what_is_open_is_named():
    noisy = judge(phase(noise=30.0, repeats=2), phase(-60.0, 5.0, seed=1, noise=30.0, repeats=2))
    assert noisy.sign == "undetermined"
    assert "whether the conductance changed by 10 % or more is open" in noisy.sign_sentence
    found = evidence(noisy)
    assert found["conductance (nS)"].points_to == "undetermined"
    small = judge(phase(noise=0.5, repeats=20), phase(-70.5, seed=1, noise=0.5, repeats=20))
    assert small.sign == "no change"  # 1.5 mV is less than what matters
    assert judge(phase(noise=0.5), phase(-70.5, seed=1, noise=0.5), smallest_shift_mv=1.0).sign == "E_GABA shift"


def test_one_sweep_per_potential_without_spread_is_not_enough():
    two = np.array([-90.0, -50.0])
    made = CurrentVoltage(
        protocol="voltage steps", response="evoked", unit="pA", sweeps=np.arange(2), part=np.zeros(2, dtype=np.int64),
        command_mv=two, total_pa=5.0 * (two + 72.0), response_value=5.0 * (two + 72.0), rs_mohm=np.zeros(2),
        reason=(OK,) * 2, trace=np.empty((0, 0)), trace_s=np.empty(0),
    )  # fmt: skip
    result = measure_reversal(made, rng=np.random.default_rng(0))
    verdict = judge(result, result)
    assert verdict.sign == "undetermined"
    assert "too few readings" in verdict.sign_sentence


# ---- what the recording cannot say


@pytest.mark.parametrize(
    "configuration", ["whole-cell", "Whole cell", "", "perforated (amphotericin B)", "nystatin", "perforated patch"]
)
def test_a_shift_in_a_dialysed_cell_is_about_the_pipette(configuration):
    verdict = judge(phase(noise=1.5), phase(-64.0, seed=1, noise=1.5), configuration)
    assert verdict.sign == "undetermined"
    assert "the pipette sets the chloride" in verdict.sign_sentence
    assert "E_GABA moved by +" in verdict.sign_sentence  # the numbers are given all the same
    assert check(verdict, "configuration").outcome == "warn"
    both = judge(phase(noise=1.5), phase(-64.0, 8.0, seed=1, noise=1.5), configuration)
    assert both.sign == "undetermined"
    # It is said also where the conductance is open.
    open_ = judge(phase(noise=8.0, repeats=3), phase(-60.0, seed=1, noise=8.0, repeats=3), configuration)
    assert "the pipette sets the chloride" in open_.sign_sentence
    # What the pipette does not make stays.
    conductance = judge(phase(noise=1.5), phase(-72.0, 8.0, seed=1, noise=1.5), configuration)
    assert conductance.sign == "conductance change"
    assert check(conductance, "configuration").outcome == "warn"


@pytest.mark.parametrize(
    "configuration",
    ["gramicidin", "perforated (gramicidin)", "Gramicidin-perforated", "cell-attached", "non-invasive", "optical"],
)
def test_recordings_that_leave_the_chloride_alone_pass(configuration):
    verdict = judge(phase(noise=1.5), phase(-64.0, seed=1, noise=1.5), configuration)
    assert verdict.sign == "E_GABA shift"
    assert check(verdict, "configuration").outcome == "pass"


def test_why_a_pore_counts_as_dialysed_is_said():
    before, after = phase(), phase(-64.0, seed=1)
    assert "let chloride pass" in check(judge(before, after, "nystatin perforated"), "configuration").sentence
    assert "only gramicidin" in check(judge(before, after, "perforated"), "configuration").sentence
    assert "not known" in check(judge(before, after, ""), "configuration").sentence


def test_the_whole_current_is_not_gaba():
    before, after = (phase(-72.0 + 8.0 * i, seed=i, response="total", noise=1.5) for i in (0, 1))
    verdict = judge(before, after)
    assert verdict.sign == "undetermined"
    assert "without a control" in verdict.sign_sentence
    assert check(verdict, "control").outcome == "warn"


def test_an_ipsc_that_reverses_is_no_paradox():
    verdict = judge(phase(-66.0, noise=1.5), phase(-54.0, seed=1, noise=1.5))
    sentence = check(verdict, "polarity").sentence
    assert "no paradox" in sentence
    assert "from hyperpolarising to depolarising" in sentence  # rest is −60
    same = check(judge(phase(-72.0), phase(-70.0, seed=1)), "polarity").sentence
    assert "hyperpolarising" not in same


def test_unknown_corrections_are_warned_of_in_mv():
    nothing = CellConditions()
    before, after = (
        phase(each, seed=i, conditions=nothing, holding_pa=-150.0) for i, each in enumerate((-72.0, -64.0))
    )
    verdict = judge(before, after)
    access = check(verdict, "series resistance")
    assert access.outcome == "warn"
    assert "each 10 MΩ would move it by 1.5 mV" in access.sentence
    junction = check(verdict, "junction potential")
    assert junction.outcome == "warn"
    assert "15 mV" in junction.sentence
    good = judge(phase(), phase(-64.0, seed=1))
    assert {check(good, name).outcome for name in ("series resistance", "junction potential", "control")} == {"pass"}
    worse = phase(-64.0, seed=1, conditions=replace(KNOWN, rs_mohm=14.0))
    assert "changed by more than 20 %" in check(judge(phase(), worse), "series resistance").sentence
    other = phase(-64.0, seed=1, conditions=replace(KNOWN, junction_potential_mv=5.0))
    assert check(judge(phase(), other), "junction potential").outcome == "warn"


# ---- bad input: a sentence


def test_a_phase_that_could_not_be_measured_is_refused():
    flat = phase(conductance=0.0, noise=20.0)
    verdict = judge(phase(), flat)
    assert verdict.sign == "refused"
    assert verdict.status.startswith("E_GABA cannot be compared; after: the slope over the membrane potential")
    both = judge(flat, flat)
    assert "before: " in both.status
    assert "after: " in both.status


def test_a_reversal_beyond_the_range_leaves_the_conductance():
    verdict = judge(phase(noise=1.0), phase(-120.0, 8.0, seed=1, noise=1.0))
    assert verdict.sign == "undetermined"
    assert "beyond the measured range" in verdict.sign_sentence
    found = evidence(verdict)
    assert found["E_GABA (mV)"].points_to == "not available"
    assert found["conductance (ratio)"].points_to == "conductance"
    assert found["ΔI (pA)"].points_to == "not available"
    assert np.isnan(found["ΔI (pA)"].value)


def test_current_clamp_leaves_the_conductance_open():
    before = np.repeat([-90.0, -80.0, -70.0, -60.0], 6)

    def ipsps(reversal, seed):
        rng = np.random.default_rng(seed)
        made = CurrentVoltage(
            protocol="current clamp", response="evoked", unit="mV", sweeps=np.arange(24),
            part=np.zeros(24, dtype=np.int64), command_mv=before, total_pa=np.full(24, np.nan),
            response_value=0.2 * (reversal - before) + rng.normal(0.0, 0.1, 24), rs_mohm=np.full(24, np.nan),
            reason=(OK,) * 24, trace=np.empty((0, 0)), trace_s=np.empty(0),
        )  # fmt: skip
        return measure_reversal(made, rng=rng)

    verdict = judge(ipsps(-75.0, 0), ipsps(-67.0, 1))
    assert verdict.sign == "undetermined"
    assert evidence(verdict)["E_GABA (mV)"].points_to == "E_GABA"
    assert "a conductance cannot be measured in current clamp" in verdict.sign_sentence


@pytest.mark.parametrize(
    "wrong", [{"smallest_shift_mv": -1.0}, {"level": 2.0}, {"decision_level": 0.9}, {"at_mv": 900.0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(SettingsError):
        ChlorideConfig(**wrong)


def test_the_table_has_every_index():
    frame = judge(phase(), phase(-64.0, seed=1)).to_frame()
    for name in ("E_GABA (mV)", "conductance (nS)", "driving-force part (pA)", "conductance part (pA)", "ΔI (pA)"):
        assert {name, f"{name} low", f"{name} high", f"{name} points to"} <= set(frame.columns)


# ---- how often it is wrong


def tally(n_each, seed, *, repeats, ramps=False):
    """Judge pairs of every truth; return truth → how often each answer was given."""
    rng = np.random.default_rng(seed)
    levels = np.repeat(np.arange(-105.0, -24.0, 10.0), repeats)
    answers = {}
    for truth in TRUTHS:
        before = [cells.random_truth(rng, reversal=rng.uniform(-80.0, -65.0)) for _ in range(n_each)]
        after = []
        for each in before:
            shift = rng.choice([-1, 1]) * rng.uniform(4.0, 10.0) if truth in ("E_GABA shift", "both") else 0.0
            grows = rng.choice([rng.uniform(0.5, 0.75), rng.uniform(1.3, 1.8)])
            factor = grows if truth in ("conductance change", "both") else 1.0
            # R_s drifts by as much as is usually allowed.
            rs = min(each.rs * rng.uniform(0.85, 1.15), 25.0)
            after.append(replace(each, reversal=each.reversal + shift, conductance=each.conductance * factor, rs=rs))
        phases = [ramp_phases(some, rng) if ramps else step_phases(some, rng, levels) for some in (before, after)]
        answers[truth] = Counter(judge(*pair).sign for pair in zip(*phases, strict=True))
    return answers


def conditions_of(truth):
    return CellConditions(
        compensation_percent=100.0 * truth.compensation, junction_potential_mv=truth.junction, rest_mv=-65.0
    )


def step_phases(truths, rng, levels):
    for first in range(0, len(truths), 10):
        some = truths[first : first + 10]
        for truth, (recording, channel, stimuli) in zip(some, cells.evoked_families(some, rng, levels), strict=True):
            made = measure_current_voltage(recording, channel, stimuli=stimuli)
            yield measure_reversal(made, rng=rng, conditions=conditions_of(truth))


def ramp_phases(truths, rng, n_ramps=6):
    for first in range(0, len(truths), 20):
        some = truths[first : first + 20]
        rigs = cells.ramp_families(some, rng, n_ramps), cells.ramp_families(some, rng, n_ramps, with_gaba=False)
        for truth, test, control in zip(some, *rigs, strict=True):
            made, taken = (measure_current_voltage(*each) for each in (test, control))
            yield measure_reversal(made, control=taken, rng=rng, conditions=conditions_of(truth))


def rates(answers):
    n = sum(sum(each.values()) for each in answers.values())
    right = sum(each[truth] for truth, each in answers.items())
    undetermined = sum(each["undetermined"] + each["refused"] for each in answers.values())
    return (n - right - undetermined) / n, right / n, undetermined / n


def test_split_is_hardly_ever_wrong():
    wrong, right, _ = rates(tally(12, 31, repeats=4))
    assert wrong <= 1 / 48  # below 2 %: of 48 at most one
    assert right >= 0.4  # and it does answer


@pytest.mark.slow
@pytest.mark.parametrize("ramps", [False, True], ids=["steps", "ramps"])
def test_calibration_of_the_split(ramps):
    answers = tally(45, 41, repeats=6, ramps=ramps)
    wrong, right, undetermined = rates(answers)
    print(f"{'ramps' if ramps else 'steps'}: wrong {wrong:.3f}, right {right:.3f}, undetermined {undetermined:.3f}")
    print({truth: dict(each) for truth, each in answers.items()})
    assert wrong < 0.02
    assert right > 0.5


def test_unlike_currents_are_not_compared():
    rng = np.random.default_rng(4)
    volts = np.repeat(np.arange(-90.0, -49.0, 10.0), 4)

    def phase(response):
        current = 5.0 * (volts + 70.0) + rng.normal(0.0, 3.0, volts.size)
        made = CurrentVoltage(
            protocol="voltage steps", response=response, unit="pA", sweeps=np.arange(volts.size),
            part=np.zeros(volts.size, dtype=np.int64), command_mv=volts, total_pa=current, response_value=current,
            rs_mohm=np.zeros(volts.size), reason=("ok",) * volts.size, trace=np.empty((0, 0)), trace_s=np.empty(0),
        )  # fmt: skip
        return measure_reversal(made, rng=rng)

    verdict = judge_chloride(phase("evoked"), phase("total"), configuration="gramicidin")
    assert verdict.sign == "refused"
    assert verdict.status == "E_GABA cannot be compared: the evoked current before, the whole current after"


def test_a_bent_current_is_read_where_it_turns():
    volts = np.repeat(np.arange(-100.0, 21.0, 10.0), 3)
    # Rectifies: flat below -40 mV. It crosses zero at -20 mV; a straight line through all of it does so elsewhere.
    current = np.where(volts < -40.0, -20.0, volts + 20.0) + np.random.default_rng(5).normal(0.0, 1.0, volts.size)
    made = CurrentVoltage(
        protocol="voltage steps", response="total", unit="pA", sweeps=np.arange(volts.size),
        part=np.zeros(volts.size, dtype=np.int64), command_mv=volts, total_pa=current, response_value=current,
        rs_mohm=np.zeros(volts.size), reason=("ok",) * volts.size, trace=np.empty((0, 0)), trace_s=np.empty(0),
    )  # fmt: skip
    straight = measure_reversal(made, rng=np.random.default_rng(0), config=ReversalConfig(fit="line"))
    found = measure_reversal(made, rng=np.random.default_rng(0))
    assert abs(straight.reversal_mv.value + 20.0) > 2.0
    # Nine readings of 1 pA at 1 nS leave 0.3 mV; three of those are rare.
    assert abs(found.reversal_mv.value + 20.0) < 1.0
    assert found.chloride_mm.status.startswith("the whole current was measured")
