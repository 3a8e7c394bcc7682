"""Spike times to neo spike trains."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ephysplast.errors import EphysplastError
from ephysplast.recording import FloatArray
from ephysplast.units import strip_unit


def to_spiketrains(
    spikes: Any,
    *,
    sweep_start_s: FloatArray,
    sweeps: Sequence[int] | None = None,
    start_s: float | FloatArray | None = None,
    stop_s: float | FloatArray | None = None,
    annotations: Mapping[str, Any] | None = None,
) -> list[Any]:
    """Turn spike times into `neo.SpikeTrain` objects on the recording's clock, for elephant and others.

    Parameters
    ----------
    spikes : SpikeResult, or sequence of numpy.ndarray
        What `measure_spikes` found (anything with ``trains()``, ``sweeps``, ``start_s`` and ``stop_s``), or the spike
        times of each sweep in s from its start.
    sweep_start_s : numpy.ndarray, shape (n_sweeps_of_recording,)
        When each sweep of the recording began: `Recording.sweep_start_s`.
    sweeps : sequence of int, optional
        Which sweep each train is of; by default as the result says, or the first, second, ….
    start_s, stop_s : float or numpy.ndarray, shape (n_trains,)
        The window in which spikes were looked for, from the sweep's start; by default as the result says. Needed for
        plain arrays: a rate has no meaning without.
    annotations : mapping, optional
        For every train.

    Returns
    -------
    list of neo.SpikeTrain
        Times in s, with ``t_start`` and ``t_stop`` of the window; the annotation ``sweep`` is the index from 0. A sweep
        that was not looked at (NaN) has no train.

    Raises
    ------
    EphysplastError
        If lengths differ, the window is not given, or a spike lies outside of it.

    Examples
    --------
    >>> train, = to_spiketrains([np.array([0.2, 0.3])], sweep_start_s=np.array([10.0]), start_s=0.1, stop_s=0.6)
    >>> train.magnitude.tolist(), str(train.units.dimensionality), float(train.t_stop), train.annotations["sweep"]
    ([10.2, 10.3], 's', 10.6, 0)
    """
    import neo

    trains = [np.asarray(each, dtype=np.float64) for each in (spikes.trains() if hasattr(spikes, "trains") else spikes)]
    chosen = np.asarray(getattr(spikes, "sweeps", range(len(trains))) if sweeps is None else sweeps, dtype=np.int64)
    starts = strip_unit(sweep_start_s, "s").reshape(-1)
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < starts.size:
        raise EphysplastError(
            "there is no such sweep",
            got=f"sweep index {chosen.min()} to {chosen.max()}",
            wanted=f"0 to {starts.size - 1}: one start per sweep of the recording",
        )
    begin = _of_trains(start_s, getattr(spikes, "start_s", None), len(trains), "start_s")
    end = _of_trains(stop_s, getattr(spikes, "stop_s", None), len(trains), "stop_s")
    of = _of_trains(starts[chosen], None, len(trains), "sweeps")
    found = []
    for place in np.flatnonzero(np.isfinite(begin + end)):
        times_s = trains[place]
        if times_s.size and (times_s.min() < begin[place] or times_s.max() > end[place]):
            raise EphysplastError(
                "a spike lies outside of its window",
                got=f"{times_s.min():.6g} to {times_s.max():.6g} s",
                wanted=f"{begin[place]:.6g} to {end[place]:.6g} s",
            )
        found.append(
            neo.SpikeTrain(
                of[place] + times_s,
                units="s",
                t_start=of[place] + begin[place],
                t_stop=of[place] + end[place],
                **{**(annotations or {}), "sweep": int(chosen[place])},
            )
        )
    return found


def _of_trains(given: float | FloatArray | None, known: FloatArray | None, n_trains: int, name: str) -> FloatArray:
    """Give every train its number."""
    chosen = known if given is None else given
    if chosen is None:
        raise EphysplastError(f"spike trains need {name}", remedy="give the window in which spikes were looked for")
    values = strip_unit(chosen, "s")
    if values.ndim and values.shape != (n_trains,):
        raise EphysplastError(f"{name} needs one number per train", got=f"{values.shape}", wanted=f"({n_trains},)")
    return np.asarray(np.broadcast_to(values, (n_trains,)))
