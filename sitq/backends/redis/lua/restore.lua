-- Store tasks that ended in another store. Arguments: nine words for each: those of a task, its end as JSON, its value.
-- Answers the ids that are new here.

local CAUSE = {success = 'success', failed = 'error', cancelled = 'cancelled'}

local function note_needs(new)
  for _, need in ipairs(new.rare.needs or {}) do
    if call('EXISTS', task_key(need[1])) == 1 then
      call('HSET', base .. 'n:' .. new.id, need[1], need[2])
      call('SADD', base .. 'd:' .. need[1], new.id)
    end
  end
end

local function restore(new, ending, value)
  local seq, state = take_seq(), ending.state
  local finished = ending.finished or now
  local enqueued = ending.enqueued or finished
  write(new, seq, state, enqueued, enqueued)
  local fields = {'at', ending.attempt, 'ca', CAUSE[state], 'fi', as_text(finished)}
  local function keep(name, word)
    if word then gather({fields = fields}, 'fields', name, word) end
  end
  keep('st', ending.started and as_text(ending.started))
  keep('er', ending.error)
  keep('tb', ending.traceback)
  keep('v', ending.has_value and value)
  call('HSET', task_key(new.id), unpack(fields))
  note_needs(new)
  call('ZADD', base .. 'done', finished, new.id)
  if new.rare.retention then call('ZADD', base .. 'purge', finished + new.rare.retention, new.id) end
  wake(new.id)
end

verb('restore', {}, function()
  local reached = {}
  for first = 1, #ARGV, 9 do
    local id = ARGV[first]
    if call('EXISTS', task_key(id)) == 0 then
      restore(new_task(unpack(ARGV, first, first + 6)), cjson.decode(ARGV[first + 7]), ARGV[first + 8])
      reached[#reached + 1] = id
    end
  end
  finish_writes()
  return reached
end)
