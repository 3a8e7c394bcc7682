"""Published tables of changes; the tests of this folder share `timing_tables`."""

import os
import sys
from pathlib import Path

import pytest

from ephysplast.fitting import read_observations

sys.path.insert(0, str(Path(__file__).parent))

SHARED = Path(os.environ.get("EPHYSPLAST_SHARED", Path(__file__).resolve().parents[3] / "shared"))


@pytest.fixture(scope="session")
def published() -> Path:
    path = SHARED / "published" / "measured_changes.csv"
    if not path.is_file():
        pytest.skip("published changes are absent: set EPHYSPLAST_SHARED to the folder that holds published/")
    return path


@pytest.fixture(scope="session")
def bi_poo(published):
    return read_observations(published, where={"dataset_id": "bipoo98_ker"})


@pytest.fixture(scope="session")
def woodin(published):
    return read_observations(published, where={"dataset_id": "woodin03_pdm"})
