"""The yardstick: the least that a task queue can do on SQLite, in plain `sqlite3` on one thread."""

import pickle
import sqlite3
import time
from pathlib import Path

_SCHEMA = """
create table job(
  id integer primary key, state integer not null default 0, priority integer not null default 0, run_at real not null,
  payload blob not null, result blob, lease real, finished_at real);
create index job_ready on job(priority desc, run_at, id) where state = 0;
create index job_running on job(lease) where state = 1;
"""
_INSERT = "insert into job(run_at, payload) values (?, ?)"
_CLAIM = """update job set state = 1, lease = ? where id in (
  select id from job where state = 0 and run_at <= ? order by priority desc, run_at, id limit ?)
  returning id, payload"""
_DONE = "update job set state = 2, result = ?, finished_at = ? where id = ?"


class RawQueue:
    """One table, one connection, synchronous=NORMAL; no functions, no leases renewed, no counts, no second thread."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = normal")
        self._db.executescript(_SCHEMA)
        self._now = time.time()

    def close(self) -> None:
        self._db.close()

    def insert_singly(self, count: int) -> float:
        """Insert rows, one to a transaction; returns rows per second."""
        begun = time.perf_counter()
        for number in range(count):
            self._db.execute(_INSERT, (self._now, _payload(number)))
        return count / (time.perf_counter() - begun)

    def insert_by_thousands(self, count: int) -> float:
        """Insert rows, a thousand to a transaction, pickling included; returns rows per second."""
        begun = time.perf_counter()
        for start in range(0, count, 1000):
            self._db.execute("begin immediate")
            rows = ((self._now, _payload(number)) for number in range(start, start + 1000))
            self._db.executemany(_INSERT, rows)
            self._db.execute("commit")
        return count / (time.perf_counter() - begun)

    def drain(self, count: int, batch: int = 32) -> float:
        """Claim and finish what was inserted, in batches, a transaction for each; returns rows per second."""
        begun = time.perf_counter()
        for _ in range(0, count, batch):
            taken = self._db.execute(_CLAIM, (self._now + 60, self._now + 1, batch)).fetchall()
            self._db.execute("begin immediate")
            self._db.executemany(_DONE, [(b"r" * 20, self._now, number) for number, _ in taken])
            self._db.execute("commit")
        return count / (time.perf_counter() - begun)


def _payload(number: int) -> bytes:
    """Pickle arguments, padded so that a row is about as long as one of sitq's."""
    return pickle.dumps((number, 2)).ljust(200, b".")
