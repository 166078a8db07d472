-- Stop or resume the firing of a schedule. Arguments: name, "1" to stop, the moment with which a paused one goes on.
-- Answers 1 if there is one.

verb('pause_schedule', {'allow-oom'}, function()
  local key = schedule_key(ARGV[1])
  local queue, paused = unpack(call('HMGET', key, 'queue', 'paused'))
  if not queue then return 0 end
  if ARGV[2] == '1' then
    call('HSET', key, 'paused', 1)
  elseif paused then
    call('HDEL', key, 'paused')
    set_or_clear(key, 'next', ARGV[3])
  end
  wake_lane(queue)
  topics.schedules = true
  finish_writes()
  return 1
end)
