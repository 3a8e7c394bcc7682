"""What an NWB file says beside its samples: date, comment, tags, digital outputs, animal and cell."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Final

import h5py
import numpy as np

from ephysplast.io.nwb_series import kind_of, number, number_attribute, text
from ephysplast.io.nwb_tables import TABLES
from ephysplast.recording import FloatArray

GENERIC_DESCRIPTION: Final = "Intracellular recordings"
"""What a file written by this package says when the recordings carry no comment."""

METADATA_NOTE: Final = "Metadata of the experiment: "
"""The beginning of the file's notes when the rest is the experiment's metadata as JSON."""

UNKNOWN_START: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""NWB must have a date: this one stands for a recording whose date is not known."""

_TIMES: Final = re.compile(r"\b(?:times?|time ?stamps?)\b", re.IGNORECASE)
_PLACEHOLDER: Final = re.compile(r"\bplaceholders?\b", re.IGNORECASE)
_EMPTY_WORDS: Final = frozenset({"", "{}", "na", "n/a", "placeholder", "no description", GENERIC_DESCRIPTION.lower()})
_FIELDS: Final = {
    "animal": "general/subject/subject_id",
    "age": "general/subject/age",
    "sex": "general/subject/sex",
    "species": "general/subject/species",
    "experimenter": "general/experimenter",
    "institution": "general/institution",
    "lab": "general/lab",
    "keywords": "general/keywords",
    "drug": "general/pharmacology",
}
_ELECTRODE_FIELDS: Final = {"cell": "cell_id", "slice": "slice", "region": "location"}


def doubts_of_times(comment: str) -> list[str]:
    """Return the sentences of a comment that call the file's times placeholders.

    Examples
    --------
    >>> doubts_of_times("Mossy fibre EPSCs. Made by hand; time stamps are placeholders.")
    ['time stamps are placeholders']
    """
    sentences = (each.strip() for each in re.split(r"[.;\n]", comment))
    return [each for each in sentences if _TIMES.search(each) and _PLACEHOLDER.search(each)]


def metadata_of(file: h5py.File) -> dict[str, str]:
    """Return what the file says of animal, cell and experimenter."""
    notes = string(file, "general/notes")
    if notes.startswith(METADATA_NOTE):
        return {str(key): str(value) for key, value in json.loads(notes.removeprefix(METADATA_NOTE)).items()}
    found = {key: string(file, name) for key, name in _FIELDS.items()}
    electrodes = [each for each in file.get(TABLES, {}).values() if kind_of(each.id) == "IntracellularElectrode"]
    for key, name in _ELECTRODE_FIELDS.items():
        found[key] = "; ".join(dict.fromkeys(filter(None, (string(each, name) for each in electrodes))))
    return {key: value for key, value in found.items() if value.strip().lower() not in _EMPTY_WORDS}


def string(group: h5py.Group, name: str) -> str:
    """Return a dataset of text; several entries joined by semicolons."""
    if name not in group:
        return ""
    value = group[name][()]
    return "; ".join(text(each) for each in value.flat) if isinstance(value, np.ndarray) else text(value)


def comment_of(file: h5py.File) -> str:
    """Return the descriptions of session and experiment and the notes, without placeholders and without JSON."""
    notes = string(file, "general/notes")
    parts = [string(file, "session_description")]
    if not string(file, "general/source_script").startswith("ephysplast"):
        parts += [string(file, "general/experiment_description"), notes]
    kept = dict.fromkeys(part.strip() for part in parts)
    return "\n".join(part for part in kept if part.lower() not in _EMPTY_WORDS and not part.startswith("{"))


def session_start(file: h5py.File) -> tuple[datetime | None, tuple[str, ...]]:
    """Return when the session began, None when the file does not know, with what people should know of it."""
    said = string(file, "session_start_time")
    try:
        began = datetime.fromisoformat(said)
    except ValueError:
        return None, (f"the date of the recording cannot be read: '{said}'",)
    if began.tzinfo is None:
        began = began.replace(tzinfo=UTC)
    if began.date() <= UNKNOWN_START.date():
        return None, ("the file does not know when the recording began",)
    return began, ()


def _times(group: h5py.Group) -> FloatArray:
    if "timestamps" in group:
        return np.asarray(group["timestamps"][()], dtype=np.float64)
    start = group["starting_time"]
    rate_hz = number_attribute(start.id, "rate", 1.0)
    return number(start[()], 0.0) + np.arange(len(group["data"])) / rate_hz


def tags_of(file: h5py.File, annotations: Iterable[str]) -> Iterator[tuple[float, str]]:
    """Yield time (s after the start of the session) and comment of each event, labelled interval and annotation.

    `annotations` are the paths of the file's annotation series.
    """
    for path in annotations:
        comments = [text(each) for each in file[path]["data"][()]]
        yield from zip(_times(file[path]).tolist(), comments, strict=True)
    for group in file.get("events", {}).values():
        yield from _labelled(group, "timestamp")
    for group in file.get("intervals", {}).values():
        if "treelevel" not in group:  # which marks the pieces of stimuli that MIES writes by the thousand: no remarks
            yield from _labelled(group, "start_time")


def _labelled(table: h5py.Group, time: str) -> Iterator[tuple[float, str]]:
    if not isinstance(table, h5py.Group) or time not in table:
        return
    times = np.asarray(table[time][()], dtype=np.float64)
    columns = [
        column[()]
        for name, column in table.items()
        if isinstance(column, h5py.Dataset)
        and h5py.check_string_dtype(column.dtype)
        and f"{name}_index" not in table
        and column.shape == times.shape
    ]
    for at, *words in zip(times.tolist(), *columns, strict=True):
        comment = ", ".join(filter(None, map(text, words)))
        if np.isfinite(at) and (comment or "annotation" in table):
            yield at, comment


def digital_of(file: h5py.File) -> dict[str, FloatArray]:
    """Return rising edges (s after the start of the session) by line, from the table that this package writes."""
    table = file.get("stimulus/presentation/digital_outputs")
    if table is None or "line" not in table or "onset_time" not in table:
        return {}
    lines = np.array([text(each) for each in table["line"][()]])
    onsets = np.asarray(table["onset_time"][()], dtype=np.float64)
    return {line: onsets[lines == line] for line in dict.fromkeys(lines.tolist())}
