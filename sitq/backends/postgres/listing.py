"""Which rows a `TaskQuery` is about: conditions and order of the statement that lists tasks."""

import json
from typing import Any

from sitq.backends.states import STATES
from sitq.core import TaskStatus
from sitq.views import Order, TaskQuery

_ORDER = {
    Order.NEWEST: "task.seq desc",
    Order.OLDEST: "task.seq",
    Order.ENDED: "finished_at desc, task.seq desc",
}
# If the last task of the page before was deleted meanwhile, its id still tells its place: ids sort by time.
_PAGE = {
    Order.NEWEST: """task.seq < coalesce((select seq from sitq.task where id = ?),
      (select seq + 1 from sitq.task where id < ? order by id desc limit 1), 0)""",
    Order.OLDEST: """task.seq > coalesce((select seq from sitq.task where id = ?),
      (select seq - 1 from sitq.task where id > ? order by id limit 1), (select max(seq) from sitq.task))""",
    Order.ENDED: "(finished_at, task.seq) < (select finished_at, seq from sitq.task where id = ?)",
}

_Condition = tuple[str, tuple[Any, ...]]


def selection(query: TaskQuery) -> tuple[str, str, list[Any]]:
    """Choose conditions and order of the statement that answers a query, and its parameters."""
    found = [*_plain(query), *_of_time(query), *_of_state(query)]
    if query.before is not None:
        page = _PAGE[query.order]
        found.append((page, (query.before,) * page.count("?")))
    if query.order == Order.ENDED:
        found.append(("state >= 3", ()))
    values = [value for _, given in found for value in given]
    conditions = " and ".join(condition for condition, _ in found) or "true"
    return _numbered(conditions), _ORDER[query.order], values


def _numbered(conditions: str) -> str:
    """Write ? as $1, $2 and so on."""
    first, *rest = conditions.split("?")
    return first + "".join(f"${place}{part}" for place, part in enumerate(rest, 1))


_TEXT = " or ".join(f"{column} ilike ?" for column in ("task.id", "name", "arguments", "error", "key"))


def _plain(query: TaskQuery) -> list[_Condition]:
    found: list[_Condition] = []
    if query.ids:
        found.append(("task.id = any(?::text[])", (list(query.ids),)))
    if query.queue is not None:
        found.append(("queue = ?", (query.queue,)))
    if query.name is not None:
        found.append(("name like ?", (_like(query.name),)))
    if query.except_queues:
        found.append(("queue <> all(?::text[])", (list(query.except_queues),)))
    if query.except_names:
        found.append(("not name like any(?::text[])", ([_like(name) for name in query.except_names],)))
    if query.schedule is not None:
        found.append(("schedule = ?", (query.schedule,)))
    if query.tag is not None:
        tagged = "tags is not null and exists (select from json_array_elements(tags::json) as tag where tag::text = ?)"
        found.append((tagged, (json.dumps(query.tag),)))
    if query.text is not None:
        found.append((f"({_TEXT})", (f"%{_literally(query.text)}%",) * _TEXT.count("?")))
    return found


def _like(name: str) -> str:
    return _literally(name).replace("*", "%")


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# Moments of arrival grow with seq, but have no index. Ids have one and tell roughly the same: the neighbour of an id of
# that moment bounds the walk, if its own moment proves that all beyond it are outside.
_SINCE = """enqueued_at >= ? and task.seq > coalesce((select case when enqueued_at < ? then seq end from (
  select seq, enqueued_at from sitq.task where id < ? order by id desc limit 1) as before), 0)"""
_UNTIL = """enqueued_at <= ? and task.seq < coalesce((select case when enqueued_at > ? then seq end from (
  select seq, enqueued_at from sitq.task where id >= ? order by id limit 1) as after), 9223372036854775807)"""


def _of_time(query: TaskQuery) -> list[_Condition]:
    found: list[_Condition] = []
    if query.since is not None:
        milliseconds = int(query.since.timestamp() * 1000)
        found.append((_SINCE, (query.since, query.since, _id_at(milliseconds))))
        if query.order == Order.ENDED:
            found.append(("finished_at >= ?", (query.since,)))  # so that the walk ends
    if query.until is not None:
        milliseconds = int(query.until.timestamp() * 1000)
        found.append((_UNTIL, (query.until, query.until, _id_at(milliseconds + 1))))
    return found


def _id_at(milliseconds: int) -> str:
    """Where ids made at this moment begin, see `new_task_id`."""
    return f"{max(milliseconds, 0) << 16:016x}"


def _of_state(query: TaskQuery) -> list[_Condition]:
    """Name states as literals, so that the planner sees which partial index serves."""
    states = [state for status in query.statuses for state in STATES[TaskStatus(status)]]
    if not states:
        return []
    if set(query.statuses) == {TaskStatus.PENDING}:
        return [(_PENDING, ())]
    return [(f"state in ({', '.join(map(str, states))})", ())]


# One index for each state: a few pending tasks among a million that have ended are found at once.
_PENDING = "task.state < 2 and (state = 1 or state = 0 or state = -1 or state = -2)"
