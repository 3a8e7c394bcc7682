"""How large a quantum is, as people know it: minis of the cell, a number, or sweeps of minimal stimulation."""

import re
from dataclasses import replace
from math import isfinite, nan
from typing import Final

import numpy as np

from ephysplast._words import number
from ephysplast.classify._release import noise_of
from ephysplast.errors import EphysplastError, ManifestError
from ephysplast.experiment import BASELINE, MINIMAL, Experiment, MiniTable, SweepTable
from ephysplast.quantal import MiniSizeConfig, QuantalSize, quantal_size_from_failures, quantal_size_from_minis
from ephysplast.recording import FloatArray
from ephysplast.study._minis import read_minis, unit_meant
from ephysplast.study.linked import QUANTAL, told
from ephysplast.study.settings import Settings

__all__ = [
    "check_size",
    "quantal_size_of",
    "read_minis",
    "size_from_minimal",
    "size_from_minis",
    "size_from_number",
]

_TOLD: Final = re.compile(r"([-+]?\s?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:e[-+]?\d+)?)\s*([kmunpfµμ]?[AV])?", re.IGNORECASE)
_OUT_OF_MEASURE: Final = 100.0
"""The prior has up to 100 sites and release probabilities down to .005: what lies further from the mean response is
in another unit."""


def quantal_size_of(
    experiment: Experiment, table: SweepTable, *, polarity: int, settings: Settings
) -> QuantalSize | None:
    """Return what is known of the quantal amplitude of an experiment's baseline from elsewhere; None without it.

    From the manifest's columns ``minis`` or ``quantal_size``, else from sweeps of the phase ``minimal``.

    Parameters
    ----------
    experiment : Experiment
        What was asked.
    table : SweepTable
        The test pathway's sweeps after the gates.
    polarity : int
        Direction of the response: −1 or 1; 0 is not known.
    settings : Settings
        Its ``classify.locus.minis`` and its seed.

    Raises
    ------
    EphysplastError
        If the table of minis cannot be read, or what it holds, or the number, cannot be the quantal amplitude of this
        response: another unit or direction, or out of all measure.
    """
    if experiment.response not in QUANTAL:
        return None
    config, stated = settings.classify.locus.minis, told(experiment, "quantal_size")
    if experiment.minis is not None:
        size = size_from_minis(experiment.minis, unit=table.unit, polarity=polarity, config=config)
    elif stated:
        value = _told(stated, unit=table.unit, where=f"experiment {experiment.name}")
        size = size_from_number(value, unit=table.unit, config=config)
    else:
        here = table.of_phase(MINIMAL)
        rng = settings.rng_of(f"{experiment.name}, {MINIMAL}")
        found = size_from_minimal(table.amplitude[here, 0], table.noise[here], unit=table.unit, rng=rng)
        if found is None:
            return None
        size = found
    check_size(size, table, where=f"experiment {experiment.name}")
    return size


def size_from_minis(
    minis: MiniTable, *, unit: str, polarity: int = 0, config: MiniSizeConfig | None = None
) -> QuantalSize:
    """Take the quantal amplitude from a table of minis, as an event detector exports it.

    Parameters
    ----------
    minis : MiniTable
        The table, and its column where several may be meant.
    unit : str
        Of the amplitudes whose locus is asked; those of the minis are converted.
    polarity : int
        Direction of the evoked response: −1 or 1; 0 is not known.
    config : MiniSizeConfig, optional
        Mean or median, and the uncertainty that is added.

    Returns
    -------
    QuantalSize
        Of :func:`~ephysplast.quantal.quantal_size_from_minis`.

    Raises
    ------
    EphysplastError
        Those of :func:`read_minis`; if the unit is another one, or minis go down where the response goes up.
    """
    found = read_minis(minis.path, column=minis.column)
    where = f"{minis.path.name}, column '{found.column}'"
    if found.unit and found.unit != unit:
        raise EphysplastError(
            f"{where}: the minis are in another unit than the responses",
            got=f"{found.unit}, and responses in {unit}",
            wanted="both currents or both potentials",
            remedy="say the unit of the table of amplitudes (--unit)" if unit == "a.u." else "",
        )
    down = bool(found.amplitude.size and found.amplitude[0] < 0.0)
    if down and polarity > 0:
        raise EphysplastError(
            f"{where}: the minis go down, and the response goes up",
            got=f"a mean of {number(found.amplitude.mean())} {unit}",
            wanted="minis at the potential at which the response was recorded",
            remedy="scale them to its driving force and give them as magnitudes, or leave them out",
        )
    size = quantal_size_from_minis(np.abs(found.amplitude), config=config, unit=unit)
    taken = "" if found.unit else f", taken to be in {unit}"
    return replace(size, source=f"{minis.path.name}: {size.source}{taken}")


