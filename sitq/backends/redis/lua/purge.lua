-- Remove final tasks whose retention is over. Arguments: age ("" for each task's own retention), limit, then final
-- statuses to remove. Answers how many.

local age, limit, wanted = ARGV[1], tonumber(ARGV[2]), {}
for place = 3, #ARGV do wanted[ARGV[place]] = true end

-- What an unfinished task needs stays until that has taken it.
local function is_needed(id)
  for _, dependent in ipairs(call('SMEMBERS', base .. 'd:' .. id)) do
    local state = task(dependent, 's')[1]
    if state and not FINAL[state] then return true end
  end
  return false
end

local index, latest = base .. 'purge', now
if age ~= '' then index, latest = base .. 'done', now - tonumber(age) end

local removed, passed = 0, 0
while removed < limit do
  local ids = call('ZRANGEBYSCORE', index, '-inf', as_text(latest), 'LIMIT', passed, 500)
  if #ids == 0 then break end
  for _, id in ipairs(ids) do
    local state, queue, seq = unpack(task(id, 's', 'q', 'seq'))
    if removed < limit and wanted[state] and not is_needed(id) then
      forget(id, seq, queue, state)
      removed = removed + 1
    else
      passed = passed + 1
    end
  end
end
finish_writes()
return removed
