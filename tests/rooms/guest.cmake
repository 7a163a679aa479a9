baton_test(guest_test KIND unit ROOMS guest LIBRARIES rapidcheck)
baton_script_test(guest_tiny_test KIND integration LABELS foreign TIMEOUT 900
    COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/guest_tiny_test")
baton_script_test(guest_desktop_test KIND integration LABELS foreign TIMEOUT 1500
    COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/guest_desktop_test")
set_tests_properties(guest_desktop_test PROPERTIES FIXTURES_REQUIRED desktop_image
    ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR};BATON_IMAGES=${CMAKE_BINARY_DIR}/images")
