-- Take outcomes, then hand out tasks to a worker, in one trip.
-- Arguments: worker, limit, lanes as JSON ("" for all), token of this trip, it and those never answered,
-- whether leases may be taken for over, those surely dead as JSON, whether to tell of other workers, then eight for each
-- outcome. Answers: a sign for each outcome, claims, microseconds until a task becomes due, other workers, and 1 where
-- they were looked at.

local worker, limit, lanes, token, unanswered, may_judge, dead, look
local FIRST_OUTCOME = 9
local EXPIRED = 'TaskCancelledError: it did not start before it expired'

local function put_back(id, fields, cause, duration, error, traceback, delay)
  local seq, queue, stop, priority = fields.seq, fields.queue, fields.stop, fields.priority or 0
  if cause ~= 'released' or duration > 0 then remember(id, as_text(now), cause, error, traceback) end
  call('SREM', base .. 'run:' .. fields.worker, id)
  if stop then return stop_between_attempts(id, seq, queue) end
  call('HDEL', task_key(id), 'w', 'st', 'ca', 'pd', 'pt', 'pm')
  local due = now + delay
  local state = make_due(id, queue, priority, due, seq)
  call('HSET', task_key(id), 's', state, 'due', as_text(due))
  if error then call('HSET', task_key(id), 'er', error) end
  if cause == 'error' or cause == 'timeout' then call('HINCRBY', task_key(id), 'f', 1) end
  if cause == 'lost' then call('HINCRBY', task_key(id), 'c', 1) end
  move(id, seq, queue, 'running', state)
end

-- The start becomes the true one, as a claim may lie waiting.
local function write_final(id, fields, state, cause, duration, value, error, traceback)
  local key = task_key(id)
  call('HSET', key, 's', state, 'ca', cause, 'fi', as_text(now), 'st', as_text(now - duration))
  if value then call('HSET', key, 'v', value) end
  if error then call('HSET', key, 'er', error) elseif fields.error then call('HDEL', key, 'er') end
  if traceback then call('HSET', key, 'tb', traceback) end
  call('SREM', base .. 'run:' .. fields.worker, id)
  note_end(id, fields.seq, fields.queue, 'running', state, fields.key, fields.retention)
end

local function running(id, attempt)
  local state, number, seq, queue, key, retention, run_by, stop, priority, error =
    unpack(task(id, 's', 'at', 'seq', 'q', 'k', 're', 'w', 'x', 'p', 'er'))
  if state ~= 'running' or number ~= attempt then return nil end
  return {
    seq = seq, queue = queue, key = key, retention = retention, worker = run_by, stop = stop, priority = priority,
    error = error,
  }
end

