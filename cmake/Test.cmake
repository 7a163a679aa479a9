# baton_test(NAME KIND unit|integration [LABELS label...] [ROOMS room...] [LIBRARIES target...] [TIMEOUT s] [WRAPPER cmd...])
# tests/KIND/NAME.cpp (or tests/KIND/NAME/*.cpp) -> build/tests/NAME, registered with ctest with KIND as its first label.
# WRAPPER runs before the program (for example lab/with-libvirtd), for tests that need real parts around them.
#
# The targets unit_tests and integration_tests build the programs of a kind.
enable_testing()
find_package(GTest REQUIRED)
add_custom_target(unit_tests)
add_custom_target(integration_tests)

# what a sanitizer slows down, a deadline allows for
set(BATON_SLOWNESS 1)
if(BATON_SANITIZE)
    set(BATON_SLOWNESS 4)
endif()

# How tests are compiled. What is tested is optimized; the tests themselves are half of the build and run for
# milliseconds (in the Debug builds of the sanitizers a third of their compile time is saved without it). A failed test
# names its line itself: what a debugger wants to know of tests is a tenth of their time, and in the Debug builds.
function(baton_test_options target)
    target_compile_options(${target} PRIVATE $<IF:$<CONFIG:Debug>,-O0,-Og>
        $<$<CONFIG:RelWithDebInfo>:-g0>)
    target_link_libraries(${target} PRIVATE GTest::gmock fmt::fmt rapidcheck baton_warnings)
endfunction()

function(baton_test name)
    cmake_parse_arguments(TEST "" "KIND;TIMEOUT" "LABELS;ROOMS;LIBRARIES;WRAPPER" ${ARGN})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 60)
    endif()
    math(EXPR TEST_TIMEOUT "${TEST_TIMEOUT} * ${BATON_SLOWNESS}")
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/tests/${TEST_KIND}/${name}.cpp"
        "${CMAKE_SOURCE_DIR}/tests/${TEST_KIND}/${name}/*.cpp")
    add_executable(${name} ${sources})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    baton_test_options(${name})
    baton_precompiled(${name} test)
    add_dependencies(${TEST_KIND}_tests ${name})
    target_include_directories(${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
    foreach(room IN LISTS TEST_ROOMS)
        target_link_libraries(${name} PRIVATE baton_${room})
    endforeach()
    target_link_libraries(${name} PRIVATE ${TEST_LIBRARIES} GTest::gtest_main)
    add_test(NAME ${name} COMMAND ${TEST_WRAPPER} $<TARGET_FILE:${name}>)
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_KIND};${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT})
    # rc::check says false, which nobody has to look at; a property that does not hold is to fail all the same
    set_tests_properties(${name} PROPERTIES FAIL_REGULAR_EXPRESSION "Falsifiable after;Gave up after")
endfunction()

# baton_script_test(NAME KIND integration|e2e COMMAND cmd... [TIMEOUT s] [LABELS label...]): a test that is a script. The label
# "foreign": no program of ours runs in it that a sanitizer sees.
function(baton_script_test name)
    cmake_parse_arguments(TEST "" "KIND;TIMEOUT" "LABELS;COMMAND" ${ARGN})
    if(NOT TEST_TIMEOUT)
        set(TEST_TIMEOUT 120)
    endif()
    math(EXPR TEST_TIMEOUT "${TEST_TIMEOUT} * ${BATON_SLOWNESS}")
    add_test(NAME ${name} COMMAND ${TEST_COMMAND} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES LABELS "${TEST_KIND};${TEST_LABELS}" TIMEOUT ${TEST_TIMEOUT}
        ENVIRONMENT "BATON_BUILD=${CMAKE_BINARY_DIR}")
endfunction()
