"""Currents during voltage ramps: readings at many potentials, free of the current that charges the membrane."""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ephysplast._words import number
from ephysplast.analysers._iv_access import PLAUSIBLE_MOHM, Access
from ephysplast.analysers._iv_protocol import Ramps
from ephysplast.analysers._segments import Segment
from ephysplast.errors import OK
from ephysplast.recording import FloatArray, IntArray, Trace

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltageConfig

NO_RAMP: Final = "this sweep has no such ramp"
ENDS: Final = "the sweep ends before the ramp does"

_SETTLED = 5.0  # time constants after which the charging current has reached its level to 1 %
_CLEAR = 5.0  # standard errors
_LONGEST_SETTLING = 0.2  # of the ramp
_DRAWN = 400


class RampReadings(NamedTuple):
    """One row per sweep and bin.

    Attributes
    ----------
    sweep : numpy.ndarray of int64, shape (n_readings,)
        Place in the sweeps that were asked for.
    command_mv, total_pa, value_pa : numpy.ndarray, shape (n_readings,)
        Command, pipette current, and the same without the charging current where that is known.
    reason : list of str
        Of every reading.
    rows, rows_s
        For the figure.
    lag_mv : float
        How far the membrane lags behind the command; NaN when it is not known.
    charging, cm_pf : str, float
        How the charging current was taken off, for people, and with which capacitance; NaN with none.
    """

    sweep: IntArray
    command_mv: FloatArray
    total_pa: FloatArray
    value_pa: FloatArray
    reason: list[str]
    rows: FloatArray
    rows_s: FloatArray
    lag_mv: float
    charging: str
    cm_pf: float


class _Membrane(NamedTuple):
    """What charges during the ramp: capacitance (pF) and its time constant (s); NaN unknown."""

    cm_pf: float
    tau_s: float
    source: str


class _Limb(NamedTuple):
    command_mv: FloatArray
    current_pa: FloatArray
    slope_mv_per_ms: float


def read_ramps(
    trace: Trace, sweeps: IntArray, ramps: Ramps, access: Access, config: "CurrentVoltageConfig"
) -> RampReadings:
    """Read the ramp of each sweep in bins of equal duration."""
    chosen = [_choose(limbs, config.ramp_limb) for limbs in ramps.limbs]
    have = np.array([bool(limbs) for limbs in chosen], dtype=bool)
    complete = np.array([not limbs or limbs[-1].stop <= n for limbs, n in zip(chosen, trace.lengths[sweeps])], bool)  # noqa: B905
    usable = np.flatnonzero(have & complete)
    membrane = _membrane(trace, sweeps, chosen, usable, access)
    pieces, rows = [], []
    for i in usable:
        limbs = [_read_limb(trace, int(sweeps[i]), each, membrane, config) for each in chosen[i]]
        pieces.append((int(i), *_combined(limbs, membrane, config)))
        rows.append(_drawn(trace, int(sweeps[i]), chosen[i][0]))
    slopes = [abs(_slope(chosen[i][0], trace.rate_hz)) for i in usable]
    lag = max(slopes, default=np.nan) * membrane.tau_s * 1e3
    why = _too_fast(lag, config)
    reason = [why for _, volts, _, _ in pieces for _ in volts]
    for i in np.flatnonzero(~(have & complete)):
        pieces.append((int(i), *(np.array([np.nan]),) * 3))
        reason.append(ENDS if have[i] else NO_RAMP)
    both = any(len(limbs) == 2 for limbs in chosen)
    return RampReadings(
        sweep=np.concatenate([np.full(piece[1].size, piece[0]) for piece in pieces]).astype(np.int64),
        command_mv=np.concatenate([piece[1] for piece in pieces]),
        total_pa=np.concatenate([piece[2] for piece in pieces]),
        value_pa=np.concatenate([piece[3] for piece in pieces]),
        reason=reason,
        rows=np.array(rows) if rows and len({each.size for each in rows}) == 1 else np.full((len(rows), 0), np.nan),
        rows_s=_drawn_s(chosen[usable[0]][0], trace.rate_hz) if usable.size else np.array([]),
        lag_mv=lag,
        charging=_said(both, membrane, config),
        cm_pf=membrane.cm_pf if config.remove_charging and not both else np.nan,
    )


