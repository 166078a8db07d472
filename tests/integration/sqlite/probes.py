"""Looks into a SQLite store from beside: which statements a verb runs, how, and at what cost."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sitq.backends.sqlite.connection import Connection
from sitq.backends.sqlite.files import StoreFile
from sitq.backends.sqlite.writer import Transaction, Verb

_VERBS = ("select", "with", "update", "insert", "delete")


class Probe(sqlite3.Connection):
    """A plain connection to a store that notes every statement which passes through it.

    Verbs run on it as they run on the store's own connection.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._noted: list[tuple[str, Any]] | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if self._noted is not None:
            self._noted.append((sql, parameters))
        return super().execute(sql, parameters)

    def rehearse(self, verb: Verb, *requests: Any) -> Any:
        """Run requests of a verb in one transaction, undo it, and give back what was answered to the last one."""
        store = Connection(StoreFile(path_of(self)), durability="normal", lock_timeout=1.0)
        transaction = Transaction(store, self, careful=False)
        transaction.begin()
        try:
            return verb(transaction, requests)[-1]
        finally:
            transaction.rollback()

    def statements_of(self, function: Callable[..., Any], *arguments: Any) -> list[tuple[str, Any]]:
        """Call a function and give back the statements that it ran here, with their parameters."""
        self._noted = noted = []
        try:
            function(*arguments)
        finally:
            self._noted = None
        return [(sql, values) for sql, values in noted if sql.split(maxsplit=1)[0] in _VERBS]

    def plan_of(self, sql: str, parameters: Any) -> list[str]:
        return [row[3] for row in self.execute(f"explain query plan {sql}", parameters)]

    def plans_of(self, function: Callable[..., Any], *arguments: Any) -> list[str]:
        """Call a function and give back the plan of each statement that it ran, its steps in one line."""
        statements = dict(self.statements_of(function, *arguments))
        return [" | ".join(self.plan_of(sql, parameters)) for sql, parameters in statements.items()]

    def steps_of(self, function: Callable[..., Any], *arguments: Any) -> int:
        """Call a function and count the steps of SQLite's virtual machine: what it costs, whatever the clock says."""
        steps = 0

        def step() -> None:
            nonlocal steps
            steps += 1

        self.set_progress_handler(step, 1)
        try:
            function(*arguments)
        finally:
            self.set_progress_handler(None, 0)
        return steps

    def number(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Read the one value that a statement answers."""
        return self.execute(sql, parameters).fetchone()[0]


def path_of(connection: sqlite3.Connection) -> str:
    return str(connection.execute("pragma database_list").fetchone()[2])


@contextmanager
def probing(path: Path) -> Iterator[Probe]:
    connection = sqlite3.connect(path, factory=Probe, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()


class CountingLoop(asyncio.SelectorEventLoop):
    """An event loop that counts what is asked of it."""

    def __init__(self) -> None:
        super().__init__()
        self.timers = 0
        self.calls_from_threads = 0
        self.readers: set[int] = set()

    def call_at(self, when: float, callback: Any, *args: Any, context: Any = None) -> asyncio.TimerHandle:
        self.timers += 1
        return super().call_at(when, callback, *args, context=context)

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> asyncio.Handle:
        self.calls_from_threads += 1
        return super().call_soon_threadsafe(callback, *args, context=context)

    def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:
        self.readers.add(fd)
        super().add_reader(fd, callback, *args)

    def remove_reader(self, fd: Any) -> bool:
        self.readers.discard(fd)
        return super().remove_reader(fd)
