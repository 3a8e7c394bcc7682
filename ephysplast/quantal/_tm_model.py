"""The Tsodyks–Markram recursion for many parameter sets, and the likelihood of mean amplitudes, their scale summed out.

Coordinates in which the priors are standard normal are what is sampled; see :func:`physical`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

FloatArray = NDArray[np.float64]

_LEAST_SHARE = 0.001


@dataclass(frozen=True)
class Ranges:
    """Uniform prior of U and f (log-uniform when ratios are asked), log-uniform prior of D and F."""

    u: tuple[float, float]
    d_ms: tuple[float, float]
    f_ms: tuple[float, float]
    facilitation: tuple[float, float]

    logarithmic: bool = False

    def physical(self, name: str, place: FloatArray) -> FloatArray:
        """Turn a place in the prior, 0 to 1, into a value."""
        low, high = getattr(self, name)
        if name.endswith("_ms"):
            return np.asarray(low * (high / low) ** place)
        if self.logarithmic:
            low = max(low, _LEAST_SHARE)
            return np.asarray(low * (high / low) ** place)
        return np.asarray(low + (high - low) * place)


@dataclass(frozen=True, eq=False)
class Seen:
    """Mean amplitudes of several trains that share one scale: intervals per train, all amplitudes one after another."""

    intervals_ms: tuple[FloatArray, ...]
    amplitude: FloatArray
    weight: FloatArray


def released(
    intervals_ms: FloatArray, *, u: FloatArray, d_ms: FloatArray, f_ms: FloatArray, f: FloatArray
) -> FloatArray:
    """Share of the resources that each pulse releases, u·R, shape (n_sets, n_pulses)."""
    now, left = u, np.ones_like(u)
    found = [now * left]
    for gap in intervals_ms:
        left = 1.0 - (1.0 - left * (1.0 - now)) * np.exp(-gap / d_ms)
        now = u + (now + f * (1.0 - now) - u) * np.exp(-gap / f_ms)
        found.append(now * left)
    return np.stack(found, axis=-1)


def course(seen: Seen, *, u: FloatArray, d_ms: FloatArray, f_ms: FloatArray, f: FloatArray) -> FloatArray:
    """Amplitudes of all trains over that of a first response, shape (n_sets, n_amplitudes)."""
    each = [released(gaps, u=u, d_ms=d_ms, f_ms=f_ms, f=f) for gaps in seen.intervals_ms]
    return np.asarray(np.concatenate(each, axis=1) / u[:, None])


@dataclass(frozen=True, eq=False)
class Marginal:
    """What is left when the first response is summed out: its mean and SD given the course, and the log likelihood."""

    first: FloatArray
    first_sd: FloatArray
    log_likelihood: FloatArray
    residuals: FloatArray

    @property
    def misfit(self) -> FloatArray:
        """Return χ² of every set at its best first response."""
        return np.asarray((self.residuals**2).sum(axis=1))


def marginal(seen: Seen, shape: FloatArray) -> Marginal:
    """Sum over the first response A·U, flat above 0: the amplitudes are linear in it, so the sum is exact."""
    power = np.maximum(shape**2 @ seen.weight, 1e-300)
    first = shape @ (seen.weight * seen.amplitude) / power
    sd = 1.0 / np.sqrt(power)
    residuals = np.sqrt(seen.weight) * (seen.amplitude - first[:, None] * shape)
    log_likelihood = -0.5 * (residuals**2).sum(axis=1) + np.log(sd) + special.log_ndtr(first / sd)
    return Marginal(first, sd, np.asarray(log_likelihood), residuals)


def draw_first(found: Marginal, rng: np.random.Generator) -> FloatArray:
    """Draw the first response of every set: Gaussian above 0."""
    below = special.ndtr(-found.first / found.first_sd)
    at = below + (1.0 - below) * rng.uniform(size=found.first.size)
    return np.asarray(
        np.maximum(found.first + found.first_sd * special.ndtri(np.clip(at, 1e-300, 1.0 - 1e-16)), 1e-300)
    )


@dataclass(frozen=True)
class Prior:
    """Standard normal in every coordinate."""

    size: int

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw (n, size)."""
        return rng.standard_normal((n, self.size))

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density of each row."""
        return np.asarray(-0.5 * (at**2).sum(axis=1) - 0.5 * self.size * np.log(2.0 * np.pi))


def equal_weights(weights: FloatArray, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Pick n rows in proportion to their weights, systematically."""
    at = (np.arange(n) + rng.random()) / n
    return np.minimum(np.searchsorted(np.cumsum(weights), at), weights.size - 1).astype(np.int64)
