baton_test(sampling_test KIND unit ROOMS sampling LIBRARIES rapidcheck)
# beside a libvirtd of its own, as root and without any privilege
baton_test(sampling_libvirt_test KIND integration ROOMS sampling TIMEOUT 300
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
add_test(NAME sampling_libvirt_session_test COMMAND "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --session --
    $<TARGET_FILE:sampling_libvirt_test> --gtest_filter=BesideLibvirt.Follows*:BesideLibvirt.Asks*)
set_tests_properties(sampling_libvirt_session_test PROPERTIES LABELS integration TIMEOUT 300)
baton_script_test(monitor_alone_test KIND integration TIMEOUT 300
    COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/monitor_alone_test")
