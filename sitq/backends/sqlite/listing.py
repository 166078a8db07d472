"""Which rows a `TaskQuery` is about: conditions, index and order of the statement that lists tasks."""

import json
import sqlite3
from collections.abc import Sequence
from typing import Any, NamedTuple

from sitq.backends.moments import since_epoch
from sitq.backends.sqlite.occurrences import OF_SCHEDULE
from sitq.backends.states import FAILED, STATES
from sitq.core import TaskStatus
from sitq.views import Order, TaskQuery


class Selection(NamedTuple):
    """The parts of a statement on the table `task`; values travel as parameters only."""

    hint: str
    conditions: str
    order: str
    parameters: dict[str, Any]


def selection(raw: sqlite3.Connection, query: TaskQuery) -> Selection:
    """Choose the fixed parts of a statement that answers a query."""
    conditions, parameters = ["true"], dict[str, Any]()
    for condition, values in (*_plain(query), *_of_time(query)):
        conditions.append(condition)
        parameters |= values
    conditions += _of_state(raw, query)
    if query.before is not None:
        conditions.append(_PAGE[query.order])
        parameters["before"] = query.before
    if query.order == Order.ENDED:
        conditions.append("state >= 3")
    return Selection(_index_for(query), " and ".join(conditions), _ORDER[query.order], parameters)


_ORDER = {
    Order.NEWEST: "task.seq desc",
    Order.OLDEST: "task.seq",
    Order.ENDED: "finished_at desc, task.seq desc",
}
# If the last task of the page before was deleted meanwhile, its id still tells its place: ids sort by time.
_PAGE = {
    Order.NEWEST: """task.seq < coalesce((select seq from task where id = :before),
      (select seq + 1 from task where id < :before order by id desc limit 1), 0)""",
    Order.OLDEST: """task.seq > coalesce((select seq from task where id = :before),
      (select seq - 1 from task where id > :before order by id limit 1), (select max(seq) from task))""",
    Order.ENDED: "(finished_at, task.seq) < (select finished_at, seq from task where id = :before)",
}

_Condition = tuple[str, dict[str, Any]]

_TEXT = " or ".join(f"{column} like :text escape '\\'" for column in ("task.id", "name", "arguments", "error", "key"))


def _plain(query: TaskQuery) -> list[_Condition]:
    found: list[_Condition] = []
    if query.ids:
        found.append(("task.id in (select value from json_each(:ids))", {"ids": json.dumps(query.ids)}))
    if query.queue is not None:
        found.append(("task.queue = :queue", {"queue": query.queue}))
    if query.name is not None:
        found.append(("name glob :name", {"name": _glob(query.name)}))
    if query.except_queues:
        others = "task.queue not in (select value from json_each(:except_queues))"
        found.append((others, {"except_queues": json.dumps(query.except_queues)}))
    if query.except_names:
        others = "not exists (select 1 from json_each(:except_names) where name glob value)"
        found.append((others, {"except_names": json.dumps([_glob(name) for name in query.except_names])}))
    if query.schedule is not None:
        found.append((OF_SCHEDULE, {"schedule": query.schedule}))
    if query.tag is not None:
        tagged = "tags is not null and exists (select 1 from json_each(tags) where value = :tag)"
        found.append((tagged, {"tag": query.tag}))
    if query.text is not None:
        found.append((f"({_TEXT})", {"text": f"%{_literally(query.text)}%"}))
    return found


def _glob(name: str) -> str:
    return name.replace("[", "[[]").replace("?", "[?]")


def _literally(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


# Moments of arrival grow with seq, but have no index. Ids have one and tell roughly the same: the neighbour of an id of
# that moment bounds the walk, if its own moment proves that all beyond it are outside.
_SINCE = """enqueued_at >= :since and task.seq > coalesce((select case when enqueued_at < :since then seq end from (
  select seq, enqueued_at from task where id < :since_id order by id desc limit 1)), 0)"""
_UNTIL = """enqueued_at <= :until and task.seq < coalesce((select case when enqueued_at > :until then seq end from (
  select seq, enqueued_at from task where id >= :until_id order by id limit 1)), 9223372036854775807)"""


def _of_time(query: TaskQuery) -> list[_Condition]:
    found: list[_Condition] = []
    if query.since is not None:
        since = since_epoch(query.since)
        found.append((_SINCE, {"since": since, "since_id": _id_at(since)}))
        if query.order == Order.ENDED:
            found.append(("finished_at >= :since", {}))  # what ended before it came does not end the walk by itself
    if query.until is not None:
        until = since_epoch(query.until)
        found.append((_UNTIL, {"until": until, "until_id": _id_at(until + 1000)}))
    return found


def _id_at(microseconds: int) -> str:
    """Where ids made at this moment begin, see `new_task_id`."""
    return f"{max(microseconds // 1000, 0) << 16:016x}"


# A few pending tasks among a million that have ended are found in 4 ms, and by a walk of the newest in 80.
_PENDING = """task.seq in (select seq from task where state = 1 union all select seq from task where state = 0
  union all select seq from task where state = -1 union all select seq from task where state = -2)"""
_ARE_FEW = "select coalesce(sum(n), 0) < 20000 from counter where state < 2"


def _of_state(raw: sqlite3.Connection, query: TaskQuery) -> list[str]:
    """Name states so that SQLite sees that a partial index serves: as literals, and with the index's own condition."""
    states = [state for status in query.statuses for state in STATES[TaskStatus(status)]]
    if not states:
        return []
    conditions = [f"state in ({', '.join(map(str, states))})" if len(states) > 1 else f"state = {states[0]}"]
    if min(states) >= FAILED:
        conditions.append("state >= 4")
    if set(query.statuses) == {TaskStatus.PENDING} and not query.ids and raw.execute(_ARE_FEW).fetchone()[0]:
        conditions.append(_PENDING)
    return conditions


def _index_for(query: TaskQuery) -> str:
    """Choose the index of rare states: left to itself SQLite walks the newest rows until it has found enough."""
    statuses: set[TaskStatus] = set(query.statuses)
    if query.ids:
        return ""
    if query.order == Order.ENDED:
        return "indexed by task_done"
    if statuses == {TaskStatus.RUNNING}:
        return "indexed by task_running"
    return "indexed by task_bad" if _are_bad(query.statuses) else ""


def _are_bad(statuses: Sequence[TaskStatus]) -> bool:
    return bool(statuses) and set(statuses) <= {TaskStatus.FAILED, TaskStatus.CANCELLED}
