-- Read tasks as they were enqueued. Arguments: ids. Answers, for each, its fields and what it needs, or nothing.

local found = {}
for place, id in ipairs(ARGV) do
  local fields = task(id, 'n', 'pl', 'q', 'p', 'en', 'ex', 're', 'k', 'py', 'fa', 'ar', 'of')
  found[place] = fields[1] and {fields, needs_of(id)} or false
end
return found
