"""From the sweeps of an experiment to a verdict: gates, stability of the baseline, sign, locus."""

from ephysplast.classify.locus import LocusConfig, LocusResult, measure_locus
from ephysplast.classify.quality import QualityConfig, check_quality
from ephysplast.classify.run import ClassifyConfig, Gated, classify, gate, judge
from ephysplast.classify.sign import SignConfig, SignResult, judge_sign
from ephysplast.classify.stability import StabilityConfig, StabilityResult, check_stability

__all__ = [
    "ClassifyConfig",
    "Gated",
    "LocusConfig",
    "LocusResult",
    "QualityConfig",
    "SignConfig",
    "SignResult",
    "StabilityConfig",
    "StabilityResult",
    "check_quality",
    "check_stability",
    "classify",
    "gate",
    "judge",
    "judge_sign",
    "measure_locus",
]
