-- Tasks that wait for other tasks: counted down as those end, let go, or ended by their policy.

local HOW = {failed = 'failed', cancelled = 'was cancelled'}

local function let_go(id, queue, priority, due, seq)
  call('SREM', base .. 'blocked', id)
  local state = make_due(id, queue, priority, due, seq)
  call('HSET', task_key(id), 's', state, 'wa', 0)
  move(id, seq, queue, 'blocked', state)
end

-- End a task that needed one which ended badly, unless it wants to run without it.
local function doom(id, ended)
  local state, queue, seq, policy = unpack(task(id, 's', 'q', 'seq', 'of'))
  if state ~= 'blocked' or policy == 'run' then return nil end
  local fails = policy == 'fail'
  local target = fails and 'failed' or 'cancelled'
  local error = (fails and 'TaskExecutionError' or 'TaskCancelledError')
    .. ': task ' .. ended.id .. ', which it needs, ' .. ended.how
  call('SREM', base .. 'blocked', id)
  end_task(id, seq, queue, 'blocked', target, fails and 'error' or 'cancelled', error)
  return {id = id, how = HOW[target]}
end

local function doom_dependents(ended, doomed)
  for _, id in ipairs(call('SMEMBERS', base .. 'd:' .. ended.id)) do
    doomed[#doomed + 1] = doom(id, ended)
  end
end

local function count_down(ended)
  for _, id in ipairs(call('SMEMBERS', base .. 'd:' .. ended.id)) do
    local state, queue, seq, priority, due = unpack(task(id, 's', 'q', 'seq', 'p', 'due'))
    if state == 'blocked' and call('HINCRBY', task_key(id), 'wa', -1) <= 0 then
      let_go(id, queue, priority or 0, tonumber(due), seq)
    end
  end
end

-- Let those go that waited for tasks which have ended, or end them by their policy, until nothing more comes of it.
-- Each of them was unfinished until now, so that those who wait have counted it.
local function settle(ended)
  while #ended > 0 and call('SCARD', base .. 'blocked') > 0 do
    local doomed = {}
    for _, one in ipairs(ended) do
      if one.how then doom_dependents(one, doomed) end
    end
    for _, one in ipairs(ended) do count_down(one) end
    ended = doomed
  end
end

-- End pending tasks; all of them before what follows for others, who may be among them.
local function cancel_pending(ids, error)
  local ended = {}
  for place, id in ipairs(ids) do
    local state, queue, seq, priority, due, python = unpack(task(id, 's', 'q', 'seq', 'p', 'due', 'py'))
    unplace(id, state, queue, priority or 0, tonumber(due), seq, python)
    end_task(id, seq, queue, state, 'cancelled', 'cancelled', error)
    ended[place] = {id = id, how = HOW.cancelled}
  end
  settle(ended)
end

local function stop_between_attempts(id, seq, queue)
  end_task(id, seq, queue, 'running', 'cancelled', 'cancelled',
    'TaskCancelledError: it was cancelled between two attempts')
  settle({{id = id, how = HOW.cancelled}})
end
