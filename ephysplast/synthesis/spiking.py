"""A cell that charges, sags and fires, with stated rheobase, gain, threshold and action potential."""

from dataclasses import dataclass
from math import exp, inf, log, sqrt
from typing import Final

import numpy as np
from scipy.special import lambertw

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.synthesis.circuit import ExponentialSum
from ephysplast.synthesis.noise import Noise, recording_noise
from ephysplast.synthesis.protocols import Protocol, RampProtocol, StepProtocol

_FOOT: Final = 4.0
"""An action potential begins this many of its SD before the peak, where 0.03 % of its height are left."""
_MEMBRANE_NOISE: Final = Noise(white=0.06, pink=0.1)
_MARGIN_MS: Final = 6.0
"""The last spike of a step is over this long before the step ends."""


@dataclass(frozen=True, kw_only=True)
class ActionPotential:
    """An action potential about its peak, from threshold to threshold.

    It rises from threshold as a half-Gaussian, falls as another to the trough, and recovers exponentially until the
    next one begins. Every feature has a closed form.

    Attributes
    ----------
    height_mv : float
        Peak above threshold.
    rise_ms, fall_ms : float
        SD of the two half-Gaussians.
    ahp_mv : float
        Trough below threshold.
    ahp_ms : float
        Time constant of the recovery.

    Examples
    --------
    >>> fast = ActionPotential(height_mv=50.0, rise_ms=0.12, fall_ms=0.2, ahp_mv=15.0)
    >>> round(fast.half_width_ms, 3), round(fast.rise_mv_per_ms)
    (0.338, 253)
    """

    height_mv: float = 80.0
    rise_ms: float = 0.2
    fall_ms: float = 0.45
    ahp_mv: float = 10.0
    ahp_ms: float = 20.0

    @property
    def half_width_ms(self) -> float:
        """Width half-way between threshold and peak."""
        whole, half = self.height_mv + self.ahp_mv, self.height_mv / 2.0 + self.ahp_mv
        return self.rise_ms * sqrt(2.0 * log(2.0)) + self.fall_ms * sqrt(2.0 * log(whole / half))

    @property
    def rise_mv_per_ms(self) -> float:
        """Steepest rise."""
        return self.height_mv / self.rise_ms * exp(-0.5)

    @property
    def fall_mv_per_ms(self) -> float:
        """Steepest fall, negative."""
        return -(self.height_mv + self.ahp_mv) / self.fall_ms * exp(-0.5)

    @property
    def lead_ms(self) -> float:
        """From threshold to peak."""
        return _FOOT * self.rise_ms

    @property
    def least_interval_ms(self) -> float:
        """From one threshold to the next without any recovery."""
        return _FOOT * (self.rise_ms + self.fall_ms)

    def __call__(self, since_ms: FloatArray, interval_ms: FloatArray) -> FloatArray:
        """Evaluate, in mV above threshold.

        Parameters
        ----------
        since_ms : numpy.ndarray
            Time from the peak, not before the foot.
        interval_ms : numpy.ndarray
            From this threshold to the next, where the recovery is back at threshold; infinite for the last spike.
        """
        width = np.where(since_ms < 0.0, self.rise_ms, self.fall_ms)
        shape = np.exp(-0.5 * (since_ms / width) ** 2)
        rising = self.height_mv * shape
        recovering = np.maximum(since_ms - _FOOT * self.fall_ms, 0.0) / self.ahp_ms
        left = np.exp(-(interval_ms - self.least_interval_ms) / self.ahp_ms)
        falling = (self.height_mv + self.ahp_mv) * shape - self.ahp_mv * (np.exp(-recovering) - left) / (1.0 - left)
        return np.where(since_ms < 0.0, rising, falling)


