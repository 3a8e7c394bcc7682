"""The shape of evoked responses: of the mean of each pulse, and of single sweeps where the signal allows it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.signal import find_peaks

from ephysplast.analysers._reading import Layout, smooth
from ephysplast.recording import FloatArray
from ephysplast.signal import crossing, decay_tau_ms, rise, robust_sd

_CLEAR = 6.0  # a single sweep shows its onset when it is so many SD of the smoothed noise tall
_FEWEST_LATENCIES = 5
_FEWEST_SHARE = 0.2  # the few largest of many weak responses tell their own latencies, not the response's
_LATER_MS = 3.0


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One mean response; NaN where it does not show the feature."""

    onset_latency_ms: float = np.nan
    rise_ms: float = np.nan
    half_width_ms: float = np.nan
    decay_tau_ms: float = np.nan
    charge_pc: float = np.nan
    max_slope: float = np.nan
    second_component_ms: float = np.nan


def upright(layout: Layout, mean: FloatArray, pulse: int, polarity: int) -> FloatArray:
    """Return the response alone, upward-going: nothing before the search window, NaN from the next stimulus on."""
    start, _ = layout.search(pulse)
    alone = mean * polarity
    alone[..., :start] = 0.0
    alone[..., layout.zero + layout.until_next(pulse) :] = np.nan
    return alone


def shape_of(layout: Layout, mean: FloatArray, pulse: int, *, polarity: int, peak: int, error: float) -> Shape:
    """Measure the mean response to one stimulus.

    Parameters
    ----------
    mean : numpy.ndarray, shape (n_samples,)
        Baseline, and the decay of the previous response, taken away.
    peak : int
        Index of its extremum.
    error : float
        Standard error of the mean's readings: what is smaller than four of them is no second component.
    """
    time_s, rate_hz = layout.evoked.time_s, layout.evoked.rate_hz
    alone = upright(layout, mean, pulse, polarity)
    height = float(smooth(layout, np.nan_to_num(alone))[peak])
    edges = rise(alone, time_s, peak, height)
    low, high = (crossing(alone, time_s, part * height, peak, before=True) for part in (0.1, 0.6))
    fallen = crossing(alone, time_s, 0.9 * height, peak, before=False)
    known = np.isfinite(alone)
    charge = float(alone[known & (time_s >= 0)].sum()) / rate_hz if layout.evoked.unit == "pA" else np.nan
    return Shape(
        onset_latency_ms=float(edges.onset_s) * 1e3,
        rise_ms=float(edges.rise_ms),
        half_width_ms=float(edges.half_width_ms),
        decay_tau_ms=_decay(layout, alone, peak, float(fallen), height),
        charge_pc=charge,
        max_slope=float(0.5 * height / (high - low) / 1e3),
        second_component_ms=_second_component(layout, alone, peak, height, error),
    )


def _decay(layout: Layout, alone: FloatArray, peak: int, fallen_s: float, height: float) -> float:
    if not np.isfinite(fallen_s):
        return np.nan
    first = layout.zero + int(np.ceil(fallen_s * layout.evoked.rate_hz))
    tail = alone[max(first, peak) :]
    tail = tail[np.isfinite(tail)]
    # Less than half of a decay does not tell its time constant from a sloping baseline.
    return decay_tau_ms(tail, layout.evoked.rate_hz) if len(tail) and tail[-8:].mean() < 0.5 * height else np.nan


def _second_component(layout: Layout, alone: FloatArray, peak: int, height: float, error: float) -> float:
    start, stop = layout.search(0)
    smoothed = smooth(layout, np.nan_to_num(alone))[:stop]
    peaks, _ = find_peaks(smoothed, prominence=max(0.2 * height, 4.0 * error, 1e-12), height=0.2 * height)
    # What lies at the edge of the blanked stretch is the artefact's tail.
    apart = peaks[(np.abs(peaks - peak) > layout.samples(1.0)) & (peaks > start + layout.samples(0.5))]
    return float(layout.evoked.time_s[apart[0]]) * 1e3 if apart.size else np.nan


def sweep_latencies(
    layout: Layout,
    traces: FloatArray,
    baseline: FloatArray,
    pulse: int,
    *,
    polarity: int,
    peak: int,
    noise_sd: float,
    usable: NDArray[np.bool_],
) -> FloatArray:
    """Return the onset latency in ms of each sweep that stands out of its noise, shape (n_sweeps,).

    Parameters
    ----------
    traces, baseline : numpy.ndarray, shape (n_sweeps, n_samples) and (n_sweeps,)
        One pulse of every sweep.
    peak : int
        Index of the mean's extremum; a sweep's own may come 3 ms later.
    noise_sd : float
        SD of single readings without a response.
    """
    found = np.full(len(traces), np.nan)
    start, stop = layout.search(pulse)
    stop = min(stop, peak + layout.samples(_LATER_MS))
    rows = traces[:, start:stop] * polarity - (baseline * polarity)[:, None]
    smoothed = smooth(layout, rows)
    height = smoothed.max(axis=1, initial=-np.inf)
    shown = np.flatnonzero(usable & (height > _CLEAR * noise_sd) & (height > 0))
    if not shown.size:
        return found
    # A stretch of rest in front, so that a rise that begins at the window's edge has a foot.
    rising, height = np.pad(smoothed[shown], ((0, 0), (2, 0))), height[shown]
    time_s = (np.arange(start - 2, stop) - layout.zero) / layout.evoked.rate_hz
    top = np.argmax(rising, axis=1)
    low = crossing(rising, time_s, 0.2 * height, top, before=True)
    high = crossing(rising, time_s, 0.8 * height, top, before=True)
    found[shown] = (low - (high - low) / 3.0) * 1e3
    return found


def jitter_of(latencies_ms: FloatArray, n_measured: int) -> float:
    """Return the robust SD of the onset latencies; NaN when fewer than five, or a fifth, of the sweeps show theirs."""
    known = latencies_ms[np.isfinite(latencies_ms)]
    enough = len(known) >= max(_FEWEST_LATENCIES, _FEWEST_SHARE * n_measured)
    return robust_sd(known) if enough else float("nan")
