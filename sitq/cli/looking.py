"""Commands that only look: list, show, logs, stats, export."""

import sys
from collections.abc import AsyncIterator
from dataclasses import asdict, replace

import click

from sitq.cli.printing import complain, note_of, phase_of, print_json, print_table
from sitq.cli.stores import filter_options, json_option, query_of, with_inspector
from sitq.inspector import Inspector
from sitq.sanitize import clean, clean_block
from sitq.views import Attempt, OutputChunk, TaskInfo, TaskQuery

_PAGE = 500


@click.command("list")
@with_inspector
@filter_options
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most so many.")
@json_option
async def list_(
    inspector: Inspector, statuses: tuple[str, ...], queue: str | None, name: str | None, limit: int, as_json: bool
) -> int:
    """List tasks, newest first."""
    infos = await inspector.list_tasks(query_of(statuses, queue, name, limit=limit))
    if as_json:
        for info in infos:
            print_json(info)
        return 0
    rows = [(info.id, phase_of(info), clean(info.queue), clean(info.name), note_of(info)) for info in infos]
    print_table(("ID", "STATE", "QUEUE", "NAME", "ERROR / ARGUMENTS"), rows, spared=("QUEUE", "ERROR / ARGUMENTS"))
    return 0


@click.command()
@with_inspector
@click.argument("task_id", metavar="ID")
@json_option
async def show(inspector: Inspector, task_id: str, as_json: bool) -> int:
    """Show a task and its attempts, with tracebacks."""
    info = await inspector.get_task(task_id)
    if info is None:
        complain(f"there is no task {task_id}; give a whole id, as sitq list prints it")
        return 1
    attempts = await inspector.attempts(task_id)
    if as_json:
        print_json(asdict(info) | {"attempts": [asdict(attempt) for attempt in attempts]})
        return 0
    for name, value in asdict(info).items():
        if value not in (None, (), "", False):
            print(f"{name:16} {clean(str(value), 4000)}")
    for attempt in attempts:
        print(_attempt(attempt))
    return 0


def _attempt(attempt: Attempt) -> str:
    ended = "running" if attempt.cause is None else str(attempt.cause)
    head = f"attempt {attempt.attempt} on {clean(attempt.worker or '?')}: {ended}"
    if attempt.traceback:
        return f"{head}\n{clean_block(attempt.traceback)}"
    return f"{head} {clean(attempt.error or '')}".rstrip()


@click.command()
@with_inspector
@click.argument("task_id", metavar="ID")
@click.option("-f", "--follow", is_flag=True, help="Go on until the task has ended.")
@click.option("--raw", is_flag=True, help="Print control characters as they are. Only for tasks that you trust.")
@json_option
async def logs(inspector: Inspector, task_id: str, follow: bool, raw: bool, as_json: bool) -> int:
    """Print what a task has written, its stderr to stderr."""
    if await inspector.get_task(task_id) is None:
        complain(f"there is no task {task_id}; give a whole id, as sitq list prints it")
        return 1
    async for chunk in inspector.follow_output(task_id) if follow else _all_output(inspector, task_id):
        if as_json:
            print_json(chunk)
        else:
            _write(chunk.stream, chunk.text, raw)
    return 0


async def _all_output(inspector: Inspector, task_id: str) -> AsyncIterator[OutputChunk]:
    after = 0
    while chunks := await inspector.output(task_id, after=after):
        for chunk in chunks:
            yield chunk
        after = chunks[-1].seq


def _write(stream: str, text: str, raw: bool) -> None:
    print(text if raw else clean_block(text), end="", file=sys.stderr if stream == "stderr" else sys.stdout, flush=True)


@click.command()
@with_inspector
@json_option
async def stats(inspector: Inspector, as_json: bool) -> int:
    """Count tasks by lane and state, and list workers."""
    seen = await inspector.stats()
    if as_json:
        print_json(seen)
        return 0
    titles = ("QUEUE", "PENDING", "SCHEDULED", "RUNNING", "SUCCESS", "FAILED", "CANCELLED", "")
    rows = [
        (
            clean(lane.queue),
            *(
                f"{count:,}"
                for count in (lane.pending, lane.scheduled, lane.running, lane.success, lane.failed, lane.cancelled)
            ),
            "paused" if lane.paused else "",
        )
        for lane in seen.queues
    ]
    print_table(titles, rows, numbers=titles[1:-1], spared=("SCHEDULED", "CANCELLED"))
    for worker in seen.workers:
        state = f"{worker.running} of {worker.max_concurrency} running" if worker.alive else "stopped"
        print(f"worker {clean(worker.id)} on Python {clean(worker.python)}: {state}")
    return 0


@click.command()
@with_inspector
@filter_options
async def export(inspector: Inspector, statuses: tuple[str, ...], queue: str | None, name: str | None) -> int:
    """Print all tasks as JSON, one to a line, newest first; payloads and values stay in the store."""
    async for info in every_task(inspector, query_of(statuses, queue, name)):
        print_json(info)
    return 0


async def every_task(inspector: Inspector, query: TaskQuery) -> AsyncIterator[TaskInfo]:
    """Page through all tasks that a query matches."""
    query = replace(query, limit=_PAGE)
    while infos := await inspector.list_tasks(query):
        for info in infos:
            yield info
        query = replace(query, before=infos[-1].id)