def size_from_number(value: float, *, unit: str, config: MiniSizeConfig | None = None) -> QuantalSize:
    """Let a quantal amplitude that is told be as loose as minis of a cell are for one of its synapses.

    Examples
    --------
    >>> size = size_from_number(12.0, unit="pA")
    >>> round(size.low, 1), round(size.high, 1)
    (6.0, 23.8)
    """
    if not (isfinite(value) and value != 0.0):
        raise EphysplastError("a quantal size is impossible", got=f"{value:g}", wanted="a magnitude above 0")
    value, log_sd = abs(value), max((config or MiniSizeConfig()).extra_log_sd, 1e-3)
    reach = float(np.exp(1.959964 * log_sd))
    source = f"as told, a factor of {np.exp(log_sd):.2f} either way"
    return QuantalSize(value=value, log_sd=log_sd, low=value / reach, high=value * reach, source=source, unit=unit)


def size_from_minimal(
    amplitude: FloatArray, noise: FloatArray, *, unit: str, rng: np.random.Generator
) -> QuantalSize | None:
    """Take the quantal amplitude from how often minimal stimulation fails; None where there are no such sweeps.

    Parameters
    ----------
    amplitude, noise : numpy.ndarray, shape (n_sweeps,)
        First responses along the direction of the baseline's, and readings without a response.
    unit : str
        Of both.
    rng : numpy.random.Generator
        For the bootstrap.
    """
    if not np.isfinite(amplitude).any():
        return None
    sd = noise_of(noise).sd
    if not isfinite(sd):
        why = f"the noise of the sweeps of the phase {MINIMAL} was not measured"
        return QuantalSize(value=nan, log_sd=nan, source="minimal stimulation", status=why, unit=unit)
    return quantal_size_from_failures(amplitude, noise_sd=sd, rng=rng, unit=unit)


def check_size(size: QuantalSize, table: SweepTable, *, where: str) -> None:
    """Refuse a quantal size that no synapse with such a mean response can have: it is in another unit."""
    here = table.amplitude[table.of_phase(BASELINE), 0]
    mean = float(here.mean()) if here.size else 0.0
    if mean > 0.0 and not 1.0 / _OUT_OF_MEASURE <= size.value / mean <= _OUT_OF_MEASURE and isfinite(size.value):
        raise EphysplastError(
            f"{where}: the quantal size is out of all measure",
            got=f"{number(size.value)} {size.unit} and a mean response of {number(mean)} {table.unit}",
            wanted="the same unit for both",
            remedy="write the unit into the name of the column, or behind the number",
        )


def _told(text: str, *, unit: str, where: str) -> float:
    """Read the manifest's number, with or without a unit."""
    match = _TOLD.fullmatch(text.replace("−", "-").replace("–", "-"))
    value = float(re.sub(r"\s", "", match[1]).replace(",", ".")) if match else 0.0
    if not match or value == 0.0:
        raise ManifestError(
            f"{where}: quantal_size is no magnitude",
            got=f"'{text}'",
            wanted=f"one number in {unit}, such as 12.5, or an empty cell where it is not known",
            remedy="a file of minis belongs into the column minis" if re.search(r"\.\w|::", text) else "",
        )
    own, factor = unit_meant(match[2] or "") or (unit, 1.0)
    if own != unit:
        raise ManifestError(
            f"{where}: quantal_size is in another unit than the responses", got=f"'{text}'", wanted=unit
        )
    return value * factor
