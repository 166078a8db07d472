-- Store one task of a schedule, for this moment. Arguments: name, id of the task. Answers the id it has in the store;
-- nothing where there is no such schedule; {0, "held", key, holder, state} where its key is held and it does not yield.

local version = call('HGET', schedule_key(ARGV[1]), 'version')
if not version then return false end
if version ~= VERSION then return 'version' end
local id, refused, key = store_occurrence(ARGV[1], ARGV[2], as_text(now))
finish_writes()
if refused then return {0, 'held', key, id, refused} end
return {1, id}
