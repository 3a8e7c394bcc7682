"""Is there a synaptic response? Crosstalk between electrodes and electrical coupling are none."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import number
from ephysplast.analysers._crosstalk import Candidate, candidates, follows, varies
from ephysplast.analysers._flags import flags_of
from ephysplast.analysers._reading import Layout, baselines, mean_operator, noise_of, smooth, stretch
from ephysplast.analysers.evoked import EvokedTraces, ResponseConfig
from ephysplast.errors import OK, RESAMPLES, check_settings
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

Kind: TypeAlias = Literal["synaptic", "crosstalk", "electrical", "none", "undetermined"]

_AROUND_MS = 2.0  # a significant reading this shortly after an extremum belongs to it
_ON_A_TAIL = "a response on the tail of an artefact: it varies from sweep to sweep, as the artefact does not"
_MAYBE_BEHIND = "; a response may lie behind it: try a longer blank_ms"
_LASTS_MS = 1.0  # a synaptic current is not over sooner
_FOLLOWS = 0.6  # r² with the presynaptic trace from which on the one that explains more gives the name


@dataclass(frozen=True, kw_only=True)
class ConnectionConfig:
    """How a connection is tested.

    Attributes
    ----------
    alpha : float
        Probability of claiming a response where there is none: 0.05.
    baseline_ms, baseline_gap_ms, reading_ms, blank_ms, search_stop_ms : float
        As in :class:`~ephysplast.analysers.evoked.ResponseConfig`: 5, 0.2, 0.25, 1 and 20.
    shortest_latency_ms : float
        What begins sooner after the event has no synaptic delay: 0.5.
    settled_ms : float
        An extremum before this, next to a deflection that coincides with the event, is taken for a part of it: 1.5.
    n_resamples : int
        Sign flips and bootstrap resamples: 2000.
    """

    alpha: float = 0.05
    baseline_ms: float = 5.0
    baseline_gap_ms: float = 0.2
    reading_ms: float = 0.25
    blank_ms: float = 1.0
    search_stop_ms: float = 20.0
    shortest_latency_ms: float = 0.5
    settled_ms: float = 1.5
    n_resamples: int = 2000

    def __post_init__(self) -> None:
        check_settings(self, alpha=(0.0001, 0.5), n_resamples=RESAMPLES)
        self.reading()

    def reading(self) -> ResponseConfig:
        """Return the windows as settings of a reading; they are checked there."""
        return ResponseConfig(
            baseline_ms=self.baseline_ms,
            baseline_gap_ms=self.baseline_gap_ms,
            reading_ms=self.reading_ms,
            blank_ms=self.blank_ms,
            search_start_ms=self.blank_ms,
            search_stop_ms=self.search_stop_ms,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class ConnectionResult(Result):
    """Whether there is a synaptic response to the stimulus or the presynaptic spike.

    Attributes
    ----------
    kind : {"synaptic", "crosstalk", "electrical", "none", "undetermined"}
        The answer.
    sentence : str
        The answer with its numbers.
    p_value : float
        Probability of so large a mean somewhere in the window without a response.
    amplitude, amplitude_low, amplitude_high : float
        Signed mean at `latency_ms` with its bootstrap interval of level 1 − alpha, in `unit`.
    latency_ms : float
        Extremum of the mean that decided, after the event.
    unit : str
        ``"mV"`` or ``"pA"``.
    n_sweeps : int
        Sweeps used.
    status : str
        ``"ok"``, or why it cannot be tested; then `kind` is ``"undetermined"`` and the numbers are NaN.
    """

    kind: Kind
    sentence: str
    p_value: float
    amplitude: float
    amplitude_low: float
    amplitude_high: float
    latency_ms: float
    unit: str
    n_sweeps: int
    status: str = OK

    def to_frame(self) -> "pd.DataFrame":
        """Return one row."""
        import pandas as pd

        names = ("kind", "p_value", "amplitude", "amplitude_low", "amplitude_high", "unit", "latency_ms", "n_sweeps")
        return pd.DataFrame([{name: getattr(self, name) for name in (*names, "status", "sentence")}])


def measure_connection(
    evoked: EvokedTraces,
    *,
    rng: np.random.Generator,
    pre: EvokedTraces | None = None,
    config: ConnectionConfig = ConnectionConfig(),
) -> ConnectionResult:
    """Test for a response to the first stimulus (and to all of them together), and tell what kind it is.

    Each sweep is read all through the search window, and just so before the stimulus; without a response the
    difference of the two has either sign equally often. The largest studentised mean is compared with those after
    random sign flips (all of them when there are few sweeps), so the whole window is one test.

    A response is synaptic when a deflection of the mean rises by itself after a synaptic delay. One that begins with
    the event, is the tail of what coincides with the event, or turns round from it, is crosstalk, or electrical
    coupling when it follows the presynaptic potential rather than its derivative. Without a presynaptic trace the event
    is a stimulus, whose artefact may run into the response: what is larger than the artefact's tail and varies from
    sweep to sweep as the artefact does not is synaptic after all.

    Parameters
    ----------
    evoked : EvokedTraces
        The postsynaptic channel.
    rng : numpy.random.Generator
        For sign flips and bootstrap.
    pre : EvokedTraces, optional
        The presynaptic channel, cut at the same events: with it electrical coupling and crosstalk can be told apart.
    config : ConnectionConfig
        Limits.

    Returns
    -------
    ConnectionResult

    Examples
    --------
    >>> rng = np.random.default_rng(3)
    >>> time_s, at = np.arange(-600, 800) / 20e3, np.full((30, 1), 0.1)
    >>> epsp = np.where(time_s > 0.002, np.exp(-(time_s - 0.002) / 0.02) - np.exp(-(time_s - 0.002) / 0.002), 0.0)
    >>> evoked = EvokedTraces(
    ...     traces=epsp + rng.normal(0.0, 0.2, (30, 1, len(time_s))),
    ...     time_s=time_s,
    ...     unit="mV",
    ...     clamp="current",
    ...     rate_hz=20e3,
    ...     interval_s=np.zeros(1),
    ...     stimulus_s=at,
    ...     event_s=at,
    ...     reason=np.full((30, 1), "ok"),
    ...     sweeps=np.arange(30),
    ...     sweep_start_s=np.arange(30) * 10.0,
    ...     part=np.zeros(30, dtype=np.int64),
    ...     channel="IN 1",
    ...     method="manifest",
    ... )
    >>> measure_connection(evoked, rng=rng).kind
    'synaptic'
    """
    if evoked.status != OK or not evoked.n_pulses:
        return _untestable(evoked, 0, evoked.status if evoked.status != OK else "there is no stimulus")
    layout = Layout(evoked=evoked, config=config.reading())
    level = baselines(layout)
    usable = (flags_of(layout, level)[0] == OK).all(axis=1)
    fewest = int(np.ceil(np.log2(2.0 / config.alpha)))
    if usable.sum() < fewest:
        return _untestable(evoked, int(usable.sum()), f"{usable.sum()} sweeps are too few to test; {fewest} are needed")
    places = _places(layout)
    if not len(places):
        return _untestable(evoked, int(usable.sum()), "the traces are shorter than the search window")
    after, contrast = _readings(layout, level, places, usable)
    observed, limit, p_value = _flipped(contrast, config, rng)
    largest = int(np.argmax(np.abs(observed))) % len(places)
    numbers = _Numbers(places=places, after=after, p_value=p_value, usable=usable)
    if p_value > config.alpha:
        return _answer(layout, numbers, int(places[largest]), "none", "no response", config, rng)
    limit = min(limit, float(np.abs(observed).max()) * (1.0 - 1e-9))
    direction = np.where(np.abs(observed) > limit, np.sign(observed), 0.0)
    return _kind_of_response(layout, level, numbers, direction.reshape(-1, len(places)), pre, config, rng)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Numbers:
    places: IntArray  # index at which each reading is centred
    after: FloatArray  # [sweep, place] readings of the first response
    p_value: float
    usable: NDArray[np.bool_]


def _untestable(evoked: EvokedTraces, n_sweeps: int, status: str) -> ConnectionResult:
    nan = float("nan")
    return ConnectionResult(
        kind="undetermined",
        sentence=status,
        p_value=nan,
        amplitude=nan,
        amplitude_low=nan,
        amplitude_high=nan,
        latency_ms=nan,
        unit=evoked.unit,
        n_sweeps=n_sweeps,
        status=status,
    )


def _places(layout: Layout) -> IntArray:
    """Return where readings are taken: one reading's half-width apart, all through the search window."""
    start, stop = layout.search(0)
    half = layout.half_reading
    return np.arange(start + half, stop - half, max(half, 1), dtype=np.int64)


