"""The shape of an answer: sign, locus, how sure, on what evidence, and what spoke against measuring at all."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import nan
from typing import TYPE_CHECKING, Literal, TypeAlias

from ephysplast.errors import OK
from ephysplast.recording import FloatArray
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

Sign: TypeAlias = Literal[
    "LTP", "LTD", "up", "down", "E_GABA shift", "conductance change", "both",
    "no change", "inconclusive", "undetermined", "refused", "not asked",
]  # fmt: skip
Locus: TypeAlias = Literal["pre", "post", "undetermined", "not asked"]
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
    """

    r: float
    y: float
    r_boot: FloatArray
    y_boot: FloatArray
    phi_deg: float


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
    locus : {"pre", "post", "undetermined", "not asked"}
        Asked only for LTP and LTD.
    locus_sentence : str
        Why.
    locus_probabilities : mapping of str to float
        Posterior over loci; empty while only classical indices were used.
    evidence : tuple of Evidence
        Every classical index.
    quality : tuple of QualityCheck
        Every gate.
    n_baseline, n_post : int
        Sweeps used.
    cv_plane : CvPlane or None
        For the figure; None when the locus was not asked or the variance cannot be told from the noise.
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
        for each in self.evidence:
            row |= {
                each.index: each.value,
                f"{each.index} low": each.low,
                f"{each.index} high": each.high,
                f"{each.index} points to": each.points_to,
            }
        row |= {f"quality: {each.name}": each.outcome for each in self.quality}
        return pd.DataFrame([row])
