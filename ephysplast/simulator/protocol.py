"""An induction protocol: when both cells fired, and at what potential the postsynaptic one was held.

Δt = t_post − t_pre throughout: positive when the presynaptic cell fires
first.
"""

from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np

from ephysplast.errors import EphysplastError, SettingsError
from ephysplast.recording import FloatArray
from ephysplast.units import strip_unit

REST_MV: Final = -70.0
_NO_SPIKES: Final = np.empty(0)


@dataclass(frozen=True, kw_only=True)
class Depolarisation:
    """A stretch of time in which the postsynaptic cell is held at a potential of its own."""

    start_s: float
    stop_s: float
    v_mv: float

    def __post_init__(self) -> None:
        """Refuse a stretch that does not end after it starts."""
        if not self.start_s < self.stop_s or not np.isfinite(self.v_mv):
            raise SettingsError(
                "a depolarisation must end after it starts, at a potential that is a number", got=str(self)
            )


@dataclass(frozen=True, eq=False, kw_only=True)
class Protocol:
    """Spike times of both cells, sorted, and the postsynaptic potential between spikes.

    Attributes
    ----------
    pre_s, post_s : numpy.ndarray, shape (n_pre,) and (n_post,)
        Spike times in s, each sorted, none twice. The clock's zero is of no consequence.
    depolarisations : tuple of Depolarisation
        Where the cell is not at rest; where two overlap the later one of the tuple holds.
    rest_mv : float
        Potential everywhere else.
    description : str
        The protocol in a line, with its numbers of repetitions.

    Raises
    ------
    EphysplastError
        If times are not sorted, occur twice, or are not finite.

    Examples
    --------
    >>> Protocol(pre_s=np.array([0.0, 1.0]), post_s=np.array([0.01, 1.01])).n_post
    2
    """

    pre_s: FloatArray = field(default_factory=lambda: _NO_SPIKES)
    post_s: FloatArray = field(default_factory=lambda: _NO_SPIKES)
    depolarisations: tuple[Depolarisation, ...] = ()
    rest_mv: float = REST_MV
    description: str = "spike times as given"

    def __post_init__(self) -> None:
        """Strip units once, refuse what is no spike train, and make the times unchangeable."""
        if not np.isfinite(self.rest_mv):
            raise SettingsError("the potential is not a number", got=str(self.rest_mv))
        for name, side in (("pre_s", "presynaptic"), ("post_s", "postsynaptic")):
            times = _spike_train(getattr(self, name), side)
            times.setflags(write=False)
            object.__setattr__(self, name, times)

    @property
    def n_pre(self) -> int:
        """Number of presynaptic spikes."""
        return len(self.pre_s)

    @property
    def n_post(self) -> int:
        """Number of postsynaptic spikes."""
        return len(self.post_s)

    def potential_mv(self, at_s: FloatArray) -> FloatArray:
        """Return the postsynaptic potential between spikes at these times."""
        potential = np.full(np.shape(at_s), self.rest_mv)
        for each in self.depolarisations:
            potential[(at_s >= each.start_s) & (at_s < each.stop_s)] = each.v_mv
        return potential

    def held_at(self, v_mv: float) -> "Protocol":
        """Return the same spikes with the postsynaptic cell held at one potential throughout.

        Examples
        --------
        >>> Protocol(pre_s=np.array([0.0, 1.0])).held_at(-40.0).description
        'spike times as given, held at -40 mV'
        """
        description = f"{self.description}, held at {v_mv:g} mV"
        return replace(self, depolarisations=(), rest_mv=v_mv, description=description)


def _spike_train(times: Any, side: str) -> FloatArray:
    try:
        found = np.array(strip_unit(times, "s"))
    except (TypeError, ValueError) as error:
        raise EphysplastError(f"the {side} spike times are not numbers", got=repr(times)[:60]) from error
    if found.ndim != 1:
        raise EphysplastError(f"the {side} spike times are not one list", got=f"an array of shape {found.shape}")
    bad = np.flatnonzero(~np.isfinite(found))
    if bad.size:
        raise EphysplastError(
            f"a {side} spike time is not a finite number",
            got=f"{found[bad[0]]} at place {bad[0] + 1} of {found.size}",
            remedy="leave out spikes without a time",
        )
    steps = np.diff(found)
    wrong = np.flatnonzero(steps <= 0.0)
    if wrong.size:
        i = int(wrong[0])
        twice = steps[i] == 0.0
        raise EphysplastError(
            f"a {side} spike time occurs twice" if twice else f"the {side} spike times are not sorted",
            got=f"{found[i]:g} s and then {found[i + 1]:g} s (places {i + 1} and {i + 2} of {found.size})",
            remedy="keep one of them" if twice else "sort them, or give the spikes of one clock",
        )
    return found
