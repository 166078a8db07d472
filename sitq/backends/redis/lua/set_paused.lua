-- Stop or resume handing out a lane's tasks. Arguments: lane, "1" to stop.

call(ARGV[2] == '1' and 'SADD' or 'SREM', base .. 'paused', ARGV[1])
wake(ARGV[1])
finish_writes()