def _too_fast(lag_mv: float, config: "CurrentVoltageConfig") -> str:
    if not lag_mv > config.largest_lag_mv:
        return OK
    return (
        f"the ramp is too fast for the clamp: the membrane lags {lag_mv:.1f} mV behind the command "
        f"(slope × R_s × C_m), more than {config.largest_lag_mv:g} mV"
    )


def _said(both: bool, membrane: _Membrane, config: "CurrentVoltageConfig") -> str:
    if both:
        return "the charging current cancels between the rising and the falling limb"
    if np.isfinite(membrane.cm_pf) and config.remove_charging:
        return f"charging current of {number(membrane.cm_pf)} pF taken off ({membrane.source})"
    return "charging current not taken off" + ("" if np.isfinite(membrane.cm_pf) else ": C_m is not known")


def _choose(limbs: tuple[Segment, ...], wanted: str) -> tuple[Segment, ...]:
    """Choose the limbs to read: a rising one with the falling one that undoes it, or the first that is wanted."""
    rising = [each for each in limbs if each.end > each.begin]
    falling = [each for each in limbs if each.end < each.begin]
    if wanted != "both":
        return tuple((rising if wanted == "rising" else falling)[:1])
    if rising and falling:
        reach = rising[0].end - rising[0].begin
        if abs(falling[0].begin - falling[0].end - reach) < 0.02 * reach:
            return tuple(sorted((rising[0], falling[0])))
    return limbs[:1]


def _slope(limb: Segment, rate_hz: float) -> float:
    return (limb.end - limb.begin) / (limb.stop - 1 - limb.first) * rate_hz * 1e-3


def _membrane(
    trace: Trace, sweeps: IntArray, chosen: list[tuple[Segment, ...]], usable: IntArray, access: Access
) -> _Membrane:
    """Take R_s·C_m and C_m from the test pulse, else from the corner at which the ramp begins."""
    known = np.isfinite(access.rs_mohm) & np.isfinite(access.cm_pf)
    if known.any():
        rs, cm = float(np.median(access.rs_mohm[known])), float(np.median(access.cm_pf[known]))
        return _Membrane(cm, rs * cm * 1e-6, f"C_m from {access.source}")
    if usable.size:
        jump, tau_s = _corner(trace, sweeps[usable], chosen[usable[0]][0])
        cm = jump / _slope(chosen[usable[0]][0], trace.rate_hz)
        # What charges through more than that is no membrane: the current bends for reasons of its own.
        if cm > 0.0 and 1e6 * tau_s / cm <= PLAUSIBLE_MOHM:
            return _Membrane(cm, tau_s, "C_m from the ramp's onset")
    return _Membrane(np.nan, np.nan, "")


