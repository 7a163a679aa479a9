baton_test(api_test KIND unit ROOMS api LIBRARIES rapidcheck)
