# the engine in simulated time
baton_test(handoff_test KIND unit ROOMS handoff)
baton_test(handoff_property_test KIND unit ROOMS handoff LIBRARIES rapidcheck)
# A failure names the seed that plays its worlds again: RC_PARAMS="seed=N max_success=300 noshrink=1".
set_tests_properties(handoff_property_test PROPERTIES ENVIRONMENT "RC_PARAMS=max_success=300 noshrink=1")
add_test(NAME handoff_property_soak COMMAND $<TARGET_FILE:handoff_property_test>)
set_tests_properties(handoff_property_soak PROPERTIES LABELS "unit;long" TIMEOUT 1800
    ENVIRONMENT "RC_PARAMS=max_success=3000 noshrink=1")
