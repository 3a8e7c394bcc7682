"""Where the limits of the verdict lie on the axes: the evaluation window, and the bands of the quality gates."""

from typing import TYPE_CHECKING

import numpy as np

from ephysplast.experiment import BASELINE, POST, SweepTable

if TYPE_CHECKING:
    from ephysplast.classify import QualityConfig, SignConfig


def evaluation_window_min(table: SweepTable, config: "SignConfig", *, zero_s: float) -> tuple[float, float] | None:
    """Return start and stop of the window that the change is read from, or None without post sweeps.

    Parameters
    ----------
    table : SweepTable
        The test pathway.
    config : SignConfig
        Its ``window_min``; a shorter post phase is used whole.
    zero_s : float
        The table's time that is 0 on the axis.
    """
    time_s = np.sort(table.time_s[table.phase == POST])
    if not time_s.size:
        return None
    step_s = float(np.median(np.diff(time_s))) if time_s.size > 1 else 0.0
    start_s = max(float(time_s[0]), float(time_s[-1]) + 0.5 * step_s - 60.0 * config.window_min)
    return (start_s - zero_s) / 60.0, (float(time_s[-1]) - zero_s) / 60.0


def quality_limits(table: SweepTable, config: "QualityConfig") -> dict[str, tuple[float, float]]:
    """Return the band each measure of quality has to stay in, for :func:`draw_quality`.

    Parameters
    ----------
    table : SweepTable
        The test pathway; resistances are judged by their median over the used baseline sweeps.
    config : QualityConfig
        The limits.

    Returns
    -------
    dict of str to (float, float)
        ``rs_mohm``, ``rin_mohm``, ``holding`` → lowest and highest value; a resistance that was not measured in the
        baseline has no entry.
    """
    bands = {}
    changes = {"rs_mohm": config.rs_change_percent, "rin_mohm": config.rin_change_percent}
    for measure, percent in changes.items():
        value = getattr(table, measure)[table.of_phase(BASELINE)]
        if np.isfinite(value).any():
            middle = float(np.nanmedian(value))
            bands[measure] = (middle * (1.0 - percent / 100.0), middle * (1.0 + percent / 100.0))
    if "rs_mohm" in bands:
        low, high = bands["rs_mohm"]
        bands["rs_mohm"] = (low, min(high, config.rs_max_mohm))
    current = table.unit.startswith("pA")
    holding = (-config.holding_max_pa, config.holding_max_pa) if current else (config.vm_min_mv, config.vm_max_mv)
    return bands | {"holding": holding}
