"""Current against voltage: the readings from which a reversal potential is found."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import inf, nan
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import minus
from ephysplast.analysers._iv_evoked import NO_RESPONSE, read_evoked
from ephysplast.analysers._iv_measure import check_alike, drawn_at, measure_evoked, measure_total, no_readings
from ephysplast.analysers._iv_protocol import count_levels
from ephysplast.errors import OK, ChannelError, EphysplastError, SettingsError, check_settings
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

    from ephysplast.analysers.stimuli import Stimuli


@dataclass(frozen=True, kw_only=True)
class CurrentVoltageConfig:
    """Where the current is read.

    Attributes
    ----------
    protocol : {"auto", "steps", "ramp"}
        What to look for in the command. ``"auto"`` takes ramps where most sweeps have the same one, else the step
        that varies between sweeps.
    reading : {"steady", "peak"}
        Of steps without a stimulus: the mean of the end of the step, or the peak of a fast current (sodium).
    baseline_ms, baseline_gap_ms : float
        Baseline before a stimulus, and from its end to the stimulus: 5 and 0.2, as for other responses.
    reading_ms : float
        An evoked response is the mean over the latency ± this: 0.5. Inhibitory currents rise in 1 ms or more.
    search_start_ms, search_stop_ms : float
        Where the latency is looked for, after the event: 1 to 30. Inhibitory potentials peak late.
    latency_ms : float
        The latency, when it is to be the same in several files; 0 finds it.
    pulse : int
        Which stimulus of a sweep, counted from 1.
    settle_ms : float
        The step must have lasted so long before the baseline of a stimulus: 10, several time constants of the clamp.
    steady_ms : float
        How much of the end of a step is averaged: 50, at most half of the step.
    peak_start_ms, peak_stop_ms : float
        Where the peak of a fast current is looked for, after the step: 0.5 (the capacitive transient is over) to 10.
    step_start_ms, step_stop_ms : float
        The step, from the start of the sweep. 0 takes it from the command: what varies between sweeps, so constant
        pre-pulses and test pulses do not count.
    first_mv, increment_mv : float
        Potential of the file's first sweep and what each sweep adds, for files that hold no command; both 0 reads it.
        Without a stimulus they need `step_start_ms` and `step_stop_ms`.
    smallest_difference_mv : float
        Potentials nearer to each other count as one: 1.
    ramp_limb : {"both", "rising", "falling"}
        Which limb of a ramp. Both limbs together free the current of what charges the membrane; where there is one
        limb only, ``"both"`` takes that.
    smallest_ramp_mv, shortest_ramp_ms : float
        What counts as a ramp: 20 mV and 20 ms; smaller ones test the capacitance.
    readings_per_ramp : int
        Readings that a ramp is thinned to: 40.
    largest_lag_mv : float
        A ramp is too fast when the membrane lags further behind the command (slope × R_s × C_m): 2.
    remove_charging : bool
        Take C_m·dV/dt off single limbs where C_m is known.
    """

    protocol: Literal["auto", "steps", "ramp"] = "auto"
    reading: Literal["steady", "peak"] = "steady"
    baseline_ms: float = 5.0
    baseline_gap_ms: float = 0.2
    reading_ms: float = 0.5
    search_start_ms: float = 1.0
    search_stop_ms: float = 30.0
    latency_ms: float = 0.0
    pulse: int = 1
    settle_ms: float = 10.0
    steady_ms: float = 50.0
    peak_start_ms: float = 0.5
    peak_stop_ms: float = 10.0
    step_start_ms: float = 0.0
    step_stop_ms: float = 0.0
    first_mv: float = 0.0
    increment_mv: float = 0.0
    smallest_difference_mv: float = 1.0
    ramp_limb: Literal["both", "rising", "falling"] = "both"
    smallest_ramp_mv: float = 20.0
    shortest_ramp_ms: float = 20.0
    readings_per_ramp: int = 40
    largest_lag_mv: float = 2.0
    remove_charging: bool = True

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            baseline_ms=(0.1, inf),
            baseline_gap_ms=(0.0, inf),
            reading_ms=(0.0, inf),
            search_start_ms=(0.0, inf),
            search_stop_ms=(0.1, inf),
            latency_ms=(0.0, inf),
            pulse=(1, inf),
            settle_ms=(0.0, inf),
            steady_ms=(0.1, inf),
            peak_start_ms=(0.0, inf),
            peak_stop_ms=(0.1, inf),
            step_start_ms=(0.0, inf),
            step_stop_ms=(0.0, inf),
            smallest_difference_mv=(0.01, inf),
            smallest_ramp_mv=(1.0, inf),
            shortest_ramp_ms=(1.0, inf),
            readings_per_ramp=(3, 10_000),
            largest_lag_mv=(0.01, inf),
        )
        for start, stop in (("search_start_ms", "search_stop_ms"), ("peak_start_ms", "peak_stop_ms")):
            if not getattr(self, start) < getattr(self, stop):
                raise SettingsError(
                    f"{stop} must come after {start}", got=f"{getattr(self, start)} and {getattr(self, stop)}"
                )
        if (self.step_stop_ms or self.step_start_ms) and not self.step_start_ms < self.step_stop_ms:
            raise SettingsError(
                "step_stop_ms must come after step_start_ms",
                got=f"{self.step_start_ms} and {self.step_stop_ms}",
                remedy="give both, or none",
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class CurrentVoltage(Result):
    """Readings of current (or of an IPSP) at several potentials, of one file or joined over the files of a phase.

    One row per reading: a step of one sweep, or one potential of a ramp.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is nothing (one holding potential only, a ramp too fast, no command, …).
    protocol : {"voltage steps", "voltage ramp", "current clamp", ""}
        What was done.
    response : {"evoked", "total"}
        A response to a stimulus above the baseline before it, or the whole current at that potential.
    unit : str
        Of `response_value`: ``"pA"`` or, in current clamp, ``"mV"``.
    sweeps, part : numpy.ndarray of int64, shape (n_readings,)
        Sweep index from 0 in its own file; which of the joined files, from 0.
    command_mv : numpy.ndarray, shape (n_readings,)
        The potential commanded when the response was read; in current clamp the potential before the stimulus.
    total_pa : numpy.ndarray, shape (n_readings,)
        Whole pipette current at the reading, outward positive; NaN in current clamp.
    response_value : numpy.ndarray, shape (n_readings,)
        The synaptic current (baseline subtracted), or the whole current when there was no stimulus (of a ramp:
        without what charges the membrane, as `charging` says), or the IPSP.
    rs_mohm : numpy.ndarray, shape (n_readings,)
        Series resistance measured in that sweep (test pulse, or the transient of the step itself); NaN if unknown.
    reason : tuple of str, length n_readings
        ``"ok"``, or why the reading is not used.
    trace : numpy.ndarray, shape (n_rows, n_samples)
        For the figure: windows around the reading (steps), or the current of each ramp, thinned to a drawable number.
    trace_s : numpy.ndarray, shape (n_samples,)
        From the stimulus, the step, or the ramp's start.
    rs_source : str
        What `rs_mohm` was measured from, in the recording itself; empty when it was not.
    charging, cm_pf, lag_mv : str, float, float
        Of ramps: how the charging current was taken off, with which capacitance (NaN when with none), and how far
        the membrane lags behind the command.
    read_ms : tuple of float
        When the current was read: first and last, from the event or the start of the step. NaN for ramps.
    cut, cut_s : numpy.ndarray, shapes (n_readings, n_samples) and (n_samples,)
        Evoked responses above their baselines, in full, so that joined files are read at one latency.
    config : CurrentVoltageConfig
        How it was read.
    """

    status: str = OK
    protocol: Literal["voltage steps", "voltage ramp", "current clamp", ""]
    response: Literal["evoked", "total"]
    unit: str
    sweeps: IntArray
    part: IntArray
    command_mv: FloatArray
    total_pa: FloatArray
    response_value: FloatArray
    rs_mohm: FloatArray
    reason: tuple[str, ...]
    trace: FloatArray
    trace_s: FloatArray
    rs_source: str = ""
    charging: str = ""
    cm_pf: float = nan
    lag_mv: float = nan
    read_ms: tuple[float, float] = (nan, nan)
    cut: FloatArray = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    cut_s: FloatArray = field(default_factory=lambda: np.empty(0), repr=False)
    config: CurrentVoltageConfig = CurrentVoltageConfig()

    @property
    def used(self) -> NDArray[np.bool_]:
        """Whether each reading counts."""
        return np.array([each == OK for each in self.reason], dtype=bool)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per reading; part and sweep counted from 1."""
        import pandas as pd

        return pd.DataFrame(
            {
                "part": self.part + 1,
                "sweep": self.sweeps + 1,
                "command_mv": self.command_mv,
                "total_pa": self.total_pa,
                "response": self.response_value,
                "unit": self.unit,
                "rs_mohm": self.rs_mohm,
                "reason": list(self.reason),
            }
        )


