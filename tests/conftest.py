"""Where the tests find real recordings: `EPHYSPLAST_SHARED`, by default `../shared`; without them they skip."""

import gc
import os
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest

collect_ignore = ["oracles/brian2_weights.py"]  # runs in Brian2's own environment

PROJECT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("EPHYSPLAST_SHARED", PROJECT.parent / "shared"))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Leave modules and tests out of garbage collection: they live to the end, and going through them takes a sixth."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.collect()
        gc.freeze()
        gc.enable()


@pytest.fixture(scope="session")
def sample_data() -> Path:
    return PROJECT / "sample_data"


@pytest.fixture(scope="session")
def recordings() -> Path:
    folder = SHARED / "recordings"
    if not folder.is_dir():
        pytest.skip("real recordings are absent: set EPHYSPLAST_SHARED to the folder that holds recordings/")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20240611)
