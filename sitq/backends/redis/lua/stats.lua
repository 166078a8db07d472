-- Count tasks and list workers. Answers counts by "state lane", paused lanes, lanes with the moment since which their
-- longest-waiting task has been due, due tasks by lane that count as scheduled still, and workers.

local function oldest_due(queue)
  local key, oldest = base .. 'ready:' .. queue, nil
  local head = call('ZRANGE', key, 0, 0, 'WITHSCORES')
  while #head > 0 do -- one look at the head of each priority
    local due = tonumber(head[1]:sub(1, 18))
    if not oldest or due < oldest then oldest = due end
    head = call('ZRANGEBYSCORE', key, '(' .. head[2], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  end
  return oldest
end

-- Due tasks stay in the scheduled state until the next claim makes them ready.
local function due_by_lane()
  local due, oldest = {}, {}
  for _, id in ipairs(call('ZRANGEBYSCORE', base .. 'scheduled', '-inf', as_text(now))) do
    local queue, moment = unpack(task(id, 'q', 'due'))
    due[queue] = (due[queue] or 0) + 1
    oldest[queue] = math.min(oldest[queue] or math.huge, tonumber(moment))
  end
  return due, oldest
end

local function flat(values)
  local found = {}
  for key, value in pairs(values) do
    found[#found + 1] = key
    found[#found + 1] = as_text(value)
  end
  return found
end

local FACTS = {'host', 'pid', 'process', 'queues', 'max_concurrency', 'python', 'started', 'seen'}

local function worker(id)
  local fields = call('HMGET', base .. 'w:' .. id, unpack(FACTS))
  if not fields[1] then return nil end
  local lease = call('ZSCORE', base .. 'leases', id)
  fields[#fields + 1] = (lease and tonumber(lease) >= now) and 1 or 0
  fields[#fields + 1] = call('SCARD', base .. 'run:' .. id)
  return {id, fields}
end

local due, oldest = due_by_lane()
for _, queue in ipairs(call('SMEMBERS', base .. 'lanes')) do
  local moment = oldest_due(queue)
  if moment then oldest[queue] = math.min(oldest[queue] or math.huge, moment) end
end
local workers = {}
for _, id in ipairs(call('ZRANGE', base .. 'workers', 0, -1)) do workers[#workers + 1] = worker(id) end
return {call('HGETALL', base .. 'counts'), call('SMEMBERS', base .. 'paused'), flat(oldest), flat(due), workers}
