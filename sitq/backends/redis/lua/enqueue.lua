-- Store the tasks of several callers, each caller's all or none.
-- Arguments: for each caller the number of its tasks, then seven for each task. Answers, for each caller, 1 and, for
-- each of its tasks, nothing or the id that it has in the store instead of its own; or, where nothing of it is stored,
-- {0, "held", key, holder, state} or {0, "missing", name, id}.

local argument

local function next_task()
  argument = argument + 7
  return new_task(unpack(ARGV, argument - 7, argument - 1))
end

-- A plan tells what would come of each task, in order, before anything is written: which ids would be `known`, who would
-- hold a key, who would be waiting for an id, and the `fate` of those that would end badly.

local FATE = {fail = 'failed', cancel = 'cancelled'}

local function waiting_for(plan, id)
  local policies = {}
  for _, dependent in ipairs(call('SMEMBERS', base .. 'd:' .. id)) do
    local state, policy = unpack(task(dependent, 's', 'of'))
    if state == 'blocked' then policies[dependent] = policy end
  end
  for _, new in ipairs(plan.waiting[id] or {}) do policies[new.id] = new.rare.on_failure end
  return policies
end

-- Note that a task would end badly, and with it those that need it and do not want to run without it.
local function would_end(plan, id, fate)
  plan.fate[id] = fate
  local ended = {id}
  while #ended > 0 do
    for dependent, policy in pairs(waiting_for(plan, table.remove(ended))) do
      if FATE[policy] and not plan.fate[dependent] then
        plan.fate[dependent] = FATE[policy]
        ended[#ended + 1] = dependent
      end
    end
  end
end

local function would_hold(plan, rare)
  local holder, state = plan.held[rare.key], 'pending'
  if not holder then holder, state = holder_of(rare) end
  if holder and not plan.fate[holder] then return holder, state end
end

local function would_need(plan, new, id)
  if plan.fate[id] or HOW[task(id, 's')[1]] then
    plan.fate[new.id] = plan.fate[new.id] or FATE[new.rare.on_failure]
  end
  plan.waiting[id] = plan.waiting[id] or {}
  table.insert(plan.waiting[id], new)
end

-- Plan one more task; answers why it is refused, if it is. A task that has its answer is not stored.
local function judge(plan, new)
  local rare = new.rare
  if plan.known[new.id] or call('EXISTS', task_key(new.id)) == 1 then
    new.answer = new.id
    return nil
  end
  if rare.key then
    local holder, state = would_hold(plan, rare)
    if holder and rare.on_conflict == 'return' then
      new.answer = holder
      return nil
    end
    if holder and (rare.on_conflict == 'raise' or state == 'running') then
      return {0, 'held', rare.key, holder, state}
    end
    if holder then would_end(plan, holder, 'cancelled') end
    plan.held[rare.key] = new.id
  end
  for _, need in ipairs(rare.needs or {}) do
    if not plan.known[need[1]] and call('EXISTS', task_key(need[1])) == 0 then
      return {0, 'missing', new.name, need[1]}
    end
    would_need(plan, new, need[1])
  end
  plan.known[new.id] = true
end

local function enqueue(tasks)
  local plan, ids = {known = {}, held = {}, waiting = {}, fate = {}}, {1}
  for _, new in ipairs(tasks) do
    local refusal = judge(plan, new)
    if refusal then return refusal end
  end
  reserve(#tasks)
  for place, new in ipairs(tasks) do
    ids[place + 1] = new.answer or false
    if not new.answer then
      local holder = holder_of(new.rare)
      if holder then make_place(new, holder) end
      store(new)
    end
  end
  return ids
end

verb('enqueue', {}, function()
  argument = 1
  local answers = {}
  while argument <= #ARGV do
    local tasks = {}
    argument = argument + 1
    for place = 1, tonumber(ARGV[argument - 1]) do tasks[place] = next_task() end
    answers[#answers + 1] = enqueue(tasks)
  end
  finish_writes()
  return answers
end)
