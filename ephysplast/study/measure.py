"""One experiment: from its files to measurements, and the verdict."""

from ephysplast.analysers.induction import InductionResult, measure_induction
from ephysplast.experiment import CELL_KINDS, INDUCTION, Experiment, select_sweeps
from ephysplast.study.cell import measure_cell
from ephysplast.study.checks import check_phases
from ephysplast.study.files import Files
from ephysplast.study.measured import CellPhase, ExperimentResult, PathwayMeasurement
from ephysplast.study.settings import Settings
from ephysplast.study.synapse import measure_synapse


def analyse_experiment(experiment: Experiment, *, settings: Settings | None = None) -> ExperimentResult:
    """Measure and classify one experiment.

    Parameters
    ----------
    experiment : Experiment
        From :func:`~ephysplast.study.manifest.load_manifest`, or built by hand.
    settings : Settings, optional
        Defaults apply otherwise.

    Returns
    -------
    ExperimentResult
        A refused experiment is a result too: its verdict's ``status`` says why.

    Raises
    ------
    EphysplastError
        For what the experimenter can mend: a missing file or channel, a phase without sweeps, the wrong clamp.
    """
    chosen = settings or Settings()
    rng = chosen.rng_of(experiment.name)
    check_phases(experiment)
    files = Files.open(experiment)
    pathways: dict[str, PathwayMeasurement] = {}
    cell: dict[str, CellPhase] = {}
    if experiment.response in CELL_KINDS:
        cell, verdict = measure_cell(experiment, files, settings=chosen, rng=rng)
    else:
        pathways, verdict = measure_synapse(experiment, files, settings=chosen, rng=rng)
    return ExperimentResult(
        experiment=experiment,
        pathways=pathways,
        cell=cell,
        induction=_measure_inductions(experiment, files, chosen),
        verdict=verdict,
        files=tuple((each, files.of(each)[0]) for pathway in experiment.pathways for each in pathway.segments),
        notes=tuple(files.notes),
    )


def _measure_inductions(experiment: Experiment, files: Files, settings: Settings) -> tuple[InductionResult, ...]:
    pathway = experiment.pathway("test")
    assert pathway is not None  # noqa: S101 - checked before; this tells the type checker
    results = []
    for segment in pathway.phase(INDUCTION):
        recording, _ = files.of(segment)
        sweeps = select_sweeps(segment.sweeps, recording)
        post = recording.channel(segment.channel) if segment.channel else None
        pre = recording.channel(segment.pre_channel) if segment.pre_channel else None
        results.append(
            measure_induction(recording, pre_channel=pre, post_channel=post, sweeps=sweeps, config=settings.induction)
        )
    return tuple(results)
