"""Where the change lies: the posterior over loci, with the classical indices beside it."""

from dataclasses import dataclass, field, replace
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from ephysplast.classify._locus_words import Said, agreement, answer_in_words
from ephysplast.classify._release import (
    NAMES,
    amplitude_fit,
    noise_of,
    release_estimates,
    release_frame,
    size_estimate,
    size_in_words,
    with_theory,
)
from ephysplast.classify.classical import IndicesConfig, IndicesResult, measure_indices, settled
from ephysplast.classify.resample import BoolArray
from ephysplast.errors import OK, check_settings
from ephysplast.experiment import BASELINE, POST, ResponseKind, SweepTable
from ephysplast.quantal import LocusPosterior, MiniSizeConfig, PosteriorConfig, QuantalSize, locus_posterior
from ephysplast.result import Estimate, Result
from ephysplast.verdict import AmplitudeFit, CvPlane, Evidence, Locus, ReleaseEstimate

if TYPE_CHECKING:
    import pandas as pd

INHIBITORY: frozenset[ResponseKind] = frozenset({"IPSC", "IPSP"})

_NO_SHIFT_SE = 0.15
"""A driving force that is known worse than this (SE of the logarithm of its ratio) separates nothing."""


@dataclass(frozen=True, kw_only=True)
class LocusConfig:
    """Settings of the locus.

    Attributes
    ----------
    posterior : PosteriorConfig
        Probability at which a locus is called, priors, effort.
    chloride_share : float
        Share of the prior of a postsynaptic change (`mass_q`) that is a change of the driving force alone, where that
        was measured; half, as p and n halve that of a presynaptic one.
    indices : IndicesConfig
        Of the classical indices; its `settle_min`, `minimum_sweeps` and `smallest_change_percent` hold for both.
    minis : MiniSizeConfig
        How a quantal size is taken from minis; its `extra_log_sd` holds for one that is told as a number, too.
    """

    posterior: PosteriorConfig = field(default_factory=PosteriorConfig)
    chloride_share: float = 0.5
    indices: IndicesConfig = field(default_factory=IndicesConfig)
    minis: MiniSizeConfig = field(default_factory=MiniSizeConfig)

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(self, chloride_share=(0.0, 1.0))


@dataclass(frozen=True, kw_only=True)
class DrivingForce:
    """How the driving force of an inhibitory response changed, measured in the same cell.

    Attributes
    ----------
    ratio, low, high : float
        Driving force after / before, with its interval.
    source : str
        Where it comes from, for people.
    level : float
        Confidence level of the interval.
    """

    ratio: float
    low: float
    high: float
    source: str = ""
    level: float = 0.95

    @property
    def log_se(self) -> float:
        """Standard error of the logarithm; infinite where the driving force may have changed its sign."""
        if not (0.0 < self.low <= self.ratio <= self.high < inf):
            return inf
        return float(np.log(self.high / self.low) / (2.0 * special.ndtri(0.5 + 0.5 * self.level)))

    @property
    def is_known(self) -> bool:
        """Whether it is known well enough to be taken off the amplitudes."""
        return self.log_se < _NO_SHIFT_SE


