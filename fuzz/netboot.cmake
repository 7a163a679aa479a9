baton_fuzz(netboot ROOM netboot)
