-- Tell which running tasks of a worker somebody cancelled. Argument: its id.

return call('ZSCORE', base .. 'leases', ARGV[1]) and cancelled_of(ARGV[1]) or {}
