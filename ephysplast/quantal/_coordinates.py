"""The coordinates that are sampled: means and a quantal amplitude, sites, and nuisances as standard normal numbers.

Everything with bounds is the normal quantile of its place in its prior, so that the nuisance prior is the same for all
and proposals never fall outside.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.quantal.priors import LocusPriors
from ephysplast.statistics import MAD_TO_SD

FloatArray = NDArray[np.float64]

_NO_DRIFT = 1.28
"""A standard normal number within this means no drift: 80 % of the prior."""


_SAME_QUANTA = ("p", "n")
"""Loci whose quanta stay as they are, but for the gain of the recording."""


def nuisance_names(locus: str, *, priors: LocusPriors, pairs: bool) -> tuple[str, ...]:
    """Name the nuisances of a hypothesis ("p", "n", "q" or "pq")."""
    names = ["within", "between", "drift_before", "drift_after", "onset", "log_onset"]
    if pairs:
        names += ["recovered", "log_facilitation"]
    if locus in _SAME_QUANTA and priors.gain_sd > 0.0:
        names.append("gain")
    if pairs and "p" in locus:
        names += ["power", "slack"]
    if priors.noise_sd_error > 0.0:
        names += ["log_noise"]
    return tuple(names)


def main_names(locus: str) -> tuple[str, ...]:
    """Name the other coordinates; log_q is that after, and log_sites a continuous number that is rounded to sites."""
    names = ("log_mean_before", "log_mean_after", "log_q", "log_sites")
    return (*names, "log_q_before") if locus == "pq" else names


def physical(latent: dict[str, FloatArray], priors: LocusPriors) -> dict[str, FloatArray]:
    """Turn standard normal nuisances into what they stand for."""
    low_onset, low_share = np.log(10.0), np.log(priors.min_facilitation)
    scale: dict[str, tuple[float, float]] = {
        "within": (0.0, priors.max_cv_within),
        "between": (0.0, priors.max_cv_between),
        "log_onset": (low_onset, np.log(priors.max_onset_sweeps) - low_onset),
        "recovered": (0.0, 1.0),
        "power": (0.0, 1.0),
        "log_facilitation": (low_share, np.log(priors.max_facilitation) - low_share),
    }
    found = {}
    for name, z in latent.items():
        if name in scale:
            start, length = scale[name]
            found[name] = start + length * special.ndtr(z)
        elif name.startswith("drift"):
            found[name] = drift(z, priors)
        elif name == "onset":
            chance = priors.onset_probability
            found[name] = np.maximum((special.ndtr(z) - (1.0 - chance)) / max(chance, 1e-12), 0.0) * (chance > 0.0)
        else:
            sd = {"slack": priors.facilitation_slack, "gain": priors.gain_sd, "log_noise": priors.noise_sd_error}
            found[name] = z * sd[name]
    return found


def drift(z: FloatArray, priors: LocusPriors) -> FloatArray:
    """Drift end to end as a share of the baseline mean."""
    beyond = np.maximum(np.abs(z) - _NO_DRIFT, 0.0)
    return np.asarray(np.sign(z) * priors.drift_scale * beyond * (1.0 + beyond**2))


@dataclass(frozen=True)
class Heavy:
    """Student t with 5 degrees of freedom."""

    centre: float
    scale: float

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw n values."""
        return np.asarray(self.centre + self.scale * rng.standard_t(5.0, size=n))

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density."""
        norm = special.gammaln(3.0) - special.gammaln(2.5) - 0.5 * np.log(5.0 * np.pi) - np.log(self.scale)
        return np.asarray(norm - 3.0 * np.log1p(((at - self.centre) / self.scale) ** 2 / 5.0))


@dataclass(frozen=True)
class Normal:
    """Standard normal, or half of it and half a look elsewhere."""

    look: Heavy | None = None

    def draw(self, n: int, rng: np.random.Generator) -> FloatArray:
        """Draw n values."""
        plain = rng.standard_normal(n)
        return plain if self.look is None else np.where(rng.random(n) < 0.5, plain, self.look.draw(n, rng))

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density."""
        plain = log_standard_normal(at)
        if self.look is None:
            return plain
        return np.asarray(np.logaddexp(plain, self.look.log_density(at)) - np.log(2.0))


def log_standard_normal(at: FloatArray) -> FloatArray:
    """Log density of a standard normal number."""
    return np.asarray(-0.5 * at**2 - 0.5 * np.log(2.0 * np.pi))


@dataclass(frozen=True, eq=False)
class PhaseSummary:
    """Robust first look at the first responses of a phase, in units of the baseline mean."""

    log_mean: Heavy
    drift: Normal


def summarise(values: FloatArray, priors: LocusPriors) -> PhaseSummary:
    """Where the mean and the drift of a phase are likely to be, from winsorised values."""
    tame = tamed(values)
    slope, slope_se = robust_slope(values)
    mean = max(float(tame.mean()), 0.05)
    se = min(1.3 * slope_se / np.sqrt(12.0) / mean + 0.003, 1.0)
    return PhaseSummary(Heavy(float(np.log(mean)), se), Normal(_drift_look(slope, slope_se, priors)))


def tamed(values: FloatArray) -> FloatArray:
    """Draw values in to 4 robust SD around their median."""
    middle = np.median(values)
    spread = max(MAD_TO_SD * float(np.median(np.abs(values - middle))), 0.5 * float(values.std()), 1e-3)
    return np.clip(values, middle - 4.0 * spread, middle + 4.0 * spread)


def robust_slope(values: FloatArray) -> tuple[float, float]:
    """Drift end to end of winsorised values, and its standard error."""
    tame, course = tamed(values), ramp(values.size)
    weight = float(course @ course)
    slope = float(course @ tame / weight)
    left = tame - tame.mean() - slope * course
    return slope, float(np.sqrt(left @ left / (values.size - 2) / weight))


def _drift_look(slope: float, se: float, priors: LocusPriors) -> Heavy | None:
    if priors.drift_scale <= 0.0:
        return None
    table = np.linspace(_NO_DRIFT, 6.0, 400)
    reach = drift(table, priors)
    at = float(np.interp(abs(slope), reach, table))
    width = float(np.interp(abs(slope) + se, reach, table)) - at
    return Heavy(float(np.copysign(at, slope)), max(1.3 * width, 0.02))


def ramp(n: int) -> FloatArray:
    """Return a straight line from −½ to ½ over the sweeps."""
    return np.linspace(-0.5, 0.5, n)
