"""What people write into the manifest's columns, and what they may have meant by it."""

import re
from collections.abc import Mapping
from dataclasses import fields
from math import isfinite, nan
from typing import Final

from ephysplast._words import minus
from ephysplast.analysers.reversal import CellConditions
from ephysplast.errors import ManifestError, near_names
from ephysplast.experiment import RESPONSE_KINDS, Experiment, ResponseKind

_MEANT: Final[Mapping[ResponseKind, tuple[str, ...]]] = {
    "excitability": (
        *("intrinsic", "rheobase", "spikes", "spiking", "firing", "ap", "aps", "actionpotentials", "fi", "ficurve"),
        *("gain", "threshold", "rin", "sag", "currentsteps", "currentramp", "currentramps"),
    ),
    "reversal": (
        *("egaba", "ecl", "erev", "eipsc", "eipsp", "iv", "vi", "ivcurve", "ivs", "chloride", "cl", "gaba"),
        *("conductance", "drivingforce", "voltagesteps", "voltageramp", "voltageramps"),
    ),
}
"""Quantities and protocols, in letters only, which people give as the response that they are measured from."""

_LIMITS: Final[Mapping[str, tuple[float, float, str]]] = {
    "rs_mohm": (0.0, 500.0, "MΩ"),
    "compensation_percent": (0.0, 100.0, "%"),
    "junction_potential_mv": (-50.0, 50.0, "mV"),
    "rest_mv": (-120.0, -10.0, "mV"),
    "temperature_degc": (0.0, 50.0, "°C"),
    "held_at_mv": (-150.0, 100.0, "mV"),
}
"""What can be true of a cell in a slice; beyond it the unit is another one, or the sign was lost."""

_HINTS: Final[Mapping[str, str]] = {
    "compensation_percent": "write 70 for 70 %",
    "junction_potential_mv": "write 0 where the commands are corrected already",
    "rest_mv": "write it in mV, with its minus sign",
    "held_at_mv": "write it in mV, with its minus sign, as it was commanded",
    "temperature_degc": "write it in °C; room temperature is about 22",
}
_UNKNOWN: Final = ("", "nan", "na", "n/a", "#n/a", "none", "unknown", "notknown", "?", "-", "–", "—")
_NUMBER: Final = re.compile(
    r"([-+]?\s?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:e[-+]?\d+)?)\s*(?:mV|M\s?Ω|M\s?Ohms?|%|percent|°?\s?C|deg\s?C?|degrees)?",
    flags=re.IGNORECASE,
)
_ABOUT: Final = re.compile(
    r"(?:(?:~|≈|about|ca\.?|approx\.?)\s*)?([-+]?\d+(?:[.,]\d+)?)\s*(?:(?:±|\+/-|\+-).*)?", flags=re.IGNORECASE
)

_CONFIGURATIONS: Final = (
    *("gramicidin", "whole-cell", "cell-attached", "perforated", "amphotericin", "nystatin", "escin", "sharp"),
    *("outside-out", "inside-out", "imaging"),
)
_LETTERS: Final = re.compile("[^a-z]+")


def response_meant(word: str) -> str:
    """Say which response an unknown word may mean; all of them when none is near.

    Examples
    --------
    >>> response_meant("E_GABA"), response_meant("excitabilty")
    ("did you mean 'reversal'?", "did you mean 'excitability'?")
    """
    letters = _LETTERS.sub("", word.lower())
    if letters in ("step", "steps", "ramp", "ramps"):
        return f"did you mean 'excitability' ({letters} of current) or 'reversal' ({letters} of voltage)?"
    within = [kind for kind in sorted(RESPONSE_KINDS, key=len, reverse=True) if kind.lower() in letters]
    meant = within or [kind for kind, words in _MEANT.items() if letters in words]
    return f"did you mean '{meant[0]}'?" if meant else near_names(word, RESPONSE_KINDS)


def conditions_of(experiment: Experiment) -> CellConditions:
    """Read what is known of the cell and the rig from the columns of an experiment; an empty cell is not known.

    Raises
    ------
    ManifestError
        If a column holds no number, or one that cannot be true.
    """
    known = {each.name: _number(experiment, each.name) for each in fields(CellConditions)}
    return CellConditions(**{column: value for column, value in known.items() if isfinite(value)})


def held_at_of(experiment: Experiment) -> float:
    """Read the potential at which a response was held, in mV as it was commanded; NaN where the cell is empty.

    Raises
    ------
    ManifestError
        If the column holds no number, or one that cannot be true.
    """
    return _number(experiment, "held_at_mv")


def configuration_of(experiment: Experiment) -> str:
    """Return how the cell was recorded, as it was written.

    Raises
    ------
    ManifestError
        If it is a misspelt word: the verdict depends on it.
    """
    written = experiment.metadata.get("configuration", "")
    words = [each for each in re.split(r"[^a-z-]+", written.lower()) if each]
    joined = _LETTERS.sub("", written.lower())
    if any(_LETTERS.sub("", each) in joined for each in _CONFIGURATIONS):
        return written
    for word in (*words, "-".join(words)):
        near = near_names(word, _CONFIGURATIONS)
        if near.startswith("did you mean"):
            raise _wrong(experiment, "configuration", what="is not known", got=f"'{written}'", remedy=near)
    return written


def _number(experiment: Experiment, column: str) -> float:
    text = experiment.metadata.get(column, "").strip().replace("\u2212", "-").replace("\u2013", "-")
    if text.lower().replace(" ", "") in _UNKNOWN:
        return nan
    low, high, unit = _LIMITS[column]
    match = _NUMBER.fullmatch(text)
    if not match:
        about = _ABOUT.fullmatch(text)
        plain = f"write {about[1]}, and what else is to be said in a column that begins with note" if about else ""
        raise _wrong(
            experiment,
            column,
            what="is no number",
            got=f"'{experiment.metadata[column]}'",
            wanted=f"one number in {unit}, or an empty cell where it is not known",
            remedy=plain or _HINTS.get(column, ""),
        )
    value = float(re.sub(r"\s", "", match[1]).replace(",", "."))
    is_share = column == "compensation_percent" and 0.0 < value < 1.0
    if not low <= value <= high or is_share:
        wanted = minus(f"{low:g} to {high:g} {unit}") + (", and no share of 1" if is_share else "")
        raise _wrong(experiment, column, got=f"'{text}'", wanted=wanted, remedy=_HINTS.get(column, ""))
    return value


def _wrong(
    experiment: Experiment, column: str, *, what: str = "cannot be", got: str, wanted: str = "", remedy: str = ""
) -> ManifestError:
    rows = sorted({segment.row for pathway in experiment.pathways for segment in pathway.segments} - {0})
    where = f" (rows {', '.join(map(str, rows))})" if rows else ""
    return ManifestError(f"experiment {experiment.name}{where}: {column} {what}", got=got, wanted=wanted, remedy=remedy)
