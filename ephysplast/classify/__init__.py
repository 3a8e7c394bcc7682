"""From measurements to a verdict: of a synapse (gates, stability, sign, locus), and of the cell itself."""

from ephysplast.classify._locus_words import LOCI_IN_WORDS, probability_in_words
from ephysplast.classify._release import release_frame
from ephysplast.classify.chloride import ChlorideConfig, judge_chloride
from ephysplast.classify.classical import IndicesConfig, IndicesResult, measure_indices
from ephysplast.classify.driving_force import check_driving_force, driving_force
from ephysplast.classify.intrinsic import IntrinsicConfig, judge_intrinsic
from ephysplast.classify.locus import Circumstances, DrivingForce, LocusConfig, LocusResult, measure_locus
from ephysplast.classify.quality import QualityConfig, check_quality
from ephysplast.classify.run import ClassifyConfig, Gated, classify, gate, judge
from ephysplast.classify.sign import SignConfig, SignResult, judge_sign
from ephysplast.classify.stability import StabilityConfig, StabilityResult, check_stability

__all__ = [
    "LOCI_IN_WORDS",
    "ChlorideConfig",
    "Circumstances",
    "ClassifyConfig",
    "DrivingForce",
    "Gated",
    "IndicesConfig",
    "IndicesResult",
    "IntrinsicConfig",
    "LocusConfig",
    "LocusResult",
    "QualityConfig",
    "SignConfig",
    "SignResult",
    "StabilityConfig",
    "StabilityResult",
    "check_driving_force",
    "check_quality",
    "check_stability",
    "classify",
    "driving_force",
    "gate",
    "judge",
    "judge_chloride",
    "judge_intrinsic",
    "judge_sign",
    "measure_indices",
    "measure_locus",
    "probability_in_words",
    "release_frame",
]
