"""Commands that carry calls: run a worker, enqueue a call. Only these load what can unpickle."""

import asyncio
import json
import logging
import os
import sys
from functools import partial
from typing import Any

import click

from sitq._portable import import_function
from sitq.cli.stores import store_argument
from sitq.core import EXECUTORS
from sitq.sanitize import clean


@click.command()
@store_argument
@click.option("--concurrency", type=int, default=10, show_default=True, help="Tasks that run at once.")
@click.option("--queue", "-q", "queues", multiple=True, metavar="NAME", help="Serve this lane only. Repeatable.")
@click.option("--executor", type=click.Choice(EXECUTORS), default=EXECUTORS[0], show_default=True)
@click.option("--burst", is_flag=True, help="End when nothing is due.")
@click.option("--lease", type=float, default=30.0, show_default=True, help="Seconds until others take over.")
@click.option("--grace", type=float, default=30.0, show_default=True, help="Seconds for running tasks at the end.")
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
    quiet: bool,
    verbose: bool,
) -> int:
    """Run tasks until SIGINT or SIGTERM; a second one ends at once."""
    from sitq.worker import Worker

    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
    _import_from_here()
    server = Worker(
        store, max_concurrency=concurrency, queues=queues or None, lease=lease, grace=grace, executor=executor
    )
    if burst:
        asyncio.run(server.run_until_empty())
    else:
        server.run()
    return 0


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
@click.option("--wait", is_flag=True, help="Wait for the value, and print it as JSON where that can be.")
def enqueue(store: str, function: str, arguments: tuple[str, ...], kwargs: str, wait: bool, **options: Any) -> int:
    """Store a call of a function that can be imported, and print its id.

    Each ARGUMENT is JSON: 7, true, '"text"', '[1, 2]'. What is no JSON is taken as text.
    """
    _import_from_here()
    given = {name: value for name, value in options.items() if value not in (None, ())}
    call = partial(import_function(function), *map(_argument, arguments), **_keywords(kwargs))
    return asyncio.run(_enqueue(store, call, given, wait=wait))


async def _enqueue(store: str, call: "partial[Any]", options: dict[str, Any], *, wait: bool) -> int:
    from sitq.queue import TaskQueue

    async with TaskQueue(store) as queue:
        handle = await queue.options(**options).enqueue(call.func, *call.args, **call.keywords)
        print(handle, flush=True)
        if wait:
            print(_as_json(await handle))
    return 0


def _import_from_here() -> None:
    """Find modules of the current folder, as `python script.py` does."""
    sys.path.insert(0, os.getcwd())


def _argument(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _keywords(text: str) -> dict[str, Any]:
    try:
        keywords = json.loads(text)
    except ValueError as exc:
        raise click.BadParameter(f"must be a JSON object such as '{{\"x\": 1}}', got {text}: {exc}") from exc
    if not isinstance(keywords, dict):
        raise click.BadParameter(f"must be a JSON object such as '{{\"x\": 1}}', got {text}")
    return keywords


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value)
    except (TypeError, ValueError):
        return clean(repr(value), 4000)
