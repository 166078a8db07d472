"""Many tasks as one bar: how many have ended, and when the rest will, also of ten thousand."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence

from sitq.core import TaskStatus
from sitq.notebook.client import GLANCE, Client
from sitq.notebook.display import Glance, duration_text, part_done
from sitq.notebook.history import History
from sitq.views import TaskInfo

_CHUNK = 500  # tasks in one look at the store
_BUDGET = GLANCE / 2  # seconds for the looks of one refresh
_SETTLED = 1.0  # seconds after which the pace says something
_FIRST = (TaskStatus.FAILED, TaskStatus.CANCELLED, TaskStatus.RUNNING, TaskStatus.PENDING, TaskStatus.SUCCESS)


class Group:
    """Some tasks of a store, as a panel shows them.

    Of many it looks at the first open ones for as long as these turn out to have ended, and at all others in turn.

    Args:
        ids: the tasks, in the order in which they will be claimed.
    """

    def __init__(self, client: Client, ids: Sequence[str]) -> None:
        self._client = client
        self._history = History(client)
        self._statuses = dict.fromkeys(ids, TaskStatus.PENDING)
        self._infos: dict[str, TaskInfo] = {}  # of those that have begun and not ended
        self._turn = 0
        self._since: tuple[float, float] | None = None  # when its first look was, and how much was done

    def look(self, limit: int) -> Glance | None:
        """Tell how far they have come, with the first of those that people want to see; None if the store is busy."""
        rows = self._client.call_within(GLANCE, self._refresh, limit)
        if rows is None:
            return None
        done = self._done()
        return Glance(rows, self._headline(done), done, self._history.usual(rows))

    def cancel(self, task_id: str) -> object:
        return self._client.call(self._client.queue.cancel, task_id)

    def requeue(self, task_id: str) -> object:
        return self._client.call(self._client.queue.requeue, task_id)

    async def _refresh(self, limit: int) -> list[TaskInfo]:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _BUDGET
        await self._look_at(self._next_in_turn())
        for chunk in self._open_chunks():
            if loop.time() > deadline or not await self._look_at(chunk):
                break
        return await self._client.look_up(self._shown(limit)) if limit else []

    async def _look_at(self, ids: Sequence[str]) -> bool:
        """Note what has become of tasks, and tell whether one of them has ended or is gone."""
        found = {info.id: info for info in await self._client.look_up(ids)}
        for task_id in ids:
            self._infos.pop(task_id, None)
            if (info := found.get(task_id)) is None:
                del self._statuses[task_id]
                continue
            self._statuses[task_id] = info.status
            if info.status is TaskStatus.RUNNING:
                self._infos[task_id] = info
        return any(info.status.is_final for info in found.values()) or len(found) < len(ids)

    def _next_in_turn(self) -> Sequence[str]:
        ids = list(self._statuses)[self._turn : self._turn + _CHUNK]
        self._turn = self._turn + _CHUNK if self._turn + _CHUNK < len(self._statuses) else 0
        return ids

    def _open_chunks(self) -> Iterator[Sequence[str]]:
        """Divide the open tasks of a group that is not looked at as a whole anyway."""
        if len(self._statuses) > _CHUNK:
            open_ = [task_id for task_id, status in self._statuses.items() if not status.is_final]
            yield from (open_[start : start + _CHUNK] for start in range(0, len(open_), _CHUNK))

    def _shown(self, limit: int) -> Sequence[str]:
        if len(self._statuses) <= limit:
            return list(self._statuses)
        return [task_id for wanted in _FIRST[:-1] for task_id, status in self._statuses.items() if status is wanted][
            :limit
        ]

    def _done(self) -> float:
        ended = sum(status.is_final for status in self._statuses.values())
        told = sum(part_done(info) or 0.0 for info in self._infos.values())
        return (ended + told) / len(self._statuses) if self._statuses else 1.0

    def _headline(self, done: float) -> str:
        counts = Counter(self._statuses.values())
        ended = sum(count for status, count in counts.items() if status.is_final)
        parts = [f"{ended:,} of {len(self._statuses):,} done"]
        parts += [
            f"{counts[status]:,} {status}" for status in (TaskStatus.FAILED, TaskStatus.CANCELLED) if counts[status]
        ]
        if (left := self._time_left(done)) is not None:
            parts.append(f"{duration_text(left)} left")
        return ", ".join(parts)

    def _time_left(self, done: float) -> float | None:
        """Seconds that the rest will take at the pace since the first look."""
        now = time.monotonic()
        if self._since is None:
            self._since = (now, done)
        begun, before = self._since
        if done in (before, 1.0) or now - begun < _SETTLED:
            return None
        return (now - begun) * (1.0 - done) / (done - before)
