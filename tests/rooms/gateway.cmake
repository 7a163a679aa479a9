find_package(ZLIB REQUIRED)
baton_test(gateway_test KIND unit ROOMS gateway LIBRARIES ZLIB::ZLIB)

# a real viewer, and real desktops that are changed behind it
find_package(PNG REQUIRED)
baton_test(gateway_viewer_test KIND integration ROOMS gateway process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    fmt::fmt TIMEOUT 300)
target_sources(gateway_viewer_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp")
target_include_directories(gateway_viewer_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
set_tests_properties(gateway_viewer_test PROPERTIES RUN_SERIAL TRUE)

# the gateway itself, with viewers, browsers' WebSockets, real screens, and everything that can go wrong
baton_test(gateway_live_test KIND integration ROOMS gateway process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    OpenSSL::SSL fmt::fmt TIMEOUT 300)
target_sources(gateway_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/support/onlooker.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp")
target_include_directories(gateway_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
set_tests_properties(gateway_live_test PROPERTIES RUN_SERIAL TRUE)
