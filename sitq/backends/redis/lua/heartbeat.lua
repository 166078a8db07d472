-- Say that a worker lives and renew its lease. Arguments: its id, lease, its facts as pairs of names and values in
-- JSON, then id and attempt of each claim it believes to hold. Answers the ids that must stop.

local worker, lease, facts = ARGV[1], tonumber(ARGV[2]), cjson.decode(ARGV[3])

local function believed()
  local ids = {}
  for place = 4, #ARGV, 2 do ids[#ids + 1] = ARGV[place] end
  return ids
end

-- Records of workers that stopped end by themselves; their places in the list go here.
local function forget_stopped()
  for _, id in ipairs(call('ZRANGE', base .. 'workers', 0, 99)) do
    if call('EXISTS', base .. 'w:' .. id) == 0 then call('ZREM', base .. 'workers', id) end
  end
end

local function register()
  local key = base .. 'w:' .. worker
  call('DEL', key)
  forget_stopped()
  call('HSET', key, 'lease', as_text(lease), 'seen', as_text(now), unpack(facts))
  call('ZADD', base .. 'leases', now + lease, worker)
  call('ZADD', base .. 'workers', now, worker)
end

local function renew()
  call('HSET', base .. 'w:' .. worker, 'lease', as_text(lease), 'seen', as_text(now))
  call('ZADD', base .. 'leases', now + lease, worker)
end

-- Those of its claims that are lost, and those that somebody cancelled.
local function to_stop()
  local stop, seen = {}, {}
  for place = 4, #ARGV, 2 do
    local id = ARGV[place]
    local state, attempt, run_by = unpack(task(id, 's', 'at', 'w'))
    if state ~= 'running' or attempt ~= ARGV[place + 1] or run_by ~= worker then
      stop[#stop + 1] = id
      seen[id] = true
    end
  end
  for _, id in ipairs(cancelled_of(worker)) do
    if not seen[id] then stop[#stop + 1] = id end
  end
  return stop
end

local function beat()
  if not call('ZSCORE', base .. 'leases', worker) then
    if lease > 0 then register() end
    return believed()
  end
  local stop = to_stop()
  if lease > 0 then renew() else give_back(worker, 'released', nil) end
  return stop
end

local stop = beat()
finish_writes()
return stop
