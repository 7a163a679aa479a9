baton_fuzz(monitor ROOM monitor LIBRARIES baton_sampling)
