"""The most likely parameters of a window, and how far each can be moved: profile likelihood."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import inf, nan
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, least_squares, minimize
from scipy.special import chdtri

from ephysplast.errors import OK, EphysplastError, near_names
from ephysplast.fitting.likelihood import WindowModel
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate, Result

_SCREENED: Final = 400
"""Shapes drawn from the prior, of which the best are starts."""
_STEP: Final = 1e-5
"""Of the numerical gradient, in logarithms of shapes and noise, and in units of the usual change for amplitudes."""
_AT_BOUND: Final = 1e-3
_DOUBLINGS: Final = 12
_HALVINGS: Final = 14

Objective = Callable[[FloatArray], tuple[float, FloatArray]]


@dataclass(frozen=True, eq=False, kw_only=True)
class PointFit(Result):
    """The most likely parameters.

    Attributes
    ----------
    status : str
        ``"ok"``, or why there are none; then all numbers are NaN.
    names : tuple of str
        Of the parameters: shapes, amplitudes, noise.
    values : numpy.ndarray, shape (n_parameters,)
    log_likelihood : float
    at_bound : tuple of str
        Names of those that would go further if they were allowed to.
    """

    status: str
    names: tuple[str, ...]
    values: FloatArray
    log_likelihood: float
    at_bound: tuple[str, ...]


def solve_amplitudes(
    basis: FloatArray, change: FloatArray, *, weight: FloatArray, bounds: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the amplitudes that fit best, within their bounds, for many shapes of a window.

    The window is linear in them, so the exact answer is the best of a few linear systems: one for each way in which
    some amplitudes may lie at a bound.

    Parameters
    ----------
    basis : numpy.ndarray, shape (sets, n_amplitudes, n)
        Basis functions at the observations.
    change, weight : numpy.ndarray, shape (n,)
        Observations, and the inverse of their variance.
    bounds : numpy.ndarray, shape (n_amplitudes, 2)

    Returns
    -------
    amplitudes : numpy.ndarray, shape (sets, n_amplitudes)
    cost : numpy.ndarray, shape (sets,)
        Weighted sum of squared residuals.

    Examples
    --------
    >>> basis = np.array([[[1.0, 1.0, 1.0]]])
    >>> found, cost = solve_amplitudes(basis, np.array([1.0, 2.0, 3.0]), weight=np.ones(3), bounds=np.array([[0, 5.0]]))
    >>> found.round(6).tolist(), cost.round(6).tolist()
    ([[2.0]], [2.0])
    """
    n_sets, n_amplitudes, _ = basis.shape
    weighted = basis * weight
    gram = weighted @ basis.transpose(0, 2, 1)
    moment = weighted @ change
    # A basis function that is zero at all observations leaves its amplitude at 0.
    ridge = 1e-10 * np.trace(gram, axis1=1, axis2=2) + 1e-12
    gram = gram + ridge[:, None, None] * np.eye(n_amplitudes)
    best, lowest = np.zeros((n_sets, n_amplitudes)), np.full(n_sets, inf)
    for pattern in product((0, 1, 2), repeat=n_amplitudes):  # free, at the lower bound, at the upper bound
        free = np.array([each == 0 for each in pattern], dtype=bool)
        tried = np.tile([0.0 if at == 0 else bounds[i, at - 1] for i, at in enumerate(pattern)], (n_sets, 1))
        if free.any():
            rest = moment[:, free] - np.einsum("sij,sj->si", gram[:, free][:, :, ~free], tried[:, ~free])
            tried[:, free] = np.linalg.solve(gram[:, free][:, :, free], rest[:, :, None])[:, :, 0]
        cost = np.einsum("si,sij,sj->s", tried, gram, tried) - 2.0 * np.einsum("si,si->s", tried, moment)
        inside = ((tried >= bounds[:, 0] - 1e-12) & (tried <= bounds[:, 1] + 1e-12)).all(axis=1)
        better = inside & (cost < lowest)
        best[better], lowest[better] = tried[better], cost[better]
        if pattern.count(0) == n_amplitudes and inside.all():
            break  # nothing within the bounds is better than the best without them
    return best, lowest + float(weight @ change**2)


