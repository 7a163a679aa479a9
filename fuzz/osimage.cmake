baton_fuzz(osimage ROOM osimage)
