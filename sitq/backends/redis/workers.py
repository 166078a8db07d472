"""What workers say and ask of a Redis store beside their claims: that they live, and what they must stop."""

from collections.abc import Mapping

from sitq.backends.moments import in_microseconds
from sitq.backends.redis.bell import STOP, Bell
from sitq.backends.redis.connection import Connection
from sitq.backends.redis.words import Word, text_of, worker_word
from sitq.core import WorkerInfo


async def heartbeat(connection: Connection, worker: WorkerInfo, claims: Mapping[str, int], lease: float) -> set[str]:
    held: list[Word] = [word for pair in claims.items() for word in pair]
    length = max(in_microseconds(lease), 0)
    return set(map(text_of, await connection.run("heartbeat", worker.id, length, worker_word(worker), *held)))


class StopRequests:
    """Asks which tasks are to stop, but not while nobody can have asked for it since the last time.

    A worker asks after each turn: the trips would be as many as those that move tasks.
    """

    def __init__(self, connection: Connection, bell: Bell) -> None:
        self._connection = connection
        self._bell = bell
        self._calm: dict[str, int] = {}  # by worker, the bell's number at which there were none

    async def of(self, worker_id: str) -> set[str]:
        heard = self._bell.heard(STOP)
        if heard is not None and self._calm.get(worker_id) == heard:
            return set()
        stops = set(map(text_of, await self._connection.run("stop_requests", worker_id)))
        if heard is not None and not stops:
            self._calm[worker_id] = heard
        return stops
