baton_fuzz(rfb_client ROOM rfb)
baton_fuzz(rfb_server ROOM rfb)
baton_fuzz(rfb_viewer ROOM rfb)
baton_fuzz(rfb_handshake ROOM rfb)
