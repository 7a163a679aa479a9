baton_test(monitor_formulas_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
