baton_test(hostlink_test KIND unit ROOMS hostlink LIBRARIES rapidcheck)
baton_test(hostlink_tls_test KIND integration ROOMS hostlink)
