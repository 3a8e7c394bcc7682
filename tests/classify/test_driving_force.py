"""The driving force from two reversal potentials, whose closed form is (V − E_after) / (V − E_before)."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ephysplast.analysers.current_voltage import CurrentVoltage
from ephysplast.analysers.reversal import measure_reversal
from ephysplast.classify import DrivingForce, check_driving_force, driving_force
from ephysplast.errors import SettingsError

VOLTS = np.repeat(np.arange(-95.0, -44.0, 5.0), 4)


def reversal(at_mv, *, noise=1.0, seed=0, conductance_ns=5.0):
    """E_GABA from a straight I–V with Gaussian noise, in pA."""
    rng = np.random.default_rng([seed, int(abs(at_mv) * 100)])
    current = conductance_ns * (VOLTS - at_mv) + rng.normal(0.0, noise, VOLTS.size)
    readings = CurrentVoltage(
        protocol="voltage steps",
        response="evoked",
        unit="pA",
        sweeps=np.arange(VOLTS.size),
        part=np.zeros(VOLTS.size, dtype=int),
        command_mv=VOLTS,
        total_pa=current,
        response_value=current,
        rs_mohm=np.zeros(VOLTS.size),
        reason=("ok",) * VOLTS.size,
        trace=np.empty((0, 0)),
        trace_s=np.empty(0),
    )
    return measure_reversal(readings, rng=rng)


def drawn(result, value, sd, seed=0):
    """The result with draws of a known Gaussian, for closed forms."""
    draws = np.random.default_rng(seed).normal(value, sd, 20000)
    return replace(result, reversal_mv=replace(result.reversal_mv, value=value), draws_mv=draws)


@pytest.mark.parametrize(
    ("before", "after", "at"), [(-75.0, -65.0, -50.0), (-65.0, -75.0, -50.0), (-60.0, -55.0, -90.0)]
)
def test_a_known_shift_gives_the_known_ratio(before, after, at):
    found = driving_force(reversal(before), reversal(after), at_mv=at)
    ratio = (at - after) / (at - before)
    # E is known to about 0.04 mV (1 pA on 44 readings of 5 nS), 0.3 % of 15 mV and more; four times that.
    assert found.ratio == pytest.approx(ratio, rel=0.012)
    assert found.low < found.ratio < found.high
    assert found.is_known
    assert f"at −{abs(at):.1f} mV" in found.source


@settings(max_examples=15, deadline=None)
@given(before=st.floats(-85, -65), after=st.floats(-85, -65), at=st.floats(-45, -20), sd=st.floats(0.05, 0.5))
def test_its_standard_error_is_that_of_both_reversals(before, after, at, sd):
    made = reversal(-70.0)
    found = driving_force(drawn(made, before, sd, 1), drawn(made, after, sd, 2), at_mv=at)
    assert found.ratio == pytest.approx((at - after) / (at - before))
    # To first order the logarithm has the variance of both relative errors; 20,000 draws know it to some per cent.
    expected = np.hypot(sd / (at - before), sd / (at - after))
    assert found.log_se == pytest.approx(expected, rel=0.06)


@settings(max_examples=15, deadline=None)
@given(offset=st.floats(-30, 30))
def test_an_error_that_potential_and_e_gaba_share_cancels(offset):
    made = reversal(-70.0)
    plain = driving_force(drawn(made, -72.0, 0.2, 1), drawn(made, -66.0, 0.2, 2), at_mv=-50.0)
    shifted = driving_force(
        drawn(made, -72.0 + offset, 0.2, 1), drawn(made, -66.0 + offset, 0.2, 2), at_mv=-50.0 + offset
    )
    assert (shifted.ratio, shifted.low, shifted.high) == pytest.approx((plain.ratio, plain.low, plain.high), rel=1e-9)


def test_a_potential_that_moved_counts():
    made = reversal(-70.0)
    same = drawn(made, -70.0, 0.1)
    found = driving_force(same, same, at_mv=(-60.0, -65.0))
    assert found.ratio == pytest.approx(0.5)
    assert "at −60.0 → −65.0 mV" in found.source


def test_the_level_is_that_of_the_interval():
    made = reversal(-70.0)
    phases = drawn(made, -72.0, 0.3, 1), drawn(made, -66.0, 0.3, 2)
    narrow, wide = (driving_force(*phases, at_mv=-50.0, level=level) for level in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.log_se == pytest.approx(wide.log_se, rel=0.05)
    with pytest.raises(SettingsError, match="level"):
        driving_force(*phases, at_mv=-50.0, level=95.0)


def test_what_cannot_be_said_has_its_reason():
    made = reversal(-70.0)
    near, far = drawn(made, -70.0, 1.0), drawn(made, -60.0, 0.2)
    assert "before, 1.0 mV" in driving_force(near, far, at_mv=-69.0)
    assert "cannot be told from zero" in driving_force(near, far, at_mv=-69.0)
    assert "changed its direction, 5.0 → −5.0 mV" in driving_force(drawn(made, -70.0, 0.2), far, at_mv=-65.0)
    assert "is not known" in driving_force(far, far, at_mv=float("nan"))
    outside = reversal(-30.0)  # beyond −45 mV, and not extrapolated
    assert driving_force(far, outside, at_mv=-50.0).startswith("E_GABA after is missing: beyond the measured range")
    assert "the whole current was measured" in driving_force(replace(far, is_whole_current=True), far, at_mv=-50.0)
    assert "too few readings" in driving_force(far, replace(far, draws_mv=np.empty(0)), at_mv=-50.0)


FOUND = DrivingForce(ratio=1.4, low=1.38, high=1.42, source="E_GABA −72.0 → −78.8 mV at −55.0 mV")


@pytest.mark.parametrize(
    ("found", "how", "outcome", "words"),
    [
        (FOUND, {"configuration": "gramicidin"}, "pass", "driving force ×1.40 [1.38, 1.42]"),
        (FOUND, {"configuration": "whole-cell"}, "warn", "the pipette sets this chloride"),
        (FOUND, {}, "warn", "how the cell was recorded is not known"),
        (replace(FOUND, low=0.7, high=2.9), {"configuration": "gramicidin"}, "warn", "too loosely"),
        (
            FOUND,
            {"configuration": "gramicidin", "expected_polarity": 1, "polarity": -1},
            "not testable",
            "negative-going",
        ),
        (FOUND, {"configuration": "gramicidin", "expected_polarity": 1, "polarity": 1}, "pass", "×1.40"),
        ("the clamp was lost", {}, "not testable", "the clamp was lost"),
    ],
)
def test_the_gate_says_what_may_be_taken_off(found, how, outcome, words):
    known, check = check_driving_force(found, **how)
    assert (check.name, check.outcome) == ("driving force", outcome)
    assert words in check.sentence
    assert (known is None) == (outcome == "not testable")
