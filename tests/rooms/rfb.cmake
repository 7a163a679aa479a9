# its viewers inflate
find_package(ZLIB REQUIRED)
baton_test(rfb_test KIND unit ROOMS rfb LIBRARIES rapidcheck ZLIB::ZLIB)

# looks at screens as a viewer does; the lab, the benches and some tests measure with it
add_executable(baton-screen "${CMAKE_SOURCE_DIR}/tests/tools/baton_screen.cpp")
target_link_libraries(baton-screen PRIVATE baton_rfb baton_guest CLI11::CLI11 OpenSSL::Crypto Boost::json
    baton_warnings)
