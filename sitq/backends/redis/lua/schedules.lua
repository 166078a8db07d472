-- List all schedules, and the moment of the look.

local found = {}
for _, name in ipairs(call('SMEMBERS', base .. 'schedules')) do found[#found + 1] = info(name) end
return {as_text(now), found}
