-- How a new task comes into the store: under its key, behind what it needs.

-- facts and arguments are for clients alone; rare is JSON of what few tasks have.
local function new_task(id, queue, name, payload, arguments, facts, rare)
  return {
    id = id, queue = queue, name = name, payload = payload, arguments = arguments, facts = facts,
    rare = rare == '' and {} or cjson.decode(rare),
  }
end

-- Write the fields of a task that was enqueued at a moment.
local function write(new, seq, state, due, moment)
  local rare = new.rare
  local fields = {
    'q', new.queue, 'n', new.name, 's', state, 'seq', seq, 'at', 0,
    'due', as_text(due), 'en', as_text(moment), 'pl', new.payload,
  }
  local function keep(name, value)
    if value then
      fields[#fields + 1] = name
      fields[#fields + 1] = value
    end
  end
  keep('p', rare.priority)
  keep('fa', new.facts ~= '' and new.facts)
  keep('ar', new.arguments ~= '' and new.arguments)
  keep('ex', rare.expires and as_text(moment + rare.expires))
  keep('re', rare.retention and as_text(rare.retention))
  keep('k', rare.key)
  keep('py', rare.python)
  keep('sch', rare.schedule)
  keep('of', rare.needs and rare.on_failure)
  call('HSET', task_key(new.id), unpack(fields))
  move(new.id, seq, new.queue, nil, state)
end

local function insert(new)
  local rare = new.rare
  local seq, priority = take_seq(), rare.priority or 0
  local due = rare.eta or now + (rare.delay or 0)
  local state = 'blocked'
  if not rare.needs then state = make_due(new.id, new.queue, priority, due, seq) end
  write(new, seq, state, due, now)
  if rare.key then call('HSET', base .. 'keys', rare.key, new.id) end
  return seq, priority, due
end

-- Note what a task needs that was just stored as blocked; it waits, or is let go, or meets its policy.
local function block(new, seq, priority, due)
  local waiting, bad = 0, nil
  for _, need in ipairs(new.rare.needs) do
    local id, takes = need[1], need[2]
    if call('HSET', base .. 'n:' .. new.id, id, takes) == 1 then
      call('SADD', base .. 'd:' .. id, new.id)
      local state = task(id, 's')[1]
      if not FINAL[state] then waiting = waiting + 1 end
      if HOW[state] and not bad then bad = {id = id, how = HOW[state]} end
    end
  end
  call('SADD', base .. 'blocked', new.id)
  call('HSET', task_key(new.id), 'wa', waiting)
  if bad and new.rare.on_failure ~= 'run' then
    doom(new.id, bad)
  elseif waiting == 0 then
    let_go(new.id, new.queue, priority, due, seq)
  end
end

local function store(new)
  local seq, priority, due = insert(new)
  if new.rare.needs then block(new, seq, priority, due) end
end

local function holder_of(rare)
  local holder = rare.key and call('HGET', base .. 'keys', rare.key)
  return holder, holder and task(holder, 's')[1]
end

local function make_place(new, holder)
  cancel_pending({holder}, 'replaced by ' .. new.id)
end
