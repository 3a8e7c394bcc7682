"""Amplitudes that another program measured: a table of sweeps read, checked and judged."""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from math import nan
from pathlib import Path
from typing import Final

import numpy as np

from ephysplast._words import minus
from ephysplast.classify import Circumstances, ClassifyConfig, gate, judge
from ephysplast.errors import OK, EphysplastError, near_names
from ephysplast.experiment import BASELINE, POST, ResponseKind, SweepTable
from ephysplast.fitting._tables import Table, as_word, is_missing, read_table
from ephysplast.statistics import slope_interval
from ephysplast.study._amplitude_checks import NO_UNIT, check_signs, noise_readings
from ephysplast.study._amplitude_columns import RESPONSES, Found, find_columns, is_extremum, response_named
from ephysplast.study._amplitude_rows import Sweeps, Told, gather_sweeps
from ephysplast.study._amplitude_sizes import (
    MinimalSweeps,
    minimal_sweeps,
    told_size,
    with_quantal_size,
    without_minimal,
)
from ephysplast.verdict import Check, QualityCheck, Verdict

__all__ = ["AmplitudeTable", "judge_amplitudes", "read_amplitudes", "with_quantal_size"]

_CURRENTS: Final = ("EPSC", "IPSC")
_DRIFT_PERCENT: Final = 10.0
_WINDOW: Final = re.compile(r"all \S+ min of post \(shorter than the window of \S+ min\)|the last \S+ min")
_AT: Final = re.compile(r" at -?\d+ min(?=;)")
_TRUTHS: Final = {"yes": True, "true": True, "1": True, "y": True, "no": False, "false": False, "0": False, "n": False}


@dataclass(frozen=True, eq=False, kw_only=True)
class AmplitudeTable:
    """The sweeps of one cell, and how the table was understood.

    Attributes
    ----------
    name : str
        Of the cell; the file's name without ending where no column tells cells apart.
    table : SweepTable
        Amplitudes along the direction of the baseline's mean response.
    about : Circumstances
        What kind of response it is.
    control : SweepTable or None
        The control pathway, where a study's own table has one.
    timed : bool
        False when the table has no times: ``time_s`` then only orders the sweeps, and is not to be shown.
    sentences : tuple of str
        What was taken as what.
    told_size : float
        Quantal size that the table states, in the unit of the amplitudes; NaN where it does not.
    minimal : MinimalSweeps or None
        Sweeps of minimal stimulation, which are not judged: they say how large a quantum is.
    """

    name: str
    table: SweepTable
    about: Circumstances
    control: SweepTable | None = None
    timed: bool = True
    sentences: tuple[str, ...] = ()
    told_size: float = nan
    minimal: MinimalSweeps | None = None


