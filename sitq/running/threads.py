"""Daemon threads for sync functions: `concurrent.futures` would wait for them at exit, and hang a kernel for 20 s."""

import asyncio
import collections
import contextlib
import queue
import threading
from collections.abc import Callable
from typing import Any

Job = Callable[[], Any]
Done = Callable[[Any], None]


class ThreadPool:
    """Runs jobs on threads made when needed, and hands what they return to callbacks on the loop.

    Args:
        name: how the threads' names begin.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop = asyncio.get_running_loop()
        self._jobs: queue.SimpleQueue[_Ticket | None] = queue.SimpleQueue()
        self._idle = 0
        self._threads = 0
        self._done: collections.deque[tuple[_Ticket, Any]] = collections.deque()
        self._scheduled = False

    def submit(self, job: Job, done: Done) -> "_Ticket":
        """Run `job` on a thread and call `done` on the loop with what it returns. A job must not raise."""
        ticket = _Ticket(job, done)
        if self._idle:
            self._idle -= 1
        else:
            self._add_thread()
        self._jobs.put(ticket)
        return ticket

    def close(self) -> None:
        """Let idle threads end; busy ones end after their job."""
        for _ in range(self._threads):
            self._jobs.put(None)

    def _add_thread(self) -> None:
        self._threads += 1
        threading.Thread(target=self._work, name=f"{self._name}-{self._threads}", daemon=True).start()

    def _work(self) -> None:
        while (ticket := self._jobs.get()) is not None:
            outcome = None if ticket.abandoned else ticket.job()
            abandoned = ticket.abandoned
            # Many ends within one turn of the loop wake it once.
            self._done.append((ticket, outcome))
            del ticket, outcome
            if not self._scheduled:
                self._scheduled = True
                with contextlib.suppress(RuntimeError):  # the loop has ended, and with it all who wait
                    self._loop.call_soon_threadsafe(self._deliver)
            if abandoned:
                break

    def _deliver(self) -> None:
        self._scheduled = False
        while self._done:
            ticket, outcome = self._done.popleft()
            if not ticket.abandoned:
                self._idle += 1
                ticket.done(outcome)


class _Ticket:
    """One job on its way."""

    __slots__ = ("abandoned", "done", "job")

    def __init__(self, job: Job, done: Done) -> None:
        self.job = job
        self.done = done
        self.abandoned = False

    def abandon(self) -> None:
        """Never call back. The thread cannot be stopped: it ends after its job, and another takes its place."""
        self.abandoned = True
