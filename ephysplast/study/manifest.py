"""The manifest: the spreadsheet that says which file is what, and the experiments it means."""

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from ephysplast.errors import ManifestError, near_names
from ephysplast.experiment import (
    BASELINE,
    INDUCTION,
    POST,
    Connection,
    Experiment,
    Pathway,
    ResponseKind,
    Segment,
)
from ephysplast.recording import Clamp


def _number(value: object) -> object:
    """Read a number as spreadsheets of any country write it: 1.5 or 1,5."""
    return value.replace(",", ".") if isinstance(value, str) else value


def _yes(value: object) -> object:
    words = {"": False, "no": False, "false": False, "0": False, "yes": True, "true": True, "1": True}
    return words.get(str(value).strip().lower(), value)


class ManifestRow(BaseModel):
    """One row of the manifest: the sweeps of one file that belong to one phase of one experiment."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    experiment: str = Field(min_length=1)
    phase: str = Field(min_length=1)
    file: str = Field(min_length=1)
    response: ResponseKind
    sweeps: str = ""
    channel: str = ""
    pre_channel: str = ""
    stimulus: str = "auto"
    pathway: str = "test"
    role: Literal["test", "control"] = "test"
    recording: Annotated[int, BeforeValidator(_number)] = Field(default=1, ge=1)
    unit: str = ""
    clamp: Clamp | Literal[""] = ""
    scale: Annotated[float, BeforeValidator(_number)] = 1.0
    exclude: str = ""
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
_PHASE_WORDS: Final = {"base": BASELINE, "bl": BASELINE, "pairing": INDUCTION, "after": POST}


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
        named at once.
    """
    manifest = Path(path)
    rows = validate_rows(read_rows(manifest), manifest.name)
    return tuple(_experiment(name, group, manifest.parent) for name, group in _grouped(rows).items())


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
    table = _xlsx(manifest) if manifest.suffix.lower() in (".xlsx", ".xlsm") else _csv(manifest)
    if not table:
        raise ManifestError(f"{manifest.name} is empty", wanted=f"a first row with the columns {', '.join(REQUIRED)}")
    header = [cell.strip().lower() for cell in table[0]]
    _check_header(header, manifest.name)
    rows = []
    for number, cells in enumerate(table[1:], start=2):
        row = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
        if row:
            rows.append((number, {name: cell for name, cell in row.items() if not name.startswith("note")}))
    if not rows:
        raise ManifestError(f"{manifest.name} has a header and no rows")
    return rows


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
        raise ManifestError(f"{name} has {len(bad)} mistakes: " + "; ".join(bad[:8]) + more)
    return good


def write_manifest(rows: Sequence[Mapping[str, object]], path: Path) -> None:
    """Write rows as CSV or XLSX, by the suffix of `path`, under a temporary name that is renamed when complete."""
    temporary = path.with_name(f".{path.name}.tmp")
    columns = [*COLUMNS, *(["note"] if any(row.get("note") for row in rows) else [])]
    table = [columns, *([str(row.get(column, "")) for column in columns] for row in rows)]
    if path.suffix.lower() == ".xlsx":
        from openpyxl import Workbook  # 0.2 s that only a spreadsheet needs

        book = Workbook()
        sheet = book.active
        assert sheet is not None  # noqa: S101 - a new workbook has a sheet; this tells the type checker
        for line in table:
            sheet.append(line)
        book.save(temporary)
    else:
        with temporary.open("w", newline="", encoding="utf-8-sig") as file:  # the mark lets Excel see the encoding
            csv.writer(file).writerows(table)
    temporary.replace(path)


def _check_header(header: list[str], name: str) -> None:
    missing = [column for column in REQUIRED if column not in header]
    unknown = [column for column in header if column and column not in COLUMNS and not column.startswith("note")]
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if unknown:
        near = "; ".join(f"'{column}': {near_names(column, COLUMNS)}" for column in unknown)
        raise ManifestError(
            f"{name} has columns that are not known: {near}",
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
        return f"column {column} is empty"
    got = f"'{error['input']}'"
    expected = str(error.get("ctx", {}).get("expected", "")) or error["msg"].lower()
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


def _csv(path: Path) -> list[list[str]]:
    raw = path.read_bytes()
    for encoding in ("utf-16",) if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8-sig", "cp1252"):
        try:
            text = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        raise ManifestError(f"{path.name} is not a text file", wanted="CSV in UTF-8, UTF-16 or Windows-1252, or XLSX")
    header = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=header.count)
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


def _xlsx(path: Path) -> list[list[str]]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        book = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, InvalidFileException, KeyError) as error:
        raise ManifestError(
            f"{path.name} is not a spreadsheet that can be read", remedy="save it again as .xlsx or .csv"
        ) from error
    try:
        sheet = book.worksheets[0]
        return [[_cell(value) for value in line] for line in sheet.iter_rows(values_only=True)]
    finally:
        book.close()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))  # spreadsheets keep 3 as 3.0
    return str(value)
