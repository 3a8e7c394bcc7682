"""The cell and its pipette as an RC circuit: every response a sum of exponentials, so all filtering is exact."""

from dataclasses import dataclass
from math import pi
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray

_ROUNDING_S: Final = 1e-12
"""An onset that falls on a sample must not miss it because a time was rounded."""


@dataclass(frozen=True, eq=False)
class ExponentialSum:
    """``f(t) = Σ weight·exp(−t/τ)`` from t = 0 on, and 0 before.

    Synaptic currents and potentials, steps and test pulses are all of this kind, and so is each of them after a
    resistor and a capacitor: filtering needs no sampled convolution.

    Attributes
    ----------
    weights, taus_s : numpy.ndarray, shape (n_terms,) or (n_terms, n_sweeps, 1)
        A τ of infinity is a constant. With the second shape every sweep has a circuit of its own.

    Examples
    --------
    >>> step = ExponentialSum(np.array([2.0]), np.array([np.inf]))
    >>> step.filtered(0.001)(np.array([-1.0, 0.0, 1.0])).tolist()
    [0.0, 0.0, 2.0]
    """

    weights: FloatArray
    taus_s: FloatArray

    def __call__(self, time_s: ArrayLike) -> FloatArray:
        """Evaluate at times from the onset.

        Parameters
        ----------
        time_s : array_like, shape (n_samples,) or (n_sweeps, n_samples)
            In s from the onset; 0 is returned before it.

        Returns
        -------
        numpy.ndarray
            Shape of `time_s`, with a row per sweep where the circuit differs between sweeps.
        """
        time = np.asarray(time_s, dtype=np.float64)
        since = np.maximum(time, 0.0)
        total = sum(
            (weight * np.exp(-since / tau) for weight, tau in zip(self.weights, self.taus_s, strict=True)),
            start=np.zeros(()),
        )
        return np.where(time >= -_ROUNDING_S, total, 0.0)

    def filtered(self, tau_s: ArrayLike) -> "ExponentialSum":
        """Return what a one-pole low-pass makes of it; ``∫f`` is kept.

        Parameters
        ----------
        tau_s : float or array_like, shape (n_sweeps, 1)
            Time constant of the filter. One that equals a τ of the sum is moved by a millionth, because the closed
            form of the equal case is another one.
        """
        tau = np.asarray(tau_s, dtype=np.float64)[np.newaxis]
        weights, taus = (_wide(self.weights), _wide(self.taus_s)) if tau.ndim == 3 else (self.weights, self.taus_s)
        taus = np.where(np.abs(tau / taus - 1.0) < 1e-6, tau * (1.0 + 1e-6), taus)
        weights = weights / (1.0 - tau / taus)
        taus = np.concatenate([np.broadcast_to(taus, weights.shape), np.broadcast_to(tau, (1, *weights.shape[1:]))])
        return ExponentialSum(np.concatenate([weights, -weights.sum(axis=0, keepdims=True)]), taus)

    def scaled(self, factor: ArrayLike) -> "ExponentialSum":
        """Return it multiplied by a number, or by one number per sweep, shape (n_sweeps, 1)."""
        by = np.asarray(factor, dtype=np.float64)
        if by.ndim == 0:
            return ExponentialSum(self.weights * by, self.taus_s)
        weights = _wide(self.weights) * by
        return ExponentialSum(weights, np.broadcast_to(_wide(self.taus_s), weights.shape))

    def peak(self) -> FloatArray:
        """Return the largest value after the onset: a scalar, or one per sweep, shape (n_sweeps, 1).

        It is looked for on a fine grid, and found within 1e-5 of itself.

        Raises
        ------
        SettingsError
            If a term never decays.
        """
        if not np.isfinite(self.taus_s).all():
            raise SettingsError("a response that never ends has no peak")
        time = np.linspace(0.0, 8.0 * float(self.taus_s.max()), 20001)
        values = self(time)
        return np.asarray(values.max(axis=-1, keepdims=values.ndim > 1))


