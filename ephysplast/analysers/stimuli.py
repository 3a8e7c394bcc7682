"""When each sweep was stimulated, and when the presynaptic cell fired.

Triggers in order of trust: times that the experimenter gave, pulses on the presynaptic electrode's command, recorded
markers, digital outputs, pulses on other commands, presynaptic spikes, stimulus artefacts. A protocol's name is never
looked at.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._triggers import Triggers, named_triggers, presynaptic_spikes, trusted_triggers
from ephysplast.analysers._windows import rows_around
from ephysplast.errors import OK, ManifestError, SettingsError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result
from ephysplast.signal import SpikeCriteria, spikes_in_rows

if TYPE_CHECKING:
    import pandas as pd

NO_SPIKE = "no presynaptic spike"
TWO_SPIKES = "two presynaptic spikes"

_SPIKE_FOOT_S = 1e-3


@dataclass(frozen=True, kw_only=True)
class StimuliConfig:
    """How stimuli and presynaptic spikes are looked for.

    Attributes
    ----------
    longest_pulse_ms : float
        A command that returns to where it was within this time is a stimulus, a longer one is a step or test pulse:
        20. Test pulses are rarely shorter and pulses that make one spike rarely longer.
    spike_window_ms : float
        The presynaptic spike follows its stimulus within this time (or before the next stimulus): 20.
    spike_blank_ms : float
        Presynaptic samples passed over after the stimulus: 0.3, where the jump across the pipette is.
    spike_slope_mv_per_ms, spike_height_mv : float
        What counts as a spike (:class:`~ephysplast.signal.SpikeCriteria`).
    artefact_noise : float
        An artefact changes from sample to sample by more than so many SD of the recording's own changes: 10. A steep
        EPSC makes 2 to 5, small artefacts 12 and more.
    """

    longest_pulse_ms: float = 20.0
    spike_window_ms: float = 20.0
    spike_blank_ms: float = 0.3
    spike_slope_mv_per_ms: float = 10.0
    spike_height_mv: float = 15.0
    artefact_noise: float = 10.0

    def __post_init__(self) -> None:
        for name in ("longest_pulse_ms", "spike_window_ms", "artefact_noise"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="more than 0")
        if not 0 <= self.spike_blank_ms < self.spike_window_ms:
            wanted = "from 0 to less than spike_window_ms"
            raise SettingsError("'spike_blank_ms' is impossible", got=str(self.spike_blank_ms), wanted=wanted)

    @property
    def spikes(self) -> SpikeCriteria:
        """What counts as a presynaptic spike."""
        return SpikeCriteria(slope_mv_per_ms=self.spike_slope_mv_per_ms, height_mv=self.spike_height_mv)


@dataclass(frozen=True, eq=False, kw_only=True)
class Stimuli(Result):
    """Stimulus times of some sweeps.

    Attributes
    ----------
    sweeps : numpy.ndarray of int64, shape (n_sweeps,)
        Sweep indices from 0.
    times_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        Stimuli in s from the sweep's start, ascending; NaN where a sweep has fewer. For presynaptic spikes without a
        known stimulus 1 ms before the spike, where its foot begins.
    event_s : numpy.ndarray, shape (n_sweeps, n_pulses)
        What the response is timed from: the steepest rise of the presynaptic spike when there is a presynaptic
        electrode in current clamp, else the stimulus. NaN where excluded.
    reason : numpy.ndarray of str, shape (n_sweeps, n_pulses)
        ``"ok"``, or why the response is excluded: ``"no presynaptic spike"``, ``"two presynaptic spikes"``,
        ``"no stimulus"``.
    method : str
        Where the times come from: ``"manifest"``, ``"digital 0"``, ``"command of IN 1"``, ``"marker stim"``,
        ``"presynaptic spikes of IN 1"``, ``"artefacts in IN 0"``.
    status : str
        ``"ok"``, or why there is nothing to measure.
    """

    sweeps: IntArray
    times_s: FloatArray
    event_s: FloatArray
    reason: "NDArray[np.str_]"
    method: str
    status: str = OK

    @property
    def n_pulses(self) -> int:
        """Largest number of stimuli in a sweep."""
        return int(self.times_s.shape[1])

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per stimulus: sweep and pulse counted from 1, times in s."""
        import pandas as pd

        n_sweeps, n_pulses = self.times_s.shape
        return pd.DataFrame(
            {
                "sweep": np.repeat(self.sweeps + 1, n_pulses),
                "pulse": np.tile(np.arange(1, n_pulses + 1), n_sweeps),
                "stimulus_s": self.times_s.reshape(-1),
                "event_s": self.event_s.reshape(-1),
                "reason": self.reason.reshape(-1),
                "method": self.method,
            }
        )


