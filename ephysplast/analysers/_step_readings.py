"""What is read from the sweeps of a family of current steps or ramps, and how the readings of files are joined."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers import _step_shape as shape
from ephysplast.analysers._current_command import GOES_ON, Family
from ephysplast.analysers.spikes import SpikeConfig, SpikeResult
from ephysplast.errors import OK
from ephysplast.recording import Channel, FloatArray, IntArray
from ephysplast.signal import spikes_in_rows

if TYPE_CHECKING:
    from ephysplast.analysers.current_steps import CurrentStepConfig, CurrentSteps

_NAN: Final = float("nan")
_AROUND: Final = 0.2  # of the step's length is drawn before and after it
_AT_ONCE: Final = 2_000_000  # samples: 16 MB, and some more for what is made of them
_SHORTEST_SAG_S: Final = 0.1  # I_h needs that long to show


def regridded(steps: "CurrentSteps", time_s: FloatArray) -> FloatArray:
    """Draw the traces of a part on the time axis of another; NaN where they do not reach."""
    if steps.trace_s.shape == time_s.shape and np.allclose(steps.trace_s, time_s):
        return steps.trace_mv
    at = np.clip(np.searchsorted(steps.trace_s, time_s), 0, steps.trace_s.size - 1)
    outside = (time_s < steps.trace_s[0]) | (time_s > steps.trace_s[-1])
    return np.where(outside, _NAN, steps.trace_mv[:, at])


def joined_spikes(parts: list[SpikeResult]) -> SpikeResult:
    before = np.cumsum([0, *(each.sweeps.size for each in parts)])
    joined: dict[str, Any] = {}
    for each in fields(SpikeResult):
        values = [getattr(part, each.name) for part in parts]
        if isinstance(values[0], np.ndarray):
            shifted = [value + before[i] for i, value in enumerate(values)] if each.name == "row" else values
            joined[each.name] = np.concatenate(shifted)
        elif isinstance(values[0], tuple):
            joined[each.name] = sum(values, ())
    status = next((part.status for part in parts if part.status == OK), parts[0].status)
    return replace(parts[0], **joined | {"status": status})


def held(channel: Channel, sweeps: IntArray, family: Family, n_samples: int) -> FloatArray:
    """Read the potential of the last `n_samples` at holding before the step; NaN where holding was shorter."""
    wanted = np.minimum(family.held_until - family.held_from, n_samples)
    longest = int(wanted.max(initial=0))
    rows = shape.read_rows(channel.trace, sweeps, family.held_until - longest, longest)
    rows[np.arange(longest) < (longest - wanted)[:, None]] = _NAN
    return rows


def spontaneous(channel: Channel, sweeps: IntArray, family: Family, spikes: SpikeConfig) -> IntArray:
    """Count the spikes at holding before the step, of a cell that has recovered from any pulse before."""
    free = family._replace(held_from=family.free_from)
    rows = held(channel, sweeps, free, int((family.held_until - family.free_from).max(initial=0)))
    row, _ = spikes_in_rows(rows, channel.trace.rate_hz, criteria=spikes.criteria)
    return np.bincount(row, minlength=sweeps.size).astype(np.int64)


def of_traces(
    channel: Channel,
    sweeps: IntArray,
    family: Family,
    fits: NDArray[np.bool_],
    known: tuple[FloatArray, SpikeResult],
    config: "CurrentStepConfig",
) -> dict[str, Any]:
    """Return what is read off the traces around the steps that fit into their sweeps, by the names of the result.

    Some sweeps at a time, for the traces and what is made of them take room. `known` is the rest and the spikes.
    """
    rate, length = channel.trace.rate_hz, np.where(fits, family.stop - family.first, 0)
    around = round(max(_AROUND * float(np.median(length[fits])), config.baseline_ms * 1e-3 * rate))
    n_samples = int(length.max()) + 2 * around
    first = np.where(fits, family.first - around, -n_samples)
    rise, parts = _first_rise(known[1]), []
    for at in range(0, sweeps.size, step := max(_AT_ONCE // n_samples, 1)):
        some = slice(at, at + step)
        mv = shape.read_rows(channel.trace, sweeps[some], first[some], n_samples)
        rows = shape.Rows(mv, around, length[some], rate)
        here = family.of_sweeps(some)
        drawn, drawn_s = shape.thinned(rows, config.drawn_samples)
        read = _deflections(rows, known[0][some], here, ~np.isfinite(rise[some]), config)
        parts.append(read | _edge_jumps(rows, here, rise[some]) | {"trace_mv": drawn})
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} | {"trace_s": drawn_s}


def _first_rise(found: SpikeResult) -> FloatArray:
    """Return when the first spike of each window rises, from the window's start; infinite without one."""
    rise = np.full(found.count.size, np.inf)
    fired, first = np.unique(found.row, return_index=True)
    rise[fired] = found.time_s[first] - found.start_s[fired]
    return rise


