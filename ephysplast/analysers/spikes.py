"""Action potentials: threshold, amplitude, width, after-hyperpolarisations; and the statistics of their trains."""

from dataclasses import dataclass, field, fields
from math import inf
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._spike_measure import measure_windows, windows_of
from ephysplast.analysers._spike_trains import train_statistics
from ephysplast.errors import OK, SettingsError, check_settings
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result
from ephysplast.signal import SpikeCriteria

if TYPE_CHECKING:
    import pandas as pd

NO_SPIKE = "no action potential in the windows that were looked at"
NO_WINDOW = "no sweep has a window to look for action potentials in"

_OF_SPIKES = (
    "time_s",
    "threshold_s",
    "threshold_mv",
    "peak_s",
    "peak_mv",
    "amplitude_mv",
    "half_width_ms",
    "rise_mv_per_ms",
    "fall_mv_per_ms",
    "fast_ahp_mv",
    "slow_ahp_mv",
)
_OF_SWEEPS = (
    "start_s",
    "stop_s",
    "count",
    "latency_ms",
    "rate_hz",
    "isi_cv",
    "cv2",
    "lv",
    "adaptation_index",
    "blocked",
    "collapsed",
)


@dataclass(frozen=True, kw_only=True)
class SpikeConfig:
    """What counts as an action potential, and how its features are defined.

    Attributes
    ----------
    slope_mv_per_ms, height_mv, upstroke_ms, fall_ms, width_ms, noise_heights, at_once_percent : float
        Which events count (:class:`~ephysplast.signal.SpikeCriteria`).
    threshold_by : {"slope", "fraction"}
        Where the threshold is: the potential at which dV/dt, going up to the spike's steepest rise, passes for the
        last time a fixed slope (default), or a fraction of the mean steepest rise of the window's spikes. eFEL's
        ``AP_begin`` is a fixed slope too, but the *first* sample from which dV/dt exceeds it for several samples in a
        row, on a grid; IPFX takes the fraction, of a filtered dV/dt, and the sample before. Between samples we
        interpolate.
    threshold_mv_per_ms : float
        That slope: 10, as eFEL has it; 20 is as usual and gives thresholds 1–2 mV higher.
    threshold_fraction : float
        That fraction: 0.05, as IPFX has it.
    fast_ahp_ms : float
        The fast after-hyperpolarisation is the lowest potential within 5 ms of the peak (IPFX's fast trough lies in
        the same time), or until the next spike's threshold if that comes first.
    slow_ahp_start_ms, slow_ahp_stop_ms : float
        The slow one is the lowest 0.5 ms mean from 5 ms (eFEL's ``sahp_start``) to 100 ms after the peak, or until the
        next spike's threshold.
    slow_ahp_shortest_ms : float
        When the next spike leaves less than that to look at, there is no slow after-hyperpolarisation: 10.
    block_ms, block_above_mv : float
        A sweep goes into depolarisation block where it stays silent for so long (100, or half of a shorter window; and
        3 × its median interspike interval, a pause being no block) while the potential lies so much (5) above the
        threshold of its own first spike, or the median threshold of all sweeps' if it has none: later thresholds climb
        as the sodium channels inactivate. No absolute level is used, which an offset would spoil.
    collapse_percent : float
        The spikes of a sweep collapse when they are 6 or more and the median amplitude of the second half of them is
        below so much (50) of its first one's, or of the median first spike's of all sweeps if that is larger. They
        are on the verge of block: counted, but no rate to take a gain from.
    """

    slope_mv_per_ms: float = 10.0
    height_mv: float = 15.0
    upstroke_ms: float = 3.0
    fall_ms: float = 10.0
    width_ms: float = 0.15
    noise_heights: float = 10.0
    at_once_percent: float = 80.0
    threshold_by: Literal["slope", "fraction"] = "slope"
    threshold_mv_per_ms: float = 10.0
    threshold_fraction: float = 0.05
    fast_ahp_ms: float = 5.0
    slow_ahp_start_ms: float = 5.0
    slow_ahp_stop_ms: float = 100.0
    slow_ahp_shortest_ms: float = 10.0
    block_ms: float = 100.0
    block_above_mv: float = 5.0
    collapse_percent: float = 50.0

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        if self.threshold_by not in ("slope", "fraction"):
            raise SettingsError("threshold_by is unknown", got=str(self.threshold_by), wanted="slope or fraction")
        tiny = 1e-6
        check_settings(
            self,
            slope_mv_per_ms=(tiny, inf),
            height_mv=(tiny, inf),
            upstroke_ms=(tiny, 100.0),
            fall_ms=(tiny, 1e3),
            width_ms=(tiny, 100.0),
            noise_heights=(tiny, inf),
            at_once_percent=(tiny, inf),
            threshold_mv_per_ms=(tiny, inf),
            threshold_fraction=(tiny, 0.99),
            fast_ahp_ms=(0.1, 100.0),
            slow_ahp_start_ms=(0.0, 1e3),
            slow_ahp_stop_ms=(self.slow_ahp_start_ms + 1.0, 1e4),
            slow_ahp_shortest_ms=(1.0, self.slow_ahp_stop_ms - self.slow_ahp_start_ms),
            block_ms=(10.0, inf),
            block_above_mv=(0.0, inf),
            collapse_percent=(0.0, 100.0),
        )

    @property
    def criteria(self) -> SpikeCriteria:
        """What counts as a spike, for :func:`~ephysplast.signal.spikes_in_rows`."""
        return SpikeCriteria(**{each.name: getattr(self, each.name) for each in fields(SpikeCriteria)})