def read_amplitudes(
    path: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    unit: str = "",
    time_unit: str = "",
    noise_sd: float | None = None,
    response: str = "",
    opsin: bool = False,
    baseline: str = "",
    post: str = "",
    on_error: Callable[[str, EphysplastError], None] | None = None,
) -> tuple[AmplitudeTable, ...]:
    r"""Read amplitudes per sweep as a measuring program exports them, CSV or XLSX, of one cell or of several.

    Parameters
    ----------
    path : path-like
        One row per sweep and pulse (columns sweep, pulse, amplitude), or one row per sweep with a column per pulse
        (amplitude1, amplitude2); besides phase (baseline, post), and where known time, noise, cell, response, opsin,
        exclude, unit, quantal_size; sweeps of the phase minimal say how large a quantum is. A study's own
        ``sweeps.csv`` is read too, with the response from ``experiments.csv`` beside it.
    columns : mapping of str to str, optional
        What → column, for what is not found by its name: ``amplitude``, ``amplitude1``, ``noise``, ``phase`` …
    unit, time_unit : str
        Of the amplitudes and times, where the table does not say: ``"pA"``, ``"nA"``, ``"mV"`` …; ``"s"``, ``"min"`` …
    noise_sd : float, optional
        Standard deviation of the noise of an amplitude, in the unit that the table has; wins over its columns.
    response : str
        ``"EPSC"``, ``"IPSC"``, ``"EPSP"``, ``"IPSP"``, ``"fEPSP"``; without it EPSC, or EPSP where the unit is mV.
    opsin : bool
        Light evoked the responses: a second pulse then says nothing about release.
    baseline, post : str
        The table's own words for the phases; rows with other words are then left out.
    on_error : callable, optional
        Called with the name of a cell that cannot be read and its error, and the others are read; without it the
        first such error is raised.

    Returns
    -------
    tuple of AmplitudeTable
        One per cell, in the order of the table. Missing amplitudes are NaN.

    Raises
    ------
    EphysplastError
        If the file cannot be read, columns or units cannot be told, a cell of the table is no number, a response is
        there twice, a phase is absent, or amplitudes are of mixed sign: it names column and row. The sign of an
        amplitude is never dropped.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> rows = [f"{i}; {10 * i}; {'before' if i <= 2 else 'after'}; -{50 + i},5" for i in range(1, 5)]
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "cell_7.csv"
    ...     _ = path.write_text("\n".join(["sweep; time_s; phase; amplitude (pA)", *rows]), encoding="utf-8")
    ...     (found,) = read_amplitudes(path)
    >>> found.name, found.table.unit, found.table.amplitude[:, 0].tolist()
    ('cell_7', 'pA', [51.5, 52.5, 53.5, 54.5])
    >>> found.sentences[1]
    "'before' is taken for baseline"
    """
    held = read_table(path)
    found = find_columns(held, columns or {})
    told = Told(unit=unit, time_unit=time_unit, baseline=baseline, post=post)
    responses = _responses_beside(Path(path)) if found.is_study else {}
    made: list[AmplitudeTable] = []
    first: EphysplastError | None = None
    for name, parts in _cells(held, found, Path(path).stem).items():
        try:
            kind = _response(parts[0], found, response or responses.get(name, ""))
            light = opsin or _opsin(parts[0], found)
            made.append(_one(name, parts, found, told, noise_sd, (kind, light)))
        except EphysplastError as error:
            if on_error is None:
                raise
            first = first or error
            on_error(name, error)
    if first is not None and not made:
        raise first
    return tuple(made)


def judge_amplitudes(
    made: AmplitudeTable,
    *,
    rng: np.random.Generator,
    config: ClassifyConfig | None = None,
    refuse_drift: bool = False,
) -> Verdict:
    """Say what changed and where, as :func:`~ephysplast.classify.classify` does.

    Parameters
    ----------
    made : AmplitudeTable
        From :func:`read_amplitudes`.
    rng : numpy.random.Generator
        The same seed gives the same verdict.
    config : ClassifyConfig, optional
        Settings; its ``stability.refuse`` is not looked at.
    refuse_drift : bool
        Refuse a cell whose baseline drifts. By default it is only warned of: who exported a table has looked at the
        recording, and the posterior takes a drift of each phase into account.

    Returns
    -------
    Verdict
        Refused, or with an undetermined locus, with the reason; R_s and what else is not in the table is *not
        testable*. Without times the whole post phase is compared with the baseline, and no slope per time is given.
    """
    settings = config or ClassifyConfig()
    settings = replace(settings, stability=replace(settings.stability, refuse=refuse_drift))
    gated = gate(made.table, control=made.control, config=settings)
    if not made.timed:
        drift = _drift(gated.table, refuse=refuse_drift)
        checks = tuple(drift if each.name == drift.name else each for each in gated.checks)
        gated = replace(gated, checks=checks)
    made = with_quantal_size(made, rng=rng, config=settings.locus.minis)
    verdict = judge(gated, rng=rng, config=settings, about=made.about)
    return verdict if made.timed else _without_times(verdict)


def _cells(held: Table, found: Found, name: str) -> dict[str, tuple[Table, ...]]:
    """Return the rows of each cell, the control pathway's after the test pathway's."""
    names = _words(held, found, "experiment") or [name] * len(held.row)
    pathways = _words(held, found, "pathway") or [""] * len(held.row)
    rows: dict[str, dict[str, list[int]]] = {}
    for i, (each, pathway) in enumerate(zip(names, pathways, strict=True)):
        rows.setdefault(each or name, {}).setdefault(pathway, []).append(i)
    cells: dict[str, tuple[Table, ...]] = {}
    for each, parts in rows.items():
        tables = {pathway: held.chosen(indices) for pathway, indices in parts.items()}
        control = next((pathway for pathway in tables if pathway.lower() == "control"), None)
        if len(tables) == 2 and control is not None:
            cells[each] = tuple(tables[pathway] for pathway in sorted(tables, key=lambda name: name == control))
        else:
            cells |= {each if len(tables) == 1 else f"{each}, {pathway}": (rows,) for pathway, rows in tables.items()}
    return cells


