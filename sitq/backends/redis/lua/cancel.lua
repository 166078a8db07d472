-- Make pending tasks cancelled, ask running ones to stop. Arguments: ids. Answers the ids that were reached.

verb('cancel', {'allow-oom'}, function()
  local reached, pending = {}, {}
  for _, id in ipairs(ARGV) do
    local state = task(id, 's')[1]
    if STATUS[state] == 'pending' then
      pending[#pending + 1] = id
      reached[#reached + 1] = id
    elseif state == 'running' then
      call('HSET', task_key(id), 'x', 1)
      wake(id)
      topics.stop = true
      reached[#reached + 1] = id
    end
  end
  cancel_pending(pending, 'TaskCancelledError: it was cancelled before it started')
  finish_writes()
  return reached
end)
