-- What the scripts of schedules share. A schedule is a hash sch:<name>; their names are the set schedules.

local VERSION = '1' -- of what a schedule holds
local INFO = {
  'name', 'cron', 'every', 'timezone', 'catch_up', 'task_name', 'queue', 'arguments', 'paused', 'next', 'last',
  'created',
}

local function schedule_key(name)
  return base .. 'sch:' .. name
end

local function info(name)
  return call('HMGET', schedule_key(name), unpack(INFO))
end

local function set_or_clear(key, field, value)
  if value and value ~= '' then call('HSET', key, field, value) else call('HDEL', key, field) end
end

-- Store one task of a schedule and tell its id; or the id of the holder of its key, and whether it refuses.
local function store_occurrence(name, id, occurrence)
  local queue, task_name, payload, arguments, facts, rare =
    unpack(call('HMGET', schedule_key(name), 'queue', 'task_name', 'payload', 'arguments', 'facts', 'rare'))
  local new = new_task(id, queue, task_name, payload, arguments, facts, rare)
  local holder, state = holder_of(new.rare)
  if holder then
    if new.rare.on_conflict ~= 'replace' or state == 'running' then
      return holder, new.rare.on_conflict ~= 'return' and state or nil, new.rare.key
    end
    make_place(new, holder)
  end
  new.rare.schedule = occurrence .. ' ' .. name
  store(new)
  return id
end
