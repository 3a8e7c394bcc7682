"""The manifest: the spreadsheet that says which file is what, and the experiments it means."""

import csv
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import zip_longest
from math import isfinite
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ephysplast._sheets import read_sheet
from ephysplast.errors import ManifestError, near_names
from ephysplast.experiment import (
    BASELINE,
    INDUCTION,
    MINIMAL,
    POST,
    RESPONSE_KINDS,
    Connection,
    Experiment,
    MiniTable,
    Pathway,
    ResponseKind,
    Segment,
)
from ephysplast.recording import Clamp
from ephysplast.study.columns import response_meant
from ephysplast.study.linked import check_quantal_size, link_e_gaba, told
from ephysplast.units import ELECTRODE_UNITS


def _number(value: object) -> object:
    """Read a number as spreadsheets of any country write it: 1.5 or 1,5."""
    return value.replace(",", ".") if isinstance(value, str) else value


def _yes(value: object) -> object:
    words = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}
    return words.get(str(value).strip().lower(), value)


def _sweeps(value: object) -> object:
    """Take a dash that a spreadsheet lengthened for a hyphen, and refuse what it turned into a date."""
    text = str(value)
    if text.lower().startswith(("after:", "before:")) or text.lower() == "all":
        return text
    text = re.sub("[\u2010-\u2015\u2212]", "-", text)
    if re.fullmatch(r"[\d\s,;:\-]*", text) and not re.search(r"\d{4}-\d\d-\d\d", text):
        return text
    raise ValueError("sweeps such as 1-60, 61- or after:+drug (a spreadsheet makes dates of them: format it as text)")


def _unit(value: str) -> str:
    if value and value not in ELECTRODE_UNITS:
        raise ValueError("a unit such as mV, V, pA or nA")
    return value


def _scale(value: float) -> float:
    if not isfinite(value) or value == 0.0:
        raise ValueError("a number other than 0")
    return value


def _known(*words: str) -> BeforeValidator:
    """Let words differ from the known ones in capitals."""
    known = {word.lower(): word for word in words}
    return BeforeValidator(lambda value: known.get(str(value).strip().lower(), value))


class ManifestRow(BaseModel):
    """One row of the manifest: the sweeps of one file that belong to one phase of one experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    experiment: str = Field(min_length=1)
    phase: str = Field(min_length=1)
    file: str = Field(min_length=1)
    response: Annotated[ResponseKind, _known(*RESPONSE_KINDS)]
    sweeps: Annotated[str, BeforeValidator(_sweeps)] = ""
    channel: str = ""
    pre_channel: str = ""
    stimulus: str = "auto"
    pathway: str = "test"
    role: Annotated[Literal["test", "control"], _known("test", "control")] = "test"
    recording: Annotated[int, BeforeValidator(_number)] = Field(default=1, ge=1)
    unit: Annotated[str, AfterValidator(_unit)] = ""
    clamp: Annotated[Clamp | Literal[""], _known(*get_args(Clamp))] = ""
    scale: Annotated[float, BeforeValidator(_number), AfterValidator(_scale)] = 1.0
    exclude: Annotated[str, BeforeValidator(_sweeps)] = ""
    opsin: Annotated[bool, BeforeValidator(_yes)] = False
    pre_type: str = ""
    post_type: str = ""
    animal: str = ""
    slice: str = ""
    cell: str = ""
    age: str = ""
    sex: str = ""
    species: str = ""
    region: str = ""
    layer: str = ""
    internal: str = ""
    external: str = ""
    temperature_degc: str = ""
    junction_potential_mv: str = ""
    rs_mohm: str = ""
    compensation_percent: str = ""
    rest_mv: str = ""
    e_gaba_from: str = ""
    held_at_mv: str = ""
    minis: str = ""
    quantal_size: str = ""
    configuration: str = ""
    drug: str = ""
    experimenter: str = ""
    condition: str = ""


COLUMNS: Final = tuple(ManifestRow.model_fields)
"""All columns of a manifest, in the order in which a draft has them."""

REQUIRED: Final = ("experiment", "phase", "file", "response")

METADATA: Final = COLUMNS[COLUMNS.index("animal") :]
"""Columns that describe the experiment and are carried to the tables unread."""

_OF_THE_EXPERIMENT: Final = ("response", "opsin", "pre_type", "post_type", *METADATA)
_OF_ONE_ROW: Final = ("drug",)  # washed in during an experiment, so it may differ between its phases
_PHASE_WORDS: Final = {
    **dict.fromkeys(("base", "bl", "before", "pre"), BASELINE),
    "pairing": INDUCTION,
    "after": POST,
    **dict.fromkeys(("minimal stimulation", "minimal_stimulation", "minimalstimulation"), MINIMAL),
}


def load_manifest(path: str | os.PathLike[str]) -> tuple[Experiment, ...]:
    """Read a manifest and return the experiments it means.

    Parameters
    ----------
    path : path-like
        CSV (comma, semicolon or tab; UTF-8, UTF-16 or Windows-1252; decimal points or commas) or XLSX (first sheet).
        One row per experiment × phase × file; :data:`COLUMNS` lists the columns, :data:`REQUIRED` those that must be
        there. File names are relative to the manifest. Columns whose name begins with ``note`` are ignored.

    Returns
    -------
    tuple of Experiment
        In the order of their first rows. Files are not opened: a missing file is found when its experiment is run.

    Raises
    ------
    ManifestError
        If the file cannot be read, a column is missing or unknown, or rows have impossible values: all bad rows are
        named at once. If ``e_gaba_from`` names no experiment in which E_GABA of that cell was measured in both phases,
        or a quantal size is given twice, or of a response that has none.
    """
    manifest = Path(path)
    rows = validate_rows(read_rows(manifest), manifest.name)
    experiments = [
        _with_minis(_experiment(name, group, manifest.parent), manifest.parent)
        for name, group in _grouped(rows).items()
    ]
    return link_e_gaba(experiments)


def read_rows(manifest: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the rows of a CSV or XLSX as text, each with its row number in the spreadsheet, without empty rows."""
    if not manifest.is_file():
        what = "a folder" if manifest.is_dir() else "nothing there"
        raise ManifestError(
            f"the manifest {manifest} cannot be read",
            got=what,
            wanted="a CSV or XLSX file",
            remedy="draft one with: ephysplast init FOLDER",
        )
    table = read_sheet(manifest, error=ManifestError)
    if not table:
        raise ManifestError(f"{manifest.name} is empty", wanted=f"a first row with the columns {', '.join(REQUIRED)}")
    header = [cell.strip().lower() for cell in table[0][1]]
    _check_header(header, manifest.name)
    rows = [(number, _row_of(header, cells, f"{manifest.name}, row {number}")) for number, cells in table[1:]]
    if not rows:
        raise ManifestError(f"{manifest.name} has a header and no rows")
    return rows


