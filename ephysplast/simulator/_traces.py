"""The traces that one cell's spikes leave, kept and moved together."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ephysplast.recording import FloatArray
from ephysplast.simulator._timeline import Tabulated, Timeline, faded
from ephysplast.simulator.mechanisms import At, Context, Side, Trace
from ephysplast.simulator.parameter import Values

_ONE: Final = np.ones(1)


@dataclass(frozen=True, eq=False, kw_only=True)
class SideTraces:
    """All traces of one cell. Their levels are those just after its last spike; what has faded since is tabulated.

    Attributes
    ----------
    traces : tuple of Trace
        Those of that cell.
    rows : numpy.ndarray, shape (n_traces, n_sets) or (n_traces, 1)
        Their levels, changed in place; kept once where all parameter sets have the same.
    left : Tabulated
        Event → what is left of each, shaped as `rows`.
    """

    traces: tuple[Trace, ...]
    rows: FloatArray
    left: Tabulated

    @classmethod
    def of(cls, traces: tuple[Trace, ...], side: Side, values: Values, timeline: Timeline) -> "SideTraces":
        """Choose those of the cell."""
        own = tuple(each for each in traces if each.spike == side)
        named = {each.tau for each in own}.union(*(each.weight.needs() for each in own if each.weight is not None))
        width = max((values[each].size for each in named), default=1)
        rows = [np.broadcast_to(values[each.tau], width) for each in own]
        tau_ms = np.array(rows, dtype=np.float64).reshape(len(rows), width)
        since, rate = timeline.since(side), 1.0 / tau_ms
        left = Tabulated(since, lambda event: faded(since.each_ms[event], rate), size=tau_ms.size)
        return cls(traces=own, rows=np.zeros_like(tau_ms), left=left)

    def levels(self) -> dict[str, FloatArray]:
        """Return trace → its level just after the last spike, always the same array."""
        return {each.name: row for each, row in zip(self.traces, self.rows, strict=True)}

    def fades(self) -> dict[str, At]:
        """Return trace → event → what is left of that level."""
        return {each.name: lambda event, i=i: self.left.at(event)[i] for i, each in enumerate(self.traces)}  # type: ignore[misc]

    def own_moves(self, context: Context) -> list[Callable[[int], None]]:
        """Return what the cell's own spike does."""
        if not self.traces:
            return []
        if all(each.own == "add" and each.weight is None for each in self.traces):
            return [self._add_one]
        return [self._mover(i, each, context) for i, each in enumerate(self.traces)]

    def other_moves(self) -> list[Callable[[int], None]]:
        """Return what a spike of the other cell does."""
        cleared = [i for i, each in enumerate(self.traces) if each.other == "clear"]

        def clear(_: int) -> None:
            self.rows[cleared] = 0.0

        return [clear] if cleared else []

    def _add_one(self, event: int) -> None:
        np.multiply(self.rows, self.left.at(event), out=self.rows)
        np.add(self.rows, 1.0, out=self.rows)

    def _mover(self, i: int, trace: Trace, context: Context) -> Callable[[int], None]:
        row = self.rows[i]
        weight: At = (lambda _: _ONE) if trace.weight is None else trace.weight.bind(context)

        def add(event: int) -> None:
            np.multiply(row, self.left.at(event)[i], out=row)
            np.add(row, weight(event), out=row)

        def put(event: int) -> None:
            row[:] = weight(event)

        return add if trace.own == "add" else put
