-- How a task leaves the store, with all that is kept about it.

local function forget(id, seq, queue, state, key)
  let_key_go(key, id)
  for _, needed in ipairs(call('HKEYS', base .. 'n:' .. id)) do call('SREM', base .. 'd:' .. needed, id) end
  for _, dependent in ipairs(call('SMEMBERS', base .. 'd:' .. id)) do call('HDEL', base .. 'n:' .. dependent, id) end
  call('ZREM', base .. 'done', id)
  call('ZREM', base .. 'purge', id)
  call('UNLINK', task_key(id), base .. 'a:' .. id, base .. 'o:' .. id, base .. 'n:' .. id, base .. 'd:' .. id)
  move(id, seq, queue, state, nil)
end