@dataclass(frozen=True, kw_only=True)
class SpikingCell:
    """A cell in current clamp. Potentials are as recorded, without correction for the junction potential.

    In each sweep it fires when the current that has charged its membrane exceeds that sweep's own threshold current,
    drawn from ``N(rheobase, spread)``: so ``P(spike | I) = Φ((I − rheobase)/spread)``. Within a step it fires
    ``1 + x`` times, where ``x`` is whole, above 0, and ``gain·(I − I_threshold)·T`` in the mean: the f–I curve is a
    straight line of slope `gain` that begins with 1/T. Interspike intervals grow by a constant factor.

    Attributes
    ----------
    rin_mohm, tau_ms : float
        Steady-state input resistance, and membrane time constant.
    rest_mv : float
        Potential without injected current.
    threshold_mv : float
        Where action potentials begin in the mean sweep; with the resistance it gives the rheobase.
    spread_pa : float
        SD of the threshold current between sweeps.
    gain_hz_per_pa : float
        Slope of the f–I curve.
    adaptation : float
        (ISI_k+1 − ISI_k)/(ISI_k+1 + ISI_k), the same for all k, in steps.
    sag_ratio : float
        (peak − steady)/(peak − rest) of hyperpolarising steps (I_h); depolarising ones do not sag.
    sag_ms : float
        Time constant with which I_h activates.
    spike : ActionPotential
        Its shape.
    noise : Noise
        Of the membrane and the rig, mV.

    Examples
    --------
    >>> cell = SpikingCell(rin_mohm=150.0, rest_mv=-70.0, threshold_mv=-46.0)
    >>> cell.rheobase_pa(), cell.rheobase_pa(holding_pa=-20.0)
    (160.0, 180.0)
    """

    rin_mohm: float = 150.0
    tau_ms: float = 15.0
    rest_mv: float = -68.0
    threshold_mv: float = -44.0
    spread_pa: float = 6.0
    gain_hz_per_pa: float = 0.3
    adaptation: float = 0.02
    sag_ratio: float = 0.0
    sag_ms: float = 40.0
    spike: ActionPotential = ActionPotential()
    noise: Noise = _MEMBRANE_NOISE

    def __post_init__(self) -> None:
        """Refuse cells that cannot be."""
        if not (self.threshold_mv > self.rest_mv and 0.0 <= self.sag_ratio < 0.6 and 0.0 < self.adaptation < 0.5):
            raise SettingsError(
                "the cell is impossible",
                got=f"threshold {self.threshold_mv}, rest {self.rest_mv}, sag ratio {self.sag_ratio}, "
                f"adaptation {self.adaptation}",
                wanted="threshold above rest, a sag ratio from 0 to 0.6, an adaptation between 0 and 0.5",
            )

    def base_mv(self, holding_pa: float = 0.0) -> float:
        """Return the potential at a holding current."""
        return self.rest_mv + self.rin_mohm * holding_pa * 1e-3

    def rheobase_pa(self, holding_pa: float = 0.0) -> float:
        """Return the mean threshold current, above holding, of a step much longer than the time constant."""
        return (self.threshold_mv - self.base_mv(holding_pa)) / self.rin_mohm * 1e3

    def ramp_rheobase_pa(self, slope_pa_per_s: float, holding_pa: float = 0.0) -> float:
        """Return the current, above holding, that a ramp has reached when the membrane reaches threshold.

        The membrane lags behind a slow ramp by its time constant: ``rheobase + slope·τ``.
        """
        needed_s = self.rheobase_pa(holding_pa) / slope_pa_per_s
        return slope_pa_per_s * _ramp_crossing(needed_s, self.tau_ms * 1e-3)


@dataclass(frozen=True, eq=False, kw_only=True)
class FiredSweeps:
    """What a spiking cell did in each sweep.

    Attributes
    ----------
    vm_mv : numpy.ndarray, shape (n_sweeps, n_samples)
        With noise.
    current_pa : numpy.ndarray, shape (n_sweeps,)
        Step, or end of the ramp, minus holding.
    threshold_pa : numpy.ndarray, shape (n_sweeps,)
        Each sweep's own threshold current, above holding.
    spike_s : tuple of numpy.ndarray
        Peaks of each sweep's spikes, from the start of the sweep.
    """

    vm_mv: FloatArray
    current_pa: FloatArray
    threshold_pa: FloatArray
    spike_s: tuple[FloatArray, ...]


