baton_test(deskserver_unit_test KIND unit ROOMS deskserver LIBRARIES rapidcheck)
# Storage daemons outlive who started them, on purpose: a PID namespace ends them with the test, however it ends. Exports
# come back at the port that they had: in a network namespace nobody else is given it meanwhile.
set(alone unshare --mount --net --pid --fork --kill-child --mount-proc sh -c "ip link set lo up && exec \"$0\" \"$@\"")
baton_test(deskserver_test KIND integration ROOMS deskserver TIMEOUT 240 WRAPPER ${alone})
baton_test(deskserver_http_test KIND integration ROOMS deskserver TIMEOUT 120 WRAPPER ${alone})
baton_test(deskd_test KIND integration ROOMS deskserver TIMEOUT 120 WRAPPER ${alone})
add_dependencies(deskd_test baton-deskd)
target_compile_definitions(deskd_test PRIVATE BATON_DESKD="$<TARGET_FILE:baton-deskd>")
# the program's own parts
baton_test(deskd_config_test KIND unit ROOMS desk net deskserver LIBRARIES fmt::fmt)
target_sources(deskd_config_test PRIVATE ${CMAKE_SOURCE_DIR}/src/programs/baton_deskd/config.cpp)
