"""What a cell does after a voltage or current step: the shape of the mean, and closed forms for every sweep.

Arrays in, arrays out. Times are in samples from the step's edge; currents are per mV of the step and voltages per pA,
so that sweeps with different steps can be averaged.
"""

from typing import NamedTuple

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.statistics import MAD_TO_SD

DISTORTED = "the transient does not begin with the step (capacitance over-compensated?), so its peak is unknown"
NOT_A_MEMBRANE = "the voltage does not relax as a membrane does"
OVERCHARGED = "more charge flows at the edge than the cell's transient explains (capacitance under-compensated?)"
ABSENT = "no capacitive transient stands out"


class Exponentials(NamedTuple):
    """``offset + Σ amplitude · exp(−t / tau)``; tau in samples, t from the first sample of the fit."""

    amplitude: FloatArray
    tau: FloatArray
    offset: float


class Shape(NamedTuple):
    """How the mean of the sweeps relaxes, and what single sweeps need to be read.

    Attributes
    ----------
    begin : int
        First sample of the decay: the amplifier's filter has settled.
    width : int
        Samples in each of the two stretches whose areas are compared.
    onset : float
        When the transient began, as delayed by the filter; found from the charge, which a filter keeps.
    offset : float
        Where the relaxation ends, minus the steady state at the end of the step (they differ when channels open).
    peak_factor, tail_factor, tau_factor : float
        The fit of the mean over what the closed form gives for the same mean, for the extrapolated peak, for the
        charge beyond both stretches, and for the time constant.
    """

    begin: int
    width: int
    onset: float
    offset: float
    peak_factor: float
    tail_factor: float
    tau_factor: float


class Areas(NamedTuple):
    """Sums over a sweep, each of shape (n_sweeps,): all are linear in its samples.

    Attributes
    ----------
    base, steady : numpy.ndarray
        Mean before the step, and at the end of the step minus that.
    early : numpy.ndarray
        Area from the edge to the first sample of the decay, above the base.
    first, second : numpy.ndarray
        Sums over the two stretches of the decay, above its offset. In current clamp, of three stretches, the second
        less the first and the third less the second: these fall off in the same way, wherever the voltage ends.
    """

    base: FloatArray
    steady: FloatArray
    early: FloatArray
    first: FloatArray
    second: FloatArray


class Relaxation(NamedTuple):
    """What the closed form says of every sweep: peak and charge of the transient per unit of step, τ in samples."""

    peak: FloatArray
    charge: FloatArray
    tau: FloatArray


def relax(areas: Areas, shape: Shape) -> Relaxation:
    """Read peak, charge and time constant of every sweep off its areas.

    For an exponential sampled evenly, the areas of two neighbouring stretches of `width` samples have the ratio
    ``exp(−width/τ)``, and the amplitude follows from the first. NaN where the areas do not fall off.
    """
    falls = (areas.first > 0.0) & (areas.second > 0.0) & (areas.second < areas.first)
    first, second = np.where(falls, areas.first, np.nan), np.where(falls, areas.second, np.nan)
    ratio = second / first
    decay = ratio ** (1.0 / shape.width)
    start = first * (1.0 - decay) / (1.0 - ratio)
    back = shape.begin - shape.onset
    peak = shape.peak_factor * start * decay**-back
    tail = shape.tail_factor * second * ratio / (1.0 - ratio)
    early = areas.early - (areas.steady + shape.offset) * back
    charge = early + first + second + tail - 0.5 * start
    return Relaxation(peak, charge, shape.tau_factor * -shape.width / np.log(ratio))