def find_stimuli(
    recording: Recording,
    channel: Channel,
    *,
    sweeps: Sweeps = None,
    stimulus: str = "auto",
    pre_channel: Channel | None = None,
    config: StimuliConfig = StimuliConfig(),
) -> Stimuli:
    """Find the stimuli of each sweep, and the presynaptic spikes they made.

    Parameters
    ----------
    recording : Recording
        Its digital outputs, commands and marker channels are looked at.
    channel : Channel
        The recorded (postsynaptic) channel. What drives its own electrode never stimulates: a short test pulse is
        none.
    sweeps : sequence of int, optional
        Sweep indices from 0; all by default.
    stimulus : str
        ``"auto"`` takes the first that finds something: pulses on the presynaptic channel's command, marker channels
        (in V, or named like one), digital outputs, pulses on any other command, presynaptic spikes, artefacts. A
        single trigger that starts a stimulator's train is replaced by the train's artefacts. Or one
        of ``"command"``, ``"artefact"``, a digital output's name, a channel's name, or times in s from the sweep's
        start (``"0.1; 0.15"``, ``"0,1; 0,15"``, ``"100 ms; 150 ms"``).
    pre_channel : Channel, optional
        The presynaptic electrode. In current clamp each response is timed from its spike, and a stimulus without
        one, or with two, is excluded. In voltage clamp there are no spikes to see: the stimulus counts.
    config : StimuliConfig
        Limits.

    Returns
    -------
    Stimuli
        With no pulses and a status when nothing was found.

    Raises
    ------
    ManifestError
        If `stimulus` cannot be read, or names a source that is not there.
    WindowError
        If given times lie outside the sweeps.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, DigitalOutput, Source
    >>> trace = ArrayTrace(np.zeros((2, 4000)), rate_hz=20e3)
    >>> cell = Channel(name="IN 0", unit="pA", clamp="voltage", trace=trace)
    >>> laser = DigitalOutput(name="digital 0", onsets_s=(np.array([0.05]), np.array([0.05])))
    >>> rig = Recording(
    ...     channels=(cell,),
    ...     rate_hz=20e3,
    ...     sweep_start_s=np.array([0.0, 10.0]),
    ...     sweep_lengths=trace.lengths,
    ...     source=Source(path=Path("a.abf"), format="memory", reader=""),
    ...     digital_outputs=(laser,),
    ... )
    >>> found = find_stimuli(rig, cell)
    >>> found.times_s.tolist(), found.method
    ([[0.05], [0.05]], 'digital 0')
    """
    chosen = _checked_sweeps(recording, sweeps)
    longest_s = config.longest_pulse_ms / 1e3
    if stimulus.strip().lower() in ("", "auto"):
        triggers = trusted_triggers(
            recording,
            channel,
            pre_channel,
            chosen,
            longest_s=longest_s,
            spikes=config.spikes,
            artefact_noise=config.artefact_noise,
        )
    else:
        triggers = named_triggers(
            recording,
            channel,
            pre_channel,
            chosen,
            wanted=stimulus,
            longest_s=longest_s,
            artefact_noise=config.artefact_noise,
        )
    found = _from_triggers(triggers, chosen)
    if pre_channel is None or found.status != OK or triggers.are_spikes:
        return found
    if pre_channel.clamp != "current":
        return replace(found, method=f"{found.method} (no spikes are seen in {pre_channel.clamp} clamp)")
    return _timed_from_spikes(found, pre_channel, config)


def _checked_sweeps(recording: Recording, sweeps: Sweeps) -> IntArray:
    chosen = np.arange(recording.n_sweeps) if sweeps is None else np.asarray(sweeps).reshape(-1)
    chosen = chosen.astype(np.int64)
    if chosen.size and (chosen.min() < 0 or chosen.max() >= recording.n_sweeps):
        raise ManifestError(
            "there is no such sweep",
            got=f"sweep index {chosen.min()} to {chosen.max()}",
            wanted=f"0 to {recording.n_sweeps - 1}",
        )
    return chosen


def _from_triggers(triggers: Triggers, sweeps: IntArray) -> Stimuli:
    event = triggers.times_s
    # Nothing is known of what made these spikes; a baseline must end before their foot.
    times = np.maximum(event - _SPIKE_FOOT_S, 0.0) if triggers.are_spikes else event
    reason = np.where(np.isfinite(times), OK, "no stimulus").astype(np.str_)
    status = OK if np.isfinite(times).any() else f"no stimulus was found ({triggers.method.removeprefix('none: ')})"
    return Stimuli(
        sweeps=sweeps, times_s=times, event_s=event.copy(), reason=reason, method=triggers.method, status=status
    )


def _timed_from_spikes(found: Stimuli, pre: Channel, config: StimuliConfig) -> Stimuli:
    """Time each response from the one spike that follows its stimulus."""
    start_s, stop_s = config.spike_blank_ms / 1e3, config.spike_window_ms / 1e3
    following = np.concatenate([found.times_s[:, 1:], np.full((len(found.sweeps), 1), np.nan)], axis=1)
    until = np.fmin(np.where(np.isfinite(following), following, np.inf), found.times_s + stop_s)
    event, reason = np.full(found.times_s.shape, np.nan), found.reason.astype(object)
    # A spike at the end of the window must still be seen to fall.
    longer_s = stop_s + config.spikes.fall_ms / 1e3
    for pulse in range(found.n_pulses):
        at = found.times_s[:, pulse]
        rows = rows_around(pre.trace, at, start_s, longer_s, sweeps=found.sweeps)
        which, spike = spikes_in_rows(rows, pre.trace.rate_hz, criteria=config.spikes)
        spike = spike + np.rint((at[which] + start_s) * pre.trace.rate_hz) / pre.trace.rate_hz
        inside = spike < until[which, pulse]
        count = np.bincount(which[inside], minlength=len(at))
        one = inside & (count[which] == 1)
        event[which[one], pulse] = spike[one]
        asked = np.isfinite(at)
        reason[asked & (count == 0), pulse] = NO_SPIKE
        reason[asked & (count > 1), pulse] = TWO_SPIKES
    status = OK if np.isfinite(event).any() else f"no stimulus made exactly one spike in {pre.name}"
    method = f"{found.method}, timed from the spikes of {pre.name}"
    return replace(found, event_s=event, reason=reason.astype(np.str_), method=method, status=status)


__all__ = ["NO_SPIKE", "TWO_SPIKES", "Stimuli", "StimuliConfig", "find_stimuli", "presynaptic_spikes"]
