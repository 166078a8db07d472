-- Keep what running attempts tell of themselves. Arguments for each report: id, attempt, progress as JSON ("" for
-- none), bytes of output to keep ("" for all), number of pieces, then stream and text of each piece.

local argument = 1

-- Of an attempt's output the newest bytes are kept: its oldest pieces go until the rest is short enough.
local function trim(id, bytes, keep)
  local key, first = base .. 'o:' .. id, task(id, 'ofirst')[1]
  while bytes > keep do
    local entries = call('XRANGE', key, first, '+', 'COUNT', 50)
    if #entries == 0 then break end
    for _, entry in ipairs(entries) do
      if bytes <= keep then break end
      bytes = bytes - #entry[2][8]
      call('XDEL', key, entry[1])
    end
  end
  return bytes
end

local function write(id, attempt, pieces, keep)
  local key, last = base .. 'o:' .. id, call('INCRBY', base .. 'pieces', #pieces)
  local counted, bytes = unpack(task(id, 'oat', 'obytes'))
  bytes = counted == attempt and tonumber(bytes) or 0
  if counted ~= attempt then call('HSET', task_key(id), 'oat', attempt, 'ofirst', (last - #pieces + 1) .. '-0') end
  for place, piece in ipairs(pieces) do
    call('XADD', key, (last - #pieces + place) .. '-0', 'a', attempt, 'w', as_text(now), 's', piece[1], 't', piece[2])
    bytes = bytes + #piece[2]
  end
  if keep ~= '' then bytes = trim(id, bytes, tonumber(keep)) end
  call('HSET', task_key(id), 'obytes', as_text(bytes))
end

local function tell_progress(id, progress)
  for _, name in ipairs({'pd', 'pt', 'pm'}) do
    local value = progress[name]
    if value then call('HSET', task_key(id), name, value) else call('HDEL', task_key(id), name) end
  end
end

local function take()
  local id, attempt, progress, keep, number = unpack(ARGV, argument, argument + 4)
  local pieces = {}
  for place = 1, tonumber(number) do
    local at = argument + 3 + 2 * place
    pieces[place] = {ARGV[at], ARGV[at + 1]}
  end
  argument = argument + 5 + 2 * #pieces
  local state, running = unpack(task(id, 's', 'at'))
  if state ~= 'running' or running ~= attempt then return end
  if progress ~= '' then tell_progress(id, cjson.decode(progress)) end
  if #pieces > 0 or keep ~= '' then write(id, attempt, pieces, keep) end
  wake(id)
end

while argument <= #ARGV do take() end
finish_writes()
