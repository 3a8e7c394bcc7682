"""From a recording to rows of readings: evoked responses, steps, ramps."""

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._iv_access import Access, measure_access
from ephysplast.analysers._iv_protocol import (
    NO_COMMAND,
    NO_PROTOCOL,
    Command,
    Ramps,
    Steps,
    find_protocol,
    levels_over,
)
from ephysplast.analysers._iv_steady import read_steps
from ephysplast.analysers._ramp import read_ramps
from ephysplast.analysers._segments import commands_of, read_command
from ephysplast.analysers._windows import rows_around
from ephysplast.errors import OK, EphysplastError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording
from ephysplast.signal import spikes_in_rows

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltageConfig
    from ephysplast.analysers.stimuli import Stimuli

REJECTED: Final = "rejected in the manifest"
CHANGES: Final = "the command changes between baseline and response, or too shortly before"
OUTSIDE: Final = "the sweep does not hold the whole window around the response"
SPIKES: Final = "a spike in the response"
NOT_FLAT: Final = "the command is not flat where the other sweeps have their step"
ENDS: Final = "the sweep ends before the step does"

_DRAWN = 400
_BEFORE_MS = 5.0
BoolArray = NDArray[np.bool_]


def measure_total(
    recording: Recording, channel: Channel, sweeps: IntArray, rejected: BoolArray, config: "CurrentVoltageConfig"
) -> dict[str, Any]:
    """Read the whole current of steps or ramps; a status alone when there are none."""
    rate = channel.trace.rate_hz
    commands: list[Command] = [()] * sweeps.size
    protocol: Steps | Ramps | str
    if config.increment_mv or config.first_mv:
        protocol = _told(sweeps, rate, config)
    else:
        traces = commands_of(recording, channel, "mV")
        commands = read_command(traces[0], sweeps) if traces else []
        protocol = (find_protocol(commands, rate, config) or NO_PROTOCOL) if traces else NO_COMMAND
    if isinstance(protocol, str):
        return {"status": protocol}
    access = measure_access(recording, channel, sweeps, commands)
    if isinstance(protocol, Ramps):
        return _ramp_rows(channel, sweeps, rejected, protocol, access, config)
    return _step_rows(channel, sweeps, rejected, protocol, access, config)


def measure_evoked(
    recording: Recording,
    channel: Channel,
    sweeps: IntArray,
    rejected: BoolArray,
    stimuli: "Stimuli",
    config: "CurrentVoltageConfig",
) -> dict[str, Any]:
    """Cut the response of each sweep and its baseline, and read the potential at which it was recorded."""
    if stimuli.status != OK or stimuli.n_pulses < config.pulse:
        few = f"there is no stimulus number {config.pulse}: the sweeps have {stimuli.n_pulses}"
        return {"status": stimuli.status if stimuli.status != OK else few}
    times = _times(stimuli, sweeps, config)
    trace, current_clamp = channel.trace, channel.clamp == "current"
    gap, base = config.baseline_gap_ms * 1e-3, config.baseline_ms * 1e-3
    baseline = rows_around(trace, times.at_s, -gap - base, -gap, sweeps=sweeps).mean(axis=1)
    held = _unclamped(baseline) if current_clamp else _held(recording, channel, sweeps, times, config)
    if held is None:
        return {"status": NO_COMMAND}
    after, before = _extent(held, times, config), round(_BEFORE_MS * 1e-3 * trace.rate_hz) / trace.rate_hz
    cut = rows_around(trace, times.event_s, -before, after, sweeps=sweeps)
    cut_s = np.arange(cut.shape[1]) / trace.rate_hz - before
    spiking = np.zeros(sweeps.size, dtype=bool)
    if current_clamp:
        spiking[spikes_in_rows(np.nan_to_num(cut), trace.rate_hz)[0]] = True
    responses = cut - baseline[:, None]
    outside = np.isnan(responses).any(axis=1)
    changes = ~(np.isfinite(held.potential) & (held.until_s >= after))
    checks = ((rejected, REJECTED), (outside, OUTSIDE), (changes, CHANGES), (spiking, SPIKES))
    return {
        "protocol": "current clamp" if current_clamp else "voltage steps",
        "response": "evoked",
        "sweeps": sweeps,
        "part": np.zeros(sweeps.size, dtype=np.int64),
        "command_mv": held.potential,
        # Set at the reading: baseline plus response.
        "total_pa": np.full(sweeps.size, np.nan) if current_clamp else baseline,
        "response_value": np.zeros(sweeps.size),
        "rs_mohm": held.access.rs_mohm,
        "rs_source": held.access.source,
        "reason": _reasons(times.reason, checks),
        **_thinned(responses, cut_s),
        "cut": responses,
        "cut_s": cut_s,
    }


