baton_fuzz(player ROOM player)
baton_fuzz(player_control ROOM player)
