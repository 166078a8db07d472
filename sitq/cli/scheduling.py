"""Commands for calls that recur."""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from sitq.cli.calls import arguments_of, import_from_here, keywords_of, queue_on, serializer_option
from sitq.cli.printing import complain, print_json, print_table
from sitq.cli.stores import json_option, store_argument, with_inspector
from sitq.import_paths import import_function
from sitq.inspector import Inspector
from sitq.recurring import ScheduleInfo
from sitq.sanitize import clean

if TYPE_CHECKING:
    from sitq.queue import TaskQueue


@click.command()
@with_inspector
@click.option("--pause", metavar="NAME", help="Let this one fire no more until it is resumed.")
@click.option("--resume", metavar="NAME", help="Let this one go on with its next occurrence.")
@click.option("--run", metavar="NAME", help="Store a task of this one at once, and print its id.")
@click.option("--remove", metavar="NAME", help="Remove this one; what it has stored stays.")
@json_option
async def schedules(inspector: Inspector, /, as_json: bool, run: str | None, **acts: str | None) -> int:
    """List calls that recur, or act on one of them."""
    if run is not None:
        print(await inspector.run_schedule_now(run))
        return 0
    verbs = {"pause": inspector.pause_schedule, "resume": inspector.resume_schedule, "remove": inspector.unschedule}
    for verb, name in acts.items():
        if name is not None and not await verbs[verb](name):
            complain(f"there is no schedule named {name}")
            return 1
    if any(acts.values()):
        return 0
    found = await inspector.schedules()
    if as_json:
        for schedule in found:
            print_json(schedule)
        return 0
    print_table(("NAME", "WHEN", "NEXT", "LAST", "QUEUE", "CALLS"), map(_row, found), spared=("LAST", "QUEUE"))
    return 0


def _row(schedule: ScheduleInfo) -> tuple[str, ...]:
    when = f"every {schedule.every:g} s" if schedule.cron is None else f"{schedule.cron} {schedule.timezone or 'UTC'}"
    moments = (schedule.next_at, schedule.last_at)
    following, last = (f"{moment.astimezone():%Y-%m-%d %H:%M:%S}" if moment else "" for moment in moments)
    call = f"{schedule.task_name}({schedule.arguments or ''})"
    return (
        clean(schedule.name),
        clean(when),
        "paused" if schedule.paused else following,
        last,
        clean(schedule.queue),
        clean(call),
    )


@click.command()
@store_argument
@click.argument("function", metavar="MODULE:FUNCTION")
@click.argument("arguments", nargs=-1, metavar="[ARGUMENT]...")
@click.option("--kwargs", default="{}", metavar="JSON", help="Keyword arguments, as a JSON object.")
@click.option("--cron", metavar="FIELDS", help='Five fields, such as "0 8 * * mon-fri".')
@click.option("--every", type=float, metavar="SECONDS")
@click.option("--timezone", metavar="ZONE", help="Of the cron fields, such as Europe/Berlin; UTC unless given.")
@click.option("--catch-up", type=click.Choice(("last", "all", "none")), default="last", show_default=True)
@click.option("--name", metavar="NAME", help="The schedule's; the function's unless given.")
@click.option("--queue", metavar="NAME", help="Lane of the tasks.")
@serializer_option
@json_option
def schedule(
    store: str,
    function: str,
    arguments: tuple[str, ...],
    kwargs: str,
    queue: str | None,
    serializer: str | None,
    as_json: bool,
    **recurs: Any,
) -> int:
    """Let a call of a function that can be imported recur; the same name takes the place of an earlier one."""
    import_from_here()
    call = partial(import_function(function), *arguments_of(arguments), **keywords_of(kwargs))
    made = asyncio.run(_schedule(queue_on(store, serializer), call, queue, recurs))
    if as_json:
        print_json(made)
    else:
        print(f"{clean(made.name)}: next at {made.next_at}")
    return 0


async def _schedule(
    opening: "TaskQueue", call: "partial[Any]", queue: str | None, recurs: dict[str, Any]
) -> ScheduleInfo:
    async with opening as door:
        bound = door.options() if queue is None else door.options(queue=queue)
        return await bound.schedule(call.func, *call.args, **recurs, **call.keywords)
