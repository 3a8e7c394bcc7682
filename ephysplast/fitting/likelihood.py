"""How probable a table of changes is, given a window and its parameters: for many sets of parameters at once."""

from dataclasses import dataclass
from math import lgamma, log, pi
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import LEVELS, SettingsError, check_settings
from ephysplast.fitting.windows import NOISE, Parameter, Window
from ephysplast.recording import FloatArray

if TYPE_CHECKING:
    from ephysplast.fitting.observations import Observations

_NODES: Final = 7
"""Values of Δt that stand for a normal distribution of it (Gauss and Hermite's, out to 3.8 SD)."""

_BLOCK: Final = 16_384
"""Numbers worked on at a time: they stay in the processor's cache, which halves the time of a fit."""


@dataclass(frozen=True, kw_only=True)
class FitConfig:
    """How windows are fitted.

    Attributes
    ----------
    noise : {"student", "gaussian"}
        Scatter about the window. Student's t keeps a few aberrant cells, or wrong signs of Δt near 0, from deciding.
    degrees_of_freedom : float
        Of Student's t; 4 has heavy tails and still a variance.
    delta_t_error_ms : float
        SD of the error of each Δt that the table does not state: digitised figures, latencies that were assumed.
        It is marginalised: the change belongs to an unknown Δt near the stated one.
    amplitude_scale : float
        Times this for the priors and bounds of all changes; 1 means that changes of 100 % are usual.
    n_particles : int
        Of the sampler; 2000 give the logarithm of the evidence within about 0.07.
    n_starts : int
        Starts of the point fit.
    level : float
        Of intervals and bands.
    """

    noise: Literal["student", "gaussian"] = "student"
    degrees_of_freedom: float = 4.0
    delta_t_error_ms: float = 0.0
    amplitude_scale: float = 1.0
    n_particles: int = 2000
    n_starts: int = 6
    level: float = 0.95

    def __post_init__(self) -> None:
        if self.noise not in ("student", "gaussian"):
            raise SettingsError(
                "the setting noise is not possible", got=f"'{self.noise}'", wanted="student or gaussian"
            )
        check_settings(
            self,
            degrees_of_freedom=(1.0, 1000.0),
            delta_t_error_ms=(0.0, 1000.0),
            amplitude_scale=(1e-3, 1e4),
            n_particles=(100, 1_000_000),
            n_starts=(1, 100),
            level=LEVELS,
        )


