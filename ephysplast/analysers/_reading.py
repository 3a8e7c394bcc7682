"""Linear operators on evoked traces: baseline, reading, the same at rest, and the decay of the previous response."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers.evoked import EvokedTraces, ResponseConfig
from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import running_mean

_HOPELESS = 1e-12


@dataclass(frozen=True, eq=False, kw_only=True)
class Layout:
    """Where things lie in the windows, in samples from the event.

    Attributes
    ----------
    evoked, config
        What is measured, and how.
    """

    evoked: EvokedTraces
    config: ResponseConfig

    def samples(self, time_ms: float) -> int:
        """Return a duration in samples."""
        return round(time_ms * self.evoked.rate_hz / 1e3)

    @cached_property
    def zero(self) -> int:
        """Index of the event."""
        return round(-float(self.evoked.time_s[0]) * self.evoked.rate_hz)

    @cached_property
    def half_reading(self) -> int:
        """Samples on either side of the latency that are read."""
        return self.samples(self.config.reading_ms)

    @cached_property
    def n_baseline(self) -> int:
        """Samples of the baseline."""
        return max(self.samples(self.config.baseline_ms), 1)

    @cached_property
    def lag(self) -> IntArray:
        """Samples from stimulus to event, shape (n_sweeps, n_pulses); 0 where there is no event."""
        lag = (self.evoked.event_s - self.evoked.stimulus_s) * self.evoked.rate_hz
        return np.rint(np.where(np.isfinite(lag), lag, 0.0)).astype(np.int64)

    @cached_property
    def baseline_stop(self) -> IntArray:
        """Index where the baseline ends, shape (n_sweeps, n_pulses)."""
        return self.zero - self.lag - self.samples(self.config.baseline_gap_ms)

    def search(self, pulse: int) -> tuple[int, int]:
        """Return the indices between which the response to one stimulus is looked for."""
        blanked = self.samples(self.config.blank_ms) - int(self.lag[:, pulse].min(initial=0))
        start = max(self.samples(self.config.search_start_ms), blanked)
        stop = min(self.samples(self.config.search_stop_ms), self.until_next(pulse))
        return self.zero + start, min(self.zero + max(stop, start + 1), self.evoked.traces.shape[2])

    def until_next(self, pulse: int) -> int:
        """Return the samples from the event to just before the next stimulus."""
        interval_s = self.evoked.interval_s
        if pulse + 1 >= len(interval_s) or not np.isfinite(interval_s[pulse + 1] - interval_s[pulse]):
            return int(self.evoked.traces.shape[2]) - self.zero
        longest = int(self.lag[:, pulse].max(initial=0))
        step = self.samples((interval_s[pulse + 1] - interval_s[pulse]) * 1e3)
        return step - longest - max(self.samples(self.config.baseline_gap_ms), 1)


@dataclass(frozen=True, eq=False, kw_only=True)
class Operator:
    """A weighted sum of samples: the same everywhere it is applied, hence its noise is too.

    Attributes
    ----------
    first : int
        Index of the first sample it reads.
    weights : numpy.ndarray, shape (n_samples,)
        Sum 1 for a mean, 0 for a slope.
    """

    first: int
    weights: FloatArray

    @property
    def level(self) -> float:
        """What it reads of a constant 1."""
        total = float(self.weights.sum())
        return total if abs(total) > _HOPELESS else 0.0


def mean_operator(centre: int, half: int) -> Operator:
    """Return the mean over ``centre ± half``."""
    return Operator(first=centre - half, weights=np.full(2 * half + 1, 1.0 / (2 * half + 1)))


def slope_operator(first: int, last: int, rate_hz: float) -> Operator:
    """Return the regression slope per ms from `first` to `last`, both included."""
    at_ms = np.arange(max(last - first, 1) + 1) / rate_hz * 1e3
    at_ms -= at_ms.mean()
    return Operator(first=first, weights=at_ms / (at_ms @ at_ms))


def stretch(rows: FloatArray, first: IntArray, n_samples: int) -> FloatArray:
    """Return `n_samples` of each row from a place of its own; NaN where it begins before the row or ends after it."""
    outside = (first < 0) | (first + n_samples > rows.shape[1])
    if not outside.any() and (first == first[0]).all():
        return rows[:, first[0] : first[0] + n_samples]
    safe = np.clip(first, 0, max(rows.shape[1] - n_samples, 0))
    found = rows[np.arange(len(rows))[:, None], safe[:, None] + np.arange(n_samples)]
    found[outside] = np.nan
    return np.asarray(found)


def baselines(layout: Layout) -> FloatArray:
    """Return the mean just before each stimulus, shape (n_sweeps, n_pulses)."""
    n_sweeps, n_pulses, _ = layout.evoked.traces.shape
    found = np.full((n_sweeps, n_pulses), np.nan)
    for pulse in range(n_pulses if n_sweeps else 0):
        first = layout.baseline_stop[:, pulse] - layout.n_baseline
        found[:, pulse] = stretch(layout.evoked.traces[:, pulse], first, layout.n_baseline).mean(axis=1)
    return found


def read(layout: Layout, operator: Operator, pulse: int, baseline: FloatArray) -> FloatArray:
    """Apply an operator to every sweep, the baseline taken away, shape (n_sweeps,)."""
    rows = layout.evoked.traces[:, pulse]
    first, n_samples = operator.first, len(operator.weights)
    if first < 0 or first + n_samples > rows.shape[1]:
        return np.full(len(rows), np.nan)
    # In front of the matrix product, or a sweep of −70 mV leaves its rounding in a slope of zero.
    return np.asarray((rows[:, first : first + n_samples] - baseline[:, None]) @ operator.weights)


def noise_of(layout: Layout, operator: Operator) -> FloatArray:
    """Apply the first response's operator, baseline and all, to what lies before the first stimulus."""
    rows = layout.evoked.traces[:, 0]
    n_samples, stop = len(operator.weights), layout.baseline_stop[:, 0]
    moved = operator.first + n_samples - stop
    quiet = stretch(rows, stop - n_samples, n_samples)
    before = stretch(rows, stop - moved - layout.n_baseline, layout.n_baseline).mean(axis=1)
    return np.asarray((quiet - before[:, None]) @ operator.weights)


