"""One transaction costs one hop because of how aiosqlite runs `execute_fetchall`: that is pinned here."""

import re
import sqlite3
import threading
import tomllib
from collections.abc import AsyncIterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiosqlite
import pytest

from sitq.backends.sqlite import hop

PYPROJECT = Path(__file__).parents[3] / "pyproject.toml"


class Rows:
    """What stands in for a cursor."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows
        self.fetched_on: list[int] = []

    def fetchall(self) -> Any:
        self.fetched_on.append(threading.get_ident())
        return self.rows


class Recorder(sqlite3.Connection):
    """Notes what aiosqlite asks of a connection, and answers what it was given as a parameter."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked: list[tuple[str, Any, int]] = []

    def execute(self, sql: str, parameters: Any = (), /) -> Any:
        self.asked.append((sql, parameters, threading.get_ident()))
        return parameters[0]


@pytest.fixture
async def db() -> AsyncIterator[aiosqlite.Connection]:
    db = await aiosqlite.connect(":memory:", isolation_level=None, factory=Recorder)
    yield db
    await db.close()


async def test_aiosqlite_runs_execute_fetchall_in_one_call_on_its_thread(db: aiosqlite.Connection) -> None:
    sql, rows = "".join(["--", "one object"]), Rows(object())
    parameters = (rows,)
    raw: Any = db._conn

    answer = await db.execute_fetchall(sql, parameters)

    ((asked_sql, asked_parameters, thread),) = raw.asked
    assert answer is rows.rows
    assert asked_sql is sql
    assert asked_parameters is parameters
    assert rows.fetched_on == [thread]
    assert thread != threading.get_ident()


async def test_hop_runs_a_function_on_the_connections_thread_and_hands_on_its_very_answer() -> None:
    db = await hop.connect("file::memory:", ":memory:")
    answer = object()

    def look(raw: sqlite3.Connection, *arguments: Any) -> tuple[Any, ...]:
        return answer, arguments, threading.get_ident(), isinstance(raw, sqlite3.Connection)

    same, arguments, thread, is_raw = await hop.hop(db, look, 1, "two")

    await db.close()
    assert same is answer
    assert (arguments, is_raw) == ((1, "two"), True)
    assert thread != threading.get_ident()


async def test_hop_raises_what_the_function_raised() -> None:
    db = await hop.connect("file::memory:", ":memory:")
    error = ValueError("mine")

    def fail(raw: sqlite3.Connection) -> None:
        raise error

    with pytest.raises(ValueError, match="mine") as caught:
        await hop.hop(db, fail)

    await db.close()
    assert caught.value is error


async def test_statements_run_as_ever_beside_the_private_one() -> None:
    db = await hop.connect("file::memory:", ":memory:")

    rows = await hop.hop(db, lambda raw: raw.execute("select ? + 1", (1,)).fetchall())
    comment = await hop.hop(db, lambda raw: raw.execute("--" + "sitq:call").fetchall())

    await db.close()
    assert (rows, comment) == ([(2,)], [])


async def test_thread_of_a_connection_does_not_hold_up_the_exit() -> None:
    db = await hop.connect("file::memory:", ":memory:")

    daemon = await hop.hop(db, lambda raw: threading.current_thread().daemon)

    await db.close()
    assert daemon


def test_version_of_aiosqlite_is_bound_and_the_installed_one_is_inside() -> None:
    requirements = tomllib.loads(PYPROJECT.read_text())["project"]["dependencies"]
    (requirement,) = [text for text in requirements if text.startswith("aiosqlite")]

    bound = re.fullmatch(r"aiosqlite>=(\d+)\.(\d+)\.(\d+),<(\d+)\.(\d+)", requirement)

    assert bound is not None
    numbers = [int(number) for number in bound.groups()]
    installed = [int(number) for number in version("aiosqlite").split(".")[:3]]
    assert numbers[:3] <= installed < numbers[3:]
    assert numbers[3:] == [numbers[0], numbers[1] + 1]
