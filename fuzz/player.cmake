baton_fuzz(player ROOM player)
