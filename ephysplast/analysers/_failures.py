"""Failures of transmission as a mixture of noise and responses: arrays in, a fraction with its interval out."""

from typing import NamedTuple

import numpy as np
from scipy import special

from ephysplast.recording import FloatArray
from ephysplast.statistics import Interval

_CV_OF_RESPONSES = (0.08, 0.85)
"""Responses more variable than this have so many near zero that no mixture can tell them from failures."""


class FailureFit(NamedTuple):
    """What the mixture says.

    Attributes
    ----------
    fraction : float
        Most likely fraction of failures.
    interval : Interval
        By profile likelihood.
    missed : float
        Fraction of the fitted responses that lie below the classical threshold, and would be counted as failures.
    """

    fraction: float
    interval: Interval
    missed: float


def fit_failures(values: FloatArray, noise_sd: float, *, threshold: float, level: float) -> FailureFit:
    """Fit a mixture of pure noise and responses by maximum likelihood.

    The failures are Gaussian around zero with the measured noise; the responses follow a gamma distribution, blurred
    by the same noise. Every fraction of failures is compared with every response distribution of a grid, twice: over
    everything possible, then finely where the likelihood is high. The interval holds all fractions whose best
    likelihood comes within the χ² limit of the maximum (it needs no random numbers and may touch 0 or 1).

    Parameters
    ----------
    values : numpy.ndarray, shape (n,)
        Amplitudes, without NaN.
    noise_sd : float
        Standard deviation of the same measure without a response, above zero.
    threshold : float
        The classical threshold, for `missed`.
    level : float
        Confidence level.
    """
    top = float(values.max())
    if top <= 0.0:
        return FailureFit(1.0, Interval(_exact_lower(values.size, level), 1.0), float("nan"))
    cut = 0.5 * float(special.ndtri(0.5 + level / 2.0)) ** 2
    means = np.geomspace(min(noise_sd, 0.5 * top), top, 28)
    cvs = np.geomspace(*_CV_OF_RESPONSES, 9)
    fractions = np.linspace(0.0, 1.0, 41)
    points, counts = _gathered(values, noise_sd)
    coarse = _log_likelihood(points, counts, noise_sd, fractions, means, cvs)
    near = np.argwhere(coarse >= coarse.max() - cut - 1.0)
    low, high = np.maximum(near.min(axis=0) - 1, 0), near.max(axis=0) + 1
    fractions = np.linspace(fractions[low[0]], fractions[min(high[0], 40)], 41)
    means = np.geomspace(means[low[1]], means[min(high[1], 27)], 25)
    cvs = np.geomspace(cvs[low[2]], cvs[min(high[2], 8)], 9)
    fine = _log_likelihood(points, counts, noise_sd, fractions, means, cvs)
    profile = fine.max(axis=(1, 2))
    best = np.unravel_index(int(np.argmax(fine)), fine.shape)
    inside = np.flatnonzero(profile >= profile.max() - cut)
    step = fractions[1] - fractions[0]
    mean, cv = means[best[1]], cvs[best[2]]
    return FailureFit(
        float(fractions[best[0]]),
        Interval(
            float(max(fractions[inside[0]] - 0.5 * step, 0.0)), float(min(fractions[inside[-1]] + 0.5 * step, 1.0))
        ),
        float(_below(threshold, noise_sd, mean, cv)),
    )


def _gathered(values: FloatArray, noise_sd: float) -> tuple[FloatArray, FloatArray]:
    """Gather many values into bins of a fifth of the noise's SD, which widens the noise by 0.2 %."""
    low, width = float(values.min()), 0.2 * noise_sd
    n_bins = int((float(values.max()) - low) / width) + 1
    if n_bins >= values.size:
        return values, np.ones(values.size)
    counts = np.bincount(((values - low) / width).astype(np.int64), minlength=n_bins).astype(np.float64)
    held = np.flatnonzero(counts)
    centres: FloatArray = low + (held.astype(np.float64) + 0.5) * width
    return centres, counts[held]


def _log_likelihood(
    values: FloatArray, counts: FloatArray, noise_sd: float, fractions: FloatArray, means: FloatArray, cvs: FloatArray
) -> FloatArray:
    """Log likelihood, shape (n_fractions, n_means, n_cvs)."""
    grid, weight = _response_weights(float(values.max()) + 3.0 * noise_sd, noise_sd, means, cvs)
    blurred = np.exp(-0.5 * ((values - grid[:, None]) / noise_sd) ** 2)
    response = weight @ blurred
    nothing = np.exp(-0.5 * (values / noise_sd) ** 2)
    tiny = 1e-12  # one value that neither component explains must not decide alone
    total = np.array([np.log(each * nothing + (1.0 - each) * response + tiny) @ counts for each in fractions])
    return total.reshape(fractions.size, means.size, cvs.size)


def _response_weights(top: float, noise_sd: float, means: FloatArray, cvs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Cut every gamma distribution into bins finer than the noise: bin centres, and weights [distribution, bin]."""
    n_bins = int(np.clip(np.ceil(2.0 * top / noise_sd), 40, 400))
    edges = np.linspace(0.0, top, n_bins + 1)
    shape = np.tile(cvs**-2.0, means.size)
    scale = np.repeat(means, cvs.size) / shape
    below = special.gammainc(shape[:, None], edges[None, :] / scale[:, None])
    return 0.5 * (edges[1:] + edges[:-1]), np.diff(below, axis=1)


def _below(threshold: float, noise_sd: float, mean: float, cv: float) -> float:
    shape = cv**-2.0
    quantiles = special.gammaincinv(shape, (np.arange(200) + 0.5) / 200.0) * mean / shape
    return float(np.mean(special.ndtr((threshold - quantiles) / noise_sd)))


def _exact_lower(n: int, level: float) -> float:
    return float((0.5 * (1.0 - level)) ** (1.0 / n))
