baton_test(osimage_test KIND unit ROOMS osimage LIBRARIES rapidcheck)
baton_script_test(osimage_cli_test KIND integration COMMAND "${CMAKE_SOURCE_DIR}/tests/integration/osimage_cli_test")

# Images for the tests that start real desktops: FIXTURES_REQUIRED tiny_image (or desktop_image), then BATON_IMAGES is
# ${CMAKE_BINARY_DIR}/images. Building again when nothing has changed takes a moment.
foreach(recipe tiny desktop)
    if(EXISTS "${CMAKE_SOURCE_DIR}/src/osimage/recipes/${recipe}" AND TARGET baton-guest)
        add_test(NAME ${recipe}_image COMMAND $<TARGET_FILE:baton> os build ${recipe}
            --library "${CMAKE_BINARY_DIR}/images" --cache "${BATON_IMAGE_CACHE}"
            --guest-binary $<TARGET_FILE:baton-guest>)
        set_tests_properties(${recipe}_image PROPERTIES FIXTURES_SETUP ${recipe}_image LABELS "fixture" TIMEOUT 1800)
    endif()
endforeach()