def measure_current_voltage(
    recording: Recording,
    channel: Channel,
    *,
    sweeps: Sweeps = None,
    exclude: Sweeps = None,
    stimuli: "Stimuli | None" = None,
    config: CurrentVoltageConfig = CurrentVoltageConfig(),
) -> CurrentVoltage:
    """Read the current (or the IPSP) at every potential that was commanded.

    Parameters
    ----------
    recording : Recording
        Where a recorded command may be found when the channel has none of its own.
    channel : Channel
        A voltage-clamp (pA) or current-clamp (mV) channel.
    sweeps : sequence of int, optional
        Sweep indices from 0; all by default.
    exclude : sequence of int, optional
        Of these, sweeps that the experimenter rejects: they are read, marked, and count for nothing.
    stimuli : Stimuli, optional
        When each sweep was stimulated (:func:`~ephysplast.analysers.stimuli.find_stimuli`): then the response above
        its baseline is read, in every sweep at the latency at which the slope conductance peaks, so that responses
        of either direction, and none, are read alike. Without stimuli the whole current is read, at the end (or
        peak) of the step that varies between sweeps, or along the ramp. Current clamp needs stimuli.
    config : CurrentVoltageConfig
        Windows and limits.

    Returns
    -------
    CurrentVoltage
        Its status says so when there is one potential only, no command, no ramp or step, a ramp that is too fast for
        the clamp, or no response; readings are kept, since another file may hold the other potentials
        (:func:`join_current_voltage`).

    Raises
    ------
    ChannelError
        If the channel is of another clamp, or its unit is in doubt.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> volts = np.repeat([[-70.0, step, -70.0] for step in (-90.0, -70.0, -50.0)], [1000, 4000, 1000], axis=1)
    >>> cell = Channel(name="I", unit="pA", clamp="voltage", trace=ArrayTrace(5.0 * (volts + 65.0), 2e4),
    ...                command=ArrayTrace(volts, 2e4), command_unit="mV")
    >>> recording = Recording(channels=(cell,), rate_hz=2e4, sweep_start_s=np.arange(3.0),
    ...     sweep_lengths=np.full(3, 6000), source=Source(path=Path("cell"), format="memory", reader=""))
    >>> found = measure_current_voltage(recording, cell)
    >>> found.protocol, found.command_mv.tolist(), found.response_value.tolist()
    ('voltage steps', [-90.0, -70.0, -50.0], [-125.0, -25.0, 75.0])
    """
    channel.require("voltage", "current")
    wanted = "pA" if channel.clamp == "voltage" else "mV"
    if channel.unit != wanted:
        raise ChannelError(
            f"channel '{channel.name}' cannot be measured in {channel.clamp} clamp",
            got=channel.unit or "no unit",
            wanted=wanted,
            remedy="say what it holds with the manifest's columns unit, clamp and scale",
        )
    every = np.arange(recording.n_sweeps) if sweeps is None else np.asarray(sweeps).reshape(-1)
    every = every.astype(np.int64)
    rejected = np.isin(every, np.asarray([] if exclude is None else exclude, dtype=np.int64))
    if channel.clamp == "current" and stimuli is None:
        why = "in current clamp a reversal needs a stimulus: the potential alone does not tell what flows"
        return _assessed(CurrentVoltage(**no_readings(channel, why, config)))
    if stimuli is None:
        found = measure_total(recording, channel, every, rejected, config)
    else:
        found = measure_evoked(recording, channel, every, rejected, stimuli, config)
    made = CurrentVoltage(**(no_readings(channel, OK, config) | found))
    return _assessed(_read(made))


