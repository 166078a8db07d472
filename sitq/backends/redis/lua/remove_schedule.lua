-- Remove a schedule. Argument: its name. Answers 1 if there was one.

verb('remove_schedule', {'allow-oom'}, function()
  call('DEL', schedule_key(ARGV[1]))
  topics.schedules = true
  finish_writes()
  return call('SREM', base .. 'schedules', ARGV[1])
end)
