baton_test(model_test KIND unit ROOMS model LIBRARIES rapidcheck)
