-- The worker's hot verb: hand outcomes in, take tasks out, in one trip. Plans are generic and never walk a table: one that
-- was made while the table was small would be kept when it is large. Where ids or seqs are given, the state stands as
-- state + 0, which hides it from the planner: it would walk a partial index, with all that is dead in it, for each of them.

-- Kinds of rows: 0 is a claim, 1 an outcome that was refused, 2 the seconds until the next task becomes due.
create or replace function sitq.exchange(
  ids text[], attempts integer[], states smallint[], causes text[], results bytea[], errors text[], tracebacks text[],
  delays float8[], durations float8[],
  worker_id text, lanes text[], wanted integer, trip_id bigint, lost_trip bigint
) returns table(
  kind integer, id text, attempt integer, name text, queue text, payload bytea, failures integer, crashes integer,
  max_attempts bigint, timeout float8, executor text, waited boolean, meta text, scheduled_at timestamptz)
language plpgsql
set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off
as $$
declare
  me record;
  look record;
begin
  select
    (select min(due_at) from sitq.task where state = 0) as due,
    exists (select from sitq.task where state = -2) as has_parked
  into look;
  if wanted > 0 and (ids is not null or look.has_parked or look.due <= clock_timestamp() or lost_trip is not null
    or exists (select from sitq.task where state = 1))  -- or else idle workers would lock, and flush the log
  then
    -- Before any task is locked: who declares this worker dead locks in the same order.
    select seq, python into me from sitq.worker where worker.id = worker_id and stopped_at is null for key share;
    wanted := case when found then wanted else 0 end;
  else
    wanted := 0;
  end if;
  if ids is not null then
    return query select 1, refused.id, null::integer, null, null, null::bytea, null::integer, null::integer,
      null::bigint, null::float8, null, null::boolean, null, null::timestamptz
    from unnest(sitq.finish(
      ids, attempts, states, causes, results, errors, tracebacks, delays, durations, trip_id, lost_trip)
    ) as refused(id);
  end if;
  if wanted > 0 and (look.has_parked or look.due <= clock_timestamp()) then
    perform sitq.promote(clock_timestamp(), me.python);
    select min(due_at) into look.due from sitq.task where state = 0;
  end if;
  if wanted > 0 then
    return query select * from sitq.claim(me.seq, me.python, lanes, wanted, trip_id, lost_trip);
  end if;
  if look.due is not null then
    return query select 2, null, null::integer, null, null, null::bytea, null::integer, null::integer, null::bigint,
      extract(epoch from look.due - clock_timestamp())::float8, null, null::boolean, null, null::timestamptz;
  end if;
end $$;

-- Write outcomes under their fence, and answer the ids of those that are refused.
create or replace function sitq.finish(
  ids text[], attempts integer[], states smallint[], causes text[], results bytea[], errors text[], tracebacks text[],
  delays float8[], durations float8[], trip_id bigint, lost_trip bigint
) returns text[]
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  ended bigint[];
  reached text[];
  back text[] := '{}';
  woken text[];
  due timestamptz;
  one record;
  new_state smallint;
begin
  with told as (
    select * from unnest(ids, attempts, states, causes, results, errors, tracebacks, durations)
      as told(id, attempt, state, cause, value, error, traceback, duration)
    where state >= 3 order by id),
  moved as (
    -- A claim may have lain waiting: the true start is told by how long it ran.
    update sitq.task set state = told.state, cause = told.cause, value = told.value, error = told.error,
      traceback = told.traceback, started_at = moment - told.duration * interval '1 second', finished_at = moment,
      purge_at = moment + task.retention * interval '1 second', trip = trip_id
    from told where task.id = told.id and task.attempt = told.attempt and task.state + 0 = 2
    returning task.seq, task.id, task.queue, task.state),
  counted as (
    insert into sitq.counter
    select queue, state, count(*) from moved group by queue, state
    union all select queue, 2, -count(*) from moved group by queue)
  select array_agg(seq), array_agg(id) into ended, reached from moved;
  woken := reached || sitq.settle(ended);

  if (select min(state) from unnest(states) as state) < 3 then
    for one in
      select * from unnest(ids, attempts, states, causes, errors, tracebacks, delays, durations)
        as told(id, attempt, state, cause, error, traceback, delay, duration)
      where state < 3 order by id
    loop
      select * into new_state, woken, due from sitq.put_back(
        one.id, one.attempt, one.cause, one.error, one.traceback, one.delay, one.duration, trip_id, woken, due);
      if new_state is not null then
        back := back || one.id;
      end if;
    end loop;
  end if;
  perform sitq.wake(woken, due), sitq.tidy_counter();

  reached := coalesce(reached, '{}') || back;
  if cardinality(reached) = cardinality(ids) then
    return '{}';
  end if;
  return array(
    select id from unnest(ids) as told(id) where id <> all(reached) and not exists (
      select from sitq.task where task.id = told.id and task.trip = lost_trip and task.state <> 2));
