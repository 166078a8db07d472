"""Builds the records that the suite sends through a backend, and takes the steps that many tests begin with."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeVar

from sitq._process import this_process
from sitq.backends.base import Backend
from sitq.core import Cause, Claim, Outcome, Task, TaskStatus, WorkerInfo, new_task_id
from sitq.views import TaskInfo, TaskQuery

T = TypeVar("T")

HOUR = 3600.0
THIS_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

_worker_numbers = count(1)


def make_task(**overrides: Any) -> Task:
    return Task(**{"id": new_task_id(), "name": "greet", "payload": b"payload", **overrides})


def make_worker(**overrides: Any) -> WorkerInfo:
    """A worker that lives in this process, so that nobody takes it for surely dead."""
    process = this_process()
    facts = {
        "id": f"worker-{next(_worker_numbers)}",
        "host": process.host,
        "pid": process.pid,
        "process": process.token,
        "queues": None,
        "max_concurrency": 10,
        "python": THIS_PYTHON,
        "started_at": datetime.now(UTC),
    }
    return WorkerInfo(**{**facts, **overrides})


def make_dead_worker() -> WorkerInfo:
    """A worker whose process has surely ended: its pid belongs to a process that started at another moment."""
    worker = make_worker()
    boot, namespace, _ = worker.process.split("/")
    return replace(worker, process=f"{boot}/{namespace}/0")


async def register(backend: Backend, worker: WorkerInfo | None = None, *, lease: float = 30.0) -> WorkerInfo:
    worker = worker or make_worker()
    await backend.heartbeat(worker, {}, lease=lease)
    return worker


async def claim_all(
    backend: Backend, worker: WorkerInfo, queues: Sequence[str] | None = None, *, limit: int = 1000
) -> list[Claim]:
    """Claim until nothing more is handed out."""
    claims: list[Claim] = []
    while batch := await backend.claim(worker.id, queues, limit=limit, lease=30.0):
        claims += batch
    return claims


async def run_one(backend: Backend, worker: WorkerInfo, **overrides: Any) -> Claim:
    """Enqueue one task and claim it."""
    task = make_task(**overrides)
    await backend.enqueue([task])
    (claim,) = await claim_all(backend, worker)
    return claim


async def lose(backend: Backend, claims: Sequence[Claim], worker: WorkerInfo, to: WorkerInfo) -> list[Claim]:
    """Let a worker's lease run out, and the other one take over what it held."""
    await backend.heartbeat(worker, {claim.id: claim.attempt for claim in claims}, lease=0.05)
    return await eventually(lambda: claim_all(backend, to))


async def eventually(probe: Callable[[], Awaitable[T]], *, within: float = 3.0) -> T:
    """Ask until the answer is truthy, and give it back; after `within` seconds give back whatever came last."""
    deadline = time.monotonic() + within
    answer = await probe()
    while not answer and time.monotonic() < deadline:
        await asyncio.sleep(0.01)
        answer = await probe()
    return answer


async def look_up(backend: Backend, task_id: str) -> TaskInfo:
    (info,) = await backend.list_tasks(TaskQuery(ids=(task_id,)))
    return info


def success(claim: Claim, value: bytes | None = b"value") -> Outcome:
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.SUCCESS,
        cause=Cause.SUCCESS,
        value=value,
    )


def failure(claim: Claim, cause: Cause = Cause.ERROR) -> Outcome:
    return Outcome(
        id=claim.id,
        attempt=claim.attempt,
        queue=claim.queue,
        status=TaskStatus.FAILED,
        cause=cause,
        error="ValueError: no",
        traceback="Traceback: line 1\nValueError: no\n",
        duration=0.001,
    )


def cancellation(claim: Claim) -> Outcome:
    return Outcome(
        id=claim.id, attempt=claim.attempt, queue=claim.queue, status=TaskStatus.CANCELLED, cause=Cause.CANCELLED
    )


def retry(claim: Claim, cause: Cause = Cause.ERROR, delay: float = 0.0) -> Outcome:
    """Put the task back after an attempt that ended for `cause`."""
    return failure(claim, cause)._replace(status=TaskStatus.PENDING, delay=delay)
