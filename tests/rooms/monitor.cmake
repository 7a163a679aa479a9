baton_test(monitor_formulas_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
baton_test(monitor_files_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
