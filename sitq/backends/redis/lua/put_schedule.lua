-- Store a schedule, or replace the one of its name. Arguments: name, cron, every, timezone, catch_up, task's name,
-- lane, payload, arguments, facts, rare, next moment; "" for what it has not. Answers what the store holds now.

local function same(stored, given)
  return (stored or '') == given
end

verb('put_schedule', {}, function()
  local name, cron, every, timezone, catch_up, task_name, queue, payload, arguments, facts, rare, next_moment =
    unpack(ARGV)
  local key = schedule_key(name)
  local before = call('HMGET', key, 'cron', 'every', 'timezone', 'next', 'created')
  local goes_on = before[5] and same(before[1], cron) and same(before[2], every) and same(before[3], timezone)
  call('HSET', key, 'name', name, 'catch_up', catch_up, 'task_name', task_name, 'queue', queue, 'payload', payload,
    'arguments', arguments, 'facts', facts, 'rare', rare, 'version', VERSION)
  set_or_clear(key, 'cron', cron)
  set_or_clear(key, 'every', every)
  set_or_clear(key, 'timezone', timezone)
  if not goes_on then
    call('HSET', key, 'created', as_text(now))
    call('HDEL', key, 'last')
  end
  if not (goes_on and before[4]) then set_or_clear(key, 'next', next_moment) end
  call('SADD', base .. 'schedules', name)
  wake_lane(queue)
  topics.schedules = true
  finish_writes()
  return info(name)
end)
