"""Quantal analysis: likelihoods of responses under binomial release, and the locus of a change."""

from ephysplast.quantal.locus import LOCI, LocusPosterior, PosteriorConfig, locus_posterior
from ephysplast.quantal.moments import ReleaseSets, cv_plane
from ephysplast.quantal.priors import LocusPriors
from ephysplast.quantal.release import ShortTerm, release_log_density, train_log_likelihood

__all__ = [
    "LOCI",
    "LocusPosterior",
    "LocusPriors",
    "PosteriorConfig",
    "ReleaseSets",
    "ShortTerm",
    "cv_plane",
    "locus_posterior",
    "release_log_density",
    "train_log_likelihood",
]
