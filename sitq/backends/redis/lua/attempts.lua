-- List the attempts of a task. Argument: its id. Answers earlier ones as pairs of number and JSON, then the fields of
-- the last.

local id = ARGV[1]
local earlier = call('HGETALL', base .. 'a:' .. id)
local last = task(id, 's', 'at', 'w', 'st', 'fi', 'ca', 'er', 'tb')
if not last[1] or STATUS[last[1]] == 'pending' or last[2] == '0'
  or call('HEXISTS', base .. 'a:' .. id, last[2]) == 1 then
  last = {}
end
return {earlier, last}
