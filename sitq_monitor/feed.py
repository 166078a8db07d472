"""The only module that calls sitq: a thread that watches a store and posts snapshots, and acts when told to.

It has a thread and an event loop of its own, so that the first page is read while the screen is still being imported,
and so that no wait for the store ever holds up a key.
"""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import Future
from datetime import UTC, datetime

from sitq.exceptions import SitqError
from sitq.inspector import Inspector
from sitq.sanitize import clean
from sitq.views import TaskQuery
from sitq_monitor.model import Action, Outcome, Snapshot, TaskDetail, TaskId, TaskRow, View
from sitq_monitor.reading import counts_of, detail_of, rows_of

log = logging.getLogger(__name__)

News = Snapshot | Outcome

RATE = 4.0
"""Reads in a second at most, for changes of the store; what a person asks for is read at once."""
SHARE = 0.1
"""The part of the time that reading may take: a store that answers slowly is read less often."""
SAFETY = 1.0
"""Seconds after which the store is read although nothing was heard of a change: leases end and delays pass silently."""
RETRY_DELAY = 1.0
CLOSE_TIMEOUT = 5.0
MESSAGE_LIMIT = 400


class Feed:
    """Answers the latest view whenever the store or the view changes, until it is closed.

    Args:
        path: the store; it is never created or migrated.
        view: what to read first.
    """

    def __init__(self, path: str | os.PathLike[str], view: View) -> None:
        self.path = os.fspath(path)
        self._view = view
        self._opened: Future[None] = Future()
        self._thread = threading.Thread(target=self._main, name="sitq-monitor-feed", daemon=True)
        self._lock = threading.Lock()
        self._post: Callable[[News], None] | None = None
        self._newest: Snapshot | None = None
        self._cost = 0.0

    def open(self) -> None:
        """Begin to watch.

        Raises:
            SitqError: the store cannot be opened.
        """
        self._thread.start()
        self._opened.result()

    def close(self) -> None:
        """Finish the actions under way, if the store lets them, and let go of it. Closing twice is harmless."""
        if self._thread.is_alive():
            self._call(self._stopping.set)
            self._thread.join(CLOSE_TIMEOUT)

    def listen(self, post: Callable[[News], None]) -> None:
        """Hand every piece of news to `post`, which is called on the feed's thread; the newest snapshot comes first."""
        with self._lock:
            self._post = post
            if self._newest is not None:
                post(self._newest)

    def look(self, view: View) -> None:
        """Read this from now on, at once first. A view that follows before that takes its place."""
        self._view = view
        self._call(self._due.set)

    def act(self, action: Action, ids: Collection[TaskId]) -> None:
        """Do something to tasks; an `Outcome` tells what came of it."""
        self._call(self._orders.put_nowait, (action, tuple(ids)))

    def _call(self, function: Callable[..., object], *arguments: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(function, *arguments)

    def _main(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as exc:
            if self._opened.done():
                log.exception("the feed of %s stopped", self.path)
                self._complain(f"the monitor's feed stopped: {type(exc).__name__}: {exc}")
            else:
                self._opened.set_exception(exc)

    async def _live(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stopping, self._due = asyncio.Event(), asyncio.Event()
        self._orders: asyncio.Queue[tuple[Action, tuple[TaskId, ...]]] = asyncio.Queue()
        while not self._stopping.is_set():
            try:
                await self._watch()
            except SitqError as exc:
                if not self._opened.done():
                    raise
                self._complain(str(exc))
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), RETRY_DELAY)

    async def _watch(self) -> None:
        async with Inspector(self.path) as inspector:
            if not self._opened.done():
                self._opened.set_result(None)
            failures: list[SitqError] = []
            try:
                await self._serve(inspector)
            except* SitqError as group:
                failures = _leaves(group)
        if failures:
            raise failures[0]

    async def _serve(self, inspector: Inspector) -> None:
        async with asyncio.TaskGroup() as group:
            duties = [group.create_task(duty(inspector)) for duty in (self._hear, self._read, self._obey)]
            await self._stopping.wait()
            await self._orders.join()
            for duty in duties:
                duty.cancel()

    async def _hear(self, inspector: Inspector) -> None:
        while True:
            await inspector.wait(timeout=SAFETY)
            if self._view.live:
                self._due.set()
            await asyncio.sleep(max(1 / RATE, self._cost / SHARE))

    async def _read(self, inspector: Inspector) -> None:
        while True:
            self._due.clear()
            begun = time.monotonic()
            self._publish(await take_snapshot(inspector, self._view))
            self._cost = time.monotonic() - begun
            await self._due.wait()

    async def _obey(self, inspector: Inspector) -> None:
        while True:
            action, ids = await self._orders.get()
            try:
                self._tell(await _carry_out(inspector, action, ids))
            finally:
                self._orders.task_done()
            self._due.set()

    def _publish(self, snapshot: Snapshot) -> None:
        if self._newest is None or not snapshot.says_the_same_as(self._newest):
            self._tell(snapshot)

    def _complain(self, message: str) -> None:
        trouble = clean(message, MESSAGE_LIMIT)
        self._tell(Snapshot(view=self._view, read_at=datetime.now(UTC), trouble=trouble))

    def _tell(self, news: News) -> None:
        with self._lock:
            if isinstance(news, Snapshot):
                self._newest = news
            if self._post is not None:
                self._post(news)


async def take_snapshot(inspector: Inspector, view: View) -> Snapshot:
    """Read the whole answer to a view, in short reads that hold no transaction between them."""
    now = datetime.now(UTC)
    statuses = (view.status,) if view.status else ()
    counts, tail = None, None
    head: tuple[TaskRow, ...] = ()
    held: tuple[TaskRow, ...] = ()
    if view.live:
        counts = counts_of(await inspector.stats())
    if counts is not None and counts.of(view.status):  # to find that there is none, a store may have to search it all
        head = rows_of(await inspector.list_tasks(TaskQuery(statuses=statuses, limit=view.limit)), now)
    if view.live and view.held:
        held = await _held_rows(inspector, view.held, now)
    if view.before is not None:
        page = TaskQuery(statuses=statuses, before=view.before, limit=view.limit)
        tail = rows_of(await inspector.list_tasks(page), now)
    detail = await _detail(inspector, view.task_id, now)
    return Snapshot(view=view, read_at=now, counts=counts, head=head, held=held, tail=tail, detail=detail)


async def read_once(path: str | os.PathLike[str], view: View) -> Snapshot:
    """Open a store, read one snapshot and close it again.

    Raises:
        SitqError: the store cannot be opened or read.
    """
    async with Inspector(path) as inspector:
        return await take_snapshot(inspector, view)


async def _held_rows(inspector: Inspector, ids: tuple[TaskId, ...], now: datetime) -> tuple[TaskRow, ...]:
    return rows_of(await inspector.list_tasks(TaskQuery(ids=ids, limit=len(ids))), now)


async def _detail(inspector: Inspector, task_id: TaskId | None, now: datetime) -> TaskDetail | None:
    info = await inspector.get_task(task_id) if task_id is not None else None
    return detail_of(info, await inspector.attempts(info.id), now) if info else None


async def _carry_out(inspector: Inspector, action: Action, ids: tuple[TaskId, ...]) -> Outcome:
    verb = inspector.requeue if action is Action.REQUEUE else inspector.cancel
    try:
        reached = await verb(ids)
    except SitqError as exc:
        return Outcome(action=action, asked=len(ids), reached=0, trouble=clean(str(exc), MESSAGE_LIMIT))
    return Outcome(action=action, asked=len(ids), reached=len(reached))


def _leaves(group: BaseExceptionGroup[SitqError]) -> list[SitqError]:
    leaves: list[SitqError] = []
    for exc in group.exceptions:
        leaves += _leaves(exc) if isinstance(exc, BaseExceptionGroup) else [exc]
    return leaves
