# the bytes of minutes and roll-ups; the recorder between the monitor and a database that may fail
baton_test(history_test KIND unit ROOMS history LIBRARIES Boost::json rapidcheck)
# what is asked of the samples, by whom, and how it is told
# one contract, two databases: SQLite, and a MariaDB server that the test starts for itself
baton_test(history_contract KIND integration ROOMS history process TIMEOUT 180)
target_sources(history_contract PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/mariadb_server.cpp")
# what a person sees of it
add_executable(history_filler "${CMAKE_SOURCE_DIR}/tests/tools/history_filler.cpp")
set_target_properties(history_filler PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
target_include_directories(history_filler PRIVATE "${CMAKE_SOURCE_DIR}/tests")
target_compile_options(history_filler PRIVATE ${BATON_OPTIMIZATION_program})
target_link_libraries(history_filler PRIVATE baton_history baton_warnings)
baton_script_test(history_commands KIND integration COMMAND python3
    "${CMAKE_SOURCE_DIR}/tests/integration/history_commands.py" "${CMAKE_BINARY_DIR}")
# batond with two real hosts (libvirt's test driver): what they measure is kept, whatever happens to the database
add_executable(mariadb_for_test "${CMAKE_SOURCE_DIR}/tests/tools/mariadb_for_test.cpp"
    "${CMAKE_SOURCE_DIR}/tests/support/mariadb_server.cpp")
set_target_properties(mariadb_for_test PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
target_include_directories(mariadb_for_test PRIVATE "${CMAKE_SOURCE_DIR}/tests")
target_compile_options(mariadb_for_test PRIVATE ${BATON_OPTIMIZATION_program})
target_link_libraries(mariadb_for_test PRIVATE baton_process baton_history baton_warnings)
baton_script_test(history_site KIND integration TIMEOUT 240 COMMAND python3
    "${CMAKE_SOURCE_DIR}/tests/integration/history/recorder_test.py")
