"""The spiking cell against its stated truth, by plain arithmetic on noise-free samples."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.stats import binomtest, norm

from ephysplast.errors import SettingsError
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.protocols import RampProtocol, StepProtocol
from ephysplast.synthesis.spiking import ActionPotential, SpikingCell, fired_sweeps, sag_weight

QUIET = Noise()
SPIKE = ActionPotential(height_mv=60.0, rise_ms=0.15, fall_ms=0.3, ahp_mv=14.0, ahp_ms=8.0)
CELL = SpikingCell(
    rin_mohm=200.0,
    tau_ms=10.0,
    rest_mv=-70.0,
    threshold_mv=-48.0,
    spread_pa=8.0,
    sag_ratio=0.2,
    spike=SPIKE,
    noise=QUIET,
)
FINE_HZ = 200_000.0


def steps(**changes: object) -> StepProtocol:
    plain = {
        "unit": "pA", "n_sweeps": 4, "first": 110.0, "delta": 0.0, "start_ms": 50.0, "stop_ms": 450.0,
        "duration_ms": 500.0,
    }  # fmt: skip
    return StepProtocol(**(plain | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize("offset", [-12.0, -4.0, 0.0, 6.0, 12.0])
def test_the_probability_to_fire_is_the_stated_probit(rng: np.random.Generator, offset: float) -> None:
    protocol = steps(n_sweeps=2000, first=110.0 + offset, rate_hz=1000.0)
    n_fired = sum(each.size > 0 for each in fired_sweeps(CELL, protocol, rng=rng).spike_s)
    # The rheobase is (−48 + 70) mV / 200 MΩ = 110 pA. One in 10⁴ draws would be that far off.
    assert binomtest(n_fired, 2000, norm.cdf(offset / 8.0)).pvalue > 1e-4


def test_the_rate_grows_with_the_stated_gain(rng: np.random.Generator) -> None:
    cell = replace(CELL, gain_hz_per_pa=0.4)
    rates = []
    for current in (160.0, 240.0):
        made = fired_sweeps(cell, steps(n_sweeps=3000, first=current, rate_hz=1000.0), rng=rng)
        rates.append(np.mean([each.size for each in made.spike_s]) / 0.4)
    # Counts differ by 1.4 from sweep to sweep, which over 3000 sweeps is 0.09 Hz; five times that.
    assert rates[0] == pytest.approx(0.4 * 50.0 + 1 / 0.4, abs=0.45)
    assert rates[1] == pytest.approx(0.4 * 130.0 + 1 / 0.4, abs=0.45)


def test_intervals_grow_by_the_stated_adaptation(rng: np.random.Generator) -> None:
    cell = replace(CELL, adaptation=0.05)
    (spikes,) = fired_sweeps(cell, steps(n_sweeps=1, first=250.0), rng=rng).spike_s
    intervals = np.diff(spikes)
    assert len(intervals) > 5
    np.testing.assert_allclose(np.diff(intervals) / (intervals[1:] + intervals[:-1]), 0.05, rtol=1e-9)
    assert spikes[-1] < 0.45


@settings(max_examples=20, deadline=None)
@given(height=st.floats(30.0, 110.0), rise=st.floats(0.08, 0.3), fall=st.floats(0.15, 0.9), ahp=st.floats(0.0, 20.0))
def test_the_action_potential_has_the_stated_features(height: float, rise: float, fall: float, ahp: float) -> None:
    spike = ActionPotential(height_mv=height, rise_ms=rise, fall_ms=fall, ahp_mv=ahp, ahp_ms=10.0)
    ms = np.arange(-spike.lead_ms, 40.0, 2e-4)
    shape = spike(ms, np.full_like(ms, 40.0 + spike.lead_ms))
    above = ms[shape >= height / 2]
    slope = np.diff(shape) / 2e-4
    assert shape.max() == pytest.approx(height, rel=1e-5)
    assert above[-1] - above[0] == pytest.approx(spike.half_width_ms, abs=5e-4)  # two samples
    # The Gaussians leave exp(−8) of their height where they are cut.
    assert shape[0] == pytest.approx(0.0, abs=4e-4 * height)
    assert shape.min() == pytest.approx(-ahp, abs=4e-4 * (height + ahp) + 2e-3 * ahp)
    assert shape[-1] == pytest.approx(0.0, abs=1e-3 * ahp + 1e-9)
    assert slope.max() == pytest.approx(spike.rise_mv_per_ms, rel=1e-3)
    assert slope.min() == pytest.approx(spike.fall_mv_per_ms, rel=1e-3)


def test_spikes_in_the_trace_are_those_that_are_stated(rng: np.random.Generator) -> None:
    protocol = steps(n_sweeps=1, first=200.0, rate_hz=FINE_HZ)
    made = fired_sweeps(CELL, protocol, rng=rng)
    vm, (peaks,) = made.vm_mv[0], made.spike_s
    threshold = -70.0 + 200.0 * made.threshold_pa[0] * 1e-3
    inner = vm[1:-1]
    found = np.flatnonzero((inner > vm[:-2]) & (inner >= vm[2:]) & (inner > threshold + 30.0)) + 1
    np.testing.assert_allclose(found / FINE_HZ, peaks, atol=1e-5)  # two samples
    np.testing.assert_allclose(vm[found], threshold + 60.0, atol=0.05)
    at_threshold = np.rint((peaks - SPIKE.lead_ms * 1e-3) * FINE_HZ).astype(int)
    np.testing.assert_allclose(vm[at_threshold], threshold, atol=0.05)  # 0.03 % of 60 mV at the foot
    for one, other in pairwise(found):
        assert vm[one:other].min() == pytest.approx(threshold - 14.0, abs=0.05)
    # Nothing jumps but the sampled upstroke: 243 mV/ms in 5 µs.
    assert np.abs(np.diff(vm)).max() < 1.3


def test_a_subthreshold_step_is_the_charging_of_a_membrane(rng: np.random.Generator) -> None:
    made = fired_sweeps(replace(CELL, sag_ratio=0.0), steps(n_sweeps=2, first=-60.0, delta=100.0), rng=rng)
    time = np.arange(5000) / 1e4

    def slope(at: float, v: np.ndarray, current: float) -> np.ndarray:
        on = 0.05 <= at < 0.45
        return (current * 0.2 * on - (v + 70.0)) / 0.01

    for row, current in zip(made.vm_mv, (-60.0, 40.0), strict=True):
        solved = solve_ivp(
            slope, (0.0, 0.5), [-70.0], t_eval=time, args=(current,), max_step=1e-3, rtol=1e-8, atol=1e-8
        )
        # The solver sees the edges of the step within its tolerance only.
        np.testing.assert_allclose(row, solved.y[0], atol=2e-3)


@pytest.mark.parametrize(("ratio", "tau_ms", "sag_ms"), [(0.05, 8.0, 35.0), (0.2, 20.0, 60.0), (0.45, 20.0, 25.0)])
def test_the_sag_has_the_stated_ratio(rng: np.random.Generator, ratio: float, tau_ms: float, sag_ms: float) -> None:
    cell = replace(CELL, sag_ratio=ratio, tau_ms=tau_ms, sag_ms=sag_ms)
    protocol = steps(n_sweeps=1, first=-100.0, stop_ms=1450.0, duration_ms=1500.0)
    row = fired_sweeps(cell, protocol, rng=rng).vm_mv[0] + 70.0
    peak, steady = row.min(), row[14400:14490].mean()
    assert steady == pytest.approx(-20.0, abs=1e-4)
    assert (peak - steady) / peak == pytest.approx(ratio, abs=1e-3)  # the peak may fall between samples
    assert sag_weight(0.0, 0.01, 0.05) == 0.0


def test_a_holding_current_moves_the_base_and_the_rheobase(rng: np.random.Generator) -> None:
    assert CELL.rheobase_pa(-30.0) == pytest.approx(140.0)
    still = replace(CELL, spread_pa=0.0)
    made = fired_sweeps(still, steps(n_sweeps=2, first=105.0, delta=10.0, holding=-30.0), rng=rng)
    assert made.current_pa.tolist() == [135.0, 145.0]
    assert [each.size > 0 for each in made.spike_s] == [False, True]
    np.testing.assert_allclose(made.vm_mv[:, :500], -76.0)


def test_a_ramp_fires_where_it_has_charged_the_cell_to_threshold(rng: np.random.Generator) -> None:
    ramp = RampProtocol(
        unit="pA", n_sweeps=40, begins=0.0, ends=300.0, start_ms=50.0, stop_ms=1050.0, duration_ms=1100.0, rate_hz=2e4
    )
    made = fired_sweeps(CELL, ramp, rng=rng)
    at_spike = np.array([300.0 * (each[0] - SPIKE.lead_ms * 1e-3 - 0.05) for each in made.spike_s])
    # Slope · τ = 3 pA behind. After more than 270 ms the lag is short of it by less than exp(−27) of itself.
    np.testing.assert_allclose(at_spike, made.threshold_pa + 3.0, rtol=1e-9)
    assert CELL.ramp_rheobase_pa(300.0) == pytest.approx(113.0)
    onset = np.rint((0.05 + at_spike / 300.0) * 2e4).astype(int)
    threshold = -70.0 + 0.2 * made.threshold_pa
    # One sample of the ramp is 3 µV, the foot of the spike 20 µV.
    np.testing.assert_allclose(made.vm_mv[np.arange(40), onset], threshold, atol=0.05)
    # The rate grows by 0.3 Hz/pA × 300 pA/s, so its integral over the time left is 45 · left²; rest: 6 ms of margin.
    left = 1.05 - 0.006 - (0.05 + at_spike / 300.0)
    np.testing.assert_array_equal([each.size for each in made.spike_s], 1 + np.floor(45.0 * left**2))


def test_a_fast_ramp_lags_by_less_than_its_time_constant() -> None:
    # 110 pA / 20 pA/ms = 5.5 ms, half a time constant: s − τ(1 − exp(−s/τ)) = 5.5 ms has no elementary solution.
    reached_ms = CELL.ramp_rheobase_pa(20_000.0) / 20.0
    assert reached_ms - 10.0 * (1 - np.exp(-reached_ms / 10.0)) == pytest.approx(5.5, rel=1e-9)


def test_impossible_cells_are_refused(rng: np.random.Generator) -> None:
    with pytest.raises(SettingsError, match="impossible"):
        SpikingCell(threshold_mv=-80.0)
    with pytest.raises(SettingsError, match="faster"):
        fired_sweeps(replace(CELL, gain_hz_per_pa=5.0), steps(first=500.0), rng=rng)
    with pytest.raises(SettingsError, match="go up"):
        fired_sweeps(CELL, RampProtocol(unit="pA", n_sweeps=1, begins=0.0, ends=-50.0), rng=rng)
