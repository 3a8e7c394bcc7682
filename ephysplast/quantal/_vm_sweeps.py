"""Mean and variance of the sweeps of one condition, of its bootstrap samples, and with groups of sweeps left out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import EphysplastError
from ephysplast.quantal._vm_parabola import Moments
from ephysplast.statistics import block_length, block_resample, detrend, jackknife_indices

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Way: TypeAlias = Literal["trend", "plain", "successive"]

_GROUPS = 100
"""The jackknife only says how skewed an estimate is: so many groups of sweeps say it well enough."""

_NEIGHBOURS = 5
"""Successive differences share sweeps, so they are resampled in runs of at least this many."""


@dataclass(frozen=True, eq=False)
class Condition:
    """The amplitudes of one condition, and how their variance is read."""

    values: FloatArray
    noise_sd: float
    way: Way

    @property
    def n_sweeps(self) -> int:
        """Sweeps of the condition."""
        return int(self.values.size)

    @property
    def spent(self) -> float:
        """Gaussian amplitudes give the variance a sampling variance of 2σ⁴ over this."""
        m = self.values.size
        return {"plain": m - 1.0, "trend": m - 2.0, "successive": 2.0 * (m - 1.0) ** 2 / (3.0 * m - 4.0)}[self.way]

    @property
    def mean(self) -> float:
        """Mean amplitude."""
        return float(self.values.mean())

    @property
    def total(self) -> float:
        """Variance, recording noise included."""
        return float(self.resampled(np.arange(self.units)[None])[1][0])

    @property
    def total_se(self) -> float:
        """Standard error of the variance by k-statistics, its square unbiased for independent amplitudes."""
        m, k2 = self.values.size, self.total
        off = (self.values if self.way == "plain" else detrend(self.values)) - self.mean
        m2, m4 = float(np.mean(off**2)), float(np.mean(off**4))
        k4 = m**2 * ((m + 1) * m4 - 3 * (m - 1) * m2**2) / ((m - 1) * (m - 2) * (m - 3))
        square = (2.0 * k2**2 / self.spent + k4 / m) / (1.0 + 2.0 / self.spent)
        return float(np.sqrt(max(square, 0.0)))

    @property
    def units(self) -> int:
        """What is resampled: sweeps, or pairs of successive sweeps."""
        return self.values.size - (self.way == "successive")

    @property
    def block(self) -> int:
        """Neighbours that are resampled together."""
        kept = self.values if self.way == "plain" else detrend(self.values)
        length = block_length(kept)
        return max(length, min(_NEIGHBOURS, self.units // 2)) if self.way == "successive" else length

    def resampled(self, at: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean and variance (noise included) of every row of indices."""
        if self.way == "successive":
            first, second = self.values[:-1], self.values[1:]
            middle = 0.5 * (first + second)
            middle += self.values.mean() - middle.mean()
            return middle[at].mean(axis=1), (0.5 * (second - first) ** 2)[at].mean(axis=1)
        flat = detrend(self.values) if self.way == "trend" else self.values
        rows, m = flat[at], self.values.size
        return rows.mean(axis=1), rows.var(axis=1, ddof=1) * ((m - 1.0) / (m - 2.0) if self.way == "trend" else 1.0)


def read_sweeps(conditions: Sequence[ArrayLike], same_sweeps: bool) -> list[FloatArray]:
    """Known amplitudes of every condition, or those of whole sweeps."""
    arrays = [np.asarray(each, dtype=np.float64) for each in conditions]
    if any(each.ndim != 1 for each in arrays):
        raise EphysplastError(
            "a condition is not a list of amplitudes",
            got=", ".join(str(each.shape) for each in arrays),
            wanted="one amplitude per sweep; for a train give its pulses one by one",
        )
    if not same_sweeps:
        return [each[np.isfinite(each)] for each in arrays]
    if len({each.size for each in arrays}) > 1:
        got = ", ".join(str(each.size) for each in arrays)
        raise EphysplastError("the pulses are not of the same sweeps", got=f"{got} amplitudes", wanted="equally many")
    whole = np.isfinite(np.asarray(arrays)).all(axis=0) if arrays else np.zeros(0, dtype=np.bool_)
    return [each[whole] for each in arrays]


def read_noise(noise_sd: ArrayLike, n: int) -> FloatArray:
    """Noise SD of every condition."""
    given = np.asarray(noise_sd, dtype=np.float64)
    if given.shape not in ((), (n,)) or not np.all(np.isfinite(given) & (given >= 0.0)):
        raise EphysplastError(
            "the noise is not known", got=str(noise_sd), wanted="an SD of 0 or more, one in all or one per condition"
        )
    return np.broadcast_to(given, (n,))


def observed(conditions: list[Condition]) -> Moments:
    """Moments of the sweeps as they are, one row."""
    return _moments(conditions, [each.resampled(np.arange(each.units)[None]) for each in conditions])


def bootstrapped(conditions: list[Condition], n_boot: int, *, together: bool, rng: np.random.Generator) -> Moments:
    """Moments of bootstrap samples of sweeps; `together` draws the same sweeps in every condition."""
    if together:
        block = max(each.block for each in conditions)
        at = block_resample(conditions[0].units, n_boot, block=block, rng=rng)
        return _moments(conditions, [each.resampled(at) for each in conditions])
    drawn = [block_resample(each.units, n_boot, block=each.block, rng=rng) for each in conditions]
    return _moments(conditions, [each.resampled(at) for each, at in zip(conditions, drawn, strict=True)])


def left_out(conditions: list[Condition], *, together: bool) -> Moments:
    """Moments with each group of neighbouring sweeps left out: of one condition at a time, or of all together."""
    full = [each.resampled(np.arange(each.units)[None]) for each in conditions]
    if together:
        at = _groups(conditions[0].units)
        return _moments(conditions, [each.resampled(at) for each in conditions])
    parts = []
    for i, each in enumerate(conditions):
        at = _groups(each.units)
        row = [tuple(np.repeat(value, at.shape[0]) for value in pair) for pair in full]
        row[i] = each.resampled(at)
        parts.append(row)
    joined = [tuple(np.concatenate([row[i][k] for row in parts]) for k in (0, 1)) for i in range(len(conditions))]
    return _moments(conditions, [(mean, total) for mean, total in joined])


def _groups(n: int) -> IntArray:
    return jackknife_indices(n, block=-(-n // _GROUPS))


def _moments(conditions: list[Condition], pairs: list[tuple[FloatArray, FloatArray]]) -> Moments:
    count = np.asarray([float(each.values.size) for each in conditions])
    noise = np.asarray([each.noise_sd**2 for each in conditions])
    mean, total = (np.stack([pair[k] for pair in pairs], axis=1) for k in (0, 1))
    return Moments(
        mean=mean,
        square=mean**2 - total / count,
        variance=total - noise,
        noise=noise,
        count=count,
        spent=np.asarray([each.spent for each in conditions]),
    )
