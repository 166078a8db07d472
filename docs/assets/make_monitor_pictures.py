"""Draws the pictures of the monitor in README and docs: `python docs/assets/make_monitor_pictures.py [FOLDER]`.

A store is filled through the verbs that queue and worker use, at moments that lie back in time, and the real monitor
is asked for what it shows of it.
"""

import asyncio
import itertools
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

from sitq._process import this_process
from sitq.backends.sqlite import SQLiteBackend
from sitq.core import Cause, Claim, Outcome, Task, TaskStatus, WorkerInfo, new_task_id
from sitq_monitor.app import MonitorApp
from sitq_monitor.feed import Feed
from sitq_monitor.view import View

PICTURES = {"monitor.svg": (140, 36), "monitor-narrow.svg": (80, 24)}
FAILED_ROW = 12
STORE = "shop.db"
HISTORY = 1500.0
LEASE = 3600.0

LIBRARY = "/home/ada/.venv/lib/python3.12/site-packages"

ERRORS = {
    "shop.feeds.sync_feed": """\
Traceback (most recent call last):
  File "/home/ada/shop/feeds.py", line 84, in sync_feed
    rows = [parse_row(line) async for line in stream]
  File "/home/ada/shop/feeds.py", line 112, in parse_row
    return Row(sku=fields[0], price=price_of(fields))
  File "/home/ada/shop/prices.py", line 31, in price_of
    raise PriceError(f"price of {sku!r} is {text!r}") from exc
shop.prices.PriceError: price of 'B-2210' is 'on request'
""",
    "shop.billing.charge_card": f"""\
Traceback (most recent call last):
  File "/home/ada/shop/billing.py", line 40, in charge_card
    charge = await bank.charge(order.card, amount)
  File "{LIBRARY}/bank/client.py", line 212, in charge
    raise CardDeclined(answer.reason)
bank.CardDeclined: insufficient_funds
""",
    "shop.crawl.fetch_page": """\
Traceback (most recent call last):
  File "/home/ada/shop/crawl.py", line 19, in fetch_page
    answer = await client.get(url, params={"page": page})
TimeoutError: example.org did not answer in 30 s
""",
    "<lambda>": """\
Traceback (most recent call last):
  File "/tmp/ipykernel_4121/2385.py", line 1, in <lambda>
    lambda frame, quantile: frame.total / frame.rows
ZeroDivisionError: division by zero
""",
}

# Name, arguments, queue, seconds it takes
CALLS = (
    ("shop.mail.send_invoice", "{0}, to='finance@example.com'", "mail", 0.31),
    ("shop.images.thumbnail", "'{0:x}.png', size=(320, 240)", "images", 0.09),
    ("shop.crawl.fetch_page", "'example.org/catalogue', page={1}", "crawl", 1.42),
    ("<lambda>", "<DataFrame>, 0.{1}", "default", 0.02),
    ("Report.render", "<Report>, month='2026-{2:02}'", "default", 4.8),
    ("shop.images.thumbnail", "'{0:x}.png', size=(320, 240)", "images", 0.11),
    ("shop.feeds.sync_feed", "'Nordwind', since={1}", "crawl", 12.6),
    ("shop.billing.charge_card", "order={0}, amount=<Decimal>", "default", 0.87),
)