def _words(held: Table, found: Found, role: str) -> list[str]:
    return [as_word(cell) for cell in held.columns[found.roles[role]]] if role in found.roles else []


def _one(
    name: str,
    parts: tuple[Table, ...],
    found: Found,
    told: Told,
    noise_sd: float | None,
    about: tuple[ResponseKind | None, bool],
) -> AmplitudeTable:
    """Read one cell: its sweeps, which way its responses go, and what kind of response they are."""
    rows, apart = without_minimal(parts[0], found, told)
    sweeps = gather_sweeps(rows, found, told)
    kind, said = _kind(about[0], sweeps.unit)
    table, notes = _table(sweeps, found, noise_sd, parts[0].source)
    control = None
    if len(parts) > 1:
        control, _ = _table(
            gather_sweeps(without_minimal(parts[1], found, told)[0], found, told), found, noise_sd, parts[1].source
        )
        notes = (*notes, "the pathway named control is divided out of the sign")
    minimal = None
    if apart is not None:
        direction = _direction(sweeps)[0]
        minimal = minimal_sweeps(apart, found, told, noise_sd=noise_sd, judged=sweeps, direction=direction)
        notes = (*notes, f"{minimal.amplitude.size} sweeps of minimal stimulation say how large a quantum is")
    unused = [each for each in parts[0].columns if each not in found.used]
    return AmplitudeTable(
        name=name,
        table=table,
        about=Circumstances(response=kind, opsin=about[1]),
        control=control,
        timed=sweeps.timed,
        sentences=(
            f"read: {found.in_words}" + (f"; not used: {', '.join(unused)}" if unused else ""),
            *sweeps.notes,
            *said,
            *notes,
        ),
        told_size=told_size(rows, found, told.unit),
        minimal=minimal,
    )


def _response(rows: Table, found: Found, told: str) -> ResponseKind | None:
    """Return the kind of response that the caller, a column, or the names of the amplitudes state."""
    words = {word: i for i, word in reversed(list(enumerate(_words(rows, found, "response")))) if not is_missing(word)}
    if told:
        words = {told: -1}
    for word, i in words.items():
        if word.lower() not in RESPONSES:
            where = f" in row {rows.row[i]} of '{found.roles['response']}'" if i >= 0 else ""
            raise EphysplastError(
                "the kind of response is not known",
                got=f"'{word}'{where}",
                wanted=", ".join(RESPONSES.values()),
                remedy=near_names(word, RESPONSES.values()),
            )
    if len({word.lower() for word in words}) > 1:
        raise EphysplastError("a cell has two kinds of response", got=", ".join(words), wanted="one in a cell")
    return RESPONSES[next(iter(words)).lower()] if words else response_named(found.amplitudes)


def _opsin(rows: Table, found: Found) -> bool:
    words = [word.lower() for word in _words(rows, found, "opsin") if not is_missing(word)]
    for word in words:
        if word not in _TRUTHS:
            raise EphysplastError(f"'{found.roles['opsin']}' is neither yes nor no", got=f"'{word}'")
    return any(_TRUTHS[word] for word in words)


def _responses_beside(path: Path) -> dict[str, str]:
    """Return the responses that the study's own table of experiments names."""
    with suppress(EphysplastError):
        beside = read_table(path.with_name("experiments.csv")).columns
        pairs = zip(beside.get("experiment", ()), beside.get("response", ()), strict=False)
        return {as_word(name): as_word(kind) for name, kind in pairs if not is_missing(kind)}
    return {}


def _kind(stated: ResponseKind | None, unit: str) -> tuple[ResponseKind, tuple[str, ...]]:
    """Return the kind of response, and what was assumed."""
    if stated is None:
        kind: ResponseKind = "EPSP" if unit == "mV" else "EPSC"
        return kind, (f"the kind of response is not said: {kind} is taken",)
    if (stated in _CURRENTS and unit.startswith("mV")) or (stated not in _CURRENTS and unit == "pA"):
        raise EphysplastError(
            f"the unit does not fit an {stated}",
            got=unit,
            wanted="pA or nA for currents, mV for potentials",
            remedy="correct the unit or the response",
        )
    return stated, ()


