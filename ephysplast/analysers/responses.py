"""Evoked responses: amplitudes by a linear operator, shapes of the means.

A linear operator (the mean around a fixed latency, minus the mean baseline) is unbiased, keeps its sign when noise
turns a failure round, and its noise is known: the same operator applied where there is no response.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers._flags import flags_of
from ephysplast.analysers._pulse_responses import Finding, PulseReading, find_response, read_pulse
from ephysplast.analysers._reading import Layout, baselines
from ephysplast.analysers._shape import Shape, jitter_of
from ephysplast.analysers.evoked import EvokedTraces, ResponseConfig, cut_responses, join
from ephysplast.errors import OK, EphysplastError, WindowError
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["EvokedTraces", "ResponseConfig", "ResponseResult", "cut_responses", "join", "measure_responses"]

_USUAL: Final = ResponseConfig()
NO_RESPONSE: Final = "no response stands out of the noise, so there is no latency to read it at"


@dataclass(frozen=True, eq=False, kw_only=True)
class ResponseResult(Result):
    """Amplitudes per sweep and pulse, and the shape of each pulse's mean response.

    Attributes
    ----------
    unit : str
        Of the amplitudes: ``"mV"``, ``"pA"``; ``"mV/ms"``, ``"pA/ms"`` when slopes were asked for.
    polarity : int
        −1 for a downward response, 0 when it is not known. Everything below is a magnitude along it.
    amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        Decay of the previous response taken away; noise may make it negative; NaN where flagged.
    amplitude_raw : numpy.ndarray, shape (n_sweeps, n_pulses)
        From the baseline just before each stimulus, nothing extrapolated.
    noise : numpy.ndarray, shape (n_sweeps,)
        The first response's operator, baseline and all, before the first stimulus; NaN where there is no room.
    baseline : numpy.ndarray, shape (n_sweeps,)
        Level before the first stimulus, signed, in the trace's unit.
    latency_s : numpy.ndarray, shape (n_pulses,)
        Where each response was read: the extremum of its mean, looked for in means over 0.3 of its width so that noise
        does not choose it; of weaker pulses within 1.5 ms of the clearest one's.
    interval_s : numpy.ndarray, shape (n_pulses,)
        Time of each stimulus after the first.
    sweeps, sweep_start_s, part : numpy.ndarray, shape (n_sweeps,)
        As in :class:`~ephysplast.analysers.evoked.EvokedTraces`.
    flags : numpy.ndarray of str, shape (n_sweeps, n_pulses)
        ``"ok"``, or why the response was not measured.
    mean : numpy.ndarray, shape (n_pulses, n_samples)
        Mean of the measured sweeps, signed, baseline and previous decay taken away.
    time_s : numpy.ndarray, shape (n_samples,)
        Of `mean`, from the event.
    above_noise : numpy.ndarray of bool, shape (n_pulses,)
        Whether the mean response stands out of the noise by four standard errors. One that does not is read at the
        latency that was given, else at that of the clearest pulse, and has no shape.
    onset_latency_ms, rise_ms, half_width_ms, decay_tau_ms : numpy.ndarray, shape (n_pulses,)
        Of the mean: where the line through 20 and 80 % meets the baseline; 20–80 %; amplitude-weighted τ.
    charge_pc : numpy.ndarray, shape (n_pulses,)
        Integral of the mean until the next stimulus or the end of the window; NaN for potentials.
    max_slope : numpy.ndarray, shape (n_pulses,)
        Of the mean between 10 and 60 %, in the trace's unit per ms.
    jitter_ms : numpy.ndarray, shape (n_pulses,)
        Robust SD of the single sweeps' onset latencies; NaN when fewer than five, or a fifth, of them show theirs.
    sweep_latency_ms : numpy.ndarray, shape (n_sweeps, n_pulses)
        Onset of single sweeps that stand six SD out of the noise, else NaN.
    monosynaptic : str
        A sentence that begins with ``"yes"``, ``"doubtful"`` or ``"not testable"``.
    status : str
        ``"ok"``, or why nothing was measured.
    """

    unit: str
    polarity: int
    amplitude: FloatArray
    amplitude_raw: FloatArray
    noise: FloatArray
    baseline: FloatArray
    latency_s: FloatArray
    interval_s: FloatArray
    sweeps: IntArray
    sweep_start_s: FloatArray
    part: IntArray
    flags: "NDArray[np.str_]"
    mean: FloatArray
    time_s: FloatArray
    above_noise: "NDArray[np.bool_]"
    onset_latency_ms: FloatArray
    rise_ms: FloatArray
    half_width_ms: FloatArray
    decay_tau_ms: FloatArray
    charge_pc: FloatArray
    max_slope: FloatArray
    jitter_ms: FloatArray
    sweep_latency_ms: FloatArray
    monosynaptic: str
    status: str = OK

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per sweep and pulse (both counted from 1)."""
        import pandas as pd

        n_sweeps, n_pulses = self.amplitude.shape
        return pd.DataFrame(
            {
                "part": np.repeat(self.part + 1, n_pulses),
                "sweep": np.repeat(self.sweeps + 1, n_pulses),
                "sweep_start_s": np.repeat(self.sweep_start_s, n_pulses),
                "pulse": np.tile(np.arange(1, n_pulses + 1), n_sweeps),
                "amplitude": self.amplitude.reshape(-1),
                "amplitude_raw": self.amplitude_raw.reshape(-1),
                "unit": self.unit,
                "noise": np.repeat(self.noise, n_pulses),
                "baseline": np.repeat(self.baseline, n_pulses),
                "latency_ms": self.sweep_latency_ms.reshape(-1),
                "flag": self.flags.reshape(-1),
            }
        )