def _readings(
    layout: Layout, level: FloatArray, places: IntArray, usable: NDArray[np.bool_]
) -> tuple[FloatArray, FloatArray]:
    """Return the readings of the first response, and those of the first and of all together less those at rest."""
    smoothed, level = smooth(layout, layout.evoked.traces[usable]), level[usable]
    each = smoothed[:, :, places] - level[:, :, None]
    # Apart from the response's own baseline, or the difference would be skewed where the noise is.
    rest = _at_rest(layout, smoothed[:, 0], places, usable, before_samples=layout.n_baseline)
    close = _at_rest(layout, smoothed[:, 0], places, usable, before_samples=0)
    rest = np.where(np.isfinite(rest).all(axis=0), rest, close)
    # Where a sweep begins too late for a rest of the same length the response stands alone.
    rest = np.where(np.isfinite(rest).all(axis=0), rest, 0.0)
    contrasts = [each[:, 0] - rest]
    if each.shape[1] > 1:
        contrasts.append(each.mean(axis=1) - rest)
    return each[:, 0], np.concatenate(contrasts, axis=1)


def _at_rest(
    layout: Layout, smoothed: FloatArray, places: IntArray, usable: NDArray[np.bool_], *, before_samples: int
) -> FloatArray:
    """Return the reading of each place moved back in front of the stimulus, with its baseline; NaN where no room is."""
    raw, ends = layout.evoked.traces[usable, 0], layout.baseline_stop[usable, 0]
    at = ends - before_samples - layout.half_reading - 1
    quiet = stretch(smoothed, at, 1)
    missing = np.isnan(raw).any(axis=0)
    known = int(missing.argmin())
    total = np.cumsum(np.pad(np.nan_to_num(raw - quiet), ((0, 0), (1, 0))), axis=1)
    stop = (at + ends)[:, None] - places
    start = stop - layout.n_baseline
    fits = start >= known
    row = np.arange(len(raw))[:, None]
    before = (total[row, np.maximum(stop, 0)] - total[row, np.maximum(start, 0)]) / layout.n_baseline
    return np.where(fits, -before, np.nan)


