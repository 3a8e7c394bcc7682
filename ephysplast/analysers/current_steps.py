"""What the cell did in each current step or ramp: spikes, deflection, sag, time constant."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers import _step_readings as readings
from ephysplast.analysers import _step_shape as shape
from ephysplast.analysers._current_command import ENDS, Family, find_family
from ephysplast.analysers.spikes import SpikeConfig, SpikeResult, measure_spikes
from ephysplast.errors import OK, ChannelError, SettingsError, check_settings
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

REJECTED = "rejected in the manifest"
_NAN = float("nan")
_SPIKES = SpikeConfig()

Protocol = Literal["auto", "steps", "ramp"]


@dataclass(frozen=True, kw_only=True)
class CurrentStepConfig:
    """Which current step is measured, and how.

    Attributes
    ----------
    protocol : {"auto", "steps", "ramp"}
        ``"auto"`` takes the step whose size varies between sweeps, else a ramp, else a step that is always the same.
    start_ms, stop_ms : float
        From the start of the sweep. 0 (default) looks for the step in the command. `start_ms` alone chooses among
        several steps; both together are the window itself.
    first_pa, increment_pa : float
        Current of the file's first sweep above holding, and how much each next sweep adds, for files whose command is
        not known; 0 and 0 (default) read the command. `start_ms` and `stop_ms` are then needed.
    shortest_ms : float
        Shorter steps are triggers of single spikes, not steps: 20, below which membranes are far from charged and the
        rheobase is another quantity.
    baseline_ms : float
        Rest is the median of so much at holding just before the step: 50, of which one spike spoils little.
    steady_percent : float
        Last part of the step that counts as steady: 10, as eFEL has it.
    bridge_ms : float
        Left out after the step's start when τ is fitted: 1, where bridge and electrode capacitance show.
    smallest_sag_mv : float
        Smaller hyperpolarisations give no sag ratio: 5, a division by less is mostly noise.
    smallest_tau_mv : float
        Smaller hyperpolarisations give no τ: 2, below which noise decides.
    edge_ms : float
        No spike starts so shortly after an edge of the step: 0.5, where bridge and electrode capacitance show; a
        membrane takes longer.
    settle_ms : float
        Rest is not read, and spikes are not spontaneous, for so long after any other pulse: 200, in which rebound
        spikes come. An earlier stretch at holding is taken instead.
    smooth_ms : float
        Running mean before the peak of a hyperpolarisation is read: 5, as IPFX averages there.
    drawn_samples : int
        Samples of each sweep that are kept for the figure.
    """

    protocol: Protocol = "auto"
    start_ms: float = 0.0
    stop_ms: float = 0.0
    first_pa: float = 0.0
    increment_pa: float = 0.0
    shortest_ms: float = 20.0
    baseline_ms: float = 50.0
    steady_percent: float = 10.0
    bridge_ms: float = 1.0
    edge_ms: float = 0.5
    settle_ms: float = 200.0
    smallest_sag_mv: float = 5.0
    smallest_tau_mv: float = 2.0
    smooth_ms: float = 5.0
    drawn_samples: int = 1200

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.protocol not in get_args(Protocol):
            raise SettingsError("there is no such protocol", got=self.protocol, wanted="auto, steps or ramp")
        positive = ("shortest_ms", "baseline_ms", "smallest_sag_mv", "smallest_tau_mv")
        check_settings(
            self,
            start_ms=(0.0, inf),
            stop_ms=(0.0, inf),
            steady_percent=(1.0, 50.0),
            **dict.fromkeys(("bridge_ms", "edge_ms", "settle_ms"), (0.0, inf)),
            smooth_ms=(0.0, inf),
            drawn_samples=(10, 1_000_000),
            **dict.fromkeys(positive, (1e-3, inf)),
        )
        if 0.0 < self.stop_ms <= self.start_ms:
            raise SettingsError(
                "the step must end after it starts", got=f"start_ms {self.start_ms}, stop_ms {self.stop_ms}"
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class CurrentSteps(Result):
    """The steps (or ramps) of some sweeps, one row per sweep, of one file or joined over the files of a phase.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is nothing to measure (no command, no step that differs between sweeps, …).
    protocol : {"steps", "ramp", ""}
        What the command does.
    sweeps : numpy.ndarray of int64, shape (n_sweeps,)
        Sweep indices from 0, in their own file.
    part : numpy.ndarray of int64, shape (n_sweeps,)
        Which of the joined files, from 0.
    start_s, stop_s : numpy.ndarray, shape (n_sweeps,)
        The step or ramp, from the sweep's start.
    current_pa : numpy.ndarray, shape (n_sweeps,)
        Level of the step minus holding; of a ramp its end minus holding.
    holding_pa : numpy.ndarray, shape (n_sweeps,)
        Level before; NaN where the file does not say.
    reason : tuple of str, length n_sweeps
        ``"ok"``, or why the sweep is not used (rejected in the manifest, no step).
    rest_mv : numpy.ndarray, shape (n_sweeps,)
        Median potential just before the step.
    spontaneous : numpy.ndarray of int64, shape (n_sweeps,)
        Spikes while the command was at holding before the step, and the cell had recovered from any pulse.
    spikes : SpikeResult
        Spikes within the step; its rows are the sweeps of this table.
    steady_mv : numpy.ndarray, shape (n_sweeps,)
        Mean at the end of the step minus `rest_mv`; NaN in sweeps with spikes.
    sag_ratio : numpy.ndarray, shape (n_sweeps,)
        (peak − steady)/(peak − rest) of hyperpolarising steps; NaN elsewhere.
    tau_ms : numpy.ndarray, shape (n_sweeps,)
        Membrane time constant from hyperpolarising steps; NaN elsewhere.
    current_at_spike_pa : numpy.ndarray, shape (n_sweeps,)
        Ramps: current above holding at the first spike's threshold; NaN without one.
    ramp_pa_per_s : numpy.ndarray, shape (n_sweeps,)
        Slope of a ramp; NaN for steps.
    trace_mv : numpy.ndarray, shape (n_sweeps, n_samples)
        For the figure: from a little before to a little after the step, thinned by min and max to a drawable number
        of samples.
    trace_s : numpy.ndarray, shape (n_samples,)
        Time of those samples from the step's start.
    sag_noise : numpy.ndarray, shape (n_sweeps,)
        What noise alone adds to the sag ratio, whose peak is the lowest of a noisy trace: the same reading on the
        second half of the step, from its own trend. NaN without a sag ratio.
    jump_mv, late_jump_mv : numpy.ndarray, shape (n_sweeps,)
        Jump of the potential at the step's edge (electrode resistance that the bridge leaves or takes too much): the
        line through 0.5 to 1.5 ms, or 1 to 2 ms, after the edge, at the edge, minus the 2 ms before. NaN for ramps.
    """

    status: str = OK
    protocol: Literal["steps", "ramp", ""]
    sweeps: IntArray
    part: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    current_pa: FloatArray
    holding_pa: FloatArray
    reason: tuple[str, ...]
    rest_mv: FloatArray
    spontaneous: IntArray
    spikes: SpikeResult
    steady_mv: FloatArray
    sag_ratio: FloatArray
    tau_ms: FloatArray
    current_at_spike_pa: FloatArray
    ramp_pa_per_s: FloatArray
    trace_mv: FloatArray
    trace_s: FloatArray
    sag_noise: FloatArray = field(default_factory=lambda: np.zeros(0))
    jump_mv: FloatArray = field(default_factory=lambda: np.zeros(0))
    late_jump_mv: FloatArray = field(default_factory=lambda: np.zeros(0))

    @property
    def used(self) -> NDArray[np.bool_]:
        """Whether each sweep counts."""
        return np.array([each == OK for each in self.reason], dtype=bool)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per sweep, sweeps counted from 1 in their file and files from 1."""
        import pandas as pd

        names = ("start_s", "stop_s", "current_pa", "holding_pa", "rest_mv", "spontaneous", "steady_mv", "sag_ratio")
        more = ("tau_ms", "jump_mv", "current_at_spike_pa", "ramp_pa_per_s")
        spikes = ("rate_hz", "latency_ms", "isi_cv", "cv2", "lv", "adaptation_index", "blocked", "collapsed")
        table = pd.DataFrame({"part": self.part + 1, "sweep": self.sweeps + 1})
        for source, columns in ((self, names), (self.spikes, spikes), (self, more)):
            for name in columns:
                table[name] = getattr(source, name)
        table.insert(list(table.columns).index("rate_hz"), "n_spikes", self.spikes.count)
        table.insert(2, "protocol", self.protocol)
        table["reason"] = list(self.reason)
        return table


