import numpy as np
import pytest

from ephysplast.errors import SettingsError
from ephysplast.synthesis.circuit import Cell
from ephysplast.synthesis.noise import Noise, baseline_drift, recording_noise
from ephysplast.synthesis.signals import (
    SpikeShape,
    add_responses,
    double_exponential,
    fired_trace,
    spontaneous_events,
    stimulus_artefact,
)

RATE = 10_000.0


def spectrum(traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    power = np.mean(np.abs(np.fft.rfft(traces, axis=1)) ** 2, axis=0)
    return np.fft.rfftfreq(traces.shape[1], 1 / RATE), power


@pytest.mark.parametrize("n_samples", [2000, 2001])
def test_the_variances_of_the_parts_add_up(rng: np.random.Generator, n_samples: int) -> None:
    noise = Noise(white=3.0, pink=2.0, hum=1.5)
    drawn = recording_noise(noise, n_sweeps=300, n_samples=n_samples, rate_hz=RATE, rng=rng)
    # White noise alone would give 0.2 %; the slowest bins of the 1/f part, 300 draws each, bring it to about 1 %.
    assert drawn.var() == pytest.approx(3.0**2 + 2.0**2 + 1.5**2 / 2, rel=0.04)


def test_white_noise_is_flat_and_one_over_f_noise_falls_with_the_frequency(rng: np.random.Generator) -> None:
    freq, white = spectrum(recording_noise(Noise(white=1.0), n_sweeps=300, n_samples=2000, rate_hz=RATE, rng=rng))
    _, pink = spectrum(recording_noise(Noise(pink=1.0), n_sweeps=300, n_samples=2000, rate_hz=RATE, rng=rng))
    inner = slice(1, -1)
    slopes = [np.polyfit(np.log(freq[inner]), np.log(power[inner]), 1)[0] for power in (white, pink)]
    # 1000 bins of 300 draws: SD of log power 0.06 each, SD of the slope about 0.002.
    assert slopes == pytest.approx([0.0, -1.0], abs=0.01)


def test_hum_is_one_line_whose_phase_is_free(rng: np.random.Generator) -> None:
    drawn = recording_noise(Noise(hum=2.0, hum_hz=60.0), n_sweeps=400, n_samples=5000, rate_hz=RATE, rng=rng)
    freq, power = spectrum(drawn)  # 0.5 s hold 30 whole periods
    assert freq[np.argmax(power)] == 60.0
    assert power.max() / power.sum() > 1 - 1e-9
    assert np.abs(drawn.mean(axis=0)).max() < 2.0 * 4 / np.sqrt(2 * 400)  # 4 standard errors


def test_drift_is_steady_and_begins_at_zero(rng: np.random.Generator) -> None:
    starts = np.array([0.0, 60.0, 600.0])
    assert baseline_drift(Noise(drift_per_10min=-4.0), starts, rng=rng).tolist() == pytest.approx([0.0, -0.4, -4.0])


def test_wandering_grows_with_the_square_root_of_time() -> None:
    starts = np.arange(0.0, 1201.0, 10.0)
    ends = [baseline_drift(Noise(wander=2.0), starts, rng=np.random.default_rng(i))[-1] for i in range(2000)]
    assert np.std(ends) == pytest.approx(2.0 * np.sqrt(20.0), rel=0.07)  # 4.5 × 1/√(2·2000)


def test_responses_are_summed_where_they_begin() -> None:
    time = np.arange(0, 0.1, 1 / RATE)
    shape = double_exponential(rise_ms=0.5, decay_ms=4.0)
    onset = np.array([[0.02, 0.05], [0.03, np.nan]])
    total = add_responses(time, onset_s=onset, amplitude=np.array([[2.0, 3.0], [5.0, 7.0]]), shape=shape)
    np.testing.assert_allclose(total[0], 2 * shape(time - 0.02) + 3 * shape(time - 0.05), atol=1e-12)
    np.testing.assert_allclose(total[1], 5 * shape(time - 0.03), atol=1e-12)


def test_a_spike_peaks_where_it_is_told_and_has_its_half_width() -> None:
    spike = SpikeShape(height_mv=100.0, rise_ms=0.2, fall_ms=0.4, ahp_mv=0.0)
    time = np.arange(-5e-3, 5e-3, 1e-6)
    values = spike(time)
    assert time[np.argmax(values)] == pytest.approx(0.0, abs=2e-6)
    width_ms = np.ptp(time[values >= 50.0]) * 1e3
    assert width_ms == pytest.approx(np.sqrt(2 * np.log(2)) * 0.6, abs=0.003)  # two half-Gaussians


def test_a_pulse_that_fails_only_charges_the_membrane() -> None:
    cell = Cell(rm_mohm=120.0, cm_pf=90.0, rest_mv=-69.0)
    time = np.arange(0, 0.1, 1 / RATE)
    trace = fired_trace(
        time,
        spike_s=np.array([[0.032], [np.nan]]),
        pulse_s=[0.03],
        pulse_ms=2.5,
        pulse_pa=900.0,
        cell=cell,
        spike=SpikeShape(),
    )
    assert time[np.argmax(trace[0])] == pytest.approx(0.032, abs=1.01e-4)
    assert trace[0].max() > 20.0
    # −69 mV and what 2.5 ms of 900 pA through 120 MΩ and 10.8 ms add; the largest sample may lie 0.1 ms before the end.
    assert trace[1].max() == pytest.approx(-69.0 + 108.0 * (1 - np.exp(-2.5 / 10.8)), abs=1.0)
    assert np.isfinite(trace).all()


def test_an_artefact_is_brief_and_biphasic() -> None:
    time = np.arange(0, 0.05, 1 / RATE)
    trace = stimulus_artefact(time, at_s=[0.02, 0.03], size=300.0)
    assert trace[200] == pytest.approx(300.0)
    assert trace.min() < 0.0
    assert np.abs(trace[np.abs(time - 0.025) < 0.002]).max() < 1e-3
    assert not stimulus_artefact(time, at_s=[], size=300.0).any()


def test_spontaneous_events_come_at_their_rate_and_size(rng: np.random.Generator) -> None:
    time = np.arange(0, 1.0, 1 / RATE)
    shape = double_exponential(rise_ms=0.5, decay_ms=4.0)
    traces = spontaneous_events(time, n_sweeps=200, rate_hz=5.0, amplitude=-10.0, cv=0.4, shape=shape, rng=rng)
    area = float(np.sum(shape.weights * shape.taus_s))
    # 1000 events: 4.5 × √((1 + 0.4²)/1000); those near the end of a sweep lose some of their area (0.4 %).
    assert traces.sum() / RATE == pytest.approx(200 * 5.0 * -10.0 * area, rel=0.16)


def test_negative_noise_is_refused() -> None:
    with pytest.raises(SettingsError, match="pink"):
        Noise(pink=-1.0)
