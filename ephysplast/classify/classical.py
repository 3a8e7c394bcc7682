"""What the classical indices say of the locus: CV⁻² against the mean, paired-pulse ratio, failures."""

from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Literal

import numpy as np

from ephysplast.classify.failures import failure_fraction, failure_reading
from ephysplast.classify.indices import (
    Direction,
    Reading,
    cv_angle,
    cv_plane,
    cv_reading,
    later_to_first,
    pattern_reading,
)
from ephysplast.classify.judgement import Judgement, combine
from ephysplast.classify.resample import BoolArray, PhaseMoments, Resamples, phase_moments, resample_phases
from ephysplast.errors import LEVELS, OK, RESAMPLES, check_settings
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.recording import FloatArray
from ephysplast.result import Result
from ephysplast.statistics import detrend, outliers
from ephysplast.verdict import CvPlane, Evidence, Locus

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class IndicesConfig:
    """How the indices are read.

    Attributes
    ----------
    settle_min : float
        Minutes left out after the induction, when the post phase lasts at least twice as long: post-tetanic
        potentiation is presynaptic and gone after about five.
    smallest_change_percent : float
        A smaller change of the mean has no locus: its direction in the CV plane is noise.
    ppr_margin_percent : float
        A PPR counts as unchanged when its interval lies within this. A change of release probability that is large
        enough for LTP moves the PPR of depressing synapses by 15–30 %.
    ppr_smallest_percent : float
        A smaller change of PPR is none.
    ppr_limit_percent : float
        CV⁻² of the first and of later pulses may agree on *post* among themselves when the PPR's interval at least
        lies within this; a PPR that may have changed by half forbids it.
    content_sweeps : int
        Sweeps that each phase needs for that. With 20 a side a flat CV⁻² is chance too often, as where release
        probability is low and facilitation strong.
    outlier_sd : float
        Sweeps further from the median, in robust SD, are left out to see whether they decide; so is the furthest of
        each phase in any case.
    minimum_sweeps : int
        Fewer in either phase have no locus.
    level : float
        Confidence level of each index. Two must agree, so each may be 0.9.
    release_level : float
        Level at which CV⁻² of all pulses together must exclude a change of release before *post* is said: new or
        unsilenced sites leave the PPR alone, and then nothing else stands between them and a wrong call.
    n_boot : int
        Bootstrap samples.
    """

    settle_min: float = 5.0
    smallest_change_percent: float = 10.0
    ppr_margin_percent: float = 30.0
    ppr_smallest_percent: float = 5.0
    ppr_limit_percent: float = 50.0
    content_sweeps: int = 50
    outlier_sd: float = 4.0
    minimum_sweeps: int = 20
    level: float = 0.9
    release_level: float = 0.98
    n_boot: int = 2000

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        check_settings(
            self,
            settle_min=(0.0, inf),
            smallest_change_percent=(0.0, inf),
            ppr_smallest_percent=(0.0, self.ppr_margin_percent),
            ppr_margin_percent=(0.0, self.ppr_limit_percent),
            outlier_sd=(0.1, inf),
            minimum_sweeps=(6, inf),
            level=LEVELS,
            release_level=LEVELS,
            n_boot=RESAMPLES,
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class IndicesResult(Result):
    """What the indices agree on, and each of them.

    Attributes
    ----------
    status : str
        ``"ok"``, or why the question could not be put to the indices.
    locus : {"pre", "post", "undetermined"}
        What they agree on.
    sentence : str
        Why.
    evidence : tuple of Evidence
        Every index.
    cv_plane : CvPlane or None
        For the figure.
    """

    status: str = OK
    locus: Locus
    sentence: str
    evidence: tuple[Evidence, ...] = ()
    cv_plane: CvPlane | None = None

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per index."""
        import pandas as pd

        names = ("index", "value", "low", "high", "points_to", "sentence")
        return pd.DataFrame([{name: getattr(each, name) for name in names} for each in self.evidence], columns=names)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Phase:
    amplitude: FloatArray
    time: FloatArray
    noise: FloatArray
    keep: BoolArray

    @classmethod
    def gather(cls, table: SweepTable, here: BoolArray, outlier_sd: float) -> "_Phase":
        amplitude, time = table.amplitude[here], table.time_s[here]
        keep = np.stack([_ordinary(each, time, outlier_sd) for each in amplitude.T], axis=1)
        return cls(amplitude=amplitude, time=time, noise=table.noise[here], keep=keep)

    @property
    def level_first(self) -> FloatArray:
        return detrend(self.amplitude[:, 0], time=self.time)

    def moments(self, weights: FloatArray, *, dropped: bool, trend: bool) -> PhaseMoments:
        keep = self.keep if dropped else np.ones_like(self.keep)
        return phase_moments(weights, self.amplitude, time=self.time, noise=self.noise, keep=keep, trend=trend)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Question:
    """Both phases with their statistics, computed in four ways: with all sweeps or without outliers, trend or not."""

    before: _Phase
    after: _Phase
    resamples: Resamples
    limits: IndicesConfig
    ways: dict[str, tuple[PhaseMoments, PhaseMoments]] = field(default_factory=dict)

    @classmethod
    def put(cls, before: _Phase, after: _Phase, limits: IndicesConfig, rng: np.random.Generator) -> "_Question":
        resamples = resample_phases(before.level_first, after.level_first, limits.n_boot, rng=rng)
        names = {
            (False, True): "",
            (True, True): "without the most extreme sweeps",
            (False, False): "when the trend is left in",
            (True, False): "without the most extreme sweeps and with the trend left in",
        }
        ways = {
            name: (
                before.moments(resamples.baseline, dropped=dropped, trend=trend),
                after.moments(resamples.post, dropped=dropped, trend=trend),
            )
            for (dropped, trend), name in names.items()
        }
        return cls(before=before, after=after, resamples=resamples, limits=limits, ways=ways)

    @property
    def n_sweeps(self) -> int:
        """Of the phase that has fewer."""
        return min(len(self.before.amplitude), len(self.after.amplitude))

    @property
    def r(self) -> float:
        before, after = self.ways[""]
        return float(after.mean[0, 0] / before.mean[0, 0])

    @property
    def direction(self) -> Direction:
        return 1 if self.r > 1.0 else -1

    def cv(self, pulses: slice, level: float) -> Reading:
        readings = {
            name: cv_reading(
                before,
                after,
                self.direction,
                self.resamples,
                level=level,
                pulses=pulses,
                smallest_percent=self.limits.smallest_change_percent,
            )
            for name, (before, after) in self.ways.items()
        }
        return readings.pop("").unless(readings)

    def pattern(self, pulses: slice) -> Reading:
        readings = {
            name: pattern_reading(
                before,
                after,
                self.direction,
                self.resamples,
                pulses=pulses,
                level=self.limits.level,
                margin_percent=self.limits.ppr_margin_percent,
                smallest_percent=self.limits.ppr_smallest_percent,
            )
            for name, (before, after) in self.ways.items()
            if "trend" not in name  # means do not depend on it
        }
        return readings.pop("").unless(readings)


def measure_indices(
    table: SweepTable,
    config: IndicesConfig | None = None,
    *,
    rng: np.random.Generator,
    opsin: bool = False,
    sign: Literal["LTP", "LTD"] | None = None,
) -> IndicesResult:
    """Ask every classical index where a change lies, and answer only when they agree.

    Parameters
    ----------
    table : SweepTable
        Baseline and post sweeps of the test pathway.
    config : IndicesConfig, optional
        Limits.
    rng : numpy.random.Generator
        For the bootstrap.
    opsin : bool
        Responses were evoked by light: what a second pulse does then says nothing about release.
    sign : {"LTP", "LTD"}, optional
        The change whose locus is asked; the sweeps used here must show it too.

    Returns
    -------
    IndicesResult
        *pre* or *post* needs two indices that agree and none that contradicts; a change of fewer sweeps than the
        minimum, or smaller than the margin, is *undetermined* with the reason as status.

    Examples
    --------
    >>> rng = np.random.default_rng(2)
    >>> released = [rng.binomial(10, p, (150, 1)) for p in (0.3, 0.6)]
    >>> later = [rng.binomial(10 - each, p) for each, p in zip(released, (0.3, 0.6))]
    >>> amplitude = np.vstack([np.hstack(pair) for pair in zip(released, later)]).astype(float)
    >>> nothing = np.full(300, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.repeat(["baseline", "post"], 150), time_s=10.0 * np.arange(300), amplitude=amplitude,
    ...     noise=rng.normal(0, 0.1, 300), interval_s=np.array([0.0, 0.05]), rs_mohm=nothing, rin_mohm=nothing,
    ...     holding=nothing, excluded=("ok",) * 300, file=("a.abf",) * 300, sweep=np.arange(1, 301))
    >>> measure_indices(table, rng=rng).locus
    'pre'
    """
    limits = config or IndicesConfig()
    here = table.of_phase(BASELINE), settled(table, limits)
    if min(each.sum() for each in here) < limits.minimum_sweeps:
        said = " and ".join(f"{each.sum()} {phase}" for each, phase in zip(here, (BASELINE, POST), strict=True))
        return _unasked(f"{said} sweeps are too few to ask where the change lies ({limits.minimum_sweeps} needed)")
    before, after = (_Phase.gather(table, each, limits.outlier_sd) for each in here)
    if before.amplitude[:, 0].mean() <= 0 or after.amplitude[:, 0].mean() <= 0:
        return _unasked("a mean response is not above zero, so its variability has no meaning")
    question = _Question.put(before, after, limits, rng)
    r = question.r
    if abs(r - 1.0) < limits.smallest_change_percent / 100.0 or (sign is not None and (r > 1.0) != (sign == "LTP")):
        return _unasked(
            f"over the whole post phase the mean went ×{r:.2f} only: so small a change has no locus"
            if sign is None or (r > 1.0) == (sign == "LTP")
            else f"over the whole post phase the mean went ×{r:.2f}, against the {sign} of its end"
        )
    judgements = _judge(question, opsin=opsin)
    together = question.cv(slice(0, 1 if opsin else None), limits.release_level)
    locus, sentence = combine(
        judgements,
        direction=question.direction,
        release_excluded=together.points_to == "post",
        pattern_factor=1.0 + limits.ppr_limit_percent / 100.0 if question.n_sweeps >= limits.content_sweeps else 1.0,
    )
    return IndicesResult(
        locus=locus,
        sentence=sentence,
        evidence=tuple(each.evidence for each in judgements),
        cv_plane=cv_plane(*question.ways[""], question.resamples),
    )


def _judge(question: _Question, *, opsin: bool) -> tuple[Judgement, ...]:
    n_pulses = question.before.amplitude.shape[1]
    noisy = all(np.isfinite(each.noise).sum() >= 2 for each in (question.before, question.after))
    no_noise = "" if noisy else "the noise was not measured, and left in it makes larger quanta look like more release"
    light = "responses to light: what a second pulse does says nothing about release" if opsin else ""
    single = "" if n_pulses > 1 else "one stimulus per sweep"
    judgements = [
        _cv(question, "CV⁻²", slice(0, 1), missing=no_noise),
        _cv(question, "CV⁻² of later pulses", slice(1, None), missing=light or single or no_noise),
        _pattern(question, "PPR", slice(1, 2), missing=light or single),
    ]
    if n_pulses > 2:
        judgements.append(_pattern(question, "redistribution", slice(2, None), missing=light))
    judgements.append(_failures(question))
    return tuple(judgements)


def _cv(question: _Question, name: str, pulses: slice, *, missing: str) -> Judgement:
    if missing:
        return Judgement.unavailable(name, missing)
    reading = question.cv(pulses, question.limits.level)
    before, after = question.ways[""]
    with np.errstate(invalid="ignore"):
        r = float(np.exp(np.mean(np.log(after.mean[0, pulses] / before.mean[0, pulses]))))
    angle = f" (φ {cv_angle(r, reading.value):+.0f}°)" if np.isfinite(reading.value) else ""
    return Judgement.of(name, reading, f"went ×{{}} while the mean went ×{r:.2f}{angle}")


def _pattern(question: _Question, name: str, pulses: slice, *, missing: str) -> Judgement:
    if missing:
        return Judgement.unavailable(name, missing)
    before, after = (later_to_first(each, pulses) for each in question.ways[""])
    return Judgement.of(name, question.pattern(pulses), f"{before:.2f} → {after:.2f}, ×{{}}")


def _failures(question: _Question) -> Judgement:
    noise = [each.noise[np.isfinite(each.noise)] for each in (question.before, question.after)]
    noise_sd = max((float(each.std(ddof=1)) for each in noise if each.size > 1), default=0.0)
    first = [each.amplitude[:, 0] for each in (question.before, question.after)]
    reading = failure_reading(
        first[0],
        first[1],
        noise_sd,
        direction=question.direction,
        resamples=question.resamples,
        level=question.limits.level,
    )
    if isinstance(reading, str):
        return Judgement.unavailable("failures", reading)
    shares = " → ".join(f"{100 * failure_fraction(each, noise_sd):.0f}" for each in first)
    return Judgement.of("failures", reading, f"{shares} %, quantal content ×{{}}")


def settled(table: SweepTable, limits: IndicesConfig) -> BoolArray:
    """Return the post sweeps without the first minutes, unless hardly more would be left.

    Post-tetanic potentiation is a change of its own, and gone after a few minutes: no graded onset of what lasts.
    """
    post = table.of_phase(POST)
    time = table.time_s[table.phase == POST]
    settle_s = 60.0 * limits.settle_min
    if np.ptp(time) < 2.0 * settle_s:
        return post
    return np.asarray(post & (table.time_s >= time.min() + settle_s))


def _ordinary(values: FloatArray, time: FloatArray, outlier_sd: float) -> BoolArray:
    """Return False for outliers and for the furthest value; around the trend, so a trend's ends are none."""
    known = np.flatnonzero(np.isfinite(values))
    ordinary = np.ones(values.size, dtype=np.bool_)
    if known.size < 3:
        return ordinary
    level = detrend(values[known], time=time[known])
    ordinary[known[outliers(level, outlier_sd)]] = False
    ordinary[known[np.argmax(np.abs(level - np.median(level)))]] = False
    return ordinary


def _unasked(reason: str) -> IndicesResult:
    return IndicesResult(status=reason, locus="undetermined", sentence=f"undetermined: {reason}")
