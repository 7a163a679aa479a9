baton_test(screenrelay_test KIND unit ROOMS screenrelay LIBRARIES rapidcheck)
# The relay over real TLS, with a screen that the test plays
baton_test(screenrelay_server_test KIND integration ROOMS screenrelay)

# The program, a real desktop's screen and a real handshake
baton_test(screenrelay_desktop_test KIND integration ROOMS screenrelay hypervisor process rfb TIMEOUT 300
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
target_sources(screenrelay_desktop_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration/hypervisor_contract/libvirt_world.cpp")
target_include_directories(screenrelay_desktop_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
add_dependencies(screenrelay_desktop_test baton-hostd)
set_tests_properties(screenrelay_desktop_test PROPERTIES FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_HOSTD=${CMAKE_BINARY_DIR}/bin/baton-hostd;BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