@dataclass(frozen=True, eq=False, kw_only=True)
class SpikeResult(Result):
    """Spikes of some sweeps, each looked at within a window of its own.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there is no spike.
    sweeps : numpy.ndarray of int64, shape (n_sweeps,)
        Sweep indices from 0 that were asked for.
    start_s, stop_s : numpy.ndarray, shape (n_sweeps,)
        The window that was looked at, from the sweep's start; NaN where none was.
    count : numpy.ndarray of int64, shape (n_sweeps,)
        Spikes in the window; 0 where nothing was looked at.
    latency_ms : numpy.ndarray, shape (n_sweeps,)
        From the window's start to the first spike's threshold; NaN without spikes.
    rate_hz, isi_cv, cv2, lv, adaptation_index : numpy.ndarray, shape (n_sweeps,)
        Count over window; CV, CV2 and LV of interspike intervals; mean of (ISI_k+1 − ISI_k)/(ISI_k+1 + ISI_k).
        NaN with fewer than two intervals; the rate is 0 without spikes and NaN without a window.
    blocked : numpy.ndarray of bool, shape (n_sweeps,)
        Whether the sweep goes into depolarisation block.
    collapsed : numpy.ndarray of bool, shape (n_sweeps,)
        Whether its spikes shrink to a fraction of the first.
    row : numpy.ndarray of int64, shape (n_spikes,)
        Which of `sweeps` each spike lies in, ascending.
    time_s : numpy.ndarray, shape (n_spikes,)
        Steepest rise, from the sweep's start.
    threshold_mv, threshold_s, peak_mv, peak_s, amplitude_mv, half_width_ms, rise_mv_per_ms, fall_mv_per_ms,
    fast_ahp_mv, slow_ahp_mv : numpy.ndarray, shape (n_spikes,)
        Features of each spike; NaN where one cannot be measured. The amplitude runs from threshold to peak, the width
        is at half of it, rise and fall are the largest slopes over 0.1 ms (both positive), and after-hyperpolarisations
        are depths below the threshold (negative where the potential stays above it).
    """

    status: str = OK
    sweeps: IntArray
    start_s: FloatArray
    stop_s: FloatArray
    count: IntArray
    latency_ms: FloatArray
    rate_hz: FloatArray
    isi_cv: FloatArray
    cv2: FloatArray
    lv: FloatArray
    adaptation_index: FloatArray
    blocked: NDArray[np.bool_]
    row: IntArray
    time_s: FloatArray
    threshold_mv: FloatArray
    threshold_s: FloatArray
    peak_mv: FloatArray
    peak_s: FloatArray
    amplitude_mv: FloatArray
    half_width_ms: FloatArray
    rise_mv_per_ms: FloatArray
    fall_mv_per_ms: FloatArray
    fast_ahp_mv: FloatArray
    slow_ahp_mv: FloatArray
    collapsed: NDArray[np.bool_] = field(default_factory=lambda: np.zeros(0, dtype=bool))

    def trains(self) -> tuple[FloatArray, ...]:
        """Return the spike times of each sweep, in s from its start."""
        return tuple(np.split(self.time_s, np.cumsum(self.count)[:-1])) if len(self.count) else ()

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per spike; sweeps and the spikes of a sweep count from 1."""
        import pandas as pd

        number = np.arange(len(self.row)) - (np.cumsum(self.count) - self.count)[self.row]
        columns: dict[str, Any] = {"sweep": self.sweeps[self.row] + 1, "spike": number + 1}
        return pd.DataFrame(columns | {name: getattr(self, name) for name in _OF_SPIKES})

    def sweep_frame(self) -> "pd.DataFrame":
        """Return one row per sweep: window, count, latency, statistics of the train; sweeps count from 1."""
        import pandas as pd

        return pd.DataFrame({"sweep": self.sweeps + 1} | {name: getattr(self, name) for name in _OF_SWEEPS})


def measure_spikes(
    recording: Recording,
    channel: Channel,
    *,
    sweeps: Sweeps = None,
    start_s: float | FloatArray | None = None,
    stop_s: float | FloatArray | None = None,
    edge_ms: float = 0.0,
    config: SpikeConfig = SpikeConfig(),
) -> SpikeResult:
    """Find spikes and measure their features.

    A spike belongs to a window when its steepest rise lies in it; threshold and falling flank may lie outside, the
    after-hyperpolarisations not.

    Parameters
    ----------
    recording : Recording
        Gives the number of sweeps.
    channel : Channel
        Membrane potential, in current clamp.
    sweeps : sequence of int, optional
        Sweep indices from 0; all by default.
    start_s, stop_s : float or array_like, shape (n_sweeps,), optional
        Where to look, from the sweep's start: one window for all sweeps, or one for each; by default the whole sweep.
        A sweep whose window is NaN is not looked at. Quantities may be given.
    edge_ms : float
        No spike starts within so much after the window's start and stop: for windows whose ends are the edges of a
        current step, where bridge and electrode capacitance show. One that is under way then starts there.
    config : SpikeConfig
        What counts, and the definitions.

    Returns
    -------
    SpikeResult
        Without a spike the status says so and there are no rows; counts are 0 and rates 0.

    Raises
    ------
    ChannelError
        If the channel is not in current clamp, or in doubt.
    WindowError
        If a window is empty or does not lie inside its sweep.

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> time_ms = np.arange(4000) / 20.0
    >>> spikes = sum(80.0 * np.exp(-0.5 * ((time_ms - at) / 0.4) ** 2) for at in (50.0, 100.0, 150.0))
    >>> channel = Channel(name="Vm", unit="mV", clamp="current", trace=ArrayTrace([spikes - 65.0], 20e3))
    >>> recording = Recording(channels=(channel,), rate_hz=20e3, sweep_start_s=np.zeros(1),
    ...                       sweep_lengths=np.array([4000]), source=Source(path=Path(), format="memory", reader=""))
    >>> found = measure_spikes(recording, channel, start_s=0.02)
    >>> found.count.tolist(), found.peak_mv.round(1).tolist(), found.isi_cv.round(3).tolist()
    ([3], [15.0, 15.0, 15.0], [0.0])
    """
    channel.require("current")
    windows = windows_of(recording, channel, sweeps, start_s, stop_s)
    measured = measure_windows(channel.trace, windows, config, edge_ms=edge_ms)
    row, threshold_s = measured.row, measured.features["threshold_s"]
    count = np.bincount(row, minlength=len(windows.sweeps)).astype(np.int64)
    train = train_statistics(row, measured.features["time_s"], start_s=windows.start_s, stop_s=windows.stop_s)
    latency_ms = np.full(len(windows.sweeps), np.nan)
    with_spikes, first = np.unique(row, return_index=True)
    latency_ms[with_spikes] = (threshold_s[first] - windows.start_s[with_spikes]) * 1e3
    looked_at = bool(np.isfinite(windows.start_s).any())
    return SpikeResult(
        status=OK if count.any() else NO_SPIKE if looked_at else NO_WINDOW,
        sweeps=windows.sweeps,
        start_s=windows.start_s,
        stop_s=windows.stop_s,
        count=count,
        latency_ms=latency_ms,
        blocked=measured.blocked,
        collapsed=measured.collapsed,
        row=row,
        **train._asdict(),
        **measured.features,
    )
