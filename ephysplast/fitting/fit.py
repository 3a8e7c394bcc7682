"""One window fitted to a table: what is known of its parameters, and how well it explains the table."""

from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Final

import numpy as np

from ephysplast.errors import OK
from ephysplast.fitting.check import PredictiveCheck, predictive_check
from ephysplast.fitting.evidence import aicc, leave_one_out, sample_posterior
from ephysplast.fitting.identifiability import Convergence, identify, interval, lacking
from ephysplast.fitting.likelihood import FitConfig, WindowModel
from ephysplast.fitting.observations import Observations
from ephysplast.fitting.point_fit import PointFit, maximise, profile_interval
from ephysplast.fitting.smc import Tempered
from ephysplast.fitting.windows import Window
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate, Result

if TYPE_CHECKING:
    import pandas as pd

_CURVE_POINTS: Final = 200
_CURVE_DRAWS: Final = 1000


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowFit(Result):
    """A window fitted to a table of changes.

    Attributes
    ----------
    window : Window
        What was fitted.
    convergence : {"converged", "at a bound", "not identifiable", "failed"}
        How it ended.
    status : str
        ``"ok"`` when converged, else what stands against taking all its parameters as measured.
    names : tuple of str
        Of the parameters: shapes, amplitudes, noise. Changes are fractions of the baseline.
    estimates : tuple of Estimate
        Posterior medians and intervals; without a value where a parameter is at a bound or not identifiable.
    profiles : tuple of Estimate
        Most likely values with profile-likelihood intervals; empty when they were not asked for.
    most_likely : numpy.ndarray, shape (n_parameters,)
        The point fit; NaN when it failed.
    half_width_ms : Estimate
        Half-width at half-maximum above the offset, for windows that have one.
    log_evidence, log_evidence_sd : float
        Logarithm of the marginal likelihood, and its Monte Carlo error. NaN when the fit failed.
    log_likelihood, aicc : float
        At the most likely parameters.
    leave_one_out, leave_one_out_se : float
        Sum of the log predictive densities of each observation given all others, and its standard error.
    leave_one_out_status : str
        ``"ok"``, or why there is none.
    check : PredictiveCheck or None
        Whether the window could have produced the table.
    sentences : tuple of str
        What is not identifiable, at a bound, or known only together.
    draws : numpy.ndarray, shape (n_draws, n_parameters)
        From the posterior.
    curve_delta_t_ms : numpy.ndarray, shape (m,)
        Without 0, where windows may jump.
    curve, curve_low, curve_high : numpy.ndarray, shape (m,)
        Posterior median of the change at each Δt, and its interval.
    residual : numpy.ndarray, shape (n,)
        Change minus what the window expects, averaged over the posterior.
    """

    window: Window
    convergence: Convergence
    status: str
    names: tuple[str, ...]
    estimates: tuple[Estimate, ...]
    profiles: tuple[Estimate, ...]
    most_likely: FloatArray
    half_width_ms: Estimate
    log_evidence: float
    log_evidence_sd: float
    log_likelihood: float
    aicc: float
    leave_one_out: float
    leave_one_out_se: float
    leave_one_out_status: str
    check: PredictiveCheck | None
    sentences: tuple[str, ...]
    draws: FloatArray
    curve_delta_t_ms: FloatArray
    curve: FloatArray
    curve_low: FloatArray
    curve_high: FloatArray
    residual: FloatArray

    def estimate(self, name: str) -> Estimate:
        """Return the estimate of one parameter by its name."""
        return self.estimates[self.names.index(name)]

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per parameter; changes are fractions of the baseline."""
        import pandas as pd

        rows = []
        for i, (name, each) in enumerate(zip(self.names, self.estimates, strict=True)):
            profile = self.profiles[i] if self.profiles else Estimate.missing("not asked")
            rows.append(
                {
                    "window": self.window.name,
                    "parameter": name,
                    "value": each.value,
                    "low": each.low,
                    "high": each.high,
                    "status": each.status,
                    "most_likely": float(self.most_likely[i]),
                    "profile_low": profile.low,
                    "profile_high": profile.high,
                    "profile_status": profile.status,
                }
            )
        return pd.DataFrame(rows)


def fit_window(
    observations: Observations,
    window: Window,
    *,
    rng: np.random.Generator,
    config: FitConfig | None = None,
    with_profiles: bool = True,
) -> WindowFit:
    """Fit one timing window: most likely parameters, posterior, evidence, and what the data leave open.

    Parameters
    ----------
    observations : Observations
        From :func:`read_observations` or :func:`make_observations`.
    window : Window
        One of :data:`WINDOWS`, or your own.
    rng : numpy.random.Generator
        Where the randomness comes from.
    config : FitConfig, optional
        Noise, scales, sampler.
    with_profiles : bool
        Whether profile-likelihood intervals are worked out too.

    Returns
    -------
    WindowFit
        Too few observations, or a likelihood that cannot be maximised, is a fit that failed: its status says why
        and its numbers are NaN.

    Examples
    --------
    >>> from ephysplast.fitting import find_window, make_observations
    >>> rng = np.random.default_rng(4)
    >>> at = np.linspace(-60.0, 60.0, 40)
    >>> window = find_window("hebbian")
    >>> change = window.change(at, shape=[17.0, 34.0], amplitudes=[0.8, -0.4]) + 0.1 * rng.normal(size=40)
    >>> fitted = fit_window(make_observations(at, change), window, rng=rng, config=FitConfig(n_particles=500))
    >>> fitted.convergence
    'converged'
    """
    model = WindowModel(window, observations, config=config or FitConfig())
    why = lacking(model)
    if why:
        return _failed(model, why)
    sampled = sample_posterior(model, rng=rng)
    if sampled.status != OK:
        return _failed(model, sampled.status)
    draws = model.from_standard(sampled.z)
    point = maximise(model, rng=rng, start=draws[int(np.argmax(sampled.log_likelihood))])
    if point.status != OK:
        return _failed(model, point.status)
    return _measured(model, sampled, draws, point, rng=rng, with_profiles=with_profiles)


def _measured(
    model: WindowModel,
    sampled: Tempered,
    draws: FloatArray,
    point: PointFit,
    *,
    rng: np.random.Generator,
    with_profiles: bool,
) -> WindowFit:
    identified = identify(model, z=sampled.z, values=draws, point=point)
    left_out = leave_one_out(model, draws, rng=rng)
    observations, level = model.observations, model.config.level
    at = _curve_delta_t(observations)
    low, curve, high = np.quantile(model.window.changes(at, draws[:_CURVE_DRAWS]), _quantiles(level), axis=0)
    return WindowFit(
        window=model.window,
        convergence=identified.convergence,
        status=identified.status,
        names=point.names,
        estimates=identified.estimates,
        profiles=profile_intervals(model, point) if with_profiles else (),
        most_likely=point.values,
        half_width_ms=_half_width(model.window, identified.estimates, draws, level),
        log_evidence=sampled.log_evidence,
        log_evidence_sd=sampled.log_evidence_sd,
        log_likelihood=point.log_likelihood,
        aicc=aicc(point.log_likelihood, n_parameters=model.n_parameters, n=len(observations)),
        leave_one_out=left_out.total,
        leave_one_out_se=left_out.standard_error,
        leave_one_out_status=left_out.status,
        check=predictive_check(model, draws, rng=rng),
        sentences=identified.sentences,
        draws=draws,
        curve_delta_t_ms=at,
        curve=curve,
        curve_low=low,
        curve_high=high,
        residual=observations.change - model.mean(draws).mean(axis=0),
    )


def profile_intervals(model: WindowModel, point: PointFit) -> tuple[Estimate, ...]:
    """Return the profile-likelihood interval of each parameter, at the level of the model's settings."""
    return tuple(profile_interval(model, point, name=name, level=model.config.level) for name in point.names)


