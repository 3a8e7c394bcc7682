"""A neuron of closed form for current steps and ramps: charging, sag, and spikes whenever a noisy threshold is passed.

Nothing of the package's own synthesis is used.
"""

from dataclasses import dataclass

import numpy as np
from rigs import channel, recording

SPIKE_MV, SPIKE_S = 80.0, 0.4e-3


@dataclass(frozen=True, kw_only=True)
class Neuron:
    """Rheobase ± its sweep-to-sweep SD in pA; f–I gain in Hz/pA from `onset_hz` at the rheobase."""

    rheobase: float = 100.0
    sd: float = 5.0
    gain: float = 0.3
    onset_hz: float = 12.0
    rest: float = -65.0
    rin_mohm: float = 150.0
    tau_s: float = 0.02
    sag: float = 0.0
    sag_tau_s: float = 0.1
    noise: float = 0.1
    saturates_hz: float = np.inf

    def passive(self, after_s, level):
        """Deflection by a step of `level` pA: charging, and a sag of the peak that a hyperpolarisation opens."""
        after = np.clip(after_s, 0.0, None)
        steady = self.rin_mohm * level * 1e-3
        charged = 1.0 - np.exp(-after / self.tau_s)
        extra = self.sag / (1.0 - self.sag) * np.exp(-after / self.sag_tau_s) if level < 0.0 else 0.0
        return steady * charged * (1.0 + extra)

    def step(self, rng, level, *, start_s, stop_s, duration_s, rate_hz):
        time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
        inside = (time_s >= start_s) & (time_s < stop_s)
        on, off = self.passive(time_s - start_s, level), self.passive(time_s - stop_s, level)
        row = np.where(inside, on, np.where(time_s >= stop_s, self.passive(stop_s - start_s, level) - off, 0.0))
        row = self.rest + np.minimum(row, 20.0)
        needed = rng.normal(self.rheobase, self.sd)
        if level > needed:
            interval = 1.0 / min(self.onset_hz + self.gain * (level - needed), self.saturates_hz)
            # A first spike anywhere in the first interval: the expected count is rate × length exactly.
            for at in np.arange(start_s + rng.uniform(0.0, interval), stop_s, interval):
                row = row + spike(time_s, at)
        return row + rng.normal(0.0, self.noise, row.size)

    def ramp(self, rng, *, start_s, stop_s, end, duration_s, rate_hz):
        time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
        command = end * np.clip((time_s - start_s) / (stop_s - start_s), 0.0, 1.0) * (time_s <= stop_s)
        row = self.rest + np.minimum(self.rin_mohm * command * 1e-3, 20.0)
        needed = rng.normal(self.rheobase, self.sd)
        if needed < end:
            at = start_s + needed / end * (stop_s - start_s)
            for each in np.arange(at, stop_s, 0.05):
                row = row + spike(time_s, each)
        return command, row + rng.normal(0.0, self.noise, row.size)


def spike(time_s, threshold_s):
    """A Gaussian that rises by 10 mV/ms at `threshold_s`, which lies 3.16 SD before its peak.

    80 mV × x/0.4 ms × exp(−x²/2) = 10 mV/ms at x = 3.1626.
    """
    return SPIKE_MV * np.exp(-0.5 * ((time_s - threshold_s) / SPIKE_S - 3.1626) ** 2)


def family(
    neuron, rng, levels, *, start_s=0.1, stop_s=0.4, duration_s=0.5, rate_hz=10e3, holding=0.0, command_unit="pA"
):
    """A recording with one sweep per level (pA above holding)."""
    rows = [
        neuron.step(rng, level, start_s=start_s, stop_s=stop_s, duration_s=duration_s, rate_hz=rate_hz)
        for level in levels
    ]
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    inside = (time_s >= start_s - 1e-9) & (time_s < stop_s - 1e-9)
    commands = [holding + np.where(inside, level, 0.0) for level in levels]
    cell = channel(rows, unit="mV", rate_hz=rate_hz, command=commands, command_unit=command_unit)
    return recording(cell)


def ramps(neuron, rng, n, *, end=200.0, start_s=0.1, stop_s=0.6, duration_s=0.7, rate_hz=10e3):
    both = [
        neuron.ramp(rng, start_s=start_s, stop_s=stop_s, end=end, duration_s=duration_s, rate_hz=rate_hz)
        for _ in range(n)
    ]
    commands, rows = zip(*both, strict=True)
    return recording(channel(rows, unit="mV", rate_hz=rate_hz, command=commands, command_unit="pA"))
