"""What the files mean to the experimenter: phases, pathways, connections, and the sweeps measured for them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias, get_args

import numpy as np

from ephysplast.errors import OK, ManifestError
from ephysplast.recording import Clamp, FloatArray, IntArray, Recording
from ephysplast.result import Result

if TYPE_CHECKING:
    import pandas as pd

ResponseKind: TypeAlias = Literal["EPSC", "EPSP", "IPSC", "IPSP", "fEPSP", "excitability", "reversal"]
RESPONSE_KINDS: Final[tuple[ResponseKind, ...]] = get_args(ResponseKind)
CELL_KINDS: Final[tuple[ResponseKind, ...]] = ("excitability", "reversal")
"""What is measured of the cell itself, by steps and ramps: its firing, and where a current reverses."""

CLAMPS_OF: Final[Mapping[ResponseKind, tuple[Clamp, ...]]] = {
    "EPSC": ("voltage",),
    "IPSC": ("voltage",),
    "EPSP": ("current",),
    "IPSP": ("current",),
    "fEPSP": ("field", "current"),
    "excitability": ("current",),
    "reversal": ("voltage", "current"),
}
"""The clamps in which each kind of response may be recorded, the usual one first."""

BASELINE: Final = "baseline"
INDUCTION: Final = "induction"
POST: Final = "post"
MINIMAL: Final = "minimal"
"""Sweeps of minimal stimulation of the same input, which fail often: they are not judged, they say how large q is."""


@dataclass(frozen=True, kw_only=True)
class Connection:
    """A synapse, presynaptic to postsynaptic cell type."""

    pre: str = ""
    post: str = ""

    def __str__(self) -> str:
        """Return ``pre → post``."""
        return f"{self.pre or '?'} → {self.post or '?'}"


@dataclass(frozen=True, kw_only=True)
class Segment:
    """The sweeps of one file that belong to one phase of one pathway: one row of the manifest.

    Attributes
    ----------
    path : pathlib.Path
        The file.
    phase : str
        ``"baseline"``, ``"induction"``, ``"post"``, or a name of the experimenter's own (``"wash"``).
    sweeps : str
        Which sweeps, counted from 1, as :func:`select_sweeps` reads it; empty for all.
    recording : int
        Which recording of the file, counted from 1, when it holds several.
    channel : str
        The postsynaptic channel; empty when the file has only one that fits.
    pre_channel : str
        The presynaptic electrode's channel; empty without one.
    stimulus : str
        ``"auto"``, ``"artefact"``, ``"command"``, a digital output's name, or times in s: ``"0.1; 0.15"``.
    unit, clamp, scale
        What the postsynaptic channel holds when the file says it wrongly.
    exclude : str
        Sweeps that the experimenter rejects, written as `sweeps` is.
    row : int
        Row of the manifest as a spreadsheet counts it, for messages.
    """

    path: Path
    phase: str
    sweeps: str = ""
    recording: int = 1
    channel: str = ""
    pre_channel: str = ""
    stimulus: str = "auto"
    unit: str = ""
    clamp: Clamp | None = None
    scale: float = 1.0
    exclude: str = ""
    row: int = 0


@dataclass(frozen=True, kw_only=True)
class Pathway:
    """One input to the recorded cell."""

    name: str = "test"
    role: Literal["test", "control"] = "test"
    segments: tuple[Segment, ...] = ()

    def phase(self, name: str) -> tuple[Segment, ...]:
        """Return the segments of one phase, in the manifest's order."""
        return tuple(each for each in self.segments if each.phase == name)