def _quantiles(level: float) -> list[float]:
    return [0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]


def _curve_delta_t(observations: Observations) -> FloatArray:
    reach = 1.08 * max(float(np.abs(observations.delta_t_ms).max()), 1.0)
    # Dense near 0, where windows are steep; never 0 itself.
    half = reach * np.linspace(0.0, 1.0, _CURVE_POINTS // 2) ** 2 + 1e-3
    return np.concatenate([-half[::-1], half])


def _half_width(window: Window, estimates: tuple[Estimate, ...], draws: FloatArray, level: float) -> Estimate:
    if window.half_width_ratio is None:
        return Estimate.missing("this window has no half-width")
    if estimates[0].status != OK:
        return Estimate.missing(estimates[0].status)
    value, low, high = interval(window.half_width_ratio * draws[:, 0], level)
    return Estimate(value=value, low=low, high=high, method=f"posterior median, {100 * level:g} %")


def _failed(model: WindowModel, why: str) -> WindowFit:
    names = tuple(each.name for each in model.parameters)
    at = _curve_delta_t(model.observations)
    flat = np.full(at.size, nan)
    return WindowFit(
        window=model.window,
        convergence="failed",
        status=why,
        names=names,
        estimates=tuple(Estimate.missing(why) for _ in names),
        profiles=(),
        most_likely=np.full(len(names), nan),
        half_width_ms=Estimate.missing(why),
        log_evidence=nan,
        log_evidence_sd=nan,
        log_likelihood=nan,
        aicc=nan,
        leave_one_out=nan,
        leave_one_out_se=nan,
        leave_one_out_status=why,
        check=None,
        sentences=(why,),
        draws=np.empty((0, len(names))),
        curve_delta_t_ms=at,
        curve=flat,
        curve_low=flat,
        curve_high=flat,
        residual=np.full(len(model.observations), nan),
    )