def _row_of(header: Sequence[str], cells: Sequence[str], where: str) -> dict[str, str]:
    named = dict(zip(header, cells, strict=False))
    lost = [cell for name, cell in zip_longest(header, cells, fillvalue="") if cell and not name]
    if lost:  # most often a comma that split a text, which also moved the cells behind it
        raise ManifestError(
            f"{where} has a cell under no column's name",
            got=f"'{lost[0]}'",
            remedy="put a text with commas (1-10, 15) in quotation marks, or give the column a name such as note",
        )
    return {name: cell for name, cell in named.items() if cell and not name.startswith("note")}


def validate_rows(rows: Iterable[tuple[int, Mapping[str, str]]], name: str) -> list[tuple[int, ManifestRow]]:
    """Check every row; raise one ManifestError that names all that is wrong."""
    good, bad = [], []
    for number, row in rows:
        try:
            good.append((number, ManifestRow.model_validate(dict(row))))
        except ValidationError as error:
            bad += [f"row {number}, {_problem(each)}" for each in error.errors()]
    if bad:
        more = f"; and {len(bad) - 8} more" if len(bad) > 8 else ""
        raise ManifestError(f"{name} has {len(bad)} mistake{'s' * (len(bad) > 1)}: " + "; ".join(bad[:8]) + more)
    return good


