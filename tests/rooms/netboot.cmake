baton_test(netboot_test KIND unit ROOMS netboot LIBRARIES rapidcheck)

# dnsmasq, batond and PCs without a disk, in network namespaces of their own
set(netboot_tests "${CMAKE_SOURCE_DIR}/tests/integration/netboot")
set(netboot_network "${CMAKE_SOURCE_DIR}/tests/support/with-routing-network")
baton_script_test(netboot_server KIND integration TIMEOUT 240 COMMAND "${netboot_network}" "${netboot_tests}/server_test.py")
baton_script_test(netboot_clients KIND integration TIMEOUT 300 COMMAND "${netboot_network}" "${netboot_tests}/clients_test.py")
baton_script_test(netboot_storm KIND e2e TIMEOUT 300 COMMAND "${netboot_network}" python3 "${CMAKE_SOURCE_DIR}/bench/netboot_storm.py"
    --build "${CMAKE_BINARY_DIR}" --inside netboot_storm 64 1 no)
baton_script_test(netboot_boot KIND integration TIMEOUT 1500 COMMAND "${netboot_network}" "${netboot_tests}/boot_test.py")
set_tests_properties(netboot_boot PROPERTIES FIXTURES_REQUIRED netboot_image)
add_test(NAME netboot_image COMMAND "${netboot_tests}/image_fixture.py")
set_tests_properties(netboot_image PROPERTIES FIXTURES_SETUP netboot_image LABELS "fixture" TIMEOUT 1800
    ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR};BATON_IMAGE_CACHE=${BATON_IMAGE_CACHE}")
