"""Amplitudes as the posterior sees them: in units of the baseline mean, with what else is known of them."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import OK, EphysplastError
from ephysplast.quantal._coordinates import tamed
from ephysplast.quantal.quantal_size import QuantalSize
from ephysplast.statistics import MAD_TO_SD

FloatArray = NDArray[np.float64]

_LEAST_SWEEPS = 10

_MOST_PULSES: Final = 5
"""Pulses of a train that are read: later ones are near its steady state, and each takes longer than the first."""

FAR_SD: Final = 5.0
"""Standard deviations from which a response is drawn in before a mean is taken."""

_PLAIN_RESPONSE = 4.0
"""Standard errors from which a pulse after the second has a response to speak of."""


@dataclass(frozen=True, eq=False)
class LaterPulse:
    """One pulse after the second, in one phase: its sweeps, their density if they may be anything, and their mean."""

    values: FloatArray
    outliers: FloatArray
    mean: float
    sd: float

    @property
    def se(self) -> float:
        """Standard error of the mean."""
        return self.sd / float(np.sqrt(np.isfinite(self.values).sum()))


@dataclass(frozen=True, eq=False)
class Observed:
    """Both phases in units of the baseline mean: (sweeps, 1 or 2 pulses) each, the noise of each, what is known of q.

    The quantal size is the mean and SD of log q before, from a measurement of its own; None where there is none.
    `pulses` are those of the train that are read, counted from 0.
    """

    before: FloatArray
    after: FloatArray
    noise: tuple[float, float]
    outliers: tuple[FloatArray, FloatArray]
    log_size: tuple[float, float] | None = None
    later: tuple[tuple[LaterPulse, ...], tuple[LaterPulse, ...]] = ((), ())
    pulses: tuple[int, ...] = (0,)


def observed(
    phases: tuple[FloatArray, FloatArray],
    noise: tuple[float, float],
    *,
    size: QuantalSize | None,
    outlier_width: float,
) -> tuple[Observed, float]:
    """Both phases in units of the baseline mean, and that mean."""
    scale = float(tamed(phases[0][:, 0]).mean())
    pulses = _read(phases)
    first, second = (each[:, pulses] / scale for each in phases)
    anything = _outliers(first, second, outlier_width)
    seen = Observed(
        before=first[:, :2],
        after=second[:, :2],
        noise=(noise[0] / scale, noise[1] / scale),
        outliers=(anything[0][:, :2].prod(axis=1), anything[1][:, :2].prod(axis=1)),
        log_size=_log_size(size, scale),
        later=(_later_pulses(first, anything[0]), _later_pulses(second, anything[1])),
        pulses=tuple(pulses),
    )
    return seen, scale


def _read(phases: tuple[FloatArray, FloatArray]) -> list[int]:
    """Pulses that are read: the first two, and of the next those that have a response to speak of in both phases."""

    def responds(values: FloatArray) -> bool:
        known = values[np.isfinite(values)]
        if known.size < _LEAST_SWEEPS:
            return False
        mean, sd = _mean_and_sd(known)
        return mean > _PLAIN_RESPONSE * sd / float(np.sqrt(known.size))

    n_pulses = phases[0].shape[1]
    later = [i for i in range(2, min(n_pulses, _MOST_PULSES)) if all(responds(each[:, i]) for each in phases)]
    return [*range(min(n_pulses, 2)), *later]


def _mean_and_sd(values: FloatArray) -> tuple[float, float]:
    """Mean and SD without what lies out of reach; rare releases among failures do not."""
    middle, sd = float(np.median(values)), float(values.std())
    near = np.clip(values, middle - FAR_SD * sd, middle + FAR_SD * sd)
    return float(near.mean()), float(near.std())


def _later_pulses(values: FloatArray, anything: FloatArray) -> tuple[LaterPulse, ...]:
    """Pulses after the second."""
    pulses = zip(values[:, 2:].T, anything[:, 2:].T, strict=True)
    return tuple(LaterPulse(each, strange, *_mean_and_sd(each[np.isfinite(each)])) for each, strange in pulses)


def sweeps_of(values: ArrayLike) -> FloatArray:
    """Sweeps by pulses, without sweeps whose first or second response is not known."""
    array = np.asarray(values, dtype=np.float64)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise EphysplastError("amplitudes must be sweeps by pulses", got=f"{array.ndim} dimensions", wanted="1 or 2")
    return np.asarray(array[np.isfinite(array[:, :2]).all(axis=1)])


def why_not(phases: tuple[FloatArray, FloatArray], noise: tuple[float, float]) -> str:
    """Say why the locus of these sweeps cannot be asked; nothing where it can."""
    fewest = min(each.shape[0] for each in phases)
    if fewest < _LEAST_SWEEPS:
        return f"only {fewest} sweeps in a phase: a variance needs at least {_LEAST_SWEEPS}"
    for name, each, noise_sd in zip(("baseline", "post"), phases, noise, strict=True):
        values = each[:, :2].mean(axis=1)
        if values.mean() < max(3.0 * noise_sd, 2.5 * float(values.std())) / np.sqrt(values.size):
            return f"there is no response in the {name} sweeps to speak of: its mean is within the noise"
    return ""


def _log_size(size: QuantalSize | None, scale: float) -> tuple[float, float] | None:
    """Mean and SD of log q in units of the baseline mean; a size that could not be measured says nothing."""
    if size is None or size.status != OK:
        return None
    return float(np.log(size.value / scale)), size.log_sd


def _outliers(first: FloatArray, second: FloatArray, width: float) -> tuple[FloatArray, FloatArray]:
    """Density of a response that may be anything, (sweeps, pulses): Cauchy around the median of all sweeps, wide."""
    both = np.concatenate([first, second])
    middle = np.nanmedian(both, axis=0)
    spread = np.maximum(MAD_TO_SD * np.nanmedian(np.abs(both - middle), axis=0), 0.05)
    wide = width * spread
    density = [1.0 / (np.pi * wide * (1.0 + ((each - middle) / wide) ** 2)) for each in (first, second)]
    return density[0], density[1]
