-- Read one stretch of tasks in their order. Arguments: "ids" and ids; or an order ("newest", "oldest", "ended"), the
-- last task before the stretch ("" for the first stretch), how many to look at, lane ("" for all), then statuses.
-- Answers the rows (of ids: the newest first), and the id after which to go on ("" at the end).

local FIELDS = {
  's', 'n', 'q', 'p', 'at', 'f', 'c', 'en', 'due', 'st', 'fi', 'ex', 'k', 'w', 'x', 'py', 'er', 'pd', 'pt', 'pm',
  'wa', 'sch', 'fa', 'ar',
}

local function is_stalled(state, worker)
  if state ~= 'running' then return 0 end
  local lease = call('ZSCORE', base .. 'leases', worker)
  return (lease and tonumber(lease) >= now) and 0 or 1
end

local function row(id)
  local fields = task(id, unpack(FIELDS))
  if not fields[1] then return nil end
  fields[#fields + 1] = is_stalled(fields[1], fields[14])
  return {id, fields}
end

-- Where an id that is no longer there would stand: ids sort by time, as the places of arrival do.
local function rank_near(id)
  local low, high = 0, call('ZCARD', base .. 'all')
  while low < high do
    local middle = math.floor((low + high) / 2)
    if call('ZRANGE', base .. 'all', middle, middle)[1] < id then low = middle + 1 else high = middle end
  end
  return low
end

local function score_near(rank)
  local found = call('ZRANGE', base .. 'all', rank, rank, 'WITHSCORES')
  return tonumber(found[2])
end

local function place_before(id, newest)
  local seq = task(id, 'seq')[1]
  if seq then return '(' .. seq end
  local rank = rank_near(id)
  if newest then
    return rank > 0 and as_text(score_near(rank - 1)) or '-inf'
  end
  local score = score_near(rank)
  return score and as_text(score) or '(+inf'
end

-- Merge the first of several indexes by place of arrival.
local function by_arrival(newest, after, wanted, statuses)
  local indexes, found = {}, {}
  for _, status in ipairs(statuses) do indexes[#indexes + 1] = 's:' .. status end
  if #indexes == 0 then indexes = {'all'} end
  local place = after ~= '' and place_before(after, newest) or (newest and '+inf' or '-inf')
  for _, index in ipairs(indexes) do
    local pairs_ = newest
      and call('ZREVRANGEBYSCORE', base .. index, place, '-inf', 'WITHSCORES', 'LIMIT', 0, wanted)
      or call('ZRANGEBYSCORE', base .. index, place, '+inf', 'WITHSCORES', 'LIMIT', 0, wanted)
    for at = 1, #pairs_, 2 do found[#found + 1] = {tonumber(pairs_[at + 1]), pairs_[at]} end
  end
  if newest then
    table.sort(found, function(one, other) return one[1] > other[1] end)
  else
    table.sort(found, function(one, other) return one[1] < other[1] end)
  end
  local ids = {}
  for at = 1, math.min(#found, wanted) do ids[at] = found[at][2] end
  return ids
end

local function by_end(after, wanted)
  local first = 0
  if after ~= '' then
    local rank = call('ZREVRANK', base .. 'done', after)
    if not rank then return {} end
    first = rank + 1
  end
  return call('ZREVRANGE', base .. 'done', first, first + wanted - 1)
end

local function rows_of(ids, queue, statuses)
  local wanted, rows = {}, {}
  for _, status in ipairs(statuses) do wanted[status] = true end
  for _, id in ipairs(ids) do
    local lane, state = unpack(task(id, 'q', 's'))
    if (queue == '' or lane == queue) and (#statuses == 0 or wanted[STATUS[state]]) then rows[#rows + 1] = row(id) end
  end
  return rows
end

local function rows_of_ids()
  local found, rows = {}, {}
  for place = 2, #ARGV do
    local seq = task(ARGV[place], 'seq')[1]
    if seq then found[#found + 1] = {tonumber(seq), ARGV[place]} end
  end
  table.sort(found, function(one, other) return one[1] > other[1] end)
  for place, one in ipairs(found) do rows[place] = row(one[2]) end
  return rows
end

if ARGV[1] == 'ids' then return {rows_of_ids(), ''} end

local order, after, wanted, queue = unpack(ARGV, 1, 4)
local statuses, ids = {unpack(ARGV, 5)}, nil
wanted = tonumber(wanted)
if order == 'ended' then
  ids = by_end(after, wanted)
else
  ids = by_arrival(order == 'newest', after, wanted, statuses)
end
return {rows_of(ids, queue, statuses), #ids == wanted and ids[#ids] or ''}
