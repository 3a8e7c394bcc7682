"""Workers that are killed: what they lost is done again, and what kills them again is an error row."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ephysplast.study.batch import Kept, Task, keep_batch, key_of
from ephysplast.study.store import ERRORS

KEPT = Kept(database="cells.sqlite", tables=("cells", ERRORS), arrange=lambda _, frame: frame, errors="cells_errors")


@dataclass(frozen=True)
class Killing:
    """Work that kills its worker for some names, the first time or always."""

    folder: Path

    def measure(self, of):
        marker = self.folder / of
        first = not marker.exists()
        marker.touch()
        if of.startswith("always") or (of.startswith("once") and first):
            os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
        return {"cells": pd.DataFrame([{"experiment": of, "status": "ok"}])}, lambda: None

    def lost(self, of, message, trace=""):
        return {
            "cells": pd.DataFrame([{"experiment": of, "status": f"failed: {message}"}]),
            ERRORS: pd.DataFrame([{"experiment": of, "error": message}]),
        }


def test_nothing_is_lost_with_a_worker(tmp_path):
    names = ["a", "once", "b", "always", "c", "always too", "d"]
    todo = [Task(name=name, key="key", of=name) for name in names]
    outcomes = list(keep_batch(todo, Killing(tmp_path), out=tmp_path, kept=KEPT, jobs=2))
    again = list(keep_batch(todo, Killing(tmp_path), out=tmp_path, kept=KEPT, jobs=2))
    assert sorted(each.experiment for each in outcomes) == sorted(names)
    assert {each.experiment for each in outcomes if each.failed} == {"always", "always too"}
    rows = pd.read_csv(tmp_path / "cells.csv").set_index("experiment")["status"]
    assert rows.index.tolist() == names
    assert "killed twice" in rows["always"]
    assert rows.drop(["always", "always too"]).eq("ok").all()
    assert pd.read_csv(tmp_path / "cells_errors.csv")["experiment"].tolist() == ["always", "always too"]
    # What is kept stands; what failed is tried again.
    assert {each.experiment for each in again if not each.stands} == {"always", "always too"}


@pytest.mark.parametrize(
    "other",
    [
        (np.arange(3.0), "b", None),
        (np.arange(4.0), "a", None),
        (np.arange(3), "a", None),
        (np.arange(3.0).reshape(3, 1), "a", None),
        (np.arange(3.0), ("a", None)),
        (np.arange(3.0), "a", 0.0),
        (np.array([0.0, 1.0, np.nan]), "a", None),
    ],
)
def test_whatever_differs_has_another_key(other):
    assert key_of(np.arange(3.0), "a", None) == key_of(np.arange(3.0), "a", None)
    assert key_of(*other) != key_of(np.arange(3.0), "a", None)
