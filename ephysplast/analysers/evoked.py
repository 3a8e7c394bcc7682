"""Windows around each stimulus, cut from one file or joined over the files of a phase."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._windows import rows_around
from ephysplast.analysers.stimuli import Stimuli
from ephysplast.errors import OK, EphysplastError, SettingsError
from ephysplast.recording import Channel, Clamp, FloatArray, IntArray, Recording
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class ResponseConfig:
    """How a response is read. Times are after the event (presynaptic spike, else stimulus) unless said otherwise.

    Attributes
    ----------
    measure : {"amplitude", "slope"}
        Slope is the regression line between 10 and 60 % of the mean's rising phase: for field EPSPs, and for EPSPs
        near the spike threshold.
    operator : {"mean at fixed latency", "extremum"}
        How an amplitude is read. The extremum of each sweep is biased (+1.3 SD on pure noise) and the variance of
        that bias cannot be taken away: use it only to compare with older work.
    baseline_ms : float
        Length of the baseline before the stimulus: 5.
    baseline_gap_ms : float
        From the end of the baseline to the stimulus: 0.2, since a trigger's time is known to a few samples.
    reading_ms : float
        The reading is the mean over the latency ± this: 0.25.
    search_start_ms, search_stop_ms : float
        Where the extremum of the mean is looked for: 1 to 20, or until the next stimulus.
    blank_ms : float
        After the stimulus, passed over because of its artefact: 1.
    after_ms : float
        How much is cut for decay and charge: 50.
    unsettled_sd : float
        A sweep whose baseline drifts by so many robust SD more than the other sweeps' is flagged: 6.
    monosynaptic_latency_ms, monosynaptic_jitter_ms : float
        Below both, with one component, a response is called monosynaptic: 4 and 1.
    """

    measure: Literal["amplitude", "slope"] = "amplitude"
    operator: Literal["mean at fixed latency", "extremum"] = "mean at fixed latency"
    baseline_ms: float = 5.0
    baseline_gap_ms: float = 0.2
    reading_ms: float = 0.25
    search_start_ms: float = 1.0
    search_stop_ms: float = 20.0
    blank_ms: float = 1.0
    after_ms: float = 50.0
    unsettled_sd: float = 6.0
    monosynaptic_latency_ms: float = 4.0
    monosynaptic_jitter_ms: float = 1.0

    def __post_init__(self) -> None:
        positive = ("baseline_ms", "reading_ms", "after_ms", "unsettled_sd")
        for name in (*positive, "monosynaptic_latency_ms", "monosynaptic_jitter_ms"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="more than 0")
        for name in ("baseline_gap_ms", "blank_ms", "search_start_ms"):
            if not getattr(self, name) >= 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="0 or more")
        if not max(self.search_start_ms, self.blank_ms) < self.search_stop_ms:
            raise SettingsError(
                "there is nowhere to search for the response",
                got=f"{max(self.search_start_ms, self.blank_ms)} to {self.search_stop_ms} ms",
                wanted="search_stop_ms after search_start_ms and blank_ms",
            )
        if self.measure == "slope" and self.operator == "extremum":
            raise SettingsError("a slope has no extremum", got="measure slope, operator extremum", wanted="one of them")


@dataclass(frozen=True, eq=False, kw_only=True)
class EvokedTraces(Result):
    """Windows cut around each event.

    Attributes
    ----------
    traces : numpy.ndarray, shape (n_sweeps, n_pulses, n_samples)
        In `unit`; NaN rows where the event is excluded, NaN outside the sweep.
    time_s : numpy.ndarray, shape (n_samples,)
        From the event.
    unit, clamp, rate_hz
        Of the channel.
    interval_s : numpy.ndarray, shape (n_pulses,)
        Usual time of each stimulus after the first.
    stimulus_s, event_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        From the sweep's start; NaN where there is none.
    reason : numpy.ndarray of str, shape (n_sweeps, n_pulses)
        ``"ok"``, or why there is no trace.
    sweeps : numpy.ndarray of int64, shape (n_sweeps,)
        Sweep indices from 0, in their own file.
    sweep_start_s : numpy.ndarray, shape (n_sweeps,)
        On the clock of their own file.
    part : numpy.ndarray of int64, shape (n_sweeps,)
        Which of the joined files, from 0.
    channel, method : str
        Where the traces and the stimulus times come from.
    status : str
        ``"ok"``, or why there is nothing.
    """

    traces: FloatArray
    time_s: FloatArray
    unit: str
    clamp: Clamp
    rate_hz: float
    interval_s: FloatArray
    stimulus_s: FloatArray
    event_s: FloatArray
    reason: "NDArray[np.str_]"
    sweeps: IntArray
    sweep_start_s: FloatArray
    part: IntArray
    channel: str
    method: str
    status: str = OK

    @property
    def n_pulses(self) -> int:
        """Number of stimuli in a sweep."""
        return int(self.traces.shape[1])

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per sample: part and sweep and pulse (counted from 1), time_s, value, unit."""
        import pandas as pd

        n_sweeps, n_pulses, n_samples = self.traces.shape
        per_sweep = n_pulses * n_samples
        return pd.DataFrame(
            {
                "part": np.repeat(self.part + 1, per_sweep),
                "sweep": np.repeat(self.sweeps + 1, per_sweep),
                "pulse": np.tile(np.repeat(np.arange(1, n_pulses + 1), n_samples), n_sweeps),
                "time_s": np.tile(self.time_s, n_sweeps * n_pulses),
                "value": self.traces.reshape(-1),
                "unit": self.unit,
            }
        )


