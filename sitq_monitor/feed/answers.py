"""Answers views: each function reads with short reads that hold no transaction between them, and counts no rows off."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from os import PathLike
from typing import Any

from sitq.core import TaskStatus
from sitq.inspector import Inspector
from sitq.views import Order, TaskQuery
from sitq_monitor.model import Counts, TaskId, TaskRow
from sitq_monitor.reading import counts_of, detail_of, rows_of
from sitq_monitor.view import END, MATCH_LIMIT, Filter, Place, Rows, Snapshot, View

_OPPOSITE = {Order.NEWEST: Order.OLDEST, Order.OLDEST: Order.NEWEST}


async def read_once(path: str | PathLike[str], view: View) -> Snapshot:
    """Open a store for reading, read one snapshot and close it again.

    Raises:
        SitqError: the store cannot be opened or read.
    """
    async with Inspector(path, read_only=True) as inspector:
        return await answer_at_once(inspector, view)


async def answer_in_part(inspector: Inspector, view: View) -> Snapshot:
    """Read what a person has just asked for, and leave what changes by itself to a whole answer.

    After a jump that is the task on which the cursor will be, so that rows and task are painted at once.
    """
    now = datetime.now(UTC)
    asked = replace(view, live=False)
    rows = await read_rows(inspector, asked, None) if view.filter.is_plain else None
    task_id = view.task_id
    if task_id is not None and rows is not None and rows.jumped:
        task_id = rows.jumped[-1 if view.jump == END else 0].id
    return Snapshot(
        view=replace(view, task_id=task_id),
        read_at=now,
        rows=rows,
        detail=await _detail(inspector, task_id, now) if task_id is not None else None,
        has_detail=task_id is not None,
    )


async def answer_at_once(inspector: Inspector, view: View) -> Snapshot:
    """Read all of a view that a store finds by its indexes."""
    now = datetime.now(UTC)
    counts = counts_of(await inspector.stats())
    detail = await _detail(inspector, view.task_id, now) if view.task_id is not None else None
    return Snapshot(
        view=view,
        read_at=now,
        counts=counts if view.live else None,
        rows=await read_rows(inspector, view, counts) if view.filter.is_plain else None,
        held=await _held(inspector, view.held, now) if view.live and view.held else None,
        detail=detail,
        has_detail=view.task_id is not None,
    )


async def answer_by_search(inspector: Inspector, view: View) -> Snapshot:
    """Read the rows of a view for which a store may have to walk through all that it has."""
    now = datetime.now(UTC)
    return Snapshot(view=view, read_at=now, rows=await read_rows(inspector, view, None))


async def read_rows(inspector: Inspector, view: View, counts: Counts | None) -> Rows:
    """Read the pages that a view asks for.

    Args:
        counts: spare the look for what there is none of, for which a store may have to walk through all that it has.
    """
    if counts is not None and not counts.of(view.filter.status):
        nothing = () if view.live else None
        return Rows(head=nothing, jumped=() if view.jump is not None else None)
    head, matches = await _head(inspector, view)
    return Rows(
        head=head,
        below=await _page(inspector, view, before=view.after) if view.after is not None else None,
        over=await _page_above(inspector, view, view.above) if view.above is not None else None,
        jumped=await _page_at(inspector, view, view.jump) if view.jump is not None else None,
        matches=matches,
    )


def query_of(filter: Filter, **more: Any) -> TaskQuery:
    """Ask the store for what a filter matches."""
    conditions = asdict(filter)
    del conditions["status"], conditions["except_statuses"]
    conditions["statuses"] = among(filter.statuses)
    return TaskQuery(**(conditions | more))


def among(statuses: frozenset[TaskStatus]) -> tuple[TaskStatus, ...]:
    """Name states as a query wants them: all of them are no condition."""
    return tuple(status for status in TaskStatus if status in statuses) if len(statuses) < len(TaskStatus) else ()


async def _head(inspector: Inspector, view: View) -> tuple[tuple[TaskRow, ...] | None, int | None]:
    if not view.live:
        return None, None
    if view.filter.is_plain:
        return await _page(inspector, view), None
    found = await _page(inspector, view, limit=max(view.limit, MATCH_LIMIT))
    return found[: view.limit], len(found)


async def _page(inspector: Inspector, view: View, **more: Any) -> tuple[TaskRow, ...]:
    query = query_of(view.filter, **({"order": view.order, "limit": view.limit} | more))
    return rows_of(await inspector.list_tasks(query), datetime.now(UTC))


async def _page_above(inspector: Inspector, view: View, above: TaskId | None) -> tuple[TaskRow, ...]:
    """Read what stands above a row, or at the end of the list for None, by walking the list the other way."""
    if view.order not in _OPPOSITE:
        return ()
    page = await _page(inspector, view, order=_OPPOSITE[view.order], before=above)
    return page[::-1]


async def _page_at(inspector: Inspector, view: View, place: Place) -> tuple[TaskRow, ...]:
    if place == END:
        return await _page_above(inspector, view, None)
    moment = place if isinstance(place, datetime) else await _moment_of(inspector, view, place)
    if moment is None:
        return ()
    edge = _from_here(view, moment)
    return await _page(inspector, view, since=edge.since, until=edge.until)


def _from_here(view: View, moment: datetime) -> Filter:
    """Narrow a filter to what stands below a moment in the view's order."""
    if view.order is Order.OLDEST:
        return replace(view.filter, since=max(view.filter.since or moment, moment))
    return replace(view.filter, until=min(view.filter.until or moment, moment))


async def _moment_of(inspector: Inspector, view: View, part: float) -> datetime | None:
    """Find the moment that lies at a part of the list's time: nothing has to be counted off for that."""
    edges = [await _page(inspector, view, order=order, limit=1) for order in (view.order, _OPPOSITE[view.order])]
    first, last = (page[0].enqueued_at if page else None for page in edges)
    return first + (last - first) * part if first and last else None


async def _held(inspector: Inspector, ids: Sequence[TaskId], now: datetime) -> tuple[TaskRow, ...]:
    return rows_of(await inspector.list_tasks(TaskQuery(ids=tuple(ids), limit=len(ids))), now)


async def _detail(inspector: Inspector, task_id: TaskId, now: datetime) -> Any:
    info = await inspector.get_task(task_id)
    if info is None:
        return None
    return detail_of(info, await inspector.attempts(info.id), now, await inspector.output_tail(info.id))
