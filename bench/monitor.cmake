# not a bench itself: what the benches of the monitor, which are Python, measure
add_executable(monitor_ways "${CMAKE_CURRENT_SOURCE_DIR}/tools/monitor_ways.cpp")
set_target_properties(monitor_ways PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bench-tools")
target_link_libraries(monitor_ways PRIVATE baton_sampling baton_warnings)
baton_bench(monitor_thousand ROOMS sampling LIBRARIES fmt::fmt Boost::json)
