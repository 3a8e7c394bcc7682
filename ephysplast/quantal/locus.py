"""Where a change lives: the posterior over p, n, q and p+q from baseline and post amplitudes, jointly."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from math import nan
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ephysplast.errors import OK, EphysplastError, check_settings
from ephysplast.quantal._coordinates import physical, summarise
from ephysplast.quantal._hypotheses import log_target, phases
from ephysplast.quantal._importance import Sampled, Search
from ephysplast.quantal._observed import Observed, observed, sweeps_of, why_not
from ephysplast.quantal._scan import first_look, scan
from ephysplast.quantal.priors import LocusPriors
from ephysplast.quantal.quantal_size import QuantalSize
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]
Call: TypeAlias = Literal["pre", "pre-or-silent", "post", "mixed", "undetermined"]

LOCI: Final = ("p", "n", "q", "pq")
"""The hypotheses: release probability, number of sites, quantal amplitude, p and q together."""

_N_DRAWS = 24

_HOPELESS = 12.0
"""Natural logarithms of evidence behind the best: such a locus is not refined."""

_LOST = 800.0
"""A search that has not settled is given up this far behind the best, over its rounds: 200 after 4, 40 after 20.

Without noise its evidence may rise by a hundred before it settles, most of that in the first rounds.
"""

_SURE_SD, _STEP_ROUNDS = 2.5, 4
"""A call that lies this many sampling errors from the threshold stands; else up to so many rounds more are drawn."""


@dataclass(frozen=True, kw_only=True)
class PosteriorConfig:
    """Settings of the locus posterior.

    Attributes
    ----------
    threshold : float
        Probability from which a locus is called; 0.9.
    priors : LocusPriors
        What is believed beforehand.
    n_first, n_round, n_rounds : int
        Samples per locus in the first look and in each round, and the most rounds after learning.
    effective : float
        Independent samples that are enough for a locus: with 160 its evidence is known to about 8 %. A quarter of it
        is enough where no call is near.
    """

    threshold: float = 0.9
    priors: LocusPriors = field(default_factory=LocusPriors)
    n_first: int = 800
    n_round: int = 150
    n_rounds: int = 24
    effective: float = 160.0

    def __post_init__(self) -> None:
        check_settings(
            self,
            threshold=(0.5, 0.9999),
            n_first=(100, 1_000_000),
            n_round=(50, 1_000_000),
            n_rounds=(1, 1000),
            effective=(10.0, 1e6),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class LocusPosterior(Result):
    """Probability of each locus, and what the data say of n, p and q under it.

    Attributes
    ----------
    probability : numpy.ndarray of float, shape (4,)
        Of :data:`LOCI`; NaN when the status is not ``"ok"``.
    log_evidence, log_evidence_se : numpy.ndarray of float, shape (4,)
        Natural logarithm of the marginal likelihood (amplitudes in baseline means; of a train up to a constant of the
        data), and its sampling error.
    call : {"pre", "pre-or-silent", "post", "mixed", "undetermined"}
        pre: p reaches the threshold; pre-or-silent: n does, or p and n together; post: q; mixed: p+q.
    median, low, high : numpy.ndarray of float, shape (4, 3, 2)
        Under each locus, of n, p and q, before and after: median and 95 % interval; q in the unit of the amplitudes.
        NaN under a locus that is too unlikely to be looked at closely. They are a little narrow: of experiments drawn
        from the prior 90 to 93 % held the truth (``tests/benchmarks/locus_calibration.py``).
    draws_n, draws_p, draws_q : numpy.ndarray of float, shape (4, n_draws, 2)
        Joint draws of the posterior under each locus, before and after.
    draws_cv : numpy.ndarray of float, shape (4, n_draws, 2)
        Quantal variability within and between sites of the same draws.
    log_q_change : (float, float)
        Mean and SD of log(q after / q before) if q changed.
    pulses : tuple of int
        Which pulses of a sweep were read, from 0.
    status : str
        ``"ok"``, or why no locus can be given.
    """

    probability: FloatArray
    log_evidence: FloatArray
    log_evidence_se: FloatArray
    call: Call
    median: FloatArray
    low: FloatArray
    high: FloatArray
    draws_n: FloatArray
    draws_p: FloatArray
    draws_q: FloatArray
    draws_cv: FloatArray
    log_q_change: tuple[float, float]
    pulses: tuple[int, ...] = ()
    status: str = OK

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per locus: probability, evidence, and the medians of n, p, q before and after."""
        import pandas as pd

        columns: dict[str, object] = {
            "locus": LOCI,
            "probability": self.probability,
            "log_evidence": self.log_evidence,
            "log_evidence_se": self.log_evidence_se,
        }
        for i, name in enumerate("npq"):
            for j, phase in enumerate(("before", "after")):
                columns[f"{name}_{phase}"] = self.median[:, i, j]
        return pd.DataFrame(columns)


