"""Intrinsic plasticity: the decision, its words, and how often it is wrong."""

import pickle
import re
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.current_steps import CurrentSteps, join_steps
from ephysplast.analysers.excitability import ExcitabilityResult, measure_excitability
from ephysplast.analysers.spikes import SpikeResult
from ephysplast.classify.intrinsic import IntrinsicConfig, judge_intrinsic
from ephysplast.errors import SettingsError
from ephysplast.result import Estimate
from ephysplast.statistics import Interval, difference_interval

QUICK = settings(max_examples=25, deadline=None)


def estimate(value, half=np.nan, **more):
    return Estimate(value=float(value), low=float(value - half), high=float(value + half), **more)


def bracket(high, step=20.0):
    return Estimate(value=high, low=high - step, high=high, is_bracket=True)


def cell(*, rheobase=None, gain=None, **more):
    """A result whose other quantities are missing."""
    empty = measure_excitability(join_steps([]))
    held = {
        "status": "ok",
        "protocol": "steps",
        "step_duration_s": 0.5,
        "rheobase_pa": rheobase or Estimate.missing("not asked"),
        "gain_hz_per_pa": gain or Estimate.missing("not asked"),
        "current_pa": np.arange(0.0, 201.0, 20.0),
        "n_repeats": np.full(11, 3.0),
        "n_sweeps": 33,
    }
    return replace(empty, **held | more)


def table(rng, *, rheobase, sd, gain, levels, step_s=0.5, onset_hz=10.0, bend_pa=np.inf):
    """The steps of a neuron whose threshold varies from sweep to sweep, as they come out of measuring.

    Its f–I curve keeps a quarter of its slope `bend_pa` above the rheobase.
    """
    above = levels - rng.normal(rheobase, sd, levels.size)
    rate = np.where(above > 0.0, onset_hz + gain * above / (1.0 + np.maximum(above, 0.0) / bend_pa), 0.0)
    count = np.floor(rate * step_s + rng.uniform(size=levels.size)).astype(np.int64)
    count = np.maximum(count, above > 0.0)
    row = np.flatnonzero(count > 0)
    n, nan = levels.size, np.full(levels.size, np.nan)
    per_spike = {"threshold_mv": rng.normal(-40.0, 0.5, row.size), "row": row, "time_s": np.full(row.size, 0.2)}
    per_sweep = {
        "sweeps": np.arange(n),
        "start_s": np.full(n, 0.1),
        "stop_s": np.full(n, 0.1 + step_s),
        "count": count,
        "rate_hz": count / step_s,
        "blocked": np.zeros(n, dtype=bool),
        "collapsed": np.zeros(n, dtype=bool),
    }
    held = {
        each.name: nan if each.name in SWEEPWISE else nan[: row.size]
        for each in fields(SpikeResult)
        if each.name != "status"
    }
    spikes = SpikeResult(**held | per_sweep | per_spike)
    return CurrentSteps(
        protocol="steps",
        sweeps=np.arange(n),
        part=np.zeros(n, dtype=np.int64),
        start_s=per_sweep["start_s"],
        stop_s=per_sweep["stop_s"],
        current_pa=levels,
        holding_pa=np.zeros(n),
        reason=("ok",) * n,
        rest_mv=rng.normal(-65.0, 0.5, n),
        spontaneous=np.zeros(n, dtype=np.int64),
        spikes=spikes,
        steady_mv=np.where(count == 0, 0.15 * levels + rng.normal(0.0, 0.3, n), np.nan),
        sag_ratio=nan,
        tau_ms=nan,
        current_at_spike_pa=nan,
        ramp_pa_per_s=nan,
        trace_mv=np.zeros((n, 0)),
        trace_s=np.zeros(0),
    )


SWEEPWISE = ("latency_ms", "isi_cv", "cv2", "lv", "adaptation_index")


def measured(rng, **truth):
    return measure_excitability(table(rng, **truth))


