"""Bootstrap by weights: every sample is a row of how often each sweep counts, so all statistics are matrix products."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ephysplast.recording import FloatArray
from ephysplast.statistics import Interval, bca_interval, block_length, block_resample, jackknife_indices

BoolArray = NDArray[np.bool_]


def bootstrap_weights(n: int, n_boot: int, *, block: int, rng: np.random.Generator) -> FloatArray:
    """Count how often each observation is drawn in each bootstrap sample.

    Parameters
    ----------
    n, n_boot : int
        Observations, and bootstrap samples.
    block : int
        Neighbours that are drawn together.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Returns
    -------
    numpy.ndarray, shape (n_boot, n)
        Each row sums to n.

    Examples
    --------
    >>> bootstrap_weights(5, 3, block=1, rng=np.random.default_rng(1)).sum(axis=1).tolist()
    [5.0, 5.0, 5.0]
    """
    return _counts(block_resample(n, n_boot, block=block, rng=rng), n)


@dataclass(frozen=True, eq=False, kw_only=True)
class Resamples:
    """Weights of two phases, row by row together: the observations themselves, the jackknife, the bootstrap.

    Attributes
    ----------
    baseline, post : numpy.ndarray, shape (1 + n_jackknife + n_boot, n_sweeps)
        Weight of every sweep. The jackknife leaves out blocks of the one phase while the other stays whole.
    n_jackknife : int
        Rows of the jackknife.
    n_independent : float
        Sweeps per block length in the phase that has fewer: what widens the intervals of short phases.
    """

    baseline: FloatArray
    post: FloatArray
    n_jackknife: int
    n_independent: float

    def interval(self, values: FloatArray, level: float) -> Interval:
        """Return the BCa interval of a statistic computed in every row.

        A ratio of variances is skewed in small samples: its percentile interval misses twice as often on one side.
        """
        first = 1 + self.n_jackknife
        return bca_interval(
            values[first:], float(values[0]), jackknife=values[1:first], level=level, n=self.n_independent
        )

    def boot(self, values: FloatArray) -> FloatArray:
        """Return only the bootstrap samples."""
        return values[1 + self.n_jackknife :]


def resample_phases(baseline: FloatArray, post: FloatArray, n_boot: int, *, rng: np.random.Generator) -> Resamples:
    """Draw the samples of two phases; neighbours stay together for as long as they are alike.

    Parameters
    ----------
    baseline, post : numpy.ndarray, shape (n_sweeps,)
        Amplitudes in order of time, without slow trend: their autocorrelation sets the block length of each phase.
    n_boot : int
        Bootstrap samples.
    rng : numpy.random.Generator
        Where the randomness comes from.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> drawn = resample_phases(rng.normal(size=20), rng.normal(size=30), 100, rng=rng)
    >>> drawn.baseline.shape[0] == drawn.post.shape[0] == 1 + drawn.n_jackknife + 100
    True
    """
    n_before, n_after = baseline.size, post.size
    blocks = block_length(baseline), block_length(post)
    left_out = [
        _counts(jackknife_indices(n, block=block), n) for n, block in zip((n_before, n_after), blocks, strict=True)
    ]
    before = np.vstack(
        [
            np.ones((1, n_before)),
            left_out[0],
            np.ones((len(left_out[1]), n_before)),
            bootstrap_weights(n_before, n_boot, block=blocks[0], rng=rng),
        ]
    )
    after = np.vstack(
        [
            np.ones((1 + len(left_out[0]), n_after)),
            left_out[1],
            bootstrap_weights(n_after, n_boot, block=blocks[1], rng=rng),
        ]
    )
    return Resamples(
        baseline=before,
        post=after,
        n_jackknife=len(left_out[0]) + len(left_out[1]),
        n_independent=min(n_before / blocks[0], n_after / blocks[1]),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class PhaseMoments:
    """Mean and variance of every pulse in every row of weights.

    Attributes
    ----------
    mean, variance : numpy.ndarray, shape (n_rows, n_pulses)
        The variance is unbiased, without the noise variance and, if asked, without linear trend. NaN where too few
        sweeps count.
    """

    mean: FloatArray
    variance: FloatArray

    @property
    def cv_inverse_square(self) -> FloatArray:
        """1/CV², shape (n_rows, n_pulses); infinite where no variance is left over the noise, NaN where no mean is."""
        squared = np.where((self.mean > 0.0) & ~np.isnan(self.variance), self.mean, np.nan) ** 2
        content = np.divide(squared, self.variance, out=np.full_like(squared, np.inf), where=self.variance > 0.0)
        return np.where(np.isnan(squared), np.nan, content)


def phase_moments(
    weights: FloatArray, amplitude: FloatArray, *, time: FloatArray, noise: FloatArray, keep: BoolArray, trend: bool
) -> PhaseMoments:
    """Compute means and variances of one phase for every row of weights.

    Parameters
    ----------
    weights : numpy.ndarray, shape (n_rows, n_sweeps)
        How often each sweep counts.
    amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        NaN where not measured.
    time : numpy.ndarray, shape (n_sweeps,)
        For the trend.
    noise : numpy.ndarray, shape (n_sweeps,)
        The same operator without a response; NaN where not measured.
    keep : numpy.ndarray of bool, shape (n_sweeps, n_pulses)
        False for values to be left out.
    trend : bool
        Fit a straight line in every row and take the variance around it.
    """
    known = keep & np.isfinite(amplitude)
    centre = np.where(known, amplitude, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    value = np.where(known, amplitude - centre, 0.0)  # centred, so that sums of squares keep their digits
    spread = float(np.ptp(time)) or 1.0
    when = np.where(known, ((time - time.mean()) / spread)[:, None], 0.0)
    n, total, squares = weights @ known.astype(np.float64), weights @ value, weights @ value**2
    with np.errstate(divide="ignore", invalid="ignore"):
        residual, freedom = squares - total**2 / n, n - 1.0
        if trend:
            time_total = weights @ when
            time_power = weights @ when**2 - time_total**2 / n
            shared = weights @ (value * when) - total * time_total / n
            residual, freedom = residual - np.where(time_power > 0.0, shared**2 / time_power, 0.0), freedom - 1.0
        variance = np.where(freedom > 0.0, residual / freedom, np.nan)
        return PhaseMoments(mean=centre + total / n, variance=variance - _noise_variance(weights, noise)[:, None])


def _noise_variance(weights: FloatArray, noise: FloatArray) -> FloatArray:
    known = np.isfinite(noise)
    value = np.where(known, noise - (noise[known].mean() if known.any() else 0.0), 0.0)
    n, total = weights @ known.astype(np.float64), weights @ value
    return np.asarray(np.where(n > 1.0, (weights @ value**2 - total**2 / n) / (n - 1.0), np.nan))


def _counts(rows: NDArray[np.int64], n: int) -> FloatArray:
    shifted = rows + n * np.arange(len(rows))[:, None]
    counts = np.bincount(shifted.reshape(-1), minlength=n * len(rows))
    return counts.reshape(len(rows), n).astype(np.float64)
