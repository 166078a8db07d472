"""Fires schedules while a worker serves: looks, plans, and hands in; whoever is first at the store fires."""

import asyncio
import contextlib
import logging

from sitq.backends.base import Backend
from sitq.exceptions import STORE_TROUBLE, SitqError
from sitq.recurring import DueSchedules, Firing, ScheduleInfo
from sitq.running.pacing import Backoff
from sitq.schedules import MOST_CAUGHT_UP, plan

logger = logging.getLogger("sitq.worker")

_REST = 0.2  # seconds between two looks for which only a hint asked; hints come with every change of the store
_BROKEN_REST = 60.0  # seconds between two tries to fire what cannot be fired


class FiringLoop:
    """Fires what is due, beside a worker's turns and on its loop.

    It looks when a schedule is due, soon after a hint, and every `poll_interval` seconds: half a millisecond of CPU.

    Args:
        backend: open while this runs.
        poll_interval: seconds between two looks when nothing else asks for one.
    """

    def __init__(self, backend: Backend, *, poll_interval: float) -> None:
        self._backend = backend
        self._poll_interval = poll_interval
        self._loop = asyncio.get_running_loop()
        self._hint = asyncio.Event()
        self._looking = asyncio.Lock()
        self._looked_at = 0.0
        self._look_at = 0.0
        self._backoff = Backoff()
        self._has_fired = False
        self._broken: dict[str, tuple[ScheduleInfo, float]] = {}  # as it was, and when to try again
        self._running: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._running = self._loop.create_task(self._run())

    def hint(self) -> None:
        """Look soon: the store may have changed."""
        self._hint.set()

    async def fire_due(self) -> bool:
        """Fire what is due; False when nothing was fired since this was last asked."""
        looked = await self._look_or_back_off()
        fired, self._has_fired = self._has_fired, False
        return fired or not looked

    def end(self) -> None:
        """Fire no more."""
        if self._running is not None:
            self._running.cancel()

    async def close(self) -> None:
        """Fire no more, and wait until nothing is under way."""
        self.end()
        if self._running is not None:
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        while True:
            if await self._look_or_back_off():
                await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(self._look_at):
                await self._hint.wait()
                await asyncio.sleep(self._looked_at + _REST - self._loop.time())

    async def _look_or_back_off(self) -> bool:
        """Fire what is due; False, after a while, if there was trouble."""
        async with self._looking:
            try:
                await self._look()
            except Exception as exc:  # whatever it is, the worker's tasks go on
                is_known = isinstance(exc, STORE_TROUBLE)
                logger.warning("schedules cannot fire: %s; trying again", exc, exc_info=not is_known)
                await self._backoff.sleep()
                return False
        self._backoff.reset()
        return True

    async def _look(self) -> None:
        self._hint.clear()
        self._looked_at = self._loop.time()
        due = await self._backend.due_schedules()
        seconds = [self._poll_interval] if due.next_in is None else [self._poll_interval, due.next_in]
        for schedule in due.schedules:
            firing = await self._fire(schedule, due)
            if firing is not None and firing.next_at is not None:
                seconds.append((firing.next_at - due.now).total_seconds())
        self._look_at = self._looked_at + min(seconds)

    async def _fire(self, schedule: ScheduleInfo, due: DueSchedules) -> Firing | None:
        """Fire one schedule; if it cannot be fired, say so and leave it for a while."""
        broken, retry_at = self._broken.get(schedule.name, (None, 0.0))
        if broken == schedule and self._loop.time() < retry_at:
            return None
        try:
            firing = plan(schedule, due.now)
            stored = None if firing is None else await self._backend.fire(firing)
        except SitqError as exc:
            if self._backoff.may_retry(exc):
                raise
            logger.error("schedule %s cannot fire: %s", schedule.name, exc)
            self._broken[schedule.name] = schedule, self._loop.time() + _BROKEN_REST
            return None
        if firing is not None and stored is not None:
            self._has_fired = self._has_fired or bool(stored)
            _log(firing, stored, due)
        return firing


def _log(firing: Firing, stored: list[str], due: DueSchedules) -> None:
    """Say what was fired, and every occurrence that was not."""
    name, moments = firing.schedule, firing.occurrences
    if firing.due_at > due.now:
        logger.warning("schedule %s goes on at %s, the clock was set back", name, firing.next_at)
        return
    if not moments:
        logger.info("schedule %s skipped what was due since %s", name, firing.due_at)
    elif moments[0] > firing.due_at:
        level = logging.WARNING if len(moments) == MOST_CAUGHT_UP else logging.INFO
        logger.log(level, "schedule %s skipped what was due from %s until %s", name, firing.due_at, moments[0])
    if len(stored) < len(moments):
        logger.info("schedule %s skipped %d of %d, its key is held", name, len(moments) - len(stored), len(moments))
    if stored:
        logger.info("schedule %s fired for %s: task %s", name, moments[-1], ", ".join(stored[-3:]))
