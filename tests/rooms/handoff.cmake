# the engine in simulated time
baton_test(handoff_table3_test KIND unit ROOMS handoff)
baton_test(handoff_test KIND unit ROOMS handoff)
baton_test(handoff_faults_test KIND unit ROOMS handoff)
baton_test(handoff_hosts_test KIND unit ROOMS handoff)
baton_test(handoff_crash_test KIND unit ROOMS handoff)
baton_test(handoff_property_test KIND unit ROOMS handoff LIBRARIES rapidcheck)
set_tests_properties(handoff_property_test PROPERTIES ENVIRONMENT "RC_PARAMS=max_success=300")
