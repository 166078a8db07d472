"""How long tasks of a name usually take, for those that do not tell how far they have come."""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterable

from sitq.core import TaskStatus
from sitq.notebook.client import GLANCE, Client
from sitq.notebook.display import part_done
from sitq.views import Order, TaskInfo, TaskQuery

_LOOKED_AT = 500  # tasks that ended last: a look takes 5 ms, however many the store has
_FRESH = 5.0  # seconds until a look is worth repeating


class History:
    """The median durations of the tasks that succeeded last; a name that it has seen once it remembers.

    Args:
        client: looks at the store.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._usual: dict[str, float] = {}
        self._look_at = 0.0

    def usual(self, tasks: Iterable[TaskInfo]) -> dict[str, float]:
        """Tell how many seconds tasks take, by name, where one of these runs and does not tell its progress."""
        names = {info.name for info in tasks if info.status is TaskStatus.RUNNING and part_done(info) is None}
        if names and time.monotonic() >= self._look_at:
            self._look()
        return {name: self._usual[name] for name in names if name in self._usual}

    def _look(self) -> None:
        query = TaskQuery(statuses=(TaskStatus.SUCCESS,), order=Order.ENDED, limit=_LOOKED_AT)
        ended = self._client.call_within(GLANCE, self._client.queue.list_tasks, query)
        if ended is not None:
            self._look_at = time.monotonic() + _FRESH
            self._usual |= _medians(ended)


def _medians(ended: Iterable[TaskInfo]) -> dict[str, float]:
    durations: defaultdict[str, list[float]] = defaultdict(list)
    for info in ended:
        if info.started_at is not None and info.finished_at is not None:
            durations[info.name].append((info.finished_at - info.started_at).total_seconds())
    return {name: statistics.median(seconds) for name, seconds in durations.items()}
