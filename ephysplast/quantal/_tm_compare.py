"""Two phases of one synapse that share D and F: whether U changed, or only A."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ephysplast.errors import OK
from ephysplast.quantal._tm_sampling import Train, TsodyksMarkramConfig, draw_posterior, gather, refusal
from ephysplast.quantal._tm_words import estimate, misfit, unsettled
from ephysplast.result import Estimate, Result, estimates_frame

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Call: TypeAlias = Literal["U", "A", "both", "undetermined"]


@dataclass(frozen=True, eq=False, kw_only=True)
class TsodyksMarkramComparison(Result):
    """What changed between two phases of one synapse: U, or only A.

    Attributes
    ----------
    u_ratio, a_ratio, first_ratio : Estimate
        U, A and A·U after over before: posterior median and 95 % interval.
    u_before, u_after : Estimate
        U in each phase.
    d_ms, f_ms : Estimate
        Shared by both phases.
    u_rises : float
        Posterior probability that U is higher after than before.
    a_rises : float
        The same of A.
    log_ratios : numpy.ndarray, shape (n_draws, 2)
        Draws of the natural logarithms of the ratios of U and of A.
    call : {"U", "A", "both", "undetermined"}
        Whose 95 % interval excludes no change; A only where the ratio of U is known to ``identified_span``.
        Undetermined when neither does, or when the model does not describe the trains.
    accepted : float
        Moves that a draw accepted on average in the last step of sampling; below 2 there is no posterior.
    statement : str
        What changed, as a sentence.
    status : str
        ``"ok"``, or why there is no posterior.
    """

    u_ratio: Estimate
    a_ratio: Estimate
    first_ratio: Estimate
    u_before: Estimate
    u_after: Estimate
    d_ms: Estimate
    f_ms: Estimate
    u_rises: float
    a_rises: float
    log_ratios: FloatArray
    call: Call
    accepted: float
    statement: str
    status: str = OK

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per quantity: median, 95 % interval, unit."""
        return estimates_frame(self)


def compare_tsodyks_markram(
    before: Sequence[Train],
    after: Sequence[Train],
    *,
    rng: np.random.Generator,
    config: TsodyksMarkramConfig | None = None,
) -> TsodyksMarkramComparison:
    """Ask whether U or only A changed between two phases of one synapse.

    Parameters
    ----------
    before, after : sequence of Train
        Trains of each phase; they need not have the same times.
    rng : numpy.random.Generator
        The posterior is found by sampling.
    config : TsodyksMarkramConfig, optional
        As for :func:`fit_tsodyks_markram`, but f is free by default: D and F are shared by the phases, U and A are
        not, and f follows U as far as the trains say (see ``facilitation_slack``). Without a free f it is the U of
        its phase.

    Returns
    -------
    TsodyksMarkramComparison
        With a status other than ``"ok"``, and NaN, when one phase cannot be fitted.

    Raises
    ------
    EphysplastError
        If a phase has no train.

    Notes
    -----
    A change of release probability shows in U; one of quantal amplitude, or of the number of sites, in A only. The
    course of a train tells U by its depression: a facilitating synapse of low U has hardly any, there U and A can be
    told apart only by the facilitation, and without knowing how f follows U not at all. U and f are log-uniform here,
    for a prior uniform in U would hold that at low U a large change of it is unlikely.

    Examples
    --------
    >>> from ephysplast.quantal.tsodyks_markram import predict_train
    >>> rng = np.random.default_rng(0)
    >>> times = np.cumsum(rng.exponential(0.1, size=40))
    >>> def phase(u, a):
    ...     mean = predict_train(times, u=u, d_ms=500.0, f_ms=30.0, a=a)
    ...     return [Train(times_s=times, amplitude=mean, se=np.full(40, 0.1))]
    >>> found = compare_tsodyks_markram(phase(0.3, 20.0), phase(0.5, 20.0), rng=rng)
    >>> round(found.u_ratio.value, 1), round(found.a_ratio.value, 1)
    (1.7, 1.0)
    """
    config = config or TsodyksMarkramConfig(free_f=True)
    seen = [gather(each, config) for each in (before, after)]
    why = next(
        (f"{name}: {said}" for name, each in zip(("before", "after"), seen, strict=True) if (said := refusal(each))), ""
    )
    if why:
        return _no_comparison(why)
    (first, second), accepted = draw_posterior(seen, config, rng)
    if why := unsettled(accepted):
        return _no_comparison(why)
    log_u = np.log(second.parameters[:, 0] / first.parameters[:, 0])
    log_a = np.log(second.a / first.a)
    u_ratio, a_ratio = estimate(np.exp(log_u)), estimate(np.exp(log_a))
    doubt = misfit([first, second], len(config.names) + 3)
    call: Call = "undetermined" if doubt else _call(u_ratio, a_ratio, config.identified_span)
    return TsodyksMarkramComparison(
        u_ratio=u_ratio,
        a_ratio=a_ratio,
        first_ratio=estimate(second.first / first.first),
        u_before=estimate(first.parameters[:, 0]),
        u_after=estimate(second.parameters[:, 0]),
        d_ms=estimate(first.parameters[:, 1]),
        f_ms=estimate(first.parameters[:, 2]),
        u_rises=float(np.mean(log_u > 0.0)),
        a_rises=float(np.mean(log_a > 0.0)),
        log_ratios=np.stack([log_u, log_a], axis=1),
        call=call,
        accepted=accepted,
        statement=f"{doubt}: what changed is not said" if doubt else _change(call, u_ratio, a_ratio),
    )


def _call(u: Estimate, a: Estimate, span: float) -> Call:
    u_changed, a_changed = (not each.low <= 1.0 <= each.high for each in (u, a))
    # What the course does not tell of U, its prior would push into A, because the prior of A is flat.
    a_changed = a_changed and u.high <= span * u.low
    if u_changed and a_changed:
        return "both"
    if u_changed:
        return "U"
    return "A" if a_changed else "undetermined"


def _change(call: Call, u: Estimate, a: Estimate) -> str:
    def said(name: str, each: Estimate) -> str:
        return f"{name} changed by a factor of {each.value:.2f} ({each.low:.2f} to {each.high:.2f})"

    def left(name: str, each: Estimate) -> str:
        return f"a factor of {each.low:.2f} to {each.high:.2f} is possible for {name}"

    if call == "both":
        return f"{said('U', u)} and {said('A', a)}: release, and quantal amplitude or the number of sites"
    if call == "U":
        return f"{said('U', u)}, as a presynaptic change does; {left('A', a)}"
    if call == "A":
        return f"{said('A', a)}, as quantal amplitude or the number of sites do; {left('U', u)}"
    return f"the trains do not tell what changed: {left('U', u)}, {left('A', a)}"


def _no_comparison(why: str) -> TsodyksMarkramComparison:
    none = Estimate.missing(why)
    return TsodyksMarkramComparison(
        u_ratio=none,
        a_ratio=none,
        first_ratio=none,
        u_before=none,
        u_after=none,
        d_ms=none,
        f_ms=none,
        u_rises=nan,
        a_rises=nan,
        log_ratios=np.empty((0, 2)),
        call="undetermined",
        accepted=nan,
        statement=why,
        status=why,
    )
