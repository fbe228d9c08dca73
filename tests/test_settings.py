"""Settings: defaults, then the file, then the environment; what is wrong is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from rag import settings, wiring
from rag.errors import SettingsError


@pytest.fixture(autouse=True)
def _own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "weice.toml").write_text("port = 8001\npassages = 5\n", encoding="utf-8")
    monkeypatch.setenv("WEICE_CONFIG", str(tmp_path / "weice.toml"))


def test_the_environment_goes_before_the_file_and_the_file_before_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEICE_PORT", "8002")
    loaded = settings.load()
    assert (loaded.port, loaded.passages, loaded.host) == (8002, 5, "127.0.0.1")


def test_relative_paths_start_at_the_project() -> None:
    assert settings.load().library[0] == settings.ROOT / "seeds"


@pytest.mark.parametrize("name", ["WEICE_LLM_API_KEY", "WEICE_JUDGE_API_KEY"])
def test_the_key_of_an_endpoint_is_never_printed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "sk-secret")
    assert "sk-secret" not in repr(settings.load())
    assert "sk-secret" not in settings.load().model_dump_json()


@pytest.mark.parametrize(
    ("text", "named"),
    [("prot = 1\n", "prot"), ('port = "x"\n', "port"), ("port = \n", "设置读不出来"), ('llm = "gpt"\n', "llm")],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "weice.toml").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=named):
        settings.load()


def test_a_settings_file_that_is_named_but_missing_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEICE_CONFIG", str(tmp_path / "no.toml"))
    with pytest.raises(SettingsError, match="找不到设置文件"):
        settings.load()


def test_what_shapes_answers_are_settings_that_there_are() -> None:
    assert settings.Settings.model_fields.keys() >= wiring._SHAPING
