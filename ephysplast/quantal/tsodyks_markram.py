"""Short-term plasticity of one synapse: the Tsodyks–Markram model fitted to mean amplitudes of trains.

Convention (values before the jump): u starts at U and R at 1; a pulse of amplitude A·u·R at each time, and over the
interval Δ to the next ``R′ = 1 − [1 − R(1 − u)]·exp(−Δ/D)`` and ``u′ = U + [u + f(1 − u) − U]·exp(−Δ/F)``, classic
f = U (Tsodyks & Markram 1997, doi:10.1073/pnas.94.2.719; as a posterior Costa et al. 2013,
doi:10.3389/fncom.2013.00075).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ephysplast.errors import OK, EphysplastError
from ephysplast.quantal._tm_compare import TsodyksMarkramComparison, compare_tsodyks_markram
from ephysplast.quantal._tm_model import released
from ephysplast.quantal._tm_sampling import Train, TsodyksMarkramConfig, draw_posterior, gather, refusal
from ephysplast.quantal._tm_words import Told, describe, estimate, misfit, unsettled
from ephysplast.result import Estimate, Result
from ephysplast.units import plain_name, unit_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "Train",
    "TsodyksMarkramComparison",
    "TsodyksMarkramConfig",
    "TsodyksMarkramFit",
    "compare_tsodyks_markram",
    "fit_tsodyks_markram",
    "predict_train",
]

FloatArray = NDArray[np.float64]


def predict_train(
    times_s: ArrayLike,
    *,
    u: ArrayLike,
    d_ms: ArrayLike,
    f_ms: ArrayLike,
    facilitation: ArrayLike | None = None,
    a: ArrayLike = 1.0,
) -> FloatArray:
    """Predict the amplitudes of a train from rest.

    Parameters
    ----------
    times_s : array_like, shape (n_pulses,)
        When the pulses come, ascending.
    u, d_ms, f_ms, facilitation, a : float or array_like, shape (n_sets,)
        U, D, F, f and A; f = U when `facilitation` is None.

    Returns
    -------
    numpy.ndarray, shape (n_pulses,) or (n_sets, n_pulses)
        A·u·R in the unit of `a`.

    Raises
    ------
    EphysplastError
        If the times do not ascend.

    Examples
    --------
    >>> predict_train([0.0, 0.05], u=0.5, d_ms=671.0, f_ms=17.0).round(3).tolist()
    [0.5, 0.275]
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not np.all(np.diff(times) > 0.0):
        raise EphysplastError("the pulses of a train are not in order", wanted="ascending times in s")
    sets = np.broadcast_arrays(
        *(
            np.asarray(each, dtype=np.float64)
            for each in (u, d_ms, f_ms, u if facilitation is None else facilitation, a)
        )
    )
    release, recovery, decay, added, scale = (np.atleast_1d(each) for each in sets)
    found = released(1e3 * np.diff(times), u=release, d_ms=recovery, f_ms=decay, f=added) * scale[:, None]
    return found if sets[0].ndim else np.asarray(found[0])


@dataclass(frozen=True, eq=False, kw_only=True)
class TsodyksMarkramFit(Result):
    """Posterior of U, D, F, f and A, and which of them the trains tell.

    Attributes
    ----------
    u, facilitation : Estimate
        U, and f (f = U in the classic model): posterior median and 95 % interval.
    d_ms, f_ms : Estimate
        Time constants of recovery, D, and of facilitation, F.
    a : Estimate
        A, in the unit of the amplitudes: what would come if everything were released.
    first : Estimate
        A·U, the first response from rest; known far better than A and U.
    names : tuple of str
        The free parameters beside A.
    width : numpy.ndarray, shape (n_names,)
        95 % interval as a share of the prior's, 1 for a parameter the trains say nothing of.
    told : tuple of str
        For each of `names` "identified", "loosely", "at most", "at least" or "not identifiable".
    correlation : numpy.ndarray, shape (n_names, n_names)
        Rank correlation of the draws.
    draws : numpy.ndarray, shape (n_draws, 5)
        Draws of equal weight: U, D (ms), F (ms), f, A.
    chi_square : float
        Least misfit met, Σ((mean − model)/SE)².
    n_amplitudes : int
        Mean amplitudes that were known.
    accepted : float
        Moves that a draw accepted on average in the last step of sampling; below 2 there is no posterior.
    statement : str
        What is identified and what not, as a sentence.
    status : str
        ``"ok"``, or why there is no posterior.
    unit : str
        Of the amplitudes, if it was given.
    """

    u: Estimate
    d_ms: Estimate
    f_ms: Estimate
    facilitation: Estimate
    a: Estimate
    first: Estimate
    names: tuple[str, ...]
    width: FloatArray
    told: tuple[Told, ...]
    correlation: FloatArray
    draws: FloatArray
    chi_square: float
    n_amplitudes: int
    accepted: float
    statement: str
    status: str = OK
    unit: str = ""

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per quantity: median, 95 % interval, unit, share of the prior's width, and what is told."""
        import pandas as pd

        told = dict(zip(self.names, zip(self.width, self.told, strict=True), strict=True)) if self.told else {}
        rows = []
        for name in ("u", "d_ms", "f_ms", "facilitation", "a", "first"):
            held: Estimate = getattr(self, name)
            width, word = told.get(name, (nan, ""))
            rows.append(
                {
                    "quantity": plain_name(name),
                    "value": held.value,
                    "low": held.low,
                    "high": held.high,
                    "unit": unit_of(name) or (self.unit if name in ("a", "first") else ""),
                    "width_of_prior": width,
                    "told": word,
                    "status": held.status,
                }
            )
        return pd.DataFrame(rows)

    def predict(self, times_s: ArrayLike) -> FloatArray:
        """Predict the mean amplitudes of any train from rest.

        Returns
        -------
        numpy.ndarray, shape (3, n_pulses)
            2.5 %, median and 97.5 % of the posterior; NaN without a posterior.
        """
        if not self.draws.size:
            return np.full((3, np.asarray(times_s).size), nan)
        u, d_ms, f_ms, facilitation, a = self.draws.T
        drawn = predict_train(times_s, u=u, d_ms=d_ms, f_ms=f_ms, facilitation=facilitation, a=a)
        return np.asarray(np.quantile(drawn, [0.025, 0.5, 0.975], axis=0))


