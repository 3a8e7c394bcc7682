"""Calcium above two thresholds moves an efficacy between two states (Graupner & Brunel 2012).

Calcium jumps with every spike and decays between them; how long it is above a threshold between two jumps is known in
closed form, so no time step is needed. Times here are in ms, but for the time constant of the efficacy, in s.
doi:10.1073/pnas.1109359109
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final, final

import numpy as np
from scipy.special import erf

from ephysplast.recording import FloatArray
from ephysplast.simulator._timeline import POST, PRE, Timeline
from ephysplast.simulator.equations import Equations, n_sets_of
from ephysplast.simulator.parameter import Values

_PARAMETERS: Final = (
    "tau_ca_ms", "c_pre", "c_post", "theta_d", "theta_p", "delay_ms",
    "gamma_d", "gamma_p", "sigma", "tau_s", "rho_star", "beta", "b",
)  # fmt: skip
_TINY: Final = 1e-300
_CUBIC_STEP: Final = 0.1
"""Longest step of the drift between the stable states, in units of its time constant."""


@dataclass(eq=False, kw_only=True)
class Calcium:
    """Calcium of every parameter set; changed in place.

    A presynaptic spike acts after a delay. Where the delay differs between sets, each has its own order of events.

    Attributes
    ----------
    time_ms : numpy.ndarray, shape (n_events, 1) or (n_events, n_sets)
        When the events act, in order.
    jump : numpy.ndarray, shape (n_events, n_sets) or (n_events, 1)
        What each adds.
    level : numpy.ndarray, shape (n_sets,)
        Calcium just after the last event that was taken.
    above_p_ms, above_d_ms : numpy.ndarray, shape (n_sets,)
        How long it was above either threshold between the last two events.
    """

    values: Values
    time_ms: FloatArray
    jump: FloatArray
    level: FloatArray
    above_p_ms: FloatArray
    above_d_ms: FloatArray

    @classmethod
    def of(cls, values: Values, timeline: Timeline) -> "Calcium":
        """Put the events in order."""
        is_pre = (timeline.kind == PRE)[:, None]
        time_ms = timeline.time_ms[:, None] + is_pre * values["delay_ms"]
        order = np.argsort(time_ms, axis=0, kind="stable")
        is_post = (timeline.kind == POST)[:, None]
        jump = np.take_along_axis(is_pre, order, axis=0) * values["c_pre"]
        jump = jump + np.take_along_axis(is_post, order, axis=0) * values["c_post"]
        n_sets = n_sets_of(values)
        return cls(
            values=values,
            time_ms=np.take_along_axis(time_ms, order, axis=0),
            jump=jump,
            level=np.zeros(n_sets),
            above_p_ms=np.zeros(n_sets),
            above_d_ms=np.zeros(n_sets),
        )

    def advance(self, event: int) -> FloatArray:
        """Decay until an event, then jump; return the interval, shape (1,) or (n_sets,)."""
        interval: FloatArray = self.time_ms[event] - self.time_ms[max(event - 1, 0)]
        self.above_p_ms, self.above_d_ms = self.above(interval)
        self.level *= np.exp(-interval / self.values["tau_ca_ms"])
        self.level += self.jump[event]
        return interval

    def above(self, interval_ms: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Return how long calcium will be above θp and θd within the next interval, without further spikes."""
        tau, log_level = self.values["tau_ca_ms"], np.log(np.maximum(self.level, _TINY))
        for_p = np.clip(tau * (log_level - np.log(self.values["theta_p"])), 0.0, interval_ms)
        for_d = np.clip(tau * (log_level - np.log(self.values["theta_d"])), 0.0, interval_ms)
        return for_p, for_d


@dataclass(eq=False, kw_only=True)
class ClosedFormState:
    """Calcium, and for how long it was above the thresholds so far."""

    calcium: Calcium
    above_p_ms: FloatArray
    above_d_ms: FloatArray


