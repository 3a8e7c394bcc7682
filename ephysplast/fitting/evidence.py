"""How well a window would predict new cells: AICc, and leaving each observation out."""

from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import logsumexp

from ephysplast.errors import OK
from ephysplast.fitting.likelihood import WindowModel
from ephysplast.fitting.smc import Tempered, temper
from ephysplast.recording import FloatArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

_RELIABLE: Final = 0.7
"""Above this Pareto shape a reweighted posterior says little about what leaving the observation out would do."""
_MOST_REFITS: Final = 8


@dataclass(frozen=True, eq=False, kw_only=True)
class LeaveOneOut(Result):
    """What each observation was given by the fit to all others.

    Attributes
    ----------
    status : str
        ``"ok"``, or why the sum is not to be trusted; then it is NaN.
    log_density : numpy.ndarray, shape (n,)
        Log predictive density of each observation.
    total, standard_error : float
        Their sum, and its standard error over observations.
    pareto_shape : numpy.ndarray, shape (n,)
        How heavy-tailed the importance weights were.
    n_refitted : int
        Observations for which the posterior was sampled anew without them.
    """

    status: str
    log_density: FloatArray
    total: float
    standard_error: float
    pareto_shape: FloatArray
    n_refitted: int

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per observation."""
        import pandas as pd

        return pd.DataFrame({"log_density": self.log_density, "pareto_shape": self.pareto_shape})


def sample_posterior(model: WindowModel, *, rng: np.random.Generator) -> Tempered:
    """Sample the posterior of a window's parameters, and integrate it to the evidence."""
    return temper(
        lambda z: model.log_likelihood(model.from_standard(z)),
        model.n_parameters,
        rng=rng,
        n_particles=model.config.n_particles,
    )


def aicc(log_likelihood: float, *, n_parameters: int, n: int) -> float:
    """Return Akaike's information criterion, corrected for few observations; NaN when there are too few.

    ``2k − 2 ln L + 2k(k+1)/(n−k−1)``; Hurvich & Tsai 1989, doi:10.1093/biomet/76.2.297.

    Examples
    --------
    >>> aicc(-10.0, n_parameters=3, n=10)
    30.0
    """
    spare = n - n_parameters - 1
    if spare <= 0:
        return nan
    return 2.0 * n_parameters - 2.0 * log_likelihood + 2.0 * n_parameters * (n_parameters + 1) / spare


def leave_one_out(model: WindowModel, values: FloatArray, *, rng: np.random.Generator) -> LeaveOneOut:
    """Predict each observation from all others, by reweighting the posterior (Pareto-smoothed importance sampling).

    Where the weights are too uneven for that the posterior is sampled anew without the observation.

    Parameters
    ----------
    model : WindowModel
        Window, observations and noise.
    values : numpy.ndarray, shape (draws, n_parameters)
        Draws from the posterior.
    rng : numpy.random.Generator
        For sampling anew.

    Returns
    -------
    LeaveOneOut

    Notes
    -----
    Vehtari, Gelman & Gabry 2017, doi:10.1007/s11222-016-9696-4.
    """
    pointwise = model.pointwise(values)
    density, shape = smoothed_leave_one_out(pointwise)
    uneven = np.flatnonzero(~(shape <= _RELIABLE))
    refitted = uneven[:_MOST_REFITS] if len(uneven) <= _MOST_REFITS else uneven[:0]
    for i in refitted:
        density[i] = _without(model, int(i), rng)
    status = OK if len(refitted) == len(uneven) else f"{len(uneven)} observations each decide the fit"
    n = len(density)
    return LeaveOneOut(
        status=status,
        log_density=density,
        total=float(density.sum()) if status == OK else nan,
        standard_error=float(sqrt(n) * density.std(ddof=1)) if status == OK and n > 1 else nan,
        pareto_shape=shape,
        n_refitted=len(refitted),
    )


def smoothed_leave_one_out(pointwise: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return log predictive densities and Pareto shapes from the log-likelihoods (draws, n) of a posterior."""
    n_draws, n = pointwise.shape
    n_tail = int(min(0.2 * n_draws, 3.0 * sqrt(n_draws)))
    density, shapes = np.empty(n), np.empty(n)
    for i in range(n):
        log_weight = pointwise[:, i].min() - pointwise[:, i]
        log_weight, shapes[i] = _smoothed(log_weight, n_tail)
        density[i] = logsumexp(log_weight + pointwise[:, i]) - logsumexp(log_weight)
    return density, shapes


def _smoothed(log_weight: FloatArray, n_tail: int) -> tuple[FloatArray, float]:
    """Replace the largest importance weights by the quantiles of the Pareto distribution that fits them."""
    order = np.argsort(log_weight)
    cutoff = log_weight[order[-n_tail - 1]]
    tail = order[-n_tail:]
    excess = np.exp(log_weight[tail]) - np.exp(cutoff)
    if not excess[0] > 0.0 and not excess[-1] > 0.0:
        return log_weight, 0.0  # all weights alike
    shape, scale = _pareto_fit(np.maximum(excess, 1e-300))
    at = (np.arange(n_tail) + 0.5) / n_tail
    quantile = scale * (-np.log1p(-at) if abs(shape) < 1e-9 else np.expm1(-shape * np.log1p(-at)) / shape)
    smoothed = log_weight.copy()
    smoothed[tail] = np.minimum(np.log(np.exp(cutoff) + quantile), log_weight.max())
    return smoothed, shape


def _pareto_fit(excess: FloatArray) -> tuple[float, float]:
    """Fit a generalised Pareto distribution to sorted values (Zhang & Stephens 2009, doi:10.1198/tech.2009.08017)."""
    n = len(excess)
    n_grid = 30 + int(sqrt(n))
    quartile = excess[int(n / 4 + 0.5) - 1]
    rate = (1.0 - np.sqrt(n_grid / (np.arange(1, n_grid + 1) - 0.5))) / (3.0 * quartile) + 1.0 / excess[-1]
    shape = np.log1p(-rate[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-rate / shape) - shape - 1.0)
    weight = np.exp(profile - logsumexp(profile))
    mean_rate = float(rate @ weight)
    fitted = float(np.log1p(-mean_rate * excess).mean())
    # A weak prior about 0.5 steadies it with few draws (Vehtari et al. 2024, arXiv:1507.02646).
    return (n * fitted + 5.0) / (n + 10.0), -fitted / mean_rate


def _without(model: WindowModel, index: int, rng: np.random.Generator) -> float:
    keep = np.arange(model.change.size) != index
    fewer = WindowModel(model.window, model.observations.subset(keep), config=model.config)
    values = fewer.from_standard(sample_posterior(fewer, rng=rng).z)
    like = model.pointwise(values)[:, index]
    return float(logsumexp(like) - np.log(len(like)))
