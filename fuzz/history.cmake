baton_fuzz(history ROOM history)
