# batond's own parts, and batond and baton as real processes on loopback with simulated hosts
baton_test(batond_test KIND unit ROOMS handoff history monitor net netboot routing store
    LIBRARIES Boost::json fmt::fmt rapidcheck spdlog::spdlog)
foreach(part certificates config needs netboot_door retention route_keeper)
    target_sources(batond_test PRIVATE "${CMAKE_SOURCE_DIR}/src/programs/batond/${part}.cpp")
endforeach()
target_compile_definitions(batond_test PRIVATE BATON_SOURCE="${CMAKE_SOURCE_DIR}")
baton_script_test(control_cli KIND integration COMMAND tests/integration/control/cli_test.py TIMEOUT 180)
baton_script_test(control_crash KIND integration COMMAND tests/integration/control/crash_test.py TIMEOUT 240)
baton_script_test(control_docs KIND integration COMMAND tests/integration/control/docs_test.py TIMEOUT 120)
baton_script_test(control_real KIND integration COMMAND tests/integration/control/real_test.py TIMEOUT 240)
# hosts that measure themselves, over the real link
add_executable(measured_host "${CMAKE_SOURCE_DIR}/tests/tools/measured_host.cpp")
target_compile_options(measured_host PRIVATE ${BATON_OPTIMIZATION_program})
target_link_libraries(measured_host PRIVATE baton_hostlink baton_hypervisor baton_handoff baton_net fmt::fmt baton_warnings)
set_target_properties(measured_host PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
baton_script_test(control_load KIND integration COMMAND tests/integration/control/load_test.py TIMEOUT 180)
