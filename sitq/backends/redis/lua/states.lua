-- How a task gets from state to state.

local function place_in_lane(due, seq, id)
  return string.format('%018.0f%016.0f', math.max(due, 0), seq) .. id
end

local function make_ready(id, queue, priority, due, seq)
  call('ZADD', base .. 'ready:' .. queue, -priority, place_in_lane(due, seq, id))
  list_lane(queue, true)
  wake_lane(queue)
end

local function make_scheduled(id, due)
  call('ZADD', base .. 'scheduled', due, id)
  plan(due)
end

-- Put a task where its moment says, and tell its state.
local function make_due(id, queue, priority, due, seq)
  if due > now then
    make_scheduled(id, due)
    return 'scheduled'
  end
  make_ready(id, queue, priority, due, seq)
  return 'ready'
end

-- Take a pending task out of where it waits.
local function unplace(id, state, queue, priority, due, seq, python)
  if state == 'ready' then
    call('ZREM', base .. 'ready:' .. queue, place_in_lane(due, seq, id))
  elseif state == 'scheduled' then
    call('ZREM', base .. 'scheduled', id)
  elseif state == 'blocked' then
    call('SREM', base .. 'blocked', id)
  elseif state == 'parked' then
    call('ZREM', base .. 'parked:' .. python, id)
  end
end

local function let_key_go(key, id)
  if key and call('HGET', base .. 'keys', key) == id then
    call('HDEL', base .. 'keys', key)
  end
end

-- Do what every end of a task asks for, but writing its outcome.
local function note_end(id, seq, queue, source, target, key, retention)
  let_key_go(key, id)
  call('ZADD', base .. 'done', now, id)
  if retention then call('ZADD', base .. 'purge', now + retention, id) end
  move(id, seq, queue, source, target)
  wake(id)
end

-- End a task that is not running, or whose attempt has ended without a final outcome.
local function end_task(id, seq, queue, source, target, cause, error)
  local fields = task(id, 'k', 're')
  call('HSET', task_key(id), 's', target, 'ca', cause, 'er', error, 'fi', as_text(now), 'wa', 0)
  note_end(id, seq, queue, source, target, fields[1], fields[2])
end

-- Copy the attempt that a task's fields hold into its history; what is not given is as the fields have it.
local function remember(id, ended, cause, error, traceback)
  local fields = task(id, 'at', 'w', 'st', 'ca', 'er', 'tb')
  if fields[1] == '0' then return end
  call('HSETNX', base .. 'a:' .. id, fields[1], cjson.encode({
    w = fields[2] or nil, st = fields[3] or nil, fi = ended,
    ca = cause or fields[4] or nil, er = error or fields[5] or nil, tb = traceback or fields[6] or nil,
  }))
end
