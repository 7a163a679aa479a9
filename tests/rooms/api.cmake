baton_test(api_test KIND unit ROOMS api LIBRARIES rapidcheck)
target_compile_definitions(api_test PRIVATE BATON_SOURCE="${CMAKE_SOURCE_DIR}")
