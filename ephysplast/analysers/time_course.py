"""The time course: responses in minutes around the induction, relative to the baseline."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ephysplast._words import number
from ephysplast.errors import OK, SettingsError
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.recording import FloatArray, IntArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

_S_PER_MIN: Final = 60.0
# A sweep that starts a rounding error before a bin's edge belongs to the bin that begins there.
_EDGE: Final = 1e-6


@dataclass(frozen=True, eq=False, kw_only=True)
class TimeCourse(Result):
    """One response per sweep, and its mean and SEM in bins of time.

    Attributes
    ----------
    status : str
        ``"ok"``, or why the responses cannot be normalised; then `baseline_mean` and all values are NaN.
    unit : str
        Of the values: empty when they are normalised to the baseline mean.
    bin_min : float
        Width of a bin, in min.
    zero_s : float
        The time of the sweep table that is 0 here: the first post sweep or, without one, the last baseline sweep.
    baseline_mean : float
        Mean over the used baseline sweeps, in the sweep table's unit.
    phase : numpy.ndarray of str, shape (n_bins,)
        A bin belongs to one phase; each phase has its own bins, counted from its first sweep.
    time_min : numpy.ndarray, shape (n_bins,)
        Centre of the bin.
    mean, sem : numpy.ndarray, shape (n_bins,)
        Over the used sweeps of the bin. The SEM is the standard deviation over the square root of `n`; the baseline
        mean counts as exact. NaN when fewer than two sweeps are there (the mean: when none is).
    n : numpy.ndarray of int64, shape (n_bins,)
        Used sweeps in the bin. One row with 0 and NaN stands for each pause within a phase, so a line drawn through
        the bins breaks there.
    sweep_phase, sweep_time_min, sweep_value : numpy.ndarray, shape (n_sweeps,)
        The same for each sweep, excluded ones included.
    sweep_used : numpy.ndarray of bool, shape (n_sweeps,)
        Whether the sweep counts.
    """

    status: str = OK
    unit: str
    bin_min: float
    zero_s: float
    baseline_mean: float
    phase: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    time_min: FloatArray
    mean: FloatArray
    sem: FloatArray
    n: IntArray
    sweep_phase: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    sweep_time_min: FloatArray
    sweep_value: FloatArray
    sweep_used: NDArray[np.bool_]

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table, one row per bin."""
        import pandas as pd

        return pd.DataFrame(
            {
                "phase": self.phase,
                "time_min": self.time_min,
                "mean": self.mean,
                "sem": self.sem,
                "n": self.n,
                "unit": self.unit,
            }
        )