def locus_posterior(
    before: ArrayLike,
    after: ArrayLike,
    *,
    noise_sd: float | tuple[float, float],
    rng: np.random.Generator,
    config: PosteriorConfig | None = None,
    quantal_size: QuantalSize | None = None,
) -> LocusPosterior:
    """Weigh the loci p, n, q and p+q against each other, baseline and post jointly.

    Parameters
    ----------
    before, after : array_like, shape (n_sweeps,) or (n_sweeps, n_pulses)
        Magnitudes along the expected polarity, in order of time; mV or pA. Sweeps with NaN at the first or second pulse
        are left out, and pulses after the fifth are not read. They must have been read by a linear operator, or the
        noise has no known SD.
    noise_sd : float or (float, float)
        SD of the same operator in a stretch without a response, of both phases or of each; same unit; 0 is allowed.
    rng : numpy.random.Generator
        The evidence is found by sampling.
    config : PosteriorConfig, optional
        Threshold, priors and effort.
    quantal_size : QuantalSize, optional
        What a measurement of its own (minis, minimal stimulation) says of q in the baseline, in the unit of the
        amplitudes; without it the level of q is log-uniform. Never from the sweeps that are judged.

    Returns
    -------
    LocusPosterior
        With a status other than ``"ok"``, and call ``"undetermined"``, when sweeps are too few or there is no
        response to speak of.

    Raises
    ------
    EphysplastError
        If the phases differ in pulses, or the noise is no number.

    Notes
    -----
    Binomial release with quantal variability within and between sites. Summed over: n, p, q, both variabilities, a
    linear drift of each phase, a graded onset of the change, outlying sweeps, and with two pulses recovery and
    facilitation. Of the third to the fifth pulse of a train the scatter alone counts, given their means (which n·q must
    be able to reach): no model of whole trains holds closely enough to let these speak. See :class:`LocusPriors`.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> before, after = (rng.binomial(5, p, size=n) * 0.35 + rng.normal(0, 0.05, n) for p, n in ((0.3, 60), (0.7, 240)))
    >>> locus_posterior(before, after, noise_sd=0.05, rng=rng).call
    'pre'
    """
    config = config or PosteriorConfig()
    first, second = sweeps_of(before), sweeps_of(after)
    if first.shape[1] != second.shape[1]:
        got = f"{first.shape[1]} and {second.shape[1]} pulses"
        raise EphysplastError("the pulses cannot be compared", got=got, wanted="as many in both phases")
    noise = noise_sd if isinstance(noise_sd, tuple) else (noise_sd, noise_sd)
    if not all(np.isfinite(each) and each >= 0.0 for each in noise):
        raise EphysplastError("the noise is not known", got=str(noise_sd), wanted="a standard deviation of 0 or more")
    why = why_not((first, second), noise)
    if why:
        return _undetermined(why)
    seen, scale = observed((first, second), noise, size=quantal_size, outlier_width=config.priors.outlier_width)
    return _weigh(seen, scale, config, rng)


