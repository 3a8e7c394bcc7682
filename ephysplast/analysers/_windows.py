"""Windows that may reach beyond the sweep: what is not there is NaN."""

import numpy as np

from ephysplast.recording import FloatArray, IntArray, Trace


def rows_around(trace: Trace, at_s: FloatArray, start_s: float, stop_s: float, *, sweeps: IntArray) -> FloatArray:
    """Fetch the same stretch around a time of its own in each sweep, NaN outside the sweep and where `at_s` is NaN.

    Parameters
    ----------
    trace : Trace
        Where from.
    at_s : numpy.ndarray, shape (n_rows,)
        The time to align to, in s from the sweep's start.
    start_s, stop_s : float
        Relative to `at_s`, in s.
    sweeps : numpy.ndarray of int64, shape (n_rows,)
        The sweep of each row.

    Returns
    -------
    numpy.ndarray of float64, shape (n_rows, n_samples)
        Sample 0 is the one nearest to ``at_s + start_s``.
    """
    rate_hz = trace.rate_hz
    n_samples = round((stop_s - start_s) * rate_hz)
    if len(at_s) and (at_s == at_s[0]).all():
        first_of_all = round((float(at_s[0]) + start_s) * rate_hz)
        if 0 <= first_of_all <= int(trace.lengths[sweeps].min()) - n_samples:
            # The usual case, with nothing to copy.
            return trace.window(first_of_all / rate_hz, (first_of_all + n_samples) / rate_hz, sweeps)
    rows = np.full((len(at_s), n_samples), np.nan)
    known = np.flatnonzero(np.isfinite(at_s))
    first = np.rint((at_s[known] + start_s) * rate_hz).astype(np.int64)
    low = np.clip(-first, 0, n_samples)
    high = np.clip(trace.lengths[sweeps[known]] - first, 0, n_samples)
    # Sweeps that miss the same samples are read together: nearly always all of them.
    for cut in np.unique(np.stack([low, high]), axis=1).T:
        chosen = np.flatnonzero((low == cut[0]) & (high == cut[1]))
        if cut[1] > cut[0]:
            at = (first[chosen] + cut[0]) / rate_hz
            into = np.s_[known[chosen], cut[0] : cut[1]]
            rows[into] = trace.aligned(at, 0.0, (cut[1] - cut[0]) / rate_hz, sweeps[known[chosen]])
    return rows