@dataclass(frozen=True, kw_only=True)
class Circumstances:
    """What must be known of a response before its locus can be read.

    Attributes
    ----------
    response : str
        ``"EPSC"``, ``"IPSC"``, …
    opsin : bool
        Evoked by light: what later pulses do says nothing about release.
    driving_force : DrivingForce or None
        For inhibitory responses.
    unknown_force : str
        Why there is none.
    quantal_size : QuantalSize or None
        Quantal amplitude before, from minis or minimal stimulation in other sweeps: a prior of q.
    """

    response: ResponseKind = "EPSC"
    opsin: bool = False
    driving_force: DrivingForce | None = None
    unknown_force: str = "E_GABA was not measured"
    quantal_size: QuantalSize | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class LocusResult(Result):
    """The locus, its probability, and what the classical indices say beside it.

    Attributes
    ----------
    status : str
        ``"ok"``, or why the question could not be put.
    locus : str
        The answer; see :class:`~ephysplast.verdict.Verdict`.
    sentence : str
        The answer with its numbers, the alternatives that are not excluded, and whether the indices agree.
    probabilities : dict of str to float
        Of ``"p"``, ``"n"``, ``"q"``, ``"p+q"`` and, where measured, ``"chloride"``; empty when not put.
    release : tuple of ReleaseEstimate
        n, p and q before and after under each locus.
    evidence : tuple of Evidence
        Every classical index.
    cv_plane : CvPlane or None
        For the figure, with theory curves.
    amplitude_fit : AmplitudeFit or None
        For the figure.
    quantal_size : Estimate or None
        Quantal amplitude that was believed beforehand, or why it could not be used; None where none was given.
    """

    status: str = OK
    locus: Locus
    sentence: str
    probabilities: dict[str, float] = field(default_factory=dict)
    release: tuple[ReleaseEstimate, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cv_plane: CvPlane | None = None
    amplitude_fit: AmplitudeFit | None = None
    quantal_size: Estimate | None = None

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table of :func:`release_frame`: n, p and q before and after under each locus."""
        return release_frame(self.release, unit=self.amplitude_fit.unit if self.amplitude_fit else "")


def measure_locus(
    table: SweepTable,
    config: LocusConfig | None = None,
    *,
    rng: np.random.Generator,
    about: Circumstances | None = None,
    sign: Literal["LTP", "LTD"] | None = None,
) -> LocusResult:
    """Weigh release probability, sites and quantal amplitude against each other, from all sweeps and pulses.

    Parameters
    ----------
    table : SweepTable
        Baseline and post sweeps of the test pathway.
    config : LocusConfig, optional
        Threshold, priors, limits of the indices.
    rng : numpy.random.Generator
        For the sampling of the posterior and the bootstrap of the indices.
    about : Circumstances, optional
        What kind of response it is; an EPSC by default.
    sign : {"LTP", "LTD"}, optional
        The change whose locus is asked; the sweeps used here must show it too.

    Returns
    -------
    LocusResult
        *undetermined* with the reason as status when there are too few sweeps, too small a change, no measured noise
        or no response above it; *undetermined* with status ``"ok"`` when no locus reaches the stated probability, or
        when the classical indices agree on the opposite.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> released = [rng.binomial(10, p, (150, 1)) for p in (0.3, 0.6)]
    >>> later = [rng.binomial(10 - each, p) for each, p in zip(released, (0.3, 0.6))]
    >>> amplitude = np.vstack([np.hstack(pair) for pair in zip(released, later)]) + rng.normal(0, 0.1, (300, 2))
    >>> nothing = np.full(300, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.repeat(["baseline", "post"], 150), time_s=10.0 * np.arange(300), amplitude=amplitude,
    ...     noise=rng.normal(0, 0.1, 300), interval_s=np.array([0.0, 0.05]), rs_mohm=nothing, rin_mohm=nothing,
    ...     holding=nothing, excluded=("ok",) * 300, file=("a.abf",) * 300, sweep=np.arange(1, 301))
    >>> measure_locus(table, rng=rng).locus
    'pre'
    """
    limits, about = config or LocusConfig(), about or Circumstances()
    classical = measure_indices(table, limits.indices, rng=rng, opsin=about.opsin, sign=sign)
    if classical.status != OK:
        return _unasked(classical.status, classical)
    why = _why_not(table, about)
    if why:
        return _unasked(why, classical)
    here = table.of_phase(BASELINE), settled(table, limits.indices)
    n_pulses, unweighed = _pulses(table, here, about, limits)
    before, after = (table.amplitude[each][:, :n_pulses] for each in here)
    noise = noise_of(table.noise[here[0]]), noise_of(table.noise[here[1]])
    known, size = _driving_force(about), size_estimate(about.quantal_size, unit=table.unit)
    # A known driving force is taken off the responses after it changed, and put back on what is said of their quanta.
    force = known.ratio if known else 1.0
    posterior = locus_posterior(
        before,
        after / force,
        noise_sd=(noise[0].sd, noise[1].sd / force),
        rng=rng,
        config=_with_noise_error(limits.posterior, max(each.log_se for each in noise)),
        quantal_size=about.quantal_size,
    )
    if posterior.status != OK:
        return _unasked(posterior.status, classical)
    probabilities = _probabilities(posterior, known, limits)
    release = release_estimates(posterior, factor=force)
    said = Said(
        locus=_call(probabilities, limits.posterior.threshold, about, known),
        probabilities=probabilities,
        threshold=limits.posterior.threshold,
        release=tuple(replace(each, probability=probabilities[each.locus]) for each in release),
        classical=classical,
        pulses=unweighed or _pulses_in_words(posterior.pulses, table.n_pulses),
        chloride=_chloride_words(about, known),
        quantal_size=size_in_words(size, release, unit=table.unit),
    )
    first, sds = (before[:, 0], after[:, 0]), (noise[0].sd, noise[1].sd)
    return LocusResult(
        locus="undetermined" if agreement(said) == "opposed" else said.locus,
        sentence=answer_in_words(said),
        probabilities=probabilities,
        release=said.release,
        evidence=classical.evidence,
        cv_plane=with_theory(classical.cv_plane, posterior),
        amplitude_fit=amplitude_fit(first, posterior, noise=sds, unit=table.unit, factor=force),
        quantal_size=size,
    )


def _why_not(table: SweepTable, about: Circumstances) -> str:
    if about.response == "fEPSP":
        return "a field potential sums over many synapses and cells, so its variability says nothing about quanta"
    for name in (BASELINE, POST):
        if np.isfinite(table.noise[table.of_phase(name)]).sum() < 2:
            return f"the noise of the {name} sweeps was not measured, and without it quanta cannot be told from noise"
    return ""


def _pulses(
    table: SweepTable, here: tuple[BoolArray, BoolArray], about: Circumstances, limits: LocusConfig
) -> tuple[int, str]:
    """Return how many responses of each sweep are weighed, and what is said of the others; after light only one is."""
    if table.n_pulses == 1:
        return 1, ""
    if about.opsin:
        return 1, "responses to light, so the first of each sweep alone was weighed"
    complete = [int(np.isfinite(table.amplitude[each][:, :2]).all(axis=1).sum()) for each in here]
    if min(complete) < limits.indices.minimum_sweeps:
        return 1, "the first response of each sweep alone was weighed, for the second was measured in too few sweeps"
    return table.n_pulses, ""


def _pulses_in_words(read: tuple[int, ...], n_pulses: int) -> str:
    """Say of a train which responses counted, and how."""
    if n_pulses <= 2:
        return ""
    some = "all" if len(read) == n_pulses else ", ".join(str(1 + each) for each in read)
    how = ", those after the second by their scatter alone" if len(read) > 2 else ""
    return f"of the {n_pulses} responses of a sweep {some} were weighed{how}"


def _with_noise_error(config: PosteriorConfig, log_se: float) -> PosteriorConfig:
    """Let the noise be wrong by as much as so few readings leave open."""
    error = float(np.hypot(config.priors.noise_sd_error, log_se))
    return replace(config, priors=replace(config.priors, noise_sd_error=min(error, 1.0)))


def _driving_force(about: Circumstances) -> DrivingForce | None:
    """Return the driving force where it is known well enough to be taken off."""
    known = about.driving_force
    return known if about.response in INHIBITORY and known and known.is_known else None


def _probabilities(posterior: LocusPosterior, known: DrivingForce | None, limits: LocusConfig) -> dict[str, float]:
    """Posterior over loci; with a known driving force, taken off before, that nothing else changed is one of them.

    Its evidence follows from that of a change of q by the density ratio at no change (Savage & Dickey).
    """
    found = dict(zip(NAMES, map(float, posterior.probability), strict=True))
    if known is None:
        return found
    mean, sd = posterior.log_q_change
    spread = np.hypot(sd, known.log_se)
    log_ratio = -0.5 * (mean / spread) ** 2 - np.log(spread) + np.log(limits.posterior.priors.q_change_sd)
    alone = found["q"] * limits.chloride_share * float(np.exp(min(log_ratio, 700.0)))
    shared = found | {"q": found["q"] * (1.0 - limits.chloride_share), "chloride": alone}
    total = sum(shared.values())
    return {name: each / total for name, each in shared.items()}


def _call(probabilities: dict[str, float], threshold: float, about: Circumstances, known: DrivingForce | None) -> Locus:
    p, n, q, both = (probabilities[name] for name in ("p", "n", "q", "p+q"))
    chloride = probabilities.get("chloride", 0.0)
    unknown = about.response in INHIBITORY and known is None
    answers: tuple[tuple[float, Locus], ...] = (
        (p, "pre"),
        (p + n, "pre-or-silent"),
        (q, "post-or-chloride" if unknown else "post"),
        (chloride, "chloride"),
        (q + chloride, "post-or-chloride"),
        (both, "mixed"),
    )
    return next((locus for probability, locus in answers if probability >= threshold), "undetermined")


def _chloride_words(about: Circumstances, known: DrivingForce | None) -> str:
    if about.response not in INHIBITORY:
        return ""
    if about.driving_force is None:
        return f"{about.unknown_force}, so a change of quantal amplitude may be one of its driving force"
    if known is None:
        return "the driving force is known too loosely to tell it from quantal amplitude"
    found = about.driving_force
    source = f" ({found.source})" if found.source else ""
    return f"driving force ×{found.ratio:.2f} [{found.low:.2f}, {found.high:.2f}]{source}, taken off the amplitudes"


def _unasked(reason: str, classical: IndicesResult) -> LocusResult:
    return LocusResult(
        status=reason,
        locus="undetermined",
        sentence=f"undetermined: {reason}",
        evidence=classical.evidence,
        cv_plane=classical.cv_plane,
    )