@final
@dataclass(frozen=True, kw_only=True)
class CalciumClosedForm(Equations):
    """The expected change of many synapses, from the total time above each threshold.

    As in the paper, the drift between the two stable states is neglected (it is slow against any induction), and so is
    the order in which calcium was above which threshold: it is meant for protocols that repeat themselves.
    """

    most_sets: ClassVar[int] = 1500

    def needs(self) -> frozenset[str]:
        """Return the names of all parameters."""
        return frozenset(_PARAMETERS)

    def variables(self) -> tuple[str, ...]:
        """Change the weight."""
        return ("w",)

    def init(
        self,
        values: Values,
        timeline: Timeline,
        *,
        rng: np.random.Generator | None = None,
    ) -> ClosedFormState:
        """Start without calcium."""
        n_sets = n_sets_of(values)
        return ClosedFormState(
            calcium=Calcium.of(values, timeline), above_p_ms=np.zeros(n_sets), above_d_ms=np.zeros(n_sets)
        )

    def step(self, state: ClosedFormState, event: int) -> None:
        """Add up the time above the thresholds."""
        state.calcium.advance(event)
        state.above_p_ms += state.calcium.above_p_ms
        state.above_d_ms += state.calcium.above_d_ms

    def changes(self, state: ClosedFormState) -> dict[str, FloatArray]:
        """Return the expected change of strength, as a fraction, once calcium has decayed."""
        last_p, last_d = state.calcium.above(np.inf)
        up, down = transitions(state.calcium.values, state.above_p_ms + last_p, state.above_d_ms + last_d)
        return {"w": strength_change(state.calcium.values, up, down)}

    def clock_ms(self, state: ClosedFormState) -> FloatArray:
        """Return when events act: presynaptic ones after the delay."""
        return state.calcium.time_ms[:, 0]

    def watch(self, state: ClosedFormState, event: int) -> Mapping[str, FloatArray]:
        """Return calcium and the probabilities of a transition so far."""
        up, down = transitions(state.calcium.values, state.above_p_ms, state.above_d_ms)
        w = 1.0 + strength_change(state.calcium.values, up, down)
        return {"calcium": state.calcium.level, "P(up)": up, "P(down)": down, "w": w}


@dataclass(eq=False, kw_only=True)
class StochasticState:
    """Calcium, and the efficacies of synapses that began in the lower and in the upper state."""

    calcium: Calcium
    rho: FloatArray
    rng: np.random.Generator
    last_draws: FloatArray


@final
@dataclass(frozen=True, kw_only=True)
class CalciumStochastic(Equations):
    """Single synapses with noise and with the drift between the two stable states.

    Between two spikes the noise and the pull of calcium are drawn exactly (an Ornstein–Uhlenbeck process), then the
    drift follows. All parameter sets share their random numbers, so differences between them are not noise.

    Attributes
    ----------
    n_synapses : int
        Synapses that begin in either state.
    """

    n_synapses: int = 1000
    is_random: ClassVar[bool] = True
    most_sets: ClassVar[int] = 20

    def needs(self) -> frozenset[str]:
        """Return the names of all parameters."""
        return frozenset(_PARAMETERS)

    def variables(self) -> tuple[str, ...]:
        """Change the weight."""
        return ("w",)

    def init(self, values: Values, timeline: Timeline, *, rng: np.random.Generator | None = None) -> StochasticState:
        """Start half of the synapses at ρ = 0 and half at ρ = 1."""
        if rng is None:
            raise ValueError("a random rule needs a random number generator")
        start = np.repeat([0.0, 1.0], self.n_synapses)
        return StochasticState(
            calcium=Calcium.of(values, timeline),
            rho=np.tile(start, (n_sets_of(values), 1)),
            rng=rng,
            last_draws=rng.normal(size=(2, 2 * self.n_synapses)),
        )

    def step(self, state: StochasticState, event: int) -> None:
        """Move the efficacies through the time since the event before."""
        interval = state.calcium.advance(event)
        draws = state.rng.normal(size=(2, state.rho.shape[1]))
        above = state.calcium.above_p_ms, state.calcium.above_d_ms
        state.rho = _drift(state.calcium.values, _pulled(state.calcium.values, state.rho, *above, draws), interval)

    def changes(self, state: StochasticState) -> dict[str, FloatArray]:
        """Return the mean change of strength, as a fraction, once calcium has decayed."""
        last = _pulled(state.calcium.values, state.rho, *state.calcium.above(np.inf), state.last_draws)
        # The drift leads away from ρ*, so which side of it a synapse ends on is settled.
        return {"w": strength_change(state.calcium.values, *self._moved(state.calcium.values, last))}

    def clock_ms(self, state: StochasticState) -> FloatArray:
        """Return when events act: presynaptic ones after the delay."""
        return state.calcium.time_ms[:, 0]

    def watch(self, state: StochasticState, event: int) -> Mapping[str, FloatArray]:
        """Return calcium and mean efficacies."""
        up, down = self._moved(state.calcium.values, state.rho)
        n = self.n_synapses
        return {
            "calcium": state.calcium.level,
            "ρ, began low": state.rho[:, :n].mean(axis=1),
            "ρ, began high": state.rho[:, n:].mean(axis=1),
            "w": 1.0 + strength_change(state.calcium.values, up, down),
        }

    def _moved(self, values: Values, rho: FloatArray) -> tuple[FloatArray, FloatArray]:
        is_up = rho > values["rho_star"][:, None]
        return is_up[:, : self.n_synapses].mean(axis=1), 1.0 - is_up[:, self.n_synapses :].mean(axis=1)


