"""The shape of an answer: sign, locus, how sure, on what evidence, and what spoke against measuring at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from ephysplast.errors import OK
from ephysplast.recording import FloatArray
from ephysplast.result import Estimate, Result

if TYPE_CHECKING:
    import pandas as pd

Sign: TypeAlias = Literal[
    "LTP", "LTD", "up", "down", "E_GABA shift", "conductance change", "both",
    "no change", "inconclusive", "undetermined", "refused", "not asked",
]  # fmt: skip
Locus: TypeAlias = Literal[
    "pre", "pre-or-silent", "post", "chloride", "post-or-chloride", "mixed", "undetermined", "not asked"
]  # fmt: skip
PointsTo: TypeAlias = Literal[
    "pre", "post", "up", "down", "E_GABA", "conductance", "neither", "undetermined", "not available"
]
Check: TypeAlias = Literal["pass", "warn", "fail", "not testable"]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One classical index with its own interval and its own verdict.

    Attributes
    ----------
    index : str
        ``"CV⁻²"``, ``"PPR"``, ``"failures"``, …
    value, low, high : float
        The index and its interval; NaN when not available.
    points_to : {"pre", "post", "up", "down", "E_GABA", "conductance", "neither", "undetermined", "not available"}
        What this index alone says: of the locus, of the excitability, or of what moved an inhibitory current.
    sentence : str
        The same for people, with the numbers.
    """

    index: str
    value: float = nan
    low: float = nan
    high: float = nan
    points_to: PointsTo = "not available"
    sentence: str = ""


@dataclass(frozen=True, kw_only=True)
class QualityCheck:
    """One gate: what was checked, how it came out, and the numbers in a sentence."""

    name: str
    outcome: Check
    sentence: str


