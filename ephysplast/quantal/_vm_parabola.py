"""The parabola of variance against mean: weighted fits of many resamples at once.

The weights come from the fitted model and not from the scatter of the same few sweeps, which would favour whatever
condition happened to scatter least.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

_ROUNDS = 6
_LEAST = 0.15
"""Variances have at least this share of the sampling error that Gaussian amplitudes give them: binomial release at
p near 0.5 has less, but never nothing."""


@dataclass(frozen=True, eq=False)
class Moments:
    """Means, their unbiased squares and noise-free variances of every condition; each of shape (resamples, conditions).

    `noise` is the noise variance of a condition, `count` its sweeps, `spent` how many sweeps' worth of a Gaussian
    variance the way of reading it leaves: Var(s²) = 2σ⁴/spent + κ₄/count.
    """

    mean: FloatArray
    square: FloatArray
    variance: FloatArray
    noise: FloatArray
    count: FloatArray
    spent: FloatArray


@dataclass(frozen=True, eq=False)
class Parabola:
    """``variance = slope·mean − bend·mean²`` of every resample, and the sampling variance of each point around it."""

    slope: FloatArray
    bend: FloatArray
    scatter: FloatArray


def fit_parabola(seen: Moments, *, within: float, between: float, straight: bool = False) -> Parabola:
    """Fit by iterated weighted least squares; `straight` keeps the bend at 0, and p never passes 1."""
    share = (1.0 + between**2) / (1.0 + between**2 + within**2)
    total = np.maximum(seen.variance + seen.noise, _floor(seen))
    scatter = 2.0 * total**2 / seen.spent
    found = _solve(seen, scatter, share, straight)
    for _ in range(_ROUNDS):
        scatter = _scatter(seen, *found, within=within, between=between)
        found = _solve(seen, scatter, share, straight)
    return Parabola(*found, scatter)


def _floor(seen: Moments) -> FloatArray:
    largest = np.max(np.abs(seen.variance) + seen.noise, axis=1, keepdims=True)
    return np.asarray(seen.noise + 1e-3 * np.where(largest > 0.0, largest, 1.0))


def _solve(seen: Moments, scatter: FloatArray, share: float, straight: bool) -> tuple[FloatArray, FloatArray]:
    weight = 1.0 / scatter
    across, down, what = seen.mean, seen.square, seen.variance
    aa, ab, bb = ((weight * each).sum(1) for each in (across * across, across * down, down * down))
    av, bv = (weight * across * what).sum(1), (weight * down * what).sum(1)
    if straight:
        return np.asarray(av / aa), np.zeros_like(av)
    gap = aa * bb - ab**2
    gap = np.where(gap > 1e-12 * aa * bb, gap, np.nan)
    slope, bend = (bb * av - ab * bv) / gap, (ab * av - aa * bv) / gap
    # Release probability is at most 1: where noise would take the largest mean beyond n·q, it is held there.
    top = across.max(axis=1)
    limit = share / np.where(top > 0.0, top, np.inf)
    over = bend > np.maximum(slope, 0.0) * limit
    held = across - limit[:, None] * down
    at_one = (weight * held * what).sum(1) / (weight * held * held).sum(1)
    slope, bend = np.where(over, at_one, slope), np.where(over, at_one * limit, bend)
    return slope, bend


def _scatter(seen: Moments, slope: FloatArray, bend: FloatArray, *, within: float, between: float) -> FloatArray:
    """Give the sampling variance of each point's distance from the curve, by the cumulants of the fitted release."""
    spread = within**2 + between**2
    q = np.maximum(slope, 0.0)[:, None] / (1.0 + spread)
    one = np.clip(bend, 0.0, None)[:, None] / (1.0 + between**2)
    mean = np.maximum(seen.mean, 0.0)
    second, third, fourth = 1.0 + spread, 1.0 + 3.0 * spread, 1.0 + 6.0 * spread + 3.0 * spread**2
    total = np.maximum(slope[:, None] * mean - np.maximum(bend, 0.0)[:, None] * mean**2 + seen.noise, _floor(seen))
    skew = mean * q**2 * third - 3.0 * mean**2 * q * second * one + 2.0 * mean**3 * one**2
    tail = mean * q**3 * fourth - mean**2 * q**2 * one * (4.0 * third + 3.0 * second**2)
    tail += 12.0 * mean**3 * q * second * one**2 - 6.0 * mean**4 * one**3
    tangent = slope[:, None] - 2.0 * bend[:, None] * mean
    gaussian = 2.0 * total**2 / seen.spent
    around = gaussian + (tail - 2.0 * tangent * skew + tangent**2 * total) / seen.count
    return np.asarray(np.maximum(np.nan_to_num(around, nan=0.0), _LEAST * gaussian))