def join_current_voltage(parts: Sequence[CurrentVoltage]) -> CurrentVoltage:
    """Put the readings of several files of one phase into one table.

    Parameters
    ----------
    parts : sequence of CurrentVoltage
        Of one protocol, response and unit. Parts without readings are left out while another part has some. Evoked
        responses are read again, at the latency that all files share.

    Returns
    -------
    CurrentVoltage
        Its status is judged anew: files at one holding potential each make a family together.

    Raises
    ------
    EphysplastError
        If there is nothing to join, or the parts differ.

    Examples
    --------
    >>> one = CurrentVoltage(protocol="voltage steps", response="evoked", unit="pA", sweeps=np.array([0]),
    ...     part=np.array([0]), command_mv=np.array([-70.0]), total_pa=np.array([5.0]),
    ...     response_value=np.array([5.0]), rs_mohm=np.array([10.0]), reason=("ok",), trace=np.zeros((1, 2)),
    ...     trace_s=np.array([0.0, 0.1]), status="one holding potential only (−70 mV)")
    >>> from dataclasses import replace
    >>> both = join_current_voltage([one, replace(one, command_mv=np.array([-50.0]))])
    >>> both.status, both.part.tolist()
    ('ok', [0, 1])
    """
    if not parts:
        raise EphysplastError("there is nothing to join", wanted="at least one file")
    kept = [each for each in parts if each.command_mv.size]
    if not kept:
        return parts[0]
    for name in ("unit", "protocol", "response"):
        check_alike(name, [str(getattr(each, name)) for each in kept])
    numbers = [i for i, each in enumerate(parts) if each.command_mv.size]
    joined: dict[str, Any] = {
        name: np.concatenate([getattr(each, name) for each in kept])
        for name in ("sweeps", "command_mv", "total_pa", "response_value", "rs_mohm")
    }
    same_cut = all(each.cut_s.size == kept[0].cut_s.size and np.allclose(each.cut_s, kept[0].cut_s) for each in kept)
    capacities = {each.cm_pf for each in kept}
    lags = [each.lag_mv for each in kept if np.isfinite(each.lag_mv)]
    answer = replace(
        kept[0],
        **joined,
        part=np.concatenate([np.full(each.command_mv.size, i) for i, each in zip(numbers, kept, strict=True)]),
        reason=tuple(why for each in kept for why in each.reason),
        trace=np.concatenate([drawn_at(each.trace, each.trace_s, kept[0].trace_s) for each in kept]),
        rs_source="; ".join(dict.fromkeys(each.rs_source for each in kept if each.rs_source)),
        charging="; ".join(dict.fromkeys(each.charging for each in kept if each.charging)),
        cm_pf=capacities.pop() if len(capacities) == 1 else nan,
        lag_mv=max(lags, default=nan),
        cut=np.concatenate([each.cut for each in kept]) if same_cut else np.empty((0, 0)),
        cut_s=kept[0].cut_s if same_cut else np.empty(0),
        status=next((each.status for each in kept if each.status == OK), kept[0].status),
    )
    return _assessed(_read(answer))


