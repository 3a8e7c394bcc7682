"""Draft a manifest from what a folder's files hold, for the experimenter to check and complete."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ephysplast.errors import EphysplastError, ManifestError
from ephysplast.experiment import BASELINE, INDUCTION, POST, ResponseKind
from ephysplast.io import read
from ephysplast.recording import Channel, Recording
from ephysplast.study.checks import LONGEST_H

SUFFIXES: Final = (".abf", ".nwb")

# Words of a file name that people use for a phase; they stand alone between separators or digits.
_WORDS: Final = {
    BASELINE: ("baseline", "base", "bl", "before", "control", "ctrl"),
    INDUCTION: ("induction", "induce", "ind", "pairing", "stdp", "tbs", "hfs", "lfs"),
    POST: ("post", "after", "ltp", "ltd"),
}


_CONTROL: Final = ("control", "ctrl")  # the baseline or, beside another such word, a control within that phase

_LONG_S: Final = 0.02  # a pulse that makes one spike is shorter
_DIFFERENT: Final = 0.5  # mV or pA
_RAMP_SHARE: Final = 0.02  # of the samples of a sweep


@dataclass(frozen=True, kw_only=True)
class _Found:
    path: Path
    number: int
    recording: Recording


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A drafted manifest.

    Attributes
    ----------
    rows : tuple of dict
        One per experiment × phase × file, ready for :func:`~ephysplast.study.manifest.write_manifest`. What could not
        be told is left empty.
    unreadable : tuple of str
        Files that could not be read, each with its reason.
    """

    rows: tuple[dict[str, object], ...]
    unreadable: tuple[str, ...]


def draft_manifest(folder: Path, *, relative_to: Path, progress: Callable[[Path], None] | None = None) -> Draft:
    """Look into every ABF and NWB file below a folder and draft the manifest.

    Parameters
    ----------
    folder : pathlib.Path
        Searched with its subfolders.
    relative_to : pathlib.Path
        Where the manifest will stand; file names are written relative to it.
    progress : callable, optional
        Called with each file.

    Returns
    -------
    Draft
        Experiments are told by file name without its phase word, or by subfolder; phases by words in the file name
        or, where a file of another kind of protocol lies between, by the files' clocks, or by the one long pause of a
        single file. Steps and ramps become experiments of their own, before or after the induction of the synapse that
        has the same name. A phase that cannot be told is empty: analysing then says which row needs one.

    Raises
    ------
    ManifestError
        If the folder does not exist or holds no ABF or NWB file.
    """
    if not folder.is_dir():
        raise ManifestError(f"{folder} is not a folder", wanted="a folder with ABF or NWB files")
    paths = sorted(
        each for each in folder.rglob("*") if each.suffix.lower() in SUFFIXES and not each.name.startswith(".")
    )
    if not paths:
        raise ManifestError(f"{folder} holds no ABF or NWB file", remedy="choose the folder that holds the recordings")
    found: list[_Found] = []
    unreadable: list[str] = []
    for path in paths:
        if progress:
            progress(path)
        try:
            recordings = read(path).recordings
        except EphysplastError as error:
            unreadable.append(str(error))
            continue
        found += [_Found(path=path, number=i, recording=each) for i, each in enumerate(recordings, start=1)]
    groups: dict[str, dict[ResponseKind | Literal[""], list[_Found]]] = {}
    for each in found:
        name, kind = _experiment_name(each.path, folder), cell_kind(_electrodes(each.recording)[0])
        groups.setdefault(name, {}).setdefault(kind, []).append(each)
    rows = tuple(
        row
        for name, kinds in groups.items()
        for kind, group in kinds.items()
        for row in _rows(
            f"{name} {kind}" if kind and len(kinds) > 1 else name,
            group,
            relative_to,
            kind=kind,
            induced=_induction_of(kinds.get("", ())),
        )
    )
    return Draft(rows=rows, unreadable=tuple(unreadable))


def _induction_of(synaptic: Sequence[_Found]) -> datetime | None:
    """Return when the induction of the same cell's synapse began, by the files' clocks; None when that is not known."""
    ordered = sorted(synaptic, key=_moment)
    began = [_moment(each)[0] for each, phase in zip(ordered, _phases(ordered), strict=True) if phase == INDUCTION]
    return began[0] if began and began[0] > datetime.min else None