class _Times(NamedTuple):
    """Stimulus, event and next stimulus of each sweep, in s; NaN where there is none, with the reason."""

    at_s: FloatArray
    event_s: FloatArray
    next_s: FloatArray
    reason: list[str]


class _Held(NamedTuple):
    """What each sweep is held at around its response, for how long after the event, and through what."""

    potential: FloatArray
    until_s: FloatArray
    access: Access


def _times(stimuli: "Stimuli", sweeps: IntArray, config: "CurrentVoltageConfig") -> _Times:
    row_of = {int(sweep): i for i, sweep in enumerate(stimuli.sweeps)}
    row = np.array([row_of.get(int(sweep), -1) for sweep in sweeps], dtype=np.int64)
    pulse = config.pulse - 1
    following = stimuli.times_s[row, pulse + 1] if stimuli.n_pulses > config.pulse else np.full(row.size, np.nan)
    at, event = (np.where(row >= 0, each[row, pulse], np.nan) for each in (stimuli.times_s, stimuli.event_s))
    reason = ["no stimulus" if i < 0 else str(stimuli.reason[i, pulse]) for i in row]
    return _Times(at, event, following, reason)


def _reasons(known: list[str], checks: tuple[tuple[BoolArray, str], ...]) -> tuple[str, ...]:
    """Give each sweep the first reason that holds."""
    answer = list(known)
    for i, why in enumerate(known):
        if why == OK:
            answer[i] = next((said for holds, said in checks if holds[i]), OK)
    return tuple(answer)


def _extent(held: _Held, times: _Times, config: "CurrentVoltageConfig") -> float:
    """How far after the event all sweeps are read: not beyond the next stimulus, nor the end of the step."""
    after = (max(config.search_stop_ms, config.latency_ms) + 2.0 * config.reading_ms) * 1e-3
    until_next = times.next_s - times.event_s - config.baseline_gap_ms * 1e-3
    least = (config.search_start_ms + 2.0 + 2.0 * config.reading_ms) * 1e-3
    ends = np.concatenate([held.until_s, until_next])
    return float(min(after, ends[ends >= least].min(initial=np.inf)))


def _unclamped(potential: FloatArray) -> _Held:
    unknown = np.full(potential.size, np.nan)
    return _Held(potential, np.full(potential.size, np.inf), Access(unknown, unknown, ""))


def _held(
    recording: Recording, channel: Channel, sweeps: IntArray, times: _Times, config: "CurrentVoltageConfig"
) -> _Held | None:
    """Return what the command holds from before the baseline until the response; None when it is not known."""
    if config.increment_mv or config.first_mv:
        told = config.first_mv + config.increment_mv * sweeps.astype(np.float64)
        return _Held(told, np.full(sweeps.size, np.inf), measure_access(recording, channel, sweeps, []))
    traces = commands_of(recording, channel, "mV")
    if not traces:
        return None
    commands, rate = read_command(traces[0], sweeps), traces[0].rate_hz
    known = np.isfinite(times.event_s)
    event = np.where(known, times.event_s, 0.0)
    start = np.where(known, times.at_s, 0.0) - 1e-3 * (config.baseline_gap_ms + config.baseline_ms + config.settle_ms)
    first = np.maximum(np.rint(start * rate), 0.0).astype(np.int64)
    level, until = levels_over(commands, first, np.rint(event * rate).astype(np.int64))
    return _Held(
        np.where(known, level, np.nan), until / rate - event, measure_access(recording, channel, sweeps, commands)
    )


def _told(sweeps: IntArray, rate_hz: float, config: "CurrentVoltageConfig") -> Steps | str:
    if not config.step_stop_ms:
        return "first_mv and increment_mv need the time of the step: give step_start_ms and step_stop_ms too"
    first, stop = (round(each * 1e-3 * rate_hz) for each in (config.step_start_ms, config.step_stop_ms))
    return Steps(first, stop, config.first_mv + config.increment_mv * sweeps.astype(np.float64))


