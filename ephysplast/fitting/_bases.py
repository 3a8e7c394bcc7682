"""The basis functions of timing windows: Δt (m,) and shapes (sets, n_shape) → one array (sets, m) per amplitude.

At Δt = 0 the two sides of an asymmetric window are averaged.
"""

import numpy as np

from ephysplast.recording import FloatArray


def exponential_sides(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    after = np.heaviside(t, 0.5)
    decay = np.exp(-np.abs(t) / np.where(t > 0.0, p[:, :1], p[:, 1:2]))
    return after * decay, (1.0 - after) * decay


def exponential_sides_offset(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (*exponential_sides(t, p), np.ones((1, t.size)))


def exponential(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (np.exp(-np.abs(t) / p[:, :1]),)


def exponential_offset(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return np.exp(-np.abs(t) / p[:, :1]), np.ones((1, t.size))


def gaussian(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (np.exp(-0.5 * (t / p[:, :1]) ** 2),)


def gaussian_offset(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return np.exp(-0.5 * (t / p[:, :1]) ** 2), np.ones((1, t.size))


def two_gaussians_offset(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    squared = -0.5 * (t / p[:, :1]) ** 2
    return np.exp(squared), np.exp(squared / p[:, 1:2] ** 2), np.ones((1, t.size))


def delayed(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    # Normalised by its extremum, so that an amplitude is the largest change of its side.
    distance = np.abs(t) / p[:, :1]
    rise = np.exp(p[:, 1:2] * (np.log(np.maximum(distance, 1e-12)) + 1.0 - distance))
    after = np.heaviside(t, 0.5)
    return after * rise, (1.0 - after) * rise


def after(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (np.heaviside(t, 0.5) * np.exp(-np.abs(t) / p[:, :1]),)


def before(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (np.heaviside(-t, 0.5) * np.exp(-np.abs(t) / p[:, :1]),)


def square(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return ((np.abs(t) <= p[:, :1]).astype(np.float64),)


def constant(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return (np.ones((1, t.size)),)


def nothing(t: FloatArray, p: FloatArray) -> tuple[FloatArray, ...]:
    return ()
