-- Store tasks that have ended in another store, with what they came to; answers the ids that are new here.
create or replace function sitq.restore(
  ids text[], queues text[], names text[], payloads bytea[], priorities bigint[], etas timestamptz[], delays float8[],
  expiries float8[], timeouts float8[], budgets bigint[], pythons text[], executors text[], retentions float8[],
  tags text[], metas text[], arguments text[],
  keys text[], conflicts text[], needs text[], afters text[], policies text[],
  states smallint[], attempts integer[], causes text[], errors text[], tracebacks text[], results bytea[],
  enqueued timestamptz[], started timestamptz[], finished timestamptz[]
) returns setof text
language plpgsql as $$
declare
  moment timestamptz := clock_timestamp();
  added_ids text[];
begin
  with given as (
    select *, coalesce(finished_at, moment) as ended, coalesce(enqueued_at, finished_at, moment) as came
    from unnest(ids, queues, names, payloads, priorities, etas, expiries, timeouts, budgets, pythons, executors,
      retentions, tags, metas, arguments, keys, needs, policies, states, attempts, causes, errors, tracebacks, results,
      enqueued, started, finished) with ordinality
      as given(id, queue, name, payload, priority, eta, expires, timeout, max_attempts, python, executor,
        retention, tag, meta, argument, key, needs, on_failure, state, attempt, cause, error, traceback, value,
        enqueued_at, started_at, finished_at, place)
    order by place),
  added as (
    insert into sitq.task(id, queue, name, payload, state, priority, due_at, enqueued_at, expires_at, timeout,
      max_attempts, python, executor, retention, tags, meta, arguments, key, on_failure, attempt, cause, error,
      traceback, value, started_at, finished_at, purge_at)
    select given.id, given.queue, name, payload, given.state, coalesce(priority, 0), coalesce(eta, came), came,
      came + expires * interval '1 second', timeout, coalesce(max_attempts, 1), python, executor, retention, tag,
      meta, argument, key, case when given.needs is not null then on_failure end, attempt, cause, error, traceback, value, started_at,
      ended, ended + retention * interval '1 second'
    from given
    on conflict (id) do nothing
    returning task.id, task.queue, task.state),
  counted as (insert into sitq.counter select queue, state, count(*) from added group by queue, state)
  select array_agg(id) into added_ids from added;
  insert into sitq.dependency
  select distinct on (needed.seq, dependent.seq) needed.seq, dependent.seq, link.takes
  from unnest(ids, needs, afters) as given(id, need, after)
  cross join lateral (
    select json_array_elements_text(given.need::json), true
    union all select json_array_elements_text(given.after::json), false) as link(id, takes)
  join sitq.task as needed on needed.id = link.id
  join sitq.task as dependent on dependent.id = given.id
  where given.id = any(added_ids)
  order by needed.seq, dependent.seq, link.takes desc;
  perform sitq.wake(added_ids);
  return query select unnest(added_ids);
end $$;
