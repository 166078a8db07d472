"""A thread that watches a store and posts news of it, and acts when told to.

It has an event loop of its own, so that the first page is read while the screen is still being imported, and so that
no wait for the store ever holds up a key. What the store finds by its indexes does not wait for what it must search.
"""

import asyncio
import contextlib
import os
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sitq.exceptions import SitqError
from sitq.inspector import Inspector
from sitq.sanitize import clean, without_password
from sitq.views import Order, TaskQuery
from sitq_monitor.deed import Action, Done, Plan, Scope
from sitq_monitor.feed.answers import answer_at_once, answer_by_search, answer_in_part
from sitq_monitor.feed.deeds import Report, carry_out, make_plan, run_schedule, set_paused, set_schedule_paused
from sitq_monitor.feed.exporting import export
from sitq_monitor.feed.lane import Lane
from sitq_monitor.feed.meter import Meter
from sitq_monitor.naming import shortened
from sitq_monitor.reading import schedules_of
from sitq_monitor.source import News
from sitq_monitor.view import MESSAGE_LIMIT, Snapshot, View

Deed = Callable[[Inspector], Awaitable[News]]

RATE = 4.0
"""Reads in a second at most, for changes of the store."""
PULSE_RATE = 1.0
SAFETY = 1.0
"""Seconds after which the store is read although nothing was heard of a change: leases end and delays pass silently."""
RETRY_DELAY = 1.0
PATIENCE = 1.5
"""Seconds to wait for a store that does not open, before the screen is shown without it."""
CLOSE_TIMEOUT = 5.0


