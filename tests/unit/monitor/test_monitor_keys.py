"""keys: one table, in which every key does one thing and changing ones are upper case."""

from pathlib import Path

import pytest

from sitq_monitor.keys import DETAIL_KEYS, ROSTER_KEYS, SCREEN_KEYS, TABLE_KEYS, allowed, footer, groups


@pytest.mark.parametrize("focused", [TABLE_KEYS, DETAIL_KEYS, ROSTER_KEYS])
def test_no_key_has_two_meanings(focused: tuple) -> None:
    keys = [name for key in (*SCREEN_KEYS, *focused) for name in key.keys.split(",")]

    assert len(keys) == len(set(keys))


def test_keys_that_change_tasks_are_upper_case() -> None:
    acting = [key for key in SCREEN_KEYS if key.action.startswith("act")]

    assert acting
    assert all(key.mutates and key.keys.isupper() for key in acting)


def test_read_only_has_no_keys_that_change_tasks() -> None:
    assert not [key for key in allowed((*SCREEN_KEYS, *TABLE_KEYS), read_only=True) if key.mutates]


def test_help_names_every_key_once() -> None:
    named = [key for _, keys in groups(read_only=False) for key in keys]

    assert len(named) == len(SCREEN_KEYS) + len(TABLE_KEYS) + len(DETAIL_KEYS)


def test_docs_name_every_key() -> None:
    page = Path(__file__).parents[3].joinpath("docs/how-to/watch-tasks.md").read_text()
    numbers = {str(number) for number in range(2, 6)}  # written as a range

    named = {name for key in (*SCREEN_KEYS, *TABLE_KEYS) for name in key.shown.split()}

    assert [name for name in named - numbers if f"`{name}`" not in page] == []


@pytest.mark.parametrize("place", ["list", "task", "workers", "queues"])
def test_footer_names_in_eighty_columns_what_matters_most(place: str) -> None:
    fitting = [key for key in footer(place, read_only=False) if key.rank <= 6]

    assert sum(len(key.shown) + len(key.hint) + 3 for key in fitting) <= 80
    assert "?" in [key.shown for key in fitting]


def test_footer_tells_the_way_back_where_there_is_one() -> None:
    assert footer("task", read_only=True)[0].hint == "back"
    assert footer("list", read_only=True)[0].hint == "open"
