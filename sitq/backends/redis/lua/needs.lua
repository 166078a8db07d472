-- Tell what a task needs. Argument: its id. Answers ids in the order of their arrival, each followed by "1" where it
-- takes the value.

return needs_of(ARGV[1])
