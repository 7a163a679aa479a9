# root alone can open desks with the kernel; a chroot cannot at all, and these tests say so
baton_script_test(player_play_test KIND integration TIMEOUT 300
    COMMAND python3 "${CMAKE_SOURCE_DIR}/tests/integration/player/play_test.py")
set_tests_properties(player_play_test PROPERTIES RUN_SERIAL TRUE)
