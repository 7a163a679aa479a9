baton_test(routing_network_test KIND integration ROOMS routing process
    WRAPPER "${CMAKE_SOURCE_DIR}/tests/support/with-routing-network")
target_sources(routing_network_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/namespaced_tcp.cpp")
baton_test(routing_test KIND unit ROOMS routing)
