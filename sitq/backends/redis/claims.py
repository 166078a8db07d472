"""How a worker's trip to a Redis server is made: outcomes go, claims come, and a lost answer is asked for again."""

import asyncio
import json
import os
import time
from collections.abc import Sequence
from itertools import count
from typing import Any, NamedTuple

from sitq.backends.moments import in_seconds
from sitq.backends.redis.bell import LANES, Bell
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.neighbours import Neighbours
from sitq.backends.redis.rows import claim_of
from sitq.backends.redis.words import Word, outcome_words
from sitq.core import Claim, Outcome
from sitq.exceptions import ConnectionError

_DRY = 0.5  # seconds for which a claim that got too little serves; leases end unheard


class _Dry(NamedTuple):
    """A claim that got less than it asked for, so that there is nothing more until something is heard of.

    Attributes:
        heard: the bell's number of the lanes before it; None when nothing could be heard.
        at: moment of the clock that no one sets.
    """

    worker_id: str
    queues: Sequence[str] | None
    heard: int | None
    at: float

    def holds(self, worker_id: str, queues: Sequence[str] | None, heard: int | None) -> bool:
        same = (worker_id, queues, heard) == (self.worker_id, self.queues, self.heard)
        return same and heard is not None and time.monotonic() - self.at < _DRY


class ClaimDesk:
    """Makes the trips of the workers that use one backend."""

    def __init__(self, connection: Connection, bell: Bell) -> None:
        self._connection = connection
        self._bell = bell
        self.neighbours = Neighbours()
        prefix = os.urandom(8).hex()
        self._trips = (f"{prefix}-{number}" for number in count())
        self._unanswered: dict[str, list[str]] = {}
        self._dry = _Dry("", None, None, 0.0)

    async def turn(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int
    ) -> tuple[set[str], list[Claim]]:
        """Do what `exchange` does, but for a trip that would bring nothing."""
        must_ask = self.neighbours.notice_death() or outcomes or worker_id in self._unanswered
        if not must_ask and self._dry.holds(worker_id, queues, self._bell.heard(LANES)):
            return set(), []
        return await self.exchange(outcomes, worker_id, queues, limit=limit)

    async def exchange(
        self, outcomes: Sequence[Outcome], worker_id: str, queues: Sequence[str] | None, *, limit: int
    ) -> tuple[set[str], list[Claim]]:
        """Hand over outcomes and claim, in one trip.

        If its answer is lost, what it did stands: the next trip of this worker gets that answer too, so that no claim
        is left to nobody, and no outcome is taken for refused.
        """
        heard = self._bell.heard(LANES)
        token = next(self._trips)
        words = self._demand(worker_id, queues, limit, token)
        for outcome in outcomes:
            words += outcome_words(outcome)
        lost = self._connection.lost_answers
        try:
            answer = await self._connection.run("exchange", *words, again=bool(worker_id))
        except (ConnectionError, asyncio.CancelledError):
            if worker_id and self._connection.lost_answers > lost:
                self._unanswered.setdefault(worker_id, []).append(token)
            raise
        self._unanswered.pop(worker_id, None)
        accepted, claims = self._read(answer, outcomes)
        if len(claims) < limit:
            self._dry = _Dry(worker_id, queues, heard, time.monotonic())
        return accepted, claims

    def _demand(self, worker_id: str, queues: Sequence[str] | None, limit: int, token: str) -> list[Word]:
        look = limit > 0 and self.neighbours.wants_look()
        dead = self.neighbours.take_dead() if look else {}
        return [
            worker_id,
            limit,
            "" if queues is None else json.dumps(list(dict.fromkeys(queues))),
            token,
            " ".join((token, *self._unanswered.get(worker_id, ()))),
            int(self.neighbours.may_judge()),
            json.dumps(dead) if dead else "",
            int(look),
        ]

    def _read(self, answer: Any, outcomes: Sequence[Outcome]) -> tuple[set[str], list[Claim]]:
        signs, claims, due, neighbours, looked = answer
        if looked:
            self.neighbours.learn(neighbours)
        if due:
            self._bell.plan(in_seconds(int(due)))
        accepted = {outcome.id for outcome, sign in zip(outcomes, signs, strict=True) if sign == 49}
        return accepted, [claim_of(row) for row in claims]
