baton_test(player_test KIND unit ROOMS player)
# root alone can open desks with the kernel; a chroot cannot at all, and these tests say so
foreach(name play host_unchanged crash hostile network portable base_image services copies)
    baton_script_test(player_${name}_test KIND integration TIMEOUT 900
        COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/player/${name}_test.py")
    set_tests_properties(player_${name}_test PROPERTIES RUN_SERIAL TRUE)
endforeach()
