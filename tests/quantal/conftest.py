"""The yardstick and its observer live beside the benchmarks, and are imported by the tests here."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
