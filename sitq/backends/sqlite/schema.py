"""Tables and indexes of a SQLite store, and the numbered steps that bring an older file up to them.

Times are integer microseconds since the epoch, durations integer microseconds, booleans 0 or 1; states are the numbers
of `sitq.backends.states`.
"""

import sqlite3
import time

from sitq.backends.refusals import schema_is_newer, schema_is_older
from sitq.exceptions import BackendError

APPLICATION_ID = 0x73697471  # "sitq"

PAYLOAD, VALUE = 0, 1  # kinds of blob

# Longer bytes go to the blob table: SQLite rewrites the whole record when its length changes, and claiming a 100 KB
# row took 1285 µs with its payload inside and 104 µs without.
INLINE_LIMIT = 1024

_VERSION_1 = """
create table meta(key text primary key, value) without rowid;

create table worker(
  seq integer primary key autoincrement,    -- never used again: the owner of a claim
  id text not null, host text not null, pid integer not null, process text not null,
  queues text, max_concurrency integer not null, python text not null,
  started_at integer not null, seen_at integer not null,
  lease integer not null, expires_at integer not null,   -- one lease for all that the worker runs
  stopped_at integer);
create unique index worker_alive on worker(id) where stopped_at is null;

create table task(
  seq integer primary key autoincrement,    -- order of arrival; never used again, also after a purge
  id text not null unique,
  queue text not null, name text not null,
  state integer not null,
  priority integer not null, due_at integer not null,
  attempt integer not null default 0, failures integer not null default 0, crashes integer not null default 0,
  max_attempts integer not null,
  worker integer, cancel integer not null default 0, cause text,
  enqueued_at integer not null, started_at integer, finished_at integer, expires_at integer,
  timeout integer, retention integer, purge_at integer,
  key text, python text, executor text,
  tags text, meta text, arguments text,
  schedule text, waiting integer not null default 0, on_failure text,
  progress_done real, progress_total real, progress_message text,
  error text,
  payload blob, value blob, traceback text  -- long ones last: reading the others does not walk them
);
create index task_ready on task(queue, priority desc, due_at) where state = 1;
create index task_scheduled on task(due_at) where state = 0;
create index task_parked on task(python) where state = -2;
create index task_running on task(worker) where state = 2;
create index task_done on task(finished_at) where state >= 3;
create index task_bad on task(state) where state >= 4;
create index task_purge on task(purge_at) where purge_at is not null;
create unique index task_key on task(key) where key is not null and state < 3;

create table blob(task integer not null, kind integer not null, data blob not null, primary key(task, kind));

create table attempt(                        -- all but the last one, which is in the task's own row
  task integer not null, attempt integer not null, worker integer,
  started_at integer, finished_at integer not null, cause text not null, error text, traceback text,
  primary key(task, attempt)) without rowid;

create table output(
  seq integer primary key, task integer not null, attempt integer not null,
  stream text not null, written_at integer not null, text text not null);
create index output_task on output(task, seq);

create table dependency(needs integer not null, task integer not null, primary key(needs, task)) without rowid;

create table schedule(
  name text primary key, cron text, every integer, timezone text, catch_up text not null,
  task_name text not null, queue text not null, options text, payload blob not null,
  paused integer not null default 0, next_at integer, last_at integer, created_at integer not null);

create table counter(queue text not null, state integer not null, n integer not null,
  primary key(queue, state)) without rowid;
create table paused(queue text primary key) without rowid;
"""

_VERSION_2 = """
alter table dependency add column takes integer not null default 1;
create index dependency_task on dependency(task);
"""

_VERSION_3 = """
create index task_blocked on task(due_at) where state = -1;
"""

MIGRATIONS = (_VERSION_1, _VERSION_2, _VERSION_3)
SCHEMA_VERSION = len(MIGRATIONS)


def needs_migration(raw: sqlite3.Connection, path: str, *, create: bool) -> bool:
    """Refuse a file that is not a store, before anything is written to it; tell whether its schema must be brought up.

    Args:
        create: accept an empty file and an older schema, which `migrate` then brings up.

    Raises:
        BackendError: the file belongs to another program, or its schema is newer (or, without `create`, older or
            missing).
    """
    raw.execute("begin")  # one look at all of the header: another process may be making it just now
    try:
        version = _version(raw, path)
    finally:
        raw.execute("rollback")
    if version < SCHEMA_VERSION and not create:
        raise schema_is_older(path, SCHEMA_VERSION)
    return version < SCHEMA_VERSION


def migrate(raw: sqlite3.Connection, path: str) -> None:
    """Bring the schema up in one transaction, which the caller has begun and commits."""
    for script in MIGRATIONS[_version(raw, path) :]:
        for statement in script.split(";\n"):
            raw.execute(statement)
        raw.execute("insert or ignore into meta values ('created_at', ?)", (time.time_ns() // 1000,))
    raw.execute(f"pragma application_id = {APPLICATION_ID}")
    raw.execute(f"pragma user_version = {SCHEMA_VERSION}")


def _version(raw: sqlite3.Connection, path: str) -> int:
    """Read the schema's version; 0 for an empty file."""
    application = raw.execute("pragma application_id").fetchone()[0]
    version = int(raw.execute("pragma user_version").fetchone()[0])
    if application == APPLICATION_ID:
        if version > SCHEMA_VERSION:
            raise schema_is_newer(path, version, SCHEMA_VERSION)
        return version
    if application or version or raw.execute("select 1 from sqlite_master").fetchone():
        raise BackendError(f"{path} is a SQLite database of another program; give sitq a file of its own")
    return 0
