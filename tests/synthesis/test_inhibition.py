"""The clamped cell against Ohm's law, and against its differential equation solved by SciPy."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from ephysplast.errors import SettingsError
from ephysplast.synthesis.inhibition import ClampedSweeps, InhibitedCell, clamped_sweeps
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.protocols import Protocol, RampProtocol, StepProtocol

CELL = InhibitedCell(
    leak_ns=6.0, leak_mv=-65.0, tonic_ns=2.0, tonic_mv=0.0, cm_pf=60.0, gaba_ns=7.0, gaba_mv=-74.0, variability=0.0,
    jitter_ms=0.0, artefact_pa=0.0, rs_mohm=20.0, junction_potential_mv=6.0, noise=Noise(),
)  # fmt: skip
STEPS = StepProtocol(
    unit="mV", n_sweeps=7, holding=-70.0, first=-100.0, delta=10.0, start_ms=40.0, stop_ms=240.0, duration_ms=260.0,
    trigger_ms=120.0,
)  # fmt: skip
HELD = replace(STEPS, trigger_ms=None)
RAMP = RampProtocol(
    unit="mV", n_sweeps=1, holding=-70.0, begins=-110.0, ends=-30.0, settle_ms=40.0, start_ms=60.0, stop_ms=860.0,
    duration_ms=900.0,
)  # fmt: skip
COMMAND = -100.0 + 10.0 * np.arange(7)


def clamped(cell: InhibitedCell, protocol: Protocol, *, gaba: bool = True) -> ClampedSweeps:
    return clamped_sweeps(cell, protocol, rng=np.random.default_rng(1), gaba=gaba)


@settings(max_examples=20, deadline=None)
@given(rs=st.floats(5.0, 30.0), compensation=st.floats(0.0, 90.0), leak=st.floats(2.0, 15.0), gaba=st.floats(0.0, 12.0))
def test_the_steady_state_is_ohms_law(rs: float, compensation: float, leak: float, gaba: float) -> None:
    cell = replace(CELL, rs_mohm=rs, compensation_percent=compensation, leak_ns=leak, gaba_ns=gaba)
    made = clamped(cell, replace(HELD, rate_hz=2000.0, n_sweeps=2))
    left_gohm = rs * (1.0 - compensation / 100.0) * 1e-3
    total = leak + 2.0 + gaba
    reverses = (leak * -65.0 + gaba * -74.0) / total
    expected = (COMMAND[:2] - 6.0 - reverses) / (left_gohm + 1.0 / total)
    # 190 ms are more than 100 time constants, and the steps of the solution are exact when nothing changes.
    np.testing.assert_allclose(made.current_pa[:, 470], expected, rtol=1e-9)
    np.testing.assert_allclose(made.recorded_pa[:, 470], expected, rtol=1e-9)
    np.testing.assert_allclose(made.vm_mv[:, 470], COMMAND[:2] - 6.0 - expected * left_gohm, rtol=1e-9)
    np.testing.assert_allclose(made.gaba_pa[:, 470], gaba * (made.vm_mv[:, 470] + 74.0), rtol=1e-9, atol=1e-9)


def test_the_solution_is_that_of_the_differential_equation() -> None:
    made = clamped(CELL, STEPS)
    rise, decay = 1.0, 20.0
    peak_ms = rise * decay / (decay - rise) * np.log(decay / rise)
    height = np.exp(-peak_ms / decay) - np.exp(-peak_ms / rise)

    def gaba_ns(at: float) -> float:
        since = at * 1e3 - 122.5
        return 7.0 * (np.exp(-since / decay) - np.exp(-since / rise)) / height if since > 0.0 else 0.0

    def circuit(at: float, state: np.ndarray, command: float) -> list[float]:
        v, seen = state
        current = (command - 6.0 - v) / 0.02
        change = (current - 6.0 * (v + 65.0) - 2.0 * v - gaba_ns(at) * (v + 74.0)) / 60.0 * 1e3
        return [change, (current - seen) * 2 * np.pi * 4000.0]

    time = np.arange(401, 2400) / 1e4
    for sweep in (0, 3, 6):
        solved = solve_ivp(
            circuit, (0.04, 0.24), [made.vm_mv[sweep, 400], made.recorded_pa[sweep, 400]], t_eval=time,
            args=(COMMAND[sweep],), max_step=2e-4, rtol=1e-9, atol=1e-9,
        ).y  # fmt: skip
        # Conductance in steps of 25 µs where it rises in 1 ms: (1/40)²/24 of 10 mV.
        np.testing.assert_allclose(made.vm_mv[sweep, 401:2400], solved[0], atol=1e-3)
        # The filter takes the mean of 25 µs, while 1500 pA decay in 1 ms and it follows in 40 µs: 0.1 % of them.
        np.testing.assert_allclose(made.recorded_pa[sweep, 401:2400], solved[1], atol=1.5)


def test_the_clamp_transient_has_the_stated_circuit() -> None:
    made = clamped(replace(CELL, gaba_ns=0.0), replace(HELD, n_sweeps=1))
    from_step = made.current_pa[0, 400:600] - made.current_pa[0, 2300]
    before = made.current_pa[0, 399]
    # At first all of the step of −30 mV drops over R_s; then τ = C·(R_s ∥ R_m) = 60 pF / (50 + 8) nS.
    assert made.current_pa[0, 400] - before == pytest.approx(-30.0 / 0.02, rel=1e-9)
    tau_samples = 60.0 / 58.0 * 10.0
    np.testing.assert_allclose(from_step, from_step[0] * np.exp(-np.arange(200) / tau_samples), atol=1e-6)


def test_the_true_synaptic_current_reverses_at_e_gaba_and_nowhere_else() -> None:
    made = clamped(CELL, STEPS)
    during = slice(1240, 2300)
    same_side = np.sign(made.gaba_pa[:, during]) == np.sign(made.vm_mv[:, during] + 74.0)
    assert same_side.all()
    at_peak = made.gaba_pa[:, 1260] / (made.vm_mv[:, 1260] + 74.0)
    np.testing.assert_allclose(at_peak, at_peak[0], rtol=1e-9)  # one conductance for all potentials
    assert (made.gaba_pa[:, :1220] == 0.0).all()


def test_an_uncorrected_series_resistance_moves_the_reversal_by_the_stated_amount() -> None:
    made = clamped(CELL, STEPS)
    response = made.current_pa[:, 1260] - made.current_pa[:, 1200]
    slope, intercept = np.polyfit(COMMAND - 6.0, response, 1)
    # I of leak and tonic at E_GABA: 6·(−74 + 65) + 2·(−74) = −202 pA, and 20 MΩ of it −4.04 mV.
    assert CELL.apparent_mv == pytest.approx(-78.04)
    assert -intercept / slope == pytest.approx(-78.04, abs=0.05)  # at its peak the current is not quite steady
    corrected = COMMAND - 6.0 - made.current_pa[:, 1260] * 0.02
    slope, intercept = np.polyfit(corrected, response, 1)
    assert -intercept / slope == pytest.approx(-74.0, abs=0.02)


def test_the_other_conductances_shunt_what_the_pipette_sees() -> None:
    with_gaba, control = clamped(CELL, HELD), clamped(CELL, HELD, gaba=False)
    response = (with_gaba.current_pa - control.current_pa)[:, 2300]
    slope, intercept = np.polyfit(with_gaba.vm_mv[:, 2300], response, 1)
    assert -intercept / slope == pytest.approx(-74.0, rel=1e-9)
    assert slope == pytest.approx(7.0 / (1.0 + 0.02 * 8.0), rel=1e-9)
    assert (control.gaba_pa == 0.0).all()
    assert control.gaba_ns.tolist() == [0.0] * 7


def test_a_ramp_minus_its_control_reverses_at_e_gaba() -> None:
    with_gaba, control = clamped(CELL, RAMP), clamped(CELL, RAMP, gaba=False)
    response = (with_gaba.current_pa - control.current_pa)[0, 650:8600]
    crossing = int(np.argmax(response > 0.0))
    # With GABA the membrane follows 0.1 mV/ms less closely, 50/65 of it and not 50/58, so that the currents into the
    # capacitance differ: C·ΔV'/g of the ramp is left. A sample is 0.008 mV.
    left_mv = 60.0 * 0.1 * (50.0 / 58.0 - 50.0 / 65.0) / 7.0
    assert with_gaba.vm_mv[0, 650 + crossing] == pytest.approx(-74.0 + left_mv, abs=0.01)
    assert CELL.rest_mv == pytest.approx(6.0 * -65.0 / 8.0)
    assert CELL.rin_mohm == pytest.approx(125.0)


def test_the_conductance_varies_as_stated() -> None:
    cell = replace(CELL, variability=0.1)
    made = clamped(cell, replace(HELD, n_sweeps=2000, rate_hz=500.0, delta=0.0))
    # The SD of 2000 draws is known within 1/√4000 = 1.6 %; three times that, and the clip at 3 SD takes 1 %.
    assert made.gaba_ns.std() == pytest.approx(0.7, rel=0.06)
    assert made.gaba_ns.mean() == pytest.approx(7.0, abs=0.06)


def test_impossible_cells_are_refused() -> None:
    with pytest.raises(SettingsError, match="rs_mohm"):
        InhibitedCell(rs_mohm=0.0)
    with pytest.raises(SettingsError, match="compensation"):
        InhibitedCell(compensation_percent=100.0)
