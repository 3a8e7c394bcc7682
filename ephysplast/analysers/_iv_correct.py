"""From command to membrane potential, and from the recorded to the synaptic current."""

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter

from ephysplast.analysers._iv_protocol import group_levels
from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import robust_sd

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltage
    from ephysplast.analysers.reversal import CellConditions, ReversalConfig

NO_CONTROL: Final = "the control has no reading at this potential"

_SMOOTHED = 5  # sweeps: a slow change of R_s is followed, a misread one is not
_RESOLVED_MOHM = 0.2  # what remains of a well compensated R_s charges the cell within a sample or two
_MV = 1e-3  # pA · MΩ in mV, and nS · MΩ as a ratio


class Series(NamedTuple):
    """Series resistance that is left uncorrected by the amplifier, of every reading.

    Attributes
    ----------
    left_mohm : numpy.ndarray, shape (n_readings,)
        In MΩ; 0 where it is not known.
    known : bool
        Whether anything is known of it.
    error : float
        Its relative standard error.
    said : str
        For people.
    """

    left_mohm: FloatArray
    known: bool
    error: float
    said: str


class Points(NamedTuple):
    """Readings that count, corrected.

    Attributes
    ----------
    vm_mv, value, total_pa, command_mv : numpy.ndarray, shape (n,)
        Membrane potential, response (control subtracted), whole current, command.
    cluster, level : numpy.ndarray of int64, shape (n,)
        Which sweep, and which potential, each belongs to.
    place : numpy.ndarray of int64, shape (n,)
        Its place among all readings.
    control_off : numpy.ndarray, shape (n_control_sweeps, n)
        By how much each control sweep differs from the mean control; empty without a control.
    controlled : bool
        Whether a control was taken off.
    leak_factor : float
        What the responses were multiplied by for the leak, at most.
    """

    vm_mv: FloatArray
    value: FloatArray
    total_pa: FloatArray
    command_mv: FloatArray
    cluster: IntArray
    level: IntArray
    place: IntArray
    control_off: FloatArray
    controlled: bool
    leak_factor: float


def series_of(readings: "CurrentVoltage", conditions: "CellConditions", config: "ReversalConfig") -> Series:
    """Take the series resistance from the recording, else from the experimenter."""
    share = conditions.compensation_percent / 100.0
    if readings.protocol == "current clamp":
        return Series(np.zeros(readings.command_mv.size), True, 0.0, "the bridge is taken as balanced")
    systematic = config.rs_error_percent / 100.0
    if np.isfinite(readings.rs_mohm[readings.used]).any():
        rs, scatter = _smoothed(readings)
        usual = float(np.median(rs))
        source = f"measured ({readings.rs_source})" if readings.rs_source else "given with the readings"
        resolved = _RESOLVED_MOHM / max(usual, _RESOLVED_MOHM) if readings.rs_source else 0.0
        error = float(np.linalg.norm([systematic, scatter, resolved]))
        if share and _is_remainder(readings, usual, conditions, config):
            said = f"R_s {usual:.1f} MΩ {source}, which is what {100 * share:.0f} % compensation leaves"
            return Series(rs, True, error, said)
        said = f"R_s {usual:.1f} MΩ {source}{_after(share, usual)}"
        return Series(rs * (1.0 - share), True, error, said)
    if np.isfinite(conditions.rs_mohm):
        told = conditions.rs_mohm
        left = np.full(readings.command_mv.size, told * (1.0 - share))
        return Series(left, True, systematic, f"R_s {told:.1f} MΩ as given{_after(share, told)}")
    return Series(np.zeros(readings.command_mv.size), False, 0.0, "")