def _weigh(seen: Observed, scale: float, config: PosteriorConfig, rng: np.random.Generator) -> LocusPosterior:
    searches = _search(seen, config, rng)
    _decide(searches, config)
    log_evidence, errors = _evidence(searches)
    # What is said of n, p and q under the likeliest locus needs more draws than the call does.
    likeliest = LOCI[int(np.argmax(_probability(log_evidence, config.priors)))]
    searches[likeliest][1].refine(config.effective, _STEP_ROUNDS)
    log_evidence, errors = _evidence(searches)
    quantiles, draws = np.full((3, 4, 3, 2), nan), np.full((4, _N_DRAWS, 4, 2), nan)
    log_q_change = (nan, nan)
    for locus, (names, search) in searches.items():
        i, found = LOCI.index(locus), search.found
        made = phases(found.points, names, locus, config.priors)
        if search.refined:
            values = np.stack([made.n, made.p, made.q * scale, _variability(found, names, config.priors)], axis=1)
            quantiles[:, i] = _quantiles(values[:, :3], found)
            draws[i] = values[found.evenly(_N_DRAWS)]
        if locus == "q":
            log_q_change = found.moments(np.log(made.q[:, 1] / made.q[:, 0]))
    probability = _probability(log_evidence, config.priors)
    return LocusPosterior(
        probability=probability,
        log_evidence=log_evidence,
        log_evidence_se=errors,
        call=_call(probability, config.threshold),
        low=quantiles[0],
        median=quantiles[1],
        high=quantiles[2],
        draws_n=draws[:, :, 0],
        draws_p=draws[:, :, 1],
        draws_q=draws[:, :, 2],
        draws_cv=draws[:, :, 3],
        log_q_change=log_q_change,
        pulses=seen.pulses,
    )


Searches: TypeAlias = dict[str, tuple[tuple[str, ...], Search]]
"""Locus → the names of its coordinates, and its search."""


def _search(seen: Observed, config: PosteriorConfig, rng: np.random.Generator) -> Searches:
    """Learn where every locus that has prior mass fits best."""
    priors = config.priors
    first = (seen.before[:, 0], seen.after[:, 0])
    means = (summarise(first[0], priors), summarise(first[1], priors))
    grid = scan(first, noise=seen.noise, priors=priors)
    searches: Searches = {}
    for locus, mass in zip(LOCI, _masses(priors), strict=True):
        if mass <= 0.0:
            continue
        look = first_look(locus, grid, means, priors=priors, pairs=seen.before.shape[1] == 2)
        target = partial(log_target, names=look.names, locus=locus, seen=seen, priors=priors)
        searches[locus] = (
            look.names,
            Search(target, look, n_first=config.n_first, n_round=config.n_round, rng=rng, groups=look.sites_of),
        )
    _learn([search for _, search in searches.values()])
    return searches


def _learn(searches: Sequence[Search]) -> None:
    """Go on until every search has settled, but for those that others have left far behind."""
    while True:
        best = max(search.known.log_evidence for search in searches)
        left = [
            each
            for each in searches
            if not each.settled and each.known.log_evidence > best - _LOST / max(each.rounds, 1)
        ]
        if not left:
            return
        for search in left:
            search.learn()


def _decide(searches: Searches, config: PosteriorConfig) -> None:
    """Draw where it matters: all likely loci a little, then those whose error could turn the call."""
    best = max(search.known.log_evidence for _, search in searches.values())
    left = {locus: config.n_rounds for locus, (_, s) in searches.items() if s.known.log_evidence > best - _HOPELESS}
    for locus in left:
        left[locus] -= searches[locus][1].refine(config.effective / 4.0, left[locus])
    while any(rounds > 0 for rounds in left.values()):
        log_evidence, errors = _evidence(searches)
        probability = _probability(log_evidence, config.priors)
        if not _open(probability, errors, config):
            return
        errors = np.where([left.get(locus, 0) > 0 for locus in LOCI], errors, 0.0)
        worst = int(np.argmax(np.minimum(probability, 1.0 - probability) * errors))
        if errors[worst] <= 0.0:
            return
        locus = LOCI[worst]
        enough = min(2.0 * searches[locus][1].found.effective, config.effective)
        left[locus] = 0 if searches[locus][1].found.effective >= config.effective else left[locus]
        left[locus] -= searches[locus][1].refine(enough, min(left[locus], _STEP_ROUNDS))


