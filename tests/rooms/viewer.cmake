baton_test(viewer_test KIND unit ROOMS viewer LIBRARIES rapidcheck)

# the program itself, before real screens and the real gateway, on a display of its own
find_package(PNG REQUIRED)
find_package(ZLIB REQUIRED)
baton_test(viewer_live_test KIND integration ROOMS gateway viewer process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    OpenSSL::SSL fmt::fmt TIMEOUT 300)
target_sources(viewer_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/gateway_live_test/site.cpp")
target_include_directories(viewer_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
target_compile_definitions(viewer_live_test PRIVATE BATON_PROGRAMS="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
add_dependencies(viewer_live_test baton-view)
set_tests_properties(viewer_live_test PROPERTIES RUN_SERIAL TRUE)

# on a bare display: a PC of its own, whose kernel comes from the package of the OS images
baton_script_test(viewer_console_test KIND integration COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/viewer_console_test"
    TIMEOUT 300)
set_tests_properties(viewer_console_test PROPERTIES RUN_SERIAL TRUE FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR};BATON_IMAGE_CACHE=${BATON_IMAGE_CACHE}")
