"""Asks Brian2, in its own environment, for final weights."""

import json
import os
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).with_name("brian2_weights.py")


def ask(**request):
    """Return what the script answers, or skip where there is no Brian2."""
    python = os.environ.get("EPHYSPLAST_BRIAN2_PYTHON")
    if not python:
        pytest.skip("Brian2 is absent: set EPHYSPLAST_BRIAN2_PYTHON to a Python that has it (tests/oracles)")
    # It must not see this environment's packages.
    environment = {name: each for name, each in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    answer = subprocess.run(
        [python, str(_SCRIPT)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=600,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return json.loads(answer.stdout)