def _open(probability: FloatArray, errors: FloatArray, config: PosteriorConfig) -> bool:
    """Whether the sampling error could still turn a call: some probability lies near the threshold."""
    line = float(special.logit(config.threshold))
    for together in ((0,), (0, 1), (2,), (3,)):
        inside = np.isin(np.arange(4), together)
        share, rest = probability[inside].sum(), probability[~inside].sum()
        if min(share, rest) <= 0.0:
            continue
        weights = np.where(inside, probability / share, probability / rest)
        sd = float(np.sqrt(np.sum((weights * errors) ** 2)))
        if abs(np.log(share / rest) - line) < _SURE_SD * sd:
            return True
    return False


def _evidence(searches: Searches) -> tuple[FloatArray, FloatArray]:
    """Log evidence of every locus and its sampling error; minus infinity without prior mass."""
    log_evidence, errors = np.full(4, -np.inf), np.zeros(4)
    for locus, (_, search) in searches.items():
        found, i = search.found, LOCI.index(locus)
        log_evidence[i] = found.log_evidence
        errors[i] = np.sqrt(max(1.0 / found.effective - 1.0 / found.weights.size, 0.0))
    return log_evidence, errors


def _masses(priors: LocusPriors) -> FloatArray:
    masses = np.asarray([priors.mass_p, priors.mass_n, priors.mass_q, priors.mass_pq])
    return np.asarray(masses / masses.sum())


def _probability(log_evidence: FloatArray, priors: LocusPriors) -> FloatArray:
    with np.errstate(divide="ignore"):
        return np.asarray(special.softmax(log_evidence + np.log(_masses(priors))))


def _variability(found: Sampled, names: tuple[str, ...], priors: LocusPriors) -> FloatArray:
    latent = {name: found.points[:, names.index(name)] for name in ("within", "between")}
    made = physical(latent, priors)
    return np.stack([made["within"], made["between"]], axis=1)


def _quantiles(values: FloatArray, found: Sampled) -> FloatArray:
    """2.5, 50 and 97.5 % points of weighted samples, shape (3, …)."""
    flat = values.reshape(values.shape[0], -1)
    order = np.argsort(flat, axis=0)
    reached = np.cumsum(found.weights[order], axis=0)
    # Between the ends of N independent draws from i to j lie (j - i) / (N + 1) of what will be drawn, not (j - i) / N.
    tail = max((0.025 * (found.effective + 1.0) - 0.5) / found.effective, 1e-4)
    rows = [np.argmax(reached >= each, axis=0) for each in (tail, 0.5, 1.0 - tail)]
    chosen = [np.take_along_axis(flat, order, axis=0)[row, np.arange(flat.shape[1])] for row in rows]
    return np.stack(chosen).reshape(3, *values.shape[1:])


def _call(probability: FloatArray, threshold: float) -> Call:
    p, n, q, pq = probability
    if p >= threshold:
        return "pre"
    if p + n >= threshold:
        return "pre-or-silent"
    if q >= threshold:
        return "post"
    return "mixed" if pq >= threshold else "undetermined"


def _undetermined(why: str) -> LocusPosterior:
    none, blank, no_draws = np.full(4, nan), np.full((4, 3, 2), nan), np.full((4, 0, 2), nan)
    return LocusPosterior(
        probability=none,
        log_evidence=none,
        log_evidence_se=none,
        call="undetermined",
        median=blank,
        low=blank,
        high=blank,
        draws_n=no_draws,
        draws_p=no_draws,
        draws_q=no_draws,
        draws_cv=no_draws,
        log_q_change=(nan, nan),
        status=why,
    )
