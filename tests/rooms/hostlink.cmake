baton_test(hostlink_test KIND unit ROOMS hostlink LIBRARIES rapidcheck)
