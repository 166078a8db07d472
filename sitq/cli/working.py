"""Commands that carry calls: run a worker, enqueue a call. Only these load what can unpickle."""

import asyncio
import json
import logging
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sitq.cli.calls import arguments_of, import_from_here, keywords_of, queue_on, serializer_of, serializer_option
from sitq.cli.looking import every_task
from sitq.cli.printing import complain, confirm, print_json
from sitq.cli.stores import filter_options, json_option, query_of, store_argument
from sitq.core import EXECUTORS, TaskStatus
from sitq.exceptions import TaskExecutionError
from sitq.import_paths import import_function
from sitq.inspector import Inspector
from sitq.sanitize import clean_block
from sitq.views import TaskQuery

if TYPE_CHECKING:
    from sitq.queue import TaskQueue


@click.command()
@store_argument
@click.option("--concurrency", type=int, default=10, show_default=True, help="Tasks that run at once.")
@click.option("--queue", "-q", "queues", multiple=True, metavar="NAME", help="Serve this lane only. Repeatable.")
@click.option("--executor", type=click.Choice(EXECUTORS), default=EXECUTORS[0], show_default=True)
@click.option("--burst", is_flag=True, help="End when nothing is due.")
@click.option("--lease", type=float, default=30.0, show_default=True, help="Seconds until others take over.")
@click.option("--grace", type=float, default=30.0, show_default=True, help="Seconds for running tasks at the end.")
@serializer_option
@click.option("--traceback-locals", is_flag=True, help="Store variables with tracebacks, shortened.")
@click.option("--quiet", is_flag=True, help="Log warnings only.")
@click.option("--verbose", is_flag=True, help="Log everything.")
def worker(
    store: str,
    concurrency: int,
    queues: tuple[str, ...],
    executor: str,
    burst: bool,
    lease: float,
    grace: float,
    serializer: str | None,
    traceback_locals: bool,
    quiet: bool,
    verbose: bool,
) -> int:
    """Run tasks until SIGINT or SIGTERM; a second one ends at once."""
    from sitq.worker import Worker

    handler = logging.StreamHandler()
    handler.setFormatter(_HarmlessFormatter("%(asctime)s %(levelname)s %(message)s"))
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, handlers=[handler])
    import_from_here()
    server = Worker(
        store,
        serializer_of(serializer),
        max_concurrency=concurrency,
        queues=queues or None,
        lease=lease,
        grace=grace,
        executor=executor,
        traceback_locals=traceback_locals,
    )
    server.run(until_empty=burst)
    return 0


class _HarmlessFormatter(logging.Formatter):
    """Shows what a terminal would obey as pictures: names of tasks are written by anybody."""

    def format(self, record: logging.LogRecord) -> str:
        return clean_block(super().format(record))


@click.command()
@store_argument
@click.argument("function", metavar="MODULE:FUNCTION")
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@click.option("--kwargs", default="{}", metavar="JSON", help="Keyword arguments, as a JSON object.")
@click.option("--queue", metavar="NAME")
@click.option("--priority", type=int)
@click.option("--delay", type=float, metavar="SECONDS")
@click.option("--timeout", type=float, metavar="SECONDS")
@click.option("--retry", type=int, metavar="ATTEMPTS")
@click.option("--key", metavar="KEY", help="At most one unfinished task holds it.")
@click.option("--name", metavar="NAME")
@click.option("--tag", "tags", multiple=True, metavar="WORD", help="Repeatable.")
@click.option("--executor", type=click.Choice(EXECUTORS))
@serializer_option
@click.option("--wait", is_flag=True, help="Wait for the value, and print it as JSON where that can be.")
@json_option
def enqueue(
    store: str,
    function: str,
    arguments: tuple[str, ...],
    kwargs: str,
    serializer: str | None,
    wait: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Store a call of a function that can be imported, and print its id.

    Each ARGUMENT is JSON: 7, true, '"text"', '[1, 2]'. What is no JSON is taken as text.
    """
    import_from_here()
    given = {name: value for name, value in options.items() if value not in (None, ())}
    call = partial(import_function(function), *arguments_of(arguments), **keywords_of(kwargs))
    return asyncio.run(_enqueue(queue_on(store, serializer), call, given, wait=wait, as_json=as_json))


async def _enqueue(
    opening: "TaskQueue", call: "partial[Any]", options: dict[str, Any], *, wait: bool, as_json: bool
) -> int:
    async with opening as queue:
        handle = await queue.options(**options).enqueue(call.func, *call.args, **call.keywords)
        if not as_json:
            print(handle, flush=True)
        try:
            value = _plain(await handle) if wait else None
        except TaskExecutionError as exc:
            complain(str(exc))
            print(clean_block(exc.traceback or ""), end="", file=sys.stderr)
            return 1
    if as_json:
        print_json({"id": str(handle)} | ({"value": value} if wait else {}))
    elif wait:
        print(json.dumps(value))
    return 0


@click.command()
@store_argument
@click.argument("ids", nargs=-1, metavar="[ID]...")
@filter_options
@click.option("--with", "function", metavar="MODULE:FUNCTION", help="A corrected function, for the same arguments.")
@serializer_option
@click.option("--yes", is_flag=True, help="Do not ask before running what the filters match.")
@json_option
def rerun(
    store: str,
    ids: tuple[str, ...],
    statuses: tuple[str, ...],
    queue: str | None,
    name: str | None,
    function: str | None,
    serializer: str | None,
    yes: bool,
    as_json: bool,
) -> int:
    """Store the calls of tasks again, as new tasks, and print their ids; the failed ones unless a status is given."""
    if bool(statuses or queue or name) == bool(ids):
        raise click.UsageError("give ids, or filters such as --status failed")
    import_from_here()
    which = list(ids) if ids else query_of(statuses or (TaskStatus.FAILED,), queue, name)
    corrected = None if function is None else import_function(function)
    inspector = Inspector(store)
    sender = queue_on(inspector.backend, serializer)
    return asyncio.run(_rerun(inspector, sender, which, corrected, yes=yes, as_json=as_json))


async def _rerun(
    looking: Inspector, opening: "TaskQueue", which: list[str] | TaskQuery, function: Any, *, yes: bool, as_json: bool
) -> int:
    async with looking as inspector, opening as queue:
        if isinstance(which, TaskQuery) and not yes:
            confirm("rerun", len([info async for info in every_task(inspector, which)]))
        handles = await queue.rerun(which, function)
    if as_json:
        print_json({"ids": [str(handle) for handle in handles]})
    else:
        for handle in handles:
            print(handle)
    return 0 if handles else 1


def _plain(value: Any) -> Any:
    """Give a value as JSON can have it; its repr where it cannot."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return repr(value)
    return value
