-- Make scheduled tasks due now. Arguments: ids. Answers the ids that were reached.

verb_of_ids('run_now', function(id)
  local state, queue, seq, priority, due = unpack(task(id, 's', 'q', 'seq', 'p', 'due'))
  if state ~= 'scheduled' or tonumber(due) <= now then return false end
  call('ZREM', base .. 'scheduled', id)
  make_ready(id, queue, priority or 0, now, seq)
  call('HSET', task_key(id), 's', 'ready', 'due', as_text(now))
  move(id, seq, queue, 'scheduled', 'ready')
  return true
end)