def _step_rows(
    channel: Channel,
    sweeps: IntArray,
    rejected: BoolArray,
    steps: Steps,
    access: Access,
    config: "CurrentVoltageConfig",
) -> dict[str, Any]:
    long_enough = channel.trace.lengths[sweeps] >= steps.stop
    flat = np.isfinite(steps.level)
    settled = read_steps(channel.trace, sweeps, steps, long_enough & flat, config)
    reason = [
        REJECTED if no else (ENDS if not long else (OK if level else NOT_FLAT))
        for no, long, level in zip(rejected, long_enough, flat, strict=True)
    ]
    return {
        "protocol": "voltage steps",
        "response": "total",
        "sweeps": sweeps,
        "part": np.zeros(sweeps.size, dtype=np.int64),
        "command_mv": steps.level,
        "total_pa": settled.value,
        "response_value": settled.value.copy(),
        "rs_mohm": access.rs_mohm,
        "rs_source": access.source,
        "reason": tuple(reason),
        **_thinned(settled.rows, settled.rows_s),
        "read_ms": (settled.read_s[0] * 1e3, settled.read_s[1] * 1e3),
    }


def _ramp_rows(
    channel: Channel,
    sweeps: IntArray,
    rejected: BoolArray,
    ramps: Ramps,
    access: Access,
    config: "CurrentVoltageConfig",
) -> dict[str, Any]:
    found = read_ramps(channel.trace, sweeps, ramps, access, config)
    reason = [REJECTED if rejected[i] else why for i, why in zip(found.sweep, found.reason, strict=True)]
    return {
        "protocol": "voltage ramp",
        "response": "total",
        "sweeps": sweeps[found.sweep],
        "part": np.zeros(found.sweep.size, dtype=np.int64),
        "command_mv": found.command_mv,
        "total_pa": found.total_pa,
        "response_value": found.value_pa,
        "rs_mohm": access.rs_mohm[found.sweep],
        "rs_source": access.source,
        "reason": tuple(reason),
        "trace": found.rows,
        "trace_s": found.rows_s,
        "charging": found.charging,
        "cm_pf": found.cm_pf,
        "lag_mv": found.lag_mv,
    }


def _thinned(rows: FloatArray, rows_s: FloatArray) -> dict[str, FloatArray]:
    width = max(rows.shape[1] // _DRAWN, 1)
    n = rows.shape[1] // width
    thin = rows[:, : n * width].reshape(len(rows), n, width).mean(axis=2)
    return {"trace": thin, "trace_s": rows_s[: n * width].reshape(n, width).mean(axis=1)}


def no_readings(channel: Channel, why: str, config: "CurrentVoltageConfig") -> dict[str, Any]:
    """Return the fields of a result without readings."""
    nothing = np.array([], dtype=np.float64)
    return {
        "status": why,
        "protocol": "current clamp" if channel.clamp == "current" else "",
        "response": "evoked" if channel.clamp == "current" else "total",
        "unit": channel.unit,
        "sweeps": np.array([], dtype=np.int64),
        "part": np.array([], dtype=np.int64),
        "command_mv": nothing,
        "total_pa": nothing,
        "response_value": nothing,
        "rs_mohm": nothing,
        "reason": (),
        "trace": np.empty((0, 0)),
        "trace_s": nothing,
        "config": config,
    }


def check_alike(name: str, values: list[str]) -> None:
    """Refuse to join what was not recorded alike."""
    if len(set(values)) > 1:
        raise EphysplastError(
            f"the files of one phase differ in {name}",
            got=", ".join(dict.fromkeys(values)),
            wanted="the same in every file that is measured together",
            remedy="correct the manifest, or give each protocol an experiment of its own",
        )


def drawn_at(rows: FloatArray, rows_s: FloatArray, at_s: FloatArray) -> FloatArray:
    """Put traces of one file onto the time axis of another; NaN where they do not reach."""
    if rows_s.size == at_s.size and np.allclose(rows_s, at_s):
        return rows
    if not rows_s.size:
        return np.empty((0, at_s.size))
    return np.array([np.interp(at_s, rows_s, row, left=np.nan, right=np.nan) for row in rows]).reshape(-1, at_s.size)