def _flipped(
    contrast: FloatArray, config: ConnectionConfig, rng: np.random.Generator
) -> tuple[FloatArray, float, float]:
    """Return the studentised means, the largest that chance makes (level 1 − alpha), and the p value."""
    n_sweeps = len(contrast)
    if 2**n_sweeps <= config.n_resamples:
        bits = np.arange(2**n_sweeps)[:, None] >> np.arange(n_sweeps) & 1
        signs = 1.0 - 2.0 * bits
    else:
        signs = 1.0 - 2.0 * rng.integers(0, 2, (config.n_resamples, n_sweeps))
        signs[0] = 1.0
    square = (contrast**2).mean(axis=0)
    means = signs @ contrast / n_sweeps
    variance = np.maximum(square - means**2, 1e-12 * square + np.finfo(float).tiny)
    studentised = means / np.sqrt(variance / (n_sweeps - 1))
    largest = np.abs(studentised).max(axis=1)
    # The first flip is none at all, hence the observed value itself is among the possible ones.
    p_value = float((largest >= largest[0] * (1.0 - 1e-9)).mean())
    return studentised[0], float(np.quantile(largest, 1.0 - config.alpha, method="lower")), p_value


def _kind_of_response(
    layout: Layout,
    level: FloatArray,
    numbers: _Numbers,
    direction: FloatArray,  # [test, place] sign where the test alone is significant, else 0
    pre: EvokedTraces | None,
    config: ConnectionConfig,
    rng: np.random.Generator,
) -> ConnectionResult:
    usable = numbers.usable
    mean = (layout.evoked.traces[usable] - level[usable, :, None]).mean(axis=(0, 1))
    smoothed = smooth(layout, np.nan_to_num(mean))
    error = float(np.median(numbers.after.std(axis=0, ddof=1))) / float(np.sqrt(usable.sum()))
    start, stop = layout.search(0)
    deflections = candidates(
        smoothed,
        layout.evoked.time_s,
        start=start,
        stop=stop,
        error=error,
        earliest_ms=config.shortest_latency_ms,
        settled_ms=config.settled_ms,
    )
    after = layout.samples(_AROUND_MS)
    found = [each for each in deflections if _is_shown(each, numbers.places, direction, after)]
    synaptic = [each for each in found if each.origin == "own onset"]
    best = max(synaptic or found, key=lambda each: abs(smoothed[each.peak]), default=None)
    if best is None:
        sentence = "the mean differs from rest, but shows no extremum"
        place = int(numbers.places[int(np.argmax(np.abs(direction).max(axis=0)))])
        return _answer(layout, numbers, place, "undetermined", sentence, config, rng)
    if synaptic:
        sentence = f"a response that begins {best.onset_ms:.1f} ms after the event"
        return _answer(layout, numbers, best.peak, "synaptic", sentence, config, rng)
    kind, sentence = _name_of(best, mean, layout, pre)
    if kind == "crosstalk" and pre is None:
        tallest = start + int(np.argmax(np.abs(smoothed[start:stop])))
        varying = _varies(layout, level, numbers)
        if varying[int(np.argmin(np.abs(numbers.places - tallest)))]:
            return _answer(layout, numbers, tallest, "synaptic", _ON_A_TAIL, config, rng)
        sentence += _MAYBE_BEHIND if varying.any() else ""
    return _answer(layout, numbers, best.peak, kind, sentence, config, rng)


