"""What an error in a transaction means to who asked for it."""

import sqlite3

import pytest

from sitq.backends.sqlite.errors import meaning_of
from sitq.exceptions import SitqError


@pytest.mark.parametrize(
    "error", [ValueError("no JSON"), RecursionError("too deep"), sqlite3.OperationalError("locked")]
)
def test_meaning_of_an_error_keeps_what_it_was_made_of(error: Exception) -> None:
    meaning = meaning_of(error, "tasks.db")

    assert isinstance(meaning, SitqError)
    assert meaning.__cause__ is error


def test_error_that_is_not_of_the_store_means_itself() -> None:
    error = RuntimeError("a mistake in a verb")

    assert meaning_of(error, "tasks.db") is error
