# the engine in simulated time
baton_test(handoff_test KIND unit ROOMS handoff)
