-- Make scheduled tasks due now. Arguments: ids. Answers the ids that were reached.

verb('run_now', {'allow-oom'}, function()
  local reached = {}
  for _, id in ipairs(ARGV) do
    local state, queue, seq, priority, due = unpack(task(id, 's', 'q', 'seq', 'p', 'due'))
    if state == 'scheduled' and tonumber(due) > now then
      call('ZREM', base .. 'scheduled', id)
      make_ready(id, queue, priority or 0, now, seq)
      call('HSET', task_key(id), 's', 'ready', 'due', as_text(now))
      move(id, seq, queue, 'scheduled', 'ready')
      reached[#reached + 1] = id
    end
  end
  finish_writes()
  return reached
end)
