-- What running attempts tell of themselves, under their fence.
create or replace function sitq.report(
  ids text[], attempts integer[], tells boolean[], dones float8[], totals float8[], messages text[], keeps bigint[],
  places integer[], streams text[], texts bytea[]
) returns void
language plpgsql
set enable_seqscan = off set plan_cache_mode = force_generic_plan set jit = off
as $$
declare
  moment timestamptz := clock_timestamp();
  seqs bigint[];  -- in the order of the reports; null where one is to be ignored
  trimmed record;
begin
  with told as (select * from unnest(ids, attempts) with ordinality as told(id, attempt, place)),
  held as (
    select task.seq, task.id, task.attempt from sitq.task join told on task.id = told.id and task.attempt = told.attempt
    where task.state + 0 = 2 order by task.seq for update of task)  -- + 0: see exchange.sql
  select array_agg(held.seq order by told.place) into seqs
  from told left join held on held.id = told.id and held.attempt = told.attempt;

  update sitq.task set progress_done = told.done, progress_total = told.total, progress_message = told.message
  from (
    select distinct on (seq) * from unnest(seqs, tells, dones, totals, messages) with ordinality
      as told(seq, says, done, total, message, place)
    where seq is not null and says order by seq, place desc) as told
  where task.seq = told.seq;

  insert into sitq.output(task, attempt, stream, written_at, text)
  select seqs[told.place], attempts[told.place], told.stream, moment, told.text
  from unnest(places, streams, texts) with ordinality as told(place, stream, text, turn)
  where seqs[told.place] is not null order by told.turn;

  -- The window runs from the newest chunk back, and what comes before the bytes to keep goes.
  for trimmed in
    select told.seq, told.attempt, told.keep from unnest(seqs, attempts, keeps) as told(seq, attempt, keep)
    where told.seq is not null and told.keep is not null
  loop
    delete from sitq.output where seq = any(array(
      select chunk.seq from (
        select output.seq, sum(octet_length(output.text)) over (order by output.seq desc) as bytes
        from sitq.output where output.task = trimmed.seq and output.attempt = trimmed.attempt) as chunk
      where chunk.bytes > trimmed.keep));
  end loop;
  perform sitq.wake(array(
    select distinct id from unnest(ids, seqs) as told(id, seq) where seq is not null));
end $$;