def _edge_jumps(rows: shape.Rows, family: Family, rise_s: FloatArray) -> dict[str, FloatArray]:
    """Return by how much the potential jumps at the step's edge; NaN for ramps, after a pre-pulse, and at a spike."""
    there = (rows.length > 0) & ~family.prepulse & (rise_s > 2.0 * shape.LATE_JUMP_S[1])
    there &= family.protocol == "steps"
    windows = {"jump_mv": shape.JUMP_S, "late_jump_mv": shape.LATE_JUMP_S}
    return {name: np.where(there, shape.jump_of(rows, window), _NAN) for name, window in windows.items()}


def _deflections(
    rows: shape.Rows, rest: FloatArray, family: Family, silent: NDArray[np.bool_], config: "CurrentStepConfig"
) -> dict[str, FloatArray]:
    """Return steady deflection, sag ratio, what noise adds to it, and τ of each sweep."""
    if family.protocol == "ramp":
        return {name: np.full(rest.size, _NAN) for name in ("steady_mv", "sag_ratio", "sag_noise", "tau_ms")}
    length = rows.length.astype(np.float64)
    late = length * (1.0 - config.steady_percent / 100.0)
    silent = silent & (rows.length > 0)
    steady = np.where(silent, shape.mean_between(rows.mv, rows.after, late, length) - rest, _NAN)
    charging = silent & ~family.prepulse & (family.end_pa < family.holding_pa)
    smooth, peak = shape.peak_deflection(rows, rest, config.smooth_ms)
    sags = charging & (length >= _SHORTEST_SAG_S * rows.rate_hz) & (peak <= -config.smallest_sag_mv)
    dips = shape.noise_of(rows, smooth, sags, config.smooth_ms)
    clear = charging & (peak <= -config.smallest_tau_mv)
    return {
        "steady_mv": steady,
        "sag_ratio": shape.sag_of(peak, steady, sags),
        "sag_noise": np.divide(dips, -peak, out=np.full(peak.size, _NAN), where=sags),
        "tau_ms": shape.tau_of(rows, smooth, peak, clear, config.bridge_ms),
    }


def ramps_counted_once(steps: "CurrentSteps", family: Family) -> "CurrentSteps":
    """Keep of a ramp that goes on over sweeps the piece with the first spike, or the last piece when none has one."""
    reason, rest = list(steps.reason), steps.rest_mv.copy()
    goes_on = (family.held_until <= family.held_from) & (family.first >= 0)
    chain: list[int] = []
    for i in [*range(len(reason)), -1]:
        if i >= 0 and goes_on[i] and chain:
            chain.append(i)
            continue
        fired = [k for k in chain if np.isfinite(steps.current_at_spike_pa[k])]
        keep = fired[0] if fired else (chain[-1] if chain else -1)
        if chain:
            rest[keep] = steps.rest_mv[chain[0]]
        for k in chain:
            if k != keep and reason[k] == OK:
                reason[k] = GOES_ON
        chain = [i] if i >= 0 and family.first[i] >= 0 else []
    return replace(steps, reason=tuple(reason), rest_mv=rest)


def speed(family: Family, rate_hz: float) -> FloatArray:
    seconds = np.maximum(family.stop - family.first - 1, 1) / rate_hz
    speed = (family.end_pa - family.begin_pa) / seconds
    return np.where((family.first >= 0) & (family.protocol == "ramp"), speed, _NAN)


def current_at_spike(family: Family, found: SpikeResult, rate_hz: float) -> FloatArray:
    """Return the current above holding at the first spike's threshold (its steepest rise where it has none)."""
    answer = np.full(family.first.size, _NAN)
    if family.protocol != "ramp" or not found.row.size:
        return answer
    fired, first_spike = np.unique(found.row, return_index=True)
    at_s = np.where(
        np.isfinite(found.threshold_s[first_spike]), found.threshold_s[first_spike], found.time_s[first_spike]
    )
    since = at_s - family.first[fired] / rate_hz
    answer[fired] = family.begin_pa[fired] + speed(family, rate_hz)[fired] * since - family.holding_pa[fired]
    return answer