def measure_current_steps(
    recording: Recording,
    channel: Channel,
    *,
    sweeps: Sweeps = None,
    exclude: Sweeps = None,
    spikes: SpikeConfig = _SPIKES,
    config: CurrentStepConfig = CurrentStepConfig(),
) -> CurrentSteps:
    """Measure every current step or ramp of a recording.

    Parameters
    ----------
    recording : Recording
        Where a recorded command may be found when the channel has none of its own.
    channel : Channel
        A current-clamp channel in mV.
    sweeps : sequence of int, optional
        Sweep indices from 0; all by default.
    exclude : sequence of int, optional
        Sweeps that the experimenter rejects; they stay in the table with that reason.
    spikes : SpikeConfig
        What counts as an action potential.
    config : CurrentStepConfig
        Which step, and what is averaged.

    Returns
    -------
    CurrentSteps
        With a status sentence, and no sweeps, where the command is not known or has neither step nor ramp.

    Raises
    ------
    ChannelError
        If the channel's unit or clamp is in doubt, or it is not a membrane potential in current clamp.
    SettingsError
        If the settings give currents without the time of the step.

    Notes
    -----
    The step is the stretch of the command whose level differs between sweeps; a test pulse or pre-pulse that is the
    same in every sweep is not it, and of several the first without a pre-pulse counts. A sweep that stays at holding
    there has a step of 0 pA. Currents count from holding. The sag ratio is (peak − steady)/(peak − rest), the peak
    from a running mean: eFEL's ``sag_ratio1`` with a single sample as peak, 1 − eFEL's ``sag_ratio2``, and IPFX's
    ``sag``. τ is fitted up to 95 % of the peak, as IPFX has it, but with a free end. A ramp that takes up in each
    sweep where the last one ended is one ramp, and counts once.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> time_s = np.arange(8000) / 2e4
    >>> step = (time_s >= 0.1) & (time_s < 0.3)
    >>> commands = [np.where(step, level, 0.0) for level in (-40.0, -20.0, 0.0)]
    >>> charge = np.where(step, 1.0 - np.exp(-(time_s - 0.1) / 0.02), 0.0)           # 200 MΩ, 20 ms
    >>> volts = [-70.0 + 0.2 * level * charge for level in (-40.0, -20.0, 0.0)]
    >>> cell = Channel(name="V", unit="mV", clamp="current", trace=ArrayTrace(volts, 2e4),
    ...                command=ArrayTrace(commands, 2e4), command_unit="pA")
    >>> recording = Recording(channels=(cell,), rate_hz=2e4, sweep_start_s=np.arange(3.0),
    ...     sweep_lengths=np.full(3, 8000), source=Source(path=Path("cell"), format="memory", reader=""))
    >>> steps = measure_current_steps(recording, cell)
    >>> steps.current_pa.tolist(), steps.tau_ms.round(2).tolist()
    ([-40.0, -20.0, 0.0], [20.0, 20.0, nan])
    """
    channel.require("current")
    if channel.unit != "mV":
        raise ChannelError(
            f"channel '{channel.name}' cannot be measured in current clamp",
            got=channel.unit or "no unit",
            wanted="mV",
            remedy="say what it holds with the manifest's columns unit, clamp and scale",
        )
    chosen = np.arange(recording.n_sweeps, dtype=np.int64) if sweeps is None else np.asarray(sweeps, dtype=np.int64)
    rejected = np.isin(chosen, np.asarray([] if exclude is None else exclude, dtype=np.int64))
    family = find_family(recording, channel, chosen, config) if chosen.size else "no sweep was chosen"
    if isinstance(family, str):
        return _nothing(family)
    return _measure(recording, channel, chosen, rejected, family, spikes, config)


