"""Units and clamps that cannot be true are doubted, and those that can are not."""

import numpy as np
import pytest

from ephysplast.io.plausibility import doubt_about

REST = np.array([-70.5, -70.0, -69.5, -70.2] * 50)
SPIKES = np.concatenate([REST, [45.0, 12.0]])
CURRENT = np.array([-210.0, -190.0, -205.0, -200.0] * 50)


def doubt(samples, unit="mV", clamp="current", command_unit="pA", **more):
    return doubt_about(name="IN 0", unit=unit, clamp=clamp, samples=samples, command_unit=command_unit, **more)


@pytest.mark.parametrize(
    ("samples", "unit", "clamp", "command_unit"),
    [
        (SPIKES, "mV", "current", "pA"),
        (SPIKES + 55.0, "mV", "current", "pA"),  # rest at −15 mV, spikes to 100 mV: an offset electrode
        (CURRENT, "pA", "voltage", "mV"),
        (CURRENT * 100.0, "pA", "voltage", "mV"),  # two-electrode clamp, −20 nA
        (CURRENT * 10.0, "pA", "voltage", ""),
        (np.append(CURRENT, 2e10), "pA", "voltage", "mV"),  # one artefact
        (np.append(REST, [9000.0]), "mV", "current", "pA"),
        (np.array([-0.02, 0.01, 0.005]), "mV", "field", ""),  # 20 µV
        (np.zeros(100), "mV", "current", "pA"),
        (np.array([np.nan, -70.0]), "mV", "current", "pA"),
        (np.array([]), "pA", "voltage", "mV"),
        (CURRENT, "pA", "unknown", "pA"),  # the current monitor of a current clamp
        (REST, "mV", "unknown", "mV"),  # V_m of a voltage clamp
    ],
)
def test_what_can_be_true_is_not_doubted(samples, unit, clamp, command_unit):
    assert doubt(samples, unit, clamp, command_unit) == ""


@pytest.mark.parametrize("unit", ["V", "mmHg", "°C", "C", "%", "a.u."])
@pytest.mark.parametrize("size", [1e-12, 1.0, 1e12])
def test_auxiliary_channels_are_never_doubted(unit, size):
    assert doubt(REST * size, unit, "unknown", "") == ""


def test_a_potential_in_pa_under_a_current_command():
    said = doubt(SPIKES * 20.0, "pA", "voltage", "pA")
    assert "unit=mV" in said
    assert "clamp=current" in said
    assert "scale=0.05" in said  # 0.5 mV/pA was applied where 10 mV/mV is true
    assert "median -70 mV" in said
    assert "scale=1 " in doubt(SPIKES, "pA", "voltage", "pA")


@pytest.mark.parametrize("power", [-12, -9])
def test_numbers_too_small_for_a_cell(power):
    said = doubt(REST * 10.0**power)
    assert f"scale=1e{-power}" in said
    assert "scale=1e9" in doubt(CURRENT * 1e-9, "pA", "voltage", "mV")


@pytest.mark.parametrize("volts", [3.0, -9.9])
def test_a_railed_input_is_no_cell(volts):
    assert "which no cell has" in doubt(np.full(100, volts * 1000.0))
    assert "which no cell has" in doubt(np.full(100, volts * 1000.0), clamp="unknown", command_unit="mV")


@pytest.mark.parametrize("stored", ["", "?", " ", "??"])
def test_no_unit(stored):
    assert "no unit" in doubt(REST, stored, "unknown", "mV", stored_unit=stored)
    assert "no unit" in doubt(REST, "mV", "current", "pA", stored_unit=stored)


def test_unit_and_clamp_contradict_each_other():
    assert "clamp=current" in doubt(REST, "mV", "voltage", "mV")
    assert "clamp=voltage" in doubt(CURRENT, "pA", "current", "pA") + doubt(CURRENT, "pA", "field", "")
    assert "clamp=voltage" in doubt(np.zeros(9), "pA", "field", "")
