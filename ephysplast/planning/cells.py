"""From one cell to a study: shares with their intervals, cells taken together, cells called, cells for a t test."""

from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from ephysplast.errors import EphysplastError
from ephysplast.quantal import PosteriorConfig

FloatArray = NDArray[np.float64]

MOST_CELLS = 1000
"""More cells than this are no plan."""


def wilson(hits: ArrayLike, n: ArrayLike, *, level: float = 0.95) -> tuple[FloatArray, FloatArray]:
    """Return the interval of a share by Wilson's score (1927, doi:10.1080/01621459.1927.10502953).

    Parameters
    ----------
    hits, n : array_like
        How many of how many; they broadcast, and need not be whole (n an effective number).
    level : float
        Confidence level.

    Returns
    -------
    low, high : numpy.ndarray
        0 and 1 where n is 0.

    Examples
    --------
    >>> [float(each.round(3)) for each in wilson(8, 10)]
    [0.49, 0.943]
    """
    z = float(special.ndtri(0.5 + level / 2.0))
    total = np.asarray(n, dtype=np.float64)
    share = np.divide(hits, total, out=np.full(np.broadcast(hits, total).shape, 0.5), where=total > 0)
    weight = 1.0 / (total + z**2)
    middle = (total * share + z**2 / 2.0) * weight
    half = z * weight * np.sqrt(total * share * (1.0 - share) + z**2 / 4.0)
    # At the ends the formula is exactly 0 and 1, but for rounding.
    low = np.where((share <= 0.0) | (total <= 0), 0.0, middle - half)
    return low, np.where((share >= 1.0) | (total <= 0), 1.0, middle + half)


def right_calls(log_evidence: FloatArray, *, locus: str, config: PosteriorConfig) -> tuple[FloatArray, FloatArray]:
    """Say which evidences call the true locus, and which another one.

    Parameters
    ----------
    log_evidence : numpy.ndarray, shape (…, 4)
        Of p, n, q and p+q; of several cells taken together their sum. NaN calls nothing.
    locus : {"p", "n", "q"}
        The truth. For p "pre" and "pre-or-silent" are right, for n "pre-or-silent" only.
    config : PosteriorConfig
        Threshold and prior masses.

    Returns
    -------
    right, wrong : numpy.ndarray of float, shape (…)
        1 or 0; both 0 is undetermined.

    Examples
    --------
    >>> right_calls(np.array([0.0, -5.0, -9.0, -3.0]), locus="p", config=PosteriorConfig())
    (array(1.), array(0.))
    """
    priors = config.priors
    with np.errstate(divide="ignore"):
        masses = np.log([priors.mass_p, priors.mass_n, priors.mass_q, priors.mass_pq])
    p, n, q, both = np.moveaxis(special.softmax(log_evidence + masses, axis=-1), -1, 0)
    pre = p >= config.threshold
    silent = ~pre & (p + n >= config.threshold)
    post = q >= config.threshold
    right = {"p": pre | silent, "n": silent, "q": post}[locus]
    called = pre | silent | post | (both >= config.threshold)
    return np.asarray(right, dtype=np.float64), np.asarray(called & ~right, dtype=np.float64)


