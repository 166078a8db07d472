"""Who listens to a feed in a test: keeps its news, and waits for what is to come."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from sitq_monitor.deed import Action, Plan, Scope, Tally
from sitq_monitor.feed import Feed
from sitq_monitor.model import Pulse, TaskId
from sitq_monitor.source import News
from sitq_monitor.view import Filter, Snapshot

T = TypeVar("T")


class Listener:
    """A feed and the news that it posted."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self.news: list[News] = []
        feed.listen(self.news.append)

    @property
    def snapshots(self) -> list[Snapshot]:
        """Those that tell of tasks, or of trouble."""
        return [news for news in self.news if isinstance(news, Snapshot) and news.pulse is None]

    async def snapshot(self, fits: Callable[[Snapshot], object]) -> Snapshot:
        """Wait until the newest snapshot fits."""
        await wait_until(lambda: self.snapshots and fits(self.snapshots[-1]))
        return self.snapshots[-1]

    async def found(self, fits: Callable[[Snapshot], object]) -> Snapshot:
        """Wait for a snapshot that fits, whatever came after it."""
        await wait_until(lambda: any(fits(snapshot) for snapshot in self.snapshots))
        return [snapshot for snapshot in self.snapshots if fits(snapshot)][-1]

    async def pulse(self, fits: Callable[[Pulse], object]) -> Pulse:
        def found() -> list[Pulse]:
            pulses = [news.pulse for news in self.news if isinstance(news, Snapshot) and news.pulse is not None]
            return [pulse for pulse in pulses if fits(pulse)]

        await wait_until(found)
        return found()[-1]

    async def heard(self, kind: type[T]) -> T:
        """Wait for news of a kind."""
        await wait_until(lambda: any(isinstance(news, kind) for news in self.news))
        return [news for news in self.news if isinstance(news, kind)][-1]

    async def plan(self, action: Action, *ids: str, **conditions: Any) -> Plan:
        """Have an action planned, for these tasks or for all that a filter matches."""
        chosen = tuple(map(TaskId, ids)) if ids else None
        self.feed.plan(action, Scope(ids=chosen, filter=Filter(**conditions), asked_at=datetime.now(UTC)))
        return await self.heard(Plan)

    async def do(self, action: Action, *ids: str, **conditions: Any) -> Tally:
        """Have an action planned and carried out."""
        self.feed.act(await self.plan(action, *ids, **conditions))
        return await self.heard(Tally)


async def wait_until(holds: Callable[[], object], within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        await asyncio.sleep(0.005)