def transitions(values: Values, above_p_ms: FloatArray, above_d_ms: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the probabilities of a transition up and of one down.

    Parameters
    ----------
    values : dict of str to numpy.ndarray
        Parameters.
    above_p_ms, above_d_ms : numpy.ndarray, shape (n_sets,)
        Total time above the thresholds.

    Returns
    -------
    up, down : numpy.ndarray, shape (n_sets,)
        0 where calcium never crossed a threshold.
    """
    pull_p, pull_d = values["gamma_p"] * above_p_ms, values["gamma_d"] * above_d_ms
    pull = np.maximum(pull_p + pull_d, _TINY)
    rho_end = pull_p / pull
    faded = np.exp(-pull / (1e3 * values["tau_s"]))
    variance = (
        values["sigma"] ** 2 * (above_p_ms + above_d_ms) / pull * -np.expm1(-2.0 * pull / (1e3 * values["tau_s"]))
    )
    spread = np.sqrt(np.maximum(variance, _TINY))
    up = 0.5 * (1.0 + erf(-(values["rho_star"] - rho_end + rho_end * faded) / spread))
    down = 0.5 * (1.0 - erf(-(values["rho_star"] - rho_end + (rho_end - 1.0) * faded) / spread))
    moved = above_p_ms + above_d_ms > 0.0
    return np.where(moved, up, 0.0), np.where(moved, down, 0.0)


def strength_change(values: Values, up: FloatArray, down: FloatArray) -> FloatArray:
    """Return the change of mean strength when a share β began low, and high is b times as strong as low."""
    beta, b = values["beta"], values["b"]
    after = (1.0 - up) * beta + down * (1.0 - beta) + b * (up * beta + (1.0 - down) * (1.0 - beta))
    return after / (beta + (1.0 - beta) * b) - 1.0


def _pulled(
    values: Values, rho: FloatArray, above_p_ms: FloatArray, above_d_ms: FloatArray, draws: FloatArray
) -> FloatArray:
    """Draw the efficacies after the time above both thresholds, and then after that above one of them."""
    both_ms, one_ms = np.minimum(above_p_ms, above_d_ms), np.abs(above_p_ms - above_d_ms)
    only_p = above_p_ms > above_d_ms
    for duration, gamma_p, gamma_d, n_noises, draw in (
        (both_ms, values["gamma_p"], values["gamma_d"], 2.0, draws[0]),
        (one_ms, values["gamma_p"] * only_p, values["gamma_d"] * ~only_p, 1.0, draws[1]),
    ):
        gamma = np.maximum(gamma_p + gamma_d, _TINY)
        rate = (gamma * duration / (1e3 * values["tau_s"]))[:, None]
        goal = (gamma_p / gamma)[:, None]
        spread = np.sqrt(values["sigma"][:, None] ** 2 * n_noises / (2.0 * gamma[:, None]) * -np.expm1(-2.0 * rate))
        rho = goal + (rho - goal) * np.exp(-rate) + spread * draw
    return rho


def _drift(values: Values, rho: FloatArray, interval_ms: FloatArray) -> FloatArray:
    """Let the efficacies drift towards 0 or 1: τ dρ/dt = −ρ(1 − ρ)(ρ* − ρ), by Runge–Kutta steps."""
    share = (interval_ms / (1e3 * values["tau_s"]))[:, None]
    n_steps = max(int(np.ceil(share.max() / _CUBIC_STEP)), 1)
    rho_star, h = values["rho_star"][:, None], share / n_steps

    def slope(at: FloatArray) -> FloatArray:
        return -at * (1.0 - at) * (rho_star - at)

    for _ in range(n_steps if share.max() > 0.0 else 0):
        first = slope(rho)
        second = slope(rho + h / 2 * first)
        third = slope(rho + h / 2 * second)
        rho = rho + h / 6 * (first + 2 * second + 2 * third + slope(rho + h * third))
    return rho