def measure_responses(
    evoked: EvokedTraces,
    *,
    polarity: int | None = None,
    latency_s: FloatArray | None = None,
    config: ResponseConfig = _USUAL,
) -> ResponseResult:
    """Read each sweep at the fixed latency of the mean response, and measure the shape of the mean.

    ``amplitude = polarity · (mean(latency ± reading) − baseline)``. From the second stimulus on, what is left of the
    previous response is measured in the baseline before the stimulus and carried on to the reading by
    ``exp(−t/τ)``, with one τ from the mean, so the operator stays linear in the sweep.

    Parameters
    ----------
    evoked : EvokedTraces
        From :func:`cut_responses`; join the files of a phase first, so that they share one latency.
    polarity : {-1, 1}, optional
        −1 for inward currents and field EPSPs. By default (or when 0) the sign of the largest mean response.
    latency_s : array_like, shape (n_pulses,), optional
        Where to read pulses whose mean does not stand out of the noise: the latency of another phase.
    config : ResponseConfig
        Windows and operator; `cut_responses` must have had the same windows or wider ones.

    Returns
    -------
    ResponseResult
        When no pulse stands out and no latency is given, amplitudes are NaN and the status says so.

    Raises
    ------
    WindowError
        If the traces were cut shorter than `config` asks for.
    EphysplastError
        If `polarity` or `latency_s` is impossible.

    Examples
    --------
    >>> time_s = np.arange(-600, 800) / 20e3
    >>> epsc = np.where(time_s > 0.002, np.exp(-(time_s - 0.002) / 0.005) - np.exp(-(time_s - 0.002) / 0.0005), 0.0)
    >>> at = np.full((3, 1), 0.1)
    >>> evoked = EvokedTraces(
    ...     traces=-100.0 * np.array([1.0, 2.0, 3.0])[:, None, None] * epsc,
    ...     time_s=time_s,
    ...     unit="pA",
    ...     clamp="voltage",
    ...     rate_hz=20e3,
    ...     interval_s=np.zeros(1),
    ...     stimulus_s=at,
    ...     event_s=at,
    ...     reason=np.full((3, 1), "ok"),
    ...     sweeps=np.arange(3),
    ...     sweep_start_s=np.arange(3) * 10.0,
    ...     part=np.zeros(3, dtype=np.int64),
    ...     channel="IN 0",
    ...     method="manifest",
    ... )
    >>> measured = measure_responses(evoked)
    >>> measured.polarity, (measured.amplitude[:, 0] / measured.amplitude[0, 0]).round(6).tolist()
    (-1, [1.0, 2.0, 3.0])
    """
    layout = Layout(evoked=evoked, config=config)
    given = _checked(layout, polarity, latency_s)
    if evoked.status != OK or not evoked.n_pulses or not len(evoked.sweeps):
        return _nothing(layout, polarity, evoked.status if evoked.status != OK else "there is no sweep")
    level = baselines(layout)
    flags, spike_s = flags_of(layout, level)
    finding = find_response(layout, level, flags == OK, polarity or None)
    status = OK
    if not (flags == OK).any():
        status = f"no response can be measured: {flags[0, 0]}"
    elif not finding.above_noise.any() and given is None:
        status = NO_RESPONSE
    if status != OK:
        return _nothing(layout, polarity, status, flags=flags, level=level)
    centres = finding.centres(layout, given)
    pulses = [
        read_pulse(layout, level, flags, spike_s, finding=finding, centres=centres, pulse=pulse)
        for pulse in range(evoked.n_pulses)
    ]
    return _collected(layout, level, finding, pulses)


def _checked(layout: Layout, polarity: int | None, latency_s: FloatArray | None) -> FloatArray | None:
    if polarity not in (None, 0, -1, 1):
        raise EphysplastError("the polarity is impossible", got=str(polarity), wanted="-1 or 1")
    time_s, config, evoked = layout.evoked.time_s, layout.config, layout.evoked
    ends_ms = float(time_s[-1]) * 1e3 + 1e3 / evoked.rate_hz
    if -float(time_s[0]) * 1e3 < config.baseline_ms + config.baseline_gap_ms or ends_ms < config.search_stop_ms:
        raise WindowError(
            "the traces were cut shorter than the settings ask for",
            got=f"{float(time_s[0]) * 1e3:.4g} to {ends_ms:.4g} ms",
            wanted=f"{-config.baseline_ms - config.baseline_gap_ms:.4g} to {config.search_stop_ms:.4g} ms",
            remedy="cut and measure with the same settings",
        )
    if latency_s is None:
        return None
    given = np.asarray(latency_s, dtype=np.float64).reshape(-1)
    if given.shape != (evoked.n_pulses,) and evoked.n_pulses:
        raise EphysplastError("one latency per pulse is needed", got=str(len(given)), wanted=str(evoked.n_pulses))
    return given if np.isfinite(given).all() else None


