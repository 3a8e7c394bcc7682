"""Protocols that ask the cell itself: series of steps, and ramps, of current or of voltage."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from ephysplast.errors import SettingsError
from ephysplast.recording import FloatArray
from ephysplast.synthesis.commands import Command, Step

_TRIGGER_MS: Final = 0.5
"""How long a digital line is high: what stimulus isolators need."""
_HELD: Final = 1.0 / 64.0
"""The share of every sweep that Clampex holds before its first epoch."""


@dataclass(frozen=True, kw_only=True)
class Protocol(ABC):
    """What all protocols have; levels are absolute and in `unit`.

    Attributes
    ----------
    unit : {"pA", "mV"}
        Of the command: current clamp or voltage clamp.
    n_sweeps : int
        Sweeps of one series.
    holding : float
        Level before and after.
    start_ms, stop_ms : float
        The step or ramp, from the start of the sweep.
    duration_ms, rate_hz : float
        Of a sweep.
    interval_s : float
        From start to start.
    test_ms : (float, float) or None
        A test pulse before the step or ramp: start and stop.
    test_step : float
        Its size, from holding.
    """

    unit: Literal["pA", "mV"]
    n_sweeps: int
    holding: float = 0.0
    start_ms: float = 100.0
    stop_ms: float = 600.0
    duration_ms: float = 700.0
    rate_hz: float = 10_000.0
    interval_s: float = 3.0
    test_ms: tuple[float, float] | None = None
    test_step: float = -5.0

    def __post_init__(self) -> None:
        """Refuse times that an epoch table cannot make."""
        first_ms = self.test_ms[0] if self.test_ms else self.start_ms
        times = (first_ms, *(self.test_ms or ()), self.start_ms, self.stop_ms, self.duration_ms)
        if first_ms < _HELD * self.duration_ms or list(times) != sorted(times):
            raise SettingsError(
                "the times of the protocol are impossible",
                got=", ".join(f"{each:g}" for each in times) + " ms",
                wanted=f"in order, and nothing in the first 1/64 of the sweep ({_HELD * self.duration_ms:g} ms)",
            )

    @property
    def n_samples(self) -> int:
        """Samples in a sweep."""
        return self._sample(self.duration_ms)

    @property
    def time_s(self) -> FloatArray:
        """Time of each sample from the start of the sweep, shape (n_samples,)."""
        return np.asarray(np.arange(self.n_samples) / self.rate_hz)

    @abstractmethod
    def command(self) -> Command:
        """Return what the amplifier and the digital lines are told to do."""

    def _sample(self, ms: float) -> int:
        return round(ms * 1e-3 * self.rate_hz)

    def _test_pulse(self) -> tuple[Step, ...]:
        if self.test_ms is None:
            return ()
        start, stop = (self._sample(each) for each in self.test_ms)
        return (Step(start=start, stop=stop, level=self.holding + self.test_step),)


@dataclass(frozen=True, kw_only=True)
class StepProtocol(Protocol):
    """A step whose level grows from sweep to sweep, as Clampex's delta level does it.

    Attributes
    ----------
    first, delta : float
        Level in the first sweep, and what is added with every sweep.
    trigger_ms : float or None
        When a stimulus is given during the step.
    digital : int
        The digital output that triggers it.

    Examples
    --------
    >>> steps = StepProtocol(unit="pA", n_sweeps=3, first=-40.0, delta=20.0)
    >>> steps.sizes.tolist(), steps.command().row(7000, 2)[[0, 1000, 6000]].tolist()
    ([-40.0, -20.0, 0.0], [0.0, 0.0, 0.0])
    """

    first: float
    delta: float
    trigger_ms: float | None = None
    digital: int = 0

    @property
    def sizes(self) -> FloatArray:
        """Level of each sweep's step minus holding, shape (n_sweeps,)."""
        return np.asarray(self.first + self.delta * np.arange(self.n_sweeps) - self.holding)

    def command(self) -> Command:
        """Return what the amplifier and the digital line are told to do."""
        edges = [self._sample(self.start_ms), self._sample(self.stop_ms)]
        triggered: tuple[int, ...] = ()
        if self.trigger_ms is not None:
            triggered = (self._sample(self.trigger_ms), self._sample(self.trigger_ms + _TRIGGER_MS))
            edges[1:1] = triggered
        steps = tuple(
            Step(
                start=start,
                stop=stop,
                level=self.first,
                delta=self.delta,
                digital=self.digital if (start, stop) == triggered else None,
            )
            for start, stop in pairwise(edges)
        )
        return Command(holding=self.holding, unit=self.unit, steps=(*self._test_pulse(), *steps))


@dataclass(frozen=True, kw_only=True)
class RampProtocol(Protocol):
    """The same ramp in every sweep.

    Attributes
    ----------
    begins, ends : float
        Levels between which it runs from `start_ms` to `stop_ms`.
    settle_ms : float
        How long the command stays at `begins` before.

    Examples
    --------
    >>> ramp = RampProtocol(unit="pA", n_sweeps=1, begins=0.0, ends=250.0)
    >>> ramp.slope_per_s
    500.0
    """

    begins: float
    ends: float
    settle_ms: float = 0.0

    @property
    def slope_per_s(self) -> float:
        """Steepness of the ramp, in `unit` per s."""
        return (self.ends - self.begins) / (self.stop_ms - self.start_ms) * 1e3

    def command(self) -> Command:
        """Return what the amplifier is told to do."""
        start, stop = self._sample(self.start_ms), self._sample(self.stop_ms)
        settling: tuple[Step, ...] = ()
        if self.settle_ms:
            settling = (Step(start=self._sample(self.start_ms - self.settle_ms), stop=start, level=self.begins),)
        elif self.begins != self.holding:
            raise SettingsError("a ramp that does not begin at holding needs time to settle", wanted="settle_ms")
        ramp = Step(start=start, stop=stop, level=self.ends, ramp=True)
        return Command(holding=self.holding, unit=self.unit, steps=(*self._test_pulse(), *settling, ramp))
