# baton_fuzz(NAME ROOM room [SOURCES room/file.cpp...] [LIBRARIES target...]): fuzz/NAME.cpp -> build/fuzz/fuzz_NAME, a
# libFuzzer target with AddressSanitizer and UndefinedBehaviorSanitizer.
#
# The room is compiled once more, instrumented: a fuzzer that does not see which way the code went is a monkey. The rooms
# that it uses are linked as they are; SOURCES names files of theirs that are to be seen as well. Beside the target may
# lie fuzz/seeds/NAME/ (small texts to begin with) and fuzz/NAME.dict (words of the format).
set(BATON_FUZZ_FLAGS -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)

add_custom_target(fuzz_targets)

function(baton_fuzzed_room room)
    if(TARGET baton_fuzzed_${room})
        return()
    endif()
    file(GLOB sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/${room}/*.cpp")
    add_library(baton_fuzzed_${room} STATIC ${sources})
    target_include_directories(baton_fuzzed_${room} PUBLIC "${CMAKE_SOURCE_DIR}/src")
    target_compile_definitions(baton_fuzzed_${room} PUBLIC
        $<TARGET_PROPERTY:baton_${room},INTERFACE_COMPILE_DEFINITIONS>)
    get_target_property(libraries baton_${room} INTERFACE_LINK_LIBRARIES)
    target_link_libraries(baton_fuzzed_${room} PUBLIC ${libraries} PRIVATE baton_warnings)
    target_compile_options(baton_fuzzed_${room} PRIVATE -fsanitize=fuzzer-no-link ${BATON_FUZZ_FLAGS})
endfunction()

function(baton_fuzz name)
    cmake_parse_arguments(FUZZ "" "ROOM" "SOURCES;LIBRARIES" ${ARGN})
    baton_fuzzed_room(${FUZZ_ROOM})
    list(TRANSFORM FUZZ_SOURCES PREPEND "${CMAKE_SOURCE_DIR}/src/")
    add_executable(fuzz_${name} "${CMAKE_SOURCE_DIR}/fuzz/${name}.cpp" ${FUZZ_SOURCES})
    add_dependencies(fuzz_targets fuzz_${name})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_include_directories(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}/tests")
    target_link_libraries(fuzz_${name} PRIVATE baton_fuzzed_${FUZZ_ROOM} ${FUZZ_LIBRARIES} baton_warnings)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer ${BATON_FUZZ_FLAGS})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
endfunction()
