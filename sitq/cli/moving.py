"""The command that copies one store into another."""

import asyncio
import sys

import click

from sitq.backends import backend_from_url
from sitq.cli.printing import print_json
from sitq.cli.stores import json_option
from sitq.migrating import Migration
from sitq.migrating import migrate as copy


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--finished", is_flag=True, help="Copy ended tasks and their results too.")
@json_option
def migrate(source: str, target: str, finished: bool, as_json: bool) -> int:
    """Copy unfinished tasks and schedules from one store to another.

    SOURCE and TARGET are paths or URLs. Stop the workers of SOURCE first; it stays as it is.
    """
    done = asyncio.run(_migrate(source, target, finished=finished, tells=sys.stderr.isatty() and not as_json))
    if as_json:
        print_json(done)
    else:
        _tell(done)
    return 0


async def _migrate(source: str, target: str, *, finished: bool, tells: bool) -> Migration:
    async with backend_from_url(source, read_only=True) as old, backend_from_url(target) as new:
        try:
            return await copy(old, new, finished=finished, on_progress=_show if tells else None)
        finally:
            if tells:
                print(file=sys.stderr)


def _show(seen: int) -> None:
    print(f"\rmigrate: {seen:,} tasks", end="", file=sys.stderr, flush=True)


def _tell(done: Migration) -> None:
    print(f"copied: {done.unfinished:,} unfinished, {done.finished:,} ended tasks, {done.schedules:,} schedules")
    if done.running:
        print(f"left out: {done.running:,} running; let them end, and migrate again")
    if done.held:
        print(f"left out: {done.held:,} whose key another task holds in the target")
