"""ephysplast: from slice recordings of synaptic plasticity to a defensible verdict.

Data moves one way: ``file → Recording → measurements → Verdict → study``. Rooms load when they are first used, so
importing the package costs next to nothing.

>>> import ephysplast
>>> ephysplast.__version__.count(".")
2
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ephysplast import analysers, classify, fitting, io, plotting, report, simulator, study, synthesis
    from ephysplast.io import read

__version__ = "0.1.0"

_ROOMS = ("analysers", "classify", "fitting", "io", "plotting", "report", "simulator", "study", "synthesis")

__all__ = [
    "__version__",
    "analysers",
    "classify",
    "fitting",
    "io",
    "plotting",
    "read",
    "report",
    "simulator",
    "study",
    "synthesis",
]


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(f"ephysplast.{name}")
    if name == "read":
        return import_module("ephysplast.io").read
    raise AttributeError(f"module 'ephysplast' has no attribute '{name}'")


def __dir__() -> list[str]:
    return __all__
