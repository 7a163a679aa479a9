# its viewers inflate
find_package(ZLIB REQUIRED)
baton_test(rfb_test KIND unit ROOMS rfb LIBRARIES rapidcheck ZLIB::ZLIB)

# looks at screens as a viewer does; the lab, the benches and some tests measure with it
add_executable(baton-screen "${CMAKE_SOURCE_DIR}/tests/tools/baton_screen.cpp"
    "${CMAKE_SOURCE_DIR}/tests/tools/screen_line.cpp")
target_compile_options(baton-screen PRIVATE ${BATON_OPTIMIZATION_program})
target_link_libraries(baton-screen PRIVATE baton_rfb baton_guest baton_net CLI11::CLI11 Boost::json OpenSSL::SSL
    fmt::fmt baton_warnings)

# real servers, and a real viewer
find_package(PNG REQUIRED)
baton_test(rfb_servers_test KIND integration ROOMS rfb process LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json fmt::fmt
    TIMEOUT 300)
target_sources(rfb_servers_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp")

baton_test(rfb_security_test KIND integration ROOMS rfb process net LIBRARIES ZLIB::ZLIB PNG::PNG Boost::json fmt::fmt
    TIMEOUT 180)
target_sources(rfb_security_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/rfb_decoder.cpp"
    "${CMAKE_SOURCE_DIR}/tests/integration/rfb_servers_test/live_screens.cpp")
target_include_directories(rfb_security_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
