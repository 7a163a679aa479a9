baton_test(monitor_formulas_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
baton_test(monitor_files_test KIND unit ROOMS monitor LIBRARIES rapidcheck)
baton_test(monitor_codec_test KIND unit ROOMS monitor)
baton_test(monitor_top_test KIND unit ROOMS monitor)