def time_course(
    table: SweepTable, *, bin_min: float = 1.0, pulse: int = 1, normalise: bool = True, zero_s: float | None = None
) -> TimeCourse:
    """Put the responses of an experiment on one clock, in minutes from the induction, and average them in bins.

    Parameters
    ----------
    table : SweepTable
        What was measured in each sweep of one pathway.
    bin_min : float
        Width of a bin in min. One minute is what most published time courses show.
    pulse : int
        Which response of a sweep, counted from 1.
    normalise : bool
        Divide by the baseline mean; otherwise the values stay in mV or pA.
    zero_s : float, optional
        The table's time that becomes 0; by default the first post sweep or, without one, the last baseline sweep.

    Returns
    -------
    TimeCourse
        Its status is a sentence when no baseline sweep is left or the baseline mean is not above zero, and the values
        are NaN.

    Raises
    ------
    SettingsError
        If the bin has no width, or the sweeps have no such pulse.

    Examples
    --------
    >>> import numpy as np
    >>> nothing = np.full(4, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.array(["baseline", "baseline", "post", "post"]),
    ...     time_s=np.array([0.0, 30.0, 600.0, 630.0]), amplitude=np.array([[9.0], [11.0], [14.0], [16.0]]),
    ...     noise=nothing, interval_s=np.zeros(1), rs_mohm=nothing, rin_mohm=nothing, holding=nothing,
    ...     excluded=("ok",) * 4, file=("a.abf",) * 4, sweep=np.arange(1, 5))
    >>> course = time_course(table)
    >>> course.time_min.tolist(), course.mean.tolist(), course.n.tolist()
    ([-9.5, 0.5], [1.0, 1.5], [2, 2])
    """
    if not (np.isfinite(bin_min) and bin_min > 0):
        raise SettingsError("a bin of time must have a width", got=f"bin_min {bin_min}", wanted="minutes above 0")
    if not 1 <= pulse <= table.n_pulses:
        raise SettingsError("there is no such response", got=f"pulse {pulse}", wanted=f"1 to {table.n_pulses}")
    amplitude = table.amplitude[:, pulse - 1]
    used = table.used & np.isfinite(amplitude)
    baseline = amplitude[used & (table.phase == BASELINE)]
    status = _status(baseline) if normalise else OK
    known = baseline.size > 0 and status == OK
    baseline_mean = float(baseline.mean()) if known else np.nan
    value = amplitude / baseline_mean if normalise else amplitude.astype(np.float64)
    zero = _zero(table) if zero_s is None else float(zero_s)
    time_min = (table.time_s - zero) / _S_PER_MIN
    bins = [
        _bins(name, time_min[here], value[here], used[here], bin_min=bin_min)
        for name, here in ((each, table.phase == each) for each in dict.fromkeys(table.phase.tolist()))
    ]
    phase, centre, mean, sem, n = (np.concatenate(each) for each in zip(*bins, strict=True)) if bins else _nothing()
    return TimeCourse(
        status=status,
        unit="" if normalise else table.unit,
        bin_min=bin_min,
        zero_s=zero,
        baseline_mean=baseline_mean,
        phase=phase,
        time_min=centre,
        mean=mean,
        sem=sem,
        n=n.astype(np.int64),
        sweep_phase=table.phase,
        sweep_time_min=time_min,
        sweep_value=value,
        sweep_used=used,
    )


def _status(baseline: FloatArray) -> str:
    if not baseline.size:
        return "no baseline sweep is left to normalise to"
    if baseline.mean() <= 0:
        return f"the baseline mean is {number(baseline.mean())}, not above zero, so nothing can be normalised to it"
    return OK


def _zero(table: SweepTable) -> float:
    post = table.time_s[table.phase == POST]
    if post.size:
        return float(post.min())
    baseline = table.time_s[table.phase == BASELINE]
    return float(baseline.max()) if baseline.size else 0.0


_Bins = tuple["np.ndarray[tuple[int], np.dtype[np.str_]]", FloatArray, FloatArray, FloatArray, IntArray]


def _bins(name: str, time_min: FloatArray, value: FloatArray, used: NDArray[np.bool_], *, bin_min: float) -> _Bins:
    """Average the used values of one phase."""
    start = time_min.min()
    index = np.floor((time_min[used] - start) / bin_min + _EDGE).astype(np.int64)
    occupied, which, n = np.unique(index, return_inverse=True, return_counts=True)
    mean = np.bincount(which, weights=value[used], minlength=len(occupied)) / n
    squares = np.bincount(which, weights=(value[used] - mean[which]) ** 2, minlength=len(occupied))
    with np.errstate(invalid="ignore", divide="ignore"):
        sem = np.where(n > 1, np.sqrt(squares / (n - 1) / n), np.nan)
    centre = start + (occupied + 0.5) * bin_min
    pause = np.flatnonzero(np.diff(occupied) > 1) + 1
    centre = np.insert(centre, pause, (centre[pause - 1] + centre[pause]) / 2 if pause.size else [])
    mean, sem = np.insert(mean, pause, np.nan), np.insert(sem, pause, np.nan)
    return np.full(len(centre), name), centre, mean, sem, np.insert(n, pause, 0)


def _nothing() -> _Bins:
    empty = np.empty(0)
    return np.empty(0, dtype=np.str_), empty, empty, empty, np.empty(0, dtype=np.int64)
