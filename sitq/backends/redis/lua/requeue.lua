-- Make failed and cancelled tasks due now, with fresh budgets. Arguments: ids. Answers the ids that were reached.

-- Count what a task needs that has not ended.
local function unfinished_needs(id)
  local waiting = 0
  for _, needed in ipairs(call('HKEYS', base .. 'n:' .. id)) do
    local state = task(needed, 's')[1]
    if state and not FINAL[state] then waiting = waiting + 1 end
  end
  return waiting
end

-- Let those that still wait for others wait for this one again: they have counted what has not ended.
local function count_up(id)
  for _, dependent in ipairs(call('SMEMBERS', base .. 'd:' .. id)) do
    if task(dependent, 's')[1] == 'blocked' then call('HINCRBY', task_key(dependent), 'wa', 1) end
  end
end

local function requeue(id)
  local state, queue, seq, priority, key, finished = unpack(task(id, 's', 'q', 'seq', 'p', 'k', 'fi'))
  if state ~= 'failed' and state ~= 'cancelled' then return false end
  if key and call('HEXISTS', base .. 'keys', key) == 1 then return false end
  remember(id, finished)
  call('HDEL', task_key(id),
    'f', 'c', 'x', 'ca', 'w', 'st', 'fi', 'ex', 'er', 'tb', 'v', 'pd', 'pt', 'pm')
  call('ZREM', base .. 'done', id)
  call('ZREM', base .. 'purge', id)
  if key then call('HSET', base .. 'keys', key, id) end
  count_up(id)
  local waiting, target = unfinished_needs(id), 'blocked'
  if waiting > 0 then
    call('SADD', base .. 'blocked', id)
    call('HSET', task_key(id), 'wa', waiting)
  else
    target = make_due(id, queue, priority or 0, now, seq)
  end
  call('HSET', task_key(id), 's', target, 'due', as_text(now))
  move(id, seq, queue, state, target)
  wake_lane(queue)
  return true
end

verb_of_ids('requeue', requeue)
