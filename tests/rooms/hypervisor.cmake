# Both adapters against the port's promises: the real one beside a libvirtd of its own, with the OS image "tiny".
baton_test(hypervisor_contract KIND integration ROOMS hypervisor process TIMEOUT 300
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
set_tests_properties(hypervisor_contract PROPERTIES RUN_SERIAL TRUE FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
baton_test(hypervisor_domain_test KIND unit ROOMS hypervisor LIBRARIES rapidcheck)
baton_test(hypervisor_simulated_test KIND unit ROOMS hypervisor LIBRARIES rapidcheck)
baton_test(hypervisor_kvm_probe_test KIND integration ROOMS hypervisor process TIMEOUT 120)

# What the libvirt adapter promises beyond the port
baton_test(hypervisor_libvirt KIND integration ROOMS hypervisor process rfb TIMEOUT 600
    WRAPPER "${CMAKE_SOURCE_DIR}/lab/with-libvirtd" --)
target_sources(hypervisor_libvirt PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration/hypervisor_contract/libvirt_world.cpp")
target_include_directories(hypervisor_libvirt PRIVATE "${CMAKE_SOURCE_DIR}/tests/integration")
set_tests_properties(hypervisor_libvirt PROPERTIES RUN_SERIAL TRUE FIXTURES_REQUIRED tiny_image
    ENVIRONMENT "BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
baton_test(hypervisor_files_test KIND unit ROOMS hypervisor process)
