"""The database: transactions, resuming, and a process that is killed while it writes."""

import sqlite3
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from ephysplast.errors import EphysplastError
from ephysplast.study.batch import slug
from ephysplast.study.store import FILE, Store


def frame(name, n=3):
    return pd.DataFrame({"experiment": name, "amplitude": np.arange(n) + 0.5, "excluded": "ok"})


def test_what_is_put_comes_back_and_replaces_what_was(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.put("a", "key1", {"sweeps": frame("a")}, failed=False)
        store.put("b", "key1", {"sweeps": frame("b", 2)}, failed=False)
        store.put("a", "key2", {"sweeps": frame("a", 1).assign(**{"new column": np.nan})}, failed=False)
        back = store.frame("sweeps")
        assert list(back["experiment"]) == ["b", "b", "a"]
        assert list(back["amplitude"]) == [0.5, 1.5, 0.5]
        assert (store.has("a", "key1"), store.has("a", "key2")) == (False, True)
        store.arrange(("b",))
        assert list(store.frame("sweeps")["experiment"]) == ["b", "b"]
        store.put("a", "key", {"sweeps": frame("a", 1)}, failed=False)
        store.arrange(("a", "b"))
        assert list(store.frame("sweeps")["experiment"]) == ["a", "b", "b"]
        assert store.frame("errors").empty


def test_truth_values_come_back_as_such(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.put("a", "key", {"sweeps": frame("a", 2).assign(used=[True, False])}, failed=False)
        store.put("b", "key", {"sweeps": frame("b", 1)}, failed=False)
        store.put("c", "key", {"sweeps": frame("c", 1).assign(used=True, late=False)}, failed=False)
        back = store.frame("sweeps")
    assert back["used"].tolist()[:2] == [True, False]
    assert back["used"].isna().tolist() == [False, False, True, False]
    assert back["late"].tolist()[-1] is False
    assert back.to_csv(index=False).splitlines()[1].endswith("True,")


def test_a_failed_experiment_is_tried_again(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.put("a", "key", {}, failed=True)
        assert not store.has("a", "key")


def test_a_transaction_that_fails_leaves_what_was(tmp_path):
    with Store(tmp_path / FILE) as store:
        store.put("a", "key", {"sweeps": frame("a")}, failed=False)
        with pytest.raises(sqlite3.Error):
            store.put("a", "key2", {"sweeps": frame("a").assign(amplitude=[{}, {}, {}])}, failed=False)
        assert len(store.frame("sweeps")) == 3
        assert store.has("a", "key")


def test_a_file_that_is_no_database_is_named(tmp_path):
    (tmp_path / FILE).write_text("not a database, but long enough to be looked at" * 50, encoding="utf-8")
    with pytest.raises(EphysplastError, match="not a study database"):
        Store(tmp_path / FILE)


def test_a_killed_writer_loses_no_committed_experiment(tmp_path):
    script = f"""
import pandas as pd
from pathlib import Path
from ephysplast.study.store import Store
store = Store(Path({str(tmp_path / FILE)!r}))
for i in range(10**6):
    rows = pd.DataFrame({{"experiment": [f"e{{i}}"] * 50, "x": range(50)}})
    store.put(f"e{{i}}", "k", {{"sweeps": rows}}, failed=False)
    print(i, flush=True)
"""
    child = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    for _ in range(5):
        last = int(child.stdout.readline())
    time.sleep(0.05)
    child.kill()
    reported = [int(line) for line in child.communicate()[0].split()]
    last = max([last, *reported])
    with Store(tmp_path / FILE) as store:
        counts = store.frame("sweeps")["experiment"].value_counts()
        assert set(counts) == {50}  # whole experiments only
        assert all(store.has(f"e{i}", "k") for i in range(last + 1))


def test_file_names_are_portable_and_stay_different():
    names = ["a", "A", "a/b", "a\\b", "a:b", "con", "Zelle 3", "zelle_3", "x" * 200, "x" * 201, "../../etc", "ü"]
    slugs = [slug(name) for name in names]
    assert len({each.lower() for each in slugs}) == len(names)
    assert all(set(each) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") for each in slugs)
    assert all(len(each) < 100 for each in slugs)
    assert "con" not in slugs