def voltage_clamp_shape(mean: FloatArray, *, steady: float, search: int) -> Shape | str:
    """Learn from the mean current how the capacitive transient runs.

    Parameters
    ----------
    mean : numpy.ndarray, shape (n_samples,)
        Mean current from the edge on, above the base, per mV of the step.
    steady : float
        The same at the end of the step.
    search : int
        Samples within which the transient peaks.

    Returns
    -------
    Shape, or str
        A sentence when there is no transient that could be extrapolated.
    """
    peak_at = int(np.argmax(mean[:search]))
    peak = float(mean[peak_at])
    half_at = int(np.argmax(mean[: peak_at + 1] >= 0.5 * peak))
    begin = peak_at + (peak_at - half_at) + 1
    decay = mean[begin:] - steady
    noise = MAD_TO_SD * float(np.median(np.abs(np.diff(mean[-search:])))) / np.sqrt(2.0)
    if decay.size < 12 or peak - steady < max(8.0 * noise, 0.05 * abs(steady)) or decay[0] < 4.0 * noise:
        return ABSENT
    width = int(np.clip(np.argmax(decay < decay[0] / np.e) or decay.size, 3, decay.size // 3))
    fitted = _fit(decay[: 24 * width], width, shortest=max(0.5 * (begin - half_at), 1.0))
    if fitted.amplitude.sum() <= 0.0:
        return ABSENT
    early = float(mean[:begin].sum() + 0.5 * mean[begin])
    onset = begin - _delay(early, begin, fitted, steady)
    backwards = -float(mean[: peak_at + 1].min()) > max(8.0 * noise, 0.1 * peak)
    if backwards or onset > half_at + 0.5 * (peak_at - half_at) + 1.0:
        return DISTORTED
    if onset <= -1.0:
        return OVERCHARGED
    plain = Shape(begin, width, onset, fitted.offset, 1.0, 1.0, 1.0)
    first, second = (float((decay[i : i + width] - fitted.offset).sum()) for i in (0, width))
    if not 0.0 < second < first:
        return ABSENT
    areas = Areas(*(np.array([each]) for each in (0.0, steady, early, first, second)))
    closed = relax(areas, plain)
    peak_fit = float(np.sum(fitted.amplitude * np.exp((begin - onset) / fitted.tau)))
    ratio = second / first
    tail = second * ratio / (1.0 - ratio)
    start = first * (1.0 - ratio ** (1.0 / width)) / (1.0 - ratio)
    tail_fit = float(np.sum(fitted.amplitude * fitted.tau)) - (first + second - 0.5 * start)
    return plain._replace(peak_factor=peak_fit / float(closed.peak[0]), tail_factor=max(tail_fit / tail, 0.0))


def current_clamp_shape(mean: FloatArray, *, begin: int) -> Shape | str:
    """Learn from the mean voltage how the membrane charges.

    Parameters
    ----------
    mean : numpy.ndarray, shape (n_samples,)
        Mean voltage from the edge on, above the base, per pA of the step.
    begin : int
        Samples after the edge that are skipped: there the bridge shows.

    Returns
    -------
    Shape, or str
        A sentence when the voltage does not relax.
    """
    smooth = max(1, mean.size // 200)
    blurred = np.convolve(mean, np.full(smooth, 1.0 / smooth), mode="same")
    # A sag turns the voltage back: only what comes before it is charging.
    charging = mean[begin : max(int(np.argmax(blurred)), mean.size // 8)]
    if charging.size < 12:
        return "the step is too short for the membrane's time constant"
    level = float(np.mean(charging[-max(3, charging.size // 10) :]))
    decay = level - charging
    width = int(np.clip(np.argmax(decay < decay[0] / np.e) or decay.size, 4, charging.size // 3))
    fitted = _fit(decay[: 8 * width], width, shortest=float("inf"))
    if fitted.amplitude.sum() <= 0.0:
        return NOT_A_MEMBRANE
    sums = [float(charging[i * width : (i + 1) * width].sum()) for i in range(3)]
    first, second = sums[1] - sums[0], sums[2] - sums[1]
    if not 0.0 < second < first:
        return NOT_A_MEMBRANE
    return Shape(begin, width, 0.0, 0.0, 1.0, 1.0, float(fitted.tau[0]) * np.log(first / second) / width)


def _delay(early: float, begin: int, fitted: Exponentials, steady: float) -> float:
    """How long before `begin` the transient started, if its charge up to then is `early`.

    At most a sample before the edge: a sample stands for what flowed since the one before.
    """
    back = np.linspace(0.0, begin + 1.0, 2001)[:, None]
    charge = (fitted.amplitude * fitted.tau * np.expm1(back / fitted.tau)).sum(axis=1)
    charge += (steady + fitted.offset) * back[:, 0]
    return float(np.interp(early, charge, back[:, 0]))


def _fit(decay: FloatArray, width: int, *, shortest: float) -> Exponentials:
    """Fit one exponential or, where that is clearly better, the sum of two; always with an offset.

    The second must be no faster than `shortest`: extrapolated to the edge it would say anything.
    """
    time = np.arange(decay.size, dtype=np.float64)
    one, left_one = _search(decay, time, np.geomspace(0.3 * width, 4.0 * width, 24)[:, None])
    if shortest >= 2.0 * width:
        return one
    grid = np.geomspace(max(shortest, 0.05 * width), 8.0 * width, 22)
    fast, slow = np.triu_indices(grid.size, k=2)
    two, left_two = _search(decay, time, np.stack([grid[fast], grid[slow]], axis=1), shortest=shortest)
    total = float(two.amplitude.sum())
    real = bool(np.all(two.amplitude >= 0.05 * total)) and float(two.tau.min()) >= shortest
    # Neighbouring samples share noise, so a third of them counts; a misfit of 0.1 % is not worth a second component.
    n_independent = decay.size / 3.0
    gain = n_independent * np.log(left_one / left_two) if left_two > 0.0 else np.inf
    visible = left_one > decay.size * (1e-3 * float(decay[0])) ** 2
    return two if real and visible and gain > 2.0 * np.log(n_independent) + 4.0 else one


def _search(
    decay: FloatArray, time: FloatArray, taus: FloatArray, *, shortest: float = 0.0
) -> tuple[Exponentials, float]:
    """Try all sets of time constants, then ever finer ones around the best; amplitudes follow by least squares."""
    spacing = float(np.max(taus[1:, -1] / taus[:-1, -1]))
    best, amplitudes, left = _try(decay, time, taus)
    offsets = np.linspace(-1.0, 1.0, 5)
    mesh = np.stack(np.meshgrid(*[offsets] * taus.shape[1], indexing="ij"), axis=-1).reshape(-1, taus.shape[1])
    for _ in range(5):
        tried = np.maximum(best * spacing**mesh, shortest)
        best, amplitudes, left = _try(decay, time, tried)
        spacing **= 0.5
    order = np.argsort(best)
    return Exponentials(amplitudes[:-1][order], best[order], float(amplitudes[-1])), left


def _try(decay: FloatArray, time: FloatArray, taus: FloatArray) -> tuple[FloatArray, FloatArray, float]:
    """Return the best set of time constants, its amplitudes with the offset last, and the squares left over."""
    distinct, place = np.unique(taus, return_inverse=True)
    curves = np.vstack([np.exp(-time / distinct[:, None]), np.ones(time.size)])
    inner, outer = curves @ curves.T, curves @ decay
    chosen = np.column_stack([place.reshape(taus.shape), np.full(len(taus), distinct.size)])
    gram = inner[chosen[:, :, None], chosen[:, None, :]]
    target = outer[chosen]
    gram = gram + 1e-12 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(chosen.shape[1])
    amplitudes = np.linalg.solve(gram, target[:, :, None])[:, :, 0]
    left = float(decay @ decay) - np.einsum("ij,ij->i", amplitudes, target)
    best = int(np.argmin(left))
    return taus[best], amplitudes[best], max(float(left[best]), 1e-300)
