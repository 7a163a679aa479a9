baton_test(routing_test KIND unit ROOMS routing LIBRARIES rapidcheck)

# on a real kernel, between network namespaces of its own
baton_test(routing_network_test KIND integration ROOMS routing process
    TIMEOUT 180 WRAPPER "${CMAKE_SOURCE_DIR}/tests/support/with-routing-network")
target_sources(routing_network_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/support/namespaced_tcp.cpp")

# a real viewer, real guests
if(TEST tiny_image)
    baton_script_test(routing_viewer_test KIND integration TIMEOUT 300
        COMMAND "${CMAKE_SOURCE_DIR}/tests/support/with-routing-network"
            "${CMAKE_SOURCE_DIR}/tests/integration/routing_viewer_test")
    set_tests_properties(routing_viewer_test PROPERTIES FIXTURES_REQUIRED tiny_image)
endif()
