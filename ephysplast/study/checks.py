"""What must hold of an experiment before and while it is measured: phases, pathways, and no sweep used twice."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ephysplast.analysers.responses import EvokedTraces
from ephysplast.errors import EphysplastError, ManifestError, near_names
from ephysplast.experiment import (
    BASELINE,
    CELL_KINDS,
    INDUCTION,
    POST,
    Experiment,
    Pathway,
    Segment,
    select_sweeps,
)
from ephysplast.recording import FloatArray, IntArray, Recording

LONGEST_H: Final = 24.0
"""No cell is patched for a day, so sweeps further apart are of different cells, or their clocks are wrong."""


@contextmanager
def in_row(segment: Segment) -> Iterator[None]:
    """Let an error that is raised inside name the manifest's row and the file."""
    try:
        yield
    except EphysplastError as error:
        name = segment.path.name[:80]
        where = f"row {segment.row}" if name in error.what else f"row {segment.row}, {name}"
        raise type(error)(f"{where}: {error.what}", got=error.got, wanted=error.wanted, remedy=error.remedy) from error


def check_phases(experiment: Experiment) -> None:
    """Refuse an experiment without baseline or post, with a misspelt phase, or with two pathways of one role.

    The cell itself may be measured in one phase alone: that compares nothing, and is worth a table.
    """
    for role in ("test", "control"):
        names = [each.name for each in experiment.pathways if each.role == role]
        if len(names) > 1:
            raise ManifestError(
                f"experiment {experiment.name} has {len(names)} pathways with the role {role}",
                got=", ".join(names),
                wanted=f"one {role} pathway",
                remedy="give each test pathway an experiment of its own, with the control pathway's rows in each",
            )
    if experiment.pathway("test") is None:
        raise ManifestError(f"experiment {experiment.name} has no test pathway", remedy="set role to test in its rows")
    for pathway in experiment.pathways:
        _check_phases_of(pathway, experiment)


def _check_phases_of(pathway: Pathway, experiment: Experiment) -> None:
    present = list(dict.fromkeys(each.phase for each in pathway.segments))
    where = f"experiment {experiment.name}, pathway '{pathway.name}'"
    alone = experiment.response in CELL_KINDS and len([each for each in present if each != INDUCTION]) == 1
    for phase in () if alone else (BASELINE, POST):
        if phase not in present:
            near = [each for each in present if near_names(each, [phase]).startswith("did you mean")]
            own = [each for each in present if each not in (BASELINE, INDUCTION, POST)]
            add = f"add a row with phase {phase}" + (f", or call {' or '.join(own)} {phase} if it is" if own else "")
            raise ManifestError(
                f"{where}: phase {phase} has no sweeps",
                got=f"phases {', '.join(present)}",
                wanted=f"at least one row with phase {phase}",
                remedy=f"is '{near[0]}' meant as {phase}?" if near else add,
            )
    known = (BASELINE, INDUCTION, POST)
    for phase in present:
        near_name = near_names(phase, known)
        if phase not in known and near_name.startswith("did you mean"):
            raise ManifestError(
                f"{where}: the phase '{phase}' is too like one that is known, and would not be counted to it",
                remedy=f"{near_name.removesuffix('?')}, or is it a phase of its own, then with a name less alike?",
            )


def check_sweeps_used_once(pathway: Pathway, recordings: Mapping[tuple[str, int], Recording]) -> None:
    """Refuse a pathway that has a sweep twice, be it under another path or in a copy of the file.

    A sweep that counts twice is no second measurement; one in two phases is compared with itself.
    """
    contents = _contents([each.path for each in pathway.segments])
    seen: dict[tuple[str, int, int], Segment] = {}
    for segment in pathway.segments:
        recording = recordings[str(segment.path), segment.recording]
        with in_row(segment):
            sweeps = select_sweeps(segment.sweeps, recording)
        for sweep in sweeps.tolist():
            earlier = seen.setdefault((contents[segment.path], segment.recording, sweep), segment)
            if earlier is not segment:
                raise ManifestError(
                    f"rows {earlier.row} and {segment.row} hold the same sweeps",
                    got=f"sweep {sweep + 1} of {segment.path.name} in {earlier.phase} and in {segment.phase}"
                    + ("" if earlier.path == segment.path else f" (there as {earlier.path.name}, the same contents)"),
                    wanted="every sweep once",
                    remedy="correct the columns file and sweeps, or delete a row",
                )


