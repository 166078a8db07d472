-- Make pending tasks cancelled, ask running ones to stop. Arguments: ids. Answers the ids that were reached.

verb_of_ids('cancel', function(id)
  local state = task(id, 's')[1]
  if STATUS[state] == 'pending' then
    cancel_pending(id, 'TaskCancelledError: it was cancelled before it started')
    return true
  end
  if state ~= 'running' then return false end
  call('HSET', task_key(id), 'x', 1)
  wake(id)
  topics.stop = true
  return true
end)
