"""Where the test pulse is, how large it is in each sweep, and the mains hum around it."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._segments import commands_of
from ephysplast.analysers._steps import Step, find_steps, step_sizes
from ephysplast.errors import SettingsError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Trace

if TYPE_CHECKING:
    from ephysplast.analysers.passive import TestPulseConfig

NO_PULSE = "there is no test pulse in the command"
_LOOK_AT = 3  # sweeps of a changing command: the first, the middle and the last
_SMALLEST = 0.5  # mV or pA: less is drift or digital noise of a recorded command
_MAINS_HZ = (50.0, 60.0)
_HUM = 1.5  # less hum than half the other variance does less harm than a fit that follows drift and synaptic currents


class Pulse(NamedTuple):
    """A test pulse.

    Attributes
    ----------
    edge, stop : int
        First sample of the step, and the first after it.
    quiet_from : int
        Since when the command had been constant.
    step : numpy.ndarray, shape (n_sweeps,)
        Its size in mV (voltage clamp) or pA (current clamp).
    usable : numpy.ndarray of bool, shape (n_sweeps,)
        Whether the sweep's step may be measured.
    """

    edge: int
    stop: int
    quiet_from: int
    step: FloatArray
    usable: NDArray[np.bool_]


def find_pulse(recording: Recording, channel: Channel, sweeps: IntArray, config: "TestPulseConfig") -> Pulse | str:
    """Find the test pulse of a channel, or say why there is none."""
    commands = commands_of(recording, channel, {"voltage": "mV", "current": "pA"}[channel.clamp])
    if config.stop_ms:
        return _as_set(commands, channel, sweeps, config)
    for command in commands:
        step = _choose(_candidates(command, sweeps, config), channel, config)
        if step is not None:
            return _with_sizes(command, step, channel, sweeps, config)
    return NO_PULSE if commands else "the command is not known: give start_ms, stop_ms and step in the settings"


def mains_weights(weights: FloatArray, rows: FloatArray, time_s: FloatArray) -> FloatArray:
    """Take hum of 50 or 60 Hz off sums over samples, where there is any.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_sums, n_samples)
        Weights of the samples; the first two rows are means over the quiet stretches, which the hum is fitted to.
    rows : numpy.ndarray, shape (n_sweeps, n_samples)
        Some sweeps, to see which mains there is.
    time_s : numpy.ndarray, shape (n_samples,)
        Time of each sample.

    Returns
    -------
    numpy.ndarray, shape (n_sums, n_samples)
        Weights whose sums are free of the hum; the same weights when the hum's variance is less than half the other
        variance, or the stretches are shorter than a cycle.
    """
    quiet = np.flatnonzero((weights[0] > 0.0) | (weights[1] > 0.0))
    looked_at = rows[:, quiet]
    looked_at = looked_at[np.isfinite(looked_at).all(axis=1)]
    if not len(looked_at) or quiet.size * float(np.median(np.diff(time_s))) < 1.0 / max(_MAINS_HZ):
        return weights
    levels = (weights[:2] > 0.0).astype(np.float64).T
    steady = levels[:, 1] > 0.0
    drift = np.where(steady, (time_s - time_s[steady].mean()) / np.ptp(time_s), 0.0)  # must not pass for hum
    levels = np.column_stack([levels, drift])
    without = _regress(levels[quiet], looked_at)[1]
    tried = []
    for frequency in _MAINS_HZ:
        phase = 2.0 * np.pi * frequency * time_s
        hum = np.column_stack([np.sin(phase), np.cos(phase)])
        solve, left = _regress(np.hstack([levels, hum])[quiet], looked_at)
        tried.append((left, hum, solve[3:]))
    left, hum, solve = min(tried, key=lambda each: each[0])
    if without < _HUM * left:
        return weights
    fitted = np.zeros((2, time_s.size))
    fitted[:, quiet] = solve
    return np.asarray(weights - (weights @ hum) @ fitted, dtype=np.float64)


def _regress(columns: FloatArray, rows: FloatArray) -> tuple[FloatArray, float]:
    solve: FloatArray = np.linalg.solve(columns.T @ columns, columns.T).astype(np.float64)
    rest = rows - (rows @ solve.T) @ columns.T
    return solve, float(np.sum(rest**2))


def _candidates(command: Trace, sweeps: IntArray, config: "TestPulseConfig") -> list[list[Step]]:
    """Gather the steps of a few sweeps: those at the same place belong together."""
    few = sweeps[:1] if command.same_every_sweep else sweeps[np.unique([0, sweeps.size // 2, sweeps.size - 1])]
    rate = command.rate_hz
    together: dict[tuple[int, int], list[Step]] = {}
    for sweep in few:
        for step in find_steps(command.sweep(int(sweep)), rate):
            long_enough = step.stop - step.first >= config.shortest_ms * 1e-3 * rate
            if long_enough and step.first - step.quiet_from > 2 and abs(step.size) >= _SMALLEST:
                together.setdefault((step.first, step.stop), []).append(step)
    return list(together.values())


def _choose(candidates: list[list[Step]], channel: Channel, config: "TestPulseConfig") -> Step | None:
    """Choose the step that is most like a test pulse."""
    rate = channel.trace.rate_hz
    ranked = []
    for steps in candidates:
        sizes = [each.size for each in steps]
        smallest = min(sizes, key=abs)
        varies = max(sizes) - min(sizes) > 0.02 * abs(smallest)
        if channel.clamp == "voltage":
            # Steps that change from sweep to sweep are an I–V protocol where they depolarise.
            possible = abs(smallest) <= config.largest_step_mv and (min(sizes) < 0.0 or not varies)
        else:
            possible = min(sizes) < 0.0
        if config.start_ms:
            possible = possible and abs(steps[0].first / rate - config.start_ms * 1e-3) <= 1.5e-3
        if possible:
            ranked.append((not steps[0].returns, varies, min(sizes) > 0.0, abs(smallest), steps[0].first, steps[0]))
    return min(ranked)[-1] if ranked else None


def _with_sizes(command: Trace, step: Step, channel: Channel, sweeps: IntArray, config: "TestPulseConfig") -> Pulse:
    if command.same_every_sweep:
        size = np.full(sweeps.size, step.size)
    else:
        long_enough = command.lengths[sweeps] >= step.stop
        size = np.full(sweeps.size, np.nan)
        size[long_enough] = step_sizes(command, step, sweeps[long_enough])
    if not np.isfinite(size).any():
        return Pulse(step.first, step.stop, step.quiet_from, size, np.zeros(size.size, dtype=np.bool_))
    near_zero = 0.02 * float(np.nanmax(np.abs(size)))
    with np.errstate(invalid="ignore"):
        if channel.clamp == "voltage":
            same_way = (size < 0.0) | bool(np.nanmin(size) > 0.0)
            usable = (np.abs(size) > near_zero) & (np.abs(size) <= config.largest_step_mv) & same_way
        else:
            usable = size < -near_zero  # a depolarising step may make the cell fire
    return Pulse(step.first, step.stop, step.quiet_from, size, usable)


def _as_set(commands: list[Trace], channel: Channel, sweeps: IntArray, config: "TestPulseConfig") -> Pulse | str:
    """Take the pulse where the settings have it."""
    rate = channel.trace.rate_hz
    edge, stop = round(config.start_ms * 1e-3 * rate), round(config.stop_ms * 1e-3 * rate)
    if stop > int(channel.trace.lengths[sweeps].max()):
        return f"the sweeps end before the test pulse of the settings does ({config.stop_ms:g} ms)"
    if config.step:
        return Pulse(edge, stop, 0, np.full(sweeps.size, config.step), np.ones(sweeps.size, dtype=np.bool_))
    for command in commands:
        pulse = _with_sizes(command, Step(edge, stop, 0.0, 0, True), channel, sweeps, config)
        if pulse.usable.any():
            return pulse
    raise SettingsError(
        f"the size of the test pulse of channel '{channel.name}' is not known",
        got="start_ms and stop_ms without a step in the command",
        wanted="step, in mV in voltage clamp and in pA in current clamp",
        remedy="add step to the settings of the test pulse",
    )
