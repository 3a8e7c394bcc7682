"""What each classical index alone says about the locus: statistics of two phases in, a reading out."""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ephysplast.classify.resample import PhaseMoments, Resamples
from ephysplast.recording import FloatArray
from ephysplast.statistics import Interval
from ephysplast.verdict import CvPlane, PointsTo

Direction = Literal[1, -1]
"""+1 when the response grew, −1 when it shrank."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Reading:
    """One index.

    Attributes
    ----------
    value : float
        After / before.
    interval : Interval
        Of `value`.
    points_to : {"pre", "post", "neither", "undetermined"}
        What it says.
    why : str
        In words.
    vetoes_post : bool
        The index changed in a way that quantal size alone cannot explain.
    beyond_sites : bool
        The index changed more than release sites alone could make it.
    """

    value: float
    interval: Interval
    points_to: PointsTo
    why: str
    vetoes_post: bool = False
    beyond_sites: bool = False

    def unless(self, others: "dict[str, Reading]") -> "Reading":
        """Return the reading, or *undetermined* when it flips in one of the other ways to compute it."""
        vetoes = self.vetoes_post or any(each.vetoes_post for each in others.values())
        beyond = self.beyond_sites and all(each.beyond_sites for each in others.values())
        flips = [how for how, other in others.items() if other.points_to != self.points_to]
        if not flips or self.points_to == "undetermined":
            return replace(self, vetoes_post=vetoes, beyond_sites=beyond)
        decides = "the trend decides it" if "trend" in flips[0] else "one outlier decides it"
        why = f"{self.points_to}, but {others[flips[0]].points_to} {flips[0]}: {decides}, so it does not count"
        return replace(self, points_to="undetermined", why=why, vetoes_post=vetoes, beyond_sites=False)


def read_content(
    log_content: FloatArray, log_r: FloatArray, direction: Direction, resamples: Resamples, level: float
) -> Reading:
    """Read an index that is proportional to quantal content and blind to quantal size: CV⁻², or −ln(failures).

    Parameters
    ----------
    log_content : numpy.ndarray, shape (n_rows,)
        Logarithm of the index after / before, in every resample. Quantal size leaves it at 0, release sites take it
        to log r, release probability to log r or beyond.
    log_r : numpy.ndarray, shape (n_rows,)
        Logarithm of the mean after / before.
    direction : {1, -1}
        Whether the response grew or shrank.
    resamples : Resamples
        Which rows are what.
    level : float
        Confidence level.

    Returns
    -------
    Reading
        *pre* when the interval excludes 1 in the response's direction; *post* when it contains 1 and excludes
        everything that release sites or release probability could do.
    """
    interval = resamples.interval(log_content, level)
    moved = _along(interval, direction)
    behind = _along(resamples.interval(log_content - log_r, level), direction)
    value = float(np.exp(log_content[0]))
    shown = Interval(float(np.exp(interval.low)), float(np.exp(interval.high)))
    points_to, why = _content_says(moved, behind, value_of_sites=float(np.exp(log_r[0])))
    return Reading(value=value, interval=shown, points_to=points_to, why=why, beyond_sites=behind.low > 0.0)


def _content_says(moved: Interval, behind: Interval, *, value_of_sites: float) -> tuple[PointsTo, str]:
    if np.isnan(moved.low) or np.isnan(behind.high):
        return "undetermined", "the variance of the responses cannot be told from that of the noise"
    if moved.low > 0.0 and behind.high < 0.0:
        return "undetermined", "it moved, yet less than release alone would move it: a change at both ends would fit"
    if moved.low > 0.0:
        return "pre", "it moved with the mean, as it does with release probability or the number of active sites"
    if moved.high < 0.0:
        return "undetermined", "it moved against the mean, which neither release nor quantal size explains"
    if behind.high < 0.0:
        return (
            "post",
            f"unchanged, as with quantal size; release would have made it ×{value_of_sites:.2f} or more extreme",
        )
    return "undetermined", "it fits a change of release as well as one of quantal size"


def read_pattern(
    log_ratio: FloatArray,
    direction: Direction,
    resamples: Resamples,
    *,
    level: float,
    margin_percent: float,
    smallest_percent: float,
) -> Reading:
    """Read an index of how a sweep's responses relate to its first, which quantal size cannot change: PPR.

    Parameters
    ----------
    log_ratio : numpy.ndarray, shape (n_rows,)
        Logarithm of the index after / before.
    direction, resamples, level
        As for :func:`read_content`.
    margin_percent : float
        An interval within this counts as unchanged.
    smallest_percent : float
        A smaller change is none.

    Returns
    -------
    Reading
        *pre* when it changed against the response (more release, less facilitation); *undetermined* with a veto
        against *post* when it changed with the response; *post* when unchanged.
    """
    interval = resamples.interval(log_ratio, level)
    along = _along(interval, direction)
    value = float(np.exp(log_ratio[0]))
    shown = Interval(float(np.exp(interval.low)), float(np.exp(interval.high)))
    real = max(value, 1.0 / value) > 1.0 + smallest_percent / 100.0
    moved = real and (along.high < 0.0 or along.low > 0.0)
    reading = Reading(value=value, interval=shown, points_to="undetermined", why="", vetoes_post=moved)
    if moved and along.high < 0.0:
        how = (
            "falls, as when release probability rises" if direction > 0 else "rises, as when release probability falls"
        )
        return replace(reading, points_to="pre", why=how)
    if moved:
        how = "rises with the response" if direction > 0 else "falls with the response"
        why = f"{how}, as facilitating synapses of low release probability do; not a change of quantal size alone"
        return replace(reading, why=why)
    limit = float(np.log1p(margin_percent / 100.0))
    if -limit < interval.low and interval.high < limit:
        why = f"unchanged within ±{margin_percent:g} %, as with quantal size or the number of active sites"
        return replace(reading, points_to="post", why=why)
    return replace(reading, why="known too poorly to say")


def cv_reading(
    before: PhaseMoments,
    after: PhaseMoments,
    direction: Direction,
    resamples: Resamples,
    *,
    level: float,
    pulses: slice,
    smallest_percent: float,
) -> Reading:
    """Read CV⁻² of some of the pulses, averaged in the logarithm."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_content = np.log(after.cv_inverse_square[:, pulses]) - np.log(before.cv_inverse_square[:, pulses])
        log_r = np.log(_positive(after.mean[:, pulses])) - np.log(_positive(before.mean[:, pulses]))
        log_content, log_r = log_content.mean(axis=1), log_r.mean(axis=1)
        reading = read_content(log_content, log_r, direction, resamples, level)
    if not np.isfinite(log_r[0]):
        why = "a mean response is not above zero, or was not measured"
        return replace(reading, points_to="undetermined", why=why, beyond_sites=False)
    if not direction * log_r[0] > np.log1p(smallest_percent / 100.0):
        why = f"these responses changed ×{np.exp(log_r[0]):.2f} only, or not as the first did"
        return replace(reading, points_to="undetermined", why=why, beyond_sites=False)
    return reading


