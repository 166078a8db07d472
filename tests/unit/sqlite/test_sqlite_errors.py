"""What an error of SQLite is called, and which ones may pass by themselves."""

import sqlite3
from pathlib import Path

import pytest

from sitq.backends.sqlite.errors import is_busy, is_store_trouble, store_error
from sitq.exceptions import BackendError, ResourceExhaustionError, StoreBusyError

PATH = "/somewhere/tasks.db"


def error(code: int, text: str = "what SQLite says") -> sqlite3.OperationalError:
    made = sqlite3.OperationalError(text)
    made.sqlite_errorcode = code
    return made


def test_code_of_a_real_error_is_understood(tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "a.db")
    with pytest.raises(sqlite3.OperationalError) as caught:
        db.execute("select * from nothing")
    db.close()

    assert not is_busy(caught.value)
    assert not is_store_trouble(caught.value)


@pytest.mark.parametrize("extended", [0, 1 << 8, 2 << 8])
@pytest.mark.parametrize("code", [sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED])
def test_locks_are_busy_in_all_their_kinds(code: int, extended: int) -> None:
    assert is_busy(error(code | extended))
    assert is_store_trouble(error(code | extended))
    assert isinstance(store_error(error(code | extended), PATH), StoreBusyError)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (sqlite3.SQLITE_FULL, ResourceExhaustionError),
        (sqlite3.SQLITE_TOOBIG, ResourceExhaustionError),
        (sqlite3.SQLITE_IOERR, StoreBusyError),
        (sqlite3.SQLITE_CORRUPT, BackendError),
        (sqlite3.SQLITE_NOTADB, BackendError),
        (sqlite3.SQLITE_READONLY, BackendError),
        (sqlite3.SQLITE_ERROR, BackendError),
    ],
)
def test_each_trouble_has_its_kind_and_is_told_in_one_line(code: int, kind: type[Exception]) -> None:
    told = store_error(error(code), PATH)

    assert type(told) is kind
    assert PATH in str(told)
    assert "\n" not in str(told)


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_READONLY])
def test_damage_does_not_pass_by_itself(code: int) -> None:
    told = store_error(error(code), PATH)

    assert isinstance(told, BackendError)
    assert not told.transient


@pytest.mark.parametrize("code", [sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISMATCH, sqlite3.SQLITE_ERROR])
def test_trouble_of_one_row_is_not_trouble_of_the_store(code: int) -> None:
    assert not is_store_trouble(error(code))


def test_error_of_another_library_is_neither() -> None:
    assert not is_busy(ValueError("no"))
    assert not is_store_trouble(ValueError("no"))