def _read(made: CurrentVoltage) -> CurrentVoltage:
    """Read evoked responses from their cuts, all at one latency."""
    if made.response != "evoked" or not made.cut.size:
        return made
    upright = -1.0 if made.protocol == "current clamp" else 1.0
    counts = np.where(made.used[:, None], upright * made.cut, np.nan)
    latency_s, _, clear = read_evoked(counts, made.cut_s, made.command_mv, made.config)
    fixed = replace(made.config, latency_ms=max(latency_s * 1e3, 1e-9))
    value = read_evoked(made.cut, made.cut_s, made.command_mv, fixed).value
    baseline = made.total_pa - made.response_value
    several = count_levels(made.command_mv[made.used], made.config.smallest_difference_mv) > 1
    return replace(
        made,
        response_value=value,
        total_pa=baseline + value,
        read_ms=(latency_s * 1e3, latency_s * 1e3),
        status=NO_RESPONSE if several and not clear else OK,
    )


def _assessed(made: CurrentVoltage) -> CurrentVoltage:
    """Say whether there are potentials enough."""
    if not made.command_mv.size:
        return made
    used = made.used & np.isfinite(made.command_mv) & np.isfinite(made.response_value)
    if not used.any():
        said = list(dict.fromkeys(why for why in made.reason if why != OK)) or ["nothing could be read"]
        return replace(made, status=said[0] if len(said) == 1 else f"no sweep can be used: {'; '.join(said)}")
    levels = made.command_mv[used]
    if count_levels(levels, made.config.smallest_difference_mv) < 2:
        held = minus(f"one holding potential only ({float(np.median(levels)):.0f} mV)")
        return replace(made, status=f"{held}: where a current reverses takes at least two")
    return replace(made, status=made.status if made.status == NO_RESPONSE else OK)