class TestDifference:
    def test_symmetric_intervals_add_in_quadrature(self):
        low, high = difference_interval(1.0, Interval(-2.0, 4.0), 11.0, Interval(7.0, 15.0))
        assert (low, high) == (5.0, 15.0)

    def test_against_a_published_example(self):
        # Newcombe 1998 (Stat Med 17:873), method 10 for 56/70 − 48/80, which MOVER generalises: 0.0524 to 0.3339.
        def wilson(k, n, z=1.959964):
            middle, half = k + z**2 / 2, z * np.sqrt(k * (n - k) / n + z**2 / 4)
            return Interval((middle - half) / (n + z**2), (middle + half) / (n + z**2))

        low, high = difference_interval(48 / 80, wilson(48, 80), 56 / 70, wilson(56, 70))
        assert low == pytest.approx(0.0524, abs=5e-5)
        assert high == pytest.approx(0.3339, abs=5e-5)

    def test_open_and_missing_sides(self):
        low, high = difference_interval(1.0, Interval(0.0, np.inf), 2.0, Interval(1.0, 3.0))
        assert low == -np.inf
        assert np.isfinite(high)
        assert np.isnan(difference_interval(1.0, Interval(np.nan, np.nan), 2.0, Interval(1.0, 3.0))).all()


class TestDecision:
    @pytest.mark.parametrize(
        ("before", "after", "sign"),
        [
            ({"rheobase": bracket(120.0)}, {"rheobase": bracket(60.0)}, "up"),
            ({"rheobase": bracket(60.0)}, {"rheobase": bracket(120.0)}, "down"),
            ({"rheobase": bracket(120.0)}, {"rheobase": bracket(100.0)}, "inconclusive"),  # one step
            ({"gain": estimate(0.2, 0.02)}, {"gain": estimate(0.3, 0.02)}, "up"),
            ({"gain": estimate(0.3, 0.02)}, {"gain": estimate(0.2, 0.02)}, "down"),
            ({"rheobase": estimate(100, 5)}, {"rheobase": estimate(70, 5)}, "up"),
            ({"rheobase": estimate(100, 1)}, {"rheobase": estimate(93, 1)}, "inconclusive"),  # clear, but small
            (
                {"rheobase": estimate(100, 3), "gain": estimate(0.3, 0.01)},
                {"rheobase": estimate(101, 3), "gain": estimate(0.3, 0.01)},
                "no change",
            ),
            ({"rheobase": estimate(100, 3)}, {"rheobase": estimate(101, 3)}, "inconclusive"),  # the gain is unknown
            (
                {"rheobase": estimate(100, 5), "gain": estimate(0.3, 0.02)},
                {"rheobase": estimate(60, 5), "gain": estimate(0.15, 0.02)},
                "inconclusive",
            ),
            ({}, {}, "refused"),
        ],
    )  # fmt: skip
    def test_sign(self, before, after, sign):
        verdict = judge_intrinsic(cell(**before), cell(**after))
        assert verdict.sign == sign
        assert verdict.sign_sentence.startswith(sign) or sign == "refused"
        assert (verdict.status == "ok") == (sign != "refused")
        assert np.isnan(verdict.change)

    def test_the_numbers_and_the_contradiction_are_said(self):
        verdict = judge_intrinsic(
            cell(rheobase=estimate(100, 5), gain=estimate(0.3, 0.02)),
            cell(rheobase=estimate(60, 5), gain=estimate(0.15, 0.02)),
        )
        assert "contradict each other" in verdict.sign_sentence
        assert "rheobase 100 → 60 pA (change −40 [−47, −33] pA)" in verdict.sign_sentence
        assert [each.points_to for each in verdict.evidence[:2]] == ["up", "down"]

    def test_a_cell_that_fell_silent(self):
        silent = Estimate(value=np.nan, low=300.0, high=np.inf, status="the cell did not fire", is_bracket=True)
        verdict = judge_intrinsic(cell(rheobase=bracket(120.0)), cell(rheobase=silent))
        assert verdict.sign == "down"
        assert "rheobase 120 pA before, above 300 pA after" in verdict.sign_sentence
        assert np.isnan(verdict.evidence[0].value)
        assert verdict.evidence[0].low == 180.0
        assert judge_intrinsic(cell(rheobase=silent), cell(rheobase=silent)).sign == "refused"

    def test_what_it_would_take(self):
        steps = judge_intrinsic(cell(rheobase=bracket(120.0)), cell(rheobase=bracket(100.0)))
        assert "steps of 5.5 pA" in steps.sign_sentence  # half of 10 % of the middle, 110 pA
        repeats = judge_intrinsic(cell(gain=estimate(0.3, 0.1)), cell(gain=estimate(0.4, 0.1)))
        # Half-width 0.1414 against a change of 0.1: (1.414)² times the sweeps.
        assert "about 2.0 × the sweeps" in repeats.sign_sentence

    @QUICK
    @given(
        rheobase=st.tuples(st.floats(20, 300), st.floats(20, 300), st.floats(1, 40)),
        gain=st.tuples(st.floats(0.05, 1), st.floats(0.05, 1), st.floats(0.005, 0.2)),
    )
    def test_swapping_the_phases_swaps_the_answer(self, rheobase, gain):
        def one(i):
            return cell(rheobase=estimate(rheobase[i], rheobase[2]), gain=estimate(gain[i], gain[2]))

        # Without margins, which are relative to what came before.
        none = IntrinsicConfig(smallest_change_percent=0.0)
        there, back = judge_intrinsic(one(0), one(1), config=none), judge_intrinsic(one(1), one(0), config=none)
        assert {"up": "down", "down": "up"}.get(there.sign, there.sign) == back.sign
        for first, second in zip(there.evidence[:2], back.evidence[:2], strict=True):
            assert first.low == pytest.approx(-second.high)

    @QUICK
    @given(scale=st.floats(0.01, 100.0), shift=st.floats(-0.5, 1.0))
    def test_units_do_not_matter(self, scale, shift):
        before, after = estimate(100 * scale, 10 * scale), estimate(100 * scale * (1 + shift), 10 * scale)
        small = judge_intrinsic(cell(rheobase=estimate(100, 10)), cell(rheobase=estimate(100 * (1 + shift), 10)))
        assert judge_intrinsic(cell(rheobase=before), cell(rheobase=after)).sign == small.sign


