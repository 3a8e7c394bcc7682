"""Series resistance, input resistance, capacitance and holding, from the test pulse of every sweep."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._pulse import Pulse, find_pulse
from ephysplast.analysers._step_response import Cell, areas_of, learn, settled, windows_of
from ephysplast.analysers._transient import Areas
from ephysplast.errors import OK, ChannelError, SettingsError
from ephysplast.recording import Channel, Clamp, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result
from ephysplast.statistics import MAD_TO_SD, NO_INTERVAL, Interval

if TYPE_CHECKING:
    import pandas as pd

_NAN = float("nan")
_CLEAR = 3.0  # a third of noise is as much as R_in may change in a stable recording
_UNUSABLE = "this sweep has no test pulse that could be used"
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class TestPulseConfig:
    """Where the test pulse is and how it is read.

    Attributes
    ----------
    start_ms, stop_ms : float
        From the start of the sweep. 0 (default) looks for the pulse in the command: the smallest hyperpolarising
        step away from holding, the earliest of several. `start_ms` alone chooses among several.
    step : float
        Size of the step, in mV in voltage clamp and in pA in current clamp, for files whose command is not known. 0
        reads it from the command, sweep by sweep.
    shortest_ms : float
        Shorter steps are not test pulses: 5 ms leaves a steady state only to the smallest cells.
    largest_step_mv : float
        In voltage clamp larger steps are not test pulses: beyond 30 mV channels open.
    baseline_ms, steady_ms : float
        How much before the step, and how much of its end (at most 40 % of it), is averaged. 40 ms are two whole cycles
        of 50 Hz; longer stretches steady R_in further and cost reading time. The base is shortened where the tail of a
        response reaches into it.
    bridge_ms : float
        Skipped after the edge in current clamp, where bridge and electrode capacitance show.
    remove_mains : bool
        Fit hum of 50 or 60 Hz to each sweep and take it off, where there is any.
    level : float
        Confidence level of the intervals.
    """

    __test__ = False  # not a test, whatever its name

    start_ms: float = 0.0
    stop_ms: float = 0.0
    step: float = 0.0
    shortest_ms: float = 5.0
    largest_step_mv: float = 30.0
    baseline_ms: float = 40.0
    steady_ms: float = 40.0
    bridge_ms: float = 1.0
    remove_mains: bool = True
    level: float = 0.95

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.start_ms < 0.0 or self.stop_ms < 0.0 or 0.0 < self.stop_ms <= self.start_ms:
            raise SettingsError(
                "the test pulse must end after it starts", got=f"start_ms {self.start_ms}, stop_ms {self.stop_ms}"
            )
        if self.stop_ms and not self.start_ms:
            raise SettingsError("stop_ms needs start_ms", got=f"stop_ms {self.stop_ms}", remedy="give both, or none")
        if min(self.shortest_ms, self.largest_step_mv, self.baseline_ms, self.steady_ms) <= 0.0 or self.bridge_ms < 0.0:
            raise SettingsError("durations and steps must be positive", got=str(self))
        if not 0.0 < self.level < 1.0:
            raise SettingsError("level must lie between 0 and 1", got=str(self.level))


@dataclass(frozen=True, eq=False, kw_only=True)
class TestPulseResult(Result):
    """Passive properties, of every sweep and of their mean.

    In voltage clamp ``R_in = ΔV/ΔI`` at the end of the step is the whole resistance, pipette included:
    ``R_in = R_s + R_m``. R_s is ``ΔV`` over the current that would flow at the very edge: the decay of the capacitive
    transient is extrapolated back to when it began. ``C_m`` is the transient's charge /``ΔV`` ×
    ``((R_s + R_m)/R_m)²``. In current clamp ``R_in = ΔV/ΔI``, τ is the membrane's, ``C_m = τ/R_in``, and there is no
    R_s (the bridge hides it).

    Attributes
    ----------
    status : str
        Stands for R_in (mean): ``"ok"``, or why there is none.
    transient_status : str
        Stands for R_s, R_m, C_m and τ (means).
    sweep_status, sweep_transient_status : tuple of str, length n_sweeps
        The same for every sweep.
    clamp : str
        Of the channel.
    unit : str
        Of `holding`: pA in voltage clamp, mV in current clamp.
    start_s, stop_s : float
        The test pulse, from the start of the sweep; NaN when there is none.
    sweep : numpy.ndarray of int64, shape (n_sweeps,)
        Sweep indices from 0.
    step : numpy.ndarray, shape (n_sweeps,)
        Size of the step in mV (voltage clamp) or pA (current clamp).
    holding : numpy.ndarray, shape (n_sweeps,)
        Mean before the step, or at the start of the sweep where there is no test pulse: holding current, or membrane
        potential.
    rs_mohm, rm_mohm, rin_mohm, cm_pf, tau_ms : numpy.ndarray, shape (n_sweeps,)
        Of every sweep, NaN where its status says why. τ is that of the early decay.
    mean_rs_mohm, mean_rm_mohm, mean_rin_mohm, mean_cm_pf, mean_tau_ms : float
        Of the mean of all sweeps that hold.
    rs_interval_mohm, rm_interval_mohm, rin_interval_mohm, cm_interval_pf, tau_interval_ms : Interval
        Their confidence intervals, by leaving out blocks of neighbouring sweeps; NaN with fewer than three blocks.
    """

    __test__ = False

    status: str
    transient_status: str
    sweep_status: tuple[str, ...]
    sweep_transient_status: tuple[str, ...]
    clamp: Clamp
    unit: str
    start_s: float = _NAN
    stop_s: float = _NAN
    sweep: IntArray
    step: FloatArray
    holding: FloatArray
    rs_mohm: FloatArray
    rm_mohm: FloatArray
    rin_mohm: FloatArray
    cm_pf: FloatArray
    tau_ms: FloatArray
    mean_rs_mohm: float = _NAN
    mean_rm_mohm: float = _NAN
    mean_rin_mohm: float = _NAN
    mean_cm_pf: float = _NAN
    mean_tau_ms: float = _NAN
    rs_interval_mohm: Interval = NO_INTERVAL
    rm_interval_mohm: Interval = NO_INTERVAL
    rin_interval_mohm: Interval = NO_INTERVAL
    cm_interval_pf: Interval = NO_INTERVAL
    tau_interval_ms: Interval = NO_INTERVAL

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per sweep, sweeps counted from 1."""
        import pandas as pd

        return pd.DataFrame(
            {
                "sweep": self.sweep + 1,
                "step": self.step,
                "holding": self.holding,
                "rs_mohm": self.rs_mohm,
                "rm_mohm": self.rm_mohm,
                "rin_mohm": self.rin_mohm,
                "cm_pf": self.cm_pf,
                "tau_ms": self.tau_ms,
                "status": list(self.sweep_status),
                "transient_status": list(self.sweep_transient_status),
            }
        )


