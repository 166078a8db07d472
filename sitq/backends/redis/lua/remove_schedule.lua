-- Remove a schedule. Argument: its name. Answers 1 if there was one.

call('DEL', schedule_key(ARGV[1]))
return call('SREM', base .. 'schedules', ARGV[1])
