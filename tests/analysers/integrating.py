"""An exponential integrate-and-fire neuron (Fourcaud-Trocmé et al. 2003) with adaptation, integrated step by step, and
what an amplifier adds to it. It shares nothing with `neuron.py`, whose spikes come at a rate that is told."""

from dataclasses import dataclass

import numpy as np
from rigs import channel, recording
from scipy.signal import lfilter

RATE_HZ = 20e3


@dataclass(frozen=True, kw_only=True)
class Integrator:
    """Rest −68 mV, 150 MΩ, 20 ms; it needs just over 140 pA."""

    rest: float = -68.0
    rin_mohm: float = 150.0
    tau_ms: float = 20.0
    soft_mv: float = -45.0
    sharpness_mv: float = 2.0
    reset_mv: float = -58.0
    adaptation_pa: float = 15.0
    adaptation_ms: float = 120.0
    height_mv: float = 90.0
    extra_pa: float = 0.0

    def volts(self, commands, rate_hz=RATE_HZ):
        """Membrane potential under some commands, shape (n_sweeps, n_samples), by Euler's method."""
        commands = np.asarray(commands)
        step_ms, leak_ns = 1e3 / rate_hz, 1e3 / self.rin_mohm
        wave = waveform(rate_hz)
        out = np.empty(commands.shape)
        v, w = np.full(len(commands), self.rest), np.zeros(len(commands))
        since, onset = np.full(len(commands), -1), np.zeros(len(commands))
        for k in range(commands.shape[1]):
            spiking = since >= 0
            upswing = leak_ns * self.sharpness_mv * np.exp(np.minimum((v - self.soft_mv) / self.sharpness_mv, 4.0))
            flow = commands[:, k] + self.extra_pa + upswing - w - leak_ns * (v - self.rest)
            v = np.where(spiking, v, v + flow / (leak_ns * self.tau_ms) * step_ms)
            w -= w / self.adaptation_ms * step_ms
            fires = ~spiking & (v > self.soft_mv + 4.0)
            since[fires], onset[fires] = 0, v[fires]
            w[fires] += self.adaptation_pa
            spiking |= fires
            at = np.clip(since, 0, wave.size - 1)
            fallen = np.clip((at / wave.size - 0.2) / 0.6, 0.0, 1.0)
            drawn = onset + (self.reset_mv - onset) * fallen + self.height_mv * wave[at]
            out[:, k] = np.where(spiking, drawn, v)
            since[spiking] += 1
            over = since >= wave.size
            v[over], since[over] = self.reset_mv, -1
        return out


def waveform(rate_hz=RATE_HZ):
    """A spike of height 1: 0.4 ms up, 1.2 ms down, 0.4 ms of rest."""

    def smooth(x):
        x = np.clip(x, 0.0, 1.0)
        return x * x * (3.0 - 2.0 * x)

    at_ms = np.arange(0.0, 2.0, 1e3 / rate_hz)
    return smooth(at_ms / 0.4) * (1.0 - smooth((at_ms - 0.4) / 1.2))


def pulses(*parts, duration_s, rate_hz=RATE_HZ):
    """A command of pulses, each (start, stop, level); zero elsewhere."""
    row = np.zeros(round(duration_s * rate_hz))
    for start_s, stop_s, level in parts:
        row[round(start_s * rate_hz) : round(stop_s * rate_hz)] = level
    return row


def with_spikes(rows, which, times_s, *, height_mv=90.0, rate_hz=RATE_HZ):
    """Add spikes to some rows, where nothing but them tells of firing."""
    rows, wave = rows.copy(), waveform(rate_hz)
    for i in which:
        for at_s in times_s:
            begin = round(at_s * rate_hz)
            n = min(wave.size, rows.shape[1] - begin)
            rows[i, begin : begin + n] += height_mv * wave[:n]
    return rows


def with_bridge(rows, commands, mohm):
    """Add the drop over an electrode resistance that the bridge leaves (or takes too much)."""
    return rows + np.asarray(commands) * mohm * 1e-3


def with_transients(rows, commands, mv, tau_ms=0.3, rate_hz=RATE_HZ):
    """Add what an electrode capacitance leaves at every edge of a command: a jump that decays."""
    edges = np.sign(np.diff(commands, axis=1, prepend=np.asarray(commands)[:, :1]))
    decay = np.exp(-np.arange(round(10 * tau_ms * rate_hz / 1e3)) / (tau_ms * rate_hz / 1e3))
    return rows + mv * lfilter(decay, [1.0], edges, axis=1)


def with_hum(rows, mv, rng, rate_hz=RATE_HZ):
    """Add mains hum of a random phase in each sweep."""
    phase = rng.uniform(0.0, 2.0 * np.pi, (len(rows), 1))
    return rows + mv * np.sin(2.0 * np.pi * 50.0 * np.arange(rows.shape[1]) / rate_hz + phase)


def made(rows, commands, rng, *, noise=0.05, rate_hz=RATE_HZ):
    """A recording of them."""
    rows = rows + rng.normal(0.0, noise, rows.shape)
    return recording(channel(list(rows), unit="mV", rate_hz=rate_hz, command=list(commands), command_unit="pA"))
