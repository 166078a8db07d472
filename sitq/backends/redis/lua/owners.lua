-- Who runs what: what a worker holds is given back when it leaves, or is declared dead.

-- Make all that a worker holds ready again, and close its record, which is shown for an hour.
local function give_back(worker, cause, error)
  for _, id in ipairs(call('SMEMBERS', base .. 'run:' .. worker)) do
    local seq, queue, stop, priority, due = unpack(task(id, 'seq', 'q', 'x', 'p', 'due'))
    remember(id, as_text(now), cause, error)
    if stop then
      stop_between_attempts(id, seq, queue)
    else
      call('HDEL', task_key(id), 'w', 'st', 'pd', 'pt', 'pm')
      call('HSET', task_key(id), 's', 'ready')
      if error then call('HSET', task_key(id), 'er', error) end
      if cause == 'lost' then call('HINCRBY', task_key(id), 'c', 1) end
      make_ready(id, queue, priority or 0, tonumber(due), seq)
      move(id, seq, queue, 'running', 'ready')
    end
  end
  call('DEL', base .. 'run:' .. worker)
  call('ZREM', base .. 'leases', worker)
  call('HSET', base .. 'w:' .. worker, 'stopped', as_text(now))
  call('EXPIRE', base .. 'w:' .. worker, 3600)
end

local function declare_dead(worker)
  give_back(worker, 'lost', 'TaskLostError: worker ' .. worker .. ' died while running it')
end

-- Microseconds since which the server has been there, as far as it says: it counts whole seconds.
local function uptime()
  local told = redis.pcall('INFO', 'server')
  local seconds = type(told) == 'string' and told:match('uptime_in_seconds:(%d+)')
  return seconds and seconds * 1000000 or math.huge
end

-- Declare those dead whose lease is over. A server that was away leaves them one lease from its return.
local function release_overdue(own)
  for _, worker in ipairs(call('ZRANGEBYSCORE', base .. 'leases', '-inf', '(' .. as_text(now), 'LIMIT', 0, 100)) do
    local lease = tonumber(call('HGET', base .. 'w:' .. worker, 'lease') or 0)
    if worker ~= own and uptime() > lease then declare_dead(worker) end
  end
end

-- Shorten leases that a clock which was ahead has made: they would hold until the clock has caught up.
local function mend_leases()
  local leases = call('ZRANGE', base .. 'leases', 0, -1, 'WITHSCORES')
  for place = 1, #leases, 2 do
    local latest = now + tonumber(call('HGET', base .. 'w:' .. leases[place], 'lease') or 0)
    if tonumber(leases[place + 1]) > latest then call('ZADD', base .. 'leases', latest, leases[place]) end
  end
end

-- The running tasks of a worker that somebody cancelled.
local function cancelled_of(worker)
  local found = {}
  for _, id in ipairs(call('SMEMBERS', base .. 'run:' .. worker)) do
    if call('HEXISTS', task_key(id), 'x') == 1 then found[#found + 1] = id end
  end
  return found
end
