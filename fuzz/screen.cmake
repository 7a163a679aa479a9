baton_fuzz(screen ROOM screen)
