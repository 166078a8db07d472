"""What running tasks tell of themselves on a SQLite store: progress, and what they write."""

import sqlite3
from collections.abc import Sequence

from sitq.backends.moments import moment_at
from sitq.backends.sqlite.writer import Transaction
from sitq.core import Report
from sitq.views import OutputChunk

_RUNNING = "select seq from task where id = ? and state = 2 and attempt = ?"
_PROGRESS = "update task set progress_done = ?, progress_total = ?, progress_message = ? where seq = ?"
_WRITE = "insert into output(task, attempt, stream, written_at, text) values (?, ?, ?, ?, ?)"
# The window runs from the newest chunk back, and what comes before the bytes to keep goes.
_TRIM = """delete from output where seq in (
  select seq from (
    select seq, sum(length(cast(text as blob))) over (order by seq desc) as bytes
    from output where task = ? and attempt = ?)
  where bytes > ?)"""


def report(transaction: Transaction, requests: Sequence[Sequence[Report]]) -> list[None]:
    transaction.begin()
    for request in requests:
        for single in request:
            _take(transaction, single)
    return [None] * len(requests)


def _take(transaction: Transaction, report: Report) -> None:
    row = transaction.execute(_RUNNING, (report.id, report.attempt)).fetchone()
    if row is None:
        return
    (seq,) = row
    if report.progress is not None:
        transaction.execute(_PROGRESS, (*report.progress, seq))
    for stream, text in report.output:
        transaction.execute(_WRITE, (seq, report.attempt, stream, transaction.now, text))
    if report.keep is not None:
        transaction.execute(_TRIM, (seq, report.attempt, report.keep))
    transaction.wakes.add(report.id)


_OUTPUT = """select output.seq, attempt, stream, written_at, text from output
  where task = (select seq from task where id = ?) and output.seq > ? order by output.seq limit ?"""


def output(raw: sqlite3.Connection, request: tuple[str, int, int]) -> list[OutputChunk]:
    return list(map(_chunk, raw.execute(_OUTPUT, request)))


_TAIL = """select output.seq, attempt, stream, written_at, text from output
  where task = (select seq from task where id = ?) order by output.seq desc limit ?"""


def output_tail(raw: sqlite3.Connection, request: tuple[str, int]) -> list[OutputChunk]:
    return list(map(_chunk, raw.execute(_TAIL, request)))[::-1]


def _chunk(row: tuple[int, int, str, int, str]) -> OutputChunk:
    seq, attempt, stream, written_at, text = row
    return OutputChunk(seq, attempt, stream, moment_at(written_at), text)
