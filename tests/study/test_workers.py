"""Workers that are killed: what they lost is done again, and what kills them again is an error row."""

import os
import signal
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ephysplast.study.batch import Task, export, key_of, run_batch
from ephysplast.study.store import ERRORS, Store

TABLES = ("cells", ERRORS)


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
    with Store(tmp_path / "cells.sqlite", TABLES) as store:
        store.arrange(tuple(names))
        outcomes = list(run_batch(todo, Killing(tmp_path), store=store, jobs=2))
        export(store, tmp_path)
        again = list(run_batch(todo[:3], Killing(tmp_path), store=store))
    assert sorted(each.experiment for each in outcomes) == sorted(names)
    assert {each.experiment for each in outcomes if each.failed} == {"always", "always too"}
    rows = pd.read_csv(tmp_path / "cells.csv").set_index("experiment")["status"]
    assert rows.index.tolist() == names
    assert "killed twice" in rows["always"]
    assert rows.drop(["always", "always too"]).eq("ok").all()
    assert all(each.stands for each in again)


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
