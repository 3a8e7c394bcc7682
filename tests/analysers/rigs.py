"""Recordings made by hand for the tests of stimuli, responses, connection and induction; nothing of the package's own
synthesis is used."""

from pathlib import Path

import numpy as np

from ephysplast.analysers.evoked import EvokedTraces
from ephysplast.recording import ArrayTrace, Channel, DigitalOutput, Recording, Source

RATE_HZ = 20e3
CLAMP = {"mV": "current", "pA": "voltage"}


def psc(time_s, onset_s, *, rise_s=0.5e-3, decay_s=6e-3):
    """A double exponential of height 1."""
    after = np.clip(np.asarray(time_s) - onset_s, 0.0, None)
    peak_s = np.log(decay_s / rise_s) * decay_s * rise_s / (decay_s - rise_s)
    shape = np.exp(-after / decay_s) - np.exp(-after / rise_s)
    return shape / (np.exp(-peak_s / decay_s) - np.exp(-peak_s / rise_s))


def peak_after_s(rise_s=0.5e-3, decay_s=6e-3):
    return np.log(decay_s / rise_s) * decay_s * rise_s / (decay_s - rise_s)


def spike(time_s, at_s, *, height_mv=100.0, width_s=0.4e-3):
    """A Gaussian whose steepest rise is at `at_s`."""
    return height_mv * np.exp(-0.5 * ((np.asarray(time_s) - at_s - width_s) / width_s) ** 2)


def channel(samples, *, name="IN 0", unit="pA", rate_hz=RATE_HZ, command=None, command_unit="", electrode="", **more):
    return Channel(
        name=name,
        unit=unit,
        clamp=more.pop("clamp", CLAMP.get(unit, "unknown")),
        trace=ArrayTrace(samples, rate_hz),
        command=None if command is None else ArrayTrace(command, rate_hz),
        command_unit=command_unit,
        electrode=electrode or name,
        **more,
    )


def recording(*channels, starts_s=None, lines=()):
    lengths = channels[0].trace.lengths
    return Recording(
        channels=tuple(channels),
        rate_hz=channels[0].trace.rate_hz,
        sweep_start_s=np.arange(len(lengths)) * 10.0 if starts_s is None else np.asarray(starts_s, dtype=float),
        sweep_lengths=lengths,
        source=Source(path=Path("rig.abf"), format="memory", reader="tests"),
        digital_outputs=tuple(
            DigitalOutput(name=name, onsets_s=tuple(np.asarray(each, dtype=float) for each in onsets))
            for name, onsets in lines
        ),
    )


def evoked(traces, time_s, *, unit="pA", interval_s=(0.0,), rate_hz=RATE_HZ, lag_s=0.0):
    """Windows ``[sweep, pulse, sample]`` as they come out of cutting."""
    n_sweeps, n_pulses, _ = traces.shape
    event = 0.1 + np.tile(np.asarray(interval_s, dtype=float), (n_sweeps, 1))
    return EvokedTraces(
        traces=np.asarray(traces, dtype=float),
        time_s=time_s,
        unit=unit,
        clamp=CLAMP.get(unit, "unknown"),
        rate_hz=rate_hz,
        interval_s=np.asarray(interval_s, dtype=float),
        stimulus_s=event - lag_s,
        event_s=event,
        reason=np.full((n_sweeps, n_pulses), "ok"),
        sweeps=np.arange(n_sweeps),
        sweep_start_s=np.arange(n_sweeps) * 10.0,
        part=np.zeros(n_sweeps, dtype=np.int64),
        channel="IN 0",
        method="manifest",
    )


def pink(rng, n_rows, n_samples):
    """1/f noise of SD about 1."""
    n = 4 * n_samples
    spectrum = np.fft.rfft(rng.normal(size=(n_rows, n)))
    spectrum /= np.sqrt(np.maximum(np.arange(spectrum.shape[1]), 1.0))
    rows = np.fft.irfft(spectrum, n)[:, n_samples : 2 * n_samples]
    return rows / rows.std()