def measure_test_pulse(
    recording: Recording,
    channel: Channel,
    *,
    sweeps: Sweeps = None,
    config: TestPulseConfig = TestPulseConfig(),
) -> TestPulseResult:
    """Read the passive properties off the test pulse of every sweep.

    Only the stretch around the pulse's start and its end is read. The shape of the transient is learnt from the mean
    of up to 24 sweeps; single sweeps follow in closed form.

    Parameters
    ----------
    recording : Recording
        Where a recorded command may be found when the channel has none of its own.
    channel : Channel
        A voltage-clamp (pA) or current-clamp (mV) channel.
    sweeps : sequence of int, optional
        Sweep indices; all by default.
    config : TestPulseConfig
        Where the pulse is, and what is averaged.

    Returns
    -------
    TestPulseResult
        NaN with the reason for a field channel, without a test pulse, and where a sweep does not follow the step.

    Raises
    ------
    ChannelError
        If the channel's unit or clamp is in doubt, or is not an electrode's.
    SettingsError
        If the settings place the pulse but neither they nor the command say how large it is.

    Examples
    --------
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> from pathlib import Path
    >>> volts = np.repeat([-70.0, -75.0, -70.0], [1000, 2000, 1000])
    >>> after = np.clip(np.arange(4000) - 1000, 0, None) / 20.0            # ms after the step's start
    >>> amps = np.where((volts < -70) & (after >= 0), -10 - 240 * np.exp(-after / 1.0), 0.0)
    >>> clamped = Channel(name="I", unit="pA", clamp="voltage", trace=ArrayTrace([amps], 2e4),
    ...                   command=ArrayTrace([volts], 2e4), command_unit="mV")
    >>> recording = Recording(channels=(clamped,), rate_hz=2e4, sweep_start_s=np.zeros(1),
    ...     sweep_lengths=np.array([4000]), source=Source(path=Path("cell"), format="memory", reader=""))
    >>> result = measure_test_pulse(recording, clamped)
    >>> round(float(result.rin_mohm[0])), round(float(result.rs_mohm[0]))   # 5 mV / 10 pA, 5 mV / 250 pA
    (500, 20)
    """
    channel.require()
    every = np.arange(recording.n_sweeps, dtype=np.int64) if sweeps is None else np.asarray(sweeps, dtype=np.int64)
    wanted = {"voltage": "pA", "current": "mV"}.get(channel.clamp)
    if wanted is None:
        return _nothing(channel, every, f"a {channel.clamp} channel has no test pulse")
    if channel.unit != wanted:
        raise ChannelError(
            f"channel '{channel.name}' cannot be measured in {channel.clamp} clamp",
            got=channel.unit or "no unit",
            wanted=wanted,
            remedy="say what it holds with the manifest's columns unit, clamp and scale",
        )
    pulse = find_pulse(recording, channel, every, config) if every.size else "no sweep was chosen"
    if isinstance(pulse, str):
        return replace(_nothing(channel, every, pulse), holding=_resting(channel, every, config.baseline_ms))
    return _measure(channel, every, pulse, config)