def join_steps(parts: Sequence[CurrentSteps]) -> CurrentSteps:
    """Put the sweeps of several files of one phase into one table.

    Parameters
    ----------
    parts : sequence of CurrentSteps
        One per file, in their order.

    Returns
    -------
    CurrentSteps
        Steps and ramps do not mix: the kind that most sweeps have is kept, the sweeps of the other stay with that
        reason. Parts without a step are left out; the status is theirs when none has one.

    Examples
    --------
    >>> join_steps([]).status
    'there is no recording of current steps'
    """
    known = [(i, each) for i, each in enumerate(parts) if each.status == OK]
    if not known:
        return parts[0] if parts else _nothing("there is no recording of current steps")
    by_kind = {kind: sum(int(each.used.sum()) for _, each in known if each.protocol == kind) for kind in _kinds(known)}
    kind = max(by_kind, key=lambda each: by_kind[each])
    step_s = max((each.trace_s for _, each in known), key=len)
    rows = [readings.regridded(each, step_s) for _, each in known]
    other = f"the other sweeps hold {'steps' if kind == 'steps' else 'ramps'}, which cannot be mixed with this one"
    reasons = [tuple(other if each.protocol != kind and why == OK else why for why in each.reason) for _, each in known]
    joined: dict[str, Any] = {name: np.concatenate([getattr(each, name) for _, each in known]) for name in _PER_SWEEP}
    return replace(
        known[0][1],
        **joined,
        protocol=kind,
        part=np.concatenate([np.full(each.sweeps.size, i, dtype=np.int64) for i, each in known]),
        reason=tuple(why for reason in reasons for why in reason),
        spikes=readings.joined_spikes([each.spikes for _, each in known]),
        trace_mv=np.concatenate(rows),
        trace_s=step_s,
    )


