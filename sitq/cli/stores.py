"""What most commands begin with: a store, and a window on it."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec

import click

from sitq.core import TaskStatus
from sitq.inspector import Inspector
from sitq.views import TaskQuery

P = ParamSpec("P")

store_argument = click.argument("store")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


def with_inspector(function: Callable[Concatenate[Inspector, P], Awaitable[int]]) -> Callable[..., int]:
    """Give an async function an open inspector in the place of the store, which becomes the first argument.

    It stands above the other parameters: click takes them from the outermost decorator inwards.
    """

    @store_argument
    @functools.wraps(function)
    def run(store: str, *args: P.args, **kwargs: P.kwargs) -> int:
        async def inspect() -> int:
            async with Inspector(store) as inspector:
                return await function(inspector, *args, **kwargs)

        return asyncio.run(inspect())

    return run


def filter_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose tasks."""
    for option in (
        click.option("--name", metavar="PATTERN", help="Only these names; * stands for any text."),
        click.option("--queue", metavar="NAME", help="Only this lane."),
        click.option(
            "--status", "statuses", multiple=True, type=click.Choice([str(s) for s in TaskStatus]), help="Repeatable."
        ),
    ):
        function = option(function)
    return function


def query_of(statuses: tuple[str, ...], queue: str | None, name: str | None, *, limit: int = 100) -> TaskQuery:
    return TaskQuery(statuses=tuple(map(TaskStatus, statuses)), queue=queue, name=name, limit=limit)