def single(high, step=20.0, **more):
    """A cell whose steps were not repeated."""
    return cell(rheobase=bracket(high, step), n_repeats=np.ones(11), **more)


class TestSingleSteps:
    """A family of single steps cannot show how much the current needed varies from sweep to sweep."""

    @pytest.mark.parametrize(("after", "sign"), [(60.0, "up"), (80.0, "inconclusive"), (180.0, "down")])
    def test_the_rheobase_must_move_by_three(self, after, sign):
        assert judge_intrinsic(single(120.0), single(after)).sign == sign

    def test_repeats_tell_and_two_are_enough(self):
        assert judge_intrinsic(cell(rheobase=bracket(120.0)), cell(rheobase=bracket(80.0))).sign == "up"

    def test_steps_of_two_sizes_count_with_their_own(self):
        # (80, 120] and (60, 80]: half of 40 and of 20 more on either side, so up to −60 + 80 + 30.
        verdict = judge_intrinsic(single(120.0, 40.0), single(80.0))
        assert verdict.sign == "inconclusive"
        assert (verdict.evidence[0].low, verdict.evidence[0].high) == (-90.0, 30.0)

    def test_beyond_what_was_tried_half_a_step_is_play_too(self):
        silent = Estimate(value=np.nan, low=160.0, high=np.inf, status="the cell did not fire", is_bracket=True)
        after = replace(single(120.0), rheobase_pa=silent)
        verdict = judge_intrinsic(single(120.0), after)
        assert verdict.evidence[0].low == 20.0  # 160 − 10 above 120 + 10
        assert verdict.sign == "down"
        assert judge_intrinsic(single(140.0), after).sign == "inconclusive"

    def test_it_is_said(self):
        verdict = judge_intrinsic(single(120.0), single(80.0))
        assert "rheobase 120 → 80 pA (change −40 [−80, 0] pA)" in verdict.sign_sentence
        assert "steps of 3.7 pA around it, or repeats of each step" in verdict.sign_sentence  # 11 pA / 3
        said = next(each.sentence for each in verdict.quality if each.name == "repeats")
        assert "must move by three steps" in said


