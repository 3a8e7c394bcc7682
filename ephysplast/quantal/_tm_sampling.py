"""Trains, settings, and draws from the posterior of the Tsodyks–Markram model."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from math import inf

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ephysplast.errors import EphysplastError, SettingsError, check_settings
from ephysplast.quantal._tm_anneal import anneal
from ephysplast.quantal._tm_look import first_look
from ephysplast.quantal._tm_model import (
    Marginal,
    Prior,
    Ranges,
    Seen,
    course,
    draw_first,
    marginal,
)

FloatArray = NDArray[np.float64]

_RESPONSE_SE = 3.0
_LEAST = 3


@dataclass(frozen=True, eq=False, kw_only=True)
class Train:
    """Mean amplitudes of one train of stimuli, from rest.

    Attributes
    ----------
    times_s : numpy.ndarray, shape (n_pulses,)
        When each pulse came, ascending; recovery pulses are later pulses of the same train.
    amplitude : numpy.ndarray, shape (n_pulses,)
        Mean over sweeps, a magnitude along the expected polarity, with what is left of the response before taken off.
        NaN where it is not known: the pulse still uses up resources.
    se : numpy.ndarray, shape (n_pulses,)
        Standard error of each mean; above 0 wherever the amplitude is known.

    Examples
    --------
    >>> Train(times_s=[0.0, 0.05], amplitude=[10.0, 6.0], se=[1.0, 1.0]).times_s.tolist()
    [0.0, 0.05]
    """

    times_s: FloatArray
    amplitude: FloatArray
    se: FloatArray

    def __post_init__(self) -> None:
        for each in fields(self):
            object.__setattr__(self, each.name, np.asarray(getattr(self, each.name), dtype=np.float64))
        shapes = {self.times_s.shape, self.amplitude.shape, self.se.shape}
        if len(shapes) > 1 or self.times_s.ndim != 1 or self.times_s.size == 0:
            raise EphysplastError(
                "a train does not fit together",
                got=f"times {self.times_s.shape}, amplitudes {self.amplitude.shape}, errors {self.se.shape}",
                wanted="one number per pulse of each",
            )
        if not np.all(np.isfinite(self.times_s)) or np.any(np.diff(self.times_s) <= 0.0):
            raise EphysplastError("the pulses of a train are not in order", wanted="ascending times in s")
        known = np.isfinite(self.amplitude)
        if not np.all(np.isfinite(self.se[known]) & (self.se[known] > 0.0)):
            raise EphysplastError(
                "a mean amplitude has no error",
                got=str(self.se[known].min()),
                wanted="a standard error above 0 for every amplitude",
                remedy="give the SD over sweeps / √sweeps, or NaN as the amplitude",
            )


@dataclass(frozen=True, kw_only=True)
class TsodyksMarkramConfig:
    """Settings of the Tsodyks–Markram fit.

    Attributes
    ----------
    free_f : bool
        False: a pulse adds U·(1 − u) to u, the classic model. True: it adds f·(1 − u), f on its own.
    min_u, max_u : float
        U is uniform between these.
    min_time_ms, max_time_ms : float
        D and F are log-uniform between these: from one spike to the next to some seconds.
    min_facilitation, max_facilitation : float
        f is uniform between these; used with `free_f`.
    facilitation_slack : float
        Between two phases f changes as U^γ, γ uniform from 0 (not at all) to 1 (in proportion), times a factor whose
        logarithm has this SD; 0.3, as in :class:`~ephysplast.quantal.priors.LocusPriors`. Whatever changes release
        changes residual calcium too.
    scatter : float
        What the model is trusted to describe: this share of every amplitude is added to its standard error; 0.
    identified : float
        A parameter is identified when its 95 % interval has at most this share of the prior's, 0.25,
    identified_span : float
        and spans at most this factor, 4.
    unidentified : float
        Above this share it is not identifiable; 0.7.
    n_draws : int
        Draws kept of the posterior.
    n_moves : float
        Moves that a draw has accepted on average before it is kept; 10.
    """

    free_f: bool = False
    min_u: float = 0.001
    max_u: float = 1.0
    min_time_ms: float = 5.0
    max_time_ms: float = 5000.0
    min_facilitation: float = 0.0
    max_facilitation: float = 1.0
    facilitation_slack: float = 0.3
    scatter: float = 0.0
    identified: float = 0.25
    identified_span: float = 4.0
    unidentified: float = 0.7
    n_draws: int = 2000
    n_moves: float = 10.0

    def __post_init__(self) -> None:
        check_settings(
            self,
            min_u=(1e-6, 1.0),
            max_u=(1e-6, 1.0),
            min_time_ms=(1e-3, inf),
            max_time_ms=(1e-3, 1e7),
            min_facilitation=(0.0, 1.0),
            max_facilitation=(0.0, 1.0),
            facilitation_slack=(0.0, 3.0),
            scatter=(0.0, 1.0),
            identified=(0.01, 1.0),
            identified_span=(1.01, inf),
            unidentified=(0.01, 1.0),
            n_draws=(100, 1_000_000),
            n_moves=(1.0, 1000.0),
        )
        for name in ("u", "time_ms", "facilitation"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if not low < high:
                raise SettingsError(f"the prior of {name} is empty", got=f"{low:g} to {high:g}", wanted="min below max")

    @property
    def ranges(self) -> Ranges:
        """Bounds of the prior."""
        time = (self.min_time_ms, self.max_time_ms)
        return Ranges((self.min_u, self.max_u), time, time, (self.min_facilitation, self.max_facilitation))

    @property
    def names(self) -> tuple[str, ...]:
        """What is free beside the scale."""
        return ("u", "d_ms", "f_ms", "facilitation") if self.free_f else ("u", "d_ms", "f_ms")


@dataclass(frozen=True, eq=False)
class Phase:
    """Draws of one phase: its parameters, its first response, and the least misfit that was met."""

    place: FloatArray
    parameters: FloatArray
    first: FloatArray
    misfit: float
    n_known: int

    @property
    def a(self) -> FloatArray:
        """Draws of A."""
        return np.asarray(self.first / self.parameters[:, 0])


def gather(trains: Sequence[Train], config: TsodyksMarkramConfig) -> Seen:
    """Put the trains of one synapse together."""
    if not trains:
        raise EphysplastError("there is no train to fit", wanted="at least one")
    amplitude, se = (np.concatenate([getattr(each, name) for each in trains]) for name in ("amplitude", "se"))
    known = np.isfinite(amplitude)
    error = np.hypot(np.where(known, se, 1.0), config.scatter * np.abs(np.where(known, amplitude, 0.0)))
    return Seen(
        intervals_ms=tuple(1e3 * np.diff(each.times_s) for each in trains),
        amplitude=np.where(known, amplitude, 0.0),
        weight=np.where(known, 1.0 / error**2, 0.0),
    )


def refusal(seen: Seen) -> str:
    """Say why these trains cannot tell anything; empty when they can."""
    known = seen.weight > 0.0
    if np.count_nonzero(known) < _LEAST or not any(gaps.size for gaps in seen.intervals_ms):
        return f"{np.count_nonzero(known)} mean amplitudes are too few: a course needs at least {_LEAST}"
    if np.max(seen.amplitude * np.sqrt(seen.weight)) < _RESPONSE_SE:
        return "there is no response to speak of: every mean amplitude is within its error of zero"
    return ""


@dataclass(frozen=True)
class Layout:
    """What the sampled coordinates stand for: U of every phase, D, F, and if it is free f and how f follows U."""

    n_phases: int
    config: TsodyksMarkramConfig

    @property
    def size(self) -> int:
        """Number of coordinates."""
        shared = len(self.config.names) - 1
        return self.n_phases + shared + 2 * (self.config.free_f and self.n_phases > 1)

    def read(self, at: FloatArray, which: int) -> tuple[FloatArray, FloatArray]:
        """Place in the prior and value of U, D, F (and f) in one phase, shape (n_sets, n_names) each."""
        ranges = replace(self.config.ranges, logarithmic=self.n_phases > 1)
        names = self.config.names
        columns = [which, *range(self.n_phases, self.n_phases + len(names) - 1)]
        place = special.ndtr(at[:, columns])
        values = np.stack([ranges.physical(name, place[:, k]) for k, name in enumerate(names)], axis=1)
        if self.config.free_f and self.n_phases > 1:
            values[:, -1] = np.minimum(values[:, -1] * self._follow(at, ranges, which), 1.0)
        return place, values

    def _follow(self, at: FloatArray, ranges: Ranges, which: int) -> FloatArray:
        """Factor of f in one phase; half way between the phases is the reference, so that both are treated alike."""
        u = ranges.physical("u", special.ndtr(at[:, : self.n_phases]))
        power, slack = special.ndtr(at[:, -2]), at[:, -1] * self.config.facilitation_slack
        return np.asarray(np.exp((which - 0.5) * (power * np.log(u[:, 1] / u[:, 0]) + slack)))


def draw_posterior(
    phases: Sequence[Seen], config: TsodyksMarkramConfig, rng: np.random.Generator
) -> tuple[list[Phase], float]:
    """Draw from the posterior of one or two phases that share D and F; also how many moves each accepted."""
    layout = Layout(len(phases), config)
    prior = Prior(layout.size)

    def look(at: FloatArray, which: int) -> Marginal:
        u, d_ms, f_ms, *more = layout.read(at, which)[1].T
        return marginal(phases[which], course(phases[which], u=u, d_ms=d_ms, f_ms=f_ms, f=more[0] if more else u))

    def log_target(at: FloatArray) -> FloatArray:
        return np.asarray(prior.log_density(at) + sum(look(at, i).log_likelihood for i in range(len(phases))))

    def residuals(at: FloatArray) -> FloatArray:
        return np.concatenate([look(at, i).residuals for i in range(len(phases))], axis=1)

    found = anneal(log_target, first_look(residuals, prior, rng), n_draws=config.n_draws, moves=config.n_moves, rng=rng)
    at = found.points
    made = []
    for i, seen in enumerate(phases):
        kept = look(at, i)
        n_known = int(np.count_nonzero(seen.weight))
        made.append(Phase(*layout.read(at, i), draw_first(kept, rng), float(kept.misfit.min()), n_known))
    return made, found.accepted
