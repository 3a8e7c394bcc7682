"""Commands that change from sweep to sweep, read back from ABF by pyABF and from NWB by pynwb."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyabf
import pynwb
import pytest

from ephysplast.errors import SettingsError
from ephysplast.io import read
from ephysplast.synthesis.cell_experiments import CellExperiment, make_cell_experiment
from ephysplast.synthesis.cell_truth import CellPlan, SeriesPlan
from ephysplast.synthesis.dataset import write_file
from ephysplast.synthesis.inhibition import InhibitedCell
from ephysplast.synthesis.protocols import Protocol, RampProtocol, StepProtocol
from ephysplast.synthesis.spiking import SpikingCell
from ephysplast.synthesis.truth import Expected

STEPS = StepProtocol(
    unit="mV", n_sweeps=5, holding=-70.0, first=-100.0, delta=12.5, start_ms=60.0, stop_ms=160.0, duration_ms=200.0,
    trigger_ms=110.0, digital=2, test_ms=(10.0, 30.0),
)  # fmt: skip
RAMP = RampProtocol(
    unit="mV", n_sweeps=2, holding=-70.0, begins=-100.0, ends=-30.0, settle_ms=20.0, start_ms=60.0, stop_ms=160.0,
    duration_ms=200.0, test_ms=(10.0, 30.0),
)  # fmt: skip
CURRENT = StepProtocol(
    unit="pA", n_sweeps=6, holding=-15.0, first=-100.0, delta=30.0, start_ms=30.0, stop_ms=150.0, duration_ms=200.0
)


def expected(protocol: Protocol, sweep: int) -> np.ndarray:
    """Write the command down sample by sample, at 10 samples per ms."""
    row = np.full(2000, protocol.holding)
    if protocol.test_ms:
        row[100:300] = protocol.holding - 5.0
    if isinstance(protocol, RampProtocol):
        row[400:600] = -100.0
        row[600:1600] = np.linspace(-100.0, -30.0, 1000)
    else:
        start, stop = (600, 1600) if protocol.unit == "mV" else (300, 1500)
        row[start:stop] = protocol.first + sweep * protocol.delta
    return row


def experiment(protocol: Protocol, kind: str) -> CellExperiment:
    cell = SpikingCell() if protocol.unit == "pA" else InhibitedCell()
    return make_cell_experiment(
        CellPlan(
            name="x",
            format=kind,
            response="excitability" if protocol.unit == "pA" else "reversal",
            cell=cell,
            parts=(SeriesPlan(phase="baseline", file="steps", protocol=protocol),),
            expected=Expected(sign="not asked"),
            metadata={"temperature_degc": "32"},
        ),
        started_at=datetime(2024, 5, 6, tzinfo=UTC),
    )


@pytest.mark.parametrize("protocol", [STEPS, RAMP, CURRENT], ids=["steps", "ramp", "current"])
def test_pyabf_and_our_reader_find_the_command_of_every_sweep(protocol: Protocol, tmp_path: Path) -> None:
    made = experiment(protocol, "abf")
    path = write_file(made, made.files[0], tmp_path)
    theirs, ours = pyabf.ABF(str(path)), read(path)
    assert theirs.sweepCount == ours.n_sweeps == protocol.n_sweeps
    assert theirs.sweepUnitsC == protocol.unit
    for sweep in range(protocol.n_sweeps):
        theirs.setSweep(sweep)
        # Levels in the file are single precision: 1e-5 of them.
        np.testing.assert_allclose(theirs.sweepC, expected(protocol, sweep), atol=1e-4)
        np.testing.assert_allclose(ours.channels[0].command.sweep(sweep), expected(protocol, sweep), atol=1e-4)
    assert ours.channels[0].command.same_every_sweep == isinstance(protocol, RampProtocol)


def test_the_trigger_is_a_digital_output_in_every_sweep(tmp_path: Path) -> None:
    made = experiment(STEPS, "abf")
    (line,) = read(write_file(made, made.files[0], tmp_path)).digital_outputs
    assert line.name == "digital 2"
    assert [each.tolist() for each in line.onsets_s] == [[0.11]] * 5


@pytest.mark.filterwarnings("ignore::UserWarning:pynwb")
def test_nwb_keeps_the_command_of_every_sweep(tmp_path: Path) -> None:
    made = experiment(CURRENT, "nwb")
    path = write_file(made, made.files[0], tmp_path)
    with pynwb.NWBHDF5IO(str(path), "r") as file:
        stimuli = [each for _, each in sorted(file.read().stimulus.items())]
        stored = [(each.data[:] * each.conversion + each.offset) * 1e12 for each in stimuli]
    assert len(stored) == 6
    ours = read(path)
    for sweep in range(6):
        np.testing.assert_allclose(stored[sweep], expected(CURRENT, sweep), atol=1e-3)  # 16 bits of 200 pA
        np.testing.assert_allclose(ours.channels[0].command.sweep(sweep), expected(CURRENT, sweep), atol=1e-3)


def test_impossible_times_are_refused() -> None:
    with pytest.raises(SettingsError, match="1/64"):
        StepProtocol(unit="pA", n_sweeps=3, first=0.0, delta=1.0, start_ms=5.0, duration_ms=700.0)
    with pytest.raises(SettingsError, match="in order"):
        StepProtocol(unit="pA", n_sweeps=3, first=0.0, delta=1.0, test_ms=(50.0, 150.0))
    with pytest.raises(SettingsError, match="settle"):
        RampProtocol(unit="mV", n_sweeps=1, begins=-100.0, ends=-30.0).command()