def _cell_phase(found: _Found, induced: datetime | None, *, alone: bool) -> str:
    """Return the phase of a measurement of the cell: by its name, else as before or after the synapse's induction."""
    word, began = phase_word(found.path.stem), _moment(found)[0]
    if word:
        return word
    if induced is None or abs(began - induced) > timedelta(hours=LONGEST_H):
        return BASELINE if alone else ""
    return BASELINE if began < induced else POST


def phase_word(stem: str) -> str:
    """Return the phase that a file name speaks of, or an empty string.

    Examples
    --------
    >>> phase_word("24n05_cell2_baseline01"), phase_word("cell2-post"), phase_word("24n05012")
    ('baseline', 'post', '')
    """
    found = _phase_words(stem)
    # The last word that speaks of a phase: people write ltp_cell3_baseline and mean the baseline.
    return next((phase for word, phase in reversed(found) if word not in _CONTROL), found[-1][1] if found else "")


def _phase_words(stem: str) -> list[tuple[str, str]]:
    words = re.findall(r"[a-z]+", stem.lower())
    return [(word, phase) for word in words for phase, known in _WORDS.items() if word in known]


def _is_control(stem: str) -> bool:
    """Say whether a name such as baseline_control speaks of a control within a phase."""
    words = [word for word, _ in _phase_words(stem)]
    return any(word in _CONTROL for word in words) and any(word not in _CONTROL for word in words)


