baton_test(player_test KIND unit ROOMS player)
# root alone can open desks with the kernel; a chroot cannot at all, and these tests say so
foreach(name play host_unchanged crash hostile network portable base_image services copies pulled
        encrypted remote
        rootless desktop)
    baton_script_test(player_${name}_test KIND integration TIMEOUT 900
        COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/player/${name}_test.py")
    set_tests_properties(player_${name}_test PROPERTIES RESOURCE_LOCK player)
endforeach()
# it compares the whole machine before and after
set_tests_properties(player_host_unchanged_test PROPERTIES RUN_SERIAL TRUE)
baton_script_test(player_vm_test KIND integration TIMEOUT 600
    COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/player/vm_test.py")
set_tests_properties(player_vm_test PROPERTIES RESOURCE_LOCK player FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR};BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
baton_script_test(player_desktop_starts_test KIND integration TIMEOUT 600 LABELS long
    COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/player/desktop_starts_test.py")
set_tests_properties(player_desktop_starts_test PROPERTIES RUN_SERIAL TRUE)
