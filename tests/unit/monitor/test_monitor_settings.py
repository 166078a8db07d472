"""Settings: remembered from one run to the next, and never a reason to stop."""

import json
from pathlib import Path

import pytest

from sitq_monitor.settings import HISTORY, Settings, settings_file


def test_what_was_used_and_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "new" / "monitor.json"
    settings = Settings.load(path)
    settings.used("queue:mail")
    settings.keep("bad mail", "state:failed queue:mail")
    settings.like("nord")

    again = Settings.load(path)

    assert (again.history, again.kept, again.theme) == (["queue:mail"], {"bad mail": "state:failed queue:mail"}, "nord")
    assert [file.name for file in path.parent.iterdir()] == ["monitor.json"]


def test_last_used_filter_comes_first_and_once() -> None:
    settings = Settings()
    for filter in ("a", "b", "a", *map(str, range(HISTORY - 1))):
        settings.used(filter)

    assert settings.history[-1] == "a"
    assert len(settings.history) == HISTORY


def test_empty_filter_is_forgotten() -> None:
    settings = Settings(kept={"mine": "x"})

    settings.keep("mine", "")

    assert settings.kept == {}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", '{"history": 7, "filters": [], "theme": null}', "\x00"])
def test_file_that_makes_no_sense_is_taken_for_empty(tmp_path: Path, text: str) -> None:
    path = tmp_path / "monitor.json"
    path.write_text(text)

    settings = Settings.load(path)

    assert (settings.history, settings.kept, settings.theme) == ([], {}, "")


def test_what_a_file_holds_is_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "monitor.json"
    path.write_text(json.dumps({"history": ["a\x1b[2J", 7], "filters": {"\x9b": "b\u202e", "c": 1}}))

    settings = Settings.load(path)

    assert (settings.history, settings.kept) == (["a␛[2J"], {"\\x9b": "b\\u202e"})


def test_folder_that_cannot_be_written_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = Settings.load(tmp_path / "file" / "monitor.json")

    settings.used("a")

    assert settings.history == ["a"]


def test_file_is_in_the_configuration_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SITQ_MONITOR_CONFIG", raising=False)
    assert settings_file().parts[-2:] == ("sitq", "monitor.json")

    monkeypatch.setenv("SITQ_MONITOR_CONFIG", str(tmp_path))
    assert settings_file() == tmp_path / "monitor.json"