class WindowModel:
    """One window, the observations it shall explain, and the likelihood of its parameters.

    The change of observation i is taken to scatter about ``f(Δt_i)`` with the variance ``error_i² + share_i σ²``. The
    window is averaged over the jitter of Δt from pairing to pairing, because each pairing contributes its own change;
    an error of Δt itself is marginalised, because all pairings share it.

    Parameters
    ----------
    window : Window
        What is fitted.
    observations : Observations
        The table.
    config : FitConfig
        Noise and scales.
    """

    def __init__(self, window: Window, observations: "Observations", *, config: FitConfig) -> None:
        self.window = window
        self.observations = observations
        self.config = config
        self.change = observations.change
        self.error = observations.change_error
        self.share = observations.noise_share
        self.parameters: tuple[Parameter, ...] = (*window.parameters, NOISE)
        error_ms = observations.delta_t_error_ms
        error_ms = np.where(error_ms > 0.0, error_ms, config.delta_t_error_ms)
        nodes, self._error_weight = _spread(observations.delta_t_ms, error_ms)
        nodes, self._jitter_weight = _spread(nodes, observations.delta_t_sd_ms[:, None])
        # Many cells are paired at the same Δt: the window is worked out once for each.
        self.delta_t_ms, back = np.unique(nodes, return_inverse=True)
        self._back: NDArray[np.int64] = back.reshape(nodes.shape)

    @property
    def n_parameters(self) -> int:
        """Shape parameters, amplitudes and the noise."""
        return len(self.parameters)

    @property
    def n_shape(self) -> int:
        """How many of them the window is not linear in."""
        return len(self.window.shape)

    def from_standard(self, z: FloatArray) -> FloatArray:
        """Turn standard normal numbers, shape (sets, n_parameters), into draws from the prior."""
        scale = self.config.amplitude_scale
        columns = [each.from_standard(z[:, i], scale=scale) for i, each in enumerate(self.parameters)]
        return np.stack(columns, axis=1)

    def bounds(self) -> FloatArray:
        """Return lower and upper bounds, shape (n_parameters, 2)."""
        return np.array([each.bounds(self.config.amplitude_scale) for each in self.parameters])

    def mean_basis(self, shape: FloatArray) -> FloatArray:
        """Return the basis functions at each observation, averaged over its Δt: (sets, n_amplitudes, n)."""
        parts = self.window.basis(self.delta_t_ms, shape)
        size = (len(shape), self.delta_t_ms.size)
        if not parts:
            return np.zeros((len(shape), 0, self.change.size))
        stacked = np.stack([np.broadcast_to(each, size) for each in parts], axis=1)
        return np.asarray(self._at_nodes(stacked) @ self._error_weight)

    def predicted(self, values: FloatArray) -> FloatArray:
        """Return the change that the window gives each observation, at each node of its Δt: (sets, n, n_nodes)."""
        return self._at_nodes(self.window.changes(self.delta_t_ms, values))

    def mean(self, values: FloatArray) -> FloatArray:
        """Return the expected change of each observation, (sets, n)."""
        return np.asarray(self.predicted(values) @ self._error_weight)

    def variance(self, values: FloatArray) -> FloatArray:
        """Return the squared scale of the scatter of each observation, (sets, n)."""
        return np.asarray(self.error**2 + self.share * values[:, -1:] ** 2)

    def pointwise(self, values: FloatArray) -> FloatArray:
        """Return the log-likelihood of each observation, (sets, n)."""
        variance = self.variance(values)[:, :, None]
        squared = (self.change[:, None] - self.predicted(values)) ** 2 / variance
        density = self._log_kernel(squared) - 0.5 * np.log(variance)
        if density.shape[2] == 1:
            return np.asarray(density[:, :, 0])
        highest = density.max(axis=2, keepdims=True)
        return np.asarray(highest[:, :, 0] + np.log(np.exp(density - highest) @ self._error_weight))

    def log_likelihood(self, values: FloatArray) -> FloatArray:
        """Return the log-likelihood of each set of parameters, shape (sets,)."""
        n_sets = max(1, _BLOCK // self.delta_t_ms.size)
        blocks = [self.pointwise(values[i : i + n_sets]).sum(axis=1) for i in range(0, len(values), n_sets)]
        return np.concatenate(blocks)

    def simulate(self, values: FloatArray, *, rng: np.random.Generator) -> FloatArray:
        """Draw changes that the same experiments might have given, (sets, n), one table for each set of parameters."""
        predicted = self.predicted(values)
        node = rng.choice(predicted.shape[2], size=(*predicted.shape[:2], 1), p=self._error_weight)
        centre = np.take_along_axis(predicted, node, axis=2)[:, :, 0]
        student = self.config.noise == "student"
        scatter = (
            rng.standard_t(self.config.degrees_of_freedom, centre.shape) if student else rng.normal(size=centre.shape)
        )
        return np.asarray(centre + scatter * np.sqrt(self.variance(values)))

    def _at_nodes(self, at_unique: FloatArray) -> FloatArray:
        at_nodes = np.take(at_unique, self._back, axis=-1)
        return np.asarray(at_nodes[..., 0] if at_nodes.shape[-1] == 1 else at_nodes @ self._jitter_weight)

    def _log_kernel(self, squared: FloatArray) -> FloatArray:
        if self.config.noise == "gaussian":
            return np.asarray(-0.5 * (squared + log(2.0 * pi)))
        nu = self.config.degrees_of_freedom
        constant = lgamma(0.5 * (nu + 1.0)) - lgamma(0.5 * nu) - 0.5 * log(nu * pi)
        return np.asarray(constant - 0.5 * (nu + 1.0) * np.log1p(squared / nu))


def _spread(centre: FloatArray, sd: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Add an axis with values that stand for normal distributions, and their weights; one where no SD is above 0."""
    if not (sd > 0.0).any():
        return centre[..., None], np.ones(1)
    nodes, weight = np.polynomial.hermite_e.hermegauss(_NODES)
    return np.asarray(centre[..., None] + sd[..., None] * nodes), weight / weight.sum()
