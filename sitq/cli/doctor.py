"""Looks a store over: what is wrong with it, and what might become so."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from sitq.backends.sqlite import SQLiteBackend
from sitq.backends.sqlite.files import store_file
from sitq.backends.sqlite.schema import SCHEMA_VERSION
from sitq.cli.printing import print_json
from sitq.cli.stores import json_option, with_inspector
from sitq.core import TaskStatus
from sitq.inspector import Inspector
from sitq.sanitize import clean
from sitq.views import Stats, TaskInfo, TaskQuery

_LARGE_WAL = 64 * 1024**2  # bytes


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    found: str
    wrong: bool = False


@click.command()
@with_inspector
@click.option("--deep", is_flag=True, help="Read the whole file for damage.")
@json_option
async def doctor(inspector: Inspector, deep: bool, as_json: bool) -> int:
    """Look a store over; the exit code is 1 when something is wrong."""
    running = await inspector.list_tasks(TaskQuery(statuses=(TaskStatus.RUNNING,), limit=1000))
    pending = await inspector.list_tasks(TaskQuery(statuses=(TaskStatus.PENDING,), limit=1000))
    findings = [*_of_tasks(running, pending), *_of_workers(await inspector.stats())]
    if isinstance(inspector.backend, SQLiteBackend):
        findings = [*_of_file(inspector.backend.path, deep), *findings]
    for finding in findings:
        if as_json:
            print_json(finding)
        else:
            print(f"{'WRONG' if finding.wrong else 'ok':6} {finding.what:12} {clean(finding.found)}")
    return 1 if any(finding.wrong for finding in findings) else 0


def _of_tasks(running: list[TaskInfo], pending: list[TaskInfo]) -> Iterator[Finding]:
    stalled = [info for info in running if info.stalled]
    yield Finding("stalled", _ids(stalled) or "no running task without a living worker", bool(stalled))
    waiting = {info.waits_for for info in pending if info.waits_for and "Python" in info.waits_for}
    yield Finding(
        "python", f"tasks wait for {', '.join(sorted(waiting))}" if waiting else "no task waits", bool(waiting)
    )


def _ids(infos: list[TaskInfo]) -> str:
    return ", ".join(info.id for info in infos[:5]) + (f" and {len(infos) - 5} more" if len(infos) > 5 else "")


def _of_workers(stats: Stats) -> Iterator[Finding]:
    alive = [worker for worker in stats.workers if worker.alive]
    lost = [worker for worker in stats.workers if not worker.alive and worker.running]
    due = [lane for lane in stats.queues if lane.oldest_due_at is not None and not lane.paused]
    idle = bool(due) and not alive
    yield Finding("workers", "tasks are due, and no worker lives" if idle else f"{len(alive)} alive", idle)
    yield Finding("dead", ", ".join(worker.id for worker in lost) or "no dead worker holds tasks", bool(lost))
    if due:
        oldest = min(lane.oldest_due_at for lane in due if lane.oldest_due_at is not None)
        yield Finding("oldest", f"due for {(datetime.now(UTC) - oldest).total_seconds():.0f} s")
    for lane in stats.queues:
        if lane.paused:
            yield Finding("paused", f"lane {lane.queue}, {lane.pending} pending")


def _of_file(path: str, deep: bool) -> Iterator[Finding]:
    file = Path(path)
    wal = Path(f"{path}-wal")
    wal_size = wal.stat().st_size if wal.exists() else 0
    yield Finding("schema", f"version {SCHEMA_VERSION}")
    yield Finding("size", f"{file.stat().st_size / 1e6:.1f} MB")
    yield Finding("wal", f"{wal_size / 1e6:.1f} MB", wal_size > _LARGE_WAL)
    shared = store_file(path).shared
    yield Finding("folder", "network or cloud-sync, slow and unsafe for many" if shared else "local", shared)
    mode = file.stat().st_mode & 0o077
    yield Finding("mode", f"{oct(file.stat().st_mode & 0o777)[2:]}", os.name == "posix" and bool(mode & 0o022))
    if deep:
        yield from _of_pages(path)


def _of_pages(path: str) -> Iterator[Finding]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        free, pages = (db.execute(f"pragma {name}").fetchone()[0] for name in ("freelist_count", "page_count"))
        yield Finding("free", f"{free:,} of {pages:,} pages")
        (answer,) = db.execute("pragma integrity_check").fetchone()
        yield Finding("integrity", str(answer), answer != "ok")
