"""Settings: every default can be written, read back and misspelt."""

import tomllib
from dataclasses import fields, is_dataclass, replace

import pytest

from ephysplast.errors import SettingsError
from ephysplast.study import Settings, load_settings, settings_from, to_toml


def leaves(config, prefix=()):
    for each in fields(config):
        value = getattr(config, each.name)
        if is_dataclass(value):
            yield from leaves(value, (*prefix, each.name))
        else:
            yield (*prefix, each.name), value


def nested(path, value):
    for name in reversed(path):
        value = {name: value}
    return value


def test_defaults_survive_toml(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text(to_toml(Settings()), encoding="utf-8")
    assert load_settings(path) == Settings()
    changed = replace(Settings(), seed=7)
    path.write_bytes(b"\xef\xbb\xbf" + to_toml(changed).encode())  # as Windows Notepad saves it
    assert load_settings(path) == changed


def test_the_settings_of_the_locus_have_their_sections():
    written = to_toml(Settings())
    for section in ("classify.locus", "classify.locus.posterior", "classify.locus.posterior.priors"):
        assert f"[{section}]" in written
    assert "[classify.locus.indices]" in written
    chosen = settings_from({"classify": {"locus": {"posterior": {"threshold": 0.95, "priors": {"mass_pq": 0.2}}}}})
    posterior = chosen.classify.locus.posterior
    assert (posterior.threshold, posterior.priors.mass_pq, posterior.priors.mass_p) == (0.95, 0.2, 0.2375)
    assert settings_from(tomllib.loads(to_toml(chosen))) == chosen


def test_the_settings_of_the_sample_data_are_the_defaults(sample_data):
    assert load_settings(sample_data / "settings.toml") == Settings()


@pytest.mark.parametrize("path", [path for path, _ in leaves(Settings())], ids=".".join)
def test_every_setting_names_its_near_one_when_misspelt(path):
    wrong = (*path[:-1], path[-1] + "x")
    with pytest.raises(SettingsError, match=f"no setting '{wrong[-1]}'.*'{path[-1]}'"):
        settings_from(nested(wrong, 1))


@pytest.mark.parametrize("path", [path for path, value in leaves(Settings()) if isinstance(value, float)], ids=".".join)
def test_every_number_refuses_words(path):
    with pytest.raises(SettingsError, match=path[-1]):
        settings_from(nested(path, "five"))


def test_a_section_is_not_a_number_and_a_file_must_be_toml(tmp_path):
    with pytest.raises(SettingsError, match="is a section"):
        settings_from({"responses": 5})
    path = tmp_path / "s.toml"
    path.write_text("[responses]\nbaseline_ms = 5,0\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="decimal point"):
        load_settings(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "absent.toml")