_PER_SWEEP = (
    "sweeps", "start_s", "stop_s", "current_pa", "holding_pa", "rest_mv", "spontaneous", "steady_mv", "sag_ratio",
    "tau_ms", "current_at_spike_pa", "ramp_pa_per_s", "sag_noise", "jump_mv", "late_jump_mv",
)  # fmt: skip


def _kinds(known: list[tuple[int, CurrentSteps]]) -> list[Literal["steps", "ramp", ""]]:
    return list(dict.fromkeys(each.protocol for _, each in known))


def _measure(
    recording: Recording,
    channel: Channel,
    sweeps: IntArray,
    rejected: NDArray[np.bool_],
    family: Family,
    spikes: SpikeConfig,
    config: CurrentStepConfig,
) -> CurrentSteps:
    rate = channel.trace.rate_hz
    fits = (family.first >= 0) & (family.stop <= channel.trace.lengths[sweeps])
    reason = tuple(why if why != OK or fit else ENDS for why, fit in zip(family.reason, fits, strict=True))
    if not fits.any():
        return _nothing(next(why for why in reason if why != OK))
    first, stop = family.first, family.stop
    start_s, stop_s = (np.where(fits, each / rate, _NAN) for each in (first, stop))
    edge_ms = config.edge_ms if family.protocol == "steps" else 0.0
    window: dict[str, Any] = {"sweeps": sweeps, "start_s": start_s, "stop_s": stop_s, "edge_ms": edge_ms}
    found = measure_spikes(recording, channel, **window, config=spikes)
    rest = shape.median_of(readings.held(channel, sweeps, family, round(config.baseline_ms * 1e-3 * rate)))
    current = np.where(fits, family.end_pa - family.holding_pa, _NAN)
    made = CurrentSteps(
        protocol=family.protocol,
        sweeps=sweeps,
        part=np.zeros(sweeps.size, dtype=np.int64),
        start_s=start_s,
        stop_s=stop_s,
        current_pa=current,
        holding_pa=family.holding_pa,
        reason=tuple(REJECTED if no else why for no, why in zip(rejected, reason, strict=True)),
        rest_mv=rest,
        spontaneous=readings.spontaneous(channel, sweeps, family, spikes),
        # A bridge that is off may lift the potential in a hyperpolarising step, but block it is not.
        spikes=replace(found, blocked=found.blocked & (current > 0.0)),
        **readings.of_traces(channel, sweeps, family, fits, (rest, found), config),
        current_at_spike_pa=readings.current_at_spike(family, found, rate),
        ramp_pa_per_s=readings.speed(family, rate),
    )
    return readings.ramps_counted_once(made, family) if family.protocol == "ramp" else made


def _nothing(why: str) -> CurrentSteps:
    """Return a table without sweeps, and the reason."""
    empty, none = np.zeros(0), np.zeros(0, dtype=np.int64)
    numbers: dict[str, Any] = {
        each.name: empty
        for each in fields(SpikeResult)
        if each.name not in ("status", "sweeps", "count", "row", "blocked", "collapsed")
    }
    spikes = SpikeResult(status=why, sweeps=none, count=none, row=none, blocked=np.zeros(0, dtype=bool), **numbers)
    table: dict[str, Any] = {name: none if name in ("sweeps", "spontaneous") else empty for name in _PER_SWEEP}
    return CurrentSteps(
        status=why, protocol="", **table, part=none, reason=(), spikes=spikes,
        trace_mv=np.zeros((0, 0)), trace_s=empty,
    )  # fmt: skip
