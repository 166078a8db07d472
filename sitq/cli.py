"""The command `sitq`: run a worker, look at a store, act on its tasks by id."""

import argparse
import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sitq.core import Attempt, TaskInfo, TaskQuery, TaskStatus
from sitq.exceptions import SitqError
from sitq.inspector import Inspector

Action = Callable[[Inspector, argparse.Namespace], Awaitable[int]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code: 0 done, 1 nothing was reached, 2 it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        if arguments.command == "worker":
            return _work(arguments)
        return asyncio.run(_inspect(arguments))
    except SitqError as exc:
        print(f"sitq: {exc}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sitq", description="Background jobs in one SQLite file.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    worker = _command(commands, "worker", "run tasks until SIGINT or SIGTERM")
    worker.add_argument("--concurrency", type=int, default=10, metavar="N", help="tasks that run at once (default 10)")
    worker.add_argument("--queue", action="append", metavar="NAME", help="serve this lane only; may be repeated")
    worker.add_argument("--lease", type=float, default=30.0, metavar="SECONDS", help="default 30")
    worker.add_argument("--grace", type=float, default=30.0, metavar="SECONDS", help="for running tasks at the end")
    worker.add_argument("--until-empty", action="store_true", help="end when nothing is due")
    worker.add_argument("--quiet", action="store_true", help="log warnings only")
    listing = _command(commands, "list", "list tasks, newest first")
    listing.add_argument("--status", action="append", choices=[str(status) for status in TaskStatus])
    listing.add_argument("--queue", metavar="NAME")
    listing.add_argument("--name", metavar="PATTERN", help="* stands for any text")
    listing.add_argument("--limit", type=int, default=20, metavar="N")
    listing.add_argument("--json", action="store_true", help="one JSON object a line")
    _command(commands, "stats", "count tasks and list workers").add_argument("--json", action="store_true")
    _command(commands, "show", "show a task and its attempts").add_argument("id")
    for name, text in (
        ("cancel", "cancel pending tasks, ask running ones to stop"),
        ("requeue", "run failed and cancelled tasks again"),
        ("delete", "remove tasks that are not running"),
    ):
        _command(commands, name, text).add_argument("id", nargs="+")
    _command(commands, "pause", "stop handing out a lane's tasks").add_argument("queue", metavar="QUEUE")
    _command(commands, "resume", "hand out a lane's tasks again").add_argument("queue", metavar="QUEUE")
    purge = _command(commands, "purge", "remove ended tasks whose retention is over")
    purge.add_argument("--older-than", type=float, metavar="SECONDS", help="whatever their own retention is")
    return parser


def _command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=text, description=f"{text.capitalize()}.")
    parser.add_argument("store", metavar="STORE", help="path of the file, or URL")
    return parser


def _work(arguments: argparse.Namespace) -> int:
    from sitq.worker import Worker  # the other commands never load what can unpickle

    logging.basicConfig(
        level=logging.WARNING if arguments.quiet else logging.INFO,
        format="%(asctime)s %(levelname)s %(message)s",
    )
    sys.path.insert(0, os.getcwd())  # as `python script.py` has it: importable functions arrive by name
    worker = Worker(
        arguments.store,
        max_concurrency=arguments.concurrency,
        queues=arguments.queue,
        lease=arguments.lease,
        grace=arguments.grace,
    )
    if arguments.until_empty:
        asyncio.run(worker.run_until_empty())
    else:
        worker.run()
    return 0


async def _inspect(arguments: argparse.Namespace) -> int:
    async with Inspector(arguments.store) as inspector:
        return await _ACTIONS[arguments.command](inspector, arguments)


async def _list(inspector: Inspector, arguments: argparse.Namespace) -> int:
    statuses = tuple(TaskStatus(status) for status in arguments.status or ())
    query = TaskQuery(statuses=statuses, queue=arguments.queue, name=arguments.name, limit=arguments.limit)
    now = datetime.now(UTC)
    for info in await inspector.list_tasks(query):
        print(json.dumps(asdict(info), default=str) if arguments.json else _line(info, now))
    return 0


async def _stats(inspector: Inspector, arguments: argparse.Namespace) -> int:
    stats = await inspector.stats()
    if arguments.json:
        print(json.dumps(asdict(stats), default=str))
        return 0
    print(f"{'queue':20} {'pending':>9} {'running':>9} {'success':>9} {'failed':>9} {'cancelled':>9}")
    for queue in stats.queues:
        counts = (queue.pending, queue.running, queue.success, queue.failed, queue.cancelled)
        paused = "  paused" if queue.paused else ""
        print(f"{_clean(queue.queue):20} " + " ".join(f"{count:9}" for count in counts) + paused)
    for worker in stats.workers:
        state = f"{worker.running} of {worker.max_concurrency} running" if worker.alive else "stopped"
        print(f"worker {_clean(worker.id)} on Python {_clean(worker.python)}: {state}")
    return 0


async def _show(inspector: Inspector, arguments: argparse.Namespace) -> int:
    info = await inspector.get_task(arguments.id)
    if info is None:
        print(f"sitq: there is no task {arguments.id} in {arguments.store}", file=sys.stderr)
        return 1
    for name, value in asdict(info).items():
        if value not in (None, (), "", False):
            print(f"{name:16} {_clean(str(value))}")
    for attempt in await inspector.attempts(arguments.id):
        print(_attempt(attempt))
    return 0


async def _act(inspector: Inspector, arguments: argparse.Namespace) -> int:
    verb: Callable[[list[str]], Awaitable[set[str]]] = getattr(inspector, arguments.command)
    reached = await verb(arguments.id)
    for task_id in arguments.id:
        print(f"{_clean(task_id)} {arguments.command if task_id in reached else 'not reached'}")
    return 0 if reached else 1


async def _switch(inspector: Inspector, arguments: argparse.Namespace) -> int:
    verb: Callable[[str], Awaitable[None]] = getattr(inspector, arguments.command)
    await verb(arguments.queue)
    return 0


async def _purge(inspector: Inspector, arguments: argparse.Namespace) -> int:
    print(f"{await inspector.purge(older_than=arguments.older_than)} removed")
    return 0


_ACTIONS: dict[str, Action] = {
    "list": _list,
    "stats": _stats,
    "show": _show,
    "cancel": _act,
    "requeue": _act,
    "delete": _act,
    "pause": _switch,
    "resume": _switch,
    "purge": _purge,
}


def _line(info: TaskInfo, now: datetime) -> str:
    what = info.error or info.arguments or ""
    return f"{info.id} {info.phase(now):10} {_clean(info.queue):10} {_clean(info.name):30} {_clean(what)}".rstrip()


def _attempt(attempt: Attempt) -> str:
    ended = "running" if attempt.cause is None else str(attempt.cause)
    head = f"attempt {attempt.attempt} on {_clean(attempt.worker or '?')}: {ended}"
    if attempt.traceback:
        return f"{head}\n{_clean(attempt.traceback, keep=chr(10))}"
    return f"{head} {_clean(attempt.error or '')}".rstrip()


def _clean(text: str, keep: str = "") -> str:
    """Show what a terminal would obey, escape sequences and the like, as escaped text."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