def same_membrane(readings: "CurrentVoltage", control: "CurrentVoltage") -> "tuple[CurrentVoltage, CurrentVoltage]":
    """Let ramps or steps and their control, which are of one cell, share what only one of them could tell.

    A series resistance that was measured in one of them only holds for both. The charging currents of ramps are taken
    off with one capacitance: each file's own would leave the difference as a current that is not there. Where only
    one of them has it, it is taken off neither, and goes with the control.
    """
    readings, control = _with_access_of(readings, control), _with_access_of(control, readings)
    both = [each.cm_pf for each in (readings, control)]
    if not np.isfinite(both).any():
        return readings, control
    if not np.isfinite(both).all():
        left = "charging current subtracted with the control"
        readings, control = (replace(each, response_value=each.total_pa, charging=left) for each in (readings, control))
        return readings, control
    mean = float(np.mean(both))
    answer = []
    for each in (readings, control):
        charging = (each.total_pa - each.response_value) * mean / each.cm_pf
        answer.append(replace(each, response_value=each.total_pa - charging, cm_pf=mean))
    return answer[0], answer[1]


def _with_access_of(readings: "CurrentVoltage", other: "CurrentVoltage") -> "CurrentVoltage":
    known = other.rs_mohm[other.used & np.isfinite(other.rs_mohm)]
    if np.isfinite(readings.rs_mohm[readings.used]).any() or not known.size:
        return readings
    borrowed = np.full(readings.rs_mohm.size, float(np.median(known)))
    return replace(
        readings, rs_mohm=borrowed, rs_source=other.rs_source and f"{other.rs_source}, with or without control"
    )


def points_of(
    readings: "CurrentVoltage",
    control: "CurrentVoltage | None",
    left_mohm: FloatArray,
    control_left_mohm: FloatArray,
    *,
    junction_mv: float,
    config: "ReversalConfig",
) -> Points:
    """Correct every reading that counts, and take the control off at the same membrane potential."""
    used = readings.used & np.isfinite(readings.command_mv) & np.isfinite(readings.response_value)
    index = np.flatnonzero(used)
    vm, value, factor = _corrected(readings, index, left_mohm, junction_mv)
    off: FloatArray = np.empty((0, index.size))
    if control is not None:
        rows = np.flatnonzero(control.used & np.isfinite(control.command_mv) & np.isfinite(control.response_value))
        curve = _corrected(control, rows, control_left_mohm, junction_mv)[:2]
        taken, off = _control_at(control, rows, *curve, readings.command_mv[index], vm, config)
        there = np.isfinite(taken)
        index, vm, value, off = index[there], vm[there], (value - taken)[there], off[:, there]
    inside = (vm >= config.fit_from_mv) & (vm <= config.fit_to_mv)
    index = index[inside]
    return Points(
        vm_mv=vm[inside],
        value=value[inside],
        total_pa=readings.total_pa[index],
        command_mv=readings.command_mv[index],
        cluster=_clusters(readings)[index],
        level=group_levels(readings.command_mv[index], readings.config.smallest_difference_mv),
        place=index,
        control_off=off[:, inside],
        controlled=control is not None,
        leak_factor=factor,
    )


def _after(share: float, whole: float) -> str:
    return f", of which {100 * share:.0f} % are compensated ({whole * (1.0 - share):.1f} MΩ left)" if share else ""


def _is_remainder(
    readings: "CurrentVoltage", usual: float, conditions: "CellConditions", config: "ReversalConfig"
) -> bool:
    """Whether the measured R_s is what the compensation leaves.

    A transient recorded with the compensation on shows the rest only. Where the experimenter knows the whole, the
    nearer one decides.
    """
    if config.compensated_rs != "auto":
        return config.compensated_rs == "remaining"
    if not readings.rs_source:
        return False
    if not np.isfinite(conditions.rs_mohm):
        return True
    rest = conditions.rs_mohm * (1.0 - conditions.compensation_percent / 100.0)
    return abs(usual - rest) < abs(usual - conditions.rs_mohm)


