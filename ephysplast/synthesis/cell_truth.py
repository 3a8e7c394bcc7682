"""The truth of a synthetic experiment on the cell itself: its firing, or where its inhibition reverses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ephysplast.errors import SettingsError
from ephysplast.synthesis.inhibition import InhibitedCell
from ephysplast.synthesis.protocols import Protocol
from ephysplast.synthesis.spiking import SpikingCell
from ephysplast.synthesis.truth import Plan


@dataclass(frozen=True, kw_only=True)
class SeriesPlan:
    """One or more series of a protocol.

    Attributes
    ----------
    phase : str
        ``"baseline"``, ``"post"``, or another name.
    file : str
        File name without its suffix. Series that follow each other and share it are recorded into one file, which only
        NWB can do when the steps begin again.
    protocol : StepProtocol or RampProtocol
        What is commanded.
    n_series : int
        How often, one after the other.
    pause_s : float
        From the end of what was recorded before to the first sweep.
    gaba : bool
        False for a control without GABA.
    tags : tuple of (float, str)
        Comments, each with its time in s from the start of the first series.
    """

    phase: str
    file: str
    protocol: Protocol
    n_series: int = 1
    pause_s: float = 0.0
    gaba: bool = True
    tags: tuple[tuple[float, str], ...] = ()

    @property
    def role(self) -> Literal["test", "control"]:
        """Pathway, and role, in the manifest."""
        return "test" if self.gaba else "control"


@dataclass(frozen=True, kw_only=True)
class CellPlan(Plan):
    """One experiment on a cell, wholly known.

    Attributes
    ----------
    name, format, seed, expected, metadata, story
        As every :class:`~ephysplast.synthesis.truth.Plan` has them.
    response : {"excitability", "reversal"}
        What is asked: a :class:`SpikingCell` is in current clamp, an :class:`InhibitedCell` in voltage clamp.
    cell : SpikingCell or InhibitedCell
        At baseline.
    changes : mapping of str to float
        What is different in all later phases: ``{"gaba_mv": -63.0}``.
    parts : tuple of SeriesPlan
        In order of time.
    """

    cell: SpikingCell | InhibitedCell
    changes: Mapping[str, float] = field(default_factory=dict)
    parts: tuple[SeriesPlan, ...]

    def __post_init__(self) -> None:
        """Refuse plans that cannot be recorded."""
        wanted = {"excitability": (SpikingCell, "pA"), "reversal": (InhibitedCell, "mV")}.get(self.response)
        if wanted is None:
            raise SettingsError(
                "the response cannot be synthesised", got=self.response, wanted="excitability, reversal"
            )
        kind, unit = wanted
        if not isinstance(self.cell, kind) or any(each.protocol.unit != unit for each in self.parts):
            raise SettingsError(
                f"cell and protocols of experiment {self.name} do not fit {self.response}",
                wanted=f"a {kind.__name__} and commands in {unit}",
            )
        if not self.parts:
            raise SettingsError(f"experiment {self.name} has no sweeps", wanted="at least one series")

    def cell_in(self, phase: str) -> SpikingCell | InhibitedCell:
        """Return the cell as it is in a phase."""
        if phase == self.parts[0].phase:
            return self.cell
        return replace(self.cell, **dict[str, Any](self.changes))
