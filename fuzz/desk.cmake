# the room's sources are compiled into the targets, so that the fuzzer sees which way they went
file(GLOB desk_sources "${CMAKE_SOURCE_DIR}/src/desk/*.cpp")
foreach(name desk_header desk_pack)
    add_executable(fuzz_${name} "${CMAKE_CURRENT_LIST_DIR}/${name}.cpp" ${desk_sources})
    set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_include_directories(fuzz_${name} PRIVATE "${CMAKE_SOURCE_DIR}/src")
    target_link_libraries(fuzz_${name} PRIVATE baton_process OpenSSL::Crypto PkgConfig::seccomp PkgConfig::zstd
        baton_warnings)
    target_compile_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer,address,undefined)
endforeach()