def _corner(trace: Trace, sweeps: IntArray, limb: Segment) -> tuple[float, float]:
    """Fit the charging current at the ramp's onset, ``A (1 − exp(−t/τ)) + b t``; A in pA, τ in s.

    NaN where A does not stand out of the noise, or may as well come at once: slow noise does that too.
    """
    rate = trace.rate_hz
    before, after = round(2e-3 * rate), min(round(20e-3 * rate), (limb.stop - limb.first) // 5)
    if limb.first < before or after < 20:
        return np.nan, np.nan
    mean = trace.window((limb.first - before) / rate, (limb.first + after) / rate, sweeps).mean(axis=0)
    rise, time = mean[before:] - mean[:before].mean(), np.arange(after, dtype=np.float64)
    fits = []
    for tau in np.geomspace(0.02e-3 * rate, after / 4.0, 60):
        columns = np.stack([-np.expm1(-time / tau), time], axis=1)
        solved, *_ = np.linalg.lstsq(columns, rise, rcond=None)
        left = max(float(np.sum((rise - columns @ solved) ** 2)), 1e-300)
        error = float(np.sqrt(left / (after - 3) * np.linalg.inv(columns.T @ columns)[0, 0]))
        fits.append((left, float(solved[0]), float(tau), error))
    left, size, tau, error = min(fits)
    if abs(size) <= _CLEAR * error or tau == fits[-1][2]:
        return np.nan, np.nan
    resolved = after * np.log(fits[0][0] / left) > _CLEAR**2
    return (size, tau / rate) if resolved else (np.nan, np.nan)


def _read_limb(trace: Trace, sweep: int, limb: Segment, membrane: _Membrane, config: "CurrentVoltageConfig") -> _Limb:
    rate = trace.rate_hz
    length = limb.stop - limb.first
    settling = max(_SETTLED * np.nan_to_num(membrane.tau_s, nan=1e-3) * rate, 1e-3 * rate)
    first = limb.first + round(min(settling, _LONGEST_SETTLING * length))
    width = max((limb.stop - first) // config.readings_per_ramp, 1)
    n_bins = (limb.stop - first) // width
    current = trace.window(first / rate, (first + n_bins * width) / rate, [sweep])[0]
    middle = first - limb.first + width * np.arange(n_bins) + 0.5 * (width - 1)
    command = limb.begin + (limb.end - limb.begin) * middle / (length - 1)
    return _Limb(command, current.reshape(n_bins, width).mean(axis=1), _slope(limb, rate))


def _combined(
    limbs: list[_Limb], membrane: _Membrane, config: "CurrentVoltageConfig"
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return command, whole current, and current without charging, of one sweep."""
    one = limbs[0]
    if len(limbs) == 1:
        cm = membrane.cm_pf if config.remove_charging and np.isfinite(membrane.cm_pf) else 0.0
        charging = cm * one.slope_mv_per_ms * _followed(one, membrane)
        return one.command_mv, one.current_pa, one.current_pa - charging
    other = limbs[1]
    low, high = (max(each.command_mv.min() for each in limbs), min(each.command_mv.max() for each in limbs))
    inside = (one.command_mv >= low) & (one.command_mv <= high)
    order = np.argsort(other.command_mv)
    there = np.interp(one.command_mv[inside], other.command_mv[order], other.current_pa[order])
    # Weights that let C·dV/dt cancel, also between limbs of unequal steepness.
    share = abs(other.slope_mv_per_ms) / (abs(one.slope_mv_per_ms) + abs(other.slope_mv_per_ms))
    mean = share * one.current_pa[inside] + (1.0 - share) * there
    return one.command_mv[inside], mean, mean


def _followed(limb: _Limb, membrane: _Membrane) -> FloatArray:
    """By how much the membrane follows the command, ``dV_m/dV_command = 1 − R_s dI/dV_command``.

    It follows less while a conductance is open, so a control subtracted as it is would leave a charging current.
    """
    rs_gohm = 1e3 * membrane.tau_s / membrane.cm_pf
    if not np.isfinite(rs_gohm) or limb.command_mv.size < 4:
        return np.ones(limb.command_mv.size)
    apart = limb.command_mv - limb.command_mv.mean()
    bent, slope, _ = np.polyfit(apart, limb.current_pa, 2)
    return np.asarray(np.clip(1.0 - rs_gohm * (2.0 * bent * apart + slope), 0.0, 1.0))


def _drawn(trace: Trace, sweep: int, limb: Segment) -> FloatArray:
    width = max((limb.stop - limb.first) // _DRAWN, 1)
    n = (limb.stop - limb.first) // width
    row = trace.window(limb.first / trace.rate_hz, (limb.first + n * width) / trace.rate_hz, [sweep])[0]
    return np.asarray(row.reshape(n, width).mean(axis=1))


def _drawn_s(limb: Segment, rate_hz: float) -> FloatArray:
    width = max((limb.stop - limb.first) // _DRAWN, 1)
    n = (limb.stop - limb.first) // width
    return np.asarray((np.arange(n) * width + 0.5 * (width - 1)) / rate_hz)
