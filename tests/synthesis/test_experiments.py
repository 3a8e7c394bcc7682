"""Synthetic experiments, measured by plain arithmetic that knows nothing of the package's analysers."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from ephysplast.errors import SettingsError
from ephysplast.synthesis.cell_experiments import make_cell_experiment
from ephysplast.synthesis.cell_truth import CellPlan, SeriesPlan
from ephysplast.synthesis.circuit import Cell
from ephysplast.synthesis.commands import Command, Step
from ephysplast.synthesis.experiments import SyntheticExperiment, make_experiment, true_change
from ephysplast.synthesis.inhibition import InhibitedCell
from ephysplast.synthesis.noise import Noise
from ephysplast.synthesis.protocols import StepProtocol
from ephysplast.synthesis.release import ReleaseSites
from ephysplast.synthesis.sample import sample_plans
from ephysplast.synthesis.spiking import SpikingCell
from ephysplast.synthesis.truth import (
    Expected,
    ExperimentPlan,
    InductionPlan,
    PhasePlan,
    PresynapticTruth,
    SweepPlan,
    SynapseTruth,
)

START = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)
SILENT = Noise()
CELL = Cell(rm_mohm=150.0, cm_pf=80.0, rest_mv=-67.0, lowpass_hz=1e5)


def plan(**changes: object) -> ExperimentPlan:
    """Return a paired EPSC experiment without noise or jitter."""
    plain: dict[str, object] = {
        "name": "plain",
        "format": "abf",
        "response": "EPSC",
        "inputs": (SynapseTruth(sites=ReleaseSites(n=10, p=0.5, q=8.0), jitter_ms=0.0),),
        "parts": (
            PhasePlan(phase="baseline", file="before", n_sweeps=12, rs_mohm=(12.0, 12.0)),
            InductionPlan(file="pairing", n_sweeps=5, n_pairings=3, delta_t_ms=-7.0, pause_s=60.0),
            PhasePlan(phase="post", file="after", n_sweeps=8, pause_s=30.0, changes={"q": 4.0}, rs_mohm=(12.0, 18.0)),
        ),
        "sweep": SweepPlan(),
        "cell": CELL,
        "noise": SILENT,
        "presynaptic": PresynapticTruth(jitter_ms=0.0, noise=SILENT),
        "expected": Expected(sign="LTD", locus="post"),
    }
    return ExperimentPlan(**(plain | changes))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made() -> SyntheticExperiment:
    return make_experiment(plan(), started_at=START)


def sweeps(experiment: SyntheticExperiment, file: int, channel: int = 0) -> np.ndarray:
    trace = experiment.files[file].recording.channels[channel].trace
    return np.array([trace.sweep(i) for i in range(trace.n_sweeps)])


def test_files_keep_one_clock(made: SyntheticExperiment) -> None:
    assert [file.name for file in made.files] == ["before.abf", "pairing.abf", "after.abf"]
    began = [(file.recording.started_at - START).total_seconds() for file in made.files]
    assert began == [0.0, 12 * 10 + 60, 12 * 10 + 60 + 5 * 10 + 30]
    assert made.files[2].recording.sweep_start_s.tolist() == [10.0 * i for i in range(8)]
    assert made.time_s("post")[0] == 260.0


def test_amplitudes_in_the_traces_are_those_that_were_released(made: SyntheticExperiment) -> None:
    traces, released = sweeps(made, 0), made.released("baseline")
    first = traces[:, 320:500]  # the first spike peaks at 32.0 ms, the second at 82.0
    size = traces[:, 310:320].mean(axis=1) - first.min(axis=1)
    # The largest sample may lie 0.05 ms from the peak (0.1 %), and the converter has steps of 1/16 pA.
    np.testing.assert_allclose(size, released[:, 0], rtol=2e-3, atol=0.07)


def test_the_test_pulse_shows_the_resistances(made: SyntheticExperiment) -> None:
    traces = sweeps(made, 2)
    before, during = traces[:, 1400:1495].mean(axis=1), traces[:, 1750:1798].mean(axis=1)
    total = -5e3 / (during - before)
    # 25 ms are 20 time constants; what is left of the EPSC after 60 ms is below 1e-4 of it; steps of 1/16 pA.
    np.testing.assert_allclose(total, np.linspace(12.0, 18.0, 8) + 150.0, rtol=2e-3)


def test_a_higher_series_resistance_makes_the_same_release_look_smaller(made: SyntheticExperiment) -> None:
    traces, released = sweeps(made, 2), made.released("post")
    size = traces[:, 310:320].mean(axis=1) - traces[:, 320:500].min(axis=1)
    gain = size / released[:, 0]
    assert gain[0] == pytest.approx(1.0, abs=0.01)
    assert np.all(np.diff(gain) < 0.0)


def test_the_presynaptic_cell_fires_in_its_own_channel(made: SyntheticExperiment) -> None:
    channel = made.files[0].recording.channels[1]
    assert (channel.unit, channel.clamp, channel.command_unit) == ("mV", "current", "pA")
    voltage = sweeps(made, 0, channel=1)
    peaks_ms = [(np.argmax(voltage[:, a:b], axis=1) + a) / 10.0 for a, b in ((200, 600), (700, 1100))]
    np.testing.assert_allclose(peaks_ms, [[32.0] * 12, [82.0] * 12], atol=0.101)  # one sample
    command = channel.command.sweep(3)
    assert np.flatnonzero(np.diff(command)).tolist() == [299, 324, 799, 824]


def test_a_trigger_without_a_spike_releases_nothing() -> None:
    cell = PresynapticTruth(failure=0.5, noise=SILENT)
    made = make_experiment(plan(presynaptic=cell), started_at=START)
    fired = np.isfinite(made.released("baseline"))
    assert 0.2 < fired.mean() < 0.8
    voltage = sweeps(made, 0, channel=1)
    np.testing.assert_array_equal(voltage[:, 300:400].max(axis=1) > 0.0, fired[:, 0])
    current = sweeps(made, 0)
    silent = current[~fired[:, 0], 320:700]
    assert np.ptp(silent) < 0.5  # nothing but the first EPSC's absence: the holding current


def test_pairings_are_delivered_as_stated(made: SyntheticExperiment) -> None:
    post, pre = sweeps(made, 1), sweeps(made, 1, channel=1)
    assert [each.clamp for each in made.files[1].recording.channels] == ["current", "current"]
    realised = []
    for row_post, row_pre in zip(post, pre, strict=True):
        peaks = [
            np.flatnonzero((row[1:-1] > 0.0) & (row[1:-1] >= row[:-2]) & (row[1:-1] > row[2:])) + 1
            for row in (row_post, row_pre)
        ]
        realised.append((peaks[0] - peaks[1]) / 10.0)
    measured = np.concatenate(realised)
    assert measured.shape == made.delta_t_ms().shape == (15,)
    np.testing.assert_allclose(measured, made.delta_t_ms(), atol=0.101)  # one sample
    assert made.delta_t_ms().mean() == pytest.approx(-7.0, abs=4.5 * 0.4 / np.sqrt(15))
    assert made.delta_t_ms().std() > 0.1


def test_phases_of_one_file_keep_their_pause() -> None:
    parts = (
        PhasePlan(phase="baseline", file="all", n_sweeps=4, tags=((55.0, "induction start"),)),
        PhasePlan(phase="post", file="all", n_sweeps=3, pause_s=100.0),
    )
    made = make_experiment(plan(parts=parts), started_at=START)
    recording = made.files[0].recording
    assert recording.sweep_start_s.tolist() == [0.0, 10.0, 20.0, 30.0, 140.0, 150.0, 160.0]
    assert [(tag.time_s, tag.comment, tag.sweep) for tag in recording.tags] == [(55.0, "induction start", 3)]


@pytest.mark.parametrize(("reversal", "sign"), [(-85.0, 1.0), (0.0, -1.0)])
def test_the_reversal_potential_gives_the_sign(reversal: float, sign: float) -> None:
    sites = ReleaseSites(n=10, p=1.0, q=8.0)
    made = make_experiment(
        plan(inputs=(SynapseTruth(sites=sites, reversal_mv=reversal),), response="IPSC"), started_at=START
    )
    mean = sweeps(made, 0).mean(axis=0)
    assert np.sign(mean[330:400].mean() - mean[250:300].mean()) == sign


def test_a_run_down_response_loses_what_is_stated() -> None:
    sites = ReleaseSites(n=10, p=1.0, q=8.0, cv_i=0.0, cv_ii=0.0)
    parts = (PhasePlan(phase="baseline", file="a", n_sweeps=61, rundown_percent_per_10min=40.0),)
    made = make_experiment(plan(inputs=(SynapseTruth(sites=sites),), parts=parts), started_at=START)
    released = made.released("baseline")[:, 0]
    assert released[[0, 30, 60]].tolist() == pytest.approx([80.0, 64.0, 48.0])


def test_the_same_seed_gives_the_same_samples_and_another_seed_others() -> None:
    one, same, other = (make_experiment(replace(plan(), seed=seed), started_at=START) for seed in (5, 5, 6))
    np.testing.assert_array_equal(sweeps(one, 0), sweeps(same, 0))
    assert not np.array_equal(sweeps(one, 0), sweeps(other, 0))


def test_true_change_is_that_of_npq() -> None:
    before, after = 10 * 0.5 * 8.0, 10 * 0.5 * 4.0
    change, ppr_before, ppr_after = true_change(plan())
    depleted = 1.0 - 0.5 * np.exp(-0.05 / 0.4)
    assert change == pytest.approx(after / before)
    assert (ppr_before, ppr_after) == pytest.approx((depleted, depleted))


def test_commands_become_epochs_and_digital_lines() -> None:
    steps = (Step(start=300, stop=305, level=-70.0, digital=1), Step(start=1500, stop=1800, level=-75.0))
    command = Command(holding=-70.0, unit="mV", steps=steps)
    epochs = command.epochs(2000)
    assert [(each.n_samples, each.level, each.digital) for each in epochs] == [
        (300 - 31, -70.0, 0),
        (5, -70.0, 2),
        (1195, -70.0, 0),
        (300, -75.0, 0),
    ]
    with pytest.raises(SettingsError, match="epoch table"):
        Command(holding=0.0, unit="pA", steps=(Step(start=3, stop=9, level=1.0),)).epochs(2000)


def test_a_file_holds_a_series_once_unless_it_is_nwb() -> None:
    steps = StepProtocol(unit="pA", n_sweeps=4, first=-40.0, delta=20.0, duration_ms=700.0)
    parts = (SeriesPlan(phase="baseline", file="all", protocol=steps, n_series=3, tags=((1.0, "a tag"),)),)
    told = {"name": "again", "response": "excitability", "cell": SpikingCell(), "expected": Expected(sign="not asked")}
    with pytest.raises(SettingsError, match="file of its own"):
        make_cell_experiment(CellPlan(format="abf", parts=parts, **told), started_at=START)
    (file,) = make_cell_experiment(CellPlan(format="nwb", parts=parts, **told), started_at=START).files
    channel = file.recording.channels[0]
    levels = [float(channel.command.sweep(i)[3000]) for i in range(12)]
    assert levels == [-40.0, -20.0, 0.0, 20.0] * 3
    assert file.recording.sweep_start_s.tolist() == [3.0 * i for i in range(12)]
    assert [(tag.time_s, tag.comment) for tag in file.recording.tags] == [(1.0, "a tag")]
    assert file.phases() == [("baseline", "")]


def test_plans_of_cells_that_do_not_fit_are_refused() -> None:
    steps = StepProtocol(unit="mV", n_sweeps=4, first=-90.0, delta=10.0)
    parts = (SeriesPlan(phase="baseline", file="a", protocol=steps),)
    told = {"name": "odd", "format": "abf", "expected": Expected(sign="not asked")}
    with pytest.raises(SettingsError, match="do not fit"):
        CellPlan(response="excitability", cell=SpikingCell(), parts=parts, **told)
    with pytest.raises(SettingsError, match="do not fit"):
        CellPlan(response="reversal", cell=SpikingCell(), parts=parts, **told)
    with pytest.raises(SettingsError, match="cannot be synthesised"):
        CellPlan(response="EPSC", cell=InhibitedCell(), parts=parts, **told)
    with pytest.raises(SettingsError, match="no sweeps"):
        CellPlan(response="reversal", cell=InhibitedCell(), parts=(), **told)


def test_every_sample_plan_has_a_right_answer() -> None:
    plans = sample_plans()
    assert len({each.name for each in plans}) == len(plans) >= 6
    assert {each.format for each in plans} == {"abf", "nwb"}
    assert {each.response for each in plans} >= {"EPSC", "IPSC", "EPSP"}
    for each in plans:
        assert (each.expected.sign == "refused") == bool(each.expected.refusal)
        assert (each.expected.locus != "not asked") == (each.expected.sign in ("LTP", "LTD"))


def test_impossible_plans_are_refused() -> None:
    with pytest.raises(SettingsError, match="cannot be synthesised"):
        plan(response="fEPSP")
    with pytest.raises(SettingsError, match="no input"):
        plan(inputs=())
    with pytest.raises(SettingsError, match="several inputs"):
        plan(inputs=plan().inputs * 2)
    with pytest.raises(SettingsError, match="presynaptic electrode"):
        make_experiment(plan(presynaptic=None), started_at=START)
