baton_test(hostlink_test KIND unit ROOMS hostlink LIBRARIES rapidcheck)
baton_test(hostlink_tls_test KIND integration ROOMS hostlink)
# The program itself, with a real desktop, beside a libvirtd of its own.
baton_test(hostd_test KIND integration ROOMS hostlink process TIMEOUT 300
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
add_dependencies(hostd_test baton-hostd)
set_tests_properties(hostd_test PROPERTIES FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_HOSTD=${CMAKE_BINARY_DIR}/bin/baton-hostd;BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
