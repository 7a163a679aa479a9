baton_fuzz(routing ROOM routing)
