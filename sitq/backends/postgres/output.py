"""What running tasks tell of themselves on a PostgreSQL store: progress, and what they write."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.backends.postgres.tasks import clean, columns, parameters
from sitq.core import Report
from sitq.views import OutputChunk

_REPORTS = "text[], integer[], boolean[], float8[], float8[], text[], bigint[]"
_CHUNKS = "integer[], text[], bytea[]"
_REPORT = f"select sitq.report({parameters(f'{_REPORTS}, {_CHUNKS}')})"
# Text is kept as bytes: it may hold what the server's text cannot.
_ERRORS = "surrogatepass"


async def report(connection: Connection, address: Address, requests: Sequence[Sequence[Report]]) -> list[None]:
    """Keep the reports of all requests in one transaction."""
    reports = list(chain.from_iterable(requests))
    if reports:
        chunks = [chunk for place, single in enumerate(reports, 1) for chunk in _chunks(place, single)]
        values = columns([_row(single) for single in reports], _REPORTS) + columns(chunks, _CHUNKS)
        await connection.execute(address.sql(_REPORT), *values)
    return [None] * len(requests)


def _row(report: Report) -> tuple[Any, ...]:
    done, total, message = report.progress or (None, None, None)
    return report.id, report.attempt, report.progress is not None, done, total, clean(message), report.keep


def _chunks(place: int, report: Report) -> list[tuple[int, str, bytes]]:
    return [(place, stream, text.encode("utf-8", _ERRORS)) for stream, text in report.output]


_OUTPUT = """select seq, attempt, stream, written_at, text from sitq.output
  where task = (select seq from sitq.task where id = $1) and seq > $2 order by seq limit $3"""


async def output(connection: Connection, address: Address, task_id: str, after: int, limit: int) -> list[OutputChunk]:
    return list(map(_chunk, await connection.fetch(address.sql(_OUTPUT), task_id, after, limit)))


_TAIL = """select seq, attempt, stream, written_at, text from sitq.output
  where task = (select seq from sitq.task where id = $1) order by seq desc limit $2"""


async def output_tail(connection: Connection, address: Address, task_id: str, limit: int) -> list[OutputChunk]:
    return list(map(_chunk, await connection.fetch(address.sql(_TAIL), task_id, limit)))[::-1]


def _chunk(row: Sequence[Any]) -> OutputChunk:
    seq, attempt, stream, written_at, text = row
    return OutputChunk(seq, attempt, stream, written_at, text.decode("utf-8", _ERRORS))
