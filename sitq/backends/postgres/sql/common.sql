-- What the verbs share. Each verb is one function: one statement, one round trip, one transaction.

-- Tell all who listen that something changed for these lanes and tasks, when a task becomes due, and whether running
-- tasks are to stop.
create or replace function sitq.wake(keys text[], due timestamptz default null, stops boolean default false)
returns void
language plpgsql as $$
declare
  message text;
begin
  if coalesce(cardinality(keys), 0) = 0 and due is null then
    return;
  end if;
  message := json_build_object(
    'keys', keys, 'due', extract(epoch from due - clock_timestamp()), 'stops', stops)::text;
  if octet_length(message) > 7900 then  -- a notification holds 8,000 bytes; this one means anything
    message := '{}';
  end if;
  perform pg_notify('sitq.wake', message);
end $$;

-- Sum the counter's changes up, once in many calls.
create or replace function sitq.tidy_counter() returns void
language plpgsql as $$
begin
  if random() < 0.004 then
    with gone as (
      delete from sitq.counter where ctid = any(array(select ctid from sitq.counter limit 20000 for update skip locked))
      returning queue, state, n)
    insert into sitq.counter select queue, state, sum(n) from gone group by queue, state having sum(n) <> 0;
  end if;
end $$;

-- Note that one task of each of these lanes went from one state to another; tasks that come or go have a null there.
create or replace function sitq.move(queues text[], sources smallint[], targets smallint[]) returns void
language sql as $$
  insert into sitq.counter
  select queue, state, sum(n) from (
    select queue, source, -1 from unnest(queues, sources) as gone(queue, source) where source is not null
    union all
    select queue, target, 1 from unnest(queues, targets) as come(queue, target) where target is not null
  ) as change(queue, state, n)
  group by queue, state having sum(n) <> 0
$$;

-- Copy the attempts that these tasks' rows hold into the history; what is not given is as the row has it.
create or replace function sitq.remember(
  seqs bigint[], ended_at timestamptz, why text default null, message text default null, trace text default null
) returns void
language sql as $$
  insert into sitq.attempt
  select seq, attempt, worker, started_at, coalesce(ended_at, finished_at), coalesce(why, cause),
    coalesce(message, error), coalesce(trace, traceback)
  from sitq.task where seq = any(seqs) and attempt > 0
  on conflict do nothing
$$;

-- End those of these tasks, whose rows are locked, that do not want to run without what they needed.
create or replace function sitq.doom(seqs bigint[], whys text[], out doomed bigint[], out woken text[])
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
begin
  with bad as (select * from unnest(seqs, whys) as bad(seq, why)),
  moved as (
    update sitq.task set
      state = case task.on_failure when 'fail' then 4 else 5 end,
      cause = case task.on_failure when 'fail' then 'error' else 'cancelled' end,
      error = case task.on_failure when 'fail' then 'TaskExecutionError: ' else 'TaskCancelledError: ' end || bad.why,
      finished_at = moment, waiting = 0, purge_at = moment + task.retention * interval '1 second'
    from bad, sitq.task as was
    where task.seq = bad.seq and was.seq = bad.seq and task.on_failure <> 'run'
    returning task.seq, task.id, task.queue, was.state as source, task.state)
  select array_agg(seq), array_agg(id), sitq.move(array_agg(queue), array_agg(source), array_agg(state))
  into doomed, woken from moved having count(*) > 0;
end $$;

-- Let those go that waited for tasks which have ended, or end them by their policy, until nothing more comes of it.
-- With a reason the tasks are about to be deleted. Answers what to wake.
create or replace function sitq.settle(ended bigint[], reason text default null) returns text[]
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  keys text[] := '{}';
  hit bigint[];
  doomed bigint[];
  whys text[];
  woken text[];
begin
  while cardinality(ended) > 0 loop
    exit when not exists (select from sitq.task where state = -1);
    -- The lock comes first: who ends another need of the same task is then seen by the statements below.
    select array_agg(seq) into hit from (
      select seq from sitq.task
      where state + 0 = -1 and seq = any(array(select task from sitq.dependency where needs = any(ended)))
      order by seq for update) as locked;
    exit when hit is null;

    select array_agg(dependent), array_agg(why) into doomed, whys from (
      select distinct on (dependency.task) dependency.task as dependent,
        format('task %s, which it needs, %s', needed.id,
          coalesce(reason, case needed.state when 4 then 'failed' else 'was cancelled' end)) as why
      from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
      where dependency.needs = any(ended) and dependency.task = any(hit) and (reason is not null or needed.state > 3)
      order by dependency.task, needed.seq) as bad;
    select * into doomed, woken from sitq.doom(doomed, whys);
    keys := keys || woken;

    with rest as (
      select seq, (
        select count(*) from sitq.dependency join sitq.task as needed on needed.seq = dependency.needs
        where dependency.task = dependent.seq and needed.state < 3 and needed.seq <> all(ended)) as needs
      from sitq.task as dependent where seq = any(hit) and state + 0 = -1),
    moved as (
      update sitq.task set
        waiting = rest.needs, state = case when rest.needs > 0 then -1 when due_at > moment then 0 else 1 end
      from rest where task.seq = rest.seq
      returning queue, state)
    select array_agg(distinct queue), sitq.move(array_agg(queue), array_agg(-1::smallint), array_agg(state))
    into woken from moved where state >= 0 having count(*) > 0;
    keys := keys || woken;

    ended := doomed;
    reason := null;
  end loop;
  return keys;
end $$;

-- End tasks, whose rows are locked, that have not begun or stand between two attempts. Answers what to wake.
create or replace function sitq.make_cancelled(seqs bigint[], reason text) returns text[]
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  keys text[];
begin
  with moved as (
    update sitq.task set state = 5, cause = 'cancelled', error = reason, finished_at = moment, waiting = 0,
      purge_at = moment + task.retention * interval '1 second'
    from sitq.task as was where was.seq = task.seq and task.seq = any(seqs)
    returning task.id, task.queue, was.state as source)
  select array_agg(id), sitq.move(array_agg(queue), array_agg(source), array_agg(5::smallint))
  into keys from moved having count(*) > 0;
  return coalesce(keys, '{}') || sitq.settle(seqs);
end $$;

-- Let a task wait for others that have not ended.
create or replace function sitq.block(dependent bigint, unfinished integer) returns void
language sql as $$
  with moved as (
    update sitq.task set state = -1, waiting = unfinished from sitq.task as was
    where was.seq = task.seq and task.seq = dependent
    returning task.queue, was.state as source, task.state)
  select sitq.move(array_agg(queue), array_agg(source), array_agg(state)) from moved
$$;
