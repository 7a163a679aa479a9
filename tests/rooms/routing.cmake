baton_test(routing_test KIND unit ROOMS routing)
baton_test(routing_helper_protocol_test KIND unit ROOMS routing LIBRARIES rapidcheck)

# on a real kernel, between network namespaces of its own
baton_test(routing_network_test KIND integration ROOMS routing process
    WRAPPER "${CMAKE_SOURCE_DIR}/tests/support/with-routing-network")
target_sources(routing_network_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/namespaced_tcp.cpp")
