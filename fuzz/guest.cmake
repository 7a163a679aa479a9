baton_fuzz(guest_protocol ROOM guest)
