"""One run of a worker, from its first claim to its goodbye: claim, run, finish, and what disturbs that."""

import asyncio
import contextlib
import logging

from sitq.backends.base import Backend
from sitq.core import Claim, Outcome, WorkerInfo
from sitq.exceptions import STORE_TROUBLE
from sitq.purging import Purger
from sitq.running.attempts import Attempt
from sitq.running.firing import FiringLoop
from sitq.running.heartbeat import Heartbeat
from sitq.running.pacing import Backoff, TripBudget
from sitq.running.reporting import Reports
from sitq.running.runner import Runner, RunSettings
from sitq.running.slots import PATIENCE, Slots
from sitq.running.streams import capture
from sitq.serialization import CallSerializer

logger = logging.getLogger("sitq.worker")

_LAST_GRACE = 1.0  # seconds for coroutines to take their cancellation; then they are left behind


class Shift:
    """Takes turns for a worker; made on its loop.

    A turn is one trip to the store: hand over the outcomes that have gathered, claim for the free slots. While one
    trip is under way the next outcomes gather, so that trips grow with the load and no timer decides their size.

    Args:
        backend: open before `serve`.
        until_empty: end when nothing is due and nothing runs here.
    """

    def __init__(
        self,
        backend: Backend,
        serializer: CallSerializer,
        info: WorkerInfo,
        *,
        lease: float,
        poll_interval: float,
        until_empty: bool,
        settings: RunSettings,
    ) -> None:
        self._backend = backend
        self._info = info
        self._lease = lease
        self._poll_interval = poll_interval
        self._until_empty = until_empty
        self._loop = asyncio.get_running_loop()
        self._captures = settings.output_limit > 0
        self._reports = Reports(backend, settings.output_limit)
        self._runner = Runner(serializer, self._finished, self._reports.recorder, backend.inputs, settings)
        self._slots = Slots(info.max_concurrency, self._start, self._loop.time)
        self._budget = TripBudget(self._loop.time)
        self._backoff = Backoff()
        self._firing = FiringLoop(backend, poll_interval=poll_interval)
        self._release_at: float | None = None  # when to stop waiting for running tasks; None while not stopping
        self._changed = False  # since the last look for cancelled tasks
        self._came_short = False  # the last trip brought less than was asked for: the store had no more
        self._wake = asyncio.Event()
        self.ended = asyncio.Event()

    @property
    def running(self) -> int:
        """How many tasks are running."""
        return len(self._slots.running)

    async def serve(self, begun: asyncio.Event) -> None:
        """Take turns until `stop`, then say goodbye: what is still held is given back unspent.

        Args:
            begun: set when the store knows of this worker.

        Raises:
            BackendError: the store failed in a way that waiting does not cure.
        """
        await self._backend.heartbeat(self._info, {}, lease=self._lease)
        begun.set()
        heartbeat = Heartbeat(self._backend.twin(), self._info, self._slots.held, self._slots.cancel, lease=self._lease)
        heartbeat.start()
        self._reports.start()
        if self._captures:
            capture.begin()
        purger = Purger(self._backend, self._info.id)
        purger.start()
        self._firing.start()
        logger.info("worker %s started, max_concurrency=%d", self._info.id, self._info.max_concurrency)
        try:
            while self._release_at is None or self._slots.running or self._slots.outcomes:
                if not await self._turn():
                    break
        finally:
            if self._captures:
                capture.end()
            heartbeat.stop()
            await purger.stop()
            await self._firing.close()
            await self._leave()
            logger.info("worker %s stopped", self._info.id)

    async def stop(self, grace: float) -> None:
        """Claim no more and wait for the end of the shift.

        Args:
            grace: seconds for running tasks; the shortest of several calls counts.
        """
        release_at = self._loop.time() + grace
        self._release_at = release_at if self._release_at is None else min(release_at, self._release_at)
        self._slots.close()
        self._firing.end()
        self._wake.set()
        await self.ended.wait()

    async def _turn(self) -> bool:
        """Make one trip and wait until the next is worth it; False when there is nothing left to do."""
        if self._release_at is not None:
            self._give_back_rest(self._release_at)
        else:
            self._slots.give_back_late()
        if pause := self._budget.pause():
            await asyncio.sleep(pause)
        self._wake.clear()
        try:
            claims = await self._exchange()
        except STORE_TROUBLE as exc:
            if not self._backoff.may_retry(exc) or self._is_over_time():
                raise
            logger.warning("worker %s: %s; trying again", self._info.id, exc)
            await self._backoff.sleep()
            return True
        self._backoff.reset()
        if claims:
            self._slots.take(claims)
        if self._changed and self._slots.running:
            self._changed = False
            with contextlib.suppress(*STORE_TROUBLE):  # met again by the next trip
                self._slots.cancel(await self._backend.stop_requests(self._info.id))
        if not self._slots.outcomes and (self._came_short or self._slots.room() <= 0):
            if self._until_empty and not self._slots.running:
                return self._release_at is None and await self._firing.fire_due()
            await self._doze()
        return True

    async def _exchange(self) -> list[Claim]:
        """Hand over the outcomes that have gathered and claim for the free slots, in one trip."""
        outcomes, self._slots.outcomes = self._slots.outcomes, []
        limit = self._slots.room()
        if not outcomes and limit <= 0:
            return []
        try:
            await self._reports.flush()
            accepted, claims = await self._backend.exchange(
                outcomes, self._info.id, self._info.queues, limit=limit, lease=self._lease
            )
        except (asyncio.CancelledError, *STORE_TROUBLE):
            # What a full disk refused is kept for later; what was written all the same is refused the second time.
            self._slots.outcomes = outcomes + self._slots.outcomes
            raise
        self._came_short = len(claims) < limit
        self._budget.note(finished=len(outcomes), claimed=len(claims), asked=limit)
        for outcome in outcomes if len(accepted) < len(outcomes) else ():
            if outcome.id not in accepted:
                logger.warning("%s attempt %d was taken over; its outcome is dropped", outcome.id, outcome.attempt)
        return claims

    def _start(self, claim: Claim) -> Attempt:
        if self._captures:
            capture.renew()
        logger.info("%s attempt %d of %s begins", claim.id, claim.attempt, claim.name)
        return self._runner.start(claim)

    def _finished(self, outcome: Outcome) -> None:
        """Take the outcome of an attempt, and start the next one at once if it was claimed ahead."""
        if self._slots.finish(outcome):
            logger.info("%s attempt %d ended: %s", outcome.id, outcome.attempt, outcome.cause)
            self._slots.fill()
            self._wake.set()

    async def _doze(self) -> None:
        """Wait for an outcome, a hint from the store, or the time for the next look."""
        timeout = self._poll_interval
        if self._release_at is not None:
            timeout = min(timeout, max(0.01, self._release_at - self._loop.time()))
        elif self._slots.has_waiting:
            timeout = min(timeout, PATIENCE)
        hint = self._loop.create_task(self._backend.wait(self._keys(), timeout=timeout))
        hint.add_done_callback(lambda _: self._wake.set())
        try:
            await self._wake.wait()
        finally:
            hint.cancel()
            await asyncio.wait({hint})  # which, unlike awaiting it, tells its cancellation from that of this worker
            if not hint.cancelled():
                hint.exception()  # trouble with the store is met again by the next trip
        self._changed = True
        self._firing.hint()

    def _keys(self) -> tuple[str, ...]:
        """Name what to wake for: the lanes while there is room, and the running tasks, which may be cancelled."""
        queues = self._info.queues
        running = self._slots.running
        if self._slots.room() <= 0:
            return tuple(running)
        return () if queues is None else (*queues, *running)

    def _give_back_rest(self, release_at: float) -> None:
        """Give back what has not begun, then what still runs when the grace is over, willing or not."""
        self._slots.give_back_waiting()
        if self._loop.time() >= release_at:
            self._slots.release_running()
        if self._is_over_time():
            self._slots.leave_behind()

    def _is_over_time(self) -> bool:
        return self._release_at is not None and self._loop.time() >= self._release_at + _LAST_GRACE

    async def _leave(self) -> None:
        """End what runs and say goodbye, after a stop, a failure of the store or a cancellation alike."""
        self._slots.close()
        self._slots.release_running()
        await self._runner.close()
        await self._reports.close()
        with contextlib.suppress(*STORE_TROUBLE):  # without a goodbye the leases end by themselves
            await self._reports.flush()
            if self._slots.outcomes:
                await self._backend.finish(self._slots.outcomes)
            await self._backend.heartbeat(self._info, {}, lease=0)
