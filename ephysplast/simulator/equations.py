"""What the equations of every rule offer: start, one step per event, and the change at the end."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from math import inf
from typing import Any, ClassVar

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.simulator._timeline import Timeline
from ephysplast.simulator.parameter import Values


class Equations(ABC):
    """The equations of a rule, without numbers.

    A subclass is frozen data and final. All state is in what :meth:`init` returns; :meth:`step` changes that in place,
    for all parameter sets at once.

    Attributes
    ----------
    is_random : bool
        True when a random number generator is needed.
    most_sets : int
        Parameter sets that are best run together: enough to outweigh Python, few enough for the processor's cache.
    """

    is_random: ClassVar[bool] = False
    most_sets: ClassVar[int] = 5000

    @abstractmethod
    def needs(self) -> frozenset[str]:
        """Return the names of the parameters the equations use."""

    @abstractmethod
    def variables(self) -> tuple[str, ...]:
        """Return what is changed: ``"w"`` or names of expression variables."""

    @abstractmethod
    def init(self, values: Values, timeline: Timeline, *, rng: np.random.Generator | None = None) -> Any:
        """Return the state before the first event.

        Parameters
        ----------
        values : dict of str to numpy.ndarray, shape (1,) or (n_sets,)
            Every parameter.
        timeline : Timeline
            The events, known beforehand: some rules look ahead.
        rng : numpy.random.Generator, optional
            For random rules.
        """

    @abstractmethod
    def step(self, state: Any, event: int) -> None:
        """Take the state from just after the event before to just after this one."""

    def memory_ms(self, values: Values) -> float:
        """Return after how long a pause the past is of no consequence; infinite when it always is."""
        return inf

    def begin_repeats(self, state: Any) -> None:  # noqa: B027
        """Prepare for events that will be repeated, each time after a pause longer than the memory."""

    def repeat(self, state: Any, n: int) -> None:
        """Do `n` times more what the events since :meth:`begin_repeats` did, without stepping through them."""
        raise NotImplementedError(f"{type(self).__name__} has no finite memory")

    @abstractmethod
    def changes(self, state: Any) -> dict[str, FloatArray]:
        """Return variable → change since the start, shape (n_sets,): a fraction, or its own unit if it has one."""

    @abstractmethod
    def watch(self, state: Any, event: int) -> Mapping[str, FloatArray]:
        """Return name → value of everything worth seeing just after that event, the last one taken; shape (n_sets,)."""

    @abstractmethod
    def clock_ms(self, state: Any) -> FloatArray:
        """Return when each event acts in the first parameter set; some rules delay spikes."""


def n_sets_of(values: Values) -> int:
    """Return how many parameter sets there are."""
    return max((each.size for each in values.values()), default=1)
