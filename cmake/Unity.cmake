# What makes a full build fast.
#
# With CMAKE_UNITY_BUILD (presets release, asan and tsan) the files of a target are compiled in batches: most of a file's
# time are headers that its neighbours read too; and tests share a precompiled header. The presets dev and clang compile
# each file alone, so that a file that leans on its neighbour's #include, or hides its neighbour's names, is found there;
# what only means "not alone" is therefore not warned of in a batch.
if(CMAKE_UNITY_BUILD)
    set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
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

# baton_precompiled(TARGET): TARGET's sources read the tests' headers from one precompiled file.
function(baton_precompiled target)
    if(NOT CMAKE_UNITY_BUILD)
        return()
    endif()
    if(NOT TARGET baton_test_headers)
        file(WRITE "${CMAKE_BINARY_DIR}/test_headers.cpp" "")
        add_library(baton_test_headers OBJECT "${CMAKE_BINARY_DIR}/test_headers.cpp")
        baton_test_options(baton_test_headers)
        # for ccache, which reads what the compiler would
        target_compile_options(baton_test_headers PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
        target_precompile_headers(baton_test_headers PRIVATE <gmock/gmock.h> <gtest/gtest.h> <rapidcheck.h>
            <algorithm> <chrono> <filesystem> <fmt/format.h> <fstream> <functional> <map> <memory> <mutex> <optional>
            <string> <thread> <vector>)
    endif()
    target_compile_options(${target} PRIVATE $<$<CXX_COMPILER_ID:GNU>:-fpch-preprocess>)
    target_precompile_headers(${target} REUSE_FROM baton_test_headers)
endfunction()
