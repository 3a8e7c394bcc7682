"""From the mean of each pulse to the reading of every sweep."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._flags import SPIKE
from ephysplast.analysers._reading import (
    Layout,
    Operator,
    faded,
    mean_operator,
    noise_of,
    previous_decay,
    read,
    slope_operator,
    smooth,
    stretch,
)
from ephysplast.analysers._shape import Shape, shape_of, sweep_latencies, upright
from ephysplast.errors import OK
from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import crossing, mean_over, running_mean

__all__ = ["Finding", "PulseReading", "find_response", "read_pulse"]

_STANDS_OUT = 4.0  # standard errors: the extremum of 20 ms of noise reaches it once in some hundred times
_ENOUGH_NOISE = 5
_SAME_LATENCY_MS = 1.5  # weak pulses are looked for this near the clearest pulse's latency, not in their noise
_TOP_SHARE, _TOP_WIDTH = 0.6, 0.3  # an extremum is looked for in means over 0.3 of the width at 60 % of the height
_SPIKE_FOOT_S = 0.3e-3  # a spike's steepest rise comes so much after its foot


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """What the means say before any sweep is read.

    Attributes
    ----------
    polarity : int
        −1 or 1.
    means : numpy.ndarray, shape (n_pulses, n_samples)
        Of the usable sweeps, each above its own baseline.
    peaks : numpy.ndarray of int64, shape (n_pulses,)
        Index of each mean's extremum.
    error : numpy.ndarray, shape (n_pulses,)
        Standard error of a reading of each mean.
    above_noise : numpy.ndarray of bool, shape (n_pulses,)
        Whether the extremum exceeds four of them.
    clearest : int
        The pulse that exceeds them most.
    """

    polarity: int
    means: FloatArray
    peaks: IntArray
    error: FloatArray
    above_noise: NDArray[np.bool_]
    clearest: int

    def centres(self, layout: Layout, given_s: FloatArray | None) -> IntArray:
        """Return the index at which each pulse is read."""
        if given_s is None:
            other = np.full(len(self.peaks), self.peaks[self.clearest])
        else:
            other = layout.zero + np.rint(given_s * layout.evoked.rate_hz).astype(np.int64)
        return np.where(self.above_noise, self.peaks, other).astype(np.int64)


@dataclass(frozen=True, eq=False, kw_only=True)
class PulseReading:
    """All sweeps' readings of one pulse, shape (n_sweeps,), and its mean."""

    amplitude: FloatArray
    raw: FloatArray
    noise: FloatArray
    flags: "NDArray[np.object_]"
    latency_s: float
    mean: FloatArray
    shape: Shape
    sweep_latency_ms: FloatArray


def find_response(layout: Layout, level: FloatArray, usable: NDArray[np.bool_], polarity: int | None) -> Finding:
    """Look for the extremum of each pulse's mean, and judge whether it stands out of the noise."""
    pulses = range(layout.evoked.n_pulses)
    means = np.stack([_mean(layout, level, usable, pulse) for pulse in pulses])
    smoothed = np.nan_to_num(smooth(layout, means))
    windows = [layout.search(pulse) for pulse in pulses]
    if polarity is None:
        found = np.concatenate([row[start:stop] for row, (start, stop) in zip(smoothed, windows, strict=True)])
        polarity = 1 if found.max() >= -found.min() else -1
    error = np.array([_error(layout, means[pulse], usable, pulse) for pulse in pulses])
    height = np.array([(row[a:b] * polarity).max() for row, (a, b) in zip(smoothed, windows, strict=True)])
    excess = np.where(usable.any(axis=0), height - _STANDS_OUT * error, -np.inf)
    clearest = int(np.argmax(excess))
    usual = _summit(smoothed[clearest] * polarity, windows[clearest], within=windows[clearest])
    nearby, peaks = layout.samples(_SAME_LATENCY_MS), []
    for row, (start, stop) in zip(smoothed * polarity, windows, strict=True):
        first = min(max(start, usual - nearby), stop - 1)
        peaks.append(_summit(row, (start, stop), within=(first, max(min(stop, usual + nearby + 1), first + 1))))
    tall = (smoothed * polarity)[list(pulses), peaks] > _STANDS_OUT * error
    return Finding(
        polarity=polarity,
        means=means,
        peaks=np.array(peaks, dtype=np.int64),
        error=error,
        above_noise=tall & (height > 0) & usable.any(axis=0),
        clearest=clearest,
    )


