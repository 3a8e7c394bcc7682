"""Evoked responses at several potentials: found by how they depend on the potential, read by a linear operator.

A response that reverses has no polarity of its own. What does not reverse is its conductance: the slope of the
current over the potential, at each moment after the stimulus. Its peak is the latency at which every sweep is read.
"""

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from ephysplast.analysers._iv_protocol import group_levels
from ephysplast.recording import FloatArray, IntArray
from ephysplast.signal import mean_over, running_mean

if TYPE_CHECKING:
    from ephysplast.analysers.current_voltage import CurrentVoltageConfig

NO_RESPONSE: Final = "no response to the stimulus depends on the potential"

_CLEAR = 4.0  # standard errors: the largest of 30 ms of noise reaches it once in some hundred recordings


class Reading(NamedTuple):
    """When the responses were read (s after the event), what was read (n_readings,), and whether one stands out."""

    latency_s: float
    value: FloatArray
    clear: bool


def read_evoked(cut: FloatArray, cut_s: FloatArray, potential: FloatArray, config: "CurrentVoltageConfig") -> Reading:
    """Read every response at the latency of the largest slope conductance.

    Parameters
    ----------
    cut : numpy.ndarray, shape (n_readings, n_samples)
        Responses above their baselines, upright: multiplied by −1 in current clamp, where an IPSP falls as the
        potential before it rises. NaN rows do not count.
    cut_s : numpy.ndarray, shape (n_samples,)
        From the event.
    potential : numpy.ndarray, shape (n_readings,)
        In mV.
    config : CurrentVoltageConfig
        Where to search.
    """
    step_s = float(cut_s[1] - cut_s[0])
    half = round(config.reading_ms * 1e-3 / step_s)
    smooth = running_mean(cut, 2 * half + 1)
    if config.latency_ms:
        at = int(np.argmin(np.abs(cut_s - config.latency_ms * 1e-3)))
        return Reading(float(cut_s[at]), smooth[:, at], True)
    allowed = (cut_s >= config.search_start_ms * 1e-3) & (cut_s <= config.search_stop_ms * 1e-3)
    usable = np.isfinite(potential) & np.isfinite(smooth).all(axis=1)
    group = group_levels(np.where(usable, potential, np.nan), config.smallest_difference_mv)
    if group.max(initial=-1) < 1:
        # At one potential there is no slope; the mean shows the response, whichever way it goes.
        mean = mean_over(smooth[usable]) if usable.any() else np.zeros(cut_s.size)
        at = int(np.argmax(np.where(allowed, np.abs(mean), -np.inf)))
        return Reading(float(cut_s[at]), smooth[:, at], False)
    slope, clearness = _conductance(smooth[usable], potential[usable], group[usable])
    at = int(np.argmax(np.where(allowed, slope, -np.inf)))
    return Reading(float(cut_s[at]), smooth[:, at], bool(clearness[at] >= _CLEAR))


def _conductance(rows: FloatArray, potential: FloatArray, group: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the slope over the potential at each sample, and by how many standard errors it exceeds 0."""
    n_groups = int(group.max()) + 1
    # Medians over repeats: a spontaneous event in one sweep must not choose the latency.
    levels = np.array([np.median(rows[group == k], axis=0) for k in range(n_groups)])
    at = np.array([potential[group == k].mean() for k in range(n_groups)])
    weight = np.bincount(group, minlength=n_groups).astype(np.float64)
    centred = at - weight @ at / weight.sum()
    power = float(weight @ centred**2)
    slope = (weight * centred) @ levels / power
    of_rows = potential - weight @ at / weight.sum()
    residual = rows - rows.mean(axis=0) - np.outer(of_rows, slope)
    freedom = len(rows) - 2
    if freedom < 1:
        return slope, np.full(slope.size, np.inf)
    # The usual noise of all samples: a few sweeps do not tell that of each.
    noise = float(np.sqrt(np.median((residual**2).sum(axis=0)) / freedom))
    with np.errstate(divide="ignore"):
        return slope, np.asarray(np.divide(slope, noise / np.sqrt(power)))