def fit_tsodyks_markram(
    trains: Sequence[Train],
    *,
    rng: np.random.Generator,
    config: TsodyksMarkramConfig | None = None,
    unit: str = "",
) -> TsodyksMarkramFit:
    """Fit the Tsodyks–Markram model to the mean amplitudes of one or several trains.

    Parameters
    ----------
    trains : sequence of Train
        Of one synapse, each from rest: regular, Poisson, with or without recovery pulses. They share one A.
    rng : numpy.random.Generator
        The posterior is found by sampling.
    config : TsodyksMarkramConfig, optional
        Classic or free f, priors, effort.
    unit : str
        Unit of the amplitudes, kept with the result.

    Returns
    -------
    TsodyksMarkramFit
        With a status other than ``"ok"``, and NaN, when fewer than three amplitudes are known or none is a response.

    Raises
    ------
    EphysplastError
        If there is no train.

    Notes
    -----
    Errors of the means are taken as Gaussian and independent. The first response A·U has a flat prior above 0 and is
    summed out exactly, for the amplitudes are linear in it; the rest is sampled by a population that
    goes from a first look to the posterior in steps. A
    small A·U against its error leaves everything to the priors, and the statement says so.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> times = np.cumsum(rng.exponential(0.1, size=40))
    >>> mean = predict_train(times, u=0.5, d_ms=671.0, f_ms=17.0, a=20.0)
    >>> train = Train(times_s=times, amplitude=mean, se=np.full(40, 0.1))
    >>> found = fit_tsodyks_markram([train], rng=rng)
    >>> round(found.u.value, 1), round(found.d_ms.value, -1), found.told[1]
    (0.5, 670.0, 'identified')
    """
    config = config or TsodyksMarkramConfig()
    seen = gather(trains, config)
    if why := refusal(seen):
        return _no_fit(config, why, unit)
    (phase,), accepted = draw_posterior([seen], config, rng)
    if why := unsettled(accepted):
        return _no_fit(config, why, unit)
    words = describe(
        phase.place,
        phase.parameters,
        config.names,
        identified=config.identified,
        span=config.identified_span,
        unidentified=config.unidentified,
    )
    u, d_ms, f_ms = phase.parameters[:, :3].T
    f = phase.parameters[:, 3] if config.free_f else u
    return TsodyksMarkramFit(
        u=estimate(u),
        d_ms=estimate(d_ms),
        f_ms=estimate(f_ms),
        facilitation=estimate(f),
        a=estimate(phase.a),
        first=estimate(phase.first),
        names=config.names,
        width=words.width,
        told=words.told,
        correlation=words.correlation,
        draws=np.stack([u, d_ms, f_ms, f, phase.a], axis=1),
        chi_square=phase.misfit,
        n_amplitudes=phase.n_known,
        accepted=accepted,
        statement="; ".join(part for part in (misfit([phase], len(config.names) + 1), words.statement) if part),
        unit=unit,
    )


def _no_fit(config: TsodyksMarkramConfig, why: str, unit: str) -> TsodyksMarkramFit:
    none, size = Estimate.missing(why), len(config.names)
    return TsodyksMarkramFit(
        u=none,
        d_ms=none,
        f_ms=none,
        facilitation=none,
        a=none,
        first=none,
        names=config.names,
        width=np.full(size, nan),
        told=(),
        correlation=np.full((size, size), nan),
        draws=np.empty((0, 5)),
        chi_square=nan,
        n_amplitudes=0,
        accepted=nan,
        statement=why,
        status=why,
        unit=unit,
    )
