-- The producer's verb: tasks come as columns, one array each; null stands for a column of nulls, which mean the default.

-- Store tasks that nothing can refuse, since they have no key and no needs; an id that exists is left alone.
create or replace function sitq.enqueue_plain(
  ids text[], queues text[], names text[], payloads bytea[], priorities bigint[], etas timestamptz[], delays float8[],
  expiries float8[], timeouts float8[], budgets bigint[], pythons text[], executors text[], retentions float8[],
  tags text[], metas text[], arguments text[]
) returns void
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  lanes text[];
  due timestamptz;
begin
  with given as (
    select *, coalesce(eta, moment + coalesce(delay, 0) * interval '1 second') as due_at
    from unnest(ids, queues, names, payloads, priorities, etas, delays, expiries, timeouts, budgets, pythons, executors,
      retentions, tags, metas, arguments)
      as given(id, queue, name, payload, priority, eta, delay, expires, timeout, max_attempts, python, executor,
        retention, tag, meta, argument)),
  added as (
    insert into sitq.task(id, queue, name, payload, state, priority, due_at, enqueued_at, expires_at, timeout,
      max_attempts, python, executor, retention, tags, meta, arguments)
    select id, queue, name, payload, case when given.due_at > moment then 0 else 1 end, coalesce(priority, 0),
      given.due_at, moment, moment + expires * interval '1 second', timeout, coalesce(max_attempts, 1), python, executor,
      retention, tag, meta, argument
    from given
    on conflict (id) do nothing
    returning queue, state, due_at),
  counted as (insert into sitq.counter select queue, state, count(*) from added group by queue, state)
  select array_agg(distinct queue) filter (where state = 1), min(due_at) filter (where state = 0)
  into lanes, due from added;
  perform sitq.wake(lanes, due), sitq.tidy_counter();
end $$;

-- Store one such task: without arrays this is a third quicker.
create or replace function sitq.enqueue_one(
  task_id text, lane text, name text, payload bytea, priority bigint, eta timestamptz, delay float8, expires float8,
  timeout float8, budget bigint, python text, executor text, retention float8, tags text, meta text, arguments text
) returns void
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  due timestamptz := coalesce(eta, moment + coalesce(delay, 0) * interval '1 second');
  is_ready boolean := due <= moment;
begin
  insert into sitq.task(id, queue, name, payload, state, priority, due_at, enqueued_at, expires_at, timeout,
    max_attempts, python, executor, retention, tags, meta, arguments)
  values (task_id, lane, name, payload, is_ready::integer, coalesce(priority, 0), due, moment,
    moment + expires * interval '1 second', timeout, coalesce(budget, 1), python, executor, retention, tags, meta,
    arguments)
  on conflict (id) do nothing;
  if found then
    insert into sitq.counter values (lane, is_ready::integer, 1);
    perform sitq.wake(case when is_ready then array[lane] end, case when not is_ready then due end), sitq.tidy_counter();
  end if;
end $$;

-- Store tasks one by one, all or none, and answer the id that each has in the store.
create or replace function sitq.enqueue(
  ids text[], queues text[], names text[], payloads bytea[], priorities bigint[], etas timestamptz[], delays float8[],
  expiries float8[], timeouts float8[], budgets bigint[], pythons text[], executors text[], retentions float8[],
  tags text[], metas text[], arguments text[],
  keys text[], conflicts text[], needs text[], afters text[], policies text[]
) returns text[]
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  given record;
  holder record;
  added record;
  answer text;
  answers text[] := '{}';
  woken text[] := '{}';
  due timestamptz;
begin
  for given in
    select *, coalesce(eta, moment + coalesce(delay, 0) * interval '1 second') as due_at
    from unnest(ids, queues, names, payloads, priorities, etas, delays, expiries, timeouts, budgets, pythons, executors,
      retentions, tags, metas, arguments, keys, conflicts, needs, afters, policies) with ordinality
      as given(id, queue, name, payload, priority, eta, delay, expires, timeout, max_attempts, python, executor,
        retention, tag, meta, argument, key, on_conflict, needs, after, on_failure, place)
    order by place
  loop
    answer := null;
    while answer is null loop
      insert into sitq.task(id, queue, name, payload, state, priority, due_at, enqueued_at, expires_at, timeout,
        max_attempts, python, executor, retention, tags, meta, arguments, key)
      select given.id, given.queue, given.name, given.payload, case when given.due_at > moment then 0 else 1 end,
        coalesce(given.priority, 0), given.due_at, moment, moment + given.expires * interval '1 second', given.timeout,
        coalesce(given.max_attempts, 1), given.python, given.executor, given.retention, given.tag, given.meta, given.argument,
        given.key
      where not exists (select from sitq.task where id = given.id)
      on conflict do nothing
      returning seq, queue, state, due_at into added;
      if found then
        answer := given.id;
        insert into sitq.counter values (added.queue, added.state, 1);
        if given.needs is not null then
          woken := woken || sitq.await_needs(added.seq, given.name, given.needs, given.after, given.on_failure);
        end if;
        if added.state = 1 then
          woken := woken || added.queue;
        else
          due := least(due, added.due_at);
        end if;
      else
        select id into answer from sitq.task where id = given.id;
        if not found then
          select seq, id, state into holder from sitq.task where key = given.key and state < 3 for update;
          if found then  -- or else it has ended just now, and the key is free
            if given.on_conflict = 'return' then
              answer := holder.id;
            elsif given.on_conflict = 'replace' and holder.state <> 2 then
              woken := woken || sitq.make_cancelled(array[holder.seq], 'replaced by ' || given.id);
            else
              raise exception using errcode = 'SQ001', detail = holder.id, message = format(
                'key %L is held by task %s, which is %s; wait for it, or use another key', given.key, holder.id,
                case holder.state when 2 then 'running' else 'pending' end);
            end if;
          end if;
        end if;
      end if;
    end loop;
    answers := answers || answer;
  end loop;
  perform sitq.wake(array(select distinct unnest(woken)), due), sitq.tidy_counter();
  return answers;
end $$;

-- Note what a task needs that was just stored: it waits, or meets its policy where a need has ended badly already.
create or replace function sitq.await_needs(dependent bigint, called text, needs text, after text, policy text)
returns text[]
language plpgsql as $$
declare
  taken text[] := array(select json_array_elements_text(needs::json));
  wanted text[] := taken || array(select json_array_elements_text(after::json));
  missing text;
  unfinished integer;
  bad record;
  woken text[];
begin
  -- Who ends one of these now must wait, and then sees that this task waits for it.
  perform from sitq.task where id = any(wanted) order by seq for share;
  select id into missing from unnest(wanted) as given(id)
  where not exists (select from sitq.task where task.id = given.id and task.seq <> dependent) limit 1;
  if found then
    raise exception using errcode = 'SQ001', detail = missing, message = format(
      '%s needs task %s, and there is none of that id; enqueue what it needs first', called, missing);
  end if;
  insert into sitq.dependency select seq, dependent, id = any(taken) from sitq.task where id = any(wanted);
  select count(*) into unfinished from sitq.task where id = any(wanted) and state < 3;
  update sitq.task set on_failure = policy where seq = dependent;
  select id, state into bad from sitq.task where id = any(wanted) and state > 3 order by seq limit 1;
  if found and policy <> 'run' then
    select doom.woken into woken from sitq.doom(array[dependent], array[format('task %s, which it needs, %s', bad.id,
      case bad.state when 4 then 'failed' else 'was cancelled' end)]) as doom;
  elsif unfinished > 0 then
    perform sitq.block(dependent, unfinished);
  end if;
  return woken;
end $$;
