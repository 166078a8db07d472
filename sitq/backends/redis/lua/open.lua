-- Make the store where there is none. Arguments: the schema version of this program, "1" to make it. Answers the
-- version that was there, 0 for none.

local stored = tonumber(call('GET', base .. 'schema') or 0)
if stored == 0 and ARGV[2] == '1' then call('SET', base .. 'schema', ARGV[1]) end
return stored
