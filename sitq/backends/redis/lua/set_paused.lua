-- Stop or resume handing out a lane's tasks. Arguments: lane, "1" to stop.

verb('set_paused', {'allow-oom'}, function()
  call(ARGV[2] == '1' and 'SADD' or 'SREM', base .. 'paused', ARGV[1])
  wake_lane(ARGV[1])
  finish_writes()
end)