def _table(sweeps: Sweeps, found: Found, noise_sd: float | None, source: str) -> tuple[SweepTable, tuple[str, ...]]:
    """Turn the responses along their own direction, and give every sweep its noise."""
    used = np.array([each == OK for each in sweeps.excluded]) & np.isfinite(sweeps.amplitude[:, 0])
    direction, mean = _direction(sweeps)
    noise, said = noise_readings(sweeps, found, noise_sd)
    amplitude = direction * sweeps.amplitude
    others = check_signs(sweeps, amplitude, used, noise, found)
    table = SweepTable(
        unit=sweeps.unit or NO_UNIT,
        phase=sweeps.phase,
        time_s=sweeps.time_s,
        amplitude=amplitude,
        noise=direction * noise,
        interval_s=sweeps.interval_s,
        rs_mohm=sweeps.rs_mohm,
        rin_mohm=sweeps.rin_mohm,
        holding=sweeps.holding,
        excluded=sweeps.excluded,
        file=tuple(each or source for each in sweeps.file),
        sweep=sweeps.sweep,
    )
    return table, (*_table_in_words(table, mean, found), *said, *others)


def _direction(sweeps: Sweeps) -> tuple[float, float]:
    """Return which way the baseline's responses go, −1 or 1, and their mean."""
    used = np.array([each == OK for each in sweeps.excluded]) & np.isfinite(sweeps.amplitude[:, 0])
    before = sweeps.amplitude[used & (sweeps.phase == BASELINE), 0]
    mean = float(before.mean()) if before.size else 0.0
    return (-1.0 if mean < 0.0 else 1.0), mean


def _table_in_words(table: SweepTable, mean: float, found: Found) -> tuple[str, ...]:
    counts = " and ".join(f"{int((table.phase == phase).sum())} {phase}" for phase in (BASELINE, POST))
    pulses = f", {table.n_pulses} pulses" if table.n_pulses > 1 else ""
    sign = "negative" if mean < 0.0 else "positive"
    said = f"responses are {sign} (baseline {mean:.4g} {table.unit}): magnitudes are along that direction"
    notes = [f"{counts} sweeps{pulses}", minus(said)]
    if table.unit == NO_UNIT:
        notes.append("the table does not say the unit of the amplitudes")
    if any(is_extremum(name) for name in found.amplitudes):
        notes.append(
            "a peak that is looked for in every sweep anew is too large by about the noise: better export the mean of "
            "a short window at one latency"
        )
    return tuple(notes)


def _drift(table: SweepTable, *, refuse: bool) -> QualityCheck:
    """Say by how much the baseline changed from its first sweep to its last, where no time is known."""
    values = table.amplitude[table.of_phase(BASELINE), 0]
    slope, (low, high) = slope_interval(np.arange(values.size, dtype=np.float64), values)
    unknown = "the table has no times, so a slope per time is not known"
    if not np.isfinite(slope) or not values.mean() > 0.0:
        return QualityCheck(name="baseline", outcome="not testable", sentence=unknown)
    percent = [100.0 * each * (values.size - 1) / float(values.mean()) for each in (slope, low, high)]
    change = "{:+.0f} % [{:.0f}, {:.0f}]".format(*percent)
    said = f"over its {values.size} sweeps the baseline changed by {change}"
    drifts = abs(percent[0]) > _DRIFT_PERCENT and (percent[1] > 0.0 or percent[2] < 0.0)
    outcome: Check = "fail" if drifts and refuse else "warn" if drifts else "not testable"
    return QualityCheck(name="baseline", outcome=outcome, sentence=minus(f"{said}; {unknown}"))


def _without_times(verdict: Verdict) -> Verdict:
    """Take the minutes out of the sentences: the sweeps were only put in order."""

    def plain(text: str) -> str:
        return _AT.sub("", _WINDOW.sub("all post sweeps", text))

    return replace(
        verdict,
        status=plain(verdict.status),
        sign_sentence=plain(verdict.sign_sentence),
        quality=tuple(replace(each, sentence=plain(each.sentence)) for each in verdict.quality),
    )
