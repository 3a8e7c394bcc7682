"""The sample data analysed once, by the command that a user gives; what is found there is looked at from all sides."""

import subprocess
import sys
from pathlib import Path

import pytest


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ephysplast.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=False)


@pytest.fixture(scope="session")
def analysed(
    sample_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[subprocess.CompletedProcess[str], Path]:
    """Return how the command ended, and its output folder, in which nothing may be changed.

    One process: that two workers find the same is a test of its own.
    """
    out = tmp_path_factory.mktemp("analysed")
    return run("analyse", sample_data / "manifest.csv", "-o", out, "--jobs", 1), out