def _contents(paths: Sequence[Path]) -> dict[Path, str]:
    """Name each file by what it holds; only files of equal size need be read for it."""
    from hashlib import file_digest

    distinct = list(dict.fromkeys(paths))
    sizes = {path: path.stat().st_size for path in distinct}
    shared = Counter(sizes.values())
    named = {}
    for path in distinct:
        named[path] = str(sizes[path])
        if shared[sizes[path]] > 1:
            with path.open("rb") as file:
                named[path] = file_digest(file, "sha256").hexdigest()
    return named


def check_excluded(excluded: IntArray, sweeps: IntArray, text: str) -> IntArray:
    """Return the excluded sweeps; refuse a choice that has none of the row's sweeps, which would change nothing."""
    if not np.isin(excluded, sweeps).any():
        raise ManifestError(
            "none of the excluded sweeps is among the row's own",
            got=f"exclude '{text}'",
            wanted=f"some of the sweeps {sweeps[0] + 1} to {sweeps[-1] + 1}, counted as in the file",
        )
    return excluded


def check_stimuli_differ(
    test: tuple[Pathway, Mapping[str, EvokedTraces]], control: tuple[Pathway, Mapping[str, EvokedTraces]]
) -> None:
    """Refuse a control pathway read from the test pathway's own stimuli: their ratio would be 1, whatever happened."""
    common = _events(*test) & _events(*control)
    if common:
        path, _, _, at_s = min(common)
        raise ManifestError(
            "the control pathway is measured from the same stimuli as the test pathway",
            got=f"{len(common)} stimuli in common, the first at {at_s:g} s of a sweep of {Path(path).name}",
            wanted="stimuli, sweeps or a channel of its own",
            remedy="say in the manifest's columns stimulus or sweeps which are the control pathway's",
        )


def _events(pathway: Pathway, evoked: Mapping[str, EvokedTraces]) -> set[tuple[str, str, int, float]]:
    return {
        (str(pathway.phase(name)[part].path), each.channel, int(sweep), round(float(at), 4))
        for name, each in evoked.items()
        for part, sweep, at in zip(each.part, each.sweeps, each.stimulus_s[:, 0], strict=True)
        if np.isfinite(at)
    }


def check_same_pulses(evoked: Mapping[str, EvokedTraces]) -> None:
    """Refuse phases with different numbers of stimuli."""
    counts = {name: each.n_pulses for name, each in evoked.items()}
    if len(set(counts.values())) > 1:
        raise ManifestError(
            "the phases differ in their number of stimuli",
            got=", ".join(f"{name} {count}" for name, count in counts.items()),
            wanted="as many in each phase",
            remedy="give the stimulus times in the manifest's column stimulus",
        )


def check_order(phase: NDArray[np.str_], time_s: FloatArray, *, is_patch: bool) -> None:
    """Refuse a post phase before the baseline's end, and sweeps of one cell that lie days apart.

    Parameters
    ----------
    phase : numpy.ndarray of str, shape (n_sweeps,)
        Of each sweep.
    time_s : numpy.ndarray, shape (n_sweeps,)
        Start of each sweep, on one clock.
    is_patch : bool
        True when a cell was patched, which limits how long it can have been recorded.
    """
    before, after = time_s[phase == BASELINE], time_s[phase == POST]
    if before.size and after.size and after.min() <= before.max():
        raise ManifestError(
            "the post phase begins before the baseline has ended, by the files' own clocks",
            got=f"last baseline sweep at {before.max() / 60:.1f} min, first post sweep at {after.min() / 60:.1f} min",
            wanted="baseline before post",
            remedy="check which file is which in the manifest, and the columns sweeps and phase",
        )
    hours = float(np.ptp(time_s)) / 3600.0
    if is_patch and hours > LONGEST_H:
        raise ManifestError(
            "the files were not recorded in one experiment, by their own clocks",
            got=f"{hours:.0f} h from the first sweep to the last",
            wanted=f"at most {LONGEST_H:.0f} h in one cell",
            remedy="check whether a file belongs to another cell",
        )