@dataclass(frozen=True, kw_only=True)
class MiniTable:
    """Where the amplitudes of a cell's minis stand.

    Attributes
    ----------
    path : pathlib.Path
        A table, one row per mini.
    column : str
        The column of amplitudes: its name, or its place from 1; empty when the table has only one that fits.
    """

    path: Path
    column: str = ""

    @classmethod
    def named(cls, text: str, folder: Path = Path()) -> "MiniTable":
        """Read ``file`` or ``file::column``, the file relative to a folder.

        Examples
        --------
        >>> MiniTable.named("minis.csv::Peak Amp (pA)").column
        'Peak Amp (pA)'
        """
        file, _, column = text.partition("::")
        return cls(path=folder / Path(file.strip().replace("\\", "/")), column=column.strip())


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One synapse, or one cell, before and after an induction.

    Attributes
    ----------
    name : str
        Unique in the study.
    response : {"EPSC", "EPSP", "IPSC", "IPSP", "fEPSP", "excitability", "reversal"}
        What is measured: a synaptic response, or the cell itself (:data:`CELL_KINDS`).
    pathways : tuple of Pathway
        The test pathway, and the control pathway when there is one.
    connection : Connection
        Cell types.
    opsin : bool
        The synapse was driven by light: a paired pulse then says nothing about release.
    metadata : mapping of str to str
        Animal, slice, cell, age, solutions and so on, as the manifest has them.
    e_gaba : Experiment or None
        Of an inhibitory response: the experiment, of the same cell, in which E_GABA was measured before and after.
    minis : MiniTable or None
        Minis of the same cell, which say how large a quantum is.
    """

    name: str
    response: ResponseKind
    pathways: tuple[Pathway, ...]
    connection: Connection = Connection()
    opsin: bool = False
    metadata: Mapping[str, str] = field(default_factory=dict)
    e_gaba: "Experiment | None" = None
    minis: MiniTable | None = None

    def pathway(self, role: Literal["test", "control"]) -> Pathway | None:
        """Return the pathway of that role, or None."""
        return next((each for each in self.pathways if each.role == role), None)


@dataclass(frozen=True, eq=False, kw_only=True)
class SweepTable(Result):
    """What was measured in each sweep of one pathway, in order of time: all that classifying needs.

    Attributes
    ----------
    unit : str
        ``"mV"`` or ``"pA"`` (``"mV/ms"`` for slopes).
    phase : numpy.ndarray of str, shape (n_sweeps,)
        ``"baseline"``, ``"post"``, …
    time_s : numpy.ndarray, shape (n_sweeps,)
        Start of the sweep, from the first baseline sweep, by the files' own clocks.
    amplitude : numpy.ndarray, shape (n_sweeps, n_pulses)
        Magnitude along the expected polarity, so noise may make it negative; NaN where not measured.
    noise : numpy.ndarray, shape (n_sweeps,)
        The same operator in a response-free stretch of the sweep: its variance is the noise that may be subtracted.
    interval_s : numpy.ndarray, shape (n_pulses,)
        Time of each pulse after the first.
    rs_mohm, rin_mohm, holding : numpy.ndarray, shape (n_sweeps,)
        Series and input resistance, and holding current in pA (voltage clamp) or membrane potential in mV (current
        clamp); NaN where not measured.
    excluded : tuple of str, length n_sweeps
        ``"ok"``, or why the sweep is not used.
    file, sweep
        File name and sweep (counted from 1) of each row.
    """

    unit: str
    phase: "np.ndarray[tuple[int], np.dtype[np.str_]]"
    time_s: FloatArray
    amplitude: FloatArray
    noise: FloatArray
    interval_s: FloatArray
    rs_mohm: FloatArray
    rin_mohm: FloatArray
    holding: FloatArray
    excluded: tuple[str, ...]
    file: tuple[str, ...]
    sweep: IntArray

    @property
    def n_pulses(self) -> int:
        """Number of stimuli in a sweep."""
        return int(self.amplitude.shape[1])

    @property
    def used(self) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Whether each sweep counts: not excluded, and its first response was measured."""
        return np.array([each == OK for each in self.excluded], dtype=bool) & np.isfinite(self.amplitude[:, 0])

    def of_phase(self, name: str) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
        """Return True for used sweeps of one phase."""
        return np.asarray(self.phase == name, dtype=bool) & self.used

    def with_exclusions(self, reasons: Mapping[int, str]) -> "SweepTable":
        """Return the table with more sweeps excluded; a reason that stands is kept."""
        merged = tuple(reasons.get(i, OK) if old == OK else old for i, old in enumerate(self.excluded))
        return replace(self, excluded=merged)

    def to_frame(self) -> "pd.DataFrame":
        """Return the tidy table, one row per sweep and pulse."""
        import pandas as pd

        n_sweeps, n_pulses = self.amplitude.shape
        per_sweep = pd.DataFrame(
            {
                "file": self.file,
                "sweep": self.sweep,
                "phase": self.phase,
                "time_s": self.time_s,
                "noise": self.noise,
                "rs_mohm": self.rs_mohm,
                "rin_mohm": self.rin_mohm,
                "holding": self.holding,
                "excluded": self.excluded,
            }
        )
        rows = per_sweep.loc[np.repeat(np.arange(n_sweeps), n_pulses)].reset_index(drop=True)
        rows.insert(4, "pulse", np.tile(np.arange(1, n_pulses + 1), n_sweeps))
        rows.insert(5, "interval_s", np.tile(self.interval_s, n_sweeps))
        rows.insert(6, "amplitude", self.amplitude.reshape(-1))
        rows.insert(7, "unit", self.unit)
        return rows


