"""Which series of an NWB file were recorded together: by the icephys tables, else by sweep number, else by time."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

import h5py
import numpy as np

from ephysplast.io.nwb_series import Address, Cut, Series, address, sweep_number, text
from ephysplast.recording import Clamp, IntArray

TABLES: Final = "general/intracellular_ephys"

_NO_PROTOCOL: Final = frozenset({"", "na", "n/a", "none", "unknown", "no stimulus", "no description"})
_CLAMPS: Final[tuple[Clamp, ...]] = get_args(Clamp)


@dataclass(frozen=True)
class Row:
    """A response with its stimulus.

    `channel` and `clamp` are what the file's own columns of these names say; empty without them.
    """

    response: Cut
    stimulus: Cut | None = None
    channel: str = ""
    clamp: str = ""


@dataclass(frozen=True)
class Sweep:
    """What was recorded together.

    `protocol` joins sweeps to one recording; `label` only tells them apart within it (a condition, a solution).
    """

    rows: tuple[Row, ...]
    protocol: str
    label: str = ""

    @property
    def start_s(self) -> float:
        """Start after the start of the session."""
        return min(row.response.start_s for row in self.rows)

    @property
    def duration_s(self) -> float:
        """Length of the longest response."""
        return max(row.response.duration_s for row in self.rows)


def sweeps_of(file: h5py.File, responses: Mapping[Address, Series], stimuli: Mapping[Address, Series]) -> list[Sweep]:
    """Group the series of a file into sweeps.

    Parameters
    ----------
    file : h5py.File
        The open file.
    responses, stimuli : mapping
        Where each series lies → its description.

    Returns
    -------
    list of Sweep
        Those of the icephys tables, in the tables' order; then those of series that no table mentions, by sweep number
        or, without one, by starting time.
    """
    sweeps = _tabled(file, responses, {**responses, **stimuli})
    seen = {cut.series.path for sweep in sweeps for row in sweep.rows for cut in (row.response, row.stimulus) if cut}
    rest, commands = (
        _numbered(file, _whole(each for each in kind.values() if each.path not in seen and "Clamp" in each.kind))
        for kind in (responses, stimuli)
    )
    return sweeps + [_paired(rows, commands.get(key, [])) for key, rows in rest.items()]


# By the icephys tables -----------------------------------------------------------------------------------------------


def _tabled(file: h5py.File, responses: Mapping[Address, Series], everything: Mapping[Address, Series]) -> list[Sweep]:
    tables = file.get(TABLES, {})
    if "intracellular_recordings" not in tables:
        return []
    rows = _rows(file, tables["intracellular_recordings"], responses, everything)
    groups, sequences, repetitions, conditions = (
        _region(tables, table, column)
        for table, column in (
            ("simultaneous_recordings", "recordings"),
            ("sequential_recordings", "simultaneous_recordings"),
            ("repetitions", "sequential_recordings"),
            ("experimental_conditions", "repetitions"),
        )
    )
    if not groups:
        together = _numbered(file, [row for row in rows if row is not None])
        return [Sweep(tuple(members), _described(members)) for members in together.values()]
    in_sequence = _first_owner(sequences)
    in_condition = _through(_through(in_sequence, _first_owner(repetitions)), _first_owner(conditions))
    protocols = _strings(tables, "sequential_recordings", ("stimulus_type",))
    labels = _strings(tables, "experimental_conditions", None)
    sweeps = []
    for place, members in enumerate(groups):
        chosen = tuple(row for row in (rows[each] for each in members) if row is not None)
        if chosen:
            sequence, condition = in_sequence.get(place, -1), in_condition.get(place, -1)
            protocol = protocols[sequence] if 0 <= sequence < len(protocols) else _described(chosen)
            label = labels[condition] if 0 <= condition < len(labels) else _described(chosen)
            sweeps.append(Sweep(chosen, "" if protocol.strip().lower() in _NO_PROTOCOL else protocol, label))
    return sweeps


def _rows(
    file: h5py.File, table: h5py.Group, responses: Mapping[Address, Series], everything: Mapping[Address, Series]
) -> list[Row | None]:
    cuts = _cuts(file, table["responses/response"], responses)
    stimuli: Sequence[Cut | None] = [None] * len(cuts)
    if "stimuli/stimulus" in table:
        stimuli = _cuts(file, table["stimuli/stimulus"], everything)
    owners = table.get("electrodes/electrode")
    if owners is not None and any(cut is not None and not cut.series.electrode for cut in cuts):
        cuts = [_on_electrode(file, cut, owner) for cut, owner in zip(cuts, owners[()], strict=True)]
    names, clamps = (
        [text(each) for each in table[column][()]] if column in table else [""] * len(cuts)
        for column in ("channel", "clamp")
    )
    return [
        None if cut is None else _aligned(Row(cut, stimulus, name, clamp if clamp in _CLAMPS else ""))
        for cut, stimulus, name, clamp in zip(cuts, stimuli, names, clamps, strict=True)
    ]


def _on_electrode(file: h5py.File, cut: Cut | None, owner: h5py.Reference) -> Cut | None:
    """Give a plain series the electrode of its row, for it cannot name one itself."""
    if cut is None or cut.series.electrode or not owner:
        return cut
    return replace(cut, series=replace(cut.series, electrode=file[owner].name.rsplit("/", 1)[-1]))


def _cuts(file: h5py.File, column: h5py.Dataset, known: Mapping[Address, Series]) -> list[Cut | None]:
    cuts: list[Cut | None] = []
    for first, count, reference in column[()].tolist():
        series = (
            known.get(address(h5py.h5r.dereference(reference, file.id)))
            if reference and first >= 0 and count > 0
            else None
        )
        fits = series is not None and first + count <= series.n_samples
        cuts.append(Cut(series, first, count) if series is not None and fits else None)
    return cuts


def _region(tables: h5py.Group, table: str, column: str) -> list[IntArray]:
    if f"{table}/{column}" not in tables:
        return []
    values = np.asarray(tables[f"{table}/{column}"][()], dtype=np.int64).reshape(-1)
    if f"{table}/{column}_index" not in tables:
        return [values[place : place + 1] for place in range(len(values))]
    ends = np.asarray(tables[f"{table}/{column}_index"][()], dtype=np.int64)  # stored unsigned: differences would wrap
    return np.split(values, ends[:-1]) if len(ends) else []


def _first_owner(groups: Sequence[IntArray]) -> dict[int, int]:
    owner: dict[int, int] = {}
    for place, members in enumerate(groups):
        for member in members.tolist():
            owner.setdefault(member, place)
    return owner


def _through(inner: Mapping[int, int], outer: Mapping[int, int]) -> dict[int, int]:
    return {place: outer[middle] for place, middle in inner.items() if middle in outer}


def _strings(tables: h5py.Group, table: str, wanted: Sequence[str] | None) -> list[str]:
    group = tables.get(table)
    if group is None:
        return []
    names = [text(each) for each in np.atleast_1d(group.attrs.get("colnames", ()))]
    columns = [group[name] for name in names if name in group and (wanted is None or name in wanted)]
    written = [[text(each) for each in column[()]] for column in columns if h5py.check_string_dtype(column.dtype)]
    return [", ".join(parts) for parts in zip(*written, strict=True)]


# By sweep number or starting time ------------------------------------------------------------------------------------


def _whole(series: Iterable[Series]) -> list[Row]:
    return [Row(Cut(each, 0, each.n_samples)) for each in sorted(series, key=lambda each: _natural(each.name))]


def _numbered(file: h5py.File, rows: Sequence[Row]) -> dict[tuple[float, int], list[Row]]:
    """Return rows by sweep number (else starting time) and by how often their electrode had it before."""
    numbers = _sweep_table(file)
    groups: dict[tuple[float, int], list[Row]] = {}
    taken: dict[tuple[float, str, str], int] = {}
    for row in sorted(rows, key=lambda each: each.response.start_s):
        series = row.response.series
        known = numbers[series.path] if series.path in numbers else sweep_number(file[series.path].id)
        key = float(known) if known >= 0 else round(row.response.start_s, 6) - 1e9  # apart from any sweep number
        again = taken.get((key, series.electrode, series.unit), 0)
        taken[key, series.electrode, series.unit] = again + 1
        groups.setdefault((key, again), []).append(row)
    return dict(sorted(groups.items()))


def _sweep_table(file: h5py.File) -> dict[str, int]:
    table = file.get(f"{TABLES}/sweep_table")
    if table is None or "series" not in table:
        return {}
    references, numbers = table["series"][()], np.asarray(table["sweep_number"][()], dtype=np.int64)
    ends = table["series_index"][()] if "series_index" in table else np.arange(1, len(references) + 1)
    rows = np.searchsorted(np.asarray(ends, dtype=np.int64), np.arange(len(references)), side="right")
    return {
        file[reference].name: int(numbers[row])
        for reference, row in zip(references, rows, strict=True)
        if reference and row < len(numbers)
    }


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _paired(responses: Sequence[Row], stimuli: Sequence[Row]) -> Sweep:
    rows, left = list(responses), [each.response for each in stimuli]
    # The electrode speaks first; a name only where no electrode does.
    for same in (_same_electrode, _same_name):
        for place, row in enumerate(rows):
            match = next((each for each in left if same(row.response.series, each.series)), None)
            if row.stimulus is None and match is not None:
                rows[place] = replace(row, stimulus=match)
                left.remove(match)
    return Sweep(tuple(_aligned(row) for row in rows), _described(rows))


def _same_electrode(response: Series, stimulus: Series) -> bool:
    # A current is not the command of a current: such a "response" is a monitor of the command itself.
    return response.electrode == stimulus.electrode and response.unit != stimulus.unit


def _same_name(response: Series, stimulus: Series) -> bool:
    digits = [re.findall(r"\d+", each.name) for each in (response, stimulus)]
    return digits[0] == digits[1] and response.unit != stimulus.unit


def _aligned(row: Row) -> Row:
    """Let the stimulus start with its response; a stimulus of another clock is none."""
    response, stimulus = row.response, row.stimulus
    if stimulus is None or stimulus.series.rate_hz != response.series.rate_hz:
        return replace(row, stimulus=None)
    lead = round((response.start_s - stimulus.start_s) * stimulus.series.rate_hz)
    if lead == 0 or abs(lead) >= stimulus.count:  # no overlap: one of the two times is a placeholder
        return row
    if lead < 0:
        return replace(row, stimulus=None)
    return replace(row, stimulus=Cut(stimulus.series, stimulus.first + lead, stimulus.count - lead))


def _described(rows: Iterable[Row]) -> str:
    given = dict.fromkeys(row.response.series.description for row in rows)
    return "; ".join(each for each in given if each.strip().lower() not in _NO_PROTOCOL)


def clamp_of(row: Row) -> Clamp:
    """Say what the amplifier held: by the file's own word, by the type of the series, else by the command."""
    if row.clamp in _CLAMPS:
        return next(each for each in _CLAMPS if each == row.clamp)
    kind = row.response.series.kind
    for ending, clamp in _CLAMP_OF_KIND:
        if kind.endswith(ending):
            return clamp
    units = (row.response.series.unit, row.stimulus.series.unit if row.stimulus else "")
    return _CLAMP_OF_UNITS.get(units, "unknown")


_CLAMP_OF_KIND: Final[tuple[tuple[str, Clamp], ...]] = (
    ("VoltageClampSeries", "voltage"),
    ("CurrentClampSeries", "current"),
    ("IZeroClampSeries", "current"),
)
_CLAMP_OF_UNITS: Final[Mapping[tuple[str, str], Clamp]] = {("mV", "pA"): "current", ("pA", "mV"): "voltage"}
