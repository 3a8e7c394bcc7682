"""A rule's timing window: what pairings at each Δt and frequency change."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ephysplast.errors import OK, SettingsError
from ephysplast.recording import FloatArray
from ephysplast.result import Result
from ephysplast.simulator.expression import Expression
from ephysplast.simulator.pairings import pairing
from ephysplast.simulator.rule import Rule
from ephysplast.simulator.simulate import simulate

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike


@dataclass(frozen=True, eq=False, kw_only=True)
class TimingWindow(Result):
    """What pairings change, over Δt and frequency.

    Attributes
    ----------
    status : str
        ``"ok"``.
    rule : str
        What was run.
    n_pairings : int
        At every Δt and frequency.
    dt_ms : numpy.ndarray, shape (n_dt,)
        Δt = t_post − t_pre.
    frequency_hz : numpy.ndarray, shape (n_frequencies,)
        Of the pairings.
    changes : mapping of str to numpy.ndarray, shape (n_frequencies, n_dt)
        Expression variable → its change: a fraction, or in its own unit. Only those that the rule changes.
    """

    status: str = OK
    rule: str
    n_pairings: int
    dt_ms: FloatArray
    frequency_hz: FloatArray
    changes: Mapping[str, FloatArray]

    def to_frame(self) -> "pd.DataFrame":
        """Return one row per frequency and Δt."""
        import pandas as pd

        frequency, dt = np.meshgrid(self.frequency_hz, self.dt_ms, indexing="ij")
        columns: dict[str, Any] = {"rule": self.rule, "n_pairings": self.n_pairings}
        columns |= {"frequency_hz": frequency.ravel(), "dt_ms": dt.ravel()}
        return pd.DataFrame(columns | {name: each.ravel() for name, each in self.changes.items()})


def timing_window(
    rule: Rule | str,
    *,
    dt_ms: "ArrayLike",
    frequency_hz: "ArrayLike" = 1.0,
    n_pairings: int = 60,
    parameters: Mapping[str, float] | None = None,
    expression: Expression | str | None = None,
    rng: np.random.Generator | None = None,
    watch: Callable[[], None] | None = None,
) -> TimingWindow:
    """Run a rule through pairings at every Δt and frequency.

    Parameters
    ----------
    rule : Rule or str
        As in :func:`~ephysplast.simulator.simulate`.
    dt_ms : array_like, shape (n_dt,)
        Δt.
    frequency_hz : float or array_like, shape (n_frequencies,)
        Of the pairings.
    n_pairings : int
        At each.
    parameters : mapping of str to float, optional
        One value each.
    expression : Expression or str, optional
        Where the weight lives.
    rng : numpy.random.Generator, optional
        For rules with noise.
    watch : callable, optional
        Called after each Δt and frequency, to show progress.

    Returns
    -------
    TimingWindow

    Raises
    ------
    SettingsError
        As :func:`~ephysplast.simulator.simulate`; for lists of parameter values too.

    Examples
    --------
    >>> window = timing_window("haas", dt_ms=[-10.0, 0.0, 10.0])
    >>> window.changes["g"].round(3).tolist()
    [[-0.3, 0.0, 0.3]]
    """
    dt, frequency = (np.atleast_1d(np.asarray(each, dtype=np.float64)) for each in (dt_ms, frequency_hz))
    if dt.ndim != 1 or frequency.ndim != 1 or not dt.size or not frequency.size:
        raise SettingsError(
            "a window needs lists of Δt and of frequencies", got=f"shapes {dt.shape}, {frequency.shape}"
        )
    shape = (frequency.size, dt.size)
    changes: dict[str, FloatArray] = {}
    for i, hz in enumerate(frequency):
        for j, ms in enumerate(dt):
            protocol = pairing(dt_ms=float(ms), frequency_hz=float(hz), n_pairings=n_pairings)
            found = simulate(rule, protocol, parameters=parameters, expression=expression, rng=rng)
            if found.p.size > 1:
                raise SettingsError("a window is drawn for one parameter set", got=f"{found.p.size} sets")
            if watch is not None:
                watch()
            for name in found.changed:
                changes.setdefault(name, np.empty(shape))[i, j] = getattr(found, name)[0]
    return TimingWindow(
        rule=rule if isinstance(rule, str) else rule.name,
        n_pairings=n_pairings,
        dt_ms=dt,
        frequency_hz=frequency,
        changes=changes,
    )
