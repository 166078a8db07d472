"""The worker's hot verb on a PostgreSQL store: outcomes go in and claims come out, in one trip."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from sitq.backends.postgres.address import Address
from sitq.backends.postgres.session import Connection
from sitq.backends.postgres.tasks import clean, columns, parameters
from sitq.backends.states import STATES
from sitq.core import Claim, Outcome

_STATE = {status: states[-1] for status, states in STATES.items()}  # pending ones are told as ready
_OUTCOMES = "text[], integer[], smallint[], text[], bytea[], text[], text[], float8[], float8[]"
_EXCHANGE = f"select * from sitq.exchange({parameters(_OUTCOMES + ', text, text[], integer, bigint, bigint')})"


class Exchange(NamedTuple):
    """What a worker hands in and asks for; `limit` 0 asks for nothing."""

    outcomes: Sequence[Outcome]
    worker_id: str | None = None
    queues: Sequence[str] | None = None
    limit: int = 0


class Exchanged(NamedTuple):
    """What came of it.

    Attributes:
        refused: ids of outcomes that were not accepted.
        due: seconds until the next task becomes due; None when none will.
    """

    claims: list[Claim]
    refused: set[str]
    due: float | None = None


async def exchange(connection: Connection, address: Address, request: Exchange, *, trip: int, again: bool) -> Exchanged:
    """Finish and claim.

    Args:
        trip: number of this exchange, under which it can be asked again.
        again: the answer to this number was lost: what was done under it is told once more.
    """
    rows = await connection.fetch(
        address.sql(_EXCHANGE),
        *columns([_row(outcome) for outcome in request.outcomes], _OUTCOMES),
        request.worker_id,
        request.queues,
        request.limit,
        trip,
        trip if again else None,
    )
    claims, refused, due = [], set(), None
    for row in rows:
        if row[0] == 0:
            claims.append(_claim(row))
        elif row[0] == 1:
            refused.add(row[1])
        else:
            due = row[9]
    return Exchanged(claims, refused, due)


def _claim(row: Sequence[Any]) -> Claim:
    # By position, since a claim is made for each task: the columns stand in the order of the record.
    meta = row[12]
    return Claim._make((*row[1:12], None, None if meta is None else json.loads(meta), row[13]))


def _row(outcome: Outcome) -> tuple[Any, ...]:
    return (
        outcome.id,
        outcome.attempt,
        _STATE[outcome.status],
        outcome.cause,
        outcome.value,
        clean(outcome.error),
        clean(outcome.traceback),
        outcome.delay,
        outcome.duration,
    )
