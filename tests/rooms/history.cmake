# the bytes of minutes and roll-ups; the recorder between the monitor and a database that may fail
baton_test(history_pack_test KIND unit ROOMS history LIBRARIES rapidcheck)
baton_test(history_recorder_test KIND unit ROOMS history)
# one contract, two databases: SQLite, and a MariaDB server that the test starts for itself
baton_test(history_contract KIND integration ROOMS history process TIMEOUT 180)
target_sources(history_contract PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/mariadb_server.cpp")
set_tests_properties(history_contract PROPERTIES RUN_SERIAL TRUE)
