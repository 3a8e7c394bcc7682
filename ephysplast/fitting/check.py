"""Could the window have produced the table at all? Tables drawn from the fit, against the one that was measured."""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.fitting.likelihood import WindowModel
from ephysplast.recording import FloatArray
from ephysplast.result import Result

_DRAWS: Final = 500
_UNUSUAL: Final = 0.025
_GROUPS: Final = 8
"""About how many groups of neighbouring Δt are looked at."""

BoolArray: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class PredictiveCheck(Result):
    """Shares of simulated tables that are at least as odd as the measured one.

    Attributes
    ----------
    shape_p : float
        Mean residuals of groups of neighbouring Δt: small when the window has the wrong shape.
    outlier_p : float
        Largest residual: small when the noise has too light tails.
    sentence : str
        What that means.
    """

    shape_p: float
    outlier_p: float
    sentence: str


def predictive_check(model: WindowModel, values: FloatArray, *, rng: np.random.Generator) -> PredictiveCheck:
    """Simulate the table from draws of the posterior and compare two properties of the residuals.

    Parameters
    ----------
    model : WindowModel
        Window, observations and noise.
    values : numpy.ndarray, shape (draws, n_parameters)
        Draws from the posterior.
    rng : numpy.random.Generator
        For the simulated tables.

    Returns
    -------
    PredictiveCheck
        Posterior predictive p values (Gelman, Meng & Stern 1996, Statistica Sinica 6:733): small when
        the measured table fits worse than simulated ones.
    """
    chosen = values[rng.integers(len(values), size=min(_DRAWS, len(values)))]
    mean, scale = model.mean(chosen), np.sqrt(model.variance(chosen))
    measured = (model.change - mean) / scale
    simulated = (model.simulate(chosen, rng=rng) - mean) / scale
    groups = _groups(model.observations.delta_t_ms)
    shape_p = float(np.mean(_lack_of_fit(simulated, groups) >= _lack_of_fit(measured, groups)))
    outlier_p = float(np.mean(np.abs(simulated).max(axis=1) >= np.abs(measured).max(axis=1)))
    return PredictiveCheck(shape_p=shape_p, outlier_p=outlier_p, sentence=_sentence(shape_p, outlier_p, len(chosen)))


def _groups(delta_t_ms: FloatArray) -> BoolArray:
    """Group observations of neighbouring Δt, shape (n_groups, n); those of one Δt stay together."""
    values, counts = np.unique(delta_t_ms, return_counts=True)
    wanted = max(3, len(delta_t_ms) // _GROUPS)
    group, held, of_value = 0, 0, np.empty(len(values), dtype=np.int64)
    for i, count in enumerate(counts):
        of_value[i] = group
        held += int(count)
        if held >= wanted:
            group, held = group + 1, 0
    mine = of_value[np.searchsorted(values, delta_t_ms)]
    return np.asarray(mine == np.unique(mine)[:, None])


def _lack_of_fit(residual: FloatArray, groups: BoolArray) -> FloatArray:
    # Bounded scores, so that one aberrant cell does not stand for the shape.
    score = np.clip(residual, -2.0, 2.0)
    return np.asarray(((score @ groups.T) ** 2 / groups.sum(axis=1)).sum(axis=1))


def _sentence(shape_p: float, outlier_p: float, n_draws: int) -> str:
    said = []
    if shape_p < _UNUSUAL:
        said.append(f"the residuals depend on Δt more than chance allows ({_p(shape_p, n_draws)}): the shape is wrong")
    if outlier_p < _UNUSUAL:
        why = "the noise has heavier tails"
        said.append(f"one residual is larger than chance allows ({_p(outlier_p, n_draws)}): {why}")
    return "; ".join(said) or "the window could have produced this table"


def _p(share: float, n_draws: int) -> str:
    return f"p {share:.3f}" if share > 0.0 else f"p < {1.0 / n_draws:.3f}"
