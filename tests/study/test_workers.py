"""Workers that are killed: what they lost is done again, and what kills them again is an error row."""

import os
import signal
from functools import partial
from pathlib import Path

from ephysplast.experiment import Experiment
from ephysplast.study.run import Outcome, _outcomes


def kill_some(task, *, folder: Path) -> Outcome:
    experiment, key = task
    marker = folder / experiment.name
    first = not marker.exists()
    marker.touch()
    if experiment.name.startswith("always") or (experiment.name.startswith("once") and first):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    return Outcome(experiment=experiment.name, key=key)


def test_nothing_is_lost_with_a_worker(tmp_path):
    names = ["a", "once", "b", "always", "c", "always too", "d"]
    todo = [(Experiment(name=name, response="EPSC", pathways=()), "key") for name in names]
    outcomes = list(_outcomes(todo, partial(kill_some, folder=tmp_path), 2))
    assert sorted(each.experiment for each in outcomes) == sorted(names)
    assert {each.experiment for each in outcomes if each.failed} == {"always", "always too"}
    row = next(each for each in outcomes if each.experiment == "always")
    assert "killed twice" in row.message
    assert row.tables["experiments"].loc[0, "sign"] == "failed"