def cut_responses(
    recording: Recording, channel: Channel, stimuli: Stimuli, *, config: ResponseConfig = ResponseConfig()
) -> EvokedTraces:
    """Cut the stretch around each event that measuring needs; nothing else is read from the file.

    Parameters
    ----------
    recording : Recording
        Gives the sweeps' start times.
    channel : Channel
        What was recorded; it must be free of doubt.
    stimuli : Stimuli
        From :func:`~ephysplast.analysers.stimuli.find_stimuli`.
    config : ResponseConfig
        Says how far the windows reach.

    Returns
    -------
    EvokedTraces
        Its status says so when there is no stimulus.

    Raises
    ------
    ChannelError
        If the channel's unit or clamp is in doubt.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> trace = ArrayTrace(np.zeros((2, 4000)), rate_hz=20e3)
    >>> cell = Channel(name="IN 0", unit="pA", clamp="voltage", trace=trace)
    >>> rig = Recording(
    ...     channels=(cell,),
    ...     rate_hz=20e3,
    ...     sweep_start_s=np.array([0.0, 10.0]),
    ...     sweep_lengths=trace.lengths,
    ...     source=Source(path=Path("a.abf"), format="memory", reader=""),
    ... )
    >>> at = np.array([[0.05], [0.05]])
    >>> stimuli = Stimuli(
    ...     sweeps=np.arange(2), times_s=at, event_s=at, reason=np.full((2, 1), "ok"), method="manifest"
    ... )
    >>> cut_responses(rig, cell, stimuli, config=ResponseConfig(after_ms=30.0)).traces.shape
    (2, 1, 1221)
    """
    channel.require()
    rate_hz = channel.trace.rate_hz
    first, last = _extent(stimuli, config, rate_hz)
    traces = np.empty((len(stimuli.sweeps), stimuli.n_pulses, last - first))
    for pulse in range(stimuli.n_pulses):
        at = stimuli.event_s[:, pulse]
        traces[:, pulse] = rows_around(channel.trace, at, first / rate_hz, last / rate_hz, sweeps=stimuli.sweeps)
    return EvokedTraces(
        traces=traces,
        time_s=np.arange(first, last) / rate_hz,
        unit=channel.unit,
        clamp=channel.clamp,
        rate_hz=rate_hz,
        interval_s=_intervals(stimuli.times_s),
        stimulus_s=stimuli.times_s,
        event_s=stimuli.event_s,
        reason=stimuli.reason,
        sweeps=stimuli.sweeps,
        sweep_start_s=recording.sweep_start_s[stimuli.sweeps],
        part=np.zeros(len(stimuli.sweeps), dtype=np.int64),
        channel=channel.name,
        method=stimuli.method,
        status=stimuli.status,
    )


