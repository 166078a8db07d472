"""A store of a million tasks, written straight into its tables: through the verbs it would take minutes."""

import asyncio
import sqlite3
import time
from pathlib import Path

from sitq.backends.sqlite import SQLiteBackend

ROWS = 1_000_000

# 86 % done, 9 % waiting, 3 % failed, 1 % cancelled, 1 % scheduled; the oldest have ended, the newest wait.
_FILL = """
with recursive n(i) as (select 1 union all select i + 1 from n where i < :rows)
insert into task(id, queue, name, state, priority, due_at, attempt, max_attempts, cause, enqueued_at, started_at,
  finished_at, timeout, tags, arguments, error, payload, traceback)
select printf('%016x%012x', (:now / 1000 - :rows + i) << 16, i * 7919),
  case i % 4 when 0 then 'mail' when 1 then 'images' else 'default' end,
  case i % 3 when 0 then 'shop.mail.send_invoice' when 1 then 'shop.images.thumbnail' else 'shop.feeds.sync_feed' end,
  state, 0, at, state >= 3, 3, case state when 3 then 'success' when 4 then 'error' when 5 then 'cancelled' end,
  at, case when state >= 3 then at + 40000 end, case when state >= 3 then at + 40000 + i % 2000 * 1000 end, null,
  case when i % 50 = 0 then '["nightly"]' end, printf('%d, to=''ap@example.net''', i),
  case when state = 4 then 'ValueError: bad row ' || i end, zeroblob(80),
  case when state = 4 then 'Traceback (most recent call last):' || char(10) ||
    '  File "/home/ada/shop/feeds.py", line 84, in sync_feed' || char(10) || '    parse(line)' || char(10) ||
    'ValueError: bad row ' || i end
from (select i, :now - (:rows - i) * 1000 as at, case
  when i > :rows * 0.91 then 1 when i % 100 = 7 then 5 when i % 33 = 5 then 4 when i % 100 = 9 then 0 else 3
  end as state
  from n)
"""
_COUNT = "insert into counter select queue, state, count(*) from task group by queue, state"


def make_million(path: Path, rows: int = ROWS) -> Path:
    """Make a store with so many tasks, the newest enqueued a moment ago and one each millisecond before."""

    async def make_empty() -> None:
        async with SQLiteBackend(path):
            pass

    asyncio.run(make_empty())
    with sqlite3.connect(path, isolation_level=None) as raw:
        raw.execute("begin")
        raw.execute(_FILL, {"rows": rows, "now": time.time_ns() // 1000})
        raw.execute("update task set due_at = due_at + 86400000000 where state = 0")
        raw.execute(_COUNT)
        raw.execute("commit")
    raw.close()
    return path
