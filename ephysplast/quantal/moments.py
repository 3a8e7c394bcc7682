"""Mean and variance of binomial release, and the curves they draw in the CV plane."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import EphysplastError

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class ReleaseSets:
    """One or many parameter sets of a synapse with independent release sites.

    Every field is a number or an array of shape ``(n_sets,)``; they broadcast against each other.

    Attributes
    ----------
    n : numpy.ndarray of float
        Release sites, whole numbers from 1.
    p : numpy.ndarray of float
        Probability that a full site releases at the first pulse.
    q : numpy.ndarray of float
        Mean quantal amplitude over the sites, in the unit of the amplitudes; above 0.
    cv_within, cv_between : numpy.ndarray of float
        Quantal variability of one site from release to release, and of the mean quantum from site to site, as
        coefficients of variation.
    noise_sd : numpy.ndarray of float
        Standard deviation of the recording noise, in the unit of the amplitudes.

    Examples
    --------
    >>> ReleaseSets.of(n=5, p=[0.4, 0.55], q=0.35, noise_sd=0.1).p.tolist()
    [0.4, 0.55]
    """

    n: FloatArray
    p: FloatArray
    q: FloatArray
    cv_within: FloatArray
    cv_between: FloatArray
    noise_sd: FloatArray

    @classmethod
    def of(
        cls,
        *,
        n: ArrayLike,
        p: ArrayLike,
        q: ArrayLike,
        noise_sd: ArrayLike,
        cv_within: ArrayLike = 0.0,
        cv_between: ArrayLike = 0.0,
    ) -> "ReleaseSets":
        """Broadcast and check numbers or arrays.

        Raises
        ------
        EphysplastError
            If a value is impossible, or noise and variability within sites are both absent: amplitudes would then
            have no density.
        """
        shaped = np.broadcast_arrays(*(np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (n, p, q)))
        extra = (np.broadcast_to(np.asarray(each, np.float64), shaped[0].shape) for each in (cv_within, cv_between))
        noise = np.broadcast_to(np.asarray(noise_sd, dtype=np.float64), shaped[0].shape)
        sets = cls(n=shaped[0], p=shaped[1], q=shaped[2], cv_within=next(extra), cv_between=next(extra), noise_sd=noise)
        _check(sets)
        return sets

    @property
    def mean(self) -> FloatArray:
        """Mean amplitude, n·p·q."""
        return np.asarray(self.n * self.p * self.q)

    @property
    def variance(self) -> FloatArray:
        """Variance without recording noise: n·q²·[p(1−p)(1 + CV_between²) + p·CV_within²]; one site has no between."""
        between = np.where(self.n > 1, self.cv_between, 0.0)
        spread = (1.0 - self.p) * (1.0 + between**2) + self.cv_within**2
        return np.asarray(self.n * self.q**2 * self.p * spread)

    @property
    def cv_inverse_square(self) -> FloatArray:
        """Mean² over variance, noise left out."""
        return np.asarray(self.mean**2 / self.variance)


def _check(sets: ReleaseSets) -> None:
    wrong = {
        "n": (sets.n < 1) | (sets.n != np.rint(sets.n)),
        "p": ~((sets.p > 0) & (sets.p < 1)),
        "q": ~(sets.q > 0),
        "cv_within": ~(sets.cv_within >= 0),
        "cv_between": ~(sets.cv_between >= 0),
        "noise_sd": ~(sets.noise_sd > 0),
    }
    wanted = "n whole and ≥ 1, 0 < p < 1, q > 0, noise_sd > 0, variabilities ≥ 0"
    for name, bad in wrong.items():
        if np.any(bad):
            got = f"{name} {np.asarray(getattr(sets, name))[bad].flat[0]:g}"
            raise EphysplastError("these release parameters are impossible", got=got, wanted=wanted)


def cv_plane(
    mean_ratio: ArrayLike, locus: str, *, p: float = 0.5, cv_within: float = 0.0, cv_between: float = 0.0
) -> FloatArray:
    """Draw where a pure change of p, n or q lies in the CV plane.

    Parameters
    ----------
    mean_ratio : array_like
        Mean after over mean before, r.
    locus : {"p", "n", "q"}
        What changed.
    p : float
        Release probability before; needed for a change of p only.
    cv_within, cv_between : float
        Quantal variability within and between sites.

    Returns
    -------
    numpy.ndarray, shape of `mean_ratio`
        Ratio of CV⁻² after to before, noise left out: 1 for q, r for n, and for p
        ``r·[(1−p)(1+CV_II²) + CV_I²] / [(1−r·p)(1+CV_II²) + CV_I²]``; NaN where r·p is above 1.

    Examples
    --------
    >>> cv_plane([1.4], "p", p=0.5).round(3).tolist()
    [2.333]
    >>> cv_plane([1.4], "n").tolist(), cv_plane([1.4], "q").tolist()
    ([1.4], [1.0])
    """
    ratio = np.asarray(mean_ratio, dtype=np.float64)
    if locus == "q":
        return np.ones_like(ratio)
    if locus == "n":
        return ratio.copy()
    if locus != "p":
        raise EphysplastError("this locus has no curve of its own", got=locus, wanted="p, n or q")
    between, within = 1.0 + cv_between**2, cv_within**2
    after = np.where(ratio * p <= 1.0, ratio * p, np.nan)
    with np.errstate(divide="ignore"):
        return np.asarray(ratio * ((1.0 - p) * between + within) / ((1.0 - after) * between + within))