def maximise(model: WindowModel, *, rng: np.random.Generator, start: FloatArray | None = None) -> PointFit:
    """Find the most likely parameters: several starts, amplitudes profiled out, then all parameters together.

    Parameters
    ----------
    model : WindowModel
        Window, observations and noise.
    rng : numpy.random.Generator
        Draws the starts.
    start : numpy.ndarray, shape (n_parameters,), optional
        One more start, for example the best draw of the posterior.

    Returns
    -------
    PointFit
        Its status says so when the likelihood could not be maximised.
    """
    names = tuple(each.name for each in model.parameters)
    found = [_polished(model, each) for each in (*_starts(model, rng), *(() if start is None else (start,)))]
    finite = [each for each in found if np.isfinite(each[1])]
    if not finite:
        empty = np.full(len(names), nan)
        why = "the likelihood could not be maximised from any start"
        return PointFit(status=why, names=names, values=empty, log_likelihood=nan, at_bound=())
    values, log_likelihood = max(finite, key=lambda each: each[1])
    inner, limits = _to_inner(model, values), _inner_bounds(model)
    near = np.abs(inner[:, None] - limits).min(axis=1) < _AT_BOUND
    at_bound = tuple(name for name, close in zip(names, near, strict=True) if close)
    return PointFit(status=OK, names=names, values=values, log_likelihood=log_likelihood, at_bound=at_bound)


def profile_interval(model: WindowModel, point: PointFit, *, name: str, level: float = 0.95) -> Estimate:
    """Return the range of one parameter that the data allow when all others are fitted anew at each of its values.

    Parameters
    ----------
    model : WindowModel
        Window, observations and noise.
    point : PointFit
        From :func:`maximise`.
    name : str
        Of the parameter.
    level : float
        Confidence level, by the χ² distribution of twice the loss of log-likelihood.

    Returns
    -------
    Estimate
        An end is infinite where the likelihood does not fall enough before the parameter's bound. Without a value
        when both are, or when the most likely value lies at a bound.
    """
    if name not in point.names:
        raise EphysplastError("the window has no such parameter", got=f"'{name}'", remedy=near_names(name, point.names))
    if point.status != OK:
        return Estimate.missing(point.status)
    index = point.names.index(name)
    drop = 0.5 * float(chdtri(1, 1.0 - level))
    ends = [_profile_end(model, point, index=index, towards=side, drop=drop) for side in (0, 1)]
    value = float(point.values[index])
    if not np.isfinite(ends).any():
        return Estimate.missing("not identifiable: every value within its bounds fits nearly as well")
    if name in point.at_bound:
        side = "below" if np.isfinite(ends[1]) else "above"
        limit = ends[1] if np.isfinite(ends[1]) else ends[0]
        parameter = model.parameters[index]
        why = f"at its bound of {parameter.said(value)}: the data allow all values {side} {parameter.said(limit)}"
        return Estimate.missing(why)
    return Estimate(value=value, low=ends[0], high=ends[1], method=f"profile likelihood, {100 * level:g} %")


def _starts(model: WindowModel, rng: np.random.Generator) -> list[FloatArray]:
    """Screen shapes from the prior, then fit the best by least squares with the amplitudes profiled out."""
    variance = np.var(model.change) + 1e-6
    weight = 1.0 / (model.error**2 + model.share * variance)
    n = _SCREENED if model.n_shape else 1
    shapes = model.from_standard(rng.normal(size=(n, model.n_parameters)))[:, : model.n_shape]
    _, cost = _profiled(model, shapes, weight)
    best = shapes[np.argsort(cost)[: model.config.n_starts if model.n_shape else 1]]
    return [_least_squares(model, shape, weight) for shape in best]


def _profiled(model: WindowModel, shapes: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray]:
    bounds = model.bounds()[model.n_shape : -1]
    return solve_amplitudes(model.mean_basis(shapes), model.change, weight=weight, bounds=bounds)