def _collected(layout: Layout, level: FloatArray, finding: Finding, pulses: Sequence[PulseReading]) -> ResponseResult:
    evoked = layout.evoked
    shapes = [each.shape for each in pulses]
    latencies = np.stack([each.sweep_latency_ms for each in pulses], axis=1)
    jitter = np.array([jitter_of(each.sweep_latency_ms, int((each.flags == OK).sum())) for each in pulses])
    return ResponseResult(
        unit=_unit(layout),
        polarity=finding.polarity,
        amplitude=np.stack([each.amplitude for each in pulses], axis=1),
        amplitude_raw=np.stack([each.raw for each in pulses], axis=1),
        noise=pulses[0].noise,
        baseline=level[:, 0],
        latency_s=np.array([each.latency_s for each in pulses]),
        interval_s=evoked.interval_s,
        sweeps=evoked.sweeps,
        sweep_start_s=evoked.sweep_start_s,
        part=evoked.part,
        flags=np.stack([each.flags for each in pulses], axis=1).astype(np.str_),
        mean=np.stack([each.mean for each in pulses]),
        time_s=evoked.time_s,
        above_noise=finding.above_noise,
        onset_latency_ms=np.array([each.onset_latency_ms for each in shapes]),
        rise_ms=np.array([each.rise_ms for each in shapes]),
        half_width_ms=np.array([each.half_width_ms for each in shapes]),
        decay_tau_ms=np.array([each.decay_tau_ms for each in shapes]),
        charge_pc=np.array([each.charge_pc for each in shapes]),
        max_slope=np.array([each.max_slope for each in shapes]),
        jitter_ms=jitter,
        sweep_latency_ms=latencies,
        monosynaptic=_monosynaptic(layout.config, pulses[0].shape, float(jitter[0])),
    )


def _monosynaptic(config: ResponseConfig, shape: Shape, jitter_ms: float) -> str:
    latency_ms, second_ms = shape.onset_latency_ms, shape.second_component_ms
    if not np.isfinite(latency_ms):
        return "not testable: the mean of the first response shows no onset"
    doubts = []
    if latency_ms >= config.monosynaptic_latency_ms:
        doubts.append(f"its latency is {latency_ms:.1f} ms, {config.monosynaptic_latency_ms:g} or more")
    if jitter_ms >= config.monosynaptic_jitter_ms:
        doubts.append(f"its jitter is {jitter_ms:.2f} ms, {config.monosynaptic_jitter_ms:g} or more")
    if np.isfinite(second_ms):
        doubts.append(f"it has a second component at {second_ms:.1f} ms")
    if doubts:
        return f"doubtful: {' and '.join(doubts)}"
    if not np.isfinite(jitter_ms):
        return f"not testable: its latency is {latency_ms:.1f} ms, but single sweeps do not show their onset"
    return f"yes: latency {latency_ms:.1f} ms, jitter {jitter_ms:.2f} ms, one component"


def _unit(layout: Layout) -> str:
    return layout.evoked.unit + ("/ms" if layout.config.measure == "slope" else "")


def _nothing(
    layout: Layout,
    polarity: int | None,
    status: str,
    *,
    flags: "NDArray[np.object_] | None" = None,
    level: FloatArray | None = None,
) -> ResponseResult:
    evoked = layout.evoked
    n_sweeps, n_pulses, n_samples = evoked.traces.shape
    per_pulse = np.full(n_pulses, np.nan)
    return ResponseResult(
        unit=_unit(layout),
        polarity=polarity or 0,
        amplitude=np.full((n_sweeps, n_pulses), np.nan),
        amplitude_raw=np.full((n_sweeps, n_pulses), np.nan),
        noise=np.full(n_sweeps, np.nan),
        baseline=np.full(n_sweeps, np.nan) if level is None else level[:, 0],
        latency_s=per_pulse,
        interval_s=evoked.interval_s,
        sweeps=evoked.sweeps,
        sweep_start_s=evoked.sweep_start_s,
        part=evoked.part,
        flags=evoked.reason if flags is None else flags.astype(np.str_),
        mean=np.full((n_pulses, n_samples), np.nan),
        time_s=evoked.time_s,
        above_noise=np.zeros(n_pulses, dtype=bool),
        onset_latency_ms=per_pulse,
        rise_ms=per_pulse,
        half_width_ms=per_pulse,
        decay_tau_ms=per_pulse,
        charge_pc=per_pulse,
        max_slope=per_pulse,
        jitter_ms=per_pulse,
        sweep_latency_ms=np.full((n_sweeps, n_pulses), np.nan),
        monosynaptic="not testable: no response was measured",
        status=status,
    )