def fired_sweeps(cell: SpikingCell, protocol: Protocol, *, rng: np.random.Generator) -> FiredSweeps:
    """Record one series of a protocol from a spiking cell.

    Parameters
    ----------
    cell : SpikingCell
        The truth.
    protocol : StepProtocol or RampProtocol
        In pA; a ramp must begin at holding and go up.
    rng : numpy.random.Generator
        Source of chance.

    Returns
    -------
    FiredSweeps
        Sweeps in the order of the series.
    """
    n_sweeps = protocol.n_sweeps
    drawn = cell.rheobase_pa(protocol.holding) + cell.spread_pa * rng.standard_normal(n_sweeps)
    dither = rng.random(n_sweeps)
    if isinstance(protocol, StepProtocol):
        current = protocol.sizes
        silent = _charged_by_steps(cell, protocol, current)
        onsets = [_step_onsets(cell, protocol, *each) for each in zip(current, drawn, dither, strict=True)]
    elif isinstance(protocol, RampProtocol):
        current = np.full(n_sweeps, protocol.ends - protocol.begins)
        silent = _charged_by_ramp(cell, protocol)
        onsets = [_ramp_onsets(cell, protocol, float(each)) for each in drawn]
    else:
        raise SettingsError("the protocol has neither steps nor a ramp", got=type(protocol).__name__)
    vm = silent + cell.base_mv(protocol.holding)
    threshold_mv = cell.base_mv(protocol.holding) + cell.rin_mohm * drawn * 1e-3
    for row, begins, level in zip(vm, onsets, threshold_mv, strict=True):
        if len(begins) > 1:
            _fire(row, cell, protocol, begins, level)
    vm += recording_noise(
        cell.noise, n_sweeps=n_sweeps, n_samples=protocol.n_samples, rate_hz=protocol.rate_hz, rng=rng
    )
    peaks = tuple(begins[:-1] + cell.spike.lead_ms * 1e-3 for begins in onsets)
    return FiredSweeps(vm_mv=vm, current_pa=current, threshold_pa=drawn, spike_s=peaks)


def _charged_by_steps(cell: SpikingCell, protocol: StepProtocol, current_pa: FloatArray) -> FloatArray:
    tau_s, sag_s = cell.tau_ms * 1e-3, cell.sag_ms * 1e-3
    over = sag_weight(cell.sag_ratio, tau_s, sag_s)
    up = ExponentialSum(np.array([1.0, -1.0]), np.array([inf, tau_s]))
    down = ExponentialSum(np.array([1.0, over, -1.0 - over]), np.array([inf, sag_s, tau_s]))
    start_s, stop_s = protocol.start_ms * 1e-3, protocol.stop_ms * 1e-3
    shapes = [each(protocol.time_s - start_s) - each(protocol.time_s - stop_s) for each in (up, down)]
    steady_mv = cell.rin_mohm * current_pa[:, np.newaxis] * 1e-3
    return steady_mv * np.where(steady_mv < 0.0, shapes[1], shapes[0])


def sag_weight(sag_ratio: float, tau_s: float, sag_s: float) -> float:
    """Return the weight ``a`` with which ``1 + a·exp(−t/sag) − (1 + a)·exp(−t/τ)`` overshoots 1 by the ratio.

    The peak is ``1/(1 − sag_ratio)``; ``a`` is found by halving, for the peak grows with it.
    """
    if sag_ratio == 0.0:
        return 0.0
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        at_s = log((1.0 + middle) * sag_s / (middle * tau_s)) * tau_s * sag_s / (sag_s - tau_s)
        peak = 1.0 + middle * exp(-at_s / sag_s) - (1.0 + middle) * exp(-at_s / tau_s)
        low, high = (middle, high) if peak < 1.0 / (1.0 - sag_ratio) else (low, middle)
    return 0.5 * (low + high)


