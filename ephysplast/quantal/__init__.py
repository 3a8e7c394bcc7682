"""Quantal analysis: likelihoods of responses under binomial release, and the locus of a change."""

from ephysplast.quantal.locus import LOCI, LocusConfig, LocusPosterior, locus_posterior
from ephysplast.quantal.moments import ReleaseSets, cv_plane
from ephysplast.quantal.priors import LocusPriors
from ephysplast.quantal.release import ShortTerm, release_log_density, train_log_likelihood

__all__ = [
    "LOCI",
    "LocusConfig",
    "LocusPosterior",
    "LocusPriors",
    "ReleaseSets",
    "ShortTerm",
    "cv_plane",
    "locus_posterior",
    "release_log_density",
    "train_log_likelihood",
]
