baton_test(allocation_test KIND unit ROOMS allocation)
baton_test(allocation_properties KIND unit ROOMS allocation LIBRARIES rapidcheck)
baton_script_test(plan_cli KIND integration COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/plan_cli.py")
