-- The verbs of people. Rows are locked in the order of their arrival, so that no two verbs wait for each other.

create or replace function sitq.cancel(ids text[]) returns setof text
language plpgsql as $$
declare
  pending bigint[];
  running bigint[];
  reached text[];
  asked text[];
begin
  select array_agg(seq) filter (where state < 2), array_agg(seq) filter (where state = 2), array_agg(id),
    array_agg(id) filter (where state = 2)
  into pending, running, reached, asked
  from (select seq, id, state from sitq.task where id = any(ids) and state < 3 order by seq for update) as locked;
  update sitq.task set cancel = true where seq = any(running);
  perform sitq.wake(
    asked || sitq.make_cancelled(pending, 'TaskCancelledError: it was cancelled before it started'),
    stops => asked is not null);
  return query select unnest(reached);
end $$;

create or replace function sitq.requeue(ids text[]) returns setof text
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  one record;
  unfinished integer;
  lanes text[] := '{}';
begin
  for one in
    select seq, id, queue, state, key from sitq.task where id = any(ids) and state + 0 >= 4 order by seq for update
  loop
    continue when exists (select from sitq.task where key = one.key and state < 3);
    perform sitq.remember(array[one.seq], null);
    update sitq.task set state = 1, due_at = moment, failures = 0, crashes = 0, cancel = false, cause = null,
      worker = null, started_at = null, finished_at = null, expires_at = null, purge_at = null, error = null,
      traceback = null, value = null, trip = null,
      progress_done = null, progress_total = null, progress_message = null
    where seq = one.seq;
    insert into sitq.counter values (one.queue, one.state, -1), (one.queue, 1, 1);
    perform from sitq.task where seq = any(array(select needs from sitq.dependency where task = one.seq))
      order by seq for share;
    select count(*) into unfinished from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
    where dependency.task = one.seq and needed.state < 3;
    if unfinished > 0 then
      perform sitq.block(one.seq, unfinished);
    end if;
    lanes := lanes || one.queue;
    return next one.id;
  end loop;
  perform sitq.wake(array(select distinct unnest(lanes)));
end $$;

-- Make scheduled tasks due now.
create or replace function sitq.run_now(ids text[]) returns setof text
language plpgsql as $$
declare
  reached text[];
  lanes text[];
begin
  with ahead as (select seq from sitq.task
    where id = any(ids) and state = 0 and due_at > clock_timestamp() order by seq for update),
  moved as (
    update sitq.task set state = 1, due_at = clock_timestamp() from ahead where task.seq = ahead.seq
    returning task.id, task.queue)
  select array_agg(id), array_agg(distinct queue),
    sitq.move(array_agg(queue), array_agg(0::smallint), array_agg(1::smallint))
  into reached, lanes from moved having count(*) > 0;
  perform sitq.wake(lanes);
  return query select unnest(reached);
end $$;

create or replace function sitq.delete(ids text[]) returns setof text
language plpgsql as $$
declare
  found_seqs bigint[];
  unfinished bigint[];
  reached text[];
begin
  select array_agg(seq), array_agg(seq) filter (where state < 3), array_agg(id) into found_seqs, unfinished, reached
  from (select seq, id, state from sitq.task where id = any(ids) and state <> 2 order by seq for update) as locked;
  perform sitq.wake(sitq.settle(unfinished, 'was deleted'));
  perform sitq.forget(found_seqs);
  return query select unnest(reached);
end $$;

-- Remove tasks, whose rows are locked, with all that is kept about them.
create or replace function sitq.forget(seqs bigint[]) returns integer
language plpgsql as $$
declare
  removed integer;
begin
  with gone as (delete from sitq.task where seq = any(seqs) returning queue, state),
  counted as (
    insert into sitq.counter select queue, state, -count(*) from gone group by queue, state)
  select count(*) into removed from gone;
  delete from sitq.attempt where task = any(seqs);
  delete from sitq.output where task = any(seqs);
  delete from sitq.dependency where task = any(seqs);
  delete from sitq.dependency where needs = any(seqs);
  return removed;
end $$;

-- Remove final tasks whose retention is over, or that ended so many seconds ago. What an unfinished task needs stays until
-- that has taken it.
create or replace function sitq.purge(older_than float8, states smallint[], most integer) returns integer
language plpgsql
set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off
as $$
declare
  moment timestamptz := clock_timestamp();
  seqs bigint[];
begin
  if older_than is null then
    seqs := array(
      select seq from sitq.task
      where purge_at is not null and purge_at <= moment and state = any(states) and state >= 3 and not exists (
        select from sitq.dependency join sitq.task as dependent on dependent.seq = dependency.task
        where dependency.needs = task.seq and dependent.state < 3)
      order by purge_at limit most for update of task skip locked);
  else
    seqs := array(
      select seq from sitq.task
      where state >= 3 and finished_at <= moment - older_than * interval '1 second' and state = any(states) and not exists (
        select from sitq.dependency join sitq.task as dependent on dependent.seq = dependency.task
        where dependency.needs = task.seq and dependent.state < 3)
      order by finished_at limit most for update of task skip locked);
  end if;
  return case when cardinality(seqs) > 0 then sitq.forget(seqs) else 0 end;
end $$;

create or replace function sitq.set_paused(lane text, paused boolean) returns void
language plpgsql as $$
begin
  if paused then
    insert into sitq.paused values (lane) on conflict do nothing;
  else
    delete from sitq.paused where queue = lane;
  end if;
  perform sitq.wake(array[lane]);
end $$;
