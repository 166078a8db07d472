-- What every verb works with: the keys of the store, its clock, and the writes that gather until finish_writes().
--
-- Keys, all behind `base`, whose braces keep a store in one slot of a cluster:
--   t:<id>        a task's fields            a:<id>   its earlier attempts, by number
--   o:<id>        what it wrote, a stream    n:<id>   what it needs: "1" where it takes the value
--   d:<id>        those that need it         keys     the unfinished task that holds a key
--   ready:<lane>  by -priority; member: due moment, place of arrival, id
--   scheduled     by due moment              parked:<python>, blocked   ids
--   all, s:<status>   ids by place of arrival     done, purge   ids by the moment they ended, or are to go
--   w:<worker>    a worker's facts           run:<worker>   ids it runs
--   workers, leases   workers by first heartbeat, and by the end of their lease
-- Moments are microseconds; Lua's own conversion of such numbers to text is not exact, as_text() is.

local base, ARGV, now, call -- of the call that is under way

local STATUS = {
  parked = 'pending', blocked = 'pending', scheduled = 'pending', ready = 'pending',
  running = 'running', success = 'success', failed = 'failed', cancelled = 'cancelled',
}
local FINAL = {success = true, failed = true, cancelled = true}
local WIDEST = 4000 -- values to one command: Lua's stack ends at 8,000

local function as_text(number)
  return string.format('%.0f', number)
end

local function task_key(id)
  return base .. 't:' .. id
end

local function task(id, ...)
  return call('HMGET', task_key(id), ...)
end

local function in_slices(command, key, values)
  for first = 1, #values, WIDEST do
    call(command, key, unpack(values, first, math.min(first + WIDEST - 1, #values)))
  end
end

local counts, moves, wakes, woken, topics, next_due, next_seq, last_seq, listed

local function begin(keys, arguments)
  call, base, ARGV = redis.call, keys[1], arguments
  local time = call('TIME')
  now = time[1] * 1000000 + time[2]
  counts, moves, wakes, woken, topics, next_due, next_seq, last_seq, listed = {}, {}, {}, {}, {}, nil, 1, 0, {}
end

-- Make a verb known. Its flags tell the server what it may do when memory is full, and on a replica.
local function verb(name, flags, main)
  redis.register_function{
    function_name = LIBRARY .. '_' .. name,
    flags = flags,
    callback = function(keys, arguments)
      begin(keys, arguments)
      return main()
    end,
  }
end

local function count(queue, state, change)
  local field = state .. ' ' .. queue
  counts[field] = (counts[field] or 0) + change
end

-- Note that a task goes from one state to another; nil is no state at all.
local function move(id, seq, queue, source, target)
  if source then count(queue, source, -1) end
  if target then count(queue, target, 1) end
  local known = moves[id]
  if known then
    known.target = STATUS[target]
  else
    moves[id] = {seq = seq, source = STATUS[source], target = STATUS[target]}
  end
end

local function wake(key)
  if not woken[key] then
    woken[key] = true
    wakes[#wakes + 1] = key
  end
end

-- List a lane among those that hold ready tasks, or take it off; known within the call, since each listing is a command.
local function list_lane(queue, holds)
  if listed[queue] ~= holds then call(holds and 'SADD' or 'SREM', base .. 'lanes', queue) end
  listed[queue] = holds
end

-- Note that a lane may have more to hand out.
local function wake_lane(queue)
  topics.lanes = true
  wake(queue)
end

-- Take places of arrival for so many tasks at once; those that are not used stay free.
local function reserve(number)
  last_seq = call('INCRBY', base .. 'seq', number)
  next_seq = last_seq - number + 1
end

local function take_seq()
  if next_seq > last_seq then reserve(1) end
  next_seq = next_seq + 1
  return next_seq - 1
end

local function plan(due)
  if not next_due or due < next_due then next_due = due end
end

local function gather(lists, key, one, other)
  local list = lists[key]
  if not list then
    list = {}
    lists[key] = list
  end
  list[#list + 1] = one
  list[#list + 1] = other
end

local function write_counts()
  for field, change in pairs(counts) do
    if change ~= 0 and call('HINCRBY', base .. 'counts', field, change) == 0 then
      call('HDEL', base .. 'counts', field)
    end
  end
end

local function write_moves()
  local gone, come = {}, {}
  for id, known in pairs(moves) do
    if known.source ~= known.target then
      if known.source then gather(gone, 's:' .. known.source, id) end
      if known.target then gather(come, 's:' .. known.target, known.seq, id) end
      if not known.source then gather(come, 'all', known.seq, id) end
      if not known.target then gather(gone, 'all', id) end
    end
  end
  for key, ids in pairs(gone) do in_slices('ZREM', base .. key, ids) end
  for key, pairs_ in pairs(come) do in_slices('ZADD', base .. key, pairs_) end
end

-- One message for all that changed: microseconds until a task becomes due, topics ("lanes", "stop" where a running task
-- is to stop, "schedules"), then the keys.
local function publish()
  if #wakes == 0 and not next_due and not topics.schedules then return end
  local names = {}
  for name in pairs(topics) do names[#names + 1] = name end
  local message = {next_due and as_text(math.max(next_due - now, 0)) or '', table.concat(names, ' ')}
  if #wakes <= WIDEST then
    for _, key in ipairs(wakes) do message[#message + 1] = key end
  else
    message[3] = '' -- anything may have changed
  end
  call('PUBLISH', base .. 'wake', cjson.encode(message))
end

local function finish_writes()
  write_counts()
  write_moves()
  publish()
end

-- Make a verb known that is about ids, and answers those that were reached: where `reach` says so.
local function verb_of_ids(name, reach)
  verb(name, {'allow-oom'}, function()
    local reached = {}
    for _, id in ipairs(ARGV) do
      if reach(id) then reached[#reached + 1] = id end
    end
    finish_writes()
    return reached
  end)
end
