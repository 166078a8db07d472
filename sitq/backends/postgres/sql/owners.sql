-- Who runs what: workers, their leases, and the recovery of what a dead one held.

-- End running tasks, whose rows are locked, whose attempt has ended without a final outcome. Answers what to wake.
create or replace function sitq.stop_between_attempts(seqs bigint[]) returns text[]
language sql as $$
  select sitq.make_cancelled(seqs, 'TaskCancelledError: it was cancelled between two attempts')
$$;

-- Say that a worker lives, renew its lease, and answer which of its claims must stop. Lease 0 is the goodbye.
create or replace function sitq.heartbeat(
  worker_id text, host text, pid bigint, process text, queues text, max_concurrency bigint, python text,
  started_at timestamptz, lease float8, ids text[], attempts integer[]
) returns setof text
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  ends timestamptz := moment + lease * interval '1 second';
  me bigint;
begin
  update sitq.worker set seen_at = moment, lease = heartbeat.lease, expires_at = ends
  where worker.id = worker_id and stopped_at is null returning worker.seq into me;
  if not found then
    if lease > 0 then
      insert into sitq.worker(id, host, pid, process, queues, max_concurrency, python, started_at, seen_at, lease,
        expires_at)
      values (worker_id, host, pid, process, queues, max_concurrency, python, started_at, moment, lease, ends)
      on conflict do nothing;
    end if;
    return query select unnest(ids);
    return;
  end if;
  return query
    select held.id from unnest(ids, attempts) as held(id, attempt) where not exists (
      select from sitq.task where task.id = held.id and task.attempt = held.attempt and state = 2 and worker = me)
    union
    select task.id from sitq.task where state = 2 and worker = me and cancel;
  if lease <= 0 then
    perform from sitq.worker where seq = me for update;
    perform sitq.wake(sitq.give_back(me, 'released', null));
  end if;
end $$;

-- Give back what workers held whose process has surely ended, or whose lease is over.
create or replace function sitq.release(dead bigint[], overdue bigint[]) returns void
language plpgsql as $$
declare
  woken text[] := '{}';
  one record;
begin
  for one in
    select seq, id from sitq.worker
    where stopped_at is null and (seq = any(dead) or seq = any(overdue) and expires_at < clock_timestamp())
    order by seq for update
  loop
    woken := woken || sitq.give_back(one.seq, 'lost', format('TaskLostError: worker %s died while running it', one.id));
  end loop;
  perform sitq.wake(array(select distinct unnest(woken)));
end $$;

-- Make all that a worker holds, whose row is locked, ready again, and close its row. Answers what to wake.
create or replace function sitq.give_back(owner bigint, why text, message text) returns text[]
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  held bigint[];
  stopped bigint[];
  keys text[];
begin
  update sitq.worker set stopped_at = moment where seq = owner;
  select array_agg(seq), array_agg(seq) filter (where cancel) into held, stopped
  from (select seq, cancel from sitq.task where state = 2 and worker = owner order by seq for update) as locked;
  perform sitq.remember(held, moment, why, message);
  with moved as (
    update sitq.task set state = 1, worker = null, started_at = null, crashes = crashes + (why = 'lost')::integer,
      error = coalesce(message, error), progress_done = null, progress_total = null, progress_message = null
    where seq = any(held) and not cancel returning queue)
  select array_agg(distinct queue), sitq.move(array_agg(queue), array_agg(2::smallint), array_agg(1::smallint))
  into keys from moved having count(*) > 0;
  return coalesce(keys, '{}') || coalesce(sitq.stop_between_attempts(stopped), '{}');
end $$;