def fires_of_itself(**more):
    bound = Estimate(value=np.nan, low=-np.inf, high=0.0, status="the cell fires without current", is_bracket=True)
    return cell(rheobase=bound, fires_of_itself=True, **more)


class TestWhatElseMovesTheRheobase:
    def moved(self, shift, after=80.0, gain=None):
        first, second = (None, None) if gain is None else (estimate(0.3, 0.02), estimate(gain, 0.02))
        return judge_intrinsic(
            cell(rheobase=estimate(120.0, 5.0), gain=first, rest_mv=estimate(-68, 0.3), rin_mohm=estimate(160, 5)),
            cell(
                rheobase=estimate(after, 5.0),
                gain=second,
                rest_mv=estimate(-68 + shift, 0.3),
                rin_mohm=estimate(160, 5),
            ),
        )

    @pytest.mark.parametrize(("shift", "sign"), [(0.0, "up"), (1.5, "up"), (8.0, "inconclusive"), (-8.0, "up")])
    def test_a_shift_of_the_rest_is_taken_off(self, shift, sign):
        # 8 mV over 160 MΩ are 50 pA, more than the 40 that the rheobase fell.
        verdict = self.moved(shift)
        assert verdict.sign == sign
        assert (
            "the rest moved by +8.0 mV, which alone lowers the rheobase by about 50 pA" in verdict.sign_sentence
        ) == (sign == "inconclusive")

    def test_a_change_that_is_larger_still_counts(self):
        assert self.moved(4.0, after=70.0).sign == "up"

    def test_an_unchanged_rheobase_at_another_rest_is_no_answer(self):
        assert self.moved(0.0, after=120.0, gain=0.3).sign == "no change"
        assert self.moved(-8.0, after=120.0, gain=0.3).sign == "inconclusive"

    def test_a_gain_that_moved_alike_speaks_for_itself(self):
        verdict = self.moved(8.0, gain=0.45)
        assert verdict.sign == "up"
        assert "the rest moved" in verdict.sign_sentence

    def test_without_an_input_resistance_nothing_can_be_taken_off(self):
        one = cell(rheobase=estimate(120, 5), rest_mv=estimate(-68, 0.3))
        verdict = judge_intrinsic(one, replace(one, rheobase_pa=estimate(60, 5), rest_mv=estimate(-60, 0.3)))
        assert verdict.sign == "inconclusive"
        assert "by an unknown amount" in verdict.sign_sentence

    def test_a_bridge_that_was_lost_makes_no_resistance(self):
        before = {"bridge_mohm": estimate(1, 0.2), "rin_mohm": estimate(150, 2), "threshold_mv": estimate(-41, 0.3)}
        after = {"bridge_mohm": estimate(20, 0.2), "rin_mohm": estimate(170, 2), "threshold_mv": estimate(-38.7, 0.3)}
        for more, points_to in (({}, "undetermined"), ({"without_mohm": 19.0}, "up")):
            verdict = judge_intrinsic(
                cell(rheobase=bracket(120.0), **before), cell(rheobase=bracket(120.0), **after, **more)
            )
            found = {each.index: each for each in verdict.evidence}
            # 19 MΩ more, and at 120 pA 2.3 mV.
            assert found["R_in (MΩ)"].points_to == points_to
            assert ("the bridge" in found["threshold (mV)"].sentence) == (points_to == "undetermined")

    def test_a_cell_that_begins_to_fire_of_itself_went_up(self):
        verdict = judge_intrinsic(cell(rheobase=bracket(120.0)), fires_of_itself())
        assert verdict.sign == "up"
        assert "rheobase 120 pA before, none (it fires without current) after" in verdict.sign_sentence
        assert judge_intrinsic(fires_of_itself(), cell(rheobase=bracket(120.0))).sign == "down"

    def test_a_gain_alone_does_not_make_it_go_down(self):
        missing = Estimate.missing("the cell fires without current (during steps of 0 pA): there is no rheobase")
        after = cell(rheobase=missing, gain=estimate(0.1, 0.01), fires_of_itself=True)
        verdict = judge_intrinsic(cell(rheobase=bracket(120.0), gain=estimate(0.3, 0.01)), after)
        assert verdict.sign == "inconclusive"
        assert "after, and only then, the cell fires without current" in verdict.sign_sentence