local function take_outcome(first, ended)
  local id, attempt, state, cause, duration, has_value, value, rest = unpack(ARGV, first, first + 7)
  local fields = running(id, attempt)
  if not fields then return '0' end
  rest = rest == '' and {} or cjson.decode(rest)
  duration = tonumber(duration)
  if state == 'pending' then
    put_back(id, fields, cause, duration, rest.error, rest.traceback, rest.delay or 0)
  else
    write_final(id, fields, state, cause, duration, has_value == '1' and value, rest.error, rest.traceback)
    ended[#ended + 1] = {id = id, how = HOW[state]}
  end
  return '1'
end

local function take_outcomes()
  local signs, ended = {}, {}
  for first = FIRST_OUTCOME, #ARGV, 8 do signs[#signs + 1] = take_outcome(first, ended) end
  settle(ended)
  return signs
end

local function make_all_ready(ids, source, state)
  for _, id in ipairs(ids) do
    local queue, seq, priority, due = unpack(task(id, 'q', 'seq', 'p', 'due'))
    call('ZREM', base .. source, id)
    make_ready(id, queue, priority or 0, tonumber(due), seq)
    call('HSET', task_key(id), 's', 'ready')
    move(id, seq, queue, state, 'ready')
  end
end

-- Make scheduled tasks ready whose moment has come.
local function promote()
  local due = call('ZRANGEBYSCORE', base .. 'scheduled', '-inf', as_text(now), 'LIMIT', 0, 500)
  make_all_ready(due, 'scheduled', 'scheduled')
end

-- Make tasks ready that waited for a worker of this Python version.
local function unpark(python)
  local parked = 'parked:' .. python
  make_all_ready(call('ZRANGE', base .. parked, 0, 499), parked, 'parked')
end

local function claimable_lanes()
  local wanted = lanes == '' and call('SMEMBERS', base .. 'lanes') or cjson.decode(lanes)
  local found = {}
  for _, queue in ipairs(wanted) do
    if call('SISMEMBER', base .. 'paused', queue) == 0 then found[#found + 1] = queue end
  end
  return found
end

local function is_before(one, other)
  if one.score ~= other.score then return one.score < other.score end
  return one.member < other.member
end

-- The first of all lanes, in the order of their members.
local function first_ready(queues, wanted)
  local found = {}
  for _, queue in ipairs(queues) do
    local members = call('ZRANGE', base .. 'ready:' .. queue, 0, wanted - 1, 'WITHSCORES')
    if #members == 0 then list_lane(queue, false) end
    for place = 1, #members, 2 do
      found[#found + 1] = {member = members[place], score = tonumber(members[place + 1]), queue = queue}
    end
  end
  if #queues > 1 then table.sort(found, is_before) end
  return found
end

local function park(id, seq, queue, python)
  call('ZADD', base .. 'parked:' .. python, seq, id)
  call('HSET', task_key(id), 's', 'parked')
  move(id, seq, queue, 'ready', 'parked')
end

local function as_claim(id, attempt, queue, fields)
  return {
    id, attempt, queue, fields[1], fields[2], fields[3] or 0, fields[4] or 0, fields[5] or '', fields[6] and 1 or 0,
    fields[7] or '',
  }
end

-- Hand a ready task out, or park or end it where it may not run here.
local function take(id, queue, python, claims, held)
  local fields = task(id, 'n', 'pl', 'f', 'c', 'fa', 'of', 'sch', 'ex', 'py', 'at', 'seq')
  local expires, wanted, number, seq = unpack(fields, 8)
  if expires and tonumber(expires) < now then
    end_task(id, seq, queue, 'ready', 'cancelled', 'cancelled', EXPIRED)
    settle({{id = id, how = HOW.cancelled}})
  elseif wanted and wanted ~= python then
    park(id, seq, queue, wanted)
  else
    local attempt = tonumber(number) + 1
    call('HSET', task_key(id), 's', 'running', 'at', attempt, 'w', worker, 'st', as_text(now), 'ca', '')
    move(id, seq, queue, 'ready', 'running')
    held[#held + 1] = id
    claims[#claims + 1] = as_claim(id, attempt, queue, fields)
  end
end

local function claim(python)
  local claims, held = {}, {}
  promote()
  unpark(python)
  local queues = claimable_lanes()
  while #claims < limit do
    local found = first_ready(queues, limit - #claims)
    if #found == 0 then break end
    local taken = {}
    for place = 1, math.min(#found, limit - #claims) do
      local one = found[place]
      gather(taken, one.queue, one.member)
      take(one.member:sub(35), one.queue, python, claims, held)
    end
    for queue, members in pairs(taken) do in_slices('ZREM', base .. 'ready:' .. queue, members) end
  end
  if #held > 0 then in_slices('SADD', base .. 'run:' .. worker, held) end
  return claims
end

-- What the last trip took and handed out, as far as it still holds, if it was never answered.
local function recover(signs)
  local trip, given = unpack(call('HMGET', base .. 'w:' .. worker, 'trip', 'given'))
  if not trip or not (unanswered .. ' '):find(trip .. ' ', 1, true) then return {} end
  given = cjson.decode(given)
  for place, sign in ipairs(signs) do
    local first = FIRST_OUTCOME + (place - 1) * 8
    if sign == '0' and given.accepted[ARGV[first] .. ' ' .. ARGV[first + 1]] then signs[place] = '1' end
  end
  local claims = {}
  for id, attempt in pairs(given.claims) do
    local fields = task(id, 'n', 'pl', 'f', 'c', 'fa', 'of', 'sch', 's', 'at', 'w', 'q')
    local state, number, run_by, queue = unpack(fields, 8)
    if state == 'running' and run_by == worker and number == attempt then
      claims[#claims + 1] = as_claim(id, tonumber(number), queue, fields)
    end
  end
  return claims
end

-- Keep what this trip did, for a worker that never gets the answer.
local function keep_trip(signs, claims)
  local accepted, given = {}, {}
  for place, sign in ipairs(signs) do
    local first = FIRST_OUTCOME + (place - 1) * 8
    if sign == '1' then accepted[ARGV[first] .. ' ' .. ARGV[first + 1]] = 1 end
  end
  for _, one in ipairs(claims) do given[one[1]] = as_text(one[2]) end
  call('HSET', base .. 'w:' .. worker, 'trip', token, 'given', cjson.encode({accepted = accepted, claims = given}))
end

local function neighbours()
  local found = {}
  for _, id in ipairs(call('ZRANGE', base .. 'leases', 0, -1)) do
    if id ~= worker then
      local host, pid, process = unpack(call('HMGET', base .. 'w:' .. id, 'host', 'pid', 'process'))
      found[#found + 1] = {id, host, pid, process}
    end
  end
  return found
end

local function release_dead()
  if dead ~= '' then
    for id, process in pairs(cjson.decode(dead)) do
      if call('ZSCORE', base .. 'leases', id) and call('HGET', base .. 'w:' .. id, 'process') == process then
        declare_dead(id)
      end
    end
  end
  if may_judge == '1' then release_overdue(worker) end
end

local function next_scheduled()
  local first = call('ZRANGE', base .. 'scheduled', 0, 0, 'WITHSCORES')
  return first[2] and as_text(math.max(tonumber(first[2]) - now, 0)) or ''
end

verb('exchange', {'allow-oom'}, function()
  worker, limit, lanes, token, unanswered, may_judge, dead, look = unpack(ARGV, 1, 8)
  limit = tonumber(limit)
  local signs, claims, others = take_outcomes(), {}, {}
  if call('ZSCORE', base .. 'leases', worker) then
    claims = recover(signs)
    limit = limit - #claims
    if limit > 0 then
      release_dead()
      for _, one in ipairs(claim(call('HGET', base .. 'w:' .. worker, 'python'))) do claims[#claims + 1] = one end
    end
    keep_trip(signs, claims)
    if look == '1' then
      mend_leases()
      others = neighbours()
    end
  else
    look = '0'
  end
  finish_writes()
  return {table.concat(signs), claims, next_scheduled(), others, look == '1' and 1 or 0}
end)
