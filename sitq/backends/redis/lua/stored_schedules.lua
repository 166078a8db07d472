-- Read all schedules with their bytes: of each what is known of it, then its version, payload, facts and rare.

local found = {}
for _, name in ipairs(call('SMEMBERS', base .. 'schedules')) do
  found[#found + 1] = {info(name), call('HMGET', schedule_key(name), 'version', 'payload', 'facts', 'rare')}
end
return {VERSION, found}