class Demo:
    """A store whose past is being written.

    Args:
        backend: connected, on an empty file.
        start: when the past begins, in seconds since the epoch.
    """

    def __init__(self, backend: SQLiteBackend, start: float) -> None:
        self._backend = backend
        self._start = start
        self._chance = random.Random(7)
        process = this_process()
        self._worker = WorkerInfo(
            id="ada-laptop-4121",
            host=process.host,
            pid=process.pid,
            process=process.token,
            queues=None,
            max_concurrency=8,
            python="3.12",
            started_at=datetime.fromtimestamp(start, UTC),
        )

    async def fill(self) -> None:
        """Write the past: tasks that ended, some that run, some that wait."""
        await self._beat(0.0)
        for number, moment in zip(range(217), itertools.count(0.0, 6.5)):
            await self._live_through(number, moment)
        await self._leave_running(1412.0, "train_model", "epochs=40, lr=0.0003", "gpu")
        for number in range(217, 226):
            await self._live_through(number, 1418.0 + 7 * (number - 217))
        await self._leave_running(1483.0, "shop.feeds.sync_feed", "'Baltica', full=True", "crawl")
        await self._leave_running(1493.0, "Report.render", "<Report>, month='2026-02'", "default")
        await self._leave_running(1497.0, "shop.mail.send_invoice", "22031, to='ap@example.net'", "mail")
        await self._leave_waiting()
        await self._beat(1497.0)

    async def _live_through(self, number: int, moment: float) -> None:
        name, arguments, queue, seconds = _call(number)
        await self._enqueue(moment, name, arguments=arguments, queue=queue, max_attempts=3)
        seconds *= self._chance.uniform(0.6, 1.7)
        fails = name in ERRORS and self._chance.random() < 0.16
        for claim in await self._claim(moment + 0.04):
            if fails:
                claim = await self._fail_twice(claim, moment, seconds)
            await self._finish(moment + 6.0, claim, seconds, fails)

    async def _fail_twice(self, claim: Claim, moment: float, seconds: float) -> Claim:
        for again in (1.5, 3.0):
            error, traceback = _error(claim.name)
            outcome = self._outcome(claim, TaskStatus.PENDING, seconds, error=error, traceback=traceback)
            with self._at(moment + again):
                await self._backend.finish([outcome])
            (claim,) = await self._claim(moment + again + 0.6)
        return claim

    async def _finish(self, moment: float, claim: Claim, seconds: float, fails: bool) -> None:
        error, traceback = _error(claim.name) if fails else (None, None)
        status = TaskStatus.FAILED if fails else TaskStatus.SUCCESS
        with self._at(moment):
            await self._backend.finish([self._outcome(claim, status, seconds, error=error, traceback=traceback)])

    def _outcome(self, claim: Claim, status: TaskStatus, seconds: float, **what: str | None) -> Outcome:
        cause = Cause.SUCCESS if status is TaskStatus.SUCCESS else Cause.ERROR
        return Outcome(claim.id, claim.attempt, claim.queue, status=status, cause=cause, duration=seconds, **what)

    async def _leave_running(self, moment: float, name: str, arguments: str, queue: str) -> None:
        await self._enqueue(moment, name, arguments=arguments, queue=queue)
        await self._claim(moment + 0.03)

    async def _leave_waiting(self) -> None:
        await self._enqueue(1498.0, "shop.files.clean_up", arguments="older_than=<timedelta>", delay=7200.0)
        for number in range(6):
            name, arguments, queue, _ = _call(number + 226)
            await self._enqueue(1499.0 + number / 10, name, arguments=arguments, queue=queue)

    async def _enqueue(self, moment: float, name: str, **what: object) -> None:
        with self._at(moment):
            await self._backend.enqueue([Task(id=new_task_id(), name=name, payload=b"", **what)])

    async def _claim(self, moment: float) -> list[Claim]:
        with self._at(moment):
            return await self._backend.claim(self._worker.id, None, limit=1, lease=LEASE)

    async def _beat(self, moment: float) -> None:
        with self._at(moment):
            await self._backend.heartbeat(self._worker, {}, lease=LEASE)

    @contextmanager
    def _at(self, moment: float) -> Iterator[None]:
        with patch.object(time, "time_ns", lambda: int((self._start + moment) * 1e9)):
            yield


def _call(number: int) -> tuple[str, str, str, float]:
    name, arguments, queue, seconds = CALLS[number % len(CALLS)]
    return name, arguments.format(20_400 + number * 7, 10 + number * 13 % 80, 1 + number % 12), queue, seconds


def _error(name: str) -> tuple[str, str]:
    traceback = ERRORS[name]
    return traceback.splitlines()[-1], traceback


async def draw(store: Path, size: tuple[int, int]) -> str:
    """Run the monitor on a screen of this size and take a picture of what it shows."""
    feed = Feed(store, View())
    feed.open()
    app = MonitorApp(feed, path=STORE)
    async with app.run_test(size=size) as pilot:
        await pilot.pause(0.5)
        await pilot.press(*"j" * FAILED_ROW)
        await pilot.pause(0.5)
        svg = app.export_screenshot(title=f"sitq-monitor {STORE}")
    feed.close()
    return self_contained(svg)


def self_contained(svg: str) -> str:
    """Take fonts from the reader's machine instead of from the network."""
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    svg = re.sub(r"@font-face\s*\{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono")


async def fill(store: Path) -> None:
    async with SQLiteBackend(store, clock=lambda: time.time_ns() / 1e9) as backend:
        await Demo(backend, time.time() - HISTORY).fill()


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as place:
        store = Path(place) / STORE
        asyncio.run(fill(store))
        for name, size in PICTURES.items():
            (folder / name).write_text(asyncio.run(draw(store, size)))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