def previous_decay(
    layout: Layout,
    pulse: int,
    *,
    baseline: FloatArray,
    usable: NDArray[np.bool_],
    latency_ms: float,
    polarity: int,
) -> float:
    """Return the time constant, in samples, with which the previous response fades before a stimulus.

    The mean before the stimulus, above the baseline before the first stimulus, is halved in time; its two means give
    τ = δ / ln(earlier / later). Infinite where there is nothing left to fade: then nothing is extrapolated.
    """
    interval_s = layout.evoked.interval_s
    gap = layout.samples((interval_s[pulse] - interval_s[pulse - 1]) * 1e3)
    stop = int(layout.baseline_stop[:, pulse].min())
    fading = 0.7 * (gap - layout.samples(latency_ms))
    start = max(stop - round(fading), 0)
    if stop - start < 6 or not usable.any():
        return float("inf")
    half = (stop - start) // 2
    rows = layout.evoked.traces[usable, pulse, start:stop]
    per_sweep = rows[:, -half:].mean(axis=1) - baseline[usable, 0]
    earlier = float(rows[:, :half].mean() - baseline[usable, 0].mean()) * polarity
    later = float(per_sweep.mean()) * polarity
    error = float(per_sweep.std(ddof=1)) / np.sqrt(len(per_sweep)) if len(per_sweep) > 1 else 0.0
    if not earlier > later > 3.0 * error:
        return float("inf")
    return (stop - start - half) / float(np.log(earlier / later))


def faded(layout: Layout, operator: Operator, pulse: int, tau: float) -> FloatArray:
    """Return how much of what the baseline held is still in the reading, shape (n_sweeps,).

    The mean baseline of an exponential, carried on to where the operator reads. For an infinite τ it is the
    operator's reading of a constant: the local baseline is taken away and nothing more.
    """
    n_sweeps = layout.evoked.traces.shape[0]
    if not np.isfinite(tau):
        return np.full(n_sweeps, operator.level)
    held = np.exp(-np.arange(-layout.n_baseline, 0) / tau).mean()
    since = operator.first - layout.baseline_stop[:, pulse]
    shape = operator.weights @ np.exp(-np.arange(len(operator.weights)) / tau)
    return np.asarray(shape * np.exp(-since / tau) / held)


def smooth(layout: Layout, trace: FloatArray) -> FloatArray:
    """Return the trace as the reading sees it: the running mean over the reading's width."""
    return running_mean(trace, 2 * layout.half_reading + 1)
