# Both adapters against the port's promises: the real one beside a libvirtd of its own, with the OS image "tiny".
baton_test(hypervisor_contract KIND integration ROOMS hypervisor process TIMEOUT 300
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
set_tests_properties(hypervisor_contract PROPERTIES FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
baton_test(hypervisor_test KIND unit ROOMS hypervisor process LIBRARIES rapidcheck)
baton_test(hypervisor_kvm_probe_test KIND integration ROOMS hypervisor process TIMEOUT 120)

# What the libvirt adapter promises beyond the port
baton_test(hypervisor_libvirt KIND integration ROOMS hypervisor process rfb TIMEOUT 600
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
target_sources(hypervisor_libvirt PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration/hypervisor_contract/libvirt_world.cpp")
target_include_directories(hypervisor_libvirt PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
set_tests_properties(hypervisor_libvirt PROPERTIES FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")

# The contract's main lines without privileges: qemu:///session
add_test(NAME hypervisor_contract_session COMMAND "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --session --
    $<TARGET_FILE:hypervisor_contract> --gtest_filter=*.St*/libvirt:*.ADesk*/libvirt:*.AMachine*/libvirt:*.ALocal*/libvirt:*.AnotherAgent*/libvirt)
set_tests_properties(hypervisor_contract_session PROPERTIES LABELS integration TIMEOUT 300
    FIXTURES_REQUIRED tiny_image ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")

# Where QEMU is another user than the agent, as on a real host
add_test(NAME hypervisor_libvirt_user COMMAND "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --qemu-user nobody:nogroup --
    $<TARGET_FILE:hypervisor_libvirt> --gtest_filter=LocalScreenTest.IsOfTheUserAsWhomQemuRuns)
set_tests_properties(hypervisor_libvirt_user PROPERTIES LABELS integration TIMEOUT 300
    FIXTURES_REQUIRED tiny_image ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images;BATON_QEMU_USER=nobody")

# CPU weights, in control groups of the kernel's
add_test(NAME hypervisor_contract_cpu_groups COMMAND "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --cpu-groups --
    $<TARGET_FILE:hypervisor_contract> --gtest_filter=*.StartedDesktopsHaveCpuWeights*/libvirt)
set_tests_properties(hypervisor_contract_cpu_groups PROPERTIES LABELS integration TIMEOUT 300
    FIXTURES_REQUIRED tiny_image ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")

baton_test(hypervisor_tls_test KIND integration ROOMS hypervisor process TIMEOUT 120
    WRAPPER "${CMAKE_SOURCE_DIR}/tests/integration/with_test_pki")
target_sources(hypervisor_tls_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration/hypervisor_contract/libvirt_world.cpp")
target_include_directories(hypervisor_tls_test PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
set_tests_properties(hypervisor_tls_test PROPERTIES FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")

baton_script_test(with_libvirtd_test KIND integration LABELS foreign COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/with_libvirtd_test")