def _wide(values: FloatArray) -> FloatArray:
    return values if values.ndim == 3 else values[:, np.newaxis, np.newaxis]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A one-compartment cell behind a pipette.

    Attributes
    ----------
    rm_mohm : float
        Membrane (input) resistance.
    cm_pf : float
        Membrane capacitance.
    rest_mv : float
        Potential without any current.
    lowpass_hz : float
        Corner frequency of the amplifier's filter, taken as one pole.
    """

    rm_mohm: float = 150.0
    cm_pf: float = 80.0
    rest_mv: float = -68.0
    lowpass_hz: float = 4000.0

    def __post_init__(self) -> None:
        """Refuse impossible values."""
        for name in ("rm_mohm", "cm_pf", "lowpass_hz"):
            if not getattr(self, name) > 0.0:
                raise SettingsError(f"{name} is impossible", got=f"{getattr(self, name)}", wanted="above 0")

    @property
    def membrane_tau_s(self) -> float:
        """Time constant in current clamp, ``R_m·C_m``."""
        return self.rm_mohm * self.cm_pf * 1e-6

    @property
    def filter_tau_s(self) -> float:
        """Time constant of the amplifier's filter."""
        return 1.0 / (2.0 * pi * self.lowpass_hz)

    def clamp_tau_s(self, rs_mohm: ArrayLike) -> FloatArray:
        """Time constant in voltage clamp, ``C_m·R_s·R_m/(R_s + R_m)``: how fast the pipette can charge the cell."""
        rs = np.asarray(rs_mohm, dtype=np.float64)
        return np.asarray(self.cm_pf * rs * self.rm_mohm / (rs + self.rm_mohm) * 1e-6)


def voltage_step(delta_mv: float, cell: Cell, *, rs_mohm: ArrayLike) -> ExponentialSum:
    """Return the pipette current that answers a step of the command potential, before the amplifier's filter.

    ``I(t) = ΔV/(R_s+R_m)·[1 + (R_m/R_s)·exp(−t/τ)]``: ΔV/R_s at first, ΔV/(R_s+R_m) in the steady state.

    Parameters
    ----------
    delta_mv : float
        The step.
    cell : Cell
        The cell.
    rs_mohm : float or array_like, shape (n_sweeps,)
        Series resistance, uncompensated.

    Returns
    -------
    ExponentialSum
        In pA.

    Examples
    --------
    >>> charge = voltage_step(-5.0, Cell(rm_mohm=90.0), rs_mohm=10.0)
    >>> [round(float(charge(t)), 1) for t in (0.0, 1.0)]
    [-500.0, -50.0]
    """
    rs = _rows(rs_mohm)
    steady = delta_mv * 1e3 / (rs + cell.rm_mohm)
    tau = cell.clamp_tau_s(rs)
    return ExponentialSum(np.stack([steady, steady * cell.rm_mohm / rs]), np.stack([np.full_like(tau, np.inf), tau]))


def current_step(delta_pa: float, cell: Cell, *, bridge_error_mohm: float = 0.0) -> ExponentialSum:
    """Return the potential that answers a step of injected current, before the amplifier's filter.

    ``V(t) = ΔI·[R_left + R_m·(1 − exp(−t/R_m·C_m))]``.

    Parameters
    ----------
    delta_pa : float
        The step.
    cell : Cell
        The cell.
    bridge_error_mohm : float
        Series resistance that the bridge balance has left.

    Returns
    -------
    ExponentialSum
        In mV.

    Examples
    --------
    >>> charge = current_step(-100.0, Cell(rm_mohm=150.0))
    >>> [round(float(charge(t)), 2) for t in (0.0, 1.0)]
    [0.0, -15.0]
    """
    volts = delta_pa * 1e-3 * cell.rm_mohm
    left = delta_pa * 1e-3 * bridge_error_mohm
    return ExponentialSum(np.array([volts + left, -volts]), np.array([np.inf, cell.membrane_tau_s]))


def pulse_response(step: ExponentialSum, time_s: FloatArray, *, start_s: float, stop_s: float) -> FloatArray:
    """Return the answer to a rectangular pulse: the step's answer, less the same begun when the pulse ends.

    Parameters
    ----------
    step : ExponentialSum
        The answer to the step up.
    time_s : numpy.ndarray, shape (n_samples,)
        From the start of the sweep.
    start_s, stop_s : float
        The pulse.

    Returns
    -------
    numpy.ndarray, shape (n_samples,) or (n_sweeps, n_samples)
        In the step's unit.
    """
    return step(time_s - start_s) - step(time_s - stop_s)


def _rows(values: ArrayLike) -> FloatArray:
    array = np.asarray(values, dtype=np.float64)
    return array if array.ndim == 0 else array.reshape(-1, 1)
