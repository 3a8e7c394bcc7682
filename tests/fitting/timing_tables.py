"""Tables made from a window's formula, with plain examples of all windows."""

import numpy as np

from ephysplast.fitting import find_window, make_observations

TRUTH = {
    "hebbian": ([17.0, 34.0], [0.8, -0.4]),
    "anti_hebbian": ([15.0, 25.0], [-0.4, 0.6]),
    "asymmetric_free": ([15.0, 30.0], [0.7, -0.5, 0.3]),
    "symmetric": ([20.0], [0.6]),
    "symmetric_offset": ([20.0], [0.7, -0.25]),
    "gaussian": ([20.0], [0.6]),
    "gaussian_offset": ([20.0], [0.6, -0.25]),
    "difference_of_gaussians": ([10.0, 3.0], [1.0, -0.6, 0.0]),
    "delayed": ([12.0, 5.0], [0.7, -0.5]),
    "ltd_only": ([25.0], [-0.5]),
    "pre_first": ([25.0], [-0.5]),
    "post_first": ([25.0], [0.5]),
    "square": ([20.0], [0.5]),
    "constant": ([], [0.3]),
    "none": ([], []),
}
"""Window → shapes and amplitudes of a plain example."""


def timings(n, rng):
    """Half of the cells within ± 20 ms, half out to ± 80 ms: how such experiments are laid out."""
    return np.concatenate([rng.uniform(-20.0, 20.0, n // 2), rng.uniform(-80.0, 80.0, n - n // 2)])


def synthetic(name, *, n=60, noise=0.15, rng, student=False):
    """Cells that follow a window; 15 % of scatter is what remains about Bi and Poo's."""
    shape, amplitudes = TRUTH[name]
    at = timings(n, rng)
    # Student's t with 4 degrees of freedom has a variance of 2.
    scatter = rng.standard_t(4.0, n) / np.sqrt(2.0) if student else rng.normal(size=n)
    return make_observations(at, find_window(name).change(at, shape=shape, amplitudes=amplitudes) + noise * scatter)
