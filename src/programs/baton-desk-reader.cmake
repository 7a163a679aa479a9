# Runs in a sandbox with little memory and few system calls, which no sanitizer can live with: built without one, from
# the sources of the rooms that it needs.
file(GLOB baton_desk_reader_sources CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/src/deskreader/*.cpp")
add_executable(baton-desk-reader "${CMAKE_SOURCE_DIR}/src/programs/baton_desk_reader.cpp" ${baton_desk_reader_sources}
    "${CMAKE_SOURCE_DIR}/src/model/error.cpp")
add_dependencies(programs baton-desk-reader)
target_include_directories(baton-desk-reader PRIVATE "${CMAKE_SOURCE_DIR}/src")
target_link_libraries(baton-desk-reader PRIVATE tl::expected fmt::fmt Boost::json PkgConfig::ext2fs baton_warnings)
if(BATON_SANITIZE)
    target_compile_options(baton-desk-reader PRIVATE -fno-sanitize=all)
    target_link_options(baton-desk-reader PRIVATE -fno-sanitize=all)
endif()
install(TARGETS baton-desk-reader RUNTIME DESTINATION bin)
