"""The closed forms against Ohm's law and against the circuit's differential equation, integrated step by step."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from ephysplast.errors import SettingsError
from ephysplast.synthesis.circuit import Cell, ExponentialSum, current_step, pulse_response, voltage_step
from ephysplast.synthesis.signals import double_exponential, postsynaptic_current, postsynaptic_potential

CELL = Cell(rm_mohm=160.0, cm_pf=75.0, rest_mv=-66.0, lowpass_hz=4000.0)


def test_a_voltage_step_begins_at_rs_and_ends_at_rs_plus_rm() -> None:
    step = voltage_step(-5.0, CELL, rs_mohm=14.0)
    # Ohm's law, to rounding; 50 ms are 50 time constants.
    assert float(step(0.0)) == pytest.approx(-5e3 / 14.0, rel=1e-12)
    assert float(step(0.05)) == pytest.approx(-5e3 / 174.0, rel=1e-9)
    assert float(step(-1e-6)) == 0.0


def test_the_transient_carries_the_charge_that_the_membrane_takes_up() -> None:
    rs = 14.0
    step = voltage_step(-5.0, CELL, rs_mohm=rs)
    transient = float(step.weights[1] * step.taus_s[1])  # ∫ w·exp(−t/τ), in pA·s
    on_membrane_mv = -5.0 * CELL.rm_mohm / (rs + CELL.rm_mohm)
    # Q through the pipette = C·V·R_m/(R_s+R_m): pF × mV = 1e-3 pA·s.
    charge = CELL.cm_pf * on_membrane_mv * CELL.rm_mohm / (rs + CELL.rm_mohm) * 1e-3
    assert transient == pytest.approx(charge, rel=1e-12)


def test_voltage_clamp_is_the_solution_of_the_circuit() -> None:
    rs, dv = 14.0, -5.0

    def membrane(_: float, v: np.ndarray) -> np.ndarray:
        return ((dv - v) / rs - v / CELL.rm_mohm) / CELL.cm_pf * 1e6  # mV/MΩ = nA; nA/pF = 1e3 mV/ms = 1e6 mV/s

    time = np.linspace(0.0, 0.01, 200)
    v = solve_ivp(membrane, (0.0, 0.01), [0.0], t_eval=time, rtol=1e-10, atol=1e-12).y[0]
    np.testing.assert_allclose(voltage_step(dv, CELL, rs_mohm=rs)(time), (dv - v) / rs * 1e3, rtol=1e-6)


def test_current_clamp_charges_the_membrane() -> None:
    step = current_step(-30.0, CELL, bridge_error_mohm=2.0)
    tau = 160.0 * 75.0 * 1e-6
    assert float(step(0.0)) == pytest.approx(-0.06)  # the bridge error alone, −30 pA × 2 MΩ
    assert float(step(tau)) == pytest.approx(-0.06 - 4.8 * (1 - np.exp(-1)), rel=1e-12)
    assert float(step(1.0)) == pytest.approx(-4.86, rel=1e-9)


def test_a_pulse_comes_back_to_where_it_began() -> None:
    time = np.arange(0.0, 0.2, 1e-4)
    trace = pulse_response(voltage_step(-5.0, CELL, rs_mohm=10.0), time, start_s=0.02, stop_s=0.06)
    assert np.all(trace[time < 0.0199] == 0.0)
    assert abs(trace[-1]) < 1e-6
    # Down from 0 by ΔV/R_s; up by as much from the steady state, 24 time constants later.
    assert trace.min() == pytest.approx(-500.0, rel=1e-9)
    assert trace.max() == pytest.approx(500.0 - 5e3 / 170.0, rel=1e-9)


def test_filtering_is_the_convolution_with_the_filter() -> None:
    step_s, tau = 2e-6, 6e-4
    time = np.arange(0.0, 0.03, step_s)
    shape = double_exponential(rise_ms=0.4, decay_ms=5.0)
    sampled = shape(time)
    filtered = np.zeros_like(sampled)
    for i in range(1, len(time)):  # trapezoidal rule of y′ = (x − y)/τ
        mean = (sampled[i] + sampled[i - 1]) / 2
        filtered[i] = (filtered[i - 1] * (1 - step_s / (2 * tau)) + mean * step_s / tau) / (1 + step_s / (2 * tau))
    # The rule's error is (step/τ)²/12 ≈ 1e-6.
    np.testing.assert_allclose(shape.filtered(tau)(time), filtered, atol=1e-5)


def test_filtering_with_its_own_time_constant_is_the_limit() -> None:
    time, tau = np.linspace(0.0, 0.02, 300), 2e-3
    decay = ExponentialSum(np.array([1.0]), np.array([tau]))
    # t/τ·exp(−t/τ); the filter's τ is moved by 1e-6.
    np.testing.assert_allclose(decay.filtered(tau)(time), time / tau * np.exp(-time / tau), atol=2e-6)


def test_every_sweep_can_have_a_series_resistance_of_its_own() -> None:
    time = np.arange(0.0, 0.03, 1e-4)
    shape = double_exponential(rise_ms=0.4, decay_ms=5.0)
    rs = np.array([8.0, 12.0, 25.0])
    together = postsynaptic_current(shape, CELL, rs_mohm=rs, reference_rs_mohm=12.0)(time)
    alone = [postsynaptic_current(shape, CELL, rs_mohm=each, reference_rs_mohm=12.0)(time) for each in rs]
    np.testing.assert_allclose(together, alone, rtol=1e-12)
    peaks = together.max(axis=1)
    assert peaks[0] > peaks[1] > peaks[2]
    assert peaks[1] == pytest.approx(1.0, abs=2e-3)  # the peak lies between samples of 0.1 ms


def test_a_potential_is_what_the_membrane_makes_of_the_current() -> None:
    potential = postsynaptic_potential(double_exponential(rise_ms=0.5, decay_ms=3.0), CELL)
    time = np.arange(0.0, 0.1, 1e-5)
    values = potential(time)
    assert values.max() == pytest.approx(1.0, abs=1e-5)
    late = time > 0.06
    tau = -1.0 / np.polyfit(time[late], np.log(values[late]), 1)[0]
    assert tau == pytest.approx(CELL.membrane_tau_s, rel=1e-3)  # 20 decay constants later only the membrane is left


def test_impossible_circuits_are_refused() -> None:
    with pytest.raises(SettingsError, match="rm_mohm"):
        Cell(rm_mohm=0.0)
    with pytest.raises(SettingsError, match="never ends"):
        voltage_step(-5.0, CELL, rs_mohm=10.0).peak()
    with pytest.raises(SettingsError, match="time constants"):
        double_exponential(rise_ms=3.0, decay_ms=2.0)