class TestGainsAreMatched:
    """The same bent curve, of which one phase shows more than the other."""

    def phase(self, top, *, scale=1.0):
        current = np.arange(100.0, top + 1.0, 20.0)
        hz = scale * 60.0 * (current - 90.0) / (current - 10.0)
        gain = np.polyfit(current, hz, 1)[0]
        curve = {"line_pa": current, "line_hz": hz, "line_end_pa": top, "n_repeats": np.ones(11)}
        return cell(rheobase=bracket(100.0), gain=estimate(gain, 0.02), **curve)

    def test_another_range_is_no_other_gain(self):
        short, long = self.phase(180.0), self.phase(400.0)
        # Taken as they are, 0.36 and 0.13 Hz/pA are far apart.
        assert short.gain_hz_per_pa.low > long.gain_hz_per_pa.high + 0.1
        for before, after in ((short, long), (long, short)):
            verdict = judge_intrinsic(before, after)
            assert verdict.sign == "inconclusive"
            assert verdict.evidence[1].value == pytest.approx(0.0, abs=1e-9)

    def test_a_gain_that_trebled_is(self):
        assert judge_intrinsic(self.phase(400.0), self.phase(400.0, scale=3.0)).sign == "up"

    def test_without_three_currents_in_common_there_is_none(self):
        short = replace(self.phase(180.0), line_end_pa=130.0)
        found = judge_intrinsic(self.phase(400.0), short).evidence[1]
        assert found.points_to == "not available"
        assert "no stretch of three currents in common" in found.sentence

    def test_a_gain_does_not_decide_against_what_the_rheobase_seems_to_do(self):
        gains = [{"gain": estimate(each, 0.02)} for each in (0.3, 0.15)]
        alike = judge_intrinsic(
            cell(rheobase=estimate(100, 40), **gains[0]), cell(rheobase=estimate(130, 40), **gains[1])
        )
        assert alike.sign == "down"
        against = judge_intrinsic(
            cell(rheobase=estimate(100, 40), **gains[0]), cell(rheobase=estimate(70, 40), **gains[1])
        )
        assert against.sign == "inconclusive"
        assert "moved against the f–I gain" in against.sign_sentence


