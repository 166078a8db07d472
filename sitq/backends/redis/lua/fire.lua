-- Store one task for each occurrence and move a schedule on, if it still waits for the moment that was read. Arguments:
-- name, that moment, next moment ("" for none), last occurrence ("" for none), then id and occurrence of each task.
-- Answers the ids of the new tasks; nothing where it has moved on; "version" where another version stored it.

verb('fire', {}, function()
  local name, due, next_moment, last = unpack(ARGV, 1, 4)
  local key = schedule_key(name)
  local planned, paused, version, last_before = unpack(call('HMGET', key, 'next', 'paused', 'version', 'last'))

  if planned ~= due or paused then return false end
  if version ~= VERSION then return 'version' end
  set_or_clear(key, 'next', next_moment)
  if last ~= '' then
    call('HSET', key, 'last', last)
  elseif last_before and tonumber(last_before) > now then
    call('HSET', key, 'last', as_text(now)) -- made by a clock that was ahead
  end
  local ids = {}
  for place = 5, #ARGV, 2 do
    local id = store_occurrence(name, ARGV[place], ARGV[place + 1])
    if id == ARGV[place] then ids[#ids + 1] = id end
  end
  topics.schedules = true
  finish_writes()
  return ids
end)