def join(parts: Sequence[EvokedTraces]) -> EvokedTraces:
    """Join the windows of several files: what belongs to one phase, or all phases to be measured alike.

    Parameters
    ----------
    parts : sequence of EvokedTraces
        Of the same unit, sampling rate, windows and stimuli. Parts without a stimulus are left out while another
        part has some.

    Returns
    -------
    EvokedTraces
        Sweeps in the order given; `part` says from which file.

    Raises
    ------
    EphysplastError
        If there is nothing to join, or the parts differ.
    """
    if not parts:
        raise EphysplastError("there is nothing to join", wanted="at least one file")
    kept = [each for each in parts if each.n_pulses] or list(parts[:1])
    for name in ("unit", "clamp", "rate_hz", "n_pulses"):
        _alike(name, [getattr(each, name) for each in kept])
    if any(np.abs(each.interval_s - kept[0].interval_s).max(initial=0.0) > 1e-3 for each in kept):
        raise EphysplastError(
            "the files differ in the intervals between stimuli",
            got=" and ".join(str(np.round(each.interval_s, 6).tolist()) for each in kept),
            wanted="the same to 1 ms",
            remedy="give each protocol its own phase or experiment",
        )
    first = max(round(each.time_s[0] * each.rate_hz) for each in kept)
    last = min(round(each.time_s[-1] * each.rate_hz) for each in kept)
    methods = list(dict.fromkeys(each.method for each in kept))
    return EvokedTraces(
        traces=np.concatenate([_between(each, first, last) for each in kept]),
        time_s=np.arange(first, last + 1) / kept[0].rate_hz,
        unit=kept[0].unit,
        clamp=kept[0].clamp,
        rate_hz=kept[0].rate_hz,
        interval_s=_intervals(np.concatenate([each.stimulus_s for each in kept])),
        stimulus_s=np.concatenate([each.stimulus_s for each in kept]),
        event_s=np.concatenate([each.event_s for each in kept]),
        reason=np.concatenate([each.reason for each in kept]),
        sweeps=np.concatenate([each.sweeps for each in kept]),
        sweep_start_s=np.concatenate([each.sweep_start_s for each in kept]),
        part=np.concatenate([np.full(len(each.sweeps), i) for i, each in enumerate(parts) if each in kept]),
        channel=kept[0].channel,
        method="; ".join(methods),
        status=OK if any(each.status == OK for each in kept) else kept[0].status,
    )


def _extent(stimuli: Stimuli, config: ResponseConfig, rate_hz: float) -> tuple[int, int]:
    """Return the first and last sample, counted from the event, that measuring needs."""
    lags = stimuli.event_s - stimuli.times_s
    lag_s = float(np.max(lags, where=np.isfinite(lags), initial=0.0))
    # The reading at rest needs the whole operator once more in front of the baseline.
    before_ms = 2 * (config.baseline_gap_ms + config.baseline_ms + config.reading_ms) + config.search_stop_ms
    after_ms = max(config.after_ms, config.search_stop_ms + 2 * config.reading_ms)
    before_s = 2 * lag_s + before_ms / 1e3
    return -int(np.ceil(before_s * rate_hz)) - 2, int(np.ceil(after_ms / 1e3 * rate_hz)) + 1


def _intervals(times_s: FloatArray) -> FloatArray:
    if not times_s.shape[1]:
        return np.array([], dtype=np.float64)
    usual = [np.median(each[np.isfinite(each)]) if np.isfinite(each).any() else np.nan for each in times_s.T]
    return np.asarray(np.array(usual) - usual[0], dtype=np.float64)


def _alike(name: str, values: list[object]) -> None:
    if any(each != values[0] for each in values):
        called = {"rate_hz": "sampling rate", "n_pulses": "number of stimuli"}.get(name, name)
        raise EphysplastError(
            f"the files differ in {called}",
            got=", ".join(str(each) for each in dict.fromkeys(values)),
            wanted="the same in every file that is measured together",
            remedy="correct the manifest's columns channel, unit or stimulus, or leave the file out",
        )


def _between(part: EvokedTraces, first: int, last: int) -> FloatArray:
    start = first - round(part.time_s[0] * part.rate_hz)
    return part.traces[:, :, start : start + last - first + 1]