class TestWords:
    def test_a_reason_that_both_phases_share_is_said_once(self):
        few = Estimate.missing("the f–I gain needs 3 currents from the rheobase upwards, there are 2")
        said = judge_intrinsic(single(120.0, gain=few), single(60.0, gain=few)).evidence[1].sentence
        assert said == ("f–I gain not available: the f–I gain needs 3 currents from the rheobase upwards, there are 2")
        other = judge_intrinsic(single(120.0, gain=estimate(0.3, 0.1)), single(60.0, gain=few)).evidence[1].sentence
        assert other.startswith("f–I gain not available: after, the f–I gain needs 3")

    def test_numbers_have_the_digits_that_mean_something(self):
        before = {
            "rest_mv": estimate(-65.10234, 0.31),
            "rin_mohm": estimate(1234.4, 20.2),
            "sag_ratio": estimate(0.1, 0.01),
        }
        after = {
            "rest_mv": estimate(-65.09759, 0.31),
            "rin_mohm": estimate(1301.6, 21.1),
            "sag_ratio": estimate(0.1, 0.01),
        }
        verdict = judge_intrinsic(single(1220.0, **before), single(980.0, **after))
        said = {each.index: each.sentence for each in verdict.evidence}
        assert said["rest (mV)"].startswith("rest −65.1 → −65.1 mV (change 0.0 [−0.4, +0.4] mV)")
        assert said["R_in (MΩ)"].startswith("R_in 1234 → 1302 MΩ (change +67 [+38, +96] MΩ)")
        assert said["sag"].startswith("sag 0.10 → 0.10 (change 0.00 [−0.01, +0.01])")
        assert said["rheobase (pA)"].startswith("rheobase 1220 → 980 pA (change −240 [−280, −200] pA)")

    @QUICK
    @given(values=st.lists(st.floats(-500.0, 500.0), min_size=4, max_size=4))
    def test_a_minus_is_a_minus(self, values):
        rest, threshold, one, two = values
        before = single(120.0, rest_mv=estimate(rest, 1.0), threshold_mv=estimate(threshold, 1.0))
        after = single(60.0, rest_mv=estimate(one, 1.0), threshold_mv=estimate(two, 1.0))
        verdict = judge_intrinsic(before, after)
        said = [verdict.sign_sentence, *(each.sentence for each in (*verdict.evidence, *verdict.quality))]
        assert not any(re.search(r"-\d|e[+-]\d|nan|inf\b", each) for each in said)


class TestEvidence:
    def test_every_quantity_is_listed_with_its_direction(self):
        before = {"threshold_mv": estimate(-40, 0.5), "rin_mohm": estimate(150, 5), "sag_ratio": estimate(0.1, 0.01)}
        after = {"threshold_mv": estimate(-45, 0.5), "rin_mohm": estimate(110, 5), "sag_ratio": estimate(0.2, 0.01)}
        more = {"tau_ms": estimate(20, 8), "rest_mv": estimate(-65, 0.2)}
        verdict = judge_intrinsic(
            cell(rheobase=bracket(120.0), **before, **more), cell(rheobase=bracket(60.0), **after, **more)
        )
        found = {each.index: each for each in verdict.evidence}
        assert {name: each.points_to for name, each in found.items()} == {
            "rheobase (pA)": "up",
            "f–I gain (Hz/pA)": "not available",
            "threshold (mV)": "up",
            "R_in (MΩ)": "down",
            "sag": "neither",
            "τ (ms)": "undetermined",
            "rest (mV)": "neither",
        }
        assert found["threshold (mV)"].value == pytest.approx(-5.0)
        assert "easier" in found["threshold (mV)"].sentence
        assert "neither easier nor harder" in found["sag"].sentence
        assert found["rest (mV)"].sentence.endswith("no change beyond the smallest of interest")
        assert pickle.loads(pickle.dumps(verdict)).sign == "up"  # noqa: S301 - our own bytes
        assert len(verdict.to_frame()) == 1