def cells_together(
    log_evidence: FloatArray,
    *,
    locus: str,
    config: PosteriorConfig,
    max_cells: int,
    n_studies: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Judge cells together that share a locus: their Bayes factors multiply.

    Parameters
    ----------
    log_evidence : numpy.ndarray, shape (runs, 4)
        One cell each; a cell with NaN says nothing.
    locus : {"p", "n", "q"}
        The truth.
    config : PosteriorConfig
        Threshold and prior masses; the prior of the locus counts once.
    max_cells : int
        Studies of 1 … so many cells.
    n_studies : int
        Studies drawn from the runs, with replacement.
    rng : numpy.random.Generator
        For drawing them.

    Returns
    -------
    right, wrong : numpy.ndarray, shape (max_cells,)
        Share of studies; NaN without runs.

    Examples
    --------
    >>> cells = np.array([[0.0, -1.0, -3.0, -2.0]])
    >>> right, _ = cells_together(cells, locus="p", config=PosteriorConfig(), max_cells=3, n_studies=10,
    ...                           rng=np.random.default_rng(0))
    >>> right.tolist()
    [1.0, 1.0, 1.0]
    """
    if not len(log_evidence):
        return np.full(max_cells, np.nan), np.full(max_cells, np.nan)
    drawn = rng.integers(0, len(log_evidence), size=(n_studies, max_cells))
    right, wrong = right_calls(np.cumsum(_known(log_evidence)[drawn], axis=1), locus=locus, config=config)
    right, wrong = right.mean(axis=0), wrong.mean(axis=0)
    # Of one cell the runs themselves say it, without drawing.
    alone = right_calls(_known(log_evidence), locus=locus, config=config)
    right[0], wrong[0] = alone[0].mean(), alone[1].mean()
    return right, wrong


def _known(log_evidence: FloatArray) -> FloatArray:
    """Evidence behind the best of each cell; none at all where it is not known."""
    known = np.isfinite(log_evidence).any(axis=1, keepdims=True)
    best = np.max(np.where(np.isnan(log_evidence), -np.inf, log_evidence), axis=1, keepdims=True)
    return np.asarray(np.where(known, log_evidence - np.where(known, best, 0.0), 0.0))


def cells_to_call(share: float, *, at_least: int, power: float) -> int | None:
    """Count the cells that must be recorded so that enough of them are called one by one.

    Parameters
    ----------
    share : float
        Share of cells that are called rightly; NaN gives None.
    at_least : int
        How many called cells are wanted.
    power : float
        Probability of having them.

    Returns
    -------
    int or None
        The smallest m with P(Binomial(m, share) ≥ at_least) ≥ power; None above :data:`MOST_CELLS`.

    Examples
    --------
    >>> cells_to_call(0.5, at_least=1, power=0.8)
    3
    """
    if not share > 0.0:
        return None
    m = np.arange(at_least, MOST_CELLS + 1)
    enough = np.flatnonzero(stats.binom.sf(at_least - 1, m, share) >= power)
    return int(m[enough[0]]) if enough.size else None


def t_test_power(effect: float, n_cells: ArrayLike, *, alpha: float = 0.05) -> FloatArray:
    """Return the power of a two-sided one-sample t test, from the noncentral t distribution.

    Parameters
    ----------
    effect : float
        Mean over SD (Cohen's d).
    n_cells : array_like
        Cells; below 2 the power is 0.
    alpha : float
        False positives where there is no effect.

    Returns
    -------
    numpy.ndarray, shape of `n_cells`
        P(|t′| > t_crit), t′ noncentral with n − 1 degrees of freedom and noncentrality d·√n.

    Examples
    --------
    >>> t_test_power(0.5, [33, 34]).round(3).tolist()
    [0.795, 0.808]
    """
    n = np.asarray(n_cells, dtype=np.float64)
    freedom = np.maximum(n - 1.0, 1.0)
    critical = stats.t.isf(alpha / 2.0, freedom)
    # The far tail, P(t′ < −t_crit), is the near tail of the mirrored effect.
    near, far = (stats.nct.sf(critical, freedom, sign * abs(effect) * np.sqrt(n)) for sign in (1.0, -1.0))
    return np.where(n >= 2.0, np.clip(near + np.nan_to_num(far), alpha, 1.0), 0.0)


def cells_for_t_test(effect: float, *, power: float, alpha: float = 0.05) -> int | None:
    """Count the cells that a two-sided one-sample t test needs.

    Parameters
    ----------
    effect : float
        Mean over SD (Cohen's d); 0 or NaN gives None.
    power, alpha : float
        As wanted.

    Returns
    -------
    int or None
        None above :data:`MOST_CELLS`. Cohen (1988) table 2.4: d 0.5, power .8, α .05 → 34.

    Examples
    --------
    >>> cells_for_t_test(0.5, power=0.8)
    34
    """
    if not 0.0 < alpha < power < 1.0:
        raise EphysplastError("no test has this power", got=f"power {power:g}, α {alpha:g}", wanted="0 < α < power < 1")
    if not abs(effect) > 0.0:
        return None
    # The normal approximation is never above the answer, and a few cells below it.
    start = max(ceil((special.ndtri(power) + special.ndtri(1.0 - alpha / 2.0)) ** 2 / effect**2) - 2, 2)
    if start > MOST_CELLS:
        return None
    m = np.arange(start, min(start + 40, MOST_CELLS) + 1)
    enough = np.flatnonzero(t_test_power(effect, m, alpha=alpha) >= power)
    return int(m[enough[0]]) if enough.size else None
