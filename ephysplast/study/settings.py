"""Settings: every limit and window of the analysis in one TOML file, one section per analyser."""

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from math import isfinite
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
from pydantic import TypeAdapter, ValidationError

from ephysplast.analysers.connection import ConnectionConfig
from ephysplast.analysers.current_steps import CurrentStepConfig
from ephysplast.analysers.current_voltage import CurrentVoltageConfig
from ephysplast.analysers.excitability import ExcitabilityConfig
from ephysplast.analysers.induction import InductionConfig
from ephysplast.analysers.paired_pulse import PairedPulseConfig
from ephysplast.analysers.passive import TestPulseConfig
from ephysplast.analysers.responses import ResponseConfig
from ephysplast.analysers.reversal import ReversalConfig
from ephysplast.analysers.spikes import SpikeConfig
from ephysplast.analysers.stimuli import StimuliConfig
from ephysplast.analysers.variability import VariabilityConfig
from ephysplast.classify import ClassifyConfig
from ephysplast.errors import SettingsError, near_names


@dataclass(frozen=True, kw_only=True)
class Settings:
    """All settings of an analysis; the defaults are those of the sections' own classes.

    Attributes
    ----------
    seed : int
        Of every random draw (bootstraps); each experiment's own draws depend on it and on the experiment's name, so
        results do not depend on order or on the number of workers.
    stimuli, responses, test_pulse, paired_pulse, variability, connection, induction
        The sections of synaptic responses; see the classes.
    spikes, current_steps, excitability, current_voltage, reversal
        The sections of the cell itself.
    classify
        Gates and verdicts, with sections of its own.

    Examples
    --------
    >>> Settings().seed
    0
    """

    seed: int = 0
    stimuli: StimuliConfig = field(default_factory=StimuliConfig)
    responses: ResponseConfig = field(default_factory=ResponseConfig)
    test_pulse: TestPulseConfig = field(default_factory=TestPulseConfig)
    paired_pulse: PairedPulseConfig = field(default_factory=PairedPulseConfig)
    variability: VariabilityConfig = field(default_factory=VariabilityConfig)
    connection: ConnectionConfig = field(default_factory=ConnectionConfig)
    induction: InductionConfig = field(default_factory=InductionConfig)
    spikes: SpikeConfig = field(default_factory=SpikeConfig)
    current_steps: CurrentStepConfig = field(default_factory=CurrentStepConfig)
    excitability: ExcitabilityConfig = field(default_factory=ExcitabilityConfig)
    current_voltage: CurrentVoltageConfig = field(default_factory=CurrentVoltageConfig)
    reversal: ReversalConfig = field(default_factory=ReversalConfig)
    classify: ClassifyConfig = field(default_factory=ClassifyConfig)

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise SettingsError("'seed' is impossible", got=str(self.seed), wanted="0 or more")

    def rng_of(self, experiment: str) -> np.random.Generator:
        """Return the generator of all random draws of the experiment of that name."""
        return np.random.default_rng([self.seed, crc32(experiment.encode())])


def load_settings(path: str | os.PathLike[str]) -> Settings:
    """Read settings from a TOML file; what it does not name keeps its default.

    Raises
    ------
    SettingsError
        If the file cannot be read, or a section or key is unknown (near names are offered) or has an impossible value.
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"the settings {file} cannot be read", got=str(error), wanted="a TOML file in UTF-8"
        ) from error
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(
            f"{file.name} is not valid TOML",
            got=str(error),
            wanted="lines such as baseline_ms = 5.0",
            remedy="write numbers with a decimal point and texts in quotation marks",
        ) from error
    return settings_from(table, name=file.name)


def settings_from(table: Mapping[str, Any], *, name: str = "settings") -> Settings:
    """Build settings from nested mappings, with the checks of :func:`load_settings`.

    Examples
    --------
    >>> settings_from({"sed": 1})
    Traceback (most recent call last):
    ephysplast.errors.SettingsError: settings: there is no setting 'sed'. To do: did you mean 'seed'?
    """
    built: Settings = _built(table, Settings(), name)
    return built


def to_toml(settings: Settings) -> str:
    """Write settings as TOML, defaults included: the record of what an analysis was run with."""
    return "\n".join(_section("", asdict(settings))).strip() + "\n"


def _built(table: Mapping[str, Any], default: Any, where: str) -> Any:
    """Build a section, and those within it, so that whatever is wrong with a value is said with its place."""
    known = {each.name: getattr(default, each.name) for each in fields(default)}
    values = {}
    for key, value in table.items():
        if key not in known:
            raise SettingsError(f"{where}: there is no setting '{key}'", remedy=_meant(key, known))
        if isinstance(value, float) and not isfinite(value):
            raise SettingsError(
                f"{where}: '{key}' is not finite", got=str(value), wanted="a number; a very large one lifts a limit"
            )
        values[key] = value
        if is_dataclass(known[key]):
            if not isinstance(value, Mapping):
                raise SettingsError(
                    f"{where}: '{key}' is a section", got=repr(value), wanted=f"[{key}] and lines below it"
                )
            values[key] = _built(value, known[key], f"{where} [{key}]")
    try:
        return TypeAdapter(type(default)).validate_python(values)
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, each['loc']))}: got {each['input']!r}, "
            f"wanted {_lower_first(each['msg']).removeprefix('input should be ')}"
            for each in error.errors()
        )
        raise SettingsError(f"{where} has a value that is not possible: {said}") from error
    except SettingsError as error:
        raise SettingsError(
            f"{where}: {error.what}", got=error.got, wanted=error.wanted, remedy=error.remedy
        ) from error


def _meant(key: str, known: Mapping[str, Any]) -> str:
    """Offer near names, or the section that the setting belongs into."""
    sections = list(_sections_with(key, Settings()))
    return f"it belongs into {' or '.join(f'[{each}]' for each in sections)}" if sections else near_names(key, known)


def _sections_with(key: str, config: Any, place: str = "") -> Iterator[str]:
    """Find a setting, or a section, of that name anywhere; a section is its own place."""
    for each in fields(config):
        held = getattr(config, each.name)
        inner = f"{place}.{each.name}" if place else each.name
        if is_dataclass(held):
            if each.name == key:
                yield inner
            yield from _sections_with(key, held, inner)
        elif each.name == key and place:
            yield place


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def _section(prefix: str, table: Mapping[str, Any]) -> list[str]:
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping)}
    lines = ["", f"[{prefix}]"] if prefix and plain else []
    # A JSON number, truth value or string is also a TOML one; a setting that is None is not set, and stays so.
    lines += [
        f"{key} = {json.dumps(value, ensure_ascii=False)}" if value is not None else f"# {key} is not set"
        for key, value in plain.items()
    ]
    for key, value in nested.items():
        lines += _section(f"{prefix}.{key}" if prefix else key, value)
    return lines
