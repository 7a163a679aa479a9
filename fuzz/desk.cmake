baton_fuzz(desk_header ROOM desk)
baton_fuzz(desk_pack ROOM desk)
baton_fuzz(desk_qcow2 ROOM desk)