class Feed:
    """Answers the latest view whenever the store or the view changes, until it is closed.

    Args:
        path: the store; it is never created or migrated.
        view: what to read first.
        read_only: open the store for reading only.
    """

    def __init__(self, path: str | os.PathLike[str], view: View, *, read_only: bool = False) -> None:
        self.path = os.fspath(path)
        self.rate = RATE
        self._read_only = read_only
        self._view = view
        self._answered: View | None = None
        self._opened: Future[None] = Future()
        self._has_screen = False
        self._thread = threading.Thread(target=self._main, name="sitq-monitor-feed", daemon=True)
        self._lock = threading.Lock()
        self._post: Callable[[News], object] | None = None
        self._newest: dict[str, Snapshot] = {}
        self._lanes: tuple[Lane, ...] = ()  # at once, by search, the pulse
        self._halted = threading.Event()

    def open(self) -> None:
        """Begin to watch. A store that is locked is waited for behind the screen.

        Raises:
            SitqError: the store cannot be opened.
        """
        self._thread.start()
        try:
            self._opened.result(PATIENCE)
        except TimeoutError:
            self._has_screen = True
            if self._opened.done():
                self._opened.result()
            self._complain(f"{without_password(self.path)} does not open yet; it may be locked, or not answer")

    def close(self) -> None:
        """Finish the batch under way, if the store lets it, and let go of the store. Closing twice is harmless."""
        self.halt()
        if self._thread.is_alive():
            self._call(self._stop)
            self._thread.join(CLOSE_TIMEOUT)

    def listen(self, post: Callable[[News], object]) -> None:
        """Hand every piece of news to `post`, which is called on the feed's thread; the newest snapshots come first."""
        with self._lock:
            self._post = post
            for snapshot in self._newest.values():
                post(snapshot)

    def look(self, view: View) -> None:
        """Read this from now on, at once first. A view that follows before that takes its place."""
        before, self._view = self._view, view
        searches = view.asks_for_pages or not view.lists_like(before)
        self._call(partial(self._ask, 2 if searches else 1))

    def plan(self, action: Action, scope: Scope) -> None:
        """Look what an action would reach; a `Plan` tells."""
        self._do(partial(make_plan, action=action, scope=scope))

    def act(self, plan: Plan) -> None:
        """Carry a plan out; a `Tally` tells what came of it."""
        self._do(partial(carry_out, plan=plan, report=self._report))

    def set_paused(self, queue: str, paused: bool) -> None:
        """Stop or resume handing out a lane's tasks."""
        self._do(partial(set_paused, queue=queue, paused=paused))

    def set_schedule_paused(self, name: str, paused: bool) -> None:
        """Let a schedule fire no more, or again."""
        self._do(partial(set_schedule_paused, name=name, paused=paused))

    def run_schedule(self, name: str) -> None:
        """Enqueue a task of a schedule at once."""
        self._do(partial(run_schedule, name=name))

    def export(self, path: Path, scope: Scope) -> None:
        """Write tasks to a new file."""
        self._do(partial(export, path=path, scope=scope, report=self._report))

    def halt(self) -> None:
        """Stop what is being done at the end of its batch."""
        self._halted.set()

    @property
    def _report(self) -> Report:
        return Report(self._tell, self._halted.is_set)

    def _do(self, deed: Deed) -> None:
        self._call(lambda: self._deeds.put_nowait(deed))

    def _call(self, function: Callable[..., object]) -> None:
        with contextlib.suppress(RuntimeError, AttributeError):  # the loop is not there any more, or not yet
            self._loop.call_soon_threadsafe(function)

    def _ask(self, lanes: int | None = None) -> None:
        """Have the first so many lanes read at once, or all of them."""
        for lane in self._lanes[:lanes]:
            lane.ask()

    def _stop(self) -> None:
        self._stopping.set()

    def _main(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception as exc:
            if not self._opened.done():
                self._opened.set_exception(exc)

    async def _live(self) -> None:
        self._deeds: asyncio.Queue[Deed] = asyncio.Queue()
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            try:
                await self._watch()
            except Exception as exc:  # whatever a store holds or does, the screen tells and goes on
                if not self._opened.done() and not self._has_screen:
                    raise
                self._complain(_in_words(exc))
                await self._until_stop(asyncio.sleep(RETRY_DELAY))

    async def _watch(self) -> None:
        inspector = Inspector(self.path, read_only=self._read_only)
        if not await self._until_stop(inspector.connect()):
            return
        try:
            if not self._opened.done():
                self._opened.set_result(None)
            await self._serve(inspector)
        finally:
            await inspector.close()

    async def _until_stop(self, work: Coroutine[Any, Any, None]) -> bool:
        """Tell whether work came to its end; it is broken off when the feed is to stop."""
        working, stop = asyncio.ensure_future(work), asyncio.ensure_future(self._stopping.wait())
        await asyncio.wait({working, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            return False
        working.result()
        return True

    async def _serve(self, inspector: Inspector) -> None:
        async with asyncio.TaskGroup() as group:
            at_once = Lane(partial(self._read_at_once, inspector), lambda: self.rate)
            self._lanes, self._answered = (at_once,), None
            duties = [group.create_task(duty) for duty in (at_once.run(), self._hear(inspector), self._search())]
            duties.append(group.create_task(self._obey(inspector)))
            await self._stopping.wait()
            await self._deeds.join()
            for duty in duties:
                duty.cancel()

    async def _hear(self, inspector: Inspector) -> None:
        while True:
            begun = time.monotonic()
            await inspector.wait(timeout=SAFETY)
            changed = time.monotonic() - begun < SAFETY
            for place, lane in enumerate(self._lanes):
                if self._view.live and (changed or place == 0):
                    lane.hear()
            if changed:
                await asyncio.sleep(1 / self.rate / 8)  # commits that follow each other are one change

    async def _read_at_once(self, inspector: Inspector) -> bool:
        """Read all of the view, or first only what a person wants to see now of a list that is shown already."""
        view, before = self._view, self._answered
        self._answered = view
        if before not in (None, view) and before.lists_like(view):
            self._tell(await answer_in_part(inspector, view))
            if view.live:
                self._lanes[0].hear()
            return True
        return self._publish("at once", await answer_at_once(inspector, view))

    async def _search(self) -> None:
        """Search and measure on a connection of their own."""
        async with Inspector(self.path, read_only=True) as inspector, asyncio.TaskGroup() as group:
            search = Lane(partial(self._read_by_search, inspector), lambda: self.rate)
            pulse = Lane(partial(self._read_pulse, inspector, Meter()), lambda: PULSE_RATE)
            self._lanes += (search, pulse)
            group.create_task(search.run())
            group.create_task(pulse.run())

    async def _read_by_search(self, inspector: Inspector) -> bool:
        if self._view.filter.is_plain:
            return False
        return self._publish("search", await answer_by_search(inspector, self._view))

    async def _read_pulse(self, inspector: Inspector, meter: Meter) -> bool:
        meter.hear(await inspector.list_tasks(TaskQuery(order=Order.ENDED, limit=meter.page)))
        now = datetime.now(UTC)
        schedules = schedules_of(await inspector.schedules())
        snapshot = Snapshot(view=self._view, read_at=now, pulse=meter.pulse(now), schedules=schedules)
        self._publish("pulse", snapshot)
        return True  # a pulse is in no hurry: it rests also when it was what it had been

    async def _obey(self, inspector: Inspector) -> None:
        while True:
            deed = await self._deeds.get()
            self._halted.clear()
            try:
                self._tell(await deed(inspector))
            except SitqError as exc:
                self._tell(Done(words=clean(str(exc), MESSAGE_LIMIT), failed=True))
            finally:
                self._deeds.task_done()
            self._ask()

    def _publish(self, lane: str, snapshot: Snapshot) -> bool:
        """Tell of a snapshot unless it says what the one before said; answers whether it told."""
        newest = self._newest.get(lane)
        if newest is not None and not snapshot.view.asks_for_pages and snapshot.says_the_same_as(newest):
            return False
        self._newest.pop("trouble", None)
        self._newest[lane] = snapshot
        self._tell(snapshot)
        return True

    def _complain(self, message: str) -> None:
        trouble = clean(shortened(message, self.path), MESSAGE_LIMIT)
        self._newest = {"trouble": Snapshot(view=self._view, read_at=datetime.now(UTC), trouble=trouble)}
        self._tell(self._newest["trouble"])

    def _tell(self, news: News) -> None:
        with self._lock:
            if self._post is not None:
                self._post(news)


def _in_words(exc: BaseException) -> str:
    """Say on one line what went wrong; of several that went wrong together the first."""
    while isinstance(exc, BaseExceptionGroup):
        exc = exc.exceptions[0]
    return str(exc) if isinstance(exc, SitqError) else f"the store could not be shown: {type(exc).__name__}: {exc}"
