"""Cells behind a pipette, for the tests of reversal: the membrane's equation integrated, nothing of the package.

``C dV/dt = (V_cmd − V_LJ − V)/R_left − g_leak (V − E_leak) − g(t) (V − E)`` with R_left = R_s (1 − compensation); the
pipette current, outward positive, is ``(V_cmd − V_LJ − V)/R_left``. Units: mV, pA, nS, pF, ms (1 pA = 1 nS·mV).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ephysplast.analysers.stimuli import Stimuli
from ephysplast.recording import ArrayTrace, Channel, Recording, Source

RATE = 10_000.0
DT = 1e3 / RATE
STIMULUS_MS = 130.0


@dataclass(frozen=True)
class Truth:
    """One cell and its synapse."""

    reversal: float = -72.0
    conductance: float = 6.0
    rs: float = 15.0
    compensation: float = 0.0
    junction: float = 0.0
    leak: float = 4.0
    leak_reversal: float = -62.0
    cm: float = 40.0
    noise: float = 4.0
    cv: float = 0.15

    @property
    def left(self):
        """MΩ that are not compensated, as GΩ: pA and mV belong to GΩ."""
        return self.rs * (1.0 - self.compensation) * 1e-3


def random_truth(rng, **fixed):
    """Draw a cell as they are found in slices, R_s 5 to 25 MΩ, up to 80 % of it compensated."""
    drawn = {
        "reversal": rng.uniform(-85.0, -60.0),
        "conductance": rng.uniform(3.0, 12.0),
        "rs": rng.uniform(5.0, 25.0),
        "compensation": rng.choice([0.0, rng.uniform(0.2, 0.8)]),
        "junction": rng.uniform(0.0, 15.0),
        "leak": rng.uniform(1.5, 8.0),
        "leak_reversal": rng.uniform(-70.0, -50.0),
        "cm": rng.uniform(20.0, 80.0),
        "noise": rng.uniform(2.0, 6.0),
        "cv": rng.uniform(0.05, 0.3),
    }
    return Truth(**(drawn | fixed))


def pipette_current(truth, command, conductance):
    """Integrate all sweeps at once, ``[sweep, sample]``; the conductance is constant within a sample (exact step).

    `truth` is one cell, or one per sweep.
    """
    truths = [truth] * len(command) if isinstance(truth, Truth) else list(truth)
    left, junction, leak, leak_reversal, reversal, cm = (
        np.array([getattr(each, name) for each in truths])
        for name in ("left", "junction", "leak", "leak_reversal", "reversal", "cm")
    )
    current = np.empty(command.shape)
    held = command[:, 0] - junction
    total = 1.0 / left + leak + conductance[:, 0]
    volts = (held / left + leak * leak_reversal + conductance[:, 0] * reversal) / total
    for i in range(command.shape[1]):
        drive, g = command[:, i] - junction, conductance[:, i]
        total = 1.0 / left + leak + g
        end = (drive / left + leak * leak_reversal + g * reversal) / total
        after = end + (volts - end) * np.exp(-DT * total / cm)
        mean = end + (volts - after) * cm / (DT * total)
        current[:, i] = (drive - mean) / left
        volts = after
    return current


def noise(rng, shape, sd):
    """White noise through a boxcar of 0.3 ms, and slow drift of a third of it, as patch recordings have."""
    rows, samples = shape
    white = rng.normal(size=(rows, samples + 2))
    fast = (white[:, 2:] + white[:, 1:-1] + white[:, :-2]) / np.sqrt(3.0)
    slow = np.repeat(rng.normal(size=(rows, samples // 200 + 2)), 200, axis=1)[:, 100 : 100 + samples]
    return sd * (fast + 0.3 * slow)


def ipsc_shape(samples, at_ms, *, rise_ms=0.8, decay_ms=12.0):
    after = np.clip(np.arange(samples) * DT - at_ms - 1.2, 0.0, None)
    shape = np.exp(-after / decay_ms) - np.exp(-after / rise_ms)
    return shape / shape.max()


def step_command(levels, *, holding=-70.0, pulse=-5.0, duration_ms=190.0):
    """Delta levels as Clampex writes them: a test pulse that is always the same, then the step that varies."""
    samples = round(duration_ms / DT)
    command = np.full((len(levels), samples), holding)
    command[:, round(15 / DT) : round(45 / DT)] += pulse
    command[:, round(70 / DT) : round(180 / DT)] = np.asarray(levels)[:, None]
    return command


def ramp_command(n, *, low=-110.0, high=-20.0, holding=-70.0, up_ms=400.0, down_ms=0.0):
    rise = np.linspace(low, high, round(up_ms / DT))
    pieces = [
        np.full(150, holding), np.full(300, holding - 5.0), np.full(200, holding), np.full(300, low), rise,
        *([np.linspace(high, low, round(down_ms / DT))] if down_ms else []), np.full(200, holding),
    ]  # fmt: skip
    return np.tile(np.concatenate(pieces), (n, 1))


def as_recording(current, command, *, unit="pA", with_command=True):
    """Wrap sweeps as a voltage-clamp recording; in nA the file's channel is scaled back as a reader does."""
    channel = Channel(
        name="IN 0", unit=unit, clamp="voltage", trace=ArrayTrace(current, RATE), electrode="IN 0",
        command=ArrayTrace(command, RATE) if with_command else None, command_unit="mV" if with_command else "",
    )  # fmt: skip
    recording = Recording(
        channels=(channel,), rate_hz=RATE, sweep_start_s=np.arange(len(current)) * 5.0,
        sweep_lengths=channel.trace.lengths, source=Source(path=Path("cell.abf"), format="memory", reader="tests"),
    )  # fmt: skip
    return recording, channel


