"""All gates and questions in their order."""

from dataclasses import dataclass, field, replace

import numpy as np

from ephysplast.classify.chloride import ChlorideConfig
from ephysplast.classify.intrinsic import IntrinsicConfig
from ephysplast.classify.locus import Circumstances, LocusConfig, LocusResult, measure_locus
from ephysplast.classify.quality import QualityConfig, check_quality
from ephysplast.classify.sign import SignConfig, SignResult, judge_sign
from ephysplast.classify.stability import StabilityConfig, check_stability
from ephysplast.errors import OK, ManifestError
from ephysplast.experiment import BASELINE, POST, SweepTable
from ephysplast.verdict import QualityCheck, Verdict


@dataclass(frozen=True, kw_only=True)
class ClassifyConfig:
    """Settings of every step of classifying."""

    quality: QualityConfig = field(default_factory=QualityConfig)
    stability: StabilityConfig = field(default_factory=StabilityConfig)
    sign: SignConfig = field(default_factory=SignConfig)
    locus: LocusConfig = field(default_factory=LocusConfig)
    intrinsic: IntrinsicConfig = field(default_factory=IntrinsicConfig)
    chloride: ChlorideConfig = field(default_factory=ChlorideConfig)


@dataclass(frozen=True, eq=False, kw_only=True)
class Gated:
    """An experiment after the gates.

    Attributes
    ----------
    table, control : SweepTable
        With the sweeps that failed a gate excluded, each with its reason; the control is None when there is none.
    checks : tuple of QualityCheck
        How every gate came out.
    """

    table: SweepTable
    control: SweepTable | None
    checks: tuple[QualityCheck, ...]


def classify(
    table: SweepTable,
    *,
    rng: np.random.Generator,
    control: SweepTable | None = None,
    config: ClassifyConfig | None = None,
    about: Circumstances | None = None,
) -> Verdict:
    """Say what changed and where: quality, stability of the baseline, sign, locus.

    Parameters
    ----------
    table : SweepTable
        Sweeps of the test pathway.
    rng : numpy.random.Generator
        For the bootstraps; the same seed gives the same verdict.
    control : SweepTable, optional
        Sweeps of the control pathway, on the same clock.
    config : ClassifyConfig, optional
        Settings.
    about : Circumstances, optional
        What kind of response it is, whether light evoked it, and what is known of its driving force.

    Returns
    -------
    Verdict
        Refused, with the reason as `status`, when a gate fails; that is an answer, not an error. The locus is asked
        only for LTP and LTD.

    Raises
    ------
    ManifestError
        If the table has no baseline or no post sweeps at all.

    Examples
    --------
    >>> rng, nothing = np.random.default_rng(1), np.full(120, np.nan)
    >>> table = SweepTable(
    ...     unit="pA", phase=np.repeat(["baseline", "post"], 60), time_s=10.0 * np.arange(120),
    ...     amplitude=np.repeat([[100.0], [150.0]], 60, axis=0) + rng.normal(0, 20, (120, 1)),
    ...     noise=rng.normal(0, 5, 120), interval_s=np.zeros(1), rs_mohm=np.full(120, 12.0), rin_mohm=nothing,
    ...     holding=nothing, excluded=("ok",) * 120, file=("a.abf",) * 120, sweep=np.arange(1, 121))
    >>> verdict = classify(table, rng=rng)
    >>> verdict.sign, verdict.locus
    ('LTP', 'pre-or-silent')
    """
    settings = config or ClassifyConfig()
    return judge(gate(table, control=control, config=settings), rng=rng, config=settings, about=about)


def gate(table: SweepTable, *, control: SweepTable | None = None, config: ClassifyConfig | None = None) -> Gated:
    """Put an experiment through the gates: exclude the sweeps that fail, and say how each gate came out.

    Parameters, exclusions and errors are those of :func:`classify`, which is this and then :func:`judge`.
    """
    settings = config or ClassifyConfig()
    for each in (table, control):
        _check_phases(each)
    checked, checks = check_quality(table, settings.quality)
    checks += (_stability(checked, settings.stability),)
    if control is not None:
        control, more = check_quality(control, settings.quality)
        checks += tuple(_about_control(each) for each in more)
    return Gated(table=checked, control=control, checks=checks)


def judge(
    gated: Gated,
    *,
    rng: np.random.Generator,
    config: ClassifyConfig | None = None,
    about: Circumstances | None = None,
) -> Verdict:
    """Judge sign and locus of an experiment that went through the gates.

    Parameters and result are those of :func:`classify`.
    """
    settings = config or ClassifyConfig()
    checked, checks = gated.table, gated.checks
    failed = [each.sentence for each in checks if each.outcome == "fail"]
    if failed:
        return _refusal("; ".join(failed), checked, checks)
    sign = judge_sign(checked, settings.sign, rng=rng, control=gated.control)
    if sign.status != OK:
        return _refusal(sign.status, checked, checks)
    locus = None
    if sign.sign == "LTP" or sign.sign == "LTD":
        locus = measure_locus(checked, settings.locus, rng=rng, about=about, sign=sign.sign)
    return _answer(sign, locus, checked, checks, level=settings.sign.level)


def _check_phases(table: SweepTable | None) -> None:
    for phase in (BASELINE, POST):
        if table is not None and not (table.phase == phase).any():
            got = ", ".join(dict.fromkeys(table.phase.tolist())) or "no sweeps"
            raise ManifestError(
                f"the experiment has no {phase} sweeps",
                got=got,
                wanted=f"{BASELINE} and {POST}",
                remedy=f"give sweeps the phase {phase}",
            )


def _stability(table: SweepTable, limits: StabilityConfig) -> QualityCheck:
    check = check_stability(table, limits).check
    if check.outcome == "fail" and not limits.refuse:
        return replace(check, outcome="warn")
    return check


def _about_control(check: QualityCheck) -> QualityCheck:
    # A control that fails is warned of; the sign says whether enough of it is left to be divided out.
    outcome = "warn" if check.outcome == "fail" else check.outcome
    return replace(check, name=f"{check.name} (control)", outcome=outcome, sentence=f"control: {check.sentence}")


def _refusal(reason: str, table: SweepTable, checks: tuple[QualityCheck, ...]) -> Verdict:
    return Verdict(
        sign="refused",
        status=reason,
        sign_sentence=f"refused: {reason}",
        locus_sentence="the locus is not asked of a refused experiment",
        quality=checks,
        n_baseline=int(table.of_phase(BASELINE).sum()),
        n_post=int(table.of_phase(POST).sum()),
    )


def _answer(
    sign: SignResult, locus: LocusResult | None, table: SweepTable, checks: tuple[QualityCheck, ...], *, level: float
) -> Verdict:
    caution = "".join(f"; {each.sentence}" for each in checks if each.name == "baseline" and each.outcome != "pass")
    return Verdict(
        sign=sign.sign,
        change=sign.change,
        change_low=sign.low,
        change_high=sign.high,
        level=level,
        sign_sentence=sign.sentence + caution,
        locus=locus.locus if locus else "not asked",
        locus_sentence=locus.sentence if locus else f"the locus is asked only for LTP and LTD, not for {sign.sign}",
        locus_probabilities=locus.probabilities if locus else {},
        release=locus.release if locus else (),
        amplitude_fit=locus.amplitude_fit if locus else None,
        evidence=locus.evidence if locus else (),
        cv_plane=locus.cv_plane if locus else None,
        quantal_size=locus.quantal_size if locus else None,
        quality=checks,
        n_baseline=int(table.of_phase(BASELINE).sum()),
        n_post=int(table.of_phase(POST).sum()),
    )
