# the sizing advice, with the paper's own numbers
baton_test(monitor_sizing_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
