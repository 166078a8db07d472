-- Store the tasks of several callers, each caller's all or none.
-- Arguments: for each caller the number of its tasks, then seven for each task. Answers, for each caller, 1 and, for
-- each of its tasks, nothing or the id that it has in the store instead of its own; or, where nothing of it is stored,
-- {0, "held", key, holder, state} or {0, "missing", name, id}.

local argument

local function next_task()
  argument = argument + 7
  return new_task(unpack(ARGV, argument - 7, argument - 1))
end

-- What would come of each task, in order, before anything is written: an id to answer instead, or a refusal.
local function judge(new, known, held)
  local rare = new.rare
  if known[new.id] or call('EXISTS', task_key(new.id)) == 1 then
    new.answer = new.id
    return nil
  end
  if rare.key then
    local holder, state = held[rare.key], 'pending'
    if not holder then holder, state = holder_of(rare) end
    if holder and rare.on_conflict == 'return' then
      new.answer = holder
      return nil
    end
    if holder and (rare.on_conflict == 'raise' or state == 'running') then
      return {0, 'held', rare.key, holder, state}
    end
    held[rare.key] = new.id
  end
  for _, need in ipairs(rare.needs or {}) do
    if not known[need[1]] and call('EXISTS', task_key(need[1])) == 0 then return {0, 'missing', new.name, need[1]} end
  end
  known[new.id] = true
end

local function enqueue(tasks)
  local known, held, ids = {}, {}, {1}
  for _, new in ipairs(tasks) do
    local refusal = judge(new, known, held)
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
