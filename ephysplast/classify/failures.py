"""The method of failures: how often nothing is released."""

import numpy as np

from ephysplast.classify.indices import Direction, Reading, read_content
from ephysplast.classify.resample import Resamples
from ephysplast.recording import FloatArray

_MISSED_SD = 2.0
# Noise hardly ever reaches 3 SD, so what lies between 3 and 5 are small responses; where there are such, others are
# smaller still and counted as failures.
_GAP_SD = (3.0, 5.0)
_GAP_SHARE = 0.03
_FEWEST = 5


def failure_reading(
    before: FloatArray, after: FloatArray, noise_sd: float, *, direction: Direction, resamples: Resamples, level: float
) -> Reading | str:
    """Read the quantal content from failures, −ln(failure fraction), after / before.

    Its place between 1 (quantal size), the change of the mean (release sites) and beyond (release probability) is read
    as that of CV⁻² is.

    Parameters
    ----------
    before, after : numpy.ndarray, shape (n_sweeps,)
        First responses.
    noise_sd : float
        Of the noise of single amplitudes; a failure lies below 2 of it.
    direction, resamples, level
        As for :func:`~ephysplast.classify.indices.read_content`.

    Returns
    -------
    Reading or str
        The reason when failures cannot be told from responses, or are too few: where small responses hide in the
        noise, larger quanta alone make failures seem rarer.
    """
    if not noise_sd > 0.0:
        return "the noise was not measured, so failures cannot be told from responses"
    for phase in (before, after):
        near = np.count_nonzero((phase >= _GAP_SD[0] * noise_sd) & (phase < _GAP_SD[1] * noise_sd))
        responses = np.count_nonzero(phase >= _MISSED_SD * noise_sd)
        if near > max(1.0, _GAP_SHARE * responses):
            return f"failures cannot be told from responses: {near} of {responses} lie within 3–5 SD of the noise"
    missed = [phase < _MISSED_SD * noise_sd for phase in (before, after)]
    counts = [int(each.sum()) for each in missed]
    said = f"failures {counts[0]} of {before.size} → {counts[1]} of {after.size}"
    if any(count < _FEWEST or each.size - count < _FEWEST for count, each in zip(counts, missed, strict=True)):
        return f"{said}: at least {_FEWEST} failures and {_FEWEST} responses are needed in each phase"
    contents = [
        _content(weights, each) for weights, each in zip((resamples.baseline, resamples.post), missed, strict=True)
    ]
    means = [
        weights @ phase / weights.sum(axis=1)
        for weights, phase in zip((resamples.baseline, resamples.post), (before, after), strict=True)
    ]
    with np.errstate(divide="ignore", invalid="ignore"):
        log_r = np.log(np.where(means[1] > 0.0, means[1], np.nan) / np.where(means[0] > 0.0, means[0], np.nan))
    return read_content(np.log(contents[1] / contents[0]), log_r, direction, resamples, level)


def failure_fraction(values: FloatArray, noise_sd: float) -> float:
    """Return the share of values below 2 SD of the noise.

    Examples
    --------
    >>> failure_fraction(np.array([0.0, 0.1, 5.0, 6.0]), 0.1)
    0.5
    """
    return float(np.mean(values < _MISSED_SD * noise_sd))


def _content(weights: FloatArray, missed: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> FloatArray:
    # Half a failure and half a response more keep the logarithm finite in samples that drew none.
    fraction = (weights @ missed.astype(np.float64) + 0.5) / (weights.sum(axis=1) + 1.0)
    return np.asarray(-np.log(fraction))
