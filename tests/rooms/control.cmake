# batond's own parts, and batond and baton as real processes on loopback with simulated hosts
baton_test(batond_test KIND unit ROOMS handoff LIBRARIES fmt::fmt rapidcheck)
target_sources(batond_test PRIVATE "${CMAKE_SOURCE_DIR}/src/programs/batond/config.cpp")
target_compile_definitions(batond_test PRIVATE BATON_SOURCE="${CMAKE_SOURCE_DIR}")
baton_script_test(control_cli KIND integration COMMAND tests/integration/control/cli_test.py TIMEOUT 180)
baton_script_test(control_crash KIND integration COMMAND tests/integration/control/crash_test.py TIMEOUT 240)
baton_script_test(control_docs KIND integration COMMAND tests/integration/control/docs_test.py TIMEOUT 120)
baton_script_test(control_real KIND integration COMMAND tests/integration/control/real_test.py TIMEOUT 240)
