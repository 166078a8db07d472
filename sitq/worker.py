"""The worker's door: claims tasks, runs them with bounded concurrency, and hands their outcomes back."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from os import PathLike
from typing import Self

from sitq._process import this_process
from sitq.backends import as_backend
from sitq.backends.base import Backend
from sitq.core import Cause, Claim, Outcome, WorkerInfo
from sitq.exceptions import BackendError, ResourceExhaustionError, WorkerError
from sitq.heartbeat import Heartbeat
from sitq.pacing import Backoff, Pace, TripBudget
from sitq.runner import Attempt, Runner, lost, stopped
from sitq.serialization import Serializer, call_serializer
from sitq.validation import at_least_one, not_negative, positive, queue_names

logger = logging.getLogger(__name__)

# Tasks that killed their worker this often are failed without running once more.
MAX_CRASHES = 3


class Worker:
    """Runs tasks: async functions on its event loop, all others on daemon threads.

    Args:
        backend: a backend, or a path or URL. A backend that was open before stays open.
        serializer: must read what the queue's serializer writes; cloudpickle's unless given.
        max_concurrency: how many tasks run at once.
        poll_interval: seconds between two looks at the store when nothing wakes the worker.
        queues: lanes to serve; None means all.
        lease: seconds after which others take over, if this worker's heartbeats stop and its process cannot be asked.
        grace: seconds that `stop` gives running tasks.

    Raises:
        ValidationError: an argument cannot be right.
    """

    def __init__(
        self,
        backend: Backend | str | PathLike[str] | None = None,
        serializer: Serializer | None = None,
        max_concurrency: int = 10,
        poll_interval: float = 1.0,
        *,
        queues: Sequence[str] | None = None,
        lease: float = 30.0,
        grace: float = 30.0,
    ) -> None:
        self._limit = at_least_one("max_concurrency", max_concurrency)
        self._poll_interval = positive("poll_interval", poll_interval)
        self._lease = positive("lease", lease)
        self._grace = not_negative("grace", grace)
        self._queues = queue_names(queues)
        self._serializer = call_serializer(serializer)
        self.backend, _ = as_backend(backend)
        self.info = _describe(self._queues, self._limit)
        self._running: dict[str, Attempt] = {}
        self._claimed: list[Claim] = []  # claimed ahead, the next one last
        self._outcomes: list[Outcome] = []
        self._pace = Pace(self._limit)
        self._stopping = False
        self._burst = False
        self._release_at: float | None = None
        self._wake: asyncio.Event | None = None
        self._ended: asyncio.Event | None = None
        self._background: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Worker {self.info.id} on {self.backend!r}: {len(self._running)} of {self._limit} running>"

    async def start(self) -> None:
        """Serve until `stop` is called.

        Raises:
            WorkerError: it is running already.
            BackendError: the store failed in a way that waiting does not cure.
        """
        if self._ended is not None and not self._ended.is_set():
            raise WorkerError(f"worker {self.info.id} is running already; make another one")
        self._wake, self._ended = asyncio.Event(), asyncio.Event()
        opened = not self.backend.connected
        try:
            await self.backend.connect()
            await self._serve()
        finally:
            self._ended.set()
            self._stopping = self._burst = False
            if opened:
                await self.backend.close()

    async def stop(self, grace: float | None = None) -> None:
        """Claim no more, give running tasks time to end, give the rest back unspent, and wait until that is done.

        A call before `start` is remembered.

        Args:
            grace: seconds for running tasks; None means the worker's own.
        """
        seconds = self._grace if grace is None else not_negative("grace", grace)
        self._stopping = True
        if self._ended is None or self._wake is None or self._ended.is_set():
            return
        release_at = asyncio.get_running_loop().time() + seconds
        self._release_at = release_at if self._release_at is None else min(release_at, self._release_at)
        self._wake.set()
        await self._ended.wait()

    async def run_until_empty(self, timeout: float | None = None) -> None:
        """Serve until nothing of this worker's lanes is due and nothing runs here.

        Args:
            timeout: seconds; None means as long as it takes.

        Raises:
            TimeoutError: the time is up; what ran was given back.
        """
        self._burst = True
        async with asyncio.timeout(timeout):
            await self.start()

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, in a script of its own. A second signal ends without grace."""
        asyncio.run(self._run_with_signals())

    async def __aenter__(self) -> Self:
        self._background = asyncio.get_running_loop().create_task(self.start())
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        background, self._background = self._background, None
        if background is not None:
            await asyncio.sleep(0)  # a task that has not begun would never see the stop
            await self.stop()
            await background

    async def _run_with_signals(self) -> None:
        loop = asyncio.get_running_loop()
        stops: set[asyncio.Task[None]] = set()

        def ask() -> None:
            stops.add(loop.create_task(self.stop(0 if stops else None)))

        for name in ("SIGINT", "SIGTERM"):
            if sys.platform == "win32":
                signal.signal(getattr(signal, name), lambda *_: loop.call_soon_threadsafe(ask))
            else:
                loop.add_signal_handler(getattr(signal, name), ask)
        await self.start()
        await asyncio.gather(*stops)

    async def _serve(self) -> None:
        runner = Runner(self._serializer, self._finished)
        await self.backend.heartbeat(self.info, {}, lease=self._lease)
        heartbeat = Heartbeat(self.backend.twin(), self.info, self._held, self._on_stops, lease=self._lease)
        heartbeat.start()
        logger.info("worker %s started, max_concurrency=%d", self.info.id, self._limit)
        try:
            await self._work(runner)
        except asyncio.CancelledError:
            self._release_all()
            await asyncio.shield(self._exchange(limit=0))
            raise
        finally:
            heartbeat.stop()
            runner.close()
            with contextlib.suppress(BackendError, ResourceExhaustionError):
                await self.backend.heartbeat(self.info, {}, lease=0)
            self._release_at = None
            logger.info("worker %s stopped", self.info.id)

    async def _work(self, runner: Runner) -> None:
        backoff, budget = Backoff(), TripBudget(asyncio.get_running_loop().time)
        while not self._stopping or self._running or self._outcomes:
            if self._stopping:
                self._give_back_rest()
            if pause := budget.pause():
                await asyncio.sleep(pause)
            assert self._wake is not None
            self._wake.clear()
            flushed = len(self._outcomes)
            try:
                claims = await self._exchange(limit=0 if self._stopping else self._room())
            except (BackendError, ResourceExhaustionError) as exc:
                if not backoff.may_retry(exc):
                    raise
                logger.warning("worker %s: %s; trying again", self.info.id, exc)
                await backoff.sleep()
                continue
            backoff.reset()
            budget.note(flushed + len(claims))
            self._begin(claims, runner)
            if not claims and not self._outcomes:
                if self._burst and not self._running:
                    break
                await self._doze()
            elif not self._outcomes and (self._stopping or self._room() <= 0):
                await self._wake.wait()

    def _room(self) -> int:
        """How many tasks to claim now: at most half of what may be held, so that one half runs while one comes."""
        held = self._limit + self._pace.ahead
        return min(held - len(self._running) - len(self._claimed), (held + 1) // 2)

    async def _exchange(self, *, limit: int) -> list[Claim]:
        """Hand over the outcomes that have gathered and claim up to `limit` tasks, in one trip."""
        outcomes, self._outcomes = self._outcomes, []
        if not outcomes and limit <= 0:
            return []
        try:
            accepted, claims = await self.backend.exchange(
                outcomes, self.info.id, self._queues, limit=limit, lease=self._lease
            )
        except (BackendError, ResourceExhaustionError):
            self._outcomes = outcomes + self._outcomes  # what a full disk refused is kept for later
            raise
        if len(accepted) < len(outcomes):
            for outcome in outcomes:
                if outcome.id not in accepted:
                    logger.warning("%s attempt %d was taken over; its outcome is dropped", outcome.id, outcome.attempt)
        return claims

    def _begin(self, claims: list[Claim], runner: Runner) -> None:
        """Start what there is room for, in the order of the claims; the rest waits here."""
        if claims:
            self._claimed = [*reversed(claims), *self._claimed]
        while self._claimed and len(self._running) < self._limit and not self._stopping:
            claim = self._claimed.pop()
            if claim.crashes >= MAX_CRASHES:
                self._outcomes.append(lost(claim))
                continue
            logger.info("%s attempt %d of %s begins", claim.id, claim.attempt, claim.name)
            self._running[claim.id] = runner.start(claim)
        self._runner = runner

    def _finished(self, outcome: Outcome) -> None:
        """Take the outcome of an attempt, and start the next one at once if it was claimed ahead."""
        self._running.pop(outcome.id, None)
        self._outcomes.append(outcome)
        self._pace.note(outcome.duration)
        logger.info("%s attempt %d ended: %s", outcome.id, outcome.attempt, outcome.cause)
        if self._claimed and not self._stopping:
            self._begin([], self._runner)
        assert self._wake is not None
        self._wake.set()

    async def _doze(self) -> None:
        """Wait for an outcome, a hint from the store, or the time for the next look."""
        assert self._wake is not None
        keys = () if self._queues is None else (*self._queues, *self._running)
        timeout = self._poll_interval
        if self._stopping and self._release_at is not None:
            timeout = min(timeout, max(0.0, self._release_at - asyncio.get_running_loop().time()))
        hint = asyncio.get_running_loop().create_task(self.backend.wait(keys, timeout=timeout))
        hint.add_done_callback(partial(_set, self._wake))
        try:
            await self._wake.wait()
        finally:
            hint.cancel()
            with contextlib.suppress(asyncio.CancelledError, BackendError):
                await hint
        if self._running and not self._outcomes:
            self._obey(await self.backend.stop_requests(self.info.id), Cause.CANCELLED)

    def _held(self) -> dict[str, int]:
        """Attempt by task id, for the heartbeat's thread."""
        return {attempt.claim.id: attempt.claim.attempt for attempt in list(self._running.values())} | {
            claim.id: claim.attempt for claim in list(self._claimed)
        }

    def _on_stops(self, ids: set[str]) -> None:
        self._obey(ids, Cause.CANCELLED)

    def _obey(self, ids: set[str], cause: Cause) -> None:
        """Stop those that somebody cancelled or that others took over; an outcome of the latter is refused anyway."""
        for attempt in [attempt for task_id, attempt in self._running.items() if task_id in ids]:
            attempt.stop(cause)
        for claim in [claim for claim in self._claimed if claim.id in ids]:
            self._claimed.remove(claim)
            self._outcomes.append(stopped(claim, cause, asyncio.get_running_loop().time()))

    def _give_back_rest(self) -> None:
        """Give back what has not begun, and what still runs when the grace is over."""
        now = asyncio.get_running_loop().time()
        self._outcomes += [stopped(claim, Cause.RELEASED, now) for claim in self._claimed]
        self._claimed = []
        if self._release_at is not None and now >= self._release_at:
            self._release_all()

    def _release_all(self) -> None:
        for attempt in list(self._running.values()):
            attempt.stop(Cause.RELEASED)


def _describe(queues: Sequence[str] | None, max_concurrency: int) -> WorkerInfo:
    process = this_process()
    return WorkerInfo(
        id=f"{process.host}:{process.pid}:{os.urandom(3).hex()}",
        host=process.host,
        pid=process.pid,
        process=process.token,
        queues=None if queues is None else tuple(queues),
        max_concurrency=max_concurrency,
        python=f"{sys.version_info.major}.{sys.version_info.minor}",
        started_at=datetime.now(UTC),
    )


def _set(event: asyncio.Event, _: "asyncio.Task[None]") -> None:
    event.set()