def _summit(upright: FloatArray, window: tuple[int, int], *, within: tuple[int, int]) -> int:
    """Return the index of the extremum, looked for in broader means the broader the response is.

    The highest of many noisy samples is too high: by two standard errors where the top of a slow response is flat, and
    so by more in a short phase than in a long one.
    """
    row, (first, last) = upright[slice(*window)], (each - window[0] for each in within)
    means = row
    for _ in range(2):  # the first width is read off a noisy trace
        top = first + int(np.argmax(means[first:last]))
        low = np.pad(means < _TOP_SHARE * means[top], 1, constant_values=True)
        width = int(np.argmax(low[top + 1 :])) + int(np.argmax(low[top + 1 :: -1])) - 1
        means = running_mean(row, round(_TOP_WIDTH * width) | 1)
    return window[0] + first + int(np.argmax(means[first:last]))


def read_pulse(
    layout: Layout,
    level: FloatArray,
    flags: "NDArray[np.object_]",
    spike_s: FloatArray,
    *,
    finding: Finding,
    centres: IntArray,
    pulse: int,
) -> PulseReading:
    """Read one pulse of every sweep, and measure its mean."""
    usable, polarity = flags == OK, finding.polarity
    operator = _operator(layout, finding, centres, pulse)
    tau, left = _left_over(layout, level, usable, centres, finding, pulse)
    if layout.config.operator == "extremum":
        whole = _extreme(layout, pulse, level[:, pulse], polarity)
    else:
        whole = read(layout, operator, pulse, level[:, pulse])
    # The local baseline has been taken away; the part of it that will have faded is given back.
    corrected = whole + (operator.level - faded(layout, operator, pulse, tau)) * left
    kept = flags[:, pulse].copy()
    ends_s = (operator.first + len(operator.weights) - layout.zero) / layout.evoked.rate_hz
    if layout.config.measure == "slope":
        kept[(kept == SPIKE) & (spike_s[:, pulse] > ends_s + _SPIKE_FOOT_S)] = OK
    measured = kept == OK
    mean = _alone(layout, finding.means[pulse], pulse, tau, left[usable[:, pulse]])
    return PulseReading(
        amplitude=np.where(measured, polarity * corrected, np.nan),
        raw=np.where(measured, polarity * whole, np.nan),
        noise=_noise(layout, operator, polarity) if pulse == 0 else np.array([]),
        flags=kept,
        latency_s=(operator.first + 0.5 * (len(operator.weights) - 1) - layout.zero) / layout.evoked.rate_hz,
        mean=mean,
        shape=_shape(layout, mean, pulse, finding),
        sweep_latency_ms=_latencies(layout, level, usable, finding, pulse),
    )


def _mean(layout: Layout, level: FloatArray, usable: NDArray[np.bool_], pulse: int) -> FloatArray:
    rows, kept = layout.evoked.traces[:, pulse], usable[:, pulse]
    if not kept.any():
        return np.full(rows.shape[1], np.nan)
    chosen = rows if kept.all() else rows[kept]
    mean = chosen.mean(axis=0)
    # Only the ends, outside the sweep, hold NaN; there the mean of what exists is taken.
    holes = np.flatnonzero(np.isnan(mean))
    if holes.size:
        mean[holes] = mean_over(chosen[:, holes])
    return np.asarray(mean - level[kept, pulse].mean())