def _measure(channel: Channel, sweeps: IntArray, pulse: Pulse, config: TestPulseConfig) -> TestPulseResult:
    windows = windows_of(pulse, channel.trace.rate_hz, config)
    usable = pulse.usable & (channel.trace.lengths[sweeps] >= pulse.stop)
    result = _nothing(channel, sweeps, _UNUSABLE)
    result = replace(result, start_s=pulse.edge / windows.rate_hz, stop_s=pulse.stop / windows.rate_hz, step=pulse.step)
    if not usable.any():
        return replace(result, holding=_resting(channel, sweeps, config.baseline_ms))
    windows = settled(channel, sweeps[usable], windows)
    learnt = learn(channel, sweeps[usable], pulse.step[usable], windows, config)
    shape, why = (None, learnt) if isinstance(learnt, str) else (learnt, OK)
    areas = areas_of(channel, sweeps[usable], windows, shape, config)
    holding = _placed(areas.base, usable)
    cell = Cell(channel.clamp, windows.rate_hz, shape)
    scaled = Areas(*(each / pulse.step[usable] for each in areas))
    return _report(replace(result, holding=holding), usable, scaled, cell, why, config.level)


def _report(
    result: TestPulseResult, usable: BoolArray, areas: Areas, cell: Cell, why: str, level: float
) -> TestPulseResult:
    values = cell.properties(areas)
    known = areas.steady[np.isfinite(areas.steady)]
    scatter = _scatter(known)
    noisy = scatter > 0.0 and abs(float(np.median(known))) <= _CLEAR * scatter
    if noisy:  # all of them: to drop only the sweeps with the smallest change would bias the rest
        values[1:3] = _NAN
    each_rs, each_rm, each_rin, each_cm, each_tau = (_placed(row, usable) for row in values)
    steady, relaxing = np.isfinite(values[2]), np.isfinite(values[4])
    signal, driven = ("current", "voltage") if cell.clamp == "voltage" else ("voltage", "current")
    lost = f"the {signal} does not follow the {driven} step"
    unclear = f"the {signal} of single sweeps is too noisy for R_in; their mean has one" if noisy else lost
    blurred = why if why != OK else "the transient cannot be told from noise"
    status = _spread(result.sweep_status, usable, steady, unclear)
    transient_status = _spread(result.sweep_status, usable, relaxing, blurred)
    (rs, rm, rin, cm, tau), (rs_, rm_, rin_, cm_, tau_) = _mean(cell, areas, level)
    return replace(
        result,
        status=OK if np.isfinite(rin) else lost,
        transient_status=OK if np.isfinite(tau) else blurred,
        sweep_status=status,
        sweep_transient_status=transient_status,
        rs_mohm=each_rs,
        rm_mohm=each_rm,
        rin_mohm=each_rin,
        cm_pf=each_cm,
        tau_ms=each_tau,
        mean_rs_mohm=float(rs),
        mean_rm_mohm=float(rm),
        mean_rin_mohm=float(rin),
        mean_cm_pf=float(cm),
        mean_tau_ms=float(tau),
        rs_interval_mohm=rs_,
        rm_interval_mohm=rm_,
        rin_interval_mohm=rin_,
        cm_interval_pf=cm_,
        tau_interval_ms=tau_,
    )


