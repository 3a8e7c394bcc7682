"""From the posterior to what people see of release: n, p and q, their distribution, the theory curves."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, nan
from typing import TYPE_CHECKING

import numpy as np

from ephysplast._words import number
from ephysplast.errors import OK, EphysplastError
from ephysplast.quantal import LocusPosterior, QuantalSize, ReleaseSets, cv_plane, release_log_density
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate
from ephysplast.statistics import outliers
from ephysplast.verdict import AmplitudeFit, CvPlane, ReleaseEstimate

if TYPE_CHECKING:
    import pandas as pd

NAMES = ("p", "n", "q", "p+q")
"""Of the loci that :data:`~ephysplast.quantal.LOCI` lists, as people write them."""

_N_POINTS = 241
_STRAY_SD = 5.0
_COLUMNS = [
    *("locus", "probability", "quantity", "unit"),
    *("before", "before_low", "before_high", "after", "after_low", "after_high", "status"),
]
_NOT_REFINED = "this locus is too unlikely to be looked at more closely"


@dataclass(frozen=True, kw_only=True)
class Noise:
    """SD of the recording noise, and the standard error of its logarithm."""

    sd: float
    log_se: float


def noise_of(readings: FloatArray) -> Noise:
    """Take the SD of readings without a response; stray ones (spontaneous events) are left to the outliers."""
    known = readings[np.isfinite(readings)]
    known = known[~outliers(known, _STRAY_SD)]
    if known.size < 2:
        return Noise(sd=nan, log_se=inf)
    return Noise(sd=float(known.std(ddof=1)), log_se=float(1.0 / np.sqrt(2.0 * (known.size - 1))))


def release_estimates(posterior: LocusPosterior, *, factor: float = 1.0) -> tuple[ReleaseEstimate, ...]:
    """Put the posterior of n, p and q under every locus into estimates; `factor` is put back on q after."""
    rows = []
    for i, name in enumerate(NAMES):
        found = {
            f"{what}_{phase}": _estimate(posterior, (i, j, k), factor if what == "q" and phase == "after" else 1.0)
            for j, what in enumerate("npq")
            for k, phase in enumerate(("before", "after"))
        }
        rows.append(ReleaseEstimate(locus=name, probability=float(posterior.probability[i]), **found))
    return tuple(rows)


def _estimate(posterior: LocusPosterior, at: tuple[int, int, int], factor: float) -> Estimate:
    value = float(posterior.median[at]) * factor
    if not np.isfinite(value):
        return Estimate.missing(_NOT_REFINED)
    low, high = float(posterior.low[at]) * factor, float(posterior.high[at]) * factor
    return Estimate(value=value, low=low, high=high, status=OK, method="posterior median")


def release_frame(release: Iterable[ReleaseEstimate], *, unit: str = "") -> "pd.DataFrame":
    """Put the estimates of release into one tidy table, in the shape that every command writes.

    Parameters
    ----------
    release : iterable of ReleaseEstimate
        Of a verdict.
    unit : str
        Of the amplitudes, and so of q.

    Returns
    -------
    pandas.DataFrame
        One row per locus and quantity (n, p, q): ``locus``, ``probability`` of it, ``quantity``, ``unit`` (empty for n
        and p), ``before`` and ``after`` (posterior medians if the change was there, each with ``_low`` and ``_high``,
        95 %), ``status``; numbers are NaN where the status, a sentence, is not ``"ok"``. No rows without estimates.

    Examples
    --------
    >>> unknown = Estimate.missing("too unlikely")
    >>> sites, p, q = (Estimate(value=each, low=0.9 * each, high=1.1 * each) for each in (10.0, 0.5, 12.0))
    >>> found = ReleaseEstimate(locus="q", probability=0.99, n_before=sites, n_after=sites, p_before=p, p_after=p,
    ...                         q_before=q, q_after=unknown)
    >>> release_frame([found], unit="pA")[["quantity", "unit", "before", "after", "status"]].values.tolist()
    [['n', '', 10.0, 10.0, 'ok'], ['p', '', 0.5, 0.5, 'ok'], ['q', 'pA', 12.0, nan, 'too unlikely']]
    """
    import pandas as pd

    rows = []
    for each in release:
        for name in "npq":
            found: dict[str, Estimate] = {when: getattr(each, f"{name}_{when}") for when in ("before", "after")}
            row: dict[str, object] = {"locus": each.locus, "probability": each.probability, "quantity": name}
            row["unit"] = unit if name == "q" else ""
            for when, estimate in found.items():
                row |= {when: estimate.value, f"{when}_low": estimate.low, f"{when}_high": estimate.high}
            row["status"] = next((one.status for one in found.values() if one.status != OK), OK)
            rows.append(row)
    return pd.DataFrame(rows, columns=_COLUMNS)


def size_estimate(size: QuantalSize | None, *, unit: str) -> Estimate | None:
    """Return the quantal amplitude that was believed beforehand, as an estimate; None where none was given.

    Raises
    ------
    EphysplastError
        If its unit is not that of the amplitudes.
    """
    if size is None:
        return None
    if size.unit and size.unit != unit:
        raise EphysplastError("the unit of the quantal size is not that of the amplitudes", got=size.unit, wanted=unit)
    if size.status != OK:
        return Estimate.missing(size.status)
    return Estimate(value=size.value, low=size.low, high=size.high, method=size.source)


def size_in_words(size: Estimate | None, release: Iterable[ReleaseEstimate], *, unit: str) -> str:
    """Say which quantal amplitude was believed beforehand, and whether that of the likeliest locus lies outside."""
    if size is None:
        return ""
    if size.status != OK:
        return f"no quantal size was used: {size.status}"
    interval = f" [{number(size.low)}, {number(size.high)}]" if np.isfinite([size.low, size.high]).all() else ""
    said = f"quantal size beforehand {number(size.value)} {unit}{interval} ({size.method})"
    found = max(release, key=lambda each: each.probability).q_before.value
    if found < size.low or found > size.high:  # never where either is NaN
        said += f", from which the amplitudes themselves lead away, to {number(found)} {unit}"
    return said


def with_theory(plane: CvPlane | None, posterior: LocusPosterior) -> CvPlane | None:
    """Add the curves of pure changes of p, n and q, at the release probability that the data give before."""
    if plane is None:
        return None
    best = int(np.argmax(posterior.probability))
    p, (within, between) = float(posterior.median[best, 1, 0]), np.median(posterior.draws_cv[best], axis=0)
    r = np.exp(np.linspace(np.log(0.1), np.log(10.0), 401))
    shape = {"p": p, "cv_within": float(within), "cv_between": float(between)}
    return replace(plane, theory_r=r, theory_y={name: cv_plane(r, name, **shape) for name in ("p", "n", "q")})


def amplitude_fit(
    phases: tuple[FloatArray, FloatArray],
    posterior: LocusPosterior,
    *,
    noise: tuple[float, float],
    unit: str,
    factor: float = 1.0,
) -> AmplitudeFit:
    """Give the distribution of first responses that the likeliest locus expects, averaged over its posterior."""
    best = int(np.argmax(posterior.probability))
    both = np.concatenate(phases)
    low, high = np.percentile(both[np.isfinite(both)], [0.5, 99.5])
    margin = 0.15 * (high - low)
    at = np.linspace(low - margin, high + margin, _N_POINTS)
    densities = [_density(at, posterior, best, k, noise[k], factor if k == 1 else 1.0) for k in (0, 1)]
    return AmplitudeFit(
        before=phases[0],
        after=phases[1],
        unit=unit,
        at=at,
        density_before=densities[0],
        density_after=densities[1],
        noise_before=noise[0],
        noise_after=noise[1],
        locus=NAMES[best],
    )


def _density(
    at: FloatArray, posterior: LocusPosterior, best: int, phase: int, noise: float, factor: float
) -> FloatArray:
    q = posterior.draws_q[best, :, phase] * factor
    within, between = posterior.draws_cv[best].T
    sets = ReleaseSets.of(
        n=posterior.draws_n[best, :, phase],
        p=np.minimum(posterior.draws_p[best, :, phase], 0.999),
        q=q,
        # Peaks are never lines: the posterior knows a smallest spread, and so does this.
        noise_sd=np.maximum(noise, 0.05 * q),
        cv_within=within,
        cv_between=between,
    )
    return np.asarray(np.exp(release_log_density(at, sets)).mean(axis=0))
