"""Whether a channel's unit and clamp can be true, judged by its range and by what its electrode was told to do."""

from typing import Final

import numpy as np

from ephysplast.recording import Clamp, FloatArray

_HIGHEST_POTENTIAL_MV: Final = 500.0
"""No membrane potential, field potential or junction offset is beyond it; railed and unused inputs are."""

_LOWEST_POTENTIAL_MV: Final = 1e-5
"""10 nV: a hundredth of the noise of the best field recording."""

_HIGHEST_CURRENT_PA: Final = 1e9
"""1 mA; two-electrode clamps of oocytes pass some 0.1 mA."""

_LOWEST_CURRENT_PA: Final = 1e-3
"""1 fA: far below the noise of any patch clamp."""

_GAIN_RATIOS: Final = (1.0, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001)
"""Scales that undo a voltage-clamp gain applied to a potential; 0.05 is 0.5 mV/pA against 10 mV/mV."""


def doubt_about(
    *,
    name: str,
    unit: str,
    clamp: Clamp,
    samples: FloatArray,
    command_unit: str = "",
    stored_unit: str | None = None,
) -> str:
    """Say why a channel's unit or clamp cannot be true.

    Parameters
    ----------
    name : str
        The channel, for the sentence.
    unit : str
        Unit of `samples`: ``"mV"``, ``"pA"``, or an auxiliary channel's own, which is never doubted.
    clamp : {"current", "voltage", "field", "unknown"}
        What the file makes of it. ``"unknown"`` is a monitor (V_m recorded in voltage clamp): only its range is judged.
    samples : numpy.ndarray
        Some windows of the channel, any shape; NaN is ignored, and so are an empty array and one that is all zero.
    command_unit : str, optional
        Unit of the command of the same electrode: ``"mV"``, ``"pA"``; empty when there is none.
    stored_unit : str, optional
        The unit as the file writes it, when that differs from `unit`; an empty one or ``"?"`` is doubted.

    Returns
    -------
    str
        Empty when nothing speaks against the channel; else a sentence (without full stop) with what the manifest
        should say.

    Examples
    --------
    >>> doubt_about(name="IN 0", unit="mV", clamp="current", samples=np.array([-70.0, 30.0]), command_unit="pA")
    ''
    >>> doubt_about(name="IN 0", unit="mV", clamp="current", samples=np.array([-7e-8, -6e-8]))
    "'IN 0' is a potential of at most 7e-08 mV, which no cell has: set scale=1e9 in the manifest if it is 70 mV"
    """
    if _is_no_unit(unit if stored_unit is None else stored_unit):
        return (
            f"the file gives '{name}' no unit: set unit=mV and clamp=current, or unit=pA and clamp=voltage, "
            "and scale if needed, in the manifest"
        )
    if unit not in ("mV", "pA"):
        return ""
    known = np.asarray(samples, dtype=np.float64)
    known = known[np.isfinite(known)]
    if not known.size or not known.any():
        return _about_clamp(name, unit, clamp)
    return (
        _about_range(name, unit, known)
        or _about_command(name, unit, clamp, command_unit, known)
        or _about_clamp(name, unit, clamp)
    )


def _is_no_unit(unit: str) -> bool:
    return not any(letter.isalpha() or letter in "%°" for letter in unit)


def _about_range(name: str, unit: str, known: FloatArray) -> str:
    low, high = np.percentile(known, [1.0, 99.0])  # robust against stimulus artefacts
    typical, largest = max(abs(low), abs(high)), float(np.abs(known).max())
    least, most = (
        (_LOWEST_POTENTIAL_MV, _HIGHEST_POTENTIAL_MV) if unit == "mV" else (_LOWEST_CURRENT_PA, _HIGHEST_CURRENT_PA)
    )
    quantity = "potential" if unit == "mV" else "current"
    if largest < least:
        scale, whole = _scale_up(largest)
        return (
            f"'{name}' is a {quantity} of at most {largest:.2g} {unit}, which no cell has: "
            f"set scale={scale} in the manifest if it is {whole:.3g} {unit}"
        )
    if typical > most:
        other = "pA and clamp=voltage" if unit == "mV" else "mV and clamp=current"
        return (
            f"'{name}' is a {quantity} of {low:.4g} to {high:.4g} {unit}, which no cell has: "
            f"set scale, or unit={other}, in the manifest, or leave the channel alone if nothing was connected to it"
        )
    return ""


def _scale_up(largest: float) -> tuple[str, float]:
    power = 3 * int(np.ceil(-np.log10(largest) / 3.0))
    # A factor of 10³ takes 70 mV and 0.07 V alike into reach; potentials are tens of mV rather than single ones.
    return f"1e{power}", largest * 10.0**power


def _about_command(name: str, unit: str, clamp: Clamp, command_unit: str, known: FloatArray) -> str:
    if unit != "pA" or command_unit != "pA" or clamp == "unknown":
        return ""
    middle = float(np.median(known))
    scale = next((each for each in _GAIN_RATIOS if -100.0 < middle * each < -25.0), None)
    looks = ""
    if scale is not None:
        low, high = np.min(known) * scale, np.max(known) * scale
        looks = f" and scale={scale:g} (then it runs from {low:.0f} to {high:.0f} mV, median {middle * scale:.0f} mV)"
    return (
        f"'{name}' is in pA while its command is a current too, so it is rather a membrane potential "
        f"(median {middle:.4g}): set unit=mV, clamp=current{looks} in the manifest, or clamp=voltage if it is a current"
    )


def _about_clamp(name: str, unit: str, clamp: Clamp) -> str:
    if clamp == "voltage" and unit == "mV":
        return (
            f"'{name}' is in mV and said to be in voltage clamp, where a current is measured: "
            "set unit, or clamp=current, in the manifest"
        )
    if clamp in ("current", "field") and unit == "pA":
        held = "a field recording" if clamp == "field" else "current clamp"
        return (
            f"'{name}' is in pA and said to be in {held}, where a potential is measured: "
            "set unit, or clamp=voltage, in the manifest"
        )
    return ""
