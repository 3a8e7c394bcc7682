"""Series resistance and capacitance of each sweep of a current–voltage recording."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from ephysplast.analysers._iv_protocol import Command, edge_of
from ephysplast.analysers.passive import TestPulseConfig, TestPulseResult, measure_test_pulse
from ephysplast.errors import SettingsError
from ephysplast.recording import Channel, FloatArray, IntArray, Recording

PLAUSIBLE_MOHM = 100.0  # a larger one is what capacitance compensation has left of the transient
_SWEEP_APART = 0.5  # of the mean
_LARGEST_MV = 30.0  # beyond, channels open and the transient is not the membrane's


class Access(NamedTuple):
    """Series resistance (MΩ) and capacitance (pF) of each sweep, NaN where unknown; `source` for people."""

    rs_mohm: FloatArray
    cm_pf: FloatArray
    source: str


def measure_access(recording: Recording, channel: Channel, sweeps: IntArray, commands: Sequence[Command]) -> Access:
    """Read the test pulse of each sweep, or else the transient of the protocol's own step."""
    config = TestPulseConfig()
    pulse = measure_test_pulse(recording, channel, sweeps=sweeps, config=config)
    source = "test pulse"
    if not np.isfinite(pulse.rs_mohm).any():
        edge = edge_of(commands, channel.trace.rate_hz, largest_mv=_LARGEST_MV)
        if edge is not None:
            start_ms, stop_ms = (1e3 * each / channel.trace.rate_hz for each in edge)
            config = replace(config, start_ms=start_ms, stop_ms=stop_ms, largest_step_mv=_LARGEST_MV)
            try:
                pulse, source = measure_test_pulse(recording, channel, sweeps=sweeps, config=config), "the step itself"
            except SettingsError:  # the step is too large, or goes both ways, in every sweep
                source = ""
    rs, cm = _believed(pulse)
    return Access(rs, cm, source if np.isfinite(rs).any() else "")


def _believed(pulse: TestPulseResult) -> tuple[FloatArray, FloatArray]:
    """Keep R_s and C_m of the sweeps that agree with the mean of all, where that is a series resistance."""
    mean, (low, high) = pulse.mean_rs_mohm, pulse.rs_interval_mohm
    # A transient of a sample or two (compensated well) gives any number: then the sweeps disagree.
    vague = np.isfinite(high - low) and not high - low <= mean
    if vague or not mean <= PLAUSIBLE_MOHM:
        return np.full(pulse.rs_mohm.size, np.nan), np.full(pulse.rs_mohm.size, np.nan)
    with np.errstate(invalid="ignore"):
        near = np.abs(pulse.rs_mohm - mean) <= _SWEEP_APART * mean
    return np.where(near, pulse.rs_mohm, np.nan), np.where(near, pulse.cm_pf, np.nan)
