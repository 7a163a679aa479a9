baton_fuzz(rfb_client ROOM rfb)
