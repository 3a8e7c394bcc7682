"""The fast kernel for two pulses: what the first released is missing at the second until the sites have recovered."""

import numpy as np
from scipy import special

from ephysplast.quantal._density import FloatArray, SweepSets, emission

_CHUNK_ELEMENTS = 2_000_000
_WIDTH_SD = 5.5


def pair_densities(values: FloatArray, sets: SweepSets, *, later_p: FloatArray, recovered: FloatArray) -> FloatArray:
    """Joint density of both responses of every sweep, for sets whose release probabilities are constant.

    Parameters
    ----------
    values : shape (sets, sweeps, 2)
        Amplitudes, drift taken off.
    sets : SweepSets
        `p` of the first pulse: its first column counts.
    later_p, recovered : shape (sets,)
        Release probability of a full site at the second pulse; share of empty sites that are full again.

    Returns
    -------
    shape (sets, sweeps)
        0 where all components are out of reach.
    """
    found = np.empty(values.shape[:2])
    first_p = sets.p[:, 0]
    low, high = _first_reach(sets.n, first_p)
    later_low, later_high = _later_reach(sets.n, (low, high), later_p, recovered)
    width = high - low + later_high - later_low + 2.0
    order = np.argsort(width)
    start = 0
    while start < order.size:
        size = max(
            1, int(_CHUNK_ELEMENTS / (values.shape[1] + sets.n.max()) / width[order[min(start + 32, order.size - 1)]])
        )
        rows = order[start : start + min(size, 64)]
        first = low[rows, None] + np.arange(int((high - low)[rows].max()) + 1)
        later = later_low[rows, None] + np.arange(int((later_high - later_low)[rows].max()) + 1)
        table = _released(sets.n[rows], first, later, (first_p[rows], later_p[rows], recovered[rows]))
        some = sets.take(rows)
        scaled = values[rows] / some.q[:, :, None]
        seen_first, seen_later = _seen(scaled[..., 0], first, some), _seen(scaled[..., 1], later, some)
        joint = np.einsum("pks,pks->ps", seen_first, table @ seen_later)
        found[rows] = joint / some.q**2
        start += rows.size
    return found


def _first_reach(n: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    margin = _WIDTH_SD * np.sqrt(n * p * (1 - p)) + 4.0
    return np.maximum(np.floor(n * p - margin), 0.0), np.minimum(np.ceil(n * p + margin), n)


def _later_reach(
    n: FloatArray, first: tuple[FloatArray, FloatArray], p: FloatArray, recovered: FloatArray
) -> tuple[FloatArray, FloatArray]:
    least, most = (p * (n - each * (1.0 - recovered)) for each in (first[1], first[0]))
    margin = _WIDTH_SD * np.sqrt(n * p * (1 - p) + first[1] * p**2 * recovered * (1 - recovered)) + 4.0
    return np.maximum(np.floor(least - margin), 0.0), np.minimum(np.ceil(most + margin), n)


def _seen(scaled: FloatArray, k: FloatArray, sets: SweepSets) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Density of each amplitude (in quanta) given k quanta, shape (sets, k, sweeps)."""
    by_component = np.stack(emission(sets.n[:, None], k, sets), axis=-1).astype(np.float32)
    by_sweep = np.stack([np.ones_like(scaled), scaled, scaled**2], axis=1).astype(np.float32)
    exponent = by_component @ by_sweep
    return np.asarray(np.exp(exponent, out=exponent))


def _released(
    n: FloatArray, first: FloatArray, later: FloatArray, chances: tuple[FloatArray, FloatArray, FloatArray]
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Probability of k₁ quanta at the first and k₂ at the second pulse, shape (sets, k₁, k₂)."""
    p, later_p, recovered = (each[:, None, None] for each in chances)
    sites = n[:, None, None]
    back = np.arange(int(min(first.max(), n.max())) + 1.0)[None, None, :]
    k = first[:, :, None]
    start = _log_binomial(k, sites, p) + _log_binomial(back, k, recovered)
    full = sites - k + back
    reach = np.arange(int(n.max()) + 1.0)
    chance = np.exp(_log_binomial(later[:, None, :], reach[None, :, None], later_p))
    weight = np.zeros((n.size, first.shape[1], reach.size))
    rows, columns, _ = np.nonzero(start > -60.0)
    entries = start > -60.0
    np.add.at(weight, (rows, columns, full[entries].astype(np.intp)), np.exp(start[entries]))
    return np.asarray((weight @ chance).astype(np.float32))


_MOST_SITES = 401
_LOG_FACTORIAL = special.gammaln(np.arange(_MOST_SITES) + 1.0)
_SITES, _QUANTA = np.tril_indices(_MOST_SITES)
_LOG_WAYS = np.full((_MOST_SITES, _MOST_SITES), -np.inf)
_LOG_WAYS[_SITES, _QUANTA] = _LOG_FACTORIAL[_SITES] - _LOG_FACTORIAL[_QUANTA] - _LOG_FACTORIAL[_SITES - _QUANTA]


def _log_binomial(k: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    p = np.clip(p, 1e-9, 1.0 - 1e-9)
    # No sites to choose from (n below 0) leave a weight that the caller never reads: its own is minus infinity there.
    ways = _LOG_WAYS[np.maximum(n, 0.0).astype(np.intp), k.astype(np.intp)]
    return np.asarray(ways + k * (np.log(p) - np.log1p(-p)) + n * np.log1p(-p))
