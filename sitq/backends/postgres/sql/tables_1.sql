-- Version 1. Durations are seconds. A task's state: -2 parked (needs another Python version), -1 blocked (needs other
-- tasks to end), 0 scheduled (needs its moment to come), 1 ready, 2 running, 3 success, 4 failed, 5 cancelled.

create table sitq.meta(
  version integer not null, store uuid not null default gen_random_uuid(),
  created_at timestamptz not null default now());
insert into sitq.meta(version) values (1);

create table sitq.worker(
  seq bigint generated always as identity primary key,  -- never used again: the owner of a claim
  id text not null, host text not null, pid bigint not null, process text not null,
  queues text, max_concurrency bigint not null, python text not null,
  started_at timestamptz not null, seen_at timestamptz not null,
  lease double precision not null, expires_at timestamptz not null,  -- one lease for all that the worker runs
  stopped_at timestamptz);
create unique index worker_alive on sitq.worker(id) where stopped_at is null;

create table sitq.task(
  seq bigint generated always as identity primary key,  -- order of arrival
  id text collate "C" not null unique,
  queue text collate "C" not null, name text not null,
  state smallint not null,
  priority bigint not null, due_at timestamptz not null,
  attempt integer not null default 0, failures integer not null default 0, crashes integer not null default 0,
  max_attempts bigint not null,
  worker bigint, trip bigint,  -- the exchange that wrote it last, so that one whose answer was lost can be asked again
  cancel boolean not null default false, cause text,
  enqueued_at timestamptz not null, started_at timestamptz, finished_at timestamptz, expires_at timestamptz,
  timeout double precision, retention double precision, purge_at timestamptz,
  key text, python text, executor text, tags text, meta text, arguments text,
  schedule text, scheduled_at timestamptz,
  waiting integer not null default 0, on_failure text,
  progress_done double precision, progress_total double precision, progress_message text,
  error text, traceback text, payload bytea not null, value bytea)
with (
  fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1,
  autovacuum_analyze_scale_factor = 0.05);
-- Compressing costs the server more than it saves: most calls and values are short.
alter table sitq.task alter column payload set storage external, alter column value set storage external;
create index task_ready on sitq.task(queue, priority desc, due_at, seq) where state = 1;
create index task_scheduled on sitq.task(due_at) where state = 0;
create index task_blocked on sitq.task(due_at) where state = -1;
create index task_parked on sitq.task(python) where state = -2;
create index task_running on sitq.task(worker) where state = 2;
create index task_done on sitq.task(finished_at, seq) where state >= 3;
create index task_bad on sitq.task(state, seq) where state >= 4;
create index task_purge on sitq.task(purge_at) where purge_at is not null;
create unique index task_key on sitq.task(key) where key is not null and state < 3;

create table sitq.attempt(  -- all but the last one, which is in the task's own row
  task bigint not null, attempt integer not null, worker bigint,
  started_at timestamptz, finished_at timestamptz not null, cause text not null, error text, traceback text,
  primary key(task, attempt));

create table sitq.output(  -- text as bytes: it may hold characters that the server's text cannot
  seq bigint generated always as identity primary key,
  task bigint not null, attempt integer not null, stream text not null, written_at timestamptz not null,
  text bytea not null);
create index output_task on sitq.output(task, seq);

create table sitq.dependency(needs bigint not null, task bigint not null, takes boolean not null, primary key(needs, task));
create index dependency_task on sitq.dependency(task);

create table sitq.schedule(
  name text collate "C" primary key, cron text, every double precision, timezone text, catch_up text not null,
  task_name text not null, queue text not null, arguments text, options text not null, payload bytea not null,
  paused boolean not null default false, next_at timestamptz, last_at timestamptz, created_at timestamptz not null);

-- Changes, summed up now and then: one row for each lane and state would make all writers wait for each other.
create table sitq.counter(queue text collate "C" not null, state smallint not null, n bigint not null)
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

create table sitq.paused(queue text collate "C" primary key);
