"""What of one cell belongs together: an inhibitory response and its E_GABA, a synaptic response and its minis."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from ephysplast.classify.locus import INHIBITORY
from ephysplast.errors import ManifestError, near_names
from ephysplast.experiment import BASELINE, POST, Experiment

COLUMN: Final = "e_gaba_from"
SIZES: Final = ("minis", "quantal_size")
"""Columns that say how large a quantum is."""

QUANTAL: Final = ("EPSC", "IPSC", "EPSP", "IPSP")
"""Responses that are made of quanta of one size."""

_UNTOLD: Final = ("", "nan", "na", "n/a", "none", "unknown", "?", "-", "–", "—")
_OF_A_CELL: Final = ("animal", "slice", "cell")


def link_e_gaba(experiments: Sequence[Experiment]) -> tuple[Experiment, ...]:
    """Put the experiment that the column ``e_gaba_from`` names into the one that names it.

    Raises
    ------
    ManifestError
        If there is no experiment of that name (near ones are offered), if it is not of the response ``reversal`` or
        lacks baseline or post, if it is of another cell, or if the response that names it is not inhibitory.
    """
    named = {each.name: each for each in experiments}
    return tuple(_linked(each, named) for each in experiments)


def told(experiment: Experiment, column: str) -> str:
    """Return what a column says; empty where people write that they do not know.

    Examples
    --------
    >>> from ephysplast.experiment import Connection
    >>> held = Experiment(name="a", response="EPSC", connection=Connection(), pathways=(), metadata={"minis": "n/a"})
    >>> told(held, "minis")
    ''
    """
    text = experiment.metadata.get(column, "").strip()
    return "" if text.lower() in _UNTOLD else text


def check_quantal_size(experiment: Experiment) -> None:
    """Refuse a quantal size that is given twice, or of a response that is not made of quanta of one size."""
    given = [column for column in SIZES if told(experiment, column)]
    where = f"experiment {experiment.name}: {' and '.join(given)}"
    if len(given) > 1:
        raise ManifestError(
            f"{where} both say how large a quantum is",
            got=" and ".join(f"'{experiment.metadata[column]}'" for column in given),
            wanted="one of them",
            remedy="empty one of the columns",
        )
    if given and experiment.response not in QUANTAL:
        raise ManifestError(
            f"{where} is for responses of one cell to quanta",
            got=f"response {experiment.response}",
            wanted=", ".join(QUANTAL),
            remedy=f"empty the column {given[0]} in its rows",
        )


def _linked(experiment: Experiment, named: Mapping[str, Experiment]) -> Experiment:
    wanted = experiment.metadata.get(COLUMN, "")
    if not wanted:
        return experiment
    where = f"experiment {experiment.name}: {COLUMN}"
    if experiment.response not in INHIBITORY:
        raise ManifestError(
            f"{where} is for inhibitory responses",
            got=f"response {experiment.response}",
            wanted=" or ".join(sorted(INHIBITORY)),
            remedy=f"empty the column {COLUMN} in its rows",
        )
    reversals = [name for name, each in named.items() if each.response == "reversal"]
    offered = near_names(wanted, reversals) if reversals else "the manifest has no experiment of the response reversal"
    found = named.get(wanted)
    if found is None:
        raise ManifestError(
            f"{where} names an experiment that is not in the manifest", got=f"'{wanted}'", remedy=offered
        )
    if found.response != "reversal":
        raise ManifestError(
            f"{where} names an experiment in which E_GABA was not measured",
            got=f"'{wanted}' with response {found.response}",
            wanted="response reversal",
            remedy=offered,
        )
    _check_phases(where, found)
    _check_cell(where, experiment, found)
    return replace(experiment, e_gaba=found)


def _check_phases(where: str, found: Experiment) -> None:
    test = found.pathway("test")
    phases = list(dict.fromkeys(each.phase for each in test.segments)) if test else []
    if not {BASELINE, POST} <= set(phases):
        raise ManifestError(
            f"{where} names an experiment without E_GABA of both phases",
            got=f"'{found.name}' with {', '.join(phases) or 'no phase'}",
            wanted=f"{BASELINE} and {POST}",
            remedy=f"add the rows that are missing to {found.name}, or empty the column {COLUMN}",
        )


def _check_cell(where: str, experiment: Experiment, found: Experiment) -> None:
    for column in _OF_A_CELL:
        ours, theirs = (each.metadata.get(column, "") for each in (experiment, found))
        if ours and theirs and ours != theirs:
            raise ManifestError(
                f"{where} names an experiment on another cell",
                got=f"{column} '{ours}' here and '{theirs}' in '{found.name}'",
                wanted="the same animal, slice and cell",
            )
