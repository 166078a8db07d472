"""How tasks are listed on a Redis store: the server walks an index in stretches, most conditions are tested here."""

from collections.abc import Callable, Iterator

from sitq.backends.redis.connection import Connection
from sitq.backends.redis.sights import info_of
from sitq.views import Order, TaskInfo, TaskQuery

_FIRST_STRETCH, _LONGEST_STRETCH = 100, 1000  # tasks that one trip looks at, during which the server does nothing else

_Test = Callable[[TaskInfo], bool]


async def list_tasks(connection: Connection, query: TaskQuery) -> list[TaskInfo]:
    tests = tuple(_tests(query))
    if query.ids:
        found = await _named(connection, query)
        return [info for info in found if all(test(info) for test in tests)][: query.limit]
    return await _walk(connection, query, tests)


async def _walk(connection: Connection, query: TaskQuery, tests: tuple[_Test, ...]) -> list[TaskInfo]:
    found: list[TaskInfo] = []
    after, stretch = query.before or "", min(max(query.limit, _FIRST_STRETCH), _LONGEST_STRETCH)
    while len(found) < query.limit:
        rows, last = await connection.run("list", query.order, after, stretch, query.queue or "", *query.statuses)
        infos = [info_of(row) for row in rows]
        found += [info for info in infos if all(test(info) for test in tests)]
        after, stretch = last.decode(), _LONGEST_STRETCH
        if not after or (infos and _is_past(query, infos[-1])):
            break
    return found[: query.limit]


async def _named(connection: Connection, query: TaskQuery) -> list[TaskInfo]:
    """List those of the ids that were asked for, behind the last one of the page before."""
    rows, _ = await connection.run("list", "ids", *query.ids)
    infos = [info_of(row) for row in rows]
    if query.order == Order.OLDEST:
        infos.reverse()
    elif query.order == Order.ENDED:
        ended = [(info.finished_at, info) for info in infos if info.finished_at is not None]
        infos = [info for _, info in sorted(ended, key=lambda pair: pair[0], reverse=True)]
    places = [place for place, info in enumerate(infos) if info.id == query.before]
    return infos[places[0] + 1 :] if places else infos


def _tests(query: TaskQuery) -> Iterator[_Test]:
    """Make a test of each condition that the server does not know; by ids it knows none."""
    yield from _plain_tests(query)
    if query.statuses:
        yield lambda info: info.status in query.statuses
    if query.queue is not None:
        yield lambda info: info.queue == query.queue
    if (since := query.since) is not None:
        yield lambda info: info.enqueued_at >= since
    if (until := query.until) is not None:
        yield lambda info: info.enqueued_at <= until


def _plain_tests(query: TaskQuery) -> Iterator[_Test]:
    if query.name is not None or query.except_names:
        yield lambda info: query.takes_name(info.name)
    if query.except_queues:
        yield lambda info: info.queue not in query.except_queues
    if query.schedule is not None:
        yield lambda info: info.schedule == query.schedule
    if query.tag is not None:
        yield lambda info: query.tag in info.tags
    if query.text is not None:
        wanted = query.text.lower()
        yield lambda info: any(wanted in text.lower() for text in _texts(info))


def _texts(info: TaskInfo) -> Iterator[str]:
    yield from filter(None, (info.id, info.name, info.arguments, info.error, info.key))


def _is_past(query: TaskQuery, last: TaskInfo) -> bool:
    """Tell whether all that would follow arrived too early, or too late."""
    if query.order == Order.NEWEST:
        return query.since is not None and last.enqueued_at < query.since
    return query.order == Order.OLDEST and query.until is not None and last.enqueued_at > query.until
