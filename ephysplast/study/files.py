"""The files of one experiment, opened once and put on one clock."""

from dataclasses import dataclass, field

import numpy as np

from ephysplast.errors import ManifestError
from ephysplast.experiment import Experiment, Segment
from ephysplast.io import read
from ephysplast.recording import Recording
from ephysplast.study.checks import check_sweeps_used_once, in_row


@dataclass(frozen=True, eq=False)
class Files:
    """The recordings of one experiment, each read once, on one clock."""

    experiment: Experiment
    recordings: dict[tuple[str, int], Recording] = field(default_factory=dict)
    offsets_s: dict[tuple[str, int], float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, experiment: Experiment) -> "Files":
        """Open every file of the manifest's rows; an error names its row."""
        files = cls(experiment)
        for pathway in experiment.pathways:
            for segment in pathway.segments:
                key = (str(segment.path), segment.recording)
                if key not in files.recordings:
                    with in_row(segment):
                        files.recordings[key] = _recording(segment)
            check_sweeps_used_once(pathway, files.recordings)
        files._set_clock()
        for (path, _), recording in files.recordings.items():
            files.notes.extend(f"{recording.source.path.name}: {note}" for note in recording.notes if path)
        return files

    def of(self, segment: Segment) -> tuple[Recording, float]:
        """Return a row's recording, and when it began on the common clock, in s."""
        key = (str(segment.path), segment.recording)
        return self.recordings[key], self.offsets_s[key]

    def _set_clock(self) -> None:
        starts = {key: each.started_at for key, each in self.recordings.items()}
        known = [each for each in starts.values() if each is not None]
        if any(each.tzinfo is None for each in known):
            if any(each.tzinfo is not None for each in known):
                self.notes.append("only some files say in which time zone their clock ran: all are taken for the same")
            known = [each.replace(tzinfo=None) for each in known]
        if len(known) == len(starts) and (
            len(known) == 1 or len(set(known)) > 1 or len({key[0] for key in starts}) == 1
        ):
            first = min(known)
            self.offsets_s.update({key: (at - first).total_seconds() for key, at in zip(starts, known, strict=True)})
            return
        now = 0.0
        for key, recording in self.recordings.items():
            self.offsets_s[key] = now
            interval = float(np.median(np.diff(recording.sweep_start_s))) if recording.n_sweeps > 1 else 0.0
            last_s = recording.sweep_lengths[-1] / recording.rate_hz
            now += float(recording.sweep_start_s[-1]) + max(interval, last_s)
        self.notes.append("not every file knows when it began: files were laid end to end in the manifest's order")


def _recording(segment: Segment) -> Recording:
    recordings = read(segment.path).recordings
    if segment.recording > len(recordings):
        raise ManifestError(
            f"{segment.path.name} has no recording {segment.recording}",
            wanted=f"1 to {len(recordings)}" if len(recordings) > 1 else "1, the only one",
        )
    return recordings[segment.recording - 1]
