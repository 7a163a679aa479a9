baton_test(monitor_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
