# With CMAKE_UNITY_BUILD (presets release, asan and tsan) the files of a target are compiled in batches: most of a file's
# time are headers that its neighbours read too. The presets dev and clang compile each file alone, so that a file that
# leans on its neighbour's #include, or hides its neighbour's names, is found there; what only means "not alone" is
# therefore not warned of in a batch.
if(CMAKE_UNITY_BUILD)
    set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
    target_compile_options(baton_warnings INTERFACE -Wno-shadow
        $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
