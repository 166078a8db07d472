"""A real store for the monitor to look at, filled through the verbs that queue and worker use."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sitq._process import this_process
from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Cause, Claim, Outcome, Task, TaskStatus, WorkerInfo, new_task_id
from sitq.recurring import Schedule
from sitq.views import TaskInfo, TaskQuery

WORKER = "worker-1"
TRACEBACK = 'Traceback (most recent call last):\n  File "feeds.py", line 84, in sync\n    parse(line)\nValueError: no\n'


@dataclass
class FilledStore:
    """A connected backend with a worker of its own, and short words for what happens to tasks."""

    path: Path
    backend: SQLiteBackend

    async def enqueue(self, name: str = "greet", **overrides: Any) -> str:
        task = Task(**({"id": new_task_id(), "name": name, "payload": b"\x80not a pickle"} | overrides))
        await self.backend.enqueue([task])
        return task.id

    async def enqueue_many(self, number: int) -> None:
        for start in range(0, number, 1000):
            count = min(1000, number - start)
            await self.backend.enqueue([Task(id=new_task_id(), name="greet", payload=b"") for _ in range(count)])

    async def list(self) -> list[TaskInfo]:
        return await self.backend.list_tasks(TaskQuery())

    async def run(self, name: str = "greet", **overrides: Any) -> Claim:
        """Enqueue a task and let the worker take it."""
        await self.register(WORKER)
        task_id = await self.enqueue(name, priority=1, **overrides)
        (claim,) = await self.backend.claim(WORKER, None, limit=1, lease=60.0)
        assert claim.id == task_id
        return claim

    async def schedule(self, name: str) -> None:
        """Let a task of this name recur."""
        task = Task(id=new_task_id(), name=name, payload=b"", queue=name)
        await self.backend.put_schedule(Schedule(name=name, task=task, every=3600.0, next_at=datetime.now(UTC)))

    async def register(self, worker_id: str) -> None:
        """Let a worker of this name say that it lives."""
        process = this_process()
        worker = WorkerInfo(
            id=worker_id,
            host=process.host,
            pid=process.pid,
            process=process.token,
            queues=None,
            max_concurrency=1,
            python=f"{sys.version_info.major}.{sys.version_info.minor}",
            started_at=datetime.now(UTC),
        )
        await self.backend.heartbeat(worker, {}, lease=60.0)

    async def finish(self, claim: Claim, status: TaskStatus, **overrides: Any) -> str:
        cause = Cause.SUCCESS if status is TaskStatus.SUCCESS else Cause.ERROR
        await self.backend.finish([Outcome(claim.id, claim.attempt, claim.queue, status, cause, **overrides)])
        return claim.id

    async def succeed(self, name: str = "greet", **overrides: Any) -> str:
        return await self.finish(await self.run(name, **overrides), TaskStatus.SUCCESS, value=b"\x80value")

    async def fail(self, name: str = "greet", error: str = "ValueError: no", traceback: str = TRACEBACK) -> str:
        return await self.finish(await self.run(name), TaskStatus.FAILED, error=error, traceback=traceback)

    async def look_up(self, task_id: str) -> TaskInfo:
        (info,) = await self.backend.list_tasks(TaskQuery(ids=(task_id,)))
        return info