def _charged_by_ramp(cell: SpikingCell, protocol: RampProtocol) -> FloatArray:
    if protocol.begins != protocol.holding or protocol.slope_per_s <= 0.0:
        raise SettingsError(
            "a current ramp must begin at holding and go up", got=f"{protocol.begins} to {protocol.ends} pA"
        )
    tau_s, slope = cell.tau_ms * 1e-3, protocol.slope_per_s
    since = np.maximum(protocol.time_s - protocol.start_ms * 1e-3, 0.0)
    after = np.maximum(protocol.time_s - protocol.stop_ms * 1e-3, 0.0)
    within = since - after
    reached = slope * (within - tau_s * -np.expm1(-within / tau_s))
    return np.tile(cell.rin_mohm * 1e-3 * reached * np.exp(-after / tau_s), (protocol.n_sweeps, 1))


def _step_onsets(
    cell: SpikingCell, protocol: StepProtocol, current_pa: float, threshold_pa: float, dither: float
) -> FloatArray:
    """Return when a sweep's spikes leave threshold and, last, when the next one would; empty without spikes."""
    if current_pa <= threshold_pa:
        return np.empty(0)
    start_s, stop_s = protocol.start_ms * 1e-3, protocol.stop_ms * 1e-3
    first_s = start_s - cell.tau_ms * 1e-3 * log(1.0 - threshold_pa / current_pa)
    left_s = stop_s - _MARGIN_MS * 1e-3 - first_s
    if left_s <= 0.0:
        return np.empty(0)
    more = cell.gain_hz_per_pa * (current_pa - threshold_pa) * (stop_s - start_s) + dither
    growth = (1.0 + cell.adaptation) / (1.0 - cell.adaptation)
    place = np.arange(int(more) + 2)
    onsets = first_s + left_s * (growth**place - 1.0) / (growth**more - 1.0)
    if np.diff(onsets)[0] * 1e3 < cell.spike.least_interval_ms:
        raise SettingsError(
            "the cell would fire faster than its action potential lasts",
            got=f"{1.0 / np.diff(onsets)[0]:.0f} Hz at {current_pa:g} pA",
            remedy="lower the gain or the largest step",
        )
    return np.asarray(onsets)


def _ramp_onsets(cell: SpikingCell, protocol: RampProtocol, threshold_pa: float) -> FloatArray:
    slope = protocol.slope_per_s
    start_s, stop_s = protocol.start_ms * 1e-3, protocol.stop_ms * 1e-3
    first_s = start_s + _ramp_crossing(threshold_pa / slope, cell.tau_ms * 1e-3)
    left_s = stop_s - _MARGIN_MS * 1e-3 - first_s
    if left_s <= 0.0:
        return np.empty(0)
    # The rate grows by gain·slope in every second, so the k-th spike comes when its integral is k.
    n_more = int(cell.gain_hz_per_pa * slope * left_s**2 / 2.0)
    return np.asarray(first_s + np.sqrt(2.0 * np.arange(n_more + 2) / (cell.gain_hz_per_pa * slope)))


def _ramp_crossing(needed_s: float, tau_s: float) -> float:
    """Return when ``s − τ·(1 − exp(−s/τ))``, the charge that a unit ramp has brought, is what is needed."""
    return needed_s + tau_s + tau_s * float(lambertw(-exp(-1.0 - needed_s / tau_s)).real)


def _fire(row: FloatArray, cell: SpikingCell, protocol: Protocol, onsets: FloatArray, threshold_mv: float) -> None:
    """Write the spikes of one sweep, and the decay after the step, over the silent membrane."""
    stop_s, base_mv = protocol.stop_ms * 1e-3, cell.base_mv(protocol.holding)

    def fired(time_s: FloatArray) -> FloatArray:
        last = np.searchsorted(onsets, time_s, side="right") - 1
        intervals = np.diff(onsets)[np.minimum(last, len(onsets) - 2)] * 1e3
        since = (time_s - onsets[last]) * 1e3 - cell.spike.lead_ms
        return np.asarray(threshold_mv + cell.spike(since, intervals))

    time = protocol.time_s
    firing, after = (time >= onsets[0]) & (time < stop_s), time >= stop_s
    row[firing] = fired(time[firing])
    decay = np.exp(-(time[after] - stop_s) / (cell.tau_ms * 1e-3))
    row[after] = base_mv + (fired(np.array([stop_s]))[0] - base_mv) * decay
