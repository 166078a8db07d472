-- What several reading scripts ask for.

-- What a task needs and is still there: ids in the order of their arrival, each followed by "1" where it takes the
-- value.
local function needs_of(id)
  local needs, places, found = call('HGETALL', base .. 'n:' .. id), {}, {}
  for place = 1, #needs, 2 do
    local seq = task(needs[place], 'seq')[1]
    if seq then places[#places + 1] = {tonumber(seq), needs[place], needs[place + 1]} end
  end
  table.sort(places, function(one, other) return one[1] < other[1] end)
  for _, need in ipairs(places) do
    found[#found + 1] = need[2]
    found[#found + 1] = need[3]
  end
  return found
end