def _error(layout: Layout, mean: FloatArray, usable: NDArray[np.bool_], pulse: int) -> float:
    """Return the standard error of a reading of the mean, without a response."""
    start, stop = layout.search(pulse)
    noise = noise_of(layout, mean_operator((start + stop) // 2, layout.half_reading))[usable[:, 0]]
    known = noise[np.isfinite(noise)]
    if len(known) >= _ENOUGH_NOISE:
        return float(known.std(ddof=1)) / float(np.sqrt(max(usable[:, pulse].sum(), 1)))
    stop = int(layout.baseline_stop[:, pulse].min())
    quiet = smooth(layout, mean[max(stop - 2 * layout.n_baseline, 0) : stop])
    return float(np.nanstd(quiet)) if np.isfinite(quiet).any() else 0.0


def _operator(layout: Layout, finding: Finding, centres: IntArray, pulse: int) -> Operator:
    centre = int(centres[pulse])
    if layout.config.measure == "amplitude":
        return mean_operator(centre, layout.half_reading)
    shown = pulse if finding.above_noise[pulse] else finding.clearest
    if not finding.above_noise[shown]:
        return slope_operator(centre - layout.samples(0.5), centre + layout.samples(0.5), layout.evoked.rate_hz)
    alone = upright(layout, finding.means[shown], shown, finding.polarity)
    peak = int(finding.peaks[shown])
    height, time_s = smooth(layout, np.nan_to_num(alone))[peak], layout.evoked.time_s
    ends = [crossing(alone, time_s, part * height, peak, before=True) for part in (0.1, 0.6)]
    if not np.isfinite(ends).all():
        return slope_operator(layout.search(shown)[0], peak, layout.evoked.rate_hz)
    first, last = (layout.zero + round(float(each) * layout.evoked.rate_hz) for each in ends)
    return slope_operator(first, last, layout.evoked.rate_hz)


def _left_over(
    layout: Layout,
    level: FloatArray,
    usable: NDArray[np.bool_],
    centres: IntArray,
    finding: Finding,
    pulse: int,
) -> tuple[float, FloatArray]:
    """Return τ in samples, and what each baseline holds of the previous response."""
    if pulse == 0:
        return np.inf, np.zeros(len(level))
    tau = previous_decay(
        layout,
        pulse,
        baseline=level,
        usable=usable[:, pulse] & np.isfinite(level[:, 0]),
        latency_ms=(int(centres[pulse - 1]) - layout.zero) / layout.evoked.rate_hz * 1e3,
        polarity=finding.polarity,
    )
    return tau, np.nan_to_num(level[:, pulse] - level[:, 0])


def _alone(layout: Layout, mean: FloatArray, pulse: int, tau: float, left: FloatArray) -> FloatArray:
    """Return the mean response with the fading of the previous one taken away."""
    if not np.isfinite(tau) or not left.size:
        return mean
    since = np.arange(len(mean)) - int(layout.baseline_stop[:, pulse].min())
    held = np.exp(-np.arange(-layout.n_baseline, 0) / tau).mean()
    fading = np.exp(-np.maximum(since, 0) / tau) / held
    return np.asarray(mean + np.where(since > 0, left.mean() * (1.0 - fading), 0.0))


def _extreme(layout: Layout, pulse: int, baseline: FloatArray, polarity: int) -> FloatArray:
    start, stop = layout.search(pulse)
    rows = layout.evoked.traces[:, pulse, start:stop] * polarity
    return np.asarray(polarity * rows.max(axis=1) - baseline)


def _noise(layout: Layout, operator: Operator, polarity: int) -> FloatArray:
    if layout.config.operator != "extremum":
        return polarity * noise_of(layout, operator)
    rows, (start, stop) = layout.evoked.traces[:, 0], layout.search(0)
    ends = layout.baseline_stop[:, 0]
    quiet = stretch(rows, ends - (stop - start), stop - start)
    before = stretch(rows, 2 * ends - stop - layout.n_baseline, layout.n_baseline).mean(axis=1)
    return np.asarray((quiet * polarity).max(axis=1) - polarity * before)


def _shape(layout: Layout, mean: FloatArray, pulse: int, finding: Finding) -> Shape:
    if not finding.above_noise[pulse]:
        return Shape()
    peak, error = int(finding.peaks[pulse]), float(finding.error[pulse])
    return shape_of(layout, mean, pulse, polarity=finding.polarity, peak=peak, error=error)


def _latencies(
    layout: Layout, level: FloatArray, usable: NDArray[np.bool_], finding: Finding, pulse: int
) -> FloatArray:
    if not finding.above_noise[pulse]:
        return np.full(len(level), np.nan)
    return sweep_latencies(
        layout,
        layout.evoked.traces[:, pulse],
        level[:, pulse],
        pulse,
        polarity=finding.polarity,
        peak=int(finding.peaks[pulse]),
        noise_sd=float(finding.error[pulse]) * float(np.sqrt(max(usable[:, pulse].sum(), 1))),
        usable=usable[:, pulse],
    )
