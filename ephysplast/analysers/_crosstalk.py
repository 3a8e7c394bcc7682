"""Tell a synaptic response from a deflection that follows the presynaptic electrode."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.signal import find_peaks, lfilter

from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import crossing

Origin: TypeAlias = Literal["own onset", "zero latency", "tail", "two phases"]

_OWN_SHARE = 0.5  # of its height that a response must rise by itself
_DISTURBED_SHARE = 0.3  # of the response: a coincident deflection this large may be where it comes from
_OVERSHOOT = 0.2  # of a coincident deflection: so much may come of it when it turns round
_FEWEST_SWEEPS = 8  # that tell a variance
_VARIES_ALPHA = 1e-3  # strict, since many places are looked at
_ALIKE = 0.5  # correlation
_TAUS_MS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0)
_FAST_TAUS_MS = (0.0, 0.3, 1.0)  # slower, and a derivative becomes the trace itself again


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """One deflection of the mean.

    Attributes
    ----------
    valley, peak : int
        Indices where it begins to rise, and of its extremum.
    polarity : int
        Its direction.
    onset_ms : float
        Where the line through 20 and 80 % of its own rise begins, after the event.
    origin : str
        ``"own onset"`` is what a synapse makes.
    """

    valley: int
    peak: int
    polarity: int
    onset_ms: float
    origin: Origin


def candidates(
    mean: FloatArray, time_s: FloatArray, *, start: int, stop: int, error: float, earliest_ms: float, settled_ms: float
) -> list[Candidate]:
    """Return the deflections of the mean, both ways, and judge where each comes from.

    Parameters
    ----------
    mean : numpy.ndarray, shape (n_samples,)
        Smoothed, baseline taken away.
    time_s : numpy.ndarray, shape (n_samples,)
        From the event.
    start, stop : int
        Indices between which extrema are looked for.
    error : float
        Standard error of the mean.
    earliest_ms : float
        A deflection that begins sooner has no synaptic delay.
    settled_ms : float
        An extremum sooner than this, where there is a coincident deflection as well, belongs to that.
    """
    zero = int(np.searchsorted(time_s, 0.0))
    early = slice(max(zero - 1, 0), max(start, zero + 1))
    disturbed = float(np.abs(mean[early]).max())
    found = []
    for polarity in (1, -1):
        upright = mean * polarity
        inside = upright[start:stop]
        peaks, _ = find_peaks(inside, prominence=max(2.0 * error, 1e-12))
        for peak in {int(np.argmax(inside)), *(int(each) for each in peaks)}:
            height = float(inside[peak])
            if height <= 0.0:
                continue
            coincident = disturbed > max(_DISTURBED_SHARE * height, 4.0 * error)
            first = start if coincident else zero
            at = start + peak
            valley = first + int(np.argmin(upright[first : at + 1]))
            rise = height - float(upright[valley])
            onset_ms = _onset_ms(upright, time_s, valley, at, rise)
            origin: Origin = "own onset"
            turned = coincident and -float(upright[valley]) >= _OWN_SHARE * height
            swing = height < _OVERSHOOT * disturbed
            if turned and (swing or time_s[at] - time_s[valley] < 2e-3 * settled_ms):
                origin = "two phases"
            elif rise < _OWN_SHARE * height or (coincident and time_s[at] * 1e3 < settled_ms):
                origin = "tail"
            elif onset_ms < earliest_ms and _has_begun(upright, time_s, valley, earliest_ms, error):
                origin = "zero latency"
            found.append(Candidate(valley=valley, peak=at, polarity=polarity, onset_ms=onset_ms, origin=origin))
    return found


def follows(mean: FloatArray, pre: FloatArray, rate_hz: float) -> tuple[float, float]:
    """Return how much of the mean the presynaptic trace explains, and how much its derivative does (r²).

    Each as it is and low-passed, the trace as by a membrane (τ to 30 ms), the derivative by τ to 1 ms; the best counts.

    Examples
    --------
    >>> pre = np.r_[np.zeros(50), np.ones(100), np.zeros(50)]
    >>> itself, derivative = follows(0.02 * pre, pre, 20e3)
    >>> round(itself, 3), derivative < 0.5
    (1.0, True)
    """
    itself, derivative = pre - pre[0], np.gradient(pre)
    best = []
    for driver, taus_ms in ((itself, _TAUS_MS), (derivative, _FAST_TAUS_MS)):
        shapes = [_low_passed(driver, tau_ms, rate_hz) for tau_ms in taus_ms]
        best.append(max(_explained(mean, shape) for shape in shapes))
    return best[0], best[1]


def varies(readings: FloatArray, coincident: FloatArray, rest: FloatArray, *, later: IntArray) -> NDArray[np.bool_]:
    """Tell where sweeps differ from each other as responses do.

    What goes with the coincident deflection, or with a slow trend, is taken off: so an artefact varies. What only
    shifts in time varies for a moment, or in opposite ways before and after it.

    Parameters
    ----------
    readings : numpy.ndarray, shape (n_sweeps, n_places)
        In order of time.
    coincident : numpy.ndarray, shape (n_sweeps,)
        The deflection at the event.
    rest : numpy.ndarray, shape (n_rest,)
        Readings without a response.
    later : numpy.ndarray of int64, shape (n_places,)
        The place where the variation must still be seen; n_places where there is none.

    Returns
    -------
    numpy.ndarray of bool, shape (n_places,)
        True where sweeps differ more than at rest, at least half as much as anywhere, and alike at the later place.
    """
    n_sweeps, n_places = readings.shape
    if min(n_sweeps, len(rest)) < _FEWEST_SWEEPS:
        return np.zeros(n_places, dtype=bool)
    known = np.stack([np.ones(n_sweeps), np.arange(n_sweeps), coincident], axis=1)
    left = readings - known @ np.linalg.lstsq(known, readings, rcond=None)[0]
    spread = np.sqrt((left**2).sum(axis=0) / (n_sweeps - 3))
    limit = rest.std(ddof=1) * np.sqrt(special.fdtri(n_sweeps - 3, len(rest) - 1, 1.0 - _VARIES_ALPHA))
    after = np.minimum(later, n_places - 1)
    shared = (left * left[:, after]).sum(axis=0) / (n_sweeps - 3)
    alike = (later < n_places) & (spread[after] > limit) & (shared > _ALIKE * spread * spread[after])
    return np.asarray((spread > limit) & (spread >= 0.5 * spread.max()) & alike)


def _onset_ms(upright: FloatArray, time_s: FloatArray, valley: int, peak: int, rise: float) -> float:
    if peak <= valley or rise <= 0.0:
        return float(time_s[valley]) * 1e3
    part, at = upright[valley : peak + 1] - upright[valley], time_s[valley : peak + 1]
    if len(part) < 3:
        return float(at[0]) * 1e3
    low, high = (float(crossing(part, at, share * rise, len(part) - 1, before=True)) for share in (0.2, 0.8))
    return (low - (high - low) / 3.0) * 1e3


def _has_begun(upright: FloatArray, time_s: FloatArray, valley: int, earliest_ms: float, error: float) -> bool:
    """Tell whether the deflection can be seen before a synapse could have acted; noise alone shifts onsets too."""
    early = (time_s >= time_s[valley]) & (time_s <= (earliest_ms + 0.25) * 1e-3)
    return bool(early.any()) and float(upright[early].max() - upright[valley]) > 2.0 * error


def _low_passed(trace: FloatArray, tau_ms: float, rate_hz: float) -> FloatArray:
    if tau_ms == 0.0:
        return trace
    keep = float(np.exp(-1e3 / (rate_hz * tau_ms)))
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], trace), dtype=np.float64)


def _explained(mean: FloatArray, shape: FloatArray) -> float:
    total, power = float(mean @ mean), float(shape @ shape)
    return float(mean @ shape) ** 2 / (total * power) if total > 0 and power > 0 else 0.0