class TestComparability:
    def outcome(self, before, after, name):
        verdict = judge_intrinsic(before, after)
        return verdict, next(each for each in verdict.quality if each.name == name)

    def test_ramps_and_steps_cannot_be_compared(self):
        steps = cell(rheobase=bracket(120.0))
        verdict, check = self.outcome(steps, cell(rheobase=estimate(60, 3), protocol="ramp"), "protocol")
        assert verdict.sign == "refused"
        assert check.outcome == "fail"
        assert "cannot be compared" in verdict.status

    def test_neither_can_steps_of_another_length_or_ramps_of_another_speed(self):
        one = cell(rheobase=bracket(120.0))
        verdict, _ = self.outcome(one, replace(one, step_duration_s=1.0), "protocol")
        assert verdict.sign == "refused"
        assert "another length before (0.5 s) than after (1 s)" in verdict.status
        ramp = replace(one, protocol="ramp", ramp_pa_per_s=100.0)
        assert self.outcome(ramp, replace(ramp, ramp_pa_per_s=200.0), "protocol")[0].sign == "refused"

    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("currents", {"current_pa": np.arange(0.0, 401.0, 40.0)}),
            ("repeats", {"n_repeats": np.ones(11)}),
            ("rest", {"rest_mv": estimate(-55, 0.5)}),
            ("holding", {"holding_pa": estimate(-60, 0.5)}),
            ("R_in", {"rin_mohm": estimate(210, 5)}),
            ("bridge", {"bridge_mohm": estimate(14, 0.5)}),
            ("spontaneous firing", {"n_spontaneous": 2}),
            ("depolarisation block", {"n_blocked": 1}),
            ("depolarisation block", {"n_collapsed": 1}),
        ],
    )
    def test_a_difference_is_warned_of(self, name, change):
        held = {"rest_mv": estimate(-65, 0.5), "holding_pa": estimate(0, 0.5), "rin_mohm": estimate(150, 5)}
        base = cell(rheobase=bracket(120.0), bridge_mohm=estimate(2, 0.5), **held)
        assert self.outcome(base, base, name)[1].outcome == "pass"
        assert self.outcome(base, replace(base, **change), name)[1].outcome == "warn"

    def test_a_phase_without_steps_refuses(self):
        empty = measure_excitability(join_steps([]))
        verdict = judge_intrinsic(cell(rheobase=bracket(120.0)), empty)
        assert verdict.status == verdict.sign_sentence == "after: there is no recording of current steps"
        assert isinstance(empty, ExcitabilityResult)

    def test_impossible_settings_raise(self):
        with pytest.raises(SettingsError):
            IntrinsicConfig(smallest_change_percent=-1.0)


LEVELS = np.arange(0.0, 261.0, 20.0)


class TestHowOftenItIsWrong:
    """The simulator of `table` shares nothing with the likelihood: thresholds are drawn, spikes are counted."""

    def signs(self, n, seed, *, change=1.0, gain_change=1.0, sd=8.0, n_repeats=3, bend_pa=np.inf):
        rng, signs = np.random.default_rng(seed), []
        for _ in range(n):
            rheobase, gain = rng.uniform(80.0, 140.0), rng.uniform(0.2, 0.5)
            levels = np.repeat(LEVELS, n_repeats)
            alike = {"sd": sd, "levels": levels, "bend_pa": bend_pa}
            before = measured(rng, rheobase=rheobase, gain=gain, **alike)
            after = measured(rng, rheobase=change * rheobase, gain=gain_change * gain, **alike)
            signs.append(judge_intrinsic(before, after).sign)
        return np.array(signs)

    def test_a_large_change_is_seen(self):
        assert np.mean(self.signs(20, 1, change=0.5) == "up") > 0.8
        assert np.mean(self.signs(20, 2, change=1.6) == "down") > 0.8

    @pytest.mark.slow
    @pytest.mark.parametrize("bend_pa", [np.inf, 80.0])
    @pytest.mark.parametrize(("sd", "n_repeats"), [(8.0, 1), (20.0, 1), (8.0, 3), (20.0, 3)])
    def test_without_a_change_up_or_down_is_rare(self, sd, n_repeats, bend_pa):
        signs = self.signs(200, 3, sd=sd, n_repeats=n_repeats, bend_pa=bend_pa)
        # At most 5 %, and two SE of 200 cells. Single steps are 20 pA apart: 20 pA is a whole step.
        assert np.mean(np.isin(signs, ["up", "down"])) <= 0.05 + 0.03

    @pytest.mark.slow
    def test_single_steps_see_what_is_large(self):
        # Half of a rheobase of 80 to 140 pA are two to three and a half steps; it takes three.
        assert np.mean(self.signs(100, 6, change=0.4, sd=8.0, n_repeats=1) == "up") > 0.5

    @pytest.mark.slow
    def test_the_wrong_way_is_never_taken(self):
        for bend_pa in (np.inf, 80.0):
            assert not np.isin("down", self.signs(60, 4, change=0.7, bend_pa=bend_pa))
            assert not np.isin("up", self.signs(60, 5, gain_change=0.6, bend_pa=bend_pa))