end $$;

-- Make a running task pending again, and keep the attempt in its history unless it was given back without having begun.
create or replace function sitq.put_back(
  task_id text, number integer, why text, message text, trace text, delay float8, duration float8, trip_id bigint,
  woken_before text[], due_before timestamptz, out state smallint, out woken text[], out due timestamptz)
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  found_task record;
begin
  woken := woken_before;
  due := due_before;
  select seq, queue, cancel into found_task from sitq.task
  where id = task_id and attempt = number and task.state + 0 = 2 for update;
  if not found then
    return;
  end if;
  if why <> 'released' or duration > 0 then
    perform sitq.remember(array[found_task.seq], moment, why, message, trace);
  end if;
  if found_task.cancel then
    state := 5;
    woken := woken || sitq.stop_between_attempts(array[found_task.seq]);
    return;
  end if;
  state := case when delay > 0 then 0 else 1 end;
  update sitq.task set state = put_back.state, due_at = moment + delay * interval '1 second', worker = null,
    started_at = null, cause = null, error = coalesce(message, error), trip = trip_id,
    failures = failures + (why in ('error', 'timeout'))::integer, crashes = crashes + (why = 'lost')::integer,
    progress_done = null, progress_total = null, progress_message = null
  where seq = found_task.seq;
  insert into sitq.counter values (found_task.queue, 2, -1), (found_task.queue, state, 1);
  if state = 1 then
    woken := woken || found_task.queue;
  else
    due := least(due, moment + delay * interval '1 second');
  end if;
end $$;

-- Hand tasks out. What is locked by another claim, or was taken by one meanwhile, is passed over.
create or replace function sitq.claim(
  owner bigint, version text, lanes text[], wanted integer, trip_id bigint, lost_trip bigint
) returns table(
  kind integer, id text, attempt integer, name text, queue text, payload bytea, failures integer, crashes integer,
  max_attempts bigint, timeout float8, executor text, waited boolean, meta text, scheduled_at timestamptz)
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  heads bigint[];
  seen bigint[] := '{}';
  fit bigint[];
  taken bigint[] := '{}';
  expired bigint[];
  foreigners bigint[];
  missing integer := wanted;
