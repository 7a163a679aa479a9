# What makes a full build fast.
#
# With CMAKE_UNITY_BUILD (presets release, asan and tsan) the files of a target are compiled in batches: most of a file's
# time are headers that its neighbours read too; and what most targets read lies in a few precompiled headers. The presets dev and clang compile
# each file alone, so that a file that leans on its neighbour's #include, or hides its neighbour's names, is found there;
# what only means "not alone" is therefore not warned of in a batch.
if(CMAKE_UNITY_BUILD)
    set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)
    target_compile_options(baton_warnings INTERFACE -Wno-shadow
        $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()

# GCC stops to look for garbage each time its heap has grown by a third, and a heap of such headers is hardly any: up to
# half a gigabyte it need not look. A compiler takes up to 1.3 GB so, a quarter more than otherwise.
add_compile_options($<$<CXX_COMPILER_ID:GNU>:--param=ggc-min-heapsize=524288>)

# mold links a program in a quarter of the time of GNU ld
find_program(MOLD mold)
if(MOLD)
    add_link_options(-fuse-ld=mold)
endif()

# baton_precompiled(TARGET KIND): TARGET's sources read the foreign headers of KIND from one precompiled file. KIND is
#   plumbing  rooms that are not optimized: Boost.JSON, {fmt}, spdlog
#   program   CLI11 as well, which leaves objects with constructors wherever it is read
#   test      GoogleTest and RapidCheck
# A precompiled header fits only what is compiled with the same optimization and the same macros of these libraries: the
# target is given the macros here. (Rooms that are optimized have none: their time is
# the optimizer's, and what a header saved there was too little to measure.)
function(baton_precompiled target kind)
    if(NOT CMAKE_UNITY_BUILD)
        return()
    endif()
    set(headers baton_${kind}_headers)
    if(NOT TARGET ${headers})
        file(WRITE "${CMAKE_BINARY_DIR}/${kind}_headers.cpp" "")
        add_library(${headers} OBJECT "${CMAKE_BINARY_DIR}/${kind}_headers.cpp")
        # for ccache, which reads what the compiler would
        target_compile_options(${headers} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
        target_precompile_headers(${headers} PRIVATE <algorithm> <chrono> <filesystem> <fmt/format.h> <fstream>
            <functional> <map> <memory> <mutex> <optional> <string> <thread> <vector>)
        if(kind STREQUAL "test")
            baton_test_options(${headers})
            target_precompile_headers(${headers} PRIVATE <gmock/gmock.h> <gtest/gtest.h> <rapidcheck.h>)
        else()
            target_compile_options(${headers} PRIVATE ${BATON_OPTIMIZATION_${kind}})
            target_link_libraries(${headers} PRIVATE Boost::json fmt::fmt spdlog::spdlog tl::expected baton_warnings)
            target_precompile_headers(${headers} PRIVATE <boost/json.hpp> <spdlog/spdlog.h> <tl/expected.hpp>)
        endif()
        if(kind STREQUAL "program")
            target_link_libraries(${headers} PRIVATE CLI11::CLI11)
            target_precompile_headers(${headers} PRIVATE <CLI/CLI.hpp>)
        endif()
    endif()
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
    if(NOT kind STREQUAL "test")
        target_compile_definitions(${target} PRIVATE $<TARGET_PROPERTY:${headers},COMPILE_DEFINITIONS>)
    endif()
    target_precompile_headers(${target} REUSE_FROM ${headers})
endfunction()