def _varies(layout: Layout, level: FloatArray, numbers: _Numbers) -> NDArray[np.bool_]:
    """Tell at each place whether the first response varies as a synaptic one does, and an artefact does not."""
    kept, places = numbers.usable, numbers.places
    rest = noise_of(layout, mean_operator(int(places[len(places) // 2]), layout.half_reading))[kept]
    rows = layout.evoked.traces[kept, 0] - level[kept, :1]
    coincident = rows[:, layout.zero : max(layout.search(0)[0], layout.zero + 1)].mean(axis=1)
    later = np.searchsorted(places, places + layout.samples(_LASTS_MS))
    return varies(numbers.after, coincident, rest[np.isfinite(rest)], later=later)


def _is_shown(candidate: Candidate, places: IntArray, direction: FloatArray, after: int) -> bool:
    belongs = (places >= candidate.valley) & (places <= candidate.peak + after)
    return bool((direction[:, belongs] == candidate.polarity).any())


def _name_of(best: Candidate, mean: FloatArray, layout: Layout, pre: EvokedTraces | None) -> tuple[Kind, str]:
    """Name what is not synaptic."""
    if pre is not None:
        around = slice(layout.zero - layout.samples(2.0), layout.search(0)[1])
        known = np.isfinite(pre.traces[:, 0, around]).all(axis=1)
        if known.any():
            trace = pre.traces[known, 0, around].mean(axis=0)
            itself, derivative = follows(mean[around] - mean[around.start], trace, layout.evoked.rate_hz)
            if itself > max(derivative, _FOLLOWS) and best.origin in ("zero latency", "tail"):
                return "electrical", f"a deflection that follows the presynaptic potential (r² {itself:.2f})"
            if derivative > _FOLLOWS:
                return "crosstalk", f"a deflection that follows the presynaptic derivative (r² {derivative:.2f})"
    if best.origin == "two phases":
        return "crosstalk", "a deflection that turns round from one that coincides with the event"
    if best.origin == "tail":
        return "crosstalk", "the tail of a deflection that coincides with the event"
    what = "electrical coupling and crosstalk cannot be told apart"
    return "undetermined", f"a deflection that begins {best.onset_ms:.1f} ms after the event, without a delay: {what}"


def _answer(
    layout: Layout,
    numbers: _Numbers,
    peak: int,
    kind: Kind,
    what: str,
    config: ConnectionConfig,
    rng: np.random.Generator,
) -> ConnectionResult:
    values = numbers.after[:, int(np.argmin(np.abs(numbers.places - peak)))]
    picks = rng.integers(0, len(values), (config.n_resamples, len(values)))
    low, high = np.quantile(values[picks].mean(axis=1), [config.alpha / 2, 1.0 - config.alpha / 2])
    mean, unit = float(values.mean()), layout.evoked.unit
    latency_ms = float(layout.evoked.time_s[peak]) * 1e3
    interval = f"interval {number(low)} to {number(high)}"
    numbers_said = f"{number(mean)} {unit} at {latency_ms:.1f} ms, {interval}, p {numbers.p_value:.2g}"
    return ConnectionResult(
        kind=kind,
        sentence=f"{kind}: {what} ({numbers_said}, {len(values)} sweeps)",
        p_value=numbers.p_value,
        amplitude=mean,
        amplitude_low=float(low),
        amplitude_high=float(high),
        latency_ms=latency_ms,
        unit=unit,
        n_sweeps=len(values),
    )