def _mean(cell: Cell, areas: Areas, level: float) -> tuple[FloatArray, list[Interval]]:
    known = np.isfinite(areas.steady)
    if not known.any():
        return np.full(5, _NAN), [NO_INTERVAL] * 5
    return cell.mean(Areas(*(each[known] for each in areas)), level)


def _scatter(values: FloatArray) -> float:
    """Noise of single sweeps, from the differences between neighbours; 0 when there are too few to tell."""
    return MAD_TO_SD * float(np.median(np.abs(np.diff(values)))) / 2.0**0.5 if values.size >= 8 else 0.0


def _placed(values: FloatArray, usable: BoolArray) -> FloatArray:
    every = np.full(usable.size, _NAN)
    every[usable] = values
    return every


def _spread(before: tuple[str, ...], usable: BoolArray, holds: BoolArray, lost: str) -> tuple[str, ...]:
    """Give each usable sweep its status; the others keep their reason."""
    answer = list(before)
    for place, good in zip(np.flatnonzero(usable), holds, strict=True):
        answer[place] = OK if good else lost
    return tuple(answer)


def _nothing(channel: Channel, sweeps: IntArray, why: str) -> TestPulseResult:
    empty = np.full(sweeps.size, _NAN)
    return TestPulseResult(
        status=why,
        transient_status=why,
        sweep_status=(why,) * sweeps.size,
        sweep_transient_status=(why,) * sweeps.size,
        clamp=channel.clamp,
        unit=channel.unit,
        sweep=sweeps,
        step=empty.copy(),
        holding=empty.copy(),
        rs_mohm=empty.copy(),
        rm_mohm=empty.copy(),
        rin_mohm=empty.copy(),
        cm_pf=empty.copy(),
        tau_ms=empty.copy(),
    )


def _resting(channel: Channel, sweeps: IntArray, baseline_ms: float) -> FloatArray:
    """Mean of the start of each sweep: holding where there is no test pulse."""
    if not sweeps.size:
        return np.array([], dtype=np.float64)
    shortest = float(channel.trace.lengths[sweeps].min()) / channel.trace.rate_hz
    return np.asarray(channel.trace.window(0.0, min(baseline_ms * 1e-3, shortest), sweeps).mean(axis=1))
