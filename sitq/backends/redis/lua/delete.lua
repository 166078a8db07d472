-- Remove tasks that are not running. Arguments: ids. Answers the ids that were reached.

local function delete(id)
  local state, queue, seq, priority, due, python, key = unpack(task(id, 's', 'q', 'seq', 'p', 'due', 'py', 'k'))
  if not state or state == 'running' then return false end
  unplace(id, state, queue, priority or 0, tonumber(due), seq, python)
  if not FINAL[state] then settle({{id = id, how = 'was deleted'}}) end
  forget(id, seq, queue, state, key)
  return true
end

verb_of_ids('delete', delete)
