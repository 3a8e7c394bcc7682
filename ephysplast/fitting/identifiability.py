"""What the data say about each parameter, what they leave open, and how that is put into words."""

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np

from ephysplast.errors import OK
from ephysplast.fitting.likelihood import WindowModel
from ephysplast.fitting.point_fit import PointFit
from ephysplast.fitting.windows import Parameter, Window
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate

Convergence: TypeAlias = Literal["converged", "at a bound", "not identifiable", "failed"]

_UNINFORMED: Final = 0.85
"""A posterior whose SD, where the prior's is 1, is above this has learnt less than a quarter of the prior variance."""
_PILED: Final = 0.025
"""More draws than this share within a tenth of the median's distance from a bound: the bound cannot be excluded."""
_TIED: Final = 0.9
"""Two parameters whose draws are correlated more than this are known only together."""


@dataclass(frozen=True, kw_only=True)
class Identified:
    """What became of the parameters of one fit.

    Attributes
    ----------
    convergence : {"converged", "at a bound", "not identifiable", "failed"}
        The worst of any parameter's.
    status : str
        ``"ok"`` when converged, else the first of the sentences.
    estimates : tuple of Estimate
        Of each parameter of the model: posterior median and interval. Without a value where that would mislead.
    sentences : tuple of str
        What is not identifiable, at a bound or tied to another parameter.
    """

    convergence: Convergence
    status: str
    estimates: tuple[Estimate, ...]
    sentences: tuple[str, ...]


def points_needed(window: Window) -> int:
    """Return how many observations a window needs: two more than it has parameters, counting the noise.

    With fewer the corrected AICc is not defined, and the scatter is not known.

    Examples
    --------
    >>> from ephysplast.fitting.windows import find_window
    >>> points_needed(find_window("hebbian")), points_needed(find_window("none"))
    (7, 3)
    """
    return len(window.parameters) + 1 + 2


def lacking(model: WindowModel) -> str:
    """Say why a window cannot be fitted to so few observations; empty when it can."""
    needed, n = points_needed(model.window), model.change.size
    if n < needed:
        return f"too few observations: {needed} are needed for {len(model.parameters)} parameters, there are {n}"
    timings, wanted = len(np.unique(model.observations.delta_t_ms)), len(model.window.parameters)
    if timings < wanted:
        return f"too few timings: {wanted} different Δt are needed for this window, there are {timings}"
    return ""


def identify(model: WindowModel, *, z: FloatArray, values: FloatArray, point: PointFit) -> Identified:
    """Turn draws from the posterior into estimates, and say what the data leave open.

    Parameters
    ----------
    model : WindowModel
        Window, observations and noise.
    z, values : numpy.ndarray, shape (draws, n_parameters)
        Draws, in coordinates in which the prior is standard normal, and as values.
    point : PointFit
        The most likely parameters.

    Returns
    -------
    Identified
    """
    estimates, sentences, kinds = [], [], []
    for i, parameter in enumerate(model.parameters):
        estimate, kind = _estimate(model, parameter, z=z[:, i], values=values[:, i], point=point)
        estimates.append(estimate)
        kinds.append(kind)
        if estimate.status != OK:
            sentences.append(f"{parameter.symbol} ({parameter.name}) is {estimate.status}")
    sentences += _sides_without_data(model)
    worst: Convergence = "converged"
    grave: tuple[Convergence, ...] = ("at a bound", "not identifiable")
    for each in grave:
        worst = each if each in kinds else worst
    status = OK if worst == "converged" else sentences[0]
    sentences += _ties(model, z, kinds)
    return Identified(convergence=worst, status=status, estimates=tuple(estimates), sentences=tuple(sentences))


def interval(values: FloatArray, level: float) -> tuple[float, float, float]:
    """Return the median and the central interval of draws."""
    median, low, high = np.quantile(values, [0.5, 0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(median), float(low), float(high)


def _estimate(
    model: WindowModel, parameter: Parameter, *, z: FloatArray, values: FloatArray, point: PointFit
) -> tuple[Estimate, Convergence]:
    level = model.config.level
    median, low, high = interval(values, level)
    bound = float(point.values[point.names.index(parameter.name)])
    # A scatter below what any recording resolves is no trouble; its interval holds the bound.
    small_noise = parameter.role == "noise" and bound < median
    if parameter.name in point.at_bound and not small_noise:
        within = f"{100 * level:g} % of the posterior lie between {_ends(parameter, values, bound, level)}"
        return Estimate.missing(
            f"at its bound: the most likely value is {parameter.said(bound)}, and {within}"
        ), "at a bound"
    if float(np.std(z)) > _UNINFORMED:
        said = f"{parameter.said(low)} to {parameter.said(high)}"
        why = f"not identifiable: the data hardly narrow what was believed before them ({said})"
        return Estimate.missing(why), "not identifiable"
    lower, upper = parameter.bounds(model.config.amplitude_scale)
    # Draws never reach a bound: where the data do not exclude it, the interval must be made to hold it.
    if _piled(values, lower):
        low, high = lower, float(np.quantile(values, level))
    elif _piled(values, upper):
        low, high = float(np.quantile(values, 1.0 - level)), upper
    return Estimate(value=median, low=low, high=high, method=f"posterior median, {100 * level:g} %"), "converged"


def _piled(values: FloatArray, bound: float) -> bool:
    distance = np.abs(values - bound)
    return float(np.mean(distance < 0.1 * np.median(distance))) > _PILED


def _ends(parameter: Parameter, values: FloatArray, bound: float, level: float) -> str:
    """Return the ends of the posterior for people; a bound at which the draws pile up is one of them."""
    _, low, high = interval(values, level)
    if _piled(values, bound):
        beyond = float(np.quantile(np.abs(values - bound), level))
        low, high = (bound, bound + beyond) if bound < float(np.median(values)) else (bound - beyond, bound)
    return f"{parameter.said(low)} and {parameter.said(high)}"


def _sides_without_data(model: WindowModel) -> list[str]:
    """Say when all observations lie on one side of Δt = 0 and the window has another side."""
    at = model.observations.delta_t_ms
    names = {each.name for each in model.window.amplitudes}
    said = []
    for name, there, order in (
        ("amplitude_plus", (at >= 0.0).any(), "Δt > 0 (pre leads)"),
        ("amplitude_minus", (at <= 0.0).any(), "Δt < 0 (post leads)"),
    ):
        if name in names and not there:
            said.append(f"no observation lies at {order}: that side of the window is what was believed before")
    return said


def _ties(model: WindowModel, z: FloatArray, kinds: list[Convergence]) -> list[str]:
    if len(model.parameters) < 2:
        return []
    correlation = np.asarray(np.corrcoef(z.T))
    return [
        f"{first.symbol} and {second.symbol} are known only together (correlation {correlation[i, j]:.2f})"
        for i, first in enumerate(model.parameters)
        for j, second in enumerate(model.parameters)
        if i < j and abs(correlation[i, j]) > _TIED and {kinds[i], kinds[j]} == {"converged"}
    ]
