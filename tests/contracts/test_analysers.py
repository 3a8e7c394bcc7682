"""What every analyser keeps to: frozen, picklable, documented, unit-named; no room leaks heavy imports."""

import doctest
import inspect
import pickle
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest

from ephysplast.analysers import ANALYSERS
from ephysplast.result import Result
from ephysplast.units import SUFFIXES

EACH = pytest.mark.parametrize("analyser", ANALYSERS, ids=lambda each: each.name)
CONFIGURED = pytest.mark.parametrize(
    "analyser", [each for each in ANALYSERS if each.config], ids=lambda each: each.name
)


@CONFIGURED
def test_the_configuration_is_frozen_keyword_only_and_simple(analyser):
    _, _, config = analyser.load()
    made = config()
    assert made == config()
    assert pickle.loads(pickle.dumps(made)) == made  # noqa: S301 - our own bytes
    for each in fields(config):
        assert each.kw_only
        assert isinstance(getattr(made, each.name), (int, float, str, bool))
    with pytest.raises(FrozenInstanceError):
        setattr(made, fields(config)[0].name, None)
    with pytest.raises(TypeError):
        config(nonsense=1)


@CONFIGURED
def test_every_setting_is_documented(analyser):
    _, _, config = analyser.load()
    for each in fields(config):
        assert each.name in (config.__doc__ or ""), f"{config.__name__}.{each.name} is not documented"


@EACH
def test_times_and_resistances_carry_their_unit(analyser):
    _, result, config = analyser.load()
    for kind in filter(None, (result, config)):
        for each in fields(kind):
            stem = each.name.lower()
            for quantity in (
                "latency",
                "duration",
                "delay",
                "window",
                "tau",
                "rise",
                "jitter",
                "frequency",
                "resistance",
            ):
                if stem.startswith(quantity) or f"_{quantity}" in stem:
                    assert any(stem.endswith(f"_{suffix}") for suffix in SUFFIXES) or each.type in (
                        str,
                        "str",
                        bool,
                        "bool",
                    ), f"{kind.__name__}.{each.name} does not say its unit"


@EACH
def test_the_result_is_frozen_and_tidy(analyser):
    _, result, _ = analyser.load()
    assert is_dataclass(result)
    assert issubclass(result, Result)
    assert result.__dataclass_params__.frozen
    assert not result.__dataclass_params__.eq  # arrays have no single truth value
    assert "status" in {each.name for each in fields(result)}
    assert result.to_frame is not Result.to_frame


@EACH
def test_the_function_is_documented_with_shapes_failure_and_an_example(analyser):
    measure, _, _ = analyser.load()
    text = inspect.getdoc(measure) or ""
    for heading in ("Parameters", "Returns"):
        assert heading in text
    assert doctest.DocTestParser().get_examples(text), f"{analyser.measure} has no doctest"


@EACH
def test_options_are_keyword_only(analyser):
    measure, _, _ = analyser.load()
    parameters = list(inspect.signature(measure).parameters.values())
    positional = [each for each in parameters if each.kind is not inspect.Parameter.KEYWORD_ONLY]
    assert len(positional) <= 2
