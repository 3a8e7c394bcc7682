"""A study: manifest and settings in; a verdict per experiment, tables and figures out."""

from pathlib import Path
from typing import TYPE_CHECKING

from ephysplast.errors import EphysplastError
from ephysplast.study.batch import Outcome, slug
from ephysplast.study.draft import Draft, draft_manifest
from ephysplast.study.manifest import load_manifest, write_manifest
from ephysplast.study.measure import analyse_experiment
from ephysplast.study.measured import ExperimentResult
from ephysplast.study.run import FIGURES, run_study
from ephysplast.study.settings import Settings, load_settings, settings_from, to_toml
from ephysplast.study.store import FILE, TABLES, Store
from ephysplast.study.tables import tables_of

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "FIGURES",
    "TABLES",
    "Draft",
    "ExperimentResult",
    "Outcome",
    "Settings",
    "analyse_experiment",
    "draft_manifest",
    "load_manifest",
    "load_settings",
    "run_study",
    "settings_from",
    "slug",
    "study_table",
    "tables_of",
    "to_toml",
    "write_manifest",
]


def study_table(folder: str | Path, table: str) -> "pd.DataFrame":
    """Return one table of a study that was run, from its database.

    Parameters
    ----------
    folder : path-like
        The output folder of ``ephysplast analyse``.
    table : str
        One of :data:`TABLES`: ``"experiments"``, ``"evidence"``, ``"quality"``, ``"induction"``, ``"files"``,
        ``"errors"``; of synapses ``"time_course"``, ``"sweeps"``, ``"responses"``, ``"release"`` (n, p and q before and
        after under each locus); of the cell itself ``"cells"`` (one row per phase and quantity), ``"steps"``,
        ``"spikes"``, ``"readings"``.
    """
    path = Path(folder) / FILE
    if not path.is_file():
        raise EphysplastError(
            f"{folder} holds no study", wanted=f"a folder with {FILE}", remedy="run ephysplast analyse first"
        )
    with Store(path) as store:
        return store.frame(table)