def write_manifest(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write rows as CSV or XLSX, by the suffix of `path`, under a temporary name that is renamed when complete."""
    columns = [*COLUMNS, *(["note"] if any(row.get("note") for row in rows) else [])]
    table = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_table(table, temporary, as_xlsx=path.suffix.lower() == ".xlsx")
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink()
        raise ManifestError(
            f"{path} cannot be written",
            got=error.strerror or str(error),
            remedy="close it where it is open, or give another place with -o",
        ) from error


def _write_table(table: Sequence[Sequence[str]], path: Path, *, as_xlsx: bool) -> None:
    if not as_xlsx:
        with path.open("w", newline="", encoding="utf-8-sig") as file:  # the mark lets Excel see the encoding
            csv.writer(file).writerows(table)
        return
    from openpyxl import Workbook  # 0.2 s that only a spreadsheet needs

    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101 - a new workbook has a sheet; this tells the type checker
    for line in table:
        sheet.append(list(line))
    for cells in sheet.iter_rows():
        for cell in cells:
            if cell.data_type == "f":
                cell.data_type = "s"  # the name of a file or a channel may begin with = and is no formula
    book.save(path)


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column and column not in COLUMNS and not column.startswith("note")]
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if unknown:
        near = [near_names(column, COLUMNS) for column in unknown]
        said = [
            f"'{name}' ({hint})" if hint.startswith("did") else f"'{name}'"
            for name, hint in zip(unknown, near, strict=True)
        ]
        raise ManifestError(
            f"{name} has columns that are not known: {', '.join(said[:8])}" + ", …" * (len(said) > 8),
            wanted=f"{', '.join(REQUIRED)} in the first row" if missing else "",
            remedy="mend the name, or begin it with 'note' to keep a column of your own",
        )
    if missing:
        raise ManifestError(
            f"{name} lacks the column{'s' * (len(missing) > 1)} {', '.join(missing)}",
            got=", ".join(header),
            wanted=", ".join(REQUIRED),
        )
    if twice:
        raise ManifestError(f"{name} has a column twice", got=", ".join(twice), remedy="keep one of each")


def _problem(error: Any) -> str:
    column = str(error["loc"][0]) if error["loc"] else "row"
    if error["type"] == "missing":
        wanted = " (baseline, induction, post, or a name of your own; or delete the row)" if column == "phase" else ""
        return f"column {column} is empty{wanted}"
    got = f"'{error['input']}'"
    if column == "response":
        return f"column {column}: got {got}, {response_meant(str(error['input']))}"
    expected = str(error.get("ctx", {}).get("expected", "")) or re.sub(
        "^(value error, |input should be )", "", error["msg"], flags=re.IGNORECASE
    )
    return f"column {column}: got {got}, wanted {expected}"


def _grouped(rows: Iterable[tuple[int, ManifestRow]]) -> dict[str, list[tuple[int, ManifestRow]]]:
    groups: dict[str, list[tuple[int, ManifestRow]]] = {}
    for number, row in rows:
        groups.setdefault(row.experiment, []).append((number, row))
    return groups


def _experiment(name: str, rows: list[tuple[int, ManifestRow]], folder: Path) -> Experiment:
    first = rows[0][1]
    for column in _OF_THE_EXPERIMENT:
        values = {str(getattr(row, column)) for _, row in rows} - {""}
        if len(values) > 1 and column not in _OF_ONE_ROW:
            numbers = ", ".join(str(number) for number, _ in rows)
            raise ManifestError(
                f"experiment {name}: {column} differs between its rows ({numbers})",
                got=" and ".join(sorted(values)),
                wanted="one value",
                remedy="give each response an experiment name of its own" if column == "response" else "",
            )
    pathways: dict[str, list[tuple[int, ManifestRow]]] = {}
    for number, row in rows:
        pathways.setdefault(row.pathway, []).append((number, row))
    metadata = {column: _joined(getattr(row, column) for _, row in rows) for column in METADATA}
    return Experiment(
        name=name,
        response=first.response,
        connection=Connection(pre=_joined(r.pre_type for _, r in rows), post=_joined(r.post_type for _, r in rows)),
        pathways=tuple(_pathway(key, group, name, folder) for key, group in pathways.items()),
        opsin=any(row.opsin for _, row in rows),
        metadata=metadata,
    )


def _with_minis(experiment: Experiment, folder: Path) -> Experiment:
    check_quantal_size(experiment)
    named = told(experiment, "minis")
    return replace(experiment, minis=MiniTable.named(named, folder)) if named else experiment


def _joined(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(value for value in values if value))


def _pathway(key: str, rows: list[tuple[int, ManifestRow]], experiment: str, folder: Path) -> Pathway:
    roles = {row.role for _, row in rows}
    if len(roles) > 1:
        raise ManifestError(
            f"experiment {experiment}: pathway '{key}' has two roles", got=" and ".join(sorted(roles)), wanted="one"
        )
    return Pathway(name=key, role=roles.pop(), segments=tuple(_segment(number, row, folder) for number, row in rows))


def _segment(number: int, row: ManifestRow, folder: Path) -> Segment:
    phase = row.phase.lower()
    return Segment(
        path=folder / Path(row.file.replace("\\", "/")),
        phase=_PHASE_WORDS.get(phase, phase),
        sweeps=row.sweeps,
        recording=row.recording,
        channel=row.channel,
        pre_channel=row.pre_channel,
        stimulus=row.stimulus or "auto",
        unit=row.unit,
        clamp=row.clamp or None,
        scale=row.scale,
        exclude=row.exclude,
        row=number,
    )