def cell_kind(channel: Channel | None) -> ResponseKind | Literal[""]:
    """Guess from its command whether a channel holds a measurement of the cell itself.

    Steps that differ between sweeps, or a ramp, are ``"excitability"`` in current clamp and ``"reversal"`` in voltage
    clamp; anything else gives an empty string.
    """
    if channel is None or channel.command is None or channel.clamp not in ("current", "voltage"):
        return ""
    # A wrong unit makes a wrong clamp of the channel; what was commanded tells the true one.
    commanded = {"pA": "current", "mV": "voltage"}.get(channel.command_unit, channel.clamp)
    kind: ResponseKind = "excitability" if commanded == "current" else "reversal"
    command, every = channel.command, channel.command.n_sweeps
    rows = [command.sweep(i) for i in sorted({0, every // 2, every - 1})]
    long = _LONG_S * command.rate_hz
    for row in rows:
        shared = min(len(row), len(rows[0]))
        if np.count_nonzero(np.abs(row[:shared] - rows[0][:shared]) > _DIFFERENT) > long:
            return kind
    slanted = np.count_nonzero(np.diff(rows[0]))
    return kind if slanted > max(long, _RAMP_SHARE * len(rows[0])) else ""


def _experiment_name(path: Path, folder: Path) -> str:
    stem = path.stem
    phase = phase_word(stem)
    if phase:
        spoken = _WORDS[phase] if not _is_control(stem) else [each for each in _WORDS[phase] if each not in _CONTROL]
        stem = _without(_without(stem, spoken), _CONTROL if _is_control(stem) else ())
    elif path.parent != folder:
        return path.parent.relative_to(folder).as_posix()
    parent = "" if path.parent == folder else path.parent.relative_to(folder).as_posix() + "/"
    return (parent + stem).strip("/") or path.stem


def _without(stem: str, words: Sequence[str]) -> str:
    """Take the last of some words, with a number that follows it, out of a file name."""
    if not words:
        return stem
    pattern = "|".join(sorted(words, key=len, reverse=True))
    parts = list(re.finditer(rf"(?<![a-z])(?:{pattern})(?![a-z])[_\- ]*\d*", stem, flags=re.IGNORECASE))
    return (stem[: parts[-1].start()] + stem[parts[-1].end() :]).strip("_- .") if parts else stem


def _rows(
    name: str,
    group: Sequence[_Found],
    relative_to: Path,
    *,
    kind: ResponseKind | Literal[""],
    induced: datetime | None = None,
) -> list[dict[str, object]]:
    ordered = sorted(group, key=_moment)
    if kind:
        phases = [_cell_phase(each, induced, alone=len(ordered) == 1) for each in ordered]
        drafted = [_row(name, found, phase, relative_to) for found, phase in zip(ordered, phases, strict=True)]
        said = [_cell_columns(kind, each.path.stem) for each in ordered]
        return [row | columns for row, columns in zip(drafted, said, strict=True)]
    phases = _phases(ordered)
    rows = []
    for found, phase in zip(ordered, phases, strict=True):
        row = _row(name, found, phase, relative_to)
        pause = _pause(found.recording) if len(ordered) == 1 and not phase else 0
        if pause:
            rows += [
                row | {"phase": BASELINE, "sweeps": f"1-{pause}"},
                row | {"phase": POST, "sweeps": f"{pause + 1}-"},
            ]
        else:
            rows.append(row)
    measured = next((row for row in rows if row["phase"] != INDUCTION and row["response"]), None)
    for row, found in zip(rows, ordered, strict=False):
        if measured and row["phase"] == INDUCTION:  # often in current clamp, with the electrodes as they were
            names = [each.name for each in found.recording.channels]
            kept = ("response", *(column for column in ("channel", "pre_channel") if measured[column] in names))
            row.update({column: measured[column] for column in kept})
    return rows


def _cell_columns(kind: ResponseKind, stem: str) -> dict[str, object]:
    """Return what a row of the cell itself has beside the usual: a control holds the steps without the response."""
    columns: dict[str, object] = {"response": kind, "pre_channel": ""}
    if kind == "excitability":
        columns["stimulus"] = "none"
    if kind == "reversal" and _is_control(stem):
        columns |= {"pathway": "control", "role": "control"}
    return columns


def _pause(recording: Recording) -> int:
    """Return the number of sweeps before the only long pause of a recording; 0 when there is none, or several."""
    gaps = np.diff(recording.sweep_start_s)
    long = np.flatnonzero(gaps > 5.0 * np.median(gaps)) if gaps.size > 1 else np.array([], dtype=np.intp)
    return int(long[0]) + 1 if len(long) == 1 else 0


def _moment(found: _Found) -> tuple[datetime, str, int]:
    started = found.recording.started_at
    return (started.replace(tzinfo=None) if started else datetime.min, found.path.name, found.number)


def _phases(ordered: Sequence[_Found]) -> list[str]:
    words = [phase_word(each.path.stem) for each in ordered]
    if any(words) or len(ordered) < 3:
        return words
    shapes = [_shape(each.recording) for each in ordered]
    odd = [i for i, shape in enumerate(shapes) if shape != shapes[0]]
    if shapes[0] != shapes[-1] or not odd or odd != list(range(odd[0], odd[-1] + 1)):
        return words
    return [BASELINE if i < odd[0] else POST if i > odd[-1] else INDUCTION for i in range(len(ordered))]


def _shape(recording: Recording) -> tuple[object, ...]:
    """Return what makes two files the same kind: channels, rate, sweep length, protocol; not the number of sweeps."""
    return (
        tuple((each.name, each.unit, each.clamp) for each in recording.channels),
        recording.rate_hz,
        int(recording.sweep_lengths[0]),
        recording.protocol,
    )


def _row(name: str, found: _Found, phase: str, relative_to: Path) -> dict[str, object]:
    recording = found.recording
    post, pre = _electrodes(recording)
    doubted = next((each.doubt for each in recording.channels if each.doubt), "")
    return {
        "experiment": name,
        "phase": phase,
        "file": Path(os.path.relpath(found.path, relative_to)).as_posix(),
        "response": "" if post is None else {"pA": "EPSC", "mV": "EPSP"}[post.unit],
        "channel": post.name if post else "",
        "pre_channel": pre.name if pre else "",
        "stimulus": "auto",
        "recording": found.number if found.number > 1 else "",
        "note": doubted,
    }


def _electrodes(recording: Recording) -> tuple[Channel | None, Channel | None]:
    """Guess the postsynaptic channel, and the presynaptic electrode: the other one in current clamp."""
    electrodes = [
        each for each in recording.channels if each.unit in ("pA", "mV") and each.clamp in ("voltage", "current")
    ]
    voltage = [each for each in electrodes if each.clamp == "voltage"]
    current = [each for each in electrodes if each.clamp == "current"]
    if not electrodes:
        return None, None
    post = (voltage or current)[0]
    pre = (
        current[0] if len(voltage) == 1 and len(current) == 1 and current[0].electrode != voltage[0].electrode else None
    )
    return post, pre