_HOW_TO_CHOOSE: Final = "for example 1-60, 61-, 1-120:2, or after:+drug; before:wash"
_RANGE = re.compile(r"^(\d+)?\s*(-)?\s*(\d+)?\s*(?::\s*0*([1-9]\d*))?$")


def select_sweeps(text: str, recording: Recording) -> IntArray:
    """Read a choice of sweeps as people write it.

    Parameters
    ----------
    text : str
        Sweeps counted from 1: ``"1-60"``, ``"61-"``, ``"1-120:2"`` (every second), ``"1-10, 15, 20-30"``;
        or by tag: ``"after:+drug"``, ``"before:+drug"``, ``"after:+drug; before:wash"`` (a tag whose comment begins
        with the words). Empty or ``"all"`` for all.
    recording : Recording
        The recording whose sweeps and tags are meant.

    Returns
    -------
    numpy.ndarray of int64
        Sweep indices from 0, ascending.

    Raises
    ------
    ManifestError
        If the text cannot be read, names a tag that is not there, or no sweep is left.
    """
    wanted = text.strip()
    n_sweeps = recording.n_sweeps
    if wanted.lower() in ("", "all"):
        return np.arange(n_sweeps, dtype=np.int64)
    if ":" in wanted and wanted.lower().startswith(("after:", "before:")):
        chosen = _between_tags(wanted, recording)
    else:
        parts = [_range(part.strip(), n_sweeps, wanted) for part in re.split(r"[,;]", wanted) if part.strip()]
        chosen = np.unique(np.concatenate(parts)) if parts else np.array([], dtype=np.int64)
    if not chosen.size:
        name = recording.source.path.name
        raise ManifestError("no sweep is left", got=f"sweeps '{text}'", wanted=f"some of the {n_sweeps} of {name}")
    return chosen.astype(np.int64)


def _range(part: str, n_sweeps: int, whole: str) -> IntArray:
    match = _RANGE.match(part)
    if not match or not (match[1] or match[3]):
        raise ManifestError("the sweeps cannot be read", got=f"'{whole}'", wanted=_HOW_TO_CHOOSE)
    first = int(match[1] or 1)
    last = int(match[3]) if match[3] else (n_sweeps if match[2] else first)
    if first < 1 or last > n_sweeps or last < first:
        raise ManifestError("the sweeps lie outside the recording", got=f"'{part}'", wanted=f"within 1-{n_sweeps}")
    return np.arange(first - 1, last, int(match[4] or 1), dtype=np.int64)


def _between_tags(text: str, recording: Recording) -> IntArray:
    keep = np.ones(recording.n_sweeps, dtype=bool)
    for part in text.split(";"):
        side, _, comment = part.strip().partition(":")
        if side.lower() not in ("after", "before") or not comment.strip():
            raise ManifestError("the sweeps cannot be read", got=f"'{text}'", wanted=_HOW_TO_CHOOSE)
        tag = next((each for each in recording.tags if each.comment.strip().startswith(comment.strip())), None)
        if tag is None:
            there = ", ".join(f"'{each.comment}'" for each in recording.tags) or "no tag"
            name = recording.source.path.name
            raise ManifestError("there is no such tag", got=f"'{comment.strip()}'", wanted=f"{there} in {name}")
        later = recording.sweep_start_s >= tag.time_s
        keep &= later if side.lower() == "after" else ~later
    return np.flatnonzero(keep).astype(np.int64)