def _least_squares(model: WindowModel, shape: FloatArray, weight: FloatArray) -> FloatArray:
    root = np.sqrt(weight)

    def residuals(log_shape: FloatArray) -> FloatArray:
        shapes = np.exp(log_shape)[None, :]
        amplitudes, _ = _profiled(model, shapes, weight)
        fitted = np.einsum("sk,skn->n", amplitudes, model.mean_basis(shapes))
        return np.asarray(root * (model.change - fitted))

    if model.n_shape:
        limits = np.log(model.bounds()[: model.n_shape])
        inside = np.clip(np.log(shape), limits[:, 0] + 1e-6, limits[:, 1] - 1e-6)
        shape = np.exp(least_squares(residuals, inside, bounds=(limits[:, 0], limits[:, 1]), max_nfev=50).x)
    amplitudes, _ = _profiled(model, shape[None, :], weight)
    scatter = float(np.sqrt(np.mean(residuals(np.log(shape)) ** 2 / weight)))
    low, high = model.bounds()[-1]
    return np.concatenate([shape, amplitudes[0], [np.clip(scatter, 2.0 * low, 0.5 * high)]])


def _polished(model: WindowModel, values: FloatArray) -> tuple[FloatArray, float]:
    limits = _inner_bounds(model)
    inner = np.clip(_to_inner(model, values), limits[:, 0], limits[:, 1])
    best, lowest = _minimised(_objective(model), inner, limits)
    return _from_inner(model, best[None, :])[0], -lowest


def _minimised(objective: Objective, inner: FloatArray, limits: FloatArray) -> tuple[FloatArray, float]:
    box = Bounds(limits[:, 0], limits[:, 1])
    found = minimize(objective, inner, args=(), method="L-BFGS-B", jac=True, bounds=box, options={"maxiter": 300})
    return np.asarray(found.x, dtype=np.float64), float(found.fun)


def _objective(model: WindowModel) -> Objective:
    """Return minus the log-likelihood with its gradient, worked out in one call for all parameters."""

    def objective(inner: FloatArray) -> tuple[float, FloatArray]:
        steps = _STEP * np.eye(len(inner))
        around = np.concatenate([inner[None, :], inner + steps, inner - steps])
        value = -model.log_likelihood(_from_inner(model, around))
        forward, backward = np.split(value[1:], 2)
        return float(value[0]), (forward - backward) / (2.0 * _STEP)

    return objective


def _to_inner(model: WindowModel, values: FloatArray) -> FloatArray:
    inner = np.array(values, dtype=np.float64)
    logs = _logarithmic(model)
    inner[logs] = np.log(inner[logs])
    inner[~logs] /= model.config.amplitude_scale
    return inner


def _from_inner(model: WindowModel, inner: FloatArray) -> FloatArray:
    logs = _logarithmic(model)
    return np.where(logs, np.exp(np.where(logs, inner, 0.0)), inner * model.config.amplitude_scale)


def _logarithmic(model: WindowModel) -> NDArray[np.bool_]:
    return np.array([each.role in ("shape", "noise") for each in model.parameters])


def _inner_bounds(model: WindowModel) -> FloatArray:
    low, high = model.bounds().T
    return np.stack([_to_inner(model, low), _to_inner(model, high)], axis=1)


def _profile_end(model: WindowModel, point: PointFit, *, index: int, towards: int, drop: float) -> float:
    """Search for the value, on one side, at which the profile has fallen by `drop`; infinite when there is none."""
    objective, limits = _objective(model), _inner_bounds(model)
    inner = np.clip(_to_inner(model, point.values), limits[:, 0], limits[:, 1])
    edge, direction = limits[index, towards], (-1.0, 1.0)[towards]
    state = inner

    def loss(at: float) -> float:
        nonlocal state
        fixed, start = limits.copy(), state.copy()
        fixed[index] = start[index] = at
        state, lowest = _minimised(objective, start, fixed)
        return lowest + point.log_likelihood

    inside, outside = float(inner[index]), float(inner[index])
    for doubling in range(_DOUBLINGS):
        outside = float(np.clip(inner[index] + direction * 0.02 * 2.0**doubling, *limits[index]))
        if loss(outside) > drop:
            break
        inside = outside
        if outside == edge:
            return direction * inf
    for _ in range(_HALVINGS):
        middle = 0.5 * (inside + outside)
        inside, outside = (inside, middle) if loss(middle) > drop else (middle, outside)
    values = np.where(np.arange(len(inner)) == index, 0.5 * (inside + outside), inner)
    return float(_from_inner(model, values[None, :])[0, index])