def stimuli(n, at_ms=STIMULUS_MS):
    at = np.full((n, 1), at_ms / 1e3)
    return Stimuli(sweeps=np.arange(n), times_s=at, event_s=at, reason=np.full((n, 1), "ok"), method="manifest")


def evoked_families(truths, rng, levels, *, with_pulse=True):
    """IPSCs at several potentials, of many cells at once: yields recording, channel, stimuli of each."""
    n, command = len(levels), step_command(levels, pulse=-5.0 if with_pulse else 0.0)
    shape = ipsc_shape(command.shape[1], STIMULUS_MS)
    sizes = [each.conductance * np.maximum(rng.normal(1.0, each.cv, n), 0.0) for each in truths]
    rows = [each for each in truths for _ in range(n)]
    current = pipette_current(rows, np.tile(command, (len(truths), 1)), np.concatenate(sizes)[:, None] * shape)
    for i, each in enumerate(truths):
        own = current[i * n : (i + 1) * n]
        yield (*as_recording(own + noise(rng, own.shape, each.noise), command), stimuli(n))


def evoked_family(truth, rng, levels, *, with_pulse=True):
    """The same of one cell."""
    return next(evoked_families([truth], rng, levels, with_pulse=with_pulse))


def ramp_families(truths, rng, n, *, with_gaba=True, **command):
    """Ramps while GABA flows, or the control without it, of many cells at once: yields recording and channel."""
    volts = ramp_command(n, **command)
    sizes = [each.conductance * with_gaba * np.maximum(rng.normal(1.0, each.cv / 3.0, n), 0.0) for each in truths]
    rows = [each for each in truths for _ in range(n)]
    flowing = np.broadcast_to(np.concatenate(sizes)[:, None], (len(rows), volts.shape[1]))
    current = pipette_current(rows, np.tile(volts, (len(truths), 1)), flowing)
    for i, each in enumerate(truths):
        own = current[i * n : (i + 1) * n]
        yield as_recording(own + noise(rng, own.shape, each.noise), volts)


def ramp_family(truth, rng, n, *, with_gaba=True, **command):
    """The same of one cell."""
    return next(ramp_families([truth], rng, n, with_gaba=with_gaba, **command))
