"""The pairings that were actually delivered: presynaptic against postsynaptic spikes, on the recording's clock."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ephysplast.analysers._triggers import whole_sweeps
from ephysplast.analysers.stimuli import Stimuli, find_stimuli
from ephysplast.errors import OK, SettingsError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording, Sweeps
from ephysplast.result import Result
from ephysplast.signal import SpikeCriteria, spikes_in_rows

if TYPE_CHECKING:
    import pandas as pd

NO_PRE = "no presynaptic spike and no stimulus was found"
NO_POST = "no postsynaptic spike can be seen: the cell is not in current clamp"
NO_SPIKES = "the postsynaptic cell did not fire near any presynaptic event"

_SAME_LAG_S = 2e-3  # jitter within which time differences are taken for one and the same
_QUIET_BEFORE_S, _QUIET_AFTER_S = 10e-3, 50e-3


@dataclass(frozen=True, kw_only=True)
class InductionConfig:
    """How pairings are counted.

    Attributes
    ----------
    pairing_window_ms : float
        A postsynaptic spike further than this from a presynaptic event is not paired with it: 100.
    burst_gap_ms : float
        Postsynaptic spikes that belong to one event and follow each other within this time are a burst: 25.
    spike_slope_mv_per_ms, spike_height_mv : float
        What counts as a spike (:class:`~ephysplast.signal.SpikeCriteria`).
    """

    pairing_window_ms: float = 100.0
    burst_gap_ms: float = 25.0
    spike_slope_mv_per_ms: float = 10.0
    spike_height_mv: float = 15.0

    def __post_init__(self) -> None:
        for name in ("pairing_window_ms", "burst_gap_ms"):
            if not getattr(self, name) > 0:
                raise SettingsError(f"'{name}' is impossible", got=str(getattr(self, name)), wanted="more than 0")
        self.spikes()

    def spikes(self) -> SpikeCriteria:
        """Return what counts as a spike."""
        return SpikeCriteria(slope_mv_per_ms=self.spike_slope_mv_per_ms, height_mv=self.spike_height_mv)


@dataclass(frozen=True, eq=False, kw_only=True)
class InductionResult(Result):
    """Pairings as delivered. Δt = t_post − t_pre, both at the steepest rise of the spike.

    Attributes
    ----------
    pre_s, post_s : numpy.ndarray, shape (n_events,) and (n_spikes,)
        Presynaptic spikes (else stimuli) and postsynaptic spikes, in s on the recording's clock.
    pairing_pre_s, pairing_post_s : numpy.ndarray, shape (n_pairings,)
        The presynaptic event, and the first spike of the burst that is paired with it.
    delta_t_ms : numpy.ndarray, shape (n_pairings,)
        To the first spike of the burst.
    delta_t_nearest_ms : numpy.ndarray, shape (n_pairings,)
        To the spike of the burst that is nearest.
    delta_t_all_ms : numpy.ndarray, shape (n_paired_spikes,)
        Every spike of every burst.
    spikes_per_burst : numpy.ndarray of int64, shape (n_pairings,)
        Postsynaptic spikes of each pairing.
    sweep : numpy.ndarray of int64, shape (n_pairings,)
        Sweep index from 0.
    n_pairings, n_unpaired : int
        Presynaptic events with and without a postsynaptic spike.
    delta_t_mean_ms, delta_t_sd_ms : float
        Of `delta_t_ms`; the SD is NaN for a single pairing.
    frequency_hz : float
        1 / median interval of presynaptic events; NaN for fewer than two.
    post_potential_mv : float
        Median postsynaptic potential away from events and spikes; NaN when the cell is not in current clamp.
    pre_method : str
        Where presynaptic events were read.
    status : str
        ``"ok"``, or why there are no pairings; then Δt is NaN.
    """

    pre_s: FloatArray
    post_s: FloatArray
    pairing_pre_s: FloatArray
    pairing_post_s: FloatArray
    delta_t_ms: FloatArray
    delta_t_nearest_ms: FloatArray
    delta_t_all_ms: FloatArray
    spikes_per_burst: IntArray
    sweep: IntArray
    n_pairings: int
    n_unpaired: int
    delta_t_mean_ms: float
    delta_t_sd_ms: float
    frequency_hz: float
    post_potential_mv: float
    pre_method: str
    status: str = OK

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per pairing; sweeps counted from 1."""
        import pandas as pd

        return pd.DataFrame(
            {
                "pairing": np.arange(1, self.n_pairings + 1),
                "sweep": self.sweep + 1,
                "pre_s": self.pairing_pre_s,
                "post_s": self.pairing_post_s,
                "delta_t_ms": self.delta_t_ms,
                "delta_t_nearest_ms": self.delta_t_nearest_ms,
                "spikes_per_burst": self.spikes_per_burst,
            }
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Pairings:
    """Which postsynaptic spikes belong to which presynaptic event; see :func:`pair`."""

    event: IntArray
    first: FloatArray
    nearest_ms: FloatArray
    all_ms: FloatArray
    n_spikes: IntArray


def measure_induction(
    recording: Recording,
    *,
    pre_channel: Channel | None = None,
    post_channel: Channel | None = None,
    stimuli: Stimuli | None = None,
    sweeps: Sweeps = None,
    config: InductionConfig = InductionConfig(),
) -> InductionResult:
    """Measure what the induction delivered, not what was intended.

    Presynaptic events are the spikes of `pre_channel` in current clamp, else the stimuli. Each is paired with the
    postsynaptic spikes that keep the recording's usual time to it (:func:`pair`).

    Parameters
    ----------
    recording : Recording
        Its sweep starts put all times on one clock.
    pre_channel, post_channel : Channel, optional
        Without a postsynaptic channel the only other one in current clamp is taken, if there is just one.
    stimuli : Stimuli, optional
        Already found; by default they are looked for when there is no presynaptic channel in current clamp.
    sweeps : sequence of int, optional
        Sweep indices from 0; all by default, or those of `stimuli`.
    config : InductionConfig
        Limits.

    Returns
    -------
    InductionResult

    Examples
    --------
    >>> from pathlib import Path
    >>> from ephysplast.recording import ArrayTrace, Source
    >>> spike = np.array([-60.0, -40.0, 0.0, 30.0, 20.0, -10.0, -40.0, -60.0, -70.0])
    >>> rows = np.full((2, 2, 4000), -70.0)
    >>> rows[0, :, 1000:1009] = rows[1, :, 1200:1209] = spike
    >>> cells = tuple(
    ...     Channel(name=name, unit="mV", clamp="current", trace=ArrayTrace(samples, rate_hz=20e3))
    ...     for name, samples in zip(("pre", "post"), rows, strict=True)
    ... )
    >>> rig = Recording(
    ...     channels=cells,
    ...     rate_hz=20e3,
    ...     sweep_start_s=np.array([0.0, 5.0]),
    ...     sweep_lengths=np.array([4000, 4000]),
    ...     source=Source(path=Path("a.abf"), format="memory", reader=""),
    ... )
    >>> delivered = measure_induction(rig, pre_channel=cells[0], post_channel=cells[1])
    >>> delivered.delta_t_ms.round(3).tolist(), round(delivered.frequency_hz, 3)
    ([10.0, 10.0], 0.2)
    """
    given = stimuli.sweeps if stimuli is not None and sweeps is None else sweeps
    chosen = np.arange(recording.n_sweeps) if given is None else np.asarray(given).reshape(-1)
    chosen = chosen.astype(np.int64)
    post = post_channel or _other_cell(recording, pre_channel)
    pre_sweep, pre_at, method = _pre_events(recording, pre_channel, post, stimuli, chosen, config)
    pre_s = recording.sweep_start_s[pre_sweep] + pre_at
    fires = post is not None and post.clamp == "current" and post.unit == "mV"
    post_s, potential = np.array([], dtype=np.float64), float("nan")
    if post is not None and fires:
        post_s, potential = _post_spikes(recording, post, chosen, pre_sweep, pre_at, config)
    found = pair(pre_s, post_s, window_s=config.pairing_window_ms / 1e3, burst_gap_s=config.burst_gap_ms / 1e3)
    delta_ms = (found.first - pre_s[found.event]) * 1e3
    spikes = OK if len(delta_ms) else NO_SPIKES
    status = NO_PRE if not len(pre_s) else spikes if fires else NO_POST
    return InductionResult(
        pre_s=pre_s,
        post_s=post_s,
        pairing_pre_s=pre_s[found.event],
        pairing_post_s=found.first,
        delta_t_ms=delta_ms,
        delta_t_nearest_ms=found.nearest_ms,
        delta_t_all_ms=found.all_ms,
        spikes_per_burst=found.n_spikes,
        sweep=pre_sweep[found.event],
        n_pairings=len(delta_ms),
        n_unpaired=len(pre_s) - len(delta_ms),
        delta_t_mean_ms=float(delta_ms.mean()) if len(delta_ms) else float("nan"),
        delta_t_sd_ms=float(delta_ms.std(ddof=1)) if len(delta_ms) > 1 else float("nan"),
        frequency_hz=1.0 / float(np.median(np.diff(pre_s))) if len(pre_s) > 1 else float("nan"),
        post_potential_mv=potential,
        pre_method=method,
        status=status,
    )


def pair(pre_s: FloatArray, post_s: FloatArray, *, window_s: float, burst_gap_s: float) -> Pairings:
    """Pair presynaptic events with postsynaptic spikes.

    At 50 Hz a spike 10 ms after one event is 10 ms before the next. So the commonest time difference is looked for
    first (of equally common ones the shortest), and each spike belongs to the event it is nearest to after that shift.
    The spikes of one event that follow each other within the burst gap, around the one nearest to the shift, are its
    burst.

    Parameters
    ----------
    pre_s, post_s : numpy.ndarray, shape (n_events,) and (n_spikes,)
        Ascending, in s.
    window_s, burst_gap_s : float
        Longest time difference, and longest interval within a burst.

    Returns
    -------
    Pairings
        Events without a spike are left out.

    Examples
    --------
    >>> pre_s = np.arange(5) * 0.02
    >>> found = pair(pre_s, pre_s + 0.0101, window_s=0.1, burst_gap_s=0.025)
    >>> ((found.first - pre_s[found.event]) * 1e3).round(1).tolist()
    [10.1, 10.1, 10.1, 10.1, 10.1]
    """
    nothing = np.array([], dtype=np.float64)
    none = np.array([], dtype=np.int64)
    lag = _commonest_lag(pre_s, post_s, window_s)
    if not np.isfinite(lag):
        return Pairings(event=none, first=nothing, nearest_ms=nothing, all_ms=nothing, n_spikes=none)
    shifted = pre_s + lag
    right = np.clip(np.searchsorted(shifted, post_s), 1, max(len(pre_s) - 1, 1))
    left = right - 1
    right = np.minimum(right, len(pre_s) - 1)
    owner = np.where(np.abs(post_s - shifted[left]) <= np.abs(post_s - shifted[right]), left, right)
    owner[np.abs(post_s - pre_s[owner]) > window_s] = -1
    event, first, nearest, every, counts = [], [], [], [], []
    for each in np.unique(owner[owner >= 0]):
        spikes = post_s[owner == each]
        burst = _burst_around(spikes, float(shifted[each]), burst_gap_s) - pre_s[each]
        event.append(each)
        first.append(burst[0] + pre_s[each])
        nearest.append(burst[np.argmin(np.abs(burst))] * 1e3)
        every.append(burst * 1e3)
        counts.append(len(burst))
    return Pairings(
        event=np.array(event, dtype=np.int64),
        first=np.array(first),
        nearest_ms=np.array(nearest),
        all_ms=np.concatenate(every) if every else nothing,
        n_spikes=np.array(counts, dtype=np.int64),
    )


def _commonest_lag(pre_s: FloatArray, post_s: FloatArray, window_s: float) -> float:
    """Return the time difference that most pairs share; of equally common ones the shortest."""
    first = np.searchsorted(post_s, pre_s - window_s)
    last = np.searchsorted(post_s, pre_s + window_s, side="right")
    found = [post_s[a:b] - at for a, b, at in zip(first, last, pre_s, strict=True)]
    lags = np.sort(np.concatenate(found)) if found else np.array([])
    if not lags.size:
        return float("nan")
    low, high = (np.searchsorted(lags, lags + side * _SAME_LAG_S) for side in (-1, 1))
    counts = high - low
    common = np.flatnonzero(counts >= 0.97 * counts.max())
    shortest = np.abs(lags[common]).min()
    near = common[np.abs(lags[common]) <= shortest + _SAME_LAG_S]
    best = near[np.argmax(counts[near])]
    return float(np.median(lags[low[best] : high[best]]))


def _burst_around(spikes: FloatArray, at_s: float, gap_s: float) -> FloatArray:
    group = np.concatenate([[0], np.cumsum(np.diff(spikes) > gap_s)])
    return np.asarray(spikes[group == group[np.argmin(np.abs(spikes - at_s))]])


def _other_cell(recording: Recording, pre: Channel | None) -> Channel | None:
    taken = pre.name if pre is not None else ""
    cells = [each for each in recording.channels if each.clamp == "current" and each.unit == "mV" and not each.doubt]
    others = [each for each in cells if each.name != taken]
    return others[0] if len(others) == 1 else None


def _pre_events(
    recording: Recording,
    pre: Channel | None,
    post: Channel | None,
    stimuli: Stimuli | None,
    sweeps: IntArray,
    config: InductionConfig,
) -> tuple[IntArray, FloatArray, str]:
    """Return the sweep and time in the sweep of each event, in order, and where they were read."""
    if pre is not None and pre.clamp == "current":
        sweep, at = _spikes(pre, sweeps, config)
        return sweep, at, f"spikes of {pre.name}"
    if stimuli is None:
        channel = post or pre or (recording.channels[0] if recording.channels else None)
        if channel is None:
            return np.array([], dtype=np.int64), np.array([], dtype=np.float64), "nothing was recorded"
        stimuli = find_stimuli(recording, channel, sweeps=sweeps, pre_channel=pre)
    asked = np.isin(stimuli.sweeps, sweeps)
    row, pulse = np.nonzero(np.isfinite(stimuli.times_s) & asked[:, None])
    return stimuli.sweeps[row], stimuli.times_s[row, pulse], stimuli.method


def _spikes(channel: Channel, sweeps: IntArray, config: InductionConfig) -> tuple[IntArray, FloatArray]:
    sweep: list[IntArray] = [np.array([], dtype=np.int64)]
    times: list[FloatArray] = [np.array([], dtype=np.float64)]
    for block, rows in whole_sweeps(channel.trace, sweeps):
        row, at = spikes_in_rows(rows, channel.trace.rate_hz, criteria=config.spikes())
        sweep.append(sweeps[block[row]])
        times.append(at)
    found, at = np.concatenate(sweep), np.concatenate(times)
    order = np.lexsort((at, found))
    return found[order], at[order]


def _post_spikes(
    recording: Recording,
    post: Channel,
    sweeps: IntArray,
    pre_sweep: IntArray,
    pre_at: FloatArray,
    config: InductionConfig,
) -> tuple[FloatArray, float]:
    """Return postsynaptic spikes on the recording's clock, and the median potential away from events and spikes."""
    times: list[FloatArray] = [np.array([], dtype=np.float64)]
    quiet: list[FloatArray] = []
    rate_hz = post.trace.rate_hz
    for block, rows in whole_sweeps(post.trace, sweeps):
        row, at = spikes_in_rows(rows, rate_hz, criteria=config.spikes())
        times.append(recording.sweep_start_s[sweeps[block[row]]] + at)
        here = np.isin(pre_sweep, sweeps[block])
        place = {int(sweep): i for i, sweep in enumerate(sweeps[block])}
        rows_of_pre = np.array([place[int(each)] for each in pre_sweep[here]], dtype=np.int64)
        busy = _near(np.concatenate([row, rows_of_pre]), np.concatenate([at, pre_at[here]]), rows.shape, rate_hz)
        # Every fiftieth sample says as much about a median as all of them.
        quiet.append(np.where(busy, np.nan, rows)[:, ::50].reshape(-1))
    samples = np.concatenate(quiet) if quiet else np.array([])
    samples = samples[np.isfinite(samples)]
    return np.sort(np.concatenate(times)), float(np.median(samples)) if samples.size else float("nan")


def _near(
    row: IntArray, at_s: FloatArray, shape: tuple[int, ...], rate_hz: float
) -> "np.ndarray[tuple[int, ...], np.dtype[np.bool_]]":
    """Return True for samples shortly before or after an event."""
    steps = np.zeros((shape[0], shape[1] + 1))
    first = np.clip(((at_s - _QUIET_BEFORE_S) * rate_hz).astype(np.int64), 0, shape[1])
    last = np.clip(((at_s + _QUIET_AFTER_S) * rate_hz).astype(np.int64), 0, shape[1])
    np.add.at(steps, (row, first), 1.0)
    np.add.at(steps, (row, last), -1.0)
    return np.asarray(np.cumsum(steps[:, :-1], axis=1) > 0)
