find_package(ZLIB REQUIRED)
baton_test(gateway_test KIND unit ROOMS gateway LIBRARIES ZLIB::ZLIB)

# a real viewer, and real desktops that are changed behind it
find_package(PNG REQUIRED)
baton_test(gateway_viewer_test KIND integration ROOMS gateway process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    fmt::fmt TIMEOUT 300)
target_sources(gateway_viewer_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp")
target_include_directories(gateway_viewer_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")

# the gateway itself, with viewers, browsers' WebSockets, real screens, and everything that can go wrong
baton_test(gateway_live_test KIND integration ROOMS gateway process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    OpenSSL::SSL fmt::fmt TIMEOUT 300)
target_sources(gateway_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/support/onlooker.cpp" "${CMAKE_SOURCE_DIR}/tests/support/drawing_screen.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp")
target_include_directories(gateway_live_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")

# viewers that people have: TigerVNC, libvncclient, and noVNC in Chromium, Debian's and the current one, which npm
# puts into the build folder; and many switches in a row
find_package(PkgConfig REQUIRED)
pkg_check_modules(VNCCLIENT REQUIRED IMPORTED_TARGET libvncclient)
set(novnc_version 1.7.0)
set(novnc "${CMAKE_BINARY_DIR}/novnc-${novnc_version}")
add_executable(vncclient_viewer "${CMAKE_SOURCE_DIR}/tests/support/vncclient_viewer.cpp")
set_target_properties(vncclient_viewer PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
target_link_libraries(vncclient_viewer PRIVATE PkgConfig::VNCCLIENT)
baton_test(gateway_viewers_test KIND integration ROOMS gateway process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json
    OpenSSL::SSL fmt::fmt TIMEOUT 300)
add_dependencies(gateway_viewers_test vncclient_viewer)
target_sources(gateway_viewers_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/support/onlooker.cpp" "${CMAKE_SOURCE_DIR}/tests/support/drawing_screen.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/gateway_live_test/site.cpp")
target_include_directories(gateway_viewers_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
target_compile_definitions(gateway_viewers_test PRIVATE BATON_SOURCE="${CMAKE_SOURCE_DIR}"
    BATON_TEST_PROGRAMS="${CMAKE_BINARY_DIR}/tests" BATON_NOVNC="${novnc}/node_modules/@novnc/novnc")
add_test(NAME novnc COMMAND npm install --silent --no-audit --no-fund --prefix "${novnc}"
    "@novnc/novnc@${novnc_version}")
set_tests_properties(novnc PROPERTIES FIXTURES_SETUP novnc LABELS "fixture" TIMEOUT 120)
set_tests_properties(gateway_viewers_test PROPERTIES RUN_SERIAL TRUE FIXTURES_REQUIRED novnc)
add_test(NAME gateway_thousand_switches COMMAND gateway_viewers_test --gtest_filter=*ManySwitches*)
set_tests_properties(gateway_thousand_switches PROPERTIES RUN_SERIAL TRUE LABELS "integration;long" TIMEOUT 1800
    ENVIRONMENT BATON_SWITCHES=1000)
