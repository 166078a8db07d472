"""Commands that act on tasks and lanes: cancel, requeue, run-now, delete, purge, pause, resume."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

import click

from sitq.cli.looking import every_task
from sitq.cli.printing import confirm, print_json
from sitq.cli.stores import filter_options, json_option, query_of, with_inspector
from sitq.core import TaskStatus
from sitq.inspector import Inspector
from sitq.sanitize import clean
from sitq.views import TaskInfo

Verb = Callable[[Inspector, Sequence[str]], Awaitable[set[str]]]

_SLICE = 500  # ids in one transaction


def _acting(name: str, help_text: str, verb: Verb, may: Callable[[TaskInfo], bool]) -> click.Command:
    """Make a command that acts on the ids it is given, or on all tasks that match its filters."""

    @click.command(name, help=help_text)
    @with_inspector
    @click.argument("ids", nargs=-1, metavar="[ID]...")
    @filter_options
    @click.option("--yes", is_flag=True, help="Do not ask before acting on what the filters match.")
    @json_option
    async def command(
        inspector: Inspector,
        ids: tuple[str, ...],
        statuses: tuple[str, ...],
        queue: str | None,
        name: str | None,
        yes: bool,
        as_json: bool,
    ) -> int:
        filtered = bool(statuses or queue or name)
        if filtered == bool(ids):
            raise click.UsageError("give ids, - for ids from stdin, or filters such as --status failed")
        wanted = _ids_of(ids)
        if filtered:
            found = every_task(inspector, query_of(statuses, queue, name))
            wanted = [info.id async for info in found if may(info)]
            if not yes:
                confirm(command.name or "", len(wanted))
        reached = await _in_slices(inspector, verb, wanted)
        _tell(command.name or "", wanted, reached, as_json=as_json, briefly=filtered)
        return 0 if reached else 1

    return command


def _ids_of(ids: Sequence[str]) -> list[str]:
    return [line.strip() for line in sys.stdin if line.strip()] if list(ids) == ["-"] else list(ids)


async def _in_slices(inspector: Inspector, verb: Verb, ids: Sequence[str]) -> set[str]:
    reached: set[str] = set()
    for start in range(0, len(ids), _SLICE):
        reached |= await verb(inspector, ids[start : start + _SLICE])
    return reached


def _tell(name: str, wanted: Sequence[str], reached: set[str], *, as_json: bool, briefly: bool) -> None:
    if as_json:
        print_json({"command": name, "reached": sorted(reached), "not_reached": sorted(set(wanted) - reached)})
    elif briefly:
        print(f"{name}: {len(reached):,} of {len(wanted):,} tasks")
    else:
        for task_id in wanted:
            print(f"{clean(task_id)} {name if task_id in reached else 'not reached'}")


cancel = _acting(
    "cancel",
    "Cancel pending tasks, and ask running ones to stop.",
    Inspector.cancel,
    lambda info: not info.status.is_final,
)
requeue = _acting(
    "requeue",
    "Run failed and cancelled tasks again (also: retry).",
    Inspector.requeue,
    lambda info: info.status in (TaskStatus.FAILED, TaskStatus.CANCELLED),
)
run_now = _acting(
    "run-now",
    "Make scheduled and retrying tasks due now.",
    Inspector.run_now,
    lambda info: info.phase(datetime.now(UTC)) in ("scheduled", "retrying"),
)
delete = _acting(
    "delete",
    "Remove tasks that are not running (also: rm).",
    Inspector.delete,
    lambda info: info.status is not TaskStatus.RUNNING,
)


@click.command()
@with_inspector
@click.argument("queue")
async def pause(inspector: Inspector, queue: str) -> int:
    """Stop handing out a lane's tasks; what runs goes on."""
    await inspector.pause(queue)
    return 0


@click.command()
@with_inspector
@click.argument("queue")
async def resume(inspector: Inspector, queue: str) -> int:
    """Hand out a lane's tasks again."""
    await inspector.resume(queue)
    return 0


@click.command()
@with_inspector
@click.option("--older-than", type=float, metavar="SECONDS", help="Whatever their own retention is.")
@json_option
async def purge(inspector: Inspector, older_than: float | None, as_json: bool) -> int:
    """Remove ended tasks whose retention is over."""
    removed = await inspector.purge(older_than=older_than)
    if as_json:
        print_json({"removed": removed})
    else:
        print(f"{removed:,} removed")
    return 0
