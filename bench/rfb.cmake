baton_bench(rfb_framing ROOMS rfb LIBRARIES fmt::fmt Boost::json)

# not a bench itself: screens, viewers and the gateway for the benches of the gateway, which are Python
file(GLOB bed_sources CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/tools/gateway_bed/*.cpp")
add_executable(gateway_bed ${bed_sources})
set_target_properties(gateway_bed PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench-tools")
target_link_libraries(gateway_bed PRIVATE baton_gateway baton_rfb baton_net baton_process OpenSSL::SSL fmt::fmt
    spdlog::spdlog baton_warnings)

set(support "${CMAKE_SOURCE_DIR}/tests/support")
add_executable(gateway_switch "${CMAKE_CURRENT_SOURCE_DIR}/tools/gateway_switch/main.cpp" "${support}/onlooker.cpp"
    "${support}/rfb_decoder.cpp" "${support}/drawing_screen.cpp" "${support}/namespaced_tcp.cpp")
set_target_properties(gateway_switch PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench-tools")
target_include_directories(gateway_switch PRIVATE "${CMAKE_SOURCE_DIR}/tests")
find_package(ZLIB REQUIRED)
find_package(PNG REQUIRED)
target_link_libraries(gateway_switch PRIVATE baton_gateway baton_routing baton_rfb baton_net baton_process Boost::json
    OpenSSL::SSL ZLIB::ZLIB PNG::PNG fmt::fmt baton_warnings)
