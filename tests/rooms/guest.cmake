baton_test(guest_protocol_test KIND unit ROOMS guest LIBRARIES rapidcheck)
baton_test(guest_status_strip_test KIND unit ROOMS guest LIBRARIES rapidcheck)