@dataclass(frozen=True, eq=False, kw_only=True)
class CvPlane:
    """Where the experiment lies in the plane of mean ratio against CV⁻² ratio, with its bootstrap cloud.

    Attributes
    ----------
    r, y : float
        Mean after / before, and CV⁻² after / before, of the first response; noise variance and linear trend removed.
    r_boot, y_boot : numpy.ndarray, shape (n_boot,)
        Bootstrap samples of the two, in pairs; infinite or NaN where the variance left over the noise is not positive.
    phi_deg : float
        Angle from the diagonal, for growth and decline alike: above 0 a change of release probability, 0 of release
        sites, −45 of quantal size.
    theory_r : numpy.ndarray, shape (n_points,)
        Mean ratios of the theory curves; empty when they were not computed.
    theory_y : mapping of str to numpy.ndarray, shape (n_points,)
        ``"p"``, ``"n"``, ``"q"`` → CV⁻² ratio of a pure change of each, with the release probability before and the
        quantal variability that the posterior gives; NaN where a release probability would be above 1.
    """

    r: float
    y: float
    r_boot: FloatArray
    y_boot: FloatArray
    phi_deg: float
    theory_r: FloatArray = field(default_factory=lambda: np.empty(0))
    theory_y: Mapping[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ReleaseEstimate:
    """Release before and after under one locus: what the amplitudes say of n, p and q if the change was there.

    Attributes
    ----------
    locus : str
        ``"p"``, ``"n"``, ``"q"`` or ``"p+q"``.
    probability : float
        Of this locus.
    n_before, n_after, p_before, p_after : Estimate
        Release sites and release probability: median and 95 % interval.
    q_before, q_after : Estimate
        Quantal amplitude in the unit of the amplitudes.
    """

    locus: str
    probability: float
    n_before: Estimate
    n_after: Estimate
    p_before: Estimate
    p_after: Estimate
    q_before: Estimate
    q_after: Estimate


@dataclass(frozen=True, eq=False, kw_only=True)
class AmplitudeFit:
    """First responses of both phases, and the distribution that the likeliest locus gives them.

    Attributes
    ----------
    before, after : numpy.ndarray, shape (n_sweeps,)
        Amplitudes that were judged.
    unit : str
        Of the amplitudes.
    at : numpy.ndarray, shape (n_points,)
        Amplitudes at which the densities are given.
    density_before, density_after : numpy.ndarray, shape (n_points,)
        Mean over draws of the posterior; per unit of amplitude. Drift and graded onset are left out.
    noise_before, noise_after : float
        Standard deviation of the recording noise of each phase.
    locus : str
        The likeliest locus, whose distribution this is.
    """

    before: FloatArray
    after: FloatArray
    unit: str
    at: FloatArray
    density_before: FloatArray
    density_after: FloatArray
    noise_before: float
    noise_after: float
    locus: str


@dataclass(frozen=True, eq=False, kw_only=True)
class Verdict(Result):
    """What changed, where, and how sure we are.

    Attributes
    ----------
    status : str
        ``"ok"``, or the reason why the experiment was refused (then `sign` is ``"refused"``).
    sign : str
        Of a response's magnitude: ``"LTP"``, ``"LTD"``, ``"no change"``, ``"inconclusive"``. Of the excitability:
        ``"up"``, ``"down"``, ``"no change"``, ``"inconclusive"``. Of the inhibitory current: ``"E_GABA shift"``,
        ``"conductance change"``, ``"both"``, ``"no change"``, ``"undetermined"``. Of any: ``"refused"``, and
        ``"not asked"`` when there was one phase only.
    change, change_low, change_high : float
        Evaluation window / baseline (1 is no change), with its interval; NaN when refused, and for the cell itself,
        whose changes are in the evidence, each in its unit.
    level : float
        Confidence level of the intervals.
    sign_sentence : str
        The sign with its numbers and, when inconclusive, what it would take.
    locus : {"pre", "pre-or-silent", "post", "chloride", "post-or-chloride", "mixed", "undetermined", "not asked"}
        Asked only for LTP and LTD. *pre*: release probability; *pre-or-silent*: the number of active sites, or that
        together with release probability; *post*: quantal amplitude; *chloride*: the driving force of an inhibitory
        response; *post-or-chloride*: quantal amplitude of an inhibitory response whose driving force is not known;
        *mixed*: release probability and quantal amplitude.
    locus_sentence : str
        Why.
    locus_probabilities : mapping of str to float
        Posterior over ``"p"``, ``"n"``, ``"q"``, ``"p+q"``, and ``"chloride"`` where it was measured; empty when the
        question could not be put.
    evidence : tuple of Evidence
        Every classical index.
    quality : tuple of QualityCheck
        Every gate.
    n_baseline, n_post : int
        Sweeps used.
    cv_plane : CvPlane or None
        For the figure; None when the locus was not asked or the variance cannot be told from the noise.
    release : tuple of ReleaseEstimate
        n, p and q before and after under each locus; empty with the probabilities.
    amplitude_fit : AmplitudeFit or None
        For the figure; None with the probabilities.
    quantal_size : Estimate or None
        Quantal amplitude from another measurement that was the prior of q, or why it was not used; None where none
        was given, or the locus was not asked.
    """

    status: str = OK
    sign: Sign
    change: float = nan
    change_low: float = nan
    change_high: float = nan
    level: float = 0.95
    sign_sentence: str = ""
    locus: Locus = "not asked"
    locus_sentence: str = ""
    locus_probabilities: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    quality: tuple[QualityCheck, ...] = ()
    n_baseline: int = 0
    n_post: int = 0
    cv_plane: CvPlane | None = None
    release: tuple[ReleaseEstimate, ...] = ()
    amplitude_fit: AmplitudeFit | None = None
    quantal_size: Estimate | None = None

    def to_frame(self) -> "pd.DataFrame":
        """Return one row: the verdict, with three columns for each index of the evidence."""
        import pandas as pd

        row: dict[str, object] = {
            "status": self.status,
            "sign": self.sign,
            "change": self.change,
            "change_low": self.change_low,
            "change_high": self.change_high,
            "level": self.level,
            "locus": self.locus,
            "n_baseline": self.n_baseline,
            "n_post": self.n_post,
            "sign_sentence": self.sign_sentence,
            "locus_sentence": self.locus_sentence,
        }
        row |= {f"probability {name}": value for name, value in self.locus_probabilities.items()}
        if self.quantal_size is not None:
            size = self.quantal_size
            row |= {"prior q": size.value, "prior q low": size.low, "prior q high": size.high}
        for each in self.evidence:
            row |= {
                each.index: each.value,
                f"{each.index} low": each.low,
                f"{each.index} high": each.high,
                f"{each.index} points to": each.points_to,
            }
        row |= {f"quality: {each.name}": each.outcome for each in self.quality}
        return pd.DataFrame([row])
