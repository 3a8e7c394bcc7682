"""What is read from the sweeps of a family of current steps or ramps, and how the readings of files are joined."""

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ephysplast.analysers import _step_shape as shape
from ephysplast.analysers._current_command import Family
from ephysplast.analysers.spikes import SpikeConfig, SpikeResult
from ephysplast.errors import OK
from ephysplast.recording import Channel, FloatArray, IntArray
from ephysplast.signal import spikes_in_rows

if TYPE_CHECKING:
    from ephysplast.analysers.current_steps import CurrentStepConfig, CurrentSteps

_NAN: Final = float("nan")
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
    longest = int((family.held_until - family.held_from).max(initial=0))
    rows = held(channel, sweeps, family, longest)
    row, _ = spikes_in_rows(rows, channel.trace.rate_hz, criteria=spikes.criteria)
    return np.bincount(row, minlength=sweeps.size).astype(np.int64)


def deflections(
    rows: shape.Rows, rest: FloatArray, family: Family, found: SpikeResult, config: "CurrentStepConfig"
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return steady deflection, sag ratio and τ of each sweep."""
    nothing = np.full(rest.size, _NAN)
    if family.protocol == "ramp":
        return nothing, nothing.copy(), nothing.copy()
    length = rows.length.astype(np.float64)
    late = length * (1.0 - config.steady_percent / 100.0)
    steady = shape.mean_between(rows.mv, rows.after, late, length) - rest
    silent = (found.count == 0) & (rows.length > 0)
    steady = np.where(silent, steady, _NAN)
    charging = silent & ~family.prepulse & (family.end_pa < family.holding_pa)
    smooth, peak = shape.peak_deflection(rows, rest, config.smooth_ms)
    long_enough = length >= _SHORTEST_SAG_S * rows.rate_hz
    sag = shape.sag_of(peak, steady, charging & long_enough & (peak <= -config.smallest_sag_mv))
    clear = charging & (peak <= -config.smallest_tau_mv)
    return steady, sag, shape.tau_of(rows, smooth, peak, clear, config.bridge_ms)


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