def pattern_reading(
    before: PhaseMoments,
    after: PhaseMoments,
    direction: Direction,
    resamples: Resamples,
    *,
    pulses: slice,
    level: float,
    margin_percent: float,
    smallest_percent: float,
) -> Reading:
    """Read the change of (mean of some later pulses) / (first pulse): a ratio of means."""
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(_later_to_first(after, pulses)) - np.log(_later_to_first(before, pulses))
    if not np.isfinite(log_ratio[0]):
        nothing = Interval(float("nan"), float("nan"))
        return Reading(value=float("nan"), interval=nothing, points_to="undetermined", why="no later response is left")
    return read_pattern(
        log_ratio, direction, resamples, level=level, margin_percent=margin_percent, smallest_percent=smallest_percent
    )


def later_to_first(moments: PhaseMoments, pulses: slice) -> float:
    """Return (mean of some later pulses) / (first pulse) of the observations."""
    return float(_later_to_first(moments, pulses)[0])


def cv_plane(before: PhaseMoments, after: PhaseMoments, resamples: Resamples) -> CvPlane | None:
    """Return the place of the first response in the CV plane; None when its variance is not above the noise."""
    with np.errstate(divide="ignore", invalid="ignore"):
        r = after.mean[:, 0] / before.mean[:, 0]
        y = after.cv_inverse_square[:, 0] / before.cv_inverse_square[:, 0]
    if not (np.isfinite(r[0]) and np.isfinite(y[0])):
        return None
    return CvPlane(
        r=float(r[0]),
        y=float(y[0]),
        r_boot=resamples.boot(r),
        y_boot=resamples.boot(y),
        phi_deg=cv_angle(float(r[0]), float(y[0])),
    )


def cv_angle(r: float, y: float) -> float:
    """Return the angle from the diagonal of the CV plane, for growth and decline alike.

    Parameters
    ----------
    r, y : float
        Mean and CV⁻², after / before.

    Returns
    -------
    float
        φ = atan((y−1)/(r−1)) − 45°, in degrees: above 0 release probability, 0 release sites, −45 quantal size;
        below −45 where CV⁻² moved against the mean (Brock et al. 2020, Front Synaptic Neurosci 12:11).

    Examples
    --------
    >>> [round(cv_angle(*each)) for each in ((1.5, 1.0), (1.5, 1.5), (0.5, 1.0), (0.5, 0.5))]
    [-45, 0, -45, 0]
    """
    side = 1.0 if r >= 1.0 else -1.0
    return float(np.degrees(np.arctan2((y - 1.0) * side, (r - 1.0) * side))) - 45.0


def _along(interval: Interval, direction: Direction) -> Interval:
    return interval if direction > 0 else Interval(-interval.high, -interval.low)


def _positive(values: FloatArray) -> FloatArray:
    return np.where(values > 0.0, values, np.nan)


def _later_to_first(moments: PhaseMoments, pulses: slice) -> FloatArray:
    return _positive(moments.mean[:, pulses].mean(axis=1)) / _positive(moments.mean[:, 0])
