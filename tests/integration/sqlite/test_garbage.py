"""Whatever stands in a column, readers get an answer or one clear line, and a worker runs all other tasks."""

import asyncio
import contextlib
import operator
import shutil
import sqlite3
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import pytest
from contract.builders import make_dead_worker
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sitq.exceptions import SitqError
from sitq.queue import TaskQueue
from sitq.worker import Worker

CENTURY = 3e9
HEALTHY = ("first", "second", "third")
TABLES = ("task", "worker", "attempt", "output", "blob", "dependency", "schedule", "counter", "paused", "meta")

garbage = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(max_size=20),
    st.binary(max_size=40),
    st.sampled_from(["", "null", "[1", '{"a": ', "[" * 9999, "9" * 5000, "1e999", "x" * 100_000, "-1", b"\x00" * 5000]),
    st.just(Exception),  # stands for text that is no UTF-8
)


async def make_template(path: Path) -> None:
    """Make a store with something in every table."""
    async with TaskQueue(path) as queue:
        await queue.options(retry=2, name="failed").enqueue(int, "x")
        await queue.options(name="success").enqueue(print, "hello")
        await queue.options(name="long").enqueue(operator.mul, b"ab", 2000)
        await Worker(path).run_until_empty(20.0)
        dead = make_dead_worker()
        await queue.options(name="held").enqueue(len, "abc")
        await queue.backend.heartbeat(dead, {}, lease=30.0)
        await queue.backend.claim(dead.id, None, limit=1, lease=30.0)
        await queue.options(name="ahead", delay=CENTURY).enqueue(len, "abc")
        for name in HEALTHY:
            await queue.options(name=name, tags=["red"], meta={"a": 1}, timeout=9.0).enqueue(len, "x" * 2000)
        waited = await queue.options(name="needed").enqueue(operator.neg, 5)
        await queue.options(name="dependent").enqueue(operator.neg, waited)
        await queue.schedule(len, "abc", name="rare", every=CENTURY)
        await queue.pause("video")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "tasks.db"
    asyncio.run(make_template(path))
    return path


def spoil(path: Path, table: str, draw: st.DataObject) -> str:
    """Put garbage into one column, of one task or of all rows of another table; tell the name of the task."""
    db = sqlite3.connect(path, isolation_level=None)
    try:
        columns = [row[1] for row in db.execute(f"pragma table_info({table})")]
        column = draw.draw(st.sampled_from(columns), "column")
        value = draw.draw(garbage, "value")
        names = [name for (name,) in db.execute("select name from task order by seq")]
        name = draw.draw(st.sampled_from(names), "task") if table == "task" else ""
        given, marker = (b"\xff\xfe", "cast(? as text)") if value is Exception else (value, "?")
        where = "where name = ?" if name else "where ? = ''"
        db.execute(f"update or ignore {table} set {column} = {marker} {where}", (given, name))
    except sqlite3.IntegrityError:
        assume(False)
    finally:
        db.close()
    return name


async def answer(question: Awaitable[Any]) -> Any:
    """Give back the answer, or None where a clear line says why there is none."""
    try:
        return await question
    except SitqError as exc:
        assert "\n" not in str(exc)
        assert len(str(exc)) < 1000
        return None


async def read_all(path: Path) -> None:
    async with TaskQueue(path) as queue:
        ids = [info.id for info in await answer(queue.list_tasks()) or ()]
        for look in (queue.stats, queue.schedules, queue.backend.due_schedules):
            await answer(look())
        await answer(queue.backend.tasks(ids))
        for task_id in ids:
            for verb in (queue.get_task, queue.attempts, queue.needs, queue.output, queue.backend.inputs):
                await answer(verb(task_id))
            await answer(queue.get_result(task_id, timeout=0.0))


async def statuses_after_work(path: Path) -> dict[str, int]:
    with contextlib.suppress(TimeoutError):  # of a schedule that cannot be read a worker does not know when it is due
        await answer(Worker(path).run_until_empty(3.0))
    db = sqlite3.connect(path)
    db.text_factory = bytes
    found = dict(db.execute("select name, state from task").fetchall())
    db.close()
    return found


async def spoil_and_look(path: Path, table: str, draw: st.DataObject) -> None:
    spoiled = spoil(path, table, draw)
    await read_all(path)
    states = await statuses_after_work(path)

    assert len(states) >= 10
    if table == "task":
        assert {states[name.encode()] for name in HEALTHY if name != spoiled} == {3}


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("examples", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_garbage_is_told_of_and_spares_all_else(
    template: Path, tmp_path_factory: pytest.TempPathFactory, table: str, examples: int
) -> None:
    @settings(max_examples=examples)
    @given(draw=st.data())
    def check(draw: st.DataObject) -> None:
        path = tmp_path_factory.mktemp("spoiled") / "tasks.db"
        shutil.copyfile(template, path)
        asyncio.run(spoil_and_look(path, table, draw))

    check()
