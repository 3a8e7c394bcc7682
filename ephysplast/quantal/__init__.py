"""Quantal analysis: release likelihoods, locus of a change, variance–mean, short-term plasticity, quantal size."""

from ephysplast.quantal.locus import LOCI, LocusPosterior, PosteriorConfig, locus_posterior
from ephysplast.quantal.moments import ReleaseSets, cv_plane
from ephysplast.quantal.priors import LocusPriors
from ephysplast.quantal.quantal_size import (
    FailureSizeConfig,
    MiniSizeConfig,
    QuantalSize,
    quantal_size_from_failures,
    quantal_size_from_minis,
)
from ephysplast.quantal.release import ShortTerm, release_log_density, train_log_likelihood
from ephysplast.quantal.tsodyks_markram import (
    Train,
    TsodyksMarkramComparison,
    TsodyksMarkramConfig,
    TsodyksMarkramFit,
    compare_tsodyks_markram,
    fit_tsodyks_markram,
    predict_train,
)
from ephysplast.quantal.variance_mean import VarianceMeanConfig, VarianceMeanResult, measure_variance_mean

__all__ = [
    "LOCI",
    "FailureSizeConfig",
    "LocusPosterior",
    "LocusPriors",
    "MiniSizeConfig",
    "PosteriorConfig",
    "QuantalSize",
    "ReleaseSets",
    "ShortTerm",
    "Train",
    "TsodyksMarkramComparison",
    "TsodyksMarkramConfig",
    "TsodyksMarkramFit",
    "VarianceMeanConfig",
    "VarianceMeanResult",
    "compare_tsodyks_markram",
    "cv_plane",
    "fit_tsodyks_markram",
    "locus_posterior",
    "measure_variance_mean",
    "predict_train",
    "quantal_size_from_failures",
    "quantal_size_from_minis",
    "release_log_density",
    "train_log_likelihood",
]
