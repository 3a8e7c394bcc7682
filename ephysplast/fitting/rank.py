"""Which timing window explains a table of changes best, and how far ahead it is."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import exp
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.errors import OK, EphysplastError
from ephysplast.fitting._toml import toml_table, toml_text
from ephysplast.fitting.fit import WindowFit, fit_window, profile_intervals
from ephysplast.fitting.likelihood import FitConfig, WindowModel
from ephysplast.fitting.observations import Observations
from ephysplast.fitting.point_fit import maximise
from ephysplast.fitting.windows import WINDOWS, Window
from ephysplast.recording import FloatArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

STRONG: Final = 3.0
"""A difference of log evidence (20 : 1) below which two windows count as not told apart (Kass & Raftery 1995,
doi:10.1080/01621459.1995.10476572)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowRanking(Result):
    """All windows fitted to one table, the best first.

    Attributes
    ----------
    observations : Observations
        The table.
    config : FitConfig
        How it was fitted.
    fits : tuple of WindowFit
        By falling evidence; those that failed come last.
    probability : numpy.ndarray, shape (n_windows,)
        Of each window, when all were equally likely before and one of them is true; 0 for those that failed.
    sentence : str
        The answer for people.
    """

    observations: Observations
    config: FitConfig
    fits: tuple[WindowFit, ...]
    probability: FloatArray
    sentence: str

    @property
    def best(self) -> WindowFit:
        """The window with the highest evidence."""
        return self.fits[0]

    def fit(self, name: str) -> WindowFit:
        """Return the fit of a window by the window's name."""
        known = {each.window.name: each for each in self.fits}
        if name not in known:
            raise EphysplastError("this window was not fitted", got=f"'{name}'", wanted=", ".join(known))
        return known[name]

    def rivals(self) -> tuple[WindowFit, ...]:
        """Return the windows, the best one too, that the evidence does not tell from the best one."""
        return tuple(each for each in self.fits if self.best.log_evidence - each.log_evidence < STRONG)

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per window, the best first."""
        import pandas as pd

        rows = []
        for rank, (each, probability) in enumerate(zip(self.fits, self.probability, strict=True), start=1):
            half_width = each.half_width_ms
            rows.append(
                {
                    "rank": rank,
                    "window": each.window.name,
                    "title": each.window.title,
                    "convergence": each.convergence,
                    "log_evidence": each.log_evidence,
                    "log_evidence_sd": each.log_evidence_sd,
                    "log_evidence_behind": self.best.log_evidence - each.log_evidence,
                    "probability": float(probability),
                    "aicc": each.aicc,
                    "leave_one_out": each.leave_one_out,
                    "leave_one_out_se": each.leave_one_out_se,
                    "n_parameters": len(each.names),
                    "half_width_ms": half_width.value,
                    "half_width_low_ms": half_width.low,
                    "half_width_high_ms": half_width.high,
                    "check": each.check.sentence if each.check else "",
                    "status": each.status,
                }
            )
        return pd.DataFrame(rows)

    def parameters_frame(self) -> "pd.DataFrame":
        """Return one row per window and parameter."""
        import pandas as pd

        return pd.concat([each.to_frame() for each in self.fits], ignore_index=True)

    def to_toml(self) -> str:
        """Return the fitted parameters of all windows as TOML text."""
        head = {
            "source": self.observations.source,
            "n_observations": len(self.observations),
            "notes": list(self.observations.notes),
            "delta_t": "t_post - t_pre, ms",
            "changes": "fractions of the baseline",
            "answer": self.sentence,
            "best": self.best.window.name,
        }
        settings = {name: getattr(self.config, name) for name in vars(self.config)}
        tables = [toml_table((), head), toml_table(("settings",), settings)]
        for each, probability in zip(self.fits, self.probability, strict=True):
            tables += _window_tables(each, float(probability))
        return toml_text(tables)


def rank_windows(
    observations: Observations,
    rng: np.random.Generator,
    *,
    windows: tuple[Window, ...] = WINDOWS,
    config: FitConfig | None = None,
    watch: Callable[[WindowFit], None] | None = None,
) -> WindowRanking:
    """Fit timing windows to a table of changes and rank them by their evidence.

    Parameters
    ----------
    observations : Observations
        From :func:`read_observations` or :func:`make_observations`.
    rng : numpy.random.Generator
        Where the randomness comes from; each window has its own stream, so the order of windows does not matter.
    windows : tuple of Window
        Which; all that are known when left out.
    config : FitConfig, optional
        Noise, scales, sampler.
    watch : callable, optional
        Called with each fit as soon as it is done, to show progress.

    Returns
    -------
    WindowRanking

    Raises
    ------
    EphysplastError
        If the table has too few observations for every window.

    Examples
    --------
    >>> from ephysplast.fitting import find_window, make_observations
    >>> rng = np.random.default_rng(4)
    >>> at = np.linspace(-60.0, 60.0, 40)
    >>> change = find_window("hebbian").change(at, shape=[17.0, 34.0], amplitudes=[0.8, -0.4])
    >>> table = make_observations(at, change + 0.1 * rng.normal(size=40))
    >>> some = tuple(find_window(each) for each in ("none", "hebbian", "anti_hebbian"))
    >>> rank_windows(table, rng, windows=some, config=FitConfig(n_particles=300)).best.window.name
    'hebbian'
    """
    chosen = config or FitConfig()
    if not windows:
        raise EphysplastError("no timing window was given", remedy="leave windows out to fit all of them")
    fitted = []
    for each, stream in zip(windows, rng.spawn(len(windows)), strict=True):
        fitted.append(fit_window(observations, each, rng=stream, config=chosen, with_profiles=False))
        if watch is not None:
            watch(fitted[-1])
    known = [each for each in fitted if each.convergence != "failed"]
    _refuse_when_untimed(known, fitted)
    known.sort(key=lambda each: -each.log_evidence)
    highest = known[0].log_evidence
    near = [each for each in known if highest - each.log_evidence < STRONG]
    profiled = [_with_profiles(each, observations, chosen, rng) for each in near]
    fits = (*profiled, *known[len(near) :], *(each for each in fitted if each.convergence == "failed"))
    odds = np.array([exp(each.log_evidence - highest) if each.convergence != "failed" else 0.0 for each in fits])
    return WindowRanking(
        observations=observations,
        config=chosen,
        fits=fits,
        probability=odds / odds.sum(),
        sentence=_sentence(fits, odds / odds.sum()),
    )


def _refuse_when_untimed(known: list[WindowFit], fitted: list[WindowFit]) -> None:
    """Refuse a ranking in which no window that depends on Δt could be fitted, although some were asked for."""
    timed = [each for each in fitted if each.window.shape]
    if not known or (timed and not any(each.window.shape for each in known)):
        simplest = min(timed or fitted, key=lambda each: len(each.names))
        raise EphysplastError(
            "no window that depends on Δt can be fitted",
            got=f"of the simplest ({simplest.window.short}): {simplest.status}",
            remedy="pair more cells, at more timings on both sides of Δt = 0",
        )


def _with_profiles(
    fitted: WindowFit, observations: Observations, config: FitConfig, rng: np.random.Generator
) -> WindowFit:
    model = WindowModel(fitted.window, observations, config=config)
    point = maximise(model, rng=rng, start=fitted.most_likely)
    return replace(fitted, profiles=profile_intervals(model, point), most_likely=point.values)


def _sentence(fits: tuple[WindowFit, ...], probability: FloatArray) -> str:
    best = fits[0]
    share = f"probability {100 * probability[0]:.0f} % among those fitted"
    said = f"the table is explained best by: {best.window.title} ({share})"
    rivals = [each for each in fits[1:] if best.log_evidence - each.log_evidence < STRONG]
    if rivals:
        names = ", ".join(f"{each.window.title} (−{best.log_evidence - each.log_evidence:.1f})" for each in rivals)
        said += f"; not told apart from it by a log evidence of {STRONG:g}: {names}"
    elif len(fits) > 1 and fits[1].convergence != "failed":
        behind = best.log_evidence - fits[1].log_evidence
        said += f"; the next, {fits[1].window.title}, is behind by {behind:.1f} in log evidence"
    failed = [each for each in fits if each.convergence == "failed"]
    if failed:
        names = ", ".join(each.window.short for each in failed)
        said += f". {len(failed)} could not be fitted ({names}): {failed[0].status}"
    if best.status != OK:
        said += f". Of its parameters, {best.status}"
    if best.check and "could have" not in best.check.sentence:
        said += f". But {best.check.sentence}"
    return said


def _window_tables(fitted: WindowFit, probability: float) -> list[str]:
    check = fitted.check
    summary = {
        "title": fitted.window.title,
        "formula": fitted.window.formula,
        "source": fitted.window.source,
        "convergence": fitted.convergence,
        "status": fitted.status,
        "identifiability": list(fitted.sentences),
        "log_evidence": fitted.log_evidence,
        "log_evidence_sd": fitted.log_evidence_sd,
        "probability": probability,
        "aicc": fitted.aicc,
        "leave_one_out": fitted.leave_one_out,
        "leave_one_out_se": fitted.leave_one_out_se,
        "check": check.sentence if check else "",
    }
    path = ("windows", fitted.window.name)
    tables = [toml_table(path, summary)]
    for i, (name, each) in enumerate(zip(fitted.names, fitted.estimates, strict=True)):
        row = {"value": each.value, "low": each.low, "high": each.high, "status": each.status}
        row["most_likely"] = float(fitted.most_likely[i])
        if fitted.profiles:
            profile = fitted.profiles[i]
            row |= {"profile_low": profile.low, "profile_high": profile.high, "profile_status": profile.status}
        tables.append(toml_table((*path, name), row))
    return tables
