"""Do two conditions have the same timing window? Differences of its parameters, and the evidence for a difference."""

from dataclasses import dataclass
from math import isfinite, nan
from typing import TYPE_CHECKING

import numpy as np

from ephysplast.errors import OK, EphysplastError
from ephysplast.fitting.fit import WindowFit, fit_window
from ephysplast.fitting.identifiability import interval
from ephysplast.fitting.likelihood import FitConfig
from ephysplast.fitting.observations import Observations, pooled
from ephysplast.fitting.rank import STRONG, WindowRanking
from ephysplast.fitting.windows import Window
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate, Result

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowComparison(Result):
    """One window fitted to two conditions apart and together.

    Attributes
    ----------
    window : Window
        What was fitted.
    names : tuple of str
        Of the parameters.
    first_table, second_table : Observations
        Both conditions.
    first, second, together : WindowFit
        Of each condition, and of both as one table.
    difference : tuple of Estimate
        Second minus first, of each parameter; without a value where either has none.
    delta_t_ms : numpy.ndarray, shape (m,)
    curve, curve_low, curve_high : numpy.ndarray, shape (m,)
        Difference of the change at each Δt, and its interval.
    log_evidence_different : float
        Log evidence for two windows (each with its own scatter) over one; positive when they differ. NaN when a fit
        failed.
    status : str
        ``"ok"``, or why they could not be compared.
    sentence : str
        The answer for people, with what the fits could not have produced.
    """

    window: Window
    names: tuple[str, ...]
    first_table: Observations
    second_table: Observations
    first: WindowFit
    second: WindowFit
    together: WindowFit
    difference: tuple[Estimate, ...]
    delta_t_ms: FloatArray
    curve: FloatArray
    curve_low: FloatArray
    curve_high: FloatArray
    log_evidence_different: float
    status: str
    sentence: str

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per parameter; changes are fractions of the baseline."""
        import pandas as pd

        rows = zip(self.names, self.first.estimates, self.second.estimates, self.difference, strict=True)
        return pd.DataFrame(
            [
                {
                    "window": self.window.name,
                    "parameter": name,
                    "first": first.value,
                    "second": second.value,
                    "difference": each.value,
                    "low": each.low,
                    "high": each.high,
                    "status": each.status,
                }
                for name, first, second, each in rows
            ]
        )


def compare_conditions(
    first: Observations,
    second: Observations,
    *,
    window: Window,
    rng: np.random.Generator,
    config: FitConfig | None = None,
) -> WindowComparison:
    """Fit one window to two conditions, apart and together, and return their difference.

    Parameters
    ----------
    first, second : Observations
        For example ``table.of_condition("control")`` and ``table.of_condition("drug")``.
    window : Window
        Usually the one that :func:`window_for_both` chooses.
    rng : numpy.random.Generator
        Where the randomness comes from.
    config : FitConfig, optional
        Noise, scales, sampler.

    Returns
    -------
    WindowComparison
        Its status says so when a fit failed.

    Examples
    --------
    >>> from ephysplast.fitting import find_window, make_observations
    >>> rng = np.random.default_rng(4)
    >>> at, window = np.linspace(-60.0, 60.0, 40), find_window("symmetric")
    >>> def table(a):
    ...     return make_observations(at, window.change(at, shape=[20.0], amplitudes=[a]) + 0.1 * rng.normal(size=40))
    >>> found = compare_conditions(table(0.4), table(1.0), window=window, rng=rng, config=FitConfig(n_particles=500))
    >>> found.difference[found.names.index("amplitude")].low > 0.2
    True
    """
    chosen = config or FitConfig()
    tables = (first, second, pooled(first, second))
    one, two, both = (
        fit_window(each, window, rng=stream, config=chosen, with_profiles=False)
        for each, stream in zip(tables, rng.spawn(3), strict=True)
    )
    failed = [each.status for each in (one, two, both) if each.convergence == "failed"]
    status = failed[0] if failed else OK
    gain = nan if failed else one.log_evidence + two.log_evidence - both.log_evidence
    low, curve, high = _curves(one, two, both.curve_delta_t_ms, chosen.level)
    difference = tuple(_difference(one, two, i, chosen.level) for i in range(len(one.names)))
    return WindowComparison(
        window=window,
        names=one.names,
        first_table=first,
        second_table=second,
        first=one,
        second=two,
        together=both,
        difference=difference,
        delta_t_ms=both.curve_delta_t_ms,
        curve=curve,
        curve_low=low,
        curve_high=high,
        log_evidence_different=gain,
        status=status,
        sentence=_sentence(gain, status, one, two),
    )


def window_for_both(first: WindowRanking, second: WindowRanking) -> Window:
    """Return the window that explains two conditions best, each with parameters of its own.

    The best window of one condition, or of both as one table, may be blind to a change that only the other one has.

    Parameters
    ----------
    first, second : WindowRanking
        From :func:`rank_windows`, with the same windows.

    Returns
    -------
    Window
        That with the largest sum of log evidences.

    Raises
    ------
    EphysplastError
        If no window could be fitted to both.

    Examples
    --------
    >>> from ephysplast.fitting import find_window, make_observations, rank_windows
    >>> rng, at = np.random.default_rng(4), np.linspace(-60.0, 60.0, 30)
    >>> some = tuple(find_window(each) for each in ("none", "symmetric"))
    >>> def ranked(a):
    ...     change = find_window("symmetric").change(at, shape=[20.0], amplitudes=[a]) + 0.1 * rng.normal(size=30)
    ...     return rank_windows(make_observations(at, change), rng, windows=some, config=FitConfig(n_particles=300))
    >>> window_for_both(ranked(0.0), ranked(1.0)).name
    'symmetric'
    """
    evidence = {each.window.name: each.log_evidence for each in second.fits}
    both = [(each.log_evidence + evidence.get(each.window.name, nan), each.window) for each in first.fits]
    known = [each for each in both if isfinite(each[0])]
    if not known:
        raise EphysplastError(
            "no window could be fitted to both conditions",
            got=f"{len(first.observations)} and {len(second.observations)} observations",
            remedy="pair more cells",
        )
    return max(known, key=lambda each: each[0])[1]


def _curves(one: WindowFit, two: WindowFit, at: FloatArray, level: float) -> FloatArray:
    """Return the difference of the change at each Δt: lower end, median, upper end."""
    n = min(1000, len(one.draws), len(two.draws))
    if n == 0:
        return np.full((3, at.size), nan)
    apart = two.window.changes(at, two.draws[:n]) - one.window.changes(at, one.draws[:n])
    return np.asarray(np.quantile(apart, [0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level], axis=0))


def _difference(one: WindowFit, two: WindowFit, index: int, level: float) -> Estimate:
    for which, each in (("first", one), ("second", two)):
        if each.estimates[index].status != OK:
            return Estimate.missing(f"in the {which} condition {each.estimates[index].status}")
    n = min(len(one.draws), len(two.draws))
    value, low, high = interval(two.draws[:n, index] - one.draws[:n, index], level)
    return Estimate(value=value, low=low, high=high, method=f"posterior median, {100 * level:g} %")


def _sentence(gain: float, status: str, one: WindowFit, two: WindowFit) -> str:
    if status != OK:
        return f"the conditions cannot be compared: {status}"
    if gain > STRONG:
        said = f"the conditions differ (log evidence {gain:.1f} for two windows over one)"
    elif gain < -STRONG:
        said = f"the conditions share one window (log evidence {-gain:.1f} for one over two)"
    else:
        said = f"whether the conditions differ is not decided (log evidence {gain:.1f} for two windows over one)"
    for which, each in (("first", one), ("second", two)):
        if each.check and "could have" not in each.check.sentence:
            said += f"; in the {which}, {each.check.sentence}"
    return said