def _clusters(readings: "CurrentVoltage") -> IntArray:
    pairs = np.stack([readings.part, readings.sweeps], axis=1)
    return np.unique(pairs, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def _smoothed(readings: "CurrentVoltage") -> tuple[FloatArray, float]:
    """Follow R_s over the sweeps of each file; return it for every reading, and its relative standard error."""
    answer = np.full(readings.command_mv.size, np.nan)
    usual = float(np.median(readings.rs_mohm[np.isfinite(readings.rs_mohm)]))
    apart: list[float] = []
    for part in np.unique(readings.part):
        rows = np.flatnonzero(readings.part == part)
        sweeps, first, place = np.unique(readings.sweeps[rows], return_index=True, return_inverse=True)
        rs = readings.rs_mohm[rows][first]
        known = np.isfinite(rs)
        filled = np.where(known, rs, np.median(rs[known]) if known.any() else usual)
        smooth = median_filter(filled, size=min(_SMOOTHED, sweeps.size), mode="nearest")
        answer[rows] = smooth[place.reshape(-1)]
        apart += (rs[known] - smooth[known]).tolist()
    scatter = robust_sd(apart) / np.sqrt(max(len(apart), 1)) / usual if len(apart) > 2 and usual > 0.0 else 0.0
    return answer, float(scatter)


def _corrected(
    readings: "CurrentVoltage", index: IntArray, left_mohm: FloatArray, junction_mv: float
) -> tuple[FloatArray, FloatArray, float]:
    """Return membrane potential and response of some readings, and the largest factor for the leak."""
    command, value = readings.command_mv[index], readings.response_value[index].copy()
    junction = junction_mv if np.isfinite(junction_mv) else 0.0
    if readings.protocol == "current clamp":
        return command - junction, value, 1.0
    left, total = left_mohm[index], readings.total_pa[index]
    vm = command - total * left * _MV - junction
    factor = 1.0
    if readings.response == "evoked" and left.any():
        # While the IPSC flows the membrane moves by its R_s error, and the leak takes part of the current back.
        base = total - value
        leak = _leak_ns(command - base * left * _MV, base)
        value *= 1.0 + leak * left * _MV
        factor = float(1.0 + leak * left.max() * _MV)
    return vm, value, factor


def _leak_ns(potential_mv: FloatArray, current_pa: FloatArray) -> float:
    """Slope conductance of the baseline current, at least 0: the median slope from the middle (Theil–Sen)."""
    apart = potential_mv - np.median(potential_mv)
    far = np.abs(apart) > 0.25 * np.ptp(potential_mv)
    if not far.any() or np.ptp(potential_mv) == 0.0:
        return 0.0
    return max(float(np.median((current_pa - np.median(current_pa))[far] / apart[far])), 0.0)


def _control_at(
    control: "CurrentVoltage",
    rows: IntArray,
    vm: FloatArray,
    value: FloatArray,
    command: FloatArray,
    wanted_vm: FloatArray,
    config: "ReversalConfig",
) -> tuple[FloatArray, FloatArray]:
    """Read the mean control at each command, moved along its slope to the membrane potential wanted; NaN if absent."""
    nothing = np.full(command.size, np.nan)
    if not rows.size:
        return nothing, np.empty((0, command.size))
    there = control.command_mv[rows]
    near = np.abs(command[:, None] - there[None, :]).min(axis=1) <= config.match_mv
    at, vm_mean = _means(there, vm, config.match_mv)
    _, value_mean = _means(there, value, config.match_mv)
    slope = np.gradient(value_mean, vm_mean) if at.size > 1 else np.zeros(1)
    inside = near | ((command >= at[0]) & (command <= at[-1]) & (control.protocol == "voltage ramp"))
    moved = np.interp(command, at, slope) * (wanted_vm - np.interp(command, at, vm_mean))
    mean = np.interp(command, at, value_mean)
    cluster = _clusters(control)[rows]
    off = []
    for each in np.unique(cluster):
        own = cluster == each
        if own.sum() > 1:
            order = np.argsort(there[own])
            off.append(np.interp(command, there[own][order], value[own][order]) - mean)
    return np.where(inside, mean + moved, np.nan), np.array(off).reshape(len(off), command.size)


def _means(at: FloatArray, values: FloatArray, apart: float) -> tuple[FloatArray, FloatArray]:
    """Return mean position and mean value at each potential, from the lowest on."""
    # Ramps have readings nearer to each other than steps that count as one: equal ones only are gathered.
    group: NDArray[np.int64] = group_levels(at, min(apart, 0.05))
    count = np.bincount(group)
    return np.bincount(group, at) / count, np.bincount(group, values) / count