begin
  if lost_trip is not null then
    return query select 0, task.id, task.attempt, task.name, task.queue, task.payload, task.failures, task.crashes,
      task.max_attempts, task.timeout, task.executor, task.on_failure is not null, task.meta, task.scheduled_at
    from sitq.task where task.state = 2 and task.worker = owner and task.trip = lost_trip;
    get diagnostics missing = row_count;
    missing := wanted - missing;
  end if;
  while missing > 0 loop
    heads := sitq.heads(lanes, missing, seen);
    exit when cardinality(heads) = 0;
    seen := seen || heads;
    select
      array_agg(locked.seq) filter (where not locked.late and not locked.foreign_code),
      array_agg(locked.seq) filter (where locked.late),
      array_agg(locked.seq) filter (where locked.foreign_code and not locked.late)
    into fit, expired, foreigners from (
      select task.seq, coalesce(task.expires_at < moment, false) as late,
        coalesce(task.python <> version, false) as foreign_code
      from sitq.task where task.seq = any(heads) and task.state + 0 = 1 for update skip locked) as locked;
    taken := taken || fit;
    if expired is not null then
      perform sitq.wake(sitq.make_cancelled(expired, 'TaskCancelledError: it did not start before it expired'));
    end if;
    if foreigners is not null then
      with moved as (update sitq.task set state = -2 where task.seq = any(foreigners) returning task.queue)
      insert into sitq.counter
      select moved.queue, -2, count(*) from moved group by moved.queue
      union all select moved.queue, 1, -count(*) from moved group by moved.queue;
    end if;
    exit when cardinality(heads) < missing;  -- there are no more
    missing := missing - coalesce(cardinality(fit), 0);
  end loop;

  if cardinality(taken) > 0 then
    return query with moved as (
      update sitq.task set state = 2, attempt = task.attempt + 1, worker = owner, started_at = moment, cause = null,
        trip = trip_id
      where task.seq = any(taken) returning task.*),
    counted as (
      insert into sitq.counter
      select moved.queue, 2, count(*) from moved group by moved.queue
      union all select moved.queue, 1, -count(*) from moved group by moved.queue)
    select 0, moved.id, moved.attempt, moved.name, moved.queue, moved.payload, moved.failures, moved.crashes,
      moved.max_attempts, moved.timeout, moved.executor, moved.on_failure is not null, moved.meta, moved.scheduled_at
    from moved order by moved.priority desc, moved.due_at, moved.seq;
  end if;
end $$;

-- Find the ready tasks that come first in lanes that are not paused. No lanes mean all.
create or replace function sitq.heads(lanes text[], most integer, seen bigint[]) returns bigint[]
language plpgsql as $$
declare
  lane text collate "C" := '';
  resting text[] := array(select queue from sitq.paused);
  walked_lanes text[] collate "C";
  walked bigint[];
  found_seqs bigint[] := '{}';
begin
  if lanes is not null then
    return array(
      select head.seq from (select distinct unnest(lanes)) as wanted(name) cross join lateral (
        select seq, priority, due_at from sitq.task where state = 1 and queue = wanted.name and seq <> all(seen)
        order by priority desc, due_at, seq limit most) as head
      where wanted.name <> all(resting)
      order by head.priority desc, head.due_at, head.seq limit most);
  end if;
  -- A walk is over one full lane, or over all of several short ones: what is dead at the head of a lane is passed once.
  loop
    select array_agg(queue), array_agg(seq) into walked_lanes, walked from (
      select queue, seq from sitq.task where state = 1 and queue > lane and seq <> all(seen)
      order by queue, priority desc, due_at, seq limit most) as ready;
    exit when walked is null;
    lane := case
      when cardinality(walked) < most then null  -- there are no lanes behind these
      when walked_lanes[1] = walked_lanes[most] then walked_lanes[most]
      else (select max(queue) from unnest(walked_lanes) as ready(queue) where queue < walked_lanes[most])
    end;
    found_seqs := found_seqs || array(
      select seq from unnest(walked_lanes, walked) as ready(queue, seq)
      where queue <> all(resting) and (lane is null or queue <= lane));
    exit when lane is null;
  end loop;
  if cardinality(found_seqs) > most then
    found_seqs := array(
      select seq from sitq.task where seq = any(found_seqs) order by priority desc, due_at, seq limit most);
  end if;
  return found_seqs;
end $$;

-- Make scheduled tasks ready whose moment has come, and those that waited for this version of Python.
create or replace function sitq.promote(moment timestamptz, version text) returns void
language plpgsql as $$
begin
  if exists (select from sitq.task where state = 0 and due_at <= moment) then
    with moved as (
      update sitq.task set state = 1 where seq = any(array(
        select seq from sitq.task where state = 0 and due_at <= moment order by due_at limit 500 for update skip locked))
      returning queue)
    insert into sitq.counter
    select queue, 1, count(*) from moved group by queue
    union all select queue, 0, -count(*) from moved group by queue;
  end if;
  if exists (select from sitq.task where state = -2 and python = version) then
    with moved as (
      update sitq.task set state = 1 where seq = any(array(
        select seq from sitq.task where state = -2 and python = version limit 500 for update skip locked))
      returning queue)
    insert into sitq.counter
    select queue, 1, count(*) from moved group by queue
    union all select queue, -2, -count(*) from moved group by queue;
  end if;
end $$;
