"""The fast kernel for two pulses: what the first released is missing at the second until the sites have recovered."""

import numpy as np
from scipy import fft, special

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
    """Probability of k₁ quanta at the first and k₂ at the second pulse, shape (sets, k₁, k₂).

    Given k₁, the n − k₁ sites that kept their vesicle release with u₂ and the k₁ others with recovered·u₂, all
    independently: the generating function is (1 − u₂ + u₂z)^(n−k₁) (1 − r·u₂ + r·u₂z)^k₁, and its values on the unit
    circle give the probabilities by a Fourier transform.
    """
    p, later_p, recovered = chances
    length = fft.next_fast_len(int(n.max()) + 1, real=True)
    # Minus: the forward transform of a probability is its generating function at these points.
    z = np.exp(-2j * np.pi * np.arange(length // 2 + 1) / length)
    kept = np.log1p(later_p[:, None] * (z - 1.0))
    emptied = np.log1p((later_p * recovered)[:, None] * (z - 1.0))
    k = np.minimum(first, n[:, None]).astype(np.float32)[:, :, None]
    # Magnitude and phase apart: real functions of single precision are many times faster than a complex exponential.
    turn, shrink = (
        k * part(emptied - kept).astype(np.float32)[:, None, :] + part(n[:, None] * kept).astype(np.float32)[:, None, :]
        for part in (np.imag, np.real)
    )
    np.exp(shrink, out=shrink)
    values = np.empty(shrink.shape, dtype=np.complex64)
    values.real, values.imag = shrink * np.cos(turn), shrink * np.sin(turn)
    given = np.maximum(fft.irfft(values, length, axis=2), np.float32(0.0))
    columns = np.minimum(later, length - 1).astype(np.intp)[:, None, :]
    chosen = np.take_along_axis(given, columns, axis=2) * (later <= n[:, None])[:, None, :]
    weight = np.exp(_log_binomial(first, n[:, None], p[:, None]))
    return np.asarray(chosen * weight.astype(np.float32)[:, :, None])


_LOG_FACTORIAL = special.gammaln(np.arange(512) + 1.0)


def _log_binomial(k: FloatArray, n: FloatArray, p: FloatArray) -> FloatArray:
    """Log probability of k successes; minus infinity where there are more than n."""
    p = np.clip(p, 1e-9, 1.0 - 1e-9)
    tried, done = n.astype(np.intp), k.astype(np.intp)
    ways = _LOG_FACTORIAL[tried] - _LOG_FACTORIAL[done] - _LOG_FACTORIAL[np.maximum(tried - done, 0)]
    return np.where(done <= tried, ways + k * (np.log(p) - np.log1p(-p)) + n * np.log1p(-p), -np.inf)
